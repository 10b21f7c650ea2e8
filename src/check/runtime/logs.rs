//! Judges lines of the containers' logs with a known cause.

use super::text::{at, count, long, nothing};
use crate::check::prelude::*;
use crate::product::Known;
use crate::product::logs::{self, Hit, LogsFacts};

/// What was last said longer ago than this, in seconds, may be over.
const OVER: u64 = 600;

/// See the module.
pub(super) struct Logs;

impl Check for Logs {
    type Facts = LogsFacts;

    const META: Meta = Meta::new("logs", Group::Runtime, &[ids::LOG_KNOWN_TROUBLE]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&LogsFacts>) -> LogsFacts {
        logs::look(look.host, &look.spec.home, time)
    }

    fn judge(&self, facts: &LogsFacts, spec: &CheckSpec) -> Vec<Finding> {
        if let Some(nothing) = nothing(&facts.place, ids::LOG_KNOWN_TROUBLE, "the logs were") {
            return nothing;
        }
        let id = ids::LOG_KNOWN_TROUBLE;
        let unread = |why: &'static str| Finding::skip(id, "the logs were not read").observed(why);
        let seen = match &facts.logs {
            None => return Vec::new(),
            Some(Err(_)) => return vec![unread("Docker could not be asked; see docker-reachable")],
            Some(Ok(seen)) => seen,
        };
        let command = facts.place.command(&spec.home);
        let is_over =
            |hit: &&Hit| hit.said_last == 0 && Known::get().log.iter().any(|line| line.name == hit.name && line.waits);
        let hits: Vec<&Hit> = seen.hits.iter().filter(|hit| !is_over(hit)).collect();
        let mut findings: Vec<Finding> = hits.iter().filter_map(|hit| error(hit, facts.now, spec, &command)).collect();
        let read = text!("{} of {}, of the last hour", count(seen.lines, "line"), count(seen.containers, "container"));
        if let Some((name, why)) = seen.unread.first() {
            let others = match seen.unread.len() {
                1 => Text::default(),
                number => text!(" and {} more", number - 1),
            };
            findings.push(
                Finding::skip(id, text!("the log of {}{} was not read", own(name), others))
                    .observed(why)
                    .cause("a logging driver such as awslogs keeps the log elsewhere")
                    .advise("look there, as in CloudWatch"),
            );
        } else if seen.containers == 0 {
            findings.push(unread("no container of the product is there; see service-running"));
        }
        if hits.is_empty() && seen.containers > 0 {
            let pass = Finding::pass(id, "the logs tell of no known trouble")
                .expected(text!("none of {} known texts", Known::get().log.len()))
                .observed(read);
            findings.insert(0, pass);
        }
        findings
    }
}

fn error(hit: &Hit, now: u64, spec: &CheckSpec, command: &Text) -> Option<Finding> {
    // LogsFacts of another version may name a pattern that this one does not have.
    let known = Known::get().log.iter().find(|line| line.name == hit.name)?;
    let age = hit.last.map(|last| now.saturating_sub(last));
    let over = age.is_some_and(|age| age > OVER);
    let services = hit.services.iter().cloned().collect::<Vec<_>>();
    let last = match (hit.last, age) {
        (Some(last), Some(age)) => text!(", last at {}, {} ago", at(last), long(age)),
        _ => Text::default(),
    };
    let again = if over { text!(" (not in the last {})", long(OVER)) } else { Text::default() };
    let status = if over { Status::Warn } else { known.status };
    let title = text!("the log of {} says: {}{}", own(services.join(", ")), own(&known.title), again);
    let observed = text!("{:?}, {} in the last hour{}", hit.words, count(hit.count, "line"), last);
    let finding = Finding::new(ids::LOG_KNOWN_TROUBLE, status, title)
        .expected("no such line")
        .observed(observed)
        .cause(known.cause.as_str())
        .evidence("pattern", own(&known.name))
        .evidence("lines", hit.count)
        .evidence("services", services)
        .evidence("last", hit.last.map(at));
    let places = [("compose", command.clone()), ("home", text!("{}", spec.home))];
    Some(known.advice.iter().map(|advice| advice.fill(&places)).fold(finding, Finding::advise))
}

#[cfg(test)]
mod tests;
