//! Flags of settings, made from the one table, and the layer that they give.

use std::collections::HashSet;
use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};

use super::options::switch;
use crate::problem::{Problem, id};
use crate::settings::{Key, Layer, Origin, Shape, Spec, TABLE};
use crate::text;
use crate::text::{ics_setup, own, typed};

/// Adds the flags of the settings, without those that are of the product itself.
pub(super) fn with_settings(command: Command) -> Command {
    with(command, |spec| !spec.product)
}

/// Adds the flags of all settings.
pub(super) fn with_all_settings(command: Command) -> Command {
    with(command, |_| true)
}

/// Adds the flags of these settings, and the one that is no setting.
fn with(command: Command, wanted: fn(&Spec) -> bool) -> Command {
    with_these(command, wanted).arg(
        switch("no-restart")
            .overrides_with(Key::Restart.as_str())
            .help("Leave the services alone")
            .help_heading("Settings"),
    )
}

/// Adds the flags of these settings.
pub(super) fn with_these(mut command: Command, wanted: fn(&Spec) -> bool) -> Command {
    for spec in TABLE.iter().filter(|spec| wanted(spec)) {
        let Some(flag) = spec.flag else { continue };
        let help = match spec.default {
            Some(default) if spec.shape != Shape::Switch => {
                format!("{} [default: {default}] [{}]", spec.help, spec.variable)
            }
            _ => format!("{} [{}]", spec.help, spec.variable),
        };
        let mut arg = Arg::new(spec.key.as_str())
            .long(flag)
            .value_name(spec.value_name)
            .help(help)
            .help_heading(if spec.product { "Settings of the product" } else { "Settings" })
            .allow_hyphen_values(false);
        arg = match spec.shape {
            Shape::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            Shape::List | Shape::Words(_) => arg.action(ArgAction::Append),
            Shape::Choice(words) => arg.value_parser(Words(words)),
            Shape::Path if spec.value_name == "DIR" => arg.value_hint(ValueHint::DirPath),
            Shape::Path => arg.value_hint(ValueHint::FilePath),
            _ => arg,
        };
        command = command.arg(arg);
    }
    command
}

/// Words that help and completions offer. Whether a value is one of them is judged where all settings are, whoever said it.
#[derive(Clone)]
struct Words(&'static [&'static str]);

impl TypedValueParser for Words {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|word| PossibleValue::new(*word))))
    }
}

/// Whoever types nothing for a value has lost it on the way, as a script does with a variable that is not set.
fn empty(spec: &Spec, flag: &'static str) -> Problem {
    let problem = Problem::settings(id::SETTING_INVALID, text!("--{} is given without a value", own(flag)));
    let problem = match spec.key {
        Key::ProxyCa => {
            problem.hint(text!("what a run has made trusted is taken back with that run: {}", ics_setup("revert")))
        }
        Key::ProxyUrl | Key::ProxyHttp | Key::ProxyHttps => problem
            .hint(text!("to take the proxy out: {}", typed("--remove-proxy")))
            .hint(text!("for a site that has none: {}", typed("--direct"))),
        _ => problem,
    };
    problem.hint(text!("leave --{} out, or give it a value: {}", own(flag), own(spec.help)))
}

/// The layer of the flags.
///
/// # Errors
/// A value of the wrong shape, or none.
pub(crate) fn flags(matches: &ArgMatches) -> Result<Layer, Problem> {
    let known: HashSet<&str> = matches.ids().map(clap::Id::as_str).collect();
    let mut layer = Layer::default();
    for spec in TABLE {
        let Some(flag) = spec.flag.filter(|_| known.contains(spec.key.as_str())) else { continue };
        // A verb may have a flag of its own by the same name: `check --from FILE` is no setting.
        let Ok(values) = matches.try_get_many::<String>(spec.key.as_str()) else { continue };
        let values: Vec<&str> = values.into_iter().flatten().map(String::as_str).collect();
        let value =
            if spec.shape.is_list() { values.join(",") } else { values.last().copied().unwrap_or_default().to_owned() };
        if values.iter().any(|value| value.trim().is_empty()) {
            return Err(empty(spec, flag));
        }
        layer.insert(spec, value, Origin::Flag(format!("--{flag}")))?;
    }
    if known.contains("no-restart") && matches.get_flag("no-restart") {
        layer.insert(Key::Restart.spec(), "false".to_owned(), Origin::Flag("--no-restart".to_owned()))?;
    }
    Ok(layer)
}
