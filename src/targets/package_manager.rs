//! apt, dnf or yum, which under sudo, in timers and in images do not see the login's environment.

use std::path::{Path, PathBuf};

use super::Context;
use super::vars::ProxyVars;
use crate::consumers::Who;
use crate::envfile::ini;
use crate::finding::{Finding, ids};
use crate::host::unreadable;
use crate::plan::Draft;
use crate::platform::PackageSyntax;
use crate::problem::Problem;
use crate::settings::Exclusions;
use crate::text;
use crate::text::own;
use crate::vendor::Vendor;

pub(super) fn plan(context: &Context<'_>, vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    draft.plan.consumers.push(Who::PackageManager);
    let manager = context.platform.package_manager(context.view.host);
    let what = if vars.remove { "take out" } else { "set" };
    let reasons = vec![text!("{} the proxy of {}", own(what), own(manager.name))];
    let mode = if vars.secret { 0o640 } else { 0o644 };
    match manager.syntax {
        PackageSyntax::Apt if vars.remove => draft.delete(manager.conf, reasons),
        PackageSyntax::Apt => {
            others_that_win(context, manager.conf, vars, draft)?;
            draft.put(manager.conf, apt_conf(context, vars).into_bytes(), mode, reasons)
        }
        PackageSyntax::Ini => match ini_conf(manager.conf, vars, draft)? {
            Some(bytes) => draft.put(manager.conf, bytes, mode, reasons),
            None => Ok(()),
        },
    }
}

/// The administrator's file with the proxy set or taken out; `None`: there is none, and none is needed.
fn ini_conf(conf: &Path, vars: &ProxyVars, draft: &Draft<'_>) -> Result<Option<Vec<u8>>, Problem> {
    let snapshot = draft.snapshot(conf)?;
    let present = snapshot.as_ref().map_or(&b""[..], |snapshot| &snapshot.bytes);
    // One key serves all repositories, and those are https.
    let url = vars.https.as_ref().or(vars.http.as_ref());
    // User and password stand in the URL: dnf decodes proxy_password and yum encodes it, so no text suits both.
    let without = [("proxy_username", None), ("proxy_password", None)];
    let wishes: Vec<(&str, Option<&str>)> = [("proxy", url.map(String::as_str))].into_iter().chain(without).collect();
    let bytes = ini::edit(present, "main", &wishes);
    Ok((snapshot.is_some() || !bytes.is_empty()).then_some(bytes))
}

/// Files that apt reads after ours and that set the same: those of its folder that sort later, then `apt.conf`.
fn others_that_win(context: &Context<'_>, ours: &Path, vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let folder = ours.parent().unwrap_or(Path::new("/"));
    let names = context.view.host.list(folder).map_err(|error| unreadable(&context.view.host.shown(folder), &error))?;
    let later = names.into_iter().map(|name| folder.join(name)).filter(|path| path.as_path() > ours);
    for path in later.chain([PathBuf::from("/etc/apt/apt.conf")]) {
        let Some(snapshot) = context.view.snapshot(&path)? else { continue };
        let text = String::from_utf8_lossy(&snapshot.bytes).to_lowercase();
        let set = |scheme: &str, wanted: &Option<String>| {
            let key = format!("acquire::{scheme}::proxy ");
            let own = wanted.as_ref().map(|url| format!("\"{}\"", url.to_lowercase()));
            text.lines()
                .map(str::trim)
                .any(|line| line.starts_with(&key) && own.as_ref().is_none_or(|own| !line.contains(own)))
        };
        if set("http", &vars.http) || set("https", &vars.https) {
            let shown = context.view.host.shown(&path);
            let title = text!("{} comes later and sets another proxy for apt", shown.display());
            let advice = text!("take the Proxy lines out of {}", shown.display());
            draft.note(Finding::warn(ids::APT_OVERRIDE, title).advise(advice));
        }
    }
    Ok(())
}

/// Was the package manager given its proxy before? apt's file is our own; dnf and yum follow when they have the proxy that
/// the host has.
pub(super) fn is_ours(context: &Context<'_>) -> Result<bool, Problem> {
    let manager = context.platform.package_manager(context.view.host);
    let Some(snapshot) = context.view.snapshot(manager.conf)? else { return Ok(false) };
    Ok(match manager.syntax {
        PackageSyntax::Apt => true,
        PackageSyntax::Ini => ini::value(&snapshot.bytes, "main", "proxy")
            .is_some_and(|value| context.found.has_proxy(&String::from_utf8_lossy(value))),
    })
}

/// A file of our own: apt merges all files of its folder.
fn apt_conf(context: &Context<'_>, vars: &ProxyVars) -> String {
    let mut text = String::from("// Written by ics-setup. Take it back with: ics-setup revert\n");
    for (scheme, url) in [("http", &vars.http), ("https", &vars.https)] {
        if let Some(url) = url {
            text.push_str(&format!("Acquire::{scheme}::Proxy \"{url}\";\n"));
        }
    }
    for host in direct_hosts(context) {
        for (scheme, url) in [("http", &vars.http), ("https", &vars.https)] {
            if url.is_some() {
                text.push_str(&format!("Acquire::{scheme}::Proxy::{host} \"DIRECT\";\n"));
            }
        }
    }
    text
}

/// Members that a person gave and that name one host: an internal mirror, perhaps. apt knows no suffixes here.
fn direct_hosts(context: &Context<'_>) -> Vec<String> {
    let (Exclusions::Added(own) | Exclusions::Only(own)) = &context.settings.exclusions;
    let members = &Vendor::get().no_proxy;
    let built_in = |member: &str| {
        members.base.iter().chain(&members.test_drive).chain(&members.test_drive_added).any(|known| known == member)
    };
    let one_host =
        |member: &str| member.contains('.') && !member.starts_with('.') && !member.contains(['*', '/', ':', '[']);
    own.members().filter(|member| one_host(member) && !built_in(member)).map(str::to_owned).collect()
}
