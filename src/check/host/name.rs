//! Does the host know its own name?

use std::time::Duration;

use super::judged;
use crate::check::prelude::*;
use crate::system::name::{self, Host, NameFacts};
use crate::text::{Fix, typed};

/// A look-up that takes longer is felt with every sudo.
const SLOW: Duration = Duration::from_secs(1);

pub(super) struct Name;

impl Check for Name {
    type Facts = NameFacts;

    const META: Meta = Meta::new("hostname", Group::Host, &[ids::HOSTNAME]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&NameFacts>) -> NameFacts {
        name::observe(look.host, time)
    }

    fn judge(&self, facts: &NameFacts, _want: &CheckSpec) -> Vec<Finding> {
        vec![judged(&facts.seen, ids::HOSTNAME, "the host's own name", judge_name)]
    }
}

fn judge_name(host: &Host) -> Finding {
    let Host { name, addresses, error, took_ms } = host;
    let took = took(*took_ms);
    let finding = |status, title: Text| {
        let shown = Text::join(addresses.iter().map(|address| text!("{}", address)), ", ");
        let seen = match error {
            None => text!("{:?} is {} ({})", name, shown, took),
            Some(error) => text!("{:?}: {} ({})", name, error, took),
        };
        Finding::new(ids::HOSTNAME, status, title)
            .expected("a name of its own that the host itself can resolve")
            .observed(seen)
            .evidence("name", text!("{}", name))
    };
    let nameless = ["", "(none)", "localhost", "localhost.localdomain", "localhost4", "localhost6"];
    if nameless.contains(&name.to_ascii_lowercase().as_str()) {
        return finding(Status::Warn, text!("the host has no name of its own: it is called {:?}", name))
            .cause("logs, licences and the proxy's log cannot tell this host from others")
            .advise(text!("give it one: {}", typed("hostnamectl set-hostname <NAME.YOUR.DOMAIN> && echo '127.0.1.1 <NAME.YOUR.DOMAIN> <NAME>' >> /etc/hosts")));
    }
    // Only a name that is one may be pasted into a shell.
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    let line = match (plain, name.split_once('.')) {
        (true, Some((short, _))) => {
            Fix::Command(as_root(text!("echo '127.0.1.1 {} {}' >> /etc/hosts", own(name), own(short))))
        }
        (true, None) => Fix::Command(as_root(text!("echo '127.0.1.1 {}' >> /etc/hosts", own(name)))),
        (false, _) => Fix::Advice(text!(
            "give it a name that is one: {}, and a line for it in /etc/hosts",
            typed("hostnamectl set-hostname <NAME.YOUR.DOMAIN>")
        )),
    };
    let fixed = |finding: Finding| {
        let cause = "every sudo waits for this look-up, and programs that ask for their own address fail";
        Finding { fix: vec![line], ..finding.cause(cause) }
    };
    match error {
        Some(_) => fixed(finding(Status::Warn, text!("the host cannot resolve its own name {:?}", name))),
        None if Duration::from_millis(*took_ms) > SLOW => {
            fixed(finding(Status::Warn, text!("the host takes {} to resolve its own name {:?}", took, name)))
        }
        None => finding(Status::Pass, text!("the host's name {:?} resolves", name)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Live, checked, production};
    use super::*;
    use crate::host::MemoryHost;
    use crate::net::NetError;
    use crate::system::name::HOSTNAME;

    #[test]
    fn names_and_their_verdicts() {
        let here = || vec!["127.0.1.1".parse().unwrap()];
        for (name, addresses, error, took_ms, status, words) in [
            ("ics01.corp.example", here(), None, 2, Status::Pass, ""),
            (
                "ics01.corp.example",
                vec![],
                Some(NetError::NameUnknown),
                2,
                Status::Warn,
                "'127.0.1.1 ics01.corp.example ics01'",
            ),
            ("ics01", vec![], Some(NetError::NameUnknown), 2, Status::Warn, "'127.0.1.1 ics01'"),
            ("a'; reboot", vec![], Some(NetError::NameUnknown), 2, Status::Warn, "NAME.YOUR.DOMAIN"),
            ("ics01", here(), None, 1001, Status::Warn, "/etc/hosts"),
            ("LOCALHOST", here(), None, 1, Status::Warn, "set-hostname"),
            ("", vec![], Some(NetError::NameUnknown), 0, Status::Warn, "set-hostname"),
        ] {
            let found = judge_name(&Host { name: name.to_owned(), addresses, error, took_ms });
            assert_eq!(found.status, status, "{name}");
            assert!(found.fix.join("\n").contains(words), "{name}: {:?}", found.fix);
        }
    }

    #[test]
    fn the_kernels_name_is_asked_for() {
        let host = MemoryHost::new();
        host.put(HOSTNAME, b"127.0.0.1\n");
        let found = checked(&Name, &Live(host.clone()), &production());
        assert_eq!(found[0].status, Status::Pass, "{found:?}");
        assert_eq!(checked(&Name, &host, &production())[0].status, Status::Skip);
    }
}
