//! Findings about getting in: reached, let in, TLS.

use super::super::words::{at, trust};
use super::SERVER;
use crate::check::spec::{CheckSpec, RedisSpec};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::net::{NetError, seconds};
use crate::redis::{Denial, DenialKind, RedisAnswers, RedisFacts};
use crate::text::quoted;

/// The connection that counts, and the findings about how it came about. `None`: there is none.
pub(super) fn access<'a>(
    facts: &'a RedisFacts,
    redis: &RedisSpec,
    spec: &CheckSpec,
) -> (Option<&'a RedisAnswers>, Vec<Finding>) {
    let place = at(&redis.at);
    let Some(answers) = facts.answers() else {
        return (None, vec![no_reply(facts.tls.as_ref(), facts.plain.as_ref(), redis, spec)]);
    };
    let mut findings = vec![SERVER.reached(&redis.at, "it replies in Redis's protocol".to_owned())];
    if let Some(denial) = answers.turned_away() {
        findings[0].observed = Some(format!("it answers: {} (address: {})", denial.code, redis.at.origin).into());
        findings.push(turned_away(denial, &place));
        return (None, findings);
    }
    findings.push(tls(facts, answers, redis));
    findings.push(login(answers, redis));
    if let Some(trouble) = &answers.trouble {
        findings.push(
            Finding::new(ids::REDIS_LOGIN, Status::Fail, format!("the conversation with Redis on {place} broke off"))
                .expected(format!("an answer within {} (--timeout)", seconds(spec.limits.check())))
                .observed(trouble.to_string()),
        );
    }
    (Some(answers), findings)
}

fn no_reply(tls: Option<&RedisAnswers>, plain: Option<&RedisAnswers>, redis: &RedisSpec, spec: &CheckSpec) -> Finding {
    let place = at(&redis.at);
    let trouble = |answers: Option<&RedisAnswers>| answers.and_then(|answers| answers.trouble.clone());
    let (by_tls, by_plain) = (trouble(tls), trouble(plain));
    let tls_finding = |title: String, trouble: &NetError| {
        Finding::new(ids::REDIS_TLS, Status::Fail, title)
            .observed(trouble.to_string())
            .evidence("host", redis.at.host.clone())
            .evidence("port", redis.at.port)
    };
    match (&by_tls, &by_plain) {
        (Some(trouble @ NetError::Untrusted { why }), _) => {
            let finding = tls_finding(format!("the certificate of Redis on {place} is not trusted"), trouble)
                .expected("a certificate that this host trusts");
            trust(finding, why, &redis.at.host, redis.at.port, "redis")
        }
        // Asked for TLS only: what is on the other side is not known.
        (
            Some(trouble @ (NetError::Tls { .. } | NetError::Closed | NetError::Reset | NetError::Silent { .. })),
            None,
        ) => tls_finding(format!("no TLS connection to Redis on {place}"), trouble)
            .expected("TLS 1.2 or 1.3, as the settings say (redis.tls = true)")
            .cause("a plain Redis waits for more when a client begins with TLS; it never answers")
            .fix("ics-setup check backends --redis-tls=false   # is it a plain one?")
            .fix(format!("openssl s_client -connect {place} </dev/null")),
        (_, Some(trouble)) => {
            let finding = SERVER.unreached(&redis.at, trouble, &spec.limits);
            match trouble {
                NetError::Silent { .. } => finding
                    .cause("connected, and no reply to INFO: another service, a TLS port, or a Redis that is stuck")
                    .fix(format!("redis-cli -h {} -p {} ping", quoted(&redis.at.host), redis.at.port))
                    .fix("ics-setup check backends --redis-tls   # if it is a TLS port"),
                NetError::Closed | NetError::Reset => finding
                    .cause(if redis.tls == Some(false) {
                        "a Redis with TLS closes plain connections like this (redis.tls = false in the settings), and so does a load balancer without a server behind it"
                    } else {
                        "a load balancer without a server behind it, or rules on the server's side; TLS was tried as well"
                    })
                    .fix("ics-setup check backends --redis-tls   # if it is a TLS port"),
                NetError::Unexpected { .. } => finding
                    .cause("the port belongs to another service")
                    .fix("sudo ics-setup reconfigure --redis-port PORT   # Redis's own is 6379"),
                _ => finding,
            }
        }
        (Some(trouble), None) => SERVER.unreached(&redis.at, trouble, &spec.limits),
        (None, None) => SERVER.not_named(spec),
    }
}

/// Errors in place of any service.
fn turned_away(denial: &Denial, place: &str) -> Finding {
    let make = |title: String| Finding::new(ids::REDIS_LOGIN, Status::Fail, title).observed(denial.to_string());
    match denial.kind() {
        DenialKind::Loading => make(format!("Redis on {place} is still loading its data"))
            .expected("a Redis that serves")
            .cause("it was started a moment ago and reads its dump; it serves by itself when that is done")
            .fix("ics-setup check backends --wait 5m"),
        DenialKind::ProtectedMode => make(format!("Redis on {place} is in protected mode"))
            .expected("a Redis that serves this host")
            .cause("it has no password, so it serves its own host only")
            .fix("on the server, in redis.conf: requirepass PASSWORD and bind ADDRESS, then restart it"),
        DenialKind::TooManyClients => make(format!("Redis on {place} has no connection left"))
            .expected("room for the connections of every process of the product")
            .cause("maxclients is reached; the path to the server is open")
            .fix("on the server: redis-cli CLIENT LIST   # who holds them")
            .fix("on the server, in redis.conf: maxclients 10000"),
        DenialKind::PrimaryLost => make(format!("Redis on {place} is a replica that has lost its primary"))
            .fix("sudo ics-setup reconfigure --redis-host HOST   # the primary's"),
        _ => make(format!("Redis on {place} refuses INFO"))
            .expected("an answer to INFO")
            .cause("a proxy or a service that hides INFO; nothing more can be said about it"),
    }
}

fn tls(facts: &RedisFacts, answers: &RedisAnswers, redis: &RedisSpec) -> Finding {
    let place = at(&redis.at);
    let make = |status, title: String| Finding::new(ids::REDIS_TLS, status, title);
    match &answers.cipher {
        Some(cipher) if redis.tls == Some(true) => {
            make(Status::Pass, format!("the connection to Redis on {place} is encrypted"))
                .observed(format!("{cipher}; the certificate is trusted"))
        }
        Some(cipher) => {
            let plain = facts
                .plain
                .as_ref()
                .and_then(|plain| plain.trouble.as_ref())
                .map(ToString::to_string)
                .unwrap_or_default();
            make(Status::Warn, format!("Redis on {place} wants TLS, and the settings do not say so"))
                .expected("redis.tls = true in the settings")
                .observed(format!("plain: {plain}; with TLS it answers ({cipher})"))
                .fix("sudo ics-setup reconfigure --redis-tls")
        }
        None => make(Status::Pass, format!("Redis on {place} takes plain connections, as the settings have them"))
            .observed("it answers without TLS"),
    }
}

fn login(answers: &RedisAnswers, redis: &RedisSpec) -> Finding {
    let place = at(&redis.at);
    let make = |status, title: String| Finding::new(ids::REDIS_LOGIN, status, title);
    if let Some(denial) = &answers.login {
        return match denial.kind() {
            DenialKind::NoPasswordSet => {
                make(Status::Warn, format!("Redis on {place} has no password, and the settings have one"))
                    .expected("a Redis that asks for the password of the settings")
                    .observed(denial.to_string())
                    .cause("everybody who reaches the port can read and change the product's queues; some clients stop at this error")
                    .fix("on the server: redis-cli CONFIG SET requirepass PASSWORD   # and the same in redis.conf")
            }
            DenialKind::WrongPassword => make(Status::Fail, format!("Redis on {place} refuses the password"))
                .expected("the password of the settings is the server's")
                .observed(denial.to_string())
                .cause("the password is wrong, or the default user is turned off")
                .fix("on the server: redis-cli ACL LIST   # from 6 on; before: grep requirepass redis.conf")
                .fix("sudo ics-setup reconfigure --redis-password-file FILE"),
            _ => make(Status::Fail, format!("Redis on {place} refuses the login"))
                .expected("a login")
                .observed(denial.to_string()),
        };
    }
    if answers.logged_in {
        return make(Status::Pass, format!("Redis on {place} takes the password")).observed("logged in");
    }
    match &answers.denied {
        Some(denial) if denial.kind() == DenialKind::PasswordWanted => {
            make(Status::Fail, format!("Redis on {place} asks for a password, and none is known"))
                .expected("the password in the settings or in prod.env")
                .observed(denial.to_string())
                .fix("sudo ics-setup reconfigure --redis-password-file FILE")
                .fix("once, to try: ics-setup check backends --redis-password-file FILE")
        }
        _ => make(Status::Pass, format!("Redis on {place} lets everybody in")).observed(if redis.has_password {
            "no password was asked for"
        } else {
            "no password is set, and none is in the settings"
        }),
    }
}
