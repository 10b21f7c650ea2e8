//! Compose itself, asked what it makes of the files of a project.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::host::{Command, HostRead};
use crate::net::Time;

/// What each service gets: names with their values, no value where the caller's environment has none.
pub(super) type Asked = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// `docker compose config` of these files: it needs no daemon. `None`: there is no Compose of v2, or it gave no answer that
/// can be read, for a reason that its model finds as well.
pub(crate) fn ask(host: &dyn HostRead, files: &[PathBuf], time: Time) -> Option<Asked> {
    let mut argv: Vec<String> = ["docker", "compose"].map(str::to_owned).to_vec();
    for file in files {
        argv.extend(["-f".to_owned(), file.to_str()?.to_owned()]);
    }
    argv.extend(["config", "--format", "json"].map(str::to_owned));
    let output = host.run(&Command { deadline: time.left(), ..Command::new(argv) }).ok()?;
    if output.code != Some(0) {
        return None;
    }
    read(&output.stdout)
}

fn read(answer: &[u8]) -> Option<Asked> {
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
