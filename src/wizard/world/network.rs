//! The network that this process is in, asked by the very checks that `ics-setup check` makes.

use std::cell::RefCell;

use super::{Verdict, World};
use crate::check::backends::{Mysql, Redis};
use crate::check::proxy::Dial;
use crate::check::{Address, Check, CheckSpec, Limits, Look, ProxySpec, Secrets};
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::mysql::MysqlFacts;
use crate::net::{NetError, Roots, Time};
use crate::network::cause::{Cause, offers_basic};
use crate::redact::Redactor;
use crate::report::line;
use crate::settings::{Found, ProxyUrl, Scheme, Settings};

/// A person waits for the proxy's answer and can look again: no longer than this, in milliseconds. With the second look at one
/// that says nothing, in TLS, it is over after about 5 s.
const PROXY_ANSWERS: u64 = 4_000;

/// The network, within the limits of `check`: 3 s for a connection, 10 s for an answer, but for that of the proxy.
pub(crate) struct Network<'a> {
    host: &'a dyn HostRead,
    roots: Roots,
    limits: Limits,
    /// The MySQL that greeted well, and what was seen of it: a server counts each greeting that no login follows, and blocks
    /// hosts that come for too many.
    greeted: RefCell<Option<(Address, MysqlFacts)>>,
}

impl<'a> Network<'a> {
    /// Of this host, with the certificates that it trusts.
    pub(crate) fn new(host: &'a dyn HostRead, roots: Roots) -> Self {
        Self { host, roots, limits: Limits::default(), greeted: RefCell::new(None) }
    }

    /// What was seen of a back end, and the findings about it.
    fn asked<C: Check>(
        &self,
        check: &C,
        spec: &CheckSpec,
        secrets: &Secrets,
        earlier: Option<&C::Facts>,
    ) -> (Vec<Finding>, C::Facts) {
        let look = Look { host: self.host, platform: None, spec, secrets, roots: &self.roots, changes: None };
        let facts = check.collect(&look, Time::new(spec.limits.connect(), spec.limits.check()), earlier);
        (check.judge(&facts, spec), facts)
    }
}

impl World for Network<'_> {
    fn proxy(&self, proxy: &ProxyUrl) -> Verdict {
        let wanted = || Some(ProxySpec::new(proxy, String::new()));
        let limits = Limits { check: PROXY_ANSWERS, ..self.limits };
        let spec = CheckSpec { http_proxy: wanted(), https_proxy: wanted(), limits, ..CheckSpec::default() };
        let url = || Some(proxy.clone());
        let secrets = Secrets { http_proxy: url(), https_proxy: url(), ..Secrets::default() };
        let (mut findings, facts) = self.asked(&Dial, &spec, &secrets, None);
        let tls = proxy.scheme == Scheme::Https;
        let asked = facts.proxies.first();
        let wrong_scheme =
            asked.and_then(|asked| asked.answers.as_ref()).is_some_and(|answers| answers.other_language(tls).is_some());
        if asked.is_some_and(|asked| matches!(asked.unresolved, Some(NetError::NameUnknown))) {
            // The title says it all.
            for finding in findings.iter_mut().filter(|finding| finding.id == ids::PROXY_RESOLVES) {
                finding.observed = None;
            }
        }
        if wrong_scheme {
            // The URL says it all.
            for finding in findings.iter_mut().filter(|finding| finding.id == ids::PROXY_LANGUAGE) {
                finding.observed = None;
            }
        }
        let redactor = knowing(&secrets);
        // What fails first explains what fails after it.
        let verdict = Verdict::of(&findings, 1, &[ids::PROXY_CONNECT_METHOD], &redactor);
        match asked.and_then(|asked| asked.failure(tls)).map(|failure| failure.why) {
            Some(Cause::ProxyLogin { schemes, .. }) if proxy.credentials.is_none() && offers_basic(&schemes) => {
                let place = proxy.place();
                let said = format!("{place} asks for a login (407: {})", schemes.join(", "));
                let beside = format!("answers, and wants a login ({})", schemes.join(", "));
                Verdict { wants_login: true, said, beside, advice: None, ..verdict }
            }
            Some(Cause::ProxyLogin { schemes, .. }) if !offers_basic(&schemes) && !schemes.is_empty() => {
                no_login(verdict, proxy)
            }
            Some(Cause::ProxyForbids { .. }) => no_login(verdict, proxy),
            _ if verdict.good => Verdict { beside: "answers, and lets requests through".to_owned(), ..verdict },
            _ => Verdict { wrong_scheme, ..verdict },
        }
    }

    fn mysql(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict {
        let spec = &CheckSpec { limits: self.limits, ..spec.clone() };
        let at = spec.mysql.as_ref().map(|mysql| mysql.at.clone());
        let anonymous = spec.mysql.as_ref().is_some_and(|mysql| mysql.user.is_none());
        let earlier =
            self.greeted.borrow().as_ref().filter(|(own, _)| Some(own) == at.as_ref()).map(|(_, facts)| facts.clone());
        let (findings, facts) = self.asked(&Mysql, spec, secrets, earlier.as_ref());
        let praise = [ids::MYSQL_REACHABLE, ids::MYSQL_VERSION, ids::MYSQL_LOGIN];
        let verdict = Verdict::of(&findings, 2, &praise, &knowing(secrets));
        let verdict = Verdict { wants_tls: facts.wants_tls(), ..verdict };
        if anonymous {
            // Who looks again at what was wrong wants it looked at.
            self.greeted.replace(at.filter(|_| verdict.good).map(|at| (at, facts)));
        }
        verdict
    }

    fn redis(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict {
        let spec = &CheckSpec { limits: self.limits, ..spec.clone() };
        let (mut findings, facts) = self.asked(&Redis, spec, secrets, None);
        let wants_login = secrets.redis.is_none() && facts.wants_password();
        // It is asked for next: no finding of its own. The first one about the login says so.
        if let Some(at) = findings.iter().position(|finding| wants_login && finding.id == ids::REDIS_LOGIN) {
            findings.remove(at);
        }
        let redactor = knowing(secrets);
        let praise = [ids::REDIS_REACHABLE, ids::REDIS_VERSION, ids::REDIS_LOGIN];
        let praise = if secrets.redis.is_some() { &praise[..] } else { &praise[..2] };
        let verdict = Verdict::of(&findings, 2, praise, &redactor);
        let mut verdict = Verdict { wants_login, wants_tls: facts.wants_tls(), ..verdict };
        if verdict.good && secrets.redis.is_none() {
            verdict.said.push_str(if wants_login { "; it asks for a password" } else { "; it asks for no password" });
        }
        verdict
    }

    fn administrator(&self, settings: &Settings, found: &Found) -> Verdict {
        let mut redactor = Redactor::default();
        settings.secrets.iter().for_each(|secret| redactor.learn(secret));
        match crate::deploy::administrator(self.host, settings, found) {
            Ok(findings) if findings.is_empty() => Verdict { good: true, ..Verdict::default() },
            Ok(findings) => Verdict::of(&findings, 2, &[ids::MYSQL_ADMIN], &redactor),
            Err(problem) => Verdict { said: line(&redactor, &problem.sentence()), ..Verdict::default() },
        }
    }
}

/// A login of ours would not change it: nobody is asked for one in vain.
fn no_login(mut verdict: Verdict, proxy: &ProxyUrl) -> Verdict {
    if proxy.credentials.is_none() {
        verdict.noticed.push(("a login would not change that, so none is asked for".to_owned(), None));
    }
    Verdict { login_is_no_help: true, ..verdict }
}

fn knowing(secrets: &Secrets) -> Redactor {
    let mut redactor = Redactor::default();
    secrets.teach(&mut redactor);
    redactor
}
