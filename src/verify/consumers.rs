//! Consumers that do not read what logins read.

use std::path::Path;

use super::{Proof, environment};
use crate::finding::{Finding, Status};
use crate::host::Command;
use crate::vendor::Vendor;

/// sudo, cron, systemd services: whoever does not read what logins read.
pub(super) fn of_logins(proof: &Proof<'_>) -> Vec<Finding> {
    [sudo(proof), cron(proof), systemd(proof)].into_iter().flatten().collect()
}

fn sudo(proof: &Proof<'_>) -> Option<Finding> {
    let user = proof.user.name.as_str();
    let output = match proof.host.run(&Command::new(["sudo", "-n", "-u", user, "env", "-0"])) {
        Ok(output) if output.code == Some(0) => output,
        Ok(_) => return Some(skip("verify-sudo", "sudo does not let root run a command here")),
        Err(_) => return Some(skip("verify-sudo", "sudo is not installed")),
    };
    let seen = environment(&output.stdout, None)?;
    let missing = unseen(proof.wanted, |name| seen.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()));
    Some(verdict(
        proof,
        "verify-sudo",
        "commands under sudo",
        &missing,
        "sudo starts with a fresh environment and its PAM stack does not read the file",
        "pass the caller's values on: echo 'Defaults env_keep += \"http_proxy https_proxy no_proxy\"' > /etc/sudoers.d/ics-proxy && chmod 0440 /etc/sudoers.d/ics-proxy",
    ))
}

/// Decided from the PAM stack, because waiting for cron's next minute would be too long.
fn cron(proof: &Proof<'_>) -> Option<Finding> {
    let stack = ["/etc/pam.d/cron", "/etc/pam.d/crond"].into_iter().find_map(|path| {
        let bytes = proof.host.read(Path::new(path)).ok().flatten()?;
        Some((path, String::from_utf8_lossy(&bytes).into_owned()))
    });
    let Some((path, stack)) = stack else { return Some(skip("verify-cron", "cron is not installed")) };
    let reads = stack.lines().map(str::trim).any(|line| !line.starts_with('#') && line.contains("pam_env.so"));
    let sees = reads && !proof.platform.system_proxy_is_shell();
    let missing = if sees { Vec::new() } else { names(proof.wanted) };
    let why = if proof.platform.system_proxy_is_shell() {
        "cron starts no login shell, so it does not source profile.d".to_owned()
    } else {
        format!("{path} has no pam_env.so line")
    };
    let finding = verdict(
        proof,
        "verify-cron",
        "cron jobs",
        &missing,
        &why,
        "write the three lines, without export, at the top of the crontab",
    );
    Some(finding.evidence("decided_from", path))
}

fn systemd(proof: &Proof<'_>) -> Option<Finding> {
    if proof.host.lstat(Path::new("/run/systemd/system")).ok().flatten().is_none() {
        return Some(skip("verify-systemd", "systemd does not run here"));
    }
    let output = proof.host.run(&Command::new(["systemctl", "show-environment"])).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let missing = unseen(proof.wanted, |name| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(own, _)| *own == name)
            .map(|(_, value)| value.to_owned())
    });
    Some(verdict(
        proof,
        "verify-systemd",
        "systemd services",
        &missing,
        "services are not logins: they read neither /etc/environment nor profile.d",
        "give a service that needs it the variables: systemctl edit NAME, [Service], Environment=",
    ))
}

/// The Docker daemon, by its own environment.
pub(super) fn docker(proof: &Proof<'_>) -> Option<Finding> {
    if proof.host.lstat(Path::new("/run/systemd/system")).ok().flatten().is_none() {
        return Some(skip("verify-docker", "systemd does not run here"));
    }
    let output =
        proof.host.run(&Command::new(["systemctl", "show", "-p", "MainPID", "--value", "docker.service"])).ok()?;
    let pid = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if pid.is_empty() || pid == "0" {
        let drop_in = Vendor::get().docker.drop_in.display();
        return Some(skip(
            "verify-docker",
            &format!("the Docker daemon does not run; it will read {drop_in} when it starts"),
        ));
    }
    let environ = proof.host.read(Path::new(&format!("/proc/{pid}/environ"))).ok().flatten()?;
    let seen = environment(&environ, None)?;
    let missing = unseen(proof.daemon, |name| {
        // The daemon prefers the upper-case name.
        let get = |wanted: &str| seen.iter().find(|(own, _)| own == wanted).map(|(_, value)| value.clone());
        get(&name.to_uppercase()).or_else(|| get(name))
    });
    let fix = "restart it (running containers stop): systemctl daemon-reload && systemctl restart docker";
    Some(verdict(
        proof,
        "verify-docker",
        "the Docker daemon",
        &missing,
        "it was started before its drop-in was written, or takes proxies from daemon.json",
        fix,
    ))
}

fn names(wanted: &[(String, Option<String>)]) -> Vec<String> {
    wanted.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name.clone()).collect()
}

/// Names whose value the consumer does not see. Lists are the same when they have the same members.
fn unseen(wanted: &[(String, Option<String>)], see: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let same = |name: &str, wanted: &str, seen: &str| {
        let members = |list: &str| list.split(',').map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        wanted == seen || (name == "no_proxy" && members(wanted) == members(seen))
    };
    let missing = wanted.iter().filter(|(name, wanted)| {
        wanted.as_ref().is_some_and(|wanted| !see(name).is_some_and(|seen| same(name, wanted, &seen)))
    });
    missing.map(|(name, _)| name.clone()).collect()
}

fn verdict(proof: &Proof<'_>, id: &'static str, who: &str, missing: &[String], why: &str, fix: &str) -> Finding {
    let all = names(proof.wanted).join(", ");
    if missing.is_empty() {
        return Finding::new(id, "verify", Status::Pass, format!("{who}: nothing is missing")).expected(all);
    }
    Finding::new(id, "verify", Status::Warn, format!("{who} do not see {}", missing.join(", ")))
        .expected(all)
        .observed(format!("not set, or another value: {}", missing.join(", ")))
        .cause(why)
        .fix(fix)
}

fn skip(id: &'static str, why: &str) -> Finding {
    Finding::new(id, "verify", Status::Skip, "was not looked at").observed(why)
}
