//! Whether the world is as a run needs it: host and proxy before anything is written (`--check-first`), the back ends that a
//! run changes, and the proxy once more when all is written.

use std::path::Path;
use std::time::{Duration, Instant};

use super::context::Probe;
use super::{Options, RunContext};
use crate::check::backends::{Mysql, Redis};
use crate::check::proxy::Dial;
use crate::check::{self, AnyCheck, Check, CheckSpec, Group, Limits, Look, MysqlSpec, in_turn, is_published};
use crate::consumers::Who;
use crate::context::{HostContext, Named, roots};
use crate::docker;
use crate::finding::{Finding, FindingId, Status, ids};
use crate::host::HostRead;
use crate::net::Time;
use crate::plan::PlannedHost;
use crate::problem::Problem;
use crate::product::{Known, own_containers};
use crate::settings::{Deployment, Effective, Key, Layers, Settings, Shape, Spec, TABLE, TargetName};
use crate::system::IMAGE;
use crate::targets::{self, Phase};
use crate::text;
use crate::text::{Again, Foreign, Text, ics_setup, own, quoted, typed};
use crate::vendor::prod_env;

/// How long the proxy may take once all is written.
const PROBE: Duration = Duration::from_secs(3);

/// How long Docker may take to say where a container is.
const DOCKER: Duration = Duration::from_secs(20);

/// What counts of a container that a run leaves as it is.
const OF_CONTAINER: [FindingId; 3] = [ids::MYSQL_LOGIN, ids::MYSQL_DATABASES, ids::REDIS_LOGIN];

/// What of the host is judged by the compose file that it is going to have.
const OF_PLAN: [FindingId; 2] = [ids::SELINUX, ids::FIREWALL];

/// MySQL or Redis, as settings name them.
struct BackEnd {
    name: &'static str,
    /// The table of the settings file.
    section: &'static str,
    host: Key,
    tls: Key,
    check: &'static dyn AnyCheck,
    reachable: FindingId,
}

const BACK_ENDS: [BackEnd; 2] = [
    BackEnd {
        name: "MySQL",
        section: "mysql",
        host: Key::MysqlHost,
        tls: Key::MysqlTls,
        check: &Mysql,
        reachable: ids::MYSQL_REACHABLE,
    },
    BackEnd {
        name: "Redis",
        section: "redis",
        host: Key::RedisHost,
        tls: Key::RedisTls,
        check: &Redis,
        reachable: ids::REDIS_REACHABLE,
    },
];

/// Are host and proxy checked before anything is written? An installation does, unless somebody wants it without.
pub(super) fn is_wanted(options: Options<'_>, phase: Phase, context: &RunContext) -> bool {
    let says = |settings: &Settings| settings.switch(Key::CheckFirst).unwrap_or(phase == Phase::Install);
    options.preflight && context.settings.as_ref().is_some_and(says)
}

/// What is found before anything is written, of what the settings call for. Prepares the question that the proxy gets when
/// everything is written, where it was not asked here.
///
/// # Errors
/// The file of `--proxy-ca` cannot be read.
pub(super) fn look(
    options: Options<'_>,
    host: &HostContext<'_>,
    phase: Phase,
    context: &mut RunContext,
) -> Result<Vec<Finding>, Problem> {
    context.probe = None;
    let check_first = is_wanted(options, phase, context);
    let Some(settings) = &context.settings else { return Ok(Vec::new()) };
    let is_live = host.view.host.is_live();
    let moved = if options.preflight { moved(host, settings, phase) } else { Vec::new() };
    let probes = options.probe && is_live && !options.dry_run && !check_first && settings.proxies.any();
    let gets_port = [Key::Port, Key::Role].into_iter().any(|key| settings.said(key).is_some());
    let moves_port = options.preflight && is_live && phase == Phase::Reconfigure && gets_port;
    if !check_first && moved.is_empty() && !probes && !moves_port {
        return Ok(Vec::new());
    }
    let no_proxy = targets::no_proxy(settings).shown().members().map(str::to_owned).collect();
    let effective = Effective::new(settings, &host.found);
    let (mut spec, secrets) = CheckSpec::new(settings, &effective, no_proxy, Limits::default());
    if phase == Phase::Install {
        spec.mysql.iter_mut().for_each(MysqlSpec::of_usual_user);
    }
    secrets.teach(&mut context.redactor);
    let roots = roots(host.view.host, Named::of(settings).as_ref())?;
    let end = Instant::now() + spec.limits.run();
    let planned = PlannedHost::new(&host.view, &context.plan.changes);
    let platform = context.platform.as_ref();
    let look =
        Look { host: host.view.host, platform, spec: &spec, secrets: &secrets, roots: &roots, changes: Some(&[]) };
    let mut findings = Vec::new();
    if check_first {
        findings.extend(host_and_proxy(&look, &planned, &context.plan.consumers, end));
        // The unit calls Compose where it is.
        findings.retain(|finding| phase != Phase::Install || finding.id != ids::COMPOSE_PATH);
    } else if moves_port {
        findings.extend(port_in_use(&look, end));
    }
    for back_end in moved {
        let unasked_for = |why: Text| {
            let title = text!("{} was not asked before the change", own(back_end.name));
            let skipped = Finding::skip(back_end.reachable, title).observed(why);
            vec![skipped.advise(text!("ask it afterwards: {}", ics_setup("check backends")))]
        };
        if let Some(why) = unasked(host, settings) {
            findings.extend(unasked_for(why));
            continue;
        }
        let name = Effective::new(settings, &host.found).text(back_end.host).map(|(name, _)| name);
        // A Test Drive whose files do not name it yet has it in the container that is named so.
        let test_drive = settings.deployment == Deployment::TestDrive;
        let name = name.or_else(|| test_drive.then(|| back_end.section.to_owned()));
        findings.extend(match name.filter(|name| is_published(settings.deployment, name)) {
            Some(name) => match in_container(back_end, &name, &look, end) {
                Ok(found) => found.into_iter().map(|own| not_written_yet(own, back_end, &host.layers)).collect(),
                Err(why) => unasked_for(why),
            },
            None => {
                let found = in_turn(&[back_end.check], &look, end).into_iter();
                let found = found.filter(|finding| settings.mysql_admin.is_none() || !is_made(finding));
                found.map(|finding| not_written_yet(finding, back_end, &host.layers)).collect()
            }
        });
    }
    context.probe = probes.then_some(Probe { spec, secrets, roots });
    // What could not be looked at is not known to be right.
    let failed = |finding: Finding| match finding.status {
        Status::Error => Finding { status: Status::Fail, ..finding },
        _ => finding,
    };
    Ok(findings.into_iter().map(failed).collect())
}

/// Who has the port that the product is to have now: of its others it holds those that it has.
fn port_in_use(look: &Look<'_>, end: Instant) -> Vec<Finding> {
    let is_of_ports = |check: &&dyn AnyCheck| check.meta().ids.contains(&ids::PORT_IN_USE);
    let ports: Vec<&dyn AnyCheck> = check::all().into_iter().filter(is_of_ports).collect();
    let port = look.spec.port.unwrap_or(Known::get().health.port);
    let is_of_it = |finding: &Finding| finding.evidence.get("port") == Some(&port.into());
    in_turn(&ports, look, end)
        .into_iter()
        .filter(|finding| finding.status != Status::Pass && is_of_it(finding))
        .collect()
}

/// Is it about what `--create-databases` makes? Whether it can be made is found by who makes it.
fn is_made(finding: &Finding) -> bool {
    [ids::MYSQL_LOGIN, ids::MYSQL_DATABASES, ids::MYSQL_GRANTS].contains(&finding.id)
}

/// As `check host proxy` would find the host with the planned files. Consumers whose files this run writes were asked over the
/// planned files already; what others get is told, and is no reason to stop.
fn host_and_proxy(look: &Look<'_>, planned: &PlannedHost<'_>, served: &[Who], end: Instant) -> Vec<Finding> {
    let of = |group: Group| check::all().into_iter().filter(move |check| check.meta().group == group);
    // An interrupted run is taken back by this one, and told by it.
    let is_of_runs = |check: &&dyn AnyCheck| check.meta().ids.contains(&ids::RUN_INTERRUPTED);
    // The disk below an image is that of who builds it, and nothing is fetched onto it.
    let is_of_disk = |check: &&dyn AnyCheck| check.meta().ids.contains(&ids::DISK_SIZE) && !look.host.is_live();
    let host: Vec<&dyn AnyCheck> = of(Group::Host).filter(|check| !is_of_runs(check) && !is_of_disk(check)).collect();
    let is_dial = |check: &&dyn AnyCheck| check.meta().name == Dial::META.name;
    let (dial, files): (Vec<_>, Vec<_>) = of(Group::Proxy).partition(is_dial);
    let as_planned = Look { host: planned, ..*look };
    let is_of_plan = |check: &&dyn AnyCheck| check.meta().ids.iter().any(|id| OF_PLAN.contains(id));
    let (of_plan, host): (Vec<_>, Vec<_>) = host.into_iter().partition(is_of_plan);
    let mut findings = in_turn(&host, look, end);
    findings.extend(in_turn(&of_plan, &as_planned, end));
    let over_planned = in_turn(&files, &as_planned, end).into_iter();
    // A container that runs reads no file, whatever is planned.
    let is_served = |who| served.contains(&who) || (who == Who::Container && look.host.is_live());
    findings.extend(over_planned.filter_map(|finding| match Who::of(finding.id) {
        None => Some(finding),
        Some(who) => (!is_served(who)).then(|| super::prove::milder(finding)),
    }));
    if look.host.is_live() {
        findings.extend(in_turn(&dial, look, end));
    } else {
        findings.push(Finding::skip(ids::PROXY_CONNECTS, "the proxy was not asked").observed(IMAGE));
        findings.push(Finding::skip(ids::DISK_SIZE, "the disk was not looked at").observed(IMAGE));
    }
    findings
}

/// The back ends that this run changes: in `prod.env`, or whether TLS is wanted.
fn moved(host: &HostContext<'_>, settings: &Settings, phase: Phase) -> Vec<&'static BackEnd> {
    if !phase.chosen(&settings.targets).contains(&TargetName::ProdEnv) {
        return Vec::new();
    }
    let is_moved = |back_end: &&BackEnd| {
        let mut own = settings.back_ends.iter().filter(|(key, _)| key.is_in(back_end.section));
        let before = host.layers.before(back_end.tls).map(|setting| &setting.value);
        own.any(|(key, value)| !host.found.has_everywhere(*key, value.bytes()))
            || (back_end.host == Key::MysqlHost && settings.moves_databases(&host.found))
            || host.layers.get(back_end.tls).is_some_and(|now| Some(&now.value) != before)
    };
    BACK_ENDS.iter().filter(is_moved).collect()
}

/// Why no back end that is changed can be asked.
fn unasked(host: &HostContext<'_>, settings: &Settings) -> Option<Text> {
    if !host.view.host.is_live() {
        return Some(IMAGE.into());
    }
    let file = prod_env(&settings.home);
    if host.view.unread().iter().any(|path| path == Path::new(&file)) {
        return Some(text!("{} can be read by root only, so the password is not known", file));
    }
    None
}

/// Asks a container of a Test Drive that runs whether it takes the new login: its own does not change with `prod.env`.
///
/// # Errors
/// Why it cannot be asked.
fn in_container(back_end: &BackEnd, name: &str, look: &Look<'_>, end: Instant) -> Result<Vec<Finding>, Text> {
    let limit = DOCKER.min(end.saturating_duration_since(Instant::now()));
    let found = own_containers(look.host, &look.spec.home, Time::new(limit, limit)).map_err(|_| {
        text!("a Test Drive's {} is a container of this host, and Docker does not say where", own(back_end.name))
    })?;
    let runs = |container: &&docker::Container| container.state.status == "running";
    let is_it =
        |container: &&docker::Container| container.service.as_deref() == Some(name) || container.state.name == name;
    let container = found.own.iter().filter(runs).find(is_it).ok_or_else(|| {
        text!("a Test Drive's {} is a container of this host, which starts with the product", own(back_end.name))
    })?;
    let mut spec = look.spec.clone();
    let places = [spec.mysql.as_mut().map(|own| &mut own.at), spec.redis.as_mut().map(|own| &mut own.at)];
    let [mysql, redis] = places;
    let at = if back_end.section == "mysql" { mysql } else { redis };
    let Some(at) = at else { return Err("nothing says which port it has".into()) };
    let reached = container.reached(at.port).ok_or("its container has no address on this host")?;
    (at.host, at.port) = reached;
    at.origin = format!("the container {}", container.state.name);
    let mut asked = in_turn(&[back_end.check], &Look { spec: &spec, ..*look }, end);
    // What else it is like does not change with this run.
    asked.retain(|finding| OF_CONTAINER.contains(&finding.id) && finding.status != Status::Skip);
    if asked.is_empty() {
        return Err(text!("its container {} runs and does not answer", Foreign::new(&container.state.name)));
    }
    for finding in asked.iter_mut().filter(|finding| finding.status == Status::Fail) {
        finding.cause = Some(
            "the container has its accounts in its data folder, and prod.env does not change them; the product could not log in"
                .into(),
        );
    }
    Ok(asked)
}

/// A command of ours would use the back end that the host still has: in its place stands one that names the new one. A flag for
/// the run itself is another matter.
fn not_written_yet(mut finding: Finding, back_end: &BackEnd, layers: &Layers) -> Finding {
    if !matches!(finding.status, Status::Fail | Status::Error) {
        return finding;
    }
    finding.fix.retain(|fix| !fix.text().names_ics_setup() || fix.text().is_again(Again::Reconfigure));
    let is_of_it = |spec: &&Spec| spec.key.is_in(back_end.section) || matches!(spec.key, Key::Release | Key::ProxyCa);
    let said = TABLE.iter().filter(is_of_it).filter_map(|spec| Some((spec, layers.flags_first(&[spec.key])?.1)));
    let words = said.filter_map(|(spec, said)| {
        let flag = spec.flag.or_else(|| spec.key.file_of_password()?.spec().flag)?;
        Some(match spec.shape {
            _ if spec.secret => text!(" --{} <FILE>", own(flag)),
            Shape::Switch => text!(" --{}={}", own(flag), own(&said.value)),
            _ => text!(" --{} {}", own(flag), own(quoted(&said.value))),
        })
    });
    let command = ics_setup(text!("check backends{}", Text::join(words, "")));
    if [ids::MYSQL_VERSION, ids::REDIS_VERSION].contains(&finding.id) {
        finding = finding.advise(text!(
            "if another release of the product is meant, name it in the same command: {}",
            typed("--release <VERSION>")
        ));
    }
    finding.look(text!("ask the new one again, which changes nothing: {}", command))
}

/// Asks the proxy once. What it does not do is told; nothing is taken back for it.
pub(super) fn probe(host: &dyn HostRead, options: Options<'_>, context: &mut RunContext) {
    let Some(Probe { spec, secrets, roots }) = context.probe.take() else { return };
    let look = Look {
        host,
        platform: context.platform.as_ref(),
        spec: &spec,
        secrets: &secrets,
        roots: &roots,
        changes: None,
    };
    let facts = Check::collect(&Dial, &look, Time::new(PROBE, PROBE), None);
    let found = Check::judge(&Dial, &facts, &spec);
    let wrong: Vec<Finding> = found.iter().filter(|finding| finding.status.is_wrong()).cloned().collect();
    let served = found.into_iter().filter(|finding| finding.id == ids::PROXY_CONNECT_METHOD);
    let told = if wrong.is_empty() { served.collect() } else { wrong };
    context.findings.extend(told.into_iter().map(super::prove::milder));
    options.ignored.apply(&mut context.findings);
}
