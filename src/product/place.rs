//! The product's folder: what everybody who looks at the product needs to know first.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::own::{self, Found};
use super::templates::{AUTHORITY, BUNDLE};
use crate::docker::compose::edit::taken_out;
use crate::docker::text::is_plain;
use crate::docker::{NoDocker, compose};
use crate::envfile::Dialect;
use crate::host::HostRead;
use crate::net::Time;
use crate::text;
use crate::text::{Text, own, quoted, typed};
use crate::vendor::{Vendor, prod_env};

/// Compose's own program.
const USUAL: &str = "docker-compose";

/// Is its folder one that sudo searches on systems of either family?
fn is_found_by_sudo(program: &Path) -> bool {
    program.parent().is_some_and(|folder| ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Path::new).contains(&folder))
}

/// Where the links on the way to a file lead, if nothing is there.
pub(crate) fn leads_nowhere(host: &dyn HostRead, path: &Path) -> Option<PathBuf> {
    // A link that is not followed is told by whoever reads the file.
    let Ok(real) = host.resolve(path) else { return None };
    (real != path && matches!(host.lstat(&real), Ok(None))).then_some(real)
}

/// What a person does about it.
pub(crate) fn bring_back(shown: &Path, target: &Path) -> Text {
    text!("bring back what it leads to; look: {}", typed(text!("ls -ld {} {}", shown, target)))
}

/// The product's folder, by the files of a run.
pub(crate) fn home_of<'p>(mut paths: impl Iterator<Item = &'p Path>) -> Option<PathBuf> {
    let is_of_product = |path: &&Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_mounted = [AUTHORITY, BUNDLE].iter().any(|(own, _)| *own == name);
        name == "prod.env" || is_mounted || compose::rank(&name).is_some()
    };
    paths.find(is_of_product)?.parent().map(Path::to_path_buf)
}

/// What stands in the product's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Is this the running system?
    pub(crate) live: bool,
    /// Is there a prod.env?
    pub(crate) prod_env: bool,
    /// Names of compose files, first those that Compose looks for by itself.
    pub(crate) compose: Vec<String>,
    /// The file that Compose lays over one of those.
    #[serde(default)]
    pub(crate) over: Option<String>,
    /// Is Compose here as a plugin of docker only?
    #[serde(default)]
    pub(crate) plugin: bool,
    /// Compose's own program as a command: its name where root finds it also under sudo, else its path; `None`: there is none.
    #[serde(default)]
    pub(crate) program: Option<String>,
    /// Why the folder could not be listed.
    pub(crate) unreadable: Option<String>,
}

impl Place {
    /// Looks.
    pub(crate) fn look(host: &dyn HostRead, home: &Path) -> Self {
        let (names, unreadable) = match host.list(home) {
            Ok(names) => (names, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        // They become parts of commands to paste.
        let plain = || names.iter().filter_map(|name| name.to_str()).filter(|name| is_plain(name));
        let is_compose = |name: &&str| {
            let by_hand = name.starts_with("docker-compose") && (name.ends_with(".yml") || name.ends_with(".yaml"));
            (by_hand || compose::rank(name).is_some()) && !compose::is_override(name)
        };
        let mut compose: Vec<String> = plain().filter(is_compose).take(20).map(str::to_owned).collect();
        compose.sort_by_key(|name| (compose::rank(name).unwrap_or(usize::MAX), name.clone()));
        let files = &Vendor::get().compose;
        let there = |path: &&PathBuf| !matches!(host.lstat(path), Ok(None));
        let program = files.programs.iter().filter(there).min_by_key(|path| !is_found_by_sudo(path));
        Self {
            plugin: program.is_none() && files.plugins.iter().any(|path| there(&path)),
            program: program.map(|path| if is_found_by_sudo(path) { USUAL.into() } else { path.display().to_string() }),
            live: host.is_live(),
            prod_env: !matches!(host.lstat(&prod_env(home)), Ok(None)),
            over: plain().find(|name| compose::is_override(name)).map(str::to_owned),
            compose,
            unreadable,
        }
    }

    /// Looks at the product's containers too, where there is a running system: what `read` makes of them, or why Docker does
    /// not answer.
    pub(super) fn with_containers<T>(
        mut self,
        host: &dyn HostRead,
        home: &Path,
        time: Time,
        read: impl FnOnce(&Self, &Found) -> T,
    ) -> (Self, Option<Result<T, NoDocker>>) {
        if !self.is_running_system() {
            return (self, None);
        }
        let found = own::containers(host, home, time).inspect(|found| self.prefer(found));
        let read = found.map(|found| read(&self, &found));
        (self, Some(read))
    }

    /// What Compose calls its project by itself: as `.env` or the files say, else after the folder.
    pub(crate) fn project(&self, host: &dyn HostRead, home: &Path) -> String {
        compose::project_name(host, home, &self.files(home)).unwrap_or_else(|| own::project(home))
    }

    /// Is the product installed there?
    pub(crate) fn is_installed(&self) -> bool {
        self.prod_env || !self.compose.is_empty()
    }

    /// Is there anything to look at?
    pub(crate) fn is_running_system(&self) -> bool {
        self.live && self.is_installed()
    }

    /// Puts the compose file in front that the containers say they were made from.
    pub(super) fn prefer(&mut self, found: &Found) {
        let files = found.own.iter().find_map(|container| container.compose_files.as_deref()).unwrap_or_default();
        let used = files.split(',').next().and_then(|file| Path::new(file.trim()).file_name()?.to_str());
        if let Some(at) = self.compose.iter().position(|name| Some(name.as_str()) == used) {
            let name = self.compose.remove(at);
            self.compose.insert(0, name);
        }
    }

    /// `docker-compose -f FILE`, or `docker compose` where only the plugin of docker is installed.
    pub(crate) fn command(&self, home: &Path) -> Text {
        let compose = if self.plugin { "docker compose" } else { self.program.as_deref().unwrap_or(USUAL) };
        let file = |command, file: &PathBuf| text!("{} -f {}", command, own(quoted(&file.to_string_lossy())));
        self.files(home).iter().fold(text!("{}", own(compose)), file)
    }

    /// Is there a Compose, and a file for it? Then [`Place::command`] can run here.
    pub(crate) fn has_compose(&self) -> bool {
        !self.compose.is_empty() && (self.plugin || self.program.is_some())
    }

    /// The compose file that the containers were made from, where that is known; otherwise the usual one.
    pub(crate) fn compose_file(&self, home: &Path) -> PathBuf {
        home.join(self.compose.first().map_or(compose::USUAL, String::as_str))
    }

    /// That file, and the one that Compose lays over it.
    pub(crate) fn files(&self, home: &Path) -> Vec<PathBuf> {
        let over =
            self.over.as_ref().filter(|_| self.compose.first().is_some_and(|name| compose::rank(name).is_some()));
        std::iter::once(self.compose_file(home)).chain(over.map(|name| home.join(name))).collect()
    }

    /// The services that a run has taken out of the compose file, which keeps their lines; `None`: it cannot be told.
    pub(crate) fn taken_out(&self, host: &dyn HostRead, home: &Path) -> Option<Vec<String>> {
        let bytes = match host.read(&self.compose_file(home)) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Some(Vec::new()),
            Err(_) => return None,
        };
        taken_out(&String::from_utf8_lossy(&bytes)).ok()
    }

    /// The services of these files; `None`: they are not there, or not understood.
    pub(crate) fn services(&self, host: &dyn HostRead, home: &Path) -> Option<Vec<compose::Service>> {
        self.compose.first()?;
        self.read_services(host, home).ok()
    }

    /// The services of these files.
    ///
    /// # Errors
    /// Where the reading ends.
    pub(crate) fn read_services(
        &self,
        host: &dyn HostRead,
        home: &Path,
    ) -> Result<Vec<compose::Service>, compose::Stop> {
        compose::services(host, home, &self.files(home), Dialect::ComposeV2)
    }
}
