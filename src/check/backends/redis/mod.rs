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
use crate::check::spec::{CheckSpec, RedisSpec};
use crate::check::unit::{Check, Group, Look, Meta};
use crate::finding::Finding;
use crate::net::{Line, NetError, Resp, Time, connect, resolve};

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
pub struct RedisFacts {
    /// How a plain connection went: null where none was tried.
    plain: Option<RedisAnswers>,
    /// How one with TLS went: null where none was tried.
    tls: Option<RedisAnswers>,
}

/// How a connection went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RedisAnswers {
    /// Where it broke off.
    trouble: Option<NetError>,
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
    type Facts = RedisFacts;

    const META: Meta = Meta::new(
        "redis",
        Group::Backends,
        &[
            "redis-reachable",
            "redis-version",
            "redis-login",
            "redis-tls",
            "redis-mode",
            "redis-memory",
            "redis-persistence",
        ],
    )
    .gates(&["redis-reachable", "redis-login", "redis-tls", "redis-mode"]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        spec.redis.iter().map(|redis| format!("host:{}", redis.at.host)).collect()
    }

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&RedisFacts>) -> RedisFacts {
        let Some(spec) = &look.spec.redis else { return RedisFacts::default() };
        if SERVER.is_container(look.spec, &spec.at) {
            return RedisFacts::default();
        }
        let time = time.at_most(time.left().saturating_sub(MARGIN));
        let addresses = match resolve(&spec.at.host, spec.at.port, time) {
            Ok(addresses) => addresses,
            Err(trouble) => return RedisFacts { plain: Some(RedisAnswers::broken(trouble)), tls: None },
        };
        let session = Session { look, spec, addresses: &addresses, time };
        if spec.tls == Some(true) {
            return RedisFacts { plain: None, tls: Some(session.secured()) };
        }
        let plain = session.plain();
        let maybe_tls = spec.tls.is_none() && !plain.replied && plain.trouble.as_ref().is_some_and(maybe_tls);
        let tls = maybe_tls.then(|| session.secured());
        RedisFacts { plain: Some(plain), tls }
    }

    fn judge(&self, facts: &RedisFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge::judge_redis(facts, spec)
    }
}

/// Does a TLS port behave like this towards a client that says `INFO`?
fn maybe_tls(trouble: &NetError) -> bool {
    match trouble {
        NetError::Closed | NetError::Reset | NetError::Silent { .. } => true,
        NetError::Unexpected { what } => what.contains("TLS"),
        _ => false,
    }
}

struct Session<'a> {
    look: &'a Look<'a>,
    spec: &'a RedisSpec,
    addresses: &'a [SocketAddr],
    time: Time,
}

impl Session<'_> {
    fn plain(&self) -> RedisAnswers {
        let first =
            if self.spec.tls.is_none() { self.time.at_most(PLAIN.min(self.time.left() / 2)) } else { self.time };
        match connect(self.addresses, first, BUDGET) {
            Ok(wire) => self.talk(Line::from(wire)),
            Err(trouble) => RedisAnswers::broken(trouble),
        }
    }

    fn secured(&self) -> RedisAnswers {
        let line = connect(self.addresses, self.time, BUDGET)
            .and_then(|wire| Line::from(wire).secured(&self.spec.at.host, self.look.roots));
        match line {
            Ok(line) => self.talk(line),
            Err(trouble) => RedisAnswers::broken(trouble),
        }
    }

    fn talk(&self, line: Line) -> RedisAnswers {
        let mut talk = Resp::new(line);
        let mut answers = RedisAnswers { cipher: talk.tls(), ..RedisAnswers::default() };
        if let Err(trouble) = self.converse(&mut talk, &mut answers) {
            answers.trouble = Some(trouble);
        }
        answers
    }

    /// `INFO`; where that needs a password, `HELLO`, which tells old from new without one, then `AUTH` and `INFO` again;
    /// and `HELLO` once more for a user who may not see `INFO`.
    fn converse(&self, talk: &mut Resp, answers: &mut RedisAnswers) -> Result<(), NetError> {
        let first = ask(talk, &[b"INFO"])?;
        answers.replied = true;
        // It is a Redis, and all of the time is for it.
        talk.until(self.time);
        match first {
            Reply::Text(text) => answers.fields = info::of_info(&text),
            Reply::Error(denial) => {
                let goes_on = matches!(denial.code.as_str(), "NOAUTH" | "NOPERM");
                answers.denied = Some(denial);
                if !goes_on {
                    return Ok(());
                }
                match ask(talk, &[b"HELLO"])? {
                    Reply::List(list) => answers.fields = info::of_hello(&list),
                    Reply::Error(denial) => answers.hello = Some(denial),
                    _ => {}
                }
            }
            _ => return Err(NetError::Unexpected { what: "a reply to INFO that is no text".to_owned() }),
        }
        let Some(password) = &self.look.secrets.redis else { return Ok(()) };
        match ask(talk, &[b"AUTH", password.expose()])? {
            Reply::Fine => answers.logged_in = true,
            Reply::Error(denial) => {
                answers.login = Some(denial);
                return Ok(());
            }
            _ => return Err(NetError::Unexpected { what: "a reply to AUTH that is none".to_owned() }),
        }
        match ask(talk, &[b"INFO"])? {
            Reply::Text(text) => answers.fields = info::of_info(&text),
            Reply::Error(denial) => {
                answers.info = Some(denial);
                if let Reply::List(list) = ask(talk, &[b"HELLO", b"2"])? {
                    answers.fields = info::of_hello(&list);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl RedisAnswers {
    fn broken(trouble: NetError) -> Self {
        Self { trouble: Some(trouble), ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
