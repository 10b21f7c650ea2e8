//! Images that come, from a bundle or a registry, and those that do not: what is said, and that the host is as before.

use std::process::Stdio;

use crate::common::outside::{PROXY, PROXY_BARE};
use crate::common::{Compose, Engine, Ran, Site, child_of};

use super::failures::bare;
use super::lab::test_drive;
use super::whole::{install, state};

const PRODUCT: &str = "public.ecr.aws/divvycloud/divvycloud:v22.3.9";
const WORDS: [&str; 4] = ["--deployment", "test-drive", "--workers", "2"];

/// A folder with the images, a compose file and a Compose.
fn bundle(site: &Site) {
    site.write("bundle/docker-compose.yml", test_drive());
    site.sh(
        "cd /bundle && ln -s /opt/lab/images/images.tar . && cp /opt/lab/compose/2.40.3 compose && sha256sum * >/sums",
    );
    site.sh("mv /sums /bundle/SHA256SUMS");
}

/// It failed in `fetch`, by that cause, with the command that mends it, and nothing of it is left.
#[track_caller]
fn refused(site: &Site, ran: &Ran, id: &str, words: &[&str]) {
    let json = ran.json();
    assert_eq!((ran.code, json["outcome"].as_str()), (Some(5), Some("restored")), "{ran}");
    assert_eq!((json["error"]["id"].as_str(), state(&json, "fetch").as_str()), (Some(id), "failed"), "{ran}");
    let said = json["error"].to_string();
    for word in words {
        assert!(said.contains(word), "{word:?} in {ran}");
    }
    assert!(!json["error"]["try"].as_array().unwrap().is_empty(), "{ran}");
    left(site);
}

#[track_caller]
fn left(site: &Site) {
    bare(site);
    assert!(!site.sh("cat /etc/environment").contains("proxy"));
    assert_eq!(site.sh("docker ps -aq"), "");
}

#[test]
fn a_bundle_needs_no_network() {
    let site = Site::new(Engine::V20_10);
    site.compose(Compose::None);
    bundle(&site);
    let words = [&WORDS[..], &["--bundle", "/bundle"]].concat();

    // What is not what its checksum says is refused before anything is written.
    let sums = site.read("/bundle/SHA256SUMS");
    let other = |name: &str| {
        let lines = sums
            .lines()
            .map(|line| if line.ends_with(name) { line.replacen(|_: char| true, "0", 8) } else { line.to_owned() });
        lines.map(|line| line + "\n").collect::<String>()
    };
    for name in ["docker-compose.yml", "images.tar", " compose"] {
        site.write("bundle/SHA256SUMS", other(name));
        let refused = install(&site, &words);
        assert_eq!(refused.code, Some(4), "{name}: {refused}");
        let json = refused.json();
        assert!(
            json["error"].to_string().contains(name.trim()) && json["changes"].as_array().unwrap().is_empty(),
            "{refused}"
        );
        left(&site);
        assert_eq!(site.sh("docker images -q"), "");
        assert_ne!(site.run(&["sh", "-c", "command -v docker-compose || docker compose version"]).code, Some(0));
    }
    site.write("bundle/SHA256SUMS", sums);

    let json = install(&site, &words).expect(0).json();
    for stage in ["engine", "files", "fetch", "healthy"] {
        assert_eq!(state(&json, stage), "changed", "{json:#}");
    }
    assert_eq!(site.status(), 200);
    let reasons = json["changes"].to_string();
    assert!(reasons.contains("taken from the bundle /bundle"), "{reasons}");
    let before = site.container_ids();
    assert_eq!(install(&site, &words).expect(0).json()["outcome"], "unchanged");
    assert_eq!(site.container_ids(), before);
}

#[test]
fn what_the_daemon_says_has_its_cause() {
    let site = Site::new(Engine::V20_10);
    let engine = |proxy: &str| {
        site.stop_engine();
        match proxy {
            "" => site.start_engine(&[], &[]),
            proxy => site.start_engine(&[("HTTPS_PROXY", proxy), ("NO_PROXY", "169.254.169.254")], &[]),
        }
    };
    let release = [&WORDS[..], &["--release", "22.3.9"]].concat();

    // There is no network, and nobody has said which proxy.
    refused(
        &site,
        &install(&site, &release),
        "pull-name-unknown",
        &["does not resolve", "the same command with --proxy"],
    );

    site.registry();
    let way = ["--proxy", PROXY];
    let words = [&release[..], &way].concat();
    engine(&PROXY_BARE.replace("http://", "http://svc:wrong@"));
    refused(&site, &install(&site, &words), "pull-proxy-login", &["407", "--proxy-password-file"]);
    engine(&PROXY.replace("http://", "https://"));
    refused(&site, &install(&site, &words), "pull-proxy-scheme", &["plain HTTP", "--proxy http://"]);
    engine(PROXY);
    let absent = [&WORDS[..], &way, &["--image", "public.ecr.aws/divvycloud/divvycloud:v0.0.1"]].concat();
    refused(&site, &install(&site, &absent), "pull-no-such-tag", &["v0.0.1", "--image <REF>"]);
    site.without_images();

    // Cancelled in the middle: all is back.
    let mut command = site.command(&[&["ics-setup", "install", "--yes"], &words[..]].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    for line in lines.map_while(Result::ok) {
        if line.trim_start().starts_with("pulling ") && !said.contains("pulling ") {
            let pid = nix::unistd::Pid::from_raw(child_of(child.id()).unwrap().parse().unwrap());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        }
        said += &(line + "\n");
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("cancelled while") && !said.contains("S3cret"), "{said}");
    left(&site);

    // The authority that signs is not known to this host: who it is stands in the message.
    site.distrust();
    engine(PROXY);
    let unknown = install(&site, &words);
    refused(&site, &unknown, "pull-unknown-authority", &["lab authority", "allowlist --decrypt-exclusions"]);
}

#[test]
fn a_full_disk_names_its_folder() {
    let site = Site::new(Engine::V26_1);
    site.registry();
    site.stop_engine();
    site.sh("mount -t tmpfs -o size=50m tmpfs /var/lib/docker");
    site.start_engine(&[("HTTPS_PROXY", PROXY)], &[]);
    let words = [
        &WORDS[..],
        &["--release", "22.3.9", "--proxy", PROXY, "--ignore-check", "disk-free", "--ignore-check", "image-room"],
    ]
    .concat();
    refused(&site, &install(&site, &words), "pull-disk-full", &["/var/lib/docker", "docker system df"]);
    bundle(&site);
    let words = [&words[..], &["--bundle", "/bundle", "--image", PRODUCT]].concat();
    refused(&site, &install(&site, &words), "pull-disk-full", &["/var/lib/docker", "docker system df"]);
}
