//! Why a command could not do its work, told by who must act.

use std::error::Error;
use std::io;
use std::sync::Arc;

use serde::Serialize;

use crate::text;
use crate::text::{CommandLine, Fix, Foreign, Text};

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

/// The stable name of a problem, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemId(&'static str);

impl ProblemId {
    /// One that a table of `assets/` names.
    pub(crate) const fn of_asset(name: &'static str) -> Self {
        Self(name)
    }

    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl PartialEq<&str> for ProblemId {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// Every id that a problem can have.
pub(crate) mod id {
    use super::ProblemId;

    macro_rules! ids {
        ($($name:ident = $text:literal),* $(,)?) => { $(
            #[doc = concat!("`", $text, "`")]
            pub(crate) const $name: ProblemId = ProblemId($text);
        )* };
    }

    ids!(
        ACCOUNT_FAILED = "account-failed",
        ALREADY_REVERTED = "already-reverted",
        BACKUP_DAMAGED = "backup-damaged",
        BACKUP_MISSING = "backup-missing",
        BOOT_FAILED = "boot-failed",
        BUG = "bug",
        BUNDLE_REFUSED = "bundle-refused",
        BUNDLE_ROOM = "bundle-room",
        CANCELLED = "cancelled",
        CHECKS_FAILED = "checks-failed",
        COMPOSE_FAILED = "compose-failed",
        COMPOSE_MISSING = "compose-missing",
        CONFLICT = "conflict",
        DATABASES_FAILED = "databases-failed",
        DAEMON_JSON_INVALID = "daemon-json-invalid",
        DEMO_FAILED = "demo-failed",
        DENIED = "denied",
        ECS_TASK = "ecs-task",
        ENDPOINTS_INVALID = "endpoints-invalid",
        ENDPOINTS_UNREADABLE = "endpoints-unreadable",
        FACTS_INVALID = "facts-invalid",
        FACTS_UNREADABLE = "facts-unreadable",
        FROM_REFUSED = "from-refused",
        FILE_UNWRITABLE = "file-unwritable",
        HARD_LINKED = "hard-linked",
        IMMUTABLE = "immutable",
        READ_ONLY = "read-only",
        DISK_FULL = "disk-full",
        DUMP_FAILED = "dump-failed",
        DUMP_IMPOSSIBLE = "dump-impossible",
        COMPOSE_REFUSED = "compose-refused",
        DOCKER_ABSENT = "docker-absent",
        DOCKER_IS_PODMAN = "docker-is-podman",
        DOCKER_SILENT = "docker-silent",
        IMAGE_ARCHITECTURE = "image-architecture",
        IMAGES_UNPROVEN = "images-unproven",
        LOAD_FAILED = "load-failed",
        PACKAGES_FAILED = "packages-failed",
        PULL_FAILED = "pull-failed",
        MOUNT_POINT = "mount-point",
        OS_UNKNOWN = "os-unknown",
        OS_UNSUPPORTED = "os-unsupported",
        SETTINGS_WRONG_TYPE = "settings-wrong-type",
        SETTINGS_UNKNOWN_KEY = "settings-unknown-key",
        PROXY_PORT_MISSING = "proxy-port-missing",
        JOURNAL_NEWER = "journal-newer",
        JOURNAL_UNREADABLE = "journal-unreadable",
        LOCKED = "locked",
        MOVED = "moved",
        NEEDS_ROOT = "needs-root",
        NO_PROXY_INVALID = "no-proxy-invalid",
        NO_TERMINAL = "no-terminal",
        NOT_A_FILE = "not-a-file",
        NOTHING_TO_REVERT = "nothing-to-revert",
        PACKAGE_CONF_INVALID = "package-conf-invalid",
        PASSWORD_ENV = "password-env",
        PASSWORD_FILE = "password-file",
        PASSWORD_INVALID = "password-invalid",
        PROD_ENV_MISSING = "prod-env-missing",
        PROD_ENV_MIXED = "prod-env-mixed",
        PRUNE_FAILED = "prune-failed",
        PURGE_FAILED = "purge-failed",
        PURGE_REFUSED = "purge-refused",
        PROXY_URL_INVALID = "proxy-url-invalid",
        PROXY_USER_MISSING = "proxy-user-missing",
        READERS_DISAGREE = "readers-disagree",
        REGION_UNKNOWN = "region-unknown",
        RESTART_FAILED = "restart-failed",
        ROOT_INVALID = "root-invalid",
        RUN_UNKNOWN = "run-unknown",
        SAVE_FAILED = "save-failed",
        SETTING_INVALID = "setting-invalid",
        SETTINGS_CONFLICT = "settings-conflict",
        SETTINGS_MISSING = "settings-missing",
        SETTINGS_NOT_TOML = "settings-not-toml",
        SETTINGS_UNREADABLE = "settings-unreadable",
        SETTINGS_UNTRUSTED = "settings-untrusted",
        STATE_NEWER = "state-newer",
        STATE_NOT_PRIVATE = "state-not-private",
        STATE_UNREADABLE = "state-unreadable",
        SYMLINK_REFUSED = "symlink-refused",
        TRUST_FAILED = "trust-failed",
        UNKNOWN_CHECK = "unknown-check",
        UNREADABLE = "unreadable",
        UPGRADE_HOSTS = "upgrade-hosts",
        UNHEALTHY = "unhealthy",
        USAGE = "usage",
        VALUE_NOT_PORTABLE = "value-not-portable",
        VARIABLE_UNKNOWN = "variable-unknown",
        UTF_16 = "utf-16",
        VERIFY_FAILED = "verify-failed",
        WRITE_FAILED = "write-failed",
    );
}

/// One sentence for what is wrong, then the reason, then the commands that help.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Who must act.
    pub kind: Kind,
    /// Stable name, for scripts.
    pub id: ProblemId,
    /// One sentence: what was expected and what was seen.
    pub message: Text,
    /// The cause underneath, where there is one.
    pub because: Option<Box<Text>>,
    /// A part of somebody's file with the place marked, lines separated by line ends.
    pub excerpt: Option<Box<Text>>,
    /// What to do next, most promising first; where possible a command to paste.
    pub hints: Vec<Fix>,
    /// The error underneath, where there is one, with its own sources.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
    /// What the host looks like now.
    pub host_state: HostState,
    /// How many files had got their new content and were put back.
    pub put_back: usize,
}

impl Problem {
    /// A problem without cause or advice yet.
    pub fn new(kind: Kind, id: ProblemId, message: impl Into<Text>) -> Self {
        Self {
            kind,
            id,
            message: message.into(),
            because: None,
            excerpt: None,
            hints: Vec::new(),
            source: None,
            host_state: HostState::AsItWas,
            put_back: 0,
        }
    }

    /// The settings are at fault.
    pub fn settings(id: ProblemId, message: impl Into<Text>) -> Self {
        Self::new(Kind::Settings, id, message)
    }

    /// The host is at fault.
    pub fn host(id: ProblemId, message: impl Into<Text>) -> Self {
        Self::new(Kind::Host, id, message)
    }

    /// Something that cannot happen has happened.
    pub fn bug(message: impl Into<Text>) -> Self {
        Self::new(Kind::Bug, id::BUG, message)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Text>) -> Self {
        self.because = Some(Box::new(cause.into()));
        self
    }

    /// Adds an error as the cause, in its own words, and keeps it as the source.
    #[must_use]
    pub fn caused_by(mut self, error: impl Error + Send + Sync + 'static) -> Self {
        self.because = Some(Box::new(Foreign::new(error.to_string()).into()));
        self.source = Some(Arc::new(error));
        self
    }

    /// Adds lines of a file with the place marked.
    #[must_use]
    pub fn excerpt(mut self, lines: impl Into<Text>) -> Self {
        self.excerpt = Some(Box::new(lines.into()));
        self
    }

    /// Adds one sentence of advice.
    #[must_use]
    pub fn hint(mut self, advice: impl Into<Text>) -> Self {
        self.hints.push(Fix::Advice(advice.into()));
        self
    }

    /// Adds one command that helps.
    #[must_use]
    pub fn hint_command(mut self, command: CommandLine) -> Self {
        self.hints.push(Fix::Command(command));
        self
    }

    /// Adds what a finding says of the way out.
    #[must_use]
    pub fn hint_fix(mut self, fix: Fix) -> Self {
        self.hints.push(fix);
        self
    }

    /// The message and its cause in one sentence.
    pub fn sentence(&self) -> Text {
        match &self.because {
            Some(cause) => text!("{}: {}", self.message, **cause),
            None => self.message.clone(),
        }
    }

    /// Says what the host looks like now.
    #[must_use]
    pub fn leaving(mut self, host: HostState) -> Self {
        self.host_state = host;
        self
    }
}

/// An error that is only lent, with its kind and its words.
pub(crate) fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.sentence().fmt(f)?;
        self.excerpt.as_ref().map_or(Ok(()), |excerpt| write!(f, ": {excerpt}"))
    }
}
