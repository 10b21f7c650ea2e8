//! apt, dnf or yum, which under sudo and in timers do not see the login's environment.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::reader::FileProbe;
use super::{Consumer, State, Who};
use crate::envfile::ini;
use crate::host::Command;
use crate::platform::{PackageManager, PackageSyntax, Platform};
use crate::settings::encode;
use crate::text;
use crate::text::own;

/// What the host's package manager is told.
pub(super) fn manager(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Consumer {
    let Some(platform) = platform else {
        let why = "which package manager this system has is not known";
        return Consumer::unseen(Who::PackageManager, "", State::Skipped, why);
    };
    let manager = platform.package_manager(probe.host);
    match manager.syntax {
        PackageSyntax::Apt => apt(probe),
        PackageSyntax::Ini => dnf(probe, manager),
    }
}

fn apt(probe: &mut FileProbe<'_>) -> Consumer {
    let named = |source: String| Consumer::new(Who::PackageManager, Some("apt".to_owned()), source);
    if probe.host.is_live() {
        let command = Command { deadline: probe.limit(), ..Command::new(["apt-config", "dump"]) };
        match probe.host.run(&command) {
            Ok(output) if output.code == Some(0) => {
                let found = apt_proxies(&[output.stdout]);
                return apt_consumer(probe, named("apt-config dump".to_owned()), &found);
            }
            Ok(output) => {
                let why = text!("apt-config dump ended with code {}", own(format!("{:?}", output.code)));
                return Consumer::unseen(Who::PackageManager, "apt-config dump", State::Unreadable, why);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let why = "apt is not installed";
                return Consumer::unseen(Who::PackageManager, "apt-config dump", State::Skipped, why);
            }
            Err(error) => {
                let why = text!("apt-config could not be run: {}", error);
                return Consumer::unseen(Who::PackageManager, "apt-config dump", State::Unreadable, why);
            }
        }
    }
    let folder = Path::new("/etc/apt/apt.conf.d");
    let mut paths: Vec<PathBuf> =
        probe.host.list(folder).unwrap_or_default().into_iter().map(|name| folder.join(name)).collect();
    // Names with another ending are ignored by apt.
    paths.retain(|path| path.extension().is_none_or(|end| end == "conf"));
    paths.push(PathBuf::from("/etc/apt/apt.conf"));
    let (mut texts, mut sources) = (Vec::new(), Vec::new());
    for path in paths {
        match probe.read(&path) {
            Ok(Some(bytes)) => {
                if apt_proxies(std::slice::from_ref(&bytes)) != AptProxies::default() {
                    sources.push(probe.shown(&path));
                }
                texts.push(bytes);
            }
            Ok(None) => {}
            Err((state, why)) => {
                return Consumer::unseen(Who::PackageManager, path.display().to_string(), state, why);
            }
        }
    }
    if sources.is_empty() {
        sources.push(probe.shown(folder));
    }
    apt_consumer(probe, named(sources.join(", ")), &apt_proxies(&texts))
}

fn apt_consumer(probe: &mut FileProbe<'_>, mut consumer: Consumer, found: &AptProxies) -> Consumer {
    let direct = |value: &&String| !value.eq_ignore_ascii_case("DIRECT");
    consumer.http = found.http.as_ref().filter(direct).and_then(|raw| probe.value(raw));
    // For https apt asks its https options first and those of http where there are none.
    let https = found.https.as_ref().or(found.http.as_ref());
    consumer.https = https.filter(direct).and_then(|raw| probe.value(raw));
    consumer
}

#[derive(Debug, Default, PartialEq, Eq)]
struct AptProxies {
    http: Option<String>,
    https: Option<String>,
}

/// `Acquire::http::Proxy` and `Acquire::https::Proxy`; the last one counts. Both forms are read: `A::b::C "x";` and
/// `A { b { C "x"; }; };`. Source: apt.conf(5), `ReadConfigFile` of apt-pkg/contrib/configuration.cc.
fn apt_proxies(texts: &[Vec<u8>]) -> AptProxies {
    let mut found = AptProxies::default();
    for text in texts {
        let text = String::from_utf8_lossy(text);
        let mut scopes: Vec<String> = Vec::new();
        let mut words: Vec<String> = Vec::new();
        for token in tokens(&text) {
            match token {
                Token::Word(word) => words.push(word),
                Token::Open => scopes.push(words.drain(..).next().unwrap_or_default()),
                Token::Close => drop((scopes.pop(), words.clear())),
                Token::End => {
                    let mut words = words.drain(..);
                    let (Some(name), Some(value)) = (words.next(), words.next()) else { continue };
                    let parts = scopes.iter().map(String::as_str).chain([name.as_str()]);
                    match parts.collect::<Vec<_>>().join("::").to_ascii_lowercase().as_str() {
                        "acquire::http::proxy" => found.http = Some(value).filter(|value| !value.is_empty()),
                        "acquire::https::proxy" => found.https = Some(value).filter(|value| !value.is_empty()),
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") || first == '#' {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, rest)| rest);
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = quoted.split_once('"').unwrap_or((quoted, ""));
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        } else if let Some(token) = match first {
            '{' => Some(Token::Open),
            '}' => Some(Token::Close),
            ';' => Some(Token::End),
            _ => None,
        } {
            tokens.push(token);
            rest = &rest[1..];
        } else if first.is_whitespace() {
            rest = rest.trim_start();
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "{};\"".contains(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    tokens
}

fn dnf(probe: &mut FileProbe<'_>, manager: PackageManager) -> Consumer {
    let path = manager.conf;
    let shown = probe.shown(path);
    let bytes = match probe.read(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let why = text!("{} is not there", own(&shown));
            return Consumer::unseen(Who::PackageManager, shown, State::Skipped, why);
        }
        Err((state, why)) => return Consumer::unseen(Who::PackageManager, shown, state, why),
    };
    let get = |key: &str| {
        let value = ini::value(&bytes, "main", key).map(|value| String::from_utf8_lossy(value).into_owned());
        value.filter(|value| !value.is_empty())
    };
    let mut consumer = Consumer::new(Who::PackageManager, Some(manager.name.to_owned()), shown);
    // `_none_` is dnf's word for no proxy.
    if let Some(url) = get("proxy").filter(|url| url != "_none_") {
        let url = match (get("proxy_username"), url.split_once("://")) {
            (Some(user), Some((scheme, rest))) if !rest.contains('@') => {
                let raw = |text: &str| encode(&percent_decode_str(text).collect::<Vec<_>>());
                format!("{scheme}://{}:{}@{rest}", raw(&user), raw(&get("proxy_password").unwrap_or_default()))
            }
            _ => url,
        };
        // One key serves all repositories.
        consumer.http = probe.value(&url);
        consumer.https.clone_from(&consumer.http);
    }
    consumer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_apts_configuration_are_read_and_the_last_one_counts() {
        let read = |text: &str| apt_proxies(&[text.as_bytes().to_vec()]);
        let both = |http: Option<&str>, https: Option<&str>| AptProxies {
            http: http.map(str::to_owned),
            https: https.map(str::to_owned),
        };
        for (text, expected) in [
            ("Acquire::http::Proxy \"http://h:1\";", both(Some("http://h:1"), None)),
            (
                "Acquire::http::proxy \"http://a:1\";\nacquire::HTTP::Proxy \"http://h:1\";",
                both(Some("http://h:1"), None),
            ),
            (
                "// x\nAcquire { http { Proxy \"http://h:1\"; }; https::Proxy \"http://i:2\"; };",
                both(Some("http://h:1"), Some("http://i:2")),
            ),
            ("/* Acquire::http::Proxy \"x\"; */ # Acquire::http::Proxy \"y\";\n", both(None, None)),
            ("Acquire::http::Proxy::mirror.corp \"DIRECT\";", both(None, None)),
            (
                "Acquire \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://h:1\";\n",
                both(Some("http://h:1"), None),
            ),
            ("Acquire::http::Proxy \"http://a:1\"; Acquire::http::Proxy \"\";", both(None, None)),
            ("} ; } {{{ \"open", both(None, None)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
