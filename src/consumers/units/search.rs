//! Where systemd finds a unit, its other names and its drop-ins (`src/basic/path-lookup.c`, `src/basic/unit-file.c`,
//! `src/shared/dropin.c`, release 252; systemd.unit(5) "Unit File Load Path").

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Stop;
use super::look::{self, File};
use super::names::{self, Kind};
use crate::envfile::unit::Release;
use crate::host::{FileKind, HostRead};

/// Where units are, strongest first. systemd 252 of Debian 12 prints this list at debug level. On most systems /lib is a
/// link to /usr/lib.
const FOLDERS: [&str; 13] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// So many links from name to name are followed.
const MOST_ALIASES: usize = 8;

/// What is there of a unit.
#[derive(Debug)]
pub(super) struct Found {
    /// The name under which systemd keeps it.
    pub(super) id: String,
    /// Its other names.
    pub(super) aliases: Vec<String>,
    /// Its file.
    pub(super) fragment: Option<PathBuf>,
    /// Its drop-ins in the order in which they are read. Each may be one that this systemd does not read.
    pub(super) drop_ins: Vec<(PathBuf, Option<&'static str>)>,
}

/// Looks for a service.
///
/// # Errors
/// A folder is there and cannot be read, or what it has cannot be judged.
pub(super) fn find(host: &dyn HostRead, name: &str, release: Release) -> Result<Found, Stop> {
    let map = Map::of(host)?;
    let (id, aliases, fragment) = map.fragment(host, name)?;
    let drop_ins = map.drop_ins(host, &id, &aliases, release)?;
    Ok(Found { id, aliases, fragment, drop_ins })
}

/// Every service by name, and the folders with what is in them.
struct Map {
    folders: Vec<(PathBuf, BTreeSet<String>)>,
    units: BTreeMap<String, Target>,
}

enum Target {
    File(PathBuf),
    Alias(String),
}

impl Map {
    fn of(host: &dyn HostRead) -> Result<Self, Stop> {
        let mut folders: Vec<(PathBuf, BTreeSet<String>)> = Vec::new();
        let mut known: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
        for folder in FOLDERS.map(Path::new) {
            let Some(resolved) = look::resolve(host, folder)? else { continue };
            // A link to another folder of the list says nothing new.
            let linked = resolved != folder && known.contains(&resolved);
            if !known.contains(&resolved) {
                known.push(resolved);
            }
            if !linked {
                let names = look::folder(host, folder)?;
                let names: BTreeSet<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
                if !names.is_empty() {
                    folders.push((folder.to_path_buf(), names));
                }
            }
        }
        let mut units = BTreeMap::new();
        for (folder, names) in &folders {
            for name in names.iter().filter(|name| names::kind(name).is_some()) {
                if units.contains_key(name) {
                    continue;
                }
                let path = folder.join(name);
                let target = match look::kind(host, &path)? {
                    Some(FileKind::File) => Some(Target::File(path)),
                    Some(FileKind::Symlink) => linked(host, &path, folder, name, &known)?,
                    _ => None,
                };
                units.extend(target.map(|target| (name.clone(), target)));
            }
        }
        Ok(Self { folders, units })
    }

    /// The file that a name leads to.
    fn file(&self, name: &str) -> Option<&Path> {
        let mut name = name.to_owned();
        for step in 0..MOST_ALIASES {
            let target = match self.units.get(&name) {
                Some(target) => target,
                // The target of an alias may be an instance whose template alone is there.
                None if step > 0 => self.units.get(&names::template(&name)?)?,
                None => return None,
            };
            match target {
                Target::File(path) => return Some(path),
                Target::Alias(next) => name.clone_from(next),
            }
        }
        None
    }

    /// Names that lead to the same unit as `name`.
    fn same(&self, host: &dyn HostRead, name: &str) -> Result<Vec<&str>, Stop> {
        let mut same = Vec::new();
        for source in self.units.keys() {
            let Some(file) = self.file(source) else { continue };
            let base = file_name(file);
            let own = if names::kind(source) == Some(Kind::Instance) {
                names::with_instance(base, names::instance(source))
            } else {
                base.to_owned()
            };
            if own == name && !is_mask(host, file)? {
                same.push(source.as_str());
            }
        }
        Ok(same)
    }

    /// The name that systemd keeps the unit under, its other names and its file.
    fn fragment(&self, host: &dyn HostRead, name: &str) -> Result<(String, Vec<String>, Option<PathBuf>), Stop> {
        let template = names::template(name);
        let file = self.file(name).or_else(|| self.file(template.as_deref()?));
        let Some(file) = file else { return Ok((name.to_owned(), Vec::new(), None)) };
        let base = file_name(file);
        let id = names::with_instance(base, names::instance(name));
        let mut all: BTreeSet<String> = BTreeSet::from([name.to_owned(), id.clone()]);
        for known in [name, base] {
            for alias in self.same(host, known)? {
                if template.is_some() && names::kind(alias) == Some(Kind::Template) {
                    let alias = names::with_instance(alias, names::instance(name));
                    let elsewhere = self.file(&alias).is_some_and(|other| file_name(other) != base);
                    if !elsewhere || known == name {
                        all.insert(alias);
                    }
                } else {
                    all.insert(alias.to_owned());
                }
            }
        }
        all.retain(|alias| *alias != id && names::kind(alias) != Some(Kind::Template));
        Ok((id, all.into_iter().collect(), Some(file.to_path_buf())))
    }

    fn drop_ins(
        &self,
        host: &dyn HostRead,
        id: &str,
        aliases: &[String],
        release: Release,
    ) -> Result<Vec<(PathBuf, Option<&'static str>)>, Stop> {
        let mut searched: Vec<(PathBuf, Option<&'static str>)> = Vec::new();
        let mut search = |names: Vec<(String, Option<&'static str>)>| -> Result<(), Stop> {
            for (folder, there) in &self.folders {
                for (name, mark) in &names {
                    let name = format!("{name}.d");
                    if there.contains(&name) && is_folder(host, &folder.join(&name))? {
                        searched.push((folder.join(name), *mark));
                    }
                }
            }
            Ok(())
        };
        let newer = |first: u32, why: &'static str| match release.since(first) {
            Some(true) => Some(None),
            Some(false) => None,
            None => Some(Some(why)),
        };
        let of_prefix = newer(239, "systemd before 239 does not read drop-ins of a prefix");
        for unit in std::iter::once(id).chain(aliases.iter().map(String::as_str)) {
            let names = names::drop_in_folders(unit).into_iter();
            search(names.filter_map(|(name, prefix)| Some((name, if prefix { of_prefix? } else { None }))).collect())?;
        }
        if let Some(mark) = newer(244, "systemd before 244 does not read drop-ins of all services") {
            search(vec![("service".to_owned(), mark)])?;
        }
        look::drop_ins(host, searched.iter().map(|(path, mark)| (path.as_path(), *mark)), ".conf")
    }
}

/// A link among the units: another name of one, or a unit that stands elsewhere. `None`: systemd passes over it.
fn linked(
    host: &dyn HostRead,
    path: &Path,
    folder: &Path,
    name: &str,
    known: &[PathBuf],
) -> Result<Option<Target>, Stop> {
    let doubt = |error: std::io::Error| Stop::file(path, error.to_string());
    let target = folder.join(host.read_link(path).map_err(doubt)?);
    let (Some(parent), Some(last)) = (target.parent(), target.file_name().and_then(|last| last.to_str())) else {
        return Ok(None);
    };
    let Some(parent) = look::resolve(host, parent)? else { return Ok(None) };
    if !known.iter().any(|folder| parent.starts_with(folder)) {
        return Ok(Some(Target::File(path.to_path_buf())));
    }
    Ok(names::may_alias(name, last).then(|| Target::Alias(last.to_owned())))
}

/// A folder, or a link to one.
fn is_folder(host: &dyn HostRead, path: &Path) -> Result<bool, Stop> {
    match look::kind(host, path)? {
        Some(FileKind::Dir) => Ok(true),
        Some(FileKind::Symlink) => {
            let Some(resolved) = look::resolve(host, path)? else { return Ok(false) };
            if look::kind(host, &resolved)? != Some(FileKind::Dir) {
                return Ok(false);
            }
            // 252 looks for a relative target from the root folder, so mostly in vain; others do not.
            let relative = !matches!(host.read_link(path), Ok(target) if target.is_absolute());
            if relative {
                return Err(Stop::file(
                    path,
                    "what systemd makes of a relative link to a folder of drop-ins depends on its release",
                ));
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Is the unit masked by this file: empty, or a link to the null device?
pub(super) fn is_mask(host: &dyn HostRead, path: &Path) -> Result<bool, Stop> {
    Ok(match look::file(host, path)? {
        File::Null => true,
        File::Bytes(bytes) => bytes.is_empty(),
        File::Absent | File::Folder => false,
    })
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
