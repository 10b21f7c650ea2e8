//! Which step comes next.

use std::path::PathBuf;

use super::{LastCheck, Left, Pending, Standing, is_known};
use crate::consumers::Who;
use crate::docker::{MAKE_ROOM, NoDocker};
use crate::finding::{Finding, Status, ids};
use crate::problem::id;
use crate::settings::{Deployment, Key, Spec};
use crate::system::ecs::Ecs;
use crate::targets::Phase;
use crate::text;
use crate::text::{CommandLine, Fix, Text, as_root, counted, ics_setup, ics_setup_there, own};

/// The step that comes next on the whole way, worst first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A run is at work now.
    Wait(Text),
    /// A run did not come to its end.
    TakeBack(String),
    /// A task has its settings elsewhere.
    TaskDefinition,
    /// What only root may look at is in the way.
    AsRoot,
    /// What is in the way of judging the host, and what mends it.
    Unknown(Text, Vec<Fix>),
    /// The system is none that this is for.
    System,
    /// Nobody has said anything yet.
    Begin,
    /// A verb would refuse.
    Refused(Phase, Vec<Fix>),
    /// Somebody does not get what is wanted.
    Mend(Text, Vec<Fix>),
    /// The proxy was taken out of the system, and the product has it still; or the other way about.
    RemoveToo(Phase),
    /// The proxy was taken out of the system, and this line of a settings file would bring it back.
    Unset(PathBuf, usize),
    /// `prepare` has something to write.
    Prepare,
    /// The proxy did not serve when it was asked last: what was wrong, and whether it was about the login.
    AskProxy(String, bool),
    /// podman is in the way of the product.
    Podman,
    /// The product, or what it runs on, is to come; what nobody has said yet, as flags with places to fill in.
    Install(Option<Deployment>, Vec<String>),
    /// `reconfigure` has something to write.
    Reconfigure,
    /// Something of the product's files is missing or cannot be read; the commands that make what is missing.
    Whole(Text, Vec<Fix>, Option<Text>),
    /// The product does not run as it should; what the finding says.
    Product(Text, Vec<Fix>),
    /// The product is stopped, and this command starts it.
    Start(CommandLine),
    /// How it is with the product is not known.
    Look,
    /// What is written on an image is started on the running system.
    Boot,
    /// Nobody has looked at the whole since the last run.
    Check,
    /// The last check failed with these ids.
    CheckAgain(Vec<String>),
}

impl Next {
    /// Of a host that stands like this; `None`: nothing is left to do.
    pub(crate) fn of(standing: &Standing) -> Option<Self> {
        if let Some(who) = &standing.at_work {
            return Some(Self::Wait(who.clone()));
        }
        if let Some(run) = standing.interrupted() {
            return Some(Self::TakeBack(run.begin.run.clone()));
        }
        if standing.on == Some(Ecs::Task) {
            return Some(Self::TaskDefinition);
        }
        if let Some(problem) = &standing.unknown {
            return Some(match problem.id == id::NEEDS_ROOT {
                true => Self::AsRoot,
                false => Self::Unknown(problem.message.clone(), problem.hints.clone()),
            });
        }
        let fails = |own: &&Finding| own.status == Status::Fail;
        if standing.findings.iter().filter(|own| own.id.group() == "host").any(|own| fails(&own)) {
            return Some(Self::System);
        }
        if standing.is_bare() {
            return Some(Self::Begin);
        }
        match standing.left() {
            Some(Left::System) => return Some(Self::RemoveToo(Phase::Prepare)),
            Some(Left::Product) => return Some(Self::RemoveToo(Phase::Reconfigure)),
            Some(Left::Settings(path, line)) => return Some(Self::Unset(path.to_path_buf(), line)),
            None => {}
        }
        let served = || standing.consumers().filter(|own| Who::of(own.id).is_some_and(Who::is_of_prepare));
        let is_wrong = |own: &&Finding| own.status.is_wrong();
        // What cannot be told is no step before those that are known.
        let is_told = |own: &&Finding| own.status == Status::Error || is_known(own);
        let wrong = served().find(fails).or_else(|| served().filter(is_told).find(is_wrong));
        match (&standing.prepare, wrong) {
            (Pending::Refused(problem), _) => return Some(Self::Refused(Phase::Prepare, problem.hints.clone())),
            // By itself it would take another proxy than the one by which the finding is wrong.
            (Pending::Files(_), Some(finding)) if standing.has_rival => {
                return Some(Self::Mend(finding.title.clone(), finding.fix.clone()));
            }
            (Pending::Files(_), _) => return Some(Self::Prepare),
            (_, Some(finding)) if finding.id == ids::PROXY_DOCKER && standing.has_podman && !standing.has_product => {
                return Some(Self::Podman);
            }
            (_, Some(finding)) => return Some(Self::Mend(finding.title.clone(), finding.fix.clone())),
            (Pending::Nothing | Pending::Unknown, None) => {}
        }
        if let Some((wrong, probe)) = standing.unserved() {
            return Some(Self::AskProxy(wrong.to_owned(), probe.is_of_login()));
        }
        if !standing.has_product {
            if let Some(finding) = standing.broken() {
                return Some(standing.whole(finding));
            }
            return Some(if standing.has_podman { Self::Podman } else { standing.installation() });
        }
        match &standing.reconfigure {
            Pending::Refused(problem) => return Some(Self::Refused(Phase::Reconfigure, problem.hints.clone())),
            Pending::Files(_) => return Some(Self::Reconfigure),
            Pending::Nothing | Pending::Unknown => {}
        }
        // Of a product that runs Docker says more than its files.
        let counts = |own: &&Finding| !standing.is_live || own.status == Status::Fail;
        if let Some(finding) = standing.broken().filter(counts) {
            return Some(standing.whole(finding));
        }
        if !standing.is_live {
            return Some(Self::Boot);
        }
        let untold = || served().find(is_wrong).map(|own| Self::Mend(own.title.clone(), own.fix.clone()));
        standing.of_product().or_else(|| standing.of_check()).or_else(untold)
    }

    /// What it is, and the command where there is one that can be pasted as it is.
    pub(crate) fn says(&self) -> (Text, Option<Fix>) {
        let command = |line: CommandLine| Some(Fix::Command(line));
        let first = |fixes: &[Fix]| fixes.iter().find(|fix| matches!(fix, Fix::Command(_))).or(fixes.first()).cloned();
        match self {
            Self::Wait(who) => (text!("wait for its end: {}", who), None),
            Self::TakeBack(run) => (
                text!("take back run {}, which was interrupted", own(run)),
                command(ics_setup(text!("revert {}", own(run)))),
            ),
            Self::TaskDefinition => (Ecs::Task.says(), Some(Fix::Advice(Ecs::advice()))),
            Self::AsRoot => ("ask once more as root".into(), command(as_root(ics_setup("status")))),
            Self::Unknown(what, fixes) => {
                (text!("mend what is in the way of judging this host: {}", what), first(fixes))
            }
            Self::System => (
                "say how this system is to be treated, or take one that the product is for".into(),
                Some(Fix::Advice(text!(
                    "as Ubuntu or as CentOS: {}",
                    ics_setup("prepare --os <FAMILY> --proxy http://<HOST>:<PORT>")
                ))),
            ),
            Self::Begin => ("prepare this host".into(), command(ics_setup("wizard"))),
            Self::Refused(phase, fixes) => (text!("mend what {} refuses for", own(phase.verb())), first(fixes)),
            Self::Mend(title, fixes) | Self::Product(title, fixes) => (text!("mend this: {}", title), first(fixes)),
            Self::RemoveToo(phase) => {
                let whom = if *phase == Phase::Prepare { "system" } else { "product" };
                let line = ics_setup(text!("{} --remove-proxy", own(phase.verb())));
                (text!("take the proxy out of the {} too", own(whom)), command(line))
            }
            Self::Unset(path, line) => (
                "take the proxy out of the settings too: the next run would write it again".into(),
                Some(Fix::Advice(text!("take it out of {}:{}", path, *line))),
            ),
            Self::Prepare => ("bring the host's files to what is wanted".into(), command(ics_setup("prepare"))),
            // The same login once more may close the account.
            Self::AskProxy(wrong, true) => (
                text!("give the proxy the right login: {}", wrong),
                Some(Fix::Advice(ics_setup("prepare --proxy-user <USER> --proxy-password-file <FILE>").into())),
            ),
            Self::AskProxy(wrong, false) => {
                (text!("mend the way to the proxy: {}", wrong), command(as_root(ics_setup("check proxy"))))
            }
            Self::Podman => (
                "make room for Docker: podman stands in its place, and the product's containers need a daemon".into(),
                Some(Fix::Advice(text!("{}, then: {}", own(MAKE_ROOM), ics_setup("install")))),
            ),
            Self::Install(None, _) => {
                ("install the product".into(), command(ics_setup("install --deployment test-drive")))
            }
            Self::Install(Some(_), flags) if flags.is_empty() => {
                ("install the product".into(), command(ics_setup("install")))
            }
            Self::Install(Some(_), flags) => (
                "install the product".into(),
                Some(Fix::Advice(text!("{}", ics_setup(text!("install {}", own(flags.join(" "))))))),
            ),
            Self::Reconfigure => {
                ("bring the product's files to what is wanted".into(), command(ics_setup("reconfigure")))
            }
            Self::Whole(title, fixes, _) => (text!("make the product whole: {}", title), fixes.first().cloned()),
            Self::Start(line) => ("start the product".into(), command(line.clone())),
            Self::Look => ("see how the product is".into(), command(as_root(ics_setup("check runtime")))),
            Self::Boot => (
                "on the running system, install starts what is written here".into(),
                // Not on this image.
                Some(Fix::Advice(ics_setup_there("install").into())),
            ),
            Self::Check => ("check the whole of it".into(), command(as_root(ics_setup("check --save")))),
            Self::CheckAgain(failing) => (
                text!("mend what failed when it was last checked ({})", own(counted(failing.len(), "check"))),
                command(as_root(ics_setup(text!("check --only {}", own(failing.join(",")))))),
            ),
        }
    }

    /// What else it may be that comes next, or what follows it.
    pub(crate) fn or(&self) -> Option<Text> {
        match self {
            Self::Install(None, flags) => {
                Some(text!("for a production: {}", ics_setup(text!("install {}", own(flags.join(" "))))))
            }
            Self::Whole(_, _, Some(line)) => Some(text!("or have it made: {}", line.clone())),
            Self::RemoveToo(Phase::Prepare) => {
                Some(text!("or have the product use it again: {}", ics_setup("reconfigure")))
            }
            Self::AskProxy(_, false) => Some(text!("then ask it again: {}", ics_setup("prepare"))),
            Self::CheckAgain(_) => Some(text!("then: {}", as_root(ics_setup("check --save")))),
            _ => None,
        }
    }

    /// The step on one line.
    pub(crate) fn line(&self) -> Text {
        let (why, fix) = self.says();
        let fix = fix.map(|fix| text!(": {}", fix.text())).unwrap_or_default();
        let or = self.or().map(|or| text!("; {}", or)).unwrap_or_default();
        text!("{}{}{}", why, fix, or)
    }
}

impl Standing {
    /// Has nobody said anything, and does nothing here say anything?
    pub(crate) fn is_bare(&self) -> bool {
        let says = self.findings.iter().any(|own| Who::of(own.id).is_some() && own.status.is_wrong() && is_known(own));
        let has_any = self.has_product || self.broken().is_some();
        self.proxy.is_none() && !self.is_direct && !has_any && self.deployment.is_none() && !says
    }

    /// To make the product whole; a half that nobody has to bring back can be made.
    fn whole(&self, finding: &Finding) -> Next {
        let is_made = match finding.evidence.get("missing").and_then(|own| own.as_str()) {
            Some("compose") => true,
            // What a run has installed has its values in the file that is gone.
            Some(_) => self.installed_by().is_none(),
            None => false,
        };
        let words = std::iter::once("install".to_owned()).chain(self.flags()).collect::<Vec<_>>();
        let line = ics_setup(text!("{}", own(words.join(" "))));
        // Files that name no database of somebody's may be a Test Drive's.
        let is_open = self.deployment.is_none() && self.lacking.iter().any(|own| own.key == Key::MysqlHost);
        let line = match is_open {
            true => text!("{}; for a production: {}", ics_setup("install --deployment test-drive"), line),
            false => line.into(),
        };
        Next::Whole(finding.title.clone(), finding.fix.clone(), is_made.then_some(line))
    }

    fn installation(&self) -> Next {
        // Who names a MySQL here has a production, also where nobody has said so.
        let names_mysql = !self.lacking.iter().any(|spec| spec.key == Key::MysqlHost);
        Next::Install(self.deployment.or(names_mysql.then_some(Deployment::Production)), self.flags())
    }

    /// What nobody has said yet and an installation needs, as flags.
    fn flags(&self) -> Vec<String> {
        let place = |own: &'static Spec| {
            let spec = own.key.file_of_password().map_or(own, Key::spec);
            spec.flag.map(|flag| format!("--{flag} <{}>", spec.value_name))
        };
        self.lacking.iter().filter_map(|own| place(own)).collect()
    }

    fn of_product(&self) -> Option<Next> {
        let facts = self.containers.as_ref()?;
        let failing = self.failing_product();
        match &facts.docker {
            // Installing brings it, and what is there stays.
            Some(Err(NoDocker::Absent)) => {
                return Some(if self.has_podman { Next::Podman } else { self.installation() });
            }
            Some(Err(NoDocker::Denied { .. })) => return Some(Next::AsRoot),
            Some(Err(_)) => return Some(failing.map_or(Next::Look, told)),
            Some(Ok(seen)) if seen.running().0 == 0 && seen.elsewhere.is_empty() && facts.place.has_compose() => {
                // One that ended by itself has a reason, and starting it again would hide it.
                let is_stopped = |own: &Finding| own.evidence.get("exit_code").is_none_or(|code| code == 0);
                if self.product().filter(|own| own.status.is_wrong()).all(is_stopped) {
                    return Some(Next::Start(as_root(text!("{} up -d", facts.place.command(&self.home)))));
                }
            }
            _ => {}
        }
        failing.map(told)
    }

    /// The worst that is said of the product, Docker's own answer first.
    fn failing_product(&self) -> Option<&Finding> {
        let of = |status: Status| self.product().find(move |own| own.status == status);
        of(Status::Fail).or_else(|| of(Status::Error)).or_else(|| of(Status::Warn))
    }

    fn of_check(&self) -> Option<Next> {
        if !self.is_checked() {
            return Some(Next::Check);
        }
        let failing = self.last_check.as_ref().map(|check| check.failing.clone()).unwrap_or_default();
        (!failing.is_empty()).then_some(Next::CheckAgain(failing))
    }

    /// Was the whole of this host looked at since the newest run?
    pub(crate) fn is_checked(&self) -> bool {
        let seq = self.runs.last().map_or(0, |run| run.begin.seq);
        let counts = |check: &LastCheck| check.whole && check.live == self.is_live && check.seq == seq;
        self.last_check.as_ref().is_some_and(counts) && self.last_check_age.is_some()
    }
}

fn told(finding: &Finding) -> Next {
    Next::Product(finding.title.clone(), finding.fix.clone())
}
