//! The first process of the namespaces: runs one program after the other, and tells what each asked for. With it ends all
//! that it has started.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, gethostname, getpid};

use super::hosts::Names;
use super::recorder::Recorder;
use super::{Answer, Hidden, KEPT, Keeps, Order, Question, Reply, SCRIPT, World, cannot, frame};
use crate::net::basic;
use crate::redact;
use crate::settings::ProxyUrl;
use crate::text::first_line;

const HOSTS: &str = "/etc/hosts";

/// Parts of /proc by which a program could change this host.
const KERNEL: [&str; 5] = ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/acpi"];

/// How often it is looked whether a script goes on.
const PAUSE: Duration = Duration::from_millis(5);

/// The variables that are kept of an environment, in lower case.
const NAMES: [&str; 5] = ["http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy"];

/// No more of a program's output is kept.
const LONGEST: u64 = 4 << 20;

/// Serves until its input ends.
pub(super) fn run() -> ExitCode {
    // Who is not the first process of a pid namespace would end all of this host.
    if getpid() != Pid::from_raw(1) || set_pdeathsig(Signal::SIGKILL).is_err() {
        return ExitCode::FAILURE;
    }
    let recorder = Recorder::default();
    if let Err(error) = ready(&recorder) {
        cannot(&format!("the first process of the namespaces: {error}"));
        return ExitCode::FAILURE;
    }
    let answered = |reply: &Reply| frame::write(&mut io::stdout().lock(), reply);
    if answered(&Reply::Ready).is_err() {
        return ExitCode::FAILURE;
    }
    while let Ok(order) = frame::read(&mut io::stdin().lock()) {
        let sent = match order {
            Order::World(world) => match begin(&recorder, &world) {
                Ok(()) => Ok(()),
                Err(error) => answered(&Reply::Cannot(format!("{HOSTS}: {error}"))),
            },
            Order::Ask(question) => match ask(&recorder, &question) {
                Ok(answer) => answered(&Reply::Answer(answer)),
                Err(error) => answered(&Reply::Cannot(format!("{}: {error}", question.argv.join(" ")))),
            },
            Order::Files(_) => Ok(()),
        };
        if sent.is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn ready(recorder: &Recorder) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)?;
    for path in KERNEL.into_iter().filter(|path| Path::new(path).exists()) {
        mount(Some(path), path, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
        let flags = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, path, None::<&str>, flags, None::<&str>)?;
    }
    made(Path::new(KEPT), 0o755)?;
    let step = Path::new(SCRIPT).with_file_name("now");
    recorder.steps(move || fs::read_to_string(&step).unwrap_or_default().trim().to_owned());
    *recorder.names() = Names::of(&String::from_utf8_lossy(&fs::read(HOSTS).unwrap_or_default()));
    // sudo asks for its own host, which a file that has just it leaves to the network.
    let own = gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    name(recorder, ["localhost", &own])
}

fn begin(recorder: &Recorder, world: &World) -> io::Result<()> {
    for url in world.proxies.iter().filter_map(|url| ProxyUrl::parse(url).ok()) {
        if let Some(login) = &url.credentials {
            let password = login.password.as_ref().map_or(&b""[..], |password| password.expose());
            recorder.expect(basic(&login.user, password));
        }
        know(recorder, &url)?;
    }
    world.ports.iter().for_each(|port| recorder.listen(*port));
    name(recorder, world.names.iter().map(String::as_str))
}

/// Makes names resolve.
fn name<'a>(recorder: &Recorder, names: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let lines = recorder.names().wanted(names);
    if lines.is_empty() {
        return Ok(());
    }
    let mut file = fs::OpenOptions::new().create(true).append(true).open(HOSTS)?;
    file.write_all(format!("\n{lines}").as_bytes())
}

/// A proxy that some program is told of.
fn know(recorder: &Recorder, url: &ProxyUrl) -> io::Result<()> {
    recorder.listen(url.asked_port());
    name(recorder, [url.host.to_string().as_str()])
}

fn made(folder: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(mode))
}

fn ask(recorder: &Recorder, question: &Question) -> io::Result<Answer> {
    let script = Path::new(SCRIPT);
    let folder = script.parent().unwrap_or(Path::new("/"));
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => made(folder, 0o1777)?,
    }
    fs::write(script, text(question, folder))?;
    fs::set_permissions(script, Permissions::from_mode(0o755))?;
    recorder.take();
    let answer = answered(recorder, question, folder);
    end_all();
    answer.map(|answer| Answer { asked: recorder.take(), ..answer })
}

/// The script: shows its environment, waits until that was read, then runs each step.
fn text(question: &Question, folder: &Path) -> String {
    let folder = folder.display();
    let mut text = format!(
        "umask 022\nenv -0 >{folder}/env.new && mv {folder}/env.new {folder}/env\n\
         until [ -e {folder}/go ]; do sleep 0.01; done\n"
    );
    for (name, line) in &question.steps {
        text.push_str(&format!("echo {name} >{folder}/now\n( {line} ) </dev/null >/dev/null 2>&1\n"));
    }
    text.push_str(&format!(": >{folder}/done\n"));
    text
}

fn answered(recorder: &Recorder, question: &Question, folder: &Path) -> io::Result<Answer> {
    let Some((program, arguments)) = question.argv.split_first() else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let (said, output) = (Path::new(KEPT).join("said"), Path::new(KEPT).join("output"));
    let keeps_output = question.keeps == Keeps::Output;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(question.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(if question.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(if keeps_output { fs::File::create(&output)?.into() } else { Stdio::null() })
        .stderr(fs::File::create(&said)?)
        .spawn()?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), &question.input) {
        // It may not want it.
        let _ = pipe.write_all(input.as_bytes());
    }
    let end = Instant::now() + Duration::from_millis(question.deadline_ms);
    let mut answer = Answer::default();
    loop {
        if !answer.opened
            && let Ok(bytes) = fs::read(folder.join("env"))
        {
            answer.opened = true;
            answer.environment = environment(recorder, &bytes)?;
            if question.keeps == Keeps::Variables {
                answer.kept = Hidden(variables(&bytes));
            }
            fs::remove_file(folder.join("env"))?;
            fs::write(folder.join("go"), "")?;
        }
        // Asked before the file is looked for: what it made before its end is there by then.
        let code = child.try_wait()?;
        answer.done = answer.opened && folder.join("done").exists();
        if let Some(status) = code {
            answer.code = status.code();
            answer.done |= question.steps.is_empty();
        }
        if answer.done || code.is_some() || Instant::now() >= end {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    answer.said = last_line(&said);
    if keeps_output {
        fs::File::open(&output)?.take(LONGEST).read_to_end(&mut answer.kept.0)?;
    }
    Ok(answer)
}

fn is_kept(name: &str) -> bool {
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// The proxy variables as they are.
fn variables(bytes: &[u8]) -> Vec<u8> {
    let name = |entry: &[u8]| {
        String::from_utf8_lossy(entry.split(|byte| *byte == b'=').next().unwrap_or_default()).into_owned()
    };
    let kept = bytes.split_inclusive(|byte| *byte == 0).filter(|entry| is_kept(&name(entry)));
    kept.flatten().copied().collect()
}

/// Kills all but this process, which is the first one here.
fn end_all() {
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    while !matches!(waitpid(None, Some(WaitPidFlag::empty())), Err(_) | Ok(WaitStatus::StillAlive)) {}
}

/// The proxy variables, masked. Proxies that they name are there from now on.
fn environment(recorder: &Recorder, bytes: &[u8]) -> io::Result<BTreeMap<String, String>> {
    let mut kept = BTreeMap::new();
    for (own, value) in crate::environment::parse(bytes) {
        if !is_kept(&own) {
            continue;
        }
        let shown = if own.eq_ignore_ascii_case("no_proxy") {
            redact::list(&value)
        } else {
            let url = ProxyUrl::parse(&value).or_else(|_| ProxyUrl::parse(&format!("http://{value}")));
            match url {
                Ok(url) => {
                    know(recorder, &url)?;
                    url.masked()
                }
                Err(_) if value.is_empty() => String::new(),
                Err(_) => "(no URL of a proxy)".to_owned(),
            }
        };
        kept.insert(own, shown);
    }
    Ok(kept)
}

fn last_line(path: &Path) -> String {
    let mut text = Vec::new();
    let _ = fs::File::open(path).and_then(|file| file.take(64 << 10).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    redact::redact_line(&first_line(line.as_bytes(), 200))
}
