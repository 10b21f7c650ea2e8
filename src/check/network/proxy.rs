//! The proxy's own faults, which everything behind it has in common: said once.

use super::super::causes::{self, Proxy, proxy_for, told};
use super::NetworkFacts;
use super::scope::Scope;
use crate::check::prelude::*;
use crate::network::cause::{Cause, Failure, Via};
use crate::network::target::Target;

/// A proxy that works for no endpoint.
pub(super) struct Broken<'a> {
    /// Only the one for http requests (`Some(false)`), for https requests; `None`: there is but one.
    tls: Option<bool>,
    failure: &'a Failure,
}

impl Broken<'_> {
    /// Does the endpoint lie behind it?
    pub(super) fn is_before(&self, target: &Target) -> bool {
        self.tls.is_none_or(|tls| tls == target.tls)
    }
}

/// The proxies whose own failure everything behind them has in common. None: each works for at least one endpoint.
pub(super) fn broken<'a>(facts: &'a NetworkFacts, spec: &CheckSpec) -> Vec<Broken<'a>> {
    let one = spec.http_proxy.is_none() || spec.https_proxy.is_none() || spec.http_proxy == spec.https_proxy;
    let kinds: &[Option<bool>] = if one { &[None] } else { &[Some(true), Some(false)] };
    kinds.iter().filter_map(|tls| Some(Broken { tls: *tls, failure: common(facts, *tls)? })).collect()
}

fn common(facts: &NetworkFacts, tls: Option<bool>) -> Option<&Failure> {
    let seen = facts.seen.iter().filter(|seen| tls.is_none_or(|tls| seen.target.tls == tls));
    let walks = seen.flat_map(|seen| &seen.walks).filter(|probe| probe.via == Via::Proxy);
    // What its rules forbid does not show that it would let anything through: many forbid before they ask for a login.
    let forbidden = |failure: &Failure| matches!(failure.why, Cause::ProxyForbids { .. });
    let walks = walks.filter(|probe| !probe.failure.as_ref().is_some_and(forbidden));
    let failures: Vec<&Failure> =
        walks.map(|probe| probe.failure.as_ref().filter(|failure| failure.is_of_proxy())).collect::<Option<_>>()?;
    failures.first().copied()
}

/// The finding of a broken proxy.
pub(super) fn of_proxy(scope: Scope, broken: &Broken<'_>, facts: &NetworkFacts, spec: &CheckSpec) -> Finding {
    let failure = broken.failure;
    let behind = facts
        .seen
        .iter()
        .filter(|seen| broken.is_before(&seen.target))
        .flat_map(|seen| &seen.walks)
        .filter(|probe| probe.via == Via::Proxy)
        .count();
    let flag = match broken.tls {
        None => "--proxy",
        Some(true) => "--https-proxy",
        Some(false) => "--http-proxy",
    };
    let proxy = Proxy::new(proxy_for(broken.tls.unwrap_or(true), spec), flag);
    let finding = causes::of_proxy(failure, &proxy, scope.proxy()).observed(told(failure));
    Finding {
        stage: Some(failure.stage.as_str()),
        path: Some(Via::Proxy.as_str()),
        duration_ms: Some(failure.took_ms),
        ..finding.evidence("endpoints_behind_it", behind)
    }
}
