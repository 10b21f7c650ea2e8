//! `demo`: the main job on a throw-away root made from embedded files. What it shows is what the real verbs do.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use clap::ArgMatches;

use super::args::Globals;
use super::converge::{Converge, RunContext};
use super::exit::Exit;
use super::inputs::Inputs;
use super::{out, revert};
use crate::host::RealHost;
use crate::problem::Problem;
use crate::redact::Redactor;
use crate::report::{Outcome, Paint};
use crate::settings::{Layer, Origin, by_key};
use crate::targets::Phase;

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
const SETTINGS: &[(&str, &str)] = &[
    ("deployment", "test-drive"),
    ("proxy.url", "http://proxy.corp.example:3128"),
    ("proxy.user", "svc-ics"),
    ("proxy.password", "p@ss:w0rd/#%"),
    ("proxy.no_proxy", "registry.corp.example"),
];

/// Runs the verb.
pub fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    let only = matches.get_one::<String>("demo-os").map(String::as_str);
    let families = [("ubuntu", UBUNTU), ("centos", CENTOS)];
    let mut shown = Vec::new();
    for (name, root) in families.into_iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        match demonstrate(globals, name, root) {
            Ok(results) => shown.push(serde_json::json!({"os": name, "steps": results})),
            Err(problem) => return out::failed(globals, "demo", &problem, &Redactor::default()),
        }
    }
    if globals.json {
        out::json(&serde_json::json!({"schema": crate::report::SCHEMA, "command": "demo", "demos": shown}));
    }
    Exit::Done
}

fn demonstrate(globals: &Globals, name: &str, files: Root) -> Result<Vec<serde_json::Value>, Problem> {
    let broken =
        |error: io::Error| Problem::host("demo-failed", "the throw-away root could not be made").caused_by(error);
    let folder = tempfile::Builder::new().prefix("ics-setup-demo-").tempdir().map_err(broken)?;
    for (path, content) in files {
        let place = folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap_or(folder.path()))
            .and_then(|()| fs::write(place, content))
            .map_err(broken)?;
    }
    let before = picture(folder.path()).map_err(broken)?;
    let host = RealHost::image(folder.path()).map_err(broken)?;
    let stage = Stage { globals, host: &host, root: folder.path() };
    stage.say(&format!("\n=== {name}: a throw-away root in {} ===\n", folder.path().display()));
    let mut results = vec![
        stage.verb(Phase::Prepare, "before the product is installed")?,
        stage.verb(Phase::Reconfigure, "after it was installed")?,
        stage.verb(Phase::Prepare, "a second time: nothing changes")?,
        stage.verb(Phase::Reconfigure, "a second time: nothing changes")?,
        stage.back("the last run")?,
        stage.back("the run before")?,
    ];
    let restored = picture(folder.path()).map_err(broken)? == before;
    if !restored {
        return Err(Problem::bug("the demonstration did not come back to the first bytes"));
    }
    stage.say("\nEvery byte is as it was. The throw-away root is gone.\n");
    results.push(serde_json::json!({"restored": restored}));
    Ok(results)
}

struct Stage<'a> {
    globals: &'a Globals,
    host: &'a RealHost,
    root: &'a Path,
}

impl Stage<'_> {
    fn verb(&self, phase: Phase, when: &str) -> Result<serde_json::Value, Problem> {
        let shown: Vec<String> = SETTINGS.iter().filter_map(|(key, value)| as_flag(key, value)).collect();
        self.say(&format!("\n$ ics-setup {} {}    # {when}\n\n", phase.verb(), shown.join(" ")));
        let mut context = RunContext::default();
        let globals = self.quiet();
        let inputs = Inputs::alone(&globals, flags()?);
        let outcome = Converge { globals: &globals, host: self.host, inputs, phase, person: None }.run(&mut context)?;
        Ok(self.report(phase.verb(), outcome, &context))
    }

    fn back(&self, what: &str) -> Result<serde_json::Value, Problem> {
        self.say(&format!("\n$ ics-setup revert    # {what}\n\n"));
        let mut context = RunContext::default();
        let outcome = revert::take_back(&self.quiet(), self.host, None, false, &mut context)?;
        Ok(self.report("revert", outcome, &context))
    }

    fn report(&self, command: &str, outcome: Outcome, context: &RunContext) -> serde_json::Value {
        let report = context.report(command, outcome, None);
        out::show_plan(self.globals, &report);
        if !self.globals.json && !self.globals.quiet {
            out::result(&report.human(self.globals.verbose, Paint(self.globals.color)));
        }
        report.json()
    }

    /// The verbs run as they would unattended; what they have to say is shown here.
    fn quiet(&self) -> Globals {
        Globals {
            root: Some(self.root.to_path_buf()),
            settings: None,
            dry_run: false,
            exit_code: false,
            yes: true,
            non_interactive: true,
            format: crate::report::check::Format::Human,
            word: "human".to_owned(),
            json: false,
            color: self.globals.color,
            color_of_messages: self.globals.color_of_messages,
            verbose: false,
            quiet: true,
            ignored: self.globals.ignored.clone(),
            argv: Vec::new(),
        }
    }

    fn say(&self, text: &str) {
        if !self.globals.json && !self.globals.quiet {
            out::result(text);
        }
    }
}

fn flags() -> Result<Layer, Problem> {
    let mut layer = Layer::default();
    for (key, value) in SETTINGS {
        let Some(spec) = by_key(key) else { return Err(Problem::bug(format!("no setting {key}"))) };
        layer.insert(spec, (*value).to_owned(), Origin::Flag(spec.shown()))?;
    }
    Ok(layer)
}

fn as_flag(key: &str, value: &str) -> Option<String> {
    if key == "proxy.password" {
        return Some("--proxy-password-file FILE".to_owned());
    }
    by_key(key)?.flag.map(|flag| format!("--{flag} {value}"))
}

/// Every file below the root but our own state.
fn picture(root: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
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
