//! A case to keep: the lines that decide, and the answers, without secrets.

use std::path::{Path, PathBuf};

use serde_json::{Value, json as value};

use crate::plan::PlannedHost;
use crate::redact::{Redactor, redact_line};

use super::{Look, Proven, json};

/// Folders and files whose lines decide which way programs go.
const PLACES: [&str; 14] = [
    "/etc/environment",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zsh",
    "/etc/pam.d",
    "/etc/security",
    "/etc/ssh",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/apt/apt.conf.d",
    "/etc/dnf",
    "/etc/gitconfig",
];

/// The case: files with their lines about proxies, and what was answered.
pub(crate) fn case(look: &Look<'_>, proven: &Proven, redactor: &Redactor) -> Value {
    let host = PlannedHost::new(look.host, look.changes.unwrap_or_default());
    let mut files = Vec::new();
    for place in PLACES.map(Path::new) {
        let inside = crate::host::HostRead::list(&host, place).unwrap_or_default();
        let mut paths: Vec<PathBuf> = inside.into_iter().map(|name| place.join(name)).collect();
        if paths.is_empty() {
            paths.push(place.to_path_buf());
        }
        for path in paths {
            let Ok(Some(bytes)) = crate::host::HostRead::read(&host, &path) else { continue };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let lines: Vec<Value> = text
                .lines()
                .enumerate()
                .filter(|(_, line)| decides(line))
                .map(|(number, line)| value!({"line": number + 1, "text": redactor.foreign(&redact_line(line))}))
                .collect();
            if !lines.is_empty() {
                files.push(value!({"path": path, "lines": lines}));
            }
        }
    }
    value!({
        "schema": crate::report::SCHEMA,
        "command": "prove",
        "version": crate::build::VERSION,
        "os": look.platform.map(|platform| value!({"id": platform.os.id, "version": platform.os.version})),
        "planned": proven.planned,
        "urls": proven.urls,
        "files": files,
        "programs": json(proven),
    })
}

fn decides(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    ["proxy", "pam_env", "usepam", "setenv", "env_keep", "env_reset", "unset"].iter().any(|word| lower.contains(word))
}
