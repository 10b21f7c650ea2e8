//! A value that several readers see alike.

use super::Dialect;
use crate::text::shown_by_display;

/// Characters that no reader treats specially, anywhere in a value.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.,:/@%+=-".contains(c)
}

/// Bytes that all of the named readers take, written bare behind `NAME=`, for exactly themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableValue(Vec<u8>);

/// Why a value cannot be written so that all readers agree. It never shows the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{character} at position {position} is read differently by {reader}")]
pub struct NotPortable {
    /// The character, named.
    pub character: String,
    /// Counted from 1.
    pub position: usize,
    /// The reader that would see something else.
    pub reader: &'static str,
}

shown_by_display!(NotPortable);

impl PortableValue {
    /// Tries the value on each reader.
    ///
    /// # Errors
    /// [`NotPortable`], naming the first suspicious character and the first reader that disagrees.
    pub fn new(value: &[u8], readers: &[Dialect]) -> Result<Self, NotPortable> {
        // Line ends are decided first: what follows them would be another line, not another value.
        let broken = value.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0));
        let mut line = b"NAME=".to_vec();
        line.extend_from_slice(value);
        line.push(b'\n');
        for reader in readers {
            let reading = reader.read(&line);
            let seen = match reading.get(b"NAME") {
                Some(super::Seen::Value(seen)) => Some(seen.as_slice()),
                _ => None,
            };
            if broken || reading.is_fatal() || seen != Some(value) {
                return Err(suspicious(value, reader.name()));
            }
        }
        Ok(Self(value.to_vec()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn suspicious(value: &[u8], reader: &'static str) -> NotPortable {
    let text = String::from_utf8_lossy(value);
    let found = text.chars().enumerate().find(|(_, c)| !is_plain(*c) && !c.is_alphanumeric());
    let (at, c) = found.or_else(|| text.chars().enumerate().find(|(_, c)| !is_plain(*c))).unwrap_or((0, ' '));
    let character = match c {
        ' ' => "a blank".to_owned(),
        '\t' => "a tab".to_owned(),
        '\n' => "a line feed".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '\0' => "a NUL".to_owned(),
        char::REPLACEMENT_CHARACTER => "a byte that is not UTF-8".to_owned(),
        c => format!("the character {c:?}"),
    };
    NotPortable { character, position: at + 1, reader }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROD_ENV: &[Dialect] =
        &[Dialect::DockerEnvFile, Dialect::ComposeV1Plain, Dialect::ComposeV1Dotenv, Dialect::ComposeV2];

    #[test]
    fn plain_values_pass_and_special_ones_name_character_and_reader() {
        for good in ["", "mysql,redis", "http://u:p%40@h:1", "a=b", "p!ss*"] {
            assert!(PortableValue::new(good.as_bytes(), PROD_ENV).is_ok(), "{good}");
        }
        for (bad, position) in
            [("pa$$", 3), ("\"q\"", 1), ("a\nb", 2), (" lead", 1), ("tail ", 5), ("a${b}", 2), ("x #y", 2)]
        {
            let refused = PortableValue::new(bad.as_bytes(), PROD_ENV).unwrap_err();
            assert_eq!(refused.position, position, "{bad:?}: {refused}");
        }
    }
}
