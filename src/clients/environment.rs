//! Which variables a client reads, and which of two spellings counts.

use super::profile::{Cgi, Client, Empty, Schemeless};
use super::route::Route;
use super::target::Target;

/// Environment variables, as a process has them.
#[derive(Clone, Debug, Default)]
pub struct Environment(Vec<(String, String)>);

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Environment {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The value that counts among several spellings.
    fn first<'a>(&'a self, names: &[String], empty: Empty, any_case: bool) -> Option<&'a str> {
        let mut last_kind = None;
        for name in names {
            let kind = name.to_ascii_lowercase();
            match self.get(name) {
                Some("") if empty == Empty::Counts => {
                    // Nothing is set, in whatever spelling; another variable such as all_proxy may be.
                    last_kind = Some(kind);
                    continue;
                }
                _ if last_kind.as_ref() == Some(&kind) => continue,
                Some(value) if !value.is_empty() => return Some(value),
                _ => {}
            }
            let other = || {
                let same = |own: &str| own.eq_ignore_ascii_case(name) && !names.iter().any(|known| known == own);
                self.0.iter().find(|(own, value)| same(own) && !value.is_empty())
            };
            if any_case && let Some((_, value)) = other() {
                return Some(value);
            }
        }
        None
    }
}

impl Client {
    /// Does it read a proxy from variables at all?
    pub fn reads_environment(&self) -> bool {
        self.reads.instead.is_none()
    }

    /// Which way a request goes in this environment.
    pub fn route_in(&self, target: &Target, environment: &Environment) -> Route {
        let reads = &self.reads;
        if let Some(instead) = &reads.instead {
            return Route::rule(&format!("it reads no proxy variables, only {instead}"));
        }
        let names = if target.tls { &reads.https } else { &reads.http };
        let mut known: Vec<String> = names.clone();
        if environment.get("REQUEST_METHOD").is_some() {
            let upper = environment.get("HTTP_PROXY").is_some_and(|value| !value.is_empty());
            match reads.cgi {
                Cgi::Nothing => return Route::rule("it reads no proxy variables where REQUEST_METHOD is set (CGI)"),
                Cgi::Error if upper && !target.tls => {
                    return Route::Error { why: "it refuses HTTP_PROXY where REQUEST_METHOD is set (CGI)".to_owned() };
                }
                Cgi::NoUpper => known.retain(|name| name != "HTTP_PROXY"),
                Cgi::Reads | Cgi::Error => {}
            }
        }
        let Some(proxy) = environment.first(&known, reads.empty, reads.any_case && known.len() == names.len()) else {
            let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Route::rule(&format!("none of the variables that it reads is set: {list}"));
        };
        if reads.schemeless == Schemeless::Error && !proxy.contains("://") {
            return Route::Error { why: "it takes no proxy without a scheme; write http:// in front".to_owned() };
        }
        let empty = reads.empty_no_proxy.unwrap_or(reads.empty);
        let list = environment.first(&reads.no_proxy, empty, reads.any_case).unwrap_or_default();
        self.route(target, list)
    }
}
