//! A proxy that decrypts one origin and lets another through: host and containers reach both, and the way back is whole.

use crate::common::{Engine, Family, Site, report, until};

use super::lab::put;
use super::whole::{action, ics_setup};

const PROXY: &str = "http://10.9.0.1:3129";
/// What the proxy decrypts, and what it is told to leave alone. Both have certificates of the lab's authority, which stands for
/// the public ones.
const DECRYPTED: &str = "files.corp.example";
const EXEMPT: &str = "backoffice.divvycloud.com";
const VARIABLES: [&str; 4] = ["REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"];

/// CONNECT and nothing else. For the one name it answers with a certificate of its own.
const INSPECTOR: &str = r#"
import socket, ssl, threading
def pump(one, other):
    try:
        while True:
            some = one.recv(65536)
            if not some: break
            other.sendall(some)
    except OSError: pass
    finally:
        for end in (one, other):
            try: end.shutdown(socket.SHUT_RDWR)
            except OSError: pass
def serve(client):
    try:
        head = b""
        while b"\r\n\r\n" not in head: head += client.recv(4096)
        host = head.split()[1].decode().split(":")[0]
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        server = socket.create_connection(("10.9.0.3", 443), 10)
        server.settimeout(None)
        if host == "files.corp.example":
            own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            own.load_cert_chain("/opt/inspect/leaf.crt", "/opt/inspect/leaf.key")
            client = own.wrap_socket(client, server_side=True)
            server = ssl._create_unverified_context().wrap_socket(server, server_hostname=host)
            # One request, then its answer: a session of TLS is not for two threads at once.
            some = client.recv(65536)
            server.sendall(some)
            if some: pump(server, client)
            else: server.close(); client.close()
            return
        threading.Thread(target=pump, args=(client, server), daemon=True).start()
        pump(server, client)
    except Exception: client.close()
listener = socket.create_server(("0.0.0.0", 3129))
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// Asks both names through the proxy with a file of certificates in the place of all others; of each whether it is trusted.
const ASK: &str = r#"
import os, socket, ssl, sys
if sys.argv[1] != "host":
    lines = open("/proc/1/environ").read().split("\0")
    os.environ.update(line.split("=", 1) for line in lines if "=" in line)
for host in sys.argv[2:]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.argv[1] in ("host", "default"): context = ssl.create_default_context()
    else: context.load_verify_locations(os.environ.get(sys.argv[1], sys.argv[1]))
    tunnel = socket.create_connection(("10.9.0.1", 3129), 20)
    tunnel.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
    while not tunnel.recv(4096).endswith(b"\r\n\r\n"): pass
    try:
        with context.wrap_socket(tunnel, server_hostname=host): print("trusted", end=" ")
    except ssl.SSLCertVerificationError: print("refused", end=" ")
"#;

fn authority(site: &Site, name: &str) -> String {
    site.write("opt/inspect/names", format!("subjectAltName=DNS:{DECRYPTED}\nbasicConstraints=CA:FALSE\n"));
    let new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    site.sh(&format!(
        "cd /opt/inspect; {new} -x509 -days 30 -keyout ca.key -out {name}.pem -subj '/O=Inspection/CN={name}' \
           -addext basicConstraints=critical,CA:TRUE 2>/dev/null
         {new} -keyout leaf.key -out leaf.csr -subj /CN={DECRYPTED} 2>/dev/null
         openssl x509 -req -days 30 -in leaf.csr -CA {name}.pem -CAkey ca.key -CAcreateserial -extfile names -out leaf.crt 2>/dev/null"
    ));
    format!("/opt/inspect/{name}.pem")
}

/// What curl and Python of the host say of both origins.
fn of_host(site: &Site) -> (String, String) {
    let curl = |name: &str| {
        let url = format!("https://{name}/");
        site.run(&["curl", "-s", "-o", "/dev/null", "-x", PROXY, &url])
            .code
            .map_or("?".to_owned(), |code| code.to_string())
    };
    let python = site.run(&["python3", "-c", ASK, "host", DECRYPTED, EXEMPT]).expect(0);
    (format!("{} {}", curl(DECRYPTED), curl(EXEMPT)), String::from_utf8_lossy(&python.out).trim().to_owned())
}

/// What a client in a worker says of both, which has these certificates alone.
fn of_container(site: &Site, certificates: &str) -> String {
    // What runc starts here by `docker exec` is not in the container's root.
    let pid = site.inspect("worker", "{{.State.Pid}}").remove(0);
    let enter = ["nsenter", "--target", &pid, "--mount", "--net", "--root", "--wd", "python3", "-c", ASK];
    let ran = site.run(&[&enter[..], &[certificates, DECRYPTED, EXEMPT]].concat()).expect(0);
    String::from_utf8_lossy(&ran.out).trim().to_owned()
}

/// The bundle, and every link beside it.
fn trusted(site: &Site) -> String {
    site.sh("cat /etc/ssl/certs/ca-certificates.crt; cd /etc/ssl/certs; find . -type l -printf '%f %l\\n' | sort; ls /usr/local/share/ca-certificates")
}

fn status(json: &serde_json::Value, id: &str) -> String {
    let found = json["findings"].as_array().unwrap().iter().find(|own| own["id"] == id);
    found.map_or_else(|| "none".to_owned(), |own| own["status"].as_str().unwrap().to_owned())
}

#[test]
fn host_and_containers_reach_what_is_decrypted_and_what_is_not() {
    let site = Site::new(Engine::V20_10);
    site.load_images();
    site.registry();
    site.sh("update-ca-certificates --fresh");
    site.sh("mkdir /opt/inspect");
    let first = authority(&site, "first");
    site.serve(&["python3", "-c", INSPECTOR]);
    until(|| match site.run(&["bash", "-c", ": </dev/tcp/10.9.0.1/3129"]).code {
        Some(0) => Ok(()),
        _ => Err("nobody listens".to_owned()),
    });
    assert_eq!(of_host(&site), ("60 0".to_owned(), "refused trusted".to_owned()));
    put(&site, "");
    site.sh("cd /divvycloud && docker-compose up -d 2>&1");
    site.healthy();
    let (before, files) = (trusted(&site), site.sh("cd /divvycloud; cat prod.env docker-compose.yml; ls"));

    // The host.
    let words = ["prepare", "--no-probe", "--proxy", PROXY, "--proxy-ca", &first];
    let json = ics_setup(&site, &words).expect(0).json();
    assert_eq!(
        (status(&json, "proxy-ca-host"), json["outcome"].as_str()),
        ("pass".to_owned(), Some("changed")),
        "{json:#}"
    );
    assert_eq!(of_host(&site), ("0 0".to_owned(), "trusted trusted".to_owned()));
    // The daemon runs since before.
    assert_eq!(status(&json, "proxy-ca-daemon"), "warn", "{json:#}");
    site.stop_engine();
    site.start_engine(&[], &[]);
    site.healthy();
    let json = ics_setup(&site, &words).expect(0).json();
    assert_eq!(
        (status(&json, "proxy-ca-daemon"), json["outcome"].as_str()),
        ("none".to_owned(), Some("unchanged")),
        "{json:#}"
    );

    // The containers, by what the last run was told.
    let json = ics_setup(&site, &["reconfigure", "--no-probe", "--restart"]).expect(0).json();
    assert_eq!(
        (action(&json, "worker"), status(&json, "proxy-ca-containers")),
        ("recreate".to_owned(), "pass".to_owned()),
        "{json:#}"
    );
    site.healthy();
    for variable in VARIABLES.into_iter().chain(["default"]) {
        assert_eq!(of_container(&site, variable), "trusted trusted", "{variable}");
    }
    // With the authority alone whatever is not decrypted is lost.
    assert_eq!(of_container(&site, "/usr/local/share/ca-certificates/proxy_cert.crt"), "trusted refused");
    let ids = site.container_ids();
    let json = ics_setup(&site, &["reconfigure", "--no-probe"]).expect(0).json();
    assert_eq!((json["outcome"].as_str(), site.container_ids() == ids), (Some("unchanged"), true), "{json:#}");

    // Another authority: no line of any file of Compose changes, and the containers have it all the same.
    let second = authority(&site, "second");
    assert_eq!(of_host(&site), ("60 0".to_owned(), "refused trusted".to_owned()));
    assert_eq!(of_container(&site, "SSL_CERT_FILE"), "refused trusted");
    let json = ics_setup(&site, &["reconfigure", "--no-probe", "--proxy-ca", &second]).expect(0).json();
    assert_eq!(action(&json, "worker"), "recreate", "{json:#}");
    site.healthy();
    assert_eq!(of_host(&site), ("0 0".to_owned(), "trusted trusted".to_owned()));
    assert_eq!(of_container(&site, "SSL_CERT_FILE"), "trusted trusted");
    // The first is trusted nowhere any more, and nothing is left to do.
    let body = |file: &str| site.read(file).lines().nth(1).unwrap().to_owned();
    let bundle = site.read("/divvycloud/proxy_ca_bundle.crt");
    assert!(bundle.contains(&body(&second)) && !bundle.contains(&body(&first)), "{bundle}");
    let ids = site.container_ids();
    let json = ics_setup(&site, &["reconfigure", "--no-probe", "--proxy-ca", &second]).expect(0).json();
    assert_eq!((json["outcome"].as_str(), site.container_ids() == ids), (Some("unchanged"), true), "{json:#}");

    // Back, run by run.
    ics_setup(&site, &["revert"]).expect(0);
    assert_eq!(of_container(&site, "SSL_CERT_FILE"), "refused trusted");
    ics_setup(&site, &["revert"]).expect(0);
    ics_setup(&site, &["revert"]).expect(0);
    assert!(trusted(&site) == before, "the store is not as before:\n{}", trusted(&site));
    let now = site.sh("cd /divvycloud; cat prod.env docker-compose.yml; ls");
    assert_eq!(now, files);
    assert_eq!(of_host(&site), ("60 0".to_owned(), "refused trusted".to_owned()));
}

#[test]
fn a_run_that_ends_in_the_middle_leaves_the_bundle_of_before() {
    let site = Site::new(Engine::V20_10);
    site.sh("update-ca-certificates --fresh");
    site.sh("mkdir /opt/inspect");
    let authority = authority(&site, "first");
    let before = trusted(&site);
    // Killed while the system's program runs, and as soon as its bundle is there.
    let words = ["ics-setup", "prepare", "--yes", "--no-probe", "--proxy", PROXY, "--proxy-ca", &authority];
    site.kill_when(&words, || trusted(&site) != before);
    site.sh("while pgrep -x update-ca-certi >/dev/null; do sleep 0.1; done");
    ics_setup(&site, &["prepare", "--no-probe", "--proxy", PROXY]).expect(0);
    assert!(trusted(&site) == before, "{}", trusted(&site));
    // A program that fails: nothing stays.
    site.sh("mv /usr/sbin/update-ca-certificates /usr/sbin/kept; printf '#!/bin/sh\\n[ \"$1\" = --fresh ] || exit 3\\nexec kept \"$@\"\\n' >/usr/sbin/update-ca-certificates; chmod 755 /usr/sbin/update-ca-certificates");
    let refused = ics_setup(&site, &["prepare", "--no-probe", "--proxy", PROXY, "--proxy-ca", &authority]);
    assert_eq!((refused.code, refused.json()["error"]["id"].as_str()), (Some(5), Some("trust-failed")), "{refused}");
    assert!(trusted(&site) == before, "{}", trusted(&site));
}

#[test]
fn the_other_family_has_another_folder_and_another_program() {
    let site = Site::of(Engine::V26_1, Family::CentOs);
    site.sh("mkdir /opt/inspect");
    let authority = authority(&site, "first");
    let words = ["prepare", "--no-probe", "--proxy", PROXY, "--proxy-ca", &authority];
    if site.run(&["sh", "-c", "command -v update-ca-trust"]).code != Some(0) {
        // Debian's roots have none: it is named, and nothing stays of the run.
        report("skip update-ca-trust itself: the lab's hosts are of Debian; what is planned for it is looked at");
        let refused = ics_setup(&site, &words);
        assert_eq!(
            (refused.code, refused.json()["error"]["id"].as_str()),
            (Some(5), Some("trust-failed")),
            "{refused}"
        );
        assert_eq!(site.sh("find /etc/pki -name 'ics-setup*' 2>/dev/null || true"), "");
    }
    // One that does what the family's own does with this folder.
    site.write(
        "usr/bin/update-ca-trust",
        "#!/bin/sh\nmkdir -p /etc/pki/ca-trust/extracted/pem\ncat /etc/ssl/certs/ca-certificates.crt /etc/pki/ca-trust/source/anchors/* \
         >/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem 2>/dev/null; exit 0\n",
    );
    site.sh("chmod 755 /usr/bin/update-ca-trust; update-ca-trust; mv /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/moved; ln -s /etc/ssl/certs/moved /etc/ssl/kept; sed -i s,ca-certificates.crt,moved, /usr/bin/update-ca-trust");
    let bundle = || site.read("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem");
    let before = bundle();
    ics_setup(&site, &words).expect(0);
    let own = site.read(&authority);
    assert_eq!(bundle(), format!("{before}{own}"));
    ics_setup(&site, &["revert"]).expect(0);
    assert_eq!(bundle(), before);
}
