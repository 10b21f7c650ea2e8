//! Secrets by the shape in which they stand on a host, and by the way in which they are given, with every verb and every
//! format: none is shown, and no word of the tool's own changes because a password reads like it.
//!
//! That is some ten thousand runs. `scripts/test` makes all of them, with the program that is shipped; without
//! `ICS_SETUP_ALL_SECRETS=1` each seventh is made.

mod shapes;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::thread;

use regex::Regex;

use crate::check::formats;
use crate::root::{PROD_ENV, Ran, Root, run};
use crate::secrets::{base64, percent, walk};
use crate::support::unpacked;
use shapes::PLACES;

/// Nobody listens there.
const PROXY: &str = "http://127.0.0.1:9";

/// What was run, and what it wrote.
type Outputs = Vec<(String, String)>;

/// Runs everything that can look at or change this root, with these settings.
fn everything(root: &Root, given: &[&str], variables: &[(&str, &str)], formats: &[String]) -> Outputs {
    let outputs = std::cell::RefCell::new(Outputs::new());
    let say = |what: String, ran: &Ran| {
        assert!(ran.code != 1 && ran.code <= 11, "{what} ended with {}: {}", ran.code, ran.stderr);
        let mut outputs = outputs.borrow_mut();
        outputs.push((format!("{what}, stdout"), ran.stdout.clone()));
        outputs.push((format!("{what}, stderr"), ran.stderr.clone()));
    };
    let go = |arguments: &[&str], given: &[&str]| -> Ran {
        let arguments = [arguments, given].concat();
        let ran = root.run_with(&arguments, variables, "");
        if arguments.contains(&"json") && !ran.stdout.is_empty() {
            ran.json();
        }
        say(format!("{arguments:?} {variables:?}"), &ran);
        ran
    };
    let all = "system-proxy,docker-daemon,package-manager,prod-env";
    for format in ["human", "json"] {
        for verb in [&["prepare", "--dry-run", "--target", all, "-v"][..], &["reconfigure", "--dry-run"]] {
            go(&[verb, &["--format", format]].concat(), given);
        }
        for verb in [&["prepare", "--dry-run", "--target", all][..], &["prepare", "--remove-proxy", "--dry-run", "-v"]]
        {
            go(&[verb, &["--format", format]].concat(), &[]);
        }
        go(&["settings", "show", "--format", format], given);
        go(&["settings", "export"], given);
        go(&["network", "explain", "http://x.example/", "--format", format], given);
        go(&["wizard", "--format", format], given);
    }
    go(&["network", "list"], &[]);
    go(&["network", "allowlist"], &[]);
    let (facts, html, md) = (root.at("facts.json"), root.at("r.html"), root.at("r.md"));
    let [facts, html, md] = [&facts, &html, &md].map(|path| path.to_str().unwrap());
    let limits = ["--connect-timeout", "300ms", "--timeout", "2s", "--deadline", "10s"];
    let groups = ["check", "host", "proxy", "backends", "agent", "runtime"];
    go(&[&groups[..], &limits, &["-v", "--save-facts", facts, "--report", html]].concat(), given);
    for format in formats {
        let ran = run(&["check", "--from", facts, "-v", "--format", format, "--report", md], &[], "");
        say(format!("check --from --format {format} {given:?}"), &ran);
    }
    go(&["prepare", "--target", all, "--yes"], given);
    go(&["reconfigure", "--yes", "--no-restart", "--format", "json", "-v"], given);
    let state = root.at(crate::root::STATE_FILE);
    let remembered = (state.display().to_string(), std::fs::read_to_string(state).unwrap_or_default());
    for format in ["human", "json"] {
        go(&["status", "--format", format], &[]);
        go(&["revert", "--dry-run", "--format", format], &[]);
    }
    let bundle = root.at("bundle.tar.gz");
    go(&[&["support-bundle", bundle.to_str().unwrap(), "--format", "json"], &limits[..]].concat(), given);
    outputs.borrow_mut().extend(unpacked(&bundle));
    for run in std::fs::read_dir(root.at("var/lib/ics-setup/runs")).into_iter().flatten() {
        let run = run.unwrap().file_name().into_string().unwrap();
        for format in ["human", "json"] {
            go(&["status", &run, "--diff", "--format", format], &[]);
        }
    }
    go(&["revert", "--all", "--dry-run"], &[]);
    go(&["prune", "--keep", "1", "--dry-run"], &[]);
    go(&["revert", "--yes", "--format", "json"], &[]);
    go(&["revert", "--dry-run", "-v"], &[]);
    go(&["revert", "--yes"], &[]);
    go(&["status"], &[]);
    let mut outputs = outputs.into_inner();
    outputs.push(remembered);
    for path in [facts, html, md] {
        outputs.push((format!("{path} {given:?}"), std::fs::read_to_string(path).unwrap_or_default()));
    }
    for path in walk(&root.at("var/lib/ics-setup")) {
        if !path.parent().is_some_and(|parent| parent.ends_with("backup")) {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            outputs.push((path.display().to_string(), text));
        }
    }
    outputs
}

/// Every form in which a secret could get out, given what may stand in front of it.
fn forms(secret: &str) -> Vec<String> {
    let full = percent(secret);
    let json = serde_json::to_string(secret).unwrap();
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut forms = vec![
        secret.to_owned(),
        full.to_lowercase(),
        full.replace('%', "%%"),
        full,
        json[1..json.len() - 1].to_owned(),
        html.replace('"', "&quot;").replace('\'', "&#39;"),
        html.replace('"', "&#34;").replace('\'', "&#x27;"),
        secret.replace('\'', "'\\''"),
        base64(secret),
    ];
    // The last sign of what follows the user shares its bits with what follows: only whole groups count.
    forms.extend(["svc:", "u:", "divvy:", ":"].map(|user| {
        let whole = base64(&format!("{user}{secret}"));
        whole[(user.len() * 4).div_ceil(3)..].to_owned()
    }));
    forms.sort();
    forms.dedup();
    forms
}

#[test]
fn no_shape_of_a_secret_on_the_host_is_shown() {
    let formats = formats();
    let rounds = PLACES.iter().map(|place| place.shapes.len()).max().unwrap();
    let work: Vec<(usize, bool)> = (0..rounds).flat_map(|round| [(round, false), (round, true)]).collect();
    let leaks = shared(&some(work), &|(round, centos)| found(round, centos, &formats));
    let shapes: usize = PLACES.iter().map(|place| place.shapes.len()).sum();
    assert!(shapes > 120, "{shapes} shapes");
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}

/// A host on which each file has one shape; which secrets got out, and where.
fn found(round: usize, centos: bool, formats: &[String]) -> Vec<String> {
    let root = if centos { Root::centos() } else { Root::ubuntu() };
    let mut secrets = BTreeMap::new();
    for (number, place) in PLACES.iter().enumerate() {
        // Two files of one kind hold different shapes.
        let Some(shape) = place.shapes.get((round + 7 * usize::from(place.file.contains("zz"))) % place.shapes.len())
        else {
            continue;
        };
        let (a, b) = (format!("Tr0ub{number}x{round}a7Qz"), format!("Wd4gh{number}x{round}b9Kw"));
        let text = shape.replace("{A}", &a).replace("{B}", &b);
        root.put(place.file, format!("{}{text}{}", place.around[0], place.around[1]));
        for (secret, mark) in [(a, "{A}"), (b, "{B}")] {
            if shape.contains(mark) {
                secrets.insert(secret, (place.file, *shape));
            }
        }
    }
    let outputs = everything(&root, &["--proxy", PROXY], &[], formats);
    let mut leaks = Vec::new();
    for (secret, (file, shape)) in &secrets {
        let forms = forms(secret);
        for (what, text) in &outputs {
            if let Some(line) = text.lines().find(|line| forms.iter().any(|form| line.contains(form))) {
                let line: String = line.chars().take(300).collect();
                leaks.push(format!("{file} {shape:?}\n    {what}\n    {line}"));
            }
        }
    }
    leaks
}

/// The ways in which passwords are given, with the arguments and variables of each.
const WAYS: [&str; 6] = ["files", "variables", "url", "settings file", "url variable", "saved and found"];

fn given(root: &Root, way: &str, password: &str, formats: &[String]) -> Outputs {
    let url = format!("http://svc:{}@127.0.0.1:9", percent(password));
    root.put("pw", password);
    let pw = root.at("pw").display().to_string();
    let backends = ["--mysql-password-file", &pw, "--redis-password-file", &pw];
    let login = ["--proxy", PROXY, "--proxy-user", "svc", "--proxy-password-file", &pw];
    let toml = serde_json::to_string(password).unwrap();
    root.put(
        "settings.toml",
        format!("[proxy]\nurl = \"{PROXY}\"\nuser = \"svc\"\npassword = {toml}\n[mysql]\npassword = {toml}\n"),
    );
    let settings = root.at("settings.toml").display().to_string();
    match way {
        "files" => everything(root, &[&login[..], &backends].concat(), &[], formats),
        "variables" => everything(
            root,
            &["--proxy", PROXY, "--proxy-user", "svc", "--proxy-password-env", "PW"],
            &[("PW", password), ("ICS_SETUP_MYSQL_PASSWORD", password), ("ICS_SETUP_REDIS_PASSWORD", password)],
            formats,
        ),
        "url" => everything(root, &["--proxy", &url], &[], formats),
        "settings file" => everything(root, &["--settings", &settings], &[], formats),
        "url variable" => everything(root, &[], &[("ICS_SETUP_PROXY", &url)], formats),
        _ => {
            root.put("etc/environment", format!("http_proxy=\"{url}\"\nhttps_proxy=\"{url}\"\n"));
            root.put("etc/docker/daemon.json", format!("{{\"proxies\": {{\"http-proxy\": \"{url}\"}}}}\n"));
            everything(root, &["--no-proxy", "registry.corp.example"], &[], formats)
        }
    }
}

#[test]
fn no_given_password_is_shown_whatever_stands_in_it() {
    const NASTY: [&str; 6] = [
        "p@ss:w0rd/#%?&=",
        "a\"b'c\\d`e$f<g>h",
        "Gr\u{fc}\u{df}e \u{20ac} {x} [y]|z",
        "%41%%b%2Fc+d,e;f~g",
        "***-*** (changed) \u{2026}",
        "http://svc:in@ner:1/",
    ];
    let formats = formats();
    let work: Vec<(&str, &str)> = WAYS.iter().flat_map(|way| NASTY.iter().map(|nasty| (*way, *nasty))).collect();
    let leaks = shared(&some(work), &|(way, nasty)| {
        let root = if nasty.len() % 2 == 0 { Root::ubuntu() } else { Root::centos() };
        let forms = forms(nasty);
        // What asks for the answer to a question is no output.
        let outputs = given(&root, way, nasty, &formats);
        let shows = |text: &str| forms.iter().any(|form| text.contains(form));
        outputs
            .iter()
            .filter(|(_, text)| shows(text))
            .map(|(what, text)| format!("{way} {nasty}: {what}\n{text}"))
            .collect()
    });
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}

/// Of two runs with passwords that only differ, every byte is the same.
#[test]
fn no_word_changes_because_a_password_reads_like_it() {
    const WORDS: [&str; 15] = [
        "proxy", "redis", "fail", "divvy", "docker", "skip", "example", "host", "check", "pass", "http", "mysql",
        "warn", "prepare", "change",
    ];
    let formats = formats();
    let work = [WAYS[0], WAYS[5]];
    let eaten = shared(&work, &|way| {
        let of = |password: &str| -> Outputs {
            let root = Root::ubuntu();
            // Whether a value changes does depend on the password that is there.
            root.put("divvycloud/prod.env", PROD_ENV.replace("=divvy", "=0ldSecret"));
            let outputs = given(&root, way, password, &formats);
            // Journals hold digests of what was written.
            let outputs = outputs.into_iter().filter(|(what, _)| {
                !["ics-setup/runs/", "r.html", "r.md", "facts.json"]
                    .iter()
                    .any(|name| what.starts_with(root.path().to_str().unwrap()) && what.contains(name))
            });
            outputs.map(|(what, text)| (steady(&root, password, &what), steady(&root, "", &text))).collect()
        };
        let plain = of("Kx9vQ2mZ7t");
        let differs = |word: &&str| {
            let pairs = plain.iter().zip(of(word));
            let own: Vec<String> = pairs
                .filter(|((_, plain), (_, text))| plain != text)
                .map(|((what, plain), (_, text))| {
                    let line = plain.lines().zip(text.lines()).find(|(a, b)| a != b);
                    format!("{way}, {word}: {what}\n    {:?}", line.unwrap_or((plain, &text)))
                })
                .collect();
            own
        };
        some(WORDS.to_vec()).iter().flat_map(differs).collect()
    });
    assert!(eaten.is_empty(), "{} differ:\n{}", eaten.len(), eaten.join("\n"));
}

/// What is tried of all there is.
fn some<T>(all: Vec<T>) -> Vec<T> {
    let step = if std::env::var_os("ICS_SETUP_ALL_SECRETS").is_some() { 1 } else { 7 };
    all.into_iter().step_by(step).collect()
}

/// Without what differs from run to run.
fn steady(root: &Root, password: &str, text: &str) -> String {
    static VARYING: LazyLock<Regex> = LazyLock::new(|| {
        let parts = [
            r"\d{8}T\d{6}Z-[0-9a-f]+",
            r"\d{4}-\d\d-\d\d[T ][0-9:.]+Z?",
            r"[0-9a-f]{32,}",
            r"\d+([.]\d+)? ?(ms|s|[GM]iB|[GM]B)\b",
            r#""[a-z_]+": ?\d[\d.]*"#,
            r"duration_ms: \d+",
            r#"[a-z_]+="[0-9.]+""#,
            r"\b0[.]\d+",
            r"\d{5,}",
        ];
        Regex::new(&parts.join("|")).unwrap()
    });
    let text = text.replace(root.path().to_str().unwrap(), "ROOT");
    let text = if password.is_empty() { text } else { text.replace(password, "WORD") };
    VARYING.replace_all(&text, "N").into_owned()
}

/// The work done by some threads, what all of it found.
fn shared<T: Sync + Copy>(work: &[T], on: &(dyn Fn(T) -> Vec<String> + Sync)) -> Vec<String> {
    thread::scope(|scope| {
        let parts = work.chunks(work.len().div_ceil(4));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().flat_map(|of| on(*of)).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}
