//! `trace` on hosts whose programs go around the proxy, and on such where none does: real clients with and without an environment,
//! a packet filter that drops, containers of an engine of the test's own, proxies beyond the host, on it and in a container.
//!
//! A host sees the namespaces of its own processes alone, so that nothing else on this machine is told of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{Booted, Engine, Leash, Site, lab, need, report, scratch, serve, skip, until};

const PRODUCT: &str = "public.ecr.aws/divvycloud/divvycloud:v22.3.9";

/// By a name with two addresses, neither of them private.
const PROXY: &str = "http://proxy.corp.example:3128";

/// Beyond the proxy, who answers and who does not.
const OPEN: &str = "203.0.113.8";
const DROPPED: &str = "203.0.113.9";

const HOSTS: &str = "127.0.0.1 localhost\n203.0.113.7 proxy.corp.example\n198.51.100.7 proxy.corp.example\n\
                     203.0.113.8 open.example\n203.0.113.9 divvycentral.divvycloud.com\n203.0.113.8 wiki.corp.example\n";

/// A proxy at 3128 that answers every request itself and holds every tunnel, and a server at 443 that holds what comes.
const BEYOND: &str = r#"
import resource, socket, socketserver, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
class Proxy(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b""): pass
        if line.startswith(b"CONNECT"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self.rfile.read()
        elif line:
            self.wfile.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 1024
server = socket.create_server(("0.0.0.0", 443), backlog=4096)
held = []
def hold():
    while True: held.append(server.accept())
threading.Thread(target=hold).start()
Server(("0.0.0.0", 3128), Proxy).serve_forever()
"#;

/// Holds a connection; how it is called is the client's own business.
const HOLDS: &str =
    "import socket, sys, time\ns = socket.create_connection((sys.argv[1], int(sys.argv[2])))\ntime.sleep(900)";

/// A proxy of its own: whoever comes is led to the server beyond.
const LEADS: &str = "import socket\ns = socket.create_server(('0.0.0.0', 8888))\nheld = []\n\
                     while True: held.append((s.accept(), socket.create_connection(('203.0.113.8', 443))))";

/// A host with what is beyond it, in a network of its own.
struct World {
    site: Site,
    beyond: Leash,
}

impl World {
    fn new(engine: Engine) -> Self {
        need(&["ip", "iptables", "nsenter"]);
        let site = Site::new(engine);
        let beyond = Leash::holding(&["--net"], "ip link set lo up; echo ready; exec sleep infinity", |_| ());
        let script = r#"ip link add beyond0 type veth peer name host0 netns "$1"
            ip addr add 10.77.0.1/24 dev beyond0; ip link set beyond0 up
            ip route add 203.0.113.0/24 via 10.77.0.2; ip route add 198.51.100.0/24 via 10.77.0.2
            iptables -I OUTPUT -d 203.0.113.9 -j DROP; iptables -I FORWARD -d 203.0.113.9 -j DROP"#;
        let mut cable = Command::new("nsenter");
        cable.args(["--target", site.pid(), "--net", "sh", "-ec", script, "sh", &beyond.pid()]);
        let output = cable.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let addresses =
            "for own in 10.77.0.2/24 203.0.113.7/32 203.0.113.8/32 198.51.100.7/32; do ip addr add $own dev host0; done
            ip link set host0 up; ip route add 172.16.0.0/12 via 10.77.0.1";
        let output = beyond.enter(&["--net"], &["sh", "-ec", addresses]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serve(beyond.enter(&["--net", "--pid"], &["python3", "-c", BEYOND]).stdout(Stdio::null()));
        site.write("etc/hosts", HOSTS);
        let world = Self { site, beyond };
        for port in ["443", "3128"] {
            let knock = format!(": </dev/tcp/{OPEN}/{port}");
            until(|| match world.site.run(&["bash", "-c", &knock]).code {
                Some(0) => Ok(()),
                code => Err(format!("{port}: {code:?}")),
            });
        }
        world
    }

    /// A program that goes on, with an environment of nothing but PATH and this.
    fn starts(&self, environment: &[&str], words: &[&str]) -> String {
        self.site.serve(&[&["env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin"], environment, words].concat())
    }

    /// Until this process of the host has a connection, or tries one, to this address.
    fn has(&self, address: &str) {
        let hex: String = address.split('.').rev().map(|part| format!("{:02X}", part.parse::<u8>().unwrap())).collect();
        until(|| match self.site.read("/proc/self/net/tcp") {
            table if table.contains(&format!(" {hex}:")) => Ok(()),
            table => Err(table),
        });
    }

    fn traced(&self, seconds: &str, code: i32, more: &[&str]) -> Value {
        let words = ["ics-setup", "trace", "--format", "json", "--for", seconds];
        self.site.run(&[&words[..], more].concat()).expect(code).json()
    }
}

/// The line of this program and destination.
#[track_caller]
fn line<'v>(result: &'v Value, program: &str, destination: &str) -> &'v Value {
    let all = result["bypasses"].as_array().unwrap();
    let found = all.iter().find(|own| own["program"] == program && own["destination"] == destination);
    found.unwrap_or_else(|| panic!("no {program} to {destination}: {result:#}"))
}

#[track_caller]
fn says(line: &Value, words: &[&str]) {
    let why = line["why"].as_str().unwrap();
    assert!(words.iter().all(|word| why.contains(word)), "{words:?}: {line:#}");
}

#[test]
fn each_client_is_named_with_its_reason() {
    let world = World::new(Engine::V20_10);
    let site = &world.site;
    let proxied = format!("https_proxy={PROXY}");
    let dropped = format!("{DROPPED}:443");
    let open = format!("{OPEN}:443");
    // Without an environment, into a filter that drops.
    world.starts(&[], &["curl", "-sm", "600", "https://divvycentral.divvycloud.com/"]);
    // With one that it passes over, and with a list of its own.
    world.starts(&[&proxied], &["python3", "-c", HOLDS, "open.example", "443"]);
    let listed = [&format!("http_proxy={PROXY}"), "no_proxy=.divvycloud.com"];
    world.starts(&listed, &["curl", "-sm", "600", "http://divvycentral.divvycloud.com/"]);
    // Another user's, of a program that others have started as well.
    world.starts(&[], &["setpriv", "--reuid=65534", "--clear-groups", "python3", "-c", HOLDS, DROPPED, "443"]);
    // Through the proxy, to a member of the list, to a private address, and to whoever came: none of them is told.
    world.starts(&[&proxied], &["curl", "-sm", "600", "https://divvycentral.divvycloud.com/"]);
    world.starts(&[], &["python3", "-c", HOLDS, "10.77.0.2", "443"]);
    let mut rust = None;
    let program = lab().join("clients/rust/requests");
    if program.exists() {
        fs::copy(program, site.path("usr/local/bin/requests")).unwrap();
        fs::set_permissions(site.path("usr/local/bin/requests"), fs::Permissions::from_mode(0o755)).unwrap();
        // It waits for five seconds at most.
        let asks = "while :; do requests reqwest http://divvycentral.divvycloud.com/; done";
        world.starts(&[&format!("http_proxy={PROXY}"), "WHO=proxied"], &["sh", "-c", asks]);
        world.starts(&[], &["sh", "-c", asks]);
        rust = Some(format!("{DROPPED}:80"));
    } else {
        skip("trace", "a Rust client", "scripts/lab/clients could not build it");
    }
    let go = go(&world);
    world.has(DROPPED);
    world.has(OPEN);
    world.has("203.0.113.7");
    let result = world.traced("8s", 4, &["--proxy", PROXY]);

    let seen = line(&result, "curl", &dropped);
    assert_eq!((&seen["state"], &seen["user"]), (&"unanswered".into(), &"root".into()), "{seen:#}");
    assert_eq!(seen["endpoint"], "divvycentral.divvycloud.com");
    assert!(seen["tries"].as_u64().unwrap() >= 1 && seen["pid"].as_u64().is_some(), "{seen:#}");
    assert!(seen["container"].is_null() && seen["service"].is_null());
    says(seen, &["it has no https_proxy"]);
    let seen = line(&result, "python3", &open);
    assert_eq!(seen["state"], "open");
    says(seen, &["it has https_proxy", PROXY, "otherwise"]);
    let seen = line(&result, "python3", &dropped);
    assert_eq!((&seen["state"], &seen["user"]), (&"unanswered".into(), &"nobody".into()), "{seen:#}");
    assert_eq!(seen["endpoint"], "divvycentral.divvycloud.com");
    says(seen, &["it has no https_proxy"]);
    says(line(&result, "curl", &format!("{DROPPED}:80")), &["its own no_proxy has the member .divvycloud.com"]);
    if let Some(destination) = rust {
        let seen = line(&result, "requests", &destination);
        says(seen, &["it has no http_proxy"]);
    }
    if go {
        says(line(&result, "go-client", &format!("{DROPPED}:80")), &["it has no http_proxy"]);
    }
    let curls = result["bypasses"].as_array().unwrap().iter().filter(|own| own["program"] == "curl").count();
    assert_eq!(curls, 2, "{result:#}");
    for own in result["bypasses"].as_array().unwrap() {
        let place = own["destination"].as_str().unwrap();
        assert!([&dropped, &open, &format!("{DROPPED}:80")].contains(&&place.to_owned()), "{own:#}");
        assert!(
            own["since"].as_str().unwrap().ends_with('Z')
                && (own["fix"][0].is_string() || own["advice"][0].is_string()),
            "{own:#}"
        );
    }
    // A list that names it has nothing to be told of it.
    let result = world.traced("2s", 4, &["--proxy", PROXY, "--no-proxy", "wiki.corp.example"]);
    assert!(result["bypasses"].as_array().unwrap().iter().all(|own| own["destination"] != open), "{result:#}");
    // People read the same.
    let ran = site.run(&["ics-setup", "trace", "--for", "2s", "--proxy", PROXY]).expect(4);
    let text = String::from_utf8_lossy(&ran.out).into_owned();
    for words in
        ["go around proxy.corp.example:3128", "because: it has no https_proxy", "no answer, tried", "Not seen: UDP"]
    {
        assert!(text.contains(words), "{words}\n{text}");
    }
    report(&format!("  trace, as people read it:\n{text}"));
    // Whoever ends it is told what was seen until then, and has no answer where that was nothing.
    for (proxy, list, code) in [(PROXY, "mysql", 4), (PROXY, "203.0.113.0/24", 130)] {
        let ends =
            ["timeout", "--preserve-status", "-s", "INT", "5", "ics-setup", "trace", "--for", "5m", "--format", "json"];
        let result = site.run(&[&ends[..], &["--proxy", proxy, "--no-proxy", list]].concat()).expect(code).json();
        assert!(result["summary"]["interrupted"] == true && result["seconds"].as_f64().unwrap() < 60.0, "{result:#}");
    }
    // Without a proxy there is nothing to go around.
    let ran = site.run(&["ics-setup", "trace", "--for", "1s"]).expect(3);
    assert!(ran.err.contains("no proxy is set") && ran.err.contains("trace --proxy"), "{ran}");
    drop(world.beyond);
}

/// A Go client asks again and again; is there one?
fn go(world: &World) -> bool {
    let compiler = lab().join("clients/go/go/bin/go");
    if !compiler.exists() {
        skip("trace", "a Go client", "scripts/lab/clients could not get the compiler");
        return false;
    }
    let (folder, program) = (scratch("go"), world.site.path("usr/local/bin/go-client"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/clients/main.go");
    let mut build = Command::new(compiler);
    build.args(["build", "-o", program.to_str().unwrap(), source]).env("GOCACHE", lab().join("clients/go-cache"));
    build.env("GOPATH", folder.path()).env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0").env("GO111MODULE", "off");
    assert!(build.status().unwrap().success(), "the Go client does not compile");
    let asks = "while :; do go-client http://divvycentral.divvycloud.com/; done";
    world.starts(&[&format!("http_proxy={PROXY}")], &["sh", "-c", asks]);
    world.starts(&[], &["sh", "-c", asks]);
    true
}

#[test]
fn what_was_started_before_its_file_was_edited_is_told_so() {
    let world = World::new(Engine::V20_10);
    let site = &world.site;
    let holds = format!("exec python3 -c '{HOLDS}' {OPEN} 443");
    site.serve(&["su", "-", "root", "-c", &holds]);
    world.has(OPEN);
    // Before anything is set, the proxy that the flag names is what nobody has.
    let result = world.traced("2s", 4, &["--proxy", PROXY]);
    let seen = line(&result, "python3", &format!("{OPEN}:443"));
    says(seen, &["it has no https_proxy", "gets no proxy"]);
    let fix = seen["fix"][0].as_str().unwrap();
    assert!(fix.starts_with("ics-setup prepare --proxy"), "{seen:#}");
    // The printed command works; a process keeps what it was started with.
    let ran = site.run(&["sh", "-c", &format!("{fix} --yes --no-restart --no-probe")]);
    assert_eq!(ran.code, Some(0), "{ran}");
    site.sh("touch -d '+1 minute' /etc/environment");
    let result = world.traced("2s", 4, &[]);
    let seen = line(&result, "python3", &format!("{OPEN}:443"));
    says(seen, &["it was started at ", "before /etc/environment was edited at "]);
    assert!(seen["advice"][0].as_str().unwrap().starts_with("log in again"), "{seen:#}");
}

#[test]
fn containers_are_told_with_their_service_and_what_mends_them() {
    let world = World::new(Engine::V20_10);
    let site = &world.site;
    site.load_images();
    site.write(
        "divvycloud/docker-compose.yml",
        format!(
            "version: '2.2'\nservices:\n  worker:\n    image: {PRODUCT}\n    command: [\"divvycloud\", \"worker\"]\n    \
             env_file: prod.env\n    restart: always\n"
        ),
    );
    // It has no databases, and does not look for them meanwhile.
    site.write("divvycloud/prod.env", "DIVVY_DB_HOST=mysql\nDIVVY_REDIS_HOST=redis\nLAB_START_DELAY=100000\n");
    site.sh("cd /divvycloud && docker-compose up -d 2>&1");
    let worker = site.inspect("worker", "{{.Id}}").concat();
    site.write("hold.py", HOLDS);
    let within = |container: &str| {
        site.sh(&format!(
            "docker cp /hold.py {container}:/hold.py && docker exec -d {container} python3 /hold.py {OPEN} 443"
        ));
    };
    within(&worker);
    site.sh(&format!("docker tag {PRODUCT} corp/other; docker run -d --name other --entrypoint sleep corp/other 900"));
    within("other");
    site.sh(&format!("docker exec -d other python3 /hold.py {DROPPED} 443"));
    let begun = |count: u64| {
        until(|| {
            let result = site.run(&["ics-setup", "trace", "--format", "json", "--for", "1s", "--proxy", PROXY]).json();
            match result["summary"]["bypasses"].as_u64() {
                Some(seen) if seen == count => Ok(result),
                _ => Err(format!("{result:#}")),
            }
        })
    };
    let result = begun(3);
    let all = result["bypasses"].as_array().unwrap();
    let of =
        |container: &str| all.iter().find(|own| own["container"] == container).unwrap_or_else(|| panic!("{result:#}"));
    let other = of("other");
    assert!(other["service"].is_null() && other["program"] == "python3", "{other:#}");
    says(other, &["it has no https_proxy", "the container other was created without one"]);
    let states: Vec<&Value> = all.iter().filter(|own| own["container"] == "other").map(|own| &own["state"]).collect();
    assert!(states.contains(&&Value::from("open")) && states.contains(&&Value::from("unanswered")), "{result:#}");
    let own = all.iter().find(|own| own["service"] == "worker").unwrap_or_else(|| panic!("{result:#}"));
    says(own, &["it has no https_proxy", "prod.env"]);
    assert!(own["fix"][0].as_str().unwrap().starts_with("ics-setup reconfigure --proxy"), "{own:#}");

    // With the proxy in prod.env, the container is older than its file.
    let text = site.read("/divvycloud/prod.env");
    let list = "no_proxy=mysql,redis,169.254.169.254,localhost,127.0.0.0,127.0.1.1,127.0.0.1";
    site.write("divvycloud/prod.env", format!("{text}http_proxy={PROXY}\nhttps_proxy={PROXY}\n{list}\n"));
    site.sh("touch -d '+1 minute' /divvycloud/prod.env");
    let result = world.traced("2s", 4, &[]);
    let all = result["bypasses"].as_array().unwrap();
    let own = all.iter().find(|own| own["service"] == "worker").unwrap_or_else(|| panic!("{result:#}"));
    says(own, &["its container was created at ", "before /divvycloud/prod.env was edited at "]);
    let fix = own["fix"][0].as_str().unwrap();
    assert_eq!(fix, "ics-setup reconfigure --restart", "{own:#}");
    // The printed command does it: the container is another one, with the proxy.
    let ran = site.run(&["sh", "-c", &format!("{fix} --yes --no-probe")]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let environment = site.inspect("worker", "{{.Config.Env}}").concat();
    assert!(environment.contains(&format!("https_proxy={PROXY}")), "{environment}");
    let result = world.traced("2s", 4, &[]);
    assert!(result["bypasses"].as_array().unwrap().iter().all(|own| own["service"].is_null()), "{result:#}");
}

/// The printed command does what it is printed for.
#[test]
fn a_service_is_told_with_the_file_that_gives_it_the_proxy() {
    need(&["ip"]);
    let host = Booted::new(Engine::V26_1);
    host.sh("ip addr add 10.77.0.1/24 dev lo; ip link set lo up
             ip link add far0 type veth peer name far1; ip link set far0 up; ip link set far1 up
             ip route add 203.0.113.0/24 dev far0; ip neigh add 203.0.113.9 lladdr 02:00:00:00:00:09 dev far0");
    host.write("hold.py", "import socket\nwhile True:\n  try: socket.create_connection(('203.0.113.9', 443), 600)\n  except OSError: pass\n");
    host.write("etc/systemd/system/caller@.service", "[Service]\nExecStart=/usr/bin/python3 /hold.py\n");
    host.sh("systemctl start caller@one.service");
    let traced = || {
        let words = ["ics-setup", "trace", "--format", "json", "--for", "3s", "--proxy", "http://10.77.0.9:3128"];
        until(|| {
            let result = host.run(&words).json();
            match result["bypasses"].as_array().is_some_and(|all| !all.is_empty()) {
                true => Ok(result),
                false => Err(format!("{result:#}")),
            }
        })
    };
    let result = traced();
    let seen = line(&result, "python3", "203.0.113.9:443");
    says(seen, &["it has no https_proxy", "caller@"]);
    let fix = seen["fix"][0].as_str().unwrap();
    assert!(fix.contains("systemctl restart caller@one.service"), "{seen:#}");
    host.sh(fix);
    let shown = host.sh("systemctl show -p Environment caller@one.service");
    for variable in ["http_proxy=http://10.77.0.9:3128", "https_proxy=http://10.77.0.9:3128", "no_proxy=mysql,"] {
        assert!(shown.contains(variable), "{shown}");
    }
    let result = traced();
    let seen = line(&result, "python3", "203.0.113.9:443");
    says(seen, &["it has https_proxy http://10.77.0.9:3128"]);
    // A file that was edited since, and that systemd has not read.
    host.sh("sed -i 's/10.77.0.9/10.77.0.8/g' /etc/systemd/system/caller@one.service.d/zz-ics-setup-proxy.conf
             touch -d '+1 minute' /etc/systemd/system/caller@one.service.d/zz-ics-setup-proxy.conf");
    let words = ["ics-setup", "trace", "--format", "json", "--for", "3s", "--proxy", "http://10.77.0.8:3128"];
    let result = host.run(&words).expect(4).json();
    let seen = line(&result, "python3", "203.0.113.9:443");
    says(
        seen,
        &[
            "is another proxy, http://10.77.0.9:3128",
            "before /etc/systemd/system/caller@one.service.d/zz-ics-setup-proxy.conf was edited at",
        ],
    );
    let fix = seen["fix"][0].as_str().unwrap();
    assert_eq!(fix, "systemctl daemon-reload && systemctl restart caller@one.service", "{seen:#}");
    host.sh(fix);
    until(|| {
        let result = host.run(&words).json();
        let all = result["bypasses"].as_array().unwrap();
        let has = |own: &Value| own["why"].as_str().unwrap().starts_with("it has https_proxy http://10.77.0.8:3128");
        if all.len() == 1 && has(&all[0]) { Ok(()) } else { Err(format!("{result:#}")) }
    });
}

#[test]
fn ten_thousand_requests_through_the_proxy_are_no_line() {
    let world = World::new(Engine::V20_10);
    let site = &world.site;
    const ASKS: &str = "
import concurrent.futures, urllib.request
def ask(number):
    with urllib.request.urlopen(f'http://files.example/{number}', timeout=60) as answer: return answer.status
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    print(sum(status == 204 for status in pool.map(ask, range(10000))))";
    site.write("ask.py", ASKS);
    let environment = format!("http_proxy={PROXY}");
    let asking = site.command(&["env", &environment, "sh", "-c", "python3 /ask.py; touch /asked"]);
    let asking = { asking }.stdout(Stdio::piped()).spawn().unwrap();
    let (mut looks, mut sockets) = (0, 0);
    while !site.path("asked").exists() {
        let result = world.traced("5s", 0, &["--proxy", PROXY]);
        looks += result["summary"]["looks"].as_u64().unwrap();
        sockets = sockets.max(result["summary"]["sockets"].as_u64().unwrap());
    }
    assert_eq!(String::from_utf8_lossy(&asking.wait_with_output().unwrap().stdout).trim(), "10000");
    assert!(looks > 0);
    report(&format!("  trace: 10,000 requests, {looks} looks, up to {sockets} sockets, no line"));

    // A proxy of this host calls out itself, and so does one in a container that is reached by a published port.
    site.load_images();
    site.write("lead.py", LEADS);
    let leads = |port: &str, place: &str| {
        until(|| {
            site.run(&["bash", "-c", &format!(": </dev/tcp/127.0.0.1/{port}")]);
            let result = site.run(&["ics-setup", "trace", "--format", "json", "--for", "1s", "--proxy", PROXY]).json();
            match result["summary"]["bypasses"].as_u64() {
                Some(1..) => Ok(()),
                _ => Err(format!("{result:#}")),
            }
        });
        world.traced("3s", 0, &["--proxy", place]);
    };
    let leader = site.serve(&["python3", "/lead.py"]);
    leads("8888", "http://127.0.0.1:8888");
    site.sh(&format!("kill {leader}"));
    site.sh(&format!(
        "docker run -d --name lead -p 8889:8888 -v /lead.py:/lead.py --entrypoint python3 {PRODUCT} /lead.py"
    ));
    leads("8889", "http://10.77.0.1:8889");
}

#[test]
fn five_thousand_sockets_take_less_than_a_twentieth_of_a_core() {
    let world = World::new(Engine::V20_10);
    let site = &world.site;
    const MANY: &str = "
import resource, socket, time
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
held = [socket.create_connection(('203.0.113.7', 443)) for _ in range(5000)]
open('/many', 'w').close()
time.sleep(900)";
    site.serve(&["python3", "-c", MANY]);
    until(|| if site.path("many").exists() { Ok(()) } else { Err("they are being made".to_owned()) });
    let result = world.traced("20s", 0, &["--proxy", PROXY]);
    let summary = &result["summary"];
    assert!(summary["sockets"].as_u64().unwrap() >= 5000, "{result:#}");
    let load = summary["load_percent"].as_f64().unwrap();
    report(&format!(
        "  trace: {} sockets, {} looks in {} s, {load} % of a core by its own count",
        summary["sockets"], summary["looks"], result["seconds"],
    ));
    assert!(load < 5.0 && summary["looks"].as_u64().unwrap() >= 2, "{result:#}");
    // As many that go around it, each of which is looked for among all processes.
    site.serve(&["python3", "-c", &MANY.replace("203.0.113.7", OPEN).replace("/many", "/around")]);
    until(|| if site.path("around").exists() { Ok(()) } else { Err("they are being made".to_owned()) });
    let result = world.traced("20s", 4, &["--proxy", PROXY]);
    let summary = &result["summary"];
    assert_eq!(line(&result, "python3", &format!("{OPEN}:443"))["tries"], 5000, "{result:#}");
    let load = summary["load_percent"].as_f64().unwrap();
    report(&format!(
        "  trace: 5,000 of {} sockets around the proxy, {} looks in {} s, {load} % of a core",
        summary["sockets"], summary["looks"], result["seconds"],
    ));
    assert!(load < 5.0, "{result:#}");
}
