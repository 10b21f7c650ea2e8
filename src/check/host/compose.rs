//! Is docker-compose where the vendor's installers, and root's crontab, look for it?

use std::path::{Path, PathBuf};

use super::data::Data;
use crate::check::prelude::*;
use crate::system::compose::{self, Called, ComposeFacts};
use crate::text::{of_host, typed};
use crate::vendor::Vendor;

pub(super) struct Compose;

impl Check for Compose {
    type Facts = ComposeFacts;

    const META: Meta = Meta::new("compose", Group::Host, &[ids::COMPOSE_PATH]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&ComposeFacts>) -> ComposeFacts {
        compose::observe(look.host, &Data::get().compose.crontabs)
    }

    fn judge(&self, facts: &ComposeFacts, _want: &CheckSpec) -> Vec<Finding> {
        vec![judge_compose(facts)]
    }
}

/// What makes the folder of a program where it is none of those that every system has.
fn folder(program: &Path) -> Text {
    match program.parent() {
        Some(folder) if !["/usr/local/bin", "/usr/bin", "/bin"].map(Path::new).contains(&folder) => {
            text!("mkdir -p {} && ", of_host(folder))
        }
        _ => Text::default(),
    }
}

fn judge_compose(facts: &ComposeFacts) -> Finding {
    // A test holds the list to having one.
    let place = Vendor::get().compose.programs.first().and_then(|path| path.to_str()).unwrap_or_default();
    let ComposeFacts { programs, plugins, called, unread } = facts;
    let usual = own(place);
    let list = |paths: &[PathBuf]| Text::join(paths.iter().map(|path| text!("{}", path)), ", ");
    let seen = match (programs.is_empty(), plugins.is_empty()) {
        (false, true) => list(programs),
        (true, false) => text!("only the plugin {}", list(plugins)),
        (false, false) => text!("{}, and the plugin {}", list(programs), list(plugins)),
        (true, true) => "no docker-compose".into(),
    };
    let seen = Text::join(std::iter::once(seen).chain(unread.iter().cloned()), "; ");
    let finding = |status, title: Text, seen: Text| {
        Finding::new(ids::COMPOSE_PATH, status, title)
            .expected(text!("docker-compose at {}, or wherever root's crontab calls it", usual))
            .observed(seen)
    };
    // How to have one at `path`.
    let provide = |finding: Finding, path: &Path| match programs.first() {
        Some(program) => {
            finding.fix(as_root(text!("{}ln -sfn {} {}", folder(path), own(program.display()), of_host(path))))
        }
        None if !plugins.is_empty() => {
            let script = own(r#"#!/bin/sh\nexec docker compose "$@"\n"#);
            let file = of_host(path);
            finding.fix(as_root(text!("{}printf '{}' > {} && chmod 755 {}", folder(path), script, file.clone(), file)))
        }
        None => finding
            .advise(text!("install Docker Compose, or take the line out of the crontab: {}", typed("crontab -e"))),
    };
    if let Some(call) = called.iter().find(|call| !call.exists) {
        let Called { crontab, program, .. } = call;
        let title = text!("root's crontab calls {}, which is not there", program);
        let finding = finding(Status::Fail, title, text!("{} calls {}; there is: {}", crontab, program, seen))
            .cause("the product is started at boot by that line, so it does not come up by itself");
        let plain = program.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        return if plain {
            provide(finding, Path::new(program))
        } else {
            finding.advise(text!("mend the path: {}", typed("crontab -e")))
        };
    }
    let is_called = !called.is_empty();
    match (programs.iter().any(|path| path == Path::new(place)), programs.is_empty() && plugins.is_empty()) {
        (_, true) if !is_called => finding(Status::Skip, "docker-compose: not installed yet".into(), seen),
        (false, _) if !is_called => {
            let title = text!("docker-compose is not at {}", usual);
            let finding = finding(Status::Warn, title, seen).cause(
                "the vendor's installers write that path into root's crontab to start the product at boot, wherever the program is",
            );
            provide(finding, Path::new(place))
        }
        _ => finding(Status::Pass, "docker-compose is where it is looked for".into(), seen),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checked, production};
    use super::*;
    use crate::host::{Attributes, MemoryHost};

    const LOCAL: &str = "/usr/local/bin/docker-compose";
    const CRONTAB: &str = "/var/spool/cron/crontabs/root";

    fn look(programs: &[&str], crontab: &str) -> (Status, String) {
        let host = MemoryHost::new();
        programs.iter().for_each(|path| host.put_with(path, b"x", Attributes::new(0o755, 0, 0)));
        host.put(CRONTAB, crontab.as_bytes());
        let found = checked(&Compose, &host, &production()).remove(0);
        (found.status, found.fix.join("\n"))
    }

    #[test]
    fn every_place_has_its_verdict() {
        let boot = format!("@reboot {LOCAL} -f /divvycloud/docker-compose.yml up -d\n");
        assert_eq!(look(&[], "").0, Status::Skip);
        assert_eq!(look(&[LOCAL], &boot).0, Status::Pass);
        assert_eq!(
            look(&["/usr/bin/docker-compose"], ""),
            (Status::Warn, format!("ln -sfn /usr/bin/docker-compose {LOCAL}"))
        );
        assert_eq!(
            look(&["/usr/bin/docker-compose"], &boot),
            (Status::Fail, format!("ln -sfn /usr/bin/docker-compose {LOCAL}"))
        );
        let plugin = look(&["/usr/libexec/docker/cli-plugins/docker-compose"], &boot);
        assert!(plugin.0 == Status::Fail && plugin.1.contains("exec docker compose"), "{plugin:?}");
        assert_eq!(look(&["/usr/bin/docker-compose"], "@reboot /usr/bin/docker-compose up\n").0, Status::Pass);
        assert_eq!(look(&[], &format!("# {boot}")).0, Status::Skip);
        let odd = look(&[], "@reboot /a$b/docker-compose up");
        assert_eq!(odd, (Status::Fail, "mend the path: crontab -e".to_owned()));
    }

    #[test]
    fn there_is_a_usual_place() {
        assert_eq!(Vendor::get().compose.programs.first().map(PathBuf::as_path), Some(Path::new(LOCAL)));
    }
}
