//! Tells the program which commit it is built from: `ICS_SETUP_VERSION` is `X.Y.Z (COMMIT YYYY-MM-DD)`, or the number
//! alone where there is no git; `ICS_SETUP_DATE` is the commit's date, or empty. A release says both in `ICS_SETUP_BUILD`.
//!
//! And it parses the TOML files of `assets/` into constants for `src/assets.rs`: `assets/checks/host.toml` is `CHECKS_HOST`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use toml::{Table, Value};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=scripts/build.rs");
    println!("cargo::rerun-if-changed=assets");
    let mut code = String::new();
    constants(Path::new("assets"), &mut code)?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("assets.rs"), code)?;
    fs::write(Path::new(&out).join("ids.rs"), ids()?)?;
    println!("cargo::rerun-if-env-changed=ICS_SETUP_BUILD");
    let build = std::env::var("ICS_SETUP_BUILD").ok().or_else(of_git).unwrap_or_default();
    let number = env!("CARGO_PKG_VERSION");
    let version = if build.is_empty() { number.to_owned() } else { format!("{number} ({build})") };
    println!("cargo::rustc-env=ICS_SETUP_VERSION={version}");
    println!("cargo::rustc-env=ICS_SETUP_DATE={}", build.split_once(' ').map_or("", |(_, date)| date));
    Ok(())
}

/// One constant for each TOML file of a folder.
fn constants(folder: &Path, code: &mut String) -> Result<(), Box<dyn Error>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    for path in files {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut table: Table = fs::read_to_string(&path)?.parse().map_err(|error| wrong(&error))?;
        if path.ends_with("clients.toml") {
            inherit(&mut table).map_err(|error| wrong(&error))?;
        }
        let name = path.strip_prefix("assets")?.with_extension("").display().to_string();
        let name = name.replace(['/', '-'], "_").to_uppercase();
        let value = literal(&Value::Table(table)).map_err(|error| wrong(&error))?;
        writeln!(code, "pub(crate) static {name}: Node = {value};")?;
    }
    Ok(())
}

/// The groups of findings, in the order in which they are listed.
const GROUPS: [&str; 7] = ["settings", "host", "proxy", "backends", "network", "agent", "runtime"];

/// Ids of findings as constants, and the catalogue of what they mean.
fn ids() -> Result<String, Box<dyn Error>> {
    let (mut constants, mut entries) = (String::new(), String::new());
    for group in GROUPS {
        let path = Path::new("assets/checks").join(group).with_extension("toml");
        let file: Table = fs::read_to_string(&path)?.parse().map_err(|error| format!("{}: {error}", path.display()))?;
        for (id, entry) in file.get("check").and_then(Value::as_table).into_iter().flatten() {
            let text = |key| {
                let text = entry.get(key).and_then(Value::as_str).map(str::trim);
                text.ok_or_else(|| format!("{}: {id} has no {key}", path.display()))
            };
            let (name, title, explain) = (id.replace('-', "_").to_uppercase(), text("title")?, text("explain")?);
            writeln!(constants, "/// {}", title.replace('[', "\\["))?;
            writeln!(constants, "pub const {name}: FindingId = FindingId {{ name: {id:?}, group: {group:?} }};")?;
            writeln!(entries, "super::Known {{ id: {name}, title: {title:?}, explain: {explain:?} }},")?;
        }
    }
    Ok(format!("{constants}\npub(super) static CATALOGUE: &[super::Known] = &[{entries}];"))
}

/// A value as an expression.
fn literal(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::Boolean(value) => format!("Node::Bool({value})"),
        Value::Integer(value) => format!("Node::Integer({value})"),
        Value::String(text) => format!("Node::Text({text:?})"),
        Value::Array(items) => {
            let items = items.iter().map(literal).collect::<Result<Vec<_>, _>>()?;
            format!("Node::List(&[{}])", items.join(", "))
        }
        Value::Table(table) => {
            let entry = |(key, value)| Ok(format!("({key:?}, {})", literal(value)?));
            let entries = table.iter().map(entry).collect::<Result<Vec<_>, String>>()?;
            format!("Node::Table(&[{}])", entries.join(", "))
        }
        Value::Float(_) | Value::Datetime(_) => return Err(format!("{value:?} is of a kind that nothing here reads")),
    })
}

/// Gives a client what it has not from the earlier one that it is `like`.
fn inherit(file: &mut Table) -> Result<(), String> {
    let clients = file.get_mut("client").and_then(Value::as_array_mut).ok_or("no [[client]]")?;
    for at in 0..clients.len() {
        let (before, rest) = clients.split_at_mut(at);
        let Some(own) = rest.first_mut().and_then(Value::as_table_mut) else { continue };
        let Some(like) = own.remove("like") else { continue };
        let base = before.iter().find(|client| client.get("id") == Some(&like));
        let base = base.ok_or_else(|| format!("no client {like:?} above"))?;
        for part in ["reads", "rules"] {
            let mut merged = base.get(part).and_then(Value::as_table).cloned().unwrap_or_default();
            if let Some(Value::Table(table)) = own.remove(part) {
                merged.extend(table);
            }
            own.insert(part.to_owned(), Value::Table(merged));
        }
    }
    Ok(())
}

/// `COMMIT YYYY-MM-DD`; the commit ends with `-dirty` where files that git knows were changed since.
fn of_git() -> Option<String> {
    // A copy of the sources within somebody else's repository is not of that repository's commit.
    git(&["ls-files", "--error-unmatch", "scripts/build.rs"])?;
    // A path that is not there would have this run at every build.
    let state = ["HEAD", "logs/HEAD"].iter().filter_map(|name| git(&["rev-parse", "--git-path", name]));
    for path in state.filter(|path| std::path::Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
    for path in ["Cargo.toml", "Cargo.lock", "src"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let commit = git(&["log", "-1", "--date=short", "--format=%h %cd", "--abbrev=10"])?;
    let (hash, date) = commit.split_once(' ')?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(format!("{hash}{} {date}", if changed { "-dirty" } else { "" }))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).env("GIT_OPTIONAL_LOCKS", "0").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
