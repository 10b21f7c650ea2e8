//! Who can write to a settings file, and who can read a file with a secret.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{getegid, geteuid, getgid, getgroups, getuid};

use crate::finding::{Finding, ids};
use crate::host::{Attributes, HostRead, Stat, has_acl, unreadable};
use crate::problem::{Problem, id};
use crate::settings::{Layer, ProxyUrl, SETTINGS_FILE, TABLE};
use crate::system::accounts::{group, members, user};
use crate::text;
use crate::text::{CommandLine, Foreign, Text, as_anybody, as_root, own, quoted};

/// What decides who can write to a settings file, or to its folder.
struct Writable<'a> {
    /// The settings file.
    file: &'a Path,
    /// What it is about.
    at: &'a Path,
    uid: u32,
    gid: u32,
    mode: u32,
    has_acl: bool,
}

/// May the host's own settings file be obeyed? It is to be root's; in an image also of whoever owns that.
///
/// # Errors
/// `settings-untrusted`; it cannot be looked at.
pub(super) fn of_host(host: &dyn HostRead) -> Result<(), Problem> {
    let path = Path::new(SETTINGS_FILE);
    // A link that somebody else could have placed is refused where the file is read.
    let Ok(real) = host.resolve(path) else { return Ok(()) };
    let look = |path: &Path| -> Result<Option<(PathBuf, Stat, bool)>, Problem> {
        let shown = host.shown(path);
        let found = || -> io::Result<Option<(Stat, bool)>> {
            let Some(stat) = host.lstat(path)? else { return Ok(None) };
            Ok(Some((stat, stat.mode & 0o020 != 0 && host.has_acl(path)?)))
        };
        let found = found().map_err(|error| unreadable(&shown, &error))?;
        Ok(found.map(|(stat, has_acl)| (shown, stat, has_acl)))
    };
    let Some(file) = look(&real)? else { return Ok(()) };
    let root = if host.is_this_machine() { None } else { look(Path::new("/"))? };
    let owners: Vec<u32> = [0].into_iter().chain(root.map(|(_, stat, _)| stat.uid)).collect();
    let writable = |(at, stat, has_acl): &(PathBuf, Stat, bool)| {
        let Stat { uid, gid, mode, .. } = *stat;
        judge(&Writable { file: &file.0, at, uid, gid, mode, has_acl: *has_acl }, &owners)
    };
    if !owners.contains(&file.1.uid) {
        return Err(of_another(&file.0, file.1.uid, &owners));
    }
    writable(&file)?;
    for folder in [real.parent(), path.parent()].into_iter().flatten() {
        let folder = host.resolve(folder).unwrap_or_else(|_| folder.to_path_buf());
        look(&folder)?.filter(|(_, stat, _)| !is_sticky(stat.mode)).map_or(Ok(()), |folder| writable(&folder))?;
    }
    Ok(())
}

/// May the file of `--settings`, as it was opened, be obeyed? It is to be root's, or of whoever runs this, or of the user behind
/// sudo.
///
/// # Errors
/// `settings-untrusted`; it cannot be looked at.
pub(super) fn of_given(path: &Path, file: &File) -> Result<(), Problem> {
    let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    let owners: Vec<u32> = [0, getuid().as_raw(), geteuid().as_raw()].into_iter().chain(sudo).collect();
    let failed = |error: io::Error| unreadable(path, &error);
    let judge_at = |at: &Path, meta: &Metadata| {
        let mode = meta.mode() & 0o7777;
        let has_acl = mode & 0o020 != 0 && has_acl(at).map_err(failed)?;
        judge(&Writable { file: path, at, uid: meta.uid(), gid: meta.gid(), mode, has_acl }, &owners)
    };
    let meta = file.metadata().map_err(failed)?;
    if !owners.contains(&meta.uid()) {
        return Err(of_another(path, meta.uid(), &owners));
    }
    // A pipe, and a file that has no name any more, stand in no folder.
    if !meta.is_file() || meta.nlink() == 0 {
        return Ok(());
    }
    judge_at(path, &meta)?;
    let real = fs::canonicalize(path).map_err(failed)?;
    let named = std::path::absolute(path).map_err(failed)?;
    for folder in [real.parent(), named.parent()].into_iter().flatten() {
        let of_folder = fs::metadata(folder).map_err(failed)?;
        if !is_sticky(of_folder.mode()) {
            judge_at(folder, &of_folder)?;
        }
    }
    Ok(())
}

/// In a folder with this bit nobody renames the files of others.
fn is_sticky(mode: u32) -> bool {
    mode & 0o1000 != 0
}

/// Can anybody write to it but its owner, and those who may own it?
fn judge(at: &Writable<'_>, owners: &[u32]) -> Result<(), Problem> {
    let name = own(quoted(&at.at.to_string_lossy()));
    let mode = own(format!("{:04o}", at.mode));
    let it = if at.at == at.file { text!("it") } else { text!("its folder {}", at.at.display()) };
    let stranger = || match members(at.gid) {
        None => Some("its members are not known".into()),
        Some(members) => {
            let other = members.into_iter().find(|uid| *uid != at.uid && !owners.contains(uid))?;
            Some(text!("{} is in it", Foreign::new(user(other))))
        }
    };
    let (why, fix) = if at.mode & 0o002 != 0 {
        (text!("every user can write to {} (mode {})", it, mode), text!("chmod o-w {}", name))
    } else if at.mode & 0o020 == 0 {
        return Ok(());
    } else if at.has_acl {
        (text!("an access control list lets others write to {}", it), text!("setfacl -b {}", name))
    } else if let Some(who) = stranger() {
        let group = group(at.gid);
        (
            text!("the group {} can write to {} (mode {}), and {}", Foreign::new(group), it, mode, who),
            text!("chmod g-w {}", name),
        )
    } else {
        return Ok(());
    };
    let fix = if geteuid().as_raw() == at.uid { as_anybody(fix) } else { as_root(fix) };
    Err(untrusted(at.file, at.at, why).hint_command(fix))
}

fn of_another(shown: &Path, uid: u32, owners: &[u32]) -> Problem {
    let mut names: Vec<String> = Vec::new();
    for name in owners.iter().map(|uid| user(*uid)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let why = text!("it belongs to {}, and is to be of {}", Foreign::new(user(uid)), Foreign::new(names.join(" or ")));
    let file = own(quoted(&shown.to_string_lossy()));
    untrusted(shown, shown, why)
        .hint(text!("read it first; where its content is right: {}", as_root(text!("chown root {}", file))))
}

fn untrusted(file: &Path, at: &Path, why: Text) -> Problem {
    Problem::settings(id::SETTINGS_UNTRUSTED, text!("settings are not taken from {}: {}", file.display(), why))
        .because(
            "a settings file decides where all traffic of this host goes, so nobody else may write to it or its folder",
        )
        .hint(text!("look at it: ls -ld {}", own(quoted(&at.to_string_lossy()))))
}

/// A file that was read, as far as it matters who else can read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readers {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Readers {
    /// Of a regular file; a pipe has no other readers.
    pub(super) fn of(meta: &Metadata) -> Option<Self> {
        meta.is_file().then(|| Self { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 })
    }

    /// Of a file of the host.
    pub(super) fn at(attributes: &Attributes) -> Self {
        Self { uid: attributes.uid, gid: attributes.gid, mode: attributes.mode }
    }

    /// What is to be said of a file with a secret that every user can read. `shown`: as a person here would type it.
    pub(super) fn warn(self, shown: &Path) -> Option<Finding> {
        if self.mode & 0o004 == 0 {
            return None;
        }
        let mode = own(format!("{:04o}", self.mode));
        let closed = closed_folder(shown);
        let title = match &closed {
            None => {
                text!("{} holds a password and every user of this host can read it (mode {})", shown.display(), mode)
            }
            Some(_) => text!("{} holds a password, and by its mode {} every user may read it", shown.display(), mode),
        };
        let finding = Finding::warn(ids::PASSWORD_IN_READABLE_FILE, title);
        let finding = match closed {
            Some(folder) => finding.cause(text!("nothing but the mode of {} keeps them out", folder.display())),
            None => finding,
        };
        Some(finding.fix(self.closing(shown)))
    }

    /// The command after which others cannot read it any more, and whoever has just read it still can.
    fn closing(self, shown: &Path) -> CommandLine {
        let file = own(quoted(&shown.to_string_lossy()));
        let me = geteuid().as_raw();
        let mine = |gid: &u32| *gid == getegid().as_raw() || groups().contains(gid);
        if me == self.uid {
            as_anybody(text!("chmod o-r {}", file))
        } else if me == 0 || (mine(&self.gid) && self.mode & 0o040 != 0) {
            as_root(text!("chmod o-r {}", file))
        } else if mine(&self.gid) {
            as_root(text!("chmod g+r,o-r {}", file))
        } else {
            let group = own(quoted(&group(getgid().as_raw())));
            as_root(text!("chgrp {} {} && chmod g+r,o-r {}", group, file, file))
        }
    }
}

fn groups() -> Vec<u32> {
    getgroups().unwrap_or_default().into_iter().map(nix::unistd::Gid::as_raw).collect()
}

/// A folder on the way that others cannot enter, which may be opened any day.
fn closed_folder(file: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(file).ok()?;
    let is_closed = |folder: &&Path| fs::metadata(folder).is_ok_and(|meta| meta.mode() & 0o001 == 0);
    real.ancestors().skip(1).find(is_closed).map(Path::to_path_buf)
}

/// Has the layer a secret of its own?
pub(super) fn has_secret(layer: &Layer) -> bool {
    let has_login = |url: &str| ProxyUrl::parse(url).is_ok_and(|url| url.password().is_some());
    TABLE.iter().any(|spec| {
        layer.get(spec.key).is_some_and(|own| spec.secret || (spec.value_name == "URL" && has_login(&own.value)))
    })
}
