//! What a clone promises those who build it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(HERE).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `1.88` and `1.88.0` are equal.
fn numbers(version: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    numbers.resize(3, 0);
    numbers
}

#[test]
fn no_crate_asks_for_a_newer_compiler_than_the_project() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform"]);
    let output = metadata.arg("x86_64-unknown-linux-gnu").current_dir(HERE).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let needed: Vec<&str> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    let floor = numbers(env!("CARGO_PKG_RUST_VERSION"));
    let packages = metadata["packages"].as_array().unwrap();
    let newer: Vec<String> = packages
        .iter()
        .filter(|package| needed.contains(&package["id"].as_str().unwrap()))
        .filter_map(|package| {
            let asked = package["rust_version"].as_str()?;
            (numbers(asked) > floor).then(|| format!("{} {}: {asked}", package["name"], package["version"]))
        })
        .collect();
    assert!(packages.len() > 60 && newer.is_empty(), "{newer:?}");
    for file in ["rust-toolchain", "rust-toolchain.toml"] {
        assert!(!Path::new(HERE).join(file).exists(), "{file} would have a clean clone fetch a compiler");
    }
}

#[test]
fn licences_changelog_and_readme_speak_of_this_version() {
    assert!(read("Cargo.toml").contains("license = \"MIT OR Apache-2.0\""));
    assert!(read("LICENSE-MIT").contains("Permission is hereby granted"));
    assert!(read("LICENSE-APACHE").contains("Version 2.0, January 2004"));
    let changelog = read(".github/CHANGELOG.md");
    let first = changelog.lines().find(|line| line.starts_with("## ")).unwrap();
    assert!(first.starts_with(&format!("## {VERSION} (")), "the changelog begins with {first}");
    let readme = read("README.md");
    let names = ["/ics-setup_", "/ics-setup-", "/v", " ics-setup_", " ics-setup-"];
    let numbered = names.iter().flat_map(|before| readme.split(before).skip(1));
    let versions: Vec<&str> = numbered
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        .map(|rest| rest.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap().trim_end_matches('.'))
        .collect();
    assert!(versions.len() >= 6 && versions.iter().all(|version| *version == VERSION), "README.md names {versions:?}");
}

#[test]
fn no_word_of_what_people_read_stands_twice() {
    // lintian says so of the changelog, late.
    for path in [".github/CHANGELOG.md", "README.md"] {
        let text = read(path);
        let words: Vec<&str> = text.split_whitespace().collect();
        let twice = words.windows(2).filter(|two| two[0] == two[1] && two[0].chars().all(char::is_alphabetic));
        let twice: Vec<_> = twice.map(|two| two[0]).collect();
        assert!(twice.is_empty(), "{path}: {twice:?}");
    }
}

#[test]
fn the_top_level_is_as_it_was_agreed() {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(HERE).output();
    let Ok(output) = output.map(|output| String::from_utf8(output.stdout).unwrap()) else { return };
    let mut top: Vec<&str> = output.split('\0').filter_map(|path| path.split('/').next()).collect();
    top.retain(|name| !name.is_empty() && !name.starts_with('.'));
    top.dedup();
    // From a copy without git there is nothing to be judged.
    if !top.is_empty() {
        top.sort_unstable();
        top.dedup();
        let agreed = [
            "Cargo.lock",
            "Cargo.toml",
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "assets",
            "scripts",
            "src",
            "tests",
        ];
        assert_eq!(top, agreed);
    }
}
