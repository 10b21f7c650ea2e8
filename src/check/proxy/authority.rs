//! Does host and product trust the authority of a proxy that inspects TLS, which somebody names?

use crate::authority::{self, Asked, AuthorityFacts, ContainersFacts, Elsewhere, HostFacts, WrongBundle, anew};
use crate::check::prelude::*;
use crate::context::{AuthoritySpec, left};
use crate::text::{Foreign, quoted};

pub(crate) struct Authority;

impl Check for Authority {
    type Facts = Option<AuthorityFacts>;

    const META: Meta = Meta::new(
        "proxy-authority",
        Group::Proxy,
        &[ids::PROXY_CA_HOST, ids::PROXY_CA_DAEMON, ids::PROXY_CA_CONTAINERS],
    );

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&Self::Facts>) -> Self::Facts {
        let named = look.spec.authority.as_ref().filter(|named| named.unfit.is_none())?;
        Some(authority::observe_pem(look.host, look.platform?, &look.spec.home, &named.pem))
    }

    fn judge(&self, facts: &Self::Facts, spec: &CheckSpec) -> Vec<Finding> {
        match (facts, &spec.authority) {
            (_, Some(AuthoritySpec { file, unfit: Some(why), .. })) => vec![left(file, why.clone(), "prepare")],
            (Some(facts), Some(named)) => judge(facts, named),
            _ => Vec::new(),
        }
    }
}

/// What is to be said of an authority.
fn judge(facts: &AuthorityFacts, named: &AuthoritySpec) -> Vec<Finding> {
    let mut findings = vec![of_host(facts, named)];
    findings.extend(facts.host.daemon_is_older.then(of_daemon));
    findings.extend(facts.containers.as_ref().map(|containers| of_containers(facts, containers, named)));
    findings
}

/// A verb with the file, where it is not remembered.
fn run(verb: &'static str, named: &AuthoritySpec) -> Text {
    match named.remembered {
        true => text!("{}", own(verb)),
        false => text!("{} --proxy-ca {}", own(verb), own(quoted(&named.file.to_string_lossy()))),
    }
}

fn whose(subjects: &[Foreign]) -> Text {
    Text::join(subjects.iter().map(|subject| text!("{}", subject)), "; ")
}

fn of_host(facts: &AuthorityFacts, named: &AuthoritySpec) -> Finding {
    let HostFacts { missing, folder, program, .. } = &facts.host;
    let origin = own(&named.origin);
    let finish = |finding: Finding| {
        let finding =
            finding.expected(text!("the authority of {} in the bundle that programs of this host read", origin));
        match &facts.host.bundle {
            Some(bundle) => finding.evidence("store", own(bundle)),
            None => finding,
        }
    };
    if !facts.host.without_root.is_empty() {
        let title = text!("the authority of {} is an intermediate one without its root", origin);
        return finish(
            Finding::warn(ids::PROXY_CA_HOST, title)
                .observed(whose(&facts.host.without_root))
                .cause("OpenSSL trusts no chain but up to a root, so its clients refuse what the proxy signs")
                .advise("have the root's certificate sent too, and put both into one file for --proxy-ca"),
        );
    }
    if let Asked::Refuses(words) = &facts.host.openssl {
        let title = text!("OpenSSL does not trust the authority of {}, although it is in the bundle", origin);
        return finish(
            Finding::warn(ids::PROXY_CA_HOST, title)
                .observed(text!("openssl verify: {}", words))
                .cause("programs that look certificates up by their names read links beside the bundle")
                .advise(text!("have them made anew: {}", as_root(text!("{}", own(anew(program).join(" ")))))),
        );
    }
    if missing.is_empty() || (facts.host.placed && facts.host.planned) {
        let title = text!("this host trusts the authority of {}", origin);
        return finish(Finding::pass(ids::PROXY_CA_HOST, title).observed(whose(&facts.subjects)));
    }
    if facts.host.placed && !facts.host.live {
        let title = text!("{} was not run, which takes up the authority of {}", own(program), origin);
        return finish(
            Finding::skip(ids::PROXY_CA_HOST, title)
                .observed(text!("it lies in {}; no program is run in an image", own(folder)))
                .advise(text!(
                    "once the image runs: {}, then restart the Docker daemon if it runs",
                    as_root(text!("{}", own(program)))
                )),
        );
    }
    let title = text!("this host does not trust the authority of {}", origin);
    let finding = Finding::warn(ids::PROXY_CA_HOST, title).observed(match facts.host.placed {
        true => text!("{} is in {}, and {} was not run since", whose(missing), own(folder), own(program)),
        false => text!("{} is not in {}", whose(missing), own(facts.host.bundle.as_deref().unwrap_or("any bundle"))),
    });
    finish(
        finding
            .cause("its programs and the Docker daemon refuse whatever the proxy decrypts and signs anew")
            .fix(ics_setup(run("prepare", named))),
    )
}

fn of_daemon() -> Finding {
    Finding::warn(ids::PROXY_CA_DAEMON, "the Docker daemon has not read the authority")
        .expected("a daemon that was started after the authority was placed")
        .cause("it reads the system's roots once, when it starts, and refuses what the proxy signs until then")
        .advise(text!("let it be restarted, which stops running containers: {}", ics_setup("prepare --restart")))
}

fn of_containers(facts: &AuthorityFacts, containers: &ContainersFacts, named: &AuthoritySpec) -> Finding {
    let expected = "the authority mounted, and clients led to the public roots and the authority in one file";
    let origin = own(&named.origin);
    if containers.is_right() {
        let title = text!("the product's containers are given the authority of {}", origin);
        return Finding::pass(ids::PROXY_CA_CONTAINERS, title).expected(expected).observed(whose(&facts.subjects));
    }
    if let Some((file, line, why)) = &containers.unknown {
        let title = text!("it is not known whether the product's containers trust the authority of {}", origin);
        let place = if *line == 0 { text!("{}", own(file)) } else { text!("{}:{}", own(file), line) };
        return Finding::warn(ids::PROXY_CA_CONTAINERS, title)
            .expected(expected)
            .observed(text!("{}: {}", place, why))
            .cause("what services get cannot be told from that, so nothing is edited")
            .advise(text!(
                "mend it by hand, or look as root where it could not be read; then: {}",
                ics_setup(run("reconfigure", named))
            ));
    }
    let title = text!("the product's containers do not trust the authority of {}", origin);
    let finding = Finding::warn(ids::PROXY_CA_CONTAINERS, title).expected(expected);
    if containers.bundle == Some(WrongBundle::NoRoots) {
        return finding
            .observed("this host has no bundle of public roots that could be given to them with the authority")
            .cause("the variables that lead clients to a file replace their own roots: with the authority alone all else is refused")
            .advise(text!(
                "install ca-certificates on this host, then: {}",
                ics_setup(run("reconfigure", named))
            ));
    }
    if !containers.elsewhere.is_empty() {
        return mounted_elsewhere(containers, named).expected(expected);
    }
    if containers.is_by_hand() {
        return by_hand(containers, named).expected(expected);
    }
    finding
        .observed(lacking(containers))
        .cause("containers do not read this host's store, and Python in them brings roots of its own")
        .fix(ics_setup(run("reconfigure", named)))
}

/// What is not there.
fn lacking(containers: &ContainersFacts) -> Text {
    let mut all = Vec::new();
    if containers.without_authority || containers.bundle.is_some() {
        all.push(text!("no such files in {}", own(&containers.home)));
    }
    if !containers.unmounted.is_empty() {
        let mut services: Vec<&str> = containers.unmounted.iter().map(|(service, _)| service.as_str()).collect();
        services.dedup();
        all.push(text!("not mounted in {}", Foreign::new(services.join(", "))));
    }
    if !containers.variables.is_empty() {
        let names: Vec<&str> = containers.variables.iter().map(|own| own.name.as_str()).collect();
        all.push(text!("not led there by {}", own(names.join(", "))));
    }
    Text::join(all, "; ")
}

/// Somebody has other files mounted: those stay.
fn mounted_elsewhere(containers: &ContainersFacts, named: &AuthoritySpec) -> Finding {
    let unique = |of: fn(&Elsewhere) -> &str| {
        let mut all: Vec<&str> = Vec::new();
        containers.elsewhere.iter().for_each(|own| {
            if !all.contains(&of(own)) {
                all.push(of(own))
            }
        });
        all.join(", ")
    };
    let (services, inside) = (unique(|own| &own.service), unique(|own| &own.inside));
    let verb = if services.contains(", ") { "mount" } else { "mounts" };
    let title = text!("{} {} another file at {}", Foreign::new(services), own(verb), own(inside));
    let mounts = containers.elsewhere.iter().map(|own| text!("{} in {}", &own.source, Foreign::new(&own.service)));
    let rest = ContainersFacts { elsewhere: Vec::new(), ..containers.clone() };
    let lacking = (!rest.is_right() && !rest.is_by_hand()).then(|| lacking(&rest));
    Finding::warn(ids::PROXY_CA_CONTAINERS, title)
        .observed(Text::join(mounts.chain(set_by_hand(containers)).chain(lacking), "; "))
        .cause("clients in those containers find that file, and it has not what they need to trust what the proxy signs")
        .advise(text!("take the mount out, then have it made: {}", ics_setup(run("reconfigure", named))))
        .advise("or see to it that the file has the authority, and the public roots where variables lead to it, and leave it")
}

/// The lines by which somebody leads clients elsewhere.
fn set_by_hand(containers: &ContainersFacts) -> impl Iterator<Item = Text> {
    containers.variables.iter().filter_map(|variable| {
        let (file, line) = variable.at.as_ref()?;
        Some(match &variable.value {
            Some(value) => text!("{}:{}: {}", own(file), line, value),
            None => text!("{}:{}", own(file), line),
        })
    })
}

/// Somebody leads clients elsewhere: that is not overwritten.
fn by_hand(containers: &ContainersFacts, named: &AuthoritySpec) -> Finding {
    let names: Vec<&str> = containers.variables.iter().map(|own| own.name.as_str()).collect();
    let title =
        text!("{} in the product's containers names other certificates, which were left", own(names.join(", ")));
    Finding::warn(ids::PROXY_CA_CONTAINERS, title)
        .observed(Text::join(set_by_hand(containers), "; "))
        .cause("somebody has set it; where that file has not the authority too, clients that read it refuse what the proxy signs")
        .advise(text!("take the line out, then have it set: {}", ics_setup(run("reconfigure", named))))
        .advise("or see to it that the file has the public roots and the authority, and leave it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Variable;
    use crate::text::Fix;

    fn named() -> AuthoritySpec {
        AuthoritySpec {
            file: "/x/ca.pem".into(),
            origin: "--proxy-ca".into(),
            remembered: false,
            pem: String::new(),
            unfit: None,
        }
    }

    fn facts() -> AuthorityFacts {
        let host = HostFacts { live: true, bundle: Some("/b".into()), ..HostFacts::default() };
        AuthorityFacts { subjects: vec!["CN=x".into()], host, containers: None }
    }

    #[test]
    fn a_host_trusts_lacks_or_waits() {
        let missing = || vec!["CN=x".into()];
        let of = |change: &dyn Fn(&mut HostFacts)| {
            let mut facts = facts();
            change(&mut facts.host);
            judge(&facts, &named()).remove(0)
        };
        for (change, status, words) in [
            (&(|_: &mut HostFacts| {}) as &dyn Fn(&mut HostFacts), Status::Pass, "trusts"),
            (&|own| own.missing = missing(), Status::Warn, "does not trust"),
            (&|own| (own.missing, own.placed) = (missing(), true), Status::Warn, "does not trust"),
            (&|own| (own.missing, own.placed, own.live) = (missing(), true, false), Status::Skip, "was not run"),
            (
                &|own| (own.missing, own.placed, own.live, own.planned) = (missing(), true, false, true),
                Status::Pass,
                "trusts",
            ),
            (&|own| own.without_root = missing(), Status::Warn, "without its root"),
            (&|own| own.openssl = Asked::Refuses("error 20".into()), Status::Warn, "OpenSSL does not"),
        ] {
            let found = of(change);
            assert!(found.status == status && found.title.contains(words), "{words}: {found:?}");
        }
        let found = of(&|own| own.missing = missing());
        assert_eq!(found.fix[0].text().to_string(), "ics-setup prepare --proxy-ca /x/ca.pem");
    }

    #[test]
    fn containers_get_it_or_what_is_missing_is_named() {
        let variable = |at: Option<(String, usize)>| Variable { name: "SSL_CERT_FILE".into(), at, value: None };
        let of = |containers: ContainersFacts| {
            let facts = AuthorityFacts { containers: Some(containers), ..facts() };
            judge(&facts, &named()).remove(1)
        };
        assert_eq!(of(ContainersFacts::default()).status, Status::Pass);
        let found = of(ContainersFacts { variables: vec![variable(None)], ..ContainersFacts::default() });
        assert!(found.observed.as_ref().unwrap().contains("SSL_CERT_FILE"), "{found:?}");
        assert_eq!(found.fix[0].text().to_string(), "ics-setup reconfigure --proxy-ca /x/ca.pem");
        let set = variable(Some(("/divvycloud/prod.env".into(), 3)));
        let found = of(ContainersFacts { variables: vec![set], ..ContainersFacts::default() });
        assert!(found.title.contains("were left") && found.observed.unwrap().contains("prod.env:3"));
        let found = of(ContainersFacts { bundle: Some(WrongBundle::NoRoots), ..ContainersFacts::default() });
        assert!(found.observed.unwrap().contains("no bundle of public roots"));
    }

    #[test]
    fn what_is_not_known_of_containers_is_not_told_as_distrust() {
        for (line, seen) in [(3, "/f:3: odd"), (0, "/f: odd")] {
            let unknown = Some(("/f".to_owned(), line, "odd".into()));
            // Whatever else was found before the reading ended.
            let containers = ContainersFacts { unknown, without_authority: true, ..ContainersFacts::default() };
            let found = of_containers(&facts(), &containers, &named());
            assert_eq!(
                found.title.to_string(),
                "it is not known whether the product's containers trust the authority of --proxy-ca"
            );
            assert_eq!((found.observed.unwrap().to_string(), found.status), (seen.to_owned(), Status::Warn));
        }
    }

    #[test]
    fn a_mount_of_another_file_is_named_and_has_no_command_that_would_leave_it() {
        let at = |service: &str, inside: &str| Elsewhere {
            service: service.to_owned(),
            source: "/opt/site.crt".into(),
            inside: inside.to_owned(),
        };
        let containers = ContainersFacts { elsewhere: vec![at("worker", "/in")], ..ContainersFacts::default() };
        let found = of_containers(&facts(), &containers, &named());
        assert_eq!(found.title.to_string(), "worker mounts another file at /in");
        assert_eq!(found.observed.unwrap().to_string(), "/opt/site.crt in worker");
        assert!(found.fix.iter().all(|fix| matches!(fix, Fix::Advice(_))), "{:?}", found.fix);
        let elsewhere = vec![at("scheduler", "/in"), at("worker", "/in")];
        let containers = ContainersFacts { elsewhere, without_authority: true, ..ContainersFacts::default() };
        let found = of_containers(&facts(), &containers, &named());
        assert_eq!(found.title.to_string(), "scheduler, worker mount another file at /in");
        assert!(found.observed.unwrap().contains("no such files"));
    }

    #[test]
    fn an_authority_that_no_run_takes_is_told_as_such_and_nothing_else_is() {
        let spec = CheckSpec {
            authority: Some(AuthoritySpec { unfit: Some("it has expired".into()), ..named() }),
            ..CheckSpec::default()
        };
        let found = Authority.judge(&None, &spec);
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert!(found.title.contains("/x/ca.pem, was left as it is") && found.status == Status::Warn, "{found:?}");
        assert!(found.cause.as_ref().unwrap().contains("expired"));
        assert!(found.fix.iter().all(|fix| matches!(fix, Fix::Advice(_))), "{:?}", found.fix);
    }
}
