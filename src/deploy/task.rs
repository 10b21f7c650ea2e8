//! What a stage works with.

use crate::converge::Doing;
use crate::host::{HostRead, HostWrite, Watch};
use crate::problem::{Problem, id};
use crate::signals::Uninterrupted;
use crate::text::Text;

use std::time::Duration;

/// What a stage says while it works.
#[derive(Clone, Copy)]
pub(crate) enum Told<'t> {
    /// Something that begins: a line of a log; on a terminal what the line says that moves.
    Line(&'t Text),
    /// How far it is: shown where a line can be written over, in place of the one before.
    Moving(&'t Text),
}

/// The host, whoever is told, and whether a signal has arrived.
pub(crate) struct Task<'t> {
    /// The host.
    pub(crate) host: &'t dyn HostWrite,
    /// Hears what is done.
    pub(crate) tell: &'t mut dyn FnMut(Told<'_>),
    /// Has somebody asked for the end?
    pub(crate) stop: &'t dyn Fn() -> bool,
}

impl<'t> Task<'t> {
    /// A line.
    pub(super) fn say(&mut self, what: &Text) {
        (self.tell)(Told::Line(what));
    }

    /// For reading alone.
    pub(super) fn reader(&self) -> &'t dyn HostRead {
        self.host
    }

    /// How a program is watched that has to come further within `idle`.
    pub(super) fn watch(&self, idle: Duration) -> Watch<'t> {
        Watch::patient(idle, self.stop)
    }

    /// Waits.
    ///
    /// # Errors
    /// `cancelled`.
    pub(super) fn pause(&self, time: Duration) -> Result<(), Problem> {
        let end = std::time::Instant::now() + time;
        while !(self.stop)() {
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        Err(cancelled("cancelled while it waited"))
    }
}

/// Runs a part of a stage that tells how far it is and can be ended.
///
/// # Errors
/// As `work`.
pub(super) fn task<T>(
    host: &dyn HostWrite,
    calm: Option<&Uninterrupted>,
    doing: &mut Doing<'_, '_>,
    work: impl FnOnce(&mut Task<'_>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let stop = || calm.is_some_and(Uninterrupted::take_arrived);
    let mut tell = |told: Told<'_>| match told {
        Told::Line(line) => doing.tell(line),
        Told::Moving(line) => doing.moving(line),
    };
    work(&mut Task { host, tell: &mut tell, stop: &stop })
}

/// The person wanted no more.
pub(super) fn cancelled(message: impl Into<Text>) -> Problem {
    Problem::host(id::CANCELLED, message)
}
