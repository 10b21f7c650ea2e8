//! INI files of dnf and yum: one parser, for what the reader gets and for changing keys without touching the rest.
//!
//! dnf: `IniParser::next` and `trimValue` of libdnf (`libdnf/utils/iniparser/iniparser.cpp`, 0.69 to 0.73; libdnf5 has the
//! same), held against dnf 4.14 by `tests/lab/packages.rs`. yum 3: `iniparse` as its `config.py` uses it, by its source.

use std::ops::Range;

/// Whose grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// `key = value`; a pair of quotes around the whole value goes.
    Dnf,
    /// `key = value` or `key: value`, keys in any case, quotes stay, ` ;` begins a remark.
    Yum,
}

/// yum's word for another file, in any section.
const INCLUDE: &[u8] = b"include";

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its section.
    pub(crate) section: Vec<u8>,
    /// The key as it counts: in lower case where case does not matter.
    pub(crate) key: Vec<u8>,
    /// What the reader gets, continuation lines joined by line feeds.
    pub(crate) value: Vec<u8>,
    /// Line of the key, counted from 1.
    pub(crate) line: usize,
    /// Its bytes with those of its continuation lines and their ends.
    span: Range<usize>,
}

/// A line that the reader refuses; nothing of the file counts for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong with it.
    pub(crate) why: &'static str,
}

/// The file as its reader takes it apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ini {
    /// In the order of the file, duplicates and all.
    pub(crate) entries: Vec<Entry>,
    /// Sections, each with the end of its last line that is not blank.
    sections: Vec<(Vec<u8>, usize)>,
}

impl Ini {
    /// Takes the file apart. Total on any bytes, in linear time.
    ///
    /// # Errors
    /// The first line that the reader refuses.
    pub(crate) fn parse(bytes: &[u8], grammar: Grammar) -> Result<Self, Refused> {
        let mut ini = Self::default();
        // A value is open as long as indented lines may follow.
        let (mut open, mut start) = (false, 0);
        for (index, piece) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let (line, from) = (index + 1, start);
            start += piece.len();
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let text = if line == 1 { text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text) } else { text };
            if text.is_empty() || is_remark(text, grammar) {
                open = false;
            } else if let Some((blanks, body)) = trimmed(text) {
                ini.line(Line { blanks, body, line, span: from..start }, &mut open, grammar)?;
            } else if let Some(entry) = ini.entries.last_mut().filter(|_| open) {
                entry.value.push(b'\n');
            }
            if let Some((_, end)) = ini.sections.last_mut().filter(|_| trimmed(text).is_some()) {
                *end = start;
            }
        }
        for entry in &mut ini.entries {
            let kept = entry.value.iter().rposition(|byte| *byte != b'\n').map_or(entry.value.len(), |at| at + 1);
            entry.value.truncate(kept);
            if let (Grammar::Dnf, [first @ (b'"' | b'\''), inner @ .., last]) = (grammar, entry.value.as_slice())
                && first == last
            {
                entry.value = inner.to_vec();
            }
        }
        Ok(ini)
    }

    /// The entry of this key that counts: the last one of the section.
    pub(crate) fn get(&self, section: &[u8], key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.section == section && entry.key == key.as_bytes())
    }

    /// The line with yum's `include`, which stands for another file.
    pub(crate) fn include(&self) -> Option<usize> {
        self.entries.iter().find(|entry| entry.key == INCLUDE).map(|entry| entry.line)
    }

    /// The sections, each once, in the order of the file.
    pub(crate) fn sections(&self) -> Vec<&[u8]> {
        let mut names: Vec<&[u8]> = Vec::new();
        let mut known = std::collections::BTreeSet::new();
        for (name, _) in &self.sections {
            if known.insert(name) {
                names.push(name);
            }
        }
        names
    }

    fn line(&mut self, line: Line<'_>, open: &mut bool, grammar: Grammar) -> Result<(), Refused> {
        let refused = |why| Err(Refused { line: line.line, why });
        let body = line.body;
        let header = body[0] == b'[' && (grammar == Grammar::Dnf || line.blanks == 0);
        if header {
            *open = false;
            let Some(end) = memchr::memchr(b']', body) else { return refused("a section without its closing bracket") };
            if end == 1 {
                return refused("a section without a name");
            }
            // libdnf does not look at the last character of the line.
            let rest = body.get(end + 1..body.len() - 1).unwrap_or_default();
            let rest = &rest[..memchr::memchr2(b'#', b';', rest).unwrap_or(rest.len())];
            if rest.iter().any(|byte| !is_blank(*byte)) {
                return refused("text behind a section");
            }
            self.sections.push((body[1..end].to_vec(), line.span.end));
            return Ok(());
        }
        if line.blanks > 0 {
            let Some(entry) = self.entries.last_mut().filter(|_| *open) else {
                return refused("an indented line that continues nothing");
            };
            entry.value.push(b'\n');
            entry.value.extend_from_slice(body);
            entry.span.end = line.span.end;
            return Ok(());
        }
        let sign = match grammar {
            Grammar::Dnf => memchr::memchr(b'=', body),
            Grammar::Yum => memchr::memchr2(b'=', b':', body),
        };
        let Some(sign) = sign else { return refused("a line without an equals sign") };
        let mut key = body[..sign].trim_ascii_end().to_vec();
        let mut value = &body[sign + 1..];
        value = trimmed(value).map_or(&[], |(_, value)| value);
        if key.is_empty() {
            return refused("a value without a key");
        }
        if grammar == Grammar::Yum {
            key.make_ascii_lowercase();
            let remark = memchr::memchr(b';', value).filter(|at| *at > 0 && value[at - 1].is_ascii_whitespace());
            value = value[..remark.unwrap_or(value.len())].trim_ascii_end();
        }
        let section = match self.sections.last() {
            Some((section, _)) => section.clone(),
            None if grammar == Grammar::Yum && key == INCLUDE => Vec::new(),
            None => return refused("a line before the first section"),
        };
        *open = true;
        let value = value.to_vec();
        self.entries.push(Entry { section, key, value, line: line.line, span: line.span });
        Ok(())
    }
}

/// A line that is neither empty nor a remark.
struct Line<'a> {
    /// How many blanks stand in front.
    blanks: usize,
    /// What stands between the blanks at both ends; never empty.
    body: &'a [u8],
    line: usize,
    span: Range<usize>,
}

fn is_remark(text: &[u8], grammar: Grammar) -> bool {
    let rem = |text: &[u8]| {
        text.len() >= 3 && text[..3].eq_ignore_ascii_case(b"rem") && text.get(3).is_none_or(|byte| is_blank(*byte))
    };
    matches!(text[0], b'#' | b';') || (grammar == Grammar::Yum && rem(text))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

fn trimmed(text: &[u8]) -> Option<(usize, &[u8])> {
    let first = text.iter().position(|byte| !is_blank(*byte))?;
    let last = text.iter().rposition(|byte| !is_blank(*byte))?;
    Some((first, &text[first..=last]))
}

/// The file with these keys of the section set (`Some`) or taken out (`None`). All other bytes stay.
///
/// # Errors
/// The reader refuses the file as it is.
pub(crate) fn edit(
    bytes: &[u8],
    grammar: Grammar,
    section: &str,
    wishes: &[(&str, Option<&str>)],
) -> Result<Vec<u8>, Refused> {
    let ini = Ini::parse(bytes, grammar)?;
    let mut done = vec![false; wishes.len()];
    let mut splices: Vec<(Range<usize>, String)> = Vec::new();
    for entry in ini.entries.iter().filter(|entry| entry.section == section.as_bytes()) {
        let Some(index) = wishes.iter().position(|(key, _)| entry.key == key.as_bytes()) else { continue };
        let end = if bytes[entry.span.clone()].ends_with(b"\r\n") { "\r\n" } else { "\n" };
        // The last one counts for both readers: there must be only one.
        let line = match wishes[index] {
            (_, Some(value)) if !done[index] && entry.value == value.as_bytes() => None,
            (key, Some(value)) if !done[index] => Some(format!("{key}={value}{end}")),
            _ => Some(String::new()),
        };
        done[index] |= wishes[index].1.is_some();
        splices.extend(line.map(|line| (entry.span.clone(), line)));
    }
    let wanted = wishes.iter().zip(&done).filter_map(|((key, value), done)| Some((key, value.filter(|_| !done)?)));
    let mut missing: String = wanted.map(|(key, value)| format!("{key}={value}\n")).collect();
    if !missing.is_empty() {
        let last = ini.sections.iter().rev().find(|(name, _)| name == section.as_bytes());
        let at = last.map_or(bytes.len(), |(_, end)| *end);
        if last.is_none() {
            missing = format!("[{section}]\n{missing}");
        }
        let open = at == bytes.len() && !bytes.is_empty() && !bytes.ends_with(b"\n");
        if open && splices.last().is_none_or(|(span, _)| span.end < at) {
            missing.insert(0, '\n');
        }
        splices.push((at..at, missing));
    }
    splices.sort_by_key(|(span, _)| (span.end, span.start));
    let (mut out, mut from) = (Vec::with_capacity(bytes.len() + 64), 0);
    for (span, line) in splices {
        out.extend_from_slice(&bytes[from..span.start]);
        out.extend_from_slice(line.as_bytes());
        from = span.end;
    }
    out.extend_from_slice(&bytes[from..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edited(bytes: &[u8], section: &str, wishes: &[(&str, Option<&str>)]) -> String {
        String::from_utf8(edit(bytes, Grammar::Dnf, section, wishes).unwrap()).unwrap()
    }

    #[test]
    fn keys_are_set_in_their_section_only() {
        let before = b"[main]\ngpgcheck=1\nproxy = http://o:1\nproxy_password=x\n y\n\n[repo]\nproxy=keep\n";
        let wishes = [("proxy", Some("http://p:1")), ("proxy_password", None), ("new", Some("1"))];
        let after = edited(before, "main", &wishes);
        assert_eq!(after, "[main]\ngpgcheck=1\nproxy=http://p:1\nnew=1\n\n[repo]\nproxy=keep\n");
        assert_eq!(edited(after.as_bytes(), "main", &wishes), after);
        assert_eq!(edited(b"", "main", &[("proxy", Some("x"))]), "[main]\nproxy=x\n");
        assert_eq!(edited(b"[main]\na=1", "main", &[("proxy", Some("x"))]), "[main]\na=1\nproxy=x\n");
        assert_eq!(edited(b"", "main", &[("proxy", None)]), "");
        assert_eq!(
            edited(b"[main] # c\nproxy=a\r\nproxy=b\n", "main", &[("proxy", Some("x"))]),
            "[main] # c\nproxy=x\r\n"
        );
        assert_eq!(edited(b"[main]\nproxy=\"x\"\n", "main", &[("proxy", Some("x"))]), "[main]\nproxy=\"x\"\n");
        let yum = edit(b"[main]\nProxy: a\n", Grammar::Yum, "main", &[("proxy", Some("x"))]).unwrap();
        assert_eq!(yum, b"[main]\nproxy=x\n");
    }

    #[test]
    fn values_and_refusals_of_each_reader() {
        let dnf = |text: &str| Ini::parse(text.as_bytes(), Grammar::Dnf);
        let yum = |text: &str| Ini::parse(text.as_bytes(), Grammar::Yum);
        let value = |ini: Result<Ini, Refused>| {
            ini.map(|ini| ini.get(b"main", "proxy").map(|entry| String::from_utf8(entry.value.clone()).unwrap()))
        };
        for (text, of_dnf, of_yum) in [
            ("[main]\nproxy=\"http://h:1\"\n", Ok(Some("http://h:1")), Ok(Some("\"http://h:1\""))),
            ("[main]\nproxy=\"http://h:1\";\n", Ok(Some("\"http://h:1\";")), Ok(Some("\"http://h:1\";"))),
            ("[main]\nproxy=a\nproxy = b \r\n", Ok(Some("b")), Ok(Some("b"))),
            ("[main]\nPROXY=a\n", Ok(None), Ok(Some("a"))),
            ("[main]\nproxy=a ; c\n", Ok(Some("a ; c")), Ok(Some("a"))),
            ("[main]\nproxy=a\n b\n", Ok(Some("a\nb")), Ok(Some("a\nb"))),
            ("[main]\nproxy=a\n# c\n b\n", Err(4), Err(4)),
            ("[x]\nproxy=a\n[main]\n", Ok(None), Ok(None)),
            ("[x]\n[main]\nproxy=a\n[x]\n[main]\nproxy=b\n", Ok(Some("b")), Ok(Some("b"))),
            ("proxy=a\n", Err(1), Err(1)),
            ("[main]\nproxy\n", Err(2), Err(2)),
            ("[main]\nproxy: a\n", Err(2), Ok(Some("a"))),
            ("[main\n", Err(1), Err(1)),
            ("\u{feff}[main]\nproxy=a", Ok(Some("a")), Ok(Some("a"))),
            ("[main]\ninclude=x\nproxy=a\n", Ok(Some("a")), Ok(Some("a"))),
        ] {
            let expected = |of: Result<Option<&str>, usize>| of.map(|value| value.map(str::to_owned));
            assert_eq!(value(dnf(text)).map_err(|refused| refused.line), expected(of_dnf), "dnf {text:?}");
            assert_eq!(value(yum(text)).map_err(|refused| refused.line), expected(of_yum), "yum {text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_edit_gives_what_was_wished_and_a_second_one_changes_nothing(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "[main]\n", "[x]\n", "proxy=a\n", "proxy = \"b\"\n", " c\n", "\n", "# r\n", "other=1\r\n", "proxy=", "\t",
            ]), 0..12),
        ) {
            let before = pieces.concat();
            let wishes = [("proxy", Some("http://p:1"))];
            if let Ok(after) = edit(before.as_bytes(), Grammar::Dnf, "main", &wishes) {
                let read = Ini::parse(&after, Grammar::Dnf).unwrap();
                prop_assert_eq!(&read.get(b"main", "proxy").unwrap().value, b"http://p:1", "{:?}", before);
                prop_assert_eq!(edit(&after, Grammar::Dnf, "main", &wishes).unwrap(), after.clone());
                let gone = edit(&after, Grammar::Dnf, "main", &[("proxy", None)]).unwrap();
                prop_assert!(Ini::parse(&gone, Grammar::Dnf).unwrap().get(b"main", "proxy").is_none());
                let others = |bytes: &[u8]| -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
                    let ini = Ini::parse(bytes, Grammar::Dnf).unwrap();
                    let kept = ini.entries.into_iter().filter(|own| own.key != b"proxy" || own.section != b"main");
                    kept.map(|own| (own.section, own.key, own.value)).collect()
                };
                prop_assert_eq!(others(before.as_bytes()), others(&after));
            }
        }
    }
}
