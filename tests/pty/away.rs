//! The person leaves: Ctrl-C at every question, Ctrl-D, a terminal that goes away, none at all.

use std::process::{Command, Stdio};

use crate::image::Image;
use crate::terminal::Terminal;
use crate::world;

/// A way to a question.
type Way = fn(&mut Terminal, u16);

fn enter(terminal: &mut Terminal, question: &str) {
    terminal.see(question);
    terminal.press("\r");
}

/// Every question of a run on a host with the product, in order, with the keys that answer it.
const QUESTIONS: &[(&str, Way)] = &[
    ("Which deployment", |terminal, _| terminal.press("\r")),
    ("How does this host reach", |terminal, _| terminal.press("\r")),
    ("Proxy URL", |terminal, _| terminal.press("127.0.0.1\r")),
    ("Port of the proxy", |terminal, port| terminal.press(&format!("{port}\r"))),
    ("User at the proxy", |terminal, _| terminal.press("u\r")),
    ("Password at the proxy", |terminal, _| terminal.press("pw\r")),
    ("Hosts that are reached", |terminal, _| terminal.press("\r")),
    ("What is to be set?", |terminal, _| terminal.press("\r")),
    ("Is apt to use", |terminal, _| terminal.press("\r")),
    ("Name the MySQL", |terminal, _| terminal.take("Name the MySQL", "yes")),
    ("MySQL host", |terminal, _| terminal.press("127.0.0.1\r")),
    ("MySQL port", |terminal, _| terminal.press("9\r")),
    ("What now?", |terminal, _| terminal.take("What now?", "go on")),
    ("MySQL user", |terminal, _| terminal.press("u\r")),
    ("MySQL password", |terminal, _| terminal.press("\r")),
    ("Name of the main", |terminal, _| terminal.press("m\r")),
    ("Name of the key", |terminal, _| terminal.press("k\r")),
    ("Redis host", |terminal, _| terminal.press("127.0.0.1\r")),
    ("Redis port", |terminal, _| terminal.press("9\r")),
    ("What now?", |terminal, _| terminal.take("What now?", "go on")),
    ("Redis password", |terminal, _| terminal.press("\r")),
    ("Insight Agent?", |terminal, _| terminal.take("Insight Agent?", "yes")),
    ("Insight platform region", |terminal, _| terminal.press("\r")),
    ("Collector hosts", |terminal, _| terminal.press("\r")),
    ("changes. What now?", |terminal, _| terminal.press("\u{3}")),
];

/// Answers the first questions, presses Ctrl-C at the next one and looks at what is left.
fn leave_at(last: usize, port: u16, variables: &[(&str, &str)]) {
    let image = Image::ubuntu().with_product();
    image.put("opt/rapid7/ir_agent/ir_agent", "");
    let before = image.picture();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], variables);
    for (question, answer) in &QUESTIONS[..last] {
        terminal.see(question);
        answer(&mut terminal, port);
    }
    terminal.see(QUESTIONS[last].0);
    terminal.press("\u{3}");
    let (question, code) = (QUESTIONS[last].0, terminal.end());
    let screen = terminal.screen();
    assert_eq!(code, 130, "{question}: {screen}");
    assert!(screen.contains("error: cancelled\n\nNothing was changed."), "{question}: {screen}");
    assert!(terminal.is_cooked(), "{question}: the terminal's mode did not come back");
    assert!(!terminal.cursor_is_hidden(), "{question}: the cursor is gone");
    assert_eq!(image.picture(), before, "{question}");
}

/// Several at a time: most of the time is waiting for each other.
fn leave_everywhere(variables: &[(&str, &str)]) {
    let port = world::proxy_for("dTpwdw=="); // u:pw
    std::thread::scope(|scope| {
        for part in 0..6 {
            scope.spawn(move || {
                for last in (part..QUESTIONS.len()).step_by(6) {
                    leave_at(last, port, variables);
                }
            });
        }
    });
}

#[test]
fn ctrl_c_at_every_question_leaves_host_and_terminal_as_they_were() {
    leave_everywhere(&[]);
}

#[test]
fn ctrl_c_at_every_question_of_a_dumb_terminal() {
    // There the answers are numbers, and a password is read without its echo by ourselves.
    for last in [0, 1, 3] {
        leave_at(last, 9, &[("TERM", "dumb")]);
    }
    let image = Image::ubuntu();
    let arguments = ["wizard", "--root", image.path(), "--proxy", "http://u@127.0.0.1:9", "--deployment", "test-drive"];
    let mut terminal = Terminal::start(&arguments, &[("TERM", "dumb")]);
    terminal.see("Password at the proxy");
    assert!(!terminal.is_cooked());
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130);
    assert!(terminal.is_cooked() && !image.has("var"));
}

#[test]
fn ctrl_c_while_the_world_is_asked() {
    let image = Image::ubuntu();
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}", silent.local_addr().unwrap().port());
    let arguments = ["wizard", "--root", image.path(), "--proxy", &url, "--deployment", "test-drive", "--home", "/d"];
    let mut terminal = Terminal::start(&arguments, &[]);
    terminal.hear("asking http://127.0.0.1");
    // The line says since when.
    terminal.hear(" 1 s");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130, "{}", terminal.screen());
    let screen = terminal.screen();
    assert!(
        screen.ends_with("error: cancelled\n\nNothing was changed.") && !screen.contains("asking http"),
        "{screen}"
    );
    assert!(terminal.is_cooked() && !terminal.cursor_is_hidden() && !image.has("var"));
}

#[test]
fn a_proxy_that_says_nothing_is_not_waited_for_as_long_as_a_check_does() {
    let image = Image::ubuntu();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}", silent.local_addr().unwrap().port());
    let arguments = ["wizard", "--root", image.path(), "--proxy", &url, "--deployment", "test-drive", "--home", "/d"];
    let mut terminal = Terminal::start(&arguments, &[]);
    terminal.see("What now?");
    let screen = terminal.screen();
    let words: Vec<&str> = screen.split_whitespace().collect();
    let limits: Vec<f64> =
        words.windows(2).filter(|pair| pair[0] == "within").map(|pair| pair[1].parse().unwrap()).collect();
    assert!(!limits.is_empty() && limits.iter().sum::<f64>() < 6.0, "{screen}");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130);
}

#[test]
fn the_end_of_the_input_leaves_too() {
    for variables in [&[][..], &[("TERM", "dumb")]] {
        let image = Image::ubuntu();
        let before = image.picture();
        let arguments = ["wizard", "--root", image.path(), "--deployment", "test-drive"];
        let mut terminal = Terminal::start(&arguments, variables);
        enter(&mut terminal, "How does this host reach");
        terminal.see("Proxy URL");
        terminal.press("\u{4}");
        assert_eq!(terminal.end(), 130, "{}", terminal.screen());
        assert!(terminal.is_cooked());
        assert_eq!(image.picture(), before);
    }
}

#[test]
fn the_end_of_the_input_leaves_at_a_password_and_is_no_key_of_a_list() {
    for variables in [&[][..], &[("TERM", "dumb")]] {
        let image = Image::ubuntu();
        let arguments =
            ["wizard", "--root", image.path(), "--proxy", "http://u@127.0.0.1:9", "--deployment", "test-drive"];
        let mut terminal = Terminal::start(&arguments, variables);
        terminal.see("Password at the proxy");
        terminal.press("\u{4}");
        assert_eq!(terminal.end(), 130, "{}", terminal.screen());
        assert!(terminal.is_cooked() && !image.has("var"));
    }
    let image = Image::ubuntu();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path(), "--home", "/d"], &[]);
    terminal.see("Which deployment");
    terminal.press("\u{4}");
    terminal.take("Which deployment", "Test Drive");
    terminal.see("How does this host reach");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130, "{}", terminal.screen());
}

/// Runs it on a terminal that is closed when the last question has been seen; the answers lead there. Returns the exit code.
fn hang_up(root: &str, controlling: bool, talk: &[(&str, &str)]) -> i32 {
    let setsid = if controlling { &["--ctty"][..] } else { &[] };
    let mut terminal = Terminal::start_on(None, setsid, &["wizard", "--root", root], &[]);
    for (question, answer) in talk {
        terminal.see(question);
        terminal.press(answer);
    }
    terminal.hang_up();
    terminal.end()
}

#[test]
fn a_terminal_that_goes_away_ends_it_at_a_line_and_at_a_list() {
    let image = Image::ubuntu();
    let before = image.picture();
    // Without a controlling terminal there is no signal either: only the terminal itself tells.
    for controlling in [true, false] {
        assert_eq!(hang_up(image.path(), controlling, &[("Which deployment", "")]), 130);
        let talk = [("Which deployment", "\r"), ("How does this host", "\r"), ("Proxy URL", "")];
        assert_eq!(hang_up(image.path(), controlling, &talk), 130);
    }
    assert_eq!(image.picture(), before);
}

#[test]
fn another_size_in_the_middle_of_a_list_does_no_harm() {
    let image = Image::ubuntu();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path(), "--home", "/d"], &[]);
    terminal.see("Which deployment");
    terminal.resize(40, 132);
    terminal.take("Which deployment", "Test Drive");
    terminal.see("How does this host reach");
    terminal.resize(24, 50);
    terminal.take("How does this host reach", "without a proxy");
    terminal.pick("What is to be done?", "prepare the system");
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert!(terminal.raw().contains("Nothing to do"), "{}", terminal.raw());
}

/// Runs without a terminal.
fn piped(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ics-setup"))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn without_a_terminal_it_names_what_is_missing_and_asks_nothing() {
    let image = Image::ubuntu().with_product();
    image.put("divvycloud/prod.env", "A=1\n");
    let (code, stdout, stderr) = piped(&["wizard", "--root", image.path(), "--proxy-user", "u"]);
    assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
    assert!(stderr.contains("missing: proxy.url, mysql.host, redis.host"), "{stderr}");
    assert!(stderr.contains("--proxy, ICS_SETUP_PROXY or the key proxy.url in a settings file"), "{stderr}");
    assert!(stderr.contains("ics-setup reconfigure --root"), "{stderr}");
    let holes = "--proxy-user u --proxy '<URL>' --mysql-host '<HOST>' --redis-host '<HOST>' --non-interactive";
    assert!(stderr.contains(holes), "{stderr}");
    let (code, stdout, _) = piped(&["wizard", "--root", image.path(), "--format", "json", "--proxy", "http://u@h:1"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, json["error"]["id"].as_str()), (3, Some("settings-missing")));
    assert!(json["error"]["message"].as_str().unwrap().contains("proxy.password"), "{json}");
    // All is there, and still it is the wizard's to ask.
    let image = Image::ubuntu();
    let (code, _, stderr) = piped(&["wizard", "--root", image.path(), "--proxy", "http://h:1"]);
    assert_eq!(code, 3);
    assert!(stderr.contains("prepare --root") && stderr.contains("--proxy http://h:1 --non-interactive"), "{stderr}");
    assert!(!image.has("var"));
}

#[test]
fn without_a_command_a_terminal_gets_the_wizard_or_the_status_and_a_pipe_gets_help() {
    let (code, stdout, stderr) = piped(&[]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("Usage:") && stderr.contains("wizard"), "{stderr}");

    let image = Image::ubuntu();
    let mut terminal = Terminal::start(&["--root", image.path()], &[]);
    terminal.see("Which deployment");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130);

    let (code, ..) = piped(&["prepare", "--root", image.path(), "--proxy", "http://h:1"]);
    assert_eq!(code, 0);
    let mut terminal = Terminal::start(&["--root", image.path()], &[]);
    assert_eq!(terminal.end(), 0);
    let screen = terminal.screen();
    assert!(screen.contains("committed") && screen.contains("ics-setup wizard"), "{screen}");

    let mut terminal = Terminal::start(&["--root", image.path(), "--non-interactive"], &[]);
    assert_eq!(terminal.end(), 2, "{}", terminal.screen());
}

#[test]
fn a_slip_in_a_command_or_a_flag_is_met_with_the_right_word() {
    let (code, _, stderr) = piped(&["wizzard"]);
    assert!(code == 2 && stderr.contains("'wizard'"), "{stderr}");
    let (code, _, stderr) = piped(&["wizard", "--proxi", "x"]);
    assert!(code == 2 && stderr.contains("'--proxy'"), "{stderr}");
    let (code, stdout, _) = piped(&["wizard", "--help"]);
    assert!(code == 0 && stdout.contains("Examples:"), "{stdout}");
}

#[test]
fn a_system_that_is_too_old_is_said_so_before_any_question() {
    let image = Image::ubuntu();
    image.put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"16.04\"\n");
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[]);
    assert_eq!(terminal.end(), 4, "{}", terminal.screen());
    let screen = terminal.screen();
    assert!(screen.contains("--ignore-check os-too-old") && !screen.contains("Which deployment"), "{screen}");
}
