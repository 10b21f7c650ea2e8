//! `demo` at a terminal: it waits for the person, and leaves nothing however it ends.

use std::path::Path;

use tempfile::TempDir;

use crate::terminal::Terminal;

const STEPS: [&str; 5] = [
    "Enter: apply these 2 changes",
    "Enter: step 2 of 6",
    "Enter: apply this change",
    "Enter: step 3 of 6",
    "Enter: step 4 of 6",
];

fn start(folder: &TempDir, arguments: &[&str], more: &[(&str, &str)]) -> Terminal {
    let here = [("TMPDIR", folder.path().to_str().unwrap())];
    Terminal::start(&[&["demo"], arguments].concat(), &[&here, more].concat())
}

fn left(folder: &TempDir) -> usize {
    std::fs::read_dir(folder.path()).unwrap().count()
}

fn environment(folder: &TempDir) -> String {
    let root = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::read_to_string(Path::new(&root).join("etc/environment")).unwrap()
}

#[test]
fn it_goes_on_when_the_person_does() {
    for more in [&[][..], &[("TERM", "dumb")]] {
        let folder = tempfile::tempdir().unwrap();
        let mut terminal = start(&folder, &[], more);
        terminal.hear(STEPS[0]);
        // What is shown has not happened yet, and then it has.
        assert!(!environment(&folder).contains("https_proxy"));
        // What goes on behind the question leaves it alone, however long the person reads.
        std::thread::sleep(std::time::Duration::from_secs(2));
        terminal.hear_all();
        assert!(terminal.screen().contains(STEPS[0]), "{}", terminal.screen());
        terminal.press("\r");
        terminal.hear(STEPS[1]);
        assert!(environment(&folder).contains("https_proxy"));
        for step in &STEPS[2..] {
            terminal.press("\r");
            terminal.hear(step);
        }
        for last in ["Enter: apply this change", "step 5 of 6", "apply these 2", "step 6 of 6", "apply these 3"] {
            terminal.press("\r");
            terminal.hear(last);
        }
        terminal.press("\r");
        assert_eq!(terminal.end(), 0, "{}", terminal.screen());
        assert!(terminal.screen().contains("sudo ics-setup revert --all"), "{}", terminal.screen());
        if more.is_empty() {
            assert!(!terminal.screen().contains("Enter:"), "questions that are answered stay: {}", terminal.screen());
        } else {
            assert!(!terminal.raw().contains('\u{1b}'), "an escape on a dumb terminal");
        }
        assert_eq!(left(&folder), 0);
    }
}

#[test]
fn whoever_has_seen_enough_leaves_nothing() {
    for (keys, code, said) in [("q\r", 0, ""), ("\u{4}", 0, ""), ("\u{3}", 130, "cancelled")] {
        for steps in [0, 1] {
            let folder = tempfile::tempdir().unwrap();
            let mut terminal = start(&folder, &["--os", "centos"], &[]);
            for step in STEPS.iter().take(steps) {
                terminal.hear(step);
                terminal.press("\r");
            }
            terminal.hear(STEPS[steps]);
            terminal.press(keys);
            assert_eq!(terminal.end(), code, "{keys:?}: {}", terminal.screen());
            let screen = terminal.screen();
            assert!(screen.contains(said) && screen.contains("The throw-away root is gone."), "{keys:?}: {screen}");
            assert!(terminal.is_cooked());
            assert_eq!(left(&folder), 0, "{keys:?}");
        }
    }
}

#[test]
fn with_yes_it_does_not_wait() {
    for flag in ["--yes", "--non-interactive"] {
        let folder = tempfile::tempdir().unwrap();
        let mut terminal = start(&folder, &[flag], &[]);
        assert_eq!(terminal.end(), 0);
        assert!(!terminal.raw().contains("Enter"), "{}", terminal.raw());
    }
}
