//! The wizard without a terminal: everything that is missing at once, with its flag, variable and key.

use super::known::PROXY_KEYS;
use super::repeat::Repeat;
use crate::context::{HostContext, Inputs, Intent, or_test_drive};
use crate::finding::Ignored;
use crate::host::HostRead;
use crate::platform::Platform;
use crate::problem::{Problem, id};
use crate::settings::{Key, Spec, Unresolved};
use crate::targets::Phase;
use crate::text;
use crate::text::{own, typed};

/// The problem that names what the wizard would ask for, and the command that goes without it. `of_run` says what the command
/// has beside flags and variables.
pub(crate) fn missing(
    host: &dyn HostRead,
    inputs: &Inputs,
    ignored: &Ignored,
    of_run: &Repeat<'_>,
) -> Result<Problem, Problem> {
    let mut known = HostContext::load(host, inputs, Intent::Missing)?;
    let is_listed = known.platform.as_ref().is_some_and(Platform::is_listed);
    // What the wizard offers first, or what the targets leave.
    known.installs = !known.has_product && host.is_live() && is_listed && known.layers.get(Key::Target).is_none();
    let phase = match known.installs {
        true => Phase::Install,
        false if known.has_product => Phase::Reconfigure,
        false => Phase::Prepare,
    };
    let unset = |key: Key| known.layers.get(key).is_none() && known.found.get(key).is_none();
    let mut specs: Vec<&'static Spec> = Vec::new();
    // An installation goes directly where nobody names a proxy.
    let no_proxy = PROXY_KEYS.into_iter().all(unset);
    if no_proxy && !known.installs {
        specs.push(Key::ProxyUrl.spec());
    }
    let production = known.layers.get(Key::Deployment).is_none_or(|setting| setting.value == "production");
    if production && known.has_product {
        let has_secret = known.found.has_secret(&known.layers);
        let asked = [Key::MysqlHost, Key::RedisHost].into_iter().filter(|key| !(has_secret && key.is_in("mysql")));
        specs.extend(asked.filter(|key| unset(*key)).map(Key::spec));
    }
    match known.resolve(inputs, ignored) {
        Err(Unresolved::Wrong(problem)) => return Ok(problem),
        Err(Unresolved::Missing(more)) => specs.extend(more),
        Ok(_) => {}
    }
    let command = Repeat { phase, flags: &known.layers.flags, ..*of_run }.command();
    let alone = |problem: Problem| {
        if !known.installs {
            return problem;
        }
        let proxy = no_proxy.then(|| text!("behind a proxy besides: {}", typed("--proxy <URL>")));
        let test_drive = production.then(or_test_drive);
        let problem = proxy.into_iter().chain(test_drive).fold(problem, Problem::hint);
        let prepare = Repeat { phase: Phase::Prepare, flags: &known.layers.flags, ..*of_run }.command();
        // It has nothing to do where nobody names a proxy.
        let prepare = match no_proxy {
            true => prepare.replace(" --non-interactive", " --proxy '<URL>' --non-interactive"),
            false => prepare,
        };
        problem.hint(text!("the system alone, without the product: {}", typed(text!("{}", own(prepare)))))
    };
    if specs.is_empty() {
        let message = "the wizard asks questions, and there is no terminal to ask them at";
        let problem = Problem::settings(id::NO_TERMINAL, message)
            .hint(text!("without questions: {}", typed(text!("{}", own(command)))));
        return Ok(alone(problem));
    }
    let holes = specs.iter().filter_map(|spec| {
        let file = spec.key.file_of_password().map(Key::spec);
        let own = spec.flag.map(|flag| (flag, spec.value_name));
        let (flag, value) = own.or_else(|| file.and_then(|file| Some((file.flag?, file.value_name))))?;
        Some(format!(" --{flag} '<{value}>'"))
    });
    let command = command.replace(" --non-interactive", &format!("{} --non-interactive", holes.collect::<String>()));
    let problem = Unresolved::Missing(specs).into_problem().because("there is no terminal, so nothing is asked");
    Ok(alone(problem.hint(text!("then, without questions: {}", typed(text!("{}", own(command)))))))
}
