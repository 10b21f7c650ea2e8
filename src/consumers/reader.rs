//! What looks at files and programs for all consumers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::answers::Answers;
use super::astray::Names;
use super::sight::{Place, Sight, Sights};
use super::value::{Passwords, ProxyValue, list};
use super::{ALL_NAMES, Consumer, Decided, Exception, NAMES, PROFILES, State, Who, mend};
use crate::envfile::unit::Release;
use crate::environment::{self, LoginUser, Variables};
use crate::host::HostRead;
use crate::net::Time;
use crate::platform::Platform;
use crate::settings::ProxyUrl;
use crate::system::owner::{Owner, owner};
use crate::text;
use crate::text::{Text, own};

/// How long any other program may take.
const PROGRAM: Duration = Duration::from_secs(2);

/// What is left over for judging when a program has taken all that it may.
const RESERVE: Duration = Duration::from_millis(300);

/// Why something of the running system is not asked.
pub(super) const IMAGE: &str = "under --root no program of the image is run";

/// What looks: the host, the deadline, and the passwords met so far.
pub(super) struct FileProbe<'a> {
    pub(super) host: &'a dyn HostRead,
    /// What system it is; `None`: neither of the two families.
    pub(super) platform: Option<&'a Platform>,
    /// The product's folder.
    pub(super) home: &'a Path,
    pub(super) time: Time,
    /// What programs have said.
    pub(super) answers: Answers,
    /// What is known of names.
    pub(super) names: Names,
    passwords: Passwords,
    /// Files that `prepare` and `reconfigure` write.
    own_files: Vec<PathBuf>,
    /// Whose other files are, as far as that was asked.
    owners: BTreeMap<PathBuf, Owner>,
}

/// Is it a proxy variable beside the six?
fn is_other(name: &str) -> bool {
    ALL_NAMES.contains(&name) && !NAMES.contains(&name)
}

impl<'a> FileProbe<'a> {
    /// Looks at `host` within `time`.
    pub(super) fn new(host: &'a dyn HostRead, platform: Option<&'a Platform>, home: &'a Path, time: Time) -> Self {
        let (answers, passwords) = (Answers::default(), Passwords::default());
        let (own_files, owners, names) = (Vec::new(), BTreeMap::new(), Names::default());
        let mut probe = Self { host, platform, home, time, answers, names, passwords, own_files, owners };
        probe.own_files = PROFILES.iter().flat_map(|profile| (profile.files)(&probe)).collect();
        probe
    }

    /// The systemd of this system.
    pub(super) fn systemd(&self) -> Release {
        self.platform.map_or(Release::UNKNOWN, Platform::systemd)
    }

    /// The line that decides a variable, for facts.
    pub(super) fn decided(&self, at: &Place) -> Decided {
        let shown = self.shown(&at.path);
        Decided {
            shown: if at.line == 0 { shown } else { format!("{shown}:{}", at.line) },
            taken: false,
            ours: self.writes(&at.path),
            supposed: false,
            others: None,
            at: None,
            place: Some(at.clone()),
        }
    }

    /// Is it a file that `prepare` or `reconfigure` writes?
    pub(super) fn writes(&self, path: &Path) -> bool {
        self.own_files.iter().any(|own| own == path)
    }

    /// As [`FileProbe::decided`], with who may edit a line of a file that is no target.
    fn mended(&mut self, who: Who, name: &str, at: &Place) -> Decided {
        let decided = self.decided(at);
        let Some(form) = mend::form(who, &at.path).filter(|_| !decided.ours) else { return decided };
        let Ok(Some(bytes)) = self.host.read(&at.path) else { return decided };
        if !mend::is_editable(form, &bytes, name, at.line) {
            return decided;
        }
        let host = self.host;
        let owner = self.owners.entry(at.path.clone()).or_insert_with(|| owner(host, &at.path));
        match owner {
            Owner::User | Owner::Passing => decided,
            Owner::Nobody => Decided { ours: true, at: Some(at.clone()), ..decided },
            Owner::Package(_) | Owner::Tool(_) | Owner::Unknown(_) => {
                Decided { others: owner.text(), at: Some(at.clone()), ..decided }
            }
        }
    }

    /// The consumer with what a model says of each of the six names.
    pub(super) fn modelled(&mut self, mut consumer: Consumer, sights: &Sights) -> Consumer {
        self.fill(&mut consumer, |name| sights.get(name)?.value().map(str::to_owned));
        for (name, sight) in sights.iter().filter(|(name, _)| NAMES.contains(&name.as_str())) {
            let decided = match sight {
                Sight::Value { at, .. } => self.mended(consumer.consumer, name, at),
                Sight::Unknown { at, .. } => self.decided(at),
                // Where a variable is taken away nothing is mended.
                Sight::Unset { at } => Decided { ours: false, taken: true, ..self.decided(at) },
            };
            consumer.decided.insert(name.clone(), decided);
            if let Sight::Unknown { at, why } = sight {
                let place = self.decided(at).shown;
                consumer.unknown.insert(name.clone(), text!("{}: {}", own(place), why.clone()));
            }
        }
        // What root sees is no riddle.
        let mut untold = sights.iter().filter(|(name, _)| consumer.unknown.contains_key(*name));
        if let Some((_, sight)) = untold.find(|(_, sight)| self.is_kept_from_us(&sight.at().path)) {
            consumer.why = Some(text!("{} can be read by root only", own(self.shown(&sight.at().path))));
            consumer.state = State::NeedsRoot;
        }
        // A model tells of whatever a file sets; what is neither a proxy nor a list is nobody's business here.
        let others = sights.iter().filter(|(name, _)| is_other(name));
        for (name, sight) in others {
            let at = sight.at();
            let value = match sight {
                Sight::Value { value, .. } => self.value(value).map(Some),
                Sight::Unset { .. } => None,
                Sight::Unknown { .. } => Some(None),
            };
            let shown = self.decided(at).shown;
            consumer.exceptions.extend(value.map(|value| Exception::of_variable(name, shown, Some(at.clone()), value)));
        }
        consumer
    }

    /// The consumer with what a program has in its environment.
    pub(super) fn given(&mut self, consumer: &mut Consumer, variables: &Variables) {
        self.fill(consumer, |name| environment::value(variables, name).map(str::to_owned));
        let source = consumer.source.clone();
        for name in ALL_NAMES.into_iter().filter(|name| is_other(name)) {
            let value = environment::value(variables, name).and_then(|value| self.value(value));
            let exception = |value| Exception::of_variable(name, source.clone(), None, Some(value));
            consumer.exceptions.extend(value.map(exception));
        }
    }

    /// A consumer that gets what a model says; `usual`: where it would be said, if nothing says anything.
    pub(super) fn of_sights(&mut self, who: Who, sights: &Sights, usual: &[&str]) -> Consumer {
        let said = NAMES.iter().filter_map(|name| sights.get(*name));
        let source = self.sources(said, &usual.iter().map(Path::new).collect::<Vec<_>>());
        self.modelled(Consumer::new(who, None, source), sights)
    }

    /// The files that decide, each once; `usual` where none does.
    pub(super) fn sources<'s>(&self, sights: impl IntoIterator<Item = &'s Sight>, usual: &[&Path]) -> String {
        let mut sources: Vec<String> = Vec::new();
        for sight in sights {
            let shown = self.shown(&sight.at().path);
            if !sources.contains(&shown) {
                sources.push(shown);
            }
        }
        if sources.is_empty() {
            sources = usual.iter().map(|path| self.shown(path)).collect();
        }
        sources.join(", ")
    }

    /// Who logs in.
    pub(super) fn user(&self) -> String {
        self.answers.user.clone().unwrap_or_else(|| LoginUser::of(self.host).name)
    }

    /// The number of the password of a URL that is wanted.
    pub(super) fn password(&mut self, url: Option<&ProxyUrl>) -> Option<u32> {
        url.and_then(ProxyUrl::password).map(|password| self.passwords.number(password.expose()))
    }

    /// What a program may take now.
    pub(super) fn limit(&self) -> Duration {
        self.at_most(PROGRAM)
    }

    /// What several programs, one after the other, may take together.
    pub(super) fn of_programs(&self, several: u32) -> Time {
        self.time.at_most(self.at_most(PROGRAM * several))
    }

    pub(super) fn at_most(&self, limit: Duration) -> Duration {
        limit.min(self.time.left().saturating_sub(RESERVE))
    }

    /// A file's content; `Ok(None)`: there is none.
    ///
    /// # Errors
    /// How it ends: for everybody but root a file that only root may read is no fault of the host.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, (State, Text)> {
        self.host.read(path).map_err(|error| {
            let shown = self.host.shown(path);
            if error.kind() == std::io::ErrorKind::PermissionDenied && self.host.euid() != 0 {
                (State::NeedsRoot, text!("{} can be read by root only", shown))
            } else {
                (State::Unreadable, text!("{} could not be read: {}", shown, error))
            }
        })
    }

    /// Is it a file or folder that root may read, and we may not?
    pub(super) fn is_kept_from_us(&self, path: &Path) -> bool {
        let denied = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
        let is_denied = self.host.read(path).is_err_and(denied) || self.host.list(path).is_err_and(denied);
        self.host.euid() != 0 && is_denied
    }

    /// The path as a person on this machine would type it.
    pub(super) fn shown(&self, path: &Path) -> String {
        self.host.shown(path).display().to_string()
    }

    pub(super) fn value(&mut self, raw: &str) -> Option<ProxyValue> {
        ProxyValue::read(raw, &mut self.passwords)
    }

    /// Puts what `get` has for each of the six names into the consumer.
    pub(super) fn fill(&mut self, consumer: &mut Consumer, get: impl Fn(&str) -> Option<String>) {
        for name in NAMES {
            let Some(raw) = get(name) else { continue };
            match name {
                "http_proxy" => consumer.http = self.value(&raw),
                "HTTP_PROXY" => consumer.http_upper = self.value(&raw),
                "https_proxy" => consumer.https = self.value(&raw),
                "HTTPS_PROXY" => consumer.https_upper = self.value(&raw),
                "no_proxy" => consumer.no_proxy = Some(list(&raw)).filter(|list| !list.is_empty()),
                _ => consumer.no_proxy_upper = Some(list(&raw)).filter(|list| !list.is_empty()),
            }
        }
    }
}
