//! `settings show|example|schema`.

use clap::ArgMatches;
use serde_json::{Value, json};

use super::args::{Globals, flags};
use super::exit::Exit;
use super::inputs::Inputs;
use super::{machine, out, sudo};
use crate::host::View;
use crate::platform;
use crate::problem::{Problem, id};
use crate::redact::Redactor;
use crate::report::{SCHEMA, visible};
use crate::settings::{self, First, Found, Settings, example, schema};

/// Runs the verb.
pub fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    match matches.subcommand() {
        Some(("example", _)) => out::result(&example()),
        Some(("schema", _)) => out::json(&schema()),
        Some((_, matches)) => match effective(globals, matches) {
            Ok(settings) => show(globals, &settings),
            Err(problem) => {
                let problem =
                    if problem.id == id::NEEDS_ROOT { sudo::with_line(problem, &globals.argv) } else { problem };
                return out::failed(globals, "settings show", &problem, &Redactor::default());
            }
        },
        None => return Exit::Usage,
    }
    Exit::Done
}

/// The settings as they count, with what is found on the host.
///
/// # Errors
/// A value that is wrong or missing.
pub fn effective(globals: &Globals, matches: &ArgMatches) -> Result<Settings, Problem> {
    let host = machine::to_look(globals)?;
    let mut inputs = Inputs::new(globals, flags(matches)?)?;
    let layers = inputs.layers(&host)?;
    // Settings can be shown anywhere; what a host that is neither Ubuntu nor CentOS has is not looked for.
    let found = match platform::detect(&host, settings::strategy(&layers)) {
        Ok((platform, _)) => Found::look(&View::lenient(&host), &platform, &settings::home(&layers)?, First::System)?,
        Err(_) => Found::default(),
    };
    inputs.resolve(layers, &found).map(|(settings, _)| settings)
}

fn show(globals: &Globals, settings: &Settings) {
    if globals.json {
        let rows: Vec<Value> = settings
            .shown
            .iter()
            .map(|(key, value, origin)| json!({"key": key, "value": value, "origin": origin.to_string()}))
            .collect();
        out::json(&json!({"schema": SCHEMA, "command": "settings show", "settings": rows}));
        return;
    }
    let width = settings.shown.iter().map(|(key, ..)| key.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, value, origin) in &settings.shown {
        let value = value.as_deref().unwrap_or("-");
        text.push_str(&visible(&format!("{key:width$}  {value}  ({origin})")));
        text.push('\n');
    }
    out::result(&text);
}
