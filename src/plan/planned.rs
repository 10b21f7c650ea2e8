//! A host as a plan will leave it, so that what is going to be read can be judged before anything is written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Change, FileMeta};
use crate::host::{Attributes, Command, FileId, FileKind, HostRead, Output, Refused, Snapshot, Space, Stat};

/// The files of a host with those of a plan in their places. No program can be run on it: it is not there yet.
pub(crate) struct PlannedHost<'a> {
    host: &'a dyn HostRead,
    /// By their real paths; `None`: the file is to go.
    files: BTreeMap<&'a Path, Option<Snapshot>>,
}

impl<'a> PlannedHost<'a> {
    /// `host` after `changes`.
    pub(crate) fn new(host: &'a dyn HostRead, changes: &'a [Change]) -> Self {
        let snapshot = |change: &Change| {
            change.after.as_ref().map(|after| Snapshot {
                bytes: after.bytes.clone(),
                attributes: match &after.meta {
                    FileMeta::Like(attributes) => attributes.clone(),
                    FileMeta::Mode(mode) => Attributes::new(*mode, host.euid(), 0),
                },
                links: 1,
            })
        };
        let files = changes.iter().map(|change| (change.real_path.as_path(), snapshot(change))).collect();
        Self { host, files }
    }

    /// The path without links; `None`: whoever reads it is told by the host itself why it is not followed.
    fn followed(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        match self.resolve(path) {
            Ok(real_path) => Ok(Some(real_path)),
            Err(Refused::Io(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }
}

impl PlannedHost<'_> {
    /// A folder that a file of the plan needs.
    fn comes_into_being(&self, path: &Path) -> Option<Stat> {
        let holds = |(file, content): (&&Path, &Option<Snapshot>)| content.is_some() && file.starts_with(path);
        let stat =
            Stat { kind: FileKind::Dir, uid: self.host.euid(), gid: 0, mode: 0o755, links: 2, id: FileId::default() };
        self.files.iter().any(holds).then_some(stat)
    }
}

impl HostRead for PlannedHost<'_> {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        match self.files.get(path) {
            None => {
                let stat = self.host.lstat(path)?;
                Ok(stat.or_else(|| self.comes_into_being(path)))
            }
            Some(None) => Ok(None),
            Some(Some(Snapshot { attributes: Attributes { uid, gid, mode, .. }, .. })) => Ok(Some(Stat {
                kind: FileKind::File,
                uid: *uid,
                gid: *gid,
                mode: *mode,
                links: 1,
                id: FileId::default(),
            })),
        }
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.host.read_link(path)
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, Refused> {
        // A plan makes and changes no links.
        self.host.resolve(path)
    }

    fn snapshot(&self, path: &Path) -> io::Result<Option<Snapshot>> {
        let Some(real_path) = self.followed(path)? else { return self.host.snapshot(path) };
        if let Some(file) = self.files.get(real_path.as_path()) {
            return Ok(file.clone());
        }
        match self.lstat(&real_path)? {
            None => Ok(None),
            Some(_) => self.host.snapshot(path),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let folder = self.followed(path)?.unwrap_or_else(|| path.to_path_buf());
        let mut names = match self.lstat(&folder)? {
            None => Vec::new(),
            Some(_) => self.host.list(path)?,
        };
        for (file, content) in &self.files {
            // A file, or a folder that comes into being with it.
            let below = file.strip_prefix(&folder).ok().and_then(|rest| rest.components().next());
            let Some(name) = below.map(|part| part.as_os_str()) else { continue };
            if content.is_some() {
                names.retain(|known| known != name);
                names.push(name.to_os_string());
            } else if file.parent() == Some(&folder) {
                names.retain(|known| known != name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn run(&self, _command: &Command) -> io::Result<Output> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    fn query(&self, command: &Command) -> io::Result<Output> {
        self.host.query(command)
    }

    fn now(&self) -> SystemTime {
        self.host.now()
    }

    fn euid(&self) -> u32 {
        self.host.euid()
    }

    fn is_live(&self) -> bool {
        false
    }

    fn is_this_machine(&self) -> bool {
        self.host.is_this_machine()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.host.space(path)
    }

    fn label(&self, path: &Path) -> io::Result<Option<String>> {
        self.host.label(path)
    }

    fn shown(&self, path: &Path) -> PathBuf {
        self.host.shown(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::environment::LoginUser;
    use crate::host::{MemoryHost, View};
    use crate::plan::Draft;

    #[test]
    fn files_of_the_plan_stand_in_their_places_and_those_that_go_are_gone() {
        let host = MemoryHost::new();
        host.put("/data/a", b"old");
        host.put_link("/etc/a", "/data/a", 0);
        host.put("/etc/b", b"b");
        host.put("/etc/c", b"c");
        let view = View::new(&host);
        let mut draft = Draft::new(&view);
        draft.put(Path::new("/etc/a"), b"new".to_vec(), 0o600, Vec::new()).unwrap();
        draft.delete(Path::new("/etc/b"), Vec::new()).unwrap();
        draft.put(Path::new("/etc/d/f/e"), b"e".to_vec(), 0o640, Vec::new()).unwrap();
        let planned = PlannedHost::new(&host, &draft.plan.changes);
        let read = |path: &str| planned.read(Path::new(path)).unwrap();
        assert_eq!(read("/etc/a").as_deref(), Some(&b"new"[..]), "through its link");
        assert_eq!(planned.lstat(Path::new("/etc/a")).unwrap().unwrap().kind, FileKind::Symlink);
        assert_eq!((read("/etc/b"), read("/etc/c").as_deref()), (None, Some(&b"c"[..])));
        assert_eq!(planned.lstat(Path::new("/etc/d/f/e")).unwrap().unwrap().mode, 0o640);
        assert_eq!(planned.list(Path::new("/etc")).unwrap(), ["a", "c", "d"]);
        assert_eq!(planned.list(Path::new("/etc/d")).unwrap(), ["f"]);
        assert_eq!(planned.list(Path::new("/etc/d/f")).unwrap(), ["e"]);
        assert_eq!(planned.list(Path::new("/")).unwrap(), ["data", "etc"]);
        assert_eq!(planned.lstat(Path::new("/etc/d")).unwrap().unwrap().kind, FileKind::Dir);
        assert_eq!(planned.lstat(Path::new("/etc/x")).unwrap(), None);
        assert!(!planned.is_live());
    }

    #[test]
    fn who_logs_in_is_the_same_before_and_after() {
        let (image, live) = (MemoryHost::new(), Double::with(MemoryHost::new()));
        for (host, user) in [(&image as &dyn HostRead, "divvy".to_owned()), (&live, LoginUser::here().name)] {
            assert_eq!(LoginUser::of(&View::new(&PlannedHost::new(host, &[]))).name, user);
        }
    }
}
