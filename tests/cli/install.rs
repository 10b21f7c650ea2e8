//! `install` below `--root`: which files it makes and edits, and that a second run finds nothing to do.

use std::os::unix::fs::PermissionsExt;

use crate::root::{Ran, Root};

const COMPOSE: &str = "divvycloud/docker-compose.yml";
const UNIT: &str = "etc/systemd/system/insightcloudsec.service";
const KEPT: &str = "var/lib/ics-setup/test-drive.env";
const NEWEST: &str = "public.ecr.aws/rapid7-insightcloudsec/ics/core:v22.12.7";

const TEST_DRIVE: &[&str] = &["install", "--deployment", "test-drive"];

/// A host without the product, started by systemd.
fn bare(of: fn() -> Root) -> Root {
    let root = of();
    std::fs::remove_dir_all(root.at("divvycloud")).unwrap();
    root.program("usr/lib/systemd/systemd");
    root
}

fn with<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [arguments, more].concat()
}

/// Flags of a production with a password that is in no command line.
fn production(root: &Root) -> Vec<String> {
    root.put("pw", "s3cret-of-mysql\n");
    let file = root.at("pw").display().to_string();
    let words =
        ["install", "--mysql-host", "db.corp.example", "--redis-host", "r.corp.example", "--mysql-password-file"];
    words.iter().map(|word| (*word).to_owned()).chain([file]).collect()
}

fn run(root: &Root, arguments: &[String], more: &[&str]) -> Ran {
    root.run(&arguments.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
}

fn ids(json: &serde_json::Value) -> Vec<&str> {
    json["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

fn secret(file: &str, name: &str) -> String {
    let value = file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("{name} in {file}")).to_owned()
}

#[test]
fn a_bare_host_gets_every_file_and_a_second_run_changes_nothing() {
    for of in [Root::ubuntu, Root::centos] {
        let root = bare(of);
        let proxied = with(TEST_DRIVE, &["--proxy", "http://proxy.corp.example:3128"]);
        let before = root.picture();
        let ran = root.run(&with(&proxied, &["--dry-run"])).ok();
        assert!(root.picture() == before && !root.has("var"));
        for line in [
            "+# Written by ics-setup from what is known of the vendor's files of 2019 to 2023; it is not the vendor's own.",
            "+# Written by ics-setup from what is known of the vendor's file of 2019 to 2023; it is not the vendor's own.",
            "+# Written by ics-setup: accounts of the Test Drive's database, which come into being with the folder of its data.",
            "+    image: \"public.ecr.aws/rapid7-insightcloudsec/ics/core:v22.12.7\"",
            "+http_proxy=http://proxy.corp.example:3128",
            "+DIVVY_DB_PASSWORD=***",
            "+MYSQL_PASSWORD=***",
            "+Requires=docker.service",
            "+    scale: 2",
        ] {
            assert!(ran.stdout.lines().any(|own| own.trim_start() == line), "{line}: {}", ran.stdout);
        }
        root.run(&proxied).ok();
        let first = |path: &str| root.get(path).lines().next().unwrap().to_owned();
        assert!(
            first(COMPOSE).contains("it is not the vendor's own")
                && first("divvycloud/prod.env").contains("not the vendor's")
        );
        assert_eq!(root.get(COMPOSE).matches(NEWEST).count(), 3);
        let env = root.get("divvycloud/prod.env");
        assert!(
            env.contains("\nhttp_proxy=http://proxy.corp.example:3128\n") && env.contains("\nDIVVY_DB_HOST=mysql\n"),
            "{env}"
        );
        let password = secret(&env, "DIVVY_DB_PASSWORD");
        assert!(password.len() == 24 && password.chars().all(|c| c.is_ascii_alphanumeric()));
        assert_eq!(secret(&env, "DIVVY_SECRET_DB_PASSWORD"), password);
        let accounts = root.get("divvycloud/mysql.env");
        assert_eq!(
            [secret(&accounts, "MYSQL_PASSWORD"), secret(&accounts, "MYSQL_ROOT_PASSWORD")],
            [password.clone(), password.clone()]
        );
        assert_eq!(root.get(KEPT), format!("MYSQL_PASSWORD={password}\n"));
        let mode = |path: &str| root.at(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(
            [mode(COMPOSE), mode("divvycloud/prod.env"), mode("divvycloud/mysql.env"), mode(KEPT), mode(UNIT)],
            [0o644, 0o640, 0o640, 0o600, 0o644]
        );
        assert!(
            !root.get(COMPOSE).contains(&password) && !root.get("var/lib/ics-setup/state.json").contains(&password)
        );
        assert!(root.get(UNIT).contains("-f /divvycloud/docker-compose.yml up -d\n"));

        let product = &root.json(&["status"]).1["product"];
        assert_eq!((product["folder"].as_str(), product["containers"].is_null()), (Some("/divvycloud"), true));
        let after = root.picture();
        for again in [&["install"][..], &proxied, &["install", "--port", "8001", "--reverse-proxy=false"]] {
            let (code, json) = root.json(again);
            assert_eq!((code, json["outcome"].as_str()), (0, Some("unchanged")), "{again:?}: {json:#}");
        }
        assert!(root.picture() == after, "no byte, no mtime");
        // Compose has come meanwhile, by its package: the unit finds it.
        root.program("usr/bin/docker-compose");
        assert_eq!(root.json(&["install"]).1["outcome"], "unchanged");

        // Taken back, and installed again over the data that stayed: with the same password.
        root.run(&["revert", "--yes"]).ok();
        assert!(!root.has(COMPOSE) && root.has(KEPT));
        root.put("divvycloud/data/db/ibdata1", "x");
        root.run(&proxied).ok();
        assert_eq!(secret(&root.get("divvycloud/prod.env"), "DIVVY_DB_PASSWORD"), password);
    }
}

#[test]
fn where_selinux_may_confine_containers_the_authority_is_mounted_with_a_label() {
    let root = bare(Root::ubuntu);
    root.put("etc/selinux/config", "SELINUX=enforcing\n");
    root.put("ca.crt", crate::trust::authority("Inspector").0);
    root.put("etc/ssl/certs/ca-certificates.crt", crate::trust::authority("Public").0);
    let here = root.at("ca.crt").display().to_string();
    let (code, json) = root.json(&with(TEST_DRIVE, &["--proxy-ca", &here]));
    assert_eq!(code, 0, "{json:#}");
    let compose = root.get(COMPOSE);
    for mount in [
        "- \"./proxy_cert.crt:/usr/local/share/ca-certificates/proxy_cert.crt:z\"\n",
        "- \"./proxy_ca_bundle.crt:/etc/ssl/proxy_ca_bundle.crt:ro,z\"\n",
        "- \"./plugins:/plugins:z\"\n",
    ] {
        assert_eq!(compose.matches(mount).count(), 3, "{compose}");
    }
    assert_eq!((compose.matches(":Z\"").count(), compose.matches("#-").count()), (1, 0), "{compose}");
    assert_eq!(root.json(&["install"]).1["outcome"], "unchanged");
    let (_, found) = root.json(&["check", "--only", "selinux"]);
    assert_eq!(found["findings"][0]["status"], "pass", "{found:#}");
}

#[test]
fn the_authority_that_is_there_is_mounted_and_so_is_one_that_is_named() {
    const MOUNT: &str = "      - ./proxy_cert.crt:/usr/local/share/ca-certificates/proxy_cert.crt\n";
    let root = bare(Root::ubuntu);
    let (ca, _) = crate::trust::authority("Inspector");
    root.put("ca.crt", &ca);
    root.put("etc/ssl/certs/ca-certificates.crt", crate::trust::authority("Public").0);
    let here = root.at("ca.crt").display().to_string();
    let (code, json) = root.json(&with(TEST_DRIVE, &["--proxy-ca", &here]));
    assert_eq!(code, 0, "{json:#}");
    let compose = root.get(COMPOSE);
    assert_eq!(compose.matches("./proxy_cert.crt:/usr/local/share/ca-certificates").count(), 3, "{compose}");
    assert_eq!(compose.matches("./proxy_ca_bundle.crt:/etc/ssl/proxy_ca_bundle.crt:ro").count(), 3, "{compose}");
    assert_eq!(root.get("divvycloud/proxy_cert.crt"), ca);
    assert!(root.get("divvycloud/prod.env").contains("\nSSL_CERT_FILE=/etc/ssl/proxy_ca_bundle.crt\n"));
    assert_eq!(root.json(&["install"]).1["outcome"], "unchanged");
    root.run(&["revert", "--yes"]).ok();
    assert!(!root.has("divvycloud/proxy_cert.crt") && !root.has("divvycloud/proxy_ca_bundle.crt"));
    root.put("divvycloud/proxy_cert.crt", "x");
    let ran = root.run(TEST_DRIVE).ok();
    assert!(ran.stdout.contains(&format!("+{MOUNT}")), "{}", ran.stdout);
    assert_eq!(root.get(COMPOSE).matches(MOUNT).count(), 2);
}

#[test]
fn production_names_everything_that_is_missing_at_once() {
    let root = bare(Root::ubuntu);
    let (code, json) = root.json(&["install"]);
    assert_eq!((code, json["error"]["id"].as_str()), (3, Some("settings-missing")));
    let said = json["error"].to_string();
    for name in ["mysql.host", "--mysql-password-file", "ICS_SETUP_REDIS_HOST", "--deployment test-drive"] {
        assert!(said.contains(name), "{said}");
    }
    assert!(!root.has("var") && !root.has("divvycloud"));
    // The vendor's own file names containers, which this host has none of.
    let root = Root::ubuntu();
    let (code, json) = root.json(&["install"]);
    assert!(code == 3 && json["error"]["message"] == "missing: mysql.host, redis.host", "{json:#}");
}

#[test]
fn production_gets_its_back_ends_and_no_container_of_a_database() {
    let root = bare(Root::centos);
    let flags = production(&root);
    let ran = run(
        &root,
        &flags,
        &["--release", "22.3.9", "--workers", "3", "--port", "443", "--bind", "::1", "--reverse-proxy"],
    )
    .ok();
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("s3cret-of-mysql"));
    let compose = root.get(COMPOSE);
    for line in [
        "    image: \"public.ecr.aws/divvycloud/divvycloud:v22.3.9\"\n",
        "    scale: 3\n",
        "      - \"[::1]:443:8001\"\n",
        "    command: \"divvycloud webserver --reverse-proxy\"\n",
    ] {
        assert!(compose.contains(line), "{line}: {compose}");
    }
    assert!(!compose.contains("mysql") && !root.has("divvycloud/mysql.env") && !root.has(KEPT));
    let env = root.get("divvycloud/prod.env");
    assert!(
        env.contains("\nDIVVY_SECRET_DB_HOST=db.corp.example\n")
            && env.contains("\nDIVVY_DB_PASSWORD=s3cret-of-mysql\n")
    );
    let after = root.picture();
    assert_eq!(root.json(&["install"]).1["outcome"], "unchanged");
    assert!(root.picture() == after);
}

#[test]
fn a_file_that_is_there_is_edited_where_somebody_asks_and_nowhere_else() {
    for (of, eol) in [(Root::ubuntu as fn() -> Root, "\n"), (Root::centos, "\r\n")] {
        let root = bare(of);
        root.put(
            "divvycloud/prod.env",
            "DIVVY_DB_HOST=db\nDIVVY_DB_PASSWORD=own-one\nDIVVY_SECRET_DB_HOST=db\nDIVVY_REDIS_HOST=r\n",
        );
        let own = "# ours\nversion: '2.2'\nx-app: &app\n  image: divvycloud/divvycloud:latest  # pinned soon\n  env_file: prod.env\nservices:\n  interfaceserver:\n    <<: *app\n    command: divvycloud webserver\n    ports: [ \"80:8001\" ] # nginx\n  scheduler:\n    <<: *app\n    command: divvycloud scheduler --db-upgrade\n  worker:\n    <<: *app\n    command: divvycloud worker\n    scale:   6\n".replace('\n', eol);
        root.put(COMPOSE, &own);
        let (code, json) = root.json(&["install"]);
        assert!(code == 4 && ids(&json).contains(&"image-latest"), "{json:#}");
        assert_eq!(root.get(COMPOSE), own);
        root.run(&["install", "--release", "v22.3.9", "--bind", "127.0.0.1"]).ok();
        let wanted = own
            .replace("divvycloud/divvycloud:latest ", "\"public.ecr.aws/divvycloud/divvycloud:v22.3.9\" ")
            .replace("\"80:8001\"", "\"127.0.0.1:80:8001\"");
        assert_eq!(root.get(COMPOSE), wanted);
        // What was edited by hand since then is nobody's to take back.
        let by_hand = wanted.replace("scale:   6", "scale: 2").replace("127.0.0.1:80", "81");
        root.put(COMPOSE, &by_hand);
        let (_, json) = root.json(&["install"]);
        assert_eq!(json["outcome"], "unchanged", "{json:#}");
        // And reconfigure touches it where it is told to.
        root.run(&["reconfigure", "--workers", "4"]).ok();
        assert_eq!(root.get(COMPOSE), by_hand.replace("scale: 2", "scale: 4"));
    }
}

#[test]
fn files_that_compose_reads_in_two_ways_are_named_with_their_line() {
    for (text, at) in [
        ("services:\n  worker:\n    image: a\n    image: b\n", "docker-compose.yml:4"),
        ("services:\n  worker:\n\timage: a\n", "docker-compose.yml:3"),
        ("worker:\n  image: a\n", "docker-compose.yml:1"),
    ] {
        let root = bare(Root::ubuntu);
        root.put(COMPOSE, text);
        let flags = production(&root);
        let ran = run(&root, &flags, &["--workers", "2", "--format", "json"]);
        let json = ran.json();
        assert!(ran.code == 4 && json["error"]["message"].as_str().unwrap().contains(at), "{json:#}");
        assert_eq!(root.get(COMPOSE), text);
    }
}

#[test]
fn the_disk_of_who_builds_an_image_is_not_the_product_s() {
    let root = bare(Root::ubuntu);
    let json = root.run(&with(TEST_DRIVE, &["--dry-run", "--format", "json"])).ok().json();
    let of_disk =
        json["findings"].as_array().unwrap().iter().filter(|one| one["id"].as_str().unwrap().starts_with("disk-"));
    let told: Vec<_> = of_disk.map(|one| (one["id"].as_str().unwrap(), one["status"].as_str().unwrap())).collect();
    assert_eq!(told, [("disk-size", "skip")], "{json:#}");
}

#[test]
fn images_and_releases_are_judged() {
    for (more, code, id) in [
        (&["--image", "divvycloud/divvycloud"][..], 4, "image-latest"),
        (&["--image", "registry.corp.example:5000/ics:v22.3.9"], 0, ""),
        (&["--release", "22.7.1"], 0, "image-inferred"),
        (&["--release", "23.4.11"], 0, "release-not-attested"),
        (&["--release", "18.6"], 3, ""),
        (&["--image", "x y"], 3, ""),
        (&["--bind", "eth0"], 3, ""),
    ] {
        let root = bare(Root::ubuntu);
        let flags = production(&root);
        let ran = run(&root, &flags, &with(more, &["--dry-run", "--format", "json"]));
        let json = ran.json();
        assert_eq!(ran.code, code, "{more:?}: {json:#}");
        let said: Vec<&str> =
            ids(&json).into_iter().filter(|id| id.starts_with("image") || id.starts_with("release")).collect();
        assert!(if id.is_empty() { said.is_empty() } else { said.contains(&id) }, "{more:?}: {said:?}");
    }
    let root = bare(Root::ubuntu);
    let (code, json) = root.json(&with(TEST_DRIVE, &["--image", "divvycloud/divvycloud:latest"]));
    assert!(code == 0 && ids(&json).contains(&"image-latest"), "a Test Drive is told: {json:#}");
}

#[test]
fn passwords_that_are_published_or_nowhere_end_it() {
    let root = bare(Root::ubuntu);
    root.put("pw", "divvy");
    let file = root.at("pw").display().to_string();
    let back_ends = ["--mysql-host", "db", "--redis-host", "r", "--mysql-password-file", &file];
    let (code, json) = root.json(&with(&["install"], &back_ends));
    assert!(code == 4 && ids(&json).contains(&"default-password"), "{json:#}");
    let (code, json) = root.json(&with(TEST_DRIVE, &["--mysql-password-file", &file]));
    assert!(code == 0 && ids(&json).contains(&"default-password"), "{json:#}");

    let root = bare(Root::centos);
    root.put("divvycloud/data/db/ibdata1", "x");
    let before = root.picture();
    let (code, json) = root.json(TEST_DRIVE);
    assert!(code == 4 && json["error"]["message"].as_str().unwrap().contains("/divvycloud/data/db"), "{json:#}");
    assert!(root.picture() == before);
    root.put("pw", "the-old-one");
    let file = root.at("pw").display().to_string();
    root.run(&with(TEST_DRIVE, &["--mysql-password-file", &file])).ok();
    assert_eq!(secret(&root.get("divvycloud/mysql.env"), "MYSQL_PASSWORD"), "the-old-one");
    assert!(!root.has(KEPT), "a password that somebody gave is theirs to keep");
}

#[test]
fn below_a_root_the_vendors_line_of_a_crontab_stays_beside_the_unit() {
    for (of, crontab) in
        [(Root::ubuntu as fn() -> Root, "var/spool/cron/crontabs/root"), (Root::centos, "var/spool/cron/root")]
    {
        let root = bare(of);
        let line = "@reboot docker-compose -f /divvycloud/docker-compose.yml up -d\n";
        root.put(crontab, format!("# mine\n{line}0 3 * * * /usr/local/bin/backup\n"));
        let before = root.get(crontab);
        // Nobody can enable a unit in an image: what starts the product there stays, and that is said.
        let ran = root.run(TEST_DRIVE).ok();
        assert!(root.has(UNIT) && ran.stdout.contains("takes out the line of"), "{}", ran.stdout);
        assert_eq!(root.get(crontab), before);
        // Another init, or a unit of the site's own: nothing of ours.
        let root = bare(of);
        root.put(
            "etc/systemd/system/ics.service",
            "[Service]\nExecStart=/usr/bin/docker-compose -f /divvycloud/docker-compose.yml up -d\n",
        );
        root.run(TEST_DRIVE).ok();
        assert!(!root.has(UNIT));
    }
    let root = bare(Root::centos);
    std::fs::remove_dir_all(root.at("usr/lib")).unwrap();
    root.run(TEST_DRIVE).ok();
    assert!(!root.has("etc/systemd/system/insightcloudsec.service"));
}

/// A file of the vendor's kind that somebody else serves.
const OTHERS: &str = "version: '2.2'\nservices:\n  interfaceserver:\n    image: divvycloud/divvycloud:latest\n    env_file: prod.env\n    ports: ['8001:8001']\n  scheduler:\n    image: divvycloud/divvycloud:latest\n  worker:\n    image: divvycloud/divvycloud:latest\n    scale: 8\n";

/// Its checksum, by sha256sum.
fn sum_of(path: &std::path::Path) -> String {
    let output = std::process::Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn what_mends_a_value_is_a_flag_of_the_run_that_has_not_written_it() {
    let root = bare(Root::ubuntu);
    let proxies = "http_proxy=http://p.corp:3128\nhttps_proxy=http://p.corp:3128\n";
    let back_ends = "DIVVY_DB_HOST=db.corp\nDIVVY_DB_PASSWORD=x\nDIVVY_REDIS_HOST=redis://r.corp\n";
    root.put("divvycloud/prod.env", [back_ends, proxies].concat());
    let said = |words: &[&str]| {
        let (_, json) = root.json(words);
        let of_redis = |own: &&serde_json::Value| own.to_string().contains("--redis-host r.corp");
        let found = json["findings"].as_array().unwrap().iter().find(of_redis).unwrap_or_else(|| panic!("{json:#}"));
        assert_eq!(json["findings"].to_string().contains("ics-setup reconfigure"), words[0] == "check", "{json:#}");
        [found["fix"][0].clone(), found["advice"][0].clone()]
    };
    for words in [&["install", "--dry-run"][..], &["reconfigure", "--redis-port", "6379", "--dry-run"]] {
        assert_eq!(said(words), [serde_json::Value::Null, "the same command with --redis-host r.corp".into()]);
    }
    let image = root.path().display();
    let fix = format!("ics-setup reconfigure --redis-host r.corp --root {image}");
    assert_eq!(said(&["check"]), [fix.into(), serde_json::Value::Null]);
}

#[test]
fn a_bundle_is_taken_with_its_checksums_alone() {
    let root = bare(Root::ubuntu);
    root.put("bundle/docker-compose.yml", OTHERS);
    let folder = root.at("bundle").display().to_string();
    let flags = production(&root);
    let more = ["--bundle", folder.as_str(), "--release", "22.3.9", "--format", "json"];
    let refused = |why: &str| {
        let ran = run(&root, &flags, &more);
        assert!(ran.code == 4 && ran.stdout.contains(why) && !root.has(COMPOSE), "{}", ran.stdout);
    };
    refused("SHA256SUMS");
    root.put("bundle/SHA256SUMS", "");
    refused("has no checksum of");
    root.put("bundle/SHA256SUMS", format!("{}  docker-compose.yml\n", "0".repeat(64)));
    refused("is not what its checksum says");
    root.put("bundle/SHA256SUMS", format!("{}  docker-compose.yml\n", sum_of(&root.at("bundle/docker-compose.yml"))));
    run(&root, &flags, &more).ok();
    let wanted = OTHERS
        .replace("divvycloud/divvycloud:latest", "\"public.ecr.aws/divvycloud/divvycloud:v22.3.9\"")
        .replace("scale: 8", "scale: 2");
    assert_eq!(root.get(COMPOSE), wanted);
}

#[test]
fn a_file_from_a_server_is_taken_with_its_checksum_alone() {
    let root = bare(Root::ubuntu);
    root.put("theirs", OTHERS);
    let (flags, sum) = (production(&root), sum_of(&root.at("theirs")));
    let serve = |head: &'static str, body: &'static str| {
        let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        format!("http://127.0.0.1:{}/docker-compose.yml", crate::fixes::server(b"", answer.leak().as_bytes()))
    };
    for (head, body, sum, code, why) in [
        ("HTTP/1.1 404 Not Found", "<html>gone</html>", sum.as_str(), 4, "the server answers 404"),
        ("HTTP/1.1 200 OK", "<!DOCTYPE html><title>login</title>", &sum, 4, "a page for people"),
        ("HTTP/1.1 200 OK", "services: {}\n", &sum, 4, "is not what was meant"),
        ("HTTP/1.1 200 OK", OTHERS, "", 3, "--from-sha256"),
        ("HTTP/1.1 200 OK", OTHERS, &sum, 0, ""),
    ] {
        let url = serve(head, body);
        let mut more = vec!["--release", "22.3.9", "--format", "json", "--from", &url];
        more.extend(["--from-sha256", sum].into_iter().filter(|_| !sum.is_empty()));
        let ran = run(&root, &flags, &more);
        assert!(ran.code == code && ran.stdout.contains(why), "{why}: {} {}{}", ran.code, ran.stdout, ran.stderr);
        assert_eq!(root.has(COMPOSE), code == 0, "{why}");
    }
    assert!(root.get(COMPOSE).starts_with("version: '2.2'\n"));
}

/// The commands of a section of the README, without what root's shell adds.
fn readme(section: &str) -> Vec<Vec<&'static str>> {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once(&format!("<!-- {section}:")).unwrap();
    let (section, _) = rest.split_once(&format!("<!-- end of {section} -->")).unwrap();
    let blocks = section.split("```\n").skip(1).step_by(2);
    let words = |command: &'static str| {
        command.split_whitespace().take_while(|word| *word != "#").filter(|word| *word != "\\").collect::<Vec<_>>()
    };
    blocks.flat_map(|block| block.split("sudo ics-setup ").skip(1).map(words)).collect()
}

#[test]
fn the_readme_tells_how_to_install_and_how_to_take_it_back() {
    let (bundles, installs): (Vec<_>, Vec<_>) = readme("product").into_iter().partition(|words| words[0] == "bundle");
    // The lab makes one; here there is neither the disk nor Docker.
    let [bundle] = bundles.as_slice() else { panic!("{bundles:?}") };
    let ran = crate::root::run(bundle, &[], "");
    assert!(ran.code == 3 && ran.stderr.contains("there is no folder /mnt/usb "), "{}", ran.stderr);
    let undo = readme("undo");
    let [dry, last, all, purge] = undo.as_slice() else { panic!("{undo:?}") };
    assert!(installs.len() == 3 && installs.iter().all(|words| words[0] == "install"), "{installs:?}");
    for install in installs {
        let root = bare(Root::ubuntu);
        let before = root.picture();
        let words: Vec<String> = install
            .iter()
            .map(|word| match word.strip_prefix("/root/") {
                Some(name) => {
                    root.put(&format!("pw/{name}"), "s3cret-of-somebody\n");
                    root.at(&format!("pw/{name}")).display().to_string()
                }
                None => (*word).to_owned(),
            })
            .collect();
        run(&root, &words, &[]).ok();
        assert!(root.has(COMPOSE) && root.has("divvycloud/prod.env"));
        for (way_back, installed) in [(dry, true), (last, false), (all, false)] {
            root.run(&[&way_back[..], &["--yes"]].concat()).ok();
            let files = [COMPOSE, "divvycloud/prod.env"].map(|file| root.has(file));
            assert_eq!(files, [installed; 2], "{way_back:?}: {:?}", before.keys());
        }
        // No image has containers and volumes; the lab takes them from a host that runs.
        let image = root.run(&[&purge[..], &["--yes"]].concat());
        assert!(image.code == 3 && image.stderr.contains("names an image of a system"), "{}", image.stderr);
    }
}
