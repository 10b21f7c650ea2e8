//! What becomes of the containers of each service, once the files of a plan are there and Compose has read them.

use std::collections::BTreeSet;
use std::path::Path;

use super::product::{ids, in_order, is_product, stale};
use super::upgrade::Moved;
use crate::docker::{Container, compose::Service, repository_and_tag};
use crate::host::{HostRead, View};
use crate::plan::{ContainerChange, Fate, Plan, PlannedHost};
use crate::product::{Known, Place, service_of};
use crate::vendor::prod_env;

/// The services of the product's compose files; `None`: there are no files, or they are not understood.
pub(super) struct Services {
    /// As the files are.
    pub(super) before: Option<Vec<Service>>,
    /// As the plan makes them.
    pub(super) after: Option<Vec<Service>>,
    /// The plan changes a compose file.
    pub(super) edited: bool,
    /// Those whose lines the plan's file keeps, and that nothing runs of.
    taken_out: Vec<String>,
}

impl Services {
    /// By the files of the product's folder and by a plan.
    pub(super) fn look(host: &dyn HostRead, home: &Path, plan: &Plan) -> Self {
        let (view, place) = (View::new(host), Place::look(host, home));
        let planned = PlannedHost::new(&view, &plan.changes);
        let after = Place::look(&planned, home);
        Self {
            before: place.services(host, home),
            edited: after.files(home).iter().any(|file| plan.touches(file)),
            // What cannot be told stays.
            taken_out: after.taken_out(&planned, home).unwrap_or_default(),
            after: after.services(&planned, home),
        }
    }

    /// What the plan makes.
    pub(super) fn planned(&self) -> &[Service] {
        self.after.as_deref().unwrap_or_default()
    }

    /// Does the plan make it a host with a scheduler?
    pub(super) fn gets_scheduler(&self) -> bool {
        let is_it = |own: &Service| Known::get().is_scheduler(&own.name, own.command());
        self.edited && !self.before.iter().flatten().any(is_it) && self.after.iter().flatten().any(is_it)
    }

    /// The scheduler that the plan, or an earlier run that came no further, brings to a product that has none. `there`: all of
    /// its containers.
    pub(super) fn new_scheduler(&self, there: &[Container]) -> Option<Moved> {
        let is_it = |name: &str, command: &str| Known::get().is_scheduler(name, command);
        if !there.iter().any(is_product) || there.iter().any(|one| is_it(service_of(one), &one.command)) {
            return None;
        }
        let own = self.planned().iter().find(|own| is_it(&own.name, own.command()))?;
        let image = own.image.clone()?;
        Some(Moved { service: own.name.clone(), from: image.clone(), to: image, is_written: !self.gets_scheduler() })
    }

    /// Does the plan bring this service to a host whose others are there already?
    pub(super) fn is_added(&self, name: &str) -> bool {
        self.edited && self.before.is_some() && find(&self.before, name).is_none() && find(&self.after, name).is_some()
    }

    /// Can a change be made while all other containers run on?
    pub(super) fn leaves_others(&self, change: &ContainerChange) -> bool {
        match change.fate {
            Fate::Keep | Fate::Remove => true,
            Fate::Create => self.is_added(&change.service),
            Fate::Recreate => false,
        }
    }

    /// Is another number of containers asked for?
    pub(super) fn is_scaled(&self, name: &str) -> bool {
        let count = |services: &Option<Vec<Service>>| find(services, name).map(Service::scale);
        self.edited && count(&self.before) != count(&self.after)
    }

    /// The services of the product that get another image than their containers have, or the files where there are none.
    pub(super) fn moved(&self, there: &[Container]) -> Vec<Moved> {
        let product = Known::get().of_product(self.planned(), |own| (&own.name, own.image.as_deref()));
        let mut all = Vec::new();
        for (service, to) in product.into_iter().filter_map(|own| Some((&own.name, own.image.as_ref()?))) {
            let of_file = find(&self.before, service).and_then(|own| own.image.clone());
            let is_written = of_file.as_ref() == Some(to);
            let run: BTreeSet<String> = of_service(there, service).map(Container::image).collect();
            let from = if run.is_empty() { of_file.into_iter().collect() } else { run };
            let moved = |from| Moved { service: service.clone(), from, to: to.clone(), is_written };
            all.extend(from.into_iter().filter(|from| is_other_image(from, to)).map(moved));
        }
        all
    }

    /// Is a compose file changed, and which image a service gets not understood?
    pub(super) fn is_blind(&self) -> bool {
        self.edited && self.after.is_none()
    }
}

fn of_service<'c>(there: &'c [Container], service: &'c str) -> impl Iterator<Item = &'c Container> {
    there.iter().filter(move |own| service_of(own) == service)
}

/// Are these names of two images? A name without a tag has the tag `latest`.
fn is_other_image(one: &str, other: &str) -> bool {
    repository_and_tag(one) != repository_and_tag(other)
}

fn find<'s>(services: &'s Option<Vec<Service>>, name: &str) -> Option<&'s Service> {
    services.iter().flatten().find(|own| own.name == name)
}

/// Services that mount a file which the plan changes: a container that runs has the old one as long as it lives, and Compose sees
/// no difference.
pub(super) fn remounted(host: &dyn HostRead, home: &Path, plan: &Plan) -> Vec<String> {
    let view = View::new(host);
    let planned = PlannedHost::new(&view, &plan.changes);
    let services = Place::look(&planned, home).services(&planned, home).unwrap_or_default();
    let mounts = |service: &Service| plan.changes.iter().any(|change| service.mounts_file(&change.path));
    services.into_iter().filter(mounts).map(|service| service.name).collect()
}

/// By service, in the order of the vendor's files. `there`: the product's containers.
pub(super) fn fates(
    host: &dyn HostRead,
    home: &Path,
    plan: &Plan,
    services: &Services,
    there: &[Container],
) -> Vec<ContainerChange> {
    let (ids, file) = (ids(there), prod_env(home));
    let stale = if there.is_empty() { Vec::new() } else { stale(host, home) };
    let reads = |name: &str| match find(&services.after, name).or_else(|| find(&services.before, name)) {
        Some(service) => service.reads(&file),
        None => Known::get().is_of_product(name),
    };
    let is_other = |name: &str| match (find(&services.before, name), find(&services.after, name)) {
        (Some(before), Some(after)) => !before.makes_same(after),
        _ => Known::get().is_of_product(name),
    };
    let remounted = remounted(host, home, plan);
    // An earlier run has written the file, and came no further.
    let is_behind = |name: &str| {
        let image = find(&services.after, name).and_then(|own| own.image.as_deref());
        image.is_some_and(|image| of_service(there, name).any(|own| is_other_image(&own.image(), image)))
    };
    let fate = |name: &str| {
        let is_planned = services.after.is_none() || find(&services.after, name).is_some();
        let anew = (plan.touches(&file) && reads(name))
            || (services.edited && is_other(name))
            || is_behind(name)
            || remounted.iter().any(|own| own == name);
        match ids.contains_key(name) {
            false => Fate::Create,
            true if services.taken_out.iter().any(|own| own == name) => Fate::Remove,
            // What is in no file any more stays as it is.
            true if is_planned && (anew || stale.iter().any(|own| own == name)) => Fate::Recreate,
            true => Fate::Keep,
        }
    };
    let planned = services.planned().iter().map(|service| service.name.as_str());
    let names: BTreeSet<&str> = planned.chain(ids.keys().map(String::as_str)).collect();
    in_order(names.into_iter().map(|name| ContainerChange { service: name.to_owned(), fate: fate(name) }))
}
