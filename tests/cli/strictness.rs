//! One strictness for flags, variables, files and prompts: what means nothing, what is empty, what nobody says, what nobody
//! reads. Who may write a settings file, and who may read a secret: `rights`; flags that a verb does not use: `unused`.

use ics_setup::settings::{Shape, TABLE};

use crate::root::{Ran, Root, run};
use crate::terminal::with_variables;

const P: &str = "http://proxy.corp.example:3128";

/// A host that has neither proxy nor product.
fn bare() -> Root {
    let root = Root::ubuntu();
    std::fs::remove_dir_all(root.at("divvycloud")).unwrap();
    root
}

/// Refused for its settings, with nothing done, not even in the state folder.
#[track_caller]
fn refused(root: &Root, arguments: &[&str], variables: &[(&str, &str)], words: &[&str]) {
    let (before, state) = (root.picture(), root.has("var"));
    let ran = root.run_with(arguments, variables, "");
    assert_eq!(ran.code, 3, "{arguments:?} {variables:?}: {}{}", ran.stdout, ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    assert!(root.picture() == before && root.has("var") == state, "{arguments:?}");
}

#[test]
fn a_variable_that_means_nothing_ends_what_nobody_watches_and_is_remarked_at_a_terminal() {
    let root = Root::ubuntu();
    root.put("etc/environment", format!("http_proxy={P}\n"));
    let slips = [("ICS_SETUP_PROXXY", "http://h:1"), ("ICS_SETUP_MYSQL_HOSTS", "db")];
    for verb in [
        &["prepare", "--proxy", P][..],
        &["prepare", "--proxy", P, "--dry-run"],
        &["install", "--deployment", "test-drive"],
        &["reconfigure", "--proxy", P],
        &["check", "host"],
        &["prove"],
        &["settings", "show"],
        &["settings", "export"],
        &["network", "list"],
        &["wizard"],
    ] {
        refused(
            &root,
            verb,
            &slips,
            &["ICS_SETUP_PROXXY", "ICS_SETUP_MYSQL_HOSTS", "did you mean ICS_SETUP_MYSQL_HOST?"],
        );
    }
    let json = root.run_with(&["prepare", "--proxy", P, "--format", "json"], &slips[..1], "").json();
    assert_eq!(
        (&json["error"]["id"], &json["error"]["kind"]),
        (&"variable-unknown".into(), &"settings".into()),
        "{json:#}"
    );
    // The place of a password may have any name.
    let place = ("ICS_SETUP_SITE_PASSWORD", "s3cret");
    let login = ["prepare", "--proxy", P, "--proxy-user", "u"];
    root.run_with(&[&login[..], &["--proxy-password-env", place.0]].concat(), &[place], "").ok();
    root.run_with(&login, &[place, ("ICS_SETUP_PROXY_PASSWORD_ENV", place.0)], "").ok();
    root.put("s.toml", format!("[proxy]\npassword_env = \"{}\"\n", place.0));
    let file = root.at("s.toml").display().to_string();
    root.run_with(&[&login[..], &["--settings", &file]].concat(), &[place], "").ok();
    refused(&root, &login, &[place], &[place.0]);
    root.put("etc/ics-setup/settings.toml", format!("[proxy]\npassword_env = \"{}\"\n", place.0));
    root.run_with(&login, &[place], "").ok();
    let mut slips_too = slips.to_vec();
    slips_too.push(place);
    let ran = root.run_with(&login, &slips_too, "");
    assert!(ran.code == 3 && !ran.stderr.contains(place.0), "{}", ran.stderr);

    let root = Root::ubuntu();
    let path = root.path().to_str().unwrap();
    let words = ["prepare", "--root", path, "--proxy", P, "--yes"];
    let (code, screen) = with_variables(&slips[..1], &words, &[]);
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("ICS_SETUP_PROXXY means nothing") && screen.contains("ICS_SETUP_PROXY?"), "{screen}");
    assert!(root.get("etc/environment").contains(P));
    // Somebody who is at a terminal and will not be asked is nobody there.
    let (code, screen) = with_variables(&slips[..1], &[&words[..], &["--non-interactive"]].concat(), &[]);
    assert!(code == 3 && screen.contains("means nothing"), "{screen}");
}

#[test]
fn a_key_that_means_nothing_is_an_error_at_a_terminal_too() {
    let root = Root::ubuntu();
    root.put("s.toml", "[proxy]\nurll = \"http://h:1\"\n");
    let file = root.at("s.toml").display().to_string();
    for verb in ["prepare", "install", "reconfigure"] {
        refused(&root, &[verb, "--settings", &file], &[], &["unknown key proxy.urll"]);
    }
    let path = root.path().to_str().unwrap();
    let (code, screen) = with_variables(&[], &["prepare", "--root", path, "--settings", &file], &[]);
    assert!(code == 3 && screen.contains("unknown key proxy.urll"), "{screen}");
}

#[test]
fn nothing_typed_for_a_value_is_an_error_and_nothing_in_a_variable_or_a_file_is_nothing_said() {
    let root = Root::ubuntu();
    for spec in TABLE {
        let Some(flag) = spec.flag else { continue };
        let glued = format!("--{flag}=");
        refused(&root, &["reconfigure", &glued], &[], &[&format!("--{flag} is given without a value")]);
        if spec.shape != Shape::Switch {
            let apart = format!("--{flag}");
            for nothing in ["", " "] {
                refused(
                    &root,
                    &["reconfigure", &apart, nothing],
                    &[],
                    &[&format!("--{flag} is given without a value")],
                );
            }
        }
    }
    refused(
        &root,
        &["prepare", "--proxy", P, "--no-proxy", "a.example", "--no-proxy", ""],
        &[],
        &["--no-proxy is given"],
    );
    refused(&root, &["prepare", "--proxy", ""], &[], &["--remove-proxy", "--direct"]);

    let all: Vec<(&str, &str)> = TABLE.iter().map(|spec| (spec.variable, "")).collect();
    let shown = |variables: &[(&str, &str)], more: &[&str]| {
        let words = [&["settings", "show", "--format", "json"], more].concat();
        root.run_with(&words, variables, "").ok().json()
    };
    root.put("s.toml", "release = \"\"\n[proxy]\nurl = \"\"\nno_proxy = \"\"\n[mysql]\nhost = \"\"\n");
    let file = root.at("s.toml").display().to_string();
    let nothing = shown(&[], &[]);
    assert_eq!(shown(&all, &[]), nothing);
    assert_eq!(shown(&[], &["--settings", &file]), nothing);
}

#[test]
fn silence_is_no_consent() {
    let root = bare();
    root.put("s.toml", "#[proxy]\n");
    let file = root.at("s.toml").display().to_string();
    let said = ["--proxy", "ICS_SETUP_PROXY", "proxy.url", "--remove-proxy", "--direct"];
    for verb in ["prepare", "reconfigure"] {
        for more in [
            &[][..],
            &["--yes"],
            &["--dry-run"],
            &["--non-interactive"],
            &["--settings", &file],
            // How, and for whom, is not what.
            &["--deployment", "production", "--os", "ubuntu", "--home", "/divvycloud"],
            &["--restart"],
            &["--target", if verb == "prepare" { "docker-daemon" } else { "prod-env" }],
            &["--clouds", "aws", "--release", "22.3.9", "--agent-region", "us", "--collector", "10.1.1.1"],
        ] {
            let words = [&[verb], more].concat();
            refused(&root, &words, &[("ICS_SETUP_PROXY", "")], &said);
        }
    }
    refused(&root, &["reconfigure"], &[], &["--mysql-host", "--redis-host"]);
    refused(&root, &["wizard", "--non-interactive"], &[], &["--proxy"]);
    let (code, json) = root.json(&["prepare"]);
    assert_eq!(
        (code, &json["outcome"], &json["error"]["id"]),
        (3, &"failed".into(), &"settings-missing".into()),
        "{json:#}"
    );
    // Somebody at a terminal sees that there is nothing to do.
    let path = root.path().to_str().unwrap();
    let (code, screen) = with_variables(&[], &["prepare", "--root", path], &[]);
    assert!(code == 0 && screen.contains("no proxy was asked for"), "{screen}");
    // An installation goes out directly, in its first line.
    let ran = root.run(&["install", "--deployment", "test-drive"]).ok();
    let first = ran.stderr.lines().next().unwrap_or_default();
    assert!(first.contains("requests go directly, since no proxy was said and none was found"), "{}", ran.stderr);
}

#[test]
fn each_of_these_says_what_to_do() {
    let done = |root: &Root, words: &[&str], variables: &[(&str, &str)]| root.run_with(words, variables, "").ok();
    for verb in ["prepare", "reconfigure"] {
        let host = |file: &str, line: String| {
            let root = bare();
            if verb == "reconfigure" {
                root.put("divvycloud/prod.env", "A=1\n");
            }
            if !file.is_empty() {
                root.put(file, line);
            }
            root
        };
        let nothing = || host("", String::new());
        done(&nothing(), &[verb, "--proxy", P], &[]);
        done(&nothing(), &[verb], &[("ICS_SETUP_PROXY", P)]);
        done(&nothing(), &[verb, "--remove-proxy"], &[]);
        done(&nothing(), &[verb, "--direct"], &[]);
        done(&nothing(), &[verb], &[("ICS_SETUP_DIRECT", "true")]);
        done(&host("etc/ics-setup/settings.toml", format!("[proxy]\nurl = \"{P}\"\n")), &[verb], &[]);
        done(&host("etc/environment", format!("https_proxy={P}\n")), &[verb], &[]);
        done(&host("divvycloud/prod.env", format!("https_proxy={P}\n")), &[verb], &[]);
        done(&host("divvycloud/prod.env", "DIVVY_DB_HOST=mysql\n".to_owned()), &[verb], &[]);
        done(&host("divvycloud/prod.env", "DIVVY_REDIS_HOST=redis\n".to_owned()), &[verb], &[]);
        // An earlier run.
        let root = nothing();
        done(&root, &[verb, "--proxy", P], &[]);
        done(&root, &[verb], &[]);
    }
}

#[test]
fn what_contradicts_itself_is_refused_wherever_it_stands() {
    let root = bare();
    root.put("etc/environment", "http_proxy=http://old.example:1\n");
    root.put("etc/ics-setup/settings.toml", "[proxy]\nremove = true\nurl = \"http://a.example:1\"\n");
    refused(&root, &["prepare"], &[], &["contradict each other"]);
    assert!(root.get("etc/environment").contains("old.example"));
    root.put("etc/ics-setup/settings.toml", "");
    let both = [("ICS_SETUP_REMOVE_PROXY", "true"), ("ICS_SETUP_PROXY", "http://a.example:1")];
    refused(&root, &["prepare"], &both, &["contradict each other"]);
}

#[test]
fn a_line_that_cannot_be_told_is_no_proxy_that_was_found() {
    let root = bare();
    root.put("etc/profile.d/x.sh", "eval \"$(pyenv init -)\"\n");
    refused(&root, &["prepare"], &[], &["nothing says what this prepare is to do"]);
}

#[test]
fn a_site_without_a_proxy_is_said_once() {
    let root = bare();
    for words in [&["prepare", "--direct"][..], &["prepare"], &["prepare", "--direct"]] {
        let (code, json) = root.json(words);
        assert_eq!(
            (code, &json["outcome"], &json["findings"]),
            (0, &"unchanged".into(), &serde_json::json!([])),
            "{json:#}"
        );
    }
    assert!(root.get(crate::root::STATE_FILE).contains("\"proxy.direct\": \"true\""));
    refused(&root, &["prepare", "--direct", "--proxy", P], &[], &["--proxy and --direct contradict each other"]);
    // Whoever names a proxy later has one.
    root.run(&["prepare", "--proxy", P]).ok();
    assert!(root.get("etc/environment").contains(P));
    assert!(!root.get(crate::root::STATE_FILE).contains("direct"));
    refused(&root, &["prepare", "--direct"], &[], &["etc/environment names one", "--remove-proxy"]);
    root.run(&["prepare", "--direct", "--remove-proxy"]).ok();
    assert!(!root.get("etc/environment").contains("proxy"));
    // What an earlier run was told does not stand against a proxy that somebody has set since.
    root.put("etc/environment", format!("http_proxy={P}\nhttps_proxy={P}\n"));
    let (_, json) = root.json(&["check", "proxy"]);
    let login = json["findings"].as_array().unwrap().iter().find(|own| own["id"] == "proxy-login").unwrap();
    assert!(login["expected"].as_str().unwrap().contains(P), "{login:#}");
    root.run(&["prepare"]).ok();
    // The stronger place counts.
    let root = bare();
    root.put("s.toml", format!("[proxy]\nurl = \"{P}\"\n"));
    let file = root.at("s.toml").display().to_string();
    let (_, json) = root.json(&["prepare", "--settings", &file, "--direct"]);
    assert_eq!(json["outcome"], "unchanged", "{json:#}");
    root.run_with(&["prepare", "--proxy", P], &[("ICS_SETUP_DIRECT", "true")], "").ok();
    assert!(root.get("etc/environment").contains(P));
}

#[test]
fn short_help_has_the_flags_of_the_verb_and_long_help_all() {
    let help = |words: &[&str]| -> Ran { run(words, &[], "").ok() };
    for (verb, own, others) in [
        ("prepare", &["--proxy ", "--no-probe", "--direct"][..], &["--mysql-host", "--agent-region", "--root"][..]),
        ("reconfigure", &["--proxy ", "--mysql-host", "--healthy-within"], &["--docker-repo", "--bundle", "--dry-run"]),
        ("install", &["--bundle", "--mysql-host", "--release"], &["--agent-region", "--ignore-check"]),
        ("check", &["--fail-on", "--proxy "], &["--root", "--format"]),
        ("revert", &["--force"], &["--root", "--yes"]),
    ] {
        let (short, long) = (help(&[verb, "-h"]).stdout, help(&[verb, "--help"]).stdout);
        for flag in own.iter().chain(others) {
            assert!(long.contains(flag), "{verb} --help: {flag}");
            assert_eq!(short.contains(&format!("  {flag}")), own.contains(flag), "{verb} -h: {flag}\n{short}");
        }
        assert!(short.trim_end().ends_with("All flags: --help"), "{short}");
    }
    assert!(help(&["-h"]).stdout.contains("--root"));
    // Wherever it stands.
    let (short, long) = (help(&["prepare", "-h"]).stdout, help(&["prepare", "--help"]).stdout);
    for words in [
        &["-q", "prepare", "-h"][..],
        &["--root", "/x", "prepare", "-h"],
        &["prepare", "-qh"],
        &["prepare", "--proxy", P, "-vh", "--help"],
    ] {
        assert_eq!(help(words).stdout, short, "{words:?}");
    }
    for words in [&["help", "prepare"][..], &["-q", "prepare", "--help", "-h"], &["prepare", "--no-proxy=-h", "--help"]]
    {
        assert_eq!(help(words).stdout, long, "{words:?}");
    }
    assert_eq!(help(&["-qh"]).stdout, help(&["--help"]).stdout);
    assert_eq!(run(&["network", "list", "-h"], &[], "").ok().stdout.matches("All flags: --help").count(), 1);
}
