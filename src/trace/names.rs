//! What addresses are called: by the system's resolver, the hosts file and the vendor's lists.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::host::HostRead;
use crate::net::{Time, resolve};
use crate::network::catalogue::Endpoint;
use crate::system::names::{HOSTS, hosts_file};

/// The resolver has so long for a name.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many names are asked for at a time.
const ASKERS: usize = 4;

/// Names that lead to many addresses by turns are asked for again after this long.
const AGAIN: Duration = Duration::from_secs(60);

/// No more names of one address are kept.
const MOST_NAMES: usize = 32;

/// A port is asked for with a name, and says nothing.
const PORT: u16 = 443;

/// The names that are known of addresses. They come in while sockets are watched.
pub(super) struct Names {
    known: BTreeMap<IpAddr, BTreeSet<String>>,
    /// Blocks that the vendor has promised, with the endpoint.
    promised: Vec<(IpNet, String)>,
    /// What is asked for, again and again.
    wanted: Vec<String>,
    sender: Sender<(String, Vec<IpAddr>)>,
    answers: Receiver<(String, Vec<IpAddr>)>,
    asked: Instant,
    /// What is left to be asked for; whoever asks holds it.
    round: Weak<Mutex<VecDeque<String>>>,
    /// Of these something is known, if only that they have no address.
    answered: BTreeSet<String>,
}

impl Names {
    /// Those of the hosts file and of the vendor's promises; the resolver is asked for `wanted`.
    pub(super) fn new(host: &dyn HostRead, endpoints: &[Endpoint], wanted: Vec<String>) -> Self {
        let (sender, answers) = mpsc::channel();
        let block = |endpoint: &Endpoint| {
            let blocks = endpoint.static_ips.blocks().iter();
            let nets = blocks.filter_map(|block| IpNet::new(block.address, block.prefix).ok());
            nets.map(|net| (net, endpoint.shown().to_owned())).collect::<Vec<_>>()
        };
        let promised = endpoints.iter().flat_map(block).collect();
        let mut names = Self {
            known: BTreeMap::new(),
            promised,
            wanted,
            sender,
            answers,
            asked: Instant::now(),
            round: Weak::new(),
            answered: BTreeSet::new(),
        };
        // One that cannot be read names nobody; the resolver tells what is in it.
        let text = host.read(Path::new(HOSTS)).ok().flatten().unwrap_or_default();
        for (address, own) in hosts_file(&String::from_utf8_lossy(&text)) {
            own.for_each(|name| names.learn(address, name));
        }
        names.ask();
        names
    }

    /// Threads of their own ask, for the resolver knows no deadline.
    fn ask(&mut self) {
        self.asked = Instant::now();
        let names = Arc::new(Mutex::new(self.wanted.iter().cloned().collect::<VecDeque<_>>()));
        self.round = Arc::downgrade(&names);
        for _ in 0..ASKERS.min(self.wanted.len()) {
            let (names, sender) = (Arc::clone(&names), self.sender.clone());
            let ask = move || {
                // Whoever panicked with it has left a list of names, which is as good as before.
                let next = || names.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                while let Some(name) = next() {
                    let found = resolve(&name, PORT, Time::new(PATIENCE, PATIENCE)).unwrap_or_default();
                    let addresses = found.into_iter().map(|place| place.ip()).collect();
                    // Nobody may be waiting any more.
                    if sender.send((name, addresses)).is_err() {
                        return;
                    }
                }
            };
            // Without a thread a name stays unknown.
            drop(std::thread::Builder::new().name("names".to_owned()).spawn(ask));
        }
    }

    /// Takes what the resolver has said since; is there anything new?
    pub(super) fn hear(&mut self) -> bool {
        if is_due(self.asked.elapsed(), &self.round) {
            self.ask();
        }
        let answers: Vec<(String, Vec<IpAddr>)> = self.answers.try_iter().collect();
        for (name, addresses) in &answers {
            addresses.iter().for_each(|address| self.learn(*address, name));
            self.answered.insert(name.clone());
        }
        !answers.is_empty()
    }

    /// Has the resolver said anything of this name, or has its time passed?
    pub(super) fn is_answered(&self, name: &str) -> bool {
        self.answered.contains(name)
    }

    fn learn(&mut self, address: IpAddr, name: &str) {
        let names = self.known.entry(address.to_canonical()).or_default();
        if names.len() < MOST_NAMES {
            names.insert(name.trim_end_matches('.').to_ascii_lowercase());
        }
    }

    /// All names of an address.
    pub(super) fn of(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        self.known.get(&address).into_iter().flatten().map(String::as_str)
    }

    /// All addresses of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = IpAddr> {
        self.known.iter().filter(move |(_, names)| names.contains(name)).map(|(address, _)| *address)
    }

    /// The name to show: one that was asked for, else one of the hosts file, else the endpoint that was promised there.
    pub(super) fn best(&self, address: IpAddr) -> Option<&str> {
        let asked = self.wanted.iter().map(String::as_str).find(|wanted| self.of(address).any(|own| own == *wanted));
        let promised = || self.promised.iter().find(|(net, _)| net.contains(&address)).map(|(_, name)| name.as_str());
        asked.or_else(|| self.of(address).next()).or_else(promised)
    }
}

/// May all be asked for again? Not where those before still wait: a resolver that does not answer would get ever more of them.
fn is_due<T>(since: Duration, round: &Weak<T>) -> bool {
    since >= AGAIN && round.strong_count() == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;
    use crate::network::catalogue::Catalogue;

    #[test]
    fn an_address_that_the_vendor_has_promised_has_the_name_of_its_endpoint() {
        let all = Catalogue::shipped().endpoints;
        let (endpoint, block) = all
            .iter()
            .find_map(|own| Some((own, own.static_ips.blocks().first()?)))
            .expect("the vendor promises blocks");
        let address = block.address;
        let names = Names::new(&MemoryHost::new(), &all, Vec::new());
        assert_eq!(names.best(address), Some(endpoint.shown()));
        assert_eq!(names.best("192.0.2.1".parse().unwrap()), None);
        // What this host calls it comes first.
        let host = MemoryHost::new().with("/etc/hosts", format!("{address} own.example\n"));
        assert_eq!(Names::new(&host, &all, Vec::new()).best(address), Some("own.example"));
    }

    #[test]
    fn nobody_is_asked_again_while_somebody_is_waited_for() {
        let waits = Arc::new(());
        let round = Arc::downgrade(&waits);
        assert!(!is_due(AGAIN, &round) && !is_due(AGAIN * 10, &round));
        drop(waits);
        assert!(is_due(AGAIN, &round) && !is_due(AGAIN / 2, &round));
    }
}
