//! What goes into a configuration file of others: nothing in it can end a word, a line or a section there.

use crate::settings::{ProxyHost, ProxyUrl};
use crate::text::words::words;

/// Why a text does not fit, as the end of a sentence.
pub(crate) type Refused = &'static str;

/// The public name of the web interface, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerName(String);

impl ServerName {
    /// Reads a name of letters, digits, hyphens and dots.
    ///
    /// # Errors
    /// Anything else.
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        // A proxy's host is read with the same care; what follows is what certificates do not have.
        let url = format!("http://{text}");
        match ProxyUrl::parse(&url) {
            Ok(ProxyUrl { host: ProxyHost::Name(name), port: None, credentials: None, anonymous: false, .. })
                if name.len() == text.len() && !name.contains('_') && !name.ends_with('.') =>
            {
                Ok(Self(name))
            }
            Ok(ProxyUrl { host: ProxyHost::V4(_) | ProxyHost::V6(_), .. }) => {
                Err("an address; browsers ask for the name that is in the certificate")
            }
            _ => Err("no host name of letters, digits, hyphens and dots, alone"),
        }
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A path that needs no quotes in any of these files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainPath(String);

impl PlainPath {
    /// Reads an absolute path of plain characters: quotes, blanks, `$` and `%` mean something to nginx or Apache.
    ///
    /// # Errors
    /// Anything else.
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@=,~".contains(c);
        match text {
            _ if !text.starts_with('/') => Err("not absolute; the web server starts in a folder of its own"),
            _ if !text.chars().all(plain) => {
                Err("not of letters, digits and / . _ - + @ = , ~ alone; give the file a link with such a name")
            }
            _ if text.ends_with('/') => Err("a folder"),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The path.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

words! {
    /// Where a secret is kept.
    pub(crate) enum Keeper {
        /// Secrets Manager: a secret may be JSON, of which a member can be named.
        SecretsManager = "secretsmanager",
        /// Parameter Store.
        Ssm = "ssm",
    }
}

/// The name of a secret in AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretArn {
    text: String,
    pub(crate) keeper: Keeper,
}

impl SecretArn {
    /// Reads `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME` or `arn:aws:ssm:REGION:ACCOUNT:parameter/NAME`.
    ///
    /// # Errors
    /// Anything else.
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        let wrong = "no ARN of a secret or parameter, as arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME";
        let plain = |c: char| c.is_ascii_alphanumeric() || ":/_-+=.@".contains(c);
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, keeper, region, account, name] = parts[..] else { return Err(wrong) };
        let keeper = Keeper::parse(keeper).ok_or(wrong)?;
        let name = match keeper {
            Keeper::SecretsManager => name.strip_prefix("secret:").filter(|name| !name.contains(':')),
            Keeper::Ssm => name.strip_prefix("parameter/").filter(|name| !name.contains(':')),
        };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        match name {
            Some(name)
                if text.chars().all(plain)
                    && partition.starts_with("aws")
                    && !region.is_empty()
                    && is_account
                    && !name.is_empty() =>
            {
                Ok(Self { text: text.to_owned(), keeper })
            }
            _ => Err(wrong),
        }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}
