//! Questions and answers without a terminal.

use std::ffi::OsString;
use std::io::ErrorKind;

use super::scripted::Scripted;
use super::world::World;
use super::{Answers, Ended, KnownState, Start, Verdict, Wizard};
use crate::check::{CheckSpec, Secrets};
use crate::finding::{Ignored, ids};
use crate::host::MemoryHost;
use crate::platform;
use crate::settings::{Found, Key, Layer, Layers, Origin, ProxyUrl, Secret, SecretSources, Settings};
use crate::targets::Phase;

/// Everything is well.
struct Fine;

impl World for Fine {
    fn proxy(&self, proxy: &ProxyUrl) -> Verdict {
        seen(proxy.masked())
    }

    fn mysql(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict {
        let mysql = spec.mysql.as_ref().unwrap();
        let user = mysql.user.as_ref().map(|user| format!("{user}:{}@", password(&secrets.mysql)));
        seen(format!("{}{}:{}", user.unwrap_or_default(), mysql.at.host, mysql.at.port))
    }

    fn redis(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict {
        let at = &spec.redis.as_ref().unwrap().at;
        seen(format!("{}@{}:{}", password(&secrets.redis), at.host, at.port))
    }

    fn administrator(&self, _: &Settings, _: &Found) -> Verdict {
        Verdict::default()
    }
}

fn seen(what: String) -> Verdict {
    Verdict { good: true, said: format!("seen {what}"), ..Verdict::default() }
}

fn password(secret: &Option<Secret>) -> String {
    secret.as_ref().map(|secret| String::from_utf8_lossy(secret.expose()).into_owned()).unwrap_or_default()
}

fn host(files: &[(&str, &str)]) -> MemoryHost {
    let host = MemoryHost::new();
    host.put("/etc/os-release", b"ID=ubuntu\nVERSION_ID=\"22.04\"\n");
    for (path, text) in files {
        host.put(path, text.as_bytes());
    }
    host
}

/// A file in the folder of the Insight Agent.
const AGENT: &str = "/opt/rapid7/ir_agent/ir_agent";

fn layer(values: &[(Key, &str)]) -> Layer {
    let mut layer = Layer::default();
    for (key, value) in values {
        let spec = key.spec();
        layer.insert(spec, (*value).to_owned(), Origin::Flag(spec.shown())).unwrap();
    }
    layer
}

/// The verb, its settings by key, and what was heard.
type Asked = (Phase, Vec<(Key, String)>, Vec<String>);

/// What the questions make of the answers.
fn asked(host: &MemoryHost, layers: &Layers, script: &[(&str, &str)]) -> Result<Asked, Ended> {
    asked_of(&Fine, host, layers, script)
}

fn asked_of(world: &dyn World, host: &MemoryHost, layers: &Layers, script: &[(&str, &str)]) -> Result<Asked, Ended> {
    let (platform, _) = platform::detect(host, None).unwrap();
    let nothing = |_: &str| -> Option<OsString> { None };
    let outside = SecretSources { variable: &nothing, file: &|_| Err(ErrorKind::NotFound.into()) };
    let known = KnownState {
        host,
        platform: &platform,
        layers,
        outside: &outside,
        ignored: &Ignored::default(),
        lenient: false,
    };
    let mut person = Scripted::new(script);
    let mut wizard = Wizard::new(&known, &mut person, world, Answers::new(&known));
    wizard.run(Start::First)?;
    let answers = wizard.answers;
    assert!(person.is_at_its_end(), "not everything was asked");
    let made = answers.layer(&known).unwrap();
    let values = crate::settings::TABLE.iter().filter_map(|spec| Some((spec.key, made.get(spec.key)?.value.clone())));
    Ok((answers.phase(), values.collect(), person.heard))
}

fn pairs(values: &[(Key, &str)]) -> Vec<(Key, String)> {
    values.iter().map(|(key, value)| (*key, (*value).to_owned())).collect()
}

#[test]
fn what_a_step_back_made_idle_is_not_said() {
    let script = [
        ("deployment", "production"),
        ("internet", "through a proxy"),
        ("Proxy URL", "svc@p.corp:3128"),
        ("login", "user and password"),
        ("User", ""),
        ("Password", "s3cret"),
        ("Hosts", "<"),
        ("Password", "<"),
        ("User", "<"),
        ("login", "no login"),
        ("Hosts", ""),
        ("What is to be set", "the system: logins"),
        ("apt", "yes"),
        ("MySQL and Redis", "yes"),
        ("MySQL host", "db.corp"),
        ("MySQL port", ""),
        ("MySQL user", "<"),
        ("MySQL port", "<"),
        ("MySQL host", "<"),
        ("MySQL and Redis", "no"),
        ("Agent", "no"),
    ];
    let host = host(&[("/divvycloud/prod.env", "A=1\n"), (AGENT, "")]);
    let (phase, values, heard) = asked(&host, &Layers::default(), &script).unwrap();
    assert_eq!(phase, Phase::Prepare);
    let wanted =
        [(Key::Deployment, "production"), (Key::ProxyUrl, "http://p.corp:3128"), (Key::Target, "package-manager")];
    let mut wanted = pairs(&wanted);
    wanted.sort();
    let mut values = values;
    values.sort();
    assert_eq!(values, wanted);
    assert!(heard.contains(&"seen http://svc:***@p.corp:3128".to_owned()), "{heard:?}");
    assert!(!heard.iter().any(|line| line.contains("s3cret")));
}

#[test]
fn what_was_given_is_not_asked_for() {
    let layers = Layers {
        flags: layer(&[(Key::ProxyUrl, "http://p:1"), (Key::Deployment, "test-drive"), (Key::Home, "/d")]),
        ..Layers::default()
    };
    let script = [("Hosts", "a.corp"), ("to be done", "prepare")];
    let (_, values, _) = asked(&host(&[]), &layers, &script).unwrap();
    assert!(values.contains(&(Key::ProxyUrl, "http://p:1".to_owned())), "{values:?}");
    assert!(values.contains(&(Key::ProxyNoProxy, "a.corp".to_owned())), "{values:?}");
}

#[test]
fn a_user_given_without_a_password_is_asked_for_it() {
    let layers = Layers {
        flags: layer(&[(Key::ProxyUrl, "http://u@p:1"), (Key::Deployment, "test-drive"), (Key::Home, "/d")]),
        ..Layers::default()
    };
    let script = [("Password", ""), ("Password", "pw"), ("Hosts", ""), ("to be done", "prepare")];
    let (_, values, heard) = asked(&host(&[]), &layers, &script).unwrap();
    assert!(values.contains(&(Key::ProxyPassword, "pw".to_owned())), "{values:?}");
    assert!(heard.contains(&"! an answer is needed here".to_owned()));
}

#[test]
fn two_proxies_of_the_host_stay_two() {
    let host = host(&[("/etc/environment", "http_proxy=http://a:1\nhttps_proxy=http://b:2\n")]);
    let script =
        [("deployment", "Test Drive"), ("Which proxy", "present"), ("Hosts", ""), ("to be done", ""), ("apt", "")];
    let (_, values, heard) = asked(&host, &Layers::default(), &script).unwrap();
    assert!(values.contains(&(Key::ProxyHttp, "http://a:1".to_owned())), "{values:?}");
    assert!(values.contains(&(Key::ProxyHttps, "http://b:2".to_owned())), "{values:?}");
    assert!(heard.iter().any(|line| line == "seen http://a:1") && heard.iter().any(|line| line == "seen http://b:2"));
}

#[test]
fn a_proxy_that_was_not_reached_is_not_asked_again_with_a_login() {
    /// Nobody has that name.
    struct Nameless;

    impl World for Nameless {
        fn proxy(&self, proxy: &ProxyUrl) -> Verdict {
            assert!(proxy.credentials.is_none(), "asked once more with a login");
            let said = format!("{} does not resolve", proxy.host);
            Verdict { said, about: Some(ids::PROXY_RESOLVES), ..Verdict::default() }
        }

        fn mysql(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict {
            Fine.mysql(spec, secrets)
        }

        fn redis(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict {
            Fine.redis(spec, secrets)
        }

        fn administrator(&self, _: &Settings, _: &Found) -> Verdict {
            Verdict::default()
        }
    }
    let script = [
        ("deployment", "Test Drive"),
        ("internet", "through a proxy"),
        ("Proxy URL", "p.corp:3128"),
        ("What now", "go on anyway"),
        ("login", "user and password"),
        ("User", "svc"),
        ("Password", "s3cret"),
        ("Hosts", ""),
        ("to be done", ""),
        ("apt", ""),
    ];
    let (_, values, _) = asked_of(&Nameless, &host(&[]), &Layers::default(), &script).unwrap();
    assert!(values.contains(&(Key::ProxyUser, "svc".to_owned())), "{values:?}");
}

#[test]
fn a_saved_user_does_not_come_back_when_there_is_no_login() {
    let mut file = Layer::default();
    let from = Origin::File { path: "/etc/ics-setup/settings.toml".into(), line: 1 };
    for (key, value) in [(Key::ProxyUrl, "http://p:1"), (Key::ProxyUser, "u")] {
        file.insert(key.spec(), value.to_owned(), from.clone()).unwrap();
    }
    let layers = Layers { file, ..Layers::default() };
    let host = host(&[("/etc/environment", "http_proxy=http://u:pw@p:1\n")]);
    let script = [
        ("deployment", "Test Drive"),
        ("Which proxy", "another"),
        ("Proxy URL", "q:2"),
        ("Hosts", ""),
        ("to be done", ""),
        ("apt", ""),
    ];
    let (_, values, heard) = asked(&host, &layers, &script).unwrap();
    assert!(values.contains(&(Key::ProxyUrl, "http://@q:2".to_owned())), "{values:?}");
    assert!(heard.contains(&"seen http://q:2".to_owned()), "{heard:?}");
}

#[test]
fn a_host_that_the_vendor_runs_is_asked_nothing_more() {
    let ended = asked(&host(&[]), &Layers::default(), &[("deployment", "run by the vendor")]);
    assert!(matches!(ended, Err(Ended::Vendors)));
    // Where the product is, it is no such host.
    let heard = std::panic::catch_unwind(|| {
        asked(&host(&[("/divvycloud/prod.env", "A=1\n")]), &Layers::default(), &[("deployment", "run by the vendor")])
    });
    assert!(heard.is_err());
}

#[test]
fn leaving_ends_it() {
    assert!(matches!(asked(&host(&[]), &Layers::default(), &[("deployment", "^C")]), Err(Ended::Gone)));
}

#[test]
fn a_target_that_was_given_decides_the_verb() {
    let host = host(&[("/divvycloud/prod.env", "A=1\n")]);
    for (targets, phase) in [("prod-env", Phase::Reconfigure), ("system-proxy", Phase::Prepare)] {
        let flags = layer(&[(Key::Target, targets), (Key::Deployment, "production"), (Key::ProxyUrl, "http://p:1")]);
        let layers = Layers { flags, ..Layers::default() };
        let mut script = vec![("Hosts", ""), ("MySQL and Redis", "yes"), ("MySQL host", "db"), ("MySQL port", "")];
        script.push(("MySQL user", "u"));
        // It is asked for where it is written.
        script.extend((phase == Phase::Reconfigure).then_some(("MySQL password", "pw")));
        script.extend([("main", "m"), ("key", "k"), ("Redis host", "r"), ("Redis port", "")]);
        script.extend((phase == Phase::Reconfigure).then_some(("Redis password", "")));
        assert_eq!(asked(&host, &layers, &script).unwrap().0, phase, "{targets}");
    }
}

/// Everything is well, but nobody has made databases and user.
struct Empty;

impl World for Empty {
    fn proxy(&self, proxy: &ProxyUrl) -> Verdict {
        Fine.proxy(proxy)
    }

    fn mysql(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict {
        let verdict = Fine.mysql(spec, secrets);
        match secrets.mysql {
            Some(_) => {
                let about = ids::MYSQL_LOGIN;
                Verdict { good: false, about: Some(about), failing: vec![about], ..verdict }
            }
            None => verdict,
        }
    }

    fn redis(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict {
        Fine.redis(spec, secrets)
    }

    fn administrator(&self, settings: &Settings, _: &Found) -> Verdict {
        let admin = settings.mysql_admin.as_ref().unwrap();
        seen(format!("{} who can make it", admin.user))
    }
}

/// The questions of a Test Drive behind a plain proxy; the sixth is the plan's.
const TEST_DRIVE: [(&str, &str); 5] = [
    ("deployment", "Test Drive"),
    ("internet", "through"),
    ("Proxy URL", "p.corp:3128"),
    ("Hosts", ""),
    ("to be done", "product's files"),
];

#[test]
fn a_test_drive_is_six_questions_away() {
    let (phase, values, heard) = asked(&host(&[]), &Layers::default(), &TEST_DRIVE).unwrap();
    assert_eq!(phase, Phase::Install);
    assert_eq!(values, pairs(&[(Key::Deployment, "test-drive"), (Key::ProxyUrl, "http://p.corp:3128")]));
    // Preparing the system alone takes one question more, about apt.
    let mut script = TEST_DRIVE.to_vec();
    script[4] = ("to be done", "prepare");
    script.push(("apt", ""));
    assert_eq!(asked(&host(&[]), &Layers::default(), &script).unwrap().0, Phase::Prepare);
    assert!(heard.contains(&"seen http://p.corp:3128".to_owned()), "{heard:?}");
}

#[test]
fn production_is_asked_for_what_it_cannot_start_without() {
    let back_ends = [
        ("deployment", "production"),
        ("internet", "without"),
        ("to be done", "product's files"),
        ("MySQL host", "db.corp"),
        ("MySQL port", ""),
        ("MySQL user", ""),
        ("MySQL password", ""),
        ("MySQL password", "pw"),
        ("main database", ""),
        ("key database", ""),
    ];
    let redis = [("Redis host", "cache.corp"), ("Redis port", ""), ("Redis password", "")];
    let (phase, values, _) = asked(&host(&[]), &Layers::default(), &[&back_ends[..], &redis].concat()).unwrap();
    assert_eq!(phase, Phase::Install);
    for (key, value) in [(Key::MysqlUser, "divvy"), (Key::MysqlSecretDatabase, "divvykeys"), (Key::MysqlPassword, "pw")]
    {
        assert!(values.contains(&(key, value.to_owned())), "{key}: {values:?}");
    }
    assert!(!values.iter().any(|(key, _)| *key == Key::CreateDatabases), "{values:?}");

    // Where there is no such user, an administrator makes what is missing; the way back leads to the choice.
    let made = [
        ("What now", "created"),
        ("MySQL administrator", "<"),
        ("key database", ""),
        ("What now", "created"),
        ("MySQL administrator", "root"),
        ("Password of the administrator", "adm"),
    ];
    let script = [&back_ends[..], &made, &redis].concat();
    let (_, values, heard) = asked_of(&Empty, &host(&[]), &Layers::default(), &script).unwrap();
    assert!(heard.contains(&"seen root who can make it".to_owned()), "{heard:?}");
    let wanted = [(Key::CreateDatabases, "true"), (Key::MysqlAdminUser, "root"), (Key::MysqlAdminPassword, "adm")];
    for (key, value) in wanted {
        assert!(values.contains(&(key, value.to_owned())), "{key}: {values:?}");
    }
    assert!(!heard.iter().any(|line| line.contains("adm]")));
}

#[test]
fn a_proxy_that_says_what_it_wants_is_not_asked_about() {
    // A name in the URL says that there is a login.
    let mut script = TEST_DRIVE.to_vec();
    script[2] = ("Proxy URL", "svc@p.corp:3128");
    script.splice(3..3, [("login", ""), ("User", ""), ("Password", "pw")]);
    let (_, values, _) = asked(&host(&[]), &Layers::default(), &script).unwrap();
    assert!(values.contains(&(Key::ProxyPassword, "pw".to_owned())), "{values:?}");
    // The way back from the next question leads to the URL.
    let mut script = TEST_DRIVE.to_vec();
    script[3] = ("Hosts", "<");
    script.splice(4..4, [("Proxy URL", "q.corp:3128"), ("Hosts", "")]);
    let (_, values, _) = asked(&host(&[]), &Layers::default(), &script).unwrap();
    assert!(values.contains(&(Key::ProxyUrl, "http://q.corp:3128".to_owned())), "{values:?}");
}
