//! Each screen as text, at 80 by 24. `ICS_SETUP_REWRITE_SCREENS=1` writes them anew.

use std::fmt::Write as _;

use nix::pty::Winsize;

use crate::image::Image;
use crate::terminal::{SIZE, Terminal};
use crate::world;

/// What differs from run to run, in words of the same length: the image's path, ports, the run's name.
fn steady(text: &str, image: &Image, ports: &[(u16, &str)]) -> String {
    let mut text = text.replace(image.path(), "/tmp/image-XXXXXX");
    for (port, word) in ports {
        text = text.replace(&port.to_string(), word);
    }
    let run = regex::Regex::new(r"\b20\d{6}T\d{6}Z-[0-9a-f]{4}").unwrap();
    let text = run.replace_all(&text, "20261122T000000Z-0000");
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn compare(name: &str, screens: &str) {
    let path = format!("{}/tests/pty/screens/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("ICS_SETUP_REWRITE_SCREENS").is_some() {
        std::fs::write(&path, screens).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    // A failure names what differs last: logs are shown by their ends.
    let missing: Vec<&str> = wanted.lines().filter(|line| !screens.lines().any(|other| other == *line)).collect();
    let new: Vec<&str> = screens.lines().filter(|line| !wanted.lines().any(|other| other == *line)).collect();
    let differing = format!("lines that are only there: {missing:#?}\nlines that are only here: {new:#?}");
    assert!(screens == wanted, "{path} has other screens; these are:\n{screens}\n{differing}");
}

struct Album<'a> {
    terminal: Terminal,
    image: &'a Image,
    ports: Vec<(u16, &'static str)>,
    screens: String,
}

impl Album<'_> {
    /// Waits for words, keeps the screen, and takes an option or types a line.
    fn at(&mut self, words: &str, answer: Answer<'_>) {
        self.terminal.see(words);
        self.keep(words);
        // The question, all that can be taken and, at the plan, the files are in the window together.
        let screen = self.terminal.screen();
        let is_plan = words.ends_with("changes. What now?");
        assert!(screen.contains(words) && (!is_plan || screen.contains("\n  change  ")), "{screen}");
        match answer {
            Answer::Type(text) => self.terminal.press(&format!("{text}\r")),
            Answer::Press(key) => self.terminal.press(key),
            Answer::Take(option) => self.terminal.take(words, option),
        }
    }

    /// Goes through a text of several pages, once back on the way, and keeps each.
    fn pages(&mut self) {
        let mut went_back = false;
        let mut page = 1;
        loop {
            self.terminal.see(&format!("Page {page} of "));
            let screen = self.terminal.screen();
            let last = screen.lines().last().unwrap_or_default().to_owned();
            let all: usize =
                last.split_whitespace().nth(3).and_then(|word| word.trim_end_matches(',').parse().ok()).unwrap();
            assert!(all > 1 && page <= all, "{screen}");
            self.keep(&format!("page {page} of {all}"));
            if page == 2 && !went_back {
                went_back = true;
                self.terminal.press(if self.terminal.is_dumb() { "<\r" } else { "\u{1b}[A" });
                page = 1;
                continue;
            }
            self.terminal.press(if self.terminal.is_dumb() || page != 1 { "\r" } else { "\u{1b}[B" });
            if page == all {
                break;
            }
            page += 1;
        }
    }

    fn keep(&mut self, title: &str) {
        let screen = steady(&self.terminal.screen(), self.image, &self.ports);
        let title = steady(title, self.image, &self.ports);
        let _ = write!(self.screens, "======== {}\n{screen}", title.trim());
        crate::pictures::next("wizard", self.screens.matches("======== ").count(), &self.terminal);
    }
}

enum Answer<'a> {
    Type(&'a str),
    /// No Enter behind it.
    Press(&'a str),
    Take(&'a str),
}

use Answer::{Press, Take, Type};

/// A run with a login, a typing error, back ends and all; its screens.
fn full_run(variables: &[(&str, &str)]) -> (String, String) {
    let image = Image::ubuntu().with_product();
    image.put("opt/rapid7/ir_agent/ir_agent", "");
    let proxy = world::proxy_for("c3ZjOnB3"); // svc:pw
    let (mysql, redis) = (world::mysql(), world::redis());
    let (proxy_text, mysql_text, redis_text) = (proxy.to_string(), mysql.to_string(), redis.to_string());
    let terminal = Terminal::start(&["wizard", "--root", image.path()], variables);
    let ports = vec![(proxy, "PROXY"), (mysql, "MYSQL"), (redis, "REDIS")];
    let mut album = Album { terminal, image: &image, ports, screens: String::new() };
    album.at("Which deployment is this host for?", Take("production"));
    album.at("How does this host reach the internet?", Take("through a proxy"));
    album.at("Proxy URL for http and https", Type("127.0.0.1"));
    album.at("Port of the proxy", Type("none"));
    album.at("is no port", Type(&proxy_text));
    album.at("User at the proxy", Type("svc"));
    album.at("Password at the proxy", Type("no-Good1"));
    album.at("What now?", Take("change the answer"));
    album.at("User at the proxy", Type(""));
    album.at("Password at the proxy", Type("pw"));
    album.at("reached without the proxy", Type("registry.corp.example"));
    album.at("What is to be set?", Take("the system and"));
    album.at("Is apt to use the proxy too?", Take("yes"));
    album.at("Name the MySQL and Redis servers?", Take("yes"));
    album.at("MySQL host", Type("127.0.0.1"));
    album.at("MySQL port", Type(&mysql_text));
    album.at("MySQL user", Type("divvy"));
    album.at("MySQL password", Type(""));
    album.at("Name of the main database", Type("divvy"));
    album.at("Name of the key database", Type("divvykeys"));
    album.at("Redis host", Type("127.0.0.1"));
    album.at("Redis port", Type(&redis_text));
    album.at("Redis password", Type(""));
    album.at("Does this host run the Insight Agent?", Take("yes"));
    album.at("Insight platform region", Take("eu"));
    album.at("Collector hosts", Type(""));
    album.at("4 changes. What now?", Take("read what to know"));
    album.pages();
    album.at("4 changes. What now?", Take("show the differences"));
    album.pages();
    album.at("4 changes. What now?", Take("apply"));
    assert_eq!(album.terminal.end(), 0, "{}", album.terminal.screen());
    album.keep("the end");
    let raw = album.terminal.raw();
    assert!(album.terminal.is_cooked() && !album.terminal.cursor_is_hidden());
    (album.screens, raw)
}

#[test]
fn an_ordinary_terminal() {
    let (screens, raw) = full_run(&[("LANG", "C.UTF-8")]);
    compare("ordinary", &screens);
    assert!(raw.contains("\u{1b}[32m+"), "the diff is in colour");
    // What a serial line has to carry.
    assert!(raw.len() < 40_000, "{} bytes", raw.len());
}

#[test]
fn a_terminal_that_knows_nothing() {
    let (screens, raw) = full_run(&[("TERM", "dumb")]);
    compare("dumb", &screens);
    assert!(!raw.contains('\u{1b}'), "an escape on a dumb terminal: {raw:?}");
    assert!(!raw.replace("\r\n", "\n").contains('\r'), "a carriage return alone: {raw:?}");
}

#[test]
fn no_colour_and_no_utf8() {
    let (screens, raw) = full_run(&[("NO_COLOR", "1"), ("LC_ALL", "C")]);
    compare("no-color", &screens);
    let colour = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    assert!(!colour.is_match(&raw), "{raw:?}");
    assert!(raw.is_ascii(), "{raw}");
}

#[test]
fn a_test_drive_of_an_image() {
    let image = Image::ubuntu();
    let proxy = world::open_proxy();
    let arguments = ["wizard", "--root", image.path(), "--release", "22.3.9", "--ignore-check", "proxy-prod-env"];
    let terminal = Terminal::start(&arguments, &[("LANG", "C.UTF-8")]);
    let mut album = Album { terminal, image: &image, ports: vec![(proxy, "PROXY")], screens: String::new() };
    album.at("Which deployment is this host for?", Take("Test Drive"));
    album.at("How does this host reach the internet?", Take("through a proxy"));
    album.at("Proxy URL for http and https", Type(&format!("127.0.0.1:{proxy}")));
    album.at("reached without the proxy", Type(""));
    album.at("What is to be done?", Take("write the product's files too"));
    album.at("changes. What now?", Take("apply"));
    assert_eq!(album.terminal.end(), 0, "{}", album.terminal.screen());
    compare("test-drive", &album.screens);
}

#[test]
fn a_proxy_that_no_login_opens_and_a_plan_that_does_not_hold() {
    let image = Image::ubuntu();
    let (ntlm, proxy) = (world::ntlm_proxy(), world::open_proxy());
    let arguments = ["wizard", "--root", image.path(), "--release", "22.3.9"];
    let terminal = Terminal::start(&arguments, &[("LANG", "C.UTF-8")]);
    let ports = vec![(ntlm, "PROX1"), (proxy, "PROX2")];
    let mut album = Album { terminal, image: &image, ports, screens: String::new() };
    album.terminal.pick("Which deployment is this host for?", "Test Drive");
    album.terminal.pick("How does this host reach the internet?", "through a proxy");
    album.terminal.line("Proxy URL for http and https", &format!("127.0.0.1:{ntlm}"));
    album.at("What now?", Take("change the answer"));
    album.terminal.line("Proxy URL for http and https", &format!("127.0.0.1:{proxy}"));
    album.terminal.line("reached without the proxy", "");
    album.terminal.pick("What is to be done?", "write the product's files too");
    album.at("The plan does not hold. What now?", Take("go back"));
    album.at("Proxy URL for http and https", Press("\u{3}"));
    assert_eq!(album.terminal.end(), 130);
    album.keep("the end");
    compare("refused", &album.screens);
}

#[test]
fn a_key_costs_few_bytes() {
    let image = Image::ubuntu();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path(), "--home", "/d"], &[]);
    terminal.see("Which deployment is this host for?");
    let before = terminal.raw().len();
    terminal.press("\u{1b}[B");
    terminal.see("> run by the vendor");
    let cost = terminal.raw().len() - before;
    // A third of a second at 9600 bit/s.
    assert!(cost < 320, "{cost} bytes for one key");
    terminal.press("\u{1b}[A\r");
    terminal.pick("How does this host reach", "through a proxy");
    terminal.see("Proxy URL for http and https");
    let before = terminal.raw().len();
    terminal.press("x");
    terminal.hear("x");
    assert_eq!(terminal.raw().len() - before, 1);
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130);
}

#[test]
fn a_foreign_name_on_a_terminal_of_ascii() {
    let image = Image::ubuntu();
    image.put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"22.04\"\nPRETTY_NAME=\"Ubunt\u{fa} 22.04\"\n");
    for (locale, shown) in [("C", "Ubunt? 22.04"), ("en_US.UTF-8", "Ubunt\u{fa} 22.04")] {
        let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[("LC_ALL", locale)]);
        terminal.see("Which deployment");
        assert!(terminal.screen().contains(shown), "{}", terminal.screen());
        terminal.press("\u{3}");
        assert_eq!(terminal.end(), 130);
    }
}

#[test]
fn low_and_narrow_windows_show_question_options_and_files() {
    for (rows, columns) in [(20, 60), (14, 44)] {
        let image = Image::ubuntu();
        let proxy = world::open_proxy();
        let size = Winsize { ws_row: rows, ws_col: columns, ..SIZE };
        let arguments = ["wizard", "--root", image.path(), "--proxy", &format!("http://127.0.0.1:{proxy}")];
        let mut terminal = Terminal::start_on(Some(&size), &["--ctty"], &arguments, &[("LANG", "C.UTF-8")]);
        terminal.resize(rows, columns);
        terminal.pick("Which deployment", "Test Drive");
        terminal.line("Hosts that are reached", "");
        terminal.pick("What is to be done?", "prepare the system");
        terminal.see("changes. What now?");
        let screen = terminal.screen();
        assert!(screen.contains("2 files\n") && screen.contains("< back"), "{rows}x{columns}:\n{screen}");
        let is_cut = |line: &str| line.chars().count() > usize::from(columns);
        assert!(!screen.lines().any(is_cut), "{screen}");
        terminal.press("\u{3}");
        assert_eq!(terminal.end(), 130);
    }
}
