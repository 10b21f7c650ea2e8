//! The secret that the databases are to come from, in place of lines of `prod.env`.

use super::resolver::Resolver;
use super::{Deployment, LAST_RUN, Unresolved};
use crate::problem::{Problem, id};
use crate::settings::layers::{Layers, Setting, parse_switch};
use crate::settings::table::{Key, Shape, TABLE};
use crate::text;
use crate::text::{Text, own, typed};
use crate::vendor::Vendor;

/// The settings that say so.
const KEYS: [Key; 2] = [Key::AwsSecret, Key::AwsRegion];

/// What becomes of the secret.
#[derive(Clone, Debug)]
pub enum SecretsProvider {
    /// The databases come from this one.
    Aws {
        /// Its name.
        secret: String,
        /// Its region.
        region: String,
        /// For people, with who says so.
        shown: Setting<String>,
    },
    /// They come from lines of `prod.env` again.
    Removed,
}

impl SecretsProvider {
    /// Name and region of the one that the databases come from.
    pub(super) fn aws(&self) -> Option<(&str, &str)> {
        match self {
            Self::Aws { secret, region, .. } => Some((secret, region)),
            Self::Removed => None,
        }
    }
}

impl Resolver<'_> {
    /// The secret that is asked for; `None`: nobody says anything, or what was said before gives way. What is missing is
    /// noted.
    pub(super) fn secrets_provider(&mut self) -> Result<Option<SecretsProvider>, Unresolved> {
        let layers = self.layers;
        if layers.removes_secret() {
            return match layers.flags_first(&KEYS) {
                Some((_, asked)) => Err(conflict(text!("{} and --no-secrets-provider", asked.origin)).into()),
                None => Ok(Some(SecretsProvider::Removed)),
            };
        }
        let Some((_, said)) = layers.first_of(&KEYS) else { return Ok(None) };
        let rank = said.origin.rank();
        let rival = rival(layers);
        let stronger = rival.filter(|rival| rival.origin.rank() > LAST_RUN);
        match stronger {
            Some(rival) if rank > LAST_RUN => {
                let why =
                    "the product takes the databases from the secret and passes over lines about them in prod.env";
                return Err(conflict(text!("{} and {}", rival.origin, said.origin)).because(why).into());
            }
            Some(_) => return Ok(None),
            None => {}
        }
        let deployment = layers.get(Key::Deployment);
        if let Some(of) = deployment.filter(|own| Deployment::parse(&own.value) == Some(Deployment::TestDrive)) {
            if rank <= LAST_RUN && of.origin.rank() > rank {
                return Ok(None);
            }
            let because = "a Test Drive has its databases in a container of this host";
            return Err(conflict(text!("{} and the deployment test-drive", said.origin)).because(because).into());
        }
        let [secret, region] = KEYS.map(|key| layers.get(key).or_else(|| self.found.get(key)));
        let (Some(secret), Some(region)) = (secret, region) else {
            let absent = if secret.is_none() { Key::AwsSecret } else { Key::AwsRegion };
            self.missing.push(absent.spec());
            return Ok(None);
        };
        plain(secret, "a name of letters, digits and / _ + = . @ - :", "/_+=.@-:")?;
        plain(region, "a region such as us-east-1", "-")?;
        let provider = &Vendor::get().secrets_provider;
        let shown = provider.shown(&provider.value(None, &secret.value, &region.value));
        Ok(Some(SecretsProvider::Aws {
            secret: secret.value.clone(),
            region: region.value.clone(),
            shown: Setting::new(shown, secret.origin.clone()),
        }))
    }

    /// Why an administrator of MySQL has nothing to make: what it would be made for is in a secret.
    pub(super) fn refuse_to_create(&self, provider: Option<&SecretsProvider>) -> Result<(), Problem> {
        let creates = self.layers.get(Key::CreateDatabases).filter(|own| parse_switch(&own.value) == Some(true));
        let secret = match provider {
            Some(SecretsProvider::Aws { shown, .. }) => Some(shown),
            Some(SecretsProvider::Removed) => None,
            None => self.found.databases.as_ref(),
        };
        let (Some(creates), Some(secret)) = (creates, secret) else { return Ok(()) };
        let what = text!("{}, and the databases in {} ({})", creates.origin, secret.value.as_str(), secret.origin);
        Err(conflict(what).because("the login of the product is in the secret, which the product alone reads").hint(
            text!(
                "make databases and user on the server, or name them in prod.env: {}",
                typed("--no-secrets-provider")
            ),
        ))
    }
}

/// The strongest word about the databases themselves.
fn rival(layers: &Layers) -> Option<&Setting<String>> {
    let is_off = |key: Key, value: &str| key.spec().shape == Shape::Switch && parse_switch(value) == Some(false);
    let said = TABLE.iter().filter(|spec| spec.key.is_in("mysql"));
    let said = said.filter_map(|spec| layers.get(spec.key).filter(|own| !is_off(spec.key, &own.value)));
    said.max_by_key(|own| own.origin.rank())
}

fn conflict(what: Text) -> Problem {
    Problem::settings(id::SETTINGS_CONFLICT, text!("{} contradict each other", what)).hint("leave one of them out")
}

/// A comma would begin another member of the line, and a blank end it for some reader.
fn plain(setting: &Setting<String>, expected: &'static str, signs: &str) -> Result<(), Problem> {
    if setting.value.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c)) {
        return Ok(());
    }
    let message = text!("{}: must be {}, not {:?}", setting.origin, own(expected), setting.value);
    Err(Problem::settings(id::SETTING_INVALID, message))
}
