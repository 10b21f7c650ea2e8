//! What environment a reader of the running system really has: systemd's services, a process.
//!
//! Values may hold passwords: they are compared and masked by whoever asks, never printed as they are.

mod daemon;
mod options;

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::{Command, HostRead};
use crate::redact::redact_line;
use crate::text;
use crate::text::{Text, first_line, own, typed};

pub(crate) use daemon::{DAEMON_JSON, Daemon, DaemonJson, daemon_json, dockerd, started};
pub(crate) use options::{switch, unknown_option, values, verdict};

/// Name and value, in the order of the environment.
pub(crate) type Variables = Vec<(String, String)>;

/// The user of the product. Source: the vendor's "Product Architecture" page (read 2026-11-21), which logs in as it.
pub(crate) const PRODUCT_USER: &str = "divvy";

/// Who logs in for the proof. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginUser {
    /// Name.
    pub name: String,
    /// Cannot log in with the own shell (`nologin`, `false`).
    pub needs_shell: bool,
}

impl LoginUser {
    /// Who logs in to this host; `divvy` where it is an image.
    pub(crate) fn of(host: &dyn HostRead) -> Self {
        if host.is_this_machine() { Self::here() } else { Self { name: PRODUCT_USER.to_owned(), needs_shell: false } }
    }

    /// The lines by which the vendor's "Product Architecture" page (proxy section, 2021-22, read 2026-11-21) has a person see
    /// what a login gets, as this user.
    pub(crate) fn lines(&self) -> [String; 2] {
        let shell = if self.needs_shell { " -s /bin/sh" } else { "" };
        [format!("sudo su{shell} - {}", self.name), "env | grep proxy".to_owned()]
    }

    /// Those lines in a sentence, with why it is not the product's user.
    pub(crate) fn proof(&self) -> Text {
        let [login, look] = self.lines();
        let lines = text!("{}, then {}", typed(text!("{}", own(login))), typed(text!("{}", own(look))));
        match instead(&self.name) {
            Some(why) => text!("{} ({})", lines, why),
            None => lines,
        }
    }

    /// `divvy`, as the vendor's documents verify it; else whoever called sudo; else whoever we are.
    pub(crate) fn here() -> Self {
        let by_name = |name: &str| nix::unistd::User::from_name(name).ok().flatten();
        let caller = std::env::var("SUDO_USER").ok();
        let here = || {
            by_name(PRODUCT_USER)
                .or_else(|| caller.as_deref().and_then(by_name))
                .or_else(|| nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten())
        };
        match here() {
            Some(user) => {
                let shell = user.shell.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Self { name: user.name, needs_shell: matches!(shell.as_str(), "nologin" | "false" | "") }
            }
            None => Self { name: "root".to_owned(), needs_shell: false },
        }
    }
}

/// Why it is shown for this user; `None`: it is the product's. The product's may be there, where those who know the users did not
/// answer.
pub(crate) fn instead(name: &str) -> Option<Text> {
    let is_other = name != PRODUCT_USER;
    is_other.then(|| text!("shown for {}, because this host tells of no user {}", own(name), own(PRODUCT_USER)))
}

/// Why there is no environment to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// There is no such program or service here: nothing is wrong.
    Absent(Text),
    /// It is there and did not do as asked. The words of the program, one line.
    Failed(Text),
}

/// The environment that systemd gives to the services it starts, before their own settings.
///
/// # Errors
/// systemd does not run here, or does not answer.
pub(crate) fn services(host: &dyn HostRead, deadline: Duration) -> Result<Variables, Unseen> {
    if !systemd_runs(host) {
        return Err(Unseen::Absent("systemd does not run here".into()));
    }
    let program = "systemctl show-environment";
    let output = host
        .run(&Command { deadline, ..Command::new(program.split(' ')) })
        .map_err(|error| Unseen::Failed(text!("{} could not be run: {}", own(program), error)))?;
    if output.code != Some(0) {
        let (code, said) = (format!("{:?}", output.code), redact_line(&first_line(&output.stderr, 200)));
        return Err(Unseen::Failed(text!("{} ended with code {}: {}", own(program), own(code), said)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), unquoted(value))).collect())
}

/// Is systemd the running manager (`sd_booted(3)`)? Where that cannot be looked at, it may be: who asks it hears that it is not.
pub(crate) fn systemd_runs(host: &dyn HostRead) -> bool {
    !matches!(host.lstat(Path::new("/run/systemd/system")), Ok(None))
}

/// The environment that a process was started with; `None`: it has gone.
///
/// # Errors
/// Another user's process, and we are not root; one that has written over it.
pub(crate) fn of_process(host: &dyn HostRead, pid: u32) -> io::Result<Option<Variables>> {
    let Some(bytes) = host.read(Path::new(&format!("/proc/{pid}/environ")))? else { return Ok(None) };
    let variables = parse(&bytes);
    // A program that writes its title over it leaves nothing that could be read.
    let is_lost = variables.is_empty() && !bytes.is_empty();
    if is_lost { Err(io::Error::new(io::ErrorKind::InvalidData, "it was written over")) } else { Ok(Some(variables)) }
}

/// `NAME=value` texts with a NUL behind each, as `env -0` and `/proc/PID/environ` have them.
pub(crate) fn parse(bytes: &[u8]) -> Variables {
    let variables = bytes.split(|byte| *byte == 0).filter_map(|entry| {
        let text = String::from_utf8_lossy(entry);
        text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    });
    variables.collect()
}

/// The value that the reader of an environment gets.
pub(crate) fn value<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    variables.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

/// `$'…'` as systemctl writes a value that a shell would not take as it is.
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix("$'").and_then(|rest| rest.strip_suffix('\'')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        match (std::mem::take(&mut escaped), c) {
            (false, '\\') => escaped = true,
            (true, 'n') => text.push('\n'),
            (true, 't') => text.push('\t'),
            (_, c) => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_two_values_counts_and_quotes_of_systemctl_go() {
        let seen = parse(b"A=1\0NO\0B=x=y\0A=2\0");
        assert_eq!(value(&seen, "A"), Some("2"));
        assert_eq!(value(&seen, "B"), Some("x=y"));
        assert_eq!(value(&seen, "NO"), None);
        for (shown, meant) in [("http://h:1", "http://h:1"), ("$'a b'", "a b"), ("$'a\\'b\\\\c'", "a'b\\c")] {
            assert_eq!(unquoted(shown), meant);
        }
    }

    #[test]
    fn the_proof_says_for_whom_it_is_shown() {
        let proof = |name: &str, needs_shell| {
            let user = LoginUser { name: name.to_owned(), needs_shell };
            user.proof().to_string()
        };
        assert_eq!(proof("divvy", false), "sudo su - divvy, then env | grep proxy");
        assert_eq!(proof("divvy", true), "sudo su -s /bin/sh - divvy, then env | grep proxy");
        let other =
            "sudo su - alice, then env | grep proxy (shown for alice, because this host tells of no user divvy)";
        assert_eq!(proof("alice", false), other);
    }
}
