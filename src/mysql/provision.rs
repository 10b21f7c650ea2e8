//! What the product needs on a server, made by somebody who may: two databases, its user, its rights.
//!
//! What is there is asked first, and nothing is issued that is so already. An account that is there keeps its password: others
//! may log in with it. The password itself crosses the network only where a server takes nothing else, and then over TLS
//! alone: what the server would keep of it is enough for the others, which also needs no quoting and repeats no password in
//! the words of an error.

use super::about::{About, There, cell};
use super::exchange::{self, Connection, NATIVE};
use super::grants::{Grant, has_global, has_reload, matches, missing, roles};
use super::greeting::Refusal;
use super::product::{self, Make};
use super::sql;
use crate::net::NetError;
use crate::text;
use crate::text::{Foreign, Text, own};

/// The host part of an account for clients anywhere. Every instance of the product logs in from an address of its own.
const ANYWHERE: &str = "%";

/// Error 1396: an account of that name is there, or may not be made.
pub(crate) const CANNOT_USER: u16 = 1396;

/// What the product needs.
#[derive(Clone, Copy)]
pub(crate) struct Need<'a> {
    /// Its user.
    pub(crate) user: &'a str,
    /// The user's password.
    pub(crate) password: &'a [u8],
    /// Its databases.
    pub(crate) databases: [&'a str; 2],
    /// What the server says to its login; `None`: it was refused.
    pub(crate) own: Option<&'a About>,
}

/// One thing to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A database, with character set and collation where the other one has some.
    Database(String, Option<(String, String)>),
    /// The account.
    User,
    /// All rights on a database.
    Rights(String),
    /// The right to RELOAD.
    Reload,
}

/// How the account gets its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// What the server would keep, as MariaDB and MySQL before 8.0 take it.
    Kept,
    /// The same as MySQL 8.0 and later take it, where the plugin is active.
    Plugin,
    /// The password.
    Plain,
}

/// What is missing on a server.
#[derive(Debug)]
pub(crate) struct Missing {
    /// What is to be made, in this order.
    pub(crate) steps: Vec<Step>,
    /// The account that the rights are for, as statements name it.
    pub(crate) account: String,
    /// It is there, and refuses the product's login.
    pub(crate) refuses: bool,
    /// The host parts of accounts without a name, which take logins from there before others do.
    pub(crate) anonymous: Vec<String>,
    /// What the one who asks may not do of it.
    pub(crate) not_allowed: Vec<Text>,
    /// The password would have to cross a plain connection.
    pub(crate) needs_tls: bool,
    way: Way,
}

/// A statement that the server did not carry out.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// Which.
    pub(crate) step: Step,
    /// The server's number.
    pub(crate) code: u16,
    /// Its words, which are those of the statement where it has no better; `None`: they are not repeated.
    pub(crate) words: Option<Foreign>,
}

impl Missing {
    /// Asks what is there.
    ///
    /// # Errors
    /// The conversation broke.
    pub(crate) fn look(connection: &mut Connection, about: &About, need: &Need<'_>) -> Result<Self, NetError> {
        let escapes = sql::has_escapes(&about.variables);
        let mut hosts = |user: &str| -> Result<Vec<String>, NetError> {
            let question = format!("SELECT Host FROM mysql.user WHERE User = {}", sql::literal(user, escapes));
            // Whoever may not read it learns of an account that is there when it is made.
            let rows = connection.query(question)?.unwrap_or_default();
            Ok(rows.iter().filter_map(|row| cell(row, 0)).collect())
        };
        let (accounts, anonymous) = (hosts(need.user)?, hosts("")?);
        let client = connection.query("SELECT USER()")?.unwrap_or_default();
        let client = client.first().and_then(|row| cell(row, 0)).unwrap_or_default();
        let client = client.rsplit_once('@').map_or("", |(_, host)| host);
        // Somebody without a name who got in is nobody to give rights to.
        let host_of = |own: &About| {
            let (user, host) = own.account.as_deref()?.rsplit_once('@')?;
            (user == need.user).then(|| host.to_owned())
        };
        let logged_in = need.own.and_then(host_of);
        let there = accounts.into_iter().find(|host| may_be_of(host, client));
        let refuses = logged_in.is_none() && there.is_some();
        let is_new = logged_in.is_none() && there.is_none();
        let host = logged_in.or(there).unwrap_or_else(|| ANYWHERE.to_owned());
        let account = sql::account(need.user, &host, escapes);

        let own = need.own.filter(|own| host_of(own).is_some());
        let held = own.and_then(|own| own.grants.clone()).unwrap_or_default();
        let mut steps = databases(about, own);
        steps.extend(is_new.then_some(Step::User));
        let rights = need.databases.into_iter().filter(|name| !missing(&held, name, about.any_case()).is_empty());
        steps.extend(rights.map(|name| Step::Rights(name.to_owned())));
        steps.extend((!has_reload(&held)).then_some(Step::Reload));
        let way = way(connection, about)?;
        let not_allowed = not_allowed(about, &steps);
        let needs_tls = is_new && way == Way::Plain && about.tls.is_none();
        Ok(Self { steps, account, refuses, anonymous, not_allowed, needs_tls, way })
    }

    /// Makes it; `made` hears of each step that is done.
    ///
    /// # Errors
    /// The conversation broke; the inner one is the server's no. What was made before stays.
    pub(crate) fn make(
        &self,
        connection: &mut Connection,
        about: &About,
        need: &Need<'_>,
        made: &mut dyn FnMut(&Step),
    ) -> Result<Result<(), Stopped>, NetError> {
        for step in &self.steps {
            if let Err(Refusal { code, message }) = connection.query(self.statement(step, about, need))? {
                // Where it does not understand the statement it repeats a part of it.
                let words = (*step != Step::User).then_some(message);
                return Ok(Err(Stopped { step: step.clone(), code, words }));
            }
            made(step);
        }
        Ok(Ok(()))
    }

    fn statement(&self, step: &Step, about: &About, need: &Need<'_>) -> Vec<u8> {
        let account = &self.account;
        let text = match step {
            Step::Database(name, set) => {
                let set =
                    set.as_ref().map(|(charset, collation)| format!(" CHARACTER SET {charset} COLLATE {collation}"));
                format!("CREATE DATABASE IF NOT EXISTS {}{}", sql::identifier(name), set.unwrap_or_default())
            }
            Step::Rights(name) => format!("GRANT ALL PRIVILEGES ON {}.* TO {account}", sql::pattern(name)),
            Step::Reload => format!("GRANT RELOAD ON *.* TO {account}"),
            Step::User => match self.way {
                Way::Kept => {
                    format!("CREATE USER {account} IDENTIFIED BY PASSWORD '{}'", exchange::kept(need.password))
                }
                Way::Plugin => {
                    format!("CREATE USER {account} IDENTIFIED WITH {NATIVE} AS '{}'", exchange::kept(need.password))
                }
                Way::Plain => {
                    let password = sql::literal_bytes(need.password, sql::has_escapes(&about.variables));
                    return [format!("CREATE USER {account} IDENTIFIED BY ").as_bytes(), &password].concat();
                }
            },
        };
        text.into_bytes()
    }

    /// A step in words: `database divvy`.
    pub(crate) fn told(&self, step: &Step) -> Text {
        match step {
            Step::Database(name, _) => text!("database {}", own(name)),
            Step::User => text!("user {}", own(&self.account)),
            Step::Rights(name) => text!("all rights on {} for {}", own(name), own(&self.account)),
            Step::Reload => text!("RELOAD for {}", own(&self.account)),
        }
    }
}

/// May an account with this host part be the one that a client's login is matched to?
fn may_be_of(host: &str, client: &str) -> bool {
    let lower = client.to_lowercase();
    let names: &[&str] = if lower == "localhost" { &["localhost", "127.0.0.1", "::1"] } else { &[&lower] };
    // A network with its mask; an empty one is anywhere.
    host.is_empty() || host.contains('/') || names.iter().any(|name| matches(&host.to_lowercase(), name))
}

/// The databases that are missing: those that neither the administrator nor the product's own user sees. One of two is made like
/// the other.
fn databases(about: &About, own: Option<&About>) -> Vec<Step> {
    let is_word = |word: &&String| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let seen = || about.databases.iter().chain(own.iter().flat_map(|own| &own.databases));
    let set = seen().find_map(|own| {
        let (charset, collation) = (own.charset.as_ref().filter(is_word)?, own.collation.as_ref().filter(is_word)?);
        Some((charset.clone(), collation.clone()))
    });
    let is_there = |name: &str| seen().any(|own| own.name == name && own.there == There::Yes);
    let absent = about.databases.iter().filter(|own| !is_there(&own.name));
    absent.map(|own| Step::Database(own.name.clone(), set.clone())).collect()
}

/// From MySQL 8.0 on the accounts' usual plugin is one that clients of 5.7 do not speak, and what it keeps cannot be told in
/// advance. MySQL 5.6 takes [`Way::Plugin`] for an account without a password (measured with 5.6.24).
fn way(connection: &mut Connection, about: &About) -> Result<Way, NetError> {
    let comment = about.variables.get("version_comment").map(String::as_str).unwrap_or_default();
    let product = product::of_itself(about.version.as_deref().unwrap_or_default(), comment, &about.variables);
    let is_later = product.version.as_ref().is_some_and(|version| version.major() >= 8);
    if product.make == Make::MariaDb || !is_later {
        return Ok(Way::Kept);
    }
    let question = format!("SELECT PLUGIN_STATUS FROM information_schema.PLUGINS WHERE PLUGIN_NAME = '{NATIVE}'");
    let rows = connection.query(question)?.unwrap_or_default();
    let status = rows.first().and_then(|row| cell(row, 0)).unwrap_or_default();
    Ok(if status == "ACTIVE" { Way::Plugin } else { Way::Plain })
}

/// What cannot be done with the rights that this user has; nothing where they are not known.
fn not_allowed(about: &About, steps: &[Step]) -> Vec<Text> {
    let Some(held) = about.grants.as_deref().filter(|held| roles(held).is_empty()) else { return Vec::new() };
    let to_pass_on: Vec<Grant> = held.iter().filter(|grant| grant.passes_on || grant.revoked).cloned().collect();
    let lacks = |step: &&Step| match step {
        Step::Database(name, _) => missing(held, name, about.any_case()).contains(&"CREATE"),
        Step::User => !has_global(held, "CREATE USER"),
        Step::Rights(name) => !missing(&to_pass_on, name, about.any_case()).is_empty(),
        Step::Reload => !has_reload(&to_pass_on),
    };
    let right = |step: &Step| match step {
        Step::Database(name, _) => text!("CREATE on {}", own(name)),
        Step::User => "CREATE USER".into(),
        Step::Rights(name) => text!("ALL on {} WITH GRANT OPTION", own(name)),
        Step::Reload => "RELOAD WITH GRANT OPTION".into(),
    };
    steps.iter().filter(lacks).map(right).collect()
}

#[cfg(test)]
mod tests {
    use super::super::about::Database;
    use super::*;

    fn about(version: &str, grants: &[&str], there: [There; 2]) -> About {
        let database = |(name, there): (&str, There)| {
            let set = |word: &str| (there == There::Yes).then(|| word.to_owned());
            Database { name: name.to_owned(), there, charset: set("latin1"), collation: set("latin1_swedish_ci") }
        };
        About {
            version: Some(version.to_owned()),
            databases: ["divvy", "my_keys"].into_iter().zip(there).map(database).collect(),
            grants: Some(grants.iter().filter_map(|line| Grant::parse(line)).collect()),
            ..About::default()
        }
    }

    fn missing_with(way: Way, steps: Vec<Step>) -> Missing {
        let account = "'divvy'@'%'".to_owned();
        Missing { steps, account, refuses: false, anonymous: vec![], not_allowed: vec![], needs_tls: false, way }
    }

    #[test]
    fn statements_are_in_the_servers_own_words() {
        let need = Need { user: "divvy", password: b"my'p\\ass", databases: ["divvy", "my_keys"], own: None };
        let about = about("5.7.44", &[], [There::Yes, There::No]);
        let said =
            |way, step: Step| String::from_utf8(missing_with(way, vec![]).statement(&step, &about, &need)).unwrap();
        let kept = exchange::kept(need.password);
        assert_eq!(said(Way::Kept, Step::User), format!("CREATE USER 'divvy'@'%' IDENTIFIED BY PASSWORD '{kept}'"));
        assert_eq!(
            said(Way::Plugin, Step::User),
            format!("CREATE USER 'divvy'@'%' IDENTIFIED WITH mysql_native_password AS '{kept}'")
        );
        assert_eq!(said(Way::Plain, Step::User), r"CREATE USER 'divvy'@'%' IDENTIFIED BY 'my''p\\ass'");
        let rights = said(Way::Kept, Step::Rights("my_keys".to_owned()));
        assert_eq!(rights, r"GRANT ALL PRIVILEGES ON `my\_keys`.* TO 'divvy'@'%'");
        // What the product's own user sees is there, whatever the administrator may see.
        let hidden = self::about("5.7.44", &[], [There::Hidden, There::Hidden]);
        assert_eq!(databases(&hidden, Some(&about)).len(), 1);
        // The second one is made like the first.
        let [step] = &databases(&about, None)[..] else { panic!("one is there") };
        assert_eq!(
            said(Way::Kept, step.clone()),
            "CREATE DATABASE IF NOT EXISTS `my_keys` CHARACTER SET latin1 COLLATE latin1_swedish_ci"
        );
    }

    #[test]
    fn what_may_not_be_done_is_known_before_it_is_tried() {
        let all = || {
            vec![Step::Database("divvy".to_owned(), None), Step::User, Step::Rights("divvy".to_owned()), Step::Reload]
        };
        let lacks = |lines: &[&str]| not_allowed(&about("5.7.44", lines, [There::No, There::No]), &all()).len();
        assert_eq!(lacks(&["GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION"]), 0);
        assert_eq!(lacks(&["GRANT ALL PRIVILEGES ON *.* TO 'root'@'%'"]), 2);
        assert_eq!(lacks(&["GRANT USAGE ON *.* TO 'x'@'%'"]), 4);
        assert_eq!(lacks(&["GRANT CREATE USER ON *.* TO x", "GRANT ALL ON `divvy`.* TO x WITH GRANT OPTION"]), 1);
        // What comes with roles is not shown.
        assert_eq!(lacks(&["GRANT USAGE ON *.* TO 'x'@'%'", "GRANT `admin`@`%` TO `x`@`%`"]), 0);
    }

    #[test]
    fn an_account_for_this_client_is_told_from_one_for_another() {
        for (host, client, is) in [
            ("%", "10.0.0.5", true),
            ("10.0.%", "10.0.0.5", true),
            ("10.0.0.0/255.255.255.0", "10.0.0.5", true),
            ("", "10.0.0.5", true),
            ("App.corp.example", "app.CORP.example", true),
            ("127.0.0.1", "localhost", true),
            ("10.0.0.6", "10.0.0.5", false),
            ("localhost", "10.0.0.5", false),
        ] {
            assert_eq!(may_be_of(host, client), is, "{host} {client}");
        }
    }
}
