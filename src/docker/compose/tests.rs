//! Projects of a host in memory.

use super::*;
use crate::host::MemoryHost;

const FILE: &str = "version: '2.2'\n# a comment\nservices:\n  interfaceserver:\n    image: divvycloud/divvycloud:latest\n    \
    command: divvycloud webserver\n    ports:\n    - \"80:8001\"  # outside\n    env_file: prod.env\n    environment:\n      \
    VIRTUAL_ENV: /\n    volumes:\n      - ./plugins:/plugins\n      #- ./proxy_cert.crt:/x\n  scheduler:\n    restart: always\n    \
    environment:\n      - 'VIRTUAL_ENV=/'\n      - B\n  worker:\n    scale: 8\n    links:\n      - redis\n  extra:\n    deploy:\n      \
    replicas: 3\n\nvolumes:\n  x: {}\n";

fn host(files: &[(&str, &str)]) -> MemoryHost {
    let host = MemoryHost::new();
    files.iter().for_each(|(name, text)| host.put(&format!("/home/{name}"), text.as_bytes()));
    host
}

fn read(files: &[(&str, &str)]) -> Result<Vec<Service>, Stop> {
    Project::read(&host(files), Path::new("/home"), Dialect::ComposeV2).unwrap().services
}

/// What a service gets for `A` and `B`, with the line that decides it.
fn gets(files: &[(&str, &str)], service: &str) -> Vec<(String, Result<String, &'static str>, String)> {
    let services = read(files).unwrap();
    let service = services.iter().find(|own| own.name == service).unwrap();
    let got = service.gets(&host(files), Dialect::ComposeV2, &["A", "B"]).unwrap();
    let shown = |at: &At| format!("{}:{}", at.path.file_name().unwrap().to_str().unwrap(), at.line);
    got.into_iter().map(|(name, got)| (name, got.value, shown(&got.at))).collect()
}

#[test]
fn the_vendors_file_is_read_in_block_and_in_flow_style() {
    let services = read(&[("docker-compose.yml", FILE)]).unwrap();
    let names: Vec<_> = services.iter().map(|service| (service.name.as_str(), service.scale())).collect();
    assert_eq!(names, [("interfaceserver", 1), ("scheduler", 1), ("worker", 8), ("extra", 3)]);
    assert_eq!(services[0].ports, ["80:8001"]);
    assert!(services[0].sets("VIRTUAL_ENV") && services[1].sets("B") && !services[2].sets("B"));
    assert!(services[0].reads(Path::new("/home/prod.env")) && !services[1].reads(Path::new("/home/prod.env")));
    let flow =
        "services: {a: {deploy: {replicas: 3}, ports: [\"80:8001\", {target: 1, published: 2}], network_mode: host}}\n";
    let services = read(&[("compose.yml", flow)]).unwrap();
    assert_eq!((services[0].scale(), services[0].ports.as_slice()), (3, &["80:8001".to_owned(), "2:1".to_owned()][..]));
    assert_eq!(services[0].network(), Network::Host);
    assert_eq!(published(&services[0].ports, 8001), Some((None, 80)));
    assert_eq!(published(&["127.0.0.1:8443:8001/tcp".to_owned()], 8001), Some((Some("127.0.0.1".to_owned()), 8443)));
    assert_eq!(published(&["[::1]:80:8001".to_owned()], 8001), Some((Some("[::1]".to_owned()), 80)));
    assert_eq!(published(&["8001".to_owned(), "1:2".to_owned()], 8001), None);
}

#[test]
fn networks_and_the_names_that_containers_know_are_read() {
    let read_one = |service: &str| read(&[("compose.yaml", &format!("services:\n  s:\n{service}"))]).unwrap().remove(0);
    for (mode, network) in
        [("host", Network::Host), ("bridge", Network::Bridge), ("none", Network::Other), ("service:db", Network::Other)]
    {
        assert_eq!(read_one(&format!("    network_mode: \"{mode}\"\n")).network(), network, "{mode}");
    }
    let named = "    container_name: squid\n    networks: {default: {aliases: [proxy.intra]}, other: }\n";
    assert_eq!(read_one(named).known_as, ["s", "squid", "proxy.intra"]);
    assert_eq!(read_one(named).network(), Network::Bridge);
    for hosts in ["[\"a.b:host-gateway\", \"c=::1\"]", "{a.b: 10.0.0.1, c: \"::1\"}"] {
        assert_eq!(read_one(&format!("    extra_hosts: {hosts}\n")).extra_hosts, ["a.b", "c"]);
    }
    for dns in ["10.0.0.1", "[10.0.0.1]", "\n    - 10.0.0.1"] {
        let service = read_one(&format!("    dns: {dns}\n    dns_search: [a.corp, b.corp]\n"));
        assert_eq!((service.dns.join(","), service.dns_search.join(",")), ("10.0.0.1".into(), "a.corp,b.corp".into()));
    }
    assert_eq!(Service::named("s").network(), Network::Other);
}

#[test]
fn an_environment_outranks_files_and_a_later_file_an_earlier_one() {
    let compose = "services:\n  s:\n    env_file:\n    - one.env\n    - path: two.env\n      required: false\n    environment:\n      B: c\n";
    let seen = gets(&[("compose.yaml", compose), ("one.env", "A=1\nB=1\n"), ("two.env", "\nA=2\n")], "s");
    assert_eq!(
        seen,
        [
            ("A".to_owned(), Ok("2".to_owned()), "two.env:2".to_owned()),
            ("B".to_owned(), Ok("c".to_owned()), "compose.yaml:8".to_owned())
        ]
    );
    let seen = gets(&[("compose.yaml", compose), ("one.env", "A=1\n")], "s");
    assert_eq!(seen[0].1, Ok("1".to_owned()), "the second is not required");
}

#[test]
fn merges_references_and_the_callers_environment() {
    let compose = "x: &x\n  A: ${TAG:-d}\nservices:\n  s: {environment: {<<: *x, B: }}\n  t:\n    environment: [A=$TAG, 'B=${http_proxy}']\n";
    let seen = gets(&[("compose.yaml", compose), (".env", "TAG=t\n")], "s");
    assert_eq!((&seen[0].1, seen[0].2.as_str()), (&Ok("t".to_owned()), "compose.yaml:2"));
    assert!(seen[1].1.is_err());
    let seen = gets(&[("compose.yaml", compose)], "t");
    assert!(seen[0].1 == Ok(String::new()) && seen[1].1.is_err(), "{seen:?}");
}

#[test]
fn services_are_extended_and_files_laid_over_each_other() {
    let files = [
        (
            "docker-compose.yml",
            "services:\n  s:\n    extends: {file: sub/base.yml, service: b}\n    environment: {B: own}\n",
        ),
        ("sub/base.yml", "services:\n  b:\n    env_file: x.env\n    environment: [B=base]\n"),
        ("sub/x.env", "A=x\n"),
        ("docker-compose.override.yml", "services:\n  s:\n    environment: {B: over}\n  p:\n    profiles: [debug]\n"),
    ];
    let seen = gets(&files, "s");
    assert_eq!((&seen[0].1, &seen[1].1), (&Ok("x".to_owned()), &Ok("over".to_owned())));
    assert_eq!(read(&files).unwrap().len(), 1, "a profile that nobody asks for");
    let with =
        [files.as_slice(), &[(".env", "COMPOSE_PROFILES=debug\nCOMPOSE_FILE=docker-compose.override.yml\n")]].concat();
    assert_eq!(read(&with).unwrap().len(), 2);
}

#[test]
fn every_release_has_its_own_order_of_names() {
    let files = [("compose.yaml", "services: {new: {}}\n"), ("docker-compose.yml", "services: {old: {}}\n")];
    let first =
        |dialect| Project::read(&host(&files), Path::new("/home"), dialect).unwrap().services.unwrap()[0].name.clone();
    assert_eq!(
        [Dialect::ComposeV2, Dialect::ComposeV1Dotenv, Dialect::ComposeV1Plain].map(first),
        ["new", "old", "old"]
    );
    assert!(Project::read(&host(&files[..1]), Path::new("/home"), Dialect::ComposeV1Plain).is_none());
}

#[test]
fn what_is_not_followed_ends_the_reading() {
    for text in [
        "",
        "web:\n  image: x\n",
        "services:\n  - a\n",
        "services:\n\ta:\n",
        "services: {a: {}}\ninclude: [x.yml]\n",
        "services: {a: {environment: !reset []}}\n",
        "services: {a: {extends: b}, b: {extends: a}}\n",
        "services: {a: {}, a: {}}\n",
        "services: {a: {env_file: \"$HOME/x\"}}\n",
        "services: 5\n",
    ] {
        let read = read(&[("compose.yaml", text)]);
        assert!(read.is_err() || read == Ok(Vec::new()), "{text:?}: {read:?}");
    }
    let many: String = (0..100).map(|n| format!("  s{n}:\n    image: x\n")).collect();
    assert!(read(&[("compose.yaml", &format!("services:\n{many}"))]).is_err());
    let gone = read(&[("compose.yaml", "services: {a: {env_file: none.env}}\n")]).unwrap();
    assert!(gone[0].gets(&host(&[]), Dialect::ComposeV2, &["A"]).is_err());
    for (word, text) in [
        ("on", false),
        ("08", false),
        ("22:22", false),
        ("8", true),
        ("10.0.0.1", true),
        ("http://h:1", true),
        ("1e3", false),
    ] {
        let compose = format!("services: {{a: {{environment: {{A: {word}}}}}}}\n");
        assert_eq!(gets(&[("compose.yaml", &compose)], "a")[0].1.is_ok(), text, "{word}");
    }
}

#[test]
fn one_command_serves_a_project() {
    let files = ["/d/compose.yml", "/d/compose.override.yml"].map(PathBuf::from);
    let words = |program: &[&str], project| {
        let program: Vec<String> = program.iter().map(|&word| word.to_owned()).collect();
        argv(&program, &files, project).join(" ")
    };
    let named = words(&["docker", "compose"], Some("divvy"));
    assert_eq!(named, "docker compose -f /d/compose.yml -f /d/compose.override.yml -p divvy");
    assert_eq!(words(&[], None), "-f /d/compose.yml -f /d/compose.override.yml");
}
