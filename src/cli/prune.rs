//! `prune`: images of the product that nothing refers to any more.

use std::path::PathBuf;

use serde_json::json;

use super::args::Globals;
use super::exit::Exit;
use super::{ask, machine, out};
use crate::apply::{Session, runs};
use crate::deploy::{OldImage, bytes_of, bytes_shown, old_images, remove_old_image};
use crate::host::HostWrite;
use crate::problem::{HostState, Problem, id};
use crate::report::{Outcome, SCHEMA, installed, visible};
use crate::text;
use crate::text::own;

/// Runs the verb.
///
/// # Errors
/// Docker does not say what there is; nobody has said yes; an image cannot be removed.
pub(super) fn run(globals: &Globals) -> Result<Exit, Problem> {
    let host = machine::to_change(globals, "prune")?;
    let home = installed(&runs(&host)?).map(|(_, folder)| PathBuf::from(folder));
    let old = old_images(&host, home.as_slice())?;
    let outcome = match (old.is_empty(), globals.dry_run) {
        (true, _) => Outcome::Unchanged,
        (_, true) => Outcome::Pending,
        _ => Outcome::Changed,
    };
    if !globals.json && !globals.quiet {
        out::result(&list(&old));
    }
    if outcome == Outcome::Changed {
        confirm(globals, &old)?;
        remove(&host, &old)?;
    }
    if globals.json {
        let images: Vec<_> = old.iter().map(|own| json!({"image": visible(&own.image), "bytes": own.bytes})).collect();
        out::json(&json!({
            "schema": SCHEMA, "command": "prune", "outcome": outcome.as_str(), "images": images, "error": null,
        }));
    } else if outcome == Outcome::Changed && !globals.quiet {
        out::result("All of them were removed.\n");
    }
    Ok(out::exit(globals, outcome))
}

/// Each with what it takes, and what all take.
fn list(old: &[OldImage]) -> String {
    if old.is_empty() {
        return "Every image of the product that is here is in use, or named by a compose file.\n".to_owned();
    }
    let line = |own: &OldImage| format!("  {:>8}  {}\n", bytes_shown(own.bytes), visible(&own.image));
    let lines: Vec<String> = old.iter().map(line).collect();
    format!(
        "images of the product that no container and no compose file refers to, {} together:\n{}",
        bytes_shown(bytes_of(old)),
        lines.concat()
    )
}

fn confirm(globals: &Globals, old: &[OldImage]) -> Result<(), Problem> {
    if globals.yes {
        return Ok(());
    }
    if !globals.interactive() {
        let message = text!("{} images would be removed, and nobody is there to be asked", own(old.len()));
        return Err(Problem::settings(id::NO_TERMINAL, message).hint("say so: --yes"));
    }
    if globals.json || globals.quiet {
        out::message(&list(old));
    }
    ask::yes("Remove these images?")
}

/// All of them; what cannot be removed does not keep the others.
fn remove(host: &dyn HostWrite, old: &[OldImage]) -> Result<(), Problem> {
    // Nobody installs one meanwhile.
    let _session = Session::open(host)?;
    let results: Vec<Result<(), Problem>> = old.iter().map(|own| remove_old_image(host, own)).collect();
    let removed = results.iter().filter(|result| result.is_ok()).count();
    let Some(problem) = results.into_iter().find_map(Result::err) else { return Ok(()) };
    let state = if removed > 0 { HostState::Changed } else { HostState::AsItWas };
    Err(problem.hint(text!("{} others were removed", own(removed))).leaving(state))
}
