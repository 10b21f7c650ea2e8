//! What would still win over the files of the plan: lines of files that are no target.
//!
//! The planned files are observed as their readers see them. Where a line of another file decides otherwise than wanted, its
//! file is edited in the same plan, by the editor of its form, and the edit stays only when the readers then differ less from
//! what is wanted. So it goes on until nothing is left that may be edited; what still wins then is told by the judge.
//!
//! Edited are files of nobody, and those that an earlier run has edited; files of packages and configuration tools with
//! `--mend-others` alone; files of users never. `--remove-proxy` takes out of such a file only what an earlier run has written
//! into it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::vars::ProxyVars;
use super::{Context, docker, readable_passwords};
use crate::consumers::mend::{Form, Wish, edited, form};
use crate::consumers::{Consumer, ConsumersFacts, Decided, State, Wanted, Who, judge};
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::plan::{Change, Draft, Plan, PlannedHost};
use crate::problem::Problem;
use crate::redact::MASK;
use crate::settings::{Key, NoProxy};
use crate::system::owner::tool;
use crate::text;
use crate::text::{Fix, Text, as_root, own, typed};

/// No more edits are tried in one plan.
const MOST: usize = 40;

/// What the consumers get when these changes are made, beside what is wanted; `None`: there are none to serve.
pub(crate) type Observe<'o> = dyn Fn(&[Change]) -> Option<(Wanted, ConsumersFacts)> + 'o;

/// A plan with what had to be mended.
pub(crate) enum Mended {
    /// The plan.
    Plan(Box<Plan>),
    /// Lists that are going to be edited have these members, which all files of the plan are to have: it has to be made anew.
    Members(NoProxy),
}

/// Adds to `plan` the edits of files that would win over it. `written`: the files, links followed, that runs in force have
/// written.
///
/// # Errors
/// A file of the plan that cannot be looked at.
pub(crate) fn mend(
    context: &Context<'_>,
    plan: Plan,
    written: &BTreeSet<PathBuf>,
    observe: &Observe<'_>,
) -> Result<Mended, Problem> {
    let mending = Mending { context, vars: ProxyVars::new(context.settings), written };
    let mut draft = Draft { view: context.view, plan };
    let of_targets = draft.plan.changes.len();
    let mut seen = observe(&draft.plan.changes);
    let mut tried = BTreeSet::new();
    while let Some((wanted, facts)) = &seen {
        let places = mending.places(facts, wanted);
        let members = mending.members(&places);
        if !members.is_empty() {
            return Ok(Mended::Members(members));
        }
        // What one edit brings about may ask for another one of the same file.
        let asked = |(path, file): &(PathBuf, Edits)| (path.clone(), file.wishes.clone());
        let Some(place) = places.into_iter().find(|place| !tried.contains(&asked(place))) else { break };
        if tried.len() == MOST {
            break;
        }
        tried.insert(asked(&place));
        let (path, file) = place;
        if let Some(better) = mending.edit(&path, &file, (wanted, facts), observe, &mut draft) {
            seen = Some(better);
            next_step(&file, context, &mut draft);
        }
    }
    mending.kept_by_tools(seen.as_ref().map(|(wanted, _)| wanted), &mut draft);
    readable_passwords(context, of_targets, &mut draft);
    Ok(Mended::Plan(Box::new(draft.plan)))
}

struct Mending<'a> {
    context: &'a Context<'a>,
    vars: ProxyVars,
    written: &'a BTreeSet<PathBuf>,
}

/// What is wanted of a file.
struct Edits {
    form: Form,
    wishes: Vec<Wish>,
    reasons: Vec<Text>,
    /// Lists that its lines have now.
    lists: Vec<NoProxy>,
    who: BTreeSet<Who>,
}

impl Mending<'_> {
    /// The files with lines that decide otherwise than wanted and that may be edited.
    fn places(&self, facts: &ConsumersFacts, wanted: &Wanted) -> BTreeMap<PathBuf, Edits> {
        let mut places = BTreeMap::new();
        for consumer in &facts.consumers {
            for name in judge::wrong(consumer, facts, wanted) {
                match judge::decided_by(consumer, name) {
                    Some((own, decided)) => self.wish(consumer, own, decided, false, &mut places),
                    None if !consumer.unknown.contains_key(name) => {
                        self.beside(consumer, name, &mut places);
                    }
                    None => {}
                }
            }
        }
        places
    }

    /// What is not set is set beside what is, where that is in no target.
    fn beside(&self, consumer: &Consumer, name: &str, places: &mut BTreeMap<PathBuf, Edits>) {
        let proxies = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"];
        let set = proxies.iter().find_map(|proxy| Some((*proxy, consumer.decided.get(*proxy)?)));
        let Some((proxy, decided)) = set.filter(|_| consumer.has_proxy()) else { return };
        let is_upper = proxy.starts_with(char::is_uppercase);
        let name = if is_upper { name.to_ascii_uppercase() } else { name.to_owned() };
        self.wish(consumer, &name, decided, true, places);
    }

    fn wish(
        &self,
        consumer: &Consumer,
        name: &str,
        decided: &Decided,
        is_new: bool,
        places: &mut BTreeMap<PathBuf, Edits>,
    ) {
        let Some(at) = decided.at.as_ref().filter(|at| self.may_edit(decided, &at.path)) else { return };
        let Some(form) = form(consumer.consumer, &at.path) else { return };
        let lower = name.to_ascii_lowercase();
        let list = match name {
            _ if is_new => None,
            "no_proxy" => consumer.no_proxy.as_deref(),
            "NO_PROXY" => consumer.no_proxy_upper.as_deref(),
            _ => None,
        };
        // What looks like a login in a list is not known here, and would be lost.
        if list.is_some_and(|list| list.contains(MASK)) {
            return;
        }
        let list = list.map(NoProxy::found).unwrap_or_default();
        let variables = self.vars.variables(&list);
        let value = variables.into_iter().find(|(own, _)| *own == lower).map(|(_, value)| value);
        if value.is_none() && !self.vars.remove {
            return;
        }
        let who = judge::who(consumer);
        let reason = match value {
            None => text!("take out {}", own(name.to_owned())),
            Some(_) if is_new => text!("set {} beside what {} gets from here", own(name.to_owned()), who),
            Some(_) if lower == "no_proxy" && self.vars.merges() => {
                text!("{} here would win for {}: its list is merged", own(name.to_owned()), who)
            }
            Some(_) => text!("{} here would win for {}: set as wanted", own(name.to_owned()), who),
        };
        let edits = places.entry(at.path.clone()).or_insert_with(|| Edits {
            form,
            wishes: Vec::new(),
            reasons: Vec::new(),
            lists: Vec::new(),
            who: BTreeSet::new(),
        });
        edits.who.insert(consumer.consumer);
        let line = (!is_new).then_some(at.line);
        if !edits.wishes.iter().any(|wish| wish.name == name) {
            edits.wishes.push(Wish { name: name.to_owned(), value, line });
            edits.reasons.push(reason);
            edits.lists.push(list);
        }
    }

    fn may_edit(&self, decided: &Decided, path: &Path) -> bool {
        let by_us = || self.context.view.host.resolve(path).is_ok_and(|real| self.written.contains(&real));
        if self.vars.remove {
            return by_us();
        }
        decided.others.is_none() || self.mends_others() || by_us()
    }

    fn mends_others(&self) -> bool {
        self.context.settings.switch(Key::MendOthers) == Some(true)
    }

    /// Members of lists that are going to be edited and that are in no list yet.
    fn members(&self, places: &BTreeMap<PathBuf, Edits>) -> NoProxy {
        let known = self.vars.no_proxy(&NoProxy::default());
        let mut members = NoProxy::default();
        let lists = places.values().flat_map(|edits| &edits.lists).filter(|list| !list.is_everything());
        if self.vars.merges() && !self.vars.remove && !known.is_everything() {
            lists.flat_map(NoProxy::members).filter(|member| !known.contains(member)).for_each(|own| members.push(own));
        }
        members
    }

    /// Edits one file; the new observation, where it is a better one. Otherwise nothing has changed.
    fn edit(
        &self,
        path: &Path,
        edits: &Edits,
        (wanted, facts): (&Wanted, &ConsumersFacts),
        observe: &Observe<'_>,
        draft: &mut Draft<'_>,
    ) -> Option<(Wanted, ConsumersFacts)> {
        // A file that cannot be read decides nothing that is known.
        let planned = PlannedHost::new(self.context.view.host, &draft.plan.changes).read(path).ok()??;
        let new = edited(edits.form, &planned, &edits.wishes)?;
        let before = draft.plan.changes.clone();
        // A link that is not followed, a file with several names: told by the judge as a line that wins.
        if draft.amend(path, new, edits.reasons.clone()).is_ok() {
            let again = observe(&draft.plan.changes);
            if let Some((wanted_then, facts_then)) = again
                && faults(&facts_then, &wanted_then) < faults(facts, wanted)
            {
                return Some((wanted_then, facts_then));
            }
        }
        draft.plan.changes = before;
        None
    }

    /// Files of a configuration tool, which is going to take back what is written. Without `--mend-others` nothing is.
    fn kept_by_tools(&self, wanted: Option<&Wanted>, draft: &mut Draft<'_>) {
        let mut findings = Vec::new();
        for change in &draft.plan.changes {
            let Some(name) = tool(change.old_bytes()) else { continue };
            let shown = self.context.view.host.shown(&change.path);
            let title = text!("{} is kept by {}: its next run takes back what is written", shown, own(name));
            let advice = text!("set the proxy in what {} writes there", own(name));
            findings.push(if self.mends_others() || self.written.contains(&change.real_path) {
                Finding::warn(ids::FILE_OF_A_TOOL, title).advise(advice)
            } else {
                let verb = self.context.phase.verb();
                let targets = self.context.settings.targets.iter().flat_map(|target| [" --target ", target.as_str()]);
                let targets: Vec<&'static str> = targets.collect();
                let mut finding = Finding::fail(ids::FILE_OF_A_TOOL, title)
                    .expected("a file that no configuration tool keeps, or --mend-others")
                    .advise(advice);
                let all_the_same = wanted.map(|wanted| judge::write_others(verb, &targets, wanted));
                let in_words =
                    || Fix::Advice(text!("write it all the same: the same command with {}", typed("--mend-others")));
                finding.fix.push(all_the_same.unwrap_or_else(in_words));
                finding
            });
        }
        draft.plan.findings.extend(findings);
    }
}

/// How much differs from what is wanted. Not to know what a consumer gets is worse than anything that it may get.
fn faults(facts: &ConsumersFacts, wanted: &Wanted) -> (usize, usize) {
    let unknown = |own: &&Consumer| own.state == State::Unreadable || !own.unknown.is_empty();
    let wrong = facts.consumers.iter().map(|consumer| judge::wrong(consumer, facts, wanted).len()).sum();
    (facts.consumers.iter().filter(unknown).count(), wrong)
}

fn next_step(edits: &Edits, context: &Context<'_>, draft: &mut Draft<'_>) {
    for who in &edits.who {
        match who {
            Who::Login if edits.form == Form::Sshd => {
                draft.next(text!(
                    "let sshd read its configuration again: {}",
                    typed("systemctl reload ssh || systemctl reload sshd")
                ));
                draft.next(super::system_proxy::LOG_IN_AGAIN);
            }
            Who::Login => draft.next(super::system_proxy::LOG_IN_AGAIN),
            Who::Docker => docker::restart_step(context, draft),
            Who::Systemd => {
                let again = as_root("systemctl daemon-reexec");
                draft.next(text!("let services get it when they are started again: {}", again))
            }
            _ => {}
        }
    }
}
