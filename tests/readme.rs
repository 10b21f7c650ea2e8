//! The README tells the truth: its settings table is the code's.

use ics_setup::settings::TABLE;

#[test]
fn the_settings_table_of_the_readme_is_the_tables_own() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme
        .split_once("| --- | --- | --- |\n| `--deployment")
        .unwrap_or_else(|| panic!("no settings table; it is:\n{}", rows()));
    let (table, _) = rest.split_once("<!-- end of settings table -->").unwrap();
    assert!(format!("| `--deployment{table}") == rows(), "the settings table of README.md is to be:\n{}", rows());
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
