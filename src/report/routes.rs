//! Which way requests go before and after a change.

use std::fmt::Write as _;

use super::characters::{line as say, visible};
use super::human::Paint;
use crate::redact::Redactor;
use crate::routes::{Routes, Row, Taken, Way};

/// More groups do not fit on a screen with the question below them.
const MOST: usize = 8;

/// More hosts of a group are not named.
const HOSTS: usize = 2;

/// The ways that change, those together that go the same way; `all`: those that stay as well, with every host and cause.
pub(crate) fn human(routes: &Routes, all: bool, redactor: &Redactor, paint: Paint) -> String {
    let changed = routes.changed().count();
    if routes.rows.is_empty() {
        return String::new();
    }
    let untold = match routes.untold() {
        0 => String::new(),
        more => format!(", and of {more} it cannot be told"),
    };
    let head = format!("{changed} of {} ways out change{untold}", routes.rows.len());
    let mut text = format!("{}\n", paint.bold(&head));
    let groups = groups(routes, all, redactor);
    let most = if all { groups.len() } else { MOST };
    for group in groups.iter().take(most) {
        let _ = writeln!(text, "  {}", group.line(all));
        if all {
            let cause = visible(&group.cause);
            let _ = writeln!(text, "      decided by {cause} (in {})", group.clients.join(", "));
        }
    }
    if let Some(more) = groups.len().checked_sub(most).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more groups; all of them: the same with -v");
    }
    text
}

/// Ways of one consumer that turn alike.
struct Group {
    name: String,
    turn: String,
    cause: String,
    hosts: Vec<String>,
    clients: Vec<&'static str>,
}

impl Group {
    fn line(&self, all: bool) -> String {
        let most = if all { self.hosts.len() } else { HOSTS };
        let more = self.hosts.len().saturating_sub(most);
        let hosts = self.hosts.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more hosts") } else { String::new() };
        format!("{}, to {hosts}{more}: {}", self.name, self.turn)
    }
}

fn groups(routes: &Routes, all: bool, redactor: &Redactor) -> Vec<Group> {
    let mut found: Vec<Group> = Vec::new();
    for row in routes.rows.iter().filter(|row| all || row.changes()) {
        let (name, turn) = (say(redactor, &row.name), turn(row));
        let cause = if all { row.after.cause().to_owned() } else { String::new() };
        let (host, client) = (visible(&row.target.host.to_string()), row.client.id.as_str());
        let same = |group: &&mut Group| group.name == name && group.turn == turn && group.cause == cause;
        let at = match found.iter_mut().find(same) {
            Some(group) => group,
            None => {
                found.push(Group { name, turn, cause, hosts: Vec::new(), clients: Vec::new() });
                let Some(last) = found.last_mut() else { continue };
                last
            }
        };
        if !at.hosts.contains(&host) {
            at.hosts.push(host);
        }
        if !at.clients.contains(&client) {
            at.clients.push(client);
        }
    }
    found
}

/// `direct -> proxy.corp.example:3128`
fn turn(row: &Row) -> String {
    let (before, after) = (side(&row.before), side(&row.after));
    match (row.changes(), row.after.way) {
        (true, _) => format!("{before} -> {after}"),
        (false, Way::Unknown) => after,
        (false, _) => format!("{after}, as before"),
    }
}

fn side(taken: &Taken) -> String {
    match (&taken.via, taken.way) {
        (Some(via), _) => visible(via),
        (None, Way::Proxy) => "a proxy".to_owned(),
        (None, Way::Direct) => "direct".to_owned(),
        (None, Way::None) => "nobody asks".to_owned(),
        (None, Way::Unknown) => "not known".to_owned(),
    }
}
