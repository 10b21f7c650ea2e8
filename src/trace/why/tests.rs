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

fn told(origin: &Origin) -> String {
    let host = MemoryHost::new().with("/etc/hosts", "203.0.113.9 out.example\n");
    let names = Names::new(&host, &[], Vec::new());
    let place = "203.0.113.9:443".parse().unwrap();
    match has(origin, client(&origin.program), place, &names, Some(&spec()), "https_proxy") {
        Has::Unread => "unread".to_owned(),
        Has::Nothing => "nothing".to_owned(),
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
        assert_eq!(told(&origin(program, environment)), expected, "{program} {environment:?}");
    }
    // Another program's name may begin alike.
    for other in ["node_exporter", "gitlab-runner", "python3-config"] {
        assert!(client(other).is_none(), "{other}");
    }
    assert_eq!(client("python3.11").map(|own| own.id.as_str()), Some("python-urllib-3.11"));
    let java = told(&origin("java", &[proxy]));
    assert!(java.starts_with("unused: ") && java.contains("-Dhttps.proxyHost"), "{java}");
    assert_eq!(told(&Origin { environment: None, ..origin("curl", &[]) }), "unread");
}
