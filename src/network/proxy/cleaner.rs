//! Keeps the login that a proxy was given out of what it sends back.

use crate::net::{Distrust, NetError, TlsFault};
use crate::redact::{MASK, base64_padded};
use crate::settings::{ProxyUrl, encode};
use crate::text;

/// Longer words of a proxy are cut.
const LONGEST: usize = 120;

/// Takes out of a proxy's words whatever it may have sent back of the login that it was given.
pub(crate) struct Cleaner {
    forms: Vec<String>,
    tiny: Vec<String>,
}

impl Cleaner {
    /// Knows the logins of these URLs in all forms in which they travel.
    pub(crate) fn new<'u>(urls: impl Iterator<Item = &'u ProxyUrl>) -> Self {
        /// The characters that RFC 3986 lets stand in user info, beside letters and digits.
        const LOOSE: &[u8] = b"-._~!$&'()*+,;=";
        let mut all: Vec<String> = Vec::new();
        for url in urls {
            let Some((login, password)) = url.credentials.as_ref().zip(url.password()) else { continue };
            let raw = password.expose();
            let both = [&login.user, &b":"[..], raw].concat();
            for base64 in [base64_padded(raw), base64_padded(&both)] {
                let web = base64.replace('+', "-").replace('/', "_");
                all.extend([base64.trim_end_matches('=').to_owned(), web.trim_end_matches('=').to_owned()]);
            }
            for encoded in [
                String::from_utf8_lossy(raw).into_owned(),
                encode(raw),
                percent_encoded(raw, b""),
                percent_encoded(raw, LOOSE),
                raw.iter().map(|byte| format!("{byte:02X}")).collect(),
            ] {
                all.extend([lower_escapes(&encoded), encoded]);
            }
        }
        all.retain(|form| !form.is_empty());
        all.sort_by_key(|form| std::cmp::Reverse(form.len()));
        all.dedup();
        let (forms, tiny) = all.into_iter().partition(|form| form.len() >= 4);
        Self { forms, tiny }
    }

    /// One line, without control characters, without the login, cut.
    pub(crate) fn line(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for form in &self.forms {
            clean = clean.replace(form.as_str(), MASK);
        }
        // A password of three letters is part of many words: then none of them is shown.
        if self.tiny.iter().any(|form| clean.contains(form.as_str())) {
            return MASK.to_owned();
        }
        text::clean(&clean, LONGEST)
    }

    /// The same of a error. Of bytes that are no HTTP only the first few are known, perhaps half a login: they are left out.
    pub(crate) fn error(&self, error: NetError) -> NetError {
        match error {
            NetError::Unexpected { quotes: true, .. } if !(self.forms.is_empty() && self.tiny.is_empty()) => {
                NetError::unexpected("it is no HTTP")
            }
            NetError::Unexpected { what, tls, quotes } => NetError::Unexpected { what: self.line(&what), tls, quotes },
            NetError::Tls { why: TlsFault::Other(why) } => {
                NetError::Tls { why: TlsFault::Other(self.line(why.raw()).into()) }
            }
            NetError::Untrusted { why } => NetError::Untrusted { why: self.distrust(why) },
            other => other,
        }
    }

    /// The same of what a certificate says.
    pub(crate) fn distrust(&self, why: Distrust) -> Distrust {
        why.cleaned(|text| self.line(text.raw()).into())
    }
}

/// All bytes but letters, digits and those of `plain` as `%2F`.
fn percent_encoded(raw: &[u8], plain: &[u8]) -> String {
    let encoded = |byte: &u8| match byte {
        byte if byte.is_ascii_alphanumeric() || plain.contains(byte) => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    raw.iter().map(encoded).collect()
}

/// `%2f` for `%2F`.
fn lower_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut escape = 0;
    for c in text.chars() {
        out.push(if escape > 0 { c.to_ascii_lowercase() } else { c });
        escape = if c == '%' { 2 } else { escape.max(1) - 1 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_comes_back_is_taken_out_in_every_form() {
        let url = ProxyUrl::parse("http://divvy:p%40ss%3Aw0rd%2F%25@h:1").unwrap();
        let cleaner = Cleaner::new(std::iter::once(&url));
        for form in [
            "p@ss:w0rd/%",
            "p%40ss%3Aw0rd%2F%25",
            "p%40ss%3aw0rd%2f%25",
            "cEBzczp3MHJkLyU",
            "ZGl2dnk6cEBzczp3MHJkLyU=",
            "ZGl2dnk6cEBzczp3MHJkLyU",
            "ZGl2dnk6cEBzczp3MHJkLyU",
        ] {
            let line = cleaner.line(&format!("x Basic {form} y"));
            assert!(!line.contains(form) && line.contains("***"), "{line}");
        }
        let long = format!("{}ZGl2dnk6cEBzczp3MHJkLyU=", "x".repeat(LONGEST - 5));
        assert!(!cleaner.line(&long).contains("ZGl2d"), "cleaned before it is cut");
        let begun =
            NetError::Unexpected { what: "it begins with \"ZGl2dnk6cEBz\"".to_owned(), tls: false, quotes: true };
        assert_eq!(cleaner.error(begun), NetError::unexpected("it is no HTTP"));
        assert_eq!(cleaner.line("a\r\n\u{1b}[31mb"), "a  ?[31mb");
        let short = ProxyUrl::parse("http://u:abc@h:1").unwrap();
        assert_eq!(Cleaner::new(std::iter::once(&short)).line("an abc book"), "***");
    }
}
