//! The README tells the truth: its tables of settings and of touched files are the code's, which
//! `UPDATE_README=1 cargo test --test readme` writes, and it names every format.

use std::fs;
use std::path::Path;

use ics_setup::TOUCHED;
use ics_setup::report::check::Format;
use ics_setup::settings::TABLE;

const HEAD: &str = "| flag | key | what |\n| --- | --- | --- |\n";
const END: &str = "<!-- end of settings table -->";

/// One test, since both write the file.
#[test]
fn tables_of_the_readme_are_the_codes_own() {
    same(HEAD, END, &rows());
    let row = |touched: &ics_setup::Touched| format!("| {} | {} | {} |\n", touched.shown, touched.by, touched.what);
    same("| file | by | what |\n| --- | --- | --- |\n", "\n", &TOUCHED.iter().map(row).collect::<String>());
}

/// Is this the text between a head and the next line that begins with `end`?
fn same(head: &str, end: &str, rows: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(head).unwrap();
    let (table, after) = rest.split_once(&format!("\n{end}")).unwrap();
    if format!("{table}\n") != rows {
        assert!(std::env::var_os("UPDATE_README").is_some(), "this table of README.md is to be:\n{rows}");
        fs::write(path, format!("{before}{head}{rows}{end}{after}")).unwrap();
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
