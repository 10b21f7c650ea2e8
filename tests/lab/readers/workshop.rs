//! What the readers are run with: folders of files, programs that are killed when they do not end, and Docker engines, a real
//! one and one that keeps what it is asked.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{APART, Leash, PATIENCE, leashed, until};

/// A folder with the files as `cases/000`, an empty `seen/` and an empty `empty/`.
pub(super) struct Work {
    pub(super) path: PathBuf,
    _folder: TempDir,
}

impl Work {
    pub(super) fn new(cases: &[Vec<u8>]) -> Self {
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

    pub(super) fn case(&self, index: usize) -> PathBuf {
        self.path.join("cases").join(name_of(index))
    }
}

pub(super) fn name_of(index: usize) -> String {
    format!("{index:03}")
}

/// Something below the lab folder that has to be there.
pub(super) fn provisioned(path: &str) -> PathBuf {
    let path = crate::common::lab().join(path);
    assert!(
        path.exists(),
        "{} is missing: run scripts/lab/provision and scripts/lab/readers as root (scripts/test does)",
        path.display()
    );
    path
}

pub(super) fn succeed(command: &mut Command) -> Output {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs a command without input, and kills it when it does not end.
pub(super) fn run(command: &mut Command) -> Output {
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
pub(super) struct Daemon {
    pub(super) host: String,
    _engine: Leash,
}

impl Daemon {
    pub(super) fn start(folder: &Path) -> Self {
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
pub(super) struct FakeDaemon {
    pub(super) socket: PathBuf,
    bodies: mpsc::Receiver<Value>,
}

impl FakeDaemon {
    pub(super) fn start(socket: &Path) -> Self {
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
    pub(super) fn last_body(&self) -> Option<Value> {
        self.bodies.try_iter().last()
    }
}

pub(super) fn serve(stream: UnixStream, bodies: &mpsc::Sender<Value>) -> Option<()> {
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
