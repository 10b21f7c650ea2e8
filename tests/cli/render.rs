//! `render nginx|apache|alb|ecs-env`, and what the tool says on a task or a container instance of ECS.

use ics_setup::clients::{Target, all, by_id};
use serde_json::{Value, json};

use crate::root::{Ran, Root, run};

const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:proxy-AbCdEf";

fn front(root: &Root, server: &str, more: &[&str]) -> Ran {
    let fixed = ["render", server, "--server-name", "ics.corp.example", "--certificate", "/c.pem", "--key", "/k.pem"];
    root.run(&[&fixed, more].concat())
}

fn ecs(root: &Root, format: &str, more: &[&str]) -> Ran {
    root.run(&[&["render", "ecs-env", "--format", format], more].concat())
}

/// The value of a variable in the members of a container definition.
fn taken<'j>(definition: &'j Value, of: &str, name: &str) -> Option<&'j Value> {
    definition[of].as_array()?.iter().find(|variable| variable["name"] == name)
}

#[test]
fn front_doors_lead_to_where_the_settings_say_and_nothing_is_written() {
    let root = Root::ubuntu();
    let before = root.picture();
    for server in ["nginx", "apache"] {
        let ran = front(&root, server, &[]).ok();
        assert!(ran.stderr.is_empty() && ran.stdout.contains("http://127.0.0.1:8001"), "{}", ran.stdout);
        assert!(ran.stdout.contains("\n#   sudo ics-setup reconfigure --reverse-proxy --bind 127.0.0.1\n"));
        let ran = front(&root, server, &["--bind", "10.1.2.3", "--port", "8080"]).ok();
        assert!(ran.stdout.contains("http://10.1.2.3:8080"), "{}", ran.stdout);
        assert!(ran.stdout.contains("reconfigure --reverse-proxy --bind 10.1.2.3 --port 8080\n"));
        let ran = front(&root, server, &["--bind", "0.0.0.0"]).ok();
        assert!(ran.stdout.contains("http://127.0.0.1:8001"), "{}", ran.stdout);
    }
    root.put("etc/ics-setup/settings.toml", "port = 9000\n");
    assert!(front(&root, "nginx", &[]).ok().stdout.contains("http://127.0.0.1:9000"));
    assert!(root.run(&["render", "alb"]).ok().stdout.contains("port                 = 9000\n"));
    std::fs::remove_file(root.at("etc/ics-setup/settings.toml")).unwrap();
    std::fs::remove_dir(root.at("etc/ics-setup")).unwrap();
    assert_eq!(root.picture(), before);
}

#[test]
fn nothing_gets_into_the_site_that_ends_a_word_of_it() {
    let root = Root::ubuntu();
    for (name, certificate, key) in [
        ("a; return 200", "/c.pem", "/k.pem"),
        ("a\n}", "/c.pem", "/k.pem"),
        ("10.0.0.1", "/c.pem", "/k.pem"),
        ("", "/c.pem", "/k.pem"),
        ("a.example", "/c.pem; include /etc/shadow", "/k.pem"),
        ("a.example", "c.pem", "/k.pem"),
        ("a.example", "/c.pem", "/k\"; x"),
        ("a.example", "/c.pem", "/$k"),
    ] {
        let flags = ["--server-name", name, "--certificate", certificate, "--key", key];
        let ran = root.run(&[&["render", "nginx"], &flags[..]].concat());
        assert!(ran.code == 2 && ran.stdout.is_empty(), "{flags:?}: {} {}", ran.code, ran.stdout);
    }
    assert_eq!(root.run(&["render", "nginx", "--server-name", "a.example"]).code, 2, "all three have to be said");
    assert_eq!(front(&root, "apache", &["--bind", "x"]).code, 3);
    assert_eq!(root.run(&["render", "alb", "--port", "0"]).code, 3);
}

#[test]
fn tasks_ask_the_proxy_for_aws_and_both_metadata_addresses_directly() {
    let root = Root::ubuntu();
    root.put("etc/environment", "http_proxy=http://of-this-host:1\nno_proxy=.of-this-host\n");
    let ran =
        ecs(&root, "task-json", &["--proxy", "http://proxy.corp.example:3128", "--no-proxy", "vpce.corp.example"]);
    let definition = ran.ok().json();
    assert!(!definition.to_string().contains("of-this-host"), "the tasks run elsewhere: {definition}");
    assert_eq!(definition["secrets"], Value::Null);
    for name in ["http_proxy", "https_proxy"] {
        let wanted = json!({"name": name, "value": "http://proxy.corp.example:3128"});
        assert_eq!(taken(&definition, "environment", name), Some(&wanted));
    }
    let list = taken(&definition, "environment", "no_proxy").unwrap()["value"].as_str().unwrap();
    assert_eq!(list, "mysql,redis,169.254.169.254,169.254.170.2,vpce.corp.example");
    let target = |url: &str| Target::parse(url).unwrap();
    let botocore = by_id("botocore-1.44").unwrap();
    for client in all().iter().filter(|client| client.reads_environment() && !client.broken) {
        for url in ["http://169.254.169.254/latest/", "http://169.254.170.2/v2/credentials/x"] {
            assert!(client.route(&target(url), list).is_direct(), "{} {url}", client.id);
        }
        assert!(client.route(&target("https://sts.amazonaws.com/"), list).is_proxy(), "{}", client.id);
    }
    assert!(botocore.route(&target("https://vpce.corp.example/"), list).is_direct());
}

#[test]
fn a_password_is_a_reference_in_every_form_and_needed_in_none() {
    let root = Root::ubuntu();
    root.put("word", "s3cret-p%ss");
    let word = root.at("word").display().to_string();
    let with_password =
        ["--proxy", "http://svc@proxy.corp.example:3128", "--proxy-password-file", &word, "--secret-arn", ARN];
    for format in ["tfvars", "task-json", "env"] {
        for flags in [&with_password[..], &["--proxy", "http://svc@proxy.corp.example:3128"]] {
            let ran = ecs(&root, format, flags).ok();
            let told = ran.stdout.clone() + &ran.stderr;
            assert!(!told.contains("s3cret"), "{told}");
            assert!(told.contains("The proxy wants a login (http://svc:***@proxy.corp.example:3128)"), "{told}");
            let arn = if flags.contains(&ARN) { ARN } else { "<ARN>" };
            assert!(ran.stdout.contains(arn), "{format}: {}", ran.stdout);
            assert_eq!(
                told.contains("Whether the vendor's module hands valueFrom on was not seen"),
                format == "tfvars"
            );
            assert!(!ran.stdout.lines().any(|line| line.starts_with("http")), "{}", ran.stdout);
        }
    }
    let definition = ecs(&root, "task-json", &with_password).ok().json();
    for name in ["http_proxy", "https_proxy"] {
        assert_eq!(taken(&definition, "secrets", name), Some(&json!({"name": name, "valueFrom": ARN})));
        assert_eq!(taken(&definition, "environment", name), None);
    }
    // Two logins are two members of one secret, which a parameter has not.
    let two = ["--http-proxy", "http://a:x@h:1", "--https-proxy", "http://a:y@h:1", "--secret-arn"];
    let ran = ecs(&root, "task-json", &[&two[..], &[ARN]].concat()).ok();
    assert!(ran.stderr.contains("JSON with the members http_proxy and https_proxy"), "{}", ran.stderr);
    let definition = ran.json();
    assert_eq!(taken(&definition, "secrets", "https_proxy").unwrap()["valueFrom"], format!("{ARN}:https_proxy::"));
    let ran = ecs(&root, "env", &[&two[..], &["arn:aws:ssm:us-east-1:123456789012:parameter/x"]].concat());
    assert!(ran.code == 3 && ran.stdout.is_empty(), "{}", ran.stderr);
    assert_eq!(ecs(&root, "env", &[&two[..], &["x"]].concat()).code, 2);
}

#[test]
fn each_form_names_what_the_variables_do_not_reach() {
    let root = Root::ubuntu();
    let proxy = ["--proxy", "http://proxy.corp.example:3128"];
    for (format, begins) in [("tfvars", "# "), ("env", "# "), ("task-json", "")] {
        let ran = ecs(&root, format, &proxy).ok();
        let told = if format == "task-json" { &ran.stderr } else { &ran.stdout };
        for endpoint in ["ecr.api", "ecr.dkr", "s3 (gateway)", "logs", "secretsmanager", "ssm"] {
            assert!(told.contains(&format!("{begins}  com.amazonaws.<REGION>.{endpoint}")), "{format}: {told}");
        }
        assert!(ran.stderr.is_empty() || format == "task-json", "{}", ran.stderr);
    }
    assert_eq!(ecs(&root, "task-json", &[&proxy[..], &["-q"]].concat()).ok().stderr, "");
    let env = ecs(&root, "env", &[&proxy[..], &["--both-cases"]].concat()).ok().stdout;
    let lines: Vec<&str> = env.lines().filter(|line| !line.starts_with('#')).collect();
    let list = "mysql,redis,169.254.169.254,169.254.170.2";
    let wanted = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].map(|name| format!("{name}={}", proxy[1]));
    assert_eq!(lines.len(), 6, "{env}");
    assert!(wanted.iter().all(|line| lines.contains(&line.as_str())), "{env}");
    assert!(lines.contains(&format!("NO_PROXY={list}").as_str()), "{env}");
    let ran = ecs(&root, "env", &[&proxy[..], &["--no-proxy-only", "x.example"]].concat()).ok();
    for address in ["169.254.169.254", "169.254.170.2"] {
        assert!(ran.stderr.contains(&format!("does not exclude {address}")), "{}", ran.stderr);
    }
    assert_eq!(ecs(&root, "env", &[]).code, 3, "no proxy was said");
    assert_eq!(root.run(&["render", "ecs-env", "--proxy", "http://h:1"]).code, 2, "one of three forms");
}

#[test]
fn on_a_task_nothing_is_changed_and_status_says_where_settings_are() {
    let task = [("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x")];
    let all = [
        &["prepare", "--proxy", "http://h:1"][..],
        &["install", "--proxy", "http://h:1"],
        &["reconfigure", "--proxy", "http://h:1"],
        &["revert"],
        &["prune", "--images"],
    ];
    let texts = [
        include_str!("../../.github/REFERENCE.md").to_owned(),
        run(&["check", "--explain", "ecs"], &[], "").ok().stdout,
    ];
    for text in texts {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (said, _) = text.split_once(" refuse (exit 4)").or(text.split_once(" refuse there")).unwrap();
        let said = said.rsplit(". ").next().unwrap();
        // Without a terminal the wizard asks nothing anywhere.
        for verb in all.iter().map(|verb| verb[0]).chain(["wizard"]) {
            assert!(said.contains(verb), "{verb}: {said}");
        }
    }
    for verb in all {
        let ran = run(&[verb, &["--yes", "--dry-run"]].concat(), &task, "");
        assert_eq!(ran.code, 4, "{verb:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("this is a task of Amazon ECS"), "{}", ran.stderr);
        assert!(ran.stderr.contains("ics-setup render ecs-env --format task-json --proxy http://<HOST>:<PORT>"));
    }
    let root = Root::ubuntu();
    root.run_with(&["prepare", "--proxy", "http://h:1", "--yes"], &task, "").ok();
    assert!(!root.run_with(&["status"], &task, "").ok().stdout.contains("ECS"), "an image is no task");
    root.put("etc/ecs/ecs.config", "ECS_CLUSTER=x\n");
    let ran = root.run(&["status"]).ok();
    assert!(ran.stdout.contains("this is a container instance of Amazon ECS: the product as tasks"), "{}", ran.stdout);
    let (_, status) = root.json(&["status"]);
    assert_eq!(status["ecs"], "container-instance");
    let (_, found) = root.json(&["check", "--only", "ecs"]);
    assert_eq!(found["findings"][0]["status"], "pass", "{found:#}");
    let checked = run(&["check", "--only", "ecs", "--format", "json"], &task, "");
    let found = checked.json();
    assert_eq!((checked.code, found["findings"][0]["status"].as_str()), (0, Some("warn")), "{found:#}");
}
