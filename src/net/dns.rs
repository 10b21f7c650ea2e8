//! A name asked of name servers themselves (RFC 1035): neither the hosts file nor any other source of the host's resolver is
//! looked at.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use super::Time;

/// The port of name servers.
const PORT: u16 = 53;

/// How long one server is waited for.
const PER_SERVER: Duration = Duration::from_millis(1500);

/// No more servers are asked: Docker's embedded server forwards to the first three (libnetwork `resolver.go`, `maxExtDNS`).
const MOST_SERVERS: usize = 3;

/// The types that are asked for: A and AAAA.
const TYPES: [u16; 2] = [1, 28];

/// The longest answer without EDNS.
const LONGEST: usize = 512;

/// The length of a header.
const HEADER: usize = 12;

/// Answer codes.
const NO_ERROR: u8 = 0;
const NAME_ERROR: u8 = 3;

/// What name servers say of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// It has an address.
    Yes,
    /// It has none, or there is no such name.
    No,
    /// No server gave an answer.
    Unanswered,
}

/// Asks one server after the other for the addresses of `name`, until one has an address.
pub(crate) fn listed(name: &str, servers: &[IpAddr], time: Time) -> Listed {
    listed_at(name, servers, PORT, time)
}

fn listed_at(name: &str, servers: &[IpAddr], port: u16, time: Time) -> Listed {
    let mut said = Listed::Unanswered;
    for server in servers.iter().take(MOST_SERVERS) {
        match one(name, *server, port, time) {
            Some(true) => return Listed::Yes,
            Some(false) => said = Listed::No,
            None => {}
        }
    }
    said
}

/// `None`: no answer, or none that says anything of the name.
fn one(name: &str, server: IpAddr, port: u16, time: Time) -> Option<bool> {
    let here: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let end = Instant::now() + PER_SERVER.min(time.left());
    let socket = UdpSocket::bind((here, 0)).ok()?;
    // A connected socket takes packets of that server alone, and hears that nobody listens there.
    socket.connect((server, port)).ok()?;
    let id = RandomState::new().hash_one(name) as u16;
    let questions = TYPES.map(|of_type| question(name, id ^ of_type, of_type));
    for question in &questions {
        socket.send(question.as_ref()?).ok()?;
    }
    let mut open: Vec<&Vec<u8>> = questions.iter().flatten().collect();
    let mut answer = [0; LONGEST];
    while !open.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        socket.set_read_timeout(Some(left)).ok()?;
        let length = socket.recv(&mut answer).ok()?;
        let Some(at) = open.iter().position(|question| answers(&answer[..length], question)) else { continue };
        let question = open.swap_remove(at);
        if has_address(&answer[..length], question.len())? {
            return Some(true);
        }
    }
    Some(false)
}

/// A question with recursion desired; `None`: no name server can be asked for such a name.
fn question(name: &str, id: u16, of_type: u16) -> Option<Vec<u8>> {
    let mut bytes = id.to_be_bytes().to_vec();
    // Recursion desired; one question; no answers, authorities, additions.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(of_type.to_be_bytes());
    bytes.extend([0, 1]);
    (name.len() <= 253).then_some(bytes)
}

/// Does this message answer that question? Names come back in the case in which they were asked, or in another.
fn answers(message: &[u8], question: &[u8]) -> bool {
    message.len() >= question.len()
        && message[..2] == question[..2]
        && message[2] & 0x80 != 0
        && message[HEADER..question.len()].eq_ignore_ascii_case(&question[HEADER..])
}

/// Has the answer an address; `None`: it is a failure of the server.
fn has_address(message: &[u8], question: usize) -> Option<bool> {
    match message[3] & 0x0f {
        NO_ERROR => {}
        NAME_ERROR => return Some(false),
        _ => return None,
    }
    // What was cut off for its length has too many answers, not none.
    let is_cut = message[2] & 0x02 != 0;
    let count = u16::from_be_bytes([message[6], message[7]]);
    let mut rest = &message[question..];
    for _ in 0..count {
        let Some((of_type, next)) = record(rest) else { break };
        if TYPES.contains(&of_type) {
            return Some(true);
        }
        rest = next;
    }
    Some(is_cut)
}

/// The type of the first record, and what follows it.
fn record(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            0 => break at += 1,
            // A pointer is the end of a name.
            length if length & 0xc0 != 0 => break at += 2,
            length => at += 1 + usize::from(length),
        }
    }
    let fixed = bytes.get(at..at + 10)?;
    let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
    Some((u16::from_be_bytes([fixed[0], fixed[1]]), bytes.get(at + 10 + length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::patient;
    use proptest::prelude::*;

    /// A server that gives each question the same code and records.
    fn server(code: u8, records: &'static [u8], count: u8) -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut bytes = [0; LONGEST];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                let mut answer = bytes[..length].to_vec();
                (answer[2], answer[3], answer[7]) = (0x81, 0x80 | code, count);
                answer.extend(records);
                let _ = socket.send_to(b"\0\0noise", from);
                let _ = socket.send_to(&answer, from);
            }
        });
        port
    }

    const A: &[u8] = &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1];
    const CNAME: &[u8] = &[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12];

    #[test]
    fn a_name_is_known_by_an_address_alone() {
        let here = [IpAddr::from([127, 0, 0, 1])];
        for (code, records, count, said) in [
            (0, A, 1, Listed::Yes),
            (0, CNAME, 1, Listed::No),
            (0, &[][..], 0, Listed::No),
            (3, &[], 0, Listed::No),
            (2, &[], 0, Listed::Unanswered),
            (5, A, 1, Listed::Unanswered),
            (0, &A[..7], 1, Listed::No),
        ] {
            let port = server(code, records, count);
            assert_eq!(listed_at("proxy.corp.example", &here, port, patient()), said, "{code} {records:?}");
        }
        // The next one is asked where the first does not answer; without any there is no answer.
        let port = server(0, A, 1);
        let two = [IpAddr::from([127, 0, 0, 2]), here[0]];
        assert_eq!(listed_at("proxy.corp.example", &two, port, patient()), Listed::Yes);
        assert_eq!(listed_at("proxy.corp.example", &[], port, patient()), Listed::Unanswered);
        assert_eq!(listed_at("a..b", &here, port, patient()), Listed::Unanswered);
    }

    #[test]
    fn a_server_that_is_silent_costs_its_time_and_no_more() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let brief = Time::new(Duration::from_millis(100), Duration::from_millis(100));
        assert_eq!(listed_at("x.example", &[IpAddr::from([127, 0, 0, 1])], port, brief), Listed::Unanswered);
    }

    proptest! {
        #[test]
        fn no_answer_breaks_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let asked = question("x.example", 1, 1).unwrap();
            let mut message = asked.clone();
            message[2] |= 0x80;
            message.extend(&bytes);
            message[7] = bytes.len() as u8;
            prop_assert!(answers(&message, &asked));
            has_address(&message, asked.len());
            answers(&bytes, &asked);
        }
    }
}
