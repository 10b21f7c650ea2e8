//! What a run asks before it writes and after it has written, on a live host: back ends and a proxy that answer as they are
//! told, real servers where the lab has them. What fails leaves every byte as it was.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::spawn;

use nix::sched::{CloneFlags, setns};
use serde_json::Value;

use super::servers::provisioned;
use crate::common::{self, Family, Guest, Manifest, PATIENCE, Ran, until};

const PASSWORD: &str = "my5ql-s3cret";

const PROD_ENV: &str = "\
#http_proxy=http://proxy.acmecorp.com
#no_proxy=mysql,redis,169.254.169.254
DIVVY_DB_HOST=old.corp.example
DIVVY_DB_PORT=3306
DIVVY_DB_USERNAME=divvy
DIVVY_DB_PASSWORD=my5ql-s3cret
DIVVY_DB_NAME=divvy
DIVVY_SECRET_DB_HOST=old.corp.example
DIVVY_SECRET_DB_PORT=3306
DIVVY_SECRET_DB_USERNAME=divvy
DIVVY_SECRET_DB_PASSWORD=my5ql-s3cret
DIVVY_SECRET_DB_NAME=divvykeys
DIVVY_REDIS_HOST=old.corp.example
DIVVY_REDIS_PORT=6379
";

/// Where a run writes.
const WRITTEN: [&str; 3] = ["etc", "divvycloud", "var/lib"];

fn guest() -> Guest {
    let guest = Guest::new(Family::Ubuntu);
    guest.write("/divvycloud/prod.env", PROD_ENV);
    guest.write("/run/password", "wr0ng-s3cret\n");
    guest.sh("chmod 600 /run/password /divvycloud/prod.env");
    guest
}

fn picture(guest: &Guest) -> Vec<Manifest> {
    WRITTEN.iter().map(|folder| Manifest::take(&guest.path(folder), &[])).collect()
}

#[track_caller]
fn is_untouched(guest: &Guest, before: &[Manifest], when: &str) {
    for (folder, (before, after)) in WRITTEN.iter().zip(before.iter().zip(&picture(guest))) {
        assert_eq!(before.touched(after), Vec::<std::path::PathBuf>::new(), "{when}: /{folder}");
    }
}

fn run(guest: &Guest, words: &[&str], more: &[&str]) -> Ran {
    let ran = guest.run(&[&["ics-setup"], words, &["--non-interactive"], more].concat());
    let text = String::from_utf8_lossy(&ran.out).into_owned() + &ran.err;
    for secret in [PASSWORD, "wr0ng-s3cret"] {
        assert!(!text.contains(secret), "{text}");
    }
    ran
}

fn with_status(json: &Value, status: &str) -> Vec<String> {
    let all = json["findings"].as_array().unwrap().iter().filter(|finding| finding["status"] == status);
    all.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

// -------------------------------------------------------------------------------------------------- doubles

/// A server of the test's own in the guest's network, and how many have come.
struct Double {
    port: String,
    came: Arc<AtomicUsize>,
}

impl Double {
    fn new(guest: &Guest, talk: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let namespace = fs::File::open(format!("/proc/{}/ns/net", guest.pid())).unwrap();
        let (sender, up) = mpsc::channel();
        let (talk, came) = (Arc::new(talk), Arc::new(AtomicUsize::new(0)));
        let count = came.clone();
        spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            sender.send(listener.local_addr().unwrap().port()).unwrap();
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let talk = talk.clone();
                spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    talk(stream);
                });
            }
        });
        Self { port: up.recv_timeout(PATIENCE).expect("the double listens").to_string(), came }
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

/// One packet of MySQL's protocol; `None`: the other side has gone.
fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0_u8; 4];
    stream.read_exact(&mut head).ok()?;
    let mut body = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
    stream.read_exact(&mut body).ok()?;
    Some((head[3], body))
}

fn send(stream: &mut TcpStream, number: u8, body: &[u8]) {
    let mut bytes = u32::try_from(body.len()).unwrap().to_le_bytes()[..3].to_vec();
    bytes.push(number);
    bytes.extend_from_slice(body);
    let _ = stream.write_all(&bytes);
}

/// A MySQL without TLS that lets everybody in or nobody, has every database, and answers no question.
fn mysql(guest: &Guest, version: &'static str, open: bool) -> Double {
    const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
    let error = |code: u16, words: &str| [&[0xff][..], &code.to_le_bytes(), words.as_bytes()].concat();
    Double::new(guest, move |mut stream| {
        let mut greeting = vec![10];
        greeting.extend_from_slice(version.as_bytes());
        greeting.extend_from_slice(b"\0\x07\0\0\0abcdefgh\0\xff\xf7\x08\x02\0\x0f\x80\x15\0\0\0\0\0\0\0\0\0\0");
        greeting.extend_from_slice(b"ijklmnopqrst\0mysql_native_password\0");
        send(&mut stream, 0, &greeting);
        let Some((number, _)) = packet(&mut stream) else { return };
        if !open {
            return send(&mut stream, number + 1, &error(1045, "#28000Access denied for user"));
        }
        send(&mut stream, number + 1, OK);
        while let Some((_, body)) = packet(&mut stream) {
            match body.first() {
                Some(1) | None => return,
                Some(2) => send(&mut stream, 1, OK),
                Some(_) => send(&mut stream, 1, &error(1064, "#42000not now")),
            }
        }
    })
}

fn redis(guest: &Guest, version: &'static str, role: &'static str) -> Double {
    Double::new(guest, move |mut stream| {
        let info = format!("redis_version:{version}\r\nredis_mode:standalone\r\nrole:{role}\r\n");
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        // A command ends with its only word.
        while let Some(Ok(line)) = lines.next() {
            let _ = match line.as_str() {
                "INFO" => stream.write_all(format!("${}\r\n{info}\r\n", info.len()).as_bytes()),
                "HELLO" => stream.write_all(b"-ERR unknown command\r\n"),
                _ => Ok(()),
            };
        }
    })
}

/// A proxy that answers each request so, and the requests that it got.
fn proxy(guest: &Guest, answer: &'static str) -> (Double, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    let double = Double::new(guest, move |mut stream| {
        let mut bytes = [0_u8; 4096];
        let count = stream.read(&mut bytes).unwrap_or(0);
        if bytes.starts_with(b"\x16") {
            return;
        }
        seen.lock().unwrap().push(String::from_utf8_lossy(&bytes[..count]).into_owned());
        let _ = stream.write_all(answer.as_bytes());
        // What comes through a tunnel is answered as a server of TLS would that knows better.
        if stream.read(&mut bytes).is_ok_and(|count| count > 0) {
            let _ = stream.write_all(b"\x15\x03\x01\0\x02\x02\x28");
        }
    });
    (double, heads)
}

const OPENS: &str = "HTTP/1.1 200 OK\r\n\r\n";
const REJECTS: &str =
    "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";

// ---------------------------------------------------------------------------------------------------- tests

#[test]
fn a_back_end_that_will_not_do_stops_the_run_before_anything_is_written() {
    let guest = guest();
    let before = picture(&guest);
    let (eight, closed, good) =
        (mysql(&guest, "8.0.36", true), mysql(&guest, "5.7.44", false), mysql(&guest, "5.7.44", true));
    let (four, replica) = (redis(&guest, "4.0.14", "master"), redis(&guest, "5.0.6", "slave"));
    let nobody = "1";
    for (section, port, more, id, words) in [
        ("mysql", eight.port.as_str(), &[][..], "mysql-version", "MySQL 8.0.36"),
        ("mysql", &closed.port, &[], "mysql-login", "denies the login of divvy"),
        ("mysql", &closed.port, &["--mysql-password-file", "/run/password"], "mysql-login", "1045"),
        ("mysql", &good.port, &["--mysql-tls"], "mysql-tls", "offers no TLS"),
        ("mysql", nobody, &[], "mysql-reachable", "cannot be reached"),
        ("redis", &four.port, &[], "redis-version", "Redis 4.0.14"),
        ("redis", &replica.port, &[], "redis-mode", "is a replica"),
        ("redis", nobody, &[], "redis-reachable", "cannot be reached"),
    ] {
        let (host, at) = (format!("--{section}-host"), format!("--{section}-port"));
        let flags = [&["reconfigure", &host, "127.0.0.1", &at, port][..], more].concat();
        let when = flags.join(" ");
        for dry in [&[][..], &["--dry-run"]] {
            let json = run(&guest, &[&flags[..], dry].concat(), &["--format", "json"]).expect(4).json();
            assert_eq!((&json["outcome"], &json["error"]["id"]), (&"failed".into(), &"checks-failed".into()), "{when}");
            assert_eq!(
                (&json["changes"], &json["error"]["kind"]),
                (&Value::Array(vec![]), &"outside".into()),
                "{when}"
            );
            assert_eq!(with_status(&json, "fail"), [id], "{when}: {json:#}");
            // Nothing is said of the one that stays.
            let other = if section == "mysql" { "redis-" } else { "mysql-" };
            assert!(!json["findings"].to_string().contains(other), "{when}: {json:#}");
        }
        let told = run(&guest, &flags, &[]).expect(4);
        assert!(told.err.starts_with("FAIL ") && told.err.contains(words), "{told}");
        assert!(told.err.trim_end().ends_with("\n\nNothing was changed."), "{told}");
        assert!(told.err.contains(&format!("go on all the same: --ignore-check {id}")), "{told}");
        // The command that asks it again names it, and no command would change the one that the host has.
        assert!(told.err.contains(&format!("ics-setup check backends --{section}-host 127.0.0.1")), "{told}");
        let of_run = format!("the same command with --{section}-port <PORT>");
        assert!(!id.ends_with("-reachable") || told.err.contains(&of_run), "{told}");
        // That containers reach it elsewhere is another matter.
        let of_new = |line: &&str| !["containers reach", "extra_hosts"].iter().any(|words| line.contains(words));
        assert!(told.err.lines().filter(of_new).all(|line| !line.contains("ics-setup reconfigure")), "{told}");
        is_untouched(&guest, &before, &when);
    }
    let came = eight.came();
    let flags = ["reconfigure", "--mysql-host", "127.0.0.1", "--mysql-port", &eight.port];
    let json = run(&guest, &flags, &["--ignore-check", "mysql-version", "--format", "json"]).expect(0).json();
    assert!(with_status(&json, "warn").contains(&"mysql-version".to_owned()), "{json:#}");
    assert_eq!(eight.came(), came + 1);
}

#[test]
fn a_back_end_that_will_do_is_asked_once_and_only_when_it_is_new() {
    let guest = guest();
    let (new, queue) = (mysql(&guest, "5.7.44", true), redis(&guest, "5.0.6", "master"));
    let flags = [
        "reconfigure",
        "--mysql-host",
        "127.0.0.1",
        "--mysql-port",
        &new.port,
        "--redis-host",
        "127.0.0.1",
        "--redis-port",
        &queue.port,
    ];
    let json = run(&guest, &flags, &["--format", "json"]).expect(0).json();
    let passed = with_status(&json, "pass");
    for id in ["mysql-reachable", "mysql-version", "mysql-login", "mysql-databases", "redis-version", "redis-mode"] {
        assert!(passed.contains(&id.to_owned()), "{id}: {json:#}");
    }
    assert_eq!((new.came(), queue.came()), (1, 1));
    let json = run(&guest, &flags, &["--format", "json"]).expect(0).json();
    assert_eq!(json["outcome"], "unchanged");
    // A proxy is no back end; and of the two the one that stays is not asked.
    let proxy = ["reconfigure", "--proxy", "http://127.0.0.1:1", "--no-probe"];
    run(&guest, &proxy, &[]).expect(0);
    assert_eq!((new.came(), queue.came()), (1, 1));
    let other = redis(&guest, "5.0.6", "master");
    run(&guest, &["reconfigure", "--redis-port", &other.port], &[]).expect(0);
    assert_eq!((new.came(), queue.came(), other.came()), (1, 1, 1));
    // One of the two variables of a setting is another by hand.
    guest.sh("sed -i 's/^DIVVY_SECRET_DB_HOST=.*/DIVVY_SECRET_DB_HOST=elsewhere/' /divvycloud/prod.env");
    run(&guest, &["reconfigure"], &[]).expect(0);
    assert_eq!((new.came(), other.came()), (2, 1));
}

/// A Test Drive's MySQL keeps its accounts in its data folder, whatever prod.env says: a container that runs is asked, at the port
/// that it publishes or at its own address.
#[test]
fn a_container_that_runs_is_asked_for_the_new_login() {
    let guest = guest();
    guest.sh("sed -i 's/old.corp.example/mysql/' /divvycloud/prod.env; ip address add 172.18.0.2/32 dev lo");
    let (closed, open) = (mysql(&guest, "8.0.36", false), mysql(&guest, "8.0.36", true));
    let before = picture(&guest);
    // The doubles listen on 127.0.0.1 alone: at the container's own address one of them answers through the kernel.
    let docker = |status: &str, ports: &str| {
        let labels = r#"{"com.docker.compose.service":"mysql","com.docker.compose.project":"divvycloud","com.docker.compose.project.working_dir":"/divvycloud"}"#;
        let inspected = format!(
            r#"{{"id":"aaaaaaaaaaaa","name":"/divvycloud_mysql_1","status":"{status}","image":"divvycloud/quickstart-db","labels":{labels},"networks":{{"divvycloud_default":{{"IPAddress":"172.18.0.2"}}}},"ports":{{{ports}}},"env":[]}}"#
        );
        let script = format!(
            "#!/bin/sh\ncase $1 in ps) echo '\"aaaaaaaaaaaa\"';; inspect) echo '{inspected}';; *) exit 1;; esac\n"
        );
        guest.write("/usr/local/bin/docker", &script);
        guest.sh("chmod 755 /usr/local/bin/docker");
    };
    let published = |port: &str| format!(r#""3306/tcp":[{{"HostIp":"127.0.0.1","HostPort":"{port}"}}]"#);
    let flags = ["reconfigure", "--deployment", "test-drive", "--mysql-password-file", "/run/password", "--no-restart"];
    docker("running", &published(&closed.port));
    let json = run(&guest, &flags, &["--format", "json"]).expect(4).json();
    assert_eq!(with_status(&json, "fail"), ["mysql-login"], "{json:#}");
    assert!(json.to_string().contains("accounts in its data folder"), "{json:#}");
    assert_eq!(closed.came(), 1);
    is_untouched(&guest, &before, "a container that refuses");
    // Whose port is not published is asked at its own address, where nobody answers here: that is told, and stops nothing.
    docker("running", "");
    let json = run(&guest, &[&flags[..], &["--dry-run"]].concat(), &["--format", "json"]).expect(0).json();
    assert!(with_status(&json, "skip").contains(&"mysql-reachable".to_owned()), "{json:#}");
    docker("exited", "");
    let json = run(&guest, &[&flags[..], &["--dry-run"]].concat(), &["--format", "json"]).expect(0).json();
    assert!(json.to_string().contains("starts with the product"), "{json:#}");
    // One that takes the login, of whatever version: it was there before.
    docker("running", &published(&open.port));
    let json = run(&guest, &flags, &["--format", "json"]).expect(0).json();
    assert!(with_status(&json, "pass").contains(&"mysql-login".to_owned()), "{json:#}");
}

/// Real servers: a MariaDB that takes no writes, and a replica of Redis.
#[test]
fn real_servers_that_take_no_writes() {
    let Some(made) = provisioned("real_servers_that_take_no_writes") else { return };
    let guest = guest();
    let before = picture(&guest);
    let scratch = common::scratch("first");
    let data = scratch.path().join("data");
    common::copy_tree(&made.join("mariadb-data"), &data);
    let socket = scratch.path().join("s").display().to_string();
    let file = scratch.path().join("init.sql");
    let sql = format!(
        "CREATE DATABASE divvy;\nCREATE DATABASE divvykeys;\nCREATE USER 'divvy'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
         GRANT ALL ON divvy.* TO 'divvy'@'127.0.0.1';\nGRANT ALL ON divvykeys.* TO 'divvy'@'127.0.0.1';\n\
         GRANT RELOAD ON *.* TO 'divvy'@'127.0.0.1';\n"
    );
    fs::write(&file, sql).unwrap();
    let [data, file] = [&data, &file].map(|path| path.display().to_string());
    let datadir = format!("--datadir={data}");
    let (init, socket) = (format!("--init-file={file}"), format!("--socket={socket}"));
    let pid = format!("--pid-file={}", scratch.path().join("pid").display());
    let mariadb = [
        "mariadbd",
        "--no-defaults",
        "--user=root",
        "--bind-address=127.0.0.1",
        "--port=3310",
        "--skip-name-resolve",
        "--innodb-buffer-pool-size=16M",
        "--version=5.7.44-log",
        "--read-only",
        &datadir,
        &init,
        &socket,
        &pid,
    ];
    serve(&guest, scratch.path(), &mariadb, 3310);
    let server = made.join("redis-5.0.6/redis-server").display().to_string();
    let folder = scratch.path().display().to_string();
    let redis = [&server, "--bind", "127.0.0.1", "--save", "", "--dir", &folder, "--port"];
    serve(&guest, scratch.path(), &[&redis[..], &["6390"]].concat(), 6390);
    serve(&guest, scratch.path(), &[&redis[..], &["6391", "--slaveof", "127.0.0.1", "6390"]].concat(), 6391);

    let flags = ["reconfigure", "--mysql-host", "127.0.0.1", "--mysql-port", "3310", "--redis-host", "127.0.0.1"];
    let json = run(&guest, &[&flags[..], &["--redis-port", "6391"]].concat(), &["--format", "json"]).expect(4).json();
    for id in ["mysql-version", "mysql-writable", "redis-mode"] {
        assert!(with_status(&json, "fail").contains(&id.to_owned()), "{id}: {json:#}");
    }
    let wrong = ["--redis-port", "6390", "--mysql-password-file", "/run/password"];
    let json = run(&guest, &[&flags[..], &wrong].concat(), &["--format", "json"]).expect(4).json();
    assert!(with_status(&json, "fail").contains(&"mysql-login".to_owned()), "{json:#}");
    is_untouched(&guest, &before, "real servers");
    let ignored = ["--redis-port", "6390", "--ignore-check", "mysql-version", "--ignore-check", "mysql-writable"];
    run(&guest, &[&flags[..], &ignored].concat(), &[]).expect(0);
}

fn serve(guest: &Guest, folder: &Path, words: &[&str], port: u16) {
    let log = fs::File::create(folder.join(format!("log-{port}"))).unwrap();
    common::serve(guest.enter(&["--net", "--pid"], words).stdout(log.try_clone().unwrap()).stderr(log));
    let probe = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
    until(|| match guest.enter(&["--net"], &["bash", "-c", &probe]).output().unwrap().status.success() {
        true => Ok(()),
        false => Err(fs::read_to_string(folder.join(format!("log-{port}"))).unwrap_or_default()),
    });
}

#[test]
fn host_and_proxy_are_checked_before_anything_is_written() {
    let guest = guest();
    let before = picture(&guest);
    let ((closed, heads), (open, _)) = (proxy(&guest, REJECTS), proxy(&guest, OPENS));
    let url = |double: &Double| format!("http://127.0.0.1:{}", double.port);
    // For containers the proxy of this test is themselves.
    let passed = ["--ignore-check", "proxy-prod-env"];
    let login = ["--proxy-user", "svc", "--proxy-password-file", "/run/password", passed[0], passed[1]];
    // What this machine lacks is not the matter here.
    let failing = |json: &Value| -> Vec<String> {
        let host = ["cpu-cores", "memory", "disk", "port-in-use", "clock-skew"];
        with_status(json, "fail").into_iter().filter(|id| !host.iter().any(|own| id.starts_with(own))).collect()
    };
    for verb in ["prepare", "reconfigure"] {
        for dry in [&[][..], &["--dry-run"]] {
            let url = url(&closed);
            let flags = [&[verb, "--check-first", "--proxy", &url][..], &login, dry].concat();
            let json = run(&guest, &flags, &["--format", "json"]).expect(4).json();
            assert_eq!(failing(&json), ["proxy-credentials"], "{verb}: {json:#}");
            assert_eq!((&json["outcome"], &json["error"]["id"]), (&"failed".into(), &"checks-failed".into()));
            assert!(
                json["findings"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|finding| finding["id"] == "os-supported" || finding["id"] == "cpu-cores")
            );
            is_untouched(&guest, &before, verb);
        }
        let url = url(&closed);
        let told = run(&guest, &[&[verb, "--check-first", "--proxy", &url][..], &login].concat(), &[]).expect(4);
        assert!(told.err.starts_with("FAIL ") && told.err.contains("rejects the login of svc"), "{told}");
        assert!(told.err.trim_end().ends_with("\n\nNothing was changed."), "{told}");
    }
    // One attempt at a login in each of the six runs.
    let asked = heads.lock().unwrap().iter().filter(|head| head.contains("Proxy-Authorization")).count();
    assert_eq!(asked, 6);
    // What prepare is about to converge does not count: with this machine's own faults let through it goes on.
    let url = url(&open);
    let flags = ["prepare", "--check-first", "--proxy", &url];
    let json = run(&guest, &flags, &["--dry-run", "--format", "json"]).json();
    assert_eq!(failing(&json), [""; 0], "{json:#}");
    let ignored: Vec<String> =
        with_status(&json, "fail").into_iter().flat_map(|id| ["--ignore-check".to_owned(), id]).collect();
    let ignored: Vec<&str> = ignored.iter().map(String::as_str).collect();
    // By a variable, as cloud-init would, without a terminal.
    let mut command =
        guest.command(&[&["ics-setup", "prepare", "--proxy", &url, "--format", "json"][..], &ignored].concat());
    let ran = Ran::of("prepare", command.env("ICS_SETUP_CHECK_FIRST", "true").output().unwrap()).expect(0);
    assert_eq!(ran.json()["outcome"], "changed");
    assert!(with_status(&ran.json(), "pass").contains(&"proxy-connect-method".to_owned()), "{ran}");
}

#[test]
fn the_proxy_is_asked_once_when_all_is_written_and_nothing_is_taken_back_for_it() {
    let guest = guest();
    let (closed, heads) = proxy(&guest, REJECTS);
    let url = format!("http://127.0.0.1:{}", closed.port);
    let flags = ["prepare", "--proxy", &url, "--proxy-user", "svc", "--proxy-password-file", "/run/password"];
    run(&guest, &[&flags[..], &["--dry-run"]].concat(), &[]).expect(0);
    assert_eq!(closed.came(), 0);
    let json = run(&guest, &flags, &["--format", "json"]).expect(0).json();
    assert_eq!(json["outcome"], "changed");
    assert!(with_status(&json, "warn").contains(&"proxy-credentials".to_owned()), "{json:#}");
    let count = |heads: &Mutex<Vec<String>>| heads.lock().unwrap().len();
    assert_eq!(count(&heads), 1, "{:?}", heads.lock().unwrap());
    assert!(heads.lock().unwrap()[0].starts_with("CONNECT "));
    assert!(String::from_utf8_lossy(&guest.read("/etc/environment")).contains(&closed.port));
    run(&guest, &["reconfigure", "--no-probe"], &[]).expect(0);
    run(&guest, &[&flags[..], &["--no-probe"]].concat(), &[]).expect(0);
    assert_eq!(count(&heads), 1);
    let json = run(&guest, &["reconfigure"], &["--format", "json"]).expect(0).json();
    assert_eq!((count(&heads), &json["outcome"]), (2, &"unchanged".into()));
    assert!(with_status(&json, "warn").contains(&"proxy-credentials".to_owned()), "{json:#}");
}
