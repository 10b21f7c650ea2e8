//! `completions` and `man`: made from the definitions of the command line itself.

use std::path::Path;

use clap::{ArgMatches, Command};
use clap_complete::Shell;

use super::args::{self, path_of, word};
use super::exit::Exit;
use super::out;
use crate::build;
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{ics_setup, nearest, own};

/// `completions SHELL`.
pub(super) fn completions(matches: &ArgMatches) -> Exit {
    // clap lets nothing through but these shells.
    let shell = word(matches, "shell").and_then(|shell| shell.parse().ok()).unwrap_or(Shell::Bash);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "ics-setup", &mut script);
    // clap_complete 4.6 gives a program with a hyphen two names in its bash script, so that no command would be found.
    let script = String::from_utf8_lossy(&script).replace("ics__subcmd__setup", "ics__setup");
    out::result(&script);
    Exit::DONE
}

/// `man [COMMAND]`, `man --dir DIR`.
///
/// # Errors
/// An unknown command, a folder that cannot be written to.
pub(super) fn man(matches: &ArgMatches) -> Result<Exit, Problem> {
    let mut command = args::command();
    command.build();
    match path_of(matches, "dir") {
        Some(folder) => write_all(&command, folder)?,
        None => one(&command, word(matches, "page"))?,
    }
    Ok(Exit::DONE)
}

fn one(command: &Command, name: Option<&str>) -> Result<(), Problem> {
    let command = match name {
        None => command,
        Some(name) => command.find_subcommand(name).ok_or_else(|| {
            let names: Vec<&str> = pages(command).into_iter().map(Command::get_name).collect();
            let problem = Problem::settings(id::USAGE, text!("there is no command {:?}", name));
            match nearest(name, names.iter().copied()) {
                Some(near) => problem.hint_command(ics_setup(text!("man {}", own(near)))),
                None => problem.hint(text!("commands: {}", own(names.join(", ")))),
            }
        })?,
    };
    out::result(&String::from_utf8_lossy(&page(command)?));
    Ok(())
}

fn write_all(command: &Command, folder: &Path) -> Result<(), Problem> {
    let failed = |path: &Path, error: std::io::Error| {
        Problem::host(id::WRITE_FAILED, text!("{} could not be written", path.display())).caused_by(error)
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut all = vec![command];
    all.extend(pages(command));
    for command in all {
        let path = folder.join(format!("{}.1", title(command)));
        std::fs::write(&path, page(command)?).map_err(|error| failed(&path, error))?;
        out::result(&format!("{}\n", path.display()));
    }
    Ok(())
}

/// Commands with a page of their own.
fn pages(command: &Command) -> Vec<&Command> {
    command.get_subcommands().filter(|command| command.get_name() != "help").collect()
}

/// `ics-setup-prepare`.
fn title(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

fn page(command: &Command) -> Result<Vec<u8>, Problem> {
    let man = clap_mangen::Man::new(command.clone().version(build::NUMBER))
        .title(title(command).to_uppercase())
        .source(format!("ics-setup {}", build::NUMBER))
        .manual("ics-setup")
        .date(build::DATE);
    let mut text = Vec::new();
    let mut write = || -> std::io::Result<()> {
        man.render_title(&mut text)?;
        man.render_name_section(&mut text)?;
        // One line as in --help: every flag by name would be a page of its own.
        let usage = command.clone().render_usage().to_string();
        text.extend(format!(".SH SYNOPSIS\n{}\n", literal(usage.trim_start_matches("Usage: "))).bytes());
        man.render_description_section(&mut text)?;
        man.render_options_section(&mut text)?;
        if command.has_subcommands() {
            man.render_subcommands_section(&mut text)?;
        }
        if let Some(more) = command.get_after_help() {
            text.extend(format!(".SH MORE\n.nf\n{}\n.fi\n", literal(&more.to_string())).bytes());
        }
        Ok(())
    };
    write().map_err(|error| Problem::bug("the page could not be made").caused_by(error))?;
    // Line breaks beside paragraphs break nothing; mandoc warns of them.
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(text.lines().filter(|line| *line != ".br").flat_map(|line| [line, "\n"]).collect::<String>().into_bytes())
}

/// Text that roff prints as it is.
fn literal(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_end().replace('\\', "\\e").replace('-', "\\-");
        let is_control = line.starts_with(['.', '\'']);
        if is_control { format!("\\&{line}") } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
