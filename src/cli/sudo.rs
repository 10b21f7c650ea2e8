//! The exact line that repeats a command with root rights.

use std::ffi::OsString;

use crate::problem::{HostState, Problem, ProblemId, id};
use crate::redact::redact_line;
use crate::settings::{ProxyUrl, TABLE};
use crate::targets::Phase;
use crate::text;
use crate::text::{Fix, Text, as_root, own, quoted, typed};

/// The problem as it is told: where root rights would solve it, with the line that has them.
pub(super) fn advised(problem: &Problem, argv: &[OsString]) -> Problem {
    let problem = problem.clone();
    if EFFECTS.contains(&problem.id) && problem.host_state != HostState::Changed {
        return problem.hint(text!("once that is mended, the same again: {}", same(argv)));
    }
    if problem.id != id::NEEDS_ROOT || !problem.hints.is_empty() {
        return problem;
    }
    let dry = argv.iter().any(|word| word == "--dry-run");
    // Runs so far are for root alone, also to be looked at.
    let phases = [Phase::Prepare, Phase::Install, Phase::Reconfigure].map(Phase::verb);
    let plans = argv.iter().filter_map(|word| word.to_str()).any(|word| phases.contains(&word));
    let problem = problem.hint_fix(line(argv));
    if plans && !dry { problem.hint("look first, without root rights: add --dry-run") } else { problem }
}

/// What stands in the way of a file, and was not there to be seen before it was written.
const EFFECTS: [ProblemId; 5] = [id::IMMUTABLE, id::READ_ONLY, id::DISK_FULL, id::MOUNT_POINT, id::WRITE_FAILED];

/// The line as it was typed, without passwords.
fn same(argv: &[OsString]) -> Text {
    let words = without_passwords(argv).0;
    let words = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    as_root(text!("ics-setup {}", own(words))).into()
}

/// The line with root rights: a command, or advice where a password has to be put into a file first.
fn line(argv: &[OsString]) -> Fix {
    let mut words = vec!["sudo".to_owned()];
    let (mut rest, is_complete) = without_passwords(argv);
    // sudo drops variables unless they are named; one may be named by a setting.
    let named_by_setting =
        rest.iter().zip(rest.iter().skip(1)).filter(|(flag, _)| flag.as_str() == "--proxy-password-env");
    let mut named: Vec<String> = named_by_setting.map(|(_, name)| name.clone()).collect();
    named.extend(rest.iter().filter_map(|word| word.strip_prefix("--proxy-password-env=")).map(str::to_owned));
    named.extend(
        TABLE.iter().map(|spec| spec.variable).filter(|name| std::env::var_os(name).is_some()).map(str::to_owned),
    );
    if !named.is_empty() {
        words.push(format!("--preserve-env={}", named.join(",")));
    }
    let program = argv.first().map_or_else(|| "ics-setup".to_owned(), |program| program.to_string_lossy().into_owned());
    // sudo's own search path may lack the folder that a bare name was found in.
    let found = if program.contains('/') { std::path::absolute(&program).ok() } else { which::which(&program).ok() };
    words.push(found.map_or(program, |path| path.display().to_string()));
    words.append(&mut rest);
    let line = text!("{}", own(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")));
    if is_complete { Fix::Command(typed(line)) } else { Fix::Advice(line) }
}

/// The words behind the program, and whether they are as they were typed. A password in a URL becomes a file to be named: a
/// mask would be taken for the password.
fn without_passwords(argv: &[OsString]) -> (Vec<String>, bool) {
    let mut words: Vec<String> = Vec::new();
    let mut user = None;
    for word in argv.iter().skip(1).map(|word| word.to_string_lossy()) {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (format!("{flag}="), value),
            _ => (String::new(), word.as_ref()),
        };
        match ProxyUrl::parse(value) {
            Ok(mut url) if url.password().is_some() => {
                user = url.credentials.take().map(|login| String::from_utf8_lossy(&login.user).into_owned());
                words.push(format!("{flag}{}", url.render()));
            }
            _ => words.push(redact_line(&word)),
        }
    }
    let is_complete = user.is_none();
    if let Some(user) = user {
        words.extend(["--proxy-user".to_owned(), user, "--proxy-password-file".to_owned(), "<FILE>".to_owned()]);
    }
    (words, is_complete)
}
