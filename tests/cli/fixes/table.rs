//! Each id of the catalogue, and how it is shown that its command works.

use super::Case;
use crate::root::Root;

/// How it is shown.
pub enum How {
    /// Here, on roots.
    Here(fn() -> Vec<Case>),
    /// By `tests/lab/fixes.rs`: it needs a running system.
    Lab,
    /// What mends it is said in words: no command of this host does.
    Words,
    /// It has a command that no test can run; why.
    Not(&'static str),
}

use How::{Here, Lab, Not, Words};

const P: &str = "http://p.corp.example:3128";
const OLD: &str = "http://oldpx.corp.example:8888";

pub const TABLE: &[(&str, How)] = &[
    // The host.
    ("os-too-old", Words),
    ("os-version-unknown", Words),
    ("os-not-listed", Words),
    ("run-interrupted", Here(interrupted)),
    ("restart-nothing", Words),
    ("run-recovered", Words),
    ("runs-many", Here(runs_many)),
    ("file-unreadable", Lab),
    ("os-supported", Words),
    ("os-unsupported", Here(unsupported)),
    ("os-unknown", Here(unknown)),
    ("cpu-cores", Words),
    ("memory", Words),
    ("disk-size", Words),
    ("disk-free", Words),
    ("disk-inodes", Words),
    ("noexec", Lab),
    ("read-only", Lab),
    ("port-in-use", Lab),
    ("clock-skew", Words),
    ("hostname", Lab),
    ("selinux", Not("chcon sets labels in a kernel with SELinux alone")),
    ("firewall", Words),
    ("ip-forward", Here(forwarding)),
    ("ipv4-route", Words),
    ("docker-networks", Words),
    ("image-architecture", Words),
    ("metadata-from-containers", Words),
    ("sudo-secure-path", Here(secure_path)),
    ("sudo-requiretty", Here(requiretty)),
    ("umask", Words),
    ("ecs", Words),
    ("compose-path", Here(compose_path)),
    // What an installation needs of Docker.
    ("engine-podman", Words),
    ("engine-old", Words),
    ("engine-silent", Words),
    ("engine-absent", Words),
    ("compose-absent", Words),
    ("compose-generation", Words),
    ("storage-driver", Words),
    ("bundle-images", Words),
    ("image-room", Words),
    ("daemon-proxy-unread", Words),
    // What plans say.
    ("docker-long-line", Words),
    ("way-around-proxy", Words),
    ("way-metadata", Words),
    ("way-internal", Words),
    ("way-decrypted", Words),
    ("env-file-commented-duplicates", Words),
    ("env-file-reader-rejects", Words),
    ("env-file-line-ends", Here(line_ends)),
    ("no-proxy-everything", Words),
    ("no-proxy-ipv6-brackets", Words),
    ("no-proxy-loopback-added", Words),
    ("no-proxy-unknown", Words),
    ("file-of-a-tool", Here(file_of_a_tool)),
    ("pam-line-too-long", Words),
    ("password-in-readable-file", Here(readable)),
    ("prod-env-differs", Here(prod_env_differs)),
    ("proxy-found-unusable", Words),
    ("proxy-https-scheme", Words),
    ("proxy-not-set", Words),
    ("proxy-password-not-ascii", Words),
    ("proxy-port-missing", Words),
    ("system-proxy-differs", Here(system_proxy_differs)),
    ("compose-file", Words),
    ("data-without-password", Words),
    ("default-password", Words),
    ("image-inferred", Words),
    ("interface-dropped", Words),
    ("scheduler-elsewhere", Words),
    ("image-latest", Words),
    ("release-not-attested", Words),
    // Who gets what.
    ("proxy-login", Here(login)),
    ("proxy-sudo", Here(sudo)),
    ("proxy-cron", Here(cron)),
    ("proxy-systemd", Here(systemd)),
    ("proxy-docker", Here(docker)),
    ("proxy-package-manager", Here(package_manager)),
    ("proxy-docker-client", Lab),
    ("proxy-containers", Lab),
    ("proxy-from-containers", Words),
    ("proxy-prod-env", Here(prod_env)),
    ("proxy-drift", Words),
    ("proxy-url", Words),
    ("proxy-url-scheme", Here(|| urls("proxy-url-scheme", "p.corp.example:3128"))),
    ("proxy-url-socks", Here(|| given("proxy-url-socks", "socks5://p.corp.example:1080"))),
    ("proxy-url-https", Here(|| urls("proxy-url-https", "https://p.corp.example:3128"))),
    ("proxy-url-port", Here(|| given("proxy-url-port", "http://p.corp.example"))),
    ("proxy-url-host", Here(|| given("proxy-url-host", "http://10.0.0.256:1"))),
    ("proxy-url-reserved", Here(|| given("proxy-url-reserved", "http://u:p@ss@p.corp.example:1"))),
    ("proxy-url-percent", Here(|| given("proxy-url-percent", "http://u:100%@p.corp.example:1"))),
    ("proxy-url-blank", Here(blank)),
    ("proxy-url-not-ascii", Words),
    ("proxy-url-no-password", Here(|| given("proxy-url-no-password", "http://u@p.corp.example:1"))),
    ("proxy-url-path", Here(|| urls("proxy-url-path", "http://p.corp.example:1/x"))),
    ("proxy-url-two", Here(two)),
    ("proxy-resolves", Words),
    ("proxy-connects", Words),
    ("proxy-language", Here(language)),
    ("proxy-certificate", Words),
    ("proxy-ca-host", Here(authority)),
    ("proxy-ca-daemon", Words),
    ("proxy-ca-containers", Here(authority)),
    ("proxy-connect-method", Words),
    ("proxy-credentials", Words),
    // Lists.
    ("NP001", Here(|| lists("NP001", &["a.corp.example;b.corp.example"]))),
    ("NP002", Here(|| lists("NP002", &["a.corp.example, b.corp.example"]))),
    ("NP003", Here(spellings)),
    ("NP004", Words),
    ("NP005", Here(|| lists("NP005", &["*,a.corp.example"]))),
    ("NP006", Here(|| lists("NP006", &["*.corp.example"]))),
    ("NP007", Words),
    ("NP008", Here(|| lists("NP008", &["127.0.0.0"]))),
    ("NP009", Here(loopback)),
    ("NP010", Here(metadata)),
    ("NP011", Here(|| lists("NP011", &["a.corp.example:8080"]))),
    ("NP012", Here(|| lists("NP012", &["a.corp.example."]))),
    ("NP013", Here(|| lists("NP013", &["http://a.corp.example"]))),
    ("NP014", Here(|| lists("NP014", &["*,a.corp.example"]))),
    ("NP015", Words),
    ("NP016", Words),
    ("NP017", Words),
    ("NP018", Here(|| lists("NP018", &["[::1]"]))),
    ("NP019", Here(|| lists("NP019", &["10.0.0.1-10.0.0.9,a.corp.example"]))),
    // Programs asked.
    ("prove-asked", Lab),
    ("prove-door", Words),
    ("prove-model", Words),
    ("prove-way", Words),
    // The product.
    ("product-installed", Words),
    ("docker-reachable", Lab),
    ("service-running", Lab),
    ("service-exited", Words),
    ("service-restarting", Words),
    ("service-unhealthy", Words),
    ("image-version", Words),
    ("container-environment", Lab),
    ("interface-status", Lab),
    ("queue-waiting", Words),
    ("log-known-trouble", Words),
    // Servers.
    ("mysql-reachable", Words),
    ("mysql-version", Words),
    ("mysql-login", Words),
    ("mysql-tls", Here(mysql_tls)),
    ("mysql-databases", Words),
    ("mysql-grants", Words),
    ("mysql-admin", Words),
    ("mysql-writable", Words),
    ("mysql-clock", Words),
    ("mysql-charset", Words),
    ("mysql-capacity", Words),
    ("redis-reachable", Words),
    ("redis-version", Words),
    ("redis-login", Words),
    ("redis-tls", Not("what warns is an answer over TLS whose certificate the machine trusts")),
    ("redis-mode", Words),
    ("redis-memory", Words),
    ("redis-persistence", Words),
    // Paths.
    ("agent-proxy", Here(|| path("agent-proxy", &["agent", "--agent-region", "us"]))),
    ("agent-resolver", Words),
    ("agent-endpoint", Words),
    ("agent-interception", Words),
    ("agent-static-address", Words),
    ("agent-collector", Words),
    ("agent-installed", Words),
    ("agent-own-proxy", Here(agent_proxy)),
    ("agent-identity", Here(agent_key)),
    ("network-proxy", Here(|| path("network-proxy", &["network"]))),
    ("network-resolver", Words),
    ("network-endpoint", Words),
    ("network-interception", Words),
    ("prod-env-hosts", Here(no_hosts)),
    ("secrets-provider", Words),
    // Settings.
    ("setting-unused", Words),
    ("password-in-argv", Words),
    ("upgrade-direction", Words),
    ("upgrade-backup", Words),
    ("upgrade-hosts", Words),
    ("upgrade-redis", Words),
    ("schema-moved", Words),
    ("variable-unknown", Words),
    ("agent-region-unknown", Words),
    ("settings-file-stays", Words),
];

fn case(root: Root, look: &[&'static str]) -> Case {
    Case { root, look: look.to_vec(), then: None, plain: &[] }
}

/// A root without a product, with these files.
fn with(family: fn() -> Root, files: &[(&str, &str)]) -> Root {
    let root = family();
    std::fs::remove_dir_all(root.at("divvycloud")).unwrap();
    files.iter().for_each(|(path, content)| root.put(path, content));
    root
}

fn proxied(value: &str) -> String {
    format!("http_proxy={value}\nhttps_proxy={value}\n")
}

fn check(root: Root, id: &'static str) -> Case {
    case(root, &["check", "proxy", "--fail-on", "never", "--only", id])
}

fn checked_for(root: Root, id: &'static str) -> Case {
    case(root, &["check", "proxy", "--fail-on", "never", "--proxy", P, "--only", id])
}

fn no_hosts() -> Vec<Case> {
    ["DIVVY_REDIS_HOST=redis://10.1.1.1:6379/0\n", "DIVVY_REDIS_HOST=10.1.1.1:6379\n"]
        .map(|line| {
            let root = with(Root::ubuntu, &[("divvycloud/prod.env", line)]);
            case(root, &["check", "backends", "--fail-on", "never", "--only", "prod-env-hosts"])
        })
        .into()
}

/// An authority that is named, and that neither the host nor the product's containers trust.
fn authority() -> Vec<Case> {
    let case = |root: Root| {
        crate::trust::host(&root, crate::trust::BUNDLE);
        root.put("ca.pem", crate::trust::authority("Inspector").0);
        let file = root.at("ca.pem");
        root.put("etc/ics-setup/settings.toml", format!("[proxy]\nca = \"{}\"\n", file.display()));
        Case { root, look: vec!["check", "proxy"], then: None, plain: &[] }
    };
    vec![case(Root::ubuntu()), case(Root::centos())]
}

fn interrupted() -> Vec<Case> {
    let root = with(Root::ubuntu, &[]);
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    let runs = root.at("var/lib/ics-setup/runs");
    let run = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let journal = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_file());
    let journal = journal.unwrap();
    let begin = std::fs::read_to_string(&journal).unwrap().lines().next().unwrap().to_owned();
    std::fs::write(&journal, format!("{begin}\n")).unwrap();
    vec![case(root, &["check", "host", "--only", "run-interrupted"])]
}

fn runs_many() -> Vec<Case> {
    let root = with(Root::ubuntu, &[]);
    root.run(&["prepare", "--proxy", P, "--yes"]).ok();
    root.years(101);
    vec![case(root, &["prepare", "--proxy", OLD, "--dry-run"])]
}

fn unsupported() -> Vec<Case> {
    let root = with(Root::ubuntu, &[("etc/os-release", "ID=alpine\nVERSION_ID=3.18.4\n")]);
    vec![case(root, &["check", "host", "--only", "os-unsupported"])]
}

fn unknown() -> Vec<Case> {
    let root = with(Root::ubuntu, &[]);
    std::fs::remove_file(root.at("etc/os-release")).unwrap();
    vec![case(root, &["check", "host", "--only", "os-unknown"])]
}

fn forwarding() -> Vec<Case> {
    let off = "# hardening\n net/ipv4/ip_forward =0\nnet.ipv4.ip_forward=0\nnet.ipv4.ip_forward_use_pmtu = 1\n";
    ["etc/sysctl.d/90-cis.conf", "etc/sysctl.conf", "usr/lib/sysctl.d/99-zz.conf"]
        .map(|path| case(with(Root::ubuntu, &[(path, off)]), &["check", "host", "--only", "ip-forward"]))
        .into()
}

fn sudoers(id: &'static str, files: &[(&str, &str)]) -> Case {
    let root = with(Root::centos, files);
    std::fs::create_dir_all(root.at("etc/sudoers.d")).unwrap();
    case(root, &["check", "host", "--fail-on", "never", "--only", id])
}

const CENTOS_SUDOERS: &str = "Defaults    requiretty\nDefaults    secure_path = /sbin:/bin:/usr/sbin:/usr/bin\n\
    root ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n";

fn secure_path() -> Vec<Case> {
    vec![
        sudoers("sudo-secure-path", &[("etc/sudoers", CENTOS_SUDOERS)]),
        sudoers(
            "sudo-secure-path",
            &[("etc/sudoers", CENTOS_SUDOERS), ("etc/sudoers.d/zz-site", "Defaults secure_path=/usr/bin\n")],
        ),
    ]
}

const AGENT: &str = "opt/rapid7/ir_agent/components/bootstrap/common";

fn agent_proxy() -> Vec<Case> {
    let files = [None, Some("{\"https\": \"oldpx.corp.example:8888\"}\n"), Some("proxy=oldpx\n"), Some("{}")];
    let host = |content: Option<&str>| {
        let root = Root::ubuntu();
        // Without a file, its folder may be absent too.
        let folder = if content.is_some() { AGENT } else { "opt/rapid7/ir_agent" };
        std::fs::create_dir_all(root.at(folder)).unwrap();
        content.iter().for_each(|content| root.put(&format!("{AGENT}/proxy.config"), content));
        case(root, &["check", "agent", "--only", "agent-own-proxy", "--proxy", P])
    };
    let mut cases: Vec<Case> = files.into_iter().map(host).collect();
    let root = Root::ubuntu();
    std::fs::create_dir_all(root.at(AGENT)).unwrap();
    cases.push(case(root, &["check", "agent", "--only", "agent-own-proxy", "--proxy", P]));
    cases
}

fn agent_key() -> Vec<Case> {
    let root = Root::ubuntu();
    for (name, mode) in [("client.key", 0o644), ("client.crt", 0o644), ("cafile.pem", 0o644)] {
        let path = format!("{AGENT}/ssl/{name}");
        root.put(&path, "x");
        std::fs::set_permissions(root.at(&path), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let open = Root::ubuntu();
    for name in ["client.key", "client.crt", "cafile.pem"] {
        let path = format!("{AGENT}/ssl/{name}");
        open.put(&path, "x");
        std::fs::set_permissions(open.at(&path), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(open.at(&format!("{AGENT}/ssl")), mode).unwrap();
    let look = &["check", "agent", "--only", "agent-identity"];
    vec![case(root, look), case(open, look)]
}

fn requiretty() -> Vec<Case> {
    vec![
        sudoers("sudo-requiretty", &[("etc/sudoers", CENTOS_SUDOERS)]),
        sudoers(
            "sudo-requiretty",
            &[("etc/sudoers", CENTOS_SUDOERS), ("etc/sudoers.d/zz-site", "Defaults requiretty\n")],
        ),
    ]
}

fn compose_path() -> Vec<Case> {
    const CRON: &str = "var/spool/cron/crontabs/root";
    let host = |called: &str, program: &str| {
        let root = with(Root::ubuntu, &[(CRON, &format!("@reboot {called} -f /divvycloud/x.yml up -d\n"))]);
        root.program(program);
        Case {
            plain: &["/usr/bin/docker-compose", "/bin/sh\\nexec"],
            ..case(root, &["check", "host", "--only", "compose-path"])
        }
    };
    let dangling = host("/usr/local/bin/docker-compose", "usr/bin/docker-compose");
    std::fs::create_dir_all(dangling.root.at("usr/local/bin")).unwrap();
    std::os::unix::fs::symlink("/nowhere", dangling.root.at("usr/local/bin/docker-compose")).unwrap();
    let plugin = "usr/libexec/docker/cli-plugins/docker-compose";
    vec![dangling, host("/opt/site/docker-compose", "usr/bin/docker-compose"), host("/opt/docker-compose", plugin)]
}

fn file_of_a_tool() -> Vec<Case> {
    let root = with(Root::ubuntu, &[("etc/environment", "# Ansible managed\nPATH=\"/usr/bin\"\n")]);
    vec![case(root, &["prepare", "--proxy", P, "--dry-run"])]
}

fn readable() -> Vec<Case> {
    let root = with(Root::ubuntu, &[("etc/environment", &proxied("http://u:s3cret-of-u@p.corp.example:3128"))]);
    root.run(&["prepare", "--yes"]).ok();
    vec![case(root, &["prepare", "--no-proxy", "x.corp.example", "--dry-run"])]
}

fn prod_env_differs() -> Vec<Case> {
    let root = Root::ubuntu();
    root.put("divvycloud/prod.env", proxied(OLD));
    let gone = Root::ubuntu();
    gone.put("divvycloud/prod.env", proxied(OLD));
    gone.put("etc/environment", proxied(OLD));
    vec![case(root, &["prepare", "--proxy", P, "--yes"]), case(gone, &["prepare", "--remove-proxy", "--yes"])]
}

fn system_proxy_differs() -> Vec<Case> {
    let root = Root::ubuntu();
    root.put("etc/environment", proxied(OLD));
    let gone = Root::centos();
    gone.put("divvycloud/prod.env", proxied(OLD));
    gone.put("etc/profile.d/proxy.sh", "export http_proxy=http://oldpx.corp.example:8888\n");
    vec![case(root, &["reconfigure", "--proxy", P, "--yes"]), case(gone, &["reconfigure", "--remove-proxy", "--yes"])]
}

/// A script of a configuration tool that sets another proxy.
const PUPPET: (&str, &str) = (
    "etc/profile.d/zz-site.sh",
    "# This file is managed by Puppet\nexport http_proxy=http://oldpx.corp.example:8888 https_proxy=http://oldpx.corp.example:8888\n",
);

fn login() -> Vec<Case> {
    let id = "proxy-login";
    vec![
        checked_for(with(Root::ubuntu, &[]), id),
        checked_for(with(Root::centos, &[]), id),
        checked_for(with(Root::ubuntu, &[("etc/environment", &proxied(OLD))]), id),
        checked_for(with(Root::centos, &[PUPPET]), id),
    ]
}

fn sudo() -> Vec<Case> {
    let root = with(
        Root::ubuntu,
        &[
            ("etc/sudoers", "root ALL=(ALL) ALL\nDefaults env_file=/etc/site.env\n"),
            ("etc/pam.d/sudo", "session required pam_limits.so\n"),
        ],
    );
    root.put("etc/site.env", format!("# This file is managed by Puppet\n{}", proxied(OLD)));
    root.program("usr/bin/sudo");
    vec![checked_for(root, "proxy-sudo")]
}

fn cron() -> Vec<Case> {
    let root = with(Root::ubuntu, &[("etc/pam.d/cron", "session required pam_env.so\n")]);
    root.put("etc/environment", proxied(OLD));
    root.program("usr/sbin/cron");
    vec![checked_for(root, "proxy-cron")]
}

const UNIT: (&str, &str) = ("lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n");

fn systemd() -> Vec<Case> {
    let manager =
        format!("# managed by Puppet\n[Manager]\nDefaultEnvironment=\"http_proxy={OLD}\" \"https_proxy={OLD}\"\n");
    vec![checked_for(with(Root::ubuntu, &[("etc/systemd/system.conf.d/50-site.conf", &manager)]), "proxy-systemd")]
}

fn docker() -> Vec<Case> {
    let id = "proxy-docker";
    let snap =
        ("etc/systemd/system/snap.docker.dockerd.service", "[Service]\nExecStart=/usr/bin/snap run docker.dockerd\n");
    let env = ("etc/default/docker", "# managed by Chef\nHTTP_PROXY=http://oldpx.corp.example:8888\n");
    let unit = (UNIT.0, "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/bin/dockerd\n");
    let old_json = ("etc/docker/daemon.json", "{\"proxies\":{\"http-proxy\":\"http://oldpx.corp.example:8888\"}}");
    vec![
        checked_for(with(Root::ubuntu, &[UNIT]), id),
        checked_for(with(Root::ubuntu, &[snap]), id),
        checked_for(with(Root::centos, &[unit, env]), id),
        checked_for(with(Root::centos, &[UNIT, old_json]), id),
    ]
}

fn package_manager() -> Vec<Case> {
    let id = "proxy-package-manager";
    let apt = (
        "etc/apt/apt.conf.d/98site",
        "// managed by Puppet\nAcquire::http::Proxy \"http://oldpx.corp.example:8888\";\nAcquire::https::Proxy \"http://oldpx.corp.example:8888\";\n",
    );
    vec![
        checked_for(with(Root::ubuntu, &[]), id),
        checked_for(with(Root::centos, &[("etc/yum.conf", "[main]\ngpgcheck=1\n")]), id),
        checked_for(with(Root::ubuntu, &[apt]), id),
    ]
}

fn prod_env() -> Vec<Case> {
    let id = "proxy-prod-env";
    let odd = Root::ubuntu();
    odd.put("srv/ics's/prod.env", "#http_proxy=x\n");
    let look = ["check", "proxy", "--fail-on", "never", "--home", "/srv/ics's", "--proxy", P, "--only", id];
    let old = Root::ubuntu();
    old.put("divvycloud/prod.env", proxied(OLD));
    vec![checked_for(Root::ubuntu(), id), checked_for(old, id), case(odd, &look)]
}

/// A flaw whose right value is known: in the file of the system, and beside a proxy that is given.
fn urls(id: &'static str, value: &str) -> Vec<Case> {
    let mut cases = given(id, value);
    cases.push(check(with(Root::ubuntu, &[("etc/environment", &proxied(value))]), id));
    let product = Root::ubuntu();
    product.put("divvycloud/prod.env", proxied(value));
    cases.push(check(product, id));
    cases
}

fn given(id: &'static str, value: &str) -> Vec<Case> {
    let product = Root::centos();
    product.put("divvycloud/prod.env", proxied(value));
    vec![checked_for(with(Root::ubuntu, &[("etc/environment", &proxied(value))]), id), checked_for(product, id)]
}

fn line_ends() -> Vec<Case> {
    let root = Root::ubuntu();
    root.put("etc/environment", "LANG=C\r\n");
    let of = |root| Case { root, look: vec!["check", "proxy", "--fail-on", "never"], then: None, plain: &[] };
    vec![of(root), of(with(Root::ubuntu, &[("etc/profile", "export http_proxy=http://p.corp.example:3128\r\n")]))]
}

fn blank() -> Vec<Case> {
    let id = "proxy-url-blank";
    let product = || {
        let root = Root::ubuntu();
        root.put("divvycloud/prod.env", format!("http_proxy=\"{P}\"\nhttps_proxy={P}\n"));
        root
    };
    vec![check(product(), id), checked_for(product(), id)]
}

fn two() -> Vec<Case> {
    let root = with(Root::ubuntu, &[("etc/environment", &format!("http_proxy={OLD}\nhttps_proxy={P}\n"))]);
    vec![checked_for(root, "proxy-url-two")]
}

/// A plain port behind https://.
fn language() -> Vec<Case> {
    let port = crate::fixes::server(b"", b"HTTP/1.1 400 Bad Request\r\nVia: 1.1 squid\r\nContent-Length: 0\r\n\r\n");
    let root = with(Root::ubuntu, &[("etc/environment", &proxied(&format!("https://127.0.0.1:{port}")))]);
    vec![case(root, &["check", "proxy", "--fail-on", "never", "--only", "proxy-language"])]
}

fn path(id: &'static str, words: &[&'static str]) -> Vec<Case> {
    let port = crate::fixes::server(b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let root = with(Root::ubuntu, &[("etc/environment", &proxied(&format!("https://127.0.0.1:{port}")))]);
    let look = [&["check"], words, &["--via", "proxy", "--fail-on", "never", "--only", id]].concat();
    vec![Case { then: Some("does not understand CONNECT"), ..case(root, &look) }]
}

fn lists(id: &'static str, lists: &[&str]) -> Vec<Case> {
    let mut cases = Vec::new();
    for list in lists {
        let system = format!("{}no_proxy=\"{list}\"\n", proxied(P));
        cases.push(check(with(Root::ubuntu, &[("etc/environment", &system)]), id));
        let script = format!("export http_proxy={P} https_proxy={P}\nexport no_proxy=\"{list}\"\n");
        cases.push(check(with(Root::centos, &[("etc/profile.d/proxy.sh", &script)]), id));
        let product = Root::ubuntu();
        product.put("divvycloud/prod.env", format!("{}no_proxy={list}\n", proxied(P)));
        cases.push(check(product, id));
    }
    cases
}

fn spellings() -> Vec<Case> {
    let of =
        |lists: &str| check(with(Root::ubuntu, &[("etc/environment", &format!("{}{lists}", proxied(P)))]), "NP003");
    vec![of("no_proxy=a.corp.example\nNO_PROXY=b.corp.example\n"), of("NO_PROXY=b.corp.example\n")]
}

fn loopback() -> Vec<Case> {
    let root = with(Root::ubuntu, &[("etc/environment", &format!("{}no_proxy=a.corp.example\n", proxied(P)))]);
    vec![case(root, &["check", "proxy", "--fail-on", "never", "--deployment", "test-drive", "--only", "NP009"])]
}

fn metadata() -> Vec<Case> {
    let root = with(Root::ubuntu, &[("etc/environment", &format!("{}no_proxy=a.corp.example\n", proxied(P)))]);
    root.put("sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    vec![check(root, "NP010")]
}

/// A server that lets nobody in without TLS, and whose TLS fails then.
fn mysql_tls() -> Vec<Case> {
    let greeting = b"\x4a\x00\x00\x00\x0a5.7.44\x00\x08\x00\x00\x00ABCDEFGH\x00\xff\xff\x08\x02\x00\xff\xc1\x15\0\0\0\0\0\0\0\0\0\0IJKLMNOPQRST\x00mysql_native_password\x00";
    let refused = b"\x61\x00\x00\x02\xff\x57\x0c#HY000Connections using insecure transport are prohibited while --require_secure_transport=ON.";
    let port = crate::fixes::server(greeting, refused);
    let root = Root::ubuntu();
    root.put(
        "divvycloud/prod.env",
        format!("DIVVY_DB_HOST=127.0.0.1\nDIVVY_DB_PORT={port}\nDIVVY_DB_USERNAME=u\nDIVVY_DB_PASSWORD=s3cret-of-u\n"),
    );
    root.run(&["reconfigure", "--mysql-tls=false", "--yes"]).ok();
    let then = Some("no TLS connection to MySQL");
    vec![Case { then, ..case(root, &["check", "backends", "--fail-on", "never", "--only", "mysql-tls"]) }]
}
