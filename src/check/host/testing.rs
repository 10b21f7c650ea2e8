//! What the tests of this group share.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::check::{CheckSpec, Look, Secrets};
use crate::finding::Finding;
use crate::host::{Command, HostRead, MemoryHost, Output, Snapshot, Stat};
use crate::net::Roots;
use crate::net::testing::patient;
use crate::settings::Deployment;

/// Files in memory that pass for a running system.
pub struct Live(pub MemoryHost);

impl HostRead for Live {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.0.lstat(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.read_link(path)
    }
    fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>> {
        self.0.snapshot(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.0.list(path)
    }
    fn run(&self, command: &Command) -> io::Result<Output> {
        self.0.run(command)
    }
    fn now(&self) -> SystemTime {
        self.0.now()
    }
    fn euid(&self) -> u32 {
        0
    }
    fn is_live(&self) -> bool {
        true
    }
    fn shown(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
}

pub fn spec(deployment: Deployment) -> CheckSpec {
    CheckSpec { deployment, ..CheckSpec::default() }
}

pub fn production() -> CheckSpec {
    spec(Deployment::Production)
}

/// Collects from `host` and judges, through the facts as they would be saved.
pub fn checked(check: &dyn crate::check::AnyCheck, host: &dyn HostRead, spec: &CheckSpec) -> Vec<Finding> {
    let roots = Roots::of(&MemoryHost::new(), b"");
    let platform = crate::platform::detect(host, None).ok().map(|(platform, _)| platform);
    let look =
        Look { host, platform: platform.as_ref(), spec, secrets: &Secrets::default(), roots: &roots, changes: None };
    let facts = check.collect(&look, patient(), None);
    let findings = check.judge(&facts, spec).unwrap();
    for finding in &findings {
        assert!(check.meta().ids.contains(&finding.id), "{} is not among the ids of {}", finding.id, check.meta().name);
        assert!(finding.observed.is_some(), "{}: nothing observed", finding.id);
    }
    crate::check::law::each_has_a_way_out(&findings);
    findings
}
