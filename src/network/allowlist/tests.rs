use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::network::catalogue::{EndpointNeeds, required_endpoints};
use crate::settings::{Key, Layer, Layers, Origin};

type Pairs = &'static [(Key, &'static str)];

/// What is asked for: its name, settings, and whether everything that is known is meant.
const CASES: [(&str, Pairs, bool); 3] = [
    ("us", &[(Key::AgentRegion, "us"), (Key::AgentCollector, "collector.corp.example,10.20.0.5,2001:db8::5")], false),
    ("test-drive", &[(Key::Deployment, "test-drive"), (Key::Release, "22.3.9")], false),
    ("all", &[], true),
];

fn endpoints(catalogue: &Catalogue, settings: &[(Key, &str)], all: bool) -> Vec<Endpoint> {
    let mut flags = Layer::default();
    for (key, value) in settings {
        flags.insert(key.spec(), (*value).to_owned(), Origin::Default).unwrap();
    }
    let calls = EndpointNeeds::anywhere(&Layers { flags, ..Layers::default() }, catalogue).unwrap();
    if all {
        return catalogue.endpoints.iter().filter(|endpoint| !endpoint.host.starts_with('<')).cloned().collect();
    }
    required_endpoints(catalogue, &calls)
}

/// As it is asked for without a flag.
fn usual<'a>(catalogue: &'a Catalogue, endpoints: &'a [Endpoint]) -> Request<'a> {
    Request { catalogue, endpoints, flags: "", concrete: false, exclusions: false, by: None, bare: false }
}

/// Everything that FortiOS takes as a network has a mask, and what is by address names no name.
#[test]
fn a_single_address_of_fortios_has_a_mask() {
    let catalogue = Catalogue::shipped();
    let (_, settings, all) = CASES[0];
    let endpoints = endpoints(&catalogue, settings, all);
    for by in [By::Name, By::Address] {
        let request = Request { by: Some(by), ..usual(&catalogue, &endpoints) };
        let text = render(Format::Fortigate, &request).text;
        let subnets: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("set subnet ")).collect();
        assert!(subnets.contains(&"10.20.0.5/32") && subnets.iter().all(|own| own.contains('/')), "{subnets:?}");
        assert_eq!(text.contains("set fqdn"), by == By::Name);
    }
}

/// `ICS_SETUP_GOLDEN=write cargo test` writes them anew; look at the difference before it is committed.
#[test]
fn every_endpoint_in_every_grammar_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/allowlist");
    let catalogue = Catalogue::shipped();
    let (mut written, mut wrong) = (BTreeSet::new(), Vec::new());
    for (case, settings, all) in CASES {
        let endpoints = endpoints(&catalogue, settings, all);
        for format in Format::ALL {
            let mut hold = |which: &str, request: &Request<'_>| {
                let name = format!("{case}{which}.{}", format.as_str());
                let path = folder.join(&name);
                let text = render(format, request).text;
                if std::env::var_os("ICS_SETUP_GOLDEN").is_some_and(|value| value == "write") {
                    fs::create_dir_all(&folder).unwrap();
                    fs::write(&path, &text).unwrap();
                }
                if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
                    wrong.push(name);
                }
                written.insert(path);
            };
            for exclusions in [false, true] {
                if exclusions && (!format.has_exclusions() || case == "test-drive") {
                    continue;
                }
                let request = Request { exclusions, ..usual(&catalogue, &endpoints) };
                hold(if exclusions { "-undecrypted" } else { "" }, &request);
            }
            if format.product().is_some_and(|product| product.by == By::Name && product.can(By::Address)) {
                hold("-by-address", &Request { by: Some(By::Address), ..usual(&catalogue, &endpoints) });
            }
        }
    }
    assert!(wrong.is_empty(), "not as it was (ICS_SETUP_GOLDEN=write cargo test): {wrong:?}");
    let there: BTreeSet<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(there, written, "files that nothing writes any more");
}

#[test]
fn the_help_names_who_has_rules_by_address_besides() {
    let help = include_str!("../../../assets/help/network-allowlist.txt");
    let (_, told) = help.split_once("--by address gives ").unwrap();
    let (told, _) = told.split_once(" rules by static address").unwrap();
    let told: Vec<&str> = told.split([',', ' ', '\n']).filter(|word| !["", "and"].contains(word)).collect();
    let both = |format: &Format| format.product().is_some_and(|own| own.by == By::Name && own.can(By::Address));
    assert_eq!(told, Format::ALL.into_iter().filter(both).map(Format::as_str).collect::<Vec<_>>());
}

#[test]
fn every_grammar_has_its_source_and_every_endpoint_its_place() {
    let catalogue = Catalogue::shipped();
    let endpoints = endpoints(&catalogue, &[], true);
    for format in Format::ALL {
        let Some(product) = format.product() else { continue };
        assert!(
            !product.source.is_empty() && !product.date.is_empty() && product.checked.is_some(),
            "{}",
            format.as_str()
        );
        let rendered = render(format, &usual(&catalogue, &endpoints));
        for endpoint in endpoints.iter().filter(|endpoint| !endpoint.is_link_local()) {
            let told = rendered.text.contains(&format!("{}: {}", endpoint.shown(), endpoint.purpose))
                || rendered.text.contains(&format!("{}:{}: ", endpoint.shown(), endpoint.port));
            assert!(told, "{}: {} is neither in nor left out by name", format.as_str(), endpoint.shown());
        }
        for left in &rendered.left_out {
            assert!(rendered.text.contains(&left.what), "{}: {} is left out unsaid", format.as_str(), left.what);
        }
    }
}

#[test]
fn a_users_words_stay_words() {
    let text = r#"
[[endpoint]]
component = "product"
host = "x.example"
port = 443
static_ips = ["192.0.2.1"]
purpose = "a \"quoted\" ${word} -- $(id) `id` --> | <b> ; '"
"#;
    let catalogue = Catalogue::with(text, Path::new("mine.toml")).unwrap();
    let endpoints: Vec<Endpoint> =
        catalogue.endpoints.iter().filter(|endpoint| endpoint.host == "x.example").cloned().collect();
    for format in Format::ALL {
        let rendered = render(format, &usual(&catalogue, &endpoints)).text;
        let (inside, outside): (Vec<&str>, Vec<&str>) =
            rendered.lines().partition(|line| line.trim_start().starts_with('#'));
        match format {
            Format::Csv => assert!(rendered.contains("\"a \"\"quoted\"\" ${word}"), "{rendered}"),
            Format::Json => assert!(serde_json::from_str::<serde_json::Value>(&rendered).is_ok()),
            Format::Markdown => assert!(rendered.contains("\\| \\<b\\>"), "{rendered}"),
            Format::Firewalld => assert!(
                !rendered.contains("- -- ") && rendered.matches("-->").count() == rendered.matches("<!--").count()
            ),
            _ => {
                assert!(inside.iter().any(|line| line.contains("$(id)")), "{}", format.as_str());
                assert!(!outside.iter().any(|line| line.contains("$(id)")), "{}", format.as_str());
            }
        }
    }
}
