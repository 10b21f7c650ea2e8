//! Holds the models of compose projects, of the docker client's `config.json` and of `daemon.json` against the programs
//! themselves, over generated files. Where a model says that it does not know, nothing is compared; it has to know most.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use ics_setup::modelled;
use serde_json::Value;
use tempfile::TempDir;

use super::files::Generator;
use super::workshop::{FakeDaemon, provisioned, run, succeed};
use crate::common::{scratch_in_memory, skip, write};

/// Variables of one service or container.
type Environment = BTreeMap<String, String>;

/// Values as they stand in YAML.
const VALUES: [&str; 27] = [
    "x",
    "\"q r\"",
    "'s#t'",
    "on",
    "08",
    "1e3",
    "12",
    "http://u:p@h:1",
    "10.0.0.1",
    "${X}",
    "${X:-d}",
    "${E-d}",
    "${E:-d}",
    "'${N:-}'",
    "$$x",
    "${N?e}",
    "",
    "~",
    "true",
    "1_0",
    "0x1F",
    "22:22",
    ".5",
    "a,b,.c",
    "\"$X-${X}\"",
    "'it''s'",
    "*w",
];

const ENV_FILES: [&str; 8] =
    ["A=1\n", "B='q'\n", "C=x y\n", "D=http://h:1\n", "A=2 # c\n", "B=\"r\"\n", "# A=9\n", "C=\n"];

/// One project: files by their names.
fn project(generator: &mut Generator) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for name in ["one.env", "two.env", "sub/three.env"] {
        let text: String = (0..1 + generator.below(4)).map(|_| generator.pick(&ENV_FILES)).collect();
        files.push((name.to_owned(), text));
    }
    let dot_env =
        ["X=ex\nE=\n", "X=ex\nE=\nCOMPOSE_PROFILES=debug\n", "X='e x'\nE=\n", "X=1\nE=\nCOMPOSE_FILE=compose.yml\n"];
    files.push((".env".to_owned(), generator.pick(&dot_env).to_owned()));
    let base = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "docker-compose.yml"];
    for _ in 0..1 + generator.below(2) {
        let services = format!(
            "{}{}{}",
            service(generator, "s", true),
            service(generator, "t", true),
            service(generator, "u", false)
        );
        files.push((
            generator.pick(&base).to_owned(),
            format!("version: '2.4'\nx-w: &w word\nx-m: &m {{A: m, B: m}}\nservices:\n{services}"),
        ));
    }
    if generator.below(3) == 0 {
        let over = ["docker-compose.override.yml", "compose.override.yaml"];
        let text =
            format!("version: '2.4'\nx-w: &w word\nx-m: &m {{C: m}}\nservices:\n{}", service(generator, "s", false));
        files.push((generator.pick(&over).to_owned(), text));
    }
    files.push((
        "sub/base.yml".to_owned(),
        "version: '2.4'\nservices:\n  b:\n    image: i\n    env_file: three.env\n    environment: [D=base]\n"
            .to_owned(),
    ));
    files
}

fn service(generator: &mut Generator, name: &str, extends: bool) -> String {
    let mut text = format!("  {name}:\n    image: i\n");
    let env_files = [
        "",
        "    env_file: one.env\n",
        "    env_file: [one.env, two.env]\n",
        "    env_file:\n    - ./two.env\n    - one.env\n",
        "    env_file:\n      - sub/../one.env\n",
        "    env_file: ['${N:-two.env}']\n",
        "    env_file: [{path: none.env, required: false}, one.env]\n",
    ];
    text.push_str(generator.pick(&env_files));
    let value = |generator: &mut Generator| generator.pick(&VALUES).to_owned();
    match generator.below(6) {
        0 => {}
        1 => {
            text.push_str(&format!("    environment:\n      A: {}\n      C: {}\n", value(generator), value(generator)))
        }
        2 => text.push_str(&format!(
            "    environment:\n    - B={}\n    - \"D=x=y\"\n    - A\n",
            value(generator).trim_matches(['\'', '"'])
        )),
        3 => text.push_str("    environment: {A: \"1,2\", 'B': 'x y', C: z}\n"),
        4 => text.push_str(&format!("    environment:\n      <<: *m\n      B: {}\n", value(generator))),
        _ => text.push_str("    environment: [\"A=a b\", D=]\n"),
    }
    let more = ["", "", "", "    scale: 2\n", "    profiles: [debug]\n", "    network_mode: host\n"];
    text.push_str(generator.pick(&more));
    if extends && generator.below(4) == 0 {
        text.push_str(
            generator
                .pick(&["    extends: {service: u}\n", "    extends:\n      file: sub/base.yml\n      service: b\n"]),
        );
    }
    text
}

/// Projects below `NNN/project`.
fn projects(seed: u64, count: usize) -> TempDir {
    let folder = scratch_in_memory("projects");
    let mut generator = Generator::new(seed);
    for index in 0..count {
        for (name, text) in project(&mut generator) {
            write(&folder.path().join(format!("{index:03}/project")), &name, &text);
        }
    }
    folder
}

fn compare_projects(release: &str, folder: &Path, real: &[Option<BTreeMap<String, Environment>>]) {
    let mut wrong = Vec::new();
    let (mut compared, mut unknown, mut refused) = (0, 0, 0);
    for (index, real) in real.iter().enumerate() {
        let root = folder.join(format!("{index:03}"));
        let model = modelled(&format!("compose:{release}"), &root).unwrap();
        let Some(real) = real else {
            refused += 1;
            continue;
        };
        if model.contains_key("") {
            unknown += 1;
            continue;
        }
        let mut really = BTreeMap::new();
        for (service, environment) in real {
            really.insert(service.clone(), String::new());
            really.extend(environment.iter().map(|(name, value)| (format!("{service} {name}"), value.clone())));
        }
        let mut names: Vec<&String> = model.keys().chain(really.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            match (model.get(name), really.get(name)) {
                (Some(None), _) => unknown += 1,
                (Some(Some(model)), Some(real)) if model == real => compared += 1,
                (model, real) => {
                    let files = [
                        "compose.yaml",
                        "compose.yml",
                        "docker-compose.yml",
                        "docker-compose.yaml",
                        "docker-compose.override.yml",
                        "compose.override.yaml",
                        ".env",
                        "one.env",
                        "two.env",
                    ];
                    let text: String = files
                        .iter()
                        .filter_map(|name| {
                            Some(format!("--- {name}\n{}", fs::read_to_string(root.join("project").join(name)).ok()?))
                        })
                        .collect();
                    wrong.push(format!("{text}\n    {name}: really {real:?}, modelled {model:?}"));
                }
            }
        }
    }
    println!(
        "compose {release}: {} projects, {refused} refused, {compared} values compared, {unknown} unknown",
        real.len()
    );
    let told: Vec<&str> = wrong.iter().map(String::as_str).take(3).collect();
    assert!(told.is_empty(), "{release}: {} disagreements\n{}", wrong.len(), told.join("\n"));
    assert!(compared > unknown && compared > real.len(), "{release}: {compared} compared, {unknown} unknown");
}

#[test]
fn projects_of_compose_1() {
    let readers = provisioned("readers");
    let folder = projects(101, 200);
    for release in ["1.25.5", "1.29.2"] {
        let mut command = Command::new(readers.join("python/bin/python"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("PYTHONUTF8", "1");
        command.env("PYTHONPATH", format!("{r}/compose-{release}:{r}/dotenv-0.21.0", r = readers.display()));
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/readers/compose_v1_projects.py"));
        command.args((0..200).map(|index| folder.path().join(format!("{index:03}/project"))));
        let output = succeed(&mut command);
        let answers: Vec<Option<BTreeMap<String, BTreeMap<String, Value>>>> =
            serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        let plain = |environment: BTreeMap<String, Value>| {
            environment.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()
        };
        let real: Vec<_> = answers
            .into_iter()
            .map(|answer| Some(answer?.into_iter().map(|(service, own)| (service, plain(own))).collect()))
            .collect();
        compare_projects(release, folder.path(), &real);
    }
}

#[test]
fn projects_of_compose_2() {
    let compose = provisioned("readers").join("compose-v2/usr/libexec/docker/cli-plugins/docker-compose");
    let folder = projects(102, 80);
    let real = |index: usize| {
        let mut command = Command::new(&compose);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path());
        command.current_dir(folder.path().join(format!("{index:03}/project"))).args(["config", "--format", "json"]);
        let output = run(&mut command);
        output.status.success().then(|| {
            let document: Value = serde_json::from_slice(&output.stdout).unwrap();
            let value = |value: &Value| value.as_str().map(|text| text.replace("$$", "$"));
            let plain = |service: &Value| -> Environment {
                let all = service["environment"].as_object().into_iter().flatten();
                all.filter_map(|(name, own)| Some((name.clone(), value(own)?))).collect()
            };
            document["services"].as_object().unwrap().iter().map(|(name, own)| (name.clone(), plain(own))).collect()
        })
    };
    let real: Vec<_> = (0..80).map(real).collect();
    compare_projects("2.26.1", folder.path(), &real);
}

#[test]
fn entries_of_the_docker_client() {
    let folder = scratch_in_memory("client");
    let daemon = FakeDaemon::start(&folder.path().join("docker.sock"));
    let address = format!("unix://{}", daemon.socket.display());
    let members = [
        "\"httpProxy\": \"http://d:1\"",
        "\"HTTPPROXY\": \"http://e:1\"",
        "\"httpsProxy\": \"http://f:1\"",
        "\"noProxy\": \"a,b\"",
        "\"noproxy\": \"\"",
        "\"httpProxy\": 5",
        "\"httpsProxy\": null",
        "\"other\": \"x\"",
    ];
    let mut generator = Generator::new(103);
    let mut wrong = Vec::new();
    for index in 0..60 {
        let mut text = String::from("{");
        for _ in 0..1 + generator.below(2) {
            let mut entries = Vec::new();
            for _ in 0..1 + generator.below(3) {
                let key = generator
                    .pick(&["default", "default", "HOST", "tcp://x:1", "Default", "httpProxy"])
                    .replace("HOST", &address);
                let all: Vec<&str> = (0..generator.below(4)).map(|_| generator.pick(&members)).collect();
                let entry = match generator.below(9) {
                    0 => generator.pick(&["5", "null", "\"http://s:1\"", "[]"]).to_owned(),
                    _ => format!("{{{}}}", all.join(", ")),
                };
                entries.push(format!("\"{key}\": {entry}"));
            }
            let name = generator.pick(&["proxies", "proxies", "proxies", "Proxies"]);
            text.push_str(&format!("\"{name}\": {{{}}}, ", entries.join(", ")));
        }
        text.push_str("\"auths\": {}}");
        text.push_str(generator.pick(&["", "", "\n", " x", "}"]));
        if generator.below(12) == 0 {
            text.truncate(text.len() / 2);
        }
        let root = folder.path().join(format!("{index:03}"));
        write(&root, "root/.docker/config.json", &text);
        write(&root, "etc/environment", format!("DOCKER_HOST={address}\n"));
        write(&root, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
        let model = modelled("docker-client", &root).unwrap();
        let model: Environment = model.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        for release in ["docker-20.10", "docker-26.1"] {
            let mut command = Command::new(provisioned("readers").join(release).join("usr/bin/docker"));
            command
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .env("HOME", root.join("root"))
                .env("DOCKER_HOST", &address);
            run(command.args(["create", "image"]));
            let body = daemon.last_body().unwrap_or_default();
            let pairs = body["Env"].as_array().cloned().unwrap_or_default();
            let real: Environment = pairs
                .iter()
                .filter_map(|pair| pair.as_str()?.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            if model != real {
                wrong.push(format!("{release}: {text}\n    really {real:?}, modelled {model:?}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} disagreements\n{}",
        wrong.len(),
        wrong.iter().take(4).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// Names of `daemon.json`, and some that are none.
const OPTIONS: [&str; 24] = [
    "debug",
    "Debug",
    "hosts",
    "host",
    "labels",
    "log-opts",
    "mtu",
    "max-concurrent-downloads",
    "ip",
    "dns",
    "bip",
    "graph",
    "cdi-spec-dirs",
    "oom-score-adjust",
    "features",
    "builder",
    "runtimes",
    "default-shm-size",
    "live-restore",
    "storage-opts",
    "default-address-pools",
    "registry-mirrors",
    "unknown-key",
    "http-proxy",
];

const OF_MEMBERS: [&str; 16] = [
    "true",
    "\"true\"",
    "null",
    "1",
    "-1",
    "1e1",
    "1.5",
    "\"\"",
    "\"x\"",
    "\"10.0.0.1\"",
    "[]",
    "[\"a=b\"]",
    "[1]",
    "{}",
    "{\"a\": \"b\"}",
    "{\"a\": true}",
];

#[test]
fn daemon_json_of_two_engines() {
    let folder = scratch_in_memory("daemon-json");
    let newer = provisioned("readers").join("docker-26.1/usr/sbin/dockerd");
    // An engine that has read its file stops at the next thing that is wrong, before it does anything.
    let engines =
        [("new", newer.as_path(), vec!["--validate"]), ("old", Path::new("dockerd"), vec!["--log-level", "nolevel"])];
    let texts = [
        "{}",
        "",
        " \n",
        "null",
        "[1]",
        "5",
        "{\"mtu\": 9000}",
        "\u{feff}{}",
        "{ broken",
        "{\"proxies\": {}}",
        "{\"proxies\": null}",
        "{\"proxies\": 5}",
        "{\"proxies\": {\"http-proxy\": \"http://h:1\"}}",
        "{\"proxies\": {\"http-proxy\": null}}",
        "{\"proxies\": {\"http-proxy\": 1}}",
        "{\"proxies\": {\"httpProxy\": \"http://h:1\"}}",
        "{\"Proxies\": {\"http-proxy\": \"http://h:1\", \"no-proxy\": \"a\"}}",
        "{\"proxies\": {\"HTTP-Proxy\": \"x\"}}",
        "{\"proxies\": {\"default\": {\"httpProxy\": \"x\"}}}",
        "{\"data-root\": \"/d\"}",
    ];
    let mut texts = texts.map(str::to_owned).to_vec();
    let mut generator = Generator::new(104);
    for _ in 0..160 {
        let mut members = Vec::new();
        for _ in 0..1 + generator.below(2) {
            let name = generator.pick(&OPTIONS);
            let value = generator.pick(&OF_MEMBERS);
            members.push(match generator.below(8) {
                0 => format!("\"x\": {{\"{name}\": {value}}}"),
                _ => format!("\"{name}\": {value}"),
            });
        }
        members.dedup_by(|one, other| one.split(':').next() == other.split(':').next());
        texts.push(format!("{{{}}}", members.join(", ")));
    }
    for (which, program, arguments) in engines {
        let Ok(version) = Command::new(program).arg("--version").output() else {
            skip("daemon_json_of_two_engines", which, &format!("{} is not there", program.display()));
            continue;
        };
        let is_new = !String::from_utf8_lossy(&version.stdout).contains("version 20.");
        assert_eq!(is_new, which == "new", "{version:?}");
        let mut unknown = 0;
        for (index, text) in texts.iter().enumerate() {
            let root = folder.path().join(format!("{index:03}"));
            write(&root, "etc/docker/daemon.json", text);
            write(&root, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
            let mut command = Command::new(program);
            command.args(&arguments).arg("--config-file").arg(root.join("etc/docker/daemon.json"));
            let output = run(&mut command);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let starts = !said.contains("unable to configure the Docker daemon");
            let model = modelled("daemon.json", &root).unwrap();
            match model[which].as_deref() {
                None => unknown += 1,
                Some(told) => assert_eq!(told, starts.to_string(), "{which}: {text:?}: {said}"),
            }
        }
        assert!(unknown < texts.len() / 3, "{which}: {unknown} of {} not judged", texts.len());
    }
}
