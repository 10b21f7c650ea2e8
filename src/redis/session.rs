//! The conversation.

use std::net::SocketAddr;
use std::time::Duration;

use super::answers::{RedisAnswers, RedisFacts};
use super::info;
use super::resp::{Resp, Value};
use crate::host::HostRead;
use crate::net::{Line, NetError, RESERVE, Roots, Time, connect, dial, resolve};
use crate::network::openssl;
use crate::secret::Secret;

/// No more than this is read of one connection: 256 KiB; an `INFO` has about 5.
const BUDGET: usize = 256 << 10;

/// How long a plain connection may be silent before TLS is tried.
const PLAIN: Duration = Duration::from_secs(3);

/// Where a server is, and how it is spoken to.
pub(crate) struct Target<'a> {
    /// Name or address.
    pub(crate) host: &'a str,
    /// Port.
    pub(crate) port: u16,
    /// TLS: asked for, not wanted, or to be found out.
    pub(crate) tls: Option<bool>,
    /// The password; `None`: none is known, and none is sent.
    pub(crate) password: Option<&'a Secret>,
    /// Whom to trust.
    pub(crate) roots: &'a Roots,
}

/// Asks a server what it is. Plain first; by TLS where that is asked for, or where the port behaves as one of TLS does and
/// nobody said which it is. The password is sent to a server only that has replied in Redis's protocol.
pub(crate) fn look(target: &Target<'_>, host: &dyn HostRead, time: Time) -> RedisFacts {
    let time = time.leaving(RESERVE);
    let addresses = match resolve(target.host, target.port, time) {
        Ok(addresses) => addresses,
        Err(error) => return RedisFacts { plain: Some(RedisAnswers::broken(error)), ..RedisFacts::default() },
    };
    let session = Session { target, addresses: &addresses, time };
    let asked = |tls: Option<RedisAnswers>, plain| {
        let error =
            tls.as_ref().and_then(|answers| answers.error.as_ref()).filter(|error| openssl::may_know_more(error));
        let place = (target.host, target.port);
        let openssl = error.and_then(|_| openssl::ask(host, place, (None, None), target.roots, time));
        RedisFacts { plain, tls, openssl }
    };
    if target.tls == Some(true) {
        return asked(Some(session.secured()), None);
    }
    let plain = session.plain();
    let maybe_tls = target.tls.is_none() && !plain.replied && plain.error.as_ref().is_some_and(maybe_tls);
    let tls = maybe_tls.then(|| session.secured());
    asked(tls, Some(plain))
}

/// A connection for further commands, with TLS where that is asked for, before any login; and the time that it has.
///
/// # Errors
/// Why there is none.
pub(crate) fn open(target: &Target<'_>, time: Time) -> Result<(Resp, Time), NetError> {
    let time = time.leaving(RESERVE);
    let line = Line::from(dial(target.host, target.port, time, BUDGET)?);
    let line = if target.tls == Some(true) { line.secured(target.host, target.roots)? } else { line };
    Ok((Resp::new(line), time))
}

/// Does a TLS port behave like this towards a client that says `INFO`?
fn maybe_tls(error: &NetError) -> bool {
    use NetError::{Closed, Reset, Silent, Unexpected};
    matches!(error, Closed | Reset | Silent { .. } | Unexpected { tls: true, .. })
}

struct Session<'a> {
    target: &'a Target<'a>,
    addresses: &'a [SocketAddr],
    time: Time,
}

impl Session<'_> {
    fn plain(&self) -> RedisAnswers {
        let first =
            if self.target.tls.is_none() { self.time.at_most(PLAIN.min(self.time.left() / 2)) } else { self.time };
        self.talk(connect(self.addresses, first, BUDGET).map(Line::from))
    }

    fn secured(&self) -> RedisAnswers {
        let wire = connect(self.addresses, self.time, BUDGET);
        self.talk(wire.and_then(|wire| Line::from(wire).secured(self.target.host, self.target.roots)))
    }

    fn talk(&self, line: Result<Line, NetError>) -> RedisAnswers {
        let mut talk = match line {
            Ok(line) => Resp::new(line),
            Err(error) => return RedisAnswers::broken(error),
        };
        let mut answers = RedisAnswers { cipher: talk.tls(), ..RedisAnswers::default() };
        answers.error = self.converse(&mut talk, &mut answers).err();
        answers
    }

    /// `INFO`; where that needs a password, `HELLO`, which tells old from new without one, then `AUTH` and `INFO` again;
    /// and `HELLO` once more for a user who may not see `INFO`.
    fn converse(&self, talk: &mut Resp, answers: &mut RedisAnswers) -> Result<(), NetError> {
        let first = talk.ask(&[b"INFO"])?;
        // It speaks as a Redis does, and all of the time is for it.
        talk.until(self.time);
        match first {
            Value::Bulk(text) => {
                answers.fields = info::of_info(&String::from_utf8_lossy(&text));
                if answers.fields.is_empty() {
                    return Err(NetError::unexpected("a reply to INFO that says nothing of a Redis"));
                }
                answers.replied = true;
            }
            Value::Error(denial) => {
                answers.replied = true;
                answers.denied = Some(denial);
                if answers.turned_away().is_some() {
                    return Ok(());
                }
                match talk.ask(&[b"HELLO"])? {
                    Value::Array(list) => answers.fields = info::of_hello(&list),
                    Value::Error(denial) => answers.hello = Some(denial),
                    _ => {}
                }
            }
            _ => return Err(NetError::unexpected("a reply to INFO that is no text")),
        }
        let Some(password) = self.target.password else { return Ok(()) };
        match talk.ask(&[b"AUTH", password.expose()])? {
            Value::Simple(_) => answers.logged_in = true,
            Value::Error(denial) => {
                answers.login = Some(denial);
                return Ok(());
            }
            _ => return Err(NetError::unexpected("a reply to AUTH that is none")),
        }
        match talk.ask(&[b"INFO"])? {
            Value::Bulk(text) => answers.fields = info::of_info(&String::from_utf8_lossy(&text)),
            Value::Error(denial) => {
                answers.info = Some(denial);
                if let Value::Array(list) = talk.ask(&[b"HELLO", b"2"])? {
                    answers.fields = info::of_hello(&list);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
