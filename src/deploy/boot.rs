//! The unit that starts the product when the host has started: enabled, and known to systemd.

use std::path::Path;
use std::time::Duration;

use crate::host::{Command, HostRead};
use crate::plan::StageState;
use crate::problem::{Problem, id};
use crate::targets::UNIT;
use crate::text;
use crate::text::{Foreign, Text, as_root, own};

/// A unit that is started runs Compose over containers that run already.
const DEADLINE: Duration = Duration::from_secs(300);

/// Why there is nothing to enable.
pub(super) const NO_SYSTEMD: &str = "systemd does not run here: let this host's own init start the product";

/// Does systemd run here?
pub(super) fn has_systemd(host: &dyn HostRead) -> bool {
    host.lstat(Path::new("/run/systemd/system")).ok().flatten().is_some()
}

/// Is the unit enabled?
pub(super) fn is_done(host: &dyn HostRead) -> bool {
    if !has_systemd(host) {
        return true;
    }
    let asked = host.run(&Command::new(["systemctl", "is-enabled", UNIT]));
    asked.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == "enabled")
}

/// Enables it, and lets systemd know that it runs, so that it is stopped in order when the host stops.
///
/// # Errors
/// systemd refuses.
pub(super) fn enable(host: &dyn HostRead) -> Result<(StageState, Text), Problem> {
    if !has_systemd(host) {
        return Ok((StageState::Skipped, NO_SYSTEMD.into()));
    }
    let done = is_done(host);
    systemctl(host, &["daemon-reload"])?;
    systemctl(host, &["enable", UNIT])?;
    systemctl(host, &["start", UNIT])?;
    let state = if done { StageState::Done } else { StageState::Changed };
    Ok((state, text!("{} starts the product when the host starts", own(UNIT))))
}

/// Takes it out of systemd's hands; containers stay as they are.
///
/// # Errors
/// systemd refuses.
pub(super) fn disable(host: &dyn HostRead) -> Result<(), Problem> {
    if !has_systemd(host) || host.lstat(&Path::new("/etc/systemd/system").join(UNIT)).ok().flatten().is_none() {
        return Ok(());
    }
    systemctl(host, &["disable", UNIT])
}

/// Tells systemd that units have changed.
///
/// # Errors
/// systemd refuses.
pub(super) fn reload(host: &dyn HostRead) -> Result<(), Problem> {
    if has_systemd(host) { systemctl(host, &["daemon-reload"]) } else { Ok(()) }
}

fn systemctl(host: &dyn HostRead, arguments: &[&str]) -> Result<(), Problem> {
    let argv: Vec<&str> = ["systemctl"].iter().chain(arguments).copied().collect();
    let failed = || {
        Problem::host(id::BOOT_FAILED, text!("{} failed", own(argv.join(" "))))
            .hint_command(as_root(text!("systemctl status {}", own(UNIT))))
    };
    match host.run(&Command { deadline: DEADLINE, ..Command::new(argv.iter().copied()) }) {
        Ok(output) if output.code == Some(0) => Ok(()),
        Ok(output) => Err(failed().because(Foreign::new(String::from_utf8_lossy(&output.stderr).trim()))),
        Err(error) => Err(failed().caused_by(error)),
    }
}
