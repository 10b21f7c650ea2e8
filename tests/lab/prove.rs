//! `prove`: this root's own programs over planned files. What they do is seen without any model, nothing is written and
//! nothing stays, also after a kill.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::common::{Family, Guest, Manifest, Ran, skip, until};

const PROXY: &str = "http://proxy.corp.example:3128";
const PASSWORD: &str = "p@ss:w0rd/#?%$\"'\\ é";
const LOGIN: [&str; 4] = ["--proxy-user", "svc", "--proxy-password-file", "/run/password"];
/// Folders that logins, sudo, sshd and cron write to.
const WRITTEN: [&str; 6] = ["etc", "home", "root", "var", "tmp", "run"];

fn guest(family: Family) -> Guest {
    let guest = Guest::new(family);
    guest.write("/run/password", PASSWORD);
    guest.sh("chmod 600 /run/password");
    guest
}

fn prove(guest: &Guest, more: &[&str]) -> Ran {
    let words = ["ics-setup", "prove", "--format", "json", "--client", "python3"];
    answered(guest, &[&words[..], more].concat(), &[ALL_LATE])
}

/// What is said where the time of all programs is over, and where that of one is.
const ALL_LATE: &str = "within the time that all programs have together";
const ONE_LATE: &str = "no end within";

/// On a machine with much else to do, programs do not all get to an answer: then they are asked again.
fn answered(guest: &Guest, words: &[&str], late: &[&str]) -> Ran {
    until(|| {
        let ran = guest.run(words);
        let said = String::from_utf8_lossy(&ran.out);
        if late.iter().any(|late| said.contains(late)) { Err(ran.to_string()) } else { Ok(ran) }
    })
}

/// With the settings of these tests, over what `prepare` would write.
fn planned(guest: &Guest, more: &[&str]) -> Ran {
    prove(guest, &[&["--proxy", PROXY, "--no-proxy", "wiki.corp.example"][..], &LOGIN, more].concat())
}

/// The ways of a door's program, or that it was not asked.
fn ways(result: &Value, door: &str) -> Vec<String> {
    let programs = result["programs"].as_array().unwrap();
    let program =
        programs.iter().find(|program| program["door"] == door).unwrap_or_else(|| panic!("{door}: {result:#}"));
    let asks = program["asks"].as_array().unwrap().iter();
    asks.map(|ask| ask["route"].as_str().unwrap().to_owned()).collect()
}

fn statuses(result: &Value, id: &str) -> Vec<String> {
    let findings = result["findings"].as_array().unwrap().iter().filter(|finding| finding["id"] == id);
    findings.map(|finding| finding["status"].as_str().unwrap().to_owned()).collect()
}

/// All that could stay: files, mounts, processes with their namespaces, routes.
struct Snapshot {
    files: Vec<Manifest>,
    rest: String,
}

impl Snapshot {
    fn take(guest: &Guest) -> Self {
        let files = WRITTEN.iter().map(|folder| Manifest::take(&guest.path(folder), &[])).collect();
        // Of a process whose parent has ended, the guest's first process would have to fetch the exit code, and does not.
        let script = "cat /proc/1/mountinfo; ip route show table all; ip link; \
                      for p in /proc/[0-9]*; do grep -qs '^State:.[^Z]' $p/status || continue; \
                      tr '\\0' ' ' <$p/cmdline; readlink $p/ns/net $p/ns/mnt $p/ns/pid || true; done | \
                      grep -Ev '^(tr|grep|sort|readlink|sh -ec|timeout)' | sort -u";
        Self { files, rest: guest.sh(script) }
    }

    #[track_caller]
    fn is_still(&self, guest: &Guest, when: &str) {
        let now = until(|| {
            let now = Self::take(guest);
            if now.rest == self.rest { Ok(now) } else { Err(format!("{when}: {}\nbecame\n{}", self.rest, now.rest)) }
        });
        for (folder, (before, after)) in WRITTEN.iter().zip(self.files.iter().zip(&now.files)) {
            assert_eq!(before.touched(after), Vec::<std::path::PathBuf>::new(), "{when}: /{folder}");
        }
    }
}

#[test]
fn planned_files_are_read_by_real_logins_and_nothing_stays() {
    let guest = guest(Family::Ubuntu);
    let before = Snapshot::take(&guest);
    let ran = planned(&guest, &[]).expect(0);
    let result = ran.json();
    assert_eq!(result["planned"], true);
    for door in ["su-", "su", "cron"] {
        assert_eq!(ways(&result, door), ["proxy", "direct", "direct"], "{door}: {result:#}");
    }
    assert_eq!(ways(&result, "sudo"), ["direct"; 3], "{result:#}");
    // No systemd runs here, and what it will give is in the models alone.
    let services: Vec<&Value> =
        result["programs"].as_array().unwrap().iter().filter(|program| program["door"] == "service").collect();
    assert!(!services.is_empty(), "{result:#}");
    for service in services {
        assert_eq!(
            (&service["known"], &service["model"]),
            (&"model".into(), &["direct"; 3].to_vec().into()),
            "{service:#}"
        );
    }
    let ask = &result["programs"][0]["asks"][0];
    assert_eq!((&ask["proxy"], &ask["login"]), (&"proxy.corp.example:3128".into(), &"right".into()), "{ask:#}");
    let text = String::from_utf8_lossy(&ran.out).into_owned() + &ran.err;
    assert!(!text.contains("w0rd"), "{text}");
    before.is_still(&guest, "after prove");
    // As they are, the files say nothing.
    let result = prove(&guest, &[]).expect(0).json();
    assert_eq!((&result["planned"], ways(&result, "su-")), (&false.into(), vec!["direct".to_owned(); 3]), "{result:#}");
    before.is_still(&guest, "after the second");
}

#[test]
fn sabotage_is_seen_by_the_program_itself() {
    let guest = guest(Family::Ubuntu);
    guest.write("/etc/profile.d/zz-site.sh", "unset https_proxy\n");
    guest.write(
        "/etc/pam.d/cron",
        "@include common-auth\n@include common-account\n@include common-session-noninteractive\n",
    );
    let result = planned(&guest, &[]).expect(4).json();
    assert_eq!(ways(&result, "su-"), ["direct"; 3], "{result:#}");
    assert_eq!(ways(&result, "cron"), ["direct"; 3], "{result:#}");
    assert_eq!(ways(&result, "su"), ["proxy", "direct", "direct"], "{result:#}");
    assert!(statuses(&result, "prove-way").contains(&"fail".to_owned()), "{result:#}");

    guest.sh("rm /etc/profile.d/zz-site.sh");
    // Another proxy, and another login at the right one.
    for (url, proxy, login) in [
        ("http://old.corp.example:8080", "old.corp.example:8080", "none"),
        ("http://svc:other@proxy.corp.example:3128", "proxy.corp.example:3128", "wrong"),
        (PROXY, "proxy.corp.example:3128", "none"),
    ] {
        // prepare writes to every script of profile.d that sets a proxy, and never to a home.
        guest.write("/home/divvy/.profile", format!("export https_proxy={url}\n"));
        let result = planned(&guest, &[]).expect(4).json();
        let program = &result["programs"][0];
        assert_eq!(program["door"], "su-");
        let ask = &program["asks"][0];
        assert_eq!((&ask["proxy"], &ask["login"]), (&proxy.into(), &login.into()), "{url}: {result:#}");
    }
}

#[test]
fn a_proxy_by_address_is_the_wanted_one_whatever_the_hosts_file_calls_it() {
    let guest = guest(Family::Ubuntu);
    guest.sh("echo '10.6.6.6 px6' >>/etc/hosts");
    for proxy in ["http://127.0.0.1:3128", "http://10.6.6.6:3128"] {
        let ran = prove(&guest, &["--proxy", proxy]);
        let said = String::from_utf8_lossy(&ran.out).into_owned();
        assert!(!said.contains("through another proxy"), "{proxy}: {ran}");
        assert_eq!(ways(&ran.json(), "su-")[0], "proxy", "{proxy}: {ran}");
    }
}

#[test]
fn sshd_without_pam_is_seen() {
    let guest = guest(Family::Ubuntu);
    if !guest.path("/usr/sbin/sshd").exists() || !guest.path("/usr/bin/ssh").exists() {
        skip("prove", "a login through sshd", "the lab's root has no OpenSSH");
        return;
    }
    let ssh = |result: &Value| ways(result, "ssh");
    let result = planned(&guest, &[]).expect(0).json();
    assert_eq!(ssh(&result), ["proxy", "direct", "direct"], "{result:#}");
    guest.sh("sed -i 's/^UsePAM.*/UsePAM no/' /etc/ssh/sshd_config; usermod -p x divvy");
    let result = planned(&guest, &[]).expect(4).json();
    assert_eq!(ssh(&result), ["direct"; 3], "{result:#}");
}

#[test]
fn sshd_is_asked_without_a_client() {
    let guest = guest(Family::Ubuntu);
    if !guest.path("/usr/sbin/sshd").exists() {
        skip("prove", "sshd without a client", "the lab's root has no OpenSSH");
        return;
    }
    guest.sh("rm /usr/bin/ssh; [ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key");
    guest.sh("sed -i '/^ *UsePAM/d' /etc/ssh/sshd_config; echo 'UsePAM yes' >>/etc/ssh/sshd_config");
    let before = Snapshot::take(&guest);
    let result = planned(&guest, &[]).expect(0).json();
    for door in ["console", "ssh"] {
        assert_eq!(ways(&result, door), ["proxy", "direct", "direct"], "{door}: {result:#}");
    }
    before.is_still(&guest, "after a login by sshd's stack");
    // The stack is sshd's, not that of the program that goes through it, and scripts know where they are.
    guest.sh("sed -i '/pam_env/d' /etc/pam.d/sshd");
    let result = planned(&guest, &[]).expect(4).json();
    assert_eq!((ways(&result, "ssh"), ways(&result, "console")[0].as_str()), (vec!["direct".to_owned(); 3], "proxy"));
    guest.write("/etc/profile.d/zz.sh", "[ -z \"$SSH_CONNECTION\" ] || export https_proxy=http://ssh:1\n");
    let ask = &planned(&guest, &[]).expect(4).json()["programs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|own| own["door"] == "ssh")
        .unwrap()["asks"][0]
        .clone();
    assert_eq!(ask["proxy"], "ssh:1", "{ask:#}");
    // What is more than PAM and the shell is left to the models.
    for line in ["UsePAM no", "SetEnv https_proxy=http://set:1", "PermitUserEnvironment yes"] {
        guest.sh(&format!(
            "sed -i '/^UsePAM/d' /etc/ssh/sshd_config; echo '{line}' >/etc/ssh/sshd_config.d/lab.conf; \
            grep -q UsePAM /etc/ssh/sshd_config.d/lab.conf || echo 'UsePAM yes' >>/etc/ssh/sshd_config"
        ));
        let result = planned(&guest, &[]).json();
        assert!(ways(&result, "ssh").is_empty(), "{line}: {result:#}");
        let word = line.split(' ').next().unwrap().to_lowercase();
        let told = result["findings"].as_array().unwrap().iter().find(|found| found["id"] == "prove-door").unwrap();
        assert!(told["observed"].as_str().unwrap().contains(&word), "{told:#}");
    }
}

#[test]
fn sudo_is_asked_at_both_of_its_doors() {
    let guest = guest(Family::Ubuntu);
    if !guest.path("/usr/bin/sudo").exists() {
        skip("prove", "sudo", "the lab's root has no sudo");
        return;
    }
    guest.write("/root/.profile", "export http_proxy=http://root:1\n");
    let told = |guest: &Guest| -> Vec<(String, String)> {
        let words = ["ics-setup", "check", "proxy", "--only", "proxy-sudo", "--format", "json", "--proxy", PROXY];
        let result = guest.run(&[&words[..], &["--fail-on", "never"]].concat()).expect(0).json();
        let findings = result["findings"].as_array().unwrap().iter().filter(|found| found["id"] == "proxy-sudo");
        let one = |found: &Value| {
            assert_eq!(found["evidence"]["known"], "asked", "{found:#}");
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            (text(&found["evidence"]["consumer"]), text(&found["evidence"]["http_proxy"]))
        };
        findings.map(one).collect()
    };
    let pair = |who: &str, proxy: &str| (format!("a command under {who}"), proxy.to_owned());
    assert_eq!(told(&guest), [pair("sudo", "-"), pair("sudo -i", "http://root:1")]);
    guest.write("/root/.profile", "");
    assert_eq!(told(&guest), [pair("sudo", "-")], "both get the same");
    // Whoever may call it is who is asked, and the model is of that caller.
    guest.write(
        "/etc/sudoers.d/lab",
        "divvy ALL=(ALL) NOPASSWD: ALL\nDefaults env_keep += \"http_proxy https_proxy\"\n",
    );
    guest.write("/home/divvy/.profile", "export https_proxy=http://own:1\n");
    let result = planned(&guest, &[]).json();
    let program = result["programs"].as_array().unwrap().iter().find(|own| own["door"] == "sudo").unwrap();
    assert_eq!((&program["user"], &program["asks"][0]["proxy"]), (&"divvy".into(), &"own:1".into()), "{program:#}");
    assert_eq!(statuses(&result, "prove-model"), Vec::<String>::new(), "{result:#}");
}

#[test]
fn the_client_of_docker_is_asked() {
    let guest = guest(Family::Ubuntu);
    let client = crate::common::lab().join("readers/docker-26.1/usr/bin/docker");
    if !client.exists() {
        skip("prove", "the docker client", "the lab has none");
        return;
    }
    fs::copy(client, guest.path("/usr/bin/docker")).unwrap();
    let words = ["ics-setup", "prove", "--format", "json", "--client", "docker", "--proxy", PROXY];
    let result = guest.run(&[&words[..], &LOGIN].concat()).expect(0).json();
    assert_eq!(ways(&result, "su-"), ["proxy", "direct", "direct"], "{result:#}");
    let ask = &result["programs"][0]["asks"][0];
    assert_eq!((&ask["proxy"], &ask["login"]), (&"proxy.corp.example:3128".into(), &"right".into()), "{ask:#}");
}

#[test]
fn compose_is_asked_over_planned_files() {
    let guest = guest(Family::Ubuntu);
    let tools = crate::common::lab().join("readers");
    let plugin = tools.join("compose-v2/usr/libexec/docker/cli-plugins/docker-compose");
    if !plugin.exists() || !tools.join("docker-26.1/usr/bin/docker").exists() {
        skip("prove", "docker compose", "the lab has none");
        return;
    }
    fs::copy(tools.join("docker-26.1/usr/bin/docker"), guest.path("/usr/bin/docker")).unwrap();
    fs::create_dir_all(guest.path("/usr/libexec/docker/cli-plugins")).unwrap();
    fs::copy(plugin, guest.path("/usr/libexec/docker/cli-plugins/docker-compose")).unwrap();
    guest.write(
        "/divvycloud/prod.env",
        "DIVVY_DB_HOST=mysql\nDIVVY_REDIS_HOST=redis\n#http_proxy=\n#https_proxy=\n#no_proxy=\n",
    );
    guest.write(
        "/divvycloud/compose.yaml",
        "services:\n  interfaceserver:\n    image: x\n    env_file: prod.env\n    environment: {https_proxy: 'http://old:1'}\n",
    );
    let before = Snapshot::take(&guest);
    let words = ["ics-setup", "reconfigure", "--dry-run", "--format", "json", "--proxy", PROXY];
    let result = guest.run(&words).expect(0).json();
    let found = told(&result, "proxy-prod-env");
    let [(known, text)] = found.as_slice() else { panic!("{result:#}") };
    assert!(known == "asked" && text.contains("http://old:1") && text.contains("compose.yaml"), "{text}");
    // The other one is planned, and Compose reads it there.
    assert!(text.contains(&format!("\"http_proxy\":\"{PROXY}\"")), "{text}");
    before.is_still(&guest, "after a dry run");
}

#[test]
fn prepare_proves_before_it_writes() {
    let guest = guest(Family::Ubuntu);
    guest.write("/etc/profile.d/zz-site.sh", "unset https_proxy\n");
    let before = Snapshot::take(&guest);
    let prepare = ["ics-setup", "prepare", "--prove", "--non-interactive", "--format", "json", "--proxy", PROXY];
    let result = guest.run(&prepare).expect(4).json();
    assert_eq!(result["error"]["id"], "checks-failed", "{result:#}");
    assert_eq!(before.files[0].difference(&guest.manifest()), "");
    fs::remove_file(guest.path("/etc/profile.d/zz-site.sh")).unwrap();
    assert_eq!(guest.run(&prepare).expect(0).json()["outcome"], "changed");
}

/// Starts the tool and kills it after so long; whatever it has started ends too.
fn kill_after(guest: &Guest, words: &[&str], moment: std::time::Duration) {
    let mut child =
        guest.command(words).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    // nsenter waits for it.
    let tool = until(|| crate::common::child_of(child.id()).ok_or_else(|| "it has not begun".to_owned()));
    std::thread::sleep(moment);
    let tool = nix::unistd::Pid::from_raw(tool.parse().unwrap());
    let _ = nix::sys::signal::kill(tool, nix::sys::signal::Signal::SIGKILL);
    child.wait().unwrap();
    until(|| {
        let left = guest.sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '");
        if left.contains("__sandbox") || left.contains("ics-setup/ask") { Err(left) } else { Ok(()) }
    });
}

#[test]
fn a_kill_at_any_moment_leaves_nothing() {
    let guest = guest(Family::Ubuntu);
    let before = Snapshot::take(&guest);
    let began = std::time::Instant::now();
    planned(&guest, &[]);
    let whole = began.elapsed();
    for moment in 0..20_u32 {
        let words = ["ics-setup", "prove", "--client", "python3", "--proxy", PROXY];
        kill_after(&guest, &words, whole * moment / 20);
    }
    before.is_still(&guest, "after twenty kills");
}

#[test]
fn a_login_that_hangs_is_ended_and_named() {
    let guest = guest(Family::Ubuntu);
    guest.write("/home/divvy/.profile", "sleep 9999\n");
    guest.sh("chown divvy: /home/divvy/.profile");
    let before = Snapshot::take(&guest);
    let result = planned(&guest, &[]).expect(0).json();
    assert!(!statuses(&result, "prove-door").is_empty(), "{result:#}");
    assert_eq!(ways(&result, "su"), ["proxy", "direct", "direct"], "{result:#}");
    before.is_still(&guest, "after a login that hangs");
}

#[test]
fn where_it_cannot_be_asked_it_is_skipped_by_name() {
    let guest = guest(Family::Ubuntu);
    let words = |before: &[&str], more: &[&str]| {
        let prove = ["ics-setup", "prove", "--format", "json", "--client", "python3"];
        guest.run(&[before, &prove[..], more].concat()).expect(0).json()
    };
    let no_right = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
    let image = Path::new("/mnt/image");
    fs::create_dir_all(guest.path("/mnt/image/etc")).unwrap();
    guest.sh("cp /etc/os-release /mnt/image/etc/os-release");
    let mut reasons = BTreeSet::new();
    for result in [
        words(&no_right, &[]),
        words(&["setpriv", "--reuid=divvy", "--regid=divvy", "--clear-groups"], &[]),
        words(&[], &["--root", image.to_str().unwrap()]),
    ] {
        assert_eq!(statuses(&result, "prove-asked"), ["skip"], "{result:#}");
        let asked = |program: &Value| program["known"] == "asked" || !program["asks"].as_array().unwrap().is_empty();
        assert!(!result["programs"].as_array().unwrap().iter().any(asked), "{result:#}");
        let finding = result["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "prove-asked");
        reasons.insert(finding.unwrap()["observed"].as_str().unwrap().to_owned());
    }
    assert_eq!(reasons.len(), 3, "{reasons:?}");
}

#[test]
fn a_case_has_no_secret_and_is_for_its_owner_alone() {
    let guest = guest(Family::Ubuntu);
    let result = planned(&guest, &["--save", "/root/case.json"]).expect(0).json();
    let case = guest.read("/root/case.json");
    let text = String::from_utf8_lossy(&case);
    assert!(text.contains("/etc/environment") && !text.contains("w0rd"), "{text}");
    let saved: Value = serde_json::from_slice(&case).unwrap();
    assert_eq!(saved["programs"], result["programs"]);
    assert_eq!(fs::metadata(guest.path("/root/case.json")).unwrap().permissions().mode() & 0o777, 0o600);
}

/// `prepare` of these tests that writes nothing.
fn dry_run(guest: &Guest, before: &[&str]) -> Value {
    let prepare = ["ics-setup", "prepare", "--dry-run", "--format", "json", "--proxy", PROXY];
    let targets = ["--target", "system-proxy", "--target", "docker-daemon", "--target", "package-manager"];
    answered(guest, &[before, &prepare[..], &targets[..]].concat(), &[ALL_LATE, ONE_LATE]).expect(0).json()
}

/// The findings with this id that are no pass: how each is known, and all that it says.
fn told(result: &Value, id: &str) -> Vec<(String, String)> {
    let findings = result["findings"].as_array().unwrap().iter();
    let wrong = findings.filter(|finding| finding["id"] == id && finding["status"] != "pass");
    wrong.map(|finding| (finding["evidence"]["known"].as_str().unwrap().to_owned(), finding.to_string())).collect()
}

/// An engine whose unit is a package's.
fn with_docker(guest: &Guest) {
    guest.write("/usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n");
    guest.write("/usr/bin/dockerd", "#!/bin/sh\n");
    guest.sh("chmod 755 /usr/bin/dockerd; mkdir -p /etc/systemd/system/docker.service.d");
}

/// A profile that only the shell itself can follow hides no line that wins: the login is asked, and what it says leads to the
/// line that has set it. One of nobody's is mended in the same run; one of a user's is named.
#[test]
fn a_line_that_wins_is_found_behind_one_that_is_not_followed() {
    for family in [Family::Ubuntu, Family::CentOs] {
        let guest = guest(family);
        guest.write("/etc/profile.d/aa.sh", "eval \"$(printf :)\"\n");
        guest.write("/etc/profile.d/zz.sh", "export https_proxy=http://old:1\n");
        let words = ["ics-setup", "prepare", "--proxy", "http://p.corp.example:3128", "--yes", "--no-probe"];
        let result = guest.run(&[&words[..], &["--format", "json"]].concat()).expect(0).json();
        assert_eq!(statuses(&result, "proxy-login"), ["pass"], "{family:?}: {result:#}");
        assert_eq!(guest.sh("cat /etc/profile.d/zz.sh"), "export https_proxy=\"http://p.corp.example:3128\"\n");
        // A user's own file is nobody's to edit.
        let home = if guest.sh("cat /etc/passwd").contains("\ndivvy:") { "/home/divvy" } else { "/root" };
        let profile = format!("{home}/.bash_profile");
        guest.write(&profile, "export https_proxy=http://mine:1\n");
        guest.sh(&format!("chown --reference={home} {profile}"));
        let checked = guest.run(&["ics-setup", "check", "--only", "proxy-login", "--format", "json"]).json();
        let finding = &checked["findings"][0];
        let text = finding.to_string();
        assert!(text.contains(&format!("{profile}:1 decides it")), "{family:?}: {finding:#}");
        assert!(text.contains(&format!("take https_proxy out of {profile}:1")), "{family:?}: {finding:#}");
        let url = "https://backoffice.divvycloud.com/";
        let explained = guest.run(&["ics-setup", "network", "explain", url, "--as", "login"]).expect(0);
        assert!(explained.to_string().contains(&format!("{profile}:1")), "{family:?}: {explained}");
    }
}

#[test]
fn prepare_names_what_would_win_before_it_writes() {
    let guest = guest(Family::Ubuntu);
    with_docker(&guest);
    let result = dry_run(&guest, &[]);
    for id in ["proxy-login", "proxy-docker", "proxy-cron", "proxy-package-manager", "prove-model"] {
        assert_eq!(told(&result, id), [], "{result:#}");
    }
    let has_ssh = guest.path("/usr/sbin/sshd").exists() && guest.path("/usr/bin/ssh").exists();
    if !has_ssh {
        skip("prove", "a login through sshd", "the lab's root has no OpenSSH");
    }
    let unit = "/etc/systemd/system/docker.service.d/zz.conf";
    let in_unit = |line: &str| format!("[Service]\n{line}\n");
    for (path, text, id, says) in [
        ("/etc/profile.d/zz.sh", "unset https_proxy\n".to_owned(), "proxy-login", "/etc/profile.d/zz.sh:1"),
        ("/etc/ssh/sshd_config", "UsePAM no\n".to_owned(), "proxy-login", "over ssh"),
        (unit, in_unit("Environment=HTTP_PROXY=http://%H.corp.example:1"), "proxy-docker", "http://lab.corp.example:1"),
        (unit, in_unit("EnvironmentFile=/etc/default/site"), "proxy-docker", "/etc/default/site:2"),
        (unit, in_unit("UnsetEnvironment=HTTPS_PROXY"), "proxy-docker", "https_proxy is not set"),
        (
            "/etc/apt/apt.conf.d/zz",
            "// Managed by Puppet\nAcquire::http::Proxy \"http://old:1\";\n".to_owned(),
            "proxy-package-manager",
            "http://old:1",
        ),
        (
            "/home/divvy/.bashrc",
            "case $- in *i*) export https_proxy=http://typed:1;; esac\n".to_owned(),
            "proxy-login",
            "at a terminal",
        ),
    ] {
        if path.contains("/ssh/") && !has_ssh {
            continue;
        }
        // What is nobody's is mended, and wins no more.
        guest.write("/etc/default/site", "# Managed by Puppet\nHTTP_PROXY=http://file:1\n");
        // sshd refuses an account without a password where it does not ask PAM.
        guest.sh("usermod -p x divvy");
        let before = fs::read(guest.path(path)).ok();
        guest.write(path, text);
        let etc = guest.manifest();
        let result = dry_run(&guest, &[]);
        let found = told(&result, id);
        assert!(found.iter().any(|(known, text)| known == "asked" && text.contains(says)), "{path}: {result:#}");
        assert_eq!(etc.difference(&guest.manifest()), "", "{path}");
        match before {
            Some(bytes) => guest.write(path, bytes),
            None => fs::remove_file(guest.path(path)).unwrap(),
        }
    }
}

#[test]
fn an_answer_outranks_the_model_and_both_are_told() {
    let guest = guest(Family::Ubuntu);
    // The model knows bash by its name.
    guest.write("/opt/bash", "#!/bin/sh\nexport http_proxy=http://other:1\nexec /bin/bash \"$@\"\n");
    guest.sh("chmod 755 /opt/bash; usermod -s /opt/bash divvy");
    let result = dry_run(&guest, &[]);
    let login = told(&result, "proxy-login");
    assert!(login.iter().any(|(known, text)| known == "asked" && text.contains("http://other:1")), "{result:#}");
    let models = told(&result, "prove-model");
    let Some((known, model)) = models.first() else { panic!("{result:#}") };
    assert!(known == "asked" && model.contains("by the model") && model.contains("http://other:1"), "{model}");
}

#[test]
fn without_namespaces_the_models_speak() {
    let guest = guest(Family::Ubuntu);
    guest.write("/etc/profile.d/zz.sh", "unset https_proxy\n");
    for before in [
        &["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"][..],
        &["setpriv", "--reuid=divvy", "--regid=divvy", "--clear-groups"],
    ] {
        let result = dry_run(&guest, before);
        let found = told(&result, "proxy-login");
        assert!(!found.is_empty() && found.iter().all(|(known, _)| known == "files"), "{result:#}");
    }
}

#[test]
fn asking_leaves_nothing_also_when_killed() {
    let guest = guest(Family::Ubuntu);
    let before = Snapshot::take(&guest);
    let began = std::time::Instant::now();
    dry_run(&guest, &[]);
    let whole = began.elapsed();
    guest.run(&["ics-setup", "check", "proxy", "--proxy", PROXY, "--fail-on", "never"]).expect(0);
    before.is_still(&guest, "after a dry run and a check");
    for moment in 0..10_u32 {
        let words = ["ics-setup", "prepare", "--dry-run", "--proxy", PROXY];
        kill_after(&guest, &words, whole * moment / 10);
    }
    before.is_still(&guest, "after ten kills");
}

#[test]
fn dnf_is_asked_itself() {
    let guest = guest(Family::CentOs);
    if !guest.path("/usr/bin/dnf").exists() {
        skip("prove", "dnf", "the lab's root has no dnf");
        return;
    }
    guest.write("/etc/dnf/dnf.conf", "[main]\n");
    let asked = |more: &[&str]| {
        let words = ["ics-setup", "prove", "--format", "json", "--client", "dnf", "--proxy", PROXY];
        guest.run(&[&words[..], more].concat()).json()
    };
    assert_eq!(ways(&asked(&[]), "none"), ["direct"; 3]);
    let result = asked(&["--target", "package-manager"]);
    assert_eq!(ways(&result, "none"), ["proxy"; 3], "{result:#}");
    guest.write("/etc/yum.repos.d/site.repo", "[site]\nbaseurl=http://x\nproxy=http://old:1\n");
    let found = told(&dry_run(&guest, &[]), "proxy-package-manager");
    assert!(found.iter().any(|(known, text)| known == "asked" && text.contains("http://old:1")), "{found:?}");
}

/// Each client that is installed goes the way that its model says; the package manager asks for its own setting.
#[test]
fn curl_wget_git_and_apt_are_asked() {
    let guest = guest(Family::Ubuntu);
    for client in ["curl", "wget", "git", "apt-get"] {
        if guest.run(&["sh", "-c", &format!("command -v {client}")]).code != Some(0) {
            skip("prove", client, "this root has none");
            continue;
        }
        let words = ["ics-setup", "prove", "--format", "json", "--client", client, "--proxy", PROXY];
        let more = ["--no-proxy", "wiki.corp.example", "--target", "system-proxy,docker-daemon,package-manager"];
        let result = guest.run(&[&words[..], &more, &LOGIN].concat()).json();
        let door = if client == "apt-get" { "none" } else { "su-" };
        let expected: &[&str] = if client == "apt-get" { &["proxy"] } else { &["proxy", "direct", "direct"] };
        assert_eq!(&ways(&result, door)[..expected.len()], expected, "{client}: {result:#}");
        assert_eq!(statuses(&result, "prove-model"), Vec::<String>::new(), "{client}: {result:#}");
        let program = result["programs"].as_array().unwrap().iter().find(|own| own["door"] == door).unwrap();
        let ask = &program["asks"][0];
        assert_eq!((&ask["proxy"], &ask["login"]), (&"proxy.corp.example:3128".into(), &"right".into()), "{ask:#}");
    }
}

/// A proxy that only apt's files name is stood in for too: what is said is that it is used, and not that its model is wrong.
#[test]
fn a_proxy_of_apt_alone_is_found_where_it_is_set() {
    let guest = guest(Family::Ubuntu);
    let line = r#"Acquire::http::Proxy \"http://svc:S3cret@only.corp.example:8888\"; Acquire::https::Proxy \"http://only.corp.example:8888\";"#;
    guest.sh(&format!("printf '%s\n' \"{line}\" >/etc/apt/apt.conf.d/95corp"));
    let result = answered(
        &guest,
        &["ics-setup", "prove", "--format", "json", "--client", "apt-get", "--direct"],
        &[ALL_LATE, ONE_LATE],
    )
    .json();
    assert_eq!(ways(&result, "none")[0], "proxy", "{result:#}");
    assert_eq!(statuses(&result, "prove-model"), Vec::<String>::new(), "{result:#}");
    assert_eq!(statuses(&result, "prove-way"), ["warn"], "{result:#}");
    let text = result.to_string();
    assert!(text.contains("/etc/apt") && !text.contains("S3cret"), "{result:#}");
}

/// Where there is nothing to ask with, nothing is claimed, and the run goes on.
#[test]
fn a_host_without_clients_is_prepared_and_nothing_is_claimed_of_it() {
    let guest = guest(Family::Ubuntu);
    guest.sh("rm -f /usr/bin/curl /usr/bin/wget /usr/bin/git /usr/bin/python3* /usr/bin/docker /usr/bin/apt-get");
    let words = ["ics-setup", "prepare", "--prove", "--format", "json", "--yes", "--non-interactive", "--proxy", PROXY];
    let ran = guest.run(&[&words[..], &LOGIN].concat()).expect(0);
    let result = ran.json();
    assert_eq!(result["outcome"], "changed", "{result:#}");
    assert!(!statuses(&result, "prove-way").contains(&"pass".to_owned()), "{result:#}");
}
