//! One request to a proxy, and what it said to it, as facts.

use std::io::{Read, Write};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::cleaner::Cleaner;
use crate::net::{Answer, NetError, basic, request};
use crate::network::cause::{Cause, Failure, Stage};
use crate::network::inspector;
use crate::settings::ProxyUrl;
use crate::text::{host_port, millis};

/// How a request to the proxy ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
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
    /// The answer has headers that proxies keep for pages of their own: it is not passed on from an origin.
    #[serde(default)]
    pub is_own: bool,
    /// Why there is no answer; or, with a status of 200, what became of the tunnel.
    pub error: Option<NetError>,
    /// Milliseconds from the request to its answer.
    pub took_ms: u64,
}

/// What a proxy is asked for.
pub(crate) struct Request {
    method: &'static str,
    target: String,
    host: String,
}

impl Request {
    /// A tunnel.
    pub(crate) fn tunnel(host: &str, port: u16) -> Self {
        let place = host_port(host, port);
        Self { method: "CONNECT", target: place.clone(), host: place }
    }

    /// A page in the clear, as clients ask for `http://`.
    pub(crate) fn page(host: &str, port: u16, path: &str) -> Self {
        let host = if port == 80 { bracketed(host) } else { host_port(host, port) };
        Self { method: "GET", target: format!("http://{host}{path}"), host }
    }
}

/// A host as it stands in URLs.
pub(crate) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Asks a proxy for one thing, with the login of `login` (Basic) where it has one. Returns the facts, and the answer where one
/// came.
pub(crate) fn ask<S: Read + Write>(
    stream: &mut S,
    asked: &Request,
    login: Option<&ProxyUrl>,
    cleaner: &Cleaner,
) -> (Said, Option<Answer>) {
    let mut headers = vec![("Host", asked.host.as_str())];
    let authorization = login
        .and_then(|url| url.credentials.as_ref())
        .map(|login| basic(&login.user, login.password.as_ref().map_or(&b""[..], |password| password.expose())));
    headers.extend(authorization.as_deref().map(|value| ("Proxy-Authorization", value)));
    if asked.method == "GET" {
        headers.push(("Connection", "close"));
    }
    let mut said = Said {
        method: asked.method.to_owned(),
        target: asked.target.clone(),
        logged_in: authorization.is_some(),
        ..Said::default()
    };
    let began = Instant::now();
    let answer = request(stream, asked.method, &asked.target, &headers);
    said.took_ms = millis(began.elapsed());
    match answer {
        Ok(answer) => {
            said.take(&answer, cleaner);
            (said, Some(answer))
        }
        Err(error) => {
            said.error = Some(cleaner.error(error));
            (said, None)
        }
    }
}

impl Said {
    /// Takes what is worth keeping of an answer.
    fn take(&mut self, answer: &Answer, cleaner: &Cleaner) {
        let header = |name: &str| answer.get(name).map(|value| cleaner.line(value)).filter(|value| !value.is_empty());
        self.status = Some(answer.status);
        self.reason = cleaner.line(&answer.reason);
        self.schemes = schemes(answer).into_iter().map(|scheme| cleaner.line(&scheme)).collect();
        self.via = header("via");
        self.server = header("server");
        // Of an address that we are sent to, what stands behind `?` may be anything.
        self.location = header("location").map(|url| url.split(['?', '#']).next().unwrap_or_default().to_owned());
        self.squid_error = header("x-squid-error");
        let server = answer.get("server").unwrap_or_default();
        self.is_own = self.squid_error.is_some()
            || answer.get("proxy-connection").is_some()
            || server.starts_with("tinyproxy")
            || inspector(server).is_some();
    }

    /// Was a tunnel asked for?
    pub(crate) fn is_connect(&self) -> bool {
        self.method == "CONNECT"
    }

    /// Why the proxy does not do what it was asked for; `None`: it does.
    ///
    /// Each answer to CONNECT is the proxy's own. In the clear an origin may say the same: `strict` takes what only proxies
    /// usually say for the proxy's, otherwise it has to give itself away.
    pub(crate) fn cause(&self, strict: bool) -> Option<Cause> {
        let Some(status) = self.status else {
            return Some(self.error.clone().unwrap_or(NetError::Closed).into());
        };
        let connect = self.is_connect();
        let strict = strict || connect;
        match status {
            200..300 => None,
            407 => Some(Cause::ProxyLogin { schemes: self.schemes.clone(), sent: self.logged_in }),
            300..400 if strict && !self.is_own_redirect() => Some(Cause::ProxyAnswered { status }),
            400 | 405 | 501 if strict => Some(Cause::ProxyMisunderstands { status }),
            400..500 if connect || self.is_own => Some(Cause::ProxyForbids { status }),
            403 | 451 if strict => Some(Cause::ProxyForbids { status }),
            // Proxies add `Via` to what they pass on.
            500.. if strict || self.is_own || (matches!(status, 502..=504) && self.via.is_none()) => {
                let word = self.squid_error.as_deref().and_then(|value| value.split_whitespace().next());
                Some(Cause::ProxyFailed { status, word: word.map(str::to_owned) })
            }
            _ if connect => Some(Cause::ProxyAnswered { status }),
            _ => None,
        }
    }

    /// Where the way through the proxy ended; `None`: it is open.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let (stage, why) = match self.cause(true) {
            Some(why) => (if self.is_connect() { Stage::Connect } else { Stage::Http }, why),
            // What became of the tunnel.
            None => (Stage::Tls, self.error.clone()?.into()),
        };
        Some(Failure { stage, why, took_ms: self.took_ms })
    }

    /// Does the site itself send a visitor on, as most do from http to https? A portal names another host.
    fn is_own_redirect(&self) -> bool {
        let host = self.target.trim_start_matches("http://").trim_end_matches('/');
        let to = self.location.as_deref().unwrap_or_default();
        let to_host = to.split_once("://").map(|(_, rest)| rest.split(['/', ':']).next().unwrap_or_default());
        !self.is_connect() && (to.starts_with('/') || to_host == Some(host))
    }
}

/// No more schemes of a 407 are kept.
const MOST_SCHEMES: usize = 8;

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
}
