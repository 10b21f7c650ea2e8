//! What the settings imply for each thing that is converged. One file per target; each looks and drafts, none writes.

mod boot;
mod brought;
mod compose_file;
mod daemon_json;
mod docker;
mod mend;
mod mysql_env;
mod package_manager;
mod prod_env;
mod roles;
mod secrets_provider;
mod system_proxy;
#[cfg(test)]
mod tests;
mod trust;
mod unused;

pub(crate) use unused::is_read_by;
mod vars;

use std::path::{Path, PathBuf};

use crate::consumers::line_ends;
use crate::consumers::sight::Place;
use crate::environment::LoginUser;
use crate::finding::{Finding, ids};
use crate::host::{HostRead, View};
use crate::plan::{Draft, FileMeta, Memory, Plan, holds};
use crate::platform::Platform;
use crate::problem::Problem;
use crate::settings::{Found, Key, NoProxy, Settings, TargetName};
use crate::system::accounts;
use crate::text;
use crate::text::{Text, as_root, ics_setup, of_host, own, quoted};

pub(crate) use boot::{UNIT, has_systemd, unit_path};
pub(crate) use brought::{bring, named};
pub(crate) use compose_file::{REVERSE_PROXY, asked_of_compose, bound, for_bundle};
pub(crate) use docker::read_again as docker_reads_again;
pub(crate) use mend::{Mended, mend};
pub(crate) use prod_env::{of_release as names_of_release, read_again as product_reads_again};
pub(crate) use system_proxy::LOG_IN_AGAIN;
pub(crate) use trust::read_roots as docker_reads_roots;
use vars::ProxyVars;
pub(crate) use vars::upper;

/// The verb that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `prepare`: before the product is installed.
    Prepare,
    /// `install`: all of it.
    Install,
    /// `reconfigure`: afterwards.
    Reconfigure,
}

impl Phase {
    /// The verb.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Install => "install",
            Self::Reconfigure => "reconfigure",
        }
    }

    /// What the verb converges by itself.
    pub(crate) fn targets(self) -> &'static [TargetName] {
        match self {
            Self::Prepare => &[TargetName::Trust, TargetName::SystemProxy, TargetName::DockerDaemon],
            Self::Install => &[
                TargetName::Trust,
                TargetName::SystemProxy,
                TargetName::DockerDaemon,
                TargetName::ProdEnv,
                TargetName::ComposeFile,
                TargetName::Boot,
            ],
            Self::Reconfigure => &[TargetName::Trust, TargetName::ProdEnv, TargetName::ComposeFile],
        }
    }

    /// The targets of a run. Naming one that the verb converges by itself limits the run to those named; naming only
    /// others adds them.
    pub(crate) fn chosen(self, named: &[TargetName]) -> Vec<TargetName> {
        let own = self.targets();
        let limits = named.iter().any(|name| own.contains(name));
        TargetName::ALL
            .into_iter()
            .filter(|target| named.contains(target) || (!limits && own.contains(target)))
            .collect()
    }
}

/// The list of hosts reached without the proxy, as the settings and everything found on the host make it.
pub(crate) fn no_proxy(settings: &Settings) -> NoProxy {
    ProxyVars::new(settings).no_proxy(&NoProxy::default())
}

/// The compose file of the product's folder, as it is there or is going to be.
pub(crate) fn compose_path(host: &dyn HostRead, settings: &Settings) -> PathBuf {
    crate::product::Place::look(host, &settings.home).compose_file(&settings.home)
}

/// Everything that is known when a plan is made.
pub(crate) struct Context<'a> {
    /// The host.
    pub view: &'a View<'a>,
    /// What system it is.
    pub platform: &'a Platform,
    /// What is wanted.
    pub settings: &'a Settings,
    /// What is there.
    pub found: &'a Found,
    /// The verb.
    pub phase: Phase,
}

/// Passwords that runs have made up go with the data that they were made for.
///
/// # Errors
/// A file cannot be removed.
pub(crate) fn forget_passwords(host: &dyn crate::host::HostWrite) -> Result<(), Problem> {
    let path = Path::new(crate::context::complete::KEPT);
    match host.remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let message = text!("{} could not be removed", host.shown(path).display());
            Err(Problem::host(crate::problem::id::WRITE_FAILED, message).caused_by(error))
        }
        _ => Ok(()),
    }
}

/// The plan of a run.
///
/// # Errors
/// The first thing that stands in the way; nothing has been written.
pub(crate) fn plan(context: &Context<'_>) -> Result<Plan, Problem> {
    let mut draft = Draft::new(context.view);
    let settings = context.settings;
    let vars = ProxyVars::new(settings);
    for target in chosen(context)? {
        match target {
            TargetName::Trust => trust::plan(context, &mut draft)?,
            TargetName::SystemProxy => system_proxy::plan(context, &vars, &mut draft)?,
            TargetName::DockerDaemon | TargetName::PackageManager if !vars.change() => {}
            TargetName::DockerDaemon => docker::plan(context, &vars, &mut draft)?,
            TargetName::PackageManager => package_manager::plan(context, &vars, &mut draft)?,
            TargetName::ProdEnv => prod_env::plan(context, &vars, &mut draft)?,
            TargetName::ComposeFile => compose_file::plan(context, &mut draft)?,
            TargetName::Boot => boot::plan(context, &mut draft)?,
        }
    }
    trust::in_containers(context, &mut draft)?;
    let asks_nothing = draft.plan.authority.is_none()
        && !settings.proxies.any()
        && !settings.remove_proxy
        && !settings.goes_directly
        && settings.back_ends.is_empty()
        && settings.secrets_provider.is_none();
    // An installation goes directly then.
    if asks_nothing && draft.plan.changes.is_empty() && context.phase != Phase::Install {
        let title = match context.found.unknown_proxy() {
            Some((path, line)) => {
                let at = Place::new(path, line).shown(context.view.host);
                text!("no proxy was asked for, and whether one is set cannot be told from {}", own(at))
            }
            None if !context.view.unread().is_empty() => {
                "no proxy was asked for, and whether one is set is not known: not every file could be read".into()
            }
            None => "no proxy was asked for, and neither a file for logins nor prod.env names one".into(),
        };
        draft.note(
            Finding::warn(ids::PROXY_NOT_SET, title)
                .observed("no setting and no file that could be read names one")
                .cause("without a proxy there is nothing to write")
                .advise(ics_setup(text!("{} --proxy http://<HOST>:<PORT>", own(context.phase.verb())))),
        );
    }
    let planned = draft.plan.changes.iter().filter_map(|change| Some((&change.path, change.after.as_ref()?)));
    let from_windows: Vec<_> = planned.filter_map(|(path, after)| line_ends::of(path, &after.bytes)).collect();
    for file in from_windows {
        draft.note(file.finding(&context.view.host.shown(&file.path)));
    }
    say_what_differs(context, &vars, &mut draft);
    unused::say(context, &mut draft);
    draft.plan.memory = Memory::Told(trust::told(&settings.told, &draft));
    readable_passwords(context, 0, &mut draft);
    Ok(draft.plan)
}

/// Members of a commented list that the plan is going to take up: they count as found.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn taken_up(context: &Context<'_>) -> Result<NoProxy, Problem> {
    if chosen(context)?.contains(&TargetName::ProdEnv) { prod_env::taken_up(context) } else { Ok(NoProxy::default()) }
}

/// The targets of this run; a package manager that was given a proxy before keeps following it.
fn chosen(context: &Context<'_>) -> Result<Vec<TargetName>, Problem> {
    let mut chosen = context.phase.chosen(&context.settings.targets);
    let follows = context.phase == Phase::Prepare && context.settings.targets.is_empty();
    if follows && package_manager::is_ours(context)? {
        chosen.push(TargetName::PackageManager);
    }
    Ok(chosen)
}

/// The other half of the host, which this verb does not touch: does it still have a proxy that is to go, or another one?
fn say_what_differs(context: &Context<'_>, vars: &ProxyVars, draft: &mut Draft<'_>) {
    let chosen = context.phase.chosen(&context.settings.targets);
    let product = crate::vendor::prod_env(&context.settings.home);
    let halves = [
        (TargetName::ProdEnv, ids::PROD_ENV_DIFFERS, product.as_path(), "containers", Phase::Reconfigure),
        (
            TargetName::SystemProxy,
            ids::SYSTEM_PROXY_DIFFERS,
            context.platform.system_proxy_file(),
            "logins",
            Phase::Prepare,
        ),
    ];
    for (_, id, path, readers, phase) in halves.into_iter().filter(|(target, ..)| !chosen.contains(target)) {
        let (readers, verb) = (own(readers), own(phase.verb()));
        let wanted = [(Key::ProxyHttp, &vars.http), (Key::ProxyHttps, &vars.https)];
        let told = |id, title: Text| {
            Finding::warn(id, title)
                .observed(text!("not a file of this {}", own(context.phase.verb())))
                .cause(text!("{} writes it, and was not run since", verb.clone()))
        };
        let found = || wanted.iter().filter_map(|(key, wanted)| Some((context.found.at(*key, path)?, wanted)));
        if vars.remove && found().next().is_some() {
            let title = text!("{} still has a proxy, which {} keep using", path, readers);
            draft.note(told(id, title).fix(ics_setup(text!("{} --remove-proxy", verb))));
        }
        if found().any(|(value, wanted)| wanted.as_ref().is_some_and(|wanted| *wanted != value)) {
            let title = text!("{} has another proxy, which {} keep using", path, readers);
            draft.note(told(id, title).fix(ics_setup(text!("{}", verb))));
        }
    }
}

/// The command after which all other users cannot read a file any more, and the product's user, whose Compose and whose checks
/// read it, still can.
fn closing(context: &Context<'_>, meta: &FileMeta, file: &Text) -> Text {
    let view = context.view;
    let group = group_of(view, &LoginUser::of(view).name);
    let given = match meta {
        FileMeta::Like(attributes) => attributes.gid,
        FileMeta::Mode(_) => 0,
    };
    let open = own(if mode(meta) & 0o040 == 0 { "g+r,o-r" } else { "o-r" });
    match group.filter(|(gid, _)| *gid != 0) {
        Some((gid, _)) if gid == given => text!("chmod {} {}", open, file),
        Some((gid, name)) => {
            // A name is looked up where the command runs: beside an image that is another system.
            let group = if view.is_live() { quoted(&name) } else { gid.to_string() };
            text!("chgrp {} {} && chmod {} {}", own(group), file, open, file)
        }
        None => text!("chmod o-r {}", file),
    }
}

fn mode(meta: &FileMeta) -> u32 {
    match meta {
        FileMeta::Like(attributes) => attributes.mode,
        FileMeta::Mode(mode) => *mode,
    }
}

/// A user's own group, by the host's files.
fn group_of(view: &View<'_>, user: &str) -> Option<(u32, String)> {
    // Where they cannot be read nobody's group is known.
    let read = |path: &str| HostRead::read(view, Path::new(path)).ok().flatten();
    let gid = accounts::users(&read(accounts::PASSWD)?).into_iter().find(|own| own.name == user)?.gid;
    let group = accounts::groups(&read(accounts::GROUP)?).into_iter().find(|own| own.gid == gid)?;
    Some((gid, group.name))
}

/// Files that will hold a password and can be read by everybody, from the change of this number on.
fn readable_passwords(context: &Context<'_>, from: usize, draft: &mut Draft<'_>) {
    let given = context.settings.secrets.iter().filter(|secret| !secret.is_empty());
    let secrets: Vec<Vec<u8>> = given
        .flat_map(|secret| [secret.expose().to_vec(), crate::settings::encode(secret.expose()).into_bytes()])
        .collect();
    if secrets.is_empty() {
        return;
    }
    let mut findings = Vec::new();
    for change in draft.plan.changes.iter().skip(from) {
        let Some(after) = &change.after else { continue };
        let mode = mode(&after.meta);
        if mode & 0o004 == 0 || !holds(&after.bytes, &secrets) {
            continue;
        }
        let shown = context.view.host.shown(&change.path);
        let mode = own(format!("{mode:04o}"));
        let title =
            text!("{} is to hold a password, and every user of this host can read it (mode {})", shown.display(), mode);
        let finding = Finding::warn(ids::PASSWORD_IN_READABLE_FILE, title);
        let every_login =
            context.platform.system_proxy_is_shell() && change.path == context.platform.system_proxy_file();
        findings.push(if every_login {
            finding
                .cause("every login shell sources this file, so it has to be readable")
                .advise("use a proxy account that may do nothing else, or allow this host by its address")
        } else {
            finding.fix(as_root(closing(context, &after.meta, &of_host(&change.path))))
        });
    }
    draft.plan.findings.extend(findings);
}
