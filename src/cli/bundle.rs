//! `bundle create`: what a host without internet needs, made on one that has it.

use clap::ArgMatches;

use super::args::{Globals, innermost, path_of, word};
use super::exit::Exit;
use super::{ask, machine, out, terminal};
use crate::context::{HostContext, Intent};
use crate::deploy::bundle::{self, Bundle, Order};
use crate::deploy::task::{Task, Told};
use crate::docker;
use crate::finding::Finding;
use crate::host::{HostRead, RealHost};
use crate::problem::{Problem, id};
use crate::progress;
use crate::redact::Redactor;
use crate::report::{Paint, human_findings, line};
use crate::signals::Uninterrupted;
use crate::text;
use crate::text::typed;

/// Runs the verb. The redactor learns the secrets that are found on the way.
///
/// # Errors
/// What it needs is not here or does not come; the folder is somebody else's.
pub(super) fn run(globals: &Globals, matches: &ArgMatches, redactor: &mut Redactor) -> Result<Exit, Problem> {
    let (matches, _) = innermost(matches);
    let host = machine::to_look(globals)?;
    if !host.is_live() {
        let message = "bundle create works with the Docker of this host, and --root names an image of a system";
        return Err(Problem::settings(id::SETTING_INVALID, message).hint("leave --root out"));
    }
    let mut inputs = machine::inputs(globals, matches)?;
    let mut known = HostContext::load(&host, &inputs, Intent::Check)?;
    known.found.secrets().for_each(|secret| redactor.learn(secret));
    let (settings, noticed) = known.settings(&mut inputs, &globals.ignored, &mut |spec| ask::secret(globals, spec))?;
    settings.secrets.iter().for_each(|secret| redactor.learn(secret));
    let order = Order {
        folder: path_of(matches, "dir").ok_or_else(|| Problem::bug("clap lets no call through without DIR"))?,
        settings: &settings,
        architecture: architecture(matches)?,
        program: path_of(matches, "program"),
        dry_run: globals.dry_run,
        ignored: &globals.ignored,
    };
    let made = made(globals, &host, &order, redactor)?;
    let mut findings: Vec<Finding> = noticed.into_iter().chain(made.findings.iter().cloned()).collect();
    findings.iter_mut().for_each(|finding| *finding = finding.pasted_by(&globals.person));
    if globals.json {
        out::json(&bundle::json(&made, &findings, redactor));
    } else if !globals.quiet {
        let paint = Paint(globals.color_of_messages);
        out::message(&human_findings(&findings, false, redactor, paint, terminal::window_of_messages()));
        out::result(&bundle::human(&made, redactor));
    }
    Ok(if made.dry_run && globals.exit_code { Exit::PENDING } else { Exit::DONE })
}

/// Go's word for the processor of the other host.
fn architecture(matches: &ArgMatches) -> Result<&'static str, Problem> {
    let wanted =
        word(matches, "platform").map_or(docker::this_architecture(), |word| word.trim_start_matches("linux/"));
    let known = docker::ARCHITECTURES.iter().find(|(go, _)| *go == wanted);
    known.map(|(go, _)| *go).ok_or_else(|| {
        Problem::settings(id::SETTING_INVALID, text!("the product has not been seen for processors as {}", wanted))
            .hint(text!("name that of the other host: {}", typed("--platform linux/amd64")))
    })
}

/// A signal ends it in order.
fn made(globals: &Globals, host: &RealHost, order: &Order<'_>, redactor: &Redactor) -> Result<Bundle, Problem> {
    let calm = Uninterrupted::begin();
    let mut tell = |told: Told<'_>| match told {
        _ if globals.quiet => {}
        Told::Line(what) => progress::step(&line(redactor, what), None),
        Told::Moving(what) => progress::so_far(&line(redactor, what)),
    };
    let stop = || calm.take_arrived();
    let made = bundle::create(&mut Task { host, tell: &mut tell, stop: &stop }, order)?;
    calm.until_the_end();
    Ok(made)
}
