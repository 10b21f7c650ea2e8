//! `check proxy` against real proxies: squid with and without Basic auth, plain and within TLS, tinyproxy, a denied host,
//! a dead port, a black hole; and against a real Docker daemon and its container. Everything runs in a network and mount
//! namespace of its own, in which the vendor's name leads to a TLS server of the test's.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use crate::common::{BOUNDED, Leash, until};
use serde_json::Value;
use tempfile::TempDir;

const PASSWORD: &str = "p@ss:w0rd/%";
const ENCODED: &str = "p%40ss%3Aw0rd%2F%25";
/// tinyproxy's configuration takes letters, digits and `-._` only.
const TINY: &str = "t1ny-S3cret.x";

/// A network of its own with a folder of files.
struct Lab {
    space: Leash,
    folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        crate::common::need_root();
        let programs =
            ["squid", "tinyproxy", "htpasswd", "openssl", "ip", "unshare", "nsenter", "dockerd", "docker", "base64"];
        crate::common::need(&programs);
        let folder = crate::common::scratch_for_all("proxies");
        let hosts = folder.path().join("hosts");
        fs::write(&hosts, "127.0.0.1 localhost proxy.lab divvycentral.divvycloud.com\n").unwrap();
        let script = format!(
            "ip link set lo up; ip link add hole type veth peer name end; ip addr add 10.9.0.1/24 dev hole; ip link set hole up
             ip link set end up; ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev hole
             mount --bind {} /etc/hosts; mount -t tmpfs none /run; mount -t tmpfs none /dev/shm; echo ready; exec sleep infinity",
            hosts.display()
        );
        let lab = Self { space: Leash::holding(&["--net"], &script, |_| ()), folder };
        lab.certificates();
        lab
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn inside(&self, argv: &[&str]) -> Command {
        self.space.enter(&["--net", "--mount", "--pid"], argv)
    }

    /// A server that is up when `port` accepts connections; the id of nsenter. It ends with the namespaces.
    fn serve(&self, name: &str, argv: &[&str], port: u16) -> u32 {
        let child = self.start(name, self.inside(argv));
        self.until(name, |lab| lab.listens(port));
        child
    }

    fn start(&self, name: &str, mut command: Command) -> u32 {
        let log = fs::File::create(self.at(&format!("{name}.log"))).unwrap();
        crate::common::serve(command.stdout(log.try_clone().unwrap()).stderr(log))
    }

    fn listens(&self, port: u16) -> bool {
        let probe = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
        self.inside(&["bash", "-c", &probe]).stderr(Stdio::null()).status().unwrap().success()
    }

    fn until(&self, name: &str, ready: impl Fn(&Self) -> bool) {
        until(|| if ready(self) { Ok(()) } else { Err(fs::read_to_string(self.at(&format!("{name}.log"))).unwrap()) });
    }

    fn certificates(&self) {
        let script = "set -e
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 -subj '/CN=lab CA' \
              -addext basicConstraints=critical,CA:TRUE
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.crt -days 2 -subj '/CN=other CA' \
              -addext basicConstraints=critical,CA:TRUE
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -out leaf.csr -subj /CN=proxy.lab
            printf 'subjectAltName=DNS:proxy.lab,DNS:divvycentral.divvycloud.com\\nbasicConstraints=CA:FALSE\\n' >ext
            openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out leaf.crt
            cat leaf.crt leaf.key >leaf.pem; chmod 644 leaf.pem leaf.key";
        let output =
            Command::new("bash").args(["-c", script]).current_dir(self.folder.path()).stdin(Stdio::null()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The TLS server that the vendor's name leads to.
    fn origin(&self) -> u32 {
        let (cert, key) = (self.path("leaf.crt"), self.path("leaf.key"));
        let argv = ["openssl", "s_server", "-accept", "127.0.0.1:443", "-cert", &cert, "-key", &key, "-www", "-quiet"];
        self.serve("origin", &argv, 443)
    }

    /// squid: open at 3128 and within TLS at 3130; with a login at 3138 and 3140; everything denied at 3148.
    fn squid(&self) {
        let mut htpasswd = Command::new("htpasswd");
        htpasswd.args(["-bc", &self.path("pw"), "divvy", PASSWORD]).stderr(Stdio::null());
        assert!(htpasswd.status().unwrap().success());
        fs::set_permissions(self.at("pw"), fs::Permissions::from_mode(0o644)).unwrap();
        let folder = self.folder.path().display();
        let conf = format!(
            "visible_hostname proxy.lab
http_port 127.0.0.1:3128
https_port 127.0.0.1:3130 tls-cert={folder}/leaf.pem
http_port 127.0.0.1:3138
https_port 127.0.0.1:3140 tls-cert={folder}/leaf.pem
http_port 127.0.0.1:3148
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/pw
auth_param basic realm lab
acl open localport 3128 3130
acl shut localport 3148
acl known proxy_auth REQUIRED
http_access deny shut
http_access allow open
http_access allow known
http_access deny all
hosts_file {folder}/hosts
cache deny all
pinger_enable off
shutdown_lifetime 0 seconds
pid_filename {folder}/squid.pid
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
coredump_dir {folder}
"
        );
        fs::write(self.at("squid.conf"), conf).unwrap();
        let conf = self.path("squid.conf");
        self.serve("squid", &["squid", "-N", "-f", &conf], 3148);
    }

    fn tinyproxy(&self) {
        let conf = format!("Port 8888\nListen 127.0.0.1\nTimeout 600\nConnectPort 443\nBasicAuth divvy {TINY}\n");
        fs::write(self.at("tinyproxy.conf"), conf).unwrap();
        let conf = self.path("tinyproxy.conf");
        self.serve("tinyproxy", &["tinyproxy", "-d", "-c", &conf], 8888);
    }

    /// An image of a bare Ubuntu.
    fn root(&self) -> String {
        let root = self.at("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("etc/os-release"), "ID=ubuntu\nVERSION_ID=\"22.04\"\n").unwrap();
        // It trusts somebody, and not the lab.
        fs::create_dir_all(root.join("etc/ssl/certs")).unwrap();
        fs::copy(self.at("other.crt"), root.join("etc/ssl/certs/ca-certificates.crt")).unwrap();
        root.display().to_string()
    }

    /// `ics-setup check …` in every form of output; nothing of it may hold a password. Gives the JSON.
    fn check(&self, more: &[&str]) -> Value {
        let binary = crate::common::binary().display().to_string();
        let facts = self.path("facts");
        let mut json = Value::Null;
        for format in ["human", "json"] {
            let fixed = [binary.as_str(), "check", "-v", "--format", format, "--save-facts", &facts];
            let Output { stdout, stderr, .. } = self.inside(&[&BOUNDED, &fixed[..], more].concat()).output().unwrap();
            let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
            is_clean(&format!("{stdout}{stderr}{}", fs::read_to_string(&facts).unwrap_or_default()));
            if format == "json" {
                json = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
            }
        }
        json
    }

    /// The proxy at this URL, seen from an image; the status and words of each finding.
    fn proxy(&self, url: &str, more: &[&str]) -> Value {
        let root = self.root();
        self.check(&[&["proxy", "--root", &root, "--proxy", url], more].concat())
    }
}

/// Base64 as coreutils writes it, so that the test does not share the product's code.
fn base64(text: &str) -> String {
    let mut child = Command::new("base64").arg("-w0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim_end_matches('=').to_owned()
}

fn is_clean(text: &str) {
    for secret in [PASSWORD, TINY, "wr0ng-S3cret"] {
        let encoded: String = secret
            .bytes()
            .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") })
            .collect();
        for form in [
            secret.to_owned(),
            encoded.to_lowercase(),
            encoded,
            ENCODED.to_owned(),
            base64(secret),
            base64(&format!("divvy:{secret}")),
        ] {
            assert!(!text.contains(&form), "{form} in {text}");
        }
    }
}

/// Does the finding have this status, and these words in its title or in what was observed?
fn expect(json: &Value, id: &str, status: &str, words: &str) {
    let all = json["findings"].as_array().unwrap();
    let found: Vec<&Value> = all.iter().filter(|finding| finding["id"] == id).collect();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let text = |finding: &Value| format!("{} | {}", word(&finding["title"]), word(&finding["observed"]));
    assert!(
        found.iter().any(|finding| finding["status"] == status && text(finding).contains(words)),
        "{id} is not {status} with {words:?}: {found:#?}"
    );
}

#[test]
fn squid_and_tinyproxy_in_every_way_that_they_answer() {
    let lab = Lab::new();
    let origin = lab.origin();
    lab.squid();
    lab.tinyproxy();
    let ca = lab.path("ca.crt");

    let json = lab.proxy("http://proxy.lab:3128", &[]);
    expect(&json, "proxy-resolves", "pass", "127.0.0.1 (IPv4");
    expect(&json, "proxy-connects", "pass", "proxy.lab:3128");
    expect(&json, "proxy-language", "pass", "plain HTTP, no TLS");
    expect(&json, "proxy-connect-method", "pass", "lets CONNECT divvycentral.divvycloud.com:443 through");
    expect(&json, "proxy-credentials", "pass", "asks for no login");

    let json = lab.proxy("http://proxy.lab:3138", &[]);
    expect(&json, "proxy-credentials", "fail", "asks for a login and none is set");
    expect(&json, "proxy-credentials", "fail", "offered: Basic");
    let json = lab.proxy(&format!("http://divvy:{ENCODED}@proxy.lab:3138"), &[]);
    expect(&json, "proxy-credentials", "pass", "does not reject the login of divvy");
    expect(&json, "proxy-connect-method", "pass", "200");
    let json = lab.proxy("http://divvy:wr0ng-S3cret@proxy.lab:3138", &[]);
    expect(&json, "proxy-credentials", "fail", "rejects the login of divvy");
    let log = fs::read_to_string(lab.at("access.log")).unwrap();
    assert!(log.contains("TCP_TUNNEL/200") && log.contains("CONNECT divvycentral.divvycloud.com:443 divvy"), "{log}");

    // Within TLS: trusted by --proxy-ca, untrusted without it, and then no login is sent.
    let url = format!("https://divvy:{ENCODED}@proxy.lab:3140");
    let json = lab.proxy(&url, &["--proxy-ca", &ca]);
    expect(&json, "proxy-language", "pass", "speaks TLS, as the URL says");
    expect(&json, "proxy-certificate", "pass", "is trusted");
    expect(&json, "proxy-credentials", "pass", "does not reject the login of divvy");
    expect(&json, "proxy-connect-method", "pass", "200");
    let before = fs::read_to_string(lab.at("access.log")).unwrap().matches("/200 ").count();
    let json = lab.proxy(&url, &[]);
    expect(&json, "proxy-certificate", "fail", "issuer");
    expect(&json, "proxy-connect-method", "skip", "not trusted");
    assert_eq!(fs::read_to_string(lab.at("access.log")).unwrap().matches("/200 ").count(), before, "nothing was asked");

    // The scheme and the port do not fit.
    let json = lab.proxy(&format!("https://divvy:{ENCODED}@proxy.lab:3138"), &["--proxy-ca", &ca]);
    expect(&json, "proxy-language", "fail", "begins with https:// and proxy.lab:3138 speaks plain HTTP");
    expect(&json, "proxy-credentials", "skip", "was not sent");
    let json = lab.proxy("http://proxy.lab:3130", &["--proxy-ca", &ca]);
    expect(&json, "proxy-language", "fail", "begins with http:// and proxy.lab:3130 speaks TLS");

    // Denied, tinyproxy, no proxy at all, dead, black hole.
    let json = lab.proxy("http://proxy.lab:3148", &[]);
    expect(&json, "proxy-connect-method", "fail", "forbids divvycentral.divvycloud.com:443 (HTTP 403) | 403");
    expect(&json, "proxy-connect-method", "fail", "Server: squid");
    let json = lab.proxy("http://proxy.lab:8888", &[]);
    expect(&json, "proxy-credentials", "fail", "offered: Basic");
    let json = lab.proxy(&format!("http://divvy:{TINY}@proxy.lab:8888"), &[]);
    expect(&json, "proxy-language", "pass", "plain HTTP");
    expect(&json, "proxy-connect-method", "pass", "200");
    expect(&json, "proxy-credentials", "pass", "does not reject");
    let json = lab.proxy("http://proxy.lab:443", &["--proxy-ca", &ca]);
    expect(&json, "proxy-language", "fail", "speaks TLS");
    let json = lab.proxy("http://proxy.lab:9", &[]);
    expect(&json, "proxy-connects", "fail", "refused");
    expect(&json, "proxy-language", "skip", "no connection");
    let json = lab.proxy("http://10.9.0.2:3128", &["--connect-timeout", "1s"]);
    expect(&json, "proxy-connects", "fail", "no answer to the connection attempt within");
    let json = lab.proxy("http://unknown.lab:3128", &[]);
    expect(&json, "proxy-resolves", "fail", "does not resolve");

    // The proxy is there, and what lies behind it is not.
    let server = crate::common::child_of(origin).unwrap();
    assert!(Command::new("kill").args(["-KILL", &server]).status().unwrap().success());
    until(|| if lab.listens(443) { Err("the origin lives on".to_owned()) } else { Ok(()) });
    let json = lab.proxy("http://proxy.lab:3128", &[]);
    expect(&json, "proxy-connect-method", "fail", "cannot reach divvycentral.divvycloud.com:443 (HTTP 503) | 503");
    let json = lab.proxy(&format!("http://divvy:{TINY}@proxy.lab:8888"), &[]);
    expect(&json, "proxy-connect-method", "fail", "cannot reach");
}

#[test]
fn a_running_daemon_and_its_container_tell_their_own_environment() {
    let lab = Lab::new();
    let url = format!("http://divvy:{ENCODED}@proxy.lab:3138");
    let old = "http://divvy:wr0ng-S3cret@proxy.lab:3138";
    let environment =
        [("HTTP_PROXY", url.as_str()), ("https_proxy", url.as_str()), ("NO_PROXY", "mysql,redis,169.254.169.254")];
    let config = lab.at("daemon.json");
    fs::write(&config, "{}").unwrap();
    let mut command = lab.inside(&[]);
    command
        .args(crate::common::engine(lab.folder.path(), Path::new("/run/docker.sock")))
        .arg("--config-file")
        .arg(&config);
    command.envs(environment);
    lab.start("dockerd", command);
    lab.until("dockerd", |lab| lab.inside(&["docker", "version"]).output().unwrap().status.success());

    // Looked at as it runs: by its pid file, for systemd does not run in these namespaces.
    let only = ["proxy", "--only", "proxy-docker,proxy-containers,proxy-url", "--proxy", url.as_str()];
    let json = lab.check(&only);
    let pid = String::from_utf8(lab.inside(&["cat", "/run/docker.pid"]).output().unwrap().stdout).unwrap();
    expect(&json, "proxy-docker", "pass", &format!("/proc/{}/environ", pid.trim()));
    expect(&json, "proxy-containers", "skip", "no container of the product runs");
    let json = lab.check(&["proxy", "--only", "proxy-docker", "--proxy", "http://other.lab:3128"]);
    expect(&json, "proxy-docker", "fail", "HTTP_PROXY is http://divvy:***@proxy.lab:3138");
    let json = lab.check(&["proxy", "--only", "proxy-docker", "--proxy", old]);
    expect(&json, "proxy-docker", "fail", "with another password");

    // Changed after the start: whether the daemon has read it is not known, and that is said.
    let json = format!(r#"{{"proxies": {{"http-proxy": "{url}", "https-proxy": "{url}", "no-proxy": "redis"}}}}"#);
    fs::write(&config, json).unwrap();
    let later = SystemTime::now() + Duration::from_secs(10);
    fs::File::options().write(true).open(&config).unwrap().set_modified(later).unwrap();
    let json = lab.check(&["proxy", "--only", "proxy-docker", "--proxy", &url, "--no-proxy-only", "redis"]);
    expect(&json, "proxy-docker", "warn", "has to be started again");
    assert!(json.to_string().contains("daemon.json was changed after it was started"), "{json:#}");
    fs::write(&config, "{}").unwrap();

    // A container keeps what it was created with.
    let folder = lab.at("image");
    let script = "set -e; cd \"$FOLDER\"; mkdir -p usr/bin lib64 lib/x86_64-linux-gnu; cp /usr/bin/sleep usr/bin/
        cp -L /lib64/ld-linux-x86-64.so.2 lib64/; cp -L /lib/x86_64-linux-gnu/libc.so.6 lib/x86_64-linux-gnu/
        tar -c . | docker import - divvycloud/lab:1
        docker run -d --network none --name divvy_interface_1 -e http_proxy=$OLD -e https_proxy=$OLD divvycloud/lab:1 /usr/bin/sleep infinity";
    fs::create_dir(&folder).unwrap();
    let output = lab.inside(&["bash", "-c", script]).env("FOLDER", &folder).env("OLD", old).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json = lab.check(&only);
    expect(&json, "proxy-containers", "fail", "the container divvy_interface_1 gets another");
    expect(&json, "proxy-containers", "fail", "with another password");
    expect(&json, "proxy-containers", "fail", "no_proxy is not set");
}

#[test]
fn a_real_login_and_real_apt_are_asked() {
    let lab = Lab::new();
    // Files of the namespace's own: the machine's stay as they are.
    let environment = lab.at("environment");
    fs::write(&environment, format!("http_proxy=\"http://divvy:{ENCODED}@proxy.lab:1\"\nhttps_proxy=\"http://divvy:{ENCODED}@proxy.lab:1\"\nno_proxy=\"redis,mysql,169.254.169.254\"\n")).unwrap();
    let apt = lab.at("apt.conf");
    fs::write(&apt, "Acquire { http { Proxy \"http://divvy:wr0ng-S3cret@proxy.lab:1\"; }; };\n").unwrap();
    let bind = |from: &Path, to: &str| {
        let (from, target) = (from.display().to_string(), to.to_owned());
        let script = format!("touch '{target}' 2>/dev/null; mount --bind '{from}' '{target}'");
        assert!(lab.inside(&["sh", "-c", &script]).status().unwrap().success(), "{to}");
    };
    assert!(lab.inside(&["mount", "-t", "tmpfs", "none", "/etc/apt/apt.conf.d"]).status().unwrap().success());
    bind(&environment, "/etc/environment");
    bind(&apt, "/etc/apt/apt.conf.d/99lab");
    let url = format!("http://divvy:{ENCODED}@proxy.lab:1");
    let ids = "proxy-login,proxy-package-manager,proxy-sudo,proxy-cron,proxy-systemd";
    let json = lab.check(&["proxy", "--os", "ubuntu", "--only", ids, "--proxy", &url]);
    expect(&json, "proxy-login", "pass", "http and https through http://divvy:***@proxy.lab:1");
    expect(&json, "proxy-package-manager", "warn", "with another password (/etc/apt/apt.conf.d/99lab:1)");
    expect(&json, "proxy-systemd", "skip", "systemd does not run here");
}
