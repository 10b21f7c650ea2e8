//! What is known of programs by their names, from `assets/programs.toml`. Its comments say what each key means.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;

use super::Who;
use crate::assets;
use crate::clients::{self, Client};
use crate::environment;
use crate::host::HostRead;

/// The Docker daemon. It holds published ports of containers, too.
pub(crate) const ENGINE: &str = "dockerd";

/// curl has so long to say which one it is.
const CURL_LIMIT: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Programs {
    program: Vec<Program>,
    silent: Vec<Silent>,
    door: Vec<Door>,
    manager: Vec<Manager>,
}

#[derive(Deserialize)]
struct Program {
    names: Vec<String>,
    set: Option<String>,
    clients: Vec<String>,
}

#[derive(Deserialize)]
struct Silent {
    names: Vec<String>,
}

#[derive(Deserialize)]
struct Door {
    names: Vec<String>,
    starts: Who,
}

#[derive(Deserialize)]
struct Manager {
    names: Vec<String>,
    methods: Vec<String>,
}

fn known() -> &'static Programs {
    static KNOWN: LazyLock<Programs> = LazyLock::new(|| assets::read(&assets::PROGRAMS));
    &KNOWN
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|own| own == name)
}

/// The clients with which a program may ask in this environment, the usual one first; none: it is not known, or speaks no HTTP.
pub(crate) fn clients_of(program: &str, environment: &[(String, String)]) -> Vec<&'static Client> {
    let is_version = |rest: &str| rest.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_own =
        |own: &Program| own.names.iter().any(|name| program.strip_prefix(name.as_str()).is_some_and(is_version));
    let is_set = |set: &String| {
        let (name, wanted) = set.split_once('=').unwrap_or((set, ""));
        environment::value(environment, name).is_some_and(|value| value == wanted)
    };
    let own = known().program.iter().find(|own| is_own(own) && own.set.as_ref().is_none_or(is_set));
    own.into_iter().flat_map(|own| &own.clients).filter_map(|id| clients::by_id(id)).collect()
}

/// The profile of the curl of a host; the usual one where its release is not told.
pub(crate) fn curl_of(host: &dyn HostRead) -> &'static Client {
    let asked = clients::curl_release(host, CURL_LIMIT).and_then(|release| clients::curl(&release));
    #[allow(clippy::expect_used)] // a test looks for it
    asked.or_else(|| clients_of("curl", &[]).first().copied()).expect("assets/programs.toml has curl")
}

/// Does it speak a protocol for which proxies of HTTP are not asked?
pub(crate) fn speaks_no_http(program: &str) -> bool {
    known().silent.iter().any(|own| has(&own.names, program))
}

/// What this program starts is of a session of somebody's: as this consumer.
pub(crate) fn starts(program: &str) -> Option<Who> {
    known().door.iter().find(|door| has(&door.names, program)).map(|door| door.starts)
}

/// Is it a package manager, or a program of its own that this one has started?
pub(crate) fn is_manager(program: &str, parent: Option<&str>) -> bool {
    known().manager.iter().any(|own| {
        has(&own.names, program) || has(&own.methods, program) && parent.is_some_and(|parent| has(&own.names, parent))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn every_client_of_the_table_is_known() {
        for own in &known().program {
            let set = own.set.as_ref().map(|set| set.split_once('=').expect("a name and a value"));
            let set: Vec<(String, String)> = set.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
            let ids: Vec<&str> = clients_of(&own.names[0], &set).iter().map(|client| client.id.as_str()).collect();
            assert_eq!(ids, own.clients, "{:?}", own.names);
            assert!(!own.clients.is_empty());
        }
    }

    #[test]
    fn a_curl_that_is_not_asked_is_the_usual_one() {
        assert_eq!(curl_of(&MemoryHost::image("/mnt")).id, clients_of("curl", &[])[0].id);
    }

    #[test]
    fn programs_are_known_by_their_names() {
        let ids = |program: &str| clients_of(program, &[]).iter().map(|own| own.id.as_str()).collect::<Vec<_>>();
        assert_eq!(ids("python3.11"), ["python-urllib-3.11", "python-requests-2.33", "python-requests-2.34"]);
        // Another program's name may begin alike.
        for other in ["node_exporter", "gitlab-runner", "python3-config", "ssh"] {
            assert!(clients_of(other, &[]).is_empty(), "{other}");
        }
        assert!(speaks_no_http("ssh") && !speaks_no_http("curl"));
        assert_eq!((starts("sshd"), starts("CRON"), starts("bash")), (Some(Who::Login), Some(Who::Cron), None));
        assert!(is_manager("dnf", None) && is_manager("https", Some("apt-get")));
        assert!(!is_manager("https", Some("bash")) && !is_manager("curl", Some("apt-get")));
    }
}
