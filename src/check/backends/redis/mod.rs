//! Redis: is it there, is it the right one, does it let the product in, and will it keep what it is given?
//!
//! | module | what lives there |
//! | --- | --- |
//! | `reply` | what a server says, as far as it matters here |
//! | `info` | fields, products and versions |
//! | `access` | findings: reached? let in? TLS? |
//! | `judge` | findings: version, mode, memory, persistence |
//!
//! Only `INFO`, `HELLO` and `AUTH` are said: `CONFIG` is forbidden on managed services. A client that begins with TLS on a
//! plain port waits until it gives up, and one that begins plain on a TLS port is dropped at once: so plain is tried first.

mod access;
mod info;
mod judge;
mod reply;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::info::Fields;
use self::reply::{Denial, Reply, ask};
use super::GROUP;
use super::words::Server;
use crate::check::unit::{Check, Group, Look};
use crate::check::want::{RedisWant, Want};
use crate::finding::Finding;
use crate::net::{Line, Resp, Time, Trouble, connect, resolve};

/// No more than this is read of one connection: 256 KiB; an `INFO` has about 5.
const BUDGET: usize = 256 << 10;

/// What is left of the check's time for the result itself.
const MARGIN: Duration = Duration::from_millis(200);

/// How long a plain connection may be silent before TLS is tried.
const PLAIN: Duration = Duration::from_secs(3);

const SERVER: Server = Server { name: "Redis", word: "redis", reachable: "redis-reachable" };

/// See the module.
pub struct Redis;

/// What was seen. Part of saved facts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// How a plain connection went: null where none was tried.
    plain: Option<Talked>,
    /// How one with TLS went: null where none was tried.
    tls: Option<Talked>,
}

/// How a connection went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Talked {
    /// Where it broke off.
    trouble: Option<Trouble>,
    /// Did the other side reply in Redis's own protocol?
    replied: bool,
    /// Version and cipher of TLS.
    cipher: Option<String>,
    /// What it said to `INFO` before any password; null: it answered.
    denied: Option<Denial>,
    /// What it said to `HELLO` without a password; null: not asked, or answered.
    hello: Option<Denial>,
    /// What it said to the password; null: not asked, or fine.
    login: Option<Denial>,
    /// Was a password taken?
    logged_in: bool,
    /// What it said to `INFO` after the password; null: not asked, or answered.
    info: Option<Denial>,
    /// What it says of itself.
    fields: Fields,
}

impl Check for Redis {
    type Facts = Facts;

    fn name(&self) -> &'static str {
        "redis"
    }

    fn group(&self) -> Group {
        Group::Backends
    }

    fn ids(&self) -> &'static [&'static str] {
        &[
            "redis-reachable",
            "redis-version",
            "redis-login",
            "redis-tls",
            "redis-mode",
            "redis-memory",
            "redis-persistence",
        ]
    }

    fn gates(&self) -> &'static [&'static str] {
        &["redis-reachable", "redis-login", "redis-tls", "redis-mode"]
    }

    fn talks_to(&self, want: &Want) -> Vec<String> {
        want.redis.iter().map(|redis| format!("host:{}", redis.at.host)).collect()
    }

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&Facts>) -> Facts {
        let Some(want) = &look.want.redis else { return Facts::default() };
        if SERVER.is_container(look.want, &want.at) {
            return Facts::default();
        }
        let time = time.at_most(time.left().saturating_sub(MARGIN));
        let addresses = match resolve(&want.at.host, want.at.port, time) {
            Ok(addresses) => addresses,
            Err(trouble) => return Facts { plain: Some(Talked::broken(trouble)), tls: None },
        };
        let session = Session { look, want, addresses: &addresses, time };
        if want.tls == Some(true) {
            return Facts { plain: None, tls: Some(session.secured()) };
        }
        let plain = session.plain();
        let maybe_tls = want.tls.is_none() && !plain.replied && plain.trouble.as_ref().is_some_and(maybe_tls);
        let tls = maybe_tls.then(|| session.secured());
        Facts { plain: Some(plain), tls }
    }

    fn judge(&self, facts: &Facts, want: &Want) -> Vec<Finding> {
        judge::judge(facts, want)
    }
}

/// Does a TLS port behave like this towards a client that says `INFO`?
fn maybe_tls(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Closed | Trouble::Reset | Trouble::Silent { .. } => true,
        Trouble::Unexpected { what } => what.contains("TLS"),
        _ => false,
    }
}

struct Session<'a> {
    look: &'a Look<'a>,
    want: &'a RedisWant,
    addresses: &'a [SocketAddr],
    time: Time,
}

impl Session<'_> {
    fn plain(&self) -> Talked {
        let first =
            if self.want.tls.is_none() { self.time.at_most(PLAIN.min(self.time.left() / 2)) } else { self.time };
        match connect(self.addresses, first, BUDGET) {
            Ok(wire) => self.talk(Line::from(wire)),
            Err(trouble) => Talked::broken(trouble),
        }
    }

    fn secured(&self) -> Talked {
        let line = connect(self.addresses, self.time, BUDGET)
            .and_then(|wire| Line::from(wire).secured(&self.want.at.host, self.look.roots));
        match line {
            Ok(line) => self.talk(line),
            Err(trouble) => Talked::broken(trouble),
        }
    }

    fn talk(&self, line: Line) -> Talked {
        let mut talk = Resp::new(line);
        let mut talked = Talked { cipher: talk.tls(), ..Talked::default() };
        if let Err(trouble) = self.converse(&mut talk, &mut talked) {
            talked.trouble = Some(trouble);
        }
        talked
    }

    /// `INFO`; where that needs a password, `HELLO`, which tells old from new without one, then `AUTH` and `INFO` again;
    /// and `HELLO` once more for a user who may not see `INFO`.
    fn converse(&self, talk: &mut Resp, talked: &mut Talked) -> Result<(), Trouble> {
        let first = ask(talk, &[b"INFO"])?;
        talked.replied = true;
        // It is a Redis, and all of the time is for it.
        talk.until(self.time);
        match first {
            Reply::Text(text) => talked.fields = info::of_info(&text),
            Reply::Error(denial) => {
                let goes_on = matches!(denial.code.as_str(), "NOAUTH" | "NOPERM");
                talked.denied = Some(denial);
                if !goes_on {
                    return Ok(());
                }
                match ask(talk, &[b"HELLO"])? {
                    Reply::List(list) => talked.fields = info::of_hello(&list),
                    Reply::Error(denial) => talked.hello = Some(denial),
                    _ => {}
                }
            }
            _ => return Err(Trouble::Unexpected { what: "a reply to INFO that is no text".to_owned() }),
        }
        let Some(password) = &self.look.secrets.redis else { return Ok(()) };
        match ask(talk, &[b"AUTH", password.expose()])? {
            Reply::Fine => talked.logged_in = true,
            Reply::Error(denial) => {
                talked.login = Some(denial);
                return Ok(());
            }
            _ => return Err(Trouble::Unexpected { what: "a reply to AUTH that is none".to_owned() }),
        }
        match ask(talk, &[b"INFO"])? {
            Reply::Text(text) => talked.fields = info::of_info(&text),
            Reply::Error(denial) => {
                talked.info = Some(denial);
                if let Reply::List(list) = ask(talk, &[b"HELLO", b"2"])? {
                    talked.fields = info::of_hello(&list);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Talked {
    fn broken(trouble: Trouble) -> Self {
        Self { trouble: Some(trouble), ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
