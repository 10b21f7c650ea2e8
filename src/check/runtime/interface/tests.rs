use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::*;
use crate::check::runtime::double::{Double, want};
use crate::host::MemoryHost;

fn time() -> Time {
    Time::new(Duration::from_millis(500), Duration::from_millis(900))
}

/// A listener that says this, over and over where `flood`, and then holds the line.
fn peer(says: &'static [u8], flood: bool, hold: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        if !hold || !says.is_empty() {
            let _ = stream.read(&mut [0; 1024]);
        }
        while stream.write_all(says).is_ok() && flood {}
        if hold {
            thread::sleep(Duration::from_secs(3));
        }
    });
    port
}

fn of(port: u16) -> Finding {
    let place =
        Place { live: true, prod_env: true, compose: vec!["docker-compose.yml".to_owned()], ..Place::default() };
    let asked = ask("127.0.0.1".to_owned(), port, time());
    let facts = Facts { place, asked: Some(asked), not_here: false };
    let facts: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
    judge(&facts, &want()).remove(0)
}

#[test]
fn each_answer_has_its_meaning() {
    for (says, status, words) in [
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
        let finding = of(peer(says, false, false));
        assert_eq!(finding.status, status, "{finding:#?}");
        assert!(finding.title.contains(words), "{words}: {finding:#?}");
        assert!(status == Status::Pass || !finding.fix.is_empty(), "{finding:#?}");
        assert!(finding.duration_ms.is_some());
    }
}

#[test]
fn peers_that_hang_or_flood_end_in_time() {
    let began = Instant::now();
    assert!(of(peer(b"", false, true)).title.contains("no answer"));
    assert!(of(peer(b"HTTP/1.1 200", false, true)).title.contains("no answer"));
    assert!(
        of(peer(b"HTTP/1.1 200 OK\r\nA: xxxxxxxxxxxxxxxxxxxxxxxxxxx", true, false)).title.contains("no web server")
    );
    assert!(of(peer(b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", true, false)).title.contains("no web server"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(of(port).title, format!("nothing listens on port {port}"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
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
    assert_eq!(verdict(&asked(5001, None), "dc").title, "the web interface is slow: 5.0 s");
    assert_eq!(url(&asked(1, None)), "http://[::1]:8001/Status");
    let finding = of(peer(b"HTTP/1.1 302 F\r\nLocation: http://u:S3cret@h/\r\n\r\n", false, false));
    assert!(!format!("{finding:?}").contains("S3cret"));
}

#[test]
fn the_compose_file_says_where_and_whether() {
    let port = peer(b"HTTP/1.1 200 OK\r\n\r\n", false, false);
    let files = MemoryHost::new();
    let text = format!("services:\n  interfaceserver:\n    ports:\n      - \"127.0.0.1:{port}:8001\"\n");
    files.put("/divvycloud/docker-compose.yml", text.as_bytes());
    let finding = Double::with(files).check(&Interface).remove(0);
    assert_eq!(
        (finding.status, &finding.evidence["url"]),
        (Status::Pass, &format!("http://127.0.0.1:{port}/Status").into())
    );
    let files = MemoryHost::new();
    files.put("/divvycloud/docker-compose.yml", b"services:\n  worker:\n    scale: 8\n");
    let finding = Double::with(files).check(&Interface).remove(0);
    assert_eq!((finding.status, finding.title.as_str()), (Status::Skip, "this host runs no web interface"));
}
