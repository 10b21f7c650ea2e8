//! Packet filters know addresses only: what has none is named above the rules.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::entry::{ByAddress, LeftOut, by_address};
use super::{List, Rendered, comments, remark_on_addresses};

fn remarks<'a>(entry: &'a ByAddress<'_>) -> impl Iterator<Item = String> + 'a {
    entry.endpoints.iter().map(|endpoint| remark_on_addresses(endpoint))
}

pub(super) fn nftables(list: &List<'_>) -> Rendered {
    const NOTES: [&str; 2] = [
        "Load: nft -f FILE; again after a change, it replaces itself.",
        "Then lead traffic through it, from your output chain on a host or your forward chain on a gateway: add rule inet filter output jump ics_setup",
    ];
    let (entries, left_out) = by_address(&list.endpoints);
    let mut text = comments("#", list.header(&NOTES, &left_out));
    if entries.is_empty() {
        return Rendered { text, left_out };
    }
    let sets: BTreeSet<(u16, bool)> =
        entries.iter().flat_map(|entry| entry.blocks.iter().map(|block| (entry.port, block.is_v4()))).collect();
    let name = |(port, v4): (u16, bool)| format!("ics_setup_{}_{port}", if v4 { "v4" } else { "v6" });
    text.push_str("\nadd table inet filter\nadd chain inet filter ics_setup\nflush chain inet filter ics_setup\n");
    for set in &sets {
        let (name, kind) = (name(*set), if set.1 { "ipv4_addr" } else { "ipv6_addr" });
        let _ = writeln!(text, "add set inet filter {name} {{ type {kind}; flags interval; auto-merge; }}");
        let _ = writeln!(text, "flush set inet filter {name}");
    }
    for entry in &entries {
        text.push('\n');
        text.push_str(&comments("#", remarks(entry)));
        for v4 in [true, false] {
            let blocks: Vec<String> =
                entry.blocks.iter().filter(|block| block.is_v4() == v4).map(ToString::to_string).collect();
            if !blocks.is_empty() {
                let _ =
                    writeln!(text, "add element inet filter {} {{ {} }}", name((entry.port, v4)), blocks.join(", "));
            }
        }
    }
    text.push('\n');
    for set in &sets {
        let family = if set.1 { "ip" } else { "ip6" };
        let _ =
            writeln!(text, "add rule inet filter ics_setup {family} daddr @{} tcp dport {} accept", name(*set), set.0);
    }
    Rendered { text, left_out }
}

pub(super) fn iptables(list: &List<'_>) -> Rendered {
    const NOTES: [&str; 2] = [
        "Load: iptables-restore --noflush FILE; again after a change, it replaces itself.",
        "Then lead traffic through it, from OUTPUT on a host or FORWARD on a gateway: iptables -A OUTPUT -j ICS-SETUP",
    ];
    let (entries, mut left_out) = by_address(&list.endpoints);
    for entry in &entries {
        let others = entry.blocks.iter().filter(|block| !block.is_v4());
        for block in others {
            let why = format!("{block} is IPv6, which has ip6tables-restore of its own");
            left_out.extend(entry.endpoints.iter().map(|endpoint| LeftOut::new(endpoint, why.clone())));
        }
    }
    let mut text = comments("#", list.header(&NOTES, &left_out));
    if entries.iter().any(|entry| entry.blocks.iter().any(super::super::catalogue::Block::is_v4)) {
        text.push_str("\n*filter\n:ICS-SETUP - [0:0]\n");
        for entry in &entries {
            text.push_str(&comments("#", remarks(entry)));
            for block in entry.blocks.iter().filter(|block| block.is_v4()) {
                let _ =
                    writeln!(text, "-A ICS-SETUP -d {} -p tcp -m tcp --dport {} -j ACCEPT", block.cidr(), entry.port);
            }
        }
        text.push_str("COMMIT\n");
    }
    Rendered { text, left_out }
}

pub(super) fn ufw(list: &List<'_>) -> Rendered {
    const NOTES: [&str; 2] = [
        "Commands to paste into a root shell, for a host whose outgoing default is deny: ufw default deny outgoing",
        "ufw keeps a rule once, however often it is given.",
    ];
    let (entries, left_out) = by_address(&list.endpoints);
    let mut text = comments("#", list.header(&NOTES, &left_out));
    for entry in &entries {
        text.push('\n');
        text.push_str(&comments("#", remarks(entry)));
        for block in &entry.blocks {
            let _ = writeln!(text, "ufw allow out proto tcp to {block} port {} comment 'ics-setup'", entry.port);
        }
    }
    Rendered { text, left_out }
}

pub(super) fn firewalld(list: &List<'_>) -> Rendered {
    const NOTES: [&str; 2] = [
        "Goes to /etc/firewalld/policies/ics-setup.xml, for what this host sends; then: firewall-cmd --reload",
        "On a gateway name your own zones in place of HOST and ANY.",
    ];
    let (entries, left_out) = by_address(&list.endpoints);
    // A description, since a comment of XML cannot hold the two hyphens of a flag.
    let mut text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<policy target=\"CONTINUE\">\n  <short>ics-setup</short>\n  <description>\n".to_owned();
    for line in list.header(&NOTES, &left_out) {
        let _ = writeln!(text, "    {}", escaped(&line));
    }
    text.push_str("  </description>\n  <ingress-zone name=\"HOST\"/>\n  <egress-zone name=\"ANY\"/>\n");
    for entry in &entries {
        for line in remarks(entry) {
            let _ = writeln!(text, "  <!-- {} -->", in_comment(&line));
        }
        for block in &entry.blocks {
            let family = if block.is_v4() { "ipv4" } else { "ipv6" };
            let _ = writeln!(
                text,
                "  <rule family=\"{family}\"><destination address=\"{block}\"/><port port=\"{}\" protocol=\"tcp\"/><accept/></rule>",
                entry.port
            );
        }
    }
    text.push_str("</policy>\n");
    Rendered { text, left_out }
}

fn escaped(line: &str) -> String {
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Two hyphens end nothing, but are not allowed inside of an XML comment, nor is one at its end.
fn in_comment(line: &str) -> String {
    line.replace("--", "- -").trim_end_matches('-').to_owned()
}
