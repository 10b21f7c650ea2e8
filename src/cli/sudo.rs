//! The exact line that repeats a command with root rights.

use std::ffi::OsString;

use crate::problem::{Problem, id};
use crate::redact::redact_line;
use crate::settings::TABLE;

/// The problem of a changing verb that was not started as root.
pub fn needs_root(verb: &str, argv: &[OsString]) -> Problem {
    with_line(Problem::host(id::NEEDS_ROOT, format!("{verb} changes this host and needs root rights")), argv)
}

/// Adds the sudo line to a problem that root rights would solve.
pub fn with_line(problem: Problem, argv: &[OsString]) -> Problem {
    problem.hint(line(argv)).hint("look first, without root rights: add --dry-run")
}

fn line(argv: &[OsString]) -> String {
    let mut words = vec!["sudo".to_owned()];
    // sudo drops variables unless they are named.
    let named: Vec<&str> =
        TABLE.iter().map(|spec| spec.variable).filter(|name| std::env::var_os(name).is_some()).collect();
    if !named.is_empty() {
        words.push(format!("--preserve-env={}", named.join(",")));
    }
    let program = argv.first().map_or_else(|| "ics-setup".to_owned(), |program| program.to_string_lossy().into_owned());
    // sudo's own search path may lack the folder that a bare name was found in.
    let found = if program.contains('/') { std::path::absolute(&program).ok() } else { which::which(&program).ok() };
    words.push(found.map_or(program, |path| path.display().to_string()));
    words.extend(argv.iter().skip(1).map(|word| redact_line(&word.to_string_lossy())));
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
