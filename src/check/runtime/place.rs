//! The product's folder: what every check of this group needs to know first.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::compose;
use super::docker::Found;
use super::text::is_plain;
use crate::check::spec::CheckSpec;
use crate::check::unit::Look;
use crate::finding::{Finding, Status};
use crate::vendor::{Vendor, prod_env};

/// What stands in the product's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Is this the running system?
    pub(super) live: bool,
    /// Is there a prod.env?
    pub(super) prod_env: bool,
    /// Names of compose files, the usual one first.
    pub(super) compose: Vec<String>,
    /// Is Compose here as a plugin of docker only?
    #[serde(default)]
    pub(super) plugin: bool,
    /// Why the folder could not be listed.
    pub(super) unreadable: Option<String>,
}

impl Place {
    /// Looks.
    pub(super) fn look(look: &Look<'_>) -> Self {
        let home = &look.spec.home;
        let (names, unreadable) = match look.host.list(home) {
            Ok(names) => (names, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let mut compose: Vec<String> = names
            .iter()
            .filter_map(|name| name.to_str())
            // They become parts of commands to paste.
            .filter(|name| {
                is_plain(name)
                    && name.starts_with("docker-compose")
                    && (name.ends_with(".yml") || name.ends_with(".yaml"))
            })
            .take(20)
            .map(str::to_owned)
            .collect();
        compose.sort_by_key(|name| (name != compose::USUAL, name.clone()));
        let files = &Vendor::get().compose;
        let any = |paths: &[PathBuf]| paths.iter().any(|path| look.host.lstat(path).is_ok_and(|stat| stat.is_some()));
        Self {
            plugin: !any(&files.programs) && any(&files.plugins),
            live: look.host.is_live(),
            prod_env: look.host.lstat(&prod_env(home)).is_ok_and(|stat| stat.is_some()),
            compose,
            unreadable,
        }
    }

    /// Is the product installed there?
    pub(super) fn is_installed(&self) -> bool {
        self.prod_env || !self.compose.is_empty()
    }

    /// Is there anything to look at?
    pub(super) fn is_running_system(&self) -> bool {
        self.live && self.is_installed()
    }

    /// The findings where there is nothing to look at: none where the product is not installed (`product` says so), one
    /// that tells what was left out in an image.
    pub(super) fn nothing(&self, id: &'static str, what: &str) -> Option<Vec<Finding>> {
        if !self.is_installed() {
            return Some(Vec::new());
        }
        let skip = Finding::new(id, "runtime", Status::Skip, format!("{what} not looked at"))
            .observed("under --root nothing of the image runs");
        (!self.live).then(|| vec![skip])
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

    /// `docker-compose -f FILE`, or `docker compose` where that is what there is, with the file that the containers were made from where that is known.
    pub(super) fn command(&self, spec: &CheckSpec) -> String {
        let file = self.compose.first().map_or(compose::USUAL, String::as_str);
        let compose = if self.plugin { "docker compose" } else { "docker-compose" };
        format!("{compose} -f {}", spec.home.join(file).display())
    }
}

/// Is the folder that a container's label names the product's?
pub(super) fn is_home(look: &Look<'_>, folder: &str) -> bool {
    let home = &look.spec.home;
    let folder = Path::new(folder.trim_end_matches('/'));
    folder == home || look.host.resolve(home).is_ok_and(|real| look.host.resolve(folder).is_ok_and(|own| own == real))
}
