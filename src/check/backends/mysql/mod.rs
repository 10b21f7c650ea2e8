//! Judges what was seen of MySQL: is it there, is it the right one, can the product log in, and will it find what it needs?
//!
//! | module | what lives there |
//! | --- | --- |
//! | `access` | findings: reached? logged in? |
//! | `judge` | findings: version, TLS, databases, grants, clock, character set, capacity |

mod access;
mod judge;

use super::words::Server;
use crate::check::prelude::*;
use crate::mysql::{self, Login, MysqlFacts, Opening};

const SERVER: Server = Server { name: "MySQL", word: "mysql", reachable: ids::MYSQL_REACHABLE };

/// The check of MySQL.
pub(crate) struct Mysql;

impl Check for Mysql {
    type Facts = MysqlFacts;

    const META: Meta = Meta::new(
        "mysql",
        Group::Backends,
        &[
            ids::MYSQL_REACHABLE,
            ids::MYSQL_VERSION,
            ids::MYSQL_LOGIN,
            ids::MYSQL_TLS,
            ids::MYSQL_DATABASES,
            ids::MYSQL_GRANTS,
            ids::MYSQL_WRITABLE,
            ids::MYSQL_CLOCK,
            ids::MYSQL_CHARSET,
            ids::MYSQL_CAPACITY,
        ],
    )
    .gates(&[ids::MYSQL_REACHABLE, ids::MYSQL_LOGIN, ids::MYSQL_CAPACITY, ids::MYSQL_TLS, ids::MYSQL_DATABASES]);

    fn talks_to(&self, spec: &CheckSpec) -> Vec<String> {
        spec.mysql.iter().map(|mysql| format!("host:{}", mysql.at.host)).collect()
    }

    fn collect(&self, look: &Look<'_>, time: Time, earlier: Option<&MysqlFacts>) -> MysqlFacts {
        let Some(spec) = &look.spec.mysql else { return MysqlFacts::default() };
        if SERVER.is_container(look.spec, &spec.at) || SERVER.no_host(&spec.at).is_some() {
            return MysqlFacts::default();
        }
        match earlier {
            // Nothing more would be learnt, and the server counts each greeting without a login.
            Some(facts) if self.is_settled(facts) && spec.user.is_none() => return facts.clone(),
            Some(facts) if facts.is_blocked() => return facts.clone(),
            _ => {}
        }
        look.mysql().map(|target| mysql::look(&target, look.host, time)).unwrap_or_default()
    }

    fn judge(&self, facts: &MysqlFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge::judge_mysql(facts, spec)
    }

    fn is_settled(&self, facts: &MysqlFacts) -> bool {
        // Without a login the greeting is all there is to be had, and it does not change. What a login finds can: another
        // program may be making the databases and users right now.
        let greeted = matches!(facts.opening, Some(Opening::Greeting(_)));
        // Nor does a login that found everything it looks for, whatever else is wrong with the server.
        let complete = matches!(&facts.login, Some(Login::Open(about)) if judge::is_complete(about));
        (greeted && (facts.login.is_none() || complete)) || facts.is_blocked()
    }
}

#[cfg(test)]
mod tests;
