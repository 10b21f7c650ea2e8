//! Who reads proxy settings on this host, and what each of them gets.
//!
//! Every consumer is asked where it can be, over planned files too, and told by its files otherwise. Passwords stay inside: values leave with their
//! passwords masked and numbered, so that equal ones can be told from different ones.
//!
//! | module | what it does |
//! | --- | --- |
//! | `wanted` | what every consumer is to get |
//! | `differ` | what a consumer gets, against what is wanted |
//! | `judge` | does a consumer get what is wanted, and what mends it? |
//! | `facts` | what is known of consumers, as it is saved |
//! | `profile` | what is known of each consumer before it is looked at |
//! | `value` | one value without its password, and what is wrong with how it is written |
//! | `place` | where the proxy is that a value names |
//! | `programs` | what is known of programs by their names |
//! | `reader` | what looks: the host, the deadline, the passwords met so far |
//! | `callers` | who goes through the doors of this machine, and how |
//! | `asked` | the host's own programs, over planned files |
//! | `answers` | what they have said; it outranks the models |
//! | `collect` | every consumer in turn |
//! | `doors` | logins and sudo, by what each door starts from |
//! | `files` | cron and services by their files |
//! | `prod_env` | `prod.env` and the compose files that name it |
//! | `astray` | hosts that are not what is meant by them, and what is known of names |
//! | `network` | what hosts that containers are told to ask are in their own network |
//! | `sight` | what a reader makes of a variable, and which line decides it |
//! | `logins` | the files of login shells, read as one program |
//! | `docker` | the Docker daemon, its command line client, the product's containers |
//! | `packages` | apt, dnf, yum |
//! | `units` | what systemd makes of a service |
//! | `pam` | what PAM, sshd, sudo and cron give, by their files |
//! | `touched` | the files that runs write, with who reads them |
//! | `modelled` | what the models make of an image, for the lab |
//! | `look` | looks at the host for the models of readers |
//! | `sources` | the files of the host that say how requests go: one list for plans, checks and found settings |
//! | `places` | those of them with a `no_proxy` list, for the lints |
//! | `mend` | which editor fits a file that is no target, and what it makes of it |

mod answers;
mod asked;
mod astray;
pub(crate) mod callers;
mod collect;
mod differ;
mod docker;
mod doors;
mod facts;
mod files;
pub(crate) mod judge;
pub(crate) mod line_ends;
mod logins;
mod look;
pub(crate) mod mend;
mod modelled;
mod network;
pub(crate) mod packages;
pub(crate) mod pam;
mod place;
pub(crate) mod places;
mod prod_env;
mod profile;
pub(crate) mod programs;
mod reader;
pub(crate) mod sight;
pub(crate) mod sources;
#[cfg(test)]
mod tests;
mod touched;
pub(crate) mod units;
mod value;
mod wanted;

use crate::finding::FindingId;
use crate::text::words::words;

pub(crate) use astray::{Astray, Fault, Servers};
pub(crate) use callers::Door;
pub(crate) use collect::{Ask, files_of, observe};
pub(crate) use docker::{
    DaemonSwitch, confines, daemon_says, daemon_switch, data_root, docker_drop_in, docker_unit, installed_docker,
    labels_mounts, over_planned,
};
pub(crate) use facts::{Closed, Consumer, ConsumersFacts, Decided, Exception, Keeps, Known, OwnRule, State, Unread};
pub use modelled::{Modelled, modelled};
pub(crate) use place::place;
pub(crate) use profile::{Fails, Profile};
pub use touched::{TOUCHED, Touched};
pub(crate) use value::{Flaw, ProxyValue};
pub(crate) use wanted::{ProxySpec, Wanted};

/// What pam_env reads on every system, where no argument of it names another file.
pub(crate) const ENVIRONMENT: &str = "/etc/environment";

/// The names that models of readers follow; about each of them something is said also where nothing is known.
pub(crate) const ALL_NAMES: [&str; 10] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "ftp_proxy",
    "FTP_PROXY",
];

/// These, and the names by which a shell and the docker client find files of their own.
pub(crate) const FOLLOWED: [&str; 14] = {
    let mut names =
        ["BASH_ENV", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST", "", "", "", "", "", "", "", "", "", ""];
    let mut at = 0;
    while at < ALL_NAMES.len() {
        names[4 + at] = ALL_NAMES[at];
        at += 1;
    }
    names
};

/// The names that are looked for, each followed by its upper-case twin.
pub(crate) const NAMES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];

words! {
    /// Who reads proxy settings, in the order of the reports. Part of saved facts.
    pub(crate) enum Who {
        /// A login shell.
        Login = "login",
        /// A command under sudo.
        Sudo = "sudo",
        /// A cron job.
        Cron = "cron",
        /// A systemd service.
        Systemd = "systemd",
        /// The Docker daemon.
        Docker = "docker",
        /// apt, dnf or yum.
        PackageManager = "package-manager",
        /// Containers that the docker client starts, by its `config.json`.
        DockerClient = "docker-client",
        /// A running container of the product.
        Container = "container",
        /// `prod.env`, as its readers see it.
        ProdEnv = "prod-env",
    }
}

/// All consumers, in the order of [`Who`].
pub(crate) const PROFILES: [&Profile; Who::ALL.len()] = [
    &doors::LOGIN,
    &doors::SUDO,
    &files::CRON,
    &files::SYSTEMD,
    &docker::DAEMON,
    &packages::MANAGER,
    &docker::CLIENT,
    &docker::CONTAINER,
    &prod_env::PROD_ENV,
];

const _: () = {
    let mut at = 0;
    while at < PROFILES.len() {
        assert!(PROFILES[at].who as usize == at, "the order is that of Who");
        at += 1;
    }
};

impl Who {
    /// The consumer that a finding is about.
    pub(crate) fn of(finding: FindingId) -> Option<Self> {
        PROFILES.iter().find(|profile| profile.id == finding).map(|profile| profile.who)
    }

    pub(crate) fn profile(self) -> &'static Profile {
        PROFILES[self as usize]
    }

    /// Is there a file that `prepare` or `reconfigure` writes for it?
    pub(crate) fn has_file_of_ours(self) -> bool {
        self.profile().has_file_of_ours
    }

    /// Does every `prepare` serve it, whether anybody asked for that or not?
    pub(crate) fn is_of_prepare(self) -> bool {
        self.has_file_of_ours() && !self.is_on_request() && self != Self::ProdEnv
    }

    /// Does `prepare` write for it on request alone?
    pub(crate) fn is_on_request(self) -> bool {
        !self.profile().flag.is_empty()
    }
}
