//! What both back ends say in the same words.

use super::super::certificates::{self, Owner};
use crate::check::prelude::*;
use crate::check::requirements::{Profile, Window};
use crate::check::spec::{Address, Databases, Limits};
use crate::finding::known;
use crate::net::{Distrust, NetError, Reason};
use crate::network::openssl::Openssl;
use crate::settings::{Deployment, host_alone};
use crate::text::{host_port, quoted, typed};

/// Where it is, for messages.
pub(super) fn at(address: &Address) -> Text {
    text!("{}", own(host_port(&address.host, address.port)))
}

/// One of the two servers, for messages.
#[derive(Clone, Copy)]
pub(super) struct Server {
    /// `MySQL`.
    pub name: &'static str,
    /// `mysql`: the container of the Test Drive, and the beginning of flags.
    pub word: &'static str,
    /// The id of the finding about the network.
    pub reachable: FindingId,
}

impl Server {
    /// Nobody says where it is.
    pub(super) fn not_named(self, spec: &CheckSpec) -> Finding {
        if let Some(Databases { secret, origin }) = &spec.databases {
            let command = ics_setup(text!("check backends --{}-host <HOST>", own(self.word)));
            let observed = match self.word {
                "mysql" => text!("in {}, not looked up ({})", secret, own(origin)),
                _ => text!("no line names it, and it may be in {}, not looked up ({})", secret, own(origin)),
            };
            return Finding::skip(self.reachable, text!("{} was not looked at", own(self.name)))
                .observed(observed)
                .cause("the product alone reads the secret")
                .advise(text!("look with what stands in the secret: {}", command));
        }
        let why = match spec.unread.first() {
            Some(unread) => text!("no setting says where {} is, and {}", own(self.name), unread.why),
            None => text!("no setting and no prod.env says where {} is", own(self.name)),
        };
        Finding::skip(self.reachable, text!("{} was not looked at", own(self.name)))
            .observed(why)
            .advise(text!("name it: {}", ics_setup(text!("check backends --{}-host <HOST>", own(self.word)))))
    }

    /// What stands for its host is none: then nothing is asked.
    pub(super) fn no_host(self, address: &Address) -> Option<Finding> {
        let no_host = host_alone(&address.host).err()?;
        let title = text!("{} was not looked at: its host is none (prod-env-hosts tells more)", own(self.name));
        Some(Finding::skip(self.reachable, title).observed(text!("{}: {}", own(&address.origin), no_host.says())))
    }

    /// The name of the Test Drive's container in a production deployment: it means something inside of containers of
    /// one Compose project only.
    pub(super) fn is_container(self, spec: &CheckSpec, address: &Address) -> bool {
        spec.deployment == Deployment::Production && address.host == self.word
    }

    /// The finding of [`Server::is_container`].
    pub(super) fn still_container(self, address: &Address) -> Finding {
        let Server { name, word, .. } = self;
        let command = ics_setup(text!("reconfigure --{}-host <HOST>", own(word)));
        let again = ics_setup(text!("check --deployment test-drive backends --only {}", own(self.reachable)));
        let title = text!("{} is still \"{}\", the name of the Test Drive's container", own(name), own(word));
        placed(Finding::fail(self.reachable, title), address)
            .expected(text!("the host name of the {} that serves production", own(name)))
            .observed(text!("{} ({})", at(address), own(&address.origin)))
            .cause("in production there is no such container: the scheduler, workers and interface server would never start")
            .up_to(Actor::Host)
            .advise(text!("give the real {}'s name or address: {}", own(name), command))
            .advise(text!("where this is a Test Drive, say so: {}", again))
    }

    /// The path to it is open.
    pub(super) fn reached(self, address: &Address, observed: Text) -> Finding {
        let title = text!("{} answers on {}", own(self.name), at(address));
        let observed = text!("{} (address: {})", observed, own(&address.origin));
        placed(Finding::pass(self.reachable, title).observed(observed), address)
    }

    /// It could not be talked to.
    pub(super) fn unreached(self, address: &Address, error: &NetError, limits: &Limits) -> Finding {
        let Server { name, word, .. } = self;
        let (place, host, port) = (at(address), quoted(&address.host), address.port);
        let title = match error {
            NetError::NameUnknown | NetError::NameUnanswered { .. } => {
                text!("{}'s host {} has no address", own(name), own(&address.host))
            }
            NetError::Refused | NetError::ConnectTimeout { .. } | NetError::Unreachable { .. } => {
                text!("{} on {} cannot be reached", own(name), place)
            }
            NetError::Unexpected { .. } | NetError::TooMuch { .. } => {
                text!("what answers on {} is not {}", place, own(name))
            }
            _ => text!("{} on {} does not answer", own(name), place),
        };
        let finding = placed(Finding::fail(self.reachable, title), address)
            .expected(text!("{} answers on {} (address: {})", own(name), place, own(&address.origin)))
            .observed(text!("{}", error))
            .evidence("trouble", serde_json::to_value(error).unwrap_or_default())
            .up_to(match error {
                NetError::NameUnanswered { .. } | NetError::ConnectTimeout { .. } | NetError::Unreachable { .. } => {
                    Actor::Network
                }
                NetError::NameUnknown
                | NetError::Unexpected { .. }
                | NetError::TooMuch { .. }
                | NetError::Other { .. } => Actor::Host,
                _ => Actor::Databases,
            });
        match error {
            NetError::NameUnknown => finding
                .cause("neither DNS nor /etc/hosts knows the name on this host")
                .advise(text!("look whether this host knows it: {}", typed(text!("getent hosts {}", own(&host)))))
                .advise(text!("if the name is wrong: {}", ics_setup(text!("reconfigure --{}-host <HOST>", own(word))))),
            NetError::NameUnanswered { .. } => finding
                .cause("the name servers of this host do not answer; nothing is known about the server itself")
                .advise(text!("look which name servers are asked: {}; {}", typed("cat /etc/resolv.conf"), typed(text!("getent hosts {}", own(&host))))),
            NetError::Refused => finding
                .cause(text!("{} is not running, listens on another port or on its own loopback only, or a firewall rejects", own(name)))
                .advise(text!("look on the server: {} (127.0.0.1 there means: bind-address)", typed(text!("ss -ltn 'sport = :{}'", port))))
                .advise(text!("if the port is wrong: {}", ics_setup(text!("reconfigure --{}-port <PORT>", own(word))))),
            NetError::ConnectTimeout { .. } => finding
                .cause(text!("a firewall or security group drops the packets, or the address is wrong; the limit of {} is --connect-timeout", took(limits.connect)))
                .advise(text!("ask for: TCP from this host (its addresses: {}) to {}", typed("hostname -I"), place))
                .advise(text!("try it: {}", typed(text!("timeout 5 bash -c '</dev/tcp/{}/{}' && echo open", own(address.host.trim_matches(['[', ']', '\''])), port)))),
            NetError::Unreachable { .. } => {
                finding.cause("this host has no route there, or its own firewall forbids it").advise(text!("look which way it would go: {}", typed(text!("ip route get {}", own(&host)))))
            }
            NetError::Untrusted { why } => self.trust(finding, why, address),
            NetError::Tls { .. } => match self.without_tls(finding.clone(), error, None, address) {
                Some(told) => told,
                None => finding
                    .cause("the port speaks TLS badly, or something in between cuts it")
                    .advise(text!("look what it answers: {}", typed(text!("openssl s_client -connect {} </dev/null", place)))),
            },
            NetError::Silent { .. } | NetError::Closed | NetError::Reset => finding
                .cause("a load balancer without a server behind it, or rules on the server's side that end connections from this host")
                .advise("look at the load balancer's target group, and at the server's log"),
            NetError::Unexpected { .. } | NetError::TooMuch { .. } => finding
                .cause("the port belongs to another service")
                .advise(text!("give its own port: {}", ics_setup(text!("reconfigure --{}-port <PORT>", own(word))))),
            NetError::Other { .. } => finding
                .cause("this host's own network is in trouble: its words say why")
                .advise(text!("try it: {}", typed(text!("timeout 5 bash -c '</dev/tcp/{}/{}' && echo open", own(address.host.trim_matches(['[', ']', '\''])), port)))),
        }
    }

    /// Whose its certificates are.
    pub(super) fn owner(self) -> Owner {
        let who = if self.word == "mysql" { "whoever runs MySQL" } else { "whoever runs Redis" };
        Owner { who, server: self.name, is_backend: true }
    }

    /// No TLS came about, and the other side speaks it: what this means, in a finding about it. `openssl` is what OpenSSL's
    /// client says.
    pub(super) fn without_tls(
        self,
        finding: Finding,
        error: &NetError,
        openssl: Option<&Openssl>,
        address: &Address,
    ) -> Option<Finding> {
        match (openssl, error) {
            (Some(Openssl::Trusted { cipher }), _) => Some(
                Finding { status: Status::Pass, ..finding }
                    .observed(text!("OpenSSL's client on this host connects and trusts it ({}); this tool's own TLS does not come so far: {}", cipher, error)),
            ),
            (Some(Openssl::Untrusted { why }), _) => {
                Some(self.trust(finding.observed(text!("OpenSSL's client on this host says: {}", why)), why, address))
            }
            (Some(Openssl::NoTls { why }), _) => Some(
                finding
                    .observed(text!("{}; OpenSSL's client on this host says: {}", error, why))
                    .cause(text!("{} speaks no TLS that current clients speak; the product's would fail in the same way", own(self.name)))
                    .advise(text!("have {} turn on TLS 1.2 or 1.3 with current cipher suites", own(self.owner().who))),
            ),
            (None | Some(Openssl::Missing), NetError::Tls { why }) => certificates::of_fault(finding, why, self.owner()),
            (None | Some(Openssl::Missing), _) => None,
        }
    }

    /// What to do about a certificate that is not trusted.
    pub(super) fn trust(self, finding: Finding, why: &Distrust, address: &Address) -> Finding {
        let (word, host, port) = (own(self.word), own(quoted(&address.host)), address.port);
        let start = own(if self.word == "mysql" { " -starttls mysql" } else { "" });
        let because = certificates::cause(why, self.owner());
        if let Reason::OtherName { .. } = why.reason {
            let command = ics_setup(text!("reconfigure --{}-host <NAME>", word));
            return finding
                .cause(text!("{}; nothing secret was sent", because))
                .advise(text!("use a name that the certificate has: {}", command));
        }
        let finding =
            certificates::remedied(finding, why, self.owner()).cause(text!("{}; nothing secret was sent", because));
        let look = text!(
            "look who it is: {}",
            typed(text!("openssl s_client -connect {}:{}{} -showcerts </dev/null", host, port, start))
        );
        let finding = finding.look(look);
        if !why.wants_authority() {
            return finding;
        }
        finding.advise(text!(
            "try it once: {}",
            ics_setup(text!("check backends --proxy-ca <CA.crt> --{}-host {}", word, host))
        ))
    }

    /// What a release of the product asks for.
    pub(super) fn asked_for(self, profile: &Profile, window: &Window) -> Text {
        let Profile { name, source, date, .. } = profile;
        text!("{} {} ({}; {}, {})", own(self.name), own(&window.shown), own(name), own(source), own(date))
    }

    /// The title of the finding about its version. `known`: the version could be read.
    pub(super) fn version_title(self, status: Status, shown: &Text, known: bool, place: &Text) -> Text {
        match status {
            Status::Pass => text!("{} on {} is a version that the product supports", shown, place),
            _ if known => text!("{} on {} is not what the product asks for", shown, place),
            _ => text!("the version of {} on {} cannot be read", own(self.name), place),
        }
    }
}

/// What to do where the profile of another release should have been taken.
pub(super) fn other_release() -> Text {
    text!("if another release of the product is meant: {}", ics_setup("check backends --release <VERSION>"))
}

/// Of a server that was asked: findings for all ids of its check. What was not looked at is told as such, with the finding that
/// stands in its way, so that the series of a monitor go on.
pub(super) fn complete(mut findings: Vec<Finding>, meta: Meta) -> Vec<Finding> {
    let in_the_way = |finding: &&Finding| finding.status != Status::Pass && meta.gates.contains(&finding.id);
    let why = findings.iter().find(in_the_way).map(|finding| text!("{} ({})", finding.title, own(finding.id)));
    for id in meta.ids.iter().filter(|id| findings.iter().all(|finding| finding.id != **id)).collect::<Vec<_>>() {
        let title = known(id.as_str()).map_or(id.as_str(), |known| known.title);
        let why = why.clone().unwrap_or_else(|| "the server does not tell".into());
        findings.push(Finding::skip(*id, text!("not looked at: {}", own(title))).observed(why));
    }
    findings
}

/// A finding with the address that it is about.
pub(super) fn placed(finding: Finding, address: &Address) -> Finding {
    finding.evidence("host", own(&address.host)).evidence("port", address.port)
}
