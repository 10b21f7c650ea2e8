//! Takes hosts to a self-hosted InsightCloudSec (formerly DivvyCloud) behind a proxy; prepares, checks, reconfigures and restores
//! them.
//!
//! ```text
//! flags ┐                        ┌─ targets ─ Plan ─ (show, confirm) ─ apply ─ verify ┐
//! vars  ├─ (wizard) ─ settings ──┤                                                    ├─ report
//! file  │                        ├─ check: collect ─ Facts ─ judge ─ Finding ─────────┤
//! host  ┘            platform ───┴─ network: endpoints, lists for firewalls ──────────┘
//! ```
//!
//! A module imports those above it in this table alone, siblings import each other in no circle, and nothing in [`check`]
//! opens a socket, starts a program or reads a file (`tests/modules.rs`). What the wizard is told is one more layer of settings.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`text`], [`build`], [`version`], [`stamp`], [`signals`], [`problem`] | the words everybody uses |
//! | [`progress`] | what long work is at, how far it is, and since when |
//! | [`checksum`] | SHA-256 of files, and lists of them |
//! | [`assets`] | the files of `assets/`, parsed when the program was built |
//! | [`vendor`] | the vendor's facts |
//! | [`secret`], [`redact`] | passwords, and what keeps them out of everything that leaves the process |
//! | [`finding`] | what was found, and the catalogue of its ids |
//! | [`host`] | the machine behind two traits: looking, and acting |
//! | [`net`] | talking to servers within deadlines and budgets |
//! | [`envfile`] | files of `NAME=value`: what each reader sees, lossless edits |
//! | [`environment`] | what environment a login, sudo, a service or a process really has |
//! | [`clients`] | what each HTTP client makes of a NO_PROXY list |
//! | [`platform`] | which system this is and what follows |
//! | [`system`] | what this system has: clock, disks, ports, … |
//! | [`settings`] | what is wanted and where each value came from |
//! | [`network`] | which paths must be open, the way to each of them, the proxy asked, and what to hand to those who open them |
//! | [`lists`] | what is wrong with a `no_proxy` list, wherever it comes from |
//! | [`mysql`], [`redis`] | the two back ends: what answers, the login, what a server says of itself |
//! | [`docker`] | the engine and its Compose: which containers there are, what compose files expect |
//! | [`product`] | the vendor's product on a host: folder, containers, interface, queues, logs |
//! | [`authority`] | who trusts the authority of a proxy that inspects TLS: the host's store, the product's containers |
//! | [`sandbox`] | the host's own programs over planned files, in namespaces of their own |
//! | [`consumers`] | who reads proxy settings, and what each of them gets |
//! | [`context`] | what people have said and what the host has, together, for every command |
//! | [`plan`] | changes as pure data, diffs |
//! | [`targets`] | what the settings imply for each thing that is converged |
//! | [`routes`] | which way every client of every consumer goes, before and after a change |
//! | [`apply`] | lock, journal, the one writer, recovery, revert |
//! | [`check`] | is the host fit, with its proxy, its back ends and the product? |
//! | [`report`] | one set of records, every format |
//! | [`render`] | what stands around the product, as text: TLS front doors, a load balancer, the environment of ECS tasks |
//! | [`prove`] | which way the host's own programs go, asked and by the models |
//! | [`trace`] | which processes go around the proxy right now |
//! | [`converge`] | the one path: detect, plan, show, confirm, apply, restart, verify |
//! | [`deploy`] | the product in a run: installed stage by stage, stopped, started, healthy, or brought back; taken away |
//! | [`standing`] | where a host stands on the whole way, and what comes next |
//! | [`wizard`] | asks a person; yields one more layer of settings |
//! | [`cli`] | flags, commands, exit codes |
//!
//! # Glossary
//!
//! | word | what it means |
//! | --- | --- |
//! | proxy URL | `http://user:password@host:port` of a forward proxy, for http requests, https requests or both |
//! | `no_proxy` member | one entry of the list of hosts that are reached without the proxy |
//! | consumer | who reads proxy settings: a login, sudo, cron, a systemd service, the Docker daemon, a package manager, a container |
//! | source | a file or flag that a consumer takes a value from |
//! | dialect | how a consumer parses its file |
//! | target | a file that settings imply, and what makes it so |
//! | change | one file before and after; applied with others, all or none |
//! | plan | the changes of a run, with what was noticed |
//! | run | one applied plan, with its journal and backups |
//! | stage | one step of a staged check or of an installation |
//! | observer | a module that asks one thing and returns facts without an opinion |
//! | facts | what was seen, serialisable, without secrets |
//! | finding | one record of a check, a plan or a verification: what was expected, what was seen, what to do |
//! | fix | a command that can run on this host as it is, after which its finding is gone |
//! | advice | a sentence for whoever mends it; what only a person knows stands in it as `<VALUE>` |
//! | fragment | a part of a [`text::Text`]: own word, foreign value, or the place of a secret |
//!
//! The vendor says "divvy" for users, folders and variables; its spelling is kept.

#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::todo,
        clippy::dbg_macro,
        clippy::print_stdout,
        clippy::print_stderr,
        unreachable_pub
    )
)]

mod apply;
mod assets;
mod authority;
mod build;
mod check;
mod checksum;
pub mod cli;
pub mod clients;
mod consumers;
mod context;
mod converge;
mod deploy;
mod docker;
pub mod envfile;
mod environment;
pub mod finding;
mod host;
mod lists;
mod mysql;
mod net;
mod network;
mod plan;
mod platform;
mod problem;
mod product;
mod progress;
mod prove;
pub mod redact;
mod redis;
mod render;
pub mod report;
mod routes;
mod sandbox;
mod secret;
pub mod settings;
mod signals;
mod stamp;
mod standing;
mod system;
mod targets;
mod text;
mod trace;
mod vendor;
pub mod version;
mod wizard;

/// For `tests/lab`: where the model of a systemd unit below `root` differs from what `systemd-analyze verify` has printed.
///
/// # Errors
/// `root` is no folder.
#[doc(hidden)]
pub fn unit_differences(root: &std::path::Path, name: &str, stdout: &[u8]) -> std::io::Result<Vec<String>> {
    let differences = consumers::units::differences_below(root, name, stdout)?;
    Ok(differences.into_iter().map(|difference| format!("{difference:?}")).collect())
}

/// Names with their values; `None`: it cannot be told.
#[doc(hidden)]
pub type UnitVariables = Vec<(String, Option<String>)>;

/// For `tests/lab`: what the model gives to a systemd service below `root` for these names. `None`: systemd does not
/// start the service.
///
/// # Errors
/// `root` is no folder.
#[doc(hidden)]
pub fn unit_environment(root: &std::path::Path, unit: &str, names: &[&str]) -> std::io::Result<Option<UnitVariables>> {
    use consumers::sight::Sight;
    let service = consumers::units::service_below(root, unit)?;
    let sights = service.sights(names).into_iter().filter(|(_, sight)| !matches!(sight, Sight::Unset { .. }));
    let known = sights.map(|(name, sight)| (name, sight.value().map(str::to_owned))).collect();
    Ok(service.refused.is_none().then_some(known))
}

/// For `tests/lab`: what is said to a chain of certificates (PEM, the server's own first) by these roots: `ok`, OpenSSL's
/// number of the reason with the depth, or words.
#[doc(hidden)]
pub fn certificate_verdict(store: &[u8], shown: &[u8], name: &str) -> String {
    net::Roots::verdict(store, shown, name)
}

/// For `tests/lab`: what the stage `databases` says with these settings, by their keys, and what was found before it.
#[doc(hidden)]
pub fn databases(said: &[(&str, &str)]) -> Vec<String> {
    let redactor = redact::Redactor::default();
    deploy::databases_trial(said).unwrap_or_else(|problem| vec![report::line(&redactor, &problem.sentence())])
}

#[doc(hidden)]
pub use consumers::{Modelled, TOUCHED, Touched, modelled};
