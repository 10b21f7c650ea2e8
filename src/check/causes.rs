//! Each cause for which a way ends, in words, with what mends it: one table for `check proxy`, `check network` and
//! `check agent`. [`of_proxy`] tells of the proxy itself, [`of_way`] of the way to one endpoint.

#[cfg(test)]
mod tests;

use super::certificates::{self, Owner};
use crate::check::prelude::*;
use crate::consumers::ProxySpec;
use crate::net::{Distrust, NetError, TlsFault};
use crate::network::catalogue::Needs;
use crate::network::cause::{Cause, Failure, Stage, Via, offers_basic};
use crate::network::inspector;
use crate::network::target::Target;
use crate::text::{host_port, typed};

/// The proxy for requests of this kind.
pub(super) fn proxy_for(tls: bool, spec: &CheckSpec) -> Option<&ProxySpec> {
    if tls { spec.https_proxy.as_ref() } else { spec.http_proxy.as_ref().or(spec.https_proxy.as_ref()) }
}

/// Which way, in words.
pub(super) fn way(via: Via, target: &Target, spec: &CheckSpec) -> Text {
    match (via, proxy_for(target.tls, spec)) {
        (Via::Proxy, Some(proxy)) => text!("through {}:{}", own(&proxy.host), proxy.port),
        (Via::Proxy, None) => "through the proxy".into(),
        (Via::Direct, _) => "directly".into(),
    }
}

/// OpenSSL's client on the same way.
pub(super) fn s_client(target: &Target, via: Via, spec: &CheckSpec) -> Text {
    let proxy = proxy_for(target.tls, spec).filter(|_| via == Via::Proxy);
    let through = proxy.map(|proxy| text!(" -proxy {}", own(host_port(&proxy.host, proxy.port)))).unwrap_or_default();
    let (place, server) = (own(host_port(&target.host, target.port)), own(&target.host));
    text!("openssl s_client{} -connect {} -servername {}", through, place, server)
}

/// What was seen, where nothing more is known than the failure.
pub(super) fn told(failure: &Failure) -> Text {
    match &failure.why {
        Cause::NetError { error } => text!("{}", error),
        Cause::ProxyLogin { schemes, sent } => {
            let offered = if schemes.is_empty() { "nothing".into() } else { text!("{}", schemes.join(", ")) };
            text!("HTTP 407, offering {}{}", offered, own(if *sent { ", after a login by Basic" } else { "" }))
        }
        Cause::ProxyFailed { status, word: Some(word) } => text!("HTTP {} from the proxy ({})", status, word),
        Cause::ProxyForbids { status }
        | Cause::ProxyFailed { status, .. }
        | Cause::ProxyMisunderstands { status }
        | Cause::ProxyAnswered { status } => text!("HTTP {} from the proxy", status),
        Cause::Page { .. } => "HTML where TLS was expected".into(),
    }
}

/// The proxy that a failure is told of.
pub(super) struct Proxy<'a> {
    place: Text,
    origin: Text,
    spec: Option<&'a ProxySpec>,
    flag: &'static str,
}

impl<'a> Proxy<'a> {
    /// `flag` sets it: `--proxy`, or the one for http or https requests alone.
    pub(super) fn new(spec: Option<&'a ProxySpec>, flag: &'static str) -> Self {
        let place =
            spec.map_or_else(|| "<HOST>:<PORT>".into(), |spec| text!("{}", own(host_port(&spec.host, spec.port))));
        let origin = spec.map(|spec| spec.origin.as_str()).filter(|origin| !origin.is_empty());
        let origin = origin.map(|origin| text!(" ({})", own(origin))).unwrap_or_default();
        Self { place, origin, spec, flag }
    }

    fn is_tls(&self) -> bool {
        self.spec.is_some_and(|spec| spec.tls)
    }

    fn user(&self) -> Option<&str> {
        self.spec?.user.as_deref()
    }
}

/// Tells of a proxy that is itself the reason ([`Failure::is_of_proxy`]), in a failing finding with this id.
pub(super) fn of_proxy(failure: &Failure, proxy: &Proxy<'_>, id: FindingId) -> Finding {
    let Proxy { place, origin, .. } = proxy;
    let make = |title: Text| Finding::fail(id, title);
    let (scheme, probed) = (own(if proxy.is_tls() { "https" } else { "http" }), own(&Needs::get().probe.host));
    let look = |seconds: u32| {
        let limit = text!("--connect-timeout {}", seconds);
        text!("see for yourself: {}", typed(text!("curl -v {} -x {}://{} https://{}/", limit, scheme, place, probed)))
    };
    let error = match &failure.why {
        Cause::ProxyLogin { schemes, sent } => return login(schemes, *sent, proxy, id),
        Cause::ProxyMisunderstands { status } => {
            let finding = make(text!("the proxy {} does not understand CONNECT{}", place, origin))
                .expected("an answer of a forward proxy to CONNECT");
            return misunderstood(finding, *status).advise(look(3)).advise(right_port());
        }
        Cause::NetError { error } => Some(error),
        _ => None,
    };
    match (error, failure.stage) {
        (Some(NetError::NameUnknown), Stage::Resolve) => unresolved(proxy, id)
            .cause("the name is misspelt, or this host asks a name server that does not know the company's names")
            .up_to(Actor::Host)
            .look(text!("look: {}; {}", typed(text!("getent hosts {}", own(host(proxy)))), typed("cat /etc/resolv.conf")))
            .advise(text!("add its address from the proxy team: {}", typed(text!("echo '<ADDRESS> {}' >> /etc/hosts", own(host(proxy)))))),
        (_, Stage::Resolve) => unresolved(proxy, id)
            .cause("no name server of this host answers: the proxy's name has to resolve here, all others at the proxy")
            .up_to(Actor::Network)
            .look(text!("look: {}; {}", typed("cat /etc/resolv.conf"), typed(text!("getent hosts {}", own(host(proxy)))))),
        (Some(NetError::Refused), Stage::Tcp) => make(text!("nothing listens at the proxy {}{}", place, origin))
            .expected("an open port")
            .cause("the port is wrong, the proxy does not run, or a firewall in between rejects")
            .advise(text!("ask the proxy team for host and port, then: {}", ics_setup(NAME_PROXY)))
            .advise(then_product()),
        (error, Stage::Tcp) => make(text!("the proxy {} does not answer{}", place, origin))
            .expected("an open port, within --connect-timeout")
            .cause(match error {
                Some(NetError::Unreachable { .. }) => "this host has no route there",
                Some(NetError::ConnectTimeout { .. }) => {
                    "a firewall or security group between this host and the proxy drops packets, or the address is wrong"
                }
                _ => "something between this host and the proxy ends connections",
            })
            .up_to(Actor::Network)
            .advise(text!("have the network team open TCP from this host to {}", place))
            .advise(text!("or name the right one: {}", ics_setup(NAME_PROXY)))
            .advise(then_product()),
        (Some(NetError::Untrusted { why }), Stage::ProxyTls) => certificate(why, proxy, id),
        (Some(NetError::Tls { why: TlsFault::Http }), Stage::ProxyTls) => other_language(proxy, id),
        (Some(NetError::Tls { why }), Stage::ProxyTls) if certificates::of_fault(make("".into()), why, PROXY).is_some() => {
            let finding = make(text!("no TLS to the proxy {} comes about{}", place, origin)).expected("TLS to the proxy itself");
            let look = text!("look: {}", typed(text!("openssl s_client -connect {} </dev/null", place)));
            certificates::of_fault(finding.clone(), why, PROXY).unwrap_or(finding).look(look)
        }
        (_, Stage::ProxyTls) => {
            let finding = make(text!("the proxy {} does not speak TLS, as https:// in its URL asks for{}", place, origin))
                .expected("TLS to the proxy itself")
                .cause("an ordinary proxy port is plain also for https requests, or the port belongs to something else");
            run(finding, proxy, text!("prepare {} http://{}", own(proxy.flag), place)).up_to(Actor::Host).advise(right_port())
        }
        (Some(NetError::Unexpected { tls: true, .. }), _) if !proxy.is_tls() => other_language(proxy, id),
        (Some(NetError::Silent { millis }), Stage::Connect) => {
            // What it has had was too short.
            let seconds = millis.div_ceil(250).clamp(20, 600);
            let limits = text!("--connect-timeout {}s --timeout {}s --deadline {}s", seconds, 3 * seconds, 10 * seconds);
            make(text!("the proxy {} does not answer CONNECT in time{}", place, origin))
                .expected("an answer to CONNECT within --connect-timeout")
                .cause("the proxy reaches nothing outside itself, is overloaded, or wants TLS to itself (https:// in its URL)")
                .advise(look(60))
                .advise(text!("ask it with more time where that works, but slowly: {}", ics_setup(text!("check proxy {} {}://{} {}", own(proxy.flag), scheme, place, limits))))
        }
        _ => make(text!("the proxy {} does not answer CONNECT{}", place, origin))
            .expected("an answer to CONNECT")
            .cause("the port belongs to something else, or the proxy allows no CONNECT, or a device in between keeps the answer back")
            .advise(look(3))
            .advise(right_port()),
    }
}

/// Arguments that name a proxy.
const NAME_PROXY: &str = "prepare --proxy http://<HOST>:<PORT>";

/// `prepare` writes nothing of the product's.
fn then_product() -> Text {
    text!("for the product's files, once they are there: {}", ics_setup("reconfigure"))
}

fn right_port() -> Text {
    text!("ask the proxy team for the forward proxy's port: {}", ics_setup(NAME_PROXY))
}

fn host<'a>(proxy: &Proxy<'a>) -> &'a str {
    proxy.spec.map_or("<HOST>", |spec| spec.host.as_str())
}

fn unresolved(proxy: &Proxy<'_>, id: FindingId) -> Finding {
    Finding::fail(id, text!("the proxy's name in {} does not resolve{}", proxy.place, proxy.origin))
        .expected("an address for the proxy's name")
}

fn misunderstood(finding: Finding, status: u16) -> Finding {
    finding.cause(text!("HTTP {} is what a web server or a reverse proxy says to it, or a port for TLS, or a proxy that does not know CONNECT", status))
}

/// The proxy URL says `http://` where the port speaks TLS, or the other way round.
fn other_language(proxy: &Proxy<'_>, id: FindingId) -> Finding {
    let Proxy { place, flag, .. } = proxy;
    let (was, is, speaks) = if proxy.is_tls() { ("https", "http", "plain HTTP") } else { ("http", "https", "TLS") };
    let cause = if proxy.is_tls() {
        "https:// in a proxy URL means TLS to the proxy itself: curl, Go and Python fail here with wrong version number, also though the vendor's example is written so"
    } else {
        "http:// in a proxy URL means plain HTTP to the proxy, and this port expects TLS first"
    };
    // In quotes in any case: what stands in it may be any character.
    let login = proxy.user().map(|user| text!(" --proxy-user {}", own(in_quotes(user)))).unwrap_or_default();
    let finding =
        Finding::fail(id, text!("the proxy URL begins with {}:// and {} speaks {}", own(was), place, own(speaks)))
            .expected(text!("{}://{}", own(is), place))
            .cause(cause);
    let arguments = text!("{} {}://{}{}", own(flag), own(is), place, login);
    let installed = ics_setup(text!("reconfigure {}", arguments));
    run(finding, proxy, text!("prepare {}", arguments))
        .up_to(Actor::Host)
        .advise(text!("for the product's files, once they are there: {}", installed))
}

/// Why a certificate is not trusted decides what helps.
fn certificate(why: &Distrust, proxy: &Proxy<'_>, id: FindingId) -> Finding {
    let Proxy { place, origin, .. } = proxy;
    let look = text!("look: {}", typed(text!("openssl s_client -connect {} -showcerts </dev/null", place)));
    let finding = Finding::fail(id, text!("the certificate of the proxy {} is not trusted{}", place, origin))
        .expected(text!("a certificate for {} that this host trusts; without one no login is sent", own(host(proxy))));
    let finding = certificates::remedied(finding, why, PROXY);
    // A host that is to trust an authority is told so itself.
    finding.up_to(if why.wants_authority() { Actor::Host } else { Actor::Proxy }).look(look)
}

/// Whose a proxy's certificate is.
const PROXY: Owner = Owner { who: "the proxy team", server: "the proxy", is_backend: false };

fn login(schemes: &[String], sent: bool, proxy: &Proxy<'_>, id: FindingId) -> Finding {
    let Proxy { place, origin, .. } = proxy;
    let make = |title: Text| Finding::fail(id, title);
    if !offers_basic(schemes) && !schemes.is_empty() {
        return make(text!("{} wants a login by {} only", place, schemes.join(", ")))
            .expected(text!("a 407 that offers Basic, or no login at all for this host{}", origin))
            .cause("the product's containers and the Insight Agent log in with Basic only; NTLM, Negotiate and Digest are out of their reach")
            .advise("ask the proxy team for Basic for this account, or to let this host through by its address");
    }
    if sent {
        let user = proxy.user().unwrap_or("<USER>");
        return make(text!("{} rejects the login of {}", place, own(user)))
            .expected(text!("user {}{} is let through", own(user), origin))
            .cause("the password is wrong, has expired or was changed, or the account is locked; it was sent once and is not tried again")
            .up_to(Actor::Host)
            .advise(text!(
                "give the right one: {}",
                ics_setup(text!("prepare --proxy-user {} --proxy-password-file <FILE>", own(in_quotes(user))))
            ))
            .advise(then_product());
    }
    make(text!("{} asks for a login and none is set", place))
        .expected(text!("user and password in the proxy URL{}", origin))
        .cause("the proxy lets nobody through without a login")
        .up_to(Actor::Host)
        .advise(text!("give one: {}", ics_setup("prepare --proxy-user <USER> --proxy-password-file <FILE>")))
        .advise(then_product())
}

/// A command of ours that names the proxy: one to run where it is known which proxy.
fn run(finding: Finding, proxy: &Proxy<'_>, arguments: Text) -> Finding {
    let command = ics_setup(arguments);
    match proxy.spec {
        Some(_) => finding.fix(command),
        None => finding.advise(text!("name the proxy: {}", command)),
    }
}

fn in_quotes(user: &str) -> String {
    format!("'{}'", user.replace('\'', "'\\''"))
}

/// Tells what is wrong with the way to one endpoint. `who` is the proxy in its title, `id` and `status` are the finding's.
pub(super) fn of_way(
    failure: &Failure,
    target: &Target,
    via: Via,
    who: &Text,
    spec: &CheckSpec,
    (id, status): (FindingId, Status),
) -> Finding {
    let (name, way) = (own(target.name()), way(via, target, spec));
    let request = own(if failure.stage == Stage::Connect { "CONNECT" } else { "an http request" });
    let purpose = own(&target.purpose);
    let expected = match &target.stands_for {
        Some(wildcard) => text!("reached; {} stands for {}: {}", own(&target.host), own(wildcard), purpose),
        None => text!("reached: {}", purpose),
    };
    let make = |title: Text| Finding::new(id, status, title).expected(&expected);
    match (&failure.why, failure.stage) {
        (Cause::ProxyForbids { status: 429 }, _) => make(text!("{} turns {} away: too many requests (HTTP 429)", who, name))
            .cause("the proxy limits how many requests or connections one client may have at a time, and this host has reached it")
            .advise("have the proxy team raise the limit for this host; the product asks dozens of endpoints at once"),
        (Cause::ProxyForbids { status }, _) => make(text!("{} forbids {} (HTTP {})", who, name, status))
            .cause("its rules do not have this host, or not for this login")
            .advise(allow(target))
            .advise(text!(
                "have all of them in the proxy's own words: {}",
                ics_setup("network allowlist --format squid")
            )),
        (Cause::ProxyFailed { status, word }, _) => make(text!(
            "{} cannot reach {} (HTTP {})",
            who,
            name,
            status
        ))
        .cause(match (word.as_deref(), status) {
            (Some("ERR_DNS_FAIL"), _) => "the proxy's own name servers do not know the name",
            (Some("ERR_CONNECT_FAIL"), _) => "the proxy's own connection is refused, or gets no answer",
            (_, 504) => {
                "the proxy got no answer from there in time: the path behind it is blocked, or its name server is slow"
            }
            _ => "the proxy itself cannot resolve the name or connect: the path behind it is blocked",
        })
        .advise(from_the_proxy(target)),
        (Cause::ProxyMisunderstands { status }, _) => {
            misunderstood(make(text!("{} does not understand {} to {}", who, request, name)), *status)
                .look(from_here(target, via, spec))
                .advise(right_port())
        }
        (Cause::ProxyAnswered { status }, _) => {
            make(text!("{} answered {} to {} with HTTP {}", who, request, name, status))
                .cause("a portal that wants a person to log in or to accept terms, or a block page")
                .advise(allow(target))
        }
        (Cause::Page { title }, _) => make(match title {
            Some(words) => text!("instead of {} a page answers: {:?}", name, words),
            None => text!("instead of {} a page answers", name),
        })
        .cause(match title.as_deref().and_then(inspector) {
            Some(product) => text!("a block page of {}", own(product)),
            None => "a block page or a login portal in between".into(),
        })
        .advise(text!("have whoever runs it let {} through", covered(target))),
        (Cause::ProxyLogin { .. }, _) => make(text!("{} wants a login for {}", who, name))
            .cause("other endpoints got through")
            .advise(text!("have the proxy team look at the rule for {}", own(&target.host))),
        (Cause::NetError { error: NetError::Silent { .. } }, Stage::Connect) => make(text!(
            "{} does not get to {} in time",
            who,
            name
        ))
        .cause("nothing answers the proxy there: a firewall behind it drops the packets (limit: --connect-timeout)")
        .advise(from_the_proxy(target)),
        (Cause::NetError { error: NetError::NameUnknown | NetError::NameUnanswered { .. } }, Stage::Resolve) => {
            make(text!("{} does not resolve", own(&target.host)))
                .cause("name servers that do not know the internet, as is usual where everything goes through a proxy")
                .look(text!("look: {}", typed(text!("getent hosts {}", own(&target.host)))))
                .advise(text!("or name the proxy: {}", typed("--proxy http://<HOST>:<PORT>")))
        }
        (Cause::NetError { error: NetError::Refused }, _) => {
            make(text!("{} refuses the connection {}", name, way))
                .cause("a firewall that rejects, or the service is down")
                .advise(open(target))
        }
        (Cause::NetError { error }, Stage::Tcp) => make(text!("{} does not answer {}", name, way))
            .cause(match error {
                NetError::Unreachable { .. } => "this host has no route there",
                _ => "a firewall on the way drops the packets",
            })
            .advise(open(target)),
        (Cause::NetError { error }, Stage::Tls) => of_tls(error, target, (via, spec), &way, make),
        _ => make(text!("{} gives no answer {}", name, way))
            .cause(match via {
                Via::Proxy if !target.tls => "the proxy gives no answer, or the service behind it gives none",
                _ => "the way is open, and the service behind it does not answer",
            })
            .look(from_here(target, via, spec)),
    }
}

/// Whose an endpoint's certificate is.
pub(super) const ENDPOINT: Owner = Owner { who: "whoever runs it", server: "the endpoint", is_backend: false };

/// A connection, or a tunnel, in which no TLS comes about.
fn of_tls(
    error: &NetError,
    target: &Target,
    (via, spec): (Via, &CheckSpec),
    way: &Text,
    make: impl FnOnce(Text) -> Finding,
) -> Finding {
    let name = own(target.name());
    if let NetError::Untrusted { why } = error {
        let finding =
            make(text!("{} shows a certificate that is not valid {}", name, way)).observed(text!("{}", error));
        return certificates::remedied(finding, why, ENDPOINT);
    }
    let finding = match error {
        NetError::Silent { .. } => make(text!("nothing comes back from {} {}", name, way)),
        _ => make(text!("TLS to {} does not come about {}", name, way)),
    };
    let look = text!("look: {}", typed(text!("{} </dev/null", s_client(target, via, spec))));
    if let NetError::Tls { why } = error
        && let Some(told) = certificates::of_fault(finding.clone(), why, ENDPOINT)
    {
        return told.look(look);
    }
    let finding = finding.cause(match (error, via) {
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
        Via::Direct => finding.advise(text!(
            "have the network team let TLS to {} through: the port is open, and what is said in it is cut",
            covered(target)
        )),
        Via::Proxy => finding.advise(from_the_proxy(target)),
    };
    finding.look(look)
}

fn from_the_proxy(target: &Target) -> Text {
    text!("have the proxy team try from there: {}", typed(text!("curl -v {}", own(url(target)))))
}

fn from_here(target: &Target, via: Via, spec: &CheckSpec) -> Text {
    let proxy = proxy_for(target.tls, spec).filter(|_| via == Via::Proxy);
    let scheme = |proxy: &ProxySpec| if proxy.tls { "https" } else { "http" };
    let through = proxy.map(|proxy| text!(" -x {}://{}", own(scheme(proxy)), own(host_port(&proxy.host, proxy.port))));
    text!("look: {}", typed(text!("curl -v{} {}", through.unwrap_or_default(), own(url(target)))))
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
fn covered(target: &Target) -> Text {
    match &target.stands_for {
        Some(wildcard) => text!("{} (tried: {})", own(wildcard), own(&target.host)),
        None => text!("{}", own(target.name())),
    }
}

fn allow(target: &Target) -> Text {
    let what = if target.tls { "CONNECT to" } else { "http requests to" };
    text!("have the proxy team allow {} {}", own(what), covered(target))
}

fn open(target: &Target) -> Text {
    text!("have the network team open TCP {} from this host to {}", target.port, covered(target))
}
