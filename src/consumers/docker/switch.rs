//! Is a switch of the Docker daemon on: by its own word where it is asked, else by its options and its `daemon.json`?

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{UNITS, arguments, docker_unit, is_daemon, is_installed, json_path};
use crate::docker;
use crate::envfile::unit::Release;
use crate::environment::{self, Daemon};
use crate::host::HostRead;
use crate::net::Time;
use crate::system::selinux;
use crate::text;
use crate::text::{Text, own};

/// The switch by which the daemon has SELinux confine containers. It is off by itself (`dockerd --help`); CentOS 7's own package
/// has it among its OPTIONS.
const SELINUX: &str = "selinux-enabled";

/// How long the daemon may take to say it to a plan.
const LIMIT: Duration = Duration::from_secs(10);

/// What was seen of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DaemonSwitch {
    On,
    Off,
    /// There is no daemon on this host.
    NoDaemon,
    /// It cannot be told, for a reason.
    Unknown(Text),
}

impl DaemonSwitch {
    fn of(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// Does the daemon have SELinux confine containers?
pub(crate) fn confines(host: &dyn HostRead, release: Release, deadline: Duration) -> DaemonSwitch {
    let asked = host.is_this_machine().then(|| docker::security_options(host, Time::new(deadline, deadline)));
    match asked {
        Some(Ok(options)) => DaemonSwitch::of(options.iter().any(|option| option == "name=selinux")),
        // Where it does not answer, its files tell.
        _ => daemon_switch(host, release, deadline, SELINUX, false),
    }
}

/// Are mounts to be labelled in compose files of ours? Not where SELinux certainly confines no containers: where it does not after
/// all, the engine passes labels over (moby `daemon/volumes_unix.go`, selinux/go-selinux `Relabel`; tried with 20.10.24 and 26.1.5
/// on hosts without SELinux).
pub(crate) fn labels_mounts(host: &dyn HostRead, home: &Path, release: Release) -> bool {
    selinux::observe(host, home).is_enforcing() && confines(host, release, LIMIT) != DaemonSwitch::Off
}

/// Is that switch on? `usual`: where nobody says anything.
pub(crate) fn daemon_switch(
    host: &dyn HostRead,
    release: Release,
    deadline: Duration,
    name: &str,
    usual: bool,
) -> DaemonSwitch {
    let Some(line) = Line::of(host, release, deadline) else { return DaemonSwitch::NoDaemon };
    let why = match environment::switch(&line.arguments, name) {
        Ok(Some(on)) => return DaemonSwitch::of(on),
        Ok(None) => line.untold,
        Err(odd) => Some(odd),
    };
    match (in_json(host, &line.json, name), why) {
        (Ok(Some(on)), _) => DaemonSwitch::of(on),
        (Err(why), _) | (Ok(None), Some(why)) => DaemonSwitch::Unknown(why),
        (Ok(None), None) => DaemonSwitch::of(usual),
    }
}

/// Is the daemon certainly told this text under a name, by an option or by its `daemon.json`?
pub(crate) fn daemon_says(host: &dyn HostRead, release: Release, deadline: Duration, name: &str, text: &str) -> bool {
    let Some(line) = Line::of(host, release, deadline) else { return false };
    // Also an option that only later engines have.
    let (option, whole) = (format!("--{name}"), format!("--{name}={text}"));
    let is_pair = |pair: &[String]| pair[0] == option && pair[1] == text;
    if line.arguments.contains(&whole) || line.arguments.windows(2).any(is_pair) {
        return true;
    }
    let bytes = host.read(&line.json).ok().flatten();
    let json = bytes.and_then(|bytes| environment::daemon_json(&bytes).ok());
    json.and_then(|json| Some(json.members.get(name)?.as_str()? == text)).unwrap_or(false)
}

/// How the daemon is started.
struct Line {
    arguments: Vec<String>,
    /// Its `daemon.json`.
    json: PathBuf,
    /// Why not all of the arguments can be told.
    untold: Option<Text>,
}

impl Line {
    /// The one that runs, else the one that systemd would start; `None`: there is none.
    fn of(host: &dyn HostRead, release: Release, deadline: Duration) -> Option<Self> {
        let running = if host.is_this_machine() { environment::dockerd(host, deadline) } else { None };
        if let Some(Daemon { arguments, .. }) = running {
            return Some(Self { json: json_path(&arguments, UNITS[0]), arguments, untold: None });
        }
        let (unit, service) = docker_unit(host, release);
        let arguments = is_installed(host, &service).then(|| arguments(&service))?;
        let is_untold = match service.exec_start.last() {
            _ if service.exec_unknown.is_some() || service.refused.is_some() => true,
            Some(command) => command.argv.contains(&None) || (unit == UNITS[0] && !is_daemon(&arguments)),
            None => service.fragment.is_some(),
        };
        let untold = is_untold.then(|| text!("the options in {} cannot be told from its files", own(unit)));
        Some(Self { json: json_path(&arguments, unit), arguments, untold })
    }
}

/// What `daemon.json` says of a switch.
fn in_json(host: &dyn HostRead, path: &Path, name: &str) -> Result<Option<bool>, Text> {
    let shown = host.shown(path);
    let bytes = match host.read(path) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(error) => return Err(text!("{} could not be read: {}", shown, error)),
    };
    let found = environment::daemon_json(&bytes)
        .map_err(|error| text!("{} is no JSON (line {})", shown.clone(), own(error.line())))?;
    match found.members.get(name) {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::Bool(on)) => Ok(Some(*on)),
        Some(_) => Err(text!("what {} says of {} is neither true nor false", shown, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::host::MemoryHost;

    const UNIT: &str = "/usr/lib/systemd/system/docker.service";

    fn of(host: &dyn HostRead) -> DaemonSwitch {
        confines(host, Release::UNKNOWN, Duration::from_secs(5))
    }

    #[test]
    fn options_and_daemon_json_tell_whether_containers_are_confined() {
        let host = MemoryHost::new();
        assert_eq!(of(&host), DaemonSwitch::NoDaemon);
        host.put(UNIT, b"[Service]\nExecStart=/usr/bin/dockerd -H fd://\n");
        assert_eq!(of(&host), DaemonSwitch::Off, "docker-ce as it comes");
        host.put("/etc/docker/daemon.json", b"{\"selinux-enabled\": true}");
        assert_eq!(of(&host), DaemonSwitch::On);
        for odd in [&b"{"[..], b"{\"selinux-enabled\": \"yes\"}"] {
            host.put("/etc/docker/daemon.json", odd);
            assert!(matches!(of(&host), DaemonSwitch::Unknown(_)));
        }
        host.put("/etc/docker/daemon.json", b"{}");
        host.put(UNIT, b"[Service]\nExecStart=/usr/bin/dockerd --selinux-enabled=false --selinux-enabled\n");
        assert_eq!(of(&host), DaemonSwitch::On);
    }

    /// As CentOS 7's own package has it (docker-1.13.1).
    #[test]
    fn options_of_a_file_of_the_system_are_followed_also_beside_options_of_the_vendor_alone() {
        let host = MemoryHost::new();
        let unit = "[Service]\nEnvironmentFile=-/etc/sysconfig/docker\nExecStart=/usr/bin/dockerd-current \\\n  \
             --add-runtime docker-runc=/usr/libexec/docker/docker-runc-current \\\n  --default-runtime=docker-runc \\\n  \
             --exec-opt native.cgroupdriver=systemd \\\n  \
             --userland-proxy-path=/usr/libexec/docker/docker-proxy-current \\\n  \
             --init-path=/usr/libexec/docker/docker-init-current \\\n  \
             --seccomp-profile=/etc/docker/seccomp.json \\\n  $OPTIONS \\\n  $ADD_REGISTRY\n";
        host.put(UNIT, unit.as_bytes());
        let options = |more: &str| {
            let line = format!("OPTIONS='{more}--log-driver=journald --signature-verification=false'\n");
            host.put("/etc/sysconfig/docker", line.as_bytes());
        };
        options("--selinux-enabled ");
        assert_eq!(of(&host), DaemonSwitch::On);
        options("");
        assert!(matches!(of(&host), DaemonSwitch::Unknown(_)), "{:?}", of(&host));
        host.put("/etc/docker/daemon.json", b"{\"selinux-enabled\": true}");
        assert_eq!(of(&host), DaemonSwitch::On);
    }

    #[test]
    fn a_daemon_that_answers_knows_best() {
        let info = |options: &str| Double::installed().prints("docker info", options);
        let json = |host: Double| {
            host.files.put(UNIT, b"[Service]\nExecStart=/usr/bin/dockerd\n");
            host.files.put("/etc/docker/daemon.json", b"{\"selinux-enabled\": true}");
            of(&host)
        };
        assert_eq!(json(info("[\"name=seccomp,profile=default\",\"name=selinux\"]\n")), DaemonSwitch::On);
        assert_eq!(json(info("[\"name=apparmor\"]\n")), DaemonSwitch::Off);
        let silent = Double::installed().fails("docker info", "permission denied while trying to connect");
        assert_eq!(json(silent), DaemonSwitch::On, "by its file");
    }
}
