//! Flags. Those of settings are made from the one table.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};

use super::exit::Exit;
use super::out;
use crate::check::Group;
use crate::finding::Ignored;
use crate::problem::{Problem, id};
use crate::redact::Redactor;
use crate::report::check::Format;
use crate::settings::{Layer, Origin, Shape, TABLE};

const EXAMPLES: &str = "\
Examples:
  sudo ics-setup wizard
  ics-setup demo
  sudo ics-setup prepare --proxy http://proxy.corp.example:3128
  sudo ics-setup prepare --proxy http://proxy.corp.example:3128 --dry-run
  sudo ics-setup reconfigure --proxy http://new-proxy.corp.example:3128
  sudo ics-setup revert

Exit codes: 0 done, 2 usage, 3 settings, 4 checks failed, 5 failed and host
unchanged, 6 failed and host changed, 7 another run, 8 needs root, 10 changes
pending (--dry-run --exit-code), 130 cancelled

Flags and examples of a command: ics-setup COMMAND --help";

/// The commands by what somebody wants, as `--help` lists them.
const COMMANDS: &[(&str, &[&str])] = &[
    ("Set a host up, and take it back", &["wizard", "prepare", "reconfigure", "revert", "status"]),
    ("Find out what is wrong, and what to ask for", &["check", "network"]),
    ("Learn and build on it", &["demo", "settings", "completions", "man"]),
];

const CHECK_EXAMPLES: &str = "\
Examples:
  sudo ics-setup check
  sudo ics-setup check host proxy --proxy http://proxy.corp.example:3128
  ics-setup check backends --mysql-host db.corp.example --redis-host cache.corp.example --wait 5m
  ics-setup check --format junit > check.xml
  ics-setup check --format prometheus | sponge /var/lib/node_exporter/ics-setup.prom
  sudo ics-setup check --save-facts facts.json; ics-setup check --from facts.json --release 22.3.9

Exit codes: 0 nothing at or above --fail-on, 4 a check failed or could not be made, 11 warnings only (--fail-on warn);
with --format nagios 0 ok, 1 warning, 2 critical, 3 unknown, whatever --fail-on says";

const WIZARD_EXAMPLES: &str = "\
Examples:
  sudo ics-setup wizard
  sudo ics-setup wizard --proxy http://proxy.corp.example:3128     (does not ask for it then)
  ics-setup wizard --root /mnt/image
  ics-setup wizard --dry-run                                       (any user; writes nothing)

Enter takes what stands in brackets, < goes back, Ctrl-C leaves and changes nothing. The last lines are the command that
repeats the run without questions. A password that is < alone cannot be typed: give it by --proxy-password-file and the like.";

const PREPARE_EXAMPLES: &str = "\
Examples:
  sudo ics-setup prepare --proxy http://proxy.corp.example:3128 --dry-run
  sudo ics-setup prepare --proxy http://proxy.corp.example:3128 --proxy-user svc-ics --proxy-password-file /root/pw
  sudo ics-setup prepare --no-proxy registry.corp.example,.corp.example --target package-manager
  sudo ics-setup prepare --remove-proxy";

const RECONFIGURE_EXAMPLES: &str = "\
Examples:
  sudo ics-setup reconfigure
  sudo ics-setup reconfigure --proxy http://new-proxy.corp.example:3128
  sudo ics-setup reconfigure --mysql-host db.corp.example --mysql-password-file /root/pw";

const REVERT_EXAMPLES: &str = "\
Examples:
  sudo ics-setup revert --dry-run
  sudo ics-setup revert
  sudo ics-setup revert 20261121T200102Z-1f3a";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  ics-setup completions bash > /usr/share/bash-completion/completions/ics-setup
  ics-setup completions zsh > /usr/share/zsh/vendor-completions/_ics-setup
  ics-setup completions fish > ~/.config/fish/completions/ics-setup.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  ics-setup man | man -l -
  ics-setup man prepare | man -l -
  ics-setup man --dir /usr/local/share/man/man1";

/// The command line that insists on a command, as it is without a terminal.
pub fn strict() -> Command {
    command().subcommand_required(true).arg_required_else_help(true)
}

/// The whole command line.
pub fn command() -> Command {
    let command = all();
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n{}\nOptions of every command:\n{{options}}{{after-help}}",
        grouped(&command)
    );
    command.help_template(template)
}

/// The commands under their headings.
fn grouped(command: &Command) -> String {
    let mut text = String::new();
    for (heading, names) in COMMANDS {
        text.push_str(&format!("\n{heading}:\n"));
        for about in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let words = about.get_about().map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {:<11}  {words}\n", about.get_name()));
        }
    }
    text
}

fn all() -> Command {
    Command::new("ics-setup")
        .about("Prepares, checks and restores hosts of InsightCloudSec behind a proxy")
        .version(crate::build::VERSION)
        .after_help(EXAMPLES)
        .args(globals())
        .subcommand(with_settings(
            Command::new("wizard")
                .about("Ask, show the plan, confirm, apply (default at a terminal)")
                .after_help(WIZARD_EXAMPLES),
        ))
        .subcommand(with_settings(
            Command::new("prepare")
                .about("Before the install: proxy for logins and the Docker daemon")
                .after_help(PREPARE_EXAMPLES),
        ))
        .subcommand(with_settings(
            Command::new("reconfigure")
                .about("After the install: proxy, database and Redis in prod.env")
                .after_help(RECONFIGURE_EXAMPLES),
        ))
        .subcommand(
            Command::new("revert")
                .about("Take back the last run, or the named one")
                .after_help(REVERT_EXAMPLES)
                .arg(Arg::new("run").value_name("RUN").help("Name of a run, as status shows it"))
                .arg(switch("force").help("Overwrite files that were edited since; a backup of them is kept")),
        )
        .subcommand(check())
        .subcommand(super::network::command())
        .subcommand(Command::new("status").about("Runs so far, files edited since, an interrupted run"))
        .subcommand(
            Command::new("settings")
                .about("Effective values and origins, an example file, a JSON Schema")
                .subcommand_required(true)
                .subcommand(with_settings(Command::new("show").about("Effective value and origin of each setting")))
                .subcommand(Command::new("example").about("A commented settings file with every key"))
                .subcommand(Command::new("schema").about("JSON Schema of the settings file")),
        )
        .subcommand(
            Command::new("demo").about("The main job on a throw-away root, from diff to undo").arg(
                Arg::new("demo-os")
                    .long("os")
                    .value_name("OS")
                    .value_parser(PossibleValuesParser::new(["ubuntu", "centos"]))
                    .help("Only this family [default: both]"),
            ),
        )
        .subcommands(from_definitions())
}

/// What comes out of these very definitions.
fn from_definitions() -> [Command; 2] {
    [
        Command::new("completions")
            .about("Completions for a shell, to standard output")
            .after_help(COMPLETIONS_EXAMPLES)
            .arg(
                Arg::new("shell")
                    .value_name("SHELL")
                    .required(true)
                    .value_parser(PossibleValuesParser::new(["bash", "zsh", "fish"]))
                    .help("The shell"),
            ),
        Command::new("man")
            .about("The manual page, or that of a command, to standard output")
            .after_help(MAN_EXAMPLES)
            .arg(Arg::new("page").value_name("COMMAND").help("The page of this command"))
            .arg(
                Arg::new("dir")
                    .long("dir")
                    .value_name("DIR")
                    .value_parser(clap::value_parser!(PathBuf))
                    .conflicts_with("page")
                    .help("Write the pages of all commands into this folder"),
            ),
    ]
}

fn check() -> Command {
    let seconds = |name: &'static str, default: &'static str| {
        Arg::new(name).long(name).value_name("TIME").default_value(default).help_heading("Limits")
    };
    let list =
        |name: &'static str| Arg::new(name).long(name).value_name("ID").value_delimiter(',').action(ArgAction::Append);
    let file =
        |name: &'static str| Arg::new(name).long(name).value_name("FILE").value_parser(clap::value_parser!(PathBuf));
    let command = Command::new("check")
        .about("Are host, proxy, back ends and product fit, and what to do")
        .after_help(CHECK_EXAMPLES)
        .arg(
            Arg::new("group")
                .value_name("GROUP")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(Group::ALL.map(Group::as_str)))
                .help("What to check [default: everything]"),
        )
        .arg(list("only").help("Only these checks or groups; may be repeated"))
        .arg(list("skip").help("Leave these checks or groups out; may be repeated"))
        .arg(
            Arg::new("fail-on")
                .long("fail-on")
                .value_name("LEVEL")
                .value_parser(PossibleValuesParser::new(["fail", "warn", "never"]))
                .default_value("fail")
                .help(
                    "From which status on the exit code is not 0: 4 for failures, 11 for nothing worse than warnings",
                ),
        )
        .arg(switch("list").help("List every check with its id, with -v those of other commands too; checks nothing"))
        .arg(Arg::new("explain").long("explain").value_name("ID").help("Explain a check; checks nothing"))
        .arg(file("save-facts").help("Write what was seen to FILE, without secrets, to be judged again elsewhere"))
        .arg(file("from").help("Judge the facts in FILE; looks at nothing here"))
        .arg(file("endpoints").help("TOML file that adds and changes endpoints; see network list --help"))
        .arg(
            Arg::new("via")
                .long("via")
                .value_name("WAY")
                .value_parser(PossibleValuesParser::new(["direct", "proxy", "both"]))
                .help("Way to the endpoints [default: through the proxy where one is set]"),
        )
        .arg(
            file("report")
                .help("Write a report to forward to FILE: one page for FILE.html, a ticket's text for FILE.md"),
        )
        .arg(
            seconds("connect-timeout", "3s")
                .help("Limit of one connection attempt, and of a proxy's answer to CONNECT"),
        )
        .arg(seconds("timeout", "10s").help("Limit of one check"))
        .arg(seconds("deadline", "60s").help("Limit of all checks together"))
        .arg(
            seconds("wait", "0s").help("Repeat failing checks for this long, as for a database that is still starting"),
        );
    with_settings(command)
}

fn globals() -> Vec<Arg> {
    let all = vec![
        Arg::new("root")
            .long("root")
            .value_name("DIR")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Work on the image or chroot below DIR; no command is run in it"),
        Arg::new("settings-file")
            .long("settings")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Settings file; - reads standard input [default: /etc/ics-setup/settings.toml]"),
        switch("dry-run").help("Show the diff and write nothing"),
        switch("exit-code").help("With --dry-run: exit with 10 when changes are pending"),
        switch("yes").short('y').help("Do not ask for confirmation"),
        switch("non-interactive").help("Never ask anything"),
        Arg::new("format")
            .long("format")
            .value_name("FORMAT")
            .default_value("human")
            .help("Form of the result: human or json; check also has junit, tap, nagios and prometheus"),
        Arg::new("color")
            .long("color")
            .value_name("WHEN")
            .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
            .default_value("auto")
            .help("Colours; auto looks at the terminal and NO_COLOR"),
        switch("verbose").short('v').help("Say more"),
        switch("quiet").short('q').help("Say only what went wrong"),
        Arg::new("ignore-check")
            .long("ignore-check")
            .value_name("ID[=REASON]")
            .action(ArgAction::Append)
            .help("Let this failing check pass with a warning; may be repeated"),
    ];
    all.into_iter().map(|arg| arg.global(true).help_heading("Global options")).collect()
}

fn switch(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

/// Adds the flags of all settings.
pub fn with_settings(command: Command) -> Command {
    let mut command = command;
    for spec in TABLE {
        let Some(flag) = spec.flag else { continue };
        let help = match spec.default {
            Some(default) if spec.shape != Shape::Switch => {
                format!("{} [default: {default}] [{}]", spec.help, spec.variable)
            }
            _ => format!("{} [{}]", spec.help, spec.variable),
        };
        let mut arg = Arg::new(spec.key)
            .long(flag)
            .value_name(spec.value_name)
            .help(help)
            .help_heading("Settings")
            .allow_hyphen_values(false);
        arg = match spec.shape {
            Shape::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            Shape::List => arg.action(ArgAction::Append),
            Shape::Choice(words) => arg.value_parser(Words(words)),
            Shape::Path if spec.value_name == "DIR" => arg.value_hint(ValueHint::DirPath),
            Shape::Path => arg.value_hint(ValueHint::FilePath),
            _ => arg,
        };
        command = command.arg(arg);
    }
    command
        .arg(switch("no-restart").overrides_with("restart").help("Leave the services alone").help_heading("Settings"))
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

/// Prints what clap has to say: help and versions to standard output, mistakes to standard error.
pub fn usage(error: &clap::Error, argv: &[OsString]) -> Exit {
    let wants_help = !error.use_stderr();
    let text = error.render();
    let text = if out::color_for(wants_help) { text.ansi().to_string() } else { text.to_string() };
    if wants_help {
        out::result(&text);
        return Exit::Done;
    }
    out::message(&text);
    let asked = |format: Format| {
        let word = format.as_str();
        argv.windows(2).any(|pair| pair[0] == "--format" && pair[1] == word)
            || argv.iter().any(|argument| argument.to_str() == Some(&format!("--format={word}")))
    };
    let verb =
        || argv.iter().skip(1).filter_map(|word| word.to_str()).find(|word| !word.starts_with('-')).unwrap_or_default();
    let message = error.render().to_string();
    let message = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let problem = Problem::settings(id::USAGE, message).hint("ics-setup --help");
    if asked(Format::Json) {
        out::json_problem(verb(), &problem);
    }
    if let Some(format) = [Format::Nagios, Format::Tap].into_iter().find(|format| asked(*format))
        && let Some(exit) = out::prevented_check(verb(), format, &problem, &Redactor::default())
    {
        return exit;
    }
    Exit::Usage
}

/// Flags that mean the same for every command.
pub struct Globals {
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
    pub fn new(verb: &str, matches: &ArgMatches, argv: Vec<OsString>) -> Result<Self, Problem> {
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
                format!("--format {word:?} does not go with {verb}; it has {}", words.join(", "))
            } else {
                format!("{verb} needs --format, one of {}", words.join(", "))
            };
            return Err(Problem::settings(id::USAGE, message).hint(format!("ics-setup {verb} --help")));
        }
        let ignored = every_ignored(&argv);
        let when = matches.get_one::<String>("color").map_or("auto", String::as_str);
        let color = |stdout| when == "always" || (when == "auto" && out::color_for(stdout));
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
    pub fn interactive(&self) -> bool {
        !self.non_interactive && out::is_terminal()
    }
}

/// The words for `--format` of a verb, as in `["network", "list"]`.
fn formats(verbs: &[&str]) -> Vec<&'static str> {
    match verbs {
        ["check", ..] => Format::ALL.map(Format::as_str).to_vec(),
        ["network", verb, ..] => super::network::formats(verb).unwrap_or_else(|| vec!["human", "json"]),
        _ => vec!["human", "json"],
    }
}

/// `--ignore-check` wherever it stands: clap keeps those of one level only.
pub fn every_ignored(argv: &[OsString]) -> Vec<String> {
    let words: Vec<String> = argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words = words.split(|word| word == "--").next().unwrap_or_default();
    let glued = words.iter().filter_map(|word| word.strip_prefix("--ignore-check=")).map(str::to_owned);
    let apart = words.windows(2).filter(|pair| pair[0] == "--ignore-check").map(|pair| pair[1].clone());
    glued.chain(apart).collect()
}

/// Was JSON asked for?
pub fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("format").is_some_and(|format| format == "json")
}

/// The layer of the flags.
///
/// # Errors
/// A value of the wrong shape.
pub fn flags(matches: &ArgMatches) -> Result<Layer, Problem> {
    let known: HashSet<&str> = matches.ids().map(clap::Id::as_str).collect();
    let mut layer = Layer::default();
    for spec in TABLE {
        let Some(flag) = spec.flag.filter(|_| known.contains(spec.key)) else { continue };
        let values: Vec<&str> =
            matches.get_many::<String>(spec.key).into_iter().flatten().map(String::as_str).collect();
        let value = if spec.shape == Shape::List {
            values.join(",")
        } else {
            values.last().copied().unwrap_or_default().to_owned()
        };
        layer.insert(spec, value, Origin::Flag(format!("--{flag}")))?;
    }
    if known.contains("no-restart")
        && matches.get_flag("no-restart")
        && let Some(spec) = crate::settings::by_key("restart")
    {
        layer.insert(spec, "false".to_owned(), Origin::Flag("--no-restart".to_owned()))?;
    }
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn help_lists_every_command_under_a_heading_within_80_columns() {
        let listed = COMMANDS.iter().flat_map(|(_, names)| names.iter().copied());
        let mut listed: Vec<&str> = listed.collect();
        let all = command();
        let mut there: Vec<&str> = all.get_subcommands().map(Command::get_name).collect();
        listed.sort_unstable();
        there.sort_unstable();
        assert_eq!(listed, there);
        let text = grouped(&all);
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
    }
}
