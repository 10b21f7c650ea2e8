//! `wizard`: asks, then goes the one path of `prepare` and `reconfigure`.

use std::path::Path;

use clap::ArgMatches;

use super::args::{Globals, every_ignored, flags};
use super::ask::{cancelled, in_order};
use super::converge::{self, Converge, Person, RunContext};
use super::exit::Exit;
use super::inputs::{self, Inputs};
use super::{machine, out, sudo};
use crate::apply::runs;
use crate::host::{HostRead, View};
use crate::plan::{Action, Change};
use crate::platform;
use crate::problem::{HostState, Problem, id};
use crate::redact::Redactor;
use crate::report::{Outcome, Paint, human_findings};
use crate::settings::{self, First, Found, Layer, SAVED, Spec, Unresolved, by_key};
use crate::targets::Phase;
use crate::text;
use crate::text::quoted;
use crate::text::{Text, own};
use crate::vendor::prod_env;
use crate::wizard::repeat::Repeat;
use crate::wizard::{
    Answers, Ask, Ended, Gone, KnownState, Network, Plain, Prompter, Reply, Screen, Wizard, explain, opening,
    proof_table,
};

/// Runs the verb.
pub fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    let result = if globals.interactive() { at_the_terminal(globals, matches) } else { Err(nobody(globals, matches)) };
    match result {
        Ok(exit) => exit,
        Err(problem) => {
            let bare = problem.id == id::NEEDS_ROOT && problem.hints.is_empty();
            let problem = if bare { sudo::with_line(problem, &globals.argv) } else { problem };
            out::failed(globals, "wizard", &problem, &Redactor::default())
        }
    }
}

/// Was ics-setup here before, or is the product here already? What cannot be read was not made by a fresh host.
pub fn is_provisioned(globals: &Globals) -> bool {
    let Ok(host) = machine::to_look(globals) else { return false };
    let home = Inputs::new(globals, Layer::default())
        .and_then(|inputs| inputs.layers(&host))
        .and_then(|layers| settings::home(&layers));
    let Ok(home) = home else { return false };
    let has_product = host.lstat(&prod_env(&home)).is_ok_and(|stat| stat.is_some());
    has_product || runs(&host).map_or(true, |runs| !runs.is_empty())
}

fn at_the_terminal(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    let host = machine::to_change(globals, "wizard")?;
    let inputs = Inputs::new(globals, flags(matches)?)?;
    let layers = inputs.layers(&host)?;
    let (platform, mut findings) = platform::detect(&host, settings::strategy(&layers))?;
    // Nobody wants to hear after twenty questions that the system is too old.
    globals.ignored.apply(&mut findings);
    converge::stop_on_failure(&findings)?;
    let paint = Paint(globals.color_of_messages);
    let mut prompter = prompter(paint);
    let authority = match layers.get("proxy.ca") {
        Some(path) => inputs::authority(Path::new(&path.value), &path.origin)?,
        None => Vec::new(),
    };
    let world = Network::new(&host, crate::net::Roots::of(&host, &authority));
    let mut answers = Answers::default();
    let mut again = false;
    loop {
        let (phase, layer) = inputs.outside(|outside| {
            let ignored = &globals.ignored;
            let lenient = globals.dry_run;
            let known = KnownState { host: &host, platform: &platform, layers: &layers, outside, ignored, lenient };
            if !again {
                prompter.say(&opening(&known, paint)?);
                answers = Answers::new(&known);
            }
            let mut wizard = Wizard {
                known: &known,
                prompter: &mut *prompter,
                world: &world,
                answers: std::mem::take(&mut answers),
            };
            let asked = in_order(|| match wizard.run(again) {
                Ok(()) => Ok(Ok(())),
                Err(Ended::Problem(problem)) => Ok(Err(problem)),
                Err(Ended::Gone) => Err(Gone),
            })?;
            asked?;
            answers = wizard.answers;
            Ok::<_, Problem>((answers.moment(), answers.layer(&known)?))
        })?;
        prompter.say("");
        let mut context = RunContext::default();
        let mut menu = Menu { prompter: &mut *prompter, paint, back: false, live: host.is_live(), number: 0, total: 0 };
        let converge =
            Converge { globals, host: &host, inputs: inputs.with_flags(layer.clone()), phase, person: Some(&mut menu) };
        let outcome = converge.run(&mut context);
        if menu.back {
            again = true;
            continue;
        }
        let ignored = every_ignored(&globals.argv);
        let repeat = Repeat {
            phase,
            flags: &layer,
            variables: inputs.variables(),
            settings: context.settings.as_ref(),
            file: globals.settings.as_deref(),
            root: globals.root.as_deref(),
            ignored: &ignored,
        };
        let command = repeat.command();
        return Ok(end(globals, phase, &mut context, outcome, &command));
    }
}

fn prompter(paint: Paint) -> Box<dyn Prompter> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if dumb { Box::new(Plain::new(paint)) } else { Box::new(Screen::new(paint)) }
}

/// What is to become of the plan.
struct Menu<'a> {
    prompter: &'a mut dyn Prompter,
    paint: Paint,
    /// The person wants to see the questions again.
    back: bool,
    /// Programs of the host can be asked what they see.
    live: bool,
    number: usize,
    total: usize,
}

impl Person for Menu<'_> {
    fn consents(&mut self, context: &mut RunContext) -> Result<(), Problem> {
        const APPLY: &str = "apply";
        const EXPLAIN: &str = "explain each change";
        const SETTINGS: &str = "save the settings only";
        const CANCEL: &str = "cancel";
        let settings = Path::new(SAVED);
        let others = context.plan.changes.iter().any(|change| change.path != settings);
        let mut words = vec![APPLY, EXPLAIN];
        if others && context.plan.touches(settings) {
            words.push(SETTINGS);
        }
        words.push(CANCEL);
        let options: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let count = context.plan.changes.len();
        let question =
            if count == 1 { "1 change. What now?".to_owned() } else { format!("{count} changes. What now?") };
        let warnings = human_findings(&context.findings, false, &context.redactor, self.paint);
        if !warnings.is_empty() {
            self.prompter.say(warnings.trim_end());
        }
        loop {
            // Enter by habit does no harm here.
            let ask = Ask { careful: true, ..Ask::of(&question, "", true) };
            let chosen = in_order(|| self.prompter.choose(&ask, &options, 1))?;
            match chosen {
                Reply::Back => {
                    self.back = true;
                    return Err(cancelled());
                }
                Reply::Given(index) => match words.get(index).copied() {
                    Some(APPLY) => break,
                    Some(EXPLAIN) => {
                        let text = explain(&context.plan.changes, &context.redactor, self.paint);
                        self.prompter.say(text.trim_end());
                    }
                    Some(SETTINGS) => {
                        context.plan.changes.retain(|change| change.path == settings);
                        context.plan.next_steps.clear();
                        context.plan.logins.clear();
                        context.plan.daemon.clear();
                        context.restart = false;
                        break;
                    }
                    _ => return Err(cancelled()),
                },
            }
        }
        (self.number, self.total) = (0, context.plan.changes.len());
        Ok(())
    }

    fn hears(&mut self, change: &Change) {
        self.number += 1;
        let word = match change.action() {
            Action::Create => "created",
            Action::Modify => "changed",
            Action::Delete => "deleted",
        };
        self.prompter.done(self.number, self.total.max(self.number), &format!("{word} {}", change.path.display()));
        if self.live && self.number == self.total {
            // A login may take seconds.
            self.prompter.say("  asking logins and services what they see ...");
        }
    }
}

/// Says how it ended: who sees it now, what is next, the way back, and the command that repeats it.
fn end(
    globals: &Globals,
    phase: Phase,
    context: &mut RunContext,
    outcome: Result<Outcome, Problem>,
    command: &str,
) -> Exit {
    let outcome = match outcome {
        Ok(outcome) if !globals.json && !globals.quiet => outcome,
        // What was answered is not lost.
        Err(problem) if matches!(problem.host_state, HostState::AsItWas | HostState::Restored) => {
            let problem = problem.hint(text!("the same without questions: {}", own(command)));
            return converge::report(globals, phase, context, Err(problem));
        }
        Ok(outcome) => {
            context.plan.next_steps.push(text!("the same without questions: {}", own(command)));
            return converge::report(globals, phase, context, Ok(outcome));
        }
        other => return converge::report(globals, phase, context, other),
    };
    let paint = Paint(globals.color);
    let others: Vec<_> = context.findings.iter().filter(|finding| finding.group != "verify").cloned().collect();
    let root =
        globals.root.as_ref().map(|root| format!(" --root {}", quoted(&root.to_string_lossy()))).unwrap_or_default();
    let mut text = String::new();
    let mut part = |title: &str, body: &str| {
        if !body.is_empty() {
            text.push_str(&format!("\n{}\n{body}", paint.bold(title)));
        }
    };
    let line = |text: &Text| format!("  {}\n", crate::report::line(&context.redactor, text));
    if outcome != Outcome::Changed {
        part("Noticed", &human_findings(&others, false, &context.redactor, paint));
    }
    part("Who sees it", &proof_table(&context.findings, &context.redactor, paint));
    part("Next", &context.plan.next_steps.iter().map(|step| line(step)).collect::<String>());
    if let Some(run) = &context.run {
        part("Undo", &line(&text!("ics-setup revert {}{}", own(run), own(root))));
    }
    part("The same without questions", &line(&text!("{}", own(command))));
    let head = match outcome {
        Outcome::Pending => "Dry run: nothing was written.",
        Outcome::Unchanged => "Nothing to do: no file has to change.",
        _ => "Done.",
    };
    out::result(&format!("{head}\n{text}"));
    if outcome == Outcome::Changed && out::lost() {
        return Exit::FailedChanged;
    }
    if outcome == Outcome::Pending && globals.exit_code { Exit::Pending } else { Exit::Done }
}

/// Nobody is there to be asked: what is missing, all at once, with all its faces.
fn nobody(globals: &Globals, matches: &ArgMatches) -> Problem {
    missing(globals, matches).unwrap_or_else(|problem| problem)
}

fn missing(globals: &Globals, matches: &ArgMatches) -> Result<Problem, Problem> {
    let host = machine::to_look(globals)?;
    let inputs = Inputs::new(globals, flags(matches)?)?;
    let layers = inputs.layers(&host)?;
    let (platform, _) = platform::detect(&host, settings::strategy(&layers))?;
    let home = settings::home(&layers)?;
    let has_product = host.lstat(&prod_env(&home)).is_ok_and(|stat| stat.is_some());
    let first = if has_product { First::Product } else { First::System };
    let found = Found::look(&View::lenient(&host), &platform, &home, first)?;
    let phase = if has_product { Phase::Reconfigure } else { Phase::Prepare };
    let wanted = ["proxy.url", "proxy.http", "proxy.https", "proxy.remove"];
    let mut specs: Vec<&'static Spec> = Vec::new();
    if wanted.into_iter().all(|key| layers.get(key).is_none() && found.get(key).is_none()) {
        specs.extend(by_key("proxy.url"));
    }
    let production = layers.get("deployment").is_none_or(|setting| setting.value == "production");
    for key in ["mysql.host", "redis.host"].into_iter().filter(|_| production && has_product) {
        let unset = layers.get(key).is_none() && found.get(key).is_none();
        specs.extend(by_key(key).filter(|_| unset));
    }
    let resolved = inputs.outside(|outside| settings::Settings::resolve(&layers, &found, outside, &globals.ignored));
    match resolved {
        Err(Unresolved::Wrong(problem)) => return Ok(problem),
        Err(Unresolved::Missing(more)) => specs.extend(more),
        Ok(_) => {}
    }
    let ignored = every_ignored(&globals.argv);
    let command = Repeat {
        phase,
        flags: &layers.flags,
        variables: inputs.variables(),
        settings: None,
        file: globals.settings.as_deref(),
        root: globals.root.as_deref(),
        ignored: &ignored,
    }
    .command();
    if specs.is_empty() {
        let message = "the wizard asks questions, and there is no terminal to ask them at";
        return Ok(Problem::settings("no-terminal", message).hint(format!("without questions: {command}")));
    }
    let holes = specs.iter().filter_map(|spec| {
        let file = by_key(&format!("{}_file", spec.key));
        let face = spec.flag.map(|flag| (flag, spec.value_name));
        let (flag, value) = face.or_else(|| file.and_then(|file| Some((file.flag?, file.value_name))))?;
        Some(format!(" --{flag} {value}"))
    });
    let command = command.replace(" --non-interactive", &format!("{} --non-interactive", holes.collect::<String>()));
    let problem = Unresolved::Missing(specs).into_problem().because("there is no terminal, so nothing is asked");
    Ok(problem.hint(format!("then, without questions: {command}")))
}
