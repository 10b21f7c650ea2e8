//! `check host` against real kernels' answers: sockets of real processes, mounts, names and clocks, each in namespaces of
//! its own that end with the test.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::common::{BOUNDED, PATIENCE};
use serde_json::Value;

/// Runs a shell script as root of fresh network, mount, process and name spaces; `$TOOL` is the program under test. All of
/// its processes end with it.
fn inside(script: &str) -> String {
    crate::common::need_root();
    crate::common::need(&["unshare", "ip", "python3", "setpriv", "mount"]);
    let prelude = "set -eu\nip link set lo up\n\
        mount -t tmpfs -o mode=755 none /mnt\ncp $TOOL /mnt/tool\nchmod 755 /mnt/tool\nTOOL=/mnt/tool\ncd /mnt\n\
        up() { for _ in $(seq 3000); do (exec 3<>/dev/tcp/${2-127.0.0.1}/$1) 2>/dev/null && return; sleep 0.1; done; echo \"nobody on $1\" >&2; exit 1; }\n";
    let output = crate::common::leashed(&["--net", "--uts"], "bash")
        .arg("-c")
        .arg(format!("{prelude}{script}"))
        .env("TOOL", crate::common::binary())
        .env("PATH", crate::common::PATH)
        .output()
        .unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{error}", output.status);
    out.into_owned()
}

/// All that answers is on this machine and needs no time to speak of.
const CHECK: &str =
    "timeout 300 $TOOL check host --fail-on never --format json --connect-timeout 60s --timeout 120s --deadline 240s";

fn findings(text: &str) -> Vec<Value> {
    let found: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    found["findings"].as_array().unwrap().clone()
}

/// The finding with this id whose title has these words.
fn one<'a>(findings: &'a [Value], id: &str, words: &str) -> &'a Value {
    let fits = |one: &&Value| one["id"] == id && one["title"].as_str().unwrap().contains(words);
    findings.iter().find(fits).unwrap_or_else(|| panic!("no {id} with {words:?} in {findings:#?}"))
}

fn observed(finding: &Value) -> &str {
    finding["observed"].as_str().unwrap()
}

#[test]
fn a_foreign_listener_is_named_with_its_process() {
    let text = inside(&format!(
        "python3 -m http.server 8001 >/dev/null 2>&1 &\npid=$!\nup 8001\necho $pid\n{CHECK} --only port-in-use"
    ));
    let (pid, json) = text.split_once('\n').unwrap();
    let found = findings(json);
    let port = one(&found, "port-in-use", "8001");
    assert_eq!(port["status"], "fail", "{port:#}");
    assert_eq!(port["title"], "port 8001 is taken by python3", "{port:#}");
    assert!(observed(port).contains(&format!("process {pid})")), "{port:#}");
    assert!(observed(port).contains("0.0.0.0:8001"), "{port:#}");
    assert_eq!(port["advice"][0], format!("see which service it is: systemctl status {pid}"), "{port:#}");
    assert_eq!(one(&found, "port-in-use", "443")["status"], "pass");
}

#[test]
fn whom_only_root_can_see_is_said_so() {
    let text = inside(&format!(
        "python3 -m http.server --bind ::1 8001 >/dev/null 2>&1 &\nup 8001 ::1\n\
         TOOL=\"setpriv --reuid=65534 --regid=65534 --clear-groups $TOOL\"\n{CHECK} --only port-in-use"
    ));
    let found = findings(&text);
    let port = one(&found, "port-in-use", "8001");
    assert_eq!(
        (port["status"].as_str(), port["cause"].as_str()),
        (Some("fail"), Some("who it is can be seen by root only"))
    );
    assert_eq!(observed(port), "a process of user id 0 listens on [::1]:8001");
}

#[test]
fn a_forwarder_of_docker_and_a_web_server_in_front_pass_once_the_product_is_there() {
    // The names are what the kernel keeps of the path that a program was started by.
    let listen = "import signal,socket,sys; s=socket.socket(); s.bind((\"0.0.0.0\", int(sys.argv[-1]))); s.listen(); signal.pause()";
    let text = inside(&format!(
        "d=/mnt\nmkdir $d/home\necho x >$d/home/prod.env\npython=$(python3 -c 'import sys; print(sys.executable)')\n\
         ln -s $python $d/docker-proxy\nln -s $python $d/nginx\n\
         $d/docker-proxy -c '{listen}' -container-ip 172.18.0.4 -container-port 8001 &\n$d/nginx -c '{listen}' 443 &\nup 8001\nup 443\n\
         {CHECK} --only port-in-use --home $d/home"
    ));
    let found = findings(&text);
    let port = one(&found, "port-in-use", "8001");
    assert_eq!(port["status"], "pass", "{port:#}");
    assert!(observed(port).contains("forwards to the container at 172.18.0.4:8001"), "{port:#}");
    let front = one(&found, "port-in-use", "443");
    assert_eq!((front["status"].as_str(), front["title"].as_str()), (Some("pass"), Some("port 443 is held by nginx")));
}

#[test]
fn noexec_read_only_and_full_file_systems_are_what_the_kernel_makes_of_them() {
    let text = inside(&format!(
        "mount -t tmpfs -o noexec,size=16m none /tmp\ncp /bin/true /tmp/true\n! /tmp/true 2>/dev/null\n\
         mkdir /tmp/home\nmount -t tmpfs -o size=16m,nr_inodes=100 none /tmp/home\n\
         (cd /tmp/home; for n in $(seq 98); do : >f$n; done)\nmount -o remount,ro /tmp/home\n! : 2>/dev/null >/tmp/home/x\n\
         {CHECK} --only noexec --only read-only --only disk-free --only disk-inodes --home /tmp/home"
    ));
    let found = findings(&text);
    let noexec = one(&found, "noexec", "/tmp");
    assert_eq!((noexec["status"].as_str(), observed(noexec)), (Some("warn"), "/tmp (tmpfs) is mounted with noexec"));
    assert!(noexec["advice"].to_string().contains("TMPDIR=/tmp/home/tmp"), "{noexec:#}");
    let shut = one(&found, "read-only", "/tmp/home");
    assert_eq!(shut["status"], "fail", "{shut:#}");
    assert_eq!(one(&found, "disk-free", "/tmp/home")["status"], "fail", "16 MB");
    let inodes = one(&found, "disk-inodes", "/tmp/home");
    assert!(matches!(inodes["status"].as_str(), Some("warn" | "fail")), "{inodes:#}");
}

#[test]
fn a_name_that_nobody_knows_and_no_route_are_warnings_with_the_line_that_mends_them() {
    let text = inside(&format!(
        "hostname nobody-knows-me.corp.example\n: >empty\nmount --bind empty /etc/resolv.conf\n\
         {CHECK} --only hostname --only ipv4-route --only clock-skew"
    ));
    let found = findings(&text);
    let name = one(&found, "hostname", "nobody-knows-me");
    assert_eq!(name["status"], "warn", "{name:#}");
    assert_eq!(name["fix"][0], "echo '127.0.1.1 nobody-knows-me.corp.example nobody-knows-me' >> /etc/hosts");
    assert_eq!(one(&found, "ipv4-route", "")["status"], "warn");
    let clock = one(&found, "clock-skew", "");
    assert_eq!(clock["status"], "skip", "{clock:#}");
    assert!(observed(clock).contains("s3.amazonaws.com:443: the name"), "{clock:#}");
    // The line does mend it.
    let mended = inside(&format!(
        "hostname nobody-knows-me.corp.example\n(cat /etc/hosts; echo '127.0.1.1 nobody-knows-me.corp.example nobody-knows-me') >hosts\n\
         mount --bind hosts /etc/hosts\n{CHECK} --only hostname"
    ));
    assert_eq!(one(&findings(&mended), "hostname", "")["status"], "pass", "{mended}");
}

#[test]
fn the_date_of_a_real_server_agrees_with_this_clock() {
    let text = inside(&format!(
        "python3 -m http.server 3128 >/dev/null 2>&1 &\nup 3128\n\
         {CHECK} --only clock-skew --proxy http://127.0.0.1:3128"
    ));
    let found = findings(&text);
    let clock = one(&found, "clock-skew", "the clock is right");
    // Right to a minute, as the title says; more exactly where nothing else runs.
    assert!(clock["evidence"]["ahead_seconds"].as_i64().unwrap().abs() < 60, "{clock:#}");
    assert_eq!(clock["path"], "proxy");
}

/// The download host of the vendor, as this network plays it: TLS on 443 with a certificate of our own, plain HTTP on 80.
const DOWNLOAD_HOST: &str = r#"
d=/mnt
name=$(sed -n 's/^host = "\(.*\)"/\1/p' $ASSET)
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
  -addext basicConstraints=critical,CA:FALSE -keyout $d/key -out $d/crt 2>/dev/null
(cat /etc/hosts; echo "127.0.0.1 $name") >$d/hosts
mount --bind $d/hosts /etc/hosts
cat >$d/serve.py <<'PY'
import http.server, ssl, sys
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
PY
cd $d
python3 serve.py 443 crt key >/dev/null 2>&1 &
python3 serve.py 80 >/dev/null 2>&1 &
up 443
up 80
"#;

#[test]
fn without_a_proxy_the_vendors_host_is_asked_by_tls_and_plainly_where_its_certificate_seems_wrong() {
    crate::common::need(&["openssl"]);
    let asset = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/host.toml");
    let ask = |trust: &str| {
        let text = inside(&format!("ASSET={asset}\n{DOWNLOAD_HOST}\n{trust}\n{CHECK} --only clock-skew"));
        one(&findings(&text), "clock-skew", "the clock is right").clone()
    };
    let bundle = "/etc/ssl/certs/ca-certificates.crt";
    let trusted = ask(&format!("cat {bundle} $d/crt >$d/bundle\nmount --bind $d/bundle {bundle}"));
    assert!(observed(&trusted).contains("s3.amazonaws.com:443 (answer 200)"), "{trusted:#}");
    assert_eq!(trusted["path"], "direct");
    let untrusted = ask("");
    assert!(observed(&untrusted).contains("s3.amazonaws.com:80 (answer 200)"), "{untrusted:#}");
}

/// A server on loopback that does `serve` with its first connection.
fn scripted(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            serve(stream);
        }
    });
    format!("http://user:s3cret-word@127.0.0.1:{port}")
}

fn clock_by(proxy: &str, limits: [&str; 2]) -> Value {
    let output = Command::new(BOUNDED[0])
        .args(&BOUNDED[1..])
        .arg(crate::common::binary())
        .args(["check", "--only", "clock-skew", "--fail-on", "never", "--format", "json", "--proxy", proxy])
        .args(["--connect-timeout", limits[0], "--timeout", limits[1], "--deadline", "240s"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("s3cret-word"), "{text}");
    one(&findings(&text), "clock-skew", "").clone()
}

fn http_date(offset: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let then = now.checked_add_signed(offset).unwrap();
    let output =
        Command::new("date").args(["-u", "-d", &format!("@{then}"), "+%a, %d %b %Y %H:%M:%S GMT"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_wrong_clock_is_told_from_a_407_and_no_credentials_are_sent_for_it() {
    for (offset, status, side) in
        [(0, "pass", ""), (-90, "warn", "ahead of"), (3600, "fail", "behind"), (-86_400 * 400, "fail", "ahead of")]
    {
        let began = Instant::now();
        let date = http_date(offset);
        let proxy = scripted(move |mut stream| {
            let mut asked = [0; 4096];
            let count = stream.read(&mut asked).unwrap();
            let asked = String::from_utf8_lossy(&asked[..count]).into_owned();
            // What is not as it should be shows as a clock that is off by years.
            let fine = asked.starts_with("HEAD http://") && !asked.to_ascii_lowercase().contains("authorization");
            let date = if fine { date } else { "Thu, 01 Jan 1970 00:00:00 GMT".to_owned() };
            let head = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n";
            let _ = write!(stream, "{head}Date: {date}\r\nContent-Length: 0\r\n\r\n");
        });
        let clock = clock_by(&proxy, ["60s", "120s"]);
        assert_eq!(clock["status"], status, "{offset}: {clock:#}");
        let title = clock["title"].as_str().unwrap();
        assert!(title.contains(side), "{clock:#}");
        let ahead = clock["evidence"]["ahead_seconds"].as_i64().unwrap();
        let late = i64::try_from(began.elapsed().as_secs()).unwrap();
        assert!((-3..=late + 3).contains(&(ahead + offset)), "{offset}, {late} s: {clock:#}");
    }
}

#[test]
fn hostile_servers_cost_no_more_than_the_limit_and_tell_no_time() {
    type Serve = fn(TcpStream);
    let silent: Serve = |stream| {
        std::thread::sleep(2 * PATIENCE);
        drop(stream);
    };
    let slow: Serve = |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(b"H").is_ok() {
            std::thread::sleep(Duration::from_millis(500));
        }
    };
    let flood: Serve = |mut stream| while stream.write_all(&[b'x'; 65536]).is_ok() {};
    let odd: Serve = |mut stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\nDate: \x1b[31mnow\r\n\r\n"));
    let none: Serve = |mut stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
    for (name, serve) in [("silent", silent), ("slow", slow), ("flood", flood), ("odd", odd), ("none", none)] {
        // The first three never come to an end by themselves.
        let clock = clock_by(&scripted(serve), ["1s", "3s"]);
        assert!(matches!(clock["status"].as_str(), Some("skip" | "error")), "{name}: {clock:#}");
        assert!(!clock.to_string().contains("u001b"), "{name}: {clock:#}");
    }
}

#[test]
fn a_real_debian_image_is_judged_by_its_files() {
    crate::common::need_root();
    let root = crate::common::debian_root();
    let output = Command::new(crate::common::binary())
        .args(["check", "host", "--fail-on", "never", "--format", "json", "--root"])
        .arg(&root)
        .env_clear()
        .output()
        .unwrap();
    let found = findings(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(one(&found, "os-not-listed", "Debian")["status"], "warn");
    // Debian's own sudoers and login.defs.
    assert_eq!(one(&found, "sudo-secure-path", "")["status"], "pass");
    assert_eq!(one(&found, "umask", "")["status"], "pass");
    assert_eq!(one(&found, "port-in-use", "")["status"], "skip");
}

#[test]
fn the_whole_group_costs_little() {
    // Time of the processor, which is the same on a busy machine; how long it takes is measured by scripts/bench.
    let text = inside(&format!(
        "python3 -m http.server 3128 >/dev/null 2>&1 &\nup 3128\nTIMEFORMAT='%U %S'\n\
         for _ in 1 2 3; do time {CHECK} --proxy http://127.0.0.1:3128 >/dev/null; done 2>&1"
    ));
    let costs = text.lines().map(|line| line.split(' ').map(|part| part.parse::<f64>().unwrap()).sum::<f64>());
    let best = costs.fold(f64::INFINITY, f64::min);
    println!("check host: {best:.3} s of the processor");
    assert!(best < 1.0, "{text}");
}
