//! The command line: commands, flags, help. Flags of settings are made from the one table.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};

use super::options::{choice, help, list, option, path, switch};
use super::settings::{with_all_settings, with_settings};
use super::{bundle, network, render};
use crate::check::Group;
use crate::prove::PROGRAMS;
use crate::report::check::Format;
use crate::settings::TABLE;
use crate::targets::{Phase, is_read_by};

/// The commands by what somebody wants, as `--help` lists them.
const COMMANDS: &[(&str, &[&str])] = &[
    (
        "Set a host up, and take it back",
        &["wizard", "prepare", "install", "bundle", "reconfigure", "revert", "status", "prune"],
    ),
    ("Find out what is wrong, and what to ask for", &["check", "prove", "trace", "network", "support-bundle"]),
    ("Learn and build on it", &["render", "demo", "settings", "completions", "man"]),
];

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

/// The command line with the short help of verbs: their own flags, without those of every command and without settings that
/// they do not read.
pub(crate) fn brief() -> Command {
    let verbs = [Phase::Prepare, Phase::Install, Phase::Reconfigure];
    let own = |mut command: Command, phase: Phase| {
        for spec in TABLE.iter().filter(|spec| spec.flag.is_some() && !is_read_by(phase, spec.key)) {
            // `prepare` does not know the flags of the product.
            if command.get_arguments().any(|arg| arg.get_id() == spec.key.as_str()) {
                command = command.mut_arg(spec.key.as_str(), |arg| arg.hide(true));
            }
        }
        command
    };
    let hidden: Vec<Arg> = globals().into_iter().map(|arg| arg.hide(true)).collect();
    let command = command().mut_subcommands(|verb| verb.args(&hidden));
    let command =
        verbs.into_iter().fold(command, |command, phase| command.mut_subcommand(phase.verb(), |verb| own(verb, phase)));
    command.mut_subcommands(says_where_all_are)
}

fn says_where_all_are(command: Command) -> Command {
    let help = command.get_after_help().map(|help| format!("{help}\n\n")).unwrap_or_default();
    command.mut_subcommands(says_where_all_are).after_help(format!("{help}All flags: --help"))
}

/// The commands under their headings.
fn grouped(command: &Command) -> String {
    let mut text = String::new();
    for (heading, names) in COMMANDS {
        text.push_str(&format!("\n{heading}:\n"));
        for about in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let words = about.get_about().map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {:<14}  {words}\n", about.get_name()));
        }
    }
    text
}

fn all() -> Command {
    Command::new("ics-setup")
        .about("Prepares, checks and restores hosts of InsightCloudSec behind a proxy")
        .version(crate::build::VERSION)
        // "The same command with --timeout 60s" is also for whoever has said one.
        .args_override_self(true)
        .after_help(help!("ics-setup"))
        .args(globals())
        .subcommand(with_all_settings(
            Command::new("wizard")
                .about("Ask, show the plan, confirm, apply (default on a fresh host)")
                .after_help(help!("wizard"))
                .arg(no_probe()),
        ))
        .subcommand(with_settings(
            Command::new("prepare")
                .about("Before the install: proxy for logins and the Docker daemon")
                .after_help(help!("prepare"))
                .arg(
                    switch("prove").help("Run this host's own programs over the planned files first; see prove --help"),
                )
                .arg(no_probe()),
        ))
        .subcommand(with_all_settings(
            Command::new("install")
                .about("From a bare host to a healthy product, step by step")
                .after_help(help!("install"))
                .arg(no_probe()),
        ))
        .subcommand(bundle::command())
        .subcommand(with_all_settings(
            Command::new("reconfigure")
                .about("After the install: proxy, database and Redis in prod.env")
                .after_help(help!("reconfigure"))
                .arg(no_probe()),
        ))
        .subcommand(
            Command::new("revert")
                .about("Take back the last run, the named one, all after one, or all")
                .after_help(help!("revert"))
                .arg(Arg::new("run").value_name("RUN").help("Name of a run, as status shows it"))
                .arg(
                    option("to", "RUN")
                        .conflicts_with_all(["run", "purge"])
                        .help("Take back all runs after this one, as one"),
                )
                .arg(
                    switch("every")
                        .long("all")
                        .conflicts_with_all(["run", "to", "purge"])
                        .help("Take back all runs, as one"),
                )
                .arg(switch("force").help("Overwrite files that were edited since; a backup of them is kept"))
                .arg(path("purge", "DIR").help(
                    "Remove the product's folder with its data, its volumes and images for good; DIR repeats the folder",
                )),
        )
        .subcommand(check())
        .subcommand(prove())
        .subcommand(trace())
        .subcommand(network::command())
        .subcommand(support_bundle())
        .subcommand(
            Command::new("status")
                .about("Runs so far, or one of them; files edited since")
                .after_help(help!("status"))
                .arg(Arg::new("run").value_name("RUN").help("This run: who, when, told what, and what it did"))
                .arg(switch("diff").requires("run").help("What it changed in each file, as far as that is still known")),
        )
        .subcommand(
            Command::new("prune")
                .about("Forget older runs with their backups; remove old images")
                .after_help(help!("prune"))
                .arg(
                    option("keep", "N")
                        .value_parser(clap::value_parser!(usize))
                        .default_value("20")
                        .help("Keep the newest N runs, and whatever those still need"),
                )
                .arg(switch("images").help(
                    "Images of the product that no container and no compose file refers to; runs too only with --keep",
                )),
        )
        .subcommand(
            Command::new("settings")
                .about("Effective values and origins, a file to keep, JSON Schema")
                .subcommand_required(true)
                .subcommand(with_all_settings(Command::new("show").about("Effective value and origin of each setting")))
                .subcommand(with_all_settings(
                    Command::new("export")
                        .about("What is in force on this host as a settings file to keep, without passwords")
                        .after_help(help!("settings-export")),
                ))
                .subcommand(Command::new("example").about("A commented settings file with every key"))
                .subcommand(Command::new("schema").about("JSON Schema of the settings file")),
        )
        .subcommand(render::command())
        .subcommand(
            Command::new("demo")
                .about("The main job on a throw-away root, from diff to undo")
                .after_help(help!("demo"))
                .arg(choice("demo-os", "OS", ["ubuntu", "centos"]).long("os").default_value("ubuntu").help("The family that is shown")),
        )
        .subcommands(from_definitions())
}

/// What comes out of these very definitions.
fn from_definitions() -> [Command; 2] {
    [
        Command::new("completions")
            .about("Completions for a shell, to standard output")
            .after_help(help!("completions"))
            .arg(
                Arg::new("shell")
                    .value_name("SHELL")
                    .required(true)
                    .value_parser(PossibleValuesParser::new(["bash", "zsh", "fish"]))
                    .help("The shell"),
            ),
        Command::new("man")
            .about("The manual page, or that of a command, to standard output")
            .after_help(help!("man"))
            .arg(Arg::new("page").value_name("COMMAND").help("The page of this command"))
            .arg(path("dir", "DIR").conflicts_with("page").help("Write the pages of all commands into this folder")),
    ]
}

fn check() -> Command {
    let command = Command::new("check")
        .about("Are host, proxy, back ends and product fit, and what to do")
        .after_help(help!("check"))
        .arg(
            Arg::new("group")
                .value_name("GROUP")
                .num_args(0..)
                .value_parser(PossibleValuesParser::new(Group::ALL.map(Group::as_str)))
                .help("What to check [default: everything]"),
        )
        .arg(list("only", "ID").help("Only these checks or groups; may be repeated"))
        .arg(list("skip", "ID").help("Leave these checks or groups out; may be repeated"))
        .arg(
            choice("fail-on", "LEVEL", ["fail", "warn", "never"]).default_value("fail").help(
                "From which status on the exit code is not 0: 4 for failures, 11 for nothing worse than warnings",
            ),
        )
        .arg(switch("list").help("List every check with its id, with -v those of other commands too; checks nothing"))
        .arg(option("explain", "ID").help("Explain a check; checks nothing"))
        .arg(
            path("save-facts", "FILE")
                .help("Write what was seen to FILE, without secrets, to be judged again elsewhere"),
        )
        .arg(switch("save").help("Keep time, counts and failing ids for status, as root"))
        .arg(path("from", "FILE").help("Judge the facts in FILE; looks at nothing here"))
        .arg(path("endpoints", "FILE").help("TOML file that adds and changes endpoints; see network list --help"))
        .arg(
            choice("via", "WAY", ["direct", "proxy", "both"])
                .help("Way to the endpoints [default: through the proxy where one is set]"),
        )
        .arg(
            path("report", "FILE")
                .help("Write a report to forward to FILE: one page for FILE.html, a ticket's text for FILE.md"),
        )
        .args(limits());
    with_settings(command)
}

/// How long checks may take.
fn limits() -> [Arg; 4] {
    let limit = |name, default| option(name, "TIME").default_value(default).help_heading("Limits");
    [
        limit("connect-timeout", "3s").help("Limit of one connection attempt, and of a proxy's answer to CONNECT"),
        limit("timeout", "10s").help("Limit of one check"),
        limit("deadline", "60s").help("Limit of all checks together"),
        limit("wait", "0s").help("Repeat failing checks for this long, as for a database that is still starting"),
    ]
}

fn support_bundle() -> Command {
    let command = Command::new("support-bundle")
        .about("What is known of this host as one archive, no secrets")
        .after_help(help!("support-bundle"))
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(clap::value_parser!(std::path::PathBuf))
                .value_hint(clap::ValueHint::FilePath)
                .help("The archive (.tar.gz) [default: one with the time in its name, in this folder]"),
        )
        .args(limits());
    with_settings(command)
}

fn prove() -> Command {
    with_settings(
        Command::new("prove")
            .about("Which way the host's own logins, services and clients go")
            .after_help(help!("prove"))
            .arg(choice("client", "NAME", PROGRAMS).help("Only this program [default: all that are installed]"))
            .arg(
                path("save", "FILE")
                    .help("Write the lines that decide and the answers to FILE, without secrets, as a case to report"),
            ),
    )
}

fn trace() -> Command {
    with_settings(
        Command::new("trace")
            .about("Which process or container goes around the proxy right now")
            .after_help(help!("trace"))
            .arg(option("for", "TIME").default_value("60s").help("Watch for this long; Ctrl-C ends earlier")),
    )
}

fn no_probe() -> Arg {
    switch("no-probe").help("Do not ask the proxy once when everything is written and verified")
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
        path("root", "DIR").help("Work on the image or chroot below DIR; no command is run in it"),
        path("settings-file", "FILE")
            .long("settings")
            .help("Settings file; - reads standard input [default: /etc/ics-setup/settings.toml]"),
        switch("dry-run").help("Show the diff and write nothing"),
        switch("exit-code").help("With --dry-run: exit with 10 when changes are pending"),
        switch("yes").short('y').help("Do not ask for confirmation"),
        switch("non-interactive").help("Never ask anything"),
        option("format", "FORMAT").default_value("human").help(format_help()),
        choice("color", "WHEN", ["auto", "always", "never"])
            .default_value("auto")
            .help("Colours; auto looks at the terminal and NO_COLOR"),
        switch("verbose").short('v').help("Say more"),
        switch("quiet").short('q').help("Say only what went wrong"),
        option("ignore-check", "ID[=REASON]")
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

    /// Where clap has to break a line, the rest of it stands alone below, and a command is torn in two.
    #[test]
    fn what_follows_the_flags_fits_into_80_columns() {
        let mut all = vec![command()];
        while let Some(one) = all.pop() {
            let more = one.get_after_help().map(ToString::to_string).unwrap_or_default();
            let long = more.lines().find(|line| line.chars().count() > 80);
            assert_eq!(long, None, "{}", one.get_name());
            all.extend(one.get_subcommands().cloned());
        }
    }
}
