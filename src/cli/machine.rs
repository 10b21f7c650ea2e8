//! What a command works on: the host, which is this system or the image of `--root`, and what people have said.

use clap::ArgMatches;

use super::args::{Globals, flags};
use crate::context::Inputs;
use crate::host::{HostRead, RealHost};
use crate::problem::{Problem, id};
use crate::settings::Layer;
use crate::system::ecs::{self, Ecs};
use crate::text;
use crate::text::{own, typed};

/// The host, for a command that only looks.
///
/// # Errors
/// A `--root` that is no folder.
pub(super) fn to_look(globals: &Globals) -> Result<RealHost, Problem> {
    let Some(root) = &globals.root else { return Ok(RealHost::live()) };
    RealHost::image(root).map_err(|error| {
        Problem::settings(id::ROOT_INVALID, text!("--root {} is not a folder that can be entered", root.display()))
            .caused_by(error)
            .hint(text!("look: {}", typed(text!("ls -ld {}", root.display()))))
    })
}

/// What people have said: with flags, in variables, in the file of `--settings`.
///
/// # Errors
/// A value of the wrong shape, a file that cannot be read or is no settings file; without a terminal a variable that means
/// nothing.
pub(super) fn inputs(globals: &Globals, matches: &ArgMatches) -> Result<Inputs, Problem> {
    inputs_with(globals, flags(matches)?)
}

/// The same with these flags.
///
/// # Errors
/// As [`inputs`].
pub(super) fn inputs_with(globals: &Globals, flags: Layer) -> Result<Inputs, Problem> {
    let inputs = Inputs::new(globals.settings.as_deref(), flags)?;
    if !globals.interactive() {
        inputs.known_variables_alone(&to_look(globals)?)?;
    }
    Ok(inputs)
}

/// The host, for a verb that changes it.
///
/// # Errors
/// `needs-root`; a task of ECS; a `--root` that is no folder.
pub(super) fn to_change(globals: &Globals, verb: &str) -> Result<RealHost, Problem> {
    let host = to_look(globals)?;
    if let Some((on @ Ecs::Task, _)) = ecs::observe(&host).on {
        return Err(Problem::host(id::ECS_TASK, on.says()).hint(Ecs::advice()));
    }
    if host.is_live() && host.euid() != 0 && !globals.dry_run {
        return Err(Problem::host(id::NEEDS_ROOT, text!("{} changes this host and needs root rights", own(verb))));
    }
    Ok(host)
}
