//! What the checks' tests with scripted servers have in common.

use std::time::Duration;

use crate::check::spec::{Address, CheckSpec, MysqlSpec, RedisSpec, Secrets};
use crate::check::unit::{Check, Look};
use crate::finding::{Finding, Status, known};
use crate::host::MemoryHost;
pub(super) use crate::net::testing::Peer;
use crate::net::{Roots, Time};
use crate::settings::Secret;

fn address(port: u16) -> Address {
    Address { host: "127.0.0.1".to_owned(), port, origin: "--mysql-host".to_owned(), container: false }
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
    let look = Look { host: &host, platform: None, spec, secrets: &secrets, roots: &roots, changes: None };
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
        assert!(C::META.ids.contains(&finding.id) && known(finding.id.as_str()).is_some(), "{text}");
        assert!(
            !finding.title.ends_with('.') && finding.observed.as_ref().is_some_and(|text| !text.is_empty()),
            "{text}"
        );
        assert!(!text.contains(PASSWORD) && !text.chars().any(char::is_control), "{text}");
    }
    crate::check::law::each_has_a_way_out(&findings);
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
    let parts = [&finding.expected, &finding.observed, &finding.cause].into_iter().flatten();
    let fixes = finding.fix.iter().map(crate::text::Fix::text);
    std::iter::once(&finding.title).chain(parts).chain(fixes).map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
