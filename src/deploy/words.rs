//! What programs say when they fail, and why: the tables of `assets/engine.toml` and `assets/fetch.toml`.

use serde::Deserialize;

use crate::docker::text::shown;
use crate::problem::{Kind, Problem, ProblemId};
use crate::text;
use crate::text::{Foreign, Template, Text};

/// So much of what a program has said is shown, in characters.
const SHOWN: usize = 400;

/// A failure that is known by its words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failure {
    /// The problem's id.
    name: String,
    /// Any of these words.
    says: Vec<String>,
    /// Why.
    cause: Template,
    /// What to do about it.
    r#try: Vec<Template>,
    /// It may be gone in a moment.
    #[serde(default)]
    pub(super) retry: bool,
    /// It can happen to an archive too.
    #[serde(default)]
    pub(super) archive: bool,
}

impl Failure {
    fn fits(&self, output: &str) -> bool {
        self.says.iter().any(|words| output.contains(words.as_str()))
    }
}

/// The first that fits.
pub(super) fn known<'f>(failures: impl IntoIterator<Item = &'f Failure>, said: &str) -> Option<&'f Failure> {
    failures.into_iter().find(|failure| failure.fits(said))
}

/// A failure as a problem: under its own name where it is known, else under `other`.
pub(super) fn problem(
    failure: Option<&'static Failure>,
    other: ProblemId,
    message: Text,
    said: &str,
    places: &[(&str, Text)],
) -> Problem {
    let words = text!("{}", Foreign::new(shown(said, SHOWN)));
    match failure {
        Some(failure) => {
            let problem = Problem::new(Kind::Host, ProblemId::of_asset(&failure.name), message).because(text!(
                "{}; it says: {}",
                failure.cause.fill(places),
                words
            ));
            failure.r#try.iter().fold(problem, |problem, advice| problem.hint(advice.fill(places)))
        }
        None if said.trim().is_empty() => Problem::host(other, message),
        None => Problem::host(other, message).because(words),
    }
}

/// The last lines with something on them, as one.
pub(super) fn last_lines(bytes: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("; ")
}
