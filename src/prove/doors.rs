//! The programs that are started behind each door.

use std::cell::LazyCell;
use std::time::Duration;

use crate::clients::{self, Client, Target};
use crate::consumers::callers::{Caller, is_installed};
use crate::consumers::{Door, programs};
use crate::environment::{self, LoginUser, Unseen};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::net::BUNDLES;
use crate::progress::Progress;
use crate::sandbox::{Answer, Asked as Seen, Login, Question, SCRIPT, Sandbox};
use crate::text;
use crate::text::{Text, host_port, own, quoted};

use super::{Ask, Look, Program, Way};

/// Programs that may be named.
pub(crate) const PROGRAMS: [&str; 7] = ["curl", "wget", "git", "python3", "docker", "apt-get", "dnf"];

/// How long one door may take, its programs included.
const DOOR_MS: u64 = 15_000;

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

/// The programs that are installed and wanted, but for package managers.
fn askers(look: &Look<'_>) -> Vec<Asker> {
    // It is asked once, and only where one of the two is started.
    let curl = LazyCell::new(|| programs::curl_of(look.host));
    let profile = |program: &str| match program {
        "curl" | "git" => Some(*curl),
        program if programs::is_manager(program, None) => None,
        program => usual(program),
    };
    let wanted = PROGRAMS.into_iter().filter(|program| look.only.is_none_or(|only| only == *program));
    let there = wanted.filter(|program| is_installed(look.host, program));
    there.filter_map(|program| Some(Asker { program, client: profile(program)? })).collect()
}

/// The client that a program is, as a rule.
fn usual(program: &str) -> Option<&'static Client> {
    programs::clients_of(program, &[]).first().copied()
}

/// A package manager that is installed and wanted.
fn manager(look: &Look<'_>) -> Option<Asker> {
    // Where there are several, that of the system, which stands first for its family.
    let own = look.platform.map(|platform| platform.package_manager(look.host).name);
    let wanted = |program: &&str| match look.only {
        Some(only) => only == *program,
        None => is_installed(look.host, program) && own.is_none_or(|own| program.starts_with(own)),
    };
    let managers = PROGRAMS.into_iter().filter(|program| programs::is_manager(program, None));
    let program = { managers }.find(|program| wanted(program) && is_installed(look.host, program))?;
    Some(Asker { program, client: usual(program)? })
}

/// A line of sh that asks for all three.
fn line(program: &str, targets: &[Target], urls: &[String]) -> String {
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
        // The client speaks HTTP to an engine elsewhere, by way of the proxy of its environment. For TLS it wants a file of
        // certificates (26.1), whichever that is.
        "docker" => targets.iter().fold(of_bundle(), |lines, target| {
            let (tls, port) = if target.tls { ("--tls --tlscacert \"$ca\" ", 443) } else { ("", 80) };
            let place = quoted(&host_port(&target.host.to_string(), target.port.unwrap_or(port)));
            format!("{lines}timeout 3 docker {tls}-H tcp://{place} version; ")
        }),
        "apt-get" => {
            let sources: String = urls.iter().map(|url| format!("echo deb [trusted=yes] {url} x main; ")).collect();
            format!(
                "cd /tmp; mkdir -p apt/partial; {{ {sources}}} >apt.list; apt-get -q update \
                 -o Dir::Etc::sourcelist=/tmp/apt.list -o Dir::Etc::sourceparts=- -o Dir::State::Lists=/tmp/apt \
                 -o Acquire::Retries=0 -o Acquire::http::Timeout=3 -o Acquire::https::Timeout=3"
            )
        }
        // dnf stops at the first repository that fails.
        _ => urls.iter().fold(String::new(), |lines, url| {
            format!(
                "{lines}dnf -q -y --setopt=reposdir=/nonexistent --setopt=cachedir=/tmp/dnf --setopt=retries=1 \
                 --setopt=timeout=3 --repofrompath=ask,{url} makecache; "
            )
        }),
    }
}

/// Sets `ca` to the bundle of trusted certificates.
fn of_bundle() -> String {
    format!("for ca in {}; do [ ! -e \"$ca\" ] || break; done; ", BUNDLES.join(" "))
}

/// Every program at every door, none of them asked.
pub(super) fn unasked(look: &Look<'_>) -> Vec<Program> {
    let user = LoginUser::of(look.host).name;
    let doors = Door::ALL.into_iter().filter(|door| door.is_there(look.host));
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
    let said = Progress::begin("asking programs of this host");
    let login = LoginUser::of(look.host);
    let askers = askers(look);
    let mut caller = Caller::new(look.host, login.clone(), DOOR_MS);
    for door in Door::ALL.into_iter().filter(|door| door.is_there(look.host) && !askers.is_empty()) {
        let question = caller.question(door, sandbox).and_then(|(user, question)| match door {
            Door::Service => Ok((user, Question { environment: of_services(look)?, ..question })),
            _ => Ok((user, question)),
        });
        let (user, question) = match question {
            Ok(asked) => asked,
            Err(why) => {
                let title = match door {
                    Door::Service => "no program was asked as a service: the models alone speak".into(),
                    _ => text!(
                        "{} of {} was not tried, so no program was asked there",
                        own(door.as_str()),
                        own(&login.name)
                    ),
                };
                asked.findings.push(Finding::new(ids::PROVE_DOOR, Status::Skip, title).observed(why));
                asked.programs.extend(askers.iter().map(|asker| program(door, asker, None, Vec::new())));
                continue;
            }
        };
        let steps = askers.iter().map(|asker| (asker.program.to_owned(), line(asker.program, targets, urls))).collect();
        said.so_far(door.as_str());
        let answer = match sandbox.ask(Question { steps, ..question }) {
            Ok(answer) => {
                caller.hangs |= door == Door::SuLogin && !answer.opened && answer.code.is_none();
                if !answer.done {
                    asked.findings.push(closed(door, &user, caller.unfinished(&answer)));
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
        said.so_far(asker.program);
        let steps = vec![(asker.program.to_owned(), line(asker.program, targets, urls))];
        match sandbox.ask(Question { steps, ..caller.plain(&["sh", SCRIPT]) }) {
            Ok(answer) => {
                asked.programs.push(program(Door::Nothing, &asker, None, asks(&answer, asker.program, targets)))
            }
            Err(why) => asked.findings.push(closed(Door::Nothing, asker.program, why)),
        }
    }
    asked
}

/// The environment that the running systemd gives to all its services.
///
/// # Errors
/// It cannot be asked, so that nobody but the models knows.
fn of_services(look: &Look<'_>) -> Result<Vec<(String, String)>, Text> {
    if look.changes.is_some() {
        return Err(
            "what systemd gives to services once the planned files are there is known by the models alone".into()
        );
    }
    match environment::services(look.host, Duration::from_millis(DOOR_MS)) {
        Ok(variables) => Ok(variables),
        Err(Unseen::Absent(why) | Unseen::Failed(why)) => Err(why),
    }
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

/// Doors that this host does not have: nothing is proven of them.
pub(super) fn absent(look: &Look<'_>) -> Option<Finding> {
    let mut programs: Vec<&str> = Door::ALL.into_iter().filter_map(|door| door.missing(look.host)).collect();
    programs.sort_unstable();
    programs.dedup();
    let why = "nobody comes in that way, so nothing was asked there";
    let title = text!("not installed: {}", own(programs.join(", ")));
    (!programs.is_empty()).then(|| Finding::skip(ids::PROVE_DOOR, title).observed(why))
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
