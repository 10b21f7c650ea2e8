//! Can a dump be made? By which program, of which server, and is there room for it? All of this is asked before anything is
//! stopped.

use std::path::Path;

use super::super::LOOK;
use super::super::databases::NEEDED;
use super::super::fetch::bytes_shown;
use super::dump::{Dump, Tls, VARIABLE, folder, taken};
use crate::check::backends::Mysql;
use crate::check::{Check, CheckSpec, Limits, Look, MysqlSpec, Secrets, USUAL_USER, is_published};
use crate::context::{Named, roots};
use crate::converge::problem_of;
use crate::docker::{self, Container};
use crate::finding::Status;
use crate::host::{Command, HostRead};
use crate::mysql::{self, Login, There};
use crate::net::{Roots, Time};
use crate::problem::{Problem, id};
use crate::product::Place;
use crate::secret::Secret;
use crate::settings::{Deployment, Effective, Found, Key, Settings};
use crate::text;
use crate::text::{Foreign, Text, as_root, first_line, host_port, own, quoted, typed};

/// What has to be free beside the tables themselves: the text of a row is longer than its bytes, and a disk is never to be full.
const SPARE: u64 = 64 << 20;

/// Programs that make dumps, and the clients that bring them back.
const PROGRAMS: [(&str, &str); 2] = [("mysqldump", "mysql"), ("mariadb-dump", "mariadb")];

/// What was asked of the server.
struct Asked {
    /// Those of the databases that are there.
    databases: Vec<String>,
    tables: u64,
    bytes: u64,
    tls: bool,
}

/// Looks whether and how a dump can be made; `None`: there is nothing in the databases.
///
/// # Errors
/// `backup-missing`: this run cannot make one, and a backup that somebody has taken serves. `dump-impossible`: the server or
/// the disk would have to be mended.
pub(super) fn look(
    host: &dyn HostRead,
    settings: &Settings,
    found: &Found,
    there: &[Container],
) -> Result<Option<Dump>, Problem> {
    let effective = Effective::new(settings, found);
    let (spec, secrets) = CheckSpec::new(settings, &effective, Vec::new(), Limits::default());
    if let Some(own) = &spec.databases {
        return Err(missing(text!("the product reads them from the secret {}, and nobody else can", &own.secret)));
    }
    let Some(mut server) = spec.mysql.clone() else {
        return Err(missing("neither prod.env nor a setting says where MySQL is".into()));
    };
    let of_server = [Key::MysqlHost, Key::MysqlPort, Key::MysqlUser, Key::MysqlPassword];
    if let Some(key) = of_server.into_iter().find(|key| !found.is_one(*key)) {
        return Err(missing(text!("prod.env has another {} for each of them, and one dump holds one server's", key)));
    }
    server.of_usual_user();
    let name = effective.text(Key::MysqlHost).map_or_else(|| "mysql".to_owned(), |(name, _)| name);
    let is_test_drive = settings.deployment == Deployment::TestDrive && is_published(settings.deployment, &name);
    let container = match of_service(there, &name) {
        Some(container) => Some(reached(container, &mut server)?),
        None if !is_test_drive => None,
        None if is_bare(host, &settings.home) => return Ok(None),
        None => {
            let problem = impossible("the container of the database is not there");
            return Err(problem.hint("bring it up with the old image first, or back the databases up otherwise"));
        }
    };
    let roots = roots(host, Named::of(settings).as_ref())?;
    let asked = ask(host, &CheckSpec { mysql: Some(server.clone()), ..spec }, &secrets, &server, &roots)?;
    if asked.tables == 0 {
        return Ok(None);
    }
    let (runner, programs, is_mariadb) = program(host, container)?;
    let bytes = asked.bytes + asked.bytes / 2;
    room(host, bytes + SPARE)?;
    let inside = container.filter(|_| !runner.is_empty());
    let tls = match (inside, asked.tls) {
        (Some(_), _) => Tls::Any,
        (None, false) => Tls::None,
        (None, true) => Tls::Verified(trusted(host, settings, &roots)?),
    };
    let place = match inside {
        // Whether a container knows its own name is its engine's affair.
        Some(_) => ("127.0.0.1".to_owned(), spec.mysql.map_or(server.at.port, |own| own.at.port)),
        None => (server.at.host.clone(), server.at.port),
    };
    Ok(Some(Dump {
        runner,
        programs,
        is_mariadb,
        place,
        user: server.user.unwrap_or_else(|| USUAL_USER.to_owned()),
        password: secrets.mysql.unwrap_or_else(|| Secret::new(Vec::new())),
        databases: asked.databases,
        tls,
        bytes,
    }))
}

/// This run cannot make a dump.
pub(super) fn missing(why: Text) -> Problem {
    Problem::settings(id::BACKUP_MISSING, "an upgrade needs a backup of both databases, and this run cannot dump them")
        .because(why)
        .hint(taken())
}

/// It could, if something were otherwise.
fn impossible(why: impl Into<Text>) -> Problem {
    Problem::host(id::DUMP_IMPOSSIBLE, text!("the databases cannot be dumped before the upgrade: {}", why.into()))
        .hint(taken())
}

/// The container that has this service, or this name.
pub(super) fn of_service<'c>(there: &'c [Container], name: &str) -> Option<&'c Container> {
    there.iter().find(|own| own.service.as_deref() == Some(name) || own.state.name == name)
}

/// The container, once the server in it is known by where this host reaches it.
fn reached<'c>(container: &'c Container, server: &mut MysqlSpec) -> Result<&'c Container, Problem> {
    let name = &container.state.name;
    if container.state.status != "running" {
        let verb = if container.state.status == "paused" { "unpause" } else { "start" };
        return Err(impossible(text!("the container {} does not run", Foreign::new(name)))
            .hint_command(as_root(text!("docker {} {}", own(verb), own(quoted(name))))));
    }
    let reached = container.reached(server.at.port);
    let (at, port) = reached.ok_or_else(|| impossible("the container of the database has no address on this host"))?;
    (server.at.host, server.at.port, server.at.container) = (at, port, false);
    Ok(container)
}

/// Has no database of a Test Drive been made here yet: is there neither its folder nor a volume?
fn is_bare(host: &dyn HostRead, home: &Path) -> bool {
    let project = Place::look(host, home).project(host, home);
    let filter = format!("label=com.docker.compose.project={project}");
    let volumes = docker::run(host, Time::new(LOOK, LOOK), &["volume", "ls", "-q", "--filter", &filter]);
    let has_none = match volumes {
        Ok(output) => output.code == Some(0) && output.stdout.iter().all(u8::is_ascii_whitespace),
        Err(docker::NoDocker::Absent) => true,
        Err(_) => false,
    };
    has_none && host.list(&home.join("data")).is_ok_and(|names| names.is_empty())
}

/// A program that makes dumps: the container's own, else this host's.
type Program = (Vec<String>, (&'static str, &'static str), bool);

fn program(host: &dyn HostRead, container: Option<&Container>) -> Result<Program, Problem> {
    let inside = |own: &Container| ["docker", "exec", own.state.name.as_str()].map(str::to_owned).to_vec();
    let runners = container.map(inside).into_iter().chain([Vec::new()]);
    for runner in runners {
        for programs in PROGRAMS {
            let argv = runner.iter().cloned().chain([programs.0, "--version"].map(str::to_owned));
            let said = host.run(&Command { deadline: LOOK, ..Command::new(argv) });
            if let Ok(said) = said
                && said.code == Some(0)
            {
                let is_mariadb = first_line(&said.stdout, 200).contains("MariaDB");
                let with_password = |mut runner: Vec<String>| {
                    let name = runner.pop();
                    runner.extend(["-i", "-e", VARIABLE].map(str::to_owned));
                    runner.extend(name);
                    runner
                };
                return Ok((if runner.is_empty() { runner } else { with_password(runner) }, programs, is_mariadb));
            }
        }
    }
    Err(missing(match container {
        Some(own) => {
            text!("neither the container {} nor this host has mysqldump or mariadb-dump", own.state.name.as_str())
        }
        None => "this host has neither mysqldump nor mariadb-dump".into(),
    })
    .hint("or install the one that fits the server, in Debian and Ubuntu of the package default-mysql-client"))
}

/// One session as the product's user: which databases are there, and how large they are.
fn ask(
    host: &dyn HostRead,
    spec: &CheckSpec,
    secrets: &Secrets,
    server: &MysqlSpec,
    roots: &Roots,
) -> Result<Asked, Problem> {
    let look = Look { host, platform: None, spec, secrets, roots, changes: Some(&[]) };
    let Some(target) = look.mysql() else { return Err(Problem::bug("a server that nothing names")) };
    let mut asked: Option<Asked> = None;
    let time = Time::new(spec.limits.connect(), spec.limits.check());
    let facts = mysql::look_and(&target, host, time, &mut |connection, about| {
        // What is hidden is not absent: what is wrong is told below.
        if about.databases.iter().any(|own| !matches!(own.there, There::Yes | There::No)) {
            return Ok(());
        }
        let there = about.databases.iter().filter(|own| own.there == There::Yes);
        let databases: Vec<String> = there.map(|own| own.name.clone()).collect();
        let escapes = mysql::sql::has_escapes(&about.variables);
        let names: Vec<String> = databases.iter().map(|name| mysql::sql::literal(name, escapes)).collect();
        let (mut tables, mut bytes) = (0, 0);
        if !names.is_empty() {
            let sql = format!(
                "SELECT COUNT(*), COALESCE(SUM(DATA_LENGTH), 0) FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({})",
                names.join(",")
            );
            let rows = connection.query(&sql)?.unwrap_or_default();
            let number = |at: usize| rows.first()?.get(at)?.as_deref()?.parse::<u64>().ok();
            let Some(seen) = number(0).zip(number(1)) else { return Ok(()) };
            (tables, bytes) = seen;
        }
        asked = Some(Asked { databases, tables, bytes, tls: about.tls.is_some() });
        Ok(())
    });
    match (asked, &facts.login) {
        (Some(asked), Some(Login::Open(about))) if about.broke.is_none() => Ok(asked),
        _ => {
            let findings = Check::judge(&Mysql, &facts, spec);
            let wrong = findings.iter().find(|own| own.status == Status::Fail && NEEDED.contains(&own.id));
            let place = host_port(&server.at.host, server.at.port);
            let problem = match wrong {
                Some(finding) => problem_of(finding, id::DUMP_IMPOSSIBLE),
                None => impossible(text!("MySQL on {} does not say how large they are", own(place))),
            };
            Err(problem.hint(taken()))
        }
    }
}

/// Is there room for so much?
fn room(host: &dyn HostRead, need: u64) -> Result<(), Problem> {
    let folder = folder();
    let nearest = host.nearest(&folder);
    let space = host.space(nearest).map_err(|error| {
        impossible(text!("it cannot be told how much is free at {}", host.shown(nearest))).caused_by(error)
    })?;
    if space.free >= need {
        return Ok(());
    }
    let free = own(bytes_shown(space.free));
    Err(impossible(text!("they need {} at {}, and {} is free", own(bytes_shown(need)), host.shown(nearest), free))
        .hint(text!("make room there: {}", typed(text!("df -h {}", own(quoted(&nearest.to_string_lossy())))))))
}

/// The authorities that this host trusts, for programs that read a file.
fn trusted(host: &dyn HostRead, settings: &Settings, roots: &Roots) -> Result<Vec<u8>, Problem> {
    let bundle = match &roots.bundle {
        Some(path) => host
            .read(path)
            .map_err(|error| impossible(text!("{} cannot be read", host.shown(path))).caused_by(error))?,
        None => None,
    };
    let named = Named::of(settings).map(|named| named.certificates(host)).transpose()?.flatten();
    Ok([bundle.unwrap_or_default(), named.unwrap_or_default().pem()].join(&b'\n'))
}
