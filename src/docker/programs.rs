//! What of Docker there is on a host: the client, the server that it talks to, and the programs of Compose.

use serde::Deserialize;

use super::engine::{Container, NoDocker, query, refused, run};
use crate::host::{Command, HostRead};
use crate::net::Time;

/// The client, and what it says of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Of the client, as it writes it.
    pub(crate) client: String,
    /// The server's, or why it did not answer.
    pub(crate) server: Result<Server, NoDocker>,
}

/// What the server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its release, as it writes it.
    pub(crate) version: String,
    /// Of its interface.
    pub(crate) api: String,
    /// Go's word for its architecture, which images have too: `amd64`, `arm64`.
    pub(crate) arch: String,
    /// How it stores layers.
    pub(crate) driver: String,
    /// Where it keeps images and containers; empty: it did not say.
    pub(crate) root: String,
    /// How many containers run.
    pub(crate) running: u64,
}

/// Go's words for architectures, which images have, and Rust's, which programs have. The product has been seen for no other.
pub(crate) const ARCHITECTURES: [(&str, &str); 2] = [("amd64", "x86_64"), ("arm64", "aarch64")];

/// What Docker calls the architecture that this program is for.
pub(crate) fn this_architecture() -> &'static str {
    let here = std::env::consts::ARCH;
    ARCHITECTURES.iter().find(|(_, rust)| *rust == here).map_or(here, |(go, _)| go)
}

/// `docker version --format '{{json .}}'`, the same from 17.06 to 28 as far as it is read here (measured with 20.10.24 and
/// 26.1.5). Where the server does not answer it is `null`, and the command ends with 1.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    client: Side,
    server: Option<Side>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Side {
    version: String,
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    arch: String,
}

/// `docker info` in the words of its fields, for which 20.10.24 wants a server.
#[derive(Deserialize)]
struct Info {
    driver: String,
    root: String,
    running: u64,
}

const INFO: &str =
    "{\"driver\":{{json .Driver}},\"root\":{{json .DockerRootDir}},\"running\":{{json .ContainersRunning}}}";

/// What the docker command says of itself and of its server.
///
/// # Errors
/// There is no docker command, or it is not Docker's.
pub(crate) fn versions(host: &dyn HostRead, time: Time) -> Result<Versions, NoDocker> {
    let output = run(host, time, &["version", "--format", "{{json .}}"])?;
    let Ok(said) = serde_json::from_slice::<Said>(&output.stdout) else { return Err(refused(&output)) };
    let server = match said.server {
        Some(side) => {
            let of = Server { version: side.version, api: side.api_version, arch: side.arch, ..Server::default() };
            info(host, time).map(|info| Server { driver: info.driver, root: info.root, running: info.running, ..of })
        }
        None => Err(refused(&output)),
    };
    Ok(Versions { client: said.client.version, server })
}

fn info(host: &dyn HostRead, time: Time) -> Result<Info, NoDocker> {
    let output = run(host, time, &["info", "--format", INFO])?;
    serde_json::from_slice(&output.stdout).map_err(|_| refused(&output))
}

/// What keeps containers in their place, by the server's word: `name=seccomp,profile=default`, `name=selinux`. No file that a
/// plan may change alters it while the server runs.
///
/// # Errors
/// There is no docker command, or no server that answers.
pub(crate) fn security_options(host: &dyn HostRead, time: Time) -> Result<Vec<String>, NoDocker> {
    let output = query(host, time, &["info", "--format", "{{json .SecurityOptions}}"])?;
    match serde_json::from_slice::<Option<Vec<String>>>(&output.stdout) {
        Ok(options) if output.code == Some(0) => Ok(options.unwrap_or_default()),
        _ => Err(refused(&output)),
    }
}

/// Which Compose reads the files, and how containers are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// docker-compose in Python.
    V1,
    /// The plugin, or the same program by its old name.
    V2,
}

impl Generation {
    /// That which made these containers; `None`: there is none, or no label says. The other one would create each of them anew.
    pub(crate) fn of_containers(containers: &[Container]) -> Option<Self> {
        containers.iter().find_map(|container| Self::of(container.compose_version.as_deref()?))
    }

    /// By the number that both print: `1.29.2`, `2.26.1-4`, `v2.40.3`.
    pub(crate) fn of(version: &str) -> Option<Self> {
        let major = version.trim().trim_start_matches('v').split('.').next()?.parse::<u32>().ok()?;
        Some(if major < 2 { Self::V1 } else { Self::V2 })
    }
}

/// A Compose that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ComposeProgram {
    /// How it is called.
    pub(crate) argv: Vec<String>,
    /// The number that it prints.
    pub(crate) version: String,
    /// Which of the two.
    pub(crate) generation: Generation,
}

/// Every Compose of the host, the plugin first. The name does not tell the generation: the plugin's own file serves as
/// `docker-compose` too.
pub(crate) fn compose_programs(host: &dyn HostRead) -> Vec<ComposeProgram> {
    let ways: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
    ways.into_iter().filter_map(|argv| compose_program(host, argv)).collect()
}

/// The one that serves: of this generation, where one is asked for.
pub(crate) fn serving(programs: &[ComposeProgram], wanted: Option<Generation>) -> Option<&ComposeProgram> {
    programs.iter().find(|own| wanted.is_none_or(|wanted| wanted == own.generation))
}

/// That Compose, if it answers.
pub(crate) fn compose_program(host: &dyn HostRead, argv: &[&str]) -> Option<ComposeProgram> {
    let asked = argv.iter().copied().chain(["version", "--short"]);
    let output = host.run(&Command::new(asked)).ok().filter(|output| output.code == Some(0))?;
    let version = super::text::first_line(&output.stdout, 40);
    let generation = Generation::of(&version)?;
    Some(ComposeProgram { argv: argv.iter().map(|&word| word.to_owned()).collect(), version, generation })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::host::Output;
    use crate::net::testing::patient;

    /// As printed by 20.10.24 and 26.1.5.
    const UP: &str = r#"{"Client":{"Platform":{"Name":""},"Version":"20.10.24+dfsg1","ApiVersion":"1.41","DefaultAPIVersion":"1.41","GitCommit":"297e128","GoVersion":"go1.19.8","Os":"linux","Arch":"amd64","BuildTime":"x","Context":"default","Experimental":true},"Server":{"Platform":{"Name":""},"Components":[],"Version":"20.10.24+dfsg1","ApiVersion":"1.41","MinAPIVersion":"1.12","GitCommit":"5d6db84","GoVersion":"go1.19.8","Os":"linux","Arch":"amd64","KernelVersion":"6.1","BuildTime":"x"}}"#;
    const DOWN: &str = r#"{"Client":{"Version":"26.1.5+dfsg1","ApiVersion":"1.45","DefaultAPIVersion":"1.45","GitCommit":"a72d7cd","GoVersion":"go1.24.4","Os":"linux","Arch":"amd64","BuildTime":"x","Context":"default"},"Server":null}"#;

    #[test]
    fn client_and_server_are_told_apart() {
        let host = Double::installed()
            .prints("docker version", UP)
            .prints("docker info", r#"{"driver":"overlay2","root":"/var/lib/docker","running":3}"#);
        let seen = versions(&host, patient()).unwrap();
        let server = seen.server.unwrap();
        assert_eq!((seen.client.as_str(), server.arch.as_str(), server.running), ("20.10.24+dfsg1", "amd64", 3));
        assert_eq!((server.driver.as_str(), server.root.as_str()), ("overlay2", "/var/lib/docker"));
        let words = b"Cannot connect to the Docker daemon at unix:///nosuch. Is the docker daemon running?\n";
        let down = Double::installed().answers("docker version", move || {
            Ok(Output { code: Some(1), stdout: DOWN.as_bytes().to_vec(), stderr: words.to_vec() })
        });
        let seen = versions(&down, patient()).unwrap();
        assert!(matches!(seen.server, Err(NoDocker::Down { .. })) && seen.client == "26.1.5+dfsg1");
        assert_eq!(versions(&Double::installed(), patient()), Err(NoDocker::Absent));
        for odd in ["", "{}", "null", "[[[["] {
            let host = Double::installed().prints("docker version", odd);
            assert!(matches!(versions(&host, patient()), Err(NoDocker::Odd { .. })), "{odd}");
        }
    }

    #[test]
    fn generations_by_the_number_that_they_print() {
        for (version, expected) in [
            ("1.25.5", Some(Generation::V1)),
            ("1.29.2", Some(Generation::V1)),
            ("2.26.1-4", Some(Generation::V2)),
            ("v2.40.3", Some(Generation::V2)),
            ("dev", None),
        ] {
            assert_eq!(Generation::of(version), expected, "{version}");
        }
        let both =
            Double::installed().prints("docker compose version", "2.26.1-4\n").prints("docker-compose", "1.29.2\n");
        let found: Vec<String> = compose_programs(&both).into_iter().map(|own| own.argv.join(" ")).collect();
        assert_eq!(found, ["docker compose", "docker-compose"]);
        // A docker without the plugin knows no such flag.
        let none = Double::installed().fails("docker compose", "unknown flag: --short\n");
        assert_eq!(compose_programs(&none), []);
    }
}
