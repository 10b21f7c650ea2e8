//! Findings about getting in: turned away before the greeting, or at the login.

use super::super::words::{at, trust};
use super::SERVER;
use crate::check::spec::{Limits, MysqlSpec};
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::mysql::{ACCESS_DENIED, Greeting, HOST_BLOCKED, Login, Refusal};
use crate::net::NetError;
use crate::text::quoted;

const TOO_MANY_CONNECTIONS: u16 = 1040;
const DATABASE_DENIED: u16 = 1044;
const HOST_NOT_PRIVILEGED: u16 = 1130;
const AUTH_PLUGIN: u16 = 1251;
const NO_PASSWORD_LOGIN: u16 = 1698;
const ACCOUNT_LOCKED: u16 = 3118;
const PASSWORD_EXPIRED: [u16; 2] = [1820, 1862];

/// An error in place of a greeting: the network is fine.
pub(super) fn turned_away(spec: &MysqlSpec, refusal: &Refusal) -> Vec<Finding> {
    let observed = format!("a server of the MySQL family answers, with error {}", refusal.code);
    vec![SERVER.reached(&spec.at, observed), refused(spec, refusal, false)]
}

/// What an error of the server means, and what mends it.
pub(super) fn refused(spec: &MysqlSpec, refusal: &Refusal, tls: bool) -> Finding {
    let place = at(&spec.at);
    let user = spec.user.as_deref().unwrap_or("divvy");
    let account = format!("'{}'@'HOST'", user.replace('\'', "''"));
    let observed = format!("error {}: {}", refusal.code, refusal.message);
    let make = |id, title: String| {
        Finding::new(id, Status::Fail, title)
            .observed(observed.clone())
            .evidence("host", spec.at.host.clone())
            .evidence("port", spec.at.port)
            .evidence("code", refusal.code)
    };
    match refusal.code {
        TOO_MANY_CONNECTIONS => make(ids::MYSQL_CAPACITY, format!("MySQL on {place} has no connection left"))
            .expected("room for the connections of every process of the product")
            .cause("max_connections is reached; the path to the server is open")
            .fix("on the server: mysql -e \"SHOW PROCESSLIST\"   # who holds them")
            .fix("on the server: mysql -e \"SET GLOBAL max_connections = 500\"   # and the same in my.cnf or the parameter group"),
        HOST_BLOCKED => make(ids::MYSQL_LOGIN, format!("MySQL on {place} blocks this host"))
            .expected("a greeting")
            .cause("too many connections from this host ended before a login (max_connect_errors), often a port check by a load balancer or monitor; the path to the server is open")
            .fix("on the server: mysqladmin flush-hosts   # or: mysql -e \"FLUSH HOSTS\"")
            .fix("stop what connects without logging in, or raise max_connect_errors"),
        HOST_NOT_PRIVILEGED => make(ids::MYSQL_LOGIN, format!("MySQL on {place} lets nobody in from this host"))
            .expected("an account for this host")
            .cause("no account of the server has this host's address or name in its host part; the path to the server is open")
            .fix(format!("on the server: CREATE USER {account} IDENTIFIED BY 'PASSWORD';   -- HOST: this host as the message names it, or '%'"))
            .fix(format!("on the server: GRANT ALL ON `{}`.* TO {account}; GRANT ALL ON `{}`.* TO {account}; GRANT RELOAD ON *.* TO {account};", spec.database, spec.secret_database)),
        ACCESS_DENIED => {
            let finding = make(ids::MYSQL_LOGIN, format!("MySQL on {place} denies the login of {user}"))
                .expected(format!("user {user} can log in {}", if spec.has_password { "with the password given" } else { "without a password: none was given" }))
                .cause(if tls {
                    "the password is wrong, or the account is for another host (the message names the one that the server sees)"
                } else {
                    "the password is wrong, or the account is for another host (the message names the one that the server sees), or the account (REQUIRE SSL) or the server (require_secure_transport of MariaDB) demands TLS, which is refused in the same words"
                })
                .fix(format!("mysql -h {} -P {} -u {} -p   # the same by hand", quoted(&spec.at.host), spec.at.port, quoted(user)))
                .fix(format!("on the server: SELECT user, host, plugin FROM mysql.user WHERE user = '{}';", user.replace('\'', "''")))
                .fix("sudo ics-setup reconfigure --mysql-password-file FILE   # if the password is wrong");
            if tls { finding } else { finding.fix("ics-setup check backends --mysql-tls   # if the account demands TLS") }
        }
        DATABASE_DENIED => make(ids::MYSQL_LOGIN, format!("MySQL on {place} denies {user} its database"))
            .fix(format!("on the server: GRANT ALL ON `{}`.* TO {account};", spec.database)),
        1049 => make(ids::MYSQL_DATABASES, format!("a database is missing on {place}"))
            .fix(create(&spec.database))
            .fix(create(&spec.secret_database)),
        AUTH_PLUGIN | 2059 | 1524 => make(ids::MYSQL_LOGIN, format!("MySQL on {place} wants another way of logging in for {user}"))
            .cause("the account's authentication plugin and that of clients of 5.7 do not match")
            .fix(format!("on the server: ALTER USER {account} IDENTIFIED WITH mysql_native_password BY 'PASSWORD';")),
        NO_PASSWORD_LOGIN => make(ids::MYSQL_LOGIN, format!("MySQL on {place} takes no password from {user}"))
            .expected("an account with a password")
            .cause("the account is for a user of the server's own system (auth_socket, unix_socket): nobody can log in to it from another host")
            .fix(format!("on the server: ALTER USER {account} IDENTIFIED BY 'PASSWORD';")),
        ACCOUNT_LOCKED => make(ids::MYSQL_LOGIN, format!("the account {user} on {place} is locked"))
            .fix(format!("on the server: ALTER USER {account} ACCOUNT UNLOCK;")),
        code if PASSWORD_EXPIRED.contains(&code) => make(ids::MYSQL_LOGIN, format!("the password of {user} on {place} has expired"))
            .fix(format!("on the server: ALTER USER {account} PASSWORD EXPIRE NEVER;")),
        _ if refusal.wants_tls() => make(ids::MYSQL_TLS, format!("MySQL on {place} lets nobody in without TLS"))
            .expected("plain connections, as the settings say (mysql.tls = false), or TLS in the settings")
            .cause("require_secure_transport is on")
            .fix("sudo ics-setup reconfigure --mysql-tls")
            .fix("or on the server: SET GLOBAL require_secure_transport = OFF;"),
        _ => make(ids::MYSQL_LOGIN, format!("MySQL on {place} refuses the login of {user}"))
            .expected(format!("user {user} can log in"))
            .fix(format!("mysql -h {} -P {} -u {} -p   # the same by hand", quoted(&spec.at.host), spec.at.port, quoted(user))),
    }
}

/// A login that did not come to its end; `None` for one that did.
pub(super) fn login(spec: &MysqlSpec, greeting: &Greeting, login: &Login, limits: &Limits) -> Option<Finding> {
    let place = at(&spec.at);
    let user = spec.user.as_deref().unwrap_or_default();
    let make = |id, title: String| {
        Finding::new(id, Status::Fail, title).evidence("host", spec.at.host.clone()).evidence("port", spec.at.port)
    };
    Some(match login {
        Login::Open(_) => return None,
        Login::Refused { refusal, tls } => refused(spec, refusal, *tls),
        Login::Plugin { plugin } => make(ids::MYSQL_LOGIN, format!("MySQL on {place} wants {user} to log in by {plugin}"))
            .expected("mysql_native_password or caching_sha2_password")
            .observed(format!("the account's plugin is {plugin}"))
            .cause("nothing was sent: the product's clients of 5.7 do not speak it, and it may hand the password over as it is")
            .fix(format!("on the server: ALTER USER '{}'@'HOST' IDENTIFIED WITH mysql_native_password BY 'PASSWORD';", user.replace('\'', "''"))),
        Login::NeedsTls => make(ids::MYSQL_TLS, format!("MySQL on {place} wants the password of {user} over TLS"))
            .expected("TLS, or an account that needs none")
            .observed("caching_sha2_password asks for the password itself on a plain connection; it was not sent")
            .cause(if greeting.offers_tls { "TLS is turned off in the settings (mysql.tls = false)" } else { "the server has no TLS to offer" })
            .fix(if greeting.offers_tls {
                "sudo ics-setup reconfigure --mysql-tls".to_owned()
            } else {
                format!("on the server: ALTER USER '{}'@'HOST' IDENTIFIED WITH mysql_native_password BY 'PASSWORD';", user.replace('\'', "''"))
            }),
        Login::NoTls => make(ids::MYSQL_TLS, format!("MySQL on {place} offers no TLS"))
            .expected("TLS, as the settings say (mysql.tls = true)")
            .observed("its greeting does not offer TLS; the password was not sent")
            .fix("on the server, in my.cnf: ssl_ca, ssl_cert, ssl_key, then restart it")
            .fix("or, where the network may be trusted: sudo ics-setup reconfigure --mysql-tls=false"),
        Login::Broken { trouble, tls } => broken(spec, trouble, *tls, limits, make),
    })
}

fn broken(
    spec: &MysqlSpec,
    trouble: &NetError,
    tls: bool,
    limits: &Limits,
    make: impl Fn(FindingId, String) -> Finding,
) -> Finding {
    let place = at(&spec.at);
    let limit = crate::net::seconds(limits.check());
    match trouble {
        NetError::Untrusted { why } => {
            let finding = make(ids::MYSQL_TLS, format!("the certificate of MySQL on {place} is not trusted"))
                .expected("a certificate that this host trusts")
                .observed(trouble.to_string());
            trust(finding, why, &spec.at.host, spec.at.port, "mysql")
        }
        NetError::Tls { .. } | NetError::Closed | NetError::Reset if tls => {
            make(ids::MYSQL_TLS, format!("no TLS connection to MySQL on {place}"))
                .expected("TLS 1.2 or 1.3")
                .observed(trouble.to_string())
                .cause("servers of 5.6 and early 5.7 builds speak TLS 1.0 and 1.1 only, which current clients refuse (OpenSSL says: unsafe legacy renegotiation disabled)")
                .fix("on the server: SHOW VARIABLES LIKE 'tls_version';   -- must have TLSv1.2")
                .fix("or, where the network may be trusted: sudo ics-setup reconfigure --mysql-tls=false")
        }
        _ => make(ids::MYSQL_LOGIN, format!("the login to MySQL on {place} broke off"))
            .expected(format!("a login within {limit} (--timeout)"))
            .observed(trouble.to_string())
            .cause("the greeting came, the rest did not: a proxy or load balancer in between, or a server in trouble")
            .fix(format!("mysql -h {} -P {} -u {} -p   # the same by hand", quoted(&spec.at.host), spec.at.port, quoted(spec.user.as_deref().unwrap_or_default()))),
    }
}

/// What makes a database, as often as one likes.
pub(super) fn create(name: &str) -> String {
    format!("on the server: CREATE DATABASE IF NOT EXISTS `{}`;", name.replace('`', "``"))
}
