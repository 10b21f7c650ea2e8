//! Why a command could not do its work, told by who must act.

use std::fmt;

use serde::Serialize;

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Whoever wrote the settings: a flag, a variable, a key of the settings file.
    Settings,
    /// Whoever owns this host: its files, its rights, its programs.
    Host,
    /// Somebody outside: the proxy, the network, a back end.
    Outside,
    /// The authors of ics-setup.
    Bug,
}

/// What the failed command left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostState {
    /// Nothing was written.
    #[default]
    AsItWas,
    /// Something was written, and all of it was taken back.
    Restored,
    /// The host is changed; `status` tells what, `revert` undoes it.
    Changed,
    /// All of it is done, and the person wanted no more.
    Committed,
}

/// Ids that the rest of the program treats specially.
pub mod id {
    /// The command changes the host and was not started as root.
    pub const NEEDS_ROOT: &str = "needs-root";
    /// Another run holds the lock.
    pub const LOCKED: &str = "locked";
    /// The person said no.
    pub const CANCELLED: &str = "cancelled";
    /// A failing finding stopped the run before anything was written.
    pub const CHECKS_FAILED: &str = "checks-failed";
    /// Flags that clap accepts but that do not go together.
    pub const USAGE: &str = "usage";
}

/// One sentence for what is wrong, then the reason, then the commands that help.
#[derive(Clone, Debug, Serialize, thiserror::Error)]
pub struct Problem {
    /// Who must act.
    pub kind: Kind,
    /// Stable name, for scripts.
    pub id: &'static str,
    /// One sentence: what was expected and what was seen.
    pub message: String,
    /// The cause underneath, where there is one.
    pub because: Option<String>,
    /// What to do next, most promising first; where possible a command to paste.
    #[serde(rename = "try")]
    pub hints: Vec<String>,
    /// What the host looks like now.
    #[serde(skip)]
    pub host_state: HostState,
}

impl Problem {
    /// A problem without cause or advice yet.
    pub fn new(kind: Kind, id: &'static str, message: impl Into<String>) -> Self {
        Self { kind, id, message: message.into(), because: None, hints: Vec::new(), host_state: HostState::AsItWas }
    }

    /// The settings are at fault.
    pub fn settings(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Settings, id, message)
    }

    /// The host is at fault.
    pub fn host(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Host, id, message)
    }

    /// Something that cannot happen has happened.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, "bug", message)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.because = Some(cause.to_string());
        self
    }

    /// Adds one piece of advice.
    #[must_use]
    pub fn hint(mut self, advice: impl Into<String>) -> Self {
        self.hints.push(advice.into());
        self
    }

    /// Says that everything was done before it ended.
    #[must_use]
    pub fn committed(mut self) -> Self {
        self.host_state = HostState::Committed;
        self
    }

    /// Says that what was done has been taken back.
    #[must_use]
    pub fn restored(mut self) -> Self {
        self.host_state = HostState::Restored;
        self
    }

    /// Says that the host did not stay as it was.
    #[must_use]
    pub fn host_changed(mut self) -> Self {
        self.host_state = HostState::Changed;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.because {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}
