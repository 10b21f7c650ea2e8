//! Which proxy dnf and yum use, by their configuration.
//!
//! Source: dnf 4 `dnf/conf/config.py` and `dnf/conf/read.py`, libdnf 0.69 `ConfigMain.cpp`, `ConfigRepo.cpp`, `Repo.cpp`;
//! libdnf5 `base.cpp`, `repo_sack.cpp`, `config_repo.cpp`, `librepo.cpp`; yum 3 `config.py`, `yumRepo.py`; dnf.conf(5). dnf
//! 4.14 is held against it by `tests/lab/models.rs`; what the tests here say of dnf5 was printed by 5.4.6, of yum by the
//! configuration part of 3.4.3.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::super::look;
use super::super::sight::{Place, Sight, Sights, Stop};
use super::super::units::fnmatch;
use super::{Planned, Proxies, Special, Whom};
use crate::envfile::ini::{Entry, Grammar, Ini};
use crate::host::{FileKind, HostRead};
use crate::platform::PackageManager;
use crate::settings::encode;
use crate::text;
use crate::text::own;

/// The proxy variables that one key decides.
const NAMES: [&str; 2] = ["http_proxy", "https_proxy"];

/// The keys that make a proxy of one section.
pub(super) const OF_PROXY: [&str; 3] = ["proxy", "proxy_username", "proxy_password"];

/// The grammar of a package manager's file. apt's has none of these, and is not edited.
pub(crate) fn grammar(manager: PackageManager) -> Grammar {
    if manager.name == "yum" { Grammar::Yum } else { Grammar::Dnf }
}

/// Which of the readers of one grammar it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Dnf4,
    Dnf5,
    Yum,
}

/// dnf5 itself.
pub(super) const DNF5: &str = "/usr/bin/dnf5";

/// Folders of drop-ins of dnf5; a name in the first one hides that name in the second.
const DROP_INS: [&str; 2] = ["/etc/dnf/libdnf5.conf.d", "/usr/share/dnf5/libdnf.conf.d"];

/// Folders of what dnf5 lays over repositories.
const OVERRIDES: [&str; 2] = ["/etc/dnf/repos.override.d", "/usr/share/dnf5/repos.override.d"];

impl Reader {
    /// # Errors
    /// What `dnf` is could not be looked at.
    pub(super) fn of(host: &dyn HostRead, manager: PackageManager) -> Result<Self, Stop> {
        if manager.name == "yum" {
            return Ok(Self::Yum);
        }
        // Fedora's `dnf` is a link to dnf5 since release 41, and to dnf-3 before; there the other one may be installed as well.
        let dnf = Path::new("/usr/bin/dnf");
        let is_dnf5 = match look::kind(host, dnf)? {
            None => look::kind(host, Path::new(DNF5))?.is_some(),
            Some(_) => {
                host.resolve(dnf).map_err(|refused| Stop::file(dnf, text!("{}", own(refused.to_string()))))?
                    == Path::new(DNF5)
            }
        };
        Ok(if is_dnf5 { Self::Dnf5 } else { Self::Dnf4 })
    }

    fn name(self) -> &'static str {
        if self == Self::Yum { "yum" } else { "dnf" }
    }

    fn parse(self, path: &Path, bytes: &[u8]) -> Result<Ini, Stop> {
        let grammar = if self == Self::Yum { Grammar::Yum } else { Grammar::Dnf };
        let ini = Ini::parse(bytes, grammar).map_err(|refused| {
            Stop::line(path, refused.line, text!("{} ends: {}", own(self.name()), own(refused.why)))
        })?;
        if self == Self::Dnf5 && ini.sections().iter().any(|name| name.contains(&b'[')) {
            return Err(Stop::file(path, "a name of repositories with a range of characters is not understood"));
        }
        match ini.include() {
            Some(line) => Err(Stop::line(path, line, "what is included there is not looked into")),
            None => Ok(ini),
        }
    }

    /// The URL with user and password. dnf decodes what is percent-encoded in them and takes the rest as it is, yum takes all as
    /// it is.
    pub(super) fn with_login(self, url: &str, user: &str, password: Option<&str>) -> String {
        let raw = |text: &str| match self {
            Self::Yum => encode(text.as_bytes()),
            Self::Dnf4 | Self::Dnf5 => encode(&percent_decode_str(text).collect::<Vec<_>>()),
        };
        match (url.split_once("://"), password) {
            (Some((scheme, rest)), None) if !rest.contains('@') && self == Self::Yum => {
                format!("{scheme}://{}@{rest}", raw(user))
            }
            (Some((scheme, rest)), password) if !rest.contains('@') => {
                format!("{scheme}://{}:{}@{rest}", raw(user), raw(password.unwrap_or_default()))
            }
            _ => url.to_owned(),
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
    let reader = Reader::of(host, manager)?;
    let conf = manager.conf;
    let mut paths = if reader == Reader::Dnf5 { layered(host, &DROP_INS, "conf")? } else { Vec::new() };
    paths.push(conf.to_path_buf());
    let mut main = Section::default();
    let mut repositories = Repositories::new();
    for path in &paths {
        let planned = planned.filter(|(own, _)| own == path).map(|(_, bytes)| bytes.to_vec());
        let bytes = if planned.is_some() { planned } else { look::read(host, path)? };
        let Some(bytes) = bytes else { continue };
        let ini = reader.parse(path, &bytes)?;
        main.take(path, &ini, b"main");
        if path == conf {
            add(&mut repositories, path, &ini);
        }
    }
    let mut paths = Vec::new();
    for folder in folders(&main, reader)? {
        let mut own = look::list(host, &folder)?;
        let is_read = |path: &PathBuf| reader == Reader::Dnf5 || is_shown(path);
        own.retain(|path| is_read(path) && path.extension().is_some_and(|end| end == "repo"));
        own.sort();
        paths.extend(own);
    }
    if reader == Reader::Dnf4 {
        paths.sort_by_key(|path| path.with_extension(""));
    }
    for path in paths {
        if let Some(ini) = file_of_repositories(host, &path, reader)? {
            add(&mut repositories, &path, &ini);
        }
    }
    if reader == Reader::Dnf5 {
        for path in layered(host, &OVERRIDES, "repo")? {
            let Some(ini) = file_of_repositories(host, &path, reader)? else { continue };
            for pattern in ini.sections() {
                if pattern.contains(&b'$') {
                    return Err(Stop::file(&path, "a variable of dnf names repositories there"));
                }
                for (id, own) in &mut repositories {
                    match fnmatch(pattern, id) {
                        Some(true) => own.take(&path, &ini, pattern),
                        Some(false) => {}
                        None => return Err(Stop::file(&path, "a class of characters names repositories there")),
                    }
                }
            }
        }
    }
    let of_its_own = |(id, own): &(Vec<u8>, Section)| {
        let whom = Whom::Repository(String::from_utf8_lossy(id).into_owned());
        Some(Special { whom, tls: None, sight: own.of_repository(&main, reader)? })
    };
    let special = repositories.iter().filter(|(_, own)| !own.is_off()).filter_map(of_its_own).collect();
    Ok(Proxies { sights: in_environment(main.proxy(reader, true), start), special })
}

/// libcurl asks the environment where there is no proxy.
pub(super) fn in_environment(proxy: Option<Sight>, start: &Sights) -> Sights {
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

/// `*.repo`, which dnf 4 and yum look for, does not match a name that begins with a dot.
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

/// `None`: it is not there, or passed over.
fn file_of_repositories(host: &dyn HostRead, path: &Path, reader: Reader) -> Result<Option<Ini>, Stop> {
    let Some(bytes) = look::read(host, path)? else { return Ok(None) };
    match reader.parse(path, &bytes) {
        // It warns, and goes on without the file.
        Err(_) if reader == Reader::Dnf4 => Ok(None),
        parsed => parsed.map(Some),
    }
}

/// Each with its id, in the order in which they are read.
type Repositories = Vec<(Vec<u8>, Section)>;

/// The repositories of a file. Of two with one id the first counts.
fn add(repositories: &mut Repositories, path: &Path, ini: &Ini) {
    for id in ini.sections().into_iter().filter(|id| *id != b"main") {
        if !repositories.iter().any(|(known, _)| known == id) {
            let mut section = Section::default();
            section.take(path, ini, id);
            repositories.push((id.to_vec(), section));
        }
    }
}

/// The keys of a section that matter here, each with its place.
#[derive(Clone, Debug, Default)]
struct Section {
    keys: BTreeMap<&'static str, (String, Place)>,
}

impl Section {
    /// What this file says outranks what was read before.
    fn take(&mut self, path: &Path, ini: &Ini, section: &[u8]) {
        for key in OF_PROXY.into_iter().chain(["reposdir", "enabled"]) {
            let Some(Entry { value, line, .. }) = ini.get(section, key) else { continue };
            self.keys.insert(key, (String::from_utf8_lossy(value).into_owned(), Place::new(path, *line)));
        }
    }

    fn is_off(&self) -> bool {
        let off = |value: &str| ["0", "no", "false", "off"].iter().any(|word| value.eq_ignore_ascii_case(word));
        self.keys.get("enabled").is_some_and(|(value, _)| off(value))
    }

    /// The proxy of a repository that says something of its own; each key that it has not is the main section's.
    fn of_repository(&self, main: &Self, reader: Reader) -> Option<Sight> {
        let (_, at) = OF_PROXY.iter().find_map(|key| self.keys.get(key))?;
        let mut all = main.clone();
        all.keys.extend(self.keys.clone());
        let (url, _) = all.keys.get("proxy")?.clone();
        let is_own = self.keys.contains_key("proxy");
        if is_own && reader == Reader::Yum && !taken_by_yum(&url) && !url.eq_ignore_ascii_case("_none_") {
            // It warns, and goes on without the repository.
            return None;
        }
        all.keys.insert("proxy", (url, at.clone()));
        all.proxy(reader, !is_own)
    }

    /// `None`: the section has no such key. `of_main`: the proxy is the main section's.
    fn proxy(&self, reader: Reader, of_main: bool) -> Option<Sight> {
        let (url, at) = self.keys.get("proxy")?;
        if of_main && reader != Reader::Yum && url.eq_ignore_ascii_case("_none_") {
            // libdnf 0.69 and libdnf5 take it for the proxy's name, later libdnf for none.
            let why = "releases of dnf read _none_ in the main section differently".into();
            return Some(Sight::Unknown { at: at.clone(), why });
        }
        let none = url.eq_ignore_ascii_case("_none_")
            || (reader != Reader::Yum && url.is_empty())
            || (reader == Reader::Dnf4 && url == "None");
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
            (Some(user), password) => reader.with_login(url, user, password),
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

    /// `ID VALUE FILE:LINE` of each repository that has something of its own.
    fn special(manager: PackageManager, files: &[(&str, &str)]) -> Vec<String> {
        let name = |own: &Special| match &own.whom {
            Whom::Repository(id) => format!("{id} {}", told(Some(&own.sight))),
            _ => unreachable!(),
        };
        seen(manager, files).special.iter().map(name).collect()
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
            ("[main]\nproxy=\n", "- dnf.conf:2", "? yum.conf:2"),
            ("[main]\nproxy=libproxy\n", "libproxy dnf.conf:2", "? yum.conf:2"),
            ("[main]\nproxy=http://$x:1\n", "? dnf.conf:2", "? yum.conf:2"),
            ("[main]\nproxy=http://h:1\nx\n", "? dnf.conf:3", "? yum.conf:3"),
            (
                "[main]\nproxy=http://h:1\nproxy_username=u\nproxy_password=p@s\n",
                "http://u:p%40s@h:1 dnf.conf:2",
                "http://u:p%40s@h:1 yum.conf:2",
            ),
            ("[main]\nproxy=http://h:1\nproxy_username=u\n", "? dnf.conf:2", "http://u@h:1 yum.conf:2"),
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
        let own = ["inline http://i:1 dnf.conf:4", "site http://s:1 c.repo:3", "none - a.repo:4"];
        assert_eq!(special(dnf(), &files), own);
        let moved = [("/etc/dnf/dnf.conf", "[main]\nreposdir=/x, /y\n"), ("/y/a.repo", "[y]\nproxy=http://y:1\n")];
        assert_eq!(special(dnf(), &moved), ["y http://y:1 a.repo:2"]);
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
        let over = ("/etc/dnf/repos.override.d/99.repo", "[*a]\nproxy=http://o:1\n[b]\nenabled=0\n");
        let repositories = ("/etc/yum.repos.d/a.repo", "[a]\n[aa]\nproxy=http://a:1\n[b]\nproxy=http://b:1\n");
        assert_eq!(
            special(dnf(), &[dnf5, own, repositories, over]),
            ["a http://o:1 99.repo:2", "aa http://o:1 99.repo:2"]
        );
        let before = special(dnf(), &[own, repositories, over]);
        assert_eq!(before, ["aa http://a:1 a.repo:3", "b http://b:1 a.repo:5"], "dnf 4 knows no overrides");
        // Where both are installed, the link says which one `dnf` is.
        let host = MemoryHost::new().with("/usr/bin/dnf5", "").with("/usr/bin/dnf-3", "");
        let reader = |target: &str| {
            host.put_link("/usr/bin/dnf", target, 0);
            Reader::of(&host, dnf()).unwrap()
        };
        assert_eq!([reader("/usr/bin/dnf-3"), reader("/usr/bin/dnf5")], [Reader::Dnf4, Reader::Dnf5]);
        let hidden = ("/etc/yum.repos.d/.a.repo", "[a]\nproxy=http://hidden:1\n");
        let own = ["a http://hidden:1 .a.repo:2", "aa http://a:1 a.repo:3", "b http://b:1 a.repo:5"];
        assert_eq!(special(dnf(), &[dnf5, repositories, hidden]), own, "it reads hidden files, and first");
    }

    #[test]
    fn a_repository_has_each_key_of_the_main_section_that_it_does_not_set() {
        let main = "[main]\nproxy=http://h:1\nproxy_username=u\nproxy_password=p\n";
        let own = "[url]\nproxy=http://i:1\n[user]\nproxy_username=me\n[none]\nproxy=_none_\n[empty]\nproxy=\n[same]\nname=s\n";
        let of_dnf = special(dnf(), &[("/etc/dnf/dnf.conf", main), ("/etc/yum.repos.d/a.repo", own)]);
        let both = ["url http://u:p@i:1 a.repo:2", "user http://me:p@h:1 a.repo:4", "none - a.repo:6"];
        assert_eq!(of_dnf, [&both[..], &["empty - a.repo:8"]].concat());
        // yum passes over a repository whose value it does not take.
        let of_yum = special(yum(), &[("/etc/yum.conf", main), ("/etc/yum.repos.d/a.repo", own)]);
        assert_eq!(of_yum, both);
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
}
