//! Finding ids are a contract with scripts: each id that the source uses is listed, and each that is listed is used.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ics_setup::finding::catalogue;

#[test]
fn the_list_of_finding_ids_is_what_the_source_uses() {
    let ids: Vec<&str> = catalogue().iter().map(|known| known.id).collect();
    let mut used = BTreeSet::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut |text| {
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
        for id in &ids {
            if product.contains(&format!("\"{id}\"")) {
                used.insert(*id);
            }
        }
        for part in product.split("Finding::new(").skip(1) {
            if let Some(literal) = part.trim_start().strip_prefix('"') {
                let id = literal.split('"').next().unwrap_or_default();
                assert!(ids.contains(&id), "{id} is used and not listed");
            }
        }
    });
    let unused: Vec<&&str> = ids.iter().filter(|id| !used.contains(**id)).collect();
    assert!(unused.is_empty(), "listed and not used: {unused:?}");
}

/// Every source file but tests.
fn sources(folder: &Path, look: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, look);
        } else if !path.ends_with("tests.rs") {
            look(&fs::read_to_string(&path).unwrap());
        }
    }
}
