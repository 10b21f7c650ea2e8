//! Unified diffs of files that may be large and need not be UTF-8.

use super::Change;
use crate::redact::Redactor;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// After this long the diff is coarse instead of small.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// A unified diff of the change without secrets. Bytes that are not UTF-8 are shown as U+FFFD.
pub fn unified(change: &Change, redactor: &Redactor) -> String {
    let (old, new) = (change.old_bytes(), change.new_bytes());
    // Most of a large file is the same: only the part that differs goes through the diff.
    let (start, line) = common_start(old, new);
    let end = common_end(&old[start..], &new[start..]);
    // Compared as it is and masked as it is printed: a secret that differs is a line that differs.
    let (old_part, new_part) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    let diff = similar::TextDiff::configure().timeout(PATIENCE).diff_lines(old_part, new_part);
    let name = |prefix: &str, there: bool| {
        if there { format!("{prefix}{}", change.path.display()) } else { "/dev/null".to_owned() }
    };
    let mut text = format!("--- {}\n+++ {}\n", name("a", change.before.is_some()), name("b", change.after.is_some()));
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        text.push_str(&shift(&format!("{}\n", hunk.header()), line));
        let masked = |of: &similar::Change<&[u8]>| redactor.text(&String::from_utf8_lossy(of.value()));
        let gone: std::collections::HashSet<String> =
            hunk.iter_changes().filter(|of| of.tag() == similar::ChangeTag::Delete).map(|of| masked(&of)).collect();
        for of in hunk.iter_changes() {
            let shown = masked(&of);
            let hidden = of.tag() == similar::ChangeTag::Insert && gone.contains(&shown);
            let shown = if hidden { shown.replace(crate::redact::MASK, "*** (changed)") } else { shown };
            text.push_str(&format!("{}{}", of.tag(), shown));
            if of.missing_newline() {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    text
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

/// Adds the lines that were left out in front to the numbers of the hunks.
fn shift(diff: &str, by: usize) -> String {
    if by == 0 {
        return diff.to_owned();
    }
    let moved = |range: &str| {
        let (sign, rest) = range.split_at(1);
        let (first, count) = rest.split_once(',').map_or((rest, None), |(first, count)| (first, Some(count)));
        let first = first.parse::<usize>().map_or_else(|_| first.to_owned(), |first| (first + by).to_string());
        count.map_or_else(|| format!("{sign}{first}"), |count| format!("{sign}{first},{count}"))
    };
    let mut out = String::with_capacity(diff.len());
    for line in diff.split_inclusive('\n') {
        match line.strip_prefix("@@ ").and_then(|rest| rest.split_once(" @@")) {
            Some((ranges, rest)) => {
                let ranges: Vec<String> = ranges.split(' ').map(moved).collect();
                out.push_str(&format!("@@ {} @@{rest}", ranges.join(" ")));
            }
            None => out.push_str(line),
        }
    }
    out
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

    #[test]
    fn numbers_are_those_of_the_whole_file() {
        let old: String = (1..=100).map(|n| format!("line {n}\n")).collect();
        let new = old.replace("line 50\n", "line fifty\n");
        let diff = unified(&change(&old, &new), &Redactor::default());
        assert_eq!(
            diff,
            "--- a/etc/x\n+++ b/etc/x\n@@ -47,7 +47,7 @@\n line 47\n line 48\n line 49\n-line 50\n+line fifty\n line 51\n line 52\n line 53\n"
        );
    }

    #[test]
    fn a_changed_password_shows_as_a_change_without_itself() {
        let diff =
            unified(&change("http_proxy=http://u:old@h:1\n", "http_proxy=http://u:new@h:1\n"), &Redactor::default());
        assert!(diff.contains("-http_proxy=http://u:***@h:1\n+http_proxy=http://u:*** (changed)@h:1\n"), "{diff}");
    }

    #[test]
    fn only_the_secret_that_changed_is_marked() {
        let diff = unified(
            &change("H=a\nA_PASSWORD=same\nB_PASSWORD=old\n", "H=b\nA_PASSWORD=same\nB_PASSWORD=new\n"),
            &Redactor::default(),
        );
        assert!(diff.ends_with("-H=a\n+H=b\n A_PASSWORD=***\n-B_PASSWORD=***\n+B_PASSWORD=*** (changed)\n"), "{diff}");
    }

    #[test]
    fn a_repeated_line_at_the_seam_does_no_harm() {
        for (old, new) in [("a\na\n", "a\na\na\n"), ("a", "a\n"), ("", "a\n"), ("x\ny\n", ""), ("a\nb", "b")] {
            let diff = unified(&change(old, new), &Redactor::default());
            assert!(diff.contains("@@"), "{old:?} {new:?} {diff}");
        }
    }
}
