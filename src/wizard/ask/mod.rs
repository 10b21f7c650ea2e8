//! The questions, their order, and the way back. `questions` asks them; `confirm` asks the world; `answered` has a line for each
//! answer.

mod answered;
mod confirm;
mod questions;

use std::path::PathBuf;

use super::Ended;
use super::answers::{Answers, Proxy, Scope};
use super::known::{KnownState, PROXY_KEYS};
use super::prompt::{Ask, Prompter};
use super::world::World;
use crate::finding::{FindingId, ids};
use crate::problem::Problem;
use crate::settings::{First, Found, Key, Unresolved};
use crate::targets::Phase;

/// One step; most are one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Deployment,
    Proxy,
    Url,
    Port,
    Login,
    User,
    Password,
    Probe,
    Exclusions,
    Scope,
    PackageManager,
    BackEnds,
    /// A plain setting of a back end.
    Plain(Key),
    /// A password of a back end.
    Hidden(Key),
    /// Is it there?
    Mysql,
    /// Does it let the user in?
    MysqlLogin,
    /// Can the administrator make what is missing?
    MysqlAdmin,
    /// Is it there?
    Redis,
    /// Does it take the password?
    RedisLogin,
    Agent,
    Region,
    Collectors,
}

impl Step {
    /// Nobody is asked but the network.
    fn is_look(self) -> bool {
        matches!(self, Self::Probe | Self::Mysql | Self::MysqlLogin | Self::MysqlAdmin | Self::Redis | Self::RedisLogin)
    }

    /// The question whose answer a finding blames.
    fn to_blame(id: FindingId) -> Option<Self> {
        Some(match id {
            ids::MYSQL_LOGIN | ids::MYSQL_GRANTS => Self::Plain(Key::MysqlUser),
            ids::MYSQL_DATABASES => Self::Plain(Key::MysqlDatabase),
            ids::MYSQL_ADMIN => Self::Plain(Key::MysqlAdminUser),
            ids::REDIS_LOGIN => Self::Hidden(Key::RedisPassword),
            ids::PROXY_CREDENTIALS => Self::User,
            id if id.as_str().starts_with("mysql-") => Self::Plain(Key::MysqlHost),
            id if id.as_str().starts_with("redis-") => Self::Plain(Key::RedisHost),
            id if matches!(id.group(), "proxy" | "network") => Self::Url,
            _ => return None,
        })
    }
}

/// In the order in which they are asked.
const STEPS: &[Step] = &[
    Step::Deployment,
    Step::Proxy,
    Step::Url,
    Step::Port,
    Step::Login,
    Step::User,
    Step::Password,
    Step::Probe,
    Step::Exclusions,
    Step::Scope,
    Step::PackageManager,
    Step::BackEnds,
    Step::Plain(Key::MysqlHost),
    Step::Plain(Key::MysqlPort),
    Step::Mysql,
    Step::Plain(Key::MysqlUser),
    Step::Hidden(Key::MysqlPassword),
    Step::Plain(Key::MysqlDatabase),
    Step::Plain(Key::MysqlSecretDatabase),
    Step::MysqlLogin,
    Step::Plain(Key::MysqlAdminUser),
    Step::Hidden(Key::MysqlAdminPassword),
    Step::MysqlAdmin,
    Step::Plain(Key::RedisHost),
    Step::Plain(Key::RedisPort),
    Step::Redis,
    Step::Hidden(Key::RedisPassword),
    Step::RedisLogin,
    Step::Agent,
    Step::Region,
    Step::Collectors,
];

/// Where the questions begin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// With the first one.
    First,
    /// All was answered before: with the last one.
    Last,
    /// The same, with the one that this finding is about.
    About(FindingId),
}

/// Where to go after a step.
enum Then {
    /// To the next; this one can be gone back to.
    On,
    /// To the next; nothing was asked.
    Silent,
    /// To the question before.
    Back,
    /// To this one again.
    To(Step),
}

/// Somebody who asks.
pub(crate) struct Wizard<'a> {
    /// What is known already.
    known: &'a KnownState<'a>,
    /// Who answers.
    prompter: &'a mut dyn Prompter,
    /// Who confirms.
    world: &'a dyn World,
    /// What was answered so far.
    pub answers: Answers,
    /// The step that is asked.
    at: Step,
    /// The steps that were answered, by their place in [`STEPS`].
    trail: Vec<usize>,
}

impl<'a> Wizard<'a> {
    /// Who asks this person, confirmed by this world.
    pub(crate) fn new(
        known: &'a KnownState<'a>,
        prompter: &'a mut dyn Prompter,
        world: &'a dyn World,
        answers: Answers,
    ) -> Self {
        Self { known, prompter, world, answers, at: Step::Deployment, trail: Vec::new() }
    }

    /// Asks everything from there on.
    ///
    /// # Errors
    /// The person went away, or the host cannot be looked at.
    pub(crate) fn run(&mut self, start: Start) -> Result<(), Ended> {
        self.trail.clear();
        let mut at = 0;
        if matches!(start, Start::First) {
            self.prompter.begin();
        } else {
            for (index, step) in STEPS.iter().enumerate() {
                if self.is_relevant(*step)? && !step.is_look() {
                    self.trail.push(index);
                }
            }
            let wanted = match start {
                Start::About(id) => Step::to_blame(id),
                Start::First | Start::Last => None,
            };
            // Where that is none of the questions, one before it is about the same.
            let wanted = wanted.and_then(|wanted| {
                let is_it = |at: &&usize| STEPS.get(**at) == Some(&wanted);
                let is_like_it = |at: &&usize| STEPS.get(**at).is_some_and(|step| step.topic() == wanted.topic());
                self.trail.iter().find(is_it).or_else(|| self.trail.iter().find(is_like_it)).copied()
            });
            self.trail.retain(|before| wanted.is_none_or(|wanted| *before <= wanted));
            at = self.trail.pop().unwrap_or(0);
        }
        while let Some(step) = STEPS.get(at) {
            if !self.is_relevant(*step)? {
                at += 1;
                continue;
            }
            self.at = *step;
            if matches!(step, Step::Proxy | Step::Url | Step::Plain(Key::MysqlHost | Key::RedisHost)) {
                self.answers.said.remove(&step.topic());
            }
            self.draw();
            match self.step(*step, !self.trail.is_empty())? {
                Then::On => {
                    self.trail.push(at);
                    at += 1;
                }
                Then::Silent => at += 1,
                Then::Back => at = self.trail.pop().unwrap_or(0),
                Then::To(step) => {
                    at = STEPS.iter().position(|other| *other == step).unwrap_or(0);
                    self.trail.retain(|before| *before < at);
                }
            }
        }
        self.draw();
        Ok(())
    }

    /// Shows what was answered.
    fn draw(&mut self) {
        let lines = self.lines();
        self.prompter.answered(&lines);
    }

    /// Is this a question here and now?
    fn is_relevant(&self, step: Step) -> Result<bool, Problem> {
        let answers = &self.answers;
        let given = |key: Key| self.known.given(key);
        let password_given = |key: Key| given(key) || key.file_of_password().is_some_and(given);
        let proxy_given = PROXY_KEYS.into_iter().any(given);
        let named = answers.proxy == Proxy::Set;
        let production = self.deployment() == "production";
        let writes_product = answers.scope != Scope::System;
        let installs = answers.scope == Scope::Install;
        let back_ends = production && answers.names_back_ends();
        let is_mysql = match step {
            Step::Plain(key) | Step::Hidden(key) => key.is_in("mysql"),
            step => matches!(step, Step::Mysql | Step::MysqlLogin | Step::MysqlAdmin),
        };
        if is_mysql && self.found()?.has_secret(self.known.layers) {
            return Ok(false);
        }
        let creates = back_ends && installs && answers.creates;
        let named_host = |key: Key| answers.get(key).is_some() || (installs && given(key));
        Ok(match step {
            Step::Scope => !given(Key::Target),
            Step::Deployment => !given(Key::Deployment),
            Step::Proxy => !proxy_given,
            Step::Url => named,
            // A URL may have brought its own.
            Step::Port => named && answers.url.as_ref().is_some_and(|url| url.port.is_none()),
            Step::Login => named && !given(Key::ProxyUser) && !(answers.login_seen && answers.login_known),
            Step::User => named && answers.login && !given(Key::ProxyUser),
            Step::Password => self.wants_password()?,
            Step::Probe => self.sets_proxy(proxy_given),
            Step::Exclusions => {
                self.sets_proxy(proxy_given) && !given(Key::ProxyNoProxy) && !given(Key::ProxyNoProxyOnly)
            }
            Step::PackageManager => {
                let is_prepare = answers.phase() == Phase::Prepare;
                answers.proxy != Proxy::None && is_prepare && !given(Key::Target)
            }
            // Before the product is there, install asks for them.
            Step::BackEnds => {
                let has_product = self.known.has_product(&self.home()) || given(Key::Target);
                production && has_product && !installs && !given(Key::MysqlHost) && !given(Key::RedisHost)
            }
            Step::Plain(key @ Key::MysqlAdminUser) => creates && !given(key),
            Step::Hidden(key @ Key::MysqlAdminPassword) => creates && !password_given(key),
            Step::Plain(key) => back_ends && !given(key),
            Step::Hidden(key) => back_ends && writes_product && !password_given(key),
            Step::Mysql => back_ends && named_host(Key::MysqlHost),
            Step::Redis => back_ends && named_host(Key::RedisHost),
            Step::MysqlAdmin => creates,
            // A password that is not to be written was perhaps another server's.
            Step::MysqlLogin => {
                self.is_relevant(Step::Mysql)? && (writes_product || password_given(Key::MysqlPassword))
            }
            Step::RedisLogin => {
                self.is_relevant(Step::Redis)? && (writes_product || password_given(Key::RedisPassword))
            }
            // Without anything to do nothing is written, and there would be no settings to keep it in.
            Step::Agent => {
                let does = self.sets_proxy(proxy_given) || answers.proxy == Proxy::Remove || answers.back_ends;
                let is_there = self.known.has_agent() || self.known.layers.get(Key::AgentRegion).is_some();
                does && is_there && !installs && !given(Key::AgentRegion) && !given(Key::AgentCollector)
            }
            Step::Region | Step::Collectors => answers.agent,
        })
    }

    fn sets_proxy(&self, given: bool) -> bool {
        matches!(self.answers.proxy, Proxy::Set | Proxy::Keep)
            || (given && ![Key::ProxyRemove, Key::ProxyDirect].into_iter().any(|key| self.known.given(key)))
    }

    /// Is there a user whose password was not given? One that the host knows can be kept.
    fn wants_password(&self) -> Result<bool, Problem> {
        let given = [Key::ProxyPassword, Key::ProxyPasswordFile, Key::ProxyPasswordEnv];
        let is_given = given.into_iter().any(|key| self.known.given(key));
        let logs_in = self.answers.proxy == Proxy::Set && self.answers.login;
        Ok(!is_given && (logs_in || !self.password_is_known()?))
    }

    /// Do the settings resolve without a password from us?
    fn password_is_known(&self) -> Result<bool, Problem> {
        let mut without = self.answers.clone();
        without.set(Key::ProxyPassword, "");
        let layer = without.layer(self.known)?;
        Ok(match self.known.resolve(&layer, &self.found()?) {
            Err(Unresolved::Missing(specs)) => specs.iter().all(|spec| spec.key != Key::ProxyPassword),
            _ => true,
        })
    }

    /// A setting as it was answered, or as it is known apart from what the host has.
    fn said(&self, key: Key) -> Option<String> {
        let known = || self.known.known(key, &Found::default());
        self.answers.get(key).map(str::to_owned).or_else(known)
    }

    /// apt, dnf or yum.
    fn package_manager(&self) -> &'static str {
        self.known.platform.package_manager(self.known.host).name
    }

    fn deployment(&self) -> String {
        self.said(Key::Deployment).unwrap_or_default()
    }

    fn home(&self) -> PathBuf {
        self.said(Key::Home).unwrap_or_default().into()
    }

    fn found(&self) -> Result<Found, Problem> {
        let is_prepare = self.answers.phase() == Phase::Prepare;
        let first = if is_prepare { First::System } else { First::Product };
        let found = self.known.found(&self.home(), first)?;
        // Before it is said what is to be set, the product's own proxy is the present one where the system has none.
        let is_open = !self.answers.scope_chosen && !self.known.given(Key::Target);
        if is_open && found.get(Key::ProxyHttp).is_none() && found.get(Key::ProxyHttps).is_none() {
            return self.known.found(&self.home(), First::Product);
        }
        Ok(found)
    }

    fn step(&mut self, step: Step, back: bool) -> Result<Then, Ended> {
        match step {
            Step::Scope => self.scope(back),
            Step::Deployment => self.deployed(back),
            Step::Proxy => self.proxy(back),
            Step::Url => self.url(back),
            Step::Port => self.port(back),
            Step::Login => self.login(back),
            Step::User => self.text(Key::ProxyUser, "", back),
            Step::Password => {
                let known = self.answers.get(Key::ProxyPassword).is_some() || self.password_is_known()?;
                self.hidden(Key::ProxyPassword, known.then_some(""), back)
            }
            Step::Probe => self.probe(),
            Step::Exclusions => self.exclusions(back),
            Step::PackageManager => {
                let manager = self.package_manager();
                let question = format!("Is {manager} to use the proxy too?");
                let help = format!("{manager} does not read what logins read; its own file gets the proxy");
                self.yes(&Ask::of(&question, &help, back), |answers| &mut answers.package_manager)
            }
            Step::BackEnds => {
                let help = match self.answers.scope {
                    Scope::System => "Servers that are named are kept in the settings, for reconfigure and the checks",
                    _ => "Servers that are named are written to prod.env; what is not named stays as it is",
                };
                let ask = Ask::of("Name the MySQL and Redis servers?", help, back);
                self.yes(&ask, |answers| &mut answers.back_ends)
            }
            Step::Plain(key) => {
                let usual = match key {
                    Key::MysqlPort => "3306",
                    Key::RedisPort => "6379",
                    // As in the vendor's files.
                    Key::MysqlUser | Key::MysqlDatabase if self.answers.scope == Scope::Install => "divvy",
                    Key::MysqlSecretDatabase if self.answers.scope == Scope::Install => "divvykeys",
                    _ => "",
                };
                let then = self.text(key, usual, back)?;
                if key == Key::MysqlAdminUser && matches!(then, Then::Back) {
                    // The way back leads to the choice.
                    self.answers.creates = self.known.given(Key::CreateDatabases);
                }
                Ok(then)
            }
            Step::Hidden(key) => {
                let known = self.answers.get(key).is_some() || self.found()?.get(key).is_some();
                let none = (key == Key::RedisPassword).then_some("none");
                self.hidden(key, if known { Some("") } else { none }, back)
            }
            Step::MysqlAdmin => self.administrator(),
            Step::Mysql | Step::MysqlLogin | Step::Redis | Step::RedisLogin => self.back_end(step),
            Step::Agent => {
                let help = "The agent's region and Collectors are kept in the settings, for the network checks";
                self.yes(&Ask::of("Does this host run the Insight Agent?", help, back), |answers| &mut answers.agent)
            }
            Step::Region => self.region(back),
            Step::Collectors => self.collectors(back),
        }
    }
}
