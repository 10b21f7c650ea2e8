//! Scripted servers for unit tests, and what a check is told of them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::check::spec::{Address, CheckSpec, MysqlSpec, RedisSpec, Secrets};
use crate::check::unit::{Check, Look};
use crate::finding::{Finding, Status, known};
use crate::host::MemoryHost;
use crate::net::testing::drip;
use crate::net::{Roots, Time};
use crate::settings::Secret;

/// A server that does to each connection what its script says.
pub struct Peer {
    pub port: u16,
    pub connections: Arc<AtomicUsize>,
    /// How many bytes the other side has sent, and how many were sent to it, as far as scripts say so.
    pub sent: Arc<AtomicUsize>,
}

impl Peer {
    pub fn new(script: impl Fn(TcpStream, &AtomicUsize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, bytes, script) = (connections.clone(), sent.clone(), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let (script, bytes) = (script.clone(), bytes.clone());
                std::thread::spawn(move || script(stream, &bytes));
            }
        });
        Self { port, connections, sent }
    }

    /// Says these bytes at once, then waits for the other side to go.
    pub fn saying(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::new(move |mut stream, _| {
            let _ = stream.write_all(&bytes);
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    /// Says this, then pours out as much as is taken.
    pub fn pouring(head: &[u8]) -> Self {
        let head = head.to_vec();
        Self::new(move |mut stream, sent| {
            let _ = stream.write_all(&head);
            while let Ok(count) = stream.write(&[b'x'; 65536]) {
                sent.fetch_add(count, Ordering::SeqCst);
            }
        })
    }

    /// Says this, one byte a moment.
    pub fn dripping(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::new(move |mut stream, _| drip(&mut stream, &bytes))
    }
}

fn address(port: u16) -> Address {
    Address { host: "127.0.0.1".to_owned(), port, origin: "--mysql-host".to_owned() }
}

pub fn want_mysql(port: u16, user: Option<&str>, tls: Option<bool>) -> CheckSpec {
    let mysql = MysqlSpec {
        at: address(port),
        user: user.map(str::to_owned),
        has_password: true,
        database: "divvy".to_owned(),
        secret_database: "divvykeys".to_owned(),
        tls,
    };
    CheckSpec { mysql: Some(mysql), ..CheckSpec::default() }
}

pub fn want_redis(port: u16, tls: Option<bool>) -> CheckSpec {
    CheckSpec { redis: Some(RedisSpec { at: address(port), has_password: true, tls }), ..CheckSpec::default() }
}

/// The password in all of these tests.
pub const PASSWORD: &str = "s3cret-p@ss";

/// For a server that answers: no machine is so loaded that this is not enough.
pub const PATIENT: u64 = 60_000;

/// For a server that never says a word.
pub const BRIEF: u64 = 600;

/// Collects within `millis`.
pub fn collect<C: Check>(
    check: &C,
    spec: &CheckSpec,
    password: bool,
    millis: u64,
    earlier: Option<&C::Facts>,
) -> C::Facts {
    let host = MemoryHost::new();
    let roots = Roots::of(&host, b"");
    let secret = password.then(|| Secret::new(PASSWORD));
    let secrets = Secrets { mysql: secret.clone(), redis: secret, ..Secrets::default() };
    let look = Look { host: &host, platform: None, spec, secrets: &secrets, roots: &roots };
    let limit = Duration::from_millis(millis);
    let facts = check.collect(&look, Time::new(limit, limit), earlier);
    let text = serde_json::to_string(&facts).unwrap();
    assert!(text.len() < 64 << 10 && !text.contains(PASSWORD), "{text}");
    facts
}

/// Judges, and holds every finding to what all of them must keep.
pub fn judged<C: Check>(check: &C, facts: &C::Facts, spec: &CheckSpec) -> Vec<Finding> {
    // Through JSON, as saved facts go.
    let facts: C::Facts = serde_json::from_value(serde_json::to_value(facts).unwrap()).unwrap();
    let findings = check.judge(&facts, spec);
    assert!(!findings.is_empty());
    for finding in &findings {
        let text = format!("{finding:?}");
        assert!(C::META.ids.contains(&finding.id) && known(finding.id).is_some(), "{text}");
        assert!(
            !finding.title.ends_with('.') && finding.observed.as_ref().is_some_and(|text| !text.is_empty()),
            "{text}"
        );
        if matches!(finding.status, Status::Warn | Status::Fail) {
            assert!(!finding.fix.is_empty() || finding.cause.is_some() || finding.expected.is_some(), "{text}");
        }
        assert!(!text.contains(PASSWORD) && !text.chars().any(char::is_control), "{text}");
    }
    findings
}

/// The status of one finding.
#[track_caller]
pub fn status(findings: &[Finding], id: &str) -> Status {
    the(findings, id).status
}

#[track_caller]
pub fn the<'a>(findings: &'a [Finding], id: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id} in {findings:?}"))
}

/// Everything that a person reads of a finding.
pub fn text(finding: &Finding) -> String {
    let parts = [&finding.expected, &finding.observed, &finding.cause].into_iter().flatten().cloned();
    std::iter::once(finding.title.clone()).chain(parts).chain(finding.fix.clone()).collect::<Vec<_>>().join("\n")
}
