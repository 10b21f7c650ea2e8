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

    /// Name and value that count among several spellings.
    fn first<'a>(&'a self, names: &[String], empty: Empty, any_case: bool) -> Option<(&'a str, &'a str)> {
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
                Some(value) if !value.is_empty() => return self.0.iter().find(|(own, _)| own == name).map(pair),
                _ => {}
            }
            let other = || {
                let same = |own: &str| own.eq_ignore_ascii_case(name) && !names.iter().any(|known| known == own);
                self.0.iter().find(|(own, value)| same(own) && !value.is_empty())
            };
            if any_case && let Some(other) = other() {
                return Some(pair(other));
            }
        }
        None
    }
}

fn pair((name, value): &(String, String)) -> (&str, &str) {
    (name, value)
}

/// What a client makes of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'e> {
    /// The way of the request.
    pub route: Route,
    /// The variable that names the proxy, with its value; `None`: none that it reads is set.
    pub proxy: Option<(&'e str, &'e str)>,
    /// The list that counts, where there is a proxy.
    pub no_proxy: Option<(&'e str, &'e str)>,
}

impl Client {
    /// Does it read a proxy from variables at all?
    pub fn reads_environment(&self) -> bool {
        self.reads.instead.is_none()
    }

    /// The names that may hold the proxy of such requests, in the order in which they are asked.
    pub fn proxy_names(&self, tls: bool) -> &[String] {
        if tls { &self.reads.https } else { &self.reads.http }
    }

    /// The names that may hold the list, in the order in which they are asked.
    pub fn list_names(&self) -> &[String] {
        &self.reads.no_proxy
    }

    /// The port of a proxy of this scheme that names none; `None`: it is not known.
    pub fn usual_port(&self, scheme: &str) -> Option<u16> {
        match scheme {
            "http" => Some(self.reads.no_port.unwrap_or(80)),
            "https" => Some(443),
            scheme if scheme.starts_with("socks") => Some(1080),
            _ => None,
        }
    }

    /// Why it does not take this for a proxy; `None`: it does.
    pub fn refuses(&self, proxy: &str) -> Option<&'static str> {
        let refused = self.reads.schemeless == Schemeless::Error && !proxy.contains("://");
        refused.then_some("it takes no proxy without a scheme; write http:// in front")
    }

    /// Which way a request goes in this environment.
    pub fn route_in(&self, target: &Target, environment: &Environment) -> Route {
        self.asked_in(target, environment).route
    }

    /// The same, with the variables that decide it.
    pub fn asked_in<'e>(&self, target: &Target, environment: &'e Environment) -> Asked<'e> {
        let reads = &self.reads;
        let alone = |route: Route| Asked { route, proxy: None, no_proxy: None };
        if let Some(instead) = &reads.instead {
            return alone(Route::rule(&format!("it reads no proxy variables, only {instead}")));
        }
        let names = self.proxy_names(target.tls);
        let mut known: Vec<String> = names.to_vec();
        if environment.get("REQUEST_METHOD").is_some() {
            let upper = environment.get("HTTP_PROXY").is_some_and(|value| !value.is_empty());
            match reads.cgi {
                Cgi::Nothing => {
                    return alone(Route::rule("it reads no proxy variables where REQUEST_METHOD is set (CGI)"));
                }
                Cgi::Error if upper && !target.tls => {
                    let why = "it refuses HTTP_PROXY where REQUEST_METHOD is set (CGI)".to_owned();
                    return alone(Route::Error { why });
                }
                Cgi::NoUpper => known.retain(|name| name != "HTTP_PROXY"),
                Cgi::Reads | Cgi::Error => {}
            }
        }
        let Some(proxy) = environment.first(&known, reads.empty, reads.any_case && known.len() == names.len()) else {
            let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return alone(Route::rule(&format!("none of the variables that it reads is set: {list}")));
        };
        if let Some(why) = self.refuses(proxy.1) {
            return Asked { proxy: Some(proxy), ..alone(Route::Error { why: why.to_owned() }) };
        }
        let empty = reads.empty_no_proxy.unwrap_or(reads.empty);
        let no_proxy = environment.first(&reads.no_proxy, empty, reads.any_case);
        let route = self.route(target, no_proxy.map_or("", |(_, list)| list));
        Asked { route, proxy: Some(proxy), no_proxy }
    }
}
