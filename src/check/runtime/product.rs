//! Judges whether the product is installed in its folder?

use crate::check::prelude::*;
use crate::product::Place;

/// See the module.
pub(super) struct Product;

impl Check for Product {
    type Facts = Place;

    const META: Meta = Meta::new("product", Group::Runtime, &[ids::PRODUCT_INSTALLED]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&Place>) -> Place {
        Place::look(look.host, &look.spec.home)
    }

    fn judge(&self, place: &Place, spec: &CheckSpec) -> Vec<Finding> {
        vec![judge_product(place, spec)]
    }

    fn is_settled(&self, _facts: &Place) -> bool {
        true
    }
}

fn judge_product(place: &Place, spec: &CheckSpec) -> Finding {
    let home = spec.home.display();
    let finding = |status, title: Text| Finding::new(ids::PRODUCT_INSTALLED, status, title);
    if let Some(why) = &place.unreadable {
        return finding(Status::Error, text!("{} could not be looked into", home))
            .expected("a folder with prod.env and docker-compose.yml")
            .observed(why)
            .cause("its mode or its owner closes it to this user")
            .advise("run the same with sudo");
    }
    let compose = place.compose.join(", ");
    match (place.prod_env, place.compose.is_empty()) {
        (false, true) => finding(Status::Skip, text!("the product is not installed in {}", home))
            .observed(text!("neither prod.env nor docker-compose*.yml is in {}, so nothing of it was looked at", home))
            .advise(text!("name the product's folder: {}", typed("--home <DIR>"))),
        (true, true) => finding(Status::Warn, text!("{} has a prod.env and no compose file", home))
            .expected("prod.env and docker-compose.yml")
            .observed("prod.env")
            .cause("without the compose file the containers cannot be started, stopped or created anew from here")
            .advise(text!("bring the compose file of your release back as {}/docker-compose.yml", home))
            .evidence("missing", "compose"),
        (false, false) => finding(Status::Fail, text!("{} has a compose file and no prod.env", home))
            .expected("prod.env and docker-compose.yml")
            .observed(text!("{}", own(compose)))
            .cause("the services read their environment from prod.env and do not start without it")
            .advise(text!("bring {}/prod.env back from your backup, or from another host of this deployment", home))
            .evidence("missing", "prod.env"),
        (true, false) => finding(Status::Pass, text!("the product is installed in {}", home))
            .expected("prod.env and docker-compose.yml")
            .observed(text!("prod.env, {}", own(compose)))
            .evidence("compose_files", place.compose.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::runtime::testing::spec;

    #[test]
    fn commands_to_paste_fit_the_compose_that_is_here() {
        use crate::check::runtime::testing::{Checked, Double};
        use crate::check::spec::Secrets;
        let of = |path: &str| {
            let host = Double::installed();
            host.files.put(path, b"");
            host.files.put("/divvycloud/docker-compose.x;reboot.yml", b"");
            let place = host.collect(&Product, &spec(), &Secrets::default());
            assert_eq!(place.compose, ["docker-compose.yml"]);
            place.command(&spec().home)
        };
        assert_eq!(of("/usr/bin/docker-compose"), "docker-compose -f /divvycloud/docker-compose.yml");
        assert_eq!(
            of("/usr/libexec/docker/cli-plugins/docker-compose"),
            "docker compose -f /divvycloud/docker-compose.yml"
        );
    }

    #[test]
    fn each_half_installation_is_told_apart() {
        for (prod_env, compose, status, words) in [
            (true, &["docker-compose.yml"][..], Status::Pass, "is installed in /divvycloud"),
            (true, &[], Status::Warn, "no compose file"),
            (false, &["docker-compose.cw.yml"], Status::Fail, "no prod.env"),
            (false, &[], Status::Skip, "not installed"),
        ] {
            let compose = compose.iter().map(|name| (*name).to_owned()).collect();
            let place = Place { live: true, prod_env, compose, ..Place::default() };
            let finding = judge_product(&place, &spec());
            assert_eq!(finding.status, status);
            assert!(finding.title.contains(words) && finding.observed.is_some(), "{finding:?}");
        }
        let place = Place { unreadable: Some("denied".to_owned()), ..Place::default() };
        assert_eq!(judge_product(&place, &spec()).status, Status::Error);
    }
}
