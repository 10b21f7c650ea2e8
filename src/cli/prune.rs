//! `prune`: older runs with their backups, and images of the product that nothing refers to any more.

use std::path::PathBuf;

use clap::ArgMatches;
use serde_json::json;

use super::args::Globals;
use super::exit::Exit;
use super::interface::ByFlags;
use super::{ask, machine, out};
use crate::apply::{Run, Session, forgettable, runs};
use crate::converge::Interface;
use crate::deploy::{OldImage, bytes_of, bytes_shown, old_images, remove_old_image};
use crate::host::HostWrite;
use crate::problem::{HostState, Problem, id};
use crate::redact::Redactor;
use crate::report::{Outcome, SCHEMA, installed, run_forgotten, run_listed, runs_stay, visible};
use crate::signals::changes_begin;
use crate::text;
use crate::text::{counted, own, typed};

/// Runs the verb.
///
/// # Errors
/// Docker does not say what there is; nobody has said yes; a run or an image cannot be removed.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    let host = machine::to_change(globals, "prune")?;
    let all = runs(&host)?;
    let keep = matches.get_one::<usize>("keep").copied().unwrap_or_default();
    let with_images = matches.get_flag("images");
    // Whoever asks for images alone is not taken for asking for more.
    let with_runs = !with_images || matches.value_source("keep") == Some(clap::parser::ValueSource::CommandLine);
    let gone = if with_runs { forgettable(&all, keep) } else { forgettable(&all, all.len()) };
    let home = installed(&all).map(|(_, folder)| PathBuf::from(folder));
    let old = if with_images { old_images(&host, home.as_slice())? } else { Vec::new() };
    let outcome = match (old.is_empty() && gone.runs.is_empty(), globals.dry_run) {
        (true, _) => Outcome::Unchanged,
        (_, true) => Outcome::Pending,
        _ => Outcome::Changed,
    };
    let left = all.len() - gone.runs.len();
    let list = || {
        let of_runs = if with_runs { run_forgotten(&gone, left, outcome != Outcome::Unchanged) } else { String::new() };
        of_runs + &if with_images { list(&old) } else { String::new() }
    };
    if !globals.json && !globals.quiet {
        out::result(&list());
    }
    if outcome == Outcome::Changed {
        confirm(globals, gone.runs.len(), old.len(), &list)?;
        let session = Session::open(&host, &mut |who| ByFlags(globals).waits(&who))?;
        out::notice(globals, &session.recover()?, &Redactor::default());
        changes_begin();
        forget(&session, &host, &gone.runs, keep)?;
        remove(&host, &old)?;
    }
    if globals.json {
        let images: Vec<_> = old.iter().map(|own| json!({"image": visible(&own.image), "bytes": own.bytes})).collect();
        let runs: Vec<_> = gone.runs.iter().map(|run| run_listed(run)).collect();
        out::json(&json!({
            "schema": SCHEMA, "command": "prune", "outcome": outcome.as_str(), "runs": runs, "kept": left,
            "images": images, "error": null,
        }));
    } else if outcome == Outcome::Changed && !globals.quiet {
        let what = what(gone.runs.len(), old.len());
        out::result(&format!("Done: {what} removed; {}.\n", runs_stay(left)));
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

fn confirm(globals: &Globals, runs: usize, images: usize, list: &dyn Fn() -> String) -> Result<(), Problem> {
    if globals.yes {
        return Ok(());
    }
    let what = what(runs, images);
    if !globals.interactive() {
        let message = text!("{} would be removed, and nobody is there to be asked", own(what));
        return Err(Problem::settings(id::NO_TERMINAL, message).hint(text!("say so: {}", typed("--yes"))));
    }
    if globals.json || globals.quiet {
        out::message(&list());
    }
    ask::yes(&format!("Remove these {what}?"))
}

/// Those that still may be: somebody may have had a run meanwhile.
fn forget(session: &Session<'_>, host: &dyn HostWrite, shown: &[&Run], keep: usize) -> Result<(), Problem> {
    if shown.is_empty() {
        return Ok(());
    }
    let all = runs(host)?;
    let may = forgettable(&all, keep);
    let was_shown = |run: &&&Run| shown.iter().any(|own| own.begin.run == run.begin.run);
    let names: Vec<String> = may.runs.iter().filter(was_shown).map(|run| run.begin.run.clone()).collect();
    session.forget(&names)
}

/// All of them; what cannot be removed does not keep the others. Nobody installs one meanwhile: a session is open.
fn remove(host: &dyn HostWrite, old: &[OldImage]) -> Result<(), Problem> {
    let results: Vec<Result<(), Problem>> = old.iter().map(|own| remove_old_image(host, own)).collect();
    let removed = results.iter().filter(|result| result.is_ok()).count();
    let Some(problem) = results.into_iter().find_map(Result::err) else { return Ok(()) };
    let state = if removed > 0 { HostState::Changed } else { HostState::AsItWas };
    Err(problem.hint(text!("{} others were removed", own(removed))).leaving(state))
}

/// So many of both.
fn what(runs: usize, images: usize) -> String {
    match (counted(runs, "run"), counted(images, "image")) {
        (of_runs, _) if images == 0 => of_runs,
        (_, of_images) if runs == 0 => of_images,
        (of_runs, of_images) => format!("{of_runs} and {of_images}"),
    }
}
