use std::io::Write;

use super::*;
use crate::check::runtime::testing::{Checked, Double, spec};
use crate::check::runtime::text::compose;
use crate::host::MemoryHost;
use crate::net::testing::{brief, closed_port, end, hear, hold, patient, serve};
use crate::product::Place;
use crate::product::interface::{Answer, ask};

/// Says this to each request and goes.
fn says(answer: &'static [u8]) -> u16 {
    serve(move |mut stream| {
        hear(&mut stream);
        let _ = stream.write_all(answer);
        end(&mut stream);
    })
}

fn of(port: u16, time: Time) -> Finding {
    let place = Place {
        live: true,
        prod_env: true,
        compose: vec!["docker-compose.yml".to_owned()],
        program: Some("docker-compose".to_owned()),
        ..Place::default()
    };
    let asked = ask("127.0.0.1".to_owned(), port, time);
    let facts = InterfaceFacts { place, asked: Some(asked), not_here: false };
    let facts: InterfaceFacts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
    Check::judge(&Interface, &facts, &spec()).remove(0)
}

#[test]
fn each_answer_has_its_meaning() {
    for (answer, status, words) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}"[..], Status::Pass, "answers"),
        (b"HTTP/1.1 200 OK\r\n\r\n", Status::Pass, "answers"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx", Status::Warn, "web page"),
        (b"HTTP/1.1 200 OK\r\n\r\n<!DOCTYPE html><p>", Status::Warn, "web page"),
        (b"HTTP/1.1 302 Found\r\nLocation: /setup\r\n\r\n", Status::Warn, "first set-up"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x:8001/setup?a\r\n\r\n", Status::Warn, "first set-up"),
        (b"HTTP/1.1 301 M\r\nLocation: https://ics.corp.example/Status\r\n\r\n", Status::Warn, "redirects"),
        (b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\n\r\n", Status::Fail, "web server in front"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Status::Fail, "no /Status"),
        (b"HTTP/1.1 500 E\r\n\r\n", Status::Fail, "error of its own"),
        (b"HTTP/1.1 418 T\r\n\r\n", Status::Fail, "418"),
        (b"\x15\x03\x01\x00\x02\x02\x46", Status::Fail, "speaks TLS"),
        (b"SSH-2.0-OpenSSH_9\r\n", Status::Fail, "no web server"),
        (b"", Status::Fail, "no answer"),
    ] {
        let finding = of(says(answer), patient());
        assert_eq!(finding.status, status, "{finding:#?}");
        assert!(finding.title.contains(words), "{words}: {finding:#?}");
        assert!(status == Status::Pass || !finding.fix.is_empty(), "{finding:#?}");
        assert!(finding.duration_ms.is_some());
    }
}

#[test]
fn peers_that_hang_or_flood_end_in_time() {
    for half in [&b""[..], b"HTTP/1.1 200"] {
        let port = serve(move |mut stream| {
            let _ = stream.write_all(half);
            hold(&mut stream);
        });
        assert!(of(port, brief()).title.contains("no answer"));
    }
    // What pours out is not waited for.
    for more in [&b"HTTP/1.1 200 OK\r\nA: xxxxxxxxxxxxxxxxxxxxxxxxxxx"[..], &[b'x'; 48]] {
        let port = serve(move |mut stream| while stream.write_all(more).is_ok() {});
        assert!(of(port, patient()).title.contains("no web server"));
    }
    let port = closed_port();
    assert_eq!(of(port, patient()).title, format!("nothing listens on port {port}"));
}

#[test]
fn a_slow_answer_is_a_warning_and_a_location_is_cleaned() {
    let asked = |took_ms, location: Option<&str>| Asked {
        address: "::1".to_owned(),
        port: 8001,
        took_ms,
        answer: Ok(Answer {
            status: if location.is_some() { 302 } else { 200 },
            location: location.map(str::to_owned),
            ..Answer::default()
        }),
    };
    assert_eq!(verdict(&asked(5001, None), &compose()).title, "the web interface is slow: 5.0 s");
    assert_eq!(url(&asked(1, None)), "http://[::1]:8001/Status");
    let finding = of(says(b"HTTP/1.1 302 F\r\nLocation: http://u:S3cret@h/\r\n\r\n"), patient());
    assert!(!format!("{finding:?}").contains("S3cret"));
}

#[test]
fn the_compose_file_says_where_and_whether() {
    let port = says(b"HTTP/1.1 200 OK\r\n\r\n");
    let files = MemoryHost::new();
    let text = format!("services:\n  interfaceserver:\n    ports:\n      - \"127.0.0.1:{port}:8001\"\n");
    files.put("/divvycloud/docker-compose.yml", text.as_bytes());
    let finding = Double::with(files).check(&Interface).remove(0);
    assert_eq!(
        (finding.status, &finding.evidence["url"]),
        (Status::Pass, &serde_json::Value::from(format!("http://127.0.0.1:{port}/Status")))
    );
    let files = MemoryHost::new();
    files.put("/divvycloud/docker-compose.yml", b"services:\n  worker:\n    scale: 8\n");
    let finding = Double::with(files).check(&Interface).remove(0);
    assert_eq!((finding.status, finding.title.as_str()), (Status::Skip, "this host runs no web interface"));
}
