//! `prepare` and `reconfigure`: detect → plan → show → confirm → apply → verify → report.

use std::io::Read;
use std::path::Path;

use clap::ArgMatches;

use super::args::{Globals, flags};
use super::exit::Exit;
use super::{ask, out, sudo};
use crate::apply::{Applied, Session};
use crate::finding::{Finding, Status};
use crate::host::{Command, HostRead, HostWrite, RealHost, View};
use crate::plan::Plan;
use crate::platform::{self, Platform};
use crate::problem::{Left, Problem, id};
use crate::redact::Redactor;
use crate::report::{Outcome, Report};
use crate::settings::{self, First, Found, Layer, Layers, Origin, Outside, SAVED, Settings, TABLE, Unresolved};
use crate::targets::{self, Context, Moment};
use crate::verify::{LoginUser, Proof};

/// Runs one of the two verbs.
pub fn run(globals: &Globals, matches: &ArgMatches, moment: Moment) -> Exit {
    let mut told = Told::default();
    let result = flags(matches).and_then(|flags| open_host(globals, moment.verb()).map(|host| (flags, host)));
    let outcome = match result {
        Ok((flags, host)) => Converge { globals, host: &host, flags, moment, stdin: None }.run(&mut told),
        Err(problem) => Err(problem),
    };
    report(globals, moment, &told, outcome)
}

/// The host that a changing verb works on.
///
/// # Errors
/// `needs-root`, with the sudo line; a `--root` that is no folder.
pub fn open_host(globals: &Globals, verb: &str) -> Result<RealHost, Problem> {
    match &globals.root {
        Some(root) => RealHost::image(root).map_err(|error| {
            Problem::settings("root-invalid", format!("--root {} is not a folder that can be entered", root.display()))
                .because(error)
        }),
        None => {
            let host = RealHost::live();
            if host.euid() != 0 && !globals.dry_run {
                return Err(sudo::needs_root(verb, &globals.argv));
            }
            Ok(host)
        }
    }
}

/// Prints how the run ended.
pub fn report(globals: &Globals, moment: Moment, told: &Told, outcome: Result<Ended, Problem>) -> Exit {
    let (ended, problem) = match outcome {
        Ok(ended) => (ended, None),
        Err(problem) if problem.id == id::NEEDS_ROOT && problem.r#try.is_empty() => {
            (Ended::nothing(Outcome::Failed), Some(sudo::with_line(problem, &globals.argv)))
        }
        Err(problem) => (Ended::nothing(Outcome::of(&problem)), Some(problem)),
    };
    let kept = |problem: &Problem| matches!(problem.left, Left::Changed | Left::Committed);
    let changed_nothing = problem.as_ref().is_some_and(|problem| !kept(problem));
    let changes = if changed_nothing { &[][..] } else { &told.plan.changes };
    out::finish(
        globals,
        &Report {
            command: moment.verb(),
            outcome: ended.outcome,
            run: told.run.as_deref(),
            os: told.platform.as_ref().map(|platform| &platform.os),
            changes,
            findings: &told.findings,
            next_steps: if changed_nothing { &[] } else { &told.plan.next_steps },
            error: problem.as_ref(),
            redactor: &told.redactor,
        },
    )
}

/// What has become known on the way, for the report, however it ends.
#[derive(Default)]
pub struct Told {
    /// What system it is.
    pub platform: Option<Platform>,
    /// What is or was to be done.
    pub plan: Plan,
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// Secrets of this run.
    pub redactor: Redactor,
    /// The name of the run.
    pub run: Option<String>,
    /// The Docker daemon is to be restarted afterwards.
    restart_docker: bool,
}

/// How it ended, when it did not fail.
pub struct Ended {
    /// The word for it.
    pub outcome: Outcome,
}

impl Ended {
    fn nothing(outcome: Outcome) -> Self {
        Self { outcome }
    }
}

/// One run of a converging verb.
pub struct Converge<'a> {
    /// Flags of every command.
    pub globals: &'a Globals,
    /// The host.
    pub host: &'a dyn HostWrite,
    /// Flags of settings.
    pub flags: Layer,
    /// The verb.
    pub moment: Moment,
    /// The settings file, when it came from standard input.
    pub stdin: Option<String>,
}

impl Converge<'_> {
    /// The one path.
    ///
    /// # Errors
    /// The problem that stopped it.
    pub fn run(mut self, told: &mut Told) -> Result<Ended, Problem> {
        let globals = self.globals;
        let mut session = if globals.dry_run { None } else { Session::resume(self.host)? };
        let mut recovered = match &session {
            Some(session) => session.recover()?,
            None => Vec::new(),
        };
        self.plan_into(told)?;
        told.findings.splice(0..0, recovered.clone());
        if told.plan.is_empty() {
            self.verify(told)?;
            return Ok(Ended::nothing(Outcome::Unchanged));
        }
        out::show_plan(globals, &self.preview(told));
        if globals.dry_run {
            return Ok(Ended::nothing(Outcome::Pending));
        }
        if globals.interactive() && !globals.yes {
            if globals.json {
                out::message(&crate::report::human_plan(
                    &told.plan.changes,
                    &told.redactor,
                    crate::report::Paint(false),
                ));
            }
            ask::confirm(told.plan.changes.len())?;
        }
        if session.is_none() {
            // The first run on this host: somebody may have been quicker between our look and the lock.
            let opened = Session::open(self.host)?;
            recovered.extend(opened.recover()?);
            self.plan_into(told)?;
            told.findings.splice(0..0, recovered);
            session = Some(opened);
            if told.plan.is_empty() {
                self.verify(told)?;
                return Ok(Ended::nothing(Outcome::Unchanged));
            }
        }
        let Some(session) = session else { return Err(Problem::bug("no session to apply the plan in")) };
        let Applied { run, interrupted } = session.apply(&told.plan, self.moment.verb(), None)?;
        drop(session);
        let undo = format!("ics-setup revert {run}");
        told.run = Some(run);
        if interrupted {
            let message = "cancelled after everything was written; it stays, and was not verified";
            return Err(Problem::host(id::CANCELLED, message).hint(format!("undo: {undo}")).committed());
        }
        self.restart(told)?;
        self.verify(told)?;
        Ok(Ended::nothing(Outcome::Changed))
    }

    /// Looks at host and settings and makes the plan; a failing finding ends it here.
    fn plan_into(&mut self, told: &mut Told) -> Result<(), Problem> {
        let layers = self.layers()?;
        let (platform, findings) = platform::detect(self.host, settings::strategy(&layers))?;
        told.findings = findings;
        told.platform = Some(platform.clone());
        let view = View::new(self.host);
        let home = settings::home(&layers)?;
        let first = if self.moment == Moment::Prepare { First::System } else { First::Product };
        let found = Found::look(&view, &platform, &home, first)?;
        found.secrets().for_each(|secret| told.redactor.learn(secret));
        let (settings, noticed) = self.resolve(layers, &found)?;
        settings.secrets.iter().for_each(|secret| told.redactor.learn(secret));
        told.findings.extend(noticed);
        told.findings.extend(unknown_variables());
        let context =
            Context { view: &view, platform: &platform, settings: &settings, found: &found, moment: self.moment };
        self.globals.ignored.apply(&mut told.findings);
        // An old system is not touched before the person has said so.
        stop_on_failure(&told.findings)?;
        told.plan = targets::plan(&context)?;
        told.findings.append(&mut told.plan.findings);
        self.globals.ignored.apply(&mut told.findings);
        stop_on_failure(&told.findings)?;
        self.restart_wanted(&settings, told);
        Ok(())
    }

    /// The effective settings alone; nothing is planned.
    ///
    /// # Errors
    /// A wrong or missing setting.
    pub fn settings(mut self) -> Result<Settings, Problem> {
        let layers = self.layers()?;
        // Settings can be shown anywhere; what a host that is neither Ubuntu nor CentOS has is not looked for.
        let found = match platform::detect(self.host, settings::strategy(&layers)) {
            Ok((platform, _)) => {
                Found::look(&View::new(self.host), &platform, &settings::home(&layers)?, First::System)?
            }
            Err(_) => Found::default(),
        };
        self.resolve(layers, &found).map(|(settings, _)| settings)
    }

    fn layers(&mut self) -> Result<Layers, Problem> {
        let variables = Layer::of_variables(|name| std::env::var_os(name))?;
        let file = self.settings_file()?;
        Ok(Layers { flags: self.flags.clone(), variables, file })
    }

    /// `--settings FILE`, else what the last run saved.
    fn settings_file(&mut self) -> Result<Layer, Problem> {
        match &self.globals.settings {
            Some(path) if path == Path::new("-") => {
                if self.stdin.is_none() {
                    let mut text = String::new();
                    std::io::stdin().lock().take(1 << 20).read_to_string(&mut text).map_err(|error| {
                        Problem::settings("settings-unreadable", "--settings -: standard input could not be read")
                            .because(error)
                    })?;
                    self.stdin = Some(text);
                }
                settings::read_file(self.stdin.as_deref().unwrap_or_default(), Path::new("<stdin>"))
            }
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Problem::settings("settings-unreadable", format!("--settings {} could not be read", path.display()))
                        .because(error)
                })?;
                settings::read_file(&text, path)
            }
            None => saved_settings(self.host),
        }
    }

    /// Valid settings; at a terminal a missing password is asked for.
    fn resolve(&mut self, mut layers: Layers, found: &Found) -> Result<(Settings, Vec<Finding>), Problem> {
        let outside = Outside { variable: &|name| std::env::var_os(name), file: &|path| std::fs::read(path) };
        match Settings::resolve(&layers, found, &outside, &self.globals.ignored) {
            Err(Unresolved::Missing(specs)) if self.globals.interactive() => {
                for spec in specs {
                    let origin = Origin::Flag("asked for".to_owned());
                    self.flags.insert(spec, ask::secret(spec)?, origin)?;
                }
                layers.flags = self.flags.clone();
                Settings::resolve(&layers, found, &outside, &self.globals.ignored).map_err(Unresolved::into_problem)
            }
            other => other.map_err(Unresolved::into_problem),
        }
    }

    fn preview<'t>(&self, told: &'t Told) -> Report<'t> {
        Report {
            command: self.moment.verb(),
            outcome: Outcome::Pending,
            run: None,
            os: told.platform.as_ref().map(|platform| &platform.os),
            changes: &told.plan.changes,
            findings: &told.findings,
            next_steps: &told.plan.next_steps,
            error: None,
            redactor: &told.redactor,
        }
    }

    fn restart_wanted(&self, settings: &Settings, told: &mut Told) {
        let drop_in = &crate::vendor::Vendor::get().docker;
        let touches = told.plan.touches(&drop_in.drop_in) || told.plan.touches(&drop_in.daemon_json);
        told.restart_docker = settings.restart == Some(true) && touches;
    }

    /// `--restart`: the Docker daemon reads its new proxy. Nothing happens where it does not run.
    fn restart(&self, told: &mut Told) -> Result<(), Problem> {
        if !told.restart_docker {
            return Ok(());
        }
        if !self.host.is_live() || self.host.lstat(Path::new("/run/systemd/system")).ok().flatten().is_none() {
            told.plan.next_steps.push("systemd does not run here: restart the Docker daemon yourself".to_owned());
            return Ok(());
        }
        for argv in [&["systemctl", "daemon-reload"][..], &["systemctl", "try-restart", "docker.service"]] {
            let command =
                Command { deadline: std::time::Duration::from_secs(120), ..Command::new(argv.iter().copied()) };
            let failed = |why: String| {
                Problem::host("restart-failed", format!("{} failed", argv.join(" ")))
                    .because(why)
                    .hint("look: systemctl status docker; journalctl -u docker -n 50")
                    .host_changed()
            };
            match self.host.run(&command) {
                Ok(output) if output.code == Some(0) => {}
                Ok(output) => return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
                Err(error) => return Err(failed(error.to_string())),
            }
        }
        Ok(())
    }

    /// The proof that readers see it; a login that does not is a failure of a host that has been changed.
    fn verify(&self, told: &mut Told) -> Result<(), Problem> {
        let Some(platform) = &told.platform else { return Ok(()) };
        if self.globals.dry_run {
            return Ok(());
        }
        let proof = Proof {
            host: self.host,
            platform,
            user: login_user(self.host),
            wanted: &told.plan.logins,
            redactor: &told.redactor,
        };
        let findings = proof.run();
        let broken = findings.iter().find(|finding| finding.status == Status::Fail).cloned();
        told.findings.extend(findings);
        self.globals.ignored.apply(&mut told.findings);
        match broken {
            Some(finding) if !self.globals.ignored.covers(finding.id) => {
                let problem = Problem::host("verify-failed", finding.title.clone()).because(format!(
                    "expected {}, seen {}",
                    finding.expected.unwrap_or_default(),
                    finding.observed.unwrap_or_default()
                ));
                let problem = finding.fix.into_iter().fold(problem, Problem::hint);
                Err(if told.run.is_some() {
                    problem
                        .hint(format!("undo: ics-setup revert {}", told.run.as_deref().unwrap_or_default()))
                        .host_changed()
                } else {
                    problem
                })
            }
            _ => Ok(()),
        }
    }
}

/// What the last run saved.
///
/// # Errors
/// A file that cannot be read or is not TOML.
pub fn saved_settings(host: &dyn HostRead) -> Result<Layer, Problem> {
    let view = View::new(host);
    let snapshot = view.snapshot(Path::new(SAVED))?;
    match snapshot {
        Some(snapshot) => settings::read_file(&String::from_utf8_lossy(&snapshot.bytes), &host.shown(Path::new(SAVED))),
        None => Ok(Layer::default()),
    }
}

/// `ICS_SETUP_…` variables that mean nothing: at a first boot nobody would notice the slip.
fn unknown_variables() -> Option<Finding> {
    let known = |name: &str| TABLE.iter().any(|spec| spec.variable == name);
    let name = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("ICS_SETUP_") && !known(name))
        .min()?;
    let finding = Finding::new(
        "variable-unknown",
        "settings",
        Status::Warn,
        format!("the variable {name} means nothing to ics-setup"),
    );
    Some(match settings::nearest(&name, TABLE.iter().map(|spec| spec.variable)) {
        Some(near) => finding.fix(format!("did you mean {near}?")),
        None => finding.fix("all variables: ics-setup settings example"),
    })
}

fn stop_on_failure(findings: &[Finding]) -> Result<(), Problem> {
    let failing: Vec<&Finding> = findings.iter().filter(|finding| finding.status == Status::Fail).collect();
    let Some(first) = failing.first() else { return Ok(()) };
    let more = if failing.len() > 1 { format!(" (and {} more)", failing.len() - 1) } else { String::new() };
    let problem = Problem::host(id::CHECKS_FAILED, format!("{}{more}", first.title));
    let problem = match &first.observed {
        Some(observed) => problem.because(format!("seen: {observed}")),
        None => problem,
    };
    let problem = first.fix.iter().fold(problem, |problem, fix| problem.hint(fix));
    Err(problem.hint(format!("go on all the same: --ignore-check {}", first.id)))
}

/// `divvy`, as the vendor's documents verify it; else whoever called sudo; else whoever we are.
fn login_user(host: &dyn HostRead) -> LoginUser {
    let by_name = |name: &str| nix::unistd::User::from_name(name).ok().flatten();
    let caller = std::env::var("SUDO_USER").ok();
    let user = if host.is_live() {
        by_name("divvy")
            .or_else(|| caller.as_deref().and_then(by_name))
            .or_else(|| nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten())
    } else {
        None
    };
    match user {
        Some(user) => {
            let shell = user.shell.file_name().unwrap_or_default().to_string_lossy().into_owned();
            LoginUser { name: user.name, needs_shell: matches!(shell.as_str(), "nologin" | "false" | "") }
        }
        None => LoginUser { name: if host.is_live() { "root" } else { "divvy" }.to_owned(), needs_shell: false },
    }
}
