//! The Docker daemon, which as a systemd service reads neither `/etc/environment` nor profile.d.
//!
//! `proxies` in `daemon.json` outrank the environment (engine 23 and newer), so where they are there they are kept right;
//! otherwise a systemd drop-in does it, which every engine understands.

use std::path::Path;
use std::time::Duration;

use super::vars::ProxyVars;
use super::{Context, daemon_json};
use crate::consumers::judge::{SHORTER_LIST, restart_command};
use crate::consumers::{Who, docker_drop_in, docker_unit, installed_docker};
use crate::docker;
use crate::envfile::unit::{self, Release};
use crate::environment;
use crate::finding::{Finding, ids};
use crate::plan::Draft;
use crate::problem::{Problem, id};
use crate::settings::{Key, NoProxy};
use crate::text;
use crate::text::{Text, own};
use crate::vendor::Vendor;

/// How long the engine may take to tell its release.
const RELEASE: Duration = Duration::from_secs(2);

pub(super) fn plan(context: &Context<'_>, vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let files = &Vendor::get().docker;
    let before = draft.plan.changes.len();
    // An engine that does not know `proxies` there needs them gone; it is never written into.
    let is_old = || docker::release(context.view.host, RELEASE).is_some_and(|engine| !engine.knows_proxies());
    let mentions = draft
        .snapshot(&files.daemon_json)?
        .is_some_and(|file| environment::daemon_json(&file.bytes).is_ok_and(|found| found.mentions));
    let in_json = if !vars.remove && mentions && is_old() {
        false
    } else {
        daemon_json::plan(context, &files.daemon_json, vars, draft)?
    };
    let release = context.platform.systemd();
    let (unit, _) = docker_unit(context.view, release);
    let path = docker_drop_in(unit);
    let drop_in = draft.snapshot(&path)?;
    if drop_in.is_some() || (!in_json && !vars.remove) {
        let present = drop_in.as_ref().map_or(&[][..], |file| &file.bytes);
        if std::str::from_utf8(present).is_err() {
            let shown = context.view.host.shown(&path);
            return Err(Problem::host(id::READERS_DISAGREE, text!("{} is not UTF-8", shown))
                .because("systemd reads no line that is not UTF-8, and nothing behind it")
                .hint(text!("mend the file by hand: {}", shown)));
        }
        plan_drop_in(&path, present, vars, draft)?;
    }
    draft.plan.consumers.push(Who::Docker);
    if !vars.remove {
        long_lines(&path, release, draft);
    }
    if draft.plan.changes.len() > before {
        restart_step(context, draft);
    }
    Ok(())
}

/// What a person does afterwards, where `--restart` does not.
pub(super) fn restart_step(context: &Context<'_>, draft: &mut Draft<'_>) {
    if context.settings.switch(Key::Restart) == Some(true) {
        return;
    }
    // Where there is none yet, it reads it when it comes.
    if let Some(unit) = installed_docker(context.view, context.platform.systemd()) {
        draft.next(read_again(unit));
    }
}

/// The step in words.
pub(crate) fn read_again(unit: &str) -> Text {
    text!("let the Docker daemon read its proxy (running containers stop): {}", restart_command(unit))
}

fn plan_drop_in(path: &Path, present: &[u8], vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let assignments = unit::assignments(present);
    let names = [("http_proxy", "HTTP_PROXY"), ("https_proxy", "HTTPS_PROXY"), ("no_proxy", "NO_PROXY")];
    let list = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .filter_map(|name| unit::value(&assignments, name))
        .fold(NoProxy::default(), |list, found| {
            list.merged(&NoProxy::found(std::str::from_utf8(&found.value).unwrap_or_default()))
        });
    let variables = vars.variables(&list);
    let mut wishes: Vec<(&str, Option<&str>)> = Vec::new();
    let mut reasons = Vec::new();
    for (lower, upper) in names {
        let value = variables.iter().find(|(name, _)| *name == lower).map(|(_, value)| value.as_str());
        let has_twin = unit::value(&assignments, lower).is_some();
        match value {
            Some(value) => {
                if unit::value(&assignments, upper).is_none_or(|now| now.value != value.as_bytes()) {
                    reasons.push(text!("set {}", own(upper)));
                }
                wishes.push((upper, Some(value)));
                wishes.extend(has_twin.then_some((lower, Some(value))));
            }
            None if vars.remove => {
                wishes.extend([(upper, None), (lower, None)]);
                reasons.extend(unit::value(&assignments, upper).map(|_| text!("take out {}", own(upper))));
            }
            None => {}
        }
    }
    let bytes = unit::edit(present, &wishes);
    if vars.remove && unit::is_idle(&bytes) && bytes != present {
        draft.plan.idle_folders.extend(path.parent().map(Path::to_path_buf));
        return draft.delete(path, reasons);
    }
    let again = unit::assignments(&bytes);
    for (name, wanted) in &wishes {
        let seen = unit::value(&again, name).map(|found| found.value.as_slice());
        if seen != wanted.map(str::as_bytes) {
            return Err(Problem::host(
                id::READERS_DISAGREE,
                text!("{}: systemd would not see the new value of {}", path.display(), own(name)),
            )
            .because("an unbalanced quote or a continued line in this file takes it in")
            .hint(text!("mend the file by hand: {}", path.display())));
        }
    }
    match vars.secret {
        true => draft.put_closed(path, bytes, 0o600, reasons),
        false => draft.put(path, bytes, 0o644, reasons),
    }
}

/// Lines of our drop-in that an old systemd cuts.
fn long_lines(ours: &Path, release: Release, draft: &mut Draft<'_>) {
    let planned = draft.plan.changes.iter().find(|change| change.path == ours).and_then(|change| change.after.as_ref());
    let Some(bytes) = planned.map(|after| &after.bytes) else { return };
    let content = unit::read(bytes, b"Service", release);
    let whole = unit::read(bytes, b"Service", Release::MEASURED).entries.len();
    if content.end.is_none() && content.entries.len() == whole {
        return;
    }
    let title = text!("{} has a line of more than 2,047 bytes, which systemd before 237 cuts", ours.display());
    draft.note(
        Finding::warn(ids::DOCKER_LONG_LINE, title).expected("lines of at most 2,046 bytes").advise(SHORTER_LIST),
    );
}
