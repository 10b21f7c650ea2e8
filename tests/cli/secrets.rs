//! A secret never leaves: planted wherever it can come from, looked for in every output, raw, percent-encoded and base64.

use crate::root::{Ran, Root};

/// Base64 as coreutils writes it, so that the test does not share the product's code.
pub fn base64(text: &str) -> String {
    use std::io::Write;
    let mut child = std::process::Command::new("base64")
        .arg("-w0")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim_end_matches('=').to_owned()
}

pub fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn assert_clean(ran: &Ran, secrets: &[&str], what: &str) {
    let output = format!("{}{}", ran.stdout, ran.stderr);
    for secret in secrets {
        for form in [(*secret).to_owned(), percent(secret), percent(secret).replace('%', "%%"), base64(secret)] {
            assert!(!output.contains(&form), "{what} shows {form}:\n{output}");
        }
    }
}

#[test]
fn no_output_of_any_verb_holds_a_secret() {
    const OLD: &str = "0ld-Sécret@1";
    const NEW: &str = "n3w:S3cret/2";
    const DB: &str = "dbS3cret+3";
    const TYPED: &str = "typ3dS3cret4";
    let secrets = [OLD, NEW, DB, TYPED];
    for family in [Root::ubuntu, Root::centos] {
        let root = family();
        root.put("etc/environment", format!("http_proxy=\"http://svc:{}@old:1\"\n", percent(OLD)));
        root.put("etc/profile.d/proxy.sh", format!("export http_proxy='http://svc:{}@old:1'\n", percent(OLD)));
        root.put(
            "etc/docker/daemon.json",
            format!("{{\"proxies\": {{\"http-proxy\": \"http://svc:{}@old:1\"}}}}\n", percent(OLD)),
        );
        root.put(
            "divvycloud/prod.env",
            format!("{}OTHER_TOKEN={TYPED}\nhttp_proxy=http://svc:{}@old:1\n", crate::root::PROD_ENV, percent(OLD)),
        );
        root.put("new", NEW);
        root.put("db", DB);
        let (new, db) = (root.at("new").display().to_string(), root.at("db").display().to_string());
        let typed = format!("http://svc:{TYPED}@h:1");
        let commands: Vec<Vec<&str>> = vec![
            vec!["settings", "show"],
            vec!["prepare", "--proxy", "http://h:1", "--proxy-user", "svc", "--proxy-password-file", &new, "--dry-run"],
            vec![
                "prepare",
                "--proxy",
                "http://h:1",
                "--proxy-user",
                "svc",
                "--proxy-password-file",
                &new,
                "--target",
                "system-proxy,docker-daemon,package-manager,prod-env",
            ],
            vec!["reconfigure", "--mysql-password-file", &db, "--redis-password-file", &db, "-v"],
            vec!["status"],
            vec!["prepare", "--proxy", &typed, "-v"],
            vec!["prepare", "--proxy", "http://svc:typ3dS3cret4@h:notaport"],
            vec!["prepare", "--proxy", "http://svc:typ3dS3cret4"],
            vec!["prepare", "--proxy", "socks5://svc:typ3dS3cret4@h:1"],
            vec!["prepare", "--remove-proxy"],
            vec!["revert"],
            vec!["revert"],
            vec!["revert"],
        ];
        for command in commands {
            for format in ["human", "json"] {
                let dry: &[&str] = if format == "human" && command[0] != "settings" && command[0] != "status" {
                    &["--dry-run"]
                } else {
                    &[]
                };
                let dry = if command.contains(&"--dry-run") { &[][..] } else { dry };
                let all = [&command[..], dry, &["--format", format, "--color", "always"]].concat();
                let ran = root.run_with(&all, &[("ICS_SETUP_MYSQL_PASSWORD", DB)], "");
                assert_clean(&ran, &secrets, &format!("{all:?}"));
                assert!(ran.code <= 10, "{all:?} ended with {}: {}", ran.code, ran.stderr);
            }
        }
        // The state folder: backups hold what the files held, journals and what is remembered nothing.
        for entry in walk(&root.at("var/lib/ics-setup")).into_iter().filter(|path| path.is_file()) {
            if entry.parent().is_some_and(|parent| parent.ends_with("backup")) {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", entry.display());
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&entry).unwrap()).into_owned();
            assert_clean(&Ran { code: 0, stdout: text, stderr: String::new() }, &secrets, &entry.display().to_string());
        }
    }
}

pub fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { all.extend(walk(&path)) } else { all.push(path) }
    }
    all
}
