//! Which strategy a system gets, and what there is to say about it.

use super::facts::{Facts, System};
use super::sources::{Identity, Tried};
use super::strategy::Strategy;
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Text, own, typed};
use crate::version::Version;

/// What was made of an [`Identity`].
pub(super) struct Verdict {
    pub(super) strategy: Strategy,
    /// The entry in the facts; `None` for a system that is only known by its family, or not at all.
    pub(super) system: Option<&'static System>,
    pub(super) findings: Vec<Finding>,
}

/// Decides on the strategy. `forced` wins over what the system says, but its age is judged all the same.
///
/// # Errors
/// `os-unsupported`: neither the id nor its family is known, and nothing is forced.
pub(super) fn judge(facts: &'static Facts, identity: &Identity, forced: Option<Strategy>) -> Result<Verdict, Problem> {
    let case = Case { identity, facts };
    let system = facts.by_id(&identity.id, &identity.name);
    let family = facts.by_family(&identity.like);
    let own = system.map(|system| system.strategy).or(family.map(|(_, strategy)| strategy));
    let strategy = forced.or(own).ok_or_else(|| case.unsupported())?;
    let mut findings = Vec::new();
    if let Some(system) = system {
        findings.extend(case.age(system, strategy));
    }
    findings.extend(match (forced, system, family) {
        (Some(forced), _, _) => (own != Some(forced)).then(|| case.forced_against(forced, own)),
        (None, Some(system), _) => (!system.listed).then(|| case.not_listed(strategy, None)),
        (None, None, Some((ancestor, _))) => Some(case.not_listed(strategy, Some(ancestor))),
        (None, None, None) => None,
    });
    Ok(Verdict { strategy, system, findings })
}

/// No file told what the system is.
pub(super) fn unknown(tried: &[Tried]) -> Problem {
    let told = tried.iter().map(|file| match &file.why {
        None => text!("{} is not there", own(&file.path)),
        Some(why) => text!("{}: {}", own(&file.path), why),
    });
    let paths: Vec<&str> = tried.iter().map(|file| file.path.as_str()).collect();
    let problem =
        Problem::host(id::OS_UNKNOWN, text!("no file tells which system this is; tried {}", own(paths.join(", "))));
    overrides(problem.because(Text::join(told, "; ")))
}

fn overrides(problem: Problem) -> Problem {
    Strategy::ALL.into_iter().fold(problem, |problem, strategy| {
        problem.hint(text!(
            "{}, if this system works like {}: {}",
            typed(text!("--os {}", own(strategy.as_str()))),
            own(family(strategy)),
            own(habits(strategy))
        ))
    })
}

fn family(strategy: Strategy) -> &'static str {
    strategy.family().shown
}

fn habits(strategy: Strategy) -> &'static str {
    strategy.family().habits
}

/// A text of the data file.
fn own_text(words: &str) -> Text {
    text!("{}", own(words))
}

struct Case<'a> {
    identity: &'a Identity,
    facts: &'static Facts,
}

impl Case<'_> {
    fn unsupported(&self) -> Problem {
        let Identity { like, .. } = self.identity;
        let ancestors: Text =
            if like.is_empty() { "has no ID_LIKE".into() } else { text!("says ID_LIKE {:?}", like.join(" ")) };
        overrides(
            Problem::host(
                id::OS_UNSUPPORTED,
                text!("{} says {}, and ics-setup has no strategy for it", own(&self.identity.shown), self.said()),
            )
            .because(text!("known are {}; this one {}", own(&self.facts.known), ancestors)),
        )
    }

    /// `ancestor`: the word of `ID_LIKE` that decided, where the id itself is not known.
    fn not_listed(&self, strategy: Strategy, ancestor: Option<&str>) -> Finding {
        let (family, vendor) = (family(strategy), &self.facts.vendor);
        let known_by = match ancestor {
            None => text!("it is of {}'s family", own(family)),
            Some(ancestor) => text!("its ID_LIKE names {}; how old it is cannot be judged", ancestor),
        };
        let title = text!("{} is not on the vendor's list; it is treated like {}", self.identity.pretty, own(family));
        let finding = self
            .finding(ids::OS_NOT_LISTED, Status::Warn, title, strategy)
            .expected(own_text(&vendor.listed))
            .cause(text!(
                "the vendor's product architecture page ({}) does not name it; {}; assumed: {}",
                own(&vendor.date),
                known_by,
                own(habits(strategy))
            ))
            .advise(text!(
                "{}, to say that this is right and to silence this warning",
                typed(text!("--os {}", own(strategy.as_str())))
            ));
        let others = Strategy::ALL.into_iter().filter(|other| *other != strategy && ancestor.is_some());
        others.fold(finding, |finding, other| {
            finding.advise(text!(
                "{}, if this host has {} instead",
                typed(text!("--os {}", own(other.as_str()))),
                own(habits(other))
            ))
        })
    }

    fn forced_against(&self, forced: Strategy, by_itself: Option<Strategy>) -> Finding {
        let (name, family_name) = (forced.as_str(), family(forced));
        let (cause, fix) = match by_itself {
            Some(usual) => (
                text!("by itself this host would be treated like {}: {}", own(family(usual)), own(habits(usual))),
                text!("leave out --os {} (or ICS_SETUP_OS, or os in the settings file)", own(name)),
            ),
            None => (
                "ics-setup knows neither this system nor what it descends from".into(),
                text!("see that the host has {} before relying on this", own(habits(forced))),
            ),
        };
        self.finding(
            ids::OS_NOT_LISTED,
            Status::Warn,
            text!("{} is treated like {} because --os {} says so", self.identity.pretty, own(family_name), own(name)),
            forced,
        )
        .expected(text!(
            "a system of {}'s family; the vendor lists {}",
            own(family_name),
            own(&self.facts.vendor.listed)
        ))
        .cause(text!("{}; {} assumes: {}", cause, typed(text!("--os {}", own(name))), own(habits(forced))))
        .advise(fix)
    }

    /// What the version says about a system whose minimum is known.
    fn age(&self, system: &System, strategy: Strategy) -> Option<Finding> {
        let (name, minimum) = (&system.name, &system.minimum);
        let expected = text!("{} {} or later", own(name), own(minimum));
        match Version::parse(&self.identity.version) {
            Some(version) if system.too_old(&version) => Some(
                self.finding(
                    ids::OS_TOO_OLD,
                    Status::Fail,
                    text!("{} is older than {} {}", self.identity.pretty, own(name), own(minimum)),
                    strategy,
                )
                .expected(expected)
                .cause(own_text(&system.why))
                .advise(own_text(&system.upgrade))
                .advise(text!(
                    "{}, to go on as it is: untested, the product may not run here",
                    typed("--ignore-check os-too-old")
                )),
            ),
            Some(_) => None,
            None => Some(
                self.finding(
                    ids::OS_VERSION_UNKNOWN,
                    Status::Warn,
                    text!("the version of {} cannot be told", self.identity.pretty),
                    strategy,
                )
                .expected(&expected)
                .cause(text!(
                    "rolling, testing and unreleased systems name no version; it is taken to be as new as {} {}, \
                     and the strictest limits are assumed where they depend on the version",
                    own(name),
                    own(minimum)
                ))
                .advise(text!(
                    "make sure that this host is as new as {} {}; then there is nothing to do",
                    own(name),
                    own(minimum)
                )),
            ),
        }
    }

    fn finding(&self, id: FindingId, status: Status, title: Text, strategy: Strategy) -> Finding {
        let Identity { id: os, version, like, source, .. } = self.identity;
        let finding = Finding::new(id, status, title)
            .observed(text!("{} in {}", self.said(), own(&self.identity.shown)))
            .evidence("id", os.as_str())
            .evidence("version", version.as_str())
            .evidence("id_like", like.join(" "))
            .evidence("source", own(source))
            .evidence("strategy", own(strategy.as_str()));
        Finding { docs: Some(text!("{}", own(&self.facts.vendor.source))), ..finding }
    }

    fn said(&self) -> Text {
        let Identity { id, version, .. } = self.identity;
        if version.is_empty() { text!("id {:?}, no version", id) } else { text!("id {:?}, version {:?}", id, version) }
    }
}
