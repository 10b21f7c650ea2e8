//! Which strategy a system gets, and what there is to say about it.

use super::facts::{Facts, System};
use super::sources::{Identity, Tried};
use super::strategy::Strategy;
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::own;
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
        None => format!("{} is not there", file.path),
        Some(why) => format!("{}: {why}", file.path),
    });
    let paths: Vec<&str> = tried.iter().map(|file| file.path.as_str()).collect();
    let problem =
        Problem::host(id::OS_UNKNOWN, format!("no file tells which system this is; tried {}", paths.join(", ")));
    overrides(problem.because(told.collect::<Vec<_>>().join("; ")))
}

fn overrides(problem: Problem) -> Problem {
    Strategy::ALL.into_iter().fold(problem, |problem, strategy| {
        problem.hint(format!(
            "--os {}, if this system works like {}: {}",
            strategy.name(),
            family(strategy),
            habits(strategy)
        ))
    })
}

fn family(strategy: Strategy) -> &'static str {
    strategy.family().shown
}

fn habits(strategy: Strategy) -> &'static str {
    strategy.family().habits
}

struct Case<'a> {
    identity: &'a Identity,
    facts: &'static Facts,
}

impl Case<'_> {
    fn unsupported(&self) -> Problem {
        let Identity { like, .. } = self.identity;
        let ancestors =
            if like.is_empty() { "has no ID_LIKE".to_owned() } else { format!("says ID_LIKE {:?}", like.join(" ")) };
        overrides(
            Problem::host(
                id::OS_UNSUPPORTED,
                format!("{} says {}, and ics-setup has no strategy for it", self.identity.shown, self.said()),
            )
            .because(format!(
                "known are Ubuntu, CentOS and systems that descend from Debian, Red Hat Enterprise Linux or Fedora; this one \
                 {ancestors}"
            )),
        )
    }

    /// `ancestor`: the word of `ID_LIKE` that decided, where the id itself is not known.
    fn not_listed(&self, strategy: Strategy, ancestor: Option<&str>) -> Finding {
        let (family, vendor) = (family(strategy), &self.facts.vendor);
        let known_by = match ancestor {
            None => format!("it is of {family}'s family"),
            Some(ancestor) => format!("its ID_LIKE names {ancestor}; how old it is cannot be judged"),
        };
        let title = format!("{} is not on the vendor's list; it is treated like {family}", self.identity.pretty);
        let finding = self
            .finding(ids::OS_NOT_LISTED, Status::Warn, title, strategy)
            .expected(&vendor.listed)
            .cause(format!(
                "the vendor's product architecture page ({}) does not name it; {known_by}; assumed: {}",
                vendor.date,
                habits(strategy)
            ))
            .fix(format!("--os {}, to say that this is right and to silence this warning", strategy.name()));
        let others = Strategy::ALL.into_iter().filter(|other| *other != strategy && ancestor.is_some());
        others.fold(finding, |finding, other| {
            finding.fix(format!("--os {}, if this host has {} instead", other.name(), habits(other)))
        })
    }

    fn forced_against(&self, forced: Strategy, own: Option<Strategy>) -> Finding {
        let (name, family_name) = (forced.name(), family(forced));
        let (cause, fix) = match own {
            Some(own) => (
                format!("by itself this host would be treated like {}: {}", family(own), habits(own)),
                format!("leave out --os {name} (or ICS_SETUP_OS, or os in the settings file)"),
            ),
            None => (
                "ics-setup knows neither this system nor what it descends from".to_owned(),
                format!("see that the host has {} before relying on this", habits(forced)),
            ),
        };
        self.finding(
            ids::OS_NOT_LISTED,
            Status::Warn,
            format!("{} is treated like {family_name} because --os {name} says so", self.identity.pretty),
            forced,
        )
        .expected(format!("a system of {family_name}'s family; the vendor lists {}", self.facts.vendor.listed))
        .cause(format!("{cause}; --os {name} assumes: {}", habits(forced)))
        .fix(fix)
    }

    /// What the version says about a system whose minimum is known.
    fn age(&self, system: &System, strategy: Strategy) -> Option<Finding> {
        let (name, minimum) = (&system.name, &system.minimum);
        let expected = format!("{name} {minimum} or later");
        match Version::parse(&self.identity.version) {
            Some(version) if system.too_old(&version) => Some(
                self.finding(ids::OS_TOO_OLD, Status::Fail, format!("{} is older than {name} {minimum}", self.identity.pretty), strategy)
                    .expected(expected)
                    .cause(&system.why)
                    .fix(&system.upgrade)
                    .fix("--ignore-check os-too-old, to go on as it is: untested, the product may not run here"),
            ),
            Some(_) => None,
            None => Some(
                self.finding(
                    ids::OS_VERSION_UNKNOWN,
                    Status::Warn,
                    format!("the version of {} cannot be told", self.identity.pretty),
                    strategy,
                )
                .expected(&expected)
                .cause(format!(
                    "rolling, testing and unreleased systems name no version; it is taken to be as new as {name} {minimum}, \
                     and the strictest limits are assumed where they depend on the version"
                ))
                .fix(format!("make sure that this host is as new as {name} {minimum}; then there is nothing to do")),
            ),
        }
    }

    fn finding(&self, id: FindingId, status: Status, title: String, strategy: Strategy) -> Finding {
        let Identity { id: os, version, like, source, .. } = self.identity;
        let finding = Finding::new(id, status, title)
            .observed(format!("{} in {}", self.said(), self.identity.shown))
            .evidence("id", os.as_str())
            .evidence("version", version.as_str())
            .evidence("id_like", like.join(" "))
            .evidence("source", source.as_str())
            .evidence("strategy", strategy.name());
        Finding { docs: Some(text!("{}", own(&self.facts.vendor.source))), ..finding }
    }

    fn said(&self) -> String {
        let Identity { id, version, .. } = self.identity;
        if version.is_empty() { format!("id {id:?}, no version") } else { format!("id {id:?}, version {version:?}") }
    }
}
