//! Name → addresses → connection.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{NetError, Time, Wire, seconds};
use crate::text::Foreign;

/// More addresses than this are not tried: each may cost a timeout.
const MAX_ADDRESSES: usize = 6;

/// Looks the name up and connects: a wire that may read `budget` bytes.
///
/// # Errors
/// Why not.
pub(crate) fn dial(host: &str, port: u16, time: Time, budget: usize) -> Result<Wire, NetError> {
    connect(&resolve(host, port, time)?, time, budget)
}

/// The addresses of a name, as the system's resolver (hosts file included) tells them. IP literals need no resolver.
///
/// The system's resolver knows no deadline, so it is asked by a thread of its own that is left behind when it is late.
///
/// # Errors
/// [`NetError::NameUnknown`] or [`NetError::NameUnanswered`].
pub(crate) fn resolve(host: &str, port: u16, time: Time) -> Result<Vec<SocketAddr>, NetError> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if time.left().is_zero() {
        return Err(NetError::NameUnanswered { why: "no time was left for it".into() });
    }
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    let ask = move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Nobody may be waiting any more.
        let _ = sender.send(found);
    };
    let asked = std::thread::Builder::new().name("resolver".to_owned()).spawn(ask);
    asked.map_err(|error| NetError::Other { why: error.to_string().into() })?;
    let limit = time.left();
    match receiver.recv_timeout(limit) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(NetError::NameUnknown),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(of_resolver(&error)),
        Err(_) => Err(NetError::NameUnanswered {
            why: format!("the resolver gave no answer within {}", seconds(limit)).into(),
        }),
    }
}

/// `getaddrinfo` tells by its text only, and LC_MESSAGES is not set by us.
fn of_resolver(error: &io::Error) -> NetError {
    let why = error.to_string();
    let has = |signs: &[&str]| signs.iter().any(|words| why.contains(words));
    if has(&["Temporary failure", "try again"]) {
        NetError::NameUnanswered { why: "no name server answered (see /etc/resolv.conf)".into() }
    } else if has(&["Name or service not known", "No address associated", "nodename nor servname", "not known"]) {
        NetError::NameUnknown
    } else {
        NetError::NameUnanswered { why: why.into() }
    }
}

/// Connects to the first address that answers, one after the other; each gets its fair share of the connection's time.
///
/// # Errors
/// The error of the address that came furthest.
pub(crate) fn connect(addresses: &[SocketAddr], time: Time, budget: usize) -> Result<Wire, NetError> {
    let addresses = &addresses[..addresses.len().min(MAX_ADDRESSES)];
    let end = Instant::now() + time.for_connection();
    let mut worst: Option<NetError> = None;
    for (index, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = share(left, addresses.len() - index);
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => return Wire::new(stream, time, budget),
            Err(error) => {
                let error = of_connect(&error, share);
                // A refusal says more than a timeout: something is there.
                if worst.as_ref().is_none_or(|worst| !matches!(worst, NetError::Refused)) {
                    worst = Some(error);
                }
            }
        }
    }
    Err(worst.unwrap_or(NetError::NameUnknown))
}

/// What one attempt may take when so many are to be made within what is left.
fn share(left: Duration, attempts: usize) -> Duration {
    (left / u32::try_from(attempts).unwrap_or(u32::MAX)).max(Duration::from_millis(1))
}

fn of_connect(error: &io::Error, waited: Duration) -> NetError {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => NetError::connect_timeout(waited),
        io::ErrorKind::ConnectionRefused => NetError::Refused,
        io::ErrorKind::ConnectionReset => NetError::Reset,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => {
            NetError::Unreachable { why: words(error) }
        }
        io::ErrorKind::PermissionDenied => {
            NetError::Unreachable { why: "this host's own firewall forbids it (EPERM)".into() }
        }
        _ => NetError::Other { why: words(error) },
    }
}

fn words(error: &io::Error) -> Foreign {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{closed_port, patient, serve};
    use super::*;

    #[test]
    fn a_listener_is_reached_and_a_closed_port_refuses() {
        let port = serve(|_| ());
        assert!(dial("127.0.0.1", port, patient(), 10).is_ok());
        assert_eq!(dial("127.0.0.1", closed_port(), patient(), 10).unwrap_err(), NetError::Refused);
    }

    #[test]
    fn an_address_that_answers_nothing_ends_at_the_connect_limit() {
        // TEST-NET-1 goes nowhere: either nothing comes back, or there is no route at all.
        match dial("192.0.2.1", 9, Time::new(Duration::from_millis(300), Duration::from_secs(600)), 10) {
            Ok(_) => eprintln!("an_address_that_answers_nothing skipped: something answers for 192.0.2.1 here"),
            Err(NetError::ConnectTimeout { millis }) => assert!(millis <= 300, "{millis}"),
            Err(error) => {
                eprintln!("an_address_that_answers_nothing skipped: no packet leaves for 192.0.2.1 here ({error})");
            }
        }
    }

    #[test]
    fn all_attempts_together_take_no_more_than_there_is() {
        let whole = Duration::from_secs(3);
        for count in 1..=MAX_ADDRESSES {
            // Each takes all that it may.
            let left = (0..count).fold(whole, |left, index| left.saturating_sub(share(left, count - index)));
            assert_eq!((share(whole, count), left), (whole / u32::try_from(count).unwrap(), Duration::ZERO));
        }
        assert_eq!(share(Duration::ZERO, 3), Duration::from_millis(1), "zero is no limit that a socket takes");
    }

    #[test]
    fn without_time_nothing_is_looked_up_and_the_resolver_is_not_blamed() {
        let over = Time::new(Duration::ZERO, Duration::ZERO);
        let error = resolve("name.invalid", 1, over).unwrap_err();
        assert!(matches!(&error, NetError::NameUnanswered { why } if why.raw().contains("no time")), "{error}");
    }

    #[test]
    fn brackets_are_no_part_of_an_address() {
        assert_eq!(resolve("[::1]", 1, patient()).unwrap(), vec!["[::1]:1".parse().unwrap()]);
    }
}
