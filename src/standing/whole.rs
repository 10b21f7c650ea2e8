//! Is what is installed whole? A link to nothing, what a run has installed and is gone, files that nothing can be started from.

use std::path::Path;

use crate::apply::Run;
use crate::context::HostContext;
use crate::converge::mended;
use crate::finding::{Finding, Status, ids};
use crate::host::HostRead;
use crate::platform::Platform;
use crate::product::{Place, leads_nowhere};
use crate::report::installed;
use crate::settings::{Key, Settings, TargetName};
use crate::targets::Phase;
use crate::text;
use crate::text::{ics_setup, own, typed};
use crate::vendor::{Generation, Vendor, prod_env};

/// What is wrong with the product's files beyond what their names tell; `None`: nothing is known to be.
pub(super) fn wrong(
    host: &dyn HostRead,
    known: &HostContext<'_>,
    platform: Option<&Platform>,
    settings: &Settings,
    runs: &[Run],
) -> Option<Finding> {
    let home = &settings.home;
    let by = installed(runs).filter(|(_, folder)| Path::new(folder) == home).map(|(run, _)| run);
    if !known.has_product {
        let is_there = Place::look(host, home).is_installed();
        return nowhere(host, home).or_else(|| by.filter(|_| !is_there).map(|run| gone(host, home, run)));
    }
    // A product that somebody else keeps running may have files that an installation would not take.
    if host.is_live() && by.is_none() {
        return None;
    }
    platform
        .and_then(|platform| refused(host, known, platform, settings))
        .or_else(|| by.and_then(|_| silent(host, known, home)))
}

/// The folder, or `prod.env` in it, is a link to what is not there.
fn nowhere(host: &dyn HostRead, home: &Path) -> Option<Finding> {
    let path = prod_env(home);
    let to = host.shown(&leads_nowhere(host, &path)?);
    let shown = host.shown(&path);
    Some(
        Finding::fail(ids::PRODUCT_INSTALLED, text!("{} leads to {}, where nothing is", shown, to))
            .expected("a folder with prod.env and docker-compose.yml")
            .observed("a link to what is not mounted, or has gone")
            .advise(text!("bring back what it leads to; look: {}", typed(text!("ls -ld {} {}", shown, to)))),
    )
}

fn gone(host: &dyn HostRead, home: &Path, run: &Run) -> Finding {
    let shown = host.shown(home);
    let title = text!("installed in {} by run {}, and its files are gone", shown, own(&run.begin.run));
    Finding::fail(ids::PRODUCT_INSTALLED, title).expected("prod.env and docker-compose.yml").advise(text!(
        "is the volume mounted? Mount what holds {}, or bring its files back from your backup; look: {}",
        shown,
        typed(text!("ls -la {}", shown))
    ))
}

/// A compose file that an installation does not take.
fn refused(host: &dyn HostRead, known: &HostContext<'_>, platform: &Platform, settings: &Settings) -> Option<Finding> {
    // Without one, install makes it.
    if Place::look(host, &settings.home).compose.is_empty() {
        return None;
    }
    let mut settings = settings.clone();
    settings.targets = vec![TargetName::ProdEnv, TargetName::ComposeFile];
    // Whatever else it refuses for is no matter of the files that are there.
    let plan = mended(host, &known.view, platform, &known.found, &mut settings, Phase::Install, false).ok()?;
    let odd = plan.findings.into_iter().find(|own| own.status == Status::Fail && own.id == ids::COMPOSE_FILE)?;
    Some(Finding { id: ids::PRODUCT_INSTALLED, fix: Vec::new(), ..odd }.advise(text!(
        "mend this file by hand, or bring it back from your backup or your release; then look again: {}",
        ics_setup("status")
    )))
}

/// A `prod.env` of an installation that does not say any more what the product cannot start without.
fn silent(host: &dyn HostRead, known: &HostContext<'_>, home: &Path) -> Option<Finding> {
    let found = &known.found;
    let generation = found.generation.unwrap_or(Generation::Current);
    let is_elsewhere = |key: Key| key == Key::MysqlHost && found.databases.is_some();
    let is_said = |key: Key| {
        found.get(key).is_some_and(|own| !own.value.is_empty()) || found.untold(key).is_some() || is_elsewhere(key)
    };
    let lacking = [Key::MysqlHost, Key::RedisHost].into_iter().filter(|key| !is_said(*key));
    let names: Vec<&str> = lacking
        .filter_map(|key| Vendor::get().variables(generation, key.as_str()).first().map(String::as_str))
        .collect();
    if names.is_empty() {
        return None;
    }
    let shown = host.shown(&prod_env(home));
    let title = text!("{} does not say {}", shown, own(names.join(", ")));
    Some(
        Finding::fail(ids::PRODUCT_INSTALLED, title)
            .expected("where the database and Redis are, as the run that installed the product wrote it")
            .cause("the services read it from there and do not start without it")
            .advise(text!("bring {} back from your backup, or from another host of this deployment", shown)),
    )
}
