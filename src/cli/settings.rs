//! `settings show|export|example|schema`.

use clap::ArgMatches;
use serde_json::{Value, json};

use super::args::Globals;
use super::exit::Exit;
use super::{ask, export, machine, out};
use crate::context::{HostContext, Inputs, Intent};
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::problem::Problem;
use crate::redact::Redactor;
use crate::report::{SCHEMA, visible};
use crate::settings::{Origin, Settings, example, schema};
use crate::text;

/// Runs the verb.
///
/// # Errors
/// Settings that are wrong or missing, for `show`.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    match matches.subcommand() {
        Some(("example", _)) => out::result(&example()),
        Some(("schema", _)) => out::json(&schema()),
        Some(("export", matches)) => return export::run(globals, matches),
        Some((_, matches)) => show(globals, &effective(globals, matches)?),
        None => return Ok(Exit::USAGE),
    }
    Ok(Exit::DONE)
}

/// The settings as they count, with what is found on the host.
///
/// # Errors
/// A value that is wrong or missing.
pub(super) fn effective(globals: &Globals, matches: &ArgMatches) -> Result<Settings, Problem> {
    effective_of(globals, &machine::to_look(globals)?, machine::inputs(globals, matches)?)
}

/// The same of what was read already.
///
/// # Errors
/// As [`effective`].
pub(super) fn effective_of(globals: &Globals, host: &dyn HostRead, mut inputs: Inputs) -> Result<Settings, Problem> {
    let mut known = HostContext::load(host, &inputs, Intent::Show)?;
    let (settings, noticed) = known.settings(&mut inputs, &globals.ignored, &mut |spec| ask::secret(globals, spec))?;
    let unread = known.root_only().into_iter().map(|path| {
        let title = text!("{} can be read by root only; what it says is missing here", path.display());
        Finding::warn(ids::FILE_UNREADABLE, title).advise("run the same with sudo")
    });
    out::notice(globals, &unread.chain(of_inputs(noticed)).collect::<Vec<_>>(), &Redactor::default());
    Ok(settings)
}

/// What is to be said of the files that settings come from. What else is noticed of their values, those who use them say.
pub(super) fn of_inputs(noticed: Vec<Finding>) -> impl Iterator<Item = Finding> {
    noticed.into_iter().filter(|own| own.id == ids::PASSWORD_IN_READABLE_FILE)
}

/// The same where nobody is asked and nothing is said beside it.
///
/// # Errors
/// As [`effective`].
pub(super) fn quietly(globals: &Globals, host: &dyn HostRead, mut inputs: Inputs) -> Result<Settings, Problem> {
    let mut known = HostContext::load(host, &inputs, Intent::Show)?;
    known.settings(&mut inputs, &globals.ignored, &mut |_| Ok(None)).map(|(settings, _)| settings)
}

/// Each setting with its origin, as JSON.
pub(super) fn rows(settings: &Settings) -> Value {
    let rows = settings.shown.iter();
    let rows =
        rows.map(|(key, value, origin)| json!({"key": key.as_str(), "value": value, "origin": origin.to_string()}));
    json!({"schema": SCHEMA, "command": "settings show", "settings": rows.collect::<Vec<_>>()})
}

fn show(globals: &Globals, settings: &Settings) {
    if globals.json {
        out::json(&rows(settings));
        return;
    }
    let width = settings.shown.iter().map(|(key, ..)| key.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, value, origin) in &settings.shown {
        let none = if matches!(origin, Origin::Untold { .. }) { "?" } else { "-" };
        let value = value.as_deref().unwrap_or(none);
        text.push_str(&visible(&format!("{:width$}  {value}  ({origin})", key.as_str())));
        text.push('\n');
    }
    out::result(&text);
}
