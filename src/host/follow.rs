//! Programs that run for long: what they say is handed on line by line, and they end when they come no further.

use std::fs::File;
use std::io;
use std::process::{Child, Stdio};
use std::time::Instant;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::program::{Source, Watcher, late, start, watched};
use super::{Command, Output, Watch};
use crate::signals::programs_hear_interrupts;
use crate::text::seconds;

/// No honest line is longer, in bytes; the rest of one that is makes another.
const LONGEST: usize = 16 << 10;

/// A terminal that is too narrow for the docker client's bars, so that it prints bytes alone.
const SIZE: Winsize = Winsize { ws_row: 50, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };

/// As [`super::HostRead::follow`].
pub(super) fn follow(command: &Command, watch: &Watch<'_>, told: &mut dyn FnMut(&str) -> bool) -> io::Result<Output> {
    if !watch.grace.is_zero() {
        programs_hear_interrupts()?;
    }
    let (mut child, stdout): (Child, Box<dyn Source>) = if watch.terminal {
        let ends = openpty(&SIZE, None)?;
        // Our end of its side is closed with the last of the command, or the terminal would never end.
        (start(command, Stdio::from(ends.slave))?, Box::new(File::from(ends.master)))
    } else {
        let mut child = start(command, Stdio::piped())?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no pipe to the program"))?;
        (child, Box::new(stdout))
    };
    let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no pipe to the program"))?;
    let now = Instant::now();
    let follower = Follower {
        pid: child.id(),
        command,
        watch,
        told,
        lines: [Line::default(), Line::default()],
        end: now + command.deadline,
        further: now,
        ending: None,
    };
    let (follower, output) = watched(&mut child, stdout, Box::new(stderr), follower);
    let output = output?;
    // It was asked to end, and did.
    follower.ending.map_or(Ok(output), |(why, _)| Err(why))
}

struct Follower<'f, 'w> {
    pid: u32,
    command: &'f Command,
    watch: &'f Watch<'w>,
    told: &'f mut dyn FnMut(&str) -> bool,
    /// What was said last on each stream, until its line ends.
    lines: [Line; 2],
    /// The deadline.
    end: Instant,
    /// When it has come further last.
    further: Instant,
    /// Why it was asked to end, and until when it may do so.
    ending: Option<(io::Error, Instant)>,
}

impl Watcher for Follower<'_, '_> {
    fn hear(&mut self, error: bool, bytes: &[u8]) {
        let mut further = false;
        self.lines[usize::from(error)].take(bytes, &mut |line| further |= (self.told)(line));
        if further {
            self.further = Instant::now();
        }
    }

    fn may_go_on(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if let Some((why, end)) = &self.ending {
            return if now < *end { Ok(()) } else { Err(crate::problem::copy_of(why)) };
        }
        let why = if (self.watch.stop)() {
            io::Error::new(io::ErrorKind::Interrupted, "cancelled")
        } else if now >= self.end {
            late(self.command)
        } else if now.saturating_duration_since(self.further) >= self.watch.idle {
            let words = format!("it came no further for {}", seconds(self.watch.idle));
            io::Error::new(io::ErrorKind::TimedOut, words)
        } else {
            return Ok(());
        };
        if self.watch.grace.is_zero() {
            return Err(why);
        }
        if let Ok(pid) = i32::try_from(self.pid) {
            // Gone already, perhaps. The program alone: what it has started is its own to end.
            let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        }
        self.ending = Some((why, now + self.watch.grace));
        Ok(())
    }
}

/// A line in the making.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    /// Hands on each line that ends in `bytes`, by a line end or by a return to its beginning.
    fn take(&mut self, bytes: &[u8], told: &mut dyn FnMut(&str)) {
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end(told),
                byte => self.0.push(*byte),
            }
            if self.0.len() >= LONGEST {
                self.end(told);
            }
        }
    }

    fn end(&mut self, told: &mut dyn FnMut(&str)) {
        let line = std::mem::take(&mut self.0);
        let line = without_movements(&String::from_utf8_lossy(&line));
        if !line.trim().is_empty() {
            told(line.trim());
        }
    }
}

/// The text without what moves a terminal's cursor and erases (ECMA-48 control sequences).
fn without_movements(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Parameters, then one letter.
        text.push_str(part.trim_start_matches(|c: char| matches!(c, ' '..='?')).get(1..).unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::*;

    const NEVER: Watch<'static> = Watch::patient(Duration::from_secs(100), &|| false);

    fn shell(script: &str) -> Command {
        Command { deadline: Duration::from_secs(100), ..Command::new(["sh", "-c", script]) }
    }

    fn lines(script: &str, watch: &Watch<'_>) -> (Vec<String>, io::Result<Output>) {
        let mut said = Vec::new();
        let output = follow(&shell(script), watch, &mut |line| {
            said.push(line.to_owned());
            true
        });
        (said, output)
    }

    #[test]
    fn lines_of_both_streams_come_while_it_runs_and_all_of_it_at_the_end() {
        let (said, output) = lines("echo a; printf 'b\\rc\\n\\n'; sleep 0.3; echo d >&2; exit 3", &NEVER);
        assert_eq!(said, ["a", "b", "c", "d"]);
        let output = output.unwrap();
        assert_eq!((output.code, output.stderr), (Some(3), b"d\n".to_vec()));
    }

    #[test]
    fn a_program_that_wants_a_terminal_has_one_and_no_other_stream_is_of_it() {
        let watch = Watch { terminal: true, ..NEVER };
        let script = "test -t 1 && echo yes; test -t 2 || echo no; test -t 0 || echo none; printf '\\033[2K\\033[1Alayer: 1MB\\r'";
        let (said, output) = lines(script, &watch);
        assert_eq!(said, ["yes", "no", "none", "layer: 1MB"]);
        assert_eq!(output.unwrap().code, Some(0));
    }

    #[test]
    fn what_comes_no_further_ends_although_it_talks() {
        let watch = Watch { idle: Duration::from_millis(300), ..NEVER };
        let command = shell("while :; do echo x; sleep 0.02; done");
        let error = follow(&command, &watch, &mut |_| false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // One that does is left alone for longer than that.
        let (said, output) = lines(
            "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done",
            &Watch { idle: Duration::from_secs(10), ..NEVER },
        );
        assert_eq!((said.len(), output.unwrap().code), (6, Some(0)));
    }

    #[test]
    fn whoever_is_stopped_may_end_in_order_where_that_is_granted() {
        let heard = RefCell::new(false);
        let stop = || *heard.borrow();
        let ends = |watch: &Watch<'_>, script: &str| {
            *heard.borrow_mut() = false;
            let mut said = Vec::new();
            let result = follow(&shell(script), watch, &mut |line| {
                said.push(line.to_owned());
                *heard.borrow_mut() = true;
                true
            });
            (said, result.unwrap_err().kind())
        };
        let orderly = "trap 'echo ended; exit 0' INT; echo go; while :; do sleep 0.05; done";
        let watch = Watch { grace: Duration::from_secs(100), ..Watch::patient(Duration::from_secs(100), &stop) };
        assert_eq!(ends(&watch, orderly), (vec!["go".to_owned(), "ended".to_owned()], io::ErrorKind::Interrupted));
        let deaf = "trap '' INT; echo go; while :; do sleep 0.05; done";
        let watch = Watch { grace: Duration::from_millis(200), ..Watch::patient(Duration::from_secs(100), &stop) };
        assert_eq!(ends(&watch, deaf), (vec!["go".to_owned()], io::ErrorKind::Interrupted));
        let watch = Watch { grace: Duration::ZERO, ..watch };
        assert_eq!(ends(&watch, orderly), (vec!["go".to_owned()], io::ErrorKind::Interrupted));
    }

    /// As a shell starts what it runs in its background.
    #[test]
    fn whoever_is_stopped_hears_it_where_interrupts_were_ignored_from_the_start() {
        let again = r#"trap '' INT; exec "$0" --exact "$1""#;
        let test = "host::follow::tests::whoever_is_stopped_may_end_in_order_where_that_is_granted";
        let output = std::process::Command::new("sh")
            .args(["-c", again])
            .arg(std::env::current_exe().unwrap())
            .arg(test)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn movements_of_the_cursor_are_no_text() {
        for (line, text) in
            [("\u{1b}[2A\u{1b}[2K\u{1b}[0mab\u{1b}[1B", "ab"), ("\u{1b}[", ""), ("a\u{1b}[12", "a"), ("x", "x")]
        {
            assert_eq!(without_movements(line), text);
        }
    }
}
