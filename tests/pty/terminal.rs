//! A terminal with a program in it: what it shows, what state it is in, and the keys.
//!
//! Nothing here is decided by the time that passes. The terminal is read whenever something is asked of it, and to the last
//! byte that the program has written: the kernel hands over what is under way before it says that there is no more.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, killpg};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

/// Nothing here takes longer, on any machine: the longest is an installation.
const PATIENCE: Duration = Duration::from_secs(300);

pub const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

pub struct Terminal {
    /// The end with the person; `None`: the terminal is gone.
    master: Option<File>,
    /// The mode is the terminal's own as long as somebody has it open.
    slave: Option<File>,
    child: Child,
    parser: vt100::Parser,
    raw: Vec<u8>,
    /// Up to here everything has been seen.
    mark: usize,
    dumb: bool,
}

impl Terminal {
    /// Runs the binary with these arguments and variables on 80 by 24; nothing else is in its environment.
    pub fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_on(Some(&SIZE), &["--ctty"], arguments, variables)
    }

    /// The same on a terminal of some size, or of none; `setsid` decides whether it is the controlling one.
    pub fn start_on(size: Option<&Winsize>, setsid: &[&str], arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("setsid");
        // With a terminal that controls it ^C is what it is for a person.
        command.args(setsid).args(["--wait", env!("CARGO_BIN_EXE_ics-setup")]).args(arguments);
        command.env_clear().envs([("TERM", "xterm"), ("PATH", "/usr/bin:/bin")]).envs(variables.iter().copied());
        Self::of(size, &mut command)
    }

    /// A command that leads a session of its own, or starts who does.
    pub fn of(size: Option<&Winsize>, command: &mut Command) -> Self {
        let pty = openpty(size, None).unwrap();
        // A child that had the keyboard's end would keep its own terminal alive.
        for end in [&pty.master, &pty.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        let stdio = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        let dumb = command.get_envs().any(|(name, value)| name == "TERM" && value.is_some_and(|value| value == "dumb"));
        Self {
            master: Some(pty.master.into()),
            slave: Some(pty.slave.into()),
            child,
            parser: vt100::Parser::new(24, 80, 0),
            raw: Vec::new(),
            mark: 0,
            dumb,
        }
    }

    /// The screen as a person sees it.
    pub fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    /// The same with its colours.
    pub fn seen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// The screen has this size from the start.
    pub fn fits(&mut self, size: &Winsize) {
        self.parser.screen_mut().set_size(size.ws_row, size.ws_col);
    }

    /// Everything that was ever written.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    pub fn cursor_is_hidden(&self) -> bool {
        self.parser.screen().hide_cursor()
    }

    pub fn is_dumb(&self) -> bool {
        self.dumb
    }

    /// Does the terminal echo, edit lines and make signals of keys?
    pub fn is_cooked(&self) -> bool {
        self.mode().contains(LocalFlags::ISIG | LocalFlags::ICANON | LocalFlags::ECHO)
    }

    pub fn mode(&self) -> LocalFlags {
        tcgetattr(self.master.as_ref().unwrap()).unwrap().local_flags
    }

    pub fn resize(&mut self, rows: u16, cols: u16) {
        let size = ["rows", &rows.to_string(), "cols", &cols.to_string()].map(str::to_owned);
        let slave = self.slave.as_ref().unwrap().try_clone().unwrap();
        assert!(Command::new("stty").args(size).stdin(slave).status().unwrap().success());
        self.parser.screen_mut().set_size(rows, cols);
    }

    /// Reads what the program has written; waits a little where that is nothing.
    fn read(&mut self, wait: bool) -> bool {
        let mut wait = PollTimeout::from(if wait { 20_u16 } else { 0 });
        let (mut buffer, before) = ([0; 4096], self.raw.len());
        let master = self.master.as_mut().unwrap();
        loop {
            let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
            if !poll(&mut fds, wait).is_ok_and(|ready| ready > 0) {
                break;
            }
            // Fails where nobody has the other end open any more.
            let Ok(count @ 1..) = master.read(&mut buffer) else { break };
            self.parser.process(&buffer[..count]);
            self.raw.extend_from_slice(&buffer[..count]);
            wait = PollTimeout::ZERO;
        }
        self.raw.len() > before
    }

    /// Waits until there is what is wanted of the terminal.
    pub fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(&mut Self) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            self.read(false);
            if let Some(found) = wanted(self) {
                return found;
            }
            let gone = self.child.try_wait().unwrap();
            if !self.read(true) {
                let seen = || format!("{what}: in vain ({gone:?}):\n{}\n---\n{}", self.screen(), self.raw());
                assert!(gone.is_none() && Instant::now() < end, "{}", seen());
            }
        }
    }

    /// Reads what has been written by now.
    pub fn hear_all(&mut self) {
        while self.read(false) {}
    }

    /// Waits until these words have come, after those that were waited for before.
    pub fn hear(&mut self, words: &str) {
        self.wait_for(words, |terminal| {
            let new = &terminal.raw[terminal.mark..];
            let at = new.windows(words.len()).position(|part| part == words.as_bytes())?;
            terminal.mark += at + words.len();
            Some(())
        });
    }

    /// Waits until the program waits for the person: at a list it has the keys for itself, at a line the cursor stands behind
    /// the question. All that it has to say before that is on the screen then.
    pub fn until_asked(&mut self) {
        self.wait_for("a question", |terminal| {
            let list = !terminal.mode().contains(LocalFlags::ICANON);
            // What was written before the mode was changed has arrived by now.
            terminal.read(false);
            let screen = terminal.parser.screen();
            let (row, column) = screen.cursor_position();
            let cell = |back: u16| Some(screen.cell(row, column.checked_sub(back)?)?.contents().to_owned());
            // The prompt, or behind it what Enter alone takes.
            let prompt = [">", "\u{203a}", "]", ":"];
            let line = cell(2).is_some_and(|cell| prompt.contains(&cell.as_str()))
                && cell(1).is_some_and(|cell| cell.trim().is_empty());
            (list || line).then_some(())
        });
    }

    /// Waits for words, and for the question that they belong to.
    pub fn see(&mut self, words: &str) {
        self.hear(words);
        self.until_asked();
    }

    pub fn press(&mut self, keys: &str) {
        self.master.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Types an answer when its question is there.
    pub fn line(&mut self, question: &str, answer: &str) {
        self.see(question);
        self.press(&format!("{answer}\r"));
    }

    /// Takes the option with these words when its question is there.
    pub fn pick(&mut self, question: &str, option: &str) {
        self.see(question);
        self.take(question, option);
    }

    /// Takes the option of a question that is on the screen.
    pub fn take(&mut self, question: &str, option: &str) {
        self.until_asked();
        let what = format!("{option:?} of {question:?}");
        let (mut active, wanted, row) = self.wait_for(&what, |terminal| terminal.list(question, option));
        if self.dumb {
            return self.press(&format!("{}\r", row.split_whitespace().next().unwrap()));
        }
        while active != wanted {
            let next = if active < wanted { active + 1 } else { active - 1 };
            self.press(if active < wanted { "\u{1b}[B" } else { "\u{1b}[A" });
            self.wait_for(&what, |terminal| (terminal.list(question, option)?.0 == next).then_some(()));
            self.until_asked();
            active = next;
        }
        // The list goes, and the question comes again with its answer: that is not the next question.
        self.mark = self.raw.len();
        self.press("\r");
        self.hear(&row);
    }

    /// The active row of a list and the wanted one, and the words of that, where both are on the screen.
    fn list(&self, question: &str, option: &str) -> Option<(usize, usize, String)> {
        let screen = self.screen();
        let rows: Vec<&str> = screen.lines().collect();
        let rows = &rows[rows.iter().rposition(|row| row.contains(question))? + 1..];
        // What explains the question is no option of it.
        let is_option = |row: &&str| match self.dumb {
            true => row.trim_start().starts_with(|first: char| first.is_ascii_digit()),
            false => row.starts_with("    ") || row.trim_start().starts_with(['>', '\u{203a}']),
        };
        let rows: Vec<&str> = rows.iter().copied().filter(is_option).collect();
        let wanted = rows.iter().position(|row| row.contains(option))?;
        let pointed = |row: &&str| row.trim_start().starts_with(['>', '\u{203a}']);
        let active = if self.dumb { wanted } else { rows.iter().position(pointed)? };
        let words = rows[wanted].trim().trim_start_matches(['>', '\u{203a}']).trim_start();
        Some((active, wanted, words.to_owned()))
    }

    /// The exit code, when the program has ended; what it left on the terminal has been read by then.
    pub fn end(&mut self) -> i32 {
        let status = self.ended();
        status.code().unwrap_or_else(|| panic!("{status}:\n{}", self.screen()))
    }

    /// How the program has ended, by itself or by a signal.
    pub fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            let status = self.child.try_wait().unwrap();
            if self.master.is_none() {
                std::thread::sleep(Duration::from_millis(10));
            } else {
                self.read(status.is_none());
            }
            match status {
                Some(status) => return status,
                None => assert!(Instant::now() < end, "it did not end:\n{}", self.screen()),
            }
        }
    }

    /// The terminal goes away.
    pub fn hang_up(&mut self) {
        (self.master, self.slave) = (None, None);
    }
}

impl Drop for Terminal {
    /// Nothing is left running, also where a test failed.
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            // It leads a session, and so a group, of its own, unless it is not there yet.
            let _ = killpg(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGKILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
