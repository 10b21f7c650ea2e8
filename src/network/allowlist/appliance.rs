//! Commands for the firewalls of Palo Alto Networks and Fortinet. They make objects; which zones and interfaces a rule is
//! for, only their owners know.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::entry::{ByName, LeftOut, by_name};
use super::{List, Rendered, comments, remark};
use crate::network::catalogue::Protocol;

fn remarks<'a>(entry: &'a ByName<'_>) -> impl Iterator<Item = String> + 'a {
    entry.endpoints.iter().map(|endpoint| remark(endpoint))
}

pub(super) fn paloalto(list: &List<'_>) -> Rendered {
    const NOTES: [&str; 3] = [
        "For configure mode; lines that begin with # are for readers and are to be left out when pasting.",
        "A URL category goes into the `category` of a security rule with service tcp of the port in its name.",
        "The slash at the end keeps *.x.example from covering x.example.evil.example where no ending token is appended.",
    ];
    const NO_DECRYPT_NOTES: [&str; 2] = [
        "For configure mode; lines that begin with # are for readers and are to be left out when pasting.",
        "Makes a URL category and, above all other decryption rules, a rule that leaves it alone.",
    ];
    const NO_DECRYPT: &str = "ics-setup-no-decrypt";
    let (entries, left_out) = by_name(&list.endpoints, list.product, list.request.concrete);
    let notes: &[&str] = if list.request.exclusions { &NO_DECRYPT_NOTES } else { &NOTES };
    let mut text = comments("#", list.header(notes, &left_out));
    let mut categories: BTreeMap<String, Vec<&ByName<'_>>> = BTreeMap::new();
    let mut groups: BTreeMap<u16, Vec<&ByName<'_>>> = BTreeMap::new();
    for entry in &entries {
        if list.request.exclusions {
            categories.entry(NO_DECRYPT.to_owned()).or_default().push(entry);
        } else if entry.protocol == Protocol::Tcp || entry.names.address().is_some() {
            groups.entry(entry.port).or_default().push(entry);
        } else {
            categories.entry(format!("ics-setup-{}-{}", entry.protocol.as_str(), entry.port)).or_default().push(entry);
        }
    }
    for (category, entries) in &categories {
        let _ = writeln!(text, "\nset profiles custom-url-category {category} type \"URL List\"");
        for entry in entries {
            text.push_str(&comments("#", remarks(entry)));
            for spelled in list.product.spell(&entry.names) {
                let _ = writeln!(text, "set profiles custom-url-category {category} list {spelled}");
            }
        }
    }
    for (port, entries) in &groups {
        let _ = writeln!(text, "\nset service ics-setup-tcp-{port} protocol tcp port {port}");
        for entry in entries {
            text.push_str(&comments("#", remarks(entry)));
            let Some(endpoint) = entry.endpoints.first() else { continue };
            let name = object(&endpoint.host);
            let _ = match entry.names.address() {
                Some(address) => writeln!(text, "set address {name} ip-netmask {address}"),
                None => writeln!(text, "set address {name} fqdn {}", endpoint.host),
            };
            let _ = writeln!(text, "set address-group ics-setup-tcp-{port} static {name}");
        }
    }
    if list.request.exclusions && !categories.is_empty() {
        text.push('\n');
        let rule = format!("set rulebase decryption rules {NO_DECRYPT}");
        let _ = writeln!(text, "{rule} from any to any source any destination any service any");
        let _ = writeln!(text, "{rule} category {NO_DECRYPT}");
        let _ = writeln!(text, "{rule} type ssl-forward-proxy");
        let _ = writeln!(text, "{rule} action no-decrypt");
        let _ = writeln!(text, "move rulebase decryption rules {NO_DECRYPT} top");
    }
    Rendered { text, left_out }
}

pub(super) fn fortigate(list: &List<'_>) -> Rendered {
    const NOTES: [&str; 2] = [
        "FortiOS 6.2.2 and newer. A wildcard learns its addresses from DNS answers, so DNS has to pass this FortiGate, and in the clear.",
        "The groups go into the dstaddr of a firewall policy, with the service of the port in their names.",
    ];
    const EXEMPT_NOTES: [&str; 1] =
        ["Exempts the names in the profile custom-deep-inspection: put the name of the profile of your policy there."];
    let (entries, mut left_out) = by_name(&list.endpoints, list.product, list.request.concrete);
    let notes: &[&str] = if list.request.exclusions { &EXEMPT_NOTES } else { &NOTES };
    let (entries, six): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.names.address().is_none_or(|address| address.is_ipv4()));
    let why = "an IPv6 address: make it with config firewall address6";
    left_out.extend(six.iter().flat_map(|entry| &entry.endpoints).map(|endpoint| LeftOut::new(endpoint, why)));
    let mut text = comments("#", list.header(notes, &left_out));
    if entries.is_empty() {
        return Rendered { text, left_out };
    }
    if list.request.exclusions {
        exemptions(&mut text, list, &entries);
    } else {
        groups(&mut text, list, &entries);
    }
    Rendered { text, left_out }
}

fn groups(text: &mut String, list: &List<'_>, entries: &[ByName<'_>]) {
    let mut groups: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    text.push_str("\nconfig firewall address\n");
    for entry in entries {
        text.push_str(&comments("    #", remarks(entry)));
        for spelled in list.product.spell(&entry.names) {
            let name = object(&spelled);
            let _ = writeln!(text, "    edit \"{name}\"");
            let _ = match entry.names.address() {
                Some(address) => writeln!(text, "        set subnet {address} 255.255.255.255"),
                None => writeln!(text, "        set type fqdn\n        set fqdn \"{spelled}\""),
            };
            text.push_str("    next\n");
            let group = groups.entry(entry.port).or_default();
            if !group.contains(&name) {
                group.push(name);
            }
        }
    }
    text.push_str("end\nconfig firewall addrgrp\n");
    for (port, names) in &groups {
        let members: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let _ = writeln!(text, "    edit \"ics-setup-{port}\"\n        set member {}\n    next", members.join(" "));
    }
    text.push_str("end\nconfig firewall service custom\n");
    for port in groups.keys() {
        let _ = writeln!(text, "    edit \"ics-setup-tcp-{port}\"\n        set tcp-portrange {port}\n    next");
    }
    text.push_str("end\n");
}

fn exemptions(text: &mut String, list: &List<'_>, entries: &[ByName<'_>]) {
    let spelled: Vec<(String, &ByName<'_>)> = entries
        .iter()
        .flat_map(|entry| list.product.spell(&entry.names).into_iter().map(move |spelled| (spelled, entry)))
        .collect();
    let (wild, exact): (Vec<_>, Vec<_>) = spelled.iter().partition(|(spelled, _)| spelled.contains('*'));
    for (section, key, all) in [
        ("config firewall wildcard-fqdn custom", "set wildcard-fqdn", &wild),
        ("config firewall address", "set type fqdn\n        set fqdn", &exact),
    ] {
        if all.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{section}");
        for (spelled, entry) in all {
            text.push_str(&comments("    #", remarks(entry)));
            let _ = writeln!(text, "    edit \"{}\"\n        {key} \"{spelled}\"\n    next", object(spelled));
        }
        text.push_str("end\n");
    }
    text.push_str(
        "\nconfig firewall ssl-ssh-profile\n    edit \"custom-deep-inspection\"\n        config ssl-exempt\n",
    );
    for (kind, all) in [("wildcard-fqdn", &wild), ("address", &exact)] {
        for (spelled, _) in all {
            // 0 is the next free number.
            let _ = writeln!(
                text,
                "            edit 0\n                set type {kind}\n                set {kind} \"{}\"\n            next",
                object(spelled)
            );
        }
    }
    text.push_str("        end\n    next\nend\n");
}

/// The name of an object: both makers take letters, digits, dots, hyphens and underscores, Palo Alto Networks 63 of them.
fn object(spelled: &str) -> String {
    let name = spelled.replace("*.", "below.").replace(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c), "-");
    format!("ics-setup-{name}").chars().take(63).collect()
}
