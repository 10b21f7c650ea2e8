//! What each reader of an environment file sees in given bytes.
//!
//! The same line means different things to login (pam_env), to a shell, to `docker run --env-file`,
//! to the three generations of Compose and to systemd. Each of them is one [`Dialect`];
//! [`Dialect::read`] is a pure prediction of what that reader gets. The predictions are held against
//! the real programs by `tests/lab/readers.rs`.
//!
//! A prediction is either right or says [`Seen::Unknown`]: what depends on the caller's environment,
//! on a condition, or on the reader's release is never guessed.

mod collector;
mod compose;
mod docker;
mod dotenv;
mod pam_env;
mod python;
mod shell;
mod systemd;

use crate::version::Version;

use collector::Collector;

pub(crate) use pam_env::PamLines;
pub use shell::shell_read_with;

/// Which release of pam_env reads `/etc/environment`; what it does with a long line differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PamLimit {
    /// Up to 1.3.1: a line is cut after this many bytes (1023) and the remainder is read as one more line.
    Cut(usize),
    /// 1.4.0 to 1.5.3: a line and its line end must fit into this many bytes (8191); a longer line
    /// and everything after it is dropped.
    Drop(usize),
    /// From 1.6.0 on: no limit.
    None,
}

/// A reader of environment files, as far as its way of reading is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `/etc/environment` at login.
    PamEnv(PamLimit),
    /// A file sourced by a login shell (`sh`, `dash`, `bash`), such as `/etc/profile.d/proxy.sh`.
    /// Seen is what the shell's children get where dash and bash agree on it: exported variables only. The names are taken not to be
    /// in the environment before; see [`shell_read_with`] for those that are.
    Shell,
    /// `docker run --env-file` and `docker create --env-file`.
    DockerEnvFile,
    /// `env_file:` of docker-compose up to 1.25, which takes lines as they are.
    ComposeV1Plain,
    /// `env_file:` of docker-compose 1.26 to 1.29, which reads with python-dotenv.
    ComposeV1Dotenv,
    /// `env_file:` of docker compose v2, which reads with compose-go's dotenv.
    ComposeV2,
    /// `EnvironmentFile=` of a systemd unit.
    SystemdEnvironmentFile,
    /// `environment.d` of systemd's user managers, to which Debian links `/etc/environment`.
    EnvironmentD,
}

/// What one reader gets for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Exactly these bytes.
    Value(Vec<u8>),
    /// The file has the bare name: the value comes from the caller's environment, if it has one there.
    Inherited,
    /// Set, or perhaps set, to something that the file alone does not tell: under a condition, by a
    /// command substitution, from another variable, or differently by releases of the reader.
    Unknown,
}

/// Something in the file that the reader does not take the way it is probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The line, counted from 1.
    pub line: usize,
    /// Whether the reader rejects the whole file because of it.
    pub fatal: bool,
    /// What the reader does, in one sentence. Never holds anything of the line itself.
    pub message: &'static str,
}

/// The prediction: what a reader gets from a file.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Each name once, in the order of the first assignment, with what the last assignment made of it.
    pub variables: Vec<(Vec<u8>, Seen)>,
    /// The first 20 complaints; a fatal one is always among them, and then it is the last.
    pub complaints: Vec<Complaint>,
}

impl Reading {
    /// What the reader gets for `name`; `None`: nothing at all.
    pub fn get(&self, name: &[u8]) -> Option<&Seen> {
        self.variables.iter().find_map(|(known, seen)| (known == name).then_some(seen))
    }

    /// Whether the reader rejects the whole file.
    pub fn is_fatal(&self) -> bool {
        self.complaints.iter().any(|complaint| complaint.fatal)
    }
}

impl Dialect {
    /// Predicts what this reader sees. Total on any bytes, in linear time.
    pub fn read(self, bytes: &[u8]) -> Reading {
        self.collect(Collector::new(bytes, None))
    }

    /// Like [`read`](Self::read), but keeps only the named variables, so that a file with a million
    /// others costs little more than a walk over its bytes.
    pub fn read_only(self, bytes: &[u8], names: &[&[u8]]) -> Reading {
        self.collect(Collector::new(bytes, Some(names)))
    }

    fn collect(self, mut out: Collector<'_>) -> Reading {
        match self {
            Dialect::PamEnv(limit) => pam_env::read(limit, &mut out),
            Dialect::Shell => shell::read(&[], &mut out),
            Dialect::DockerEnvFile => docker::read(&mut out),
            Dialect::ComposeV1Plain => compose::read_v1_plain(&mut out),
            Dialect::ComposeV1Dotenv => dotenv::read(&mut out),
            Dialect::ComposeV2 => compose::read_v2(&mut out),
            Dialect::SystemdEnvironmentFile => systemd::read_environment_file(&mut out),
            Dialect::EnvironmentD => systemd::read_environment_d(&mut out),
        }
        out.finish()
    }

    /// How a release of Compose reads an `env_file:`: `1.25.5`, `1.29.2`, `v2.24.1`; `None`: it is no release.
    pub fn of_compose(release: &str) -> Option<Self> {
        let release = Version::parse(release.trim().trim_start_matches('v'))?;
        let below = |limit: &str| Version::parse(limit).is_some_and(|limit| release < limit);
        Some(if below("1.26") {
            Self::ComposeV1Plain
        } else if below("2") {
            Self::ComposeV1Dotenv
        } else {
            Self::ComposeV2
        })
    }

    /// The reader's name, as people know it.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::PamEnv(_) => "login (pam_env)",
            Dialect::Shell => "sh",
            Dialect::DockerEnvFile => "docker run --env-file",
            Dialect::ComposeV1Plain => "docker-compose 1.25",
            Dialect::ComposeV1Dotenv => "docker-compose 1.29",
            Dialect::ComposeV2 => "docker compose v2",
            Dialect::SystemdEnvironmentFile => "systemd EnvironmentFile",
            Dialect::EnvironmentD => "systemd environment.d",
        }
    }
}

#[cfg(test)]
mod tests;
