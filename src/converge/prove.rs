//! After the files: the Docker daemon is restarted where that was asked for, and every reader is asked what it sees.

use std::path::Path;
use std::time::Duration;

use super::{Options, RunContext};
use crate::finding::Status;
use crate::host::{Command, HostRead};
use crate::platform::Platform;
use crate::problem::{HostState, Problem, id};
use crate::text;
use crate::text::{Foreign, ics_setup, own};
use crate::vendor::Vendor;
use crate::verify::{LoginUser, Proof};

/// `--restart`: the Docker daemon reads its new proxy. Nothing happens where it does not run or has read it already.
///
/// # Errors
/// `systemctl` failed; the files are written.
pub(super) fn restart(host: &dyn HostRead, context: &mut RunContext) -> Result<(), Problem> {
    let files = &Vendor::get().docker;
    let Some(platform) = context.platform.clone().filter(|_| context.restart && !context.plan.daemon.is_empty()) else {
        return Ok(());
    };
    let touched = context.plan.touches(&files.drop_in) || context.plan.touches(&files.daemon_json);
    if !touched && !proof(host, &platform, context).daemon_is_behind() {
        return Ok(());
    }
    if !host.is_live() || host.lstat(Path::new("/run/systemd/system")).ok().flatten().is_none() {
        context.plan.next_steps.push("systemd does not run here: restart the Docker daemon yourself".into());
        return Ok(());
    }
    for argv in [&["systemctl", "daemon-reload"][..], &["systemctl", "try-restart", "docker.service"]] {
        let command = Command { deadline: Duration::from_secs(120), ..Command::new(argv.iter().copied()) };
        let failed = || {
            Problem::host(id::RESTART_FAILED, text!("{} failed", own(argv.join(" "))))
                .hint("look: systemctl status docker; journalctl -u docker -n 50")
                .hint("then run the same command again: it restarts a daemon that has not read its proxy")
                .leaving(HostState::Changed)
        };
        match host.run(&command) {
            Ok(output) if output.code == Some(0) => {}
            Ok(output) => return Err(failed().because(Foreign::new(String::from_utf8_lossy(&output.stderr).trim()))),
            Err(error) => return Err(failed().caused_by(error)),
        }
    }
    Ok(())
}

/// Starts a login and asks every consumer. A login that does not see the values is a failure.
///
/// # Errors
/// `verify-failed`, naming variable and login.
pub(super) fn verify(options: Options<'_>, host: &dyn HostRead, context: &mut RunContext) -> Result<(), Problem> {
    let Some(platform) = context.platform.clone().filter(|_| !options.dry_run) else { return Ok(()) };
    let findings = proof(host, &platform, context).run();
    let broken = findings.iter().find(|finding| finding.status == Status::Fail).cloned();
    context.findings.extend(findings);
    options.ignored.apply(&mut context.findings);
    let Some(finding) = broken.filter(|finding| !options.ignored.covers(finding.id)) else { return Ok(()) };
    let (expected, seen) = (finding.expected.unwrap_or_default(), finding.observed.unwrap_or_default());
    let problem =
        Problem::host(id::VERIFY_FAILED, finding.title.clone()).because(text!("expected {}, seen {}", expected, seen));
    let problem = finding.fix.into_iter().fold(problem, Problem::hint_fix);
    Err(match &context.run {
        Some(run) => {
            problem.hint(text!("undo: {}", ics_setup(text!("revert {}", own(run))))).leaving(HostState::Changed)
        }
        None => problem,
    })
}

fn proof<'a>(host: &'a dyn HostRead, platform: &'a Platform, context: &'a RunContext) -> Proof<'a> {
    Proof { host, platform, user: LoginUser::of(host), wanted: &context.plan.logins, daemon: &context.plan.daemon }
}
