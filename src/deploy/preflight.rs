//! What `install` and `reconfigure` find before they write, beside what the checks of host, proxy and back ends find: can the
//! databases be made, and is the image for this processor?

use std::time::Duration;

use super::bundle::Manifest;
use super::databases::Databases;
use super::fates::Services;
use super::hosts::names;
use super::upgrade::beside;
use crate::docker::{self, Container};
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::mysql::Neighbour;
use crate::net::Time;
use crate::product::{Known, is_product};
use crate::system::IMAGE;
use crate::text;
use crate::text::{Foreign, first_line, own, quoted, typed};

/// How long Docker may take to tell of an image.
const LOOK: Duration = Duration::from_secs(10);

/// What Docker calls the architecture that images of the vendor have been seen for.
const SEEN: &str = "amd64";

/// Looks. `image` is the one that is going to run; `here`: what the engine says that it is for; `bundle`: what is brought.
pub(super) fn findings(
    host: &dyn HostRead,
    databases: &Databases<'_>,
    image: &str,
    here: Option<&str>,
    bundle: Option<&Manifest>,
) -> Vec<Finding> {
    let mut findings = databases.foresee();
    findings.push(architecture(host, image, here, bundle));
    findings
}

/// A host of a production that gets the scheduler, while others use its databases: what they run, nobody tells. `there`: the
/// product's containers.
pub(super) fn other_scheduler(
    host: &dyn HostRead,
    databases: &Databases<'_>,
    services: &Services,
    there: &[Container],
) -> Option<Finding> {
    if !host.is_live() || !services.gets_scheduler() {
        return None;
    }
    let seen = databases.hosts().and_then(|hosts| hosts.look(host));
    if !there.iter().any(is_product) {
        let scheduler = services.planned().iter().find(|own| Known::get().is_scheduler(&own.name, own.command()))?;
        // Databases that this run makes are nobody else's.
        let is_asked = seen.is_some() || !databases.are_made();
        return scheduler.image.as_deref().filter(|_| is_asked).and_then(|image| beside(seen.as_deref(), image));
    }
    // Who waits for a scheduler is named by its upgrade.
    let others: Vec<Neighbour> = seen?.into_iter().filter(|other| other.waits.is_none()).collect();
    if others.is_empty() {
        return None;
    }
    let names = names(others.iter());
    let (title, whose) = match others.as_slice() {
        [_] => (text!("another host ({}) uses these databases already", names), "it runs"),
        _ => (text!("other hosts ({}) use these databases already", names), "they run"),
    };
    Some(
        Finding::warn(ids::SCHEDULER_ELSEWHERE, title)
            .expected("one scheduler in a production; a second one stands by")
            .observed(text!("this host gets the scheduler; what {} cannot be seen from here", own(whose)))
            .cause(
                "the scheduler upgrades the schema of the database, for all hosts; none may be of another release then",
            )
            .advise(text!(
                "where another host has the scheduler, leave it out here: {}",
                typed("--role interface,worker")
            ))
            .advise(text!("to move it, take it away there first: {}, there", typed("--role interface,worker"))),
    )
}

/// The image's architecture against the engine's.
fn architecture(host: &dyn HostRead, image: &str, here: Option<&str>, bundle: Option<&Manifest>) -> Finding {
    let id = ids::IMAGE_ARCHITECTURE;
    if !host.is_live() {
        return Finding::skip(id, "the image's architecture: not looked at").observed(IMAGE);
    }
    let told = |arguments: &[&str]| {
        let output =
            docker::run(host, Time::new(LOOK, LOOK), arguments).ok().filter(|output| output.code == Some(0))?;
        Some(first_line(&output.stdout, 40)).filter(|word| !word.is_empty())
    };
    let here = here.filter(|word| !word.is_empty()).unwrap_or(docker::this_architecture()).to_owned();
    let of_image = told(&["image", "inspect", "--format", "{{.Architecture}}", image]);
    let expected = text!("an image for {}", Foreign::new(&here));
    match of_image {
        Some(own) if own == here => Finding::pass(id, text!("the image is for {}", Foreign::new(&here)))
            .expected(expected)
            .observed(text!("{} is here, and is for {}", image, Foreign::new(&own))),
        Some(other) => {
            let title =
                text!("the image {} is for {}, and this host is {}", image, Foreign::new(&other), Foreign::new(&here));
            Finding::fail(id, title)
                .expected(expected)
                .observed(text!("Docker says {}", Foreign::new(&other)))
                .cause("its programs end at once here: exec format error")
                .advise(text!(
                    "load or pull the one for this host: {}",
                    typed(text!("docker pull --platform linux/{} {}", own(&here), own(quoted(image))))
                ))
                .advise("where the vendor has none, use a host with another processor")
        }
        None if bundle.and_then(|bundle| bundle.architecture_of(image)).is_some_and(|own| own != here) => {
            let own = bundle.and_then(|bundle| bundle.architecture_of(image)).unwrap_or_default();
            let title =
                text!("the bundle has {} for {}, and this host is {}", image, Foreign::new(own), Foreign::new(&here));
            Finding::fail(id, title)
                .expected(expected)
                .observed("bundle.json says so")
                .cause("its programs end at once here: exec format error")
                .advise(text!(
                    "make it for this host: {}",
                    typed(text!("ics-setup bundle create <DIR> --platform linux/{}", crate::text::own(&here)))
                ))
        }
        None if here == SEEN => Finding::pass(id, "the image is for x86_64, as those of the vendor are")
            .expected(expected)
            .observed("it is not here yet; this host is amd64"),
        None => Finding::warn(id, text!("whether the vendor has an image for {} is not known", Foreign::new(&here)))
            .expected(expected)
            .observed(text!("{} is not here yet; this host is {}", image, Foreign::new(&here)))
            .cause("images of the vendor have been seen for amd64 alone")
            .advise("ask the vendor, or use a host with an x86_64 processor"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::finding::Status;

    #[test]
    fn an_image_for_another_processor_is_told_before_it_is_started() {
        let image = || Double::installed().prints("docker image", "amd64\n");
        let absent = || Double::installed().fails("docker image", "No such image");
        for (host, here, status) in [
            (image(), "amd64", Status::Pass),
            (image(), "arm64", Status::Fail),
            (absent(), "arm64", Status::Warn),
            (absent(), "amd64", Status::Pass),
        ] {
            let found = architecture(&host, "ics:v1", Some(here), None);
            assert_eq!(found.status, status, "{found:?}");
            assert_eq!(found.fix.is_empty(), !matches!(status, Status::Fail | Status::Warn));
        }
        let mut image = Double::installed();
        image.live = false;
        assert_eq!(architecture(&image, "ics:v1", None, None).status, Status::Skip);
    }
}
