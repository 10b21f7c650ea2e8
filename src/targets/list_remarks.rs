//! What the list that is going to be written takes away from the proxy although the product needs it, and what it leaves
//! to the proxy although that cannot answer.

use crate::clients::{Client, Target, all, excluded};
use crate::finding::{Finding, ids};
use crate::network::catalogue::Needs;
use crate::settings::NoProxy;
use crate::text;
use crate::text::{Text, own};
use crate::vendor::Vendor;

/// The findings, worst first. All give the same corrected list.
pub(super) fn remarks(list: &NoProxy, test_drive: bool) -> Vec<Finding> {
    // The vendor's own list is what most hosts get, and asking every client about it takes as long as all the rest of a run.
    // A test holds it to what they say.
    if is_built_in(list, test_drive) { Vec::new() } else { judged(list, test_drive) }
}

/// Is it the built-in list of this deployment, whole and with nothing beside it?
fn is_built_in(list: &NoProxy, test_drive: bool) -> bool {
    let members = &Vendor::get().no_proxy;
    let of_test_drive = members.test_drive.iter().chain(&members.test_drive_added).filter(|_| test_drive);
    let built_in: Vec<&str> = members.base.iter().chain(of_test_drive).map(String::as_str).collect();
    list.members().count() == built_in.len() && built_in.iter().all(|member| list.contains(member))
}

fn judged(list: &NoProxy, test_drive: bool) -> Vec<Finding> {
    let (needs, text) = (Needs::get(), list.to_string());
    // Rarely needed, and most of the work.
    let fix = || text!("--no-proxy-only {}", corrected(list, test_drive).to_string());
    let mut findings = Vec::new();
    let taken = excluded(&text, &needs.hosts);
    if !taken.is_empty() {
        let hosts: Vec<&str> = taken.iter().map(|(host, ..)| host.pattern.as_str()).collect();
        let rows = taken.iter().map(|(host, member, clients)| {
            let ids: Vec<&str> = clients.iter().map(|client| client.id.as_str()).collect();
            let (pattern, purpose) = (own(&host.pattern), own(&host.purpose));
            text!("{} ({}) goes direct by {} in {}", pattern, purpose, member, own(ids.join(", ")))
        });
        findings.push(
            Finding::warn(ids::NP014, text!("no_proxy takes {} away from the proxy", own(hosts.join(", "))))
                .expected("hosts that the product needs are asked through the proxy, unless there is a direct way")
                .observed(Text::join(rows, "; "))
                .advise(fix()),
        );
    }
    let loopback = asking("http://127.0.0.1:8001/", &text);
    if test_drive && !loopback.is_empty() {
        let title = "no_proxy does not exclude loopback: http://127.0.0.1:8001 would ask the proxy";
        findings.push(
            Finding::warn(ids::NP009, title)
                .expected("localhost,127.0.0.1 in the list: a Test Drive has everything on this host")
                .observed(text!("through the proxy in {}", own(loopback.join(", "))))
                .advise(fix()),
        );
    }
    let address = own(&needs.metadata);
    let metadata = asking(&format!("http://{address}/"), &text);
    if !metadata.is_empty() {
        let title = text!("no_proxy does not exclude {}, where a cloud tells an instance its role", address);
        findings.push(
            Finding::warn(ids::NP010, title)
                .expected(text!("{} in the list, spelled so; on a host outside of clouds it does no harm", address))
                .observed(text!("through the proxy in {}", own(metadata.join(", "))))
                .advise(fix()),
        );
    }
    findings
}

/// The clients that would ask the proxy for this URL.
fn asking(url: &str, list: &str) -> Vec<&'static str> {
    let Ok(target) = Target::parse(url) else { return Vec::new() };
    let asks =
        |client: &&Client| client.reads_environment() && !client.broken && client.route(&target, list).is_proxy();
    all().iter().filter(asks).map(|client| client.id.as_str()).collect()
}

fn corrected(list: &NoProxy, test_drive: bool) -> NoProxy {
    let needs = Needs::get();
    let mut corrected = NoProxy::default();
    let keeps = |member: &&str| excluded(member, &needs.hosts).is_empty();
    let added = ["localhost", "127.0.0.1"].into_iter().filter(|_| test_drive);
    let members = list.members().filter(keeps).chain(added).chain([needs.metadata.as_str()]);
    members.for_each(|member| corrected.push(member));
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_is_content_with_the_built_in_lists() {
        let members = &Vendor::get().no_proxy;
        for test_drive in [false, true] {
            let of_test_drive = members.test_drive.iter().chain(&members.test_drive_added).filter(|_| test_drive);
            let mut list = NoProxy::default();
            members.base.iter().chain(of_test_drive).for_each(|member| list.push(member));
            assert!(is_built_in(&list, test_drive));
            assert_eq!(judged(&list, test_drive).len(), 0);
            list.push("amazonaws.com");
            assert!(!is_built_in(&list, test_drive) && !remarks(&list, test_drive).is_empty());
        }
    }
}
