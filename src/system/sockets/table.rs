//! `/proc/net/tcp` and `tcp6` (proc_pid_net(5)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    /// Where it is.
    pub(crate) local: SocketAddr,
    /// To whom it leads.
    pub(crate) remote: SocketAddr,
    /// How far it is.
    pub(crate) state: State,
    /// How often what was sent last was sent again without an answer.
    pub(crate) resent: u32,
    /// Who made it; 0 too for what no process has any more.
    pub(crate) uid: u32,
    /// Its number; 0: no process has it any more.
    pub(crate) inode: u64,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits for connections.
    Listen,
    /// It was asked for, and nobody has answered yet.
    Asked,
    /// Somebody else asks for it.
    Offered,
    /// It stands, or is being ended.
    Open,
    /// It has ended, and the kernel keeps it for late packets.
    Ended,
    /// It leads nowhere.
    Closed,
}

impl State {
    /// The kernel's numbers (`include/net/tcp_states.h`).
    fn of(number: &str) -> Option<Self> {
        Some(match number {
            "01" | "04" | "05" | "08" | "09" | "0B" => Self::Open,
            "02" => Self::Asked,
            "03" | "0C" => Self::Offered,
            "06" => Self::Ended,
            "07" => Self::Closed,
            "0A" => Self::Listen,
            _ => return None,
        })
    }
}

/// The sockets of a table; lines that are no such lines are passed over.
pub(crate) fn sockets(table: &[u8]) -> Vec<Socket> {
    table.split(|byte| *byte == b'\n').filter_map(|line| socket(std::str::from_utf8(line).ok()?)).collect()
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …`
fn socket(line: &str) -> Option<Socket> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = place(words.next()?)?;
    let remote = place(words.next()?)?;
    let state = State::of(words.next()?)?;
    let resent = u32::from_str_radix(words.nth(2)?, 16).ok()?;
    let uid = words.next()?.parse().ok()?;
    let inode = words.nth(1)?.parse().ok()?;
    Some(Socket { local, remote, state, resent, uid, inode })
}

fn place(word: &str) -> Option<SocketAddr> {
    let (address, port) = word.split_once(':')?;
    Some(SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?))
}

/// The kernel prints each 32-bit word of the address as the number that the machine's byte order makes of it.
pub(super) fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut octets = [0_u8; 16];
            for (index, part) in octets.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(index * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1528 1 000000009700f007 100 0 0 10 0
   1: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 77001 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1F41 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 5 1 0000000000000000 20 4 30 10 -1
   3: 0200A8C0:D2F0 097100CB:01BB 02 00000001:00000000 01:00000123 0000000B  1000        0 91 2 0000000000000000 800 0 0 1 7
   4: 0200A8C0:D2F1 097100CB:01BB 06 00000000:00000000 03:00000EB5 00000000     0        0 0 3 0000000000000000
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:18EB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 34 1 0 100 0 0 10 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn every_socket_is_read() {
        let found = sockets(TCP.as_bytes());
        let listener = |local: &str, uid, inode| Socket {
            local: local.parse().unwrap(),
            remote: SocketAddr::new(local.parse::<SocketAddr>().unwrap().ip(), 0),
            state: State::Listen,
            resent: 0,
            uid,
            inode,
        };
        assert_eq!(found[0], listener("0.0.0.0:8001", 0, 1528));
        assert_eq!((found[1].local, found[1].uid, found[1].inode), ("127.0.0.1:3306".parse().unwrap(), 999, 77001));
        assert_eq!((found[2].state, found[2].remote.port()), (State::Open, 54000));
        let asked = found[3];
        assert_eq!(asked.remote, "203.0.113.9:443".parse().unwrap());
        assert_eq!((asked.state, asked.resent, asked.uid, asked.inode), (State::Asked, 11, 1000, 91));
        assert_eq!((found[4].state, found[4].inode, found.len()), (State::Ended, 0, 5));
        let six = sockets(TCP6.as_bytes());
        assert_eq!((six[0].local, six[0].state), ("[::1]:6379".parse().unwrap(), State::Listen));
    }

    proptest! {
        #[test]
        fn no_table_breaks_it(table in any::<Vec<u8>>(), text in ".{0,200}") {
            sockets(&table);
            sockets(text.as_bytes());
        }

        #[test]
        fn no_field_breaks_it(local in "[0-9A-Fa-f:é]{0,40}", state in "[0-9A-F]{0,3}", uid in "[0-9-]{0,12}", inode in "[0-9]{0,30}") {
            sockets(format!("0: {local} 0:0 {state} 0:0 0:0 0 {uid} 0 {inode} 1").as_bytes());
            sockets(format!("0: {local} {local} {state} 0:0 0:0 {inode} {uid} 0 {inode} 1").as_bytes());
        }
    }
}
