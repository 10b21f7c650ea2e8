//! Where a host stands, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{Left, Next, Pending, Standing, is_known};
use crate::apply::State;
use crate::consumers::Known;
use crate::docker::NoDocker;
use crate::finding::{Finding, Status, ids};
use crate::product::containers::Seen;
use crate::redact::Redactor;
use crate::report::check::mark;
use crate::report::{
    Paint, SCHEMA, characters, finding_json, line, run_by, run_listed, sentence, set, visible, wrapped,
};
use crate::system::ecs::Ecs;
use crate::text;
use crate::text::{Fix, Person, Text, as_root, counted, ics_setup, long, own};

/// So many runs are listed, the newest ones.
const RUNS: usize = 10;

/// Where the text of a part begins.
const INDENT: usize = 15;

/// How it is shown.
pub(crate) struct Page<'a> {
    /// Who pastes its commands.
    pub(crate) person: &'a Person,
    /// Colours, or none.
    pub(crate) paint: Paint,
    /// Width of the window; `None`: there is none.
    pub(crate) columns: Option<usize>,
    /// May signs beyond ASCII be used?
    pub(crate) unicode: bool,
    /// All of it: every run, and what passed.
    pub(crate) verbose: bool,
}

/// One thing on the way, and what is below its line.
struct Part {
    name: &'static str,
    status: Status,
    says: Text,
    below: Vec<Text>,
    fixes: Vec<Fix>,
}

impl Part {
    fn new(name: &'static str, status: Status, says: impl Into<Text>) -> Self {
        Self { name, status, says: says.into(), below: Vec::new(), fixes: Vec::new() }
    }

    /// What fails or warns in the place of the part's own words.
    fn of(name: &'static str, finding: &Finding) -> Self {
        // Why it is only noticed, check says.
        let cause = finding.cause.iter().filter(|_| finding.status != Status::Warn);
        let below = finding.observed.iter().chain(cause).cloned().collect();
        Self { below, fixes: finding.fix.clone(), ..Self::new(name, finding.status, finding.title.clone()) }
    }
}

/// The whole for people: the host, what there is on the way, the next step, the runs.
pub(crate) fn human(standing: &Standing, page: &Page<'_>) -> String {
    let parts = parts(standing, page);
    let mut text = head(standing, &parts, page);
    for part in &parts {
        show(&mut text, part, page);
    }
    let _ = writeln!(text);
    match Next::of(standing) {
        Some(next) => {
            let (why, fix) = next.says();
            let why = line(&Redactor::default(), &why.pasted_by(page.person));
            for row in wrapped(&format!("Next: {why}"), 2, page.columns) {
                let _ = writeln!(text, "  {}", page.paint.bold(&row));
            }
            if let Some(fix) = fix {
                let _ = writeln!(text, "  {}", pasted(&fix, 2, page));
            }
            if let Some(or) = next.or() {
                let _ = writeln!(text, "  {}", said(&or.pasted_by(page.person), 2, page));
            }
        }
        None => text.push_str("  Nothing is left to do.\n"),
    }
    if standing.is_bare() && standing.unknown.is_none() && standing.runs.is_empty() {
        let _ = write!(text, "\n{}", of_the_vendor(page));
    }
    history(&mut text, standing, page);
    text
}

/// What is left to do where the vendor runs the product.
pub(crate) fn of_the_vendor(page: &Page<'_>) -> String {
    let allowlist = ics_setup("network allowlist --component agent --agent-region <REGION> --format csv");
    let left = [allowlist, ics_setup("check agent --agent-region <REGION>")];
    let says = "For InsightCloudSec as SaaS, or self-hosted and managed, no host is prepared. What is left there:";
    let mut text = format!("  {}\n", wrapped(says, 2, page.columns).join("\n  "));
    for command in left {
        let _ = writeln!(text, "  {}", pasted(&Fix::Advice(command.into()), 2, page));
    }
    text
}

fn head(standing: &Standing, parts: &[Part], page: &Page<'_>) -> String {
    // What stands below a part belongs to it.
    let mut all = 0;
    let mut needs = 0;
    let mut is_counted = false;
    for part in parts {
        let begins = !part.name.is_empty();
        (all, is_counted) = if begins { (all + 1, false) } else { (all, is_counted) };
        if part.status.is_wrong() && !is_counted {
            (needs, is_counted) = (needs + 1, true);
        }
    }
    let mut head: Vec<String> = Vec::new();
    head.extend(standing.name.as_deref().map(visible));
    head.extend(standing.system.as_deref().map(visible));
    head.extend(standing.deployment.map(|own| own.as_str().to_owned()));
    let head = if head.is_empty() { "this host".to_owned() } else { head.join(" · ") };
    let head = if page.unicode { head } else { head.replace('·', "-") };
    let needs = match needs {
        0 => String::new(),
        1 => format!("  1 of {all} needs you"),
        _ => format!("  {needs} of {all} need you"),
    };
    format!("{}{}\n\n", page.paint.bold(&head), page.paint.with("33", &needs))
}

fn parts(standing: &Standing, page: &Page<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some(on) = standing.on {
        let mut part = Part::new("ECS", Status::Skip, on.says());
        part.fixes.push(Fix::Advice(Ecs::advice()));
        parts.push(part);
    }
    if let Some(problem) = &standing.unknown {
        let mut part = Part::new("not seen", Status::Error, problem.message.clone());
        part.below.extend(problem.because.as_deref().cloned());
        part.fixes.clone_from(&problem.hints);
        parts.push(part);
    }
    parts.extend(standing.remarks.iter().map(|finding| Part::of("settings", finding)));
    if let Some(who) = &standing.at_work {
        parts.push(Part::new("run", Status::Warn, who.clone()));
    }
    for finding in standing.findings.iter().filter(|own| own.id.group() == "host") {
        match finding.status {
            Status::Pass => parts.push(Part::new("system", Status::Pass, "supported")),
            _ => parts.push(Part::of("system", finding)),
        }
    }
    if standing.unknown.is_none() {
        parts.extend(proxy(standing));
    }
    parts.extend(product(standing));
    if standing.has_product && standing.unknown.is_none() {
        parts.push(prod_env(standing));
    }
    parts.extend(cloud(standing));
    drift(standing, &mut parts);
    parts.extend(check(standing, page));
    parts
}

/// Who gets the proxy that is wanted.
fn proxy(standing: &Standing) -> Vec<Part> {
    let Some(proxy) = &standing.proxy else {
        let wrong = || standing.consumers().filter(|own| own.status.is_wrong());
        let (says, none) = match standing.is_direct {
            true => ("this site is direct, as somebody has said", Status::Pass),
            false if standing.without_proxy.is_some() => ("it was taken out, as a run was told", Status::Skip),
            false => ("nobody has asked for one", Status::Skip),
        };
        let (status, set) = match (wrong().next().is_some(), wrong().any(is_known)) {
            (_, true) => (Status::Warn, "one is set"),
            (true, false) => (Status::Warn, "whether one is set is not known"),
            (false, false) => (none, "none is set"),
        };
        let has = |finding: &Finding| {
            let url = ["https_proxy", "http_proxy"].iter().find_map(|name| finding.evidence.get(*name)?.as_str())?;
            let who = finding.evidence.get("consumer")?.as_str()?;
            Some(text!("{} has {}", own(who), own(url)))
        };
        let have: Vec<Text> = standing.consumers().filter(|own| own.status == Status::Pass).filter_map(has).collect();
        let (status, set) = match have.is_empty() {
            true => (status, set.into()),
            false => (Status::Warn, Text::join(have, ", ")),
        };
        let none = Part::new("proxy", status, text!("{}, and {}", says, set));
        return std::iter::once(none).chain(failing(standing)).collect();
    };
    let by = standing.prepared_by().map(|run| text!(" (run {})", own(run))).unwrap_or_default();
    match standing.left() {
        Some(Left::Product) => {
            return vec![Part::new("proxy", Status::Skip, text!("none: taken out of this system{}", by))];
        }
        // The system itself was to keep it.
        Some(Left::Settings(..)) if standing.places().0 > 0 => {}
        Some(Left::Settings(path, line)) => {
            let says = text!("taken out of this system{}, and {}:{} names {} still", by, path, line, proxy);
            let mut part = Part::new("proxy", Status::Warn, says);
            part.fixes.push(Fix::Advice("take it out of there too: the next prepare would write it again".into()));
            return vec![part];
        }
        Some(Left::System) | None => {}
    }
    let (have, all) = standing.places();
    let known = match standing.known() {
        Some(Known::Asked) => ", as this host's programs read it now",
        Some(Known::Files) => ", by their files",
        None => "",
    };
    let places = if all == 1 { "place has" } else { "places have" };
    let says = text!("{} of {} {} {}{}{}", have, all, own(places), proxy, own(known), by);
    let status = if have == all { Status::Pass } else { Status::Warn };
    let mut parts = match &standing.prepare {
        Pending::Files(files) if have == all => {
            let mut part = Part::new("proxy", Status::Warn, says);
            part.below.push(text!("{} would write {}", own("prepare"), listed(files)));
            part.fixes.push(Fix::Command(ics_setup("prepare")));
            vec![part]
        }
        Pending::Refused(problem) => {
            let mut part = Part::new("proxy", Status::Warn, says);
            part.below.push(text!("prepare refuses: {}", problem.message));
            part.fixes.clone_from(&problem.hints);
            vec![part]
        }
        _ => vec![Part::new("proxy", status, says)],
    };
    if let Some((wrong, probe)) = standing.unserved() {
        let time = visible(&probe.time);
        parts.push(Part::new("", Status::Warn, text!("{}, when a run asked it last ({})", wrong, own(time))));
    }
    parts.extend(failing(standing));
    // A Docker that is not looked at has a reason: it is not there yet, or podman stands in its place.
    let unseen = standing.consumers().find(|own| own.id == ids::PROXY_DOCKER && own.status == Status::Skip);
    let why = unseen.map(|finding| finding.observed.as_ref().unwrap_or(&finding.title).clone());
    parts.extend(why.map(|why| Part::new("Docker", Status::Skip, why)));
    parts
}

fn failing(standing: &Standing) -> impl Iterator<Item = Part> {
    standing.consumers().filter(|own| own.status.is_wrong()).map(|finding| Part::of("", finding))
}

/// The product and its containers.
fn product(standing: &Standing) -> Vec<Part> {
    let home = visible(&standing.home.display().to_string());
    if !standing.has_product {
        return match (&standing.unknown, standing.broken()) {
            (Some(_), _) => Vec::new(),
            (None, Some(finding)) => vec![Part::of("product", finding)],
            (None, None) => vec![Part::new("product", Status::Skip, text!("not installed in {}", own(home)))],
        };
    }
    let by = standing.installed_by().map(|run| text!(" by run {}", own(run))).unwrap_or_default();
    let says = text!("installed in {}{}", own(home), by);
    let docker = standing.containers.as_ref().and_then(|facts| facts.docker.as_ref());
    let (status, says) = match docker {
        Some(Ok(seen)) => {
            let (running, all) = seen.running();
            let how = if running > 0 { "runs" } else { "does not run" };
            let status = if running == all && all > 0 { Status::Pass } else { Status::Warn };
            let is_well = |own: &Finding| own.id == ids::INTERFACE_STATUS && own.status == Status::Pass;
            let well = if standing.product().any(is_well) { ", /Status answers" } else { "" };
            (status, text!("{}; {}: {} of {} containers{}", says, own(how), running, all, own(well)))
        }
        Some(Err(NoDocker::Absent)) => (Status::Fail, text!("{}; it does not run: no docker command is here", says)),
        Some(Err(error)) => (Status::Warn, text!("{}; whether it runs is not known: {}", says, error.why())),
        None => (Status::Skip, says),
    };
    let mut parts = vec![Part::new("product", status, says)];
    // Of a Docker that gives no answer the line above has told.
    let is_told = |own: &Finding| own.id == ids::DOCKER_REACHABLE && matches!(docker, Some(Err(_)));
    let wrong = standing.product().filter(|own| own.status.is_wrong() && !is_told(own));
    parts.extend(wrong.map(|finding| Part::of("", finding)));
    parts
}

fn prod_env(standing: &Standing) -> Part {
    if matches!(standing.left(), Some(Left::System)) {
        let mut part =
            Part::new("prod.env", Status::Warn, "the proxy was taken out of it, and this system has it still");
        part.fixes.push(Fix::Command(ics_setup("prepare --remove-proxy")));
        return part;
    }
    if matches!(standing.left(), Some(Left::Product)) {
        let mut part = Part::new("prod.env", Status::Warn, "it has the proxy that was taken out of this system");
        part.fixes.push(Fix::Command(ics_setup("reconfigure --remove-proxy")));
        return part;
    }
    let is_wrong = |own: &&Finding| own.id == ids::PROXY_PROD_ENV && own.status.is_wrong();
    match &standing.reconfigure {
        Pending::Unknown => Part::new("prod.env", Status::Skip, "what is wanted of it is not known"),
        Pending::Nothing => match standing.findings.iter().find(is_wrong) {
            Some(finding) => Part::of("prod.env", finding),
            None if standing.broken().is_some_and(|own| own.status == Status::Fail) => Part::new(
                "prod.env",
                Status::Skip,
                "reconfigure has nothing to write; what is missing, it does not bring",
            ),
            None => Part::new("prod.env", Status::Pass, "as wanted"),
        },
        Pending::Files(files) => {
            let mut part = Part::new("prod.env", Status::Warn, text!("reconfigure would write {}", listed(files)));
            part.fixes.push(Fix::Command(ics_setup("reconfigure")));
            part
        }
        Pending::Refused(problem) => {
            let mut part = Part::new("prod.env", Status::Warn, text!("reconfigure refuses: {}", problem.message));
            part.fixes.clone_from(&problem.hints);
            part
        }
    }
}

/// What was typed on an instance goes with it.
fn cloud(standing: &Standing) -> Option<Part> {
    let cloud = standing.cloud.as_ref()?;
    standing.last().filter(|run| run.begin.by.as_ref().is_some_and(|by| by.sudo_user.is_some()))?;
    let says = text!("{}: where a group replaces its instances, what was typed here goes with this one", cloud);
    let mut part = Part::new("cloud", Status::Skip, says);
    part.below.push("it belongs into the user-data of the group's template, as the README's cloud-init example: what is in force here is".into());
    part.fixes.push(Fix::Command(ics_setup("settings export")));
    Some(part)
}

fn drift(standing: &Standing, parts: &mut Vec<Part>) {
    for (at, drift) in standing.drift.iter().enumerate() {
        let name = if at == 0 { "drift" } else { "" };
        // An edit beside what is wanted, or one that says the same, is nobody's task.
        let is_kept = matches!(
            (&standing.prepare, &standing.reconfigure),
            (Pending::Nothing, Pending::Nothing | Pending::Unknown)
        );
        let (status, kept) = match is_kept && standing.unknown.is_none() && !drift.is_gone {
            // Nobody looks for what is wanted in the other files of the product.
            true if standing.is_judged(Path::new(&drift.path)) => (Status::Skip, "; what is wanted stands in it"),
            true if standing.broken().is_none() => (Status::Skip, ""),
            _ => (Status::Warn, ""),
        };
        parts.push(Part::new(name, status, text!("{}: {}{}", own(visible(&drift.path)), own(&drift.cause), own(kept))));
    }
    if standing.drift.is_empty() && standing.last().is_some() && standing.unknown.is_none() {
        parts.push(Part::new("drift", Status::Pass, "no file was edited since a run wrote it"));
    }
}

fn check(standing: &Standing, page: &Page<'_>) -> Option<Part> {
    if let Some(unread) = &standing.last_check_unread {
        let says = text!("how the last one ended is not known: {}", own(visible(&unread.why)));
        let mut part = Part::new("check", Status::Warn, says);
        let verb = if unread.is_closed { "status" } else { "check --save" };
        part.fixes.push(Fix::Command(as_root(ics_setup(verb))));
        return Some(part);
    }
    let check = standing.last_check.as_ref()?;
    let age = match standing.last_check_age {
        Some(age) => text!("{} ago", long(age)),
        None => text!("at {}", own(visible(&check.time))),
    };
    let (status, scope) = match (check.failing.is_empty(), standing.is_checked()) {
        (true, true) => (Status::Pass, ""),
        (false, true) => (Status::Warn, ""),
        _ if !check.whole => (Status::Skip, "; it was of a part"),
        _ if check.live != standing.is_live => {
            (Status::Skip, "; it was of the image, or of the system that the image was made from")
        }
        _ => (Status::Skip, "; the host has changed since"),
    };
    let mut part = Part::new("check", status, text!("{}, {}{}", own(check.summary.words()), age, own(scope)));
    if !check.failing.is_empty() {
        part.below
            .push(text!("failed: {}", own(check.failing.iter().map(|id| visible(id)).collect::<Vec<_>>().join(", "))));
    }
    if page.verbose {
        part.below.push(text!("at {}", own(visible(&check.time))));
    }
    Some(part)
}

fn show(text: &mut String, part: &Part, page: &Page<'_>) {
    let redactor = Redactor::default();
    let (sign, color) = mark(part.status, page.unicode);
    let name = format!("{:<1$}", part.name, INDENT - 5);
    let says = line(&redactor, &part.says.pasted_by(page.person));
    let lines = wrapped(&says, INDENT, page.columns);
    let sign = format!("{:<1$}", sign, 2);
    let _ = writeln!(text, "  {} {name}{}", page.paint.with(color, &sign), lines.join(&format!("\n{:INDENT$}", "")));
    if matches!(part.status, Status::Pass) {
        return;
    }
    for below in &part.below {
        let below = line(&redactor, &below.pasted_by(page.person));
        let lines = wrapped(&below, INDENT, page.columns);
        let _ = writeln!(text, "{:INDENT$}{}", "", page.paint.faint(&lines.join(&format!("\n{:INDENT$}", ""))));
    }
    for fix in &part.fixes {
        let _ = writeln!(text, "{:INDENT$}{}", "", pasted(fix, INDENT, page));
    }
}

/// A command on its own line, or a sentence whose lines begin at `indent`.
fn pasted(fix: &Fix, indent: usize, page: &Page<'_>) -> String {
    let arrow = if page.unicode { "→" } else { "->" };
    let fix = fix.pasted_by(page.person);
    match &fix {
        Fix::Command(_) => {
            format!("{arrow} {}", page.paint.with("36", &line(&Redactor::default(), fix.text())))
        }
        Fix::Advice(what) | Fix::Look(what) => said(what, indent, page),
    }
}

/// A sentence in the window; what can be typed stands whole.
fn said(what: &Text, indent: usize, page: &Page<'_>) -> String {
    set(&sentence(&Redactor::default(), what), indent, page.columns).join(&format!("\n{:indent$}", ""))
}

/// The newest runs, each on a line, and how to see more.
fn history(text: &mut String, standing: &Standing, page: &Page<'_>) {
    let runs = &standing.runs;
    if runs.is_empty() {
        // What cannot be read may be runs.
        text.push_str(if standing.unknown.is_none() { "\nNo run so far.\n" } else { "" });
        return;
    }
    let first = if page.verbose { 0 } else { runs.len().saturating_sub(RUNS) };
    text.push('\n');
    if first > 0 {
        let all = line(&Redactor::default(), &Text::from(ics_setup("status -v")).pasted_by(page.person));
        let _ = writeln!(text, "{}", page.paint.faint(&format!("{}: {all}", counted(first, "earlier run"))));
    }
    for run in &runs[first..] {
        let begin = &run.begin;
        let files: Vec<String> = begin.files().map(|intent| visible(&intent.path.display().to_string())).collect();
        let state = match run.state {
            State::Interrupted => page.paint.with("31", run.state.as_str()),
            state => state.as_str().to_owned(),
        };
        let who = run_by(run);
        let (name, time, command) = (&begin.run, &begin.time, &begin.command);
        let what = format!("{name}  {time}  {command:<11}  {state}  {}  {who}", files.join(", "));
        let _ = writeln!(text, "{}", wrapped(&what, 2, page.columns).join("\n  "));
    }
    if let Some(last) = standing.last() {
        let shows = Text::from(ics_setup(text!("status {} --diff", own(&last.begin.run)))).pasted_by(page.person);
        let _ = writeln!(text, "\nWhat the last one in force changed: {}", line(&Redactor::default(), &shows));
    }
}

/// So many files, the first ones by name.
fn listed(files: &[std::path::PathBuf]) -> Text {
    let names = Text::join(files.iter().take(3).map(|path| text!("{}", path)), ", ");
    match files.len() {
        0..=3 => names,
        more => text!("{} and {} more", names, more - 3),
    }
}

/// The result of `status`.
pub(crate) fn json(standing: &Standing, person: &Person) -> Value {
    let redactor = &Redactor::default();
    let drift: Vec<Value> =
        standing.drift.iter().map(|drift| json!({"path": drift.path, "cause": drift.cause})).collect();
    let docker = standing.containers.as_ref().and_then(|facts| facts.docker.as_ref());
    let containers = docker.map(|docker| {
        let (running, wanted) = docker.as_ref().map(Seen::running).ok().unzip();
        let unknown = docker.as_ref().err().map(|error| characters(redactor, &error.why()));
        json!({"running": running, "wanted": wanted, "unknown": unknown})
    });
    let (have, places) = standing.places();
    let next = Next::of(standing).map(|next| characters(redactor, &next.line().pasted_by(person)));
    let findings: Vec<Value> =
        standing.findings.iter().map(|finding| finding_json(redactor, &finding.pasted_by(person))).collect();
    json!({
        "schema": SCHEMA,
        "command": "status",
        "host": standing.name.as_deref().map(visible),
        "system": standing.system.as_deref().map(visible),
        "deployment": standing.deployment.map(crate::settings::Deployment::as_str),
        "proxy": {"wanted": standing.proxy, "places": places, "have": have},
        "prepared_by": standing.prepared_by(),
        "prepare": pending(&standing.prepare, redactor),
        "reconfigure": pending(&standing.reconfigure, redactor),
        "unknown": standing.unknown.as_ref().map(|problem| characters(redactor, &problem.message)),
        "last_probe": standing.last_probe.as_ref().map(|probe| {
            json!({"time": probe.time, "proxy": probe.proxy, "wrong": probe.wrong.as_deref().map(visible)})
        }),
        "last_check": standing.last_check.as_ref().map(|check| {
            json!({
                "time": check.time, "summary": check.summary, "failing": check.failing, "whole": check.whole,
                "counts": standing.is_checked(),
            })
        }),
        "last_check_unknown": standing.last_check_unread.as_ref().map(|unread| &unread.why),
        "findings": findings,
        "next_steps": next.into_iter().collect::<Vec<_>>(),
        "runs": standing.runs.iter().map(run_listed).collect::<Vec<_>>(),
        "drift": drift,
        "product": standing.has_product.then(|| {
            json!({"folder": standing.home.display().to_string(), "run": standing.installed_by(), "containers": containers})
        }),
        "interrupted": standing.interrupted().map(run_listed),
        "ecs": standing.on.map(Ecs::as_str),
    })
}

/// The files that a verb would write; why it would not.
fn pending(pending: &Pending, redactor: &Redactor) -> Value {
    let (files, refused) = match pending {
        Pending::Unknown => return Value::Null,
        Pending::Nothing => (Vec::new(), None),
        Pending::Files(files) => (files.iter().map(|path| path.display().to_string()).collect(), None),
        Pending::Refused(problem) => (Vec::new(), Some(characters(redactor, &problem.message))),
    };
    json!({"would_write": files, "refused": refused})
}
