//! The few questions outside the wizard: may I, and the password that nobody gave.

use dialoguer::{Confirm, Password};

use crate::problem::{Problem, id};
use crate::settings::Spec;

/// Asks before the host is changed.
///
/// # Errors
/// `cancelled` when the answer is no, or when there is none.
pub fn confirm(changes: usize) -> Result<(), Problem> {
    let question =
        if changes == 1 { "Apply this change?".to_owned() } else { format!("Apply these {changes} changes?") };
    match Confirm::new().with_prompt(question).default(false).interact_opt() {
        Ok(Some(true)) => Ok(()),
        Ok(_) | Err(_) => Err(Problem::host(id::CANCELLED, "cancelled; nothing was changed")),
    }
}

/// Asks for a secret without showing it.
///
/// # Errors
/// `cancelled` when there is no answer.
pub fn secret(spec: &Spec) -> Result<String, Problem> {
    Password::new()
        .with_prompt(spec.question.trim_end_matches('?'))
        .interact()
        .map_err(|_| Problem::host(id::CANCELLED, "cancelled; nothing was changed"))
}
