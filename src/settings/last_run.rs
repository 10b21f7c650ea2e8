//! What the last run was told: the text of `state.json`, which lies beside the journals. It never holds a secret.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ProxyUrl;
use super::layers::{Layer, Layers, Origin};
use super::table::{Key, Spec, TABLE, by_key};
use crate::problem::{Problem, ProblemId, id};
use crate::text;
use crate::text::{Text, own, quoted};

/// Where lock, journals, backups and [`STATE_FILE`] are.
pub const STATE: &str = "/var/lib/ics-setup";

/// What the last run was told.
pub const STATE_FILE: &str = "/var/lib/ics-setup/state.json";

const URLS: [Key; 3] = [Key::ProxyUrl, Key::ProxyHttp, Key::ProxyHttps];

/// Version of the format. A file of a later version is refused, never guessed at.
const VERSION: u32 = 1;

/// Values by key, as a flag would give them.
pub type Told = BTreeMap<Key, String>;

/// The last run, and what it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastRun {
    /// Its name; `None`: no run has changed a file yet.
    pub run: Option<String>,
    /// Its settings, those of the runs before it included.
    pub told: Told,
}

/// The file's text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    settings: BTreeMap<String, String>,
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl LastRun {
    /// The file's text.
    pub fn render(&self) -> Vec<u8> {
        let settings = self.told.iter().map(|(key, value)| (key.as_str().to_owned(), value.clone())).collect();
        let page = Page { version: VERSION, run: self.run.clone(), settings };
        // Text by text keys: nothing in it can fail to become JSON.
        let mut text = serde_json::to_vec_pretty(&page).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// Reads the file's text. `shown` is the name that messages use; they hold nothing of the text but names of keys.
    ///
    /// # Errors
    /// `state-newer`: a newer ics-setup wrote it. `state-unreadable`: it is not what any ics-setup wrote.
    pub fn parse(text: &[u8], shown: &Path) -> Result<Self, Problem> {
        let broken = |error: serde_json::Error| {
            let place = text!("its line {} is not what ics-setup wrote", error.line());
            wrong(id::STATE_UNREADABLE, shown, place)
        };
        let Version { version } = serde_json::from_slice(text).map_err(broken)?;
        if version > VERSION {
            let newer = text!("a newer ics-setup wrote it (version {})", version);
            return Err(wrong(id::STATE_NEWER, shown, newer).hint("use that version or a newer one"));
        }
        let page: Page = serde_json::from_slice(text).map_err(broken)?;
        let mut told = Told::new();
        for (name, value) in page.settings {
            let Some(spec) = by_key(&name).filter(|spec| spec.saved) else {
                return Err(wrong(id::STATE_NEWER, shown, text!("it has the setting {:?}, which is not known here", name))
                    .hint("use the version of ics-setup that wrote it"));
            };
            if let Some(expected) = Layer::wrong(spec, &value) {
                return Err(wrong(id::STATE_UNREADABLE, shown, expected));
            }
            told.insert(spec.key, value);
        }
        Ok(Self { run: page.run, told })
    }

    /// As a layer of settings.
    pub fn layer(self) -> Layer {
        let Self { run, told } = self;
        let origin = Origin::LastRun(run);
        let mut layer = Layer::default();
        for (key, value) in told {
            // Shapes were looked at when the text was read.
            let _ = layer.insert(key.spec(), value, origin.clone());
        }
        layer
    }
}

/// Nothing of the file is obeyed; what it takes to go on without it.
fn wrong(id: ProblemId, shown: &Path, because: Text) -> Problem {
    let file = own(quoted(&shown.to_string_lossy()));
    Problem::host(id, text!("what the last run was told cannot be read from {}", shown.display()))
        .because(because)
        .hint_command(text!("mv {} {}.unread", file, file))
        .hint("then name the settings of the last run again: without the file nothing of them is known")
}

/// What is worth remembering for the next run: what people said in this one or in those before it. The host's own settings
/// file is read again by the next run, so nothing of it is remembered.
pub(super) fn told(layers: &Layers, remove_proxy: bool) -> Told {
    const LISTS: [Key; 2] = [Key::ProxyNoProxy, Key::ProxyNoProxyOnly];
    let worth = |spec: &Spec| {
        let setting = layers.get(spec.key).filter(|_| spec.saved)?;
        let stays = layers.file_stays && matches!(setting.origin, Origin::File { .. });
        // A URL for both schemes that came later replaces one for a single scheme that was kept, and so with lists.
        let rank = setting.origin.rank();
        let stronger = |key: &Key| layers.get(*key).is_some_and(|other| other.origin.rank() > rank);
        let beaten = match spec.key {
            key if LISTS.contains(&key) => LISTS.iter().any(stronger),
            Key::ProxyHttp | Key::ProxyHttps => stronger(&Key::ProxyUrl),
            Key::ProxyUrl => URLS[1..].iter().all(stronger),
            Key::ProxyUser => url_has_its_own_user(layers, rank),
            _ => false,
        };
        let gone = remove_proxy && spec.key.is_in("proxy");
        let value = if spec.value_name == "URL" { url(&setting.value) } else { setting.value.clone() };
        (!stays && !beaten && !gone && !value.is_empty()).then_some((spec.key, value))
    };
    TABLE.iter().filter_map(worth).collect()
}

/// A URL as it may be remembered: without its password, with the port that was confirmed, and still without a login where
/// it said that there is none.
fn url(value: &str) -> String {
    let Ok(mut url) = ProxyUrl::parse(value) else { return String::new() };
    url.port.get_or_insert(url.scheme.usual_port());
    url.without_password()
}

/// Says a URL that is stronger than a user who logs in, or that nobody does?
fn url_has_its_own_user(layers: &Layers, rank: u8) -> bool {
    let url = layers.first_of(&URLS).filter(|(_, url)| url.origin.rank() > rank);
    let url = url.and_then(|(_, url)| ProxyUrl::parse(&url.value).ok());
    url.is_some_and(|url| url.anonymous || url.credentials.is_some())
}
