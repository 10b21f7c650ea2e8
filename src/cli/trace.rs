//! `trace`: which process goes around the proxy right now.

use std::cell::Cell;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::args::{Globals, time_of};
use super::exit::Exit;
use super::{ask, machine, out};
use crate::consumers::Wanted;
use crate::context::{HostContext, Intent};
use crate::network::catalogue::{Catalogue, EndpointNeeds, required_endpoints};
use crate::problem::{Problem, id};
use crate::progress::Progress;
use crate::redact::Redactor;
use crate::report::{Paint, SCHEMA};
use crate::signals::Uninterrupted;
use crate::system::IMAGE;
use crate::targets;
use crate::text;
use crate::text::{elapsed, ics_setup, own, typed};
use crate::trace::{self, Look, Traced};

/// Nobody waits for longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Runs the verb. The redactor learns the secrets that are found on the way.
///
/// # Errors
/// No root, an image, no proxy, wrong settings.
pub(super) fn run(globals: &Globals, matches: &ArgMatches, redactor: &mut Redactor) -> Result<Exit, Problem> {
    let duration = time_of(matches, "for")?.min(LONGEST);
    if duration.is_zero() {
        return Err(Problem::settings(id::USAGE, "--for must be longer than nothing").hint(typed("--for 60s")));
    }
    let host = machine::to_look(globals)?;
    if globals.root.is_some() {
        return Err(Problem::settings(id::USAGE, text!("trace looks at what runs: {}", own(IMAGE)))
            .hint("leave --root out, on the host itself"));
    }
    let mut inputs = machine::inputs(globals, matches)?;
    if nix::unistd::geteuid().as_raw() != 0 {
        return Err(Problem::host(id::NEEDS_ROOT, "whose a connection is can be seen by root only"));
    }
    let mut known = HostContext::load(&host, &inputs, Intent::Check)?;
    known.found.secrets().for_each(|secret| redactor.learn(secret));
    let catalogue = Catalogue::shipped();
    let needed = required_endpoints(&catalogue, &EndpointNeeds::of(&known.layers, &catalogue, &host)?);
    let (settings, _) = known.settings(&mut inputs, &globals.ignored, &mut |spec| ask::secret(globals, spec))?;
    settings.secrets.iter().for_each(|secret| redactor.learn(secret));
    if !settings.proxies.any() {
        return Err(Problem::settings(id::SETTINGS_MISSING, "no proxy is set, so nothing can go around one")
            .hint(text!("name it: {}", ics_setup("trace --proxy <URL>")))
            .hint(text!("or set it on this host: {}", ics_setup("prepare --proxy <URL>"))));
    }
    let no_proxy = targets::no_proxy(&settings);
    let wanted = Wanted::new(&settings, no_proxy.shown().members().map(str::to_owned).collect());
    let (calm, ended) = (Uninterrupted::begin(), Cell::new(false));
    let progress = Progress::begin("watching the sockets of this host");
    let mut look = Look {
        host: &host,
        platform: known.platform.as_ref(),
        settings: &settings,
        no_proxy,
        endpoints: catalogue.endpoints,
        needed: needed.iter().filter(|own| own.address().is_none()).map(|own| own.host.clone()).collect(),
        duration,
        stop: &|| {
            ended.set(ended.get() || calm.take_arrived());
            ended.get()
        },
        tell: &mut |left, rows| {
            let found = if rows == 0 { String::new() } else { format!(", {rows} seen to go around the proxy") };
            progress.so_far(format!("{} left{found}", elapsed(left)));
        },
    };
    let traced = trace::trace(&mut look, wanted);
    drop(look);
    drop(progress);
    if traced.summary.namespaces == traced.summary.unread {
        return Err(Problem::host(id::UNREADABLE, "the kernel's tables of sockets could not be read")
            .hint(text!("look: {}", typed("ls -l /proc/self/ns/net /proc/self/net/tcp"))));
    }
    told(globals, &traced, redactor);
    calm.until_the_end();
    Ok(match (traced.bypasses.is_empty(), traced.summary.interrupted) {
        (false, _) => Exit::CHECKS_FAILED,
        // Whoever waits for an answer has none for the whole time.
        (true, true) => Exit::CANCELLED,
        (true, false) => Exit::DONE,
    })
}

fn told(globals: &Globals, traced: &Traced, redactor: &Redactor) {
    if globals.json {
        let mut result = json!({"schema": SCHEMA, "command": "trace"});
        if let (Value::Object(all), Value::Object(own)) = (&mut result, trace::json(traced, redactor, &globals.person))
        {
            all.extend(own);
        }
        out::json(&result);
    } else if !globals.quiet || !traced.bypasses.is_empty() {
        out::result(&trace::human(traced, redactor, &globals.person, Paint(globals.color)));
    }
}
