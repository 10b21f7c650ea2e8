//! `/etc/environment` or `/etc/profile.d/proxy.sh`: what logins see.

use super::Context;
use super::vars::{NAMES, ProxyVars, reasons, upper};
use crate::consumers::Who;
use crate::envfile::{Dialect, Edit, PamLimit, Seen, Syntax, edit};
use crate::environment::LoginUser;
use crate::finding::{Finding, ids};
use crate::plan::Draft;
use crate::problem::{Problem, id};
use crate::settings::Key;
use crate::text;
use crate::text::{own, typed};

/// Longer lines make us ask which PAM will read them.
const SUSPICIOUS: usize = 1000;

/// What a person does afterwards.
pub(crate) const LOG_IN_AGAIN: &str = "log in again: running sessions keep the old environment";

pub(super) fn plan(context: &Context<'_>, vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    if !vars.change() {
        return Ok(());
    }
    let path = context.platform.system_proxy_file();
    let syntax = if context.platform.system_proxy_is_shell() { Syntax::Shell } else { Syntax::PamEnv };
    let snapshot = draft.snapshot(path)?;
    let present = snapshot.as_ref().map_or(&b""[..], |snapshot| &snapshot.bytes);
    let list = context.found.no_proxy_at(path);
    let variables = vars.variables(&list);
    let edited = edit(present, syntax, &edits(context, vars, &variables)).map_err(|refused| {
        let shown = context.view.host.shown(path);
        Problem::host(id::READERS_DISAGREE, text!("{}: {}", shown.display(), refused))
            .hint(text!("mend or remove the lines about {} by hand, then run again", own(refused.name)))
    })?;
    if !vars.remove {
        if context.found.unknown_no_proxy(path) {
            vars.untold_list(context, path, present, draft);
        }
        vars.remarks(context, path, &list, draft);
        if syntax == Syntax::PamEnv {
            too_long_for_pam(context, &edited.bytes, &variables, draft);
        }
    }
    draft.plan.consumers.extend([Who::Login, Who::Sudo, Who::Cron, Who::Systemd]);
    let idle = vars.remove && syntax == Syntax::Shell && edited.bytes.iter().all(u8::is_ascii_whitespace);
    let before = draft.plan.changes.len();
    if idle {
        draft.delete(path, vec!["nothing is left in it".into()])?;
    } else if snapshot.is_some() || !edited.bytes.is_empty() {
        draft.put(path, edited.bytes, 0o644, reasons(&edited.notes))?;
    }
    if draft.plan.changes.len() > before {
        draft.next(LOG_IN_AGAIN);
        if !vars.remove {
            draft.next(text!("see what a login gets: {}", LoginUser::of(context.view).proof()));
        }
    }
    Ok(())
}

/// The edits that bring a file to these variables, or take all six names out of it.
pub(super) fn edits<'a>(
    context: &Context<'_>,
    vars: &ProxyVars,
    variables: &'a [(&'static str, String)],
) -> Vec<Edit<'a>> {
    if vars.remove {
        return NAMES.iter().map(|name| Edit::Remove(name)).collect();
    }
    lower_and_upper(variables, context.settings.switch(Key::ProxyBothCases) == Some(true))
}

/// Lower-case names as documented; their twins where they are there already, or where they were asked for.
pub(super) fn lower_and_upper<'a>(variables: &'a [(&'static str, String)], both_cases: bool) -> Vec<Edit<'a>> {
    let lower = variables.iter().map(|(name, value)| Edit::Set(name, value.as_bytes()));
    let twins = variables.iter().map(|(name, value)| match both_cases {
        true => Edit::Set(upper(name), value.as_bytes()),
        false => Edit::SetIfActive(upper(name), value.as_bytes()),
    });
    lower.chain(twins).collect()
}

/// Would the host's own PAM cut or drop one of our lines?
fn too_long_for_pam(context: &Context<'_>, bytes: &[u8], variables: &[(&'static str, String)], draft: &mut Draft<'_>) {
    let lines = || bytes.split(|byte| *byte == b'\n').enumerate().map(|(index, line)| (index + 1, line));
    if lines().all(|(_, line)| line.len() <= SUSPICIOUS) {
        return;
    }
    let facts = context.platform.pam_limit(context.view.host);
    let (limit, what) = match facts.limit {
        PamLimit::None => return,
        PamLimit::Cut(limit) => (limit, "cuts longer lines"),
        PamLimit::Drop(limit) => (limit, "drops a longer line and all lines after it"),
    };
    let names: Vec<&[u8]> = variables.iter().map(|(name, _)| name.as_bytes()).collect();
    let reading = Dialect::PamEnv(facts.limit).read_only(bytes, &names);
    for (name, value) in variables {
        if reading.get(name.as_bytes()) == Some(&Seen::Value(value.clone().into_bytes())) {
            continue;
        }
        draft.note(
            Finding::fail(ids::PAM_LINE_TOO_LONG, text!("logins would not see the whole of {}", own(name)))
                .expected(text!(
                    "lines of at most {} bytes: linux-pam {} ({}) {}",
                    limit,
                    own(&facts.release),
                    own(&facts.known_from),
                    own(what)
                ))
                .observed(lines().find(|(_, line)| line.len() > limit).map_or_else(
                    || "a line that is too long with its continuations".into(),
                    |(number, line)| text!("line {} has {} bytes", number, line.len()),
                ))
                .advise(if value.len() >= limit.saturating_sub(name.len() + 3) {
                    text!(
                        "shorten the list: one suffix such as .corp.example covers many hosts; set it with: {}",
                        typed("--no-proxy-only <LIST>")
                    )
                } else {
                    text!("shorten the long line of {}", context.platform.system_proxy_file().display())
                }),
        );
        return;
    }
}
