//! The ways that a plan foretells are those that this root's own logins, sudo, cron and curl take over the planned files, and
//! after the run.

use serde_json::Value;

use crate::common::{Family, Guest};

const PROXY: &str = "http://proxy.corp.example:3128";

/// The way that a plan foretells; `None`: it names none that changes.
fn foretold<'p>(plan: &'p Value, (consumer, door): (&str, &str), client: &str, url: &str) -> Option<&'p str> {
    let is_at = |row: &&Value| {
        let doors = row["doors"].as_array().unwrap();
        doors.is_empty() || doors.iter().any(|own| own == door)
    };
    let rows = plan["routes"].as_array().unwrap().iter().filter(is_at);
    let mut own = rows.filter(|row| row["consumer"] == consumer && row["client"] == client && row["url"] == url);
    own.next().map(|row| row["after"].as_str().unwrap())
}

fn json(guest: &Guest, words: &[&str]) -> Value {
    guest.run(&[&["ics-setup"], words, &["--format", "json"]].concat()).expect(0).json()
}

#[test]
fn what_is_foretold_is_what_real_programs_do() {
    for (family, odd) in [
        (Family::Ubuntu, None),
        // Whoever takes a variable away after our file decides, and no model has to be believed.
        (Family::Ubuntu, Some(("/etc/profile.d/zz-site.sh", "export no_proxy=\"$no_proxy,divvycloud.com\"\n"))),
        (Family::CentOs, None),
    ] {
        let guest = Guest::new(family);
        if let Some((path, text)) = odd {
            guest.write(path, text);
        }
        let plan =
            json(&guest, &["prepare", "--proxy", PROXY, "--target", "system-proxy,package-manager", "--dry-run"]);
        let changes = plan["routes"].as_array().unwrap().len();
        assert!(changes > 20 && plan["ways"].as_u64().unwrap() > changes as u64, "{plan:#}");
        let ran = guest.run(&["ics-setup", "prove", "--client", "curl", "--proxy", PROXY, "--format", "json"]);
        let proven = ran.json();
        let url = proven["programs"][0]["asks"][0]["url"].as_str().unwrap();
        let mut compared = 0;
        for program in proven["programs"].as_array().unwrap().iter().filter(|own| own["client"] != "apt-2.6") {
            let (consumer, client) = (program["consumer"].as_str().unwrap(), program["client"].as_str().unwrap());
            let Some(real) = program["asks"][0]["route"].as_str() else { continue };
            let then = foretold(&plan, (consumer, program["door"].as_str().unwrap()), client, url);
            // Before the run nobody asked a proxy.
            assert_eq!(then.unwrap_or("direct"), real, "{family:?} {odd:?} {consumer}: {program:#}");
            compared += 1;
        }
        assert!(compared >= 3, "{proven:#}");
        guest
            .run(&["ics-setup", "prepare", "--proxy", PROXY, "--target", "system-proxy,package-manager", "--yes"])
            .expect(0);
        for (consumer, door) in [("login", "su-"), ("login", "su"), ("cron", "cron"), ("sudo", "sudo")] {
            let whom = format!("{consumer}:{door}");
            let whom = if consumer == "cron" { consumer } else { &whom };
            let now = json(&guest, &["network", "explain", url, "--as", whom]);
            let first = &now["clients"][0];
            let (client, route) = (first["client"].as_str().unwrap(), first["route"].as_str().unwrap());
            assert_eq!(now["as"]["known"], "asked", "{family:?} {consumer}: {now:#}");
            assert_eq!(
                foretold(&plan, (consumer, door), client, url).unwrap_or("direct"),
                route,
                "{family:?} {consumer}: {now:#}"
            );
        }
        let back = json(&guest, &["revert", "--yes"]);
        assert_eq!(back["routes"].as_array().unwrap().len(), changes, "{back:#}");
    }
}
