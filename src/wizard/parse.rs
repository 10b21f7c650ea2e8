//! Answers read at once, by the parsers of the settings. An error is one sentence.

use crate::redact::Redactor;
use crate::settings::{Key, Layer, NoProxy, Origin, ProxyUrl, host_alone};

/// A proxy as people name it: a URL, `host:port` or a host alone. A password in it is refused: everybody has seen it by now.
pub(super) fn proxy(text: &str) -> Result<ProxyUrl, String> {
    let url = if text.contains("://") { ProxyUrl::parse(text) } else { ProxyUrl::parse(&format!("http://{text}")) };
    let url = url.map_err(|error| error.to_string())?;
    if url.password().is_some() {
        return Err("leave the password out: it is asked for, and not shown then".to_owned());
    }
    Ok(url)
}

/// A port.
pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ if text.is_empty() => Err("an answer is needed here: a port is a number from 1 to 65535".to_owned()),
        _ => Err(format!("{text:?} is no port: a port is a number from 1 to 65535")),
    }
}

/// A host name or an address, without port or scheme.
pub(super) fn host(text: &str) -> Result<(), String> {
    let words = |_| format!("{text:?} is no host name and no address; the port is asked for by itself");
    host_alone(text).map_err(words)
}

/// Members of `no_proxy`.
pub(super) fn no_proxy(text: &str) -> Result<(), String> {
    NoProxy::parse(text).map(|_| ()).map_err(|error| error.to_string())
}

/// Hosts, separated by commas.
pub(super) fn hosts(text: &str) -> Result<(), String> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).try_for_each(host)
}

/// Text that a setting of this key takes.
pub(super) fn of_key(key: Key, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("an answer is needed here".to_owned());
    }
    match key {
        Key::MysqlHost | Key::RedisHost => host(text),
        Key::MysqlPort | Key::RedisPort => port(text).map(|_| ()),
        Key::ProxyNoProxy => no_proxy(text),
        Key::AgentCollector => hosts(text),
        _ if text.chars().any(char::is_control) => Err("there is a control character in it".to_owned()),
        _ => {
            let inserted = Layer::default().insert(key.spec(), text.to_owned(), Origin::Default);
            inserted.map_err(|problem| crate::report::line(&Redactor::default(), &problem.message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_types_no_port_at_all_hears_what_is_asked_for() {
        let heard = |text: &str| port(text).unwrap_err();
        assert_eq!(heard(""), "an answer is needed here: a port is a number from 1 to 65535");
        assert_eq!(heard("0"), "\"0\" is no port: a port is a number from 1 to 65535");
    }
}
