//! The words of a value, as `extract_first_word()` of systemd takes them apart (`src/basic/extract-word.c`, release 252;
//! systemd.syntax(7), systemd.service(5) "Command lines").

use std::ops::Range;

/// What a reader does with backslashes and with quotes that are not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// C escapes are decoded; any other escape is an error (`Environment=`, `UnsetEnvironment=`).
    Escapes,
    /// C escapes are decoded; any other one stays as it is (second try of `ExecStart=`).
    EscapesOrVerbatim,
    /// A backslash takes the character behind it as it is (`PassEnvironment=`).
    Plain,
    /// As `Plain`, and an open quote or a last backslash is no error (a variable that stands alone in `ExecStart=`).
    Relaxed,
}

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its bytes as they stand, quotes included.
    pub(crate) span: Range<usize>,
    /// Quotes and escapes taken away.
    pub(crate) value: Vec<u8>,
    /// Where the next one may begin.
    pub(crate) next: usize,
}

/// An open quote, or an escape that there is not: the rest of the value is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Does systemd take the byte for a blank?
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The first word of `text` from `at` on; `None`: there is none.
///
/// # Errors
/// [`Broken`].
pub(crate) fn first(text: &[u8], at: usize, mode: Mode) -> Result<Option<Word>, Broken> {
    let Some(start) = (at..text.len()).find(|at| !is_blank(text[*at])) else { return Ok(None) };
    let (mut at, mut value, mut quote) = (start, Vec::new(), None);
    while let Some(&byte) = text.get(at) {
        match quote {
            Some(open) if byte == open => quote = None,
            None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
            None if is_blank(byte) => break,
            _ if byte == b'\\' => {
                at += 1;
                match (text.get(at), mode) {
                    (None, Mode::Relaxed) => break,
                    (None, Mode::EscapesOrVerbatim) if quote.is_none() => {
                        value.push(b'\\');
                        break;
                    }
                    (None, _) => return Err(Broken),
                    (Some(&byte), Mode::Plain | Mode::Relaxed) => value.push(byte),
                    (Some(&byte), Mode::Escapes | Mode::EscapesOrVerbatim) => match unescape(&text[at..]) {
                        Some((length, bytes)) => {
                            at += length - 1;
                            value.extend_from_slice(&bytes);
                        }
                        None if mode == Mode::EscapesOrVerbatim => value.extend_from_slice(&[b'\\', byte]),
                        None => return Err(Broken),
                    },
                }
            }
            _ => value.push(byte),
        }
        at += 1;
    }
    let end = at.min(text.len());
    if quote.is_some() && mode != Mode::Relaxed {
        return Err(Broken);
    }
    let next = (end..text.len()).find(|at| !is_blank(text[*at])).unwrap_or(text.len());
    Ok(Some(Word { span: start..end, value, next }))
}

/// All words up to the first that is broken, and whether one is.
pub(crate) fn all(text: &[u8], mode: Mode) -> (Vec<Word>, bool) {
    let (mut words, mut at) = (Vec::new(), 0);
    loop {
        match first(text, at, mode) {
            Ok(Some(word)) => {
                at = word.next;
                words.push(word);
            }
            Ok(None) => return (words, false),
            Err(Broken) => return (words, true),
        }
    }
}

/// Do all releases split a value in the same way: no backslash, quotes around whole words alone? Before 229 a quote inside a
/// word stood for itself.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    let (words, broken) = all(text, Mode::Escapes);
    let whole = |word: &[u8]| match word {
        [open, inner @ .., close] if is_quote(open) && open == close => !inner.contains(open),
        word => !word.iter().any(is_quote),
    };
    let rest = words.last().map_or(0, |word| word.next);
    // A quote that is not closed ends what is read everywhere.
    let opens = !broken || text[rest..].iter().find(|byte| !is_blank(**byte)).is_some_and(is_quote);
    !text.contains(&b'\\') && opens && words.iter().all(|word| whole(&text[word.span.clone()]))
}

/// `cunescape_one()`: how many bytes behind the backslash belong to the escape, and what it stands for.
fn unescape(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let digits = |count: usize, radix: u32, from: usize| {
        let digits = std::str::from_utf8(text.get(from..from + count)?).ok()?;
        // A sign is no digit, though Rust takes one.
        digits.bytes().all(|byte| char::from(byte).is_digit(radix)).then_some(())?;
        u32::from_str_radix(digits, radix).ok().filter(|value| *value != 0)
    };
    let one = |byte: u8| Some((1, vec![byte]));
    match text.first()? {
        b'a' => one(7),
        b'b' => one(8),
        b'f' => one(12),
        b'n' => one(b'\n'),
        b'r' => one(b'\r'),
        b't' => one(b'\t'),
        b'v' => one(11),
        b's' => one(b' '),
        byte @ (b'\\' | b'"' | b'\'') => one(*byte),
        b'x' => Some((3, vec![u8::try_from(digits(2, 16, 1)?).ok()?])),
        b'u' => Some((5, encode(digits(4, 16, 1)?))),
        b'U' => Some((9, char::from_u32(digits(8, 16, 1)?)?.to_string().into_bytes())),
        b'0'..=b'7' => Some((3, vec![u8::try_from(digits(3, 8, 0)?).ok()?])),
        _ => None,
    }
}

/// `utf8_encode_unichar()`, which takes halves of surrogate pairs for characters too; what is made of them is not UTF-8.
fn encode(code: u32) -> Vec<u8> {
    match char::from_u32(code) {
        Some(character) => character.to_string().into_bytes(),
        None => [0xe0 | code >> 12, 0x80 | (code >> 6 & 0x3f), 0x80 | (code & 0x3f)]
            .into_iter()
            .filter_map(|byte| u8::try_from(byte).ok())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, mode: Mode) -> (Vec<String>, bool) {
        let (words, broken) = all(text.as_bytes(), mode);
        (words.into_iter().map(|word| String::from_utf8_lossy(&word.value).into_owned()).collect(), broken)
    }

    #[test]
    fn words_are_taken_apart_as_systemd_does() {
        for (text, found, broken) in [
            ("", &[][..], false),
            ("A=1  B=2\t", &["A=1", "B=2"], false),
            ("\"A=1 2\" 'B=x\"y' C=a'b c'd", &["A=1 2", "B=x\"y", "C=ab cd"], false),
            (r"A=a\x2cb B=\101\n\s C=\u00e9\U0001f600", &["A=a,b", "B=A\n ", "C=é😀"], false),
            (r"A=1 B=\q C=1", &["A=1"], true),
            ("A=1 \"B=2", &["A=1"], true),
            (r"A=1 B=\", &["A=1"], true),
            (r"A=1 B=\x00 C", &["A=1"], true),
            (r"A=1 B=\x+1 C", &["A=1"], true),
            ("\"\" ''", &["", ""], false),
        ] {
            let found: Vec<String> = found.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(words(text, Mode::Escapes), (found, broken), "{text}");
        }
        for (text, plain) in [
            ("A=1 \"B=2 3\" 'C=\"'", true),
            ("A=\"1\"", false),
            ("A=a\\x2c", false),
            ("A=1 \"B", true),
            ("A=1 B\"", false),
        ] {
            assert_eq!(is_plain(text.as_bytes()), plain, "{text}");
        }
        assert_eq!(words(r"a\q b\", Mode::EscapesOrVerbatim), (vec![r"a\q".to_owned(), r"b\".to_owned()], false));
        assert_eq!(words(r"a\x2c", Mode::Plain), (vec!["ax2c".to_owned()], false));
        assert_eq!(words(r#"a "b c"#, Mode::Relaxed), (vec!["a".to_owned(), "b c".to_owned()], false));
    }
}
