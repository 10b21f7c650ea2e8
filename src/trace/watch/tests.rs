use super::*;
use crate::host::MemoryHost;

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
