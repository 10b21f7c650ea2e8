//! Unified diffs of files that may be large and need not be UTF-8. What they show of a line: `shown`.

use std::collections::HashSet;
use std::ops::Range;

use super::Change;
use super::shown::{Line, is_hidden, is_ours, lines};
use crate::text;
use crate::text::{Fragment, SECRET, Text, own};

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// After this long the diff is coarse instead of small.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// So many lines in a row of which nothing is shown are shown as they are.
const MANY: usize = 20;

/// One line of a diff.
pub(crate) struct DiffLine {
    /// `---`, `+++`, `@@`, `+`, `-`, a blank or a backslash.
    pub(crate) mark: &'static str,
    /// What follows the mark.
    pub(crate) text: Text,
}

/// A unified diff of the change without secrets. Bytes that are not UTF-8 are shown as U+FFFD.
pub(crate) fn unified(change: &Change) -> Vec<DiffLine> {
    let (old, new) = (change.old_bytes(), change.new_bytes());
    // Most of a large file is the same: only the part that differs goes through the diff.
    let (start, line) = common_start(old, new);
    let end = common_end(&old[start..], &new[start..]);
    // Compared as it is and shown as far as it may be: a secret that differs is a line that differs.
    let (old_part, new_part) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    let diff = similar::TextDiff::configure().timeout(PATIENCE).diff_lines(old_part, new_part);
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    // A value that began in front of the part is still one value: the files are read from their beginning.
    let (old, new) = (lines(&old), lines(&new));
    let name = |prefix: &str, there: bool| match there {
        true => text!("{}{}", own(prefix), own(change.path.display())),
        false => "/dev/null".into(),
    };
    let mut all = vec![
        DiffLine { mark: "--- ", text: name("a", change.before.is_some()) },
        DiffLine { mark: "+++ ", text: name("b", change.after.is_some()) },
    ];
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        let range = |range: &Range<usize>| {
            let first = if range.is_empty() { range.start + line } else { range.start + line + 1 };
            if range.len() == 1 { first.to_string() } else { format!("{first},{}", range.len()) }
        };
        let (gone, come) = (of_hunk(hunk.ops(), true), of_hunk(hunk.ops(), false));
        all.push(DiffLine { mark: "@@ ", text: text!("-{} +{} @@", own(range(&gone)), own(range(&come))) });
        let mut removed = HashSet::new();
        for of in hunk.iter_changes() {
            let at = |side: &'_ [Line<'_>], index: Option<usize>, shown: &dyn Fn(&Line<'_>) -> Text| {
                index.and_then(|index| side.get(index + line)).map(shown).unwrap_or_default()
            };
            let edited = |own: &Line<'_>, other: &[Line<'_>], part: &Range<usize>| {
                let part = &other[(part.start + line).min(other.len())..(part.end + line).min(other.len())];
                let alone = own.assignments().count() == 1;
                own.text(|name, value| {
                    let stays = || part.iter().flat_map(Line::assignments).any(|own| own == (name, value));
                    is_ours(name) && (alone || !stays())
                })
            };
            let (mark, text) = match of.tag() {
                similar::ChangeTag::Equal => (" ", at(&old, of.old_index(), &|own| own.text(|_, _| false))),
                similar::ChangeTag::Delete => {
                    let text = at(&old, of.old_index(), &|own| edited(own, &new, &come));
                    removed.insert(format!("{text:?}"));
                    ("-", text)
                }
                similar::ChangeTag::Insert => {
                    let text = at(&new, of.new_index(), &|own| edited(own, &old, &gone));
                    let hidden = removed.contains(&format!("{text:?}"));
                    ("+", if hidden { marked_as_changed(&text) } else { text })
                }
            };
            all.push(DiffLine { mark, text });
            if of.missing_newline() {
                all.push(DiffLine { mark: "\\", text: " No newline at end of file".into() });
            }
        }
    }
    capped(shortened(all))
}

/// Nobody reads more lines of one file.
const MOST: usize = 2000;

/// What is printed does not grow with whatever somebody has put into a file. What goes stands first, and what comes behind it:
/// the middle is left out.
fn capped(mut all: Vec<DiffLine>) -> Vec<DiffLine> {
    let more = all.len().saturating_sub(MOST);
    if more > 0 {
        let left_out = DiffLine { mark: "… ", text: text!("{} more lines of this diff", own(more)) };
        all.splice(MOST / 2..MOST / 2 + more, [left_out]);
    }
    all
}

/// Of many lines in a row of which nothing is shown, the first, with their number.
fn shortened(all: Vec<DiffLine>) -> Vec<DiffLine> {
    let mut short: Vec<DiffLine> = Vec::new();
    let mut rest = all.into_iter().peekable();
    while let Some(mut line) = rest.next() {
        let mut same = Vec::new();
        if is_hidden(&line.text) {
            let is_same = |next: &DiffLine| next.mark == line.mark && is_hidden(&next.text);
            while let Some(next) = rest.next_if(is_same) {
                same.push(next);
            }
        }
        let count = same.len() + 1;
        if count > MANY {
            line.text.push(text!(" ({} lines)", own(count)));
            same.clear();
        }
        short.push(line);
        short.extend(same);
    }
    short
}

/// The lines of one side that a hunk spans.
fn of_hunk(ops: &[similar::DiffOp], old: bool) -> Range<usize> {
    let range = |op: &similar::DiffOp| if old { op.old_range() } else { op.new_range() };
    ops.first().map_or(0, |op| range(op).start)..ops.last().map_or(0, |op| range(op).end)
}

/// Both sides look alike since what differs is not shown.
fn marked_as_changed(shown: &Text) -> Text {
    Text::join(
        shown.fragments().map(|fragment| match fragment {
            Fragment::Own(words) => text!("{}", own(words)),
            Fragment::Foreign(value) => text!("{}", value),
            Fragment::Secret => text!("{} (changed)", SECRET),
        }),
        "",
    )
}

/// Length of the common start in whole lines, less the context, and how many lines that is.
fn common_start(a: &[u8], b: &[u8]) -> (usize, usize) {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let mut start = memchr::memrchr(b'\n', &a[..same]).map_or(0, |at| at + 1);
    for _ in 0..CONTEXT {
        start = start.checked_sub(1).and_then(|before| memchr::memrchr(b'\n', &a[..before])).map_or(0, |at| at + 1);
    }
    (start, memchr::memchr_iter(b'\n', &a[..start]).count())
}

/// Length of the common end in whole lines, less the context.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    let same = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let tail = &a[a.len() - same..];
    // The first line of the common end may be the tail of a line that differs.
    let mut lines = memchr::memchr_iter(b'\n', tail).map(|at| at + 1);
    lines.nth(CONTEXT).map_or(0, |at| same - at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Attributes, Snapshot};
    use crate::plan::{After, FileMeta};
    use std::path::PathBuf;

    fn change(old: &str, new: &str) -> Change {
        let path = PathBuf::from("/etc/x");
        let before = Snapshot { bytes: old.into(), attributes: Attributes::new(0o644, 0, 0), links: 1 };
        let after = After { bytes: new.into(), meta: FileMeta::Mode(0o644) };
        Change { real_path: path.clone(), path, before: Some(before.into()), after: Some(after), reasons: Vec::new() }
    }

    fn shown(old: &str, new: &str) -> String {
        unified(&change(old, new)).iter().map(|line| format!("{}{}\n", line.mark, line.text)).collect()
    }

    #[test]
    fn numbers_are_those_of_the_whole_file_and_other_lines_show_their_names() {
        let old: String = (1..=100).map(|n| format!("N{n}=x\n")).collect();
        let new = old.replace("N50=x\n", "no_proxy=y\n");
        assert_eq!(
            shown(&old, &new),
            "--- a/etc/x\n+++ b/etc/x\n@@ -47,7 +47,7 @@\n N47=…\n N48=…\n N49=…\n-N50=…\n+no_proxy=y\n N51=…\n N52=…\n N53=…\n"
        );
    }

    #[test]
    fn a_changed_password_shows_as_a_change_without_itself() {
        let diff = shown("http_proxy=http://u:old@h:1\n", "http_proxy=http://u:new@h:1\n");
        assert!(diff.contains("-http_proxy=http://u:***@h:1\n+http_proxy=http://u:*** (changed)@h:1\n"), "{diff}");
    }

    #[test]
    fn only_the_secret_that_changed_is_marked() {
        let diff = shown(
            "no_proxy=a\nA_PASSWORD=same\nDIVVY_DB_PASSWORD=old\n",
            "no_proxy=b\nA_PASSWORD=same\nDIVVY_DB_PASSWORD=new\n",
        );
        assert!(
            diff.ends_with(
                "-no_proxy=a\n+no_proxy=b\n A_PASSWORD=…\n-DIVVY_DB_PASSWORD=***\n+DIVVY_DB_PASSWORD=*** (changed)\n"
            ),
            "{diff}"
        );
    }

    #[test]
    fn of_several_assignments_on_a_line_the_edited_one_is_shown() {
        let diff =
            shown("Environment=\"A=1\" \"HTTP_PROXY=http://o:1\"\n", "Environment=\"A=1\" \"HTTP_PROXY=http://n:1\"\n");
        assert!(
            diff.ends_with(
                "-Environment=\"A=…\" \"HTTP_PROXY=http://o:1\"\n+Environment=\"A=…\" \"HTTP_PROXY=http://n:1\"\n"
            ),
            "{diff}"
        );
    }

    #[test]
    fn of_a_long_diff_both_ends_are_shown() {
        let old: String = (0..9 * MOST).map(|n| format!("http_proxy=http://old{n}.example:1\n")).collect();
        let diff = shown(&old, "http_proxy=http://new.example:1\n");
        let lines: Vec<&str> = diff.lines().collect();
        assert_eq!(lines.len(), MOST + 1);
        assert!(
            lines[3] == "-http_proxy=http://old0.example:1" && lines[MOST / 2].starts_with("… 16"),
            "{}",
            lines[MOST / 2]
        );
        assert_eq!(lines[MOST], "+http_proxy=http://new.example:1");
    }

    #[test]
    fn a_repeated_line_at_the_seam_does_no_harm() {
        for (old, new) in [("a\na\n", "a\na\na\n"), ("a", "a\n"), ("", "a\n"), ("x\ny\n", ""), ("a\nb", "b")] {
            assert!(shown(old, new).contains("@@"), "{old:?} {new:?}");
        }
    }
}
