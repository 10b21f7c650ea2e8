//! What whoever gets the product wants to know.

use std::path::Path;

use crate::deploy::LOOK;
use crate::host::HostRead;
use crate::net::Time;
use crate::product::{Known, interface};
use crate::system::name::HOSTNAME;
use crate::text;
use crate::text::{Text, host_port, ics_setup, own};

/// The address to open, in which browser, and what is to be done there first.
pub(super) fn steps(host: &dyn HostRead, home: &Path) -> Vec<Text> {
    let status = text!("look how it is: {}", ics_setup("status"));
    let Some(asked) = interface::look(host, home, Time::new(LOOK, LOOK)).asked else { return vec![status] };
    let known = &Known::get().health;
    let url = |path: &str| own(url(host, &asked.address, asked.port, path));
    vec![
        text!(
            "make the first administrator: open {} in Google Chrome, the browser that the product supports",
            url(&known.setup)
        ),
        text!("then enter the licence: {}", url(&known.license)),
        reachable(asked.port),
        status,
    ]
}

/// The same where the interface has moved.
pub(in crate::deploy) fn moved(host: &dyn HostRead, address: &str, port: u16) -> [Text; 2] {
    [text!("the web interface has another address now: {}", own(url(host, address, port, ""))), reachable(port)]
}

fn reachable(port: u16) -> Text {
    text!("let users reach TCP port {} of this host, or the load balancer in front of it", own(port))
}

/// As a browser elsewhere takes it.
fn url(host: &dyn HostRead, address: &str, port: u16, path: &str) -> String {
    let address = match address {
        "127.0.0.1" | "0.0.0.0" | "::" => own_name(host).unwrap_or_else(|| "<HOST>".to_owned()),
        other => other.to_owned(),
    };
    format!("http://{}{path}", host_port(&address, port))
}

/// What the host calls itself.
fn own_name(host: &dyn HostRead) -> Option<String> {
    let bytes = host.read(Path::new(HOSTNAME)).ok()??;
    let name = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!name.is_empty() && name != "localhost").then_some(name)
}
