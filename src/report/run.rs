//! One run: who, when, with which version, told what, and what it did to the files; and which runs are forgotten.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::characters::{characters, diff_text, line as say, visible};
use super::check::mark;
use super::human::{Paint, by, past, plan};
use super::json::{SCHEMA, listed};
use super::window::wrapped;
use crate::apply::{Forgotten, Past, Run};
use crate::finding::Status;
use crate::plan::{Stage, StageState};
use crate::redact::Redactor;
use crate::text::{counted, elapsed};

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

/// So many runs are kept.
pub(crate) fn stay(left: usize) -> String {
    format!("{} {}", counted(left, "run"), if left == 1 { "stays" } else { "stay" })
}

/// Why more runs are kept than were to be.
fn why_more(needed: usize, left: usize) -> String {
    let asked = left.saturating_sub(needed);
    let beyond = match asked {
        0 => String::new(),
        1 => format!(", {needed} of them beside the newest"),
        asked => format!(", {needed} of them beside the newest {asked}"),
    };
    match needed {
        0 => String::new(),
        1 => format!("{beyond}: what is in force could not be told or taken back without it"),
        _ => format!("{beyond}: what is in force could not be told or taken back without them"),
    }
}

/// What `prune` forgets, and what that means. `planned`: it is not done yet.
pub(crate) fn forgotten(what: &Forgotten<'_>, left: usize, planned: bool) -> String {
    let Some((first, last)) = what.runs.first().zip(what.runs.last()) else {
        return format!("No run is forgotten: {}{}.\n", stay(left), why_more(what.needed, left));
    };
    let verb = if planned { "to be forgotten" } else { "forgotten" };
    let mut text = format!(
        "{verb}: {} with their backups, from {} to {}; {}{}\n",
        counted(what.runs.len(), "run"),
        first.begin.time,
        last.begin.time,
        stay(left),
        why_more(what.needed, left)
    );
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

/// A stage that has ended, on a terminal; why it failed is what the problem of the run says.
pub(crate) fn stage(
    stage: &Stage,
    (unicode, columns): (bool, Option<usize>),
    redactor: &Redactor,
    paint: Paint,
) -> String {
    let (mark, code) = mark(
        match stage.state {
            StageState::Done | StageState::Changed => Status::Pass,
            StageState::Failed => Status::Fail,
            StageState::Skipped | StageState::Pending => Status::Skip,
        },
        unicode,
    );
    let time = match stage.seconds {
        seconds if seconds < 60.0 => format!("{seconds:.1} s"),
        seconds => elapsed(Duration::from_secs_f64(seconds)),
    };
    let detail = if stage.state == StageState::Failed { String::new() } else { say(redactor, &stage.detail) };
    let head = format!("{:<10}{time:>10}  ", stage.id.as_str());
    // The detail goes on in its own column.
    let indent = 3 + mark.chars().count() + head.len();
    let line = head + &wrapped(&detail, indent, columns).join(&format!("\n{:indent$}", ""));
    format!("  {} {}\n", paint.with(code, mark), line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StageId;

    #[test]
    fn a_stage_has_a_mark_its_time_and_what_came_of_it() {
        let stage_of = |state, seconds| Stage { id: StageId::Fetch, state, seconds, detail: "2 images".into() };
        let shown = |of: &Stage, unicode| stage(of, (unicode, Some(40)), &Redactor::default(), Paint(false));
        let changed = stage_of(StageState::Changed, 0.14);
        assert_eq!(shown(&changed, true), "  ✓ fetch          0.1 s  2 images\n");
        assert_eq!(shown(&changed, false), "  ok fetch          0.1 s  2 images\n");
        assert_eq!(shown(&stage_of(StageState::Skipped, 0.0), true), "  - fetch          0.0 s  2 images\n");
        let long = Stage { detail: "3 images, 7 layers, 43 MB".into(), ..changed };
        assert_eq!(
            shown(&long, true),
            "  ✓ fetch          0.1 s  3 images, 7\n                          layers, 43 MB\n"
        );
        // Why, the error says.
        assert_eq!(shown(&stage_of(StageState::Failed, 125.4), true), "  × fetch     2 min 05 s\n");
    }

    #[test]
    fn runs_that_are_kept_beside_those_asked_for_are_told_with_the_reason() {
        assert_eq!(why_more(0, 3), "");
        assert_eq!(why_more(1, 1), ": what is in force could not be told or taken back without it");
        assert_eq!(why_more(6, 6), ": what is in force could not be told or taken back without them");
        assert!(why_more(2, 3).starts_with(", 2 of them beside the newest: "));
        assert!(why_more(2, 5).starts_with(", 2 of them beside the newest 3: "));
    }
}
