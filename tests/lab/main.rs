//! Everything that needs the lab: real readers, servers, proxies, firewalls and machines, which `scripts/lab` brings.
//!
//! Each module is a part that `scripts/test` runs in a process of its own, by the beginning of its tests' names: `cargo test
//! --features lab --test lab host::`. So no module within a part may have the name of a part.

mod allowlist;
mod backends;
mod boot;
mod certificates;
mod chains;
mod clients;
mod common;
mod crash;
mod crowd;
mod databases;
mod doors;
mod fixes;
mod formats;
mod front;
mod host;
mod install;
mod login;
mod models;
mod paths;
mod prove;
mod proxies;
mod readers;
mod reconfigure;
mod release;
mod report;
mod routes;
mod runtime;
mod trace;
mod units;
