//! One look at all sockets after the other, and what they come to.
//!
//! | module | what it does |
//! | --- | --- |
//! | `owners` | whose connections are, and which of those are a proxy's own |

mod owners;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::SystemTime;

use super::names::Names;
use super::origin::Origin;
use super::ways::{Listening, Ways, canonical};
use crate::docker::Published;
use crate::host::HostRead;
use crate::system::pools::own_addresses;
use crate::system::sockets::{self, Socket, Space, State, process};
use owners::{Owners, Search};

/// More connections that go around the proxy are not told apart at a time.
const MOST_SOCKETS: usize = 100_000;

/// More lines than this are counted, and not kept.
const MOST_ROWS: usize = 1000;

/// A connection, in its namespace.
type Key = (u64, SocketAddr, SocketAddr);

/// Which connections stand on one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    /// `None`: it could not be told any more.
    pub(super) program: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) container: Option<String>,
    pub(super) destination: SocketAddr,
}

/// What has come to stand on a line.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Somebody has answered.
    pub(super) open: bool,
    /// How often it was tried.
    pub(super) tries: u64,
    pub(super) since: SystemTime,
    /// The newest process.
    pub(super) origin: Option<Rc<Origin>>,
    space: u64,
}

/// Whose a connection is.
enum Owner {
    Line(Line),
    /// A proxy's own, or this program's, or over before anybody looked.
    Exempt,
    /// Nobody's that could be told.
    Unknown {
        since: SystemTime,
    },
}

struct Tracked {
    owner: Owner,
    /// Somebody has answered.
    open: bool,
    resent: u32,
    seen: u64,
}

/// Looks, and keeps the books.
pub(super) struct Watch<'a> {
    host: &'a dyn HostRead,
    pub(super) names: Names,
    ways: Ways,
    /// Host and port of each proxy, as the settings name them.
    proxies: Vec<(String, u16)>,
    /// Addresses of the host.
    own: Vec<IpAddr>,
    /// Ports of the host that lead into containers, each with the addresses of its own.
    published: Vec<(Published, Vec<IpAddr>)>,
    /// Where forwarders of Docker's lead.
    forwarded: BTreeSet<SocketAddr>,
    /// How far the search for processes has come.
    search: Search,
    listening: HashMap<u64, Listening>,
    tracked: HashMap<Key, Tracked>,
    pub(super) rows: BTreeMap<Line, Row>,
    /// The container of each namespace that is not the host's.
    containers: HashMap<u64, Option<String>>,
    /// Namespaces that a proxy calls out from.
    of_proxies: BTreeSet<u64>,
    /// Where somebody of a namespace was seen to ask a proxy by its name.
    at_proxies: BTreeSet<(u64, SocketAddr)>,
    /// Connections of which nobody can tell whose they were.
    pub(super) unowned: u64,
    /// The most connections at one look beyond those that are told apart.
    pub(super) beyond: u64,
    /// Lines beyond the most that are kept.
    pub(super) more: u64,
    /// Looks so far.
    pub(super) looks: u64,
    /// Namespaces of the last look.
    pub(super) spaces: usize,
    /// Namespaces that could not be read at it.
    pub(super) unread: usize,
    /// Most sockets at one look.
    pub(super) sockets: usize,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        host: &'a dyn HostRead,
        names: Names,
        list: String,
        proxies: Vec<(String, u16)>,
        schemes: [bool; 2],
    ) -> Self {
        let hosts = proxies.iter().map(|(host, _)| host.clone()).collect();
        Self {
            host,
            names,
            ways: Ways::new(list, hosts, schemes),
            proxies,
            own: Vec::new(),
            published: Vec::new(),
            forwarded: BTreeSet::new(),
            search: Search::default(),
            listening: HashMap::new(),
            tracked: HashMap::new(),
            rows: BTreeMap::new(),
            containers: HashMap::new(),
            of_proxies: BTreeSet::new(),
            at_proxies: BTreeSet::new(),
            unowned: 0,
            beyond: 0,
            more: 0,
            looks: 0,
            spaces: 0,
            unread: 0,
            sockets: 0,
        }
    }

    /// A port of this host may be where a proxy is reached, that is in this container then.
    pub(super) fn publishes(&mut self, port: Published, addresses: &[IpAddr]) {
        self.published.push((port, addresses.to_vec()));
    }

    /// One look at all sockets.
    pub(super) fn look(&mut self) {
        self.looks += 1;
        if self.names.hear() || self.looks == 1 {
            self.own = own_addresses(self.host, true);
            self.ways.forget(&self.own);
        }
        let spaces = sockets::spaces(self.host);
        let (mut suspects, mut listeners, mut all, mut unread, mut beyond) = (Vec::new(), Vec::new(), 0, 0, 0);
        for (at, space) in spaces.iter().enumerate() {
            let Some(found) = sockets::of_space(self.host, space) else {
                // Whose processes have all ended has nothing that could be read.
                unread += usize::from(sockets::is_there(self.host, space));
                continue;
            };
            all += found.len();
            let listening = self.listening.entry(space.id).or_default();
            listening.add(&found);
            for socket in &found {
                match socket.state {
                    State::Listen => listeners.push((at, *socket)),
                    State::Offered | State::Closed => {}
                    State::Asked | State::Open | State::Ended => {
                        let remote = canonical(socket.remote);
                        let is_own = socket.local.ip().to_canonical() == remote.ip();
                        let around =
                            !is_own && self.ways.is_around(remote, &self.names) && !listening.has_accepted(socket);
                        match around {
                            true if suspects.len() < MOST_SOCKETS => suspects.push((at, *socket)),
                            true => beyond += 1,
                            false => {}
                        }
                    }
                }
            }
        }
        (self.spaces, self.unread, self.sockets) = (spaces.len(), unread, self.sockets.max(all));
        self.beyond = self.beyond.max(beyond);
        self.book(&spaces, &listeners, &suspects);
        // The kernel gives the number of one that has gone to another one.
        let there: BTreeSet<u64> = spaces.iter().map(|space| space.id).collect();
        self.listening.retain(|id, _| there.contains(id));
        self.containers.retain(|id, _| there.contains(id));
        self.of_proxies.retain(|id| there.contains(id));
        self.at_proxies.retain(|(id, _)| there.contains(id));
    }

    fn book(&mut self, spaces: &[Space], listeners: &[(usize, Socket)], suspects: &[(usize, Socket)]) {
        let key = |(at, socket): &(usize, Socket)| (spaces[*at].id, canonical(socket.local), canonical(socket.remote));
        let is_open = |own: &&(usize, Socket)| match self.tracked.get(&key(own)) {
            None => true,
            Some(tracked) => matches!(tracked.owner, Owner::Unknown { .. }),
        };
        let wanted: BTreeSet<u64> =
            suspects.iter().filter(is_open).map(|(_, socket)| socket.inode).filter(|inode| *inode != 0).collect();
        let owners = if wanted.is_empty() { Owners::default() } else { self.owners(spaces, listeners, &wanted) };
        let now = self.host.now();
        for suspect in suspects {
            let (at, socket) = suspect;
            let tracked = match self.tracked.get_mut(&key(suspect)) {
                Some(tracked) => tracked,
                None => {
                    let Space { id, own, pids } = &spaces[*at];
                    let container = || process(self.host, *pids.first().filter(|_| !own)?).container;
                    self.containers.entry(*id).or_insert_with(container);
                    // What no process had at the first look any more is none that goes around it now.
                    let is_before = self.looks == 1 && (socket.state == State::Ended || socket.inode == 0);
                    let owner = if is_before { Owner::Exempt } else { Owner::Unknown { since: now } };
                    let new = Tracked { owner, open: false, resent: 0, seen: 0 };
                    self.tracked.entry(key(suspect)).or_insert(new)
                }
            };
            tracked.seen = self.looks;
            let (was_open, before) = (tracked.open, tracked.resent);
            tracked.open |= socket.state != State::Asked;
            // What is sent again once it stands is no further try.
            if !tracked.open {
                tracked.resent = before.max(socket.resent);
            }
            let again = u64::from(tracked.resent - before);
            match &tracked.owner {
                Owner::Exempt => {}
                Owner::Line(line) => {
                    if let Some(row) = self.rows.get_mut(line) {
                        row.tries += again;
                        row.open |= tracked.open && !was_open;
                    }
                }
                Owner::Unknown { since } => {
                    let Some((origin, exempt)) = owners.of(socket.inode) else { continue };
                    let (space, destination) = (spaces[*at].id, canonical(socket.remote));
                    if owners::is_at_proxy(origin, destination, &self.proxies, &self.names) {
                        tracked.owner = Owner::Exempt;
                        self.is_asked(space, destination);
                        continue;
                    }
                    if exempt {
                        tracked.owner = Owner::Exempt;
                        self.calls_out(space);
                        continue;
                    }
                    let line = Line {
                        program: Some(origin.program.clone()),
                        uid: Some(socket.uid),
                        container: origin.container.clone(),
                        destination,
                    };
                    let new = Row {
                        open: tracked.open,
                        tries: 1 + u64::from(tracked.resent),
                        since: *since,
                        origin: Some(Rc::clone(origin)),
                        space,
                    };
                    tracked.owner = Owner::Line(line.clone());
                    enter(&mut self.rows, &mut self.more, line, new);
                }
            }
        }
        if self.tracked.values().any(|own| matches!(own.owner, Owner::Unknown { .. })) {
            // A namespace where a proxy listens is one that it calls out from, however short its calls are.
            let at_proxies = self.of_proxies(spaces, listeners);
            let there = listeners.iter().filter(|(_, socket)| at_proxies.contains(&socket.inode));
            there.for_each(|(at, _)| self.calls_out(spaces[*at].id));
        }
        let looks = self.looks;
        let gone: Vec<Key> = self.tracked.iter().filter(|(_, own)| own.seen != looks).map(|(key, _)| *key).collect();
        for key in gone {
            if let Some(tracked) = self.tracked.remove(&key) {
                self.close(key, &tracked);
            }
        }
    }

    /// A proxy calls out from this namespace, so that what is nobody's there may be its own.
    fn calls_out(&mut self, space: u64) {
        if self.of_proxies.insert(space) {
            let unowned = &mut self.unowned;
            self.rows.retain(|line, row| {
                let is_told = line.program.is_some() || row.space != space;
                *unowned += if is_told { 0 } else { row.tries };
                is_told
            });
        }
    }

    /// A proxy was asked there by its name, so that nobody's connections to it are to a proxy as well.
    fn is_asked(&mut self, space: u64, destination: SocketAddr) {
        if self.at_proxies.insert((space, destination)) {
            let same = |line: &Line, row: &Row| (row.space, line.destination) == (space, destination);
            self.rows.retain(|line, row| line.program.is_some() || !same(line, row));
        }
    }

    /// A connection has gone. One of nobody's stands on a line of its own, unless somebody is known to go there from the same
    /// namespace, a proxy is asked there, or one calls out from it.
    fn close(&mut self, (space, _, destination): Key, tracked: &Tracked) {
        let Owner::Unknown { since } = tracked.owner else { return };
        if self.at_proxies.contains(&(space, destination)) {
            return;
        }
        if self.of_proxies.contains(&space) {
            self.unowned += 1;
            return;
        }
        let known = |(line, row): (&Line, &Row)| {
            line.program.is_some() && line.destination == destination && row.space == space
        };
        if self.rows.iter().any(known) {
            return;
        }
        let container = self.containers.get(&space).cloned().flatten();
        let line = Line { program: None, uid: None, container, destination };
        let new = Row { open: tracked.open, tries: 1 + u64::from(tracked.resent), since, origin: None, space };
        enter(&mut self.rows, &mut self.more, line, new);
    }

    /// Ends: what nobody was found for is nobody's, and what is known by now to be in order goes.
    pub(super) fn end(&mut self) {
        self.names.hear();
        self.ways.forget(&self.own);
        for (key, tracked) in std::mem::take(&mut self.tracked) {
            self.close(key, &tracked);
        }
        let known: BTreeSet<(u64, SocketAddr)> = self
            .rows
            .iter()
            .filter(|(line, _)| line.program.is_some())
            .map(|(line, row)| (row.space, line.destination))
            .collect();
        let (ways, names) = (&mut self.ways, &self.names);
        self.rows.retain(|line, row| {
            let is_known = line.program.is_none() && known.contains(&(row.space, line.destination));
            !is_known && ways.is_around(line.destination, names)
        });
    }
}

/// Adds connections to their line.
fn enter(rows: &mut BTreeMap<Line, Row>, more: &mut u64, line: Line, new: Row) {
    if rows.len() >= MOST_ROWS && !rows.contains_key(&line) {
        *more += 1;
        return;
    }
    let Some(row) = rows.get_mut(&line) else {
        rows.insert(line, new);
        return;
    };
    row.tries += new.tries;
    row.open |= new.open;
    row.since = row.since.min(new.since);
    let newer = |origin: &Origin, than: &Origin| (origin.started, origin.pid) >= (than.started, than.pid);
    if new.origin.as_ref().is_some_and(|origin| row.origin.as_ref().is_none_or(|own| newer(origin, own))) {
        row.origin = new.origin;
    }
}

#[cfg(test)]
mod tests;
