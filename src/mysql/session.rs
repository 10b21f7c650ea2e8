//! Which logins are tried.

use std::net::SocketAddr;
use std::time::Instant;

use super::about::{About, TlsReason, Work};
use super::exchange::{self, Connection, LoggedIn};
use super::facts::{Login, MysqlFacts};
use super::greeting::{ACCESS_DENIED, Hello, Opening};
use crate::host::HostRead;
use crate::net::{Line, RESERVE, Roots, Time, connect, resolve};
use crate::network::openssl;

/// No more than this is read of one connection: 256 KiB.
const BUDGET: usize = 256 << 10;

/// Where a server is, and what is asked of it.
pub(crate) struct Target<'a> {
    /// Name or address.
    pub(crate) host: &'a str,
    /// Port.
    pub(crate) port: u16,
    /// TLS: asked for, not wanted, or to be found out.
    pub(crate) tls: Option<bool>,
    /// Who logs in; `None`: the greeting is all that is looked at.
    pub(crate) account: Option<Account<'a>>,
    /// The databases that are looked for.
    pub(crate) databases: [&'a str; 2],
    /// Whom to trust.
    pub(crate) roots: &'a Roots,
}

/// Who logs in.
#[derive(Clone, Copy)]
pub(crate) struct Account<'a> {
    /// The user.
    pub(crate) user: &'a str,
    /// The password; empty: none.
    pub(crate) password: &'a [u8],
}

/// Asks a server. `host` gives the clock that the server's is compared with.
pub(crate) fn look(target: &Target<'_>, host: &dyn HostRead, time: Time) -> MysqlFacts {
    look_and(target, host, time, &mut |_, _| Ok(()))
}

/// The same, and has `work` done once it is logged in.
pub(crate) fn look_and(target: &Target<'_>, host: &dyn HostRead, time: Time, work: Work<'_>) -> MysqlFacts {
    let time = time.leaving(RESERVE);
    let connected = resolve(target.host, target.port, time)
        .and_then(|addresses| Ok((connect(&addresses, time, BUDGET)?, addresses)));
    let began = Instant::now();
    let opened = connected.and_then(|(wire, addresses)| Ok((exchange::open(Line::from(wire))?, addresses)));
    let opening_ms = crate::text::millis(began.elapsed());
    let (opening, login) = match opened {
        Err(error) => (Opening::NetError(error), None),
        Ok(((_, Err(refusal)), _)) => (Opening::Refusal(refusal), None),
        Ok(((connection, Ok(hello)), addresses)) => {
            let login = target.account.map(|account| {
                Session { target, host, addresses: &addresses, time, account, work }.log_in(connection, &hello)
            });
            (Opening::Greeting(hello.greeting), login)
        }
    };
    let openssl = match &login {
        Some(Login::Broken { error, tls: true }) if openssl::may_know_more(error) => {
            openssl::ask(host, (target.host, target.port), (Some("mysql"), None), target.roots, time)
        }
        _ => None,
    };
    MysqlFacts { opening: Some(opening), opening_ms, login, openssl }
}

/// What a login needs.
struct Session<'a> {
    target: &'a Target<'a>,
    host: &'a dyn HostRead,
    addresses: &'a [SocketAddr],
    time: Time,
    account: Account<'a>,
    work: Work<'a>,
}

impl Session<'_> {
    /// By TLS where that is asked for; where nobody said, plain first, and again by TLS when the server wants that.
    fn log_in(&mut self, connection: Connection, hello: &Hello) -> Login {
        let offers = hello.greeting.offers_tls;
        match self.target.tls {
            Some(true) if !offers => Login::NoTls,
            Some(true) => self.secured(connection, hello, TlsReason::Asked),
            tls => {
                let plain = self.attempt(connection, hello, None);
                if tls.is_some() || !offers {
                    return plain;
                }
                match &plain {
                    Login::NeedsTls => self.again(TlsReason::Password),
                    Login::Refused { refusal, .. } if refusal.wants_tls() => self.again(TlsReason::Required),
                    // MariaDB refuses for want of TLS in the words of a wrong password, and so does every server where
                    // the account demands TLS. What TLS says counts, where there is any to be had.
                    Login::Refused { refusal, .. } if refusal.code == ACCESS_DENIED => {
                        match self.again(TlsReason::Required) {
                            login @ (Login::Open(_) | Login::Refused { tls: true, .. }) => login,
                            _ => plain,
                        }
                    }
                    _ => plain,
                }
            }
        }
    }

    fn secured(&mut self, connection: Connection, hello: &Hello, because: TlsReason) -> Login {
        match connection.secured(hello, self.target.host, self.target.roots) {
            Ok(connection) => self.attempt(connection, hello, Some(because)),
            Err(error) => Login::Broken { error, tls: true },
        }
    }

    /// Logs in on a connection that has TLS for the reason `tls`; `None`: it is plain.
    fn attempt(&mut self, mut connection: Connection, hello: &Hello, tls: Option<TlsReason>) -> Login {
        match connection.login(hello, self.account.user, self.account.password) {
            Ok(LoggedIn::Yes) => {
                let about = About::look(connection, self.host, self.target.databases, tls, &mut *self.work);
                Login::Open(Box::new(about))
            }
            Ok(LoggedIn::WantsTls) => Login::NeedsTls,
            Ok(LoggedIn::No(refusal)) => Login::Refused { refusal, tls: tls.is_some() },
            Ok(LoggedIn::Plugin(plugin)) => Login::Plugin { plugin },
            Err(error) => Login::Broken { error, tls: tls.is_some() },
        }
    }

    /// A second connection: the server has closed the first one.
    fn again(&mut self, because: TlsReason) -> Login {
        let opened = connect(self.addresses, self.time, BUDGET).and_then(|wire| exchange::open(Line::from(wire)));
        match opened {
            Ok((connection, Ok(hello))) if hello.greeting.offers_tls => self.secured(connection, &hello, because),
            Ok((_, Ok(_))) => Login::NoTls,
            Ok((_, Err(refusal))) => Login::Refused { refusal, tls: false },
            Err(error) => Login::Broken { error, tls: false },
        }
    }
}
