//! What `prod.env` calls the back ends, as the containers that read it take it.

use crate::check::prelude::*;
use crate::consumers::{self, Ask, ConsumersFacts, State, Who, judge};

/// The check.
pub(crate) struct ProdEnvHosts;

impl Check for ProdEnvHosts {
    type Facts = ConsumersFacts;

    const META: Meta = Meta::new("prod-env-hosts", Group::Backends, &[ids::PROD_ENV_HOSTS]);

    fn collect(&self, look: &Look<'_>, time: Time, _: Option<&ConsumersFacts>) -> ConsumersFacts {
        let (host, platform, home) = (look.host, look.platform, &look.spec.home);
        let ask = Ask {
            host,
            platform,
            home,
            http_proxy: None,
            https_proxy: None,
            inside: None,
            quiet: false,
            sudo_by: None,
        };
        consumers::observe(&ask, Some(&[Who::ProdEnv]), time)
    }

    fn judge(&self, facts: &ConsumersFacts, spec: &CheckSpec) -> Vec<Finding> {
        let findings = judge::back_ends(facts, &spec.wanted());
        if !findings.is_empty() {
            return findings;
        }
        if let Some(unseen) = facts.consumers.iter().find(|consumer| consumer.state != State::Seen) {
            let status = if unseen.state == State::Unreadable { Status::Error } else { Status::Skip };
            let title = "the hosts in prod.env were not looked at";
            let finding =
                Finding::new(ids::PROD_ENV_HOSTS, status, title).observed(unseen.why.clone().unwrap_or_default());
            return vec![unseen.mend.iter().fold(finding, |finding, command| finding.fix(as_root(command.clone())))];
        }
        let title = "the hosts in prod.env mean the same to the containers";
        let by = Text::join(facts.consumers.iter().map(|consumer| text!("{}", own(&consumer.source))), "; ");
        vec![Finding::pass(ids::PROD_ENV_HOSTS, title).observed(by)]
    }
}
