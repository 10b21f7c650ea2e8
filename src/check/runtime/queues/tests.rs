use std::io::{BufRead, BufReader, Read, Write};

use super::*;
use crate::check::runtime::testing::{Checked, Double, spec};
use crate::check::spec::{Limits, Secrets};
use crate::finding::Status;
use crate::host::MemoryHost;
use crate::net::NetError;
use crate::net::testing::{brief, hold, patient, serve};
use crate::settings::Secret;

/// A server that answers each command by `answer`, until that gives nothing.
fn server(answer: impl Fn(&[String]) -> Option<Vec<u8>> + Send + Sync + 'static) -> CheckSpec {
    let mut spec = spec();
    spec.limits = Limits::default();
    spec.redis.as_mut().unwrap().at.port = serve(move |stream| {
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
    let text = match words.as_slice() {
        ["AUTH", "S3cret"] => "+OK\r\n",
        ["DBSIZE"] => ":7\r\n",
        ["SCAN", "0", "MATCH", "divvy:*", ..] => "*2\r\n$2\r\n17\r\n*2\r\n$11\r\ndivvy:jobs!\r\n$10\r\ndivvy:hash\r\n",
        ["SCAN", "17", ..] => "*2\r\n$1\r\n0\r\n*1\r\n$11\r\ndivvy:jobs!\r\n",
        ["LLEN", "p0"] => ":500\r\n",
        ["LLEN", "divvy:jobs!"] => ":1\r\n",
        ["LLEN", "p3" | "divvy:hash"] => "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        ["LLEN", _] => ":0\r\n",
        _ => "-ERR unknown\r\n",
    };
    Some(text.as_bytes().to_vec())
}

#[test]
fn lists_that_are_the_products_by_name_are_counted() {
    let secrets = Secrets { redis: Some(Secret::new("S3cret")), ..Secrets::default() };
    let (facts, findings) = check(&server(scripted), &secrets);
    assert!(!serde_json::to_string(&facts).unwrap().contains("S3cret"));
    let told: Vec<_> = findings.iter().map(|finding| (finding.status, finding.title.as_str())).collect();
    assert_eq!(
        told,
        [
            (Status::Pass, "queue p0 (High; CloudWatch and Stackdriver: Immediate) has 500 elements"),
            (Status::Pass, "the list divvy:jobs! has 1 element")
        ]
    );
    assert_eq!(findings[0].evidence["waiting"], 500);
    assert!(findings[0].observed.as_ref().is_some_and(|text| text.starts_with("500 elements in the list p0 in Redis")));
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
            let keys: String = (0..500).map(|n| format!("$9\r\ndivvy:{n:03}\r\n")).collect();
            Some(format!("*2\r\n$2\r\n99\r\n*500\r\n{keys}").into_bytes())
        }
        _ => Some(b":5\r\n".to_vec()),
    };
    let (facts, _) = check(&server(endless), &Secrets::default());
    let Some(Ok(seen)) = facts.redis else { panic!("{:?}", facts.redis) };
    assert!(
        !seen.complete
            && seen.queues.len() <= 64
            && matches!(seen.stopped, Some(Unasked::NetError { error: NetError::TooMuch { .. } }))
    );
    let (facts, findings) = check_within(brief(), &server(|_| None), &Secrets::default());
    assert!(matches!(facts.redis, Some(Err(Unasked::NetError { error: NetError::Silent { .. } }))));
    assert_eq!(findings[0].status, Status::Skip);
}
