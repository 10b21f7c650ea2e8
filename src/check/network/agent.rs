//! The Insight Agent's own files: is it installed, does it ask the proxy that is wanted, does the platform know it?

use crate::check::prelude::*;
use crate::product::insight_agent::{self, AgentFacts, Held, KnownAgent, Looked, Named};
use crate::text::{host_port, of_host, quoted, typed};

/// The files of the agent on this host.
pub(super) struct InsightAgent;

impl Check for InsightAgent {
    type Facts = AgentFacts;

    const META: Meta =
        Meta::new("insight-agent", Group::Agent, &[ids::AGENT_INSTALLED, ids::AGENT_OWN_PROXY, ids::AGENT_IDENTITY]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&AgentFacts>) -> AgentFacts {
        insight_agent::look(look.host)
    }

    fn judge(&self, facts: &AgentFacts, spec: &CheckSpec) -> Vec<Finding> {
        let known = KnownAgent::get();
        let folder = own(known.folder.display().to_string());
        let findings = match &facts.installed {
            Looked::Absent => {
                let skip = |id, title: &'static str| Finding::skip(id, title).observed(text!("there is no {}", folder));
                vec![
                    skip(ids::AGENT_INSTALLED, "the Insight Agent is not installed"),
                    skip(ids::AGENT_OWN_PROXY, "the Insight Agent's proxy file was not looked at"),
                    skip(ids::AGENT_IDENTITY, "the Insight Agent's identity was not looked at"),
                ]
            }
            Looked::There(()) => {
                let title = "the Insight Agent is installed";
                let installed = Finding::pass(ids::AGENT_INSTALLED, title).observed(text!("{}", folder));
                vec![installed, judge_proxy(facts, spec), judge_identity(facts)]
            }
            Looked::Shut => ASKED.map(|(id, what)| shut(id, what)).to_vec(),
            Looked::Unread(why) => ASKED.map(|(id, what)| unread(id, what, why)).to_vec(),
        };
        findings.into_iter().map(|finding| finding.evidence("known", own("files"))).collect()
    }
}

const WHICH_PROXY: &str = "which proxy the Insight Agent's own file names";

/// What is asked by each id.
const ASKED: [(FindingId, &str); 3] = [
    (ids::AGENT_INSTALLED, "whether the Insight Agent is installed"),
    (ids::AGENT_OWN_PROXY, WHICH_PROXY),
    (ids::AGENT_IDENTITY, "whether the Insight Agent has its identity"),
];

/// What only root may look at is not known, whatever is there.
fn shut(id: FindingId, what: impl Into<Text>) -> Finding {
    Finding::skip(id, text!("{} is not known", what.into()))
        .observed("only root may look there")
        .fix(as_root(ics_setup("check agent")))
}

fn unread(id: FindingId, what: impl Into<Text>, why: &Text) -> Finding {
    Finding::new(id, Status::Error, text!("{} could not be found out", what.into()))
        .observed(why.clone())
        .cause("something has taken its place since the agent was installed, or its disk cannot be read")
        .advise(text!(
            "look at what stands there, put it right, then ask again: {}; {}",
            typed(text!("ls -ld {}", of_host(&KnownAgent::get().folder))),
            ics_setup("check agent")
        ))
}

const NO_LOGIN: &str =
    "whether a login can stand in that file is not documented: name a proxy there that wants none from this host";

/// The proxy that its file names, against the one for https requests; a Collector's own port is as good.
fn judge_proxy(facts: &AgentFacts, spec: &CheckSpec) -> Finding {
    let known = KnownAgent::get();
    let (id, file) = (ids::AGENT_OWN_PROXY, own(known.proxy.file.display().to_string()));
    let wanted = spec.https_proxy.as_ref();
    let found = match &facts.proxy {
        Looked::Shut => return shut(id, WHICH_PROXY),
        Looked::Unread(why) => return unread(id, WHICH_PROXY, why).evidence("file", file),
        Looked::Absent => None,
        Looked::There(named) => Some(named),
    };
    let observed = match found {
        None => text!("there is no {}", file),
        Some(Named::Proxy { shown, .. }) => text!("{} ({})", shown, file),
        Some(Named::Nobody) => text!("{} names none", file),
        Some(Named::Odd) => text!("{} is no JSON object that names a proxy as HOST:PORT", file),
    };
    let with = |finding: Finding| {
        let finding = finding.observed(observed.clone()).evidence("file", file.clone());
        match found {
            Some(Named::Proxy { shown, .. }) => finding.evidence("proxy", shown.as_str()),
            _ => finding,
        }
    };
    let Some(wanted) = wanted else {
        return with(match found {
            None | Some(Named::Nobody) => {
                Finding::pass(id, "the Insight Agent has no proxy of its own, and none is asked for")
            }
            Some(Named::Proxy { .. }) => Finding::pass(id, "the Insight Agent has a proxy of its own"),
            Some(Named::Odd) => Finding::warn(id, "the Insight Agent's proxy file cannot be read as one")
                .cause("what the agent makes of it is not documented")
                .advise(text!(
                    "take it away, or name the proxy: {}",
                    ics_setup("check agent --proxy http://<HOST>:<PORT>")
                )),
        });
    };
    let place = host_port(&wanted.host, wanted.port);
    let restart = text!("then let the agent read it: {}", typed(text!("systemctl restart {}", own(&known.service))));
    let is_wanted = |host: &str| host.eq_ignore_ascii_case(&wanted.host);
    if let Some(Named::Proxy { host, port: Some(port), shown }) = found {
        if *port == wanted.port && is_wanted(host) {
            if wanted.user.is_some() || shown.contains('@') {
                let title = "the Insight Agent's own file names the wanted proxy, and whether the agent can log in there is not known";
                let finding = Finding::new(id, known.proxy.confidence.at_most(Status::Warn), title);
                return with(finding)
                    .expected("a proxy that wants no login from this host")
                    .cause("whether a login can stand in that file is not documented; without one this proxy refuses the agent")
                    .advise(NO_LOGIN)
                    .advise(restart);
            }
            return with(Finding::pass(id, "the Insight Agent's own file names the proxy that is wanted"));
        }
        let is_collector =
            |host: &str| spec.endpoints.iter().any(|own| own.agent && own.direct_only && own.host == host);
        if *port == known.collector_port && is_collector(host) {
            return with(Finding::pass(id, "the Insight Agent's own file names a Collector that is wanted"));
        }
        if *port == known.collector_port && !is_wanted(host) {
            let finding = with(Finding::warn(
                id,
                "the Insight Agent's own file names a Collector's port on a host that no setting names",
            ));
            return finding
                .expected(text!("the proxy {}, or a Collector that a setting names", own(&place)))
                .cause("an agent may go through a Collector, and this is the port of one; whether that host is one is not known")
                .advise(text!(
                    "if it is a Collector, name it: {}",
                    ics_setup(text!("check agent --collector {}", own(quoted(host))))
                ))
                .advise(text!("else name the proxy in {}, and {}", file, restart));
        }
    }
    let (status, title, cause): (_, &'static str, &'static str) = match found {
        Some(Named::Proxy { host, port: None, .. }) if is_wanted(host) => (
            Status::Warn,
            "the Insight Agent's own file names the wanted proxy without its port",
            "which port the agent takes then is not documented",
        ),
        Some(Named::Proxy { .. }) => (
            if spec.proxy_found { Status::Warn } else { Status::Fail },
            "the Insight Agent's own file names another proxy than is wanted",
            "the agent has a setting of its own, which no proxy of the system outranks for certain",
        ),
        Some(Named::Odd) => (
            Status::Warn,
            "the Insight Agent's proxy file cannot be read as one",
            "what the agent makes of it is not documented",
        ),
        None | Some(Named::Nobody) => (
            Status::Warn,
            "the Insight Agent's own file names no proxy",
            "the agent also looks at settings of the system, and which of them count is not documented in full; its own file \
             leaves no doubt",
        ),
    };
    let content = format!("{{\"{}\": \"{place}\"}}", known.proxy.member);
    let finding = with(Finding::new(id, known.proxy.confidence.at_most(status), title))
        .expected(text!("{} in {}", own(&content), file))
        .cause(cause);
    let finding = match wanted.user {
        // A login would be a guess, and its password would stand there for everybody who may read it.
        Some(_) => finding.advise(NO_LOGIN),
        None if facts.has_more => finding.advise(text!(
            "set the member {} of the object in {} to {}, and keep its other members",
            own(format!("{:?}", known.proxy.member)),
            file,
            own(format!("{place:?}"))
        )),
        None => {
            let folder = known.proxy.file.parent().filter(|_| facts.no_folder);
            let makes = folder.map_or(Text::default(), |folder| text!("mkdir -p {} && ", of_host(folder)));
            finding.fix(as_root(text!(
                "(umask 077; {}printf '%s\\n' {} >{})",
                makes,
                own(quoted(&content)),
                of_host(&known.proxy.file)
            )))
        }
    };
    finding.advise(restart)
}

/// The files by which the platform knows it.
fn judge_identity(facts: &AgentFacts) -> Finding {
    let known = &KnownAgent::get().identity;
    let (id, folder) = (ids::AGENT_IDENTITY, own(known.folder.display().to_string()));
    let is_lost = |seen: &Looked<Held>| match seen {
        Looked::Absent => true,
        Looked::There(held) => held.empty,
        Looked::Shut | Looked::Unread(_) => false,
    };
    let expected = text!(
        "{} in {}",
        Text::join(known.files.iter().map(|file| text!("{} ({})", own(&file.name), own(&file.what))), ", "),
        folder
    );
    let missing: Vec<&str> =
        facts.identity.iter().filter(|(_, seen)| is_lost(seen)).map(|(name, _)| name.as_str()).collect();
    if !missing.is_empty() {
        let names = own(missing.join(", "));
        return Finding::new(id, known.confidence.at_most(Status::Fail), text!("the Insight Agent lacks {}", names))
            .expected(expected)
            .observed(text!("{}: absent or empty in {}", own(missing.join(", ")), folder))
            .cause("the platform takes data only from an agent that shows its certificate; without it the agent stops to report and says so nowhere")
            .advise("install the agent again: with a token it fetches these files from the platform, else they come with the installer's archive")
            .evidence("missing", missing);
    }
    if let Some((name, why)) = facts.identity.iter().find_map(|(name, seen)| match seen {
        Looked::Unread(why) => Some((name, why)),
        _ => None,
    }) {
        return unread(id, text!("whether the Insight Agent has {}", name.as_str()), why);
    }
    if facts.identity.iter().any(|(_, seen)| *seen == Looked::Shut) {
        return shut(id, ASKED[2].1);
    }
    let is_secret = |name: &str| known.files.iter().any(|file| file.secret && file.name == name);
    let open = facts.identity.iter().find_map(|(name, seen)| match seen {
        Looked::There(held) if is_secret(name) && (held.foreign || held.mode & 0o077 != 0) => Some((name, held)),
        _ => None,
    });
    let whose = |held: &Held| if held.foreign { "and does not belong to root" } else { "and belongs to root" };
    if let Some((name, held)) = open {
        let path = known.folder.join(name);
        return Finding::warn(id, text!("others than root may use the Insight Agent's {}", name.as_str()))
            .expected("nobody but root reads it")
            .observed(text!(
                "{} has mode {} {}",
                own(path.display().to_string()),
                own(format!("{:04o}", held.mode)),
                own(whose(held))
            ))
            .cause("whoever reads the key can send data as this host")
            .fix(as_root(text!("chown root: {} && chmod go= {}", of_host(&path), of_host(&path))));
    }
    if let Some(held) = &facts.open_folder {
        return Finding::warn(
            id,
            "others than root may put their own files in the place of the Insight Agent's identity",
        )
        .expected("nobody but root writes there")
        .observed(text!("{} has mode {} {}", folder, own(format!("{:04o}", held.mode)), own(whose(held))))
        .cause("whoever may change the folder decides as which host data is sent")
        .fix(as_root(text!("chown root: {} && chmod go-w {}", of_host(&known.folder), of_host(&known.folder))));
    }
    Finding::pass(id, "the Insight Agent has the files by which the platform knows it").observed(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumers::ProxySpec;
    use crate::network::catalogue::Catalogue;
    use crate::network::target::Target;
    use crate::settings::ProxyUrl;

    fn facts(proxy: Looked<Named>) -> AgentFacts {
        let held = |mode| Looked::There(Held { empty: false, mode, foreign: false });
        let names = ["client.key", "client.crt", "cafile.pem"].map(str::to_owned);
        let identity = names.into_iter().zip([held(0o600), held(0o644), held(0o644)]).collect();
        AgentFacts {
            installed: Looked::There(()),
            proxy,
            has_more: false,
            no_folder: false,
            open_folder: None,
            identity,
        }
    }

    fn named(host: &str, port: u16) -> Looked<Named> {
        Looked::There(Named::Proxy { shown: host_port(host, port), host: host.to_owned(), port: Some(port) })
    }

    fn without_port(host: &str) -> Looked<Named> {
        let host = host.to_ascii_lowercase();
        Looked::There(Named::Proxy { shown: host.clone(), host, port: None })
    }

    fn wanted(found: bool) -> CheckSpec {
        let url = ProxyUrl::parse("http://proxy.corp.example:3128").unwrap();
        let mut collector = Target::of(&Catalogue::shipped().endpoints[0]).unwrap();
        (collector.agent, collector.direct_only, collector.host) = (true, true, "c1".to_owned());
        let https_proxy = Some(ProxySpec::new(&url, "--proxy".to_owned()));
        CheckSpec { https_proxy, proxy_found: found, endpoints: vec![collector], ..CheckSpec::default() }
    }

    #[test]
    fn the_proxy_of_the_file_is_held_against_the_wanted_one() {
        for (proxy, spec, status, words) in [
            (named("proxy.corp.example", 3128), wanted(false), Status::Pass, "names the proxy that is wanted"),
            (named("proxy.corp.example", 3129), wanted(false), Status::Fail, "another proxy"),
            (named("oldpx", 3128), wanted(true), Status::Warn, "another proxy"),
            (named("c1", 8037), wanted(false), Status::Pass, "names a Collector"),
            (named("c2", 8037), wanted(false), Status::Warn, "a Collector's port on a host"),
            (without_port("Proxy.corp.example"), wanted(false), Status::Warn, "without its port"),
            (without_port("oldpx"), wanted(false), Status::Fail, "another proxy"),
            (Looked::Absent, wanted(false), Status::Warn, "names no proxy"),
            (Looked::There(Named::Odd), wanted(false), Status::Warn, "cannot be read"),
            (Looked::Shut, wanted(false), Status::Skip, "is not known"),
            (Looked::Unread("Input/output error".into()), wanted(false), Status::Error, "could not be found out"),
            (Looked::Absent, CheckSpec::default(), Status::Pass, "none is asked for"),
            (named("oldpx", 3128), CheckSpec::default(), Status::Pass, "a proxy of its own"),
            (Looked::There(Named::Odd), CheckSpec::default(), Status::Warn, "cannot be read"),
        ] {
            let found = InsightAgent.judge(&facts(proxy.clone()), &spec).remove(1);
            assert_eq!((found.status, found.title.contains(words)), (status, true), "{proxy:?}: {found:#?}");
            assert!(found.evidence["known"].as_str().unwrap().contains("files"));
        }
    }

    #[test]
    fn a_login_in_its_file_or_of_the_wanted_proxy_is_no_pass() {
        let with_login = ProxyUrl::parse("http://svc:S3cret@proxy.corp.example:3128").unwrap();
        let https_proxy = Some(ProxySpec::new(&with_login, "--proxy".to_owned()));
        let asked = CheckSpec { https_proxy, ..wanted(false) };
        let own_login = Looked::There(Named::Proxy {
            shown: "svc:***@proxy.corp.example:3128".to_owned(),
            host: "proxy.corp.example".to_owned(),
            port: Some(3128),
        });
        for (proxy, spec) in [(named("proxy.corp.example", 3128), asked), (own_login, wanted(false))] {
            let found = InsightAgent.judge(&facts(proxy), &spec).remove(1);
            assert!(found.status == Status::Warn && found.title.contains("log in"), "{found:#?}");
        }
    }

    #[test]
    fn a_file_is_written_anew_only_where_nothing_else_is_lost() {
        let fixes = |facts: AgentFacts| format!("{:?}", InsightAgent.judge(&facts, &wanted(false)).remove(1).fix);
        let old = || facts(named("oldpx", 3128));
        assert!(fixes(old()).contains("printf") && !fixes(old()).contains("mkdir"));
        let more = fixes(AgentFacts { has_more: true, ..old() });
        assert!(!more.contains("printf") && more.contains("keep its other members"), "{more}");
        assert!(fixes(AgentFacts { no_folder: true, ..facts(Looked::Absent) }).contains("mkdir -p"));
        let collector = fixes(facts(named("c2", 8037)));
        assert!(!collector.contains("printf") && collector.contains("check agent --collector c2"), "{collector}");
    }

    #[test]
    fn an_identity_that_is_incomplete_open_or_shut() {
        for (at, seen, status, words) in [
            (0, Looked::Absent, Status::Fail, "lacks client.key"),
            (2, Looked::There(Held { empty: true, mode: 0o644, foreign: false }), Status::Fail, "lacks cafile.pem"),
            (0, Looked::There(Held { empty: false, mode: 0o640, foreign: false }), Status::Warn, "others than root"),
            (0, Looked::There(Held { empty: false, mode: 0o600, foreign: true }), Status::Warn, "others than root"),
            (1, Looked::Shut, Status::Skip, "is not known"),
            (1, Looked::There(Held { empty: false, mode: 0o600, foreign: false }), Status::Pass, "has the files"),
        ] {
            let mut facts = facts(Looked::Absent);
            facts.identity[at].1 = seen;
            let found = InsightAgent.judge(&facts, &CheckSpec::default()).remove(2);
            assert_eq!((found.status, found.title.contains(words)), (status, true), "{found:#?}");
        }
        let open = Some(Held { empty: false, mode: 0o777, foreign: true });
        let found =
            InsightAgent.judge(&AgentFacts { open_folder: open, ..facts(Looked::Absent) }, &CheckSpec::default());
        assert_eq!((found[2].status, found[2].title.contains("in the place of")), (Status::Warn, true), "{found:#?}");
        for (installed, status) in [
            (Looked::Absent, Status::Skip),
            (Looked::Shut, Status::Skip),
            (Looked::Unread("Input/output error".into()), Status::Error),
        ] {
            let found = InsightAgent.judge(&AgentFacts { installed, ..facts(Looked::Absent) }, &wanted(false));
            let ids: Vec<FindingId> = found.iter().map(|own| own.id).collect();
            assert_eq!(ids, InsightAgent::META.ids, "the series of a monitor go on");
            assert!(found.iter().all(|own| own.status == status), "{found:#?}");
        }
    }
}
