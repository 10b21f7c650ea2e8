//! The strategies: the ways in which systems are treated. A new one is a variant, and its [`Family`] at the end of this file.

use std::fmt;
use std::path::Path;

use crate::host::HostRead;
use crate::text::words::words;

words! {
    /// The way a system is treated.
    pub enum Strategy {
        /// Like Ubuntu.
        Ubuntu = "ubuntu",
        /// Like CentOS.
        CentOs = "centos",
    }
}

/// What a strategy means.
pub(super) struct Family {
    /// The name for people.
    pub(super) shown: &'static str,
    /// What the strategy takes for granted, in words.
    pub(super) habits: &'static str,
    /// The file that gives logins their proxy.
    pub(super) system_proxy_file: &'static str,
    /// Is that file a shell script? Otherwise pam_env reads it.
    pub(super) system_proxy_is_shell: bool,
    /// The folder of certificates that the host trusts besides, and the command that takes them up.
    pub(super) trust_store: (&'static str, &'static str),
    pub(super) package_manager: fn(&dyn HostRead) -> PackageManager,
}

/// What installs packages, and the file that takes its proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackageManager {
    /// The command, such as `apt`.
    pub name: &'static str,
    /// The file that takes its proxy.
    pub conf: &'static Path,
    /// How the proxy stands in it.
    pub syntax: PackageSyntax,
}

/// How the proxy stands in a package manager's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackageSyntax {
    /// `Acquire::http::Proxy`, in a file of ics-setup's own in `apt.conf.d`.
    Apt,
    /// `proxy` in the section `main` of the administrator's file.
    Ini,
}

impl Strategy {
    /// The folder of certificates that its systems trust besides, and the program that takes them up.
    pub(crate) fn trust_store(self) -> (&'static str, &'static str) {
        self.family().trust_store
    }

    pub(super) fn family(self) -> &'static Family {
        match self {
            Self::Ubuntu => &UBUNTU,
            Self::CentOs => &CENTOS,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// pam_env reads `/etc/environment` for every way of logging in; no shell file. A file of our own for apt, which reads
/// `apt.conf.d` in the order of names: 95 leaves the administrator room behind us.
static UBUNTU: Family = Family {
    shown: "Ubuntu",
    habits: "apt, and the system proxy in /etc/environment",
    system_proxy_file: "/etc/environment",
    system_proxy_is_shell: false,
    trust_store: ("/usr/local/share/ca-certificates", "update-ca-certificates"),
    package_manager: |_| PackageManager {
        name: "apt",
        conf: Path::new("/etc/apt/apt.conf.d/95ics-setup-proxy"),
        syntax: PackageSyntax::Apt,
    },
};

/// `/etc/profile.d/proxy.sh` is sourced by login shells, so written as shell.
static CENTOS: Family = Family {
    shown: "CentOS",
    habits: "dnf or yum, and the system proxy in /etc/profile.d/proxy.sh",
    system_proxy_file: "/etc/profile.d/proxy.sh",
    system_proxy_is_shell: true,
    trust_store: ("/etc/pki/ca-trust/source/anchors", "update-ca-trust"),
    package_manager: dnf_or_yum,
};

/// dnf where it is set up, else yum. `/etc/yum.conf` of a dnf system is a link to `dnf/dnf.conf`: asking for the latter
/// first names the file itself. A path that cannot be looked at counts as there, so that the edit fails and says why.
fn dnf_or_yum(host: &dyn HostRead) -> PackageManager {
    let dnf = Path::new("/etc/dnf/dnf.conf");
    let (name, conf) = match host.lstat(dnf) {
        // yum asks for the first of its two, yum 3 `YumBase._getConfig`.
        Ok(None) if !matches!(host.lstat(Path::new("/etc/yum/yum.conf")), Ok(None)) => {
            ("yum", Path::new("/etc/yum/yum.conf"))
        }
        Ok(None) => ("yum", Path::new("/etc/yum.conf")),
        _ => ("dnf", dnf),
    };
    PackageManager { name, conf, syntax: PackageSyntax::Ini }
}
