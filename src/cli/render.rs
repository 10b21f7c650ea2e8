//! `render nginx|apache|alb|ecs-env`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::ArgMatches;

use super::args::{Globals, word};
use super::exit::Exit;
use super::{machine, out};
use crate::problem::{Problem, id};
use crate::product::Known;
use crate::render::front::{Front, Server};
use crate::render::{PlainPath, SecretArn, ServerName, alb, ecs, front};
use crate::report::visible;
use crate::settings::{Key, Layers, Settings, Unresolved};
use crate::targets::bound;
use crate::text;
use crate::text::{own, typed};

/// Runs the verb.
///
/// # Errors
/// Values that do not fit into the text, settings that are wrong or missing.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    match matches.subcommand() {
        Some(("alb", matches)) => out::result(&alb::text(port(&said(globals, matches)?)?)),
        Some(("ecs-env", matches)) => ecs_env(globals, matches)?,
        Some((server, matches)) => {
            // clap lets nothing else through.
            let Some(server) = Server::parse(server) else { return Ok(Exit::USAGE) };
            let layers = said(globals, matches)?;
            let front = Front {
                name: value(matches, "server-name", ServerName::parse)?,
                certificate: value(matches, "certificate", PlainPath::parse)?,
                key: value(matches, "key", PlainPath::parse)?,
                upstream: SocketAddr::new(address(&layers)?, port(&layers)?),
            };
            out::result(&front::text(server, &front));
        }
        None => return Ok(Exit::USAGE),
    }
    Ok(Exit::DONE)
}

fn said(globals: &Globals, matches: &ArgMatches) -> Result<Layers, Problem> {
    machine::inputs(globals, matches)?.layers(&machine::to_look(globals)?)
}

/// A value that goes into somebody else's configuration.
fn value<T>(
    matches: &ArgMatches,
    flag: &'static str,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<T, Problem> {
    let given = word(matches, flag).unwrap_or_default();
    parse(given).map_err(|why| {
        Problem::settings(id::USAGE, text!("--{} {:?} is {}", own(flag), given, own(why)))
            .hint(typed("ics-setup render --help"))
    })
}

/// Where the web server of the same host reaches the interface.
fn address(layers: &Layers) -> Result<IpAddr, Problem> {
    let said = layers.get(Key::Bind).map(|bind| bound(&bind.value)).transpose()?.flatten();
    Ok(said.unwrap_or(Ipv4Addr::LOCALHOST.into()))
}

fn port(layers: &Layers) -> Result<u16, Problem> {
    let said = layers.get(Key::Port).map(|port| port.value.parse());
    said.unwrap_or(Ok(Known::get().health.port)).map_err(|_| Problem::bug("--port is a port by its shape"))
}

fn ecs_env(globals: &Globals, matches: &ArgMatches) -> Result<(), Problem> {
    // `Globals` has looked at the word.
    let format = ecs::Format::parse(&globals.word).unwrap_or(ecs::Format::TaskJson);
    let arn = match word(matches, "secret-arn") {
        Some(_) => Some(value(matches, "secret-arn", SecretArn::parse)?),
        None => None,
    };
    let env = ecs::EcsEnv::new(&settings(globals, matches)?, arn.as_ref())?;
    out::result(&env.text(format));
    for fault in env.faults() {
        out::message(&format!("warning: {}\n", visible(&crate::report::line(&Default::default(), &fault))));
    }
    if format == ecs::Format::TaskJson && !globals.quiet {
        out::message(&env.remarks(format).iter().map(|line| format!("{line}\n")).collect::<String>());
    }
    Ok(())
}

/// What was said, and nothing of this host: the tasks run elsewhere. A password is not needed, for none is written.
fn settings(globals: &Globals, matches: &ArgMatches) -> Result<Settings, Problem> {
    let inputs = machine::inputs(globals, matches)?;
    let mut layers = inputs.layers(&machine::to_look(globals)?)?;
    let found = ecs::found();
    let resolve = |layers: &Layers| {
        inputs
            .outside(|outside| Settings::resolve(layers, &found, outside, &globals.ignored))
            .map(|(settings, _)| settings)
    };
    let settings = match resolve(&layers) {
        Err(Unresolved::Missing(specs)) if specs.iter().all(|spec| spec.secret) => {
            for spec in specs {
                layers.flags.insert(spec, "in-a-secret".to_owned(), crate::settings::Origin::Default)?;
            }
            resolve(&layers)
        }
        resolved => resolved,
    };
    match settings.map_err(Unresolved::into_problem)? {
        settings if settings.proxies.any() => Ok(settings),
        _ => Err(Unresolved::Missing(vec![Key::ProxyUrl.spec()]).into_problem()),
    }
}
