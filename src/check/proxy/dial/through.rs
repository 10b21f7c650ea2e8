//! Does it let this host through, and does it take the login?

use std::time::Duration;

use super::super::super::ProxySpec;
use super::judge::host_port;
use super::{Dialled, ProxyAnswers, Said, TlsAnswer};
use crate::finding::{Finding, Status};
use crate::net::{NetError, seconds};

/// An answer that takes longer than this is a warning.
const SLOW: Duration = Duration::from_secs(3);

/// Both findings.
pub(super) fn judge_through(
    proxy: &Dialled,
    answers: &ProxyAnswers,
    uses: &[(&'static str, &ProxySpec)],
) -> Vec<Finding> {
    let tls = uses.iter().any(|(_, proxy)| proxy.tls);
    let user = uses.iter().find_map(|(_, proxy)| proxy.user.as_deref());
    let origin = uses.first().map_or("", |(_, proxy)| proxy.origin.as_str());
    // With https:// in the URL and a plain port the plain answer is what there is, without the login.
    let said = match (&answers.within_tls, &answers.tls) {
        (Some(said), _) => said,
        (None, TlsAnswer::Untrusted { .. }) if tls => {
            let why = "its certificate is not trusted, so nothing was asked through it";
            return ["proxy-connect-method", "proxy-credentials"]
                .into_iter()
                .map(|id| {
                    Finding::new(id, "proxy", Status::Skip, format!("{} was not asked", host_port(proxy))).observed(why)
                })
                .collect();
        }
        _ => &answers.plain,
    };
    vec![connect(proxy, said), credentials(proxy, said, user, origin)]
        .into_iter()
        .map(|found| evidence(found, said))
        .collect()
}

fn connect(proxy: &Dialled, said: &Said) -> Finding {
    let new = |status, title: String| Finding::new("proxy-connect-method", "proxy", status, title);
    let place = host_port(proxy);
    let request = format!("{} {}", said.method, said.target);
    let took = seconds(Duration::from_millis(said.took_ms));
    let (Some(status), trouble) = (said.status, &said.trouble) else {
        let trouble = said.trouble.as_ref().map_or_else(String::new, ToString::to_string);
        return new(Status::Fail, format!("{place} gave no answer to {request}"))
            .expected("200, or any other answer of HTTP")
            .observed(trouble)
            .cause("it is no proxy, wants TLS first (proxy-language tells), or waits for something of its own, such as its name server")
            .fix(try_it(&place, said));
    };
    let answer = format!("{status} {}", said.reason).trim_end().to_owned();
    let observed = format!("{answer}, after {took}{}", signs(said));
    let expected = format!("200 to {request}");
    match status {
        200..300 => match trouble {
            Some(NetError::Silent { millis }) => new(
                Status::Warn,
                format!("{place} opens a tunnel to {} and nothing comes back through it", said.target),
            )
            .expected("an answer to a TLS ClientHello")
            .observed(format!("{observed}; then nothing within {}", seconds(Duration::from_millis(*millis))))
            .cause("the proxy says yes before it has reached the other side, or a device behind it keeps the answer back")
            .fix(hand_over(said, "see what becomes of the connection behind the proxy")),
            Some(trouble) => new(Status::Fail, format!("{place} opens a tunnel to {} and closes it again", said.target))
                .expected("an answer to a TLS ClientHello")
                .observed(format!("{observed}; then: {trouble}"))
                .cause("the proxy says yes before it has reached the other side, or a device behind it ends connections by their name")
                .fix(hand_over(said, "allow TLS connections to")),
            None if Duration::from_millis(said.took_ms) > SLOW => {
                new(Status::Warn, format!("{place} lets {request} through, slowly"))
                    .expected(format!("an answer within {}", seconds(SLOW)))
                    .observed(observed)
                    .cause("the proxy or its name server is overloaded, or it tries an address first that does not answer (IPv6)")
                    .fix(hand_over(said, "see why it takes so long to reach"))
            }
            None => new(Status::Pass, format!("{place} lets {request} through")).observed(observed),
        },
        407 => new(Status::Skip, format!("whether {place} lets {request} through is not known"))
            .observed(format!("{observed}: it asks for a login first (proxy-credentials tells)")),
        300..400 if is_own_redirect(said) => {
            new(Status::Pass, format!("{place} lets {request} through")).observed(observed)
        }
        300..400 => new(Status::Fail, format!("{place} sends us elsewhere instead of letting {request} through"))
            .expected(expected)
            .observed(format!(
                "{observed}{}",
                said.location.as_ref().map(|url| format!(", to {url}")).unwrap_or_default()
            ))
            .cause("a portal that wants a person to log in or to accept terms, or a block page")
            .fix(hand_over(said, "let this host through without a portal to")),
        400 | 405 | 501 => new(Status::Fail, format!("{place} does not understand {request}"))
            .expected(expected)
            .observed(observed)
            .cause("it is a web server or a reverse proxy, or its port is for TLS, or it does not know CONNECT")
            .fix(try_it(&place, said))
            .fix("ask the proxy team for the forward proxy's port: ics-setup prepare --proxy http://HOST:PORT"),
        500..600 => new(Status::Fail, format!("{place} cannot reach {}", said.target))
            .expected(expected)
            .observed(observed)
            .cause(match status {
                504 => "the proxy got no answer from there in time: the path behind it is blocked, or its name server is slow",
                _ => "the proxy cannot resolve the name or cannot connect to it: the path behind the proxy is blocked",
            })
            .fix(hand_over(said, "open the path from the proxy to")),
        // 200 where an http request came through; any other answer of the site itself is none of the proxy's.
        _ if said.method == "GET" && status != 403 && status != 451 => {
            new(Status::Pass, format!("{place} lets {request} through")).observed(observed)
        }
        _ => new(Status::Fail, format!("{place} forbids {request}"))
            .expected(expected)
            .observed(observed)
            .cause(format!("the proxy's rules do not allow {} for this host or this login", said.target))
            .fix(hand_over(said, "allow"))
            .fix("all names that are needed: ics-setup network allowlist"),
    }
}

fn credentials(proxy: &Dialled, said: &Said, user: Option<&str>, origin: &str) -> Finding {
    let new = |status, title: String| Finding::new("proxy-credentials", "proxy", status, title);
    let place = host_port(proxy);
    let offered = if said.schemes.is_empty() { "no scheme".to_owned() } else { said.schemes.join(", ") };
    let answer = match said.status {
        Some(status) => format!("{status} {}", said.reason).trim_end().to_owned(),
        None => {
            return new(Status::Skip, format!("whether {place} wants a login is not known"))
                .observed("it gave no answer of HTTP");
        }
    };
    let asks = said.status == Some(407);
    if asks && !said.offers("Basic") {
        return new(Status::Fail, format!("{place} takes no login that the product can give"))
            .expected("a 407 that offers Basic, or no login at all for this host")
            .observed(format!("{answer}; offered: {offered}"))
            .cause("the product's containers and the Insight Agent log in with Basic only; NTLM, Negotiate and Digest are out of their reach")
            .fix("ask the proxy team for Basic for this account, or to let this host through by its address");
    }
    match (user, said.logged_in, asks) {
        (Some(user), true, true) => new(Status::Fail, format!("{place} rejects the login of {user}"))
            .expected(format!("user {user} ({origin}) is let through"))
            .observed(format!("{answer}; offered: {offered}"))
            .cause("the password is wrong, has expired or was changed, or the account is locked; it was sent once and is not tried again")
            .fix(format!("give the right one: ics-setup prepare --proxy-user '{}' --proxy-password-file FILE", user.replace('\'', "'\\''")))
            .fix("where the product is installed, then: ics-setup reconfigure"),
        (Some(user), true, false) if said.status == Some(403) => {
            new(Status::Skip, format!("whether {place} takes the login of {user} is not known"))
                .observed(format!("{answer}: it forbids the request, which it may do before it looks at the login"))
        }
        (Some(user), true, false) => {
            new(Status::Pass, format!("{place} does not reject the login of {user}")).observed(answer)
        }
        (Some(user), false, _) => new(Status::Skip, format!("the login of {user} was not sent to {place}"))
            .observed(format!("the URL asks for TLS and the port speaks none; without the login: {answer}")),
        (None, _, true) => new(Status::Fail, format!("{place} asks for a login and none is set"))
            .expected(format!("user and password in the proxy URL ({origin})"))
            .observed(format!("{answer}; offered: {offered}"))
            .cause("the proxy lets nobody through without a login")
            .fix("ics-setup prepare --proxy-user USER --proxy-password-file FILE")
            .fix("where the product is installed, then: ics-setup reconfigure"),
        (None, _, false) => new(Status::Pass, format!("{place} asks for no login")).observed(answer),
    }
}

/// Does the site itself send a visitor on, as most do from http to https? A portal names another host.
fn is_own_redirect(said: &Said) -> bool {
    let host = said.target.trim_start_matches("http://").trim_end_matches('/');
    let to = said.location.as_deref().unwrap_or_default();
    let to_host = to.split_once("://").map(|(_, rest)| rest.split(['/', ':']).next().unwrap_or_default());
    said.method == "GET" && (to.starts_with('/') || to_host == Some(host))
}

/// What tells whose proxy it is.
fn signs(said: &Said) -> String {
    let parts = [("Via", &said.via), ("Server", &said.server), ("X-Squid-Error", &said.squid_error)];
    parts.into_iter().filter_map(|(name, value)| Some(format!(", {name}: {}", value.as_ref()?))).collect()
}

fn hand_over(said: &Said, what: &str) -> String {
    let target = said.target.trim_start_matches("http://").trim_end_matches('/');
    format!(
        "hand to the proxy team: {what} {target} ({}) for this host; the vendor's documents name it as required",
        said.method
    )
}

fn try_it(place: &str, said: &Said) -> String {
    let host = said.target.trim_start_matches("http://").split([':', '/']).next().unwrap_or_default();
    let scheme = if said.method == "GET" { "http" } else { "https" };
    format!("see for yourself: curl -v --connect-timeout 3 -x http://{place} {scheme}://{host}/")
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
