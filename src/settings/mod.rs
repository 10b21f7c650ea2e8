//! What is wanted, where each value came from, and nothing about how it gets there.
//!
//! [`TABLE`] names every setting once. [`Layers`] hold what people wrote, [`Found`] what the host has, and
//! [`Settings::resolve`] makes valid values of them: flag > variable > settings file > last run > found on the host > default.

mod file;
mod found;
mod host_name;
mod last_run;
mod layers;
mod no_proxy;
mod proxy_url;
mod resolve;
mod role;
mod schema;
mod table;

pub use file::{Entry, SETTINGS_FILE, example, export, read as read_file};
pub(crate) use found::Brought;
pub use found::{First, Found, Line};
pub(crate) use host_name::{NoHost, host_alone, host_shown};
pub use last_run::{LastRun, STATE, STATE_FILE, Told};
pub(crate) use layers::URLS;
pub(crate) use layers::parse_duration;
pub use layers::{Layer, Layers, Origin, Setting, parse_switch};
pub(crate) use no_proxy::is_stranger;
pub use no_proxy::{NoProxy, NoProxyError};
pub use proxy_url::{Credentials, ProxyHost, ProxyUrl, ProxyUrlError, Scheme};
pub(crate) use resolve::faces;
pub use resolve::{
    BackEnd, Deployment, Effective, Exclusions, MysqlAdmin, Proxies, SecretSources, SecretsProvider, Settings,
    TargetName, Unresolved, home, strategy, unusual_home,
};
pub use role::Role;
pub use schema::schema;
pub use table::{Key, Shape, Spec, TABLE, by_key};

use crate::redact::redact_line;
pub use crate::secret::{Secret, encode};
