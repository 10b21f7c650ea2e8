//! `check runtime` through the binary, without Docker: what is said about an image, and about a host without the product.

use crate::root::{Root, run};

#[test]
fn in_an_image_only_the_folder_is_looked_at_and_the_rest_is_skipped_by_name() {
    let root = Root::ubuntu();
    root.put("divvycloud/docker-compose.yml", "services:\n  worker:\n    scale: 8\n");
    let before = root.picture();
    let (code, json) = root.json(&["check", "runtime"]);
    assert_eq!(code, 0, "{json}");
    let told: Vec<(&str, &str)> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["id"].as_str().unwrap(), finding["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("product-installed", "pass"),
            ("service-running", "skip"),
            ("container-environment", "skip"),
            ("interface-status", "skip"),
            ("queue-waiting", "skip"),
            ("log-known-trouble", "skip"),
        ]
    );
    assert!(json["findings"][1]["observed"].as_str().unwrap().contains("--root"));
    assert!(root.picture() == before);
}

#[test]
fn without_the_product_there_is_one_skip_that_says_where_was_looked() {
    let root = Root::ubuntu();
    std::fs::remove_file(root.at("divvycloud/prod.env")).unwrap();
    let (code, json) = root.json(&["check", "runtime"]);
    assert_eq!((code, json["findings"].as_array().unwrap().len()), (0, 1), "{json}");
    assert_eq!(json["findings"][0]["status"], "skip");
    assert!(json["findings"][0]["observed"].as_str().unwrap().contains("/divvycloud"));
    let (_, json) = root.json(&["check", "runtime", "--home", "/opt/ics"]);
    assert!(json["findings"][0]["title"].as_str().unwrap().contains("/opt/ics"));
}

#[test]
fn half_an_installation_fails_and_facts_are_judged_again_elsewhere() {
    let root = Root::centos();
    std::fs::rename(root.at("divvycloud/prod.env"), root.at("divvycloud/docker-compose.cw.yml")).unwrap();
    let facts = root.at("facts.json");
    let (code, json) = root.json(&["check", "runtime", "--save-facts", facts.to_str().unwrap()]);
    assert_eq!((code, &json["findings"][0]["status"]), (4, &"fail".into()), "{json}");
    let again = run(&["check", "runtime", "--from", facts.to_str().unwrap(), "--format", "json"], &[], "").json();
    assert_eq!(again["findings"], json["findings"]);
    let ran = root.run(&["check", "runtime"]);
    assert!(
        ran.stdout.contains("has a compose file and no prod.env") && ran.stdout.contains("\n      -> "),
        "{}",
        ran.stdout
    );
}

#[test]
fn every_id_is_explained() {
    for id in ["product-installed", "service-restarting", "container-environment", "queue-waiting", "log-known-trouble"]
    {
        let ran = run(&["check", "--explain", id], &[], "");
        assert!(ran.code == 0 && ran.stdout.contains("(runtime)"), "{}", ran.stdout);
    }
}

/// A server that has one queue and answers nothing else.
fn redis_with_a_queue() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (mut reader, mut writer) = (std::io::BufReader::new(stream.try_clone().unwrap()), stream);
            while let Some(words) = request(&mut reader) {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let answer = match words.as_slice() {
                    ["DBSIZE"] => ":1\r\n",
                    ["LLEN", "p0"] => ":7\r\n",
                    ["LLEN", "p1"] => ":3\r\n",
                    ["LLEN", _] => ":0\r\n",
                    ["SCAN", ..] => "*2\r\n$1\r\n0\r\n*0\r\n",
                    _ => "-ERR unknown\r\n",
                };
                if std::io::Write::write_all(&mut writer, answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    port
}

/// One request: an array of bulk strings.
fn request(reader: &mut impl std::io::BufRead) -> Option<Vec<String>> {
    let mut line = || {
        let mut text = String::new();
        (reader.read_line(&mut text).ok()? > 0).then(|| text.trim_end().to_owned())
    };
    let count: usize = line()?.strip_prefix('*')?.parse().ok()?;
    (0..count).map(|_| line().and_then(|_| line())).collect()
}

#[test]
fn queues_are_told_in_the_words_of_the_product_and_of_its_monitors() {
    let root = Root::ubuntu();
    root.put("divvycloud/docker-compose.yml", "services:\n  worker:\n    scale: 8\n");
    let (home, port) = (root.at("divvycloud"), redis_with_a_queue().to_string());
    // The machine itself: nothing in an image has a server.
    let arguments = ["check", "runtime", "--only", "queue-waiting", "--format", "json", "--redis-host", "127.0.0.1"];
    let json =
        run(&[&arguments[..], &["--redis-port", &port, "--home", home.to_str().unwrap()]].concat(), &[], "").json();
    let findings: Vec<_> = json["findings"].as_array().unwrap().iter().filter(|own| own["status"] == "pass").collect();
    assert_eq!(
        findings[0]["title"], "queue p0 (High; CloudWatch and Stackdriver: Immediate) has 7 elements",
        "{json:#}"
    );
    assert_eq!(findings[1]["title"], "queue p1 (Medium; CloudWatch and Stackdriver: High Priority) has 3 elements");
    let evidence = &findings[1]["evidence"];
    assert_eq!(
        (&evidence["priority"], &evidence["monitored_as"]),
        (&"Medium".into(), &"High Priority".into()),
        "{json:#}"
    );
    assert!(run(&["check", "--explain", "queue-waiting"], &[], "").ok().stdout.contains("High Priority"));
}
