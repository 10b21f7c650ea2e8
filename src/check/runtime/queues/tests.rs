use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use super::*;
use crate::check::runtime::double::{Double, NOW, spec};
use crate::check::spec::{Limits, Secrets};
use crate::finding::Status;
use crate::host::MemoryHost;
use crate::net::testing::{brief, hold, patient};
use crate::settings::Secret;

/// A server that answers each command by `answer`, until that gives nothing.
fn server(answer: impl Fn(&[String]) -> Option<Vec<u8>> + Send + 'static) -> CheckSpec {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut spec = spec();
    spec.limits = Limits::default();
    spec.redis.as_mut().unwrap().at.port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
            let count: usize = line.trim().trim_start_matches('*').parse().unwrap();
            let mut words = Vec::new();
            for _ in 0..count {
                line.clear();
                reader.read_line(&mut line).unwrap();
                let mut word = vec![0; line.trim().trim_start_matches('$').parse::<usize>().unwrap() + 2];
                reader.read_exact(&mut word).unwrap();
                words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
            }
            line.clear();
            let Some(bytes) = answer(&words) else { return hold(&mut writer) };
            if writer.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    spec
}

fn check(spec: &CheckSpec, secrets: &Secrets) -> (QueuesFacts, Vec<Finding>) {
    check_within(patient(), spec, secrets)
}

fn check_within(time: Time, spec: &CheckSpec, secrets: &Secrets) -> (QueuesFacts, Vec<Finding>) {
    let facts = Double::installed().within(time, &Queues, spec, secrets);
    let findings = Check::judge(&Queues, &facts, spec);
    (facts, findings)
}

fn scripted(words: &[String]) -> Option<Vec<u8>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let element = format!("{{\"timestamp\": {}}}", NOW - 7200);
    let text = match words.as_slice() {
        ["AUTH", "S3cret"] => "+OK\r\n".to_owned(),
        ["DBSIZE"] => ":7\r\n".to_owned(),
        ["EXISTS", "p0"] => ":1\r\n".to_owned(),
        ["EXISTS", _] => ":0\r\n".to_owned(),
        ["SCAN", "0", ..] => {
            "*2\r\n$2\r\n17\r\n*3\r\n$9\r\nqueue:p1!\r\n$5\r\ngrp10\r\n$10\r\njobs:p2:ok\r\n".to_owned()
        }
        ["SCAN", "17", ..] => "*2\r\n$1\r\n0\r\n*0\r\n".to_owned(),
        ["TYPE", "p0"] => "+list\r\n".to_owned(),
        ["TYPE", "queue:p1!"] => "+zset\r\n".to_owned(),
        ["TYPE", _] => "+hash\r\n".to_owned(),
        ["LLEN", _] => ":500\r\n".to_owned(),
        ["ZCARD", _] => ":3\r\n".to_owned(),
        ["LINDEX", _, "0"] => "$-1\r\n".to_owned(),
        ["LINDEX", ..] => format!("${}\r\n{element}\r\n", element.len()),
        ["ZRANGE", ..] => "*2\r\n$1\r\nx\r\n$1\r\n5\r\n".to_owned(),
        _ => "-ERR unknown\r\n".to_owned(),
    };
    Some(text.into_bytes())
}

#[test]
fn queues_are_found_counted_and_aged() {
    let secrets = Secrets { redis: Some(Secret::new("S3cret")), ..Secrets::default() };
    let (facts, findings) = check(&server(scripted), &secrets);
    assert!(!serde_json::to_string(&facts).unwrap().contains("S3cret"));
    let told: Vec<_> = findings.iter().map(|finding| (finding.status, finding.title.as_str())).collect();
    assert_eq!(
        told,
        [(Status::Warn, "queue p0 (immediate) is long: 500 waiting"), (Status::Pass, "queue p1 (high) is worked off"),]
    );
    assert_eq!(
        findings[0].observed.as_deref(),
        Some("500 waiting in the list p0, the oldest for 2 h (since 2026-11-21T18:01:02Z)")
    );
    assert_eq!(findings[1].observed.as_deref(), Some("3 waiting in the zset queue:p1!, age not readable"));
    assert_eq!(findings[0].evidence["age_seconds"], 7200);
}

#[test]
fn refusals_and_broken_conversations_are_told_and_never_fail_here() {
    let all = |answer: &'static [u8]| move |_: &[String]| Some(answer.to_vec());
    let first = |spec: CheckSpec| check(&spec, &Secrets::default()).1.remove(0);
    for (spec, words) in [
        (server(all(b"-NOAUTH Authentication required.\r\n")), "does not let this login read them (NOAUTH)"),
        (server(all(b"-LOADING Redis is loading\r\n")), "PING with LOADING"),
        (server(all(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "not of this protocol"),
        (server(all(b"+OK\r\n")), "SCAN gave an answer of another form"),
        (server(all(b"*2\r\n$1\r\nx\r\n*0\r\n")), "SCAN gave an answer of another form"),
        (server(all(b":0\r\n")), "SCAN gave an answer of another form"),
    ] {
        let finding = first(spec);
        assert_eq!(finding.status, Status::Skip, "{finding:#?}");
        assert!(finding.observed.as_ref().unwrap().contains(words), "{words}: {finding:#?}");
    }
    let mut nothing = spec();
    nothing.redis = None;
    assert_eq!(first(nothing.clone()).observed.as_deref(), Some("nothing says where Redis is"));
    assert!(
        Check::judge(
            &Queues,
            &Double::with(MemoryHost::new()).collect(&Queues, &nothing, &Secrets::default()),
            &nothing
        )
        .is_empty()
    );
}

#[test]
fn a_walk_without_end_and_a_silent_server_end_in_time() {
    // SCAN never comes to an end, and names more queues than there can be.
    let endless = |words: &[String]| match words[0].as_str() {
        "SCAN" => {
            let keys: String = (0..500).map(|n| format!("$7\r\nq{n:03}:p1\r\n")).collect();
            Some(format!("*2\r\n$2\r\n99\r\n*500\r\n{keys}").into_bytes())
        }
        "TYPE" => Some(b"+list\r\n".to_vec()),
        _ => Some(b":5\r\n".to_vec()),
    };
    let (facts, _) = check(&server(endless), &Secrets::default());
    let Some(Ok(seen)) = facts.redis else { panic!("{:?}", facts.redis) };
    assert!(!seen.complete && seen.queues.len() <= 64 && seen.stopped.is_some_and(|why| why.contains("larger than")));
    let (facts, findings) = check_within(brief(), &server(|_| None), &Secrets::default());
    assert!(matches!(facts.redis, Some(Err(Unasked::NetError { trouble: NetError::Silent { .. } }))));
    assert_eq!(findings[0].status, Status::Skip);
}

#[test]
fn judged_by_level() {
    let queue = |level: &str, waiting, age: Option<u64>| Queue {
        level: level.to_owned(),
        key: level.to_owned(),
        kind: "list".to_owned(),
        waiting,
        oldest: age.map(|age| NOW - age),
    };
    for (one, status, words) in [
        (queue("p0", 0, None), Status::Pass, "worked off"),
        (queue("p0", 100, Some(300)), Status::Pass, "worked off"),
        (queue("p0", 101, None), Status::Warn, "long: 101"),
        (queue("p0", 1, Some(301)), Status::Warn, "stands still: the oldest job waits for 5 min"),
        (queue("p2", 5000, Some(3600)), Status::Pass, "worked off"),
    ] {
        let place = Place { live: true, prod_env: true, compose: Vec::new(), ..Place::default() };
        let seen = Seen { keys: Some(1), complete: true, stopped: None, queues: vec![one, queue("p9", 1, None)] };
        let findings = judge::judge_queues(&QueuesFacts { place, redis: Some(Ok(seen)), now: NOW }, &spec());
        assert_eq!((findings.len(), findings[0].status), (1, status), "{findings:#?}");
        assert!(findings[0].title.contains(words), "{findings:#?}");
    }
}
