use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::context::found;
use crate::docker::double::Double;
use crate::finding::{Finding, Ignored, Status};
use crate::host::{Attributes, MemoryHost, Output, View};
use crate::plan::Draft;
use crate::platform::{PackageManager, detect};
use crate::settings::{First, Layers, Origin, SecretSources};

/// As printed by 20.10.24.
const VERSION: &str = r#"{"Client":{"Version":"20.10.24+dfsg1","ApiVersion":"1.41","Os":"linux","Arch":"amd64"},"Server":{"Version":"20.10.24+dfsg1","ApiVersion":"1.41","Os":"linux","Arch":"amd64"}}"#;
const INFO: &str = r#"{"driver":"overlay2","root":"/var/lib/docker","running":0}"#;

/// As printed by apt 2.6.2.
const POLICY: &str = "docker.io:\n  Installed: (none)\n  Candidate: 20.10.24+dfsg1-1+deb12u1+b6\n  Version table:\n     20.10.24+dfsg1-1+deb12u1+b6 500\n        500 file:/opt/packages ./ Packages\ndocker-compose:\n  Installed: (none)\n  Candidate: 1.29.2-3\n  Version table:\n     1.29.2-3 500\n        500 file:/opt/packages ./ Packages\niptables:\n  Installed: 1.8.9-2\n  Candidate: 1.8.9-2\n  Version table:\n *** 1.8.9-2 100\n        100 /var/lib/dpkg/status\n";
const NONE: &str = "docker-ce:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";

fn system(id: &str, version: &str) -> MemoryHost {
    let files = MemoryHost::new();
    files.put("/etc/os-release", format!("ID={id}\nVERSION_ID=\"{version}\"\nVERSION_CODENAME=jammy\n").as_bytes());
    files.put_dir("/var/lib/ics-setup");
    files.put_dir("/usr/local/bin");
    files.put("/etc/dnf/dnf.conf", b"[main]\n");
    files
}

fn debian() -> Double {
    let files = system("ubuntu", "22.04");
    files.put("/var/lib/apt/lists/x_Packages", b"x");
    Double::with(files)
}

fn platform_of(host: &Double) -> Platform {
    detect(host, None).unwrap().0
}

fn ensured(host: &Double, wish: &Wish) -> Result<Ensured, Problem> {
    let mut task = Task { host, tell: &mut |_| {}, stop: &|| false };
    ensure(&mut task, &platform_of(host), wish, Path::new("/divvycloud"), &mut Made::default())
}

fn ran(host: &Double) -> Vec<String> {
    host.ran.lock().unwrap().iter().map(|command| command.argv.join(" ")).collect()
}

/// Prints nothing of use until `after` has begun; then `then`.
fn once(host: Double, command: &str, after: &str, then: &'static str) -> Double {
    let done = Arc::new(AtomicUsize::new(0));
    let seen = done.clone();
    host.answers(after, move || {
        done.store(1, Ordering::SeqCst);
        Ok(Output { code: Some(0), ..Output::default() })
    })
    .answers(command, move || match seen.load(Ordering::SeqCst) {
        0 => Err(std::io::ErrorKind::NotFound.into()),
        _ => Ok(Output { code: Some(0), stdout: then.as_bytes().to_vec(), stderr: Vec::new() }),
    })
}

const INSTALL: &str = "env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -y --no-install-recommends";

#[test]
fn what_answers_is_taken_as_it_is() {
    let host = debian()
        .prints("docker version", VERSION)
        .prints("docker info", INFO)
        .prints("docker-compose version", "1.29.2\n");
    let done = ensured(&host, &Wish::default()).unwrap();
    assert!(!done.changed && done.detail == "engine 20.10.24+dfsg1, Compose 1.29.2", "{:?}", done.detail);
    assert!(!ran(&host).iter().any(|line| line.contains("apt") || line.contains("systemctl")), "{:?}", ran(&host));
    // Nor is a Compose of the other generation taken for it.
    let host = host.prints("apt-cache", POLICY).prints(&format!("{INSTALL} -o"), "");
    let missing = ensured(&host, &Wish { generation: Some(Generation::V2), ..Wish::default() }).unwrap_err();
    assert_eq!(missing.id, "compose-missing");
}

#[test]
fn what_is_absent_is_installed_by_the_package_manager_without_a_question() {
    let host = debian().prints("apt-cache policy", POLICY);
    let host = once(host, "docker version", &format!("{INSTALL} -o"), VERSION);
    let host = host.prints("docker info", INFO).prints("docker-compose version", "1.29.2\n");
    let done = ensured(&host, &Wish::default()).unwrap();
    assert!(done.changed);
    let line = ran(&host).into_iter().find(|line| line.starts_with(INSTALL)).unwrap();
    assert!(line.ends_with(" install docker.io iptables"), "{line}");
    // What was there before is not ours to take away.
    assert!(!Made::read(&host).unwrap().packages.contains(&"iptables".to_owned()));
    assert!(Made::read(&host).unwrap().packages.contains(&"docker.io".to_owned()));
}

#[test]
fn a_cause_that_apt_names_is_told_with_what_mends_it() {
    let said =
        "W: Failed to fetch http://nosuch.test/debian/dists/x/InRelease  Temporary failure resolving 'nosuch.test'\n";
    let host = debian().prints("apt-cache policy", NONE).answers(&format!("{INSTALL} -o"), move || {
        Ok(Output { code: Some(0), stdout: Vec::new(), stderr: said.as_bytes().to_vec() })
    });
    let problem = ensured(&host, &Wish::default()).unwrap_err();
    assert_eq!(problem.id, "packages-name-unknown");
    assert!(problem.hints.iter().any(|hint| hint.text().contains("--target package-manager")));
    assert!(problem.hints.iter().any(|hint| hint.text().contains("--docker-repo")));
    let silent = debian().prints("apt-cache policy", NONE).prints(&format!("{INSTALL} -o"), "");
    assert_eq!(ensured(&silent, &Wish::default()).unwrap_err().id, "docker-absent");
}

#[test]
fn what_package_managers_print_finds_its_cause() {
    let manager = PackageManager { name: "apt", conf: Path::new("/x"), syntax: crate::platform::PackageSyntax::Apt };
    for (said, id) in [
        (
            "E: Failed to fetch http://public.ecr.aws/d/dists/x/InRelease  407  Proxy Authentication Required [IP: 10.9.0.2 3128]\nE: The repository 'http://public.ecr.aws/d x InRelease' is not signed.",
            "packages-proxy-login",
        ),
        (
            "  Invalid response from proxy: HTTP/1.1 407 Proxy Authentication Required  Server: squid/5.7",
            "packages-proxy-login",
        ),
        (
            "E: Failed to fetch http://denied.lab.test/d/dists/x/InRelease  403  Forbidden [IP: 10.9.0.2 3128]\nE: The repository 'http://denied.lab.test/d x InRelease' is not signed.",
            "packages-proxy-refuses",
        ),
        ("  Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)", "packages-unreachable"),
        (
            "  Certificate verification failed: The certificate is NOT trusted. The certificate issuer is unknown.  Could not handshake",
            "packages-certificate",
        ),
        (
            "  404  Not Found [IP: 10.9.0.2 3128]\nE: The repository 'https://public.ecr.aws/d x Release' does not have a Release file.",
            "packages-index-missing",
        ),
        ("E: Unable to locate package docker-compose", "packages-absent"),
        ("E: Package 'docker.io' has no installation candidate", "packages-absent"),
        (
            "W: GPG error: https://x: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 7EA0A9C3F273FCD8",
            "packages-not-signed",
        ),
        (
            "Error: Failed to download metadata for repo 'docker': Cannot download repomd.xml: Curl error (56): Received HTTP code 407 from proxy after CONNECT",
            "packages-proxy-login",
        ),
        ("Error: Unable to find a match: docker-ce", "packages-absent"),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "packages-disk-full"),
        ("Segmentation fault", "packages-failed"),
    ] {
        let other = Problem::host(id::PACKAGES_FAILED, "x");
        let problem = packages::explained(manager, other, &["", said]);
        assert_eq!(problem.id, id, "{said}");
        assert_eq!(problem.hints.is_empty(), id == "packages-failed", "{said}");
    }
}

#[test]
fn another_user_of_the_packages_is_waited_for() {
    let held = Arc::new(AtomicUsize::new(1));
    let seen = held.clone();
    let lock = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1287 (python3)\n";
    let host = debian().prints("apt-cache policy", POLICY).answers(&format!("{INSTALL} -o"), move || {
        if held.fetch_sub(1, Ordering::SeqCst) == 1 {
            return Ok(Output { code: Some(100), stdout: Vec::new(), stderr: lock.as_bytes().to_vec() });
        }
        Ok(Output { code: Some(0), ..Output::default() })
    });
    let host = host
        .answers("docker version", move || match seen.load(Ordering::SeqCst) {
            1 => Err(std::io::ErrorKind::NotFound.into()),
            _ => Ok(Output { code: Some(0), stdout: VERSION.as_bytes().to_vec(), stderr: Vec::new() }),
        })
        .prints("docker info", INFO)
        .prints("docker-compose version", "1.29.2\n");
    let mut said = Vec::new();
    let mut tell = |told: super::super::task::Told<'_>| {
        if let super::super::task::Told::Line(line) = told {
            said.push(line.to_string());
        }
    };
    let mut task = Task { host: &host, tell: &mut tell, stop: &|| false };
    assert!(
        ensure(&mut task, &platform_of(&host), &Wish::default(), Path::new("/divvycloud"), &mut Made::default())
            .unwrap()
            .changed
    );
    assert!(said.iter().any(|line| line.contains("waiting") && line.contains("1287")), "{said:?}");
}

#[test]
fn lists_of_dnf_and_apt_tell_what_there_is() {
    let host = Double::with(system("centos", "9"));
    let manager = platform_of(&host).package_manager(&host);
    assert_eq!(manager.name, "dnf");
    let list = "Installed Packages\nca-certificates.noarch  2023.2.60  @anaconda\nAvailable Packages\ndocker-ce.x86_64   3:24.0.7-1.el9   docker-ce-stable\ndocker-compose-plugin.x86_64 2.21.0-1.el9 docker-ce-stable\n";
    let found = packages::candidates(&host.prints("dnf -q list", list), manager, &["x"]).unwrap();
    assert_eq!((found.len(), found["ca-certificates"].installed, found["docker-ce"].installed), (3, true, false));
    let choice = packages::chosen(manager, false, &found, true, Some(None));
    assert_eq!(
        (choice.engine, choice.compose),
        (vec!["docker-ce".to_owned()], vec!["docker-compose-plugin".to_owned()])
    );
    let choice = packages::chosen(manager, false, &found, false, Some(Some(Generation::V1)));
    assert_eq!(choice, Choice::default());
    let none = Double::with(system("centos", "9")).fails("dnf -q list", "Error: No matching Packages to list\n");
    assert_eq!(packages::candidates(&none, manager, &["x"]).unwrap().len(), 0);
    let broken =
        Double::with(system("centos", "9")).fails("dnf -q list", "Error: Failed to download metadata for repo 'x'\n");
    assert!(packages::candidates(&broken, manager, &["x"]).is_err());
    for odd in ["", "\n\n", "a\nb c\n", "  Candidate: x", ":::\n Installed: \n", "docker.io:\n  Candidate: "] {
        let host = debian().prints("apt-cache policy", odd);
        let manager = platform_of(&host).package_manager(&host);
        assert!(packages::candidates(&host, manager, &["x"]).is_ok(), "{odd}");
    }
}

fn question<'q>(
    host: &'q Double,
    platform: &'q Platform,
    facts: &'q EngineFacts,
    wish: &'q Wish,
    archives: Option<u64>,
) -> Vec<Finding> {
    let missing = ["a".to_owned()];
    let found = findings(&Question { host, platform, facts, wish, missing: &missing, archives });
    for finding in &found {
        assert!(finding.cause.is_some() && finding.observed.is_some() && !finding.fix.is_empty(), "{finding:#?}");
    }
    found
}

#[test]
fn every_obstacle_is_found_before_anything_is_written() {
    let of = |host: &Double, wish: &Wish| {
        let platform = platform_of(host);
        let facts = look(host, Release::UNKNOWN);
        question(host, &platform, &facts, wish, None).into_iter().map(|found| found.id.as_str()).collect::<Vec<_>>()
    };
    let shim = debian();
    shim.files.put_link("/usr/bin/docker", "/usr/bin/podman", 0);
    shim.files.put("/usr/bin/podman", b"\x7fELF");
    assert_eq!(of(&shim, &Wish::default()), ["engine-podman"]);
    let says = debian().prints("docker version", "x").prints("docker --version", "podman version 4.9.4\n");
    assert_eq!(of(&says, &Wish::default()), ["engine-podman"]);
    let old = VERSION.replace("20.10.24+dfsg1", "1.12.6");
    let host = debian()
        .prints("docker version", old)
        .prints("docker info", INFO.replace("overlay2", "vfs"))
        .prints("docker-compose", "1.29.2\n");
    assert_eq!(of(&host, &Wish::default()), ["engine-old", "engine-old", "storage-driver"]);
    assert_eq!(of(&debian().prints("apt-cache policy", NONE), &Wish::default()), ["engine-absent", "compose-absent"]);
    assert_eq!(of(&debian().prints("apt-cache policy", POLICY), &Wish::default()), [""; 0]);
    // Without an index nothing is known, and with a repository that was named nothing yet.
    assert_eq!(
        of(&Double::with(system("ubuntu", "22.04")).prints("apt-cache policy", NONE), &Wish::default()),
        [""; 0]
    );
    let wish = Wish { repository: true, ..Wish::default() };
    assert_eq!(of(&debian().prints("apt-cache policy", NONE), &wish), [""; 0]);
    let host =
        debian().prints("docker version", VERSION).prints("docker info", INFO).prints("docker-compose", "2.40.3\n");
    let host = host.prints("apt-cache policy", NONE);
    let wish = Wish { generation: Some(Generation::V1), ..Wish::default() };
    assert_eq!(of(&host, &wish), ["compose-generation"]);
    // Where its package is there and its program is not, nothing newer brings it; and an index tells more than none.
    let installed = POLICY.replace("(none)", "1.29.2-3");
    assert_eq!(of(&host.prints("apt-cache policy", installed), &wish), ["compose-generation"]);
    let unread = Double::with(system("ubuntu", "22.04"));
    let unread =
        unread.prints("docker version", VERSION).prints("docker info", INFO).prints("docker-compose", "2.40.3\n");
    assert_eq!(of(&unread, &wish), ["compose-generation"]);
    let platform = platform_of(&unread);
    let found = question(&unread, &platform, &look(&unread, Release::UNKNOWN), &wish, None);
    let ways: Vec<String> = found[0].fix.iter().map(|fix| fix.text().to_string()).collect();
    for way in ["--compose-binary <FILE>", "--bundle <DIR>", "apt-get update"] {
        assert!(ways.iter().any(|own| own.contains(way)), "{way}: {ways:?}");
    }
    let denied = debian()
        .fails("docker version", "permission denied while trying to connect\n")
        .prints("docker-compose", "1.29.2\n");
    denied.files.put("/usr/bin/dockerd", b"x");
    assert_eq!(of(&denied, &Wish::default()), ["engine-silent"]);
}

#[test]
fn a_daemon_that_has_images_to_pull_has_to_have_read_its_proxy() {
    let (wish, missing) = (Wish::default(), ["a".to_owned()]);
    let found = unread_proxy(2, true, &missing, &wish, None).unwrap();
    assert_eq!((found.status, found.fix.len()), (Status::Fail, 2));
    let bundle = Wish { bundle: Some("/b".into()), ..Wish::default() };
    for fine in [
        unread_proxy(0, true, &missing, &wish, None),
        unread_proxy(2, false, &missing, &wish, None),
        unread_proxy(2, true, &[], &wish, None),
        unread_proxy(2, true, &missing, &bundle, None),
        unread_proxy(2, true, &missing, &wish, Some(true)),
    ] {
        assert_eq!(fine.map(|found| found.title), None);
    }
}

#[test]
fn a_compose_that_is_not_what_its_checksum_says_is_found_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let given = program(folder.path(), if std::env::consts::ARCH == "aarch64" { 183 } else { 62 });
    let host = || debian().prints("docker version", VERSION).prints("docker info", INFO);
    let of = |host: &Double, wish: &Wish| {
        let found = question(host, &platform_of(host), &look(host, Release::UNKNOWN), wish, None);
        found.into_iter().map(|found| format!("{} {}", found.id, found.title)).collect::<Vec<_>>()
    };
    let bundle = |repository| Wish { bundle: Some(folder.path().into()), repository, ..Wish::default() };
    let refused = [format!("compose-absent {} cannot be installed as Compose", given.path.display())];
    for (sum, repository, refused) in [
        ("0".repeat(64), false, &refused[..]),
        ("0".repeat(64), true, &refused),
        (given.sha256.to_uppercase(), false, &[]),
    ] {
        std::fs::write(folder.path().join("SHA256SUMS"), format!("{sum}  compose\n")).unwrap();
        let wish = bundle(repository);
        // What the package sources have is not asked for.
        let found = of(&host().prints("apt-cache policy", NONE), &wish);
        assert_eq!(found, refused);
        // Nobody reads it where a Compose is here.
        assert_eq!(of(&host().prints("docker-compose version", "1.29.2\n"), &wish), [""; 0]);
    }
    std::fs::write(folder.path().join("SHA256SUMS"), "").unwrap();
    assert!(of(&host(), &bundle(false))[0].contains("SHA256SUMS has no line for compose"));
}

/// A program of this machine, as far as its header tells.
fn program(folder: &Path, machine: u16) -> Given {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(18, 0);
    bytes.extend(machine.to_le_bytes());
    bytes.extend(vec![b'x'; 3 << 20]);
    let path = folder.join("compose");
    std::fs::write(&path, &bytes).unwrap();
    let sha256 = crate::checksum::of(&path, |_| Ok(())).unwrap();
    Given { path, sha256 }
}

#[test]
fn a_compose_of_no_package_is_the_one_that_is_meant_or_nothing_stays_of_it() {
    const PLACE: &str = "/usr/local/bin/docker-compose";
    let folder = tempfile::tempdir().unwrap();
    let here = if std::env::consts::ARCH == "aarch64" { 183 } else { 62 };
    let given = program(folder.path(), here);
    let run = |given: &Given, version: &str, wanted: Option<Generation>| {
        let host = debian().prints("/usr/local/bin/.docker-compose.ics-setup version --short", version);
        let mut task = Task { host: &host, tell: &mut |_| {}, stop: &|| false };
        let result = binary::install(&mut task, given, wanted, &mut Made::default());
        let left = host.list(Path::new("/usr/local/bin")).unwrap();
        (result.map(|found| found.version), left, host)
    };
    let (found, left, host) = run(&given, "v2.40.3\n", None);
    assert_eq!((found.unwrap().as_str(), left.as_slice()), ("v2.40.3", &["docker-compose".into()][..]));
    assert_eq!(host.lstat(Path::new(PLACE)).unwrap().unwrap().mode, 0o755);
    assert_eq!(Made::read(&host).unwrap().compose.unwrap().sha256, given.sha256);
    let wrong = Given { sha256: "0".repeat(64), ..given.clone() };
    for (given, version, wanted) in
        [(&wrong, "2.40.3\n", None), (&given, "help!\n", None), (&given, "2.40.3\n", Some(Generation::V1))]
    {
        let (found, left, host) = run(given, version, wanted);
        assert_eq!(found.unwrap_err().id, "compose-refused");
        assert_eq!((left.len(), Made::read(&host).unwrap().compose), (0, None));
    }
    let (script, beside) = (folder.path().join("script"), tempfile::tempdir().unwrap());
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    let proven = |given: &Given| binary::prove(&debian(), given).map_err(|problem| problem.to_string());
    assert_eq!(proven(&given), Ok(()));
    for (wrong, why) in [
        (wrong, "0000 was asked for"),
        (program(beside.path(), 21), "another machine"),
        (Given { path: script, ..given.clone() }, "does not begin as one"),
        (Given { path: folder.path().to_owned(), ..given }, "cannot be read"),
    ] {
        assert!(proven(&wrong).unwrap_err().contains(why), "{why}");
    }
    // What somebody has put there is not replaced.
    let host = debian();
    host.files.put_with(PLACE, b"theirs", Attributes::new(0o755, 0, 0));
    let mut task = Task { host: &host, tell: &mut |_| {}, stop: &|| false };
    let given = program(folder.path(), here);
    assert_eq!(binary::prove(&host, &given).unwrap_err().id, "compose-refused");
    assert_eq!(binary::install(&mut task, &given, None, &mut Made::default()).unwrap_err().id, "compose-refused");
    assert_eq!(host.read(Path::new(PLACE)).unwrap().unwrap(), b"theirs");
}

fn drafted(host: &MemoryHost, values: &[(Key, &str)]) -> Result<Vec<(String, String)>, Problem> {
    let (platform, _) = detect(host, None)?;
    let view = View::new(host);
    let found = found(&view, &platform, Path::new("/divvycloud"), First::System)?;
    let mut layers = Layers::default();
    for (key, value) in values {
        let spec = key.spec();
        layers.flags.insert(spec, (*value).to_owned(), Origin::Flag(spec.shown())).unwrap();
    }
    let outside = SecretSources { variable: &|_: &str| None, file: &|_| Err(std::io::ErrorKind::NotFound.into()) };
    let (settings, _) = crate::settings::Settings::resolve(&layers, &found, &outside, &Ignored::default())
        .map_err(|own| own.into_problem())?;
    let mut draft = Draft::new(&view);
    draft_repository(&settings, &platform, &mut draft)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(draft.plan.changes.iter().map(|change| (change.path.display().to_string(), text(change.new_bytes()))).collect())
}

#[test]
fn a_repository_that_was_named_is_a_file_of_the_plan_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n").unwrap();
    let key = key.to_str().unwrap().to_owned();
    let with =
        |url: &str, id: &str| drafted(&system(id, "22.04"), &[(Key::DockerRepo, url), (Key::DockerRepoKey, &key)]);
    let files = with("https://download.docker.com/linux/ubuntu", "ubuntu").unwrap();
    assert_eq!(files[0].0, "/etc/apt/keyrings/ics-setup-docker.asc");
    assert_eq!(files[1].0, "/etc/apt/sources.list.d/ics-setup-docker.list");
    assert!(files[1].1.ends_with("deb [signed-by=/etc/apt/keyrings/ics-setup-docker.asc] https://download.docker.com/linux/ubuntu jammy stable\n"), "{files:?}");
    let files = with("file:/mnt/docker ./", "ubuntu").unwrap();
    assert!(files[1].1.ends_with("ics-setup-docker.asc] file:/mnt/docker ./\n"), "{files:?}");
    let files = with("https://download.docker.com/linux/centos/", "centos").unwrap();
    assert!(
        files[1].1.contains("\nbaseurl=https://download.docker.com/linux/centos/$releasever/$basearch/stable\n"),
        "{files:?}"
    );
    assert!(files[1].1.contains("\ngpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-ics-setup-docker\n"));
    for wrong in ["ftp://x", "https://u:p@x/y", "https://x]\n[evil", "/mnt"] {
        assert_eq!(with(wrong, "ubuntu").unwrap_err().id, "setting-invalid", "{wrong}");
    }
    let host = system("ubuntu", "22.04");
    assert_eq!(drafted(&host, &[(Key::DockerRepo, "https://x/y")]).unwrap_err().id, "settings-missing");
    assert_eq!(drafted(&host, &[(Key::DockerRepoKey, &key)]).unwrap_err().id, "settings-missing");
    assert_eq!(drafted(&host, &[]).unwrap(), []);
}
