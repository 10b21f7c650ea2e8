//! `check`: collect → judge → render.

mod known;

use std::ffi::OsString;
use std::path::Path;

use clap::ArgMatches;

use super::args::{Globals, flags, path_of, time_of, word};
use super::exit::Exit;
use super::settings::of_inputs;
use super::{ask, files, machine, network, out, terminal};
use crate::check::{CheckSpec, GivenList, Group, Limits, Record, Run, Selection, Target, Unread};
use crate::context::{AuthoritySpec, HostContext, Inputs, Intent, Named, at_most, roots};
use crate::finding::{Finding, Ignored};
use crate::host::{HostRead, RealHost};
use crate::network::catalogue::{Catalogue, EndpointNeeds, required_endpoints};
use crate::network::cause::Via;
use crate::problem::{Problem, id};
use crate::progress::Progress;
use crate::redact::{MASK, Redactor};
use crate::report::Paint;
use crate::report::check::{self as render, Checked, Page, Summary};
use crate::settings::{self, Effective, Key};
use crate::standing;
use crate::targets;
use crate::text;
use crate::text::{Person, Text, ics_setup, own, quoted, typed};

/// More than the facts of any host: they are bounded where they are collected.
const MAX_FACTS: u64 = 64 << 20;

/// Runs the verb. The redactor learns the secrets that are found on the way.
///
/// # Errors
/// Flags that do not go together, wrong settings, files that cannot be read or written.
pub(super) fn run(globals: &Globals, matches: &ArgMatches, redactor: &mut Redactor) -> Result<Exit, Problem> {
    if let Some(exit) = known::asked(globals, matches)? {
        return Ok(exit);
    }
    let report = report(matches)?;
    let selection = known::selection(matches)?;
    if selection.is_empty() {
        let message = "the groups, --only and --skip together leave nothing to check";
        return Err(Problem::settings(id::USAGE, message)
            .hint(text!("what they leave: {}, with the same words", ics_setup("check --list"))));
    }
    let limits = limits(matches)?;
    let saves = matches.get_flag("save").then(|| to_save(globals, matches)).transpose()?;
    let keep = path_of(matches, "save-facts");
    if let Some(path) = keep {
        // A folder that cannot be written to is better known before a minute of looking than after it.
        drop(files::beside(path, "--save-facts")?);
    }
    let record = match path_of(matches, "from") {
        Some(path) => recorded(globals, matches, path)?,
        None => {
            let (inputs, catalogue) = (machine::inputs(globals, matches)?, network::catalogue(matches)?);
            let asked = Asked { inputs, catalogue, via: via(matches), asks: true };
            collect(globals, asked, &selection, limits, redactor)?
        }
    };
    if let Some(path) = keep {
        // Facts hold names and addresses of the company's inside: only the owner may read them.
        files::save(path, "--save-facts", render::facts(&record, redactor).as_bytes(), 0o600)?;
    }
    let mut findings = record.judge(&selection, &globals.ignored);
    // Facts are of another host, whoever judges them.
    let elsewhere = Person { home: settings::unusual_home(&record.spec.home), ..Person::default() };
    let person = if matches.contains_id("from") { &elsewhere } else { &globals.person };
    findings.iter_mut().flat_map(|finding| &mut finding.fix).for_each(|fix| *fix = fix.pasted_by(person));
    let took_ms = record.checks.iter().map(|entry| entry.took_ms).max().unwrap_or(0);
    let recorded = matches.contains_id("from");
    let checked = Checked { findings: &findings, record: &record, took_ms, recorded, redactor };
    if let Some((path, write)) = report {
        files::save(path, "--report", write(&checked).as_bytes(), 0o644)?;
        out::message(&format!("report: {}\n", path.display()));
    }
    if let Some((host, since)) = saves {
        let is_whole = selection == Selection::default() && globals.ignored == Ignored::default();
        // What was found is told whether it can be kept or not.
        if let Err(problem) = standing::keep(&host, since, &findings, is_whole) {
            out::not_kept("how this check ended", &problem, redactor);
        }
    }
    out::result(&checked.render(globals.format, &page(globals)));
    Ok(exit(globals, matches, &findings))
}

/// The host that is to remember how this check ends.
///
/// # Errors
/// `--from`, whose facts are of another host or time; needs root; the runs cannot be read.
fn to_save(globals: &Globals, matches: &ArgMatches) -> Result<(RealHost, standing::Since), Problem> {
    if matches.contains_id("from") {
        return Err(Problem::settings(id::USAGE, "--save keeps how this host was found, and --from looks at nothing")
            .hint("leave one of them out"));
    }
    let host = machine::to_look(globals)?;
    if host.is_live() && host.euid() != 0 {
        return Err(Problem::host(id::NEEDS_ROOT, "check --save writes beside the runs and needs root rights"));
    }
    let since = standing::Since::now(&host)?;
    Ok((host, since))
}

fn page(globals: &Globals) -> Page {
    Page {
        verbose: globals.verbose,
        quiet: globals.quiet,
        paint: Paint(globals.color),
        columns: terminal::columns(),
        unicode: terminal::unicode(),
    }
}

/// 4 for failures and broken checks, 11 for nothing worse than warnings, as far as `--fail-on` wants to know. A monitoring
/// plug-in's code always says what its status line says.
fn exit(globals: &Globals, matches: &ArgMatches, findings: &[Finding]) -> Exit {
    let summary = Summary::of(findings.iter().map(|finding| finding.status));
    if let Some(code) = globals.format.exit_code(Some(&summary)) {
        return Exit(code);
    }
    match word(matches, "fail-on") {
        Some("never") => Exit::DONE,
        _ if summary.fail + summary.error > 0 => Exit::CHECKS_FAILED,
        Some("warn") if summary.warn > 0 => Exit::WARNINGS,
        _ => Exit::DONE,
    }
}

/// What the checks are made with.
pub(super) struct Asked {
    /// What people have said.
    pub(super) inputs: Inputs,
    /// All endpoints that are known.
    pub(super) catalogue: Catalogue,
    /// Ways to the endpoints; none: the one that the settings imply.
    pub(super) via: Vec<Via>,
    /// May a person be asked for a password?
    pub(super) asks: bool,
}

/// Looks at everything that is selected. The redactor learns the secrets that are found on the way.
///
/// # Errors
/// Settings that are wrong or missing.
pub(super) fn collect(
    globals: &Globals,
    asked: Asked,
    selection: &Selection,
    limits: Limits,
    redactor: &mut Redactor,
) -> Result<Record, Problem> {
    let host = machine::to_look(globals)?;
    let Asked { mut inputs, catalogue, via, asks } = asked;
    let typed = inputs.list_as_typed();
    let mut known = HostContext::load(&host, &inputs, Intent::Check)?;
    // A file that is in the way of this look is a finding; the others are looked at all the same.
    let unread =
        known.unread.iter().map(|problem| Unread { why: problem.sentence(), needs_root: problem.id == id::NEEDS_ROOT });
    let root_only = known
        .root_only()
        .into_iter()
        .map(|path| Unread { why: text!("{} can be read by root only", path), needs_root: true });
    let unread: Vec<Unread> = unread.chain(root_only).collect();
    known.found.secrets().for_each(|secret| redactor.learn(secret));
    let required_endpoints = required_endpoints(&catalogue, &EndpointNeeds::of(&known.layers, &catalogue, &host)?);
    let endpoints = required_endpoints.iter().filter_map(Target::of).collect();
    let (settings, noticed) = known.settings(&mut inputs, &globals.ignored, &mut |spec| {
        if asks { ask::secret(globals, spec) } else { Ok(None) }
    })?;
    out::notice(globals, &of_inputs(noticed).collect::<Vec<_>>(), redactor);
    settings.secrets.iter().for_each(|secret| redactor.learn(secret));
    let no_proxy = targets::no_proxy(&settings).shown().members().map(str::to_owned).collect();
    let (mut spec, secrets) = CheckSpec::new(&settings, &Effective::new(&settings, &known.found), no_proxy, limits);
    spec.unread.extend(unread);
    spec.list = typed.map(|(key, typed)| GivenList::new(&typed, key == Key::ProxyNoProxyOnly, &spec.no_proxy));
    spec.endpoints = endpoints;
    spec.authority = AuthoritySpec::of(&host, &settings)?;
    spec.via = via;
    secrets.teach(redactor);
    let roots = roots(&host, Named::of(&settings).as_ref())?;
    let platform = known.platform.as_ref();
    let changes = platform.and_then(|platform| standing::all_changes(&host, &known, platform, &settings));
    let platform = known.platform.take();
    drop(known);
    quiet_threads();
    let run = Run { host, platform, spec, secrets, roots, changes };
    let progress = Progress::begin("checking");
    let mut record = run.collect(selection, &globals.ignored, &mut |done, total, names| {
        progress.so_far(format!("{done} of {total}: {}", names.join(", ")));
    });
    record.host.command = Some(called(&globals.argv, redactor));
    Ok(record)
}

/// The command line, as it can be pasted. What it has of secrets is taken out before anything is put into quotes. The only
/// place for one is the login of a URL, or a word that is one: no other word changes, whatever a password reads like.
fn called(argv: &[OsString], redactor: &Redactor) -> Text {
    let value = |word: &str| {
        let known = redactor.foreign(word);
        let shown = if word.contains('@') || known == MASK { known } else { Redactor::default().foreign(word) };
        own(quoted(&shown))
    };
    let words = argv.iter().skip(1).enumerate().map(|(at, word)| {
        let word = word.to_string_lossy();
        let is_group = Group::ALL.iter().any(|group| group.as_str() == word);
        match word.split_once('=').filter(|_| word.starts_with('-')) {
            Some((flag, given)) => text!("{}={}", own(flag), value(given)),
            None if at == 0 || is_group || word.starts_with('-') => text!("{}", own(&word)),
            None => text!("{}", value(&word)),
        }
    });
    Text::join(std::iter::once("ics-setup".into()).chain(words), " ")
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
fn recorded(globals: &Globals, matches: &ArgMatches, path: &Path) -> Result<Record, Problem> {
    let layer = flags(matches)?;
    if globals.root.is_some() {
        return Err(Problem::settings(id::USAGE, "--root says where to look, and --from looks at nothing")
            .hint("leave one of them out"));
    }
    if let Some(spec) = settings::TABLE
        .iter()
        .find(|spec| !matches!(spec.key, Key::Release | Key::Deployment) && layer.get(spec.key).is_some())
    {
        let message = text!("{} says what to look at, and --from looks at nothing", own(spec.shown()));
        return Err(
            Problem::settings(id::USAGE, message).hint("leave it out; --release and --deployment go with --from")
        );
    }
    let bytes = std::fs::File::open(path).and_then(|file| at_most(MAX_FACTS, file)).map_err(|error| {
        Problem::settings(id::FACTS_UNREADABLE, text!("--from {} could not be read", path.display()))
            .caused_by(error)
            .hint(text!("make such a file: {}", ics_setup("check --save-facts <FILE>")))
    })?;
    let mut record = Record::parse(&bytes, &path.display().to_string())?;
    if let Some(release) = layer.get(Key::Release) {
        record.spec.release = Some(release.value.clone());
    }
    if let Some(deployment) = layer.get(Key::Deployment) {
        record.spec.deployment = match deployment.value.as_str() {
            "test-drive" => settings::Deployment::TestDrive,
            _ => settings::Deployment::Production,
        };
    }
    Ok(record)
}

/// Which ways to the endpoints are tried; empty: the one that the settings imply.
fn via(matches: &ArgMatches) -> Vec<Via> {
    match word(matches, "via") {
        Some("direct") => vec![Via::Direct],
        Some("proxy") => vec![Via::Proxy],
        Some("both") => vec![Via::Direct, Via::Proxy],
        _ => Vec::new(),
    }
}

type Report = fn(&Checked<'_>) -> String;

/// Where the report goes and what makes it, by the file's name.
fn report(matches: &ArgMatches) -> Result<Option<(&Path, Report)>, Problem> {
    let Some(path) = path_of(matches, "report") else { return Ok(None) };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => Ok(Some((path, render::html))),
        Some("md") => Ok(Some((path, render::markdown))),
        _ => {
            let message = text!("--report {} says neither .html nor .md", path.display());
            Err(Problem::settings(id::USAGE, message).hint(typed("--report report.html")))
        }
    }
}

/// The limits that were said.
///
/// # Errors
/// One that is no time.
pub(super) fn limits(matches: &ArgMatches) -> Result<Limits, Problem> {
    let millis =
        |name: &str| -> Result<u64, Problem> { Ok(crate::text::millis(time_of(matches, name)?).min(24 * 3_600_000)) };
    let limits = Limits {
        connect: millis("connect-timeout")?,
        check: millis("timeout")?,
        run: millis("deadline")?,
        wait: millis("wait")?,
    };
    let positive = [("connect-timeout", limits.connect), ("timeout", limits.check), ("deadline", limits.run)];
    match positive.into_iter().find(|(_, limit)| *limit == 0) {
        Some((name, _)) => Err(Problem::settings(id::USAGE, text!("--{} must be longer than nothing", own(name)))
            .hint(text!("--{} 10s", own(name)))),
        None => Ok(limits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::line;
    use crate::settings::Secret;

    #[test]
    fn the_command_line_that_is_kept_has_no_secret() {
        let mut redactor = Redactor::default();
        redactor.learn_login(b"svc", &Secret::new("it's one"));
        let argv = ["/opt/ics-setup", "check", "--proxy", "http://svc:it's one@p:1", "a b"].map(OsString::from);
        let raw = |argv: &[OsString], redactor: &Redactor| line(&Redactor::default(), &called(argv, redactor));
        assert_eq!(raw(&argv, &redactor), "ics-setup check --proxy 'http://svc:***@p:1' 'a b'");
        // A password that reads like a word of this program takes it out of values alone.
        redactor.learn(&Secret::new("proxy"));
        redactor.learn(&Secret::new("s3same"));
        let argv = [
            "ics-setup",
            "check",
            "proxy",
            "--proxy=http://u:proxy@p:1",
            "--mysql-user",
            "proxy1",
            "--redis-host",
            "s3same",
        ]
        .map(OsString::from);
        assert_eq!(
            raw(&argv, &redactor),
            "ics-setup check proxy --proxy='http://u:***@p:1' --mysql-user proxy1 --redis-host '***'"
        );
    }
}
