//! Terraform for AWS and Azure, formatted as `terraform fmt` does it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::entry::{ByName, LeftOut, by_address, by_name};
use super::{List, Rendered, comments, remark, remark_on_addresses};
use crate::network::catalogue::Protocol;

pub(super) fn security_group(list: &List<'_>) -> Rendered {
    const NOTES: [&str; 2] = [
        "Without any other egress rule this group lets nothing else out: DNS, time and your proxy need rules of their own.",
        "A host behind a proxy needs one rule to the proxy, and none of these.",
    ];
    let (entries, left_out) = by_address(&list.endpoints);
    let mut text = comments("#", list.header(&NOTES, &left_out));
    if entries.is_empty() {
        return Rendered { text, left_out };
    }
    text.push_str(&variable("vpc_id", "VPC of the hosts", "string"));
    text.push_str("\nresource \"aws_security_group\" \"ics_setup\" {\n");
    attributes(
        &mut text,
        2,
        &[
            ("name", quoted("ics-setup")),
            ("description", quoted("What InsightCloudSec and its agents must reach")),
            ("vpc_id", "var.vpc_id".to_owned()),
        ],
    );
    for entry in &entries {
        text.push('\n');
        text.push_str(&comments("  #", entry.endpoints.iter().map(|endpoint| remark_on_addresses(endpoint))));
        text.push_str("  egress {\n");
        let names: Vec<&str> = entry.endpoints.iter().map(|endpoint| endpoint.host.as_str()).collect();
        let of = |v4: bool| -> Vec<String> {
            entry.blocks.iter().filter(|block| block.is_v4() == v4).map(|block| quoted(&block.cidr())).collect()
        };
        let mut all = vec![
            ("description", quoted(&description(&names.join(" ")))),
            ("protocol", quoted("tcp")),
            ("from_port", entry.port.to_string()),
            ("to_port", entry.port.to_string()),
        ];
        for (key, blocks) in [("cidr_blocks", of(true)), ("ipv6_cidr_blocks", of(false))] {
            if !blocks.is_empty() {
                all.push((key, format!("[{}]", blocks.join(", "))));
            }
        }
        attributes(&mut text, 4, &all);
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    Rendered { text, left_out }
}

pub(super) fn network_firewall(list: &List<'_>) -> Rendered {
    const NOTES: [&str; 2] = [
        "A domain list that allows also drops every other name of its protocol: bring it together with what you have.",
        "Names are read from the SNI of TLS and the Host header of HTTP; behind a proxy the firewall sees neither.",
    ];
    let (entries, mut left_out) = by_name(&list.endpoints, list.product, list.request.concrete);
    let mut groups: BTreeMap<Protocol, Vec<&ByName<'_>>> = BTreeMap::new();
    for entry in &entries {
        let why = match (entry.names.address(), entry.protocol) {
            (Some(_), _) => "an address, which a domain list cannot hold: a stateful 5-tuple rule does",
            (None, Protocol::Tcp) => "neither TLS nor HTTP by a public name: a stateful 5-tuple rule does",
            (None, _) => {
                groups.entry(entry.protocol).or_default().push(entry);
                continue;
            }
        };
        left_out.extend(entry.endpoints.iter().map(|endpoint| LeftOut::new(endpoint, why)));
    }
    let mut text = comments("#", list.header(&NOTES, &left_out));
    for (protocol, entries) in groups {
        let (name, kind) = if protocol == Protocol::Https { ("tls", "TLS_SNI") } else { ("http", "HTTP_HOST") };
        let targets: usize = entries.iter().map(|entry| list.product.spell(&entry.names).len()).sum();
        let _ = writeln!(text, "\nresource \"aws_networkfirewall_rule_group\" \"ics_setup_{name}\" {{");
        attributes(
            &mut text,
            2,
            &[
                ("name", quoted(&format!("ics-setup-{name}"))),
                ("type", quoted("STATEFUL")),
                // It cannot be changed later, so there is room for more.
                ("capacity", (targets * 3).div_ceil(100).saturating_mul(100).to_string()),
            ],
        );
        text.push_str("\n  rule_group {\n    rules_source {\n      rules_source_list {\n");
        attributes(
            &mut text,
            8,
            &[("generated_rules_type", quoted("ALLOWLIST")), ("target_types", format!("[{}]", quoted(kind)))],
        );
        text.push('\n');
        names(&mut text, 8, "targets", list, &entries);
        text.push_str("      }\n    }\n  }\n}\n");
    }
    Rendered { text, left_out }
}

pub(super) fn azure_firewall(list: &List<'_>) -> Rendered {
    const NOTES: [&str; 2] = [
        "Application rules read the SNI of TLS and the Host header of HTTP; network rules by name need the firewall's DNS proxy.",
        "A rule without terminate_tls passes TLS on untouched; with it, Premium decrypts.",
    ];
    let (entries, left_out) = by_name(&list.endpoints, list.product, list.request.concrete);
    let mut text = comments("#", list.header(&NOTES, &left_out));
    if entries.is_empty() {
        return Rendered { text, left_out };
    }
    text.push_str(&variable("firewall_policy_id", "Policy that the group goes into", "string"));
    text.push_str(&variable("source_addresses", "Hosts of InsightCloudSec and of its agents", "list(string)"));
    let name = if list.request.exclusions { "ics-setup-not-decrypted" } else { "ics-setup" };
    text.push_str("\nresource \"azurerm_firewall_policy_rule_collection_group\" \"ics_setup\" {\n");
    attributes(
        &mut text,
        2,
        &[
            ("name", quoted(name)),
            ("firewall_policy_id", "var.firewall_policy_id".to_owned()),
            ("priority", "500".to_owned()),
        ],
    );
    let by_application = |entry: &&ByName<'_>| entry.protocol != Protocol::Tcp && entry.names.address().is_none();
    let network: Vec<&ByName<'_>> = entries.iter().filter(|entry| !by_application(entry)).collect();
    let application: Vec<&ByName<'_>> = entries.iter().filter(by_application).collect();
    if !network.is_empty() {
        collection(&mut text, "network", name, 500);
        for entry in &network {
            text.push('\n');
            text.push_str(&comments("    #", entry.endpoints.iter().map(|endpoint| remark(endpoint))));
            let (key, spelled) = match entry.names.address() {
                Some(address) => ("destination_addresses", vec![address.to_string()]),
                None => ("destination_fqdns", list.product.spell(&entry.names)),
            };
            let spelled: Vec<String> = spelled.iter().map(|name| quoted(name)).collect();
            let host = entry.endpoints.first().map_or("host", |endpoint| endpoint.host.as_str());
            text.push_str("    rule {\n");
            attributes(
                &mut text,
                6,
                &[
                    ("name", quoted(&rule_name(host, entry.port))),
                    ("protocols", "[\"TCP\"]".to_owned()),
                    ("source_addresses", "var.source_addresses".to_owned()),
                    (key, format!("[{}]", spelled.join(", "))),
                    ("destination_ports", format!("[{}]", quoted(&entry.port.to_string()))),
                ],
            );
            text.push_str("    }\n");
        }
        text.push_str("  }\n");
    }
    let mut by_port: BTreeMap<(Protocol, u16), Vec<&ByName<'_>>> = BTreeMap::new();
    for entry in application {
        by_port.entry((entry.protocol, entry.port)).or_default().push(entry);
    }
    if !by_port.is_empty() {
        collection(&mut text, "application", name, 510);
        for ((protocol, port), entries) in by_port {
            let kind = if protocol == Protocol::Https { "Https" } else { "Http" };
            text.push_str("\n    rule {\n");
            let mut all = vec![
                ("name", quoted(&format!("{}-{port}", protocol.as_str()))),
                ("source_addresses", "var.source_addresses".to_owned()),
            ];
            if list.request.exclusions {
                all.push(("terminate_tls", "false".to_owned()));
            }
            attributes(&mut text, 6, &all);
            text.push('\n');
            names(&mut text, 6, "destination_fqdns", list, &entries);
            text.push_str("\n      protocols {\n");
            attributes(&mut text, 8, &[("type", quoted(kind)), ("port", port.to_string())]);
            text.push_str("      }\n    }\n");
        }
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    Rendered { text, left_out }
}

fn collection(text: &mut String, kind: &str, name: &str, priority: u16) {
    let _ = writeln!(text, "\n  {kind}_rule_collection {{");
    attributes(
        text,
        4,
        &[("name", quoted(&format!("{name}-{kind}"))), ("priority", priority.to_string()), ("action", quoted("Allow"))],
    );
}

/// A list of names, one a line, each below what it is for.
fn names(text: &mut String, indent: usize, key: &str, list: &List<'_>, entries: &[&ByName<'_>]) {
    let pad = " ".repeat(indent);
    let _ = writeln!(text, "{pad}{key} = [");
    for entry in entries {
        text.push_str(&comments(&format!("{pad}  #"), entry.endpoints.iter().map(|endpoint| remark(endpoint))));
        for spelled in list.product.spell(&entry.names) {
            let _ = writeln!(text, "{pad}  {},", quoted(&spelled));
        }
    }
    let _ = writeln!(text, "{pad}]");
}

fn variable(name: &str, description: &str, kind: &str) -> String {
    let mut text = format!("\nvariable \"{name}\" {{\n");
    attributes(&mut text, 2, &[("description", quoted(description)), ("type", kind.to_owned())]);
    text.push_str("}\n");
    text
}

/// Attributes below each other, their equals signs in one column.
fn attributes(text: &mut String, indent: usize, all: &[(&str, String)]) {
    let width = all.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in all {
        let _ = writeln!(text, "{:indent$}{key:width$} = {value}", "");
    }
}

/// A string of HCL, without interpolation.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
    format!("\"{text}\"")
}

/// What AWS takes as the description of a rule: 255 characters of a small alphabet.
fn description(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c) { c } else { ' ' };
    text.chars().map(allowed).take(255).collect()
}

/// Letters, digits, dots, hyphens and underscores, at most 80 of them.
fn rule_name(host: &str, port: u16) -> String {
    let host: String = host.chars().map(|c| if c == ':' { '-' } else { c }).take(70).collect();
    format!("{host}-{port}")
}
