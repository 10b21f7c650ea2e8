//! Keeps secrets out of everything that leaves the process: diffs, reports, JSON, messages.
//!
//! A secret does not get into a [`Text`]; what may hold one is a foreign value, and goes through two nets: known secrets are
//! replaced wherever they stand, raw, percent-encoded and base64; and what *looks* like a secret (user info of a URL, the
//! value of a name that ends in `PASSWORD`, `TOKEN`, …) is masked whoever wrote it. Own words go through none.

use std::ops::Range;

use crate::secret::{Secret, encode};
use crate::text;
use crate::text::{SECRET, Text, own};
use crate::vendor::Vendor;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Endings of names whose values are never shown.
const SECRET_ENDINGS: &[&str] =
    &["password", "passwd", "pwd", "pass", "secret", "token", "_key", "apikey", "credentials", "pasword", "passwort"];

/// Shorter secrets are masked by their place only: replacing every `a` would leave nothing readable.
const SHORTEST: usize = 4;

/// Knows the secrets of this run.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    forms: Vec<Vec<u8>>,
}

impl Redactor {
    /// Learns one secret. What the vendor publishes is none; it is masked by its place only.
    pub fn learn(&mut self, secret: &Secret) {
        let raw = secret.expose();
        let published = || Vendor::get().published_passwords.iter().any(|known| known.as_bytes() == raw);
        if raw.len() < SHORTEST || published() {
            return;
        }
        let fully_encoded = percent_encode(raw, NON_ALPHANUMERIC).to_string().into_bytes();
        let doubled = encode(raw).replace('%', "%%").into_bytes();
        for form in [raw.to_vec(), encode(raw).into_bytes(), fully_encoded, doubled, base64(raw)] {
            if !form.is_empty() && !self.forms.contains(&form) {
                self.forms.push(form);
            }
        }
        // Longest first, so that no shorter form leaves a tail behind.
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// Learns a login: beside the password itself its Basic form, in which it travels to a proxy.
    pub fn learn_login(&mut self, user: &[u8], password: &Secret) {
        self.learn(password);
        if !password.is_empty() {
            self.learn(&Secret::new([user, b":", password.expose()].concat()));
        }
    }

    /// Learns what the assignments of a file make secret: values of names that are, and passwords of URLs.
    pub fn learn_assignments(&mut self, file: &[u8]) {
        for line in String::from_utf8_lossy(file).lines() {
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = value.trim().trim_matches(['"', '\'']);
            match secret_of_url(value).filter(|_| value.contains("://")) {
                Some(password) => {
                    self.learn(&Secret::new(value[password.clone()].as_bytes()));
                    self.learn(&Secret::new(percent_decode_str(&value[password]).collect::<Vec<u8>>()));
                }
                None if is_secret_name(name.trim()) => self.learn(&Secret::new(value.as_bytes())),
                None => {}
            }
        }
    }

    /// A foreign value without the secrets of this run and without what looks like one.
    pub fn foreign(&self, value: &str) -> String {
        let mut clean: String = value.split_inclusive('\n').map(redact_line).collect();
        if value.contains('\n') && !value.contains(' ') {
            // One value over several lines.
            clean = mask_userinfo(&clean);
        }
        for form in &self.forms {
            // A secret that is not UTF-8 cannot stand raw in a text.
            if let Ok(form) = std::str::from_utf8(form)
                && clean.contains(form)
            {
                clean = clean.replace(form, MASK);
            }
        }
        clean
    }
}

/// Do values of this name never show?
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words = |text: &str| name.contains(text);
    SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || ["passw", "passphrase", "secret_key", "_auth"].into_iter().any(words)
}

/// A URL, or what was meant to be one, as far as it may be shown.
pub fn url_text(url: &str) -> Text {
    match secret_of_url(url) {
        Some(Range { start, end }) => text!("{}{}{}", own(&url[..start]), SECRET, own(&url[end..])),
        None => text!("{}", own(url)),
    }
}

/// The same as characters.
pub(crate) fn url_masked(url: &str) -> String {
    match secret_of_url(url) {
        Some(Range { start, end }) => format!("{}{MASK}{}", &url[..start], &url[end..]),
        None => url.to_owned(),
    }
}

/// What of it is secret: without `@` nothing, else what stands between `:` and `@`, or all in front of the `@` where there is no
/// `:`. A port begins with a digit or names a variable; what stands in its place otherwise may be a password whose `@` was
/// mistyped.
fn secret_of_url(url: &str) -> Option<Range<usize>> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let rest = &url[start..];
    if let Some((userinfo, _)) = rest.rsplit_once('@') {
        let user = userinfo.find(':').map_or(0, |at| at + 1);
        return (!userinfo.is_empty()).then_some(start + user..start + userinfo.len());
    }
    let host = rest.rfind(']').map_or(0, |at| at + 1);
    let port = start + rest[host..].find(':').map(|at| host + at + 1)?;
    let is_port = url[port..].starts_with(|c: char| c.is_ascii_digit() || "$%/".contains(c));
    (!is_port && port < url.len()).then_some(port..url.len())
}

/// Masks what looks like a secret on one line.
pub fn redact_line(line: &str) -> String {
    let masked = mask_userinfo(line);
    mask_named(&masked)
}

/// A list of exclusions as it stands, but for what looks like a login in one of its members: a whole proxy URL may stand
/// there by mistake, with or without its scheme.
pub fn list(list: &str) -> String {
    if !list.contains('@') {
        return list.to_owned();
    }
    let masked = mask_userinfo(list);
    let starts = masked.match_indices([',', ';', '|', ' ', '\t', '\n']).map(|(at, _)| at + 1);
    for start in std::iter::once(0).chain(starts) {
        // As the value of a name, which a login without scheme is known by. Its password may hold separators, so all of the
        // rest belongs to it, up to the last `@`.
        let rest = format!("={}", &masked[start..]);
        let shown = mask_without_scheme(&rest);
        if shown != rest {
            return format!("{}{}", &masked[..start], &shown[1..]);
        }
    }
    masked
}

/// A list of no_proxy members, in full or as the `shown` part of it. Members that were found on the host may hold a login, so
/// only a list without one counts as own words.
pub(crate) fn list_text(list: &str, shown: String) -> Text {
    if list.contains('@') { text!("{}", shown) } else { text!("{}", own(shown)) }
}

/// `scheme://user:anything@host` → `scheme://user:***@host`, and the same where the scheme was forgotten.
fn mask_userinfo(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        // Up to the next URL on the line: a password may hold anything, `://` included, as long as an `@` follows.
        let end = next_url(after).unwrap_or(after.len());
        let part = &after[..end];
        match (part.find(':'), part.rfind('@')) {
            (Some(colon), Some(at)) if colon < at => {
                out.push_str(&part[..=colon]);
                out.push_str(MASK);
                out.push_str(&part[at..]);
            }
            _ => out.push_str(part),
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    mask_without_scheme(&out)
}

/// Where the next `scheme://` begins that follows a blank, a quote, a comma or a `=`.
fn next_url(text: &str) -> Option<usize> {
    text.match_indices("://").map(|(at, _)| at).find_map(|at| {
        let start = text[..at].trim_end_matches(|c: char| c.is_ascii_alphanumeric()).len();
        let before = text[..start].chars().next_back()?;
        (start < at && " \t\"',=;".contains(before)).then_some(at)
    })
}

/// `name="user:anything@host` → `name="user:***@host`.
fn mask_without_scheme(line: &str) -> String {
    let Some(sign) = line.find('=') else { return line.to_owned() };
    let value = &line[sign + 1..];
    let start = value.len() - value.trim_start_matches(['"', '\'', ' ']).len();
    let user = value[start..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "._-\\%".contains(*c))
        .map(char::len_utf8)
        .sum::<usize>();
    let colon = start + user;
    match value.rfind('@') {
        Some(at) if user > 0 && value[colon..].starts_with(':') && !value[colon..].starts_with("://") && colon < at => {
            format!("{}{}{MASK}{}", &line[..=sign], &value[..=colon], &value[at..])
        }
        _ => line.to_owned(),
    }
}

/// `DB_PASSWORD=anything` → `DB_PASSWORD=***`, from the first such name on the line to its end.
fn mask_named(line: &str) -> String {
    for (at, _) in line.match_indices(['=', ':']) {
        let name = line[..at].trim_end_matches([' ', '\t', '"', '\'']);
        let word =
            name.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).next().unwrap_or_default();
        let word = word.to_ascii_lowercase();
        let value = &line[at + 1..];
        let secret = SECRET_ENDINGS.iter().any(|ending| word.ends_with(ending));
        if !secret || value.trim().is_empty() || value.starts_with("//") || value.trim_start().starts_with(MASK) {
            continue;
        }
        let end = if line.ends_with('\n') { "\n" } else { "" };
        let blank: String = value.chars().take_while(|c| *c == ' ').collect();
        return format!("{}{blank}{MASK}{end}", &line[..=at]);
    }
    line.to_owned()
}

/// Standard base64.
pub fn base64_padded(raw: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&base64(raw)).into_owned();
    text.extend(std::iter::repeat_n('=', (4 - text.len() % 4) % 4));
    text
}

/// Standard base64 without padding, so that the padded form is met too.
fn base64(raw: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(raw.len().div_ceil(3) * 4);
    for chunk in raw.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..=chunk.len() {
            out.push(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_masked() {
        for (line, masked) in [
            ("http_proxy=\"http://u:p@ss#x@h:1\"", "http_proxy=\"http://u:***@h:1\""),
            ("a=http://u:1@h b=http://v:2@i", "a=http://u:***@h b=http://v:***@i"),
            ("DIVVY_DB_PASSWORD=abc def\n", "DIVVY_DB_PASSWORD=***\n"),
            ("+DIVVY_SECRET_DB_HOST=mysql", "+DIVVY_SECRET_DB_HOST=mysql"),
            ("AWS_SECRET_ACCESS_KEY=x", "AWS_SECRET_ACCESS_KEY=***"),
            ("password = \"x\"", "password = ***"),
            ("http://h:1", "http://h:1"),
            ("http://u@h:1", "http://u@h:1"),
            ("a=http://u:p://x@h", "a=http://u:***@h"),
            ("http_proxy=\"svc:S3cret@proxy:3128\"", "http_proxy=\"svc:***@proxy:3128\""),
            ("Environment=\"REGISTRY_PASSWORD=S3cret\"", "Environment=\"REGISTRY_PASSWORD=***"),
            ("# 2024-01-01: DB_PASSWORD=S3cret", "# 2024-01-01: DB_PASSWORD=***"),
            ("{\"user\": \"x\", \"password\": \"S3cret\"}", "{\"user\": \"x\", \"password\": ***"),
            ("A=1 DB_PASSWORD=x y", "A=1 DB_PASSWORD=***"),
            ("A=12:30@noon", "A=12:***@noon"),
            ("see http://a é://u:p@h", "see http://a é:***@h"),
        ] {
            assert_eq!(redact_line(line), masked);
        }
    }

    #[test]
    fn a_login_in_a_list_is_masked_with_and_without_its_scheme() {
        for (raw, masked) in [
            ("a, b;c ", "a, b;c "),
            ("a,svc:S3cret@proxy:3128,b", "a,svc:***@proxy:3128,b"),
            ("a,http://u:S3cret@h:1;b", "a,http://u:***@h:1;b"),
            ("a user@host", "a user@host"),
        ] {
            assert_eq!(list(raw), masked);
        }
        for raw in ["u:S3,cret@h", "a,u:S3,cret@h", "a http://u:S3 cret@h", "x,http://u:S3,cr@et@h,b"] {
            assert!(!list(raw).contains("S3"), "{raw}: {}", list(raw));
        }
    }

    #[test]
    fn a_published_default_is_masked_by_its_place_alone() {
        let mut redactor = Redactor::default();
        redactor.learn(&Secret::new("divvy".as_bytes()));
        assert_eq!(redactor.foreign("/divvycloud DIVVY_DB_PASSWORD=divvy"), "/divvycloud DIVVY_DB_PASSWORD=***");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_masks(text in "(\\PC{0,6}|://|[@=:, ]|u:p@h){0,12}", any in ".{0,40}") {
            for text in [&text, &any] {
                let _ = (redact_line(text), list(text), Redactor::default().foreign(text));
            }
        }
    }

    #[test]
    fn secrets_of_assignments_are_known_wherever_they_stand() {
        let mut redactor = Redactor::default();
        redactor.learn_assignments(
            b"# DIVVY_DB_PASSWORD=old-one\nDIVVY_DB_PASSWORD='of-mysql'\nhttps_proxy=http://u:p%40ss-word@proxy:3128\nNAME=plain\n",
        );
        assert_eq!(redactor.foreign("of-mysql p@ss-word p%40ss-word plain"), "*** *** *** plain");
    }

    #[test]
    fn known_secrets_are_replaced_in_every_form() {
        let mut redactor = Redactor::default();
        redactor.learn(&Secret::new("p@ss w/rd".as_bytes()));
        let text = redactor.foreign("x p@ss w/rd y p%40ss%20w%2Frd z cEBzcyB3L3Jk p%%40ss%%20w%%2Frd");
        assert_eq!(text, "x *** y *** z *** ***");
    }
}
