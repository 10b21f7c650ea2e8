//! Real readers after the real `prepare` on a live root (no `--root`): a password with everything a person can type
//! reaches every login unchanged, `revert` brings back every byte, mode, owner, attribute and ACL, and a host that
//! cannot be written is refused by name with nothing half-done.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{Family, Guest, Manifest, PROXY_NAMES, Ran, assignments, environment, need};
use serde_json::Value;

const PASSWORD: &str = "p@ss:w0rd/#?%$\"'\\ é ü";
const PROXY: &str = "http://proxy.corp.example:3128";
/// Byte by byte as RFC 3986 has it; every byte that is not unreserved is escaped.
const URL: &str = "http://svc:p%40ss%3Aw0rd%2F%23%3F%25%24%22%27%5C%20%C3%A9%20%C3%BC@proxy.corp.example:3128";
const NO_PROXY: &str = "mysql,redis,169.254.169.254";
const DROP_IN: &str = "/etc/systemd/system/docker.service.d/http-proxy.conf";

// ---------------------------------------------------------------------------------------- what readers receive

#[test]
fn every_reader_on_ubuntu_gets_the_password_unchanged() {
    every_reader_gets_the_password_unchanged(Family::Ubuntu, &format!("{PASSWORD}\n"));
}

#[test]
fn every_reader_on_centos_gets_the_password_unchanged() {
    every_reader_gets_the_password_unchanged(Family::CentOs, PASSWORD);
}

fn every_reader_gets_the_password_unchanged(family: Family, password_file: &str) {
    let guest = dressed_up(family);
    let before = guest.manifest();
    guest.write("/run/password", password_file);
    guest.sh("chmod 600 /run/password");

    let ran = prepare(&guest, &["--proxy-user", "svc", "--proxy-password-file", "/run/password"]).expect(0);
    let result = ran.json();
    assert_eq!(result["outcome"], "changed", "{result:#}");
    expect_no_secret(&ran);
    let findings = result["findings"].as_array().unwrap();
    assert!(
        findings.iter().any(|found| found["id"].as_str().unwrap().starts_with("proxy-") && found["status"] == "pass"),
        "verification did not run, or nothing passed: {findings:#?}"
    );
    assert!(
        findings.iter().all(|found| !found["id"].as_str().unwrap().starts_with("proxy-") || found["status"] != "fail"),
        "{findings:#?}"
    );

    let everything = [("http_proxy", URL), ("https_proxy", URL), ("no_proxy", NO_PROXY)];
    assert_eq!(decoded(URL), format!("svc:{PASSWORD}"));
    let profile_read = family == Family::CentOs;
    // (way in, does it read the family's file), as measured on Debian 12: facts of the readers, not of the tool.
    for (way, reads) in [
        (vec!["su", "-", "divvy", "-c", "env -0"], true),
        (vec!["su", "divvy", "-c", "env -0"], !profile_read),
        (vec!["sudo", "-u", "divvy", "env", "-0"], false),
        (vec!["sudo", "su", "-", "divvy", "-c", "env -0"], true),
        (vec!["sudo", "-i", "-u", "divvy", "env", "-0"], profile_read),
        (vec!["bash", "-lc", "env -0"], profile_read),
        (vec!["sh", "-lc", "env -0"], profile_read),
        (vec!["sh", "-c", "env -0"], false),
    ] {
        let ran = guest.run(&way).expect(0);
        let seen = environment(&ran.out);
        if reads {
            for (name, value) in everything {
                assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name} by {way:?}: {seen:?}");
            }
        } else {
            assert!(PROXY_NAMES.iter().all(|name| !seen.contains_key(*name)), "{way:?}: {seen:?}");
        }
    }
    if !profile_read {
        // The whole file as a shell would take it, the third reader of the same bytes.
        let seen = environment(guest.sh("set -a; . /etc/environment; env -0").as_bytes());
        for (name, value) in everything {
            assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name} sourced: {seen:?}");
        }
    }

    // What the host had is still there, and who may read it did not grow.
    let after = guest.manifest();
    for path in [family.proxy_file(), "/etc/environment"] {
        let path = Path::new(path.trim_start_matches("/etc/"));
        let (old, new) = (&before.0[path], &after.0[path]);
        assert_eq!((old.mode, old.owner), (new.mode, new.owner), "{}", path.display());
        assert_eq!(old.attributes, new.attributes, "{}", path.display());
    }
    let drop_in = &after.0[Path::new(DROP_IN.trim_start_matches("/etc/"))];
    assert_eq!(drop_in.mode & 0o077, 0, "the password in the drop-in is for root only: {:o}", drop_in.mode);
    let told = String::from_utf8_lossy(&guest.read("/var/lib/ics-setup/state.json")).into_owned();
    assert!(!told.contains("w0rd"), "a secret in what is remembered:\n{told}");

    // Twice is once: the password is found again or given again, and nothing is written.
    let again = prepare(&guest, &["--proxy-user", "svc", "--proxy-password-file", "/run/password"]).expect(0);
    assert_eq!(again.json()["outcome"], "unchanged", "{again}");
    assert_eq!(after.touched(&guest.manifest()), Vec::<std::path::PathBuf>::new());

    guest.run(&["ics-setup", "revert", "--non-interactive", "--format", "json"]).expect(0);
    assert_eq!(before.difference(&guest.manifest()), "", "after revert");
    assert_eq!(guest.leftovers(), "");
    let seen = environment(&guest.run(&["su", "-", "divvy", "-c", "env -0"]).out);
    assert!(PROXY_NAMES.iter().all(|name| !seen.contains_key(*name)), "a login after revert: {seen:?}");
}

/// A guest whose files carry what careless tools lose: owner, mode, ACL, attributes, comments and odd blanks.
fn dressed_up(family: Family) -> Guest {
    need(&["setfacl", "setfattr"]);
    let guest = Guest::prepared(family, |disk| {
        if family == Family::CentOs {
            crate::common::write(disk, "etc/profile.d/proxy.sh", "# set by hand, 2019\n\nexport JAVA_HOME=/opt/java\n");
        }
    });
    let root = guest.root();
    for file in [family.proxy_file(), "/etc/environment"] {
        let path = crate::common::below(&root, file);
        for words in [
            vec!["setfacl", "-m", "u:33:r--,g:4:r--"],
            vec!["setfattr", "-n", "user.origin", "-v", "built by hand"],
            vec!["setfattr", "-n", "trusted.note", "-v", "for root only"],
        ] {
            let status = std::process::Command::new(words[0]).args(&words[1..]).arg(&path).status().unwrap();
            assert!(status.success(), "{words:?} {}", path.display());
        }
    }
    guest.sh(&format!("chown 0:4 {0}; chmod 0664 {0}", family.proxy_file()));
    guest
}

/// No face of the secret may stand in what the run printed.
#[track_caller]
fn expect_no_secret(ran: &Ran) {
    let printed = format!("{}{}", String::from_utf8_lossy(&ran.out), ran.err);
    for face in ["p@ss:w0rd", "p%40ss%3Aw0rd", "w0rd", "c3ZjOnBAc3M6", "cEBzczp3MHJk"] {
        assert!(!printed.contains(face), "{face} was printed:\n{printed}");
    }
}

fn decoded(url: &str) -> String {
    let user_info = url.strip_prefix("http://").unwrap().split_once('@').unwrap().0;
    let mut bytes = Vec::new();
    let mut rest = user_info.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(if *byte == b'%' {
            let digits = [*rest.next().unwrap(), *rest.next().unwrap()];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
        } else {
            *byte
        });
    }
    String::from_utf8(bytes).unwrap()
}

// --------------------------------------------------------------------------------------- hosts that say no

/// Runs `prepare` on a host that `spoil` has made unwritable somewhere. It must fail with exit 5, name `named`, and
/// leave all of /etc, and the journal, as if it had never been.
#[track_caller]
fn refused(family: Family, spoil: &str, named: &[&str]) {
    let guest = Guest::new(family);
    guest.sh(spoil);
    let before = guest.manifest();
    let ran = prepare(&guest, &[]);
    let after = guest.manifest();
    let leftovers = guest.leftovers();
    guest.sh("chattr -R -i -a /etc 2>/dev/null || true"); // or the scratch folder could not be removed

    assert_eq!(before.difference(&after), "", "half-done after: {spoil}\n{ran}");
    assert_eq!(leftovers, "", "forgotten after: {spoil}\n{ran}");
    assert_eq!(ran.code, Some(5), "after: {spoil}\n{ran}");
    let error = &ran.json()["error"];
    assert_eq!(error["kind"], "host", "after: {spoil}\n{ran}");
    let told = error.to_string();
    for name in named {
        assert!(told.contains(name), "the error does not name {name} after: {spoil}\n{error:#}");
    }
    expect_nothing_interrupted(&guest);
}

#[track_caller]
fn expect_nothing_interrupted(guest: &Guest) {
    let status = guest.run(&["ics-setup", "status", "--format", "json"]).expect(0);
    assert_eq!(status.json()["interrupted"], Value::Null, "{status}");
}

fn prepare(guest: &Guest, more: &[&str]) -> Ran {
    let mut words = vec!["ics-setup", "prepare", "--deployment", "production", "--proxy", PROXY];
    words.extend(["--non-interactive", "--format", "json"]);
    words.extend(more);
    guest.run(&words)
}

#[test]
fn an_immutable_file_is_refused_by_name() {
    need(&["chattr"]);
    refused(Family::Ubuntu, "chattr +i /etc/environment", &["/etc/environment", "immutable"]);
    refused(
        Family::CentOs,
        "echo '# old' >/etc/profile.d/proxy.sh; chattr +i /etc/profile.d/proxy.sh",
        &["/etc/profile.d/proxy.sh", "immutable"],
    );
    refused(Family::Ubuntu, "chattr +a /etc/environment", &["/etc/environment"]);
}

#[test]
fn an_immutable_folder_is_refused_by_name() {
    refused(Family::CentOs, "chattr +i /etc/profile.d", &["/etc/profile.d"]);
}

#[test]
fn a_bind_mounted_target_is_refused_by_name() {
    let mount = "cp -a /etc/environment /run/environment; mount --bind /run/environment /etc/environment";
    refused(Family::Ubuntu, mount, &["/etc/environment"]);
    refused(
        Family::CentOs,
        "touch /etc/profile.d/proxy.sh; mount --bind /etc/profile.d/proxy.sh /etc/profile.d/proxy.sh",
        &["/etc/profile.d/proxy.sh"],
    );
}

#[test]
fn a_read_only_target_is_refused_by_name() {
    let file = "mount --bind /etc/environment /etc/environment; mount -o remount,ro,bind /etc/environment";
    refused(Family::Ubuntu, file, &["/etc/environment"]);
    for family in Family::BOTH {
        refused(family, "mount --bind /etc /etc; mount -o remount,ro,bind /etc", &["/etc"]);
    }
    let drop_in = "mkdir -p /etc/systemd/system/docker.service.d; cd /etc/systemd/system/docker.service.d; \
                   mount --bind . .; mount -o remount,ro,bind /etc/systemd/system/docker.service.d";
    refused(Family::Ubuntu, drop_in, &["docker.service.d"]);
}

/// Puts `folder` on a file system in memory of its own and leaves `free` bytes on it.
fn nearly_full(folder: &str, free: u32) -> String {
    format!(
        "mkdir -p /run/big {folder}; mount -t tmpfs -o size=24m,mode=755 tmpfs /run/big; \
         cp -a {folder}/. /run/big; mount --move /run/big {folder}; \
         head -c {free} /dev/zero >{folder}/reserve; cat /dev/zero >{folder}/filler 2>/dev/null || true; \
         rm {folder}/reserve; "
    )
}

/// Runs `prepare` with so little room in `folder`: refused with nothing half-done, or done whole. Tells which.
#[track_caller]
fn with_room(family: Family, folder: &str, free: u32) -> bool {
    let guest = Guest::new(family);
    guest.sh(&nearly_full(folder, free));
    let before = guest.manifest();
    let ran = prepare(&guest, &[]);
    let at = format!("{free} bytes free in {folder}: {ran}");
    assert_eq!(guest.leftovers(), "", "{at}");
    expect_nothing_interrupted(&guest);
    if ran.code == Some(5) {
        assert_eq!(before.difference(&guest.manifest()), "", "half-done with {at}");
        let told = ran.json()["error"].to_string();
        assert!(told.contains(folder) && told.to_lowercase().contains("space"), "the error does not tell: {at}");
    } else {
        assert_eq!(ran.code, Some(0), "{at}");
        let seen = environment(&guest.run(&["su", "-", "divvy", "-c", "env -0"]).out);
        assert_eq!(seen.get("http_proxy").map(String::as_str), Some(PROXY), "{at}");
    }
    // With room again, both ways lead back.
    guest.sh(&format!("rm {folder}/filler"));
    prepare(&guest, &[]).expect(0);
    guest.run(&["ics-setup", "revert", "--non-interactive"]).expect(0);
    assert_eq!(before.difference(&guest.manifest()), "", "after revert, {at}");
    ran.code == Some(5)
}

#[test]
fn a_full_disk_is_refused_with_nothing_half_done() {
    for family in Family::BOTH {
        for folder in ["/etc", "/etc/systemd/system", "/var/lib"] {
            let refused: Vec<bool> = (0..8).map(|pages| with_room(family, folder, pages * 4096)).collect();
            assert!(refused[0], "no room at all in {folder}, and still done");
            assert!(!refused[7], "28 KiB in {folder} are not enough: {refused:?}");
        }
    }
}

#[test]
fn no_inodes_left_is_refused_with_nothing_half_done() {
    let no_inodes = "mkdir -p /etc/systemd/system /run/few; \
                     mount -t tmpfs -o nr_inodes=1000,mode=755 tmpfs /run/few; \
                     cp -a /etc/systemd/system/. /run/few; mount --move /run/few /etc/systemd/system; \
                     n=0; while touch /etc/systemd/system/n$n 2>/dev/null; do n=$((n+1)); done";
    refused(Family::Ubuntu, no_inodes, &["/etc/systemd/system"]);
}

#[test]
fn what_is_no_file_is_refused_by_name() {
    for spoil in [
        "rm /etc/environment; mkdir /etc/environment",
        "rm /etc/environment; mkfifo /etc/environment",
        "ln -sf /dev/null /etc/environment",
        "ln -sf environment /etc/environment",
        "rm -r /etc/systemd/system/docker.service.d 2>/dev/null || true; \
         echo in the way >/etc/systemd/system/docker.service.d",
    ] {
        let named = if spoil.contains("docker") { "docker.service.d" } else { "/etc/environment" };
        refused(Family::Ubuntu, spoil, &[named]);
    }
}

// -------------------------------------------------------------------------------- odd but writable hosts

/// Runs `prepare` on an odd host. Whatever it decides, it is whole: either exit 4 or 5 and nothing changed, or exit 0,
/// the login sees the values, every other line is as it was, and `revert` brings back all of /etc.
#[track_caller]
fn handled(family: Family, spoil: &str, keeps: impl Fn(&Guest)) {
    let guest = Guest::new(family);
    guest.sh(spoil);
    let before = guest.manifest();
    let ran = prepare(&guest, &[]);
    assert_eq!(guest.leftovers(), "", "after: {spoil}\n{ran}");
    expect_nothing_interrupted(&guest);
    if matches!(ran.code, Some(4 | 5)) {
        assert_eq!(before.difference(&guest.manifest()), "", "half-done after: {spoil}\n{ran}");
        assert!(ran.json()["error"]["message"].is_string(), "{ran}");
        return;
    }
    let ran = ran.expect(0);
    assert_eq!(ran.json()["outcome"], "changed", "after: {spoil}\n{ran}");
    let seen = environment(&guest.run(&["su", "-", "divvy", "-c", "env -0"]).out);
    for (name, value) in [("http_proxy", PROXY), ("https_proxy", PROXY), ("no_proxy", NO_PROXY)] {
        assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name} in a login after: {spoil}\n{seen:?}");
    }
    let text = String::from_utf8_lossy(&guest.read(family.proxy_file())).into_owned();
    for name in ["http_proxy", "https_proxy", "no_proxy"] {
        assert_eq!(assignments(&text, name), 1, "{name} after: {spoil}\n{text}");
    }
    keeps(&guest);
    let changed = guest.manifest();
    assert_eq!(prepare(&guest, &[]).expect(0).json()["outcome"], "unchanged", "after: {spoil}");
    assert_eq!(changed.touched(&guest.manifest()), Vec::<std::path::PathBuf>::new(), "after: {spoil}");
    guest.run(&["ics-setup", "revert", "--non-interactive"]).expect(0);
    assert_eq!(before.difference(&guest.manifest()), "", "revert after: {spoil}");
    assert_eq!(guest.leftovers(), "", "after: {spoil}");
}

#[test]
fn a_symlinked_target_stays_a_symlink() {
    for link in ["../srv/environment", "/srv/environment", "/srv/second"] {
        let spoil = format!(
            "mv /etc/environment /srv/environment; chmod 640 /srv/environment; ln -s environment /srv/second; \
             ln -s {link} /etc/environment"
        );
        handled(Family::Ubuntu, &spoil, |guest| {
            assert_eq!(guest.sh("readlink /etc/environment").trim(), link);
            assert_eq!(guest.sh("stat -c %a /srv/environment").trim(), "640");
            assert!(guest.sh("cat /srv/environment").contains(PROXY));
        });
    }
    // A link to nowhere: what it names is made, and is gone again after the revert.
    for spoil in ["ln -sf ../srv/environment /etc/environment", "ln -sf /no/such/folder/environment /etc/environment"] {
        handled(Family::Ubuntu, spoil, |guest| {
            assert!(guest.sh("readlink /etc/environment").contains("environment"), "the link is gone");
        });
    }
    // The folder is the link: /etc/profile.d lies elsewhere.
    handled(Family::CentOs, "mv /etc/profile.d /srv/profile.d; ln -s /srv/profile.d /etc/profile.d", |guest| {
        assert_eq!(guest.sh("readlink /etc/profile.d").trim(), "/srv/profile.d");
    });
}

#[test]
fn a_target_with_hard_links_is_handled_or_refused() {
    // A rename parts the two names; writing in place would change both. Either way the login must be right, and
    // revert must bring back the bytes.
    handled(Family::Ubuntu, "ln /etc/environment /etc/environment.twin", |_| ());
}

#[test]
fn odd_bytes_are_kept() {
    let cases: BTreeMap<&str, &[u8]> = BTreeMap::from([
        ("no final newline", b"PATH=\"/usr/bin:/bin\"\nLANG=C".as_slice()),
        ("CRLF", b"PATH=\"/usr/bin:/bin\"\r\nLANG=C\r\n".as_slice()),
        ("mixed ends of line", b"PATH=\"/usr/bin:/bin\"\r\nLANG=C\nTZ=UTC\r\n".as_slice()),
        ("BOM", b"\xef\xbb\xbfPATH=\"/usr/bin:/bin\"\nLANG=C\n".as_slice()),
        ("BOM and CRLF", b"\xef\xbb\xbfPATH=\"/usr/bin:/bin\"\r\nLANG=C\r\n".as_slice()),
        ("invalid UTF-8", b"PATH=\"/usr/bin:/bin\"\nNAME=M\xfcller\xff\n# caf\xe9\n".as_slice()),
        ("blanks and comments", b"\n\n   # a comment  \n\tPATH=/usr/bin:/bin  \n\n".as_slice()),
        ("a continuation at the end", b"PATH=\"/usr/bin:/bin\"\nX=one\\\n".as_slice()),
        ("an unbalanced quote", b"PATH=\"/usr/bin:/bin\"\nX=\"open\n".as_slice()),
        (
            "an older proxy",
            b"http_proxy=http://old:1\nhttps_proxy=\"http://old:1\"\nPATH=\"/usr/bin:/bin\"\n".as_slice(),
        ),
        ("duplicates", b"http_proxy=http://a:1\nPATH=\"/usr/bin:/bin\"\nhttp_proxy=http://b:2\n".as_slice()),
        ("empty", b"".as_slice()),
    ]);
    keeps_odd_bytes(cases);
}

#[test]
fn what_hides_our_lines_from_the_login_is_seen_before_anything_is_written() {
    // Debian 12's pam_env reads nothing after a NUL, and nothing after a line of 8192 bytes.
    let long = [b"PATH=\"/usr/bin:/bin\"\nX=".as_slice(), &[b'x'; 9000], b"\n"].concat();
    keeps_odd_bytes(BTreeMap::from([("a line too long", long.as_slice())]));
    keeps_odd_bytes(BTreeMap::from([("NUL", b"PATH=\"/usr/bin:/bin\"\nX=a\0b\n".as_slice())]));
}

fn keeps_odd_bytes(cases: BTreeMap<&str, &[u8]>) {
    for (name, bytes) in cases {
        let octal: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
        let spoil = format!("printf '{octal}' >/etc/environment # {name}");
        handled(Family::Ubuntu, &spoil, |guest| {
            let now = guest.read("/etc/environment");
            let lines: Vec<_> = now.split_inclusive(|byte| *byte == b'\n').collect();
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                let ours = line.starts_with(b"http");
                let whole = line.ends_with(b"\n");
                assert!(
                    ours || lines.iter().any(|now| *now == line || (!whole && now.starts_with(line))),
                    "{name}: {:?} is gone from {:?}",
                    String::from_utf8_lossy(line),
                    String::from_utf8_lossy(&now)
                );
            }
        });
    }
}

#[test]
fn a_revert_over_an_edit_by_hand_is_a_conflict_by_name() {
    for family in Family::BOTH {
        let guest = Guest::new(family);
        let before = guest.manifest();
        prepare(&guest, &[]).expect(0);
        let edit = format!("printf '# by hand\\n' >>{}", family.proxy_file());
        guest.sh(&edit);
        let edited = guest.manifest();
        let status = guest.run(&["ics-setup", "status", "--format", "json"]).expect(0).json();
        assert_eq!(status["drift"][0]["path"], family.proxy_file(), "{status:#}");
        let ran = guest.run(&["ics-setup", "revert", "--non-interactive", "--format", "json"]).expect(5);
        assert!(ran.json()["error"].to_string().contains(family.proxy_file()), "{ran}");
        assert_eq!(edited.difference(&guest.manifest()), "", "{ran}");
        // By force the first bytes are back, and what was overwritten is kept for root.
        guest.run(&["ics-setup", "revert", "--force", "--non-interactive"]).expect(0);
        assert_eq!(before.difference(&guest.manifest()), "");
        assert_ne!(guest.sh("grep -rl 'by hand' /var/lib/ics-setup || true"), "", "the edit is not in any backup");
    }
}

#[test]
fn the_state_folder_is_for_root_only() {
    let guest = Guest::new(Family::Ubuntu);
    guest.write("/run/password", PASSWORD);
    prepare(&guest, &["--proxy-user", "svc", "--proxy-password-file", "/run/password"]).expect(0);
    // A second run backs up files that hold the password by now.
    let more = ["--proxy-user", "svc", "--proxy-password-file", "/run/password", "--no-proxy", ".corp.example"];
    prepare(&guest, &more).expect(0);
    let state = Manifest::take(&guest.path("/var/lib/ics-setup"), &[]);
    assert_eq!(guest.sh("stat -c %a /var/lib/ics-setup").trim(), "700");
    for (path, entry) in &state.0 {
        assert_eq!(entry.mode & 0o077, 0, "{} has mode {:o}", path.display(), entry.mode);
        if path.ends_with("journal") {
            assert!(!String::from_utf8_lossy(&entry.content).contains("w0rd"), "a secret in {}", path.display());
        }
    }
    // Two runs, taken back one by one.
    guest.run(&["ics-setup", "revert", "--non-interactive"]).expect(0);
    assert!(!guest.sh("cat /etc/environment").contains(".corp.example,"), "the second run is still there");
    assert!(guest.sh("cat /etc/environment").contains("http_proxy"), "the first run is gone too");
    guest.run(&["ics-setup", "revert", "--non-interactive"]).expect(0);
    assert_eq!(guest.sh("cat /etc/environment"), Family::Ubuntu.environment());
}

#[test]
fn a_login_that_hangs_is_given_up_and_leaves_no_process() {
    let guest = Guest::new(Family::Ubuntu);
    guest.write("/home/divvy/.profile", "sleep infinity\n");
    let ran = prepare(&guest, &[]).expect(0);
    let findings = ran.json()["findings"].clone();
    let login = findings.as_array().unwrap().iter().find(|found| found["id"] == "proxy-login").unwrap();
    assert_eq!(login["status"], "error", "{ran}");
    // The dead whose parents have gone are the namespace's to bury.
    assert_eq!(
        guest.sh("ps -u divvy -o stat=,pid=,args= | grep -v ^Z || true"),
        "",
        "left behind by the login that was given up"
    );
}

#[test]
fn a_root_folder_is_never_left_through_links() {
    // Links in an image lead where they would lead in the image, also those on the way to the tool's own state.
    let folder = crate::common::scratch("root");
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    let outside_shown = outside.display().to_string();
    for (link, to, codes) in [
        ("etc/environment", format!("{outside_shown}/environment"), &[0, 5][..]),
        ("etc/environment", "../../outside/environment".to_owned(), &[0, 5]),
        ("etc/systemd", outside_shown.clone(), &[0, 5]),
        // Settings that lead nowhere in the image are not "no settings".
        ("etc/ics-setup", outside_shown.clone(), &[3]),
        ("var/lib", outside_shown.clone(), &[0, 5]),
        ("var/lib/ics-setup", outside_shown.clone(), &[0, 5]),
        ("var/lib/ics-setup/runs", outside_shown.clone(), &[0, 5]),
    ] {
        let _ = std::fs::remove_dir_all(&root);
        let _ = std::fs::remove_dir_all(&outside);
        std::fs::create_dir_all(&outside).unwrap();
        Family::Ubuntu.dress(&root);
        let link = root.join(link);
        let _ = std::fs::remove_file(&link);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&to, &link).unwrap();
        let ran = crate::common::run(&root, &["prepare", "--proxy", PROXY, "--non-interactive", "--format", "json"]);
        assert!(ran.code.is_some_and(|code| codes.contains(&code)), "{} -> {to}: {ran}", link.display());
        let written = Manifest::take(&outside, &[]);
        assert_eq!(Manifest::default().difference(&written), "", "{} -> {to}: {ran}", link.display());
    }
}

#[test]
fn only_root_may_change_the_host() {
    let guest = Guest::new(Family::Ubuntu);
    let before = guest.manifest();
    let command = format!("ics-setup prepare --proxy {PROXY} --non-interactive --format json");
    let ran = guest.run(&["su", "-", "divvy", "-c", &command]).expect(8);
    assert!(format!("{}{}", String::from_utf8_lossy(&ran.out), ran.err).contains("sudo"), "{ran}");
    assert_eq!(before.difference(&guest.manifest()), "");
    let ran = guest.run(&["su", "-", "divvy", "-c", &format!("{command} --dry-run")]).expect(0);
    assert_eq!(ran.json()["outcome"], "pending", "{ran}");
    assert_eq!(before.difference(&guest.manifest()), "");
}
