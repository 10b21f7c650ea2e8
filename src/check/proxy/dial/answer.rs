//! What a proxy said, fit for facts.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::{Deserialize, Serialize};

use crate::net::{Answer, NetError};
use crate::redact::{MASK, base64_padded};
use crate::settings::{ProxyUrl, encode};
use crate::text;

/// Longer words of a proxy are cut.
const LONGEST: usize = 120;

/// No more schemes of a 407 are kept.
const MOST_SCHEMES: usize = 8;

/// How a request to the proxy ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// `CONNECT` or `GET`.
    pub method: String,
    /// What was asked for.
    pub target: String,
    /// Was the login sent along (Basic)?
    pub logged_in: bool,
    /// Status code.
    pub status: Option<u16>,
    /// Its words.
    pub reason: String,
    /// The schemes of `Proxy-Authenticate`, as written.
    pub schemes: Vec<String>,
    /// `Via`.
    pub via: Option<String>,
    /// `Server`.
    pub server: Option<String>,
    /// `Location`: where it wants us to go instead.
    pub location: Option<String>,
    /// squid's own word for what went wrong.
    pub squid_error: Option<String>,
    /// Why there is no answer; or, with a status of 200, what became of the tunnel.
    pub trouble: Option<NetError>,
    /// Milliseconds from the request to its answer.
    pub took_ms: u64,
}

/// Takes out of a proxy's words whatever it may have sent back of the login that it was given.
pub(super) struct Cleaner {
    forms: Vec<String>,
    tiny: Vec<String>,
}

impl Cleaner {
    /// Knows the logins of these URLs in all forms in which they travel.
    pub(super) fn new<'u>(urls: impl Iterator<Item = &'u ProxyUrl>) -> Self {
        /// The characters that RFC 3986 lets stand in user info, beside letters and digits.
        const LOOSE: &AsciiSet = &NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'.')
            .remove(b'_')
            .remove(b'~')
            .remove(b'!')
            .remove(b'$')
            .remove(b'&')
            .remove(b'\'')
            .remove(b'(')
            .remove(b')')
            .remove(b'*')
            .remove(b'+')
            .remove(b',')
            .remove(b';')
            .remove(b'=');
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
                percent_encode(raw, NON_ALPHANUMERIC).to_string(),
                percent_encode(raw, LOOSE).to_string(),
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
    pub(super) fn line(&self, text: &str) -> String {
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

    /// The same of a trouble. Of bytes that are no HTTP only the first few are known, perhaps half a login: they are left out.
    pub(super) fn trouble(&self, trouble: NetError) -> NetError {
        match trouble {
            NetError::Unexpected { what, .. } if what.starts_with("it begins with") && !self.is_idle() => {
                NetError::unexpected("it is no HTTP")
            }
            NetError::Unexpected { what, tls } => NetError::Unexpected { what: self.line(&what), tls },
            NetError::Tls { why } => NetError::Tls { why: self.line(&why) },
            NetError::Untrusted { why } => NetError::Untrusted { why: why.cleaned(|text| self.line(text)) },
            other => other,
        }
    }

    fn is_idle(&self) -> bool {
        self.forms.is_empty() && self.tiny.is_empty()
    }
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

impl Said {
    /// Takes what is worth keeping of an answer.
    pub(super) fn take(&mut self, answer: &Answer, cleaner: &Cleaner) {
        let header = |name: &str| answer.get(name).map(|value| cleaner.line(value)).filter(|value| !value.is_empty());
        self.status = Some(answer.status);
        self.reason = cleaner.line(&answer.reason);
        self.schemes = schemes(answer).into_iter().map(|scheme| cleaner.line(&scheme)).collect();
        self.via = header("via");
        self.server = header("server");
        // Of an address that we are sent to, what stands behind `?` may be anything.
        self.location = header("location").map(|url| url.split(['?', '#']).next().unwrap_or_default().to_owned());
        self.squid_error = header("x-squid-error");
    }

    /// Does the 407 offer this scheme?
    pub fn offers(&self, scheme: &str) -> bool {
        self.schemes.iter().any(|own| own.eq_ignore_ascii_case(scheme))
    }
}

/// The first word of each challenge. Several may stand in one header, separated like their parameters by commas.
fn schemes(answer: &Answer) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in answer.all("proxy-authenticate") {
        let mut quoted = false;
        let parts = value.split(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        for part in parts {
            let mut words = part.split_whitespace();
            let Some(first) = words.next() else { continue };
            // A parameter is NAME=VALUE, perhaps with blanks around the sign; a scheme has none.
            let is_parameter = first.contains('=') || words.next().is_some_and(|next| next.starts_with('='));
            let is_word = first.len() <= 24 && first.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            if !is_parameter && is_word && found.len() < MOST_SCHEMES && !found.iter().any(|known| known == first) {
                found.push(first.to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(challenges: &[&str]) -> Answer {
        let headers = challenges.iter().map(|text| ("proxy-authenticate".to_owned(), (*text).to_owned())).collect();
        Answer { status: 407, reason: String::new(), headers, rest: Vec::new() }
    }

    #[test]
    fn the_schemes_of_challenges() {
        for (challenges, expected) in [
            (&["Basic realm=\"a, NTLM b\""][..], &["Basic"][..]),
            (&["Negotiate", "NTLM", "Basic realm=x"], &["Negotiate", "NTLM", "Basic"]),
            (&["Negotiate, NTLM, Digest realm=\"x\", nonce = \"y\", qop=\"auth\""], &["Negotiate", "NTLM", "Digest"]),
            (&["", ",,", "\u{1b}[31m"], &[]),
        ] {
            assert_eq!(schemes(&answer(challenges)), expected, "{challenges:?}");
        }
        assert!(schemes(&answer(&["a,b,c,d,e,f,g,h,i,j,k"])).len() <= MOST_SCHEMES);
    }

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
        let begun = NetError::unexpected("it begins with \"ZGl2dnk6cEBz\"");
        assert_eq!(cleaner.trouble(begun), NetError::unexpected("it is no HTTP"));
        assert_eq!(cleaner.line("a\r\n\u{1b}[31mb"), "a  ?[31mb");
        let short = ProxyUrl::parse("http://u:abc@h:1").unwrap();
        assert_eq!(Cleaner::new(std::iter::once(&short)).line("an abc book"), "***");
    }
}
