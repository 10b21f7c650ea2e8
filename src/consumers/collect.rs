//! Every consumer in turn.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::astray::{Mode, Names};
use super::profile::Profile;
use super::reader::FileProbe;
use super::{ConsumersFacts, PROFILES, Who, asked, docker};
use crate::envfile::unit::Release;
use crate::environment::LoginUser;
use crate::host::{HostRead, View};
use crate::net::Time;
use crate::platform::Platform;
use crate::product::Place;
use crate::sandbox::File;
use crate::settings::ProxyUrl;
use crate::system::owner::tool;
use crate::text::Text;

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
    /// No name server is asked what names are in containers.
    pub(crate) quiet: bool,
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
    let mode = match (ask.inside.is_some() || host.is_live(), !host.is_this_machine()) {
        _ if ask.quiet => Mode::Quiet,
        (true, _) => Mode::Live,
        (false, true) => Mode::Image,
        (false, false) => Mode::Quiet,
    };
    probe.names = Names::new(host, mode);
    if let Some(planned) = ask.inside {
        probe.answers = asked::ask(host, platform, (ask.home, planned), only.unwrap_or(&Who::ALL), time.left());
    }
    probe.answers.sudo_by = ask.sudo_by.map(str::to_owned);
    let mut consumers = Vec::new();
    for profile in PROFILES.iter().filter(|profile| only.is_none_or(|only| only.contains(&profile.who))) {
        consumers.extend((profile.observe)(&mut probe));
    }
    let is_kept = |profile: &&&Profile| (profile.files)(&probe).first().is_some_and(|path| is_kept(host, path));
    let kept = PROFILES.iter().filter(is_kept).map(|profile| profile.who).collect();
    let place = Place::look(host, ask.home);
    let compose = if place.has_compose() { place.command(ask.home) } else { Text::default() };
    let docker = docker::installed_docker(host, platform.map_or(Release::UNKNOWN, Platform::systemd));
    let is_astray = consumers.iter().any(|consumer| !consumer.astray.is_empty());
    let bridge = if is_astray { probe.bridge().to_string() } else { String::new() };
    ConsumersFacts {
        http_password,
        https_password,
        consumers,
        planned: Vec::new(),
        kept,
        image: !host.is_live(),
        bridge,
        compose,
        docker: docker.map(str::to_owned),
        login: Some(LoginUser::of(host)),
    }
}

/// A file that cannot be read is told of by who reads it.
fn is_kept(host: &dyn HostRead, path: &Path) -> bool {
    host.read(path).ok().flatten().is_some_and(|bytes| tool(&bytes).is_some())
}

/// The files that verbs write for a consumer.
pub(crate) fn files_of(host: &dyn HostRead, platform: Option<&Platform>, home: &Path, who: Who) -> Vec<PathBuf> {
    let time = Time::new(Duration::ZERO, Duration::ZERO);
    (who.profile().files)(&FileProbe::new(host, platform, home, time))
}
