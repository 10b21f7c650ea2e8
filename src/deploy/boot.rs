//! The unit that starts the product when the host has started: enabled, and known to systemd.

use std::time::Duration;

use crate::host::{Command, HostRead};
use crate::plan::StageState;
use crate::problem::{Problem, id};
use crate::targets::{UNIT, has_systemd, unit_path};
use crate::text;
use crate::text::{Foreign, Text, as_root, own};

/// A unit that is started runs Compose over containers that run already.
const DEADLINE: Duration = Duration::from_secs(300);

/// Why there is nothing to enable.
pub(super) const NO_SYSTEMD: &str = "systemd does not run here: let this host's own init start the product";

/// And where systemd runs, but the unit is not there.
pub(super) const NO_UNIT: &str =
    "there is no unit of ours: another one starts the product, or --target leaves boot out";

/// Is the unit enabled, where there is one?
pub(super) fn is_done(host: &dyn HostRead) -> bool {
    if !has_systemd(host) || !is_there(host) {
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
    if !is_there(host) {
        return Ok((StageState::Skipped, NO_UNIT.into()));
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
    if !has_systemd(host) || !is_there(host) {
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

/// Is the unit's file there? One that cannot be looked at is.
fn is_there(host: &dyn HostRead) -> bool {
    !matches!(host.lstat(&unit_path()), Ok(None))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::host::MemoryHost;

    #[test]
    fn a_unit_that_is_not_there_is_not_enabled() {
        let files = MemoryHost::new();
        files.put_dir("/run/systemd/system");
        let host = Double::with(files.clone()).prints("systemctl is-enabled", "disabled\n").prints("systemctl", "");
        let enabled = enable(&host).unwrap();
        assert_eq!((enabled.0, enabled.1.to_string()), (StageState::Skipped, NO_UNIT.to_owned()));
        assert!(is_done(&host) && host.ran.lock().unwrap().is_empty());
        files.put(&unit_path().to_string_lossy(), b"");
        assert!(!is_done(&host));
        assert_eq!(enable(&host).unwrap().0, StageState::Changed);
        let ran: Vec<String> = host.ran.lock().unwrap().iter().map(|command| command.argv.join(" ")).collect();
        assert!(ran.contains(&format!("systemctl enable {UNIT}")), "{ran:?}");
    }
}
