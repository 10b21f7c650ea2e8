//! Which product of the MySQL family this is, and which version of it.

use std::collections::BTreeMap;

use super::greeting::Greeting;
use crate::text;
use crate::text::Text;
use crate::version::Version;

/// Who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// Oracle's, or anybody's build of it.
    MySql,
    /// Percona Server.
    Percona,
    /// Amazon Aurora.
    Aurora,
    /// Google Cloud SQL.
    CloudSql,
    /// PingCAP's, which speaks the protocol only.
    TiDb,
    /// Vitess (and PlanetScale), a layer of its own in front of MySQL.
    Vitess,
    /// MariaDB.
    MariaDb,
}

/// A server, recognised.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    /// Who made it.
    pub(crate) make: Make,
    /// The version that counts for the product; `None`: unreadable.
    pub(crate) version: Option<Version>,
    /// `Percona Server 5.7.44-48-log`, `MariaDB announcing 5.7.44`.
    pub(crate) shown: Text,
    /// Is the number perhaps that of a proxy in front, not of the server?
    pub(crate) perhaps_proxy: Option<&'static str>,
}

/// What the greeting says, on this port.
pub(crate) fn advertised(greeting: &Greeting, port: u16) -> Product {
    let mut product = recognised(&greeting.version, "", &BTreeMap::new(), !greeting.mysql_bit);
    product.perhaps_proxy = if greeting.version.starts_with("5.5.30") && greeting.mysql_bit {
        Some("5.5.30 is also what ProxySQL announces unless told otherwise (mysql-server_version)")
    } else if greeting.version.starts_with("5.6.") && greeting.mysql_bit && port == 3306 {
        Some("5.6 is also what the gateway of Azure Database for MySQL announces on port 3306, whatever runs behind it")
    } else {
        None
    };
    product
}

/// What the server says of itself after the login, which overrides the greeting.
pub(crate) fn real(greeting: &Greeting, version: &str, comment: &str, variables: &BTreeMap<String, String>) -> Product {
    // A cleared bit may come from a proxy; a MariaDB that lets its variables be read has Aria's among them.
    let mariadb = variables.contains_key("aria_block_size") || (variables.is_empty() && !greeting.mysql_bit);
    recognised(version, comment, variables, mariadb)
}

/// What it says of itself in a session that could read its variables.
pub(super) fn of_itself(version: &str, comment: &str, variables: &BTreeMap<String, String>) -> Product {
    recognised(version, comment, variables, variables.contains_key("aria_block_size"))
}

fn recognised(text: &str, comment: &str, variables: &BTreeMap<String, String>, mariadb: bool) -> Product {
    let lower = format!("{text} {comment}").to_ascii_lowercase();
    let has = |word: &str| lower.contains(word);
    let bare = |text: &str| text.split(['-', ' ']).next().unwrap_or_default().to_owned();
    let mut number = text;
    let (make, shown) = if has("mariadb") || mariadb {
        // Up to 11.0 replicas were told this number, which is nobody's.
        number = text.strip_prefix("5.5.5-").unwrap_or(text);
        let names_itself = text.to_ascii_lowercase().contains("mariadb");
        let shown = match names_itself {
            true => text!("MariaDB {}", bare(number)),
            false => text!("MariaDB announcing {}", bare(text)),
        };
        (Make::MariaDb, shown)
    } else if has("tidb") {
        let own = text.split("TiDB-").nth(1).map(|own| text!(" {}", own)).unwrap_or_default();
        (Make::TiDb, text!("TiDB{} announcing MySQL {}", own, bare(text)))
    } else if has("vitess") {
        (Make::Vitess, text!("Vitess announcing MySQL {}", bare(text)))
    } else if let Some(aurora) = variables.get("aurora_version") {
        (Make::Aurora, text!("Aurora MySQL {} (MySQL {})", aurora, bare(text)))
    } else if has("aurora") {
        (Make::Aurora, text!("Aurora MySQL {}", text))
    } else if text.contains("-google") {
        (Make::CloudSql, text!("Cloud SQL, MySQL {}", text))
    } else if has("percona") || is_percona_number(text) {
        (Make::Percona, text!("Percona Server {}", text))
    } else {
        (Make::MySql, text!("MySQL {}", text))
    };
    Product { make, version: Version::parse(number), shown, perhaps_proxy: None }
}

/// `5.7.44-48-log`, `8.0.36-28.1`: a release of its own behind MySQL's. Debian's own numbers (`-2`, `-0ubuntu0…`) are not.
fn is_percona_number(text: &str) -> bool {
    let Some((_, own)) = text.split_once('-') else { return false };
    let own = own.strip_suffix("-log").unwrap_or(own);
    let digits = own.bytes().take_while(u8::is_ascii_digit).count();
    digits >= 2 && own.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeted(version: &str, mysql_bit: bool) -> Product {
        advertised(&Greeting { version: version.to_owned(), mysql_bit, offers_tls: true, plugin: None }, 3306)
    }

    #[test]
    fn every_announced_version_gets_its_name() {
        use Make::*;
        for (text, bit, make, shown) in [
            ("5.7.44", true, MySql, "MySQL 5.7.44"),
            ("5.7.44-log", true, MySql, "MySQL 5.7.44-log"),
            ("5.7.44-48-log", true, Percona, "Percona Server 5.7.44-48-log"),
            ("8.0.36-28.1", true, Percona, "Percona Server 8.0.36-28.1"),
            ("5.7.44-google-log", true, CloudSql, "Cloud SQL, MySQL 5.7.44-google-log"),
            ("5.7.12", true, MySql, "MySQL 5.7.12"),
            ("5.7.mysql_aurora.2.11.2", true, Aurora, "Aurora MySQL 5.7.mysql_aurora.2.11.2"),
            ("8.0.mysql_aurora.3.04.0", true, Aurora, "Aurora MySQL 8.0.mysql_aurora.3.04.0"),
            ("5.7.28.1", true, MySql, "MySQL 5.7.28.1"),
            ("5.7.25-TiDB-v7.1.0", true, TiDb, "TiDB v7.1.0 announcing MySQL 5.7.25"),
            ("5.7.9-Vitess", true, Vitess, "Vitess announcing MySQL 5.7.9"),
            ("8.0.11-TiDB-v8.5.1", true, TiDb, "TiDB v8.5.1 announcing MySQL 8.0.11"),
            ("5.5.5-10.11.19-MariaDB-0+deb12u1", false, MariaDb, "MariaDB 10.11.19"),
            ("11.4.2-MariaDB-log", true, MariaDb, "MariaDB 11.4.2"),
            ("5.7.44-log", false, MariaDb, "MariaDB announcing 5.7.44"),
            ("8.0.36", true, MySql, "MySQL 8.0.36"),
            ("8.0.36-0ubuntu0.22.04.1", true, MySql, "MySQL 8.0.36-0ubuntu0.22.04.1"),
            ("9.7.4-2", true, MySql, "MySQL 9.7.4-2"),
            ("5.6.24", true, MySql, "MySQL 5.6.24"),
            ("5.5.30", true, MySql, "MySQL 5.5.30"),
            ("", true, MySql, "MySQL "),
            ("☃", true, MySql, "MySQL ☃"),
        ] {
            let product = greeted(text, bit);
            assert_eq!((product.make, &*product.shown), (make, shown), "{text}");
        }
        assert!(greeted("5.5.30", true).perhaps_proxy.is_some_and(|text| text.contains("ProxySQL")));
        assert!(greeted("5.6.47.0", true).perhaps_proxy.is_some_and(|text| text.contains("Azure")));
        assert!(greeted("5.7.44", true).perhaps_proxy.is_none());
    }

    #[test]
    fn the_login_overrides_the_greeting() {
        let greeting = |bit| Greeting { version: "5.7.12".to_owned(), mysql_bit: bit, offers_tls: true, plugin: None };
        let variables = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let aurora =
            real(&greeting(true), "5.7.12-log", "MySQL Community", &variables(&[("aurora_version", "2.11.2")]));
        assert_eq!((aurora.make, &*aurora.shown), (Make::Aurora, "Aurora MySQL 2.11.2 (MySQL 5.7.12)"));
        let percona = real(&greeting(true), "5.7.44", "Percona Server (GPL), Release 48", &variables(&[("a", "b")]));
        assert_eq!(percona.make, Make::Percona);
        let mariadb = real(&greeting(false), "5.7.44-log", "Debian 12", &variables(&[("aria_block_size", "8192")]));
        assert_eq!((mariadb.make, &*mariadb.shown), (Make::MariaDb, "MariaDB announcing 5.7.44"));
        // A proxy of MariaDB's in front of a MySQL that shows its variables.
        let behind = real(&greeting(false), "5.7.44", "MySQL Community", &variables(&[("max_connections", "151")]));
        assert_eq!(behind.make, Make::MySql);
        assert_eq!(real(&greeting(false), "5.7.44", "", &variables(&[])).make, Make::MariaDb);
    }
}
