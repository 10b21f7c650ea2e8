//! Judges what the product's containers see, against what prod.env says.

use std::path::Path;

use super::text::{Compose, at, nothing};
use crate::check::prelude::*;
use crate::product::environment::{self, Difference, EnvironmentFacts, How, Service};
use crate::text::Foreign;
use crate::vendor::prod_env;

/// More names than this are not told one by one.
const MAX_TOLD: usize = 12;

/// See the module.
pub(super) struct Environment;

impl Check for Environment {
    type Facts = EnvironmentFacts;

    const META: Meta = Meta::new("environment", Group::Runtime, &[ids::CONTAINER_ENVIRONMENT]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&EnvironmentFacts>) -> EnvironmentFacts {
        environment::look(look.host, &look.spec.home, time)
    }

    fn judge(&self, facts: &EnvironmentFacts, spec: &CheckSpec) -> Vec<Finding> {
        if let Some(nothing) = nothing(&facts.place, ids::CONTAINER_ENVIRONMENT, "the containers' environment was") {
            return nothing;
        }
        let file = prod_env(&spec.home);
        let finding = |status, title: Text| Finding::new(ids::CONTAINER_ENVIRONMENT, status, title);
        let skip = |why: Text| {
            vec![finding(Status::Skip, "the containers' environment was not compared".into()).observed(why)]
        };
        if !facts.place.prod_env {
            return skip(text!("there is no {}", own(file.display())));
        }
        if let Some(why) = &facts.unreadable {
            let finding = finding(Status::Error, text!("{} could not be read", own(file.display())));
            return vec![
                finding
                    .observed(why)
                    .cause("its mode or its owner closes it to this user")
                    .advise("run the same with sudo"),
            ];
        }
        match &facts.services {
            None => Vec::new(),
            Some(Err(_)) => skip("Docker could not be asked; see docker-reachable".into()),
            Some(Ok(services)) if services.is_empty() => {
                skip("no container of the product is there; see service-running".into())
            }
            Some(Ok(services)) => {
                let compose = Compose::of(&facts.place, &spec.home);
                services.iter().map(|service| one(service, facts.changed, &file, &compose)).collect()
            }
        }
    }
}

fn one(service: &Service, changed: Option<u64>, file: &Path, compose: &Compose) -> Finding {
    let name = &service.name;
    let of = |how: How| {
        service.differences.iter().filter(|one| one.how == how).map(|one| one.name.clone()).collect::<Vec<_>>()
    };
    let finish = |finding: Finding| {
        finding
            .expected(text!("what {} says, as {} reads it", file, own(&service.reader)))
            .evidence("service", own(name))
            .evidence("same", service.same)
            .evidence("differs", of(How::Differs))
            .evidence("missing", of(How::Missing))
            .evidence("extra", of(How::Extra))
    };
    let finding = |status, title: Text| Finding::new(ids::CONTAINER_ENVIRONMENT, status, title);
    if let Some(why) = &service.rejects {
        return finish(
            finding(
                Status::Fail,
                text!("{} would not create {} again: it rejects {}", own(&service.reader), own(name), file),
            )
            .observed(why)
            .cause(
                "compose stops at a line that it does not understand; the container that runs has the file of before",
            )
            .advise(text!("mend that line of {}: NAME=value, without export, blanks around = or quotes", file)),
        );
    }
    let left_out = match service.left_out {
        0 => Text::default(),
        number => text!("; {} not compared, for the compose file or its caller decides them", number),
    };
    if service.differences.is_empty() {
        let observed = text!("{} variables are the same{}", service.same, left_out);
        return finish(finding(Status::Pass, text!("{} sees what prod.env says", own(name))).observed(observed));
    }
    let told: Vec<Text> = service.differences.iter().take(MAX_TOLD).map(tell).collect();
    let more = service.differences.len().saturating_sub(MAX_TOLD);
    let more = if more > 0 { text!("\nand {} more", more) } else { Text::default() };
    let observed = text!("{}{}", Text::join(told, "\n"), more);
    let only_extra = service.differences.iter().all(|one| one.how == How::Extra);
    let (status, title) = if only_extra {
        (Status::Warn, text!("{} sees more than prod.env says: {}", own(name), list(&of(How::Extra))))
    } else {
        let mut names = of(How::Differs);
        names.extend(of(How::Missing));
        (Status::Fail, text!("{} does not see what prod.env says: {}", own(name), list(&names)))
    };
    let stale = matches!((service.created, changed), (Some(created), Some(changed)) if created <= changed);
    let cause = match (service.created, changed) {
        (Some(created), Some(changed)) if stale => text!("its container was created at {}, before prod.env was last changed at {}; a restart does not read it again", at(created), at(changed)),
        _ if only_extra => "the image, the compose file or ~/.docker/config.json sets it".into(),
        _ => "its container was created after prod.env was last changed, so the compose file (environment:, another env_file) or the image sets it".into(),
    };
    let finding = finish(finding(status, title).observed(observed).cause(cause));
    if stale {
        compose.mends(finding, "up -d --force-recreate")
    } else {
        finding
            .advise(text!("look who sets it: {}", typed(text!("{} config", compose.command))))
            .advise(text!("mend it there, then: {}", as_root(text!("{} up -d --force-recreate", compose.command))))
    }
}

fn tell(one: &Difference) -> Text {
    let value = |value: &Option<Foreign>| match value {
        Some(value) => text!("{}", value),
        None => "a value that is not shown".into(),
    };
    match one.how {
        How::Differs if one.file.is_none() => {
            text!("{}: another value than in prod.env (neither is shown)", own(&one.name))
        }
        How::Differs => {
            text!("{}: {} in the container, {} in prod.env", own(&one.name), value(&one.container), value(&one.file))
        }
        How::Missing => text!("{}: not in the container, {} in prod.env", own(&one.name), value(&one.file)),
        How::Extra => text!("{}: {} in the container, not in prod.env", own(&one.name), value(&one.container)),
    }
}

fn list(names: &[String]) -> Text {
    match names {
        [first, second, third, _, ..] => {
            text!("{}, {}, {} and {} more", own(first), own(second), own(third), names.len() - 3)
        }
        names => text!("{}", own(names.join(", "))),
    }
}

#[cfg(test)]
mod tests;
