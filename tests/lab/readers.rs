//! Holds every [`Dialect`] against the program that it predicts: the same generated files go through the prediction
//! and through the real reader, and both must agree on every name for which the prediction is not `Unknown`.
//!
//! The readers come from `scripts/lab/provision` (a Debian 12 root: pam_env 1.5.2, systemd 252) and from
//! `scripts/lab/readers` (docker CLIs, Compose, a Debian 13 root: pam_env 1.7.0). What is missing is a failure.
//! `ICS_SETUP_LAB_SEED` changes the generated files, `ICS_SETUP_LAB_CASES` their number.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{APART, Leash, OWN_GROUP, PATIENCE, leashed, until};
use ics_setup::envfile::{Dialect, PamLimit, Reading, Seen, shell_read_with};
use serde_json::Value;
use tempfile::TempDir;

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

// ---------------------------------------------------------------- the files

/// Pieces of lines in all of the dialects, mostly hostile.
const LINES: [&str; 62] = [
    "A=",
    "B=",
    "C=",
    "\nA=",
    "\nB=",
    "\nC=",
    "\nD=",
    "\nhttp_proxy=",
    "\nexport A=",
    "\nexport\tB=",
    "\nexport C",
    "\nA\n",
    "\nB \n",
    "\n A=",
    "\nA =",
    "\nA= ",
    "\nA-B=",
    "\nA.B=",
    "\n1A=",
    "\n=",
    "\n# A=",
    "\n;",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    " ",
    "  ",
    "\t",
    "x",
    "y z",
    "http://user:p%40ss@proxy.example:3128",
    "localhost,127.0.0.1,::1",
    "#",
    " #",
    "# c",
    "\"",
    "\"",
    "'",
    "'",
    "\"x y\"",
    "'x'",
    "\\",
    "\\\n",
    "\\n",
    "\\\"",
    "\\'",
    "\\$",
    "\\0101",
    "$",
    "$$",
    "$A",
    "${B}",
    "${C:-d}",
    "${",
    "}",
    ":",
    "~",
    "é",
    "`",
    "\u{feff}",
    "\u{a0}",
];

/// The same, but files of these are rarely refused.
const TAME: [&str; 40] = [
    "\nA=",
    "\nB=",
    "\nC=",
    "\nD=",
    "\nhttp_proxy=",
    "\nA=\"",
    "\nB='",
    "\"\n",
    "'\n",
    "\nA\n",
    "\nB\n",
    "\n A=",
    "\n# c\n",
    "\n",
    "\r\n",
    " ",
    "x",
    "y",
    "-",
    "http://user:p%40ss@proxy.example:3128",
    "localhost,127.0.0.1,::1",
    "#",
    " # c",
    "\\n",
    "\\t",
    "\\\\",
    "\\$",
    "\\041",
    "\\0101",
    "\\07",
    "\\0400",
    "$",
    "$$",
    "$A",
    "${B}",
    "p$$ss",
    "{",
    "}",
    "é",
    "!",
];

/// Pieces of shell words.
const WORD: [&str; 36] = [
    "x",
    "y",
    "http://user:p%40ss@proxy.example:3128",
    "localhost,127.0.0.1,::1",
    "'a b'",
    "'$A #'",
    "\"c d\"",
    "\"$A\"",
    "\"${B}x\"",
    "$A",
    "${B}",
    "$C",
    "\\ ",
    "\\$",
    "\\\"",
    "\\\n",
    "\"a\\\"b\\$c\\n\\`\\\\\"",
    "\"a\\\nb\"",
    "'a\nb'",
    "~",
    ":~",
    ":",
    "{a,b}",
    "*",
    "é",
    "\r",
    "#",
    "\"\"",
    "''",
    "=",
    "$",
    "$(printf 'q )')",
    "`printf z`",
    "${A:-d}",
    "$1",
    "!",
];

/// Statements: `N` stands for a name, `W` for a word, `S` for a statement, `P` for one without calls.
const STATEMENTS: [&str; 49] = [
    "N=W",
    "N=W",
    "N=W",
    "export N=W",
    "export N=W",
    "export N=W",
    "export N=W",
    "export N=W",
    "export N=W",
    "export N",
    "export N",
    "export N N=W",
    "export N=W N=W # c ' \"",
    "unset N",
    "unset N N",
    "N=W N=W",
    "N=W true",
    "N=W :",
    "set -a",
    "set +a",
    "set -o allexport",
    "if true; then S; fi",
    "if false\nthen S\nelse S\nfi",
    "{ S; S; }",
    "(S)",
    "S && S",
    "S && S && S",
    "S || S",
    "S | S",
    "! S",
    "f() { P; }",
    "f() { if true; then P; fi; P; }\nf",
    "f W",
    "for N in W; do S; done",
    "while false; do S; done",
    "case W in x|'a b') S ;; (*) S ;; esac",
    "readonly N=W",
    ": W",
    "# comment ' \"",
    "cat >/dev/null <<E\nexport N=W\nE",
    "[ -n W ] && S",
    "true && S",
    "S >/dev/null 2>&1",
    "export -- N=W",
    ". /dev/null",
    "eval :",
    "N=W; export N",
    "N=W && export N",
    "return",
];

/// How many of them are without statements inside.
const PLAIN: usize = 17;

/// Whole shell files, as people write them.
const SHELL_FILES: [&str; 16] = [
    "export http_proxy=\"http://proxy:3128\"\nexport https_proxy=$http_proxy\nexport no_proxy='localhost,127.0.0.1'\n",
    "PROXY=http://proxy:3128\nhttp_proxy=$PROXY; https_proxy=$PROXY\nexport http_proxy https_proxy\n",
    "# c\nif [ -z \"$http_proxy\" ]; then\n  export http_proxy=x\nfi\nexport B=1\n",
    "case \"$A\" in\n  x|y) B=1 ;;\n  (*) C=1 ;;\nesac\nexport A=1 B C\n",
    "for A in x y; do\n  export B=$A\ndone\nexport D=z\n",
    "f() {\n  local A\n  export A=1\n}\nf x\nexport B=2\n",
    "cat >/dev/null <<EOF\nexport A=1\n'\nEOF\nexport B=1\n",
    "cat >/dev/null <<-'EOF'\n\texport A=$(x\n\tEOF\nexport B=1\n",
    "export A=$(printf 'x )' # it's )\n)\nexport B=`printf '%s' \"y\"`\nexport C=z\n",
    "export A=\"${B:-\"x}\"}\"\nexport C=1\n",
    "[ -f /nonexistent ] && . /nonexistent\nexport A=1\n",
    "export A=1\n[ -n \"$NOTHING\" ] || return 0\nexport B=1\n",
    "export A=1\nreturn\nexport A=2\n",
    "export A=1; exit 0\n",
    "while false; do export A=1; done\nuntil true; do unset B; done\nexport C=1\n",
    "A=1 B=2 true\nA=3 : \nexport C=\"a\\\nb\" D='a\\\nb'\n",
];

/// A seeded generator (splitmix64).
pub struct Generator(u64);

impl Generator {
    pub fn new(seed: u64) -> Self {
        let base =
            std::env::var("ICS_SETUP_LAB_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_121_u64);
        Generator(base.wrapping_mul(1000).wrapping_add(seed))
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn factor() -> usize {
        std::env::var("ICS_SETUP_LAB_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
    }

    /// Statements that a shell takes, mostly: some files have a byte too many or too few. Only so many of the
    /// statements and words are used: the harmless come first.
    fn shell_files(&mut self, count: usize, statements: usize, words: usize) -> Vec<Vec<u8>> {
        let (statements, words) = (&STATEMENTS[..statements], &WORD[..words]);
        (0..count * Self::factor())
            .map(|_| {
                let mut file = String::new();
                for _ in 0..1 + self.below(8) {
                    self.statement(statements, words, 0, &mut file);
                    file.push_str(
                        self.pick(&["\n", "\n", "\n", "\n", "\n", "\n", "\n", "\n", "; ", ";", " # c\n", "\r\n"]),
                    );
                }
                let mut file = file.into_bytes();
                let at = self.below(file.len());
                match self.below(16) {
                    0 => _ = file.remove(at),
                    1 => file.insert(at, b"'\"\\$`{}();&|<>#\xff\n"[self.below(17)]),
                    _ => {}
                }
                file
            })
            .collect()
    }

    fn statement(&mut self, statements: &[&str], words: &[&str], depth: usize, file: &mut String) {
        for c in self.pick(statements).chars() {
            match c {
                'N' => file.push_str(self.pick(&["A", "B", "C", "D", "http_proxy"])),
                'W' => (0..self.below(4)).for_each(|_| file.push_str(self.pick(words))),
                'P' => self.statement(&STATEMENTS[..PLAIN], words, 3, file),
                'S' if depth < 3 => self.statement(statements, words, depth + 1, file),
                'S' => file.push_str("export A=deep"),
                c => file.push(c),
            }
        }
    }

    /// Files of such pieces: one line mostly, or several.
    fn files(&mut self, pieces: &[&str], count: usize) -> Vec<Vec<u8>> {
        (0..count * Self::factor())
            .map(|_| {
                let length = 1 + self.below(12);
                let mut file = String::from(if self.below(3) == 0 { "" } else { "A=" });
                for _ in 0..length {
                    file.push_str(pieces[self.below(pieces.len())]);
                }
                if self.below(4) != 0 {
                    file.push('\n');
                }
                let mut file = file.into_bytes();
                if self.below(20) == 0 {
                    let at = self.below(file.len() + 1);
                    file.insert(at, 0xff);
                }
                file
            })
            .collect()
    }
}

// ---------------------------------------------------------------- the workshop

/// A folder with the files as `cases/000`, an empty `seen/` and an empty `empty/`.
struct Work {
    path: PathBuf,
    _folder: TempDir,
}

impl Work {
    fn new(cases: &[Vec<u8>]) -> Self {
        let folder = crate::common::scratch_for_all("readers");
        let path = folder.path().to_owned();
        for folder in ["cases", "seen", "empty"] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        for (index, case) in cases.iter().enumerate() {
            fs::write(path.join("cases").join(name_of(index)), case).unwrap();
        }
        Work { path, _folder: folder }
    }

    fn case(&self, index: usize) -> PathBuf {
        self.path.join("cases").join(name_of(index))
    }
}

fn name_of(index: usize) -> String {
    format!("{index:03}")
}

/// Something below the lab folder that has to be there.
fn provisioned(path: &str) -> PathBuf {
    let path = crate::common::lab().join(path);
    assert!(
        path.exists(),
        "{} is missing: run scripts/lab/provision and scripts/lab/readers as root (scripts/test does)",
        path.display()
    );
    path
}

fn succeed(command: &mut Command) -> Output {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs a command without input, and kills it when it does not end.
fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/test installs it"));
    let collect = |mut stream: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).map(|_| bytes)
        })
    };
    let stdout = collect(Box::new(child.stdout.take().unwrap()));
    let stderr = collect(Box::new(child.stderr.take().unwrap()));
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > PATIENCE {
            _ = child.kill();
            panic!("{command:?} does not end");
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    Output { status, stdout: stdout.join().unwrap().unwrap(), stderr: stderr.join().unwrap().unwrap() }
}

/// A Docker engine of its own, with an image `lab:1` that has nothing but `env`.
struct Daemon {
    host: String,
    _engine: Leash,
}

impl Daemon {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("dockerd.sock");
        let host = format!("unix://{}", socket.display());
        let mut engine = leashed(&[], APART[0]);
        engine.args(&APART[1..]).args(crate::common::engine(folder, &socket)).stdout(Stdio::null());
        let engine = Leash::start(engine.stderr(fs::File::create(folder.join("dockerd.log")).unwrap()));
        let docker = provisioned("readers").join("docker-20.10/usr/bin/docker");
        until(|| {
            match Command::new(&docker).arg("version").env("DOCKER_HOST", &host).output().unwrap().status.success() {
                true => Ok(()),
                false => Err(fs::read_to_string(folder.join("dockerd.log")).unwrap()),
            }
        });
        let root = provisioned("root");
        let image = format!(
            "mkdir -p image/usr/bin image/lib64 image/lib/x86_64-linux-gnu && cp '{root}/usr/bin/env' image/usr/bin/ &&
             cp -L '{root}/lib64/ld-linux-x86-64.so.2' image/lib64/ &&
             cp -L '{root}/lib/x86_64-linux-gnu/libc.so.6' image/lib/x86_64-linux-gnu/ &&
             tar -C image -c . | '{docker}' import - lab:1",
            docker = docker.display(),
            root = root.display()
        );
        succeed(Command::new("sh").args(["-c", &image]).current_dir(folder).env("DOCKER_HOST", &host));
        Daemon { host, _engine: engine }
    }
}

/// The part of the Docker daemon that `docker create` talks to; it keeps what it is asked to create.
struct FakeDaemon {
    socket: PathBuf,
    bodies: mpsc::Receiver<Value>,
}

impl FakeDaemon {
    fn start(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let (sender, bodies) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || serve(stream, &sender));
            }
        });
        FakeDaemon { socket: socket.to_owned(), bodies }
    }

    /// The body of the request since the last call, if there was one.
    fn last_body(&self) -> Option<Value> {
        self.bodies.try_iter().last()
    }
}

fn serve(stream: UnixStream, bodies: &mpsc::Sender<Value>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request).ok()? == 0 {
            return None;
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let answer = if request.contains("/containers/create") {
            bodies.send(serde_json::from_slice(&body).ok()?).ok()?;
            r#"{"Id":"0123456789abcdef","Warnings":[]}"#
        } else if request.contains("/_ping") {
            "OK"
        } else {
            "{}"
        };
        let answer = if request.starts_with("HEAD") { "" } else { answer };
        let status = if request.contains("/containers/create") { "201 Created" } else { "200 OK" };
        write!(
            writer,
            "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nOsType: linux\r\nServer: Docker/20.10.24 (linux)\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        )
        .ok()?;
    }
}
