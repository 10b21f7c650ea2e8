//! What the models make of an image, for the comparison with the readers themselves in `tests/lab/models.rs`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::callers::Door;
use super::docker;
use super::doors;
use super::packages;
use super::pam::{self, Pam};
use super::prod_env;
use super::sight::{Place, Sight, Sights};
use crate::envfile::Dialect;
use crate::host::RealHost;
use crate::platform;

/// Values by name; `None`: the model says that it does not know. A name that is missing is not set.
pub type Modelled = BTreeMap<String, Option<String>>;

/// What `reader` makes of the image below `root`.
///
/// `apt`: the options below `Acquire::http` and `Acquire::https`; an empty name without a value: it does not know. `dnf`:
/// `http_proxy`, and `ID` of each repository with a proxy of its own. `pam:SERVICE`, `sshd`: the variables of a login.
/// `sudo-keeps`: the `file` to put a line into that keeps the names, or `last` for the last line of sudoers, or nothing.
/// `sudo`: those of a command, called with `http_proxy` and `https_proxy` set to `http://caller:1`. `cron`:
/// `FILE USER NAME` for each crontab. `login:DOOR:USER`: the variables of a login, as the shell leaves them. `login:sudo:USER`,
/// `login:sudo-i:USER`: those of a command that root, logged in, starts for a user.
/// `FILE USER NAME` for each crontab. `docker-client`: what root's client puts into a container. `daemon.json`: `old` and `new`, which
/// engines start with `/etc/docker/daemon.json`. `compose:RELEASE`: `SERVICE NAME` for the names `A` to `D` of the project in
/// `/project`, and `SERVICE` itself.
///
/// # Errors
/// `root` is no folder; there is no such reader.
pub fn modelled(reader: &str, root: &Path) -> io::Result<Modelled> {
    let host = RealHost::image(root)?;
    let platform = platform::detect(&host, None).ok().map(|(platform, _)| platform);
    let platform = platform.as_ref();
    Ok(match reader {
        "apt" => packages::apt_options(&host),
        "dnf" => packages::dnf_proxies(&host),
        "sshd" => plain(
            pam::sshd::read(&Pam::new(&host, platform)).map(|ssh| ssh.forced.unwrap_or(ssh.sights)).unwrap_or_default(),
        ),
        "sudo" => {
            let at = Place::new(Path::new("/caller"), 0);
            let caller = Sight::Value { value: "http://caller:1".to_owned(), at };
            let start = ["http_proxy", "https_proxy"].map(|name| (name.to_owned(), caller.clone())).into();
            plain(pam::sudo::read(&host, &start, platform, Door::Sudo).unwrap_or_default())
        }
        "sudo-keeps" => match pam::sudo::keeps(&host, Door::Sudo) {
            None => [(String::new(), None)].into(),
            Some(pam::sudo::Keeps::Already) => Modelled::new(),
            Some(pam::sudo::Keeps::ByFile(path, _)) => [("file".to_owned(), Some(path.display().to_string()))].into(),
            Some(pam::sudo::Keeps::ByLastLine(_)) => [("last".to_owned(), None)].into(),
        },
        "cron" => match pam::cron::read(&host, platform) {
            Err(_) => [(String::new(), None)].into(),
            Ok(cron) => {
                let tables = cron.into_iter().flat_map(|cron| cron.crontabs);
                let names = |table: pam::cron::Crontab| {
                    let place = format!("{} {}", table.path.display(), table.user);
                    plain(table.sights).into_iter().map(move |(name, value)| (format!("{place} {name}"), value))
                };
                tables.flat_map(names).collect()
            }
        },
        "docker-client" => docker::client_gives(&host),
        "daemon.json" => docker::starts_with(&host)?,
        other => match other.split(':').collect::<Vec<_>>().as_slice() {
            ["pam", service] => plain(pam::environment(&Pam::new(&host, platform), service)),
            ["login", door, user] if Door::SUDO.iter().any(|own| own.as_str() == *door) => {
                let found = doors::under_sudo(&host, platform, "root", user)
                    .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                let found = found.into_iter().flatten().find(|(own, _)| own.as_str() == *door);
                plain(found.map(|(_, sights)| sights).unwrap_or_default())
            }
            ["login", door, user] => {
                let ways = doors::ways(&host, platform, &[user, "root"])
                    .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                let way = ways.ways.into_iter().find(|way| way.user.name == *user && way.door.as_str() == *door);
                plain(way.map(|way| way.sights).unwrap_or_default())
            }
            ["compose", release] => match Dialect::of_compose(release) {
                Some(dialect) => prod_env::services_get(&host, Path::new("/project"), dialect),
                None => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
            },
            _ => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
        },
    })
}

fn plain(sights: Sights) -> Modelled {
    let one = |(name, sight)| match sight {
        Sight::Value { value, .. } => Some((name, Some(value))),
        Sight::Unset { .. } => None,
        Sight::Unknown { .. } => Some((name, None)),
    };
    sights.into_iter().filter_map(one).collect()
}
