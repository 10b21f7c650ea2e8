//! What an installation has to know and nobody has said: named all at once, or made up where that does no harm.

use std::path::{Path, PathBuf};

use super::{HostContext, Inputs};
use crate::docker::compose::USUAL;
use crate::docker::compose::outline::outline;
use crate::envfile::{State, Syntax, find};
use crate::host::{FileKind, HostRead};
use crate::problem::Problem;
use crate::product::Place;
use crate::secret;
use crate::settings::{Deployment, Key, Origin, Settings, Spec, home};
use crate::vendor::prod_env;

/// Where a password that was made up is kept as long as the data that it opens: in the state folder.
pub(crate) const KEPT: &str = "/var/lib/ics-setup/test-drive.env";

/// The variable of the database's image, in [`KEPT`] and in the env file of its container.
pub(crate) const PASSWORD: &str = "MYSQL_PASSWORD";

/// Where a password comes from that was made up in this run.
const GENERATED: &str = "generated";

/// Where one comes from that an earlier run made up.
const REMEMBERED: &str = "kept";

/// What the product cannot start without. Other values have defaults in its files.
const NEEDED: [Key; 3] = [Key::MysqlHost, Key::MysqlPassword, Key::RedisHost];

/// The env file of the Test Drive's database.
pub(crate) fn mysql_env(home: &Path) -> PathBuf {
    home.join("mysql.env")
}

/// The folder of the Test Drive's data.
pub(crate) fn data(home: &Path) -> PathBuf {
    home.join("data/db")
}

/// Is there data of a database? A folder that cannot be looked into may have some.
pub(crate) fn has_data(host: &dyn HostRead, home: &Path) -> bool {
    let folder = data(home);
    match host.lstat(&folder) {
        Ok(None) => false,
        Ok(Some(stat)) if stat.kind == FileKind::Dir => !matches!(host.list(&folder), Ok(names) if names.is_empty()),
        Ok(Some(_)) | Err(_) => true,
    }
}

/// Was the password made up in this run?
pub(crate) fn is_generated(settings: &Settings) -> bool {
    let origin = settings.shown.iter().find(|(key, ..)| *key == Key::MysqlPassword).map(|(.., origin)| origin);
    origin == Some(&Origin::Flag(GENERATED.to_owned()))
}

impl HostContext<'_> {
    /// Gives a Test Drive's database a password where nobody has said one: the one that an earlier run made up, or a new one.
    /// Where there is data whose password is nowhere, none.
    ///
    /// # Errors
    /// A file that may hold it cannot be read.
    pub(crate) fn make_up_password(&mut self, inputs: &mut Inputs) -> Result<(), Problem> {
        let home = home(&self.layers)?;
        let said = self.layers.first_of(&[Key::MysqlPassword, Key::MysqlPasswordFile]).is_some();
        let stands = self.found.get(Key::MysqlPassword).is_some_and(|found| !found.value.is_empty());
        if self.deployment() != Deployment::TestDrive || said || stands || self.found.databases.is_some() {
            return Ok(());
        }
        // Somebody's file without one is for a database that has the product's own default.
        if self.view.snapshot(&prod_env(&home))?.is_some() {
            return Ok(());
        }
        let mut known = self.password_of_compose(&home)?;
        for file in [PathBuf::from(KEPT), mysql_env(&home)] {
            known = known.or(self.view.snapshot(&file)?.and_then(|snapshot| password_in(&snapshot.bytes)));
        }
        let (password, origin) = match known {
            Some(password) => (Some(password), REMEMBERED),
            None if has_data(&self.view, &home) => (None, GENERATED),
            None => (secret::generated(), GENERATED),
        };
        if let Some(password) = password {
            inputs.flags.insert(Key::MysqlPassword.spec(), password, Origin::Flag(origin.to_owned()))?;
            self.layers.flags = inputs.flags.clone();
        }
        Ok(())
    }

    /// The one that the compose file itself gives its database: that which is there, else the one of the bundle.
    fn password_of_compose(&self, home: &Path) -> Result<Option<String>, Problem> {
        let place = Place::look(&self.view, home);
        let present = place.compose.first().map(|name| self.view.snapshot(&home.join(name))).transpose()?.flatten();
        let bundle = self.layers.first_of(&[Key::Bundle]).map(|(_, folder)| Path::new(&folder.value).join(USUAL));
        // A bundle that cannot be read, the run refuses where it takes it.
        let brought = || bundle.and_then(|file| super::read(&file).ok());
        let Some(bytes) = present.map(|snapshot| snapshot.bytes.clone()).or_else(brought) else { return Ok(None) };
        // Nor does a file that is not understood say anything.
        let services = outline(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
        let name = format!("{PASSWORD}=");
        let value = services
            .iter()
            .filter(|service| service.name == "mysql")
            .flat_map(|service| &service.environment)
            .find_map(|line| line.strip_prefix(name.as_str()));
        Ok(value.filter(|value| !value.is_empty() && !value.contains('$')).map(str::to_owned))
    }

    /// What the product in production cannot start without, and nobody has said. A Test Drive has its back ends itself.
    pub(crate) fn lacking(&self) -> Result<Vec<&'static Spec>, Problem> {
        if !self.installs || self.deployment() == Deployment::TestDrive {
            return Ok(Vec::new());
        }
        let said = |key: Key| {
            [Some(key), key.file_of_password()].into_iter().flatten().any(|own| self.layers.get(own).is_some())
        };
        let home = home(&self.layers)?;
        let place = Place::look(&self.view, &home);
        let services = place.services(&self.view, &home);
        // The names in the vendor's own file are those of containers, which there may be none of.
        let is_nowhere = |name: &str| match &services {
            Some(services) => !services.iter().any(|service| service.name == name),
            None => place.compose.is_empty(),
        };
        let stands = |key: Key| {
            let value = self.found.get(key).map(|found| found.value.as_str()).filter(|value| !value.is_empty());
            let default = if key == Key::RedisHost { "redis" } else { "mysql" };
            value.is_some_and(|value| key == Key::MysqlPassword || value != default || !is_nowhere(default))
        };
        let has_secret = self.found.has_secret(&self.layers) && !said(Key::MysqlHost);
        let of_secret = |key: Key| key.is_in("mysql") && has_secret;
        let lacks = |key: &Key| !said(*key) && !stands(*key) && !of_secret(*key);
        Ok(NEEDED.into_iter().filter(lacks).map(Key::spec).collect())
    }

    pub(crate) fn deployment(&self) -> Deployment {
        let said = self.layers.get(Key::Deployment).and_then(|setting| Deployment::parse(&setting.value));
        said.unwrap_or(Deployment::Production)
    }
}

fn password_in(bytes: &[u8]) -> Option<String> {
    let lines = find(bytes, Syntax::EnvFile, &[PASSWORD]);
    let last = lines.iter().rev().find(|line| line.state == State::Active)?;
    let value = std::str::from_utf8(&bytes[last.value.clone()]).ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}
