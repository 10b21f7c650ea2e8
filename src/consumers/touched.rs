//! The files that runs write, with who reads them: the README's table, and what the wizard says of each change.

use std::path::Path;

/// A file, or several of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Touched {
    /// As the README names it.
    pub shown: &'static str,
    /// Its paths; `*` stands for any text.
    paths: &'static [&'static str],
    /// The verbs that write it, as the README names them.
    pub by: &'static str,
    /// What is written.
    pub what: &'static str,
    /// Who reads it, and when.
    read_by: &'static str,
}

/// All of them; the first that fits a path counts.
pub const TOUCHED: [Touched; 15] = [
    Touched {
        shown: "`/usr/local/share/ca-certificates/ics-setup-proxy-ca-*.crt`, `/etc/pki/ca-trust/source/anchors/ics-setup-proxy-ca-*.crt`",
        paths: &["/usr/local/share/ca-certificates/*", "/etc/pki/ca-trust/source/anchors/*"],
        by: "`prepare`, `install`, `reconfigure` with `--proxy-ca`",
        what: "the authority of a proxy that inspects TLS, where the host does not trust it already",
        read_by: "update-ca-certificates or update-ca-trust, which are run; the Docker daemon when it starts",
    },
    Touched {
        shown: "`/etc/environment` (Ubuntu family)",
        paths: &["/etc/environment"],
        by: "`prepare`, `install`",
        what: "`http_proxy`, `https_proxy`, `no_proxy` as `name=\"value\"`",
        read_by: "PAM at each login; sessions that run keep what they have",
    },
    Touched {
        shown: "`/etc/profile.d/proxy.sh` (CentOS family)",
        paths: &["/etc/profile.d/proxy.sh"],
        by: "`prepare`, `install`",
        what: "the same with `export`",
        read_by: "each login shell; sessions that run keep what they have",
    },
    Touched {
        shown: "`/etc/systemd/system/docker.service.d/http-proxy.conf`",
        paths: &["/etc/systemd/system/*.service.d/http-proxy.conf"],
        by: "`prepare`, `install`",
        what: "`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` for the Docker daemon",
        read_by: "the Docker daemon when it starts",
    },
    Touched {
        shown: "`/etc/docker/daemon.json`",
        paths: &["/etc/docker/daemon.json"],
        by: "`prepare`, `install`",
        what: "only where it has `proxies` already, which outrank the drop-in",
        read_by: "the Docker daemon when it starts",
    },
    Touched {
        shown: "`/etc/apt/apt.conf.d/95ics-setup-proxy`, `/etc/dnf/dnf.conf`, `/etc/yum.conf`",
        paths: &["/etc/apt/apt.conf.d/95ics-setup-proxy", "/etc/dnf/dnf.conf", "/etc/yum.conf"],
        by: "`prepare --target package-manager`",
        what: "the package manager's proxy",
        read_by: "the package manager at each of its runs",
    },
    Touched {
        shown: "`/divvycloud/prod.env`",
        paths: &["*/prod.env"],
        by: "`install`, `reconfigure`",
        what: "made where there is none; else uncomments and sets the proxy lines; database and Redis lines when given",
        read_by: "the product's containers when they are started anew",
    },
    Touched {
        shown: "`/divvycloud/docker-compose.yml`",
        paths: &["*/docker-compose.yml", "*/docker-compose.yaml", "*/compose.yaml", "*/compose.yml"],
        by: "`install`, `reconfigure`",
        what: "made where there is none; else image, services of a role, workers, port and address, where a setting of the run names them",
        read_by: "Compose at each of its runs",
    },
    Touched {
        shown: "`/divvycloud/proxy_cert.crt`, `/divvycloud/proxy_ca_bundle.crt`",
        paths: &["*/proxy_cert.crt", "*/proxy_ca_bundle.crt"],
        by: "`install`, `reconfigure` with `--proxy-ca`",
        what: "that authority, and the host's public roots with it; both are mounted into the containers",
        read_by: "the product's containers, which are created anew for it",
    },
    Touched {
        shown: "`/divvycloud/mysql.env`",
        paths: &["*/mysql.env"],
        by: "`install`",
        what: "of a Test Drive: accounts of its database, with a password that was made up",
        read_by: "the container of MySQL when the folder of its data is made",
    },
    Touched {
        shown: "`/etc/systemd/system/insightcloudsec.service`",
        paths: &["/etc/systemd/system/insightcloudsec.service"],
        by: "`install`",
        what: "starts the product when the host has started",
        read_by: "systemd, when the host has started",
    },
    Touched {
        shown: "root's crontab",
        paths: &["/var/spool/cron/*"],
        by: "`install`",
        what: "the vendor's line that starts the product goes, since the unit does it",
        read_by: "cron",
    },
    Touched {
        shown: "`/etc/apt/sources.list.d/ics-setup-docker.list`, `/etc/yum.repos.d/ics-setup-docker.repo`, and the key",
        paths: &[
            "/etc/apt/sources.list.d/ics-setup-*",
            "/etc/yum.repos.d/ics-setup-*",
            "/etc/apt/keyrings/ics-setup-*",
            "/etc/pki/rpm-gpg/*",
        ],
        by: "`install --docker-repo`",
        what: "the repository that Docker comes from",
        read_by: "the package manager at each of its runs",
    },
    Touched {
        shown: "`/var/lib/ics-setup` (0700)",
        paths: &["/var/lib/ics-setup/*"],
        by: "all",
        what: "lock, journals, backups, what the last run was told without passwords, what runs have made beside files, a password that was made up (0600)",
        read_by: "ics-setup itself",
    },
    Touched {
        shown: "other files with lines that would win",
        paths: &["*"],
        by: "`prepare`",
        what: "those lines, in files of nobody; in those of packages and configuration tools with `--mend-others`",
        read_by: "whoever reads it now, at the next start",
    },
];

impl Touched {
    /// The entry of a path.
    pub(crate) fn of(path: &Path) -> Option<&'static Self> {
        let path = path.to_str()?;
        let fits = |pattern: &&str| match pattern.split_once('*') {
            Some((head, tail)) => {
                path.len() >= head.len() + tail.len() && path.starts_with(head) && path.ends_with(tail)
            }
            None => path == *pattern,
        };
        TOUCHED.iter().find(|touched| touched.paths.iter().any(fits))
    }

    /// Who reads a file, and when.
    pub(crate) fn readers(path: &Path) -> &'static str {
        Self::of(path).map_or("whoever is configured to", |touched| touched.read_by)
    }
}
