//! Every face of the settings, and where each value came from.

use crate::root::{Root, run};

fn shown(root: &Root, arguments: &[&str], variables: &[(&str, &str)], key: &str) -> (String, String) {
    let all = [&["settings", "show", "--format", "json"], arguments].concat();
    let json = root.run_with(&all, variables, "").ok().json();
    let row = json["settings"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone();
    (row["value"].as_str().unwrap_or("-").to_owned(), row["origin"].as_str().unwrap().to_owned())
}

#[test]
fn flag_beats_variable_beats_file_beats_host_beats_default() {
    let root = Root::ubuntu();
    root.put("etc/environment", "A=1\nhttp_proxy=\"http://found:1\"\n");
    let at = |arguments: &[&str], variables: &[(&str, &str)]| shown(&root, arguments, variables, "proxy.http");
    let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(at(&[], &[]), pair("http://found:1", "found in /etc/environment:2"));
    root.put("my.toml", "\n[proxy]\nhttp = \"http://file:1\"\n");
    let file = root.at("my.toml").display().to_string();
    assert_eq!(at(&["--settings", &file], &[]), pair("http://file:1", &format!("{file}:3")));
    let variable = [("ICS_SETUP_HTTP_PROXY", "http://variable:1")];
    assert_eq!(at(&["--settings", &file], &variable), pair("http://variable:1", "ICS_SETUP_HTTP_PROXY"));
    assert_eq!(
        at(&["--settings", &file, "--http-proxy", "http://flag:1"], &variable),
        pair("http://flag:1", "--http-proxy")
    );
    assert_eq!(
        at(&["--proxy", "http://both:1"], &variable),
        pair("http://both:1", "--proxy"),
        "a flag for both beats a variable for one"
    );
    assert_eq!(
        at(&[], &[("ICS_SETUP_HTTP_PROXY", "")]),
        pair("http://found:1", "found in /etc/environment:2"),
        "empty means unset"
    );
    assert_eq!(
        shown(&root, &["--http-proxy", "http://flag:1"], &[], "proxy.https"),
        pair("http://flag:1", "--http-proxy")
    );
    assert_eq!(shown(&root, &[], &[], "deployment"), pair("production", "default"));
}

#[test]
fn a_settings_file_may_come_from_standard_input() {
    let root = Root::ubuntu();
    root.run_with(&["prepare", "--settings", "-"], &[], "[proxy]\nurl = \"http://piped:1\"\n").ok();
    assert!(root.get("etc/environment").contains("http_proxy=\"http://piped:1\""));
}

#[test]
fn an_unknown_key_shows_the_line_and_the_right_key() {
    let root = Root::ubuntu();
    let ran = root.run_with(&["prepare", "--settings", "-"], &[], "[proxy]\nhtttp = \"http://u:s3cret@h:1\"\n");
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("<stdin>:2: unknown key proxy.htttp") && ran.stderr.contains("did you mean proxy.http?"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("2 | htttp = \"http://u:***@h:1\"") && !ran.stderr.contains("s3cret"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_example_and_the_schema_name_every_setting() {
    let example = run(&["settings", "example"], &[], "").ok().stdout;
    let schema = run(&["settings", "schema"], &[], "").ok().json();
    let root = Root::ubuntu();
    root.put("example.toml", &example);
    let file = root.at("example.toml").display().to_string();
    root.run(&["prepare", "--settings", &file, "--dry-run"]).ok();
    for (key, kind) in [("deployment", "enum"), ("home", "type")] {
        assert!(schema["properties"][key].get(kind).is_some(), "{key}");
    }
    assert_eq!(schema["properties"]["proxy"]["properties"]["password"]["writeOnly"], true);
    assert_eq!(schema["properties"]["mysql"]["properties"]["port"]["maximum"], 65535);
    assert!(example.contains("ICS_SETUP_BOTH_CASES") && example.contains("--both-cases"));
}

#[test]
fn passwords_come_from_files_variables_and_the_host_and_are_always_raw() {
    for (password, encoded) in [
        ("p%40ss", "p%2540ss"),
        ("a b:c@d/e#f?g$h%", "a%20b%3Ac%40d%2Fe%23f%3Fg%24h%25"),
        ("\"'\\é ü", "%22%27%5C%C3%A9%20%C3%BC"),
    ] {
        let root = Root::ubuntu();
        root.put("pw", format!("{password}\r\n"));
        let file = root.at("pw").display().to_string();
        let base = ["prepare", "--proxy", "http://h:1", "--proxy-user", "d\\u"];
        let line = format!("http_proxy=\"http://d%5Cu:{encoded}@h:1\"\n");
        root.run(&[&base[..], &["--proxy-password-file", &file]].concat()).ok();
        assert!(root.get("etc/environment").contains(&line), "{}", root.get("etc/environment"));

        let root = Root::ubuntu();
        root.run_with(&[&base[..], &["--proxy-password-env", "SOME_NAME"]].concat(), &[("SOME_NAME", password)], "")
            .ok();
        assert!(root.get("etc/environment").contains(&line));
        root.run_with(&base, &[("ICS_SETUP_PROXY_PASSWORD", password)], "").ok();
        assert!(root.get("etc/environment").contains(&line));
        // Found again on the host.
        root.run(&["prepare", "--proxy", "http://moved:1"]).ok();
        assert!(root.get("etc/environment").contains(&line.replace("@h:1", "@moved:1")));
    }
}

#[test]
fn what_only_a_shell_can_tell_is_not_shown_as_absent() {
    let root = Root::centos();
    root.put("etc/profile.d/proxy.sh", "export http_proxy=$(cat /etc/proxy-of-site)\n");
    let row = shown(&root, &[], &[], "proxy.http");
    assert!(row.1.starts_with("cannot be told from") && row.1.ends_with("etc/profile.d/proxy.sh:1"), "{row:?}");
    let text = root.run(&["settings", "show"]).ok().stdout;
    assert!(
        text.lines().any(|line| line.starts_with("proxy.http ") && line.contains("?  (cannot be told from")),
        "{text}"
    );
    let text = root.run(&["settings", "export"]).ok().stdout;
    assert!(text.contains("# Not exported: proxy.http cannot be told from"), "{text}");
    let row = shown(&root, &["--proxy", "http://h:1"], &[], "proxy.http");
    assert_eq!(row, ("http://h:1".to_owned(), "--proxy".to_owned()));
}

#[test]
fn the_effective_proxy_is_one_for_settings_show_and_for_check() {
    let (system, product) = ("http://system.corp.example:1", "http://product.corp.example:2");
    for (has_system, has_product) in [(true, true), (true, false), (false, true)] {
        let root = Root::ubuntu();
        if has_system {
            root.put("etc/environment", format!("http_proxy={system}\nhttps_proxy={system}\n"));
        }
        if has_product {
            root.put("divvycloud/prod.env", format!("http_proxy={product}\nhttps_proxy={product}\nno_proxy=mysql\n"));
        }
        let (value, _) = shown(&root, &[], &[], "proxy.https");
        let (_, json) = root.json(&["check", "proxy"]);
        let dialled = json["findings"].as_array().unwrap().iter().find(|own| own["id"] == "proxy-login").unwrap();
        assert!(dialled["expected"].as_str().unwrap().contains(&value), "{value}: {dialled:#}");
    }
}
