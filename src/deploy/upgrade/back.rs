//! What leads back from an upgrade whose schema may have moved: files alone do not.

use std::path::Path;

use super::{Moved, dump, has_begun, is_scheduler, was_started};
use crate::deploy::made::{Made, Upgraded};
use crate::docker::Container;
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::problem::Problem;
use crate::product::images::{Step, step};
use crate::product::is_product;
use crate::text;
use crate::text::{CommandLine, Foreign, Text, as_root, ics_setup, own};

/// How a person stops and starts the product.
pub(in crate::deploy) struct ByHand {
    pub(in crate::deploy) stop: Text,
    pub(in crate::deploy) start: Text,
}

/// What keeps a run from being taken back by its files: the image that would go has moved the schema, or may have. `moved`: as the
/// files of before would move it.
///
/// # Errors
/// The record cannot be read.
pub(in crate::deploy) fn taken_back(
    host: &dyn HostRead,
    home: &Path,
    moved: &[Moved],
    there: &[Container],
    words: &str,
    by_hand: impl FnOnce() -> Result<ByHand, Problem>,
) -> Result<Option<Finding>, Problem> {
    let Some(moved) = moved.iter().find(|moved| moved.step() != Step::Same) else { return Ok(None) };
    let made = Made::read(host)?;
    let upgrades = made.products.get(home).map(|remains| remains.upgrades.as_slice()).unwrap_or_default();
    let record = upgrades.iter().rfind(|own| own.to == moved.from && own.from == moved.to);
    // Where nobody has noted a start, a scheduler that still is of the old image says that there was none.
    let is_old = |one: &Container| is_scheduler(one) && step(&one.image(), &moved.to) == Step::Same;
    let may_have = record.is_some_and(|own| own.started || !there.iter().any(is_old));
    // What the scheduler of another host has done is not seen from here: a product that waits for the schema may have said so
    // before it moved, or while it moves.
    let is_new = |one: &Container| is_product(one) && was_started(one, &moved.from);
    let is_elsewhere = !there.iter().any(is_scheduler) && there.iter().any(is_new);
    if !may_have && !is_elsewhere && !has_begun(there, &moved.from) {
        return Ok(None);
    }
    let title = text!(
        "the schema of the database may be that of {}, and {} would wait for its own for ever",
        Foreign::new(&moved.from),
        Foreign::new(&moved.to)
    );
    let finding = Finding::fail(ids::SCHEMA_MOVED, title)
        .expected("a run that has not started another image")
        .observed(match is_elsewhere {
            true => text!(
                "{} was started on this host; whether the scheduler of another one has moved the schema cannot be seen from here",
                Foreign::new(&moved.from)
            ),
            false => text!("a scheduler of {} was started on this host, or may have been", Foreign::new(&moved.from)),
        });
    let finding = match is_elsewhere {
        true => finding.advise(text!(
            "where the run on the host with the scheduler has ended, and named this command in its last lines, files are enough: {}",
            files(words)
        )),
        false => finding,
    };
    Ok(Some(way_back(record, &moved.to, words, by_hand()?).into_iter().fold(finding, Finding::advise)))
}

/// What takes the files back all the same. `words`: which, behind `revert`.
pub(super) fn files(words: &str) -> CommandLine {
    ics_setup(text!("revert{} --ignore-check {}", own(words), ids::SCHEMA_MOVED))
}

/// The steps from a moved schema back to the old image, which a run has named another one for.
pub(super) fn way_back(record: Option<&Upgraded>, from: &str, words: &str, by_hand: ByHand) -> [Text; 4] {
    let restore = match record.and_then(|own| own.dump.as_deref()) {
        Some(dump) => {
            text!("bring back the dump {}: {}", dump.join("dump.sql").display(), dump::restore(dump))
        }
        None => {
            "bring back the backup of both databases that was taken before, where no other host has done so already"
                .into()
        }
    };
    [
        text!("to go back to {}, stop the product: {}", Foreign::new(from), as_root(by_hand.stop)),
        text!("then {}", restore),
        text!("then take back the files: {}", files(words)),
        text!("then start it: {}", as_root(by_hand.start)),
    ]
}

/// The record of the upgrade between these images; one that cannot be read names no dump.
pub(super) fn record(host: &dyn HostRead, home: &Path, from: &str, to: &str) -> Option<Upgraded> {
    let made = Made::read(host).ok()?;
    made.products.get(home)?.upgrades.iter().rfind(|own| own.from == from && own.to == to).cloned()
}
