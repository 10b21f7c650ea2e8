//! Flags that mean the same for every command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgMatches;

use super::network;
use crate::cli::terminal;
use crate::finding::Ignored;
use crate::problem::{Problem, id};
use crate::report::check::Format;
use crate::text;
use crate::text::own;

/// Flags that mean the same for every command.
pub(crate) struct Globals {
    /// `--root`.
    pub root: Option<PathBuf>,
    /// `--settings`.
    pub settings: Option<PathBuf>,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--exit-code`.
    pub exit_code: bool,
    /// `--yes`.
    pub yes: bool,
    /// `--non-interactive`.
    pub non_interactive: bool,
    /// `--format`, for `check`.
    pub format: Format,
    /// `--format`, one of the words that the verb has.
    pub word: String,
    /// `--format json`.
    pub json: bool,
    /// Colours on standard output.
    pub color: bool,
    /// Colours on standard error.
    pub color_of_messages: bool,
    /// `-v`.
    pub verbose: bool,
    /// `-q`.
    pub quiet: bool,
    /// `--ignore-check`.
    pub ignored: Ignored,
    /// The whole command line, for the sudo line.
    pub argv: Vec<OsString>,
}

impl Globals {
    /// Reads them from the matches of a verb.
    ///
    /// # Errors
    /// An unknown id in `--ignore-check`.
    pub(crate) fn new(verb: &str, matches: &ArgMatches, argv: Vec<OsString>) -> Result<Self, Problem> {
        // The innermost subcommand has every global flag, wherever it stood.
        let (mut matches, mut verbs) = (matches, vec![verb]);
        while let Some((verb, inner)) = matches.subcommand() {
            matches = inner;
            verbs.push(verb);
        }
        let usage = |message: &'static str| Err(Problem::settings(id::USAGE, message).hint("ics-setup --help"));
        if matches.get_flag("exit-code") && !matches.get_flag("dry-run") {
            return usage("--exit-code goes with --dry-run");
        }
        if matches.get_flag("quiet") && matches.get_flag("verbose") {
            return usage("--quiet and --verbose contradict each other");
        }
        let word = matches.get_one::<String>("format").cloned().unwrap_or_default();
        let words = formats(&verbs);
        if !words.contains(&word.as_str()) {
            let given = matches.value_source("format") == Some(clap::parser::ValueSource::CommandLine);
            let verb = verbs.join(" ");
            let message = if given {
                text!("--format {:?} does not go with {}; it has {}", word, own(&verb), own(words.join(", ")))
            } else {
                text!("{} needs --format, one of {}", own(&verb), own(words.join(", ")))
            };
            return Err(Problem::settings(id::USAGE, message).hint(text!("ics-setup {} --help", own(&verb))));
        }
        let ignored = every_ignored(&argv);
        let when = matches.get_one::<String>("color").map_or("auto", String::as_str);
        let color = |stdout| when == "always" || (when == "auto" && terminal::color_for(stdout));
        Ok(Self {
            root: matches.get_one::<PathBuf>("root").cloned(),
            settings: matches.get_one::<PathBuf>("settings-file").cloned(),
            dry_run: matches.get_flag("dry-run"),
            exit_code: matches.get_flag("exit-code"),
            yes: matches.get_flag("yes"),
            non_interactive: matches.get_flag("non-interactive"),
            format: Format::parse(&word).unwrap_or(Format::Human),
            json: word == "json",
            word,
            color: color(true),
            color_of_messages: color(false),
            verbose: matches.get_flag("verbose"),
            quiet: matches.get_flag("quiet"),
            ignored: Ignored::parse(&ignored)?,
            argv,
        })
    }

    /// May a person be asked? Only at a terminal.
    pub(crate) fn interactive(&self) -> bool {
        !self.non_interactive && terminal::is_terminal()
    }
}

/// The words for `--format` of a verb, as in `["network", "list"]`.
fn formats(verbs: &[&str]) -> Vec<&'static str> {
    match verbs {
        ["check", ..] => Format::ALL.map(Format::as_str).to_vec(),
        ["network", verb, ..] => network::formats(verb).unwrap_or_else(|| vec!["human", "json"]),
        _ => vec!["human", "json"],
    }
}

/// `--ignore-check` wherever it stands: clap keeps those of one level only.
pub(crate) fn every_ignored(argv: &[OsString]) -> Vec<String> {
    let words: Vec<String> = argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words = words.split(|word| word == "--").next().unwrap_or_default();
    let glued = words.iter().filter_map(|word| word.strip_prefix("--ignore-check=")).map(str::to_owned);
    let apart = words.windows(2).filter(|pair| pair[0] == "--ignore-check").map(|pair| pair[1].clone());
    glued.chain(apart).collect()
}

/// Was JSON asked for?
pub(crate) fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("format").is_some_and(|format| format == "json")
}
