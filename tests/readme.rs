//! The README tells the truth: its settings table is the code's, which `UPDATE_README=1 cargo test --test readme` writes, and it
//! names every format.

use std::fs;
use std::path::Path;

use ics_setup::report::check::Format;
use ics_setup::settings::TABLE;

const HEAD: &str = "| flag | key | what |\n| --- | --- | --- |\n";
const END: &str = "<!-- end of settings table -->";

#[test]
fn the_settings_table_of_the_readme_is_the_tables_own() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(HEAD).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let rows = rows();
    if table != rows {
        assert!(std::env::var_os("UPDATE_README").is_some(), "the settings table of README.md is to be:\n{rows}");
        fs::write(path, format!("{before}{HEAD}{rows}{END}{after}")).unwrap();
    }
}

#[test]
fn every_format_of_check_is_named() {
    let readme = include_str!("../README.md");
    for format in Format::ALL.map(Format::as_str) {
        assert!(readme.contains(&format!("`{format}`")), "README.md does not name check --format {format}");
    }
}

fn rows() -> String {
    let mut rows = String::new();
    for spec in TABLE {
        let face = spec.flag.map_or_else(|| format!("(`{}`)", spec.variable), |flag| format!("`--{flag}`"));
        let default = spec
            .default
            .filter(|default| *default != "false")
            .map_or(String::new(), |default| format!(" [default: {default}]"));
        rows.push_str(&format!("| {face} | `{}` | {}{default} |\n", spec.key, spec.help));
    }
    rows
}
