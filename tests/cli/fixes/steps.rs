//! What a person is asked to do after a run can be done on that host.

use std::path::Path;

use serde_json::Value;

use super::Programs;
use crate::root::Root;

const P: &str = "http://p.corp.example:3128";

/// A host, and the programs that its next steps have to name, each with what follows.
struct Host {
    what: &'static str,
    files: &'static [&'static str],
    /// What `prepare` and then `reconfigure` ask to run; nothing: no command is asked for.
    prepare: Option<&'static str>,
    reconfigure: Option<&'static str>,
}

const UNIT: &str = "lib/systemd/system/docker.service";

const HOSTS: &[Host] = &[
    Host { what: "neither Docker nor Compose", files: &[], prepare: None, reconfigure: None },
    Host {
        what: "Docker, and no Compose",
        files: &[UNIT, "divvycloud/docker-compose.yml"],
        prepare: Some("systemctl restart docker"),
        reconfigure: None,
    },
    Host {
        what: "a Compose without a file for it",
        files: &["usr/local/bin/docker-compose"],
        prepare: None,
        reconfigure: None,
    },
    Host {
        what: "the snap, and a plugin",
        files: &[
            "etc/systemd/system/snap.docker.dockerd.service",
            "usr/libexec/docker/cli-plugins/docker-compose",
            "divvycloud/compose.yaml",
        ],
        prepare: Some("systemctl restart snap.docker.dockerd"),
        reconfigure: Some("docker compose -f /divvycloud/compose.yaml up -d"),
    },
    Host {
        what: "Compose where sudo does not look on CentOS",
        files: &[UNIT, "usr/local/bin/docker-compose", "divvycloud/docker-compose.site.yml"],
        prepare: Some("systemctl restart docker"),
        reconfigure: Some("/usr/local/bin/docker-compose -f /divvycloud/docker-compose.site.yml up -d"),
    },
];

fn root(files: &[&str]) -> Root {
    let root = Root::ubuntu();
    for path in files {
        match path.ends_with(".service") {
            true => root.put(path, "[Service]\nExecStart=/usr/bin/dockerd\n"),
            false => root.program(path),
        }
    }
    root
}

/// The commands of the next steps, and what the programs that they start were given.
fn steps(result: &Value, root: &Root) -> Vec<String> {
    let log = root.at("pasted");
    let tell = |name: &str| format!("echo \"{name} $*\" >>{}", log.display());
    let (docker, compose, systemctl) = (tell("docker"), tell("docker-compose"), tell("systemctl"));
    let programs = Programs::new(&[("docker", &docker), ("docker-compose", &compose), ("systemctl", &systemctl)]);
    let _ = std::fs::remove_file(&log);
    let mut lines = Vec::new();
    for step in result["next_steps"].as_array().unwrap() {
        let step = step.as_str().unwrap();
        // The step of the whole way has a test of its own.
        let Some(later) = step.strip_prefix("once the image runs: ") else {
            assert!(step.contains("ics-setup "), "{step}: an image");
            continue;
        };
        let Some((_, line)) = later.split_once("): ").or(later.split_once("it: ")) else { continue };
        if Path::new(line).is_absolute() && line.starts_with("/usr/local/bin/docker-compose") {
            programs.paste(&line.replace("/usr/local/bin/", "")).unwrap();
        } else if ["docker", "systemctl"].iter().any(|program| line.starts_with(program)) {
            programs.paste(line).unwrap_or_else(|fault| panic!("{fault}"));
        } else {
            continue;
        }
        for file in line.split(" -f ").skip(1).filter_map(|rest| rest.split(' ').next()) {
            assert!(root.has(file.trim_start_matches('/')), "{file} of {line} is not there");
        }
        lines.push(line.to_owned());
    }
    lines
}

#[test]
fn next_steps_name_what_is_there() {
    for host in HOSTS {
        let root = root(host.files);
        let expect = |arguments: &[&str], wanted: Option<&str>| {
            let (code, result) = root.json(arguments);
            assert_eq!(code, 0, "{}: {result:#}", host.what);
            let lines = steps(&result, &root);
            match wanted {
                Some(wanted) => {
                    assert!(lines.iter().any(|line| line.contains(wanted)), "{}: {lines:?}, not {wanted}", host.what);
                }
                None => assert!(lines.is_empty(), "{}: {lines:?}", host.what),
            }
        };
        expect(&["prepare", "--proxy", P, "--yes"], host.prepare);
        expect(&["reconfigure", "--yes"], host.reconfigure);
        // The way back asks for the same.
        expect(&["revert", "--yes"], host.reconfigure);
        expect(&["revert", "--yes"], host.prepare);
    }
}
