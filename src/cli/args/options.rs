//! The kinds of options that commands have, and their values.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches};

use crate::problem::{Problem, id};
use crate::text;
use crate::text::own;

/// The end of a command's help: examples and what else there is to know, from `assets/help`.
macro_rules! help {
    ($command:literal) => {
        include_str!(concat!("../../../assets/help/", $command, ".txt")).trim_ascii_end()
    };
}
pub(super) use help;

/// A flag without a value.
pub(super) fn switch(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

/// A flag with a value.
pub(super) fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value)
}

/// A flag whose value is a path.
pub(super) fn path(name: &'static str, value: &'static str) -> Arg {
    option(name, value).value_parser(clap::value_parser!(PathBuf))
}

/// A flag whose value is one of a few words.
pub(super) fn choice<const N: usize>(name: &'static str, value: &'static str, words: [&'static str; N]) -> Arg {
    option(name, value).value_parser(PossibleValuesParser::new(words))
}

/// A flag that takes several values, separated by commas or each with the flag.
pub(super) fn list(name: &'static str, value: &'static str) -> Arg {
    option(name, value).value_delimiter(',').action(ArgAction::Append)
}

/// The value of an option, where it has one.
pub(crate) fn word<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

/// The path of an option, where it has one.
pub(crate) fn path_of<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a Path> {
    matches.get_one::<PathBuf>(name).map(PathBuf::as_path)
}

/// The time that an option names.
///
/// # Errors
/// It is none.
pub(crate) fn time_of(matches: &ArgMatches, name: &str) -> Result<Duration, Problem> {
    let text = word(matches, name).unwrap_or_default();
    let parsed = text.parse().map(Duration::from_secs).or_else(|_| humantime::parse_duration(text));
    parsed.map_err(|error| {
        Problem::settings(id::USAGE, text!("--{} takes a time such as 500ms, 10s or 5m, not {:?}", own(name), text))
            .caused_by(error)
            .hint(text!("--{} 30s", own(name)))
    })
}

/// All values of an option.
pub(crate) fn words(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many(name).into_iter().flatten().cloned().collect()
}
