//! Whose file it is: nobody's, a package's, a configuration tool's or a user's.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;

use crate::assets;
use crate::host::{Command, HostRead};
use crate::text;
use crate::text::{Text, own};

/// What dpkg keeps of packages: `NAME.list` has a line for each of its files (dpkg-query(1)).
const DPKG: &str = "/var/lib/dpkg";

/// What ucf keeps of configuration files that no list has: `PACKAGE PATH` (ucf(1)).
const UCF: &str = "/var/lib/ucf/registry";

/// rpm's database, old and new place (rpm 4.16 has moved it).
const RPM: [&str; 2] = ["/var/lib/rpm", "/usr/lib/sysimage/rpm"];

/// Of packages by convention, where no database tells (hier(7), file-hierarchy(7)).
const OF_PACKAGES: [&str; 4] = ["/usr/", "/lib/", "/lib64/", "/sbin/"];

/// Homes of users.
const HOMES: [&str; 2] = ["/root", "/home"];

/// What does not outlive a start of the system (hier(7)).
const PASSING: [&str; 6] = ["/dev", "/proc", "/run", "/sys", "/tmp", "/var/run"];

/// How long a package manager may take; it takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// Whose file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// No package has it, and no tool has marked it.
    Nobody,
    /// It stands in the home folder of a user.
    User,
    /// It is made anew when the system starts.
    Passing,
    /// A package has installed it, or keeps it as its configuration.
    Package(String),
    /// The tool that says so in a comment.
    Tool(&'static str),
    /// It cannot be told.
    Unknown(Text),
}

impl Owner {
    /// Whose it is, as a sentence; `None`: nobody's.
    pub(crate) fn text(&self) -> Option<Text> {
        match self {
            Self::Nobody => None,
            Self::User => Some("it is a user's own file".into()),
            Self::Passing => Some("it is made anew when the system starts".into()),
            Self::Package(name) => Some(text!("it is of the package {}", name)),
            Self::Tool(name) => Some(text!("{} keeps it, by a comment in it", own(*name))),
            Self::Unknown(why) => Some(text!("whose it is cannot be told: {}", why)),
        }
    }
}

/// Whose the file at `path` is, links followed.
pub(crate) fn owner(host: &dyn HostRead, path: &Path) -> Owner {
    let unknown = |error: &dyn std::fmt::Display| Owner::Unknown(text!("{}", error.to_string()));
    let real = match host.resolve(path) {
        Ok(real) => real,
        Err(refused) => return unknown(&refused),
    };
    let is_below = |folders: &[&str]| folders.iter().any(|folder| real.starts_with(folder));
    if is_below(&HOMES) {
        return Owner::User;
    }
    if is_below(&PASSING) {
        return Owner::Passing;
    }
    match host.read(&real) {
        Err(error) => return unknown(&error),
        Ok(None) => {}
        Ok(Some(bytes)) => {
            if let Some(tool) = tool(&bytes) {
                return Owner::Tool(tool);
            }
        }
    }
    of_packages(host, &real)
}

/// The tool that says in a comment of the file that it keeps it.
pub(crate) fn tool(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    let comments: Vec<String> = text
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with(['#', ';']) || line.starts_with("//") || line.starts_with("/*"))
        .map(str::to_lowercase)
        .collect();
    let marks = |tool: &Tool, line: &str| {
        let has = |words: &&'static str| line.contains(words);
        tool.marks.iter().any(has) && !tool.but.iter().any(has)
    };
    let fits = |tool: &&Tool| comments.iter().any(|line| marks(tool, line));
    tools().iter().find(fits).map(|tool| tool.name)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    name: &'static str,
    marks: Vec<&'static str>,
    /// Of a comment with these words a mark says nothing.
    #[serde(default)]
    but: Vec<&'static str>,
}

fn tools() -> &'static [Tool] {
    static ALL: LazyLock<Vec<Tool>> = LazyLock::new(|| assets::only(&assets::OWNERS));
    &ALL
}

/// What one package manager says; `None`: it has no database here.
type Answer = Option<Result<Option<String>, Text>>;

fn of_packages(host: &dyn HostRead, real: &Path) -> Owner {
    let answers = [dpkg(host, real), rpm(host, real)];
    let mut doubt = None;
    for answer in answers.iter().flatten() {
        match answer {
            Ok(Some(package)) => return Owner::Package(package.clone()),
            Ok(None) => {}
            Err(why) => doubt = Some(why.clone()),
        }
    }
    let by_convention = || {
        let local = real.starts_with("/usr/local");
        !local && OF_PACKAGES.iter().any(|folder| real.to_string_lossy().starts_with(folder))
    };
    match doubt {
        Some(why) => Owner::Unknown(why),
        None if answers.iter().any(Option::is_some) => Owner::Nobody,
        None if by_convention() => {
            Owner::Unknown("packages install there, and no database of packages was found".into())
        }
        None => Owner::Nobody,
    }
}

/// Where `/lib` is a link to `usr/lib`, a package may name either.
fn aliases(real: &Path) -> Vec<PathBuf> {
    let mut all = vec![real.to_path_buf()];
    let below = |path: &Path| ["bin", "sbin", "lib", "lib32", "lib64"].iter().any(|folder| path.starts_with(folder));
    if let Ok(rest) = real.strip_prefix("/usr")
        && below(rest)
    {
        all.push(Path::new("/").join(rest));
    } else if let Ok(rest) = real.strip_prefix("/")
        && below(rest)
    {
        all.push(Path::new("/usr").join(rest));
    }
    all
}

fn is_there(host: &dyn HostRead, path: &str) -> Result<bool, Text> {
    let stat = host.lstat(Path::new(path)).map_err(|error| text!("{}: {}", own(path.to_owned()), error))?;
    Ok(stat.is_some())
}

fn dpkg(host: &dyn HostRead, real: &Path) -> Answer {
    let there = match is_there(host, DPKG) {
        Ok(there) => there,
        Err(why) => return Some(Err(why)),
    };
    let names = aliases(real);
    // A name is a pattern to dpkg where it has one of these.
    let plain = |path: &PathBuf| !path.to_string_lossy().contains(['*', '?', '[', '\\']);
    let argv = ["dpkg-query", "--search"].map(str::to_owned).into_iter();
    let argv = argv.chain(names.iter().map(|path| path.display().to_string()));
    if there && names.iter().all(plain) {
        match host.query(&Command { deadline: DEADLINE, ..Command::new(argv) }) {
            // 1: it has not found all of them.
            Ok(output) if matches!(output.code, Some(0 | 1)) => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let package = |line: &str| {
                    let (packages, _) = line.split_once(": ")?;
                    (!line.starts_with("diversion by ")).then(|| packages.to_owned())
                };
                let found = text.lines().find_map(package);
                return Some(if found.is_some() { Ok(found) } else { of_ucf(host, &names) });
            }
            Ok(output) => {
                let code = own(output.code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}")));
                return Some(Err(text!("dpkg-query ended with {}", code)));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::NotFound) => {}
            Err(error) => return Some(Err(text!("dpkg-query could not be run: {}", error))),
        }
    }
    there.then(|| match of_lists(host, &names)? {
        None => of_ucf(host, &names),
        found => Ok(found),
    })
}

/// dpkg's lists, for whoever cannot run dpkg.
fn of_lists(host: &dyn HostRead, names: &[PathBuf]) -> Result<Option<String>, Text> {
    let folder = Path::new(DPKG).join("info");
    let lists = host.list(&folder).map_err(|error| text!("{}: {}", folder.display(), error))?;
    let mut any = false;
    for list in lists.iter().filter(|name| Path::new(name).extension().is_some_and(|end| end == "list")) {
        any = true;
        let path = folder.join(list);
        let bytes = host.read(&path).map_err(|error| text!("{}: {}", path.display(), error))?.unwrap_or_default();
        let has = |name: &PathBuf| has_line(&bytes, name.as_os_str().as_encoded_bytes());
        if names.iter().any(has) {
            let stem = Path::new(list).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Some(stem.split(':').next().unwrap_or_default().to_owned()));
        }
    }
    if any { Ok(None) } else { Err(text!("{} has no lists of files", folder.display())) }
}

fn has_line(text: &[u8], line: &[u8]) -> bool {
    memchr::memmem::find_iter(text, line)
        .any(|at| (at == 0 || text[at - 1] == b'\n') && matches!(text.get(at + line.len()), None | Some(b'\n')))
}

fn of_ucf(host: &dyn HostRead, names: &[PathBuf]) -> Result<Option<String>, Text> {
    let bytes = host.read(Path::new(UCF)).map_err(|error| text!("{}: {}", own(UCF.to_owned()), error))?;
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let rows = text.lines().filter_map(|line| line.split_once(char::is_whitespace));
    let mut fitting = rows.filter(|(_, path)| names.iter().any(|name| name.as_os_str() == path.trim()));
    Ok(fitting.next().map(|(package, _)| package.to_owned()))
}

/// Its database is read by rpm alone.
fn rpm(host: &dyn HostRead, real: &Path) -> Answer {
    match RPM.iter().map(|path| is_there(host, path)).collect::<Result<Vec<bool>, Text>>() {
        Ok(there) if !there.contains(&true) => return None,
        Ok(_) => {}
        Err(why) => return Some(Err(why)),
    }
    let path = real.display().to_string();
    let argv = ["rpm", "--query", "--file", "--queryformat", "%{NAME}\\n", path.as_str()];
    let answer = match host.query(&Command { deadline: DEADLINE, ..Command::new(argv) }) {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            match output.code {
                Some(0) => Ok(text.lines().next().map(str::to_owned)),
                Some(1) if text.contains("is not owned by any package") => Ok(None),
                _ => Err("rpm gave no answer".into()),
            }
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::NotFound) => {
            Err("rpm's database is read by rpm alone, which cannot be run".into())
        }
        Err(error) => Err(text!("rpm could not be run: {}", error)),
    };
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn lists_registries_homes_and_marks_tell_whose_a_file_is() {
        let host = MemoryHost::new();
        host.put("/var/lib/dpkg/info/docker.io.list", b"/.\n/etc/default/docker\n/lib/systemd/system/docker.service\n");
        host.put("/var/lib/dpkg/info/libc6:amd64.list", b"/etc/ld.so.conf\n");
        host.put("/var/lib/ucf/registry", b"grub\t/etc/default/grub\n");
        for path in
            ["/etc/default/docker", "/etc/ld.so.conf", "/etc/default/grub", "/etc/default/dock", "/root/.bashrc"]
        {
            host.put(path, b"A=1\n");
        }
        host.put("/usr/lib/systemd/system/docker.service", b"[Service]\n");
        host.put("/etc/a", b"# This file is MANAGED BY Puppet\n");
        host.put("/run/x.conf", b"");
        host.put("/etc/b", b"A=do not edit\n");
        host.put_link("/etc/c", "/etc/default/docker", 0);
        for (path, expected) in [
            ("/etc/default/docker", Owner::Package("docker.io".to_owned())),
            ("/etc/c", Owner::Package("docker.io".to_owned())),
            ("/etc/ld.so.conf", Owner::Package("libc6".to_owned())),
            ("/usr/lib/systemd/system/docker.service", Owner::Package("docker.io".to_owned())),
            ("/etc/default/grub", Owner::Package("grub".to_owned())),
            ("/etc/default/dock", Owner::Nobody),
            ("/root/.bashrc", Owner::User),
            ("/run/x.conf", Owner::Passing),
            ("/etc/a", Owner::Tool("Puppet")),
            ("/etc/b", Owner::Nobody),
        ] {
            assert_eq!(owner(&host, Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let unknown = |host: &dyn HostRead, path: &str| matches!(owner(host, Path::new(path)), Owner::Unknown(_));
        let host = MemoryHost::new();
        host.put("/etc/x", b"A=1\n");
        host.put("/usr/lib/x", b"A=1\n");
        assert_eq!(owner(&host, Path::new("/etc/x")), Owner::Nobody, "an image without packages");
        assert!(unknown(&host, "/usr/lib/x"));
        host.put("/var/lib/dpkg/status", b"");
        assert!(unknown(&host, "/etc/x"), "dpkg without its lists");
        let host = MemoryHost::new();
        host.put("/etc/x", b"A=1\n");
        host.put("/var/lib/rpm/Packages", b"x");
        assert!(unknown(&host, "/etc/x"), "nothing but rpm reads its database");
    }

    #[test]
    fn every_tool_is_found_by_its_marks() {
        for tool in tools() {
            for mark in &tool.marks {
                let name = super::tool(format!("A=1\n  # x {} y\n", mark.to_uppercase()).as_bytes());
                assert!(name.is_some(), "{mark}");
            }
        }
    }
}
