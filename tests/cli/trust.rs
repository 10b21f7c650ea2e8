//! The authority of a proxy that inspects TLS, on images of hosts: files, mounts, variables, and what is remembered.

use serde_json::Value;

use crate::root::{Root, STATE_FILE};

/// A certificate authority, as PEM.
pub fn authority(name: &str) -> (String, String) {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let key = rcgen::KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem().replace("\r\n", "\n"), key.serialize_pem())
}

const COMPOSE: &str = include_str!("../../assets/product/docker-compose.production.yml");
pub const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";
const PROXY: [&str; 3] = ["--proxy", "http://proxy.corp.example:3128", "--proxy-ca"];

/// A host with the product, and with two public roots.
pub fn host(root: &Root, bundle: &str) -> String {
    root.put("divvycloud/docker-compose.yml", COMPOSE);
    let roots: String = ["Public One", "Public Two"].iter().map(|name| authority(name).0).collect();
    root.put(bundle, &roots);
    roots
}

fn finding<'j>(json: &'j Value, id: &str) -> &'j Value {
    json["findings"].as_array().unwrap().iter().find(|own| own["id"] == id).unwrap_or(&Value::Null)
}

fn is(json: &Value, id: &str, status: &str, words: &str) {
    let found = finding(json, id);
    assert!(found["status"] == status && found.to_string().contains(words), "{id} {status} {words}: {json:#}");
}

/// No printed command would mend it, as one who runs it would learn.
fn has_advice_alone(json: &Value, id: &str) {
    let found = finding(json, id);
    let fix = found["fix"].as_array().map_or(0, Vec::len);
    assert!(fix == 0 && found["advice"].as_array().is_some_and(|all| !all.is_empty()), "{json:#}");
}

/// An authority whose days are over.
fn expired() -> String {
    let mut old = rcgen::CertificateParams::default();
    old.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    old.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

/// Names of the files that runs have placed.
fn placed(root: &Root, folder: &str) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(root.at(folder)) else { return Vec::new() };
    files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn host_and_containers_are_made_to_trust_it_and_the_way_back_is_whole() {
    for (root, bundle, folder, program) in [
        (Root::ubuntu(), BUNDLE, "usr/local/share/ca-certificates", "update-ca-certificates"),
        (
            Root::centos(),
            "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
            "etc/pki/ca-trust/source/anchors",
            "update-ca-trust",
        ),
    ] {
        let roots = host(&root, bundle);
        let (ca, _) = authority("Inspector");
        root.put("root/ca.pem", format!("# from the proxy team\n{ca}"));
        let file = root.at("root/ca.pem").display().to_string();
        let before = root.picture();

        // A check foretells it, and a run says the same of what it leaves.
        let (_, json) = root.json(&["check", "proxy", "--proxy-ca", &file]);
        is(&json, "proxy-ca-host", "warn", "does not trust the authority of --proxy-ca");
        is(&json, "proxy-ca-containers", "warn", "not mounted in interfaceserver, scheduler, worker");
        let (code, json) = root.json(&[&["prepare"], &PROXY[..], &[&file]].concat());
        assert_eq!((code, json["outcome"].as_str()), (0, Some("changed")), "{json:#}");
        is(&json, "proxy-ca-host", "skip", &format!("once the image runs: {program}"));
        assert!(json["next_steps"].to_string().contains("ics-setup reconfigure"), "{json:#}");
        let names = placed(&root, folder);
        assert!(names.len() == 1 && names[0].starts_with("ics-setup-proxy-ca-"), "{names:?}");
        assert_eq!(root.get(&format!("{folder}/{}", names[0])), ca);
        assert_eq!(root.get(bundle), roots, "what the system's program makes is left to it");

        // The last run's counts: the file need not be there any more.
        std::fs::rename(root.at("root/ca.pem"), root.at("root/gone")).unwrap();
        let (code, json) = root.json(&["reconfigure"]);
        assert_eq!((code, json["outcome"].as_str()), (0, Some("changed")), "{json:#}");
        is(&json, "proxy-ca-containers", "pass", "are given the authority");
        assert_eq!(root.get("divvycloud/proxy_cert.crt"), ca);
        assert_eq!(root.get("divvycloud/proxy_ca_bundle.crt"), format!("{roots}{ca}"));
        let compose = root.get("divvycloud/docker-compose.yml");
        // The vendor's comments became lines; the scheduler, which has none, got one.
        let mount = "      - \"./proxy_cert.crt:/usr/local/share/ca-certificates/proxy_cert.crt\"\n";
        assert_eq!((compose.matches(mount).count(), compose.matches("#- ./proxy").count()), (3, 0), "{compose}");
        assert_eq!(compose.matches("./proxy_ca_bundle.crt:/etc/ssl/proxy_ca_bundle.crt:ro").count(), 3, "{compose}");
        let env = root.get("divvycloud/prod.env");
        for name in ["REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
            assert!(env.contains(&format!("\n{name}=/etc/ssl/proxy_ca_bundle.crt\n")), "{env}");
        }
        // Nothing is left to do, also once the system's program has run.
        for taken_up in [false, true] {
            if taken_up {
                root.put(bundle, format!("{ca}{roots}"));
            }
            for verb in ["prepare", "reconfigure"] {
                let (code, json) = root.json(&[verb]);
                assert_eq!((code, json["outcome"].as_str()), (0, Some("unchanged")), "{json:#}");
            }
        }
        let (_, json) = root.json(&["check", "proxy"]);
        is(&json, "proxy-ca-host", "pass", "trusts");
        is(&json, "proxy-ca-containers", "pass", "are given the authority of last run");

        // The proxy goes, the authority stays; another proxy keeps it too.
        for more in [&["--remove-proxy"][..], &["--proxy", "http://other.corp.example:3128"]] {
            root.run(&[&["prepare"], more].concat()).ok();
            root.run(&[&["reconfigure"], more].concat()).ok();
            assert!(placed(&root, folder) == names && root.get("divvycloud/prod.env").contains("\nSSL_CERT_FILE="));
        }
        root.put(bundle, &roots);
        std::fs::rename(root.at("root/gone"), root.at("root/ca.pem")).unwrap();
        for _ in 0..6 {
            root.run(&["revert", "--yes"]).ok();
        }
        let after = root.picture();
        let differ: Vec<_> =
            before.iter().filter(|(path, own)| after.get(*path).map(|now| &now.0) != Some(&own.0)).collect();
        assert!(differ.is_empty() && after.len() == before.len(), "{differ:?}");
    }
}

#[test]
fn another_authority_takes_the_place_of_the_first() {
    let root = Root::ubuntu();
    let roots = host(&root, BUNDLE);
    let (one, two) = (authority("One").0, authority("Two").0);
    root.put("one.pem", &one);
    root.put("two.pem", format!("{two}{one}"));
    let [first, second] = ["one.pem", "two.pem"].map(|name| root.at(name).display().to_string());
    for verb in ["prepare", "reconfigure"] {
        root.run(&[&[verb], &PROXY[..], &[&first]].concat()).ok();
    }
    // What lies behind the name of the last run is not taken in silence.
    root.put("one.pem", &two);
    let (code, json) = root.json(&["reconfigure"]);
    assert_eq!((code, json["outcome"].as_str()), (0, Some("unchanged")), "{json:#}");
    for verb in ["prepare", "reconfigure"] {
        root.run(&[verb, "--proxy-ca", &second]).ok();
    }
    assert_eq!(placed(&root, "usr/local/share/ca-certificates").len(), 2);
    assert_eq!(root.get("divvycloud/proxy_cert.crt"), format!("{two}{one}"));
    assert_eq!(root.get("divvycloud/proxy_ca_bundle.crt"), format!("{roots}{two}{one}"));
    for verb in ["prepare", "reconfigure"] {
        root.run(&[verb, "--proxy-ca", &first]).ok();
    }
    let left = placed(&root, "usr/local/share/ca-certificates");
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(root.get("divvycloud/proxy_ca_bundle.crt"), format!("{roots}{two}"));
    // One that the host trusts already is not placed a second time.
    let root = Root::ubuntu();
    let roots = host(&root, BUNDLE);
    root.put(BUNDLE, format!("{roots}{one}"));
    root.put("one.pem", &one);
    root.run(&["prepare", "--proxy-ca", &root.at("one.pem").display().to_string()]).ok();
    assert!(placed(&root, "usr/local/share/ca-certificates").is_empty());
}

#[test]
fn what_is_no_authority_is_refused_by_name() {
    let root = Root::ubuntu();
    host(&root, BUNDLE);
    let (ca, key) = authority("Inspector");
    let leaf = rcgen::generate_simple_self_signed(["proxy.corp.example".to_owned()]).unwrap().cert.pem();
    let before = root.picture();
    for (content, words) in [
        (format!("{ca}{key}").into_bytes(), "it holds a private key"),
        (b"\x30\x82\x01\x0a\x02".to_vec(), "it is binary (DER)"),
        (b"hello\n".to_vec(), "it holds no certificate as PEM"),
        (ca.as_bytes()[..ca.len() - 60].to_vec(), "damaged or cut"),
        (leaf.into_bytes(), "may not sign others"),
        (expired().into_bytes(), "has expired"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, content).unwrap();
        let file = path.display().to_string();
        // A check that took it would print a command that does not.
        for verb in [&["prepare"][..], &["reconfigure"], &["check", "proxy"]] {
            let (code, json) = root.json(&[verb, &PROXY[..], &[&file]].concat());
            assert_eq!((code, json["error"]["id"].as_str()), (3, Some("setting-invalid")), "{json:#}");
            let said = json["error"].to_string();
            assert!(said.contains(words) && said.contains("--proxy-ca"), "{words}: {said}");
            assert!(!said.contains(key.lines().nth(1).unwrap()), "{said}");
        }
    }
    let (code, json) = root.json(&["prepare", "--proxy-ca", "/nowhere/ca.pem"]);
    assert_eq!((code, json["error"]["id"].as_str()), (3, Some("setting-invalid")), "{json:#}");
    assert_eq!(root.run(&["prepare", "--proxy-ca", ""]).code, 3);
    assert!(root.picture() == before);
}

#[test]
fn what_somebody_has_set_is_not_overwritten_and_what_cannot_be_mounted_is_not_pointed_to() {
    let (ca, _) = authority("Inspector");
    let root = Root::ubuntu();
    host(&root, BUNDLE);
    root.put("ca.pem", &ca);
    let file = root.at("ca.pem").display().to_string();
    let env = root.get("divvycloud/prod.env");
    root.put("divvycloud/prod.env", format!("{env}REQUESTS_CA_BUNDLE=/opt/site.pem\n"));
    let (code, json) = root.json(&[&["reconfigure"], &PROXY[..], &[&file]].concat());
    assert_eq!(code, 0, "{json:#}");
    is(&json, "proxy-ca-containers", "warn", "REQUESTS_CA_BUNDLE in the product's containers names other certificates");
    is(&json, "proxy-ca-containers", "warn", "/divvycloud/prod.env:9: /opt/site.pem");
    let now = root.get("divvycloud/prod.env");
    assert!(now.contains("\nREQUESTS_CA_BUNDLE=/opt/site.pem\n") && now.contains("\nSSL_CERT_FILE=/etc/ssl/"), "{now}");

    // An included file may have more services: nothing is edited, and no client is left without roots.
    for (change, words) in [
        (("services:\n", "include: [more.yml]\nservices:\n"), "files that are included are not followed"),
        (("    volumes:\n", "    volumes: *nobody\n    x-volumes:\n"), "docker-compose.yml"),
    ] {
        let root = Root::ubuntu();
        host(&root, BUNDLE);
        root.put("divvycloud/docker-compose.yml", COMPOSE.replacen(change.0, change.1, 1));
        root.put("ca.pem", &ca);
        let file = root.at("ca.pem").display().to_string();
        let (code, json) = root.json(&["reconfigure", "--proxy-ca", &file]);
        assert_eq!(code, 0, "{json:#}");
        is(&json, "proxy-ca-containers", "warn", words);
        assert!(!root.get("divvycloud/prod.env").contains("CERT") && !root.has("divvycloud/proxy_cert.crt"));
    }
    // A host without public roots: the authority alone would take all others away.
    let root = Root::ubuntu();
    root.put("divvycloud/docker-compose.yml", COMPOSE);
    root.put("ca.pem", &ca);
    let (_, json) = root.json(&["reconfigure", "--proxy-ca", &root.at("ca.pem").display().to_string()]);
    is(&json, "proxy-ca-containers", "warn", "no bundle of public roots");
    assert!(!root.get("divvycloud/prod.env").contains("SSL_CERT_FILE"));
}

#[test]
fn what_the_last_run_was_given_and_no_run_takes_any_more_is_told_by_check_and_run_alike() {
    let root = Root::ubuntu();
    host(&root, BUNDLE);
    root.put("ca.pem", authority("Inspector").0);
    root.run(&[&["prepare"], &PROXY[..], &[&root.at("ca.pem").display().to_string()]].concat()).ok();
    let folder = "usr/local/share/ca-certificates";
    for name in placed(&root, folder) {
        std::fs::remove_file(root.at(folder).join(name)).unwrap();
    }
    let mut state: Value = serde_json::from_str(&root.get(STATE_FILE)).unwrap();
    for (content, forgets, words) in [("", false, "neither the file nor"), (&expired(), true, "has expired")] {
        root.put("ca.pem", content);
        if forgets {
            let told = state.as_object_mut().unwrap().values_mut().find_map(Value::as_object_mut).unwrap();
            assert!(told.remove("proxy.ca_sha256").is_some(), "{told:?}");
            root.put(STATE_FILE, state.to_string());
        }
        for verb in [&["check", "proxy"][..], &["prepare"]] {
            let (_, json) = root.json(verb);
            is(&json, "proxy-ca-host", "warn", words);
            is(&json, "proxy-ca-host", "warn", "was left as it is");
            is(&json, "proxy-ca-host", "warn", "prepare --proxy-ca <FILE>");
            has_advice_alone(&json, "proxy-ca-host");
            assert_eq!(finding(&json, "proxy-ca-containers"), &Value::Null, "{json:#}");
        }
    }
}

#[test]
fn an_authority_in_other_words_is_not_written_anew() {
    let root = Root::ubuntu();
    host(&root, BUNDLE);
    let (ca, _) = authority("Inspector");
    root.put("ca.pem", &ca);
    let by_hand = format!("# from the proxy team\r\n{}", ca.replace('\n', "\r\n"));
    root.put("divvycloud/proxy_cert.crt", &by_hand);
    let file = root.at("ca.pem").display().to_string();
    for outcome in ["changed", "unchanged"] {
        let (code, json) = root.json(&["reconfigure", "--proxy-ca", &file]);
        assert_eq!((code, json["outcome"].as_str()), (0, Some(outcome)), "{json:#}");
        is(&json, "proxy-ca-containers", "pass", "are given the authority");
        assert_eq!(root.get("divvycloud/proxy_cert.crt"), by_hand);
    }
}

#[test]
fn a_file_that_somebody_mounts_there_is_not_led_to() {
    let (ca, _) = authority("Inspector");
    let site = authority("Site").0;
    let mount = |line: &str| COMPOSE.replacen("    volumes:\n", &format!("    volumes:\n      - {line}\n"), 1);
    let at_bundle = mount("/opt/site.crt:/etc/ssl/proxy_ca_bundle.crt:ro");
    let at_own = mount("/opt/site.crt:/usr/local/share/ca-certificates/proxy_cert.crt");
    for (compose, content, led, words) in [
        (&at_bundle, &site, false, Some("mounts another file at /etc/ssl/proxy_ca_bundle.crt")),
        (&at_bundle, &ca, false, Some("mounts another file at /etc/ssl/proxy_ca_bundle.crt")),
        (&at_bundle, &format!("{site}{ca}"), true, None),
        (&at_own, &site, true, Some("mounts another file at /usr/local/share/ca-certificates/proxy_cert.crt")),
        (&at_own, &format!("{ca}{site}"), true, None),
    ] {
        let root = Root::ubuntu();
        host(&root, BUNDLE);
        root.put("divvycloud/docker-compose.yml", compose);
        root.put("opt/site.crt", content);
        root.put("ca.pem", &ca);
        let file = root.at("ca.pem").display().to_string();
        for outcome in [if led { "changed" } else { "unchanged" }, "unchanged"] {
            let (code, json) =
                root.json(&["reconfigure", "--proxy-ca", &file, "--target", "prod-env,compose-file,trust"]);
            let placed = placed(&root, "usr/local/share/ca-certificates").len();
            assert_eq!((code, placed), (0, 1), "{json:#}");
            let of_product = json["changes"].to_string().contains("/divvycloud/");
            assert_eq!(of_product, outcome == "changed", "{json:#}");
            match words {
                Some(words) => {
                    is(&json, "proxy-ca-containers", "warn", words);
                    is(&json, "proxy-ca-containers", "warn", "/opt/site.crt in interfaceserver");
                    has_advice_alone(&json, "proxy-ca-containers");
                }
                None => is(&json, "proxy-ca-containers", "pass", "are given the authority"),
            }
        }
        assert_eq!(root.get("divvycloud/prod.env").contains("\nSSL_CERT_FILE="), led, "{compose}");
        let (_, json) = root.json(&["prepare", "--proxy-ca", &file]);
        assert!(!json["next_steps"].to_string().contains("reconfigure"), "{json:#}");
    }
}
