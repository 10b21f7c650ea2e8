//! Every flag of the settings with every verb that changes a host: what the run does not use, it says.

use ics_setup::settings::{Key, TABLE};
use serde_json::Value;

use crate::root::Root;

/// Flags that change nothing on these hosts, and why.
const QUIET: [(Key, &str); 5] = [
    (Key::Os, "names the family that is found"),
    (Key::MendOthers, "nobody else's file wins"),
    (Key::CheckFirst, "is tried in tests of its own"),
    (Key::NoSecretsProvider, "there is no secret to be taken out"),
    (Key::ProxyPasswordEnv, "is tried with its variable in tests of secrets"),
];

/// Another value than the host has.
fn value(key: Key, root: &Root) -> String {
    let file = |name: &str| root.at(name).display().to_string();
    match key {
        Key::Deployment => "test-drive".into(),
        Key::Release => "22.3.9".into(),
        Key::ProxyUrl | Key::ProxyHttp | Key::ProxyHttps => "http://other.corp.example:3128".into(),
        Key::ProxyUser => "u".into(),
        Key::ProxyPasswordFile | Key::MysqlPasswordFile | Key::RedisPasswordFile => file("pw"),
        Key::ProxyPasswordEnv => "PW".into(),
        Key::ProxyNoProxy | Key::ProxyNoProxyOnly => "site.corp.example".into(),
        Key::ProxyCa => file("ca.pem"),
        Key::ProxyCaSha256 => unreachable!("no flag"),
        Key::MysqlHost | Key::RedisHost | Key::AgentCollector => "10.1.1.1".into(),
        Key::MysqlPort | Key::RedisPort => "4000".into(),
        Key::MysqlUser | Key::MysqlDatabase | Key::MysqlSecretDatabase => "name".into(),
        Key::AwsSecret => "ics".into(),
        Key::AwsRegion => "us-east-1".into(),
        Key::Os => "ubuntu".into(),
        Key::AgentRegion => "eu".into(),
        Key::Clouds => "aws,azure".into(),
        Key::Home => "/opt/other".into(),
        Key::Target => "package-manager".into(),
        Key::Image => "divvycloud/divvycloud:v22.3.9".into(),
        Key::Role => "interface,worker".into(),
        Key::Workers => "3".into(),
        Key::Port => "8002".into(),
        Key::Bind => "127.0.0.1".into(),
        Key::MysqlAdminUser | Key::DockerGroup => "admin".into(),
        Key::Bundle | Key::ComposeBinary | Key::DockerRepoKey | Key::MysqlAdminPasswordFile => file("pw"),
        Key::From | Key::DockerRepo => "https://files.corp.example/x".into(),
        Key::FromSha256 | Key::ComposeSha256 => "00".repeat(32),
        Key::HealthyWithin | Key::MigrateWithin => "5m".into(),
        Key::ProxyRemove
        | Key::ProxyDirect
        | Key::ProxyBothCases
        | Key::MysqlTls
        | Key::RedisTls
        | Key::MendOthers
        | Key::CheckFirst
        | Key::ReverseProxy
        | Key::BackupTaken
        | Key::CreateDatabases
        | Key::NoSecretsProvider
        | Key::Restart => "true".into(),
        Key::ProxyPassword | Key::MysqlPassword | Key::RedisPassword | Key::MysqlAdminPassword => {
            unreachable!("no flag")
        }
    }
}

/// What a run would do, without what differs from run to run.
fn done(root: &Root, arguments: &[&str]) -> (Value, Value, Value) {
    let (_, mut json) = root.json(arguments);
    for change in json["changes"].as_array_mut().into_iter().flatten() {
        change.as_object_mut().unwrap().remove("time");
    }
    (json["changes"].clone(), json["next_steps"].clone(), json["findings"].clone())
}

#[test]
fn what_no_target_of_a_verb_uses_is_said() {
    for verb in ["prepare", "reconfigure"] {
        for spec in TABLE {
            let Some(flag) = spec.flag.filter(|_| verb == "reconfigure" || !spec.product) else { continue };
            let root = Root::ubuntu();
            root.put("pw", "Hunter2Hunter\n");
            root.put("ca.pem", crate::trust::authority("Inspector").0);
            root.put("usr/bin/dockerd", "");
            root.put("opt/other/prod.env", "#http_proxy=x\nno_proxy=home.corp.example\n");
            let user = matches!(spec.key, Key::ProxyPasswordFile).then_some(["--proxy-user", "u"]);
            let password = format!("--proxy-password-file={}", root.at("pw").display());
            let mut base = vec![verb, "--dry-run"];
            if spec.key != Key::ProxyRemove {
                base.extend(["--proxy", "http://proxy.corp.example:3128"]);
            }
            if spec.key == Key::ProxyUrl {
                base.truncate(2);
            }
            let named = format!("--{flag}={}", value(spec.key, &root));
            let mut with = base.clone();
            with.push(&named);
            with.extend(user.into_iter().flatten());
            if spec.key == Key::ProxyUser {
                with.push(&password);
            }
            if spec.key == Key::ProxyRemove {
                root.run(&["prepare", "--proxy", "http://proxy.corp.example:3128"]).ok();
                root.run(&["reconfigure"]).ok();
            }
            let (changes, steps, _) = done(&root, &base);
            let (changed, stepped, findings) = done(&root, &with);
            let said = findings.as_array().unwrap().iter().find(|finding| finding["id"] == "setting-unused");
            let is_quiet = QUIET.iter().any(|(key, _)| *key == spec.key);
            let has_effect = changes != changed || steps != stepped;
            assert!(
                is_quiet || said.is_none() == has_effect,
                "{verb} {named}: {said:?}, has an effect: {has_effect}\n{findings:#}"
            );
            if let Some(said) = said {
                let title = format!("nothing that this {verb} does uses --{flag}");
                assert_eq!(said["title"], title, "{said:#}");
                assert!(said["cause"].is_string(), "{said:#}");
            }
        }
    }
}

#[test]
fn what_a_target_uses_is_not_said() {
    // A target that uses it is named by nobody who asks for it.
    let root = Root::ubuntu();
    let (_, json) = root.json(&[
        "prepare",
        "--proxy",
        "http://p.corp.example:1",
        "--target",
        "prod-env",
        "--mysql-host",
        "10.1.1.1",
    ]);
    assert!(json["findings"].as_array().unwrap().iter().all(|own| own["id"] != "setting-unused"), "{json:#}");
}
