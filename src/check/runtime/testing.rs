//! The checks of this group on a host whose files are in memory and whose programs answer what a test wrote down.

use std::sync::LazyLock;
use std::time::Duration;

use crate::check::spec::{Address, CheckSpec, RedisSpec, Secrets};
use crate::check::unit::{Check, Look};
pub(super) use crate::docker::double::{COMPOSE, Double, NOW};
use crate::finding::Finding;
use crate::host::MemoryHost;
use crate::net::testing::patient;
use crate::net::{Roots, Time};

/// What a test asks of such a host.
pub(super) trait Checked {
    /// Collects the facts of a check within two seconds, as for a server that may never answer.
    fn collect<C: Check>(&self, check: &C, spec: &CheckSpec, secrets: &Secrets) -> C::Facts;

    /// Collects the facts of a check, through their saved form and back.
    fn within<C: Check>(&self, time: Time, check: &C, spec: &CheckSpec, secrets: &Secrets) -> C::Facts;

    /// The facts of a check whose programs all answer.
    fn facts<C: Check>(&self, check: &C) -> C::Facts;

    /// Collects and judges.
    fn check<C: Check>(&self, check: &C) -> Vec<Finding>;
}

impl Checked for Double {
    fn collect<C: Check>(&self, check: &C, spec: &CheckSpec, secrets: &Secrets) -> C::Facts {
        self.within(Time::new(Duration::from_secs(1), Duration::from_secs(2)), check, spec, secrets)
    }

    fn within<C: Check>(&self, time: Time, check: &C, spec: &CheckSpec, secrets: &Secrets) -> C::Facts {
        static ROOTS: LazyLock<Roots> = LazyLock::new(|| Roots::of(&MemoryHost::new(), b""));
        let look = Look { host: self, platform: None, spec, secrets, roots: &ROOTS, changes: None };
        let facts = serde_json::to_string(&check.collect(&look, time, None)).unwrap();
        serde_json::from_str(&facts).unwrap()
    }

    fn facts<C: Check>(&self, check: &C) -> C::Facts {
        self.within(patient(), check, &spec(), &Secrets::default())
    }

    fn check<C: Check>(&self, check: &C) -> Vec<Finding> {
        let findings = check.judge(&self.facts(check), &spec());
        crate::check::law::each_has_a_way_out(&findings);
        findings
    }
}

/// What the settings of a production host say.
pub(super) fn spec() -> CheckSpec {
    CheckSpec {
        redis: Some(RedisSpec {
            at: Address {
                host: "127.0.0.1".to_owned(),
                port: 6379,
                origin: "--redis-host".to_owned(),
                container: false,
            },
            has_password: false,
            tls: None,
        }),
        ..CheckSpec::default()
    }
}
