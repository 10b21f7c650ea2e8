//! Ways that work before a change and, by what is known, do not after it.

use super::{Routes, Row, Way};
use crate::finding::{Finding, FindingId, ids};
use crate::network::catalogue::{Component, Endpoint};
use crate::text;
use crate::text::{Text, ics_setup, own};

/// No more ways are named in one finding.
const NAMED: usize = 4;

/// What is known beside the ways.
pub(crate) struct Known<'k> {
    /// A proxy is wanted, for this host has no way of its own.
    pub(crate) proxied: bool,
    /// The proxy is said to inspect TLS.
    pub(crate) inspects: bool,
    /// Is a finding with this id told already?
    pub(crate) told: &'k dyn Fn(FindingId) -> bool,
    /// It is a way back, after which its files are those of before.
    pub(crate) back: bool,
}

/// A kind of way that breaks.
struct Kind {
    id: FindingId,
    /// What says the same of a list as a whole.
    instead: Option<FindingId>,
    is: fn(&Row, &Known<'_>) -> bool,
    title: &'static str,
    cause: &'static str,
    advice: fn(&[String]) -> Text,
}

const KINDS: [Kind; 4] = [
    Kind {
        id: ids::WAY_AROUND_PROXY,
        instead: Some(ids::NP014),
        is: |row, known| {
            let required = |own: &Endpoint| own.required && !own.direct;
            known.proxied
                && row.endpoint.as_deref().is_some_and(required)
                && (row.before.way, row.after.way) == (Way::Proxy, Way::Direct)
                && row.after.by_member
        },
        title: "from the proxy to the direct way, to hosts that are required",
        cause: "this host has a proxy because it has no way of its own",
        advice: |_| {
            "take the member that decides it out of the list, unless this host has a direct way after all".into()
        },
    },
    Kind {
        id: ids::WAY_METADATA,
        instead: Some(ids::NP010),
        is: |row, _| {
            let direct = |own: &Endpoint| own.direct;
            row.endpoint.as_deref().is_some_and(direct) && (row.before.way, row.after.way) == (Way::Direct, Way::Proxy)
        },
        title: "to the proxy, to addresses that only this host itself can ask",
        cause: "the proxy would answer with its own instance's role, or not at all",
        advice: |hosts| text!("have it in the list, spelled so: {}", hosts.join(",")),
    },
    Kind {
        id: ids::WAY_INTERNAL,
        instead: None,
        is: |row, _| {
            let has_lists = row.who.profile().has_lists();
            has_lists && row.endpoint.is_none() && (row.before.way, row.after.way) == (Way::Direct, Way::Proxy)
        },
        title: "to the proxy, to hosts that the consumer's own list keeps from it now",
        cause: "names of a site's own are often not known to its proxy",
        advice: |hosts| text!("have them in the new list, too: {}", hosts.join(",")),
    },
    Kind {
        id: ids::WAY_DECRYPTED,
        instead: None,
        is: |row, known| {
            let of_agent = |own: &Endpoint| own.component != Component::Product && own.must_not_be_decrypted();
            known.inspects
                && row.endpoint.as_deref().is_some_and(of_agent)
                && row.after.way == Way::Proxy
                && row.changes()
        },
        title: "to a proxy that decrypts, to hosts that refuse what was decrypted",
        cause: "agent and Collector take no other certificate than the platform's own, whether an authority is trusted or not",
        advice: |_| text!("have the proxy leave them alone: {}", ics_setup("network allowlist --decrypt-exclusions")),
    },
];

/// A finding for each kind of way that the change breaks.
pub(crate) fn judge(routes: &Routes, known: &Known<'_>) -> Vec<Finding> {
    let of_kind = |kind: &Kind| {
        if kind.instead.is_some_and(known.told) {
            return None;
        }
        let rows: Vec<&Row> = routes.changed().filter(|row| (kind.is)(row, known)).collect();
        let first = rows.first()?;
        let turn = if rows.len() == 1 { "way turns" } else { "ways turn" };
        let finding = Finding::warn(kind.id, text!("{} {} {}", rows.len(), own(turn), own(kind.title)))
            .observed(named(&rows))
            .cause(kind.cause);
        let finding = match first.after.at.as_ref().or(first.before.at.as_ref()) {
            Some(at) => finding.evidence("decided_by", text!("{}", at)),
            None => finding,
        };
        let mut hosts: Vec<String> = rows.iter().map(|row| row.target.host.to_string()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let advice = (kind.advice)(&hosts);
        Some(finding.advise(if known.back { text!("once it is taken back: {}", advice) } else { advice }))
    };
    KINDS.iter().filter_map(of_kind).collect()
}

/// `a login (curl-7.88) to backoffice.divvycloud.com by .divvycloud.com`, the first of them.
fn named(rows: &[&Row]) -> Text {
    let mut told: Vec<(Text, String, Text)> = Vec::new();
    for row in rows {
        let host = row.target.host.to_string();
        let by = match row.after.rule.as_str() {
            "" => Text::default(),
            rule => text!(" by {}", rule),
        };
        let same = |(name, known, _): &(Text, String, Text)| *name == row.name && *known == host;
        if !told.iter().any(same) {
            told.push((row.name.clone(), host, by));
        }
    }
    let more = told.len().saturating_sub(NAMED);
    let lines = told.into_iter().take(NAMED).map(|(name, host, by)| text!("{} to {}{}", name, host, by));
    let all = Text::join(lines, "; ");
    if more > 0 { text!("{}; and {} more", all, more) } else { all }
}
