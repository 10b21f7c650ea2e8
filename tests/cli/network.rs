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
fn named_clouds_are_required_and_the_others_left_out() {
    let root = Root::ubuntu();
    const OF_CLOUDS: [&str; 4] = ["amazonaws.com", "azure.com", "googleapis.com", "aliyuncs.com"];
    let of_clouds = |arguments: &[&str]| -> Vec<String> {
        let rows = listed(&root, &[&["--component", "product", "--needed-by", "server"], arguments].concat());
        hosts(&rows).into_iter().filter(|host| OF_CLOUDS.iter().any(|cloud| host.contains(cloud))).collect()
    };
    assert_eq!(of_clouds(&[]).len(), 5, "as nobody names one");
    assert!(of_clouds(&["--required"]).is_empty());
    assert_eq!(of_clouds(&["--clouds", "azure"]), ["management.azure.com:443"]);
    let two = ["sts.amazonaws.com:443", "ecs.aliyuncs.com:443"];
    assert_eq!(of_clouds(&["--clouds", "alibaba", "--clouds", "aws", "--required"]), two);
    let ran = root.run(&["network", "allowlist", "--format", "squid", "--clouds", "gcp"]).ok();
    assert!(ran.stdout.contains("googleapis.com") && !ran.stdout.contains("azure.com"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("accounts are connected"), "{}", ran.stdout);
    // Every face of the setting.
    let ran = root.run_with(&["network", "list"], &[("ICS_SETUP_CLOUDS", "aws")], "").ok();
    assert!(ran.stdout.contains("sts.amazonaws.com") && !ran.stdout.contains("aliyuncs"), "{}", ran.stdout);
    root.put("etc/ics-setup/settings.toml", "clouds = [\"gcp\", \"azure\"]\n");
    assert_eq!(of_clouds(&[]), ["management.azure.com:443", "www.googleapis.com:443", "oauth2.googleapis.com:443"]);
    assert!(root.run(&["settings", "export"]).ok().stdout.contains("clouds = [\"gcp\", \"azure\"]"));
    for (arguments, near) in [(&["--clouds", "aws,azur"][..], "did you mean azure?"), (&["--clouds", "gpc"], "gcp")] {
        let (code, json) = root.json(&[&["network", "list"], arguments].concat());
        assert_eq!((code, json["error"]["id"].as_str()), (3, Some("setting-invalid")), "{json}");
        assert!(json["error"]["try"].to_string().contains(near), "{json}");
    }
    let plan = ["prepare", "--dry-run", "--proxy", "http://p.corp.example:3128", "--clouds", "azure"];
    let (_, json) = root.json(&plan);
    let goes = |host: &str| json["routes"].as_array().unwrap().iter().any(|row| row["url"].to_string().contains(host));
    assert!(goes("management.azure.com") && !goes("sts.amazonaws.com") && !goes("googleapis"), "{json:#}");
    let takes = |clouds: &str| {
        let list = ["--no-proxy", "amazonaws.com", "--clouds", clouds];
        let (_, json) = root.json(&[&plan[..4], &list].concat());
        json["findings"].to_string().contains("*.amazonaws.com")
    };
    assert!(takes("aws") && !takes("azure"), "a host that nobody asks is missed by nobody");
    root.put("etc/ics-setup/settings.toml", "clouds = [\"aws\", \"alibba\"]\n");
    let (code, json) = root.json(&["check", "network"]);
    assert_eq!(code, 3, "{json}");
    assert!(json["error"]["try"].to_string().contains("did you mean alibaba?"), "{json}");
}

#[test]
fn aws_is_found_on_its_own_instances() {
    let root = Root::ubuntu();
    root.put("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    let shown = |arguments: &[&str]| {
        let (_, json) = root.json(&[&["settings", "show"], arguments].concat());
        let row = json["settings"].as_array().unwrap().iter().find(|row| row["key"] == "clouds").unwrap().clone();
        format!("{} {}", row["value"].as_str().unwrap_or("-"), row["origin"].as_str().unwrap())
    };
    assert_eq!(shown(&[]), "- default", "a list of one would leave the others out");
    assert_eq!(shown(&["--clouds", "gcp"]), "gcp --clouds");
    let required = listed(&root, &["--component", "product", "--required"]);
    assert!(hosts(&required).contains(&"sts.amazonaws.com:443".to_owned()), "{required:?}");
    // That accounts of others are connected too, nothing rules out.
    assert!(hosts(&listed(&root, &[])).contains(&"management.azure.com:443".to_owned()));
    let named = listed(&root, &["--clouds", "azure"]);
    assert!(!hosts(&named).contains(&"sts.amazonaws.com:443".to_owned()), "what is named counts");
    assert!(!root.run(&["settings", "export"]).ok().stdout.contains("clouds"), "a file of it would leave others out");
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
fn every_form_of_an_allow_list_stands_in_its_help_and_in_the_reference() {
    let root = Root::ubuntu();
    let refused = root.run(&["network", "allowlist"]).stderr;
    let (_, words) = refused.lines().next().unwrap().split_once("one of ").unwrap();
    assert!(include_str!("../../.github/REFERENCE.md").contains(words), "REFERENCE.md does not list {words}");
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
    let said: Vec<&str> = ran.stderr.lines().collect();
    assert!(said.len() == 1 && said[0].contains("general knowledge") && !said[0].contains("169.254"), "{said:?}");
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
fn what_is_pasted_has_no_comments_and_is_by_name_or_by_address() {
    let root = Root::ubuntu();
    let list = |more: &[&str]| {
        let base = ["network", "allowlist", "--all", "--agent-region", "us", "--collector", "10.9.8.7"];
        root.run(&[&base[..], more].concat())
    };
    for format in ["squid", "nftables", "iptables", "ufw", "aws-sg", "azure-firewall", "paloalto", "fortigate"] {
        let text = list(&["--format", format, "--no-comments"]).ok().stdout;
        let comment = text.lines().find(|line| line.trim_start().starts_with('#'));
        assert!(comment.is_none() && !text.starts_with('\n') && text.lines().count() > 5, "{format}: {text}");
    }
    assert!(!list(&["--format", "firewalld", "--no-comments"]).ok().stdout.contains("<!--"));
    assert_eq!(list(&["--format", "csv", "--no-comments"]).code, 2);
    for format in ["squid", "aws-network-firewall", "azure-firewall", "paloalto", "fortigate"] {
        let text = list(&["--format", format, "--by", "address", "--no-comments"]).ok().stdout;
        assert!(text.contains("193.149.136.0/24") && !text.contains("divvycloud.com"), "{format}: {text}");
        assert!(!list(&["--format", format, "--by", "name"]).ok().stdout.contains("193.149.136.0/24"), "{format}");
    }
    let ran = list(&["--format", "nftables", "--by", "name"]);
    assert!(ran.code == 2 && ran.stderr.contains("squid, aws-network-firewall, azure-firewall"), "{}", ran.stderr);
    let text = list(&["--format", "aws-network-firewall", "--by", "address"]).ok().stdout;
    assert_eq!(text.matches("stateful_rule {").count(), text.matches("keyword  = \"sid\"").count());
    assert!(text.contains("settings = [\"2\"]") && text.contains("10.9.8.7/32"), "{text}");
    assert_eq!(list(&["--format", "squid", "--by", "address", "--decrypt-exclusions"]).code, 2);
}

/// Whoever asks for a change of the firewall needs no rights on the host.
#[test]
fn after_runs_a_plain_user_gets_the_lists_too() {
    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", "http://p.corp.example:3128", "--clouds", "azure", "--yes"]).ok();
    assert!(root.run(&["network", "list"]).ok().stderr.is_empty());
    let test = "after_runs_a_plain_user_gets_the_lists_too";
    for words in [&["network", "list"][..], &["network", "allowlist", "--format", "squid"]] {
        let Some(ran) = root.run_by_nobody(test, &[words, &["--clouds", "gcp"]].concat()) else { return };
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("googleapis.com") && !ran.stdout.contains("azure.com"), "{}", ran.stdout);
        assert_eq!(ran.stderr.matches("can be read by root only, so it does not count here").count(), 1);
    }
}

/// The command in a list makes the same list on a host where nobody has said anything.
#[test]
fn a_list_names_the_command_that_makes_it_again() {
    let made = |root: &Root, words: &[&str]| root.run(&[&["network", "allowlist"], words].concat()).ok().stdout;
    let root = Root::ubuntu();
    root.put("etc/ics-setup/settings.toml", "clouds = [\"gcp\", \"azure\"]\n");
    for words in [
        "--format squid --clouds aws,azure",
        "--format nftables --agent-region us --collector c1.corp.example --port 443 --needed-by server",
        "--format fortigate --by address --component agent --agent-region us --region us --concrete",
        "--format paloalto --confidence verified --required",
    ] {
        let list = made(&root, &words.split(' ').collect::<Vec<_>>());
        let command = list.split("ics-setup network allowlist ").nth(1).unwrap().split("; facts").next().unwrap();
        let clouds = if words.contains("--clouds") { "--clouds aws,azure" } else { "--clouds gcp,azure" };
        assert!(command.contains(clouds), "{command}");
        assert_eq!(made(&Root::ubuntu(), &command.split(' ').collect::<Vec<_>>()), list, "{words}: {command}");
    }
}

#[test]
fn names_that_nobody_has_verified_are_told_and_can_be_left_out() {
    let root = Root::ubuntu();
    let ran = root.run(&["network", "allowlist", "--format", "squid", "--all"]).ok();
    assert!(ran.stdout.contains("cloudfront.net") && ran.stderr.contains("general knowledge"), "{}", ran.stderr);
    assert!(ran.stderr.contains("*.cloudfront.net:443"), "{}", ran.stderr);
    let words = ["network", "allowlist", "--format", "squid", "--all", "--confidence", "verified"];
    let strict = root.run(&words).ok();
    assert!(!strict.stdout.contains("cloudfront.net") && !strict.stderr.contains("general knowledge"));
    let json = root.json(&["network", "list", "--confidence", "verified"]).1;
    assert!(json["endpoints"].as_array().unwrap().iter().all(|row| row["confidence"] == "verified"));
}

#[test]
fn why_a_list_is_empty_is_said_beside_it() {
    let root = Root::ubuntu();
    let of = |arguments: &[&str]| root.run(&[&["network", "allowlist", "--format", "csv"], arguments].concat()).ok();
    for (arguments, words) in [
        (&["--port", "12345"][..], "no endpoint fits"),
        (&["--component", "agent"], "nothing of --component agent is called for: add --agent-region <REGION>"),
        (&["--region", "eu"], "nothing of --region eu is called for: add --agent-region eu"),
    ] {
        let ran = of(arguments);
        assert!(ran.stdout.lines().count() == 1 && ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
        let ran = root.run(&[&["network", "list"], arguments].concat()).ok();
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    let ran = of(&["--component", "agent", "--agent-region", "eu", "--region", "eu"]);
    assert!(ran.stdout.lines().count() > 1 && !ran.stderr.contains("called for"), "{}", ran.stderr);
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
