//! Finding ids are a contract with scripts: each id that `assets/checks` lists is used by its constant.

use std::fs;
use std::path::Path;

use ics_setup::finding::catalogue;

#[test]
fn every_listed_id_is_reported_somewhere() {
    let mut text = String::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut |path| {
        let source = fs::read_to_string(path).unwrap();
        text.push_str(source.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&source));
    });
    let words: Vec<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let constant = |id: &str| id.replace('-', "_").to_uppercase();
    let unused: Vec<&str> = catalogue()
        .iter()
        .map(|known| known.id.as_str())
        .filter(|id| !words.windows(3).any(|words| words[0] == "ids" && words[2] == constant(id)))
        .collect();
    assert!(unused.is_empty(), "listed and not used: {unused:?}");
}

/// Every source file but tests.
fn sources(folder: &Path, look: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, look);
        } else if !path.ends_with("tests.rs") {
            look(&path);
        }
    }
}
