//! The product in a run: what becomes of its containers, and the stages of an installation, the same in plan, progress and JSON.

use crate::text;
use crate::text::words::words;
use crate::text::{Text, own};

words! {
    /// One step on the way from a bare host to a healthy product.
    pub enum StageId {
        /// Everything is said.
        Settings = "settings",
        /// The host is fit.
        Preflight = "preflight",
        /// Proxy variables, the daemon's proxy, the authority.
        Prepare = "prepare",
        /// Docker and Compose.
        Engine = "engine",
        /// User, group, folder.
        Accounts = "accounts",
        /// `prod.env` and the compose file.
        Files = "files",
        /// Images.
        Fetch = "fetch",
        /// Databases and their user.
        Databases = "databases",
        /// Containers.
        Start = "start",
        /// `/Status` answers, and containers are steady.
        Healthy = "healthy",
        /// It comes back after a boot.
        Boot = "boot",
        /// Containers see what the files say.
        Verify = "verify",
    }
}

words! {
    /// How a stage ended.
    pub enum StageState {
        /// Nothing had to be done.
        Done = "done",
        /// Something was done.
        Changed = "changed",
        /// It does not apply.
        Skipped = "skipped",
        /// It failed.
        Failed = "failed",
        /// It was not reached.
        Pending = "pending",
    }
}

/// One stage of a run.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Which.
    pub id: StageId,
    /// How it ended.
    pub state: StageState,
    /// How long it took.
    pub seconds: f64,
    /// Half a sentence.
    pub detail: Text,
}

impl Stage {
    /// A stage that was not gone through.
    pub(crate) fn idle(id: StageId, state: StageState, detail: impl Into<Text>) -> Self {
        Self { id, state, seconds: 0.0, detail: detail.into() }
    }

    /// The stage on one line; why it failed is what the problem of the run says.
    pub(crate) fn line(&self) -> Text {
        let detail = if self.state == StageState::Failed { Text::default() } else { self.detail.clone() };
        let time = format!("{:>7.1} s", self.seconds);
        let (name, state) = (format!("{:<10}", self.id.as_str()), format!("{:<8}", self.state.as_str()));
        text!("{} {}{}  {}", own(name), own(state), own(time), detail)
    }
}

words! {
    /// What becomes of the containers of a service.
    pub enum Fate {
        /// They come into being.
        Create = "create",
        /// Others take their places.
        Recreate = "recreate",
        /// They stay, running or not.
        Keep = "keep",
        /// They go.
        Remove = "remove",
    }
}

impl Fate {
    /// What is to be done with containers.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Recreate => "re-create",
            Self::Keep => "keep",
            Self::Remove => "remove",
        }
    }

    /// What was done with them.
    pub(crate) fn past(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Recreate => "re-created",
            Self::Keep => "kept",
            Self::Remove => "removed",
        }
    }
}

/// A service of the product, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerChange {
    /// Its name in the compose file.
    pub service: String,
    /// What becomes of its containers.
    pub fate: Fate,
}
