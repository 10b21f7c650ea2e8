//! A throw-away root and the binary that works on it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::clock::without_clock;

pub const PROD_ENV: &str = "\
# Uncomment and adjust if behind a proxy.
#http_proxy=http://proxy.acmecorp.com
#https_proxy=http://proxy.acmecorp.com
#no_proxy=mysql,redis,169.254.169.254
DIVVY_DB_HOST=mysql
DIVVY_DB_PASSWORD=divvy
DIVVY_SECRET_DB_HOST=mysql
DIVVY_REDIS_HOST=redis
";

/// What the last run was told.
pub const STATE_FILE: &str = "var/lib/ics-setup/state.json";

pub struct Root {
    folder: TempDir,
}

pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }
}

/// Runs the binary, that of a release where one is named, without any variable or terminal of ours.
pub fn run(arguments: &[&str], variables: &[(&str, &str)], stdin: &str) -> Ran {
    let named = std::env::var_os("ICS_SETUP_TEST_BINARY");
    let mut child = Command::new(named.as_deref().unwrap_or(env!("CARGO_BIN_EXE_ics-setup").as_ref()))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The binary may end without reading.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), stdout: text(stdout), stderr: without_clock(&text(stderr)) }
}

impl Root {
    pub fn ubuntu() -> Self {
        let root = Self { folder: tempfile::tempdir().unwrap() };
        root.put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"22.04\"\nPRETTY_NAME=\"Ubuntu 22.04 LTS\"\n");
        root.put("etc/environment", "PATH=\"/usr/bin:/bin\"\n");
        root.put("divvycloud/prod.env", PROD_ENV);
        root
    }

    pub fn centos() -> Self {
        let root = Self { folder: tempfile::tempdir().unwrap() };
        root.put("etc/os-release", "ID=\"centos\"\nVERSION_ID=\"7\"\nNAME=\"CentOS Linux\"\n");
        root.put("divvycloud/prod.env", PROD_ENV);
        root
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    /// A program that does nothing.
    pub fn program(&self, path: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.put(path, "#!/bin/sh\n");
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn get(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    /// `ics-setup VERB --root ROOT …`
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[], "")
    }

    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)], stdin: &str) -> Ran {
        let root = self.path().to_str().unwrap().to_owned();
        let mut all = arguments.to_vec();
        all.extend(["--root", &root]);
        run(&all, variables, stdin)
    }

    /// As [`Root::run`], by a user without rights; `None`: we are not root, who alone can become another.
    pub fn run_by_nobody(&self, test: &str, arguments: &[&str]) -> Option<Ran> {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::process::CommandExt;
        if !nix::unistd::geteuid().is_root() {
            println!("skip {test}: not root");
            return None;
        }
        fs::set_permissions(self.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // The binary may stand where this user cannot come. Copied by a program of its own: a file that this process had open
        // for writing could still be open in a child of another test, and could then not be started.
        let binary = self.at("ics-setup");
        assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_ics-setup")).arg(&binary).status().unwrap().success());
        let mut command = Command::new(&binary);
        command.args(arguments).arg("--root").arg(self.path()).env_clear().uid(65534).gid(65534);
        let Output { status, stdout, stderr } = command.output().unwrap();
        fs::remove_file(&binary).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Some(Ran { code: status.code().unwrap(), stdout: text(stdout), stderr: without_clock(&text(stderr)) })
    }

    /// As [`Root::run`] with `--format json`; the exit code and the result.
    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let mut all = arguments.to_vec();
        all.extend(["--format", "json"]);
        let ran = self.run(&all);
        (ran.code, ran.json())
    }

    /// Runs as they would be after years: copies of the first with names and numbers of their own.
    pub fn years(&self, count: u64) {
        let folder = self.at("var/lib/ics-setup/runs");
        let first = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
        let journal = self.get(&format!("var/lib/ics-setup/runs/{first}/journal"));
        fs::remove_dir_all(folder.join(&first)).unwrap();
        for number in 1..=count {
            let run = format!("20240101T{:02}{:02}{:02}Z-{number:04x}", number / 3600, number / 60 % 60, number % 60);
            fs::create_dir_all(folder.join(&run).join("backup")).unwrap();
            let own = journal.replace(&first, &run).replace("\"seq\":1,", &format!("\"seq\":{number},"));
            fs::write(folder.join(&run).join("journal"), own).unwrap();
        }
    }

    /// Every file with its content, mode, owner and time of change, our own state left out.
    pub fn picture(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32, i64, i64)> {
        let mut picture = BTreeMap::new();
        let mut folders = vec![self.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.path()).unwrap().to_path_buf();
                if name == Path::new("var") {
                    continue;
                }
                let meta = path.symlink_metadata().unwrap();
                if meta.is_dir() {
                    picture.insert(name, (Vec::new(), meta.mode(), 0, 0));
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap_or_default();
                    picture.insert(name, (bytes, meta.mode(), meta.mtime(), meta.mtime_nsec()));
                }
            }
        }
        picture
    }
}
