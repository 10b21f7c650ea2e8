//! Whether anybody says what a run is to do: silence is no consent.

use super::Options;
use crate::context::HostContext;
use crate::problem::{Problem, id};
use crate::settings::{Key, Settings, faces};
use crate::targets::Phase;
use crate::text;
use crate::text::{own, typed};

/// May the run go on with what was said and found?
///
/// # Errors
/// `settings-missing`: nothing says what it is to do, and nobody is there to see that it does nothing. `settings-conflict`: the
/// site is said to have no proxy, and the host has one.
pub(super) fn is_enough(
    host: &HostContext<'_>,
    settings: &Settings,
    phase: Phase,
    options: Options<'_>,
) -> Result<(), Problem> {
    let found = &host.found;
    if let Some(at) = found.known_proxy().filter(|_| settings.goes_directly && !settings.remove_proxy) {
        let message = text!("--direct says that this site has no proxy, and {} names one", host.view.host.shown(at));
        return Err(Problem::settings(id::SETTINGS_CONFLICT, message)
            .hint(text!("to take it out in the same run: {}", typed("--remove-proxy")))
            .hint("to keep it: leave --direct out"));
    }
    // An installation without a proxy goes out directly, and says so. What may stand where only root reads is not nothing.
    let says = phase == Phase::Install
        || host.layers.say_what()
        || found.known_proxy().is_some()
        || found.has_back_end()
        || !host.root_only().is_empty();
    if options.attended || says {
        return Ok(());
    }
    let problem = Problem::settings(id::SETTINGS_MISSING, text!("nothing says what this {} is to do", own(phase.verb())))
        .because(
            "no flag, variable, settings file or earlier run says it, and neither a file for logins nor prod.env names a proxy or a back end",
        );
    let back_ends: &[Key] = if phase == Phase::Reconfigure { &[Key::MysqlHost, Key::RedisHost] } else { &[] };
    let ways = [Key::ProxyUrl].iter().chain(back_ends).chain(&[Key::ProxyRemove, Key::ProxyDirect]);
    Err(ways.fold(problem, |problem, key| problem.hint(faces(key.spec()))))
}
