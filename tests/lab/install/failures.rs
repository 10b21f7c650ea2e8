//! What each failure says, leaves and exits with.

use crate::common::{Engine, Site, until};

use super::whole::{ics_setup, install, state};

const WORDS: [&str; 4] = ["--deployment", "test-drive", "--release", "22.3.9"];
const IMAGE: &str = "public.ecr.aws/divvycloud/divvycloud:v22.3.9";

/// Nothing of the product is on the host.
#[track_caller]
pub(super) fn bare(site: &Site) {
    assert!(site.container_ids().is_empty());
    assert_eq!(site.sh("ls /divvycloud 2>/dev/null | grep -v -e data -e plugins -e proxy_cert.crt || true"), "");
    assert!(site.run(&["id", "divvy"]).code != Some(0));
}

#[test]
fn of_the_first_start() {
    let site = Site::new(Engine::V20_10);
    site.load_images();

    // Somebody has the port.
    let listener = site.serve(&["python3", "-m", "http.server", "8001", "--bind", "0.0.0.0"]);
    until(|| if site.status() == 404 { Ok(()) } else { Err(format!("no listener: {}", site.status())) });
    let taken = install(&site, &WORDS);
    assert_eq!(taken.code, Some(4), "{taken}");
    let json = taken.json();
    assert_eq!(state(&json, "preflight"), "failed", "{json:#}");
    assert!(json["error"].to_string().contains("8001") && json["error"].to_string().contains("python3"), "{json:#}");
    bare(&site);
    let free = |listener: &str| {
        site.sh(&format!("kill {listener}"));
        until(|| if site.status() == 0 { Ok(()) } else { Err(format!("it still answers: {}", site.status())) });
    };
    free(&listener);

    let program = site.sh("command -v docker-compose").trim().to_owned();
    let real = format!("{program}.real");
    // Compose, with something that happens before one of its verbs.
    let meddle = |verb: &str, what: &str| {
        let script = format!("#!/bin/sh\ncase \" $* \" in *\" {verb} \"*) {what} ;; esac\nexec {real} \"$@\"\n");
        site.sh(&format!("mv {program} {real}"));
        site.write(program.trim_start_matches('/'), script);
        site.sh(&format!("chmod 755 {program}"));
    };
    let mend = || site.sh(&format!("mv {real} {program}"));

    // Or takes it when everything has been looked at: what runs by then is stopped.
    meddle("up", "python3 -m http.server 8001 --bind 0.0.0.0 >/dev/null 2>&1 & echo $! >/run/taker; sleep 5");
    let raced = install(&site, &WORDS);
    free(site.sh("cat /run/taker").trim());
    mend();
    let json = raced.json();
    assert_eq!((raced.code, json["outcome"].as_str()), (Some(5), Some("restored")), "{raced}");
    assert_eq!(state(&json, "start"), "failed", "{json:#}");
    assert!(json["error"].to_string().contains("8001"), "{json:#}");
    bare(&site);

    // It ends again and again: said at once, with the container's own words, and taken back.
    site.fault(IMAGE, &["LAB_CRASH=1"]);
    let loops = install(&site, &WORDS);
    let json = loops.json();
    assert_eq!((loops.code, json["outcome"].as_str()), (Some(5), Some("restored")), "{loops}");
    assert_eq!(state(&json, "healthy"), "failed", "{json:#}");
    assert!(json["error"]["message"].as_str().unwrap().contains("ends again and again"), "{json:#}");
    assert!(site.sh("cat /var/lib/ics-setup/failed-start.log").contains("== "));
    bare(&site);
    site.sh(&format!("docker tag lab/kept {IMAGE}"));

    // It never answers.
    site.fault(IMAGE, &["LAB_NEVER_HEALTHY=1"]);
    let late = install(&site, &[&WORDS[..], &["--healthy-within", "20s"]].concat());
    let json = late.json();
    assert_eq!((late.code, json["outcome"].as_str()), (Some(5), Some("restored")), "{late}");
    assert!(json["error"]["message"].as_str().unwrap().contains("web interface"), "{json:#}");
    bare(&site);
    site.sh(&format!("docker tag lab/kept {IMAGE}"));

    // A migration takes longer than that, and is waited for.
    site.sh("rm -rf /divvycloud/data");
    site.fault(IMAGE, &["LAB_MIGRATION=50"]);
    let slow = install(&site, &[&WORDS[..], &["--healthy-within", "40s"]].concat()).expect(0);
    assert!(slow.err.contains("upgrades the schema"), "{slow}");
    // A log has a line from time to time for what lasts.
    let lasts = |line: &str| line.starts_with("  healthy: the scheduler upgrades") && line.contains(" running (");
    assert!(slow.err.lines().any(lasts), "{slow}");
    assert_eq!(site.status(), 200);

    // Or longer than anybody waits for: it goes on with that, and the same command finds it done.
    ics_setup(&site, &["revert"]).expect(0);
    site.sh("rm -rf /divvycloud/data");
    let limits = ["--healthy-within", "40s", "--migrate-within", "40s"];
    let slow = install(&site, &[&WORDS[..], &limits].concat());
    let json = slow.json();
    assert_eq!((slow.code, json["outcome"].as_str()), (Some(6), Some("failed")), "{slow}");
    assert!(json["error"]["try"].to_string().contains("logs --tail 100 -f scheduler"), "{json:#}");
    assert_eq!(state(&json, "healthy"), "failed", "{json:#}");
    let left = site.container_ids();
    assert!(left.contains_key("scheduler") && left.contains_key("worker"), "{left:?}");
    install(&site, &WORDS).expect(0);
    assert_eq!((site.status(), site.container_ids() == left), (200, true));

    // A way back that cannot be gone leaves the product as it runs, with its files, and is gone once its cause is mended.
    let files = site.sh("cat /divvycloud/docker-compose.yml /divvycloud/prod.env");
    meddle("down", "echo no down today >&2; exit 1");
    let stays = ics_setup(&site, &["revert"]);
    assert_eq!((stays.code, site.status()), (Some(5), 200), "{stays}");
    assert!(stays.json()["error"].to_string().contains("no down today"), "{stays}");
    assert!(site.sh("id divvy").contains("divvy") && site.container_ids() == left, "{stays}");
    assert_eq!(site.sh("cat /divvycloud/docker-compose.yml /divvycloud/prod.env"), files);
    mend();

    // What an earlier run has made stays when a later one fails in whichever stage, and nothing that runs is touched.
    site.sh("useradd bob");
    let before = (site.container_ids(), site.sh("cat /divvycloud/*.yml /divvycloud/*.env"));
    let join = ["--docker-group", "bob"];
    let moved = ["--docker-group", "bob", "--image", "divvycloud/divvycloud:v99.0.1"];
    let scaled = ["--docker-group", "bob", "--workers", "2"];
    for (stage, more, code, so, otherwise) in [
        ("settings", &["--workers", "many"][..], 3, "true", "true"),
        ("preflight", &["--docker-group", "nobody-here"], 3, "true", "true"),
        (
            "preflight",
            &["--port", "2375"],
            4,
            "python3 -m http.server 2375 >/dev/null 2>&1 & echo $! >/run/taker; sleep 5",
            "kill $(cat /run/taker)",
        ),
        ("accounts", &join, 5, "mv /usr/sbin/usermod /root", "mv /root/usermod /usr/sbin"),
        // Nothing can be renamed to where something is mounted.
        (
            "files",
            &scaled,
            5,
            "cd /divvycloud && mount --bind docker-compose.yml docker-compose.yml",
            "umount /divvycloud/docker-compose.yml",
        ),
        ("fetch", &moved, 5, "true", "true"),
    ] {
        site.sh(so);
        let failed = install(&site, &[&WORDS[..], more].concat());
        site.sh(otherwise);
        assert_eq!(failed.code, Some(code), "{stage}: {failed}");
        if code == 5 {
            assert_eq!(state(&failed.json(), stage), "failed", "{failed}");
        }
        assert!(site.sh("id divvy").contains("divvy") && !site.sh("id -nG bob").contains("docker"), "{failed}");
        let now = (site.container_ids(), site.sh("cat /divvycloud/*.yml /divvycloud/*.env"));
        assert_eq!(now, before, "{stage}: {failed}");
    }
}

#[test]
fn killed_at_each_stage_the_same_command_goes_on() {
    let site = Site::new(Engine::V26_1);
    site.load_images();
    let words = [&["ics-setup", "install", "--yes"][..], &WORDS].concat();

    // Flags of a run that was killed are not taken in silence.
    site.kill_at(&[&words[..], &["--workers", "3"]].concat(), "engine ");
    let json = install(&site, &[&WORDS[..], &["--dry-run"]].concat()).expect(0).json();
    assert!(json["findings"].to_string().contains("was interrupted"), "{json:#}");
    let json = install(&site, &WORDS).expect(0).json();
    assert!(json["findings"].to_string().contains("--workers: 3 then, nothing now"), "{json:#}");
    ics_setup(&site, &["revert"]).expect(0);

    for marker in
        ["prepare ", "engine ", "accounts ", "files ", "fetch ", "databases ", "starting the product", "start "]
    {
        let said = site.kill_at(&words, marker);
        let json = install(&site, &WORDS).expect(0).json();
        // After the last of them everything may be there already.
        let all = ["changed", "unchanged"];
        let wanted = if marker == "start " { &all[..] } else { &all[..1] };
        assert!(wanted.contains(&json["outcome"].as_str().unwrap()), "after {said}: {json:#}");
        assert_eq!(site.status(), 200);
        ics_setup(&site, &["revert"]).expect(0);
        bare(&site);
    }
}
