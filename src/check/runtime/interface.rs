//! Judges whether the web interface answers `/Status`.

use std::time::Duration;

use super::text::nothing;
use crate::check::spec::CheckSpec;
use crate::check::unit::{Check, Group, Look, Meta};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::net::{NetError, Time, seconds};
use crate::product::Known;
use crate::product::interface::{self, Asked, InterfaceFacts};
use crate::text::host_port;

/// See the module.
pub(super) struct Interface;

impl Check for Interface {
    type Facts = InterfaceFacts;

    const META: Meta = Meta::new("interface", Group::Runtime, &[ids::INTERFACE_STATUS]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&InterfaceFacts>) -> InterfaceFacts {
        interface::look(look.host, &look.spec.home, time)
    }

    fn judge(&self, facts: &InterfaceFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge_interface(facts, spec)
    }
}

fn judge_interface(facts: &InterfaceFacts, spec: &CheckSpec) -> Vec<Finding> {
    if let Some(nothing) = nothing(&facts.place, ids::INTERFACE_STATUS, "the web interface was") {
        return nothing;
    }
    if facts.not_here {
        let skip = Finding::new(ids::INTERFACE_STATUS, Status::Skip, "this host runs no web interface").observed(
            format!("{} has no service interfaceserver", facts.place.compose.first().map_or("", String::as_str)),
        );
        return vec![skip];
    }
    let Some(asked) = &facts.asked else { return Vec::new() };
    let mut finding = verdict(asked, &facts.place.command(&spec.home))
        .expected(format!("{} answers 200", url(asked)))
        .evidence("url", url(asked))
        .evidence("took_ms", asked.took_ms);
    if let Ok(answer) = &asked.answer {
        finding = finding.evidence("http_status", answer.status);
    }
    finding.duration_ms = Some(asked.took_ms);
    vec![finding]
}

fn url(asked: &Asked) -> String {
    format!("http://{}{}", host_port(&asked.address, asked.port), Known::get().health.path)
}

fn verdict(asked: &Asked, command: &str) -> Finding {
    let finding = |status, title: &str| Finding::new(ids::INTERFACE_STATUS, status, title.to_owned());
    let took = seconds(Duration::from_millis(asked.took_ms));
    let logs = format!("{command} logs --tail 50 interfaceserver");
    let answer = match &asked.answer {
        Err(trouble) => return silent(asked, trouble, command, &logs),
        Ok(answer) => answer,
    };
    let health = &Known::get().health;
    let seen = match &answer.server {
        Some(server) => format!("{} in {took}, from {server}", answer.status),
        None => format!("{} in {took}", answer.status),
    };
    match (answer.status, &answer.location) {
        (200, _) if answer.html => finding(Status::Warn, "something answers /Status with a web page")
            .observed(format!("{seen}: an HTML page"))
            .cause("another web server may hold the port, or a proxy in front shows a page of its own")
            .fix(format!("who listens: ss -ltnp 'sport = :{}'", asked.port)),
        (200, _) if asked.took_ms > health.slow_ms => {
            let limit = seconds(Duration::from_millis(health.slow_ms));
            finding(Status::Warn, &format!("the web interface is slow: {took}"))
                .observed(seen)
                .cause(format!("a load balancer gives up after 10 s; up to {limit} would be well"))
                .fix("is the host overloaded: uptime; docker stats --no-stream")
        }
        (200, _) => finding(Status::Pass, "the web interface answers").observed(seen),
        (300..=399, Some(to)) if path_of(to).starts_with(health.setup.as_str()) => {
            finding(Status::Warn, "the web interface waits for its first set-up")
                .observed(format!("{seen}: redirect to {to}"))
                .cause("the product runs, and nobody has made the first administrator yet")
                .fix(format!("open http://THIS-HOST:{}{} in a browser", asked.port, health.setup))
        }
        (300..=399, to) => {
            let to = to.as_deref().unwrap_or("nowhere");
            finding(Status::Warn, "the web interface redirects /Status")
                .observed(format!("{seen}: redirect to {to}"))
                .cause("load balancers count anything but 200 as ill; a redirect to https means that a web server in front holds this port")
                .fix(format!("curl -skL -o /dev/null -w '%{{url_effective}} %{{http_code}}\\n' {}", url(asked)))
        }
        (502..=504, _) => finding(Status::Fail, "a web server in front answers for the web interface, which does not")
            .observed(seen)
            .cause("nginx, Apache or HAProxy holds the port, and interfaceserver behind it is down or still starts")
            .fix(logs.to_owned())
            .fix(format!("{command} up -d interfaceserver")),
        (404, _) => finding(Status::Fail, "what answers on the interface's port knows no /Status")
            .observed(seen)
            .cause("another program holds the port, or the release is older than this address")
            .fix(format!("who listens: ss -ltnp 'sport = :{}'", asked.port)),
        (500, _) => finding(Status::Fail, "the web interface answers with an error of its own")
            .observed(seen)
            .cause("most often it has lost its database or Redis")
            .fix("ics-setup check backends")
            .fix(logs.to_owned()),
        _ => finding(Status::Fail, &format!("the web interface answers {} instead of 200", answer.status))
            .observed(seen)
            .fix(logs.to_owned()),
    }
}

/// `/setup?x` of `http://host:8001/setup?x`.
fn path_of(location: &str) -> &str {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => location,
    }
}

fn silent(asked: &Asked, trouble: &NetError, command: &str, logs: &str) -> Finding {
    let finding =
        |title: &str| Finding::new(ids::INTERFACE_STATUS, Status::Fail, title.to_owned()).observed(trouble.to_string());
    let port = asked.port;
    match trouble {
        NetError::Refused => finding(&format!("nothing listens on port {port}"))
            .cause(
                "interfaceserver does not run, has not opened its port yet, or the compose file publishes another one",
            )
            .fix(format!("{command} ps"))
            .fix(logs.to_owned()),
        NetError::ConnectTimeout { .. } => finding(&format!("port {port} of this host does not answer"))
            .cause("a firewall drops packets to the port, or the listener is stuck")
            .fix(format!("ss -ltn 'sport = :{port}'; iptables -S INPUT | head")),
        NetError::Silent { .. } | NetError::Closed | NetError::Reset => finding(
            "the web interface takes the connection and gives no answer",
        )
        .cause("it still starts (it waits for the database and for the scheduler to upgrade the schema), or it hangs")
        .fix(logs.to_owned())
        .fix("wait for it: ics-setup check runtime --only interface-status --wait 5m"),
        NetError::Unexpected { tls: true, .. } => finding(&format!("port {port} speaks TLS, not plain HTTP"))
            .cause("a web server in front, or another program, holds the port")
            .fix(format!(
                "curl -sk -o /dev/null -w '%{{http_code}}\\n' https://{}{}",
                host_port(&asked.address, port),
                Known::get().health.path
            )),
        NetError::Unexpected { .. } | NetError::TooMuch { .. } => {
            finding(&format!("what listens on port {port} is no web server"))
                .cause("another program holds the port")
                .fix(format!("who listens: ss -ltnp 'sport = :{port}'"))
        }
        _ => finding("the web interface could not be asked").fix(logs.to_owned()),
    }
}

#[cfg(test)]
mod tests;
