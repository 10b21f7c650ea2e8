//! Which process or container goes around the proxy right now: the TCP sockets of every network namespace that a process has,
//! looked at again and again.
//!
//! What is not seen: UDP and with it QUIC, connections that are refused at once, and whatever begins and ends between two
//! looks without a trace in the kernel's tables.
//!
//! | module | what it does |
//! | --- | --- |
//! | `watch` | one look after the other, and what they come to |
//! | `ways` | which connections go around the proxy, by where they lead |
//! | `names` | what addresses are called |
//! | `origin` | who a process is, and through whom it got its environment |
//! | `files` | what the files of the host say today to whoever gave it that |
//! | `why` | why it goes around the proxy, and what mends it |
//! | `load` | how much of a processor watching takes, and how long it rests for that |
//! | `shown` | text for people, JSON for programs |

mod files;
mod load;
mod names;
mod origin;
mod shown;
mod watch;
mod ways;
mod why;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::consumers::{Wanted, Who};
use crate::docker;
use crate::host::HostRead;
use crate::net::Time;
use crate::network::catalogue::Endpoint;
use crate::platform::Platform;
use crate::settings::{NoProxy, Settings};
use crate::system::accounts;
use crate::text::words::words;
use crate::text::{Fix, Text, host_port};
use files::Files;
use load::Load;
use names::Names;
use watch::{Line, Row, Watch};

pub(crate) use shown::{human, json};

/// How long a name of a proxy is waited for before the first look, and Docker's answer.
const FIRST: Duration = Duration::from_secs(5);

/// So often somebody who rests looks whether there is an end to it.
const NAP: Duration = Duration::from_millis(50);

words! {
    /// What became of the connections of a line.
    pub(crate) enum State {
        /// Nobody has answered.
        Unanswered = "unanswered",
        /// One stands, or has stood.
        Open = "open",
    }
}

/// What is watched.
pub(crate) struct Look<'a> {
    /// The running host.
    pub(crate) host: &'a dyn HostRead,
    /// What system it is.
    pub(crate) platform: Option<&'a Platform>,
    /// With a proxy.
    pub(crate) settings: &'a Settings,
    /// The list that is wanted.
    pub(crate) no_proxy: NoProxy,
    /// The vendor's, each with its name.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Those of them that this host needs.
    pub(crate) needed: Vec<String>,
    /// For so long.
    pub(crate) duration: Duration,
    /// Somebody wants an end to it.
    pub(crate) stop: &'a dyn Fn() -> bool,
    /// What is left, and how many lines there are.
    pub(crate) tell: &'a mut dyn FnMut(Duration, usize),
}

/// What was seen.
pub(crate) struct Traced {
    /// The proxies that are meant, as `host:port`.
    pub(crate) proxies: Vec<String>,
    /// For so long.
    pub(crate) took: Duration,
    /// By program, user and destination.
    pub(crate) bypasses: Vec<Bypass>,
    /// What was looked at.
    pub(crate) summary: Summary,
}

/// Who goes around the proxy.
#[derive(Clone, Debug)]
pub(crate) struct Bypass {
    /// `None`: it had ended before it could be told.
    pub(crate) program: Option<String>,
    /// The newest process.
    pub(crate) pid: Option<u32>,
    pub(crate) user: Option<String>,
    /// Its name, or the beginning of its id.
    pub(crate) container: Option<String>,
    /// The service of the product.
    pub(crate) service: Option<String>,
    pub(crate) destination: SocketAddr,
    /// What that is called.
    pub(crate) endpoint: Option<String>,
    pub(crate) state: State,
    pub(crate) tries: u64,
    pub(crate) since: SystemTime,
    pub(crate) why: Text,
    pub(crate) fix: Vec<Fix>,
}

/// What was looked at, and at which price.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// Looks at all sockets.
    pub(crate) looks: u64,
    /// Network namespaces.
    pub(crate) namespaces: usize,
    /// Those that could not be read.
    pub(crate) unread: usize,
    /// The most sockets at one look.
    pub(crate) sockets: usize,
    /// Connections that went around the proxy from where a proxy calls out itself: it cannot be told whose they were.
    pub(crate) unowned: u64,
    /// The most connections around the proxy at one look that were too many to be told apart: whose they were is not known.
    pub(crate) beyond: u64,
    /// Connections beyond the lines that are kept.
    pub(crate) more: u64,
    /// How much of one processor it took.
    pub(crate) load_percent: f64,
    /// Proxies whose address is not known.
    pub(crate) unresolved: Vec<String>,
    /// Somebody has ended it before its time.
    pub(crate) interrupted: bool,
}

/// Watches, then tells why.
pub(crate) fn trace(look: &mut Look<'_>, wanted: Wanted) -> Traced {
    let host = look.host;
    let proxies = proxies(&wanted);
    let of_list = look.no_proxy.members().map(str::to_ascii_lowercase).filter(|member| is_name(member));
    let named = proxies.iter().map(|(host, _)| host.clone()).filter(|host| is_name(host));
    let asked: Vec<String> = named.clone().chain(of_list).chain(look.needed.iter().cloned()).collect();
    let names = Names::new(host, &look.endpoints, asked);
    let schemes = [wanted.http.is_some(), wanted.https.is_some()];
    let mut watch = Watch::new(host, names, look.no_proxy.to_string(), proxies.iter().cloned().collect(), schemes);
    let named: Vec<String> = named.collect();
    let began = Instant::now();
    while !named.iter().all(|name| watch.names.is_answered(name)) && began.elapsed() < FIRST && !(look.stop)() {
        thread::sleep(NAP);
        watch.names.hear();
    }
    // Without an answer Docker's forwarders tell the same.
    let containers = docker::containers(host, Time::new(FIRST, FIRST)).map(|found| found.read).unwrap_or_default();
    for container in &containers {
        container.published.iter().for_each(|port| watch.publishes(*port, &container.addresses));
    }
    let load = Load::begin();
    let interrupted = watched(look, &mut watch, &load);
    let (took, load_percent) = (load.elapsed(), load.percent());
    watch.end();
    let unresolved = named.into_iter().filter(|name| watch.names.all(name).next().is_none()).collect();
    let summary = Summary {
        looks: watch.looks,
        namespaces: watch.spaces,
        unread: watch.unread,
        sockets: watch.sockets,
        unowned: watch.unowned,
        beyond: watch.beyond,
        more: watch.more,
        load_percent,
        unresolved,
        interrupted,
    };
    let bypasses = told(look, &watch, wanted);
    Traced { proxies: proxies.iter().map(|(host, port)| host_port(host, *port)).collect(), took, bypasses, summary }
}

/// Looks until the time is over; or until somebody ends it, which is told.
fn watched(look: &mut Look<'_>, watch: &mut Watch<'_>, load: &Load) -> bool {
    loop {
        let began = load.look();
        watch.look();
        let next = load.next(&began);
        (look.tell)(look.duration.saturating_sub(load.elapsed()), watch.rows.len());
        while load.elapsed() < next.min(look.duration) {
            if (look.stop)() {
                return true;
            }
            thread::sleep(NAP.min(next.min(look.duration).saturating_sub(load.elapsed())));
        }
        if load.elapsed() >= look.duration {
            return false;
        }
        if (look.stop)() {
            return true;
        }
    }
}

/// Every line with its reason.
fn told(look: &Look<'_>, watch: &Watch<'_>, wanted: Wanted) -> Vec<Bypass> {
    if watch.rows.is_empty() {
        return Vec::new();
    }
    let mut whos: Vec<Who> =
        watch.rows.values().filter_map(|row| row.origin.as_ref()?.consumer).chain([Who::Login, Who::ProdEnv]).collect();
    whos.sort_unstable_by_key(|who| *who as usize);
    whos.dedup();
    let files = Files::look(look.host, look.platform, look.settings, wanted, &whos);
    let one = |(line, row): (&Line, &Row)| {
        let user = line.uid.map(|uid| user(uid, line.container.is_none()));
        let (why, fix) = why::judge(row.origin.as_deref(), user.as_deref(), line.destination, &watch.names, &files);
        let container = line.container.as_ref();
        Bypass {
            program: line.program.clone(),
            pid: row.origin.as_ref().map(|origin| origin.pid),
            user,
            container: container.map(|id| files.container(id).map_or(id, |own| &own.state.name).clone()),
            service: container.and_then(|id| files.service(id)).map(str::to_owned),
            destination: line.destination,
            endpoint: watch.names.best(line.destination.ip()).map(str::to_owned),
            state: if row.open { State::Open } else { State::Unanswered },
            tries: row.tries,
            since: row.since,
            why,
            fix,
        }
    };
    watch.rows.iter().map(one).collect()
}

/// Host and port of each proxy that is wanted, as the settings name them.
fn proxies(wanted: &Wanted) -> BTreeSet<(String, u16)> {
    let specs = [&wanted.http, &wanted.https].into_iter().flatten();
    specs.map(|spec| (spec.host.trim_matches(['[', ']']).to_ascii_lowercase(), spec.port)).collect()
}

/// What this host calls a user; the users of a container are its own, but for root.
fn user(uid: u32, of_host: bool) -> String {
    Some(uid).filter(|uid| of_host || *uid == 0).and_then(accounts::user).unwrap_or_else(|| uid.to_string())
}

/// Is it a whole name that can be asked for?
fn is_name(member: &str) -> bool {
    member.starts_with(|c: char| c.is_ascii_alphanumeric())
        && member.parse::<std::net::IpAddr>().is_err()
        && member.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        && member != "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_called_as_this_host_calls_them() {
        let nobody = nix::unistd::User::from_name("nobody").ok().flatten();
        if let Some(uid) = nobody.map(|user| user.uid.as_raw()) {
            assert_eq!((user(uid, true).as_str(), user(uid, false)), ("nobody", uid.to_string()));
        }
        assert_eq!((user(0, true).as_str(), user(0, false).as_str()), ("root", "root"));
        assert_eq!(user(3_999_999_999, true), "3999999999");
    }

    #[test]
    fn names_are_asked_for_and_patterns_are_not() {
        assert!(is_name("mysql") && is_name("wiki.corp.example"));
        for other in ["localhost", ".corp.example", "*.x", "10.0.0.0/8", "127.0.0.1", "::1", "", "host:80"] {
            assert!(!is_name(other), "{other}");
        }
    }
}
