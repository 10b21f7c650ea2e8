//! From checks to findings: what is selected, rounds, and what becomes of a check that did not come to an end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::engine::{self, Ended, Job, Pace};
use super::record::{Ending, Entry, Identity, Record, SCHEMA};
use super::spec::Secrets;
use super::unit::AnyCheck;
use crate::check::prelude::*;
use crate::finding::Ignored;
use crate::host::HostRead;
use crate::net::Roots;
use crate::plan::Change;
use crate::platform::Platform;
use crate::progress;
use crate::stamp::rfc3339;
use crate::system::name::{own_address, own_name};
use crate::text::{Foreign, millis};

/// The first pause between two rounds of `--wait`; each is twice the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause between two rounds.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is seen of a check that panicked.
const BROKE: &str = "the check itself broke; this is a bug in ics-setup";

/// Which findings are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these groups; empty: all.
    pub groups: Vec<Group>,
    /// Only these ids or groups; empty: all.
    pub only: Vec<String>,
    /// None of these ids or groups.
    pub skip: Vec<String>,
}

impl Selection {
    /// Is a finding with this id wanted?
    pub fn has(&self, group: Group, id: FindingId) -> bool {
        let named = |list: &[String]| list.iter().any(|word| id == word.as_str() || word == group.as_str());
        (self.groups.is_empty() || self.groups.contains(&group))
            && (self.only.is_empty() || named(&self.only))
            && !self.leaves_out(group, id)
    }

    /// Is it named by `--skip`, itself or with its group?
    fn leaves_out(&self, group: Group, id: FindingId) -> bool {
        self.skip.iter().any(|word| id == word.as_str() || word == group.as_str())
    }

    /// Does the selection leave anything to look at?
    pub fn is_empty(&self) -> bool {
        !super::all().into_iter().any(|check| self.wants(check))
    }

    fn wants(&self, check: &dyn AnyCheck) -> bool {
        let Meta { group, ids, .. } = check.meta();
        ids.iter().any(|id| self.has(group, *id))
    }
}

/// Everything that a run of checks needs. Shared with threads that may outlive it.
pub(crate) struct Run<H> {
    /// The host.
    pub host: H,
    /// What system it is.
    pub platform: Option<Platform>,
    /// What is wanted.
    pub spec: CheckSpec,
    /// What to log in with.
    pub secrets: Secrets,
    /// Whom to trust.
    pub roots: Roots,
    /// What `prepare` and `reconfigure` would change on the host now; `None`: that is not known.
    pub changes: Option<Vec<Change>>,
}

impl<H: HostRead + Send + Sync + 'static> Run<H> {
    /// Collects the facts of all selected checks, again for the failing ones until `--wait` is over, and judges them.
    ///
    /// `progress` hears how many are done, of how many, and the names of those that run.
    pub(crate) fn collect(
        self,
        selection: &Selection,
        ignored: &Ignored,
        progress: &mut dyn FnMut(usize, usize, &[&'static str]),
    ) -> Record {
        let limits = self.spec.limits;
        let end = Instant::now() + limits.wait();
        let shared = Arc::new(self);
        let checks: Vec<&'static dyn AnyCheck> =
            super::all().into_iter().filter(|check| selection.wants(*check)).collect();
        let mut record = Record {
            schema: SCHEMA.to_owned(),
            version: crate::build::NUMBER.to_owned(),
            taken: rfc3339(shared.host.now()),
            host: Identity {
                name: own_name(&shared.host).map(Foreign::new),
                address: own_address(&shared.host).map(|own| own.to_string()),
                system: shared.platform.as_ref().map(|platform| Foreign::new(platform.os.pretty.clone())),
                command: None,
            },
            spec: shared.spec.clone(),
            checks: Vec::new(),
        };
        let mut due: Vec<usize> = (0..checks.len()).collect();
        let mut pause = FIRST_PAUSE;
        loop {
            let jobs = due.iter().map(|index| shared.job(checks[*index], record.checks.get(*index))).collect();
            let pace = Pace { connect: limits.connect(), run: limits.run(), per_proxy: engine::PER_PROXY };
            let total = due.len();
            let ended = engine::run(jobs, pace, &mut |done, names| progress(done, total, names));
            for (index, ended) in due.iter().zip(ended) {
                let entry = entry(checks[*index], ended, record.checks.get(*index));
                match record.checks.get_mut(*index) {
                    Some(old) => *old = entry,
                    None => record.checks.push(entry),
                }
            }
            due = (0..checks.len())
                .filter(|index| {
                    let (check, entry) = (checks[*index], &record.checks[*index]);
                    let mut findings = wanted(check, entry, &record.spec, selection);
                    ignored.apply(&mut findings);
                    let fails = findings.iter().any(|found| matches!(found.status, Status::Fail | Status::Error));
                    fails && !(entry.ended == Ending::Done && check.is_settled(&entry.facts))
                })
                .collect();
            let left = end.saturating_duration_since(Instant::now());
            if due.is_empty() || left.is_zero() {
                return record;
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn job(self: &Arc<Self>, check: &'static dyn AnyCheck, earlier: Option<&Entry>) -> Job<Value> {
        let run = self.clone();
        let earlier = earlier.filter(|entry| entry.ended == Ending::Done).map(|entry| entry.facts.clone());
        Job {
            name: check.meta().name,
            talks_to: check.talks_to(&run.spec),
            limit: check.limit(&run.spec),
            work: Box::new(move |time| {
                let look = Look {
                    host: &run.host,
                    platform: run.platform.as_ref(),
                    spec: &run.spec,
                    secrets: &run.secrets,
                    roots: &run.roots,
                    changes: run.changes.as_deref(),
                };
                check.collect(&look, time, earlier.as_ref())
            }),
        }
    }
}

/// Looks and judges on this thread, one check after the other, until `end`.
pub(crate) fn in_turn(checks: &[&dyn AnyCheck], look: &Look<'_>, end: Instant) -> Vec<Finding> {
    let judged = |check: &&dyn AnyCheck| {
        let began = Instant::now();
        let limit = check.limit(look.spec).min(end.saturating_duration_since(began));
        let time = Time::new(look.spec.limits.connect(), limit);
        let ended = match catch_unwind(AssertUnwindSafe(|| (!limit.is_zero()).then(|| check.collect(look, time, None))))
        {
            Ok(Some(facts)) => Ended::Done(facts, began.elapsed()),
            Ok(None) => Ended::OutOfTime,
            Err(_) => Ended::Broke,
        };
        let entry = entry(*check, ended, None);
        let mut findings = judge_entry(*check, &entry, look.spec);
        findings.iter_mut().for_each(|finding| _ = finding.duration_ms.get_or_insert(entry.took_ms));
        findings
    };
    let mut findings = Vec::new();
    for (done, check) in checks.iter().enumerate() {
        progress::counted("checks", done, checks.len());
        findings.extend(judged(check));
    }
    progress::counted("checks", checks.len(), checks.len());
    findings
}

impl Record {
    /// Judges everything that was seen. Pure.
    pub fn judge(&self, selection: &Selection, ignored: &Ignored) -> Vec<Finding> {
        let mut findings = Vec::new();
        for check in super::all().into_iter().filter(|check| selection.wants(*check)) {
            let Some(entry) = self.checks.iter().find(|entry| entry.check == check.meta().name) else { continue };
            let mut own = wanted(check, entry, &self.spec, selection);
            for finding in &mut own {
                finding.duration_ms.get_or_insert(entry.took_ms);
                finding.attempts.get_or_insert(entry.attempts);
            }
            findings.extend(own);
        }
        ignored.apply(&mut findings);
        findings
    }
}

fn entry(check: &dyn AnyCheck, ended: Ended<Value>, before: Option<&Entry>) -> Entry {
    let (ended, took_ms, facts) = match ended {
        Ended::Done(facts, took) => (Ending::Done, millis(took), facts),
        Ended::Late(limit) => (Ending::Late, millis(limit), Value::Null),
        Ended::OutOfTime => (Ending::OutOfTime, 0, Value::Null),
        Ended::Broke => (Ending::Broke, 0, Value::Null),
    };
    let attempts = before.map_or(1, |before| before.attempts.saturating_add(1));
    Entry { check: check.meta().name.to_owned(), ended, took_ms, attempts, facts }
}

/// The findings of one check that the selection wants. Where it has none of those, or none that was looked at, what stood in their way: whoever asks
/// only for the grants must hear that the server does not answer, not that all is well.
fn wanted(check: &dyn AnyCheck, entry: &Entry, spec: &CheckSpec, selection: &Selection) -> Vec<Finding> {
    let Meta { group, gates, .. } = check.meta();
    let (own, mut others): (Vec<Finding>, Vec<Finding>) =
        judge_entry(check, entry, spec).into_iter().partition(|finding| selection.has(group, finding.id));
    if own.iter().any(|finding| finding.status != Status::Skip) {
        return own;
    }
    let was_selected = !own.is_empty();
    others.retain(|finding| {
        let in_the_way = match finding.status {
            Status::Skip => !was_selected,
            Status::Error => true,
            Status::Fail | Status::Warn => gates.contains(&finding.id),
            Status::Pass => false,
        };
        in_the_way && !selection.leaves_out(group, finding.id)
    });
    others.extend(own);
    others
}

/// The findings of one check; one of its own where it did not come to an end.
fn judge_entry(check: &dyn AnyCheck, entry: &Entry, spec: &CheckSpec) -> Vec<Finding> {
    let why: Text = match entry.ended {
        // One judge that breaks is not to cost the findings of all others.
        Ending::Done => match catch_unwind(AssertUnwindSafe(|| check.judge(&entry.facts, spec))) {
            Ok(Ok(findings)) => return findings,
            Ok(Err(error)) => text!("the facts of {} do not fit: {}", own(check.meta().name), error),
            Err(_) => BROKE.into(),
        },
        Ending::Late => text!(
            "no result within {}; the limit of one check is --timeout",
            own(seconds(Duration::from_millis(entry.took_ms)))
        ),
        Ending::OutOfTime => {
            text!("the run was over after {} (--deadline) before this was known", own(seconds(spec.limits.run())))
        }
        Ending::Broke => BROKE.into(),
    };
    let Meta { name, ids, .. } = check.meta();
    let Some(id) = ids.first() else { return Vec::new() };
    let title = text!("{} could not be checked", own(name));
    let broke = matches!(entry.ended, Ending::Broke | Ending::Done);
    let finding = Finding::new(*id, Status::Error, title).observed(why);
    vec![if broke {
        finding
            .cause("a fault of ics-setup itself, or facts of another version of it; nothing is known about what was to be checked")
            .advise(text!("keep what was seen, without secrets, for whoever mends it: {}", ics_setup("check --save-facts <FILE>")))
    } else {
        finding
            .cause("something that was asked did not answer in time; nothing is known about it")
            .advise(text!("give it longer: {}", ics_setup("check --timeout 60s --deadline 10m")))
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Check;
    use crate::net::Time;

    struct Broken;

    impl Check for Broken {
        type Facts = bool;

        const META: Meta = Meta::new("broken", Group::Host, &[FindingId::unlisted("host-name", "host")]);

        fn collect(&self, _: &Look<'_>, _: Time, _: Option<&bool>) -> bool {
            true
        }

        fn judge(&self, facts: &bool, _: &CheckSpec) -> Vec<Finding> {
            assert!(!facts, "broken");
            Vec::new()
        }
    }

    #[test]
    fn a_judge_that_breaks_and_facts_that_do_not_fit_are_findings() {
        let judged = |facts: Value| {
            let entry = Entry { check: "broken".to_owned(), ended: Ending::Done, took_ms: 1, attempts: 1, facts };
            judge_entry(&Broken, &entry, &CheckSpec::default())
        };
        assert!(judged(Value::Bool(false)).is_empty());
        for (facts, words) in [(Value::Bool(true), "a bug in ics-setup"), (Value::Null, "do not fit")] {
            let findings = judged(facts);
            assert_eq!((findings.len(), findings[0].status), (1, Status::Error));
            assert!(findings[0].observed.as_ref().is_some_and(|text| text.contains(words)), "{findings:?}");
        }
    }
}
