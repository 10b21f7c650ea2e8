//! Which connections go around the proxy, by where they lead.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use super::names::Names;
use crate::clients::{self, By, Client, Route, Target};
use crate::system::sockets::{Socket, State};

/// More places than this are not remembered; they are judged anew.
const MOST_PLACES: usize = 10_000;

/// From this port on the kernel takes those of clients (`ip_local_port_range`, as it is shipped): whoever has one below it at his
/// end, and one of these at the other, serves.
const FIRST_OF_CLIENTS: u16 = 32_768;

/// Judges places, and remembers what it said.
pub(super) struct Ways {
    /// The `no_proxy` list.
    list: String,
    /// The hosts of the proxies.
    proxies: BTreeSet<String>,
    /// Is one wanted for http, and for https?
    schemes: [bool; 2],
    /// Addresses of the host.
    own: BTreeSet<IpAddr>,
    judged: HashMap<SocketAddr, bool>,
}

impl Ways {
    pub(super) fn new(list: String, proxies: BTreeSet<String>, schemes: [bool; 2]) -> Self {
        Self { list, proxies, schemes, own: BTreeSet::new(), judged: HashMap::new() }
    }

    /// More is known of names, so that more is known of places. These addresses are the host's.
    pub(super) fn forget(&mut self, own: &[IpAddr]) {
        self.own = own.iter().copied().collect();
        self.judged.clear();
    }

    /// Does a connection to this place go around the proxy?
    pub(super) fn is_around(&mut self, place: SocketAddr, names: &Names) -> bool {
        if let Some(known) = self.judged.get(&place) {
            return *known;
        }
        let address = place.ip();
        let wanted = match place.port() {
            80 => self.schemes[0],
            443 => self.schemes[1],
            _ => true,
        };
        let is_near = is_near(address) || self.own.contains(&address);
        let around = wanted && !is_near && !self.is_proxy(address, names) && self.member(place, names).is_none();
        if self.judged.len() >= MOST_PLACES {
            self.judged.clear();
        }
        self.judged.insert(place, around);
        around
    }

    /// Is it the address of a proxy, whatever the port?
    pub(super) fn is_proxy(&self, address: IpAddr, names: &Names) -> bool {
        let literal = |host: &String| host.parse().is_ok_and(|own: IpAddr| own.to_canonical() == address);
        self.proxies.iter().any(literal) || names.of(address).any(|name| self.proxies.contains(name))
    }

    /// The member of the list for which some client asks this place directly.
    fn member(&self, place: SocketAddr, names: &Names) -> Option<String> {
        member(clients::all(), &self.list, place, names)
    }
}

/// The member of `list` for which one of these clients asks a place directly, by its address or by a name of it.
pub(super) fn member<'c>(
    clients: impl IntoIterator<Item = &'c Client>,
    list: &str,
    place: SocketAddr,
    names: &Names,
) -> Option<String> {
    let targets: Vec<Target> = targets(place, names).collect();
    clients.into_iter().find_map(|client| {
        targets.iter().find_map(|target| match client.route(target, list) {
            Route::Direct(By::Member(member)) => Some(member),
            _ => None,
        })
    })
}

/// What a client may have been told to ask for when it asks this place.
pub(super) fn targets<'n>(place: SocketAddr, names: &'n Names) -> impl Iterator<Item = Target> + 'n {
    let tls = place.port() != 80;
    let port = Some(place.port()).filter(|port| *port != if tls { 443 } else { 80 });
    let hosts = names.of(place.ip()).map(str::to_owned).chain([place.ip().to_string()]);
    hosts.filter_map(move |host| Some(Target { port, ..Target::to_host(tls, &host)? }))
}

/// Is it an address of this host, of its link, or of a private network?
pub(super) fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
        }
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || first & 0xffc0 == 0xfe80
                || first & 0xfe00 == 0xfc00
        }
    }
}

/// Where a namespace waits for connections.
#[derive(Default)]
pub(super) struct Listening {
    everywhere: BTreeSet<u16>,
    places: BTreeSet<SocketAddr>,
}

impl Listening {
    /// Also at these; where somebody has waited once, whoever came stays a guest.
    pub(super) fn add(&mut self, sockets: &[Socket]) {
        for socket in sockets.iter().filter(|socket| socket.state == State::Listen) {
            if socket.local.ip().to_canonical().is_unspecified() {
                self.everywhere.insert(socket.local.port());
            } else {
                self.places.insert(canonical(socket.local));
            }
        }
    }

    /// Did the other end ask for this connection?
    pub(super) fn has_accepted(&self, socket: &Socket) -> bool {
        let (local, remote) = (canonical(socket.local), socket.remote.port());
        let is_port_of_servers = local.port() < FIRST_OF_CLIENTS && remote >= FIRST_OF_CLIENTS;
        socket.state != State::Asked
            && (self.everywhere.contains(&local.port()) || self.places.contains(&local) || is_port_of_servers)
    }
}

/// IPv4 in the clothes of IPv6 is IPv4.
pub(super) fn canonical(place: SocketAddr) -> SocketAddr {
    SocketAddr::new(place.ip().to_canonical(), place.port())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::MemoryHost;

    fn names(hosts: &str) -> Names {
        let host = MemoryHost::new();
        host.put("/etc/hosts", hosts.as_bytes());
        Names::new(&host, &[], Vec::new())
    }

    fn place(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_near_a_proxy_or_in_the_list_does_not_go_around() {
        let names = names("203.0.113.7 proxy.corp.example\n203.0.113.8 wiki.corp.example\n203.0.113.9 out.example\n");
        let proxies = ["proxy.corp.example".to_owned(), "198.51.100.1".to_owned()].into();
        let mut ways = Ways::new(".corp.example,192.0.2.0/24,2001:db8::7".to_owned(), proxies, [true, true]);
        for (at, around) in [
            ("203.0.113.9:443", true),
            ("[2001:db8::1]:443", true),
            ("203.0.113.7:3128", false),
            ("203.0.113.7:443", false),
            ("198.51.100.1:8080", false),
            ("203.0.113.8:443", false),
            ("192.0.2.200:80", false),
            ("[2001:db8::7]:443", false),
            ("127.0.0.1:80", false),
            ("10.0.0.1:80", false),
            ("172.31.0.1:80", false),
            ("192.168.1.1:80", false),
            ("169.254.169.254:80", false),
            ("[fe80::1]:80", false),
            ("[fd00::1]:80", false),
            ("[::1]:80", false),
        ] {
            assert_eq!(ways.is_around(canonical(place(at)), &names), around, "{at}");
        }
        assert_eq!(names.best("203.0.113.9".parse().unwrap()), Some("out.example"));
        let mut https = Ways::new(String::new(), ["198.51.100.1".to_owned()].into(), [false, true]);
        assert!(!https.is_around(place("203.0.113.9:80"), &names) && https.is_around(place("203.0.113.9:443"), &names));
    }

    #[test]
    fn whoever_came_is_a_guest() {
        let socket = |local: &str, remote: &str, state| Socket {
            local: place(local),
            remote: place(remote),
            state,
            resent: 0,
            uid: 0,
            inode: 1,
        };
        let mut listening = Listening::default();
        listening.add(&[
            socket("[::]:8001", "[::]:0", State::Listen),
            socket("203.0.113.1:9000", "0.0.0.0:0", State::Listen),
        ]);
        let guest = |local: &str, remote: &str, state| listening.has_accepted(&socket(local, remote, state));
        assert!(guest("[::ffff:203.0.113.1]:8001", "[::ffff:198.51.100.7]:40000", State::Open));
        assert!(guest("203.0.113.1:9000", "198.51.100.7:40000", State::Ended));
        assert!(guest("203.0.113.1:22", "198.51.100.7:40000", State::Open));
        assert!(guest("203.0.113.2:9001", "198.51.100.7:37711", State::Open), "its listener has gone");
        assert!(!guest("203.0.113.2:777", "198.51.100.7:8443", State::Open));
        assert!(!guest("203.0.113.2:9000", "198.51.100.7:443", State::Open));
        assert!(!guest("203.0.113.1:40000", "198.51.100.7:443", State::Open));
        assert!(!guest("203.0.113.1:8001", "198.51.100.7:443", State::Asked));
    }

    proptest! {
        #[test]
        fn what_is_private_is_never_listed(bits in any::<u32>(), of in 0..4_usize, port in any::<u16>(), mapped in any::<bool>()) {
            let (base, mask) = [(0x0a00_0000_u32, 8), (0xac10_0000, 12), (0xc0a8_0000, 16), (0x7f00_0000, 8)][of];
            let four = std::net::Ipv4Addr::from(base | (bits & (u32::MAX >> mask)));
            let address = if mapped { IpAddr::V6(four.to_ipv6_mapped()) } else { IpAddr::V4(four) };
            let mut ways = Ways::new(String::new(), BTreeSet::new(), [true, true]);
            prop_assert!(!ways.is_around(canonical(SocketAddr::new(address, port)), &names("")));
        }

        #[test]
        fn no_place_breaks_it(bits in any::<u128>(), port in any::<u16>(), list in "[a-z0-9.,:*/\\[\\] ]{0,40}") {
            let mut ways = Ways::new(list, BTreeSet::new(), [true, true]);
            ways.is_around(canonical(SocketAddr::new(IpAddr::V6(bits.into()), port)), &names("203.0.113.9 a.example\n"));
        }
    }
}
