//! A network of its own with its own names: addresses on loopback, dnsmasq, a bundle of trusted certificates that tests
//! rewrite, a black hole, and peers that do as they are told.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, LazyLock};
use std::thread::spawn;

use nix::sched::{CloneFlags, setns};
use serde_json::Value;
use tempfile::TempDir;

use super::keys::Authorities;
use super::seen::Seen;
use crate::common::{self, BOUNDED, Leash, PATIENCE, until};

pub const PASSWORD: &str = "p@ss:w0rd/%";
pub const ENCODED: &str = "p%40ss%3Aw0rd%2F%25";
pub const WRONG: &str = "wr0ng-S3cret";

/// Where the genuine origins are.
pub const ORIGIN: &str = "10.9.0.10";

/// Names that lead nowhere in particular, and where they do. All that the catalogue has beyond them is at [`ORIGIN`], all
/// that nobody has does not exist.
const NAMES: [(&str, &str); 14] = [
    ("proxy.lab", "10.9.0.1"),
    ("expired.lab", "10.9.0.11"),
    ("wrong.lab", "10.9.0.12"),
    ("self.lab", "10.9.0.13"),
    ("selfca.lab", "10.9.0.14"),
    ("page.lab", "10.9.0.15"),
    ("cut.lab", "10.9.0.16"),
    ("kept.lab", "10.9.0.16"),
    ("stale.lab", "10.9.0.17"),
    ("inspected.lab", "10.9.0.18"),
    ("old.lab", "10.9.0.19"),
    ("refused.lab", "10.9.0.20"),
    ("collector.lab", "10.9.0.30"),
    ("hole.lab", "192.0.2.7"),
];

/// What the static addresses of region us are, and what DNS says of one of its names.
pub const STATIC: [&str; 4] = ["34.226.68.35", "54.144.111.231", "52.203.25.223", "34.236.161.191"];
const AGREES: [&str; 4] = [
    "endpoint.ingress.rapid7.com",
    "us.storage.endpoint.ingress.rapid7.com",
    "us.bootstrap.endpoint.ingress.rapid7.com",
    "us.deployment.endpoint.ingress.rapid7.com",
];

/// Every host of the shipped catalogue, as the tool lists them.
pub static CATALOGUE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let list = ["network", "list", "--all", "--format", "json"];
    let output = Command::new(binary()).args(list).env_clear().output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let hosts = list["endpoints"].as_array().unwrap().iter().map(|row| row["host"].as_str().unwrap().to_owned());
    let mut hosts: Vec<String> = hosts.filter(|host| host.ends_with(char::is_alphabetic)).collect();
    hosts.sort();
    hosts.dedup();
    assert!(hosts.len() > 40, "{hosts:?}");
    hosts
});

/// Always the one that was built for the lab: only that one counts the lab's authorities as public.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_ics-setup"))
}

pub struct World {
    space: Leash,
    pub folder: TempDir,
    pub keys: Authorities,
}

impl World {
    pub fn new() -> Self {
        common::need_root();
        common::need(&["nginx", "dnsmasq", "squid", "mitmdump", "htpasswd", "ip", "base64"]);
        let folder = common::scratch_for_all("paths");
        fs::write(folder.path().join("hosts"), "127.0.0.1 localhost\n").unwrap();
        fs::write(folder.path().join("resolv.conf"), "nameserver 127.0.0.53\n").unwrap();
        for empty in ["environment", "bundle.crt"] {
            fs::write(folder.path().join(empty), "").unwrap();
        }
        let addresses: Vec<String> = NAMES
            .iter()
            .map(|(_, address)| *address)
            .chain([ORIGIN])
            .chain(STATIC)
            .filter(|address| !address.starts_with("192."))
            .map(|address| format!("ip addr replace {address}/32 dev lo"))
            .collect();
        // Behind `hole` is a neighbour that nobody is: what is sent there is lost without an answer.
        let script = format!(
            "ip link set lo up; {}
             ip link add hole type veth peer name end; ip addr add 10.8.0.1/24 dev hole; ip link set hole up; ip link set end up
             ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:01 dev hole; ip route add 192.0.2.0/24 via 10.8.0.2
             cd {}; mount --bind hosts /etc/hosts; mount --bind resolv.conf /etc/resolv.conf
             mount --bind environment /etc/environment; mount --bind bundle.crt /etc/ssl/certs/ca-certificates.crt
             mount -t tmpfs none /run; mount -t tmpfs none /dev/shm; mount -t tmpfs none /etc/profile.d; echo ready; exec sleep infinity",
            addresses.join("; "),
            folder.path().display()
        );
        let space = Leash::holding(&["--net"], &script, |_| ());
        let keys = Authorities::new(folder.path());
        let world = Self { space, folder, keys };
        world.trust(&["public"]);
        world.names();
        super::servers::nginx(&world);
        world
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.folder.path().join(name), text).unwrap();
        fs::set_permissions(self.folder.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
        self.path(name)
    }

    /// These authorities, and no others, are in the host's store.
    pub fn trust(&self, names: &[&str]) {
        let text: String = names.iter().map(|name| self.read(&format!("{name}.crt"))).collect();
        // The same file, for it is bound over the host's.
        self.write("bundle.crt", &text);
    }

    /// Who is asked for names from now on. dnsmasq is at 127.0.0.53.
    pub fn resolver(&self, address: &str) {
        self.write("resolv.conf", &format!("nameserver {address}\noptions attempts:1 timeout:30\n"));
    }

    /// A file for `--endpoints` with these product endpoints.
    pub fn endpoints(&self, name: &str, endpoints: &[(&str, u16)]) -> String {
        let entry = |(host, port): &(&str, u16)| {
            format!("[[endpoint]]\ncomponent = \"product\"\nhost = \"{host}\"\nport = {port}\npurpose = \"lab\"\n\n")
        };
        self.write(name, &endpoints.iter().map(entry).collect::<String>())
    }

    /// A command inside of the namespaces.
    pub fn inside(&self, argv: &[&str]) -> Command {
        let mut command = self.space.enter(&["--net", "--mount", "--pid"], argv);
        command.env("LAB_PUBLIC_ROOTS", self.path("public-roots.crt"));
        command
    }

    /// A server that is up when something listens at `place` (`ADDRESS/PORT`). It ends with the namespaces.
    pub fn serve(&self, name: &str, argv: &[&str], place: &str) {
        let log = fs::File::create(self.folder.path().join(format!("{name}.out"))).unwrap();
        let mut command = self.inside(argv);
        common::serve(command.env("HOME", self.folder.path()).stdout(log.try_clone().unwrap()).stderr(log));
        let probe = format!("exec 3<>/dev/tcp/{place}");
        until(|| match self.inside(&["bash", "-c", &probe]).stderr(Stdio::null()).status().unwrap().success() {
            true => Ok(()),
            false => Err(format!("{name} does not come up: {}", self.read(&format!("{name}.out")))),
        });
    }

    /// A peer of the test's own at this address: a thread that joins the network for its listener.
    pub fn peer(&self, address: &str, port: u16, talk: impl Fn(TcpStream) + Send + Sync + 'static) {
        let namespace = fs::File::open(format!("/proc/{}/ns/net", self.space.pid())).unwrap();
        let (address, (sender, up), talk) = (address.to_owned(), mpsc::channel(), Arc::new(talk));
        spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let listener = TcpListener::bind((address.as_str(), port)).unwrap();
            sender.send(()).unwrap();
            for stream in listener.incoming().flatten() {
                let (talk, namespace) = (talk.clone(), namespace.try_clone().unwrap());
                spawn(move || {
                    setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
                    talk(stream);
                });
            }
        });
        up.recv_timeout(PATIENCE).expect("the peer listens");
    }

    /// A proxy of the test's own: reads the head of one request and answers with these bytes, then closes.
    pub fn answers(&self, port: u16, answer: &'static str) {
        self.peer("10.9.0.1", port, move |mut stream| {
            if head(&mut stream).is_some() {
                let _ = stream.write_all(answer.as_bytes());
            }
        });
    }

    fn names(&self) {
        let mut conf = String::from(
            "no-resolv\nno-hosts\nlisten-address=127.0.0.53\nbind-interfaces\nuser=root\nno-negcache\naddress=/#/\n",
        );
        conf.push_str(&format!("pid-file={}\n", self.path("dnsmasq.pid")));
        for (name, address) in NAMES {
            conf.push_str(&format!("address=/{name}/{address}\n"));
        }
        for host in CATALOGUE.iter() {
            let at = if AGREES.contains(&host.as_str()) { STATIC[0] } else { ORIGIN };
            // host-record is for this name alone, where address= would take all names below it along.
            conf.push_str(&format!("host-record={host},{at}\n"));
        }
        for name in ["forbids.lab", "hello.lab"] {
            conf.push_str(&format!("host-record={name},{ORIGIN}\n"));
        }
        let conf = self.write("dnsmasq.conf", &conf);
        self.serve("dnsmasq", &["dnsmasq", "-k", "-C", &conf], "127.0.0.53/53");
    }

    /// `ics-setup check …`: human, JSON, the facts judged elsewhere; none may show a secret.
    pub fn check(&self, arguments: &[&str]) -> Seen {
        let facts = self.path("facts");
        let (_, stdout, stderr) = self.run(&["check", "-v", "--format", "json", "--save-facts", &facts], arguments);
        let json: Value =
            serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stdout}{stderr}"));
        // Judged without this network, this store, these variables.
        let elsewhere = Command::new(binary())
            .args(["check", "-v", "--format", "json", "--from", &facts])
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let again: Value = serde_json::from_slice(&elsewhere.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&elsewhere.stderr)));
        // Whoever reads facts elsewhere is not taken for root.
        let sudo = regex::Regex::new(r"sudo sh -c '([^']*)'|sudo ").unwrap();
        let bare = |json: &Value| sudo.replace_all(&json["findings"].to_string(), "$1").into_owned();
        assert_eq!(bare(&json), bare(&again), "facts tell something else elsewhere: {arguments:?}");
        let human = Command::new(binary()).args(["check", "-v", "--from", &facts]).env_clear().output().unwrap();
        let human = String::from_utf8(human.stdout).unwrap();
        super::seen::is_clean(&format!("{stdout}{stderr}{human}{}", self.read("facts")));
        Seen { json, human }
    }

    /// The same for people, straight from the network.
    pub fn human(&self, arguments: &[&str]) -> String {
        let (_, stdout, stderr) = self.run(&["check", "-v"], arguments);
        super::seen::is_clean(&format!("{stdout}{stderr}"));
        stdout
    }

    fn run(&self, first: &[&str], arguments: &[&str]) -> (Option<i32>, String, String) {
        let binary = binary().display().to_string();
        // Whoever answers has all the time that it needs; where nobody does, the test says how long is enough.
        let mut limits = vec!["--connect-timeout", "60s", "--timeout", "120s", "--deadline", "240s"];
        for given in limits.clone().chunks(2).filter(|limit| arguments.contains(&limit[0])) {
            limits.retain(|word| !given.contains(word));
        }
        let argv = [&BOUNDED[..], &[&binary], first, arguments, &limits].concat();
        let Output { status, stdout, stderr } = self.inside(&argv).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

/// The head of a request; `None`: it never came, or a TLS greeting in its place.
pub fn head(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut bytes = Vec::new();
    let mut byte = [0_u8; 1];
    while !bytes.ends_with(b"\r\n\r\n") && bytes.len() < 8192 {
        if stream.read(&mut byte).ok()? == 0 || (bytes.is_empty() && byte == [0x16]) {
            return None;
        }
        bytes.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
