//! `prove`: the host's own programs, and which way they go.

use clap::ArgMatches;
use serde_json::json;

use super::args::{Globals, flags, path_of, word};
use super::exit::Exit;
use super::interface::{Quiet, options};
use super::{ask, files, machine, out, terminal};
use crate::consumers::Who;
use crate::context::{HostContext, Intent};
use crate::converge::{Converge, Nothing, Options, RunContext};
use crate::finding::{Finding, Status};
use crate::plan::Change;
use crate::problem::Problem;
use crate::prove::{self, Look, Proven};
use crate::redact::Redactor;
use crate::report::{Paint, SCHEMA, finding_json};
use crate::settings::Settings;
use crate::targets::{self, Phase};

/// Runs the verb. The redactor learns the secrets that are found on the way.
///
/// # Errors
/// Wrong settings, files that cannot be read or written.
pub(super) fn run(globals: &Globals, matches: &ArgMatches, redactor: &mut Redactor) -> Result<Exit, Problem> {
    let keep = path_of(matches, "save");
    if let Some(path) = keep {
        drop(files::beside(path, "--save")?);
    }
    let host = machine::to_look(globals)?;
    let layer = flags(matches)?;
    let inputs = |layer| machine::inputs_with(globals, layer);
    let endpoint = prove::endpoint(&inputs(layer.clone())?.layers(&host)?)?;
    let mut planned = RunContext::default();
    let settings: Settings;
    let (changes, consumers, platform): (Option<&[Change]>, &[Who], _);
    if layer.is_empty() {
        let mut inputs = inputs(layer)?;
        let mut known = HostContext::load(&host, &inputs, Intent::Check)?;
        known.found.secrets().for_each(|secret| redactor.learn(secret));
        settings = known.settings(&mut inputs, &globals.ignored, &mut |spec| ask::secret(globals, spec))?.0;
        (changes, consumers, platform) = (None, &[Who::Login], known.platform.take());
    } else {
        let options = Options { dry_run: true, preflight: false, attended: true, ..options(globals) };
        let interface = &mut Quiet(globals);
        Converge {
            host: &host,
            inputs: inputs(layer)?,
            phase: Phase::Prepare,
            options,
            interface,
            around: &mut Nothing,
        }
        .run(&mut planned)?;
        settings = planned.settings.take().ok_or_else(|| Problem::bug("a plan without settings"))?;
        (changes, consumers) = (Some(planned.plan.changes.as_slice()), planned.plan.consumers.as_slice());
        platform = planned.platform.clone();
    }
    settings.secrets.iter().for_each(|secret| redactor.learn(secret));
    let look = Look {
        host: &host,
        platform: platform.as_ref(),
        settings: &settings,
        no_proxy: targets::no_proxy(&settings),
        changes,
        consumers,
        endpoint,
        only: word(matches, "client"),
    };
    let mut proven = prove::prove(&look);
    globals.ignored.apply(&mut proven.findings);
    if let Some(path) = keep {
        let case = prove::case(&look, &proven, redactor);
        files::save(path, "--save", format!("{case:#}\n").as_bytes(), 0o600)?;
    }
    Ok(told(globals, &mut proven, redactor))
}

fn told(globals: &Globals, proven: &mut Proven, redactor: &Redactor) -> Exit {
    proven.findings.iter_mut().for_each(|finding| *finding = finding.pasted_by(&globals.person));
    if globals.json {
        let findings: Vec<_> = proven.findings.iter().map(|finding| finding_json(redactor, finding)).collect();
        out::json(&json!({
            "schema": SCHEMA,
            "command": "prove",
            "planned": proven.planned,
            "programs": prove::json(proven),
            "findings": findings,
        }));
    } else if !globals.quiet || fails(&proven.findings) {
        out::result(&prove::human(
            proven,
            globals.verbose,
            (terminal::unicode(), terminal::columns()),
            redactor,
            Paint(globals.color),
        ));
    }
    if fails(&proven.findings) { Exit::CHECKS_FAILED } else { Exit::DONE }
}

fn fails(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| matches!(finding.status, Status::Fail | Status::Error))
}
