//! The Docker daemon, which as a systemd service reads neither `/etc/environment` nor profile.d.
//!
//! `proxies` in `daemon.json` outrank the environment (engine 23 and newer), so where they are there they are kept right;
//! otherwise a systemd drop-in does it, which every engine understands.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::vars::ProxyVars;
use super::{Context, daemon_json};
use crate::consumers::Who;
use crate::envfile::unit;
use crate::finding::{Finding, ids};
use crate::plan::Draft;
use crate::problem::{Problem, id};
use crate::settings::{Key, NoProxy};
use crate::text;
use crate::text::own;
use crate::vendor::Vendor;

/// Where systemd looks for drop-ins of the service, beside the one we write.
const DROP_IN_FOLDERS: [&str; 4] = [
    "/etc/systemd/system/docker.service.d",
    "/run/systemd/system/docker.service.d",
    "/usr/lib/systemd/system/docker.service.d",
    "/lib/systemd/system/docker.service.d",
];

pub(super) fn plan(context: &Context<'_>, vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let files = &Vendor::get().docker;
    let before = draft.plan.changes.len();
    let in_json = daemon_json::plan(context, &files.daemon_json, vars, draft)?;
    let drop_in = draft.snapshot(&files.drop_in)?;
    if drop_in.is_some() || (!in_json && !vars.remove) {
        plan_drop_in(&files.drop_in, drop_in.as_ref().map_or(&[], |file| &file.bytes), vars, draft)?;
    }
    draft.plan.consumers.push(Who::Docker);
    if !vars.remove {
        others_that_win(context, &files.drop_in, vars, draft);
    }
    if draft.plan.changes.len() > before && context.settings.switch(Key::Restart) != Some(true) {
        draft.next("let the Docker daemon read its proxy (running containers stop): systemctl daemon-reload && systemctl restart docker");
    }
    Ok(())
}

fn plan_drop_in(path: &Path, present: &[u8], vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let assignments = unit::assignments(present);
    let names = [("http_proxy", "HTTP_PROXY"), ("https_proxy", "HTTPS_PROXY"), ("no_proxy", "NO_PROXY")];
    let list = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .filter_map(|name| unit::value(&assignments, name))
        .fold(NoProxy::default(), |list, found| list.merged(&NoProxy::found(&String::from_utf8_lossy(&found.value))));
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
    let mode = if vars.secret { 0o600 } else { 0o644 };
    draft.put(path, bytes, mode, reasons)
}

/// Drop-ins that systemd reads after ours and that set the same variables.
fn others_that_win(context: &Context<'_>, ours: &Path, vars: &ProxyVars, draft: &mut Draft<'_>) {
    let own_name = ours.file_name().unwrap_or_default();
    // On most systems /lib is a link to /usr/lib: what is found there was found before.
    let folders = DROP_IN_FOLDERS.map(|folder| context.view.host.resolve(Path::new(folder)));
    for folder in folders.into_iter().flatten().collect::<BTreeSet<PathBuf>>() {
        let names = context.view.host.list(&folder).unwrap_or_default();
        let later = |name: &OsString| name.as_os_str() > own_name && name.to_string_lossy().ends_with(".conf");
        for name in names.into_iter().filter(later) {
            let path = folder.join(name);
            let Ok(Some(bytes)) = context.view.host.read(&path) else { continue };
            let assignments = unit::assignments(&bytes);
            let wanted = [("HTTP_PROXY", &vars.http), ("HTTPS_PROXY", &vars.https)];
            let differs = wanted.into_iter().find(|(name, wanted)| {
                unit::value(&assignments, name)
                    .is_some_and(|found| wanted.as_ref().is_some_and(|wanted| wanted.as_bytes() != found.value))
            });
            if let Some((name, _)) = differs {
                let shown = context.view.host.shown(&path);
                let title =
                    text!("{} comes later and sets another {} for the Docker daemon", shown.display(), own(name));
                draft.note(
                    Finding::warn(ids::DOCKER_OVERRIDE, title)
                        .expected(text!("{} set in {} alone", own(name), ours.display()))
                        .advise(text!("take {} out of {}", own(name), shown.display())),
                );
            }
        }
    }
}
