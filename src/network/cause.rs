//! Where and why the way to an endpoint ends, as facts.

use serde::{Deserialize, Serialize};

use crate::net::NetError;

/// A stage of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// Name → address; of the proxy, where there is one.
    Resolve,
    /// Connection; to the proxy, where there is one.
    Tcp,
    /// TLS to the proxy itself.
    ProxyTls,
    /// The proxy opens the tunnel.
    Connect,
    /// TLS to the endpoint.
    Tls,
    /// The certificate's verdict.
    Certificate,
    /// The answer to a request.
    Http,
}

impl Stage {
    /// The word in JSON and messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Tcp => "tcp",
            Self::ProxyTls => "proxy-tls",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
            Self::Http => "http",
        }
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// Without the proxy.
    Direct,
    /// Through it.
    Proxy,
}

impl Via {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Proxy => "proxy",
        }
    }
}

/// Why a stage was not passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// Name, connection or conversation: see the trouble. At `resolve` and `tcp` with a proxy it is the proxy's.
    NetError {
        /// What.
        #[serde(flatten)]
        trouble: NetError,
    },
    /// The proxy asks for a login.
    ProxyLogin {
        /// Which ways to log in it offers.
        schemes: Vec<String>,
        /// Was one sent?
        sent: bool,
    },
    /// The proxy forbids it: its status.
    ProxyForbids {
        /// 4xx but 407 and those of [`Self::ProxyMisunderstands`].
        status: u16,
    },
    /// The proxy did not get there: its status.
    ProxyFailed {
        /// 5xx.
        status: u16,
        /// Its own word for why, where it has one: `ERR_DNS_FAIL`.
        #[serde(default)]
        word: Option<String>,
    },
    /// The proxy does not know what it was asked for (400, 405, 501): a web server, or a port for TLS.
    ProxyMisunderstands {
        /// Its status.
        status: u16,
    },
    /// The proxy answered CONNECT with something else.
    ProxyAnswered {
        /// Its status.
        status: u16,
    },
    /// The endpoint's port does not speak TLS through this way, but answers with a page.
    Page {
        /// Words of its title, where there are.
        title: Option<String>,
    },
}

/// Where the way ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// The stage that was not passed.
    pub stage: Stage,
    /// Why.
    #[serde(flatten)]
    pub why: Cause,
    /// How long it took to fail, in milliseconds.
    pub took_ms: u64,
}

impl Failure {
    /// Of a way through a proxy: is the proxy itself the reason, whatever the endpoint?
    pub(crate) fn is_of_proxy(&self) -> bool {
        matches!(
            (&self.why, self.stage),
            (_, Stage::Resolve | Stage::Tcp | Stage::ProxyTls)
                | (
                    Cause::ProxyLogin { .. } | Cause::NetError { .. } | Cause::ProxyMisunderstands { .. },
                    Stage::Connect
                )
        )
    }
}

/// Is Basic, the only login that the product's clients know, among the schemes of a 407?
pub(crate) fn offers_basic(schemes: &[String]) -> bool {
    schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("Basic"))
}

impl From<NetError> for Cause {
    fn from(trouble: NetError) -> Self {
        Self::NetError { trouble }
    }
}
