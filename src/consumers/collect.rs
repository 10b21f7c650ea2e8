//! Every consumer in turn.

use std::path::{Path, PathBuf};

use super::callers::is_installed;
use super::reader::FileProbe;
use super::{Consumer, ConsumersFacts, Known, State, Who, asked, docker, doors, files, packages, prod_env};
use crate::environment::{self, Unseen};
use crate::host::{HostRead, View};
use crate::net::Time;
use crate::platform::Platform;
use crate::product::Place;
use crate::sandbox::File;
use crate::settings::ProxyUrl;
use crate::system::owner::tool;
use crate::text::Text;
use crate::vendor::{Vendor, prod_env as path_of_prod_env};

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
    /// Who calls sudo for root, where nobody is asked; `None`: root does, for whoever logs in.
    pub(crate) sudo_by: Option<&'a str>,
}

/// Looks at all consumers, or at those named in `only`.
pub(crate) fn observe(ask: &Ask<'_>, only: Option<&[Who]>, time: Time) -> ConsumersFacts {
    // Models of readers come to the same places again and again.
    let view = View::new(ask.host);
    let (host, platform): (&dyn HostRead, _) = (&view, ask.platform);
    let mut probe = FileProbe::new(host, platform, ask.home, time);
    let http_password = probe.password(ask.http_proxy);
    let https_password = probe.password(ask.https_proxy);
    if let Some(planned) = ask.inside {
        probe.answers = asked::ask(host, platform, (ask.home, planned), only.unwrap_or(&Who::ALL), time.left());
    }
    probe.answers.sudo_by = ask.sudo_by.map(str::to_owned);
    let mut consumers = Vec::new();
    for who in Who::ALL.into_iter().filter(|who| only.is_none_or(|only| only.contains(who))) {
        match who {
            Who::Login => consumers.extend(probe.login(platform)),
            Who::Sudo => consumers.extend(probe.sudo(platform)),
            Who::Cron => {
                let modelled = files::cron(&mut probe, platform);
                consumers.extend(probe.jobs(modelled));
            }
            Who::Systemd => consumers.push(probe.services(platform)),
            Who::Docker => consumers.extend(docker::daemons(&mut probe, platform)),
            Who::PackageManager => consumers.push(packages::manager(&mut probe, platform)),
            Who::DockerClient => consumers.extend(docker::client(&mut probe, platform)),
            Who::Container => consumers.extend(docker::containers(&mut probe, ask.home)),
            Who::ProdEnv => consumers.extend(prod_env::prod_env(&mut probe, ask.home)),
        }
    }
    for consumer in &mut consumers {
        consumer.kept_by = target(ask, consumer.consumer).and_then(|path| kept_by(host, &path));
    }
    let place = Place::look(host, ask.home);
    let compose = if place.compose.is_empty() { Text::default() } else { place.command(ask.home) };
    let planned = Vec::new();
    ConsumersFacts { http_password, https_password, consumers, planned, image: !host.is_live(), compose }
}

/// The file that a verb writes for a consumer.
fn target(ask: &Ask<'_>, who: Who) -> Option<PathBuf> {
    match who {
        Who::Login => ask.platform.map(|platform| platform.system_proxy_file().to_path_buf()),
        Who::PackageManager => ask.platform.map(|platform| platform.package_manager(ask.host).conf.to_path_buf()),
        Who::ProdEnv | Who::Container => Some(path_of_prod_env(ask.home)),
        Who::Docker => Some(Vendor::get().docker.drop_in.clone()),
        Who::Sudo | Who::Cron | Who::Systemd | Who::DockerClient => None,
    }
}

/// A file that cannot be read is told of by who reads it.
fn kept_by(host: &dyn HostRead, path: &Path) -> Option<String> {
    let bytes = host.read(path).ok()??;
    tool(&bytes).map(str::to_owned)
}

impl FileProbe<'_> {
    fn login(&mut self, platform: Option<&Platform>) -> Vec<Consumer> {
        let found = doors::logins(self, platform);
        // What only root may read is known to a login all the same.
        let is_told = |consumer: &Consumer| consumer.state == State::Seen && consumer.unknown.is_empty();
        if self.host.is_live() && self.host.euid() != 0 && !found.iter().all(is_told) {
            let user = self.user();
            let why = "only root may start a login of another user";
            let consumer = Consumer::unseen(Who::Login, format!("su - {user}"), State::NeedsRoot, why);
            return vec![Consumer { name: Some(user), ..consumer }];
        }
        found
    }

    fn sudo(&mut self, platform: Option<&Platform>) -> Vec<Consumer> {
        if self.host.is_live() && !is_installed(self.host, "sudo") {
            return vec![Consumer::unseen(Who::Sudo, "sudo", State::Skipped, "sudo is not installed")];
        }
        doors::sudo(self, platform)
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
                self.given(&mut consumer, &variables);
                consumer
            }
            Err(Unseen::Absent(why)) => Consumer::unseen(Who::Systemd, source, State::Skipped, why),
            Err(Unseen::Failed(why)) => Consumer::unseen(Who::Systemd, source, State::Unreadable, why),
        }
    }
}
