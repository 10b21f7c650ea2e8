//! Redis and its kin.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::common::{PATIENCE, leashed, until};

use super::servers::{Found, Server, check, folder, free_port, provisioned, words, write};

const PASSWORD: &str = "r3dis-s3cret";

fn start(made: &Path, which: &str, flags: &[&str]) -> Server {
    let (folder, port) = (folder("redis"), free_port());
    let mut command = leashed(&[], made.join(which));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder.path());
    command.args(flags);
    Server::start(command, port, folder)
}

fn ask(port: u16, password: Option<&str>, more: &[&str]) -> Found {
    let scratch = folder("redis-password");
    let mut flags = words(&["--redis-host", "127.0.0.1", "--redis-port", &port.to_string()]);
    if let Some(password) = password {
        let file = write(&scratch.path().join("password"), password);
        flags.extend([String::from("--redis-password-file"), file.display().to_string()]);
    }
    flags.extend(words(more));
    let found = check(&flags);
    found.hides(PASSWORD);
    found
}

/// Every server, open and with a password: right, wrong, none.
#[test]
fn versions_with_and_without_a_password() {
    let Some(made) = provisioned("versions_with_and_without_a_password") else { return };
    for (which, shown, status, era, stranger) in [
        ("redis-5.0.6/redis-server", "Redis 5.0.6", "pass", "5 or older", "skip"),
        ("redis-6.2/redis-server", "Redis 6.2", "warn", "6 or newer", "warn"),
        ("redis-7.0/redis-server", "Redis 7.0.15", "warn", "6 or newer", "warn"),
        ("valkey/valkey-server", "Valkey 9.1.2 (compatible with Redis 7.2.4)", "warn", "6 or newer", "warn"),
    ] {
        let open = start(&made, which, &[]);
        let found = ask(open.port, None, &[]);
        found.has("redis-reachable", "pass", "--redis-host").has("redis-version", status, shown);
        found.has("redis-login", "pass", "no password").has("redis-mode", "pass", "standalone");
        found.has("redis-memory", "pass", "noeviction").has("redis-persistence", "pass", "append-only file off");
        // A password that the server has not.
        ask(open.port, Some(PASSWORD), &[]).has("redis-login", "warn", "has no password").has(
            "redis-version",
            status,
            shown,
        );

        let closed = start(&made, which, &["--requirepass", PASSWORD]);
        let found = ask(closed.port, Some(PASSWORD), &[]);
        found.has("redis-login", "pass", "logged in").has("redis-version", status, shown);
        let found = ask(closed.port, None, &[]);
        found.has("redis-login", "fail", "NOAUTH").has("redis-version", stranger, era);
        assert_eq!(found.exit, 4);
        ask(closed.port, Some("wr0ng-s3cret"), &[])
            .has("redis-login", "fail", "refuses the password")
            .hides("wr0ng-s3cret");
    }
}

#[test]
fn modes_memory_and_the_end_of_connections() {
    let Some(made) = provisioned("modes_memory_and_the_end_of_connections") else { return };
    let primary =
        start(&made, "redis-5.0.6/redis-server", &["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    ask(primary.port, None, &[]).has("redis-memory", "warn", "allkeys-lru");
    let replica = start(&made, "redis-5.0.6/redis-server", &["--slaveof", "127.0.0.1", &primary.port.to_string()]);
    ask(replica.port, None, &[]).has("redis-mode", "fail", "is a replica");
    let cluster = start(&made, "redis-7.0/redis-server", &["--cluster-enabled", "yes"]);
    ask(cluster.port, None, &[]).has("redis-mode", "warn", "cluster");

    let (sentinel, port) = (folder("sentinel"), free_port());
    let text = format!("port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 1\n", primary.port);
    let file = write(&sentinel.path().join("sentinel.conf"), &text);
    let mut command = leashed(&[], made.join("redis-5.0.6/redis-server"));
    command.arg(file).arg("--sentinel");
    let sentinel = Server::start(command, port, sentinel);
    ask(sentinel.port, None, &[]).has("redis-mode", "fail", "Sentinel");

    let full = start(&made, "redis-5.0.6/redis-server", &["--maxclients", "1"]);
    // The one that is let in: the probe of the start may not have been forgotten yet.
    let _only = until(|| {
        let mut only = TcpStream::connect(("127.0.0.1", full.port)).unwrap();
        only.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = only.write_all(b"PING\r\n");
        let mut answer = [0; 5];
        let _ = only.read_exact(&mut answer);
        if answer == *b"+PONG" { Ok(only) } else { Err(String::from_utf8_lossy(&answer).into_owned()) }
    });
    ask(full.port, None, &[]).has("redis-reachable", "pass", "ERR").has("redis-login", "fail", "maxclients");
}

/// The default user may not see INFO: `HELLO` tells the version.
#[test]
fn a_user_without_info() {
    let Some(made) = provisioned("a_user_without_info") else { return };
    let scratch = folder("redis-acl");
    let acl = write(&scratch.path().join("acl"), &format!("user default on >{PASSWORD} ~* +@all -info\n"));
    for (which, shown) in
        [("redis-7.0/redis-server", "Redis 7.0.15"), ("valkey/valkey-server", "compatible with Redis 7.2.4")]
    {
        let server = start(&made, which, &["--aclfile", &acl.display().to_string()]);
        let found = ask(server.port, Some(PASSWORD), &[]);
        found.has("redis-login", "pass", "logged in").has("redis-memory", "skip", "INFO");
        found.has("redis-version", "warn", if which.starts_with("valkey") { "Valkey" } else { shown });
    }
}

#[test]
fn tls_of_its_own_and_in_front() {
    let Some(made) = provisioned("tls_of_its_own_and_in_front") else { return };
    let tls = |name: &str| made.join("tls").join(name).display().to_string();
    let trust = ["--proxy-ca".to_owned(), tls("ca.crt")];
    let trusting: Vec<&str> = trust.iter().map(String::as_str).collect();

    // Debian's 7.0 on a TLS port.
    let (scratch, port) = (folder("redis-tls"), free_port());
    let mut command = leashed(&[], made.join("redis-7.0/redis-server"));
    command.args([
        "--port",
        "0",
        "--tls-port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--requirepass",
        PASSWORD,
    ]);
    command.args([
        "--tls-cert-file",
        &tls("server.crt"),
        "--tls-key-file",
        &tls("server.key"),
        "--tls-ca-cert-file",
        &tls("ca.crt"),
    ]);
    command.args(["--tls-auth-clients", "no", "--dir"]).arg(scratch.path());
    let own = Server::start(command, port, scratch);

    // stunnel before 5.0.6, as managed services have it.
    let plain = start(&made, "redis-5.0.6/redis-server", &["--requirepass", PASSWORD]);
    let (scratch, port) = (folder("stunnel"), free_port());
    let text = format!(
        "foreground = yes\npid =\n[redis]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{}\ncert = {}\nkey = {}\n",
        plain.port,
        tls("server.crt"),
        tls("server.key")
    );
    let file = write(&scratch.path().join("stunnel.conf"), &text);
    let mut command = leashed(&[], "stunnel4");
    command.arg(file);
    let front = Server::start(command, port, scratch);

    for (server, shown, status) in [(&own, "Redis 7.0.15", "warn"), (&front, "Redis 5.0.6", "pass")] {
        let asked = [trusting.as_slice(), &["--redis-tls"]].concat();
        ask(server.port, Some(PASSWORD), &asked).has("redis-tls", "pass", "TLSv1_").has("redis-version", status, shown);
        ask(server.port, Some(PASSWORD), &trusting).has("redis-tls", "warn", "reconfigure --redis-tls").has(
            "redis-version",
            status,
            shown,
        );
        // Nobody vouches for the certificate: nothing is said.
        ask(server.port, Some(PASSWORD), &["--redis-tls"]).has("redis-tls", "fail", "ca-certificates");
        let found = ask(server.port, Some(PASSWORD), &["--redis-tls=false"]);
        assert_eq!(found.the("redis-reachable")["status"], "fail", "{}", found.text);
    }
    // And a plain port that is asked for TLS.
    let asked = [trusting.as_slice(), &["--redis-tls", "--timeout", "3s"]].concat();
    ask(plain.port, Some(PASSWORD), &asked).has("redis-tls", "fail", "--redis-tls=false");
}
