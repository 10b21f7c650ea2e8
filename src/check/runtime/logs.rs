//! Lines of the containers' logs with a known cause. The lines themselves may hold secrets: facts keep which pattern
//! matched, how often and when, and the words that matched.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::docker::{self, Container, NoDocker};
use super::known::Known;
use super::place::Place;
use super::text::{at, count, epoch, first_line, long, seconds_of, shown};
use crate::check::spec::CheckSpec;
use crate::check::unit::{Check, Group, Look, Meta};
use crate::finding::{Finding, Status};
use crate::net::{Time, seconds};

/// The last lines of each log that are read.
const TAIL: &str = "400";

/// And not older than this.
const SINCE: &str = "1h";

/// Longer lines are cut.
const MAX_LINE: usize = 4 << 10;

/// What was last said longer ago than this, in seconds, may be over.
const OVER: u64 = 600;

/// See the module.
pub(super) struct Logs;

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct LogsFacts {
    place: Place,
    /// `None`: was not asked.
    logs: Option<Result<Seen, NoDocker>>,
    /// When it was looked, seconds since 1970.
    now: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Containers whose logs were read.
    containers: usize,
    lines: usize,
    /// Containers whose logs could not be read, and why.
    unread: Vec<(String, String)>,
    /// In the order of the patterns.
    hits: Vec<Hit>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Hit {
    /// The pattern's name.
    name: String,
    count: usize,
    /// Seconds since 1970.
    last: Option<u64>,
    services: BTreeSet<String>,
    /// The words that matched last.
    words: String,
}

impl Check for Logs {
    type Facts = LogsFacts;

    const META: Meta = Meta::new("logs", Group::Runtime, &["log-known-trouble"]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&LogsFacts>) -> LogsFacts {
        let mut place = Place::look(look);
        let now = seconds_of(look.host.now());
        if !place.is_running_system() {
            return LogsFacts { place, logs: None, now };
        }
        let logs = docker::containers(look, time).map(|found| {
            place.prefer(&found);
            read_all(look, time, &found.own)
        });
        LogsFacts { place, logs: Some(logs), now }
    }

    fn judge(&self, facts: &LogsFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge_logs(facts, spec)
    }
}

fn read_all(look: &Look<'_>, time: Time, containers: &[Container]) -> Seen {
    let mut seen = Seen::default();
    for (index, container) in containers.iter().enumerate() {
        let service = shown(container.service.as_deref().unwrap_or(&container.name), 60);
        // Each gets its share of what is left, so that one slow log does not cost the others theirs.
        let others = u32::try_from(containers.len() - index).unwrap_or(u32::MAX);
        let share = time.at_most((time.left() / others).max(time.left() / 4));
        let arguments = ["logs", "--timestamps", "--tail", TAIL, "--since", SINCE, container.id.as_str()];
        match docker::docker(look, share, &arguments) {
            Ok(output) if output.code == Some(0) => {
                seen.containers += 1;
                read(&output.stdout, &service, &mut seen);
                read(&output.stderr, &service, &mut seen);
            }
            Ok(output) => seen.unread.push((shown(&container.name, 80), first_line(&output.stderr, 200))),
            Err(NoDocker::Late { millis }) => {
                let limit = seconds(std::time::Duration::from_millis(millis));
                seen.unread.push((shown(&container.name, 80), format!("no end within {limit}")));
            }
            Err(_) => seen.unread.push((shown(&container.name, 80), "docker logs could not be run".to_owned())),
        }
    }
    let rank = |hit: &Hit| Known::get().log.iter().position(|line| line.name == hit.name);
    seen.hits.sort_by_key(rank);
    seen
}

/// One stream of one container.
fn read(bytes: &[u8], service: &str, seen: &mut Seen) {
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        seen.lines += 1;
        let line = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE)]);
        let matched = Known::log_patterns()
            .iter()
            .zip(&Known::get().log)
            .find_map(|(pattern, known)| pattern.find(&line).map(|found| (known, found.as_str())));
        let Some((known, words)) = matched else { continue };
        let last = line.split(' ').next().and_then(epoch);
        let at = seen.hits.iter().position(|hit| hit.name == known.name).unwrap_or_else(|| {
            seen.hits.push(Hit { name: known.name.clone(), ..Hit::default() });
            seen.hits.len() - 1
        });
        let hit = &mut seen.hits[at];
        hit.count += 1;
        hit.services.insert(service.to_owned());
        if last >= hit.last {
            hit.last = last;
            hit.words = shown(words, 80);
        }
    }
}

fn judge_logs(facts: &LogsFacts, spec: &CheckSpec) -> Vec<Finding> {
    if let Some(nothing) = facts.place.nothing("log-known-trouble", "the logs were") {
        return nothing;
    }
    let finding = |status, title: &str| Finding::new("log-known-trouble", "runtime", status, title);
    let seen = match &facts.logs {
        None => return Vec::new(),
        Some(Err(_)) => {
            return vec![
                finding(Status::Skip, "the logs were not read")
                    .observed("Docker could not be asked; see docker-reachable"),
            ];
        }
        Some(Ok(seen)) => seen,
    };
    let command = facts.place.command(spec);
    let mut findings: Vec<Finding> =
        seen.hits.iter().filter_map(|hit| trouble(hit, facts.now, spec, &command)).collect();
    let read = format!("{} of {}, of the last hour", count(seen.lines, "line"), count(seen.containers, "container"));
    if let Some((name, why)) = seen.unread.first() {
        let others = match seen.unread.len() {
            1 => String::new(),
            number => format!(" and {} more", number - 1),
        };
        findings.push(
            finding(Status::Skip, &format!("the log of {name}{others} was not read"))
                .observed(why.as_str())
                .cause("a logging driver such as awslogs keeps the log elsewhere")
                .fix("look there, as in CloudWatch"),
        );
    } else if seen.containers == 0 {
        findings.push(
            finding(Status::Skip, "the logs were not read")
                .observed("no container of the product is there; see service-running"),
        );
    }
    if seen.hits.is_empty() && seen.containers > 0 {
        let pass = finding(Status::Pass, "the logs tell of no known trouble")
            .expected(format!("none of {} known texts", Known::get().log.len()))
            .observed(read);
        findings.insert(0, pass);
    }
    findings
}

fn trouble(hit: &Hit, now: u64, spec: &CheckSpec, command: &str) -> Option<Finding> {
    // LogsFacts of another version may name a pattern that this one does not have.
    let known = Known::get().log.iter().find(|line| line.name == hit.name)?;
    let age = hit.last.map(|last| now.saturating_sub(last));
    let over = age.is_some_and(|age| age > OVER);
    let services = hit.services.iter().cloned().collect::<Vec<_>>();
    let last = match (hit.last, age) {
        (Some(last), Some(age)) => format!(", last at {}, {} ago", at(last), long(age)),
        _ => String::new(),
    };
    let again = if over { format!(" (not in the last {})", long(OVER)) } else { String::new() };
    let status = if over { Status::Warn } else { known.status() };
    let title = format!("the log of {} says: {}{again}", services.join(", "), known.title);
    let observed = format!("{:?}, {} in the last hour{last}", hit.words, count(hit.count, "line"));
    let mut finding = Finding::new("log-known-trouble", "runtime", status, title)
        .expected("no such line")
        .observed(observed)
        .cause(known.cause.as_str())
        .evidence("pattern", known.name.as_str())
        .evidence("lines", hit.count)
        .evidence("services", services)
        .evidence("last", hit.last.map(at));
    for fix in &known.fix {
        finding = finding.fix(fix.replace("{compose}", command).replace("{home}", &spec.home.display().to_string()));
    }
    Some(finding)
}

#[cfg(test)]
mod tests;
