//! `network explain`.

use serde_json::Value;

use crate::root::{Root, run};

fn routes(json: &Value) -> Vec<(String, String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = json["clients"].as_array().unwrap();
    rows.iter().map(|row| (text(row, "client"), text(row, "route"), text(row, "decided_by"))).collect()
}

fn route(json: &Value, client: &str) -> (String, String) {
    let row = routes(json).into_iter().find(|(id, ..)| id == client).unwrap();
    (row.1, row.2)
}

#[test]
fn each_client_says_which_way_it_goes_and_what_decides() {
    let root = Root::ubuntu();
    let (code, json) = root.json(&[
        "network",
        "explain",
        "https://www.example.com/path",
        "--proxy",
        "http://u:s3cret@proxy:3128",
        "--no-proxy",
        "example.com",
    ]);
    assert_eq!(code, 0);
    assert_eq!((json["schema"].as_str(), json["command"].as_str()), (Some("ics-setup/v1"), Some("network explain")));
    assert_eq!(json["url"], "https://www.example.com/");
    assert_eq!(json["no_proxy"], "mysql,redis,169.254.169.254,example.com");
    assert_eq!(json["proxy"], "http://u:***@proxy:3128");
    assert_eq!(route(&json, "curl-7.88"), ("direct".to_owned(), "example.com".to_owned()));
    assert_eq!(route(&json, "axios-1.21").0, "proxy");
    let ids: Vec<String> = routes(&json).into_iter().map(|(id, ..)| id).collect();
    let columns = include_str!("../data/no-proxy-vectors.tsv").lines().next().unwrap();
    assert!(columns.split('\t').skip(2).all(|column| ids.iter().any(|id| id == column)), "{ids:?}");
}

#[test]
fn the_list_is_exactly_that_of_no_proxy_only() {
    let root = Root::ubuntu();
    root.put("etc/environment", "http_proxy=http://found:1\nno_proxy=.corp.example\n");
    let (_, json) = root.json(&["network", "explain", "http://a.corp.example"]);
    assert_eq!(json["no_proxy"], ".corp.example,mysql,redis,169.254.169.254", "what the host has counts");
    assert_eq!((json["proxy"].as_str(), route(&json, "wget-1.21").0.as_str()), (Some("http://found:1"), "direct"));
    let (_, json) = root.json(&["network", "explain", "http://other/", "--no-proxy-only", "fd00::/8"]);
    assert_eq!(json["no_proxy"], "fd00::/8");
    assert_eq!(route(&json, "httpx-0.28").0, "error");
}

#[test]
fn without_a_proxy_it_says_so_and_answers() {
    let root = Root::ubuntu();
    let ran = root.run(&["network", "explain", "http://mysql:3306"]).ok();
    assert!(ran.stdout.contains("none is set for such a URL"), "{}", ran.stdout);
    let line = ran.stdout.lines().find(|line| line.starts_with("curl-7.88 ")).unwrap();
    assert!(line.contains("direct") && line.ends_with("mysql"), "{line}");
    let (_, json) = root.json(&["network", "explain", "http://mysql:3306"]);
    assert!(json["proxy"].is_null());
}

#[test]
fn what_is_no_url_is_refused_without_being_repeated() {
    for url in ["u:s3cret@host", "ftp://u:s3cret@h/", "http://u:s3cret@[x/"] {
        let ran = run(&["network", "explain", url], &[], "");
        assert_eq!(ran.code, 2, "{url}: {}{}", ran.stdout, ran.stderr);
        assert!(!ran.stderr.contains("s3cret") && ran.stderr.contains("ics-setup network explain"), "{}", ran.stderr);
    }
    assert_eq!(run(&["network"], &[], "").code, 2);
}

/// What `prepare` says about the list that it is going to write.
#[test]
fn prepare_warns_of_hosts_taken_away_and_of_addresses_left_to_the_proxy() {
    let said = |arguments: &[&str]| {
        let root = Root::ubuntu();
        let all = [&["prepare", "--proxy", "http://proxy:3128", "--dry-run"], arguments].concat();
        let (code, json) = root.json(&all);
        assert_eq!(code, 0, "{json:#}");
        let findings = json["findings"].as_array().unwrap().clone();
        let of_lists = findings.into_iter().filter(|found| found["id"].as_str().unwrap().starts_with("NP"));
        let rows: Vec<(String, String, String)> = of_lists
            .map(|found| {
                let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
                (text("id"), text("status"), found["fix"][0].as_str().unwrap_or_default().to_owned())
            })
            .collect();
        rows
    };
    assert_eq!(said(&[]), []);
    assert_eq!(said(&["--deployment", "test-drive"]), []);
    let taken = said(&["--no-proxy", ".corp.example,amazonaws.com"]);
    let [(id, status, fix)] = taken.as_slice() else { panic!("{taken:?}") };
    assert_eq!((id.as_str(), status.as_str()), ("NP014", "warn"));
    assert!(fix.contains("prepare --no-proxy-only 'mysql,redis,169.254.169.254,.corp.example'"), "{fix}");
    let left = said(&["--deployment", "test-drive", "--no-proxy-only", "mysql,127.0.0.0"]);
    let ids: Vec<&str> = left.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(ids, ["NP008", "NP009", "NP010"], "{left:?}");
    // The same judge as that of check: written as asked, and told before it is written.
    let odd = said(&["--no-proxy", "*.intra,10.0.0.0/8,db.intra.example:3306,192.168.7.*,10.0.0.1-10.0.0.9"]);
    let ids: Vec<&str> = odd.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(ids, ["NP004", "NP006", "NP011", "NP015", "NP019"], "{odd:?}");
    assert_eq!(said(&["--no-proxy-only", "*"]), [], "nothing uses the proxy at all, and that is said apart");
}

#[test]
fn check_judges_the_lists_of_all_files_and_names_their_places_once() {
    let root = Root::ubuntu();
    root.put("etc/environment", "http_proxy=http://proxy:1\nno_proxy=\"mysql,10.0.0.0/8\"\n");
    root.put("divvycloud/prod.env", "http_proxy=http://proxy:1\nno_proxy=mysql,10.0.0.0/8\n");
    root.put(
        "etc/systemd/system/docker.service.d/http-proxy.conf",
        "[Service]\nEnvironment=\"HTTP_PROXY=http://proxy:1\" \"NO_PROXY=10.0.0.0/8,http://u:s3cret@x/\"\n",
    );
    root.put("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    root.put(
        "divvycloud/docker-compose.yml",
        "services:\n  web:\n    healthcheck:\n      test: curl -f http://localhost:8001\n",
    );
    let ran = root.run(&["check", "proxy", "--format", "json"]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("s3cret"), "{}", ran.stdout);
    let json = ran.json();
    let lists: Vec<&Value> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|found| found["id"].as_str().unwrap().starts_with("NP"))
        .collect();
    let of = |id: &str| -> Vec<&str> {
        lists.iter().filter(|found| found["id"] == id).map(|found| found["title"].as_str().unwrap()).collect()
    };
    assert_eq!(of("NP004").len(), 1, "{lists:#?}");
    assert!(of("NP004")[0].contains("/etc/environment and /divvycloud/prod.env has the range 10.0.0.0/8"));
    assert!(of("NP010")[0].contains("the metadata address of Amazon EC2"));
    assert!(of("NP009")[0].contains("http://127.0.0.1:8001"), "a health check asks it");
    assert!(of("NP013")[0].contains("docker.service.d"));
    assert_eq!(of("NP014"), Vec::<&str>::new());
}

#[test]
fn a_good_list_passes_and_no_list_is_skipped() {
    let status = |root: &Root| {
        let (_, json) = root.json(&["check", "--only", "NP001"]);
        let found = json["findings"][0].clone();
        (found["status"].as_str().unwrap().to_owned(), found["observed"].as_str().unwrap().to_owned())
    };
    let root = Root::ubuntu();
    assert_eq!(status(&root).0, "skip");
    root.run(&["prepare", "--proxy", "http://proxy:3128", "--deployment", "test-drive"]).ok();
    let (word, observed) = status(&root);
    assert_eq!(word, "pass", "{observed}");
    assert!(observed.starts_with("mysql,redis,169.254.169.254,localhost"), "{observed}");
}

#[test]
fn a_list_that_was_given_is_judged_as_it_was_typed_and_none_is_refused() {
    let root = Root::ubuntu();
    let route = |list: &str, client: &str| {
        let url = "http://intra.example/";
        let (code, json) =
            root.json(&["network", "explain", url, "--proxy", "http://proxy:1", "--no-proxy-only", list]);
        assert_eq!(code, 0, "{list}: {json:#}");
        assert_eq!(json["no_proxy"], list);
        let all = json["clients"].as_array().unwrap();
        all.iter().find(|row| row["client"] == client).unwrap()["route"].as_str().unwrap().to_owned()
    };
    // Measured with the real clients: tests/data/no-proxy-vectors.tsv.
    assert_eq!(route("wiki, intra.example", "apt-2.6"), "proxy");
    assert_eq!(route("wiki, intra.example", "curl-7.88"), "direct");
    for list in ["wiki intra.example", "wiki;intra.example", "\"wiki\"", "<local>", "http://intra.example"] {
        route(list, "curl-7.88");
    }
    let judged = |list: &str| {
        let (_, json) = root.json(&["check", "proxy", "--no-proxy", list, "--only", "NP001,NP006,NP015"]);
        let all = json["findings"].as_array().unwrap().clone();
        let bad = all.iter().filter(|found| found["status"] != "pass" && found["status"] != "skip");
        bad.map(|found| found["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(judged("*.intra.example"), ["NP006"]);
    assert_eq!(judged("wiki.corp;intra.example"), ["NP001"]);
    assert_eq!(judged("LOCALHOST"), Vec::<String>::new());
}

#[test]
fn a_list_of_the_host_is_written_anew_with_commas_and_its_fixes_work() {
    let root = Root::ubuntu();
    root.put("etc/environment", "http_proxy=http://10.1.1.1:8888\nno_proxy=localhost;wiki.intra.example\";\n");
    let (code, json) = root.json(&["prepare", "--proxy", "http://proxy:1", "--yes"]);
    assert_eq!(code, 0, "{json:#}");
    let told: Vec<&str> =
        json["findings"].as_array().unwrap().iter().map(|found| found["id"].as_str().unwrap()).collect();
    assert!(told.contains(&"NP001"), "{told:?}");
    assert!(
        root.get("etc/environment").contains("no_proxy=localhost,wiki.intra.example,mysql"),
        "{}",
        root.get("etc/environment")
    );
    for list in ["*.intra.example", "10.0.0.9:8080", "wiki.intra.example.", "10.0.0.1-10.0.0.9"] {
        let root = Root::ubuntu();
        root.run(&["prepare", "--proxy", "http://proxy:1", "--no-proxy", list, "--yes"]).ok();
        let judged = || {
            let (_, json) = root.json(&["check", "proxy"]);
            let all = json["findings"].as_array().unwrap().clone();
            all.into_iter().filter(|found| found["id"].as_str().unwrap().starts_with("NP") && found["status"] == "warn")
        };
        let found: Vec<Value> = judged().collect();
        let fix = found[0]["fix"][0].as_str().unwrap_or_else(|| panic!("{list}: {found:#?}"));
        let (_, list_of_fix) = fix.split_once("--no-proxy-only '").unwrap_or_else(|| panic!("{fix}"));
        let (list_of_fix, _) = list_of_fix.split_once('\'').unwrap();
        root.run(&["prepare", "--no-proxy-only", list_of_fix, "--yes"]).ok();
        let left: Vec<Value> = judged().filter(|left| left["id"] == found[0]["id"]).collect();
        assert!(left.is_empty(), "{list}: {fix}: {left:#?}");
    }
}
