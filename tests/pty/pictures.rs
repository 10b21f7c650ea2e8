//! Pictures of what the binary shows. Those of the README are compared with what it prints today; `scripts/pictures` writes them
//! anew, and the others into a folder (`ICS_SETUP_PICTURES`).

use std::path::Path;

use nix::pty::Winsize;

use crate::image::Image;
use crate::picture::{draw, folder, keep};
use crate::terminal::Terminal;

/// Keeps one of the screens that a test goes through.
pub fn next(verb: &str, number: usize, terminal: &Terminal) {
    let thread = std::thread::current();
    let test = thread.name().and_then(|name| name.rsplit("::").next()).unwrap_or("screen");
    keep(&format!("{verb}-{test}-{number:02}"), &format!("ics-setup {verb}"), terminal.seen());
}

fn start(rows: u16, columns: u16, arguments: &[&str]) -> Terminal {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let mut terminal = Terminal::start_on(Some(&size), &["--ctty"], arguments, &[("LANG", "C.UTF-8")]);
    terminal.fits(&size);
    terminal
}

/// The end of a command, on a window that has room for all of it.
fn whole(name: &str, title: &str, columns: u16, arguments: &[&str]) -> i32 {
    let mut terminal = start(200, columns, arguments);
    let code = terminal.end();
    assert!(!terminal.screen().trim().is_empty(), "{title} shows nothing");
    keep(name, title, terminal.seen());
    code
}

/// The first picture of the README: the first plan of the demonstration.
#[test]
fn the_picture_of_the_readme_is_what_the_binary_prints() {
    let mut terminal = start(29, 84, &["demo"]);
    terminal.hear("q: leave");
    let folder = regex::Regex::new("/tmp/ics-setup-demo-[A-Za-z0-9]{6}").unwrap();
    let svg = draw(terminal.seen(), "ics-setup demo");
    let svg = folder.replace_all(&svg, "/tmp/ics-setup-demo-XXXXXX");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/demo.svg");
    if crate::picture::folder().is_some() {
        std::fs::write(&path, svg.as_bytes()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == svg, "{} shows another screen than this: scripts/pictures draws it anew\n{svg}", path.display());
    assert!(include_str!("../../README.md").contains("](.github/demo.svg)"), "the README shows it");
}

#[test]
fn hosts_as_they_stand() {
    let image = Image::ubuntu().with_product();
    let root = ["--root", image.path()];
    let with = |words: &[&'static str]| [words, &root].concat();
    whole("status-fresh", "ics-setup status", 116, &with(&["status"]));
    let code = whole(
        "prepare",
        "ics-setup prepare --proxy http://proxy.corp.example:3128 --yes",
        116,
        &with(&["prepare", "--proxy", "http://proxy.corp.example:3128", "--yes"]),
    );
    assert_eq!(code, 0);
    image.put("etc/environment", "http_proxy=\"http://old.corp.example:8080\"\n");
    whole("status", "ics-setup status", 116, &with(&["status"]));
    whole("check", "ics-setup check host proxy", 116, &with(&["check", "host", "proxy"]));
    whole("prove-image", "ics-setup prove (an image: by the models)", 116, &with(&["prove"]));
    let url = "https://sts.amazonaws.com";
    whole("explain", "ics-setup network explain --as login", 116, &with(&["network", "explain", url, "--as", "login"]));
    if folder().is_some() {
        if nix::unistd::geteuid().is_root() {
            whole("prove", "ics-setup prove", 116, &["prove", "--proxy", "http://proxy.corp.example:3128"]);
        } else {
            println!("skip prove: needs root, for namespaces");
        }
    }
}
