//! Every consumer in turn.

use std::path::Path;

use super::callers::{Door, is_installed};
use super::reader::{FileProbe, IMAGE};
use super::{Consumer, ConsumersFacts, Known, State, Who, asked, docker, files, packages};
use crate::environment::{self, Unseen};
use crate::host::HostRead;
use crate::net::Time;
use crate::platform::Platform;
use crate::sandbox::File;
use crate::settings::ProxyUrl;

/// Where to look, and what is known already.
pub(crate) struct Ask<'a> {
    /// The host.
    pub(crate) host: &'a dyn HostRead,
    /// What system it is; `None`: neither of the two families.
    pub(crate) platform: Option<&'a Platform>,
    /// The product's folder.
    pub(crate) home: &'a Path,
    /// The proxies that are wanted: their passwords have the first numbers.
    pub(crate) http_proxy: Option<&'a ProxyUrl>,
    /// For https requests.
    pub(crate) https_proxy: Option<&'a ProxyUrl>,
    /// The machine's own programs are asked, with these files in their places; `None`: nobody is asked.
    pub(crate) inside: Option<&'a [File]>,
}

/// Looks at all consumers, or at those named in `only`.
pub(crate) fn observe(ask: &Ask<'_>, only: Option<&[Who]>, time: Time) -> ConsumersFacts {
    let (host, platform) = (ask.host, ask.platform);
    let mut probe = FileProbe::new(host, platform, ask.home, time);
    let http_password = probe.password(ask.http_proxy);
    let https_password = probe.password(ask.https_proxy);
    if let Some(planned) = ask.inside {
        probe.answers = asked::ask(host, platform, planned, only.unwrap_or(&Who::ALL), time.left());
    }
    let mut consumers = Vec::new();
    for who in Who::ALL.into_iter().filter(|who| only.is_none_or(|only| only.contains(who))) {
        match who {
            Who::Login => consumers.extend(probe.login(platform)),
            Who::Sudo => consumers.push(probe.sudo(platform)),
            Who::Cron => {
                let modelled = files::cron(&mut probe, platform);
                consumers.extend(probe.jobs(modelled));
            }
            Who::Systemd => consumers.push(probe.services(platform)),
            Who::Docker => consumers.push(docker::daemon(&mut probe, platform)),
            Who::PackageManager => consumers.push(packages::manager(&mut probe, platform)),
            Who::DockerClient => consumers.extend(docker::client(&mut probe)),
            Who::Container => consumers.extend(docker::containers(&mut probe, ask.home)),
            Who::ProdEnv => consumers.extend(files::prod_env(&mut probe, ask.home)),
        }
    }
    ConsumersFacts { http_password, https_password, consumers }
}

impl FileProbe<'_> {
    fn login(&mut self, platform: Option<&Platform>) -> Vec<Consumer> {
        let modelled = files::login(self, platform);
        // What only root may read is known to a login all the same.
        let is_told = |consumer: &Consumer| consumer.state == State::Seen && consumer.unknown.is_empty();
        if self.host.is_live() && self.host.euid() != 0 && !modelled.iter().all(is_told) {
            let user = self.user();
            let why = "only root may start a login of another user";
            let consumer = Consumer::unseen(Who::Login, format!("su - {user}"), State::NeedsRoot, why);
            return vec![Consumer { name: Some(user), ..consumer }];
        }
        self.logins(platform, modelled)
    }

    fn sudo(&mut self, platform: Option<&Platform>) -> Consumer {
        let unseen = |state, why: &'static str| Consumer::unseen(Who::Sudo, "sudo", state, why);
        match self.asked_sudo(platform) {
            Some(asked) => asked,
            None if !self.host.is_live() => unseen(State::Skipped, IMAGE),
            None if !is_installed(self.host, "sudo") => unseen(State::Skipped, "sudo is not installed"),
            None if self.host.euid() != 0 => unseen(State::NeedsRoot, "only root may run commands for other users"),
            None => {
                let user = self.user();
                let absent = || unseen(State::Skipped, "there is no /etc/sudoers");
                self.by_files(Door::Sudo, platform, &user).unwrap_or_else(absent)
            }
        }
    }

    fn services(&mut self, platform: Option<&Platform>) -> Consumer {
        if let Some(asked) = self.asked_services(platform) {
            return asked;
        }
        if !self.host.is_live() {
            return files::services(self, platform);
        }
        let source = "systemctl show-environment";
        match environment::services(self.host, self.limit()) {
            Ok(variables) => {
                let mut consumer = Consumer { known: Known::Asked, ..Consumer::new(Who::Systemd, None, source) };
                self.fill(&mut consumer, |name| environment::value(&variables, name).map(str::to_owned));
                consumer
            }
            Err(Unseen::Absent(why)) => Consumer::unseen(Who::Systemd, source, State::Skipped, why),
            Err(Unseen::Failed(why)) => Consumer::unseen(Who::Systemd, source, State::Unreadable, why),
        }
    }
}
