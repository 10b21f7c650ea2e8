//! What is seen of consumers by the files of a host in memory.

use super::*;
use crate::docker::double::Double;
use crate::finding::Status;
use crate::host::MemoryHost;
use crate::net::testing::patient;
use crate::platform;

fn host(os: &str) -> MemoryHost {
    let host = MemoryHost::new();
    let version = if os == "ubuntu" { "22.04" } else { "7" };
    host.put("/etc/os-release", format!("ID={os}\nVERSION_ID=\"{version}\"\n").as_bytes());
    host
}

fn seen(host: &MemoryHost) -> ConsumersFacts {
    let platform = platform::detect(host, None).unwrap().0;
    let ask = Ask {
        host,
        platform: Some(&platform),
        home: "/divvycloud".as_ref(),
        http_proxy: None,
        https_proxy: None,
        inside: None,
        quiet: false,
        sudo_by: None,
    };
    observe(&ask, None, patient())
}

fn one(host: &MemoryHost, who: Who) -> Consumer {
    seen(host).consumers.into_iter().find(|own| own.consumer == who).unwrap()
}

#[test]
fn daemon_json_wins_over_the_unit_and_upper_case_over_lower() {
    let host = host("centos");
    host.put(
        "/etc/systemd/system/docker.service.d/a.conf",
        b"[Service]\nEnvironment=http_proxy=http://low:1 HTTP_PROXY=http://up:1 https_proxy=http://low:1\n",
    );
    host.put(
        "/usr/lib/systemd/system/docker.service",
        b"[Service]\nEnvironmentFile=-/etc/sysconfig/docker\nEnvironment=NO_PROXY=unit\n",
    );
    host.put("/etc/sysconfig/docker", b"NO_PROXY=\"of-file\"\n");
    let docker = || one(&host, Who::Docker);
    let seen = docker();
    assert_eq!(seen.proxy(false).unwrap().shown, "http://up:1");
    assert_eq!(seen.proxy(true).unwrap().shown, "http://low:1");
    assert_eq!(seen.exclusions(), Some("of-file"));
    host.put("/etc/docker/daemon.json", br#"{"proxies": {"https-proxy": "http://json:1"}}"#);
    let seen = docker();
    assert_eq!(seen.proxy(true).unwrap().shown, "http://json:1");
    assert!(seen.source.contains("daemon.json") && seen.source.contains("a.conf"), "{}", seen.source);
}

#[test]
fn readers_of_prod_env_that_disagree_are_told_apart() {
    let host = host("ubuntu");
    host.put("/divvycloud/prod.env", b"http_proxy=\"http://h:1\"\nhttps_proxy=http://h:1\n");
    let seen = seen(&host).consumers;
    let readers: Vec<_> =
        seen.iter().filter(|own| own.consumer == Who::ProdEnv).filter_map(|own| own.name.clone()).collect();
    assert_eq!(readers, ["docker-compose 1.25", "docker-compose 1.29, docker compose v2"]);
}

#[test]
fn logins_read_profile_scripts_after_the_environment() {
    let host = host("ubuntu");
    host.put("/etc/environment", b"http_proxy=http://first:1\nhttps_proxy=http://first:1\n");
    host.put("/etc/profile.d/z.sh", b"http_proxy=http://later:1\nexport no_proxy=$(hostname)\n");
    let login = one(&host, Who::Login);
    assert_eq!(login.proxy(false).unwrap().shown, "http://later:1", "exported already, so a plain assignment counts");
    assert_eq!(login.unknown.into_keys().collect::<Vec<_>>(), ["no_proxy"]);
}

#[test]
fn variables_that_are_no_proxy_go_nowhere() {
    let host = host("ubuntu");
    host.put("/etc/profile", b"export PATH=/bin\nexport DB_PASSWORD=hunter2secret all_proxy=http://all:1\n");
    host.put("/etc/profile.d/z.sh", b"export OTHER=hunter2secret\n");
    let facts = seen(&host);
    let login = facts.consumers.iter().find(|own| own.consumer == Who::Login).unwrap();
    assert_eq!(login.exceptions.iter().map(|own| own.at.as_str()).collect::<Vec<_>>(), ["/etc/profile:2"]);
    assert!(!serde_json::to_string(&facts).unwrap().contains("hunter2secret"));
}

#[test]
fn the_daemon_gets_what_its_unit_would_give_it() {
    const UNIT: &str = "/usr/lib/systemd/system/docker.service";
    const DROP_IN: &str = "/etc/systemd/system/docker.service.d/a.conf";
    let with = |files: &[(&str, &str)]| {
        let host = host("ubuntu");
        host.put(UNIT, b"[Service]\nEnvironment=HTTP_PROXY=http://env:1\nExecStart=/usr/bin/dockerd\n");
        files.iter().for_each(|(path, text)| host.put(path, text.as_bytes()));
        one(&host, Who::Docker)
    };
    let shown = |consumer: &Consumer| consumer.proxy(false).map(|value| value.shown.clone());
    let options = (DROP_IN, "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --http-proxy=http://flag:1\n");
    assert_eq!(shown(&with(&[options])).as_deref(), Some("http://flag:1"));
    let both = with(&[options, ("/etc/docker/daemon.json", r#"{"proxies":{"http-proxy":"http://json:1"}}"#)]);
    assert_eq!(both.state, State::Refused, "the daemon does not start");
    assert_eq!(shown(&with(&[(DROP_IN, "[Service]\nUnsetEnvironment=HTTP_PROXY\n")])), None);
    let unknown = with(&[(DROP_IN, "[Service]\nEnvironment=HTTP_PROXY=http://%H:1\n")]);
    assert_eq!(unknown.unknown.into_keys().collect::<Vec<_>>(), ["HTTP_PROXY"]);
    for wrapper in [
        "/usr/bin/env HTTP_PROXY=http://old:1 /usr/bin/dockerd",
        "/usr/bin/env -i dockerd",
        "/bin/sh -c 'exec dockerd'",
        "/opt/site/start-docker",
    ] {
        let wrapped = with(&[(DROP_IN, &format!("[Service]\nExecStart=\nExecStart={wrapper}\n"))]);
        assert_eq!(wrapped.unknown.len(), 6, "{wrapper}: {wrapped:?}");
    }
    for own in ["/usr/bin/dockerd -H fd://", "/usr/bin/dockerd-current", "/usr/bin/docker daemon"] {
        let own = with(&[(DROP_IN, &format!("[Service]\nExecStart=\nExecStart={own}\n"))]);
        assert_eq!(shown(&own).as_deref(), Some("http://env:1"));
    }
    let absent = (DROP_IN, "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --config-file=/etc/docker/none.json\n");
    assert_eq!(with(&[absent]).state, State::Refused);
    let all = ("/etc/systemd/system.conf.d/5.conf", "[Manager]\nDefaultEnvironment=HTTPS_PROXY=http://all:1\n");
    assert_eq!(with(&[all]).proxy(true).unwrap().shown, "http://all:1");
    assert_eq!(with(&[(DROP_IN, "[Service]\nEnvironmentFile=/none\n")]).state, State::Unreadable);
    let snap = host("ubuntu");
    snap.put(
        "/etc/systemd/system/snap.docker.dockerd.service",
        b"[Service]\nExecStart=/usr/bin/snap run docker.dockerd\n",
    );
    snap.put(DROP_IN, b"[Service]\nEnvironment=HTTP_PROXY=http://env:1\n");
    let snap = one(&snap, Who::Docker);
    assert!(snap.state == State::Seen && !snap.has_proxy(), "{snap:?}");
}

#[test]
fn the_client_takes_the_entry_of_the_daemon_it_asks() {
    const CONFIG: &str = "/root/.docker/config.json";
    let client = |text: &str, more: &[(&str, &str)]| {
        let host = host("ubuntu");
        host.put(CONFIG, text.as_bytes());
        more.iter().for_each(|(path, text)| host.put(path, text.as_bytes()));
        seen(&host).consumers.into_iter().find(|own| own.consumer == Who::DockerClient)
    };
    let http = |consumer: &Option<Consumer>| Some(consumer.as_ref()?.proxy(false)?.shown.clone());
    const TWO: &str = r#"{"Proxies":{"default":{"httpProxy":"http://d:1"},"unix:///var/run/docker.sock":{"HTTPProxy":"http://o:1"},"tcp://x:1":{"httpProxy":"http://x:1"}}}"#;
    let two = client(TWO, &[]);
    assert_eq!(http(&two).as_deref(), Some("http://o:1"));
    assert_eq!(two.as_ref().unwrap().exceptions.len(), 1);
    assert!(two.unwrap().decided["http_proxy"].shown.ends_with("(proxies.unix:///var/run/docker.sock)"));
    assert_eq!(http(&client(TWO, &[("/etc/environment", "DOCKER_HOST=tcp://x:1\n")])).as_deref(), Some("http://x:1"));
    let hidden = client(r#"{"proxies":{"default":{"httpProxy":"http://d:1"},"unix:///var/run/docker.sock":5}}"#, &[]);
    assert_eq!(http(&hidden), None, "an entry that is no entry hides the default");
    let context = r#"{"currentContext":"far","proxies":{"tcp://far:1":{"httpProxy":"http://far:1"}}}"#;
    let meta = "/root/.docker/contexts/meta/512eea46ceb3921dff4363c7069d89d4964d1d9fccaa0f411851a7aa60a5c868/meta.json";
    let of_context = client(context, &[(meta, r#"{"Name":"far","Endpoints":{"docker":{"Host":"tcp://far:1"}}}"#)]);
    assert_eq!(http(&of_context).as_deref(), Some("http://far:1"));
    assert_eq!(client(context, &[]).unwrap().state, State::Unreadable, "there is no such context");
    assert_eq!(
        http(&client(r#"{"proxies":{"default":{"httpProxy":"http://d:1"}}} x"#, &[])).as_deref(),
        Some("http://d:1")
    );
    assert_eq!(client("{ broken", &[]).unwrap().state, State::Unreadable);
    assert!(client(r#"{"proxies":{"httpProxy":"http://d:1"}}"#, &[]).unwrap().why.is_some(), "not where it is read");
    assert_eq!(client("{}", &[]), None);
}

#[test]
fn no_daemon_is_not_the_same_as_podman_or_a_users_daemon() {
    let docker = |files: &[(&str, &str)]| {
        let host = host("centos");
        files.iter().for_each(|(path, text)| host.put(path, text.as_bytes()));
        seen(&host).consumers.into_iter().filter(|own| own.consumer == Who::Docker).collect::<Vec<_>>()
    };
    const OURS: (&str, &str) =
        ("/etc/systemd/system/docker.service.d/http-proxy.conf", "[Service]\nEnvironment=HTTP_PROXY=http://h:1\n");
    let states = |seen: &[Consumer]| seen.iter().map(|own| own.state).collect::<Vec<_>>();
    assert_eq!(states(&docker(&[OURS])), [State::Skipped], "its own drop-in is no daemon");
    let podman =
        docker(&[OURS, ("/usr/bin/docker", "#!/bin/sh\nexec /usr/bin/podman \"$@\"\n"), ("/usr/bin/podman", "x")]);
    assert_eq!(states(&podman), [State::NotServed]);
    assert!(podman[0].why.as_ref().unwrap().to_string().contains("docker is podman"));
    assert_eq!(states(&docker(&[("/usr/bin/podman", "x")])), [State::NotServed]);
    let unit = ("/home/divvy/.config/systemd/user/docker.service", "[Service]\n");
    let rootless = docker(&[OURS, unit]);
    assert_eq!(states(&rootless), [State::NotServed]);
    assert!(rootless[0].why.as_ref().unwrap().to_string().contains("/home/divvy/.config/docker/daemon.json"));
    let both = docker(&[OURS, unit, ("/usr/bin/dockerd", "x")]);
    assert_eq!(states(&both), [State::Seen, State::NotServed]);
    assert_eq!(states(&docker(&[("/usr/bin/dockerd", "x"), ("/usr/bin/podman", "x")])), [State::Seen]);
}

#[test]
fn compose_itself_is_asked_and_outranks_the_model() {
    let files = host("ubuntu");
    files.put("/divvycloud/prod.env", b"http_proxy=http://h:1\nhttps_proxy=http://h:1\n");
    let compose =
        "services:\n  worker:\n    env_file: prod.env\n    environment: {http_proxy: 'http://c:1', no_proxy: }\n";
    files.put("/divvycloud/compose.yaml", compose.as_bytes());
    files.put("/usr/libexec/docker/cli-plugins/docker-compose", b"");
    let answer = r#"{"services":{"worker":{"environment":{"http_proxy":"http://c:1","https_proxy":"http://asked:1","no_proxy":null}}}}"#;
    let live = Double::with(files)
        .prints("docker compose version --short", "2.26.1-4\n")
        .prints("docker compose -f /divvycloud/compose.yaml config --format json", answer);
    let platform = platform::detect(&live, None).unwrap().0;
    let ask = Ask {
        host: &live,
        platform: Some(&platform),
        home: "/divvycloud".as_ref(),
        http_proxy: None,
        https_proxy: None,
        inside: None,
        quiet: false,
        sudo_by: None,
    };
    let facts = observe(&ask, Some(&[Who::ProdEnv]), patient());
    let [seen] = facts.consumers.as_slice() else { panic!("{facts:?}") };
    assert_eq!((seen.known, seen.proxy(false).unwrap().shown.as_str()), (Known::Asked, "http://c:1"));
    assert_eq!(seen.proxy(true).unwrap().shown, "http://asked:1", "not what the model says");
    assert_eq!(seen.decided["http_proxy"].shown, "/divvycloud/compose.yaml:4");
    assert_eq!(seen.unknown.keys().collect::<Vec<_>>(), ["no_proxy"], "of whoever starts it");
    assert_eq!(facts.compose.to_string(), "docker compose -f /divvycloud/compose.yaml");
}

#[test]
fn the_engine_itself_is_asked_about_its_file() {
    let files = host("ubuntu");
    files.put("/usr/lib/systemd/system/docker.service", b"[Service]\nExecStart=/usr/bin/dockerd\n");
    files.put("/etc/docker/daemon.json", b"{\"nonsense\": 1}");
    let said = "unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives don't match any configuration option: nonsense";
    let refusing = Double::with(files).fails("dockerd --validate --config-file /etc/docker/daemon.json", said);
    let platform = platform::detect(&refusing, None).unwrap().0;
    let ask = Ask {
        host: &refusing,
        platform: Some(&platform),
        home: "/d".as_ref(),
        http_proxy: None,
        https_proxy: None,
        inside: None,
        quiet: false,
        sudo_by: None,
    };
    let facts = observe(&ask, Some(&[Who::Docker]), patient());
    assert_eq!((facts.consumers[0].state, facts.consumers[0].known), (State::Refused, Known::Asked));
    assert!(facts.consumers[0].why.as_ref().unwrap().to_string().contains("nonsense"));
}

#[test]
fn an_emptied_list_of_files_is_empty() {
    let host = host("ubuntu");
    host.put(
        "/lib/systemd/system/docker.service",
        b"[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/bin/dockerd\n",
    );
    host.put("/etc/default/docker", b"HTTP_PROXY=http://old:1\n");
    host.put("/etc/systemd/system/docker.service.d/20.conf", b"[Service]\nEnvironmentFile=\n");
    let docker = one(&host, Who::Docker);
    assert!(docker.state == State::Seen && !docker.has_proxy(), "{docker:?}");
}

#[test]
fn a_line_that_is_not_understood_is_not_said_to_decide() {
    let asked = Consumer { known: Known::Asked, ..Consumer::new(Who::Login, Some("root".to_owned()), "su - root") };
    let names = ["http_proxy", "https_proxy"];
    let at = Decided {
        shown: "/root/.bashrc:21".to_owned(),
        taken: false,
        ours: false,
        supposed: false,
        others: None,
        at: None,
        place: None,
    };
    let planned = Consumer {
        decided: names.map(|name| (name.to_owned(), at.clone())).into(),
        unknown: names.map(|name| (name.to_owned(), "a command decides it".into())).into(),
        ..asked.clone()
    };
    let facts = ConsumersFacts { consumers: vec![asked], planned: vec![planned], ..ConsumersFacts::default() };
    let url = crate::settings::ProxyUrl::parse("http://proxy:1").unwrap();
    let proxy = Some(ProxySpec::new(&url, "--proxy".to_owned()));
    let wanted = Wanted { http: proxy.clone(), https: proxy, asked: true, ..Wanted::default() };
    let finding = judge::judge(&facts.consumers[0], &facts, &wanted);
    assert_eq!(finding.fix[0].to_string(), "ics-setup prepare --proxy http://proxy:1", "{finding:#?}");
    assert!(!format!("{finding:?}").contains(".bashrc:21"), "{finding:#?}");
}

/// No name server answers: whether containers know the name is not known.
#[test]
fn back_ends_of_which_no_name_server_says_anything_are_not_told() {
    let host = host("ubuntu").with("/divvycloud/prod.env", "DIVVY_DB_HOST=db.corp.example\nDIVVY_REDIS_HOST=redis\n");
    let mut probe = reader::FileProbe::new(&host, None, "/divvycloud".as_ref(), patient());
    probe.names = astray::Names::new(&host, astray::Mode::Live);
    let consumers = (Who::ProdEnv.profile().observe)(&mut probe);
    let astray: Vec<&Astray> = consumers.iter().flat_map(Consumer::back_ends_astray).collect();
    assert!(!astray.is_empty() && astray.iter().all(|own| own.variable == "DIVVY_DB_HOST"), "{astray:?}");
    assert!(matches!(&astray[0].fault, Fault::Untold { why } if why.contains("no name server answers")), "{astray:?}");
    let findings = judge::back_ends(&ConsumersFacts { consumers, ..ConsumersFacts::default() }, &Wanted::default());
    assert!(!findings.is_empty() && findings.iter().all(|own| own.status == Status::Skip), "{findings:?}");
    assert!(findings[0].observed.as_ref().unwrap().contains("no name server answers for it"), "{findings:?}");
}
