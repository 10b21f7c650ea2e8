//! Logins and sudo as consumers.

use super::super::callers::{Door, is_installed};
use super::super::judge::pass_on;
use super::super::profile::{Case, Fails, Profile};
use super::super::reader::FileProbe;
use super::super::{Consumer, Keeps, State, Who};
use crate::envfile::Syntax;
use crate::environment::PRODUCT_USER;
use crate::finding::ids;
use crate::text;
use crate::text::{Fix, Text, ics_setup, own, typed};

pub(in super::super) const LOGIN: Profile = Profile {
    fails: Fails::OtherProxy,
    has_file_of_ours: true,
    files: |probe| probe.platform.map(|platform| platform.system_proxy_file().to_path_buf()).into_iter().collect(),
    lines: Some(Syntax::Shell),
    look: |login| Some(text!("su - {} -c env", own(login.name.as_deref().unwrap_or(PRODUCT_USER)))),
    ..Profile::new(Who::Login, ids::PROXY_LOGIN, login, name_of_login, remedy_of_login)
};

pub(in super::super) const SUDO: Profile = Profile {
    lines: Some(Syntax::PamEnv),
    ..Profile::new(Who::Sudo, ids::PROXY_SUDO, sudo, name_of_sudo, remedy_of_sudo)
};

fn login(probe: &mut FileProbe<'_>) -> Vec<Consumer> {
    let found = super::logins(probe, probe.platform);
    // What only root may read is known to a login all the same.
    let is_told = |consumer: &Consumer| consumer.state == State::Seen && consumer.unknown.is_empty();
    if probe.host.is_live() && probe.host.euid() != 0 && !found.iter().all(is_told) {
        let user = probe.user();
        let why = "only root may start a login of another user";
        let consumer = Consumer::unseen(Who::Login, format!("su - {user}"), State::NeedsRoot, why);
        return vec![Consumer { name: Some(user.clone()), users: vec![user], ..consumer }];
    }
    found
}

fn name_of_login(login: &Consumer) -> Text {
    let users = login.name.as_ref().map_or(Text::default(), |users| text!(" of {}", own(users)));
    let doors = login.doors.as_ref().map_or(Text::default(), |doors| text!(" {}", own(doors)));
    text!("a login{}{}", users, doors)
}

fn remedy_of_login(case: &Case<'_>) -> (&'static str, Vec<Fix>) {
    let prepare = case.prepare().into_iter();
    if case.missing {
        return ("no file that logins read sets it", prepare.collect());
    }
    let user = case.consumer.name.as_ref().filter(|name| !name.contains(' '));
    let home = user.map(own).map(|user| text!(" ~{}/.profile ~{}/.bash_profile ~{}/.bashrc", user, user, user));
    let find = text!(
        "find where it is set: {}",
        typed(text!(
            "grep -rniE '(https?|no)_proxy' /etc/environment /etc/profile /etc/profile.d{}",
            home.unwrap_or_default()
        ))
    );
    (
        "the files that logins read were not written with these settings, or another one sets it later",
        prepare.chain([Fix::Advice(find)]).collect(),
    )
}

fn sudo(probe: &mut FileProbe<'_>) -> Vec<Consumer> {
    if probe.host.is_live() && !is_installed(probe.host, "sudo") {
        return vec![Consumer::unseen(Who::Sudo, "sudo", State::Skipped, "sudo is not installed")];
    }
    super::sudo(probe, probe.platform)
}

fn name_of_sudo(sudo: &Consumer) -> Text {
    text!("a command {}", own(sudo.doors.as_deref().unwrap_or(Door::Sudo.words())))
}

fn remedy_of_sudo(case: &Case<'_>) -> (&'static str, Vec<Fix>) {
    let look = || Fix::Advice(text!("see what logins get: {}", ics_setup("check proxy --only proxy-login")));
    match &case.consumer.keeps {
        Some(keeps) if keeps.already => (
            "sudo passes these names on, and its caller does not have them as wanted",
            case.prepare().into_iter().chain([look()]).collect(),
        ),
        Some(Keeps { taken: Some(_), .. }) => {
            ("a line takes these names out of what sudo passes on", pass_on(Some(case.consumer)))
        }
        _ => (
            "sudo starts with a fresh environment, and its PAM stack decides whether /etc/environment is read",
            pass_on(Some(case.consumer)),
        ),
    }
}
