//! The laws of runs that have host and containers trust an authority: what a second run has to do, and the way back.

use std::io::ErrorKind;
use std::path::Path;

use super::{Nobody, Nothing, hosts, picture, take_back};
use crate::context::Inputs;
use crate::converge::{Converge, Options, RunContext};
use crate::finding::{Ignored, ids};
use crate::host::{Fault, FaultyHost, HostRead, HostWrite, MemoryHost};
use crate::net::testing::authority;
use crate::problem::Problem;
use crate::report::Outcome;
use crate::settings::{Key, Layer, Origin};
use crate::targets::Phase;

const BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"];

const COMPOSE: &[&str] = &[
    include_str!("../../../assets/product/docker-compose.test-drive.yml"),
    "services:\n  interfaceserver: &app\n    image: a:1\n    env_file: prod.env\n  worker:\n    <<: *app\n    scale: 2\n",
    "services:\n  web:\n    image: a:1\n    command: divvycloud webserver\n    env_file: [./prod.env]\n    volumes: [\"./plugins:/plugins\"]\n",
    "services:\n  interfaceserver:\n    image: a:1\n    env_file:\n    - prod.env\n    environment: {SSL_CERT_FILE: /opt/site.pem}\n",
    "services:\n  interfaceserver:\n    image: a:1\n    env_file: prod.env\n    volumes:\n    - /opt/ca.crt:/usr/local/share/ca-certificates/proxy_cert.crt\n",
    "include: [more.yml]\nservices: {}\n",
    "services:\n  interfaceserver:\n    image: a:1\n",
    "services: {\n",
];

const LINES: &[&str] =
    &["", "SSL_CERT_FILE=\n", "#REQUESTS_CA_BUNDLE=/x\n", "AWS_CA_BUNDLE=/opt/site.pem\n", "CURL_CA_BUNDLE\n"];

fn host(number: u64, roots: &[String]) -> MemoryHost {
    let host = hosts::host(number);
    let pick = |from: &[&'static str], by: u64| from[usize::try_from(number / by).unwrap() % from.len()];
    host.put("/divvycloud/docker-compose.yml", pick(COMPOSE, 1).as_bytes());
    let path = Path::new("/divvycloud/prod.env");
    let env = host.read(path).unwrap().unwrap_or_default();
    host.put("/divvycloud/prod.env", &[&env, pick(LINES, 3).as_bytes()].concat());
    if !number.is_multiple_of(11) {
        host.put(BUNDLES[usize::try_from(number % 2).unwrap()], roots.concat().as_bytes());
    }
    host
}

fn run(host: &dyn HostWrite, phase: Phase, file: &str) -> (Result<Outcome, Problem>, RunContext) {
    let mut flags = Layer::default();
    flags.insert(Key::ProxyCa.spec(), file.to_owned(), Origin::Flag("--proxy-ca".to_owned())).unwrap();
    let ignored = Ignored::default();
    let options = Options { dry_run: false, prove: false, preflight: false, probe: false, ignored: &ignored };
    let mut context = RunContext::default();
    let inputs = Inputs::alone(flags);
    let converge = Converge { host, inputs, phase, options, interface: &mut Nobody, around: &mut Nothing };
    (converge.run(&mut context), context)
}

fn certificates() -> (tempfile::NamedTempFile, Vec<String>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority("Inspector").pem()).unwrap();
    (file, ["One", "Two"].map(|name| authority(name).pem()).to_vec())
}

#[test]
fn a_second_run_has_nothing_to_do_and_the_way_back_is_whole() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    let mut told = 0;
    for number in 0..80 {
        let host = host(number, &roots);
        let old = picture(&host);
        for phase in [Phase::Prepare, Phase::Reconfigure] {
            let before = picture(&host);
            let (first, context) = run(&host, phase, &path);
            if first.is_err() {
                assert_eq!(picture(&host), before, "host {number}, {phase:?}: {first:?}");
                continue;
            }
            told += usize::from(context.findings.iter().any(|own| own.id == ids::PROXY_CA_CONTAINERS));
            let (second, context) = run(&host, phase, &path);
            let paths: Vec<_> = context.plan.changes.iter().map(|change| (&change.path, &change.reasons)).collect();
            assert!(matches!(second, Ok(Outcome::Unchanged)), "host {number}, {phase:?}: {second:?} {paths:?}");
        }
        while take_back(&host).is_ok() {}
        assert_eq!(picture(&host), old, "host {number}");
    }
    assert!(told > 40, "{told}");
}

#[test]
fn whatever_fails_on_the_way_nothing_or_all_of_it_is_there() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    let fresh = || host(2, &roots);
    let whole = fresh();
    run(&whole, Phase::Reconfigure, &path).0.unwrap();
    let names =
        |host: &MemoryHost| picture(host).into_iter().map(|(path, (bytes, _))| (path, bytes)).collect::<Vec<_>>();
    for at in 1.. {
        let bare = fresh();
        let host = FaultyHost::new(bare.clone(), at, Fault::Fails(ErrorKind::StorageFull));
        let _ = run(&host, Phase::Reconfigure, &path);
        if !host.struck() {
            break;
        }
        assert!(names(&bare) == names(&fresh()) || names(&bare) == names(&whole), "effect {at}");
    }
}
