//! What is beyond a host of the lab: a registry, an origin of files and a proxy; name server, MariaDB and Redis. All at
//! [`ADDRESS`], in a guest of its own.

use std::cell::Cell;
use std::fs;
use std::process::Command;

use super::{Guest, scratch, serve, site, until, write};

pub const ADDRESS: &str = "10.9.0.2";
/// Where the origin is for those who come without the proxy.
const ORIGIN: &str = "10.9.0.3";

/// The proxy with its login, as it is given to `--proxy`.
pub const PROXY: &str = "http://svc:S3cret%40Proxy@10.9.0.2:3128";
/// The same without.
pub const PROXY_BARE: &str = "http://10.9.0.2:3128";

/// A source of packages for Debian 12 that is laid out as Docker's own, where the proxy or [`Outside::direct`] leads to, and the
/// file with the key that has signed it.
pub const DOCKER_REPO: (&str, &str) = ("https://files.corp.example/docker", "/opt/lab/images/repository/key.asc");

/// Where a host is that is not the only one.
pub fn further(number: u8) -> String {
    format!("10.9.0.{}", 10 + number)
}

pub const MYSQL_ADMIN: (&str, &str) = ("admin", "S3cret-Admin");
pub const REDIS_PASSWORD: &str = "S3cret-Redis";

const REGISTRIES: &str = "public.ecr.aws registry-1.docker.io";
const ORIGINS: &str =
    "files.corp.example backoffice.divvycloud.com divvycentral.divvycloud.com get.divvycloud.com s3.amazonaws.com";

pub struct Outside {
    guest: Guest,
    registry: Cell<bool>,
    backends: Cell<bool>,
}

const SQUID: &str = "
http_port 10.9.0.2:3128
hosts_file /etc/hosts
dns_nameservers 10.9.0.2
auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/logins
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
pinger_enable off
shutdown_lifetime 0 seconds
access_log stdio:/var/log/squid/access.log
cache_log /var/log/squid/cache.log
";

const REGISTRY: &str = "
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /opt/lab/images/registry}, maintenance: {readonly: {enabled: true}}}
http: {addr: '10.9.0.2:443', tls: {certificate: /opt/lab/images/server.crt, key: /opt/lab/images/server.key}}
";

/// Files below /srv. With 1.1, since apt takes the end of a connection without TLS's own for an attack.
const FILES: &str = "
import functools, http.server, ssl
http.server.SimpleHTTPRequestHandler.protocol_version = 'HTTP/1.1'
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory='/srv')
server = http.server.ThreadingHTTPServer(('10.9.0.3', 443), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/opt/lab/images/server.crt', '/opt/lab/images/server.key')
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
";

/// A company's own name server: proxy, databases, and that no other name exists.
const NAMES: &str = r#"
import socket
known = {b"proxy", b"db", b"redis"}
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("10.9.0.2", 53))
while True:
    query, client = server.recvfrom(600)
    end = query.index(b"\0", 12) + 5
    name, kind = query[12:end - 4].lower(), query[end - 4:end - 2]
    own = name[1:1 + name[0]] if name[0] else b""
    question, address = query[12:end], b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("10.9.0.2")
    if own not in known or name[1 + name[0]:] != b"\4corp\7example\0":
        answer = b"\x81\x83\0\1\0\0\0\0\0\0" + question
    elif kind == b"\0\1":
        answer = b"\x81\x80\0\1\0\1\0\0\0\0" + question + address
    else:
        answer = b"\x81\x80\0\1\0\0\0\0\0\0" + question
    server.sendto(query[:2] + answer, client)
"#;

impl Outside {
    pub(super) fn new() -> Self {
        let root = site::Engine::V20_10.root();
        let prepare = |upper: &std::path::Path| {
            write(upper, "etc/hosts", format!("127.0.0.1 localhost\n{ADDRESS} {REGISTRIES}\n{ORIGIN} {ORIGINS}\n"));
            write(upper, "etc/squid/squid.conf", SQUID);
            write(upper, "etc/registry.yml", REGISTRY);
            fs::create_dir_all(upper.join("srv")).unwrap();
            std::os::unix::fs::symlink("/opt/lab/images/repository", upper.join("srv/docker")).unwrap();
            fs::create_dir_all(upper.join("opt/lab/images")).unwrap();
        };
        let more = r#"mkdir dev/shm; mount -t tmpfs tmpfs dev/shm
            mount --bind "$IMAGES" opt/lab/images; mount -o remount,bind,ro opt/lab/images"#;
        let images = site::provisioned().join("images");
        let guest = Guest::made(scratch("outside"), &root, None, prepare, |script| {
            script.env("MORE", more).env("IMAGES", images);
        });
        Self { guest, registry: Cell::new(false), backends: Cell::new(false) }
    }

    /// A cable to the host whose first process this is.
    pub(super) fn connect(&self, host: &str) {
        let script = r#"ip link add out0 type veth peer name in0 netns "$1"
            ip addr add 10.9.0.1/24 dev out0; ip link set out0 up"#;
        // The two processes are known by these numbers to this machine alone.
        let mut command = Command::new("nsenter");
        command.args(["--target", host, "--net", "sh", "-ec", script, "sh", self.guest.pid()]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        self.guest
            .sh(&format!("ip addr add {ADDRESS}/24 dev in0; ip addr add {ORIGIN}/24 dev in0; ip link set in0 up"));
    }

    /// The same for a further host, which is at [`further`].
    pub fn joins(&self, host: &site::Host, number: u8) {
        let script = r#"ip link add out0 type veth peer name "in$2" netns "$1"
            ip addr add "$3/24" dev out0; ip link set out0 up"#;
        let mut command = Command::new("nsenter");
        command.args(["--target", &host.pid, "--net", "sh", "-ec", script, "sh", self.guest.pid()]);
        let output = command.args([&number.to_string(), &further(number)]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        self.guest.sh(&format!(
            "ip link set in{number} up; ip route add {}/32 dev in{number} src {ADDRESS}",
            further(number)
        ));
    }

    fn serve(&self, name: &str, words: &[&str]) {
        let log = fs::File::create(self.guest.path(&format!("var/log/{name}.out"))).unwrap();
        serve(self.guest.command(words).stdout(log.try_clone().unwrap()).stderr(log));
    }

    #[track_caller]
    fn answers(&self, name: &str, address: &str, port: u16) {
        until(|| match self.guest.run(&["bash", "-c", &format!(": </dev/tcp/{address}/{port}")]).code {
            Some(0) => Ok(()),
            _ => Err(format!(
                "{name}: {}",
                self.guest.sh(&format!("cat /var/log/{name}.out /var/log/squid/cache.log || true"))
            )),
        });
    }

    #[track_caller]
    pub(super) fn registry(&self) {
        if self.registry.replace(true) {
            return;
        }
        self.guest.sh("echo \"svc:$(openssl passwd -apr1 'S3cret@Proxy')\" >/etc/squid/logins");
        self.serve("names", &["python3", "-c", NAMES]);
        self.serve("registry", &["docker-registry", "serve", "/etc/registry.yml"]);
        self.serve("files", &["python3", "-c", FILES]);
        self.serve("squid", &["squid", "-N", "-f", "/etc/squid/squid.conf"]);
        self.answers("registry", ADDRESS, 443);
        self.answers("files", ORIGIN, 443);
        self.answers("squid", ADDRESS, 3128);
    }

    /// Lets the host come to registry and origin without the proxy, too.
    pub fn direct(&self, host: &site::Host) {
        let text = host.read("/etc/hosts");
        host.write("etc/hosts", format!("{text}{ADDRESS} {REGISTRIES}\n{ORIGIN} {ORIGINS}\n"));
    }

    /// Does it get a connection to that port? What is dropped is waited for a while.
    pub fn reaches(&self, address: &str, port: u16) -> bool {
        self.guest.run(&["timeout", "10", "bash", "-c", &format!(": </dev/tcp/{address}/{port}")]).code == Some(0)
    }

    /// Whatever name of the internet is asked for, the proxy leads to somebody who has it, by a certificate of the lab's.
    pub fn answer_to_all(&self) {
        const ALL: &str = "10.9.0.4";
        let names = "v2.zopim.com divvycloud.zendesk.com o1.ingest.sentry.io sts.amazonaws.com icanhazip.com \
                     get.docker.com download.docker.com github.com objects.githubusercontent.com auth.docker.io \
                     release-assets.githubusercontent.com production.cloudflare.docker.com d5l0dvt14r5h8.cloudfront.net";
        self.guest.sh(&format!(
            "ip addr add {ALL}/24 dev in0; echo '{ALL} {names}' >>/etc/hosts; squid -k reconfigure -f /etc/squid/squid.conf
             sans=$(printf ',DNS:%s' {names} {ORIGINS})
             openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=lab -addext \"subjectAltName=${{sans#,}}\" \
                 -CA /opt/lab/images/ca.crt -CAkey /opt/lab/images/ca.key -keyout /srv/all.key -out /srv/all.crt 2>&1"
        ));
        let program = FILES.replace("/opt/lab/images/server", "/srv/all");
        self.serve("all", &["python3", "-c", &program.replace(ORIGIN, ALL)]);
        let plain =
            "import http.server as s; s.ThreadingHTTPServer(('', 80), s.SimpleHTTPRequestHandler).serve_forever()";
        self.serve("plain", &["python3", "-c", plain]);
        self.answers("all", ALL, 443);
        self.answers("plain", ALL, 80);
    }

    /// A file of the origin: https://files.corp.example/NAME.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        self.guest.write(&format!("srv/{name}"), content);
    }

    /// Every request that the proxy has had.
    pub fn access_log(&self) -> String {
        self.guest.sh("cat /var/log/squid/access.log")
    }

    #[track_caller]
    pub(super) fn backends(&self) {
        if self.backends.replace(true) {
            return;
        }
        let (user, password) = MYSQL_ADMIN;
        self.guest.sh("cp -a /opt/lab/images/mariadb /var/lib/db; chown -R nobody /var/lib/db");
        self.guest.write(
            "etc/first.sql",
            format!(
                "flush privileges;\ncreate user '{user}'@'%' identified by '{password}';\n\
                 grant all on *.* to '{user}'@'%' with grant option;\n"
            ),
        );
        self.serve(
            "mysql",
            &[
                "mariadbd",
                "--no-defaults",
                "--user=nobody",
                "--datadir=/var/lib/db",
                "--bind-address=10.9.0.2",
                "--socket=/tmp/mysql",
                "--skip-name-resolve",
                "--innodb-buffer-pool-size=16M",
                "--innodb-log-file-size=4M",
                "--version=5.7.44-log",
                "--init-file=/etc/first.sql",
            ],
        );
        self.serve("redis", &["redis-server", "--bind", ADDRESS, "--save", "", "--requirepass", REDIS_PASSWORD]);
        self.answers("mysql", ADDRESS, 3306);
        self.answers("redis", ADDRESS, 6379);
    }

    /// A statement as the server's own root, and its rows.
    #[track_caller]
    pub fn mysql(&self, statement: &str) -> String {
        let ran = self.guest.run(&["mariadb", "--socket=/tmp/mysql", "-N", "-e", statement]).expect(0);
        String::from_utf8_lossy(&ran.out).into_owned()
    }

    /// The account and the two databases that the product wants, with this password.
    #[track_caller]
    pub fn product_databases(&self, password: &str) {
        self.mysql(&format!(
            "create database divvy; create database divvykeys; create user divvy@'%' identified by '{password}';
             grant all on divvy.* to divvy@'%'; grant all on divvykeys.* to divvy@'%'; grant reload on *.* to divvy@'%'"
        ));
    }
}
