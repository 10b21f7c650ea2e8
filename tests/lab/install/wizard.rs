//! A person at a terminal of a bare host: from the first question to a healthy product, and the printed command after it.

#[path = "../../pty/terminal.rs"]
#[allow(dead_code, reason = "the wizard's own tests use all of it")]
pub(super) mod terminal;

use terminal::{SIZE, Terminal};

use super::failures::bare;
use super::production::engine_behind;
use crate::common::outside::{ADDRESS, PROXY, PROXY_BARE, REDIS_PASSWORD};
use crate::common::{Engine, Ran, Site};

const PASSWORD: &str = "S3cret@Proxy";
const IMAGE: &str = "public.ecr.aws/rapid7-insightcloudsec/ics/core:v22.12.7";

/// A host behind the proxy, whose engine has the way out and whose authority the containers are to trust.
fn behind_the_proxy(engine: Engine) -> Site {
    let site = Site::new(engine);
    site.registry();
    engine_behind(&site, PROXY);
    site.sh("install -D -m 644 /usr/local/share/ca-certificates/lab.crt /divvycloud/proxy_cert.crt");
    site
}

/// The wizard at a terminal of the host.
fn wizard(site: &Site, arguments: &[&str]) -> Terminal {
    let mut command = site.command(&[&["setsid", "--ctty", "ics-setup", "wizard"], arguments].concat());
    Terminal::of(Some(&SIZE), command.env("TERM", "xterm"))
}

/// The answers up to the list of hosts that are reached without the proxy.
fn answer(terminal: &mut Terminal, deployment: &str) {
    terminal.pick("Which deployment is this host for?", deployment);
    terminal.pick("How does this host reach the internet?", "through a proxy");
    terminal.line("Proxy URL for http and https", PROXY_BARE);
    terminal.hear("wants a login (Basic)");
    terminal.line("User at the proxy", "svc");
    terminal.line("Password at the proxy", PASSWORD);
    terminal.hear("lets requests through");
    terminal.line("Hosts that are reached without the proxy", "");
    terminal.pick("What is to be done?", "install the product");
}

/// It went well: whoever has it knows where to go on, and the command that is printed finds nothing to do.
fn is_handed_over(site: &Site, terminal: &mut Terminal, files: &[(&str, &str)]) {
    assert_eq!(terminal.end(), 0, "{}", terminal.raw());
    assert!(terminal.is_cooked() && !terminal.cursor_is_hidden());
    let raw = terminal.raw();
    assert!(!raw.contains("S3cret"), "a password is shown: {raw}");
    let (_, end) = raw.split_once("Done: the product is installed and healthy.").unwrap_or_else(|| panic!("{raw}"));
    for words in
        ["http://lab:8001/setup in Google Chrome", "/settings/license", "ics-setup status", "ics-setup revert 2"]
    {
        assert!(end.contains(words), "{words:?} in {end}");
    }
    assert!(!end.contains("--root"), "{end}");
    assert_eq!(site.status(), 200);
    let seen = site.run(&["ics-setup", "check", "proxy", "--only", "proxy-containers", "--format", "json"]).expect(0);
    assert_eq!(seen.json()["summary"]["fail"], 0, "{seen}");

    let before = site.container_ids();
    let again = run_again(site, end, files);
    assert_eq!(again.json()["outcome"], "unchanged", "{again}");
    assert_eq!(site.container_ids(), before);
}

/// The command that is printed, with the files of the passwords.
fn run_again(site: &Site, raw: &str, files: &[(&str, &str)]) -> Ran {
    let at = raw.find("ics-setup install ").unwrap_or_else(|| panic!("no command: {raw}"));
    let mut command = raw[at..].lines().next().unwrap().trim().to_owned();
    for (flag, file) in files {
        let hole = format!("{flag} '<FILE>'");
        assert!(command.contains(&hole), "{command}");
        command = command.replace(&hole, &format!("{flag} {file}"));
    }
    assert!(!command.contains("<FILE>"), "{command}");
    site.run(&["sh", "-c", &format!("{command} --format json")]).expect(0)
}

#[test]
fn a_test_drive_from_the_first_question_to_a_healthy_product() {
    let site = behind_the_proxy(Engine::V26_1);
    site.write("root/proxy", PASSWORD);
    let mut terminal = wizard(&site, &[]);
    answer(&mut terminal, "Test Drive");
    terminal.pick("What now?", "apply");
    is_handed_over(&site, &mut terminal, &[("--proxy-password-file", "/root/proxy")]);
    // The containers trust what the proxy may sign.
    let mounts = site.inspect("interfaceserver", "{{range .Mounts}}{{.Source}} {{end}}").concat();
    assert!(mounts.contains("/divvycloud/proxy_cert.crt"), "{mounts}");
}

#[test]
fn a_production_from_the_first_question_to_a_healthy_product() {
    let site = behind_the_proxy(Engine::V26_1);
    site.backends().product_databases("S3cret-Db");
    let files = [
        ("--proxy-password-file", "/root/proxy", PASSWORD),
        ("--mysql-password-file", "/root/mysql", "S3cret-Db"),
        ("--redis-password-file", "/root/redis", REDIS_PASSWORD),
    ];
    for (_, file, password) in files {
        site.write(file, password);
    }
    // The lab is a small machine.
    let mut terminal = wizard(&site, &["--workers", "2", "--ignore-check", "cpu-cores"]);
    answer(&mut terminal, "production");
    terminal.line("MySQL host", ADDRESS);
    terminal.line("[3306] ", "");
    // Its MySQL is a MariaDB.
    terminal.see("is not what the product asks for");
    terminal.take("What now?", "go on anyway");
    terminal.line("[divvy] ", "");
    terminal.line("MySQL password", "S3cret-Db");
    terminal.line("[divvy] ", "");
    terminal.line("[divvykeys] ", "");
    terminal.line("Redis host", ADDRESS);
    terminal.line("[6379] ", "");
    terminal.line("Redis password", REDIS_PASSWORD);
    terminal.pick("changes, containers of 3 services. What now?", "apply");
    is_handed_over(&site, &mut terminal, &files.map(|(flag, file, _)| (flag, file)));
}

#[test]
fn whoever_leaves_it_in_the_middle_hears_how_the_host_stands() {
    let site = behind_the_proxy(Engine::V26_1);
    site.write("root/proxy", PASSWORD);
    let leave = |at: &str| {
        let mut terminal = wizard(&site, &["--workers", "1"]);
        answer(&mut terminal, "Test Drive");
        terminal.pick("What now?", "apply");
        terminal.hear(at);
        terminal.press("\u{3}");
        assert_eq!(terminal.end(), 130, "{}", terminal.raw());
        assert!(terminal.is_cooked() && !terminal.cursor_is_hidden());
        assert!(!terminal.raw().contains("S3cret"), "{}", terminal.raw());
        terminal.raw()
    };
    let before = site.read("/etc/environment");
    let raw = leave("pulling ");
    assert!(raw.contains("cancelled while") && raw.contains("that had been written were put back"), "{raw}");
    let is_back = || {
        bare(&site);
        assert_eq!(site.read("/etc/environment"), before);
    };
    is_back();

    // From its start on it goes on, with whoever waits for it or without.
    site.sh(&format!("docker pull -q {IMAGE}"));
    site.fault(IMAGE, &["LAB_START_DELAY=60"]);
    let raw = leave("waiting for the product to answer");
    for words in ["it goes on with that", "run the same command again", "everything was written and stays"] {
        assert!(raw.contains(words), "{words:?} in {raw}");
    }
    assert!(raw.contains("undo: ics-setup revert"), "{raw}");
    let left = site.container_ids();
    assert_eq!(left.len(), 5, "{left:?}");
    run_again(&site, &raw, &[("--proxy-password-file", "/root/proxy")]);
    assert_eq!((site.status(), site.container_ids()), (200, left));
    site.run(&["ics-setup", "revert", "--non-interactive"]).expect(0);
    is_back();
}
