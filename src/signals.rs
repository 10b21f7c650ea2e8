//! Signals that end the process, kept away while it must not end.

use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Until this is dropped, signals that would end the process wait; then they arrive. A kill does not wait: that is what the
/// journal is for.
pub(crate) struct Uninterrupted(Option<SigSet>);

impl Uninterrupted {
    /// From now on.
    pub(crate) fn begin() -> Self {
        Self(ending().thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
    }

    /// Has one of them arrived? It is taken, and will not end the process any more.
    pub(crate) fn take_arrived(&self) -> bool {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let Ok(waiting) = SignalFd::with_flags(&ending(), flags) else { return false };
        let mut arrived = false;
        while let Ok(Some(_)) = waiting.read_signal() {
            arrived = true;
        }
        arrived
    }

    /// For good: the process ends by itself, and in order.
    pub(crate) fn until_the_end(mut self) {
        self.0 = None;
    }

    /// Runs `work`; when a signal arrives before it is done, runs `instead` on another thread. That one may end the process.
    pub(crate) fn or_instead<T>(&self, work: impl FnOnce() -> T, instead: impl FnOnce() + Send) -> T {
        let Ok((done, tell)) = std::io::pipe() else { return work() };
        std::thread::scope(|scope| {
            scope.spawn(move || {
                if arrives_before(&done) {
                    instead();
                }
            });
            let result = work();
            // The watching thread sees the end of the pipe and goes.
            drop(tell);
            result
        })
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

/// Waits for a signal, for a terminal that goes away, or for the end of the pipe.
fn arrives_before(done: &PipeReader) -> bool {
    let Ok(signals) = SignalFd::with_flags(&ending(), SfdFlags::SFD_CLOEXEC) else { return false };
    loop {
        // Whoever reads keys from a terminal that is gone would read for ever.
        let stdin = std::io::stdin();
        let mut fds = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(done.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return false,
            Ok(_) => {
                let is = |at: usize| fds[at].any().unwrap_or(false);
                return is(0) || (is(2) && !is(1));
            }
        }
    }
}

/// Sees to it that programs which are started from now on can be asked to end by an interrupt (SIGINT). A shell starts what
/// runs in its background with interrupts ignored, and whatever that starts ignores them too, unless a handler stood here:
/// handlers do not outlive `execve`, and leave the default (POSIX, `execve` and "Asynchronous Lists").
///
/// # Errors
/// What this process ignores cannot be read, or the handler cannot be set.
pub(crate) fn programs_hear_interrupts() -> io::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let ignored =
        ignored.ok_or_else(|| io::Error::other("/proc/self/status does not say which signals are ignored"))?;
    // Bit n - 1 stands for signal n (proc(5)).
    if ignored >> (Signal::SIGINT as u32 - 1) & 1 == 1 {
        // Nobody looks at the flag: for this process, interrupts mean as little as before.
        signal_hook::flag::register(Signal::SIGINT as i32, Arc::default())?;
    }
    Ok(())
}

fn ending() -> SigSet {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        set.add(signal);
    }
    set
}
