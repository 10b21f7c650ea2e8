//! What plans do: the ways out before and after, on hosts as people have them; why one goes as it goes, and what turns it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::odd_hosts::{File, HOSTS};
use crate::root::Root;

const PROXY: &str = "http://proxy.corp.example:3128";

const COMPOSE: File = (
    "divvycloud/docker-compose.yml",
    "services:\n  interfaceserver:\n    image: divvycloud/divvycloud:v21.1\n    env_file: prod.env\n  worker:\n    \
     image: divvycloud/divvycloud:v21.1\n    env_file: prod.env\n    environment:\n      \
     https_proxy: http://other.corp.example:8080\n",
);

/// Hosts with the product, for `reconfigure`.
const PRODUCTS: &[(&str, &[File], &[&str])] = &[
    ("the vendor's prod.env", &[], &[]),
    ("a service with a proxy of its own", &[COMPOSE], &[]),
    (
        "another proxy and a list",
        &[(
            "divvycloud/prod.env",
            "http_proxy=http://oldpx.corp.example:8888\nhttps_proxy=http://oldpx.corp.example:8888\nno_proxy=mysql,redis,.corp.example\n",
        )],
        &[],
    ),
    ("ALL_PROXY alone", &[("divvycloud/prod.env", "ALL_PROXY=http://oldpx.corp.example:8888\n#http_proxy=\n")], &[]),
    ("a list that takes the clouds away", &[], &["--no-proxy", "amazonaws.com,management.azure.com"]),
    ("a list without the metadata", &[], &["--no-proxy-only", "mysql,redis"]),
    (
        "a docker client that hands a proxy on",
        &[(
            "root/.docker/config.json",
            "{\"proxies\": {\"default\": {\"httpsProxy\": \"http://oldpx.corp.example:8888\"}}}",
        )],
        &["--both-cases"],
    ),
    ("an agent of the platform", &[], &["--agent-region", "eu"]),
];

/// The table of one plan: ways that turn alike on a line.
fn table(root: &Root, json: &Value) -> String {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    let shown = |text: String| text.replace(root.path().to_str().unwrap(), "");
    let mut groups: BTreeMap<[String; 4], (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    let rows = json["routes"].as_array().unwrap();
    for row in rows {
        let side = |way: &str, via: &str| match row[via].as_str() {
            Some(via) => via.to_owned(),
            None => text(row, way),
        };
        let turn = format!("{} -> {}", side("before", "via_before"), side("after", "via_after"));
        let key = [text(row, "consumer"), text(row, "name"), turn, shown(text(row, "cause"))];
        let (clients, urls) = groups.entry(key).or_default();
        clients.insert(text(row, "client"));
        urls.insert(text(row, "url"));
    }
    let mut told = format!("{} of {} ways change\n", rows.len(), json["ways"]);
    for ([consumer, name, turn, cause], (clients, urls)) in groups {
        let clients: Vec<String> = clients.into_iter().collect();
        let first = urls.first().unwrap();
        let more = urls.len() - 1;
        let _ = writeln!(told, "  {consumer} ({name}) | {} | {first} +{more} | {turn} | {cause}", clients.join(" "));
    }
    told
}

#[test]
fn the_ways_of_fifty_hosts_are_those_that_were_looked_at() {
    let mut text = String::new();
    for (name, family, files) in HOSTS {
        let root = family();
        std::fs::remove_dir_all(root.at("divvycloud")).unwrap();
        files.iter().for_each(|(path, content)| root.put(path, content));
        let all = "system-proxy,docker-daemon,package-manager";
        let (code, json) = root.json(&["prepare", "--proxy", PROXY, "--target", all, "--dry-run"]);
        assert_eq!(code, 0, "{name}: {json:#}");
        let of = if root.has("etc/environment") { "ubuntu" } else { "centos" };
        let _ = writeln!(text, "prepare, {of}: {name}: {}", table(&root, &json));
    }
    for (name, files, more) in PRODUCTS {
        let root = Root::ubuntu();
        files.iter().for_each(|(path, content)| root.put(path, content));
        let line = [&["reconfigure", "--proxy", PROXY, "--dry-run"], *more].concat();
        let (code, json) = root.json(&line);
        assert_eq!(code, 0, "{name}: {json:#}");
        let _ = writeln!(text, "reconfigure: {name}: {}", table(&root, &json));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/routes.txt");
    if std::env::var_os("ICS_SETUP_REWRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(kept.lines()).find(|(now, then)| now != then);
    assert!(text == kept, "{} says otherwise; ICS_SETUP_REWRITE=1 writes it anew: {differs:#?}", path.display());
    assert!(HOSTS.len() + PRODUCTS.len() >= 50);
}

/// The ways of the plan are those of the run, its way back turns them back, and a second run turns none.
#[test]
fn a_run_has_the_ways_of_its_plan_and_its_way_back_turns_them_back() {
    let root = Root::ubuntu();
    let line = ["prepare", "--proxy", PROXY];
    let (_, planned) = root.json(&[&line[..], &["--dry-run"]].concat());
    let (_, done) = root.json(&[&line[..], &["--yes"]].concat());
    assert_eq!(planned["routes"], done["routes"]);
    assert_eq!((planned["ways"].as_u64(), done["outcome"].as_str()), (done["ways"].as_u64(), Some("changed")));
    let rows = done["routes"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(row["via_after"], "proxy.corp.example:3128", "{row}");
        assert!(row["cause"].as_str().unwrap().contains("/etc/environment:"), "{row}");
    }
    let (_, again) = root.json(&line);
    assert_eq!((again["outcome"].as_str(), again["routes"].as_array().unwrap().len()), (Some("unchanged"), 0));
    let (_, back) = root.json(&["revert", "--yes"]);
    let turned = |rows: &Value, keys: [&str; 2]| -> BTreeSet<String> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| {
            [&["consumer", "client", "url"], &keys[..]]
                .concat()
                .iter()
                .map(|key| row[*key].to_string())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
    };
    assert_eq!(turned(&back["routes"], ["after", "via_after"]), turned(&done["routes"], ["before", "via_before"]));
}

#[test]
fn people_see_the_ways_that_change_and_with_v_all_of_them() {
    let root = Root::ubuntu();
    let line = ["prepare", "--proxy", PROXY, "--dry-run"];
    let short = root.run(&line).ok().stdout;
    let head = short.lines().find(|line| line.ends_with(" ways out change")).unwrap();
    assert!(short.contains("  a login, to divvycentral.divvycloud.com, "), "{short}");
    assert!(short.contains("more hosts: direct -> proxy.corp.example:3128") && !short.contains("as before"), "{short}");
    let long = root.run(&[&line[..], &["-v"]].concat()).ok().stdout;
    assert!(long.contains(head) && long.contains("as before") && long.contains("decided by "), "{long}");
    assert!(long.contains("169.254.169.254"), "{long}");
}

/// Each kind is told before anything is written.
#[test]
fn ways_that_break_are_findings_of_the_plan() {
    let of = |json: &Value, id: &str| -> Vec<Value> {
        json["findings"].as_array().unwrap().iter().filter(|own| own["id"] == id).cloned().collect()
    };
    let both = "http_proxy=http://proxy.corp.example:3128\nhttps_proxy=http://proxy.corp.example:3128\n";
    let environment = |list: &str| format!("{both}no_proxy={list}\n");
    let root = Root::ubuntu();
    root.put("etc/environment", environment("localhost,wiki.corp.example,169.254.169.254"));
    // A list of exactly these drops a name of the site's own.
    let (_, json) = root.json(&["prepare", "--no-proxy-only", "localhost,169.254.169.254", "--dry-run"]);
    let found = of(&json, "way-internal");
    assert!(found.len() == 1 && found[0]["observed"].as_str().unwrap().contains("wiki.corp.example"), "{json:#}");
    assert_eq!(found[0]["status"], "warn");
    assert!(of(&json, "way-around-proxy").is_empty() && of(&json, "way-metadata").is_empty(), "{json:#}");
    // What says the same of the list as a whole stands in its place.
    let (_, json) = root.json(&["prepare", "--no-proxy-only", "divvycloud.com,wiki.corp.example", "--dry-run"]);
    assert!(!of(&json, "NP014").is_empty() && of(&json, "way-around-proxy").is_empty(), "{json:#}");
    assert!(!of(&json, "NP010").is_empty() && of(&json, "way-metadata").is_empty(), "{json:#}");
    // An authority says that the proxy decrypts, what the agent sends.
    let root_store = Root::ubuntu();
    crate::trust::host(&root_store, crate::trust::BUNDLE);
    root_store.put("proxy-ca.pem", crate::trust::authority("Corp Proxy").0);
    let file = root_store.at("proxy-ca.pem");
    let line = ["prepare", "--proxy", PROXY, "--agent-region", "eu", "--dry-run"];
    let (_, json) = root_store.json(&line);
    assert!(of(&json, "way-decrypted").is_empty(), "{json:#}");
    let (_, json) = root_store.json(&[&line[..], &["--proxy-ca", file.to_str().unwrap()]].concat());
    let found = of(&json, "way-decrypted");
    assert!(found.len() == 1 && found[0]["observed"].to_string().contains("rapid7.com"), "{json:#}");
}

/// A way back is judged as well, by what can be done after it.
#[test]
fn a_way_back_tells_the_ways_that_it_breaks() {
    let both = format!("http_proxy={PROXY}\nhttps_proxy={PROXY}\n");
    let root = Root::ubuntu();
    root.put("etc/environment", format!("{both}no_proxy=localhost,divvycloud.com\n"));
    root.run(&["prepare", "--no-proxy-only", "localhost,169.254.169.254,wiki.corp.example", "--yes"]).ok();
    let (code, json) = root.json(&["revert", "--dry-run"]);
    assert_eq!(code, 0, "{json:#}");
    for (id, host) in [
        ("way-around-proxy", "backoffice.divvycloud.com"),
        ("way-metadata", "169.254.169.254"),
        ("way-internal", "wiki.corp.example"),
    ] {
        let found = json["findings"].as_array().unwrap().iter().find(|own| own["id"] == id);
        let found = found.unwrap_or_else(|| panic!("{id}: {json:#}"));
        assert!(found["observed"].as_str().unwrap().contains(host), "{found:#}");
        let advice = found["advice"][0].as_str().unwrap();
        assert!(advice.starts_with("once it is taken back: ") && !advice.contains("--"), "{found:#}");
    }
    assert!(!json["findings"].to_string().contains("mysql"), "the vendor's own names are none of the site's: {json:#}");
    // What was advised of a list is no internal name that is missed.
    let root = Root::ubuntu();
    root.put("etc/environment", format!("{both}no_proxy=localhost,amazonaws.com\n"));
    let (_, json) = root.json(&["prepare", "--no-proxy-only", "localhost,169.254.169.254", "--dry-run"]);
    assert!(!json["findings"].to_string().contains("way-internal"), "{json:#}");
    // What it is spoken to is told where host and port are the same.
    let root = Root::ubuntu();
    root.put("etc/environment", "https_proxy=socks5://proxy.corp.example:3128\n");
    let ran = root.run(&["prepare", "--proxy", PROXY, "--dry-run"]).ok().stdout;
    assert!(ran.contains("socks5://proxy.corp.example:3128 -> proxy.corp.example:3128"), "{ran}");
}

/// Every plan: also one that changes nothing, and an installation's.
#[test]
fn every_plan_tells_its_ways_and_help_says_so() {
    let root = Root::ubuntu();
    let line = ["prepare", "--proxy", PROXY];
    root.run(&[&line[..], &["--yes"]].concat()).ok();
    let (_, json) = root.json(&line);
    assert_eq!((json["outcome"].as_str(), json["ways_unknown"].as_u64()), (Some("unchanged"), Some(0)), "{json:#}");
    assert!(json["ways"].as_u64().unwrap() > 100 && json["routes"].as_array().unwrap().is_empty(), "{json:#}");
    let told = root.run(&[&line[..], &["-v"]].concat()).ok().stdout;
    assert!(told.contains("0 of ") && told.contains("proxy.corp.example:3128, as before"), "{told}");
    let root = Root::ubuntu();
    std::fs::remove_dir_all(root.at("divvycloud")).unwrap();
    let (code, json) =
        root.json(&["install", "--deployment", "test-drive", "--release", "22.3.9", "--proxy", PROXY, "--dry-run"]);
    let own =
        json["routes"].as_array().unwrap().iter().any(|row| row["consumer"] == "prod-env" && row["before"] == "none");
    assert!(code == 0 && own, "{json:#}");
    for verb in ["prepare", "install", "reconfigure", "revert"] {
        let help = crate::root::run(&[verb, "--help"], &[], "").stdout;
        assert!(help.contains("which requests turn from direct to the proxy or back"), "{verb}: {help}");
    }
}

/// The chain names file and line, the edit turns the way when it is made, and nothing of it shows a password.
#[test]
fn a_way_is_explained_and_the_edit_turns_it() {
    let login = "http://svc:Tr0ub4dor7@proxy.corp.example:3128";
    let root = Root::ubuntu();
    root.put("etc/environment", format!("http_proxy={login}\nhttps_proxy={login}\nno_proxy=localhost,amazonaws.com\n"));
    root.put("lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n");
    root.put(
        "etc/systemd/system/docker.service.d/http-proxy.conf",
        format!("[Service]\nEnvironment=\"HTTPS_PROXY={login}\"\n"),
    );
    root.put("divvycloud/prod.env", format!("https_proxy={login}\nno_proxy=mysql,redis\n"));
    for (consumer, url, route, at, client) in [
        ("login", "https://sts.amazonaws.com/", "direct", "/etc/environment:3", "curl-7.88"),
        ("login", "https://divvycentral.divvycloud.com/", "proxy", "/etc/environment:2", "curl-7.88"),
        (
            "docker",
            "https://public.ecr.aws/",
            "proxy",
            "/etc/systemd/system/docker.service.d/http-proxy.conf:2",
            "go-net-http",
        ),
        ("prod-env", "https://sts.amazonaws.com/", "proxy", "/divvycloud/prod.env:1", "botocore-1.44"),
        ("prod-env", "https://mysql/", "direct", "/divvycloud/prod.env:2", "botocore-1.44"),
    ] {
        let ask = || root.json(&["network", "explain", url, "--as", consumer]).1;
        let json = ask();
        let first = &json["clients"][0];
        assert_eq!((first["client"].as_str(), first["route"].as_str()), (Some(client), Some(route)), "{json:#}");
        let shown = format!("{}{at}", root.path().display());
        let links = json["chain"].as_array().unwrap();
        let named = |link: &Value| format!("{}:{}", link["path"].as_str().unwrap_or("-"), link["line"]);
        assert!(links.iter().any(|link| named(link) == shown), "{consumer} {url}: {json:#}");
        // Each link but the client's own rule has its place.
        let (rule, lines) = links.split_last().unwrap();
        assert!(rule["path"].is_null() && rule["text"].as_str().unwrap().starts_with(client), "{json:#}");
        assert!(lines.iter().all(|link| link["path"].is_string() && link["line"].is_u64()), "{json:#}");
        // Taking the proxy away would turn it as well, and much else.
        let says = json["edit"]["says"].as_str().unwrap();
        assert!(says.starts_with("no_proxy=") || says.starts_with("NO_PROXY="), "{json:#}");
        assert!(json["edit"]["also_changes"].as_array().unwrap().len() < 25, "{json:#}");
        assert!(!json.to_string().contains("Tr0ub4dor7"), "{json:#}");
        let human = root.run(&["network", "explain", url, "--as", consumer]).ok().stdout;
        assert!(
            human.contains(&shown) && human.contains("the smallest edit") && !human.contains("Tr0ub4dor7"),
            "{human}"
        );
        // Made by hand.
        let path = json["edit"]["path"].as_str().unwrap().strip_prefix(&format!("{}/", root.path().display())).unwrap();
        let before = root.get(path);
        let number = usize::try_from(json["edit"]["line"].as_u64().unwrap()).unwrap();
        let diff = json["edit"]["diff"].as_str().unwrap();
        let sign = |sign: char| diff.lines().filter(move |line| line.starts_with(sign)).skip(1).collect::<Vec<_>>();
        let (gone, come) = (sign('-').len(), sign('+'));
        let mut lines: Vec<&str> = before.lines().collect();
        lines.splice(number - 1..number - 1 + gone, come.iter().map(|line| &line[1..]));
        root.put(path, lines.join("\n") + "\n");
        let after = ask();
        let other = if route == "proxy" { "direct" } else { "proxy" };
        assert_eq!(after["clients"][0]["route"], other, "{consumer} {url}: {diff}\n{after:#}");
        assert_eq!(after["clients"][0]["route"], json["edit"]["after"]);
        root.put(path, &before);
    }
}

#[test]
fn who_is_not_there_is_not_explained() {
    let root = Root::ubuntu();
    let explain = |consumer: &str| root.run(&["network", "explain", "https://a.example/", "--as", consumer]);
    let ran = explain("lgin");
    assert!(ran.code == 2 && ran.stderr.contains("did you mean login?"), "{}{}", ran.code, ran.stderr);
    let ran = explain("worker");
    assert!(ran.code == 2 && ran.stderr.contains("--as prod-env:worker"), "{}{}", ran.code, ran.stderr);
    let ran = explain("cron");
    assert!(ran.code == 2 && ran.stderr.contains("cron is not installed"), "{}{}", ran.code, ran.stderr);
    let ran = explain("login:nobody-here");
    assert!(ran.code == 2 && ran.stderr.contains("there is none on this host"), "{}{}", ran.code, ran.stderr);
    let ran = explain("container");
    assert!(ran.code == 2 && ran.stderr.contains("prod-env"), "{}{}", ran.code, ran.stderr);
}

/// Services that get different things are told apart.
#[test]
fn one_of_several_services_is_explained_by_its_name() {
    let root = Root::ubuntu();
    root.put(COMPOSE.0, COMPOSE.1);
    root.put("divvycloud/prod.env", "https_proxy=http://proxy.corp.example:3128\n");
    let ask = |consumer: &str| root.json(&["network", "explain", "https://sts.amazonaws.com/", "--as", consumer]).1;
    let (worker, other) = (ask("prod-env:worker"), ask("prod-env:interfaceserver"));
    assert_eq!(worker["clients"][0]["proxy"], "other.corp.example:8080", "{worker:#}");
    assert!(worker["chain"][0]["path"].as_str().unwrap().ends_with("docker-compose.yml"), "{worker:#}");
    assert_eq!(other["clients"][0]["proxy"], "proxy.corp.example:3128", "{other:#}");
    assert!(other["others"].to_string().contains("prod-env:worker"), "{other:#}");
}

/// What else stands in a line that decides, or near it, is not told.
#[test]
fn no_line_shows_a_secret() {
    for (consumer, path, text) in [
        ("login", "etc/environment", "https_proxy=http://svc:S3cretX9@p:1 # rotate S3cretX9 soon\n"),
        ("login", "etc/environment", "https_proxy=svc:S3cretX9@p:1\nno_proxy=a.b,svc:S3cretX9@other:80\n"),
        ("login", "etc/profile.d/p.sh", "pw=S3cretX9; export https_proxy=http://svc:$pw@p:1\n"),
        ("login", "etc/profile.d/p.sh", "export A=1 https_proxy=svc:S3cretX9@p:1 TOKEN_PASSPHRASE=\"S3cretX9 x\"\n"),
        (
            "docker",
            "etc/systemd/system/docker.service.d/a.conf",
            "[Service]\nEnvironment=\"A=1\" \"HTTPS_PROXY=svc:S3cretX9@p:1\"\n",
        ),
        ("docker", "etc/docker/daemon.json", "{\"proxies\": {\"https-proxy\": \"http://svc:S3cretX9@p:1\"}}"),
        (
            "docker-client",
            "root/.docker/config.json",
            "{\"proxies\": {\"default\": {\"httpsProxy\": \"http://svc:S3cretX9@p:1\"}}}",
        ),
        ("package-manager", "etc/apt/apt.conf.d/99proxy", "Acquire::https::Proxy \"svc:S3cretX9@p:3128\";\n"),
        (
            "prod-env",
            "divvycloud/docker-compose.yml",
            "services:\n  worker:\n    image: x\n    env_file: prod.env\n    environment:\n      https_proxy: svc:S3cretX9@p:1\n",
        ),
        ("prod-env", "divvycloud/prod.env", "https_proxy=http://svc:S3cretX9@p:1\nX_PASSPHRASE=S3cretX9\n"),
    ] {
        let root = Root::ubuntu();
        root.put("lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n");
        root.put("usr/bin/dockerd", "");
        root.put(path, text);
        let line = ["network", "explain", "https://download.docker.com/", "--as", consumer];
        for more in [&[][..], &["--format", "json"], &["--proxy", "http://n.corp.example:1"]] {
            let ran = root.run(&[&line[..], more].concat());
            let told = ran.stdout + &ran.stderr;
            assert!(!told.contains("S3cretX9"), "{consumer} {path} {more:?}: {told}");
            assert!(
                told.contains("https_proxy") || told.contains("HTTPS_PROXY") || told.contains("rule"),
                "{consumer} {path}: {told}"
            );
        }
        let plan = root.run(&["prepare", "--proxy", PROXY, "--dry-run", "--format", "json"]);
        assert!(!plan.stdout.contains("S3cretX9"), "{consumer} {path}: {}", plan.stdout);
    }
}
