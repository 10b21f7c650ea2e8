//! Judges lines of the containers' logs with a known cause.

use super::text::{at, count, long, nothing};
use crate::check::spec::CheckSpec;
use crate::check::unit::{Check, Group, Look, Meta};
use crate::finding::{Finding, Status};
use crate::net::Time;
use crate::product::logs::{self, Hit, LogsFacts};
use crate::product::{Known, Weight};

/// What was last said longer ago than this, in seconds, may be over.
const OVER: u64 = 600;

/// See the module.
pub(super) struct Logs;

impl Check for Logs {
    type Facts = LogsFacts;

    const META: Meta = Meta::new("logs", Group::Runtime, &["log-known-trouble"]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&LogsFacts>) -> LogsFacts {
        logs::look(look.host, &look.spec.home, time)
    }

    fn judge(&self, facts: &LogsFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge_logs(facts, spec)
    }
}

fn judge_logs(facts: &LogsFacts, spec: &CheckSpec) -> Vec<Finding> {
    if let Some(nothing) = nothing(&facts.place, "log-known-trouble", "the logs were") {
        return nothing;
    }
    let finding = |status, title: &str| Finding::new("log-known-trouble", "runtime", status, title.to_owned());
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
    let command = facts.place.command(&spec.home);
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
                .observed(why)
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
    let status = match known.weight {
        Weight::Fail if !over => Status::Fail,
        _ => Status::Warn,
    };
    let title = format!("the log of {} says: {}{again}", services.join(", "), known.title);
    let observed = format!("\"{}\", {} in the last hour{last}", hit.words, count(hit.count, "line"));
    let mut finding = Finding::new("log-known-trouble", "runtime", status, title.to_owned())
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
