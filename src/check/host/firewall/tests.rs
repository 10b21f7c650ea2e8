use super::super::testing::{checked, production};
use super::*;
use crate::docker::double::Double;
use crate::host::Output;

fn ufw(compose: &str, rules: &str) -> Double {
    let host = Double::installed().prints("dockerd --version", "Docker version 26.1.5, build 411e817\n");
    host.files.put("/usr/sbin/ufw", b"x");
    host.files.put("/etc/ufw/ufw.conf", b"ENABLED=yes\n");
    host.files.put("/etc/default/ufw", b"DEFAULT_INPUT_POLICY=\"DROP\"\n");
    host.files.put("/etc/ufw/user.rules", rules.as_bytes());
    host.files.put("/divvycloud/docker-compose.yml", compose.as_bytes());
    host
}

fn firewalld(compose: &str, conf: &str, services: &str) -> Double {
    let state = || Ok(Output { code: Some(0), stdout: b"running\n".to_vec(), stderr: Vec::new() });
    let host = Double::installed().answers("firewall-cmd --state", state);
    host.files.put("/etc/firewalld/firewalld.conf", conf.as_bytes());
    host.files.put("/usr/lib/firewalld/services/ssh.xml", b"<service><port protocol=\"tcp\" port=\"22\"/></service>");
    host.files.put("/divvycloud/docker-compose.yml", compose.as_bytes());
    let zones = format!("public (active)\n  target: default\n  interfaces: eth0\n  services: {services}\n  ports: \n");
    host.prints("firewall-cmd --get-default-zone", "public\n").prints("firewall-cmd --list-all-zones", zones)
}

fn engine(host: Double, version: &str) -> Double {
    host.prints("dockerd --version", format!("Docker version {version}, build 1\n"))
}

const OPEN: &str =
    "services:\n  interfaceserver:\n    ports: [\"8001:8001\"]\n  mysql:\n    ports: [\"127.0.0.1:3306:3306\"]\n";
const BEHIND: &str = "services:\n  interfaceserver:\n    command: divvycloud webserver --reverse-proxy\n    ports: [\"127.0.0.1:8001:8001\"]\n";
const HTTPS: &str = "### tuple ### allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in\n";

fn judged(host: &Double) -> Vec<(Status, String)> {
    let found = checked(&Firewall, host, &production());
    found.iter().map(|found| (found.status, found.title.to_string())).collect()
}

fn one(host: &Double, status: Status, words: &str) -> Finding {
    let found = checked(&Firewall, host, &production());
    assert!(found.len() == 1 && found[0].status == status && found[0].title.contains(words), "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn published_ports_are_open_whatever_ufw_says() {
    let found = one(&ufw(OPEN, HTTPS), Status::Warn, "ufw is on, and keeps nobody from port 8001");
    assert!(found.fix[0].contains("--bind 127.0.0.1 --reverse-proxy"), "{found:?}");
    assert!(found.fix[1].contains("--ctorigdstport 8001 --ctdir ORIGINAL -j DROP"), "{found:?}");
    let ruled = ufw(OPEN, "").prints("iptables", "-A DOCKER-USER -i eth0 -j DROP\n-A DOCKER-USER -j RETURN\n");
    one(&ruled, Status::Pass, "rules in DOCKER-USER decide");
    let fail2ban = "-A DOCKER-USER -p tcp -m multiport --dports 22 -j f2b-sshd\n-A DOCKER-USER -j RETURN\n";
    let found = one(&ufw(OPEN, "").prints("iptables", fail2ban), Status::Warn, "keeps nobody from port 8001");
    assert!(found.observed.unwrap().contains("none is seen that decides who reaches port 8001"));
    let refused = ufw(OPEN, "").fails("iptables", "Permission denied (you must be root)");
    one(&refused, Status::Warn, "as far as can be seen keeps nobody from port 8001");
    let both = || ufw(&OPEN.replace("127.0.0.1:3306", "3306"), "");
    let found = one(&both(), Status::Warn, "ports 8001, 3306");
    assert!(found.fix.iter().any(|fix| fix.contains("127.0.0.1:3306 in its ports")), "{found:?}");
    let rules = found.fix.iter().filter(|fix| fix.contains("iptables -I DOCKER-USER"));
    assert_eq!(rules.count(), 2, "{found:?}");
    assert!(found.fix.iter().any(|fix| fix.matches("'-A DOCKER-USER").count() == 2), "{found:?}");
    // A rule about one of them says nothing of the other.
    let one_of_them = "-A DOCKER-USER -p tcp -m conntrack --ctorigdstport 8001 --ctdir ORIGINAL -j DROP\n";
    let titles = judged(&both().prints("iptables", one_of_them));
    let expected = [
        (Status::Pass, "ufw is on, and rules in DOCKER-USER decide who reaches port 8001".to_owned()),
        (Status::Warn, "ufw is on, and keeps nobody from port 3306".to_owned()),
    ];
    assert_eq!(titles, expected);
    let nftables = ufw(OPEN, "");
    nftables.files.put("/usr/lib/systemd/system/docker.service", b"[Service]\nExecStart=/usr/bin/dockerd\n");
    nftables.files.put("/etc/docker/daemon.json", b"{\"firewall-backend\": \"nftables\"}");
    let found = one(&nftables, Status::Skip, "whom ufw keeps from port 8001 is not known");
    assert!(found.fix.iter().all(|fix| !fix.contains("iptables")), "{found:?}");
}

#[test]
fn a_front_door_needs_its_port_open() {
    let closed = one(&ufw(BEHIND, ""), Status::Warn, "ufw keeps users from port 443");
    assert!(closed.fix[0].contains("ufw allow 443/tcp"), "{closed:?}");
    one(&ufw(BEHIND, HTTPS), Status::Pass, "ufw lets users reach port 443");
    let closed =
        one(&engine(firewalld(BEHIND, "", "ssh"), "26.1.5"), Status::Warn, "firewalld keeps users from port 443");
    assert!(
        closed.fix[0].ends_with("firewall-cmd --permanent --zone=public --add-service=https && firewall-cmd --reload")
            || closed.fix[0].contains("--zone=public --add-service=https"),
        "{closed:?}"
    );
    assert!(!closed.fix[0].contains("restart Docker"), "{closed:?}");
    let older = one(&engine(firewalld(BEHIND, "", "ssh"), "19.03.1"), Status::Warn, "firewalld keeps users");
    assert!(older.fix[0].contains("restart Docker"), "{older:?}");
    one(&firewalld(BEHIND, "", "https ssh"), Status::Pass, "firewalld lets users reach port 443");
}

#[test]
fn engines_and_settings_of_firewalld_decide_what_is_closed() {
    one(
        &engine(firewalld(OPEN, "FirewallBackend=nftables\n", "ssh"), "26.1.5"),
        Status::Warn,
        "keeps nobody from port 8001",
    );
    one(
        &engine(firewalld(OPEN, "FirewallBackend=iptables\n", "ssh"), "19.03.1"),
        Status::Warn,
        "keeps nobody from port 8001",
    );
    let rejected = one(
        &engine(firewalld(OPEN, "FirewallBackend=nftables\n", "ssh"), "19.03.1"),
        Status::Warn,
        "firewalld keeps users from port 8001",
    );
    assert!(rejected.fix.iter().any(|fix| fix.contains("20.10")), "{rejected:?}");
    let strict = one(
        &engine(firewalld(OPEN, "StrictForwardPorts=yes\n", "ssh"), "28.0.1"),
        Status::Warn,
        "firewalld keeps users from port 8001",
    );
    assert!(strict.cause.unwrap().contains("StrictForwardPorts"));
    assert!(strict.fix[1].contains("--add-forward-port") && strict.fix[1].contains("&& firewall-cmd --reload"));
}

#[test]
fn where_docker_leaves_iptables_alone_the_rules_decide() {
    let left = |rules: &str| {
        let host = ufw(OPEN, rules);
        host.files.put("/usr/lib/systemd/system/docker.service", b"[Service]\nExecStart=/usr/bin/dockerd\n");
        host.files.put("/etc/docker/daemon.json", b"{\"iptables\": false}");
        host
    };
    one(&left(""), Status::Warn, "ufw keeps users from port 8001");
    one(
        &left("### tuple ### allow tcp 8001 0.0.0.0/0 any 10.1.0.0/16 in\n"),
        Status::Pass,
        "ufw lets some users reach port 8001",
    );
    // Databases are for the product: what opens them is no advice, and open they are no good news.
    let database = |rules: &str| {
        let host = left(rules);
        let compose = "services:\n  mysql:\n    image: m\n    ports: [\"3306:3306\"]\n";
        host.files.put("/divvycloud/docker-compose.yml", compose.as_bytes());
        host
    };
    let rule = |from: &str| format!("### tuple ### allow tcp 3306 0.0.0.0/0 any {from} in\n");
    let shut = one(&database(""), Status::Pass, "ufw keeps others from port 3306 of mysql");
    assert!(shut.fix.is_empty(), "{shut:?}");
    let open = one(&database(&rule("0.0.0.0/0")), Status::Warn, "ufw lets everybody reach port 3306 of mysql");
    assert!(open.fix[0].contains("127.0.0.1:3306 in its ports") && !open.fix[0].contains("allow"), "{open:?}");
    one(&database(&rule("10.1.0.0/16")), Status::Pass, "ufw lets some reach port 3306 of mysql");
    one(
        &ufw(&OPEN.replace("ports: [\"8001:8001\"]", "network_mode: host"), ""),
        Status::Warn,
        "ufw keeps users from port 8001",
    );
}

#[test]
fn what_is_not_known_is_not_fine() {
    one(&Double::installed(), Status::Pass, "neither ufw nor firewalld is on");
    let refused = || Ok(Output { code: Some(253), stdout: b"Authorization failed.\n".to_vec(), stderr: Vec::new() });
    let host = Double::installed().answers("firewall-cmd --state", refused);
    one(&host, Status::Skip, "whether firewalld is on is not known");
    let odd = judged(&ufw(&OPEN.replace("8001:8001", "8000-8010:8000-8010"), ""));
    assert_eq!((odd[0].0, odd.len()), (Status::Warn, 1), "{odd:?}");
    let in_host = ufw("services:\n  mysql:\n    image: m\n    network_mode: host\n", "");
    let found = checked(&Firewall, &in_host, &CheckSpec { interface: Some(false), ..production() });
    assert_eq!(found.iter().map(|found| found.status).collect::<Vec<_>>(), [Status::Warn], "{found:#?}");
    let host = ufw(OPEN, "");
    host.files.put("/usr/lib/systemd/system/docker.service", b"[Service]\nExecStart=/usr/bin/dockerd\n");
    host.files.put("/etc/docker/daemon.json", b"{\"iptables\": \"no\"}");
    one(&host, Status::Warn, "as far as can be seen keeps nobody from port 8001");
    let bare = Double::with(crate::host::MemoryHost::new());
    bare.files.put("/usr/sbin/ufw", b"x");
    bare.files.put("/etc/ufw/ufw.conf", b"ENABLED=yes\n");
    bare.files.put("/etc/ufw/user.rules", b"*filter\n");
    let found = one(&bare, Status::Warn, "keeps nobody from port 8001");
    assert!(found.observed.unwrap().contains("no compose file yet"));
    let spec = CheckSpec { bind: Some("127.0.0.1".into()), ..production() };
    let found = checked(&Firewall, &bare, &spec);
    assert!(found.len() == 1 && found[0].title.contains("ufw keeps users from port 443"), "{found:?}");
    let spec = CheckSpec { interface: Some(false), ..production() };
    assert_eq!(checked(&Firewall, &bare, &spec)[0].status, Status::Skip);
}

#[test]
fn what_users_come_by_in_front_of_the_product_is_not_shut_for_them() {
    let front = |name: &str, rules: &str, is_left: bool| {
        let compose = format!("services:\n  {name}:\n    image: n\n    ports: [\"443:443\"]\n");
        let host = ufw(&compose, rules);
        host.files.put("/usr/lib/systemd/system/docker.service", b"[Service]\nExecStart=/usr/bin/dockerd\n");
        host.files.put("/etc/docker/daemon.json", format!("{{\"iptables\": {}}}", !is_left).as_bytes());
        host
    };
    one(&front("loadbalancer", "", true), Status::Warn, "ufw keeps users from port 443");
    one(&front("loadbalancer", HTTPS, true), Status::Pass, "ufw lets users reach port 443");
    let led = one(&front("loadbalancer", HTTPS, false), Status::Warn, "keeps nobody from port 443");
    assert!(!led.fix.iter().any(|fix| fix.contains("127.0.0.1")), "it is that server itself: {led:?}");
    // Of somebody's own nobody knows whom it is for.
    for is_left in [true, false] {
        let unknown = checked(&Firewall, &front("gateway", HTTPS, is_left), &production()).remove(0);
        let said: Vec<&str> = unknown.fix.iter().map(|fix| &**fix).filter(|fix| fix.contains("127.0.0.1")).collect();
        assert!(said.iter().all(|said| said.starts_with("where no user comes by it, ")), "{unknown:?}");
        assert!(!said.is_empty(), "{unknown:?}");
    }
}

#[test]
fn an_engine_with_its_rules_in_nftables_is_asked_nothing_of_iptables() {
    let host = ufw(OPEN, "");
    let unit = "[Service]\nExecStart=/usr/bin/dockerd --firewall-backend=nftables\n";
    host.files.put("/usr/lib/systemd/system/docker.service", unit.as_bytes());
    let found = one(&host, Status::Skip, "whom ufw keeps from port 8001 is not known");
    assert!(found.fix.iter().all(|fix| !fix.contains("iptables")), "{found:?}");
}
