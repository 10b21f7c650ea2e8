//! The check: the lists of the host's files.

use super::{Context, Local, lint};
use crate::check::prelude::*;
use crate::clients::{self, Client};
use crate::consumers::Known;
use crate::consumers::places::{self, Place, PlacesFacts, Reader};
use crate::network::catalogue::Needs;
use crate::settings::Deployment;
use crate::version::Version;

/// The lists, as each file has them.
pub(crate) struct NoProxyLists;

impl Reader {
    /// The clients that read it: the daemon is one Go program. Broken releases count where they are installed.
    fn clients(self, curl: Option<&str>) -> Vec<&'static Client> {
        let installed = curl.and_then(Version::parse).and_then(|release| clients::curl(&release));
        let fits = |client: &&Client| {
            let is_there = !client.broken || installed.is_some_and(|own| own.id == client.id);
            let is_reader = self != Self::Docker || client.id.starts_with("go-net-http");
            client.reads_environment() && is_there && is_reader
        };
        clients::all().iter().filter(fits).collect()
    }

    fn writer(self) -> &'static str {
        match self {
            Self::Logins | Self::Docker => "prepare",
            Self::Containers => "reconfigure",
        }
    }
}

impl Check for NoProxyLists {
    type Facts = PlacesFacts;

    const META: Meta = Meta::new(
        "no-proxy",
        Group::Proxy,
        &[
            ids::NP001,
            ids::NP014,
            ids::NP018,
            ids::NP009,
            ids::NP010,
            ids::NP002,
            ids::NP003,
            ids::NP004,
            ids::NP005,
            ids::NP006,
            ids::NP007,
            ids::NP008,
            ids::NP011,
            ids::NP012,
            ids::NP013,
            ids::NP015,
            ids::NP016,
            ids::NP017,
        ],
    );

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&PlacesFacts>) -> PlacesFacts {
        places::observe(look.host, look.platform, &look.spec.home, time)
    }

    fn judge(&self, facts: &PlacesFacts, spec: &CheckSpec) -> Vec<Finding> {
        let known = |finding: Finding| finding.evidence("known", own(Known::Files.as_str()));
        judge_places(facts, spec).into_iter().map(known).collect()
    }

    fn is_settled(&self, _facts: &PlacesFacts) -> bool {
        true
    }
}

/// Files with the same list for the same readers are one matter.
pub(super) fn judge_places(facts: &PlacesFacts, spec: &CheckSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut left: Vec<&Place> = facts.places.iter().filter(|place| !place.unknown).collect();
    while let Some(first) = left.first().copied() {
        let is_daemon = |place: &Place| place.reader == Reader::Docker;
        let same = |place: &&Place| {
            (&place.lower, &place.upper, place.proxied, is_daemon(place))
                == (&first.lower, &first.upper, first.proxied, is_daemon(first))
        };
        let group: Vec<&Place> = left.iter().copied().filter(same).collect();
        left.retain(|place| !same(place));
        findings.extend(judge_group(&group, first, facts, spec));
    }
    for place in facts.places.iter().filter(|place| place.unknown) {
        findings.push(
            Finding::skip(ids::NP001, text!("the list in {} was not judged", own(&place.file)))
                .observed("it is set under a condition, or from a variable or a command: only a shell can tell it"),
        );
    }
    for unread in &facts.unread {
        findings.push(
            Finding::skip(ids::NP001, "the lists of a file were not judged")
                .observed(unread.clone())
                .fix(text!("sudo {}", ics_setup("check proxy"))),
        );
    }
    if facts.places.is_empty() && facts.unread.is_empty() {
        findings.push(
            Finding::skip(ids::NP001, "there is no list to judge")
                .observed("no file of this host sets a proxy or a no_proxy list"),
        );
    }
    findings
}

fn judge_group(group: &[&Place], first: &Place, facts: &PlacesFacts, spec: &CheckSpec) -> Vec<Finding> {
    let place = super::and(group.iter().map(|place| text!("{}", own(&place.file))).collect());
    let for_docker = first.reader == Reader::Docker;
    let local = match (for_docker, spec.deployment, facts.product) {
        (true, ..) => Local::No,
        (_, Deployment::TestDrive, _) => Local::Certain,
        (_, _, true) => Local::Perhaps,
        _ => Local::No,
    };
    let limit = group.iter().find_map(|place| place.limit.as_ref());
    let context = Context {
        clients: first.reader.clients(facts.curl.as_deref()),
        proxied: first.proxied,
        local,
        cloud: facts.cloud.as_deref().filter(|_| !for_docker),
        required: if for_docker { &[] } else { &Needs::get().hosts },
        curl: facts.curl.as_deref(),
        limit: limit.map(|limit| (limit.bytes, limit.reader.as_str())),
        wanted: &spec.no_proxy,
        writer: first.reader.writer(),
    };
    let mut findings = lint(first.lower.as_deref(), first.upper.as_deref(), &place, &context);
    if findings.iter().all(|finding| finding.status == Status::Pass) {
        let value = first.lower.as_deref().or(first.upper.as_deref());
        let title = text!("the list in {} says the same to all clients that matter", place);
        findings.insert(
            0,
            Finding::pass(ids::NP001, title)
                .observed(value.map_or(Text::from("no list, and nothing that needs one"), |value| text!("{}", value))),
        );
    }
    findings
}
