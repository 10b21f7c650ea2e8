//! At a terminal: the question before a change, the password that nobody gave, and Ctrl-C at both.

#[path = "../pty/terminal.rs"]
#[allow(dead_code, reason = "the wizard's tests use all of it")]
mod pseudo;

use nix::sys::termios::LocalFlags;

use crate::root::Root;

/// Runs the binary with a terminal of its own, whose size nobody has set; each answer is typed when its question has been
/// asked. Returns the exit code and everything that the screen showed.
pub fn at_a_terminal(arguments: &[&str], talk: &[(&str, &str)]) -> (i32, String) {
    with_variables(&[], arguments, talk)
}

/// The same with variables.
pub fn with_variables(variables: &[(&str, &str)], arguments: &[&str], talk: &[(&str, &str)]) -> (i32, String) {
    let mut terminal = pseudo::Terminal::start_on(None, &["--ctty"], arguments, variables);
    for (question, answer) in talk {
        terminal.see(question);
        if question.starts_with("Password") {
            // What is typed before it is hidden is thrown away.
            terminal.wait_for("no echo", |terminal| (!terminal.mode().contains(LocalFlags::ECHO)).then_some(()));
        }
        terminal.press(answer);
    }
    (terminal.end(), terminal.raw())
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
        assert!(code == 0 || screen.contains(": cancelled\r\n"), "{screen}");
        assert_eq!(screen.matches("othing was changed").count(), usize::from(code != 0), "{screen}");
    }
}

#[test]
fn what_was_typed_before_the_question_is_no_yes() {
    let root = Root::ubuntu();
    let path = root.path().to_str().unwrap().to_owned();
    let mut terminal = pseudo::Terminal::start_on(None, &["--ctty"], &prepare(&path, &[]), &[]);
    terminal.press("y\ry\r");
    terminal.hear("What was typed before this question is no answer to it");
    terminal.see("changes? [y/N]");
    terminal.press("n");
    assert_eq!(terminal.end(), 130, "{}", terminal.raw());
    assert!(!root.get("etc/environment").contains("http_proxy"));
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

/// A shell starts what runs in its background with interrupts ignored, and so does whatever that starts.
#[test]
fn a_question_is_left_by_ctrl_c_where_interrupts_were_ignored_from_the_start() {
    let me = std::env::current_exe().unwrap();
    let again = ["-c", r#"trap '' INT; exec "$0" --exact "$1""#];
    let test = "terminal::a_missing_password_is_asked_for_and_never_shown";
    let ran = std::process::Command::new("sh").args(again).arg(me).arg(test).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}
