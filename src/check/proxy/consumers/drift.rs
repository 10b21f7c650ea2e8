//! Consumers that disagree, where nobody said which of them is right.

use super::super::super::CheckSpec;
use super::judge;
use crate::consumers::{Consumer, ConsumersFacts, State};
use crate::finding::ids;
use crate::finding::{Finding, Status};

/// Nothing where the settings say what is wanted: then each consumer's own finding tells.
pub(super) fn judge_drift(facts: &ConsumersFacts, spec: &CheckSpec) -> Option<Finding> {
    let with_proxy: Vec<&Consumer> =
        facts.consumers.iter().filter(|consumer| consumer.state == State::Seen && consumer.has_proxy()).collect();
    if (judge::is_wanted(spec) && !spec.proxy_found) || with_proxy.is_empty() {
        return None;
    }
    // Passwords are told apart by their numbers, so that "the same proxy, another password" is seen too.
    type Key<'a> = [(Option<&'a str>, Option<u32>); 2];
    let mut groups: Vec<(Key<'_>, Vec<&Consumer>)> = Vec::new();
    for consumer in with_proxy {
        let part = |https: bool| {
            let value = consumer.proxy(https);
            (value.map(|value| value.shown.as_str()), value.and_then(|value| value.password))
        };
        let key = [part(false), part(true)];
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, members)) => members.push(consumer),
            None => groups.push((key, vec![consumer])),
        }
    }
    let names =
        |members: &[&Consumer]| members.iter().map(|consumer| judge::who(consumer)).collect::<Vec<_>>().join(", ");
    if let [(_, members)] = groups.as_slice() {
        return Some(
            Finding::new(ids::PROXY_DRIFT, Status::Pass, "every consumer that has a proxy has the same one")
                .observed(format!("{}: {}", urls(members[0]), names(members))),
        );
    }
    let mut shown: Vec<String> = Vec::new();
    for (index, (_, members)) in groups.iter().enumerate() {
        let url = urls(members[0]);
        let twice = groups[..index].iter().any(|(_, before)| urls(before[0]) == url);
        let url = if twice { format!("{url} with another password") } else { url };
        shown.push(format!("{url}: {}", names(members)));
    }
    let title = format!("{} different proxies are set on this host", groups.len());
    Some(
        Finding::new(ids::PROXY_DRIFT, Status::Warn, title)
            .expected("one proxy for every consumer")
            .observed(shown.join("; "))
            .cause("each consumer has a file of its own, and they were not changed together")
            .fix("say which one is right: ics-setup prepare --proxy http://HOST:PORT")
            .fix("then, where the product is installed: ics-setup reconfigure")
            .evidence("proxies", shown),
    )
}

fn urls(consumer: &Consumer) -> String {
    let text = |https: bool| consumer.proxy(https).map(|value| value.shown.as_str());
    match (text(false), text(true)) {
        (Some(http), Some(https)) if http == https => http.to_owned(),
        (http, https) => {
            let part = |(scheme, url): (&str, Option<&str>)| url.map(|url| format!("{scheme} {url}"));
            [("http", http), ("https", https)].into_iter().filter_map(part).collect::<Vec<_>>().join(" and ")
        }
    }
}
