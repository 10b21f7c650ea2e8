//! Findings about getting in: turned away before the greeting, or at the login.

use super::super::super::certificates;
use super::super::words::{at, placed};
use super::SERVER;
use crate::check::prelude::*;
use crate::check::spec::{Limits, MysqlSpec};
use crate::mysql::{ACCESS_DENIED, Greeting, HOST_BLOCKED, Login, Refusal, sql};
use crate::net::{NetError, TlsFault};
use crate::network::openssl::Openssl;
use crate::text::{quoted, typed};

// Numbers from MySQL's sql/share/errmsg-utf8.txt and include/errmsg.h, MariaDB's sql/share/errmsg-utf8.txt; 9000 is Azure's
// (Azure Database for MySQL, "Troubleshoot connection issues"), 9001 and 9002 are ProxySQL's (lib/MySQL_Session.cpp).
const TOO_MANY_CONNECTIONS: u16 = 1040;
const DATABASE_DENIED: u16 = 1044;
const HOST_NOT_PRIVILEGED: u16 = 1130;
const AUTH_PLUGIN: u16 = 1251;
const NO_PASSWORD_LOGIN: u16 = 1698;
const ACCOUNT_LOCKED: u16 = 3118;
const PASSWORD_EXPIRED: [u16; 2] = [1820, 1862];
/// Of one account: `max_user_connections`, and what it may do in an hour.
const ACCOUNT_LIMIT: [u16; 2] = [1203, 1226];
/// After wrong passwords: MySQL's `FAILED_LOGIN_ATTEMPTS`, MariaDB's `max_password_errors`.
const BLOCKED_ACCOUNT: [u16; 2] = [3955, 4150];
/// `offline_mode`, a shutdown under way, and a server that can start no thread.
const NOT_SERVING: [u16; 3] = [3032, 1053, 1135];
/// The firewall of Azure's managed MySQL.
const AZURE_FIREWALL: u16 = 9000;
/// ProxySQL found no server behind it, or not in time.
const PROXYSQL: [u16; 2] = [9001, 9002];

/// An error in place of a greeting: the network is fine.
pub(super) fn turned_away(spec: &MysqlSpec, refusal: &Refusal) -> Vec<Finding> {
    let observed = text!("a server of the MySQL family answers, with error {}", refusal.code);
    vec![SERVER.reached(&spec.at, observed), refused(spec, refusal, false)]
}

/// What an error of the server means, and what mends it.
pub(super) fn refused(spec: &MysqlSpec, refusal: &Refusal, tls: bool) -> Finding {
    let place = at(&spec.at);
    let user = spec.user.as_deref().unwrap_or("divvy");
    let account = unknown_host(user);
    let observed = text!("error {}: {}", refusal.code, refusal.message);
    let make =
        |id, title: Text| placed(Finding::fail(id, title).observed(&observed), &spec.at).evidence("code", refusal.code);
    match refusal.code {
        _ if refusal.wants_tls() => make(ids::MYSQL_TLS, text!("MySQL on {} lets nobody in without TLS", place))
            .expected("plain connections, as the settings say (mysql.tls = false), or TLS in the settings")
            .cause(if refusal.code == ACCESS_DENIED { "the proxy of the managed database lets nobody in without TLS" } else { "require_secure_transport is on" })
            .fix(ics_setup("reconfigure --mysql-tls"))
            .advise(if refusal.code == ACCESS_DENIED { text!("or turn the demand off: {}", typed("aws rds modify-db-proxy --db-proxy-name <NAME> --no-require-tls")) } else { text!("or run on the server: {}", typed("SET GLOBAL require_secure_transport = OFF;")) }),
        TOO_MANY_CONNECTIONS => make(ids::MYSQL_CAPACITY, text!("MySQL on {} has no connection left", place))
            .expected("room for the connections of every process of the product")
            .cause("max_connections is reached; the path to the server is open")
            .advise(text!("look on the server who holds them: {}", typed("mysql -e \"SHOW PROCESSLIST\"")))
            .advise(raise()),
        HOST_BLOCKED => make(ids::MYSQL_LOGIN, text!("MySQL on {} blocks this host", place))
            .expected("a greeting")
            .cause("too many connections from this host ended before a login (max_connect_errors), often a port check by a load balancer or monitor; the path to the server is open")
            .advise(text!("run on the server: {}, or: {}", typed("mysqladmin flush-hosts"), typed("mysql -e \"FLUSH HOSTS\"")))
            .advise("stop what connects without logging in, or raise max_connect_errors"),
        HOST_NOT_PRIVILEGED => make(ids::MYSQL_LOGIN, text!("MySQL on {} lets nobody in from this host", place))
            .expected("an account for this host")
            .cause("no account of the server has this host's address or name in its host part; the path to the server is open")
            .advise(text!("run on the server, with this host as the message names it or '%' as <HOST>: {}", typed(text!("CREATE USER {} IDENTIFIED BY '<PASSWORD>';", account))))
            .advise(text!("run on the server: {}; {}; {}", typed(text!("GRANT ALL ON {}.* TO {}", own(sql::pattern(&spec.database)), account)), typed(text!("GRANT ALL ON {}.* TO {}", own(sql::pattern(&spec.secret_database)), account)), typed(text!("GRANT RELOAD ON *.* TO {};", account)))),
        ACCESS_DENIED if tls || !refusal.wants_tls() => {
            let finding = make(ids::MYSQL_LOGIN, text!("MySQL on {} denies the login of {}", place, own(user)))
                .expected(text!("user {} can log in {}", own(user), own(if spec.has_password { "with the password given" } else { "without a password: none was given" })))
                .cause(if tls {
                    "the password is wrong, or the account is for another host (the message names the one that the server sees), or it wants a client certificate (REQUIRE X509), which the product cannot give and which is refused in the same words"
                } else {
                    "the password is wrong, or the account is for another host (the message names the one that the server sees), or the account (REQUIRE SSL) or the server (require_secure_transport of MariaDB) demands TLS, which is refused in the same words"
                })
                .advise(by_hand(spec, user))
                .advise(text!("look on the server: {}", typed(text!("SELECT user, host, plugin, ssl_type FROM mysql.user WHERE user = '{}';", own(user.replace('\'', "''"))))))
                .advise(text!("if the password is wrong, give the right one: {}", ics_setup("reconfigure --mysql-password-file <FILE>")));
            if tls { finding.advise(text!("where ssl_type is X509 or SPECIFIED, run on the server: {}", typed(text!("ALTER USER {} REQUIRE SSL;", account)))) } else { finding.advise(text!("if the account demands TLS: {}", ics_setup("check backends --mysql-tls"))) }
        }
        DATABASE_DENIED => make(ids::MYSQL_LOGIN, text!("MySQL on {} denies {} its database", place, own(user)))
            .cause("the account has no rights on it")
            .advise(text!("run on the server: {}", typed(text!("GRANT ALL ON {}.* TO {};", own(sql::pattern(&spec.database)), account)))),
        1049 => make(ids::MYSQL_DATABASES, text!("a database is missing on {}", place))
            .cause("the product creates neither of its databases")
            .advise(create(&spec.database))
            .advise(create(&spec.secret_database)),
        AUTH_PLUGIN | 2059 | 1524 => make(ids::MYSQL_LOGIN, text!("MySQL on {} wants another way of logging in for {}", place, own(user)))
            .cause("the account's authentication plugin and that of clients of 5.7 do not match")
            .advise(text!("run on the server: {}", typed(text!("ALTER USER {} IDENTIFIED WITH mysql_native_password BY '<PASSWORD>';", account)))),
        NO_PASSWORD_LOGIN => make(ids::MYSQL_LOGIN, text!("MySQL on {} takes no password from {}", place, own(user)))
            .expected("an account with a password")
            .cause("the account is for a user of the server's own system (auth_socket, unix_socket): nobody can log in to it from another host")
            .advise(text!("run on the server: {}", typed(text!("ALTER USER {} IDENTIFIED BY '<PASSWORD>';", account)))),
        ACCOUNT_LOCKED => make(ids::MYSQL_LOGIN, text!("the account {} on {} is locked", own(user), place))
            .cause("somebody has locked it (ACCOUNT LOCK)")
            .advise(text!("run on the server: {}", typed(text!("ALTER USER {} ACCOUNT UNLOCK;", account)))),
        code if ACCOUNT_LIMIT.contains(&code) => make(ids::MYSQL_CAPACITY, text!("{} has no connection left on MySQL on {}", own(user), place))
            .expected("room for the connections of every process of the product")
            .cause("a limit of this account alone is reached (max_user_connections, or so many connections an hour); the server has room")
            .advise(text!("run on the server: {}", typed(text!("ALTER USER {} WITH MAX_USER_CONNECTIONS 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0;", account))))
            .advise(text!("where the server sets it for all accounts: {}, and the same in my.cnf or the parameter group", typed("SET GLOBAL max_user_connections = 0"))),
        code if BLOCKED_ACCOUNT.contains(&code) => make(ids::MYSQL_LOGIN, text!("the account {} on {} is blocked for a while", own(user), place))
            .cause("too many logins with a wrong password, perhaps by another program with the old one")
            .advise(text!("run on the server (MariaDB: {}): {}", typed("FLUSH PRIVILEGES"), typed(text!("ALTER USER {} ACCOUNT UNLOCK;", account))))
            .advise(text!("give the right password: {}", ics_setup("reconfigure --mysql-password-file <FILE>"))),
        code if NOT_SERVING.contains(&code) => make(ids::MYSQL_LOGIN, text!("MySQL on {} serves nobody now", place))
            .expected("a server that serves")
            .cause("it is shut down or started just now, is in offline_mode, or has no memory for another connection")
            .advise(text!("wait for it: {}", ics_setup("check backends --wait 5m")))
            .advise(text!("look into the server's error log, and: {}", typed("SHOW VARIABLES LIKE 'offline_mode';"))),
        AZURE_FIREWALL => make(ids::MYSQL_LOGIN, text!("the firewall in front of MySQL on {} does not let this host in", place))
            .expected("a firewall rule for this host's address")
            .cause("Azure's managed MySQL takes connections from the addresses of its firewall rules alone; the message names the one that it sees")
            .advise(text!("add it: {}", typed("az mysql flexible-server firewall-rule create --resource-group <GROUP> --name <SERVER> --rule-name ics --start-ip-address <ADDRESS> --end-ip-address <ADDRESS>"))),
        code if PROXYSQL.contains(&code) => make(ids::MYSQL_LOGIN, text!("the proxy on {} reaches no MySQL", place))
            .expected("a server behind the proxy")
            .cause("ProxySQL answers, and no server of its hostgroup does: down, shunned, or not configured for this user")
            .advise(text!("look at ProxySQL's admin port: {}", typed("SELECT hostgroup_id, hostname, status FROM runtime_mysql_servers;"))),
        code if PASSWORD_EXPIRED.contains(&code) => make(ids::MYSQL_LOGIN, text!("the password of {} on {} has expired", own(user), place))
            .cause("default_password_lifetime or PASSWORD EXPIRE has made it end")
            .advise(text!("run on the server: {}", typed(text!("ALTER USER {} PASSWORD EXPIRE NEVER;", account)))),
        _ => make(ids::MYSQL_LOGIN, text!("MySQL on {} refuses the login of {}", place, own(user)))
            .expected(text!("user {} can log in", own(user)))
            .cause("the server's own words say why; the path to it is open")
            .advise(text!("look what the number means: {}", typed(text!("perror {}", refusal.code))))
            .advise(by_hand(spec, user)),
    }
}

/// A login that did not come to its end; `None` for one that did.
pub(super) fn login(
    spec: &MysqlSpec,
    greeting: &Greeting,
    login: &Login,
    openssl: Option<&Openssl>,
    limits: &Limits,
) -> Option<Finding> {
    let place = at(&spec.at);
    let user = spec.user.as_deref().unwrap_or_default();
    let account = unknown_host(user);
    let make = |id, title: Text| placed(Finding::fail(id, title), &spec.at);
    Some(match login {
        Login::Open(_) => return None,
        Login::Refused { refusal, tls } => refused(spec, refusal, *tls),
        Login::Plugin { plugin } => make(ids::MYSQL_LOGIN, text!("MySQL on {} wants {} to log in by {}", place, own(user), plugin))
            .expected("mysql_native_password or caching_sha2_password")
            .observed(text!("the account's plugin is {}", plugin))
            .cause("nothing was sent: the product's clients of 5.7 do not speak it, and it may hand the password over as it is")
            .advise(text!("run on the server: {}", typed(text!("ALTER USER {} IDENTIFIED WITH mysql_native_password BY '<PASSWORD>';", account)))),
        Login::NeedsTls => {
            let finding = make(ids::MYSQL_TLS, text!("MySQL on {} wants the password of {} over TLS", place, own(user)))
            .expected("TLS, or an account that needs none")
            .observed("caching_sha2_password asks for the password itself on a plain connection; it was not sent")
            .cause(if greeting.offers_tls { "TLS is turned off in the settings (mysql.tls = false)" } else { "the server has no TLS to offer" });
            if greeting.offers_tls {
                finding.fix(ics_setup("reconfigure --mysql-tls"))
            } else {
                finding.advise(text!("run on the server: {}", typed(text!("ALTER USER {} IDENTIFIED WITH mysql_native_password BY '<PASSWORD>';", account))))
            }
        }
        Login::NoTls => make(ids::MYSQL_TLS, text!("MySQL on {} offers no TLS", place))
            .expected("TLS, as the settings say (mysql.tls = true)")
            .observed("its greeting does not offer TLS; the password was not sent")
            .cause("it has no certificate and no key, or TLS is turned off there (skip_ssl)")
            .advise("set ssl_ca, ssl_cert and ssl_key in my.cnf on the server, then restart it")
            .advise(text!("where the network may be trusted, do without: {}", ics_setup("reconfigure --mysql-tls=false"))),
        Login::Broken { error, tls } => certificates::with_openssl(broken(spec, error, (*tls, openssl), limits, make), openssl),
    })
}

fn broken(
    spec: &MysqlSpec,
    error: &NetError,
    (tls, openssl): (bool, Option<&Openssl>),
    limits: &Limits,
    make: impl Fn(FindingId, Text) -> Finding,
) -> Finding {
    let place = at(&spec.at);
    let of_tls = |title: Text| make(ids::MYSQL_TLS, title).expected("TLS 1.2 or 1.3").observed(text!("{}", error));
    match error {
        NetError::Untrusted { why } => {
            let finding = of_tls(text!("the certificate of MySQL on {} is not trusted", place))
                .expected("a certificate that this host trusts");
            match openssl.and_then(|_| SERVER.without_tls(finding.clone(), error, openssl, &spec.at)) {
                Some(finding) => finding,
                None => SERVER.trust(finding, why, &spec.at),
            }
        }
        NetError::Tls { .. } | NetError::Closed | NetError::Reset if tls => {
            let finding = of_tls(text!("no TLS connection to MySQL on {}", place));
            let look = text!(
                "look: {}",
                typed(text!(
                    "openssl s_client -starttls mysql -connect {}:{} </dev/null",
                    own(quoted(&spec.at.host)),
                    spec.at.port
                ))
            );
            let told = SERVER.without_tls(finding.clone(), error, openssl, &spec.at);
            let finding = told.unwrap_or_else(|| {
                finding
                    .cause(match error {
                        NetError::Tls { why: TlsFault::NotTls | TlsFault::Http } => {
                            "the greeting offers TLS, and something in between or behind answers it without"
                        }
                        _ => "the server offers TLS and gives up when it begins: its certificate or key cannot be used, or a device in between cuts it",
                    })
                    .advise(text!("look into the server's error log for this moment, and: {}", typed("SHOW VARIABLES LIKE 'ssl%';")))
            });
            if finding.status == Status::Pass { finding } else { finding.look(look) }
        }
        _ => make(ids::MYSQL_LOGIN, text!("the login to MySQL on {} broke off", place))
            .expected(text!("a login within {} (--timeout)", took(limits.check)))
            .observed(text!("{}", error))
            .cause("the greeting came, the rest did not: a proxy or load balancer in between, or a server in trouble")
            .advise(by_hand(spec, spec.user.as_deref().unwrap_or_default())),
    }
}

/// The account of a user whose host part is not known.
fn unknown_host(user: &str) -> Text {
    text!("'{}'@'<HOST>'", own(user.replace('\'', "''")))
}

fn by_hand(spec: &MysqlSpec, user: &str) -> Text {
    let (host, user) = (own(quoted(&spec.at.host)), own(quoted(user)));
    text!("try the same by hand: {}", typed(text!("mysql -h {} -P {} -u {} -p", host, spec.at.port, user)))
}

/// What gives room for more connections.
pub(super) fn raise() -> Text {
    let line = typed("mysql -e \"SET GLOBAL max_connections = 500\"");
    text!("raise it on the server, and the same in my.cnf or the parameter group: {}", line)
}

/// What makes a database, as often as one likes.
pub(super) fn create(name: &str) -> Text {
    text!("run on the server: {}", typed(text!("CREATE DATABASE IF NOT EXISTS {};", own(sql::identifier(name)))))
}
