//! Text that an editor or PowerShell of Windows has saved in two bytes a character, which no reader of these files can read.

use std::path::Path;

use crate::text;
use crate::text::{Text, own, quoted};

/// What is said of a file with such text.
pub(crate) const UTF_16: &str = "UTF-16 text, which none of its readers can read";

/// Text in UTF-16, by its mark or, without one, by a NUL beside its first character: the name that `iconv` has for it.
pub(crate) fn utf_16(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("utf-16"),
        [1..=0x7f, 0, 1..=0x7f, 0, ..] => Some("utf-16le"),
        [0, 1..=0x7f, 0, 1..=0x7f, ..] => Some("utf-16be"),
        _ => None,
    }
}

/// The command that makes UTF-8 of it, in the same file.
pub(crate) fn to_utf_8(file: &Path, from: &'static str) -> Text {
    let file = own(quoted(&file.to_string_lossy()));
    text!(
        "(umask 077; iconv -f {} -t utf-8 {} >{}.utf8 && cat {}.utf8 >{} && rm {}.utf8)",
        own(from),
        file,
        file,
        file,
        file,
        file
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_two_bytes_a_character_is_told_with_its_name() {
        let of = |units: Vec<u8>| utf_16(&units);
        let little: Vec<u8> = "A=1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "A=1\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!((of(little.clone()), of(big)), (Some("utf-16le"), Some("utf-16be")));
        assert_eq!(of([vec![0xff, 0xfe], little].concat()), Some("utf-16"));
        for other in [&b""[..], b"A", b"A=1\n", b"\0\0\0\0", b"\xef\xbb\xbfA=1\n"] {
            assert_eq!(utf_16(other), None);
        }
    }
}
