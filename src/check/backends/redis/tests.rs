use std::io::{BufRead, BufReader, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use super::*;
use crate::check::backends::peer::*;
use crate::finding::Status::{Fail, Pass, Skip, Warn};
use crate::net::{NetError, Reason};
use crate::redis::RedisAnswers;
use crate::settings::Deployment;

const FIVE: &str = "redis_version:5.0.6\r\nredis_mode:standalone\r\nrole:master\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nused_memory:1000000\r\nevicted_keys:0\r\nrdb_last_bgsave_status:ok\r\naof_last_write_status:ok\r\naof_enabled:0\r\nrdb_changes_since_last_save:3\r\n";

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// A server that answers by the words of each command: the first rule that fits, each as often as it is asked.
fn server(rules: &[(&str, String)]) -> (Peer, Arc<Mutex<String>>) {
    let rules: Vec<(String, String)> =
        rules.iter().map(|(words, answer)| ((*words).to_owned(), answer.clone())).collect();
    let heard = Arc::new(Mutex::new(String::new()));
    let ears = heard.clone();
    let peer = Peer::new(move |stream, _| {
        let mut writer = stream.try_clone().unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut logged_in = false;
        while let Some(Ok(head)) = lines.next() {
            let Ok(count) = head.trim_start_matches('*').parse::<usize>() else { return };
            let words: Vec<String> = (0..count).filter_map(|_| lines.nth(1)?.ok()).collect();
            let said = format!("{}{}", if logged_in { "@" } else { "" }, words.join(" "));
            ears.lock().unwrap().push_str(&said);
            let Some((_, answer)) = rules.iter().find(|(words, _)| said.starts_with(words)) else { return };
            logged_in |= said.starts_with("AUTH") && answer.starts_with("+OK");
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    (peer, heard)
}

const NOAUTH: &str = "-NOAUTH Authentication required.\r\n";
const HELLO_6: &str = "-NOAUTH HELLO must be called with the client already authenticated\r\n";
const HELLO_5: &str = "-ERR unknown command `HELLO`, with args beginning with: \r\n";
const HELLO_LIST: &str = "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:5\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";

/// Rules, is a password known, the findings expected, and words in the first one of them that does not pass.
type Case<'a> = (&'a [(&'a str, String)], bool, &'a [(&'a str, crate::finding::Status)], &'a str);

#[test]
fn every_situation_gets_its_findings() {
    let info = |text: &str| bulk(text);
    let said = |text: &str| text.to_owned();
    let cases: &[Case<'_>] = &[
        (
            &[("INFO", info(FIVE))],
            false,
            &[
                ("redis-version", Pass),
                ("redis-login", Pass),
                ("redis-mode", Pass),
                ("redis-memory", Pass),
                ("redis-persistence", Pass),
            ],
            "",
        ),
        (
            &[("INFO", said(NOAUTH)), ("HELLO", said(HELLO_6))],
            false,
            &[("redis-login", Fail), ("redis-version", Warn)],
            "--redis-password-file",
        ),
        (
            &[("INFO", said(NOAUTH)), ("HELLO", said(HELLO_5))],
            false,
            &[("redis-login", Fail), ("redis-version", Skip)],
            "--redis-password-file",
        ),
        (
            &[("INFO", said(NOAUTH)), ("HELLO", said(HELLO_5)), ("AUTH", said("+OK\r\n")), ("@INFO", info(FIVE))],
            true,
            &[("redis-version", Pass), ("redis-login", Pass)],
            "",
        ),
        (
            &[
                ("INFO", said(NOAUTH)),
                ("HELLO", said(HELLO_6)),
                ("AUTH", said("-WRONGPASS invalid username-password pair or user is disabled.\r\n")),
            ],
            true,
            &[("redis-login", Fail), ("redis-version", Warn)],
            "refuses the password",
        ),
        (
            &[("INFO", said(NOAUTH)), ("HELLO", said(HELLO_5)), ("AUTH", said("-ERR invalid password\r\n"))],
            true,
            &[("redis-login", Fail), ("redis-version", Skip)],
            "refuses the password",
        ),
        (
            &[("INFO", info(FIVE)), ("AUTH", said("-ERR Client sent AUTH, but no password is set\r\n"))],
            true,
            &[("redis-login", Warn), ("redis-version", Pass)],
            "has no password",
        ),
        (
            &[
                ("INFO", info(FIVE)),
                (
                    "AUTH",
                    said(
                        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n",
                    ),
                ),
            ],
            true,
            &[("redis-login", Warn)],
            "has no password",
        ),
        (
            &[
                ("INFO", said(NOAUTH)),
                ("HELLO", said(HELLO_6)),
                ("AUTH", said("+OK\r\n")),
                ("@INFO", said("-NOPERM this user has no permissions to run the 'info' command\r\n")),
                ("@HELLO 2", said(HELLO_LIST)),
            ],
            true,
            &[("redis-version", Warn), ("redis-login", Pass), ("redis-mode", Pass), ("redis-memory", Skip)],
            "7.0.15",
        ),
        (
            &[
                ("INFO", said("-NOPERM this user has no permissions to run the 'info' command\r\n")),
                ("HELLO", said(HELLO_LIST)),
            ],
            false,
            &[("redis-version", Warn), ("redis-login", Pass)],
            "7.0.15",
        ),
        (
            &[("INFO", said("-ERR max number of clients reached\r\n"))],
            true,
            &[("redis-reachable", Pass), ("redis-login", Fail)],
            "maxclients",
        ),
        (
            &[("INFO", said("-DENIED Redis is running in protected mode because protected mode is enabled\r\n"))],
            true,
            &[("redis-login", Fail)],
            "requirepass",
        ),
        (
            &[("INFO", said("-LOADING Redis is loading the dataset in memory\r\n"))],
            true,
            &[("redis-login", Fail)],
            "--wait 5m",
        ),
        (&[("INFO", said("-ERR unknown command\r\n"))], true, &[("redis-login", Fail)], "refuses INFO"),
        (
            &[("INFO", info("redis_version:7.0.15\r\nredis_mode:sentinel\r\n"))],
            false,
            &[("redis-mode", Fail), ("redis-version", Warn)],
            "7.0.15",
        ),
        (
            &[("INFO", info("redis_version:5.0.6\r\nredis_mode:cluster\r\nrole:master\r\n"))],
            false,
            &[("redis-mode", Warn)],
            "cluster mode",
        ),
        (
            &[("INFO", info("redis_version:5.0.6\r\nredis_mode:standalone\r\nrole:slave\r\n"))],
            false,
            &[("redis-mode", Fail)],
            "is a replica",
        ),
        (
            &[("INFO", info("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n"))],
            false,
            &[("redis-version", Warn)],
            "Valkey 9.1.2",
        ),
        (&[("INFO", info(&FIVE.replace("noeviction", "allkeys-lru")))], false, &[("redis-memory", Warn)], "noeviction"),
        (
            &[("INFO", info(&FIVE.replace("evicted_keys:0", "evicted_keys:17")))],
            false,
            &[("redis-memory", Warn)],
            "thrown keys away",
        ),
        (
            &[("INFO", info(&FIVE.replace("maxmemory:0", "maxmemory:1000001")))],
            false,
            &[("redis-memory", Warn)],
            "nearly full",
        ),
        (
            &[("INFO", info(&FIVE.replace("bgsave_status:ok", "bgsave_status:err")))],
            false,
            &[("redis-persistence", Fail)],
            "cannot write",
        ),
        (&[("INFO", info(&FIVE.replace("5.0.6", "4.0.10")))], false, &[("redis-version", Fail)], "4.0.10"),
    ];
    for (rules, password, expected, words) in cases {
        let (peer, heard) = server(rules);
        let spec = want_redis(peer.port, None);
        let facts = collect(&Redis, &spec, *password, PATIENT, None);
        let findings = judged(&Redis, &facts, &spec);
        for (id, wanted) in *expected {
            assert_eq!(status(&findings, id), *wanted, "{words} {rules:?}: {findings:?}");
        }
        let worst = findings.iter().filter(|finding| finding.status != Pass).map(text).collect::<Vec<_>>().join("\n");
        assert!(worst.contains(words), "{words}: {worst}");
        assert_eq!(words.is_empty(), worst.is_empty(), "{worst}");
        assert_eq!(heard.lock().unwrap().contains("AUTH"), *password && rules.len() > 1, "{rules:?}");
    }
}

#[test]
fn a_server_of_a_newer_release_is_right_for_a_newer_product() {
    let (peer, _) = server(&[("INFO", bulk("redis_version:7.1.2\r\n"))]);
    let mut spec = want_redis(peer.port, Some(false));
    spec.release = Some("25.1".to_owned());
    let facts = collect(&Redis, &spec, false, PATIENT, None);
    assert_eq!(status(&judged(&Redis, &facts, &spec), "redis-version"), Pass);
    spec.release = Some("22.3".to_owned());
    assert_eq!(status(&judged(&Redis, &facts, &spec), "redis-version"), Warn);
}

#[test]
fn the_container_of_a_test_drive_is_not_held_to_a_version() {
    for (version, container, expected) in [("7.0.15", true, Skip), ("7.0.15", false, Warn), ("5.0.6", true, Pass)] {
        let (peer, _) = server(&[("INFO", bulk(&format!("redis_version:{version}\r\n")))]);
        let mut spec = want_redis(peer.port, Some(false));
        spec.deployment = Deployment::TestDrive;
        spec.redis.as_mut().unwrap().at.container = container;
        let findings = judged(&Redis, &collect(&Redis, &spec, false, PATIENT, None), &spec);
        let found = the(&findings, "redis-version");
        assert_eq!(found.status, expected, "{found:?}");
        assert_eq!(text(found).contains("move the queues"), expected == Warn, "{found:?}");
    }
}

#[test]
fn other_and_hostile_servers_end_in_time_and_stay_small() {
    for (peer, millis, words) in [
        (Peer::saying(b"SSH-2.0-OpenSSH_9.2p1\r\n"), PATIENT, "SSH"),
        (Peer::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), PATIENT, "HTTP"),
        (Peer::new(|stream, _| drop(stream)), PATIENT, "load balancer"),
        (Peer::saying(b""), BRIEF, "no reply to INFO"),
        (Peer::dripping(b"$9000\r\n"), BRIEF, "within"),
        (Peer::pouring(b"$999999999\r\n"), PATIENT, "larger than"),
        (Peer::pouring(b"*999999999\r\n"), PATIENT, "malformed"),
        (Peer::pouring(b""), PATIENT, "begins with"),
    ] {
        let spec = want_redis(peer.port, None);
        let facts = collect(&Redis, &spec, true, millis, None);
        let findings = judged(&Redis, &facts, &spec);
        assert!(findings.iter().any(|finding| finding.status == Fail), "{findings:?}");
        let all = findings.iter().map(text).collect::<Vec<_>>().join("\n");
        assert!(all.contains(words), "{words}: {all}");
        assert!(peer.sent.load(Ordering::SeqCst) < 16 << 20, "the rest of a flood is not taken");
    }
}

#[test]
fn nothing_secret_is_said_before_a_redis_has_answered() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    let peer = Peer::new(move |mut stream, _| {
        use std::io::Read;
        let mut buffer = [0; 4096];
        while let Ok(count) = stream.read(&mut buffer) {
            if count == 0 {
                return;
            }
            ears.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    });
    for tls in [None, Some(true), Some(false)] {
        let spec = want_redis(peer.port, tls);
        let findings = judged(&Redis, &collect(&Redis, &spec, true, BRIEF, None), &spec);
        assert_eq!(findings[0].status, Fail);
    }
    assert!(!String::from_utf8_lossy(&heard.lock().unwrap()).contains(PASSWORD));
}

#[test]
fn tls_faults_and_what_was_not_looked_at_say_what_to_do() {
    let spec = want_redis(6379, Some(true));
    let broken = |error| RedisFacts { tls: Some(RedisAnswers::broken(error)), ..RedisFacts::default() };
    for (facts, id, words) in [
        (broken(NetError::Untrusted { why: Reason::UnknownIssuer.into() }), "redis-tls", "update-ca-certificates"),
        (broken(NetError::Silent { millis: 9800 }), "redis-tls", "--redis-tls=false"),
        (broken(NetError::Refused), "redis-reachable", "nothing listens"),
    ] {
        let findings = judged(&Redis, &facts, &spec);
        assert_eq!(status(&findings, id), Fail);
        assert!(text(the(&findings, id)).contains(words), "{findings:?}");
    }
    let unasked = want_redis(6379, None);
    let both = RedisFacts {
        plain: Some(RedisAnswers::broken(NetError::Reset)),
        tls: Some(RedisAnswers { replied: true, cipher: Some("TLSv1_3".to_owned()), ..RedisAnswers::default() }),
        openssl: None,
    };
    let findings = judged(&Redis, &both, &unasked);
    assert_eq!(status(&findings, "redis-tls"), Warn);
    assert!(text(the(&findings, "redis-tls")).contains("reconfigure --redis-tls"));
    let findings = judged(&Redis, &RedisFacts::default(), &want_without());
    assert_eq!(status(&findings, "redis-reachable"), Skip);
    let mut container = want_redis(6379, None);
    container.redis.as_mut().unwrap().at.host = "redis".to_owned();
    let facts = collect(&Redis, &container, true, BRIEF, None);
    assert_eq!(status(&judged(&Redis, &facts, &container), "redis-reachable"), Fail);
}

#[test]
fn what_says_nothing_of_a_redis_is_none_and_gets_no_password() {
    for answer in ["$4\r\nabcd\r\n", "$-1\r\n", ":1\r\n", "+OK\r\n", "*0\r\n"] {
        let (peer, heard) = server(&[("", answer.to_owned())]);
        let spec = want_redis(peer.port, Some(false));
        let findings = judged(&Redis, &collect(&Redis, &spec, true, PATIENT, None), &spec);
        assert_eq!(status(&findings, "redis-reachable"), Fail, "{answer:?}: {findings:?}");
        assert!(findings.iter().all(|finding| finding.status != Pass), "{findings:?}");
        assert!(!heard.lock().unwrap().contains("AUTH"));
    }
}

fn want_without() -> crate::check::spec::CheckSpec {
    crate::check::CheckSpec::default()
}
