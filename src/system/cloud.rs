//! In which cloud is this, and whom do clients ask there that no proxy can answer for? From `assets/clouds.toml`.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::assets;
use crate::host::HostRead;
use crate::text::words::words;

/// What `assets/clouds.toml` calls the service.
pub(crate) const ECS: &str = "Amazon ECS";

words! {
    /// A cloud that the product can be connected to; the words are those of `--clouds`.
    pub(crate) enum Cloud {
        /// Amazon Web Services.
        Aws = "aws",
        /// Microsoft Azure.
        Azure = "azure",
        /// Google Cloud.
        Gcp = "gcp",
        /// Alibaba Cloud.
        Alibaba = "alibaba",
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signs {
    cloud: Vec<Sign>,
    /// What runs within a cloud.
    service: Vec<Sign>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    /// The cloud or service, for people.
    name: String,
    /// The file that tells.
    file: PathBuf,
    /// What it begins with there; empty: that it is there tells.
    #[serde(default)]
    begins: String,
    /// A host beside the usual metadata address that clients ask there.
    #[serde(default)]
    direct: Option<String>,
    /// The cloud that the product connects to there, whoever says nothing of it.
    #[serde(default)]
    connects: Option<Cloud>,
}

/// A host that only this host, or one beside it, can answer for. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Direct {
    /// Name or address.
    pub(crate) host: String,
    /// Where it is: `Amazon ECS`.
    pub(crate) of: String,
}

impl Sign {
    fn fits(&self, host: &dyn HostRead) -> bool {
        if self.begins.is_empty() {
            // What nobody but root may look at stands in a folder of the service, which is there then; and all that follows
            // is one more address in a list.
            let is_shut = |error: std::io::Error| error.kind() == ErrorKind::PermissionDenied && host.euid() != 0;
            return host.lstat(&self.file).map_or_else(is_shut, |stat| stat.is_some());
        }
        // What cannot be read says no name of a cloud, and a wrong one would be told as a fault of lists.
        let bytes = host.read(&self.file).ok().flatten();
        bytes.is_some_and(|bytes| bytes.trim_ascii_start().starts_with(self.begins.as_bytes()))
    }
}

fn signs() -> &'static Signs {
    static SIGNS: LazyLock<Signs> = LazyLock::new(|| assets::read(&assets::CLOUDS));
    &SIGNS
}

/// The cloud whose first sign fits; `None`: a machine of somebody's own, or a cloud that is not listed.
pub(crate) fn cloud(host: &dyn HostRead) -> Option<String> {
    signs().cloud.iter().find(|sign| sign.fits(host)).map(|sign| sign.name.clone())
}

/// The cloud that the product connects to on this host. Whether it connects to others besides, nothing tells.
pub(crate) fn connected(host: &dyn HostRead) -> Option<Cloud> {
    signs().cloud.iter().filter(|sign| sign.fits(host)).find_map(|sign| sign.connects)
}

/// Hosts that clients ask here beside the usual metadata address, each once.
pub(crate) fn direct(host: &dyn HostRead) -> Vec<Direct> {
    let mut found: Vec<Direct> = Vec::new();
    for sign in signs().cloud.iter().chain(&signs().service) {
        let Some(direct) = sign.direct.as_ref().filter(|_| sign.fits(host)) else { continue };
        if !found.iter().any(|known| known.host == *direct) {
            found.push(Direct { host: direct.clone(), of: sign.name.clone() });
        }
    }
    found
}

/// The file that tells that this service runs here.
pub(crate) fn service(host: &dyn HostRead, name: &str) -> Option<String> {
    let sign = signs().service.iter().find(|sign| sign.name == name && sign.fits(host))?;
    Some(host.shown(&sign.file).display().to_string())
}

/// The host that tasks of this service ask for themselves.
pub(crate) fn direct_of(service: &str) -> Option<Direct> {
    let sign = signs().service.iter().find(|sign| sign.name == service)?;
    Some(Direct { host: sign.direct.clone()?, of: sign.name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn clouds_are_told_by_their_signs() {
        let host = MemoryHost::new();
        assert_eq!(cloud(&host), None);
        host.put("/sys/class/dmi/id/sys_vendor", b"QEMU\n");
        assert_eq!((cloud(&host), direct(&host), connected(&host)), (None, Vec::new(), None));
        host.put("/sys/class/dmi/id/sys_vendor", b"Amazon EC2\n");
        assert_eq!(cloud(&host).as_deref(), Some("Amazon EC2"));
        assert_eq!(direct(&host), []);
        assert_eq!(connected(&host), Some(Cloud::Aws));
        // Whoever has a machine in one of the others says by that nothing of what is connected.
        host.put("/sys/class/dmi/id/sys_vendor", b"Alibaba Cloud\n");
        assert_eq!(connected(&host), None);
    }

    #[test]
    fn what_runs_in_a_cloud_has_hosts_of_its_own() {
        for (file, bytes, of) in [
            ("/etc/ecs/ecs.config", &b""[..], "169.254.170.2 Amazon ECS"),
            ("/usr/lib/systemd/system/ecs.service", b"[Service]\n", "169.254.170.2 Amazon ECS"),
            ("/var/lib/ecs/data/agent.db", b"\0", "169.254.170.2 Amazon ECS"),
            (
                "/sys/class/dmi/id/product_name",
                b"Google Compute Engine\n",
                "metadata.google.internal Google Compute Engine",
            ),
        ] {
            let host = MemoryHost::new();
            host.put(file, bytes);
            host.put("/etc/ecs/ecs.config.bak", b"");
            let found: Vec<_> = direct(&host).into_iter().map(|own| format!("{} {}", own.host, own.of)).collect();
            assert_eq!(found, [of], "{file}");
        }
        let agent = "/var/lib/ecs/data/agent.db";
        let shut = MemoryHost::new().with_error(agent, std::io::ErrorKind::PermissionDenied);
        assert_eq!(direct(&shut), [], "root may look everywhere: an error is no sign");
    }
}
