//! Which other hosts use the product's databases at this moment.

use super::about::cell;
use super::exchange::Connection;
use super::sql;
use crate::net::NetError;

/// So many are named.
const MOST: usize = 10;

/// The address of a client, as the server has it: `10.0.0.5:41234`.
const ADDRESS: &str = "SUBSTRING(HOST, 1, CHAR_LENGTH(HOST) - LOCATE(':', REVERSE(HOST)))";

/// Addresses of clients in these databases, but for the one that this connection comes from. A user without PROCESS sees those
/// of its own account, which are the product's. `None`: the server does not say.
///
/// # Errors
/// The conversation broke.
pub(crate) fn neighbours(
    connection: &mut Connection,
    databases: [&str; 2],
    escapes: bool,
) -> Result<Option<Vec<String>>, NetError> {
    let list = databases.map(|name| sql::literal(name, escapes)).join(",");
    let own = format!("SELECT {ADDRESS} FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()");
    let Ok(own) = connection.query(own)? else { return Ok(None) };
    let Some(own) = own.first().and_then(|row| cell(row, 0)) else { return Ok(None) };
    let all = format!(
        "SELECT DISTINCT {ADDRESS} FROM information_schema.PROCESSLIST WHERE DB IN ({list}) ORDER BY 1 LIMIT {}",
        MOST + 1
    );
    let Ok(all) = connection.query(all)? else { return Ok(None) };
    let addresses =
        all.iter().filter_map(|row| cell(row, 0)).filter(|address| *address != own && address != "localhost");
    Ok(Some(addresses.take(MOST).collect()))
}
