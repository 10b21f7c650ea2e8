//! The Docker daemon, its command line client, and the product's containers.
//!
//! | module | what it does |
//! | --- | --- |
//! | `client` | `config.json` of the docker client |
//! | `containers` | the product's containers as they run |
//! | `go_json` | JSON as Go takes it |
//! | `others` | podman, and daemons of users |
//! | `profile` | them as consumers |
//! | `switch` | whether a switch of the daemon is on |
//! | `validate` | `dockerd --validate` |

mod client;
mod containers;
mod go_json;
mod others;
mod profile;
mod switch;
mod validate;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::answers;
use super::reader::FileProbe;
use super::sight::{Place, Sight, Sights, Stop};
use super::units::{self, Service};
use super::{Consumer, Known, NAMES, State, Who};
use crate::docker;
use crate::envfile::unit::Release;
use crate::environment::{self, DAEMON_JSON, Daemon, DaemonJson, Unseen};
use crate::host::HostRead;
use crate::system::disk::DATA_ROOT;
use crate::text;
use crate::text::{Foreign, Text, own};
use crate::vendor::Vendor;
use crate::version::Version;

pub(super) use client::client_gives;
pub(super) use profile::{CLIENT, CONTAINER, DAEMON};
pub(crate) use switch::{DaemonSwitch, confines, daemon_says, daemon_switch, labels_mounts};
pub(crate) use validate::over_planned;

/// Units that run the daemon: a package's, and snapd's.
pub(super) const UNITS: [&str; 2] = ["docker.service", SNAP];

/// snapd's. Its wrapper starts the daemon with files of the snap (canonical/docker-snap).
const SNAP: &str = "snap.docker.dockerd.service";

/// `daemon.json` of the snap.
const SNAP_JSON: &str = "/var/snap/docker/current/config/daemon.json";

/// Where the daemon of the snap keeps images and containers, unless it is told otherwise.
const SNAP_DATA_ROOT: &str = "/var/snap/docker/common/var-lib-docker";

/// Where the daemon's program is.
const PROGRAMS: [&str; 4] =
    ["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/usr/bin/dockerd-current"];

/// The daemon of the system, or what stands in its place; and those of users.
fn daemons(probe: &mut FileProbe<'_>) -> Vec<Consumer> {
    let rootless = others::rootless(probe);
    let own = daemon(probe);
    // Where a user has the only one, it is not the one of the system that is missing.
    let hidden = own.state == State::Skipped && !rootless.is_empty();
    (!hidden).then_some(own).into_iter().chain(rootless).collect()
}

/// The daemon: by its own environment while it runs, else by what it will read when it starts. `daemon.json` and the
/// daemon's options win over the environment (engine 23 and newer; older ones do not start with such a file).
fn daemon(probe: &mut FileProbe<'_>) -> Consumer {
    let running = if probe.host.is_live() { environment::dockerd(probe.host, probe.limit()) } else { None };
    let release = probe.systemd();
    let (unit, service) = docker_unit(probe.host, release);
    let mut next = started(probe, unit, &service);
    if let Some(service) = units::asked(probe.host, unit, &probe.answers.units, release, None) {
        next = answers::outrank(started(probe, unit, &service), Some(next));
    }
    let Some(running) = running else {
        let is_installed = is_installed(probe.host, &service);
        // Our own drop-in is no proof that there is a daemon that reads it.
        let by_others = next.state != State::Seen
            || !next.unknown.is_empty()
            || next.decided.values().any(|decided| !decided.is_target());
        if is_installed || by_others {
            return unread(probe, unit, release, next);
        }
        if let Some(podman) = others::podman(probe) {
            return podman;
        }
        let why = if next.has_proxy() {
            text!("Docker is not installed; when it is, it will read {}", own(&next.source))
        } else {
            "Docker is not installed".into()
        };
        return Consumer::unseen(Who::Docker, "dockerd", State::Skipped, why);
    };
    let (mut now, json_unread) = match runs(probe, &running) {
        Ok(now) => now,
        Err(unseen) => return *unseen,
    };
    // A daemon that somebody started by hand does not read the unit.
    if running.by_systemd && next.state == State::Refused {
        now.next = Some(Box::new(next));
        return now;
    }
    let reads_unit = running.by_systemd && next.state == State::Seen && next.unknown.is_empty();
    // Where systemd does not answer it may have been told of them.
    let by_word = || match environment::services(probe.host, probe.limit()) {
        Ok(variables) => variables.iter().any(|(name, _)| NAMES.contains(&name.as_str())),
        Err(Unseen::Absent(_)) => false,
        Err(Unseen::Failed(_)) => true,
    };
    if let Some(again) = json_unread {
        now.why = Some(text!("{} was changed after it was started", own(&again.source)));
        now.next = Some(Box::new(if reads_unit { next } else { again }));
    } else if reads_unit && differs(&now, &next, by_word) {
        now.why = Some("its unit or a drop-in says something else since it was started".into());
        now.next = Some(Box::new(next));
    } else {
        // Whoever decides what it will get has decided what it has, unless that is something else.
        if running.by_systemd || !differs(&now, &next, || false) {
            now.decided.clone_from(&next.decided);
        }
        if reads_unit && let Some(before) = Some(unread(probe, unit, release, next)).filter(|again| again.stale_unit) {
            return before;
        }
    }
    now
}

/// The daemon as it would be started, where systemd has not read the files of its unit since they were changed.
fn unread(probe: &mut FileProbe<'_>, unit: &str, release: Release, next: Consumer) -> Consumer {
    let Some(service) = units::unread(probe.host, unit, release, probe.limit()) else { return next };
    let before = started(probe, unit, &service);
    if before.state != State::Seen || !differs(&before, &next, || false) {
        return next;
    }
    let source = format!("systemctl show {unit}");
    let why = Some("files of its unit were changed, and systemctl daemon-reload was not run since".into());
    Consumer { source, why, known: Known::Asked, stale_unit: true, next: Some(Box::new(next)), ..before }
}

/// Would another start change what the daemon gets? What systemd gives to all services by word of mouth (`systemctl
/// set-environment`) stands in no file.
fn differs(now: &Consumer, next: &Consumer, by_word: impl Fn() -> bool) -> bool {
    let urls = |of: &Consumer| [false, true].map(|https| of.proxy(https).map(|url| (url.shown.clone(), url.password)));
    let lists = |of: &Consumer| of.exclusions().map(str::to_owned);
    let changed = urls(now) != urls(next) || lists(now) != lists(next);
    let mentions = next.has_proxy() || next.exclusions().is_some();
    changed && (mentions || !by_word())
}

/// The daemon as it was started, and what it would get with a `daemon.json` that was changed since.
fn runs(probe: &mut FileProbe<'_>, running: &Daemon) -> Result<(Consumer, Option<Consumer>), Box<Consumer>> {
    let place = format!("/proc/{}/environ", running.pid);
    let variables = match environment::of_process(probe.host, running.pid) {
        Ok(variables) => variables.unwrap_or_default(),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && probe.host.euid() != 0 => {
            let why = text!("{} can be read by root only", own(&place));
            return Err(Box::new(Consumer::unseen(Who::Docker, place, State::NeedsRoot, why)));
        }
        Err(error) => {
            let why = text!("{} could not be read: {}", own(&place), error);
            return Err(Box::new(Consumer::unseen(Who::Docker, place, State::Unreadable, why)));
        }
    };
    let of_process = Place::new(Path::new(&place), 0);
    let value = |name: &str| {
        let value = environment::value(&variables, name)?.to_owned();
        Some((name.to_owned(), Sight::Value { value, at: of_process.clone() }))
    };
    let mut sights: Sights = NAMES.into_iter().filter_map(value).collect();
    let json_path = json_path(&running.arguments, UNITS[0]);
    let json = json(probe, &json_path)
        .map_err(|(state, why)| Box::new(Consumer::unseen(Who::Docker, probe.shown(&json_path), state, why)))?;
    let json = values(&json, &json_path);
    let mut source = place;
    let has = |(name, sight): (&String, &Sight)| sights.get(name).and_then(Sight::value) == sight.value();
    let unread = json_is_newer(probe, running, &json_path) && !json.iter().all(has);
    let again = unread.then(|| {
        let mut sights = sights.clone();
        outrank(&mut sights, json.clone());
        outrank(&mut sights, options(&running.arguments, &of_process));
        probe.modelled(Consumer::new(Who::Docker, None, probe.shown(&json_path)), &sights)
    });
    if !json.is_empty() && !unread {
        source = format!("{}, {source}", probe.shown(&json_path));
        outrank(&mut sights, json);
    }
    outrank(&mut sights, options(&running.arguments, &of_process));
    let consumer = Consumer { known: Known::Asked, ..Consumer::new(Who::Docker, None, source) };
    let consumer = Consumer { decided: BTreeMap::new(), ..probe.modelled(consumer, &sights) };
    Ok((consumer, again))
}

/// The daemon as its unit would start it.
fn started(probe: &mut FileProbe<'_>, name: &str, service: &Service) -> Consumer {
    let broken = |probe: &FileProbe<'_>, path: &Path, why: Text| {
        Consumer::unseen(Who::Docker, probe.shown(path), State::Unreadable, why)
    };
    if service.masked {
        let why = text!("{} is masked: systemd does not start it", own(name));
        return Consumer::unseen(Who::Docker, name, State::Skipped, why);
    }
    if let Some(Stop { at, why }) = &service.refused {
        let shown = probe.decided(at).shown;
        return broken(probe, &at.path, text!("{}: {}", own(shown), why.clone()));
    }
    let command = service.exec_start.last();
    let arguments = arguments(service);
    let json_path = json_path(&arguments, name);
    let refused =
        |probe: &FileProbe<'_>, why: Text| Consumer::unseen(Who::Docker, probe.shown(&json_path), State::Refused, why);
    let read = match json(probe, &json_path) {
        Ok(read) => read,
        Err((state, why)) => return Consumer::unseen(Who::Docker, probe.shown(&json_path), state, why),
    };
    if option(&arguments, &["config-file"]).is_some() && matches!(probe.read(&json_path), Ok(None)) {
        return refused(probe, "the daemon does not start: its --config-file is not there".into());
    }
    let options = command.map_or_else(Sights::new, |command| options(&arguments, &command.at));
    // The daemon's own options, where all of them are known.
    let own_options = command.filter(|command| name != SNAP && !command.argv.contains(&None) && is_daemon(&arguments));
    let own_options = own_options.filter(|_| service.exec_unknown.is_none() && is_dockerd(&arguments));
    let engine = (own_options.is_some() || !read.members.is_empty() || read.too_new.is_some())
        .then(|| docker::release(probe.host, probe.limit()))
        .flatten();
    let version = engine.as_ref().map(|engine| &engine.version);
    if let Some(command) = own_options
        && let Some(why) = environment::unknown_option(&arguments[1..], version)
    {
        let shown = probe.decided(&command.at).shown;
        return Consumer::unseen(Who::Docker, shown, State::Refused, why);
    }
    let what = match (read.too_new, options.is_empty()) {
        (Some(what), _) => Some(text!("{} in daemon.json", own(what))),
        (None, false) => Some("--http-proxy and its kin".into()),
        (None, true) => None,
    };
    let mut note = None;
    match what.map(|what| (engine.as_ref(), what)) {
        Some((Some(engine), what)) if !engine.knows_proxies() => {
            let why = text!(
                "the engine is {} ({}), and engines before {} do not start with {}",
                own(&engine.version),
                own(&engine.source),
                own(&Vendor::get().docker.proxies_since),
                what
            );
            return refused(probe, why);
        }
        Some((None, what)) if read.mentions || !options.is_empty() => {
            let since = own(&Vendor::get().docker.proxies_since);
            note = Some(text!("which engine this is cannot be told; before {} it does not start with {}", since, what));
        }
        _ => {}
    }
    if let Some(why) = read.refused {
        return refused(probe, text!("the daemon does not start with it: {}", why));
    }
    let json = values(&read, &json_path);
    if let Some(both) = json.keys().find(|both| options.contains_key(*both)) {
        let key = own(both.to_ascii_lowercase().replace('_', "-"));
        return refused(probe, text!("the daemon does not start: {} stands in it and among the daemon's options", key));
    }
    // The engine knows its own release best.
    match validate::asked(probe.host, &json_path, probe.limit()) {
        Some(Err(why)) => return Consumer { known: Known::Asked, ..refused(probe, why) },
        Some(Ok(())) => {}
        None => {
            let verdict = environment::verdict(&read.members, own_options.map(|_| &arguments[1..]), version);
            if let Some(why) = verdict.refused {
                return refused(probe, text!("the daemon does not start with it: {}", why));
            }
            if note.is_none() && !verdict.unjudged.is_empty() {
                let names = own(verdict.unjudged.join(", "));
                note = Some(text!("what {} says of {} was not validated", own(probe.shown(&json_path)), names));
            }
        }
    }
    let mut sights = service.sights(&NAMES);
    for sight in sights.values() {
        if let Sight::Unknown { at, .. } = sight
            && let Err((state, why)) = probe.read(&at.path)
        {
            return Consumer::unseen(Who::Docker, probe.shown(&at.path), state, why);
        }
    }
    // The daemon asks for the upper-case name first.
    for upper in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
        if sights.get(upper).and_then(Sight::value).is_some_and(|value| !value.is_empty()) {
            sights.remove(&upper.to_ascii_lowercase());
        }
    }
    let untold = match command {
        _ if service.exec_unknown.is_some() => service.exec_unknown.clone(),
        Some(command) if command.argv.contains(&None) => {
            Some(Stop::new(&command.at, "its options cannot be told from the files"))
        }
        Some(command) if name != SNAP && !is_daemon(&arguments) => {
            let program = arguments.first().map_or("", String::as_str);
            let why = text!("it starts {}, and what that gives to the daemon is not known", Foreign::new(program));
            Some(Stop::new(&command.at, why))
        }
        _ => None,
    };
    if let Some(untold) = untold {
        sights = untold.sights(&NAMES);
    }
    outrank(&mut sights, json);
    outrank(&mut sights, options);
    let consumer = Consumer {
        why: note,
        ..Consumer::new(Who::Docker, None, probe.sources(sights.values(), &[&docker_drop_in(name)]))
    };
    probe.modelled(consumer, &sights)
}

/// Puts what is stronger than the daemon's environment in the place of both spellings of a name.
fn outrank(sights: &mut Sights, stronger: Sights) {
    for (name, sight) in stronger {
        sights.remove(&name.to_ascii_lowercase());
        sights.insert(name, sight);
    }
}

/// `--config-file` of the daemon, else the usual place.
fn json_path(arguments: &[String], unit: &str) -> PathBuf {
    let usual = if unit == SNAP { Path::new(SNAP_JSON) } else { &Vendor::get().docker.daemon_json };
    option(arguments, &["config-file"]).map_or_else(|| usual.to_path_buf(), PathBuf::from)
}

fn json(probe: &FileProbe<'_>, path: &Path) -> Result<DaemonJson, (State, Text)> {
    let Some(bytes) = probe.read(path)? else { return Ok(DaemonJson::default()) };
    environment::daemon_json(&bytes).map_err(|error| {
        let why = text!("the daemon does not start with it: it is no JSON (line {})", error.line());
        (State::Refused, why)
    })
}

/// What it says, under the upper-case names that it outranks.
fn values(json: &DaemonJson, path: &Path) -> Sights {
    let at = Place::new(path, 0);
    let values = json.proxies.iter().filter(|(_, value)| !value.is_empty());
    values
        .map(|(name, value)| (name.to_ascii_uppercase(), Sight::Value { value: value.clone(), at: at.clone() }))
        .collect()
}

/// The `daemon.json` of the daemon that systemd would start.
pub(crate) fn docker_json(host: &dyn HostRead, release: Release) -> PathBuf {
    let (unit, service) = docker_unit(host, release);
    json_path(&arguments(&service), unit)
}

/// Which engines start with the `daemon.json` of the host, and none where the models do not tell: for the comparison with the
/// engines themselves.
pub(super) fn starts_with(host: &dyn HostRead) -> std::io::Result<BTreeMap<String, Option<String>>> {
    let bytes = host.read(&Vendor::get().docker.daemon_json)?.unwrap_or_default();
    let found = environment::daemon_json(&bytes).ok();
    let starts = |engine: &str, knows_proxies: bool| {
        let Some(found) = &found else { return Some(false) };
        let verdict = environment::verdict(&found.members, None, Version::parse(engine).as_ref());
        let refused = found.refused.is_some() || verdict.refused.is_some();
        let refused = refused || (!knows_proxies && found.too_new.is_some());
        (refused || verdict.unjudged.is_empty()).then_some(!refused)
    };
    let both = [("new", starts("26.1.5", true)), ("old", starts("20.10.24", false))];
    Ok(both.map(|(which, starts)| (which.to_owned(), starts.map(|starts| starts.to_string()))).into())
}

/// Where the daemon keeps images and containers: by its options, else by its `daemon.json`.
///
/// # Errors
/// Why that file does not tell it.
pub(crate) fn data_root(host: &dyn HostRead, release: Release) -> Result<PathBuf, Text> {
    let (unit, service) = docker_unit(host, release);
    let arguments = arguments(&service);
    let by_option = option(&arguments, &["data-root", "graph"]).map(PathBuf::from);
    let named = match by_option {
        Some(named) => Some(named),
        None => {
            let path = json_path(&arguments, unit);
            let shown = host.shown(&path);
            let read = host.read(&path).map_err(|error| text!("{} could not be read: {}", shown.clone(), error))?;
            let json = read.map(|bytes| environment::daemon_json(&bytes)).transpose();
            json.map_err(|error| text!("{} is no JSON (line {})", shown, own(error.line())))?
                .and_then(|json| json.data_root)
        }
    };
    let usual = || PathBuf::from(if unit == SNAP { SNAP_DATA_ROOT } else { DATA_ROOT });
    Ok(named.filter(|path| path.is_absolute()).unwrap_or_else(usual))
}

/// What the daemon tells containers of name servers and search domains, and the address of the host in its own bridge: by the
/// options of the one that runs, else of the one that systemd would start, and by its `daemon.json`.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn for_containers(host: &dyn HostRead, release: Release, deadline: Duration) -> io::Result<DaemonJson> {
    let running = if host.is_live() { environment::dockerd(host, deadline) } else { None };
    let (arguments, unit) = match running {
        Some(daemon) => (daemon.arguments, UNITS[0]),
        None => {
            let (unit, service) = docker_unit(host, release);
            (arguments(&service), unit)
        }
    };
    told_by(host, &arguments, unit)
}

fn told_by(host: &dyn HostRead, arguments: &[String], unit: &str) -> io::Result<DaemonJson> {
    // With one that is no JSON there is no daemon: that is told elsewhere.
    let bytes = host.read(&json_path(arguments, unit))?.unwrap_or_default();
    let values = |name: &str| environment::values(arguments, &[name]);
    let (dns, domains, bridge) = (values("dns"), values("dns-search"), values("bip").pop());
    let mut told = environment::daemon_json(&bytes).unwrap_or_default();
    // The daemon does not start with a name in both places.
    told.dns.extend(dns.iter().filter_map(|server| server.parse::<IpAddr>().ok()));
    told.dns_search.extend(domains);
    told.bridge_ip = bridge.or(told.bridge_ip);
    Ok(told)
}

/// Program and options by which systemd starts it, as far as they can be told.
fn arguments(service: &Service) -> Vec<String> {
    service.exec_start.last().into_iter().flat_map(|command| command.argv.iter().flatten().cloned()).collect()
}

/// Is it the daemon's own program, and not something that starts it? Up to 1.12 it was `docker daemon`.
fn is_daemon(arguments: &[String]) -> bool {
    let program = arguments.first().and_then(|program| Path::new(program).file_name()?.to_str());
    let subcommand = arguments.get(1).map(String::as_str);
    match program {
        Some("docker") => matches!(subcommand, Some("daemon" | "-d")),
        Some(name) => PROGRAMS.iter().any(|own| Path::new(own).file_name().is_some_and(|own| own == name)),
        None => false,
    }
}

/// Do the options follow the program at once?
fn is_dockerd(arguments: &[String]) -> bool {
    arguments.get(1).is_none_or(|first| first.starts_with('-') && first != "-d")
}

/// `--http-proxy` and its kin, which engine 23 and newer have, under the upper-case names that they outrank.
fn options(arguments: &[String], at: &Place) -> Sights {
    let value = |(name, key): (&str, &str)| {
        let value = option(arguments, &[key])?;
        Some((name.to_ascii_uppercase(), Sight::Value { value, at: at.clone() }))
    };
    DAEMON_JSON.into_iter().filter_map(value).collect()
}

/// The value of an option that takes one.
fn option(arguments: &[String], names: &[&str]) -> Option<String> {
    environment::values(arguments, names).pop()
}

/// Was `daemon.json` written after the daemon was started?
fn json_is_newer(probe: &FileProbe<'_>, running: &Daemon, path: &Path) -> bool {
    let changed = probe.host.snapshot(path).ok().flatten().and_then(|file| file.attributes.mtime);
    match (changed, environment::started(probe.host, running.pid)) {
        (Some(nanos), Some(started)) => i128::from(nanos) > (i128::from(started) + 1) * 1_000_000_000,
        _ => false,
    }
}

/// The unit that runs the daemon: of several the first that systemd would start.
pub(crate) fn docker_unit(host: &dyn HostRead, release: Release) -> (&'static str, Service) {
    let of = |name| (name, units::service(host, name, release));
    let usable = |(_, service): &(&str, Service)| service.fragment.is_some() && !service.masked;
    let usual = of(UNITS[0]);
    if usable(&usual) { usual } else { UNITS[1..].iter().map(|name| of(name)).find(usable).unwrap_or(usual) }
}

/// Is there a daemon that a unit starts, or the program of one? What cannot be looked at may be there.
fn is_installed(host: &dyn HostRead, service: &Service) -> bool {
    let there = |path: &Path| !matches!(host.lstat(path), Ok(None));
    service.fragment.is_some() || PROGRAMS.iter().any(|path| there(Path::new(path)))
}

/// The unit that starts the daemon of this host, as people name it: `docker`; `None`: there is no daemon.
pub(crate) fn installed_docker(host: &dyn HostRead, release: Release) -> Option<&'static str> {
    let (unit, service) = docker_unit(host, release);
    is_installed(host, &service).then(|| unit.trim_end_matches(".service"))
}

/// The drop-in of a unit of the daemon that is ours.
pub(crate) fn docker_drop_in(unit: &str) -> PathBuf {
    let usual = &Vendor::get().docker.drop_in;
    let folders = usual.parent().and_then(Path::parent);
    match (folders, usual.file_name()) {
        (Some(folders), Some(name)) => folders.join(format!("{unit}.d")).join(name),
        _ => usual.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_ask_whom_the_daemon_names() {
        let host = crate::host::MemoryHost::new()
            .with("/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd --config-file /x.json\n")
            .with("/x.json", "{\"dns\": [\"10.0.0.9\"], \"dns-search\": [\"d.corp\"]}");
        let told = for_containers(&host, Release::UNKNOWN, Duration::ZERO).unwrap();
        assert_eq!((told.dns, told.dns_search), (vec![[10, 0, 0, 9].into()], vec!["d.corp".to_owned()]));
        let arguments = ["dockerd", "--dns", "10.0.0.1", "--dns=10.0.0.2"].map(str::to_owned);
        let told = told_by(&host, &arguments, UNITS[0]).unwrap();
        assert_eq!((told.dns, told.dns_search), (vec![[10, 0, 0, 1].into(), [10, 0, 0, 2].into()], Vec::new()));
    }

    #[test]
    fn options_of_the_daemon_are_read_in_both_forms() {
        let arguments = ["dockerd", "--http-proxy=http://a:1", "--config-file", "/x.json"].map(str::to_owned);
        assert_eq!(json_path(&arguments, UNITS[0]), Path::new("/x.json"));
        assert_eq!(json_path(&[], SNAP), Path::new(SNAP_JSON));
        assert_eq!(
            options(&arguments, &Place::new(Path::new("/x"), 3)).get("HTTP_PROXY").and_then(Sight::value),
            Some("http://a:1")
        );
    }
}
