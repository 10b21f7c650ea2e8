//! What an installation shows while it works, at a terminal: the stage that it is in, since when, and those that are to come.

use std::collections::BTreeSet;

use super::whole::STAGES;
use super::wizard::terminal::{SIZE, Terminal};
use crate::common::{Engine, Site};

pub(super) const IMAGE: &str = "public.ecr.aws/divvycloud/divvycloud:v22.3.9";

#[test]
fn an_installation_at_a_terminal_has_a_line_that_moves_and_a_mark_for_each_stage_that_has_ended() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    site.fault(IMAGE, &["LAB_START_DELAY=12"]);
    let words =
        ["setsid", "--ctty", "ics-setup", "install", "--yes", "--deployment", "test-drive", "--release", "22.3.9"];
    let mut command = site.command(&words);
    let mut terminal =
        Terminal::of(Some(&SIZE), command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").env("NO_COLOR", "1"));
    let mut times = BTreeSet::new();
    terminal.wait_for("a stage that lasts", |terminal| {
        let screen = terminal.screen();
        let rows: Vec<&str> = screen.lines().map(str::trim_end).filter(|row| !row.is_empty()).collect();
        let at = rows.iter().position(|row| row.contains("waiting for the product"))?;
        assert!(rows[at].chars().count() < 80 && rows[at].contains(" running"), "{}", rows[at]);
        assert_eq!(rows[at + 1..], ["    boot", "    verify"], "{screen}");
        assert!(rows[at - 1].starts_with("  ✓ start "), "{screen}");
        times.insert(rows[at].split_whitespace().nth(2)?.parse::<u64>().ok()?);
        (times.len() > 5).then_some(())
    });
    assert_eq!(terminal.end(), 0, "{}", terminal.raw());
    let raw = terminal.raw();
    for stage in STAGES {
        assert!(raw.contains(&format!("✓ {stage} ")) || raw.contains(&format!("- {stage} ")), "{stage}: {raw}");
    }
    // What moved is gone, and so is what was to come.
    let screen = terminal.screen();
    assert!(!screen.contains("waiting for the product") && !screen.contains("    verify"), "{screen}");
    assert!(terminal.is_cooked() && !terminal.cursor_is_hidden());

    // A log has the same in lines.
    site.run(&["ics-setup", "revert", "--non-interactive"]).expect(0);
    let ran = site.run(&[&["ics-setup", "install"], &words[5..]].concat()).expect(0);
    let lines: Vec<&str> = ran.err.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("  waiting for the product to answer (")), "{ran}");
    assert!(lines.iter().any(|line| line.starts_with("healthy    changed ")), "{ran}");
    assert!(!ran.err.contains('\u{1b}') && !ran.err.contains('\r') && lines.len() < 40, "{ran}");
}
