//! Completions as the real shells take them, manual pages as mandoc reads them. A shell that is not installed is named.

use std::path::Path;
use std::process::Command;

use nix::pty::Winsize;

use crate::terminal::{SIZE, Terminal};

fn ics_setup(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_ics-setup")).args(arguments).env_clear().env("PATH", "/usr/bin:/bin").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Is there such a program? Where not, the test says so and proves nothing.
fn has(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    if !there {
        eprintln!("skipped: {program} is not installed");
    }
    there
}

/// The completions of a shell in a file of a folder.
fn script(shell: &str, name: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, ics_setup(&["completions", shell])).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn lines_of(program: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(program).args(arguments).env("HOME", "/nonexistent").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    if !has("bash") {
        return;
    }
    let (_folder, path) = script("bash", "ics-setup");
    let complete = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        // What readline does: the registered function is called with the words.
        let driver = format!(
            "set -e; source {path}; spec=$(complete -p ics-setup); function=${{spec#*-F }}; function=${{function%% *}}; \
             COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; \
             $function ics-setup '{last}' '{before}' || true; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            words.len() - 1
        );
        lines_of("bash", &["--norc", "-c", &driver])
    };
    assert_eq!(complete("ics-setup wiz"), ["wizard"]);
    assert_eq!(complete("ics-setup prepare --proxy-p"), ["--proxy-password-file", "--proxy-password-env"]);
    assert_eq!(complete("ics-setup prepare --deployment "), ["production", "test-drive"]);
    assert!(complete("ics-setup completions ").ends_with(&["bash", "zsh", "fish"].map(str::to_owned)));
    assert!(complete("ics-setup settings ").contains(&"show".to_owned()));
}

#[test]
fn fish_completes_commands_flags_and_values() {
    if !has("fish") {
        return;
    }
    let (_folder, path) = script("fish", "ics-setup.fish");
    let complete = |line: &str| {
        let lines = lines_of("fish", &["--no-config", "-c", &format!("source {path}; complete -C '{line}'")]);
        lines.iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(complete("ics-setup wiz"), ["wizard"]);
    assert!(complete("ics-setup prepare --proxy-p").contains(&"--proxy-password-file".to_owned()));
    assert_eq!(complete("ics-setup prepare --deployment "), ["production", "test-drive"]);
}

#[test]
fn zsh_completes_commands_and_values() {
    if !has("zsh") {
        return;
    }
    let (folder, _) = script("zsh", "_ics-setup");
    // A shell with a terminal of its own, in which the keys are pressed; it fails where the words do not come.
    let complete = |line: &str, words: &str| {
        let driver = format!(
            "zmodload zsh/zpty; zpty shell zsh -f -i; \
             zpty -w shell 'PS1=; fpath=({} $fpath); autoload -Uz compinit; compinit -u -D; print READY''-ONE'; \
             zpty -r shell out '*READY-ONE*'; zpty -w -n shell $'{line}\\t'; \
             zpty -r shell out '*{words}*'; print -r -- \"$out\"; zpty -d shell",
            folder.path().display()
        );
        assert!(!line.contains(words));
        lines_of("timeout", &["120", "zsh", "-f", "-c", &driver]);
    };
    complete("ics-setup wiz", "wizard");
    complete("ics-setup prepare --deployment te", "test-drive");
}

#[test]
fn manual_pages_are_sound_and_complete() {
    let page = ics_setup(&["man"]);
    assert!(page.contains(".TH ICS\\-SETUP 1") || page.contains(".TH ICS-SETUP 1"), "{page}");
    assert!(page.contains("Exit codes: 0 done") && page.contains("ics\\-setup\\-wizard(1)"), "{page}");
    assert!(ics_setup(&["man", "prepare"]).contains("proxy\\-password\\-file"));
    let folder = tempfile::tempdir().unwrap();
    let told = ics_setup(&["man", "--dir", folder.path().to_str().unwrap()]);
    let written: Vec<&str> = told.lines().collect();
    for name in ["ics-setup.1", "ics-setup-wizard.1", "ics-setup-prepare.1", "ics-setup-check.1"] {
        assert!(written.iter().any(|path| Path::new(path).file_name().unwrap() == name), "{name}: {told}");
    }
    if !has("mandoc") {
        return;
    }
    for path in written {
        let output = Command::new("mandoc").args(["-T", "lint", "-W", "warning", path]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{path}: {said}");
        let output = Command::new("mandoc").args(["-T", "utf8", path]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("Print help"), "{path}");
    }
}

#[test]
fn a_page_of_no_command_is_met_with_the_right_word() {
    let output = Command::new(env!("CARGO_BIN_EXE_ics-setup")).args(["man", "prepar"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("ics-setup man prepare"), "{stderr}");
}

#[test]
fn the_help_of_a_verb_is_broken_where_the_window_ends() {
    let verbs = ["wizard", "prepare", "install", "reconfigure", "check", "prove", "trace", "status", "revert", "prune"];
    for (verb, flag, columns) in
        verbs.iter().flat_map(|verb| [(verb, "-h", 60), (verb, "-h", 132), (verb, "--help", 80)])
    {
        let size = Winsize { ws_col: columns, ..SIZE };
        let mut terminal = Terminal::start_on(Some(&size), &["--ctty"], &[verb, flag], &[("NO_COLOR", "1")]);
        assert_eq!(terminal.end(), 0);
        let raw = terminal.raw();
        // What is to be pasted stays on its line, and so do the sentences below the examples, which are the same everywhere.
        let (help, _) = raw.split_once("Examples:").unwrap_or((&raw, ""));
        let long: Vec<&str> =
            help.lines().filter(|line| line.trim_end().chars().count() > usize::from(columns)).collect();
        assert!(long.is_empty() && help.contains("--help"), "{verb} {flag} at {columns}: {long:#?}");
        // Its own flags alone.
        assert_eq!(help.contains("--non-interactive"), flag == "--help", "{verb} {flag}: {help}");
    }
}
