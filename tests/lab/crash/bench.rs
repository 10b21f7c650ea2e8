//! A host to break again and again, and strace, which breaks it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::{BOUNDED, Family, Manifest, PATH, Ran, copy_tree, need, write};

/// Every call by which a program can change files. Names that this strace does not know are passed over (`?`).
pub(super) const CALLS: [&str; 43] = [
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "pwritev2",
    "sendfile",
    "copy_file_range",
    "splice",
    "open",
    "openat",
    "openat2",
    "creat",
    "rename",
    "renameat",
    "renameat2",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "syncfs",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "fremovexattr",
    "utimensat",
    "mkdir",
    "mkdirat",
    "unlink",
    "unlinkat",
    "rmdir",
    "truncate",
    "ftruncate",
    "fallocate",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
];

/// Every call by which a program looks at files.
pub(super) const LOOKS: [&str; 20] = [
    "read",
    "pread64",
    "readv",
    "open",
    "openat",
    "openat2",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "readlink",
    "readlinkat",
    "listxattr",
    "flistxattr",
    "getxattr",
    "fgetxattr",
    "getdents64",
    "flock",
    "access",
];

/// More calls of one name than any run makes: a sweep that gets here would not end.
pub(super) const ENDLESS: usize = 2000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Prepare,
    Revert,
}

/// A host to break again and again, and what it looks like before and after.
pub(super) struct Lab {
    pub(super) family: Family,
    pub(super) act: Act,
    pub(super) folder: TempDir,
    /// Without the tool's own state.
    pub(super) old: Manifest,
    pub(super) new: Manifest,
}

impl Lab {
    pub(super) fn new(family: Family, act: Act) -> Self {
        need(&["strace", "setfacl"]);
        let folder = crate::common::scratch_in_memory("crash");
        let lab = Self { family, act, folder, old: Manifest::default(), new: Manifest::default() };
        let host = lab.host();
        fs::create_dir(&host).unwrap();
        lab.furnish(&host);
        lab.keep("old");
        let old = lab.look();
        let prepared = lab.prepare().expect(0);
        assert_eq!(prepared.json()["outcome"], "changed", "{prepared}");
        lab.keep("new");
        let new = lab.look();
        for path in [family.proxy_file(), DROP_IN, "/divvycloud/prod.env"] {
            let path = Path::new(path.trim_start_matches('/'));
            assert!(
                old.0.get(path).map(|old| &old.content) != Some(&new.0[path].content),
                "{} did not change",
                path.display()
            );
        }
        Self { old, new, ..lab }
    }

    /// Existing files with comments, an older proxy, an ACL and modes of their own. The drop-in exists on one
    /// family only, so that both its creation (with its folder) and its change are swept.
    pub(super) fn furnish(&self, host: &Path) {
        self.family.dress(host);
        fs::create_dir_all(host.join("var/lib")).unwrap();
        fs::create_dir_all(host.join("etc/systemd/system")).unwrap();
        match self.family {
            Family::Ubuntu => {
                let text = format!("{}# by hand\nhttp_proxy=\"http://old.example:1\"\n", self.family.environment());
                write(host, "etc/environment", text);
            }
            Family::CentOs => {
                write(host, "etc/profile.d/proxy.sh", "# by hand\nexport no_proxy=.corp.example\n");
                write(host, DROP_IN, "[Service]\nEnvironment=\"HTTP_PROXY=http://old.example:1\"\n");
            }
        }
        write(
            host,
            "divvycloud/prod.env",
            "# DivvyCloud\nDIVVY_DB_HOST=mysql\n#http_proxy=http://proxy.acmecorp.com\n\
             #https_proxy=http://proxy.acmecorp.com\n#no_proxy=mysql,redis\n",
        );
        let shell = format!(
            "chmod 640 divvycloud/prod.env; setfacl -m u:33:r--,g:4:r-- .{} divvycloud/prod.env; \
             setfattr -n user.note -v kept divvycloud/prod.env 2>/dev/null || true",
            self.family.proxy_file()
        );
        let done = Command::new("sh").args(["-ec", &shell]).current_dir(host).status().unwrap();
        assert!(done.success(), "{shell}");
    }

    pub(super) fn host(&self) -> PathBuf {
        self.folder.path().join("host")
    }

    /// Keeps the host's present state under `name`.
    pub(super) fn keep(&self, name: &str) {
        let kept = self.folder.path().join(name);
        let _ = fs::remove_dir_all(&kept);
        copy_tree(&self.host(), &kept);
    }

    /// Puts the host back to what was kept.
    pub(super) fn put_back(&self, name: &str) {
        let _ = fs::remove_dir_all(self.host());
        copy_tree(&self.folder.path().join(name), &self.host());
    }

    pub(super) fn look(&self) -> Manifest {
        Manifest::take(&self.host(), &["var/lib/ics-setup"])
    }

    pub(super) fn leftovers(&self) -> Vec<PathBuf> {
        Manifest::take(&self.host(), &[]).leftovers().into_iter().cloned().collect()
    }

    pub(super) fn words(act: Act) -> &'static [&'static str] {
        match act {
            Act::Prepare => &[
                "prepare",
                "--deployment",
                "production",
                "--proxy",
                "http://proxy.corp.example:3128",
                "--target",
                "system-proxy,docker-daemon,prod-env",
                "--non-interactive",
                "--format",
                "json",
            ],
            Act::Revert => &["revert", "--non-interactive", "--format", "json"],
        }
    }

    /// The same for whoever looks at the exit code and at the files: what a run tells behind its end has looks of its own.
    fn quiet(act: Act) -> Vec<&'static str> {
        let words = Self::words(act);
        [&words[..words.len() - 2], &["--quiet"]].concat()
    }

    pub(super) fn prepare(&self) -> Ran {
        crate::common::run(&self.host(), Self::words(Act::Prepare))
    }

    pub(super) fn revert(&self) -> Ran {
        crate::common::run(&self.host(), Self::words(Act::Revert))
    }

    /// What the act starts from.
    pub(super) fn start(&self) -> (&'static str, &Manifest, &Manifest) {
        match self.act {
            Act::Prepare => ("old", &self.old, &self.new),
            Act::Revert => ("new", &self.new, &self.old),
        }
    }

    /// `act` on the host under strace with one injection, and the calls of that name as strace saw them.
    /// (Not with `--seccomp-bpf`: with it strace 6.1 injects errors, but no signals.)
    pub(super) fn injected(&self, act: Act, call: &str, injection: &str) -> (Ran, String) {
        let log = self.folder.path().join("trace");
        let mut command = Command::new(BOUNDED[0]);
        command
            .args(&BOUNDED[1..])
            .args(["strace", "-f", "-qq", "-y", "-o"])
            .arg(&log)
            .args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{injection}")])
            .arg(crate::common::binary())
            .args(Self::quiet(act))
            .arg("--root")
            .arg(self.host())
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null());
        let shown = format!("{act:?} of {:?} with {call}:{injection}", self.family);
        let ran = Ran::of(shown, command.output().unwrap());
        (ran, fs::read_to_string(&log).unwrap_or_default())
    }

    /// How often an undisturbed run makes each call that changes files.
    pub(super) fn calls(&self, act: Act) -> BTreeMap<&'static str, usize> {
        let calls = self.count(act, &CALLS);
        let total: usize = calls.values().sum();
        assert!(
            total >= 20 && calls.keys().any(|call| call.starts_with("rename")) && calls.contains_key("write"),
            "there is nothing to sweep, or strace does not work: {calls:?}"
        );
        calls
    }

    pub(super) fn count(&self, act: Act, names: &[&'static str]) -> BTreeMap<&'static str, usize> {
        let log = self.folder.path().join("trace");
        let known: Vec<_> = names.iter().map(|call| format!("?{call}")).collect();
        let done = Command::new("strace")
            .args(["-f", "-qq", "-o"])
            .arg(&log)
            .args(["-e", &format!("trace={}", known.join(","))])
            .arg(crate::common::binary())
            .args(Self::quiet(act))
            .arg("--root")
            .arg(self.host())
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let log = fs::read_to_string(&log).unwrap();
        let mut calls = BTreeMap::new();
        for line in log.lines() {
            let name = line.split_once(' ').map_or("", |(_, rest)| rest.trim_start());
            let name = name.split_once('(').map_or("", |(name, _)| name);
            if let Some(call) = names.iter().find(|call| **call == name) {
                *calls.entry(*call).or_default() += 1;
            }
        }
        calls
    }
}

pub(super) const DROP_IN: &str = "/etc/systemd/system/docker.service.d/http-proxy.conf";

/// Fails with the number of cases and the first few of them.
#[track_caller]
pub(super) fn expect_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} cases, such as\n{}", wrong.len(), wrong[..wrong.len().min(4)].join("\n"));
}

pub(super) fn names(calls: &BTreeMap<&str, usize>) -> String {
    calls.keys().copied().collect::<Vec<_>>().join(" ")
}

/// `timeout` hands a SIGKILL on as 137.
pub(super) fn was_killed(ran: &Ran) -> bool {
    ran.signal == Some(9) || ran.code == Some(137)
}

/// Only files and links, without temporary ones: folders and forgotten files are judged after recovery.
pub(super) fn files(manifest: &Manifest) -> Manifest {
    let leftovers: Vec<_> = manifest.leftovers();
    Manifest(
        manifest
            .0
            .iter()
            .filter(|(path, entry)| entry.kind != 'd' && !leftovers.contains(path))
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect(),
    )
}

pub(super) fn opens_to_write(line: &str) -> bool {
    ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag))
}

/// Is this a write to standard output or error?
pub(super) fn speaks(line: &str) -> bool {
    ["write(1<", "write(2<", "writev(1<", "writev(2<"].iter().any(|start| line.contains(start))
}
