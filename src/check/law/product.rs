//! Lists, and the product as it runs.

use super::super::CheckSpec;
use super::super::runtime;
use super::each_has_a_way_out;
use super::errors::errors;
use crate::docker::NoDocker;
use crate::lists::{Context as ListContext, Local, lint};
use crate::product::Place as Home;
use crate::product::containers::{ContainersFacts, One, Seen, Service, Wanted};

#[test]
fn whatever_stands_in_a_list_has_a_cause_and_a_way_out() {
    let lists = [
        "",
        "*",
        "a,*",
        "a b",
        "a, b",
        "a;b",
        "\"a\"",
        "*.corp.example",
        "*.intra",
        "10.",
        "10.0.0.0",
        "10.0.0.0/8",
        "fd00::/8",
        "[::1]",
        "db.corp:3306",
        "corp.example.",
        "http://a/",
        "amazonaws.com",
        "corp",
        "<local>",
        "10.0.0.1-10.0.0.9",
        "192.168.7.*",
        "(x)",
        "u:p@h",
        "%s",
    ];
    let direct = [crate::system::cloud::Direct { host: "169.254.170.2".to_owned(), of: "x".to_owned() }];
    for cloud in [None, Some("x")] {
        for local in [Local::No, Local::Seen("x:1"), Local::Certain] {
            let context = ListContext {
                clients: crate::clients::all().iter().filter(|client| client.reads_environment()).collect(),
                proxied: true,
                local,
                cloud,
                direct: &direct,
                required: &crate::network::catalogue::Needs::get().hosts,
                curl: Some("7.81.0"),
                limit: Some((20, "x")),
                whole: true,
                wanted: &[],
                writer: "prepare",
            };
            for lower in lists {
                each_has_a_way_out(&lint(Some(lower), Some(lower), &"x".into(), &context));
                each_has_a_way_out(&lint(Some(lower), Some("other.example"), &"x".into(), &context));
                each_has_a_way_out(&lint(None, Some(lower), &"x".into(), &context));
            }
        }
    }
}

/// The findings of the check of the group `runtime` with this name, of facts as they are saved.
fn of_runtime(name: &str, facts: &serde_json::Value) {
    let check = runtime::CHECKS.iter().find(|check| check.meta().name == name).unwrap();
    for release in [None, Some("22.3.9".to_owned())] {
        let spec = CheckSpec { release, ..CheckSpec::default() };
        each_has_a_way_out(&check.judge(facts, &spec).unwrap());
    }
}

#[test]
fn whatever_the_product_does_has_a_cause_and_a_way_out() {
    let place = |compose: &[&str], unreadable: Option<&str>| {
        serde_json::to_value(Home {
            live: true,
            prod_env: true,
            compose: compose.iter().map(|name| (*name).to_owned()).collect(),
            unreadable: unreadable.map(str::to_owned),
            ..Home::default()
        })
        .unwrap()
    };
    let installed = || place(&["docker-compose.yml"], None);
    for own in [installed(), place(&[], None), place(&[], Some("x"))] {
        of_runtime("product", &own);
    }
    let why = || "x".into();
    let no_docker = [
        NoDocker::Absent,
        NoDocker::Down { why: why() },
        NoDocker::Denied { why: why() },
        NoDocker::Late { millis: 1 },
        NoDocker::Odd { why: why() },
    ];
    for error in &no_docker {
        match error {
            NoDocker::Absent | NoDocker::Down { .. } | NoDocker::Denied { .. } => {}
            NoDocker::Late { .. } | NoDocker::Odd { .. } => {}
        }
        let facts = ContainersFacts { docker: Some(Err(error.clone())), ..ContainersFacts::default() };
        let mut facts = serde_json::to_value(facts).unwrap();
        facts["place"] = installed();
        of_runtime("containers", &facts);
    }
    let one = |status: &str| One {
        name: "x".to_owned(),
        status: status.to_owned(),
        repository: "divvycloud/divvycloud".to_owned(),
        tag: "latest".to_owned(),
        ..One::default()
    };
    let mut ones = vec![Vec::new(), vec![One { health: Some("unhealthy".to_owned()), ..one("running") }]];
    for status in ["created", "running", "paused", "restarting", "removing", "exited", "dead"] {
        for exit_code in [None, Some(0), Some(1), Some(125), Some(126), Some(127), Some(137), Some(139), Some(143)] {
            for oom_killed in [false, true] {
                ones.push(vec![One { exit_code, oom_killed, ..one(status) }]);
            }
        }
        ones.push(vec![one("running"), One { tag: "v1".to_owned(), ..one(status) }]);
        ones.push(vec![One { error: "x".into(), ..one(status) }]);
    }
    for containers in ones {
        for count in [0, 1, 2] {
            let services = vec![Service { name: "scheduler".to_owned(), containers: containers.clone() }];
            let services = if containers.is_empty() { Vec::new() } else { services };
            for wanted in [None, Some(vec![Wanted { service: "scheduler".to_owned(), count }])] {
                let seen = Seen { all: 2, unread: 1, services: services.clone(), wanted, ..Seen::default() };
                let facts = ContainersFacts { docker: Some(Ok(seen)), now: 9_000_000, ..ContainersFacts::default() };
                let mut facts = serde_json::to_value(facts).unwrap();
                facts["place"] = installed();
                of_runtime("containers", &facts);
            }
        }
    }
    let asked = |answer: serde_json::Value, took_ms: u64| {
        let asked = serde_json::json!({ "address": "127.0.0.1", "port": 8001, "took_ms": took_ms, "answer": answer });
        serde_json::json!({ "place": installed(), "asked": asked, "not_here": false })
    };
    for error in errors() {
        of_runtime("interface", &asked(serde_json::json!({ "Err": error }), 1));
    }
    for status in [200, 201, 301, 302, 400, 401, 403, 404, 418, 429, 500, 501, 502, 503, 504] {
        for (html, took_ms) in [(false, 1), (true, 1), (false, 60_000)] {
            for location in [None, Some("/setup"), Some("https://x/")] {
                let answer =
                    serde_json::json!({ "status": status, "html": html, "location": location, "server": null });
                of_runtime("interface", &asked(serde_json::json!({ "Ok": answer }), took_ms));
            }
        }
    }
}
