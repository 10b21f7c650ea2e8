//! What a service gets when it is started (`exec_context_load_environment()` and `exec_child()` in `src/core/execute.c`,
//! release 252; systemd.exec(5) "Environment"). Weakest first: what all services get, `PassEnvironment=`, `Environment=`,
//! the files of `EnvironmentFile=` in order; then PAM, and last `UnsetEnvironment=`.

use std::collections::HashMap;
use std::path::Path;

use super::exec::with_variables;
use super::glob::glob;
use super::loaded::{EnvironmentFile, Loaded, Variables};
use super::look::{self, File};
use super::{Place, Service, Stop};
use crate::consumers::sight::Sight;
use crate::envfile::unit::{Release, split};
use crate::envfile::{Dialect, Seen};
use crate::host::HostRead;
use crate::text;
use crate::text::{Text, own};

/// Starts what was loaded.
pub(super) fn start(host: &dyn HostRead, loaded: Loaded, every: &Variables, release: Release) -> Service {
    let mut service = Service {
        fragment: loaded.fragment,
        masked: loaded.masked,
        refused: loaded.refused,
        environment: every.clone(),
        exec_unknown: loaded.exec.doubt,
        complaints: loaded.complaints,
        ..Service::default()
    };
    let variables = &mut service.environment;
    if release.since(228) != Some(false) {
        if let Some(doubt) = loaded.pass.doubt {
            variables.doubt(doubt);
        }
        for (name, at) in loaded.pass.items {
            variables.set(&name, Sight::unknown(&at, "systemd passes on what its own process has (PassEnvironment=)"));
        }
    }
    let cleared = loaded.environment.cleared.clone();
    variables.overlay(loaded.environment);
    if let Some(doubt) = loaded.environment_files.doubt {
        variables.doubt(doubt);
    } else {
        for file in &loaded.environment_files.items {
            let read = of_file(host, file, release);
            variables.overlay(read.variables);
            service.complaints.extend(read.complaints);
            service.refused = service.refused.or(read.refused);
        }
    }
    if let Some(at) = loaded.pam {
        variables.doubt(Stop { at, why: "PAM gives the service its environment (PAMName=)".into() });
    }
    match release.since(235) {
        Some(true) => {
            if let Some(doubt) = loaded.unset.doubt {
                variables.doubt(doubt);
            }
            for (what, at) in &loaded.unset.items {
                unset(variables, what, at);
            }
        }
        Some(false) => {
            let why = "systemd before 235 does not know UnsetEnvironment=";
            service.complaints.extend(loaded.unset.items.into_iter().map(|(_, at)| (at, Text::from(why))));
        }
        None => {
            for (what, at) in &loaded.unset.items {
                let name = what.split_once('=').map_or(what.as_str(), |(name, _)| name);
                variables.set(name, Sight::unknown(at, "systemd before 235 does not know UnsetEnvironment="));
            }
        }
    }
    for (name, at) in cleared {
        if variables.get(&name).is_none() {
            variables.set(&name, Sight::Unset { at });
        }
    }
    let variables = &service.environment;
    service.exec_start =
        loaded.exec.items.into_iter().map(|command| with_variables(command, |name| variables.get(name))).collect();
    service
}

fn unset(variables: &mut Variables, what: &str, at: &Place) {
    match what.split_once('=') {
        None => variables.set(what, Sight::Unset { at: at.clone() }),
        Some((name, value)) => match variables.get(name) {
            Some(Sight::Value { value: own, .. }) if own == value => {
                variables.set(name, Sight::Unset { at: at.clone() });
            }
            _ => {}
        },
    }
}

#[derive(Default)]
struct Read {
    variables: Variables,
    refused: Option<Stop>,
    complaints: Vec<(Place, Text)>,
}

/// The files of one `EnvironmentFile=`.
fn of_file(host: &dyn HostRead, file: &EnvironmentFile, release: Release) -> Read {
    let mut read = Read::default();
    let Some(pattern) = &file.pattern else {
        read.variables.doubt(Stop::new(&file.at, "a specifier (%) whose meaning only the running machine tells"));
        return read;
    };
    let paths = match glob(host, pattern, &file.at) {
        Ok(paths) => paths,
        Err(doubt) => {
            read.variables.doubt(doubt);
            return read;
        }
    };
    if paths.is_empty() && !file.optional {
        read.refused = Some(not_started(file, Path::new(pattern), "it is not there"));
    }
    for path in paths {
        let bytes = match look::file(host, &path) {
            Ok(File::Bytes(bytes)) => bytes,
            Ok(File::Null) => continue,
            Ok(File::Absent | File::Folder) if file.optional => continue,
            Ok(File::Absent | File::Folder) => {
                read.refused.get_or_insert_with(|| not_started(file, &path, "it cannot be read"));
                break;
            }
            Err(doubt) => {
                read.variables.doubt(doubt);
                continue;
            }
        };
        match variables(&path, &bytes, release) {
            Ok((variables, complaints)) => {
                read.variables.overlay(variables);
                read.complaints.extend(complaints);
            }
            Err((at, why)) if file.optional => read.complaints.push((at, why)),
            Err((at, why)) => {
                read.refused.get_or_insert(Stop { at, why: text!("the service does not start: {}", why) });
                break;
            }
        }
    }
    read
}

fn not_started(file: &EnvironmentFile, path: &Path, why: &'static str) -> Stop {
    Stop::new(&file.at, text!("the service does not start without {}: {}", path.display(), own(why)))
}

type Complaints = Vec<(Place, Text)>;

/// What one file says; or where and why systemd refuses it.
fn variables(path: &Path, bytes: &[u8], release: Release) -> Result<(Variables, Complaints), (Place, Text)> {
    let reading = Dialect::SystemdEnvironmentFile.read(bytes);
    let lines = lines_of_names(bytes);
    let mut complaints: Complaints = reading
        .complaints
        .iter()
        .map(|complaint| (Place::new(path, complaint.line), text!("{}", own(&complaint.message))))
        .collect();
    if let Some(fatal) = reading.complaints.iter().position(|complaint| complaint.fatal) {
        return Err(complaints.swap_remove(fatal));
    }
    // Up to 240 a backslash inside quotes had another meaning.
    let quoted = bytes.contains(&b'\\') && bytes.iter().any(|byte| matches!(byte, b'"' | b'\''));
    let by_release = quoted && release.since(241) != Some(true);
    let mut variables = Variables::default();
    for (name, seen) in reading.variables {
        let Ok(name) = String::from_utf8(name) else { continue };
        let at = Place::new(path, lines.get(name.as_bytes()).copied().unwrap_or(0));
        let sight = match seen {
            Seen::Value(_) if by_release => {
                Sight::unknown(&at, "systemd before 241 reads a backslash inside quotes otherwise")
            }
            Seen::Value(value) => match String::from_utf8(value) {
                Ok(value) => Sight::Value { value, at },
                Err(_) => continue,
            },
            Seen::Inherited | Seen::Unknown => Sight::unknown(&at, "what systemd reads there depends on its release"),
        };
        variables.set(&name, sight);
    }
    Ok((variables, complaints))
}

/// The last line that assigns to each name.
fn lines_of_names(bytes: &[u8]) -> HashMap<&[u8], usize> {
    let mut lines = HashMap::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if let Some((name, _)) = split(line.trim_ascii_start()) {
            lines.insert(name, index + 1);
        }
    }
    lines
}
