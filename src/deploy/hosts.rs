//! The other hosts of a production, which share its databases: MySQL shows who is connected. A host whose product waits for the
//! scheduler of another one says so there, so that the host with the scheduler knows it from one that works with the old image.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::LOOK;
use crate::check::{Limits, MysqlSpec, USUAL_USER};
use crate::host::{HostRead, RealHost};
use crate::mysql::{self, Account, Login, Neighbour, Target, Waits};
use crate::net::{Roots, Time};
use crate::product::{Found, own_containers};
use crate::secret::Secret;
use crate::system::pools::own_addresses;
use crate::text;
use crate::text::{Foreign, Text};

/// One session says it for so long; then comes another one. A server that has gone is noticed by then.
const SESSION: Duration = Duration::from_secs(120);
/// What a session may take besides, for its login.
const LOGIN: Duration = Duration::from_secs(10);
/// After a session that came to nothing there is another one so much later, after each further one in twice that time,
const PAUSE: Duration = Duration::from_secs(1);
/// up to this.
const LONGEST: Duration = Duration::from_secs(60);

/// So many are named.
const MOST: usize = 10;

/// Their addresses, for people.
pub(super) fn names<'n>(all: impl ExactSizeIterator<Item = &'n Neighbour>) -> Text {
    let more = all.len().saturating_sub(MOST);
    let names = Foreign::new(all.take(MOST).map(|one| one.address.as_str()).collect::<Vec<_>>().join(", "));
    if more > 0 { text!("{} and {} more", names, more) } else { text!("{}", names) }
}

/// How MySQL is asked about them.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    /// The product's folder.
    pub(super) home: PathBuf,
    pub(super) mysql: MysqlSpec,
    pub(super) password: Option<Secret>,
    pub(super) roots: Roots,
    pub(super) limits: Limits,
}

/// Is the server of a connection with these ends on this host?
fn is_here([own, server]: [IpAddr; 2], there: &Found) -> bool {
    own == server || there.own.iter().chain(&there.others).any(|one| one.addresses.contains(&server))
}

/// The addresses by which a server knows the product's containers. Docker gives the same ones on every host: a server elsewhere
/// sees under them the containers of the host that it is on, but for addresses that the whole world has once.
fn inside(there: &Found, is_here: bool) -> Vec<IpAddr> {
    let is_unique = |own: &IpAddr| match own {
        // 2000::/3, without 2001:db8::/32, which is copied from examples.
        IpAddr::V6(own) => own.segments()[0] >> 13 == 1 && own.segments()[..2] != [0x2001, 0xdb8],
        IpAddr::V4(_) => false,
    };
    let all = there.own.iter().flat_map(|one| one.addresses.iter().copied());
    all.filter(|own| is_here || is_unique(own)).collect()
}

/// This host says that it waits, as long as the value is there.
pub(super) struct Saying(Arc<AtomicBool>);

impl Drop for Saying {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Hosts {
    /// Those that use the databases at this moment, as far as the product's user sees them; `None`: nobody tells.
    pub(super) fn look(&self, host: &dyn HostRead) -> Option<Vec<Neighbour>> {
        let (mut found, mut ends, mut is_whole) = (None, None, false);
        let time = Time::new(self.limits.connect(), self.limits.check());
        mysql::look_and(&self.target(), host, time, &mut |connection, about| {
            ends = connection.ends();
            found = mysql::neighbours(connection, self.databases(), mysql::sql::has_escapes(&about.variables))?;
            is_whole = !mysql::may_be_one_of_many(connection)?;
            Ok(())
        });
        let mut all = found?;
        let there = own_containers(host, &self.home, Time::new(LOOK, LOOK)).unwrap_or_default();
        let is_here = ends.is_some_and(|ends| is_here(ends, &there));
        let own = [own_addresses(host, is_here), inside(&there, is_here)].concat();
        all.retain(|one| !one.address.parse::<IpAddr>().is_ok_and(|address| own.contains(&address.to_canonical())));
        // Of several servers each knows its own clients: whoever is seen is there, and nobody else is known not to be.
        (is_whole || all.iter().any(|one| one.waits.is_none())).then_some(all)
    }

    /// Says that this host waits; `None`: that cannot be said. Nothing waits for the thread that does: a server that does not
    /// answer any more would hold up a run that is over.
    pub(super) fn say(&self, waits: &Waits) -> Option<Saying> {
        let statement = waits.statement()?;
        let ended = Arc::new(AtomicBool::new(false));
        let (own, saying) = (self.clone(), Saying(Arc::clone(&ended)));
        let is_so = move || !ended.load(Ordering::Relaxed);
        // Who has no thread to say it with waits all the same, and the host with the scheduler asks about it.
        let _ = std::thread::Builder::new().spawn(move || {
            let mut pause = PAUSE;
            while is_so() {
                let (began, host) = (Instant::now(), RealHost::live());
                let time = Time::new(own.limits.connect(), SESSION + LOGIN);
                let still = || is_so() && began.elapsed() < SESSION;
                let seen = mysql::look_and(&own.target(), &host, time, &mut |connection, _| {
                    mysql::say(connection, &statement, &still)
                });
                if matches!(seen.login, Some(Login::Refused { .. })) {
                    // Where the password has changed, one login after the other would lock the account.
                    return;
                }
                if began.elapsed() >= SESSION {
                    pause = PAUSE;
                } else if is_so() {
                    std::thread::sleep(pause);
                    pause = LONGEST.min(pause * 2);
                }
            }
        });
        Some(saying)
    }

    fn databases(&self) -> [&str; 2] {
        [&self.mysql.database, &self.mysql.secret_database]
    }

    fn target(&self) -> Target<'_> {
        Target {
            host: &self.mysql.at.host,
            port: self.mysql.at.port,
            tls: self.mysql.tls,
            account: Some(Account {
                user: self.mysql.user.as_deref().unwrap_or(USUAL_USER),
                password: self.password.as_ref().map(Secret::expose).unwrap_or_default(),
            }),
            databases: self.databases(),
            roots: &self.roots,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::Container;

    #[test]
    fn an_address_of_a_container_is_this_hosts_where_the_server_is_on_this_host() {
        let one = |address: &str| Container { addresses: vec![address.parse().unwrap()], ..Container::default() };
        let there = Found {
            own: vec![one("172.18.0.2"), one("2600:1f18::2"), one("fd00::2")],
            others: vec![one("172.19.0.2")],
            ..Found::default()
        };
        let is_here = |own: &str, server: &str| is_here([own, server].map(|end| end.parse().unwrap()), &there);
        for (own, server) in [("127.0.0.1", "127.0.0.1"), ("10.0.0.5", "10.0.0.5"), ("172.19.0.1", "172.19.0.2")] {
            assert!(is_here(own, server), "{own} {server}");
        }
        assert!(!is_here("10.0.0.5", "10.0.0.6"));
        assert_eq!(inside(&there, true), there.own.iter().flat_map(|one| one.addresses.clone()).collect::<Vec<_>>());
        assert_eq!(inside(&there, false), ["2600:1f18::2".parse::<IpAddr>().unwrap()]);
    }
}
