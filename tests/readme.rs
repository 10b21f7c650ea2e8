//! README and reference tell the truth: their tables of settings and of touched files are the code's, which
//! `UPDATE_README=1 cargo test --test readme` writes; formats are named, and links lead somewhere.

use std::fs;
use std::path::Path;

use ics_setup::TOUCHED;
use ics_setup::report::check::Format;
use ics_setup::settings::TABLE;

const README: &str = "README.md";
const REFERENCE: &str = ".github/REFERENCE.md";

#[test]
fn tables_are_the_codes_own() {
    same(REFERENCE, "| flag | key | what |\n| --- | --- | --- |\n", "<!-- end of settings table -->", &rows());
    let row = |touched: &ics_setup::Touched| format!("| {} | {} | {} |\n", touched.shown, touched.by, touched.what);
    same(
        README,
        "| file | by | what |\n| --- | --- | --- |\n",
        "<!-- end of touched -->",
        &TOUCHED.iter().map(row).collect::<String>(),
    );
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Is this the text between a head and the next line that begins with `end`?
fn same(file: &str, head: &str, end: &str, rows: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let readme = read(file);
    let (before, rest) = readme.split_once(head).unwrap();
    let (table, after) = rest.split_once(&format!("\n{end}")).unwrap();
    if format!("{table}\n") != rows {
        assert!(std::env::var_os("UPDATE_README").is_some(), "this table of {file} is to be:\n{rows}");
        fs::write(path, format!("{before}{head}{rows}{end}{after}")).unwrap();
    }
}

#[test]
fn every_format_of_check_is_named() {
    let reference = read(REFERENCE);
    for format in Format::ALL.map(Format::as_str) {
        assert!(reference.contains(&format!("`{format}`")), "{REFERENCE} does not name check --format {format}");
    }
}

/// The anchors of a page's headings, as forges make them.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter_map(|line| line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' '));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|text| text.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut seen = 0;
    for file in [README, REFERENCE] {
        let page = read(file);
        let links = page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        for link in links.filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() {
                file.to_owned()
            } else {
                format!("{}{path}", file.trim_end_matches(|c| c != '/'))
            };
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&target).is_file(), "{file}: {link}");
            let is_there = |anchor: &str| anchors(&read(&target)).iter().any(|own| own == anchor);
            assert!(anchor.is_none_or(is_there), "{file}: there is no heading for {link}");
            seen += 1;
        }
    }
    assert!(seen > 30);
}

/// What a newcomer reads is a page or two; the rest is in the reference.
#[test]
fn the_readme_stays_short() {
    let lines = read(README).lines().count();
    assert!(lines < 340, "{lines} lines: what a newcomer does not need belongs into {REFERENCE}");
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
