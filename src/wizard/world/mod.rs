//! Does the world agree with an answer? One bounded look each, by the checks of `ics-setup check`; a person may always go on
//! anyway.
//!
//! | module | what it does |
//! | --- | --- |
//! | here | who can be asked, and what is made of findings |
//! | `network` | the network that this process is in |

mod network;
#[cfg(test)]
mod tests;

use crate::check::{CheckSpec, Secrets};
use crate::finding::{Finding, FindingId, Status, ids};
use crate::redact::Redactor;
use crate::report::{self, Spoken, line};
use crate::settings::{Found, ProxyUrl, Settings};
use crate::text;
use crate::text::Fix;

pub(crate) use network::Network;

/// What the world says to an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Can it be used as answered?
    pub good: bool,
    /// One sentence.
    pub said: String,
    /// The same beside the answer, which names who was asked; empty: the sentence.
    pub beside: String,
    /// What to do about it: the first of it that is done elsewhere than here, or the cause where nothing is.
    pub advice: Option<Advice>,
    /// What else is wrong or will hurt: a sentence each.
    pub noticed: Vec<(String, Option<Advice>)>,
    /// The id of the finding that decides.
    pub about: Option<FindingId>,
    /// The ids of all that fails.
    pub failing: Vec<FindingId>,
    /// The other side asked for a login that it was not given.
    pub wants_login: bool,
    /// The proxy refuses, and a login of ours would not change that.
    pub login_is_no_help: bool,
    /// The other side is to be spoken to in TLS, and no setting says so.
    pub wants_tls: bool,
    /// The proxy URL begins with `http://` where the port speaks TLS, or the other way round.
    pub wrong_scheme: bool,
}

/// What stands below a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// A command or an edit.
    Do(Spoken),
    /// Why it is so.
    Know(String),
}

impl Verdict {
    /// The word for it.
    pub(crate) fn mark(&self) -> &'static str {
        if self.good || self.wants_login { "ok" } else { "no" }
    }

    /// What is to be read beside the answer, and whether it is good.
    pub(crate) fn beside(&self) -> (bool, String) {
        let said = if self.beside.is_empty() { &self.said } else { &self.beside };
        (self.good || self.wants_login, said.clone())
    }

    /// The worst `most` of these findings; where nothing fails, the title of the last of `praise` that passes.
    fn of(findings: &[Finding], most: usize, praise: &[FindingId], redactor: &Redactor) -> Self {
        let of = |status: &[Status]| -> Vec<&Finding> {
            findings.iter().filter(|finding| status.contains(&finding.status)).collect()
        };
        let mut wrong = of(&[Status::Fail, Status::Error]);
        let good = wrong.is_empty() && !of(&[Status::Pass]).is_empty();
        let failing = wrong.iter().map(|finding| finding.id).collect();
        wrong.extend(of(&[Status::Warn]));
        let tell = |finding: &&Finding| (sentence(finding, redactor), advice(finding, redactor));
        let mut lines: Vec<_> = wrong.iter().take(most).map(tell).collect();
        let mut verdict = Self { good, about: wrong.first().map(|finding| finding.id), failing, ..Self::default() };
        if good {
            let passed = |id: &FindingId| findings.iter().find(|own| own.id == *id && own.status == Status::Pass);
            let title = praise.iter().rev().find_map(passed).map(|finding| line(redactor, &finding.title));
            verdict.said = title.unwrap_or_else(|| "it answers".to_owned());
        } else if lines.is_empty() {
            verdict.said = "it could not be looked at".to_owned();
        } else {
            (verdict.said, verdict.advice) = lines.remove(0);
        }
        verdict.noticed = lines;
        verdict
    }
}

/// What is wrong, and what was seen; of a version, what is asked for.
fn sentence(finding: &Finding, redactor: &Redactor) -> String {
    let more = match finding.id {
        ids::MYSQL_VERSION | ids::REDIS_VERSION => {
            finding.expected.as_ref().map(|expected| text!("the product wants {}", expected))
        }
        _ => finding.observed.clone(),
    };
    let title = &finding.title;
    line(redactor, &more.map_or_else(|| title.clone(), |more| text!("{}: {}", title, more)))
}

/// Commands of ours are no help to somebody whose answers are not written yet, and the cause tells more than a way to look.
fn advice(finding: &Finding, redactor: &Redactor) -> Option<Advice> {
    let helps = |fix: &&Fix| !matches!(fix, Fix::Look(_)) && !fix.text().names_ics_setup();
    let elsewhere = finding.fix.iter().find(helps).map(|fix| Advice::Do(report::sentence(redactor, fix.text())));
    elsewhere.or_else(|| finding.cause.as_ref().map(|cause| Advice::Know(line(redactor, cause))))
}

/// Who can be asked whether an answer holds.
pub(crate) trait World {
    /// Is the proxy there, and does it take the login?
    fn proxy(&self, proxy: &ProxyUrl) -> Verdict;
    /// Is MySQL there, and does it let the user in, where one is wanted, to what is needed?
    fn mysql(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict;
    /// Is Redis there, and does it take the password, where there is one?
    fn redis(&self, spec: &CheckSpec, secrets: &Secrets) -> Verdict;
    /// Can the administrator that the settings name make what MySQL lacks? Nothing is said where nobody can be asked.
    fn administrator(&self, settings: &Settings, found: &Found) -> Verdict;
}
