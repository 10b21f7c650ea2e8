//! Ways by what files say, and pairs of readers.

use std::path::Path;

use super::*;
use crate::clients;
use crate::context::{HostContext, Inputs, Intent};
use crate::host::{MemoryHost, View};
use crate::settings::{Layer, Layers};

fn host(environment: &str) -> MemoryHost {
    let host = MemoryHost::new();
    host.put("/etc/os-release", b"ID=ubuntu\nVERSION_ID=\"22.04\"\n");
    host.put("/etc/profile", b"");
    host.put("/etc/environment", environment.as_bytes());
    host
}

fn observe(host: &MemoryHost) -> ConsumersFacts {
    let known = HostContext::load(host, &Inputs::alone(Layer::default()), Intent::Show).unwrap();
    let (view, layers) = (View::new(host), Layers::default());
    let platform = known.platform.as_ref();
    let site = Site { host: &view, platform, home: Path::new("/divvycloud"), layers: &layers, direct: &[] };
    site.observe(&[], None)
}

fn way(facts: &ConsumersFacts, who: Who, client: &str, url: &str) -> Taken {
    let consumer = facts.consumers.iter().find(|own| own.consumer == who).unwrap();
    taken(consumer, clients::by_id(client).unwrap(), &Target::parse(url).unwrap())
}

#[test]
fn what_a_client_reads_decides_and_the_line_is_named() {
    let sts = "https://sts.amazonaws.com/";
    for (files, client, url, told) in [
        ("https_proxy=http://p:1\n", "curl-7.88", sts, "proxy Some(\"p:1\") /etc/environment:1"),
        ("https_proxy=http://p\n", "curl-7.88", sts, "proxy Some(\"p:1080\") /etc/environment:1"),
        ("https_proxy=http://p\n", "go-net-http", sts, "proxy Some(\"p:80\") /etc/environment:1"),
        ("https_proxy=p:1\n", "curl-7.88", sts, "proxy Some(\"p:1\") /etc/environment:1"),
        ("https_proxy=http://u:pa%40ss@p:1\n", "curl-7.88", sts, "proxy Some(\"p:1\") /etc/environment:1"),
        (
            "HTTPS_PROXY=http://p:1\n",
            "wget-1.21",
            sts,
            "direct None none of the variables that it reads is set: https_proxy",
        ),
        ("http_proxy=http://p:1\n", "curl-7.88", "http://a.example/", "proxy Some(\"p:1\") /etc/environment:1"),
        ("HTTP_PROXY=http://p:1\n", "go-net-http", "http://a.example/", "proxy Some(\"p:1\") /etc/environment:1"),
        // Further requests' proxy, for whoever reads it.
        ("ALL_PROXY=socks5://p:1080\n", "curl-7.88", sts, "proxy Some(\"p:1080\") /etc/environment:1"),
        ("ALL_PROXY=socks5h://p\n", "python-requests-2.33", sts, "proxy Some(\"p:1080\") /etc/environment:1"),
        (
            "ALL_PROXY=socks5://p:1080\n",
            "botocore-1.44",
            sts,
            "direct None none of the variables that it reads is set: https_proxy, HTTPS_PROXY",
        ),
        ("no_proxy=amazonaws.com\nhttps_proxy=http://p:1\n", "curl-7.88", sts, "direct None /etc/environment:1"),
        (
            "no_proxy=amazonaws.com\n",
            "curl-7.88",
            sts,
            "direct None none of the variables that it reads is set: https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY",
        ),
        // No reader of a proxy without a scheme.
        ("https_proxy=p:1\n", "aiohttp-3.14", sts, "none None /etc/environment:1"),
    ] {
        let found = way(&observe(&host(files)), Who::Login, client, url);
        assert_eq!(format!("{} {:?} {}", found.way.as_str(), found.via, found.cause()), told, "{files}{client} {url}");
    }
}

#[test]
fn what_is_not_understood_is_unknown_where_it_matters() {
    let host = host("no_proxy=localhost\n");
    host.put("/etc/profile", b"export no_proxy=$(cat /etc/list)\n");
    let list = observe(&host);
    assert_eq!(way(&list, Who::Login, "curl-7.88", "https://a.example/").way, Way::Direct, "there is no proxy");
    host.put("/etc/profile", b"export https_proxy=http://p:1 no_proxy=$(cat /etc/list)\n");
    let found = way(&observe(&host), Who::Login, "curl-7.88", "https://a.example/");
    assert_eq!((found.way, found.at.as_deref()), (Way::Unknown, Some("/etc/profile:1")));
    let plain = way(&observe(&host), Who::Login, "curl-7.88", "http://a.example/");
    assert_eq!(plain.way, Way::Direct, "no proxy for it");
    host.put("/etc/profile", b"export https_proxy=$(cat /etc/px)\n");
    assert_eq!(way(&observe(&host), Who::Login, "curl-7.88", "https://a.example/").way, Way::Unknown);
    assert_eq!(way(&observe(&host), Who::Cron, "curl-7.88", "https://a.example/").way, Way::None, "no cron is here");
}

/// Doors that come to differ by a change are told apart, and those that stay together stand together.
#[test]
fn readers_that_come_to_differ_are_told_apart() {
    let (before, after) = (host(""), host("https_proxy=http://p:1\n"));
    before.put("/etc/ssh/sshd_config", b"UsePAM yes\nSetEnv https_proxy=http://p:1\n");
    after.put("/etc/ssh/sshd_config", b"UsePAM yes\nSetEnv https_proxy=http://p:1\n");
    let (old, new) = (observe(&before), observe(&after));
    let target = Target::parse("https://a.example/").unwrap();
    let routes = Routes::between(
        &old,
        &new,
        &[],
        More::These(std::slice::from_ref(&target)),
        clients::by_id("curl-7.88").unwrap(),
    );
    let logins: Vec<&Row> =
        routes.more.iter().filter(|row| row.who == Who::Login && row.client.id == "curl-7.88").collect();
    let turned: Vec<Vec<&str>> = logins.iter().filter(|row| row.changes()).map(|row| row.doors().collect()).collect();
    let stays: Vec<Vec<&str>> = logins.iter().filter(|row| !row.changes()).map(|row| row.doors().collect()).collect();
    assert!(turned.iter().flatten().any(|door| *door == "su-"), "{turned:?} {stays:?}");
    assert!(stays.iter().flatten().all(|door| *door == "ssh") && stays.len() == 1, "{turned:?} {stays:?}");
    // A login has no door twice.
    let mut doors: Vec<&str> = logins.iter().flat_map(|row| row.doors().collect::<Vec<_>>()).collect();
    let all = doors.len();
    doors.sort_unstable();
    doors.dedup();
    assert_eq!(doors.len(), all);
    assert_eq!(
        Routes::between(&new, &new, &[], More::These(&[target]), clients::by_id("curl-7.88").unwrap())
            .changed()
            .count(),
        0
    );
}
