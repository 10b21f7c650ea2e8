//! Logins, cron, services and `prod.env`, by what their files say.

use std::collections::BTreeMap;
use std::path::Path;

use super::reader::FileProbe;
use super::sight::{Place, Sight, Sights};
use super::{Consumer, NAMES, State, Who, logins};
use crate::envfile::{Dialect, PamLimit, Seen, Syntax, find, unit};
use crate::environment::{self, LoginUser};
use crate::host::Command;
use crate::platform::Platform;
use crate::text;
use crate::text::own;
use crate::vendor::prod_env as path_of_prod_env;

const ENVIRONMENT: &str = "/etc/environment";

/// Lines that are shorter fit the buffer of every pam_env, so its release need not be looked up.
const FITS_EVERY_PAM: usize = 1000;

/// What a reader gets for each name.
type Readings = BTreeMap<&'static str, Seen>;

/// Logins of root and of an ordinary user, for a command and at a terminal, by the files that they read: `/etc/environment`,
/// then those of the shell. One consumer where all of them get the same; and other shells whose files mention the names.
pub(super) fn login(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Vec<Consumer> {
    let environment = Path::new(ENVIRONMENT);
    let start = match probe.read(environment) {
        Ok(bytes) => given(environment, &bytes.unwrap_or_default()),
        Err((state, why)) => return vec![Consumer::unseen(Who::Login, ENVIRONMENT, state, why)],
    };
    let mut ways: Vec<(Vec<String>, Consumer)> = Vec::new();
    for name in [LoginUser::of(probe.host).name.as_str(), "root"] {
        let user = match logins::user(probe.host, name) {
            Ok(user) => user,
            Err(error) => {
                let why = text!("/etc/passwd or /etc/group could not be read: {}", error);
                return vec![Consumer::unseen(Who::Login, "/etc/passwd", State::Unreadable, why)];
            }
        };
        for interactive in [false, true] {
            let sights = logins::login(probe.host, platform, &user, interactive, &start);
            let consumer = of_sights(probe, &sights);
            let way = if interactive { format!("{name} at a terminal") } else { name.to_owned() };
            match ways.iter_mut().find(|(_, known)| same(known, &consumer)) {
                Some((names, _)) => names.push(way),
                None => ways.push((vec![way], consumer)),
            }
        }
    }
    let several = ways.len() > 1;
    let named = |(names, consumer): (Vec<String>, Consumer)| {
        let users: Vec<&String> = names.iter().filter(|name| !name.contains(' ')).collect();
        // At a terminal too, where both are in it.
        let both = |name: &String| match name.split_once(' ') {
            Some((user, _)) => !users.iter().any(|other| *other == user),
            None => true,
        };
        let names: Vec<String> = names.iter().filter(|name| both(name)).cloned().collect();
        Consumer { name: several.then(|| names.join(" and ")), ..consumer }
    };
    let mut consumers: Vec<Consumer> = ways.into_iter().map(named).collect();
    for (family, sights) in logins::others(probe.host) {
        consumers.push(Consumer { name: Some(format!("a user of {}", family.name())), ..of_sights(probe, &sights) });
    }
    consumers
}

/// What pam_env gives a login.
fn given(path: &Path, bytes: &[u8]) -> Sights {
    let reading = Dialect::PamEnv(PamLimit::None).read_only(bytes, &logins::NAMES.map(str::as_bytes));
    let lines = find(bytes, Syntax::PamEnv, &logins::NAMES);
    let sight = |(name, seen): (Vec<u8>, Seen)| {
        let name = String::from_utf8_lossy(&name).into_owned();
        let last = lines.iter().rev().find(|line| logins::NAMES[line.name] == name);
        let at = Place::new(path, last.map_or(0, |line| line.line));
        let sight = match seen {
            Seen::Value(value) => match String::from_utf8(value) {
                Ok(value) => Sight::Value { value, at },
                Err(_) => Sight::Unknown { at, why: "its value is no UTF-8".into() },
            },
            Seen::Inherited | Seen::Unknown => Sight::Unknown { at, why: "releases of pam_env differ about it".into() },
        };
        (name, sight)
    };
    reading.variables.into_iter().map(sight).collect()
}

/// A consumer that gets what a model says.
fn of_sights(probe: &mut FileProbe<'_>, sights: &Sights) -> Consumer {
    let mut sources: Vec<String> = Vec::new();
    for sight in NAMES.iter().filter_map(|name| sights.get(*name)) {
        let shown = probe.shown(&sight.at().path);
        if !sources.contains(&shown) {
            sources.push(shown);
        }
    }
    if sources.is_empty() {
        sources = [ENVIRONMENT, "/etc/profile.d"].map(|path| probe.shown(Path::new(path))).to_vec();
    }
    let mut consumer = Consumer::new(Who::Login, None, sources.join(", "));
    probe.fill(&mut consumer, |name| sights.get(name).and_then(Sight::value).map(str::to_owned));
    let unknown = NAMES.iter().filter_map(|name| match sights.get(*name)? {
        Sight::Unknown { at, why } => Some((*name, at, why)),
        _ => None,
    });
    for (name, at, why) in unknown {
        consumer.unknown.push(name.to_owned());
        if consumer.why.is_none() {
            consumer.why = Some(match at.line {
                0 => text!("{}: {}", probe.host.shown(&at.path), why.clone()),
                line => text!("{}:{}: {}", probe.host.shown(&at.path), line, why.clone()),
            });
        }
    }
    consumer
}

/// Do both get the same? By which files is another question.
fn same(one: &Consumer, other: &Consumer) -> bool {
    Consumer { source: other.source.clone(), why: other.why.clone(), ..one.clone() } == *other
}

/// cron jobs: decided from the PAM stack.
pub(super) fn cron(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Consumer {
    let Some(stack) = environment::cron(probe.host) else {
        return Consumer::unseen(Who::Cron, "/etc/pam.d/cron", State::Skipped, "cron is not installed");
    };
    let pam = probe.shown(&stack.path);
    if !stack.reads_environment {
        return Consumer::new(Who::Cron, None, format!("{pam} (it has no pam_env.so line)"));
    }
    let bytes = match probe.read(Path::new(ENVIRONMENT)) {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err((state, why)) => return Consumer::unseen(Who::Cron, ENVIRONMENT, state, why),
    };
    let longest = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
    let limit = match platform {
        Some(platform) if longest > FITS_EVERY_PAM => platform.pam_limit(probe.host).limit,
        _ => PamLimit::None,
    };
    let mut readings = Readings::new();
    let reading = Dialect::PamEnv(limit).read_only(&bytes, &names_as_bytes());
    let file = probe.shown(Path::new(ENVIRONMENT));
    take(&mut readings, &mut Vec::new(), reading, String::new());
    of_readings(probe, Consumer::new(Who::Cron, None, format!("{file} by {pam}")), &readings)
}

/// `DefaultEnvironment=` of systemd's own configuration, where systemd cannot be asked.
pub(super) fn services(probe: &mut FileProbe<'_>) -> Consumer {
    let main = Path::new("/etc/systemd/system.conf");
    let folder = Path::new("/etc/systemd/system.conf.d");
    let mut paths = vec![main.to_path_buf()];
    paths.extend(probe.host.list(folder).unwrap_or_default().into_iter().map(|name| folder.join(name)));
    let mut text = Vec::new();
    let mut sources = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "conf")) {
        match probe.read(path) {
            Ok(Some(bytes)) => {
                // The same grammar as Environment= of a unit, under another name.
                let own: String = String::from_utf8_lossy(&bytes)
                    .lines()
                    .filter_map(|line| line.trim_start().strip_prefix("DefaultEnvironment="))
                    .map(|value| format!("Environment={value}\n"))
                    .collect();
                if !own.is_empty() {
                    sources.push(probe.shown(path));
                }
                text.extend_from_slice(own.as_bytes());
            }
            Ok(None) => {}
            Err((state, why)) => return Consumer::unseen(Who::Systemd, path.display().to_string(), state, why),
        }
    }
    let assignments = unit::assignments(&[b"[Service]\n", text.as_slice()].concat());
    let source = if sources.is_empty() { probe.shown(main) } else { sources.join(", ") };
    let mut consumer = Consumer::new(Who::Systemd, None, source);
    probe.fill(&mut consumer, |name| {
        unit::value(&assignments, name).map(|found| String::from_utf8_lossy(&found.value).into_owned())
    });
    consumer
}

/// `prod.env`: one consumer where all its readers see the same, else one for each way of reading it.
pub(super) fn prod_env(probe: &mut FileProbe<'_>, home: &Path) -> Vec<Consumer> {
    let path = path_of_prod_env(home);
    let shown = probe.shown(&path);
    let bytes = match probe.read(&path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let why = text!("{} is not there: the product is not installed", own(&shown));
            return vec![Consumer::unseen(Who::ProdEnv, shown, State::Skipped, why)];
        }
        Err((state, why)) => return vec![Consumer::unseen(Who::ProdEnv, shown, state, why)],
    };
    let mut ways: Vec<(Vec<&'static str>, Consumer)> = Vec::new();
    for dialect in readers(probe) {
        let reading = dialect.read_only(&bytes, &names_as_bytes());
        let fatal = reading.complaints.iter().find(|complaint| complaint.fatal).cloned();
        let mut readings = Readings::new();
        take(&mut readings, &mut Vec::new(), reading, String::new());
        let consumer = match fatal {
            Some(complaint) => {
                let why = text!("line {}: {}", complaint.line, own(complaint.message));
                Consumer::unseen(Who::ProdEnv, shown.as_str(), State::Unreadable, why)
            }
            None => of_readings(probe, Consumer::new(Who::ProdEnv, None, shown.as_str()), &readings),
        };
        match ways.iter_mut().find(|(_, known)| *known == consumer) {
            Some((names, _)) => names.push(dialect.name()),
            None => ways.push((vec![dialect.name()], consumer)),
        }
    }
    let several = ways.len() > 1;
    let named =
        |(names, consumer): (Vec<&str>, Consumer)| Consumer { name: several.then(|| names.join(", ")), ..consumer };
    ways.into_iter().map(named).collect()
}

/// The readers of `prod.env` that this host has; all that there are where none can be asked.
fn readers(probe: &FileProbe<'_>) -> Vec<Dialect> {
    let mut found = Vec::new();
    if probe.host.is_live() {
        let version = |argv: &[&str]| {
            let command = Command { deadline: probe.limit(), ..Command::new(argv.iter().copied()) };
            let output = probe.host.run(&command).ok().filter(|output| output.code == Some(0))?;
            Dialect::of_compose(&String::from_utf8_lossy(&output.stdout))
        };
        found.extend(version(&["docker-compose", "version", "--short"]));
        found
            .extend(version(&["docker", "compose", "version", "--short"]).filter(|found| *found == Dialect::ComposeV2));
        found.dedup();
    }
    if found.is_empty() {
        found = vec![Dialect::ComposeV1Plain, Dialect::ComposeV1Dotenv, Dialect::ComposeV2];
    }
    found
}

fn names_as_bytes() -> [&'static [u8]; 6] {
    NAMES.map(str::as_bytes)
}

/// What is read later counts; a name that a file does not mention keeps what it had.
fn take(readings: &mut Readings, sources: &mut Vec<String>, reading: crate::envfile::Reading, source: String) {
    let before = sources.len();
    for name in NAMES {
        if let Some(seen) = reading.get(name.as_bytes()) {
            readings.insert(name, seen.clone());
            if sources.len() == before {
                sources.push(source.clone());
            }
        }
    }
}

fn of_readings(probe: &mut FileProbe<'_>, mut consumer: Consumer, readings: &Readings) -> Consumer {
    probe.fill(&mut consumer, |name| match readings.get(name) {
        Some(Seen::Value(value)) => Some(String::from_utf8_lossy(value).into_owned()),
        _ => None,
    });
    let open = readings.iter().filter(|(_, seen)| !matches!(seen, Seen::Value(_)));
    consumer.unknown = open.map(|(name, _)| (*name).to_owned()).collect();
    consumer
}
