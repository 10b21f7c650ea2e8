//! Which proxy dnf and yum use, by their configuration.
//!
//! Source: dnf 4 `dnf/conf/config.py` and `dnf/conf/read.py`, libdnf 0.69 `ConfigMain.cpp`, `ConfigRepo.cpp`, `Repo.cpp`;
//! libdnf5 `base.cpp`, `repo_sack.cpp`, `config_repo.cpp`; yum 3 `config.py`, `yumRepo.py`; dnf.conf(5). dnf 4.14 is held
//! against it by `tests/lab/packages.rs`; yum and dnf5 are by their source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::super::look;
use super::super::sight::{Place, Sight, Sights, Stop};
use super::{Planned, Proxies, Special, Whom};
use crate::envfile::ini::{Entry, Grammar, Ini};
use crate::host::{FileKind, HostRead};
use crate::platform::PackageManager;
use crate::settings::encode;
use crate::text;
use crate::text::own;

/// The proxy variables that one key decides.
const NAMES: [&str; 2] = ["http_proxy", "https_proxy"];

/// The grammar of a package manager's file. apt's has none of these, and is not edited.
pub(crate) fn grammar(manager: PackageManager) -> Grammar {
    if manager.name == "yum" { Grammar::Yum } else { Grammar::Dnf }
}

/// Pythons that know dnf: RHEL's own, which has no other name there, and the usual one.
const PYTHONS: [&str; 2] = ["/usr/libexec/platform-python", "/usr/bin/python3"];

/// Asks dnf 4 itself: prints what [`of_dump`] reads. Exit code 1: dnf refuses its configuration.
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

/// The command that asks this package manager; `None`: there is none for it.
pub(super) fn dump(host: &dyn HostRead, manager: PackageManager) -> Option<Vec<&'static str>> {
    let is_there = |path: &&str| matches!(host.lstat(Path::new(path)), Ok(Some(_)));
    let (pythons, program) = match manager.name {
        "dnf" => (&PYTHONS[..], DNF),
        _ => return None,
    };
    let python = pythons.iter().copied().find(is_there)?;
    Some(vec![python, "-c", program])
}

/// Which of the readers of one grammar it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Dnf4,
    Dnf5,
    Yum,
}

/// Folders of drop-ins of dnf5; a name in the first one hides that name in the second.
const DROP_INS: [&str; 2] = ["/etc/dnf/libdnf5.conf.d", "/usr/share/dnf5/libdnf.conf.d"];

/// Folders of what dnf5 lays over repositories.
const OVERRIDES: [&str; 2] = ["/etc/dnf/repos.override.d", "/usr/share/dnf5/repos.override.d"];

impl Reader {
    fn name(self) -> &'static str {
        if self == Self::Yum { "yum" } else { "dnf" }
    }

    fn parse(self, path: &Path, bytes: &[u8]) -> Result<Ini, Stop> {
        let grammar = if self == Self::Yum { Grammar::Yum } else { Grammar::Dnf };
        let ini = Ini::parse(bytes, grammar).map_err(|refused| {
            Stop::line(path, refused.line, text!("{} ends: {}", own(self.name()), own(refused.why)))
        })?;
        match ini.include() {
            Some(line) => Err(Stop::line(path, line, "what is included there is not looked into")),
            None => Ok(ini),
        }
    }

    /// `reposdir` where nothing sets it.
    fn repositories(self) -> &'static [&'static str] {
        match self {
            Self::Dnf4 => &["/etc/yum.repos.d", "/etc/yum/repos.d", "/etc/distro.repos.d"],
            Self::Dnf5 => &["/etc/yum.repos.d", "/etc/distro.repos.d", "/usr/share/dnf5/repos.d"],
            Self::Yum => &["/etc/yum/repos.d", "/etc/yum.repos.d"],
        }
    }
}

/// What dnf or yum makes of its files. `start` is the environment that it is started with, which counts where no file sets a
/// proxy.
pub(super) fn read(host: &dyn HostRead, manager: PackageManager, start: &Sights, planned: Planned<'_>) -> Proxies {
    match look(host, manager, start, planned) {
        Ok(found) => found,
        Err(stop) => Proxies { sights: stop.sights(&NAMES), special: Vec::new() },
    }
}

fn look(host: &dyn HostRead, manager: PackageManager, start: &Sights, planned: Planned<'_>) -> Result<Proxies, Stop> {
    let reader = match manager.name {
        "yum" => Reader::Yum,
        _ if look::kind(host, Path::new("/usr/bin/dnf5"))?.is_some() => Reader::Dnf5,
        _ => Reader::Dnf4,
    };
    let conf = manager.conf;
    let mut paths = if reader == Reader::Dnf5 { layered(host, &DROP_INS, "conf")? } else { Vec::new() };
    paths.push(conf.to_path_buf());
    let mut main = Section::default();
    let mut special = Vec::new();
    let mut known = BTreeSet::new();
    for path in &paths {
        let planned = planned.filter(|(own, _)| own == path).map(|(_, bytes)| bytes.to_vec());
        let bytes = if planned.is_some() { planned } else { look::read(host, path)? };
        let Some(bytes) = bytes else { continue };
        let ini = reader.parse(path, &bytes)?;
        main.take(path, &ini, b"main");
        main.is_main = true;
        if path == conf {
            special.extend(repositories(path, &ini, reader, &mut known));
        }
    }
    let mut paths = Vec::new();
    for folder in folders(&main, reader)? {
        let mut own = look::list(host, &folder)?;
        own.retain(|path| is_shown(path) && path.extension().is_some_and(|end| end == "repo"));
        own.sort_by_key(|path| path.with_extension(""));
        paths.extend(own);
    }
    if reader == Reader::Dnf4 {
        paths.sort_by_key(|path| path.with_extension(""));
    }
    for path in paths {
        special.extend(file_of_repositories(host, &path, reader, &mut known)?);
    }
    if reader == Reader::Dnf5 {
        for path in layered(host, &OVERRIDES, "repo")? {
            special.extend(file_of_repositories(host, &path, reader, &mut BTreeSet::new())?);
        }
    }
    Ok(Proxies { sights: in_environment(main.proxy(reader), start), special })
}

/// libcurl asks the environment where there is no proxy.
fn in_environment(proxy: Option<Sight>, start: &Sights) -> Sights {
    match proxy {
        Some(set @ (Sight::Value { .. } | Sight::Unknown { .. })) => set.of_all(&NAMES),
        other => {
            let sight = |name: &str| start.get(name).cloned().or_else(|| other.clone());
            NAMES.into_iter().filter_map(|name| Some((name.to_owned(), sight(name)?))).collect()
        }
    }
}

/// `create_sorted_file_list` of libdnf5.
fn layered(host: &dyn HostRead, folders: &[&str], extension: &str) -> Result<Vec<PathBuf>, Stop> {
    let mut found: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for folder in folders {
        for path in look::list(host, Path::new(folder))? {
            let name = path.file_name().unwrap_or_default().to_owned();
            let fits = path.extension().is_some_and(|end| end == extension);
            if fits && !found.contains_key(&name) && look::kind(host, &path)? == Some(FileKind::File) {
                found.insert(name, path);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// `*.repo` does not match a name that begins with a dot.
fn is_shown(path: &Path) -> bool {
    !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn folders(main: &Section, reader: Reader) -> Result<Vec<PathBuf>, Stop> {
    let Some((value, at)) = main.keys.get("reposdir") else {
        return Ok(reader.repositories().iter().map(PathBuf::from).collect());
    };
    let names: Vec<&str> = value.split([',', ' ', '\t', '\n']).filter(|name| !name.is_empty()).collect();
    if !names.iter().all(|name| name.starts_with('/') && !name.contains('$')) {
        return Err(Stop::new(at, "in which folders the repositories are is not told by a plain path"));
    }
    Ok(names.into_iter().map(PathBuf::from).collect())
}

fn file_of_repositories(
    host: &dyn HostRead,
    path: &Path,
    reader: Reader,
    known: &mut BTreeSet<Vec<u8>>,
) -> Result<Vec<Special>, Stop> {
    let Some(bytes) = look::read(host, path)? else { return Ok(Vec::new()) };
    match reader.parse(path, &bytes) {
        Ok(ini) => Ok(repositories(path, &ini, reader, known)),
        // It warns, and goes on without the file.
        Err(_) if reader == Reader::Dnf4 => Ok(Vec::new()),
        Err(stop) => Err(stop),
    }
}

/// The repositories of a file that have a proxy of their own, or none where the others have one. Of two with one id the first
/// counts.
fn repositories(path: &Path, ini: &Ini, reader: Reader, known: &mut BTreeSet<Vec<u8>>) -> Vec<Special> {
    let mut found = Vec::new();
    for name in ini.sections().into_iter().filter(|name| *name != b"main") {
        if !known.insert(name.to_vec()) {
            continue;
        }
        let mut section = Section::default();
        section.take(path, ini, name);
        let off = |value: &str| ["0", "no", "false", "off"].iter().any(|word| value.eq_ignore_ascii_case(word));
        if section.keys.get("enabled").is_some_and(|(value, _)| off(value)) {
            continue;
        }
        let whom = Whom::Repository(String::from_utf8_lossy(name).into_owned());
        found.extend(section.proxy(reader).map(|sight| Special { whom, sight }));
    }
    found
}

/// The keys of a section that matter here, each with its place.
#[derive(Debug, Default)]
struct Section {
    is_main: bool,
    keys: BTreeMap<&'static str, (String, Place)>,
}

impl Section {
    /// What this file says outranks what was read before.
    fn take(&mut self, path: &Path, ini: &Ini, section: &[u8]) {
        for key in ["proxy", "proxy_username", "proxy_password", "reposdir", "enabled"] {
            let Some(Entry { value, line, .. }) = ini.get(section, key) else { continue };
            self.keys.insert(key, (String::from_utf8_lossy(value).into_owned(), Place::new(path, *line)));
        }
    }

    /// `None`: the section has no such key.
    fn proxy(&self, reader: Reader) -> Option<Sight> {
        let (url, at) = self.keys.get("proxy")?;
        if self.is_main && reader != Reader::Yum && url.eq_ignore_ascii_case("_none_") {
            // libdnf 0.69 and libdnf5 take it for the proxy's name, later libdnf for none.
            let why = "releases of dnf read _none_ in the main section differently".into();
            return Some(Sight::Unknown { at: at.clone(), why });
        }
        let none = url.is_empty() || (reader != Reader::Yum && url == "None") || url.eq_ignore_ascii_case("_none_");
        let text = |key: &str| self.keys.get(key).map(|(value, _)| value.as_str()).filter(|value| !value.is_empty());
        let unknown = |why| Some(Sight::Unknown { at: at.clone(), why });
        if none {
            return Some(Sight::Unset { at: at.clone() });
        }
        if [Some(url.as_str()), text("proxy_username"), text("proxy_password")]
            .into_iter()
            .flatten()
            .any(|text| text.contains(['$', '\\']))
        {
            return unknown("a variable of the package manager stands in it".into());
        }
        if reader == Reader::Yum && !taken_by_yum(url) {
            return unknown("yum ends: it takes no such value for a proxy".into());
        }
        let value = match (text("proxy_username"), text("proxy_password")) {
            (Some(_), None) if reader != Reader::Yum => {
                return unknown("dnf wants proxy_password with proxy_username".into());
            }
            (Some(user), password) => with_login(url, user, password.unwrap_or_default()),
            (None, _) => url.clone(),
        };
        Some(Sight::Value { value, at: at.clone() })
    }
}

/// `ProxyOption` of yum's config.py. `libproxy` asks a library, and is not among these.
fn taken_by_yum(url: &str) -> bool {
    let schemes = ["http", "ftp", "https", "socks5", "socks5h", "socks4", "socks4a"];
    url.split_once(':').is_some_and(|(scheme, _)| schemes.iter().any(|own| scheme.eq_ignore_ascii_case(own)))
}

/// The URL with user and password, which both readers take as they are; percent-encoded ones are decoded first.
fn with_login(url: &str, user: &str, password: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if !rest.contains('@') => {
            let raw = |text: &str| encode(&percent_decode_str(text).collect::<Vec<_>>());
            format!("{scheme}://{}:{}@{rest}", raw(user), raw(password))
        }
        _ => url.to_owned(),
    }
}

/// What the program of [`dump`] prints.
#[derive(Deserialize)]
struct Dump {
    main: BTreeMap<String, String>,
    repositories: BTreeMap<String, BTreeMap<String, String>>,
}

/// What dnf makes of its files by its own word. `None`: that is no output of what [`dump`] runs.
pub(super) fn of_dump(output: &[u8], start: &Sights) -> Option<Proxies> {
    let dump: Dump = serde_json::from_slice(output).ok()?;
    let source = Path::new("dnf");
    let sight = |keys: &BTreeMap<String, String>| {
        let text = |key: &str| keys.get(key).map(String::as_str).filter(|text| !text.is_empty());
        let url = text("proxy")?;
        let value = match text("proxy_username") {
            Some(user) => with_login(url, user, text("proxy_password").unwrap_or_default()),
            None => url.to_owned(),
        };
        Some(Sight::Value { value, at: Place::new(source, 0) })
    };
    let main = sight(&dump.main);
    let others = dump.repositories.iter().filter_map(|(id, keys)| {
        let own = sight(keys);
        let differs = own.as_ref().and_then(Sight::value) != main.as_ref().and_then(Sight::value);
        let sight = own.unwrap_or(Sight::Unset { at: Place::new(source, 0) });
        differs.then(|| Special { whom: Whom::Repository(id.clone()), sight })
    });
    let special = others.collect();
    Some(Proxies { sights: in_environment(main, start), special })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;
    use crate::platform::PackageSyntax;

    fn dnf() -> PackageManager {
        PackageManager { name: "dnf", conf: Path::new("/etc/dnf/dnf.conf"), syntax: PackageSyntax::Ini }
    }

    fn yum() -> PackageManager {
        PackageManager { name: "yum", conf: Path::new("/etc/yum.conf"), syntax: PackageSyntax::Ini }
    }

    fn seen(manager: PackageManager, files: &[(&str, &str)]) -> Proxies {
        let host = MemoryHost::new();
        for (path, text) in files {
            host.put(path, text.as_bytes());
        }
        read(&host, manager, &Sights::new(), None)
    }

    fn told(sight: Option<&Sight>) -> String {
        let Some(sight) = sight else { return String::new() };
        let what = match sight {
            Sight::Value { value, .. } => value,
            Sight::Unset { .. } => "-",
            Sight::Unknown { .. } => "?",
        };
        let name = sight.at().path.file_name().unwrap().to_string_lossy().into_owned();
        format!("{what} {name}:{}", sight.at().line)
    }

    fn main(manager: PackageManager, text: &str) -> String {
        let seen = seen(manager, &[(manager.conf.to_str().unwrap(), text)]);
        assert_eq!(told(seen.sights.get("http_proxy")), told(seen.sights.get("https_proxy")));
        told(seen.sights.get("http_proxy"))
    }

    #[test]
    fn the_main_section() {
        for (text, of_dnf, of_yum) in [
            ("", "", ""),
            ("[main]\nproxy=http://h:1\n", "http://h:1 dnf.conf:2", "http://h:1 yum.conf:2"),
            ("[main]\nproxy=\"http://h:1\"\n", "http://h:1 dnf.conf:2", "? yum.conf:2"),
            ("[main]\nproxy=\"http://h:1\";\n", "\"http://h:1\"; dnf.conf:2", "? yum.conf:2"),
            ("[main]\nproxy=_none_\n", "? dnf.conf:2", "- yum.conf:2"),
            ("[main]\nproxy=\n", "- dnf.conf:2", "- yum.conf:2"),
            ("[main]\nproxy=libproxy\n", "libproxy dnf.conf:2", "? yum.conf:2"),
            ("[main]\nproxy=http://$x:1\n", "? dnf.conf:2", "? yum.conf:2"),
            ("[main]\nproxy=http://h:1\nx\n", "? dnf.conf:3", "? yum.conf:3"),
            (
                "[main]\nproxy=http://h:1\nproxy_username=u\nproxy_password=p@s\n",
                "http://u:p%40s@h:1 dnf.conf:2",
                "http://u:p%40s@h:1 yum.conf:2",
            ),
            ("[main]\nproxy=http://h:1\nproxy_username=u\n", "? dnf.conf:2", "http://u:@h:1 yum.conf:2"),
        ] {
            assert_eq!(main(dnf(), text), of_dnf, "dnf {text:?}");
            assert_eq!(main(yum(), text), of_yum, "yum {text:?}");
        }
    }

    #[test]
    fn repositories_with_a_proxy_of_their_own_are_named() {
        let files = [
            ("/etc/dnf/dnf.conf", "[main]\nproxy=http://h:1\n[inline]\nproxy=http://i:1\n"),
            ("/etc/yum.repos.d/a.repo", "[same]\nname=s\n[none]\nproxy=_none_\n[off]\nproxy=http://o:1\nenabled=0\n"),
            ("/etc/yum.repos.d/.hidden.repo", "[hidden]\nproxy=http://o:1\n"),
            ("/etc/yum.repos.d/b.repo.bak", "[old]\nproxy=http://o:1\n"),
            ("/etc/distro.repos.d/c.repo", "[site]\n\nproxy=http://s:1\n"),
        ];
        let names = |seen: &Proxies| -> Vec<String> {
            let name = |own: &Special| match &own.whom {
                Whom::Repository(id) => format!("{id} {}", told(Some(&own.sight))),
                _ => unreachable!(),
            };
            seen.special.iter().map(name).collect()
        };
        let own = ["inline http://i:1 dnf.conf:4", "site http://s:1 c.repo:3", "none - a.repo:4"];
        assert_eq!(names(&seen(dnf(), &files)), own);
        let moved = [("/etc/dnf/dnf.conf", "[main]\nreposdir=/x, /y\n"), ("/y/a.repo", "[y]\nproxy=http://y:1\n")];
        assert_eq!(names(&seen(dnf(), &moved)), ["y http://y:1 a.repo:2"]);
        let unknown = seen(dnf(), &[("/etc/dnf/dnf.conf", "[main]\nreposdir=/x/$releasever\nproxy=http://h:1\n")]);
        assert_eq!(told(unknown.sights.get("http_proxy")), "? dnf.conf:2");
    }

    #[test]
    fn dnf5_reads_drop_ins_before_its_own_file_and_overrides_last() {
        let drop_in = |text: &'static str| ("/usr/share/dnf5/libdnf.conf.d/20-site.conf", text);
        let dnf5 = ("/usr/bin/dnf5", "");
        let site = "[main]\nproxy=http://s:1\n";
        let one = |files: &[(&str, &str)]| told(seen(dnf(), files).sights.get("https_proxy"));
        assert_eq!(one(&[dnf5, drop_in(site)]), "http://s:1 20-site.conf:2");
        assert_eq!(one(&[drop_in(site)]), "");
        let hidden = ("/etc/dnf/libdnf5.conf.d/20-site.conf", "[main]\n");
        assert_eq!(one(&[dnf5, drop_in(site), hidden]), "");
        let own = ("/etc/dnf/dnf.conf", "[main]\nproxy=http://h:1\n");
        assert_eq!(one(&[dnf5, drop_in(site), own]), "http://h:1 dnf.conf:2");
        let over = ("/etc/dnf/repos.override.d/99.repo", "[*]\nproxy=http://o:1\n");
        let seen = seen(dnf(), &[dnf5, own, over]);
        assert_eq!(seen.special[0].whom, Whom::Repository("*".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for path in ["/etc/dnf/dnf.conf", "/etc/yum.repos.d", "/etc/yum.repos.d/a.repo"] {
            let host = MemoryHost::new().with("/etc/dnf/dnf.conf", "[main]\nproxy=http://h:1\n");
            let host = host.with("/etc/yum.repos.d/a.repo", "").with_error(path, std::io::ErrorKind::PermissionDenied);
            let seen = read(&host, dnf(), &Sights::new(), None);
            assert!(matches!(seen.sights["http_proxy"], Sight::Unknown { .. }), "{path}: {seen:?}");
        }
    }

    #[test]
    fn a_dump_is_read_back() {
        let dump = br#"{"main": {"proxy": "http://h:1", "proxy_username": "u", "proxy_password": "p@"},
            "repositories": {"a": {"proxy": "http://h:1", "proxy_username": "u", "proxy_password": "p@"}, "b": {"proxy": ""}}}"#;
        let seen = of_dump(dump, &Sights::new()).unwrap();
        assert_eq!(seen.sights["http_proxy"].value(), Some("http://u:p%40@h:1"));
        assert_eq!(seen.special.len(), 1, "{seen:?}");
        assert_eq!(of_dump(b"Traceback", &Sights::new()), None);
    }
}
