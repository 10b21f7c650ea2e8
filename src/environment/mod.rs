//! What environment a reader of the running system really has: a login, a command under sudo, systemd's services, a
//! process.
//!
//! Values may hold passwords: they are compared and masked by whoever asks, never printed as they are.

mod daemon;

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::host::{Command, HostRead, Output};
use crate::redact::redact_line;
use crate::text;
use crate::text::{Text, first_line, own, quoted};

pub(crate) use daemon::{DAEMON_JSON, Daemon, DaemonJson, daemon_json, dockerd, started};

/// Name and value, in the order of the environment.
pub(crate) type Variables = Vec<(String, String)>;

/// Marks where the environment begins: profile scripts may print.
const MARK: &str = "ics-setup-environment-follows:";

/// Who logs in for the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginUser {
    /// Name.
    pub name: String,
    /// Cannot log in with the own shell (`nologin`, `false`).
    pub needs_shell: bool,
}

impl LoginUser {
    /// `divvy`, as the vendor's documents verify it; else whoever called sudo; else whoever we are.
    pub(crate) fn of(host: &dyn HostRead) -> Self {
        let by_name = |name: &str| nix::unistd::User::from_name(name).ok().flatten();
        let caller = std::env::var("SUDO_USER").ok();
        let here = || {
            by_name("divvy")
                .or_else(|| caller.as_deref().and_then(by_name))
                .or_else(|| nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten())
        };
        match host.is_live().then(here).flatten() {
            Some(user) => {
                let shell = user.shell.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Self { name: user.name, needs_shell: matches!(shell.as_str(), "nologin" | "false" | "") }
            }
            None => Self { name: if host.is_live() { "root" } else { "divvy" }.to_owned(), needs_shell: false },
        }
    }
}

/// Why there is no environment to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// There is no such program or service here: nothing is wrong.
    Absent(Text),
    /// It is there and did not do as asked. The words of the program, one line.
    Failed(Text),
}

/// The environment of a real login, started with `su - USER`.
///
/// # Errors
/// There is no `su`, it refuses, or a profile script ends it or hangs longer than `deadline`.
pub(crate) fn login(host: &dyn HostRead, user: &LoginUser, deadline: Duration) -> Result<Variables, Unseen> {
    in_login(host, &user.name, user.needs_shell, "env -0", deadline)
}

/// The environment of a command that root, logged in, starts for the user under sudo: `env_keep` passes on what the login has.
///
/// # Errors
/// There is no sudo, or it does not let us; and as [`login`].
pub(crate) fn sudo(host: &dyn HostRead, user: &LoginUser, deadline: Duration) -> Result<Variables, Unseen> {
    if !has_program(host, "sudo") {
        return Err(Unseen::Absent("sudo is not installed".into()));
    }
    let command = format!("sudo -n -u {} env -0", quoted(&user.name));
    in_login(host, "root", false, &command, deadline).and_then(|seen| {
        if seen.is_empty() { Err(Unseen::Failed("sudo does not let root run a command here".into())) } else { Ok(seen) }
    })
}

/// What `command` prints, as `env -0` does, at the end of a login of `user`.
fn in_login(
    host: &dyn HostRead,
    user: &str,
    needs_shell: bool,
    command: &str,
    deadline: Duration,
) -> Result<Variables, Unseen> {
    let script = format!("printf %s {MARK}; exec {command}");
    let mut argv = vec!["su", "-"];
    if needs_shell {
        argv.extend(["-s", "/bin/sh"]);
    }
    argv.extend([user, "-c", script.as_str()]);
    let output = ran(host, argv, deadline, Some("there is no program su on this host"))?;
    match memchr::memmem::rfind(&output.stdout, MARK.as_bytes()) {
        Some(at) => Ok(parse(&output.stdout[at + MARK.len()..])),
        None => Err(ended(&output, "su", " before it came to env")),
    }
}

/// Is there such a program among those that root's commands find?
fn has_program(host: &dyn HostRead, program: &str) -> bool {
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    folders.into_iter().any(|folder| !matches!(host.lstat(&Path::new(folder).join(program)), Ok(None)))
}

/// The environment that systemd gives to the services it starts, before their own settings.
///
/// # Errors
/// systemd does not run here, or does not answer.
pub(crate) fn services(host: &dyn HostRead, deadline: Duration) -> Result<Variables, Unseen> {
    if !systemd_runs(host) {
        return Err(Unseen::Absent("systemd does not run here".into()));
    }
    let output = ran(host, vec!["systemctl", "show-environment"], deadline, None)?;
    if output.code != Some(0) {
        return Err(ended(&output, "systemctl show-environment", ""));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), unquoted(value))).collect())
}

/// Runs a program; `absent` says what it means that there is none of that name, where nothing is wrong with that.
fn ran(
    host: &dyn HostRead,
    argv: Vec<&str>,
    deadline: Duration,
    absent: Option<&'static str>,
) -> Result<Output, Unseen> {
    let program = argv[0].to_owned();
    host.run(&Command { deadline, ..Command::new(argv) }).map_err(|error| match absent {
        Some(absent) if error.kind() == io::ErrorKind::NotFound => Unseen::Absent(absent.into()),
        _ => Unseen::Failed(text!("{} could not be run: {}", own(program), error)),
    })
}

fn ended(output: &Output, program: &'static str, when: &'static str) -> Unseen {
    let (code, said) = (format!("{:?}", output.code), redact_line(&first_line(&output.stderr, 200)));
    Unseen::Failed(text!("{} ended with code {}{}: {}", own(program), own(code), own(when), said))
}

/// Is systemd the running manager (`sd_booted(3)`)?
pub(crate) fn systemd_runs(host: &dyn HostRead) -> bool {
    host.lstat(Path::new("/run/systemd/system")).ok().flatten().is_some()
}

/// The environment that a process was started with; `None`: it has gone.
///
/// # Errors
/// Another user's process, and we are not root.
pub(crate) fn of_process(host: &dyn HostRead, pid: u32) -> io::Result<Option<Variables>> {
    Ok(host.read(Path::new(&format!("/proc/{pid}/environ")))?.map(|bytes| parse(&bytes)))
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
}
