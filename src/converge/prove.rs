//! Who sees the values: consumers are observed over the planned files before anything is written, the Docker daemon is
//! restarted where that was asked for, and afterwards consumers are asked what they get.

use std::time::{Duration, Instant};

use super::{Options, RunContext, trust};
use crate::authority::{daemon_is_older, is_of_store};
use crate::consumers::{self, Ask, Consumer, ConsumersFacts, State, Wanted, Who, judge};
use crate::envfile::unit::Release;
use crate::environment::{LoginUser, systemd_runs};
use crate::finding::{Finding, Status, ids};
use crate::host::{Command, HostRead, View};
use crate::net::Time;
use crate::plan::{Change, Fate, PlannedHost, Stage, StageId, StageState};
use crate::platform::Platform;
use crate::problem::{HostState, Problem, id};
use crate::progress::Progress;
use crate::routes::{self, Known, Site};
use crate::sandbox::File;
use crate::settings::{Layers, Settings};
use crate::system::IMAGE;
use crate::targets;
use crate::text;
use crate::text::{Foreign, ics_setup, own, typed};
use crate::vendor::{Vendor, prod_env};

/// How long all consumers may take together.
const DEADLINE: Duration = Duration::from_secs(40);

/// What the consumers whose files this run writes would not get as wanted, although everything is written as planned.
/// Others are told of only where their files say something else, not where they say nothing. Beside it, which ways out turn.
///
/// `strict`: what they would not get stops the run.
pub(super) fn plan(
    host: &View<'_>,
    layers: &Layers,
    context: &mut RunContext,
    (dry_run, strict): (bool, bool),
) -> Vec<Finding> {
    let Some(settings) = &context.settings else { return Vec::new() };
    let (changes, serves) = (&context.plan.changes, &context.plan.consumers);
    let planned = PlannedHost::new(host, changes);
    // Over files that stay as they are, the verification asks.
    let files: Vec<File> = changes.iter().map(Change::file).collect();
    let inside = (host.is_live() && (dry_run || !files.is_empty())).then_some(files.as_slice());
    // Of a run that writes nothing but the back ends: what the containers make of them.
    let is_of_back_ends = serves.is_empty() && context.plan.touches(&prod_env(&settings.home));
    let judged = if is_of_back_ends { vec![Who::ProdEnv] } else { serves.clone() };
    let everybody = if changes.is_empty() { judged.clone() } else { Who::ALL.to_vec() };
    let quiet = !judged.contains(&Who::ProdEnv);
    let platform = context.platform.as_ref();
    let site = Site { host, platform, home: &settings.home, layers, direct: &settings.direct };
    if changes.is_empty() {
        // Nothing turns: the files tell how the ways are.
        context.routes = site.foretell(&site.observe(&[], None), None);
    }
    let Some((wanted, mut facts)) = ask(&planned, settings, platform, &everybody, inside, quiet) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if !changes.is_empty() {
        let routes = site.foretell(&facts, inside);
        let told = |id| context.findings.iter().any(|own| own.id == id);
        let inspects = context.plan.authority.is_some();
        findings = routes::judge(&routes, &Known { proxied: wanted.is_proxy(), inspects, told: &told, back: false });
        context.routes = routes;
    }
    facts.consumers.retain(|consumer| judged.contains(&consumer.consumer));
    facts.kept.retain(|who| judged.contains(who));
    let back_ends = judge::back_ends(&facts, &wanted).into_iter().map(milder);
    if is_of_back_ends {
        return back_ends.filter(|finding| finding.status != Status::Skip).chain(findings).collect();
    }
    let release = platform.map_or(Release::UNKNOWN, Platform::systemd);
    consumers::over_planned(host, &planned, release, &mut facts);
    let told = |consumer: &&Consumer| {
        consumer.consumer.has_file_of_ours() || consumer.has_proxy() || !consumer.unknown.is_empty()
    };
    let of_consumers = facts.consumers.iter().filter(told).map(|consumer| {
        let finding = judge::judge(consumer, &facts, &wanted);
        // A daemon that would not start stops every run.
        if strict || consumer.state == State::Refused { finding } else { milder(finding) }
    });
    let of_consumers = of_consumers.chain(facts.consumers.iter().filter_map(judge::disagreement).map(milder));
    let of_consumers = of_consumers.chain(back_ends);
    let of_consumers = of_consumers.filter(|finding| finding.status.is_wrong());
    let findings = of_consumers.chain(findings).collect();
    context.ahead = Some((wanted, facts));
    findings
}

/// Has the Docker daemon read something else than its files say, as it runs now?
pub(super) fn has_read_other(host: &dyn HostRead, context: &RunContext) -> bool {
    if context.plan.authority.is_some() && (context.took_up || trust::waits(host, context) || daemon_is_older(host)) {
        return true;
    }
    let is_behind =
        |(_, facts): (Wanted, ConsumersFacts)| facts.consumers.iter().any(|consumer| consumer.next.is_some());
    context.plan.consumers.contains(&Who::Docker) && observe(host, context, &[Who::Docker], None).is_some_and(is_behind)
}

/// Does this run write files of the daemon?
pub(super) fn is_written(host: &dyn HostRead, context: &RunContext) -> bool {
    let release = context.platform.as_ref().map_or(Release::UNKNOWN, Platform::systemd);
    let unit = consumers::installed_docker(host, release).unwrap_or("docker");
    let drop_in = consumers::docker_drop_in(&format!("{unit}.service"));
    [&drop_in, &Vendor::get().docker.daemon_json].into_iter().any(|path| context.plan.touches(path))
        || context.plan.changes.iter().any(|change| is_of_store(&change.path))
}

impl RunContext {
    /// Has the Docker daemon read something else than its files say, and has it not read what they are going to say?
    pub(crate) fn daemon(&self, host: &dyn HostRead) -> (bool, bool) {
        let other = has_read_other(host, self);
        (other, other || is_written(host, self))
    }
}

/// `--restart`: the Docker daemon reads its new proxy. Nothing happens where it does not run or has read it already: `false`.
///
/// # Errors
/// `systemctl` failed; the files are written.
pub(super) fn restart(host: &dyn HostRead, context: &mut RunContext) -> Result<bool, Problem> {
    let is_served = context.plan.consumers.contains(&Who::Docker) || context.plan.authority.is_some();
    if !context.restart || context.restarted || !is_served {
        return Ok(false);
    }
    let release = context.platform.as_ref().map_or(Release::UNKNOWN, Platform::systemd);
    let Some(unit) = consumers::installed_docker(host, release) else { return Ok(false) };
    let unit = format!("{unit}.service");
    if !is_written(host, context) && !has_read_other(host, context) {
        return Ok(false);
    }
    if !host.is_live() || !systemd_runs(host) || is_stopped(host, &unit) {
        return Ok(false);
    }
    systemctl(host, "try-restart", &unit).map_err(|problem| {
        problem.hint("then run the same command again: it restarts a daemon that has not read its proxy")
    })?;
    (context.restarted, context.took_up) = (true, false);
    Ok(true)
}

/// Does systemd say that the daemon does not run? `try-restart` then does nothing, without a word.
fn is_stopped(host: &dyn HostRead, unit: &str) -> bool {
    let Ok(output) = host.run(&Command::new(["systemctl", "is-active", unit])) else { return false };
    ["inactive", "failed", "deactivating"].contains(&String::from_utf8_lossy(&output.stdout).trim())
}

/// That `--restart` has restarted nothing, and why.
pub(super) fn restarted_nothing(host: &dyn HostRead, context: &RunContext) -> Option<Finding> {
    let is_started = |stage: &Stage| stage.id == StageId::Start && stage.state == StageState::Changed;
    let has_restarted = context.restarted
        || context.stages.iter().any(is_started)
        || context.containers.iter().any(|own| own.fate != Fate::Keep);
    if !context.restart || has_restarted {
        return None;
    }
    let release = context.platform.as_ref().map_or(Release::UNKNOWN, Platform::systemd);
    let (status, why, advice) = match consumers::installed_docker(host, release) {
        _ if !host.is_live() => (Status::Skip, IMAGE, None),
        None => (Status::Warn, "there is no Docker on this host", Some("without --restart the run is the same")),
        Some(_) if !systemd_runs(host) => {
            (Status::Warn, "systemd does not run here", Some("restart the Docker daemon yourself, as it was started"))
        }
        Some(unit) if is_stopped(host, &format!("{unit}.service")) => {
            (Status::Skip, "the Docker daemon does not run; it reads its files when it starts", None)
        }
        Some(_) => (Status::Skip, "what runs has read its files already", None),
    };
    let finding = Finding::new(ids::RESTART_NOTHING, status, "--restart has restarted nothing")
        .expected("what has not read its new values is started again")
        .observed(why);
    Some(advice.into_iter().fold(finding, Finding::advise))
}

/// The way back: the daemon reads its files as they are now, also where it did not start with those of this run.
///
/// # Errors
/// `systemctl` failed.
pub(super) fn restart_as_before(host: &dyn HostRead, context: &mut RunContext) -> Result<(), Problem> {
    let release = context.platform.as_ref().map_or(Release::UNKNOWN, Platform::systemd);
    let Some(unit) = consumers::installed_docker(host, release).filter(|_| systemd_runs(host)) else { return Ok(()) };
    (context.restarted, context.took_up) = (false, false);
    systemctl(host, "restart", &format!("{unit}.service"))
}

/// Starts the daemon anew, once systemd has read its unit.
fn systemctl(host: &dyn HostRead, verb: &'static str, unit: &str) -> Result<(), Problem> {
    let _starting = Progress::begin(format!("starting {unit} anew"));
    for argv in [&["systemctl", "daemon-reload"][..], &["systemctl", verb, unit]] {
        let command = Command { deadline: Duration::from_secs(120), ..Command::new(argv.iter().copied()) };
        let failed = || {
            Problem::host(id::RESTART_FAILED, text!("{} failed", own(argv.join(" "))))
                .hint(text!(
                    "look: {}; {}",
                    typed(text!("systemctl status {}", own(unit))),
                    typed(text!("journalctl -u {} -n 50", own(unit)))
                ))
                .leaving(HostState::Changed)
        };
        match host.run(&command) {
            Ok(output) if output.code == Some(0) => {}
            Ok(output) => return Err(failed().because(Foreign::new(String::from_utf8_lossy(&output.stderr).trim()))),
            Err(error) => return Err(failed().caused_by(error)),
        }
    }
    Ok(())
}

/// Asks the consumers of this run. A login that does not see the values is a failure.
///
/// # Errors
/// `verify-failed`, naming variable and login.
pub(super) fn verify(options: Options<'_>, host: &dyn HostRead, context: &mut RunContext) -> Result<(), Problem> {
    if options.dry_run {
        return Ok(());
    }
    let inside = host.is_live().then_some(&[][..]);
    // Where nothing was written and nobody can be asked, the same files would say the same again.
    let ahead = context.ahead.take().filter(|_| context.plan.is_empty() && !host.is_live());
    let seen = ahead.or_else(|| observe(&View::new(host), context, &context.plan.consumers, inside));
    let Some((wanted, facts)) = seen else { return Ok(()) };
    // Only a login that was really started proves that the run has failed; all else is told and stays.
    let judged = |consumer: &Consumer| {
        let finding = judge::judge(consumer, &facts, &wanted);
        if consumer.is_asked_login() { finding } else { milder(finding) }
    };
    let mut findings: Vec<Finding> = facts.consumers.iter().map(judged).collect();
    findings.extend(facts.consumers.iter().filter_map(judge::disagreement));
    let broken = findings.iter().find(|finding| finding.status == Status::Fail).cloned();
    // What was foretold is known now.
    context.findings.retain(|known| !findings.iter().any(|finding| finding.id == known.id));
    context.findings.extend(findings);
    options.ignored.apply(&mut context.findings);
    let Some(finding) = broken.filter(|finding| !options.ignored.covers(finding.id)) else { return Ok(()) };
    let (expected, seen) = (finding.expected.unwrap_or_default(), finding.observed.unwrap_or_default());
    let problem =
        Problem::host(id::VERIFY_FAILED, finding.title.clone()).because(text!("expected {}, seen {}", expected, seen));
    let problem = finding.fix.into_iter().fold(problem, Problem::hint_fix);
    Err(match &context.run {
        Some(run) => {
            problem.hint(text!("undo: {}", ics_setup(text!("revert {}", own(run))))).leaving(HostState::Changed)
        }
        None => problem,
    })
}

/// What consumers get on `host`; `None`: this run serves none.
fn observe(
    host: &dyn HostRead,
    context: &RunContext,
    only: &[Who],
    inside: Option<&[File]>,
) -> Option<(Wanted, ConsumersFacts)> {
    ask(host, context.settings.as_ref()?, context.platform.as_ref(), only, inside, false)
}

/// As [`observe`], for settings that are not those of the run yet, over files with these changes. The models speak; where they
/// cannot tell what the login gets that can be asked, it is asked before `end`. `None`: nobody is asked.
pub(super) fn look(
    view: &View<'_>,
    changes: &[Change],
    (settings, platform): (&Settings, &Platform),
    only: &[Who],
    end: Option<Instant>,
) -> Option<(Wanted, ConsumersFacts)> {
    let (planned, platform) = (PlannedHost::new(view, changes), Some(platform));
    let (wanted, facts) = ask(&planned, settings, platform, only, None, false)?;
    let is_asked = end.is_some_and(|end| Instant::now() < end) && view.is_live() && view.euid() == 0;
    let user = LoginUser::of(view).name;
    let is_untold = |own: &Consumer| {
        own.consumer == Who::Login && !own.unknown.is_empty() && own.held.iter().any(|(own, _)| *own == user)
    };
    if !is_asked || !facts.consumers.iter().any(is_untold) {
        return Some((wanted, facts));
    }
    let files: Vec<File> = changes.iter().map(Change::file).collect();
    ask(&planned, settings, platform, only, Some(&files), false)
}

/// `quiet`: no name server is asked.
fn ask(
    host: &dyn HostRead,
    settings: &Settings,
    platform: Option<&Platform>,
    only: &[Who],
    inside: Option<&[File]>,
    quiet: bool,
) -> Option<(Wanted, ConsumersFacts)> {
    if only.is_empty() {
        return None;
    }
    let no_proxy = targets::no_proxy(settings).shown().members().map(str::to_owned).collect();
    let wanted = Wanted { asked: true, written: true, ..Wanted::new(settings, no_proxy) };
    let ask = Ask {
        host,
        platform,
        home: &settings.home,
        http_proxy: settings.proxies.http.as_ref().map(|url| &url.value),
        https_proxy: settings.proxies.https.as_ref().map(|url| &url.value),
        inside,
        quiet,
        sudo_by: None,
    };
    Some((wanted, consumers::observe(&ask, Some(only), Time::new(DEADLINE, DEADLINE))))
}

/// What does not stop a run.
pub(super) fn milder(finding: Finding) -> Finding {
    if finding.status == Status::Fail { Finding { status: Status::Warn, ..finding } } else { finding }
}
