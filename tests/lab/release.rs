//! What `scripts/release` made (`ICS_SETUP_DIST`) keeps its promises: binaries that start on old systems, packages that
//! come, go and touch nothing of the host's, and the README's commands.

mod packages;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Family, Guest, Leash, lab, need, scratch, unsaid, until, write};
use packages::{Manager, c_library_for_rpm, host};
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
    let output = unsaid(Command::new(program).args(arguments)).output().unwrap();
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
            ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1"].contains(name)
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
