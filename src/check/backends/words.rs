//! What both back ends say in the same words.

use std::time::Duration;

use crate::check::spec::{Address, CheckSpec, Limits};
use crate::finding::FindingId;
use crate::finding::{Finding, Status};
use crate::net::{Distrust, NetError, seconds};
use crate::settings::Deployment;
use crate::text;
use crate::text::own;
use crate::text::{host_port, quoted};

/// Where it is, for messages.
pub fn at(address: &Address) -> String {
    host_port(&address.host, address.port)
}

/// One of the two servers, for messages.
#[derive(Clone, Copy)]
pub struct Server {
    /// `MySQL`.
    pub name: &'static str,
    /// `mysql`: the container of the Test Drive, and the beginning of flags.
    pub word: &'static str,
    /// The id of the finding about the network.
    pub reachable: FindingId,
}

impl Server {
    /// Nobody says where it is.
    pub fn not_named(self, spec: &CheckSpec) -> Finding {
        let why = match spec.unread.first() {
            Some(unread) => text!("no setting says where {} is, and {}", own(self.name), unread.why),
            None => text!("no setting and no prod.env says where {} is", own(self.name)),
        };
        Finding::new(self.reachable, Status::Skip, format!("{} was not looked at", self.name))
            .observed(why)
            .fix(format!("ics-setup check backends --{}-host HOST", self.word))
    }

    /// The name of the Test Drive's container in a production deployment: it means something inside of containers of
    /// one Compose project only.
    pub fn is_container(self, spec: &CheckSpec, address: &Address) -> bool {
        spec.deployment == Deployment::Production && address.host == self.word
    }

    /// The finding of [`Server::is_container`].
    pub fn still_container(self, address: &Address) -> Finding {
        let Server { name, word, .. } = self;
        let fix = format!("sudo ics-setup reconfigure --{word}-host HOST   # the real {name}'s name or address");
        let title = format!("{name} is still \"{word}\", the name of the Test Drive's container");
        Finding::new(self.reachable, Status::Fail, title)
            .expected(format!("the host name of the {name} that serves production"))
            .observed(format!("{} ({})", at(address), address.origin))
            .cause("in production there is no such container: the scheduler, workers and interface server would never start")
            .fix(fix)
            .fix(format!("or, where this is a Test Drive: ics-setup check --deployment test-drive backends --only {}", self.reachable))
            .evidence("host", address.host.clone())
            .evidence("port", address.port)
    }

    /// The path to it is open.
    pub fn reached(self, address: &Address, observed: String) -> Finding {
        Finding::new(self.reachable, Status::Pass, format!("{} answers on {}", self.name, at(address)))
            .observed(format!("{observed} (address: {})", address.origin))
            .evidence("host", address.host.clone())
            .evidence("port", address.port)
    }

    /// It could not be talked to.
    pub fn unreached(self, address: &Address, trouble: &NetError, limits: &Limits) -> Finding {
        let Server { name, word, .. } = self;
        let (place, host, port) = (at(address), quoted(&address.host), address.port);
        let title = match trouble {
            NetError::NameUnknown | NetError::NameUnanswered { .. } => {
                format!("{name}'s host {} has no address", address.host)
            }
            NetError::Refused | NetError::ConnectTimeout { .. } | NetError::Unreachable { .. } => {
                format!("{name} on {place} cannot be reached")
            }
            NetError::Unexpected { .. } | NetError::TooMuch { .. } => format!("what answers on {place} is not {name}"),
            _ => format!("{name} on {place} does not answer"),
        };
        let finding = Finding::new(self.reachable, Status::Fail, title)
            .expected(format!("{name} answers on {place} (address: {})", address.origin))
            .observed(trouble.to_string())
            .evidence("host", address.host.clone())
            .evidence("port", port)
            .evidence("trouble", serde_json::to_value(trouble).unwrap_or_default());
        let connect = seconds(Duration::from_millis(limits.connect));
        match trouble {
            NetError::NameUnknown => finding
                .cause("neither DNS nor /etc/hosts knows the name on this host")
                .fix(format!("getent hosts {host}"))
                .fix(format!("sudo ics-setup reconfigure --{word}-host HOST   # if the name is wrong")),
            NetError::NameUnanswered { .. } => finding
                .cause("the name servers of this host do not answer; nothing is known about the server itself")
                .fix("cat /etc/resolv.conf")
                .fix(format!("getent hosts {host}")),
            NetError::Refused => finding
                .cause(format!("{name} is not running, listens on another port or on its own loopback only, or a firewall rejects"))
                .fix(format!("on the server: ss -ltn 'sport = :{port}'   # 127.0.0.1 there means: bind-address"))
                .fix(format!("sudo ics-setup reconfigure --{word}-port PORT   # if the port is wrong")),
            NetError::ConnectTimeout { .. } => finding
                .cause(format!(
                    "a firewall or security group drops the packets, or the address is wrong; the limit of {connect} is --connect-timeout"
                ))
                .fix(format!("ask for: TCP from this host ($(hostname -I)) to {place}"))
                .fix(format!("timeout 5 bash -c '</dev/tcp/{}/{port}' && echo open", address.host.trim_matches(['[', ']', '\'']))),
            NetError::Unreachable { .. } => {
                finding.cause("this host has no route there, or its own firewall forbids it").fix(format!("ip route get {host}"))
            }
            NetError::Untrusted { why } => trust(finding, why, &address.host, port, word),
            _ => finding,
        }
    }
}

/// What to do about a certificate that is not trusted.
pub fn trust(finding: Finding, why: &Distrust, host: &str, port: u16, word: &str) -> Finding {
    let start = if word == "mysql" { " -starttls mysql" } else { "" };
    let finding = finding.cause(format!("{why}; nothing secret was sent"));
    if let Distrust::OtherName { .. } = why {
        return finding
            .fix(format!("sudo ics-setup reconfigure --{word}-host NAME   # a name that the certificate has"));
    }
    let finding = finding
        .fix(format!("openssl s_client -connect {}:{port}{start} -showcerts </dev/null   # who it is", quoted(host)));
    if let Distrust::Expired | Distrust::NotYet = why {
        return finding.fix("timedatectl   # is this host's clock right?");
    }
    finding
        .fix("Ubuntu, Debian: sudo cp CA.crt /usr/local/share/ca-certificates/ && sudo update-ca-certificates")
        .fix("CentOS, Red Hat: sudo cp CA.crt /etc/pki/ca-trust/source/anchors/ && sudo update-ca-trust")
        .fix(format!("once, to try: ics-setup check backends --proxy-ca CA.crt --{word}-host {}", quoted(host)))
}
