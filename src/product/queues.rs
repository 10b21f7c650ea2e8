//! How long are the product's lists in Redis?
//!
//! The product's by name are the queues p0 to p3, and what stands below `divvy:`; no source documents more. The queues are
//! asked for, the others found with SCAN, which blocks nobody. Elements are not looked at.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::place::Place;
use crate::docker::text::shown;
use crate::host::HostRead;
use crate::net::{NetError, Time};
use crate::redis::{self, Resp, Target, Value};

/// So many keys at each step of the walk: less than a millisecond of the server's time.
const STEP: &[u8] = b"500";

/// So many steps.
const MAX_STEPS: usize = 400;

/// So many lists besides the queues.
const MAX_LISTS: usize = 32;

/// No honest name of a list is longer, in bytes.
const MAX_KEY: usize = 200;

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct QueuesFacts {
    pub(crate) place: Place,
    /// `None`: was not asked.
    pub(crate) redis: Option<Result<Seen, Unasked>>,
}

/// Why Redis told nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "unasked", rename_all = "kebab-case")]
pub(crate) enum Unasked {
    /// No conversation.
    NetError {
        /// Why.
        error: NetError,
    },
    /// It answered with an error: the first word (`NOAUTH`, `WRONGPASS`, `NOPERM`, `LOADING`).
    Refused {
        /// The command.
        command: String,
        /// The word.
        code: String,
    },
    /// It answered with something else than what the command gives.
    Odd {
        /// The command.
        command: String,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Keys of the database as it says itself.
    pub(crate) keys: Option<u64>,
    /// Was every key walked over?
    pub(crate) complete: bool,
    /// Why not all lists were asked for; `None`: they were, or there was no time.
    pub(crate) stopped: Option<Unasked>,
    /// The queues first, then the others by name; none is empty.
    pub(crate) queues: Vec<Queue>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queue {
    pub(crate) key: String,
    /// How many elements it has.
    pub(crate) waiting: u64,
}

/// Asks the Redis of the product whose folder is `home`; no Redis where nothing says where it is.
pub(crate) fn look(host: &dyn HostRead, home: &Path, redis: Option<&Target<'_>>, time: Time) -> QueuesFacts {
    let place = Place::look(host, home);
    let redis = redis.filter(|_| place.is_running_system()).map(|target| ask(target, time));
    QueuesFacts { place, redis }
}

fn ask(target: &Target<'_>, time: Time) -> Result<Seen, Unasked> {
    let (mut resp, time) = redis::open(target, time).map_err(|error| Unasked::NetError { error })?;
    if let Some(password) = target.password
        && !password.is_empty()
    {
        let answer = told(&mut resp, "AUTH", &[password.expose()]);
        // A server without a password says so; what follows works all the same.
        if !matches!(&answer, Err(Unasked::Refused { code, .. }) if code == "ERR") {
            answer?;
        }
    }
    let keys = match told(&mut resp, "DBSIZE", &[]) {
        Ok(value) => number(&value),
        // Denied by an ACL, perhaps; PING tells a refusal of everything (NOAUTH, LOADING).
        Err(Unasked::Refused { .. }) => told(&mut resp, "PING", &[]).map(|_| None)?,
        Err(error) => return Err(error),
    };
    let mut seen = Seen { keys, ..Seen::default() };
    seen.stopped = lists(&mut resp, &mut seen, time).err();
    Ok(seen)
}

fn lists(resp: &mut Resp, seen: &mut Seen, time: Time) -> Result<(), Unasked> {
    let known = &Known::get().queues;
    for level in &known.level {
        seen.queues.extend(length(resp, level.name.as_bytes())?);
    }
    let mut found = BTreeSet::new();
    let pattern = format!("{}*", known.prefix);
    let mut cursor = b"0".to_vec();
    // Half of the time stays for the questions about what was found.
    let half = time.at_most(time.left() / 2);
    for _ in 0..MAX_STEPS {
        let arguments = [cursor.as_slice(), b"MATCH", pattern.as_bytes(), b"COUNT", STEP];
        let answer = told(resp, "SCAN", &arguments)?;
        let (next, keys) = step(answer).ok_or_else(|| Unasked::Odd { command: "SCAN".to_owned() })?;
        let room = MAX_LISTS.saturating_sub(found.len());
        found.extend(keys.into_iter().filter(|key| key.len() <= MAX_KEY).take(room));
        seen.complete = next == b"0";
        if seen.complete || half.is_over() {
            break;
        }
        cursor = next;
    }
    for key in &found {
        seen.queues.extend(length(resp, key)?);
    }
    Ok(())
}

/// The cursor and the keys of one step.
fn step(value: Value) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let (Value::Bulk(cursor), Value::Array(keys)) = (parts.next()?, parts.next()?) else { return None };
    let honest = !cursor.is_empty() && cursor.len() <= 20 && cursor.iter().all(u8::is_ascii_digit);
    let bytes = |key| if let Value::Bulk(bytes) = key { Some(bytes) } else { None };
    honest.then(|| (cursor, keys.into_iter().filter_map(bytes).collect()))
}

/// How many elements a list has; `None`: there is no such key, or it is no list.
fn length(resp: &mut Resp, key: &[u8]) -> Result<Option<Queue>, Unasked> {
    let waiting = match told(resp, "LLEN", &[key]) {
        Ok(value) => number(&value).filter(|waiting| *waiting > 0),
        Err(Unasked::Refused { code, .. }) if code == "WRONGTYPE" => None,
        Err(why) => return Err(why),
    };
    Ok(waiting.map(|waiting| Queue { key: shown(&String::from_utf8_lossy(key), 80), waiting }))
}

fn told(resp: &mut Resp, command: &str, arguments: &[&[u8]]) -> Result<Value, Unasked> {
    let words = [&[command.as_bytes()], arguments].concat();
    match resp.ask(&words).map_err(|error| Unasked::NetError { error })? {
        // Its words may repeat what was sent; the first one is enough.
        Value::Error(denial) => {
            let code = denial.code.chars().take_while(char::is_ascii_alphanumeric).take(20).collect();
            Err(Unasked::Refused { command: command.to_owned(), code })
        }
        value => Ok(value),
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}
