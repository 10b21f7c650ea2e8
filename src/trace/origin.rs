//! Who a process is: its program, what it was started with, and through whom it got that.

use std::path::Path;

use crate::consumers::{ALL_NAMES, Who, programs};
use crate::environment::{self, Variables};
use crate::host::HostRead;
use crate::system::sockets::{self, Process, parent, process};
use crate::text::clean;

/// So many processes are gone up to the first.
const MOST_PARENTS: usize = 32;

/// The kernel keeps so many bytes of a name.
const KEPT: usize = 15;

/// Names that clients read beside those of the proxies.
const BESIDE: [&str; 2] = ["REQUEST_METHOD", "NODE_USE_ENV_PROXY"];

/// A process that has a connection.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Its number.
    pub(super) pid: u32,
    /// What it is called.
    pub(super) program: String,
    /// The first twelve digits of its container's id.
    pub(super) container: Option<String>,
    /// Its service of systemd's.
    pub(super) unit: Option<String>,
    /// Whose settings it gets; `None`: that cannot be told.
    pub(super) consumer: Option<Who>,
    /// What has started it.
    pub(super) parent: Option<String>,
    /// When it was started, seconds since 1970.
    pub(super) started: Option<u64>,
    /// The variables that decide about proxies, passwords included; `None`: they could not be read.
    pub(super) environment: Option<Variables>,
}

impl Origin {
    /// Looks at a process while it is there.
    pub(super) fn look(host: &dyn HostRead, pid: u32) -> Self {
        let own = process(host, pid);
        let above: Vec<String> = ancestors(host, pid).map(|pid| sockets::name(host, pid)).collect();
        let decides =
            |name: &str| BESIDE.contains(&name) || ALL_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
        let environment = environment::of_process(host, pid).ok().flatten();
        Self {
            pid,
            consumer: consumer(host, &own, &above),
            program: program(host, &own),
            parent: above.into_iter().next(),
            started: environment::started(host, pid),
            environment: environment.map(|all| all.into_iter().filter(|(name, _)| decides(name)).collect()),
            container: own.container,
            unit: own.unit,
        }
    }

    /// The value that counts of a variable in any of its spellings, with its name.
    pub(super) fn value(&self, names: &[&str]) -> Option<(String, String)> {
        let all = self.environment.as_deref().unwrap_or_default();
        let set = |name: &str| environment::value(all, name).filter(|value| !value.trim().is_empty());
        let spelt = names.iter().flat_map(|name| [name.to_ascii_lowercase(), name.to_ascii_uppercase()]);
        spelt.into_iter().find_map(|name| set(&name).map(|value| (name.clone(), value.to_owned())))
    }
}

/// The processes above one, the nearest first.
pub(super) fn ancestors(host: &dyn HostRead, pid: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(parent(host, pid), |pid| parent(host, *pid)).take(MOST_PARENTS)
}

/// The name that the kernel keeps; where that is cut off, the name of the file.
pub(super) fn program(host: &dyn HostRead, own: &Process) -> String {
    let file = || {
        let link = host.read_link(Path::new(&format!("/proc/{}/exe", own.pid))).ok()?;
        let name = link.file_name()?.to_str()?.trim_end_matches(" (deleted)").to_owned();
        name.starts_with(&own.name).then(|| clean(&name, 60))
    };
    if own.name.len() < KEPT { own.name.clone() } else { file().unwrap_or_else(|| own.name.clone()) }
}

/// Through whom it got its environment.
fn consumer(host: &dyn HostRead, own: &Process, above: &[String]) -> Option<Who> {
    if own.container.is_some() {
        return Some(Who::Container);
    }
    if programs::is_manager(&own.name, above.first().map(String::as_str)) {
        return Some(Who::PackageManager);
    }
    if own.name == programs::ENGINE {
        return Some(Who::Docker);
    }
    if let Some(who) = above.iter().find_map(|name| programs::starts(name)) {
        return Some(who);
    }
    let groups = host.read(Path::new(&format!("/proc/{}/cgroup", own.pid))).ok().flatten().unwrap_or_default();
    // systemd's name for what a login has started.
    let of_session = memchr::memmem::find(&groups, b"/session-").is_some();
    own.unit.as_ref().map(|_| Who::Systemd).or_else(|| of_session.then_some(Who::Login))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    /// A process as `/proc` has it.
    fn put(host: &MemoryHost, pid: u32, parent: u32, name: &str, cgroup: &str) {
        host.put(&format!("/proc/{pid}/comm"), format!("{name}\n").as_bytes());
        host.put(&format!("/proc/{pid}/stat"), format!("{pid} ({name}) S {parent} 1 1").as_bytes());
        host.put(&format!("/proc/{pid}/cgroup"), format!("0::{cgroup}\n").as_bytes());
        host.put(&format!("/proc/{pid}/environ"), b"A=secret\0https_proxy=\0HTTPS_PROXY=http://h:1\0");
    }

    #[test]
    fn through_whom_a_process_came_is_told() {
        let host = MemoryHost::new();
        let id = "a".repeat(64);
        put(&host, 1, 0, "systemd", "/init.scope");
        put(&host, 10, 1, "sshd", "/system.slice/ssh.service");
        put(&host, 11, 10, "bash", "/user.slice/user-0.slice/session-1.scope");
        put(&host, 12, 11, "curl", "/user.slice/user-0.slice/session-1.scope");
        put(&host, 13, 11, "sudo", "/user.slice/user-0.slice/session-1.scope");
        put(&host, 14, 13, "curl", "/user.slice/user-0.slice/session-1.scope");
        put(&host, 15, 1, "curl", "/user.slice/user-0.slice/session-1.scope");
        put(&host, 20, 1, "nginx", "/system.slice/nginx.service");
        put(&host, 30, 1, "python3", &format!("/docker/{id}"));
        put(&host, 40, 11, "apt-get", "/user.slice/user-0.slice/session-1.scope");
        put(&host, 41, 40, "https", "/user.slice/user-0.slice/session-1.scope");
        // A script of a package's is none of the manager's own.
        put(&host, 42, 40, "curl", "/user.slice/user-0.slice/session-1.scope");
        put(&host, 50, 1, "dockerd", "/system.slice/docker.service");
        put(&host, 60, 0, "sh", "/");
        for (pid, who) in [
            (12, Some(Who::Login)),
            (14, Some(Who::Sudo)),
            (15, Some(Who::Login)),
            (20, Some(Who::Systemd)),
            (30, Some(Who::Container)),
            (40, Some(Who::PackageManager)),
            (41, Some(Who::PackageManager)),
            (42, Some(Who::Login)),
            (50, Some(Who::Docker)),
            (60, None),
        ] {
            assert_eq!(Origin::look(&host, pid).consumer, who, "{pid}");
        }
        let seen = Origin::look(&host, 12);
        assert_eq!((seen.parent.as_deref(), seen.program.as_str()), (Some("bash"), "curl"));
        assert_eq!(seen.value(&["https_proxy"]), Some(("HTTPS_PROXY".to_owned(), "http://h:1".to_owned())));
        assert!(!format!("{seen:?}").contains("secret"));
    }
}
