//! The ways into the host, and the programs that are started there.
//!
//! Each way is the real one: `su`, `sudo`, sshd with its own PAM stack (`sshd -i` behind a ProxyCommand), cron's daemon with
//! an `@reboot` job. Measured on Debian 12.

use std::time::Duration;

use crate::clients::{self, Client, Target};
use crate::consumers::Who;
use crate::environment::LoginUser;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::host::Command;
use crate::sandbox::{Answer, Asked as Seen, KEPT, Login, Question, SCRIPT, Sandbox};
use crate::text;
use crate::text::{Text, host_port, own, quoted, seconds};
use crate::version::Version;

use super::{Ask, Door, Look, Program, Way, is_installed};

/// Programs that may be named.
pub(crate) const PROGRAMS: [&str; 6] = ["curl", "wget", "git", "python3", "apt-get", "dnf"];

/// How long one door may take, its programs included.
const DOOR_MS: u64 = 15_000;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Asks for each of its arguments; what comes back does not count.
const PYTHON: &str =
    "import sys, urllib.request as r\nfor u in sys.argv[1:]:\n try: r.urlopen(u, timeout=3)\n except Exception: pass";

/// What the programs did, and what stood in the way of others.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) programs: Vec<Program>,
    pub(super) findings: Vec<Finding>,
}

/// A program that asks.
struct Asker {
    program: &'static str,
    client: &'static Client,
}

impl Door {
    pub(super) fn consumer(self) -> Who {
        match self {
            Self::SuLogin | Self::Su | Self::Ssh => Who::Login,
            Self::Sudo | Self::SudoLogin => Who::Sudo,
            Self::Cron => Who::Cron,
            Self::Service => Who::Systemd,
            Self::Nothing => Who::PackageManager,
        }
    }

    fn is_there(self, look: &Look<'_>) -> bool {
        let all = |programs: &[&str]| programs.iter().all(|program| is_installed(look.host, program));
        match self {
            Self::SuLogin | Self::Su => all(&["su"]),
            Self::Ssh => all(&["sshd", "ssh", "ssh-keygen"]),
            Self::Sudo | Self::SudoLogin => all(&["su", "sudo"]),
            Self::Cron => cron(look).is_some(),
            Self::Service => true,
            Self::Nothing => false,
        }
    }
}

/// cron's daemon in the foreground: Debian's, or cronie.
fn cron(look: &Look<'_>) -> Option<[&'static str; 2]> {
    [["cron", "-f"], ["crond", "-n"]].into_iter().find(|[daemon, _]| is_installed(look.host, daemon))
}

/// The programs that are installed and wanted, but for package managers.
fn askers(look: &Look<'_>) -> Vec<Asker> {
    let curl = || {
        let command = Command { deadline: Duration::from_secs(2), ..Command::new(["curl", "--version"]) };
        let text = look.host.run(&command).ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())?;
        let release = text.strip_prefix("curl ")?.split_whitespace().next().and_then(Version::parse)?;
        clients::curl(&release)
    };
    let profile = |program: &str| match program {
        "curl" | "git" => curl().or_else(|| clients::by_id("curl-7.88")),
        "wget" => clients::by_id("wget-1.21"),
        "python3" => clients::by_id("python-urllib-3.11"),
        _ => None,
    };
    let wanted = PROGRAMS.into_iter().filter(|program| look.only.is_none_or(|only| only == *program));
    let there = wanted.filter(|program| is_installed(look.host, program));
    there.filter_map(|program| Some(Asker { program, client: profile(program)? })).collect()
}

/// A package manager that is installed and wanted.
fn manager(look: &Look<'_>) -> Option<Asker> {
    let known = [("apt-get", "apt-2.6"), ("dnf", "dnf-4.14")];
    let (program, id) = known.into_iter().find(|(program, _)| is_installed(look.host, program))?;
    let client = clients::by_id(id).filter(|_| look.only.is_none_or(|only| only == program))?;
    Some(Asker { program, client })
}

/// A line of sh that asks for all three.
fn line(program: &str, urls: &[String]) -> String {
    let urls: Vec<String> = urls.iter().map(|url| quoted(url)).collect();
    let each = |command: &str| {
        let lines: Vec<String> = urls.iter().map(|url| format!("{command} {url}")).collect();
        lines.join("; ")
    };
    match program {
        "curl" => each("curl -s -m 3 -o /dev/null"),
        "wget" => each("wget -q -O /dev/null --tries=1 --timeout=3"),
        "git" => format!("export GIT_TERMINAL_PROMPT=0; {}", each("git ls-remote")),
        "python3" => format!("python3 -c {} {}", quoted(PYTHON), urls.join(" ")),
        "apt-get" => {
            let sources: String = urls.iter().map(|url| format!("echo deb [trusted=yes] {url} x main; ")).collect();
            format!(
                "cd /tmp; mkdir -p apt/partial; {{ {sources}}} >apt.list; apt-get -q update \
                 -o Dir::Etc::sourcelist=/tmp/apt.list -o Dir::Etc::sourceparts=- -o Dir::State::Lists=/tmp/apt \
                 -o Acquire::Retries=0 -o Acquire::http::Timeout=3 -o Acquire::https::Timeout=3"
            )
        }
        _ => {
            let repositories: String =
                urls.iter().enumerate().map(|(number, url)| format!(" --repofrompath=ask{number},{url}")).collect();
            format!(
                "dnf -q -y --setopt=reposdir=/nonexistent --setopt=cachedir=/tmp/dnf --setopt=retries=1 \
                 --setopt=timeout=3{repositories} makecache"
            )
        }
    }
}

/// Every program at every door, none of them asked.
pub(super) fn unasked(look: &Look<'_>) -> Vec<Program> {
    let user = LoginUser::of(look.host).name;
    let doors = Door::ALL.into_iter().filter(|door| door.is_there(look));
    let mut programs: Vec<Program> = doors
        .flat_map(|door| askers(look).into_iter().map(move |asker| (door, asker)))
        .map(|(door, asker)| program(door, &asker, Some(user.clone()), Vec::new()))
        .collect();
    programs.extend(manager(look).map(|asker| program(Door::Nothing, &asker, None, Vec::new())));
    programs
}

fn program(door: Door, asker: &Asker, user: Option<String>, asks: Vec<Ask>) -> Program {
    let Asker { program, client } = *asker;
    let user = user.filter(|_| !matches!(door, Door::Service | Door::Nothing));
    Program { consumer: door.consumer(), door, client, program, user, asks, model: Vec::new(), wrong: Vec::new() }
}

/// Goes through every door with every program.
pub(super) fn ask(look: &Look<'_>, sandbox: &mut Sandbox, urls: &[String], targets: &[Target]) -> Asked {
    let mut asked = Asked::default();
    let login = LoginUser::of(look.host);
    let askers = askers(look);
    // A login that hangs is waited for once.
    let mut hangs = false;
    for door in Door::ALL.into_iter().filter(|door| door.is_there(look) && !askers.is_empty()) {
        let (user, question) = match question(door, look, sandbox, &login, hangs) {
            Ok(asked) => asked,
            Err(why) => {
                asked.findings.push(closed(door, &login.name, why));
                asked.programs.extend(askers.iter().map(|asker| program(door, asker, None, Vec::new())));
                continue;
            }
        };
        let steps = askers.iter().map(|asker| (asker.program.to_owned(), line(asker.program, urls))).collect();
        let answer = match sandbox.ask(Question { steps, ..question }) {
            Ok(answer) => {
                hangs |= door == Door::SuLogin && !answer.opened && answer.code.is_none();
                if !answer.done {
                    asked.findings.push(closed(door, &user, unfinished(&answer)));
                }
                Some(answer).filter(|answer| answer.opened)
            }
            Err(why) => {
                asked.findings.push(closed(door, &user, why));
                None
            }
        };
        for asker in &askers {
            let asks = answer.as_ref().map(|answer| asks(answer, asker.program, targets)).unwrap_or_default();
            asked.programs.push(program(door, asker, Some(user.clone()), asks));
        }
    }
    if let Some(asker) = manager(look) {
        let steps = vec![(asker.program.to_owned(), line(asker.program, urls))];
        match sandbox.ask(Question { steps, ..plain(&["sh", SCRIPT]) }) {
            Ok(answer) => {
                asked.programs.push(program(Door::Nothing, &asker, None, asks(&answer, asker.program, targets)))
            }
            Err(why) => asked.findings.push(closed(Door::Nothing, asker.program, why)),
        }
    }
    asked
}

fn plain(argv: &[&str]) -> Question {
    Question {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        environment: vec![("PATH".to_owned(), PATH.to_owned())],
        deadline_ms: DOOR_MS,
        ..Question::default()
    }
}

/// Who goes through a door, and how.
fn question(
    door: Door,
    look: &Look<'_>,
    sandbox: &mut Sandbox,
    login: &LoginUser,
    hangs: bool,
) -> Result<(String, Question), Text> {
    let shell: &[&str] = if login.needs_shell { &["-s", "/bin/sh"] } else { &[] };
    let run = format!("sh {SCRIPT}");
    let name = login.name.as_str();
    let question = match door {
        Door::SuLogin => plain(&[&["su", "-"], shell, &[name, "-c", &run]].concat()),
        Door::Su => plain(&[&["su"], shell, &[name, "-c", &run]].concat()),
        Door::Ssh if hangs => return Err("a login of this user does not come to its end".into()),
        Door::Ssh => ssh(sandbox, name)?,
        Door::Sudo | Door::SudoLogin => {
            let may = plain(&[&["su", "-"], shell, &[name, "-c", "sudo -n true"]].concat());
            let may = !hangs && sandbox.ask(may)?.code == Some(0);
            let (name, shell) = if may { (name, shell) } else { ("root", &[][..]) };
            let how = if door == Door::Sudo { "sudo -n" } else { "sudo -n -i" };
            let question = plain(&[&["su", "-"], shell, &[name, "-c", &format!("{how} {run}")]].concat());
            return Ok((name.to_owned(), question));
        }
        Door::Cron => {
            let daemon = cron(look).unwrap_or(["cron", "-f"]).join(" ");
            // Jobs of others are not started; their files are layers in memory here.
            let others = "/etc/crontab /etc/anacrontab /etc/cron.d/* /var/spool/cron/* /var/spool/cron/crontabs/*";
            let job = format!("MAILTO=\\\"\\\"\\n@reboot {name} {run}\\n");
            let script = format!(
                "rm -rf -- {others} 2>/dev/null; mkdir -p /etc/cron.d /var/spool/cron/crontabs; \
                 printf \"{job}\" >/etc/cron.d/ics-setup-ask; chmod 644 /etc/cron.d/ics-setup-ask; exec {daemon}"
            );
            plain(&["sh", "-c", &script])
        }
        Door::Service | Door::Nothing => plain(&["sh", SCRIPT]),
    };
    Ok((name.to_owned(), question))
}

/// A login through sshd with keys that exist inside alone.
fn ssh(sandbox: &mut Sandbox, name: &str) -> Result<Question, Text> {
    let keys = format!(
        "cd {KEPT} && for key in host key; do [ -e $key ] || ssh-keygen -q -t ed25519 -N '' -f $key; done && \
         cp key.pub authorized && chmod 644 authorized"
    );
    let made = sandbox.ask(plain(&["sh", "-c", &keys]))?;
    if made.code != Some(0) {
        return Err(text!("ssh-keygen made no keys: {}", made.said));
    }
    let daemon = format!(
        "ProxyCommand=$(command -v sshd) -i -h {KEPT}/host -o AuthorizedKeysFile={KEPT}/authorized -o StrictModes=no"
    );
    // A shell that reads its commands is a login shell, as a person's is; one with a command is not.
    let client = format!(
        "exec ssh -T -F none -o \"{daemon}\" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
         -o BatchMode=yes -o IdentitiesOnly=yes -o LogLevel=ERROR -i {KEPT}/key {}@ask",
        quoted(name)
    );
    Ok(Question { input: Some(format!("exec sh {SCRIPT}\n")), ..plain(&["sh", "-c", &client]) })
}

/// What a program did with each target.
fn asks(answer: &Answer, program: &str, targets: &[Target]) -> Vec<Ask> {
    let host = |target: &Target| match &target.host {
        clients::Host::Name(name) => name.clone(),
        clients::Host::V4(address) => address.to_string(),
        clients::Host::V6(address) => address.to_string(),
    };
    let ask = |target: &Target| {
        let host = host(target);
        let mine: Vec<&Seen> = answer.asked.iter().filter(|seen| seen.step == program && seen.host == host).collect();
        // The first decides the way; a login may come at a second try.
        match mine.first().map(|first| &first.proxy) {
            None => Ask { way: Way::None, proxy: None, login: Login::None },
            Some(None) => Ask { way: Way::Direct, proxy: None, login: Login::None },
            Some(Some((name, port))) => {
                let login = mine.iter().map(|seen| seen.login).min().unwrap_or(Login::None);
                Ask { way: Way::Proxy, proxy: Some(host_port(name, *port)), login }
            }
        }
    };
    targets.iter().map(ask).collect()
}

/// Why a script did not come to its end.
fn unfinished(answer: &Answer) -> Text {
    let late = || text!("no end within {}", own(seconds(Duration::from_millis(DOOR_MS))));
    match answer.code {
        None if answer.said.is_empty() => late(),
        None => text!("{}: {}", late(), answer.said),
        Some(code) => text!("exit code {}: {}", code, answer.said),
    }
}

/// A door that did not open.
fn closed(door: Door, user: &str, why: Text) -> Finding {
    let title = match door {
        Door::Nothing => text!("{} could not be asked", own(user)),
        _ => text!("{} did not let {} in, so no program was asked there", own(door.as_str()), own(user)),
    };
    Finding::new(ids::PROVE_DOOR, Status::Warn, title)
        .observed(why)
        .cause("the door's own rules, or what it starts, ended it before a program ran")
        .advise("try it as this user; prove goes the same way")
        .evidence("known", own("asked"))
}
