//! Settings that were given to a verb none of whose targets uses them: accepted is not the same as used, and is said.

use super::{Context, Phase};
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::plan::Draft;
use crate::settings::{Key, Origin, Spec, TargetName};
use crate::text;
use crate::text::{Text, ics_setup, own};

/// Who uses a setting of a run that changes the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Every run, whatever its targets.
    Run,
    /// These targets.
    Targets(&'static [TargetName]),
    /// An installation.
    Install,
    /// No run: these verbs.
    Others(&'static str),
    /// These verbs, and the questions that a run on a running host asks before and behind its changes.
    Questions(&'static str),
}

/// Who uses it.
fn use_of(key: Key) -> Use {
    use TargetName::{ComposeFile, DockerDaemon, ProdEnv, SystemProxy, Trust};
    match key {
        Key::Deployment
        | Key::ProxyUrl
        | Key::ProxyHttp
        | Key::ProxyHttps
        | Key::ProxyUser
        | Key::ProxyPassword
        | Key::ProxyPasswordFile
        | Key::ProxyPasswordEnv
        | Key::ProxyNoProxy
        | Key::ProxyNoProxyOnly
        | Key::ProxyRemove
        | Key::ProxyDirect
        | Key::Os
        | Key::Home
        | Key::Target
        | Key::MendOthers
        | Key::CheckFirst => Use::Run,
        Key::ProxyBothCases => Use::Targets(&[SystemProxy, ProdEnv]),
        Key::MysqlHost
        | Key::MysqlPort
        | Key::MysqlUser
        | Key::MysqlPassword
        | Key::MysqlPasswordFile
        | Key::MysqlDatabase
        | Key::MysqlSecretDatabase
        | Key::AwsSecret
        | Key::AwsRegion
        | Key::NoSecretsProvider
        | Key::RedisHost
        | Key::RedisPort
        | Key::RedisPassword
        | Key::RedisPasswordFile => Use::Targets(&[ProdEnv]),
        Key::Restart => Use::Targets(&[DockerDaemon, ProdEnv]),
        Key::HealthyWithin | Key::MigrateWithin => Use::Targets(&[ProdEnv]),
        Key::Image | Key::Role | Key::Workers | Key::Port | Key::Bind | Key::ReverseProxy | Key::BackupTaken => {
            Use::Targets(&[ComposeFile])
        }
        Key::CreateDatabases
        | Key::MysqlAdminUser
        | Key::MysqlAdminPassword
        | Key::MysqlAdminPasswordFile
        | Key::Bundle
        | Key::From
        | Key::FromSha256
        | Key::ComposeBinary
        | Key::ComposeSha256
        | Key::DockerRepo
        | Key::DockerRepoKey
        | Key::DockerGroup => Use::Install,
        Key::ProxyCa | Key::ProxyCaSha256 => Use::Targets(&[Trust]),
        Key::MysqlTls | Key::RedisTls => Use::Questions("check backends"),
        Key::Release => Use::Others("check"),
        Key::AgentRegion | Key::AgentCollector | Key::Clouds => Use::Others("check and network"),
    }
}

/// Does something of the run use it?
fn is_used(key: Key, phase: Phase, targets: &[TargetName]) -> bool {
    match use_of(key) {
        Use::Run => true,
        Use::Targets(own) => own.iter().any(|target| targets.contains(target)),
        Use::Install => phase == Phase::Install,
        Use::Others(_) | Use::Questions(_) => false,
    }
}

/// Does some run of the verb read this setting?
pub(crate) fn is_read_by(phase: Phase, key: Key) -> bool {
    let targets = [phase.targets(), &[TargetName::PackageManager]].concat();
    match use_of(key) {
        Use::Questions(_) => targets.contains(&TargetName::ProdEnv),
        // The image of an installation is that of its release.
        Use::Others(_) => key == Key::Release && phase == Phase::Install,
        _ => is_used(key, phase, &targets),
    }
}

/// Does the run ask somebody with it? A changed back end, on a running host.
fn is_asked_with(key: Key, context: &Context<'_>, targets: &[TargetName]) -> bool {
    let prod_env = targets.contains(&TargetName::ProdEnv);
    context.view.host.is_live()
        && match key {
            // Where TLS is wanted now and was not before, that is a change.
            Key::MysqlTls | Key::RedisTls => prod_env,
            _ => false,
        }
}

/// Why a run does nothing with a setting that is one of its targets'.
fn in_vain(key: Key, context: &Context<'_>, targets: &[TargetName]) -> Option<&'static str> {
    let is_of_proxy = matches!(
        key,
        Key::ProxyUser
            | Key::ProxyPassword
            | Key::ProxyPasswordFile
            | Key::ProxyPasswordEnv
            | Key::ProxyNoProxy
            | Key::ProxyNoProxyOnly
            | Key::ProxyBothCases
    );
    if is_of_proxy && !context.settings.proxies.any() {
        return Some(match context.settings.remove_proxy {
            true => "the proxy is taken away, and all that belongs to it",
            false => "no proxy is named, by a setting or by a file of this host",
        });
    }
    if context.phase != Phase::Reconfigure {
        return None;
    }
    match key {
        Key::Restart | Key::HealthyWithin | Key::MigrateWithin | Key::BackupTaken if !context.view.host.is_live() => {
            let is_idle = key != Key::Restart || !targets.contains(&TargetName::DockerDaemon);
            is_idle.then_some("nothing runs in an image that --root names")
        }
        Key::Image | Key::Role | Key::Workers | Key::Port | Key::Bind | Key::ReverseProxy => {
            let path = super::compose_path(context.view, context.settings);
            let is_there = !matches!(HostRead::lstat(context.view, &path), Ok(None));
            (!is_there).then_some("there is no compose file, which install makes")
        }
        _ => None,
    }
}

/// Says which flags of this run nothing in it uses. What stands in variables and files is for several verbs.
pub(super) fn say(context: &Context<'_>, draft: &mut Draft<'_>) {
    let targets = context.phase.chosen(&context.settings.targets);
    for (key, value, origin) in &context.settings.shown {
        let is_off = value.as_deref().is_some_and(|value| crate::settings::parse_switch(value) == Some(false));
        // Nobody waits for what was asked not to happen.
        let asks = matches!(origin, Origin::Flag(_)) && !(*key == Key::Restart && is_off);
        let is_image = *key == Key::Release && context.phase == Phase::Install;
        let asked = is_image || is_asked_with(*key, context, &targets);
        let vain = in_vain(*key, context, &targets);
        if asks && vain.is_some() {
            let title = text!("nothing that this {} does uses {}", own(context.phase.verb()), origin);
            draft.note(Finding::warn(ids::SETTING_UNUSED, title).cause(vain.unwrap_or_default()));
        } else if asks && !is_used(*key, context.phase, &targets) && !asked {
            draft.note(finding(context, key.spec(), origin));
        }
    }
}

fn finding(context: &Context<'_>, spec: &'static Spec, origin: &Origin) -> Finding {
    let verb = own(context.phase.verb());
    let remembered: Text = if spec.saved { "; it is remembered for them".into() } else { Text::default() };
    let title = text!("nothing that this {} does uses {}", verb, origin);
    match use_of(spec.key) {
        Use::Others(who) if matches!(spec.key, Key::Release | Key::AgentRegion | Key::AgentCollector | Key::Clouds) => {
            Finding::pass(ids::SETTING_UNUSED, title).cause(text!("{} use it{}", own(who), remembered))
        }
        Use::Others(who) | Use::Questions(who) => {
            let finding = Finding::warn(ids::SETTING_UNUSED, title);
            finding.cause(text!("{} use it, and no file that runs write{}", own(who), remembered))
        }
        Use::Targets(targets) => {
            let names = targets.iter().map(|target| target.as_str()).collect::<Vec<_>>().join(", ");
            let finding = Finding::warn(ids::SETTING_UNUSED, title).cause(text!("it is for the target {}", own(names)));
            match targets {
                [TargetName::ProdEnv] => {
                    let flag = own(spec.shown());
                    finding.advise(text!(
                        "once the product is installed: {}",
                        ics_setup(text!("reconfigure {} <VALUE>", flag))
                    ))
                }
                _ => finding,
            }
        }
        Use::Install => Finding::warn(ids::SETTING_UNUSED, title).cause("install alone uses it"),
        Use::Run => Finding::pass(ids::SETTING_UNUSED, title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TABLE;

    #[test]
    fn what_no_run_uses_is_used_by_other_verbs() {
        for spec in TABLE {
            match use_of(spec.key) {
                Use::Run => assert!(is_used(spec.key, Phase::Prepare, &[]), "{}", spec.key),
                Use::Install => {
                    let used = |phase| is_used(spec.key, phase, &TargetName::ALL);
                    assert!(used(Phase::Install) && !used(Phase::Reconfigure), "{}", spec.key);
                }
                Use::Targets(targets) => {
                    let used = |targets: &[TargetName]| is_used(spec.key, Phase::Reconfigure, targets);
                    assert!(!targets.is_empty() && !used(&[]) && used(targets), "{}", spec.key);
                }
                Use::Others(who) | Use::Questions(who) => {
                    let used = is_used(spec.key, Phase::Install, &TargetName::ALL);
                    assert!(who.starts_with("check") && !used, "{}", spec.key)
                }
            }
        }
    }
}
