use std::time::Duration;

use super::owners::is_at_proxy;
use super::*;
use crate::host::MemoryHost;
use crate::net::Time;

const OUT: &str = "203.0.113.9:443";

/// A line of the kernel's table.
fn socket(local: &str, remote: &str, state: &str, resent: u32, inode: u64) -> String {
    let place = |text: &str| {
        let place: SocketAddr = text.parse().unwrap();
        let IpAddr::V4(address) = place.ip() else { panic!("{text}") };
        format!("{:08X}:{:04X}", u32::from_ne_bytes(address.octets()), place.port())
    };
    format!("0: {} {} {state} 0:0 00:0 {resent:08X} 0 0 {inode} 1\n", place(local), place(remote))
}

/// The same of another user.
fn of_user(uid: u32, line: &str) -> String {
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    words[7] = uid.to_string();
    words.join(" ") + "\n"
}

fn table(host: &MemoryHost, pid: u32, lines: &[String]) {
    host.put(&format!("/proc/{pid}/net/tcp"), format!("  sl  local_address\n{}", lines.concat()).as_bytes());
}

/// A process with its sockets.
fn process(host: &MemoryHost, pid: u32, parent: u32, name: &str, space: u64, inodes: &[u64]) {
    host.put(&format!("/proc/{pid}/comm"), format!("{name}\n").as_bytes());
    host.put(&format!("/proc/{pid}/stat"), format!("{pid} ({name}) S {parent} 1 1").as_bytes());
    host.put_link(&format!("/proc/{pid}/ns/net"), &format!("net:[{space}]"), 0);
    for (number, inode) in inodes.iter().enumerate() {
        host.put_link(&format!("/proc/{pid}/fd/{number}"), &format!("socket:[{inode}]"), 0);
    }
}

fn host() -> MemoryHost {
    let host = MemoryHost::new();
    host.put_link("/proc/self/ns/net", "net:[1]", 0);
    process(&host, 1, 0, "init", 1, &[]);
    table(&host, 1, &[]);
    host
}

fn watch<'a>(host: &'a MemoryHost, proxy: (&str, u16)) -> Watch<'a> {
    let names = Names::new(host, &[], Vec::new());
    Watch::new(host, names, ".corp.example".to_owned(), vec![(proxy.0.to_owned(), proxy.1)], [true, true])
}

fn told(watch: &Watch<'_>) -> Vec<(Option<String>, String, bool, u64)> {
    let one = |(line, row): (&Line, &Row)| (line.program.clone(), line.destination.to_string(), row.open, row.tries);
    watch.rows.iter().map(one).collect()
}

fn some(program: &str, destination: &str, open: bool, tries: u64) -> (Option<String>, String, bool, u64) {
    (Some(program.to_owned()), destination.to_owned(), open, tries)
}

#[test]
fn tries_are_counted_and_an_answer_is_told() {
    let host = host();
    process(&host, 7, 1, "curl", 1, &[70]);
    let mut watch = watch(&host, ("10.0.0.1", 3128));
    table(&host, 1, &[socket("192.0.2.1:40000", OUT, "02", 1, 70)]);
    watch.look();
    assert_eq!(told(&watch), [some("curl", OUT, false, 2)]);
    table(&host, 1, &[socket("192.0.2.1:40000", OUT, "02", 3, 70)]);
    watch.look();
    assert_eq!(told(&watch), [some("curl", OUT, false, 4)]);
    // A newer process of the same program, and an answer; what is sent again then is no try.
    process(&host, 8, 1, "curl", 1, &[80]);
    table(&host, 1, &[socket("192.0.2.1:40001", OUT, "01", 2, 80)]);
    watch.look();
    table(&host, 1, &[socket("192.0.2.1:40001", OUT, "01", 9, 80)]);
    watch.look();
    assert_eq!(told(&watch), [some("curl", OUT, true, 5)]);
    assert_eq!(watch.rows.values().next().and_then(|row| row.origin.as_ref()).unwrap().pid, 8);
    watch.end();
    assert_eq!(watch.rows.len(), 1);
}

#[test]
fn what_had_ended_is_told_where_it_ended_while_somebody_watched() {
    let host = host();
    let mut watch = watch(&host, ("10.0.0.1", 3128));
    let ended = |port: u16, state: &str| socket(&format!("192.0.2.1:{port}"), OUT, state, 0, 0);
    table(&host, 1, &[ended(40000, "06"), ended(40001, "05")]);
    watch.look();
    table(&host, 1, &[ended(40000, "06"), ended(40001, "06"), ended(40002, "06")]);
    watch.look();
    watch.end();
    assert_eq!(told(&watch), [(None, OUT.to_owned(), true, 1)]);
    // Beside a program that is known to go there it is no line of its own.
    let mut watch = self::watch(&host, ("10.0.0.1", 3128));
    process(&host, 7, 1, "curl", 1, &[70]);
    table(&host, 1, &[socket("192.0.2.1:50000", OUT, "01", 0, 70)]);
    watch.look();
    table(&host, 1, &[socket("192.0.2.1:50000", OUT, "01", 0, 70), ended(50001, "06")]);
    watch.look();
    watch.end();
    assert_eq!(told(&watch), [some("curl", OUT, true, 1)]);
}

#[test]
fn a_proxy_of_this_host_and_what_belongs_to_it_are_no_line() {
    let host = host();
    process(&host, 7, 1, "squid", 1, &[70, 71]);
    process(&host, 8, 7, "helper", 1, &[80]);
    process(&host, 9, 1, "curl", 1, &[90]);
    let of_squid = |pid: u32| host.put(&format!("/proc/{pid}/cgroup"), b"0::/system.slice/squid.service\n");
    [7, 8].into_iter().for_each(of_squid);
    let proxy = socket("0.0.0.0:3128", "0.0.0.0:0", "0A", 0, 70);
    let own = [
        proxy,
        socket("192.0.2.1:40000", OUT, "01", 0, 71),
        socket("192.0.2.1:40001", OUT, "01", 0, 80),
        socket("192.0.2.1:40002", OUT, "01", 0, 90),
    ];
    table(&host, 1, &own);
    let mut watch = watch(&host, ("127.0.0.1", 3128));
    watch.look();
    // What had ended may have been the proxy's.
    table(&host, 1, &[&own[..], &[socket("192.0.2.1:40003", "203.0.113.10:443", "06", 0, 0)]].concat());
    watch.look();
    watch.end();
    assert_eq!(told(&watch), [some("curl", OUT, true, 1)]);
    assert_eq!(watch.unowned, 1);
    // What the first process listens for is nobody's of its children yet.
    process(&host, 1, 0, "systemd", 1, &[70]);
    process(&host, 7, 1, "squid", 1, &[71]);
    let mut watch = self::watch(&host, ("127.0.0.1", 3128));
    watch.look();
    assert_eq!(watch.rows.len(), 3);
    // Whoever listens at that port of another address, or in another namespace, is no proxy.
    let mut watch = self::watch(&host, ("192.0.2.77", 3128));
    watch.look();
    assert_eq!(watch.rows.len(), 3);
}

#[test]
fn a_proxy_in_a_container_is_found_by_the_forwarder_to_it() {
    let host = host();
    let id = "c".repeat(64);
    process(&host, 5, 1, "dockerd", 1, &[50]);
    process(&host, 7, 5, "docker-proxy", 1, &[70]);
    for pid in [5, 7] {
        host.put(&format!("/proc/{pid}/cgroup"), b"0::/system.slice/docker.service\n");
    }
    host.put("/proc/7/cmdline", b"docker-proxy\0-container-ip\x00172.17.0.2\0-container-port\x008080\0");
    process(&host, 20, 1, "squid", 2, &[200, 201]);
    host.put("/proc/20/cgroup", format!("0::/docker/{id}\n").as_bytes());
    host.put("/proc/20/net/fib_trie", b"  |-- 172.17.0.2\n     /32 host LOCAL\n");
    let of_host =
        [socket("0.0.0.0:3128", "0.0.0.0:0", "0A", 0, 70), socket("192.0.2.1:40000", "203.0.113.10:443", "01", 0, 50)];
    table(&host, 1, &of_host);
    table(
        &host,
        20,
        &[socket("0.0.0.0:8080", "0.0.0.0:0", "0A", 0, 200), socket("172.17.0.2:40000", OUT, "01", 0, 201)],
    );
    let mut watch = watch(&host, ("127.0.0.1", 3128));
    watch.look();
    watch.end();
    // The engine beside it is none.
    assert_eq!(told(&watch), [some("dockerd", "203.0.113.10:443", true, 1)]);
    // Of another container it is a line, with its number.
    let mut watch = self::watch(&host, ("127.0.0.1", 9999));
    watch.look();
    assert_eq!(told(&watch)[1..], [some("squid", OUT, true, 1)]);
    assert_eq!(watch.rows.keys().nth(1).unwrap().container.as_deref(), Some(&id[..12]));
}

#[test]
fn lines_are_bounded_and_counted() {
    let host = host();
    let many: Vec<u64> = (1000..1000 + MOST_ROWS as u64 + 5).collect();
    process(&host, 7, 1, "scan", 1, &many);
    let lines: Vec<String> = many
        .iter()
        .map(|inode| socket(&format!("192.0.2.1:{}", 30000 + inode), &format!("203.0.113.9:{inode}"), "02", 0, *inode))
        .collect();
    table(&host, 1, &lines);
    let mut watch = watch(&host, ("10.0.0.1", 3128));
    watch.look();
    assert_eq!((watch.rows.len(), watch.more), (MOST_ROWS, 5));
}

#[test]
fn whoever_asks_the_proxy_by_its_name_is_no_line_whatever_address_that_has() {
    let origin = |value: &str| Origin {
        pid: 7,
        program: "curl".to_owned(),
        container: None,
        unit: None,
        consumer: None,
        parent: None,
        started: None,
        environment: Some(vec![("HTTPS_PROXY".to_owned(), value.to_owned())]),
    };
    let proxies = [
        ("proxy.corp.example".to_owned(), 3128),
        ("proxy.corp.example".to_owned(), 443),
        ("203.0.113.7".to_owned(), 3128),
    ];
    let known = |hosts: &str| {
        let host = MemoryHost::new();
        host.put("/etc/hosts", hosts.as_bytes());
        Names::new(&host, &[], Vec::new())
    };
    let (unresolved, names) = (known(""), known("203.0.113.7 proxy.corp.example\n203.0.113.8 wiki.corp.example\n"));
    let at =
        |value: &str, place: &str, names: &Names| is_at_proxy(&origin(value), place.parse().unwrap(), &proxies, names);
    for odd in ["proxy.corp.example:3128", "http://proxy.corp.example:3128/path"] {
        assert!(at(odd, "198.51.100.99:3128", &unresolved), "{odd}");
    }
    let by_name = "http://u:p@Proxy.corp.example:3128";
    assert!(at(by_name, "198.51.100.99:3128", &unresolved) && at(by_name, "198.51.100.99:3128", &names));
    assert!(!at(by_name, "198.51.100.99:443", &names));
    assert!(!at(by_name, "203.0.113.8:3128", &names), "that is another host's");
    assert!(!at("http://other.corp.example:3128", "198.51.100.99:3128", &names));
    assert!(!at("http://203.0.113.7:3128", "198.51.100.99:3128", &names), "an address leads nowhere else");
    // Servers use this port, too.
    assert!(at("http://proxy.corp.example:443", "198.51.100.99:443", &unresolved));
    assert!(!at("http://proxy.corp.example:443", "198.51.100.99:443", &names));
}

/// `ssh -R 3128:…` listens where a proxy is meant; whatever its session starts is no proxy's own.
#[test]
fn what_comes_through_the_door_of_a_session_is_none_of_the_proxys() {
    let host = host();
    let unit = |pid: u32, unit: &str| {
        host.put(&format!("/proc/{pid}/cgroup"), format!("0::/system.slice/{unit}\n").as_bytes())
    };
    process(&host, 5, 1, "sshd", 1, &[]);
    process(&host, 6, 5, "sshd", 1, &[60]);
    process(&host, 7, 6, "bash", 1, &[]);
    process(&host, 8, 7, "curl", 1, &[80]);
    process(&host, 9, 5, "sshd", 1, &[]);
    process(&host, 10, 9, "wget", 1, &[100]);
    // Without sessions of the manager's, all of them are of its service.
    (5..=10).for_each(|pid| unit(pid, "ssh.service"));
    let proxy = socket("127.0.0.1:3128", "0.0.0.0:0", "0A", 0, 60);
    let of = |port: u16, inode: u64| socket(&format!("192.0.2.1:{port}"), OUT, "01", 0, inode);
    table(&host, 1, &[proxy.clone(), of(40000, 80), of(40001, 100)]);
    let mut watch = watch(&host, ("127.0.0.1", 3128));
    watch.look();
    assert_eq!(told(&watch), [some("curl", OUT, true, 1), some("wget", OUT, true, 1)]);

    // A proxy that was started in a session is one with its like, and what else it starts is not.
    process(&host, 6, 7, "tinyproxy", 1, &[60]);
    process(&host, 7, 5, "bash", 1, &[]);
    process(&host, 8, 6, "tinyproxy", 1, &[80]);
    process(&host, 10, 6, "wget", 1, &[100]);
    (6..=10).for_each(|pid| host.put(&format!("/proc/{pid}/cgroup"), b"0::/user.slice/user-0.slice/session-1.scope\n"));
    table(&host, 1, &[proxy, of(40000, 80), of(40001, 100)]);
    let mut watch = self::watch(&host, ("127.0.0.1", 3128));
    watch.look();
    assert_eq!(told(&watch), [some("wget", OUT, true, 1)]);
}

#[test]
fn a_container_is_the_proxy_only_where_its_port_is_published_where_the_proxy_is_reached() {
    let host = host();
    let id = "c".repeat(64);
    host.put("/proc/self/net/fib_trie", b"Local:\n  |-- 198.51.100.5\n     /32 host LOCAL\n");
    process(&host, 20, 1, "nginx", 2, &[200, 201]);
    host.put("/proc/20/cgroup", format!("0::/docker/{id}\n").as_bytes());
    host.put("/proc/20/net/fib_trie", b"  |-- 172.17.0.2\n     /32 host LOCAL\n");
    table(
        &host,
        20,
        &[socket("0.0.0.0:8080", "0.0.0.0:0", "0A", 0, 200), socket("172.17.0.2:40000", OUT, "01", 0, 201)],
    );
    for (proxy, at, is_proxy) in [
        ("127.0.0.1", "0.0.0.0", true),
        ("127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "198.51.100.5", false),
        ("198.51.100.5", "0.0.0.0", true),
        ("198.51.100.5", "198.51.100.5", true),
        ("198.51.100.5", "127.0.0.1", false),
        ("203.0.113.7", "0.0.0.0", false),
    ] {
        let mut watch = watch(&host, (proxy, 3128));
        watch.publishes(
            Published { inside: 8080, outside: 3128, at: at.parse().unwrap() },
            &["172.17.0.2".parse().unwrap()],
        );
        watch.look();
        assert_eq!(watch.rows.is_empty(), is_proxy, "{proxy} {at}");
    }
}

#[test]
fn nobodys_connections_to_where_a_proxy_was_asked_are_no_line() {
    let host = host();
    process(&host, 7, 1, "curl", 1, &[70]);
    host.put("/proc/7/environ", b"https_proxy=http://proxy.corp.example:3128\0");
    let at = "198.51.100.99:3128";
    let ended = |port: u16| socket(&format!("192.0.2.1:{port}"), at, "06", 0, 0);
    let mut watch = watch(&host, ("proxy.corp.example", 3128));
    watch.look();
    // One is over before it is known, and one after.
    table(&host, 1, &[ended(40001)]);
    watch.look();
    table(&host, 1, &[]);
    watch.look();
    assert_eq!(told(&watch), [(None, at.to_owned(), true, 1)]);
    table(&host, 1, &[socket("192.0.2.1:40000", at, "01", 0, 70), ended(40002)]);
    watch.look();
    assert_eq!(told(&watch), []);
    table(&host, 1, &[]);
    watch.look();
    watch.end();
    assert_eq!((told(&watch), watch.unowned), (vec![], 0));
}

#[test]
fn an_address_of_the_host_is_near_whoever_asks() {
    let host = host();
    host.put("/proc/self/net/fib_trie", b"Local:\n  |-- 203.0.113.9\n     /32 host LOCAL\n");
    process(&host, 7, 1, "curl", 1, &[70]);
    process(&host, 8, 1, "curl", 2, &[80]);
    table(&host, 1, &[socket("192.0.2.1:40000", OUT, "01", 0, 70)]);
    table(&host, 8, &[socket("172.17.0.2:40000", OUT, "01", 0, 80)]);
    let mut watch = watch(&host, ("10.0.0.1", 3128));
    watch.look();
    watch.end();
    assert_eq!(told(&watch), []);
}

#[test]
fn what_is_beyond_the_most_connections_is_counted() {
    let host = host();
    let one = |number: usize| {
        let (third, fourth, port) = (number / 60_000, number / 30_000 % 2, 1024 + number % 30_000);
        socket(&format!("192.0.{third}.{fourth}:{port}"), OUT, "01", 0, 0)
    };
    table(&host, 1, &(0..MOST_SOCKETS + 5).map(one).collect::<Vec<_>>());
    let mut watch = watch(&host, ("10.0.0.1", 3128));
    watch.look();
    assert_eq!(watch.beyond, 5);
}

#[test]
fn a_search_goes_on_where_its_time_was_over() {
    let host = host();
    process(&host, 7, 1, "curl", 1, &[70]);
    process(&host, 9, 1, "curl", 1, &[70]);
    let mut watch = watch(&host, ("10.0.0.1", 3128));
    let (wanted, none) = ([70].into(), BTreeSet::new());
    let time = |seconds: u64| Time::new(Duration::ZERO, Duration::from_secs(seconds));
    let mut search = |next: Option<u32>, of_proxies: &BTreeSet<u64>, seconds: u64| {
        watch.search.next = watch.search.next.or(next);
        let found = watch.found(&[1, 7, 9], &wanted, of_proxies, time(seconds));
        (found, watch.search.next)
    };
    assert_eq!(search(None, &none, 0), (Some(vec![]), Some(1)));
    assert_eq!(search(None, &none, 60), (Some(vec![(70, 7), (70, 9)]), None));
    assert_eq!(search(Some(8), &none, 60), (Some(vec![(70, 9)]), None));
    // Where one of them may be a proxy, nobody is told before all were looked at; for one more proxy it begins again.
    let proxies = [50].into();
    assert_eq!(search(None, &proxies, 0), (None, Some(1)));
    assert_eq!(search(None, &proxies, 60), (Some(vec![(70, 7), (70, 9)]), None));
    assert_eq!(search(Some(8), &proxies, 60), (Some(vec![(70, 7), (70, 9)]), None));
}

#[test]
fn what_has_no_process_any_more_was_not_left_unread() {
    let host = host();
    process(&host, 7, 1, "curl", 2, &[]);
    let mut watch = watch(&host, ("10.0.0.1", 3128));
    watch.look();
    assert_eq!((watch.spaces, watch.unread), (2, 1));
    // A number that another namespace gets is not that of a proxy any more.
    watch.calls_out(9);
    watch.is_asked(9, OUT.parse().unwrap());
    watch.containers.insert(9, None);
    watch.look();
    assert!(watch.of_proxies.is_empty() && watch.at_proxies.is_empty() && watch.containers.is_empty());
}

#[test]
fn each_user_has_a_line() {
    let host = host();
    process(&host, 7, 1, "curl", 1, &[70]);
    process(&host, 8, 1, "curl", 1, &[80, 81]);
    let of = |port: u16, inode: u64| socket(&format!("192.0.2.1:{port}"), OUT, "01", 0, inode);
    table(&host, 1, &[of(40000, 70), of_user(33, &of(40001, 80)), of_user(33, &of(40002, 81))]);
    let mut watch = watch(&host, ("10.0.0.1", 3128));
    watch.look();
    let users: Vec<(Option<u32>, u64)> = watch.rows.iter().map(|(line, row)| (line.uid, row.tries)).collect();
    assert_eq!(users, [(Some(0), 1), (Some(33), 2)]);
}

#[test]
fn a_line_is_seen_since_its_first_connection_was() {
    let host = host();
    let mut watch = watch(&host, ("10.0.0.1", 3128));
    watch.look();
    table(&host, 1, &[socket("192.0.2.1:40000", OUT, "02", 0, 70)]);
    let before = host.now();
    watch.look();
    let after = host.now();
    std::thread::sleep(Duration::from_millis(20));
    // Whose it is comes out later, and a second one is newer still.
    process(&host, 7, 1, "curl", 1, &[70, 71]);
    table(&host, 1, &[socket("192.0.2.1:40000", OUT, "02", 0, 70), socket("192.0.2.1:40001", OUT, "02", 0, 71)]);
    watch.look();
    let since = watch.rows.values().next().unwrap().since;
    assert!(before <= since && since <= after, "{since:?} {before:?} {after:?}");
    assert_eq!(told(&watch), [some("curl", OUT, false, 2)]);
}
