//! Judges what the product's containers see, against what prod.env says.

use super::text::{at, nothing};
use crate::check::spec::CheckSpec;
use crate::check::unit::{Check, Group, Look, Meta};
use crate::finding::{Finding, Status};
use crate::net::Time;
use crate::product::environment::{self, Difference, EnvironmentFacts, How, Service};
use crate::text::Foreign;
use crate::vendor::prod_env;

/// More names than this are not told one by one.
const MAX_TOLD: usize = 12;

/// See the module.
pub(super) struct Environment;

impl Check for Environment {
    type Facts = EnvironmentFacts;

    const META: Meta = Meta::new("environment", Group::Runtime, &["container-environment"]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&EnvironmentFacts>) -> EnvironmentFacts {
        environment::look(look.host, &look.spec.home, time)
    }

    fn judge(&self, facts: &EnvironmentFacts, spec: &CheckSpec) -> Vec<Finding> {
        judge_environment(facts, spec)
    }
}

fn judge_environment(facts: &EnvironmentFacts, spec: &CheckSpec) -> Vec<Finding> {
    if let Some(nothing) = nothing(&facts.place, "container-environment", "the containers' environment was") {
        return nothing;
    }
    let file = prod_env(&spec.home);
    let finding = |status, title: String| Finding::new("container-environment", "runtime", status, title);
    let skip = |why: String| {
        vec![finding(Status::Skip, "the containers' environment was not compared".to_owned()).observed(why)]
    };
    if !facts.place.prod_env {
        return skip(format!("there is no {}", file.display()));
    }
    if let Some(why) = &facts.unreadable {
        let finding = finding(Status::Error, format!("{} could not be read", file.display()));
        return vec![finding.observed(why).fix("run the same with sudo")];
    }
    match &facts.services {
        None => Vec::new(),
        Some(Err(_)) => skip("Docker could not be asked; see docker-reachable".to_owned()),
        Some(Ok(services)) if services.is_empty() => {
            skip("no container of the product is there; see service-running".to_owned())
        }
        Some(Ok(services)) => {
            let command = facts.place.command(&spec.home);
            services.iter().map(|service| one(service, facts.changed, &file.display().to_string(), &command)).collect()
        }
    }
}

fn one(service: &Service, changed: Option<u64>, file: &str, command: &str) -> Finding {
    let name = &service.name;
    let of = |how: How| {
        service.differences.iter().filter(|one| one.how == how).map(|one| one.name.clone()).collect::<Vec<_>>()
    };
    let finish = |finding: Finding| {
        finding
            .expected(format!("what {file} says, as {} reads it", service.reader))
            .evidence("service", name.as_str())
            .evidence("same", service.same)
            .evidence("differs", of(How::Differs))
            .evidence("missing", of(How::Missing))
            .evidence("extra", of(How::Extra))
    };
    let finding = |status, title: String| Finding::new("container-environment", "runtime", status, title);
    if let Some(why) = &service.rejects {
        return finish(
            finding(Status::Fail, format!("{} would not create {name} again: it rejects {file}", service.reader))
                .observed(why)
                .fix(format!("mend that line of {file}: NAME=value, without export, blanks around = or quotes")),
        );
    }
    let left_out = match service.left_out {
        0 => String::new(),
        number => format!("; {number} not compared, for the compose file or its caller decides them"),
    };
    if service.differences.is_empty() {
        let observed = format!("{} variables are the same{left_out}", service.same);
        return finish(finding(Status::Pass, format!("{name} sees what prod.env says")).observed(observed));
    }
    let told: Vec<String> = service.differences.iter().take(MAX_TOLD).map(tell).collect();
    let more = service.differences.len().saturating_sub(MAX_TOLD);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    let observed = format!("{}{more}", told.join("\n"));
    let only_extra = service.differences.iter().all(|one| one.how == How::Extra);
    let (status, title) = if only_extra {
        (Status::Warn, format!("{name} sees more than prod.env says: {}", list(&of(How::Extra))))
    } else {
        let mut names = of(How::Differs);
        names.extend(of(How::Missing));
        (Status::Fail, format!("{name} does not see what prod.env says: {}", list(&names)))
    };
    let stale = matches!((service.created, changed), (Some(created), Some(changed)) if created <= changed);
    let cause = match (service.created, changed) {
        (Some(created), Some(changed)) if stale => format!(
            "its container was created at {}, before prod.env was last changed at {}; a restart does not read it again",
            at(created),
            at(changed)
        ),
        _ if only_extra => "the image, the compose file or ~/.docker/config.json sets it".to_owned(),
        _ => "its container was created after prod.env was last changed, so the compose file (environment:, another env_file) or the image sets it".to_owned(),
    };
    let finding = finish(finding(status, title).observed(observed).cause(cause));
    if stale {
        finding.fix(format!("{command} up -d --force-recreate"))
    } else {
        finding.fix(format!("who sets it: {command} config")).fix(format!("then: {command} up -d --force-recreate"))
    }
}

fn tell(one: &Difference) -> String {
    let value = |value: &Option<Foreign>| {
        value.as_ref().map_or_else(|| "a value that is not shown".to_owned(), Foreign::to_string)
    };
    match one.how {
        How::Differs if one.file.is_none() => {
            format!("{}: another value than in prod.env (neither is shown)", one.name)
        }
        How::Differs => {
            format!("{}: {} in the container, {} in prod.env", one.name, value(&one.container), value(&one.file))
        }
        How::Missing => format!("{}: not in the container, {} in prod.env", one.name, value(&one.file)),
        How::Extra => format!("{}: {} in the container, not in prod.env", one.name, value(&one.container)),
    }
}

fn list(names: &[String]) -> String {
    match names {
        [first, second, third, _, ..] => format!("{first}, {second}, {third} and {} more", names.len() - 3),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests;
