//! The command line: commands, flags, help. Flags of settings are made from the one table.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};

use super::network;
use super::settings::{switch, with_settings};
use crate::check::Group;
use crate::prove::PROGRAMS;
use crate::report::check::Format;

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
    ("Find out what is wrong, and what to ask for", &["check", "prove", "network"]),
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

const PROVE_EXAMPLES: &str = "\
Runs su, sudo, sshd, cron and the clients that are installed in namespaces of their own, where a recorder stands in for the
world. No packet leaves, nothing is written, nothing stays. Without settings over the files as they are; with settings over
what prepare would write.

Examples:
  sudo ics-setup prove
  sudo ics-setup prove --proxy http://proxy.corp.example:3128
  sudo ics-setup prove --client curl --format json

Exit codes: 0 every wanted way is taken, or nothing can be asked here (root and Linux namespaces are needed), 4 one is not";

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
pub(crate) fn strict() -> Command {
    command().subcommand_required(true).arg_required_else_help(true)
}

/// The whole command line.
pub(crate) fn command() -> Command {
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
                .after_help(PREPARE_EXAMPLES)
                .arg(
                    switch("prove").help("Run this host's own programs over the planned files first; see prove --help"),
                ),
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
        .subcommand(prove())
        .subcommand(network::command())
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

fn prove() -> Command {
    with_settings(
        Command::new("prove")
            .about("Which way the host's own logins, services and clients go")
            .after_help(PROVE_EXAMPLES)
            .arg(
                Arg::new("client")
                    .long("client")
                    .value_name("NAME")
                    .value_parser(PossibleValuesParser::new(PROGRAMS))
                    .help("Only this program [default: all that are installed]"),
            )
            .arg(
                Arg::new("save")
                    .long("save")
                    .value_name("FILE")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help("Write the lines that decide and the answers to FILE, without secrets, as a case to report"),
            ),
    )
}

/// Every command has `human` and `json`, `check` all formats.
fn format_help() -> String {
    let more = |format: &Format| !matches!(format, Format::Human | Format::Json);
    let words: Vec<&str> = Format::ALL.into_iter().filter(more).map(Format::as_str).collect();
    let (last, others) = words.split_last().map_or(("", &[][..]), |(last, others)| (*last, others));
    format!("Form of the result: human or json; check also has {} and {last}", others.join(", "))
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
        Arg::new("format").long("format").value_name("FORMAT").default_value("human").help(format_help()),
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
