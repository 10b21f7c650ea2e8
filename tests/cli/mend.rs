//! Lines of other files that would win over what `prepare` writes: mended where the file is nobody's, else named with a command
//! that mends it.

use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::fixes::Programs;
use crate::root::Root;

const PROXY: &str = "http://proxy.corp.example:3128";
const OLD: &str = "http://oldpx.corp.example:8888";
const DROP_INS: &str = "etc/systemd/system/docker.service.d";

fn root(kind: &str) -> Root {
    let root = if kind == "ubuntu" { Root::ubuntu() } else { Root::centos() };
    if kind == "rocky" {
        root.put("etc/os-release", "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n");
    }
    root
}

/// A file that would win, and the lines that it is to have in the end.
struct Case {
    row: &'static str,
    kind: &'static str,
    /// Which finding tells of its reader.
    id: &'static str,
    /// Files beside it.
    more: Vec<(&'static str, String)>,
    path: &'static str,
    before: String,
    after: String,
}

const UNIT: (&str, &str) = (
    "lib/systemd/system/docker.service",
    "[Service]\nEnvironmentFile=-/etc/default/docker\nEnvironmentFile=-/etc/docker/env.d/*.env\nExecStart=/usr/sbin/dockerd\n",
);
const LIST: &str = "mysql,redis,169.254.169.254";

fn cases() -> Vec<Case> {
    let case = |row, kind, id, path, before: String, after: String| Case {
        row,
        kind,
        id,
        more: Vec::new(),
        path,
        before,
        after,
    };
    let unit = || vec![(UNIT.0, UNIT.1.to_owned())];
    vec![
        Case {
            more: unit(),
            ..case(
                "an environment file",
                "ubuntu",
                "proxy-docker",
                "etc/default/docker",
                format!("# by hand\nHTTP_PROXY=\"{OLD}\"\nDOCKER_OPTS=\"\"\n"),
                format!("# by hand\nHTTP_PROXY=\"{PROXY}\"\nDOCKER_OPTS=\"\"\n"),
            )
        },
        Case {
            more: unit(),
            ..case(
                "environment files by a wildcard",
                "ubuntu",
                "proxy-docker",
                "etc/docker/env.d/proxy.env",
                format!("HTTP_PROXY={OLD}\n"),
                format!("HTTP_PROXY={PROXY}\n"),
            )
        },
        case(
            "variables of sshd",
            "ubuntu",
            "proxy-login",
            "etc/ssh/sshd_config",
            format!("UsePAM yes\nsetenv A=b \"http_proxy={OLD}\"   https_proxy={OLD} # x\nPort 22\n"),
            format!("UsePAM yes\nsetenv A=b \"http_proxy={PROXY}\"   https_proxy={PROXY} # x\nPort 22\n"),
        ),
        Case {
            more: vec![("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n".to_owned())],
            ..case(
                "variables of sshd below Match all",
                "ubuntu",
                "proxy-login",
                "etc/ssh/sshd_config.d/50-site.conf",
                format!("Match all\n  SetEnv http_proxy={OLD}\n"),
                format!("Match all\n  SetEnv http_proxy={PROXY}\n"),
            )
        },
        case(
            "a later drop-in",
            "ubuntu",
            "proxy-docker",
            "etc/systemd/system/docker.service.d/proxy.conf",
            "[Service]\nEnvironment=HTTP_PROXY=http://10.1.1.1:8888\n".into(),
            format!("[Service]\nEnvironment=\"HTTP_PROXY={PROXY}\"\n"),
        ),
        case(
            "a later list",
            "ubuntu",
            "proxy-docker",
            "etc/systemd/system/docker.service.d/no_proxy.conf",
            "[Service]\nEnvironment=\"NO_PROXY=wiki.intra.example:5000\"\n".into(),
            format!("[Service]\nEnvironment=\"NO_PROXY=wiki.intra.example:5000,{LIST}\"\n"),
        ),
        case(
            "a drop-in of every service",
            "ubuntu",
            "proxy-docker",
            "etc/systemd/system/service.d/zz-site.conf",
            format!("[Service]\nEnvironment=HTTP_PROXY={OLD} HTTPS_PROXY={OLD}\n"),
            format!(
                "[Service]\nEnvironment=\"HTTP_PROXY={PROXY}\" \"HTTPS_PROXY={PROXY}\"\nEnvironment=\"NO_PROXY={LIST}\"\n"
            ),
        ),
        case(
            "variables of every service",
            "ubuntu",
            "proxy-systemd",
            "etc/systemd/system.conf.d/50-env.conf",
            format!("[Manager]\nDefaultEnvironment=\"http_proxy={OLD}\" \"https_proxy={OLD}\"\n"),
            format!(
                "[Manager]\nDefaultEnvironment=\"http_proxy={PROXY}\" \"https_proxy={PROXY}\"\nDefaultEnvironment=\"no_proxy={LIST}\"\n"
            ),
        ),
        case(
            "the environment on CentOS",
            "rocky",
            "proxy-cron",
            "etc/environment",
            format!("http_proxy={OLD}\nhttps_proxy={OLD}\nno_proxy=localhost,wiki.intra.example\n"),
            format!("http_proxy={PROXY}\nhttps_proxy={PROXY}\nno_proxy=localhost,wiki.intra.example,{LIST}\n"),
        ),
        case(
            "bashrc",
            "rocky",
            "proxy-login",
            "etc/bashrc",
            format!("export http_proxy={OLD}\n"),
            format!("export http_proxy=\"{PROXY}\"\n"),
        ),
        case(
            "a script without export",
            "rocky",
            "proxy-login",
            "etc/profile.d/site.sh",
            format!("http_proxy={OLD}\nno_proxy=localhost,wiki.intra.example\n"),
            String::new(),
        ),
        case(
            "apt.conf",
            "ubuntu",
            "proxy-package-manager",
            "etc/apt/apt.conf",
            format!("Acquire {{ http {{ Proxy \"{OLD}\"; }}; }};\n"),
            format!("Acquire {{ http {{ Proxy \"{PROXY}\"; }}; }};\n"),
        ),
        case(
            "a later file of apt",
            "ubuntu",
            "proxy-package-manager",
            "etc/apt/apt.conf.d/98site",
            format!("Acquire::http::Proxy \"{OLD}\";\n"),
            format!("Acquire::http::Proxy \"{PROXY}\";\n"),
        ),
        case(
            "csh",
            "rocky",
            "proxy-login",
            "etc/profile.d/proxy.csh",
            format!("setenv http_proxy {OLD}\nsetenv https_proxy {OLD}\nsetenv no_proxy localhost,.intra.example\n"),
            format!(
                "setenv http_proxy \"{PROXY}\"\nsetenv https_proxy \"{PROXY}\"\nsetenv no_proxy \"localhost,.intra.example,{LIST}\"\n"
            ),
        ),
        Case {
            more: vec![(
                "etc/profile",
                "for i in /etc/profile.d/*.sh /etc/profile.d/sh.local; do [ -r \"$i\" ] && . \"$i\"; done\n".into(),
            )],
            ..case(
                "sh.local",
                "centos",
                "proxy-login",
                "etc/profile.d/sh.local",
                format!("export http_proxy={OLD}\n"),
                format!("export http_proxy=\"{PROXY}\"\n"),
            )
        },
        Case {
            more: vec![("etc/profile.d/zz-corp.sh", ". /opt/corp/proxy.env\n".into())],
            ..case(
                "a sourced file",
                "rocky",
                "proxy-login",
                "opt/corp/proxy.env",
                format!("export http_proxy={OLD}\nexport no_proxy=localhost,.intra.example\n"),
                format!("export http_proxy=\"{PROXY}\"\nexport no_proxy=\"localhost,.intra.example,{LIST}\"\n"),
            )
        },
    ]
}

impl Case {
    fn root(&self) -> Root {
        let root = root(self.kind);
        // cron's stack as Red Hat has it.
        root.put("etc/pam.d/crond", "session required pam_env.so\n");
        root.put("usr/sbin/crond", "");
        for (path, text) in &self.more {
            root.put(path, text);
        }
        root.put(self.path, &self.before);
        root
    }

    fn prepare<'a>(&self, more: &[&'a str]) -> Vec<&'a str> {
        let target: &[&str] = if self.id == "proxy-package-manager" { &["--target", "package-manager"] } else { &[] };
        [&["prepare", "--proxy", PROXY], target, more].concat()
    }

    fn check(&self, root: &Root) -> Vec<Value> {
        let (_, json) = root.json(&["check", "proxy", "--proxy", PROXY, "--only", self.id]);
        faults(&json, self.id)
    }
}

/// Findings of this id that are neither passed nor skipped.
fn faults(json: &Value, id: &str) -> Vec<Value> {
    let all = json["findings"].as_array().unwrap().iter().filter(|finding| finding["id"] == id);
    all.filter(|finding| finding["status"] != "pass" && finding["status"] != "skip").cloned().collect()
}

#[test]
fn what_would_win_in_a_file_of_nobody_is_mended() {
    for case in cases() {
        let (root, row) = (case.root(), case.row);
        let picture = root.picture();
        let found = case.check(&root);
        assert!(!found.is_empty(), "{row}: it would win");
        let (code, json) = root.json(&case.prepare(&[]));
        assert_eq!(code, 0, "{row}: {json}");
        assert_eq!(faults(&json, case.id), [] as [Value; 0], "{row}: {}", root.get(case.path));
        assert!(case.after.is_empty() || root.get(case.path) == case.after, "{row}: {}", root.get(case.path));
        let path = root.at(case.path);
        let of_file = |change: &&Value| path.ends_with(change["path"].as_str().unwrap().trim_start_matches('/'));
        let change =
            json["changes"].as_array().unwrap().iter().find(of_file).unwrap_or_else(|| panic!("{row}: {json}"));
        assert!(change["reasons"].to_string().contains("here would win for"), "{row}: {change}");
        assert_eq!(case.check(&root), [] as [Value; 0], "{row}");
        let (code, json) = root.json(&case.prepare(&[]));
        assert_eq!((code, json["outcome"].as_str()), (0, Some("unchanged")), "{row}: {json}");
        root.run(&["revert", "--yes"]).ok();
        assert_eq!(contents(&root.picture()), contents(&picture), "{row}: reverted");
    }
}

type Picture = std::collections::BTreeMap<std::path::PathBuf, (Vec<u8>, u32, i64, i64)>;

fn contents(picture: &Picture) -> Vec<(String, String)> {
    let text = |(path, (bytes, ..)): (&std::path::PathBuf, &(Vec<u8>, u32, i64, i64))| {
        (path.display().to_string(), String::from_utf8_lossy(bytes).into_owned())
    };
    picture.iter().map(text).collect()
}

#[test]
fn a_file_of_a_package_or_a_tool_is_named_and_edited_on_request_alone() {
    for case in cases() {
        for by_tool in [false, true] {
            let (root, row) = (case.root(), case.row);
            let comment = if case.id == "proxy-package-manager" { "//" } else { "#" };
            if by_tool {
                root.put(case.path, format!("{comment} This file is managed by Puppet\n{}", case.before));
            } else {
                root.put("var/lib/dpkg/info/site-config.list", format!("/.\n/{}\n", case.path));
            }
            let before = root.get(case.path);
            let whose = if by_tool { "Puppet" } else { "site-config" };
            let (code, json) = root.json(&case.prepare(&[]));
            assert_eq!(code, 0, "{row}: {json}");
            assert_eq!(root.get(case.path), before, "{row}");
            let found = faults(&json, case.id);
            let place = format!("{}:", root.at(case.path).display());
            assert!(
                !found.is_empty() && found.iter().all(|finding| finding.to_string().contains(&place)),
                "{row}: {found:#?}"
            );
            assert!(found[0]["cause"].as_str().unwrap().contains(whose), "{row}: {found:#?}");
            let by_check = case.check(&root);
            assert_eq!(by_check.len(), found.len(), "{row}");
            for finding in found.iter().chain(&by_check) {
                // The finding's own words are run.
                let fix = finding["fix"][0].as_str().unwrap_or_else(|| panic!("{row}: {finding:#}"));
                assert!(fix.contains("--mend-others"), "{row}: {fix}");
            }
            let fix = found[0]["fix"][0].as_str().unwrap().to_owned();
            let arguments: Vec<&str> = fix.split(' ').skip(1).collect();
            let ran = crate::root::run(&[&arguments[..], &["--yes", "--format", "json"]].concat(), &[], "");
            assert_eq!(ran.code, 0, "{row}: {fix}: {}{}", ran.stdout, ran.stderr);
            let json = ran.json();
            assert_eq!(faults(&json, case.id), [] as [Value; 0], "{row}: {fix}");
            assert_eq!(faults(&json, "file-of-a-tool").len(), usize::from(by_tool), "{row}: {json:#}");
            assert_eq!(case.check(&root), [] as [Value; 0], "{row}: {fix}");
            // What a run has edited stays right without being asked again.
            let (code, json) = root.json(&case.prepare(&[]));
            assert_eq!((code, json["outcome"].as_str()), (0, Some("unchanged")), "{row}");
            root.run(&["revert", "--yes"]).ok();
            assert_eq!(root.get(case.path), before, "{row}: reverted");
        }
    }
}

#[test]
fn links_and_packages_that_cannot_be_told() {
    let root = root("rocky");
    root.put("opt/site.sh", format!("export http_proxy={OLD}\n"));
    std::fs::create_dir_all(root.at("etc/profile.d")).unwrap();
    symlink("../../opt/site.sh", root.at("etc/profile.d/zz-site.sh")).unwrap();
    let prepare = ["prepare", "--proxy", PROXY];
    root.run(&prepare).ok();
    assert_eq!(root.get("opt/site.sh"), format!("export http_proxy=\"{PROXY}\"\n"));
    root.run(&["revert", "--yes"]).ok();
    // rpm's database is read by rpm alone.
    root.put("var/lib/rpm/rpmdb.sqlite", "");
    let (code, json) = root.json(&prepare);
    let found = faults(&json, "proxy-login");
    assert!(code == 0 && found[0]["cause"].as_str().unwrap().contains("cannot be told"), "{json:#}");
    assert_eq!(root.get("opt/site.sh"), format!("export http_proxy={OLD}\n"));
}

#[test]
fn what_no_editor_understands_is_named_whoever_owns_it() {
    for (id, path, text) in [
        (
            "proxy-docker",
            "etc/systemd/system/docker.service.d/override.conf",
            format!(
                "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H fd:// --http-proxy={OLD} --https-proxy={OLD}\n"
            ),
        ),
        (
            "proxy-docker",
            "etc/systemd/system/docker.service.d/10-hard.conf",
            "[Service]\nUnsetEnvironment=HTTP_PROXY HTTPS_PROXY\n".to_owned(),
        ),
        ("proxy-login", "etc/profile.d/zz.sh", "unset http_proxy https_proxy\n".to_owned()),
        ("proxy-login", "etc/profile.d/zz.sh", "eval \"$(cat /etc/site)\"\n".to_owned()),
        (
            "proxy-package-manager",
            "etc/apt/apt.conf.d/30auto",
            "Acquire::http::Proxy-Auto-Detect \"/usr/local/bin/find-proxy\";\n".to_owned(),
        ),
    ] {
        let root = Root::ubuntu();
        root.put("usr/bin/dockerd", "");
        root.put(path, &text);
        let targets = "system-proxy,docker-daemon,package-manager";
        let prepare = ["prepare", "--proxy", PROXY, "--target", targets];
        for argument in ["--yes", "--mend-others"] {
            let (code, json) = root.json(&[&prepare[..], &[argument]].concat());
            let found = faults(&json, id);
            assert!(code == 0 && found.iter().any(|own| own.to_string().contains(path)), "{path} {text}: {json:#}");
            assert!(found.iter().all(|own| !own["fix"].to_string().contains("prepare")), "{path}: {found:#?}");
            assert_eq!(root.get(path), text);
        }
    }
}

#[test]
fn a_target_that_a_tool_keeps_is_written_on_request_alone() {
    let root = Root::ubuntu();
    root.put("etc/environment", "# This file is managed by Puppet\nPATH=\"/usr/bin:/bin\"\n");
    let before = root.picture();
    let (code, json) = root.json(&["prepare", "--proxy", PROXY]);
    let found = faults(&json, "file-of-a-tool");
    assert_eq!((code, found[0]["status"].as_str()), (4, Some("fail")), "{json:#}");
    assert!(found[0]["title"].as_str().unwrap().contains("Puppet"), "{json:#}");
    assert!(root.picture() == before && !root.has("var"), "nothing is written at all");
    let (_, json) = root.json(&["check", "proxy", "--proxy", PROXY, "--only", "proxy-login"]);
    assert!(json["findings"].to_string().contains("--mend-others"), "{json:#}");
    let (code, json) = root.json(&["prepare", "--proxy", PROXY, "--mend-others"]);
    assert_eq!((code, faults(&json, "file-of-a-tool")[0]["status"].as_str()), (0, Some("warn")), "{json:#}");
    assert!(root.get("etc/environment").contains(PROXY));
    let variables = [("ICS_SETUP_MEND_OTHERS", "true")];
    root.run_with(&["prepare", "--proxy", "http://moved:1"], &variables, "").ok();
    assert!(root.get("etc/environment").contains("http://moved:1"));
}

#[test]
fn no_command_that_is_printed_refuses_a_file_that_a_tool_keeps() {
    const KEPT: &str = "# This file is managed by Puppet\n";
    let programs = Programs::new(&[]);
    let mut seen = 0;
    for path in [
        "etc/environment",
        "etc/systemd/system/docker.service.d/http-proxy.conf",
        "etc/apt/apt.conf.d/95ics-setup-proxy",
        "divvycloud/prod.env",
    ] {
        let root = Root::ubuntu();
        root.put(UNIT.0, UNIT.1);
        root.put("usr/sbin/dockerd", "");
        // A value that the rules for URLs complain about, for a command of theirs.
        root.put("etc/environment", "http_proxy=oldpx.corp.example:8888\n");
        root.put(path, format!("{KEPT}{}", if root.has(path) { root.get(path) } else { String::new() }));
        for look in [&["check", "proxy", "--proxy", PROXY][..], &["check", "proxy"]] {
            let (_, json) = root.json(look);
            for finding in json["findings"].as_array().unwrap() {
                for line in finding["fix"].as_array().unwrap().iter().filter_map(Value::as_str) {
                    if ["prepare", "reconfigure"].iter().any(|verb| line.contains(&format!("ics-setup {verb}"))) {
                        seen += usize::from(line.contains("--mend-others"));
                        let ran = programs.paste(&format!("{line} --dry-run --non-interactive"));
                        assert!(ran.is_ok(), "{path}: {}: {ran:?}", finding["id"]);
                    }
                }
            }
        }
    }
    assert!(seen > 4, "{seen}");
}

#[test]
fn a_removal_takes_out_what_a_run_has_written_and_names_the_rest() {
    let root = Root::ubuntu();
    let (ours, theirs) = (format!("{DROP_INS}/zz.conf"), "etc/profile.d/zz.sh");
    root.put(&ours, format!("[Service]\nEnvironment=HTTP_PROXY={OLD} A=1\n"));
    root.run(&["prepare", "--proxy", PROXY]).ok();
    assert!(root.get(&ours).contains(PROXY));
    root.put(theirs, format!("export http_proxy={OLD}\n"));
    let (code, json) = root.json(&["prepare", "--remove-proxy"]);
    assert_eq!((code, root.get(&ours)), (0, "[Service]\nEnvironment= A=1\n".to_owned()), "{json:#}");
    assert_eq!(root.get(theirs), format!("export http_proxy={OLD}\n"));
    let found = faults(&json, "proxy-login");
    assert!(found[0]["advice"].to_string().contains("zz.sh:1"), "{json:#}");
}

#[test]
fn members_of_an_edited_list_are_in_every_list() {
    let root = Root::ubuntu();
    root.put(&format!("{DROP_INS}/no_proxy.conf"), "[Service]\nEnvironment=\"NO_PROXY=wiki.intra.example:5000\"\n");
    root.run(&["prepare", "--proxy", PROXY]).ok();
    assert!(root.get("etc/environment").contains("wiki.intra.example:5000"), "{}", root.get("etc/environment"));
    root.run(&["prepare", "--proxy", PROXY, "--no-proxy-only", "a.example"]).ok();
    assert_eq!(root.get(&format!("{DROP_INS}/no_proxy.conf")), "[Service]\nEnvironment=\"NO_PROXY=a.example\"\n");
}

/// What may stand in a drop-in of the daemon, and its file of variables.
const LINES: [&str; 8] = [
    "Environment=HTTP_PROXY=http://old:1 A=1",
    "Environment=\"NO_PROXY=a.example,b.example\" 'HTTPS_PROXY=http://old:1'",
    "Environment=http_proxy=http://low:1",
    "Environment=NO_PROXY=",
    "Environment=",
    "EnvironmentFile=-/etc/site/a.env",
    "Environment=HTTP_PROXY=http://o%%40:1 \\\n  https_proxy=http://old:1",
    "UnsetEnvironment=HTTP_PROXY",
];

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 24, max_shrink_iters: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_tree_of_drop_ins_is_mended_or_named(
        files in proptest::collection::vec((0..4_usize, 0..3_usize, proptest::collection::vec(0..LINES.len(), 0..4)), 1..5),
        variables in "(#[a-z =]{0,4}\n|HTTP_PROXY=\"http://env:1\"\n|HTTP_PROXY=http://env:1\n|NO_PROXY = c[.]example\n|B=1\n){0,4}",
    ) {
        let root = Root::ubuntu();
        root.put("usr/bin/dockerd", "");
        root.put("etc/site/a.env", &variables);
        let mut unset = false;
        for (name, folder, lines) in &files {
            let name = ["00.conf", "http-proxy.conf", "site.conf", "zz.conf"][*name];
            let folder = ["etc/systemd/system/docker.service.d", "etc/systemd/system/service.d", "etc/systemd/system/docker.service.d"][*folder];
            let lines: Vec<&str> = lines.iter().map(|line| LINES[*line]).collect();
            unset |= [LINES[4], LINES[7]].iter().any(|line| lines.contains(line));
            root.put(&format!("{folder}/{name}"), format!("[Service]\n{}\n", lines.join("\n")));
        }
        let before = root.picture();
        let (code, json) = root.json(&["prepare", "--proxy", PROXY]);
        let found = faults(&json, "proxy-docker");
        proptest::prop_assert!(code == 0 && (unset || found.is_empty()), "{json:#}");
        for finding in &found {
            proptest::prop_assert!(finding["advice"].to_string().contains(".conf:"), "{finding:#}");
            proptest::prop_assert!(!finding["fix"].to_string().contains("prepare"), "{finding:#}");
        }
        let (_, checked) = root.json(&["check", "proxy", "--proxy", PROXY, "--only", "proxy-docker"]);
        proptest::prop_assert_eq!(faults(&checked, "proxy-docker").len(), found.len());
        let (_, json) = root.json(&["prepare", "--proxy", PROXY]);
        proptest::prop_assert!(json["outcome"] == "unchanged", "{json:#}");
        root.run(&["revert", "--yes"]).ok();
        proptest::prop_assert_eq!(contents(&root.picture()), contents(&before));
    }
}
