//! Docker and Compose as packages of the system, by its own package manager and that one's own proxy.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::task::{Task, cancelled};
use super::super::words::{known, last_lines, problem};
use super::facts::Facts;
use crate::docker::Generation;
use crate::docker::text::shown;
use crate::host::{Command, HostRead, Output, Watch};
use crate::platform::{PackageManager, PackageSyntax, upstream};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{CommandLine, Foreign, Text, as_root, own};

/// How long it may take to say what it has. dnf may ask its repositories for that.
const ASK: Duration = Duration::from_secs(120);

/// Longer than any honest installation.
const WHOLE: Duration = Duration::from_secs(3600);

/// A package manager that says nothing for so long has stopped: unpacking and set-up scripts say little.
const IDLE: Duration = Duration::from_secs(600);

/// So long may somebody else work with packages: unattended-upgrades after the first boot.
const LOCKED: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(2);

/// A package that can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its release.
    pub(super) version: String,
    /// It is there already.
    pub(super) installed: bool,
    /// To install it changes something: it is not there, or not in its newest release.
    pub(super) brings: bool,
}

/// What the package manager has, by name.
pub(super) type Candidates = BTreeMap<String, Candidate>;

/// Everything that could be wanted.
pub(super) fn names(manager: PackageManager, repository: bool) -> Vec<&'static str> {
    let sets = Facts::get().sets(manager.name, repository).into_iter();
    let mut names: Vec<&str> = sets
        .flat_map(|set| std::iter::once(&set.engine).chain(&set.with).chain(&set.compose))
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The packages of an engine by this manager's names, most wanted first, with a Compose where one is wanted.
pub(super) fn to_bring(manager: &str, compose: bool) -> Vec<&'static str> {
    let sets = Facts::get().sets(manager, false).into_iter().take(1);
    sets.flat_map(|set| {
        let names = std::iter::once(&set.engine).chain(&set.with);
        names.chain(set.compose.first().filter(|_| compose))
    })
    .map(String::as_str)
    .collect()
}

/// The packages of an engine on every kind of system.
pub(crate) fn by_system() -> Text {
    let of = |manager: &str| to_bring(manager, false).join(" ");
    text!("{} (Ubuntu, Debian), or {} (CentOS, Red Hat: of Docker's own repository)", own(of("apt")), own(of("dnf")))
}

/// Which of these it has.
///
/// # Errors
/// It does not say, with its words.
pub(super) fn candidates(host: &dyn HostRead, manager: PackageManager, names: &[&str]) -> Result<Candidates, Text> {
    let argv: &[&str] = match (manager.syntax, manager.name) {
        (PackageSyntax::Apt, _) => &["apt-cache", "policy"],
        (PackageSyntax::Ini, name) => &[name, "-q", "list"],
    };
    let argv = argv.iter().copied().chain(names.iter().copied());
    let output = host
        .run(&Command { deadline: ASK, ..Command::new(argv) })
        .map_err(|error| text!("{} could not be run: {}", own(manager.name), error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match manager.syntax {
        PackageSyntax::Apt if output.code == Some(0) => Ok(policy(&text)),
        // dnf and yum end with 1 where they have none of them.
        PackageSyntax::Ini
            if output.code == Some(0) || said(&output).to_lowercase().contains("no matching packages") =>
        {
            Ok(list(&text))
        }
        _ => Err(text!("{}: {}", own(manager.name), Foreign::new(last_lines(&output.stderr, 2)))),
    }
}

/// `apt-cache policy`: a name at the beginning of a line, what is installed and what would be, below it.
fn policy(text: &str) -> Candidates {
    let mut found = Candidates::new();
    let (mut name, mut installed) = ("", "(none)");
    for line in text.lines() {
        match line.trim().split_once(": ") {
            None if !line.starts_with(' ') => (name, installed) = (line.trim_end_matches(':'), "(none)"),
            Some(("Installed", version)) => installed = version.trim(),
            Some(("Candidate", version)) if version.trim() != "(none)" => {
                let version = version.trim().to_owned();
                let brings = version != installed;
                let candidate = Candidate { version, installed: installed != "(none)", brings };
                found.entry(name.to_owned()).or_insert(candidate);
            }
            _ => {}
        }
    }
    found
}

/// `dnf list`, `yum list`: `NAME.ARCH VERSION REPOSITORY` below headings; the repository of what is installed begins with `@`.
fn list(text: &str) -> Candidates {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, _) = words.next()?.rsplit_once('.')?;
        let version = words.next()?.to_owned();
        let installed = words.next()?.starts_with('@');
        Some((name.to_owned(), Candidate { version, installed, brings: !installed }))
    };
    let mut found = Candidates::new();
    for (name, candidate) in text.lines().filter_map(row) {
        // Of a package that is there and can be had newer, the first row counts, and the second is the newer one.
        found.entry(name).and_modify(|own: &mut Candidate| own.brings = true).or_insert(candidate);
    }
    found
}

/// What is to be installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// For the engine; empty: it is there, or cannot be had.
    pub(super) engine: Vec<String>,
    /// For Compose; empty likewise.
    pub(super) compose: Vec<String>,
}

/// Chooses: `engine` where one is wanted, `compose` where one is, of this generation where that matters.
pub(super) fn chosen(
    manager: PackageManager,
    repository: bool,
    candidates: &Candidates,
    engine: bool,
    compose: Option<Option<Generation>>,
) -> Choice {
    let sets = Facts::get().sets(manager.name, repository);
    let has = |name: &&String| candidates.contains_key(name.as_str());
    let mut choice = Choice::default();
    let set = sets.iter().find(|set| has(&&set.engine));
    if let Some(set) = set.filter(|_| engine) {
        choice.engine = std::iter::once(&set.engine).chain(set.with.iter().filter(has)).cloned().collect();
    }
    if let Some(generation) = compose {
        let fits = |name: &&String| {
            // One that is installed beside an engine and does not answer is not mended by what is there already.
            let own = candidates.get(name.as_str()).filter(|own| engine || own.brings);
            let own = own.and_then(|own| Generation::of(upstream(&own.version)));
            own.is_some() && generation.is_none_or(|wanted| own == Some(wanted))
        };
        // Those that belong to the engine first, then any other.
        let names = set.into_iter().chain(&sets).flat_map(|set| &set.compose);
        choice.compose = names.clone().find(fits).into_iter().cloned().collect();
    }
    choice
}

/// Has the package manager an index to look into? Without one it has nothing, and that says nothing.
pub(super) fn has_index(host: &dyn HostRead, manager: PackageManager) -> bool {
    // What cannot be listed may be there.
    let lists = || {
        host.list(std::path::Path::new("/var/lib/apt/lists")).map_or(true, |names| {
            names.iter().any(|name| {
                name.to_string_lossy().contains("_Packages") || name.to_string_lossy().ends_with("InRelease")
            })
        })
    };
    manager.syntax != PackageSyntax::Apt || lists()
}

/// Reads the indexes anew; what it said. A source that does not answer is no failure of apt's: others may have what is wanted.
///
/// # Errors
/// It could not be run, came no further, or was cancelled.
pub(super) fn refresh(task: &mut Task<'_>, manager: PackageManager) -> Result<String, Problem> {
    if manager.syntax != PackageSyntax::Apt {
        return Ok(String::new());
    }
    task.say(&"reading the indexes of the package sources".into());
    let output = run(task, manager, &["update"], &[])?;
    Ok(said(&output))
}

/// Installs.
///
/// # Errors
/// `packages-failed`, or the known reason in its place.
pub(super) fn install(
    task: &mut Task<'_>,
    manager: PackageManager,
    names: &[String],
    before: &str,
) -> Result<(), Problem> {
    let list = Text::join(names.iter().map(|name| text!("{}", own(name))), ", ");
    task.say(&text!("installing {}", list.clone()));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let output = run(task, manager, &["install"], &names)?;
    match output.code {
        Some(0) => Ok(()),
        _ => {
            let words = Foreign::new(shown(&last_lines(&output.stderr, 3), 300));
            let other = Problem::host(id::PACKAGES_FAILED, text!("{} could not be installed", list)).because(words);
            Err(explained(manager, other, &[&said(&output), before]))
        }
    }
}

/// Which of these packages are there.
///
/// # Errors
/// The package manager does not say, with its words.
pub(crate) fn installed(host: &dyn HostRead, manager: PackageManager, names: &[String]) -> Result<Vec<String>, Text> {
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let there = if names.is_empty() { Candidates::new() } else { candidates(host, manager, &asked)? };
    let is_there = |name: &&String| there.get(*name).is_some_and(|one| one.installed);
    Ok(names.iter().filter(is_there).cloned().collect())
}

/// Removes these packages, and none that needs them: where something does, nothing is removed.
///
/// # Errors
/// Something needs one of them, or another program works with packages.
pub(crate) fn remove(host: &dyn HostRead, manager: PackageManager, names: &[String]) -> Result<(), Problem> {
    let words: &[&str] = match manager.syntax {
        PackageSyntax::Apt => &["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--purge"],
        PackageSyntax::Ini => &["rpm", "-e"],
    };
    let argv: Vec<&str> = words.iter().copied().chain(names.iter().map(String::as_str)).collect();
    let line = argv.join(" ");
    let failed = || Problem::host(id::PACKAGES_FAILED, text!("{} failed", Foreign::new(&line)));
    match host.run(&Command { deadline: LOCKED, ..Command::new(argv) }) {
        Ok(output) if output.code == Some(0) => Ok(()),
        Ok(output) => Err(failed().because(Foreign::new(last_lines(&output.stderr, 3)))),
        Err(error) => Err(failed().caused_by(error)),
    }
}

/// The problem that its words tell, of several texts the first that tells one; else this one.
pub(super) fn explained(manager: PackageManager, other: Problem, said: &[&str]) -> Problem {
    let failures = &Facts::get().failure;
    let Some((failure, text)) = said.iter().find_map(|said| Some((known(failures, said)?, *said))) else {
        return other;
    };
    // The line that says it, not the last of many.
    let line = text.lines().find(|line| known([failure], line).is_some()).unwrap_or(text);
    let again = refreshed_by(manager).into();
    problem(Some(failure), id::PACKAGES_FAILED, other.message, line.trim(), &[("package-manager", again)])
}

/// The command that reads the indexes anew, for a person.
pub(super) fn refreshed_by(manager: PackageManager) -> CommandLine {
    match manager.syntax {
        PackageSyntax::Apt => as_root("apt-get update"),
        PackageSyntax::Ini => as_root(text!("{} makecache", own(manager.name))),
    }
}

/// Both streams: apt names what it could not fetch on one, and that it failed on the other.
fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|stream| String::from_utf8_lossy(stream).into_owned());
    format!("{err}\n{out}")
}

/// Runs it, and waits for whoever else works with packages.
fn run(task: &mut Task<'_>, manager: PackageManager, verb: &[&str], names: &[&str]) -> Result<Output, Problem> {
    let own_words: &[&str] = match (manager.syntax, manager.name) {
        // No question is asked, files that somebody has edited stay, and nobody restarts services that run.
        (PackageSyntax::Apt, _) => &[
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "NEEDRESTART_SUSPEND=1",
            "apt-get",
            "-y",
            "--no-install-recommends",
            "-o",
            "Dpkg::Options::=--force-confdef",
            "-o",
            "Dpkg::Options::=--force-confold",
        ],
        (PackageSyntax::Ini, name) => &["env", name, "-y"],
    };
    let argv: Vec<&str> = own_words.iter().chain(verb).chain(names).copied().collect();
    let command = Command { deadline: WHOLE, ..Command::new(argv) };
    let end = Instant::now() + LOCKED;
    let mut waits = false;
    loop {
        // Whoever is killed while it unpacks leaves packages in disorder: it is asked to end, and ends what it has begun.
        let watch = Watch { grace: WHOLE, ..task.watch(IDLE) };
        let tell = &mut task.tell;
        let output = task.host.follow(&command, &watch, &mut |line| {
            tell(super::super::task::Told::Moving(&text!("{}: {}", own(manager.name), Foreign::new(line))));
            true
        });
        let output = output.map_err(|error| match error.kind() {
            std::io::ErrorKind::Interrupted => {
                cancelled("cancelled while packages were installed; those that are, stay")
            }
            _ => Problem::host(id::PACKAGES_FAILED, text!("{} could not be run to its end", own(manager.name)))
                .caused_by(error),
        })?;
        let text = said(&output);
        let is_lock = |line: &&str| Facts::get().lock.says.iter().any(|words| line.contains(words.as_str()));
        match text.lines().find(is_lock).filter(|_| output.code != Some(0)) {
            None => return Ok(output),
            Some(line) if Instant::now() >= end => {
                let message = text!(
                    "another program works with packages, for more than {} already",
                    own(crate::text::seconds(LOCKED))
                );
                return Err(Problem::host(id::PACKAGES_FAILED, message)
                    .because(Foreign::new(line.trim()))
                    .hint("wait for its end, and run the same again"));
            }
            Some(line) if !waits => {
                waits = true;
                task.say(&text!(
                    "another program works with packages; waiting for its end, at most {}: {}",
                    own(crate::text::seconds(LOCKED)),
                    Foreign::new(line.trim())
                ));
            }
            Some(_) => {}
        }
        task.pause(AGAIN)?;
    }
}
