//! Prepares, reconfigures and restores hosts of a self-hosted InsightCloudSec (formerly DivvyCloud) behind a proxy.
//!
//! ```text
//! flags ┐                        ┌─ targets ─ Plan ─ (show, confirm) ─ apply ─ verify ┐
//! vars  ├─ (wizard) ─ settings ──┤                                                    ├─ report
//! file  │                        ├─ check: collect ─ Facts ─ judge ─ Finding ─────────┤
//! host  ┘            platform ───┴─ network: endpoints, lists for firewalls ──────────┘
//! ```
//!
//! Straight on, no way back: a module knows those above it in this table, never those below it (`tests/modules.rs`). Only who
//! asks whom is told here; while it runs, the wizard's answers are one more layer of settings.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`text`], [`build`], [`version`], [`stamp`], [`signals`], [`problem`] | the words everybody uses |
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
//! | [`context`] | what people have said and what the host has, together, for every command |
//! | [`network`] | which paths must be open, the way to each of them, the proxy asked, and what to hand to those who open them |
//! | [`mysql`], [`redis`] | the two back ends: what answers, the login, what a server says of itself |
//! | [`docker`] | the engine and its Compose: which containers there are, what compose files expect |
//! | [`product`] | the vendor's product on a host: folder, containers, interface, queues, logs |
//! | [`plan`] | changes as pure data, diffs |
//! | [`consumers`] | who reads proxy settings, and what each of them gets |
//! | [`targets`] | what the settings imply for each thing that is converged |
//! | [`apply`] | lock, journal, the one writer, recovery, revert |
//! | [`check`] | is the host fit, with its proxy, its back ends and the product? |
//! | [`verify`] | what each consumer really sees after a change |
//! | [`report`] | one set of records, every format |
//! | [`converge`] | the one path: detect, plan, show, confirm, apply, restart, verify |
//! | [`wizard`] | asks a person; yields one more layer of settings |
//! | [`cli`] | flags, commands, exit codes |

#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::todo,
        clippy::dbg_macro,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

pub mod apply;
pub mod assets;
pub mod build;
pub mod check;
pub mod cli;
pub mod clients;
pub mod consumers;
pub mod context;
pub mod converge;
pub mod docker;
pub mod envfile;
pub mod environment;
pub mod finding;
pub mod host;
pub mod mysql;
pub mod net;
pub mod network;
pub mod plan;
pub mod platform;
pub mod problem;
pub mod product;
pub mod redact;
pub mod redis;
pub mod report;
pub mod secret;
pub mod settings;
pub mod signals;
pub mod stamp;
pub mod system;
pub mod targets;
pub mod text;
pub mod vendor;
pub mod verify;
pub mod version;
pub mod wizard;
