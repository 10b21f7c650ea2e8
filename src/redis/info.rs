//! `INFO` and `HELLO`: all fields first, then what product it is.

use std::collections::BTreeMap;

use super::resp::Value;
use crate::net::shown;
use crate::text;
use crate::text::Text;
use crate::version::Version;

/// What is kept of a server's fields. The rest is of no use here.
const KEPT: [&str; 17] = [
    "aof_enabled",
    "aof_last_write_status",
    "dragonfly_version",
    "evicted_keys",
    "executable",
    "maxmemory",
    "maxmemory_policy",
    "mvcc_depth",
    "rdb_changes_since_last_save",
    "rdb_last_bgsave_status",
    "redis_mode",
    "redis_version",
    "role",
    "server_mode",
    "server_name",
    "used_memory",
    "valkey_version",
];

/// Names and values.
pub(crate) type Fields = BTreeMap<String, String>;

/// The fields of `INFO`.
pub(crate) fn of_info(text: &str) -> Fields {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| KEPT.contains(name))
        .map(|(name, value)| (name.to_owned(), shown(value)))
        .collect()
}

/// The fields of `HELLO`, under the names that `INFO` has for them.
pub(crate) fn of_hello(list: &[Value]) -> Fields {
    let pairs = list.chunks_exact(2);
    let said: BTreeMap<_, _> = pairs.filter_map(|pair| Some((pair[0].text()?, pair[1].text()?))).collect();
    let is_valkey = said.get("server").is_some_and(|server| server == "valkey");
    let version = if is_valkey { "valkey_version" } else { "redis_version" };
    [("server", "server_name"), ("version", version), ("mode", "redis_mode"), ("role", "role")]
        .into_iter()
        .filter_map(|(name, own)| Some((own.to_owned(), said.get(name).filter(|value| !value.is_empty())?)))
        .map(|(name, value)| (name, shown(value)))
        .collect()
}

/// Who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// Redis, or a service that says so.
    Redis,
    /// The Linux Foundation's.
    Valkey,
    /// Snap's.
    KeyDb,
    /// A rewrite.
    Dragonfly,
}

/// A server, recognised.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    /// Who made it.
    pub(crate) make: Make,
    /// Its own version; `None`: unreadable.
    pub(crate) version: Option<Version>,
    /// `Valkey 9.1.2 (compatible with Redis 7.2.4)`.
    pub(crate) shown: Text,
}

/// Which product has these fields; `None`: they name no version.
pub(crate) fn product(fields: &Fields) -> Option<Product> {
    let get = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let redis = get("redis_version");
    let compatible = redis.map(|version| text!(" (compatible with Redis {})", version)).unwrap_or_default();
    let make = |make, version: &str, shown: Text| Some(Product { make, version: Version::parse(version), shown });
    if let Some(version) = get("valkey_version") {
        return make(Make::Valkey, version, text!("Valkey {}{}", version, compatible));
    }
    if let Some(version) = get("dragonfly_version") {
        let number = version.trim_start_matches(|c: char| !c.is_ascii_digit());
        return make(Make::Dragonfly, number, text!("Dragonfly {}{}", number, compatible));
    }
    let version = redis?;
    if fields.contains_key("mvcc_depth") || get("executable").is_some_and(|path| path.contains("keydb")) {
        return make(Make::KeyDb, version, text!("KeyDB {}", version));
    }
    if get("server_name") == Some("valkey") {
        return make(Make::Valkey, version, text!("Valkey, compatible with Redis {}", version));
    }
    make(Make::Redis, version, text!("Redis {}", version))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_product_is_told_by_all_of_its_fields() {
        use Make::*;
        for (info, make, shown) in [
            ("# Server\r\nredis_version:5.0.6\r\nredis_mode:standalone\r\n", Redis, "Redis 5.0.6"),
            ("redis_version:4.0.10\r\n", Redis, "Redis 4.0.10"),
            ("redis_version:7.1.0\r\n", Redis, "Redis 7.1.0"),
            (
                "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n",
                Valkey,
                "Valkey 9.1.2 (compatible with Redis 7.2.4)",
            ),
            ("redis_version:6.3.4\r\nexecutable:/usr/bin/keydb-server\r\n", KeyDb, "KeyDB 6.3.4"),
            ("redis_version:6.3.4\r\n# KeyDB\r\nmvcc_depth:0\r\n", KeyDb, "KeyDB 6.3.4"),
            (
                "redis_version:7.4.0\r\ndragonfly_version:df-v1.27.1\r\n",
                Dragonfly,
                "Dragonfly 1.27.1 (compatible with Redis 7.4.0)",
            ),
            ("redis_version:unstable\r\n", Redis, "Redis unstable"),
        ] {
            let product = product(&of_info(info)).unwrap();
            assert_eq!((product.make, &*product.shown), (make, shown), "{info}");
        }
        assert!(product(&of_info("# Server\r\nos:Linux\r\n")).is_none());
    }

    fn list(text: &str) -> Vec<Value> {
        text.split(' ').map(|word| Value::Bulk(word.as_bytes().to_vec())).collect()
    }

    #[test]
    fn hello_names_the_same_fields() {
        let fields = of_hello(&list("server redis version 7.0.15 proto 2 id 5 mode sentinel role master modules"));
        assert_eq!(product(&fields).unwrap().shown, "Redis 7.0.15");
        assert_eq!(fields["redis_mode"], "sentinel");
        assert_eq!(
            product(&of_hello(&list("server valkey version 8.0.1 mode standalone"))).unwrap().shown,
            "Valkey 8.0.1"
        );
        assert!(of_hello(&[]).is_empty() && of_hello(&list("server")).is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = product(&of_info(&text));
            let _ = of_hello(&list(&text));
        }
    }
}
