//! `render nginx` and `render apache` in a real nginx and a real Apache, in front of a stand-in for the web interface: web
//! sockets, uploads, paths, redirects, forwarded headers, answers that take a while. Everything runs in a network of its own.
//!
//! What the texts are for is shown by sites that people write without them: the same requests find what these lack.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::{BOUNDED, Leash, Ran, binary, lab, need, need_root, scratch, scratch_for_all, serve, skip, until};

const NAME: &str = "ics.corp.example";

/// Where Debian has the modules of Apache.
const MODULES: &str = "/usr/lib/apache2/modules";

/// A site as `render` makes it.
fn rendered(server: &str, folder: &Path) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    let arguments = ["render", server, "--server-name", NAME, "--certificate", &at("crt"), "--key", &at("key")];
    let output = Command::new(binary()).args(arguments).env_clear().stdin(Stdio::null()).output().unwrap();
    let ran = Ran::of(arguments.join(" "), output).expect(0);
    assert_eq!(ran.err, "");
    String::from_utf8(ran.out).unwrap()
}

/// Sites that have TLS and a way to the interface, and nothing else.
fn naive(server: &str, folder: &Path) -> String {
    let at = folder.display();
    match server {
        "nginx" => format!(
            "server {{ listen 443 ssl; ssl_certificate {at}/crt; ssl_certificate_key {at}/key;
               location / {{ proxy_pass http://127.0.0.1:8001/; }} }}\n"
        ),
        _ => format!(
            "<VirtualHost *:443>\nServerName {NAME}\nSSLEngine on\nSSLCertificateFile {at}/crt\n\
             SSLCertificateKeyFile {at}/key\nProxyPass / http://127.0.0.1:8001/\n</VirtualHost>\n"
        ),
    }
}

/// The main file of the server, with the site in it, and how it is tried and started with it.
fn main_file(server: &str, folder: &Path) -> (String, [Vec<String>; 2]) {
    let at = folder.display();
    let conf = format!("{at}/main.conf");
    let words = |line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    match server {
        "nginx" => {
            let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
            let temp: String = temp.map(|name| format!("{name}_temp_path {at}/{name};\n")).concat();
            let text = format!(
                "daemon off;\npid {at}/pid;\nerror_log {at}/server.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temp}include {at}/site.conf;\n}}\n"
            );
            (text, [words(format!("nginx -t -c {conf}")), words(format!("nginx -c {conf}"))])
        }
        _ => {
            let modules = ["mpm_event", "authz_core", "ssl", "socache_shmcb", "headers", "rewrite"];
            let modules = modules.iter().chain(&["proxy", "proxy_http", "proxy_wstunnel"]);
            let modules: String =
                modules.map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n")).collect();
            let text = format!(
                "ServerRoot {at}\nServerName {NAME}\nDefaultRuntimeDir {at}\nPidFile {at}/pid\nMutex file:{at}\n\
                 ErrorLog {at}/server.log\n{modules}Listen 80\nListen 443\nUser www-data\nGroup www-data\nInclude {at}/site.conf\n"
            );
            (text, [words(format!("apache2 -t -f {conf}")), words(format!("apache2 -DFOREGROUND -f {conf}"))])
        }
    }
}

/// What the requests of `front/ask.py` get with this site.
fn asked(server: &str, site: fn(&str, &Path) -> String) -> Value {
    need_root();
    need(&["nginx", "apache2", "openssl", "python3", "ip"]);
    let folder = scratch_for_all("front");
    let at = folder.path();
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(["-subj", &format!("/CN={NAME}"), "-addext", &format!("subjectAltName=DNS:{NAME}")]);
    let made = openssl.args(["-keyout", "key", "-out", "crt"]).current_dir(at).stdin(Stdio::null()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::write(at.join("site.conf"), site(server, at)).unwrap();
    let (main, [test, start]) = main_file(server, at);
    fs::write(at.join("main.conf"), main).unwrap();

    let space = Leash::holding(&["--net"], "ip link set lo up; echo ready; exec sleep infinity", |_| ());
    let inside = |words: &[&str]| space.enter(&["--net", "--mount", "--pid"], words);
    let test: Vec<&str> = test.iter().map(String::as_str).collect();
    let tested = inside(&test).output().unwrap();
    assert!(tested.status.success(), "{}\n{}", String::from_utf8_lossy(&tested.stderr), site(server, at));
    let log = || fs::File::create(at.join("started.log")).unwrap();
    let start: Vec<&str> = start.iter().map(String::as_str).collect();
    let script =
        |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/front").join(name).display().to_string();
    serve(inside(&["python3", &script("upstream.py"), "8001"]).stdout(Stdio::null()).stderr(log()));
    serve(inside(&start).stdout(Stdio::null()).stderr(log()));
    for port in ["8001", "443"] {
        let probe = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
        until(|| {
            let up = inside(&["bash", "-c", &probe]).stderr(Stdio::null()).status().unwrap().success();
            let said = || {
                fs::read_to_string(at.join("started.log")).unwrap()
                    + &fs::read_to_string(at.join("server.log")).unwrap_or_default()
            };
            if up { Ok(()) } else { Err(said()) }
        });
    }
    let crt = at.join("crt").display().to_string();
    let output = inside(&[&BOUNDED[..], &["python3", "-W", "ignore", &script("ask.py"), NAME, &crt]].concat()).output();
    Ran::of("ask.py", output.unwrap()).expect(0).json()
}

/// What a browser needs of the door and does not get, in words.
fn lacking(told: &Value) -> Vec<String> {
    let mut lacking = Vec::new();
    let mut want = |what: &str, seen: &Value, wanted: Value| {
        if *seen != wanted {
            lacking.push(format!("{what}: {seen} is not {wanted}"));
        }
    };
    let path = "/api/a%2Fb%252Fc//d?x=%2F&y=a%20b";
    want("the path as it was written", &told["encoded"]["body"]["path"], json!(path));
    let headers = &told["encoded"]["body"]["headers"];
    want("Host", &headers["Host"], json!(NAME));
    for told in ["encoded", "forged"].map(|which| &told[which]["body"]["headers"]) {
        want("X-Forwarded-Proto", &told["X-Forwarded-Proto"], json!("https"));
        want("X-Forwarded-Host", &told["X-Forwarded-Host"], json!(NAME));
        want("X-Forwarded-For", &told["X-Forwarded-For"], json!("127.0.0.1"));
    }
    want("port 80", &told["plain"]["status"], json!(301));
    want("from port 80 to", &told["plain"]["location"], json!(format!("https://{NAME}/p%2Fq?x=%2F")));
    for redirect in told["redirects"].as_array().unwrap() {
        want("a redirect", &redirect["location"], json!(format!("https://{NAME}/next?a=b")));
    }
    want("a slow answer", &told["slow"]["status"], json!(200));
    want("web socket", &told["socket"]["status"], json!(101));
    want("its key", &told["socket"]["accept"], json!("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    want("frames both ways", &told["socket"]["frames"], json!(["/ws/a%2Fb?token=1", "there", "and back"]));
    want("an upload of 100 MB", &told["upload"], json!({"status": 200, "whole": true}));
    want("TLS", &told["tls"][0]["version"], json!("TLSv1.3"));
    lacking
}

fn serves_all_that_a_browser_asks(server: &str) {
    let told = asked(server, rendered);
    assert_eq!(lacking(&told), Vec::<String>::new(), "{told:#}");
    assert!(told["slow"]["seconds"].as_f64().unwrap() >= 3.0, "{told:#}");
    assert!(told["tls"][1]["error"].is_string(), "TLS 1.1 is no longer spoken: {told:#}");
}

#[test]
fn nginx_serves_all_that_a_browser_asks() {
    serves_all_that_a_browser_asks("nginx");
}

#[test]
fn apache_serves_all_that_a_browser_asks() {
    serves_all_that_a_browser_asks("apache");
}

#[test]
fn sites_without_the_lines_lack_what_these_are_for() {
    let named = |lacking: &[String], what: &str| lacking.iter().any(|line| line.starts_with(what));
    for server in ["nginx", "apache"] {
        let lacking = lacking(&asked(server, naive));
        for what in ["the path", "X-Forwarded-Proto", "web socket"] {
            assert!(named(&lacking, what), "{server} has {what}: {lacking:#?}");
        }
        // What the one has by itself, the other lacks.
        assert_eq!(named(&lacking, "an upload"), server == "nginx", "{server}: {lacking:#?}");
        assert_eq!(named(&lacking, "a redirect"), server == "apache", "{server}: {lacking:#?}");
    }
}

/// What a parser of HCL reads.
fn hcl(arguments: &[&str]) -> Value {
    let python = lab().join("firewalls/python/bin/python");
    assert!(python.exists(), "{}: run scripts/lab/firewalls as root", python.display());
    let folder = scratch("front");
    let file = folder.path().join("text.tf");
    let output =
        Command::new(binary()).arg("render").args(arguments).env_clear().stdin(Stdio::null()).output().unwrap();
    fs::write(&file, Ran::of(arguments.join(" "), output).expect(0).out).unwrap();
    let script = "import hcl2,json,sys; print(json.dumps(hcl2.load(open(sys.argv[1]))))";
    let output = Command::new(python).args(["-c", script]).arg(&file).stdin(Stdio::null()).output().unwrap();
    Ran::of("hcl2", output).expect(0).json()
}

#[test]
fn the_balancer_is_read_by_a_parser_of_hcl() {
    let read = hcl(&["alb", "--port", "8080"]);
    let resource = |kind: &str| -> Vec<&Value> {
        let all = read["resource"].as_array().unwrap().iter().filter_map(|resource| resource.get(kind));
        all.flat_map(|named| named.as_object().unwrap().values()).collect()
    };
    let group = resource("aws_lb_target_group")[0];
    assert_eq!((&group["port"], &group["protocol"]), (&json!(8080), &json!("HTTP")), "{group:#}");
    assert_eq!(group["deregistration_delay"], 300);
    let health = &group["health_check"][0];
    let seen =
        ["path", "matcher", "interval", "timeout", "healthy_threshold", "unhealthy_threshold"].map(|key| &health[key]);
    assert_eq!(json!(seen), json!(["/Status", "200", 20, 10, 3, 3]), "{health:#}");
    assert_eq!(resource("aws_lb")[0]["idle_timeout"], 600);
    let listeners = resource("aws_lb_listener");
    assert_eq!(listeners.iter().map(|own| own["port"].as_u64().unwrap()).collect::<Vec<_>>(), [443, 80]);
    assert_eq!(listeners[0]["certificate_arn"], "${var.certificate_arn}");
    let redirect = &listeners[1]["default_action"][0]["redirect"][0];
    assert_eq!((&redirect["protocol"], &redirect["status_code"]), (&json!("HTTPS"), &json!("HTTP_301")));
    let egress = &resource("aws_security_group")[0]["egress"][0];
    assert_eq!((&egress["from_port"], &egress["to_port"]), (&json!(8080), &json!(8080)));
    skip("front", "terraform validate", "the provider of AWS cannot be had here, so its schema is unchecked");
}

#[test]
fn lists_for_the_vendors_terraform_are_read_by_a_parser_of_hcl() {
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:proxy-AbCdEf";
    let flags = ["ecs-env", "--format", "tfvars", "--proxy", "http://svc@proxy.corp.example:3128", "--secret-arn", arn];
    let read = hcl(&flags);
    let lists = read.as_object().unwrap();
    assert_eq!(lists.len(), 6, "{read:#}");
    for (name, list) in lists {
        let of = |wanted: &str| list.as_array().unwrap().iter().filter(|own| own["name"] == wanted).collect::<Vec<_>>();
        for proxy in ["http_proxy", "https_proxy"] {
            assert_eq!(of(proxy), [&json!({"name": proxy, "valueFrom": arn})], "{name}");
        }
        assert_eq!(of("no_proxy")[0]["value"], "mysql,redis,169.254.169.254,169.254.170.2", "{name}");
        assert_eq!(of("DIVVY_DISABLE_HEARTBEAT").len(), usize::from(name == "custom_worker_cc_ecs_env"), "{name}");
    }
}
