//! Every consumer in turn.

use std::path::Path;
use std::time::Duration;

use super::super::super::Look;
use super::value::{Passwords, ProxyValue, list};
use super::{Consumer, ConsumersFacts, NAMES, State, Who, docker, files, packages};
use crate::environment::{self, LoginUser, Unseen, Variables};
use crate::host::HostRead;
use crate::net::Time;

/// How long a login may take: profile scripts may ask the network.
const LOGIN: Duration = Duration::from_secs(5);

/// How long any other program may take.
const PROGRAM: Duration = Duration::from_secs(2);

/// What is left over for judging when a program has taken all that it may.
const RESERVE: Duration = Duration::from_millis(300);

/// Looks at everything.
pub(super) fn all(look: &Look<'_>, time: Time) -> ConsumersFacts {
    let mut passwords = Passwords::default();
    let number = |url: &Option<crate::settings::ProxyUrl>, passwords: &mut Passwords| {
        url.as_ref().and_then(|url| url.password()).map(|password| passwords.number(password.expose()))
    };
    let http_password = number(&look.secrets.http_proxy, &mut passwords);
    let https_password = number(&look.secrets.https_proxy, &mut passwords);
    let mut probe = FileProbe { host: look.host, time, passwords };
    let mut consumers = Vec::new();
    if look.host.is_live() {
        let user = LoginUser::of(look.host);
        consumers.extend([probe.login(&user), probe.sudo(&user)]);
    } else {
        consumers.push(files::login(&mut probe));
        consumers.push(Consumer::unseen(Who::Sudo, "sudo", State::Skipped, IMAGE));
    }
    consumers.push(files::cron(&mut probe, look.platform));
    consumers.push(if look.host.is_live() { probe.services() } else { files::services(&mut probe) });
    consumers.push(docker::daemon(&mut probe));
    consumers.push(packages::manager(&mut probe, look.platform));
    consumers.extend(docker::client(&mut probe));
    consumers.extend(docker::containers(&mut probe, look));
    consumers.extend(files::prod_env(&mut probe, &look.spec.home));
    ConsumersFacts { http_password, https_password, consumers }
}

/// Why something of the running system is not asked.
pub(super) const IMAGE: &str = "under --root no program of the image is run";

/// What looks: the host, the deadline, and the passwords met so far.
pub(super) struct FileProbe<'a> {
    pub(super) host: &'a dyn HostRead,
    pub(super) time: Time,
    passwords: Passwords,
}

impl FileProbe<'_> {
    /// What a program may take now.
    pub(super) fn limit(&self) -> Duration {
        self.at_most(PROGRAM)
    }

    /// What several programs, one after the other, may take together.
    pub(super) fn of_programs(&self, several: u32) -> Time {
        self.time.at_most(self.at_most(PROGRAM * several))
    }

    fn at_most(&self, limit: Duration) -> Duration {
        limit.min(self.time.left().saturating_sub(RESERVE))
    }

    /// A file's content; `Ok(None)`: there is none.
    ///
    /// # Errors
    /// How it ends: for everybody but root a file that only root may read is no fault of the host.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, (State, String)> {
        self.host.read(path).map_err(|error| {
            let shown = self.host.shown(path);
            if error.kind() == std::io::ErrorKind::PermissionDenied && self.host.euid() != 0 {
                (State::Skipped, format!("{} can be read by root only", shown.display()))
            } else {
                (State::Unreadable, format!("{} could not be read: {error}", shown.display()))
            }
        })
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

    fn login(&mut self, user: &LoginUser) -> Consumer {
        let source = format!("su - {}", user.name);
        if self.host.euid() != 0 {
            let why = "only root may start a login of another user";
            return Consumer {
                name: Some(user.name.clone()),
                ..Consumer::unseen(Who::Login, source, State::Skipped, why)
            };
        }
        let seen = environment::login(self.host, user, self.at_most(LOGIN));
        self.program(Who::Login, Some(user.name.clone()), &source, seen)
    }

    fn sudo(&mut self, user: &LoginUser) -> Consumer {
        let source = format!("sudo -u {} env", user.name);
        if self.host.euid() != 0 {
            return Consumer::unseen(Who::Sudo, source, State::Skipped, "only root may run commands for other users");
        }
        let seen = environment::sudo(self.host, user, self.limit());
        self.program(Who::Sudo, None, &source, seen)
    }

    fn services(&mut self) -> Consumer {
        let seen = environment::services(self.host, self.limit());
        self.program(Who::Systemd, None, "systemctl show-environment", seen)
    }

    fn program(&mut self, who: Who, name: Option<String>, source: &str, seen: Result<Variables, Unseen>) -> Consumer {
        match seen {
            Ok(variables) => {
                let mut consumer = Consumer::new(who, name, source);
                self.fill(&mut consumer, |name| environment::value(&variables, name).map(str::to_owned));
                consumer
            }
            Err(Unseen::Absent(why)) => Consumer { name, ..Consumer::unseen(who, source, State::Skipped, why) },
            // Words of a program, and profile scripts may have written them.
            Err(Unseen::Failed(why)) => {
                let why = crate::redact::redact_line(&why);
                Consumer { name, ..Consumer::unseen(who, source, State::Unreadable, why) }
            }
        }
    }
}
