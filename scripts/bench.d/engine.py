"""A host of the laboratory with a Docker engine of its own, for what is done to the product. As `Site` of tests/lab/common."""

import os
import shutil
import subprocess
import time

from fixture import OS_RELEASE

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GROUP = "ics-setup-bench"

# The engine's data is on the disk itself, for an overlay cannot lie on another.
SETUP = r"""
mount -t overlay overlay -o volatile,lowerdir="$LOWER",upperdir="$DIR/upper",workdir="$DIR/work" "$DIR/host"
cd "$DIR/host"
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for fd in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${fd%:*}" "dev/${fd#*:}"; done
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t mqueue mqueue dev/mqueue
hostname bench
ip link set lo up
mkdir -p var/lib/docker opt/images
mount --bind "$DIR/docker" var/lib/docker
mount --bind "$IMAGES" opt/images
mkdir -p "./$SCRATCH"
mount --bind "$SCRATCH" "./$SCRATCH"
touch usr/bin/ics-setup
mount --bind "$BINARY" usr/bin/ics-setup
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
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /usr/bin/docker-init -- /bin/sh -c 'echo ready; exec sleep infinity'
"""


class NotThere(OSError):
    """The laboratory has not been provisioned."""


class Site:
    """Engine 20.10 of Debian 12, Compose 2.40 as its plugin, and the images of the stand-in product. It ends with `close`."""

    def __init__(self, scratch, folder, binary):
        """Sees `scratch` at its own path."""
        docker = os.path.realpath(os.path.join(os.environ.get("ICS_SETUP_LAB") or "target/lab", "docker"))
        if not os.path.exists(os.path.join(docker, "images", "stamp")):
            raise NotThere(f"no hosts at {docker}: run scripts/lab/images as root")
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("upper/etc", "upper/usr/lib", "work", "host", "docker"):
            os.makedirs(os.path.join(folder, part))
        with open(os.path.join(folder, "upper/usr/lib/os-release"), "w") as file:
            file.write(OS_RELEASE["ubuntu"])
        plugin = os.path.join(folder, "upper/usr/local/lib/docker/cli-plugins/docker-compose")
        os.makedirs(os.path.dirname(plugin))
        shutil.copy(os.path.join(docker, "compose", "2.40.3"), plugin)
        os.chmod(plugin, 0o755)
        said = open(os.path.join(folder, "holder"), "w")
        self.holder = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--net", "--ipc", "--uts", "sh", "-ec", SETUP],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True, env={
                "PATH": PATH, "SCRATCH": scratch, "LOWER": os.path.join(docker, "debian-12"), "DIR": folder, "BINARY": binary,
                "IMAGES": os.path.join(docker, "images"),
            },
        )
        try:
            if self.holder.stdout.readline() != "ready\n":
                with open(said.name, errors="replace") as file:
                    raise OSError("no namespaces of its own (root is needed): " + " ".join(file.read().split())[-200:])
            spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd"]
            self.enter = ["nsenter", "--target", self.pid, *spaces, "--", "env", "-i", f"PATH={PATH}", "HOME=/root"]
            self.shell("rm -f /usr/bin/docker-compose")
            with open(os.path.join(folder, "dockerd"), "w") as log:
                self.engine = subprocess.Popen(
                    [*self.enter, "dockerd", f"--cgroup-parent=/{GROUP}-{self.pid}"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )
            for _ in range(600):
                if self.run("docker version").returncode == 0:
                    break
                time.sleep(0.1)
            self.shell("docker load -qi /opt/images/images.tar")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self):
        with open(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children") as file:
            return file.read().split()[0]

    def run(self, script):
        return subprocess.run([*self.enter, "sh", "-ec", script], stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def shell(self, script):
        done = self.run(script)
        if done.returncode != 0:
            raise OSError(f"{script}: " + " ".join(done.stderr.split())[-300:])
        return done.stdout

    def close(self):
        if self.holder.poll() is None:
            try:
                self.run("docker ps -q | xargs -r docker rm -f; kill $(cat /run/docker.pid)")
                os.kill(int(self.pid), 9)
            except (OSError, IndexError):
                self.holder.kill()
            self.holder.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
