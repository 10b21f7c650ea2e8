//! `check runtime` against the real thing: a Docker daemon (20.10 of Debian), a project that Compose v2 has created from
//! `/divvycloud/docker-compose.yml`, a Redis server with queues, and a web server on port 8001; all in a guest with a
//! network of its own. The images hold a shell and `sleep`, not the product.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::common::{
    APART, Family, Guest, Leash, debian_root, lab, need, need_root, report, scratch, skip, until, write,
};
use serde_json::Value;
use tempfile::TempDir;

const PROD_ENV: &str = "# made for the lab\nhttp_proxy=http://svc:S3cret-Proxy@proxy.corp.example:3128\nno_proxy=mysql,redis\n\
    DIVVY_DB_HOST=db.corp.example\nDIVVY_DB_PASSWORD=S3cret-Db\nDIVVY_REDIS_HOST=127.0.0.1\nDIVVY_REDIS_PASSWORD=S3cret-Redis\n\
    VIRTUAL_ENV=/from-file\n";

const SECRETS: [&str; 5] = ["S3cret", "c3JlZ", "UzNjcmV0", "S3cr%65t", "0ld-Pw"];

fn compose(scheduler: &str, tag: &str) -> String {
    let service = |name: &str, command: &str, more: &str| {
        format!(
            "  {name}:\n    image: divvycloud/divvycloud:{tag}\n    command: [\"/bin/sh\", \"-c\", \"{command}\"]\n    \
             network_mode: none\n    env_file: prod.env\n    restart: always\n    stop_grace_period: 0s\n    environment:\n      \
             VIRTUAL_ENV: /\n{more}"
        )
    };
    let wait = "echo ready; exec sleep 1000";
    format!(
        "version: '2.2'\nservices:\n{}{}{}",
        service("interfaceserver", wait, ""),
        service("scheduler", scheduler, ""),
        service("worker", wait, "    scale: 2\n"),
    )
}

#[test]
fn the_product_in_containers() {
    let lab = Lab::new("docker-20.10");
    // Before anything runs: the daemon is away, and then nothing was started.
    let findings = lab.check(&[]);
    assert_one(&findings, "docker-reachable", "fail", "the Docker daemon does not run");
    let engine = lab.engine();
    let findings = lab.check(&[]);
    assert_one(&findings, "service-running", "fail", "no container of the product is there");
    assert_one(&findings, "interface-status", "fail", "nothing listens on port 8001");
    // A user without the group docker is told to use sudo, and not that something is broken.
    lab.guest.sh("chmod 755 /divvycloud; chmod 644 /divvycloud/*; chmod 660 /run/docker.sock");
    let ran = lab.guest.run(&[
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "ics-setup",
        "check",
        "runtime",
        "--format",
        "json",
    ]);
    assert_one(&all(&ran.json()), "docker-reachable", "error", "this user may not talk to Docker");

    // All is well, once everything is up.
    lab.up(&compose("echo ready; exec sleep 1000", "v22.3.9"));
    lab.inside(&["python3", "-c", WEB]);
    lab.inside(&[
        "redis-server",
        "--port",
        "6379",
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--requirepass",
        "S3cret-Redis",
    ]);
    lab.redis(&["PING"]);
    // Also until they have said something: before that there is no log to be judged.
    let logs =
        |findings: &[Value]| findings.iter().any(|one| one["id"] == "log-known-trouble" && one["status"] == "pass");
    let findings = lab.until(&["--release", "22.3.9"], |findings| count(findings, "fail") == 0 && logs(findings));
    for (id, title) in [
        ("product-installed", "the product is installed in /divvycloud"),
        ("docker-reachable", "Docker answers"),
        ("service-running", "worker runs in 2 containers"),
        ("image-version", "all services run v22.3.9"),
        ("container-environment", "scheduler sees what prod.env says"),
        ("interface-status", "the web interface answers"),
        ("log-known-trouble", "the logs tell of no known trouble"),
    ] {
        assert_one(&findings, id, "pass", title);
    }
    assert_one(
        &findings,
        "queue-waiting",
        "skip",
        "no list that is the product's by name is in Redis at 127.0.0.1:6379",
    );
    assert_eq!(count(&findings, "warn") + count(&findings, "error"), 0, "{findings:#?}");

    // prod.env is edited: the containers keep what they had until the printed command has been run.
    lab.guest.write("divvycloud/prod.env", PROD_ENV.replace("db.corp", "db2.corp").replace("S3cret-Db", "S3cret-Db2"));
    let findings = lab.check(&[]);
    assert_eq!(
        findings.iter().filter(|one| one["id"] == "container-environment" && one["status"] == "fail").count(),
        3
    );
    let title = "scheduler does not see what prod.env says: DIVVY_DB_HOST, DIVVY_DB_PASSWORD";
    let drift = assert_one(&findings, "container-environment", "fail", title);
    let observed = drift["observed"].as_str().unwrap();
    assert!(
        observed.contains("DIVVY_DB_HOST: db.corp.example in the container, db2.corp.example in prod.env"),
        "{observed}"
    );
    assert!(drift["cause"].as_str().unwrap().contains("before prod.env was last changed"), "{drift}");
    let fix = drift["fix"][0].as_str().unwrap();
    assert_eq!(fix, "docker compose -f /divvycloud/docker-compose.yml up -d --force-recreate");
    lab.guest.sh(fix);
    let findings = lab.check(&[]);
    assert!(
        findings.iter().filter(|one| one["id"] == "container-environment").all(|one| one["status"] == "pass"),
        "{findings:#?}"
    );

    // A service that gives up again and again, with a line in its log that names the cause.
    lab.up(&compose(
        "echo S3cret-Log Unable to connect to database >&2; echo 'Tunnel connection failed: 407 for http://u:S3cret-Log@h'; sleep 0.2; exit 3",
        "v22.3.9",
    ));
    let findings = lab.until(&[], |findings| findings.iter().any(|one| one["id"] == "service-restarting"));
    let looping = assert_one(&findings, "service-restarting", "fail", "scheduler restarts again and again");
    assert!(
        looping["advice"][0].as_str().unwrap().starts_with("look why: docker logs --tail 50 divvycloud-scheduler-1"),
        "{looping}"
    );
    let said =
        assert_one(&findings, "log-known-trouble", "fail", "the log of scheduler says: the database cannot be reached");
    assert!(said["evidence"]["lines"].as_u64().unwrap() > 0 && said["evidence"]["last"].is_string(), "{said}");
    assert_one(&findings, "log-known-trouble", "fail", "the log of scheduler says: the proxy wants other credentials");
    assert_one(&findings, "service-running", "pass", "interfaceserver (web interface) runs");

    // One that has ended for good, one worker too few, another version, an unhealthy one.
    lab.docker("tag divvycloud/divvycloud:v22.3.9 divvycloud/divvycloud:v21.1");
    lab.up(&compose("exec sleep 1000", "v22.3.9")
        .replacen("v22.3.9", "v21.1", 1)
        .replacen("restart: always", "restart: 'no'", 1)
        .replacen("echo ready; exec sleep 1000", "exit 3", 1));
    lab.docker("rm -f divvycloud-worker-2");
    lab.docker(
        "run -d --network none --name sick --label com.docker.compose.project.working_dir=/divvycloud --label \
         com.docker.compose.service=redis --health-cmd false --health-interval 1s --health-retries 1 divvycloud/divvycloud:v22.3.9 /bin/sleep 1000",
    );
    let both = ["service-unhealthy", "service-exited"];
    let findings = lab.until(&[], |findings| both.iter().all(|id| findings.iter().any(|one| one["id"] == *id)));
    let ended = assert_one(&findings, "service-exited", "fail", "interfaceserver (web interface) ended with code 3");
    assert_eq!(ended["evidence"]["exit_code"], 3);
    assert_one(&findings, "service-running", "warn", "worker runs in 1 container instead of 2");
    assert_one(&findings, "service-unhealthy", "fail", "redis (Redis) is unhealthy");
    assert_one(&findings, "image-version", "warn", "services run different versions: v21.1, v22.3.9");
    if std::env::var_os("ICS_SETUP_LAB_SHOW").is_some() {
        report(&String::from_utf8_lossy(&lab.guest.run(&["ics-setup", "check", "runtime"]).out));
    }
    // Out of memory, as the kernel does it. Whether Docker learns the reason is a matter of kernel and luck.
    lab.docker(
        "run -d --network none --name eater -m 16m --label com.docker.compose.project.working_dir=/divvycloud --label \
         com.docker.compose.service=eater divvycloud/divvycloud:v22.3.9 /bin/sh -c 'x=aaaaaaaa; while :; do x=$x$x; done'",
    );
    let of_eater = |one: &&Value| one["evidence"]["service"] == "eater" && one["id"] == "service-exited";
    let findings = lab.until(&[], |findings| findings.iter().any(|one| of_eater(&one)));
    let eater = findings.iter().find(of_eater).unwrap();
    assert!(eater["advice"].as_array().unwrap().iter().any(|fix| fix.as_str().unwrap().contains("free -m")), "{eater}");
    let title = if eater["evidence"]["oom_killed"] == true {
        "eater was killed for want of memory"
    } else {
        let cgroups = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { "cgroup v2" } else { "cgroup v1" };
        skip("runtime", "out-of-memory mark", &format!("Docker did not set OOMKilled ({cgroups})"));
        assert_eq!(eater["evidence"]["memory_limit"], 16 << 20, "{eater}");
        "eater was killed, most likely for want of memory"
    };
    assert_one(&findings, "service-exited", "fail", title);
    assert_eq!(eater["evidence"]["exit_code"], 137, "{eater}");
    lab.docker("rm -f sick eater");

    // Lists that are the product's by name, and none of others.
    lab.redis(&["EVAL", "for i = 1, 150 do redis.call('RPUSH', 'p0', i) end", "0"]);
    lab.redis(&["RPUSH", "divvy:jobs", "job"]);
    lab.redis(&["RPUSH", "jobs:p1", "job"]);
    lab.redis(&["XADD", "divvy:p2", "*", "k", "v"]);
    lab.redis(&["SET", "p3", "no queue"]);
    lab.redis(&["EVAL", "for i = 1, 20000 do redis.call('SET', 'cache:p' .. i, 'x') end", "0"]);
    let findings = lab.check(&["--only", "queue-waiting"]);
    assert_eq!(findings.len(), 2, "{findings:#?}");
    let p0 = assert_one(
        &findings,
        "queue-waiting",
        "pass",
        "queue p0 (High; CloudWatch and Stackdriver: Immediate) has 150 elements",
    );
    assert_eq!(p0["evidence"]["waiting"], 150);
    assert_one(&findings, "queue-waiting", "pass", "the list divvy:jobs has 1 element");
    lab.guest.write("divvycloud/prod.env", PROD_ENV.replace("S3cret-Redis", "S3cret-Wrong"));
    let findings = lab.check(&["--only", "queue-waiting"]);
    assert!(findings[0]["observed"].as_str().unwrap().contains("WRONGPASS"), "{findings:#?}");

    // The same through TLS: only with a certificate that is trusted the password is sent.
    lab.guest.write("divvycloud/prod.env", PROD_ENV);
    let folder = lab.folder.path().display();
    sh(&format!(
        "cd {folder}; request='openssl req -x509 -newkey rsa:2048 -nodes -days 2'
         $request -keyout ca.key -out ca.pem -subj /CN=lab 2>/dev/null
         $request -CA ca.pem -CAkey ca.key -keyout key.pem -out cert.pem -subj /CN=redis.lab \
           -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE 2>/dev/null"
    ));
    fs::copy(lab.folder.path().join("ca.pem"), lab.guest.path("tmp/ca.pem")).unwrap();
    let mut words = vec!["redis-server", "--port", "0", "--tls-port", "6380", "--bind", "127.0.0.1", "--save", ""];
    words.extend(["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-auth-clients", "no"]);
    words.extend(["--requirepass", "S3cret-Redis"]);
    lab.inside(&words);
    let tls = ["--redis-tls", "--redis-port", "6380", "--only", "queue-waiting"];
    let none = "no list that is the product's by name is in Redis at 127.0.0.1:6380";
    let trusting = [&tls[..], &["--proxy-ca", "/tmp/ca.pem"]].concat();
    lab.until(&trusting, |findings| findings[0]["title"] == none);
    let findings = lab.check(&tls);
    assert!(findings[0]["observed"].as_str().unwrap().contains("certificate is not trusted"), "{findings:#?}");

    // What two releases of docker-compose before 2 make of quotes in prod.env, and that their containers are recognised.
    lab.guest.write("divvycloud/prod.env", "A=\"x\"\nB=y\n");
    for (release, seen) in [("1.25.5", "A=\"x\""), ("1.29.2", "A=x")] {
        lab.guest.sh("docker ps -qa | xargs docker rm -f");
        lab.up_with_v1(release);
        let findings = lab.check(&["--only", "container-environment", "--only", "service-running"]);
        assert_one(&findings, "container-environment", "pass", "worker sees what prod.env says");
        let environment = lab.guest.sh("docker inspect --format '{{json .Config.Env}}' divvycloud_worker_1");
        let environment: Vec<String> = serde_json::from_str(&environment).unwrap();
        assert!(environment.iter().any(|entry| entry == seen), "{release}: {environment:?}");
    }
    lab.up(&compose("exec sleep 1000", "v22.3.9").replacen("restart: always", "restart: 'no'", 1).replacen(
        "echo ready; exec sleep 1000",
        "exit 3",
        1,
    ));

    // A client of another generation on the same daemon.
    lab.client("docker-26.1");
    let newer = lab.check(&["--only", "service-exited"]);
    assert_one(&newer, "service-exited", "fail", "interfaceserver (web interface) ended with code 3");
    drop(engine);
    lab.guest.sh("rm -f /usr/bin/docker");
    assert_one(&lab.check(&[]), "docker-reachable", "fail", "there is no docker command on this host");
}

/// Answers every request with 200 and an empty object.
pub(crate) const WEB: &str = "
import http.server
class Status(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/Status' else 404)
        self.send_header('Content-Type', 'application/json')
        self.end_headers()
        self.wfile.write(b'{}')
http.server.HTTPServer(('127.0.0.1', 8001), Status).serve_forever()
";

/// The findings' one with this id, status and title.
#[track_caller]
fn assert_one<'a>(findings: &'a [Value], id: &str, status: &str, title: &str) -> &'a Value {
    let same = |one: &&Value| one["id"] == id && one["status"] == status && one["title"] == title;
    findings.iter().find(same).unwrap_or_else(|| panic!("no {status} {id} {title:?} in {findings:#?}"))
}

fn count(findings: &[Value], status: &str) -> usize {
    findings.iter().filter(|one| one["status"] == status).count()
}

fn all(json: &Value) -> Vec<Value> {
    json["findings"].as_array().unwrap().clone()
}

pub(crate) struct Lab {
    pub(crate) guest: Guest,
    folder: TempDir,
}

impl Lab {
    pub(crate) fn new(client: &str) -> Self {
        need_root();
        need(&["dockerd", "redis-server", "redis-cli", "openssl", "python3", "tar"]);
        let guest = Guest::prepared(Family::Ubuntu, |upper| {
            write(upper, "divvycloud/prod.env", PROD_ENV);
            write(upper, "divvycloud/docker-compose.yml", compose("exec sleep 1000", "v22.3.9"));
            fs::create_dir_all(upper.join("usr/bin")).unwrap();
            let plugins = upper.join("usr/libexec/docker/cli-plugins");
            fs::create_dir_all(&plugins).unwrap();
            let plugin = readers().join("compose-v2/usr/libexec/docker/cli-plugins/docker-compose");
            fs::copy(plugin, plugins.join("docker-compose")).unwrap();
        });
        let lab = Self { guest, folder: scratch("runtime") };
        lab.client(client);
        lab
    }

    /// Puts this docker client into the guest.
    fn client(&self, release: &str) {
        fs::copy(readers().join(release).join("usr/bin/docker"), self.guest.path("usr/bin/docker")).unwrap();
    }

    /// `check runtime`: every finding, none of which may hold a secret, and neither may the facts or the text for people.
    fn check(&self, more: &[&str]) -> Vec<Value> {
        let limits = ["--connect-timeout", "60s", "--timeout", "120s", "--deadline", "240s"];
        let words = ["ics-setup", "check", "runtime", "--format", "json", "--save-facts", "/tmp/facts"];
        let ran = self.guest.run(&[&words[..], &limits, more].concat());
        assert!(matches!(ran.code, Some(0 | 4)), "{ran}");
        let again = self.guest.run(&["ics-setup", "check", "--from", "/tmp/facts", "--verbose"]);
        let facts = self.guest.read("/tmp/facts");
        for text in [&ran.out, &again.out, &facts] {
            let text = String::from_utf8_lossy(text);
            for secret in SECRETS {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        all(&ran.json())
    }

    /// Checks again until it is so.
    #[track_caller]
    fn until(&self, more: &[&str], so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        until(|| {
            let findings = self.check(more);
            if so(&findings) { Ok(findings) } else { Err(format!("{findings:#?}")) }
        })
    }

    /// Starts the project as the product is started.
    pub(crate) fn up(&self, compose: &str) {
        self.guest.write("divvycloud/docker-compose.yml", compose);
        self.guest.sh("docker compose -f /divvycloud/docker-compose.yml up -d");
    }

    /// Starts one worker with a docker-compose of Python, which runs on this machine and is told where the folder is.
    fn up_with_v1(&self, release: &str) {
        let (readers, file) = (readers(), self.folder.path().join("v1.yml"));
        let project = serde_json::json!({"version": "2.2", "services": {"worker": {
            "image": "divvycloud/divvycloud:v22.3.9", "command": ["/bin/sleep", "1000"], "network_mode": "none",
            "env_file": self.guest.path("divvycloud/prod.env"), "stop_grace_period": "0s",
        }}});
        fs::write(&file, project.to_string()).unwrap();
        let mut command = Command::new(readers.join("python/bin/python"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("PYTHONUTF8", "1");
        command.env("DOCKER_HOST", format!("unix://{}", self.guest.path("run/docker.sock").display()));
        command.env("PYTHONPATH", format!("{r}/compose-{release}:{r}/dotenv-0.21.0", r = readers.display()));
        command.args(["-c", "from compose.cli.main import main; main()", "--project-directory", "/divvycloud", "-f"]);
        let output = command.arg(file).args(["up", "-d"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn docker(&self, arguments: &str) {
        self.guest.sh(&format!("docker {arguments}"));
    }

    /// Starts a program of this machine in the guest's network. It ends with the guest.
    pub(crate) fn inside(&self, words: &[&str]) {
        let mut command = self.guest.enter(&["--net", "--pid"], words);
        crate::common::serve(command.current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null()));
    }

    /// One command of Redis that must succeed; the server may take a moment to come up.
    #[track_caller]
    fn redis(&self, words: &[&str]) {
        let client = ["redis-cli", "-e", "--no-auth-warning", "-a", "S3cret-Redis"];
        until(|| {
            let output = self.guest.enter(&["--net"], &[&client, words].concat()).output().unwrap();
            if output.status.success() { Ok(()) } else { Err(format!("{output:?}")) }
        });
    }

    /// A Docker engine whose socket is the guest's `/run/docker.sock`, with an image of a shell and `sleep`.
    pub(crate) fn engine(&self) -> Leash {
        let (folder, began) = (self.folder.path(), Instant::now());
        let words = crate::common::engine(folder, &self.guest.host().join("run/docker.sock"));
        let mut command = self.guest.enter(&["--mount"], &[]);
        let leashed = crate::common::leashed(&[], APART[0]);
        command.arg(leashed.get_program()).args(leashed.get_args()).args(&APART[1..]).args(words);
        let engine = Leash::start(command.stdout(Stdio::null()).stderr(fs::File::create(folder.join("log")).unwrap()));
        until(|| match self.guest.run(&["docker", "version"]).code {
            Some(0) => Ok(()),
            _ => Err(fs::read_to_string(folder.join("log")).unwrap()),
        });
        let root = debian_root();
        for (from, to) in [
            ("usr/bin/dash", "bin/sh"),
            ("usr/bin/sleep", "bin/sleep"),
            ("usr/bin/false", "bin/false"),
            ("lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2"),
            ("lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libc.so.6"),
        ] {
            let to = self.guest.path("tmp/image").join(to);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(root.join(from), to).unwrap();
        }
        self.guest.sh("tar -C /tmp/image -c . | docker import - divvycloud/divvycloud:v22.3.9");
        report(&format!("runtime: a Docker engine after {} ms", began.elapsed().as_millis()));
        engine
    }
}

/// A script on this machine that must succeed.
#[track_caller]
fn sh(script: &str) {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
}

fn readers() -> PathBuf {
    let readers = lab().join("readers");
    assert!(
        readers.join("stamp").exists(),
        "no readers at {}: run scripts/lab/readers as root (scripts/test does)",
        readers.display()
    );
    readers
}
