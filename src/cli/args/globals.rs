//! Flags that mean the same for every command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::{network, path_of, render, word};
use crate::cli::terminal;
use crate::finding::Ignored;
use crate::problem::{Problem, id};
use crate::report::check::Format;
use crate::settings::{Key, SETTINGS_FILE, unusual_home};
use crate::text;
use crate::text::{Person, own, typed};

/// Flags that mean the same for every command.
pub(crate) struct Globals {
    /// `--root`.
    pub root: Option<PathBuf>,
    /// Who pastes what is printed.
    pub person: Person,
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
    /// The verb, as in `network list`.
    pub verb: String,
    /// The whole command line, for the sudo line.
    pub argv: Vec<OsString>,
}

impl Globals {
    /// Reads them from the matches of a verb.
    ///
    /// # Errors
    /// An unknown id in `--ignore-check`.
    pub(crate) fn new(verb: &str, matches: &ArgMatches, argv: Vec<OsString>) -> Result<Self, Problem> {
        let (matches, below) = innermost(matches);
        let verbs = [&[verb], &below[..]].concat();
        let usage = |message: &'static str| Err(Problem::settings(id::USAGE, message).hint(typed("ics-setup --help")));
        if matches.get_flag("exit-code") && !matches.get_flag("dry-run") {
            return usage("--exit-code goes with --dry-run");
        }
        if matches.get_flag("quiet") && matches.get_flag("verbose") {
            return usage("--quiet and --verbose contradict each other");
        }
        let format = word(matches, "format").unwrap_or_default();
        let words = formats(&verbs);
        let verb = verbs.join(" ");
        if !words.contains(&format) {
            let given = matches.value_source("format") == Some(clap::parser::ValueSource::CommandLine);
            let message = if given {
                text!("--format {:?} does not go with {}; it has {}", format, own(&verb), own(words.join(", ")))
            } else {
                text!("{} needs --format, one of {}", own(&verb), own(words.join(", ")))
            };
            return Err(Problem::settings(id::USAGE, message).hint(typed(text!("ics-setup {} --help", own(&verb)))));
        }
        let color = |stdout| match word(matches, "color") {
            Some("auto") => terminal::color_for(stdout),
            when => when == Some("always"),
        };
        Ok(Self {
            person: Person {
                home: home(matches),
                settings: again(path_of(matches, "settings-file"), path_of(matches, "root")),
                ..person(path_of(matches, "root"))
            },
            root: path_of(matches, "root").map(Path::to_path_buf),
            settings: path_of(matches, "settings-file").map(Path::to_path_buf),
            dry_run: matches.get_flag("dry-run"),
            exit_code: matches.get_flag("exit-code"),
            yes: matches.get_flag("yes"),
            non_interactive: matches.get_flag("non-interactive"),
            format: Format::parse(format).unwrap_or(Format::Human),
            json: format == "json",
            word: format.to_owned(),
            color: color(true),
            color_of_messages: color(false),
            verbose: matches.get_flag("verbose"),
            quiet: matches.get_flag("quiet"),
            ignored: Ignored::parse(&every_ignored(&argv))?,
            verb,
            argv,
        })
    }

    /// May a person be asked? Only at a terminal.
    pub(crate) fn interactive(&self) -> bool {
        !self.non_interactive && terminal::is_terminal()
    }
}

/// Whoever runs this command, with what is needed for the host or the image below `root`.
fn person(root: Option<&Path>) -> Person {
    let may_write = |root: &Path| nix::unistd::access(root, nix::unistd::AccessFlags::W_OK).is_ok();
    let privileged = nix::unistd::geteuid().is_root() || root.is_some_and(may_write);
    Person { image: root.map(Path::to_path_buf), privileged, ..Person::default() }
}

/// A settings file that another call can name too, from wherever it is made: standard input and what a shell hands over in a pipe
/// are none. Of this host the usual one need not be named.
fn again(settings: Option<&Path>, root: Option<&Path>) -> Option<PathBuf> {
    let file = std::path::absolute(settings.filter(|file| *file != Path::new("-"))?).ok()?;
    let is_passing = ["/proc", "/dev"].iter().any(|of| file.starts_with(of)) || !file.is_file();
    (!is_passing && (root.is_some() || file != Path::new(SETTINGS_FILE))).then_some(file)
}

/// The product's folder that this call names, where it is not the usual one.
fn home(matches: &ArgMatches) -> Option<PathBuf> {
    let given = matches.try_get_one::<String>(Key::Home.as_str()).ok().flatten().filter(|given| !given.is_empty())?;
    unusual_home(Path::new(given))
}

/// The matches of the innermost subcommand, which has every global flag wherever it stood, and the words that lead there.
pub(crate) fn innermost(matches: &ArgMatches) -> (&ArgMatches, Vec<&str>) {
    let (mut matches, mut words) = (matches, Vec::new());
    while let Some((word, inner)) = matches.subcommand() {
        matches = inner;
        words.push(word);
    }
    (matches, words)
}

/// The words for `--format` of a verb, as in `["network", "list"]`.
fn formats(verbs: &[&str]) -> Vec<&'static str> {
    match verbs {
        ["check", ..] => Format::ALL.map(Format::as_str).to_vec(),
        ["network", verb, ..] => network::formats(verb).unwrap_or_else(|| vec!["human", "json"]),
        ["render", verb, ..] => render::formats(verb).unwrap_or_else(|| vec!["human", "json"]),
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
