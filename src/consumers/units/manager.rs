//! What systemd gives to every service: `DefaultEnvironment=` of its own configuration, and what its environment generators
//! print (`parse_config_file()` in `src/core/main.c`, release 252; systemd-system.conf(5), systemd.environment-generator(7)).

use std::path::{Path, PathBuf};

use super::load::environment;
use super::loaded::Variables;
use super::look::{self, File};
use super::{Place, Stop};
use crate::envfile::unit::{self, Release, Whose};
use crate::host::HostRead;
use crate::text;
use crate::text::own;

const MAIN: &str = "/etc/systemd/system.conf";

/// Where newer releases look when there is none in /etc.
const OTHER_MAINS: [&str; 3] =
    ["/run/systemd/system.conf", "/usr/local/lib/systemd/system.conf", "/usr/lib/systemd/system.conf"];

const DROP_INS: [&str; 5] = [
    "/etc/systemd/system.conf.d",
    "/run/systemd/system.conf.d",
    "/usr/local/lib/systemd/system.conf.d",
    "/usr/lib/systemd/system.conf.d",
    "/lib/systemd/system.conf.d",
];

const GENERATORS: [&str; 4] = [
    "/run/systemd/system-environment-generators",
    "/etc/systemd/system-environment-generators",
    "/usr/local/lib/systemd/system-environment-generators",
    "/usr/lib/systemd/system-environment-generators",
];

/// Generators that set nothing but PATH: snapd's, which Ubuntu ships (its source: `cmd/snapd-env-generator/main.c`).
const HARMLESS: [&str; 1] = ["snapd-env-generator"];

/// The environment of all services.
pub(super) fn environment_of_all(host: &dyn HostRead, release: Release) -> Variables {
    let mut variables = Variables::default();
    if let Err(doubt) = configured(host, release, &mut variables) {
        variables.doubt(doubt);
    }
    match generator(host) {
        Ok(None) => {}
        Ok(Some(path)) if release.since(233) != Some(false) => {
            let why = text!("{} is run by systemd and may set variables", own(path.display()));
            variables.doubt(Stop { at: Place::new(&path, 0), why });
        }
        Ok(Some(_)) => {}
        Err(doubt) => variables.doubt(doubt),
    }
    variables
}

/// The files of systemd's configuration that there are, in the order in which they are read.
fn files(host: &dyn HostRead, release: Release) -> Result<Vec<PathBuf>, Stop> {
    let mut files = Vec::new();
    let mains = match release.between(252, 257) {
        Some(false) => &OTHER_MAINS[..0],
        _ => &OTHER_MAINS[..],
    };
    for path in std::iter::once(MAIN).chain(mains.iter().copied()).map(Path::new) {
        if !matches!(look::file(host, path)?, File::Absent) {
            if path != Path::new(MAIN) && release.between(252, 257).is_none() {
                return Err(Stop::file(path, "only newer releases of systemd read it"));
            }
            files.push(path.to_path_buf());
            break;
        }
    }
    let drop_ins = look::drop_ins(host, DROP_INS.iter().map(|folder| (Path::new(*folder), ())), ".conf")?;
    files.extend(drop_ins.into_iter().map(|(path, ())| path));
    Ok(files)
}

fn configured(host: &dyn HostRead, release: Release, variables: &mut Variables) -> Result<(), Stop> {
    for path in files(host, release)? {
        let bytes = match look::file(host, &path) {
            Ok(File::Bytes(bytes)) => bytes,
            Ok(File::Absent | File::Null) => continue,
            // What comes after a file that fails is not read.
            Ok(File::Folder) => return Ok(()),
            Err(doubt) => return Err(doubt),
        };
        let content = unit::read(&bytes, b"Manager", release);
        for entry in content.entries.iter().filter(|entry| entry.key == "DefaultEnvironment") {
            environment(entry, &path, Whose::Manager, release, variables);
        }
        match content.end {
            None => {}
            Some(end) if end.certain => return Ok(()),
            Some(end) => return Err(Stop::line(&path, end.line, end.why)),
        }
    }
    Ok(())
}

/// The first generator that may set what is of interest.
fn generator(host: &dyn HostRead) -> Result<Option<PathBuf>, Stop> {
    for (path, ()) in look::drop_ins(host, GENERATORS.iter().map(|folder| (Path::new(*folder), ())), "")? {
        let harmless = path.file_name().is_some_and(|name| HARMLESS.iter().any(|known| name == *known));
        let masked = matches!(look::file(host, &path)?, File::Null | File::Absent | File::Folder);
        if !harmless && !masked {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
