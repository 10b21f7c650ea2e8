//! The files of the host that say how requests go, each with what its reader makes of it. Settings that a host has, plans and
//! checks all take their files from here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::docker::{docker_drop_in, docker_unit};
use super::sight::{Place, Sight, Sights, Stop};
use super::units::Service;
use super::{ALL_NAMES, NAMES, logins};
use crate::envfile::unit::{self, Release};
use crate::envfile::{Dialect, PamLimit, Seen, Syntax, UTF_16, find, utf_16};
use crate::environment::daemon_json;
use crate::host::{FileKind, HostRead, Snapshot, unreadable};
use crate::platform::Platform;
use crate::problem::Problem;
use crate::system::profile_d;
use crate::text;
use crate::text::{Text, own};
use crate::vendor::{Vendor, prod_env};

pub(crate) use super::ENVIRONMENT;

/// Whom a file is for. Part of saved facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reader {
    /// Everything that a person or cron starts.
    Logins,
    /// The Docker daemon.
    Docker,
    /// The product's containers.
    Containers,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines(Dialect),
    DropIn,
    DaemonJson,
}

/// A file that may say how requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its path on the host.
    pub(crate) path: PathBuf,
    /// Whom it is for.
    pub(crate) reader: Reader,
    form: Form,
}

/// What such a file says.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Its path on the host.
    pub(crate) path: PathBuf,
    /// Whom it is for.
    pub(crate) reader: Reader,
    /// What its reader makes of it; a name that it does not mention is missing.
    pub(crate) sights: Sights,
    /// The file; `None`: it was read by the model of a reader of several files.
    pub(crate) file: Option<Arc<Snapshot>>,
}

/// The files in the order in which they count: those of logins, the product's, the Docker daemon's. `scripts` are those of
/// [`profile_scripts`], `daemon` is the daemon's unit.
pub(crate) fn files(platform: Option<&Platform>, scripts: Vec<PathBuf>, home: &Path, daemon: &str) -> Vec<File> {
    let file = |path: PathBuf, reader, form| File { path, reader, form };
    let mut files = Vec::new();
    if let Some(platform) = platform {
        let system = platform.system_proxy_file();
        files.push(file(system.into(), Reader::Logins, Form::Lines(platform.system_proxy_dialect())));
        let script = |path| file(path, Reader::Logins, Form::Lines(Dialect::Shell));
        files.extend(scripts.into_iter().map(script));
        // Whichever file is ours there.
        if system != Path::new(ENVIRONMENT) {
            let form = Form::Lines(Dialect::PamEnv(PamLimit::None));
            files.push(file(ENVIRONMENT.into(), Reader::Logins, form));
        }
    }
    files.push(file(prod_env(home), Reader::Containers, Form::Lines(Dialect::DockerEnvFile)));
    files.push(file(docker_drop_in(daemon), Reader::Docker, Form::DropIn));
    files.push(file(Vendor::get().docker.daemon_json.clone(), Reader::Docker, Form::DaemonJson));
    files
}

/// The unit of the Docker daemon, and what others of its files say than those in [`files`].
pub(crate) fn daemon(host: &dyn HostRead, platform: Option<&Platform>) -> (&'static str, Vec<Source>) {
    let (unit, service) = docker_unit(host, platform.map_or(Release::UNKNOWN, Platform::systemd));
    (unit, of_service(&service, &docker_drop_in(unit)))
}

/// What decides for a service that is there, but for what `ours` says.
fn of_service(service: &Service, ours: &Path) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let sights = service.sights(&ALL_NAMES).into_iter().filter(|(_, sight)| sight.at().path != ours);
    for (name, sight) in sights.filter(|_| service.fragment.is_some()) {
        let path = sight.at().path.clone();
        let sights = Sights::from([(name, sight)]);
        match sources.iter_mut().find(|source| source.path == path) {
            Some(source) => source.sights.extend(sights),
            None => sources.push(Source { path, reader: Reader::Docker, sights, file: None }),
        }
    }
    sources
}

impl File {
    /// What it says with this content.
    pub(crate) fn source(&self, file: Arc<Snapshot>) -> Source {
        // `prod.env` is taken as it was meant, by whoever brings its values over.
        let is_unreadable = self.reader != Reader::Containers && utf_16(&file.bytes).is_some();
        let sights = match self.form {
            _ if is_unreadable => Stop::file(&self.path, text!("it is {}", own(UTF_16))).sights(&NAMES),
            Form::Lines(dialect) => by_lines(&self.path, &file.bytes, dialect),
            Form::DropIn => of_drop_in(&self.path, &file.bytes),
            Form::DaemonJson => of_daemon_json(&self.path, &file.bytes),
        };
        Source { path: self.path.clone(), reader: self.reader, sights, file: Some(file) }
    }
}

impl Source {
    /// When the file was changed.
    pub(crate) fn mtime(&self) -> Option<i64> {
        self.file.as_ref()?.attributes.mtime
    }
}

/// What the reader of a file of `NAME=value` lines gets.
fn by_lines(path: &Path, bytes: &[u8], dialect: Dialect) -> Sights {
    let (syntax, why) = match dialect {
        Dialect::PamEnv(_) => (Syntax::PamEnv, "releases of pam_env differ about it"),
        Dialect::Shell => (Syntax::Shell, BY_SOMETHING_ELSE),
        _ => (Syntax::EnvFile, BY_SOMETHING_ELSE),
    };
    let reading = dialect.read_only(bytes, &ALL_NAMES.map(str::as_bytes));
    let lines = find(bytes, syntax, &ALL_NAMES);
    let sight = |(name, seen): (Vec<u8>, Seen)| {
        let name = String::from_utf8_lossy(&name).into_owned();
        let last = lines.iter().rev().find(|line| ALL_NAMES[line.name] == name);
        let at = Place::new(path, last.map_or(0, |line| line.line));
        let sight = match seen {
            Seen::Value(value) => Sight::of_bytes(value, at),
            Seen::Inherited | Seen::Unknown => Sight::unknown(&at, why),
        };
        (name, sight)
    };
    reading.variables.into_iter().map(sight).collect()
}

const BY_SOMETHING_ELSE: &str = "a condition, a command or another variable decides it";

/// `Environment=` of a drop-in.
fn of_drop_in(path: &Path, bytes: &[u8]) -> Sights {
    let assignments = unit::assignments(bytes);
    let sight = |name: &str| {
        let found = unit::value(&assignments, name)?;
        let value = String::from_utf8_lossy(&found.value).into_owned();
        Some((name.to_owned(), Sight::Value { value, at: Place::new(path, found.line) }))
    };
    ALL_NAMES.into_iter().filter_map(sight).collect()
}

/// `proxies` of `daemon.json`, under both names of the variables that they outrank.
fn of_daemon_json(path: &Path, bytes: &[u8]) -> Sights {
    let at = |line| Place::new(path, line);
    match daemon_json(bytes) {
        Ok(values) => {
            let both = |(name, value): (&str, String)| {
                let sight = Sight::Value { value, at: at(0) };
                [(name.to_owned(), sight.clone()), (name.to_ascii_uppercase(), sight)]
            };
            values.proxies.into_iter().flat_map(both).collect()
        }
        Err(error) => {
            let unknown = |name: &str| {
                let why = Text::from("it is no JSON: the daemon does not start with it");
                (name.to_owned(), Sight::Unknown { at: at(error.line()), why })
            };
            NAMES.into_iter().map(unknown).collect()
        }
    }
}

/// What the login shell of a user gets, given what it had before the shell began.
pub(crate) fn of_login(host: &dyn HostRead, platform: &Platform, name: &str, start: &Sights) -> Sights {
    match logins::user(host, name) {
        Ok(user) => logins::login(host, Some(platform), &user, false, start),
        Err(error) => {
            let why = text!("/etc/passwd or /etc/group could not be read: {}", error);
            Stop::file(Path::new("/etc/passwd"), why).sights(&NAMES)
        }
    }
}

/// The scripts in `/etc/profile.d` that login shells source beside the one that is ours, in the order in which they do.
///
/// # Errors
/// A folder that is there and cannot be read.
pub(crate) fn profile_scripts(host: &dyn HostRead, platform: &Platform) -> Result<Vec<PathBuf>, Problem> {
    let scripts = profile_d::scripts(host).map_err(|error| unreadable(&profile_d::shown(host), &error))?;
    let mut found = Vec::new();
    for path in scripts.into_iter().filter(|path| path != platform.system_proxy_file()) {
        let stat = host.lstat(&path).map_err(|error| unreadable(&host.shown(&path), &error))?;
        if stat.is_some_and(|stat| stat.kind == FileKind::File) {
            found.push(path);
        }
    }
    Ok(found)
}
