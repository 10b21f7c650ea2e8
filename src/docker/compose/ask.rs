//! Compose itself, asked what it makes of the files of a project.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::Project;
use crate::envfile::Dialect;
use crate::host::HostRead;

/// What each service gets: names with their values, no value where the caller's environment has none.
type Services = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// The ways in which Compose is installed.
pub(crate) const PROGRAMS: [&[&str]; 2] = [&["docker-compose"], &["docker", "compose"]];

/// What Compose says of itself and of a project.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    /// How each that is installed reads env files.
    pub(crate) dialects: Vec<Dialect>,
    /// What one of v2 gives to the services, and how it was called. `None`: there is none, or it gave no answer that can be
    /// read, for a reason that its model finds as well.
    pub(crate) services: Option<(String, Services)>,
}

/// Asks for releases, and for the `config` of the project in `home`; none of it needs a daemon. `run`: what a program prints
/// that ends well.
pub(crate) fn ask(host: &dyn HostRead, home: &Path, mut run: impl FnMut(&[&str]) -> Option<Vec<u8>>) -> Asked {
    let mut asked = Asked::default();
    for program in PROGRAMS {
        let release = run(&[program, &["version", "--short"]].concat());
        let dialect = release.and_then(|release| Dialect::of_compose(&String::from_utf8_lossy(&release)));
        // The plugin has been v2 from its beginning; a docker without it says something else.
        let Some(dialect) = dialect.filter(|dialect| program.len() == 1 || *dialect == Dialect::ComposeV2) else {
            continue;
        };
        if !asked.dialects.contains(&dialect) {
            asked.dialects.push(dialect);
        }
        if dialect == Dialect::ComposeV2 && asked.services.is_none() {
            asked.services = config(host, home, program, &mut run);
        }
    }
    asked
}

fn config(
    host: &dyn HostRead,
    home: &Path,
    program: &[&str],
    run: &mut impl FnMut(&[&str]) -> Option<Vec<u8>>,
) -> Option<(String, Services)> {
    let files = Project::read(host, home, Dialect::ComposeV2)?.files;
    let mut argv = program.to_vec();
    for file in &files {
        argv.extend(["-f", file.to_str()?]);
    }
    argv.push("config");
    let source = argv.join(" ");
    let services = read(&run(&[&argv[..], &["--format", "json"]].concat())?)?;
    Some((source, services))
}

fn read(answer: &[u8]) -> Option<Services> {
    let document: Value = serde_json::from_slice(answer).ok()?;
    // A dollar is printed as Compose would read it again.
    let value = |value: &Value| value.as_str().map(|text| text.replace("$$", "$"));
    let service = |(name, service): (&String, &Value)| {
        let environment = service["environment"].as_object().into_iter().flatten();
        (name.clone(), environment.map(|(name, own)| (name.clone(), value(own))).collect())
    };
    Some(document["services"].as_object()?.iter().map(service).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compose_prints_is_read() {
        let printed = br#"{"name":"x","services":{"a":{"environment":{"A":"p$$q","B":null}},"b":{}}}"#;
        let seen = read(printed).unwrap();
        assert_eq!(seen["a"]["A"].as_deref(), Some("p$q"));
        assert_eq!((seen["a"]["B"].as_ref(), seen["b"].len()), (None, 0));
        assert!(read(b"services:\n").is_none());
    }
}
