//! Nobody is there to be asked: what is missing, all at once, with all its faces.

use super::repeat::Repeat;
use crate::context::{HostContext, Inputs, Intent};
use crate::finding::Ignored;
use crate::host::HostRead;
use crate::problem::{Problem, id};
use crate::settings::{Spec, Unresolved, by_key};
use crate::targets::Phase;

/// The problem that names what the wizard would ask for, and the command that goes without it. `of_run` says what the command
/// has beside flags and variables.
pub(crate) fn missing(
    host: &dyn HostRead,
    inputs: &Inputs,
    ignored: &Ignored,
    of_run: &Repeat<'_>,
) -> Result<Problem, Problem> {
    let known = HostContext::load(host, inputs, Intent::Missing)?;
    let unset = |key: &str| known.layers.get(key).is_none() && known.found.get(key).is_none();
    let mut specs: Vec<&'static Spec> = Vec::new();
    if ["proxy.url", "proxy.http", "proxy.https", "proxy.remove"].into_iter().all(unset) {
        specs.extend(by_key("proxy.url"));
    }
    let production = known.layers.get("deployment").is_none_or(|setting| setting.value == "production");
    if production && known.has_product {
        specs.extend(["mysql.host", "redis.host"].into_iter().filter(|key| unset(key)).filter_map(by_key));
    }
    match known.resolve(inputs, ignored) {
        Err(Unresolved::Wrong(problem)) => return Ok(problem),
        Err(Unresolved::Missing(more)) => specs.extend(more),
        Ok(_) => {}
    }
    let phase = if known.has_product { Phase::Reconfigure } else { Phase::Prepare };
    let command = Repeat { phase, flags: &known.layers.flags, ..*of_run }.command();
    if specs.is_empty() {
        let message = "the wizard asks questions, and there is no terminal to ask them at";
        return Ok(Problem::settings(id::NO_TERMINAL, message).hint(format!("without questions: {command}")));
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
