//! `install` on hosts that systemd has booted: units, packages, crontabs and power cuts are real.

use crate::common::outside::PROXY_BARE;
use crate::common::{Booted, Engine, Family, Host};

use super::whole::{action, ics_setup, install, state, states};

const TEST_DRIVE: [&str; 6] = ["--deployment", "test-drive", "--release", "22.3.9", "--workers", "2"];
const UNIT: &str = "insightcloudsec.service";
const DROP_IN: &str = "/etc/systemd/system/docker.service.d/http-proxy.conf";

/// The way out, for a host that has the password in a file.
const WAY: [&str; 6] = ["--proxy", PROXY_BARE, "--proxy-user", "svc", "--proxy-password-file", "/root/proxy"];

/// What its containers are to trust, where the vendor's files have it.
fn with_proxy(host: &Host) -> Vec<&'static str> {
    host.registry();
    host.write("root/proxy", "S3cret@Proxy");
    host.sh("install -D -m 644 /opt/lab/images/ca.crt /divvycloud/proxy_cert.crt");
    [&TEST_DRIVE[..], &WAY].concat()
}

/// The line of the vendor's installers.
const LINE: &str = "@reboot docker-compose -f /divvycloud/docker-compose.yml up -d";

fn is_enabled(host: &Host) -> bool {
    host.run(&["systemctl", "is-enabled", "--quiet", UNIT]).code == Some(0)
}

/// Nothing of the product runs, starts or is known.
#[track_caller]
fn away(host: &Host) {
    assert!(host.container_ids().is_empty());
    for path in ["/divvycloud/prod.env", "/divvycloud/docker-compose.yml", &format!("/etc/systemd/system/{UNIT}")] {
        assert_ne!(host.run(&["ls", path]).code, Some(0), "{path} is there");
    }
    assert!(!is_enabled(host));
    assert_ne!(host.run(&["systemctl", "cat", UNIT]).code, Some(0), "systemd knows it still");
    assert_eq!(host.sh("find /etc/systemd/system -name 'insightcloudsec*'"), "");
    assert_ne!(host.run(&["id", "divvy"]).code, Some(0));
}

#[test]
fn through_a_proxy_with_a_login_over_boots_and_back() {
    let mut host = Booted::new(Engine::V20_10);
    let log = |host: &Booted| host.registry().access_log();
    let words = with_proxy(&host);
    host.sh(&format!("(echo '17 4 * * * true'; echo '{LINE}') | crontab -"));
    let crontab = host.sh("crontab -l");

    // The vendor's line is in the diff, and goes; the person's own stays.
    let dry = host.run(&[&["ics-setup", "install", "--dry-run"], &words[..]].concat()).expect(0);
    assert!(String::from_utf8_lossy(&dry.out).contains(&format!("\n-{LINE}\n")), "{dry}");
    assert_eq!(host.sh("crontab -l"), crontab);

    // Nobody sees a password in the list of processes, whichever they are.
    host.sh("touch /tmp/seen");
    let watcher =
        host.serve(&["sh", "-c", "while sleep 0.02; do cat /proc/[0-9]*/cmdline >>/tmp/seen 2>/dev/null; done"]);
    let json = install(&host, &words).expect(0).json();
    host.sh(&format!("kill {watcher}"));
    let password = host.sh("sed -n 's/^DIVVY_DB_PASSWORD=//p' /divvycloud/prod.env").trim().to_owned();
    let seen = host.sh("tr '\\0' ' ' </tmp/seen");
    assert!(seen.contains("docker pull") && !seen.contains("S3cret") && !seen.contains(&password));
    let kept = host.sh("cat /var/lib/ics-setup/runs/*/journal /var/lib/ics-setup/state.json; journalctl --no-pager");
    assert!(!kept.contains("S3cret") && !kept.contains(&password));
    assert_eq!(host.sh("find /var/lib/ics-setup -type f -perm /077"), "");
    for stage in ["prepare", "engine", "accounts", "files", "fetch", "start", "healthy", "boot"] {
        assert_eq!(state(&json, stage), "changed", "{json:#}");
    }
    assert_eq!(host.status(), 200);
    assert!(
        host.sh("tr '\\0' '\\n' </proc/$(pidof dockerd)/environ").contains("HTTPS_PROXY=http://svc:S3cret%40Proxy@")
    );
    for asked in ["CONNECT public.ecr.aws:443 svc", "CONNECT registry-1.docker.io:443 svc"] {
        assert!(log(&host).contains(asked), "{}", log(&host));
    }
    let asked: Vec<_> =
        json["findings"].as_array().unwrap().iter().filter(|one| one["id"] == "proxy-from-containers").collect();
    assert!(asked.len() == 1 && asked[0]["status"] == "pass", "{asked:#?}");
    assert!(is_enabled(&host));
    assert_eq!(host.sh(&format!("systemctl is-active {UNIT}")).trim(), "active");
    assert_eq!(host.sh("crontab -l"), crontab.replace(&format!("{LINE}\n"), ""));

    // A second time nothing happens.
    let before = host.container_ids();
    let again = install(&host, &words).expect(0).json();
    assert_eq!(again["outcome"], "unchanged", "{again:#}");
    assert_eq!(host.container_ids(), before);

    // Down in order, and without power: it comes back by itself, with the same containers.
    for cut in [false, true] {
        if cut {
            host.power_cut()
        } else {
            host.reboot()
        }
        host.healthy();
        let after = host.container_ids();
        assert!(before.keys().eq(after.keys()));
        for (service, containers) in &before {
            let kept = containers.iter().zip(&after[service]).all(|(old, new)| old.0 == new.0 && old.1 < new.1);
            assert!(kept, "{service} was made anew, cut {cut}: {before:?} {after:?}");
        }
    }
    let again = install(&host, &words).expect(0).json();
    assert_eq!(again["outcome"], "unchanged", "{again:#}");

    let back = ics_setup(&host, &["revert"]).expect(0).json();
    assert_eq!(action(&back, "worker"), "remove");
    away(&host);
    assert_ne!(host.run(&["ls", DROP_IN]).code, Some(0));
    assert_eq!(host.sh("crontab -l"), crontab);
    assert!(!host.sh("cat /etc/environment").contains("proxy"));
    assert!(host.sh("ls -A /divvycloud/data/db").contains("divvy"));
    host.reboot();
    assert!(host.container_ids().is_empty());
}

#[test]
fn a_bare_host_gets_engine_and_compose_from_its_package_manager() {
    let host = Booted::new(Engine::V20_10);
    host.bare();
    host.write("etc/apt/apt.conf.d/90quick", "DPkg::Options:: \"--force-unsafe-io\";\n");
    // Its packages come from a folder, its images from another: there is no network.
    host.sh("mkdir /bundle; cp /opt/lab/images/images.tar /bundle; cd /bundle; sha256sum * >/tmp/sums; mv /tmp/sums SHA256SUMS");
    let words = [&TEST_DRIVE[..], &["--bundle", "/bundle"]].concat();
    let dry = install(&host, &[&words[..], &["--dry-run"]].concat()).expect(0).json();
    assert_eq!(state(&dry, "engine"), "pending", "{dry:#}");
    assert_ne!(host.run(&["sh", "-c", "command -v docker"]).code, Some(0));

    let json = install(&host, &words).expect(0).json();
    assert_eq!((state(&json, "engine").as_str(), state(&json, "boot").as_str()), ("changed", "changed"), "{json:#}");
    assert_eq!(host.status(), 200);
    assert_eq!(host.sh("systemctl is-enabled docker").trim(), "enabled");
    let again = install(&host, &words).expect(0).json();
    assert_eq!(again["outcome"], "unchanged", "{again:#}");

    // What is installed stays; with --purge it is listed, and goes.
    ics_setup(&host, &["revert"]).expect(0);
    away(&host);
    assert_eq!(host.sh("systemctl is-active docker").trim(), "active");
    let dry = host.run(&["ics-setup", "revert", "--purge=/divvycloud", "--dry-run"]).expect(0);
    let listed = String::from_utf8_lossy(&dry.out).into_owned() + &dry.err;
    assert!(listed.contains("docker.io") && listed.contains("docker-compose"), "{dry}");
    ics_setup(&host, &["revert", "--purge=/divvycloud"]).expect(0);
    for program in ["docker", "dockerd", "docker-compose"] {
        assert_ne!(host.run(&["sh", "-c", &format!("command -v {program}")]).code, Some(0), "{program} is there");
    }
    assert_ne!(host.run(&["ls", "/divvycloud"]).code, Some(0));
}

#[test]
fn as_centos_has_it() {
    let host = Booted::of(Engine::V26_1, Family::CentOs);
    host.load_images();
    let words = with_proxy(&host);
    // What cannot be enabled at boot is told, and the product stays.
    host.sh("mount -t tmpfs -o ro tmpfs /etc/systemd/system/multi-user.target.wants");
    let lame = install(&host, &words);
    let json = lame.json();
    assert_eq!((lame.code, state(&json, "boot").as_str(), host.status()), (Some(6), "failed", 200), "{lame}");
    assert!(json["error"]["try"].to_string().contains("the product is healthy"), "{lame}");
    host.sh("umount /etc/systemd/system/multi-user.target.wants");
    let before = host.container_ids();
    let json = install(&host, &words).expect(0).json();
    assert_eq!((state(&json, "boot").as_str(), host.container_ids()), ("changed", before));
    assert!(states(&json).iter().all(|(_, state)| state != "failed" && state != "pending"), "{json:#}");
    assert!(host.read("/etc/profile.d/proxy.sh").contains("export https_proxy="));
    assert_eq!(host.read("/etc/environment"), "");
    assert_eq!(host.status(), 200);
    assert!(is_enabled(&host));
    ics_setup(&host, &["revert"]).expect(0);
    away(&host);
    assert_ne!(host.run(&["ls", "/etc/profile.d/proxy.sh"]).code, Some(0));
}
