//! `wizard`: asks, then goes the one path of `prepare` and `reconfigure`.

use clap::ArgMatches;

use super::args::{Globals, every_ignored};
use super::ask::{cancelled, in_order};
use super::exit::Exit;
use super::interface::{ByFlags, options};
use super::{machine, out};
use crate::apply::runs;
use crate::context::{Inputs, Named, Subject, has_product, roots};
use crate::converge::{Converge, Interface, Options, RunContext, stop_on_failure};
use crate::finding::Finding;
use crate::plan::{Change, Stage};
use crate::problem::Problem;
use crate::report::{Outcome, Paint};
use crate::settings::{self, Layer, Spec};
use crate::targets::Phase;
use crate::text;
use crate::text::{Fix, Text, own};
use crate::wizard::repeat::Repeat;
use crate::wizard::{
    Answers, Consent, Ended, Gone, KnownState, Menu, Network, Plain, Prompter, Screen, Wizard, closing, missing,
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
    let Subject { layers, platform, mut findings, .. } = Subject::identify(&host, &inputs)?;
    let platform = platform?;
    // Nobody wants to hear after twenty questions that the system is too old.
    globals.ignored.apply(&mut findings);
    stop_on_failure(&findings)?;
    let paint = Paint(globals.color_of_messages);
    let mut prompter = prompter(paint);
    let world = Network::new(&host, roots(&host, Named::of_layers(&layers)?.as_ref())?);
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
            Ok::<_, Problem>((answers.phase(), answers.layer(&known)?))
        })?;
        prompter.say("");
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
        let outcome = converge.run(&mut context);
        if interface.back {
            again = true;
            continue;
        }
        let passed = passed().map(|id| id.as_str().to_owned());
        let ignored: Vec<String> = every_ignored(&globals.argv).into_iter().chain(passed).collect();
        let settings = context.settings.as_ref();
        let command =
            Repeat { phase, flags: &layer, settings, ..repeat(globals, matches, &inputs, &ignored, &layer) }.command();
        return Ok(end(globals, phase, &mut context, outcome, &command));
    }
}

fn prompter(paint: Paint) -> Box<dyn Prompter> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if dumb { Box::new(Plain::new(paint)) } else { Box::new(Screen::new(paint)) }
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
        self.flags.show_plan(context);
    }

    fn accepts(&mut self, finding: &Finding, context: &RunContext) -> Result<bool, Problem> {
        self.flags.accepts(finding, context)
    }

    fn confirm(&mut self, context: &RunContext) -> Result<(), Problem> {
        if !self.flags.confirms() {
            return Ok(());
        }
        self.flags.show_before_asking(context);
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

    fn progress(&mut self, change: &Change) {
        self.menu.progress(change);
    }

    fn stage(&mut self, stage: &Stage, context: &RunContext) {
        self.flags.stage(stage, context);
    }

    fn step(&mut self, what: &Text, context: &RunContext) {
        self.flags.step(what, context);
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
    let repeat = text!("the same without questions: {}", own(command));
    match &mut outcome {
        Ok(outcome) if !globals.json && !globals.quiet => {
            let outcome = *outcome;
            let paint = Paint(globals.color);
            out::result(&closing(context, (phase, outcome), &globals.person, command, paint));
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
