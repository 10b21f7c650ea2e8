//! apt, dnf or yum, which under sudo, in timers and in images do not see the login's environment.

use super::Context;
use super::vars::ProxyVars;
use crate::consumers::sight::{Sight, Sights};
use crate::consumers::{Who, packages};
use crate::envfile::ini;
use crate::plan::Draft;
use crate::platform::{PackageManager, PackageSyntax};
use crate::problem::{Problem, id};
use crate::settings::Exclusions;
use crate::text;
use crate::text::own;
use crate::vendor::Vendor;

pub(super) fn plan(context: &Context<'_>, vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    draft.plan.consumers.push(Who::PackageManager);
    let manager = context.platform.package_manager(context.view.host);
    let what = if vars.remove { "take out" } else { "set" };
    let reasons = vec![text!("{} the proxy of {}", own(what), own(manager.name))];
    let bytes = match manager.syntax {
        PackageSyntax::Apt if vars.remove => return draft.delete(manager.conf, reasons),
        PackageSyntax::Apt => apt_conf(context, vars).into_bytes(),
        PackageSyntax::Ini => {
            // One key serves all repositories, and those are https.
            let url = if vars.https.is_some() { &vars.https } else { &vars.http };
            let snapshot = draft.snapshot(manager.conf)?;
            let bytes = with_key(manager, snapshot.as_ref().map_or(&b""[..], |snapshot| &snapshot.bytes), url)?;
            if bytes.is_empty() && snapshot.is_none() {
                return Ok(());
            }
            bytes
        }
    };
    match vars.secret {
        // The file of dnf and yum is the system's, and is read by whoever looks for packages.
        true if manager.syntax == PackageSyntax::Apt => draft.put_closed(manager.conf, bytes, 0o640, reasons),
        true => draft.put(manager.conf, bytes, 0o640, reasons),
        false => draft.put(manager.conf, bytes, 0o644, reasons),
    }
}

/// The file with this proxy as its only one.
fn with_key(manager: PackageManager, present: &[u8], url: &Option<String>) -> Result<Vec<u8>, Problem> {
    // User and password stand in the URL: dnf decodes proxy_password and yum encodes it, so no text suits both.
    let wishes = [("proxy", url.as_deref()), ("proxy_username", None), ("proxy_password", None)];
    ini::edit(present, packages::grammar(manager), "main", &wishes).map_err(|refused| {
        let conf = manager.conf.display();
        Problem::host(id::PACKAGE_CONF_INVALID, text!("{} refuses {} as it is", own(manager.name), conf))
            .because(text!("line {}: {}", refused.line, own(refused.why)))
            .hint(text!("mend line {} of {}", refused.line, conf))
    })
}

/// Was the package manager given its proxy before? apt's file is our own; dnf and yum follow when they have the proxy that
/// the host has.
pub(super) fn is_ours(context: &Context<'_>) -> Result<bool, Problem> {
    let manager = context.platform.package_manager(context.view.host);
    if context.view.snapshot(manager.conf)?.is_none() {
        return Ok(false);
    }
    if manager.syntax == PackageSyntax::Apt {
        return Ok(true);
    }
    let found = packages::proxies(context.view, manager, &Sights::new(), None);
    let value = found.sights.get("https_proxy").and_then(Sight::value);
    Ok(value.is_some_and(|value| context.found.has_proxy(value)))
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
