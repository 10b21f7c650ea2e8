//! No output of `check` and no file of facts holds a secret: one is planted in every place that it can come from, a peer
//! throws back whatever it is sent, and everything that was written is searched, raw, percent-encoded and base64.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::LazyLock;

use serde_json::Value;

use crate::check::formats;
use crate::root::{Ran, Root, run};
use crate::secrets::{base64, percent};

/// Groups that have checks, and so must report something here. A group that lists ids counts by itself; naming it here makes
/// sure that it does.
const MUST_REPORT: [&str; 6] = ["host", "proxy", "backends", "network", "agent", "runtime"];

/// One per place, so that a leak names its source.
const PLACES: [&str; 18] = [
    "flag",
    "variable",
    "password-file",
    "settings-file",
    "mysql-variable",
    "redis-file",
    "environment",
    "profile.d",
    "docker-drop-in",
    "daemon.json",
    "prod.env-proxy",
    "prod.env-mysql",
    "prod.env-redis",
    "apt",
    "yum",
    "docker-config",
    "unit",
    "crontab",
];

/// Characters that every encoding has its own form for.
fn secret(place: &str) -> String {
    format!("S3c/{place}+r@t")
}

/// With everything that a URL could misread encoded, as a careful person writes it.
fn in_url(place: &str) -> String {
    secret(place).replace('/', "%2F").replace('+', "%2B").replace('@', "%40")
}

fn url(place: &str, port: u16) -> String {
    format!("http://svc:{}@127.0.0.1:{port}", in_url(place))
}

/// Every form in which a secret could get out.
fn forms(place: &str) -> Vec<String> {
    let raw = secret(place);
    let full = percent(&raw);
    let mut forms = vec![raw.clone(), full.clone(), full.to_lowercase(), full.replace('%', "%%"), in_url(place)];
    // One sign encoded and the others not, as redirects and error messages have it.
    forms.extend(['/', '+', '@'].map(|sign| raw.replace(sign, &percent(&sign.to_string()))));
    forms.extend([base64(&raw), base64(&full)]);
    for user in ["svc", "divvy", "default", "root", ""] {
        forms.push(base64(&format!("{user}:{raw}")));
        forms.push(base64(&format!("{user}:{}", in_url(place))));
    }
    // As JSON, XML and TAP would write them.
    forms.extend([raw.replace('/', "\\/"), raw.replace('+', "&#43;")]);
    forms
}

fn assert_clean(ran: &Ran, facts: &str, what: &str) {
    static FORMS: LazyLock<Vec<(&str, String)>> =
        LazyLock::new(|| PLACES.iter().flat_map(|place| forms(place).into_iter().map(|form| (*place, form))).collect());
    for (stream, text) in [("stdout", &*ran.stdout), ("stderr", &*ran.stderr), ("the file of facts", facts)] {
        for (place, form) in &*FORMS {
            assert!(!text.contains(form), "{what}: {stream} shows the secret of {place} as {form}:\n{text}");
        }
    }
}

fn dressed(root: Root, port: u16, mysql: u16) -> Root {
    let line = |place: &str| {
        let url = url(place, port);
        format!("http_proxy=\"{url}\"\nhttps_proxy=\"{url}\"\nno_proxy=\"localhost\"\n")
    };
    root.put("etc/environment", line("environment"));
    root.put(
        "etc/profile.d/proxy.sh",
        format!("export {}", line("profile.d").replace('\n', "\nexport ")).trim_end_matches("export "),
    );
    let unit =
        |place: &str| format!("[Service]\nEnvironment=\"HTTP_PROXY={0}\" \"HTTPS_PROXY={0}\"\n", url(place, port));
    root.put("etc/systemd/system/docker.service.d/http-proxy.conf", unit("docker-drop-in").replace('%', "%%"));
    root.put("etc/systemd/system/divvycloud.service", unit("unit").replace('%', "%%"));
    let json = |place: &str| format!("{{\"http-proxy\": \"{0}\", \"https-proxy\": \"{0}\"}}", url(place, port));
    root.put("etc/docker/daemon.json", format!("{{\"proxies\": {}}}\n", json("daemon.json")));
    root.put(
        "divvycloud/prod.env",
        format!(
            "{}DIVVY_DB_HOST=127.0.0.1\nDIVVY_DB_PORT={mysql}\nDIVVY_DB_USERNAME=divvy\nDIVVY_DB_PASSWORD={}\n\
             DIVVY_REDIS_HOST=127.0.0.1\nDIVVY_REDIS_PORT={port}\nDIVVY_REDIS_PASSWORD={}\n",
            line("prod.env-proxy").replace('"', ""),
            secret("prod.env-mysql"),
            secret("prod.env-redis"),
        ),
    );
    root.put("etc/apt/apt.conf.d/95proxies", format!("Acquire::http::Proxy \"{}\";\n", url("apt", port)));
    root.put(
        "etc/yum.conf",
        format!("[main]\nproxy=http://127.0.0.1:{port}\nproxy_username=svc\nproxy_password={}\n", secret("yum")),
    );
    root.put("etc/dnf/dnf.conf", format!("[main]\nproxy={}\n", url("yum", port)));
    let login = base64(&format!("svc:{}", secret("docker-config")));
    for home in ["root", "home/divvy"] {
        root.put(
            &format!("{home}/.docker/config.json"),
            format!(
                "{{\"auths\": {{\"registry.corp.example\": {{\"auth\": \"{login}\"}}}}, \"proxies\": {{\"default\": \
                 {{\"httpProxy\": \"{0}\", \"httpsProxy\": \"{0}\"}}}}}}\n",
                url("docker-config", port)
            ),
        );
        root.put(&format!("{home}/.bashrc"), format!("export {}", line("profile.d")));
    }
    root.put("etc/crontab", format!("{}* * * * * root /bin/true\n", line("crontab")));
    root.put("etc/cron.d/divvy", line("crontab"));
    root.put("password", secret("password-file"));
    root.put("redis-password", secret("redis-file"));
    root.put(
        "settings.toml",
        format!(
            "[proxy]\nurl = \"{}\"\n[mysql]\npassword = \"{}\"\n",
            url("settings-file", port),
            secret("settings-file")
        ),
    );
    root
}

/// Says to everybody what they have just said, as an HTTP proxy, as a Redis server, as something else.
fn echo() -> u16 {
    serve(|mut stream| {
        let mut buffer = [0; 4096];
        for _ in 0..20 {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            let heard = String::from_utf8_lossy(&buffer[..count]).replace("\r\n", " ");
            let answer = if heard.starts_with('*') {
                format!("-ERR unknown command, with args beginning with: {heard}\r\n")
            } else if heard.contains(" HTTP/1.") {
                format!(
                    "HTTP/1.1 407 no {heard}\r\nProxy-Authenticate: Basic realm=\"{heard}\"\r\nServer: {heard}\r\n\
                     Content-Length: {}\r\n\r\n{heard}",
                    heard.len()
                )
            } else {
                heard
            };
            stream.write_all(answer.as_bytes())?;
        }
        stream.shutdown(Shutdown::Both)
    })
}

/// As MySQL it speaks first; then it refuses the login in the words that it came in.
fn echo_of_mysql() -> u16 {
    serve(|mut stream| {
        let packet = |number: u8, payload: &[u8]| {
            let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes();
            bytes[3] = number;
            [&bytes[..], payload].concat()
        };
        let capabilities = b"\x01\xa2\x08\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0";
        let hello =
            [&b"\x0a5.7.44-log\0\x07\0\0\0abcdefgh\0"[..], capabilities, b"ijklmnopqrst\0mysql_native_password\0"];
        stream.write_all(&packet(0, &hello.concat()))?;
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer)?;
        stream.write_all(&packet(2, &[b"\xff\x15\x04#28000no ", &buffer[..count]].concat()))?;
        stream.shutdown(Shutdown::Write)
    })
}

fn serve(talk: impl Fn(TcpStream) -> std::io::Result<()> + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = talk.clone();
            std::thread::spawn(move || talk(stream));
        }
    });
    port
}

/// Arguments and variables.
type Way<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

#[test]
fn no_format_of_check_and_no_file_of_facts_holds_a_secret() {
    let (port, mysql) = (echo(), echo_of_mysql());
    let formats = formats();
    let flag = url("flag", port);
    let broken = format!("http://svc:{}@h:notaport", in_url("flag"));
    let mut reported: BTreeSet<String> = BTreeSet::new();
    for (turn, root) in [Root::ubuntu(), Root::centos()].into_iter().enumerate() {
        let root = dressed(root, port, mysql);
        let at = |path: &str| root.at(path).display().to_string();
        let (password, redis, settings, facts) =
            (at("password"), at("redis-password"), at("settings.toml"), at("facts.json"));
        let plain = format!("http://127.0.0.1:{port}");
        let variable = url("variable", port);
        let mysql_password = secret("mysql-variable");
        let ways: [Way<'_>; 6] = [
            (&[], &[]),
            (&["--proxy", &flag], &[("ICS_SETUP_MYSQL_PASSWORD", &mysql_password)]),
            (
                &[
                    "--proxy",
                    &plain,
                    "--proxy-user",
                    "svc",
                    "--proxy-password-file",
                    &password,
                    "--redis-password-file",
                    &redis,
                ],
                &[],
            ),
            (&[], &[("ICS_SETUP_PROXY", &variable), ("ICS_SETUP_MYSQL_PASSWORD", &mysql_password)]),
            (&["--settings", &settings], &[]),
            (&["--proxy", &broken], &[]),
        ];
        for (way, (arguments, variables)) in ways.iter().enumerate() {
            // Looking costs seconds where something listens: each way takes another format on each root, and all of them
            // get the facts.
            let format = &formats[(way + turn * formats.len() / 2) % formats.len()];
            let _ = std::fs::remove_file(&facts);
            // What is not of this machine may not answer at all.
            let limits = ["--connect-timeout", "1s", "--timeout", "20s", "--deadline", "60s"];
            let rest = ["-v", "--save-facts", &facts, "--format", format];
            let all = [&["check"], *arguments, &limits, &rest].concat();
            let ran = root.run_with(&all, variables, "");
            let text = std::fs::read_to_string(&facts).unwrap_or_default();
            assert_clean(&ran, &text, &format!("{all:?} {variables:?}"));
            if arguments.contains(&&*broken) {
                assert!(text.is_empty() && ran.code == 3, "{all:?} ended with {}", ran.code);
                continue;
            }
            assert!(text.contains("ics-setup/facts/v2"), "{all:?} saved no facts: {}", ran.stderr);
            for form in ["html", "md"] {
                let report = at(&format!("report.{form}"));
                let ran = run(&["check", "--from", &facts, "--report", &report], &[], "");
                let text = std::fs::read_to_string(&report).unwrap();
                assert_clean(&ran, &text, &format!("{form} after {arguments:?}"));
            }
            for format in &formats {
                let all = ["check", "--from", &facts, "--format", format, "-v"];
                let ran = run(&all, &[], "");
                assert!(ran.code <= 4 && !ran.stdout.is_empty(), "{all:?}: {}", ran.stderr);
                assert_clean(&ran, "", &format!("{all:?} after {arguments:?}"));
                if format == "json" {
                    let findings = ran.json()["findings"].as_array().unwrap().clone();
                    reported.extend(findings.iter().map(|finding| finding["group"].as_str().unwrap().to_owned()));
                }
            }
        }
    }
    // A search of nothing finds nothing: every group that has checks has said something.
    let listed = run(&["check", "--list", "--format", "json"], &[], "").ok().json();
    let rows: &Vec<Value> = listed["checks"].as_array().unwrap();
    let mut groups: BTreeSet<&str> = rows.iter().map(|row| row["group"].as_str().unwrap()).collect();
    groups.extend(MUST_REPORT);
    let silent: Vec<&&str> = groups.iter().filter(|group| !reported.contains(**group)).collect();
    assert!(silent.is_empty(), "no finding at all of {silent:?}, so there was nothing to search");
}

#[test]
fn what_is_searched_for_is_what_was_planted() {
    let root = dressed(Root::ubuntu(), 1, 1);
    for (file, place) in [
        ("etc/environment", "environment"),
        ("etc/profile.d/proxy.sh", "profile.d"),
        ("etc/docker/daemon.json", "daemon.json"),
        ("divvycloud/prod.env", "prod.env-mysql"),
        ("divvycloud/prod.env", "prod.env-redis"),
        ("etc/apt/apt.conf.d/95proxies", "apt"),
        ("root/.docker/config.json", "docker-config"),
        ("etc/systemd/system/divvycloud.service", "unit"),
        ("settings.toml", "settings-file"),
    ] {
        let text = root.get(file).replace("%%", "%");
        assert!(forms(place).iter().any(|form| text.contains(form)), "{file}: {text}");
        let ran = Ran { code: 0, stdout: text, stderr: String::new() };
        assert!(std::panic::catch_unwind(|| assert_clean(&ran, "", file)).is_err(), "the search finds it in {file}");
    }
}
