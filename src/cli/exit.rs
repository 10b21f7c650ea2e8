//! Exit codes: the only place that knows numbers.

use std::process::ExitCode;

use crate::problem::{HostState, Kind, Problem, id};

/// How the process ends, as the number that it exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit(pub(super) u8);

impl Exit {
    /// Done, or nothing to do.
    pub(super) const DONE: Self = Self(0);
    /// A bug in ics-setup.
    const BUG: Self = Self(1);
    /// Wrong flags.
    pub(super) const USAGE: Self = Self(2);
    /// Settings invalid or missing.
    const SETTINGS: Self = Self(3);
    /// A failing finding stopped the run.
    pub(super) const CHECKS_FAILED: Self = Self(4);
    /// Failed; the host is as it was.
    pub(super) const FAILED: Self = Self(5);
    /// Failed; the host is changed.
    pub(super) const FAILED_CHANGED: Self = Self(6);
    /// Another run holds the lock.
    const LOCKED: Self = Self(7);
    /// Not started as root.
    const NEEDS_ROOT: Self = Self(8);
    /// Changes are pending, and `--exit-code` asked.
    pub(super) const PENDING: Self = Self(10);
    /// `check --fail-on warn`: warnings, nothing worse.
    pub(super) const WARNINGS: Self = Self(11);
    /// The person said no.
    pub(super) const CANCELLED: Self = Self(130);

    /// The exit code of a problem.
    pub(super) fn of(problem: &Problem) -> Self {
        match (problem.id, problem.kind, problem.host_state) {
            (_, _, HostState::Changed) => Self::FAILED_CHANGED,
            (id::NEEDS_ROOT, ..) => Self::NEEDS_ROOT,
            (id::LOCKED, ..) => Self::LOCKED,
            (id::CANCELLED, ..) => Self::CANCELLED,
            // Seen before anything was written. Of a Compose it is seen then, or where its stage ends.
            (
                id::CHECKS_FAILED
                | id::BUNDLE_REFUSED
                | id::BUNDLE_ROOM
                | id::FROM_REFUSED
                | id::COMPOSE_MISSING
                | id::COMPOSE_REFUSED
                | id::DOCKER_ABSENT
                | id::DOCKER_SILENT
                | id::DUMP_IMPOSSIBLE
                | id::IMAGES_UNPROVEN
                | id::ECS_TASK,
                _,
                HostState::AsItWas,
            ) => Self::CHECKS_FAILED,
            (id::USAGE, ..) => Self::USAGE,
            (_, Kind::Settings, _) => Self::SETTINGS,
            (_, Kind::Bug, _) => Self::BUG,
            (_, Kind::Host | Kind::Outside, _) => Self::FAILED,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}
