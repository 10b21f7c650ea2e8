//! Consumers that disagree, where nobody said which of them is right.

use super::super::super::CheckSpec;
use crate::consumers::judge;
use crate::consumers::{Consumer, ConsumersFacts, State};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::text;
use crate::text::{Text, ics_setup, own, quoted};

/// Nothing where the settings say what is wanted: then each consumer's own finding tells.
pub(super) fn judge_drift(facts: &ConsumersFacts, spec: &CheckSpec) -> Option<Finding> {
    let with_proxy: Vec<&Consumer> =
        facts.consumers.iter().filter(|consumer| consumer.state == State::Seen && consumer.has_proxy()).collect();
    if (spec.wanted().is_proxy() && !spec.proxy_found) || with_proxy.is_empty() {
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
    let names = |members: &[&Consumer]| Text::join(members.iter().map(|consumer| judge::who(consumer)), ", ");
    if let [(_, members)] = groups.as_slice() {
        return Some(
            Finding::new(ids::PROXY_DRIFT, Status::Pass, "every consumer that has a proxy has the same one")
                .observed(text!("{}: {}", urls(members[0]), names(members))),
        );
    }
    let mut shown: Vec<Text> = Vec::new();
    for (index, (_, members)) in groups.iter().enumerate() {
        let url = urls(members[0]);
        let twice = groups[..index].iter().any(|(_, before)| urls(before[0]) == url);
        let url = if twice { text!("{} with another password", url) } else { url };
        shown.push(text!("{}: {}", url, names(members)));
    }
    let title = text!("{} different proxies are set on this host", groups.len());
    let finding = Finding::new(ids::PROXY_DRIFT, Status::Warn, title)
        .expected("one proxy for every consumer")
        .observed(Text::join(shown.iter().cloned(), "; "))
        .cause("each consumer has a file of its own, and they were not changed together");
    // One URL without a login can be named; a password has to come from a file.
    let url = |(key, _): &(Key<'_>, Vec<&Consumer>)| match key {
        [(Some(http), None), (Some(https), None)] if http == https && !http.contains('@') => Some(quoted(http)),
        _ => None,
    };
    let urls: Vec<String> = groups.iter().filter_map(url).collect();
    let finding = if urls.len() == groups.len() {
        urls.iter().fold(finding, |finding, url| {
            let command = ics_setup(text!("prepare --proxy {}", own(url)));
            finding.advise(text!("where {} is the right one: {}", own(url), command))
        })
    } else {
        finding.advise(text!("say which one is right: {}", ics_setup("prepare --proxy http://<HOST>:<PORT>")))
    };
    Some(
        finding
            .advise(text!("for the product's files, once they are there: {}", ics_setup("reconfigure")))
            .evidence("proxies", shown),
    )
}

fn urls(consumer: &Consumer) -> Text {
    let text = |https: bool| consumer.proxy(https).map(|value| value.text());
    match (text(false), text(true)) {
        (Some(http), Some(https)) if http == https => http,
        (http, https) => judge::by_scheme(" ", " and ", [http, https]),
    }
}
