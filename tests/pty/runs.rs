//! Whole runs, for both families and both deployments; and the printed command, which does the same again.

use std::process::Command;

use crate::image::Image;
use crate::terminal::Terminal;
use crate::world;

/// A file of the Insight Agent: where it is, the wizard asks about it.
const AGENT: &str = "opt/rapid7/ir_agent/ir_agent";

/// The command that the wizard prints at its end.
fn printed(raw: &str) -> String {
    let (_, rest) = raw.split_once("The same without questions").unwrap_or_else(|| panic!("no command: {raw}"));
    let line = rest.lines().map(str::trim).find(|line| line.starts_with("ics-setup ")).unwrap();
    line.to_owned()
}

/// Runs it on another image; the n-th `<FILE>` is a file with the n-th password.
fn repeat(command: &str, from: &Image, onto: &Image, passwords: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut words = command.replace(from.path(), onto.path());
    for (index, password) in passwords.iter().enumerate() {
        let file = folder.path().join(index.to_string());
        std::fs::write(&file, format!("{password}\n")).unwrap();
        assert!(words.contains("-file '<FILE>'"), "{command}");
        words = words.replacen("-file '<FILE>'", &format!("-file {}", file.display()), 1);
    }
    assert!(!words.contains("FILE"), "{words}");
    let line = words.replacen("ics-setup", env!("CARGO_BIN_EXE_ics-setup"), 1);
    let output = Command::new("sh").args(["-c", &line]).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn assert_same_after_repeat(terminal: &Terminal, image: &Image, before: &Image, passwords: &[&str]) {
    let raw = terminal.raw();
    for password in passwords {
        assert!(!raw.contains(password), "{password} is to be seen: {raw}");
    }
    repeat(&printed(&raw), image, before, passwords);
    assert_eq!(image.files(), before.files());
    assert_eq!(image.told(), before.told());
    assert!(terminal.is_cooked() && !terminal.cursor_is_hidden());
}

#[test]
fn a_fresh_ubuntu_for_production_behind_a_proxy_with_a_login() {
    let image = Image::ubuntu();
    image.put(AGENT, "");
    let before = image.copy();
    let port = world::proxy_for("c3ZjLWljczpwQHNzOncwcmQv"); // svc-ics:p@ss:w0rd/
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[]);
    terminal.pick("Which deployment is this host for?", "production");
    terminal.pick("How does this host reach the internet?", "through a proxy");
    terminal.line("Proxy URL for http and https", &format!("127.0.0.1:{port}"));
    terminal.line("User at the proxy", "svc-ics");
    terminal.line("Password at the proxy", "p@ss:w0rd/");
    terminal.line("Hosts that are reached without the proxy", "registry.corp.example");
    terminal.pick("What is to be done?", "prepare the system");
    terminal.pick("Is apt to use the proxy too?", "yes");
    terminal.pick("Does this host run the Insight Agent?", "yes");
    terminal.pick("Insight platform region", "eu");
    terminal.line("Collector hosts", "c1.corp.example,10.0.0.5");
    terminal.pick("changes. What now?", "explain each change");
    terminal.pick("changes. What now?", "apply");
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    let environment = image.get("etc/environment");
    assert!(environment.contains(&format!("http_proxy=\"http://svc-ics:p%40ss%3Aw0rd%2F@127.0.0.1:{port}\"")));
    assert!(environment.contains("no_proxy=\"mysql,redis,169.254.169.254,registry.corp.example\""), "{environment}");
    assert!(image.has("etc/apt/apt.conf.d/95ics-setup-proxy"));
    let told = image.get("var/lib/ics-setup/state.json");
    assert!(told.contains("region\": \"eu\"") && told.contains("\"c1.corp.example,10.0.0.5\""), "{told}");
    let raw = terminal.raw();
    assert!(raw.contains("asks for a login (407: Basic)") && raw.contains("lets CONNECT "), "{raw}");
    assert!(raw.contains("read by PAM at each login") && raw.contains("1/3 "), "{raw}");
    assert!(raw.contains("ics-setup revert 2") && raw.contains("log in again"), "{raw}");
    assert_same_after_repeat(&terminal, &image, &before, &["p@ss:w0rd/"]);
}

#[test]
fn a_centos_with_the_product_for_production_and_its_back_ends() {
    let image = Image::centos().with_product();
    image.put("etc/profile.d/proxy.sh", "export http_proxy=http://old:1\n");
    let before = image.copy();
    let (proxy, mysql, redis) = (world::open_proxy(), world::mysql(), world::redis());
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[]);
    terminal.pick("Which deployment", "production");
    terminal.pick("Which proxy?", "another one");
    terminal.line("[http://old:1] ", "127.0.0.1");
    terminal.line("Port of the proxy", &proxy.to_string());
    terminal.line("Hosts that are reached without", "");
    terminal.pick("What is to be set?", "the system and the product");
    terminal.pick("Is yum to use the proxy too?", "no");
    terminal.pick("Name the MySQL and Redis servers?", "yes");
    terminal.line("MySQL host", "127.0.0.1");
    terminal.line("[3306] ", &mysql.to_string());
    terminal.line("MySQL user", "divvy");
    terminal.line("MySQL password", "db-Secret1");
    terminal.line("Name of the main database", "divvy");
    terminal.line("Name of the key database", "divvykeys");
    terminal.line("Redis host", "127.0.0.1");
    terminal.line("[6379] ", &redis.to_string());
    terminal.line("Redis password", "");
    terminal.pick("changes. What now?", "apply");
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    let raw = terminal.raw();
    assert!(raw.contains("MySQL 5.7.44-log on 127.0.0.1") && raw.contains("divvy can log in to MySQL on"), "{raw}");
    let product = image.get("divvycloud/prod.env");
    assert!(product.contains("DIVVY_DB_PASSWORD=db-Secret1\n"), "{product}");
    assert!(product.contains(&format!("\nhttp_proxy=http://127.0.0.1:{proxy}\n")), "{product}");
    assert!(image.get("etc/profile.d/proxy.sh").contains(&format!("http://127.0.0.1:{proxy}")));
    assert_same_after_repeat(&terminal, &image, &before, &["db-Secret1"]);
}

#[test]
fn test_drive_asks_for_no_servers_and_works_on_both_families() {
    for (image, file) in [(Image::ubuntu(), "etc/environment"), (Image::centos(), "etc/profile.d/proxy.sh")] {
        let before = image.copy();
        let port = world::open_proxy();
        let arguments = ["wizard", "--root", image.path(), "--home", "/opt/divvy cloud"];
        let mut terminal = Terminal::start(&arguments, &[]);
        terminal.pick("Which deployment", "Test Drive");
        terminal.pick("How does this host reach", "through a proxy");
        terminal.line("Proxy URL", &format!("http://127.0.0.1:{port}"));
        terminal.line("Hosts that are reached without", "");
        terminal.pick("What is to be done?", "prepare the system");
        terminal.pick("to use the proxy too?", "no");
        terminal.pick("changes. What now?", "apply");
        assert_eq!(terminal.end(), 0, "{}", terminal.screen());
        assert!(image.get(file).contains("127.0.0.1,localhost") || image.get(file).contains("localhost"));
        assert!(image.get("var/lib/ics-setup/state.json").contains("home\": \"/opt/divvy cloud\""));
        assert_same_after_repeat(&terminal, &image, &before, &[]);
    }
}

#[test]
fn the_product_alone_keeps_the_present_proxy_and_its_password() {
    let port = world::proxy_for("dTpwdw=="); // u:pw
    let image = Image::ubuntu();
    let line = format!("http_proxy=http://u:pw@127.0.0.1:{port}\n");
    image.put("divvycloud/prod.env", &line);
    let before = image.copy();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[]);
    terminal.pick("Which deployment", "production");
    terminal.pick("Which proxy?", "the present one");
    terminal.line("Hosts that are reached without", "db.corp");
    terminal.pick("What is to be set?", "the product: prod.env");
    terminal.pick("Name the MySQL and Redis servers?", "no");
    terminal.pick("What now?", "apply");
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert!(image.get("divvycloud/prod.env").contains("db.corp"));
    let raw = terminal.raw();
    assert!(raw.contains("lets CONNECT ") && raw.contains("ics-setup reconfigure --root"), "{raw}");
    assert_same_after_repeat(&terminal, &image, &before, &["pw"]);
}

#[test]
fn the_proxy_can_be_taken_out() {
    let image = Image::ubuntu();
    image.put("etc/environment", "PATH=\"/bin\"\nhttp_proxy=\"http://old:1\"\n");
    let before = image.copy();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[]);
    terminal.pick("Which deployment", "production");
    terminal.pick("Which proxy?", "take the proxy out");
    terminal.pick("What is to be done?", "prepare the system");
    terminal.pick("to use the proxy too?", "no");
    terminal.pick("What now?", "apply");
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert_eq!(image.get("etc/environment"), "PATH=\"/bin\"\n");
    assert_same_after_repeat(&terminal, &image, &before, &[]);
}

#[test]
fn wrong_answers_are_asked_again_and_the_way_back_leads_through_every_question() {
    let image = Image::ubuntu().with_product();
    image.put(AGENT, "");
    let before = image.picture();
    let (closed, open) = (world::closed(), world::open_proxy());
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[]);
    terminal.pick("Which deployment", "Test Drive");
    terminal.pick("How does this host reach", "< back");
    terminal.see("Which deployment");
    terminal.press("\u{1b}");
    terminal.see("there is no way back from here");
    terminal.take("Which deployment", "production");
    terminal.pick("How does this host reach", "through a proxy");
    terminal.line("Proxy URL", "ftp://x:1");
    terminal.line("not with ftp://", "http://u:seen@h:1");
    terminal.line("leave the password out", "two words:1");
    terminal.line("is no host name", "127.0.0.1");
    terminal.line("Port of the proxy", "70000");
    terminal.line("is no port", "<");
    terminal.line("Proxy URL", &format!("127.0.0.1:{closed}"));
    terminal.pick("connection refused", "look again");
    terminal.pick("connection refused", "change the answer");
    terminal.line("Proxy URL", &format!("u@127.0.0.1:{open}"));
    terminal.pick("Does the proxy want a login?", "user and password");
    terminal.line("[u] ", "");
    terminal.line("Password at the proxy", "");
    terminal.line("an answer is needed here", "<");
    terminal.line("[u] ", "<");
    terminal.pick("Does the proxy want a login?", "no login");
    terminal.line("Hosts that are reached without", "a b,c");
    terminal.line("cannot be a no_proxy member", "one.corp");
    // As the line "< back" does.
    terminal.see("What is to be set?");
    terminal.press("\u{1b}");
    terminal.line("[one.corp]", "\u{1b}");
    terminal.pick("Does the proxy want a login?", "no login");
    terminal.line("[one.corp]", "two.corp");
    terminal.pick("What is to be set?", "the system: logins");
    terminal.pick("to use the proxy too?", "no");
    terminal.pick("Name the MySQL", "yes");
    terminal.line("MySQL host", "http://db");
    terminal.line("no host name and no address", "127.0.0.1");
    terminal.line("MySQL port", &closed.to_string());
    terminal.pick("connection refused", "go on anyway");
    terminal.line("MySQL user", "<");
    terminal.line("MySQL port", "<");
    terminal.line("MySQL host", "<");
    terminal.pick("Name the MySQL", "no");
    terminal.pick("Insight Agent?", "no");
    // Back from the plan to the last question, and on again.
    terminal.pick("What now?", "< back");
    terminal.pick("Insight Agent?", "no");
    terminal.pick("What now?", "cancel");
    assert_eq!(terminal.end(), 130, "{}", terminal.screen());
    let raw = terminal.raw();
    assert!(raw.contains(": cancelled\r\n") && raw.contains("--no-proxy two.corp"), "{raw}");
    assert_eq!(raw.to_lowercase().matches("nothing was changed").count(), 1, "{raw}");
    // On one line: what is broken does not paste.
    let hint = raw.lines().skip_while(|line| !line.ends_with("the same without questions:")).nth(1).unwrap_or_default();
    assert!(hint.starts_with("      ics-setup ") && hint.ends_with("--non-interactive"), "{raw}");
    assert_eq!(image.picture(), before);
    assert!(terminal.is_cooked() && !terminal.cursor_is_hidden());
}

#[test]
fn what_the_servers_say_to_a_login_leads_back_to_the_right_question() {
    let image = Image::ubuntu().with_product();
    let (proxy, mysql, redis) = (world::open_proxy(), world::mysql(), world::redis_for("right-Pw1"));
    let mut terminal = Terminal::start(&["wizard", "--root", image.path(), "--home", "/divvycloud"], &[]);
    terminal.pick("Which deployment", "production");
    terminal.pick("How does this host reach", "through a proxy");
    // As the vendor's example has it; the port speaks no TLS.
    terminal.line("Proxy URL", &format!("https://127.0.0.1:{proxy}"));
    terminal.see("begins with https:// and");
    terminal.take("What now?", &format!("take http://127.0.0.1:{proxy}"));
    terminal.line("Hosts that are reached without", "");
    terminal.pick("What is to be set?", "the system and the product");
    terminal.pick("Is apt to use the proxy too?", "no");
    terminal.pick("Name the MySQL and Redis servers?", "yes");
    terminal.line("MySQL host", "127.0.0.1");
    terminal.line("MySQL port", &mysql.to_string());
    terminal.line("MySQL user", "somebody");
    terminal.line("MySQL password", "Wrong-pw1");
    terminal.line("Name of the main database", "divvy");
    terminal.line("Name of the key database", "divvykeys");
    terminal.see("denies the login of somebody");
    terminal.take("What now?", "change the answer");
    terminal.line("[somebody] ", "divvy");
    terminal.line("[the known one]", "");
    terminal.line("[divvy] ", "");
    terminal.line("[divvykeys] ", "");
    terminal.line("Redis host", "127.0.0.1");
    terminal.line("Redis port", &redis.to_string());
    terminal.line("Redis password", "");
    terminal.see("wants a password, and none was given");
    terminal.take("What now?", "change the answer");
    terminal.line("Redis password", "Wrong-pw2");
    terminal.see("refuses the password");
    terminal.take("What now?", "change the answer");
    terminal.line("[the known one]", "right-Pw1");
    terminal.pick("changes. What now?", "apply");
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    let raw = terminal.raw();
    assert!(raw.contains("divvy can log in to MySQL on") && raw.contains("takes the password"), "{raw}");
    assert!(raw.contains("it asks for a password"), "{raw}");
    for password in ["Wrong-pw1", "Wrong-pw2", "right-Pw1"] {
        assert!(!raw.contains(password), "{raw}");
    }
    let product = image.get("divvycloud/prod.env");
    assert!(product.contains(&format!("\nhttp_proxy=http://127.0.0.1:{proxy}\n")), "{product}");
}

#[test]
fn a_proxy_that_wants_a_login_that_the_product_cannot_give() {
    let image = Image::ubuntu();
    let port = world::ntlm_proxy();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path(), "--home", "/d"], &[]);
    terminal.pick("Which deployment", "Test Drive");
    terminal.pick("How does this host reach", "through a proxy");
    terminal.line("Proxy URL", &format!("127.0.0.1:{port}"));
    terminal.hear("offered: NTLM");
    terminal.see("try: ask the proxy team for Basic");
    terminal.take("What now?", "go on anyway");
    terminal.see("Hosts that are reached without");
    let raw = terminal.raw();
    assert!(raw.contains("a login would not change that") && !raw.contains("want a login?"), "{raw}");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130);
}

#[test]
fn a_check_of_the_plan_that_fails_leads_back_to_its_question_and_keeps_the_answers() {
    let image = Image::ubuntu();
    let before = image.picture();
    let open = world::open_proxy();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path(), "--release", "22.3.9"], &[]);
    terminal.pick("Which deployment", "Test Drive");
    terminal.pick("How does this host reach", "through a proxy");
    terminal.line("Proxy URL", &format!("127.0.0.1:{open}"));
    terminal.line("Hosts that are reached without", "one.corp");
    terminal.pick("What is to be done?", "write the product's files too");
    // To a container it is the container itself.
    terminal.pick("The plan does not hold. What now?", "show what was found");
    terminal.pick("The plan does not hold. What now?", "go back to the questions");
    assert_eq!(image.picture(), before);
    terminal.line(&format!("[http://127.0.0.1:{open}]"), "");
    terminal.line("[one.corp]", "");
    terminal.see("What is to be done?");
    assert!(terminal.screen().contains("> write the product's files too"), "{}", terminal.screen());
    terminal.take("What is to be done?", "prepare the system");
    terminal.pick("to use the proxy too?", "no");
    terminal.pick("changes. What now?", "cancel");
    assert_eq!(terminal.end(), 130, "{}", terminal.screen());
    assert_eq!(image.picture(), before);
}

#[test]
fn lines_that_are_pasted_answer_one_question_each_and_never_the_last_one() {
    let image = Image::ubuntu();
    let before = image.picture();
    let open = world::open_proxy();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[("TERM", "dumb")]);
    terminal.see("Which deployment");
    // Test Drive, through a proxy, its URL, no other hosts, the system alone, no apt; and a 1 for the plan: apply.
    terminal.press(&format!("1\r1\r127.0.0.1:{open}\r\r1\r1\r1\r"));
    terminal.see("changes. What now?");
    assert!(terminal.raw().contains("What was typed before this question is no answer to it"), "{}", terminal.raw());
    terminal.take("changes. What now?", "cancel");
    assert_eq!(terminal.end(), 130, "{}", terminal.screen());
    assert_eq!(image.picture(), before);
}

#[test]
fn the_product_s_files_of_an_image_for_production() {
    let image = Image::ubuntu();
    let before = image.copy();
    let (mysql, redis) = (world::mysql(), world::redis());
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[]);
    terminal.pick("Which deployment", "production");
    terminal.pick("How does this host reach", "without a proxy");
    terminal.pick("What is to be done?", "write the product's files too");
    terminal.line("MySQL host", "127.0.0.1");
    terminal.line("[3306] ", &mysql.to_string());
    terminal.line("[divvy] ", "");
    terminal.line("MySQL password", "db-Secret1");
    terminal.line("[divvy] ", "");
    terminal.line("[divvykeys] ", "");
    terminal.line("Redis host", "127.0.0.1");
    terminal.line("[6379] ", &redis.to_string());
    terminal.line("Redis password", "");
    terminal.pick("2 changes. What now?", "explain each change");
    terminal.pick("2 changes. What now?", "apply");
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    let raw = terminal.raw();
    assert!(raw.contains("ics-setup install --root") && raw.contains("--mysql-password-file '<FILE>'"), "{raw}");
    assert!(image.has("divvycloud/docker-compose.yml"));
    assert!(image.get("divvycloud/prod.env").contains("\nDIVVY_DB_PASSWORD=db-Secret1\n"));
    assert_same_after_repeat(&terminal, &image, &before, &["db-Secret1"]);
}

#[test]
fn the_product_s_files_of_an_image_for_a_test_drive() {
    let image = Image::centos();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path(), "--release", "22.3.9"], &[]);
    terminal.pick("Which deployment", "Test Drive");
    terminal.pick("How does this host reach", "without a proxy");
    terminal.pick("What is to be done?", "write the product's files too");
    terminal.pick("What now?", "apply");
    assert_eq!(terminal.end(), 0, "{}", terminal.screen());
    assert!(image.get("divvycloud/docker-compose.yml").contains("v22.3.9"));
    let command = printed(&terminal.raw());
    let wanted = format!("install --root {} --deployment test-drive --release 22.3.9", image.path());
    assert!(command.contains(&wanted) && !command.contains("FILE"), "{command}");
}

/// The JSON that stands on a terminal among questions.
fn json(raw: &str) -> serde_json::Value {
    let plain = raw.replace("\r\n", "\n");
    let start = plain.find("{\n  \"schema\"").unwrap_or_else(|| panic!("no JSON: {raw}"));
    let mut values = serde_json::Deserializer::from_str(&plain[start..]).into_iter();
    values.next().unwrap().unwrap_or_else(|error| panic!("{error}: {raw}"))
}

#[test]
fn as_json_it_ends_with_the_run_and_the_command_that_repeats_it() {
    for (answer, code, outcome) in [("apply", 0, "changed"), ("cancel", 130, "failed")] {
        let image = Image::ubuntu();
        let url = format!("http://127.0.0.1:{}", world::open_proxy());
        let arguments =
            ["wizard", "--root", image.path(), "--format", "json", "--proxy", &url, "--agent-region", "us9"];
        let mut terminal = Terminal::start(&arguments, &[]);
        terminal.pick("Which deployment", "Test Drive");
        terminal.line("Hosts that are reached without", "");
        terminal.pick("What is to be done?", "prepare the system");
        terminal.see("changes. What now?");
        assert!(terminal.raw().contains("\"us9\" of the Insight Agent"), "{}", terminal.raw());
        terminal.take("changes. What now?", answer);
        assert_eq!(terminal.end(), code, "{}", terminal.screen());
        let json = json(&terminal.raw());
        assert_eq!(json["outcome"], outcome, "{json:#}");
        let steps = if code == 0 { &json["next_steps"] } else { &json["error"]["try"] };
        let last = steps.as_array().unwrap().last().unwrap().as_str().unwrap();
        let wanted = format!("the same without questions: ics-setup prepare --root {}", image.path());
        assert!(last.starts_with(&wanted) && last.contains(&format!("--proxy {url}")), "{json:#}");
    }
}

#[test]
fn what_is_typed_while_the_world_is_asked_is_no_answer_and_costs_no_line() {
    let image = Image::ubuntu();
    let (port, gate) = world::waiting_proxy();
    let mut terminal = Terminal::start(&["wizard", "--root", image.path()], &[]);
    terminal.pick("Which deployment", "Test Drive");
    terminal.pick("How does this host reach", "through a proxy");
    terminal.line("Proxy URL", &format!("127.0.0.1:{port}"));
    terminal.hear("asking http://127.0.0.1");
    let hosts: Vec<String> = (0..45).map(|number| format!("host-{number}.corp.example")).collect();
    terminal.press(&format!("{}\r", hosts.join(",")));
    gate.open();
    // It forbids everything: a login is not asked for.
    terminal.pick("What now?", "go on anyway");
    terminal.see("Hosts that are reached without");
    let screen = terminal.screen();
    assert!(screen.starts_with("ics-setup wizard: nothing is changed") && !screen.contains("host-1."), "{screen}");
    assert!(
        screen.contains("  Deployment      Test Drive") && screen.contains("Enter takes what is marked"),
        "{screen}"
    );
    // A line that Ctrl-D ends is ended by us, and costs none either.
    terminal.press("one.corp\u{4}\u{4}");
    terminal.see("What is to be done?");
    let screen = terminal.screen();
    assert!(screen.starts_with("ics-setup wizard") && screen.contains("  Without proxy   one.corp\n"), "{screen}");
    terminal.press("\u{3}");
    assert_eq!(terminal.end(), 130);
}
