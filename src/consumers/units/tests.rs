//! What a service gets, by the files of a host in memory.

use super::*;
use crate::host::MemoryHost;
use crate::version::Version;

const UNIT: &str = "/usr/lib/systemd/system/docker.service";
const BODY: &str = "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n";
const DROP_INS: &str = "/etc/systemd/system/docker.service.d";

fn host(files: &[(&str, &str)]) -> MemoryHost {
    let host = MemoryHost::new();
    host.put(UNIT, BODY.as_bytes());
    for (path, text) in files {
        host.put(&path.replace("D/", &format!("{DROP_INS}/")), text.as_bytes());
    }
    host
}

fn of(release: &str) -> Release {
    Release::of(Version::parse(release).as_ref())
}

fn docker(host: &MemoryHost) -> Service {
    service(host, "docker.service", Release::MEASURED)
}

/// `VALUE`, `unset` or `unknown`, with the file and line that decides.
fn told(service: &Service, name: &str) -> String {
    let Some(sight) = service.sight(name) else { return String::new() };
    let place = format!("{}:{}", sight.at().path.file_name().unwrap().to_string_lossy(), sight.at().line);
    match sight {
        Sight::Value { value, .. } => format!("{value} {place}"),
        Sight::Unset { .. } => format!("unset {place}"),
        Sight::Unknown { .. } => format!("unknown {place}"),
    }
}

fn proxy(files: &[(&str, &str)]) -> String {
    told(&docker(&host(files)), "HTTP_PROXY")
}

#[test]
fn each_file_and_directive_counts_as_systemd_counts_it() {
    let own = "[Service]\nEnvironment=HTTP_PROXY=own\n";
    for (files, expected) in [
        // A section of one file does not go on in the next.
        (&[("D/a.conf", "Environment=HTTP_PROXY=x\n")][..], ""),
        // What follows a % that is no specifier.
        (&[("D/a.conf", "[Service]\nEnvironment=HTTP_PROXY=p%23w\n")], ""),
        (&[("D/a.conf", own), ("D/b.conf", "[Service]\nEnvironment=HTTP_PROXY=%H\n")], "unknown b.conf:2"),
        (&[("D/a.conf", "[Service]\nEnvironment=HTTP_PROXY=a\\x2cb\n")], "a,b a.conf:2"),
        (&[("D/a.conf", own), ("D/b.conf", "[Service]\nEnvironment=\n")], "unset b.conf:2"),
        // Later names win, in whatever folder; the same name hides, a mask too.
        (
            &[
                ("D/a.conf", own),
                ("/usr/lib/systemd/system/docker.service.d/b.conf", "[Service]\nEnvironment=HTTP_PROXY=b"),
            ],
            "b b.conf:2",
        ),
        (&[("D/b.conf", ""), ("/usr/lib/systemd/system/docker.service.d/b.conf", own)], ""),
        (
            &[("D/a.conf", own), ("/etc/systemd/system/service.d/zz.conf", "[Service]\nEnvironment=HTTP_PROXY=z\n")],
            "z zz.conf:2",
        ),
        (
            &[("D/zz.conf", own), ("/etc/systemd/system/service.d/zz.conf", "[Service]\nEnvironment=HTTP_PROXY=z\n")],
            "own zz.conf:2",
        ),
        (&[("D/.a.conf", own), ("D/a.conf.bak", own)], ""),
        // Taken away last, whatever sets it.
        (&[("D/a.conf", "[Service]\nUnsetEnvironment=HTTP_PROXY\n"), ("D/b.conf", own)], "unset a.conf:2"),
        (&[("D/a.conf", "[Service]\nUnsetEnvironment=HTTP_PROXY=own\n"), ("D/b.conf", own)], "unset a.conf:2"),
        (&[("D/a.conf", "[Service]\nUnsetEnvironment=HTTP_PROXY=no\n"), ("D/b.conf", own)], "own b.conf:2"),
        // Files win over Environment=, later ones over earlier ones.
        (
            &[
                ("D/a.conf", "[Service]\nEnvironmentFile=-/etc/e/*.env\n"),
                ("D/b.conf", own),
                ("/etc/e/1.env", "#\nHTTP_PROXY='f'\n"),
            ],
            "f 1.env:2",
        ),
        (
            &[
                ("D/a.conf", "[Service]\nEnvironmentFile=/etc/e\n"),
                ("D/b.conf", "[Service]\nEnvironmentFile=\n"),
                ("/etc/e", "HTTP_PROXY=f\n"),
            ],
            "",
        ),
        (&[("D/a.conf", "[Service]\nEnvironmentFile=\"/etc/e\"\n"), ("/etc/e", "HTTP_PROXY=f\n")], ""),
        (&[("D/a.conf", "[Service]\nEnvironmentFile=/etc/%H\n"), ("D/b.conf", own)], "unknown a.conf:2"),
        // What all services get is weakest.
        (&[("/etc/systemd/system.conf.d/5.conf", "[Manager]\nDefaultEnvironment=HTTP_PROXY=d\n")], "d 5.conf:2"),
        (
            &[("/etc/systemd/system.conf", "[Manager]\nDefaultEnvironment=HTTP_PROXY=d\n"), ("D/a.conf", own)],
            "own a.conf:2",
        ),
        (
            &[
                ("/etc/systemd/system.conf", "[Manager]\nDefaultEnvironment=HTTP_PROXY=d\n"),
                ("D/a.conf", "[Service]\nPassEnvironment=HTTP_PROXY\n"),
            ],
            "unknown a.conf:2",
        ),
        (&[("/etc/systemd/system-environment-generators/10-x", "#!/bin/sh\n")], "unknown 10-x:0"),
        (&[("D/a.conf", "[Service]\nPAMName=login\n"), ("D/b.conf", own)], "unknown a.conf:2"),
    ] {
        assert_eq!(proxy(files), expected, "{files:?}");
    }
}

#[test]
fn units_are_found_masked_and_refused() {
    let host = host(&[("D/a.conf", "[Service]\nEnvironment=A=%n\n"), ("/usr/lib/systemd/system/x-y@.service", BODY)]);
    host.put("/etc/systemd/system/x-.service.d/a.conf", b"[Service]\nEnvironment=A=%i-%p\n");
    assert_eq!(told(&docker(&host), "A"), "docker.service a.conf:2");
    let instance = service(&host, "x-y@1.service", Release::MEASURED);
    assert_eq!(told(&instance, "A"), "1-x-y a.conf:2");
    host.put_link("/etc/systemd/system/container.service", "/usr/lib/systemd/system/docker.service", 0);
    host.put("/etc/systemd/system/container.service.d/b.conf", b"[Service]\nEnvironment=B=1\n");
    let alias = service(&host, "container.service", Release::MEASURED);
    assert_eq!((told(&alias, "B").as_str(), told(&alias, "A").as_str()), ("1 b.conf:2", "unknown a.conf:2"));
    assert_eq!(alias.fragment.as_deref(), Some(Path::new(UNIT)));
    host.put_link("/etc/systemd/system/docker.service", "/dev/null", 0);
    assert!(docker(&host).masked);
    assert!(service(&host, "none.service", Release::MEASURED).fragment.is_none());
    let broken = self::host(&[(UNIT, "[Service\nEnvironment=A=1\n"), ("D/a.conf", "[Service]\nEnvironment=A=2\n")]);
    assert!(docker(&broken).refused.is_some() && docker(&broken).sight("A").is_none());
    let missing = self::host(&[("D/a.conf", "[Service]\nEnvironmentFile=/etc/none\n")]);
    assert_eq!(docker(&missing).refused.unwrap().at.line, 2);
}

#[test]
fn commands_of_the_effective_unit() {
    let host = host(&[
        (
            "D/a.conf",
            "[Service]\nEnvironmentFile=/etc/d\nExecStart=\nExecStart=-/usr/bin/dockerd $OPTS ${X}y $$ $NONE $HOME\n",
        ),
        ("/etc/d", "OPTS=\"--http-proxy=http://p:1 -H 'a b'\"\nX=z\n"),
    ]);
    let service = docker(&host);
    let words: Vec<Option<&str>> = service.exec_start[0].argv.iter().map(Option::as_deref).collect();
    assert_eq!(
        words,
        [
            Some("/usr/bin/dockerd"),
            Some("--http-proxy=http://p:1"),
            Some("-H"),
            Some("a b"),
            Some("zy"),
            Some("$"),
            None
        ]
    );
    assert_eq!((service.exec_start.len(), service.exec_start[0].at.line), (1, 4));
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let own = ("D/b.conf", "[Service]\nEnvironment=HTTP_PROXY=own\n");
    for path in
        ["/etc/e", "/etc/systemd/system", "/etc/systemd/system/docker.service.d/a.conf", "/usr/lib/systemd/system"]
    {
        let host = host(&[("D/a.conf", "[Service]\nEnvironmentFile=-/etc/e\n"), own, ("/etc/e", "")])
            .with_error(path, std::io::ErrorKind::PermissionDenied);
        let told = told(&docker(&host), "NO_PROXY");
        assert!(told.starts_with("unknown ") || path.ends_with("system"), "{path}: {told}");
    }
    let endless = host(&[own]);
    endless.put(&format!("{DROP_INS}/a.conf"), &vec![0; 5 << 20]);
    assert!(told(&docker(&endless), "NO_PROXY").starts_with("unknown a.conf"));
    let circle = host(&[own]);
    circle.put_link("/etc/systemd/system/docker.service", "/etc/systemd/system/b.service", 0);
    circle.put_link("/etc/systemd/system/b.service", "/etc/systemd/system/docker.service", 0);
    assert!(docker(&circle).fragment.is_none(), "a circle of names leads nowhere");
}

#[test]
fn releases_that_do_otherwise() {
    let long = format!("[Service]\nEnvironment=\"NO_PROXY={}\"\nEnvironment=A=1\n", "x,".repeat(1500));
    let by = |text: &str, release: &str, name: &str| {
        told(&service(&host(&[("D/a.conf", text)]), "docker.service", of(release)), name)
    };
    assert_eq!((by(&long, "219", "NO_PROXY"), by(&long, "219", "A")), (String::new(), String::new()));
    assert!(by(&long, "252", "NO_PROXY").starts_with("x,x,") && by(&long, "252", "A") == "1 a.conf:3");
    assert!(by(&long, "", "NO_PROXY").starts_with("unknown"));
    assert_eq!(by("[Service]\nEnvironment=A=p%23w\n", "219", "A"), "p%23w a.conf:2");
    assert_eq!(by("[Service]\nEnvironment=A=1\nUnsetEnvironment=A\n", "219", "A"), "1 a.conf:2");
    let of_type = host(&[("/etc/systemd/system/service.d/a.conf", "[Service]\nEnvironment=A=1\n")]);
    let seen = |release: &str| told(&service(&of_type, "docker.service", of(release)), "A");
    assert_eq!((seen("239").as_str(), seen("245").as_str(), seen("").as_str()), ("", "1 a.conf:2", "unknown a.conf:0"));
}

#[test]
fn what_systemd_says_of_itself_is_read() {
    let dump = "\t-> Unit docker.service:\n\t\tAlias: d.service\n\t\tUnit Load State: loaded\n\t\tFragment Path: /usr/lib/systemd/system/docker.service\n\
        \t\tDropIn Path: /etc/systemd/system/docker.service.d/a.conf\n\t\tEnvironment: A=1\n2\n\t\tEnvironment: B=x y\n\
        \t\tEnvironmentFile: -/etc/e\n\t\tPassEnvironment: P\n\t\tUnsetEnvironment: U=1\n\t\t-> ExecStart:\n\
        \t\t\tCommand Line: /usr/bin/dockerd \"a b\" \"\\$X\" \"\"\n\t\t-> ExecStop:\n\t\t\tCommand Line: /bin/x\n\t-> Unit other.service:\n\t\tEnvironment: A=other\n";
    let said = "/etc/systemd/system/docker.service.d/a.conf:3: Failed to resolve specifiers in X=S3cret%23, ignoring: Invalid slot\n";
    for name in ["docker.service", "d.service"] {
        let loaded = ask::dump(name, dump.as_bytes(), said.as_bytes()).unwrap();
        assert_eq!(loaded.files.len(), 2);
        assert!(!format!("{:?}", loaded.complaints).contains("S3cret") && loaded.complaints[0].0.line == 3);
        let host = MemoryHost::new().with("/etc/e", "B=file\n");
        let service = start::start(&host, loaded, &Variables::default(), Release::MEASURED);
        assert_eq!(service.sight("A").unwrap().value(), Some("1\n2"));
        assert_eq!(told(&service, "B"), "file e:1");
        assert!(told(&service, "P").starts_with("unknown"));
        let argv: Vec<_> = service.exec_start[0].argv.iter().flatten().map(String::as_str).collect();
        assert_eq!((argv, service.exec_start.len()), (vec!["/usr/bin/dockerd", "a b", ""], 1));
    }
    assert!(ask::dump("none.service", dump.as_bytes(), b"").is_none());
    let shown = "LoadState=loaded\nFragmentPath=/lib/systemd/system/docker.service\nDropInPaths=/etc/a.conf /etc/b.conf\n\
        Environment=A=1 \"B=x y\"\nEnvironmentFiles=/etc/e (ignore_errors=yes)\nUnsetEnvironment=C\n\
        ExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// ; ignore_errors=no ; start_time=[n/a] }\n";
    let loaded = ask::show(shown.as_bytes()).unwrap();
    assert_eq!((loaded.files.len(), loaded.environment.get("B").unwrap().value()), (3, Some("x y")));
    assert_eq!((loaded.environment_files.items[0].optional, loaded.exec.items[0].argv.len()), (true, 3));
    assert!(ask::show(b"LoadState=not-found\n").is_none());
}

#[test]
fn a_difference_from_systemds_word_is_seen() {
    let host = host(&[("D/a.conf", "[Service]\nEnvironment=A=1 B=%H\n")]);
    let modelled = load::unit(&host, "docker.service", Release::MEASURED);
    let dump = |value: &str| {
        format!(
            "\t-> Unit docker.service:\n\t\tUnit Load State: loaded\n\t\tFragment Path: {UNIT}\n\t\tDropIn Path: {DROP_INS}/a.conf\n\
             \t\tEnvironment: A={value}\n\t\tEnvironment: B=machine\n\t\t-> ExecStart:\n\t\t\tCommand Line: /usr/bin/dockerd -H fd://\n"
        )
    };
    let against =
        |value: &str| ask::differences(&modelled, ask::dump("docker.service", dump(value).as_bytes(), b"").as_ref());
    assert_eq!(against("1"), []);
    assert_eq!(against("2"), [ask::Difference::Value("A".to_owned())]);
    assert_eq!(ask::differences(&modelled, None), [ask::Difference::Loaded]);
}
