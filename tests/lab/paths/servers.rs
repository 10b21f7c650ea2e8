//! The real servers: nginx as every origin, squid and mitmproxy in between.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::thread::spawn;

use super::world::{CATALOGUE, ORIGIN, PASSWORD, STATIC, World};

/// A server of the catalogue's names for each operator, with a certificate of its own, and one origin for each verdict.
pub fn nginx(world: &World) {
    let mut operators: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for host in CATALOGUE.iter() {
        let labels: Vec<&str> = host.rsplitn(3, '.').take(2).collect();
        operators.entry(format!("{}.{}", labels[1], labels[0])).or_default().push(host.clone());
    }
    let mut servers = String::new();
    let mut server = |listen: &str, names: &str, file: &str, body: &str| {
        let lines: String = listen.split(' ').map(|place| format!("listen {place}; ")).collect();
        let tls = match file {
            "" => String::new(),
            file => format!("ssl_certificate {file}.crt; ssl_certificate_key {file}.key; "),
        };
        let lines = if file.is_empty() { lines } else { lines.replace(';', " ssl;") };
        servers.push_str(&format!("server {{ {lines}server_name {names}; {tls}{body} }}\n"));
    };
    let genuine: Vec<String> = [ORIGIN].into_iter().chain(STATIC).map(|address| format!("{address}:443")).collect();
    for (index, (operator, hosts)) in operators.iter().enumerate() {
        let by = if index % 2 == 0 { "public" } else { "other" };
        world.keys.issue(operator, by, hosts);
        server(&genuine.join(" "), &hosts.join(" "), &world.path(operator), "return 200 \"genuine\\n\";");
    }
    let one = |name: &str| vec![name.to_owned()];
    world.keys.expired("expired.lab", &one("expired.lab"));
    world.keys.issue("wrong.lab", "public", &one("portal.example"));
    world.keys.self_signed("self.lab", &one("self.lab"), false);
    world.keys.self_signed("selfca.lab", &one("selfca.lab"), true);
    world.keys.issue("stale.lab", "other", &one("stale.lab"));
    world.keys.issue("inspected.lab", "corp", &one("inspected.lab"));
    world.keys.issue("old.lab", "public", &one("old.lab"));
    world.keys.issue("kept.lab", "public", &["kept.lab".to_owned(), "cut.lab".to_owned()]);
    world.keys.issue("proxy.lab", "corp", &one("proxy.lab"));
    for (address, name) in
        [(11, "expired"), (12, "wrong"), (13, "self"), (14, "selfca"), (17, "stale"), (18, "inspected")]
    {
        let name = format!("{name}.lab");
        server(&format!("10.9.0.{address}:443"), &name, &world.path(&name), "return 200 \"ok\\n\";");
    }
    server(
        "10.9.0.19:443",
        "old.lab",
        &world.path("old.lab"),
        "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0; return 200;",
    );
    server("127.0.0.1:4433", "kept.lab", &world.path("kept.lab"), "return 200 \"kept\\n\";");
    let plain = format!("{ORIGIN}:80");
    server(&plain, "hello.lab", "", "default_type text/html; return 200 \"<html><title>Hello</title></html>\";");
    server(&plain, "forbids.lab", "", "return 403;");
    // The block page of a device that does not even speak TLS.
    server("10.9.0.15:443", "page.lab", "", "error_page 400 =200 /blocked.html; location / { root blocked; }");
    fs::create_dir(world.folder.path().join("blocked")).unwrap();
    world.write("blocked/blocked.html", "<html><head><title>FortiGate: web page blocked</title></head></html>");
    let folder = world.folder.path().display().to_string();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {folder}/nginx-{kind};\n"))
        .collect();
    let conf = format!(
        "daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
log_format lab '$server_addr:$server_port $host \"$request\" $status login=\"$http_proxy_authorization$http_authorization\"';
access_log {folder}/nginx.log lab; default_type text/plain; server_tokens off; server_names_hash_bucket_size 256;
{temporary}
{}
}}
",
        servers.replace("root blocked", &format!("root {folder}/blocked"))
    );
    let conf = world.write("nginx.conf", &conf);
    let folder = format!("{folder}/");
    world.serve("nginx", &["nginx", "-p", &folder, "-e", "stderr", "-c", &conf], "10.9.0.10/443");
    // A small filter that cuts by the name in TLS, as some firewalls do, and passes everything else on.
    world.peer("10.9.0.16", 443, |stream| {
        let mut hello = [0_u8; 4096];
        let count = stream.peek(&mut hello).unwrap_or(0);
        // Dropped with bytes that nobody has read, a connection is reset.
        if !hello[..count].windows(7).any(|window| window == b"cut.lab") {
            relay(stream, "127.0.0.1:4433");
        }
    });
}

/// Joins two streams.
fn relay(mut near: TcpStream, far: &str) {
    let Ok(mut far) = TcpStream::connect(far) else { return };
    let (mut back, mut away) = (far.try_clone().unwrap(), near.try_clone().unwrap());
    spawn(move || std::io::copy(&mut back, &mut away));
    let _ = std::io::copy(&mut near, &mut far);
}

/// squid: open at 3128 and within TLS at 3130 (a certificate by `corp`); with a login at 3138 and 3140; everything denied at
/// 3148. It asks dnsmasq, whatever resolv.conf says, and gives up on a connection after a second.
pub fn squid(world: &World) {
    let mut htpasswd = std::process::Command::new("htpasswd");
    htpasswd.args(["-bc", &world.path("pw"), "divvy", PASSWORD]).stderr(Stdio::null());
    assert!(htpasswd.status().unwrap().success());
    for file in ["pw", "proxy.lab.pem"] {
        fs::set_permissions(world.path(file), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let folder = world.folder.path().display();
    let conf = format!(
        "visible_hostname proxy.lab
http_port 10.9.0.1:3128
https_port 10.9.0.1:3130 tls-cert={folder}/proxy.lab.pem
http_port 10.9.0.1:3138
https_port 10.9.0.1:3140 tls-cert={folder}/proxy.lab.pem
http_port 10.9.0.1:3148
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/pw
auth_param basic realm lab
acl open localport 3128 3130
acl shut localport 3148
acl denied dstdomain denied.lab sts.amazonaws.com icanhazip.com
acl known proxy_auth REQUIRED
http_access deny shut
http_access deny denied
http_access allow open
http_access allow known
http_access deny all
dns_nameservers 127.0.0.53
positive_dns_ttl 1 second
negative_dns_ttl 1 second
connect_timeout 60 seconds
cache deny all
pinger_enable off
shutdown_lifetime 0 seconds
pid_filename {folder}/squid.pid
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
coredump_dir {folder}
"
    );
    let conf = world.write("squid.conf", &conf);
    world.serve("squid", &["squid", "-N", "-f", &conf], "10.9.0.1/3148");
}

/// mitmproxy at 8080, with a CA of its own (`mitm.crt` afterwards) and a page for what it blocks.
pub fn mitmproxy(world: &World) {
    let script = world.write(
        "block.py",
        "from mitmproxy import http
def request(flow):
    if flow.request.pretty_host == 'blocked.lab':
        flow.response = http.Response.make(403, b'<html><head><title>Access denied by policy</title></head></html>', {'Content-Type': 'text/html'})
",
    );
    let folder = world.path("mitm");
    fs::create_dir(&folder).unwrap();
    let (confdir, roots) =
        (format!("confdir={folder}"), format!("ssl_verify_upstream_trusted_ca={}", world.path("public-roots.crt")));
    let argv = ["mitmdump", "--listen-host", "10.9.0.1", "-p", "8080", "-s", &script];
    let settings = ["--set", &confdir, "--set", &roots, "--set", "connection_strategy=lazy"];
    world.serve("mitmdump", &[&argv[..], &settings[..]].concat(), "10.9.0.1/8080");
    fs::copy(format!("{folder}/mitmproxy-ca-cert.pem"), world.path("mitm.crt")).unwrap();
}
