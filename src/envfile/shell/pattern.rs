//! Patterns of `case`, `[[`, `${x#…}` and file names.

/// A byte of a pattern and whether it stands in quotes.
pub(crate) type Marked = (u8, bool);

/// Bytes of a pattern times bytes of a text that are compared at most.
const MOST_WORK: usize = 1 << 20;

/// Does the pattern match the whole text? `None`: it has what is not modelled (classes by name, ranges of letters in some
/// locale).
pub(crate) fn matches(pattern: &[Marked], text: &[u8]) -> Option<bool> {
    if !is_plain(pattern) || pattern.len().saturating_mul(text.len()) > MOST_WORK {
        return None;
    }
    // The last star and where it stood in the text: what follows it is tried again one byte later.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some((b'*', false)) => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some((b'?', false)) => Some(1),
            Some((b'[', false)) => bracket(&pattern[p..], text[t]),
            Some((byte, _)) => (*byte == text[t]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
            (None, None) => return Some(false),
        }
    }
    Some(pattern[p..].iter().all(|marked| *marked == (b'*', false)))
}

/// The length of the bracket expression at the front, if it matches; of one byte where it is none.
fn bracket(pattern: &[Marked], byte: u8) -> Option<usize> {
    let Some(end) = bracket_end(pattern) else { return (byte == b'[').then_some(1) };
    let mut inner = &pattern[1..end];
    let negated = matches!(inner.first(), Some((b'!' | b'^', false)));
    if negated {
        inner = &inner[1..];
    }
    let mut hit = false;
    let mut at = 0;
    while at < inner.len() {
        if at + 2 < inner.len() && inner[at + 1] == (b'-', false) {
            hit |= (inner[at].0..=inner[at + 2].0).contains(&byte);
            at += 3;
        } else {
            hit |= inner[at].0 == byte;
            at += 1;
        }
    }
    (hit != negated).then_some(end + 1)
}

fn bracket_end(pattern: &[Marked]) -> Option<usize> {
    let first = if matches!(pattern.get(1), Some((b'!' | b'^', false))) { 3 } else { 2 };
    (first..pattern.len()).find(|at| pattern[*at] == (b']', false))
}

/// Without what depends on locale or options: `[[:alpha:]]`, bytes outside ASCII in brackets.
fn is_plain(pattern: &[Marked]) -> bool {
    let odd = |pair: &[Marked]| pair[0] == (b'[', false) && matches!(pair[1].0, b':' | b'.' | b'=');
    let has_brackets = pattern.contains(&(b'[', false));
    !(pattern.windows(2).any(odd) || has_brackets && pattern.iter().any(|(byte, _)| !byte.is_ascii()))
}

/// Has it anything but bytes that stand for themselves?
pub(super) fn is_pattern(text: &[Marked]) -> bool {
    let last = text.iter().rposition(|marked| *marked == (b']', false)).unwrap_or(0);
    text.iter().enumerate().any(|(at, (byte, quoted))| {
        !quoted && (matches!(byte, b'*' | b'?') || *byte == b'[' && at < last && bracket_end(&text[at..]).is_some())
    })
}

/// A longer text is not cut: each of its beginnings is a text to match.
const LONGEST_CUT: usize = 1 << 12;

/// `text` without its shortest or longest beginning (or end) that the pattern matches.
pub(super) fn strip(text: &[u8], pattern: &[Marked], from_end: bool, longest: bool) -> Option<Vec<u8>> {
    let cut = |length: usize| if from_end { text.split_at(text.len() - length).1 } else { &text[..length] };
    if text.len() > LONGEST_CUT {
        return None;
    }
    let mut lengths: Vec<usize> = (0..=text.len()).collect();
    if longest {
        lengths.reverse();
    }
    for length in lengths {
        if matches(pattern, cut(length))? {
            let rest = if from_end { &text[..text.len() - length] } else { &text[length..] };
            return Some(rest.to_vec());
        }
    }
    Some(text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_the_shell() {
        let marked = |text: &str| text.bytes().map(|byte| (byte, false)).collect::<Vec<_>>();
        for (pattern, text, wanted) in [
            ("*i*", "himBH", true),
            ("*i*", "hBc", false),
            ("*.sh", "a.sh", true),
            ("*.sh", "a.sh~", false),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[", "[", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(&marked(pattern), text.as_bytes()), Some(wanted), "{pattern} {text}");
        }
        assert_eq!(matches(&[(b'*', true)], b"a"), Some(false));
        assert_eq!(matches(&marked("[[:alpha:]]"), b"a"), None);
        assert_eq!(strip(b"himBH", &marked("*i"), false, false).unwrap(), b"mBH");
        assert_eq!(strip(b"a/b/c", &marked("/*"), true, true).unwrap(), b"a");
        assert_eq!(strip(b"a/b/c", &marked("*/"), false, true).unwrap(), b"c");
    }
}
