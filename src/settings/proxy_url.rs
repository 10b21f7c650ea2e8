//! The URL of a forward proxy: read from what people type, written so that every client reads the same.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use percent_encoding::percent_decode;

use super::{Secret, encode};
use crate::text::words::words;
use crate::text::{Marked, SECRET, Shown, host_port};

words! {
    /// How to speak to the proxy itself.
    pub enum Scheme {
        /// Plain: what practically every forward proxy speaks, for http and https requests alike.
        Http = "http",
        /// TLS to the proxy itself.
        Https = "https",
    }
}

impl Scheme {
    /// The port that most clients assume where none is written (curl assumes 1080).
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Where the proxy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyHost {
    /// A host name of letters, digits, `-`, `_` and dots, as typed but in lower case.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
}

impl fmt::Display for ProxyHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// Who we are to the proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name, raw.
    pub user: Vec<u8>,
    /// Password, raw. `None`: not known yet, must come from another setting or from the host.
    pub password: Option<Secret>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:***", String::from_utf8_lossy(&self.user))
    }
}

/// A proxy URL whose parts are all valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUrl {
    /// How to speak to the proxy.
    pub scheme: Scheme,
    /// Where it is.
    pub host: ProxyHost,
    /// Its port; `None` where the text had none, which clients read as 80, 443 or 1080.
    pub port: Option<u16>,
    /// User and password in the URL. `Some(None)`-like emptiness (`http://@host`) is [`ProxyUrl::anonymous`].
    pub credentials: Option<Credentials>,
    /// The URL had an empty user part (`http://@host:port`): explicitly no credentials.
    pub anonymous: bool,
}

/// Why a text is no proxy URL. Messages never contain the text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    /// No `://`.
    #[error("a proxy URL begins with http:// or https://, and this one has no scheme")]
    NoScheme,
    /// `http:/h`, `http:h`, `http//h`.
    #[error("a proxy URL has a colon and two slashes behind {}, and this one has not", .0.as_str())]
    Slashes(Scheme),
    /// Quotes around it, which a shell would have taken away.
    #[error("the quotes around the proxy URL have come along as a part of it; leave them out")]
    Quotes,
    /// Several URLs.
    #[error("one proxy URL is wanted, and this is a list of several")]
    Several,
    /// The address of a script for browsers.
    #[error("this is the address of a browser's script (PAC); wanted is the proxy that stands in it, behind PROXY")]
    Pac,
    /// Some other scheme.
    #[error("a proxy URL begins with http:// or https://, not with {0}://")]
    Scheme(String),
    /// Nothing between the scheme (or `@`) and the port.
    #[error("the proxy URL has no host name")]
    NoHost,
    /// A host that is neither name nor address.
    #[error("{0:?} is no host name, no IPv4 address and no IPv6 address in brackets")]
    Host(String),
    /// An IPv6 address without brackets.
    #[error("an IPv6 address in a URL stands in brackets, as in http://[fd00::1]:3128")]
    Brackets,
    /// Not a number from 1 to 65535. What was there is not shown: without an `@` it may be a password.
    #[error("what follows the host's colon is no port; a port is a number from 1 to 65535")]
    Port,
    /// A path, query or fragment.
    #[error("a proxy URL ends after the port; this one goes on with a path")]
    Path,
    /// NUL or another control character.
    #[error("the proxy URL contains a control character")]
    Control,
}

impl ProxyUrl {
    /// Reads what a person typed or what stood in a file.
    ///
    /// User and password are everything before the last `@`, so that a raw `@`, `/`, `#` or `:` in a password does no
    /// harm. Each is percent-decoded when every `%` in it begins a well-formed escape, and taken raw otherwise.
    ///
    /// # Errors
    /// [`ProxyUrlError`]; it never shows the password.
    pub fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(ProxyUrlError::Control);
        }
        if text.starts_with(QUOTES) || (text.ends_with(QUOTES) && !text.contains('@')) {
            return Err(ProxyUrlError::Quotes);
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| without_scheme(text))?;
        let scheme = scheme.to_ascii_lowercase();
        let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let scheme = Scheme::parse(&scheme).ok_or_else(|| match scheme.bytes().all(of_scheme) {
            true => ProxyUrlError::Scheme(scheme),
            false => ProxyUrlError::NoScheme,
        })?;
        let follows =
            |separator: char| ["http://", "https://"].iter().any(|next| rest.contains(&format!("{separator}{next}")));
        if [',', ';', ' ', '|'].into_iter().any(follows) {
            return Err(ProxyUrlError::Several);
        }
        let (userinfo, authority) =
            rest.rsplit_once('@').map_or((None, rest), |(userinfo, authority)| (Some(userinfo), authority));
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if let Some((_, path)) = authority.split_once(['/', '?', '#']) {
            let path = path.to_ascii_lowercase();
            let is_pac =
                [".pac", ".dat"].iter().any(|end| path.split('?').next().is_some_and(|path| path.ends_with(end)));
            return Err(if is_pac { ProxyUrlError::Pac } else { ProxyUrlError::Path });
        }
        let (host, port) = split_port(authority)?;
        let credentials = userinfo.filter(|text| !text.is_empty()).map(credentials);
        Ok(Self {
            scheme,
            host: parse_host(host)?,
            port: port.map(parse_port).transpose()?,
            credentials,
            anonymous: userinfo == Some(""),
        })
    }

    /// The text that is written into files: lower case scheme, explicit port, user and password percent-encoded.
    pub fn render(&self) -> String {
        self.write(|credentials| {
            let password = credentials.password.as_ref().map_or(&b""[..], Secret::expose);
            format!("{}:{}@", encode(&credentials.user), encode(password))
        })
    }

    /// The text that may be shown.
    pub fn masked(&self) -> String {
        self.write(|credentials| format!("{}:***@", encode(&credentials.user)))
    }

    /// The text that may be kept: no password; the user's name stays, and so does that there is none.
    pub fn without_password(&self) -> String {
        let nobody = if self.anonymous { "@" } else { "" };
        self.write_or(nobody, |credentials| format!("{}@", encode(&credentials.user)))
    }

    fn write(&self, userinfo: impl FnOnce(&Credentials) -> String) -> String {
        self.write_or("", userinfo)
    }

    fn write_or(&self, nobody: &str, userinfo: impl FnOnce(&Credentials) -> String) -> String {
        let userinfo = self.credentials.as_ref().map_or_else(|| nobody.to_owned(), userinfo);
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{userinfo}{}{port}", self.scheme.as_str(), self.host)
    }

    /// The port that is asked, named or not.
    pub fn asked_port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.scheme.usual_port())
    }

    /// Where it is: `host:port`.
    pub fn place(&self) -> String {
        host_port(&self.host.to_string(), self.asked_port())
    }

    /// Is it the same proxy, whoever logs in?
    pub fn same_place(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// The password, when there is one that is not empty.
    pub fn password(&self) -> Option<&Secret> {
        self.credentials.as_ref()?.password.as_ref().filter(|secret| !secret.is_empty())
    }
}

impl Shown for ProxyUrl {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.write(|credentials| format!("{}:{}@", encode(&credentials.user), Marked(&SECRET))))
    }
}

impl Shown for ProxyUrlError {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme) => {
                write!(f, "a proxy URL begins with http:// or https://, not with {}://", Marked(scheme))
            }
            Self::Host(host) => {
                write!(f, "{:?} is no host name, no IPv4 address and no IPv6 address in brackets", Marked(host))
            }
            other => fmt::Display::fmt(other, f),
        }
    }
}

/// Quotes of keyboards, and those that word processors make of them.
const QUOTES: [char; 7] = ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];

/// What is missing of a text without `://`: its slashes, or all of the scheme.
fn without_scheme(text: &str) -> ProxyUrlError {
    let begins = |scheme: &Scheme| {
        let rest = text.get(..scheme.as_str().len()).filter(|head| head.eq_ignore_ascii_case(scheme.as_str()));
        let rest = rest.and_then(|head| text.get(head.len()..)).unwrap_or_default();
        // `http:3128` is a host of that name, with its port.
        let is_port = rest.strip_prefix(':').is_some_and(|port| parse_port(port).is_ok());
        rest.starts_with([':', '/']) && !is_port
    };
    [Scheme::Https, Scheme::Http].into_iter().find(begins).map_or(ProxyUrlError::NoScheme, ProxyUrlError::Slashes)
}

fn credentials(userinfo: &str) -> Credentials {
    let (user, password) = userinfo.split_once(':').map_or((userinfo, None), |(user, word)| (user, Some(word)));
    Credentials { user: decode(user), password: password.map(|text| Secret::new(decode(text))) }
}

/// Decodes when every `%` begins an escape; otherwise the text was never encoded.
fn decode(text: &str) -> Vec<u8> {
    let escaped = |rest: &str| {
        let digits = rest.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    };
    if text.split('%').skip(1).all(escaped) {
        percent_decode(text.as_bytes()).collect()
    } else {
        text.as_bytes().to_vec()
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), ProxyUrlError> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or(ProxyUrlError::Brackets)?;
        let (host, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(ProxyUrlError::Host(authority.into())),
        };
    }
    match authority.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Err(ProxyUrlError::Brackets),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, ProxyUrlError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0).ok_or(ProxyUrlError::Port)
}

/// A host name, an IPv4 address or a bracketed IPv6 address.
pub(crate) fn parse_host(text: &str) -> Result<ProxyHost, ProxyUrlError> {
    let wrong = || ProxyUrlError::Host(text.into());
    if text.is_empty() {
        return Err(ProxyUrlError::NoHost);
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse().map(ProxyHost::V6).map_err(|_| wrong());
    }
    if let Ok(address) = text.parse() {
        return Ok(ProxyHost::V4(address));
    }
    // Only digits and dots, and yet no address: 10.0.0.256 or 1.2.3 is a slip, not a name.
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(wrong());
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    if text.len() <= 253 && name.split('.').all(label) {
        Ok(ProxyHost::Name(text.to_ascii_lowercase()))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn password(url: &str) -> Vec<u8> {
        let url = ProxyUrl::parse(url).unwrap();
        url.credentials.unwrap().password.unwrap().expose().to_vec()
    }

    #[test]
    fn an_encoded_password_is_decoded_and_a_raw_one_is_not() {
        assert_eq!(password("http://u:p%40ss@h:1"), b"p@ss");
        assert_eq!(password("http://u:p@ss@h:1"), b"p@ss");
        assert_eq!(password("http://u:100%@h:1"), b"100%");
        assert_eq!(password("http://u:50%off%20@h:1"), b"50%off%20");
        assert_eq!(password("http://u:a/b#c?d:e@h:1"), b"a/b#c?d:e");
        assert_eq!(password("http://u:%C3%A9@h:1"), "é".as_bytes());
        assert_eq!(password("http://u:@h:1"), b"");
    }

    #[test]
    fn the_rendered_form_has_no_special_character_and_a_port() {
        let url = ProxyUrl::parse("HTTP://svc:p@ ss:\"'\\$é@Proxy.Corp:3128/").unwrap();
        assert_eq!(url.render(), "http://svc:p%40%20ss%3A%22%27%5C%24%C3%A9@proxy.corp:3128");
        assert_eq!(url.masked(), "http://svc:***@proxy.corp:3128");
        assert_eq!(url.without_password(), "http://svc@proxy.corp:3128");
    }

    #[test]
    fn each_wrong_url_says_what_is_wrong_with_it() {
        let error = |text: &str| ProxyUrl::parse(text).unwrap_err();
        assert_eq!(error("proxy:3128"), ProxyUrlError::NoScheme);
        for (text, scheme) in [
            ("http:/p:3128", Scheme::Http),
            ("http:p:3128", Scheme::Http),
            ("HTTP//p:3128", Scheme::Http),
            ("https:/p", Scheme::Https),
        ] {
            assert_eq!(error(text), ProxyUrlError::Slashes(scheme), "{text}");
        }
        assert_eq!(error("http:3128"), ProxyUrlError::NoScheme);
        for text in ["\"http://h:1\"", "'http://h:1'", "http://h:1'", "\u{201c}http://h:1\u{201d}"] {
            assert_eq!(error(text), ProxyUrlError::Quotes, "{text}");
        }
        assert_eq!(password("http://u:'p'@h:1"), b"'p'");
        for text in ["http://a:1,http://b:1", "http://a:1; https://b:1", "http://u:p@a:1 http://u:p@b:1"] {
            assert_eq!(error(text), ProxyUrlError::Several, "{text}");
        }
        assert_eq!(error("http://h/proxy.pac"), ProxyUrlError::Pac);
        assert_eq!(error("http://wpad.corp.example/wpad.dat?x"), ProxyUrlError::Pac);
        assert_eq!(error("socks5://h:1"), ProxyUrlError::Scheme("socks5".into()));
        assert_eq!(error("http://:3128"), ProxyUrlError::NoHost);
        assert_eq!(error("http://::1:3128"), ProxyUrlError::Brackets);
        assert_eq!(error("http://h:0"), ProxyUrlError::Port);
        assert_eq!(error("http://h:65536"), ProxyUrlError::Port);
        assert_eq!(error("http://h:+1"), ProxyUrlError::Port);
        assert_eq!(error("http://h:1/x"), ProxyUrlError::Path);
        assert_eq!(error("http://10.0.0.256:1"), ProxyUrlError::Host("10.0.0.256".into()));
        assert_eq!(error("http://a b:1"), ProxyUrlError::Host("a b".into()));
        assert_eq!(error("http://h\u{1b}:1"), ProxyUrlError::Control);
        for good in ["http://h:1", "https://10.0.0.1:1", "http://[fd00::1]:3128", "http://a_b.c:1/", "http://h"] {
            assert!(ProxyUrl::parse(good).is_ok(), "{good}");
        }
        assert!(ProxyUrl::parse("http://@h:1").unwrap().anonymous);
    }

    proptest! {
        #[test]
        fn any_password_survives_writing_and_reading(user in "[^\\pC]{1,12}", pass in proptest::collection::vec(any::<u8>(), 0..24)) {
            let url = ProxyUrl {
                scheme: Scheme::Http,
                host: ProxyHost::Name("h".into()),
                port: Some(1),
                credentials: Some(Credentials { user: user.clone().into_bytes(), password: Some(Secret::new(pass.clone())) }),
                anonymous: false,
            };
            let text = url.render();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%:/@".contains(&byte)));
            let again = ProxyUrl::parse(&text).unwrap();
            prop_assert_eq!(again.render(), text);
            let credentials = again.credentials.unwrap();
            prop_assert_eq!(credentials.user, user.into_bytes());
            let password = credentials.password.unwrap();
            prop_assert_eq!(password.expose(), &pass[..]);
        }

        #[test]
        fn any_text_parses_or_is_refused_without_its_password(text in "(https?://)?(u:s3cret[%@:/#?]{0,3}@)?\\PC{0,20}") {
            if let Err(error) = ProxyUrl::parse(&text) {
                prop_assert!(!error.to_string().contains("s3cret") || !text.contains('@'), "{error}");
            }
        }
    }
}
