//! `check network` and `check agent`: every endpoint that the settings call for, stage by stage, and the agent's own files.

mod agent;
mod interception;
mod judge;
mod proxy;
mod scope;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::AnyCheck;
use super::engine::{self, Ended, Job, Pace};
use crate::check::prelude::*;
use crate::clients;
use crate::net::{Distrust, NetError};
use crate::network::cause::{Cause, Failure, Stage, Via};
use crate::network::openssl;
use crate::network::path::{Asked, PathProbe, probe};
use crate::network::target::Target;
use crate::progress;
use crate::settings::{ProxyUrl, Scheme};
use scope::Scope;

/// Both groups.
pub(crate) const CHECKS: &[&dyn AnyCheck] = &[&Network::<false>, &Network::<true>, &agent::InsightAgent];

/// What was seen of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Which.
    pub target: Target,
    /// One for each way that was tried; none: there was no time.
    pub walks: Vec<PathProbe>,
    /// Its static addresses, where they were tried.
    pub addresses: Vec<Static>,
}

/// What was seen of one static address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Static {
    /// The address.
    pub address: String,
    /// Where the way to it ended, unless it was gone to its end.
    pub failure: Option<Failure>,
    /// The server's key, to compare with the one under the name.
    pub key: Option<String>,
    /// Why the certificate is not valid by this host's certificates; absent: it is, or there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_host: Option<Distrust>,
    /// The same by the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_public: Option<Distrust>,
}

/// Everything that was seen of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NetworkFacts {
    /// In the catalogue's order.
    pub seen: Vec<Seen>,
    /// The file with the certificates that this host trusts.
    pub bundle: Option<String>,
}

/// The endpoints of the Insight Agent, or all others.
struct Network<const AGENT: bool>;

impl<const AGENT: bool> Network<AGENT> {
    const SCOPE: Scope = if AGENT { Scope::Agent } else { Scope::Product };
}

impl<const AGENT: bool> Check for Network<AGENT> {
    type Facts = NetworkFacts;

    const META: Meta = if AGENT {
        const IDS: &[FindingId] = &[
            ids::AGENT_ENDPOINT,
            ids::AGENT_PROXY,
            ids::AGENT_RESOLVER,
            ids::AGENT_INTERCEPTION,
            ids::AGENT_STATIC_ADDRESS,
            ids::AGENT_COLLECTOR,
        ];
        Meta::new("agent", Group::Agent, IDS)
    } else {
        const IDS: &[FindingId] =
            &[ids::NETWORK_ENDPOINT, ids::NETWORK_PROXY, ids::NETWORK_RESOLVER, ids::NETWORK_INTERCEPTION];
        Meta::new("network", Group::Network, IDS)
    };

    fn limit(&self, spec: &CheckSpec) -> Duration {
        spec.limits.run()
    }

    fn collect(&self, look: &Look<'_>, time: Time, earlier: Option<&NetworkFacts>) -> NetworkFacts {
        let targets: Vec<&Target> = look.spec.endpoints.iter().filter(|target| target.agent == AGENT).collect();
        let mut seen: Vec<Seen> = targets
            .iter()
            .map(|target| Seen { target: (*target).clone(), walks: Vec::new(), addresses: Vec::new() })
            .collect();
        // Endpoints that were reached in an earlier round are not asked again.
        let reached = |target: &Target| {
            let of = |seen: &&Seen| seen.target == *target && seen.walks.iter().all(|probe| probe.failure.is_none());
            earlier.and_then(|facts| facts.seen.iter().find(of)).filter(|seen| !seen.walks.is_empty())
        };
        let mut ways_of = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            match reached(target) {
                Some(before) => seen[index] = before.clone(),
                None => ways_of.extend(ways(look, target).into_iter().map(|way| (index, way))),
            }
        }
        let mut trips = go_with_login(look, &targets, &ways_of, time);
        let again: Vec<usize> = (0..trips.len())
            .filter(|at| trips[*at].as_ref().is_some_and(Trip::may_be_the_crowds) && ways_of.len() > FEW)
            .collect();
        let few: Vec<(usize, Way)> = again.iter().map(|at| ways_of[*at].clone()).collect();
        for (at, trip) in again.into_iter().zip(go(look, &targets, &few, time, FEW)) {
            trips[at] = trip.or_else(|| trips[at].take());
        }
        let mut most = MOST_ASKED;
        for ((index, way), trip) in ways_of.iter().zip(trips) {
            match trip {
                Some(Trip::PathProbe(mut probe)) => {
                    let error = probe.failure.as_ref().and_then(|failure| match &failure.why {
                        Cause::NetError { error } if failure.stage == Stage::Tls => Some(error),
                        _ => None,
                    });
                    if most > 0 && error.is_some_and(openssl::may_know_more) {
                        most -= 1;
                        let target = targets[*index];
                        let via = way.for_openssl();
                        probe.openssl = via.and_then(|via| {
                            let place = (target.host.as_str(), target.port);
                            openssl::ask(look.host, place, (None, via.as_deref()), look.roots, time)
                        });
                    }
                    seen[*index].walks.push(*probe);
                }
                Some(Trip::Static(address)) => seen[*index].addresses.push(address),
                // No time, or it broke: what is missing is told by the judge.
                None => {}
            }
        }
        NetworkFacts { seen, bundle: look.roots.bundle.as_ref().map(|path| path.display().to_string()) }
    }

    fn judge(&self, facts: &NetworkFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge::judge_network(Self::SCOPE, facts, spec)
    }
}

/// So many endpoints are asked by OpenSSL's client, one after the other.
const MOST_ASKED: usize = 3;

/// Some proxies turn a client away that comes with more connections than so many at once. Those of which that may be true are
/// gone again, no more than this at once: what is reported must not be of this program's own making.
const FEW: usize = 8;

/// Goes all the ways; where the proxy wants a login, one of them first. What it rejects once is not sent for every endpoint
/// again: so many wrong logins would lock the account.
fn go_with_login(look: &Look<'_>, targets: &[&Target], ways: &[(usize, Way)], time: Time) -> Vec<Option<Trip>> {
    let login = |way: &Way| matches!(way, Way::Proxy(proxy) if proxy.credentials.is_some());
    let Some(first) = ways.iter().position(|(_, way)| login(way)) else {
        return go(look, targets, ways, time, engine::PER_PROXY);
    };
    let pilot = go(look, targets, &ways[first..=first], time, 1).into_iter().next().flatten();
    let rejected = pilot.as_ref().is_some_and(Trip::is_rejected_login);
    let spared = |at: usize| at == first || (rejected && ways[at].1 == ways[first].1);
    let rest: Vec<(usize, Way)> = (0..ways.len()).filter(|at| !spared(*at)).map(|at| ways[at].clone()).collect();
    let mut others = go(look, targets, &rest, time, engine::PER_PROXY).into_iter();
    (0..ways.len()).map(|at| if spared(at) { pilot.clone() } else { others.next().flatten() }).collect()
}

/// Goes all the ways, `per_proxy` at once through one proxy; `None`: there was no time, or it broke.
fn go(look: &Look<'_>, targets: &[&Target], ways: &[(usize, Way)], time: Time, per_proxy: usize) -> Vec<Option<Trip>> {
    let jobs = ways.iter().map(|(index, way)| job(look, targets[*index], way.clone())).collect();
    // What is found within the whole time has to be told within it, too.
    let run = time.left().saturating_sub(Duration::from_millis(300));
    let pace = Pace { connect: look.spec.limits.connect(), run, per_proxy };
    let home = |ended| if let Ended::Done(trip, _) = ended { Some(trip) } else { None };
    let what = if targets.first().is_some_and(|target| target.agent) { "endpoints of the agent" } else { "endpoints" };
    let ended = engine::run(jobs, pace, &mut |done, _| progress::counted(what, done, ways.len()));
    // Those that had no time are over, too.
    progress::counted(what, ways.len(), ways.len());
    ended.into_iter().map(home).collect()
}

/// What one job brings home.
#[derive(Clone)]
enum Trip {
    PathProbe(Box<PathProbe>),
    Static(Static),
}

impl Trip {
    /// Did the proxy reject the login that was sent?
    fn is_rejected_login(&self) -> bool {
        let Self::PathProbe(probe) = self else { return false };
        let why = probe.failure.as_ref().map(|failure| &failure.why);
        matches!(why, Some(Cause::ProxyLogin { sent: true, .. }))
    }

    /// Was it turned away in a way in which a crowded proxy does it?
    fn may_be_the_crowds(&self) -> bool {
        let Self::PathProbe(probe) = self else { return false };
        probe.via == Via::Proxy
            && probe.failure.as_ref().is_some_and(|failure| match &failure.why {
                Cause::NetError { error } => {
                    failure.stage <= Stage::Connect && matches!(error, NetError::Reset | NetError::Closed)
                }
                Cause::ProxyForbids { status } => *status == 429,
                _ => false,
            })
    }
}

/// Which job is to be done for an endpoint.
#[derive(Clone, PartialEq)]
enum Way {
    Direct,
    Proxy(ProxyUrl),
    Address(String),
}

impl Way {
    /// The proxy that OpenSSL's client has to be told of. `None`: it cannot go this way; a login would stand in its arguments.
    fn for_openssl(&self) -> Option<Option<String>> {
        match self {
            Self::Direct => Some(None),
            Self::Proxy(proxy) if proxy.credentials.is_none() && proxy.scheme == Scheme::Http => {
                Some(Some(proxy.place()))
            }
            Self::Proxy(_) | Self::Address(_) => None,
        }
    }
}

fn ways(look: &Look<'_>, target: &Target) -> Vec<Way> {
    let proxy = if target.tls { &look.secrets.https_proxy } else { &look.secrets.http_proxy };
    let proxy = proxy.as_ref().filter(|_| !target.direct_only);
    let asked = |via| look.spec.via.contains(&via);
    let nothing_asked = look.spec.via.is_empty();
    let proxy = proxy.filter(|_| !(nothing_asked && goes_around(target, look.spec)));
    let mut ways = Vec::new();
    let direct = target.direct_only || asked(Via::Direct) || (nothing_asked && proxy.is_none());
    if direct {
        ways.push(Way::Direct);
    }
    if let Some(proxy) = proxy.filter(|_| nothing_asked || asked(Via::Proxy)) {
        ways.push(Way::Proxy(proxy.clone()));
    }
    if direct {
        // A range cannot be tried.
        let single = target.static_ips.iter().filter(|address| !address.contains('/')).take(8);
        ways.extend(single.cloned().map(Way::Address));
    }
    ways
}

/// Does the NO_PROXY list take an endpoint of the product away from the proxy, as most clients read it? (`check proxy` tells
/// where they do not agree.) The agent has a proxy setting of its own, and no such list.
fn goes_around(target: &Target, spec: &CheckSpec) -> bool {
    let list = spec.no_proxy.join(",");
    let Some(asked) = clients::Target::to_host(target.tls, &target.host).filter(|_| !target.agent) else {
        return false;
    };
    let readers = clients::all().iter().filter(|client| client.reads_environment() && !client.broken);
    let (around, through): (Vec<_>, Vec<_>) = readers.partition(|client| client.route(&asked, &list).is_direct());
    around.len() > through.len()
}

fn job(look: &Look<'_>, target: &Target, way: Way) -> Job<Trip> {
    let talks_to = match &way {
        Way::Proxy(proxy) => format!("proxy:{}:{}", proxy.host, proxy.port.unwrap_or_default()),
        Way::Direct => format!("host:{}", target.host),
        Way::Address(address) => format!("host:{address}"),
    };
    let (target, roots) = (target.clone(), look.roots.clone());
    Job {
        name: "endpoint",
        talks_to: vec![talks_to],
        limit: look.spec.limits.check(),
        work: Box::new(move |time| {
            let asked = |address| Asked {
                host: &target.host,
                port: target.port,
                address,
                tls: target.tls,
                path: target.path.as_deref(),
            };
            match &way {
                Way::Direct => Trip::PathProbe(Box::new(probe(&asked(None), None, &roots, time))),
                Way::Proxy(proxy) => Trip::PathProbe(Box::new(probe(&asked(None), Some(proxy), &roots, time))),
                Way::Address(address) => {
                    let probe = probe(&asked(Some(address)), None, &roots, time);
                    let key = probe.certificate.map(|certificate| certificate.key);
                    let PathProbe { failure, by_host, by_public, .. } = probe;
                    Trip::Static(Static { address: address.clone(), failure, key, by_host, by_public })
                }
            }
        }),
    }
}
