//! MySQL: is it there, is it the right one, can the product log in, and will it find what it needs?
//!
//! | module | what lives there |
//! | --- | --- |
//! | `greeting` | the first packet, from any bytes |
//! | `exchange` | opening, login, queries over one connection |
//! | `about` | what a server says of itself after the login |
//! | `product` | makes and versions |
//! | `grants` | `SHOW GRANTS` |
//! | `access` | findings: reached? logged in? |
//! | `judge` | findings: version, TLS, databases, grants, clock, character set, capacity |
//!
//! A conversation that ends at the greeting counts as an aborted one on the server, and too many of them block this host.
//! So there is one in a run, and where a user is known it goes on to a full login, which clears that count.

mod about;
mod access;
mod exchange;
mod grants;
mod greeting;
mod judge;
mod product;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::about::About;
use self::exchange::{Connection, LoggedIn};
use self::greeting::{Hello, Opening, Refusal};
use super::GROUP;
use super::words::Server;
use crate::check::spec::{CheckSpec, MysqlSpec};
use crate::check::unit::{Check, Group, Look, Meta};
use crate::finding::Finding;
use crate::net::{Line, NetError, Time, connect, resolve};

/// No more than this is read of one connection: 256 KiB.
const BUDGET: usize = 256 << 10;

/// What is left of the check's time for the result itself.
const MARGIN: Duration = Duration::from_millis(200);

/// `Host '…' is blocked because of many connection errors`.
const HOST_BLOCKED: u16 = 1129;

/// `Access denied for user …`.
const ACCESS_DENIED: u16 = 1045;

const SERVER: Server = Server { name: "MySQL", word: "mysql", reachable: "mysql-reachable" };

/// See the module.
pub struct Mysql;

/// What was seen. Part of saved facts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MysqlFacts {
    /// How the server opened; null: it was not asked.
    opening: Option<Opening>,
    /// Milliseconds from the connection's being there to the end of the first packet.
    opening_ms: u64,
    /// How the login went; null: none was tried.
    login: Option<Login>,
}

/// How a login went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "login", rename_all = "kebab-case")]
enum Login {
    /// It is open.
    Open(Box<About>),
    /// The server said no.
    Refused {
        /// Its words.
        refusal: Refusal,
        /// Was it asked over TLS?
        tls: bool,
    },
    /// The conversation broke.
    Broken {
        /// How.
        trouble: NetError,
        /// Was TLS begun?
        tls: bool,
    },
    /// The account wants a way of logging in that is not spoken here.
    Plugin {
        /// Its name.
        plugin: String,
    },
    /// The account's way of logging in needs TLS, which is not to be had or not wanted.
    NeedsTls,
    /// TLS is wanted and the server has none.
    NoTls,
}

/// Why TLS was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MysqlFailure {
    /// The settings say so.
    Asked,
    /// The server lets nobody in without (`require_secure_transport`), or not this account (`REQUIRE SSL`).
    Required,
    /// The account's way of logging in needs it.
    Password,
}

impl Check for Mysql {
    type Facts = MysqlFacts;

    const META: Meta = Meta::new(
        "mysql",
        Group::Backends,
        &[
            "mysql-reachable",
            "mysql-version",
            "mysql-login",
            "mysql-tls",
            "mysql-databases",
            "mysql-grants",
            "mysql-clock",
            "mysql-charset",
            "mysql-capacity",
        ],
    )
    .gates(&["mysql-reachable", "mysql-login", "mysql-capacity", "mysql-tls", "mysql-databases"]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        spec.mysql.iter().map(|mysql| format!("host:{}", mysql.at.host)).collect()
    }

    fn collect(&self, look: &Look<'_>, time: Time, earlier: Option<&MysqlFacts>) -> MysqlFacts {
        let Some(spec) = &look.spec.mysql else { return MysqlFacts::default() };
        if SERVER.is_container(look.spec, &spec.at) {
            return MysqlFacts::default();
        }
        match earlier {
            // Nothing more would be learnt, and the server counts each greeting without a login.
            Some(facts) if self.is_settled(facts) && spec.user.is_none() => return facts.clone(),
            Some(facts) if facts.is_blocked() => return facts.clone(),
            _ => {}
        }
        let time = time.at_most(time.left().saturating_sub(MARGIN));
        let connected = resolve(&spec.at.host, spec.at.port, time)
            .and_then(|addresses| Ok((connect(&addresses, time, BUDGET)?, addresses)));
        let began = Instant::now();
        let opened = connected.and_then(|(wire, addresses)| Ok((exchange::open(Line::from(wire))?, addresses)));
        let opening_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match opened {
            Err(trouble) => MysqlFacts { opening: Some(Opening::NetError(trouble)), opening_ms, login: None },
            Ok(((_, Err(refusal)), _)) => {
                MysqlFacts { opening: Some(Opening::Refusal(refusal)), opening_ms, login: None }
            }
            Ok(((connection, Ok(hello)), addresses)) => {
                let login = spec.user.as_deref().map(|user| {
                    let password = look.secrets.mysql.as_ref().map(|secret| secret.expose()).unwrap_or_default();
                    Session { look, spec, addresses: &addresses, time, user, password }.log_in(connection, &hello)
                });
                MysqlFacts { opening: Some(Opening::Greeting(hello.greeting)), opening_ms, login }
            }
        }
    }

    fn judge(&self, facts: &MysqlFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge::judge_mysql(facts, spec)
    }

    fn is_settled(&self, facts: &MysqlFacts) -> bool {
        // Without a login the greeting is all there is to be had, and it does not change. What a login finds can: another
        // program may be making the databases and users right now.
        let greeted = matches!(facts.opening, Some(Opening::Greeting(_)));
        // Nor does a login that found everything it looks for, whatever else is wrong with the server.
        let complete = matches!(&facts.login, Some(Login::Open(about)) if about.is_complete());
        (greeted && (facts.login.is_none() || complete)) || facts.is_blocked()
    }
}

impl MysqlFacts {
    /// Each further connection would be turned away too, until somebody flushes the server's host cache.
    fn is_blocked(&self) -> bool {
        matches!(&self.opening, Some(Opening::Refusal(refusal)) if refusal.code == HOST_BLOCKED)
    }
}

/// What a login needs.
struct Session<'a> {
    look: &'a Look<'a>,
    spec: &'a MysqlSpec,
    addresses: &'a [SocketAddr],
    time: Time,
    user: &'a str,
    password: &'a [u8],
}

impl Session<'_> {
    /// By TLS where that is asked for; where nobody said, plain first, and again by TLS when the server wants that.
    fn log_in(&self, connection: Connection, hello: &Hello) -> Login {
        let offers = hello.greeting.offers_tls;
        match self.spec.tls {
            Some(true) if !offers => Login::NoTls,
            Some(true) => self.secured(connection, hello, MysqlFailure::Asked),
            tls => {
                let plain = self.plain(connection, hello);
                if tls.is_some() || !offers {
                    return plain;
                }
                match &plain {
                    Login::NeedsTls => self.again(MysqlFailure::Password),
                    Login::Refused { refusal, .. } if refusal.wants_tls() => self.again(MysqlFailure::Required),
                    // MariaDB refuses for want of TLS in the words of a wrong password, and so does every server where
                    // the account demands TLS. What TLS says counts, where there is any to be had.
                    Login::Refused { refusal, .. } if refusal.code == ACCESS_DENIED => {
                        match self.again(MysqlFailure::Required) {
                            login @ (Login::Open(_) | Login::Refused { tls: true, .. }) => login,
                            _ => plain,
                        }
                    }
                    _ => plain,
                }
            }
        }
    }

    fn plain(&self, mut connection: Connection, hello: &Hello) -> Login {
        match connection.login(hello, self.user, self.password) {
            Ok(LoggedIn::Yes) => Login::Open(Box::new(About::look(connection, self.look.host, self.spec, None))),
            ended => Login::from_ended(ended, false),
        }
    }

    fn secured(&self, connection: Connection, hello: &Hello, because: MysqlFailure) -> Login {
        let mut connection = match connection.secured(hello, &self.spec.at.host, self.look.roots) {
            Ok(connection) => connection,
            Err(trouble) => return Login::Broken { trouble, tls: true },
        };
        match connection.login(hello, self.user, self.password) {
            Ok(LoggedIn::Yes) => {
                Login::Open(Box::new(About::look(connection, self.look.host, self.spec, Some(because))))
            }
            ended => Login::from_ended(ended, true),
        }
    }

    /// A second connection: the server has closed the first one.
    fn again(&self, because: MysqlFailure) -> Login {
        let opened = connect(self.addresses, self.time, BUDGET).and_then(|wire| exchange::open(Line::from(wire)));
        match opened {
            Ok((connection, Ok(hello))) if hello.greeting.offers_tls => self.secured(connection, &hello, because),
            Ok((_, Ok(_))) => Login::NoTls,
            Ok((_, Err(refusal))) => Login::Refused { refusal, tls: false },
            Err(trouble) => Login::Broken { trouble, tls: false },
        }
    }
}

impl Login {
    /// All ends but the good one.
    fn from_ended(ended: Result<LoggedIn, NetError>, tls: bool) -> Self {
        match ended {
            Ok(LoggedIn::Yes | LoggedIn::WantsTls) => Self::NeedsTls,
            Ok(LoggedIn::No(refusal)) => Self::Refused { refusal, tls },
            Ok(LoggedIn::Plugin(plugin)) => Self::Plugin { plugin },
            Err(trouble) => Self::Broken { trouble, tls },
        }
    }
}

impl Refusal {
    /// Is it for want of TLS, in so many words? MySQL has a number for it.
    fn wants_tls(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        self.code == 3159 || message.contains("require_secure_transport") || message.contains("insecure transport")
    }
}

#[cfg(test)]
mod tests;
