//! Judges whether the web interface answers `/Status`.

use super::text::{Compose, nothing};
use crate::check::prelude::*;
use crate::net::NetError;
use crate::product::Known;
use crate::product::interface::{self, Asked, InterfaceFacts};
use crate::text::{host_port, typed};

/// See the module.
pub(super) struct Interface;

impl Check for Interface {
    type Facts = InterfaceFacts;

    const META: Meta = Meta::new("interface", Group::Runtime, &[ids::INTERFACE_STATUS]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&InterfaceFacts>) -> InterfaceFacts {
        interface::look(look.host, &look.spec.home, time)
    }

    fn judge(&self, facts: &InterfaceFacts, spec: &CheckSpec) -> Vec<Finding> {
        if let Some(nothing) = nothing(&facts.place, ids::INTERFACE_STATUS, "the web interface was") {
            return nothing;
        }
        if facts.not_here {
            let file = own(facts.place.compose.first().map_or("", String::as_str));
            let skip = Finding::skip(ids::INTERFACE_STATUS, "this host runs no web interface");
            return vec![skip.observed(text!("{} has no service interfaceserver", file))];
        }
        let Some(asked) = &facts.asked else { return Vec::new() };
        let mut finding = verdict(asked, &Compose::of(&facts.place, &spec.home))
            .expected(text!("{} answers 200", own(url(asked))))
            .evidence("url", own(url(asked)))
            .evidence("took_ms", asked.took_ms);
        if let Ok(answer) = &asked.answer {
            finding = finding.evidence("http_status", answer.status);
        }
        finding.duration_ms = Some(asked.took_ms);
        vec![finding]
    }
}

fn url(asked: &Asked) -> String {
    format!("http://{}{}", host_port(&asked.address, asked.port), Known::get().health.path)
}

fn verdict(asked: &Asked, compose: &Compose) -> Finding {
    let finding = |status, title: Text| Finding::new(ids::INTERFACE_STATUS, status, title);
    let (took, limit) = (took(asked.took_ms), took(Known::get().health.slow_ms));
    let logs = text!("look into its log: {}", typed(text!("{} logs --tail 50 interfaceserver", compose.command)));
    let answer = match &asked.answer {
        Err(error) => return silent(asked, error, &compose.command, logs),
        Ok(answer) => answer,
    };
    let health = &Known::get().health;
    let seen = match &answer.server {
        Some(server) => text!("{} in {}, from {}", answer.status, took, own(server)),
        None => text!("{} in {}", answer.status, took),
    };
    match (answer.status, &answer.location) {
        (200, _) if answer.html => finding(Status::Warn, "something answers /Status with a web page".into())
            .observed(text!("{}: an HTML page", seen))
            .cause("another web server may hold the port, or a proxy in front shows a page of its own")
            .advise(text!("look who listens: {}", typed(text!("ss -ltnp 'sport = :{}'", asked.port)))),
        (200, _) if asked.took_ms > health.slow_ms => {
            finding(Status::Warn, text!("the web interface is slow: {}", took))
                .observed(seen)
                .cause(text!("a load balancer gives up after 10 s; up to {} would be well", limit))
                .advise(text!(
                    "look whether the host is overloaded: {}; {}",
                    typed("uptime"),
                    typed("docker stats --no-stream")
                ))
        }
        (200, _) => finding(Status::Pass, "the web interface answers".into()).observed(seen),
        (300..=399, Some(to)) if path_of(to).starts_with(health.setup.as_str()) => {
            finding(Status::Warn, "the web interface waits for its first set-up".into())
                .observed(text!("{}: redirect to {}", seen, to))
                .cause("the product runs, and nobody has made the first administrator yet")
                .advise(text!("open http://<THIS-HOST>:{}{} in a browser", asked.port, own(&health.setup)))
        }
        (300..=399, to) => {
            let to = to.as_ref().map_or_else(|| Text::from("nowhere"), |to| text!("{}", to));
            finding(Status::Warn, "the web interface redirects /Status".into())
                .observed(text!("{}: redirect to {}", seen, to))
                .cause("load balancers count anything but 200 as ill; a redirect to https means that a web server in front holds this port")
                .advise(text!("look where it leads: {}", typed(text!("curl -skL -o /dev/null -w '%{{url_effective}} %{{http_code}}\\n' {}", own(url(asked))))))
        }
        (502..=504, _) => {
            let finding = finding(
                Status::Fail,
                "a web server in front answers for the web interface, which does not".into(),
            )
            .observed(seen)
            .cause("nginx, Apache or HAProxy holds the port, and interfaceserver behind it is down or still starts")
            .advise(logs);
            compose.mends(finding, "up -d interfaceserver")
        }
        (404, _) => finding(Status::Fail, "what answers on the interface's port knows no /Status".into())
            .observed(seen)
            .cause("another program holds the port, or the release is older than this address")
            .advise(text!("look who listens: {}", typed(text!("ss -ltnp 'sport = :{}'", asked.port)))),
        (500, _) => finding(Status::Fail, "the web interface answers with an error of its own".into())
            .observed(seen)
            .cause("most often it has lost its database or Redis")
            .advise(text!("look at both: {}", ics_setup("check backends")))
            .advise(logs),
        _ => finding(Status::Fail, text!("the web interface answers {} instead of 200", answer.status))
            .observed(seen)
            .cause("another program holds the port, or something in front of the interface answers for it")
            .advise(logs),
    }
}

/// `/setup?x` of `http://host:8001/setup?x`.
fn path_of(location: &str) -> &str {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => location,
    }
}

fn silent(asked: &Asked, error: &NetError, command: &Text, logs: Text) -> Finding {
    let finding = |title: Text| Finding::fail(ids::INTERFACE_STATUS, title).observed(text!("{}", error));
    let port = asked.port;
    match error {
        NetError::Refused => finding(text!("nothing listens on port {}", own(port)))
            .cause(
                "interfaceserver does not run, has not opened its port yet, or the compose file publishes another one",
            )
            .advise(text!("look whether it runs: {}", typed(text!("{} ps", command))))
            .advise(logs),
        NetError::ConnectTimeout { .. } => finding(text!("port {} of this host does not answer", own(port)))
            .cause("a firewall drops packets to the port, or the listener is stuck")
            .advise(text!(
                "look: {}; {}",
                typed(text!("ss -ltn 'sport = :{}'", own(port))),
                typed("iptables -S INPUT | head")
            )),
        NetError::Silent { .. } | NetError::Closed | NetError::Reset => finding(
            "the web interface takes the connection and gives no answer".into(),
        )
        .cause("it still starts (it waits for the database and for the scheduler to upgrade the schema), or it hangs")
        .advise(logs)
        .advise(text!("wait for it: {}", ics_setup("check runtime --only interface-status --wait 5m"))),
        NetError::Unexpected { tls: true, .. } => finding(text!("port {} speaks TLS, not plain HTTP", own(port)))
            .cause("a web server in front, or another program, holds the port")
            .advise(text!(
                "look what answers: {}",
                typed(text!(
                    "curl -sk -o /dev/null -w '%{{http_code}}\\n' https://{}{}",
                    own(host_port(&asked.address, port)),
                    own(&Known::get().health.path)
                ))
            )),
        NetError::Unexpected { .. } | NetError::TooMuch { .. } => {
            finding(text!("what listens on port {} is no web server", own(port)))
                .cause("another program holds the port")
                .advise(text!("look who listens: {}", typed(text!("ss -ltnp 'sport = :{}'", own(port)))))
        }
        _ => finding("the web interface could not be asked".into())
            .cause("the connection ended before an answer: the interface, or this host's own network, is in trouble")
            .advise(logs),
    }
}

#[cfg(test)]
mod tests;
