//! Signals that end the process, kept away while it must not end.
//!
//! They are heard by handlers, not blocked: a program that is started has the mask of its parent and would be deaf to them, and
//! so would whatever it leaves running. Handlers do not outlive `execve`.

use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::Signal;
use signal_hook::{flag, low_level};

/// The signals that ask a process to end.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// So often somebody who waits looks whether one has arrived, in milliseconds.
const LOOK: u8 = 50;

/// Has this process begun to change what lasts?
static CHANGES: AtomicBool = AtomicBool::new(false);

/// Those that are kept away now. Once one has been heard of, its handlers stay.
static HEARD: Mutex<Option<Heard>> = Mutex::new(None);

struct Heard {
    /// So many want to be left alone.
    calm: usize,
    /// What is to be done before a signal ends the process.
    tidy: Option<fn()>,
    /// Nobody does, and nothing is to be done: a signal ends the process.
    ends: Arc<AtomicBool>,
    /// The last that arrived, by its number; 0: none.
    arrived: Arc<AtomicUsize>,
}

impl Heard {
    /// A hang-up that is ignored from the start, as `nohup` has it, stays ignored. Interrupts do not, although a shell starts
    /// what runs in its background so: whoever types one, or sends one, gets an end in order.
    fn listen() -> Self {
        let heard = Self { calm: 0, tidy: None, ends: Arc::new(AtomicBool::new(true)), arrived: Arc::default() };
        let ignored = ignored().unwrap_or_default();
        for signal in ENDING.into_iter().filter(|signal| *signal != Signal::SIGHUP || !is_in(ignored, *signal)) {
            let number = signal as i32;
            // Fails only for signals that nobody can handle.
            let _ = flag::register_conditional_default(number, Arc::clone(&heard.ends));
            let _ = flag::register_usize(number, Arc::clone(&heard.arrived), signal as usize);
        }
        heard
    }

    /// The signal that is to end the process now, 0 for none, and what is to be done before.
    fn due(&self) -> (usize, Option<fn()>) {
        let arrived = if self.calm == 0 { self.arrived.swap(0, Ordering::SeqCst) } else { 0 };
        (arrived, self.tidy)
    }
}

fn heard<T>(with: impl FnOnce(&mut Heard) -> T) -> T {
    // Whoever panicked with it has left numbers, which are as good as before.
    with(HEARD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Heard::listen))
}

/// Until this is dropped, signals that would end the process wait; then they arrive. A kill does not wait: that is what the
/// journal is for.
pub(crate) struct Uninterrupted(());

impl Uninterrupted {
    /// From now on.
    pub(crate) fn begin() -> Self {
        heard(|heard| {
            heard.calm += 1;
            heard.ends.store(false, Ordering::SeqCst);
        });
        Self(())
    }

    /// Has one of them arrived? It is taken, and will not end the process any more.
    pub(crate) fn take_arrived(&self) -> bool {
        heard(|heard| heard.arrived.swap(0, Ordering::SeqCst) != 0)
    }

    /// For good: the process ends by itself, and in order.
    pub(crate) fn until_the_end(self) {
        std::mem::forget(self);
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
        let arrived = heard(|heard| {
            heard.calm -= 1;
            let is_last = heard.calm == 0;
            heard.ends.store(is_last && heard.tidy.is_none(), Ordering::SeqCst);
            heard.due()
        });
        end_by(arrived);
    }
}

/// From now on `tidy` is called before a signal ends the process. Somebody has to call [`end_if_asked`] again and again: it is
/// nothing that may be done in the handler of a signal.
pub(crate) fn tidy_before_the_end(tidy: fn()) {
    heard(|heard| {
        heard.tidy = Some(tidy);
        heard.ends.store(false, Ordering::SeqCst);
    });
}

/// From now on it is not known here how the host stands when a signal ends the process.
pub(crate) fn changes_begin() {
    CHANGES.store(true, Ordering::SeqCst);
}

/// Has it been said that changes begin?
pub(crate) fn have_changes_begun() -> bool {
    CHANGES.load(Ordering::SeqCst)
}

/// Ends the process where a signal has asked for it, unless somebody wants to be left alone.
pub(crate) fn end_if_asked() {
    let due = HEARD.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Heard::due);
    end_by(due.unwrap_or_default());
}

/// Ends the process by this signal, after what is to be done before.
fn end_by((arrived, tidy): (usize, Option<fn()>)) {
    if let Some(signal) = ENDING.into_iter().find(|signal| *signal as usize == arrived) {
        tidy.into_iter().for_each(|tidy| tidy());
        // It does not come back from that.
        let _ = low_level::emulate_default_handler(signal as i32);
    }
}

/// Waits for a signal, for a terminal that goes away, or for the end of the pipe.
fn arrives_before(done: &PipeReader) -> bool {
    loop {
        // Whoever reads keys from a terminal that is gone would read for ever.
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(done.as_fd(), PollFlags::POLLIN), PollFd::new(stdin.as_fd(), PollFlags::empty())];
        let seen = poll(&mut fds, LOOK);
        if heard(|heard| heard.arrived.load(Ordering::SeqCst)) != 0 {
            return true;
        }
        match seen {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return false,
            Ok(_) => {
                let is = |at: usize| fds[at].any().unwrap_or(false);
                return is(1) && !is(0);
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
    if is_in(ignored()?, Signal::SIGINT) {
        // Nobody looks at the flag: for this process, interrupts mean as little as before.
        flag::register(Signal::SIGINT as i32, Arc::default())?;
    }
    Ok(())
}

/// From now on a file that may not grow any more (`ulimit -f`) is an error of the write, which can be taken back, and not the
/// end of the process. Programs that are started have the default again: handlers do not outlive `execve`.
///
/// # Errors
/// The handler cannot be set.
pub(crate) fn limits_of_files_are_errors() -> io::Result<()> {
    flag::register(Signal::SIGXFSZ as i32, Arc::default()).map(drop)
}

/// Signals that this process ignores (proc(5), `SigIgn`).
fn ignored() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .ok_or_else(|| io::Error::other("/proc/self/status does not say which signals are ignored"))
}

/// Bit n - 1 stands for signal n.
fn is_in(mask: u64, signal: Signal) -> bool {
    mask >> (signal as u32 - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `/proc` says of the mask of a program that is started now.
    fn mask() -> String {
        let output = std::process::Command::new("grep").args(["SigBlk", "/proc/self/status"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn programs_hear_what_is_kept_away_from_us() {
        let before = mask();
        let calm = Uninterrupted::begin();
        let (within, inner) = (mask(), Uninterrupted::begin());
        drop(inner);
        assert_eq!((within, mask()), (before.clone(), before));
        assert!(!heard(|heard| heard.ends.load(Ordering::SeqCst)), "somebody still wants to be left alone");
        drop(calm);
    }
    /// In a process of its own, which ignores a hang-up as `nohup` has it.
    #[test]
    fn a_signal_waits_is_taken_and_one_that_was_ignored_stays_ignored() {
        const WITHIN: &str = "ICS_SETUP_TEST_OF_SIGNALS";
        if std::env::var_os(WITHIN).is_some() {
            let calm = Uninterrupted::begin();
            let raise = |signal| nix::sys::signal::raise(signal).unwrap();
            raise(Signal::SIGHUP);
            assert!(!calm.take_arrived());
            raise(Signal::SIGTERM);
            assert!(calm.take_arrived() && !calm.take_arrived());
            raise(Signal::SIGTERM);
            drop(calm);
            unreachable!("it has arrived by now");
        }
        let me = std::env::current_exe().unwrap();
        let test = "signals::tests::a_signal_waits_is_taken_and_one_that_was_ignored_stays_ignored";
        let ended = std::process::Command::new("sh")
            .args(["-c", r#"trap '' HUP; exec "$0" --exact "$1""#, me.to_str().unwrap(), test])
            .env(WITHIN, "1")
            .output()
            .unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&ended.status);
        assert_eq!(signal, Some(Signal::SIGTERM as i32), "{ended:?}");
    }
}
