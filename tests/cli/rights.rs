//! Who may write to a settings file, who may read a file with a password, and what stands there after a rename.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::root::{Ran, Root, run};

const SETTINGS: &str = "[proxy]\nurl = \"http://other.example:3128\"\n";
const OWN: &str = "etc/ics-setup/settings.toml";

/// Only root gives files away.
fn is_root(test: &str) -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        println!("skip {test}: it needs root");
    }
    is_root
}

fn mode(path: impl AsRef<Path>, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Users of this machine that are nobody special: number and own group.
fn users() -> Vec<(u32, u32)> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let user = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    passwd.lines().filter_map(user).filter(|(uid, gid)| *uid != 0 && *gid != 0).collect()
}

/// One whose own group has nobody else.
fn alone() -> Option<(u32, u32)> {
    let groups = std::fs::read_to_string("/etc/group").unwrap();
    let empty = |gid: u32| {
        let row = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
        row.filter(|row| row.get(2) == Some(&gid.to_string().as_str())).any(|row| row.get(3) == Some(&""))
    };
    let all = users();
    all.iter().copied().find(|(_, gid)| empty(*gid) && all.iter().filter(|(_, other)| other == gid).count() == 1)
}

/// Refused before anything is written, for this reason, with a command that mends it.
fn refused(ran: &Ran, words: &str) {
    assert_eq!(ran.code, 3, "{words}: {}{}", ran.stdout, ran.stderr);
    let json: Value = ran.json();
    assert_eq!(json["error"]["id"], "settings-untrusted", "{json:#}");
    assert!(json["error"]["message"].as_str().unwrap().contains(words), "{words}: {json:#}");
}

#[test]
fn a_settings_file_that_others_can_write_is_not_obeyed() {
    if !is_root("a_settings_file_that_others_can_write_is_not_obeyed") {
        return;
    }
    let (stranger, group) = users()[0];
    let outside = tempfile::tempdir().unwrap();
    for is_own in [true, false] {
        for (uid, gid, of_file, of_folder, words) in [
            (0, 0, 0o644, 0o755, None),
            (0, 0, 0o644, 0o1777, None),
            (stranger, group, 0o600, 0o755, Some("it belongs to ")),
            (0, 0, 0o646, 0o755, Some("every user can write to it (mode 0646)")),
            (0, group, 0o664, 0o755, Some("can write to it (mode 0664)")),
            (0, 3_999_999_999, 0o664, 0o755, Some("its members are not known")),
            (0, 0, 0o644, 0o757, Some("every user can write to its folder")),
        ] {
            let root = Root::ubuntu();
            let (folder, file) = match is_own {
                true => (root.at("etc/ics-setup"), root.at(OWN)),
                false => (outside.path().join("s"), outside.path().join("s/settings.toml")),
            };
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, SETTINGS).unwrap();
            chown(&file, Some(uid), Some(gid)).unwrap();
            mode(&file, of_file);
            mode(&folder, of_folder);
            let before = root.picture();
            let named = ["--settings", file.to_str().unwrap()];
            let named = if is_own { &[][..] } else { &named };
            for verb in
                [&["prepare", "--yes"][..], &["prepare", "--dry-run"], &["settings", "show"], &["check", "proxy"]]
            {
                let ran = root.run(&[verb, named, &["--format", "json"]].concat());
                match words {
                    Some(words) => refused(&ran, words),
                    None => assert!(ran.code != 3, "{}{}", ran.stdout, ran.stderr),
                }
            }
            if words.is_some() {
                assert!(root.picture() == before);
            }
        }
    }
}

#[test]
fn the_command_that_is_printed_makes_it_so_that_the_file_is_taken() {
    if !is_root("the_command_that_is_printed_makes_it_so_that_the_file_is_taken") {
        return;
    }
    let (_, group) = users()[0];
    for (of_file, of_folder, gid) in [(0o666, 0o777, 0), (0o664, 0o755, group), (0o644, 0o775, group)] {
        let root = Root::ubuntu();
        root.put(OWN, SETTINGS);
        for (path, own) in [(root.at(OWN), of_file), (root.at("etc/ics-setup"), of_folder)] {
            chown(&path, Some(0), Some(gid)).unwrap();
            mode(path, own);
        }
        for _ in 0..3 {
            let (code, json) = root.json(&["prepare", "--dry-run"]);
            if code == 0 {
                break;
            }
            let fix = json["error"]["try"]
                .as_array()
                .unwrap()
                .iter()
                .find_map(|own| own.as_str().filter(|own| own.contains("chmod ") && !own.contains(": ")));
            let status = std::process::Command::new("sh").args(["-c", fix.unwrap()]).status().unwrap();
            assert!(status.success(), "{json:#}");
        }
        root.run(&["prepare", "--yes"]).ok();
        assert!(root.get("etc/environment").contains("other.example"));
    }
}

#[test]
fn whoever_is_behind_sudo_may_give_a_file_from_a_home_that_is_open_to_their_own_group() {
    if !is_root("whoever_is_behind_sudo_may_give_a_file_from_a_home_that_is_open_to_their_own_group") {
        return;
    }
    let Some((uid, gid)) = alone() else {
        println!("skip whoever_is_behind_sudo…: no user of this machine has a group alone");
        return;
    };
    let root = Root::ubuntu();
    let outside = tempfile::tempdir().unwrap();
    let (home, file) = (outside.path().join("home"), outside.path().join("home/settings.toml"));
    std::fs::create_dir(&home).unwrap();
    std::fs::write(&file, SETTINGS).unwrap();
    for (path, own) in [(&home, 0o775), (&file, 0o664)] {
        chown(path, Some(uid), Some(gid)).unwrap();
        mode(path, own);
    }
    let all = ["prepare", "--dry-run", "--format", "json", "--settings", file.to_str().unwrap()];
    let behind = |sudo: &str| root.run_with(&all, &[("SUDO_UID", sudo)], "");
    assert_eq!(behind(&uid.to_string()).ok().json()["outcome"], "pending");
    refused(&behind("0"), "it belongs to ");
    // The host's own is root's, whoever is behind sudo.
    root.put(OWN, SETTINGS);
    chown(root.at(OWN), Some(uid), Some(gid)).unwrap();
    let ran = root.run_with(&["prepare", "--dry-run", "--format", "json"], &[("SUDO_UID", &uid.to_string())], "");
    refused(&ran, "and is to be of root");
    // In an image that belongs to somebody it may be theirs.
    chown(root.path(), Some(uid), Some(gid)).unwrap();
    mode(root.at(OWN), 0o644);
    root.run(&["prepare", "--dry-run"]).ok();
}

#[test]
fn a_link_is_as_good_as_the_folders_on_both_of_its_sides() {
    let root = Root::ubuntu();
    let outside = tempfile::tempdir().unwrap();
    let at = |name: &str| outside.path().join(name);
    std::fs::create_dir(at("open")).unwrap();
    mode(at("open"), 0o777);
    std::fs::write(at("closed.toml"), SETTINGS).unwrap();
    symlink(at("closed.toml"), at("link.toml")).unwrap();
    symlink(at("closed.toml"), at("open/link.toml")).unwrap();
    let dry =
        |file: &Path| root.run(&["prepare", "--dry-run", "--format", "json", "--settings", file.to_str().unwrap()]);
    dry(&at("link.toml")).ok();
    refused(&dry(&at("open/link.toml")), "every user can write to its folder");
    // What comes through a pipe stands in no folder.
    root.run_with(&["prepare", "--dry-run", "--settings", "/dev/stdin"], &[], SETTINGS).ok();
    root.run_with(&["prepare", "--dry-run", "--settings", "-"], &[], SETTINGS).ok();
}

#[test]
fn whoever_owns_a_folder_on_the_way_decides_what_stands_there() {
    if !is_root("whoever_owns_a_folder_on_the_way_decides_what_stands_there") {
        return;
    }
    let (stranger, group) = users()[0];
    let root = Root::ubuntu();
    let outside = tempfile::tempdir().unwrap();
    let at = |name: &str| outside.path().join(name);
    let dry =
        |file: &Path| root.run(&["prepare", "--dry-run", "--format", "json", "--settings", file.to_str().unwrap()]);
    std::fs::create_dir_all(at("theirs/mine")).unwrap();
    std::fs::write(at("theirs/mine/s.toml"), SETTINGS).unwrap();
    dry(&at("theirs/mine/s.toml")).ok();
    chown(at("theirs"), Some(stranger), Some(group)).unwrap();
    refused(&dry(&at("theirs/mine/s.toml")), "its folder ");
    mode(at("theirs"), 0o1755);
    refused(&dry(&at("theirs/mine/s.toml")), " belongs to ");
    // A link that passes it, on the way to a file that does not stand there.
    std::fs::write(at("s.toml"), SETTINGS).unwrap();
    symlink(at("s.toml"), at("theirs/link.toml")).unwrap();
    symlink(at("theirs/link.toml"), at("first.toml")).unwrap();
    refused(&dry(&at("first.toml")), " belongs to ");
    dry(&at("s.toml")).ok();
    // The host's own.
    root.put(OWN, SETTINGS);
    root.run(&["prepare", "--dry-run"]).ok();
    chown(root.at("etc/ics-setup"), Some(stranger), Some(group)).unwrap();
    refused(&root.run(&["prepare", "--dry-run", "--format", "json"]), " belongs to ");
}

#[test]
fn standard_input_opens_no_file_of_that_name() {
    let root = Root::ubuntu();
    let folder = tempfile::tempdir().unwrap();
    // Whoever opens a pipe waits for who writes to it.
    nix::unistd::mkfifo(&folder.path().join("-"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let line = format!(
        "cd {} && echo '[proxy]' | timeout 60 {} prepare --dry-run --proxy http://h.example:1 --settings - --root {}",
        folder.path().display(),
        env!("CARGO_BIN_EXE_ics-setup"),
        root.path().display()
    );
    let output =
        std::process::Command::new("sh").args(["-c", &line]).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What is said of input files, by their names.
fn warned(json: &Value, file: &str) -> Option<Value> {
    let is_it = |own: &&Value| {
        own["id"] == "password-in-readable-file" && own["title"].as_str().is_some_and(|title| title.contains(file))
    };
    json["findings"].as_array().unwrap().iter().find(is_it).cloned()
}

#[test]
fn input_files_with_secrets_that_others_can_read_are_warned_about() {
    let root = Root::ubuntu();
    mode(root.path(), 0o755);
    root.put("pw", "Hunter2x");
    root.put("given.toml", "[proxy]\nuser = 'svc'\npassword = 'Hunter2x'\n");
    root.put("url.toml", "[proxy]\nurl = 'http://svc:Hunter2x@h.example:1'\n");
    root.put("plain.toml", SETTINGS);
    let at = |name: &str| root.at(name).display().to_string();
    let proxy = ["--proxy", "http://h.example:1"];
    for (file, arguments) in [
        ("pw", [&proxy[..], &["--proxy-user", "svc", "--proxy-password-file", &at("pw")]].concat()),
        ("given.toml", [&proxy[..], &["--settings", &at("given.toml")]].concat()),
        ("url.toml", vec!["--settings", &at("url.toml")]),
    ] {
        let words = [&["prepare", "--dry-run"], &arguments[..]].concat();
        for (own, is_told) in [(0o644, true), (0o604, true), (0o640, false), (0o600, false)] {
            mode(root.at(file), own);
            let (code, json) = root.json(&words);
            assert_eq!(code, 0, "{json:#}");
            assert_eq!(warned(&json, file).is_some(), is_told, "{file} {own:o}: {json:#}");
            let Some(finding) = warned(&json, file) else { continue };
            assert!(finding["title"].as_str().unwrap().contains("every user"), "{finding:#}");
            // The printed command works, and whoever has read it still can.
            let fix = finding["fix"][0].as_str().unwrap();
            assert!(std::process::Command::new("sh").args(["-c", fix]).status().unwrap().success(), "{fix}");
            let (code, json) = root.json(&words);
            assert!(code == 0 && warned(&json, file).is_none(), "{json:#}");
        }
        // A check says so beside its result.
        mode(root.at(file), 0o644);
        let ran = root.run(&[&["check", "proxy", "--only", "proxy-url-port"], &arguments[..]].concat());
        assert!(ran.stderr.contains("holds a password") && !ran.stdout.contains("holds a password"), "{}", ran.stderr);
    }
    let (_, json) = root.json(&["prepare", "--dry-run", "--settings", &at("plain.toml")]);
    assert!(warned(&json, "plain.toml").is_none(), "{json:#}");
    root.put(OWN, "[proxy]\nuser = 'svc'\npassword = 'Hunter2x'\n");
    mode(root.at(OWN), 0o644);
    let (_, json) = root.json(&[&["prepare", "--dry-run"], &proxy[..]].concat());
    assert!(warned(&json, OWN).is_some(), "{json:#}");
    // A folder that is closed today is no reason to say that everybody reads it.
    mode(root.path(), 0o700);
    let (_, json) = root.json(&[&["prepare", "--dry-run"], &proxy[..]].concat());
    assert!(
        warned(&json, OWN).is_some_and(|own| own["cause"].as_str().unwrap().contains("keeps them out")),
        "{json:#}"
    );
}

#[test]
fn a_group_without_a_name_is_advised_by_its_number() {
    if !is_root("a_group_without_a_name_is_advised_by_its_number") {
        return;
    }
    let root = Root::ubuntu();
    mode(root.path(), 0o755);
    root.put("pw", "Hunter2x");
    mode(root.at("pw"), 0o644);
    let file = root.at("pw").display().to_string();
    let nobody = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ics-setup"));
        command.env_clear();
        command.args(["check", "proxy", "--only", "proxy-url-port", "--proxy", "http://h.example:1"]);
        command.args(["--proxy-user", "svc", "--proxy-password-file", &file, "--root"]).arg(root.path());
        let output = command.uid(3_999_999).gid(3_999_998).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = nobody();
    let fix = said.lines().find_map(|line| line.split_once("chgrp ")).unwrap_or_else(|| panic!("{said}")).1;
    assert!(fix.starts_with("3999998 "), "{said}");
    let fix = format!("chgrp {fix}").replace("sudo ", "");
    assert!(std::process::Command::new("sh").args(["-c", &fix]).status().unwrap().success(), "{fix}");
    let said = nobody();
    assert!(!said.contains("holds a password") && !said.contains("could not be read"), "{said}");
}

#[test]
fn what_editors_put_in_front_of_a_password_is_none_of_it() {
    let root = Root::ubuntu();
    let file = root.at("pw").display().to_string();
    let words =
        ["prepare", "--yes", "--proxy", "http://h.example:1", "--proxy-user", "svc", "--proxy-password-file", &file];
    root.put("pw", b"\xef\xbb\xbfHunter2x\r\n");
    root.run(&words).ok();
    assert!(root.get("etc/environment").contains("http://svc:Hunter2x@h.example:1"));
    let before = root.picture();
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let text = "\u{feff}Hunter2x\n".encode_utf16().flat_map(order);
        root.put("pw", text.collect::<Vec<u8>>());
        let (code, json) = root.json(&words);
        assert_eq!((code, json["error"]["id"].as_str()), (3, Some("password-invalid")), "{json:#}");
        assert!(json["error"]["message"].as_str().unwrap().contains("UTF-16"), "{json:#}");
        let fix = json["error"]["try"][0].as_str().unwrap().to_owned();
        assert!(std::process::Command::new("sh").args(["-c", &fix]).status().unwrap().success(), "{fix}");
        let (code, json) = root.json(&words);
        assert_eq!((code, json["outcome"].as_str()), (0, Some("unchanged")), "{json:#}");
    }
    assert_eq!(root.picture()[Path::new("etc/environment")], before[Path::new("etc/environment")]);
}

#[test]
fn a_file_that_may_not_be_read_is_not_taken_for_absent() {
    if !is_root("a_file_that_may_not_be_read_is_not_taken_for_absent") {
        return;
    }
    let root = Root::ubuntu();
    mode(root.path(), 0o755);
    root.put("etc/environment", "http_proxy=http://svc:Hunter2x@h.example:1\n");
    root.put(OWN, SETTINGS);
    for file in ["etc/environment", OWN] {
        mode(root.at(file), 0o600);
        let line = format!("exec {} settings show --root {}", env!("CARGO_BIN_EXE_ics-setup"), root.path().display());
        let output = std::process::Command::new("su")
            .args(["-s", "/bin/sh", "nobody", "-c", &line])
            .env_clear()
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains("root only") || said.contains("Permission denied"), "{file}: {said}");
        assert!(!said.contains("none is set"), "{said}");
        std::fs::remove_file(root.at(file)).unwrap();
    }
}

/// Whoever owns a folder can put another file in the place of one that is being written there.
#[test]
fn a_run_is_never_called_done_while_another_file_stands_there() {
    for _ in 0..20 {
        let root = Root::ubuntu();
        let folder = root.at("divvycloud");
        let over = AtomicBool::new(false);
        let ran = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                        if entry.file_name().to_string_lossy().starts_with(".ics-setup-") {
                            let _ = std::fs::remove_file(entry.path());
                            let _ = symlink("/etc/os-release", entry.path());
                        }
                    }
                }
            });
            let ran = run(
                &["reconfigure", "--yes", "--proxy", "http://h.example:1", "--root", root.path().to_str().unwrap()],
                &[],
                "",
            );
            over.store(true, Ordering::Relaxed);
            ran
        });
        let is_ours = root.at("divvycloud/prod.env").symlink_metadata().unwrap().is_file()
            && root.get("divvycloud/prod.env").contains("http_proxy=http://h.example:1");
        assert!(is_ours == (ran.code == 0), "{}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn a_file_that_an_image_names_is_the_images_own() {
    let folder = tempfile::TempDir::new().unwrap();
    let outside = folder.path().join("token");
    std::fs::write(&outside, "of-the-machine").unwrap();
    mode(&outside, 0o600);
    let settings = format!("{SETTINGS}user = \"u\"\npassword_file = {outside:?}\n");
    let image = || {
        let root = Root::ubuntu();
        root.put(OWN, &settings);
        root
    };
    let inside = outside.strip_prefix("/").unwrap().to_str().unwrap();
    let prepared = |root: &Root| root.run(&["prepare", "--yes", "--target", "system-proxy"]);
    // Whoever builds the image may keep its secrets beside it; what lies in the image comes first.
    let root = image();
    prepared(&root).ok();
    assert!(root.get("etc/environment").contains("u:of-the-machine@"));
    let root = image();
    root.put(inside, "of-the-image");
    mode(root.at(inside), 0o600);
    prepared(&root).ok();
    assert!(root.get("etc/environment").contains("u:of-the-image@"));
    // A link in it leads to no other place than one of the image.
    let root = image();
    std::fs::create_dir_all(root.at(inside).parent().unwrap()).unwrap();
    symlink("/etc/hostname", root.at(inside)).unwrap();
    root.put("etc/hostname", "name-of-the-image");
    prepared(&root).ok();
    assert!(root.get("etc/environment").contains("u:name-of-the-image@"));

    if !is_root("a_file_that_an_image_names_is_the_images_own") {
        return;
    }
    let root = image();
    for path in ["", "etc", "etc/ics-setup", OWN, "etc/os-release"] {
        chown(root.at(path), Some(4242), Some(4242)).unwrap();
    }
    let ran = prepared(&root);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.code != 0 && !said.contains("of-the-machine") && !root.get("etc/environment").contains("http"),
        "{said}"
    );
}

#[test]
fn a_settings_file_that_is_not_there_where_its_name_leads_is_not_none() {
    let told = |root: &Root, words: &str| {
        root.put("etc/environment", "http_proxy=http://old.example:1\n");
        let ran = root.run(&["prepare", "--yes", "--format", "json"]);
        let json = ran.json();
        assert!(ran.code == 3 && json["error"].to_string().contains(words), "{words}: {json:#}");
        assert_eq!(root.get("etc/environment"), "http_proxy=http://old.example:1\n");
        json
    };
    let root = Root::ubuntu();
    std::fs::create_dir_all(root.at("etc/ics-setup")).unwrap();
    symlink("/mnt/secrets/settings.toml", root.at(OWN)).unwrap();
    let json = told(&root, "/mnt/secrets/settings.toml, where nothing is");
    assert!(json["error"]["try"].to_string().contains("bring back what it leads to"), "{json:#}");
    let root = Root::ubuntu();
    root.put("etc/ics-setup", "");
    told(&root, "is no folder");
    let root = Root::ubuntu();
    root.put(OWN, b"[proxy]\nurl = \"http://s.example:1\"\nuser = \"u\"\npassword = \"caf\xe9\"\n");
    told(&root, "it is not UTF-8 text");
}

#[test]
fn a_file_of_ours_is_closed_when_a_password_comes_into_it_and_others_keep_their_mode() {
    let root = Root::ubuntu();
    mode(root.path(), 0o755);
    root.put("usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n");
    root.put("pw", "Hunter2x");
    mode(root.at("pw"), 0o600);
    let has = |file: &str| std::fs::metadata(root.at(file)).unwrap().permissions().mode() & 0o7777;
    let drop_in = "etc/systemd/system/docker.service.d/http-proxy.conf";
    let (apt, environment) = ("etc/apt/apt.conf.d/95ics-setup-proxy", "etc/environment");
    let targets = ["--target", "system-proxy", "--target", "docker-daemon", "--target", "package-manager"];
    let prepare = [&["prepare", "--yes", "--proxy", "http://h.example:1"], &targets[..]].concat();
    let (code, json) = root.json(&prepare);
    assert_eq!(code, 0, "{json:#}");
    let before = [drop_in, apt, environment].map(has);
    assert_eq!(before, [0o644; 3]);
    let password = root.at("pw").display().to_string();
    let login = ["--proxy-user", "svc", "--proxy-password-file", &password];
    let (code, json) = root.json(&[&prepare[..], &login].concat());
    assert_eq!(code, 0, "{json:#}");
    assert_eq!([drop_in, apt, environment].map(has), [0o600, 0o640, 0o644], "{json:#}");
    assert!(json["changes"].to_string().contains("mode 0600, since a password comes into it"), "{json:#}");
    // What somebody has done to a mode since stays; what the run did goes back with it.
    mode(root.at(apt), 0o600);
    assert_eq!(root.json(&["revert", "--yes"]).0, 0);
    assert_eq!([drop_in, apt, environment].map(has), [0o644, 0o600, 0o644]);
}

/// Debian keeps crontabs from everybody, and apt passes over files that it may not read: what a cron job or apt gets is then
/// no finding, and the way to see it is sudo.
#[test]
fn what_only_root_may_read_is_not_judged() {
    if !is_root("what_only_root_may_read_is_not_judged") {
        return;
    }
    let root = Root::ubuntu();
    mode(root.path(), 0o755);
    root.put("etc/pam.d/cron", "session required pam_env.so\n");
    root.put("var/spool/cron/crontabs/root", "");
    mode(root.path().join("var/spool/cron/crontabs"), 0o1730);
    root.put("etc/apt/apt.conf.d/95ics-setup-proxy", "Acquire::http::Proxy \"http://u:p@h.example:1\";\n");
    mode(root.path().join("etc/apt/apt.conf.d/95ics-setup-proxy"), 0o640);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ics-setup"));
    command
        .env_clear()
        .args(["check", "--only", "proxy-cron,proxy-package-manager", "--proxy", "http://h.example:1"])
        .args(["--format", "json", "--root"])
        .arg(root.path());
    let output = command.uid(3_999_999).gid(3_999_998).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (id, file) in
        [("proxy-cron", "var/spool/cron/crontabs"), ("proxy-package-manager", "etc/apt/apt.conf.d/95ics-setup-proxy")]
    {
        let own = json["findings"].as_array().unwrap().iter().find(|own| own["id"] == id).unwrap();
        assert_eq!(own["status"], "skip", "{own:#}");
        assert!(own.to_string().contains(&format!("{file} can be read by root only")), "{own:#}");
    }
}
