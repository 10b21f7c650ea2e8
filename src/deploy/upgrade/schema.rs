//! What the containers of this host tell about the schema of the databases, which nothing else tells.

use std::path::Path;

use crate::deploy::LOOK;
use crate::deploy::health::PROVEN;
use crate::docker::Container;
use crate::docker::text::seconds_of;
use crate::host::HostRead;
use crate::net::Time;
use crate::product::images::{Step, step};
use crate::product::{Known, interface, logs, service_of};

/// Is it that of this image? All of the product runs with it here, and is well.
pub(super) fn is_of(host: &dyn HostRead, home: &Path, there: &[Container], image: &str) -> bool {
    let now = seconds_of(host.now());
    let is_proven = |one: &&Container| {
        let since = one.state.started.map(|started| now.saturating_sub(started));
        one.state.status == "running"
            && step(&one.image(), image) == Step::Same
            && since.is_some_and(|since| since >= PROVEN.as_secs())
    };
    let named: Vec<(&Container, String)> = there.iter().map(|one| (one, one.image())).collect();
    let product = Known::get().of_product(&named, |(one, image)| (service_of(one), Some(image)));
    if product.is_empty() || !product.iter().all(|(one, _)| is_proven(one)) {
        return false;
    }
    let facts = interface::look(host, home, Time::new(LOOK, LOOK));
    let answers = facts.not_here || facts.asked.is_some_and(|asked| asked.answer.is_ok_and(|own| own.status == 200));
    let is_idle = |name: &String| Known::get().log.iter().any(|line| line.name == *name && line.idle);
    answers && said_last(host, home).is_some_and(|said| !said.iter().any(is_idle))
}

/// The known lines after which a container has said nothing else; `None`: not all logs can be read.
fn said_last(host: &dyn HostRead, home: &Path) -> Option<Vec<String>> {
    let seen = logs::look(host, home, Time::new(LOOK, LOOK)).logs?.ok().filter(|seen| seen.unread.is_empty())?;
    Some(seen.hits.into_iter().filter(|hit| hit.said_last > 0).map(|hit| hit.name).collect())
}
