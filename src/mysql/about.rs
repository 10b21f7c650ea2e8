//! What a server says of itself to a user who has logged in. Queries that only read, each one bounded; what a server or a
//! proxy does not answer is left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::exchange::{Connection, Row};
use super::grants::Grant;
use super::sql;
use crate::host::HostRead;
use crate::net::{NetError, shown};
use crate::stamp::unix_millis;
use crate::text::words::words;

/// The variables that are judged, or tell one product from another. A server answers with those that it has.
const VARIABLES: [&str; 12] = [
    "aria_block_size",
    "aurora_version",
    "character_set_server",
    "collation_server",
    "innodb_read_only",
    "lower_case_table_names",
    "max_connections",
    "read_only",
    "require_secure_transport",
    sql::MODE,
    "super_read_only",
    "version_comment",
];

/// Error 1049: there is no such database.
const NO_SUCH_DATABASE: u16 = 1049;

/// What is done on an open connection of which this is known.
pub(crate) type Work<'w> = &'w mut dyn FnMut(&mut Connection, &About) -> Result<(), NetError>;

/// What it says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    /// Version and cipher of TLS; null: plain.
    pub(crate) tls: Option<String>,
    /// Why TLS was used.
    pub(crate) tls_because: Option<TlsReason>,
    /// `VERSION()`.
    pub(crate) version: Option<String>,
    /// The account that the login was matched to: `divvy@%`.
    pub(crate) account: Option<String>,
    /// Those of [`VARIABLES`] that it has.
    pub(crate) variables: BTreeMap<String, String>,
    /// How many clients are connected.
    pub(crate) clients: Option<u64>,
    /// The two databases that were asked for, in the order of the question.
    pub(crate) databases: Vec<Database>,
    /// Null: not readable.
    pub(crate) grants: Option<Vec<Grant>>,
    /// Null: not readable.
    pub(crate) clock: Option<Clock>,
    /// Where the conversation broke, if it did: what is missing above was not asked.
    pub(crate) broke: Option<NetError>,
}

words! {
    /// Why TLS was used.
    pub(crate) enum TlsReason {
        /// The settings say so.
        Asked = "asked",
        /// The server lets nobody in without (`require_secure_transport`), or not this account (`REQUIRE SSL`).
        Required = "required",
        /// The account's way of logging in needs it.
        Password = "password",
    }

    /// Is a database there?
    pub(crate) enum There {
        /// Yes.
        Yes = "yes",
        /// No.
        No = "no",
        /// This user may not know: it has no rights on a database of that name.
        Hidden = "hidden",
        /// The server did not say.
        Unknown = "unknown",
    }
}

/// One of the two databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// Its name, as asked for.
    pub(crate) name: String,
    /// Is it there?
    pub(crate) there: There,
    /// Its default character set.
    pub(crate) charset: Option<String>,
    /// Its default collation.
    pub(crate) collation: Option<String>,
}

/// The server's clock between two looks at our own, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clock {
    /// Before the question.
    pub(crate) before: i64,
    /// The server's, cut to a whole second.
    pub(crate) server: i64,
    /// After the answer.
    pub(crate) after: i64,
}

impl Clock {
    /// The least that the clocks can differ by, in milliseconds; positive: the server is ahead.
    pub(crate) fn skew(&self) -> i64 {
        // The server's true time lies within the second that it named, and was read between our two looks.
        if self.server > self.after {
            self.server.saturating_sub(self.after)
        } else if self.server.saturating_add(999) < self.before {
            self.server.saturating_add(999).saturating_sub(self.before)
        } else {
            0
        }
    }
}

impl About {
    /// Are names of databases the same in every case?
    pub(crate) fn any_case(&self) -> bool {
        self.variables.get("lower_case_table_names").is_some_and(|value| value != "0")
    }

    /// Asks everything, has `work` done with what was said, and says goodbye.
    pub(crate) fn look(
        mut connection: Connection,
        host: &dyn HostRead,
        databases: [&str; 2],
        because: Option<TlsReason>,
        work: Work<'_>,
    ) -> Self {
        let mut about = Self { tls: connection.tls(), tls_because: because, ..Self::default() };
        match about.ask(&mut connection, host, databases).and_then(|()| work(&mut connection, &about)) {
            Ok(()) => connection.quit(),
            Err(error) => about.broke = Some(error),
        }
        about
    }

    fn ask(&mut self, connection: &mut Connection, host: &dyn HostRead, databases: [&str; 2]) -> Result<(), NetError> {
        let first = rows(connection, "SELECT VERSION(), CURRENT_USER()")?.into_iter().next().unwrap_or_default();
        self.version = cell(&first, 0);
        self.account = cell(&first, 1);

        let before = unix_millis(host.now());
        let seconds = rows(connection, "SELECT UNIX_TIMESTAMP()")?;
        let after = unix_millis(host.now());
        self.clock = seconds
            .first()
            .and_then(|row| row.first()?.as_deref()?.split('.').next()?.parse::<i64>().ok())
            .map(|seconds| Clock { before, server: seconds.saturating_mul(1000), after });

        let names = VARIABLES.map(|name| format!("'{name}'")).join(",");
        for row in rows(connection, &format!("SHOW VARIABLES WHERE Variable_name IN ({names})"))? {
            if let (Some(name), Some(value)) = (cell(&row, 0), cell(&row, 1))
                && let Some(known) = VARIABLES.iter().find(|known| name.eq_ignore_ascii_case(known))
            {
                self.variables.insert((*known).to_owned(), value);
            }
        }
        let clients = rows(connection, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")?;
        self.clients = clients.first().and_then(|row| cell(row, 1)?.parse().ok());

        self.grants = connection
            .query("SHOW GRANTS")?
            .ok()
            .map(|rows| rows.iter().filter_map(|row| row.first()?.as_deref()).filter_map(Grant::parse).collect());

        let escapes = sql::has_escapes(&self.variables);
        let list = databases.map(|name| sql::literal(name, escapes)).join(",");
        let seen = rows(
            connection,
            &format!(
                "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME \
                 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ({list})"
            ),
        )?;
        let any_case = self.any_case();
        for name in databases {
            let same = |own: &str| own == name || (any_case && own.to_lowercase() == name.to_lowercase());
            let row = seen.iter().find(|row| row.first().and_then(|own| own.as_deref()).is_some_and(same));
            let there = match row {
                Some(_) => There::Yes,
                None => match connection.enter(name)? {
                    Ok(()) => There::Yes,
                    Err(refusal) if refusal.code == NO_SUCH_DATABASE => There::No,
                    Err(refusal) if matches!(refusal.code, 1044 | 1045 | 1142) => There::Hidden,
                    Err(_) => There::Unknown,
                },
            };
            let cell = |at| row.and_then(|row| cell(row, at));
            self.databases.push(Database { name: name.to_owned(), there, charset: cell(1), collation: cell(2) });
        }
        Ok(())
    }
}

/// The rows; none where the server says no to the question.
fn rows(connection: &mut Connection, sql: &str) -> Result<Vec<Row>, NetError> {
    Ok(connection.query(sql)?.unwrap_or_default())
}

pub(super) fn cell(row: &Row, at: usize) -> Option<String> {
    row.get(at)?.as_deref().map(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_differs_by_no_more_than_can_be_known() {
        let skew = |before, server, after| Clock { before, server, after }.skew();
        assert_eq!(skew(1_500, 1_000, 1_600), 0);
        assert_eq!(skew(999_900, 1_000_000, 1_000_050), 0);
        assert_eq!(skew(10_000, 70_000, 10_100), 59_900);
        assert_eq!(skew(70_000, 10_000, 70_100), -59_001);
        assert_eq!(skew(i64::MIN, i64::MAX, i64::MIN), i64::MAX);
    }
}
