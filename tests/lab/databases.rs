//! The stage `databases` against real servers from `scripts/lab/servers`: MySQL 5.6.24, and MariaDB 10.11 as itself and
//! announcing 5.7.44. MySQL 5.7 and 8 themselves are not among them.

use std::collections::BTreeMap;
use std::fs;

use ics_setup::databases;

use crate::backends::mysql::{mariadb, mysql_5_6, sql};
use crate::backends::servers::{Server, folder, provisioned};

const ADMIN: &str = "r00t-s3cret";

/// A quote, a backslash, letters outside of ASCII, and what modes of a server read differently.
const ODD: &str = "pä'\"`\\ss%$; --";

/// What the stage is told of a server, with this user and these databases.
struct Told<'s> {
    server: &'s Server,
    said: BTreeMap<&'static str, String>,
    password: &'s str,
}

impl<'s> Told<'s> {
    fn new(server: &'s Server) -> Self {
        let said = [
            ("deployment", "production"),
            ("mysql.host", "127.0.0.1"),
            ("mysql.port", &server.port.to_string()),
            ("mysql.user", "divvy"),
            ("mysql.tls", "false"),
            ("mysql.create_databases", "true"),
            ("mysql.admin_user", "admin"),
        ];
        let said = said.map(|(key, value)| (key, value.to_owned())).into_iter().collect();
        Self { server, said, password: ODD }
    }

    fn with(mut self, key: &'static str, value: &str) -> Self {
        self.said.insert(key, value.to_owned());
        self
    }

    fn without_admin(mut self) -> Self {
        self.said.retain(|key, _| !key.contains("admin") && !key.contains("create"));
        self
    }

    /// Runs it: everything that it says. No secret is in it.
    #[track_caller]
    fn run(&self, admin: &str) -> Vec<String> {
        let scratch = folder("databases");
        let file = |name: &str, content: &str| {
            let path = scratch.path().join(name);
            fs::write(&path, format!("{content}\n")).unwrap();
            path.display().to_string()
        };
        let (own, of_admin) = (file("own", self.password), file("admin", admin));
        let mut said: Vec<(&str, &str)> = self.said.iter().map(|(key, value)| (*key, value.as_str())).collect();
        said.push(("mysql.password_file", &own));
        if self.said.contains_key("mysql.admin_user") {
            said.push(("mysql.admin_password_file", &of_admin));
        }
        let lines = databases(&said);
        let text = lines.join("\n");
        for secret in [self.password, ADMIN, admin].into_iter().filter(|secret| !secret.is_empty()) {
            assert!(!text.contains(secret) && !text.contains(&secret.replace('\\', "\\\\")), "{text}");
        }
        lines
    }

    /// It ends so.
    #[track_caller]
    fn ends(&self, admin: &str, with: &str, words: &[&str]) -> &Self {
        let lines = self.run(admin);
        let text = lines.join("\n");
        assert!(lines.iter().any(|line| line.starts_with(with)), "{with}: {text}");
        for words in words {
            assert!(text.contains(words), "{words}: {text}");
        }
        self
    }

    /// How many statements the server was given meanwhile that change something.
    fn changes(&self) -> u64 {
        let names = ["create_db", "create_user", "grant", "drop_db", "drop_user", "set_password", "alter_user"];
        let text = sql(self.server, "SHOW GLOBAL STATUS LIKE 'Com\\_%'");
        let counts = text.lines().filter_map(|line| line.split_once('\t'));
        let own = counts.filter(|(name, _)| names.iter().any(|own| name.eq_ignore_ascii_case(&format!("Com_{own}"))));
        own.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum()
    }
}

/// An administrator of its own: root of the lab's servers has no password.
fn admin(server: &Server) {
    sql(server, &format!("GRANT ALL ON *.* TO 'admin'@'127.0.0.1' IDENTIFIED BY '{ADMIN}' WITH GRANT OPTION;"));
}

/// Everything that is asked of every make.
fn made_and_left_alone(server: &Server) {
    admin(server);
    let nameless = sql(server, "SELECT Host FROM mysql.user WHERE User = ''");
    let usual = Told::new(server);
    // Nobody may be made without an administrator: it is told.
    let nobody = Told::new(server).without_admin();
    nobody.ends("", "failed: ", &["--create-databases --mysql-admin-user <USER>"]);
    // From nothing.
    usual.ends(
        ADMIN,
        "changed: made database divvy, database divvykeys, user 'divvy'@'%'",
        &[
            "RELOAD for 'divvy'@'%'; no undo takes that back",
            "RENAME USER 'divvy'@'%' TO 'divvy'@'<HOST>'",
            "\"mysql-admin\"",
        ],
    );
    // Again: nothing is issued, and nobody needs an administrator.
    let before = usual.changes();
    usual.ends(ADMIN, "done: divvy logs in and has what it needs", &["are on 127.0.0.1"]);
    usual.ends("wr0ng-s3cret", "done: ", &[]);
    nobody.ends("", "done: ", &[]);
    assert_eq!(usual.changes(), before);

    // Half there: a database and a right are gone.
    sql(server, "DROP DATABASE divvykeys; REVOKE RELOAD ON *.* FROM 'divvy'@'%';");
    usual.ends(ADMIN, "changed: made database divvykeys, RELOAD for 'divvy'@'%';", &[]);
    sql(server, "REVOKE INSERT ON divvy.* FROM 'divvy'@'%';");
    usual.ends(ADMIN, "changed: made all rights on divvy for 'divvy'@'%';", &[]);
    // The second database is made like the first.
    sql(server, "DROP DATABASE divvykeys; ALTER DATABASE divvy CHARACTER SET latin1 COLLATE latin1_german2_ci;");
    usual.ends(ADMIN, "changed: made database divvykeys;", &[]);
    assert!(sql(server, "SHOW CREATE DATABASE divvykeys").contains("latin1_german2_ci"));

    // The administrator: a wrong password, and too few rights.
    sql(server, "DROP DATABASE divvykeys;");
    let before = usual.changes();
    usual.ends("wr0ng-s3cret", "failed: MySQL on", &["denies the login of admin", "1045", "--mysql-admin-user <USER>"]);
    sql(server, "GRANT USAGE ON *.* TO 'small'@'127.0.0.1' IDENTIFIED BY 'small-s3cret';");
    Told::new(server).with("mysql.admin_user", "small").ends(
        "small-s3cret",
        "failed: small may not make what is missing",
        &["it lacks CREATE on divvykeys", "\"fail\""],
    );
    // An account with another password is left alone.
    let other = Told { password: "an0ther-s3cret", ..Told::new(server) };
    other.ends(ADMIN, "failed: 'divvy'@'%' is on 127.0.0.1", &["is not changed", "--mysql-password-file <FILE>"]);
    // GRANT for the small one is ours.
    assert_eq!(usual.changes(), before + 1);
    usual.ends(ADMIN, "changed: ", &[]);

    // Odd names, in every mode.
    for mode in ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES"] {
        sql(server, &format!("SET GLOBAL sql_mode = '{mode}'"));
        let odd = Told::new(server)
            .with("mysql.user", "o'h\"ar\\a")
            .with("mysql.database", "d_i%v`v'y\\")
            .with("mysql.secret_database", "kéys\"$ ;--x");
        odd.ends(ADMIN, "changed: made database d_i%v`v'y\\", &[]);
        let before = odd.changes();
        odd.ends(ADMIN, "done: ", &[]);
        assert_eq!(odd.changes(), before, "{mode}");
        // The name is no pattern.
        let rights = sql(server, "SELECT Db FROM mysql.db WHERE User LIKE 'o%'");
        assert!(rights.contains("d\\\\_i\\\\%v`v'y"), "{mode}: {rights}");
        let drop = "SET SESSION sql_mode = ''; DROP USER 'o''h\"ar\\\\a'@'%'; DROP DATABASE `d_i%v``v'y\\`;\
            DROP DATABASE `kéys\"$ ;--x`;";
        sql(server, drop);
    }
    sql(server, "SET GLOBAL sql_mode = ''");
    // Nobody without a name was made.
    assert_eq!(sql(server, "SELECT Host FROM mysql.user WHERE User = ''"), nameless);
    // An account that somebody has made for this host alone is the one that gets the rights.
    sql(server, &format!("CREATE USER 'here'@'127.0.0.%' IDENTIFIED BY '{}'", "h3re-s3cret"));
    let here = Told { password: "h3re-s3cret", ..Told::new(server).with("mysql.user", "here") };
    here.ends(ADMIN, "changed: made all rights on divvy for 'here'@'127.0.0.%'", &[]);
    // And one for another host is not in the way.
    sql(server, "CREATE USER 'there'@'10.9.9.9' IDENTIFIED BY 'x'");
    let there = Told { password: "th3re-s3cret", ..Told::new(server).with("mysql.user", "there") };
    there.ends(ADMIN, "changed: made user 'there'@'%', all rights on divvy", &[]);
}

#[test]
fn on_mysql_5_6() {
    let Some(made) = provisioned("on_mysql_5_6") else { return };
    made_and_left_alone(&mysql_5_6(&made, &[]));
}

#[test]
fn on_mariadb_as_itself() {
    let Some(made) = provisioned("on_mariadb_as_itself") else { return };
    made_and_left_alone(&mariadb(&made, None, &[]));
}

#[test]
fn on_mariadb_announcing_5_7() {
    let Some(made) = provisioned("on_mariadb_announcing_5_7") else { return };
    made_and_left_alone(&mariadb(&made, Some("5.7.44-log"), &[]));
}

/// An account without a name comes before one for everywhere.
#[test]
fn an_account_without_a_name_is_named_where_it_is_in_the_way() {
    let Some(made) = provisioned("an_account_without_a_name_is_named_where_it_is_in_the_way") else { return };
    let server = mysql_5_6(&made, &[]);
    admin(&server);
    sql(&server, "CREATE USER ''@'127.0.0.1'");
    Told::new(&server).ends(
        ADMIN,
        "failed: MySQL on",
        &["DROP USER ''@'127.0.0.1';", "what was made on the server stays: database divvy"],
    );
    sql(&server, "DROP USER ''@'127.0.0.1'");
    Told::new(&server).ends(ADMIN, "done: ", &[]);
}

/// By TLS alone, as it is asked for.
#[test]
fn over_tls() {
    let Some(made) = provisioned("over_tls") else { return };
    let tls = |name: &str| made.join("tls").join(name).display().to_string();
    let (ca, certificate, key) = (tls("ca.crt"), tls("server.crt"), tls("server.key"));
    let flags = [format!("--ssl-ca={ca}"), format!("--ssl-cert={certificate}"), format!("--ssl-key={key}")];
    let server = mariadb(&made, Some("5.7.44-log"), &flags.each_ref().map(String::as_str));
    admin(&server);
    let told = Told::new(&server).with("mysql.tls", "true");
    told.ends(ADMIN, "failed: the certificate of MySQL", &["is not trusted"]);
    told.with("proxy.ca", &ca).ends(ADMIN, "changed: made database divvy", &[]);
}
