//! What the proxy variables are to be, for every target alike.

use std::path::Path;

use super::Context;
use crate::envfile::{Note, PortableValue, Syntax};
use crate::finding::{Finding, Status, ids};
use crate::lists::{self, Local};
use crate::network::catalogue::Needs;
use crate::plan::Draft;
use crate::problem::{Problem, id};
use crate::redact;
use crate::settings::{Deployment, Exclusions, Key, NoProxy, Settings};
use crate::system::cloud::cloud;
use crate::text;
use crate::text::{Text, own, typed};
use crate::vendor::Vendor;

/// Values for the three variables.
pub(super) struct ProxyVars {
    /// `http_proxy`; `None`: not ours to set.
    pub(super) http: Option<String>,
    /// `https_proxy`.
    pub(super) https: Option<String>,
    /// They are to go.
    pub(super) remove: bool,
    /// One of the URLs has a password.
    pub(super) secret: bool,
    exclusions: Exclusions,
    found: NoProxy,
    built_in: NoProxy,
    added_for_test_drive: Vec<&'static str>,
    test_drive: bool,
}

impl ProxyVars {
    pub(super) fn new(settings: &Settings) -> Self {
        let members = &Vendor::get().no_proxy;
        let test_drive = settings.deployment == Deployment::TestDrive;
        let mut built_in = NoProxy::default();
        let of_test_drive = members.test_drive.iter().chain(&members.test_drive_added).filter(|_| test_drive);
        let of_place = settings.direct.iter().map(|direct| &direct.host);
        for member in members.base.iter().chain(of_place).chain(of_test_drive) {
            built_in.push(member);
        }
        Self {
            http: settings.proxies.http.as_ref().map(|url| url.value.render()),
            https: settings.proxies.https.as_ref().map(|url| url.value.render()),
            remove: settings.remove_proxy,
            secret: settings.proxies.iter().any(|url| url.value.password().is_some()),
            exclusions: settings.exclusions.clone(),
            found: settings.found_no_proxy.clone(),
            built_in,
            test_drive,
            added_for_test_drive: members.test_drive_added.iter().filter(|_| test_drive).map(String::as_str).collect(),
        }
    }

    /// Is there anything to set?
    pub(super) fn sets(&self) -> bool {
        self.http.is_some() || self.https.is_some()
    }

    /// Is there anything to set or to take out?
    pub(super) fn change(&self) -> bool {
        self.sets() || self.remove
    }

    /// Are members that are there kept?
    pub(super) fn merges(&self) -> bool {
        matches!(self.exclusions, Exclusions::Added(_))
    }

    /// The list for a file that has `present` now.
    pub(super) fn no_proxy(&self, present: &NoProxy) -> NoProxy {
        match &self.exclusions {
            Exclusions::Only(list) => list.clone(),
            Exclusions::Added(_) if present.is_everything() => present.clone(),
            Exclusions::Added(own) => present.clone().merged(&self.found).merged(&self.built_in).merged(own),
        }
    }

    /// The three names in lower case with their values for a file that has `present` now.
    pub(super) fn variables(&self, present: &NoProxy) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        variables.extend(self.http.clone().map(|url| ("http_proxy", url)));
        variables.extend(self.https.clone().map(|url| ("https_proxy", url)));
        let list = self.no_proxy(present);
        if self.sets() && !list.is_empty() {
            variables.push(("no_proxy", list.to_string()));
        }
        variables
    }

    /// Refuses to add members to a list of a file that cannot be read, as those that it has would be lost.
    pub(super) fn untold_list(&self, context: &Context<'_>, path: &Path, bytes: &[u8], draft: &mut Draft<'_>) {
        if !self.sets() || !self.merges() {
            return;
        }
        let shown = context.view.host.shown(path);
        let lines = bytes.split(|byte| *byte == b'\n');
        let mut of_list = lines.filter(|line| line.to_ascii_lowercase().windows(8).any(|part| part == b"no_proxy"));
        let (title, cause, hint) = match of_list.any(|line| std::str::from_utf8(line).is_err()) {
            true => (
                text!("the list no_proxy in {} is not UTF-8", shown),
                "a name of a host has letters, digits and hyphens; others are written as xn--…",
                "write its members anew, or give the whole list",
            ),
            false => (
                text!("{} builds no_proxy in a way that only a shell can tell", shown),
                "it is set under a condition, or from a variable or a command",
                "give the whole list",
            ),
        };
        draft.note(
            Finding::fail(ids::NO_PROXY_UNKNOWN, title)
                .expected("a plain list, to which members can be added without losing any")
                .cause(cause)
                .advise(text!("{}: {}", own(hint), typed("--no-proxy-only <LIST>"))),
        );
    }

    /// What is worth saying about the list, once a run.
    pub(super) fn remarks(&self, context: &Context<'_>, path: &Path, present: &NoProxy, draft: &mut Draft<'_>) {
        let said = |draft: &Draft<'_>, id| draft.plan.findings.iter().any(|finding| finding.id == id);
        let list = self.no_proxy(present);
        if list.is_everything() && !said(draft, ids::NO_PROXY_EVERYTHING) {
            draft.note(
                Finding::warn(ids::NO_PROXY_EVERYTHING, "no_proxy is *: nothing uses the proxy")
                    .cause("* counts only where it stands alone, so nothing was added to it")
                    .advise(text!("name the hosts instead: {}", typed("--no-proxy-only <LIST>"))),
            );
        }
        let stands = context.found.at(Key::ProxyNoProxy, path).filter(|_| self.merges());
        let split = stands.filter(|stands| stands.contains([';', '|', '"', '\'']) && !said(draft, ids::NP001));
        if self.sets()
            && let Some(stands) = split
        {
            let title = text!(
                "no_proxy in {} had members that no client could tell apart",
                context.view.host.shown(path).display()
            );
            draft.note(
                Finding::warn(ids::NP001, title)
                    .observed(text!("{:?}, written anew as {:?}", redact::list(stands), list.shown().to_string()))
                    .cause("members are separated by commas: no quotes, no other separators"),
            );
        }
        let strangers = stands.map(NoProxy::strangers).unwrap_or_default();
        if self.sets() && !strangers.is_empty() && !said(draft, ids::NP013) {
            let title = text!(
                "no_proxy in {} had {}, which is no host and was left out",
                context.view.host.shown(path).display(),
                strangers.join(", ")
            );
            draft.note(
                Finding::warn(ids::NP013, title)
                    .observed(text!("written anew as {:?}", list.shown().to_string()))
                    .cause("members are hosts, addresses and domains; no client has anything else in its list")
                    .advise(text!("name the hosts that were meant: {}", typed("--no-proxy <LIST>"))),
            );
        }
        if self.sets() && !list.is_everything() {
            for finding in self.lints(context, path, &list) {
                if !said(draft, finding.id) {
                    draft.note(finding);
                }
            }
        }
        for member in &self.added_for_test_drive {
            if self.sets()
                && list.contains(member)
                && !present.contains(member)
                && !said(draft, ids::NO_PROXY_LOOPBACK_ADDED)
            {
                draft.note(
                    Finding::pass(ids::NO_PROXY_LOOPBACK_ADDED, text!("{} was added to no_proxy", own(member)))
                        .cause("127.0.0.0, as documented, is compared literally: without 127.0.0.1 a local http://127.0.0.1:8001 goes to the proxy"),
                );
            }
        }
    }
}

/// Is a service of this deployment asked through loopback?
fn local(test_drive: bool) -> Local<'static> {
    if test_drive { Local::Certain } else { Local::No }
}

impl ProxyVars {
    /// What is wrong with the list that is going to be written, by the judge of lists. It stops no run.
    fn lints(&self, context: &Context<'_>, path: &Path, list: &NoProxy) -> Vec<Finding> {
        // The vendor's own list is what most hosts get, and asking every client about it takes as long as all the rest of a
        // run. A test holds it to what they say.
        if self.is_built_in(list) {
            return Vec::new();
        }
        let text = redact::list(&list.to_string());
        let wanted: Vec<String> = list.shown().members().map(str::to_owned).collect();
        let cloud = cloud(context.view.host);
        let (local, verb) = (local(self.test_drive), context.phase.verb());
        let required = Needs::get().hosts_of(context.settings.clouds().as_deref());
        let judged_by = lists::Context {
            required: &required,
            whole: matches!(self.exclusions, Exclusions::Only(_)),
            wanted: &wanted,
            ..lists::Context::of_environment(local, cloud.as_deref(), &context.settings.direct, verb)
        };
        let place = text!("{}", context.view.host.shown(path).display());
        let findings = lists::lint(Some(&text), Some(&text), &place, &judged_by);
        let told = findings.into_iter().filter(|finding| finding.status != Status::Pass);
        told.map(|finding| Finding { status: Status::Warn, ..finding }).collect()
    }

    /// Is it the built-in list of this deployment, whole and with nothing beside it?
    fn is_built_in(&self, list: &NoProxy) -> bool {
        list.members().count() == self.built_in.members().count()
            && self.built_in.members().all(|member| list.contains(member))
    }
}

/// A value as every reader of env files takes it.
pub(super) fn portable(key: &str, what: &'static str, bytes: &[u8], shown: &Path) -> Result<PortableValue, Problem> {
    PortableValue::new(bytes, Syntax::EnvFile.readers().must).map_err(|refused| {
        Problem::settings(id::VALUE_NOT_PORTABLE, text!("{} cannot be written to {}: {}", key, shown, refused))
            .hint(text!("choose a {} of letters, digits and _ . , : / @ % + = -", own(what)))
    })
}

/// Notes of an edit as reasons of a change.
pub(super) fn reasons(notes: &[Note]) -> Vec<Text> {
    let of_all = |of: fn(&Note) -> Option<&String>, what: &'static str| {
        let names = notes.iter().filter_map(of).map(String::as_str).collect::<Vec<_>>().join(", ");
        (!names.is_empty()).then(|| text!("{}: {}", own(what), own(names)))
    };
    let aside =
        of_all(|note| if let Note::Aside(name) = note { Some(name) } else { None }, "set aside what is in the secret");
    let back = of_all(|note| if let Note::Back(name) = note { Some(name) } else { None }, "bring back as they stood");
    let single = notes.iter().filter_map(|note| {
        Some(match note {
            Note::Set(name) => text!("set {}", own(name)),
            Note::Added(name) => text!("add {}", own(name)),
            Note::Uncommented(name, line) => text!("uncomment {} (line {}) and set it", own(name), line),
            Note::DuplicateCommented(name, line) => {
                text!("comment out the other {} (line {}): the last one counted", own(name), line)
            }
            Note::Removed(name) => text!("take out {}", own(name)),
            Note::Aside(_) | Note::Back(_) => return None,
        })
    });
    single.chain(aside).chain(back).collect()
}

/// `HTTP_PROXY` for `http_proxy`.
pub(crate) fn upper(name: &str) -> &'static str {
    match name {
        "http_proxy" => "HTTP_PROXY",
        "https_proxy" => "HTTPS_PROXY",
        _ => "NO_PROXY",
    }
}

pub(super) use crate::consumers::NAMES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::cloud::Direct;

    #[test]
    fn every_client_is_content_with_the_built_in_lists() {
        for test_drive in [false, true] {
            let members = &Vendor::get().no_proxy;
            let of_test_drive = members.test_drive.iter().chain(&members.test_drive_added).filter(|_| test_drive);
            let list: Vec<&str> = members.base.iter().chain(of_test_drive).map(String::as_str).collect();
            let direct = ["169.254.170.2", "metadata.google.internal"];
            let direct = direct.map(|host| Direct { host: host.to_owned(), of: "a cloud".to_owned() });
            let context = lists::Context::of_environment(local(test_drive), Some("a cloud"), &direct, "prepare");
            let of_place = direct.iter().map(|direct| direct.host.as_str());
            let list = list.into_iter().chain(of_place).collect::<Vec<_>>().join(",");
            let findings = lists::lint(Some(&list), Some(&list), &"x".into(), &context);
            assert!(findings.iter().all(|finding| finding.status == Status::Pass), "{findings:#?}");
        }
    }
}
