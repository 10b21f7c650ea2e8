//! Hosts that the product is put onto: the Debian roots of `scripts/lab/docker`, each with a Docker engine of its own, its own
//! network and the stand-in product of `scripts/lab/images`. A [`Site`] is up in a second or two and has no systemd; in one that
//! is [`Booted`](super::Booted) all units are real. What both can do is a [`Host`]'s; what is outside of it, an [`Outside`]'s.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use super::{
    BOUNDED, Family, Guest, Outside, PATH, Ran, below, binary, child_of, lab, name, need, scratch, serve, until, write,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Debian 12: engine 20.10.24, and docker-compose 1.29.2 as its only Compose.
    V20_10,
    /// Debian 13: engine 26.1.5, and Compose 2.26.1 as its plugin.
    V26_1,
}

impl Engine {
    pub fn root(self) -> PathBuf {
        provisioned().join(match self {
            Self::V20_10 => "debian-12",
            Self::V26_1 => "debian-13",
        })
    }
}

/// Which Compose a host has, and nothing else of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compose {
    None,
    /// 1.25.5 at /usr/local/bin/docker-compose.
    V1_25,
    /// 2.20.1 as plugin.
    V2_20,
    /// 2.40.3 as plugin, whose command is `docker compose`.
    Plugin,
    /// 2.40.3 at /usr/local/bin/docker-compose.
    Program,
}

/// What `scripts/lab/docker` and `scripts/lab/images` have made.
pub fn provisioned() -> PathBuf {
    let folder = lab().join("docker");
    assert!(
        folder.join("images/stamp").exists(),
        "no hosts at {}: run scripts/lab/images as root (scripts/test does)",
        folder.display()
    );
    folder
}

/// What a person in /usr/bin finds is the program under test.
pub const PROGRAM: &str = "/usr/bin/ics-setup";

/// What both kinds of host need of this machine, and where they have it: from, to.
pub(super) fn shared() -> Vec<(PathBuf, &'static str)> {
    let provisioned = provisioned();
    vec![
        (fs::canonicalize(binary()).unwrap(), PROGRAM),
        (provisioned.join("images"), "/opt/lab/images"),
        (provisioned.join("compose"), "/opt/lab/compose"),
        (lab().join("readers"), "/opt/lab/readers"),
    ]
}

/// The disk's own layer before the first start: the family's release, who is trusted, who knows names, and the places of
/// [`shared`].
pub(super) fn furnish(engine: Engine, family: Family, upper: &Path) {
    family.dress(upper);
    let mut trusted = fs::read(engine.root().join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    let ca = fs::read(provisioned().join("images/ca.crt")).unwrap();
    trusted.extend(&ca);
    write(upper, "etc/ssl/certs/ca-certificates.crt", trusted);
    write(upper, "usr/local/share/ca-certificates/lab.crt", ca);
    // There is nobody before the outside is.
    write(upper, "etc/resolv.conf", format!("nameserver {}\n", super::outside::ADDRESS));
    for (from, to) in shared() {
        if from.is_dir() {
            fs::create_dir_all(below(upper, to)).unwrap();
        } else {
            write(upper, to, "");
        }
    }
}

/// A host that runs, by its first process.
pub struct Host {
    pub(super) pid: String,
    engine: Engine,
    outside: OnceCell<Outside>,
}

impl Host {
    pub(super) fn new(pid: String, engine: Engine) -> Self {
        Self { pid, engine, outside: OnceCell::new() }
    }

    /// The host's first process, as this machine counts.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// The host's files as this process can read and write them. Absolute links lead out of it.
    pub fn path(&self, path: &str) -> PathBuf {
        below(Path::new(&format!("/proc/{}/root", self.pid)), path)
    }

    /// A file's bytes as a process inside reads them.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&self.run(&["cat", path]).expect(0).out).into_owned()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(Path::new(&format!("/proc/{}/root", self.pid)), path, content);
    }

    /// A command inside, as root at a shell that knows PATH and HOME.
    pub fn command(&self, words: &[&str]) -> Command {
        let namespaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd"];
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid]).args(namespaces).arg("--").args(words);
        command.env_clear().env("PATH", PATH).env("HOME", "/root").stdin(Stdio::null());
        command
    }

    /// A command inside that must end by itself.
    pub fn run(&self, words: &[&str]) -> Ran {
        Ran::of(words.join(" "), self.command(&[&BOUNDED[..], words].concat()).output().unwrap())
    }

    /// A shell script inside that must succeed.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let ran = self.run(&["sh", "-ec", script]).expect(0);
        String::from_utf8_lossy(&ran.out).into_owned()
    }

    /// A command inside, killed as soon as one of its lines, on stdout or stderr, has `marker` in it: what it had said. The
    /// test fails if the command ends without.
    #[track_caller]
    pub fn kill_at(&self, words: &[&str], marker: &str) -> String {
        let mut child = self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let out: Box<dyn std::io::Read + Send> = Box::new(child.stdout.take().unwrap());
        let err: Box<dyn std::io::Read + Send> = Box::new(child.stderr.take().unwrap());
        for pipe in [out, err] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        drop(sender);
        let mut said = String::new();
        for line in lines {
            let marked = line.contains(marker);
            said += &(line + "\n");
            if marked {
                kill(&child_of(child.id()).unwrap_or_else(|| panic!("it has ended:\n{said}")));
                child.wait().unwrap();
                return said;
            }
        }
        panic!("{words:?} ended with {} and without {marker:?}:\n{said}", child.wait().unwrap());
    }

    /// A command inside, killed at its nth system call of this name.
    pub fn kill_at_call(&self, words: &[&str], call: &str, nth: u32) -> Ran {
        let inject = format!("inject={call}:signal=KILL:when={nth}");
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject];
        self.run(&[&strace[..], words].concat())
    }

    /// A program inside that goes on until the host ends: its process as the host counts.
    #[track_caller]
    pub fn serve(&self, words: &[&str]) -> String {
        let mut command = self.command(words);
        let nsenter = serve(command.stdout(Stdio::null()).stderr(Stdio::null()));
        until(|| {
            let pid = child_of(nsenter).ok_or("it has not been started")?;
            let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| error.to_string())?;
            let inside = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap().split_whitespace().last();
            Ok(inside.unwrap().to_owned())
        })
    }

    /// Forgets the lab's authority, as a host that nobody told of the company's. An engine knows at its next start.
    pub fn distrust(&self) {
        let untouched = fs::read(self.engine.root().join("etc/ssl/certs/ca-certificates.crt")).unwrap();
        self.write("etc/ssl/certs/ca-certificates.crt", untouched);
        self.sh("rm /usr/local/share/ca-certificates/lab.crt");
    }

    /// A command inside, killed as soon as it is so.
    #[track_caller]
    pub fn kill_when(&self, words: &[&str], so: impl Fn() -> bool) {
        let mut child = self.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !so() {
            assert!(child.try_wait().unwrap().is_none(), "{words:?} ended before");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kill(&child_of(child.id()).expect("it has ended"));
        child.wait().unwrap();
    }

    // ------------------------------------------------------------------------------------------- containers

    /// The stand-in images, under the product's own names.
    #[track_caller]
    pub fn load_images(&self) {
        self.sh("docker load -qi /opt/lab/images/images.tar");
    }

    /// Not one image, and no container.
    #[track_caller]
    pub fn without_images(&self) {
        self.sh("docker ps -aq | xargs -r docker rm -f; docker images -q | sort -u | xargs -r docker rmi -f");
    }

    /// `image` under the same name with faults of the stand-in product (`LAB_CRASH=1`), for files that name no more than it.
    #[track_caller]
    pub fn fault(&self, image: &str, variables: &[&str]) {
        let lines: String = variables.iter().map(|variable| format!("ENV {variable}\\n")).collect();
        self.sh(&format!(
            "docker tag {image} lab/kept; printf 'FROM lab/kept\\n{lines}' | DOCKER_BUILDKIT=0 docker build -q -t {image} -"
        ));
    }

    /// Leaves the host with this Compose alone.
    #[track_caller]
    pub fn compose(&self, which: Compose) {
        let plugins = "/usr/local/lib/docker/cli-plugins";
        self.sh("rm -f /usr/bin/docker-compose /usr/local/bin/docker-compose \
                 /usr/*/docker/cli-plugins/docker-compose /usr/local/*/docker/cli-plugins/docker-compose");
        match which {
            Compose::None => {}
            Compose::V1_25 => {
                // Its libraries are those of another Python 3.11, which is of the same Debian.
                assert_eq!(self.engine, Engine::V20_10, "its Python is Debian 12's");
                self.write(
                    "/usr/local/bin/docker-compose",
                    "#!/usr/bin/python3\nimport sys\nreaders = '/opt/lab/readers/'\nsys.path[1:1] = [readers + 'compose-1.25.5', \
                     readers + 'dotenv-0.13.0', readers + 'python/lib/python3.11/site-packages']\n\
                     from compose.cli.main import main\nmain()\n",
                );
                self.sh("chmod 755 /usr/local/bin/docker-compose");
            }
            Compose::V2_20 => _ = self.sh(&format!("install -D /opt/lab/compose/2.20.1 {plugins}/docker-compose")),
            Compose::Plugin => _ = self.sh(&format!("install -D /opt/lab/compose/2.40.3 {plugins}/docker-compose")),
            Compose::Program => _ = self.sh("install -D /opt/lab/compose/2.40.3 /usr/local/bin/docker-compose"),
        }
    }

    /// Every container of a Compose project, also one that has ended: service → id and when it was started last.
    #[track_caller]
    pub fn container_ids(&self) -> BTreeMap<String, Vec<(String, String)>> {
        let format = "{{index .Config.Labels \"com.docker.compose.service\"}} {{.Id}} {{.State.StartedAt}}";
        let text = self.sh(&format!("docker ps -aq | xargs -r docker inspect --format '{format}'"));
        let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.split(' ').map(str::to_owned);
            let [service, id, started] = std::array::from_fn(|_| words.next().unwrap());
            found.entry(service).or_default().push((id, started));
        }
        found.values_mut().for_each(|containers| containers.sort());
        found
    }

    /// What `docker inspect` says of the service's containers by this template, sorted.
    #[track_caller]
    pub fn inspect(&self, service: &str, template: &str) -> Vec<String> {
        let label = format!("label=com.docker.compose.service={service}");
        let text = self.sh(&format!("docker ps -aq --filter {label} | xargs -r docker inspect --format '{template}'"));
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// What the containers of the service have said, on both of their outputs.
    #[track_caller]
    pub fn logs(&self, service: &str) -> String {
        let label = format!("label=com.docker.compose.service={service}");
        self.sh(&format!("docker ps -aq --filter {label} | xargs -rn1 docker logs 2>&1"))
    }

    /// The code of /Status on the host's own loopback; 0 where nothing answers.
    pub fn status(&self) -> u16 {
        let words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", "-m", "20"];
        let ran = self.run(&[&words[..], &["http://127.0.0.1:8001/Status"]].concat());
        String::from_utf8_lossy(&ran.out).trim().parse().unwrap_or(0)
    }

    /// Waits until /Status is 200.
    #[track_caller]
    pub fn healthy(&self) {
        until(|| match self.status() {
            200 => Ok(()),
            code => Err(format!(
                "/Status {code}\n{}",
                self.sh("docker ps -a; docker ps -aq | xargs -rn1 docker logs --tail 3 2>&1")
            )),
        });
    }

    // ---------------------------------------------------------------------------------------------- outside

    /// The network beyond the host, of which there is nothing before somebody asks for it.
    pub fn outside(&self) -> &Outside {
        self.outside.get_or_init(|| {
            let outside = Outside::new();
            outside.connect(&self.pid);
            outside
        })
    }

    /// A registry with the product's images under its own name, and that of Docker Hub, that only a proxy with a login leads to.
    pub fn registry(&self) -> &Outside {
        let outside = self.outside();
        outside.registry();
        outside
    }

    /// MariaDB and Redis.
    pub fn backends(&self) -> &Outside {
        let outside = self.outside();
        outside.backends();
        outside
    }

    pub(super) fn reconnect(&mut self, pid: String) {
        self.pid = pid;
        if let Some(outside) = self.outside.get() {
            outside.connect(&self.pid);
        }
    }
}

fn kill(pid: &str) {
    let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// A host in namespaces of its own, with a Docker engine and without systemd.
pub struct Site {
    host: Host,
    _guest: Guest,
    log: PathBuf,
}

// The engine's data is on the disk itself, for an overlay cannot lie on another. Version 1 of the control groups, or 2 alone.
const MORE: &str = r#"
mount -t sysfs -o ro sysfs sys
mkdir dev/shm dev/mqueue
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t mqueue mqueue dev/mqueue
for fd in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${fd%:*}" "dev/${fd#*:}"; done
mkdir -p var/lib/docker
mount --bind "$DIR/docker" var/lib/docker
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
else
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd || true
  while read -r controller hierarchy groups enabled; do
    [ "$enabled" = 1 ] || continue
    mkdir "sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "sys/fs/cgroup/$controller" || rmdir "sys/fs/cgroup/$controller"
  done </proc/cgroups 2>/dev/null
fi
echo "$SHARED" | while read -r from to; do mount --bind "$from" ".$to"; mount -o remount,bind,ro ".$to"; done
# A changed root is not enough: what docker exec starts would be in that of the mount namespace.
pivot_root . mnt
cd /
umount -l mnt
"#;

impl Site {
    pub fn new(engine: Engine) -> Self {
        Self::of(engine, Family::Ubuntu)
    }

    /// The same, dressed as a family.
    pub fn of(engine: Engine, family: Family) -> Self {
        need(&["mount", "ip"]);
        let folder = scratch("site");
        fs::create_dir(folder.path().join("docker")).unwrap();
        let log = folder.path().join("dockerd");
        let shared: Vec<String> = shared().iter().map(|(from, to)| format!("{} {to}", from.display())).collect();
        let guest = Guest::made(
            folder,
            &engine.root(),
            None,
            |upper| furnish(engine, family, upper),
            |script| {
                // The first process has to reap: an engine that was killed stays, otherwise, and the next one waits for it.
                script.env("MORE", MORE).env("INIT", "/usr/bin/docker-init --").env("SHARED", shared.join("\n"));
            },
        );
        let site = Self { host: Host::new(guest.pid().to_owned(), engine), _guest: guest, log };
        site.start_engine(&[], &[]);
        site
    }

    /// Starts the engine with these variables and options, beside its own.
    #[track_caller]
    pub fn start_engine(&self, variables: &[(&str, &str)], options: &[&str]) {
        let group = format!("--cgroup-parent=/{}-{}", name(), self.pid);
        let mut command = self.command(&[&["dockerd", &group], options].concat());
        let log = fs::File::create(&self.log).unwrap();
        let pid = serve(command.envs(variables.iter().copied()).stdout(log.try_clone().unwrap()).stderr(log));
        until(|| {
            let said = || fs::read_to_string(&self.log).unwrap();
            assert!(Path::new(&format!("/proc/{pid}")).exists(), "the engine has ended:\n{}", said());
            match self.run(&["docker", "version"]).code {
                Some(0) => Ok(()),
                _ => Err(said()),
            }
        });
    }

    /// Ends the engine as its service would be stopped; containers that are to restart do at its next start.
    #[track_caller]
    pub fn stop_engine(&self) {
        self.sh("pid=$(cat /run/docker.pid); kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done");
    }

    /// The engine's folder on a disk of so many megabytes, empty.
    #[track_caller]
    pub fn small_disk(&self, megabytes: u32) {
        self.stop_engine();
        self.sh(&format!("mount -t tmpfs -o size={megabytes}m tmpfs /var/lib/docker"));
        self.start_engine(&[], &[]);
    }
}

impl Deref for Site {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}
