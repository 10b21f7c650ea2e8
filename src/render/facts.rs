//! Figures of others, from `assets/front.toml` and `assets/ecs.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::assets;

/// What stands in front of the web interface.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrontFacts {
    pub(super) balancer: Balancer,
    pub(super) server: Server,
}

/// The vendor's load balancers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Balancer {
    /// Seconds between two looks at the health, and for an answer.
    pub(super) interval: u16,
    pub(super) timeout: u16,
    /// Looks that make a host healthy, or not.
    pub(super) healthy: u16,
    pub(super) unhealthy: u16,
    /// Seconds without a byte that a connection lasts; so long may an answer take.
    pub(super) idle: u16,
    /// Seconds for what is under way on a host that goes.
    pub(super) drain: u16,
    pub(super) source: String,
    pub(super) date: String,
    /// What is spoken with browsers, by AWS's name for it.
    pub(super) policy: String,
}

/// A web server of the customer's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) connect: u16,
    pub(super) upload_mib: u32,
    pub(super) ciphers: Vec<String>,
}

impl FrontFacts {
    pub(super) fn get() -> &'static Self {
        static FACTS: LazyLock<FrontFacts> = LazyLock::new(|| assets::read(&assets::FRONT));
        &FACTS
    }
}

/// The product as tasks of ECS.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EcsFacts {
    pub(super) lists: Lists,
    pub(super) endpoints: Endpoints,
}

/// Variables of the vendor's Terraform that hold variables of containers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lists {
    pub(super) source: String,
    pub(super) date: String,
    pub(super) list: Vec<List>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) name: String,
    /// What its default has.
    #[serde(default)]
    pub(super) keeps: Vec<(String, String)>,
}

/// What ECS asks outside of the containers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoints {
    pub(super) source: String,
    pub(super) date: String,
    /// What is said of public registries.
    pub(super) public: String,
    pub(super) endpoint: Vec<Endpoint>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) purpose: String,
}

impl EcsFacts {
    pub(super) fn get() -> &'static Self {
        static FACTS: LazyLock<EcsFacts> = LazyLock::new(|| assets::read(&assets::ECS));
        &FACTS
    }
}
