//! Is the Insight Agent installed, which proxy does its own file name, and has it the files by which the platform knows it?
//! From `assets/agent.toml`.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::place::leads_nowhere;
use crate::assets;
use crate::host::{FileKind, HostRead, Refused, Stat};
use crate::network::catalogue::Confidence;
use crate::settings::ProxyUrl;
use crate::text;
use crate::text::Text;

/// What is known of its files.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownAgent {
    #[allow(dead_code, reason = "for readers of the file")]
    date: String,
    /// Where it is installed.
    pub(crate) folder: PathBuf,
    /// Its service.
    pub(crate) service: String,
    /// The port of a Collector that is its proxy.
    pub(crate) collector_port: u16,
    pub(crate) proxy: ProxyFile,
    pub(crate) identity: Identity,
}

/// The file with its proxy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxyFile {
    pub(crate) file: PathBuf,
    /// The member of its JSON object that names the proxy.
    pub(crate) member: String,
    pub(crate) confidence: Confidence,
    #[allow(dead_code, reason = "for readers of the file")]
    source: String,
}

/// The files by which the platform knows it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) folder: PathBuf,
    pub(crate) confidence: Confidence,
    #[allow(dead_code, reason = "for readers of the file")]
    source: String,
    pub(crate) files: Vec<IdentityFile>,
}

/// One of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityFile {
    pub(crate) name: String,
    /// What is in it, for messages.
    pub(crate) what: String,
    /// Nobody else may read it.
    #[serde(default)]
    pub(crate) secret: bool,
}

impl KnownAgent {
    /// The facts.
    pub(crate) fn get() -> &'static Self {
        static KNOWN: LazyLock<KnownAgent> = LazyLock::new(|| assets::read(&assets::AGENT));
        &KNOWN
    }
}

/// What a look at a file gave. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Looked<T> {
    /// Nothing is there.
    Absent,
    /// This is.
    There(T),
    /// This user may not look.
    Shut,
    /// It could not be read; why.
    Unread(Text),
}

impl<T> Looked<T> {
    fn of(result: io::Result<Option<T>>) -> Self {
        match result {
            Ok(None) => Self::Absent,
            Ok(Some(seen)) => Self::There(seen),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Self::Shut,
            Err(error) => Self::Unread(text!("{}", error)),
        }
    }

    fn map<U>(self, f: impl FnOnce(T) -> U) -> Looked<U> {
        match self {
            Self::Absent => Looked::Absent,
            Self::There(seen) => Looked::There(f(seen)),
            Self::Shut => Looked::Shut,
            Self::Unread(why) => Looked::Unread(why),
        }
    }
}

/// What the proxy file says. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Named {
    /// This proxy.
    Proxy {
        /// As it may be shown.
        shown: String,
        /// Name or address, in lower case.
        host: String,
        /// `None`: it has none.
        port: Option<u16>,
    },
    /// It is an object that names none.
    Nobody,
    /// It is no object, or names what is no proxy.
    Odd,
}

/// A file of the identity. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    /// Nothing is in it.
    pub(crate) empty: bool,
    /// Permission bits.
    pub(crate) mode: u32,
    /// It belongs to somebody who is not root.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) foreign: bool,
}

/// What was seen. Without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentFacts {
    /// Its folder.
    pub(crate) installed: Looked<()>,
    pub(crate) proxy: Looked<Named>,
    /// The proxy file is an object with members beside the one that names the proxy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_more: bool,
    /// The folder of the proxy file is certainly not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) no_folder: bool,
    /// The folder of the identity, where others than root may put other files into it; in `foreign` and `mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) open_folder: Option<Held>,
    /// In the order of `assets/agent.toml`, by name.
    pub(crate) identity: Vec<(String, Looked<Held>)>,
}

/// Looks at the files.
pub(crate) fn look(host: &dyn HostRead) -> AgentFacts {
    let known = KnownAgent::get();
    // Below a root that is an ordinary user's, everything is that user's.
    let is_foreign = |uid: u32| uid != 0 && (host.is_live() || uid != host.euid());
    let held = |path: &Path| {
        Looked::of(host.snapshot(path)).map(|own| Held {
            empty: own.bytes.is_empty(),
            mode: own.attributes.mode & 0o777,
            foreign: is_foreign(own.attributes.uid),
        })
    };
    let open_folder = match stat(host, &known.identity.folder) {
        Looked::There(Stat { uid, gid, mode, .. }) => {
            let is_open = mode & 0o002 != 0 || (mode & 0o020 != 0 && gid != 0);
            let foreign = is_foreign(uid);
            (foreign || is_open).then_some(Held { empty: false, mode: mode & 0o7777, foreign })
        }
        // What is in it is told, or that it cannot be.
        Looked::Absent | Looked::Shut | Looked::Unread(_) => None,
    };
    let proxy = match leads_nowhere(host, &known.proxy.file) {
        Some(to) => Looked::Unread(text!("it leads to {}, where nothing is", host.shown(&to))),
        None => Looked::of(host.snapshot(&known.proxy.file)).map(|own| own.bytes),
    };
    let has_more = matches!(&proxy, Looked::There(bytes) if has_more(bytes, &known.proxy.member));
    let folder = known.proxy.file.parent().map(|folder| host.lstat(folder));
    AgentFacts {
        installed: folder_of(host, &known.folder),
        proxy: proxy.map(|bytes| named(&bytes, &known.proxy.member)),
        has_more,
        no_folder: matches!(folder, Some(Ok(None))),
        open_folder,
        identity: known
            .identity
            .files
            .iter()
            .map(|file| (file.name.clone(), held(&known.identity.folder.join(&file.name))))
            .collect(),
    }
}

/// What a path leads to.
fn stat(host: &dyn HostRead, path: &Path) -> Looked<Stat> {
    match host.resolve(path) {
        Ok(real) => Looked::of(host.lstat(&real)),
        Err(Refused::Io(error)) => Looked::of(Err(error)),
        Err(refused) => Looked::Unread(text!("{}", refused.to_string())),
    }
}

/// Is the folder of the agent there?
fn folder_of(host: &dyn HostRead, folder: &Path) -> Looked<()> {
    if let Some(to) = leads_nowhere(host, folder) {
        return Looked::Unread(text!("{} leads to {}, where nothing is", folder, host.shown(&to)));
    }
    match stat(host, folder) {
        Looked::There(stat) if stat.kind != FileKind::Dir => Looked::Unread(text!("{} is no folder", folder)),
        seen => seen.map(|_| ()),
    }
}

/// Would somebody who writes the member anew lose another one?
fn has_more(bytes: &[u8], member: &str) -> bool {
    serde_json::from_slice::<Map<String, Value>>(bytes).is_ok_and(|object| object.keys().any(|own| own != member))
}

/// `{"https": "host:port"}`.
fn named(bytes: &[u8], member: &str) -> Named {
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(bytes) else { return Named::Odd };
    let text = match object.get(member) {
        None | Some(Value::Null) => return Named::Nobody,
        Some(Value::String(text)) if text.trim().is_empty() => return Named::Nobody,
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Named::Odd,
    };
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    match ProxyUrl::parse(&url) {
        Ok(url) => {
            let masked = url.masked();
            let shown = if text.contains("://") { masked } else { masked.trim_start_matches("http://").to_owned() };
            Named::Proxy { shown, host: url.host.to_string().to_ascii_lowercase(), port: url.port }
        }
        Err(_) => Named::Odd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Attributes, MemoryHost};

    #[test]
    fn proxy_files_as_people_write_them() {
        let proxy = |shown: &str, host: &str, port| Named::Proxy { shown: shown.into(), host: host.into(), port };
        for (text, expected) in [
            (
                r#"{"https": "proxy.corp.example:3128"}"#,
                proxy("proxy.corp.example:3128", "proxy.corp.example", Some(3128)),
            ),
            ("{ \"https\" : \"http://Proxy:3128/\" }\n", proxy("http://proxy:3128", "proxy", Some(3128))),
            (r#"{"https": "10.0.0.9"}"#, proxy("10.0.0.9", "10.0.0.9", None)),
            (r#"{"https": "svc:Hunter2@p:1"}"#, proxy("svc:***@p:1", "p", Some(1))),
            (r#"{"https": ""}"#, Named::Nobody),
            (r#"{"http": "p:1"}"#, Named::Nobody),
            ("{}", Named::Nobody),
            (r#"{"https": 3128}"#, Named::Odd),
            (r#"{"https": "p:port"}"#, Named::Odd),
            ("https=p:1\n", Named::Odd),
            ("", Named::Odd),
        ] {
            assert_eq!(named(text.as_bytes(), "https"), expected, "{text}");
            assert_eq!(has_more(text.as_bytes(), "https"), text.contains("\"http\""), "{text}");
        }
    }

    #[test]
    fn what_is_told_of_the_agent_elsewhere_is_the_same() {
        use crate::finding::ids;
        use crate::network::catalogue::{COLLECTOR, Catalogue};

        let known = KnownAgent::get();
        let port = known.collector_port;
        assert!(Catalogue::shipped().endpoints.iter().any(|own| own.host == COLLECTOR && own.port == port));
        let told = |id: crate::finding::FindingId| crate::finding::known(id.as_str()).unwrap().explain;
        let place = |path: &Path| path.to_str().unwrap().to_owned();
        for (id, words) in [
            (ids::AGENT_INSTALLED, vec![place(&known.folder)]),
            (
                ids::AGENT_OWN_PROXY,
                vec![place(&known.proxy.file), port.to_string(), format!("{{\"{}\":", known.proxy.member)],
            ),
            (ids::AGENT_IDENTITY, vec![place(&known.identity.folder)]),
            (ids::AGENT_IDENTITY, known.identity.files.iter().map(|file| file.name.clone()).collect()),
            (ids::AGENT_COLLECTOR, vec![port.to_string()]),
        ] {
            assert!(words.iter().all(|word| told(id).contains(word.as_str())), "{id:?}: {words:?}");
        }
    }

    #[test]
    fn what_may_not_be_looked_at_is_not_absent() {
        let known = KnownAgent::get();
        let seen = look(&MemoryHost::new());
        assert_eq!((&seen.installed, &seen.proxy, seen.no_folder), (&Looked::Absent, &Looked::Absent, true));
        let key = known.identity.folder.join("client.key");
        let host = MemoryHost::new()
            .with_error(known.proxy.file.to_str().unwrap(), ErrorKind::PermissionDenied)
            .with_error(key.to_str().unwrap(), ErrorKind::PermissionDenied);
        host.put(known.identity.folder.join("client.crt").to_str().unwrap(), b"x");
        let seen = look(&host);
        assert_eq!((&seen.installed, &seen.proxy, seen.no_folder), (&Looked::There(()), &Looked::Shut, false));
        assert_eq!(seen.identity[0], ("client.key".to_owned(), Looked::Shut));
        assert!(matches!(&seen.identity[1].1, Looked::There(held) if !held.empty));
        assert_eq!(seen.identity[2].1, Looked::Absent);
    }

    #[test]
    fn what_leads_nowhere_or_is_something_else_is_not_known() {
        let known = KnownAgent::get();
        let (folder, file) = (known.folder.to_str().unwrap(), known.proxy.file.to_str().unwrap());
        let host = MemoryHost::new();
        host.put(folder, b"x");
        assert!(matches!(look(&host).installed, Looked::Unread(_)));
        let host = MemoryHost::new();
        host.put_link(folder, "/mnt/gone", 0);
        assert!(matches!(look(&host).installed, Looked::Unread(_)));
        let host = MemoryHost::new();
        host.put_link(file, "/mnt/gone", 0);
        assert!(matches!(look(&host).proxy, Looked::Unread(_)));
        let host = MemoryHost::new();
        host.put_dir(file);
        assert!(matches!(look(&host).proxy, Looked::Unread(_)));
    }

    #[test]
    fn whose_the_key_and_its_folder_are_is_looked_at() {
        let known = KnownAgent::get();
        let host = MemoryHost::new();
        let key = known.identity.folder.join("client.key");
        host.put_with(key.to_str().unwrap(), b"x", Attributes::new(0o600, 4711, 4711));
        let seen = look(&host);
        assert!(matches!(&seen.identity[0].1, Looked::There(held) if held.foreign), "{seen:?}");
        assert_eq!(seen.open_folder, None);
    }
}
