//! Who can write to a settings file, and who can read a file with a secret.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{getegid, geteuid, getgid, getgroups, getuid};

use crate::finding::{Finding, ids};
use crate::host::{Attributes, FileKind, HostRead, Stat, has_acl, unreadable};
use crate::problem::{Problem, id};
use crate::settings::{Layer, ProxyUrl, SETTINGS_FILE, TABLE};
use crate::system::accounts::{group, is_own_group, members, user};
use crate::text;
use crate::text::{CommandLine, Foreign, Text, as_root, own, quoted, typed};

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
    writable(&file)?;
    let link = |path: &Path| match host.lstat(path)?.is_some_and(|stat| stat.kind == FileKind::Symlink) {
        true => host.read_link(path).map(Some),
        false => Ok(None),
    };
    for folder in passed(path, link).map_err(|error| unreadable(&file.0, &error))? {
        look(&folder)?.map_or(Ok(()), |folder| writable(&folder))?;
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
    // A pipe, and a file that has no name any more, stand in no folder.
    if !meta.is_file() || meta.nlink() == 0 {
        return if owners.contains(&meta.uid()) { Ok(()) } else { Err(of_another(path, path, meta.uid(), &owners)) };
    }
    judge_at(path, &meta)?;
    let link = |path: &Path| match fs::symlink_metadata(path)?.is_symlink() {
        true => fs::read_link(path).map(Some),
        false => Ok(None),
    };
    for folder in passed(&std::path::absolute(path).map_err(failed)?, link).map_err(failed)? {
        judge_at(&folder, &fs::symlink_metadata(&folder).map_err(failed)?)?;
    }
    Ok(())
}

/// More links than the system follows.
const LINKS: usize = 40;

/// Every folder in which a name of this path is looked up, those of links on the way included: whoever can rename something in
/// one of them decides where the path leads.
fn passed(path: &Path, link: impl Fn(&Path) -> io::Result<Option<PathBuf>>) -> io::Result<Vec<PathBuf>> {
    let parts = |path: &Path| -> Vec<OsString> { path.iter().rev().map(OsString::from).collect() };
    let (mut rest, mut at, mut links) = (parts(path), PathBuf::from("/"), 0);
    let mut folders = Vec::new();
    while let Some(part) = rest.pop() {
        match part.to_str() {
            Some("/") => at = PathBuf::from("/"),
            Some(".") => {}
            Some("..") => drop(at.pop()),
            _ => {
                if !folders.contains(&at) {
                    folders.push(at.clone());
                }
                let next = at.join(&part);
                match link(&next)? {
                    None => at = next,
                    Some(_) if links == LINKS => return Err(io::Error::from(nix::errno::Errno::ELOOP)),
                    Some(target) => {
                        links += 1;
                        rest.extend(parts(&target));
                    }
                }
            }
        }
    }
    Ok(folders)
}

/// In a folder with this bit nobody renames the files of others.
fn is_sticky(mode: u32) -> bool {
    mode & 0o1000 != 0
}

/// Can anybody write to it but those who may own it?
fn judge(at: &Writable<'_>, owners: &[u32]) -> Result<(), Problem> {
    if !owners.contains(&at.uid) {
        return Err(of_another(at.file, at.at, at.uid, owners));
    }
    if at.at != at.file && is_sticky(at.mode) {
        return Ok(());
    }
    let name = own(quoted(&at.at.to_string_lossy()));
    let mode = own(format!("{:04o}", at.mode));
    let it = it(at.file, at.at);
    let stranger = || -> Option<Text> {
        let members = members(at.gid);
        match members.known.iter().find(|uid| !owners.contains(uid)) {
            Some(other) => Some(text!("{} is in it", named(*other))),
            // One that was made for a user alone is in nobody's directory.
            None if members.is_all || owners.iter().any(|uid| is_own_group(*uid, at.gid)) => None,
            None => Some("its members are not known".into()),
        }
    };
    let (why, fix) = if at.mode & 0o002 != 0 {
        (text!("every user can write to {} (mode {})", it, mode), text!("chmod o-w {}", name))
    } else if at.mode & 0o020 == 0 {
        return Ok(());
    } else if at.has_acl {
        (text!("an access control list lets others write to {}", it), text!("setfacl -b {}", name))
    } else if let Some(who) = stranger() {
        let group = group(at.gid).map_or_else(|| text!("id {}", at.gid), |name| text!("{}", Foreign::new(name)));
        (text!("the group {} can write to {} (mode {}), and {}", group, it, mode, who), text!("chmod g-w {}", name))
    } else {
        return Ok(());
    };
    let fix = if geteuid().as_raw() == at.uid { typed(fix) } else { as_root(fix) };
    Err(untrusted(at.file, at.at, why).hint_command(fix))
}

fn of_another(file: &Path, at: &Path, uid: u32, owners: &[u32]) -> Problem {
    let mut ids: Vec<u32> = Vec::new();
    for uid in owners {
        if !ids.contains(uid) {
            ids.push(*uid);
        }
    }
    let names = Text::join(ids.into_iter().map(named), " or ");
    let why = text!("{} belongs to {}, and is to be of {}", it(file, at), named(uid), names);
    let chown = as_root(text!("chown root {}", own(quoted(&at.to_string_lossy()))));
    untrusted(file, at, why).hint(match at == file {
        true => text!("read it first; where its content is right: {}", chown),
        false => text!("copy the file to a folder of your own; where this one is to be of root: {}", chown),
    })
}

/// What this is about.
fn it(file: &Path, at: &Path) -> Text {
    if at == file { text!("it") } else { text!("its folder {}", at.display()) }
}

/// A user by name, where there is one.
fn named(uid: u32) -> Text {
    user(uid).map_or_else(|| text!("user id {}", uid), |name| text!("{}", Foreign::new(name)))
}

fn untrusted(file: &Path, at: &Path, why: Text) -> Problem {
    Problem::settings(id::SETTINGS_UNTRUSTED, text!("settings are not taken from {}: {}", file.display(), why))
        .because(
            "a settings file decides where all traffic of this host goes, so nobody else may write to it or its folder",
        )
        .hint(text!("look at it: {}", typed(text!("ls -ld {}", own(quoted(&at.to_string_lossy()))))))
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
            typed(text!("chmod o-r {}", file))
        } else if me == 0 || (mine(&self.gid) && self.mode & 0o040 != 0) {
            as_root(text!("chmod o-r {}", file))
        } else if mine(&self.gid) {
            as_root(text!("chmod g+r,o-r {}", file))
        } else {
            let gid = getgid().as_raw();
            let group = own(quoted(&group(gid).unwrap_or_else(|| gid.to_string())));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_that_a_path_passes_counts_those_of_links_too() {
        let links = [("/a/l", "/b/m"), ("/b/m", "../c/./f"), ("/x", "x")];
        let link =
            |path: &Path| Ok(links.iter().find(|(own, _)| Path::new(own) == path).map(|(_, to)| PathBuf::from(to)));
        let folders = passed(Path::new("/a/l/s.toml"), link).unwrap();
        assert_eq!(folders, ["/", "/a", "/b", "/c", "/c/f"].map(PathBuf::from));
        assert_eq!(passed(Path::new("/x/y"), link).unwrap_err().raw_os_error(), Some(nix::errno::Errno::ELOOP as i32));
    }
}
