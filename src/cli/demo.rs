//! `demo`: the main job on a throw-away root made from embedded files, step by step. What it shows is what the real verbs do.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::{fs, io};

use clap::ArgMatches;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::args::{Globals, word};
use super::exit::Exit;
use super::{ask, out, terminal};
use crate::apply::Which;
use crate::context::Inputs;
use crate::converge::{Converge, Interface, Nothing, Options, RunContext, TakeBack};
use crate::host::RealHost;
use crate::problem::{Problem, id};
use crate::progress;
use crate::redact::Redactor;
use crate::report::{Paint, SCHEMA, line};
use crate::settings::{Key, Layer, Origin, Spec};
use crate::signals::Uninterrupted;
use crate::targets::Phase;
use crate::text;
use crate::text::{Person, ics_setup_there, own, typed};

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

/// The families: the value of `--os`, the name for people, the root.
const FAMILIES: [(&str, &str, Root); 2] = [("ubuntu", "Ubuntu 22.04", UBUNTU), ("centos", "CentOS 7", CENTOS)];

/// What is typed where the password is asked for.
const PASSWORD: &str = "p@ss:w0rd/#%";

/// A command of the demonstration, and why it is given.
struct Step {
    why: &'static str,
    act: Act,
}

enum Act {
    /// A verb that converges, with what it is told.
    Converge(Phase, &'static [(Key, &'static str)]),
    TakeAllBack,
}

const STEPS: [Step; 6] = [
    Step {
        why: "Before the install: logins and the Docker daemon get the proxy.",
        act: Act::Converge(Phase::Prepare, &[(Key::ProxyUrl, "http://svc-ics@proxy.corp.example:3128")]),
    },
    Step {
        why: "After the install: prod.env gets it too. The first answers are remembered.",
        act: Act::Converge(Phase::Reconfigure, &[]),
    },
    Step { why: "The same again: nothing has to change.", act: Act::Converge(Phase::Prepare, &[]) },
    Step {
        why: "Later the proxy moves: only what changes is named.",
        act: Act::Converge(Phase::Reconfigure, &[(Key::ProxyUrl, "http://svc-ics@new-proxy.corp.example:3128")]),
    },
    Step { why: "The host's own files follow.", act: Act::Converge(Phase::Prepare, &[]) },
    Step { why: "All of it is taken back, to the first byte.", act: Act::TakeAllBack },
];

impl Step {
    /// What a person types behind the name of the program.
    fn words(&self) -> String {
        let (verb, told) = match self.act {
            Act::Converge(phase, told) => (phase.verb(), told),
            Act::TakeAllBack => ("revert --all", &[][..]),
        };
        let flags = told.iter().filter_map(|(key, value)| Some(format!(" --{} {value}", key.spec().flag?)));
        format!("{verb}{}", flags.collect::<String>())
    }
}

/// Runs the verb.
///
/// # Errors
/// The throw-away root cannot be made, a run on it fails, or a signal has come.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    let wanted = word(matches, "demo-os").unwrap_or(FAMILIES[0].0);
    // Whatever ends this, the throw-away root goes.
    let calm = Uninterrupted::begin();
    let mut shown = Vec::new();
    for (os, name, files) in FAMILIES.iter().filter(|(os, ..)| *os == wanted) {
        let folder = root_of(files).map_err(broken)?;
        let host = RealHost::image(folder.path()).map_err(broken)?;
        let mut stage = Stage { globals, host: &host, calm: &calm, step: 0, has_left: false };
        let played = stage.play(name, folder.path());
        if stage.has_left {
            out::message(GONE);
            return Ok(Exit::DONE);
        }
        let played = played.map_err(|problem| stopped(globals, problem));
        let commands: Vec<String> = STEPS.iter().map(|step| format!("ics-setup {}", step.words())).collect();
        shown.push(json!({"os": os, "steps": played?, "commands": commands}));
        let other = FAMILIES.iter().find(|(other, ..)| other != os).map_or("", |(other, ..)| *other);
        stage.say(&summary(other));
    }
    if globals.json {
        out::json(&json!({"schema": SCHEMA, "command": "demo", "demos": shown}));
    }
    Ok(Exit::DONE)
}

fn broken(error: io::Error) -> Problem {
    Problem::host(id::DEMO_FAILED, "the throw-away root could not be made").caused_by(error)
}

/// What ended it. Nothing of what was written is there any more to be looked at.
fn stopped(globals: &Globals, problem: Problem) -> Problem {
    if matches!(problem.id, id::CANCELLED | id::BUG) {
        if !globals.quiet {
            out::message(GONE);
        }
        return problem;
    }
    let stopped = Problem::host(id::DEMO_FAILED, text!("a step of the demonstration failed: {}", problem.message))
        .hint(text!("have its throw-away root elsewhere: {}", typed("TMPDIR=<DIR> ics-setup demo")))
        .hint("nothing of this host was touched, and that root is gone");
    Problem { because: problem.because, ..stopped }
}

const GONE: &str = "The throw-away root is gone.\n";

fn root_of(files: Root) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("ics-setup-demo-").tempdir()?;
    for (path, content) in files {
        let place = folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap_or(folder.path()))?;
        fs::write(&place, content)?;
        // Files with passwords that everybody can read would be a story of its own.
        fs::set_permissions(place, Permissions::from_mode(0o640))?;
    }
    Ok(folder)
}

/// What to type, to see the same elsewhere.
fn summary(other: &str) -> String {
    let there = |step: &Step| line(&Redactor::default(), ics_setup_there(text!("{}", own(step.words()))).text());
    let commands: String = STEPS.iter().map(|step| format!("  {}\n", there(step))).collect();
    format!(
        "\nEvery byte is as it was, and the throw-away root is gone.\n\n\
         The same on a host of your own, with its own proxy. The product is installed\n\
         between the first two. Each command shows its plan and asks before it writes:\n\n{commands}\n\
         With --dry-run they show it and write nothing.\n\
         The other family: ics-setup demo --os {other}\n"
    )
}

struct Stage<'a> {
    globals: &'a Globals,
    host: &'a RealHost,
    calm: &'a Uninterrupted,
    /// The step that is shown, from 1.
    step: usize,
    /// The person has seen enough.
    has_left: bool,
}

impl Stage<'_> {
    fn play(&mut self, name: &str, root: &Path) -> Result<Vec<Value>, Problem> {
        let before = snapshot(root).map_err(broken)?;
        self.say(&format!(
            "{name} in a throw-away folder, {}\nNothing of this host is touched. {} steps.\n",
            root.display(),
            STEPS.len()
        ));
        let mut results = Vec::new();
        for (index, step) in STEPS.iter().enumerate() {
            self.step = index + 1;
            if index > 0 {
                self.pause("\n", &format!("Enter: step {} of {}", self.step, STEPS.len()))?;
            }
            let paint = Paint(self.globals.color);
            let title = paint.bold(&format!("{} of {}  {}", self.step, STEPS.len(), step.why));
            self.say(&format!("\n{title}\n{}\n\n", paint.with("36", &format!("$ ics-setup {}", step.words()))));
            results.push(self.act(&step.act)?);
        }
        if snapshot(root).map_err(broken)? != before {
            return Err(Problem::bug("the demonstration did not come back to the first bytes"));
        }
        results.push(json!({"restored": true}));
        Ok(results)
    }

    fn act(&mut self, act: &Act) -> Result<Value, Problem> {
        let mut context = RunContext::default();
        let (host, globals) = (self.host, self.globals);
        let options = Options {
            dry_run: false,
            prove: false,
            preflight: true,
            probe: true,
            attended: true,
            ignored: &globals.ignored,
        };
        let (verb, outcome) = match act {
            Act::Converge(phase, told) => {
                let inputs = Inputs::alone(flags(told)?);
                let (interface, around) = (&mut Shown(self), &mut Nothing);
                let run = Converge { host, inputs, phase: *phase, options, interface, around };
                (phase.verb(), run.run(&mut context))
            }
            Act::TakeAllBack => {
                let (interface, around, which) = (&mut Shown(self), &mut Nothing, Which::All);
                let run = TakeBack { host, which, force: false, options, interface, around, going: None };
                ("revert", run.run(&mut context))
            }
        };
        let outcome = Ok(outcome?);
        let person = Person { privileged: true, ..Person::default() };
        let report = context.report(verb, &outcome, &person);
        self.say(&report.human(globals.verbose, Paint(globals.color), terminal::columns()));
        Ok(report.json())
    }

    fn say(&self, text: &str) {
        if !self.globals.json && !self.globals.quiet {
            out::result(&terminal::shown(text.to_owned()));
        }
    }

    /// Waits until the person goes on; without a person there is nothing to wait for. `gap`: what keeps it apart.
    fn pause(&mut self, gap: &str, what: &str) -> Result<(), Problem> {
        let globals = self.globals;
        let is_watched = globals.interactive() && terminal::columns().is_some();
        if !is_watched || globals.yes || globals.json || globals.quiet {
            return if self.calm.take_arrived() { Err(ask::cancelled()) } else { Ok(()) };
        }
        // What goes on meanwhile would draw over the question.
        let _pause = progress::pause();
        let faint = |text: &str| Paint(terminal::color_for(false)).faint(text);
        out::message(&format!("{gap}{}", faint(&format!("{what}, q: leave "))));
        let typed = answer(self.calm);
        // The question goes, so that what is left reads as a transcript.
        let is_dumb = terminal::is_dumb();
        let back = "\u{1b}[1A\u{1b}[2K".to_owned() + if gap.is_empty() { "" } else { "\u{1b}[1A" };
        out::message(if is_dumb || typed.is_none() { "\n" } else { &back });
        match typed {
            None => Err(ask::cancelled()),
            Some(line) if line.trim().is_empty() => Ok(()),
            Some(_) => {
                self.has_left = true;
                Err(ask::cancelled())
            }
        }
    }
}

/// The line that a person types, `q` where there is none any more; `None`: a signal has come.
fn answer(calm: &Uninterrupted) -> Option<String> {
    let stdin = io::stdin();
    loop {
        if calm.take_arrived() {
            return None;
        }
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, LOOK) {
            Ok(0) | Err(Errno::EINTR) => {}
            Err(_) => return Some("q".to_owned()),
            Ok(_) => {
                let mut line = String::new();
                let is_there = stdin.read_line(&mut line).is_ok_and(|count| count > 0);
                return Some(if is_there { line } else { "q".to_owned() });
            }
        }
    }
}

/// So often somebody who waits looks whether a signal has come, in milliseconds.
const LOOK: u8 = 50;

/// The verbs run as they would at a terminal; their plans are shown, and their questions have answers.
struct Shown<'a, 'b>(&'a mut Stage<'b>);

impl Interface for Shown<'_, '_> {
    fn show_plan(&mut self, context: &RunContext) {
        let paint = Paint(self.0.globals.color);
        self.0.say(&super::interface::plan(context, self.0.globals.verbose, paint));
    }

    fn confirm(&mut self, context: &RunContext) -> Result<(), Problem> {
        let what = match context.plan.changes.len() {
            1 => "Enter: apply this change".to_owned(),
            changes => format!("Enter: apply these {changes} changes"),
        };
        self.0.pause("", &what)
    }

    fn secret(&mut self, spec: &Spec) -> Result<Option<String>, Problem> {
        let question = spec.question.unwrap_or(spec.help).trim_end_matches('?');
        self.0.say(&format!("{question}: (typed, and never shown)\n\n"));
        Ok(Some(PASSWORD.to_owned()))
    }
}

fn flags(told: &[(Key, &str)]) -> Result<Layer, Problem> {
    let mut layer = Layer::default();
    for (key, value) in told {
        let spec = key.spec();
        layer.insert(spec, (*value).to_owned(), Origin::Flag(spec.shown()))?;
    }
    Ok(layer)
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
