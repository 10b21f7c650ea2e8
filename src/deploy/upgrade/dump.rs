//! A dump of both databases, made by a program that knows how: that of the database's container, or this host's. Nothing here
//! reads or writes the format.
//!
//! A dump is a folder that root alone can enter: `dump.sql`, the password as the programs take it from their environment, and
//! `restore`, which brings it back. A dump that is not whole has another name.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::databases::NEEDED;
use super::super::fetch::bytes_shown;
use super::super::task::{Task, Told};
use super::super::words::last_lines;
use crate::check::backends::Mysql;
use crate::check::{Check, CheckSpec, Limits, Look, MysqlSpec, Secrets, USUAL_USER, is_published};
use crate::context::authority;
use crate::converge::problem_of;
use crate::docker::{self, Container};
use crate::finding::Status;
use crate::host::{Command, HostRead, HostWrite, Watch};
use crate::mysql::{self, Login, There};
use crate::net::{Roots, Time};
use crate::problem::{Problem, copy_of, id};
use crate::product::Place;
use crate::secret::Secret;
use crate::settings::{Deployment, Effective, Found, Key, STATE, Settings};
use crate::stamp;
use crate::text;
use crate::text::{CommandLine, Foreign, Text, as_root, first_line, host_port, own, quoted};

/// How long a program may take to say which one it is.
const LOOK: Duration = Duration::from_secs(20);

/// A dump ends so long after the last table that was begun.
const IDLE: Duration = Duration::from_secs(3600);

/// No dump takes longer.
const WHOLE: Duration = Duration::from_secs(24 * 3600);

/// What has to be free beside the tables themselves: the text of a row is longer than its bytes, and a disk is never to be full.
const SPARE: u64 = 64 << 20;

/// Programs that make dumps, and the clients that bring them back.
const PROGRAMS: [(&str, &str); 2] = [("mysqldump", "mysql"), ("mariadb-dump", "mariadb")];

/// The last line of a whole dump, of all of these programs.
const WHOLE_DUMP: &str = "-- Dump completed";

/// How the password comes to them.
const VARIABLE: &str = "MYSQL_PWD";

/// Says that a backup was taken.
const TAKEN: &str = "back up both databases, then say so in the same command: --backup-taken";

/// A dump that can be made.
#[derive(Debug)]
pub(super) struct Dump {
    /// Before each of the programs: `docker exec`, or nothing.
    runner: Vec<String>,
    /// The programs.
    programs: (&'static str, &'static str),
    /// Of MariaDB, whose options have other names.
    is_mariadb: bool,
    /// Where the programs find the server.
    place: (String, u16),
    user: String,
    password: Secret,
    databases: Vec<String>,
    tls: Tls,
    /// About so large.
    pub(super) bytes: u64,
}

/// How the programs speak to the server.
#[derive(Debug)]
enum Tls {
    /// As they like: they run beside it.
    Any,
    /// Not at all.
    None,
    /// Only with one whose certificate is signed by these (PEM).
    Verified(Vec<u8>),
}

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
    let (runner, programs, is_mariadb) = program(host, container)?;
    let roots = Roots::of(host, &authority(settings.proxy_ca.as_ref())?);
    let asked = ask(host, &CheckSpec { mysql: Some(server.clone()), ..spec }, &secrets, &server, &roots)?;
    if asked.tables == 0 {
        return Ok(None);
    }
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
        .hint(TAKEN)
}

/// It could, if something were otherwise.
fn impossible(why: impl Into<Text>) -> Problem {
    Problem::host(id::DUMP_IMPOSSIBLE, text!("the databases cannot be dumped before the upgrade: {}", why.into()))
        .hint(TAKEN)
}

/// The container that has this service, or this name.
pub(super) fn of_service<'c>(there: &'c [Container], name: &str) -> Option<&'c Container> {
    there.iter().find(|own| own.service.as_deref() == Some(name) || own.state.name == name)
}

/// The container, once the server in it is known by where this host reaches it.
fn reached<'c>(container: &'c Container, server: &mut MysqlSpec) -> Result<&'c Container, Problem> {
    let name = &container.state.name;
    if container.state.status != "running" {
        return Err(impossible(text!("the container {} does not run", Foreign::new(name)))
            .hint_command(as_root(text!("docker start {}", own(quoted(name))))));
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
            Err(problem.hint(TAKEN))
        }
    }
}

/// Is there room for so much?
fn room(host: &dyn HostRead, need: u64) -> Result<(), Problem> {
    let folder = folder();
    let there = |path: &&Path| matches!(host.lstat(path), Ok(Some(_)));
    let nearest = folder.ancestors().find(there).unwrap_or(Path::new("/"));
    let space = host.space(nearest).map_err(|error| {
        impossible(text!("it cannot be told how much is free at {}", host.shown(nearest))).caused_by(error)
    })?;
    if space.free >= need {
        return Ok(());
    }
    let free = own(bytes_shown(space.free));
    Err(impossible(text!("they need {} at {}, and {} is free", own(bytes_shown(need)), host.shown(nearest), free))
        .hint(text!("make room there: df -h {}", own(quoted(&nearest.to_string_lossy())))))
}

/// The authorities that this host trusts, for programs that read a file.
fn trusted(host: &dyn HostRead, settings: &Settings, roots: &Roots) -> Result<Vec<u8>, Problem> {
    let bundle = roots.bundle.as_deref().and_then(|path| host.read(path).ok().flatten());
    Ok([bundle.unwrap_or_default(), authority(settings.proxy_ca.as_ref())?].join(&b'\n'))
}

/// Where dumps are.
fn folder() -> PathBuf {
    Path::new(STATE).join("dumps")
}

/// Of a dump: what brings it back.
pub(super) fn restore(dump: &Path) -> CommandLine {
    as_root(text!("sh {}", own(quoted(&dump.join("restore").to_string_lossy()))))
}

impl Dump {
    /// By which program, and of what, for people.
    pub(super) fn shown(&self) -> Text {
        let by = match self.runner.last() {
            Some(container) => text!("{} in the container {}", self.programs.0, container.as_str()),
            None => text!("{} of this host", self.programs.0),
        };
        text!("{} is to dump {}", by, Foreign::new(self.databases.join(" and ")))
    }

    /// Where the server is and who logs in, as words of both programs.
    fn options(&self, folder: &Path) -> Vec<String> {
        let (host, port) = &self.place;
        let mut options = vec![
            "--no-defaults".to_owned(),
            "--protocol=TCP".to_owned(),
            format!("--host={host}"),
            format!("--port={port}"),
            format!("--user={}", self.user),
        ];
        let authorities = format!("--ssl-ca={}", folder.join("authorities.pem").display());
        match (&self.tls, self.is_mariadb) {
            (Tls::Any, _) => {}
            (Tls::None, true) => options.push("--skip-ssl".to_owned()),
            (Tls::None, false) => options.push("--ssl-mode=DISABLED".to_owned()),
            (Tls::Verified(_), true) => {
                options.extend(["--ssl".to_owned(), authorities, "--ssl-verify-server-cert".to_owned()])
            }
            (Tls::Verified(_), false) => options.extend([authorities, "--ssl-mode=VERIFY_IDENTITY".to_owned()]),
        }
        options
    }

    /// Makes it; the folder that holds it, once it is whole.
    ///
    /// # Errors
    /// `dump-failed`, or `cancelled`; nothing of it is left.
    pub(super) fn make(&self, task: &mut Task<'_>, folder: &Path) -> Result<u64, Problem> {
        let host = task.host;
        let made =
            self.write(host, folder).map_err(|error| failed(folder, &error)).and_then(|()| self.run(task, folder));
        if made.is_err() {
            // What went wrong before is what is told.
            let _ = remove(host, folder);
        }
        made
    }

    /// Everything but the dump itself.
    fn write(&self, host: &dyn HostWrite, folder: &Path) -> io::Result<()> {
        let parent = folder.parent().unwrap_or(Path::new(STATE));
        match host.create_dir(parent, 0o700) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => host.create_dir(folder, 0o700)?,
        }
        let mut password = format!("{VARIABLE}='").into_bytes();
        for byte in self.password.expose() {
            match byte {
                b'\'' => password.extend(br"'\''"),
                byte => password.push(*byte),
            }
        }
        password.extend(b"'\n");
        let authorities = if let Tls::Verified(pem) = &self.tls { pem.as_slice() } else { b"" };
        let restore = self.restoring(folder);
        let files = [("password", &password[..]), ("restore", restore.as_bytes()), ("authorities.pem", authorities)];
        for (name, bytes) in files.into_iter().filter(|(_, bytes)| !bytes.is_empty()).chain([("dump.part", &b""[..])]) {
            let mut file = host.create(&folder.join(name), 0o600)?;
            file.write_all(bytes)?;
            file.sync()?;
        }
        host.sync_dir(parent)
    }

    /// The script that brings it back.
    fn restoring(&self, folder: &Path) -> String {
        let words = self.runner.iter().cloned().chain([self.programs.1.to_owned()]).chain(self.options(folder));
        let line = words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ");
        let folder = quoted(&folder.to_string_lossy());
        format!(
            "#!/bin/sh\n# Brings the databases back as they were before the upgrade; what was written since is lost.\n\
             # The product has to be stopped.\nset -eua\n. {folder}/password\nexec {line} <{folder}/dump.sql\n"
        )
    }

    fn run(&self, task: &mut Task<'_>, folder: &Path) -> Result<u64, Problem> {
        // The shell reads the password, so that it stands in no command line, and leaves what is printed to the file.
        let script = r#"set -a; . "$0/password"; exec "$@" >"$0/dump.part""#;
        let mut argv: Vec<String> = ["sh", "-c", script].map(str::to_owned).to_vec();
        argv.push(folder.to_string_lossy().into_owned());
        argv.extend(self.runner.iter().cloned());
        argv.push(self.programs.0.to_owned());
        argv.extend(self.options(folder));
        let more = "--verbose --single-transaction --quick --routines --triggers --no-tablespaces --add-drop-database";
        argv.extend(more.split(' ').map(str::to_owned));
        if !self.is_mariadb {
            // Servers of before 8 have no statistics of columns, and a user of the product may not set what was executed.
            argv.extend(["--loose-column-statistics=0", "--loose-set-gtid-purged=OFF"].map(str::to_owned));
        }
        argv.push("--databases".to_owned());
        argv.extend(self.databases.iter().cloned());
        let command = Command { deadline: WHOLE, ..Command::new(argv) };
        let mut said: Vec<String> = Vec::new();
        let watch: Watch<'_> = task.watch(IDLE);
        let (host, tell) = (task.host, &mut task.tell);
        let ended = host.follow(&command, &watch, &mut |line| {
            match line.strip_prefix("-- Retrieving table structure for table ") {
                Some(table) => tell(Told::Moving(&text!("dumping {}", Foreign::new(table.trim_end_matches("..."))))),
                None if line.starts_with("--") => {}
                None => said.push(line.to_owned()),
            }
            true
        });
        let because = match ended {
            Ok(output) if output.code == Some(0) && is_whole(host, folder) => return finish(host, folder),
            Ok(output) if output.code == Some(0) => "what it has written has no end".into(),
            Ok(_) => text!("{}", Foreign::new(last_lines(said.join("\n").as_bytes(), 3))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Err(Problem::host(id::CANCELLED, "cancelled while the databases were dumped"));
            }
            Err(error) => text!("{}", error),
        };
        Err(Problem::host(id::DUMP_FAILED, text!("{} did not dump the databases", self.programs.0))
            .because(because)
            .hint(TAKEN))
    }
}

/// Does the file end as a whole dump does?
fn is_whole(host: &dyn HostRead, folder: &Path) -> bool {
    let file = folder.join("dump.part").to_string_lossy().into_owned();
    let tail = host.run(&Command::new(["tail".to_owned(), "-c".to_owned(), "400".to_owned(), file]));
    tail.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().rfind(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with(WHOLE_DUMP))
    })
}

/// Gives it its name, durably; how large it is.
fn finish(host: &dyn HostWrite, folder: &Path) -> Result<u64, Problem> {
    let (part, whole) = (folder.join("dump.part"), folder.join("dump.sql"));
    let name =
        || host.append(&part)?.sync().and_then(|()| host.rename(&part, &whole)).and_then(|()| host.sync_dir(folder));
    name().map_err(|error| failed(folder, &error))?;
    let argv = ["stat".to_owned(), "-c".to_owned(), "%s".to_owned(), whole.to_string_lossy().into_owned()];
    let size =
        host.run(&Command::new(argv)).ok().and_then(|said| String::from_utf8(said.stdout).ok()?.trim().parse().ok());
    Ok(size.unwrap_or_default())
}

fn failed(folder: &Path, error: &io::Error) -> Problem {
    Problem::host(id::DUMP_FAILED, text!("a dump could not be written into {}", folder.display()))
        .caused_by(copy_of(error))
}

/// The folder of the next dump.
pub(super) fn next(host: &dyn HostRead) -> PathBuf {
    folder().join(stamp::run_name(host.now(), 0))
}

/// Removes a dump with all that is beside it.
///
/// # Errors
/// A file of it cannot be removed.
pub(in crate::deploy) fn remove(host: &dyn HostWrite, dump: &Path) -> io::Result<()> {
    for name in host.list(dump)? {
        host.remove_file(&dump.join(name))?;
    }
    match host.remove_dir(dump) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
