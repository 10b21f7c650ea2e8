//! MysqlFacts → findings. Pure.

use super::super::words::{at, complete, other_release};
use super::SERVER;
use super::access::{self, create, raise};
use crate::check::prelude::*;
use crate::check::requirements::{Profile, Window};
use crate::check::spec::MysqlSpec;
use crate::mysql;
use crate::mysql::{
    About, Grant, Greeting, Login, Make, MysqlFacts, Opening, Product, There, TlsReason, has_reload, missing, roles,
    writes_read_only,
};
use crate::net::NetError;
use crate::settings::Deployment;

/// A greeting that takes longer is a warning: every connection of the product waits as long.
const SLOW_GREETING: u64 = 2_000;

/// Clocks that differ by more are a warning, in milliseconds: schedules and sessions are computed on both sides.
const SKEW_WARN: i64 = 5_000;

/// And by more than this a failure: five minutes, where cloud APIs begin to refuse signed requests.
const SKEW_FAIL: i64 = 300_000;

/// Arguments for a check that logs in.
const WITH_LOGIN: &str = "check backends --mysql-user <USER> --mysql-password-file <FILE>";

/// What ends the look at names before a greeting.
const SKIP_NAME_RESOLVE: &str =
    "set skip-name-resolve in my.cnf on the server, or in the parameter group of a managed one, then restart it";

/// Judges what was seen.
pub(super) fn judge_mysql(facts: &MysqlFacts, spec: &CheckSpec) -> Vec<Finding> {
    let Some(mysql) = &spec.mysql else { return all(vec![SERVER.not_named(spec)]) };
    if let Some(finding) = SERVER.no_host(&mysql.at) {
        return all(vec![finding]);
    }
    if SERVER.is_container(spec, &mysql.at) {
        return all(vec![SERVER.still_container(&mysql.at)]);
    }
    match &facts.opening {
        None => all(vec![SERVER.not_named(spec)]),
        Some(Opening::NetError(error)) => all(vec![unreached(mysql, error, facts.opening_ms, spec)]),
        Some(Opening::Refusal(refusal)) => all(access::turned_away(mysql, refusal)),
        Some(Opening::Greeting(greeting)) => all(greeted(facts, greeting, mysql, spec)),
    }
}

fn all(findings: Vec<Finding>) -> Vec<Finding> {
    complete(findings, super::Mysql::META)
}

fn unreached(mysql: &MysqlSpec, error: &NetError, waited: u64, spec: &CheckSpec) -> Finding {
    let finding = SERVER.unreached(&mysql.at, error, &spec.limits);
    match error {
        NetError::Silent { .. } => finding
            .cause(text!("connected, no greeting within {}: reverse DNS on the server (it looks this host's name up before it greets), a paused serverless database that wakes up (up to a minute), or a port that is not MySQL's", took(waited)))
            .advise(text!("see whether it comes at all: {}", ics_setup("check backends --timeout 60s")))
            .advise(SKIP_NAME_RESOLVE)
            .advise(text!("if that port is not MySQL's, give its own: {}", ics_setup("reconfigure --mysql-port <PORT>"))),
        NetError::Closed => finding
            .cause("a load balancer without a server behind it, or rules on the server's side that close connections from this host")
            .advise("look at the load balancer's target group, and at the server's error log"),
        NetError::Unexpected { .. } => finding
            .cause("the port belongs to another service")
            .advise(text!("give its own port, by default 3306: {}", ics_setup("reconfigure --mysql-port <PORT>"))),
        _ => finding,
    }
}

fn greeted(facts: &MysqlFacts, greeting: &Greeting, mysql: &MysqlSpec, spec: &CheckSpec) -> Vec<Finding> {
    let announced = mysql::advertised(greeting, mysql.at.port);
    let mut findings = vec![reached(facts, mysql, &announced)];
    match &facts.login {
        None => {
            findings.push(version(&announced, mysql, spec, true));
            let finding = Finding::skip(ids::MYSQL_LOGIN, "the login to MySQL was not tried")
                .observed("no user is known (--mysql-user, prod.env); databases, grants and clock were not looked at");
            findings.push(finding.advise(text!("name the user: {}", ics_setup(WITH_LOGIN))));
        }
        Some(Login::Open(about)) => {
            let real = about.version.as_deref().map(|text| {
                let comment = about.variables.get("version_comment").map(String::as_str).unwrap_or_default();
                mysql::real(greeting, text, comment, &about.variables)
            });
            findings.push(version(real.as_ref().unwrap_or(&announced), mysql, spec, real.is_none()));
            findings.extend(inside(about, greeting, mysql, spec));
        }
        Some(login) => {
            findings.push(version(&announced, mysql, spec, true));
            findings.extend(access::login(mysql, greeting, login, facts.openssl.as_ref(), &spec.limits));
        }
    }
    findings
}

fn reached(facts: &MysqlFacts, mysql: &MysqlSpec, announced: &Product) -> Finding {
    let mut finding = SERVER.reached(&mysql.at, text!("it announces {}", announced.shown));
    if facts.opening_ms > SLOW_GREETING {
        finding.status = Status::Warn;
        finding.title = text!("MySQL on {} is slow to greet", at(&mysql.at));
        finding = finding
            .expected(text!("a greeting within {}", took(SLOW_GREETING)))
            .observed(text!("it took {}", took(facts.opening_ms)))
            .cause("usually reverse DNS on the server: it looks this host's name up for every connection; once only, it is a paused serverless database")
            .advise(SKIP_NAME_RESOLVE);
    }
    finding.evidence("greeting_ms", facts.opening_ms)
}

fn version(product: &Product, mysql: &MysqlSpec, spec: &CheckSpec, announced_only: bool) -> Finding {
    let profile = Profile::of(spec.release.as_deref());
    let window = &profile.mysql;
    let mut status = verdict(product, window);
    let place = at(&mysql.at);
    let observed =
        if announced_only { text!("advertised version: {}", product.shown) } else { text!("{}", product.shown) };
    let maybe = product.perhaps_proxy.filter(|_| announced_only);
    if maybe.is_some() && status == Status::Fail {
        status = Status::Warn;
    }
    let title = SERVER.version_title(status, &product.shown, product.version.is_some(), &place);
    let finding = Finding::new(ids::MYSQL_VERSION, status, title)
        .expected(SERVER.asked_for(profile, window))
        .observed(observed)
        .evidence("product", product.shown.clone())
        .evidence("advertised_only", announced_only)
        .evidence("window", own(&window.shown));
    if status == Status::Pass {
        return finding;
    }
    let finding = match maybe {
        Some(maybe) => finding.cause(maybe).advise(text!("ask the server itself: {}", ics_setup(WITH_LOGIN))),
        None => finding
            .cause(text!("the product's migrations are written for and tested with MySQL {}", own(&window.shown)))
            .advise(text!("move the databases to MySQL {}", own(&window.shown))),
    };
    finding.advise(other_release())
}

fn inside(about: &About, greeting: &Greeting, mysql: &MysqlSpec, spec: &CheckSpec) -> Vec<Finding> {
    let account = about.account.as_deref().unwrap_or_default();
    let place = at(&mysql.at);
    let user = own(mysql.user.as_deref().unwrap_or_default());
    let mut login = Finding::pass(ids::MYSQL_LOGIN, text!("{} can log in to MySQL on {}", user, place))
        .observed(text!("logged in as {}{}", account, own(if about.tls.is_some() { " over TLS" } else { "" })));
    if let Some(error) = &about.broke {
        login.status = Status::Warn;
        login.title = text!("the conversation with MySQL on {} broke off after the login", place);
        login = login
            .observed(text!("{}", error))
            .cause("a proxy or load balancer in between, or a server in trouble; what is missing below was not asked")
            .advise("look into the server's error log for this moment");
    }
    let mut findings = vec![login, tls(about, greeting, mysql)];
    if !about.databases.is_empty() {
        findings.push(databases(about, mysql));
    }
    if let Some(held) = &about.grants {
        findings.push(privileges(about, held, mysql, spec));
    }
    findings.extend(writable(about, mysql));
    findings.extend(clock(about, mysql));
    findings.extend(charset(about, mysql));
    findings.extend(capacity(about, mysql));
    findings
}

fn tls(about: &About, greeting: &Greeting, mysql: &MysqlSpec) -> Finding {
    let place = at(&mysql.at);
    let make = |status, title: Text| Finding::new(ids::MYSQL_TLS, status, title);
    match (&about.tls, about.tls_because) {
        (Some(cipher), Some(TlsReason::Required | TlsReason::Password)) => {
            make(Status::Warn, text!("MySQL on {} wants TLS, and the settings do not say so", place))
                .expected("mysql.tls = true in the settings")
                .observed(text!("the login went through over TLS only ({})", cipher))
                .cause(if about.tls_because == Some(TlsReason::Required) {
                    match about.variables.get("require_secure_transport").map(String::as_str) {
                        Some("ON" | "1") => "require_secure_transport is on",
                        _ => "the account demands it (REQUIRE SSL), or the server does (require_secure_transport)",
                    }
                } else {
                    "the account logs in by caching_sha2_password, which wants TLS"
                })
                .fix(ics_setup("reconfigure --mysql-tls"))
        }
        (Some(cipher), _) => make(Status::Pass, text!("the connection to MySQL on {} is encrypted", place))
            .observed(text!("{}; the certificate is trusted", cipher)),
        (None, _) => {
            let offer = if greeting.offers_tls {
                "the server offers TLS; it is not asked for (--mysql-tls)"
            } else {
                "the server offers no TLS"
            };
            make(Status::Pass, text!("MySQL on {} takes plain connections, as the settings have them", place))
                .observed(offer)
        }
    }
}

fn databases(about: &About, mysql: &MysqlSpec) -> Finding {
    let place = at(&mysql.at);
    let list = |there: There| {
        let names = about.databases.iter().filter(|database| database.there == there);
        Text::join(names.map(|database| text!("{}", own(&database.name))), " and ")
    };
    let (missing, hidden) = (list(There::No), list(There::Hidden));
    let both = text!("{} and {}", own(&mysql.database), own(&mysql.secret_database));
    let expected = text!("the databases {}", both);
    let make = |status, title: Text| Finding::new(ids::MYSQL_DATABASES, status, title).expected(&expected);
    if !missing.is_empty() || !hidden.is_empty() {
        let (title, observed) = if missing.is_empty() {
            (text!("MySQL on {} shows no database {}", place, hidden), "missing, or this user has no rights on it")
        } else {
            (text!("MySQL on {} has no database {}", place, missing), "the server says that it does not exist")
        };
        let mut finding = make(Status::Fail, title)
            .observed(observed)
            .cause("the product creates neither of them; on managed databases the second one must be made by hand");
        for database in about.databases.iter().filter(|own| matches!(own.there, There::No | There::Hidden)) {
            finding = finding.advise(create(&database.name));
            if database.there == There::Hidden {
                finding = finding.advise(grant(about, &database.name));
            }
        }
        return finding;
    }
    let unknown = list(There::Unknown);
    if unknown.is_empty() {
        make(Status::Pass, text!("both databases are on {}", place)).observed(both)
    } else {
        make(Status::Warn, text!("whether MySQL on {} has {} is unknown", place, unknown))
            .observed("the server did not say")
            .cause("the server or a proxy in front of it answers neither information_schema nor USE")
            .advise(text!("look on the server: {}", typed(text!("SHOW DATABASES LIKE '{}';", own(&mysql.database)))))
    }
}

/// `GRANT` for one database, to the account that logged in.
fn grant(about: &About, database: &str) -> Text {
    text!(
        "run on the server: {}",
        typed(text!("GRANT ALL ON {}.* TO {};", own(mysql::sql::pattern(database)), account(about)))
    )
}

/// `'divvy'@'%'`.
fn account(about: &About) -> Text {
    let text = about.account.as_deref().unwrap_or("divvy@%");
    let (user, host) = text.rsplit_once('@').unwrap_or((text, "%"));
    text!("'{}'@'{}'", user.replace('\'', "''"), host.replace('\'', "''"))
}

fn privileges(about: &About, held: &[Grant], mysql: &MysqlSpec, spec: &CheckSpec) -> Finding {
    let place = at(&mysql.at);
    let account = account(about);
    let any_case = about.any_case();
    let names = [&mysql.database, &mysql.secret_database];
    let short: Vec<(&String, Vec<&str>)> = names
        .into_iter()
        .map(|name| (name, missing(held, name, any_case)))
        .filter(|(_, missing)| !missing.is_empty())
        .collect();
    let reload = has_reload(held);
    let [main, keys] = names.map(own);
    let expected = text!("ALL on `{}`.* and `{}`.*, and RELOAD on *.*", main, keys);
    let make = |status, title: Text| Finding::new(ids::MYSQL_GRANTS, status, title).expected(&expected);
    if short.is_empty() && reload {
        return make(Status::Pass, text!("{} has the rights that the product needs", account))
            .observed("ALL on both databases, and RELOAD");
    }
    let on_database = |(name, missing): &(&String, Vec<&str>)| match missing.len() {
        many @ 7.. => text!("on {}: {} of the {} privileges of ALL", own(name), many, 18),
        _ => text!("on {}: {}", own(name), own(missing.join(", "))),
    };
    let lacks = short.iter().map(on_database).chain((!reload).then(|| "RELOAD on *.*".into()));
    let roles = roles(held);
    let status = match () {
        () if !roles.is_empty() => Status::Warn,
        // RELOAD is for the dump that the scheduler takes before it migrates.
        () if short.is_empty() && spec.deployment == Deployment::TestDrive => Status::Warn,
        () => Status::Fail,
    };
    let mut finding = make(status, text!("{} on {} lacks rights that the product needs", account, place))
        .observed(text!("missing {}", Text::join(lacks, "; ")));
    finding = finding.cause(match roles.as_slice() {
        [] => "the scheduler creates and alters tables in both databases, and dumps them before it migrates (RELOAD)"
            .into(),
        roles => text!("perhaps they come with the roles {}, whose rights SHOW GRANTS does not list", roles.join(", ")),
    });
    for (name, _) in &short {
        finding = finding.advise(grant(about, name));
    }
    if !reload {
        finding = finding.advise(text!("run on the server: {}", typed(text!("GRANT RELOAD ON *.* TO {};", account))));
    }
    finding
}

/// `read_only` stops everybody but administrators, the other two stop them as well (MySQL 5.7 manual, "Server System Variables";
/// a reader of Aurora has `innodb_read_only`).
fn writable(about: &About, mysql: &MysqlSpec) -> Option<Finding> {
    let is_on = |name: &&str| about.variables.get(*name).is_some_and(|value| !matches!(value.as_str(), "OFF" | "0"));
    let strict: Vec<&str> = ["super_read_only", "innodb_read_only"].into_iter().filter(is_on).collect();
    let place = at(&mysql.at);
    if strict.is_empty() && !is_on(&"read_only") {
        let is_known = about.variables.contains_key("read_only");
        let title = text!("MySQL on {} takes writes", place);
        return is_known.then(|| Finding::pass(ids::MYSQL_WRITABLE, title).observed("read_only is off"));
    }
    let may_all_the_same = strict.is_empty() && about.grants.as_deref().is_some_and(writes_read_only);
    let status = if may_all_the_same { Status::Warn } else { Status::Fail };
    let on = strict.first().copied().unwrap_or("read_only");
    let open: Text = if on == "innodb_read_only" {
        "if it is the primary, take innodb_read_only out of its my.cnf, then restart it".into()
    } else {
        // This turns super_read_only off as well.
        text!("if it is the primary, run on the server: {}", typed("SET GLOBAL read_only = OFF;"))
    };
    Some(
        Finding::new(ids::MYSQL_WRITABLE, status, text!("MySQL on {} is read-only", place))
            .expected("a primary, which takes writes")
            .observed(text!("{} is on", own(on)))
            .cause("it is a replica, a reader endpoint, or a primary that was set so; the product writes to both databases all the time")
            .advise(text!("give the primary's address: {}", ics_setup("reconfigure --mysql-host <HOST>")))
            .advise(open),
    )
}

fn clock(about: &About, mysql: &MysqlSpec) -> Option<Finding> {
    let skew = about.clock?.skew();
    let place = at(&mysql.at);
    let (amount, allowed) = (took(skew.unsigned_abs()), took(SKEW_WARN.unsigned_abs()));
    let word = own(if skew > 0 { "ahead of" } else { "behind" });
    let differ = |status| {
        let title = text!("the clock of MySQL on {} is {} {} this host's", place, amount, word);
        Finding::new(ids::MYSQL_CLOCK, status, title)
            .expected(text!("clocks that agree within {}", allowed))
            .observed(text!("{} {} this host, round trip accounted for", amount, word))
            .cause("jobs are scheduled and sessions expire by both clocks; one of them is wrong")
            .advise(text!("look on both whether the system clock is synchronized: {}", typed("timedatectl")))
    };
    let finding = match skew.saturating_abs() {
        SKEW_FAIL.. => differ(Status::Fail),
        SKEW_WARN.. => differ(Status::Warn),
        _ => Finding::pass(ids::MYSQL_CLOCK, text!("the clocks of MySQL on {} and of this host agree", place))
            .observed(text!("they differ by no more than {}", allowed)),
    };
    Some(finding.evidence("skew_ms", skew))
}

fn charset(about: &About, mysql: &MysqlSpec) -> Option<Finding> {
    let seen = about.databases.iter().filter_map(|database| {
        let (charset, collation) = (database.charset.as_ref()?, database.collation.as_ref()?);
        Some(text!("{}: {}, {}", own(&database.name), charset, collation))
    });
    let sets: Vec<&str> = about.databases.iter().filter_map(|database| database.charset.as_deref()).collect();
    if sets.is_empty() {
        return None;
    }
    let server = match (about.variables.get("character_set_server"), about.variables.get("collation_server")) {
        (Some(charset), Some(collation)) => text!("; the server's default: {}, {}", charset, collation),
        _ => Text::default(),
    };
    let observed = text!("{}{}", Text::join(seen, "; "), server);
    let place = at(&mysql.at);
    let usual = |set: &&str| set.starts_with("utf8") || *set == "latin1";
    if sets.windows(2).all(|pair| pair[0] == pair[1]) && sets.iter().all(usual) {
        let title = text!("the databases on {} have one usual character set", place);
        return Some(Finding::pass(ids::MYSQL_CHARSET, title).observed(observed));
    }
    let mut finding = Finding::warn(ids::MYSQL_CHARSET, text!("the character sets of the databases on {} are unusual or differ", place))
        .expected("the same for both: utf8mb4, utf8, or latin1, which is the default of 5.7")
        .observed(observed)
        .cause("new tables take the database's character set; values compared across sets fail with an illegal mix of collations");
    let other = |set: &str| !set.starts_with("utf8");
    for database in about.databases.iter().filter(|database| database.charset.as_deref().is_some_and(other)) {
        let name = own(mysql::sql::identifier(&database.name));
        let sql = typed(text!("ALTER DATABASE {} CHARACTER SET utf8mb4;", name));
        finding = finding.advise(text!("run on the server, before the first start only: {}", sql));
    }
    Some(finding)
}

fn capacity(about: &About, mysql: &MysqlSpec) -> Option<Finding> {
    let most: u64 = about.variables.get("max_connections")?.parse().ok()?;
    let now = about.clients?;
    let place = at(&mysql.at);
    let finding = if now.saturating_mul(10) >= most.saturating_mul(8) {
        Finding::warn(ids::MYSQL_CAPACITY, text!("MySQL on {} is short of connections", place))
            .expected("less than 80 % of max_connections in use")
            .cause("when they run out, processes of the product fail with error 1040")
            .advise(raise())
    } else {
        Finding::pass(ids::MYSQL_CAPACITY, text!("MySQL on {} has connections to spare", place))
    };
    let finding = finding.observed(text!("{} of {} connections are in use", now, most));
    Some(finding.evidence("connections", now).evidence("max_connections", most))
}

/// What becomes of a product under a window of versions.
fn verdict(product: &Product, window: &Window) -> Status {
    match (product.make, &product.version) {
        (Make::MariaDb | Make::TiDb | Make::Vitess, _) => window.other(),
        (_, Some(version)) => window.verdict(version),
        (_, None) => Status::Warn,
    }
}

/// Are both databases there with all rights on them? Then nobody is still at work on them.
pub(super) fn is_complete(about: &About) -> bool {
    let there = !about.databases.is_empty() && about.databases.iter().all(|database| database.there == There::Yes);
    let granted = about.grants.as_ref().is_some_and(|grants| {
        has_reload(grants) && about.databases.iter().all(|database| missing(grants, &database.name, true).is_empty())
    });
    there && granted && about.broke.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_announced_version_gets_its_verdict() {
        use Status::*;
        let window = &Profile::of(None).mysql;
        for (text, mysql_bit, status) in [
            ("5.7.44", true, Pass),
            ("5.7.44-log", true, Pass),
            ("5.7.44-48-log", true, Pass),
            ("8.0.36-28.1", true, Fail),
            ("5.7.44-google-log", true, Pass),
            ("5.7.12", true, Pass),
            ("5.7.mysql_aurora.2.11.2", true, Pass),
            ("8.0.mysql_aurora.3.04.0", true, Fail),
            ("5.7.28.1", true, Pass),
            ("5.7.25-TiDB-v7.1.0", true, Fail),
            ("8.0.11-TiDB-v8.5.1", true, Fail),
            ("5.7.9-Vitess", true, Fail),
            ("5.5.5-10.11.19-MariaDB-0+deb12u1", false, Fail),
            ("11.4.2-MariaDB-log", true, Fail),
            ("5.7.44-log", false, Fail),
            ("8.0.36", true, Fail),
            ("8.0.36-0ubuntu0.22.04.1", true, Fail),
            ("9.7.4-2", true, Fail),
            ("5.6.24", true, Fail),
            ("5.5.30", true, Fail),
            ("", true, Warn),
            ("☃", true, Warn),
        ] {
            let greeting = Greeting { version: text.to_owned(), mysql_bit, offers_tls: true, plugin: None };
            assert_eq!(verdict(&mysql::advertised(&greeting, 3306), window), status, "{text}");
        }
    }
}
