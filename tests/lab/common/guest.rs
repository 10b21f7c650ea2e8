//! Throw-away machines: a Debian root in namespaces of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{BOUNDED, Family, Leash, Manifest, Ran, below, binary, debian_root, need, need_root, scratch, write};

/// A Debian root dressed as a family, in mount, pid, network, ipc and uts namespaces of its own: real PAM, sudo,
/// shells and users, and nothing of this machine's to break. It ends with the value.
pub struct Guest {
    space: Leash,
    pid: String,
    folder: TempDir,
}

// volatile: nothing of a guest outlives it, so its end need not wait for the disk.
const GUEST: &str = r#"
mount -t overlay overlay -o volatile,lowerdir="$LOWER",upperdir="$DIR/upper",workdir="$DIR/work" "$DIR/host"
cd "$DIR/host"
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/pts && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
[ -z "$BINARY" ] || { touch usr/local/bin/ics-setup && mount --bind "$BINARY" usr/local/bin/ics-setup; }
hostname lab
ip link set lo up
eval "$MORE"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . $INIT /bin/sh -c 'echo ready; exec sleep infinity'
"#;

impl Guest {
    pub fn new(family: Family) -> Self {
        Self::prepared(family, |_| ())
    }

    /// A guest whose upper layer (below which `family` is dressed already) is changed by `prepare` first.
    pub fn prepared(family: Family, prepare: impl FnOnce(&Path)) -> Self {
        Self::over(&debian_root(), Some(&binary()), |upper| {
            family.dress(upper);
            fs::create_dir_all(upper.join("usr/local/bin")).unwrap();
            prepare(upper);
        })
    }

    /// A guest over another root, with `binary` as /usr/local/bin/ics-setup; its upper layer is changed by `prepare` first.
    pub fn over(lower: &Path, binary: Option<&Path>, prepare: impl FnOnce(&Path)) -> Self {
        Self::made(scratch("guest"), lower, binary, prepare, |_| ())
    }

    /// A guest in `folder`. By the environment that `more` gives to the script that makes it, `MORE` mounts what is not
    /// everybody's and `INIT` is the guest's first program.
    pub fn made(
        folder: TempDir,
        lower: &Path,
        binary: Option<&Path>,
        prepare: impl FnOnce(&Path),
        more: impl FnOnce(&mut Command),
    ) -> Self {
        need_root();
        need(&["setpriv", "unshare", "nsenter", "mount", "ip"]);
        for part in ["upper", "work", "host"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let upper = folder.path().join("upper");
        prepare(&upper);

        let space = Leash::holding(&["--net", "--ipc", "--uts"], GUEST, |command| {
            command.env("LOWER", lower).env("DIR", folder.path());
            command.env("BINARY", binary.map_or_else(PathBuf::new, |binary| fs::canonicalize(binary).unwrap()));
            more(command.env("MORE", "").env("INIT", ""));
        });
        Self { pid: space.pid(), space, folder }
    }

    /// The guest's first process, as this machine counts.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// Where the guest's root is for processes in its mount namespace that have not changed theirs.
    pub fn host(&self) -> PathBuf {
        self.folder.path().join("host")
    }

    /// The guest's root as this process can read and write it. Absolute links lead out of it.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid))
    }

    pub fn path(&self, path: &str) -> PathBuf {
        below(&self.root(), path)
    }

    /// A file's bytes as a process inside reads them, so that absolute links lead where they do for it.
    #[track_caller]
    pub fn read(&self, path: &str) -> Vec<u8> {
        self.run(&["cat", path]).expect(0).out
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.root(), path, content);
    }

    /// A command inside, as root, with an environment of nothing but PATH. Its folder is that of the guest's first process: one
    /// that was named here would be this machine's.
    pub fn command(&self, words: &[&str]) -> Command {
        self.enter(&["--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd"], words)
    }

    /// A command of this machine in some of the guest's namespaces.
    pub fn enter(&self, namespaces: &[&str], words: &[&str]) -> Command {
        self.space.enter(namespaces, words)
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

    /// All of /etc, but for the file with which a test fills a disk.
    pub fn manifest(&self) -> Manifest {
        Manifest::take(&self.path("etc"), &["filler", "systemd/system/filler"])
    }

    /// Forgotten temporary files anywhere that the tool writes.
    pub fn leftovers(&self) -> String {
        self.sh("find /etc /var /divvycloud /usr/local /tmp /root /home -xdev -name '.ics-setup*' 2>/dev/null || true")
            + &self.sh("find /etc/ /var/lib/ -name '.ics-setup*' 2>/dev/null || true")
    }
}
