//! `support-bundle`: what is known of this host, as one archive without secrets.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::args::{Globals, path_of};
use super::check::{Asked, collect, limits};
use super::exit::Exit;
use super::{files, machine, out, settings, status};
use crate::apply::runs;
use crate::build::VERSION;
use crate::check::{Record, Selection};
use crate::deploy::bytes_shown;
use crate::host::{HostRead, RealHost};
use crate::network::catalogue::Catalogue;
use crate::platform;
use crate::problem::Problem;
use crate::redact::Redactor;
use crate::report::check::{self as render, Checked, Format, Page};
use crate::report::{Paint, SCHEMA, characters, line, run_json, tar_gz, visible};
use crate::stamp::{rfc3339, run_name};
use crate::text;
use crate::text::{Text, own, quoted};

/// The folder in the archive.
const FOLDER: &str = "ics-setup-support";

/// The newest runs are told.
const RUNS: usize = 100;

/// No file of it is larger; one that would be is left out by name.
const LARGEST: usize = 8 << 20;

/// What stands in front.
const ABOUT: &str = include_str!("../../assets/report/support.txt");

/// The files of the archive, and what could not be told.
#[derive(Default)]
struct Bundle {
    files: Vec<(String, Vec<u8>)>,
    left_out: Vec<(&'static str, Text)>,
    /// What is to be known of one that is there.
    remarks: Vec<(&'static str, Text)>,
}

/// What checks make.
const OF_CHECKS: [&str; 4] = ["facts.json", "logs.json", "check.json", "check.txt"];

/// What the journals say.
const OF_RUNS: [&str; 3] = ["status.json", "status.txt", "runs.json"];

impl Bundle {
    fn put(&mut self, name: &'static str, content: Result<String, Problem>) {
        match content {
            Ok(content) if content.len() > LARGEST => {
                self.left_out.push((name, text!("it would be larger than {}", own(bytes_shown(LARGEST as u64)))));
            }
            Ok(content) => self.files.push((format!("{FOLDER}/{name}"), content.into_bytes())),
            Err(problem) => self.leave_out(&[name], &problem),
        }
    }

    fn leave_out(&mut self, names: &[&'static str], problem: &Problem) {
        self.left_out.extend(names.iter().map(|name| (*name, problem.sentence())));
    }
}

/// Runs the verb. What cannot be looked at is left out by name: a host that is in trouble has a bundle too.
///
/// # Errors
/// The file cannot be written; a file of settings is none; limits that are none.
pub(super) fn run(globals: &Globals, matches: &ArgMatches, redactor: &mut Redactor) -> Result<Exit, Problem> {
    let host = machine::to_look(globals)?;
    let path = path_of(matches, "file").map_or_else(|| usual(&host), Path::to_path_buf);
    // Better known before a minute of looking than after it.
    drop(files::beside(&path, FLAG)?);
    let (limits, inputs) = (limits(matches)?, machine::inputs(globals, matches)?);
    let mut bundle = Bundle::default();
    bundle.put("versions.json", Ok(lines(&versions(&host))));
    let effective = settings::quietly(globals, &host, inputs.clone());
    if let Ok(effective) = &effective {
        effective.secrets.iter().for_each(|secret| redactor.learn(secret));
    }
    bundle.put("settings.json", effective.map(|effective| lines(&settings::rows(&effective))));
    let asked = |inputs| Asked { inputs, catalogue: Catalogue::shipped(), via: Vec::new(), asks: false };
    let unsaid = inputs.unsaid();
    let looked = collect(globals, asked(inputs), &Selection::default(), limits, redactor).or_else(|problem| {
        // What is wrong with a setting is in the way of that setting alone: the host is looked at as it is.
        let again =
            collect(globals, asked(unsaid), &Selection::default(), limits, redactor).map_err(|_| problem.clone());
        let why = text!("made without flags, variables and settings files: {}", problem.sentence());
        bundle.remarks.extend(again.is_ok().then_some(("facts.json", why)));
        again
    });
    match looked {
        Ok(record) => checked(globals, &record, redactor, &mut bundle),
        Err(problem) => bundle.leave_out(&OF_CHECKS, &problem),
    }
    match runs(&host) {
        Ok(runs) => {
            let newest = runs.iter().rev().take(RUNS).map(|run| run_json(run, &[], false, redactor)["run"].clone());
            let newest = lines(&json!({"runs": newest.collect::<Vec<_>>()}));
            let (json, human) = status::told(globals, &host, runs);
            bundle.put("status.json", Ok(lines(&json)));
            bundle.put("status.txt", Ok(human));
            bundle.put("runs.json", Ok(newest));
        }
        Err(problem) => bundle.leave_out(&OF_RUNS, &problem),
    }
    let left_out = bundle.left_out.iter().map(|(name, why)| format!("{name}: not here: {}\n", line(redactor, why)));
    let remarks = bundle.remarks.iter().map(|(name, why)| format!("{name}: {}\n", line(redactor, why)));
    let about = ABOUT.to_owned() + &left_out.chain(remarks).collect::<String>();
    bundle.files.insert(0, (format!("{FOLDER}/README.txt"), about.into_bytes()));
    let time = host.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let packed = tar_gz(&bundle.files, time)
        .map_err(|error| Problem::bug("an archive with a name that is too long").caused_by(error))?;
    files::save(&path, FLAG, &packed, 0o600)?;
    tell(globals, &path, packed.len(), &bundle, redactor);
    Ok(Exit::DONE)
}

/// How messages call the argument.
const FLAG: &str = "support-bundle";

/// A name that no other bundle of this host has.
fn usual(host: &RealHost) -> PathBuf {
    PathBuf::from(format!("{FOLDER}-{}.tar.gz", run_name(host.now(), 0)))
}

fn versions(host: &RealHost) -> Value {
    let os = platform::detect(host, None).ok().map(|(platform, _)| platform.os);
    let kernel = host.is_live().then(|| host.read(Path::new("/proc/sys/kernel/osrelease")).ok().flatten()).flatten();
    json!({
        "schema": SCHEMA,
        "ics_setup": VERSION,
        "taken": rfc3339(host.now()),
        "live": host.is_live(),
        "uid": host.euid(),
        "os": os.map(|os| json!({"id": os.id, "version": os.version, "strategy": os.strategy.as_str()})),
        "kernel": kernel.map(|bytes| visible(String::from_utf8_lossy(&bytes).trim())),
    })
}

/// Facts, findings, and the lines of logs with a known cause.
fn checked(globals: &Globals, record: &Record, redactor: &Redactor, bundle: &mut Bundle) {
    let facts = render::facts(record, redactor);
    let logs = serde_json::from_str::<Value>(&facts).ok().and_then(|facts| {
        facts["checks"].as_array()?.iter().find(|entry| entry["check"] == "logs").map(|entry| entry["facts"].clone())
    });
    bundle.put("facts.json", Ok(facts));
    bundle.put("logs.json", Ok(lines(&logs.unwrap_or_default())));
    let mut findings = record.judge(&Selection::default(), &globals.ignored);
    findings.iter_mut().flat_map(|own| &mut own.fix).for_each(|fix| *fix = fix.pasted_by(&globals.person));
    let took_ms = record.checks.iter().map(|entry| entry.took_ms).max().unwrap_or(0);
    let checked = Checked { findings: &findings, record, took_ms, recorded: false, redactor };
    let page = Page { verbose: true, quiet: false, paint: Paint(false), columns: None, unicode: true };
    for (name, format) in [("check.json", Format::Json), ("check.txt", Format::Human)] {
        bundle.put(name, Ok(checked.render(format, &page)));
    }
}

fn lines(value: &Value) -> String {
    format!("{value:#}\n")
}

fn tell(globals: &Globals, path: &Path, bytes: usize, bundle: &Bundle, redactor: &Redactor) {
    if globals.json {
        let members: Vec<Value> =
            bundle.files.iter().map(|(name, content)| json!({"name": name, "bytes": content.len()})).collect();
        let left_out: Vec<Value> =
            bundle.left_out.iter().map(|(name, why)| json!({"name": name, "why": characters(redactor, why)})).collect();
        out::json(&json!({
            "schema": SCHEMA, "command": "support-bundle", "file": path.display().to_string(), "bytes": bytes,
            "members": members, "left_out": left_out, "error": null,
        }));
    } else if !globals.quiet {
        let shown = visible(&path.display().to_string());
        let mut told =
            format!("{shown}: {} files, {}, without secrets\n", bundle.files.len(), bytes_shown(bytes as u64));
        for (name, why) in &bundle.left_out {
            told.push_str(&format!("not in it: {name}: {}\n", line(redactor, why)));
        }
        for (name, why) in &bundle.remarks {
            told.push_str(&format!("{name}: {}\n", line(redactor, why)));
        }
        let file = quoted(&path.to_string_lossy());
        told.push_str(&format!(
            "next: look through it before it leaves this host: tar -xzOf {} | less\n",
            visible(&file)
        ));
        out::result(&told);
    }
}
