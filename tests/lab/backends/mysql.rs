//! MySQL 5.6 and MariaDB.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{PATIENCE, leashed, until};

use super::servers::{Found, Server, check, folder, free_port, provisioned, words, write};

const PASSWORD: &str = "my5ql-s3cret";

/// MariaDB over a copy of the empty data directory; `announcing`: the version that it claims to be.
pub fn mariadb(made: &Path, announcing: Option<&str>, flags: &[&str]) -> Server {
    let (folder, port) = (folder("mariadb"), free_port());
    let data = folder.path().join("data");
    copy(&made.join("mariadb-data"), &data);
    let mut command = leashed(&[], "mariadbd");
    command.args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=16M"]);
    command.args(["--innodb-log-file-size=4M", "--sql-mode=", "--skip-name-resolve"]);
    command.arg(format!("--port={port}")).arg(format!("--datadir={}", data.display()));
    command.arg(format!("--socket={}", folder.path().join("s").display()));
    command.arg(format!("--pid-file={}", folder.path().join("pid").display()));
    command.args(announcing.map(|version| format!("--version={version}")));
    command.args(flags);
    Server::start(command, port, folder)
}

pub fn mysql_5_6(made: &Path, flags: &[&str]) -> Server {
    let (folder, port) = (folder("mysql56"), free_port());
    let (data, home) = (folder.path().join("data"), made.join("mysql-5.6"));
    copy(&home.join("data/mysql"), &data);
    let _ = std::fs::remove_file(data.join("auto.cnf"));
    let mut command = leashed(&[], home.join("mysqld"));
    command.env("LD_LIBRARY_PATH", &home).current_dir(&home);
    command.args([
        "--no-defaults",
        "--user=root",
        "--bind-address=127.0.0.1",
        "--innodb-buffer-pool-size=16M",
        "--skip-name-resolve",
    ]);
    command.arg(format!("--basedir={}", home.display())).arg(format!("--lc-messages-dir={}/share", home.display()));
    command.arg(format!("--port={port}")).arg(format!("--datadir={}", data.display()));
    command.arg(format!("--socket={}", folder.path().join("s").display()));
    command.arg(format!("--pid-file={}", folder.path().join("pid").display()));
    command.args(flags);
    let server = Server::start(command, port, folder);
    // An anonymous user shadows every other one that comes from this host.
    sql(&server, "DELETE FROM mysql.user WHERE user = ''; FLUSH PRIVILEGES;");
    server
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// As the server's root, over its socket.
#[track_caller]
pub fn sql(server: &Server, text: &str) -> String {
    let socket = server.folder.path().join("s").display().to_string();
    until(|| {
        let out = client(&["--protocol=socket", "-S", &socket, "-e", text]).output().unwrap();
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        // 2002: it does not listen there yet.
        assert!(out.status.success() || error.contains("(2002)"), "{text}: {error}");
        if out.status.success() { Ok(String::from_utf8(out.stdout).unwrap()) } else { Err(error) }
    })
}

fn client(arguments: &[&str]) -> Command {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--skip-ssl", "-uroot"]).args(arguments).stdin(Stdio::null());
    command
}

/// Everything that the product needs.
fn furnish(server: &Server) {
    sql(
        server,
        &format!(
            "CREATE DATABASE IF NOT EXISTS divvy; CREATE DATABASE IF NOT EXISTS divvykeys;
             CREATE USER 'divvy'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
             GRANT ALL ON divvy.* TO 'divvy'@'127.0.0.1'; GRANT ALL ON divvykeys.* TO 'divvy'@'127.0.0.1';
             GRANT RELOAD ON *.* TO 'divvy'@'127.0.0.1';"
        ),
    );
}

fn ask(port: u16, password: Option<&str>, more: &[&str]) -> Found {
    let scratch = folder("mysql-password");
    let mut flags = words(&["--mysql-host", "127.0.0.1", "--mysql-port", &port.to_string()]);
    if let Some(password) = password {
        let file = write(&scratch.path().join("password"), password);
        flags.extend(words(&["--mysql-user", "divvy", "--mysql-password-file", &file.display().to_string()]));
    }
    flags.extend(words(more));
    let found = check(&flags);
    found.hides(PASSWORD);
    found
}

#[test]
fn mysql_5_6_for_real() {
    let Some(made) = provisioned("mysql_5_6_for_real") else { return };
    let server = mysql_5_6(&made, &[]);
    let found = ask(server.port, None, &[]);
    found.has("mysql-reachable", "pass", "MySQL 5.6.24").has("mysql-login", "skip", "--mysql-user");
    found.has("mysql-version", "fail", "advertised version: MySQL 5.6.24");
    furnish(&server);
    let found = ask(server.port, Some(PASSWORD), &[]);
    found.has("mysql-version", "fail", "MySQL 5.6.24").has("mysql-login", "pass", "divvy@127.0.0.1");
    for id in ["mysql-tls", "mysql-databases", "mysql-grants", "mysql-clock", "mysql-charset", "mysql-capacity"] {
        found.has(id, "pass", "");
    }
    ask(server.port, Some("wr0ng-s3cret"), &[]).has("mysql-login", "fail", "1045").hides("wr0ng-s3cret");
    ask(server.port, Some(PASSWORD), &["--mysql-tls"]).has("mysql-tls", "fail", "offers no TLS");
}

/// 5.6 with certificates knows TLS 1.0 only.
#[test]
fn mysql_5_6_with_tls_is_too_old_for_it() {
    let Some(made) = provisioned("mysql_5_6_with_tls_is_too_old_for_it") else { return };
    let tls = |name: &str| made.join("tls").join(name).display().to_string();
    let flags = [
        format!("--ssl-ca={}", tls("ca.crt")),
        format!("--ssl-cert={}", tls("server.crt")),
        format!("--ssl-key={}", tls("server.pkcs1.key")),
    ];
    let server = mysql_5_6(&made, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    furnish(&server);
    let found = ask(server.port, Some(PASSWORD), &["--mysql-tls", "--proxy-ca", &tls("ca.crt")]);
    found.has("mysql-tls", "skip", "this tool has 1.2 and 1.3 alone");
}

/// Greetings without a login count against this host: there is one, however long failing checks are repeated.
#[test]
fn a_finished_greeting_is_not_repeated() {
    let Some(made) = provisioned("a_finished_greeting_is_not_repeated") else { return };
    let server = mariadb(&made, Some("5.7.44-log"), &[]);
    // Who asks in the same way as those who are counted comes after them; when nobody else is connected all are counted.
    let aborted = || {
        let ask = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Aborted_connects', 'Threads_connected')";
        let port = format!("-P{}", server.port);
        until(|| {
            let out = client(&["--protocol=tcp", "-h127.0.0.1", &port, "-Ne", ask]).output().unwrap();
            assert!(out.status.success(), "{out:?}");
            let text = String::from_utf8(out.stdout).unwrap();
            let words: Vec<&str> = text.split_whitespace().collect();
            if words[3] == "1" { Ok(words[1].parse::<u64>().unwrap()) } else { Err(text) }
        })
    };
    let before = aborted();
    let found = ask(server.port, None, &["--wait", "3s"]);
    found.has("mysql-version", "fail", "MariaDB announcing 5.7.44");
    assert_eq!(aborted(), before + 1);
    // With a login none is left over.
    furnish(&server);
    let before = aborted();
    ask(server.port, Some(PASSWORD), &["--wait", "3s"]).has("mysql-login", "pass", "");
    assert_eq!(aborted(), before);
}

#[test]
fn mariadb_as_itself() {
    let Some(made) = provisioned("mariadb_as_itself") else { return };
    let server = mariadb(&made, None, &[]);
    furnish(&server);
    let found = ask(server.port, None, &[]);
    found.has("mysql-reachable", "pass", "MariaDB 10.11").has(
        "mysql-version",
        "fail",
        "advertised version: MariaDB 10.11",
    );
    let found = ask(server.port, Some(PASSWORD), &[]);
    found.has("mysql-version", "fail", "MariaDB 10.11").has("mysql-grants", "pass", "RELOAD");
}

/// One server that announces 5.7.44 through all that can be wrong with rights and databases.
#[test]
fn mariadb_announcing_5_7() {
    let Some(made) = provisioned("mariadb_announcing_5_7") else { return };
    let server = mariadb(&made, Some("5.7.44-log"), &[]);
    // An account, and nothing else.
    sql(&server, &format!("CREATE USER 'divvy'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';"));
    let found = ask(server.port, Some(PASSWORD), &[]);
    found.has("mysql-version", "fail", "MariaDB announcing 5.7.44");
    found.has("mysql-databases", "fail", "CREATE DATABASE IF NOT EXISTS `divvy`;").has(
        "mysql-grants",
        "fail",
        "RELOAD",
    );
    ask(server.port, Some("wr0ng-s3cret"), &[]).has("mysql-login", "fail", "1045").hides("wr0ng-s3cret");

    // Rights on patterns, one database missing: the fixes, pasted, mend it.
    sql(&server, "CREATE DATABASE divvy;");
    sql(&server, "GRANT ALL ON `divvy%`.* TO 'divvy'@'127.0.0.1';");
    let found = ask(server.port, Some(PASSWORD), &[]);
    found.has("mysql-databases", "fail", "has no database divvykeys").has("mysql-grants", "fail", "missing RELOAD");
    for id in ["mysql-databases", "mysql-grants"] {
        for fix in found.the(id)["advice"].as_array().unwrap() {
            sql(&server, fix.as_str().unwrap().strip_prefix("run on the server: ").unwrap());
        }
    }
    let found = ask(server.port, Some(PASSWORD), &[]);
    found.has("mysql-databases", "pass", "divvykeys").has("mysql-grants", "pass", "").has("mysql-clock", "pass", "");
    found.has("mysql-charset", "pass", "").has("mysql-capacity", "pass", "of 151");
    found.has("mysql-tls", "pass", "takes plain");
    sql(&server, "ALTER DATABASE divvykeys CHARACTER SET utf16;");
    ask(server.port, Some(PASSWORD), &[]).has("mysql-charset", "warn", "utf16");

    // Another plugin than the product's clients speak.
    sql(&server, "CREATE OR REPLACE USER 'divvy'@'127.0.0.1' IDENTIFIED VIA unix_socket;");
    ask(server.port, Some(PASSWORD), &[]).has("mysql-login", "fail", "auth_socket");
}

/// An address that no account is for: error 1130 in place of the greeting.
#[test]
fn a_host_that_is_not_allowed() {
    let Some(made) = provisioned("a_host_that_is_not_allowed") else { return };
    let server = mariadb(&made, Some("5.7.44-log"), &[]);
    sql(&server, "DELETE FROM mysql.global_priv WHERE host <> 'localhost'; FLUSH PRIVILEGES;");
    let found = ask(server.port, Some(PASSWORD), &[]);
    found.has("mysql-reachable", "pass", "1130").has("mysql-login", "fail", "CREATE USER 'divvy'@'<HOST>'");
    assert_eq!(found.exit, 4);
}

#[test]
fn too_many_connections() {
    let Some(made) = provisioned("too_many_connections") else { return };
    let server = mariadb(&made, Some("5.7.44-log"), &["--max-connections=10"]);
    furnish(&server);
    let socket = server.folder.path().join("s").display().to_string();
    let sleeper = || {
        let mut command = client(&["--protocol=socket", "-S", &socket, "-e", "SELECT SLEEP(3600)"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    // One more than the limit: the last place is kept for administrators.
    let mut sleepers: Vec<_> = (0..11).map(|_| sleeper()).collect();
    // In place of its greeting it says 1040.
    until(|| {
        // One that came before a connection of before was quite gone was turned away.
        for one in &mut sleepers {
            if one.try_wait().unwrap().is_some() {
                *one = sleeper();
            }
        }
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut packet = [0; 7];
        let _ = stream.read_exact(&mut packet);
        if packet[4..] == [0xff, 0x10, 0x04] { Ok(()) } else { Err(format!("{packet:?}")) }
    });
    let found = ask(server.port, Some(PASSWORD), &[]);
    for mut sleeper in sleepers {
        let _ = sleeper.kill();
        let _ = sleeper.wait();
    }
    found.has("mysql-reachable", "pass", "1040").has("mysql-capacity", "fail", "max_connections");
}

#[test]
fn tls_required_trusted_and_not() {
    let Some(made) = provisioned("tls_required_trusted_and_not") else { return };
    let tls = |name: &str| made.join("tls").join(name).display().to_string();
    let flags = |leaf: &str| {
        vec![
            "--require-secure-transport=ON".to_owned(),
            format!("--ssl-ca={}", tls("ca.crt")),
            format!("--ssl-cert={}", tls(&format!("{leaf}.crt"))),
            format!("--ssl-key={}", tls(&format!("{leaf}.key"))),
        ]
    };
    let start = |leaf: &str| {
        let flags = flags(leaf);
        let server = mariadb(&made, Some("5.7.44-log"), &flags.iter().map(String::as_str).collect::<Vec<_>>());
        furnish(&server);
        server
    };
    let known = start("server");
    let trust = ["--proxy-ca", &tls("ca.crt")];
    let asked = ask(known.port, Some(PASSWORD), &["--mysql-tls", trust[0], trust[1]]);
    asked.has("mysql-tls", "pass", "TLSv1_").has("mysql-login", "pass", "over TLS").has("mysql-grants", "pass", "");
    // Nobody said: plain is refused, TLS goes through.
    ask(known.port, Some(PASSWORD), &trust).has("mysql-tls", "warn", "require_secure_transport").has(
        "mysql-login",
        "pass",
        "over TLS",
    );
    ask(known.port, Some(PASSWORD), &["--mysql-tls=false"]).has("mysql-login", "fail", "REQUIRE SSL");
    // An account that demands it of a server that does not.
    sql(&known, "SET GLOBAL require_secure_transport = OFF; ALTER USER 'divvy'@'127.0.0.1' REQUIRE SSL;");
    ask(known.port, Some(PASSWORD), &trust).has("mysql-tls", "warn", "REQUIRE SSL").has(
        "mysql-login",
        "pass",
        "over TLS",
    );
    ask(known.port, Some("wr0ng-s3cret"), &trust).has("mysql-login", "fail", "1045");
    // Its authority is not known here.
    ask(known.port, Some(PASSWORD), &["--mysql-tls"]).has("mysql-tls", "fail", "ca-certificates");
    let unknown = start("unknown");
    ask(unknown.port, Some(PASSWORD), &["--mysql-tls", trust[0], trust[1]]).has(
        "mysql-tls",
        "fail",
        "nothing secret was sent",
    );
}
