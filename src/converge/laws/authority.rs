//! The laws of runs that have host and containers trust an authority: what a second run has to do, and the way back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::live::{self, Live};
use super::{Nobody, Nothing, hosts, picture, take_back};
use crate::authority::bundle_file;
use crate::context::Inputs;
use crate::converge::{Around, Converge, Doing, Options, RunContext};
use crate::docker::compose::Service;
use crate::envfile::Dialect;
use crate::finding::{Ignored, ids};
use crate::host::{Fault, FaultyHost, HostRead, HostWrite, MemoryHost};
use crate::net::Certificates;
use crate::net::testing::authority;
use crate::problem::{HostState, Problem, id};
use crate::product::Place;
use crate::product::templates::BUNDLE;
use crate::report::Outcome;
use crate::settings::{Key, Layer, Origin};
use crate::targets::Phase;

const BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"];

const COMPOSE: &[&str] = &[
    include_str!("../../../assets/product/docker-compose.test-drive.yml"),
    "services:\n  interfaceserver: &app\n    image: a:1\n    env_file: prod.env\n  worker:\n    <<: *app\n    scale: 2\n",
    "services:\n  web:\n    image: a:1\n    command: divvycloud webserver\n    env_file: [./prod.env]\n    volumes: [\"./plugins:/plugins\"]\n",
    "services:\n  interfaceserver:\n    image: a:1\n    env_file:\n    - prod.env\n    environment: {SSL_CERT_FILE: /opt/site.pem}\n",
    "services:\n  interfaceserver:\n    image: a:1\n    env_file: prod.env\n    environment: {AWS_CA_BUNDLE: /opt/site.pem}\n  worker:\n    image: a:1\n    env_file: prod.env\n",
    "services:\n  interfaceserver:\n    image: a:1\n    env_file: prod.env\n    volumes:\n    - /opt/ca.crt:/usr/local/share/ca-certificates/proxy_cert.crt\n",
    "services:\n  interfaceserver:\n    image: a:1\n    env_file: prod.env\n  worker:\n    image: a:1\n    env_file: prod.env\n    volumes:\n    - ./site.crt:/etc/ssl/proxy_ca_bundle.crt\n",
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

/// One of Debian's family on which systemd runs the Docker daemon, once it is made a [`Live`] one.
fn started(roots: &[String]) -> MemoryHost {
    let host = host(2, roots);
    host.put("/divvycloud/docker-compose.yml", COMPOSE[0].as_bytes());
    host.put("/usr/lib/systemd/system/docker.service", b"[Service]\nExecStart=/usr/bin/dockerd\n");
    host.put("/usr/bin/dockerd", b"");
    host.put(live::ROOTS, roots.concat().as_bytes());
    host.put(live::BUNDLE, roots.concat().as_bytes());
    host
}

fn run(host: &dyn HostWrite, phase: Phase, file: &str) -> (Result<Outcome, Problem>, RunContext) {
    run_with(host, phase, file, false)
}

fn run_with(host: &dyn HostWrite, phase: Phase, file: &str, restart: bool) -> (Result<Outcome, Problem>, RunContext) {
    run_around(host, phase, file, restart, &mut Nothing)
}

fn run_around(
    host: &dyn HostWrite,
    phase: Phase,
    file: &str,
    restart: bool,
    around: &mut dyn Around,
) -> (Result<Outcome, Problem>, RunContext) {
    let mut flags = Layer::default();
    if restart {
        flags.insert(Key::Restart.spec(), "true".to_owned(), Origin::Flag("--restart".to_owned())).unwrap();
    }
    flags.insert(Key::ProxyCa.spec(), file.to_owned(), Origin::Flag("--proxy-ca".to_owned())).unwrap();
    let ignored = Ignored::default();
    let options =
        Options { dry_run: false, prove: false, preflight: false, probe: false, attended: true, ignored: &ignored };
    let mut context = RunContext::default();
    let inputs = Inputs::alone(flags);
    let converge = Converge { host, inputs, phase, options, interface: &mut Nobody, around };
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
            no_client_is_led_to_another_file(&host);
            told += usize::from(context.findings.iter().any(|own| own.id == ids::PROXY_CA_CONTAINERS));
            let (second, context) = run(&host, phase, &path);
            let paths: Vec<_> = context.plan.changes.iter().map(|change| (&change.path, &change.reasons)).collect();
            assert!(matches!(second, Ok(Outcome::Unchanged)), "host {number}, {phase:?}: {second:?} {paths:?}");
        }
        while matches!(take_back(&host), Ok(Outcome::Changed)) {}
        assert_eq!(picture(&host), old, "host {number}");
    }
    assert!(told > 40, "{told}");
}

/// Whoever reads the variables finds the file there that runs have made for them.
fn no_client_is_led_to_another_file(host: &MemoryHost) {
    let (home, env) = (Path::new("/divvycloud"), Path::new("/divvycloud/prod.env"));
    let text = host.read(env).unwrap().unwrap_or_default();
    if !String::from_utf8_lossy(&text).contains(BUNDLE.1) {
        return;
    }
    let services = Place::look(host, home).read_services(host, home).unwrap();
    for service in services.iter().filter(|service| service.reads(env)) {
        assert_eq!(service.mounted_at(BUNDLE.1), Some(bundle_file(home).as_path()), "{}", service.name);
    }
    assert!(host.read(&bundle_file(home)).unwrap().is_some());
}

#[test]
fn what_one_service_is_given_by_hand_keeps_no_other_from_getting_it() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    let [one, two] = [
        "  interfaceserver:\n    image: a:1\n    env_file: prod.env\n    environment: {AWS_CA_BUNDLE: /opt/site.pem}\n",
        "  worker:\n    image: a:1\n    env_file: prod.env\n",
    ];
    for services in [[one, two], [two, one]] {
        let host = host(2, &roots);
        host.put("/divvycloud/docker-compose.yml", format!("services:\n{}", services.concat()).as_bytes());
        run(&host, Phase::Reconfigure, &path).0.unwrap();
        let home = Path::new("/divvycloud");
        let services = Place::look(&host, home).read_services(&host, home).unwrap();
        let gets = |service: &Service| service.gets(&host, Dialect::ComposeV2, &["AWS_CA_BUNDLE"]).unwrap();
        for service in &services {
            let wanted = if service.name == "worker" { BUNDLE.1 } else { "/opt/site.pem" };
            assert_eq!(gets(service)["AWS_CA_BUNDLE"].value, Ok(wanted.to_owned()), "{}", service.name);
        }
    }
}

/// Content by name, as far as it is no process'.
fn names(host: &MemoryHost) -> Vec<(PathBuf, Vec<u8>)> {
    let files = picture(host).into_iter().filter(|(path, _)| !path.starts_with("/proc"));
    files.map(|(path, (bytes, _))| (path, bytes)).collect()
}

#[test]
fn whatever_fails_on_the_way_nothing_or_all_of_it_is_there() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    let fresh = || host(2, &roots);
    let whole = fresh();
    run(&whole, Phase::Reconfigure, &path).0.unwrap();
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

#[test]
fn the_bundle_is_as_the_files_are_also_behind_a_link() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    for is_link in [false, true] {
        let fresh = || {
            let host = started(&roots);
            if is_link {
                host.put_link("/usr/local", "/opt/local", 0);
                host.put_dir("/opt/local/share/ca-certificates");
            }
            host
        };
        let (old, whole) = (fresh(), fresh());
        Live::new(&old);
        run(&Live::new(&whole), Phase::Prepare, &path).0.unwrap();
        assert_ne!(whole.read(Path::new(live::BUNDLE)).unwrap(), old.read(Path::new(live::BUNDLE)).unwrap());
        for at in 1.. {
            let bare = fresh();
            let host = FaultyHost::new(Live::new(&bare), at, Fault::Fails(ErrorKind::StorageFull));
            let _ = run(&host, Phase::Prepare, &path);
            if !host.struck() {
                break;
            }
            let now = names(&bare);
            assert!(now == names(&old) || now == names(&whole), "effect {at}, link: {is_link}");
        }
    }
}

#[test]
fn a_program_that_fails_for_good_does_not_keep_an_interrupted_run_from_being_taken_back() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    let fresh = || {
        let host = started(&roots);
        host.put(live::BROKEN, b"");
        host
    };
    let old = fresh();
    Live::new(&old);
    for at in 1.. {
        let bare = fresh();
        let live = Live::new(&bare);
        let host = FaultyHost::new(live, at, Fault::Fails(ErrorKind::StorageFull));
        let _ = run(&host, Phase::Prepare, &path);
        let struck = host.struck();
        let problem = run(&Live::new(&bare), Phase::Prepare, &path).0.unwrap_err();
        assert_eq!(
            (problem.id, problem.host_state),
            (id::TRUST_FAILED, HostState::Restored),
            "effect {at}: {problem:?}"
        );
        assert!(names(&bare) == names(&old), "effect {at}");
        if !struck {
            break;
        }
    }
}

#[test]
fn a_program_that_fails_leaves_the_host_as_it_was_and_stops_no_later_run() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    let host = started(&roots);
    let live = Live::new(&host);
    host.put(live::BROKEN, b"");
    let before = picture(&host);
    for _ in 0..2 {
        let problem = run(&live, Phase::Prepare, &path).0.unwrap_err();
        assert_eq!((problem.id, problem.host_state), (id::TRUST_FAILED, HostState::Restored), "{problem:?}");
        assert_eq!(picture(&host), before);
    }
    host.remove_file(Path::new(live::BROKEN)).unwrap();
    for outcome in [Outcome::Changed, Outcome::Unchanged] {
        assert_eq!(run(&live, Phase::Prepare, &path).0.unwrap(), outcome);
    }
}

#[test]
fn containers_do_not_keep_an_authority_whose_place_another_takes() {
    let (file, roots) = certificates();
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(other.path(), authority("Another").pem()).unwrap();
    let [first, second] = [&file, &other].map(|file| file.path().display().to_string());
    let host = started(&roots);
    let live = Live::new(&host);
    let given =
        |path: &str| host.read(Path::new(path)).unwrap().map(|file| Certificates::of_bundle(&file)).unwrap_or_default();
    for path in [&first, &second] {
        for outcome in [Outcome::Changed, Outcome::Unchanged] {
            let (ended, context) = run(&live, Phase::Reconfigure, path);
            assert_eq!(ended.unwrap(), outcome, "{:?}", context.plan.changes);
        }
        let own = given("/divvycloud/proxy_cert.crt");
        let all = given("/divvycloud/proxy_ca_bundle.crt");
        assert!(own.len() == 1 && all.has(&own) && all.len() == roots.len() + 1, "{:?}", all.subjects());
    }
}

#[test]
fn a_daemon_that_runs_since_before_the_bundle_was_made_is_restarted_behind_it() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    for restart in [false, true] {
        let host = started(&roots);
        // An image that is booted.
        run(&host, Phase::Prepare, &path).0.unwrap();
        let live = Live::new(&host);
        let roots_before = host.read(Path::new(live::BUNDLE)).unwrap();
        let (ended, context) = run_with(&live, Phase::Prepare, &path, restart);
        assert_eq!(ended.unwrap(), Outcome::Unchanged);
        assert_ne!(host.read(Path::new(live::BUNDLE)).unwrap(), roots_before);
        let steps: Vec<String> = context.plan.next_steps.iter().map(ToString::to_string).collect();
        assert_eq!(steps.iter().any(|step| step.contains("read the system's roots anew")), !restart, "{steps:?}");
        assert_eq!(live.restarts(), usize::from(restart));
        let (_, context) = run_with(&live, Phase::Prepare, &path, restart);
        let again = context.plan.next_steps.iter().any(|step| step.to_string().contains("Docker daemon"));
        assert!(live.restarts() == 0 && !again, "{:?}", context.plan.next_steps);
    }
}

#[test]
fn a_daemon_that_does_not_run_is_not_said_to_be_restarted() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    let said = |context: &RunContext| {
        let nothing = context.findings.iter().find(|own| own.id == ids::RESTART_NOTHING);
        nothing.map(|own| own.observed.clone().unwrap_or_default().to_string())
    };
    for stopped in [true, false] {
        let host = started(&roots);
        let live = Live::new(&host);
        if stopped {
            live.stop();
        }
        for (outcome, runs) in [
            (Outcome::Changed, (!stopped).then_some(None)),
            (Outcome::Unchanged, (!stopped).then_some(Some("what runs has read its files already"))),
        ] {
            let (ended, context) = run_with(&live, Phase::Prepare, &path, true);
            assert_eq!(ended.unwrap(), outcome);
            let restarts = usize::from(!stopped && outcome == Outcome::Changed);
            assert_eq!((live.restarts(), context.restarted), (restarts, restarts > 0));
            let wanted = runs.unwrap_or(Some("the Docker daemon does not run; it reads its files when it starts"));
            assert_eq!(said(&context).as_deref(), wanted, "stopped {stopped}, {outcome:?}");
        }
    }
}

/// Restarts the daemon while files are written, as an installation does.
struct Restarts<'h>(&'h dyn HostRead);

impl Around for Restarts<'_> {
    fn is_idle(&self) -> bool {
        false
    }

    fn before_commit(&mut self, doing: &mut Doing<'_, '_>) -> Result<(), Problem> {
        let bundle = self.0.read(Path::new(live::BUNDLE)).unwrap().unwrap_or_default();
        assert!(Certificates::of_bundle(&bundle).has(doing.context.plan.authority.as_ref().unwrap()));
        assert!(doing.restart_daemon(self.0)?);
        assert!(!doing.daemon_has_read_other(self.0));
        Ok(())
    }
}

#[test]
fn a_daemon_that_is_restarted_within_a_run_finds_the_bundle_made() {
    let (file, roots) = certificates();
    let path = file.path().display().to_string();
    let host = started(&roots);
    // An image that is booted.
    run(&host, Phase::Prepare, &path).0.unwrap();
    let live = Live::new(&host);
    run_around(&live, Phase::Prepare, &path, false, &mut Restarts(&live)).0.unwrap();
    assert_eq!(live.restarts(), 1);
}
