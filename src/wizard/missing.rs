//! The wizard without a terminal: everything that is missing at once, with its flag, variable and key.

use super::known::PROXY_KEYS;
use super::repeat::Repeat;
use crate::context::{HostContext, Inputs, Intent};
use crate::finding::Ignored;
use crate::host::HostRead;
use crate::problem::{Problem, id};
use crate::settings::{Key, Spec, Unresolved};
use crate::targets::Phase;
use crate::text;
use crate::text::own;

/// The problem that names what the wizard would ask for, and the command that goes without it. `of_run` says what the command
/// has beside flags and variables.
pub(crate) fn missing(
    host: &dyn HostRead,
    inputs: &Inputs,
    ignored: &Ignored,
    of_run: &Repeat<'_>,
) -> Result<Problem, Problem> {
    let known = HostContext::load(host, inputs, Intent::Missing)?;
    let unset = |key: Key| known.layers.get(key).is_none() && known.found.get(key).is_none();
    let mut specs: Vec<&'static Spec> = Vec::new();
    if PROXY_KEYS.into_iter().all(unset) {
        specs.push(Key::ProxyUrl.spec());
    }
    let production = known.layers.get(Key::Deployment).is_none_or(|setting| setting.value == "production");
    if production && known.has_product {
        specs.extend([Key::MysqlHost, Key::RedisHost].into_iter().filter(|key| unset(*key)).map(Key::spec));
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
        return Ok(Problem::settings(id::NO_TERMINAL, message).hint(text!("without questions: {}", own(command))));
    }
    let holes = specs.iter().filter_map(|spec| {
        let file = spec.key.file_of_password().map(Key::spec);
        let own = spec.flag.map(|flag| (flag, spec.value_name));
        let (flag, value) = own.or_else(|| file.and_then(|file| Some((file.flag?, file.value_name))))?;
        Some(format!(" --{flag} '<{value}>'"))
    });
    let command = command.replace(" --non-interactive", &format!("{} --non-interactive", holes.collect::<String>()));
    let problem = Unresolved::Missing(specs).into_problem().because("there is no terminal, so nothing is asked");
    Ok(problem.hint(text!("then, without questions: {}", own(command))))
}
