//! The laws of every run, on generated hosts and for all consumers: what is planned is what is seen; a second run finds
//! nothing to do; nothing else changes; checks say what plans have said; the way back restores every byte.

mod authority;
mod hosts;
mod live;
mod routes;
mod secret;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Converge, Interface, Nothing, Options, RunContext, TakeBack, prove};
use crate::apply::Which;
use crate::check::{CheckSpec, Limits};
use crate::consumers::{self, Ask, Consumer, ConsumersFacts, State, Touched, Who, judge, units};
use crate::context::{HostContext, Inputs, Intent};
use crate::envfile::unit::Release;
use crate::envfile::{Dialect, PamLimit, Seen};
use crate::finding::{Finding, Ignored, Status};
use crate::host::{Attributes, Fault, FaultyHost, HostRead, HostWrite, MemoryHost, View};
use crate::net::testing::patient;
use crate::plan::{Change, PlannedHost};
use crate::problem::{HostState, Problem};
use crate::report::Outcome;
use crate::settings::{Effective, Key, Layer, Origin, Spec};
use crate::targets::{self, Phase};

/// How many hosts are tried; `ICS_SETUP_LAWS` tries others: `SEED` or `FROM-TO`.
const HOSTS: u64 = 120;

const WANTED: &[(Key, &str)] = &[
    (Key::ProxyUrl, "http://proxy.corp.example:3128"),
    (Key::ProxyNoProxy, "registry.corp.example"),
    (Key::Target, "system-proxy,docker-daemon,package-manager,prod-env"),
];

/// Nobody looks and nobody is asked.
struct Nobody;

impl Interface for Nobody {
    fn show_plan(&mut self, _: &RunContext) {}

    fn confirm(&mut self, _: &RunContext) -> Result<(), Problem> {
        Ok(())
    }

    fn secret(&mut self, _: &Spec) -> Result<Option<String>, Problem> {
        Ok(None)
    }
}

fn inputs(more: &[(Key, &str)]) -> Inputs {
    let mut flags = Layer::default();
    for (key, value) in WANTED.iter().chain(more) {
        let spec = key.spec();
        flags.insert(spec, (*value).to_owned(), Origin::Flag(spec.shown())).unwrap();
    }
    Inputs::alone(flags)
}

fn run(host: &MemoryHost, dry_run: bool) -> (Result<Outcome, Problem>, RunContext) {
    run_with(host, dry_run, &[])
}

fn run_with(host: &dyn HostWrite, dry_run: bool, more: &[(Key, &str)]) -> (Result<Outcome, Problem>, RunContext) {
    let ignored = Ignored::default();
    let mut context = RunContext::default();
    let options = Options { dry_run, prove: false, preflight: false, probe: false, attended: true, ignored: &ignored };
    let converge = Converge {
        host,
        inputs: inputs(more),
        phase: Phase::Prepare,
        options,
        interface: &mut Nobody,
        around: &mut Nothing,
    };
    let outcome = converge.run(&mut context);
    (outcome, context)
}

fn take_back(host: &MemoryHost) -> Result<Outcome, Problem> {
    let ignored = Ignored::default();
    let options =
        Options { dry_run: false, prove: false, preflight: false, probe: false, attended: true, ignored: &ignored };
    let back = TakeBack {
        host,
        which: Which::Last,
        force: false,
        options,
        interface: &mut Nobody,
        around: &mut Nothing,
        going: None,
    };
    back.run(&mut RunContext::default())
}

/// Everything but our own state.
fn picture(host: &MemoryHost) -> BTreeMap<PathBuf, (Vec<u8>, Attributes)> {
    host.picture().into_iter().filter(|(path, _)| !path.starts_with(crate::settings::STATE)).collect()
}

/// What consumers get, and a check's findings about them.
fn check(host: &MemoryHost) -> (ConsumersFacts, Vec<Finding>) {
    let (mut inputs, ignored) = (inputs(&[]), Ignored::default());
    let mut known = HostContext::load(host, &inputs, Intent::Check).unwrap();
    let (settings, _) = known.settings(&mut inputs, &ignored, &mut |_| Ok(None)).unwrap();
    let no_proxy = targets::no_proxy(&settings).shown().members().map(str::to_owned).collect();
    let effective = Effective::new(&settings, &known.found);
    let (spec, _) = CheckSpec::new(&settings, &effective, no_proxy, Limits::default());
    let facts = seen(host, &known);
    let wanted = spec.wanted();
    let findings = facts.consumers.iter().map(|consumer| judge::judge(consumer, &facts, &wanted)).collect();
    (facts, findings)
}

fn seen(host: &dyn HostRead, known: &HostContext<'_>) -> ConsumersFacts {
    let platform = known.platform.as_ref();
    let ask = Ask {
        host,
        platform,
        home: Path::new("/divvycloud"),
        http_proxy: None,
        https_proxy: None,
        inside: None,
        quiet: false,
        sudo_by: None,
    };
    consumers::observe(&ask, None, patient())
}

/// What a person reads of a finding, but for what to do, which depends on whether it was just written.
fn words(finding: &Finding) -> String {
    // What does not stop a run is a warning there.
    let status = if finding.status == Status::Fail { Status::Warn } else { finding.status };
    let text = |part: &Option<crate::text::Text>| part.as_ref().map(ToString::to_string).unwrap_or_default();
    let (expected, observed) = (text(&finding.expected), text(&finding.observed));
    format!("{} {:?} {} | {expected} | {observed}", finding.id, status, finding.title)
}

/// All variables of an edited file but those of proxies, as each of its readers has them.
fn others(change: &Change, bytes: &[u8]) -> BTreeMap<String, String> {
    let path = change.path.to_string_lossy();
    let dialects: &[Dialect] = match path.as_ref() {
        "/etc/environment" => &[Dialect::PamEnv(PamLimit::None), Dialect::PamEnv(PamLimit::Drop(8191))],
        "/divvycloud/prod.env" => {
            &[Dialect::DockerEnvFile, Dialect::ComposeV1Plain, Dialect::ComposeV1Dotenv, Dialect::ComposeV2]
        }
        path if path.ends_with(".sh") => &[Dialect::Shell],
        _ => &[],
    };
    let mut found = BTreeMap::new();
    for dialect in dialects {
        let reading = dialect.read(bytes);
        // A reader that rejects the file gets nothing of it.
        if reading.complaints.iter().any(|complaint| complaint.fatal) {
            continue;
        }
        for (name, seen) in reading.variables {
            let name = String::from_utf8_lossy(&name).into_owned();
            let value = match seen {
                Seen::Value(value) => format!("={}", String::from_utf8_lossy(&value)),
                // What stands for a proxy variable changes with it.
                Seen::Inherited | Seen::Unknown => continue,
            };
            if !consumers::NAMES.contains(&name.as_str()) && name != "FOLLOWS" {
                found.insert(format!("{} {name}", dialect.name()), value);
            }
        }
    }
    found
}

/// What systemd gives to Docker beside proxies.
fn of_unit(host: &dyn HostRead) -> Vec<(String, Option<String>)> {
    let service = units::service(host, "docker.service", Release::MEASURED);
    let sights = service.sights(&["A", "B", "FOO", "LANG", "OPTIONS", "PATH"]);
    sights.into_iter().map(|(name, sight)| (name, sight.value().map(str::to_owned))).collect()
}

/// A file and, where a line decides, the line.
fn names_a_place(finding: &Finding) -> bool {
    let text = serde_json::to_string(finding).unwrap();
    ["/etc/", "/home/", "/root/", "/usr/", "/opt/", "/divvycloud/"].iter().any(|folder| text.contains(folder))
}

/// Where a consumer of which nothing is said does not get, letter by letter, what is wanted.
fn unlike(consumer: &Consumer) -> Vec<String> {
    let wanted = |key: Key| WANTED.iter().find(|(own, _)| *own == key).map(|(_, value)| *value);
    let mut found = Vec::new();
    for https in [false, true] {
        let got = consumer.proxy(https).map(|value| value.shown.as_str());
        if got != wanted(Key::ProxyUrl) {
            found.push(format!("(a) {:?} {:?}: https {https}: {got:?}", consumer.consumer, consumer.name));
        }
    }
    let list = consumer.exclusions().unwrap_or_default();
    let member = wanted(Key::ProxyNoProxy).unwrap_or_default();
    if consumer.consumer != Who::PackageManager && !list.split(',').any(|own| own == member) {
        found.push(format!("(a) {:?} {:?}: no_proxy {list:?}", consumer.consumer, consumer.name));
    }
    found
}

/// Where a law is broken, in words.
fn broken(number: u64) -> Vec<String> {
    let mut found = Vec::new();
    let host = hosts::host(number);
    let old = picture(&host);
    let (planned, plan) = run(&host, true);
    if let Err(problem) = planned {
        // A run that is refused says which file is in the way, and changes nothing.
        let (result, _) = run(&host, false);
        let text =
            format!("{}{}", problem.message, problem.hints.iter().map(|hint| hint.to_string()).collect::<String>());
        if result.is_ok() || picture(&host) != old {
            found.push(format!("refused by a dry run alone: {problem}"));
        }
        if !text.contains('/') {
            found.push(format!("refused without a file: {problem}"));
        }
        return found;
    }
    // (a) What is planned is seen over the planned files, or a finding names who decides.
    let known = HostContext::load(&host, &inputs(&[]), Intent::Check).unwrap();
    let view = View::new(&host);
    let ahead = seen(&PlannedHost::new(&view, &plan.plan.changes), &known);
    drop(known);
    let foretold: Vec<&Finding> = plan.findings.iter().filter(|finding| Who::of(finding.id).is_some()).collect();
    for finding in &foretold {
        if !names_a_place(finding) {
            found.push(format!("(a) no file is named: {}", words(finding)));
        }
    }
    let silent = |who: Who| !foretold.iter().any(|own| Who::of(own.id) == Some(who) && own.status != Status::Pass);
    for consumer in ahead.consumers.iter().filter(|own| own.state == State::Seen && silent(own.consumer)) {
        // To others it comes as it may, which a plan tells of where something is set.
        let is_written = [Who::Login, Who::Docker, Who::PackageManager, Who::ProdEnv].contains(&consumer.consumer);
        if is_written && plan.plan.consumers.contains(&consumer.consumer) {
            found.extend(unlike(consumer));
        }
    }
    // (d) Nothing else changes for a reader of an edited file.
    for change in &plan.plan.changes {
        if Touched::of(&change.path).is_none() {
            found.push(format!("no row of touched files is for {}", change.path.display()));
        }
        let (before, after) = (others(change, change.old_bytes()), others(change, change.new_bytes()));
        for (name, value) in &before {
            if change.after.is_some() && after.get(name) != Some(value) {
                let now = after.get(name);
                found.push(format!("(d) {}: {name} was {value:?}, is {now:?}", change.path.display()));
            }
        }
    }
    let unit = of_unit(&host);
    let (applied, context) = run(&host, false);
    if let Err(problem) = applied {
        found.push(format!("the run fails after its dry run: {problem}"));
        return found;
    }
    if of_unit(&host) != unit {
        found.push(format!("(d) docker.service: {unit:?} {:?}", of_unit(&host)));
    }
    // (e) A check says what the plan has said.
    let (now, findings) = check(&host);
    for (then, now) in ahead.consumers.iter().zip(&now.consumers).filter(|(then, now)| then != now) {
        found.push(format!("(e) seen over planned files:\n   {then:?}\n   afterwards:\n   {now:?}"));
    }
    let ours = |finding: &&Finding| {
        let who = Who::of(finding.id);
        who.is_some_and(|who| plan.plan.consumers.contains(&who))
            && matches!(finding.status, Status::Fail | Status::Warn | Status::Error)
    };
    let foretold: BTreeSet<String> = foretold.into_iter().map(words).collect();
    let by_check: BTreeSet<String> = findings.iter().filter(ours).map(words).collect();
    // Of consumers without a file of ours a plan tells only where something is set.
    let quiet = |words: &&String| {
        ["proxy-sudo", "proxy-cron", "proxy-systemd"].iter().any(|id| words.starts_with(id))
            && words.contains("no proxy")
    };
    for words in by_check.difference(&foretold).filter(|words| !quiet(words)) {
        found.push(format!("(e) a check alone: {words}"));
    }
    for words in foretold.difference(&by_check) {
        found.push(format!("(e) a plan alone: {words}"));
    }
    // (b) There is nothing left to do.
    let (again, second) = run(&host, true);
    if !second.plan.is_empty() {
        let paths: Vec<_> =
            second.plan.changes.iter().map(|change| (change.path.clone(), change.reasons.clone())).collect();
        found.push(format!("(b) {again:?} {paths:?}"));
    }
    // (f) The way back.
    if context.run.is_some() {
        take_back(&host).unwrap();
        if picture(&host) != old {
            found.push("(f) the way back is another one".to_owned());
        }
    }
    found
}

/// (c) The daemon is restarted after a run that changes what it reads, and after no other.
fn restarts(number: u64) -> Option<String> {
    let host = hosts::host(number);
    host.read(Path::new("/usr/lib/systemd/system/docker.service")).unwrap()?;
    let live = live::Live::new(&host);
    let mut counted = Vec::new();
    for _ in 0..3 {
        let (outcome, mut context) = run(&host, false);
        outcome.ok()?;
        context.restart = true;
        let touched = context.plan.changes.iter().any(|change| change.path.to_string_lossy().contains("docker"));
        prove::restart(&live, &mut context).unwrap();
        counted.push((touched, live.restarts()));
    }
    let wrong = counted.iter().enumerate().any(|(run, (touched, restarts))| match run {
        0 => *touched && *restarts != 1,
        _ => *touched || *restarts != 0,
    });
    wrong.then(|| format!("(c) docker's files touched, and restarts, in three runs: {counted:?}"))
}

/// The hosts to try.
fn numbers() -> Vec<u64> {
    match std::env::var("ICS_SETUP_LAWS") {
        Ok(given) => {
            let (from, to) = given.split_once('-').unwrap_or((&given, &given));
            (from.parse().unwrap()..=to.parse().unwrap()).collect()
        }
        Err(_) => (0..HOSTS).collect(),
    }
}

fn hold(law: impl Fn(u64) -> Vec<String>) {
    let told = |number| law(number).into_iter().map(move |text| format!("host {number}: {text}"));
    let found: Vec<String> = numbers().into_iter().flat_map(told).collect();
    assert!(found.is_empty(), "{} laws are broken:\n{}", found.len(), found.join("\n"));
}

#[test]
fn laws_of_runs_hold_on_generated_hosts() {
    hold(broken);
}

#[test]
fn a_daemon_is_restarted_only_when_it_is_behind() {
    hold(|number| restarts(number).into_iter().collect());
}

#[test]
fn what_is_told_when_files_were_put_back_holds_for_the_host() {
    let fresh = || {
        let host = MemoryHost::new();
        host.put_dir("/etc/systemd/system");
        host.put("/etc/os-release", b"ID=ubuntu\nVERSION_ID=\"22.04\"\n");
        host.put("/divvycloud/prod.env", b"DIVVY_DB_HOST=mysql\n");
        // Planned with a password in it, everybody could read that.
        host.put_with("/etc/environment", b"PATH=\"/bin\"\n", Attributes::new(0o644, 0, 0));
        host
    };
    let login = [(Key::ProxyUser, "svc"), (Key::ProxyPassword, "s3cret-word")];
    let tells = |context: &RunContext| {
        context.findings.iter().flat_map(|own| &own.fix).any(|fix| fix.text().to_string().contains("chmod"))
    };
    let (outcome, context) = run_with(&fresh(), false, &login);
    assert!(outcome.is_ok() && tells(&context), "{outcome:?}");
    let mut restored = 0;
    for at in 1.. {
        let host = FaultyHost::new(fresh(), at, Fault::Fails(std::io::ErrorKind::StorageFull));
        let (outcome, context) = run_with(&host, false, &login);
        if !host.struck() {
            break;
        }
        if matches!(outcome, Err(problem) if problem.host_state == HostState::Restored) {
            restored += 1;
            assert!(!tells(&context), "{at}: {:?}", context.findings);
        }
    }
    assert!(restored > 0);
}

/// The laws are about something: most hosts are changed, many runs have something to tell, and each consumer is seen.
#[test]
fn generated_hosts_are_odd_and_most_are_taken() {
    let (mut refused, mut told) = (0, 0);
    let mut seen = BTreeSet::new();
    for number in 0..100 {
        let (outcome, context) = run(&hosts::host(number), true);
        refused += usize::from(outcome.is_err());
        told += usize::from(context.findings.iter().any(|finding| Who::of(finding.id).is_some()));
        seen.extend(context.ahead.into_iter().flat_map(|(_, facts)| facts.consumers).map(|own| own.consumer.as_str()));
    }
    assert!(refused < 40 && told > 20, "refused: {refused}, told: {told}");
    let all = ["cron", "docker", "login", "package-manager", "prod-env", "sudo", "systemd"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}
