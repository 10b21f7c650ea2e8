//! Long work in a log: a line when it lasts, none where nobody is to hear of it, and never on standard output.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A check of all endpoints by way of a proxy that answers when it is told to.
struct Waiting {
    child: Child,
    told: BufReader<ChildStderr>,
    asked: Receiver<TcpStream>,
    began: Instant,
}

impl Waiting {
    fn start(flags: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (sender, asked) = channel();
        // It ends with the last who listens.
        std::thread::spawn(move || listener.incoming().flatten().try_for_each(|stream| sender.send(stream)));
        let patient = ["--connect-timeout", "250s", "--timeout", "250s", "--deadline", "250s"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_ics-setup"));
        command.args(["check", "network", "--proxy", &proxy]).args(patient).args(flags);
        command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        Self { child, told, asked, began }
    }

    /// The next line of standard error, however long it takes.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line
    }

    /// The proxy refuses everybody from now on; what is said on both streams until the end.
    fn end(mut self) -> (String, String, Duration) {
        let asked = self.asked;
        std::thread::spawn(move || {
            for mut stream in asked {
                let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            }
        });
        let (mut out, mut told) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.told.read_to_string(&mut told).unwrap();
        self.child.wait().unwrap();
        (out, told, self.began.elapsed())
    }
}

#[test]
fn what_lasts_has_a_line_and_another_when_that_is_long_ago() {
    for flags in [&[][..], &["--format", "json"]] {
        let mut waiting = Waiting::start(flags);
        let mut first = waiting.line();
        if first == "  looking at this host\n" {
            // That has lasted too, on a machine with much else to do.
            first = waiting.line();
        }
        assert!(first.starts_with("  checking, 0 of ") && first.contains(" endpoints"), "{first:?}");
        let (out, told, took) = waiting.end();
        assert!(told.lines().count() as u64 <= took.as_secs() / 30, "{told}");
        assert!(!told.contains('\u{1b}') && !out.contains("checking,"), "{told}{out}");
        if !flags.is_empty() {
            serde_json::from_str::<serde_json::Value>(&out).unwrap();
        }
    }
}

#[test]
fn nothing_is_said_to_nobody_and_to_formats_whose_readers_take_both_streams_for_one() {
    for flags in [&["--quiet"][..], &["--format", "nagios"], &["--format", "tap"]] {
        let waiting = Waiting::start(flags);
        // Whoever says something would have said it by now.
        std::thread::sleep(Duration::from_secs(3));
        let (_, told, _) = waiting.end();
        assert_eq!(told, "", "{flags:?}");
    }
}
