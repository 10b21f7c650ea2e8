//! One look at all sockets after the other, and what they come to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::names::Names;
use super::origin::{Origin, ancestors};
use super::ways::{Listening, Ways, canonical};
use crate::host::HostRead;
use crate::net::Time;
use crate::settings::ProxyUrl;
use crate::system::sockets::{self, Process, Socket, Space, State, holders, process};

/// The search for the processes of new connections ends after this long; those that are left are looked for again.
const SEARCH: Duration = Duration::from_secs(2);

/// More connections that go around the proxy are not told apart at a time.
const MOST_SOCKETS: usize = 100_000;

/// More lines than this are counted, and not kept.
const MOST_ROWS: usize = 1000;

/// It holds published ports of containers, as the first process holds those of services that are not started yet.
const ENGINE: &str = "dockerd";

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
    pub(super) origin: Option<Origin>,
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

/// A place where a proxy of this host may listen.
struct Site {
    address: IpAddr,
    port: u16,
}

/// Looks, and keeps the books.
pub(super) struct Watch<'a> {
    host: &'a dyn HostRead,
    pub(super) names: Names,
    ways: Ways,
    /// Host and port of each proxy, as the settings name them.
    proxies: Vec<(String, u16)>,
    /// Where forwarders of Docker's lead.
    forwarded: BTreeSet<SocketAddr>,
    listening: HashMap<u64, Listening>,
    tracked: HashMap<Key, Tracked>,
    pub(super) rows: BTreeMap<Line, Row>,
    /// The container of each namespace that is not the host's.
    containers: HashMap<u64, Option<String>>,
    /// Namespaces that a proxy calls out from.
    of_proxies: BTreeSet<u64>,
    /// Connections of which nobody can tell whose they were.
    pub(super) unowned: u64,
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
            forwarded: BTreeSet::new(),
            listening: HashMap::new(),
            tracked: HashMap::new(),
            rows: BTreeMap::new(),
            containers: HashMap::new(),
            of_proxies: BTreeSet::new(),
            unowned: 0,
            more: 0,
            looks: 0,
            spaces: 0,
            unread: 0,
            sockets: 0,
        }
    }

    /// A container listens there for a port of this host on which a proxy is reached.
    pub(super) fn forwards_to(&mut self, place: SocketAddr) {
        self.forwarded.insert(canonical(place));
    }

    /// Every place where the host reaches a proxy by this port.
    pub(super) fn is_port_of_proxy(&self, port: u16) -> bool {
        self.proxies.iter().any(|(_, own)| *own == port)
    }

    /// One look at all sockets.
    pub(super) fn look(&mut self) {
        self.looks += 1;
        if self.names.hear() {
            self.ways.forget();
        }
        let spaces = sockets::spaces(self.host);
        let (mut suspects, mut listeners, mut all, mut unread) = (Vec::new(), Vec::new(), 0, 0);
        for (at, space) in spaces.iter().enumerate() {
            let Some(found) = sockets::of_space(self.host, space) else {
                unread += 1;
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
                        if around && suspects.len() < MOST_SOCKETS {
                            suspects.push((at, *socket));
                        }
                    }
                }
            }
        }
        (self.spaces, self.unread, self.sockets) = (spaces.len(), unread, self.sockets.max(all));
        let there: BTreeSet<u64> = spaces.iter().map(|space| space.id).collect();
        self.listening.retain(|id, _| there.contains(id));
        self.book(&spaces, &listeners, &suspects);
    }

    fn book(&mut self, spaces: &[Space], listeners: &[(usize, Socket)], suspects: &[(usize, Socket)]) {
        let key = |(at, socket): &(usize, Socket)| (spaces[*at].id, canonical(socket.local), canonical(socket.remote));
        let is_open = |own: &&(usize, Socket)| match self.tracked.get(&key(own)) {
            None => true,
            Some(tracked) => matches!(tracked.owner, Owner::Unknown { .. }),
        };
        let wanted: BTreeSet<u64> =
            suspects.iter().filter(is_open).map(|(_, socket)| socket.inode).filter(|inode| *inode != 0).collect();
        let (owners, exempt) =
            if wanted.is_empty() { Default::default() } else { self.owners(spaces, listeners, wanted) };
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
                    let Some(origin) = owners.get(&socket.inode).filter(|_| socket.inode != 0) else { continue };
                    if is_at_proxy(origin, canonical(socket.remote), &self.proxies, &self.names) {
                        tracked.owner = Owner::Exempt;
                        continue;
                    }
                    if exempt.contains(&origin.pid) {
                        tracked.owner = Owner::Exempt;
                        self.of_proxies.insert(spaces[*at].id);
                        continue;
                    }
                    let line = Line {
                        program: Some(origin.program.clone()),
                        uid: Some(socket.uid),
                        container: origin.container.clone(),
                        destination: canonical(socket.remote),
                    };
                    let new = Row {
                        open: tracked.open,
                        tries: 1 + u64::from(tracked.resent),
                        since: *since,
                        origin: Some(origin.clone()),
                        space: spaces[*at].id,
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
            self.of_proxies.extend(there.map(|(at, _)| spaces[*at].id));
        }
        let looks = self.looks;
        let gone: Vec<Key> = self.tracked.iter().filter(|(_, own)| own.seen != looks).map(|(key, _)| *key).collect();
        for key in gone {
            if let Some(tracked) = self.tracked.remove(&key) {
                self.close(key, &tracked);
            }
        }
    }

    /// The process of each of these sockets, and the processes whose connections are a proxy's own.
    fn owners(
        &mut self,
        spaces: &[Space],
        listeners: &[(usize, Socket)],
        wanted: BTreeSet<u64>,
    ) -> (HashMap<u64, Origin>, BTreeSet<u32>) {
        let time = Time::new(SEARCH, SEARCH);
        let every: Vec<u32> = spaces.iter().flat_map(|space| space.pids.iter().copied()).collect();
        let mut found: Vec<(u64, u32)> = Vec::new();
        let mut proxies: BTreeMap<u32, Process> = BTreeMap::new();
        let mut asked = wanted.clone();
        // A forwarder of Docker's tells of one more place, which is looked at as well.
        for _ in 0..3 {
            let of_proxies: BTreeSet<u64> = self.of_proxies(spaces, listeners);
            asked.extend(&of_proxies);
            let complete;
            (found, complete) = holders(self.host, &every, &asked, time);
            if !complete && !of_proxies.is_empty() {
                // Whoever is found may be a proxy: the next look tells.
                return Default::default();
            }
            let before = self.forwarded.len();
            for (_, pid) in found.iter().filter(|(inode, _)| of_proxies.contains(inode)) {
                let own = proxies.entry(*pid).or_insert_with(|| process(self.host, *pid));
                let place = own.forwards_to.as_ref().and_then(|place| place.parse::<SocketAddr>().ok());
                self.forwarded.extend(place.map(canonical));
            }
            if self.forwarded.len() == before {
                break;
            }
        }
        // What listens for others is not the proxy, and what it starts is not of the proxy's.
        proxies.retain(|pid, own| *pid != 1 && own.forwards_to.is_none() && own.name != ENGINE);
        let mut origins: HashMap<u64, Origin> = HashMap::new();
        let mut known: HashMap<u32, Origin> = HashMap::new();
        let mut exempt = BTreeSet::new();
        // Of several that share one, the first has opened it, as a rule.
        for (inode, pid) in found.iter().filter(|(inode, _)| wanted.contains(inode)) {
            let origin = known.entry(*pid).or_insert_with(|| Origin::look(self.host, *pid));
            if self.is_exempt(origin, &proxies) {
                exempt.insert(*pid);
                origins.insert(*inode, origin.clone());
            } else {
                origins.entry(*inode).or_insert_with(|| origin.clone());
            }
        }
        (origins, exempt)
    }

    /// The sockets at which proxies of this host listen.
    fn of_proxies(&self, spaces: &[Space], listeners: &[(usize, Socket)]) -> BTreeSet<u64> {
        let sites = self.sites();
        let mut own: HashMap<usize, BTreeSet<IpAddr>> = HashMap::new();
        let mut is_proxy = |(at, socket): &(usize, Socket)| {
            let (address, space) = (socket.local.ip().to_canonical(), &spaces[*at]);
            sites.iter().filter(|site| site.port == socket.local.port()).any(|site| {
                // This host's loopback is no other namespace's.
                if site.address.is_loopback() {
                    return space.own && (address.is_unspecified() || address.is_loopback());
                }
                let mut has = || {
                    let first = space.pids.first().copied().unwrap_or_default();
                    own.entry(*at).or_insert_with(|| sockets::addresses(self.host, first)).contains(&site.address)
                };
                address == site.address || (address.is_unspecified() && has())
            })
        };
        listeners
            .iter()
            .filter(|own| is_proxy(own))
            .map(|(_, socket)| socket.inode)
            .filter(|inode| *inode != 0)
            .collect()
    }

    fn sites(&self) -> Vec<Site> {
        let mut sites: Vec<Site> =
            self.forwarded.iter().map(|place| Site { address: place.ip(), port: place.port() }).collect();
        for (host, port) in &self.proxies {
            let literal = host.parse::<IpAddr>().ok();
            let named = self.names.all(host);
            sites.extend(
                literal.into_iter().chain(named).map(|address| Site { address: address.to_canonical(), port: *port }),
            );
        }
        sites
    }

    /// Does it listen where a proxy does, or belong to what does?
    fn is_exempt(&self, origin: &Origin, proxies: &BTreeMap<u32, Process>) -> bool {
        let own = std::process::id();
        let is = |pid: u32| pid == own || proxies.contains_key(&pid);
        let same = |proxy: &Process| {
            let of_one = proxy.container.is_some() || proxy.unit.is_some();
            of_one && proxy.container == origin.container && proxy.unit == origin.unit
        };
        is(origin.pid) || ancestors(self.host, origin.pid).any(is) || proxies.values().any(same)
    }

    /// A connection has gone. One of nobody's stands on a line of its own, unless somebody is known to go there from the same
    /// namespace, or a proxy calls out from it.
    fn close(&mut self, (space, _, destination): Key, tracked: &Tracked) {
        let Owner::Unknown { since } = tracked.owner else { return };
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
        self.ways.forget();
        for (key, tracked) in std::mem::take(&mut self.tracked) {
            self.close(key, &tracked);
        }
        let of_proxies = self.of_proxies.clone();
        let known: BTreeSet<(u64, SocketAddr)> = self
            .rows
            .iter()
            .filter(|(line, _)| line.program.is_some())
            .map(|(line, row)| (row.space, line.destination))
            .collect();
        let (ways, names, unowned) = (&mut self.ways, &self.names, &mut self.unowned);
        self.rows.retain(|line, row| {
            if !ways.is_around(line.destination, names) {
                return false;
            }
            let is_nobodys = line.program.is_none();
            if is_nobodys && of_proxies.contains(&row.space) {
                *unowned += row.tries;
                return false;
            }
            !(is_nobodys && known.contains(&(row.space, line.destination)))
        });
    }
}

/// A name may lead to more addresses than the resolver tells, or to others in a container: whoever has a proxy by its name, and asks
/// at its port, asks the proxy. Where servers use that port as well, or the address is known by another name, that is known only as
/// long as the name has no address here.
fn is_at_proxy(origin: &Origin, destination: SocketAddr, proxies: &[(String, u16)], names: &Names) -> bool {
    let set = [origin.value(&["https_proxy", "all_proxy"]), origin.value(&["http_proxy"])];
    let places = set.into_iter().flatten().filter_map(|(_, value)| {
        let url = ProxyUrl::parse(&value).ok()?;
        Some((url.host.to_string().to_ascii_lowercase(), url.port.unwrap_or_else(|| url.scheme.usual_port())))
    });
    let may_be_server = [80, 443].contains(&destination.port()) || names.of(destination.ip()).next().is_some();
    let is_told = |host: &String| !may_be_server || names.all(host).next().is_none();
    places
        .filter(|(host, port)| host.parse::<IpAddr>().is_err() && *port == destination.port() && is_told(host))
        .any(|place| proxies.contains(&place))
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
