//! The check: the lists of the host's files.

use crate::check::GivenList;
use crate::check::prelude::*;
use crate::clients::{self, Client};
use crate::consumers::Known;
use crate::consumers::places::{self, Place, PlacesFacts};
use crate::consumers::sources::Reader;
use crate::lists::{Context, Local, and, lint, list_shown};
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
            ids::NP019,
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
    let mut findings = spec.list.iter().flat_map(|list| judge_given(list, facts, spec)).collect::<Vec<_>>();
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
                .observed("it is set under a condition, or from a variable or a command, or it is not UTF-8"),
        );
    }
    for unread in &facts.unread {
        findings.push(
            Finding::skip(ids::NP001, "the lists of a file were not judged")
                .observed(unread.clone())
                .fix(as_root(ics_setup("check proxy"))),
        );
    }
    if facts.places.is_empty() && facts.unread.is_empty() && spec.list.is_none() {
        findings.push(
            Finding::skip(ids::NP001, "there is no list to judge").observed("no file of this host has a no_proxy list"),
        );
    }
    findings
}

/// The list that was given, by all who would read it.
fn judge_given(list: &GivenList, facts: &PlacesFacts, spec: &CheckSpec) -> Vec<Finding> {
    let text = Some(list.text.clone());
    let place = Place {
        file: list.origin.clone(),
        reader: Reader::Logins,
        proxied: true,
        lower: text.clone(),
        upper: text,
        unknown: false,
        limit: None,
    };
    judge_group(&[&place], &place, facts, spec)
}

fn judge_group(group: &[&Place], first: &Place, facts: &PlacesFacts, spec: &CheckSpec) -> Vec<Finding> {
    let place = and(group.iter().map(|place| text!("{}", own(&place.file))).collect());
    let for_docker = first.reader == Reader::Docker;
    let asks = facts.loopback.iter().find(|asks| group.iter().any(|place| place.reader == asks.reader));
    let local = match (for_docker, spec.deployment) {
        (true, _) => Local::No,
        (_, Deployment::TestDrive) => Local::Certain,
        _ => asks.map_or(Local::No, |asks| Local::Seen(&asks.at)),
    };
    let limit = group.iter().find_map(|place| place.limit.as_ref());
    let required = Needs::get().hosts_of(spec.clouds.as_deref());
    let context = Context {
        clients: first.reader.clients(facts.curl.as_deref()),
        proxied: first.proxied,
        local,
        cloud: facts.cloud.as_deref().filter(|_| !for_docker),
        direct: &facts.direct,
        required: if for_docker { &[] } else { &required },
        curl: facts.curl.as_deref(),
        limit: limit.map(|limit| (limit.bytes, limit.reader.as_str())),
        whole: spec.no_proxy_only,
        wanted: &spec.no_proxy,
        writer: first.reader.writer(),
    };
    let mut findings = lint(first.lower.as_deref(), first.upper.as_deref(), &place, &context);
    if findings.iter().all(|finding| finding.status == Status::Pass) {
        let value = first.lower.as_deref().or(first.upper.as_deref());
        let title = text!("the list in {} says the same to all clients that matter", place);
        findings.insert(
            0,
            Finding::pass(ids::NP001, title).observed(
                value.map_or(Text::from("no list, and nothing that needs one"), |value| {
                    list_shown(value, &spec.no_proxy)
                }),
            ),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumers::places::{AsksLoopback, Limit};

    fn spec(deployment: Deployment) -> CheckSpec {
        CheckSpec { deployment, home: "/divvycloud".into(), no_proxy: Vec::new(), ..CheckSpec::default() }
    }

    fn place(file: &str, reader: Reader, list: &str) -> Place {
        let list = Some(list.to_owned());
        let lower = list.clone();
        Place { file: file.to_owned(), reader, proxied: true, lower, upper: list, unknown: false, limit: None }
    }

    fn of(places: Vec<Place>) -> Vec<Finding> {
        let facts = PlacesFacts { places, curl: Some("7.81.0".to_owned()), ..PlacesFacts::default() };
        judge_places(&facts, &spec(Deployment::Production))
    }

    fn ids(findings: &[Finding]) -> String {
        let ids: Vec<String> =
            findings.iter().map(|finding| format!("{}{}", finding.id, finding.status.as_str())).collect();
        ids.join(" ")
    }

    #[test]
    fn places_with_one_list_are_one_matter_and_the_daemon_is_another() {
        let list = "mysql,10.0.0.0/8";
        let findings = of(vec![
            place("/etc/environment", Reader::Logins, list),
            place("/etc/docker/daemon.json", Reader::Docker, list),
            place("/divvycloud/prod.env", Reader::Containers, list),
        ]);
        assert_eq!(ids(&findings), "NP004warn NP001pass", "{findings:#?}");
        assert!(findings[0].title.starts_with("no_proxy in /etc/environment and /divvycloud/prod.env has"));
        assert!(findings[1].title.contains("/etc/docker/daemon.json") && findings[1].observed.as_deref() == Some(list));
    }

    #[test]
    fn a_broken_release_counts_where_it_is_installed() {
        let judged = |curl: &str| {
            let places = vec![place("x", Reader::Logins, "127.0.0.1,localhost")];
            let facts = PlacesFacts { places, curl: Some(curl.to_owned()), ..PlacesFacts::default() };
            ids(&judge_places(&facts, &spec(Deployment::TestDrive)))
        };
        assert_eq!((judged("7.88.1").as_str(), judged("7.86.0").as_str()), ("NP001pass", "NP009fail"));
    }

    #[test]
    fn loopback_is_missed_only_where_something_is_seen_to_ask_it() {
        let at = "/divvycloud/docker-compose.yml:12".to_owned();
        let places = vec![place("/divvycloud/prod.env", Reader::Containers, "mysql,redis,169.254.169.254")];
        let facts = PlacesFacts { places, ..PlacesFacts::default() };
        assert_eq!(ids(&judge_places(&facts, &spec(Deployment::Production))), "NP001pass");
        let loopback = vec![AsksLoopback { reader: Reader::Containers, at: at.clone() }];
        let findings = judge_places(&PlacesFacts { loopback, ..facts }, &spec(Deployment::Production));
        assert_eq!(ids(&findings), "NP009warn");
        assert!(findings[0].cause.as_ref().unwrap().to_string().starts_with(&at), "{findings:?}");
    }

    #[test]
    fn what_was_not_read_is_said() {
        let unknown = Place { unknown: true, ..place("/etc/profile.d/proxy.sh", Reader::Logins, "") };
        let findings = of(vec![unknown]);
        assert!(findings.iter().all(|finding| finding.status == Status::Skip));
        assert!(findings[0].title.contains("/etc/profile.d/proxy.sh"), "{findings:?}");
        let facts = PlacesFacts { unread: vec!["/divvycloud/prod.env: denied".into()], ..PlacesFacts::default() };
        let findings = judge_places(&facts, &spec(Deployment::Production));
        assert!(findings[0].observed.as_deref().is_some_and(|text| text.contains("prod.env: denied")), "{findings:?}");
        assert_eq!(judge_places(&PlacesFacts::default(), &spec(Deployment::Production))[0].status, Status::Skip);
    }

    #[test]
    fn the_limit_of_the_logins_is_carried_over() {
        let long: Vec<String> = (0..90).map(|number| format!("host{number}")).collect();
        let limit = Some(Limit { bytes: 1023, reader: "linux-pam 1.3.1".to_owned() });
        let list = long.join(".corp.example,");
        let findings = of(vec![Place { limit, ..place("/etc/environment", Reader::Logins, &list) }]);
        assert!(findings.iter().any(|finding| finding.id == "NP017"), "{}", ids(&findings));
        assert!(!ids(&of(vec![place("/etc/environment", Reader::Logins, &list)])).contains("017"));
    }
}
