//! apt, dnf or yum, which under sudo and in timers do not see the login's environment.
//!
//! | module | what it does |
//! | --- | --- |
//! | `apt_conf` | apt's configuration, as apt reads it |
//! | `apt` | which proxy apt takes from it |
//! | `dnf` | which proxy dnf and yum take from theirs |
//! | `dump` | dnf and yum asked themselves |
//! | `profile` | it as a consumer |

mod apt;
mod apt_conf;
mod dnf;
mod dump;
mod profile;

pub(crate) use dnf::grammar;
pub(super) use profile::MANAGER;

use std::collections::BTreeMap;
use std::path::Path;

use super::answers::outrank;
use super::callers::is_installed;
use super::reader::FileProbe;
use super::sight::{Place, Sight, Sights};
use super::{Consumer, Decided, Exception, Known, OwnRule, State, Who};
use crate::host::{Command, HostRead};
use crate::platform::{PackageManager, PackageSyntax, Platform};
use crate::text;
use crate::text::{Text, own};

/// A file with the content that it is to have, in place of what stands on the host.
pub(crate) type Planned<'a> = Option<(&'a Path, &'a [u8])>;

/// Which proxies a package manager uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    /// For everything that has no rule of its own: `http_proxy`, `https_proxy`.
    pub(crate) sights: Sights,
    /// What goes another way.
    pub(crate) special: Vec<Special>,
}

/// A rule for some requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Special {
    /// For which.
    pub(crate) whom: Whom,
    /// Only for https, or for http as well as for https that has no rule of its own; `None`: there is no such difference.
    pub(crate) tls: Option<bool>,
    /// What they use.
    pub(crate) sight: Sight,
}

/// Which requests go another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Those to one host.
    Host(String),
    /// Those to one repository, or those whose name fits a pattern.
    Repository(String),
    /// Those of one program of the package manager: `apt`, `apt-get`.
    Program(String),
}

impl Whom {
    /// For a sentence.
    pub(crate) fn text(&self) -> Text {
        match self {
            Self::Host(name) => text!("the host {}", name),
            Self::Repository(name) => text!("the repository {}", name),
            Self::Program(name) => text!("the program {}", name),
        }
    }
}

/// What the package manager makes of the files of the host, one of them as it is planned.
pub(crate) fn proxies(host: &dyn HostRead, manager: PackageManager, start: &Sights, planned: Planned<'_>) -> Proxies {
    match manager.syntax {
        PackageSyntax::Apt => apt::read(host, start, planned),
        PackageSyntax::Ini => dnf::read(host, manager, start, planned),
    }
}

/// The options below `Acquire::http` and `Acquire::https` as apt has them; an empty name without a value: not known.
pub(super) fn apt_options(host: &dyn HostRead) -> BTreeMap<String, Option<String>> {
    let Ok(conf) = apt_conf::AptConf::load(host, None, None) else { return [(String::new(), None)].into() };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = conf.all().map(|(name, item)| (text(&name.join(b"::".as_slice())), Some(text(&item.value))));
    all.filter(|(name, _)| name.starts_with("acquire::http")).collect()
}

/// The proxies of dnf, `http_proxy` and those of repositories by their ids; empty: none; no value: not known.
pub(super) fn dnf_proxies(host: &dyn HostRead) -> BTreeMap<String, Option<String>> {
    let manager = PackageManager { name: "dnf", conf: Path::new("/etc/dnf/dnf.conf"), syntax: PackageSyntax::Ini };
    let found = proxies(host, manager, &Sights::new(), None);
    let main = found.sights.get("http_proxy").map(|sight| ("http_proxy".to_owned(), sight));
    let special = found.special.iter().filter_map(|own| match &own.whom {
        Whom::Repository(id) => Some((id.clone(), &own.sight)),
        Whom::Host(_) | Whom::Program(_) => None,
    });
    main.into_iter()
        .chain(special)
        .map(|(name, sight)| match sight {
            Sight::Value { value, .. } => (name, Some(value.clone())),
            Sight::Unset { .. } => (name, Some(String::new())),
            Sight::Unknown { .. } => (name, None),
        })
        .collect()
}

/// What the host's package manager is told.
fn manager(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Consumer {
    let Some(platform) = platform else {
        let why = "which package manager this system has is not known";
        return Consumer::unseen(Who::PackageManager, "", State::Skipped, why);
    };
    let manager = platform.package_manager(probe.host);
    let shown = probe.shown(manager.conf);
    if manager.syntax != PackageSyntax::Apt && matches!(probe.host.lstat(manager.conf), Ok(None)) {
        let why = text!("{} is not there", own(&shown));
        return Consumer::unseen(Who::PackageManager, shown, State::Skipped, why);
    }
    let start = Sights::new();
    let by_files = proxies(probe.host, manager, &start, None);
    // Who may not read a file passes over it in silence, as apt does.
    if let Some(at) = by_files.sights.values().map(Sight::at).find(|at| probe.is_kept_from_us(&at.path)) {
        let why = text!("{} can be read by root only", own(probe.shown(&at.path)));
        return Consumer::unseen(Who::PackageManager, probe.shown(&at.path), State::NeedsRoot, why);
    }
    let source = match manager.syntax {
        PackageSyntax::Apt => probe.shown(Path::new("/etc/apt/apt.conf.d")),
        PackageSyntax::Ini => shown,
    };
    let answer = probe.answers.packages.as_ref().and_then(|output| match manager.syntax {
        PackageSyntax::Apt => Some(apt::of_dump(output, &start)),
        PackageSyntax::Ini => dump::read(probe.host, manager, output, &start),
    });
    if let Some(answer) = answer {
        let asked = consumer(probe, manager, &placed(answer, &by_files), &source);
        let model = consumer(probe, manager, &by_files, &source);
        return outrank(asked, Some(model));
    }
    // Where no time is left to ask it, as for a quick look, its files speak.
    if probe.host.is_live() && manager.syntax == PackageSyntax::Apt && !probe.limit().is_zero() {
        return match asked(probe, &start) {
            Ok(answer) => Consumer {
                known: Known::Asked,
                ..consumer(probe, manager, &placed(answer, &by_files), &apt::DUMP.join(" "))
            },
            Err((state, why)) => Consumer::unseen(Who::PackageManager, apt::DUMP.join(" "), state, why),
        };
    }
    let found = consumer(probe, manager, &by_files, &source);
    let all_ours = !found.decided.is_empty() && found.decided.values().all(Decided::is_target);
    let by_others = !found.unknown.is_empty() || !found.exceptions.is_empty();
    if all_ours && !by_others && !is_installed(probe.host, manager.name) {
        // What we have written is no proof that somebody reads it.
        let why = text!("{} is not installed; when it is, it will read {}", own(manager.name), own(&found.source));
        return Consumer::unseen(Who::PackageManager, found.source, State::Skipped, why);
    }
    found
}

/// What prints the package manager's configuration as it reads it; `None`: nothing here does.
pub(super) fn dump(host: &dyn HostRead, platform: &Platform) -> Option<Vec<&'static str>> {
    let manager = platform.package_manager(host);
    match manager.syntax {
        PackageSyntax::Apt => is_installed(host, apt::DUMP[0]).then(|| apt::DUMP.to_vec()),
        PackageSyntax::Ini => dump::command(host, manager),
    }
}

/// apt's own word.
fn asked(probe: &FileProbe<'_>, start: &Sights) -> Result<Proxies, (State, Text)> {
    match probe.host.run(&Command { deadline: probe.limit(), ..Command::new(apt::DUMP) }) {
        Ok(output) if output.code == Some(0) => Ok(apt::of_dump(&output.stdout, start)),
        Ok(output) => {
            let why = text!("apt-config dump ended with code {}", own(format!("{:?}", output.code)));
            Err((State::Unreadable, why))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err((State::Skipped, "apt is not installed".into()))
        }
        Err(error) => Err((State::Unreadable, text!("apt-config could not be run: {}", error))),
    }
}

/// The answer, with the places that the files give for the same values: apt does not tell them.
fn placed(mut answer: Proxies, by_files: &Proxies) -> Proxies {
    let same = |asked: &Sight, own: &Sight| match (asked, own) {
        (Sight::Value { value, .. }, Sight::Value { value: own, .. }) => value == own,
        (Sight::Unset { .. }, Sight::Unset { .. }) | (Sight::Unknown { .. }, Sight::Unknown { .. }) => true,
        _ => false,
    };
    let place = |sight: &mut Sight, own: Option<&Sight>| {
        if let Some(own) = own.filter(|own| same(sight, own)) {
            *sight = own.clone();
        }
    };
    for (name, sight) in &mut answer.sights {
        place(sight, by_files.sights.get(name));
    }
    // It does not tell either that a line has taken something away.
    for (name, sight) in by_files.sights.iter().filter(|(_, sight)| matches!(sight, Sight::Unset { .. })) {
        answer.sights.entry(name.clone()).or_insert_with(|| sight.clone());
    }
    for special in &mut answer.special {
        let own = by_files.special.iter().find(|own| own.whom == special.whom && same(&special.sight, &own.sight));
        place(&mut special.sight, own.map(|own| &own.sight));
    }
    answer
}

/// `source` is named where no line decides anything.
fn consumer(probe: &mut FileProbe<'_>, manager: PackageManager, found: &Proxies, source: &str) -> Consumer {
    let mut deciding: Vec<String> = Vec::new();
    for sight in found.sights.values() {
        let place = shown(probe, sight.at());
        if !deciding.contains(&place) {
            deciding.push(place);
        }
    }
    let source = if deciding.is_empty() { source.to_owned() } else { deciding.join(", ") };
    let named = Consumer::new(Who::PackageManager, Some(manager.name.to_owned()), source);
    let mut consumer = probe.modelled(named, &found.sights);
    if let Some(at) = outranked(probe.host, manager, found) {
        consumer.why = Some(text!("{} counts, whatever ics-setup writes", own(shown(probe, &at))));
    }
    for Special { whom, tls, sight } in &found.special {
        let way = match sight {
            Sight::Unset { .. } => Some(None),
            Sight::Value { value, .. } => probe.value(value).map(Some),
            Sight::Unknown { .. } => None,
        };
        let (place, at) = (sight.at().clone(), shown(probe, sight.at()));
        // A host or repository that is asked directly is a wish of whoever wrote it.
        if !matches!(way, Some(None)) {
            let value = way.clone().flatten();
            let (at, place) = (at.clone(), Some(place.clone()));
            consumer.exceptions.push(Exception { whom: whom.text(), variable: None, at, place, value });
        }
        let host = if let Whom::Host(host) = whom { Some(host.clone()) } else { None };
        consumer.rules.push(OwnRule { whom: whom.text(), host, tls: *tls, way, at, place });
    }
    consumer
}

/// The line that would decide still if ics-setup's own file of apt were written. dnf and yum have one place only.
fn outranked(host: &dyn HostRead, manager: PackageManager, found: &Proxies) -> Option<Place> {
    if manager.syntax != PackageSyntax::Apt || found.sights.is_empty() {
        return None;
    }
    let ours = b"Acquire::http::Proxy \"http://x:1\";\nAcquire::https::Proxy \"http://x:1\";\n";
    let then = proxies(host, manager, &Sights::new(), Some((manager.conf, ours)));
    then.sights.into_values().map(|sight| sight.at().clone()).find(|at| at.path != manager.conf)
}

/// `FILE:LINE`, as a person on this machine would type it.
fn shown(probe: &FileProbe<'_>, at: &Place) -> String {
    at.shown(probe.host)
}
