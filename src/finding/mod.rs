//! One thing that was looked at: what was expected, what was seen, what to do. The same record feeds every output format.

mod catalogue;
pub mod ids;

use serde_json::{Map, Value};

use crate::problem::{Problem, id};
use crate::text;
use crate::text::words::words;
use crate::text::{Again, CommandLine, Evidence, Fix, Person, Text, ics_setup, own};

#[doc(hidden)]
pub use crate::text::typed;
pub use catalogue::{Known, catalogue, known};
pub use ids::FindingId;

words! {
    /// How a finding ended.
    pub enum Status {
        /// As expected.
        Pass = "pass",
        /// Works, but will hurt.
        Warn = "warn",
        /// Does not work.
        Fail = "fail",
        /// Was not looked at; `observed` says why.
        Skip = "skip",
        /// The check itself broke.
        Error = "error",
    }

    /// Who must act, in the order in which they are told.
    pub enum Actor {
        /// Whoever has the firewall and the name servers.
        Network = "the network team",
        /// Whoever runs the proxy.
        Proxy = "the proxy team",
        /// Whoever has MySQL and Redis.
        Databases = "the database team",
        /// Whoever has this host.
        Host = "this host",
    }
}

/// One record of a check, of the planner or of the verification. Field names are the JSON contract.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct Finding {
    /// Stable name: for scripts and `--ignore-check`.
    pub id: FindingId,
    /// One sentence.
    pub title: Text,
    /// How it ended.
    pub status: Status,
    /// What should have been seen.
    pub expected: Option<Text>,
    /// What was seen.
    pub observed: Option<Text>,
    /// Why it matters or why it is so.
    pub cause: Option<Text>,
    /// What mends it, most promising first.
    pub fix: Vec<Fix>,
    /// Where to read more.
    pub docs: Option<Text>,
    /// Further facts, for programs.
    pub evidence: Map<String, Value>,
    /// The step of a staged check that decided.
    pub stage: Option<&'static str>,
    /// `direct` or `proxy`, for network checks.
    pub path: Option<&'static str>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// How often it was tried.
    pub attempts: Option<u32>,
    /// Who must act, where that is another one than usual for findings of this id.
    #[cfg_attr(test, serde(skip))]
    pub actor: Option<Actor>,
}

impl Status {
    /// Neither as expected nor left out?
    pub fn is_wrong(self) -> bool {
        !matches!(self, Self::Pass | Self::Skip)
    }
}

impl Finding {
    /// A finding with its sentence; the rest is added by the methods below.
    pub fn new(id: FindingId, status: Status, title: impl Into<Text>) -> Self {
        Self {
            id,
            title: title.into(),
            status,
            expected: None,
            observed: None,
            cause: None,
            fix: Vec::new(),
            docs: None,
            evidence: Map::new(),
            stage: None,
            path: None,
            duration_ms: None,
            attempts: None,
            actor: None,
        }
    }

    /// A finding that all is as expected.
    pub fn pass(id: FindingId, title: impl Into<Text>) -> Self {
        Self::new(id, Status::Pass, title)
    }

    /// A finding that something works, but will hurt.
    pub fn warn(id: FindingId, title: impl Into<Text>) -> Self {
        Self::new(id, Status::Warn, title)
    }

    /// A finding that something does not work.
    pub fn fail(id: FindingId, title: impl Into<Text>) -> Self {
        Self::new(id, Status::Fail, title)
    }

    /// A finding that something was not looked at; `observed` says why.
    pub fn skip(id: FindingId, title: impl Into<Text>) -> Self {
        Self::new(id, Status::Skip, title)
    }

    /// What should have been seen.
    #[must_use]
    pub fn expected(mut self, text: impl Into<Text>) -> Self {
        self.expected = Some(text.into());
        self
    }

    /// What was seen.
    #[must_use]
    pub fn observed(mut self, text: impl Into<Text>) -> Self {
        self.observed = Some(text.into());
        self
    }

    /// Why it matters or why it is so.
    #[must_use]
    pub fn cause(mut self, text: impl Into<Text>) -> Self {
        self.cause = Some(text.into());
        self
    }

    /// One command that mends it on this host: known by its exit code, its effect and the way back.
    #[must_use]
    pub fn fix(mut self, command: CommandLine) -> Self {
        self.fix.push(Fix::Command(command));
        self
    }

    /// One sentence for whoever mends it.
    #[must_use]
    pub fn advise(mut self, sentence: impl Into<Text>) -> Self {
        self.fix.push(Fix::Advice(sentence.into()));
        self
    }

    /// One sentence that tells where to look for more.
    #[must_use]
    pub fn look(mut self, sentence: impl Into<Text>) -> Self {
        self.fix.push(Fix::Look(sentence.into()));
        self
    }

    /// What mends it: a command or a sentence.
    #[must_use]
    pub fn fixed_by(mut self, fix: Fix) -> Self {
        self.fix.push(fix);
        self
    }

    /// The same with its command lines as this person can paste them.
    #[must_use]
    pub(crate) fn pasted_by(&self, person: &Person) -> Self {
        let mut fixes = self.fix.clone();
        // What goes on with the product's files is the same call, which writes both.
        if person.again == Again::Install && fixes.iter().any(|fix| fix.text().is_again(Again::Prepare)) {
            fixes.retain(|fix| !fix.text().is_again(Again::Reconfigure));
        }
        Self { fix: fixes.iter().map(|fix| fix.pasted_by(person)).collect(), ..self.clone() }
    }

    /// Who must act, where that is another one than usual for findings of this id.
    #[must_use]
    pub fn up_to(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// One fact for programs.
    #[must_use]
    pub fn evidence(mut self, key: &str, value: impl Into<Evidence>) -> Self {
        self.evidence.insert(key.to_owned(), value.into().into_value());
        self
    }
}

/// The finding ids that `--ignore-check` downgrades from fail to warn, each with its reason where one was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored(Vec<(FindingId, Option<String>)>);

impl Ignored {
    /// Takes `ID` or `ID=reason` as given on the command line.
    ///
    /// # Errors
    /// An id that no check has, with the nearest one.
    pub fn parse(given: &[String]) -> Result<Self, Problem> {
        let mut ids = Vec::new();
        for text in given {
            let (id, reason) = text.split_once('=').map_or((text.as_str(), None), |(id, reason)| (id, Some(reason)));
            let known = must_be_known(id.trim(), "--ignore-check")?;
            let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
            ids.push((known.id, reason.map(str::to_owned)));
        }
        Ok(Self(ids))
    }

    /// These too.
    #[must_use]
    pub fn and(&self, ids: impl Iterator<Item = FindingId>) -> Self {
        Self(self.0.iter().cloned().chain(ids.map(|id| (id, None))).collect())
    }

    /// Is this finding to be downgraded?
    pub fn covers(&self, id: FindingId) -> bool {
        self.0.iter().any(|(ignored, _)| *ignored == id)
    }

    /// Downgrades the failing findings that were named; they stay visible.
    pub fn apply(&self, findings: &mut [Finding]) {
        for finding in findings {
            let Some((_, reason)) = self.0.iter().find(|(id, _)| *id == finding.id) else { continue };
            if finding.status == Status::Fail {
                finding.status = Status::Warn;
                finding.title.push(match reason {
                    Some(reason) => text!(" (ignored: {})", own(reason)),
                    None => " (ignored)".into(),
                });
            }
        }
    }
}

/// The catalogue's entry of an id that a person typed behind `flag`.
///
/// # Errors
/// `unknown-check`, with the nearest id.
pub fn must_be_known(id: &str, flag: &str) -> Result<&'static Known, Problem> {
    known(id).ok_or_else(|| {
        let problem = Problem::settings(id::UNKNOWN_CHECK, text!("there is no check with the id {:?}", id));
        let all = catalogue().iter().map(|known| known.id.as_str());
        match crate::text::nearest(id, all) {
            Some(near) => problem.hint(text!("{} {}", own(flag), own(near))),
            None => problem.hint(text!("all ids: {}", ics_setup("check --list"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_installs_is_given_one_call_for_host_and_product() {
        let login = "--proxy-user <USER> --proxy-password-file <FILE>";
        let finding = Finding::fail(ids::PROXY_CREDENTIALS, "the proxy asks for a login")
            .advise(text!("give one: {}", ics_setup(text!("prepare {}", own(login)))))
            .advise(text!("then the product: {}", ics_setup("reconfigure")))
            .look("look: curl -v");
        let said = |again| {
            let pasted = finding.pasted_by(&Person { again, privileged: true, ..Person::default() });
            pasted.fix.iter().map(|fix| fix.text().to_string()).collect::<Vec<_>>()
        };
        let once = format!("give one: the same command with {login}");
        assert_eq!(said(Again::Install), [once.as_str(), "look: curl -v"]);
        assert_eq!(said(Again::Prepare), [once.as_str(), "then the product: ics-setup reconfigure", "look: curl -v"]);
        let other = format!("give one: ics-setup prepare {login}");
        assert_eq!(said(Again::Reconfigure), [other.as_str(), "then the product: the same command", "look: curl -v"]);
    }
}
