//! One run: who, when, with which version, told what, and what it did to the files; and which runs are forgotten.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::characters::{characters, diff_text, line as say, visible};
use super::human::{Paint, by, past, plan};
use super::json::{SCHEMA, listed};
use crate::apply::{Forgotten, Past, Run};
use crate::redact::Redactor;

/// Runs that are named one by one where many are forgotten.
const NAMED: usize = 10;

/// The result of `status RUN`.
pub(crate) fn of_run(run: &Run, files: &[Past], with_diff: bool, redactor: &Redactor) -> Value {
    // Masked by their places when they were written; what else they say are names.
    let said = run.begin.said.iter();
    let said = said.map(|said| json!({"key": said.key, "value": said.value, "origin": said.origin}));
    let changes = files.iter().map(|file| {
        let mut row = json!({"path": file.path.display().to_string(), "action": file.action.as_str()});
        if with_diff {
            row["diff"] = json!(file.change.as_ref().ok().map(|change| diff_text(redactor, change)));
            row["unknown"] = json!(file.change.as_ref().err().map(|why| characters(redactor, why)));
        }
        row
    });
    let mut whole = listed(run);
    whole["settings"] = said.collect();
    if !files.is_empty() {
        whole["changes"] = changes.collect();
    }
    json!({"schema": SCHEMA, "command": "status", "run": whole})
}

/// The same for people.
pub(crate) fn human_run(run: &Run, files: &[Past], with_diff: bool, redactor: &Redactor, paint: Paint) -> String {
    let begin = &run.begin;
    let mut text = format!(
        "{}  {}, {}\n{}, {}\n",
        paint.bold(&begin.run),
        visible(&begin.command),
        run.state.as_str(),
        visible(&begin.time),
        by(run)
    );
    let taken_back: Vec<&str> = begin.takes_back().collect();
    if !taken_back.is_empty() {
        let _ = writeln!(text, "takes back {}", visible(&taken_back.join(", ")));
    }
    if !begin.said.is_empty() {
        text.push_str("told:\n");
    }
    for said in &begin.said {
        let _ = writeln!(text, "  {}", visible(&format!("{} = {}  ({})", said.key, said.value, said.origin)));
    }
    for file in files {
        let _ = writeln!(text, "{} {}", past(file.action), visible(&file.path.display().to_string()));
        if let Err(why) = file.change.as_ref().map_err(|why| say(redactor, why)).map(drop) {
            let _ = writeln!(text, "  no diff: {why}");
        }
    }
    if with_diff {
        let known: Vec<_> = files.iter().filter_map(|file| file.change.as_ref().ok().cloned()).collect();
        text.push('\n');
        text.push_str(&plan(&known, redactor, paint));
    }
    text
}

/// What `prune` forgets, and what that means. `planned`: it is not done yet.
pub(crate) fn forgotten(what: &Forgotten<'_>, left: usize, planned: bool) -> String {
    let Some((first, last)) = what.runs.first().zip(what.runs.last()) else {
        return format!("No run is forgotten: the {left} that there are stay.\n");
    };
    let verb = if planned { "to be forgotten" } else { "forgotten" };
    let mut text = format!(
        "{verb}: {} with their backups, from {} to {}; {left} stay",
        runs(what.runs.len()),
        first.begin.time,
        last.begin.time
    );
    text.push_str(&match what.needed {
        0 => "\n".to_owned(),
        needed => format!(", {needed} of them older: what is left could not be told or taken back without them\n"),
    });
    let in_force: Vec<&Run> = what.in_force().collect();
    if !in_force.is_empty() {
        let count = in_force.len();
        let verb = if count == 1 { "is" } else { "are" };
        let _ = writeln!(
            text,
            "{count} of them {verb} in force: what was done stays, and cannot be taken back by itself any more:"
        );
    }
    for run in in_force.iter().take(NAMED) {
        let files: Vec<String> = run.begin.files().map(|file| visible(&file.path.display().to_string())).collect();
        let _ = writeln!(text, "  {}  {}  {}", run.begin.run, visible(&run.begin.command), files.join(", "));
    }
    if let Some(more) = in_force.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more");
    }
    text
}

/// So many runs.
fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}
