//! Other scripts in `/etc/profile.d` that set the proxy: login shells source them after `/etc/environment`, and after
//! `proxy.sh` where their names sort later, so an old value in one of them would win. They are brought to the same value.

use super::Context;
use super::system_proxy::lower_and_upper;
use super::vars::{NAMES, ProxyVars, reasons};
use crate::consumers::sources::profile_scripts;
use crate::envfile::{Dialect, Edit, Syntax, edit};
use crate::finding::{Finding, ids};
use crate::plan::Draft;
use crate::problem::Problem;
use crate::text;
use crate::text::own;

pub(super) fn plan(context: &Context<'_>, vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    for path in profile_scripts(context.view, context.platform)? {
        let Some(snapshot) = draft.snapshot(&path)? else { continue };
        if Dialect::Shell.read_only(&snapshot.bytes, &NAMES.map(str::as_bytes)).variables.is_empty() {
            continue;
        }
        let shown = context.view.host.shown(&path);
        let finding = Finding::warn(ids::PROFILE_OVERRIDE, text!("{} sets the proxy too, and logins source it", shown));
        if vars.remove {
            draft.note(
                finding
                    .cause("ics-setup takes out what it keeps right itself")
                    .advise(text!("take the lines out of {} by hand", shown)),
            );
            continue;
        }
        let variables = vars.variables(&context.found.no_proxy_at(&path));
        match edit(&snapshot.bytes, Syntax::Shell, &lower_and_upper_where_active(&variables)) {
            Ok(edited) => {
                let mut why = reasons(&edited.notes);
                why.push("logins source this file too".into());
                draft.put(&path, edited.bytes, 0o644, why)?;
            }
            Err(refused) => draft.note(finding.cause(text!("{}", refused)).advise(text!(
                "take the lines about {} out of {} by hand",
                own(refused.name),
                shown
            ))),
        }
    }
    Ok(())
}

/// Every name in both cases, but only where the script sets it.
fn lower_and_upper_where_active<'a>(variables: &'a [(&'static str, String)]) -> Vec<Edit<'a>> {
    lower_and_upper(variables, false)
        .into_iter()
        .map(|edit| match edit {
            Edit::Set(name, value) => Edit::SetIfActive(name, value),
            other => other,
        })
        .collect()
}
