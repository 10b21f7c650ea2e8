//! The lines of a unit file or of systemd's own configuration, put together as `config_parse()` does it
//! (`src/shared/conf-parser.c`, release 252, and `read_line()` in `src/basic/fileio.c`; systemd.syntax(7)).

use std::ops::Range;

use super::Release;
use super::words::is_blank;

/// systemd stops reading a file at a longer line (`LONG_LINE_MAX`).
const LONGEST: usize = 1 << 20;

/// Before 235 a line was read into a buffer of `LINE_MAX` bytes, its end included; the rest of it was one more line.
const OLD_LONGEST: usize = 2047;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What a file says in one section.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Its assignments, in order.
    pub(crate) entries: Vec<Entry>,
    /// Where reading ends before the end of the file.
    pub(crate) end: Option<End>,
    /// Lines that systemd does not take as they are probably meant: number and what it does.
    pub(crate) complaints: Vec<(usize, &'static str)>,
}

/// Why a file is not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// systemd stops there; otherwise it cannot be told what it makes of the line, and so of the rest.
    pub(crate) certain: bool,
    /// In words.
    pub(crate) why: &'static str,
}

/// `KEY=VALUE`.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What is assigned to.
    pub(crate) key: String,
    /// The value: continuation lines put together, comments inside them left out, no blanks at its ends.
    pub(crate) value: Vec<u8>,
    /// The whole of it in the file, the line's end included.
    pub(crate) span: Range<usize>,
    /// Where `value` begins in the logical line.
    shift: usize,
    pieces: Vec<Piece>,
}

/// A physical line inside a logical one.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Where it begins in the logical line.
    at: usize,
    /// Where it begins in the file.
    offset: usize,
    /// Its number.
    line: usize,
}

impl Entry {
    /// The line on which the byte `at` of the value stands.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.piece(at).line
    }

    /// Where a part of the value stands in the file.
    pub(crate) fn place(&self, part: &Range<usize>) -> Range<usize> {
        let offset = |at: usize| {
            let piece = self.piece(at);
            piece.offset + (at + self.shift - piece.at)
        };
        // The end belongs to the piece of the last byte.
        let end = if part.is_empty() { offset(part.start) } else { offset(part.end - 1) + 1 };
        offset(part.start)..end
    }

    fn piece(&self, at: usize) -> Piece {
        let at = at + self.shift;
        let after = self.pieces.partition_point(|piece| piece.at <= at);
        // The first piece begins at 0, so there is one before every byte.
        self.pieces.get(after.saturating_sub(1)).copied().unwrap_or(Piece { at: 0, offset: 0, line: 0 })
    }
}

/// Reads what the file says in `section`.
pub(crate) fn read(bytes: &[u8], section: &[u8], release: Release) -> Content {
    let mut reader = Reader { section, release, inside: Section::None, content: Content::default() };
    reader.run(bytes);
    reader.content
}

#[derive(Clone, Copy, PartialEq)]
enum Section {
    /// None has begun.
    None,
    /// The one that is read.
    Own,
    Other,
}

struct Reader<'a> {
    section: &'a [u8],
    release: Release,
    inside: Section,
    content: Content,
}

/// A logical line that is being put together.
struct Open {
    text: Vec<u8>,
    pieces: Vec<Piece>,
    start: usize,
}

impl Reader<'_> {
    fn run(&mut self, bytes: &[u8]) {
        let mut open: Option<Open> = None;
        let mut marked = false;
        let (mut at, mut number, mut starts_line) = (0, 0, true);
        while at < bytes.len() {
            if starts_line {
                number += 1;
            }
            let (mut line, next) = match self.physical(bytes, at, number) {
                Ok(found) => found,
                Err(end) => return self.content.end = Some(end),
            };
            let start = at;
            at = next;
            // Otherwise the rest of a line that was cut follows.
            starts_line = next > line.end;
            let text = &bytes[line.clone()];
            let comment = text.iter().find(|byte| !is_blank(**byte)).is_some_and(|byte| matches!(byte, b'#' | b';'));
            if comment {
                // Up to some release a comment in a continued line was a part of it, and one that ends in a backslash took in
                // the next line.
                let odd = open.is_some() || ends_open(text);
                if odd && self.release.between(235, 241) != Some(true) {
                    let why = "what systemd makes of a comment in or before a continued line depends on its release";
                    return self.content.end = Some(End { line: number, certain: false, why });
                }
                continue;
            }
            if !marked && text.starts_with(BYTE_ORDER_MARK) {
                if self.release.between(219, 237) != Some(true) {
                    let why = "what systemd makes of a byte order mark depends on its release";
                    return self.content.end = Some(End { line: number, certain: false, why });
                }
                marked = true;
                line.start += BYTE_ORDER_MARK.len();
            }
            let text = &bytes[line.clone()];
            let goes_on = ends_open(text);
            let mut now = open.take().unwrap_or_else(|| Open { text: Vec::new(), pieces: Vec::new(), start });
            if now.text.len() + text.len() > LONGEST {
                let why = "systemd stops reading the file at a line of more than 1 MiB";
                return self.content.end = Some(End { line: number, certain: true, why });
            }
            now.pieces.push(Piece { at: now.text.len(), offset: line.start, line: number });
            now.text.extend_from_slice(text);
            if goes_on {
                now.text.pop();
                now.text.push(b' ');
                open = Some(now);
                continue;
            }
            if let Err(end) = self.logical(now, at) {
                return self.content.end = Some(end);
            }
        }
        if let Some(now) = open {
            match self.release.between(219, 241) {
                Some(true) => self.content.end = self.logical(now, at).err(),
                Some(false) => {
                    self.content.complaints.push((number, "systemd drops a last line that ends in a backslash"));
                }
                None => {
                    let why = "what systemd makes of a last line that ends in a backslash depends on its release";
                    self.content.end = Some(End { line: number, certain: false, why });
                }
            }
        }
    }

    /// The line that begins at `start`, and where the next one does.
    fn physical(&self, bytes: &[u8], start: usize, line: usize) -> Result<(Range<usize>, usize), End> {
        let rest = &bytes[start..];
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r' | 0)).unwrap_or(rest.len());
        if length >= LONGEST {
            return Err(End {
                line,
                certain: true,
                why: "systemd stops reading the file at a line of more than 1 MiB",
            });
        }
        let mut seen: Vec<u8> = Vec::new();
        let ends = &rest[length..];
        // Line ends of several kinds that follow each other are one; a NUL is the last of them.
        let count = ends
            .iter()
            .take_while(|byte| {
                let one = matches!(byte, b'\n' | b'\r' | 0) && !seen.contains(byte) && !seen.contains(&0);
                seen.push(**byte);
                one
            })
            .count();
        let (end, next) = (start + length, start + length + count);
        let plain = matches!(&ends[..count], b"" | b"\n" | b"\r\n");
        if !plain && self.release.between(219, 252) != Some(true) {
            let why = "what systemd makes of a NUL or of a carriage return alone depends on its release";
            return Err(End { line, certain: false, why });
        }
        if length > OLD_LONGEST - 1 {
            match self.release.between(234, 237) {
                Some(true) => {}
                Some(false) => return Ok((start..start + OLD_LONGEST.min(length), start + OLD_LONGEST.min(length))),
                None => {
                    let why = "systemd before 237 may cut a line of more than 2,047 bytes";
                    return Err(End { line, certain: false, why });
                }
            }
        }
        Ok((start..end, next))
    }

    fn logical(&mut self, now: Open, end: usize) -> Result<(), End> {
        let line = now.pieces.first().map_or(0, |piece| piece.line);
        let text = trim(&now.text, 0..now.text.len());
        let bytes = &now.text[text.clone()];
        let stops = |certain, why| Err(End { line, certain, why });
        if bytes.is_empty() {
            return Ok(());
        }
        if std::str::from_utf8(bytes).is_err() {
            match self.release.between(219, 237) {
                Some(true) => return stops(true, "systemd stops reading the file at a line that is not UTF-8"),
                Some(false) => {}
                None => return stops(false, "what systemd makes of a line that is not UTF-8 depends on its release"),
            }
        }
        if bytes[0] == b'[' {
            let Some(name) = bytes[1..].strip_suffix(b"]") else {
                return stops(true, "systemd stops reading the file at a section header without a closing bracket");
            };
            if name.iter().any(|byte| matches!(byte, 0..=0x1f | 0x7f | b'"' | b'\'' | b'\\')) {
                return stops(true, "systemd stops reading the file at a section header with such a character");
            }
            self.inside = if name == self.section { Section::Own } else { Section::Other };
            return Ok(());
        }
        if bytes.starts_with(b".include ") && self.release.since(246) != Some(true) {
            return stops(false, "systemd before 246 reads another file there (.include)");
        }
        if self.inside == Section::None {
            self.content.complaints.push((line, "systemd ignores it: it stands before the first section"));
            return Ok(());
        }
        let Some(sign) = memchr::memchr(b'=', bytes) else {
            return match self.release.between(234, 246) {
                Some(true) => {
                    if self.inside == Section::Own {
                        self.content.complaints.push((line, "systemd ignores it: it has no equals sign"));
                    }
                    Ok(())
                }
                Some(false) => stops(true, "systemd stops reading the file at a line without an equals sign"),
                None => stops(false, "what systemd makes of a line without an equals sign depends on its release"),
            };
        };
        if self.inside != Section::Own {
            return Ok(());
        }
        let key = trim(&now.text, text.start..text.start + sign);
        let value = trim(&now.text, text.start + sign + 1..text.end);
        self.content.entries.push(Entry {
            key: String::from_utf8_lossy(&now.text[key]).into_owned(),
            value: now.text[value.clone()].to_vec(),
            span: now.start..end,
            shift: value.start,
            pieces: now.pieces,
        });
        Ok(())
    }
}

/// Does a line end in a backslash that is not itself escaped?
fn ends_open(text: &[u8]) -> bool {
    text.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The part of a range without the blanks at its ends.
fn trim(text: &[u8], range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = part.iter().position(|byte| !is_blank(*byte)).unwrap_or(part.len());
    let end = part.iter().rposition(|byte| !is_blank(*byte)).map_or(start, |last| last + 1);
    range.start + start..range.start + end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Version;
    use proptest::prelude::*;

    fn of(release: &str, text: impl AsRef<[u8]>) -> Content {
        read(text.as_ref(), b"Service", Release::of(Version::parse(release).as_ref()))
    }

    fn values(release: &str, text: impl AsRef<[u8]>) -> Vec<String> {
        let content = of(release, text);
        content.entries.iter().map(|entry| format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value))).collect()
    }

    #[test]
    fn lines_are_put_together_as_systemd_does() {
        for (text, found) in [
            ("A=0\n[Service]\nA=1\n[Unit]\nA=2\n[Service]\r\n B = 3 \r\n", &["A=1", "B=3"][..]),
            ("[Service]\nA=1 \\\n# comment\n  2 \\\n; \\\n 3\nB=4", &["A=1    2   3", "B=4"]),
            ("[Service]\n# comment \\\nA=1\n", &["A=1"]),
            ("[Service]\nA=1\\\\\nB=2\n", &["A=1\\\\", "B=2"]),
            ("\u{feff}[Service]\nA=1\\", &["A=1"]),
            ("[Service]\nA\n=x\nA=1\0B=2\rC=3\n\rD=4", &["=x", "A=1", "B=2", "C=3", "D=4"]),
            ("[Service] # x\nA=1\n", &[]),
            ("[service]\nA=1\n", &[]),
        ] {
            assert_eq!(values("252", text), found, "{text}");
        }
        assert_eq!(values("252", b"[Service]\nA=1\nB=\xff\nC=3\n"), ["A=1"]);
    }

    #[test]
    fn places_of_words_in_continued_lines() {
        let text = "[Service]\nEnvironment=A=1 \\\n\n# c\n B=2\nEnvironment=\\\nC=3\n";
        let content = of("252", text);
        let entry = &content.entries[0];
        assert_eq!((entry.line(0), entry.value.as_slice()), (2, b"A=1".as_slice()), "the empty line ends it");
        let text = text.replace("\n\n", "\n");
        let content = of("252", &text);
        let entry = &content.entries[0];
        let at = entry.value.iter().position(|byte| *byte == b'B').unwrap();
        assert_eq!(entry.line(at), 4);
        assert_eq!(&text[entry.place(&(at..at + 3))], "B=2");
        assert_eq!(&text[content.entries[1].place(&(0..3))], "C=3");
    }

    #[test]
    fn what_old_releases_do_otherwise_is_known_or_unknown() {
        let long = format!("[Service]\nA={}\nB=2\n", "x".repeat(3000));
        assert_eq!(values("252", &long).len(), 2);
        let old = of("219", &long);
        assert_eq!(old.entries[0].value.len(), 2045);
        assert!(old.end.unwrap().certain, "its rest has no equals sign, and there the file ends");
        assert!(!of("235", &long).end.unwrap().certain);
        for text in ["A=1 \\\n#c\n2\n", "#c \\\nA=1\n", "A\n", "A=1\rB=2\n", ".include x\n"] {
            let text = format!("[Service]\n{text}");
            assert!(of("252", &text).end.is_none(), "{text}");
            assert!(read(text.as_bytes(), b"Service", Release::UNKNOWN).end.is_some_and(|end| !end.certain), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_places_are_inside(bytes in proptest::collection::vec(any::<u8>(), 0..60), pieces in "(\\[Service\\]|A=1|\\\\|\n|\r| |#|\"){0,30}") {
            let text = [b"[Service]\n".as_slice(), pieces.as_bytes(), &bytes, pieces.as_bytes()].concat();
            for release in [Release::MEASURED, Release::UNKNOWN] {
                for entry in read(&text, b"Service", release).entries {
                    for at in 0..entry.value.len() {
                        let place = entry.place(&(at..at + 1));
                        prop_assert!(place.end <= text.len() && entry.span.start <= place.start && place.end <= entry.span.end);
                    }
                }
            }
        }
    }
}
