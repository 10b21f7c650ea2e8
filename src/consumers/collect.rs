//! Every consumer in turn.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::FileProbe;
use super::{ALL_NAMES, Consumer, ConsumersFacts, Known, NAMES, State, Who, docker, doors, files, packages, prod_env};
use crate::environment::{self, LoginUser, Unseen, Variables};
use crate::host::{HostRead, View};
use crate::net::Time;
use crate::platform::Platform;
use crate::product::Place;
use crate::settings::ProxyUrl;
use crate::system::owner::tool;
use crate::text::Text;
use crate::vendor::{Vendor, prod_env as path_of_prod_env};

/// How long a login may take: profile scripts may ask the network.
const LOGIN: Duration = Duration::from_secs(15);

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
}

/// Looks at all consumers, or at those named in `only`.
pub(crate) fn observe(ask: &Ask<'_>, only: Option<&[Who]>, time: Time) -> ConsumersFacts {
    // Models of readers come to the same places again and again.
    let view = View::new(ask.host);
    let (host, platform): (&dyn HostRead, _) = (&view, ask.platform);
    let mut probe = FileProbe::new(host, platform, ask.home, time);
    let http_password = probe.password(ask.http_proxy);
    let https_password = probe.password(ask.https_proxy);
    let mut consumers = Vec::new();
    for who in Who::ALL.into_iter().filter(|who| only.is_none_or(|only| only.contains(who))) {
        match who {
            Who::Login if host.is_live() => consumers.extend(probe.login(&LoginUser::of(host), platform)),
            Who::Login => consumers.extend(doors::logins(&mut probe, platform)),
            Who::Sudo if host.is_live() => consumers.push(probe.sudo(&LoginUser::of(host))),
            Who::Sudo => consumers.extend(doors::sudo(&mut probe, platform)),
            Who::Cron => consumers.extend(files::cron(&mut probe, platform)),
            Who::Systemd if host.is_live() => consumers.push(probe.services()),
            Who::Systemd => consumers.push(files::services(&mut probe, platform)),
            Who::Docker => consumers.extend(docker::daemons(&mut probe, platform)),
            Who::PackageManager => consumers.push(packages::manager(&mut probe, platform)),
            Who::DockerClient => consumers.extend(docker::client(&mut probe)),
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
    fn login(&mut self, user: &LoginUser, platform: Option<&Platform>) -> Vec<Consumer> {
        let source = format!("su - {}", user.name);
        if self.host.euid() != 0 {
            let why = "only root may start a login of another user";
            let unseen = Consumer::unseen(Who::Login, source, State::NeedsRoot, why);
            return vec![Consumer { name: Some(user.name.clone()), ..unseen }];
        }
        let seen = environment::login(self.host, user, self.at_most(LOGIN));
        let asked = self.program(Who::Login, Some(user.name.clone()), &source, seen);
        if asked.state == State::Seen { doors::beside(self, platform, &user.name, asked) } else { vec![asked] }
    }

    fn sudo(&mut self, user: &LoginUser) -> Consumer {
        let source = format!("sudo -u {} env", user.name);
        if self.host.euid() != 0 {
            return Consumer::unseen(Who::Sudo, source, State::NeedsRoot, "only root may run commands for other users");
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
                let mut consumer = Consumer { known: Known::Asked, ..Consumer::new(who, name, source) };
                self.fill(&mut consumer, |name| environment::value(&variables, name).map(str::to_owned));
                let others = ALL_NAMES.iter().filter(|name| !NAMES.contains(name));
                let others =
                    others.filter_map(|name| Some((*name, environment::value(&variables, name)?, source.to_owned())));
                self.others(&mut consumer, others);
                consumer
            }
            Err(Unseen::Absent(why)) => Consumer { name, ..Consumer::unseen(who, source, State::Skipped, why) },
            Err(Unseen::Failed(why)) => Consumer { name, ..Consumer::unseen(who, source, State::Unreadable, why) },
        }
    }
}
