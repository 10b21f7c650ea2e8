//! Signals that end the process, kept away while it must not end.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Until this is dropped, signals that would end the process wait; then they arrive. A kill does not wait: that is what the
/// journal is for.
pub struct Uninterrupted(Option<SigSet>);

impl Uninterrupted {
    /// From now on.
    pub fn begin() -> Self {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP] {
            set.add(signal);
        }
        Self(set.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
    }

    /// For good: the process ends by itself, and in order.
    pub fn until_the_end(mut self) {
        self.0 = None;
    }
}

impl Drop for Uninterrupted {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            // Fails only for arguments that are not ours to get wrong.
            let _ = before.thread_set_mask();
        }
    }
}
