//! Where a host stands on the whole way from a bare system to a healthy product, and the one step that comes next.
//!
//! It is told from what there is: the checks of consumers and containers, and what `prepare` and `reconfigure` would write.
//! No host beside this one is asked.
//!
//! | module | what it does |
//! | --- | --- |
//! | `next` | which step comes next |
//! | `pending` | what the verbs would write now |
//! | `last_check` | what `check --save` keeps |
//! | `shown` | for people and for programs |
//! | `whole` | whether what is installed is whole |

mod last_check;
mod next;
mod pending;
mod shown;
#[cfg(test)]
mod tests;
mod whole;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use last_check::Unread;
pub(crate) use last_check::{LastCheck, Since, keep};
pub(crate) use next::Next;
pub(crate) use pending::{Pending, all_changes};
use pending::{reconfigured, with_prepared, would_prepare};
pub(crate) use shown::{Page, human, json, of_the_vendor};

use crate::apply::{Drift, Run, State, drift};
use crate::check::proxy::Consumers;
use crate::check::{Check, CheckSpec, Limits, Look, Secrets, all, in_turn};
use crate::consumers::{Known, Who};
use crate::context::{HostContext, Inputs, Intent, roots};
use crate::converge::{LastProbe, RunContext, last_probe};
use crate::docker::compose::rank;
use crate::docker::{NoDocker, podman};
use crate::finding::{Finding, Ignored, Status, ids};
use crate::host::HostRead;
use crate::net::Time;
use crate::plan::{Change, Said};
use crate::platform::{self, Platform};
use crate::problem::{Problem, id};
use crate::product::containers::{self, ContainersFacts};
use crate::report::installed;
use crate::settings::{Deployment, Effective, Key, Origin, Spec, URLS, Unresolved, parse_switch};
use crate::system::cloud;
use crate::system::ecs::{self, Ecs};
use crate::system::name::own_name;
use crate::targets::{self, Phase};
use crate::text;
use crate::text::{Text, as_root, ics_setup};
use crate::vendor::prod_env;

/// How long Docker may take to say which containers run.
const DOCKER: Duration = Duration::from_millis(1500);

/// How long one check may take.
const ONE_CHECK: Duration = Duration::from_secs(4);

/// How long all checks together may take. They ask this host alone.
const CHECKS: Duration = Duration::from_secs(8);

/// The checks that a host's standing is told from; the one that takes longest, which asks logins, comes last.
const NAMES: [&str; 6] = ["os", "product", "containers", "environment", "interface", "consumers"];

/// Where a host stands.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The host's own name.
    pub(crate) name: Option<String>,
    /// What of Amazon ECS it is.
    pub(crate) on: Option<Ecs>,
    /// podman stands in Docker's place.
    pub(crate) has_podman: bool,
    /// In which cloud.
    pub(crate) cloud: Option<String>,
    /// The system as it calls itself.
    pub(crate) system: Option<String>,
    /// What somebody has said that the host is for.
    pub(crate) deployment: Option<Deployment>,
    /// The proxy that is wanted, as `host:port`; both where https has another one.
    pub(crate) proxy: Option<String>,
    /// `prepare` would take another one: nobody has said which, and the files of system and product differ.
    pub(crate) has_rival: bool,
    /// Who says so.
    pub(crate) proxy_by: Option<Origin>,
    /// What was said last is that this is to be without.
    pub(crate) without_proxy: Option<Without>,
    /// Somebody has said that there is none.
    pub(crate) is_direct: bool,
    /// It is a running system, and no image.
    pub(crate) is_live: bool,
    /// A run that is at work now.
    pub(crate) at_work: Option<Text>,
    /// The product's folder.
    pub(crate) home: PathBuf,
    /// The product is there.
    pub(crate) has_product: bool,
    /// Its containers; `None`: nobody was asked.
    pub(crate) containers: Option<ContainersFacts>,
    /// What the checks say.
    pub(crate) findings: Vec<Finding>,
    /// What `prepare` would write.
    pub(crate) prepare: Pending,
    /// What `reconfigure` would write.
    pub(crate) reconfigure: Pending,
    /// What an installation cannot begin without, and nobody has said.
    pub(crate) lacking: Vec<&'static Spec>,
    /// What is in the way of judging it.
    pub(crate) unknown: Option<Problem>,
    /// What is to be said about what people have said.
    pub(crate) remarks: Vec<Finding>,
    /// The last check that was kept.
    pub(crate) last_check: Option<LastCheck>,
    /// Why it is not known.
    pub(crate) last_check_unread: Option<Unread>,
    /// How old it is, in seconds; `None`: it is of a time to come.
    pub(crate) last_check_age: Option<u64>,
    /// What the proxy said when a run asked it last.
    pub(crate) last_probe: Option<LastProbe>,
    /// All runs so far, oldest first, as far as they are known.
    pub(crate) runs: Vec<Run>,
    /// Files that were edited since a run wrote them.
    pub(crate) drift: Vec<Drift>,
}

/// What is known before it is looked.
pub(crate) struct Question<'q> {
    /// All runs so far; why they cannot be told.
    pub(crate) runs: Result<Vec<Run>, Problem>,
    /// What people have said; why it cannot be read.
    pub(crate) inputs: Result<Inputs, Problem>,
    /// A run that is at work now.
    pub(crate) at_work: Option<Text>,
    /// Findings that somebody lets pass.
    pub(crate) ignored: &'q Ignored,
    /// The run that has just ended, and now says what comes next; `None`: all is to be told.
    pub(crate) after: Option<&'q RunContext>,
}

/// Looks.
pub(crate) fn look(host: &dyn HostRead, question: Question<'_>) -> Standing {
    let Question { runs, inputs, at_work, ignored, after } = question;
    let (runs, unread) = runs.map_or_else(|problem| (Vec::new(), Some(problem)), |runs| (runs, None));
    let mut standing = Standing {
        name: own_name(host),
        // Where nobody says how to treat it, its name is known all the same.
        system: platform::detect(host, None).ok().map(|(platform, _)| platform.os.pretty),
        on: ecs::observe(host).on.map(|(on, _)| on),
        cloud: cloud::cloud(host),
        has_podman: podman(host).is_some_and(|(_, in_place)| in_place),
        is_live: host.is_live(),
        last_probe: last_probe(host),
        runs,
        at_work,
        ..Standing::default()
    };
    match last_check::kept(host) {
        Ok(kept) => {
            standing.last_check_age = kept.as_ref().and_then(|kept| kept.age(host));
            standing.last_check = kept;
        }
        Err(why) => standing.last_check_unread = Some(why),
    }
    let judged = inputs.and_then(|inputs| standing.judge(host, &inputs, ignored, after)).err();
    // What was edited since is no step.
    let edited = match after.map_or_else(|| drift(host, &standing.runs), |_| Ok(Vec::new())) {
        Ok(drift) => {
            standing.drift = drift;
            None
        }
        Err(problem) => Some(problem),
    };
    standing.unknown = [unread, judged, edited].into_iter().flatten().next();
    // A folder that an installation has made is the product's, also where nothing else can be told.
    if let Some((_, folder)) = installed(&standing.runs).filter(|_| standing.unknown.is_some()) {
        (standing.home, standing.has_product) = (PathBuf::from(folder), true);
    }
    standing
}

impl Standing {
    fn in_force(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.iter().filter(|run| run.state == State::Committed)
    }

    /// The newest run in force that is no way back.
    pub(crate) fn last(&self) -> Option<&Run> {
        self.in_force().rfind(|run| run.begin.reverts.is_none())
    }

    /// The newest of them that has converged what `prepare` does; an installation does it too.
    pub(crate) fn prepared_by(&self) -> Option<&str> {
        let prepares = |verb: &str| [Phase::Prepare, Phase::Install].iter().any(|phase| phase.verb() == verb);
        let found = self.in_force().rfind(|run| run.begin.reverts.is_none() && prepares(&run.begin.command));
        found.map(|run| run.begin.run.as_str())
    }

    /// The run that has installed the product.
    pub(crate) fn installed_by(&self) -> Option<&str> {
        installed(&self.runs).map(|(run, _)| run.begin.run.as_str())
    }

    /// A run that did not come to its end, and is not at work.
    pub(crate) fn interrupted(&self) -> Option<&Run> {
        self.runs.iter().find(|run| run.state == State::Interrupted && self.at_work.is_none())
    }

    fn judge(
        &mut self,
        host: &dyn HostRead,
        inputs: &Inputs,
        ignored: &Ignored,
        after: Option<&RunContext>,
    ) -> Result<(), Problem> {
        self.remarks.extend(inputs.remark(host));
        let mut known = HostContext::load(host, inputs, Intent::Check)?;
        self.has_product = known.has_product;
        self.home = crate::settings::home(&known.layers)?;
        self.deployment = known.layers.get(Key::Deployment).map(|_| known.deployment());
        self.system = known.platform.as_ref().map(|platform| platform.os.pretty.clone()).or(self.system.take());
        if self.has_product && host.is_live() {
            self.containers = Some(containers::look(host, &self.home, Time::new(DOCKER, DOCKER)));
        }
        let (settings, _) = known.resolve(inputs, ignored).map_err(Unresolved::into_problem)?;
        self.proxy = settings.proxies.places();
        let proxies = [&settings.proxies.https, &settings.proxies.http];
        self.proxy_by = proxies.into_iter().flatten().next().map(|own| own.origin.clone());
        // One that had nothing to change is in no journal.
        let by_this_run = after.filter(|run| run.settings.as_ref().is_some_and(|own| own.remove_proxy));
        let served = |who: Who| by_this_run.is_some_and(|run| run.plan.consumers.contains(&who));
        let this = if served(Who::ProdEnv) && !served(Who::Login) { Without::Product } else { Without::System };
        self.without_proxy = by_this_run.map(|_| this).or_else(|| self.said_removal());
        self.is_direct = settings.goes_directly;
        let no_proxy = targets::no_proxy(&settings).shown().members().map(str::to_owned).collect();
        let [limit, run] = [ONE_CHECK, CHECKS].map(crate::text::millis);
        let limits = Limits { connect: limit, check: limit, run, wait: 0 };
        let effective = Effective::new(&settings, &known.found);
        let (spec, secrets) = CheckSpec::new(&settings, &effective, no_proxy, limits);
        let asked = after.and_then(|run| asked_by(run, self.proxy.as_deref()?));
        let mut changes = None;
        if let Some(platform) = &known.platform {
            let prepared = would_prepare(host, inputs, ignored);
            self.has_rival = matches!(&prepared, Ok((places @ Some(_), _)) if *places != self.proxy);
            self.prepare = Pending::of(&prepared.map(|(_, changes)| changes));
            let reconfigured = reconfigured(host, &known, platform, &settings);
            self.reconfigure = reconfigured.as_ref().map_or(Pending::Unknown, Pending::of);
            if asked.is_none() {
                changes = with_prepared(host, &known, platform, &settings, reconfigured);
            }
        }
        let facts = (&spec, &secrets);
        let is_new = |name: &&str| asked.is_none() || *name != Consumers::META.name;
        let names: Vec<&str> = NAMES.into_iter().filter(|name| self.is_asked(name)).filter(is_new).collect();
        self.findings = checked(host, known.platform.as_ref(), facts, changes.as_deref(), &names)?;
        self.findings.extend(asked.into_iter().flatten());
        let wrong = whole::wrong(host, &known, known.platform.as_ref(), &settings, &self.runs);
        if let Some(own) = self.findings.iter_mut().find(|own| own.id == ids::PRODUCT_INSTALLED) {
            *own = wrong.unwrap_or_else(|| own.clone());
        }
        self.findings.iter_mut().for_each(|own| own.duration_ms = None);
        ignored.apply(&mut self.findings);
        known.installs = true;
        self.lacking = known.lacking()?;
        // What could not be looked at is told, and nothing is called done for it.
        if let Some(problem) = &known.unread {
            return Err(problem.clone());
        }
        match known.root_only().first() {
            Some(path) => Err(Problem::host(id::NEEDS_ROOT, text!("{} can be read by root only", path))
                .hint_command(as_root(ics_setup("status")))),
            None => Ok(()),
        }
    }

    /// Is this check made? Of a Docker that does not answer nothing more is to be learnt.
    fn is_asked(&self, name: &str) -> bool {
        let docker = self.containers.as_ref().and_then(|facts| facts.docker.as_ref());
        let is_late = matches!(docker, Some(Err(NoDocker::Late { .. })));
        let of_docker = matches!(name, "containers" | "environment");
        !(is_late && of_docker)
    }

    /// What was wrong with the proxy that is wanted when it was asked last, and what the proxy said.
    pub(crate) fn unserved(&self) -> Option<(&str, &LastProbe)> {
        let probe = self.last_probe.as_ref().filter(|probe| Some(&probe.proxy) == self.proxy.as_ref())?;
        Some((probe.wrong.as_deref()?, probe))
    }

    /// From where the newest run that was told anything of a proxy was told to take it away.
    fn said_removal(&self) -> Option<Without> {
        let is_of_proxy = |key: &str| key == Key::ProxyRemove.as_str() || URLS.iter().any(|own| own.as_str() == key);
        let mut runs = self.in_force().rev().filter(|run| run.begin.reverts.is_none());
        let run = runs.find(|run| run.begin.said.iter().any(|said| is_of_proxy(&said.key)))?;
        // What was remembered of a proxy stands beside it.
        let is_removal = |said: &Said| said.key == Key::ProxyRemove.as_str() && parse_switch(&said.value) == Some(true);
        let without = if run.begin.command == Phase::Reconfigure.verb() { Without::Product } else { Without::System };
        run.begin.said.iter().any(is_removal).then_some(without)
    }

    /// Who names the proxy still that the rest was told to be without, and is without.
    pub(crate) fn left(&self) -> Option<Left<'_>> {
        match (self.without_proxy?, self.places().0 > 0, self.proxy_by.as_ref()?) {
            (Without::Product, _, Origin::File { path, line }) | (_, false, Origin::File { path, line }) => {
                Some(Left::Settings(path, *line))
            }
            (_, false, Origin::Found { path, .. }) if path.starts_with(&self.home) => Some(Left::Product),
            (Without::Product, true, Origin::Found { path, .. })
                if self.has_product && !path.starts_with(&self.home) =>
            {
                Some(Left::System)
            }
            _ => None,
        }
    }

    /// Is it known of this file whether what is wanted stands in it?
    fn is_judged(&self, path: &Path) -> bool {
        let is_compose = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| rank(name).is_some());
        let of_product = path == prod_env(&self.home) || (is_compose && path.starts_with(&self.home));
        if of_product { self.broken().is_none() } else { !path.starts_with(&self.home) }
    }

    /// What is wrong with the product's files.
    pub(crate) fn broken(&self) -> Option<&Finding> {
        self.findings.iter().find(|own| own.id == ids::PRODUCT_INSTALLED && own.status.is_wrong())
    }

    /// Were all that count asked themselves? `None`: there are none.
    pub(crate) fn known(&self) -> Option<Known> {
        let mut asked = self
            .counted()
            .map(|own| own.evidence.get("known").and_then(|known| known.as_str()) == Some(Known::Asked.as_str()));
        let first = asked.next()?;
        Some(if first && asked.all(|asked| asked) { Known::Asked } else { Known::Files })
    }

    /// How many consumers that are here get what is wanted, and of how many. One that is served on request
    /// alone and gets none does not count.
    pub(crate) fn places(&self) -> (usize, usize) {
        (self.counted().filter(|own| own.status == Status::Pass).count(), self.counted().count())
    }

    fn counted(&self) -> impl Iterator<Item = &Finding> {
        let is_served = |own: &&Finding| Who::of(own.id).is_some_and(|who| !who.is_on_request());
        let counts = move |own: &&Finding| own.status == Status::Pass || (own.status != Status::Skip && is_served(own));
        self.consumers().filter(counts)
    }

    /// What is found of consumers that `prepare` writes a file for.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = &Finding> {
        let is = |own: &&Finding| Who::of(own.id).is_some_and(|who| who.has_file_of_ours() && who != Who::ProdEnv);
        self.findings.iter().filter(is)
    }

    /// What is found of the product's containers and its environment.
    pub(crate) fn product(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|own| own.id.group() == "runtime")
    }
}

/// From where a proxy was to be taken away.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Without {
    /// The files of `prepare`.
    System,
    /// Those of `reconfigure`.
    Product,
}

/// Who names a proxy still that was taken away.
#[derive(Clone, Copy)]
pub(crate) enum Left<'s> {
    /// The system.
    System,
    /// The product.
    Product,
    /// This line of a settings file.
    Settings(&'s Path, usize),
}

/// Is it known that something is wrong? Of what cannot be told, or be read, it is not.
pub(crate) fn is_known(finding: &Finding) -> bool {
    finding.status != Status::Error && finding.evidence.get("untold").is_none()
}

/// What a run has found out of its consumers, where it has asked all that `prepare` serves and they get this proxy: nobody is asked
/// twice for it.
fn asked_by(run: &RunContext, proxy: &str) -> Option<Vec<Finding>> {
    let of = |own: &Finding| Who::of(own.id).filter(|who| who.is_of_prepare());
    let found: Vec<Finding> = run.findings.iter().filter(|own| of(own).is_some()).cloned().collect();
    let is_whole =
        Who::ALL.into_iter().filter(|who| who.is_of_prepare()).all(|who| found.iter().any(|own| of(own) == Some(who)));
    let is_right = found.iter().all(|own| !own.status.is_wrong());
    let told = run.settings.as_ref()?.proxies.places()?;
    (is_whole && is_right && told == proxy).then_some(found)
}

/// What the checks of these names find out.
///
/// # Errors
/// The certificates of the host cannot be read.
fn checked(
    host: &dyn HostRead,
    platform: Option<&Platform>,
    (spec, secrets): (&CheckSpec, &Secrets),
    changes: Option<&[Change]>,
    names: &[&str],
) -> Result<Vec<Finding>, Problem> {
    let all = all();
    let find = |name: &&str| all.iter().find(|check| check.meta().name == *name).copied();
    let checks: Vec<_> = names.iter().filter_map(find).collect();
    let roots = &roots(host, None)?;
    Ok(in_turn(&checks, &Look { host, platform, spec, secrets, roots, changes }, Instant::now() + CHECKS))
}
