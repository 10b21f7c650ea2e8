//! Which proxy apt uses, by its configuration.
//!
//! Source: methods/http.cc (`ConnectToHost`), methods/aptmethod.h (`ConfigFind`), apt-pkg/contrib/proxy.cc
//! (`AutoDetectProxy`) of apt 1.6 to 3.1; apt 1.2 does the same for https by methods/https.cc.

use std::path::Path;

use super::super::sight::{Sight, Sights, Stop};
use super::apt_conf::{AptConf, Item};
use super::{Planned, Proxies, Special, Whom};
use crate::host::HostRead;

/// Prints what [`of_dump`] reads.
pub(super) const DUMP: [&str; 2] = ["apt-config", "dump"];

/// The options of each scheme, in the order in which they are asked.
const SCHEMES: [(&str, &str, &[&str]); 2] =
    [("http", "http_proxy", &["http"]), ("https", "https_proxy", &["https", "http"])];

/// What apt makes of its files. `start` is the environment that it is started with.
pub(super) fn read(host: &dyn HostRead, start: &Sights, planned: Planned<'_>) -> Proxies {
    let config = match start.get("APT_CONFIG") {
        Some(Sight::Value { value, .. }) if !value.is_empty() => Some(Path::new(value)),
        Some(unknown @ Sight::Unknown { .. }) => return all_unknown(unknown),
        _ => None,
    };
    if let Some(path) = config.filter(|path| !path.is_absolute()) {
        return all_unknown(&Stop::file(path, "APT_CONFIG depends on the folder that apt is started in").sight());
    }
    match AptConf::load(host, config, planned) {
        Ok(conf) => judge(&conf, start),
        Err(stop) => all_unknown(&stop.sight()),
    }
}

/// What apt makes of its files by its own word: the output of [`DUMP`]. Places are lines of that output.
pub(super) fn of_dump(output: &[u8], start: &Sights) -> Proxies {
    judge(&AptConf::of_dump(output, Path::new("apt-config dump")), start)
}

fn all_unknown(sight: &Sight) -> Proxies {
    Proxies { sights: sight.of_all(&SCHEMES.map(|(_, name, _)| name)), special: Vec::new() }
}

fn judge(conf: &AptConf, start: &Sights) -> Proxies {
    let mut found = Proxies::default();
    for (scheme, name, asked) in SCHEMES {
        let set = asked.iter().find_map(|own| conf.find(&["acquire", own, "proxy"]));
        let detect =
            ["proxy-auto-detect", "proxyautodetect"].iter().find_map(|key| conf.find(&["acquire", scheme, key]));
        let sight = match (detect, set) {
            (Some(item), _) => {
                let why = "a program tells the proxy for each address, and outranks Proxy".into();
                Some(Sight::Unknown { at: item.at.clone(), why })
            }
            (None, Some(item)) => Some(sight(item)),
            // apt takes an https_proxy that is empty for a proxy of none, and http_proxy where there is no https_proxy.
            (None, None) => {
                let taken = asked.iter().find_map(|own| conf.taken(&["acquire", own, "proxy"]));
                let given = start.get(name).or_else(|| start.get("http_proxy")).cloned();
                given.or_else(|| taken.map(|at| Sight::Unset { at: at.clone() }))
            }
        };
        found.sights.extend(sight.map(|sight| (name.to_owned(), sight)));
    }
    for (name, item) in conf.all() {
        let name: Vec<String> = name.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        let name: Vec<&str> = name.iter().map(String::as_str).collect();
        let whom = match name.as_slice() {
            ["acquire", "http" | "https", "proxy", host] => Whom::Host((*host).to_owned()),
            ["binary", program, "acquire", "http" | "https", rest @ ..]
                if rest.first().is_some_and(|key| key.starts_with("proxy")) =>
            {
                Whom::Program((*program).to_owned())
            }
            _ => continue,
        };
        let sight = match (&whom, item.value.as_slice()) {
            (Whom::Host(_), b"DIRECT") => Sight::Unset { at: item.at.clone() },
            _ => sight(item),
        };
        let tls = Some(name.contains(&"https"));
        found.special.push(Special { whom, tls, sight });
    }
    found
}

/// A value without a colon has no host for apt, so it goes direct: `DIRECT`, `false`, `proxy.corp.example`.
fn sight(item: &Item) -> Sight {
    let at = item.at.clone();
    match std::str::from_utf8(&item.value) {
        Ok(value) if !value.contains(':') => Sight::Unset { at },
        Ok(value) => Sight::Value { value: value.to_owned(), at },
        Err(_) => Sight::unknown(&at, "the value is no text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    const PARTS: &str = "/etc/apt/apt.conf.d";

    fn host(files: &[(&str, &str)]) -> MemoryHost {
        let host = MemoryHost::new();
        host.put_dir(PARTS);
        for (path, text) in files {
            host.put(
                &if path.starts_with('/') { (*path).to_owned() } else { format!("{PARTS}/{path}") },
                text.as_bytes(),
            );
        }
        host
    }

    fn seen(files: &[(&str, &str)]) -> Proxies {
        read(&host(files), &Sights::new(), None)
    }

    /// `VALUE FILE:LINE`, `- FILE:LINE` for none, `? FILE:LINE` for unknown.
    fn told(sight: Option<&Sight>) -> String {
        let Some(sight) = sight else { return String::new() };
        let what = match sight {
            Sight::Value { value, .. } => value,
            Sight::Unset { .. } => "-",
            Sight::Unknown { .. } => "?",
        };
        let path = sight.at().path.display().to_string();
        format!("{what} {}:{}", path.strip_prefix(&format!("{PARTS}/")).unwrap_or(&path), sight.at().line)
    }

    fn http(text: &str) -> String {
        told(seen(&[("a", text)]).sights.get("http_proxy"))
    }

    #[test]
    fn the_grammar() {
        for (text, expected) in [
            ("Acquire::http::Proxy \"http://h:1\";", "http://h:1 a:1"),
            ("Acquire::http::Proxy http://h:1;", "? a:1"),
            ("Acquire::http::Proxy http:h:1;", "http:h:1 a:1"),
            ("Acquire::http::proxy \"http://a:1\";\nacquire::HTTP::Proxy \"http://h:1\";", "http://h:1 a:2"),
            ("// x\nAcquire { http { Proxy \"http://h:1\"; }; https::Proxy \"http://i:2\"; };", "http://h:1 a:2"),
            ("Acquire\n{\n  http\n  {\n    Proxy\n    \"http://h:1\"\n    ;\n  }\n}\n", "http://h:1 a:7"),
            ("/* Acquire::http::Proxy \"http://x:1\"; */ # Acquire::http::Proxy \"http://y:1\";\n", ""),
            ("/* x\n*/ Acquire::http::Proxy \"http://h:1\"; /* y", "http://h:1 a:2"),
            ("Acquire::http::Proxy \"http://h:1\"; // c\n", "http://h:1 a:1"),
            ("Acquire::http::Proxy \"\";", "- a:1"),
            ("Acquire::http::Proxy \"http://a:1\";\nAcquire::http::Proxy \"\";", "- a:2"),
            ("Acquire::http::Proxy \"http://a:1\";\n#clear Acquire::http;", "- a:2"),
            ("Acquire::http::Proxy \"http://a:1\";\n#clear Acquire::http::Proxy;\n#clear Acquire;", "- a:2"),
            ("#clear Acquire::http;", ""),
            (
                "Acquire::http::Proxy \"http://a:1\";\n#clear acquire;\nAcquire::http::Proxy \"http://h:1\";",
                "http://h:1 a:3",
            ),
            ("Acquire::http::Proxy \"http://a:1\";\n#clear Acquire::https;", "http://a:1 a:1"),
            ("Acquire::http::Proxy:: \"http://a:1\";", ""),
            ("Acquire::http::Proxy { \"http://a:1\"; \"http://b:1\"; };", ""),
            ("Acquire::http::Proxy \"http://a%3a1\" ;", "http://a%3a1 a:1"),
            ("Acquire::http::Proxy http:%2f%2fa:1 ;", "http://a:1 a:1"),
            ("Acquire::http::Proxy \"http://a\" \"b:1\";", "http://a b:1 a:1"),
            ("Acquire::http::Proxy \"http://h:1\"", "? a:1"),
            ("Acquire::http::Proxy \"http://h:1;\n", "? a:2"),
            ("Acquire::http::Proxy \"http://a:1\" x;", "? a:1"),
            ("{ }", "? a:1"),
            ("Acquire {\n#clear x;\n};", "? a:2"),
            ("#clear;", "? a:1"),
            ("#nothing x;", ""),
            ("};};", ""),
            ("Acquire::http::Proxy \"DIRECT\";", "- a:1"),
            ("Acquire::http::Proxy \"proxy.corp.example\";", "- a:1"),
            ("Acquire::http::Proxy-Auto-Detect \"/usr/bin/find\";\nAcquire::http::Proxy \"http://h:1\";", "? a:1"),
            ("Acquire { http::ProxyAutoDetect \"/usr/bin/find\"; };", "? a:1"),
            ("Acquire::http::Proxy-Auto-Detect \"\";\nAcquire::http::Proxy \"http://h:1\";", "http://h:1 a:2"),
            ("#include \"/etc/apt/more\";\nAcquire::https::Proxy \"x\";", "? a:1"),
        ] {
            assert_eq!(http(text), expected, "{text}");
        }
    }

    #[test]
    fn https_asks_its_own_options_first() {
        let both = |files: &[(&str, &str)]| {
            let seen = seen(files);
            ["http_proxy", "https_proxy"].map(|name| told(seen.sights.get(name)))
        };
        assert_eq!(both(&[("a", "Acquire::http::Proxy \"http://h:1\";")]), ["http://h:1 a:1", "http://h:1 a:1"]);
        assert_eq!(both(&[("a", "Acquire::https::Proxy \"http://h:1\";")]), ["", "http://h:1 a:1"]);
        let detect = "Acquire::http::Proxy-Auto-Detect \"/x\"; Acquire::http::Proxy \"http://h:1\";";
        assert_eq!(both(&[("a", detect)]), ["? a:1", "http://h:1 a:1"]);
        let start: Sights = [("http_proxy", "http://e:1"), ("https_proxy", "http://f:1")]
            .map(|(name, value)| {
                let at = super::super::super::sight::Place::new(Path::new("/etc/environment"), 1);
                (name.to_owned(), Sight::Value { value: value.to_owned(), at })
            })
            .into();
        let seen = read(&host(&[("a", "Acquire::https::Proxy \"http://h:1\";")]), &start, None);
        assert_eq!(told(seen.sights.get("http_proxy")), "http://e:1 /etc/environment:1");
        assert_eq!(told(seen.sights.get("https_proxy")), "http://h:1 a:1");
    }

    #[test]
    fn files_names_and_their_order() {
        let set = |n: u32| format!("Acquire::http::Proxy \"http://h:{n}\";\n");
        let one = |name: &str| told(seen(&[("00", &set(0)), (name, &set(1))]).sights.get("http_proxy"));
        for name in ["96site.bak", "97site.conf~", ".x.conf", "x.conf.", "a b", "x.", "é", "x.CONF", "x,y"] {
            assert_eq!(one(name), "http://h:0 00:1", "{name}");
        }
        for name in ["95", "x.conf", "x.y.conf", "a-b_c:d", "conf"] {
            assert_eq!(one(name), format!("http://h:1 {name}:1"), "{name}");
        }
        let text = "#include \"/opt/site/\";\n";
        let files = [("/etc/apt/apt.conf", text), ("/opt/site/b", &set(2)), ("/opt/site/a", &set(1)), ("z", &set(3))];
        assert_eq!(told(seen(&files).sights.get("http_proxy")), "http://h:2 /opt/site/b:1", "apt.conf comes last");
        let files = [("a", "Dir::Etc::main \"/opt/other\";"), ("/opt/other", &set(2)), ("/etc/apt/apt.conf", &set(1))];
        assert_eq!(told(seen(&files).sights.get("http_proxy")), "http://h:2 /opt/other:1");
        let files = [("a", "Dir::Etc::main \"/dev/null\";"), ("/etc/apt/apt.conf", &set(1))];
        assert_eq!(told(seen(&files).sights.get("http_proxy")), "");
        let ours =
            read(&host(&[("98", &set(1))]), &Sights::new(), Some((Path::new("/etc/apt/apt.conf.d/95ours"), b"")));
        assert_eq!(told(ours.sights.get("http_proxy")), "http://h:1 98:1");
        let planned = (Path::new("/etc/apt/apt.conf.d/95ours"), b"Acquire::http::Proxy \"http://p:1\";".as_slice());
        let ours = read(&host(&[("94", &set(1))]), &Sights::new(), Some(planned));
        assert_eq!(told(ours.sights.get("http_proxy")), "http://p:1 95ours:1");
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_circles_end() {
        let told_of = |host: &MemoryHost| told(read(host, &Sights::new(), None).sights.get("https_proxy"));
        let denied = std::io::ErrorKind::PermissionDenied;
        assert_eq!(told_of(&host(&[("a", "")]).with_error("/etc/apt/apt.conf.d/a", denied)), "? a:0");
        assert_eq!(told_of(&host(&[("a", "#include \"/etc/apt/apt.conf.d/\"; #include \"/x\";")])), "? a:1");
        assert_eq!(told_of(&host(&[("a", &"\0".repeat(5 << 20))])), "? a:0");
        assert_eq!(told_of(&host(&[("a", "#include \"x\";")])), "? a:1");
        assert_eq!(told_of(&MemoryHost::new()), "");
    }

    #[test]
    fn hosts_and_programs_that_go_another_way() {
        let seen = seen(&[(
            "a",
            "Acquire::http::Proxy::mirror.corp \"DIRECT\";\nAcquire::https::Proxy::deb.corp \"http://h:1\";\n\
             Binary::apt::Acquire::http::Proxy \"http://i:1\";",
        )]);
        let special: Vec<_> = seen.special.iter().map(|own| (own.whom.clone(), told(Some(&own.sight)))).collect();
        assert_eq!(
            special,
            [
                (Whom::Host("mirror.corp".to_owned()), "- a:1".to_owned()),
                (Whom::Host("deb.corp".to_owned()), "http://h:1 a:2".to_owned()),
                (Whom::Program("apt".to_owned()), "http://i:1 a:3".to_owned()),
            ]
        );
    }

    #[test]
    fn a_dump_is_read_back() {
        let dump = "APT \"\";\nAPT::NeverAutoRemove:: \"^x$\";\nAcquire \"\";\nAcquire::http \"\";\n\
                    Acquire::http::Proxy \"http://h:1\";\nAcquire::http::Proxy::a%2eb \"DIRECT\";\n";
        let seen = of_dump(dump.as_bytes(), &Sights::new());
        assert_eq!(seen.sights.get("https_proxy").and_then(Sight::value), Some("http://h:1"));
        assert_eq!(seen.special[0].whom, Whom::Host("a.b".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn it_is_total_on_any_bytes(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let host = MemoryHost::new();
            host.put("/etc/apt/apt.conf.d/a", &bytes);
            let _ = read(&host, &Sights::new(), None);
        }
    }
}
