//! The order of modules: a module knows those above it in the table of `src/lib.rs`, never those below it.

use std::fs;
use std::path::{Path, PathBuf};

/// Files that only tests are made of.
const FOR_TESTS: [&str; 4] = ["tests.rs", "testing.rs", "peer.rs", "double.rs"];

#[test]
fn a_room_knows_those_above_it_alone() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let lib = fs::read_to_string(source.join("lib.rs")).unwrap();
    let table: Vec<&str> = lib.lines().filter(|line| line.starts_with("//! | [`")).collect();
    let modules: Vec<String> = table
        .iter()
        .flat_map(|line| line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    let mut named = modules.clone();
    named.sort();
    let declared: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(named, declared, "the table of src/lib.rs has every module once");
    let mut back = Vec::new();
    for (place, module) in modules.iter().enumerate() {
        for file in files_of(source, module) {
            let text = fs::read_to_string(&file).unwrap();
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for line in product.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for below in &modules[place + 1..] {
                    if line.split("crate::").skip(1).any(|used| first_word(used) == below) {
                        back.push(format!("{}: {}", file.display(), line.trim()));
                    }
                }
            }
        }
    }
    assert!(back.is_empty(), "ways back:\n{}", back.join("\n"));
}

fn first_word(path: &str) -> &str {
    path.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default()
}

fn files_of(source: &Path, module: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![source.join(format!("{module}.rs")), source.join(module)];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() && !FOR_TESTS.iter().any(|name| path.ends_with(name)) {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "{module} has no file");
    found
}
