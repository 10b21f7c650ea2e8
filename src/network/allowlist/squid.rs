//! Squid: one list of names for each port, and the lines that let them through.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::entry::{ByName, LeftOut, by_name};
use super::{List, Rendered, comments, remark};
use crate::network::catalogue::{Endpoint, Protocol};

const NOTES: [&str; 3] = [
    "Goes where http_access lines are read before the final deny, as a file in /etc/squid/conf.d; reload: squid -k parse && squid -k reconfigure",
    "Everybody whom Squid serves may use these lines: add an ACL of your hosts' addresses to each http_access line to be stricter.",
    "A port other than 443 and 80 has to be in the stock ACLs SSL_ports and Safe_ports too.",
];

const BUMP_NOTES: [&str; 1] = [
    "Goes before the other ssl_bump lines: the first step only looks at the name, and these names are passed on untouched.",
];

pub(super) fn render(list: &List<'_>) -> Rendered {
    let through: Vec<&Endpoint> = list.endpoints.iter().filter(|endpoint| !endpoint.direct).copied().collect();
    let (entries, mut left_out) = by_name(&through, list.product, list.request.concrete);
    let direct = list.endpoints.iter().filter(|endpoint| endpoint.direct);
    left_out.extend(direct.map(|endpoint| LeftOut::new(endpoint, "reached without a proxy")));
    let text =
        if list.request.exclusions { splice(list, &entries, &left_out) } else { allow(list, &entries, &left_out) };
    Rendered { text, left_out }
}

fn allow(list: &List<'_>, entries: &[ByName<'_>], left_out: &[LeftOut]) -> String {
    let mut by_port: BTreeMap<(u16, Protocol), Vec<&ByName<'_>>> = BTreeMap::new();
    for entry in entries {
        by_port.entry((entry.port, entry.protocol)).or_default().push(entry);
    }
    let mut text = comments("#", list.header(&NOTES, left_out));
    let mut rules = String::new();
    for ((port, protocol), entries) in &by_port {
        let name = format!("ics_setup_{}_{port}", protocol.as_str());
        let _ = writeln!(text, "\nacl {name}_port port {port}");
        let mut kinds = Vec::new();
        for entry in entries {
            text.push_str(&comments("#", entry.endpoints.iter().map(|endpoint| remark(endpoint))));
            let (kind, acl) = if entry.names.address().is_some() { ("to", "dst") } else { ("names", "dstdomain") };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
            for spelled in list.product.spell(&entry.names) {
                let _ = writeln!(text, "acl {name}_{kind} {acl} {spelled}");
            }
        }
        // Whatever is not plain HTTP comes through a tunnel.
        let tunnel = if *protocol == Protocol::Http { "!ics_setup_connect" } else { "ics_setup_connect" };
        for kind in kinds {
            let _ = writeln!(rules, "http_access allow {tunnel} {name}_port {name}_{kind}");
        }
    }
    if !rules.is_empty() {
        let _ = write!(text, "\nacl ics_setup_connect method CONNECT\n{rules}");
    }
    text
}

fn splice(list: &List<'_>, entries: &[ByName<'_>], left_out: &[LeftOut]) -> String {
    let mut text = comments("#", list.header(&BUMP_NOTES, left_out));
    if entries.is_empty() {
        return text;
    }
    text.push_str("\nacl ics_setup_step1 at_step SslBump1\n");
    for entry in entries {
        text.push_str(&comments("#", entry.endpoints.iter().map(|endpoint| remark(endpoint))));
        for spelled in list.product.spell(&entry.names) {
            let _ = writeln!(text, "acl ics_setup_untouched ssl::server_name {spelled}");
        }
    }
    text.push_str("ssl_bump peek ics_setup_step1\nssl_bump splice ics_setup_untouched\n");
    text
}
