//! Holds every [`Dialect`] against the program that it predicts: the same generated files go through the prediction
//! and through the real reader, and both must agree on every name for which the prediction is not `Unknown`.
//!
//! The readers come from `scripts/lab/provision` (a Debian 12 root: pam_env 1.5.2, systemd 252) and from
//! `scripts/lab/readers` (docker CLIs, Compose, a Debian 13 root: pam_env 1.7.0). What is missing is a failure.
//! `ICS_SETUP_LAB_SEED` changes the generated files, `ICS_SETUP_LAB_CASES` their number.

mod docker;
pub(crate) mod files;
mod workshop;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::Command;

use crate::common::{OWN_GROUP, leashed};
use files::{Generator, LINES, PLAIN, SHELL_FILES, STATEMENTS, TAME, WORD};
use ics_setup::envfile::{Dialect, PamLimit, Reading, Seen, shell_read_with};
use serde_json::Value;
use workshop::{Daemon, FakeDaemon, Work, name_of, provisioned, run, succeed};

type Environment = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a real reader got: nothing where it refused the file.
type Real = Option<Environment>;

// ---------------------------------------------------------------- the readers

#[test]
fn login_through_pam_1_5() {
    login("root", Dialect::PamEnv(PamLimit::Drop(8191)), 1);
}

#[test]
fn login_through_pam_1_7() {
    login("readers/root13", Dialect::PamEnv(PamLimit::None), 2);
}

fn login(root: &str, dialect: Dialect, seed: u64) {
    let root = provisioned(root);
    let mut cases = Generator::new(seed).files(&LINES, 120);
    for length in [1000, 1023, 1024, 1025, 8188, 8189, 8190, 8191, 8192, 8193, 20_000] {
        for tail in ["\nB=1\n", "", "\\\n", "B=1\n", "\\\nC=1\nB=1\n"] {
            cases.push(format!("C=0\nA={}{tail}", "x".repeat(length - 2)).into_bytes());
        }
    }
    let work = Work::new(&cases);
    // The stock `su` and its PAM stack, on a throw-away layer over the root.
    let script = format!(
        "set -e
         mount -t tmpfs tmpfs '{work}/layer'
         mkdir '{work}/layer/upper' '{work}/layer/work' '{work}/layer/root'
         mount -t overlay overlay -o lowerdir='{root}',upperdir='{work}/layer/upper',workdir='{work}/layer/work' '{work}/layer/root'
         cd '{work}/layer/root'
         mount --rbind /dev dev
         mkdir -p cases seen
         mount --bind '{work}/cases' cases
         mount --bind '{work}/seen' seen
         cp '{work}/login' login
         exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /bin/sh /login",
        work = work.path.display(),
        root = root.display(),
    );
    fs::create_dir(work.path.join("layer")).unwrap();
    fs::write(
        work.path.join("login"),
        "cd /cases; for case in *; do cp \"$case\" /etc/environment; su -s /bin/bash - nobody -c '/usr/bin/env -0' >/seen/$case </dev/null; done",
    )
    .unwrap();
    succeed(leashed(&[], "sh").args(["-c", &script]));
    let baseline =
        ["HOME", "SHELL", "USER", "LOGNAME", "PATH", "TERM", "MAIL", "PWD", "SHLVL", "_", "LANG", "HUSHLOGIN"];
    let real = |index| Some(parse_environment(&fs::read(work.path.join("seen").join(name_of(index))).unwrap()));
    compare(dialect.name(), &cases, |case| dialect.read(case), real, &baseline);
}

#[test]
fn shells() {
    let mut generator = Generator::new(3);
    let mut cases = generator.shell_files(200, PLAIN, 20);
    cases.extend(generator.shell_files(250, STATEMENTS.len(), WORD.len()));
    cases.extend(generator.files(&LINES, 30));
    cases.extend(SHELL_FILES.iter().map(|text| text.as_bytes().to_vec()));
    let work = Work::new(&cases);
    let exported: [&[u8]; 2] = [b"D", b"http_proxy"];
    // dash and bash, and bash as the `sh` that it is on CentOS.
    for (shell, name) in [("dash", "dash"), ("bash", "bash"), ("bash", "sh")] {
        for already in [&exported[..0], &exported[..]] {
            let mut baseline = vec!["PATH", "PWD", "OLDPWD", "SHLVL", "_", "FUNCNEST"];
            if !already.is_empty() {
                // Not mentioned by the file, so not in its reading either.
                baseline.extend(["D", "http_proxy"]);
            }
            let real = |index: usize| {
                let mut command = Command::new(shell);
                std::os::unix::process::CommandExt::arg0(&mut command, name);
                command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(work.path.join("empty"));
                // A function that calls itself comes to an end sooner.
                command.env("FUNCNEST", "20");
                for name in already {
                    command.env(OsString::from_vec(name.to_vec()), "before");
                }
                command.args(["-c", ". \"$1\" >&2; exec /usr/bin/env -0", name]).arg(work.case(index));
                let output = run(&mut command);
                // bash goes on where dash gives up; the prediction is the stricter one.
                let refused = shell == "bash" && shell_read_with(&cases[index], already).is_fatal();
                // Nothing at all: the file has ended the shell.
                let ended = !output.status.success() || output.stdout.is_empty();
                (!ended && !refused).then(|| parse_environment(&output.stdout))
            };
            compare(name, &cases, |case| shell_read_with(case, already), real, &baseline);
        }
    }
}

#[test]
fn docker_create() {
    let mut cases = Generator::new(4).files(&LINES, 60);
    cases.extend(Generator::new(5).files(&TAME, 40));
    for length in [65_534, 65_535, 65_536, 65_537] {
        for tail in ["\nB=1\n", "", "\r\n"] {
            cases.push(format!("A={}{tail}", "x".repeat(length - 2)).into_bytes());
        }
    }
    let work = Work::new(&cases);
    let daemon = FakeDaemon::start(&work.path.join("docker.sock"));
    for release in ["docker-20.10", "docker-26.1"] {
        let docker = provisioned("readers").join(release).join("usr/bin/docker");
        let real = |index: usize| {
            let mut command = Command::new(&docker);
            command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", work.path.join("empty"));
            command.env("DOCKER_HOST", format!("unix://{}", daemon.socket.display()));
            command.args(["create", "--env-file"]).arg(work.case(index)).arg("image");
            let output = run(&mut command);
            let body = daemon.last_body();
            assert_eq!(output.status.success(), body.is_some(), "{}", String::from_utf8_lossy(&output.stderr));
            body.map(|body| {
                let list = body["Env"].as_array().cloned().unwrap_or_default();
                // A name without `=` asks the daemon to leave it out.
                list.iter().filter_map(|entry| split(entry.as_str().unwrap().as_bytes())).collect()
            })
        };
        compare(release, &cases, |case| Dialect::DockerEnvFile.read(case), real, &[]);
    }
}

/// The whole way: a real daemon, and what the process in the container finds in its environment.
#[test]
fn containers() {
    let mut cases = Generator::new(14).files(&TAME, 12);
    // A variable without a name is refused by the daemon only; the last line of the third file is one to v2.
    let chosen = ["A=1\nA=2\nB= x \nC\n", "A=1\n=x\n", "B=1\nA", "A=\"x\" # c\nB='$A'\nC=p$$ss\n", "A=1\nA\n"];
    cases.extend(chosen.map(|text| text.as_bytes().to_vec()));
    let work = Work::new(&cases);
    let daemon = Daemon::start(&work.path);
    let docker = provisioned("readers").join("docker-20.10/usr/bin/docker");
    let compose = provisioned("readers").join("compose-v2/usr/libexec/docker/cli-plugins/docker-compose");
    let baseline = ["PATH", "HOME", "HOSTNAME"];
    let seen = |command: &mut Command| {
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", work.path.join("empty"))
            .env("DOCKER_HOST", &daemon.host);
        let output = run(command);
        output.status.success().then(|| parse_environment(&output.stdout))
    };
    let by_docker = |index: usize| {
        let mut command = Command::new(&docker);
        command.args(["run", "--rm", "--network", "none", "--env-file"]).arg(work.case(index));
        seen(command.args(["lab:1", "/usr/bin/env", "-0"]))
    };
    compare("docker run", &cases, |case| Dialect::DockerEnvFile.read(case), by_docker, &baseline);
    let by_compose = |index: usize| {
        let service = serde_json::json!({"image": "lab:1", "network_mode": "none", "env_file": [work.case(index)]});
        let project = work.path.join("compose.json");
        fs::write(&project, serde_json::json!({"name": "lab", "services": {"s": service}}).to_string()).unwrap();
        let mut command = Command::new(&compose);
        command.arg("-f").arg(&project);
        seen(command.args(["run", "--rm", "--no-TTY", "s", "/usr/bin/env", "-0"]))
    };
    compare("docker compose run", &cases, |case| Dialect::ComposeV2.read(case), by_compose, &baseline);
}

#[test]
fn docker_compose_1() {
    let mut cases = Generator::new(6).files(&LINES, 400);
    cases.extend(Generator::new(7).files(&TAME, 200));
    let work = Work::new(&cases);
    let readers = provisioned("readers");
    for (dialect, compose, dotenv) in [
        (Dialect::ComposeV1Plain, "compose-1.25.5", "dotenv-0.13.0"),
        (Dialect::ComposeV1Dotenv, "compose-1.29.2", "dotenv-0.13.0"),
        (Dialect::ComposeV1Dotenv, "compose-1.29.2", "dotenv-0.21.0"),
    ] {
        let mut command = Command::new(readers.join("python/bin/python"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("PYTHONUTF8", "1");
        command.env("PYTHONPATH", format!("{r}/{compose}:{r}/{dotenv}", r = readers.display()));
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/readers/compose_v1.py"));
        command.args((0..cases.len()).map(|index| work.case(index)));
        let output = succeed(&mut command);
        let answers: Vec<Option<BTreeMap<String, Option<String>>>> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answers.len(), cases.len());
        let real = |index: usize| {
            let answer = answers[index].clone()?;
            let set = answer.into_iter().filter_map(|(name, value)| Some((name.into_bytes(), value?.into_bytes())));
            accepted_by_the_daemon(set.collect())
        };
        compare(&format!("{compose} with {dotenv}"), &cases, |case| dialect.read(case), real, &[]);
    }
}

/// The command as a whole, which also shows that the two functions called above are the ones it uses.
#[test]
fn docker_compose_1_config() {
    let cases = [b"A=x\nB=\"y z\"\nC=p$ss#w\n".to_vec()];
    let work = Work::new(&cases);
    let readers = provisioned("readers");
    for (dialect, compose) in
        [(Dialect::ComposeV1Plain, "compose-1.25.5"), (Dialect::ComposeV1Dotenv, "compose-1.29.2")]
    {
        let project = work.path.join("docker-compose.yml");
        fs::write(&project, "version: '2'\nservices:\n  s:\n    image: i\n    env_file: cases/000\n").unwrap();
        let mut command = Command::new(readers.join("python/bin/python"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("PYTHONUTF8", "1");
        command.env("PYTHONPATH", format!("{r}/{compose}:{r}/dotenv-0.21.0", r = readers.display()));
        command.args(["-c", "from compose.cli.main import main; main()", "-f"]).arg(&project).arg("config");
        let output = succeed(&mut command);
        let text = String::from_utf8(output.stdout).unwrap();
        let reading = dialect.read(&cases[0]);
        for name in ["A", "B", "C"] {
            let Some(Seen::Value(value)) = reading.get(name.as_bytes()) else { panic!("{name}: {reading:?}") };
            let value = String::from_utf8(value.clone()).unwrap().replace('$', "$$");
            let shown = [format!("{name}: {value}\n"), format!("{name}: '{value}'\n")];
            assert!(shown.iter().any(|line| text.contains(line.as_str())), "{shown:?} not in {text}");
        }
    }
}

#[test]
fn docker_compose_2() {
    let mut cases = Generator::new(8).files(&LINES, 100);
    cases.extend(Generator::new(9).files(&TAME, 250));
    let work = Work::new(&cases);
    let compose = provisioned("readers").join("compose-v2/usr/libexec/docker/cli-plugins/docker-compose");
    let config = |indexes: &[usize]| -> Option<Value> {
        let project = work.path.join("compose.json");
        let services: serde_json::Map<String, Value> = indexes
            .iter()
            .map(|&index| {
                let service = serde_json::json!({"image": "i", "env_file": [work.case(index)]});
                (format!("s{}", name_of(index)), service)
            })
            .collect();
        fs::write(&project, serde_json::json!({"name": "lab", "services": services}).to_string()).unwrap();
        let mut command = Command::new(&compose);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", work.path.join("empty"));
        command.arg("-f").arg(&project).args(["config", "--format", "json"]);
        let output = run(&mut command);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    };
    // Files that should pass go through in batches, halved until the odd one is found.
    let mut answers: BTreeMap<usize, Real> = BTreeMap::new();
    let mut batches: Vec<Vec<usize>> = vec![];
    let (refused, taken): (Vec<usize>, Vec<usize>) =
        (0..cases.len()).partition(|&index| Dialect::ComposeV2.read(&cases[index]).is_fatal());
    batches.extend(refused.into_iter().map(|index| vec![index]));
    batches.extend(taken.chunks(50).map(<[usize]>::to_vec));
    while let Some(batch) = batches.pop() {
        match config(&batch) {
            Some(project) => {
                for &index in &batch {
                    let service = &project["services"][format!("s{}", name_of(index))];
                    let variables = service["environment"].as_object().cloned().unwrap_or_default();
                    // Shown with every dollar doubled.
                    let text = |text: &str| text.replace("$$", "$").into_bytes();
                    let set = variables.iter().filter_map(|(name, value)| Some((text(name), text(value.as_str()?))));
                    answers.insert(index, accepted_by_the_daemon(set.collect()));
                }
            }
            None if batch.len() == 1 => _ = answers.insert(batch[0], None),
            None => batches.extend(batch.chunks(batch.len().div_ceil(2)).map(<[usize]>::to_vec)),
        }
    }
    compare("compose v2", &cases, |case| Dialect::ComposeV2.read(case), |index| answers[&index].clone(), &[]);
}

/// A machine boots, starts one unit for each file, and powers off.
#[test]
fn systemd_environment_file() {
    let root = provisioned("root");
    let mut cases = Generator::new(10).files(&LINES, 150);
    cases.extend(Generator::new(11).files(&TAME, 50));
    let work = Work::new(&cases);
    let units = work.path.join("units");
    fs::create_dir(&units).unwrap();
    fs::write(
        units.join("case@.service"),
        "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nEnvironmentFile=/lab/cases/%i\n\
         ExecStart=/usr/bin/env -0\nStandardOutput=file:/lab/seen/%i\nStandardError=null\n",
    )
    .unwrap();
    let all: Vec<String> = (0..cases.len()).map(|index| format!("case@{}.service", name_of(index))).collect();
    let all = all.join(" ");
    fs::write(
        units.join("lab.service"),
        format!(
            "[Unit]\nDefaultDependencies=no\nWants={all}\nAfter={all}\nSuccessAction=poweroff-force\n\
             FailureAction=poweroff-force\n[Service]\nType=oneshot\nExecStart=/bin/true\n"
        ),
    )
    .unwrap();
    let mut boot = leashed(&[], OWN_GROUP[0]);
    boot.args(&OWN_GROUP[1..]).arg(format!("{}-boot", crate::common::name()));
    boot.args(["systemd-nspawn", "--quiet", "-D"]).arg(&root).args([
        "--volatile=overlay",
        "--private-network",
        "--register=no",
        "--keep-unit",
    ]);
    boot.args(["--console=pipe", &format!("--machine=readers-{}", std::process::id())]);
    boot.arg(format!("--bind={}:/lab", work.path.display()));
    for unit in ["case@.service", "lab.service"] {
        boot.arg(format!("--bind-ro={}:/etc/systemd/system/{unit}", units.join(unit).display()));
    }
    boot.args(["-b", "--", "--unit=lab.service"]);
    run(&mut boot);
    let baseline =
        ["PATH", "LANG", "INVOCATION_ID", "SYSTEMD_EXEC_PID", "JOURNAL_STREAM", "container", "container_uuid"];
    let real =
        |index| fs::read(work.path.join("seen").join(name_of(index))).ok().map(|bytes| parse_environment(&bytes));
    assert!((0..cases.len()).any(|index| real(index).is_some()), "no unit has run: has the machine booted?");
    compare("systemd", &cases, |case| Dialect::SystemdEnvironmentFile.read(case), real, &baseline);
}

#[test]
fn systemd_environment_d() {
    let root = provisioned("root");
    let generator = "usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator";
    assert!(root.join(generator).exists(), "the lab root has no {generator}");
    let mut cases = Generator::new(12).files(&LINES, 100);
    cases.extend(Generator::new(13).files(&TAME, 50));
    let work = Work::new(&cases);
    let real = |index: usize| {
        let folder = work.path.join(format!("config-{index}/environment.d"));
        fs::create_dir_all(&folder).unwrap();
        fs::copy(work.case(index), folder.join("50-case.conf")).unwrap();
        let script = format!(
            "mount --bind '{work}' '{root}/mnt' && exec chroot '{root}' /usr/bin/env -i XDG_CONFIG_HOME=/mnt/config-{index} HOME=/ /{generator}",
            work = work.path.display(),
            root = root.display(),
        );
        let printed = run(leashed(&[], "sh").args(["-c", &script]));
        // It prints assignments in shell quotes; unquoting is not what is tested here, so a shell does it.
        let shell_file = work.path.join("printed");
        fs::write(&shell_file, printed.stdout).unwrap();
        let mut shell = Command::new("dash");
        shell.env_clear().args(["-c", "set -a; . \"$1\"; exec /usr/bin/env -0", "dash"]).arg(&shell_file);
        Some(parse_environment(&succeed(&mut shell).stdout))
    };
    compare("environment.d", &cases, |case| Dialect::EnvironmentD.read(case), real, &["PWD"]);
}

// ---------------------------------------------------------------- the comparison

/// Compares name by name; the first few disagreements are told, with the file.
fn compare(
    reader: &str,
    cases: &[Vec<u8>],
    predict: impl Fn(&[u8]) -> Reading,
    real: impl Fn(usize) -> Real,
    baseline: &[&str],
) {
    let mut disagreements = Vec::new();
    let (mut compared, mut unknown, mut refused) = (0, 0, 0);
    for (index, case) in cases.iter().enumerate() {
        let reading = predict(case);
        let real = real(index);
        // The prediction says itself that the file may be refused.
        let doubtful = reading.complaints.iter().any(|complaint| {
            ["cannot tell", "may refuse", "depends on", "does not look into"]
                .iter()
                .any(|words| complaint.message.contains(words))
        });
        let mut disagree = |what: String| {
            disagreements.push(format!("{:?}\n    {what}", String::from_utf8_lossy(case)));
        };
        let Some(environment) = real else {
            refused += 1;
            if !reading.is_fatal() && !doubtful {
                disagree(format!("refused, but predicted {reading:?}"));
            }
            continue;
        };
        if reading.is_fatal() {
            disagree(format!("taken as {}, but predicted {:?}", show(&environment), reading.complaints));
            continue;
        }
        let mut names: BTreeSet<&[u8]> = environment.keys().map(Vec::as_slice).collect();
        // bash exports functions too, as BASH_FUNC_name%%.
        names.retain(|name| !name.ends_with(b"%%") && !baseline.iter().any(|known| known.as_bytes() == *name));
        names.extend(reading.variables.iter().map(|(name, _)| name.as_slice()));
        for name in names {
            let got = environment.get(name);
            let agrees = match reading.get(name) {
                Some(Seen::Unknown) => {
                    unknown += 1;
                    continue;
                }
                Some(Seen::Value(value)) => got == Some(value),
                None if doubtful => continue,
                // Nothing of the kind is in the callers' environment here.
                Some(Seen::Inherited) | None => got.is_none(),
            };
            compared += 1;
            if !agrees {
                let name_shown = String::from_utf8_lossy(name);
                let got = got.map(|value| String::from_utf8_lossy(value).into_owned());
                disagree(format!("{name_shown}: really {got:?}, predicted {:?}", reading.get(name)));
            }
        }
    }
    println!("{reader}: {} files, {refused} refused, {compared} variables compared, {unknown} unknown", cases.len());
    let told: Vec<&str> = disagreements.iter().map(String::as_str).take(12).collect();
    assert!(told.is_empty(), "{reader}: {} disagreements\n{}", disagreements.len(), told.join("\n"));
    assert!(compared > cases.len() / 4, "{reader}: only {compared} variables were compared: the files test nothing");
}

fn show(environment: &Environment) -> String {
    let pairs = environment
        .iter()
        .map(|(name, value)| format!("{}={:?}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
    pairs.collect::<Vec<_>>().join(" ")
}

fn parse_environment(bytes: &[u8]) -> Environment {
    bytes.split(|byte| *byte == 0).filter_map(split).collect()
}

fn split(assignment: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let equals = assignment.iter().position(|byte| *byte == b'=')?;
    Some((assignment[..equals].to_vec(), assignment[equals + 1..].to_vec()))
}

/// Compose hands on a variable without a name, and the daemon refuses it (`opts.ValidateEnv`).
fn accepted_by_the_daemon(environment: Environment) -> Real {
    (!environment.contains_key(b"".as_slice())).then_some(environment)
}
