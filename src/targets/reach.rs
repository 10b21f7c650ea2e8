//! What the list that is going to be written takes away from the proxy although the product needs it, and what it leaves
//! to the proxy although that cannot answer.

use crate::clients::{Client, Target, all, excluded};
use crate::finding::{Finding, Status};
use crate::network::catalogue::Needs;
use crate::settings::NoProxy;

/// The findings, worst first. All give the same corrected list.
pub(super) fn remarks(list: &NoProxy, test_drive: bool) -> Vec<Finding> {
    let (needs, text) = (Needs::get(), list.to_string());
    let fix = format!("--no-proxy-only {}", corrected(list, test_drive));
    let warn = |id, title: String| Finding::new(id, "proxy", Status::Warn, title);
    let mut findings = Vec::new();
    let taken = excluded(&text, &needs.hosts);
    if !taken.is_empty() {
        let hosts: Vec<&str> = taken.iter().map(|(host, ..)| host.pattern.as_str()).collect();
        let rows: Vec<String> = taken
            .iter()
            .map(|(host, member, clients)| {
                let ids: Vec<&str> = clients.iter().map(|client| client.id.as_str()).collect();
                format!("{} ({}) goes direct by {member} in {}", host.pattern, host.purpose, ids.join(", "))
            })
            .collect();
        findings.push(
            warn("NP014", format!("no_proxy takes {} away from the proxy", hosts.join(", ")))
                .expected("hosts that the product needs are asked through the proxy, unless there is a direct way")
                .observed(rows.join("; "))
                .fix(fix.clone()),
        );
    }
    let loopback = asking("http://127.0.0.1:8001/", &text);
    if test_drive && !loopback.is_empty() {
        let title = "no_proxy does not exclude loopback: http://127.0.0.1:8001 would ask the proxy";
        findings.push(
            warn("NP009", title.to_owned())
                .expected("localhost,127.0.0.1 in the list: a Test Drive has everything on this host")
                .observed(format!("through the proxy in {}", loopback.join(", ")))
                .fix(fix.clone()),
        );
    }
    let address = &needs.metadata;
    let metadata = asking(&format!("http://{address}/"), &text);
    if !metadata.is_empty() {
        let title = format!("no_proxy does not exclude {address}, where a cloud tells an instance its role");
        findings.push(
            warn("NP010", title)
                .expected(format!("{address} in the list, spelled so; on a host outside of clouds it does no harm"))
                .observed(format!("through the proxy in {}", metadata.join(", ")))
                .fix(fix),
        );
    }
    findings
}

/// The clients that would ask the proxy for this URL.
fn asking(url: &str, list: &str) -> Vec<&'static str> {
    let Ok(target) = Target::parse(url) else { return Vec::new() };
    let asks =
        |client: &&Client| client.reads_environment() && !client.is_broken() && client.route(&target, list).is_proxy();
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
