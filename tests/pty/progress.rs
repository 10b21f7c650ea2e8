//! Long work at a terminal: one line that moves, within the window, and gone at the end.

use std::collections::BTreeSet;

use crate::terminal::{SIZE, Terminal};
use crate::world::{self, Gate};

/// All endpoints by way of a proxy that keeps them waiting, and no limit that would end it.
fn check(variables: &[(&str, &str)]) -> (Terminal, Gate) {
    let (port, gate) = world::waiting_proxy();
    let proxy = format!("http://127.0.0.1:{port}");
    let patient = ["--connect-timeout", "250s", "--timeout", "250s", "--deadline", "250s"];
    let arguments = [&["check", "network", "--proxy", &proxy][..], &patient].concat();
    (Terminal::start(&arguments, variables), gate)
}

/// The lines of the screen that are not empty.
fn rows(terminal: &Terminal) -> Vec<String> {
    terminal.screen().lines().map(str::trim_end).filter(|row| !row.is_empty()).map(str::to_owned).collect()
}

/// Waits until so many different lines were to be seen, never more than one at a time; the times that they told.
fn watch(terminal: &mut Terminal, columns: usize, many: usize) -> BTreeSet<String> {
    let (mut lines, mut times) = (BTreeSet::new(), BTreeSet::new());
    terminal.wait_for("a line that moves", |terminal| {
        let rows = rows(terminal);
        assert!(rows.len() <= 1, "several lines: {rows:?}");
        let line = rows.first()?;
        assert!(line.chars().count() < columns, "{line:?} reaches the end of {columns} columns");
        let (_, time) =
            line.rsplit_once(" s").and_then(|(before, rest)| rest.is_empty().then(|| before.rsplit_once(' '))?)?;
        times.insert(time.to_owned());
        lines.insert(line.clone());
        (lines.len() >= many && times.len() > 3).then_some(())
    });
    times
}

#[test]
fn a_check_that_has_to_wait_shows_what_it_is_at_how_far_and_since_when() {
    let (mut terminal, gate) = check(&[("LC_ALL", "C.UTF-8")]);
    // Each time is told once a second, and the sign turns between two of them.
    let times = watch(&mut terminal, 80, 20);
    assert!(times.iter().all(|time| time.parse::<u64>().is_ok()), "{times:?}");
    let line = rows(&terminal).concat();
    assert!(line.contains("checking · 0 of ") && line.contains(" endpoints"), "{line}");
    assert!(!terminal.cursor_is_hidden());
    // A window that gets narrower has one line all the same.
    terminal.resize(24, 40);
    terminal.wait_for("a narrow line", |terminal| {
        let rows = rows(terminal);
        (rows.len() == 1 && rows[0].chars().count() < 40 && rows[0].ends_with(" s")).then_some(())
    });
    watch(&mut terminal, 40, 10);
    gate.open();
    assert_eq!(terminal.end(), 4, "{}", terminal.raw());
    let screen = terminal.screen();
    assert!(!screen.contains("checking") && screen.contains("network"), "{screen}");
}

#[test]
fn a_terminal_without_unicode_has_signs_of_ascii() {
    let (mut terminal, gate) = check(&[("LC_ALL", "C")]);
    watch(&mut terminal, 80, 8);
    let line = rows(&terminal).concat();
    assert!(line.is_ascii() && line.contains("checking, 0 of "), "{line}");
    gate.open();
    terminal.end();
    assert!(!terminal.raw().contains('⠋'), "{}", terminal.raw());
}

#[test]
fn whoever_leaves_finds_the_terminal_clean() {
    let (mut terminal, _gate) = check(&[("LC_ALL", "C.UTF-8")]);
    watch(&mut terminal, 80, 4);
    terminal.press("\u{3}");
    let ended = terminal.ended();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(2), "{ended:?}");
    assert_eq!(rows(&terminal), ["error: cancelled", "Nothing was changed."]);
    assert!(terminal.is_cooked() && !terminal.cursor_is_hidden());
}

#[test]
fn where_nothing_can_be_written_over_there_are_lines_and_no_escapes() {
    let (mut terminal, gate) = check(&[("TERM", "dumb"), ("LC_ALL", "C.UTF-8")]);
    terminal.hear("  checking, 0 of ");
    gate.open();
    terminal.end();
    assert!(!terminal.raw().contains('\u{1b}'), "{}", terminal.raw());
}

#[test]
fn the_answer_stands_alone_where_it_was_quick() {
    let mut terminal = Terminal::start_on(Some(&SIZE), &["--ctty"], &["network", "list"], &[("LC_ALL", "C.UTF-8")]);
    assert_eq!(terminal.end(), 0);
    assert!(!terminal.raw().contains("looking at this host"), "{}", terminal.raw());
}
