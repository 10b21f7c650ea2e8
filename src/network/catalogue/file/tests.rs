use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn with(text: &str) -> Result<Catalogue, Problem> {
    read(Some((text, Path::new("mine.toml"))))
}

#[test]
fn every_fact_is_there_and_says_where_it_is_from() {
    let catalogue = Catalogue::shipped();
    let mut keys = BTreeSet::new();
    for endpoint in &catalogue.endpoints {
        let key = (endpoint.component, &endpoint.region, &endpoint.host, endpoint.port);
        assert!(keys.insert(key), "twice: {key:?}");
        for source in endpoint.source.split(", ") {
            assert!(catalogue.sources.contains_key(source), "{}: source {source}", endpoint.host);
        }
        assert!(
            endpoint.required == endpoint.when.is_none(),
            "{}: optional exactly when there is a `when`",
            endpoint.host
        );
        let represents = endpoint
            .wildcard
            .as_ref()
            .is_some_and(|wildcard| !matches!(wildcard.covers, super::super::Covers::Host(_)))
            && matches!(endpoint.component, Component::Product | Component::Install);
        assert_eq!(endpoint.representative.is_some(), represents, "{}", endpoint.host);
    }
    let count = |component| catalogue.endpoints.iter().filter(|endpoint| endpoint.component == component).count();
    assert_eq!(count(Component::Agent) + count(Component::Collector) + count(Component::AgentToCollector), 81);
    assert_eq!(catalogue.regions.keys().collect::<Vec<_>>(), ["ap", "au", "ca", "eu", "us", "us2", "us3"]);
}

#[test]
fn what_the_vendors_documents_print_is_all_there() {
    let catalogue = Catalogue::shipped();
    let has = |test: &dyn Fn(&Endpoint) -> bool| catalogue.endpoints.iter().any(test);
    for printed in ["*.amazonaws.com", "www.googleapis.com/*", "*.aliyuncs.com", "*.zopim.com", "*.sentry.io"] {
        assert!(has(&|endpoint| endpoint.wildcard.as_ref().is_some_and(|own| own.printed == printed)), "{printed}");
    }
    for host in
        ["divvycentral.divvycloud.com", "backoffice.divvycloud.com", "management.azure.com", "divvycloud.zendesk.com"]
    {
        assert!(has(&|endpoint| endpoint.host == host && endpoint.port == 443), "{host}");
    }
    let of_us = |host: &str| {
        catalogue.endpoints.iter().find(|endpoint| endpoint.host == host && endpoint.region == "us").unwrap()
    };
    assert_eq!(of_us("us.api.endpoint.ingress.rapid7.com").static_ips.blocks().len(), 4);
    assert_eq!(of_us("us.main.endpoint.ingress.rapid7.com").static_ips.blocks()[0].cidr(), "193.149.136.0/24");
    assert_eq!(of_us("us.data.logs.insight.rapid7.com").static_ips, StaticIps::None);
    let us3 = catalogue.endpoints.iter().find(|endpoint| endpoint.region == "us3").unwrap();
    assert_eq!(us3.static_ips, StaticIps::Unknown);
}

#[test]
fn a_users_file_changes_adds_and_removes() {
    let text = r#"
date = "2027-01-31"
[region]
aps2 = { name = "India", aws = "ap-south-2" }
[[endpoint]]
component = "agent"
region = "us3"
host = "US3.endpoint.ingress.rapid7.com."
port = 443
static_ips = ["192.0.2.1", "192.0.2.0/24"]
[[endpoint]]
component = "product"
host = "divvycloud.zendesk.com"
port = 443
remove = true
[[endpoint]]
component = "agent"
region = "aps2"
port = 443
interception = "fail"
each = [
  { host = "aps2.endpoint.ingress.rapid7.com", purpose = "messages" },
  { host = "aps2.storage.endpoint.ingress.rapid7.com", purpose = "uploads", confidence = "verified", source = "ticket 42", date = "2027-01-02" },
]
"#;
    let (shipped, catalogue) = (Catalogue::shipped(), with(text).unwrap());
    assert_eq!(catalogue.endpoints.len(), shipped.endpoints.len() + 2 - 1);
    let changed =
        catalogue.endpoints.iter().find(|endpoint| endpoint.host == "us3.endpoint.ingress.rapid7.com").unwrap();
    assert_eq!(changed.static_ips.blocks().len(), 2);
    assert_eq!(
        (changed.confidence, changed.source.as_str(), changed.date.as_str()),
        (Confidence::User, "USER", "2027-01-31")
    );
    assert_eq!(changed.interception, Interception::Fail, "what the file does not name stays");
    assert!(!catalogue.endpoints.iter().any(|endpoint| endpoint.host == "divvycloud.zendesk.com"));
    let [first, second] = &catalogue.endpoints[catalogue.endpoints.len() - 2..] else { panic!() };
    assert_eq!((first.region.as_str(), first.confidence, first.protocol), ("aps2", Confidence::User, Protocol::Https));
    assert_eq!((second.source.as_str(), second.confidence), ("ticket 42", Confidence::Verified));
}

#[test]
fn mistakes_are_named_with_their_line() {
    let entry = |rest: &str| format!("\n[[endpoint]]\ncomponent = \"product\"\nport = 443\n{rest}\n");
    for (text, message) in [
        ("[[endpoint]]\nhsot = \"x\"".to_owned(), "mine.toml:2: unknown field `hsot`"),
        ("= 1".to_owned(), "mine.toml:1: "),
        (entry(""), "mine.toml:2: the entry has no `host`"),
        (entry("host = \"x\""), "mine.toml:2: the entry has no `purpose`"),
        (entry("purpose = \"p\"\nhost = \"https://x/\""), "it is a URL"),
        (entry("purpose = \"p\"\nhost = \"*.x\""), "it belongs into `wildcard`"),
        (entry("purpose = \"p\"\nhost = \"x\"\nwildcard = \"*.y\""), "x is not covered by *.y"),
        (entry("purpose = \"p\"\nhost = \"x\"\nregion = \"aps2\""), "mine.toml:2: there is no region \"aps2\""),
        (entry("purpose = \"p\"\nhost = \"x\"\nstatic_ips = []"), "static_ips is empty"),
        (entry("purpose = \"p\"\nhost = \"x\"\nstatic_ips = \"no\""), "not \"no\""),
        (entry("purpose = \"p\"\nhost = \"x\"\nstatic_ips = [\"10.0.0.1/8\"]"), "bits behind its prefix"),
        (entry("purpose = \"a\\nhttp_access allow all\"\nhost = \"x\""), "one line"),
        (entry("purpose = \"p\"\nhost = \"x\"\npath = \"v2\""), "begins with a slash"),
        (entry("host = \"x\"\nremove = true"), "nothing to remove"),
        (entry("each = [ { each = [ {} ] } ]"), "one level"),
        ("[[endpoint]]\ncomponent = \"produkt\"".to_owned(), "unknown variant `produkt`"),
    ] {
        let problem = with(&text).unwrap_err();
        assert!(problem.message.contains(message), "{text}\n{}", problem.message);
    }
}

#[test]
fn endpoints_can_be_saved_with_the_facts() {
    for endpoint in Catalogue::shipped().endpoints {
        let saved = serde_json::to_string(&endpoint).unwrap();
        let read: Endpoint = serde_json::from_str(&saved).unwrap();
        assert_eq!(read, Endpoint { only: Only::default(), ..endpoint });
    }
}

#[test]
fn there_is_a_limit_to_a_users_file() {
    let entries = |count: usize| {
        let each: Vec<String> = (0..count).map(|n| format!("{{host=\"h{n}.example\"}}")).collect();
        format!("[[endpoint]]\ncomponent=\"product\"\nport=443\npurpose=\"p\"\neach=[{}]\n", each.join(","))
    };
    assert!(with(&entries(5000)).is_ok());
    assert!(with(&entries(5001)).unwrap_err().message.contains("5001 entries; 5000 is the most"));
    // Nesting without end, of which a parser could run out of stack.
    assert!(with(&format!("[[endpoint]]\neach={}", "[{each=".repeat(100_000))).is_err());
}

proptest! {
    // The shipped catalogue is read each time.
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn no_file_makes_it_panic(text in "(\\[\\[endpoint\\]\\]\n|(host|port|region|wildcard|static_ips|each|component|purpose)=|\"[*./a-z0-9-]{0,6}\"|[\\[\\]{},=0-9]|\"product\"|\n){0,30}") {
        let _ = with(&text);
    }
}
