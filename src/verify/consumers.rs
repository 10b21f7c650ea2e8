//! Consumers that do not read what logins read.

use std::time::Duration;

use super::Proof;
use crate::consumers::pam;
use crate::consumers::sight::{Sight, Sights};
use crate::environment::{self, Unseen, Variables};
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::host::Command;
use crate::text;
use crate::text::{Fix, Text, own};
use crate::vendor::Vendor;

/// How long sudo and systemctl may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// sudo, cron, systemd services: whoever does not read what logins read.
pub(super) fn of_logins(proof: &Proof<'_>) -> Vec<Finding> {
    [sudo(proof), cron(proof), systemd(proof)].into_iter().flatten().collect()
}

fn sudo(proof: &Proof<'_>) -> Option<Finding> {
    let seen = match environment::sudo(proof.host, &proof.user, DEADLINE) {
        Ok(seen) => seen,
        Err(Unseen::Absent(why) | Unseen::Failed(why)) => return Some(skip(ids::VERIFY_SUDO, why)),
    };
    let missing = unseen(proof.wanted, |name| value(&seen, name));
    Some(verdict(
        proof,
        ids::VERIFY_SUDO,
        "commands under sudo",
        &missing,
        "sudo starts with a fresh environment and its PAM stack does not read the file",
        Fix::Advice("pass the caller's values on: echo 'Defaults env_keep += \"http_proxy https_proxy no_proxy\"' > /etc/sudoers.d/ics-proxy && chmod 0440 /etc/sudoers.d/ics-proxy".into()),
    ))
}

/// Decided from the PAM stack and the crontabs, because waiting for cron's next minute would be too long.
fn cron(proof: &Proof<'_>) -> Option<Finding> {
    let cron = match pam::cron::read(proof.host, Some(proof.platform)) {
        Ok(Some(cron)) => cron,
        Ok(None) => return Some(skip(ids::VERIFY_CRON, "cron is not installed")),
        Err((path, why)) => return Some(skip(ids::VERIFY_CRON, text!("{}: {}", path.display(), why))),
    };
    let path = cron.stack.display();
    let jobs = cron.crontabs.iter().map(|table| &table.sights);
    let jobs: Vec<&Sights> = if cron.crontabs.is_empty() { vec![&cron.base] } else { jobs.collect() };
    let mut missing: Vec<String> = jobs
        .into_iter()
        .flat_map(|sights| unseen(proof.wanted, |name| sights.get(name).and_then(Sight::value).map(str::to_owned)))
        .collect();
    missing.sort();
    missing.dedup();
    let why: Text = if proof.platform.system_proxy_is_shell() {
        "cron starts no login shell, so it does not source profile.d".into()
    } else {
        text!("{} or a crontab gives its jobs another value, or none", path)
    };
    let finding = verdict(
        proof,
        ids::VERIFY_CRON,
        "cron jobs",
        &missing,
        why,
        Fix::Advice("write the three lines, without export, at the top of the crontab".into()),
    );
    Some(finding.evidence("decided_from", own(path)))
}

fn systemd(proof: &Proof<'_>) -> Option<Finding> {
    let seen = match environment::services(proof.host, DEADLINE) {
        Ok(seen) => seen,
        Err(Unseen::Absent(why) | Unseen::Failed(why)) => return Some(skip(ids::VERIFY_SYSTEMD, why)),
    };
    let missing = unseen(proof.wanted, |name| value(&seen, name));
    Some(verdict(
        proof,
        ids::VERIFY_SYSTEMD,
        "systemd services",
        &missing,
        "services are not logins: they read neither /etc/environment nor profile.d",
        Fix::Advice(
            "give a service that needs it the variables: systemctl edit <NAME>, [Service], Environment=".into(),
        ),
    ))
}

/// The Docker daemon, by its own environment.
pub(super) fn docker(proof: &Proof<'_>) -> Option<Finding> {
    if !environment::systemd_runs(proof.host) {
        return Some(skip(ids::VERIFY_DOCKER, "systemd does not run here"));
    }
    let output =
        proof.host.run(&Command::new(["systemctl", "show", "-p", "MainPID", "--value", "docker.service"])).ok()?;
    let pid = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if pid.is_empty() || pid == "0" {
        let drop_in = Vendor::get().docker.drop_in.display();
        return Some(skip(
            ids::VERIFY_DOCKER,
            text!("the Docker daemon does not run; it will read {} when it starts", drop_in),
        ));
    }
    let seen = environment::of_process(proof.host, pid.parse().ok()?).ok().flatten()?;
    let missing = unseen(proof.daemon, |name| {
        // The daemon prefers the upper-case name.
        value(&seen, &name.to_uppercase()).or_else(|| value(&seen, name))
    });
    let fix =
        Fix::Advice("restart it (running containers stop): systemctl daemon-reload && systemctl restart docker".into());
    Some(verdict(
        proof,
        ids::VERIFY_DOCKER,
        "the Docker daemon",
        &missing,
        "it was started before its drop-in was written, or takes proxies from daemon.json",
        fix,
    ))
}

fn value(seen: &Variables, name: &str) -> Option<String> {
    environment::value(seen, name).map(str::to_owned)
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

fn verdict(proof: &Proof<'_>, id: FindingId, who: &str, missing: &[String], why: impl Into<Text>, fix: Fix) -> Finding {
    let all = names(proof.wanted).join(", ");
    if missing.is_empty() {
        let title = if all.is_empty() {
            text!("{}: nothing is missing", own(who))
        } else {
            text!("{} see {}", own(who), own(&all))
        };
        return Finding::new(id, Status::Pass, title).expected(text!("{}", own(&all)));
    }
    Finding::new(id, Status::Warn, text!("{} do not see {}", own(who), own(missing.join(", "))))
        .expected(text!("{}", own(&all)))
        .observed(text!("not set, or another value: {}", own(missing.join(", "))))
        .cause(why)
        .fixed_by(fix)
}

fn skip(id: FindingId, why: impl Into<Text>) -> Finding {
    Finding::new(id, Status::Skip, "was not looked at").observed(why)
}
