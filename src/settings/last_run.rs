//! What the last run was told: the text of `state.json`, which lies beside the journals. It never holds a secret.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ProxyUrl;
use super::layers::{Layer, Layers, Origin, URLS, parse_switch};
use super::table::{Key, Spec, TABLE, by_key};
use crate::finding::{Finding, ids};
use crate::problem::{Problem, ProblemId, id};
use crate::text;
use crate::text::{Text, as_root, own, quoted};

/// Where lock, journals, backups and [`STATE_FILE`] are.
pub const STATE: &str = "/var/lib/ics-setup";

/// What the last run was told.
pub const STATE_FILE: &str = "/var/lib/ics-setup/state.json";

const LISTS: [Key; 2] = [Key::ProxyNoProxy, Key::ProxyNoProxyOnly];

const AUTHORITY: [Key; 2] = [Key::ProxyCa, Key::ProxyCaSha256];

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
                return Err(wrong(
                    id::STATE_NEWER,
                    shown,
                    text!("it has the setting {:?}, which is not known here", name),
                )
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
        .hint_command(as_root(text!("mv {} {}.unread", file, file)))
        .hint("then name the settings of the last run again: without the file nothing of them is known")
}

/// What is worth remembering for the next run: what people said in this one or in those before it. The host's own settings
/// file is read again by the next run, so nothing of it is remembered.
/// `secret`: name and region of the one that the databases are to come from.
pub(super) fn told(layers: &Layers, without_proxy: bool, secret: Option<(&str, &str)>) -> Told {
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
            Key::ProxyCaSha256 => stronger(&Key::ProxyCa),
            Key::ProxyDirect => URLS.iter().any(stronger) || parse_switch(&setting.value) != Some(true),
            // Databases stand in a secret or in lines.
            key if key.is_in("aws") => secret.is_none(),
            key if key.is_in("mysql") => secret.is_some(),
            _ => false,
        };
        // Whom to trust does not go with the way out.
        let stays_without = AUTHORITY.contains(&spec.key) || spec.key == Key::ProxyDirect;
        let gone = without_proxy && spec.key.is_in("proxy") && !stays_without;
        let value = if spec.value_name == "URL" { url(&setting.value) } else { setting.value.clone() };
        (!stays && !beaten && !gone && !value.is_empty()).then_some((spec.key, value))
    };
    let mut told: Told = TABLE.iter().filter_map(worth).collect();
    // One without the other would be missing where `prod.env` has lost it.
    if let Some((name, region)) = secret.filter(|_| told.keys().any(|key| key.is_in("aws"))) {
        told.entry(Key::AwsSecret).or_insert_with(|| name.to_owned());
        told.entry(Key::AwsRegion).or_insert_with(|| region.to_owned());
    }
    told
}

/// What was said by a flag or variable, and differently in the host's own settings file, which is stronger than what is
/// remembered: the next run takes it from there again.
pub(super) fn outlived(layers: &Layers, remove_proxy: bool) -> Option<Finding> {
    let by_hand = |key: &Key| layers.flags.get(*key).or_else(|| layers.variables.get(*key));
    let stays = |key: Key| layers.file.get(key).filter(|_| layers.file_stays);
    let of_another = |spec: &'static Spec| {
        let stays = stays(spec.key)?;
        let same_matter: &[Key] = [&URLS[..], &LISTS].into_iter().find(|keys| keys.contains(&spec.key)).unwrap_or(&[]);
        let said = match by_hand(&spec.key) {
            Some(said) => (said.value != stays.value).then_some(said),
            None if remove_proxy && URLS.contains(&spec.key) => by_hand(&Key::ProxyRemove),
            None if layers.is_direct() && URLS.contains(&spec.key) => by_hand(&Key::ProxyDirect),
            None if layers.removes_secret() && spec.key.is_in("aws") => by_hand(&Key::NoSecretsProvider),
            None => same_matter.iter().find_map(by_hand),
        };
        said.map(|said| (said, stays))
    };
    let (said, stays) = TABLE.iter().filter(|spec| spec.saved).find_map(of_another)?;
    let title = text!("{} has another value than {}, and counts again in the next run", stays.origin, said.origin);
    Some(Finding::warn(ids::SETTINGS_FILE_STAYS, title).cause("a settings file belongs to people: no run writes to it").advise(
        "change that line or take it out: what a run was told is remembered for the next where the file says nothing",
    ))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::read_file;

    fn layer(values: &[(Key, &str)], origin: impl Fn(&str) -> Origin) -> Layer {
        let mut layer = Layer::default();
        for (key, value) in values {
            layer.insert(key.spec(), (*value).to_owned(), origin(&key.spec().shown())).unwrap();
        }
        layer
    }

    fn flags(values: &[(Key, &str)]) -> Layer {
        layer(values, |flag| Origin::Flag(flag.to_owned()))
    }

    fn of_last_run(values: &[(Key, &str)]) -> Layer {
        layer(values, |_| Origin::LastRun(None))
    }

    fn is(told: &Told, expected: &[(Key, &str)]) {
        let told: Vec<(Key, &str)> = told.iter().map(|(key, value)| (*key, value.as_str())).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_was_told_is_read_back() {
        let values = [(Key::ProxyUrl, "http://u%40x@h:1"), (Key::ProxyNoProxy, "a,\"é"), (Key::ProxyBothCases, "yes")];
        let told: Told = values.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        for run in [Some("20261121T200102Z-1f3a".to_owned()), None] {
            let last = LastRun { run, told: told.clone() };
            let read = LastRun::parse(&last.render(), Path::new("state.json")).unwrap();
            assert_eq!(read, last);
            let origin = read.layer().get(Key::ProxyUrl).unwrap().origin.to_string();
            assert_eq!(origin, last.run.map_or("last run".to_owned(), |run| format!("last run {run}")));
        }
    }

    #[test]
    fn whatever_else_stands_there_is_refused_by_name_and_not_shown() {
        for (text, id) in [
            ("", "state-unreadable"),
            ("{\"version\": 1, \"settings\": {\"proxy.url\": \"http://s3cretZZ", "state-unreadable"),
            ("{\"version\": \"s3cretZZ\", \"settings\": {}}", "state-unreadable"),
            ("{\"version\": 1, \"settings\": {\"proxy.url\": {\"s3cretZZ\": 1}}}", "state-unreadable"),
            ("{\"version\": 1, \"settings\": {\"mysql.port\": \"s3cretZZ\"}}", "state-unreadable"),
            ("{\"version\": 1, \"settings\": {}, \"more\": 1}", "state-unreadable"),
            ("{\"version\": 2, \"settings\": {}, \"more\": 1}", "state-newer"),
            ("{\"version\": 1, \"settings\": {\"proxy.later\": \"s3cretZZ\"}}", "state-newer"),
            ("{\"version\": 1, \"settings\": {\"proxy.password\": \"s3cretZZ\"}}", "state-newer"),
        ] {
            let problem = LastRun::parse(text.as_bytes(), Path::new("/x/state.json")).unwrap_err();
            assert_eq!(problem.id, id, "{text}");
            let said = format!("{problem:?}");
            assert!(!said.contains("s3cretZZ") && said.contains("mv /x/state.json /x/state.json.unread"), "{said}");
        }
        assert_eq!(LastRun::parse(b"{\"version\":1,\"settings\":{}}", Path::new("s")).unwrap(), LastRun::default());
    }

    #[test]
    fn a_stronger_word_on_the_same_matter_replaces_a_weaker_one() {
        let last_run = of_last_run(&[
            (Key::ProxyHttp, "http://old:1"),
            (Key::ProxyUser, "svc"),
            (Key::ProxyNoProxyOnly, "x"),
            (Key::MysqlHost, "db"),
        ]);
        let after =
            |said: &[(Key, &str)]| Layers { flags: flags(said), last_run: last_run.clone(), ..Layers::default() };
        let url = |said: &str| told(&after(&[(Key::ProxyUrl, said), (Key::ProxyNoProxy, "y")]), false, None);
        let common = [(Key::ProxyNoProxy, "y"), (Key::MysqlHost, "db")];
        is(&url("http://new:2"), &[&[(Key::ProxyUrl, "http://new:2"), (Key::ProxyUser, "svc")], &common[..]].concat());
        // A user in the URL, or none there, outlives the user of before.
        is(&url("http://u:s3cret@new:2"), &[&[(Key::ProxyUrl, "http://u@new:2")], &common[..]].concat());
        is(&url("http://@new:2"), &[&[(Key::ProxyUrl, "http://@new:2")], &common[..]].concat());
        // The port that was confirmed.
        is(&url("http://u@new"), &[&[(Key::ProxyUrl, "http://u@new:80")], &common[..]].concat());
        is(&told(&after(&[(Key::ProxyRemove, "true")]), true, None), &[(Key::MysqlHost, "db")]);
        is(&told(&after(&[]), false, None), &last_run_values());
    }

    #[test]
    fn databases_stand_in_a_secret_or_in_lines() {
        let of_secret = [(Key::AwsSecret, "ics"), (Key::AwsRegion, "us-east-1")];
        let last_run = of_last_run(&[(Key::MysqlHost, "db"), (Key::RedisHost, "r")]);
        let now = Layers { flags: flags(&of_secret[..1]), last_run, ..Layers::default() };
        let secret = Some(("ics", "us-east-1"));
        is(&told(&now, false, secret), &[&[(Key::RedisHost, "r")], &of_secret[..]].concat());
        let last_run = of_last_run(&of_secret);
        let now = Layers { flags: flags(&[(Key::MysqlHost, "db")]), last_run, ..Layers::default() };
        is(&told(&now, false, None), &[(Key::MysqlHost, "db")]);
    }

    fn last_run_values() -> [(Key, &'static str); 4] {
        [
            (Key::ProxyHttp, "http://old:1"),
            (Key::ProxyUser, "svc"),
            (Key::ProxyNoProxyOnly, "x"),
            (Key::MysqlHost, "db"),
        ]
    }

    #[test]
    fn the_hosts_own_settings_file_is_not_remembered_and_one_that_was_named_is() {
        let file =
            read_file("release = '22.3.9'\n[proxy]\nurl = 'http://u:s3cret@h:1'\n", Path::new("s.toml")).unwrap();
        let last_run = of_last_run(&[(Key::ProxyUrl, "http://old:1"), (Key::AgentRegion, "eu")]);
        let named = Layers { file, last_run, ..Layers::default() };
        let region = (Key::AgentRegion, "eu");
        is(&told(&named, false, None), &[(Key::Release, "22.3.9"), (Key::ProxyUrl, "http://u@h:1"), region]);
        let own = Layers { file_stays: true, ..named };
        is(&told(&own, false, None), &[region]);
    }

    #[test]
    fn what_a_settings_file_will_say_again_is_named() {
        let file = read_file("[proxy]\nurl = 'http://u:s3cret@h:1'\nno_proxy = 'a'\n", Path::new("s.toml")).unwrap();
        let own = |said: &[(Key, &str)]| Layers {
            flags: flags(said),
            file: file.clone(),
            file_stays: true,
            ..Layers::default()
        };
        let title = |layers: &Layers, remove| outlived(layers, remove).map(|finding| finding.title.to_string());
        let says = |line: u32, flag: &str| {
            Some(format!("s.toml:{line} has another value than {flag}, and counts again in the next run"))
        };
        for (said, remove, expected) in [
            (&[][..], false, None),
            (&[(Key::ProxyUrl, "http://u:s3cret@h:1"), (Key::MysqlHost, "db")], false, None),
            (&[(Key::ProxyUrl, "http://new:1")], false, says(2, "--proxy")),
            (&[(Key::ProxyHttps, "http://new:1")], false, says(2, "--https-proxy")),
            (&[(Key::ProxyNoProxyOnly, "b")], false, says(3, "--no-proxy-only")),
            (&[(Key::ProxyRemove, "true")], true, says(2, "--remove-proxy")),
        ] {
            assert_eq!(title(&own(said), remove), expected);
            assert_eq!(title(&Layers { file_stays: false, ..own(said) }, remove), None);
        }
    }
}
