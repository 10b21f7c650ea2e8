//! MysqlFacts → findings. Pure.

use super::super::words::at;
use super::SERVER;
use super::access::{self, create};
use crate::check::requirements::{Profile, Window};
use crate::check::spec::{CheckSpec, MysqlSpec};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::mysql;
use crate::mysql::{
    About, Grant, Greeting, Login, Make, MysqlFacts, MysqlFailure, Opening, Product, There, has_reload, missing, roles,
};
use crate::net::{NetError, seconds};
use crate::settings::Deployment;
use std::time::Duration;

/// A greeting that takes longer is a warning: every connection of the product waits as long.
const SLOW_GREETING: u64 = 2_000;

/// Clocks that differ by more are a warning, in milliseconds: schedules and sessions are computed on both sides.
const SKEW_WARN: i64 = 5_000;

/// And by more than this a failure: five minutes, where cloud APIs begin to refuse signed requests.
const SKEW_FAIL: i64 = 300_000;

/// Judges what was seen.
pub(super) fn judge_mysql(facts: &MysqlFacts, spec: &CheckSpec) -> Vec<Finding> {
    let Some(mysql) = &spec.mysql else { return vec![SERVER.not_named(spec)] };
    if SERVER.is_container(spec, &mysql.at) {
        return vec![SERVER.still_container(&mysql.at)];
    }
    match &facts.opening {
        None => vec![SERVER.not_named(spec)],
        Some(Opening::NetError(trouble)) => vec![unreached(mysql, trouble, facts.opening_ms, spec)],
        Some(Opening::Refusal(refusal)) => access::turned_away(mysql, refusal),
        Some(Opening::Greeting(greeting)) => greeted(facts, greeting, mysql, spec),
    }
}

fn unreached(mysql: &MysqlSpec, trouble: &NetError, waited: u64, spec: &CheckSpec) -> Finding {
    let finding = SERVER.unreached(&mysql.at, trouble, &spec.limits);
    let waited = seconds(Duration::from_millis(waited));
    match trouble {
        NetError::Silent { .. } => finding
            .cause(format!("connected, no greeting within {waited}: reverse DNS on the server (it looks this host's name up before it greets), or a port that is not MySQL's"))
            .fix("on the server, in my.cnf: skip-name-resolve, then restart it")
            .fix("ics-setup check backends --timeout 60s   # does it come at all?"),
        NetError::Closed => finding
            .cause("a load balancer without a server behind it, or rules on the server's side that close connections from this host")
            .fix("look at the load balancer's target group, and at the server's error log"),
        NetError::Unexpected { .. } => finding
            .cause("the port belongs to another service")
            .fix("sudo ics-setup reconfigure --mysql-port PORT   # MySQL's own is 3306"),
        _ => finding,
    }
}

fn greeted(facts: &MysqlFacts, greeting: &Greeting, mysql: &MysqlSpec, spec: &CheckSpec) -> Vec<Finding> {
    let announced = mysql::advertised(greeting, mysql.at.port);
    let mut findings = vec![reached(facts, mysql, &announced)];
    let window = &Profile::of(spec.release.as_deref()).mysql;
    match &facts.login {
        None => {
            findings.push(version(&announced, mysql, spec, true));
            let finding = Finding::new(ids::MYSQL_LOGIN, Status::Skip, "the login to MySQL was not tried")
                .observed("no user is known (--mysql-user, prod.env); databases, grants and clock were not looked at");
            findings.push(finding.fix("ics-setup check backends --mysql-user USER --mysql-password-file FILE"));
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
            findings.extend(access::login(mysql, greeting, login, &spec.limits));
        }
    }
    for finding in &mut findings {
        if finding.id == ids::MYSQL_VERSION {
            finding.evidence.insert("window".to_owned(), window.shown.clone().into());
        }
    }
    findings
}

fn reached(facts: &MysqlFacts, mysql: &MysqlSpec, announced: &Product) -> Finding {
    let took = seconds(Duration::from_millis(facts.opening_ms));
    let mut finding = SERVER.reached(&mysql.at, format!("it announces {}", announced.shown));
    if facts.opening_ms > SLOW_GREETING {
        finding.status = Status::Warn;
        finding.title = format!("MySQL on {} is slow to greet", at(&mysql.at)).into();
        finding = finding
            .expected(format!("a greeting within {}", seconds(Duration::from_millis(SLOW_GREETING))))
            .observed(format!("it took {took}"))
            .cause("usually reverse DNS on the server: it looks this host's name up for every connection")
            .fix("on the server, in my.cnf: skip-name-resolve, then restart it");
    }
    finding.evidence("greeting_ms", facts.opening_ms)
}

fn version(product: &Product, mysql: &MysqlSpec, spec: &CheckSpec, announced_only: bool) -> Finding {
    let profile = Profile::of(spec.release.as_deref());
    let window = &profile.mysql;
    let mut status = verdict(product, window);
    let place = at(&mysql.at);
    let observed =
        if announced_only { format!("advertised version: {}", product.shown) } else { product.shown.clone() };
    let maybe = product.perhaps_proxy.filter(|_| announced_only);
    if maybe.is_some() && status == Status::Fail {
        status = Status::Warn;
    }
    let title = match (status, &product.version) {
        (Status::Pass, _) => format!("{} on {place} is a version that the product supports", product.shown),
        (_, None) => format!("the version of MySQL on {place} cannot be read"),
        _ => format!("{} on {place} is not what the product asks for", product.shown),
    };
    let finding = Finding::new(ids::MYSQL_VERSION, status, title)
        .expected(format!("MySQL {} ({}; {}, {})", window.shown, profile.name, profile.source, profile.date))
        .observed(observed)
        .evidence("product", product.shown.clone())
        .evidence("advertised_only", announced_only);
    if status == Status::Pass {
        return finding;
    }
    let release = "ics-setup check backends --release VERSION   # if another release of the product is meant";
    let finding = match maybe {
        Some(maybe) => finding
            .cause(maybe)
            .fix("ics-setup check backends --mysql-user USER --mysql-password-file FILE   # asks the server itself"),
        None => finding
            .cause("the product's migrations are written for and tested with the versions above")
            .fix(format!("move the databases to MySQL {}", window.shown)),
    };
    finding.fix(release)
}

fn inside(about: &About, greeting: &Greeting, mysql: &MysqlSpec, spec: &CheckSpec) -> Vec<Finding> {
    let account = about.account.as_deref().unwrap_or_default();
    let place = at(&mysql.at);
    let mut login = Finding::new(
        ids::MYSQL_LOGIN,
        Status::Pass,
        format!("{} can log in to MySQL on {place}", mysql.user.as_deref().unwrap_or_default()),
    )
    .observed(format!("logged in as {account}{}", if about.tls.is_some() { " over TLS" } else { "" }));
    if let Some(trouble) = &about.broke {
        login.status = Status::Warn;
        login.title = format!("the conversation with MySQL on {place} broke off after the login").into();
        login = login.observed(trouble.to_string()).cause("what is missing below was not asked");
    }
    let mut findings = vec![login, tls(about, greeting, mysql)];
    if !about.databases.is_empty() {
        findings.push(databases(about, mysql));
    }
    if let Some(held) = &about.grants {
        findings.push(privileges(about, held, mysql, spec));
    }
    findings.extend(clock(about, mysql));
    findings.extend(charset(about, mysql));
    findings.extend(capacity(about, mysql));
    findings
}

fn tls(about: &About, greeting: &Greeting, mysql: &MysqlSpec) -> Finding {
    let place = at(&mysql.at);
    let make = |status, title: String| Finding::new(ids::MYSQL_TLS, status, title);
    match (&about.tls, about.tls_because) {
        (Some(cipher), Some(MysqlFailure::Required | MysqlFailure::Password)) => {
            make(Status::Warn, format!("MySQL on {place} wants TLS, and the settings do not say so"))
                .expected("mysql.tls = true in the settings")
                .observed(format!("the login went through over TLS only ({cipher})"))
                .cause(if about.tls_because == Some(MysqlFailure::Required) {
                    match about.variables.get("require_secure_transport").map(String::as_str) {
                        Some("ON" | "1") => "require_secure_transport is on",
                        _ => "the account demands it (REQUIRE SSL), or the server does (require_secure_transport)",
                    }
                } else {
                    "the account logs in by caching_sha2_password, which wants TLS"
                })
                .fix("sudo ics-setup reconfigure --mysql-tls")
        }
        (Some(cipher), _) => make(Status::Pass, format!("the connection to MySQL on {place} is encrypted"))
            .observed(format!("{cipher}; the certificate is trusted")),
        (None, _) => {
            let offer = if greeting.offers_tls {
                "the server offers TLS; it is not asked for (--mysql-tls)"
            } else {
                "the server offers no TLS"
            };
            make(Status::Pass, format!("MySQL on {place} takes plain connections, as the settings have them"))
                .observed(offer)
        }
    }
}

fn databases(about: &About, mysql: &MysqlSpec) -> Finding {
    let place = at(&mysql.at);
    let list = |there: There| {
        let names: Vec<&str> =
            about.databases.iter().filter(|own| own.there == there).map(|own| own.name.as_str()).collect();
        names.join(" and ")
    };
    let (missing, hidden) = (list(There::No), list(There::Hidden));
    let expected = format!("the databases {} and {}", mysql.database, mysql.secret_database);
    let make = |status, title: String| Finding::new(ids::MYSQL_DATABASES, status, title).expected(expected.clone());
    if !missing.is_empty() || !hidden.is_empty() {
        let (title, observed) = if missing.is_empty() {
            (format!("MySQL on {place} shows no database {hidden}"), "missing, or this user has no rights on it")
        } else {
            (format!("MySQL on {place} has no database {missing}"), "the server says that it does not exist")
        };
        let mut finding = make(Status::Fail, title)
            .observed(observed)
            .cause("the product creates neither of them; on managed databases the second one must be made by hand");
        for database in about.databases.iter().filter(|own| matches!(own.there, There::No | There::Hidden)) {
            finding = finding.fix(create(&database.name));
            if database.there == There::Hidden {
                finding = finding.fix(grant(about, &database.name));
            }
        }
        return finding;
    }
    let unknown = list(There::Unknown);
    if unknown.is_empty() {
        make(Status::Pass, format!("both databases are on {place}"))
            .observed(format!("{} and {}", mysql.database, mysql.secret_database))
    } else {
        make(Status::Warn, format!("whether MySQL on {place} has {unknown} is unknown"))
            .observed("the server did not say")
    }
}

/// `GRANT` for one database, to the account that logged in.
fn grant(about: &About, database: &str) -> String {
    format!("on the server: GRANT ALL ON `{}`.* TO {};", database.replace('`', "``"), account(about))
}

/// `'divvy'@'%'`.
fn account(about: &About) -> String {
    let text = about.account.as_deref().unwrap_or("divvy@%");
    let (user, host) = text.rsplit_once('@').unwrap_or((text, "%"));
    format!("'{}'@'{}'", user.replace('\'', "''"), host.replace('\'', "''"))
}

fn privileges(about: &About, held: &[Grant], mysql: &MysqlSpec, spec: &CheckSpec) -> Finding {
    let place = at(&mysql.at);
    let account = account(about);
    let any_case = about.variables.get("lower_case_table_names").is_some_and(|value| value != "0");
    let names = [&mysql.database, &mysql.secret_database];
    let short: Vec<(&String, Vec<&str>)> = names
        .into_iter()
        .map(|name| (name, missing(held, name, any_case)))
        .filter(|(_, missing)| !missing.is_empty())
        .collect();
    let reload = has_reload(held);
    let make = |status, title: String| {
        Finding::new(ids::MYSQL_GRANTS, status, title)
            .expected(format!("ALL on `{}`.* and `{}`.*, and RELOAD on *.*", mysql.database, mysql.secret_database))
    };
    if short.is_empty() && reload {
        return make(Status::Pass, format!("{account} has the rights that the product needs"))
            .observed("ALL on both databases, and RELOAD");
    }
    let mut lacks: Vec<String> = short
        .iter()
        .map(|(name, missing)| {
            let what = if missing.len() > 6 {
                format!("{} of the {} privileges of ALL", missing.len(), 18)
            } else {
                missing.join(", ")
            };
            format!("on {name}: {what}")
        })
        .collect();
    if !reload {
        lacks.push("RELOAD on *.*".to_owned());
    }
    let roles = roles(held);
    let status = match () {
        () if !roles.is_empty() => Status::Warn,
        // RELOAD is for the dump that the scheduler takes before it migrates.
        () if short.is_empty() && spec.deployment == Deployment::TestDrive => Status::Warn,
        () => Status::Fail,
    };
    let mut finding = make(status, format!("{account} on {place} lacks rights that the product needs"))
        .observed(format!("missing {}", lacks.join("; ")));
    finding = if roles.is_empty() {
        finding.cause(
            "the scheduler creates and alters tables in both databases, and dumps them before it migrates (RELOAD)",
        )
    } else {
        finding.cause(format!(
            "perhaps they come with the roles {}, whose rights SHOW GRANTS does not list",
            roles.join(", ")
        ))
    };
    for (name, _) in &short {
        finding = finding.fix(grant(about, name));
    }
    if !reload {
        finding = finding.fix(format!("on the server: GRANT RELOAD ON *.* TO {account};"));
    }
    finding
}

fn clock(about: &About, mysql: &MysqlSpec) -> Option<Finding> {
    let skew = about.clock?.skew();
    let place = at(&mysql.at);
    let amount = seconds(Duration::from_millis(skew.unsigned_abs()));
    let status = match skew.saturating_abs() {
        SKEW_FAIL.. => Status::Fail,
        SKEW_WARN.. => Status::Warn,
        _ => Status::Pass,
    };
    if status == Status::Pass {
        let title = format!("the clocks of MySQL on {place} and of this host agree");
        return Some(
            Finding::new(ids::MYSQL_CLOCK, status, title)
                .observed(format!(
                    "they differ by no more than {}",
                    seconds(Duration::from_millis(SKEW_WARN.unsigned_abs()))
                ))
                .evidence("skew_ms", skew),
        );
    }
    let word = if skew > 0 { "ahead of" } else { "behind" };
    Some(
        Finding::new(ids::MYSQL_CLOCK, status, format!("the clock of MySQL on {place} is {amount} {word} this host's"))
            .expected(format!("clocks that agree within {}", seconds(Duration::from_millis(SKEW_WARN.unsigned_abs()))))
            .observed(format!("{amount} {word} this host, round trip accounted for"))
            .cause("jobs are scheduled and sessions expire by both clocks; one of them is wrong")
            .fix("timedatectl   # on both: System clock synchronized: yes?")
            .evidence("skew_ms", skew),
    )
}

fn charset(about: &About, mysql: &MysqlSpec) -> Option<Finding> {
    let mut seen: Vec<String> = Vec::new();
    for database in &about.databases {
        if let (Some(charset), Some(collation)) = (&database.charset, &database.collation) {
            seen.push(format!("{}: {charset}, {collation}", database.name));
        }
    }
    let sets: Vec<&str> = about.databases.iter().filter_map(|database| database.charset.as_deref()).collect();
    if sets.is_empty() {
        return None;
    }
    let server = match (about.variables.get("character_set_server"), about.variables.get("collation_server")) {
        (Some(charset), Some(collation)) => format!("; the server's default: {charset}, {collation}"),
        _ => String::new(),
    };
    let observed = format!("{}{server}", seen.join("; "));
    let place = at(&mysql.at);
    let usual = |set: &&str| set.starts_with("utf8") || *set == "latin1";
    if sets.windows(2).all(|pair| pair[0] == pair[1]) && sets.iter().all(usual) {
        let title = format!("the databases on {place} have one usual character set");
        return Some(Finding::new(ids::MYSQL_CHARSET, Status::Pass, title).observed(observed));
    }
    let mut finding = Finding::new(ids::MYSQL_CHARSET, Status::Warn, format!("the character sets of the databases on {place} are unusual or differ"))
        .expected("the same for both: utf8mb4, utf8, or latin1, which is the default of 5.7")
        .observed(observed)
        .cause("new tables take the database's character set; values compared across sets fail with an illegal mix of collations");
    for database in about
        .databases
        .iter()
        .filter(|database| database.charset.as_deref().is_some_and(|set| !set.starts_with("utf8")))
    {
        finding = finding.fix(format!(
            "on the server, before the first start only: ALTER DATABASE `{}` CHARACTER SET utf8mb4;",
            database.name.replace('`', "``")
        ));
    }
    Some(finding)
}

fn capacity(about: &About, mysql: &MysqlSpec) -> Option<Finding> {
    let most: u64 = about.variables.get("max_connections")?.parse().ok()?;
    let now = about.clients?;
    let place = at(&mysql.at);
    let observed = format!("{now} of {most} connections are in use");
    let tight = now.saturating_mul(10) >= most.saturating_mul(8);
    let status = if tight { Status::Warn } else { Status::Pass };
    let title = if tight {
        format!("MySQL on {place} is short of connections")
    } else {
        format!("MySQL on {place} has connections to spare")
    };
    let finding = Finding::new(ids::MYSQL_CAPACITY, status, title)
        .observed(observed)
        .evidence("connections", now)
        .evidence("max_connections", most);
    Some(if tight {
        finding
            .expected("less than 80 % of max_connections in use")
            .cause("when they run out, processes of the product fail with error 1040")
            .fix("on the server: mysql -e \"SET GLOBAL max_connections = 500\"   # and the same in my.cnf or the parameter group")
    } else {
        finding
    })
}

/// What becomes of a product under a window of versions.
fn verdict(product: &Product, window: &Window) -> Status {
    match (product.make, &product.version) {
        (Make::MariaDb | Make::TiDb, _) => window.other(),
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
