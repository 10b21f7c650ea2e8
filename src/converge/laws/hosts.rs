//! Hosts of both families with odd but real contents in every source, by a seed.

use crate::host::MemoryHost;

/// Another proxy than the one that is asked for.
pub(super) const OLD: &str = "http://oldpx.corp.example:8888";

/// Members that a site has added.
pub(super) const LIST: &str = "localhost,wiki.intra.example";

const ENVIRONMENT: &[&str] = &[
    "http_proxy=OLD",
    "https_proxy=\"OLD\"",
    "HTTP_PROXY=OLD",
    "export http_proxy=OLD",
    "  https_proxy=OLD  ",
    "no_proxy=LIST",
    "NO_PROXY=\"LIST\"",
    "#http_proxy=OLD",
    "# no_proxy=LIST",
    "ALL_PROXY=socks5://oldpx.corp.example:1080",
    "ftp_proxy=OLD",
    "PATH=\"/usr/bin:/bin\"",
    "LANG=C # a remark",
    "BAR=$http_proxy",
    "FOO='a b",
    "PAGER=\\",
    "no_proxy=a.intra.example,\\",
    "http_proxy = OLD",
    "",
];

const SCRIPT: &[&str] = &[
    "export http_proxy=OLD",
    "export https_proxy='OLD' no_proxy=\"LIST\"",
    "http_proxy=OLD",
    "no_proxy=LIST",
    "HTTPS_PROXY=OLD; export HTTPS_PROXY",
    "unset http_proxy https_proxy",
    "export no_proxy=$no_proxy,x.intra.example",
    "if [ -n \"$PS1\" ]; then export http_proxy=OLD; fi",
    "for v in http_proxy https_proxy; do export $v=OLD; done",
    "readonly no_proxy=localhost",
    "eval \"export http_proxy=OLD\"",
    "setpx() { export http_proxy=OLD; }",
    "setpx",
    "umask 022",
    "case $- in *i*) export HTTP_PROXY=OLD;; esac",
    "[ -r /etc/default/px ] && . /etc/default/px",
    "export PATH=$PATH:/opt/bin",
    "# export http_proxy=OLD",
    "export ftp_proxy=OLD ALL_PROXY=$ftp_proxy FOLLOWS=$http_proxy",
    "export FOO=a\\\nBAR=b",
    "export FOO=\\",
    "if true; then",
    "export http_proxy=$(cat /etc/px)",
    "",
];

const DROP_IN: &[&str] = &[
    "Environment=HTTP_PROXY=OLD",
    "Environment=\"http_proxy=OLD\" \"NO_PROXY=LIST\"",
    "Environment=\"NO_PROXY=LIST\" FOO=bar",
    "EnvironmentFile=-/etc/sysconfig/docker",
    "EnvironmentFile=/etc/px.env",
    "UnsetEnvironment=HTTP_PROXY",
    "PassEnvironment=HTTP_PROXY",
    "Environment=",
    "Environment=\"A=%i\" \\\n  B=c",
    "# Environment=HTTP_PROXY=OLD",
    "LimitNOFILE=1048576",
    "Environment=FOO=bar \\",
];

const COMMANDS: &[&str] = &[
    "/usr/bin/dockerd -H fd://",
    "/usr/bin/dockerd $OPTIONS",
    "/usr/bin/dockerd --http-proxy=OLD",
    "/usr/bin/dockerd --config-file /etc/docker/daemon.json",
];

const DAEMON_JSON: &[&str] = &[
    "{}",
    "",
    "{\"log-driver\": \"json-file\"}",
    "{\n  \"proxies\": {\"http-proxy\": \"OLD\", \"no-proxy\": \"LIST\"}\n}\n",
    "{\"proxies\": {}}",
    "{\"proxies\": {\"https-proxy\": \"OLD\"}, \"debug\": true}",
    "{broken",
];

const APT: &[&str] = &[
    "Acquire::http::Proxy \"OLD\";",
    "Acquire { http { Proxy \"OLD\"; }; };",
    "Acquire::https::Proxy \"OLD\";",
    "Acquire::http::Proxy-Auto-Detect \"/usr/local/bin/find-proxy\";",
    "Acquire::http::Proxy::repo.intra.example \"DIRECT\";",
    "Acquire::http::Proxy::repo.intra.example \"OLD\";",
    "APT::Periodic::Unattended-Upgrade \"1\";",
    "#clear Acquire::http;",
    "// Acquire::http::Proxy \"OLD\";",
];

const DNF: &[&str] = &[
    "[main]\n",
    "",
    "[main]\ngpgcheck=1\nproxy=OLD\n",
    "[main]\nproxy = OLD\nproxy_username=u\nproxy_password=p\n",
    "[main]\nproxy=\"OLD\";\n",
    "[main]\nexclude=a\n b\n",
    "[main]\nproxy=_none_\n",
];

const REPOSITORY: &[&str] = &["proxy=OLD", "proxy=_none_", "enabled=0\nproxy=OLD", "gpgcheck=0"];

const PROD_ENV: &[&str] = &[
    "DIVVY_DB_HOST=mysql",
    "#http_proxy=",
    "#https_proxy=http://proxy.acmecorp.com",
    "#no_proxy=mysql,redis,169.254.169.254",
    "http_proxy=OLD",
    "https_proxy='OLD'",
    "no_proxy=LIST",
    "NO_PROXY=\"LIST\"",
    "export http_proxy=OLD",
    "http_proxy: OLD",
    "FOO=\"a b",
    "BAR=a # b",
    "A=$http_proxy",
    "",
];

const CRONTAB: &[&str] =
    &["http_proxy=OLD", "https_proxy=\"OLD\"", "* * * * * root true", "no_proxy = LIST", "# http_proxy=OLD"];

/// A generator of numbers that is the same everywhere (SplitMix64).
pub(super) struct Seed(pub(super) u64);

impl Seed {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap()
    }

    /// One time in `of`.
    pub(super) fn one_in(&mut self, of: usize) -> bool {
        self.next().is_multiple_of(of)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.next() % from.len()]
    }

    /// Up to `most` of these lines.
    pub(super) fn lines(&mut self, from: &[&str], most: usize) -> String {
        let count = self.next() % (most + 1);
        let mut text: String = (0..count).map(|_| format!("{}\n", self.pick(from))).collect();
        if self.one_in(8) {
            text.pop();
        }
        if self.one_in(16) {
            text = text.replace('\n', "\r\n");
        }
        text
    }
}

/// The host of a seed: Debian's family where it is even.
pub(super) fn host(number: u64) -> MemoryHost {
    let mut seed = Seed(number);
    let host = MemoryHost::new();
    let put = |path: &str, text: &str| host.put(path, text.replace("OLD", OLD).replace("LIST", LIST).as_bytes());
    let is_debian = number.is_multiple_of(2);
    host.put_dir("/var/lib");
    host.put_dir("/etc/systemd/system");
    let profile = match is_debian {
        true => {
            put("/etc/os-release", "ID=ubuntu\nVERSION_ID=\"22.04\"\n");
            include_str!("../../../assets/profile/debian")
        }
        false => {
            put("/etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\n");
            include_str!("../../../assets/profile/redhat")
        }
    };
    let last = if seed.one_in(6) { seed.pick(SCRIPT) } else { "" };
    put("/etc/profile", &format!("{profile}{last}\n"));
    if !seed.one_in(3) {
        put("/etc/environment", &seed.lines(ENVIRONMENT, 5));
    }
    for name in ["aa.sh", "proxy.sh", "site.sh", "zz.sh", "site.sh.bak"] {
        if seed.one_in(3) {
            put(&format!("/etc/profile.d/{name}"), &seed.lines(SCRIPT, 4));
        }
    }
    if seed.one_in(6) {
        put("/opt/site.sh", &seed.lines(SCRIPT, 2));
        host.put_link("/etc/profile.d/zz-link.sh", "../../opt/site.sh", 0);
    }
    if seed.one_in(6) {
        put("/home/divvy/.profile", &seed.lines(SCRIPT, 2));
    }
    if seed.one_in(2) {
        let unit = format!("[Service]\nExecStart={}\n{}", seed.pick(COMMANDS), seed.lines(DROP_IN, 1));
        put("/usr/lib/systemd/system/docker.service", &unit);
        put("/usr/bin/dockerd", "");
    }
    for name in ["a.conf", "http-proxy.conf", "proxy.conf", "zz.conf"] {
        if seed.one_in(4) {
            put(
                &format!("/etc/systemd/system/docker.service.d/{name}"),
                &format!("[Service]\n{}", seed.lines(DROP_IN, 3)),
            );
        }
    }
    if seed.one_in(4) {
        put("/etc/sysconfig/docker", "HTTP_PROXY=OLD\nOPTIONS=\n");
    }
    if seed.one_in(3) {
        put("/etc/docker/daemon.json", seed.pick(DAEMON_JSON));
    }
    if seed.one_in(8) {
        put("/etc/systemd/system.conf.d/50.conf", "[Manager]\nDefaultEnvironment=\"http_proxy=OLD\" LANG=C\n");
    }
    if is_debian {
        for name in ["apt.conf", "apt.conf.d/20site", "apt.conf.d/96site", "apt.conf.d/98site.conf", "apt.conf.d/x.bak"]
        {
            if seed.one_in(4) {
                put(&format!("/etc/apt/{name}"), &seed.lines(APT, 2));
            }
        }
        put("/etc/pam.d/cron", "session required pam_env.so\n");
    } else {
        put("/etc/dnf/dnf.conf", seed.pick(DNF));
        if seed.one_in(3) {
            let text = format!("[site]\nname=s\nbaseurl=http://r.intra.example/\n{}\n", seed.pick(REPOSITORY));
            put("/etc/yum.repos.d/site.repo", &text);
        }
    }
    if seed.one_in(3) {
        put("/etc/cron.d/site", &seed.lines(CRONTAB, 3));
    }
    if seed.one_in(8) {
        put("/root/.docker/config.json", "{\"proxies\": {\"default\": {\"httpProxy\": \"OLD\"}}}");
    }
    put("/divvycloud/prod.env", &seed.lines(PROD_ENV, 6));
    host
}
