//! Other hosts of a production at an upgrade. Their old image must not work on the databases once these are dumped, let alone once
//! their schema has moved: each of them waits for the scheduler of this host with the new image, and says so, or is not there.

use super::{Backup, Upgrade};
use crate::converge::{or_ignored, problem_of};
use crate::deploy::hosts::{Hosts, names};
use crate::finding::{Finding, Ignored, Status, ids};
use crate::host::HostRead;
use crate::mysql::{Neighbour, Waits};
use crate::problem::{Problem, id};
use crate::product::images::{Step, step};
use crate::text;
use crate::text::{CommandLine, Foreign, Text, ics_setup_there, own, quoted, typed};

/// Those that were there when this host was looked at.
#[derive(Debug)]
pub(super) struct Others {
    hosts: Hosts,
    /// Those that wait with the new image; `None`: nobody told.
    waiting: Option<Vec<Neighbour>>,
}

impl Upgrade {
    /// Looks who uses the databases, where this host's scheduler is to move their schema and has not begun. `hosts`: how to ask;
    /// `None`: nobody can.
    pub(in crate::deploy) fn look_around(&mut self, host: &dyn HostRead, hosts: Option<Hosts>) -> Option<Finding> {
        if !self.has_scheduler || matches!(self.backup, Backup::Begun) {
            return None;
        }
        let mut seen = hosts.as_ref().and_then(|hosts| hosts.look(host));
        let finding = judge(seen.as_deref(), &self.to);
        seen.iter_mut().for_each(|all| all.retain(|one| waits(one, &self.to)));
        self.others = hosts.map(|hosts| Others { hosts, waiting: seen });
        Some(finding)
    }

    /// Looks again, right before containers of the new image start, and before its scheduler does: a dump takes its time.
    ///
    /// # Errors
    /// A host is there that does not wait; or nobody tells any more.
    pub(in crate::deploy) fn is_alone(&self, host: &dyn HostRead, ignored: &Ignored) -> Result<(), Problem> {
        let Some(others) = self.others.as_ref().filter(|_| !ignored.covers(ids::UPGRADE_HOSTS)) else { return Ok(()) };
        again(others.hosts.look(host).as_deref(), others.waiting.is_some(), &self.to)
    }

    /// Nothing comes of it: what is left to be done on each host that has been waiting for it.
    pub(in crate::deploy) fn on_other_hosts(&self) -> impl Iterator<Item = Text> {
        let waiting = self.others.iter().filter_map(|others| others.waiting.as_ref()).flatten();
        waiting.filter_map(|one| Some((one, one.waits.as_ref()?))).map(|(one, Waits { run, .. })| {
            let run = run.as_deref().map(|run| format!(" {run}")).unwrap_or_default();
            text!(
                "or, to give this upgrade up: on {}, which waits for it, end the run that waits (Ctrl-C), then bring its old image back, there: {}",
                Foreign::new(&one.address),
                // That the schema has not moved is known here alone.
                ics_setup_there(text!("revert{} --ignore-check {}", own(run), ids::SCHEMA_MOVED))
            )
        })
    }
}

#[cfg(test)]
impl Upgrade {
    /// One of this host's scheduler, that shares the databases with nobody.
    pub(in crate::deploy) fn double(waiting: &[&str]) -> Self {
        Self {
            home: "/divvycloud".into(),
            from: "ics/core:v22.3.9".to_owned(),
            to: "ics/core:v22.12.7".to_owned(),
            waiting: waiting.iter().map(|name| (*name).to_owned()).collect(),
            has_scheduler: true,
            backup: Backup::Taken,
            others: None,
            is_written: false,
        }
    }
}

/// A scheduler of this image comes to a host without the product, over databases that others may use. One that stands by, of the
/// image that they run, looks no other than one that moves their schema.
pub(in crate::deploy) fn beside(seen: Option<&[Neighbour]>, to: &str) -> Option<Finding> {
    let found = judge(seen, to);
    if found.status == Status::Pass {
        return None;
    }
    let fix = [
        text!(
            "where they run another image, take a backup of both databases first, then bring each of them to wait, there: {}",
            command(to, "")
        ),
        text!("where another host has the scheduler, leave it out here: {}", typed("--role interface,worker")),
    ];
    let finding = Finding { id: ids::SCHEDULER_ELSEWHERE, status: Status::Warn, fix: Vec::new(), ..found };
    let finding = finding.cause(
        "the scheduler moves the schema of the database to its release, for all hosts and without a backup; an image of another release does not work with that",
    );
    Some(fix.into_iter().fold(finding, Finding::advise))
}

/// Does it wait for the scheduler of this image?
fn waits(one: &Neighbour, to: &str) -> bool {
    one.waits.as_ref().is_some_and(|own| step(&own.image, to) == Step::Same)
}

/// What the second look says. `known`: the first one was answered.
///
/// # Errors
/// As of [`Upgrade::is_alone`].
fn again(seen: Option<&[Neighbour]>, known: bool, to: &str) -> Result<(), Problem> {
    let finding = judge(seen, to);
    let stops = if seen.is_none() { known } else { finding.status == Status::Fail };
    if !stops {
        return Ok(());
    }
    let finding = Finding { status: Status::Fail, ..finding };
    Err(or_ignored(problem_of(&finding, id::UPGRADE_HOSTS), &[finding]))
}

/// What brings another host to wait, from whatever state of its product. `roles`: with none but these.
fn command(to: &str, roles: &str) -> CommandLine {
    ics_setup_there(text!("reconfigure --restart{} --image {}", own(roles), Foreign::new(quoted(to))))
}

/// Are there no others but those that wait?
fn judge(seen: Option<&[Neighbour]>, to: &str) -> Finding {
    let id = ids::UPGRADE_HOSTS;
    let expected = "other hosts wait for this scheduler with the new image, or do not use the databases";
    let cause = "what they write after the backup is lost where that is brought back, and an old image does not work with the new schema";
    let Some(seen) = seen else {
        return Finding::warn(id, "whether other hosts use these databases is not known")
            .expected(expected)
            .observed("MySQL could not be asked from here, or does not say")
            .cause(cause)
            .advise(text!("where there are others, first on each of them: {}", command(to, "")));
    };
    let names = |all: &[&Neighbour]| names(all.iter().copied());
    let (waiting, working): (Vec<&Neighbour>, Vec<&Neighbour>) = seen.iter().partition(|one| waits(one, to));
    let wait = match waiting.as_slice() {
        [] => None,
        waiting => Some(text!("{} say that they wait with {}", names(waiting), Foreign::new(to))),
    };
    if working.is_empty() {
        let title = match &wait {
            None => "MySQL shows no other host in the databases",
            Some(_) => "the other hosts that use the databases wait for this scheduler",
        };
        let finding = Finding::pass(id, title).expected(expected);
        return match wait {
            Some(wait) => finding.observed(wait),
            None => finding,
        };
    }
    let quiet = text!("{} use them and do not say so; what they run cannot be seen from here", names(&working));
    Finding::fail(
        id,
        text!("other hosts ({}) use these databases, and do not wait for this scheduler", names(&working)),
    )
    .expected(expected)
    .observed(match wait {
        Some(wait) => text!("{}; {}", quiet, wait),
        None => quiet,
    })
    .cause(cause)
    .advise(text!(
        "first on each of them, also where such a run has ended, which stops the old image there and waits: {}",
        command(to, "")
    ))
    .advise(text!(
        "where that one has a scheduler too, leave it out there meanwhile, with those of its other roles that it has: {}",
        command(to, " --role interface,worker")
    ))
    .advise("then, while they wait, here: the same command again")
    .advise("let this pass only where each of them is no host of this product, or runs the new image: the old one must not work on any")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Status;

    #[test]
    fn a_host_that_does_not_say_that_it_waits_with_the_new_image_stands_in_the_way() {
        let to = "ics/core:v22.12.7";
        let one = |address: &str, image: Option<&str>| Neighbour {
            address: address.to_owned(),
            waits: image.map(|image| Waits { run: None, image: image.to_owned() }),
        };
        let waiting = one("10.9.0.11", Some("mirror.corp.example/ics/core:v22.12.7"));
        for (seen, status, words) in [
            (None, Status::Warn, "not known"),
            (Some(vec![]), Status::Pass, "shows no other host"),
            (Some(vec![waiting.clone()]), Status::Pass, "wait for this scheduler"),
            (Some(vec![waiting.clone(), one("10.9.0.12", None)]), Status::Fail, "other hosts (10.9.0.12) use"),
            (Some(vec![one("10.9.0.12", Some("ics/core:v22.3.9"))]), Status::Fail, "other hosts (10.9.0.12) use"),
        ] {
            let found = judge(seen.as_deref(), to);
            assert!(found.status == status && found.title.contains(words), "{found:?}");
            let told = |words: &str| found.fix.iter().any(|fix| fix.text().contains(words));
            assert_eq!(told("reconfigure --restart --image ics/core:v22.12.7"), status != Status::Pass, "{found:?}");
            // One that has a scheduler too would ask this host to wait.
            let without = "sudo ics-setup reconfigure --restart --role interface,worker --image ics/core:v22.12.7";
            assert_eq!(told(without), status == Status::Fail, "{found:?}");
            // One that comes to a host without the product may be one that stands by.
            let beside = beside(seen.as_deref(), to);
            assert_eq!(beside.is_some(), status != Status::Pass, "{beside:?}");
            let Some(beside) = beside else { continue };
            assert!(beside.status == Status::Warn && beside.title == found.title, "{beside:?}");
            assert!(beside.fix[0].text().contains("take a backup of both databases first"), "{beside:?}");
        }
    }

    #[test]
    fn the_second_look_is_taken_whatever_the_first_one_saw() {
        let to = "ics/core:v22.12.7";
        let one = |waits: bool| Neighbour {
            address: "10.9.0.11".to_owned(),
            waits: waits.then(|| Waits { run: None, image: to.to_owned() }),
        };
        for (seen, known, is_well) in [
            (None, true, false),
            (None, false, true),
            (Some(vec![]), false, true),
            (Some(vec![one(true)]), true, true),
            // Whoever has waited, and does not say so any more.
            (Some(vec![one(false)]), true, false),
            (Some(vec![one(false)]), false, false),
        ] {
            let ended = again(seen.as_deref(), known, to);
            assert_eq!(ended.is_ok(), is_well, "{ended:?}");
            let Err(problem) = ended else { continue };
            assert!(
                problem.hints.iter().any(|hint| hint.text().contains("--ignore-check upgrade-hosts")),
                "{problem:?}"
            );
        }
    }
}
