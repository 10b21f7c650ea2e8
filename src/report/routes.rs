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
        (Some(via), _) => match taken.spoken() {
            Some(scheme) if scheme != "http" => visible(&format!("{scheme}://{via}")),
            _ => visible(via),
        },
        (None, Way::Proxy) => "a proxy".to_owned(),
        (None, Way::Direct) => "direct".to_owned(),
        (None, Way::None) => "nobody asks".to_owned(),
        (None, Way::Unknown) => "not known".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::context::{HostContext, Inputs, Intent};
    use crate::host::{MemoryHost, View};
    use crate::routes::Site;
    use crate::settings::{Layer, Layers};

    #[test]
    fn more_than_a_screen_is_counted_and_all_of_it_is_told_on_request() {
        let host = |tables: usize| {
            let host = MemoryHost::new();
            host.put("/etc/os-release", b"ID=ubuntu\nVERSION_ID=\"22.04\"\n");
            host.put("/usr/sbin/cron", b"");
            host.put("/etc/pam.d/cron", b"session required pam_env.so\n");
            for number in 0..12 {
                let port = if number < tables { number } else { 99 };
                let text = format!("https_proxy=http://p{port}:3128\n* * * * * root true\n");
                host.put(&format!("/etc/cron.d/t{number}"), text.as_bytes());
            }
            host
        };
        let observe = |host: &MemoryHost| {
            let known = HostContext::load(host, &Inputs::alone(Layer::default()), Intent::Show).unwrap();
            let (view, layers) = (View::new(host), Layers::default());
            let home = Path::new("/divvycloud");
            let site = Site { host: &view, platform: known.platform.as_ref(), home, layers: &layers, direct: &[] };
            site.observe(&[], None)
        };
        let (old, new) = (host(12), host(0));
        let (before, after) = (observe(&old), observe(&new));
        let (view, layers) = (View::new(&new), Layers::default());
        let site = Site { host: &view, platform: None, home: Path::new("/divvycloud"), layers: &layers, direct: &[] };
        let routes = site.ways(&before, &after);
        let told = |all| human(&routes, all, &Redactor::default(), Paint(false));
        let short = told(false);
        assert_eq!(short.lines().count(), 1 + MOST + 1, "{short}");
        assert!(short.ends_with("  and 4 more groups; all of them: the same with -v\n"), "{short}");
        let long = told(true);
        assert!((0..12).all(|number| long.contains(&format!("p{number}:3128 -> p99:3128"))), "{long}");
    }
}
