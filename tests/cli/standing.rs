//! Where a host stands on the whole way, and the one step that comes next: the same in `status` and at the end of each verb.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::fixes::Programs;
use crate::root::Root;

mod whole;

const P: &str = "http://p.corp.example:3128";

/// A host without the product.
fn bare() -> Root {
    let root = Root::ubuntu();
    fs::remove_dir_all(root.at("divvycloud")).unwrap();
    root
}

fn next(result: &Value) -> Option<String> {
    let steps = result["next_steps"].as_array().unwrap();
    steps.last().map(|step| step.as_str().unwrap().to_owned())
}

/// The command of a step, as it is printed; what else it may be stands behind it.
fn command(step: &str) -> String {
    let line = &step[step.find("ics-setup ").unwrap_or_else(|| panic!("{step}: a command"))..];
    line.split("; ").next().unwrap().to_owned()
}

/// The lock of a run that is at work.
fn locked(root: &Root) -> nix::fcntl::Flock<fs::File> {
    let lock = fs::File::open(root.at("var/lib/ics-setup/lock")).unwrap();
    nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap()
}

/// A `revert` that has said that it waits, and what else it says.
fn waiting_revert(root: &Root) -> (Child, impl Iterator<Item = String>) {
    let mut revert = Command::new(env!("CARGO_BIN_EXE_ics-setup"))
        .args(["revert", "--yes", "--root", root.path().to_str().unwrap()])
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(revert.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("waiting for it")));
    (revert, lines)
}

#[test]
fn the_next_step_leads_from_a_bare_image_to_a_checked_one_and_each_verb_ends_with_it() {
    let (root, programs) = (bare(), Programs::new(&[]));
    let status = || root.json(&["status"]).1;
    let begin = next(&status()).unwrap();
    assert!(command(&begin).starts_with("ics-setup wizard --root "), "{begin}");
    let text = root.run(&["status"]).ok().stdout;
    let says = "ics-setup network allowlist --component agent --agent-region <REGION> --format csv --root ";
    let line = text.lines().find_map(|line| Some(&line[line.find(says)?..])).unwrap_or_else(|| panic!("{text}"));
    assert!(text.contains("For InsightCloudSec as SaaS"), "{text}");
    let listed = programs.paste(&line.replace("<REGION>", "us")).unwrap();
    assert!(listed.contains("rapid7"), "what is left there is the agent: {listed}");

    let (code, ran) = root.json(&["prepare", "--proxy", P, "--yes"]);
    assert_eq!(code, 0, "{ran:#}");
    let install = next(&ran).unwrap();
    assert_eq!(next(&status()).as_ref(), Some(&install), "the verb says what status says");
    let line = command(&install);
    assert!(line.starts_with("ics-setup install --deployment test-drive --root "), "{line}");
    let ran = programs.paste(&format!("{line} --yes --format json")).unwrap();
    let boot = next(&serde_json::from_str(&ran).unwrap()).unwrap();
    assert_eq!(next(&status()).as_ref(), Some(&boot));
    assert_eq!(boot, "on the running system, install starts what is written here: sudo ics-setup install");
    let text = root.run(&["status"]).ok().stdout;
    assert!(
        text.contains("  ok prod.env  as wanted") && text.contains("1 of 1 place has p.corp.example:3128"),
        "{text}"
    );
}

#[test]
fn a_host_that_was_set_up_by_hand_is_led_to_what_its_own_files_say() {
    let root = Root::ubuntu();
    root.put("etc/environment", format!("http_proxy={P}\nhttps_proxy={P}\n"));
    let programs = Programs::new(&[]);
    let mut way = Vec::new();
    loop {
        let Some(step) = next(&root.json(&["status"]).1) else { break };
        let line = command(&step);
        way.push(line.split(" --root ").next().unwrap().to_owned());
        if way.len() > 4 || !line.contains(" --root ") {
            break;
        }
        programs.paste(&format!("{line} --yes")).unwrap();
    }
    // The compose file that is missing is named before what starts it.
    let made = "ics-setup install --deployment test-drive";
    assert_eq!(way, ["ics-setup prepare", "ics-setup reconfigure", made, "ics-setup install"]);
    // Nobody has said which one is right: what the product has is found first.
    root.put("divvycloud/prod.env", root.get("divvycloud/prod.env").replace("p.corp.example", "q.corp.example"));
    let (_, now) = root.json(&["status"]);
    assert_eq!(
        (&now["drift"][0]["path"], &now["proxy"]["have"]),
        (&"/divvycloud/prod.env".into(), &0.into()),
        "{now:#}"
    );
    let line = command(&next(&now).unwrap());
    assert!(line.starts_with("ics-setup prepare --proxy http://q.corp.example:3128"), "{line}");
    programs.paste(&format!("{line} --yes")).unwrap();
    assert_eq!(root.json(&["status"]).1["proxy"]["have"], 1, "what was printed does what it was printed for");
    // Somebody has.
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    let (_, now) = root.json(&["status"]);
    assert!(next(&now).unwrap().contains("ics-setup reconfigure"), "{now:#}");
    let text = root.run(&["status"]).ok().stdout;
    assert!(text.contains("need you") && text.contains("reconfigure would write "), "{text}");
}

#[test]
fn what_cannot_be_judged_is_not_called_done() {
    let root = bare();
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    let (_, ran) = root.json(&["revert", "--yes"]);
    assert_eq!(next(&ran), next(&root.json(&["status"]).1), "it is as before the first run");
    assert!(next(&ran).unwrap().starts_with("prepare this host"), "{ran:#}");

    root.put("etc/ics-setup/settings.toml", "[proxy]\nurl = 3\n");
    let (code, now) = root.json(&["status"]);
    assert_eq!(code, 0);
    assert!(now["unknown"].is_string() && now["prepare"].is_null() && next(&now).is_some(), "{now:#}");
    let text = root.run(&["status"]).ok().stdout;
    assert!(text.contains("xx not seen  ") && text.contains("Ubuntu 22.04 LTS") && !text.contains("  ok "), "{text}");
    fs::remove_file(root.at("etc/ics-setup/settings.toml")).unwrap();

    // A place that cannot be read may say something.
    fs::create_dir(root.at("etc/ics-setup/settings.toml")).unwrap();
    assert!(root.json(&["status"]).1["unknown"].is_string());
    fs::remove_dir(root.at("etc/ics-setup/settings.toml")).unwrap();
    fs::create_dir_all(root.at("etc/systemd/system/docker.service.d/http-proxy.conf")).unwrap();
    root.put("etc/environment", format!("http_proxy={P}\nhttps_proxy={P}\n"));
    let (_, now) = root.json(&["status"]);
    assert!(now["unknown"].as_str().unwrap().contains("http-proxy.conf"), "{now:#}");

    // Journals that say nothing are told beside the rest, and by every verb.
    let run = fs::read_dir(root.at("var/lib/ics-setup/runs")).unwrap().next().unwrap().unwrap().path();
    for journal in [&b"\0garb"[..], b"", b"{\"record\":\"begin\",\"ver"] {
        fs::write(run.join("journal"), journal).unwrap();
        let ran = root.run(&["status"]);
        assert_eq!(ran.code, 5, "{}", ran.stdout);
        assert!(ran.stdout.contains("the journal of run ") && ran.stdout.contains("Ubuntu"), "{}", ran.stdout);
        assert!(!ran.stdout.contains("No run so far"), "{}", ran.stdout);
        assert_eq!(root.run(&["revert", "--yes"]).code, 5);
    }
    let (_, now) = root.json(&["status"]);
    let line = command_of(&next(&now).unwrap(), "mv ");
    Programs::new(&[]).paste(&line).unwrap();
    assert_eq!(root.run(&["status"]).code, 0, "what was printed does what it was printed for");
}

/// The command of a step that begins so.
fn command_of(step: &str, word: &str) -> String {
    step[step.find(word).unwrap_or_else(|| panic!("{step}: {word}"))..].to_owned()
}

#[test]
fn a_site_without_proxy_and_a_production_are_led_on() {
    let root = bare();
    root.run(&["prepare", "--direct", "--yes"]).ok();
    let (_, now) = root.json(&["status"]);
    assert!(next(&now).unwrap().contains("ics-setup install"), "{now:#}");
    assert!(root.run(&["status"]).ok().stdout.contains("this site is direct, as somebody has said, and none is set"));
    root.run(&["prepare", "--proxy", P, "--deployment", "production", "--yes"]).ok();
    let step = next(&root.json(&["status"]).1).unwrap();
    for flag in ["--mysql-host <", "--mysql-password-file <", "--redis-host <"] {
        assert!(step.contains(flag), "{step}");
    }
}

#[test]
fn a_variable_that_means_nothing_is_said() {
    let root = bare();
    let text = root.run_with(&["status"], &[("ICS_SETUP_PROXXY", P)], "").ok().stdout;
    assert!(text.contains("the variable ICS_SETUP_PROXXY means nothing"), "{text}");
}

#[test]
fn a_check_is_kept_on_request_alone_and_counts_until_the_next_run() {
    let root = bare();
    root.run(&["check", "host", "--fail-on", "never"]).ok();
    assert!(root.json(&["status"]).1["last_check"].is_null() && !root.has("var/lib/ics-setup"));
    root.run(&["check", "host", "--save", "--fail-on", "never"]).ok();
    assert!(root.json(&["status"]).1["last_check"]["time"].is_string());
    root.run(&["check", "--save-facts", root.at("f").to_str().unwrap(), "--fail-on", "never"]).ok();
    let ran = crate::root::run(&["check", "--save", "--from", root.at("f").to_str().unwrap()], &[], "");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let file = root.at("var/lib/ics-setup/last-check.json");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    fs::write(file, "{").unwrap();
    let text = root.run(&["status"]).ok().stdout;
    assert!(text.contains("how the last one ended is not known: its file is not what ics-setup wrote"), "{text}");
}

#[test]
fn what_a_person_typed_on_an_instance_of_a_cloud_belongs_into_user_data() {
    let (root, programs) = (bare(), Programs::new(&[]));
    root.put("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    let said = "Amazon EC2: where a group replaces its instances, what was typed here goes with this one";
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    assert!(!root.run(&["status"]).ok().stdout.contains(said), "a first boot ran it");
    root.run_with(&["prepare", "--proxy", "http://q.corp.example:3128", "--yes"], &[("SUDO_USER", "alice")], "").ok();
    let text = root.run(&["status"]).ok().stdout;
    assert!(text.contains(said), "{text}");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("-> ics-setup settings")).unwrap();
    let settings = programs.paste(&format!("ics-setup settings{line}")).unwrap();
    assert!(settings.contains("[proxy]") && settings.contains("q.corp.example"), "{settings}");
}

#[test]
fn a_task_of_ecs_and_an_instance_get_their_own_answers() {
    let root = bare();
    root.put("etc/ecs/ecs.config", "ECS_CLUSTER=x\n");
    let text = root.run(&["status"]).ok().stdout;
    assert!(text.contains("container instance of Amazon ECS") && text.contains("render ecs-env"), "{text}");
    assert_eq!(root.json(&["status"]).1["ecs"], "container-instance");
}

#[test]
fn podman_in_the_place_of_docker_is_said_before_an_installation_is_begun() {
    let root = bare();
    root.program("usr/bin/podman");
    std::os::unix::fs::symlink("podman", root.at("usr/bin/docker")).unwrap();
    let (_, ran) = root.json(&["prepare", "--proxy", P, "--yes"]);
    let step = next(&ran).unwrap();
    assert!(step.contains("podman stands in its place") && step.contains("remove the package podman-docker"), "{step}");
    let text = root.run(&["status"]).ok().stdout;
    assert!(text.contains("this host's docker is podman"), "{text}");
}

#[test]
fn what_a_step_needs_of_the_call_stands_in_it_and_a_proxy_that_went_goes_everywhere() {
    let root = Root::ubuntu();
    root.put("s.toml", format!("[proxy]\nurl = '{P}'\nno_proxy = ['wiki.corp.example']\n"));
    let file = root.at("s.toml").display().to_string();
    let programs = Programs::new(&[]);
    let mut way = Vec::new();
    for _ in 0..3 {
        let (_, now) = root.json(&["status", "--settings", &file]);
        let step = next(&now).unwrap();
        let line = command(&step);
        way.push(line.split(' ').nth(1).unwrap().to_owned());
        if line.contains(&file) {
            programs.paste(&format!("{line} --yes")).unwrap();
        }
    }
    assert_eq!(way, ["prepare", "reconfigure", "install"]);
    assert!(root.get("etc/environment").contains("wiki.corp.example"));

    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    root.run(&["reconfigure", "--yes"]).ok();
    let (_, ran) = root.json(&["prepare", "--remove-proxy", "--yes"]);
    let line = command(&next(&ran).unwrap());
    assert!(line.starts_with("ics-setup reconfigure --remove-proxy"), "{line}");
    programs.paste(&format!("{line} --yes")).unwrap();
    assert!(!root.get("divvycloud/prod.env").lines().any(|line| line.starts_with("http_proxy=h")));
    assert!(!next(&root.json(&["status"]).1).unwrap().contains("--proxy"));

    // The other way about: what brings the proxy back to the product comes second.
    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    root.run(&["reconfigure", "--yes"]).ok();
    let (_, ran) = root.json(&["reconfigure", "--remove-proxy", "--yes"]);
    let line = command(&next(&ran).unwrap());
    assert!(line.starts_with("ics-setup prepare --remove-proxy"), "{line}");
    let told = root.run(&["status"]).ok().stdout;
    assert!(told.contains("the proxy was taken out of it, and this system has it still"), "{told}");
    assert!(told.contains("or have the product use it again: ics-setup reconfigure"), "{told}");
    programs.paste(&format!("{line} --yes")).unwrap();
    assert!(!root.get("etc/environment").contains("http_proxy"));
    assert!(!next(&root.json(&["status"]).1).unwrap().contains("--proxy"));
}

/// What is brought back with an edit in it is as the run has not left it: status says so, as revert does.
#[test]
fn an_edit_that_came_back_with_its_file_is_told_as_revert_tells_it() {
    let root = Root::ubuntu();
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    let edited = root.get("etc/environment") + "export EDITED=1\n";
    root.put("etc/environment", &edited);
    let (_, forced) = root.json(&["revert", "--force", "--yes"]);
    root.run(&["revert", forced["run"].as_str().unwrap(), "--yes"]).ok();
    assert_eq!(root.get("etc/environment"), edited);
    let told = root.json(&["status"]).1["drift"].to_string();
    let refused = root.run(&["revert", "--yes"]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(told.contains("edited since run") && refused.stderr.contains("was edited since run"), "{told}");
}

#[test]
fn a_proxy_that_nobody_has_asked_for_is_told_with_who_has_it() {
    let root = Root::ubuntu();
    root.put("etc/apt/apt.conf.d/95corp", "Acquire::http::Proxy \"http://svc:S3cret@corp.example:3128\";\n");
    let told = root.run(&["status"]).ok().stdout;
    assert!(told.contains("nobody has asked for one, and apt has http://svc:***@corp.example:3128"), "{told}");
    let checked = root.run(&["check", "proxy"]).stdout;
    assert!(!checked.contains("none is set on this host"), "{checked}");
}

#[test]
fn whoever_has_the_lock_and_makes_no_run_keeps_nothing_from_being_taken_back() {
    let root = bare();
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    let lock = locked(&root);
    let (mut revert, lines) = waiting_revert(&root);
    drop(lock);
    let rest: Vec<String> = lines.collect();
    assert_eq!(revert.wait().unwrap().code(), Some(0), "{rest:?}");
    assert!(!root.get("etc/environment").contains(P));
}

#[test]
fn a_dry_run_takes_every_interrupted_run_back_as_a_real_one_does() {
    let root = bare();
    let before = root.get("etc/environment");
    for proxy in [P, "http://other.corp.example:1"] {
        root.run(&["prepare", "--proxy", proxy, "--yes"]).ok();
    }
    for run in fs::read_dir(root.at("var/lib/ics-setup/runs")).unwrap() {
        let journal = run.unwrap().path().join("journal");
        let whole = fs::read_to_string(&journal).unwrap();
        fs::write(&journal, format!("{}\n", whole.lines().next().unwrap())).unwrap();
    }
    fs::remove_file(root.at("var/lib/ics-setup/runs.json")).unwrap();
    let (code, json) = root.json(&["revert", "--all", "--dry-run"]);
    let changes = json["changes"].as_array().unwrap();
    let own = changes.iter().find(|own| own["path"] == "/etc/environment").unwrap_or_else(|| panic!("{json:#}"));
    let diff = own["diff"].as_str().unwrap();
    assert!(code == 0 && diff.contains("other.corp.example") && !diff.contains(P), "{diff}");
    root.run(&["revert", "--all", "--yes"]).ok();
    assert_eq!(root.get("etc/environment"), before);
}

#[test]
fn a_run_at_work_is_waited_for_and_nothing_is_taken_back_behind_its_back() {
    let root = bare();
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    let run = fs::read_dir(root.at("var/lib/ics-setup/runs")).unwrap().next().unwrap().unwrap().path();
    // As while it is at work: its journal has no end yet, and it has the lock.
    let whole = fs::read_to_string(run.join("journal")).unwrap();
    fs::write(run.join("journal"), format!("{}\n", whole.lines().next().unwrap())).unwrap();
    fs::remove_file(root.at("var/lib/ics-setup/runs.json")).unwrap();
    let step = next(&root.json(&["status"]).1).unwrap();
    assert!(step.starts_with("take back run "), "{step}");
    let lock = locked(&root);
    let step = next(&root.json(&["status"]).1).unwrap();
    assert!(step.starts_with("wait for its end: process ") && !step.contains("revert"), "{step}");
    let (mut revert, lines) = waiting_revert(&root);
    fs::write(run.join("journal"), whole).unwrap();
    drop(lock);
    let rest: Vec<String> = lines.collect();
    assert_eq!(revert.wait().unwrap().code(), Some(7), "{rest:?}");
    assert!(rest.concat().contains("another run has come to its end while this one waited for it"), "{rest:?}");
    assert!(root.get("etc/environment").contains(P));
}

#[test]
fn what_can_be_read_only_once_is_read_once_and_the_step_behind_it_names_no_file_of_it() {
    let root = bare();
    let folder = tempfile::TempDir::new().unwrap();
    let pipe = |name: &str, content: &'static str| {
        let path = folder.path().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let place = path.clone();
        // A second reader would wait for a writer that does not come.
        std::thread::spawn(move || fs::write(place, content).unwrap());
        path.to_str().unwrap().to_owned()
    };
    let settings = pipe("settings", "[proxy]\nurl = 'http://p.corp.example:3128'\nuser = 'svc'\n");
    let password = pipe("password", "S3cret\n");
    let ran = Command::new("timeout")
        .args(["300", env!("CARGO_BIN_EXE_ics-setup"), "prepare", "--yes", "--format", "json"])
        .args(["--settings", &settings, "--proxy-password-file", &password, "--root"])
        .arg(root.path())
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let ran: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(ran["outcome"], "changed", "{ran:#}");
    let step = next(&ran).unwrap();
    assert!(command(&step).starts_with("ics-setup install ") && !step.contains("--settings"), "{step}");
    assert!(root.get("etc/environment").contains("http://svc:S3cret@p.corp.example:3128"));
}

#[test]
fn where_the_files_name_two_proxies_the_step_names_one_and_ends_it() {
    let root = Root::ubuntu();
    root.put("etc/environment", "http_proxy=http://a.example:1\n");
    let text = root.get("divvycloud/prod.env");
    root.put("divvycloud/prod.env", format!("{text}\nhttp_proxy=http://c.example:3\n"));
    let line = command(&next(&root.json(&["status"]).1).unwrap());
    assert!(line.starts_with("ics-setup prepare --proxy http://c.example:3"), "{line}");
    let ran = Programs::new(&[]).paste(&format!("{line} --yes --format json")).unwrap();
    let told = next(&serde_json::from_str(&ran).unwrap()).unwrap();
    assert!(command(&told).starts_with("ics-setup reconfigure "), "{told}");
    assert_eq!(next(&root.json(&["status"]).1).unwrap(), told);
    let system = root.get("etc/environment");
    assert!(system.contains("https_proxy=\"http://c.example:3") && !system.contains("a.example"), "{system}");
    Programs::new(&[]).paste(&format!("{} --yes", command(&told))).unwrap();
    assert!(!root.get("divvycloud/prod.env").contains("a.example"));
}
