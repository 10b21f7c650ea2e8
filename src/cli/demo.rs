//! `demo`: the main job on a throw-away root made from embedded files. What it shows is what the real verbs do.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use clap::ArgMatches;
use serde_json::{Value, json};

use super::args::{Globals, word};
use super::exit::Exit;
use super::out;
use crate::apply::Which;
use crate::context::Inputs;
use crate::converge::{Converge, Interface, Nothing, Options, RunContext, TakeBack};
use crate::host::RealHost;
use crate::problem::{Problem, id};
use crate::report::{Outcome, Paint, SCHEMA};
use crate::settings::{Key, Layer, Origin, Spec};
use crate::targets::Phase;
use crate::text::Person;

/// Files of a root by path.
type Root = &'static [(&'static str, &'static str)];

const PROD_ENV: &str = include_str!("../../assets/demo/prod.env");

const UBUNTU: Root = &[
    ("etc/os-release", include_str!("../../assets/demo/ubuntu/os-release")),
    ("etc/environment", include_str!("../../assets/demo/ubuntu/environment")),
    ("divvycloud/prod.env", PROD_ENV),
];

const CENTOS: Root = &[
    ("etc/os-release", include_str!("../../assets/demo/centos/os-release")),
    ("etc/profile.d/proxy.sh", include_str!("../../assets/demo/centos/proxy.sh")),
    ("divvycloud/prod.env", PROD_ENV),
];

/// The settings of the demonstration.
const SETTINGS: &[(Key, &str)] = &[
    (Key::Deployment, "test-drive"),
    (Key::ProxyUrl, "http://proxy.corp.example:3128"),
    (Key::ProxyUser, "svc-ics"),
    (Key::ProxyPassword, "p@ss:w0rd/#%"),
    (Key::ProxyNoProxy, "registry.corp.example"),
];

/// Runs the verb.
///
/// # Errors
/// The throw-away root cannot be made, or a run on it fails.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    let only = word(matches, "demo-os");
    let families = [("ubuntu", UBUNTU), ("centos", CENTOS)];
    let mut shown = Vec::new();
    for (name, root) in families.into_iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        shown.push(json!({"os": name, "steps": demonstrate(globals, name, root)?}));
    }
    if globals.json {
        out::json(&json!({"schema": SCHEMA, "command": "demo", "demos": shown}));
    }
    Ok(Exit::DONE)
}

fn demonstrate(globals: &Globals, name: &str, files: Root) -> Result<Vec<Value>, Problem> {
    let broken =
        |error: io::Error| Problem::host(id::DEMO_FAILED, "the throw-away root could not be made").caused_by(error);
    let folder = tempfile::Builder::new().prefix("ics-setup-demo-").tempdir().map_err(broken)?;
    for (path, content) in files {
        let place = folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap_or(folder.path()))
            .and_then(|()| fs::write(place, content))
            .map_err(broken)?;
    }
    let before = snapshot(folder.path()).map_err(broken)?;
    let host = RealHost::image(folder.path()).map_err(broken)?;
    let stage = Stage { globals, host: &host };
    stage.say(&format!("\n=== {name}: a throw-away root in {} ===\n", folder.path().display()));
    let mut results = vec![
        stage.verb(Phase::Prepare, "before the product is installed")?,
        stage.verb(Phase::Reconfigure, "after it was installed")?,
        stage.verb(Phase::Prepare, "a second time: nothing changes")?,
        stage.verb(Phase::Reconfigure, "a second time: nothing changes")?,
        stage.back("the last run")?,
        stage.back("the run before")?,
    ];
    let restored = snapshot(folder.path()).map_err(broken)? == before;
    if !restored {
        return Err(Problem::bug("the demonstration did not come back to the first bytes"));
    }
    stage.say("\nEvery byte is as it was. The throw-away root is gone.\n");
    results.push(json!({"restored": restored}));
    Ok(results)
}

struct Stage<'a> {
    globals: &'a Globals,
    host: &'a RealHost,
}

impl Stage<'_> {
    fn verb(&self, phase: Phase, when: &str) -> Result<Value, Problem> {
        let shown: Vec<String> = SETTINGS.iter().filter_map(|(key, value)| as_flag(*key, value)).collect();
        self.say(&format!("\n$ ics-setup {} {}    # {when}\n\n", phase.verb(), shown.join(" ")));
        let mut context = RunContext::default();
        let inputs = Inputs::alone(flags()?);
        let interface = &mut Shown(self);
        let run = Converge { host: self.host, inputs, phase, options: self.options(), interface, around: &mut Nothing };
        self.report(phase.verb(), run.run(&mut context), &context)
    }

    fn back(&self, what: &str) -> Result<Value, Problem> {
        self.say(&format!("\n$ ics-setup revert    # {what}\n\n"));
        let mut context = RunContext::default();
        let interface = &mut Shown(self);
        let run = TakeBack {
            host: self.host,
            which: Which::Last,
            force: false,
            options: self.options(),
            interface,
            around: &mut Nothing,
            going: None,
        };
        self.report("revert", run.run(&mut context), &context)
    }

    fn options(&self) -> Options<'_> {
        Options { dry_run: false, prove: false, preflight: true, probe: true, ignored: &self.globals.ignored }
    }

    fn report(&self, command: &str, outcome: Result<Outcome, Problem>, context: &RunContext) -> Result<Value, Problem> {
        let outcome = Ok(outcome?);
        let person = Person { privileged: true, ..Person::default() };
        let report = context.report(command, &outcome, &person);
        self.say(&report.human(self.globals.verbose, Paint(self.globals.color)));
        Ok(report.json())
    }

    fn say(&self, text: &str) {
        if !self.globals.json && !self.globals.quiet {
            out::result(text);
        }
    }
}

/// The verbs run as they would unattended; their plans are shown.
struct Shown<'a>(&'a Stage<'a>);

impl Interface for Shown<'_> {
    fn show_plan(&mut self, context: &RunContext) {
        let paint = Paint(self.0.globals.color);
        self.0.say(&super::interface::plan(context, self.0.globals.verbose, paint));
    }

    fn confirm(&mut self, _: &RunContext) -> Result<(), Problem> {
        Ok(())
    }

    fn secret(&mut self, _: &Spec) -> Result<Option<String>, Problem> {
        Ok(None)
    }
}

fn flags() -> Result<Layer, Problem> {
    let mut layer = Layer::default();
    for (key, value) in SETTINGS {
        let spec = key.spec();
        layer.insert(spec, (*value).to_owned(), Origin::Flag(spec.shown()))?;
    }
    Ok(layer)
}

fn as_flag(key: Key, value: &str) -> Option<String> {
    if key == Key::ProxyPassword {
        return Some("--proxy-password-file FILE".to_owned());
    }
    key.spec().flag.map(|flag| format!("--{flag} {value}"))
}

/// Every file below the root but our own state.
fn snapshot(root: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            if name == "var/lib/ics-setup" || name == "var" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                files.insert(name, Vec::new());
                folders.push(path);
            } else {
                files.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(files)
}
