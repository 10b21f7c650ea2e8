//! Other hosts of a production at an upgrade. Their old image must not work on the databases once these are dumped, let alone once
//! their schema has moved: each of them waits for the scheduler of this host with the new image, and says so, or is not there.

use std::net::IpAddr;
use std::path::Path;

use super::{Backup, Upgrade};
use crate::converge::problem_of;
use crate::deploy::LOOK;
use crate::deploy::hosts::{Hosts, names};
use crate::finding::{Finding, Ignored, ids};
use crate::host::HostRead;
use crate::mysql::{Neighbour, Waits};
use crate::net::Time;
use crate::problem::{Problem, id};
use crate::product::images::{Step, step};
use crate::product::own_containers;
use crate::text;
use crate::text::{CommandLine, Foreign, Text, ics_setup_there, own, quoted};

/// Those that were there when this host was looked at.
#[derive(Debug)]
pub(super) struct Others {
    hosts: Hosts,
    /// Those that wait with the new image.
    waiting: Vec<Neighbour>,
}

/// Those that use the databases. Where the server sees the addresses of this host's containers, those are no other hosts.
fn look(host: &dyn HostRead, home: &Path, hosts: &Hosts) -> Option<Vec<Neighbour>> {
    let mut all = hosts.look(host)?;
    let there = own_containers(host, home, Time::new(LOOK, LOOK)).map(|found| found.own).unwrap_or_default();
    let own: Vec<IpAddr> = there.iter().flat_map(|one| one.addresses.iter().copied()).collect();
    all.retain(|one| !one.address.parse().is_ok_and(|address| own.contains(&address)));
    Some(all)
}

impl Upgrade {
    /// Looks who uses the databases, where this host's scheduler is to move their schema and has not begun. `hosts`: how to ask;
    /// `None`: nobody can.
    pub(in crate::deploy) fn look_around(&mut self, host: &dyn HostRead, hosts: Option<Hosts>) -> Option<Finding> {
        if !self.has_scheduler || matches!(self.backup, Backup::Begun) {
            return None;
        }
        let seen = hosts.as_ref().and_then(|hosts| look(host, &self.home, hosts));
        let finding = judge(seen.as_deref(), &self.to);
        self.others = hosts.zip(seen).map(|(hosts, mut waiting)| {
            waiting.retain(|one| waits(one, &self.to));
            Others { hosts, waiting }
        });
        Some(finding)
    }

    /// Looks again, right before the scheduler of the new image starts: a dump takes its time.
    ///
    /// # Errors
    /// A host has come that was not there before and does not wait.
    pub(in crate::deploy) fn is_alone(&self, host: &dyn HostRead, ignored: &Ignored) -> Result<(), Problem> {
        let Some(others) = self.others.as_ref().filter(|_| !ignored.covers(ids::UPGRADE_HOSTS)) else { return Ok(()) };
        let problem = |seen| problem_of(&judge(seen, &self.to), id::UPGRADE_HOSTS);
        let Some(mut seen) = look(host, &self.home, &others.hosts) else { return Err(problem(None)) };
        // Whoever has waited once has the new image, whether or not its run has come to an end since.
        let has_waited = |one: &Neighbour| others.waiting.iter().any(|own| own.address == one.address);
        seen.retain(|one| !waits(one, &self.to) && !has_waited(one));
        if seen.is_empty() { Ok(()) } else { Err(problem(Some(&seen))) }
    }

    /// Nothing comes of it: what is left to be done on each host that has been waiting for it.
    pub(in crate::deploy) fn on_other_hosts(&self) -> impl Iterator<Item = Text> {
        let waiting = self.others.iter().flat_map(|others| &others.waiting);
        waiting.filter_map(|one| Some((one, one.waits.as_ref()?))).map(|(one, Waits { run, .. })| {
            let run = run.as_deref().map(|run| format!(" {run}")).unwrap_or_default();
            text!(
                "{} waits for this upgrade: end the run that waits there (Ctrl-C), then bring its old image back, there: {}",
                Foreign::new(&one.address),
                ics_setup_there(text!("revert{}", own(run)))
            )
        })
    }
}

/// Does it wait for the scheduler of this image?
fn waits(one: &Neighbour, to: &str) -> bool {
    one.waits.as_ref().is_some_and(|own| step(&own.image, to) == Step::Same)
}

/// What brings another host to wait, from whatever state of its product.
fn command(to: &str) -> CommandLine {
    ics_setup_there(text!("reconfigure --restart --image {}", Foreign::new(quoted(to))))
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
            .advise(text!("where there are others, first on each of them: {}", command(to)));
    };
    let names = |all: &[&Neighbour]| names(all.iter().copied());
    let (waiting, working): (Vec<&Neighbour>, Vec<&Neighbour>) = seen.iter().partition(|one| waits(one, to));
    let wait = match waiting.as_slice() {
        [] => None,
        waiting => Some(text!("{} say that they wait with {}", names(waiting), Foreign::new(to))),
    };
    if working.is_empty() {
        let title = match &wait {
            None => "no other host uses the databases",
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
    .advise(text!("first on each of them, which stops the old image there and waits: {}", command(to)))
    .advise("then, while they wait, here: the same command again")
    .advise("where one of them is no host of this product, or is known to run the new image, let this pass")
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
            (Some(vec![]), Status::Pass, "no other host"),
            (Some(vec![waiting.clone()]), Status::Pass, "wait for this scheduler"),
            (Some(vec![waiting.clone(), one("10.9.0.12", None)]), Status::Fail, "other hosts (10.9.0.12) use"),
            (Some(vec![one("10.9.0.12", Some("ics/core:v22.3.9"))]), Status::Fail, "other hosts (10.9.0.12) use"),
        ] {
            let found = judge(seen.as_deref(), to);
            assert!(found.status == status && found.title.contains(words), "{found:?}");
            let told =
                found.fix.iter().any(|fix| fix.text().contains("reconfigure --restart --image ics/core:v22.12.7"));
            assert_eq!(told, status != Status::Pass, "{found:?}");
        }
    }
}
