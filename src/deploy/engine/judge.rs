//! What is wrong with Docker on this host, found before anything is written.

use std::path::Path;

use super::facts::Facts;
use super::{Client, EngineFacts, Wish, binary, packages};
use crate::consumers;
use crate::docker::{MAKE_ROOM, NoDocker, Versions};
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::platform::Platform;
use crate::problem::Problem;
use crate::text;
use crate::text::{Foreign, Text, as_root, own, typed};
use crate::version::Version;

/// What is to be judged.
pub(crate) struct Question<'q> {
    /// The host.
    pub(crate) host: &'q dyn HostRead,
    /// Which system it is.
    pub(crate) platform: &'q Platform,
    /// What of Docker there is.
    pub(crate) facts: &'q EngineFacts,
    /// What people have said.
    pub(crate) wish: &'q Wish,
    /// Images that are not there yet.
    pub(crate) missing: &'q [String],
    /// Bytes of the archives of the bundle, where there is one.
    pub(crate) archives: Option<u64>,
}

/// What stands in the way, and what will hurt.
pub(crate) fn findings(question: &Question<'_>) -> Vec<Finding> {
    let Question { facts, .. } = question;
    let mut found = Vec::new();
    match &facts.client {
        Client::Podman(path) => {
            found.push(podman(path));
            return found;
        }
        Client::Docker(versions) => {
            found.extend(too_old("client", &versions.client));
            found.extend(facts.server().and_then(|server| too_old("engine", &server.version)));
        }
        Client::Absent | Client::Odd(_) => {}
    }
    found.extend(silent(facts));
    found.extend(absent(question));
    found.extend(facts.server().and_then(|server| driver(&server.driver)));
    found.extend(room(question));
    found
}

fn podman(path: &Path) -> Finding {
    Finding::fail(ids::ENGINE_PODMAN, text!("this host's docker is podman ({})", path))
        .expected("Docker's own client and daemon, or neither of them")
        .observed(text!("{} leads to podman", path))
        .cause("podman has no daemon: the product's containers would not start again by themselves, and Compose would not find it")
        .advise(text!("{}; then the same command installs Docker", own(MAKE_ROOM)))
}

fn too_old(what: &'static str, version: &str) -> Option<Finding> {
    let oldest = &Facts::get().oldest;
    let old = Version::parse(version).is_some_and(|own| own < *oldest);
    old.then(|| {
        Finding::fail(ids::ENGINE_OLD, text!("the docker {} is {}, which is too old", own(what), Foreign::new(version)))
            .expected(text!("{} or newer", own(oldest)))
            .observed(Foreign::new(version))
            .cause("older ones do not know the format of the vendor's compose file, which is 2.2")
            .advise("update Docker, or remove it: then the same command installs the one of the package sources")
    })
}

/// A daemon that is there and cannot simply be started: one that is down is started by the stage.
fn silent(facts: &EngineFacts) -> Option<Finding> {
    let why: Text = match (&facts.client, facts.unit) {
        (Client::Docker(Versions { server: Err(NoDocker::Down { .. }), .. }), _) => return None,
        (Client::Docker(Versions { server: Err(why), .. }) | Client::Odd(why), _) => match why {
            NoDocker::Absent => return None,
            other => other.why(),
        },
        _ => return None,
    };
    let unit = facts.unit.unwrap_or("docker");
    let finding = Finding::fail(ids::ENGINE_SILENT, "the Docker daemon is there, and gives no answer that can be used")
        .expected("an answer to docker version")
        .observed(why)
        .cause("it is neither stopped, which would be mended by a start, nor does it work");
    Some(finding.advise(text!("see what it says: {}", as_root(text!("journalctl -u {} -n 50", own(unit))))))
}

/// What is not there and cannot be had.
fn absent(question: &Question<'_>) -> Vec<Finding> {
    let Question { host, platform, facts, wish, .. } = question;
    let (engine, compose) = (facts.is_absent(), facts.compose(wish.generation).is_none());
    let given = if compose { wish.given() } else { Ok(None) };
    let proven = given.as_ref().map_err(Clone::clone).and_then(|given| match given {
        Some(given) => binary::prove(*host, given),
        None => Ok(()),
    });
    let mut found: Vec<Finding> = proven.err().map(|problem| refused(&problem)).into_iter().collect();
    // The files of a repository that was named come with the run: what it has is seen then.
    if !(engine || compose) || wish.repository {
        return found;
    }
    let manager = platform.package_manager(*host);
    let names = packages::names(manager, false);
    let candidates =
        if packages::has_index(*host, manager) { packages::candidates(*host, manager, &names).ok() } else { None };
    // Where the package manager does not tell, the run will.
    let choice =
        candidates.map(|all| packages::chosen(manager, false, &all, engine, compose.then_some(wish.generation)));
    if engine && choice.as_ref().is_some_and(|choice| choice.engine.is_empty()) {
        let finding =
            Finding::fail(ids::ENGINE_ABSENT, "there is no Docker on this host, and no package source has one")
                .expected("an engine, or a package of one")
                .observed(text!("{} knows none of {}", own(manager.name), own(names.join(", "))))
                .cause("the sources of packages of this system have none, as on those of Red Hat's kind");
        let finding = without_internet(wish, manager.name, compose).into_iter().fold(finding, Finding::advise);
        found.push(
            finding
                .advise(text!(
                    "name a repository that has it, with the key that signs it: {}",
                    typed("--docker-repo <URL> --docker-repo-key <FILE>")
                ))
                .advise("or install Docker as your company does, and run the same again: it is taken as it is"),
        );
    }
    if !compose || !matches!(given, Ok(None)) {
        return found;
    }
    match choice {
        Some(choice) if choice.compose.is_empty() => found.push(no_compose(facts, wish)),
        // A host that has run the product is not one that has never asked its package sources.
        None if wish.generation.is_some() && !packages::has_index(*host, manager) => {
            let refresh = packages::refreshed_by(manager);
            found.push(
                no_compose(facts, wish)
                    .advise(text!("or read what the package sources have, and run the same again: {}", refresh)),
            );
        }
        _ => {}
    }
    found
}

/// Whoever brings images brings packages too, which no bundle has: by the system's own names; `None`: nobody brings any.
pub(super) fn without_internet(wish: &Wish, manager: &str, compose: bool) -> Option<Text> {
    let bundle = wish.bundle.as_ref()?;
    let compose = compose && !bundle.join(super::IN_BUNDLE).exists() && wish.binary.is_none();
    let names = packages::to_bring(manager, compose).join(", ");
    Some(text!(
        "bring the packages of Docker as well, with those that they need, from the media of this system's own release, and install them: {}",
        own(names)
    ))
}

/// What was named, or is in the bundle, is not the Compose that is meant.
fn refused(problem: &Problem) -> Finding {
    let finding = Finding::fail(ids::COMPOSE_ABSENT, problem.message.clone())
        .expected("the program of Compose for this machine, with its checksum")
        .observed(problem.because.as_deref().cloned().unwrap_or_else(|| "no line for it".into()))
        .cause("what is installed as Compose runs as root, so it has to be what it is taken for");
    problem.hints.iter().cloned().fold(finding, Finding::fixed_by)
}

/// No Compose that serves is here, and nothing is known that brings one.
pub(super) fn no_compose(facts: &EngineFacts, wish: &Wish) -> Finding {
    let finding = match wish.generation {
        Some(_) => Finding::fail(
            ids::COMPOSE_GENERATION,
            "the containers of the product were made by a generation of Compose that is not here",
        )
        .expected("the generation that the labels of the containers name")
        .observed(match facts.composes.first() {
            Some(other) => text!("Compose {}", Foreign::new(&other.version)),
            None => "no Compose".into(),
        })
        .cause("the other generation would create every container anew, that of the database too"),
        None => Finding::fail(ids::COMPOSE_ABSENT, "there is no Compose on this host, and no package source has one")
            .expected("docker compose, docker-compose, or a package of one of them")
            .observed("none of them")
            .cause("the product's containers are made by Compose"),
    };
    finding
        .advise(text!(
            "name its program with its checksum: {}",
            typed("--compose-binary <FILE> --compose-sha256 <HEX>")
        ))
        .advise(text!(
            "or bring it in the bundle, as the file compose with its line in SHA256SUMS: {}",
            typed("--bundle <DIR>")
        ))
}

fn driver(name: &str) -> Option<Finding> {
    let known = Facts::get().driver.iter().find(|known| known.name == name)?;
    Some(
        Finding::warn(ids::STORAGE_DRIVER, text!("the engine stores layers with {}", own(&known.name)))
            .expected("overlay2")
            .observed(text!("{}", own(&known.name)))
            .cause(known.why.as_str())
            .advise("take storage-driver out of /etc/docker/daemon.json on a new host: images and containers are stored anew then"),
    )
}

/// Is there room for the images?
fn room(question: &Question<'_>) -> Option<Finding> {
    let Question { host, platform, facts, missing, archives, .. } = question;
    if missing.is_empty() {
        return None;
    }
    let root = facts.server().map(|server| Path::new(&server.root).to_path_buf()).filter(|root| root.is_absolute());
    // Where it cannot be told, the check of the disk says so.
    let root = root.or_else(|| consumers::data_root(*host, platform.systemd()).ok())?;
    let there = root.ancestors().find(|path| matches!(host.lstat(path), Ok(Some(_)))).unwrap_or(Path::new("/"));
    let free = host.space(there).ok()?.free;
    let facts = &Facts::get().image;
    let count = u64::try_from(missing.len()).unwrap_or(u64::MAX);
    let each = facts.assumed_mb.saturating_mul(1_000_000);
    let need = archives.unwrap_or_else(|| count.saturating_mul(each)).saturating_mul(facts.times);
    if free >= need {
        return None;
    }
    let title = text!("{} free where the engine keeps images ({})", gb(free), root.display());
    let observed = text!("{} free on the file system of {}", gb(free), there.display());
    let finding = match archives {
        Some(bytes) => Finding::fail(ids::IMAGE_ROOM, title).expected(text!(
            "{}: the bundle's archives have {}, and are unpacked beside themselves",
            gb(need),
            gb(*bytes)
        )),
        // What is assumed can warn and never fail.
        None => Finding::warn(ids::IMAGE_ROOM, title).expected(text!(
            "{}: {} images of {} each, which is assumed, packed and unpacked",
            gb(need),
            count,
            gb(each)
        )),
    };
    Some(
        finding
            .observed(observed)
            .cause("a pull that fills the disk fails, and what runs there beside it suffers")
            .advise(text!("see what takes it: {}", typed("docker system df")))
            .advise("give the engine a larger disk: data-root in /etc/docker/daemon.json"),
    )
}

/// The daemon has to be started again to read its proxy, and containers run: `behind` says that it has not read it, or that this
/// run writes it.
pub(crate) fn unread_proxy(
    running: u64,
    behind: bool,
    missing: &[String],
    wish: &Wish,
    restart: Option<bool>,
) -> Option<Finding> {
    let needed = behind && running > 0 && !missing.is_empty() && wish.bundle.is_none() && restart != Some(true);
    needed.then(|| {
        Finding::fail(ids::DAEMON_PROXY_UNREAD, "the Docker daemon has not read its proxy, and has images to pull")
            .expected("a daemon that was started since, or images that are there")
            .observed(text!("{} containers run", running))
            .cause("it reads its proxy when it starts, and its start stops the containers that run")
            .advise(text!("restart it in this run: {}", typed("--restart")))
            .advise(text!("or bring the images along: {}", typed("--bundle <DIR>")))
    })
}

fn gb(bytes: u64) -> Text {
    let tenths = bytes / 100_000_000;
    text!("{}.{} GB", tenths / 10, tenths % 10)
}
