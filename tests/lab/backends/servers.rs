//! Starting and stopping servers, and asking the program about them.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{BOUNDED, Leash, PATH, binary, lab, skip, until};

/// What `scripts/lab/servers` made; `None`, with a line that says so, where it was not run.
pub fn provisioned(test: &str) -> Option<PathBuf> {
    let made = lab().join("servers");
    if made.join("stamp").exists() {
        return Some(made);
    }
    skip("backends", test, &format!("no servers at {}; run scripts/lab/servers as root", made.display()));
    None
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running server; ends with the value.
pub struct Server {
    _leash: Leash,
    pub port: u16,
    pub folder: TempDir,
}

impl Server {
    /// Starts a program that `leashed` gave and waits until its port is open.
    pub fn start(mut command: Command, port: u16, folder: TempDir) -> Self {
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut leash = Leash::start(command.stdout(log.try_clone().unwrap()).stderr(log));
        until(|| {
            let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            if let Some(status) = leash.0.try_wait().unwrap() {
                panic!("{command:?} ended with {status}: {}", log());
            }
            TcpStream::connect(("127.0.0.1", port)).map_err(|error| format!("{error}: {}", log()))
        });
        Self { _leash: leash, port, folder }
    }
}

/// A scratch folder on the lab's disk.
pub fn folder(name: &str) -> TempDir {
    crate::common::scratch(name)
}

pub fn write(path: &Path, text: &str) -> PathBuf {
    fs::write(path, text).unwrap();
    path.to_owned()
}

/// What the program finds, by id.
pub struct Found {
    pub exit: i32,
    pub findings: Vec<Value>,
    pub text: String,
}

/// Asks the program about the back ends, below an empty root and with nothing but these flags.
pub fn check(flags: &[String]) -> Found {
    let root = folder("backends-root");
    fs::create_dir_all(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/os-release"), "ID=ubuntu\nVERSION_ID=\"22.04\"\n").unwrap();
    let out = Command::new(BOUNDED[0])
        .args(&BOUNDED[1..])
        .arg(binary())
        .args(["check", "backends", "--format", "json", "--deployment", "production", "--root"])
        .arg(root.path())
        .args(flags)
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let value: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&out.stderr)));
    let findings = value["findings"].as_array().unwrap().clone();
    Found { exit: out.status.code().unwrap(), findings, text }
}

impl Found {
    #[track_caller]
    pub fn the(&self, id: &str) -> &Value {
        let found = self.findings.iter().find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("no {id} in {}", self.text))
    }

    /// The finding has this status, and these words somewhere.
    #[track_caller]
    pub fn has(&self, id: &str, status: &str, words: &str) -> &Self {
        let finding = self.the(id);
        assert_eq!(finding["status"], status, "{id}: {finding:#}");
        assert!(finding.to_string().contains(words), "{words} in {id}: {finding:#}");
        self
    }

    /// No output holds the secret.
    #[track_caller]
    pub fn hides(&self, secret: &str) -> &Self {
        assert!(!self.text.contains(secret), "{}", self.text);
        self
    }
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
