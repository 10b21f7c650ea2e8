use super::super::files::tests::files;
use super::*;
use crate::host::MemoryHost;
use crate::settings::ProxyUrl;

const PROXY: &str = "http://proxy.corp.example:3128";

fn spec() -> ProxySpec {
    ProxySpec::new(&ProxyUrl::parse(PROXY).unwrap(), "--proxy".to_owned())
}

fn origin(program: &str, environment: &[(&str, &str)]) -> Origin {
    let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Origin {
        pid: 7,
        program: program.to_owned(),
        container: None,
        unit: None,
        consumer: None,
        parent: Some("sh".to_owned()),
        started: Some(100),
        environment: Some(pairs.collect()),
    }
}

fn told(origin: &Origin, tls: bool) -> String {
    let host = MemoryHost::new().with("/etc/hosts", "203.0.113.9 out.example\n");
    let names = Names::new(&host, &[], Vec::new());
    let (name, port) = if tls { ("https_proxy", 443) } else { ("http_proxy", 80) };
    let place = SocketAddr::new("203.0.113.9".parse().unwrap(), port);
    let clients = programs::clients_of(&origin.program, origin.environment.as_deref().unwrap_or_default());
    match has(origin, &clients, place, &names, Some(&spec()), name) {
        Has::Unread => "unread".to_owned(),
        Has::Nothing(None) => "nothing".to_owned(),
        Has::Nothing(Some((other, _))) => format!("nothing, for {other} is not read"),
        Has::Other(name, value) => format!("{name} is {}", &*value),
        Has::Member(name, member) => format!("{name} has {}", &*member),
        Has::Unused(rule) => format!("unused: {}", &*rule),
        Has::Proxy(name, value) => format!("{name} {}", &*value),
    }
}

#[test]
fn what_a_process_has_is_told() {
    let proxy = ("https_proxy", PROXY);
    for (program, environment, expected) in [
        ("curl", &[][..], "nothing"),
        ("curl", &[("https_proxy", " ")], "nothing"),
        ("curl", &[("http_proxy", PROXY)], "nothing"),
        ("curl", &[("ALL_PROXY", PROXY)], "ALL_PROXY http://proxy.corp.example:3128"),
        ("curl", &[proxy], "https_proxy http://proxy.corp.example:3128"),
        ("curl", &[("https_proxy", "http://u:S3cret@old.corp:1")], "https_proxy is http://u:***@old.corp:1"),
        (
            "curl",
            &[("https_proxy", "http://u:S3cret@PROXY.corp.example:3128")],
            "https_proxy http://u:***@proxy.corp.example:3128",
        ),
        ("curl", &[("https_proxy", "http://203.0.113.9:3128")], "https_proxy is http://203.0.113.9:3128"),
        ("curl", &[proxy, ("no_proxy", ".example")], "no_proxy has .example"),
        ("unheard-of", &[proxy, ("NO_PROXY", "203.0.113.0/24")], "NO_PROXY has 203.0.113.0/24"),
        ("unheard-of", &[proxy], "https_proxy http://proxy.corp.example:3128"),
        ("ssh", &[proxy], "unused: ssh speaks no HTTP, and reads no proxy variables"),
    ] {
        assert_eq!(told(&origin(program, environment), true), expected, "{program} {environment:?}");
    }
    let (old, http) = ("http://old.corp:1", ("http_proxy", PROXY));
    // The variable that counts is the client's own matter, and so is the list.
    for (program, environment, expected) in [
        ("kubectl", &[proxy, ("HTTPS_PROXY", old)][..], "HTTPS_PROXY is http://old.corp:1"),
        ("curl", &[proxy, ("HTTPS_PROXY", old)], "https_proxy http://proxy.corp.example:3128"),
        ("unheard-of", &[proxy, ("HTTPS_PROXY", old)], "https_proxy http://proxy.corp.example:3128"),
        ("kubectl", &[proxy, ("no_proxy", "x"), ("NO_PROXY", ".example")], "NO_PROXY has .example"),
        ("curl", &[proxy, ("no_proxy", "x"), ("NO_PROXY", ".example")], "https_proxy http://proxy.corp.example:3128"),
        // Some of Python's clients take a range, some do not; which of them asks is not to be seen.
        ("python3", &[proxy, ("no_proxy", "203.0.113.0/24")], "no_proxy has 203.0.113.0/24"),
        ("wget", &[("ALL_PROXY", PROXY)], "nothing, for ALL_PROXY is not read"),
        // Without a scheme, or with a path, it is the same proxy.
        ("curl", &[("https_proxy", "proxy.corp.example:3128")], "https_proxy http://proxy.corp.example:3128"),
    ] {
        let told = told(&origin(program, environment), true);
        assert!(
            told == expected || told.replace("http://", "") == expected.replace("http://", ""),
            "{program} {environment:?}: {told}"
        );
    }
    assert!(
        told(&origin("curl", &[("https_proxy", "http://proxy.corp.example:3128/a")]), true).starts_with("https_proxy ")
    );
    assert_eq!(told(&origin("curl", &[("HTTP_PROXY", PROXY)]), false), "nothing, for HTTP_PROXY is not read");
    assert_eq!(told(&origin("curl", &[http]), false), "http_proxy http://proxy.corp.example:3128");
    let cgi = told(&origin("python3", &[("HTTP_PROXY", PROXY), ("REQUEST_METHOD", "GET")]), false);
    assert!(cgi.starts_with("unused: it has HTTP_PROXY, and "), "{cgi}");
    // Whoever reads no variables lacks none.
    for (program, environment) in [("java", &[proxy][..]), ("java", &[]), ("node", &[])] {
        let told = told(&origin(program, environment), true);
        let instead = if program == "java" { "-Dhttps.proxyHost" } else { "NODE_USE_ENV_PROXY" };
        assert!(told.starts_with("unused: ") && told.contains(instead), "{told}");
    }
    let node = told(&origin("node", &[proxy, ("NODE_USE_ENV_PROXY", "1")]), true);
    assert_eq!(node, format!("https_proxy {PROXY}"));
    assert_eq!(told(&Origin { environment: None, ..origin("curl", &[]) }, true), "unread");
}

#[test]
fn a_service_is_given_every_spelling_but_where_a_file_comes_last() {
    let host = MemoryHost::new();
    let mut files = files(&host);
    files.wanted.no_proxy = vec!["mysql".to_owned(), "a%b".to_owned()];
    let only = |fixes: Vec<Fix>| (matches!(fixes[..], [Fix::Command(_)]), fixes[0].text().to_string());
    let (is_command, command) = only(give("caller.service", None, &files));
    assert!(is_command, "{command}");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"] {
        assert!(command.contains(&format!("Environment=\"{name}=http://h.example:3128\"")), "{name}: {command}");
    }
    assert!(command.contains("\"NO_PROXY=mysql,a%%%%b\"") && command.contains("\"no_proxy=mysql"), "{command}");
    let (is_command, advice) = only(give("caller.service", Some("/etc/default/caller:2".to_owned()), &files));
    assert!(!is_command && advice.starts_with("set the proxy in /etc/default/caller:2, "), "{advice}");
}

#[test]
fn only_what_lacks_a_proxy_was_handed_none() {
    let unit = "[Service]\nExecStart=/bin/true\nEnvironment=https_proxy=http://h.example:3128\n";
    let host = MemoryHost::new().with("/etc/systemd/system/caller.service", unit);
    let files = files(&host);
    let origin = Origin {
        unit: Some("caller.service".to_owned()),
        consumer: Some(Who::Systemd),
        started: Some(u64::MAX),
        ..origin("curl", &[])
    };
    let names = Names::new(&host, &[], Vec::new());
    let why = |lacks: bool| because("it is so".into(), lacks, &origin, None, true, (&names, &files)).0.to_string();
    assert_eq!(why(true), "it is so, although /etc/systemd/system/caller.service says it: sh has not handed it on");
    assert_eq!(why(false), "it is so, although /etc/systemd/system/caller.service says otherwise");
}
