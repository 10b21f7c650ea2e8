//! A dump of both databases, made by a program that knows how: that of the database's container, or this host's. Nothing here
//! reads or writes the format.
//!
//! A dump is a folder that root alone can enter: `dump.sql`, the password as the programs take it from their environment, and
//! `restore`, which brings it back. A dump that is not whole has another name.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::task::{Task, Told};
use super::super::words::last_lines;
use crate::host::{Command, HostRead, HostWrite, Watch};
use crate::problem::{Problem, copy_of, id};
use crate::secret::Secret;
use crate::settings::STATE;
use crate::stamp;
use crate::text;
use crate::text::{CommandLine, Foreign, Text, as_root, own, quoted, typed};

/// Says that a backup was taken.
pub(super) fn taken() -> Text {
    text!("back up both databases, then say so in the same command: {}", typed("--backup-taken"))
}

/// A dump ends so long after the last table that was begun.
const IDLE: Duration = Duration::from_secs(3600);

/// No dump takes longer.
const WHOLE: Duration = Duration::from_secs(24 * 3600);

/// The last line of a whole dump, of all of these programs.
const WHOLE_DUMP: &str = "-- Dump completed";

/// How the password comes to them.
pub(super) const VARIABLE: &str = "MYSQL_PWD";

/// A dump that can be made.
#[derive(Debug)]
pub(super) struct Dump {
    /// Before each of the programs: `docker exec`, or nothing.
    pub(super) runner: Vec<String>,
    /// The programs.
    pub(super) programs: (&'static str, &'static str),
    /// Of MariaDB, whose options have other names.
    pub(super) is_mariadb: bool,
    /// Where the programs find the server.
    pub(super) place: (String, u16),
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) databases: Vec<String>,
    pub(super) tls: Tls,
    /// About so large.
    pub(super) bytes: u64,
}

/// How the programs speak to the server.
#[derive(Debug)]
pub(super) enum Tls {
    /// As they like: they run beside it.
    Any,
    /// Not at all.
    None,
    /// Only with one whose certificate is signed by these (PEM).
    Verified(Vec<u8>),
}

/// Where dumps are.
pub(super) fn folder() -> PathBuf {
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
                Some(table) => tell(Told::Moving(&text!("at {}", Foreign::new(table.trim_end_matches("..."))))),
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
            .hint(taken()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::host::MemoryHost;

    const SECRET: &str = "S3cret'Db";

    fn dump(runner: &[&str], is_mariadb: bool, tls: Tls) -> Dump {
        Dump {
            runner: runner.iter().map(|&word| word.to_owned()).collect(),
            programs: ("mysqldump", "mysql"),
            is_mariadb,
            place: ("db.corp.example".to_owned(), 3306),
            user: "divvy".to_owned(),
            password: Secret::new(SECRET),
            databases: vec!["divvy".to_owned(), "divvykeys".to_owned()],
            tls,
            bytes: 1000,
        }
    }

    fn made(host: &Double, dump: &Dump) -> Result<u64, Problem> {
        let folder = Path::new("/var/lib/ics-setup/dumps/one");
        dump.make(&mut Task { host, tell: &mut |_| (), stop: &|| false }, folder)
    }

    fn host(tail: &str) -> Double {
        let files = MemoryHost::new();
        files.put("/var/lib/ics-setup/lock", b"");
        Double::with(files).prints("sh -c", "").prints("tail", tail).prints("stat", "1234\n")
    }

    #[test]
    fn a_dump_is_whole_or_not_there_and_no_command_line_has_the_password() {
        let tls = Tls::Verified(b"authorities".to_vec());
        let host_whole = host("UNLOCK\n-- Dump completed on 2026-11-29 13:00:00\n");
        assert_eq!(made(&host_whole, &dump(&[], false, tls)).unwrap(), 1234);
        let read = |name: &str| {
            let bytes = host_whole.read(&Path::new("/var/lib/ics-setup/dumps/one").join(name)).unwrap().unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(read("password"), "MYSQL_PWD='S3cret'\\''Db'\n");
        assert_eq!((read("authorities.pem"), read("dump.sql")), ("authorities".to_owned(), String::new()));
        assert!(read("restore").contains("exec mysql --no-defaults --protocol=TCP --host=db.corp.example"));
        let ran: Vec<String> = host_whole.ran.lock().unwrap().iter().map(|own| own.argv.join(" ")).collect();
        assert!(ran.iter().all(|line| !line.contains("S3cret")) && !read("restore").contains("S3cret"), "{ran:?}");
        assert!(ran[0].contains("--ssl-mode=VERIFY_IDENTITY") && ran[0].ends_with("--databases divvy divvykeys"));

        let cut = host("INSERT INTO\n");
        assert!(made(&cut, &dump(&["docker", "exec", "mysql"], true, Tls::Any)).is_err());
        assert!(cut.list(Path::new("/var/lib/ics-setup/dumps")).unwrap().is_empty());
    }

    #[test]
    fn each_make_of_program_is_told_about_tls_in_its_own_words() {
        let options = |is_mariadb, tls| dump(&[], is_mariadb, tls).options(Path::new("/d")).join(" ");
        assert!(options(true, Tls::None).ends_with("--skip-ssl"));
        assert!(options(false, Tls::None).ends_with("--ssl-mode=DISABLED"));
        assert!(
            options(true, Tls::Verified(Vec::new())).ends_with("--ssl-ca=/d/authorities.pem --ssl-verify-server-cert")
        );
        assert!(options(false, Tls::Any).ends_with("--user=divvy"));
    }
}
