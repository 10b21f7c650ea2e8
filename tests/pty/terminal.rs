//! A terminal of 80 by 24 with a program in it.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Flags of the terminal's mode that a shell needs back: ISIG, ICANON, ECHO.
const COOKED: u32 = 0o1 | 0o2 | 0o10;

pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    // The mode is the terminal's own as long as somebody has it open.
    _slave: Box<dyn SlavePty + Send>,
    keyboard: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Mutex<Shown>>,
    mark: usize,
    dumb: bool,
    /// So long nothing new has to come before the screen counts as drawn.
    pub quiet: Duration,
}

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
    last: Instant,
}

pub fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

impl Terminal {
    /// Runs the binary with these arguments and variables; nothing else is in its environment.
    pub fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(24, 80)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_ics-setup"));
        command.args(arguments);
        command.env_clear();
        command.env("PATH", "/usr/bin:/bin");
        let dumb = variables.contains(&("TERM", "dumb"));
        if !variables.iter().any(|(name, _)| *name == "TERM") {
            command.env("TERM", "xterm");
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let parser = vt100::Parser::new(24, 80, 0);
        let shown = Arc::new(Mutex::new(Shown { parser, raw: Vec::new(), last: Instant::now() }));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let into = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut shown = into.lock().unwrap();
                shown.parser.process(&buffer[..count]);
                shown.raw.extend_from_slice(&buffer[..count]);
                shown.last = Instant::now();
            }
        });
        let keyboard = Some(pair.master.take_writer().unwrap());
        Self {
            master: pair.master,
            _slave: pair.slave,
            keyboard,
            child,
            shown,
            mark: 0,
            dumb,
            quiet: Duration::from_millis(40),
        }
    }

    /// The screen as a person sees it.
    pub fn screen(&self) -> String {
        self.shown.lock().unwrap().parser.screen().contents()
    }

    /// Everything that was ever written.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap().raw).into_owned()
    }

    pub fn cursor_is_hidden(&self) -> bool {
        self.shown.lock().unwrap().parser.screen().hide_cursor()
    }

    /// Does the terminal echo, edit lines and make signals of keys?
    pub fn is_cooked(&self) -> bool {
        self.master.get_termios().unwrap().local_flags.bits() & COOKED == COOKED
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        self.master.resize(size(rows, cols)).unwrap();
        self.shown.lock().unwrap().parser.screen_mut().set_size(rows, cols);
    }

    /// Waits until something new has these words, and until nothing more comes.
    pub fn see(&mut self, words: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            {
                let shown = self.shown.lock().unwrap();
                let new = String::from_utf8_lossy(&shown.raw[self.mark..]).into_owned();
                let quiet = shown.last.elapsed() > self.quiet;
                if quiet && new.contains(words) {
                    self.mark = shown.raw.len();
                    return;
                }
            }
            assert!(Instant::now() < end, "{words:?} was not to be seen:\n{}\n---\n{}", self.screen(), self.raw());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn press(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().unwrap();
        keyboard.write_all(keys.as_bytes()).unwrap();
        keyboard.flush().unwrap();
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
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            let rows: Vec<&str> = screen.lines().collect();
            // On a busy machine the list may not be all there yet.
            let first = rows.iter().rposition(|row| row.contains(question)).map_or(rows.len(), |row| row + 1);
            let Some(wanted) = rows[first..].iter().position(|row| row.contains(option)) else {
                assert!(Instant::now() < end, "no option {option:?} of {question:?}:\n{screen}");
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            if self.dumb {
                let number = rows[first + wanted].split_whitespace().next().unwrap().to_owned();
                return self.press(&format!("{number}\r"));
            }
            match rows[first..].iter().position(|row| row.starts_with("> ")) {
                Some(active) if active == wanted => return self.press("\r"),
                Some(active) => self.press(if active < wanted { "\u{1b}[B" } else { "\u{1b}[A" }),
                None => {}
            }
            assert!(Instant::now() < end, "{option:?} was not to be reached:\n{screen}");
            std::thread::sleep(Duration::from_millis(60));
        }
    }

    /// The exit code, when the program has ended; what it left on the terminal has been read by then.
    pub fn end(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                while self.shown.lock().unwrap().last.elapsed() < Duration::from_millis(80) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                return status.exit_code();
            }
            if Instant::now() > end {
                let _ = self.child.kill();
                panic!("it did not end:\n{}", self.screen());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
