//! Names that containers know: what the name servers say that Docker passes their questions to, and nothing else.

use std::fs;

use super::world::World;

#[test]
fn a_container_knows_what_its_name_servers_know() {
    let world = World::new();
    let home = world.path("home");
    fs::create_dir(&home).unwrap();
    world.write("hosts", "127.0.0.1 localhost\n10.9.0.1 proxy.corp.example\n127.0.0.1 own.corp.example\n");
    // Of one server at 127.0.0.53 Docker asks what systemd-resolved has behind it.
    let servers = "nameserver 127.0.0.53\nnameserver 127.0.0.53\n";
    let proxy = |host: &str| {
        let lines = ["http_proxy", "https_proxy"].map(|name| format!("{name}=http://{host}:3128\n")).concat();
        let list = "no_proxy=mysql,redis,169.254.169.254\nDIVVY_REDIS_HOST=cache.example\n";
        world.write("home/prod.env", &format!("{lines}{list}"));
        world.check(&["proxy", "backends", "--home", &home])
    };
    world.write("resolv.conf", servers);
    let seen = proxy("proxy.lab");
    seen.expect("proxy-prod-env", "pass", &[]);
    seen.expect("prod-env-hosts", "warn", &["cache.example", "DIVVY_REDIS_HOST"]);
    proxy("127.0.0.1").expect("proxy-prod-env", "warn", &["is the container itself", "reconfigure --proxy http://"]);
    let known = ["stands in /etc/hosts", "do not know it", "reconfigure --proxy http://10.9.0.1:3128"];
    proxy("proxy.corp.example").expect("proxy-prod-env", "warn", &known);
    proxy("own.corp.example").expect("proxy-prod-env", "warn", &["stands in /etc/hosts", "host-gateway"]);
    proxy("nowhere.example").expect("proxy-prod-env", "warn", &["the name servers that containers ask do not know it"]);
    proxy("proxy").expect("proxy-prod-env", "warn", &["do not know it"]);
    // Docker gives containers the search domains of the host.
    world.write("resolv.conf", &format!("search example lab\n{servers}"));
    proxy("proxy").expect("proxy-prod-env", "pass", &[]);
    // Where nobody answers, a name is unknown for another reason than its own.
    world.resolver("127.0.0.99");
    proxy("nowhere.example").expect("proxy-prod-env", "pass", &[]);
    proxy("own.corp.example").expect("proxy-prod-env", "warn", &["no name server answers for it"]);
}
