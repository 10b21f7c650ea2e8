//! The packages: they come, go, and touch nothing of the host's.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{ARCHITECTURES, VERSION, artefact, deb, from_environment, output, root, rpm, said_version};
use crate::common::{Family, Guest, Manifest, debian_root, lab, need, scratch, write};

/// A package of the same description with an older number, of the files that the last one was made of.
fn older(format: &str) -> PathBuf {
    let folder = scratch("older").keep();
    let target = folder.join(format!("ics-setup-older.{format}"));
    let mut command = Command::new(from_environment("ICS_SETUP_NFPM"));
    command.current_dir(from_environment("ICS_SETUP_SHARE"));
    command.envs([("VERSION", "0.0.1"), ("ARCH", "amd64"), ("SOURCE_DATE_EPOCH", "1767225600")]);
    command.args(["package", "--config", "nfpm.yaml", "--packager", format]);
    let made = command.arg("--target").arg(&target).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    target
}

/// All files that both packages have to have, below the folder where the doc files of a format are.
const FILES: [&str; 7] = [
    "usr/bin/ics-setup",
    "usr/share/man/man1/ics-setup.1.gz",
    "usr/share/man/man1/ics-setup-prepare.1.gz",
    "usr/share/bash-completion/completions/ics-setup",
    "usr/share/fish/vendor_completions.d/ics-setup.fish",
    "usr/share/doc/ics-setup/THIRD-PARTY-NOTICES.gz",
    "usr/share/doc/ics-setup/examples/settings.toml",
];

/// Everything on the disk of a guest but what belongs to the package manager and to nobody.
fn host_of(guest: &Guest) -> Manifest {
    let without = [
        "proc",
        "dev",
        "sys",
        "run",
        "tmp",
        "packages",
        "var/lib/dpkg",
        "var/lib/rpm",
        "var/log",
        "var/cache",
        "root/.rpmdb",
    ];
    Manifest::take(&guest.root(), &without)
}

/// The package manager's words for one kind of package.
pub(super) struct Manager {
    pub(super) install: &'static str,
    pub(super) remove: &'static str,
    pub(super) old: PathBuf,
    pub(super) new: PathBuf,
    pub(super) os_release: Option<Family>,
    pub(super) proxy_file: &'static str,
}

impl Manager {
    fn dpkg(old: PathBuf) -> Self {
        Self {
            install: "dpkg -i",
            remove: "dpkg -r ics-setup",
            old,
            new: deb("amd64"),
            os_release: None,
            proxy_file: "/etc/environment",
        }
    }
}

/// A host as a package finds it: with a proxy file of its own.
pub(super) fn host(lower: &Path, manager: &Manager) -> Guest {
    Guest::over(lower, None, |upper| {
        // Images leave documentation out; a host has it.
        write(upper, "etc/dpkg/dpkg.cfg.d/99mmdebstrap", "");
        if let Some(family) = manager.os_release {
            family.dress(upper);
        }
        for (name, from) in [("old", &manager.old), ("new", &manager.new)] {
            fs::create_dir_all(upper.join("packages")).unwrap();
            fs::copy(from, upper.join("packages").join(name)).unwrap();
        }
    })
}

/// Installs, prepares, upgrades and removes: the proxy files and the journals stay. Returns the manifest of before.
fn comes_and_goes(guest: &Guest, manager: &Manager) -> (Manifest, Vec<String>) {
    let before = host_of(guest);
    let said = guest.sh(&format!("{} /packages/old 2>&1", manager.install));
    assert!(!said.to_lowercase().contains("warning"), "{said}");
    for file in FILES {
        assert!(guest.path(file).exists(), "{file} is not installed");
    }
    let installed = host_of(guest);
    let of_package = |path: &PathBuf| {
        let path = path.to_str().unwrap();
        path.starts_with("usr/") && path.contains("ics-setup") || path == "etc/ics-setup"
    };
    let strange: Vec<_> = before
        .touched(&installed)
        .into_iter()
        .filter(|path| !of_package(path) && !is_folder(&installed, path))
        .collect();
    assert!(strange.is_empty(), "installing touches {strange:?}");
    assert_eq!(guest.sh("stat -c %a:%U /etc/ics-setup").trim(), "755:root");
    assert_eq!(guest.sh("ics-setup --version"), said_version());

    for proxy in ["http://one.corp.example:3128", "http://two.corp.example:3128"] {
        guest.run(&["ics-setup", "prepare", "--proxy", proxy, "--yes"]).expect(0);
    }
    let prepared = host_of(guest);
    let runs = committed(guest);
    assert_eq!(runs.len(), 2);
    guest.sh(&format!("{} /packages/new", manager.install));
    let upgraded = host_of(guest);
    let changed: Vec<_> = prepared
        .touched(&upgraded)
        .into_iter()
        .filter(|path| !of_package(path) && !is_folder(&upgraded, path))
        .collect();
    assert!(changed.is_empty(), "upgrading touches {changed:?}");
    // The journals of before are read.
    guest.run(&["ics-setup", "revert", "--yes"]).expect(0);
    assert!(String::from_utf8(guest.read(manager.proxy_file)).unwrap().contains("one.corp.example"));
    let runs = committed(guest);
    assert_eq!(runs.len(), 3);

    let state = host_of(guest);
    guest.sh(manager.remove);
    let removed = host_of(guest);
    let changed: Vec<_> =
        state.touched(&removed).into_iter().filter(|path| !of_package(path) && !is_folder(&state, path)).collect();
    assert!(changed.is_empty(), "removing touches {changed:?}");
    for kept in ["etc/ics-setup", "var/lib/ics-setup/runs"] {
        assert!(guest.path(kept).is_dir(), "{kept} is gone");
    }
    // Nothing but what the runs made: no file and no folder of the package.
    let of_runs = ["etc/ics-setup", "etc/systemd", "var/lib/ics-setup", manager.proxy_file.trim_start_matches('/')];
    let left: Vec<_> = removed.0.keys().filter(|path| !before.0.contains_key(*path)).collect();
    let left: Vec<_> = left.iter().filter(|path| !of_runs.iter().any(|made| path.starts_with(made))).collect();
    assert!(left.is_empty(), "left: {left:?}");
    (before, runs)
}

fn is_folder(manifest: &Manifest, path: &Path) -> bool {
    manifest.0.get(path).is_some_and(|entry| entry.kind == 'd')
}

/// The ids of the committed runs, oldest first, as `status` has them.
fn committed(guest: &Guest) -> Vec<String> {
    let status = guest.run(&["ics-setup", "status", "--format", "json"]).expect(0).json();
    let runs = status["runs"].as_array().unwrap_or_else(|| panic!("{status:#}"));
    let mut ids: Vec<String> = runs
        .iter()
        .filter(|run| run["state"] != "rolled-back" && run["state"] != "interrupted")
        .map(|run| run["run"].as_str().unwrap_or_else(|| panic!("{run:#}")).to_owned())
        .collect();
    ids.sort();
    ids
}

#[test]
fn the_deb_is_installed_upgraded_removed_and_purged_on_three_releases() {
    let older = older("deb");
    for lower in [root("debian-11"), debian_root(), lab().join("readers/root13")] {
        let manager = Manager::dpkg(older.clone());
        let guest = host(&lower, &manager);
        let (before, runs) = comes_and_goes(&guest, &manager);
        let environment = guest.read("/etc/environment");
        let said = guest.sh("touch /packages/mark; sleep 0.02; dpkg --purge ics-setup");
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("run ")).collect();
        assert_eq!(lines.len(), runs.len(), "{said}");
        for (line, run) in lines.iter().zip(&runs) {
            assert_eq!(*line, format!("run {run} can no longer be taken back; its files stay as they are"));
        }
        assert_eq!(guest.read("/etc/environment"), environment);
        // Nothing of the package is left, and nothing of the host's is gone; what the runs wrote stays.
        let after = host_of(&guest);
        let left: Vec<_> = before.touched(&after).into_iter().filter(|path| !is_folder(&after, path)).collect();
        let written = ["etc/environment", "etc/systemd/system/docker.service.d/http-proxy.conf"].map(PathBuf::from);
        assert_eq!(left, written, "{}", lower.display());
        let newer = guest.sh(
            "find / -xdev -newer /packages/mark ! -type d ! -path '/proc/*' ! -path '/var/lib/dpkg/*' ! -path '/var/log/*' ! -path '/var/cache/*'",
        );
        assert_eq!(newer, "", "{}", lower.display());
        assert!(!guest.path("etc/ics-setup").exists() && !guest.path("var/lib/ics-setup").exists());
    }
    fs::remove_dir_all(older.parent().unwrap()).unwrap();
}

#[test]
fn a_purge_names_committed_and_interrupted_runs_and_no_others() {
    let manager = Manager::dpkg(deb("amd64"));
    let guest = host(&debian_root(), &manager);
    guest.sh("dpkg -i /packages/new");
    let begin = "{\"record\":\"begin\"}\n";
    for (run, journal) in [
        ("1-done", format!("{begin}{{\"record\":\"commit\"}}\n")),
        ("2-cut", format!("{begin}{{\"record\":\"commit\"}}")),
        (
            "3-back",
            format!("{begin}{{\"record\":\"commit\"}}\n{{\"record\":\"abort\"}}\n{{\"record\":\"rolled-back\"}}\n"),
        ),
        ("4-begun", begin.to_owned()),
        ("5-cut-later", format!("{begin}{{\"record\":\"commit\"}}\n{{\"rec")),
    ] {
        guest.write(&format!("var/lib/ics-setup/runs/{run}/journal"), journal);
    }
    // Settings behind a link, journals on a disk of their own.
    guest.sh("mv /etc/ics-setup /srv/settings; ln -s /srv/settings /etc/ics-setup; touch /etc/ics-setup/settings.toml");
    let said = guest.sh("dpkg --purge ics-setup");
    let named = |words: &str| -> Vec<&str> {
        let lines = said.lines().filter(|line| line.ends_with(words));
        lines.filter_map(|line| line.strip_prefix("run ")?.split(' ').next()).collect()
    };
    assert_eq!(named("can no longer be taken back; its files stay as they are"), ["1-done", "5-cut-later"], "{said}");
    let interrupted = "was interrupted; what it has changed stays, and can no longer be taken back";
    assert_eq!(named(interrupted), ["2-cut", "4-begun"], "{said}");
    assert_eq!(
        guest.sh("ls -A /srv/settings; ls -d /etc/ics-setup /var/lib/ics-setup 2>&1 || true").lines().count(),
        2
    );
}

#[test]
fn what_stands_in_the_way_of_the_package_is_told_and_ends_nothing() {
    let manager = Manager::dpkg(deb("amd64"));
    let guest = host(&debian_root(), &manager);
    guest.write("etc/ics-setup", "a file");
    let said =
        guest.sh("dpkg -i /packages/new 2>&1; mkdir -p /var/lib/ics-setup; mount -t tmpfs none /var/lib/ics-setup");
    assert!(said.contains("/etc/ics-setup is in the way"), "{said}");
    guest.sh("touch /var/lib/ics-setup/state");
    let said = guest.sh("dpkg --purge ics-setup; dpkg --purge ics-setup 2>&1");
    assert!(said.contains("/var/lib/ics-setup stays: something is mounted there"), "{said}");
    assert_eq!(
        guest.sh("ls -A /var/lib/ics-setup; dpkg -l ics-setup 2>/dev/null | grep '^.[^n] *ics-setup' || true"),
        ""
    );
    assert!(!guest.path("etc/ics-setup").exists());
}

/// Debian's rpm knows no package of the C library; this one says what CentOS 7's says of itself.
pub(super) fn c_library_for_rpm(guest: &Guest) {
    let folder = scratch("glibc");
    let config = "name: glibc\nversion: 2.17\nversion_schema: none\narch: amd64\nplatform: linux\nmaintainer: lab\ndescription: stand-in\nlicense: none\n";
    write(folder.path(), "nfpm.yaml", config);
    let made = Command::new(from_environment("ICS_SETUP_NFPM"))
        .current_dir(folder.path())
        .args(["package", "--packager", "rpm", "--target", "glibc.rpm"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    guest.write("packages/glibc.rpm", fs::read(folder.path().join("glibc.rpm")).unwrap());
    guest.sh("rpm --initdb; rpm -i /packages/glibc.rpm");
}

#[test]
fn the_rpm_is_installed_upgraded_and_erased() {
    let older = older("rpm");
    let manager = Manager {
        install: "rpm -U",
        remove: "rpm -e ics-setup",
        old: older.clone(),
        new: rpm("x86_64"),
        os_release: Some(Family::CentOs),
        proxy_file: "/etc/profile.d/proxy.sh",
    };
    let guest = host(&root("rpm"), &manager);
    let alone = guest.run(&["rpm", "-U", "/packages/new"]);
    assert!(alone.code != Some(0) && alone.err.contains("glibc >= 2.17 is needed"), "{alone}");
    c_library_for_rpm(&guest);
    let needs = guest.sh("rpm -qp --requires /packages/new");
    let strange: Vec<&str> = needs
        .lines()
        .filter(|line| !line.starts_with("rpmlib(") && *line != "glibc >= 2.17" && *line != "/bin/sh")
        .collect();
    assert!(strange.is_empty(), "{needs}");
    // The rpm of CentOS 7 knows neither zstd nor what came later.
    assert!(!needs.to_lowercase().contains("zstd"), "{needs}");
    comes_and_goes(&guest, &manager);
    fs::remove_dir_all(older.parent().unwrap()).unwrap();
}

#[test]
fn the_packages_of_both_architectures_differ_in_the_binary_alone() {
    need(&["dpkg-deb", "rpm"]);
    let list = |path: &Path, deb: bool| -> BTreeSet<String> {
        let path = path.to_str().unwrap();
        let text = if deb {
            let text = output("dpkg-deb", &["--contents", path]);
            text.lines()
                .filter_map(|line| line.split_whitespace().last().map(|name| name.trim_start_matches('.').to_owned()))
                .collect()
        } else {
            output("rpm", &["-qlp", "--nosignature", path]).lines().map(str::to_owned).collect::<Vec<_>>()
        };
        text.into_iter().filter(|name| !name.ends_with('/')).collect()
    };
    for (one, other, is_deb) in [(deb("amd64"), deb("arm64"), true), (rpm("x86_64"), rpm("aarch64"), false)] {
        let files = list(&one, is_deb);
        assert_eq!(files, list(&other, is_deb));
        assert!(FILES.iter().all(|file| files.contains(&format!("/{file}"))), "{files:?}");
    }
    for (arch, goarch) in ARCHITECTURES {
        let folder = scratch("unpacked");
        output("dpkg-deb", &["-x", deb(goarch).to_str().unwrap(), folder.path().to_str().unwrap()]);
        assert_eq!(fs::read(folder.path().join("usr/bin/ics-setup")).unwrap(), fs::read(artefact(arch)).unwrap());
        let field = |name| output("dpkg-deb", &["-f", deb(goarch).to_str().unwrap(), name]).trim().to_owned();
        assert_eq!((field("Architecture").as_str(), field("Depends").as_str()), (goarch, "libc6 (>= 2.17)"));
        assert_eq!(
            output("rpm", &["-qp", "--nosignature", "--qf", "%{arch} %{version}", rpm(arch).to_str().unwrap()]),
            format!("{arch} {VERSION}")
        );
    }
}

#[test]
fn the_packages_please_their_own_judges() {
    need(&["lintian", "rpmlint"]);
    for (_, goarch) in ARCHITECTURES {
        let path = deb(goarch);
        let ran = Command::new("lintian")
            .args(["--allow-root", "--fail-on", "error,warning,info"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
    }
    let mut command = Command::new("rpmlint");
    command.args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/release.d/rpmlint.toml")]);
    let ran = command.args(ARCHITECTURES.map(|(arch, _)| rpm(arch))).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("0 errors, 0 warnings"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}
