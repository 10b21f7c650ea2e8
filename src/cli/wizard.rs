//! `wizard`: asks, then goes the one path of `prepare` and `reconfigure`.

use std::time::Duration;

use clap::ArgMatches;

use super::args::{Globals, every_ignored};
use super::ask::{cancelled, in_order};
use super::exit::Exit;
use super::interface::{ByFlags, options};
use super::{machine, out, terminal};
use crate::apply::runs;
use crate::context::{Inputs, Named, Subject, has_product, roots};
use crate::converge::{Converge, Interface, Options, RunContext, stop_on_failure};
use crate::finding::{Finding, Status};
use crate::plan::{Change, Stage, StageState};
use crate::problem::{HostState, Problem, id};
use crate::progress::{self, Progress};
use crate::report::{Outcome, Paint};
use crate::settings::{self, Layer, Spec};
use crate::standing;
use crate::targets::Phase;
use crate::text;
use crate::text::{Fix, Text, own, typed};
use crate::wizard::repeat::Repeat;
use crate::wizard::{
    Answers, Consent, Ended, Gone, KnownState, Menu, Network, Plain, Prompter, Screen, Start, Wizard, closing, missing,
    opening,
};

/// Runs the verb.
///
/// # Errors
/// What stopped it; without a terminal, what is missing.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    if globals.interactive() { at_the_terminal(globals, matches) } else { nobody(globals, matches) }
}

/// Was ics-setup here before, or is the product here already? What cannot be read was not made by a fresh host.
pub(super) fn is_provisioned(globals: &Globals) -> bool {
    let Ok(host) = machine::to_look(globals) else { return false };
    let home = Inputs::new(globals.settings.as_deref(), Layer::default())
        .and_then(|inputs| inputs.layers(&host))
        .and_then(|layers| settings::home(&layers));
    home.map_or(true, |home| has_product(&host, &home) || runs(&host).map_or(true, |runs| !runs.is_empty()))
}

fn at_the_terminal(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    let host = machine::to_change(globals, "wizard")?;
    let inputs = machine::inputs(globals, matches)?;
    let looking = Progress::looking();
    let Subject { layers, platform, mut findings, .. } = Subject::identify(&host, &inputs)?;
    let platform = platform?;
    // Nobody wants to hear after twenty questions that the system is too old.
    globals.ignored.apply(&mut findings);
    stop_on_failure(&findings)?;
    let paint = Paint(globals.color_of_messages);
    let mut prompter = prompter(paint);
    let world = Network::new(&host, roots(&host, Named::of_layers(&layers)?.as_ref())?);
    drop(looking);
    let mut answers = Answers::default();
    let mut start = Start::First;
    loop {
        let asked = inputs.outside(|outside| {
            let ignored = &globals.ignored;
            let lenient = globals.dry_run;
            let known = KnownState { host: &host, platform: &platform, layers: &layers, outside, ignored, lenient };
            if matches!(start, Start::First) {
                let looking = Progress::looking();
                let opening = opening(&known, paint, prompter.window().1)?;
                drop(looking);
                prompter.say(&opening);
                answers = Answers::new(&known);
            }
            let mut wizard = Wizard::new(&known, &mut *prompter, &world, std::mem::take(&mut answers));
            let is_ours = in_order(|| match wizard.run(start) {
                Ok(()) => Ok(Ok(true)),
                Err(Ended::Vendors) => Ok(Ok(false)),
                Err(Ended::Problem(problem)) => Ok(Err(problem)),
                Err(Ended::Gone) => Err(Gone),
            })??;
            answers = wizard.answers;
            Ok::<_, Problem>(is_ours.then_some((answers.phase(), answers.layer(&known)?)))
        })?;
        let Some((phase, layer)) = asked else {
            out::result(&standing::of_the_vendor(&super::status::page(globals)));
            return Ok(Exit::DONE);
        };
        let mut context = RunContext::default();
        let menu = Menu::new(&mut *prompter, paint, &globals.person);
        let mut interface = AtTheMenu { flags: ByFlags(globals), menu, back: false };
        let inputs_of_run = inputs.with_flags(layer.clone());
        let passed = || answers.passed.iter().flatten().copied();
        let ignored = globals.ignored.and(passed());
        let options = Options { probe: !no_probe(matches), ignored: &ignored, ..options(globals) };
        let around = &mut *crate::deploy::around(&host, phase);
        let converge =
            Converge { host: &host, inputs: inputs_of_run, phase, options, interface: &mut interface, around };
        let mut outcome = converge.run(&mut context);
        if interface.back {
            start = Start::Last;
            continue;
        }
        if let Err(problem) = &outcome
            && is_refused(problem, &context)
        {
            match in_order(|| interface.menu.refused(&context, problem))? {
                Consent::Back => {
                    let failing = context.findings.iter().find(|finding| finding.status == Status::Fail);
                    start = failing.map_or(Start::Last, |finding| Start::About(finding.id));
                    continue;
                }
                Consent::Apply | Consent::Cancel => outcome = Err(cancelled()),
            }
        }
        let passed = passed().map(|id| id.as_str().to_owned());
        let ignored: Vec<String> = every_ignored(&globals.argv).into_iter().chain(passed).collect();
        let settings = context.settings.as_ref();
        let command =
            Repeat { phase, flags: &layer, settings, ..repeat(globals, matches, &inputs, &ignored, &layer) }.command();
        super::status::then(globals, &host, Ok(inputs), &outcome, &mut context);
        return Ok(end(globals, phase, &mut context, outcome, &command));
    }
}

/// Has a check failed before anything was done? Other answers may help.
fn is_refused(problem: &Problem, context: &RunContext) -> bool {
    problem.id == id::CHECKS_FAILED
        && problem.host_state == HostState::AsItWas
        && context.run.is_none()
        && context.stages.iter().all(|stage| stage.state != StageState::Changed)
}

fn prompter(paint: Paint) -> Box<dyn Prompter> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let unicode = terminal::unicode();
    if dumb { Box::new(Plain::new(paint, unicode)) } else { Box::new(Screen::new(paint, unicode)) }
}

/// The flags decide what is shown, the menu asks.
struct AtTheMenu<'a> {
    flags: ByFlags<'a>,
    menu: Menu<'a>,
    /// The person wants to see the questions again.
    back: bool,
}

impl Interface for AtTheMenu<'_> {
    fn show_plan(&mut self, context: &RunContext) {
        // Who is asked has it at the question.
        if self.flags.0.dry_run || !self.flags.confirms() {
            self.flags.show_plan(context);
        }
    }

    fn accepts(&mut self, finding: &Finding, context: &RunContext) -> Result<bool, Problem> {
        self.flags.accepts(finding, context)
    }

    fn confirm(&mut self, context: &RunContext) -> Result<(), Problem> {
        if !self.flags.confirms() {
            self.menu.counts(context);
            return Ok(());
        }
        let _pause = progress::pause();
        match in_order(|| self.menu.consent(context))? {
            Consent::Apply => Ok(()),
            chosen => {
                self.back = chosen == Consent::Back;
                Err(cancelled())
            }
        }
    }

    fn secret(&mut self, spec: &Spec) -> Result<Option<String>, Problem> {
        self.flags.secret(spec)
    }

    fn waits(&mut self, who: &Text) {
        self.flags.waits(who);
    }

    fn progress(&mut self, change: &Change) {
        let _pause = progress::pause();
        self.menu.progress(change);
    }

    fn stage(&mut self, stage: &Stage, context: &RunContext) {
        self.flags.stage(stage, context);
    }

    fn step(&mut self, what: &Text, after: Option<Duration>, context: &RunContext) {
        self.flags.step(what, after, context);
    }

    fn remark(&mut self, what: &Text, context: &RunContext) {
        self.flags.remark(what, context);
    }

    fn moving(&mut self, what: &Text, context: &RunContext) {
        self.flags.moving(what, context);
    }
}

/// What is said at the end, and the exit code.
fn end(
    globals: &Globals,
    phase: Phase,
    context: &mut RunContext,
    mut outcome: Result<Outcome, Problem>,
    command: &str,
) -> Exit {
    let repeat = text!("the same without questions: {}", typed(text!("{}", own(command))));
    match &mut outcome {
        Ok(outcome) if !globals.json && !globals.quiet => {
            let outcome = *outcome;
            let paint = Paint(globals.color);
            out::result(&closing(context, (phase, outcome), &globals.person, command, (paint, terminal::columns())));
            return out::exit(globals, outcome);
        }
        Ok(_) => context.plan.next_steps.push(repeat),
        // What was answered is not lost, and what was begun goes on with it.
        Err(problem) => problem.hints.push(Fix::Advice(repeat)),
    }
    out::finish(globals, &context.report(phase.verb(), &outcome, &globals.person))
}

/// Nobody is there to be asked.
fn nobody(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    let host = machine::to_look(globals)?;
    let inputs = machine::inputs(globals, matches)?;
    let ignored = every_ignored(&globals.argv);
    Err(missing(&host, &inputs, &globals.ignored, &repeat(globals, matches, &inputs, &ignored, &Layer::default()))?)
}

/// The command that does the same, but for what the run adds to it.
fn repeat<'a>(
    globals: &'a Globals,
    matches: &ArgMatches,
    inputs: &'a Inputs,
    ignored: &'a [String],
    flags: &'a Layer,
) -> Repeat<'a> {
    Repeat {
        phase: Phase::Prepare,
        flags,
        variables: inputs.variables(),
        settings: None,
        file: globals.settings.as_deref(),
        root: globals.root.as_deref(),
        ignored,
        no_probe: no_probe(matches),
    }
}

/// `--no-probe`, which a call without a command has not.
fn no_probe(matches: &ArgMatches) -> bool {
    matches.try_get_one::<bool>("no-probe").ok().flatten().copied().unwrap_or(false)
}
