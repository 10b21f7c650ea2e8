//! A value that cannot be printed, and the form in which it stands in a URL.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Everything but `A-Za-z0-9-._~` is encoded in user and password: the only form that all measured clients decode alike,
/// and one without any character that an env-file parser treats specially (facts: readers §3.2).
const USERINFO: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Bytes of a password. `Debug` and every other way of showing it give `***`; it has no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes as they are.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the target file that needs them and for the redactor. Nothing else may call this.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A new password of letters and digits, from the system's source of randomness; `None`: it gives none.
pub(crate) fn generated() -> Option<String> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const LENGTH: usize = 24;
    // Three quarters of all bytes would do; none of the letters comes more often than another.
    let mut bytes = [0_u8; 8 * LENGTH];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).ok()?;
    let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < 4 * LETTERS.len());
    let password: String = fair.map(|byte| char::from(LETTERS[byte % LETTERS.len()])).take(LENGTH).collect();
    (password.len() == LENGTH).then_some(password)
}

/// Percent-encodes raw bytes so that nothing but `A-Za-z0-9-._~%` is left.
pub fn encode(raw: &[u8]) -> String {
    percent_encode(raw, USERINFO).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_plain_and_new() {
        let made: std::collections::BTreeSet<String> = (0..50).filter_map(|_| generated()).collect();
        assert_eq!(made.len(), 50);
        assert!(made.iter().all(|own| own.len() == 24 && own.chars().all(|c| c.is_ascii_alphanumeric())));
        let letters: std::collections::BTreeSet<char> = made.iter().flat_map(|own| own.chars()).collect();
        assert!(letters.len() > 55, "{letters:?}");
    }
}
