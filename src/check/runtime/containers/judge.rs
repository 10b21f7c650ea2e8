//! What the containers mean.

use std::collections::BTreeSet;

use crate::check::prelude::*;
use crate::check::runtime::text::{Compose, at, count, long, nothing};
use crate::docker::NoDocker;
use crate::docker::text::is_plain;
use crate::product::containers::{ContainersFacts, One, Seen, Service};
use crate::product::{Known, Place};
use crate::text::{quoted, typed};

pub(super) fn judge_containers(facts: &ContainersFacts, spec: &CheckSpec) -> Vec<Finding> {
    if let Some(nothing) = nothing(&facts.place, ids::SERVICE_RUNNING, "containers were") {
        return nothing;
    }
    let up = &Compose::of(&facts.place, &spec.home);
    let seen = match &facts.docker {
        None => return Vec::new(),
        Some(Err(error)) => return vec![unreachable(error, facts)],
        Some(Ok(seen)) => seen,
    };
    let mut findings = vec![reachable(seen)];
    if seen.services.is_empty() {
        findings.push(none(seen, spec, up));
        return findings;
    }
    let missing = wanted(seen);
    for service in &seen.services {
        let expected =
            missing.iter().find(|(name, _)| name.eq_ignore_ascii_case(&service.name)).map(|(_, count)| *count);
        findings.push(Judged { service, expected, up, now: facts.now }.finding());
    }
    for (name, expected) in &missing {
        if !seen.services.iter().any(|service| service.name.eq_ignore_ascii_case(name)) {
            findings.push(absent(name, *expected, seen, up));
        }
    }
    findings.extend(images(seen, &facts.place, spec, &up.command));
    findings
}

/// What is expected on this host: what the compose file says, else what the product needs somewhere.
fn wanted(seen: &Seen) -> Vec<(String, usize)> {
    match &seen.wanted {
        Some(wanted) => {
            let number = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
            wanted.iter().map(|wanted| (wanted.service.clone(), number(wanted.count))).collect()
        }
        None => Known::get().needed().map(|service| (service.name.clone(), 1)).collect(),
    }
}

fn reachable(seen: &Seen) -> Finding {
    let ours: usize = seen.services.iter().map(|service| service.containers.len()).sum();
    let mut observed = text!("{}, {} of them the product's", count(seen.all, "container"), ours);
    if seen.unread > 0 {
        observed.push(text!("; {} of its output could not be read", count(seen.unread, "line")));
    }
    let status = if seen.unread > 0 { Status::Warn } else { Status::Pass };
    Finding::new(ids::DOCKER_REACHABLE, status, "Docker answers")
        .expected("the docker command lists containers")
        .observed(observed)
        .cause("another program of that name, or one of another release, prints other lines too")
        .look(text!("look: {}", typed("docker ps -a --format '{{json .}}'")))
}

/// Docker did not answer.
fn unreachable(error: &NoDocker, facts: &ContainersFacts) -> Finding {
    let base = |status, title: &'static str| {
        Finding::new(ids::DOCKER_REACHABLE, status, title).expected("the docker command lists containers")
    };
    match error {
        NoDocker::Absent => base(Status::Fail, "there is no docker command on this host")
            .observed("no program docker in /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin, /bin")
            .cause("the product's files are here, but Docker is not installed, or installed elsewhere")
            .advise(text!("look: {}", typed("type -a docker podman")))
            .advise("install Docker as its own pages say: https://docs.docker.com/engine/install/"),
        NoDocker::Down { why } => {
            let finding = base(Status::Fail, "the Docker daemon does not run")
                .observed(why)
                .cause("nothing listens on /var/run/docker.sock; none of the product's containers can run");
            match &facts.unit {
                Some(unit) => finding.fix(as_root(text!("systemctl enable --now {}", own(unit)))).advise(text!(
                    "if it does not start, look into its log: {}",
                    as_root(text!("journalctl -u {} -n 50 --no-pager", own(unit)))
                )),
                None => finding.advise("no unit of systemd starts one here: start it as it was installed"),
            }
        }
        NoDocker::Denied { why } => base(Status::Error, "this user may not talk to Docker")
            .observed(why)
            .cause("the Docker socket belongs to root and the group docker")
            .fix(as_root(ics_setup("check runtime"))),
        NoDocker::Late { millis } => base(Status::Error, "Docker did not answer in time")
            .observed(text!("no end of the docker command within {}", took(*millis)))
            .cause("the daemon hangs, often on a full or failing disk, or the host is overloaded")
            .advise(text!(
                "look: {}; {}",
                typed(text!("df -h {}", own(quoted(&facts.data_root.to_string_lossy())))),
                typed(text!("journalctl -u {} -n 50 --no-pager", own(facts.unit.as_deref().unwrap_or("docker"))))
            ))
            .advise(text!("give it longer: {}", ics_setup("check runtime --timeout 60s"))),
        NoDocker::Odd { why } => base(Status::Error, "the docker command did not list containers")
            .observed(why)
            .cause("its own words say why: another program of that name, or a client and a daemon that do not fit")
            .advise(text!("see for yourself: {}", typed("docker ps -a"))),
    }
}

fn none(seen: &Seen, spec: &CheckSpec, up: &Compose) -> Finding {
    let home = spec.home.display();
    let mut none = Finding::fail(ids::SERVICE_RUNNING, "no container of the product is there")
        .expected(text!("containers made from the compose file in {}", home))
        .observed(text!(
            "{} on this host, none of them made from {} or from the vendor's images",
            count(seen.all, "container"),
            home
        ));
    none = match seen.elsewhere.first() {
        Some(folder) => {
            let cause =
                text!("containers with the vendor's images were started from {}", own(seen.elsewhere.join(", ")));
            none = none.cause(cause);
            if is_plain(folder) {
                none.advise(text!("look there: {}", ics_setup(text!("check runtime --home {}", own(folder)))))
            } else {
                none
            }
        }
        None => none.cause("the product was taken down (docker-compose down), or never started"),
    };
    up.mends(none, "up -d")
}

fn absent(name: &str, expected: usize, seen: &Seen, up: &Compose) -> Finding {
    let known = Known::get().service(name).filter(|known| known.what != name);
    let what = known.map_or_else(Text::default, |known| text!(" ({})", own(&known.what)));
    let sure = seen.wanted.is_some();
    let by = if sure { "by the compose file" } else { "somewhere, and no compose file here could be read" };
    let status = if !sure || expected == 0 { Status::Warn } else { Status::Fail };
    let finding = Finding::new(ids::SERVICE_RUNNING, status, text!("{}{} has no container", own(name), what))
        .expected(text!("{} of {}, {}", count(expected, "running container"), own(name), own(by)))
        .observed("none, not even one that has ended")
        .cause(if sure {
            "it was never created, or was removed"
        } else {
            "on a host of one role alone that may be as intended"
        });
    up.mends(finding, text!("up -d {}", own(name))).evidence("service", own(name)).evidence("running", 0)
}

/// One service in one finding: the worst that can be said of it.
struct Judged<'a> {
    service: &'a Service,
    expected: Option<usize>,
    up: &'a Compose,
    now: u64,
}

impl Judged<'_> {
    fn finding(&self) -> Finding {
        let known = Known::get().service(&self.service.name);
        let all = &self.service.containers;
        let of = |test: &dyn Fn(&One) -> bool| all.iter().filter(|one| test(one)).collect::<Vec<_>>();
        let looping = of(&|one| self.loops(one));
        let ended = of(&|one| matches!(one.status.as_str(), "exited" | "dead") && !self.loops(one));
        let sick = of(&|one| one.status == "running" && one.health.as_deref() == Some("unhealthy"));
        let running = of(&|one| one.status == "running" && !self.loops(one));
        let done = known.is_some_and(|known| known.once) && ended.iter().all(|one| one.exit_code == Some(0));
        let finding = if let Some(worst) = looping.iter().max_by_key(|one| one.restarts) {
            self.restarting(worst, &looping)
        } else if let Some(last) = ended.iter().max_by_key(|one| one.finished)
            && !done
        {
            self.ended(last, &ended, running.len())
        } else if let Some(one) = sick.first() {
            self.unhealthy(one, &sick)
        } else {
            self.running(running.len(), done)
        };
        finding
            .evidence("service", own(&self.service.name))
            .evidence("running", running.len())
            .evidence("containers", all.iter().map(|one| one.name.clone()).collect::<Vec<_>>())
    }

    /// Docker starts it again at this moment, or has done so often and only just now.
    fn loops(&self, one: &One) -> bool {
        let rule = &Known::get().restarts;
        let young = one.started.is_some_and(|started| self.now.saturating_sub(started) < rule.loop_seconds);
        one.status == "restarting" || (one.status == "running" && one.restarts >= rule.loop_count && young)
    }

    fn name(&self) -> Text {
        match Known::get().service(&self.service.name) {
            Some(known) if known.what != self.service.name => {
                text!("{} ({})", own(&self.service.name), own(&known.what))
            }
            _ => text!("{}", own(&self.service.name)),
        }
    }

    fn wants(&self) -> Text {
        let number = self.expected.unwrap_or(1).max(1);
        text!("{} of {}", count(number, "running container"), own(&self.service.name))
    }

    fn running(&self, running: usize, done: bool) -> Finding {
        let name = self.name();
        if done {
            return Finding::pass(ids::SERVICE_RUNNING, text!("{} has done its work", name))
                .expected("ended with code 0")
                .observed("ended with code 0");
        }
        let (created, paused) = (self.in_state("created"), self.in_state("paused"));
        let expected = self.expected.unwrap_or(1);
        let all = self.service.containers.len();
        let state = match (created, paused) {
            (0, 0) => Text::default(),
            (created, 0) => text!("; {} created and never started", created),
            (0, paused) => text!("; {} paused", paused),
            (created, paused) => text!("; {} created and never started, {} paused", created, paused),
        };
        let restarted: u64 = self.service.containers.iter().map(|one| one.restarts).sum();
        let since = self.service.containers.iter().filter_map(|one| one.started).max();
        let mut observed = text!("{} of {} running{}", running, all, state);
        if let Some(since) = since.filter(|_| running > 0) {
            observed.push(text!(", the youngest for {}", long(self.now.saturating_sub(since))));
        }
        if restarted > 0 {
            observed.push(text!(", restarted {} times before", restarted));
        }
        if running >= expected && running > 0 {
            let title = if all > 1 {
                text!("{} runs in {}", name, count(running, "container"))
            } else {
                text!("{} runs", name)
            };
            return Finding::pass(ids::SERVICE_RUNNING, title).expected(self.wants()).observed(observed);
        }
        let (status, title) = match running {
            0 if expected == 0 => (Status::Warn, text!("{} does not run, as its scale of 0 asks for", name)),
            0 => (Status::Fail, text!("{} does not run", name)),
            _ => (Status::Warn, text!("{} runs in {} instead of {}", name, count(running, "container"), expected)),
        };
        let fix = match (created, paused) {
            (_, paused) if paused > 0 => text!("unpause {}", own(&self.service.name)),
            _ => text!("up -d {}", own(&self.service.name)),
        };
        let stuck = self.service.containers.iter().find(|one| !one.error.is_empty());
        let finding = Finding::new(ids::SERVICE_RUNNING, status, title).expected(self.wants()).observed(observed);
        let finding = self.up.mends(finding, fix);
        match stuck {
            Some(one) => finding.cause(text!("Docker could not start it: {}", one.error)),
            None if paused > 0 => finding.cause("somebody has paused it (docker pause): its processes stand still"),
            None if created > 0 => finding.cause("it was created and never started, as by a start that was broken off"),
            None if expected == 0 => finding.cause("the compose file or a scale of 0 asks for none"),
            None => finding.cause("fewer were started than the compose file asks for, or some were removed"),
        }
    }

    fn in_state(&self, word: &str) -> usize {
        self.service.containers.iter().filter(|one| one.status == word).count()
    }

    fn ended(&self, last: &One, ended: &[&One], running: usize) -> Finding {
        let name = self.name();
        let when = last.finished.map_or_else(Text::default, |when| text!(" at {}", at(when)));
        let code = last.exit_code.map_or_else(|| "an unknown code".into(), |code| text!("code {}", code));
        let (status, title) = if self.expected.is_some_and(|expected| running >= expected) && running > 0 {
            (Status::Warn, text!("{} runs, and {} of it ended", name, count(ended.len(), "more container")))
        } else if let Some(words) = for_want_of_memory(last) {
            (Status::Fail, text!("{} was {}", name, own(words)))
        } else {
            (Status::Fail, text!("{} ended with {}", name, code))
        };
        let killed = for_want_of_memory(last).map(|words| text!(", {}", own(words))).unwrap_or_default();
        let mut finding = Finding::new(ids::SERVICE_EXITED, status, title)
            .expected(self.wants())
            .observed(text!("{} ended{} with {}{}", own(&last.name), when, code, killed))
            .cause(cause_of(last))
            .advise(text!("look why: {}", typed(text!("docker logs --tail 50 {}", own(&last.name)))));
        if last.oom_killed || last.exit_code == Some(137) {
            finding = finding.advise(text!(
                "look whether it was memory: {}; {}",
                typed("free -m"),
                typed("dmesg | grep -i 'killed process' | tail -n 3")
            ));
        }
        finding
            .advise(text!(
                "mend that, then: {}",
                as_root(text!("{} up -d {}", self.up.command, own(&self.service.name)))
            ))
            .evidence("exit_code", last.exit_code)
            .evidence("oom_killed", last.oom_killed)
            .evidence("memory_limit", last.memory_limit)
    }

    fn restarting(&self, worst: &One, looping: &[&One]) -> Finding {
        let mut observed = text!("{}: {} restarts, status {}", own(&worst.name), worst.restarts, worst.status);
        if let Some(started) = worst.started {
            observed.push(text!(", last started {} ago", long(self.now.saturating_sub(started))));
        }
        // A running container still has the code of its last end in its books only while it restarts.
        if worst.status == "restarting"
            && let Some(code) = worst.exit_code
        {
            observed.push(text!(", ended with code {}", code));
        }
        let cause = if worst.status == "restarting" || for_want_of_memory(worst).is_some() {
            cause_of(worst)
        } else {
            "it ends again and again soon after its start".into()
        };
        let others = match looping.len() {
            1 => Text::default(),
            number => text!(", {} containers", number),
        };
        Finding::fail(ids::SERVICE_RESTARTING, text!("{} restarts again and again{}", self.name(), others))
            .expected("containers that stay up")
            .observed(observed)
            .cause(cause)
            .advise(text!("look why: {}", typed(text!("docker logs --tail 50 {}", own(&worst.name)))))
            .advise(text!("look for known causes: {}", ics_setup("check runtime --only log-known-trouble")))
            .evidence("restarts", worst.restarts)
            .evidence("exit_code", worst.exit_code)
    }

    fn unhealthy(&self, one: &One, sick: &[&One]) -> Finding {
        let names: Vec<&str> = sick.iter().map(|one| one.name.as_str()).collect();
        let (name, health) = (own(&one.name), own("'{{json .State.Health}}'"));
        Finding::fail(ids::SERVICE_UNHEALTHY, text!("{} is unhealthy", self.name()))
            .expected("its health check succeeds")
            .observed(text!("unhealthy: {}", own(names.join(", "))))
            .cause("the command of its health check fails, or does not end in time: the program hangs, or still starts")
            .advise(text!(
                "look what the health check says: {}",
                typed(text!("docker inspect --format {} {}", health, name))
            ))
            .advise(text!("look into its log: {}", typed(text!("docker logs --tail 50 {}", name))))
    }
}

/// Docker marks such an end only where it hears of the reason before it hears of the end: on many hosts never. A kill under a
/// limit of memory is the same news then.
fn for_want_of_memory(one: &One) -> Option<&'static str> {
    match (one.oom_killed, one.exit_code, one.memory_limit) {
        (true, ..) => Some("killed for want of memory"),
        (false, Some(137), Some(_)) => Some("killed, most likely for want of memory"),
        _ => None,
    }
}

/// What an exit code says by itself.
fn cause_of(one: &One) -> Text {
    if !one.error.is_empty() {
        return text!("Docker could not start it: {}", one.error);
    }
    if one.oom_killed {
        return "the kernel killed it because its memory limit, or the host's memory, was used up".into();
    }
    if let (Some(_), Some(limit)) = (for_want_of_memory(one), one.memory_limit) {
        return text!(
            "it was killed (SIGKILL) under its memory limit of {} MiB, as the kernel does when that is used up; docker kill, and docker stop after its grace, look the same",
            limit >> 20
        );
    }
    match one.exit_code {
        Some(0) => "it was stopped, or its program came to an end by itself: programs of the product must run in the foreground",
        Some(1) => "its program gave up on an error; its log tells which",
        Some(125) => "Docker itself could not run it",
        Some(126) => "its program is there and may not be executed",
        Some(127) => "its program is not in the image: the command in the compose file does not fit this version",
        Some(137) => "it was killed (SIGKILL): by docker stop or docker kill after its grace, or by the kernel for want of memory",
        Some(139) => "its program crashed (SIGSEGV)",
        Some(143) => "it was told to stop (SIGTERM), by docker stop or at shutdown",
        _ => "its log tells why",
    }
    .into()
}

/// All services on one version, that has a name, and is the one asked for.
fn images(seen: &Seen, place: &Place, spec: &CheckSpec, command: &Text) -> Option<Finding> {
    let known = &Known::get().images;
    let mut tags: BTreeSet<(&str, &str)> = BTreeSet::new();
    for service in &seen.services {
        for one in &service.containers {
            if known.is_product(&one.repository) && !known.is_apart(&one.repository, &one.tag) {
                tags.insert((one.tag.as_str(), service.name.as_str()));
            }
        }
    }
    // In the order of the tags, which are sorted.
    let mut versions: Vec<&str> = tags.iter().map(|(tag, _)| *tag).collect();
    versions.dedup();
    let first = *versions.first()?;
    let file = place.compose_file(&spec.home);
    let base = |status, title: Text| Finding::new(ids::IMAGE_VERSION, status, title).evidence("tags", versions.clone());
    let pin = |finding: Finding, version: &str| {
        finding
            .advise(text!("in {} give each image of the product the same tag, as :{}", file, own(version)))
            .advise(text!("run then: {}", typed(text!("{} pull && {} up -d", command, command))))
    };
    let asked = spec.release.as_deref().map(|release| format!("v{}", release.trim_start_matches(['v', 'V'])));
    let example = asked.as_deref().unwrap_or("<VERSION>");
    if versions.len() > 1 {
        let pairs = tags.iter().map(|(tag, service)| text!("{} {}", own(service), tag));
        let finding = base(Status::Warn, text!("services run different versions: {}", versions.join(", ")))
            .expected("one version for all services")
            .observed(Text::join(pairs, ", "))
            .cause("services of different versions disagree about the database's schema");
        return Some(pin(finding, example));
    }
    if first == "latest" {
        let finding = base(Status::Warn, "the images are not pinned to a version: latest".into())
            .expected("a tag that names a version")
            .observed("latest")
            .cause("the next pull may bring a newer version, on one host and not on the other, and upgrade the database's schema");
        return Some(pin(finding, example));
    }
    if let Some(asked) = &asked
        && !is_release(first, asked)
    {
        let finding = base(Status::Warn, text!("the product runs as {}, not as {}", first, own(asked)))
            .expected(text!("{} (--release)", own(asked)))
            .observed(first.to_owned())
            .cause("the containers were made from another image: the compose file names it, or they were not made anew since");
        return Some(pin(finding, asked));
    }
    let expected = asked.map_or_else(|| "one version for all services".into(), |asked| text!("{}", own(asked)));
    Some(base(Status::Pass, text!("all services run {}", first)).expected(expected).observed(first.to_owned()))
}

/// Is the tag this release, or one of its builds (`v22.3` has `v22.3.9`, `v22.3.9` has `v22.3.9-1`)?
fn is_release(tag: &str, asked: &str) -> bool {
    let tag = tag.trim_start_matches(['v', 'V']);
    let asked = asked.trim_start_matches(['v', 'V']);
    tag.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '_', '+']))
}
