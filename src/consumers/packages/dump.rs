//! dnf and yum themselves, asked what they have read.
//!
//! Nothing is asked of plug-ins, which may speak to the network.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::super::sight::{Place, Sight, Sights};
use super::dnf::{DNF5, OF_PROXY, Reader, in_environment};
use super::{Proxies, Special, Whom};
use crate::host::HostRead;
use crate::platform::PackageManager;

/// Pythons that know dnf 4: RHEL's own, which has no other name there, and the usual one.
const PYTHONS: [&str; 2] = ["/usr/libexec/platform-python", "/usr/bin/python3"];

/// Those that know yum 3.
const OLD_PYTHONS: [&str; 2] = ["/usr/bin/python2", "/usr/bin/python"];

/// Prints what [`read`] reads. Exit code 1: dnf refuses its configuration.
///
/// Where the release of the system cannot be found out, as in a root of another family, dnf wants these three to be set.
const DNF: &str = "import dnf, json
b = dnf.Base()
for name in ('releasever', 'arch', 'basearch'):
    if not b.conf.substitutions.get(name): b.conf.substitutions[name] = 'none'
b.conf.read()
b.read_all_repos()
keys = ('proxy', 'proxy_username', 'proxy_password')
of = lambda conf: {key: getattr(conf, key) or '' for key in keys}
print(json.dumps({'main': of(b.conf), 'repositories': {repo.id: of(repo) for repo in b.repos.iter_enabled()}}))";

/// The same for yum.
const YUM: &str = "import json, yum
b = yum.YumBase()
b.preconf.debuglevel = b.preconf.errorlevel = 0
b.preconf.init_plugins = False
keys = ('proxy', 'proxy_username', 'proxy_password')
of = lambda conf: dict((key, getattr(conf, key) or '') for key in keys)
main = of(b.conf)
print(json.dumps({'main': main, 'repositories': dict((repo.id, of(repo)) for repo in b.repos.listEnabled())}))";

/// The command that asks this package manager; `None`: there is none for it.
pub(super) fn command(host: &dyn HostRead, manager: PackageManager) -> Option<Vec<&'static str>> {
    let is_there = |path: &&str| matches!(host.lstat(Path::new(path)), Ok(Some(_)));
    let by_python = |pythons: [&'static str; 2], program| {
        let python = pythons.into_iter().find(is_there)?;
        Some(vec![python, "-c", program])
    };
    match Reader::of(host, manager).ok()? {
        Reader::Dnf4 => by_python(PYTHONS, DNF),
        Reader::Dnf5 => Some(vec![DNF5, "--dump-main-config", "--dump-repo-config=*"]),
        Reader::Yum => by_python(OLD_PYTHONS, YUM),
    }
}

/// The keys of one section.
type Keys = BTreeMap<String, String>;

#[derive(Default, Deserialize)]
struct Dump {
    main: Keys,
    repositories: BTreeMap<String, Keys>,
}

impl Dump {
    /// What dnf5 prints: a line for each section, and lines of keys, those without a value that are not set (5.4.6).
    fn of_dnf5(text: &str) -> Option<Self> {
        let mut dump = Self::default();
        let mut section: Option<&mut Keys> = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("======== ").and_then(|line| line.strip_suffix(" ========")) {
                let id = name.split('"').nth(1);
                section = Some(match id {
                    Some(id) => dump.repositories.entry(id.to_owned()).or_default(),
                    None => &mut dump.main,
                });
            } else if let (Some(keys), Some((key, value))) = (section.as_mut(), line.split_once(" = "))
                && OF_PROXY.iter().chain(&["enabled"]).any(|own| *own == key)
            {
                keys.insert(key.to_owned(), value.to_owned());
            }
        }
        section?;
        dump.repositories.retain(|_, keys| keys.get("enabled").is_none_or(|value| value != "0"));
        Some(dump)
    }
}

/// What the package manager makes of its files by its own word. `None`: that is no output of what [`command`] runs.
pub(super) fn read(host: &dyn HostRead, manager: PackageManager, output: &[u8], start: &Sights) -> Option<Proxies> {
    let reader = Reader::of(host, manager).ok()?;
    let dump = match reader {
        Reader::Dnf5 => Dump::of_dnf5(std::str::from_utf8(output).ok()?)?,
        Reader::Dnf4 | Reader::Yum => serde_json::from_slice(output).ok()?,
    };
    let at = || Place::new(Path::new(manager.name), 0);
    let sight = |keys: &Keys| {
        let text = |key: &str| keys.get(key).map(String::as_str).filter(|text| !text.is_empty());
        let url = text("proxy")?;
        let value = match text("proxy_username") {
            Some(user) => reader.with_login(url, user, text("proxy_password")),
            None => url.to_owned(),
        };
        Some(Sight::Value { value, at: at() })
    };
    let main = sight(&dump.main);
    let others = dump.repositories.iter().filter_map(|(id, keys)| {
        let own = sight(keys);
        let differs = own.as_ref().and_then(Sight::value) != main.as_ref().and_then(Sight::value);
        let sight = own.unwrap_or(Sight::Unset { at: at() });
        differs.then(|| Special { whom: Whom::Repository(id.clone()), tls: None, sight })
    });
    let special = others.collect();
    Some(Proxies { sights: in_environment(main, start), special })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;
    use crate::platform::PackageSyntax;

    /// `http://h:1`, and each repository that differs.
    fn told(host: &MemoryHost, manager: &'static str, output: &[u8]) -> Option<(String, Vec<String>)> {
        let manager = PackageManager { name: manager, conf: Path::new("/x"), syntax: PackageSyntax::Ini };
        let found = read(host, manager, output, &Sights::new())?;
        let value = |sight: Option<&Sight>| sight.and_then(Sight::value).unwrap_or("-").to_owned();
        let special = found.special.iter().map(|own| match &own.whom {
            Whom::Repository(id) => format!("{id} {}", value(Some(&own.sight))),
            _ => unreachable!(),
        });
        Some((value(found.sights.get("http_proxy")), special.collect()))
    }

    #[test]
    fn what_the_programs_print_is_read_back() {
        let host = MemoryHost::new();
        let dump = br#"{"main": {"proxy": "http://h:1", "proxy_username": "u%40", "proxy_password": "p@"},
            "repositories": {"a": {"proxy": "http://h:1", "proxy_username": "u%40", "proxy_password": "p@"}, "b": {"proxy": ""}}}"#;
        assert_eq!(told(&host, "dnf", dump), Some(("http://u%40:p%40@h:1".to_owned(), vec!["b -".to_owned()])));
        assert_eq!(told(&host, "yum", dump), Some(("http://u%2540:p%40@h:1".to_owned(), vec!["b -".to_owned()])));
        assert_eq!(told(&host, "dnf", b"Traceback"), None);
    }

    #[test]
    fn the_dump_of_dnf5_is_read_back() {
        let host = MemoryHost::new().with(DNF5, "");
        let dump = "======== Main configuration: ========\nassumeno = 0\nenabled = 1\nproxy = http://h:1\nproxy_password\n\
            proxy_sslcacert = \nproxy_username\n\
            ======== \"off\" repository configuration: ========\nenabled = 0\nproxy = http://o:1\n\
            ======== \"none\" repository configuration: ========\nenabled = 1\nproxy = \nproxy_password\n\
            ======== \"same\" repository configuration: ========\nenabled = 1\nproxy = http://h:1\n\
            ======== \"own\" repository configuration: ========\nenabled = 1\nproxy = http://w:1\nproxy_password = p@s\n\
            proxy_username = me\n";
        let own = vec!["none -".to_owned(), "own http://me:p%40s@w:1".to_owned()];
        assert_eq!(told(&host, "dnf", dump.as_bytes()), Some(("http://h:1".to_owned(), own)));
        assert_eq!(told(&host, "dnf", b"No such argument"), None);
    }
}
