//! Exit codes: the only place that knows numbers.

use std::process::ExitCode;

use crate::problem::{HostState, Kind, Problem, id};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// A bug in ics-setup.
    Bug,
    /// Wrong flags.
    Usage,
    /// Settings invalid or missing.
    Settings,
    /// A failing finding stopped the run.
    ChecksFailed,
    /// Failed; the host is as it was.
    Failed,
    /// Failed; the host is changed.
    FailedChanged,
    /// Another run holds the lock.
    Locked,
    /// Not started as root.
    NeedsRoot,
    /// Changes are pending, and `--exit-code` asked.
    Pending,
    /// `check --fail-on warn`: warnings, nothing worse.
    Warnings,
    /// The code of a format that has its own: of `nagios` 0 ok, 1 warning, 2 critical, 3 unknown.
    OfFormat(u8),
    /// The person said no.
    Cancelled,
}

impl Exit {
    /// The exit code of a problem.
    pub fn of(problem: &Problem) -> Self {
        match (problem.id, problem.kind, problem.host_state) {
            (_, _, HostState::Changed) => Self::FailedChanged,
            (id::NEEDS_ROOT, ..) => Self::NeedsRoot,
            (id::LOCKED, ..) => Self::Locked,
            (id::CANCELLED, ..) => Self::Cancelled,
            (id::CHECKS_FAILED, ..) => Self::ChecksFailed,
            (id::USAGE, ..) => Self::Usage,
            (_, Kind::Settings, _) => Self::Settings,
            (_, Kind::Bug, _) => Self::Bug,
            (_, Kind::Host | Kind::Outside, _) => Self::Failed,
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Settings => 3,
            Self::ChecksFailed => 4,
            Self::Failed => 5,
            Self::FailedChanged => 6,
            Self::Locked => 7,
            Self::NeedsRoot => 8,
            Self::Pending => 10,
            Self::Warnings => 11,
            Self::OfFormat(code) => code,
            Self::Cancelled => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
