//! Asks Redis.

use std::collections::BTreeSet;

use super::{Queue, QueuesFacts, Seen, Unasked, age};
use crate::check::runtime::known::Known;
use crate::check::runtime::place::Place;
use crate::check::runtime::text::{seconds_of, shown};
use crate::check::unit::Look;
use crate::net::Time;
use crate::redis::{self, Resp, Target, Value};

/// So many keys at each step of the walk: less than a millisecond of the server's time.
const STEP: &[u8] = b"500";

/// So many steps.
const MAX_STEPS: usize = 400;

/// So many keys that look like queues.
const MAX_QUEUES: usize = 32;

/// No honest name of a queue is longer.
const MAX_KEY: usize = 200;

pub(super) fn collect(look: &Look<'_>, time: Time) -> QueuesFacts {
    let place = Place::look(look);
    let now = seconds_of(look.host.now());
    let redis = match look.redis() {
        Some(target) if place.is_running_system() => Some(ask(&target, now, time)),
        _ => None,
    };
    QueuesFacts { place, redis, now }
}

fn ask(target: &Target<'_>, now: u64, time: Time) -> Result<Seen, Unasked> {
    let (mut resp, time) = redis::open(target, time).map_err(|trouble| Unasked::NetError { trouble })?;
    if let Some(password) = target.password
        && !password.is_empty()
    {
        let answer = told(&mut resp, "AUTH", &[password.expose()]);
        // A server without a password says so; what follows works all the same.
        if let Err(Unasked::Refused { code, .. }) = &answer
            && code == "ERR"
        {
        } else {
            answer?;
        }
    }
    let keys = match told(&mut resp, "DBSIZE", &[]) {
        Ok(value) => number(&value),
        // Denied by an ACL, perhaps; PING tells a refusal of everything (NOAUTH, LOADING).
        Err(Unasked::Refused { .. }) => told(&mut resp, "PING", &[]).map(|_| None)?,
        Err(trouble) => return Err(trouble),
    };
    let mut seen = Seen { keys, ..Seen::default() };
    let found = walk(&mut resp, &mut seen, time);
    for (level, key) in &found {
        match length(&mut resp, level, key) {
            Ok(Some(queue)) => seen.queues.push(queue),
            Ok(None) => {}
            Err(why) => {
                seen.stopped = Some(why);
                break;
            }
        }
    }
    if seen.stopped.is_none() {
        ages(&mut resp, &found, &mut seen, now);
    }
    seen.queues.sort();
    Ok(seen)
}

/// The level and name of every key that looks like a queue: the likely names first, then what a walk finds.
fn walk(resp: &mut Resp, seen: &mut Seen, time: Time) -> BTreeSet<(String, Vec<u8>)> {
    let known = &Known::get().queues;
    let mut found = BTreeSet::new();
    for level in &known.level {
        for key in known.keys_of(level) {
            match told(resp, "EXISTS", &[key.as_bytes()]) {
                Ok(Value::Int(1)) => _ = found.insert((level.name.clone(), key.into_bytes())),
                Ok(_) | Err(Unasked::Refused { .. }) => {}
                Err(Unasked::NetError { trouble }) => {
                    seen.stopped = Some(trouble.to_string());
                    return found;
                }
            }
        }
    }
    let mut cursor = b"0".to_vec();
    // Half of the time stays for the questions about what was found.
    let half = time.at_most(time.left() / 2);
    for _ in 0..MAX_STEPS {
        let arguments = [cursor.as_slice(), b"MATCH", known.r#match.as_bytes(), b"COUNT", STEP];
        let (next, keys) = match told(resp, "SCAN", &arguments).map(step) {
            Ok(Some(step)) => step,
            Ok(None) => {
                seen.stopped = Some("SCAN gave an answer of another form".to_owned());
                return found;
            }
            Err(why) => {
                seen.stopped = Some(words(&why));
                return found;
            }
        };
        for key in keys {
            let text = String::from_utf8_lossy(&key);
            let Some(digit) = Known::queue_key().captures(&text).and_then(|groups| groups.get(1)) else { continue };
            if key.len() <= MAX_KEY && found.len() < MAX_QUEUES {
                found.insert((format!("p{}", digit.as_str()), key.clone()));
            }
        }
        if next == b"0" {
            seen.complete = true;
            break;
        }
        if half.is_over() {
            break;
        }
        cursor = next;
    }
    found
}

/// The cursor and the keys of one step.
fn step(value: Value) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let (cursor, Value::Array(keys)) = (bytes(parts.next()?)?, parts.next()?) else { return None };
    let honest = !cursor.is_empty() && cursor.len() <= 20 && cursor.iter().all(u8::is_ascii_digit);
    honest.then(|| (cursor, keys.into_iter().filter_map(bytes).collect()))
}

/// How many wait; `None`: the key is no list, sorted set or stream.
fn length(resp: &mut Resp, level: &str, key: &[u8]) -> Result<Option<Queue>, String> {
    let kind = match told(resp, "TYPE", &[key]).map_err(|why| words(&why))? {
        Value::Simple(kind) => kind,
        _ => return Ok(None),
    };
    let command = match kind.as_str() {
        "list" => "LLEN",
        "zset" => "ZCARD",
        "stream" => "XLEN",
        _ => return Ok(None),
    };
    let waiting = told(resp, command, &[key]).map_err(|why| words(&why))?;
    let Some(waiting) = number(&waiting) else { return Ok(None) };
    let key = shown(&String::from_utf8_lossy(key), 80);
    Ok(Some(Queue { level: level.to_owned(), key, kind, waiting, oldest: None }))
}

/// When the oldest element of each was put there. Ends with the conversation, as an element over the budget does.
fn ages(resp: &mut Resp, found: &BTreeSet<(String, Vec<u8>)>, seen: &mut Seen, now: u64) {
    for (_, key) in found {
        let name = shown(&String::from_utf8_lossy(key), 80);
        let Some(queue) = seen.queues.iter_mut().find(|queue| queue.key == name && queue.waiting > 0) else { continue };
        let asked: &[(&str, &[&[u8]])] = match queue.kind.as_str() {
            // Which end is the old one is not known.
            "list" => &[("LINDEX", &[key, b"0"]), ("LINDEX", &[key, b"-1"])],
            "zset" => &[("ZRANGE", &[key, b"0", b"0", b"WITHSCORES"])],
            _ => &[("XRANGE", &[key, b"-", b"+", b"COUNT", b"1"])],
        };
        for (command, arguments) in asked {
            match told(resp, command, arguments) {
                Ok(value) => {
                    let put = age::of(&value, &queue.kind, now);
                    queue.oldest = [queue.oldest, put].into_iter().flatten().min();
                }
                Err(Unasked::Refused { .. }) => {}
                Err(Unasked::NetError { .. }) => return,
            }
        }
    }
}

fn told(resp: &mut Resp, command: &str, arguments: &[&[u8]]) -> Result<Value, Unasked> {
    let words = [&[command.as_bytes()], arguments].concat();
    match resp.ask(&words).map_err(|trouble| Unasked::NetError { trouble })? {
        // Its words may repeat what was sent; the first one is enough.
        Value::Error(error) => {
            let code = error.chars().take_while(char::is_ascii_alphanumeric).take(20).collect();
            Err(Unasked::Refused { command: command.to_owned(), code })
        }
        value => Ok(value),
    }
}

/// For people.
pub(super) fn words(unasked: &Unasked) -> String {
    match unasked {
        Unasked::NetError { trouble } => trouble.to_string(),
        Unasked::Refused { command, code } => format!("Redis answers {command} with {code}"),
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Bulk(bytes) => Some(bytes),
        Value::Simple(text) => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}
