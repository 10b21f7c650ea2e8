use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::strategy::Strategy as _;

use super::facts::Facts;
use super::pam::Table;
use super::{Os, PackageManager, PackageSyntax, Platform, Strategy, detect};
use crate::envfile::PamLimit;
use crate::finding::{Finding, Status, known};
use crate::host::MemoryHost;
use crate::problem::{Kind, Problem};
use crate::version::Version;

/// An image that has nothing.
fn image() -> MemoryHost {
    MemoryHost::image("/image")
}

type Detected = Result<(Platform, Vec<Finding>), Problem>;

fn at(path: &str, content: impl AsRef<[u8]>) -> Detected {
    detect(&image().with(path, content), None)
}

fn os_release(content: impl AsRef<[u8]>) -> Detected {
    at("/etc/os-release", content)
}

/// `strategy id version: findings`, or the problem's id.
fn brief(detected: &Detected) -> String {
    match detected {
        Ok((Platform { os: Os { id, version, strategy, .. }, .. }, findings)) => {
            let ids: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
            format!("{strategy} {id} {version}: {}", ids.join(" "))
        }
        Err(problem) => problem.id.as_str().to_owned(),
    }
}

/// The limit and the release of linux-pam, in one word each.
fn pam(host: &MemoryHost) -> String {
    let (platform, _) = detect(host, None).expect("a known system");
    let facts = platform.pam_limit(host);
    let limit = match facts.limit {
        PamLimit::Cut(bytes) => format!("cut {bytes}"),
        PamLimit::Drop(bytes) => format!("drop {bytes}"),
        PamLimit::None => "none".to_owned(),
    };
    format!("{} {limit}", facts.release)
}

const SAMPLES: &[(&str, &str, &str)] = &[
    ("alma_8", "centos almalinux 8.10: os-not-listed", "1.3.1 cut 1023"),
    ("alpine_3_18", "os-unsupported", ""),
    ("amazon_2", "centos amzn 2: os-not-listed", "1.1.8 cut 1023"),
    ("amazon_2018", "centos amzn 2018.03: os-too-old os-not-listed", "1.1.8 cut 1023"),
    ("amazon_2023", "centos amzn 2023: os-not-listed", "1.5.1 drop 8191"),
    ("arch", "os-unsupported", ""),
    ("centos_6", "centos centos 6: os-too-old", "unknown cut 1023"),
    ("centos_7", "centos centos 7: ", "1.1.8 cut 1023"),
    ("centos_8", "centos centos 8: ", "1.3.1 cut 1023"),
    ("centos_stream_8", "centos centos 8: os-not-listed", "1.3.1 cut 1023"),
    ("centos_stream_9", "centos centos 9: os-not-listed", "1.5.1 drop 8191"),
    ("debian_12", "ubuntu debian 12: os-not-listed", "1.5.2 drop 8191"),
    ("debian_13", "ubuntu debian 13: os-not-listed", "1.7.0 none"),
    ("debian_9", "ubuntu debian 9: os-too-old os-not-listed", "1.1.8 cut 1023"),
    ("debian_sid", "ubuntu debian : os-version-unknown os-not-listed", "unknown cut 1023"),
    ("fedora_40", "centos fedora 40: os-not-listed", "1.6.1 drop 8191"),
    ("fedora_41", "centos fedora 41: os-not-listed", "1.6.1 drop 8191"),
    ("kali_rolling", "ubuntu kali 2024.2: os-not-listed", "unknown cut 1023"),
    ("linuxmint_18", "ubuntu linuxmint 18.3: os-too-old os-not-listed", "1.1.8 cut 1023"),
    ("linuxmint_21", "ubuntu linuxmint 21.3: os-not-listed", "1.4.0 drop 8191"),
    ("lmde_6", "ubuntu linuxmint 6: os-not-listed", "1.5.2 drop 8191"),
    ("oracle_8", "centos ol 8.7: os-not-listed", "1.3.1 cut 1023"),
    ("pop_22", "ubuntu pop 22.04: os-not-listed", "1.4.0 drop 8191"),
    ("redhat_8", "centos rhel 8.10: os-not-listed", "1.3.1 cut 1023"),
    ("rhel_6", "centos rhel 6.10: os-too-old os-not-listed", "unknown cut 1023"),
    ("rhel_7", "centos rhel 7.9: os-not-listed", "1.1.8 cut 1023"),
    ("rhel_9", "centos rhel 9.4: os-not-listed", "1.5.1 drop 8191"),
    ("rocky_9", "centos rocky 9.3: os-not-listed", "1.5.1 drop 8191"),
    ("sles_15", "os-unsupported", ""),
    ("ubuntu_1604", "ubuntu ubuntu 16.04: os-too-old", "1.1.8 cut 1023"),
    ("ubuntu_1804", "ubuntu ubuntu 18.04: ", "1.1.8 cut 1023"),
    ("ubuntu_2004", "ubuntu ubuntu 20.04: ", "1.3.1 cut 1023"),
    ("ubuntu_2204", "ubuntu ubuntu 22.04: ", "1.4.0 drop 8191"),
    ("ubuntu_2404", "ubuntu ubuntu 24.04: ", "1.5.3 drop 8191"),
];

#[test]
fn every_sample_gets_what_the_table_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/os-release");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the samples")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .filter(|name| name != "README.md")
        .collect();
    names.sort();
    assert_eq!(names, SAMPLES.iter().map(|(name, ..)| *name).collect::<Vec<_>>(), "a sample without a row");
    for (name, expected, expected_pam) in SAMPLES {
        let content = std::fs::read(folder.join(name)).expect("a sample");
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            let host = image().with(path, content.clone());
            let detected = detect(&host, None);
            assert_eq!(brief(&detected), *expected, "{name}");
            if let Ok((platform, findings)) = &detected {
                assert_eq!(platform.os.source, Path::new(path), "{name}");
                assert_eq!(pam(&host), *expected_pam, "{name}");
                findings.iter().for_each(assert_complete);
            }
        }
    }
}

/// Whoever reads a finding at night knows what was wanted, what is there, why, and what to type.
fn assert_complete(finding: &Finding) {
    let Finding { id, status, expected, observed, cause, fix, docs, .. } = finding;
    assert!(known(id.as_str()).is_some(), "{id}");
    assert_eq!(id.group(), "host");
    assert_eq!(*status, if *id == "os-too-old" { Status::Fail } else { Status::Warn }, "{id}");
    assert!(expected.is_some() && cause.is_some() && docs.is_some() && !fix.is_empty(), "{finding:?}");
    assert!(observed.as_ref().is_some_and(|text| text.contains("/image/")), "{finding:?}");
    if *id == "os-too-old" {
        assert!(fix.iter().any(|text| text.starts_with("--ignore-check os-too-old")), "{fix:?}");
    }
}

#[test]
fn the_elders_of_os_release() {
    let ubuntu = "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=18.04\nDISTRIB_CODENAME=bionic\nDISTRIB_DESCRIPTION=\"Ubuntu 18.04.6 LTS\"\n";
    for (path, content, expected) in [
        ("/etc/lsb-release", ubuntu, "ubuntu ubuntu 18.04: "),
        ("/etc/lsb-release", "DISTRIB_ID=LinuxMint\nDISTRIB_RELEASE=21\n", "ubuntu linuxmint 21: os-not-listed"),
        ("/etc/lsb-release", "LSB_VERSION=base-4.0-amd64:base-4.0-noarch\n", "os-unknown"),
        ("/etc/centos-release", "CentOS release 6.7 (Final)\n", "centos centos 6.7: os-too-old"),
        ("/etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n", "centos centos 7.9.2009: "),
        ("/etc/centos-release", "CentOS Stream release 8\n", "centos centos 8: os-not-listed"),
        (
            "/etc/redhat-release",
            "Red Hat Enterprise Linux Server release 7.2 (Maipo)\n",
            "centos rhel 7.2: os-not-listed",
        ),
        ("/etc/redhat-release", "Red Hat Enterprise Linux release 8.4 (Ootpa)\n", "centos rhel 8.4: os-not-listed"),
        ("/etc/redhat-release", "Rocky Linux release 9.3 (Blue Onyx)\n", "centos rocky 9.3: os-not-listed"),
        ("/etc/redhat-release", "AlmaLinux release 8.10 (Cerulean Leopard)\n", "centos almalinux 8.10: os-not-listed"),
        ("/etc/redhat-release", "Fedora release 40 (Forty)\n", "centos fedora 40: os-not-listed"),
        ("/etc/redhat-release", "XenServer release 7.0.0-125380c (xenenterprise)\n", "os-unsupported"),
        ("/etc/redhat-release", "CentOSomething release 9\n", "os-unsupported"),
        ("/etc/redhat-release", "nothing known\n", "os-unknown"),
        ("/etc/system-release", "Amazon Linux AMI release 2018.03\n", "centos amzn 2018.03: os-too-old os-not-listed"),
        ("/etc/system-release", "Amazon Linux release 2 (Karoo)\n", "centos amzn 2: os-not-listed"),
        ("/etc/system-release", "Oracle Linux Server release 7.9\n", "centos ol 7.9: os-not-listed"),
        ("/etc/debian_version", "12.5\n", "ubuntu debian 12.5: os-not-listed"),
        ("/etc/debian_version", "forky/sid\n", "ubuntu debian forky/sid: os-version-unknown os-not-listed"),
        ("/etc/debian_version", "\u{1b}[2J\n", "os-unknown"),
        ("/etc/debian_version", "", "os-unknown"),
    ] {
        assert_eq!(brief(&at(path, content)), expected, "{path}: {content}");
    }
}

#[test]
fn a_file_that_says_nothing_gives_way_to_the_next() {
    let host = image()
        .with("/etc/os-release", "NAME=\"no id\"\nID=\n")
        .with_error("/usr/lib/os-release", io::ErrorKind::PermissionDenied)
        .with("/etc/lsb-release", "LSB_VERSION=1\n")
        .with("/etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n")
        .with("/etc/debian_version", "12.5\n");
    assert_eq!(brief(&detect(&host, None)), "centos centos 7.9.2009: ");
}

#[test]
fn the_grammar_of_real_and_strange_files() {
    for (content, expected) in [
        ("\u{feff}ID=ubuntu\r\nVERSION_ID='22.04'\r\n", "ubuntu ubuntu 22.04: "),
        ("ID=debian\nVERSION_ID=9\nID=ubuntu\nVERSION_ID=\"22.04\"\n", "ubuntu ubuntu 22.04: "),
        ("#ID=arch\n  ID = x\n ID=Ubuntu\nVERSION_ID=22.04 # jammy", "ubuntu ubuntu 22.04: "),
        ("ID=ubuntu\nVERSION_ID=rolling\n", "ubuntu ubuntu rolling: os-version-unknown"),
        ("ID=\"$(touch /tmp/x)\"\n", "os-unsupported"),
        ("ID=neon\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=22.04", "ubuntu neon 22.04: os-not-listed"),
        ("ID=eurolinux\nID_LIKE=\"mandriva rhel fedora centos\"", "centos eurolinux : os-not-listed"),
        ("ID=opensuse-leap\nID_LIKE=\"suse opensuse\"\nVERSION_ID=15.6", "os-unsupported"),
    ] {
        assert_eq!(brief(&os_release(content)), expected, "{content}");
    }
}

#[test]
fn only_whole_lines_of_the_first_64_kib_count() {
    let padding = format!("#{}\n", "x".repeat(65_519));
    assert_eq!(brief(&os_release(format!("{padding}ID=centos\nID=ubuntu\n"))), "centos centos : os-version-unknown");
    assert_eq!(brief(&os_release("x".repeat(5_000_000))), "os-unknown");
}

#[test]
fn unsupported_names_the_file_and_what_it_said() {
    let problem = os_release("ID=arch\nVERSION_ID=TEMPLATE_VERSION_ID\n").expect_err("Arch");
    assert_eq!(problem.kind, Kind::Host);
    for part in ["/image/etc/os-release", "\"arch\"", "\"TEMPLATE_VERSION_ID\""] {
        assert!(problem.message.contains(part), "{problem}");
    }
    assert!(problem.hints[0].starts_with("--os ubuntu") && problem.hints[1].starts_with("--os centos"));
}

#[test]
fn unknown_names_every_file_and_why_it_was_of_no_use() {
    let host =
        image().with_error("/etc/os-release", io::ErrorKind::PermissionDenied).with("/etc/debian_version", "\0\0");
    let problem = detect(&host, None).expect_err("nothing to go by");
    assert_eq!((problem.id.as_str(), problem.kind), ("os-unknown", Kind::Host));
    for file in ["os-release", "lsb-release", "centos-release", "redhat-release", "system-release", "debian_version"] {
        assert!(problem.message.contains(&format!("/image/etc/{file}")), "{problem}");
    }
    let because = problem.because.expect("the reasons");
    assert!(because.contains("/image/etc/os-release: permission denied"), "{because}");
    assert!(because.contains("/image/usr/lib/os-release is not there"), "{because}");
}

#[test]
fn forced_wins_but_does_not_make_a_host_younger() {
    for (content, forced, expected) in [
        ("ID=arch\n", Strategy::Ubuntu, "ubuntu arch : os-not-listed"),
        ("ID=rocky\nVERSION_ID=9.3\n", Strategy::CentOs, "centos rocky 9.3: "),
        ("ID=rocky\nVERSION_ID=9.3\n", Strategy::Ubuntu, "ubuntu rocky 9.3: os-not-listed"),
        ("ID=neon\nID_LIKE=debian\n", Strategy::Ubuntu, "ubuntu neon : "),
        ("ID=ubuntu\nVERSION_ID=16.04\n", Strategy::Ubuntu, "ubuntu ubuntu 16.04: os-too-old"),
        ("ID=centos\nVERSION_ID=7\n", Strategy::CentOs, "centos centos 7: "),
    ] {
        let detected = detect(&image().with("/etc/os-release", content), Some(forced));
        assert_eq!(brief(&detected), expected, "{content}");
        detected.expect("forced").1.iter().for_each(assert_complete);
    }
    let (platform, findings) = detect(&image(), Some(Strategy::CentOs)).expect("forced");
    assert!(findings.is_empty());
    let Os { id, version, strategy, source, .. } = platform.os;
    assert_eq!((id.as_str(), version.as_str(), strategy, source), ("", "", Strategy::CentOs, PathBuf::new()));
}

#[test]
fn the_strategies_name_their_files() {
    for name in ["ubuntu", "centos"] {
        assert_eq!(Strategy::parse(name).map(Strategy::as_str), Some(name));
    }
    assert_eq!(Strategy::parse("Ubuntu"), None);
    let (ubuntu, _) = detect(&image(), Some(Strategy::Ubuntu)).expect("forced");
    let (centos, _) = detect(&image(), Some(Strategy::CentOs)).expect("forced");
    assert_eq!(ubuntu.system_proxy_file(), Path::new("/etc/environment"));
    assert_eq!(centos.system_proxy_file(), Path::new("/etc/profile.d/proxy.sh"));
    assert!(!ubuntu.system_proxy_is_shell() && centos.system_proxy_is_shell());

    let bare = image();
    let with_dnf = image().with("/etc/dnf/dnf.conf", "").with("/etc/yum.conf", "");
    let hidden = image().with_error("/etc/dnf/dnf.conf", io::ErrorKind::PermissionDenied);
    let ini = |name, conf| PackageManager { name, conf: Path::new(conf), syntax: PackageSyntax::Ini };
    let dnf = ini("dnf", "/etc/dnf/dnf.conf");
    assert_eq!(ubuntu.package_manager(&bare).conf, Path::new("/etc/apt/apt.conf.d/95ics-setup-proxy"));
    assert_eq!(centos.package_manager(&bare), ini("yum", "/etc/yum.conf"));
    assert_eq!(centos.package_manager(&with_dnf), dnf);
    assert_eq!(centos.package_manager(&hidden), dnf);
}

#[test]
fn the_installed_linux_pam_is_believed_before_the_table() {
    let entry = |status: &str, version: &str| {
        format!("Package: libpam-modules\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n")
    };
    let other = "Package: libpam-modules-bin\nStatus: install ok installed\nVersion: 9\n";
    for (status, expected) in [
        (format!("{other}\n{}\n{other}", entry("install ok installed", "1.5.2-6+deb12u1")), "1.5.2 drop 8191"),
        (entry("hold ok installed", "1:1.7.0-5"), "1.7.0 none"),
        (entry("install ok installed", "1.3.1-5ubuntu4.7"), "1.3.1 cut 1023"),
        (
            format!("{}\n{}", entry("deinstall ok config-files", "1.7.0-5"), entry("install ok installed", "1.4.0-9")),
            "1.4.0 drop 8191",
        ),
        (entry("deinstall ok config-files", "1.7.0-5"), "1.4.0 drop 8191"),
        (entry("install ok installed", "\u{1b}[31m"), "1.4.0 drop 8191"),
        (String::new(), "1.4.0 drop 8191"),
    ] {
        let jammy = image().with("/etc/os-release", "ID=ubuntu\nVERSION_ID=22.04\n");
        assert_eq!(pam(&jammy.with("/var/lib/dpkg/status", status.clone())), expected, "{status}");
    }
}

#[test]
fn the_data_hold_together() {
    let (facts, pam) = (Facts::get(), Table::get());
    for system in facts.systems() {
        let minimum = Version::parse(&system.minimum).expect("a minimum that can be compared");
        assert!(!system.too_old(&minimum), "{}", system.id);
        assert!(pam.shipped(system, &minimum).is_some(), "{} ships no linux-pam", system.id);
    }
    assert!(matches!(pam.strictest(), PamLimit::Cut(1023)));
}

/// Every text that could reach a person.
fn texts(detected: &Detected) -> Vec<String> {
    match detected {
        Ok((Platform { os, .. }, findings)) => {
            let mut texts = vec![os.id.clone(), os.version.clone(), os.pretty.clone()];
            for finding in findings {
                texts.push(finding.title.to_string());
                texts.extend(
                    [&finding.expected, &finding.observed, &finding.cause]
                        .into_iter()
                        .flatten()
                        .map(ToString::to_string),
                );
                texts.extend(finding.fix.iter().map(ToString::to_string));
                texts.extend(finding.evidence.values().map(|value| value.as_str().unwrap_or_default().to_owned()));
            }
            texts
        }
        Err(problem) => {
            let mut texts = vec![problem.message.to_string()];
            texts.extend(problem.because.iter().map(ToString::to_string));
            texts.extend(problem.hints.iter().map(ToString::to_string));
            texts
        }
    }
}

/// Arbitrary bytes, or a file with the right keys and values in which anything may stand, terminal escapes above all.
fn content() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    let value =
        "(ubuntu|debian|centos|rhel|9|18\\.04)?[\\x00-\\x08\\x1b\\x7f-\\x9f\"'\\\\#$ a-z0-9\u{202e}\u{2028}]{0,60}";
    let key = "(ID|ID_LIKE|NAME|VERSION_ID|PRETTY_NAME|DISTRIB_ID|DISTRIB_RELEASE|DISTRIB_DESCRIPTION|Version)";
    let lines = prop::collection::vec((key, value).prop_map(|(key, value)| format!("{key}={value}\n")), 0..8);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        lines.clone().prop_map(|lines| lines.concat().into_bytes()),
        lines.prop_map(|lines| format!("ID=ubuntu\n{}", lines.concat()).into_bytes()),
        ("(CentOS|Amazon Linux|\\PC{0,40})", value)
            .prop_map(|(name, rest)| format!("{name} release {rest}").into_bytes()),
        value.prop_map(|v| format!("Package: libpam-modules\nStatus: ok installed\nVersion: 1.{v}\n").into_bytes()),
    ]
}

proptest! {
    #[test]
    fn hostile_content_neither_panics_nor_reaches_the_terminal(
        content in content(),
        status in content(),
        file in prop::sample::select(vec!["etc/os-release", "etc/lsb-release", "etc/redhat-release", "etc/debian_version"]),
        forced in prop::sample::select(vec![None, Some(Strategy::Ubuntu), Some(Strategy::CentOs)]),
    ) {
        let host = image().with(&format!("/{file}"), content).with("/var/lib/dpkg/status", status);
        let detected = detect(&host, forced);
        prop_assert!(forced.is_none() || detected.is_ok());
        for text in texts(&detected) {
            prop_assert!(!text.contains(|c: char| c.is_control() || "\u{202e}\u{2028}".contains(c)), "{text:?}");
            prop_assert!(text.chars().count() < 1500, "{} characters", text.chars().count());
        }
        if let Ok((platform, _)) = &detected {
            let pam = platform.pam_limit(&host);
            prop_assert!(!pam.release.contains(char::is_control) && !pam.known_from.contains(char::is_control));
        }
    }
}
