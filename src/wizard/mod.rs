//! The person at the terminal: asks what is missing or to be reviewed and yields one more layer of settings.
//!
//! What comes out of it is a [`Layer`] like that of the flags and a verb, so that everything behind it is the one path of the
//! unattended commands, and [`repeat`] can name the command that does the same without a question.
//!
//! | module | what it does |
//! | --- | --- |
//! | `known` | what is known before anybody is asked: host, settings file, last run, flags |
//! | `answers` | what was answered so far, and the layer that it makes |
//! | `ask` | the questions, their order, and the way back |
//! | `ask::answered` | a line for each answer |
//! | `parse` | answers read at once, by the parsers of the settings |
//! | `world` | does the network agree? |
//! | `prompt` | the `Prompter` trait |
//! | `screen`, `plain`, `scripted` | dialoguer; line by line; a script, for tests |
//! | `messages` | what is said before the questions, about each change, and at the end |
//! | `menu` | what is to become of the plan |
//! | `missing` | the wizard without a person: what it would ask for |
//! | [`repeat`] | the command that repeats the run |

mod answers;
mod ask;
mod known;
mod menu;
mod messages;
mod missing;
mod parse;
mod plain;
mod prompt;
pub(crate) mod repeat;
mod screen;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
mod world;

pub(crate) use answers::Answers;
pub(crate) use ask::{Start, Wizard};
pub(crate) use known::KnownState;
pub(crate) use menu::{Consent, Menu};
pub(crate) use messages::{closing, opening};
pub(crate) use missing::missing;
pub(crate) use plain::{FORGOTTEN, Plain, forget_typed};
pub(crate) use prompt::{Gone, Prompter};
pub(crate) use screen::Screen;
pub(crate) use world::{Network, Verdict};

use crate::problem::Problem;

/// Why there are no answers.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The person went away.
    Gone,
    /// The host is the vendor's: nothing is changed on it.
    Vendors,
    /// The host could not be looked at, or a value that was not asked for is wrong.
    Problem(Problem),
}

impl From<Gone> for Ended {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Problem> for Ended {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}
