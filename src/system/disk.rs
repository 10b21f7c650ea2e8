//! Size, free space and inodes of file systems.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Seen, exists, unread};
use crate::host::{HostRead, Space};
use crate::text::Text;
use crate::vendor::prod_env;

#[derive(Serialize, Deserialize)]
pub(crate) struct DiskFacts {
    /// Is the product's folder filled already?
    pub(crate) installed: bool,
    pub(crate) places: Vec<Place>,
    /// Where Docker keeps images and the containers' own files.
    #[serde(default = "usual")]
    pub(crate) docker: PathBuf,
    /// Why that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) docker_unknown: Option<Text>,
}

/// Where Docker keeps images and containers unless it is told otherwise.
pub(crate) const DATA_ROOT: &str = "/var/lib/docker";

/// That, for facts which do not tell.
fn usual() -> PathBuf {
    DATA_ROOT.into()
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    /// What it is for.
    pub(crate) path: PathBuf,
    /// The nearest folder that exists, as a person would type it.
    pub(crate) looked_at: PathBuf,
    pub(crate) space: Seen<Space>,
}

/// Looks at the file systems that the system, the product and Docker lie on, or would lie on; `home` is the product's folder,
/// `docker` that of the engine's data, or why it is not known.
pub(crate) fn observe(host: &dyn HostRead, home: &Path, docker: Result<PathBuf, Text>) -> DiskFacts {
    let known = [Path::new("/"), home].into_iter().chain(docker.as_deref().ok());
    DiskFacts {
        installed: exists(host, &prod_env(home)),
        places: known.map(|path| place(host, path)).collect(),
        docker_unknown: docker.as_ref().err().cloned(),
        docker: docker.unwrap_or_else(|_| usual()),
    }
}

fn place(host: &dyn HostRead, path: &Path) -> Place {
    let nearest = path.ancestors().find(|path| exists(host, path)).unwrap_or(Path::new("/"));
    let looked_at = host.shown(nearest);
    let space = match host.space(nearest) {
        Ok(space) => Seen::Is(space),
        Err(error) => Seen::Unread(unread(&looked_at, &error)),
    };
    Place { path: path.to_path_buf(), looked_at, space }
}
