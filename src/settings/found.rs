//! What is set on the host already: the weakest layer, and the place where saved settings find their passwords again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::layers::{Origin, Setting};
use super::{NoProxy, ProxyUrl, Secret};
use crate::envfile::{Dialect, PamLimit, Seen, State, Syntax, find, unit};
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
    values: BTreeMap<&'static str, Setting<String>>,
    /// Proxy variables by file, of which `values` has those of the first file only.
    by_file: Vec<(&'static str, PathBuf, String)>,
    /// All members of all lists, in the order of the files asked.
    pub no_proxy: NoProxy,
    /// Every proxy URL with credentials.
    logins: Vec<ProxyUrl>,
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
        let mut found = Self::default();
        let product = prod_env(home);
        let system = platform.system_proxy_file();
        let (dialect, syntax) = if platform.system_proxy_is_shell() {
            (Dialect::Shell, Syntax::Shell)
        } else {
            (Dialect::PamEnv(PamLimit::None), Syntax::PamEnv)
        };
        let ask_system = |found: &mut Self| -> Result<(), Problem> {
            found.env_file(view, system, dialect, syntax, &[])?;
            for script in profile_scripts(view.host, platform)? {
                found.env_file(view, &script, Dialect::Shell, Syntax::Shell, &[])?;
            }
            Ok(())
        };
        match first {
            First::System => {
                ask_system(&mut found)?;
                found.product(view, &product)?;
            }
            First::Product => {
                found.product(view, &product)?;
                ask_system(&mut found)?;
            }
        }
        found.drop_in(view)?;
        Ok(found)
    }

    /// The value of a setting, as it stands on the host.
    pub fn get(&self, key: &str) -> Option<&Setting<String>> {
        self.values.get(key)
    }

    /// The members of the lists that one file has.
    pub fn no_proxy_at(&self, path: &Path) -> NoProxy {
        let lists = self.by_file.iter().filter(|(key, file, _)| *key == "proxy.no_proxy" && file == path);
        lists.fold(NoProxy::default(), |list, (_, _, value)| list.merged(&NoProxy::found(value)))
    }

    /// The proxy URL that one file has.
    pub fn at(&self, key: &str, path: &Path) -> Option<&str> {
        self.by_file.iter().find(|(own, file, _)| *own == key && file == path).map(|(_, _, value)| value.as_str())
    }

    /// Does any file of the host have this proxy?
    pub fn has_proxy(&self, url: &str) -> bool {
        self.by_file.iter().any(|(key, _, value)| *key != "proxy.no_proxy" && value == url)
    }

    /// The password of a user at a proxy: from the URL of the same place if there is one, else from any.
    pub fn password_of(&self, user: &[u8], place: &ProxyUrl) -> Option<Secret> {
        let same_user = |url: &&ProxyUrl| url.credentials.as_ref().is_some_and(|login| login.user == user);
        let of = |url: &ProxyUrl| url.credentials.as_ref().and_then(|login| login.password.clone());
        let mut logins = self.logins.iter().filter(same_user);
        let nearest = logins.clone().find(|url| url.same_place(place));
        nearest.or_else(|| logins.next()).and_then(of)
    }

    /// Every password on the host, for the redactor.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.logins.iter().filter_map(ProxyUrl::password).chain(&self.hidden)
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
        let snapshot = view.snapshot(path)?;
        let Some(snapshot) = snapshot else { return Ok(Vec::new()) };
        let names = [&PROXIES, more].concat();
        let bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let reading = dialect.read_only(&snapshot.bytes, &bytes);
        if reading.variables.is_empty() {
            return Ok(Vec::new());
        }
        let lines = find(&snapshot.bytes, syntax, &names);
        let mut others = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let Some(Seen::Value(value)) = reading.get(name.as_bytes()) else { continue };
            let active = |at: &&crate::envfile::Occurrence| at.name == index && at.state == State::Active;
            let line = lines.iter().rev().find(active).map_or(1, |at| at.line);
            let text = String::from_utf8_lossy(value);
            match more.iter().find(|other| *other == name) {
                Some(other) => others.push((*other, unquoted(&text).to_owned(), line)),
                None => self.proxy(name, unquoted(&text), path, line),
            }
        }
        Ok(others)
    }

    fn drop_in(&mut self, view: &View<'_>) -> Result<(), Problem> {
        let path = &Vendor::get().docker.drop_in;
        if let Some(snapshot) = view.snapshot(path)? {
            for assignment in unit::assignments(&snapshot.bytes) {
                let name = String::from_utf8_lossy(&assignment.name);
                self.proxy(&name, &String::from_utf8_lossy(&assignment.value), path, assignment.line);
            }
        }
        Ok(())
    }

    /// Takes one proxy variable; what was found before is stronger.
    fn proxy(&mut self, name: &str, value: &str, path: &Path, line: usize) {
        let key = match name.to_ascii_lowercase().as_str() {
            "http_proxy" => "proxy.http",
            "https_proxy" => "proxy.https",
            "no_proxy" => {
                let own = std::mem::take(&mut self.no_proxy);
                self.no_proxy = own.merged(&NoProxy::found(value));
                "proxy.no_proxy"
            }
            _ => return,
        };
        if value.is_empty() {
            return;
        }
        match ProxyUrl::parse(value) {
            Ok(url) if url.password().is_some() => self.logins.push(url),
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
        self.by_file.push((key, path.to_path_buf(), value.to_owned()));
        let origin = Origin::Found { path: path.to_path_buf(), line };
        self.values.entry(key).or_insert_with(|| Setting::new(value.to_owned(), origin));
    }

    /// `prod.env`: proxy, database and Redis lines.
    fn product(&mut self, view: &View<'_>, path: &Path) -> Result<(), Problem> {
        let vendor = Vendor::get();
        self.generation_of(view, path)?;
        let generation = self.generation.unwrap_or(Generation::Current);
        let named: Vec<(&'static str, &str)> = vendor
            .prod_env_keys()
            .filter_map(|key| Some((super::by_key(key)?.key, vendor.variables(generation, key).first()?.as_str())))
            .collect();
        let names: Vec<&str> = named.iter().map(|(_, name)| *name).collect();
        for (name, value, line) in self.env_file(view, path, Dialect::DockerEnvFile, Syntax::EnvFile, &names)? {
            if let Some((key, _)) = named.iter().find(|(_, own)| *own == name) {
                let origin = Origin::Found { path: path.to_path_buf(), line };
                self.values.insert(key, Setting::new(value, origin));
            }
        }
        Ok(())
    }

    /// Which names the file uses: what is active counts, and where nothing is, what is commented.
    fn generation_of(&mut self, view: &View<'_>, path: &Path) -> Result<(), Problem> {
        let snapshot = view.snapshot(path)?;
        let Some(snapshot) = snapshot else { return Ok(()) };
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

/// The scripts in `/etc/profile.d` that login shells source beside the one that is ours, in the order in which they do.
///
/// # Errors
/// A folder that is there and cannot be read.
pub fn profile_scripts(host: &dyn HostRead, platform: &Platform) -> Result<Vec<PathBuf>, Problem> {
    let folder = Path::new("/etc/profile.d");
    let names = host.list(folder).map_err(|error| unreadable(&host.shown(folder), &error))?;
    let scripts = names.into_iter().map(|name| folder.join(name)).filter(|path| {
        path.extension().is_some_and(|extension| extension == "sh") && path != platform.system_proxy_file()
    });
    Ok(scripts
        .filter(|path| host.lstat(path).is_ok_and(|stat| stat.is_some_and(|stat| stat.kind == FileKind::File)))
        .collect())
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
