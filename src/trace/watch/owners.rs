//! Whose connections are: the search for the processes that hold them, and which of these are a proxy's own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use super::super::names::Names;
use super::super::origin::{Origin, ancestors, program};
use super::super::ways::canonical;
use super::Watch;
use crate::consumers::{place, programs};
use crate::docker::Published;
use crate::net::Time;
use crate::system::sockets::{self, Process, Socket, Space, holders, process};

/// The search for the processes of new connections ends after this long; the next one goes on where it stopped.
const SEARCH: Duration = Duration::from_secs(2);

/// What a search has found so far that was over before it had been everywhere.
#[derive(Default)]
pub(super) struct Search {
    /// The number of a socket and that of a process.
    found: Vec<(u64, u32)>,
    /// The sockets of proxies that it is for, too.
    of_proxies: BTreeSet<u64>,
    /// A process may not be looked at.
    denied: bool,
    /// It goes on here.
    pub(super) next: Option<u32>,
}

/// The processes of connections.
#[derive(Default)]
pub(super) struct Owners {
    of: HashMap<u64, u32>,
    /// Each with its verdict: its connections are a proxy's own.
    known: HashMap<u32, (Rc<Origin>, bool)>,
}

impl Owners {
    /// Who holds a socket, and is that a proxy's own?
    pub(super) fn of(&self, inode: u64) -> Option<(&Rc<Origin>, bool)> {
        let (origin, exempt) = self.known.get(self.of.get(&inode)?)?;
        Some((origin, *exempt))
    }
}

impl Watch<'_> {
    /// The processes of these sockets.
    pub(super) fn owners(&mut self, spaces: &[Space], listeners: &[(usize, Socket)], wanted: &BTreeSet<u64>) -> Owners {
        let mut every: Vec<u32> = spaces.iter().flat_map(|space| space.pids.iter().copied()).collect();
        every.sort_unstable();
        let (time, mut found, mut proxies) = (Time::new(SEARCH, SEARCH), Vec::new(), BTreeMap::new());
        // A forwarder of Docker's tells of one more place, which is looked at as well.
        for _ in 0..3 {
            let of_proxies = self.of_proxies(spaces, listeners);
            let Some(all) = self.found(&every, wanted, &of_proxies, time) else { return Owners::default() };
            found = all;
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
        proxies.retain(|pid, own| *pid != 1 && own.forwards_to.is_none() && own.name != programs::ENGINE);
        let mut owners = Owners::default();
        // Of several that share one, the first has opened it, as a rule.
        for (inode, pid) in found.into_iter().filter(|(inode, _)| wanted.contains(inode)) {
            let (_, exempt) = owners.known.entry(pid).or_insert_with(|| {
                let origin = Rc::new(Origin::look(self.host, pid));
                let exempt = self.is_exempt(&origin, &proxies);
                (origin, exempt)
            });
            if *exempt {
                owners.of.insert(inode, pid);
            } else {
                owners.of.entry(inode).or_insert(pid);
            }
        }
        owners
    }

    /// The processes that hold these sockets. `None`: not all processes were looked at yet, so that whoever is found may be a proxy.
    pub(super) fn found(
        &mut self,
        every: &[u32],
        wanted: &BTreeSet<u64>,
        of_proxies: &BTreeSet<u64>,
        time: Time,
    ) -> Option<Vec<(u64, u32)>> {
        if !of_proxies.is_subset(&self.search.of_proxies) {
            self.search = Search { of_proxies: of_proxies.clone(), ..Search::default() };
        }
        let asked = wanted | of_proxies;
        let rest = every.get(every.partition_point(|pid| Some(*pid) < self.search.next)..).unwrap_or_default();
        let part = holders(self.host, rest, &asked, time);
        self.search.found.extend(part.found);
        self.search.denied |= part.denied;
        self.search.next = part.next;
        if self.search.next.is_some() {
            return of_proxies.is_empty().then(|| self.search.found.clone());
        }
        let Search { found, denied, .. } = std::mem::take(&mut self.search);
        (!denied || of_proxies.is_empty()).then_some(found)
    }

    /// The sockets at which proxies of this host listen.
    pub(super) fn of_proxies(&self, spaces: &[Space], listeners: &[(usize, Socket)]) -> BTreeSet<u64> {
        let sites = self.sites();
        let mut own: HashMap<usize, BTreeSet<IpAddr>> = HashMap::new();
        let mut is_proxy = |(at, socket): &(usize, Socket)| {
            let (address, space) = (socket.local.ip().to_canonical(), &spaces[*at]);
            sites.iter().filter(|site| site.port() == socket.local.port()).any(|site| {
                // This host's loopback is no other namespace's.
                if site.ip().is_loopback() {
                    return space.own && (address.is_unspecified() || address.is_loopback());
                }
                let mut has = || {
                    let first = space.pids.first().copied().unwrap_or_default();
                    own.entry(*at).or_insert_with(|| sockets::addresses(self.host, first)).contains(&site.ip())
                };
                address == site.ip() || (address.is_unspecified() && has())
            })
        };
        listeners
            .iter()
            .filter(|own| is_proxy(own))
            .map(|(_, socket)| socket.inode)
            .filter(|inode| *inode != 0)
            .collect()
    }

    /// The places where a proxy of this host may listen.
    fn sites(&self) -> BTreeSet<SocketAddr> {
        let of_proxy = |(host, port): &(String, u16)| {
            let addresses = host.parse::<IpAddr>().ok().into_iter().chain(self.names.all(host));
            let site = |address: IpAddr| SocketAddr::new(address.to_canonical(), *port);
            addresses.map(site).collect::<Vec<_>>()
        };
        let sites: BTreeSet<SocketAddr> = self.proxies.iter().flat_map(of_proxy).collect();
        let here = |site: &&SocketAddr| site.ip().is_loopback() || self.own.contains(&site.ip());
        let leads = |own: &Published| {
            let fits = |site: &SocketAddr| own.at.is_unspecified() || own.at.to_canonical() == site.ip();
            sites.iter().filter(here).any(|site| site.port() == own.outside && fits(site))
        };
        let published = self.published.iter().filter(|(own, _)| leads(own));
        let inside = published.flat_map(|(own, addresses)| {
            addresses.iter().map(|address| SocketAddr::new(address.to_canonical(), own.inside))
        });
        inside.chain(self.forwarded.iter().copied()).collect::<BTreeSet<_>>().union(&sites).copied().collect()
    }

    /// Does it listen where a proxy does, or belong to what does? Whoever came through the door of a session is of that session,
    /// and so is what a session forwards.
    fn is_exempt(&self, origin: &Origin, proxies: &BTreeMap<u32, Process>) -> bool {
        let own = std::process::id();
        let above: Vec<u32> = ancestors(self.host, origin.pid).collect();
        if origin.pid == own || above.contains(&own) || proxies.contains_key(&origin.pid) {
            return true;
        }
        if proxies.is_empty() {
            return false;
        }
        let is_door = |pid: u32| programs::starts(&sockets::name(self.host, pid)).is_some();
        let doors: Vec<u32> = above.iter().copied().filter(|pid| is_door(*pid)).collect();
        // A door that a proxy came through itself leads to nobody else.
        let by_door = |proxy: u32| {
            let above: BTreeSet<u32> = ancestors(self.host, proxy).collect();
            doors.iter().any(|door| !above.contains(door))
        };
        proxies.iter().any(|(pid, proxy)| {
            let of_one = proxy.container.is_some() || proxy.unit.is_some();
            let same = of_one && proxy.container == origin.container && proxy.unit == origin.unit;
            let is_child = || above.contains(pid) && program(self.host, proxy) == origin.program;
            (same || is_child()) && !by_door(*pid)
        })
    }
}

/// A name may lead to more addresses than the resolver tells, or to others in a container: whoever has a proxy by its name, and asks
/// at its port, asks the proxy. Where servers use that port as well, or the address is known by another name, that is known only as
/// long as the name has no address here.
pub(super) fn is_at_proxy(origin: &Origin, destination: SocketAddr, proxies: &[(String, u16)], names: &Names) -> bool {
    let set = [origin.value(&["https_proxy", "all_proxy"]), origin.value(&["http_proxy"])];
    let places = set.into_iter().flatten().filter_map(|(_, value)| {
        let (_, host, port) = place(None, &value)?;
        Some((host.to_ascii_lowercase(), port?))
    });
    let may_be_server = [80, 443].contains(&destination.port()) || names.of(destination.ip()).next().is_some();
    let is_told = |host: &String| !may_be_server || names.all(host).next().is_none();
    places
        .filter(|(host, port)| host.parse::<IpAddr>().is_err() && *port == destination.port() && is_told(host))
        .any(|place| proxies.contains(&place))
}
