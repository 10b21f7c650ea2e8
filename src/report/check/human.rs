//! Text for people: the host and the verdict, then what is wrong and what to do about it, whoever must act by turns; then
//! what is right, a line for each group.
//!
//! On a terminal long texts are broken at blanks; elsewhere each fact is one line, so that `grep` finds it whole. What is to
//! be pasted is never broken: a terminal folds it by itself, and copies it as one line.

use std::fmt::Write as _;
use std::time::Duration;

use console::measure_text_width;

use super::things::{Thing, count, heading, is_in_the_way, things};
use super::{Checked, Definition, Page, groups};
use crate::finding::{Actor, Status};
use crate::report::characters::{Plain, one_line, visible};
use crate::report::spoken::set_with;
use crate::report::window::wrapped;

pub(super) const FORMAT: Definition = Definition::new(render);

/// Where details begin.
const INDENT: usize = 6;

/// The longest label, with its colon and blank.
const LABEL: usize = "expected: ".len();

/// The longest name of a group.
const GROUP: usize = "backends".len();

/// So many of what is alike are told.
const ALIKE: usize = 10;

/// The result as text.
fn render(checked: &Checked<'_>, page: &Page) -> String {
    let (wrong, warned) = (things(checked, is_in_the_way), things(checked, |status| status == Status::Warn));
    if page.quiet && wrong.is_empty() && warned.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    if !page.quiet && !checked.findings.is_empty() {
        head(&mut text, checked, count(&wrong), page);
    }
    let mut told: Option<Option<Actor>> = None;
    for thing in &wrong {
        if told != Some(thing.actor) {
            told = Some(thing.actor);
            section(&mut text, &heading(thing.actor), page);
        }
        show(&mut text, thing, page);
    }
    if !warned.is_empty() {
        section(&mut text, "Warnings", page);
        warned.iter().for_each(|thing| show(&mut text, thing, page));
    }
    let plain = checked.plain();
    let rest: Vec<&Plain> = plain.iter().filter(|finding| !finding.status.is_wrong()).collect();
    if !page.quiet && !rest.is_empty() {
        section(&mut text, "Passed, or not looked at", page);
        rest_of(&mut text, &rest, page);
    }
    let took = if checked.recorded {
        format!("facts of {}", checked.taken())
    } else {
        crate::net::seconds(Duration::from_millis(checked.took_ms))
    };
    let gap = if text.is_empty() { "" } else { "\n" };
    text.push_str(gap);
    for line in wrapped(&format!("{} ({took})", checked.summary().words()), 0, page.columns) {
        let _ = writeln!(text, "{}", page.paint.bold(&line));
    }
    if page.quiet {
        return text;
    }
    if let Some(thing) = wrong.first() {
        let _ =
            writeln!(text, "more on a check: {}", typed(&format!("ics-setup check --explain {}", thing.told.id), page));
    }
    for command in checked.further() {
        let _ = writeln!(text, "not all could be looked at: {}", typed(&command, page));
    }
    text
}

/// Host and verdict.
fn head(text: &mut String, checked: &Checked<'_>, wrong: usize, page: &Page) {
    let mut host = checked.host();
    if let Some(address) = checked.address() {
        let _ = write!(host, " ({address})");
    }
    let dot = if page.unicode { " · " } else { " - " };
    let all: Vec<String> = std::iter::once(host).chain(checked.system()).collect();
    for line in wrapped(&all.join(dot), 0, page.columns) {
        let _ = writeln!(text, "{line}");
    }
    let (_, color) = mark(checked.worst(), page.unicode);
    for line in wrapped(&checked.verdict(wrong), 0, page.columns) {
        let _ = writeln!(text, "{}", page.paint.bold(&page.paint.with(color, &line)));
    }
}

fn section(text: &mut String, name: &str, page: &Page) {
    let gap = if text.is_empty() { "" } else { "\n" };
    let _ = writeln!(text, "{gap}{}", page.paint.bold(name));
}

/// How a status is drawn, and its colour.
pub(crate) fn mark(status: Status, unicode: bool) -> (&'static str, &'static str) {
    let (mark, ascii, color) = match status {
        Status::Pass => ("✓", "ok", "32"),
        Status::Warn => ("‼", "!!", "33"),
        Status::Fail | Status::Error => ("×", "xx", "31"),
        Status::Skip => ("-", "--", "2"),
    };
    (if unicode { mark } else { ascii }, color)
}

/// Something that is wrong, and others like it below it.
fn show(text: &mut String, thing: &Thing, page: &Page) {
    let Thing { told, ids, alike, .. } = thing;
    line(text, told.status, "", &told.title, &ids.join(","), page);
    to_do(text, told, INDENT, page);
    details(text, told, page);
    if alike.is_empty() {
        return;
    }
    let _ = writeln!(text, "{:INDENT$}and {} more alike:", "", alike.len());
    let most = if page.verbose { alike.len() } else { ALIKE };
    for other in alike.iter().take(most) {
        let lines = wrapped(&other.title, INDENT + 2, page.columns);
        let _ = writeln!(text, "{:INDENT$}  {}", "", joined(&lines, INDENT + 2));
        to_do(text, other, INDENT + 4, page);
        if page.verbose {
            details(text, other, page);
        }
    }
    if alike.len() > most {
        let _ = writeln!(text, "{:INDENT$}  and {} more (-v tells them, and so does --report)", "", alike.len() - most);
    }
}

/// What is neither wrong nor worth a warning: what passed on a line for each group, or all of it; what was not looked at
/// by its reason.
fn rest_of(text: &mut String, rest: &[&Plain], page: &Page) {
    for group in groups(rest.iter().map(|finding| finding.group)) {
        let own: Vec<&Plain> = rest.iter().copied().filter(|finding| finding.group == group).collect();
        if page.verbose {
            for finding in own {
                line(text, finding.status, "", &sentence(finding, 0), finding.id, page);
                to_do(text, finding, INDENT, page);
                details(text, finding, page);
            }
            continue;
        }
        let (passed, skipped): (Vec<&Plain>, Vec<&Plain>) = own.into_iter().partition(|own| own.status == Status::Pass);
        let mut say = |status: Status, sentence: &str, ids: &[&str]| {
            line(text, status, &format!("{group:GROUP$}  "), sentence, &ids.join(","), page);
        };
        match passed.as_slice() {
            [] => {}
            [one] => say(Status::Pass, &one.title, &[]),
            more => say(Status::Pass, &format!("{} passed", more.len()), &[]),
        }
        let mut reasons: Vec<Vec<&Plain>> = Vec::new();
        for finding in skipped {
            match reasons.iter_mut().find(|alike| alike[0].observed == finding.observed && finding.observed.is_some()) {
                Some(alike) => alike.push(finding),
                None => reasons.push(vec![finding]),
            }
        }
        for alike in reasons {
            let others = alike.iter().filter(|other| other.title != alike[0].title).count();
            say(Status::Skip, &sentence(alike[0], others), &ids_of(&alike));
        }
    }
}

fn ids_of(findings: &[&Plain]) -> Vec<&'static str> {
    let mut ids: Vec<&str> = findings.iter().map(|finding| finding.id).collect();
    ids.dedup();
    ids
}

/// What it says in one line, and of how many others too.
fn sentence(finding: &Plain, others: usize) -> String {
    let mut sentence = finding.title.clone();
    if others > 0 {
        let _ = write!(sentence, ", and {others} more");
    }
    if finding.status == Status::Skip
        && let Some(why) = finding.observed.as_ref().or(finding.cause.as_ref())
    {
        let _ = write!(sentence, " ({})", one_line(why));
    }
    sentence
}

/// The one line of a check, or of several, in the column behind `lead`.
fn line(text: &mut String, status: Status, lead: &str, sentence: &str, ids: &str, page: &Page) {
    let (mark, color) = mark(status, page.unicode);
    let indent = 2 + measure_text_width(mark) + 1 + measure_text_width(lead);
    let id = if ids.is_empty() { String::new() } else { format!("[{ids}]") };
    let mut lines = wrapped(format!("{sentence} {id}").trim_end(), indent, page.columns);
    // Ids have no blanks, so they stand whole at the end of the last line.
    if let Some(last) = lines.last_mut()
        && let Some(before) = last.strip_suffix(&id).filter(|_| !id.is_empty())
    {
        *last = format!("{before}{}", page.paint.with("2", &id));
    }
    let _ = writeln!(text, "  {} {lead}{}", page.paint.with(color, mark), joined(&lines, indent));
}

/// What is to be done about it: what can be pasted stands alone, whatever is said around it.
fn to_do(text: &mut String, finding: &Plain, indent: usize, page: &Page) {
    if finding.status == Status::Pass || (finding.status == Status::Skip && !page.verbose) {
        return;
    }
    let arrow = if page.unicode { "→ " } else { "-> " };
    let inner = indent + measure_text_width(arrow);
    let mut put = |lines: &[String]| {
        let _ = writeln!(text, "{:indent$}{}{}", "", page.paint.with("36", arrow), joined(lines, inner));
    };
    for command in &finding.commands {
        put(&command.split('\n').map(|line| typed(line, page)).collect::<Vec<_>>());
    }
    for sentence in &finding.advice {
        put(&set_with(sentence, inner, page.columns, |words| typed(words, page)));
    }
}

/// In the colour of what can be typed.
fn typed(words: &str, page: &Page) -> String {
    page.paint.with("36", words)
}

fn details(text: &mut String, finding: &Plain, page: &Page) {
    if !finding.status.is_wrong() && !page.verbose {
        return;
    }
    for (word, value) in [
        ("seen", &finding.observed),
        ("expected", &finding.expected),
        ("because", &finding.cause),
        ("more", &finding.docs),
    ] {
        if let Some(value) = value {
            detail(text, word, value, page);
        }
    }
    if page.verbose {
        if !finding.evidence.is_empty()
            && let Ok(json) = serde_json::to_string(&finding.evidence)
        {
            detail(text, "data", &visible(&json), page);
        }
        let mut took: Vec<String> = Vec::new();
        took.extend(finding.duration_ms.map(|millis| crate::net::seconds(Duration::from_millis(millis))));
        took.extend(finding.attempts.filter(|attempts| *attempts > 1).map(|attempts| format!("{attempts} attempts")));
        took.extend(finding.path.map(|path| format!("path {path}")));
        took.extend(finding.stage.map(|stage| format!("stage {stage}")));
        if !took.is_empty() {
            detail(text, "took", &took.join(", "), page);
        }
    }
}

fn detail(text: &mut String, word: &str, value: &str, page: &Page) {
    let indent = INDENT + LABEL;
    let whole = matches!(word, "more" | "data");
    let lines = wrapped(value, indent, page.columns.filter(|_| !whole));
    let label = page.paint.with("2", &format!("{:LABEL$}", format!("{word}:")));
    let _ = writeln!(text, "{:INDENT$}{label}{}", "", joined(&lines, indent));
}

fn joined(lines: &[String], indent: usize) -> String {
    lines.join(&format!("\n{:indent$}", ""))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PLAIN, checked, rendered};
    use super::super::{Format, Record};
    use super::*;
    use crate::check::Group;
    use crate::finding::{Finding, FindingId};
    use crate::redact::Redactor;
    use crate::text::typed;

    /// The first screen has the answer, however much fails and whatever is right.
    #[test]
    fn host_verdict_and_the_first_failure_with_its_fix_are_on_the_first_screen() {
        let failed = |at: usize| {
            new_finding(Status::Fail, at)
                .expected("x".repeat(300))
                .observed("y".repeat(300))
                .cause(format!("cause {at}"))
        };
        let findings: Vec<Finding> = (0..60)
            .map(|at| match at {
                0..40 => new_finding(Status::Pass, at),
                40..50 => new_finding(Status::Skip, at).observed(format!("reason {at}")),
                _ => failed(at).advise("first make room, then: ics-setup check --only disk-free").fix(typed("mend it")),
            })
            .collect();
        for columns in [None, Some(40), Some(80), Some(200)] {
            let text = rendered(&findings, Format::Human, &Page { columns, ..PLAIN });
            let head = text.lines().take(25).flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
            for words in [
                "web-1.corp.example (10.20.4.11)",
                "Ubuntu 22.04",
                "Not ready: 10 things",
                "thing 50",
                "→ mend it",
                "ics-setup check --only disk-free",
            ] {
                assert!(head.contains(words), "{columns:?} {words}: {head}");
            }
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(text.matches("40 passed").count(), 2, "one line of the group, and the end: {text}");
            assert!(!text.contains("thing 3") && text.contains("- host thing 40 (reason 40) [disk-free]"), "{text}");
        }
        let all = rendered(&findings, Format::Human, &Page { verbose: true, ..PLAIN });
        assert!((0..60).all(|at| all.contains(&format!("thing {at}"))) && all.contains("(reason 45)"), "{all}");
        let quiet = rendered(&findings, Format::Human, &Page { quiet: true, ..PLAIN });
        assert!(quiet.starts_with("For this host\n") && !quiet.contains("passed\n"), "{quiet}");
    }

    #[test]
    fn of_very_many_that_are_alike_the_first_are_told_and_all_with_v() {
        let refused =
            |at: usize| new_finding(Status::Fail, at).observed("403").cause("a rule").advise(format!("allow {at}"));
        let findings: Vec<Finding> = (0..200).map(refused).collect();
        let text = rendered(&findings, Format::Human, &PLAIN);
        assert!(
            text.lines().count() < 45 && text.contains("and 199 more alike:") && text.contains("and 189 more (-v"),
            "{text}"
        );
        let all = rendered(&findings, Format::Human, &Page { verbose: true, ..PLAIN });
        assert!((0..200).all(|at| all.contains(&format!("→ allow {at}\n"))), "{all}");
    }

    fn new_finding(status: Status, at: usize) -> Finding {
        Finding::new(FindingId::unlisted("disk-free", "host"), status, format!("thing {at}"))
    }

    #[test]
    fn a_part_of_the_host_is_not_called_ready() {
        let redactor = Redactor::default();
        let group = |group: Group| Finding::pass(FindingId::unlisted("x", group.as_str()), "fine");
        let whole: Vec<Finding> = Group::ALL.map(group).to_vec();
        assert_eq!(checked(&whole, &redactor).verdict(0), "Ready: 6 checks passed");
        assert_eq!(checked(&whole[..1], &redactor).verdict(0), "1 check passed");
        assert_eq!(checked(&[], &redactor).verdict(0), "Nothing was checked");
        let nameless = Record::default();
        let text = Checked { record: &nameless, ..checked(&whole, &redactor) }.render(Format::Human, &PLAIN);
        assert!(text.starts_with("host without a name\nReady: "), "{text}");
    }
}
