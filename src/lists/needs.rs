//! What a list excludes from the proxy, and what it should exclude and does not.

use super::{List, Local, NAMED, TRIED, names, some_of};
use crate::clients::{Client, Target, excluded};
use crate::finding::{Finding, Status, ids};
use crate::network::catalogue::Needs;
use crate::system::cloud::Direct;
use crate::text;
use crate::text::{Text, own};

/// NP009, NP010 and NP014. Without a proxy there is nothing to be excluded from.
pub(super) fn lints(list: &List<'_>) -> Vec<Finding> {
    if !list.context.proxied {
        return Vec::new();
    }
    let direct = list.context.direct.iter().map(|own| direct(list, own));
    [loopback(list), metadata(list)].into_iter().chain(direct).chain([vendor(list)]).flatten().collect()
}

/// The members that take the vendor's hosts away from the proxy.
pub(super) fn taken(list: &List<'_>, members: &[&str]) -> Vec<String> {
    let members = members.iter().filter(|member| !excluded(member, list.context.required).is_empty());
    members.take(TRIED).map(|member| (*member).to_owned()).collect()
}

fn asking_the_proxy(list: &List<'_>, url: &str) -> Vec<&'static Client> {
    let Ok(target) = Target::parse(url) else { return Vec::new() };
    list.who(|client| client.route(&target, list.value).is_proxy())
}

fn loopback(list: &List<'_>) -> Option<Finding> {
    if list.context.local == Local::No {
        return None;
    }
    let by_address = asking_the_proxy(list, "http://127.0.0.1:8001/");
    let by_name = asking_the_proxy(list, "http://localhost:8001/");
    let (status, why) = match list.context.local {
        Local::Seen(line) => (Status::Warn, text!("{} asks loopback by HTTP", own(line))),
        _ => (Status::Fail, "a Test Drive has everything on this host".into()),
    };
    let urls = match (by_address.is_empty(), by_name.is_empty()) {
        (true, true) => return None,
        (false, true) => "http://127.0.0.1:8001",
        (true, false) => "http://localhost:8001",
        (false, false) => "http://127.0.0.1:8001 and http://localhost:8001",
    };
    let asking = if by_address.len() >= by_name.len() { &by_address } else { &by_name };
    let finding = list
        .finding(ids::NP009, status, text!("does not exclude loopback: {} would ask the proxy", own(urls)))
        .expected("localhost,127.0.0.1 in the list")
        .observed(text!("through the proxy in {}", names(asking)))
        .cause(text!("{}; 127.0.0.0 is compared literally, so it does not help", why));
    Some(list.mended(finding))
}

fn metadata(list: &List<'_>) -> Option<Finding> {
    let cloud = list.context.cloud;
    if cloud.is_none() && !list.context.whole {
        return None;
    }
    let address = own(&Needs::get().metadata);
    let asking = asking_the_proxy(list, &format!("http://{address}/"));
    if asking.is_empty() {
        return None;
    }
    let finding = match cloud {
        Some(cloud) => {
            list.fail(ids::NP010, text!("does not exclude {}, the metadata address of {}", address, own(cloud)))
        }
        None => list.warn(ids::NP010, text!("does not exclude {}, where a cloud tells an instance its role", address)),
    };
    let finding = finding
        .expected(text!("{} in the list, spelled so; outside of clouds it does no harm", address))
        .observed(text!("through the proxy in {}", names(&asking)))
        .cause("the proxy would answer with its own instance's role, or not at all");
    Some(list.mended(finding))
}

/// Another host that only this cloud, or what runs here, answers for.
fn direct(list: &List<'_>, direct: &Direct) -> Option<Finding> {
    let host = own(&direct.host);
    let asking = asking_the_proxy(list, &format!("http://{host}/"));
    if asking.is_empty() {
        return None;
    }
    let finding = list.fail(ids::NP010, text!("does not exclude {}, which clients ask on {}", host, own(&direct.of)));
    let finding = finding
        .expected(text!("{} in the list, spelled so", host))
        .observed(text!("through the proxy in {}", names(&asking)))
        .cause("it gives this host, or what runs on it, its credentials, which no proxy has");
    Some(list.mended(finding))
}

fn vendor(list: &List<'_>) -> Option<Finding> {
    let found = excluded(list.value, list.context.required);
    let of_place = |clients: Vec<&Client>| list.who(|client| clients.iter().any(|other| other.id == client.id));
    let found: Vec<_> = found
        .into_iter()
        .map(|(host, member, clients)| (host, member, of_place(clients)))
        .filter(|row| !row.2.is_empty())
        .collect();
    if found.is_empty() {
        return None;
    }
    let hosts: Vec<Text> = found.iter().map(|(host, ..)| text!("{}", own(&host.pattern))).collect();
    let rows = found.iter().take(NAMED).map(|(host, member, clients)| {
        text!("{} ({}) goes direct by {} in {}", own(&host.pattern), own(&host.purpose), member, names(clients))
    });
    let more: Text = match found.len().saturating_sub(NAMED) {
        0 => Text::default(),
        more => text!("; and {} more", more),
    };
    let finding = list
        .fail(ids::NP014, text!("takes {} away from the proxy", some_of(hosts)))
        .expected("hosts that the product needs ask the proxy, for this host has one because it has no way of its own")
        .observed(text!("{}{}", Text::join(rows, "; "), more))
        .cause("where there is a direct way after all: --ignore-check NP014=direct");
    Some(list.mended(finding))
}
