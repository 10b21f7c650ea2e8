//! Where and why the way to an endpoint ends, as facts.

use serde::{Deserialize, Serialize};

use crate::net::NetError;
use crate::text::words::words;

words! {
    /// A stage of the way.
    pub(crate) enum Stage {
        /// Name → address; of the proxy, where there is one.
        Resolve = "resolve",
        /// Connection; to the proxy, where there is one.
        Tcp = "tcp",
        /// TLS to the proxy itself.
        ProxyTls = "proxy-tls",
        /// The proxy opens the tunnel.
        Connect = "connect",
        /// TLS to the endpoint.
        Tls = "tls",
        /// The certificate's verdict.
        Certificate = "certificate",
        /// The answer to a request.
        Http = "http",
    }

    /// Which way.
    #[derive(Default)]
    pub enum Via {
        /// Without the proxy.
        #[default]
        Direct = "direct",
        /// Through it.
        Proxy = "proxy",
    }
}

/// Why a stage was not passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// Name, connection or conversation: see the error. At `resolve` and `tcp` with a proxy it is the proxy's.
    NetError {
        /// What.
        #[serde(flatten)]
        error: NetError,
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
    fn from(error: NetError) -> Self {
        Self::NetError { error }
    }
}
