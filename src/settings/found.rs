//! What is set on the host already: the weakest layer, and the place where saved settings find their passwords again.

use crate::settings::table::Key;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::layers::{Origin, Setting};
use super::{NoProxy, ProxyUrl, Secret};
use crate::envfile::{Dialect, PamLimit, Reading, Seen, State, Syntax, find, unit};
use crate::environment::daemon_json;
use crate::host::{FileKind, HostRead, View, unreadable};
use crate::platform::Platform;
use crate::problem::Problem;
use crate::vendor::{Generation, Vendor, prod_env};

/// Which file is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The system's proxy file: for what happens before the product is installed.
    System,
    /// `prod.env`: for what happens afterwards.
    Product,
}

/// Values that the host has.
#[derive(Clone, Debug, Default)]
pub struct Found {
    values: BTreeMap<Key, Setting<String>>,
    /// Proxy variables by file, of which `values` has those of the first file only.
    by_file: Vec<(Key, PathBuf, String)>,
    /// All members of all lists, in the order of the files asked.
    pub no_proxy: NoProxy,
    /// Every proxy URL with credentials, with the time of change of its file.
    logins: Vec<(Option<i64>, ProxyUrl)>,
    /// Files whose `no_proxy` is not known.
    unknown: Vec<PathBuf>,
    first: Option<First>,
    product: Option<PathBuf>,
    /// What looks like a password in values that are no proxy URLs.
    hidden: Vec<Secret>,
    /// Which variable names `prod.env` uses.
    pub generation: Option<Generation>,
    /// Names of the other generation that are active as well.
    pub mixed: bool,
}

impl Found {
    /// Looks at the system's proxy file, the Docker daemon's drop-in and `prod.env`.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn look(view: &View<'_>, platform: &Platform, home: &Path, first: First) -> Result<Self, Problem> {
        let product = prod_env(home);
        let mut found = Self { first: Some(first), product: Some(product.clone()), ..Self::default() };
        let system = platform.system_proxy_file();
        let dialect = platform.system_proxy_dialect();
        let syntax = if dialect == Dialect::Shell { Syntax::Shell } else { Syntax::PamEnv };
        if first == First::Product {
            found.product(view, &product)?;
        }
        found.env_file(view, system, dialect, syntax, &[])?;
        for script in profile_scripts(view.host, platform)? {
            found.env_file(view, &script, Dialect::Shell, Syntax::Shell, &[])?;
        }
        // pam_env reads it on every system, whichever file is ours there.
        let environment = Path::new("/etc/environment");
        if system != environment {
            let dialect = Dialect::PamEnv(PamLimit::None);
            found.env_file(view, environment, dialect, Syntax::PamEnv, &[])?;
        }
        if first == First::System {
            found.product(view, &product)?;
        }
        found.drop_in(view)?;
        found.daemon_json(view)?;
        Ok(found)
    }

    /// Files whose `no_proxy` only a shell can tell: it is built from variables, commands or conditions.
    pub fn unknown_no_proxy(&self, path: &Path) -> bool {
        self.unknown.iter().any(|unknown| unknown == path)
    }

    /// May a proxy of this file become the proxy of the whole run? Before the product is installed its file says nothing,
    /// and a daemon's file never speaks for logins; passwords and lists are taken from everywhere.
    fn adopts(&self, path: &Path) -> bool {
        let files = &Vendor::get().docker;
        let of_product = self.product.as_deref() == Some(path);
        path != files.drop_in && path != files.daemon_json && (!of_product || self.first == Some(First::Product))
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

    /// Takes the proxy variables of a file; returns the values of further names with their lines.
    fn env_file<'n>(
        &mut self,
        view: &View<'_>,
        path: &Path,
        dialect: Dialect,
        syntax: Syntax,
        more: &[&'n str],
    ) -> Result<Vec<(&'n str, String, usize)>, Problem> {
        const PROXIES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];
        let Some(snapshot) = view.snapshot(path)? else { return Ok(Vec::new()) };
        let names = [&PROXIES, more].concat();
        let bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let lines = find(&snapshot.bytes, syntax, &names);
        // In prod.env what was meant counts: a line that docker rejects, or quotes that it keeps, are mended on writing.
        let reading =
            if syntax == Syntax::EnvFile { Reading::default() } else { dialect.read_only(&snapshot.bytes, &bytes) };
        let mut others = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let last = lines.iter().rev().find(|at| at.name == index && at.state == State::Active);
            let text = match (reading.get(name.as_bytes()), last) {
                (Some(Seen::Value(value)), _) => String::from_utf8_lossy(value).into_owned(),
                (Some(_), _) => {
                    self.unknown.extend((name.eq_ignore_ascii_case("no_proxy")).then(|| path.to_path_buf()));
                    continue;
                }
                (None, Some(last)) if syntax == Syntax::EnvFile => meant(&snapshot.bytes[last.value.clone()]),
                (None, _) => continue,
            };
            let line = last.map_or(1, |at| at.line);
            match more.iter().find(|other| *other == name) {
                Some(other) => others.push((*other, unquoted(&text).to_owned(), line)),
                None => self.proxy(name, unquoted(&text), Place { path, line, mtime: snapshot.attributes.mtime }),
            }
        }
        Ok(others)
    }

    fn drop_in(&mut self, view: &View<'_>) -> Result<(), Problem> {
        let path = &Vendor::get().docker.drop_in;
        let Some(snapshot) = view.snapshot(path)? else { return Ok(()) };
        for assignment in unit::assignments(&snapshot.bytes) {
            let name = String::from_utf8_lossy(&assignment.name);
            let place = Place { path, line: assignment.line, mtime: snapshot.attributes.mtime };
            self.proxy(&name, &String::from_utf8_lossy(&assignment.value), place);
        }
        Ok(())
    }

    /// `proxies` of `daemon.json`; a file that is no JSON is the planner's to complain about.
    fn daemon_json(&mut self, view: &View<'_>) -> Result<(), Problem> {
        let path = &Vendor::get().docker.daemon_json;
        let Some(snapshot) = view.snapshot(path)? else { return Ok(()) };
        for (name, value) in daemon_json(&snapshot.bytes).unwrap_or_default().proxies {
            self.proxy(name, &value, Place { path, line: 1, mtime: snapshot.attributes.mtime });
        }
        Ok(())
    }

    /// Takes one proxy variable; what was found before is stronger.
    fn proxy(&mut self, name: &str, value: &str, place: Place<'_>) {
        let key = match name.to_ascii_lowercase().as_str() {
            "http_proxy" => Key::ProxyHttp,
            "https_proxy" => Key::ProxyHttps,
            "no_proxy" => {
                let own = std::mem::take(&mut self.no_proxy);
                self.no_proxy = own.merged(&NoProxy::found(value));
                Key::ProxyNoProxy
            }
            _ => return,
        };
        if value.is_empty() {
            return;
        }
        match ProxyUrl::parse(value) {
            Ok(url) if url.credentials.as_ref().is_some_and(|login| login.password.is_some()) => {
                self.logins.push((place.mtime, url));
            }
            Ok(_) => {}
            // No URL for us, yet some client's: what would be its password is kept out of every output.
            Err(_) => {
                let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
                if let Some((login, _)) = rest.rsplit_once('@')
                    && let Some((_, password)) = login.split_once(':')
                {
                    self.hidden.push(Secret::new(password.as_bytes()));
                }
            }
        }
        self.by_file.push((key, place.path.to_path_buf(), value.to_owned()));
        if !self.adopts(place.path) {
            return;
        }
        let origin = Origin::Found { path: place.path.to_path_buf(), line: place.line };
        self.values.entry(key).or_insert_with(|| Setting::new(value.to_owned(), origin));
    }

    /// `prod.env`: proxy, database and Redis lines.
    fn product(&mut self, view: &View<'_>, path: &Path) -> Result<(), Problem> {
        let vendor = Vendor::get();
        self.generation_of(view, path)?;
        let generation = self.generation.unwrap_or(Generation::Current);
        let named: Vec<(Key, &str)> = vendor
            .prod_env_keys()
            .filter_map(|key| Some((super::by_key(key)?.key, vendor.variables(generation, key).first()?.as_str())))
            .collect();
        let names: Vec<&str> = named.iter().map(|(_, name)| *name).collect();
        for (name, value, line) in self.env_file(view, path, Dialect::DockerEnvFile, Syntax::EnvFile, &names)? {
            if let Some((key, _)) = named.iter().find(|(_, own)| *own == name) {
                let origin = Origin::Found { path: path.to_path_buf(), line };
                self.values.insert(*key, Setting::new(value, origin));
            }
        }
        Ok(())
    }

    /// Which names the file uses: what is active counts, and where nothing is, what is commented.
    fn generation_of(&mut self, view: &View<'_>, path: &Path) -> Result<(), Problem> {
        let Some(snapshot) = view.snapshot(path)? else { return Ok(()) };
        let prefixes = |generation| Vendor::get().prefixes(generation);
        let has = |generation, commented| mentions(&snapshot.bytes, prefixes(generation), commented);
        let mut current = has(Generation::Current, false);
        let mut older = has(Generation::Older, false);
        self.mixed = current && older;
        if !current && !older {
            current = has(Generation::Current, true);
            older = has(Generation::Older, true);
        }
        self.generation = Some(if older && !current { Generation::Older } else { Generation::Current });
        Ok(())
    }
}

/// Where a value stood.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    line: usize,
    mtime: Option<i64>,
}

/// The value that a person meant: without the remark behind it.
fn meant(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    text.split_once(" #").map_or(text.as_ref(), |(value, _)| value).trim().to_owned()
}

/// The scripts in `/etc/profile.d` that login shells source beside the one that is ours, in the order in which they do.
///
/// # Errors
/// A folder that is there and cannot be read.
pub fn profile_scripts(host: &dyn HostRead, platform: &Platform) -> Result<Vec<PathBuf>, Problem> {
    let folder = Path::new("/etc/profile.d");
    let names = host.list(folder).map_err(|error| unreadable(&host.shown(folder), &error))?;
    let scripts = names.into_iter().map(|name| folder.join(name)).filter(|path| {
        // `*.sh` means no name that begins with a dot.
        let dotted = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_script = path.extension().is_some_and(|extension| extension == "sh") && !dotted;
        is_script && path != platform.system_proxy_file()
    });
    let mut found = Vec::new();
    for path in scripts {
        let stat = host.lstat(&path).map_err(|error| unreadable(&host.shown(&path), &error))?;
        if stat.is_some_and(|stat| stat.kind == FileKind::File) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Has the file an active (or, where asked, a commented) line whose name begins so?
fn mentions(bytes: &[u8], prefixes: &[String], commented: bool) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| {
        let line = line.trim_ascii_start();
        let marks = line.iter().take_while(|byte| commented && **byte == b'#').count();
        let line = line[marks..].trim_ascii_start();
        let line =
            line.strip_prefix(b"export").filter(|rest| rest.starts_with(b" ")).map_or(line, <[u8]>::trim_ascii_start);
        prefixes.iter().any(|prefix| line.starts_with(prefix.as_bytes()))
    })
}

/// docker and Compose v1 keep quotes; whoever wrote them meant the text between.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}
