//! Each cause for which a way ends, in words, with what mends it: one table for `check proxy`, `check network` and
//! `check agent`. [`of_proxy`] tells of the proxy itself, [`of_way`] of the way to one endpoint.

#[cfg(test)]
mod tests;

use super::spec::{CheckSpec, ProxySpec};
use crate::finding::Finding;
use crate::net::{Distrust, NetError, TlsFault};
use crate::network::catalogue::Needs;
use crate::network::cause::{Cause, Failure, Stage, Via, offers_basic};
use crate::network::inspector;
use crate::network::target::Target;
use crate::text::host_port;

/// The proxy for requests of this kind.
pub(super) fn proxy_for(tls: bool, spec: &CheckSpec) -> Option<&ProxySpec> {
    if tls { spec.https_proxy.as_ref() } else { spec.http_proxy.as_ref().or(spec.https_proxy.as_ref()) }
}

/// Which way, in words.
pub(super) fn way(via: Via, target: &Target, spec: &CheckSpec) -> String {
    match (via, proxy_for(target.tls, spec)) {
        (Via::Proxy, Some(proxy)) => format!("through {}:{}", proxy.host, proxy.port),
        (Via::Proxy, None) => "through the proxy".to_owned(),
        (Via::Direct, _) => "directly".to_owned(),
    }
}

/// What was seen, where nothing more is known than the failure.
pub(super) fn told(failure: &Failure) -> String {
    match &failure.why {
        Cause::NetError { trouble } => trouble.to_string(),
        Cause::ProxyLogin { schemes, sent } => {
            let offered = if schemes.is_empty() { "nothing".to_owned() } else { schemes.join(", ") };
            format!("HTTP 407, offering {offered}{}", if *sent { ", after a login by Basic" } else { "" })
        }
        Cause::ProxyFailed { status, word: Some(word) } => format!("HTTP {status} from the proxy ({word})"),
        Cause::ProxyForbids { status }
        | Cause::ProxyFailed { status, .. }
        | Cause::ProxyMisunderstands { status }
        | Cause::ProxyAnswered { status } => format!("HTTP {status} from the proxy"),
        Cause::Page { .. } => "HTML where TLS was expected".to_owned(),
    }
}

/// The proxy that a failure is told of.
pub(super) struct Proxy<'a> {
    place: String,
    origin: String,
    spec: Option<&'a ProxySpec>,
    flag: &'static str,
}

impl<'a> Proxy<'a> {
    /// `flag` sets it: `--proxy`, or the one for http or https requests alone.
    pub(super) fn new(spec: Option<&'a ProxySpec>, flag: &'static str) -> Self {
        let place = spec.map_or_else(|| "HOST:PORT".to_owned(), |spec| host_port(&spec.host, spec.port));
        let origin = spec.map(|spec| spec.origin.as_str()).filter(|origin| !origin.is_empty());
        let origin = origin.map(|origin| format!(" ({origin})")).unwrap_or_default();
        Self { place, origin, spec, flag }
    }

    fn is_tls(&self) -> bool {
        self.spec.is_some_and(|spec| spec.tls)
    }

    fn scheme(&self) -> &'static str {
        if self.is_tls() { "https" } else { "http" }
    }

    fn user(&self) -> Option<&str> {
        self.spec?.user.as_deref()
    }
}

/// Tells of a proxy that is itself the reason ([`Failure::is_of_proxy`]). `make` makes the finding of its title.
pub(super) fn of_proxy(failure: &Failure, proxy: &Proxy<'_>, make: impl FnOnce(String) -> Finding) -> Finding {
    let Proxy { place, origin, .. } = proxy;
    let look = |seconds: u32| {
        let (scheme, host) = (proxy.scheme(), &Needs::get().probe.host);
        format!("see for yourself: curl -v --connect-timeout {seconds} -x {scheme}://{place} https://{host}/")
    };
    let trouble = match &failure.why {
        Cause::ProxyLogin { schemes, sent } => return login(schemes, *sent, proxy, make),
        Cause::ProxyMisunderstands { status } => {
            let finding = make(format!("the proxy {place} does not understand CONNECT{origin}"))
                .expected("an answer of a forward proxy to CONNECT");
            return misunderstood(finding, *status).fix(look(3)).fix(RIGHT_PORT);
        }
        Cause::NetError { trouble } => Some(trouble),
        _ => None,
    };
    match (trouble, failure.stage) {
        (Some(NetError::NameUnknown), Stage::Resolve) => unresolved(proxy, make)
            .cause("the name is misspelt, or this host asks a name server that does not know the company's names")
            .fix(format!("look: getent hosts {}; cat /etc/resolv.conf", host(proxy)))
            .fix(format!("with an address from the proxy team: echo 'ADDRESS {}' >> /etc/hosts", host(proxy))),
        (_, Stage::Resolve) => unresolved(proxy, make)
            .cause("no name server of this host answers: the proxy's name has to resolve here, all others at the proxy")
            .fix(format!("look: cat /etc/resolv.conf; getent hosts {}", host(proxy))),
        (Some(NetError::Refused), Stage::Tcp) => make(format!("nothing listens at the proxy {place}{origin}"))
            .expected("an open port")
            .cause("the port is wrong, the proxy does not run, or a firewall in between rejects")
            .fix("ask the proxy team for host and port, then: ics-setup prepare --proxy http://HOST:PORT"),
        (trouble, Stage::Tcp) => make(format!("the proxy {place} does not answer{origin}"))
            .expected("an open port, within --connect-timeout")
            .cause(match trouble {
                Some(NetError::Unreachable { .. }) => "this host has no route there",
                Some(NetError::ConnectTimeout { .. }) => {
                    "a firewall or security group between this host and the proxy drops packets, or the address is wrong"
                }
                _ => "something between this host and the proxy ends connections",
            })
            .fix(format!("have the network team open TCP from this host to {place}"))
            .fix("or name the right one: ics-setup prepare --proxy http://HOST:PORT"),
        (Some(NetError::Untrusted { why }), Stage::ProxyTls) => certificate(why, proxy, make),
        (Some(NetError::Tls { why: TlsFault::Http }), Stage::ProxyTls) => other_language(proxy, make),
        (_, Stage::ProxyTls) => {
            make(format!("the proxy {place} does not speak TLS, as https:// in its URL asks for{origin}"))
                .expected("TLS to the proxy itself")
                .cause("an ordinary proxy port is plain also for https requests, or the port belongs to something else")
                .fix(format!("ics-setup prepare {} http://{place}", proxy.flag))
                .fix(RIGHT_PORT)
        }
        (Some(NetError::Unexpected { tls: true, .. }), _) if !proxy.is_tls() => other_language(proxy, make),
        (Some(NetError::Silent { .. }), Stage::Connect) => {
            make(format!("the proxy {place} does not answer CONNECT in time{origin}"))
                .expected("an answer to CONNECT within --connect-timeout")
                .cause("the proxy reaches nothing outside itself, is overloaded, or wants TLS to itself (https:// in its URL)")
                .fix(look(60))
                .fix("where that works, but slowly: --connect-timeout 20s")
        }
        _ => make(format!("the proxy {place} does not answer CONNECT{origin}"))
            .expected("an answer to CONNECT")
            .cause("the port belongs to something else, or the proxy allows no CONNECT, or a device in between keeps the answer back")
            .fix(look(3))
            .fix(RIGHT_PORT),
    }
}

const RIGHT_PORT: &str = "ask the proxy team for the forward proxy's port: ics-setup prepare --proxy http://HOST:PORT";

fn host<'a>(proxy: &Proxy<'a>) -> &'a str {
    proxy.spec.map_or("HOST", |spec| spec.host.as_str())
}

fn unresolved(proxy: &Proxy<'_>, make: impl FnOnce(String) -> Finding) -> Finding {
    make(format!("the proxy's name in {} does not resolve{}", proxy.place, proxy.origin))
        .expected("an address for the proxy's name")
}

fn misunderstood(finding: Finding, status: u16) -> Finding {
    finding.cause(format!(
        "HTTP {status} is what a web server or a reverse proxy says to it, or a port for TLS, or a proxy that does not know CONNECT"
    ))
}

/// The proxy URL says `http://` where the port speaks TLS, or the other way round.
fn other_language(proxy: &Proxy<'_>, make: impl FnOnce(String) -> Finding) -> Finding {
    let Proxy { place, flag, .. } = proxy;
    let (was, is, speaks, cause) = if proxy.is_tls() {
        (
            "https",
            "http",
            "plain HTTP",
            "https:// in a proxy URL means TLS to the proxy itself: curl, Go and Python fail here with wrong version number, also though the vendor's example is written so",
        )
    } else {
        (
            "http",
            "https",
            "TLS",
            "http:// in a proxy URL means plain HTTP to the proxy, and this port expects TLS first",
        )
    };
    let login = proxy.user().map(|user| format!(" --proxy-user {}", in_quotes(user))).unwrap_or_default();
    make(format!("the proxy URL begins with {was}:// and {place} speaks {speaks}"))
        .expected(format!("{is}://{place}"))
        .cause(cause)
        .fix(format!("ics-setup prepare {flag} {is}://{place}{login}"))
        .fix(format!("where the product is installed: ics-setup reconfigure {flag} {is}://{place}{login}"))
}

/// Why a certificate is not trusted decides what helps.
fn certificate(why: &Distrust, proxy: &Proxy<'_>, make: impl FnOnce(String) -> Finding) -> Finding {
    let Proxy { place, origin, .. } = proxy;
    let look = format!("look: openssl s_client -connect {place} -showcerts </dev/null");
    let finding = make(format!("the certificate of the proxy {place} is not trusted{origin}"))
        .expected(format!("a certificate for {} that this host trusts; without one no login is sent", host(proxy)));
    match why {
        Distrust::Expired | Distrust::NotYet => {
            let (cause, team) = match why {
                Distrust::Expired => ("the proxy's certificate has expired, or this host's clock is ahead", "renew it"),
                _ => ("the proxy's certificate is not valid yet, or this host's clock is behind", "look at its dates"),
            };
            finding
                .cause(cause)
                .fix("look at this host's clock: date; timedatectl")
                .fix(format!("where the clock is right, have the proxy team {team}"))
                .fix(look)
        }
        Distrust::OtherName { .. } => finding
            .cause("the proxy is set by another name, or by its address")
            .fix("set the proxy by a name that its certificate has")
            .fix(look),
        Distrust::UnknownIssuer | Distrust::NoRoots | Distrust::CaAsServer => finding
            .cause("a proxy within TLS usually has a certificate of the company's own authority, and that is not in this host's store")
            .fix("with the authority's certificate from the proxy team: ics-setup check proxy --proxy-ca FILE")
            .fix("for all programs, Ubuntu: cp FILE /usr/local/share/ca-certificates/proxy.crt && update-ca-certificates")
            .fix("for all programs, CentOS: cp FILE /etc/pki/ca-trust/source/anchors/ && update-ca-trust"),
        Distrust::Revoked | Distrust::Other { .. } => finding
            .cause("the certificate itself is not valid")
            .fix("have the proxy team issue another one")
            .fix(look),
    }
}

fn login(schemes: &[String], sent: bool, proxy: &Proxy<'_>, make: impl FnOnce(String) -> Finding) -> Finding {
    let Proxy { place, origin, .. } = proxy;
    let reconfigure = "where the product is installed, then: ics-setup reconfigure";
    if !offers_basic(schemes) && !schemes.is_empty() {
        return make(format!("{place} wants a login by {} only", schemes.join(", ")))
            .expected(format!("a 407 that offers Basic, or no login at all for this host{origin}"))
            .cause("the product's containers and the Insight Agent log in with Basic only; NTLM, Negotiate and Digest are out of their reach")
            .fix("ask the proxy team for Basic for this account, or to let this host through by its address");
    }
    if sent {
        let user = proxy.user().unwrap_or("USER");
        return make(format!("{place} rejects the login of {user}"))
            .expected(format!("user {user}{origin} is let through"))
            .cause("the password is wrong, has expired or was changed, or the account is locked; it was sent once and is not tried again")
            .fix(format!(
                "give the right one: ics-setup prepare --proxy-user {} --proxy-password-file FILE",
                in_quotes(user)
            ))
            .fix(reconfigure);
    }
    make(format!("{place} asks for a login and none is set"))
        .expected(format!("user and password in the proxy URL{origin}"))
        .cause("the proxy lets nobody through without a login")
        .fix("ics-setup prepare --proxy-user USER --proxy-password-file FILE")
        .fix(reconfigure)
}

fn in_quotes(user: &str) -> String {
    format!("'{}'", user.replace('\'', "'\\''"))
}

/// Tells what is wrong with the way to one endpoint. `who` is the proxy in its title, `make` makes the finding of that title.
pub(super) fn of_way(
    failure: &Failure,
    target: &Target,
    via: Via,
    who: &str,
    spec: &CheckSpec,
    make: impl FnOnce(String) -> Finding,
) -> Finding {
    let name = target.name();
    let way = way(via, target, spec);
    let request = if failure.stage == Stage::Connect { "CONNECT" } else { "an http request" };
    let make = |title: String| {
        make(title).expected(match &target.stands_for {
            Some(wildcard) => format!("reached; {} stands for {wildcard}: {}", target.host, target.purpose),
            None => format!("reached: {}", target.purpose),
        })
    };
    match (&failure.why, failure.stage) {
        (Cause::ProxyForbids { status }, _) => make(format!("{who} forbids {name} (HTTP {status})"))
            .cause("its rules do not have this host, or not for this login")
            .fix(allow(target))
            .fix("all of them in the proxy's own words: ics-setup network allowlist --format squid"),
        (Cause::ProxyFailed { status, word }, _) => make(format!("{who} cannot reach {name} (HTTP {status})"))
            .cause(match (word.as_deref(), status) {
                (Some("ERR_DNS_FAIL"), _) => "the proxy's own name servers do not know the name",
                (Some("ERR_CONNECT_FAIL"), _) => "the proxy's own connection is refused, or gets no answer",
                (_, 504) => "the proxy got no answer from there in time: the path behind it is blocked, or its name server is slow",
                _ => "the proxy itself cannot resolve the name or connect: the path behind it is blocked",
            })
            .fix(from_the_proxy(target)),
        (Cause::ProxyMisunderstands { status }, _) => {
            misunderstood(make(format!("{who} does not understand {request} to {name}")), *status)
                .fix(from_here(target, via, spec))
                .fix(RIGHT_PORT)
        }
        (Cause::ProxyAnswered { status }, _) => make(format!("{who} answered {request} to {name} with HTTP {status}"))
            .cause("a portal that wants a person to log in or to accept terms, or a block page")
            .fix(allow(target)),
        (Cause::Page { title }, _) => make(match title {
            Some(words) => format!("instead of {name} a page answers: {words:?}"),
            None => format!("instead of {name} a page answers"),
        })
        .cause(match title.as_deref().and_then(inspector) {
            Some(product) => format!("a block page of {product}"),
            None => "a block page or a login portal in between".to_owned(),
        })
        .fix(format!("have whoever runs it let {} through", covered(target))),
        (Cause::ProxyLogin { .. }, _) => make(format!("{who} wants a login for {name}"))
            .cause("other endpoints got through")
            .fix(format!("have the proxy team look at the rule for {}", target.host)),
        (Cause::NetError { trouble: NetError::Silent { .. } }, Stage::Connect) => {
            make(format!("{who} does not get to {name} in time"))
                .cause("nothing answers the proxy there: a firewall behind it drops the packets (limit: --connect-timeout)")
                .fix(from_the_proxy(target))
        }
        (Cause::NetError { trouble: NetError::NameUnknown | NetError::NameUnanswered { .. } }, Stage::Resolve) => {
            make(format!("{} does not resolve", target.host))
                .cause("name servers that do not know the internet, as is usual where everything goes through a proxy")
                .fix(format!("getent hosts {}", target.host))
                .fix("or name the proxy: --proxy http://HOST:PORT")
        }
        (Cause::NetError { trouble: NetError::Refused }, _) => make(format!("{name} refuses the connection {way}"))
            .cause("a firewall that rejects, or the service is down")
            .fix(open(target)),
        (Cause::NetError { trouble }, Stage::Tcp) => make(format!("{name} does not answer {way}"))
            .cause(match trouble {
                NetError::Unreachable { .. } => "this host has no route there",
                _ => "a firewall on the way drops the packets",
            })
            .fix(open(target)),
        (Cause::NetError { trouble }, Stage::Tls) => of_tls(trouble, target, via, &way, make),
        _ if via == Via::Proxy && !target.tls => make(format!("{name} gives no answer {way}"))
            .cause("the proxy gives no answer, or the service behind it gives none")
            .fix(from_here(target, via, spec)),
        _ => make(format!("{name} gives no answer {way}"))
            .cause("the way is open, and the service behind it does not answer")
            .fix(from_here(target, via, spec)),
    }
}

/// A connection, or a tunnel, in which no TLS comes about.
fn of_tls(trouble: &NetError, target: &Target, via: Via, way: &str, make: impl FnOnce(String) -> Finding) -> Finding {
    let name = target.name();
    let finding = match trouble {
        NetError::Silent { .. } => make(format!("nothing comes back from {name} {way}")),
        _ => make(format!("TLS to {name} does not come about {way}")),
    };
    let finding = finding.cause(match (trouble, via) {
        (NetError::Closed | NetError::Reset | NetError::Tls { .. }, Via::Direct) => {
            "a device in between cuts connections by the name in TLS, or wants another TLS version"
        }
        (NetError::Closed | NetError::Reset | NetError::Tls { .. }, Via::Proxy) => {
            "a device behind the proxy cuts connections by the name in TLS or wants another TLS version, or the proxy says yes before it has reached the other side"
        }
        (_, Via::Direct) => "the connection is there, and nothing answers behind it",
        (_, Via::Proxy) => {
            "the proxy says yes before it has reached the other side, or a device behind it keeps the answer back"
        }
    });
    let finding = match via {
        Via::Direct => finding.fix(open(target)),
        Via::Proxy => finding.fix(from_the_proxy(target)),
    };
    finding.fix(format!("look: openssl s_client -connect {name} -servername {}", target.host))
}

fn from_the_proxy(target: &Target) -> String {
    format!("have the proxy team try from there: curl -v {}", url(target))
}

fn from_here(target: &Target, via: Via, spec: &CheckSpec) -> String {
    let proxy = proxy_for(target.tls, spec).filter(|_| via == Via::Proxy);
    let scheme = |proxy: &ProxySpec| if proxy.tls { "https" } else { "http" };
    let through = proxy.map(|proxy| format!(" -x {}://{}", scheme(proxy), host_port(&proxy.host, proxy.port)));
    format!("look: curl -v{} {}", through.unwrap_or_default(), url(target))
}

fn url(target: &Target) -> String {
    let path = target.path.as_deref().unwrap_or("/");
    match (target.tls, target.port) {
        (true, 443) => format!("https://{}{path}", target.host),
        (false, 80) => format!("http://{}{path}", target.host),
        (tls, port) => format!("{}://{}:{port}{path}", if tls { "https" } else { "http" }, target.host),
    }
}

/// The name as it is asked for: the wildcard where there is one.
fn covered(target: &Target) -> String {
    match &target.stands_for {
        Some(wildcard) => format!("{wildcard} (tried: {})", target.host),
        None => target.name(),
    }
}

fn allow(target: &Target) -> String {
    let what = if target.tls { "CONNECT to" } else { "http requests to" };
    format!("have the proxy team allow {what} {}", covered(target))
}

fn open(target: &Target) -> String {
    format!("have the network team open TCP {} from this host to {}", target.port, covered(target))
}
