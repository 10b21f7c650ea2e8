//! How secrets stand in files of a host. `{A}` and `{B}` are secrets, or the two parts of one.

/// The files of one kind, with the lines that each shape puts there.
pub struct Place {
    pub file: &'static str,
    /// What stands in front of and behind each shape.
    pub around: [&'static str; 2],
    pub shapes: &'static [&'static str],
}

pub const PLACES: [Place; 9] = [
    Place { file: "etc/environment", around: ["PATH=\"/usr/bin:/bin\"\n", ""], shapes: ENVIRONMENT },
    Place { file: "etc/profile.d/proxy.sh", around: ["", ""], shapes: SCRIPT },
    Place { file: "etc/profile.d/zz-site.sh", around: ["", ""], shapes: SCRIPT },
    Place { file: "divvycloud/prod.env", around: ["DIVVY_DB_HOST=mysql\n", "#https_proxy=\n"], shapes: DOTENV },
    Place {
        file: "etc/systemd/system/docker.service.d/http-proxy.conf",
        around: ["[Service]\n", "\n"],
        shapes: DROP_IN,
    },
    Place { file: "etc/docker/daemon.json", around: ["", "\n"], shapes: DAEMON },
    Place { file: "etc/apt/apt.conf.d/95proxies", around: ["", "\n"], shapes: APT },
    Place { file: "etc/yum.conf", around: ["[main]\n", "\n"], shapes: YUM },
    Place { file: "root/.docker/config.json", around: ["", "\n"], shapes: DOCKER_CLIENT },
];

/// As `pam_env` reads them.
const ENVIRONMENT: &[&str] = &[
    "http_proxy=\"http://svc:{A}@oldpx.example:1\"\n",
    "http_proxy=svc:{A}@oldpx:1\n",
    "http_proxy=http://{A}@oldpx:1\n",
    "http_proxy='http://svc:{A}#oldpx:1'\n",
    "http_proxy=\"http://svc:{A} {B}@oldpx:1\"\n",
    "no_proxy=intra.example,svc:{A}@oldpx:1,wiki\n",
    "no_proxy=\"intra.example, http://svc:{A}@oldpx:1;svc:{B}@x\"\n",
    "export http_proxy=http://svc:{A}@oldpx:1\n",
    "HTTP_PROXY='http://svc:{A}/{B}@oldpx:1'\n",
    "https_proxy=http://svc:{A}@{B}@oldpx:1\nHTTPS_PROXY=http://svc:{A}:{B}@oldpx:1\n",
    "X_TOKEN={A}\nhttp_proxy=http://oldpx:1\n",
    "http_proxy=http://svc:{A}\\\n{B}@oldpx:1\n",
    "HDR=\"Authorization: Bearer {A}\"\nhttp_proxy=http://oldpx:1\n# the password is {B}\n",
    "#http_proxy=http://svc:{A}@oldpx:1\nhttp_proxy=http://oldpx:1\n",
    "ftp_proxy=ftp://svc:{A}@oldpx:1\nall_proxy=socks5://svc:{B}@oldpx:1\nhttp_proxy=http://oldpx:1\n",
    "http_proxy=http://svc:{A}@oldpx:1 https_proxy=http://svc:{B}@oldpx:1\n",
    "http_proxy=\"http://svc:{A}@oldpx:1\";\n",
    "http_proxy=http://svc:{A}\n",
    "http_proxy=http://svc:{A}@\n",
    "http_proxy=//svc:{A}@oldpx:1\n",
    "http_proxy=http:/svc:{A}@oldpx:1\nhttps_proxy=http//svc:{B}@oldpx:1\n",
    "http_proxy=http://svc:x{A}\u{202e}{B}@oldpx:1\n",
    "http_proxy=http://svc:\u{1b}[2m{A}@oldpx:1\r\n",
    "http_proxy=socks5h://svc:{A}@oldpx:1\nhttps_proxy=HTTP://svc:{B}@oldpx:1\n",
    "http_proxy=http://svc:100%{A}@oldpx:1\nhttps_proxy=http://svc:%40%2F{B}@oldpx:1\n",
];

/// As a shell reads them.
const SCRIPT: &[&str] = &[
    "PX_PW={A}\nexport http_proxy=http://svc:${PX_PW}@oldpx.example:8888\n",
    "export http_proxy=\"http://svc:{A}\\\n{B}@oldpx:1\"\n",
    "export http_proxy='http://svc:{A}\n{B}@oldpx:1'\n",
    "PX_PW='{A}\n{B}'\nexport http_proxy=\"http://svc:$PX_PW@oldpx:1\"\n",
    "cat >/dev/null <<EOF\n{A}\npassword {B}\nEOF\nexport http_proxy=http://oldpx:1\n",
    "echo {A} | base64; export http_proxy=http://oldpx:1\n",
    "export http_proxy=$(echo http://svc:{A}@oldpx:1)\n",
    "export http_proxy=`echo http://svc:{A}@oldpx:1`\n",
    "export http_proxy=http://svc:\"{A}\"@oldpx:1\n",
    "http_proxy=http://svc:{A}@oldpx:1; export http_proxy\n",
    "export http_proxy=http://svc:{A}@oldpx:1 no_proxy=a,svc:{B}@oldpx\n",
    "curl -u svc:{A} http://x.example; export http_proxy=http://oldpx:1\n",
    "declare -x http_proxy=$'http://svc:{A}@oldpx:1'\n",
    "export http_proxy=${OLD:-http://svc:{A}@oldpx:1}\n",
    "if [ -n \"{A}\" ]; then export http_proxy=http://oldpx:1; fi\n",
    "f() { export http_proxy=http://svc:{A}@oldpx:1; }; f\n",
    "export http_proxy=http://oldpx:1 # the password is {A}\n",
    "export http_proxy=http://svc:$(cat <<X\n{A}\nX\n)@oldpx:1\n",
    "TOKEN={A} http_proxy=http://oldpx:1 run\nexport http_proxy=http://oldpx:1\n",
    "alias px='curl -U svc:{A}'\nexport http_proxy=http://oldpx:1\n",
    "export http_proxy=\"http://svc:$(printf '%s' \"{A}\")@oldpx:1\"\n",
    "export http_proxy=http://svc:\\\n\\\n{A}@oldpx:1\n",
    "export http_proxy=http://svc:'{A}'{B}@oldpx:1 https_proxy=$http_proxy\n",
    "export \\\n  http_proxy=http://svc:{A}@oldpx:1 \\\n  https_proxy=http://svc:{B}@oldpx:1\n",
    "PX=(svc {A}\n{B})\nexport http_proxy=http://${PX[0]}:${PX[1]}@oldpx:1\n",
];

/// As Compose and docker read them.
const DOTENV: &[&str] = &[
    "http_proxy=http://svc:\\\n{A}@oldpx:1\n#no_proxy=\n",
    "X_PASSWORD=\"first\n{A}\"\n#http_proxy=\n",
    "TLS_KEY=\"-----BEGIN PRIVATE KEY-----\n{A}\n-----END PRIVATE KEY-----\"\n#http_proxy=\n",
    "TLS_KEY=-----BEGIN PRIVATE KEY-----\n{A}\n{B}\n-----END PRIVATE KEY-----\n#http_proxy=\n",
    "-----BEGIN RSA PRIVATE KEY-----\n{A}=\n-----END RSA PRIVATE KEY-----\n#http_proxy=\n",
    "SIGNING_PASSPHRASE={A}\nREDISCLI_AUTH={B}\n#http_proxy=\n",
    "LDAP_PASSWORD_2={A}\nHOOK_URL=https://h.example/services/T0/{B}\n#http_proxy=\n",
    "BLOB=https://a.example/x?sig={A}\nHDR=\"Authorization: Bearer {B}\"\n#http_proxy=\n",
    "# the password is {A}\n#http_proxy=http://svc:{B}@oldpx:1\n",
    "DIVVY_DB_PASSWORD={A}\nDIVVY_REDIS_PASSWORD='{B}'\n#http_proxy=\n",
    "DIVVY_SECRET_DB_PASSWORD='{A}\n{B}'\n#http_proxy=\n",
    "DATABASE_URL=mysql://u:{A}@db/x\nDIVVY_REDIS_URL=redis://:{B}@r:6379\n#http_proxy=\n",
    "PASSWORD: {A}\nPASSWORD {B}\n#http_proxy=\n",
    "CFG={\"password\":\"{A}\",\"b\":\"{B}\"}\n#http_proxy=\n",
    "CFG={\n \"password\": \"{A}\",\n \"b\": [\"{B}\"]\n}\n#http_proxy=\n",
    "X=\"a\\\"{A}\" {B}\n#http_proxy=\n",
    "X='it'\\''s {A}'\n#http_proxy=\n",
    "X_PASSWORD={A}\r\nhttp_proxy=http://svc:{B}@oldpx:1\r\n",
    "http_proxy=http://svc:{A}@oldpx:1\nHTTP_PROXY=http://svc:{B}@oldpx:1\n",
    "http_proxy=\"http://svc:{A}\n{B}@oldpx:1\"\n",
    "no_proxy=mysql,redis,svc:{A}@oldpx:1\nhttp_proxy=http://oldpx:1\n",
    "  http_proxy = http://svc:{A}@oldpx:1\n#http_proxy=\n",
    "http_proxy=http://svc:{A}@oldpx:1 # was {B}\n",
    "http_proxy:http://svc:{A}@oldpx:1\n#http_proxy=\n",
    "{A}\n{B}\n#http_proxy=\n",
];

/// As systemd reads them.
const DROP_IN: &[&str] = &[
    "Environment=\"HTTP_PROXY=http://svc:{A}@oldpx:1\"",
    "Environment=HTTP_PROXY=http://svc:{A}@oldpx:1 \"NO_PROXY=a,u:{B}@oldpx\"",
    "Environment=\"HTTP_PROXY=http://svc:{A}\\\n{B}@oldpx:1\"",
    "Environment=\"A={A}\" \"HTTP_PROXY=http://oldpx:1\"",
    "ExecStartPre=/bin/x --pw {A}\nEnvironment=\"HTTP_PROXY=http://oldpx:1\"",
    "Environment=\\\n \"HTTP_PROXY=http://svc:{A}@oldpx:1\" \\\n \"X={B}\"",
    "# {A}\n; {B}\nEnvironment=\"HTTP_PROXY=http://oldpx:1\"",
    "SetCredential=x:{A}\nEnvironment=\"HTTP_PROXY=http://oldpx:1\"",
    "Environment='HTTP_PROXY=http://svc:{A}@oldpx:1' 'HTTPS_PROXY=http://svc:{B}@oldpx:1'",
    "Environment = HTTP_PROXY=http://svc:{A}@oldpx:1",
    "Environment=\"HTTP_PROXY=http://svc:%%40{A}@oldpx:1\"",
    "Environment=\"HTTP_PROXY=http://svc:{A}@oldpx:1",
    "ExecStart=\nExecStart=/usr/bin/dockerd \\\n  --pw {A} \\\n# between\n  {B}\nEnvironment=\"HTTP_PROXY=http://oldpx:1\"",
];

/// As dockerd reads its own file.
const DAEMON: &[&str] = &[
    "{\"proxies\": {\"http-proxy\": \"http://svc:{A}@oldpx:1\", \"https-proxy\": \"http://svc:{B}@oldpx:1\"}}",
    "{\"x\": \"{A}\", \"proxies\": {\"http-proxy\": \"http://oldpx:1\"}}",
    "{\n  \"proxies\": {\n    \"http-proxy\":\n      \"http://svc:{A}@oldpx:1\"\n  }\n}",
    "{\n  \"log-opts\": {\n    \"splunk-token\": \"{A}\",\n    \"x\":\n    \"{B}\"\n  },\n  \"proxies\": {\"http-proxy\": \"http://oldpx:1\"}\n}",
    "{\n  \"labels\": [\n    \"{A}\",\n    \"pw={B}\"\n  ],\n  \"proxies\": {\n    \"http-proxy\": \"http://oldpx:1\"\n  }\n}",
    "{\"proxies\": {\"http-proxy\": \"http:\\/\\/svc:{A}@oldpx:1\"}}",
    "{\"proxies\": {\"http-proxy\": \"http://svc:{A}\\u0040oldpx:1\"}}",
    "{\"proxies\": {\"http-proxy\": \"http:\\/\\/svc:9{A}\\u0040oldpx:1\", \"no-proxy\": \"a,svc:{B}\\u0040x\"}}",
    "{\"proxies\": {\"http-proxy\": \"http\\u003a//svc\\u003a{A}@oldpx:1\"}}",
    "{\"log-opts\": {\"splunk-token\": \"{A}\"}}",
    "{\"registry-mirrors\": [\"https://u:{A}@m.example\", \"https://v:{B}@n.example\"]}",
];

const APT: &[&str] = &[
    "Acquire::http::Proxy \"http://svc:{A}@oldpx:1\";",
    "Acquire { http { Proxy \"http://svc:{A}@oldpx:1\"; }; };",
    "Acquire::http::Proxy\n\"http://svc:{A}@oldpx:1\";",
    "// {A}\n/* the password is\n{B}=1\n*/\nAcquire::http::Proxy \"http://oldpx:1\";",
    "Acquire::https::Proxy::repo.example \"http://svc:{A}@oldpx:1\";",
    "Acquire::http::Proxy \"http://svc:{A}@oldpx:1\"; # {B}",
    "Acquire {\n  http {\n    Proxy \"http://svc:{A}@oldpx:1\";\n  };\n  https { Proxy\n  \"http://svc:{B}@oldpx:1\"; };\n};",
    "Acquire::http::Proxy \"http://svc:{A}\n{B}@oldpx:1\";",
    "Acquire::http::Proxy http://svc:{A}@oldpx:1;",
    "acquire::HTTP::proxy 'http://svc:{A}@oldpx:1';",
];

const YUM: &[&str] = &[
    "proxy=http://svc:{A}@oldpx:1",
    "proxy=http://oldpx:1\nproxy_username=svc\nproxy_password={A}",
    "proxy = http://oldpx:1\nproxy_password =\n  {A}\n  {B}",
    "proxy=http://oldpx:1\npassword={A}\n[repo]\nbaseurl=https://u:{B}@r.example/",
    "proxy : http://svc:{A}@oldpx:1\nproxy_password: {B}",
    "# {A}\nproxy=http://oldpx:1\n; {B}",
    "proxy=http://oldpx:1\nproxy_password=\"{A}\"\nsslclientkey=x\n\texclude={B}",
    "proxy=http://oldpx:1\nproxy_username=svc\nPROXY_PASSWORD={A} {B}",
];

/// As the docker client reads its own file.
const DOCKER_CLIENT: &[&str] = &[
    "{\"proxies\": {\"default\": {\"httpProxy\": \"http://svc:{A}@oldpx:1\", \"noProxy\": \"a,svc:{B}@x\"}}}",
    "{\"auths\": {\"r.example\": {\"auth\": \"{A}\"}, \"{B}\": {}}}",
    "{\"proxies\": {\"default\": {\"httpProxy\": \"http://svc:{A}\\u0040oldpx:1\", \"noProxy\": \"svc:{B}\\u0040x\"}}}",
    "{\"HttpHeaders\": {\"Authorization\": \"{A}\"}, \"proxies\": {\"tcp://u:{B}@d:1\": {\"httpProxy\": \"http://oldpx:1\"}}}",
    "{\"proxies\": {\"default\": {\"httpProxy\": \"svc:{A}@\", \"httpsProxy\": {\"x\": \"{B}\"}}}}",
    "{\"auths\": {{A}: 1}",
];
