//! What is set on the host already: the weakest layer, and the place where saved settings find their passwords again.

use crate::settings::table::Key;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::layers::{Layers, Origin, Setting};
use super::{NoProxy, ProxyUrl, Secret};
use crate::system::cloud::Direct;
use crate::text::Text;
use crate::vendor::Generation;

/// Which file is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The system's proxy file: for what happens before the product is installed.
    System,
    /// `prod.env`: for what happens afterwards.
    Product,
}

/// One proxy variable of a file.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The file.
    pub path: &'a Path,
    /// Its line; 0: the file as a whole.
    pub line: usize,
    /// When the file was changed.
    pub mtime: Option<i64>,
    /// The variable.
    pub name: &'a str,
    /// What its reader makes of it; `None`: the file alone does not tell.
    pub value: Option<&'a str>,
    /// May it become the proxy of the whole run?
    pub adopted: bool,
}

/// Values that the host has.
#[derive(Clone, Debug, Default)]
pub struct Found {
    values: BTreeMap<Key, Setting<String>>,
    /// Database and Redis values of `prod.env`: those of all variables that a setting stands in; empty: there is no such line.
    product: BTreeMap<Key, Vec<String>>,
    /// Proxy variables by file, of which `values` has those of the first file only.
    by_file: Vec<(Key, PathBuf, String)>,
    /// All members of all lists.
    pub no_proxy: NoProxy,
    /// Hosts that clients ask here and that no proxy can answer for.
    pub(crate) direct: Vec<Direct>,
    /// Every proxy URL with credentials, with the time of change of its file.
    logins: Vec<(Option<i64>, ProxyUrl)>,
    /// Lines of which only the reader itself knows what it makes of them.
    unknown: Vec<(Key, PathBuf, usize)>,
    /// What looks like a password in values that are no proxy URLs.
    hidden: Vec<Secret>,
    /// The secret that `prod.env` has the databases from, in place of its own lines, for people.
    pub databases: Option<Setting<String>>,
    /// Values of lines that were set aside for it.
    aside: BTreeMap<Key, Setting<String>>,
    /// Why nothing could be found in `prod.env`, although it is there.
    pub no_product: Option<Text>,
    /// Which variable names `prod.env` uses.
    pub generation: Option<Generation>,
    /// Names of the other generation that are active as well.
    pub mixed: bool,
    /// A compose file for a host that has none, and where it was taken from.
    pub(crate) brought: Option<Brought>,
    /// Compose as a program with its whole path, where it is known which one serves the project; `None`: whichever is found.
    pub(crate) compose: Option<Vec<String>>,
    /// The project that the product's containers are of; `None`: there are none.
    pub(crate) project: Option<String>,
}

/// A file from elsewhere, checked.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    /// Its content.
    pub(crate) bytes: Vec<u8>,
    /// Where it came from, for people.
    pub(crate) from: Text,
}

impl Found {
    /// Takes one proxy variable of a file; what was found before is stronger.
    pub fn take(&mut self, line: &Line<'_>) {
        let Some(key) = of_name(line.name) else { return };
        let Some(value) = line.value else {
            self.unknown.push((key, line.path.to_path_buf(), line.line));
            return;
        };
        if value.is_empty() {
            return;
        }
        match ProxyUrl::parse(value) {
            Ok(url) if url.credentials.as_ref().is_some_and(|login| login.password.is_some()) => {
                self.logins.push((line.mtime, url));
            }
            Ok(_) => {}
            // No URL for us, yet some client's: what would be its password is kept out of every output.
            Err(_) => self.hide(value),
        }
        self.by_file.push((key, line.path.to_path_buf(), value.to_owned()));
        if line.adopted {
            self.set(key, value, line.path, line.line);
        }
    }

    /// Takes the variable that decides for logins, whatever the other files say.
    pub fn decide(&mut self, line: &Line<'_>) {
        let Some((key, value)) = of_name(line.name).zip(line.value.filter(|value| !value.is_empty())) else { return };
        self.set(key, value, line.path, line.line);
    }

    /// Keeps what looks like a password in a value that is no proxy URL out of every output.
    fn hide(&mut self, value: &str) {
        let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
        if let Some((login, _)) = rest.rsplit_once('@')
            && let Some((_, password)) = login.split_once(':')
        {
            self.hidden.push(Secret::new(password.as_bytes()));
        }
    }

    /// Takes a value for the whole run, unless there is one.
    pub fn set(&mut self, key: Key, value: &str, path: &Path, line: usize) {
        if matches!(key, Key::MysqlHost | Key::RedisHost) {
            self.hide(value);
        }
        let origin = Origin::Found { path: path.to_path_buf(), line };
        self.values.entry(key).or_insert_with(|| Setting::new(value.to_owned(), origin));
    }

    /// Notes what one of the variables of `prod.env` has that a setting stands in; `None`: there is no such line.
    pub fn note(&mut self, key: Key, value: Option<&str>) {
        self.product.entry(key).or_default().push(value.unwrap_or_default().to_owned());
    }

    /// Takes the value of a line that was set aside.
    pub fn set_aside(&mut self, key: Key, value: &str, path: &Path, line: usize) {
        let origin = Origin::Found { path: path.to_path_buf(), line };
        self.aside.entry(key).or_insert_with(|| Setting::new(value.to_owned(), origin));
    }

    /// As it counts with what is said: where the secret is to go, lines that were set aside count again.
    #[must_use]
    pub fn counting(mut self, layers: &Layers) -> Self {
        if layers.removes_secret() {
            for (key, setting) in std::mem::take(&mut self.aside) {
                self.values.entry(key).or_insert(setting);
            }
        }
        self
    }

    /// Do the databases come from a secret, by what is said of it, or else by what is found?
    pub(crate) fn has_secret(&self, layers: &Layers) -> bool {
        !layers.removes_secret() && (layers.get(Key::AwsSecret).is_some() || self.databases.is_some())
    }

    /// Has `prod.env` this value in every variable that the setting stands in?
    pub fn has_everywhere(&self, key: Key, value: &[u8]) -> bool {
        let values = self.product.get(&key);
        values.is_some_and(|values| values.iter().all(|own| own.as_bytes() == value))
    }

    /// Has `prod.env` one value in every variable that the setting stands in, as far as it has any?
    pub(crate) fn is_one(&self, key: Key) -> bool {
        let values = || self.product.get(&key).into_iter().flatten().filter(|own| !own.is_empty());
        values().all(|own| Some(own) == values().next())
    }

    /// Files whose `no_proxy` only a shell can tell: it is built from variables, commands or conditions.
    pub fn unknown_no_proxy(&self, path: &Path) -> bool {
        self.unknown.iter().any(|(key, unknown, _)| *key == Key::ProxyNoProxy && unknown == path)
    }

    /// Where a proxy is set in a way that the files alone do not tell; `None` where one is known.
    pub fn unknown_proxy(&self) -> Option<(&Path, usize)> {
        let known = [Key::ProxyHttp, Key::ProxyHttps].iter().any(|key| self.values.contains_key(key));
        let unknown = self.unknown.iter().find(|(key, ..)| *key != Key::ProxyNoProxy).filter(|_| !known)?;
        Some((&unknown.1, unknown.2))
    }

    /// The line that decides a setting in a way that the files alone do not tell; `None` where a value is known, or nothing is
    /// said.
    pub fn untold(&self, key: Key) -> Option<(&Path, usize)> {
        let (_, path, line) = self.unknown.iter().find(|(own, ..)| *own == key && !self.values.contains_key(&key))?;
        Some((path, *line))
    }

    /// The value of a setting, as it stands on the host.
    pub fn get(&self, key: Key) -> Option<&Setting<String>> {
        self.values.get(&key)
    }

    /// The members of the lists that one file has.
    pub fn no_proxy_at(&self, path: &Path) -> NoProxy {
        let lists = self.by_file.iter().filter(|(key, file, _)| *key == Key::ProxyNoProxy && file == path);
        lists.fold(NoProxy::default(), |list, (_, _, value)| list.merged(&NoProxy::found(value)))
    }

    /// The proxy URL that one file has.
    pub fn at(&self, key: Key, path: &Path) -> Option<&str> {
        self.by_file.iter().find(|(own, file, _)| *own == key && file == path).map(|(_, _, value)| value.as_str())
    }

    /// Where the host has a proxy already, also one that only its reader can tell.
    pub(crate) fn a_proxy(&self) -> Option<&Path> {
        self.known_proxy().or_else(|| self.unknown_proxy().map(|(path, _)| path))
    }

    /// The first file that names a proxy for certain.
    pub(crate) fn known_proxy(&self) -> Option<&Path> {
        self.by_file.iter().find(|(key, ..)| *key != Key::ProxyNoProxy).map(|(_, path, _)| path.as_path())
    }

    /// Does the host name a back end?
    pub(crate) fn has_back_end(&self) -> bool {
        self.databases.is_some() || [Key::MysqlHost, Key::RedisHost].iter().any(|key| self.values.contains_key(key))
    }

    /// Does any file of the host have this proxy?
    pub fn has_proxy(&self, url: &str) -> bool {
        self.by_file.iter().any(|(key, _, value)| *key != Key::ProxyNoProxy && value == url)
    }

    /// The password of a user at a proxy: from URLs of the same place if there are any, else from others of that user;
    /// among several from the file that was changed last, because a password moves from file to file.
    pub fn password_of(&self, user: &[u8], place: &ProxyUrl) -> Option<Secret> {
        let login = |url: &ProxyUrl| url.credentials.as_ref().filter(|login| login.user == user)?.password.clone();
        let newest = |same_place: bool| {
            let fitting = self.logins.iter().filter(|(_, url)| !same_place || url.same_place(place));
            // Of equal times the first: files are asked in the verb's order.
            fitting
                .filter_map(|(time, url)| Some((*time, login(url)?)))
                .reduce(|best, next| if next.0 > best.0 { next } else { best })
        };
        newest(true).or_else(|| newest(false)).map(|(_, password)| password)
    }

    /// Every password on the host, for the redactor.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.logins.iter().filter_map(|(_, url)| url.password()).chain(&self.hidden)
    }
}

fn of_name(name: &str) -> Option<Key> {
    match name.to_ascii_lowercase().as_str() {
        "http_proxy" => Some(Key::ProxyHttp),
        "https_proxy" => Some(Key::ProxyHttps),
        "no_proxy" => Some(Key::ProxyNoProxy),
        _ => None,
    }
}
