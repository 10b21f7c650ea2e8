use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use super::*;
use crate::check::backends::peer::*;
use crate::check::spec::Address;
use crate::finding::Status::{Fail, Pass, Skip, Warn};
use crate::mysql::packets::{greeting, packet};
use crate::mysql::{About, Clock, Database, Grant, Greeting, Refusal, There, TlsReason};
use crate::net::testing::TcpStream;
use crate::net::{NetError, Reason};
use crate::settings::Deployment;

fn of_57() -> Vec<u8> {
    packet(&greeting("5.7.44", 0xffff, 0xc1ff, "mysql_native_password"))
}

// ---------------------------------------------------------------- through the network

#[test]
fn greetings_are_judged_without_a_login() {
    for (bytes, verdict, words) in [
        (of_57(), Pass, "MySQL 5.7.44"),
        (packet(&greeting("8.0.36", 0xffff, 0xdfff, "caching_sha2_password")), Fail, "MySQL 8.0.36"),
        (packet(&greeting("5.7.12", 0xffff, 0x81ff, "mysql_native_password")), Pass, "MySQL 5.7.12"),
        (packet(&greeting("8.0.mysql_aurora.3.04.0", 0xffff, 0xdfff, "mysql_native_password")), Fail, "Aurora"),
        (packet(&greeting("5.7.44-48-log", 0xffff, 0xc1ff, "mysql_native_password")), Pass, "Percona Server"),
        (packet(&greeting("5.7.25-TiDB-v7.1.0", 0xa60f, 0x003a, "mysql_native_password")), Fail, "TiDB v7.1.0"),
    ] {
        let peer = Peer::saying(&bytes);
        let spec = want_mysql(peer.port, None, None);
        let facts = collect(&Mysql, &spec, false, PATIENT, None);
        let findings = judged(&Mysql, &facts, &spec);
        assert_eq!(status(&findings, "mysql-reachable"), Pass);
        assert_eq!(status(&findings, "mysql-login"), Skip);
        let version = the(&findings, "mysql-version");
        assert_eq!(version.status, verdict, "{words}");
        assert!(text(version).contains(words) && text(version).contains("advertised version"), "{}", text(version));
        // A finished greeting is not asked for again.
        assert!(Mysql.is_settled(&facts));
        let again = collect(&Mysql, &spec, false, PATIENT, Some(&facts));
        assert!(matches!(again.opening, Some(Opening::Greeting(_))));
        assert_eq!(peer.connections.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn errors_in_place_of_a_greeting_are_access_not_network() {
    for (code, id, words) in [
        (1040_u16, "mysql-capacity", "max_connections"),
        (1129, "mysql-login", "FLUSH HOSTS"),
        (1130, "mysql-login", "CREATE USER"),
    ] {
        let payload = [&[0xff][..], &code.to_le_bytes(), b"Host '10.0.0.1' says\x1b[2J no"].concat();
        let peer = Peer::saying(&packet(&payload));
        let spec = want_mysql(peer.port, Some("divvy"), None);
        let facts = collect(&Mysql, &spec, true, PATIENT, None);
        let findings = judged(&Mysql, &facts, &spec);
        assert_eq!(status(&findings, "mysql-reachable"), Pass, "{code}");
        assert_eq!(status(&findings, id), Fail);
        assert!(text(the(&findings, id)).contains(words), "{code}");
        // A host that is blocked does not knock again.
        collect(&Mysql, &spec, true, PATIENT, Some(&facts));
        assert_eq!(peer.connections.load(Ordering::SeqCst), if code == 1129 { 1 } else { 2 });
    }
}

#[test]
fn other_and_hostile_servers_end_in_time_and_stay_small() {
    let announced = [0xff, 0xff, 0, 0, 10];
    for (peer, millis, words) in [
        (Peer::saying(b"SSH-2.0-OpenSSH_9.2p1\r\n"), PATIENT, "SSH"),
        (Peer::saying(b"\x05\0\0\0\x0b\x08\x05\x1a\0"), PATIENT, "X protocol"),
        (Peer::saying(b"\x15\x03\x01\0\x02\x02\x46"), PATIENT, "TLS"),
        (Peer::new(|stream, _| drop(stream)), PATIENT, "load balancer"),
        (Peer::saying(b""), BRIEF, "reverse DNS"),
        (Peer::dripping(&announced), BRIEF, "within"),
        (Peer::pouring(&announced), PATIENT, "malformed"),
        (Peer::pouring(b""), PATIENT, "not MySQL"),
    ] {
        let spec = want_mysql(peer.port, Some("divvy"), None);
        let facts = collect(&Mysql, &spec, true, millis, None);
        let findings = judged(&Mysql, &facts, &spec);
        assert!(findings[1..].iter().all(|finding| finding.status == Skip), "{findings:?}");
        assert_eq!(findings[0].status, Fail);
        assert!(text(&findings[0]).contains(words), "{words}: {}", text(&findings[0]));
        assert!(peer.sent.load(Ordering::SeqCst) < 16 << 20, "the rest of a flood is not taken");
    }
}

fn read_packet(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let mut payload = vec![0; usize::from(u16::from_le_bytes([header[0], header[1]]))];
    stream.read_exact(&mut payload).ok()?;
    Some(payload)
}

/// Greets, takes the login with these answers, then answers each command by the same last one.
fn after_greeting(plugin: &'static str, answers: Vec<Vec<u8>>) -> (Peer, Arc<Mutex<Vec<u8>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    let peer = Peer::new(move |mut stream, sent| {
        let _ = stream.write_all(&packet(&greeting("5.7.44", 0xf7ff, 0xc1ff, plugin)));
        for answer in answers.iter().chain(std::iter::repeat(answers.last().unwrap())) {
            let Some(heard) = read_packet(&mut stream) else { return };
            ears.lock().unwrap().extend(heard);
            if stream.write_all(answer).is_err() {
                return;
            }
            sent.fetch_add(answer.len(), Ordering::SeqCst);
        }
    });
    (peer, heard)
}

#[test]
fn hostile_answers_after_the_login_end_too() {
    let ok = packet(&[0, 0, 0, 2, 0, 0, 0]);
    let endless = [1, 0, 0, 1, 1].iter().copied().chain(b"\x03\0\0\x02def".repeat(60_000)).collect::<Vec<_>>();
    for answer in [
        packet(&[0xfe, 0, 0, 0, 0, 0, 1, 0, 0]),
        packet(&[0xfb, b'/', b'e', b't', b'c']),
        packet(&[0xfc, 0xff, 0xff]),
        packet(&[]),
        b"\xff\xff\xff\0".to_vec(),
        b"garbage that is no packet at all, but long enough to look like one".repeat(2000),
        endless,
        vec![],
    ] {
        // Of the one that stays silent after the login it is the login that needs the time.
        let millis = if answer.is_empty() { 4000 } else { PATIENT };
        let (peer, _) = after_greeting("mysql_native_password", vec![ok.clone(), answer]);
        let spec = want_mysql(peer.port, Some("divvy"), None);
        let facts = collect(&Mysql, &spec, true, millis, None);
        let findings = judged(&Mysql, &facts, &spec);
        assert_eq!(status(&findings, "mysql-login"), Warn, "{findings:?}");
        assert!(text(the(&findings, "mysql-login")).contains("broke off"));
    }
    for answer in
        [packet(&[]), packet(&[0xfe]), packet(b"\xfedialog\0x"), packet(&[1, 4]), packet(&[7; 100]), vec![9; 300_000]]
    {
        let (peer, _) = after_greeting("mysql_native_password", vec![answer]);
        let spec = want_mysql(peer.port, Some("divvy"), None);
        let findings = judged(&Mysql, &collect(&Mysql, &spec, true, PATIENT, None), &spec);
        assert_eq!(status(&findings, "mysql-login"), Fail, "{findings:?}");
    }
}

#[test]
fn the_password_itself_never_travels_plain() {
    // `caching_sha2_password` asks for it; with no TLS on offer the check stops there.
    let (peer, heard) = after_greeting("caching_sha2_password", vec![packet(&[1, 4])]);
    let spec = want_mysql(peer.port, Some("divvy"), None);
    let findings = judged(&Mysql, &collect(&Mysql, &spec, true, PATIENT, None), &spec);
    assert_eq!(status(&findings, "mysql-tls"), Fail);
    // `mysql_clear_password` and PAM's `dialog` would have it as it is.
    for plugin in ["mysql_clear_password", "dialog"] {
        let switch = packet(&[&[0xfe], plugin.as_bytes(), &[0]].concat());
        let (peer, heard) = after_greeting("mysql_native_password", vec![switch]);
        let spec = want_mysql(peer.port, Some("divvy"), None);
        let findings = judged(&Mysql, &collect(&Mysql, &spec, true, PATIENT, None), &spec);
        assert!(text(the(&findings, "mysql-login")).contains(plugin));
        assert!(!String::from_utf8_lossy(&heard.lock().unwrap()).contains(PASSWORD));
    }
    // TLS that is wanted and not offered.
    let wanted = want_mysql(peer.port, Some("divvy"), Some(true));
    let findings = judged(&Mysql, &collect(&Mysql, &wanted, true, PATIENT, None), &wanted);
    assert_eq!(status(&findings, "mysql-tls"), Fail);
    assert!(!String::from_utf8_lossy(&heard.lock().unwrap()).contains(PASSWORD));
}

#[test]
fn what_is_slipped_in_before_tls_does_not_count() {
    // A greeting, and at once the answer to a login that was not asked for yet.
    let ok = [7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0];
    let peer = Peer::saying(&[of_57().as_slice(), &ok].concat());
    let spec = want_mysql(peer.port, Some("divvy"), Some(true));
    let findings = judged(&Mysql, &collect(&Mysql, &spec, true, PATIENT, None), &spec);
    assert_eq!(status(&findings, "mysql-tls"), Fail);
    assert!(findings.iter().all(|finding| finding.id != "mysql-login" || finding.status == Skip), "{findings:?}");
}

// ---------------------------------------------------------------- judging facts

fn about() -> About {
    let database = |name: &str| Database {
        name: name.to_owned(),
        there: There::Yes,
        charset: Some("latin1".to_owned()),
        collation: Some("latin1_swedish_ci".to_owned()),
    };
    let grants = [
        "GRANT RELOAD ON *.* TO 'divvy'@'%'",
        "GRANT ALL PRIVILEGES ON `divvy`.* TO 'divvy'@'%'",
        "GRANT ALL PRIVILEGES ON `divvykeys`.* TO 'divvy'@'%'",
    ];
    About {
        version: Some("5.7.44-log".to_owned()),
        account: Some("divvy@%".to_owned()),
        variables: [
            ("max_connections", "151"),
            ("version_comment", "MySQL Community Server (GPL)"),
            ("read_only", "OFF"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        clients: Some(10),
        databases: vec![database("divvy"), database("divvykeys")],
        grants: Some(grants.iter().filter_map(|line| Grant::parse(line)).collect()),
        clock: Some(Clock { before: 1000, server: 1000, after: 1100 }),
        ..About::default()
    }
}

fn facts(login: Option<Login>) -> MysqlFacts {
    let greeting = Greeting { version: "5.7.44-log".to_owned(), mysql_bit: true, offers_tls: true, plugin: None };
    MysqlFacts { opening: Some(Opening::Greeting(greeting)), opening_ms: 12, login, openssl: None }
}

#[test]
fn a_server_as_it_should_be_passes_throughout() {
    let spec = want_mysql(3306, Some("divvy"), None);
    let findings = judged(&Mysql, &facts(Some(Login::Open(Box::new(about())))), &spec);
    assert!(findings.iter().all(|finding| finding.status == Pass), "{findings:?}");
    let ids: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids.len(), 10);
    assert!(Mysql::META.ids.iter().all(|id| ids.contains(&id.as_str())), "{ids:?}");
}

#[test]
fn each_fault_of_a_server_is_one_finding() {
    type Change = fn(&mut About);
    let cases: &[(Change, &str, crate::finding::Status, &str)] = &[
        (|about| about.version = Some("8.0.36".to_owned()), "mysql-version", Fail, "MySQL 8.0.36"),
        (
            |about| drop(about.variables.insert("aria_block_size".to_owned(), "8192".to_owned())),
            "mysql-version",
            Fail,
            "MariaDB announcing 5.7.44",
        ),
        (
            |about| drop(about.variables.insert("aurora_version".to_owned(), "2.11.2".to_owned())),
            "mysql-version",
            Pass,
            "Aurora MySQL 2.11.2",
        ),
        (
            |about| about.databases[1].there = There::No,
            "mysql-databases",
            Fail,
            "CREATE DATABASE IF NOT EXISTS `divvykeys`;",
        ),
        (
            |about| about.databases[0].there = There::Hidden,
            "mysql-databases",
            Fail,
            "GRANT ALL ON `divvy`.* TO 'divvy'@'%';",
        ),
        (|about| about.databases[0].there = There::Unknown, "mysql-databases", Warn, "unknown"),
        (
            |about| drop(about.variables.insert("read_only".to_owned(), "ON".to_owned())),
            "mysql-writable",
            Fail,
            "SET GLOBAL read_only = OFF",
        ),
        (
            |about| drop(about.variables.insert("innodb_read_only".to_owned(), "ON".to_owned())),
            "mysql-writable",
            Fail,
            "innodb_read_only is on",
        ),
        (
            |about| drop(about.grants.as_mut().unwrap().remove(0)),
            "mysql-grants",
            Fail,
            "GRANT RELOAD ON *.* TO 'divvy'@'%';",
        ),
        (
            |about| drop(about.grants.as_mut().unwrap().remove(2)),
            "mysql-grants",
            Fail,
            "GRANT ALL ON `divvykeys`.* TO 'divvy'@'%';",
        ),
        (
            |about| {
                about.grants = Some(
                    ["GRANT USAGE ON *.* TO x", "GRANT `app`@`%` TO `divvy`@`%`"]
                        .iter()
                        .filter_map(|line| Grant::parse(line))
                        .collect(),
                );
            },
            "mysql-grants",
            Warn,
            "roles `app`@`%`",
        ),
        (
            |about| about.clock = Some(Clock { before: 0, server: 9000, after: 100 }),
            "mysql-clock",
            Warn,
            "8.9 s ahead of",
        ),
        (
            |about| about.clock = Some(Clock { before: 900_000, server: 0, after: 900_100 }),
            "mysql-clock",
            Fail,
            "behind",
        ),
        (|about| about.databases[1].charset = Some("utf8mb4".to_owned()), "mysql-charset", Warn, "utf8mb4"),
        (
            |about| drop(about.variables.insert("read_only".to_owned(), "ON".to_owned())),
            "mysql-writable",
            Fail,
            "replica",
        ),
        (
            |about| drop(about.variables.insert("innodb_read_only".to_owned(), "1".to_owned())),
            "mysql-writable",
            Fail,
            "primary",
        ),
        (|about| about.clients = Some(140), "mysql-capacity", Warn, "140 of 151"),
        (
            |about| (about.tls, about.tls_because) = (Some("TLSv1_3".to_owned()), Some(TlsReason::Required)),
            "mysql-tls",
            Warn,
            "reconfigure --mysql-tls",
        ),
        (
            |about| (about.tls, about.tls_because) = (Some("TLSv1_3".to_owned()), Some(TlsReason::Asked)),
            "mysql-tls",
            Pass,
            "encrypted",
        ),
        (|about| about.broke = Some(NetError::Reset), "mysql-login", Warn, "broke off"),
    ];
    for (change, id, expected, words) in cases {
        let mut about = about();
        change(&mut about);
        let spec = want_mysql(3306, Some("divvy"), None);
        let findings = judged(&Mysql, &facts(Some(Login::Open(Box::new(about)))), &spec);
        let finding = the(&findings, id);
        assert_eq!(finding.status, *expected, "{words}: {finding:?}");
        assert!(text(finding).contains(words), "{words}: {}", text(finding));
        let others = findings.iter().filter(|other| other.id != *id && !matches!(other.status, Pass | Skip)).count();
        assert_eq!(others, 0, "{words}: {findings:?}");
    }
}

#[test]
fn each_refusal_of_a_login_names_its_remedy() {
    for (code, id, words) in [
        (1045, "mysql-login", "--mysql-password-file"),
        (1044, "mysql-login", "GRANT ALL ON `divvy`.*"),
        (1049, "mysql-databases", "CREATE DATABASE IF NOT EXISTS `divvy`;"),
        (1251, "mysql-login", "mysql_native_password"),
        (3159, "mysql-tls", "reconfigure --mysql-tls"),
        (1040, "mysql-capacity", "max_connections"),
        (1129, "mysql-login", "FLUSH HOSTS"),
        (1130, "mysql-login", "CREATE USER 'divvy'@'<HOST>'"),
        (1698, "mysql-login", "auth_socket"),
        (3118, "mysql-login", "ACCOUNT UNLOCK"),
        (1862, "mysql-login", "expired"),
        (1203, "mysql-capacity", "MAX_USER_CONNECTIONS 0"),
        (9000, "mysql-login", "Azure"),
        (9001, "mysql-login", "ProxySQL"),
        (3955, "mysql-login", "wrong password"),
        (3032, "mysql-login", "offline_mode"),
        (9999, "mysql-login", "refuses the login"),
    ] {
        let spec = want_mysql(3306, Some("divvy"), None);
        let refusal = Refusal { code, message: "as the server has it".into() };
        let findings = judged(&Mysql, &facts(Some(Login::Refused { refusal, tls: false })), &spec);
        assert_eq!(status(&findings, id), Fail, "{code}");
        assert!(text(the(&findings, id)).contains(words), "{code}: {}", text(the(&findings, id)));
        assert_eq!(status(&findings, "mysql-version"), Pass);
    }
    for (error, tls, id, words) in [
        (NetError::Untrusted { why: Reason::UnknownIssuer.into() }, true, "mysql-tls", "update-ca-trust"),
        (
            NetError::Untrusted { why: Reason::OtherName { names: vec!["db".into()], address: false }.into() },
            true,
            "mysql-tls",
            "--mysql-host <NAME>",
        ),
        (NetError::Untrusted { why: Reason::Expired.into() }, true, "mysql-tls", "timedatectl"),
        (
            NetError::Tls { why: crate::net::TlsFault::Refused("InternalError".into()) },
            true,
            "mysql-tls",
            "server's log",
        ),
        (NetError::Closed, false, "mysql-login", "broke off"),
        (NetError::Silent { millis: 9000 }, false, "mysql-login", "--timeout"),
    ] {
        let spec = want_mysql(3306, Some("divvy"), Some(true));
        let findings = judged(&Mysql, &facts(Some(Login::Broken { error, tls })), &spec);
        assert_eq!(status(&findings, id), Fail, "{words}");
        assert!(text(the(&findings, id)).contains(words), "{words}: {}", text(the(&findings, id)));
    }
}

#[test]
fn what_was_not_looked_at_says_why() {
    let findings = judged(&Mysql, &MysqlFacts::default(), &CheckSpec::default());
    assert_eq!(status(&findings, "mysql-reachable"), Skip);
    assert!(text(&findings[0]).contains("--mysql-host <HOST>"));
    let mut container = want_mysql(3306, None, None);
    let at = Address {
        host: "mysql".to_owned(),
        port: 3306,
        origin: "found in /divvycloud/prod.env:3".to_owned(),
        container: false,
    };
    container.mysql.as_mut().unwrap().at = at;
    let facts = collect(&Mysql, &container, true, 500, None);
    let findings = judged(&Mysql, &facts, &container);
    assert_eq!(status(&findings, "mysql-reachable"), Fail);
    assert!(text(&findings[0]).contains("prod.env:3") && text(&findings[0]).contains("container"));
    let mut drive = container.clone();
    drive.deployment = Deployment::TestDrive;
    drive.mysql.as_mut().unwrap().at.host = "127.0.0.1".to_owned();
    assert_ne!(judged(&Mysql, &MysqlFacts::default(), &drive)[0].status, Fail);
}

#[test]
fn troubles_of_the_network_name_the_next_command() {
    for (error, words) in [
        (NetError::NameUnknown, "getent hosts 127.0.0.1"),
        (NetError::NameUnanswered { why: "x".into() }, "resolv.conf"),
        (NetError::Refused, "bind-address"),
        (NetError::ConnectTimeout { millis: 3000 }, "within 3 s"),
        (NetError::Unreachable { why: "Network is unreachable".into() }, "ip route get"),
        (NetError::Silent { millis: 9800 }, "skip-name-resolve"),
    ] {
        let spec = want_mysql(3306, None, None);
        let facts =
            MysqlFacts { opening: Some(Opening::NetError(error)), opening_ms: 9800, login: None, openssl: None };
        let findings = judged(&Mysql, &facts, &spec);
        assert_eq!(status(&findings, "mysql-reachable"), Fail);
        assert!(text(&findings[0]).contains(words), "{words}: {}", text(&findings[0]));
        assert!(!Mysql.is_settled(&facts));
    }
}
