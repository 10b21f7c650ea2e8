//! In which cloud is this? From `assets/clouds.toml`.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::assets;
use crate::host::HostRead;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    /// The cloud, for people.
    name: String,
    /// The file that tells.
    file: PathBuf,
    /// What it begins with there.
    begins: String,
}

/// The cloud whose first sign fits; `None`: a machine of somebody's own, or a cloud that is not listed.
pub(crate) fn cloud(host: &dyn HostRead) -> Option<String> {
    static SIGNS: LazyLock<Vec<Sign>> = LazyLock::new(|| assets::only(&assets::CLOUDS));
    let fits = |sign: &&Sign| {
        let bytes = host.read(&sign.file).ok().flatten().unwrap_or_default();
        bytes.trim_ascii_start().starts_with(sign.begins.as_bytes())
    };
    SIGNS.iter().find(fits).map(|sign| sign.name.clone())
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
        assert_eq!(cloud(&host), None);
        host.put("/sys/class/dmi/id/sys_vendor", b"Amazon EC2\n");
        assert_eq!(cloud(&host).as_deref(), Some("Amazon EC2"));
    }
}
