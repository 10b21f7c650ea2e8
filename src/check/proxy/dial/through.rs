//! Does it let this host through, and does it take the login?

use std::time::Duration;

use super::super::super::causes;
use super::{Uses, wanted};
use crate::check::prelude::*;
use crate::net::NetError;
use crate::network::catalogue::{Confidence, Needs};
use crate::network::cause::{Cause, Stage, Via, offers_basic};
use crate::network::proxy::{Dialled, ProxyAnswers, Said};
use crate::network::target::Target;

/// An answer that takes longer than this is a warning.
const SLOW: Duration = Duration::from_secs(3);

/// Both findings.
pub(super) fn judge_through(
    proxy: &Dialled,
    answers: &ProxyAnswers,
    uses: &Uses<'_>,
    spec: &CheckSpec,
) -> Vec<Finding> {
    let tls = uses.iter().any(|(_, proxy)| proxy.tls);
    let Some(said) = answers.said(tls) else {
        let why = "its certificate is not trusted, so nothing was asked through it";
        return [ids::PROXY_CONNECT_METHOD, ids::PROXY_CREDENTIALS]
            .into_iter()
            .map(|id| Finding::skip(id, text!("{} was not asked", own(proxy.place()))).observed(why))
            .collect();
    };
    vec![evidence(connect(proxy, said, uses, spec), said), evidence(credentials(proxy, said, uses), said)]
}

fn connect(proxy: &Dialled, said: &Said, uses: &Uses<'_>, spec: &CheckSpec) -> Finding {
    let new = |status, title: Text| Finding::new(ids::PROXY_CONNECT_METHOD, status, title);
    let place = own(proxy.place());
    let request = request(said);
    let observed = observed(said);
    let Some(failure) = said.failure() else {
        let open = text!("{} lets {} through", place, request);
        if Duration::from_millis(said.took_ms) > SLOW {
            return new(Status::Warn, text!("{}, slowly", open))
                .expected(text!("an answer within {}", own(seconds(SLOW))))
                .observed(observed)
                .cause("the proxy or its name server is overloaded, or it tries an address first that does not answer (IPv6)")
                .advise(text!("have the proxy team see why it takes so long to reach {}", own(target(said).name())));
        }
        return new(Status::Pass, open).observed(observed);
    };
    match (&failure.why, failure.stage) {
        (Cause::ProxyLogin { .. }, _) => {
            new(Status::Skip, text!("whether {} lets {} through is not known", place, request))
                .observed(text!("{}: it asks for a login first (proxy-credentials tells)", observed))
        }
        _ if failure.is_of_proxy() => {
            causes::of_proxy(&failure, &wanted(uses), ids::PROXY_CONNECT_METHOD).observed(observed)
        }
        (why, stage) => {
            // A slow origin behind an open tunnel looks the same.
            let waits = matches!(why, Cause::NetError { error: NetError::Silent { .. } }) && stage == Stage::Tls;
            let status = if waits { Status::Warn } else { Status::Fail };
            let of_finding = (ids::PROXY_CONNECT_METHOD, status);
            causes::of_way(&failure, &target(said), Via::Proxy, &text!("{}", place), spec, of_finding)
                .observed(observed)
        }
    }
}

/// What it was asked for, as an endpoint.
fn target(said: &Said) -> Target {
    let asked = said.target.trim_start_matches("http://").trim_end_matches('/');
    let (host, port) = asked.rsplit_once(':').unwrap_or((asked, "80"));
    Target {
        agent: false,
        host: host.to_owned(),
        port: port.parse().unwrap_or_default(),
        purpose: Needs::get().probe.purpose.clone(),
        stands_for: None,
        tls: said.is_connect(),
        path: Some("/".to_owned()),
        direct_only: false,
        required: true,
        confidence: Confidence::Verified,
        static_ips: Vec::new(),
    }
}

/// The answer, how long it took, and whose it is; without one, why.
fn observed(said: &Said) -> Text {
    let error = said.error.as_ref().map(|error| text!("{}", error)).unwrap_or_default();
    if said.status.is_none() {
        return error;
    }
    let took = took(said.took_ms);
    let elsewhere = matches!(said.cause(true), Some(Cause::ProxyAnswered { .. }));
    let to = said.location.as_ref().filter(|_| elsewhere).map(|url| text!(", to {}", url)).unwrap_or_default();
    let then = if error.is_empty() { error } else { text!("; then: {}", error) };
    text!("{}, after {}{}{}{}", answer(said), took, signs(said), to, then)
}

/// `407 Proxy Authentication Required`
pub(super) fn answer(said: &Said) -> Text {
    let status = said.status.map(|status| text!("{}", status));
    let reason = (!said.reason.is_empty()).then(|| text!("{}", said.reason));
    Text::join(status.into_iter().chain(reason), " ")
}

/// `CONNECT host:443`
fn request(said: &Said) -> Text {
    text!("{} {}", own(&said.method), own(&said.target))
}

fn credentials(proxy: &Dialled, said: &Said, uses: &Uses<'_>) -> Finding {
    let new = |status, title: Text| Finding::new(ids::PROXY_CREDENTIALS, status, title);
    let place = own(proxy.place());
    let Some(status) = said.status else {
        return new(Status::Skip, text!("whether {} wants a login is not known", place))
            .observed("it gave no answer of HTTP");
    };
    let answer = answer(said);
    let with_login: Vec<_> = uses.iter().copied().filter(|(_, proxy)| proxy.user.is_some()).collect();
    let user = with_login.first().and_then(|(_, proxy)| proxy.user.as_deref());
    // Without TLS the login of a URL that says TLS is not sent; only what would be refused in any case is told then.
    if let Some(failure) = said.failure()
        && let Cause::ProxyLogin { schemes, sent } = &failure.why
        && (user.is_none() || *sent || !schemes.is_empty() && !offers_basic(schemes))
    {
        let proxy = wanted(if with_login.is_empty() { uses } else { &with_login });
        let offered = if schemes.is_empty() { Text::from("no scheme") } else { text!("{}", schemes.join(", ")) };
        let observed = text!("{}; offered: {}", answer, offered);
        return causes::of_proxy(&failure, &proxy, ids::PROXY_CREDENTIALS).observed(observed);
    }
    match (user, said.logged_in) {
        (Some(user), true) if status == 403 => {
            new(Status::Skip, text!("whether {} takes the login of {} is not known", place, own(user)))
                .observed(text!("{}: it forbids the request, which it may do before it looks at the login", answer))
        }
        (Some(user), true) => {
            new(Status::Pass, text!("{} does not reject the login of {}", place, own(user))).observed(answer)
        }
        (Some(user), false) => new(Status::Skip, text!("the login of {} was not sent to {}", own(user), place))
            .observed(text!("the URL asks for TLS and the port speaks none; without the login: {}", answer)),
        (None, _) => new(Status::Pass, text!("{} asks for no login", place)).observed(answer),
    }
}

/// What tells whose proxy it is.
fn signs(said: &Said) -> Text {
    let parts = [("Via", &said.via), ("Server", &said.server), ("X-Squid-Error", &said.squid_error)];
    Text::join(parts.into_iter().filter_map(|(name, value)| Some(text!(", {}: {}", own(name), value.as_ref()?))), "")
}

fn evidence(finding: Finding, said: &Said) -> Finding {
    let mut finding = finding.evidence("request", request(said)).evidence("took_ms", said.took_ms);
    let Said { via, server, squid_error, location, .. } = said;
    for (key, value) in [("via", via), ("server", server), ("squid_error", squid_error), ("location", location)] {
        if let Some(value) = value {
            finding = finding.evidence(key, text!("{}", value));
        }
    }
    if let Some(status) = said.status {
        finding = finding.evidence("status", status);
    }
    if !said.schemes.is_empty() {
        finding = finding.evidence("schemes", said.schemes.clone());
    }
    finding
}
