//! Tells the program which commit it is built from: `ICS_SETUP_VERSION` is `X.Y.Z (COMMIT YYYY-MM-DD)`, or the number
//! alone where there is no git; `ICS_SETUP_DATE` is the commit's date, or empty. A release says both in `ICS_SETUP_BUILD`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=ICS_SETUP_BUILD");
    let build = std::env::var("ICS_SETUP_BUILD").ok().or_else(of_git).unwrap_or_default();
    let number = env!("CARGO_PKG_VERSION");
    let version = if build.is_empty() { number.to_owned() } else { format!("{number} ({build})") };
    println!("cargo::rustc-env=ICS_SETUP_VERSION={version}");
    println!("cargo::rustc-env=ICS_SETUP_DATE={}", build.split_once(' ').map_or("", |(_, date)| date));
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
    for path in ["Cargo.toml", "Cargo.lock", "assets", "scripts/build.rs", "src"] {
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
