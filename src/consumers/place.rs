//! Where the proxy is that a value names, as clients read it.

use crate::clients::Client;
use crate::settings::ProxyUrl;

/// Scheme, host and port of a proxy: without a scheme it is spoken to by HTTP, and what stands behind the port says nothing. The
/// port is `None` where nobody can tell it; `client`: whose usual port counts, where that is known.
pub(crate) fn place(client: Option<&Client>, value: &str) -> Option<(String, String, Option<u16>)> {
    let (scheme, rest) = value.trim().split_once("://").unwrap_or(("http", value.trim()));
    let scheme = scheme.to_ascii_lowercase();
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let url = ProxyUrl::parse(&format!("http://{rest}")).ok()?;
    let usual = || match (client, scheme.as_str()) {
        (Some(client), _) => client.usual_port(&scheme),
        (None, "http") => Some(80),
        (None, "https") => Some(443),
        (None, other) => other.starts_with("socks").then_some(1080),
    };
    let port = url.port.or_else(usual);
    Some((scheme, url.host.to_string(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients;

    #[test]
    fn whatever_way_a_proxy_is_written_it_is_the_same() {
        for (value, scheme) in [
            ("http://h.example:3128", "http"),
            ("h.example:3128", "http"),
            (" HTTP://u:p@H.example:3128/a?b#c ", "http"),
            ("https://h.example:3128/", "https"),
        ] {
            let expected = (scheme.to_owned(), "h.example".to_owned(), Some(3128));
            assert_eq!(place(None, value), Some(expected), "{value}");
        }
        let port =
            |client: Option<&str>, value: &str| place(client.and_then(clients::by_id), value).map(|(.., port)| port);
        assert_eq!(port(None, "h"), Some(Some(80)));
        assert_eq!(port(None, "socks5://h"), Some(Some(1080)));
        assert_eq!(port(Some("curl-7.88"), "http://h"), Some(Some(1080)));
        assert_eq!(port(None, "odd://h"), Some(None));
        for none in ["", "http://", "h:x", "a b"] {
            assert_eq!(port(None, none), None, "{none}");
        }
    }
}
