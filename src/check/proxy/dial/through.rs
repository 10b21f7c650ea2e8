//! Does it let this host through, and does it take the login?

use std::time::Duration;

use super::super::super::{CheckSpec, causes};
use super::{Uses, wanted};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::net::{NetError, seconds};
use crate::network::catalogue::{Confidence, Needs};
use crate::network::cause::{Cause, Stage, Via, offers_basic};
use crate::network::proxy::{Dialled, ProxyAnswers, Said};
use crate::network::target::Target;
use crate::text;
use crate::text::own;

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
            .map(|id| Finding::new(id, Status::Skip, format!("{} was not asked", proxy.place())).observed(why))
            .collect();
    };
    vec![connect(proxy, said, uses, spec), credentials(proxy, said, uses)]
        .into_iter()
        .map(|found| evidence(found, said))
        .collect()
}

fn connect(proxy: &Dialled, said: &Said, uses: &Uses<'_>, spec: &CheckSpec) -> Finding {
    let new = |status, title: String| Finding::new(ids::PROXY_CONNECT_METHOD, status, title);
    let place = proxy.place();
    let request = format!("{} {}", said.method, said.target);
    let observed = observed(said);
    let Some(failure) = said.failure() else {
        let open = format!("{place} lets {request} through");
        if Duration::from_millis(said.took_ms) > SLOW {
            return new(Status::Warn, format!("{open}, slowly"))
                .expected(format!("an answer within {}", seconds(SLOW)))
                .observed(observed)
                .cause("the proxy or its name server is overloaded, or it tries an address first that does not answer (IPv6)")
                .fix(format!("have the proxy team see why it takes so long to reach {}", target(said).name()));
        }
        return new(Status::Pass, open).observed(observed);
    };
    match (&failure.why, failure.stage) {
        (Cause::ProxyLogin { .. }, _) => {
            new(Status::Skip, format!("whether {place} lets {request} through is not known"))
                .observed(format!("{observed}: it asks for a login first (proxy-credentials tells)"))
        }
        _ if failure.is_of_proxy() => causes::of_proxy(&failure, &wanted(uses), |title| {
            Finding::new(ids::PROXY_CONNECT_METHOD, Status::Fail, title)
        })
        .observed(observed),
        (why, stage) => {
            // A slow origin behind an open tunnel looks the same.
            let waits = matches!(why, Cause::NetError { trouble: NetError::Silent { .. } }) && stage == Stage::Tls;
            let status = if waits { Status::Warn } else { Status::Fail };
            let make = |title| Finding::new(ids::PROXY_CONNECT_METHOD, status, title);
            let who = text!("{}", own(&place));
            causes::of_way(&failure, &target(said), Via::Proxy, &who, spec, make).observed(observed)
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
fn observed(said: &Said) -> String {
    let trouble = said.trouble.as_ref().map_or_else(String::new, ToString::to_string);
    if said.status.is_none() {
        return trouble;
    }
    let took = seconds(Duration::from_millis(said.took_ms));
    let elsewhere = matches!(said.cause(true), Some(Cause::ProxyAnswered { .. }));
    let to = said.location.as_ref().filter(|_| elsewhere).map(|url| format!(", to {url}")).unwrap_or_default();
    let then = if trouble.is_empty() { trouble } else { format!("; then: {trouble}") };
    format!("{}, after {took}{}{to}{then}", answer(said), signs(said))
}

/// `407 Proxy Authentication Required`
fn answer(said: &Said) -> String {
    let status = said.status.map_or_else(String::new, |status| status.to_string());
    format!("{status} {}", said.reason).trim().to_owned()
}

fn credentials(proxy: &Dialled, said: &Said, uses: &Uses<'_>) -> Finding {
    let new = |status, title: String| Finding::new(ids::PROXY_CREDENTIALS, status, title);
    let place = proxy.place();
    let Some(status) = said.status else {
        return new(Status::Skip, format!("whether {place} wants a login is not known"))
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
        let offered = if schemes.is_empty() { "no scheme".to_owned() } else { schemes.join(", ") };
        return causes::of_proxy(&failure, &proxy, |title| Finding::new(ids::PROXY_CREDENTIALS, Status::Fail, title))
            .observed(format!("{answer}; offered: {offered}"));
    }
    match (user, said.logged_in) {
        (Some(user), true) if status == 403 => {
            new(Status::Skip, format!("whether {place} takes the login of {user} is not known"))
                .observed(format!("{answer}: it forbids the request, which it may do before it looks at the login"))
        }
        (Some(user), true) => {
            new(Status::Pass, format!("{place} does not reject the login of {user}")).observed(answer)
        }
        (Some(user), false) => new(Status::Skip, format!("the login of {user} was not sent to {place}"))
            .observed(format!("the URL asks for TLS and the port speaks none; without the login: {answer}")),
        (None, _) => new(Status::Pass, format!("{place} asks for no login")).observed(answer),
    }
}

/// What tells whose proxy it is.
fn signs(said: &Said) -> String {
    let parts = [("Via", &said.via), ("Server", &said.server), ("X-Squid-Error", &said.squid_error)];
    parts.into_iter().filter_map(|(name, value)| Some(format!(", {name}: {}", value.as_ref()?))).collect()
}

fn evidence(finding: Finding, said: &Said) -> Finding {
    let mut finding =
        finding.evidence("request", format!("{} {}", said.method, said.target)).evidence("took_ms", said.took_ms);
    for (key, value) in
        [("via", &said.via), ("server", &said.server), ("squid_error", &said.squid_error), ("location", &said.location)]
    {
        if let Some(value) = value {
            finding = finding.evidence(key, value.as_str());
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
