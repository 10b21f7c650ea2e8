use proptest::prelude::*;

use super::*;

const VECTORS: &str = include_str!("../../tests/data/no-proxy-vectors.tsv");
const ENVIRONMENT: &str = include_str!("../../tests/data/proxy-environment.tsv");

fn letter(route: &Route) -> &'static str {
    match route {
        Route::Proxy { .. } => "P",
        Route::Direct(_) => "D",
        Route::Error { .. } => "E",
    }
}

type Measured = (&'static str, &'static str, Vec<&'static str>);

/// Rows of a table: the two fields that ask, then one answer for each client of the head.
fn rows(text: &'static str) -> (Vec<&'static Client>, Vec<Measured>) {
    let mut lines = text.lines();
    let head = lines.next().unwrap().split('\t').skip(2);
    let clients = head.map(|id| by_id(id).unwrap_or_else(|| panic!("no profile {id}"))).collect::<Vec<_>>();
    let rows = lines.map(|line| {
        let mut fields = line.split('\t');
        (fields.next().unwrap(), fields.next().unwrap(), fields.collect())
    });
    (clients, rows.collect())
}

#[test]
fn every_measured_row_is_right_for_every_client() {
    let (clients, rows) = rows(VECTORS);
    assert_eq!((clients.len(), rows.len()), (16, 55));
    let mut wrong = Vec::new();
    for (list, host, expected) in rows {
        let list = if list == "(empty)" { "" } else { list }.replace(":P", ":8088");
        let target = Target::parse(&format!("http://{}/", host.replace(":P", ":8088"))).unwrap();
        assert_eq!(expected.len(), clients.len());
        for (client, expected) in clients.iter().zip(expected) {
            let route = client.route(&target, &list);
            if letter(&route) != expected {
                wrong.push(format!("{}: {list:?} {target}: {route:?}, measured {expected}", client.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_measured_environment_is_right_for_every_client() {
    let (clients, rows) = rows(ENVIRONMENT);
    assert_eq!((clients.len(), rows.len()), (16, 13));
    let mut wrong = Vec::new();
    for (given, scheme, expected) in rows {
        let target = Target::parse(&format!("{scheme}://www.example.com:8088/")).unwrap();
        let text = given
            .replace("BOTH", "http_proxy=PROXY HTTP_PROXY=PROXY")
            .replace("SCHEMELESS", "127.0.0.1:3128")
            .replace("HOST", "www.example.com")
            .replace("OTHER", "other.example")
            .replace("=PROXY", "=http://127.0.0.1:3128");
        let environment: Environment = text.split(' ').filter_map(|pair| pair.split_once('=')).collect();
        for (client, expected) in clients.iter().zip(expected) {
            let route = client.route_in(&target, &environment);
            if letter(&route) != expected {
                wrong.push(format!("{}: {given:?}: {route:?}, measured {expected}", client.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn profiles_are_unique_and_name_their_source() {
    let mut ids: Vec<&str> = all().iter().map(|client| client.id.as_str()).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert!(all().iter().all(|client| client.source.len() > 5 && client.date.starts_with("20")));
    assert!(all().iter().all(|client| !client.name.is_empty() && !client.used_by.is_empty()));
}

#[test]
fn a_release_of_curl_has_its_profile() {
    let id = |version: &str| curl(&crate::version::Version::parse(version).unwrap()).unwrap().id.as_str();
    for (version, expected) in [
        ("7.29.0", "curl-7.85"),
        ("7.81.0", "curl-7.85"),
        ("7.86.0", "curl-7.86"),
        ("7.88.1", "curl-7.88"),
        ("8.5.0", "curl-7.88"),
        ("8.14.1", "curl-8.9"),
    ] {
        assert_eq!(id(version), expected, "{version}");
    }
}

/// What was read in sources or tried apart from the table.
#[test]
fn what_the_table_does_not_tell() {
    for (client, list, url, expected) in [
        ("curl-7.85", "10.0.0.0/8", "http://10.1.2.3/", "P"),
        ("curl-7.85", "foo example.com", "http://www.example.com/", "D"),
        ("curl-7.86", "example.com", "http://www.example.com/", "P"),
        ("curl-7.86", "127.0.0.1,localhost", "http://127.0.0.1/", "P"),
        ("curl-7.86", "localhost,127.0.0.1", "http://127.0.0.1/", "D"),
        ("curl-7.86", "10.0.0.0/8,a", "http://10.1.2.3/", "D"),
        ("curl-7.88", "10.0.0.0/0", "http://10.1.2.3/", "P"),
        ("curl-7.88", "10.1.2.3/0", "http://10.1.2.3/", "D"),
        ("curl-7.88", "10.0.0.0/33", "http://10.1.2.3/", "P"),
        ("curl-7.88", "foo 10.0.0.0/8", "http://10.1.2.3/", "D"),
        ("curl-8.9", "foo example.com", "http://example.com/", "P"),
        ("curl-8.9", "foo , example.com", "http://example.com/", "D"),
        ("python-requests-2.33", "mysql", "http://notmysql/", "D"),
        ("python-requests-2.33", ".example.com", "http://notexample.com/", "P"),
        ("httpx-0.28", "10.0.0.0/8", "http://10.0.0.0/", "D"),
        ("httpx-0.28", "a/b", "http://x.a/", "D"),
        ("httpx-0.28", "localhost", "http://www.localhost/", "P"),
        ("httpx-0.28", "example.com:abc", "http://other/", "E"),
        ("httpx-0.28", "*,[::1]", "http://other/", "D"),
        ("httpx-0.28", "http://a.b", "http://a.b/", "D"),
        ("httpx-0.28", "::1/128", "http://x/", "E"),
        ("go-net-http", "[fd00::5]:80", "http://[fd00::5]/", "D"),
        ("go-net-http", "[fd00::5]", "http://[fd00::5]/", "P"),
        ("reqwest-0.13", "*", "http://10.1.2.3/", "P"),
        ("ruby-net-http-3.1", "1", "http://[::2]/", "P"),
        ("java-17", "example.com", "http://other/", "D"),
        ("java-17-nonproxyhosts", "*.example.com", "http://www.example.com/", "D"),
        ("java-17-nonproxyhosts", "example.com", "http://www.example.com/", "P"),
        ("java-17-nonproxyhosts", "a|10.1.*", "http://10.1.2.3/", "D"),
        ("java-17-nonproxyhosts", "zzz", "http://127.0.0.1/", "D"),
        ("java-17-nonproxyhosts", "", "http://localhost/", "P"),
        ("node-built-in", "", "http://example.com/", "D"),
    ] {
        let route = by_id(client).unwrap().route(&Target::parse(url).unwrap(), list);
        assert_eq!(letter(&route), expected, "{client} {list:?} {url}: {route:?}");
    }
    let mut target = Target::parse("http://db.corp.example/").unwrap();
    target.resolved.push("10.1.2.3".parse().unwrap());
    assert!(by_id("ruby-net-http-3.1").unwrap().route(&target, "10.0.0.0/8").is_direct());
}

#[test]
fn the_member_that_decided_is_named() {
    let target = Target::parse("https://www.example.com").unwrap();
    let route = by_id("curl-7.88").unwrap().route(&target, "a, .example.com ,b");
    assert_eq!(route.decided_by(), ".example.com");
    let route = by_id("go-net-http").unwrap().route(&Target::parse("http://localhost").unwrap(), "");
    assert!(route.is_direct() && route.decided_by().contains("127.0.0.0/8"), "{route:?}");
}

proptest! {
    #[test]
    fn nothing_that_is_written_breaks_a_client(
        list in any::<Vec<u8>>(), more in "[a-z0-9.,:*/\\[\\] %-]{0,40}", url in "\\PC{0,30}", host in "[a-z0-9.:\\[\\]-]{0,20}",
    ) {
        let list = format!("{}{more}", String::from_utf8_lossy(&list));
        let _ = Target::parse(&url);
        let fixed = ["http://www.example.com:8088/", "https://10.1.2.3/", "http://[::1]:80/"];
        for url in fixed.into_iter().map(str::to_owned).chain([format!("http://{host}")]) {
            let Ok(target) = Target::parse(&url) else { continue };
            for client in all() {
                let _ = client.route(&target, &list);
                let _ = client.route(&target, &more);
            }
        }
    }

    /// An empty list excludes nothing, but for clients that know loopback by themselves and those that read nothing.
    #[test]
    fn an_empty_list_means_the_proxy(host in "[a-z]{1,8}(\\.[a-z]{2,5}){0,3}", tls in any::<bool>(), blanks in "[ ,]{0,4}") {
        let target = Target::to_host(tls, &host).unwrap();
        for client in all() {
            let route = client.route(&target, &blanks);
            let own = matches!(&route, Route::Direct(By::Rule(_)));
            prop_assert!(route.is_proxy() || own, "{}: {route:?}", client.id);
        }
        let loopback = Target::parse("http://127.0.0.1:8001").unwrap();
        for client in all() {
            let route = client.route(&loopback, "");
            prop_assert!(route.is_proxy() || matches!(&route, Route::Direct(By::Rule(_))), "{}: {route:?}", client.id);
        }
    }

    /// Another member never turns a direct request into a proxied one, but for the clients that stop reading somewhere.
    #[test]
    fn a_host_that_is_named_goes_direct_everywhere(host in "[a-z]{1,8}\\.[a-z]{2,5}", other in "[a-z]{1,8}\\.[a-z]{2,5}") {
        let target = Target::to_host(true, &host).unwrap();
        for client in all() {
            prop_assert!(client.route(&target, &format!("{other},{host}")).is_direct(), "{}", client.id);
            prop_assert!(client.route(&target, &format!("{host},{other}")).is_direct(), "{}", client.id);
        }
    }
}
