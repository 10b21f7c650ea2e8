//! Names the product that inspects TLS or shows a block page, from `assets/inspectors.toml`. Only for the message: what is
//! not in the list is inspected all the same.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::assets;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inspector {
    name: String,
    signs: Vec<String>,
}

/// The product whose signs stand in a text (an issuer, a `Server` or `Via` header, a title).
pub(crate) fn inspector(text: &str) -> Option<&'static str> {
    static ALL: LazyLock<Vec<Inspector>> = LazyLock::new(|| assets::only(&assets::INSPECTORS));
    let text = text.to_ascii_lowercase();
    ALL.iter()
        .find(|inspector| inspector.signs.iter().any(|sign| text.contains(&sign.to_ascii_lowercase())))
        .map(|inspector| inspector.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_known_by_their_certificates() {
        assert_eq!(inspector("C=US, O=Zscaler Inc., CN=Zscaler Intermediate Root CA"), Some("Zscaler"));
        assert_eq!(inspector("CN=FGT60E, O=Fortinet"), Some("FortiGate"));
        assert_eq!(inspector("CN=mitmproxy, O=mitmproxy"), Some("mitmproxy"));
        assert_eq!(inspector("C=US, O=Amazon, CN=Amazon RSA 2048 M02"), None);
    }
}
