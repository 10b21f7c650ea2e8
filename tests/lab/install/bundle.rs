//! A bundle that is made where there is a way to a registry, and installed where there is no network at all.

use std::process::Command;

use serde_json::Value;

use crate::common::outside::{ADDRESS, PROXY, REDIS_PASSWORD};
use crate::common::site::PROGRAM;
use crate::common::{Compose, Engine, Host, Ran, Site, report};

use super::failures::bare;
use super::whole::{install, state};

const PRODUCT: &str = "public.ecr.aws/divvycloud/divvycloud:v22.3.9";
const TEST_DRIVE: [&str; 4] = ["--deployment", "test-drive", "--release", "22.3.9"];

fn create(host: &Host, words: &[&str]) -> Ran {
    let ran = host.run(&[&["ics-setup", "bundle", "create"], words, &["--format", "json"]].concat());
    let said = String::from_utf8_lossy(&ran.out).into_owned() + &ran.err;
    assert!(!said.contains("S3cret"), "a password is shown: {ran}");
    ran
}

#[track_caller]
fn files(json: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    json["holds"].as_array().unwrap().iter().map(|one| (text(&one["file"]), text(&one["what"]))).collect()
}

/// What sha256sum says to all of it.
fn is_whole(host: &Host, folder: &str) -> bool {
    host.run(&["sh", "-c", &format!("cd {folder} && sha256sum --quiet --strict -c SHA256SUMS")]).code == Some(0)
}

/// The folder on another host's disk.
fn carry(from: &Host, to: &Host, folder: &str) {
    let copied = Command::new("cp").arg("-a").args([from.path(folder), to.path(folder)]).status().unwrap();
    assert!(copied.success());
}

/// One host with a registry that only its proxy leads to; another without any network, an engine its only possession.
#[test]
fn made_here_and_installed_without_any_network() {
    let site = Site::new(Engine::V26_1);
    site.compose(Compose::Program);
    site.registry();
    let words = [&["/bundle"], &TEST_DRIVE[..]].concat();

    // The daemon has no proxy: as any pull, with its cause. Nothing of the folder stays.
    let without = create(&site, &words);
    let json = without.json();
    assert_eq!((without.code, json["outcome"].as_str()), (Some(5), Some("failed")), "{without}");
    assert_eq!((&json["error"]["id"], &json["holds"]), (&"pull-name-unknown".into(), &Value::Array(Vec::new())));
    assert!(!site.path("/bundle").exists());

    site.stop_engine();
    site.start_engine(&[("HTTPS_PROXY", PROXY), ("NO_PROXY", "169.254.169.254")], &[]);
    let pending = create(&site, &[&words[..], &["--dry-run", "--exit-code"]].concat()).expect(10).json();
    assert_eq!((pending["outcome"].as_str(), pending["holds"][0]["bytes"].as_u64()), (Some("pending"), None));
    assert!(!site.path("/bundle").exists() && site.sh("docker images -q").is_empty());

    let json = create(&site, &words).expect(0).json();
    assert_eq!((json["command"].as_str(), json["outcome"].as_str()), (Some("bundle create"), Some("changed")));
    let expected = [
        ("images-quickstart-db-latest.tar", "image"),
        ("images-divvycloud-v22.3.9.tar", "image"),
        ("images-redis-latest.tar", "image"),
        ("docker-compose.yml", "compose-file"),
        ("prod.env.template", "prod-env"),
        ("compose", "compose"),
        ("ics-setup-x86_64", "program"),
        ("bundle.json", "manifest"),
        ("CONTENTS", "contents"),
        ("SHA256SUMS", "checksums"),
    ];
    assert_eq!(files(&json), expected.map(|(file, what)| (file.to_owned(), what.to_owned())), "{json:#}");
    for held in json["holds"].as_array().unwrap() {
        let size = site.path("/bundle").join(held["file"].as_str().unwrap()).metadata().unwrap().len();
        assert_eq!(held["bytes"], size, "{held}");
    }
    assert_eq!((&json["holds"][1]["image"], &json["holds"][1]["architecture"]), (&PRODUCT.into(), &"amd64".into()));
    assert!(json["holds"][1]["digest"].as_str().unwrap().starts_with("sha256:"), "{json:#}");
    assert_eq!(json["holds"][5]["version"], "2.40.3");
    let missing = json["missing"].as_array().unwrap();
    assert!(missing.len() == 1 && missing[0]["what"] == "engine" && missing[0].to_string().contains("docker.io"));
    assert!(is_whole(&site, "/bundle"));
    assert_eq!(site.sh("cd /bundle && ls -A | grep -vFxf CONTENTS | wc -l").trim(), "10");
    assert!(!site.sh("cd /bundle && cat *.template CONTENTS *.json *.yml").contains("PASSWORD=d"));

    // Again: nothing. A byte that has turned, and a release that is another: that alone is made anew.
    let before = site.sh("cd /bundle && stat -c '%n %i %Y' *");
    assert_eq!(create(&site, &words).expect(0).json()["outcome"], "unchanged");
    assert_eq!(site.sh("cd /bundle && stat -c '%n %i %Y' *"), before);
    flip(&site, "images-redis-latest.tar");
    assert_eq!(create(&site, &words).expect(0).json()["outcome"], "changed");
    let changed = |before: &str| {
        let now = site.sh("cd /bundle && stat -c '%n %i %Y' *");
        now.lines()
            .filter(|line| !before.contains(line))
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(changed(&before), ["SHA256SUMS", "images-redis-latest.tar"]);
    assert!(is_whole(&site, "/bundle"));

    // Somebody's files are nobody else's.
    site.sh("mkdir /theirs && touch /theirs/notes");
    for (folder, word) in [("/theirs", "notes"), ("/bundle/CONTENTS", "a file"), ("/no/such", "/no")] {
        let refused = create(&site, &[&[folder], &TEST_DRIVE[..]].concat()).expect(3);
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains(word), "{refused}");
    }
    assert_eq!(site.sh("ls -A /theirs").trim(), "notes");

    let dark = Site::new(Engine::V20_10);
    dark.compose(Compose::None);
    carry(&site, &dark, "/bundle");
    // Whatever file has a byte that has turned: nothing of it is used.
    for (file, _) in expected.into_iter().filter(|(file, _)| *file != "images-divvycloud-v22.3.9.tar") {
        flip(&dark, file);
        let refused = install(&dark, &["--deployment", "test-drive", "--bundle", "/bundle"]);
        assert_eq!(refused.code, Some(4), "{file}: {refused}");
        assert!(refused.json()["changes"].as_array().unwrap().is_empty(), "{refused}");
        flip(&dark, file);
    }
    bare(&dark);
    // Another release than it has is seen before anything is written, too; and the folder may have moved.
    let other =
        install(&dark, &["--deployment", "test-drive", "--bundle", "/bundle", "--release", "22.12.7"]).expect(4);
    assert!(other.json()["error"]["message"].as_str().unwrap().contains("ics/core:v22.12.7"), "{other}");
    let moved = install(&dark, &["--deployment", "test-drive", "--bundle", "/mnt/bundle"]).expect(3);
    assert!(moved.json()["error"]["message"].as_str().unwrap().contains("there is no folder /mnt/bundle"), "{moved}");

    // What it has printed, as printed.
    let steps: Vec<&str> = json["next_steps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
    assert_eq!(steps.len(), 2, "{steps:?}");
    // A host that has had no program yet, in the place of the lab's mount.
    dark.sh(&format!("umount {PROGRAM} && rm -f {PROGRAM}"));
    for step in steps {
        report(&format!("  bundle: {step}"));
        dark.run(&["sh", "-c", step]).expect(0);
    }
    assert_eq!(dark.status(), 200);
    // And as its own file says, from within the folder.
    let contents = dark.read("/bundle/CONTENTS");
    let (_, own) = contents.split_once("in this folder:\n").unwrap();
    let again = own.lines().map(str::trim).find(|line| line.contains("install --bundle")).unwrap();
    let ran = dark.run(&["sh", "-c", &format!("cd /bundle && {again} --format json")]).expect(0);
    assert_eq!(ran.json()["outcome"], "unchanged", "{ran}");

    // An image for another processor goes by its own name alone, and is refused by name where it cannot run.
    site.sh(&format!(
        "docker rmi -f {PRODUCT} >/dev/null; echo >/a; tar -C / -c a | docker import --platform linux/arm64 - {PRODUCT}"
    ));
    let refused = create(&site, &["/other", "--release", "22.3.9"]);
    assert_eq!(refused.json()["error"]["id"], "image-architecture", "{refused}");
    let words = ["/other", "--release", "22.3.9", "--platform", "linux/arm64"];
    let json = create(&site, &words).expect(0).json();
    let lacks: Vec<&Value> = json["missing"].as_array().unwrap().iter().map(|one| &one["what"]).collect();
    assert_eq!(lacks, ["engine", "compose", "program"], "{json:#}");
    site.without_images();
    site.backends().product_databases("S3cret-Product");
    site.write("pw", "S3cret-Product");
    site.write("redis", REDIS_PASSWORD);
    let back_ends = ["--mysql-host", ADDRESS, "--mysql-password-file", "/pw"];
    let queues = ["--redis-host", ADDRESS, "--redis-password-file", "/redis"];
    let passed = ["--ignore-check", "cpu-cores", "--ignore-check", "mysql-version"];
    let refused = install(&site, &[&["--bundle", "/other"], &back_ends[..], &queues, &passed].concat());
    assert_eq!((refused.code, state(&refused.json(), "preflight").as_str()), (Some(4), "failed"), "{refused}");
    assert!(refused.json().to_string().contains(&format!("the bundle has {PRODUCT} for arm64")), "{refused}");
}

/// Turns the last byte but one of a file, or turns it back.
fn flip(host: &Host, file: &str) {
    let path = host.path("/bundle").join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 2;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn killed_at_any_step_there_is_no_half_bundle() {
    let site = Site::new(Engine::V20_10);
    site.load_images();
    let words = ["ics-setup", "bundle", "create", "/bundle", "--release", "22.3.9"];
    for marker in ["saving", "copying ics-setup"] {
        site.kill_at(&words, marker);
        assert!(!site.path("/bundle/SHA256SUMS").exists(), "{marker}");
    }
    // The folder is nobody's bundle, and the same command makes it one.
    for nth in 1..9 {
        let killed = site.kill_at_call(&words, "rename", nth);
        let listed = site.path("/bundle/SHA256SUMS").exists();
        assert!(!listed || is_whole(&site, "/bundle"), "{nth}: {killed}");
        if killed.code == Some(0) {
            break;
        }
        assert!(nth < 8, "it never came to its end: {killed}");
    }
    let json = create(&site, &["/bundle", "--release", "22.3.9"]).expect(0).json();
    assert_eq!(json["outcome"], "unchanged");
    assert!(is_whole(&site, "/bundle") && !site.path("/bundle/.ics-setup-bundle").exists());
    assert!(json["missing"].to_string().contains("compose"), "a script is none: {json:#}");

    // Another release in its place, and none of its images.
    site.sh(&format!("docker tag {PRODUCT} public.ecr.aws/divvycloud/divvycloud:v22.4.1"));
    let json = create(&site, &["/bundle", "--release", "22.4.1"]).expect(0).json();
    assert_eq!(json["outcome"], "changed");
    assert_eq!(site.sh("cd /bundle && ls images*").trim(), "images-divvycloud-v22.4.1.tar");

    // No room: said before the first byte, and the bundle of before is whole.
    site.sh("mkdir /small && mount -t tmpfs -o size=20m tmpfs /small && echo x >/small/x");
    let full = create(&site, &["/small/bundle", "--release", "22.3.9"]).expect(4);
    assert_eq!(full.json()["error"]["id"], "bundle-room", "{full}");
    assert_eq!(site.sh("ls -A /small").trim(), "x");

    // Without a daemon.
    site.stop_engine();
    let down = create(&site, &["/bundle", "--release", "22.4.1"]).expect(4);
    assert_eq!(down.json()["error"]["id"], "docker-silent", "{down}");
    assert!(is_whole(&site, "/bundle"));
}
