//! One value of a proxy variable as facts may keep it: without the password, which is compared while it is here.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::redact::{self, MASK};
use crate::settings::{ProxyUrl, ProxyUrlError};
use crate::text::Text;

/// Longer parts of a value that is no URL are cut in messages.
const LONGEST_PART: usize = 253;

/// A longer list of exclusions is cut: no process can be given one value of this size.
const LONGEST_LIST: usize = 128 << 10;

/// The value of `http_proxy` or `https_proxy` at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxyValue {
    /// The value, its password masked: `http://user:***@host:port`.
    pub(crate) shown: String,
    /// Which password: the same number is the same password within one run. `None`: there is none.
    pub(crate) password: Option<u32>,
    /// What clients would stumble over.
    pub(crate) flaws: Vec<Flaw>,
}

/// Something in a proxy URL that not every client takes the way it is meant. Part of saved facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flaw {
    /// No `://`.
    NoScheme,
    /// `socks5://` and its kin.
    Socks,
    /// Another scheme than http, https or SOCKS.
    OtherScheme,
    /// `https://`.
    Https,
    /// No port.
    NoPort,
    /// What stands for a port is none.
    BadPort,
    /// What stands for a host is none.
    BadHost,
    /// Characters in user or password that have a meaning in URLs and are not percent-encoded.
    Reserved,
    /// A `%` that begins no escape.
    BarePercent,
    /// Blanks, line ends or quotes.
    Blank,
    /// A carriage return as its last character, which nothing shows.
    CarriageReturn,
    /// A password outside ASCII.
    NotAscii,
    /// A user and no password.
    NoPassword,
    /// Something behind the port.
    Path,
}

/// Tells passwords apart by numbers, in the order in which they are met. Never leaves the collecting thread.
#[derive(Default)]
pub(super) struct Passwords(Vec<Vec<u8>>);

impl Passwords {
    /// The number of this password.
    pub(super) fn number(&mut self, password: &[u8]) -> u32 {
        let at = self.0.iter().position(|known| known == password).unwrap_or_else(|| {
            self.0.push(password.to_vec());
            self.0.len() - 1
        });
        u32::try_from(at + 1).unwrap_or(u32::MAX)
    }
}

impl ProxyValue {
    /// Reads a value as it stands somewhere; `None` where it is empty, which clients take for unset.
    pub(super) fn read(raw: &str, passwords: &mut Passwords) -> Option<Self> {
        let mut flaws = Vec::new();
        let line = raw.strip_suffix('\r').unwrap_or(raw);
        if line.len() < raw.len() {
            flaws.push(Flaw::CarriageReturn);
        }
        let raw = line;
        let text = raw.trim().trim_matches(['"', '\'']).trim();
        if text != raw || text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'')) {
            flaws.push(Flaw::Blank);
        }
        if text.is_empty() {
            return None;
        }
        // Only what may be a scheme is one: `user:password@://` has none, and everything before its `@` is a login.
        let legal = |scheme: &str| scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        let split = text.split_once("://").filter(|(scheme, _)| legal(scheme));
        let (scheme, rest) = split.map_or((None, text), |(scheme, rest)| (Some(scheme), rest));
        flaws.extend(scheme_flaw(scheme));
        let (login, authority) = rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
        let login = login.filter(|login| !login.is_empty());
        let (user, password) = login.map_or((None, None), |login| match login.split_once(':') {
            Some((user, password)) => (Some(user), Some(password)),
            None => (Some(login), None),
        });
        flaws.extend(login_flaws(user, password));
        let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
        let (place, path) = authority.split_at(end);
        if !matches!(path, "" | "/") {
            flaws.push(Flaw::Path);
        }
        flaws.extend(place_flaws(place));
        flaws.sort_unstable();
        flaws.dedup();
        let parsed = ProxyUrl::parse(text).ok();
        let number = match &parsed {
            Some(url) => url.password().map(|password| passwords.number(password.expose())),
            None => password
                .filter(|password| !password.is_empty())
                .map(|password| passwords.number(&percent_decode_str(password).collect::<Vec<_>>())),
        };
        let shown = match &parsed {
            Some(url) => shown(url),
            None => {
                masked(scheme, user.filter(|_| password.is_some()), login.is_some(), place, !matches!(path, "" | "/"))
            }
        };
        Some(Self { shown, password: number, flaws })
    }

    /// The same of one value alone, whose password is compared with no other.
    pub(crate) fn alone(raw: &str) -> Option<Self> {
        Self::read(raw, &mut Passwords::default())
    }

    /// The value as far as it may be shown.
    pub(crate) fn text(&self) -> Text {
        redact::url_text(&self.shown)
    }
}

/// A URL as it may be shown. What stands in the place of a login without a colon may be a token, so a password.
pub(super) fn shown(url: &ProxyUrl) -> String {
    if url.password().is_some() || url.credentials.is_none() {
        return url.masked();
    }
    let bare = ProxyUrl { credentials: None, ..url.clone() }.masked();
    match bare.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{MASK}@{rest}"),
        None => bare,
    }
}

/// A list of exclusions as it stands, but for what looks like a login in it.
pub(super) fn list(raw: &str) -> String {
    let cut: String = raw.chars().take(LONGEST_LIST).collect();
    redact::list(&cut)
}

fn scheme_flaw(scheme: Option<&str>) -> Option<Flaw> {
    let Some(scheme) = scheme else { return Some(Flaw::NoScheme) };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => None,
        "https" => Some(Flaw::Https),
        other if other.starts_with("socks") => Some(Flaw::Socks),
        _ => Some(Flaw::OtherScheme),
    }
}

fn login_flaws(user: Option<&str>, password: Option<&str>) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let Some(user) = user else { return flaws };
    let text = [user, password.unwrap_or_default()];
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
    if text.iter().any(|part| part.chars().any(|c| c.is_ascii() && !plain(c))) {
        flaws.push(Flaw::Reserved);
    }
    let escape = |rest: &str| rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit);
    if text.iter().any(|part| part.split('%').skip(1).any(|rest| !escape(rest))) {
        flaws.push(Flaw::BarePercent);
    }
    if text.iter().any(|part| percent_decode_str(part).any(|byte| !byte.is_ascii())) {
        flaws.push(Flaw::NotAscii);
    }
    if password.is_none_or(str::is_empty) {
        flaws.push(Flaw::NoPassword);
    }
    flaws
}

/// Host and port, judged by the same parser that reads settings.
fn place_flaws(place: &str) -> Option<Flaw> {
    match ProxyUrl::parse(&format!("http://{place}")) {
        Ok(url) => url.port.is_none().then_some(Flaw::NoPort),
        Err(ProxyUrlError::Port) => Some(Flaw::BadPort),
        Err(_) => Some(Flaw::BadHost),
    }
}

/// A value that is no URL, as far as it can be shown: nothing that may be a part of a password. What stands in a
/// port's place and does not begin with a digit may be one.
fn masked(scheme: Option<&str>, user: Option<&str>, has_login: bool, place: &str, has_path: bool) -> String {
    let part = |text: &str| -> String {
        let fit = |c: &char| c.is_ascii_alphanumeric() || "-._[]%\\".contains(*c);
        let clean: String = text.chars().filter(fit).take(LONGEST_PART).collect();
        if clean == text { clean } else { format!("{clean}…") }
    };
    let scheme = scheme.map(|scheme| format!("{}://", part(scheme))).unwrap_or_default();
    let user = match user {
        Some(user) => format!("{}:{MASK}@", part(user)),
        None if has_login => format!("{MASK}@"),
        None => String::new(),
    };
    let place = match place.rsplit_once(':') {
        // What begins with a digit was meant as a port, and what follows the digits is the fault.
        Some((host, port)) if port.starts_with(|c: char| c.is_ascii_digit()) => {
            let port: String = port.chars().take(LONGEST_PART).collect();
            format!("{}:{port}", part(host.split(':').next().unwrap_or_default()))
        }
        Some((host, _)) => format!("{}:{MASK}", part(host.split(':').next().unwrap_or_default())),
        None => part(place),
    };
    format!("{scheme}{user}{place}{}", if has_path { "/…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(raw: &str) -> ProxyValue {
        ProxyValue::read(raw, &mut Passwords::default()).unwrap()
    }

    #[test]
    fn each_flaw_is_seen_and_no_password_is_shown() {
        use Flaw::*;
        for (raw, shown, flaws) in [
            ("http://h.corp:3128", "http://h.corp:3128", &[][..]),
            ("HTTP://H.corp:3128/", "http://h.corp:3128", &[]),
            ("http://u:p%40ss@h:1", "http://u:***@h:1", &[]),
            ("h.corp:3128", "h.corp:3128", &[NoScheme]),
            ("svc:S3cret@h:3128", "svc:***@h:3128", &[NoScheme]),
            ("http://h", "http://h", &[NoPort]),
            ("https://h:1", "https://h:1", &[Https]),
            ("socks5h://u:S3cret@h:1", "socks5h://u:***@h:1", &[Socks]),
            ("ftp://h:1", "ftp://h:1", &[OtherScheme]),
            ("http://u:p@ss@h:1", "http://u:***@h:1", &[Reserved]),
            ("http://u:S3/cret#x@h:1", "http://u:***@h:1", &[Reserved]),
            ("http://u:100%@h:1", "http://u:***@h:1", &[BarePercent]),
            ("http://u:%C3%A9@h:1", "http://u:***@h:1", &[NotAscii]),
            ("http://u:é@h:1", "http://u:***@h:1", &[NotAscii]),
            ("http://u@h:1", "http://***@h:1", &[NoPassword]),
            ("http://h:1/proxy", "http://h:1/…", &[Path]),
            ("\"http://h:1\"", "http://h:1", &[Blank]),
            ("http://h:1 ", "http://h:1", &[Blank]),
            ("http://h:1\r", "http://h:1", &[CarriageReturn]),
            ("\"http://h:1\"\r", "http://h:1", &[Blank, CarriageReturn]),
            ("http://svc:typ3dS3cret4", "http://svc:***", &[BadPort]),
            ("\"http://10.1.1.1:8888\";", "http://10.1.1.1:8888\";", &[BadPort, Blank]),
            ("http://u:S3cret@h:notaport", "http://u:***@h:***", &[BadPort]),
            ("http://u:S3cret@10.0.0.256:1", "http://u:***@10.0.0.256:1", &[BadHost]),
            ("http://u:a b@h:1", "http://u:***@h:1", &[Reserved, Blank]),
        ] {
            let value = read(raw);
            assert_eq!((value.shown.as_str(), value.flaws.as_slice()), (shown, flaws), "{raw}");
        }
        assert_eq!(ProxyValue::read(" ", &mut Passwords::default()), None);
    }

    #[test]
    fn the_same_password_has_the_same_number_however_it_is_written() {
        let mut passwords = Passwords::default();
        let mut number = |raw: &str| ProxyValue::read(raw, &mut passwords).unwrap().password;
        assert_eq!(number("http://u:p%40ss@h:1"), Some(1));
        assert_eq!(number("http://v:p@ss@i:2"), Some(1));
        assert_eq!(number("http://u:other@h:1"), Some(2));
        assert_eq!(number("u:p%40ss@h:1"), Some(1));
        assert_eq!(number("http://u@h:1"), None);
    }

    #[test]
    fn a_list_is_kept_as_it_stands_but_for_logins() {
        assert_eq!(list("a, b;c "), "a, b;c ");
        assert!(!list("a,http://u:S3cret@h").contains("S3cret"));
        assert!(!list("a,u:S3cret@h:3128").contains("S3cret"));
    }

    proptest! {
        #[test]
        fn no_value_shows_its_password(before in "\\PC{0,6}(://)?", user in "[a-z]{1,4}", after in "\\PC{0,8}") {
            let raw = format!("{before}{user}:S3cretS3cret@{after}");
            if let Some(value) = ProxyValue::read(&raw, &mut Passwords::default()) {
                prop_assert!(!value.shown.contains("S3cretS3cret"), "{raw} {value:?}");
            }
        }
    }
}
