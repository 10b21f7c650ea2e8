//! What is set on the host already: the weakest layer, and the place where saved settings find their passwords again.

use std::collections::BTreeMap;
use std::path::Path;

use super::layers::{Origin, Setting};
use super::{NoProxy, ProxyUrl, Secret};
use crate::envfile::{Dialect, PamLimit, Seen, State, Syntax, find, unit};
use crate::host::View;
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
    /// Proxy URLs by file, which `values` has from the first file only.
    by_file: Vec<(&'static str, std::path::PathBuf, String)>,
    /// All members of all lists, in the order of the files asked.
    pub no_proxy: NoProxy,
    /// Every proxy URL with credentials.
    logins: Vec<ProxyUrl>,
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
        let ask_system = |found: &mut Self| found.env_file(view, system, dialect, syntax);
        let ask_product = |found: &mut Self| found.env_file(view, &product, Dialect::DockerEnvFile, Syntax::EnvFile);
        match first {
            First::System => {
                ask_system(&mut found)?;
                ask_product(&mut found)?;
            }
            First::Product => {
                ask_product(&mut found)?;
                ask_system(&mut found)?;
            }
        }
        found.drop_in(view)?;
        found.back_ends(view, &product)?;
        Ok(found)
    }

    /// The value of a setting, as it stands on the host.
    pub fn get(&self, key: &str) -> Option<&Setting<String>> {
        self.values.get(key)
    }

    /// The proxy URL that one file has.
    pub fn at(&self, key: &str, path: &Path) -> Option<&str> {
        self.by_file.iter().find(|(own, file, _)| *own == key && file == path).map(|(_, _, value)| value.as_str())
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
        self.logins.iter().filter_map(ProxyUrl::password)
    }

    fn env_file(&mut self, view: &View<'_>, path: &Path, dialect: Dialect, syntax: Syntax) -> Result<(), Problem> {
        const NAMES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];
        let snapshot = view.snapshot(path)?;
        let Some(snapshot) = snapshot.as_ref() else { return Ok(()) };
        let reading = dialect.read_only(&snapshot.bytes, &NAMES.map(str::as_bytes));
        if reading.variables.is_empty() {
            return Ok(());
        }
        let lines = find(&snapshot.bytes, syntax, &NAMES);
        for (index, name) in NAMES.iter().enumerate() {
            let Some(Seen::Value(value)) = reading.get(name.as_bytes()) else { continue };
            let line =
                lines.iter().rev().find(|at| at.name == index && at.state == State::Active).map_or(1, |at| at.line);
            self.proxy(name, unquoted(&String::from_utf8_lossy(value)), path, line);
        }
        Ok(())
    }

    fn drop_in(&mut self, view: &View<'_>) -> Result<(), Problem> {
        let path = &Vendor::get().docker.drop_in;
        if let Some(snapshot) = view.snapshot(path)?.as_ref() {
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
        if let Ok(url) = ProxyUrl::parse(value)
            && url.password().is_some()
        {
            self.logins.push(url);
        }
        self.by_file.push((key, path.to_path_buf(), value.to_owned()));
        let origin = Origin::Found { path: path.to_path_buf(), line };
        self.values.entry(key).or_insert_with(|| Setting::new(value.to_owned(), origin));
    }

    /// Database and Redis lines of `prod.env`.
    fn back_ends(&mut self, view: &View<'_>, path: &Path) -> Result<(), Problem> {
        let snapshot = view.snapshot(path)?;
        let Some(snapshot) = snapshot.as_ref() else { return Ok(()) };
        let vendor = Vendor::get();
        let has = |generation, commented| mentions(&snapshot.bytes, vendor.prefixes(generation), commented);
        let mut current = has(Generation::Current, false);
        let mut older = has(Generation::Older, false);
        self.mixed = current && older;
        if !current && !older {
            current = has(Generation::Current, true);
            older = has(Generation::Older, true);
        }
        let generation = if older && !current { Generation::Older } else { Generation::Current };
        self.generation = Some(generation);
        let named: Vec<(&'static str, &str)> = vendor
            .prod_env_keys()
            .filter_map(|key| Some((super::by_key(key)?.key, vendor.variables(generation, key).first()?.as_str())))
            .collect();
        let names: Vec<&str> = named.iter().map(|(_, name)| *name).collect();
        let bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let reading = Dialect::DockerEnvFile.read_only(&snapshot.bytes, &bytes);
        let lines = find(&snapshot.bytes, Syntax::EnvFile, &names);
        for (index, (key, name)) in named.iter().enumerate() {
            let Some(Seen::Value(value)) = reading.get(name.as_bytes()) else { continue };
            let line =
                lines.iter().rev().find(|at| at.name == index && at.state == State::Active).map_or(1, |at| at.line);
            let origin = Origin::Found { path: path.to_path_buf(), line };
            self.values.insert(key, Setting::new(unquoted(&String::from_utf8_lossy(value)).to_owned(), origin));
        }
        Ok(())
    }
}

/// Has the file an active (or, where asked, a commented) line whose name begins so?
fn mentions(bytes: &[u8], prefixes: &[String], commented: bool) -> bool {
    prefixes.iter().any(|prefix| {
        memchr::memmem::find_iter(bytes, prefix.as_bytes()).any(|at| {
            let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |feed| feed + 1);
            let before = bytes[start..at].trim_ascii();
            before.is_empty() || before == b"export" || (commented && before.iter().all(|byte| *byte == b'#'))
        })
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
