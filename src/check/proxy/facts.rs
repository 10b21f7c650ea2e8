//! `assets/probe.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// The whole file; its comments say what each key means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    endpoint: Vec<Endpoint>,
    pub(super) product: Product,
}

/// A name that is asked for through the proxy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // source and date are for readers of the file
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) purpose: String,
    source: String,
    date: String,
}

/// How containers of the product are recognised.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // source and date are for readers of the file
pub(super) struct Product {
    pub(super) containers: Vec<String>,
    source: String,
    date: String,
}

impl Facts {
    /// The facts, parsed the first time that somebody asks.
    pub(super) fn get() -> &'static Self {
        static FACTS: LazyLock<Facts> = LazyLock::new(|| {
            #[allow(clippy::expect_used)] // part of the binary, and a test parses it
            toml::from_str(include_str!("../../../assets/probe.toml")).expect("assets/probe.toml is valid")
        });
        &FACTS
    }

    /// What a proxy is asked for.
    pub(super) fn endpoint(&self) -> &Endpoint {
        #[allow(clippy::expect_used)] // part of the binary, and a test counts them
        self.endpoint.first().expect("assets/probe.toml has an endpoint")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_endpoints_with_their_source() {
        let facts = Facts::get();
        assert_eq!((facts.endpoint().host.as_str(), facts.endpoint().port), ("divvycentral.divvycloud.com", 443));
        assert!(facts.endpoint.iter().all(|endpoint| !endpoint.source.is_empty() && !endpoint.date.is_empty()));
        assert!(!facts.product.containers.is_empty());
    }
}
