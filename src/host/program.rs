//! Programs of the running system, each with a deadline.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Command, Output};
use crate::text::seconds;

/// How much of a program's output is kept.
const MAX_OUTPUT: usize = 1 << 20;

/// So often, in milliseconds, a program that says nothing is looked at.
const PAUSE: u16 = 100;

/// Runs without a shell and kills at the deadline, together with everything that the program has started: `su` gives its
/// shell a session of its own, so a signal to the process group would not reach it.
pub(super) fn run(command: &Command) -> io::Result<Output> {
    let mut child = start(command, Stdio::piped())?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("no pipe to the program"));
    };
    let deadline = Deadline { end: Instant::now() + command.deadline, command };
    watched(&mut child, Box::new(stdout), Box::new(stderr), deadline).1
}

/// The program, with an environment of its own; its standard error is a pipe.
pub(super) fn start(command: &Command, stdout: Stdio) -> io::Result<Child> {
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    std::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        // The folder of whoever called may be gone, and some programs refuse to start there.
        .current_dir("/")
        .process_group(0)
        .spawn()
}

/// What a program says is read from.
pub(super) trait Source: Read + AsFd {}

impl<S: Read + AsFd> Source for S {}

/// Who decides how long a program runs.
pub(super) trait Watcher {
    /// It has said something on its standard output (`false`) or error (`true`).
    fn hear(&mut self, error: bool, bytes: &[u8]);

    /// Asked several times a second.
    ///
    /// # Errors
    /// It is to be killed now.
    fn may_go_on(&mut self) -> io::Result<()>;
}

/// Waits for the end of a program, or kills it with all that it has started.
pub(super) fn watched<W: Watcher>(
    child: &mut Child,
    stdout: Box<dyn Source>,
    stderr: Box<dyn Source>,
    mut watcher: W,
) -> (W, io::Result<Output>) {
    let collected = collect(child, stdout, stderr, &mut watcher);
    if collected.is_err() {
        kill_family(child.id());
    }
    let output = child.wait().and_then(|status| {
        let (stdout, stderr) = collected?;
        Ok(Output { code: status.code(), stdout, stderr })
    });
    (watcher, output)
}

/// Until then.
struct Deadline<'c> {
    end: Instant,
    command: &'c Command,
}

impl Watcher for Deadline<'_> {
    fn hear(&mut self, _error: bool, _bytes: &[u8]) {}

    fn may_go_on(&mut self) -> io::Result<()> {
        if Instant::now() < self.end { Ok(()) } else { Err(late(self.command)) }
    }
}

/// Kills a process and everything below it. All are stopped before the first is killed: what still runs could start another
/// meanwhile, which would be nobody's child then.
fn kill_family(root: u32) {
    let send = |pid, signal| {
        // Gone already, perhaps.
        let _ = kill(Pid::from_raw(pid), signal);
    };
    // One that waits for a disk stops later, and one that is not ours never does: they are not waited for without end.
    for _ in 0..200 {
        let running: Vec<i32> = family(root).into_iter().filter(|(_, rests)| !rests).map(|(pid, _)| pid).collect();
        if running.is_empty() {
            break;
        }
        running.into_iter().for_each(|pid| send(pid, Signal::SIGSTOP));
        std::thread::sleep(Duration::from_millis(1));
    }
    family(root).into_iter().rev().for_each(|(pid, _)| send(pid, Signal::SIGKILL));
}

/// A process and everything below it, parents before their children; and whether each is stopped or dead.
fn family(root: u32) -> Vec<(i32, bool)> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The program's name stands in parentheses and may hold anything; state and parent follow the last one.
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        let mut words = rest.split_whitespace();
        let rests = words.next().is_some_and(|state| ["T", "t", "Z", "X"].contains(&state));
        all.extend(words.next().and_then(|parent| parent.parse::<i32>().ok()).map(|parent| (pid, parent, rests)));
    }
    let Ok(root) = i32::try_from(root) else { return Vec::new() };
    let mut family: Vec<(i32, bool)> =
        all.iter().filter(|(pid, ..)| *pid == root).map(|(pid, _, rests)| (*pid, *rests)).collect();
    let mut next = 0;
    while let Some(&(of, _)) = family.get(next) {
        let children = all.iter().filter(|(pid, parent, _)| *parent == of && family.iter().all(|(own, _)| own != pid));
        let children: Vec<(i32, bool)> = children.map(|(pid, _, rests)| (*pid, *rests)).collect();
        family.extend(children);
        next += 1;
    }
    family
}

/// Reads both streams to their ends, or until the program has ended: what it left running in the background may hold them
/// open.
fn collect(
    child: &mut Child,
    mut stdout: Box<dyn Source>,
    mut stderr: Box<dyn Source>,
    watcher: &mut impl Watcher,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (mut out_open, mut err_open) = (true, true);
    let mut buffer = [0_u8; 8192];
    while out_open || err_open {
        watcher.may_go_on()?;
        // Asked before the streams are: what it wrote before its end is there by then.
        let ended = child.try_wait()?.is_some();
        let (out_ready, err_ready) = {
            // A closed pipe is always "ready": only open ones are asked.
            let mut fds = Vec::with_capacity(2);
            fds.extend(out_open.then(|| PollFd::new(stdout.as_fd(), PollFlags::POLLIN)));
            fds.extend(err_open.then(|| PollFd::new(stderr.as_fd(), PollFlags::POLLIN)));
            match poll(&mut fds, PollTimeout::from(if ended { 0_u16 } else { PAUSE })) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let mut ready = fds.iter().map(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
            let mut next = |open: bool| open && ready.next().unwrap_or(false);
            (next(out_open), next(err_open))
        };
        if ended && !out_ready && !err_ready {
            break;
        }
        if out_ready {
            out_open = take_some(&mut stdout, &mut buffer, &mut out, |bytes| watcher.hear(false, bytes))?;
        }
        if err_ready {
            err_open = take_some(&mut stderr, &mut buffer, &mut err, |bytes| watcher.hear(true, bytes))?;
        }
    }
    // It may have closed its streams and go on.
    while child.try_wait()?.is_none() {
        watcher.may_go_on()?;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok((out, err))
}

pub(super) fn late(command: &Command) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no end within {}", seconds(command.deadline)))
}

/// One read; `false` at the end of the stream. What is over the limit is heard and dropped.
fn take_some(
    from: &mut impl Read,
    buffer: &mut [u8],
    into: &mut Vec<u8>,
    hear: impl FnOnce(&[u8]),
) -> io::Result<bool> {
    match from.read(buffer) {
        Ok(0) => Ok(false),
        Ok(count) => {
            hear(&buffer[..count]);
            let room = MAX_OUTPUT.saturating_sub(into.len()).min(count);
            into.extend_from_slice(&buffer[..room]);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        // So ends a terminal whose other side is closed.
        Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script that does not end within the time that a test may take; it is killed at a short deadline.
    fn late(script: &str, millis: u64) {
        let (began, deadline) = (Instant::now(), Duration::from_millis(millis));
        let command = Command { deadline, ..Command::new(["sh", "-c", script]) };
        assert_eq!(run(&command).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(100), "it was waited for: {script}");
    }

    #[test]
    fn closed_pipes_do_not_end_the_deadline() {
        for script in ["exec >/dev/null 2>&1; exec sleep 120", "exec 2>/dev/null; exec sleep 120"] {
            late(script, 200);
        }
    }

    #[test]
    fn a_job_left_in_the_background_is_not_waited_for() {
        // It holds the pipes for longer than the deadline: who waited for their end would be late.
        let command =
            Command { deadline: Duration::from_secs(60), ..Command::new(["sh", "-c", "sleep 120 & echo $!"]) };
        let output = run(&command).unwrap();
        let pid = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    #[test]
    fn no_descendant_survives_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let begun = folder.path().join("begun");
        let mark = format!("120.{}", std::process::id());
        let script = format!("setsid sh -c 'sleep {mark} & : >{}; wait' & wait", begun.display());
        let alive = || {
            fs::read_dir("/proc")
                .unwrap()
                .flatten()
                .filter(|entry| {
                    fs::read(entry.path().join("cmdline"))
                        .is_ok_and(|line| memchr::memmem::find(&line, mark.as_bytes()).is_some())
                })
                .count()
        };
        // Twice as long each time, until all of them were there at the deadline. None may be left of the others either.
        let mut millis = 50;
        while !begun.exists() {
            late(&script, millis);
            millis *= 2;
        }
        // A kill arrives when the kernel gets to it.
        let end = Instant::now() + Duration::from_secs(60);
        while alive() > 0 {
            assert!(Instant::now() < end, "{} still alive", alive());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn output_and_code_come_back_and_no_environment_leaks_in() {
        let output = run(&Command::new(["sh", "-c", "env; echo e >&2; exit 3"])).unwrap();
        assert_eq!(output.code, Some(3));
        assert_eq!(output.stderr, b"e\n");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("CARGO"));
    }
}
