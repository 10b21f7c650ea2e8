//! The authority of a proxy that inspects TLS: in the host's own store, and in the product's containers.
//!
//! What lies in the store is taken up by a program of the system while the run is carried out, and again where it is taken back.
//! Containers get the authority by the vendor's mount, and a file of the public roots with it for clients that bring roots of
//! their own. The variables that lead them there are set only where every service that reads them mounts that file.

use std::path::Path;

use super::prod_env::read_again;
use super::{Context, Phase, compose_path};
use crate::authority::{self, Bundle, Store, bundle_file, mounts, observe, product_file, variables};
use crate::consumers::judge::restart_command;
use crate::consumers::{installed_docker, labels_mounts};
use crate::context::{Named, left, sum_of};
use crate::docker::compose::edit::{Edit as ComposeEdit, edited};
use crate::envfile::{Edit, Syntax, edit};
use crate::net::Certificates;
use crate::plan::{Draft, PlannedHost};
use crate::problem::Problem;
use crate::product::templates::BUNDLE;
use crate::settings::{Key, Told};
use crate::text;
use crate::text::{Text, ics_setup, own};
use crate::vendor::prod_env;

/// The authority that is to be trusted; `None`: nobody names one, or that of the last run is left as it is.
fn wanted(context: &Context<'_>, draft: &mut Draft<'_>) -> Result<Option<Certificates>, Problem> {
    let Some(named) = Named::of(context.settings) else { return Ok(None) };
    match named.fit(context.view.host)? {
        Ok(found) => Ok(Some(found)),
        Err(why) => {
            draft.note(left(named.path(), why, context.phase.verb()));
            Ok(None)
        }
    }
}

/// The host's own store, and the files of the product's folder.
pub(super) fn plan(context: &Context<'_>, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let Some(certificates) = wanted(context, draft)? else { return Ok(()) };
    let before = draft.plan.changes.len();
    in_store(context, &certificates, draft)?;
    if draft.plan.changes.len() > before {
        daemon_step(context, draft);
    }
    draft.plan.authority = Some(certificates);
    Ok(())
}

/// Certificates that the host does not trust already, each as a file; those of another authority that runs have placed go.
fn in_store(context: &Context<'_>, certificates: &Certificates, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let store = Store::of(context.platform);
    let trusted = Bundle::of(context.view).map(|bundle| bundle.certificates).unwrap_or_default();
    let ours = Store::files(context.view);
    // What cannot be listed is told by the writer.
    let there = store.certificates(context.view).unwrap_or_default();
    for certificate in certificates.each() {
        let file = store.file(&certificate);
        let is_ours = ours.iter().any(|(path, _)| *path == file);
        if is_ours || !(trusted.has(&certificate) || there.has(&certificate)) {
            let subject = certificate.subjects().into_iter().next().unwrap_or_default();
            draft.put(
                &file,
                certificate.pem(),
                0o644,
                vec![text!("trust {}; {} takes it up", subject, own(store.program))],
            )?;
        }
    }
    for (path, own) in ours {
        if !certificates.has(&own) {
            draft.delete(&path, vec!["another authority is named in its place".into()])?;
        }
    }
    Ok(())
}

/// The daemon reads the system's roots when it starts: what a person does where `--restart` does not.
fn daemon_step(context: &Context<'_>, draft: &mut Draft<'_>) {
    let host = context.view.host;
    if !host.is_live() || context.settings.switch(Key::Restart) == Some(true) {
        return;
    }
    if let Some(unit) = installed_docker(context.view, context.platform.systemd()) {
        draft.next(read_roots(unit));
    }
}

/// The step in words.
pub(crate) fn read_roots(unit: &str) -> Text {
    text!("let the Docker daemon read the system's roots anew (running containers stop): {}", restart_command(unit))
}

/// What the containers get, once all other targets have said what their files are to be.
///
/// # Errors
/// A file cannot be edited.
pub(super) fn in_containers(context: &Context<'_>, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let Some(certificates) = draft.plan.authority.clone() else { return Ok(()) };
    let home = &context.settings.home;
    let look = |draft: &Draft<'_>| {
        let planned = PlannedHost::new(context.view, &draft.plan.changes);
        observe(&planned, context.platform, home, &certificates).containers
    };
    let Some(facts) = look(draft) else { return Ok(()) };
    if context.phase == Phase::Prepare {
        if !facts.is_right() && !facts.is_by_hand() && !facts.has_other_bundle() {
            draft.next(text!("let the product's containers trust the authority too: {}", ics_setup("reconfigure")));
        }
        return Ok(());
    }
    // What somebody has mounted there is not taken away.
    if facts.unknown.is_some() || facts.has_other_bundle() {
        return Ok(());
    }
    let kept = draft.plan.clone();
    let done = fill(context, &certificates, &facts, draft)?;
    // A variable that leads to a file which is not there leaves its clients without any roots.
    let is_whole = |facts: authority::ContainersFacts| facts.is_right() || facts.is_by_hand();
    if !done || !look(draft).is_some_and(is_whole) {
        draft.plan = kept;
        return Ok(());
    }
    if context.phase == Phase::Reconfigure && !draft.plan.same_changes(&kept) {
        draft.next(read_again(context.view.host, home));
    }
    Ok(())
}

/// Files, mounts, variables; `false`: the compose file takes no edit.
fn fill(
    context: &Context<'_>,
    certificates: &Certificates,
    facts: &authority::ContainersFacts,
    draft: &mut Draft<'_>,
) -> Result<bool, Problem> {
    let home = &context.settings.home;
    // One that says the same in other words is what somebody has made.
    if facts.without_authority {
        let reason = vec!["the authority of the proxy, for the containers".into()];
        draft.put(&product_file(home), certificates.pem(), 0o644, reason)?;
    }
    let public = Bundle::of(context.view).map(|bundle| bundle.certificates).unwrap_or_default();
    // An authority whose place this one takes is in the host's bundle until the run has taken it out.
    let public = public.without(&Store::placed(context.view)).without(certificates);
    if public.is_empty() {
        return Ok(false);
    }
    let whole = public.and(certificates);
    let path = bundle_file(home);
    let present = draft.snapshot(&path)?.map(|file| Certificates::of_bundle(&file.bytes)).unwrap_or_default();
    if !present.same_as(&whole) {
        let reason = text!(
            "the {} public roots of this host and the authority, for clients with roots of their own",
            public.len()
        );
        draft.put(&path, whole.pem(), 0o644, vec![reason])?;
    }
    Ok(mount(context, facts, draft)? && lead(context, facts, draft)?)
}

/// Mounts the files where they are not yet.
fn mount(context: &Context<'_>, facts: &authority::ContainersFacts, draft: &mut Draft<'_>) -> Result<bool, Problem> {
    if facts.unmounted.is_empty() {
        return Ok(true);
    }
    let path = compose_path(&PlannedHost::new(context.view, &draft.plan.changes), context.settings);
    let Some(Ok(text)) = content(context, draft, &path)?.map(String::from_utf8) else { return Ok(false) };
    let is_labelled = labels_mounts(context.view, &context.settings.home, context.platform.systemd());
    let mut edits: Vec<(&str, ComposeEdit)> = Vec::new();
    for (service, inside) in &facts.unmounted {
        for mount in mounts().into_iter().filter(|mount| mount.inside == inside) {
            let item = if is_labelled { mount.labelled() } else { mount.item.to_owned() };
            edits.push((service.as_str(), ComposeEdit::Item { list: "volumes", item }));
        }
    }
    // What keeps it from being edited is told by whoever looks at the containers.
    let Ok(new) = edited(&text, &edits) else { return Ok(false) };
    draft.amend(&path, new.into_bytes(), vec!["mount the authority of the proxy".into()])?;
    Ok(true)
}

/// Sets the variables. Those that somebody has set stay.
fn lead(context: &Context<'_>, facts: &authority::ContainersFacts, draft: &mut Draft<'_>) -> Result<bool, Problem> {
    let path = prod_env(&context.settings.home);
    let Some(present) = content(context, draft, &path)? else { return Ok(false) };
    let missing = |name: &str| facts.variables.iter().any(|own| own.name == name && own.at.is_none());
    let edits: Vec<Edit<'_>> =
        variables().filter(|name| missing(name)).map(|name| Edit::Set(name, BUNDLE.1.as_bytes())).collect();
    let Ok(edited) = edit(&present, Syntax::EnvFile, &edits) else { return Ok(false) };
    if edited.bytes != present {
        draft.amend(&path, edited.bytes, super::vars::reasons(&edited.notes))?;
    }
    Ok(true)
}

/// A file as it is planned so far.
fn content(context: &Context<'_>, draft: &Draft<'_>, path: &Path) -> Result<Option<Vec<u8>>, Problem> {
    match draft.plan.changes.iter().find(|change| change.path == path) {
        Some(change) => Ok(change.after.as_ref().map(|after| after.bytes.clone())),
        None => Ok(context.view.snapshot(path)?.map(|file| file.bytes.clone())),
    }
}

/// What is remembered: the file, and which certificates were in it.
pub(super) fn told(settings_told: &Told, draft: &Draft<'_>) -> Told {
    let mut told = settings_told.clone();
    if let Some(certificates) = &draft.plan.authority {
        match told.contains_key(&Key::ProxyCa) {
            true => told.insert(Key::ProxyCaSha256, sum_of(certificates)),
            false => told.remove(&Key::ProxyCaSha256),
        };
    }
    told
}
