//! The stage `engine`: a Docker that answers, and a Compose for it.
//!
//! | module | what it does |
//! | --- | --- |
//! | `facts` | `assets/engine.toml` |
//! | `packages` | both as packages of the system |
//! | `repository` | Docker's own package repository, as files of the plan |
//! | `binary` | a Compose that is of no package |
//! | `judge` | what is wrong before anything is written |

mod binary;
mod facts;
mod judge;
mod packages;
mod repository;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::fetch;
use super::made::{Made, push};
use super::no_answer;
use super::task::{Task, cancelled};
use crate::checksum;
use crate::consumers;
use crate::converge::problem_of;
use crate::docker::{
    self, ComposeProgram, Container, Generation, NoDocker, Server, Versions, compose_programs, serving,
};
use crate::envfile::unit::Release;
use crate::environment::systemd_runs;
use crate::host::{Command, HostRead};
use crate::net::Time;
use crate::platform::Platform;
use crate::problem::{Problem, id};
use crate::product::own_containers;
use crate::settings::{Key, Settings};
use crate::text;
use crate::text::{Foreign, Text, as_root, own, typed};
use packages::{Candidates, Choice};

pub(crate) use binary::{Given, is_meant, take_back, unfit};
pub(crate) use judge::{Question, findings, unread_proxy};
pub(crate) use packages::{by_system as packages_by_system, installed, remove};
pub(crate) use repository::draft as draft_repository;

/// How long Docker may take to say what it is.
const LOOK: Duration = Duration::from_secs(20);

/// A daemon answers some seconds after its start (measured: 0.5 to 3 s on two busy cores); it may take a hundred.
const START: Duration = Duration::from_secs(100);

/// The name of Compose in a bundle.
pub(crate) const IN_BUNDLE: &str = "compose";

/// What of Docker there is on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EngineFacts {
    /// The docker command.
    pub(crate) client: Client,
    /// Every Compose that answers.
    pub(crate) composes: Vec<ComposeProgram>,
    /// The unit that starts a daemon of this host, without its ending.
    pub(crate) unit: Option<&'static str>,
}

/// The docker command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// There is none.
    Absent,
    /// It is podman, at this path.
    Podman(PathBuf),
    /// It is Docker's.
    Docker(Versions),
    /// It is there, and says nothing of use.
    Odd(NoDocker),
}

impl EngineFacts {
    /// The server, where it answers.
    pub(crate) fn server(&self) -> Option<&Server> {
        match &self.client {
            Client::Docker(Versions { server: Ok(server), .. }) => Some(server),
            _ => None,
        }
    }

    /// Why it does not answer, where there is one that should.
    fn silent(&self) -> Option<&NoDocker> {
        match &self.client {
            Client::Docker(Versions { server: Err(why), .. }) | Client::Odd(why) => Some(why),
            _ => None,
        }
    }

    /// Is there neither a daemon that answers nor one that could be started?
    fn is_absent(&self) -> bool {
        self.server().is_none() && self.unit.is_none() && !matches!(self.client, Client::Podman(_))
    }

    /// The Compose that serves.
    pub(crate) fn compose(&self, wanted: Option<Generation>) -> Option<&ComposeProgram> {
        serving(&self.composes, wanted)
    }
}

/// Looks. Nothing is judged by the name of a distribution.
pub(crate) fn look(host: &dyn HostRead, release: Release) -> EngineFacts {
    let client = match docker::podman(host) {
        Some((path, true)) => Client::Podman(path.to_owned()),
        _ => match docker::versions(host, Time::new(LOOK, LOOK)) {
            Ok(versions) => Client::Docker(versions),
            Err(NoDocker::Absent) => Client::Absent,
            Err(why) if is_podman(host) => match why {
                NoDocker::Late { .. } => Client::Odd(why),
                _ => Client::Podman("docker".into()),
            },
            Err(why) => Client::Odd(why),
        },
    };
    let composes = if matches!(client, Client::Podman(_)) { Vec::new() } else { compose_programs(host) };
    EngineFacts { client, composes, unit: consumers::installed_docker(host, release) }
}

/// Does the docker command itself say that it is podman?
fn is_podman(host: &dyn HostRead) -> bool {
    let asked = host.run(&Command::new(["docker", "--version"]));
    asked.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).to_lowercase().contains("podman"))
}

/// What people have said about Docker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Docker's own repository was named: its packages come first.
    pub(crate) repository: bool,
    /// `--compose-binary` with its checksum.
    pub(crate) binary: Option<Given>,
    /// `--bundle`.
    pub(crate) bundle: Option<PathBuf>,
    /// The generation that made the containers there are. The other one would create each of them anew.
    pub(crate) generation: Option<Generation>,
}

impl Wish {
    /// By the settings, and by the labels of the product's containers.
    ///
    /// # Errors
    /// One of two settings that belong together is missing, or is no checksum.
    pub(crate) fn of(settings: &Settings, containers: &[Container]) -> Result<Self, Problem> {
        let binary = match (settings.text(Key::ComposeBinary), settings.text(Key::ComposeSha256)) {
            (None, None) => None,
            (Some(path), Some(sum)) if checksum::is_sum(sum) => {
                Some(Given { path: path.into(), sha256: sum.to_ascii_lowercase() })
            }
            (Some(_), Some(sum)) => {
                let message = text!("--compose-sha256 {} is no SHA-256: it has 64 hexadecimal digits", sum);
                return Err(Problem::settings(id::SETTING_INVALID, message));
            }
            (Some(_), None) => {
                let why = "a program that runs as root is only installed when it is the one that is meant";
                return Err(repository::missing("--compose-sha256 <HEX>", "--compose-binary", why));
            }
            (None, Some(_)) => {
                return Err(repository::missing(
                    "--compose-binary <FILE>",
                    "--compose-sha256",
                    "a checksum alone says nothing",
                ));
            }
        };
        Ok(Self {
            repository: repository::asked(settings)?.is_some(),
            binary,
            bundle: fetch::bundle(settings),
            generation: Generation::of_containers(containers),
        })
    }

    /// A Compose of no package: the named one, else that of the bundle.
    ///
    /// # Errors
    /// The bundle's list of checksums cannot be read, or does not know it.
    fn given(&self) -> Result<Option<Given>, Problem> {
        match (&self.binary, &self.bundle) {
            (Some(given), _) => Ok(Some(given.clone())),
            (None, Some(bundle)) => {
                let path = bundle.join(IN_BUNDLE);
                if !path.exists() {
                    return Ok(None);
                }
                let sha256 = checksum::of_list(bundle, IN_BUNDLE)?;
                Ok(Some(Given { path, sha256 }))
            }
            (None, None) => Ok(None),
        }
    }
}

/// What the stage has made sure of.
#[derive(Clone, Debug)]
pub(crate) struct Ensured {
    /// Something was installed or started.
    pub(crate) changed: bool,
    /// The daemon was down, and was started by its unit as the files are now.
    pub(crate) started: bool,
    /// Half a sentence.
    pub(crate) detail: Text,
    /// As it is now.
    pub(crate) server: Server,
}

/// Makes sure of an engine that answers and a Compose of the right generation: what is there is taken as it is, what is stopped
/// is started, what is absent is installed. `home`: the product's folder, whose containers a daemon that was down has not told
/// before; `made`: what of it this run has made, however it ends.
///
/// # Errors
/// It cannot be had; packages that were installed stay.
pub(crate) fn ensure(
    task: &mut Task<'_>,
    platform: &Platform,
    wish: &Wish,
    home: &Path,
    made: &mut Made,
) -> Result<Ensured, Problem> {
    let release = platform.systemd();
    let mut facts = look(task.reader(), release);
    let mut done: Vec<Text> = Vec::new();
    if let Client::Podman(path) = &facts.client {
        return Err(podman(path));
    }
    let (absent, mut started) = (facts.is_absent(), false);
    let mut wish = wish.clone();
    let mut wake = |task: &mut Task<'_>, facts: &mut EngineFacts, wish: &mut Wish| {
        start(task, facts, absent)?;
        started = true;
        *facts = look(task.reader(), release);
        let found = own_containers(task.reader(), home, Time::new(LOOK, LOOK)).map_err(|error| no_answer(&error))?;
        wish.generation = Generation::of_containers(&found.own).or(wish.generation);
        Ok::<Text, Problem>("started the engine".into())
    };
    if !absent && facts.server().is_none() {
        done.push(wake(task, &mut facts, &mut wish)?);
    }
    let given = wish.given()?;
    // A Compose that was named, or brought along, is the one that is meant.
    let without = facts.compose(wish.generation).is_none() && given.is_none();
    if absent || without {
        let choice = choose(task, platform, &wish, absent, without, made)?;
        let names: Vec<String> = choice.engine.into_iter().chain(choice.compose).collect();
        if !names.is_empty() {
            done.push(text!("installed {}", own(names.join(", "))));
            facts = look(task.reader(), release);
        }
    }
    if facts.server().is_none() {
        done.push(wake(task, &mut facts, &mut wish)?);
    }
    if facts.compose(wish.generation).is_none() {
        match given {
            Some(given) => {
                let compose = binary::install(task, &given, wish.generation, made)?;
                done.push(text!("installed Compose {}", Foreign::new(&compose.version)));
                facts = look(task.reader(), release);
            }
            None => return Err(problem_of(&judge::no_compose(&facts, &wish), id::COMPOSE_MISSING)),
        }
    }
    let (Some(server), Some(compose)) = (facts.server().cloned(), facts.compose(wish.generation).cloned()) else {
        // Somebody has taken away what was there a moment ago.
        return Err(silent(task.reader(), &facts));
    };
    let is = text!("engine {}, Compose {}", Foreign::new(&server.version), Foreign::new(&compose.version));
    let changed = !done.is_empty();
    let detail = Text::join(std::iter::once(is).chain(done), "; ");
    Ok(Ensured { changed, started, detail, server })
}

/// What is to be installed of packages, and installs it.
fn choose(
    task: &mut Task<'_>,
    platform: &Platform,
    wish: &Wish,
    engine: bool,
    compose: bool,
    made: &mut Made,
) -> Result<Choice, Problem> {
    let manager = platform.package_manager(task.reader());
    let names = packages::names(manager, wish.repository);
    let compose = compose.then_some(wish.generation);
    let read = |task: &Task<'_>| packages::candidates(task.reader(), manager, &names);
    let pick = |found: &Candidates| packages::chosen(manager, wish.repository, found, engine, compose);
    let lacks =
        |choice: &Choice| (engine && choice.engine.is_empty()) || (compose.is_some() && choice.compose.is_empty());
    let brought = |problem: Problem| {
        judge::without_internet(wish, manager.name, compose.is_some()).into_iter().fold(problem, Problem::hint)
    };
    let mut found = read(task);
    let mut choice = found.as_ref().map(&pick).unwrap_or_default();
    let mut said = String::new();
    // A source that was just added is in no index yet.
    if lacks(&choice) || wish.repository {
        said = packages::refresh(task, manager)?;
        found = read(task);
        choice = found.as_ref().map(&pick).unwrap_or_default();
    }
    let why = found.as_ref().err().map(|why| text!("{}", why.clone()));
    if engine && choice.engine.is_empty() {
        let problem = Problem::host(id::DOCKER_ABSENT, "no package source of this host has an engine");
        let problem = why.into_iter().fold(problem, Problem::because);
        return Err(brought(two_ways(packages::explained(manager, problem, &[&said]))));
    }
    let all: Vec<String> = choice.engine.iter().chain(&choice.compose).cloned().collect();
    if all.is_empty() {
        return Ok(choice);
    }
    let is_new = |name: &&String| found.as_ref().is_ok_and(|found| found.get(*name).is_some_and(|own| !own.installed));
    let new: Vec<String> = all.iter().filter(is_new).cloned().collect();
    made.note(task.host, |all| new.iter().for_each(|name| push(&mut all.packages, name.clone())))?;
    let done = packages::install(task, manager, &all, &said);
    // What did not come is not ours, whoever installs it afterwards.
    if done.is_err()
        && let Ok(there) = packages::installed(task.reader(), manager, &new)
    {
        made.note(task.host, |all| all.packages.retain(|name| !new.contains(name) || there.contains(name)))?;
    }
    done.map(|()| choice).map_err(brought)
}

/// Where the distribution has no engine.
fn two_ways(problem: Problem) -> Problem {
    problem
        .hint(text!(
            "name a repository that has it, with the key that signs it: {}",
            typed("--docker-repo <URL> --docker-repo-key <FILE>")
        ))
        .hint("or install Docker as your company does, and run the same again: it is taken as it is")
}

fn podman(path: &Path) -> Problem {
    Problem::host(id::DOCKER_IS_PODMAN, text!("this host's docker is podman ({})", path))
        .because("podman has no daemon, so the product's containers would not start again by themselves, and Compose would not find it")
        .hint(text!("{}, and run the same again: Docker is installed then", own(docker::MAKE_ROOM)))
}

/// Starts the daemon and waits for its answer; `new`: it was installed just now, and is to start at boot as well.
fn start(task: &mut Task<'_>, facts: &EngineFacts, new: bool) -> Result<(), Problem> {
    let host = task.reader();
    let Some(unit) = facts.unit else { return Err(silent(host, facts)) };
    if !systemd_runs(host) {
        return Err(silent(host, facts).hint("systemd does not run here: start the daemon as this host does"));
    }
    task.say(&text!("starting {}", own(unit)));
    // A unit whose files have changed is started as it was otherwise. Where systemd refuses, it refuses the start too.
    let _ = host.run(&Command::new(["systemctl", "daemon-reload"]));
    let verb: &[&str] = if new { &["systemctl", "enable", "--now", unit] } else { &["systemctl", "start", unit] };
    let command = Command { deadline: START, ..Command::new(verb.iter().copied()) };
    let said = match host.run(&command) {
        Ok(output) if output.code == Some(0) => None,
        Ok(output) => Some(super::words::last_lines(&output.stderr, 2)),
        Err(error) => Some(error.to_string()),
    };
    let end = Instant::now() + START;
    loop {
        match docker::versions(host, Time::new(LOOK, LOOK)) {
            Ok(Versions { server: Ok(_), .. }) => return Ok(()),
            _ if (task.stop)() => {
                return Err(cancelled("cancelled while the engine was starting; it goes on with that"));
            }
            other if said.is_some() || Instant::now() >= end => {
                let client = other.map_or_else(Client::Odd, Client::Docker);
                let problem = silent(host, &EngineFacts { client, ..facts.clone() });
                return Err(match last_of_log(host, unit) {
                    Some(words) => problem.because(text!("its log ends with: {}", Foreign::new(words))),
                    None => problem,
                });
            }
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// The last complaint of the unit's log.
fn last_of_log(host: &dyn HostRead, unit: &str) -> Option<String> {
    let argv = ["journalctl", "-u", unit, "-n", "30", "-o", "cat", "--no-pager"];
    let output = host.run(&Command::new(argv)).ok().filter(|output| output.code == Some(0))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tells =
        |line: &&str| ["failed", "unable", "error", "fatal"].iter().any(|word| line.to_lowercase().contains(word));
    // systemd's own lines tell that it failed, and not why.
    let own_lines = |line: &&str| !line.starts_with("docker.service:") && !line.starts_with("Failed to start");
    let line = text.lines().rev().filter(own_lines).find(tells)?;
    Some(docker::text::shown(line, 300))
}

/// The server does not answer.
fn silent(host: &dyn HostRead, facts: &EngineFacts) -> Problem {
    let unit = facts.unit.unwrap_or("docker");
    let why = facts.silent().unwrap_or(&NoDocker::Absent).why();
    let problem = Problem::host(id::DOCKER_SILENT, "the Docker daemon does not answer").because(why);
    if systemd_runs(host) { problem.hint_command(as_root(text!("journalctl -u {} -n 50", own(unit)))) } else { problem }
}
