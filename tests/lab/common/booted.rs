//! Hosts that systemd has booted: what units, timers, the package manager and a power cut do is real there.

use std::fs;
use std::ops::Deref;
use std::path::Path;

use tempfile::TempDir;

use super::site::{Engine, Host, furnish, shared};
use super::{Family, Leash, child_of, leashed, name, need, need_root, scratch, until, write};

/// A host with systemd as its first process, and with docker.service and cron. It keeps its disk over its boots.
pub struct Booted {
    host: Host,
    machine: Option<Leash>,
    engine: Engine,
    folder: TempDir,
}

// A control group of its own in every hierarchy, which is then the top of what the host sees of them.
const BOOT: &str = r#"
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -e "$hierarchy/cgroup.procs" ] && mkdir -p "$hierarchy/$GROUP" || continue
  for file in cpuset.cpus cpuset.mems; do
    [ ! -e "$hierarchy/$file" ] || cat "$hierarchy/$file" >"$hierarchy/$GROUP/$file"
  done
  echo $$ >"$hierarchy/$GROUP/cgroup.procs" || true
done 2>/dev/null
mount -t overlay overlay -o lowerdir="$LOWER",upperdir="$DIR/upper",workdir="$DIR/work" "$DIR/host"
for pair in $SHARED; do set -- "$@" --bind-ro="$pair"; done
exec systemd-nspawn --quiet -D "$DIR/host" --machine="$GROUP" --private-network --register=no --keep-unit --console=pipe \
  --resolv-conf=off --timezone=off --link-journal=no --capability=all --system-call-filter='@keyring bpf' \
  --bind="$DIR/docker":/var/lib/docker "$@" -b
"#;

/// The groups of version 1 come read-only into a container.
const GROUPS: &str = "[Service]\nExecStartPre=+/bin/sh -c \
    'for group in /sys/fs/cgroup/*; do mount -o remount,bind,rw $$group 2>/dev/null; done; true'\n";

impl Booted {
    pub fn new(engine: Engine) -> Self {
        Self::of(engine, Family::Ubuntu)
    }

    /// The same, dressed as a family.
    pub fn of(engine: Engine, family: Family) -> Self {
        need_root();
        need(&["systemd-nspawn", "mount", "ip"]);
        let folder = scratch("booted");
        for part in ["upper", "work", "host", "docker"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let upper = folder.path().join("upper");
        furnish(engine, family, &upper);
        write(&upper, "etc/hostname", "lab\n");
        write(&upper, "etc/systemd/system/docker.service.d/00-lab.conf", GROUPS);
        let (machine, pid) = boot(folder.path(), engine);
        Self { host: Host::new(pid, engine), machine: Some(machine), engine, folder }
    }

    /// Goes down in order, and comes up again.
    #[track_caller]
    pub fn reboot(&mut self) {
        self.sh("systemctl --no-block poweroff");
        let machine = self.machine.as_mut().unwrap();
        until(|| machine.0.try_wait().unwrap().ok_or_else(|| "it does not go down".to_owned()));
        self.up();
    }

    /// Ends at once, and comes up again.
    #[track_caller]
    pub fn power_cut(&mut self) {
        self.up();
    }

    fn up(&mut self) {
        self.machine = None;
        let (machine, pid) = boot(self.folder.path(), self.engine);
        self.machine = Some(machine);
        self.host.reconnect(pid);
    }

    /// Takes engine and Compose away, as on a host that never had them; `apt-get install` brings them back, without a network.
    #[track_caller]
    pub fn bare(&self) {
        self.sh("systemctl stop docker.socket docker containerd
                 dpkg --purge --force-depends $(dpkg-query -W -f '${Package}\\n' 'docker*' | sed '/docker-registry/d')
                 rm -rf /var/lib/docker/* /etc/docker /run/docker.sock");
    }
}

impl Deref for Booted {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

/// The machine, and its first process.
#[track_caller]
fn boot(folder: &Path, engine: Engine) -> (Leash, String) {
    let shared: Vec<String> = shared().iter().map(|(from, to)| format!("{}:{to}", from.display())).collect();
    let console = fs::File::create(folder.join("console")).unwrap();
    let mut nspawn = leashed(&[], "sh");
    nspawn.args(["-ec", BOOT, "sh"]).env("LOWER", engine.root()).env("DIR", folder).env("SHARED", shared.join(" "));
    nspawn.env("GROUP", format!("{}-{}", name(), folder.file_name().unwrap().display()));
    nspawn.stdout(console.try_clone().unwrap()).stderr(console);
    let mut machine = Leash::start(&mut nspawn);
    let pid = until(|| {
        let said = || fs::read_to_string(folder.join("console")).unwrap();
        assert!(machine.0.try_wait().unwrap().is_none(), "it did not boot:\n{}", said());
        let nspawn = child_of(machine.0.id()).ok_or_else(said)?;
        let pid = child_of(nspawn.parse().unwrap()).ok_or_else(said)?;
        let host = Host::new(pid.clone(), engine);
        let state = host.run(&["systemctl", "is-system-running"]);
        match String::from_utf8_lossy(&state.out).trim() {
            "running" | "degraded" => Ok(pid),
            _ => Err(format!("{state}{}", said())),
        }
    });
    (machine, pid)
}
