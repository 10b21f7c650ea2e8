//! `network list` and `network allowlist`.

use serde_json::Value;

use crate::root::{Root, run};

fn listed(root: &Root, arguments: &[&str]) -> Vec<Value> {
    let (code, json) = root.json(&[&["network", "list"], arguments].concat());
    assert_eq!(code, 0, "{json}");
    assert_eq!((json["schema"].as_str(), json["command"].as_str()), (Some("ics-setup/v1"), Some("network list")));
    json["endpoints"].as_array().unwrap().clone()
}

fn hosts(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| format!("{}:{}", row["host"].as_str().unwrap(), row["port"])).collect()
}

#[test]
fn the_list_is_the_contract() {
    let root = Root::ubuntu();
    let rows = listed(&root, &["--agent-region", "us", "--collector", "c1.corp.example"]);
    let keys: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["component", "region", "host", "wildcard", "port", "purpose", "static_ips", "confidence", "source", "date"]
    );
    let of = |host: &str| rows.iter().find(|row| row["host"] == host).unwrap();
    assert_eq!(of("endpoint.ingress.rapid7.com")["static_ips"][0], "34.226.68.35");
    assert_eq!(of("endpoint.ingress.rapid7.com")["wildcard"], "*endpoint.ingress.rapid7.com");
    assert_eq!(of("data.insight.rapid7.com")["static_ips"], "none", "documented as having none");
    assert_eq!(of("management.azure.com")["static_ips"], Value::Null, "unknown");
    assert_eq!(of("www.googleapis.com")["wildcard"], "www.googleapis.com/*");
    for port in ["5508", "6608", "8037"] {
        assert!(hosts(&rows).contains(&format!("c1.corp.example:{port}")));
    }
    assert_eq!(rows, listed(&root, &["--agent-region", "us", "--collector", "c1.corp.example"]), "a stable order");
}

#[test]
fn settings_of_every_origin_call_for_endpoints() {
    let root = Root::ubuntu();
    root.put("etc/ics-setup/settings.toml", "[agent]\nregion = \"ca\"\n");
    assert!(hosts(&listed(&root, &[])).contains(&"ca.endpoint.ingress.rapid7.com:443".to_owned()));
    let ran = root.run_with(&["network", "list"], &[("ICS_SETUP_AGENT_REGION", "au")], "").ok();
    assert!(ran.stdout.contains("au.endpoint.ingress") && !ran.stdout.contains("ca.endpoint.ingress"));
    let (code, json) = root.json(&["network", "list", "--agent-region", "us1"]);
    assert_eq!((code, json["error"]["id"].as_str()), (3, Some("region-unknown")));
    assert!(json["error"]["try"].to_string().contains("did you mean us?"), "{json}");
    assert_eq!(root.json(&["network", "list", "--collector", "https://c1:8037"]).0, 3);
    assert!(!root.has("var"), "looking writes nothing");
}

#[test]
fn filters() {
    let root = Root::ubuntu();
    let all = listed(&root, &["--all"]);
    assert!(all.len() > 100);
    let some = listed(&root, &["--all", "--component", "agent", "--region", "eu,ap"]);
    assert_eq!(some.len(), 16);
    assert!(listed(&root, &["--all", "--port", "8037"]).iter().all(|row| row["host"] == "<collector>"));
    let (required, optional) = (
        listed(&root, &["--component", "product", "--required"]),
        listed(&root, &["--component", "product", "--optional"]),
    );
    assert_eq!(hosts(&required), ["divvycentral.divvycloud.com:443", "backoffice.divvycloud.com:443"]);
    assert_eq!(required.len() + optional.len(), listed(&root, &["--component", "product"]).len());
    assert_eq!(listed(&root, &["--needed-by", "browser"]).len(), 2);
    for wrong in [&["--region", "xx"][..], &["--component", "x"], &["--port", "0"], &["--required", "--optional"]] {
        assert_eq!(root.run(&[&["network", "list"], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn forms_belong_to_their_verb() {
    let root = Root::ubuntu();
    let csv = root.run(&["network", "list", "--format", "csv"]).ok().stdout;
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(columns == 18 && csv.lines().skip(1).all(|line| line.contains('"') || line.split(',').count() == columns));
    let markdown = root.run(&["network", "list", "--format", "markdown"]).ok().stdout;
    assert!(markdown.lines().all(|line| line.starts_with('|')));
    assert!(root.run(&["network", "list"]).ok().stdout.contains("connections of"));
    for (arguments, part) in [
        (&["network", "list", "--format", "squid"][..], "network list; it has human, json, csv, markdown"),
        (&["network", "allowlist"], "network allowlist needs --format, one of squid, nftables"),
        (&["network", "allowlist", "--format", "junit"], "it has squid, nftables"),
        (&["status", "--format", "csv"], "--format \"csv\" does not go with status; it has human, json"),
        (&["network", "allowlist", "--format", "ufw", "--decrypt-exclusions"], "--format ufw has no place"),
    ] {
        let ran = root.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn every_form_of_an_allow_list_stands_in_its_help_and_in_the_readme() {
    let root = Root::ubuntu();
    let refused = root.run(&["network", "allowlist"]).stderr;
    let (_, words) = refused.lines().next().unwrap().split_once("one of ").unwrap();
    assert!(include_str!("../../README.md").contains(words), "README.md does not list {words}");
    let help = root.run(&["network", "allowlist", "--help"]).ok().stdout;
    let (_, formats) = help.split_once("Formats:").unwrap();
    for word in words.split(", ") {
        assert!(formats.contains(word), "{word} is in no line of the help:\n{formats}");
    }
}

#[test]
fn rules_go_to_standard_output_and_what_they_lack_to_standard_error() {
    let root = Root::ubuntu();
    let ran = root.run(&["network", "allowlist", "--format", "nftables", "--agent-region", "us"]).ok();
    assert!(ran.stdout.contains("tcp dport 443 accept") && ran.stdout.contains("193.149.136.0/24"));
    for text in [&ran.stdout, &ran.stderr] {
        assert!(text.contains("data.insight.rapid7.com:443: documented as having no static addresses"), "{text}");
        assert!(text.contains("*.amazonaws.com:443: no static addresses are known"), "{text}");
    }
    assert!(ran.stderr.starts_with("warning: "), "{}", ran.stderr);
    let ran = root.run(&["network", "allowlist", "--format", "squid", "--agent-region", "us"]).ok();
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    assert!(ran.stdout.lines().any(|line| line.ends_with(" dstdomain .endpoint.ingress.rapid7.com")));
    let rules = ran.stdout.lines().filter(|line| !line.starts_with('#'));
    assert!(
        rules.clone().count() > 20 && !rules.clone().any(|line| line.contains("169.254")),
        "link-local needs no rule"
    );
    let ran = root.run(&["network", "allowlist", "--format", "ufw", "--all"]).ok();
    assert!(ran.stderr.starts_with("warning: the ports of the Collector"), "{}", ran.stderr);
    let ran = root.run(&["network", "allowlist", "--format", "ufw", "--all", "--collector", "10.9.8.7"]).ok();
    assert!(ran.stdout.contains("to 10.9.8.7 port 8037"));
    let concrete = root.run(&["network", "allowlist", "--format", "squid", "--agent-region", "us", "--concrete"]).ok();
    assert!(concrete.stdout.contains("dstdomain us.storage.main.endpoint.ingress.rapid7.com"));
    let (_, json) = root.json(&["network", "allowlist", "--agent-region", "us", "--decrypt-exclusions"]);
    assert_eq!(json["schema"], "ics-setup/v1");
    assert!(json["endpoints"].as_array().unwrap().iter().all(|row| row["must_not_be_decrypted"] == true));
    let none = root.run(&["network", "allowlist", "--format", "squid", "--decrypt-exclusions"]).ok();
    assert!(none.stderr.contains("--agent-region"), "{}", none.stderr);
}

#[test]
fn a_users_file_adds_a_region() {
    let root = Root::ubuntu();
    root.put(
        "mine.toml",
        "[region]\naps2 = { name = \"India\" }\n[[endpoint]]\ncomponent = \"agent\"\nregion = \"aps2\"\nhost = \"aps2.endpoint.ingress.rapid7.com\"\nport = 443\npurpose = \"messages\"\n",
    );
    let mine = root.at("mine.toml").display().to_string();
    let rows = listed(&root, &["--endpoints", &mine, "--agent-region", "aps2", "--component", "agent"]);
    assert_eq!(hosts(&rows), ["aps2.endpoint.ingress.rapid7.com:443"]);
    root.put("mine.toml", "[[endpoint]]\ncomponent = \"agent\"\nhots = \"x\"\n");
    let (code, json) = root.json(&["network", "list", "--endpoints", &mine]);
    assert_eq!((code, json["error"]["id"].as_str()), (3, Some("endpoints-invalid")));
    assert!(
        json["error"]["message"].as_str().unwrap().starts_with(&format!("{mine}:3: unknown field `hots`")),
        "{json}"
    );
    let (code, json) = root.json(&["network", "list", "--endpoints", "/nonexistent"]);
    assert_eq!((code, json["error"]["id"].as_str()), (3, Some("endpoints-unreadable")));
}

#[test]
fn both_lists_are_in_the_help() {
    let help = run(&["network", "allowlist", "--help"], &[], "").ok().stdout;
    assert!(help.contains("--decrypt-exclusions") && help.contains("aws-network-firewall"));
}
