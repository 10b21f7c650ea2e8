//! Progress on a terminal; silence elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::Globals;
use super::terminal;

/// A line on standard error that says what is being looked at; gone at the end.
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// On a terminal that can, and where neither silence nor a machine's format was asked for.
    pub(super) fn new(globals: &Globals) -> Self {
        if globals.quiet || terminal::is_dumb() || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style.tick_chars("-\\|/ "));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(Some(bar))
    }

    /// What is being done.
    pub(super) fn say(&mut self, text: String) {
        if let Some(bar) = &self.0 {
            bar.set_message(text);
        }
    }

    /// So many of so many are done, and these are being looked at.
    pub(super) fn tell(&mut self, done: usize, total: usize, names: &[&'static str]) {
        self.say(format!("{done}/{total} {}", names.join(", ")));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
