//! Every address is this host: `ip link set lo up; ip route add local 0.0.0.0/0 dev lo; ip route add local ::/0 dev lo`, by
//! the kernel's own messages (`rtnetlink(7)`), since iproute2 may be absent.

use std::fs::File;
use std::io::{self, Read, Write};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWROUTE: u16 = 24;
/// NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE.
const FLAGS: u16 = 0x1 | 0x4 | 0x400;
/// The loopback device is the first of its namespace.
const LOOPBACK: u32 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Makes it so in the network namespace of this process. A kernel without IPv6 does without its route.
pub(super) fn all_local() -> io::Result<()> {
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    let mut kernel = File::from(socket);
    tell(&mut kernel, RTM_NEWLINK, &link_up())?;
    tell(&mut kernel, RTM_NEWROUTE, &local_route(AF_INET))?;
    let _ = tell(&mut kernel, RTM_NEWROUTE, &local_route(AF_INET6));
    Ok(())
}

/// `struct ifinfomsg`: the device's flags, of which IFF_UP changes.
fn link_up() -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0];
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend(1_u32.to_ne_bytes());
    body.extend(1_u32.to_ne_bytes());
    body
}

/// `struct rtmsg` and RTA_OIF: no prefix, RT_TABLE_LOCAL, RTPROT_BOOT, RT_SCOPE_HOST, RTN_LOCAL.
fn local_route(family: u8) -> Vec<u8> {
    let mut body = vec![family, 0, 0, 0, 255, 3, 254, 2, 0, 0, 0, 0];
    body.extend(8_u16.to_ne_bytes());
    body.extend(4_u16.to_ne_bytes());
    body.extend(LOOPBACK.to_ne_bytes());
    body
}

/// Sends one message and waits for its acknowledgement.
fn tell(kernel: &mut File, kind: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    kernel.write_all(&message)?;
    let mut answer = [0; 4096];
    let count = kernel.read(&mut answer)?;
    // The head of 16 bytes, then a negative errno, or 0.
    let Some(code) = answer[..count].get(16..20) else { return Err(io::Error::other("the kernel's answer is short")) };
    let code = i32::from_ne_bytes([code[0], code[1], code[2], code[3]]);
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) }
}
