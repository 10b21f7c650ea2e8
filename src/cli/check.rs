//! `check`: collect → judge → render.

use std::path::Path;
use std::time::Duration;

use clap::ArgMatches;

use super::args::{Globals, flags};
use super::exit::Exit;
use super::inputs::Inputs;
use super::progress::Progress;
use super::{machine, out, sudo};
use crate::check::{Group, Limits, Record, Run, Selection, Want};
use crate::finding::{Finding, catalogue, must_be_known};
use crate::host::{HostRead, View};
use crate::net::Roots;
use crate::platform;
use crate::problem::{Problem, id};
use crate::redact::Redactor;
use crate::report::Paint;
use crate::report::check::{self as page, Checked, Summary};
use crate::settings::{self, Effective, First, Found};
use crate::targets;

/// Runs the verb.
pub fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    let mut redactor = Redactor::default();
    match checked(globals, matches, &mut redactor) {
        Ok(exit) => exit,
        Err(problem) => {
            let problem = if problem.id == id::NEEDS_ROOT { sudo::with_line(problem, &globals.argv) } else { problem };
            out::failed(globals, "check", &problem, &redactor)
        }
    }
}

fn checked(globals: &Globals, matches: &ArgMatches, redactor: &mut Redactor) -> Result<Exit, Problem> {
    if matches.get_flag("list") {
        list(globals);
        return Ok(Exit::Done);
    }
    if let Some(id) = matches.get_one::<String>("explain") {
        return explain(globals, id);
    }
    let report = report(matches)?;
    let selection = selection(matches)?;
    let limits = limits(matches)?;
    let record = match matches.get_one::<std::path::PathBuf>("from") {
        Some(path) => recorded(matches, path)?,
        None => collect(globals, matches, &selection, limits, redactor)?,
    };
    if let Some(path) = matches.get_one::<std::path::PathBuf>("save-facts") {
        // Facts hold names and addresses of the company's inside: only the owner may read them.
        save(path, "--save-facts", record.text(redactor).as_bytes(), 0o600)?;
    }
    let findings = record.judge(&selection, &globals.ignored);
    let took_ms = record.checks.iter().map(|entry| entry.took_ms).max().unwrap_or(0);
    let checked = Checked { findings: &findings, taken: &record.taken, took_ms, redactor };
    if let Some((path, write)) = report {
        save(path, "--report", write(&record, &checked).as_bytes(), 0o644)?;
    }
    out::result(&checked.render(globals.format, globals.verbose, globals.quiet, Paint(globals.color)));
    Ok(exit(matches, &findings))
}

/// 4 for failures and broken checks, 11 for nothing worse than warnings, as far as `--fail-on` wants to know.
fn exit(matches: &ArgMatches, findings: &[Finding]) -> Exit {
    let summary = Summary::of(findings);
    match matches.get_one::<String>("fail-on").map(String::as_str) {
        Some("never") => Exit::Done,
        _ if summary.fail + summary.error > 0 => Exit::ChecksFailed,
        Some("warn") if summary.warn > 0 => Exit::Warnings,
        _ => Exit::Done,
    }
}

fn collect(
    globals: &Globals,
    matches: &ArgMatches,
    selection: &Selection,
    limits: Limits,
    redactor: &mut Redactor,
) -> Result<Record, Problem> {
    let host = machine::to_look(globals)?;
    let mut inputs = Inputs::new(globals, flags(matches)?)?;
    let layers = inputs.layers(&host)?;
    // A system that is neither of the two families is a finding, not the end.
    let platform = platform::detect(&host, settings::strategy(&layers)).ok().map(|(platform, _)| platform);
    let home = settings::home(&layers)?;
    let view = View::lenient(&host);
    let first = if host.lstat(&crate::vendor::prod_env(&home)).is_ok_and(|stat| stat.is_some()) {
        First::Product
    } else {
        First::System
    };
    let found = match &platform {
        Some(platform) => Found::look(&view, platform, &home, first)?,
        None => Found::default(),
    };
    found.secrets().for_each(|secret| redactor.learn(secret));
    let (settings, _) = inputs.resolve(layers, &found)?;
    settings.secrets.iter().for_each(|secret| redactor.learn(secret));
    let no_proxy = targets::no_proxy(&settings).members().map(str::to_owned).collect();
    let (want, secrets) = Want::new(&settings, &Effective::new(&settings, &found), no_proxy, limits);
    secrets.teach(redactor);
    let authority = match &settings.proxy_ca {
        Some(path) => std::fs::read(&path.value).map_err(|error| {
            Problem::settings("setting-invalid", format!("{}: {} could not be read", path.origin, path.value.display()))
                .because(error)
        })?,
        None => Vec::new(),
    };
    let roots = Roots::of(&host, &authority);
    drop(view);
    quiet_threads();
    let run = Run { host, platform, want, secrets, roots };
    let mut progress = Progress::new(globals);
    Ok(run.collect(selection, &globals.ignored, &mut |done, total, names| progress.tell(done, total, names)))
}

/// A check that breaks is reported as a finding; its words would only stand in the way of the result.
fn quiet_threads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !std::thread::current().name().is_some_and(|name| name.starts_with("check ")) {
            usual(info);
        }
    }));
}

/// Facts that were saved, judged by the release and deployment named now, where they are.
fn recorded(matches: &ArgMatches, path: &Path) -> Result<Record, Problem> {
    let layer = flags(matches)?;
    if let Some(spec) = settings::TABLE
        .iter()
        .find(|spec| !matches!(spec.key, "release" | "deployment") && layer.get(spec.key).is_some())
    {
        let message = format!("{} says what to look at, and --from looks at nothing", spec.shown());
        return Err(
            Problem::settings(id::USAGE, message).hint("leave it out; --release and --deployment go with --from")
        );
    }
    let bytes = std::fs::read(path).map_err(|error| {
        Problem::settings("facts-unreadable", format!("--from {} could not be read", path.display())).because(error)
    })?;
    let mut record = Record::parse(&bytes, &path.display().to_string())?;
    if let Some(release) = layer.get("release") {
        record.want.release = Some(release.value.clone());
    }
    match layer.get("deployment").map(|setting| setting.value.as_str()) {
        Some("test-drive") => record.want.deployment = settings::Deployment::TestDrive,
        Some(_) => record.want.deployment = settings::Deployment::Production,
        None => {}
    }
    Ok(record)
}

/// Writes a file at once or not at all, following no link that somebody placed.
fn save(path: &Path, flag: &str, bytes: &[u8], mode: u32) -> Result<(), Problem> {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |error: std::io::Error| {
        Problem::settings("file-unwritable", format!("{flag} {} could not be written", path.display())).because(error)
    };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

type Page = fn(&Record, &Checked<'_>) -> String;

/// Where the report goes and what makes it, by the file's name.
fn report(matches: &ArgMatches) -> Result<Option<(&Path, Page)>, Problem> {
    let Some(path) = matches.get_one::<std::path::PathBuf>("report") else { return Ok(None) };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => Ok(Some((path, page::html))),
        Some("md") => Ok(Some((path, page::markdown))),
        _ => {
            let message = format!("--report {} says neither .html nor .md", path.display());
            Err(Problem::settings(id::USAGE, message).hint("--report report.html"))
        }
    }
}

fn selection(matches: &ArgMatches) -> Result<Selection, Problem> {
    let words = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned().collect::<Vec<_>>();
    let groups = words("group");
    let selection = Selection {
        groups: Group::ALL.into_iter().filter(|group| groups.iter().any(|word| word == group.word())).collect(),
        only: words("only"),
        skip: words("skip"),
    };
    for (flag, list) in [("--only", &selection.only), ("--skip", &selection.skip)] {
        for word in list {
            if !Group::ALL.into_iter().any(|group| group.word() == word) {
                must_be_known(word, flag)?;
            }
        }
    }
    Ok(selection)
}

fn limits(matches: &ArgMatches) -> Result<Limits, Problem> {
    let millis = |name: &str| -> Result<u64, Problem> {
        let text = matches.get_one::<String>(name).map_or("", String::as_str);
        let parsed = text.parse().map(Duration::from_secs).or_else(|_| humantime::parse_duration(text));
        let duration = parsed.map_err(|error| {
            Problem::settings(id::USAGE, format!("--{name} takes a time such as 500ms, 10s or 5m, not {text:?}"))
                .because(error)
        })?;
        Ok(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(24 * 3_600_000))
    };
    let limits = Limits {
        connect: millis("connect-timeout")?,
        check: millis("timeout")?,
        run: millis("deadline")?,
        wait: millis("wait")?,
    };
    match [("connect-timeout", limits.connect), ("timeout", limits.check), ("deadline", limits.run)]
        .iter()
        .find(|(_, limit)| *limit == 0)
    {
        Some((name, _)) => Err(Problem::settings(id::USAGE, format!("--{name} must be longer than nothing"))),
        None => Ok(limits),
    }
}

fn list(globals: &Globals) {
    if globals.json {
        let rows: Vec<_> = catalogue()
            .iter()
            .map(|known| serde_json::json!({"id": known.id, "group": known.group, "title": known.title}))
            .collect();
        out::json(&serde_json::json!({"schema": crate::report::SCHEMA, "command": "check", "checks": rows}));
        return;
    }
    let width = catalogue().iter().map(|known| known.id.len()).max().unwrap_or(0);
    let lines = catalogue().iter().map(|known| format!("{:9} {:width$}  {}\n", known.group, known.id, known.title));
    out::result(&lines.collect::<String>());
}

fn explain(globals: &Globals, id: &str) -> Result<Exit, Problem> {
    let known = must_be_known(id, "--explain")?;
    if globals.json {
        out::json(&serde_json::json!({
            "schema": crate::report::SCHEMA, "command": "check",
            "check": {"id": known.id, "group": known.group, "title": known.title, "explain": known.explain},
        }));
    } else {
        out::result(&format!("{} ({}): {}\n\n{}\n", known.id, known.group, known.title, known.explain));
    }
    Ok(Exit::Done)
}
