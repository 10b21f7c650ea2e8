//! `check host` on throw-away roots: what an image can tell, and what it says of the rest.

use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use crate::root::Root;

fn finding<'a>(found: &'a Value, id: &str) -> &'a Value {
    let all = found["findings"].as_array().unwrap();
    all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no {id} in {found:#}"))
}

#[test]
fn an_image_is_judged_by_its_files_and_the_rest_is_skipped_by_name() {
    let root = Root::ubuntu();
    root.put("etc/sudoers", "Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/bin\"\n");
    root.put("etc/profile.d/harden.sh", "umask 077\n");
    root.put("etc/selinux/config", "SELINUX=enforcing\n");
    root.put("etc/sysctl.d/90-cis.conf", "net.ipv4.ip_forward = 0\n");
    let (_, found) = root.json(&["check", "host", "--fail-on", "never"]);
    for (id, status) in [
        ("os-supported", "pass"),
        ("cpu-cores", "skip"),
        ("memory", "skip"),
        ("noexec", "skip"),
        ("port-in-use", "skip"),
        ("clock-skew", "skip"),
        ("hostname", "skip"),
        ("selinux", "warn"),
        ("ip-forward", "warn"),
        ("ipv4-route", "skip"),
        ("sudo-secure-path", "pass"),
        ("sudo-requiretty", "pass"),
        ("umask", "warn"),
        ("compose-path", "skip"),
        ("run-interrupted", "pass"),
    ] {
        let one = finding(&found, id);
        assert_eq!(one["status"], status, "{one:#}");
        assert!(one["observed"].is_string(), "{one:#}");
    }
    let umask = finding(&found, "umask")["observed"].as_str().unwrap().to_owned();
    assert!(umask.contains(root.at("etc/profile.d/harden.sh").to_str().unwrap()), "{umask}");
    // The file system that the image lies on.
    assert!(finding(&found, "disk-size")["evidence"]["bytes"].as_u64().unwrap() > 0);
    assert!(!root.has("var"), "a check writes nothing");
}

#[test]
fn a_system_of_neither_family_is_a_failing_check_and_no_error() {
    let root = Root::ubuntu();
    root.put("etc/os-release", "ID=alpine\nVERSION_ID=3.18.4\n");
    let (code, found) = root.json(&["check", "host"]);
    let os = finding(&found, "os-unsupported");
    assert_eq!((code, os["status"].as_str()), (4, Some("fail")), "{os:#}");
    assert!(os["fix"][0].as_str().unwrap().contains("--os"), "{os:#}");
    let (_, named) = root.json(&["check", "host", "--os", "ubuntu"]);
    assert_eq!(finding(&named, "os-not-listed")["status"], "warn", "{named:#}");
}

#[test]
fn an_interrupted_run_is_found_with_the_way_back() {
    let root = Root::ubuntu();
    root.run(&["prepare", "--deployment", "production", "--proxy", "http://p.example:3128", "--yes"]).ok();
    let (_, fine) = root.json(&["check", "--only", "run-interrupted"]);
    assert_eq!(finding(&fine, "run-interrupted")["status"], "pass", "{fine:#}");
    // What a power loss leaves: a journal without its last record.
    let runs = root.at("var/lib/ics-setup/runs");
    let run = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let journal = std::fs::read_dir(runs.join(&run)).unwrap().map(|entry| entry.unwrap().path());
    let journal = journal.into_iter().find(|path| path.is_file()).unwrap();
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, format!("{}\n", text.lines().next().unwrap())).unwrap();
    let (code, found) = root.json(&["check", "--only", "run-interrupted"]);
    let one = finding(&found, "run-interrupted");
    assert_eq!((code, one["status"].as_str()), (4, Some("fail")), "{one:#}");
    let undo = format!("ics-setup revert {run} --root {}", root.path().display());
    assert_eq!(one["fix"][0], undo, "{one:#}");
}

#[test]
fn facts_of_the_host_are_judged_elsewhere_and_by_another_deployment() {
    let root = Root::ubuntu();
    root.put("divvycloud/prod.env", "DIVVY_DB_HOST=mysql\n");
    let saved = root.at("facts.json");
    let (_, here) = root.json(&["check", "host", "--save-facts", saved.to_str().unwrap(), "--fail-on", "never"]);
    let from = ["check", "host", "--from", saved.to_str().unwrap(), "--fail-on", "never", "--format", "json"];
    let there = crate::root::run(&from, &[], "").json();
    assert_eq!(here["findings"], there["findings"]);
    let mut drive = from.to_vec();
    drive.extend(["--deployment", "test-drive"]);
    let drive = crate::root::run(&drive, &[], "").json();
    assert!(finding(&drive, "disk-size")["expected"].as_str().unwrap().starts_with("40 GB"), "{drive:#}");
}

#[test]
fn compose_in_another_folder_than_the_crontabs_is_found_with_the_link_that_mends_it() {
    let root = Root::ubuntu();
    root.put("var/spool/cron/crontabs/root", "@reboot /usr/local/bin/docker-compose -f /divvycloud/x.yml up -d\n");
    root.put("usr/libexec/compose", "x");
    std::fs::set_permissions(root.at("usr/libexec/compose"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir_all(root.at("usr/bin")).unwrap();
    symlink("/usr/libexec/compose", root.at("usr/bin/docker-compose")).unwrap();
    let (code, found) = root.json(&["check", "--only", "compose-path"]);
    let one = finding(&found, "compose-path");
    assert_eq!((code, one["status"].as_str()), (4, Some("fail")), "{one:#}");
    let link = format!("ln -sfn /usr/bin/docker-compose {}", root.at("usr/local/bin/docker-compose").display());
    assert_eq!(one["fix"][0], link, "{one:#}");
}

const CONFINED: &str = "services:\n  interfaceserver:\n    image: a:1\n    ports: [\"8001:8001\"]\n    volumes:\n      - ./plugins:/plugins\n  \
    scheduler:\n    image: a:1\n    volumes:\n      - ./plugins:/plugins\n  mysql:\n    image: m:1\n    volumes:\n      - ./data/db:/var/lib/mysql\n";

#[test]
fn mounts_of_an_image_are_judged_by_its_daemon_and_its_compose_file() {
    let root = Root::ubuntu();
    root.put("etc/selinux/config", "SELINUX=enforcing\n");
    root.put("divvycloud/docker-compose.yml", CONFINED);
    let look = || {
        let (_, found) = root.json(&["check", "--only", "selinux", "--fail-on", "never"]);
        finding(&found, "selinux").clone()
    };
    let unknown = look();
    assert_eq!((unknown["status"].as_str(), unknown["evidence"]["confines"].as_str()), (Some("warn"), Some("unknown")));
    root.put("usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n");
    let off = look();
    assert_eq!(off["status"], "pass", "{off:#}");
    assert!(off["observed"].as_str().unwrap().contains("selinux-enabled is off"), "{off:#}");
    root.put("etc/docker/daemon.json", "{\"selinux-enabled\": true}\n");
    let confined = look();
    assert_eq!((confined["status"].as_str(), confined["evidence"]["confines"].as_str()), (Some("warn"), Some("yes")));
    let advice: Vec<&str> = confined["advice"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let file = root.at("divvycloud/docker-compose.yml").display().to_string();
    for line in [
        format!("write in {file}:6: - \"./plugins:/plugins:z\""),
        format!("write in {file}:10: - \"./plugins:/plugins:z\""),
        format!("write in {file}:14: - \"./data/db:/var/lib/mysql:Z\""),
    ] {
        assert!(advice.contains(&line.as_str()), "{line} in {advice:#?}");
    }
    root.put(
        "divvycloud/docker-compose.yml",
        CONFINED.replace("/plugins\n", "/plugins:z\n").replace("/var/lib/mysql", "/var/lib/mysql:Z"),
    );
    assert_eq!(look()["status"], "pass");
    // What two services share, one of them takes for itself.
    root.put(
        "divvycloud/docker-compose.yml",
        CONFINED.replace("/plugins\n", "/plugins:Z\n").replace("/var/lib/mysql", "/var/lib/mysql:Z"),
    );
    let taken = look();
    assert!(taken["title"].as_str().unwrap().contains("takes from others"), "{taken:#}");
    assert!(!taken["advice"].to_string().contains("/plugins:Z"), "{taken:#}");
    // What is the system's own is never labelled for containers.
    root.put("divvycloud/docker-compose.yml", CONFINED.replace("./plugins:/plugins\n", "/etc/pki:/etc/pki:ro,z\n"));
    let system = look();
    assert!(system["title"].as_str().unwrap().contains("labels /etc/pki of the host"), "{system:#}");
    assert!(!system["advice"].to_string().contains("ro,z"), "{system:#}");
    // What nobody confines needs nothing, and what the file does not tell is said.
    let labelled = CONFINED.replace("/plugins\n", "/plugins:z\n").replace("/var/lib/mysql", "/var/lib/mysql:Z");
    let agent = "  agent:\n    image: x:1\n    volumes: [\"/var/run/docker.sock:/var/run/docker.sock:ro\"]\n";
    root.put("divvycloud/docker-compose.yml", format!("{labelled}{agent}"));
    let socket = look();
    assert!(socket["advice"].to_string().contains("label=disable"), "{socket:#}");
    root.put("divvycloud/docker-compose.yml", format!("{labelled}{agent}    security_opt: [\"label=disable\"]\n"));
    assert_eq!(look()["status"], "pass");
    root.put("divvycloud/docker-compose.yml", format!("{labelled}    secrets: [x]\nsecrets: {{x: {{file: ./x}}}}\n"));
    let secret = look();
    assert!(secret["title"].as_str().unwrap().contains("what containers mount is not known"), "{secret:#}");
}

/// As CentOS 7 brings it: among its options is one that no other engine has.
#[test]
fn the_vendors_own_docker_of_centos_confines_containers() {
    let root = Root::ubuntu();
    root.put("etc/selinux/config", "SELINUX=enforcing\n");
    let unit = "[Service]\nEnvironmentFile=-/etc/sysconfig/docker\nExecStart=/usr/bin/dockerd-current $OPTIONS\n";
    root.put("usr/lib/systemd/system/docker.service", unit);
    let options = "OPTIONS='--selinux-enabled --log-driver=journald --signature-verification=false'\n";
    root.put("etc/sysconfig/docker", options);
    root.put("divvycloud/docker-compose.yml", CONFINED);
    let (_, found) = root.json(&["check", "--only", "selinux", "--fail-on", "never"]);
    let found = finding(&found, "selinux");
    assert_eq!((found["status"].as_str(), found["evidence"]["confines"].as_str()), (Some("warn"), Some("yes")));
}

#[test]
fn a_firewall_of_an_image_is_held_against_what_the_compose_file_publishes() {
    let root = Root::ubuntu();
    let titles = |more: &[&str]| {
        let words = [&["check", "--only", "firewall", "--fail-on", "never"], more].concat();
        let (_, found) = root.json(&words);
        let all = found["findings"].as_array().unwrap().iter();
        all.map(|one| format!("{} {}", one["status"].as_str().unwrap(), one["title"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(titles(&[]), ["pass neither ufw nor firewalld is on"]);
    root.put("usr/sbin/ufw", "x");
    root.put("etc/ufw/ufw.conf", "ENABLED=yes\n");
    root.put("etc/ufw/user.rules", "*filter\n");
    root.put("etc/default/ufw", "DEFAULT_INPUT_POLICY=\"DROP\"\n");
    assert_eq!(titles(&[]), ["warn ufw is on, and keeps nobody from port 8001"], "before anything is installed");
    root.put("divvycloud/docker-compose.yml", CONFINED.replace("8001:8001", "9001:8001"));
    assert_eq!(titles(&[]), ["warn ufw is on, and keeps nobody from port 9001"]);
    root.put("divvycloud/docker-compose.yml", CONFINED.replace("8001:8001", "127.0.0.1:8001:8001"));
    assert_eq!(titles(&[]), ["warn ufw keeps users from port 443, the server in front of the product"]);
    root.put("etc/ufw/user.rules", "### tuple ### allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in\n");
    assert_eq!(titles(&[]), ["pass ufw lets users reach port 443, the server in front of the product"]);
    // Rules of people's decide about their own ports.
    root.put("divvycloud/docker-compose.yml", CONFINED);
    let rule =
        |port: &str| format!("-A DOCKER-USER -p tcp -m conntrack --ctorigdstport {port} --ctdir ORIGINAL -j DROP\n");
    root.put("etc/ufw/after.rules", rule("22"));
    assert_eq!(titles(&[]), ["warn ufw is on, and keeps nobody from port 8001"]);
    root.put("etc/ufw/after.rules", rule("8001"));
    assert_eq!(titles(&[]), ["pass ufw is on, and rules in DOCKER-USER decide who reaches port 8001"]);
    // Where Docker leaves iptables alone: users have to reach the product, and nobody its database.
    root.put("usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd -H fd://\n");
    root.put("etc/docker/daemon.json", "{\"iptables\": false}\n");
    root.put("divvycloud/docker-compose.yml", format!("{CONFINED}    ports: [\"3306:3306\"]\n"));
    let (web, database) = ("ufw keeps users from port 8001, the product", "ufw keeps others from port 3306 of mysql");
    assert_eq!(titles(&[]), [format!("warn {web}"), format!("pass {database}")]);
    root.put("etc/ufw/user.rules", "### tuple ### allow tcp 3306 0.0.0.0/0 any 0.0.0.0/0 in\n");
    assert_eq!(titles(&[]), [format!("warn {web}"), "warn ufw lets everybody reach port 3306 of mysql".to_owned()]);
    root.put("divvycloud/docker-compose.yml", "services:\n  mysql:\n    image: m:1\n    network_mode: host\n");
    assert_eq!(titles(&[]), ["warn ufw is on, and which ports the product opens is not known"]);
    // What stands before ufw's rules is not followed, and what is left of it behind is none.
    root.put("divvycloud/docker-compose.yml", CONFINED.replace("8001:8001", "127.0.0.1:8001:8001"));
    root.put("etc/ufw/before.rules", "-A ufw-before-input -p tcp --dport 443 -j ACCEPT\n");
    assert_eq!(titles(&[]), ["skip whether ufw lets users reach port 443 is not known"]);
    std::fs::remove_file(root.at("usr/sbin/ufw")).unwrap();
    assert_eq!(titles(&[]), ["pass neither ufw nor firewalld is on"]);
    // firewalld, whose interfaces somebody else puts into zones.
    root.put("usr/sbin/firewalld", "x");
    root.put("etc/systemd/system/multi-user.target.wants/firewalld.service", "x");
    root.put("etc/firewalld/zones/public.xml", "<zone><!-- <service name=\"https\"/> --></zone>\n");
    assert_eq!(titles(&[]), ["warn firewalld keeps users from port 443, the server in front of the product"]);
    root.put("etc/firewalld/zones/dmz.xml", "<zone><interface name=\"eth0\"/></zone>\n");
    assert_eq!(titles(&[]), ["skip whether firewalld lets users reach port 443 is not known"]);
}

#[test]
fn an_installation_labels_what_its_own_compose_file_mounts_and_tells_what_the_firewall_makes_of_its_port() {
    let plan = |root: &Root, more: &[&str]| {
        let words = [&["install", "--deployment", "test-drive", "--dry-run", "--workers", "1"], more].concat();
        root.json(&words).1
    };
    let root = Root::ubuntu();
    let compose = |json: &Value| {
        let changes = json["changes"].as_array().unwrap();
        let is_it = |one: &&Value| one["path"].as_str().unwrap().ends_with("docker-compose.yml");
        changes.iter().find(is_it).unwrap_or_else(|| panic!("no compose file: {json:#}")).clone()
    };
    let plain = compose(&plan(&root, &[]));
    assert!(plain["diff"].as_str().unwrap().contains("+      - \"./plugins:/plugins\"\n"), "{plain:#}");
    root.put("etc/selinux/config", "SELINUX=enforcing\n");
    root.put("usr/sbin/ufw", "x");
    root.put("etc/ufw/ufw.conf", "ENABLED=yes\n");
    root.put("etc/ufw/user.rules", "*filter\n");
    let json = plan(&root, &[]);
    let labelled = compose(&json);
    let diff = labelled["diff"].as_str().unwrap();
    assert!(diff.contains("+      - \"./plugins:/plugins:z\"\n"), "{diff}");
    assert!(diff.contains("+      - \"./data/db:/var/lib/mysql:Z\"\n"), "{diff}");
    assert!(labelled["reasons"].to_string().contains("SELinux may confine containers here"), "{labelled:#}");
    let of = |json: &Value, id: &str| {
        let all = json["findings"].as_array().unwrap().iter();
        let is_bad = |one: &&Value| one["id"] == id && one["status"] == "warn";
        all.filter(is_bad).map(|one| one["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // As it is going to be, the host is right; and whom the firewall keeps from what, is told.
    assert_eq!(of(&json, "selinux"), Vec::<String>::new(), "{json:#}");
    assert_eq!(of(&json, "firewall"), ["ufw is on, and keeps nobody from port 8001"]);
    let behind = plan(&root, &["--bind", "127.0.0.1", "--reverse-proxy"]);
    assert_eq!(of(&behind, "firewall"), ["ufw keeps users from port 443, the server in front of the product"]);
    // A daemon that certainly confines none.
    root.put("usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n");
    assert_eq!(compose(&plan(&root, &[]))["diff"], plain["diff"]);
}
