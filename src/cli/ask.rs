//! The few questions outside the wizard: may I, and the password that nobody gave.

use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Password};
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};

use super::args::Globals;
use super::exit::Exit;
use super::out;
use crate::plan::{ContainerChange, Fate};
use crate::problem::{Problem, id};
use crate::progress;
use crate::settings::Spec;
use crate::signals::Uninterrupted;
use crate::wizard::{FORGOTTEN, forget_typed};

/// Asks before the host is changed.
///
/// # Errors
/// `cancelled` when the answer is no, or when there is none.
pub(super) fn confirm(changes: usize, containers: &[ContainerChange], restart: bool) -> Result<(), Problem> {
    yes(&question(changes, containers, restart))
}

/// Asks for a yes.
///
/// # Errors
/// `cancelled` when the answer is no, or when there is none.
pub(super) fn yes(question: &str) -> Result<(), Problem> {
    unprepared();
    match asking(|| Confirm::new().with_prompt(question).default(false).interact_opt())? {
        Some(true) => Ok(()),
        _ => Err(cancelled()),
    }
}

/// Nobody says yes to what they have not seen: what was typed before the question is thrown away, and told.
fn unprepared() {
    if forget_typed() {
        out::message(&format!("{FORGOTTEN}\n"));
    }
}

/// Asks whether something is meant, that was told just now.
///
/// # Errors
/// `cancelled` when the answer is no, or when there is none.
pub(super) fn go_on() -> Result<(), Problem> {
    yes("Go on all the same?")
}

/// What becomes of files and of the product, as a question; `restart`: what there is of it is started anew in any case.
fn question(changes: usize, containers: &[ContainerChange], restart: bool) -> String {
    let fates: Vec<Fate> = containers.iter().map(|own| own.fate).collect();
    let all = |fate: Fate| fates.iter().all(|own| *own == fate);
    let product = match () {
        () if containers.is_empty() || (all(Fate::Keep) && !restart) => None,
        () if all(Fate::Create) => Some("start the product"),
        () if all(Fate::Remove) => Some("take the product away"),
        () => Some("restart the product"),
    };
    let files = match changes {
        0 => None,
        1 => Some("apply this change".to_owned()),
        _ => Some(format!("apply these {changes} changes")),
    };
    let what = files.into_iter().chain(product.map(str::to_owned)).collect::<Vec<_>>().join(" and ");
    let what = if what.is_empty() { "go on".to_owned() } else { what };
    format!("{}{}?", what[..1].to_uppercase(), &what[1..])
}

/// Asks for the folder before what is in it goes for good.
///
/// # Errors
/// `cancelled` when something else is typed.
pub(super) fn confirm_by_word(folder: &str) -> Result<(), Problem> {
    let question = format!("Type {folder} to remove all of this for good");
    unprepared();
    let typed: String = asking(|| Input::new().with_prompt(question).allow_empty(true).interact_text())?;
    if typed.trim() == folder { Ok(()) } else { Err(cancelled()) }
}

/// Asks for a secret without showing it; `None`: nobody is there.
///
/// # Errors
/// `cancelled` when there is no answer.
pub(super) fn secret(globals: &Globals, spec: &Spec) -> Result<Option<String>, Problem> {
    if !globals.interactive() {
        return Ok(None);
    }
    let prompt = spec.question.unwrap_or(spec.help);
    asking(|| Password::new().with_prompt(prompt).interact()).map(Some)
}

/// As [`in_order`], with the terminal for the question alone.
///
/// # Errors
/// `cancelled` when there is no answer.
fn asking<T, E>(ask: impl FnOnce() -> Result<T, E>) -> Result<T, Problem> {
    let _pause = progress::pause();
    in_order(ask)
}

/// A Ctrl-C at a question ends the process in order: cursor and echo come back and the exit code says so. Some questions
/// see it as a key; at others the terminal makes a signal of it.
///
/// # Errors
/// `cancelled` when there is no answer.
pub(super) fn in_order<T, E>(ask: impl FnOnce() -> Result<T, E>) -> Result<T, Problem> {
    let calm = Uninterrupted::begin();
    let before = tcgetattr(std::io::stdin()).ok();
    let instead = move || {
        if let Some(before) = before {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &before);
        }
        // The line that moves goes before the cursor does.
        let _pause = progress::pause();
        put_cursor_back();
        out::message(progress::last_words());
        std::process::exit(Exit::CANCELLED.0.into());
    };
    let answer = calm.or_instead(ask, instead);
    answer.map_err(|_| {
        calm.until_the_end();
        put_cursor_back();
        cancelled()
    })
}

fn put_cursor_back() {
    let term = Term::stderr();
    let _ = term.show_cursor();
    let _ = term.write_line("");
}

/// The problem of a run that a person has ended. How the host stands is told at the end of every run that failed.
pub(super) fn cancelled() -> Problem {
    Problem::host(id::CANCELLED, "cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_says_what_becomes_of_the_product() {
        let of = |fates: &[Fate]| -> Vec<ContainerChange> {
            fates.iter().map(|fate| ContainerChange { service: "worker".into(), fate: *fate }).collect()
        };
        for (changes, fates, restart, wanted) in [
            (1, &[][..], false, "Apply this change?"),
            // What is restarted then is Docker.
            (1, &[], true, "Apply this change?"),
            (2, &[Fate::Keep], false, "Apply these 2 changes?"),
            (2, &[Fate::Keep], true, "Apply these 2 changes and restart the product?"),
            (5, &[Fate::Create, Fate::Create], false, "Apply these 5 changes and start the product?"),
            (1, &[Fate::Recreate, Fate::Keep], false, "Apply this change and restart the product?"),
            (0, &[Fate::Keep], true, "Restart the product?"),
            // An account goes, or the unit is enabled.
            (0, &[Fate::Keep], false, "Go on?"),
            (3, &[Fate::Remove, Fate::Remove], false, "Apply these 3 changes and take the product away?"),
        ] {
            assert_eq!(question(changes, &of(fates), restart), wanted);
        }
    }
}
