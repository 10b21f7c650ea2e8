//! Proves that readers see the values: a real login is started and its environment compared, variable by variable; and
//! each consumer that does not read these files is named, with what it sees instead and what to do.

mod consumers;

use std::time::{Duration, Instant};

use crate::environment::{self, Unseen};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::host::HostRead;
use crate::platform::Platform;
use crate::text;
use crate::text::{Foreign, Text, own};

pub(crate) use crate::environment::LoginUser;

/// How long a login may take.
const LOGIN_DEADLINE: Duration = Duration::from_secs(15);

/// Everything that verification needs to know.
pub(crate) struct Proof<'a> {
    /// The host.
    pub host: &'a dyn HostRead,
    /// What system it is.
    pub platform: &'a Platform,
    /// Who logs in.
    pub user: LoginUser,
    /// What logins are to see; `None`: nothing.
    pub wanted: &'a [(String, Option<String>)],
    /// What the Docker daemon is to see.
    pub daemon: &'a [(String, Option<String>)],
}

impl Proof<'_> {
    /// Starts a login and looks at every consumer.
    pub(crate) fn run(&self) -> Vec<Finding> {
        if !self.host.is_live() {
            if self.wanted.is_empty() {
                return Vec::new();
            }
            return vec![
                Finding::new(ids::VERIFY_LOGIN, Status::Skip, "no login was started")
                    .observed("under --root no program of the image is run")
                    .advise(text!("on the host itself: su - {} -c 'env | grep -i proxy'", &self.user.name)),
            ];
        }
        let mut findings = Vec::new();
        if !self.wanted.is_empty() {
            findings.extend(self.login());
            findings.extend(consumers::of_logins(self));
        }
        if !self.daemon.is_empty() {
            findings.extend(consumers::docker(self));
        }
        findings
    }

    /// Does a Docker daemon run that has not read its proxy?
    pub(crate) fn daemon_is_behind(&self) -> bool {
        self.host.is_live() && consumers::docker(self).is_some_and(|finding| finding.status == Status::Warn)
    }

    fn login(&self) -> Vec<Finding> {
        let user = &&self.user.name;
        let started = Instant::now();
        let environment = match environment::login(self.host, &self.user, LOGIN_DEADLINE) {
            Ok(environment) => Ok(environment),
            Err(Unseen::Absent(why)) => {
                return vec![Finding::new(ids::VERIFY_LOGIN, Status::Skip, "no login was started").observed(why)];
            }
            Err(Unseen::Failed(why)) => Err(why),
        };
        let took = crate::text::millis(started.elapsed());
        let environment = match environment {
            Ok(environment) => environment,
            Err(why) => {
                return vec![
                    Finding::new(ids::VERIFY_LOGIN, Status::Error, text!("a login of {} could not be started", user))
                        .observed(why)
                        .advise(text!("try it: su - {} -c env", user)),
                ];
            }
        };
        self.wanted
            .iter()
            .filter_map(|(name, wanted)| {
                let seen = environment::value(&environment, name);
                let right = seen == wanted.as_deref();
                if wanted.is_none() && right {
                    return None;
                }
                let status = match (right, wanted) {
                    (true, _) => Status::Pass,
                    (false, Some(_)) => Status::Fail,
                    // Taken out where we put it; somebody else sets it too.
                    (false, None) => Status::Warn,
                };
                let title = match (wanted, right) {
                    (Some(_), true) => text!("a login of {} sees {}", user, own(name)),
                    (Some(_), false) => text!("a login of {} does not see the new {}", user, own(name)),
                    (None, _) => text!("a login of {} still sees {}", user, own(name)),
                };
                let show = |value: Option<&str>| -> Text { value.map_or("not set".into(), |value| Foreign::new(value).into()) };
                let mut finding = Finding::new(ids::VERIFY_LOGIN, status, title)
                    .expected(show(wanted.as_deref()))
                    .observed(show(seen))
                    .evidence("variable", own(name))
                    .evidence("user", user.as_str());
                finding.duration_ms = Some(took);
                if !right {
                    finding = finding
                        .cause("another file that logins read sets it later: ~/.profile, ~/.bash_profile, /etc/profile.d/*.sh, ~/.pam_environment")
                        .advise(text!("find it: grep -rn {} /etc/environment /etc/profile /etc/profile.d /etc/bash.bashrc /etc/bashrc ~{}/.profile ~{}/.bash_profile ~{}/.bashrc", own(name), user, user, user));
                }
                Some(finding)
            })
            .collect()
    }
}
