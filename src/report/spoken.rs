//! Sentences that know what in them can be typed, and how they are set.

use std::ops::Range;

use console::measure_text_width;
use serde::{Serialize, Serializer};

use super::window::{room, wrapped};

/// The characters of a sentence, and which of them can be typed as they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spoken {
    text: String,
    /// Bytes of `text`, in order.
    typed: Vec<Range<usize>>,
}

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Can it be typed: a command, a flag, a statement of SQL?
    pub(super) is_typed: bool,
    pub(super) text: String,
}

impl Spoken {
    pub(super) fn push(&mut self, is_typed: bool, part: &str) {
        let begin = self.text.len();
        self.text.push_str(part);
        match self.typed.last_mut().filter(|last| last.end == begin) {
            _ if !is_typed || part.is_empty() => {}
            Some(last) => last.end = self.text.len(),
            None => self.typed.push(begin..self.text.len()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Behind a word that tells what it is: `advice: …`.
    pub(crate) fn labelled(&self, label: &str) -> Self {
        let mut labelled = Self::default();
        labelled.push(false, &format!("{label}: "));
        self.spans().for_each(|span| labelled.push(span.is_typed, &span.text));
        labelled
    }

    /// Without line ends around it and blanks behind it.
    pub(super) fn trimmed(&self) -> Self {
        let end = self.text.trim_end().len();
        let begin = (self.text.len() - self.text.trim_start_matches('\n').len()).min(end);
        let within = |at: usize| at.clamp(begin, end) - begin;
        let typed = self.typed.iter().map(|own| within(own.start)..within(own.end)).filter(|own| !own.is_empty());
        Self { typed: typed.collect(), text: self.text[begin..end].to_owned() }
    }

    /// Several lines as one.
    pub(super) fn one_line(&self) -> Self {
        let mut joined = Self::default();
        for span in self.spans() {
            let lines: Vec<&str> = span.text.split('\n').collect();
            let last = lines.len() - 1;
            let line = lines.iter().enumerate().map(|(at, line)| match at {
                _ if last == 0 => line,
                0 => line.trim_end(),
                at if at == last => line.trim_start(),
                _ => line.trim(),
            });
            joined.push(span.is_typed, &line.collect::<Vec<_>>().join(" "));
        }
        joined.trimmed()
    }

    /// The parts, in their order.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        let ends = self.typed.iter().flat_map(|own| [(false, own.start), (true, own.end)]);
        let mut begin = 0;
        ends.chain([(false, self.text.len())]).filter_map(move |(is_typed, end)| {
            let text = self.text.get(begin..end)?.to_owned();
            begin = end;
            (!text.is_empty()).then_some(Span { is_typed, text })
        })
    }
}

impl Serialize for Spoken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// A sentence in lines that begin at `indent`: one where it fits. Else what is said is broken at blanks, and what can be typed
/// stands on lines of its own, whole: what is broken does not paste.
pub(crate) fn set(sentence: &Spoken, indent: usize, columns: Option<usize>) -> Vec<String> {
    set_with(sentence, indent, columns, str::to_owned)
}

/// The same with what can be typed in its own paint.
pub(super) fn set_with(
    sentence: &Spoken,
    indent: usize,
    columns: Option<usize>,
    typed: impl Fn(&str) -> String,
) -> Vec<String> {
    let room = columns.map(|columns| room(columns, indent));
    let is_short = room.is_none_or(|room| measure_text_width(&sentence.text) <= room) && !sentence.text.contains('\n');
    if is_short {
        let painted = |span: Span| if span.is_typed { typed(&span.text) } else { span.text };
        return vec![sentence.spans().map(painted).collect()];
    }
    // A semicolon between two of them stays with the first; what else closes a sentence would be pasted with it.
    let mut lines: Vec<String> = Vec::new();
    for span in sentence.spans() {
        let words = span.text.trim();
        match lines.last_mut() {
            Some(last) if words == ";" => last.push_str(words),
            Some(_) if [")", ",", "."].contains(&words) => {}
            _ if span.is_typed => lines.push(typed(words)),
            // One below the other says so.
            _ if words == ", then" => {}
            _ => lines.extend(wrapped(words.trim_start_matches([',', ';', ' ']), indent, columns)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Redactor;
    use crate::report::sentence;
    use crate::text;
    use crate::text::{Text, own, typed};

    fn spoken(text: &Text) -> Spoken {
        sentence(&Redactor::default(), text)
    }

    #[test]
    fn what_can_be_typed_stays_whole_in_any_window() {
        for (text, lines) in [
            ("log in again: running sessions keep it".into(), &["log in again: running sessions", "keep it"][..]),
            (text!("see: {}", typed("df -h")), &["see: df -h"]),
            (
                text!("see it there: {}, then {}", typed("sudo su - divvy"), typed("env | grep -i proxy")),
                &["see it there:", "sudo su - divvy", "env | grep -i proxy"],
            ),
            (
                text!("see there: {}; {} (as a member)", typed("cat /etc/a-file"), typed("getent group docker")),
                &["see there:", "cat /etc/a-file;", "getent group docker", "(as a member)"],
            ),
            (
                typed("ics-setup check --only a,b,c,d,e,f,g,h,i,j,k").into(),
                &["ics-setup check --only a,b,c,d,e,f,g,h,i,j,k"],
            ),
            (
                text!("it is: not whole; or have it made: {}", typed("ics-setup install --with a-long-flag 'X: y'")),
                &["it is: not whole; or have it", "made:", "ics-setup install --with a-long-flag 'X: y'"],
            ),
        ] {
            assert_eq!(set(&spoken(&text), 10, Some(40)), lines);
            assert_eq!(set(&spoken(&text), 10, None), [text.to_string()]);
        }
    }

    #[test]
    fn lines_and_blanks_around_a_sentence_go_and_its_parts_stay() {
        let text = text!("\n a\n  b: {}\n{} \n", typed("c\n  d"), own("e"));
        let told = |spoken: &Spoken| spoken.spans().map(|span| (span.is_typed, span.text)).collect::<Vec<_>>();
        let parts =
            |parts: &[(bool, &str)]| parts.iter().map(|(is, text)| (*is, (*text).to_owned())).collect::<Vec<_>>();
        assert_eq!(told(&spoken(&text)), parts(&[(false, " a b: "), (true, "c d"), (false, " e")]));
        assert_eq!(spoken(&text).labelled("advice").as_str(), "advice:  a b: c d e");
        assert_eq!(told(&spoken(&Text::default())), []);
    }
}
