//! What there is to check: `--list`, `--explain`, and the words that `--only` and `--skip` take.

use std::fmt::Write as _;

use clap::ArgMatches;
use serde_json::json;

use crate::check::{Group, Selection};
use crate::cli::args::{Globals, word, words};
use crate::cli::exit::Exit;
use crate::cli::{out, terminal};
use crate::finding::{FindingId, Known, catalogue, known, must_be_known};
use crate::problem::{Problem, id};
use crate::report::check::Format;
use crate::report::{Paint, SCHEMA, wrapped};
use crate::text;
use crate::text::{ics_setup, nearest, own};

/// `--list` and `--explain`; `None`: neither was asked for.
///
/// # Errors
/// An unknown id, or a format that these have not.
pub(super) fn asked(globals: &Globals, matches: &ArgMatches) -> Result<Option<Exit>, Problem> {
    let explain = word(matches, "explain");
    let flag = match explain {
        Some(_) => "--explain",
        None if matches.get_flag("list") => "--list",
        None => return Ok(None),
    };
    if !matches!(globals.format, Format::Human | Format::Json) {
        let message = text!("{} has human and json, not --format {}", own(flag), own(globals.format.as_str()));
        return Err(Problem::settings(id::USAGE, message)
            .hint(text!("{}, without --format", ics_setup(text!("check {} …", own(flag))))));
    }
    match explain {
        Some(id) => explained(globals, id)?,
        None => list(globals, &selection(matches)?),
    }
    Ok(Some(Exit::DONE))
}

/// What the groups, `--only` and `--skip` ask for.
///
/// # Errors
/// A word that is neither a group nor an id, with the nearest one; an id that no check reports.
pub(super) fn selection(matches: &ArgMatches) -> Result<Selection, Problem> {
    let groups = words(matches, "group");
    let selection = Selection {
        groups: Group::ALL.into_iter().filter(|group| groups.iter().any(|word| word == group.as_str())).collect(),
        only: words(matches, "only"),
        skip: words(matches, "skip"),
    };
    for (flag, list) in [("--only", &selection.only), ("--skip", &selection.skip)] {
        list.iter().try_for_each(|word| group_or_id(word, flag))?;
    }
    let reported = reported();
    match selection.only.iter().find(|word| known(word).is_some() && !reported.iter().any(|id| *id == word.as_str())) {
        Some(id) => Err(Problem::settings(
            id::UNKNOWN_CHECK,
            text!("check does not look at {}: other commands report it", own(id)),
        )
        .hint(text!("what it is: {}", ics_setup(text!("check --explain {}", own(id)))))
        .hint(text!("what check looks at: {}", ics_setup("check --list")))),
        None => Ok(selection),
    }
}

fn group_or_id(word: &str, flag: &str) -> Result<(), Problem> {
    let groups = Group::ALL.map(Group::as_str);
    if groups.contains(&word) || known(word).is_some() {
        return Ok(());
    }
    let problem =
        Problem::settings(id::UNKNOWN_CHECK, text!("{} takes ids and groups, and {:?} is neither", own(flag), word));
    Err(match nearest(word, groups.into_iter().chain(catalogue().iter().map(|known| known.id.as_str()))) {
        Some(near) => problem.hint(text!("{} {}", own(flag), own(near))),
        None => problem.hint(text!("all ids: {}", ics_setup("check --list"))),
    })
}

/// The ids that checks report, in the order in which they do.
fn reported() -> Vec<FindingId> {
    crate::check::all().iter().flat_map(|check| check.meta().ids).copied().collect()
}

/// The ids that the selection can report; verbose: and those of every other command.
fn list(globals: &Globals, selection: &Selection) {
    let checks = crate::check::all();
    let selected = checks.iter().flat_map(|check| {
        let meta = check.meta();
        meta.ids.iter().filter(move |id| selection.has(meta.group, **id)).filter_map(|id| known(id.as_str()))
    });
    let mut rows: Vec<&Known> = Vec::new();
    for known in selected.chain(catalogue().iter().filter(|_| globals.verbose)) {
        if !rows.iter().any(|row| row.id == known.id) {
            rows.push(known);
        }
    }
    if globals.verbose {
        rows.sort_by_key(|known| {
            Group::ALL.iter().position(|group| group.as_str() == known.id.group()).unwrap_or(usize::MAX)
        });
    }
    if globals.json {
        let rows: Vec<_> =
            rows.iter().map(|known| json!({"id": known.id, "group": known.id.group(), "title": known.title})).collect();
        out::json(&json!({"schema": SCHEMA, "command": "check", "checks": rows}));
        return;
    }
    let mut text = String::new();
    let width = rows.iter().map(|known| known.id.as_str().len()).max().unwrap_or(0);
    let mut group = "";
    for known in rows {
        if known.id.group() != group {
            let gap = if group.is_empty() { "" } else { "\n" };
            group = known.id.group();
            let _ = writeln!(text, "{gap}{}", Paint(globals.color).bold(group));
        }
        let indent = 2 + width + 2;
        let title = wrapped(known.title, indent, terminal::columns()).join(&format!("\n{:indent$}", ""));
        let _ = writeln!(text, "  {:width$}  {title}", known.id.as_str());
    }
    out::result(&text);
}

fn explained(globals: &Globals, id: &str) -> Result<(), Problem> {
    let known = must_be_known(id, "ics-setup check --explain")?;
    if globals.json {
        out::json(&json!({
            "schema": SCHEMA, "command": "check",
            "check": {"id": known.id, "group": known.id.group(), "title": known.title, "explain": known.explain},
        }));
        return Ok(());
    }
    let broken = |text: &str| wrapped(text, 0, terminal::columns()).join("\n");
    let paint = Paint(globals.color);
    let mut text = format!(
        "{} ({})\n{}\n\n{}\n\n",
        paint.bold(known.id.as_str()),
        known.id.group(),
        broken(known.title),
        broken(known.explain)
    );
    text.push_str(&if reported().contains(&known.id) {
        format!(
            "only this check:   ics-setup check --only {0}\nlet it pass:       ics-setup check --ignore-check {0}=REASON\n",
            known.id
        )
    } else {
        format!("{}\n", broken("check itself does not look at this; prepare, reconfigure and the other commands report it."))
    });
    out::result(&text);
    Ok(())
}
