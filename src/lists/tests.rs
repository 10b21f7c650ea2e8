use proptest::prelude::*;

use super::*;
use crate::clients::all;
use crate::network::catalogue::Needs;

fn context() -> Context<'static> {
    Context {
        clients: all().iter().filter(|client| client.reads_environment() && !client.broken).collect(),
        proxied: true,
        local: Local::No,
        cloud: None,
        direct: &[],
        required: &Needs::get().hosts,
        curl: Some("7.81.0"),
        limit: None,
        whole: false,
        wanted: &[],
        writer: "prepare",
    }
}

fn of(value: &str, context: &Context<'_>) -> Vec<Finding> {
    lint(Some(value), Some(value), &"/etc/environment".into(), context)
}

/// Ids with the first letter of their status.
fn ids(findings: &[Finding]) -> String {
    let letter = |status| match status {
        Status::Pass => "p",
        Status::Warn => "w",
        _ => "f",
    };
    findings
        .iter()
        .map(|finding| format!("{}{}", &finding.id.as_str()[2..], letter(finding.status)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn one(value: &str, context: &Context<'_>, id: &str) -> Finding {
    let findings = of(value, context);
    findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("{value}: {}", ids(&findings))).clone()
}

#[test]
fn each_way_of_writing_has_its_lint() {
    for (value, expected) in [
        ("", ""),
        ("mysql,redis,169.254.169.254", ""),
        ("mysql,redis,169.254.169.254,localhost,127.0.0.0,127.0.1.1,127.0.0.1", "008p"),
        ("mysql,redis,169.254.169.254,localhost,127.0.0.0,127.0.1.1", "008w"),
        ("*", "014f"),
        ("a.corp.example,b.corp.example", "007p"),
        ("corp.example,.corp.example", ""),
        ("\"localhost,127.0.0.1\"", "001f"),
        ("localhost;127.0.0.1", "001f"),
        ("localhost|127.0.0.1", "001f"),
        ("localhost 127.0.0.1", "001f"),
        ("localhost,127.0.0.1\r", "001f"),
        ("localhost, 127.0.0.1", "002w"),
        (" localhost", "002w"),
        ("10.0.0.0/8", "004w"),
        ("10.1.2.3,*", "005w 014f"),
        ("*.corp.example", "006w"),
        ("10.0.0.0", "008w"),
        ("10.", "008w"),
        ("db.corp.example:3306,.db.corp.example", "007p 011w"),
        ("corp.example.,.corp.example", "007p 012w"),
        ("http://corp.example/,corp.example,.corp.example", "013w"),
        ("corp.example/x", "013w"),
        ("amazonaws.com,.amazonaws.com", "014f"),
        ("com,.com", "014f 015w"),
        ("corp", "015w"),
        ("co.uk,.co.uk", "015w"),
        ("<local>", "016p"),
        ("localhost,[::1]", "018f"),
        ("localhost,::1", ""),
        ("fd00::/8", "018f"),
        ("corp.example:x,corp.example,.corp.example", "018f"),
    ] {
        assert_eq!(ids(&of(value, &context())), expected, "{value:?}: {:#?}", of(value, &context()));
    }
}

#[test]
fn who_is_concerned_is_asked_of_the_clients() {
    let context = context();
    let observed = |value: &str, id: &str| one(value, &context, id).observed.unwrap();
    let range = observed("10.0.0.0/8", "NP004");
    for client in ["curl-7.85", "wget-1.21", "apt-2.6", "python-urllib-3.11", "botocore-1.44", "httpx-0.28"] {
        assert!(range.contains(client), "{client}: {range}");
    }
    assert!(!range.contains("go-net-http") && !range.contains("curl-7.88"), "{range}");
    assert!(range.ends_with("this host's curl 7.81.0 ignores IPv4 ranges"), "{range}");
    let newer = Context { curl: Some("8.5.0"), ..self::context() };
    assert!(one("10.0.0.0/8", &newer, "NP004").observed.unwrap().ends_with("curl 8.5.0 understands IPv4 ranges"));
    assert!(one("[::1]", &context, "NP018").title.ends_with("which makes every request of httpx-0.28 fail"));
    let blank = observed("localhost, 127.0.0.1", "NP002");
    assert!(blank.contains("apt-2.6 and ureq-3.5"), "{blank}");
    let port = observed("db.corp.example:3306", "NP011");
    assert!(port.contains("curl-7.88") && !port.contains("go-net-http"), "{port}");
    let suffix = observed("corp", "NP015");
    assert!(suffix.contains("such as acorp, in apt-2.6 and python-requests-2.33"), "{suffix}");
    let star = observed("10.1.2.3,*", "NP005");
    assert!(star.contains("nothing uses the proxy in go-net-http"), "{star}");
    let taken = observed("amazonaws.com", "NP014");
    assert!(taken.contains("*.amazonaws.com (AWS APIs) goes direct by amazonaws.com in curl-7.85"), "{taken}");
}

#[test]
fn the_corrected_list_is_given_as_a_command() {
    let context = Context { local: Local::Certain, cloud: Some("Amazon EC2"), ..context() };
    for (value, corrected) in [
        ("\"a.corp, b.corp\"", "a.corp,b.corp,localhost,127.0.0.1,169.254.169.254"),
        ("[::1];http://x.corp:80/", "::1,x.corp,localhost,127.0.0.1,169.254.169.254"),
        ("*.corp.example,fd00::/8", "corp.example,.corp.example,localhost,127.0.0.1,169.254.169.254"),
        ("amazonaws.com,127.0.0.0", "127.0.0.0,127.0.0.1,localhost,169.254.169.254"),
        ("a,*,10.0.0.0/8", "a,10.0.0.0/8,localhost,127.0.0.1,169.254.169.254"),
    ] {
        let findings = of(value, &context);
        let fix = format!("ics-setup prepare --no-proxy-only '{corrected}'");
        assert!(
            findings.iter().any(|finding| finding.fix.iter().any(|own| *own == fix)),
            "{value}: {fix}: {findings:#?}"
        );
    }
}

#[test]
fn a_list_that_only_lacks_members_is_added_to() {
    let context = Context { local: Local::Certain, cloud: Some("Amazon EC2"), ..context() };
    for (value, added) in [
        ("", "localhost,127.0.0.1,169.254.169.254"),
        ("mysql,redis", "localhost,127.0.0.1,169.254.169.254"),
        ("mysql,localhost,127.0.0.1", "169.254.169.254"),
    ] {
        let fixes: Vec<String> =
            of(value, &context).into_iter().flat_map(|finding| finding.fix).map(|fix| fix.to_string()).collect();
        assert!(!fixes.is_empty() && fixes.iter().all(|fix| !fix.contains("--no-proxy-only")), "{value}: {fixes:?}");
        assert!(fixes.contains(&format!("ics-setup prepare --no-proxy '{added}'")), "{value}: {fixes:?}");
    }
}

#[test]
fn spellings_that_differ_concern_only_whom_they_reach() {
    let context = context();
    let both =
        |lower, upper| lint(lower, upper, &"x".into(), &context).into_iter().find(|finding| finding.id == "NP003");
    assert!(both(Some("mysql"), Some("mysql")).is_none());
    assert!(both(None, None).is_none());
    assert!(both(Some("mysql"), None).is_none(), "everybody reads the lower-case name where it is alone");
    let upper = both(None, Some("mysql")).unwrap();
    assert!(upper.title.contains("which wget-1.21 and apt-2.6 does not read"), "{}", upper.title);
    let differ = both(Some("mysql"), Some("redis")).unwrap().observed.unwrap();
    let (low, up) = differ.split_once("; NO_PROXY=redis").unwrap();
    assert!(low.contains("curl-7.88") && low.contains("wget-1.21"), "{differ}");
    assert!(up.contains("go-net-http") && up.contains("reqwest-0.13") && up.contains("ureq-3.5"), "{differ}");
}

#[test]
fn what_must_be_excluded_depends_on_the_host() {
    let list = "mysql,redis,169.254.169.254,localhost,127.0.0.0,127.0.1.1";
    assert!(!ids(&of(list, &context())).contains("009"));
    let perhaps = Context { local: Local::Seen("/etc/crontab:3"), ..context() };
    assert!(ids(&of(list, &perhaps)).contains("009w"));
    let certain = Context { local: Local::Certain, ..context() };
    assert_eq!(ids(&of(list, &certain)), "008w 009f");
    assert_eq!(ids(&of(&format!("{list},127.0.0.1"), &certain)), "008p");
    let cloud = Context { cloud: Some("Azure"), ..context() };
    assert_eq!(ids(&of("mysql", &cloud)), "010f");
    assert_eq!(ids(&of("169.254.0.0/16", &cloud)), "004w 010f", "botocore does not read ranges");
    assert_eq!(ids(&of("169.254.169.254", &cloud)), "");
    let unproxied = Context { proxied: false, local: Local::Certain, cloud: Some("Azure"), ..context() };
    assert_eq!(ids(&of("amazonaws.com,.amazonaws.com", &unproxied)), "");
    assert_eq!(ids(&lint(None, None, &"x".into(), &certain)), "009f", "a proxy and no list at all");
    let daemon = Context {
        clients: all().iter().filter(|client| client.id.starts_with("go-")).collect(),
        required: &[],
        ..context()
    };
    assert_eq!(ids(&of("10.0.0.0/8,[::1],*.corp.example,db.corp.example:80", &daemon)), "", "Go reads all of that");
}

#[test]
fn a_list_longer_than_the_logins_limit_is_noticed() {
    let context = Context { limit: Some((1023, "linux-pam 1.3.1")), ..context() };
    let long: Vec<String> = (0..90).map(|number| format!("host{number}.corp")).collect();
    let finding = one(&long.join(","), &context, "NP017");
    assert!(finding.expected.unwrap().contains("1023 bytes (linux-pam 1.3.1)"));
    assert!(!ids(&of("mysql", &context)).contains("017"));
}

#[test]
fn a_huge_list_is_judged_in_bounded_time() {
    let huge = "x.corp.example, 10.0.0.0/8,*.y.corp:80;".repeat(25_000);
    let began = std::time::Instant::now();
    of(&huge, &context());
    // Seconds; each member against each of the others would take hours.
    assert!(began.elapsed() < std::time::Duration::from_secs(300), "{:?}", began.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_breaks_a_lint(lower in any::<Vec<u8>>(), upper in "[a-z0-9.,:;*/\\[\\]<> '\"|-]{0,40}") {
        let lower = String::from_utf8_lossy(&lower).into_owned();
        let context = Context { local: Local::Certain, cloud: Some("x"), ..context() };
        lint(Some(&lower), Some(&upper), &"x".into(), &context);
        of(&upper, &context);
    }

    /// A fix takes away what it was printed for, and no member goes that any reader of the file understands, but for those that
    /// stop one and those that take the vendor's hosts away.
    #[test]
    fn a_fix_takes_away_what_it_complains_of(
        members in proptest::collection::vec(
            "(\\*\\.|\\.|http://|\\[::1\\]|fd00::/8|[a-z]{4,6}\\.corp\\.?(:80)?|[a-z]{2,9}|10\\.0\\.0\\.0|10\\.77\\.|10\\.0\\.0\\.9(:80)?|\
             10\\.0\\.0\\.0/8|192\\.168\\.7\\.\\*|10\\.0\\.0\\.1-10\\.0\\.0\\.9|\\*\\.intra|\"|<local>|\\(x\\)|b@d\\.corp|%s|LOCALHOST|\\*|amazonaws\\.com)",
            1..6,
        ),
        wanted in proptest::collection::vec("(\\*\\.)?[a-z]{4,6}\\.corp\\.?(:80)?|mysql", 0..3),
        separator in "(,|, | |;)",
        of_docker in any::<bool>(),
    ) {
        let value = members.join(&separator);
        let mut context = Context { local: Local::Certain, cloud: Some("x"), wanted: &wanted, ..context() };
        if of_docker {
            context.clients.retain(|client| client.id.starts_with("go-"));
            context.required = &[];
        }
        for finding in of(&value, &context) {
            for fix in &finding.fix {
                let line = fix.to_string();
                let after = match (line.split_once("--no-proxy-only '"), line.split_once("--no-proxy '")) {
                    (Some((_, list)), _) => list.trim_end_matches('\'').to_owned(),
                    (_, Some((_, list))) => format!("{value},{}", list.trim_end_matches('\'')),
                    _ => continue,
                };
                prop_assert!(crate::settings::NoProxy::parse(&after).is_ok(), "{value:?}: {after}");
                for member in &members {
                    let dies = context.clients.iter().any(|client| dies(client, member));
                    if dies || member == "*" || !crate::clients::excluded(member, context.required).is_empty() {
                        continue;
                    }
                    for target in meant_by(member) {
                        for client in context.clients.iter().filter(|client| takes(client, &target, member)) {
                            let kept = client.route(&target, &after).is_direct();
                            prop_assert!(kept, "{value:?}: {line}: {member} {target}: {}", client.id);
                        }
                    }
                }
                let left = of(&after, &context);
                prop_assert!(
                    left.iter().all(|left| left.id != finding.id || left.status == Status::Pass),
                    "{value:?}: {line}: {left:#?}"
                );
                prop_assert!(left.iter().all(|left| left.status != Status::Fail || left.id == ids::NP014), "{value:?}: {line}: {left:#?}");
            }
        }
    }
}
