//! Hosts as people really have them. On each of them `prepare` and `check` say the same, nobody is sent round in a circle, a
//! second run has nothing to do, and what was done can be taken back.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::root::Root;

const PROXY: &str = "http://proxy.corp.example:3128";

/// A file of a host, with what stands in it.
pub type File = (&'static str, &'static str);

/// What the host is called here, its family, its files.
pub type Host = (&'static str, fn() -> Root, &'static [File]);

const UNIT: File = ("lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n");

pub const HOSTS: &[Host] = &[
    ("nothing of note", Root::ubuntu, &[]),
    ("nothing of note", Root::centos, &[]),
    (
        "a drop-in that sorts later",
        Root::ubuntu,
        &[
            UNIT,
            (
                "etc/systemd/system/docker.service.d/proxy.conf",
                "[Service]\nEnvironment=HTTP_PROXY=http://10.1.1.1:8888\n",
            ),
        ],
    ),
    (
        "a later drop-in with a list alone",
        Root::ubuntu,
        &[
            UNIT,
            (
                "etc/systemd/system/docker.service.d/no_proxy.conf",
                "[Service]\nEnvironment=\"NO_PROXY=wiki.intra.example:5000\"\n",
            ),
        ],
    ),
    (
        "a drop-in that takes variables away",
        Root::ubuntu,
        &[
            UNIT,
            (
                "etc/systemd/system/docker.service.d/10-hardening.conf",
                "[Service]\nUnsetEnvironment=HTTP_PROXY HTTPS_PROXY\n",
            ),
        ],
    ),
    (
        "an environment file of the unit",
        Root::ubuntu,
        &[
            (
                "lib/systemd/system/docker.service",
                "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/bin/dockerd\n",
            ),
            ("etc/default/docker", "HTTP_PROXY=\"http://oldpx.corp.example:8888\"\n"),
        ],
    ),
    (
        "environment files by a wildcard",
        Root::centos,
        &[
            UNIT,
            (
                "etc/systemd/system/docker.service.d/zz-env.conf",
                "[Service]\nEnvironmentFile=-/etc/docker/env.d/*.env\n",
            ),
            ("etc/docker/env.d/proxy.env", "HTTP_PROXY=http://oldpx.corp.example:8888\n"),
        ],
    ),
    (
        "options of the daemon",
        Root::ubuntu,
        &[
            UNIT,
            (
                "etc/systemd/system/docker.service.d/override.conf",
                "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H fd:// --http-proxy=http://oldpx.corp.example:8888\n",
            ),
        ],
    ),
    (
        "a drop-in of every service",
        Root::ubuntu,
        &[
            UNIT,
            (
                "etc/systemd/system/service.d/zz-site.conf",
                "[Service]\nEnvironment=HTTP_PROXY=http://oldpx.corp.example:8888\n",
            ),
        ],
    ),
    (
        "variables of every service",
        Root::ubuntu,
        &[
            UNIT,
            (
                "etc/systemd/system.conf.d/50-env.conf",
                "[Manager]\nDefaultEnvironment=\"http_proxy=http://oldpx.corp.example:8888\" \"HTTP_PROXY=http://oldpx.corp.example:8888\"\n",
            ),
        ],
    ),
    (
        "a daemon.json with proxies",
        Root::centos,
        &[UNIT, ("etc/docker/daemon.json", "{\"proxies\":{\"http-proxy\":\"http://oldpx.corp.example:8888\"}}")],
    ),
    (
        "lists of both families' files",
        Root::centos,
        &[("etc/environment", "http_proxy=http://oldpx.corp.example:8888\nno_proxy=localhost,wiki.intra.example\n")],
    ),
    (
        "a script without export",
        Root::centos,
        &[(
            "etc/profile.d/site.sh",
            "http_proxy=http://oldpx.corp.example:8888\nno_proxy=localhost,wiki.intra.example\n",
        )],
    ),
    ("a script that unsets", Root::centos, &[("etc/profile.d/zz.sh", "unset http_proxy https_proxy\n")]),
    ("a list that is read-only", Root::centos, &[("etc/profile.d/aa.sh", "readonly no_proxy=localhost\n")]),
    (
        "a script that evaluates",
        Root::centos,
        &[("etc/profile.d/zz.sh", "eval \"export http_proxy=http://evalpx.corp.example:1\"\n")],
    ),
    (
        "a script with a mistake",
        Root::centos,
        &[("etc/profile.d/zz.sh", "export http_proxy=http://oldpx.corp.example:8888\nif true; then\n")],
    ),
    (
        "a loop",
        Root::centos,
        &[("etc/profile.d/zz.sh", "for v in http_proxy https_proxy; do export $v=http://10.1.1.1:8888; done\n")],
    ),
    (
        "a function",
        Root::centos,
        &[("etc/profile.d/site.sh", "setpx() { export http_proxy=http://oldpx.corp.example:8888; }\nsetpx\n")],
    ),
    (
        "a condition",
        Root::centos,
        &[(
            "etc/profile.d/zz.sh",
            "if ping -c1 proxy.corp.example; then export http_proxy=http://oldpx.corp.example:8888; fi\n",
        )],
    ),
    ("a command", Root::ubuntu, &[("etc/profile.d/zz.sh", "export http_proxy=$(/usr/local/bin/find-proxy)\n")]),
    (
        "a sourced file",
        Root::centos,
        &[
            ("etc/profile.d/zz-corp.sh", ". /opt/corp/proxy.env\n"),
            (
                "opt/corp/proxy.env",
                "export http_proxy=http://oldpx.corp.example:8888 no_proxy=localhost,.intra.example\n",
            ),
        ],
    ),
    (
        "a site's own place",
        Root::centos,
        &[
            (
                "etc/profile",
                "for i in /etc/profile.d/*.sh /etc/profile.d/sh.local; do [ -r \"$i\" ] && . \"$i\"; done\n",
            ),
            (
                "etc/profile.d/sh.local",
                "export http_proxy=http://oldpx.corp.example:8888 no_proxy=localhost,.intra.example\n",
            ),
        ],
    ),
    (
        "bashrc after the profile",
        Root::centos,
        &[
            ("etc/profile", "for i in /etc/profile.d/*.sh; do . \"$i\"; done\n. /etc/bashrc\n"),
            ("etc/bashrc", "export http_proxy=http://oldpx.corp.example:8888\n"),
        ],
    ),
    ("bash.bashrc", Root::ubuntu, &[("etc/bash.bashrc", "export http_proxy=http://oldpx.corp.example:8888\n")]),
    (
        "braces",
        Root::centos,
        &[("etc/profile.d/zz.sh", "export {http,https,ftp}_proxy=http://oldpx.corp.example:8888\n")],
    ),
    (
        "a list in two files",
        Root::centos,
        &[
            ("etc/profile.d/aa.sh", "export http_proxy=http://oldpx.corp.example:8888 no_proxy=localhost\n"),
            ("etc/profile.d/corp.sh", "export no_proxy=\"$no_proxy,.intra.example\"\n"),
        ],
    ),
    (
        "csh",
        Root::centos,
        &[(
            "etc/profile.d/proxy.csh",
            "setenv http_proxy http://oldpx.corp.example:8888\nsetenv no_proxy localhost,.intra.example\n",
        )],
    ),
    ("zsh", Root::ubuntu, &[("etc/zsh/zshenv", "export http_proxy=http://oldpx.corp.example:8888\n")]),
    (
        "other proxies of the old proxy",
        Root::ubuntu,
        &[(
            "etc/environment",
            "http_proxy=http://oldpx.corp.example:8888\nftp_proxy=http://oldpx.corp.example:8888\nALL_PROXY=socks5://oldpx.corp.example:1080\n",
        )],
    ),
    (
        "apt.conf",
        Root::ubuntu,
        &[("etc/apt/apt.conf", "Acquire { http { Proxy \"http://oldpx.corp.example:8888\"; }; };\n")],
    ),
    (
        "a later file of apt",
        Root::ubuntu,
        &[("etc/apt/apt.conf.d/98site", "Acquire::http::Proxy \"http://oldpx.corp.example:8888\";\n")],
    ),
    (
        "apt that asks a program",
        Root::ubuntu,
        &[("etc/apt/apt.conf.d/30auto", "Acquire::http::Proxy-Auto-Detect \"/usr/local/bin/find-proxy\";\n")],
    ),
    ("apt that forgets", Root::ubuntu, &[("etc/apt/apt.conf.d/99z", "#clear Acquire::http::Proxy;\n")]),
    ("apt that forgets all", Root::ubuntu, &[("etc/apt/apt.conf.d/99z", "#clear Acquire;\n")]),
    ("apt without a value", Root::ubuntu, &[("etc/apt/apt.conf.d/99z", "Acquire::http::Proxy \"\";\n")]),
    (
        "sshd with a variable from elsewhere",
        Root::ubuntu,
        &[
            ("etc/ssh/sshd_config", "UsePAM yes\nInclude /opt/ssh/site\n"),
            ("opt/ssh/site", "SetEnv http_proxy=http://oldpx.corp.example:8888\n"),
        ],
    ),
    (
        "sshd with a command",
        Root::ubuntu,
        &[("etc/ssh/sshd_config", "UsePAM yes\nForceCommand env http_proxy=http://oldpx.corp.example:8888 sh\n")],
    ),
    (
        "sshd with options",
        Root::ubuntu,
        &[
            ("etc/ssh/sshd_config", "UsePAM yes\n"),
            (
                "lib/systemd/system/ssh.service",
                "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n",
            ),
            ("etc/default/ssh", "SSHD_OPTS=\"-o UsePAM=no\"\n"),
        ],
    ),
    (
        "pam_env.conf that takes away",
        Root::ubuntu,
        &[
            ("etc/security/pam_env.conf", "http_proxy DEFAULT=\n"),
            ("etc/pam.d/su", "session required pam_env.so\nsession required pam_env.so envfile=/etc/default/locale\n"),
            ("etc/default/locale", "LANG=C\n"),
        ],
    ),
    (
        "a repository with a proxy",
        Root::centos,
        &[
            ("etc/yum.conf", "[main]\n"),
            (
                "etc/yum.repos.d/site.repo",
                "[site]\nname=s\nbaseurl=http://r.intra.example/\nproxy=http://oldpx.corp.example:8888\n",
            ),
        ],
    ),
    (
        "a login without pam_env",
        Root::ubuntu,
        &[
            ("etc/pam.d/su", "session required pam_env.so readenv=0\n"),
            ("etc/pam.d/sshd", "session required pam_env.so readenv=0\n"),
            ("etc/pam.d/login", "session required pam_env.so readenv=0\n"),
        ],
    ),
    ("ssh without PAM", Root::ubuntu, &[("usr/sbin/sshd", ""), ("etc/ssh/sshd_config", "UsePAM no\n")]),
    (
        "crontabs with values",
        Root::ubuntu,
        &[
            ("usr/sbin/cron", ""),
            ("etc/pam.d/cron", "session required pam_env.so\n"),
            ("etc/cron.d/site", "https_proxy=http://oldpx.corp.example:8888\n* * * * * divvy env\n"),
        ],
    ),
    (
        "two assignments on a line",
        Root::centos,
        &[(
            "etc/profile.d/proxy.sh",
            "export http_proxy=http://oldpx.corp.example:1 https_proxy=http://oldpx.corp.example:1\n",
        )],
    ),
];

/// The findings about who gets what, but those that are good or were not looked at: title, cause, what to do.
fn bad(result: &Value) -> BTreeMap<String, Vec<String>> {
    let mut findings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in result["findings"].as_array().unwrap() {
        let (id, status) = (finding["id"].as_str().unwrap(), finding["status"].as_str().unwrap());
        let of_consumer = finding["evidence"]["known"].is_string();
        if of_consumer && !matches!(status, "pass" | "skip") {
            let parts = ["title", "cause", "fix", "advice"].map(|part| finding[part].to_string());
            findings.entry(id.to_owned()).or_default().push(parts.join(" | "));
        }
    }
    findings
}

#[test]
fn prepare_and_check_agree_a_second_run_is_empty_and_a_run_can_be_taken_back() {
    let mut faults = Vec::new();
    for (name, family, files) in HOSTS {
        let root = family();
        // Most hosts that are prepared have no product yet.
        std::fs::remove_dir_all(root.at("divvycloud")).unwrap();
        files.iter().for_each(|(path, content)| root.put(path, content));
        let before = root.picture();
        let run = ["prepare", "--proxy", PROXY, "--target", "system-proxy,docker-daemon,package-manager", "--yes"];
        let (code, first) = root.json(&run);
        assert_eq!(code, 0, "{name}: {first:#}");
        let (code, second) = root.json(&run);
        assert_eq!((code, &second["outcome"]), (0, &Value::from("unchanged")), "{name}: {second:#}");
        let (_, check) = root.json(&["check", "proxy", "--proxy", PROXY]);
        let (told, found) = (bad(&second), bad(&check));
        // A consumer without a file of ours is told of where its files say something else; where they say nothing, by the check.
        let ours = ["proxy-login", "proxy-docker", "proxy-package-manager"].map(str::to_owned);
        for id in told.keys().chain(&ours) {
            if told.get(id) != found.get(id) {
                faults.push(format!("{name}: prepare {:#?}, check {:#?}", told.get(id), found.get(id)));
            }
        }
        let circles = ours.iter().filter_map(|id| found.get(id)).flatten();
        let circle = circles.filter(|text| text.contains("ics-setup prepare --proxy"));
        faults.extend(circle.map(|text| format!("{name}: sent to what has just been done: {text}")));
        root.run(&["revert", "--yes"]).ok();
        assert!(root.picture() == before, "{name}: something stays");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What cannot be written again as it is is not written anew.
#[test]
fn a_list_that_is_not_utf_8_is_refused_by_name_and_stays() {
    for (file, verb, advice) in [
        ("divvycloud/prod.env", "reconfigure", "--no-proxy-only"),
        ("etc/environment", "prepare", "--no-proxy-only"),
        ("etc/systemd/system/docker.service.d/http-proxy.conf", "prepare", "mend the file by hand"),
    ] {
        let root = Root::ubuntu();
        root.put(UNIT.0, UNIT.1);
        let text: &[u8] = match file.ends_with(".conf") {
            true => b"[Service]\nEnvironment=NO_PROXY=\xe9.example,b.example\n",
            false => b"no_proxy=\xe9.example,b.example\n",
        };
        root.put(file, text);
        let (code, json) = root.json(&[verb, "--proxy", PROXY, "--yes"]);
        let told = json.to_string();
        assert!(code != 0 && told.contains("is not UTF-8") && told.contains(advice), "{file}: {json:#}");
        assert!(!told.contains("only a shell can tell"), "{file}: {json:#}");
        assert_eq!(std::fs::read(root.path().join(file)).unwrap(), text, "{file}");
        if advice == "--no-proxy-only" {
            let (code, json) = root.json(&[verb, "--proxy", PROXY, "--yes", "--no-proxy-only", "b.example"]);
            assert_eq!(code, 0, "{file}: {json:#}");
        }
    }
}
