//! The corrected list: members separated by commas alone, in forms that most clients understand.

use core::net::Ipv6Addr;

use super::form::{host_and_port, is_name, is_short, range};
use super::{List, Local, dies, is_understood, needs};
use crate::network::catalogue::Needs;
use crate::settings::{NoProxy, is_stranger};

/// The corrected list.
pub(super) fn list(list: &List<'_>) -> String {
    of_members(list, &list.members)
}

/// The corrected list with the members that the settings ask for besides, corrected alike: a command that writes it takes away
/// what it was printed for, wherever that stood.
pub(super) fn with_wanted(list: &List<'_>) -> String {
    let wanted = list.context.wanted.iter().map(String::as_str);
    let members: Vec<&str> = list.members.iter().copied().chain(wanted).collect();
    of_members(list, &members)
}

fn of_members(list: &List<'_>, members: &[&str]) -> String {
    let taken = needs::taken(list, members);
    let mut corrected = NoProxy::default();
    let several = members.iter().any(|member| *member != "*");
    for member in members {
        if taken.iter().any(|own| own.eq_ignore_ascii_case(member)) || (*member == "*" && several) {
            continue;
        }
        if is_stranger(member) {
            continue;
        }
        let said_otherwise = mended(member);
        // What nobody can say otherwise stays where a client understands it and none dies of it.
        let stays = said_otherwise.is_empty()
            && is_understood(member, &list.context.clients)
            && !list.context.clients.iter().any(|client| dies(client, member));
        for member in if stays { vec![(*member).to_owned()] } else { said_otherwise } {
            corrected.push(&member);
        }
    }
    if corrected.is_everything() {
        return corrected.to_string();
    }
    if list.context.proxied && list.context.local != Local::No {
        corrected.push("localhost");
        corrected.push("127.0.0.1");
    }
    if list.context.proxied && list.context.cloud.is_some() {
        corrected.push(&Needs::get().metadata);
    }
    if list.context.proxied {
        list.context.direct.iter().for_each(|direct| corrected.push(&direct.host));
    }
    corrected.to_string()
}

/// What is written in place of one member.
fn mended(member: &str) -> Vec<String> {
    if member == "*" {
        return vec![member.to_owned()];
    }
    if let Some((address, _)) = range(member) {
        // An IPv6 range kills httpx and cannot be said otherwise.
        return if address.is_ipv6() { Vec::new() } else { vec![member.to_owned()] };
    }
    let member = member.split_once("://").map_or(member, |(_, rest)| rest);
    let member = member.split(['/', '?', '#']).next().unwrap_or_default();
    let member = member.rsplit_once('@').map_or(member, |(_, host)| host);
    let member = host_and_port(member).map_or(member, |(host, _)| host);
    let member = member.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(member);
    if let Ok(address) = member.parse::<Ipv6Addr>() {
        return vec![address.to_string()];
    }
    let is_star = member.starts_with("*.");
    let name = member.strip_prefix('*').unwrap_or(member).trim_end_matches('.');
    let plain = name.strip_prefix('.').unwrap_or(name);
    if plain.parse::<core::net::Ipv4Addr>().is_ok() {
        let own = (plain == "127.0.0.0").then(|| "127.0.0.1".to_owned());
        return std::iter::once(plain.to_owned()).chain(own).collect();
    }
    if !is_name(plain) {
        return Vec::new();
    }
    // A pair of a whole top-level domain would be worse than what it replaces.
    if is_star && is_short(plain) {
        return vec![member.to_owned()];
    }
    if is_star { vec![plain.to_owned(), format!(".{plain}")] } else { vec![name.to_owned()] }
}
