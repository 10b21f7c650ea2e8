//! Findings about getting in: reached, let in, TLS.

use super::super::super::certificates;
use super::super::words::{at, placed};
use super::SERVER;
use crate::check::prelude::*;
use crate::check::spec::RedisSpec;
use crate::net::{NetError, TlsFault};
use crate::network::openssl::Openssl;
use crate::redis::{Denial, DenialKind, RedisAnswers, RedisFacts};
use crate::text::{quoted, typed};

/// The connection that counts, and the findings about how it came about. `None`: there is none.
pub(super) fn access<'a>(
    facts: &'a RedisFacts,
    redis: &RedisSpec,
    spec: &CheckSpec,
) -> (Option<&'a RedisAnswers>, Vec<Finding>) {
    let place = at(&redis.at);
    let Some(answers) = facts.answers() else {
        return (None, vec![no_reply(facts, redis, spec)]);
    };
    let mut findings = vec![SERVER.reached(&redis.at, "it replies in Redis's protocol".into())];
    if let Some(denial) = answers.turned_away() {
        findings[0].observed = Some(text!("it answers: {} (address: {})", denial.code, own(&redis.at.origin)));
        findings.push(turned_away(denial, &place));
        return (None, findings);
    }
    findings.push(tls(facts, answers, redis));
    findings.push(login(answers, redis));
    if let Some(error) = &answers.error {
        findings.push(
            Finding::fail(ids::REDIS_LOGIN, text!("the conversation with Redis on {} broke off", place))
                .expected(text!("an answer within {} (--timeout)", took(spec.limits.check)))
                .observed(text!("{}", error))
                .cause("a proxy or load balancer in between, or a server in trouble")
                .advise(text!(
                    "try the same by hand: {}",
                    typed(text!("redis-cli -h {} -p {} INFO server", own(quoted(&redis.at.host)), redis.at.port))
                )),
        );
    }
    (Some(answers), findings)
}

fn no_reply(facts: &RedisFacts, redis: &RedisSpec, spec: &CheckSpec) -> Finding {
    let place = at(&redis.at);
    let (tls, plain, openssl) = (facts.tls.as_ref(), facts.plain.as_ref(), facts.openssl.as_ref());
    let error = |answers: Option<&RedisAnswers>| answers.and_then(|answers| answers.error.clone());
    let (by_tls, by_plain) = (error(tls), error(plain));
    let tls_finding = |title: Text, error: &NetError| {
        placed(Finding::fail(ids::REDIS_TLS, title).observed(text!("{}", error)), &redis.at)
    };
    match (&by_tls, &by_plain) {
        (Some(error @ NetError::Untrusted { why }), _) => {
            let finding = tls_finding(text!("the certificate of Redis on {} is not trusted", place), error)
                .expected("a certificate that this host trusts");
            match openssl.and_then(|_| SERVER.without_tls(finding.clone(), error, openssl, &redis.at)) {
                Some(finding) => finding,
                None => certificates::with_openssl(SERVER.trust(finding, why, &redis.at), openssl),
            }
        }
        (Some(error), _) if of_tls(error, openssl, redis).is_some() => {
            let finding = tls_finding(text!("no TLS connection to Redis on {}", place), error);
            of_tls(error, openssl, redis)
                .map_or(finding, |told| placed(certificates::with_openssl(told, openssl), &redis.at))
        }
        // Asked for TLS only: what is on the other side is not known.
        (Some(error @ (NetError::Tls { .. } | NetError::Closed | NetError::Reset | NetError::Silent { .. })), None) => {
            tls_finding(text!("no TLS connection to Redis on {}", place), error)
                .expected("TLS 1.2 or 1.3, as the settings say (redis.tls = true)")
                .cause("a plain Redis waits for more when a client begins with TLS; it never answers")
                .up_to(Actor::Host)
                .advise(text!("see whether it is a plain one: {}", ics_setup("check backends --redis-tls=false")))
                .advise(text!(
                    "look what it answers: {}",
                    typed(text!("openssl s_client -connect {} </dev/null", place))
                ))
        }
        (_, Some(error)) => {
            let finding = SERVER.unreached(&redis.at, error, &spec.limits);
            match error {
                NetError::Silent { .. } => finding
                    .cause("connected, and no reply to INFO: another service, a TLS port, or a Redis that is stuck")
                    .advise(text!("look whether it answers: {}", typed(text!("redis-cli -h {} -p {} ping", own(quoted(&redis.at.host)), redis.at.port))))
                    .advise(text!("if it is a TLS port: {}", ics_setup("check backends --redis-tls"))),
                NetError::Closed | NetError::Reset => finding
                    .cause(if redis.tls == Some(false) {
                        "a Redis with TLS closes plain connections like this (redis.tls = false in the settings), and so does a load balancer without a server behind it"
                    } else {
                        "a load balancer without a server behind it, or rules on the server's side; TLS was tried as well"
                    })
                    .advise(text!("if it is a TLS port: {}", ics_setup("check backends --redis-tls"))),
                NetError::Unexpected { .. } => finding
                    .cause("the port belongs to another service")
                    .advise(text!("give its own port, by default 6379: {}", ics_setup("reconfigure --redis-port <PORT>"))),
                _ => finding,
            }
        }
        (Some(error), None) => SERVER.unreached(&redis.at, error, &spec.limits),
        (None, None) => SERVER.not_named(spec),
    }
}

/// A handshake that the other side, or this tool, could not bring to its end: it speaks TLS.
fn of_tls(error: &NetError, openssl: Option<&Openssl>, redis: &RedisSpec) -> Option<Finding> {
    let title = text!("no TLS connection to Redis on {}", at(&redis.at));
    let finding = Finding::fail(ids::REDIS_TLS, title).expected("TLS 1.2 or 1.3").observed(text!("{}", error));
    let finding = SERVER.without_tls(finding, error, openssl, &redis.at)?;
    Some(match error {
        NetError::Tls { why: TlsFault::ClientCertificate } => finding.advise(text!(
            "set tls-auth-clients no in redis.conf on the server (its default is yes), then restart it, or: {}",
            typed("redis-cli CONFIG SET tls-auth-clients no")
        )),
        _ => finding,
    })
}

/// Errors in place of any service.
fn turned_away(denial: &Denial, place: &Text) -> Finding {
    let make = |title: Text| Finding::fail(ids::REDIS_LOGIN, title).observed(denial.to_string());
    match denial.kind() {
        DenialKind::Loading => make(text!("Redis on {} is still loading its data", place))
            .expected("a Redis that serves")
            .cause("it was started a moment ago and reads its dump; it serves by itself when that is done")
            .advise(text!("wait for it: {}", ics_setup("check backends --wait 5m"))),
        DenialKind::ProtectedMode => make(text!("Redis on {} is in protected mode", place))
            .expected("a Redis that serves this host")
            .cause("it has no password, so it serves its own host only")
            .advise("set requirepass <PASSWORD> and bind <ADDRESS> in redis.conf on the server, then restart it"),
        DenialKind::TooManyClients => make(text!("Redis on {} has no connection left", place))
            .expected("room for the connections of every process of the product")
            .cause("maxclients is reached; the path to the server is open")
            .advise(text!("look on the server who holds them: {}", typed("redis-cli CLIENT LIST")))
            .advise("raise it in redis.conf on the server: maxclients 10000"),
        DenialKind::PrimaryLost => make(text!("Redis on {} is a replica that has lost its primary", place))
            .cause("replica-serve-stale-data is off, so it answers nothing until the primary is back")
            .advise(text!("give the primary's address: {}", ics_setup("reconfigure --redis-host <HOST>"))),
        _ => make(text!("Redis on {} refuses INFO", place))
            .expected("an answer to INFO")
            .cause("a proxy or a service that hides INFO; nothing more can be said about it")
            .advise("give the address of the Redis itself, or allow INFO there"),
    }
}

fn tls(facts: &RedisFacts, answers: &RedisAnswers, redis: &RedisSpec) -> Finding {
    let place = at(&redis.at);
    let make = |status, title: Text| Finding::new(ids::REDIS_TLS, status, title);
    match &answers.cipher {
        Some(cipher) if redis.tls == Some(true) => {
            make(Status::Pass, text!("the connection to Redis on {} is encrypted", place))
                .observed(text!("{}; the certificate is trusted", cipher))
        }
        Some(cipher) => {
            let plain = facts.plain.as_ref().and_then(|plain| plain.error.as_ref());
            let plain = plain.map(|error| text!("{}", error)).unwrap_or_default();
            make(Status::Warn, text!("Redis on {} wants TLS, and the settings do not say so", place))
                .expected("redis.tls = true in the settings")
                .observed(text!("plain: {}; with TLS it answers ({})", plain, cipher))
                .cause(
                    "its port is one for TLS (tls-port, or stunnel in front), and a plain client gets no answer there",
                )
                .fix(ics_setup("reconfigure --redis-tls"))
        }
        None => make(Status::Pass, text!("Redis on {} takes plain connections, as the settings have them", place))
            .observed("it answers without TLS"),
    }
}

fn login(answers: &RedisAnswers, redis: &RedisSpec) -> Finding {
    let place = at(&redis.at);
    let make = |status, title: Text| Finding::new(ids::REDIS_LOGIN, status, title);
    if let Some(denial) = &answers.login {
        return match denial.kind() {
            DenialKind::NoPasswordSet => {
                make(Status::Warn, text!("Redis on {} has no password, and the settings have one", place))
                    .expected("a Redis that asks for the password of the settings")
                    .observed(denial.to_string())
                    .cause("everybody who reaches the port can read and change the product's queues; some clients stop at this error")
                    .advise(text!("set one on the server, and the same in redis.conf: {}", typed("redis-cli CONFIG SET requirepass <PASSWORD>")))
            }
            DenialKind::WrongPassword => make(Status::Fail, text!("Redis on {} refuses the password", place))
                .expected("the password of the settings is the server's")
                .observed(denial.to_string())
                .cause("the password is wrong, or the default user is turned off")
                .advise(text!("look on the server, from 6 on: {}; before: {}", typed("redis-cli ACL LIST"), typed("grep requirepass redis.conf")))
                .advise(text!("give the right one: {}", ics_setup("reconfigure --redis-password-file <FILE>"))),
            _ => make(Status::Fail, text!("Redis on {} refuses the login", place))
                .expected("a login")
                .observed(denial.to_string())
                .cause("the server's own words say why; the path to it is open")
                .advise(text!("try the same by hand: {}", typed(text!("redis-cli -h {} -p {} --askpass PING", own(quoted(&redis.at.host)), redis.at.port)))),
        };
    }
    if answers.logged_in {
        return make(Status::Pass, text!("Redis on {} takes the password", place)).observed("logged in");
    }
    match &answers.denied {
        Some(denial) if denial.kind() == DenialKind::PasswordWanted => {
            make(Status::Fail, text!("Redis on {} asks for a password, and none is known", place))
                .expected("the password in the settings or in prod.env")
                .observed(denial.to_string())
                .cause("requirepass or an ACL is set on the server")
                .up_to(Actor::Host)
                .advise(text!("give it: {}", ics_setup("reconfigure --redis-password-file <FILE>")))
                .advise(text!("try it once: {}", ics_setup("check backends --redis-password-file <FILE>")))
        }
        _ => make(Status::Pass, text!("Redis on {} lets everybody in", place)).observed(if redis.has_password {
            "no password was asked for"
        } else {
            "no password is set, and none is in the settings"
        }),
    }
}
