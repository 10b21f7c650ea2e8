//! What the proxy variables are to be, for every target alike.

use super::list_remarks;
use crate::envfile::Note;
use crate::finding::{Finding, ids};
use crate::plan::Draft;
use crate::settings::{Deployment, Exclusions, NoProxy, Settings};
use crate::text;
use crate::text::{Text, own};
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
        for member in members.base.iter().chain(of_test_drive) {
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

    /// What is worth saying about the list, once a run.
    pub(super) fn remarks(&self, present: &NoProxy, draft: &mut Draft<'_>) {
        let said = |draft: &Draft<'_>, id| draft.plan.findings.iter().any(|finding| finding.id == id);
        let list = self.no_proxy(present);
        if list.is_everything() && !said(draft, ids::NO_PROXY_EVERYTHING) {
            draft.note(
                Finding::warn(ids::NO_PROXY_EVERYTHING, "no_proxy is *: nothing uses the proxy")
                    .cause("* counts only where it stands alone, so nothing was added to it")
                    .advise("name the hosts instead: --no-proxy-only <LIST>"),
            );
        }
        if self.sets() && !list.is_everything() {
            for finding in list_remarks::remarks(&list, self.test_drive) {
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

/// Notes of an edit as reasons of a change.
pub(super) fn reasons(notes: &[Note]) -> Vec<Text> {
    notes
        .iter()
        .map(|note| match note {
            Note::Set(name) => text!("set {}", own(name)),
            Note::Added(name) => text!("add {}", own(name)),
            Note::Uncommented(name, line) => text!("uncomment {} (line {}) and set it", own(name), line),
            Note::DuplicateCommented(name, line) => {
                text!("comment out the other {} (line {}): the last one counted", own(name), line)
            }
            Note::Removed(name) => text!("take out {}", own(name)),
        })
        .collect()
}

/// `HTTP_PROXY` for `http_proxy`.
pub(super) fn upper(name: &str) -> &'static str {
    match name {
        "http_proxy" => "HTTP_PROXY",
        "https_proxy" => "HTTPS_PROXY",
        _ => "NO_PROXY",
    }
}

pub(super) use crate::consumers::NAMES;
