//! The vendor's product on a host: its folder, its containers and what they see, its interface, queues and logs.
//!
//! Each module asks one thing within a deadline and returns facts: serialisable, without secrets, without an opinion.
//!
//! | module | what is asked |
//! | --- | --- |
//! | `known` | nothing: what is known of a running product, from `assets/runtime.toml` |
//! | `own` | which containers of the host are the product's? |
//! | `place` | what stands in its folder? |
//! | `containers` | which services are up, ended, restarting, unhealthy; of which versions are their images? |
//! | `environment` | do the containers see what prod.env says? |
//! | `insight_agent` | the vendor's agent beside it: is it installed, with which proxy and identity? |
//! | `interface` | what does `/Status` on the interface's port answer? |
//! | `ways` | by which ports of this host are its services reached? |
//! | `queues` | how long are its lists in Redis? |
//! | `mounts` | what do its services mount from the host, and may confined containers use it? |
//! | `logs` | which known lines stand in its logs? |
//! | `images` | nothing: which image a release has, from `assets/images.toml` |
//! | `templates` | nothing: files for a host that has none |

pub(crate) mod containers;
pub(crate) mod environment;
pub(crate) mod images;
pub(crate) mod insight_agent;
pub(crate) mod interface;
mod known;
pub(crate) mod logs;
pub(crate) mod mounts;
mod own;
mod place;
pub(crate) mod queues;
pub(crate) mod templates;
pub(crate) mod ways;

pub(crate) use known::{Known, Line};
pub(crate) use own::{Found, containers as own_containers, is_product, service_of, serving as own_serving};
pub(crate) use place::{Place, bring_back, home_of, leads_nowhere};
