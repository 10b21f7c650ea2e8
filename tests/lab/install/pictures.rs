//! What a person sees of an installation: one line that moves, and how it ends. `scripts/pictures` has it drawn, and the healthy
//! host after it.

#[path = "../../pty/picture.rs"]
mod picture;

use nix::pty::Winsize;
use picture::{folder, keep};

use super::moves::IMAGE;
use super::whole::STAGES;
use super::wizard::terminal::Terminal;
use crate::common::outside::{PROXY, PROXY_BARE};
use crate::common::{Engine, Host, Site};

/// A command at a terminal of this size.
fn at_a_terminal(host: &Host, (rows, columns): (u16, u16), words: &[&str]) -> Terminal {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let mut command = host.command(&[&["setsid", "--ctty", "ics-setup"], words].concat());
    let mut terminal = Terminal::of(Some(&size), command.envs([("TERM", "xterm"), ("LANG", "C.UTF-8")]));
    terminal.fits(&size);
    terminal
}

/// Installs at a terminal: while it waits, one line moves below what has been done; at the end that line is gone.
#[track_caller]
pub(super) fn install(site: &Site, size: (u16, u16), words: &[&str]) {
    const MOVES: &str = "waiting for the product";
    // A product that answers at once is not waited for.
    site.fault(IMAGE, &["LAB_START_DELAY=12"]);
    let words = [&["install"], words, &["--yes"]].concat();
    let mut terminal = at_a_terminal(site, size, &words);
    let title = format!("ics-setup {} --yes", words[0]);
    let name = |part: &str| format!("install-{}-{part}", size.1);
    terminal.wait_for("a moving line", |terminal| terminal.screen().contains(MOVES).then_some(()));
    keep(&name("middle"), &title, terminal.seen());
    let rows: Vec<String> = terminal.screen().lines().map(str::to_owned).collect();
    assert_eq!(rows.iter().filter(|row| row.contains(MOVES)).count(), 1, "{rows:#?}");
    let below = rows.iter().rev().take_while(|row| !row.contains(MOVES)).map(|row| row.trim());
    assert!(below.into_iter().all(|row| row.is_empty() || STAGES.contains(&row)), "{rows:#?}");
    assert_eq!(terminal.end(), 0, "{}", terminal.raw());
    keep(&name("end"), &title, terminal.seen());
    let screen = terminal.screen();
    assert!(screen.contains("Done: the product is installed and healthy.") && !screen.contains(MOVES), "{screen}");
    assert!(terminal.is_cooked() && !terminal.cursor_is_hidden());
    assert!(!terminal.raw().contains("S3cret"), "a password is shown: {}", terminal.raw());
}

/// The pictures of a healthy host, for whoever asked for them. The same installation is tried by `whole`.
#[test]
fn a_healthy_host() {
    let Some(folder) = folder() else { return };
    let site = Site::new(Engine::V26_1);
    site.registry().answer_to_all();
    site.load_images();
    let list = "mysql,redis,169.254.169.254,localhost,127.0.0.0,127.0.1.1,127.0.0.1";
    site.stop_engine();
    site.start_engine(&[("HTTP_PROXY", PROXY), ("HTTPS_PROXY", PROXY), ("NO_PROXY", list)], &[]);
    site.sh("ln -s /usr/bin/docker-compose /usr/local/bin/docker-compose; ip route add default via 10.9.0.2
             echo 'Defaults env_keep += \"http_proxy https_proxy no_proxy\"' >/etc/sudoers.d/ics-proxy");
    site.write("root/proxy", "S3cret@Proxy");
    site.sh("chmod 600 /root/proxy");
    let product = ["--deployment", "test-drive", "--release", "22.3.9", "--clouds", "aws"];
    let proxy = ["--proxy", PROXY_BARE, "--proxy-user", "svc", "--proxy-password-file", "/root/proxy"];
    let authority = ["--proxy-ca", "/usr/local/share/ca-certificates/lab.crt"];
    install(&site, (30, 100), &[&product[..], &proxy, &authority].concat());
    let packages = ["ics-setup", "prepare", "--target", "package-manager", "--yes", "--no-probe"];
    site.run(&packages).expect(0);
    // The lab's MySQL is a MariaDB, and its machine is small.
    let as_vendor_has_it = ["--ignore-check", "mysql-version", "--ignore-check", "cpu-cores"];
    let check = [&["check", "--save-facts", "/facts.json"][..], &as_vendor_has_it].concat();
    for (name, words) in [("healthy-status", &["status"][..]), ("healthy-prove", &["prove"]), ("healthy-check", &check)]
    {
        let mut terminal = at_a_terminal(&site, (200, 100), words);
        let code = terminal.end();
        keep(name, &format!("ics-setup {}", words[0]), terminal.seen());
        assert_eq!(code, 0, "{}", terminal.screen());
    }
    std::fs::write(folder.join("healthy.json"), site.read("/facts.json")).unwrap();
}
