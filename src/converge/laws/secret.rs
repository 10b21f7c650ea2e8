//! The laws of runs over a secret with the databases: a second run finds nothing to do, no reader sees a line that was set
//! aside, taking the secret out brings all of them back byte by byte, and so does the way back.

use std::path::Path;

use super::hosts::Seed;
use super::{hold, picture, run_with, take_back};
use crate::envfile::Syntax;
use crate::host::{HostRead, MemoryHost};
use crate::settings::Key;
use crate::vendor::Vendor;

const SET: &[(Key, &str)] = &[(Key::AwsSecret, "prod/ics"), (Key::AwsRegion, "us-east-1")];

const OUT: &[(Key, &str)] = &[(Key::NoSecretsProvider, "true")];

const FILE: &str = "/divvycloud/prod.env";

const LINES: &[&str] = &[
    "DIVVY_DB_HOST=db.corp.example",
    "#DIVVY_DB_HOST=old.corp.example",
    "DIVVY_DB_HOST=twice.corp.example",
    "DIVVY_DB_PORT=3306",
    "export DIVVY_DB_USERNAME=divvy",
    "DIVVY_DB_PASSWORD=s3cret-word",
    "DIVVY_DB_PASSWORD='a b'",
    "  DIVVY_SECRET_DB_HOST = db2.corp.example",
    "DIVVY_SECRET_DB_PASSWORD=x # a remark",
    "DIVVY_DB_NAME=divvy",
    "# DIVVY_DB_PORT=3307",
    "DIVVY_MYSQL_HOST=mysql",
    "DIVVY_SECURE_MYSQL_PASSWORD=p",
    "DIVVY_MYSQL_DB_NAME=divvy",
    "DIVVY_SECRETS_PROVIDER_CONFIG=AWSAssumeRole,region=eu-west-1,secret_name=old,role=x",
    "#DIVVY_SECRETS_PROVIDER_CONFIG=AWSAssumeRole,region=eu-west-1,secret_name=old",
    "REGION=eu-west-1",
    "#REGION=us-east-1",
    "DIVVY_REDIS_HOST=redis",
    "FOO=\"a b",
    "",
];

fn host(number: u64) -> MemoryHost {
    let host = MemoryHost::new();
    host.put_dir("/var/lib");
    host.put_dir("/etc/systemd/system");
    host.put("/etc/os-release", b"ID=ubuntu\nVERSION_ID=\"22.04\"\n");
    host.put("/etc/profile", include_bytes!("../../../assets/profile/debian"));
    host.put(FILE, Seed(number).lines(LINES, 9).as_bytes());
    host
}

/// The lines about the databases, whatever state they are in.
fn lines(host: &MemoryHost) -> Vec<String> {
    let bytes = host.read(Path::new(FILE)).unwrap().unwrap();
    let is_of_them = |line: &&str| Vendor::get().secrets_provider.outranked().any(|name| line.contains(name));
    String::from_utf8(bytes).unwrap().lines().filter(is_of_them).map(str::to_owned).collect()
}

/// Names that some reader sees a line of.
fn seen(host: &MemoryHost) -> Vec<String> {
    let bytes = host.read(Path::new(FILE)).unwrap().unwrap();
    let mut seen = Vec::new();
    for dialect in Syntax::EnvFile.readers().must {
        let reading = dialect.read(&bytes);
        let names = Vendor::get().secrets_provider.outranked().filter(|name| reading.get(name.as_bytes()).is_some());
        seen.extend(names.map(|name| format!("{name} by {}", dialect.name())));
    }
    seen
}

fn broken(number: u64) -> Vec<String> {
    let mut found = Vec::new();
    let there = host(number);
    let (old, stood) = (picture(&there), lines(&there));
    if run_with(&there, true, SET).0.is_err() {
        let (result, _) = run_with(&there, false, SET);
        if result.is_ok() || picture(&there) != old {
            found.push("refused by a dry run alone".to_owned());
        }
        return found;
    }
    let mut idle = |more, what: &str| {
        let (result, context) = run_with(&there, false, more);
        if result.is_err() {
            found.push(format!("{what}: {result:?}"));
        }
        let (again, second) = run_with(&there, true, more);
        if !second.plan.is_empty() {
            found.push(format!("{what} again: {again:?}"));
        }
        context.run.is_some()
    };
    let changed = idle(SET, "in");
    let in_force = seen(&there);
    let aside = lines(&there);
    idle(OUT, "out");
    let back = lines(&there);
    if !in_force.is_empty() {
        found.push(format!("seen beside the secret: {in_force:?}"));
    }
    if back != stood {
        found.push(format!("{stood:?} were {aside:?} and are {back:?}"));
    }
    let there = host(number);
    run_with(&there, false, SET).0.unwrap();
    if changed {
        take_back(&there).unwrap();
        if picture(&there) != old {
            found.push("the way back is another one".to_owned());
        }
    }
    found
}

#[test]
fn databases_go_into_a_secret_and_come_back() {
    hold(broken);
}

#[test]
fn most_hosts_are_taken_and_have_lines_to_set_aside() {
    let taken = |number: &u64| run_with(&host(*number), true, SET).0.is_ok() && !seen(&host(*number)).is_empty();
    let taken = (0..100).filter(taken).count();
    assert!(taken > 60, "{taken}");
}
