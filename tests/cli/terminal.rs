//! At a terminal: the question before a change, the password that nobody gave, and Ctrl-C at both.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::pty::openpty;

use crate::root::Root;

/// Runs the binary with a terminal of its own; each answer is typed when its question has been asked. Returns the exit code
/// and everything that the screen showed.
pub fn at_a_terminal(arguments: &[&str], talk: &[(&str, &str)]) -> (i32, String) {
    let pty = openpty(None, None).unwrap();
    let stdio = || Stdio::from(pty.slave.try_clone().unwrap());
    // setsid gives it a controlling terminal, so that ^C is what it is for a person.
    let mut child = Command::new("setsid")
        .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_ics-setup")])
        .args(arguments)
        .env_clear()
        .envs([("TERM", "xterm"), ("PATH", "/usr/bin:/bin")])
        .stdin(stdio())
        .stdout(stdio())
        .stderr(stdio())
        .spawn()
        .unwrap();
    drop(pty.slave);
    let mut screen = File::from(pty.master.try_clone().unwrap());
    let mut keyboard = File::from(pty.master);
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count) = screen.read(&mut buffer) {
            if count == 0 || send.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut seen = String::new();
    let mut talk = talk.iter();
    let mut next = talk.next();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(bytes) = receive.recv_timeout(Duration::from_millis(50)) {
            seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        if let Some((question, answer)) = next.filter(|(question, _)| seen.contains(question)) {
            let _ = question;
            // The terminal is put into its mode after the question is shown.
            std::thread::sleep(Duration::from_millis(150));
            keyboard.write_all(answer.as_bytes()).unwrap();
            next = talk.next();
        }
        if let Some(status) = child.try_wait().unwrap() {
            while let Ok(bytes) = receive.recv_timeout(Duration::from_millis(50)) {
                seen.push_str(&String::from_utf8_lossy(&bytes));
            }
            return (status.code().unwrap_or(-1), seen);
        }
        if Instant::now() > end {
            let _ = child.kill();
            panic!("it did not end: {seen}");
        }
    }
}

fn prepare<'a>(root: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["prepare", "--root", root, "--proxy", "http://h:1"], more].concat()
}

#[test]
fn yes_applies_and_no_and_ctrl_c_do_not() {
    for (answer, code) in [("y", 0), ("n", 130), ("\u{3}", 130)] {
        let root = Root::ubuntu();
        let path = root.path().to_str().unwrap().to_owned();
        let (seen_code, screen) = at_a_terminal(&prepare(&path, &[]), &[("changes? [y/N]", answer)]);
        assert_eq!(seen_code, code, "{screen}");
        assert_eq!(root.get("etc/environment").contains("http_proxy"), code == 0);
        assert!(code == 0 || screen.contains("cancelled; nothing was changed"), "{screen}");
    }
}

#[test]
fn a_missing_password_is_asked_for_and_never_shown() {
    let root = Root::ubuntu();
    let path = root.path().to_str().unwrap().to_owned();
    let talk = [("Password at the proxy", "typed-S3cret\r"), ("changes? [y/N]", "y")];
    let (code, screen) = at_a_terminal(&prepare(&path, &["--proxy-user", "u"]), &talk);
    assert_eq!(code, 0, "{screen}");
    assert!(root.get("etc/environment").contains("http://u:typed-S3cret@h:1"));
    assert!(!screen.contains("typed-S3cret"), "{screen}");

    let root = Root::ubuntu();
    let path = root.path().to_str().unwrap().to_owned();
    let (code, screen) = at_a_terminal(&prepare(&path, &["--proxy-user", "u"]), &[("Password at the proxy", "\u{3}")]);
    assert_eq!(code, 130, "{screen}");
    assert!(!root.has("var") && screen.contains("cancelled"), "{screen}");
}
