//! Which other hosts use the product's databases, as the server shows it, and which of them say that they wait.
//!
//! A host whose product waits for the schema has a session of its own whose statement says so: the server shows the statements
//! of its clients to each session of the same user.

use std::collections::BTreeMap;
use std::time::Duration;

use super::about::cell;
use super::exchange::Connection;
use super::sql;
use crate::net::NetError;
use crate::stamp::is_run_name;

/// So many rows are read: each host has one of its product, and one for what it says. Where there may be more, that is another
/// host, of which nothing is known.
const ROWS: usize = 200;
const MORE: &str = "more than were read";

/// Processes that come for a moment and go are met in one of so many looks,
const LOOKS: usize = 12;
/// with this between them.
const BETWEEN: Duration = Duration::from_millis(100);

/// The address of a client, as the server has it: `10.0.0.5:41234`.
const ADDRESS: &str = "SUBSTRING(HOST, 1, CHAR_LENGTH(HOST) - LOCATE(':', REVERSE(HOST)))";

/// What the statement of a host that waits begins with.
const SAYS: &str = "SELECT 'ics-setup run ";

/// So long it takes, in seconds: whoever has died is not taken for one that waits much longer.
const LASTS: &str = "0.5";

/// Another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    /// Its address, or its name, as the server has it.
    pub(crate) address: String,
    /// What it waits for, where it says so.
    pub(crate) waits: Option<Waits>,
}

/// A host whose product waits for a schema that the scheduler of another one brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    /// The run that has brought it there.
    pub(crate) run: Option<String>,
    /// The image of the product that waits.
    pub(crate) image: String,
}

impl Waits {
    /// The statement that says so; `None`: the image has a name that no image has.
    pub(crate) fn statement(&self) -> Option<String> {
        let is_plain = self.image.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte));
        let run = self.run.as_deref().unwrap_or("-");
        is_plain.then(|| format!("{SAYS}{run} waits with {}', SLEEP({LASTS})", self.image))
    }

    fn of(statement: &str) -> Option<Self> {
        let (text, _) = statement.strip_prefix(SAYS)?.split_once('\'')?;
        let (run, image) = text.split_once(" waits with ")?;
        // Whoever can log in can write there.
        Some(Self { run: Some(run.to_owned()).filter(|run| is_run_name(run)), image: image.to_owned() })
    }
}

/// Clients in these databases, by their addresses, but for the one that this connection comes from. A user without PROCESS sees
/// those of its own account, which are the product's. `None`: the server does not say.
///
/// # Errors
/// The conversation broke.
pub(crate) fn neighbours(
    connection: &mut Connection,
    databases: [&str; 2],
    escapes: bool,
) -> Result<Option<Vec<Neighbour>>, NetError> {
    let list = databases.map(|name| sql::literal(name, escapes)).join(",");
    let own = format!("SELECT {ADDRESS} FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()");
    let Ok(own) = connection.query(own)? else { return Ok(None) };
    let Some(own) = own.first().and_then(|row| cell(row, 0)) else { return Ok(None) };
    let says = format!("INFO LIKE {}", sql::literal(&format!("{SAYS}%"), escapes));
    let all = format!(
        "SELECT DISTINCT {ADDRESS}, IF({says}, INFO, NULL) FROM information_schema.PROCESSLIST \
         WHERE DB IN ({list}) OR {says} ORDER BY 1 LIMIT {ROWS}"
    );
    let mut found: BTreeMap<String, Option<Waits>> = BTreeMap::new();
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(BETWEEN);
        }
        let Ok(rows) = connection.query(&all)? else { return Ok(None) };
        if rows.len() >= ROWS {
            found.entry(MORE.to_owned()).or_default();
        }
        for row in &rows {
            let Some(address) = cell(row, 0).filter(|address| *address != own && address != "localhost") else {
                continue;
            };
            let waits = row.get(1).and_then(Option::as_deref).and_then(Waits::of);
            let seen = found.entry(address).or_default();
            *seen = waits.or(seen.take());
        }
    }
    Ok(Some(found.into_iter().map(|(address, waits)| Neighbour { address, waits }).collect()))
}

type Says = fn(&str) -> bool;

/// How a server is asked whether others have its databases too, and which answer says so: what Galera and group replication show
/// to every user. One that has no such thing shows no row.
const MANY: [(&str, Says); 2] = [
    ("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_size'", |size| size.parse() != Ok(0) && size.parse() != Ok(1)),
    ("SHOW GLOBAL VARIABLES LIKE 'group_replication_group_name'", |group| !group.is_empty()),
];

/// May the server be one of several that have the same databases? It shows its own clients alone.
///
/// # Errors
/// The conversation broke.
pub(crate) fn may_be_one_of_many(connection: &mut Connection) -> Result<bool, NetError> {
    for (query, is_many) in MANY {
        // Whoever may not ask does not know.
        let Ok(rows) = connection.query(query)? else { return Ok(true) };
        if rows.first().and_then(|row| cell(row, 1)).is_some_and(|value| is_many(&value)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says it, with the statement of [`Waits::statement`], as long as it is so.
///
/// # Errors
/// The conversation broke.
pub(crate) fn say(connection: &mut Connection, statement: &str, is_so: &dyn Fn() -> bool) -> Result<(), NetError> {
    while is_so() {
        if connection.query(statement)?.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_several_says_so() {
        let [(_, of_galera), (_, of_group)] = MANY;
        for (size, is_many) in [("0", false), ("1", false), ("3", true), ("?", true)] {
            assert_eq!(of_galera(size), is_many, "{size}");
        }
        assert!(!of_group("") && of_group("3e11fa47-71ca-11e1-9e33-c80aa9429562"));
    }

    #[test]
    fn what_a_host_says_is_what_another_one_reads() {
        let waits = |run: Option<&str>, image: &str| Waits { run: run.map(str::to_owned), image: image.to_owned() };
        for said in [
            waits(Some("20261121T200102Z-1f3a"), "registry.corp.example:5000/ics/core:v22.12.7"),
            waits(None, "divvycloud/divvycloud@sha256:00ff"),
        ] {
            assert_eq!(Waits::of(&said.statement().unwrap()), Some(said));
        }
        assert_eq!(waits(None, "x' OR '").statement(), None);
        // What somebody else has written there becomes no part of a command.
        let foreign = Waits::of("SELECT 'ics-setup run x; reboot waits with v1', SLEEP(9)").unwrap();
        assert_eq!(foreign, waits(None, "v1"));
        assert_eq!(Waits::of("SELECT 1"), None);
    }
}
