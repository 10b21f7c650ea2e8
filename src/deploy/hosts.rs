//! The other hosts of a production, which share its databases: MySQL shows who is connected. A host whose product waits for the
//! scheduler of another one says so there, so that the host with the scheduler knows it from one that works with the old image.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::check::{Limits, MysqlSpec, USUAL_USER};
use crate::host::{HostRead, RealHost};
use crate::mysql::{self, Account, Neighbour, Target, Waits};
use crate::net::{Roots, Time};
use crate::secret::Secret;
use crate::text;
use crate::text::{Foreign, Text};

/// One session says it for so long; then comes another one. A server that has gone is noticed by then.
const SESSION: Duration = Duration::from_secs(120);
/// What a session may take besides, for its login.
const LOGIN: Duration = Duration::from_secs(10);
/// After a session that came to nothing there is another one so much later.
const PAUSE: Duration = Duration::from_secs(1);

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
    pub(super) mysql: MysqlSpec,
    pub(super) password: Option<Secret>,
    pub(super) roots: Roots,
    pub(super) limits: Limits,
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
        let mut found = None;
        let time = Time::new(self.limits.connect(), self.limits.check());
        mysql::look_and(&self.target(), host, time, &mut |connection, about| {
            found = mysql::neighbours(connection, self.databases(), mysql::sql::has_escapes(&about.variables))?;
            Ok(())
        });
        found
    }

    /// Says that this host waits. Nothing waits for the thread that does: a server that does not answer any more would hold up a
    /// run that is over.
    pub(super) fn say(&self, waits: Waits) -> Saying {
        let ended = Arc::new(AtomicBool::new(false));
        let (own, saying) = (self.clone(), Saying(Arc::clone(&ended)));
        let is_so = move || !ended.load(Ordering::Relaxed);
        // Who has no thread to say it with waits all the same, and the host with the scheduler asks about it.
        let _ = std::thread::Builder::new().spawn(move || {
            while is_so() {
                let (began, host) = (Instant::now(), RealHost::live());
                let time = Time::new(own.limits.connect(), SESSION + LOGIN);
                let still = || is_so() && began.elapsed() < SESSION;
                mysql::look_and(&own.target(), &host, time, &mut |connection, _| {
                    mysql::say(connection, &waits, &still)
                });
                if began.elapsed() < SESSION {
                    std::thread::sleep(PAUSE);
                }
            }
        });
        saying
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
