//! What each consumer of proxy settings really gets, side by side, judged: [`crate::consumers`] sees it.
//!
//! | module | what it judges |
//! | --- | --- |
//! | `drift` | consumers that disagree |
//! | `urls` | how the URLs are written |

mod drift;
#[cfg(test)]
mod tests;
mod urls;

use super::super::{Check, CheckSpec, Group, Look, Meta};
use crate::consumers::judge::{disagreement, home_flag, judge, who};
use crate::consumers::{self, Ask, Consumer, ConsumersFacts, Fails, Known, PROFILES, State, Who};
use crate::finding::ids;
use crate::finding::{Finding, FindingId, Status};
use crate::net::Time;
use crate::plan::PlannedHost;
use crate::text;
use crate::text::{Text, as_root, ics_setup, own};

/// The check.
pub(crate) struct Consumers;

/// Findings that are not about one consumer.
const OF_ALL: [FindingId; 15] = [
    ids::PROVE_MODEL,
    ids::PROXY_DRIFT,
    ids::PROXY_URL,
    ids::PROXY_URL_SCHEME,
    ids::PROXY_URL_SOCKS,
    ids::PROXY_URL_HTTPS,
    ids::PROXY_URL_PORT,
    ids::PROXY_URL_HOST,
    ids::PROXY_URL_RESERVED,
    ids::PROXY_URL_PERCENT,
    ids::PROXY_URL_BLANK,
    ids::PROXY_URL_NOT_ASCII,
    ids::PROXY_URL_NO_PASSWORD,
    ids::PROXY_URL_PATH,
    ids::PROXY_URL_TWO,
];

/// Those, behind the consumers' own; the first is that of a consumer without which nothing works.
const IDS: [FindingId; PROFILES.len() + OF_ALL.len()] = {
    let mut all = [OF_ALL[0]; PROFILES.len() + OF_ALL.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < PROFILES.len() { PROFILES[at].id } else { OF_ALL[at - PROFILES.len()] };
        if at < PROFILES.len() && matches!(PROFILES[at].fails, Fails::NoProxy) {
            (all[0], all[at]) = (all[at], all[0]);
        }
        at += 1;
    }
    all
};

impl Check for Consumers {
    type Facts = ConsumersFacts;

    const META: Meta = Meta::new("consumers", Group::Proxy, &IDS);

    fn collect(&self, look: &Look<'_>, time: Time, _: Option<&ConsumersFacts>) -> ConsumersFacts {
        let ask = Ask {
            host: look.host,
            platform: look.platform,
            home: &look.spec.home,
            http_proxy: look.secrets.http_proxy.as_ref(),
            https_proxy: look.secrets.https_proxy.as_ref(),
            inside: look.host.is_live().then_some(&[]),
            quiet: false,
            sudo_by: None,
        };
        let mut facts = consumers::observe(&ask, None, time);
        if let Some(changes) = look.changes {
            let planned = PlannedHost::new(look.host, changes);
            let own: Vec<Who> = Who::ALL.into_iter().filter(|who| who.has_file_of_ours()).collect();
            facts.planned =
                consumers::observe(&Ask { host: &planned, inside: None, ..ask }, Some(&own), time).consumers;
        }
        facts
    }

    fn judge(&self, facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
        let mut findings = all(facts, spec);
        findings.extend(drift::judge_drift(facts, spec));
        findings.extend(urls::judge_urls(facts, &spec.wanted()));
        // What is said of several is known as the least of them is.
        let mut seen = facts.consumers.iter().filter(|consumer| consumer.state == State::Seen);
        let known = if seen.all(|consumer| consumer.known == Known::Asked) { Known::Asked } else { Known::Files };
        let of_several = |finding: Finding| match finding.evidence.contains_key("known") {
            true => finding,
            false => finding.evidence("known", own(known.as_str())),
        };
        findings.into_iter().map(of_several).collect()
    }
}

/// The findings of all consumers; a single one where nothing is wanted and nothing is set.
fn all(facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
    let wanted = spec.wanted();
    // What cannot be told is not the same as not set.
    let says = |own: &Consumer| own.has_proxy() || !own.unknown.is_empty() || !own.exceptions.is_empty();
    if !wanted.is_proxy() && !facts.consumers.iter().any(says) {
        return nothing(facts, spec);
    }
    let judged = facts.consumers.iter().map(|consumer| judge(consumer, facts, &wanted));
    judged.chain(facts.consumers.iter().filter_map(disagreement)).collect()
}

fn nothing(facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
    let names = |states: &[State]| -> Vec<Text> {
        facts.consumers.iter().filter(|consumer| states.contains(&consumer.state)).map(who).collect()
    };
    let broken = facts.consumers.iter().filter(|consumer| {
        let refused = consumer.next.as_ref().is_some_and(|next| next.state == State::Refused);
        refused || matches!(consumer.state, State::Unreadable | State::Refused)
    });
    let mut findings: Vec<Finding> = broken.map(|consumer| judge(consumer, facts, &spec.wanted())).collect();
    let (seen, unseen) = (names(&[State::Seen]), names(&[State::Skipped, State::NeedsRoot, State::NotServed]));
    let more = if unseen.is_empty() {
        Text::default()
    } else {
        text!("; not looked at: {}", Text::join(unseen.iter().cloned(), ", "))
    };
    let (status, title) = if spec.unread.is_empty() && findings.is_empty() {
        (Status::Pass, "nothing on this host sets a proxy, and none is asked for")
    } else {
        (Status::Skip, "no proxy was seen, and not every place could be looked at")
    };
    let more = spec.unread.iter().fold(more, |more, unread| text!("{}; {}", more, unread.why));
    let finding = Finding::new(ids::PROXY_DRIFT, status, title)
        .observed(text!("no proxy: {}{}", Text::join(seen.iter().cloned(), ", "), more))
        .evidence("seen", seen)
        .evidence("not_seen", unseen);
    let needs_root = facts.consumers.iter().any(|consumer| consumer.state == State::NeedsRoot)
        || spec.unread.iter().any(|unread| unread.needs_root);
    findings.push(match needs_root {
        true => finding.fix(as_root(ics_setup(text!("check{}", home_flag(&spec.home))))),
        false => finding,
    });
    findings
}
