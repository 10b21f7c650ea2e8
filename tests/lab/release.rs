//! What `scripts/release` made (`ICS_SETUP_DIST`) keeps its promises: binaries that start on old systems, packages that
//! come, go and touch nothing of the host's, and the README's commands.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Family, Guest, Leash, Manifest, debian_root, lab, need, scratch, until, write};
use serde_json::Value;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "amd64"), ("aarch64", "arm64")];

fn from_environment(name: &str) -> PathBuf {
    std::env::var_os(name).map(PathBuf::from).unwrap_or_else(|| panic!("{name} is not set: scripts/test makes it"))
}

fn dist() -> PathBuf {
    from_environment("ICS_SETUP_DIST")
}

fn artefact(arch: &str) -> PathBuf {
    dist().join(format!("ics-setup-{VERSION}-linux-{arch}"))
}

fn deb(goarch: &str) -> PathBuf {
    dist().join(format!("ics-setup_{VERSION}_{goarch}.deb"))
}

fn rpm(arch: &str) -> PathBuf {
    dist().join(format!("ics-setup-{VERSION}-1.{arch}.rpm"))
}

/// A Debian root of `scripts/lab/roots`.
fn root(name: &str) -> PathBuf {
    let root = lab().join("roots").join(name);
    assert!(root.exists(), "no {}: run scripts/lab/roots as root (scripts/test does)", root.display());
    root
}

#[track_caller]
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

// -------------------------------------------------------------------------------------------------------- binaries

/// The highest version of the C library among those that `readelf --version-info` lists.
fn newest_glibc(listing: &str) -> Vec<u32> {
    let versions = listing.split("GLIBC_").skip(1).filter_map(|rest| {
        let version = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        version.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()
    });
    versions.max().expect("a program that is linked with the C library")
}

#[test]
fn the_binaries_need_the_c_library_2_17_and_nothing_else() {
    need(&["readelf"]);
    assert_eq!(newest_glibc("Name: GLIBC_2.2.5 Flags: none\n Name: GLIBC_2.34  Flags: none"), [2, 34]);
    let here = std::env::current_exe().unwrap();
    let built_here = newest_glibc(&output("readelf", &["--version-info", "--wide", here.to_str().unwrap()]));
    assert!(built_here > vec![2, 17], "this test's own program is built for this machine: {built_here:?}");
    for (arch, _) in ARCHITECTURES {
        let path = artefact(arch);
        let read = |what| output("readelf", &[what, "--wide", path.to_str().unwrap()]);
        let newest = newest_glibc(&read("--version-info"));
        assert!(newest <= vec![2, 17], "{arch} needs the C library {newest:?}");
        let dynamic = read("--dynamic");
        let needed: Vec<&str> = dynamic
            .lines()
            .filter(|line| line.contains("(NEEDED)"))
            .filter_map(|line| line.split(['[', ']']).nth(1))
            .collect();
        let of_libc = |name: &&str| {
            ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"].contains(name)
                || name.starts_with("ld-linux-")
        };
        assert!(!needed.is_empty() && needed.iter().all(of_libc), "{arch}: {needed:?}");
        // Names are resolved by the C library, which alone asks what /etc/nsswitch.conf says.
        assert!(read("--dyn-syms").lines().any(|line| line.contains(" UND getaddrinfo")), "{arch}");
    }
}

/// `COMMIT YYYY-MM-DD` of the sources that this test stands in.
fn said_version() -> String {
    let git = |arguments: &[&str]| {
        output("git", &[&["-C", env!("CARGO_MANIFEST_DIR")], arguments].concat()).trim().to_owned()
    };
    let commit = git(&["log", "-1", "--date=short", "--format=%h %cd", "--abbrev=10"]);
    let (hash, date) = commit.split_once(' ').unwrap();
    let dirty = if git(&["status", "--porcelain", "--untracked-files=normal"]).is_empty() { "" } else { "-dirty" };
    format!("ics-setup {VERSION} ({hash}{dirty} {date})\n")
}

#[test]
fn it_starts_on_the_oldest_system_and_resolves_names_as_that_does() {
    let guest = Guest::over(&root("debian-11"), Some(&artefact("x86_64")), |_| ());
    assert_eq!(guest.sh("ics-setup --version"), said_version());
    assert!(guest.sh("ics-setup demo --os ubuntu").contains("http_proxy"));
    guest.run(&["ics-setup", "check", "host", "--skip", "time-synchronised"]);
    // The hosts file counts when the C library is told so, and only then.
    guest.write("etc/hosts", "127.0.0.1 localhost\n127.0.0.1 db.corp.example\n");
    for (order, resolved) in [("files", true), ("dns", false)] {
        guest.write("etc/nsswitch.conf", format!("passwd: files\ngroup: files\nhosts: {order}\n"));
        let ran = guest.run(&[
            "ics-setup",
            "check",
            "backends",
            "--mysql-host",
            "db.corp.example",
            "--only",
            "mysql-reachable",
            "--format",
            "json",
        ]);
        let finding = &ran.json()["findings"][0];
        let observed = finding["observed"].as_str().unwrap_or_default();
        assert_eq!(
            observed.contains("refused") || observed.contains("nothing listens"),
            resolved,
            "{order}: {finding:#}"
        );
    }
}

#[test]
fn the_other_architecture_runs_under_emulation() {
    need(&["qemu-aarch64-static"]);
    let libraries = root("arm64");
    let run = |arguments: &[&str]| {
        let mut words = vec!["-L", libraries.to_str().unwrap()];
        let path = artefact("aarch64");
        words.push(path.to_str().unwrap());
        words.extend(arguments);
        output("qemu-aarch64-static", &words)
    };
    assert_eq!(run(&["--version"]), said_version());
    let folder = scratch("aarch64");
    write(folder.path(), "etc/os-release", Family::CentOs.os_release());
    let proxy = ["--proxy", "http://proxy.corp.example:3128"];
    run(&[&["prepare", "--root", folder.path().to_str().unwrap(), "--yes"], &proxy[..]].concat());
    let written = fs::read_to_string(folder.path().join("etc/profile.d/proxy.sh")).unwrap();
    assert!(written.contains("export http_proxy=\"http://proxy.corp.example:3128\""), "{written}");
}

// ------------------------------------------------------------------------------------------------ sums, list of crates

#[test]
fn the_sums_are_those_of_the_files_and_name_all_of_them() {
    let sums = fs::read_to_string(dist().join("SHA256SUMS")).unwrap();
    let named: BTreeSet<String> = sums.lines().map(|line| line.split_once("  ").unwrap().1.to_owned()).collect();
    let there = fs::read_dir(dist()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(named, there.filter(|name| name != "SHA256SUMS").collect());
    assert_eq!(named.len(), 7, "two binaries, four packages, a list of crates: {named:?}");
    let check =
        Command::new("sha256sum").args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(dist()).status();
    assert!(check.unwrap().success());
}

#[test]
fn the_list_of_crates_is_complete_and_names_no_machine() {
    let text = fs::read_to_string(dist().join(format!("ics-setup-{VERSION}.cdx.json"))).unwrap();
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR")) && !text.contains("/root/"), "a path of this machine");
    let list: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((list["bomFormat"].as_str(), list["specVersion"].as_str()), (Some("CycloneDX"), Some("1.5")));
    assert_eq!(
        (&list["metadata"]["component"]["name"], &list["metadata"]["component"]["version"]),
        (&"ics-setup".into(), &VERSION.into())
    );
    let listed: BTreeSet<String> = list["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["name"].as_str().unwrap(), one["version"].as_str().unwrap()))
        .collect();
    let tree = output(
        "cargo",
        &[
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--target",
            "x86_64-unknown-linux-gnu",
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ],
    );
    let linked: BTreeSet<String> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
            (name != "ics-setup").then(|| format!("{name} {version}"))
        })
        .collect();
    let missing: Vec<_> = linked.difference(&listed).collect();
    assert!(linked.len() > 60 && missing.is_empty(), "{missing:?}");
    // Every crate that is listed with a licence can be looked up; the packages carry the texts.
    assert!(
        list["components"].as_array().unwrap().iter().all(|one| one["licenses"].is_array()),
        "a crate without licence"
    );
}

// -------------------------------------------------------------------------------------------------------- packages

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
struct Manager {
    install: &'static str,
    remove: &'static str,
    old: PathBuf,
    new: PathBuf,
    os_release: Option<Family>,
    proxy_file: &'static str,
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
fn host(lower: &Path, manager: &Manager) -> Guest {
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
fn c_library_for_rpm(guest: &Guest) {
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

// ------------------------------------------------------------------------------------------------------------ README

/// The commands of the README's section on installing, block by block.
fn readme() -> Vec<Vec<&'static str>> {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("<!-- install:").unwrap();
    let (section, _) = rest.split_once("<!-- end of install -->").unwrap();
    section
        .split("```")
        .skip(1)
        .step_by(2)
        .map(|block| block.lines().filter(|line| !line.is_empty()).collect())
        .collect()
}

/// What the README's addresses are in a guest: a web server with the release behind a proxy, each by its name.
struct Site {
    _space: Vec<Leash>,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Site {
    fn of(guest: &Guest) -> Self {
        need(&["tinyproxy", "openssl", "python3"]);
        let folder = crate::common::scratch_for_all("site");
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let names = "127.0.0.1 localhost proxy.corp.example\n127.0.0.2 releases.example\n";
        guest.write("etc/hosts", names);
        fs::write(at("hosts"), names).unwrap();
        let request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=releases.example -addext subjectAltName=DNS:releases.example";
        let mut words: Vec<&str> = request.split(' ').collect();
        let (key, certificate) = (at("key.pem"), at("cert.pem"));
        words.extend(["-keyout", &key, "-out", &certificate]);
        output("openssl", &words);
        fs::copy(&certificate, guest.path("packages/ca.pem")).unwrap();
        guest.write("root/.curlrc", "cacert = \"/packages/ca.pem\"\n");
        fs::create_dir_all(at("web/ics-setup")).unwrap();
        std::os::unix::fs::symlink(fs::canonicalize(dist()).unwrap(), at(&format!("web/ics-setup/v{VERSION}")))
            .unwrap();
        let log = folder.path().join("proxy.log");
        fs::write(
            at("proxy.conf"),
            format!("Port 3128\nListen 127.0.0.1\nConnectPort 443\nLogFile \"{}\"\nLogLevel Connect\n", log.display()),
        )
        .unwrap();
        let web = "import http.server, ssl, sys, functools
server = http.server.ThreadingHTTPServer(('127.0.0.2', 443), functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1]))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()";
        // The guest's network comes in as the standard input: its process cannot be seen from another pid namespace.
        let net = || fs::File::open(format!("/proc/{}/ns/net", guest.pid())).unwrap();
        let script = format!("mount --bind {} /etc/hosts; exec nsenter --net=/proc/self/fd/0 \"$@\"", at("hosts"));
        let start = |words: &[&str]| {
            let mut command = crate::common::leashed(&[], "sh");
            command.args(["-ec", &script, "sh"]).args(words).stdin(net());
            command.stdout(fs::File::create(at("out")).unwrap()).stderr(fs::File::create(at(words[0])).unwrap());
            Leash::start(&mut command)
        };
        let space = vec![
            start(&["python3", "-c", web, &at("web"), &certificate, &key]),
            start(&["tinyproxy", "-d", "-c", &at("proxy.conf")]),
        ];
        until(|| {
            let ran = guest.run(&["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3128 4<>/dev/tcp/127.0.0.2/443"]);
            if ran.code == Some(0) { Ok(()) } else { Err(ran.err) }
        });
        Self { _space: space, log, _folder: folder }
    }
}

#[test]
fn the_readme_tells_how_to_install_behind_a_proxy() {
    let blocks = readme();
    let [fetch, dpkg, rpm_block, copy] = blocks.as_slice() else { panic!("{blocks:?}") };
    let manager = |family| Manager {
        install: "",
        remove: "",
        old: deb("amd64"),
        new: rpm("x86_64"),
        os_release: family,
        proxy_file: "",
    };
    let fetched = |guest: &Guest, file: &Path| {
        let site = Site::of(guest);
        let name = file.file_name().unwrap().to_str().unwrap();
        let (first, chosen) = (format!("FILE=ics-setup_{VERSION}_amd64.deb"), format!("FILE={name}"));
        let script = fetch.join("\n");
        assert!(
            script.contains(&first) && script.contains(name),
            "{name} is none of the files that are named: {script}"
        );
        let said = guest.sh(&format!("cd /packages\n{}", script.replace(&first, &chosen)));
        assert!(said.contains(&format!("{name}: OK")), "{said}");
        let log = fs::read_to_string(&site.log).unwrap();
        assert!(log.contains("CONNECT releases.example:443"), "not through the proxy: {log}");
    };
    let guest = host(&root("debian-11"), &manager(None));
    fetched(&guest, &deb("amd64"));
    let run = |guest: &Guest, line: &str| guest.sh(&format!("cd /packages; {line}"));
    let [install, remove, purge] = dpkg.as_slice() else { panic!("{dpkg:?}") };
    run(&guest, install);
    assert_eq!(guest.sh("ics-setup --version"), said_version());
    run(&guest, install); // an upgrade is the same command
    guest.sh("mkdir -p /var/lib/ics-setup; touch /etc/ics-setup/settings.toml");
    run(&guest, remove);
    assert!(guest.path("etc/ics-setup/settings.toml").exists() && !guest.path("usr/bin/ics-setup").exists());
    run(&guest, purge);
    assert!(!guest.path("etc/ics-setup").exists() && !guest.path("var/lib/ics-setup").exists());
    let [copy] = copy.as_slice() else { panic!("{copy:?}") };
    fetched(&guest, &artefact("x86_64"));
    run(&guest, copy);
    assert_eq!(guest.sh("ics-setup --version"), said_version());

    let guest = host(&root("rpm"), &manager(Some(Family::CentOs)));
    c_library_for_rpm(&guest);
    fetched(&guest, &rpm("x86_64"));
    let [install, erase] = rpm_block.as_slice() else { panic!("{rpm_block:?}") };
    run(&guest, install);
    assert_eq!(guest.sh("ics-setup --version"), said_version());
    run(&guest, install);
    guest.sh("mkdir -p /var/lib/ics-setup");
    run(&guest, erase);
    assert!(guest.path("etc/ics-setup").exists() && guest.path("var/lib/ics-setup").exists());
    assert!(!guest.path("usr/bin/ics-setup").exists());
}
