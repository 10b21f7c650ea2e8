//! The stage `databases`: the product's user can log in to MySQL, both databases are there, and its rights on them suffice.
//!
//! With `--create-databases` what is missing is made by the administrator that the settings name; without it, it is told. What
//! was made stays, whatever becomes of the run: a database is never dropped.

use super::hosts::Hosts;
use crate::check::backends::Mysql;
use crate::check::{Check, CheckSpec, Limits, Look, MysqlSpec, Secrets, USUAL_USER, is_published};
use crate::context::{Inputs, Named, roots};
use crate::converge::problem_of;
use crate::finding::{Finding, FindingId, Ignored, Status, ids};
use crate::host::{HostRead, RealHost};
use crate::mysql::{self, Account, CANNOT_USER, Login, Missing, MysqlFacts, Need, Step, Stopped, Target};
use crate::net::{Roots, Time};
use crate::plan::StageState;
use crate::problem::{Kind, Problem, id};
use crate::redact::Redactor;
use crate::report::{finding_json, line};
use crate::secret::Secret;
use crate::settings::{
    Deployment, Effective, Found, Key, Layer, Layers, MysqlAdmin, Origin, Settings, Unresolved, by_key,
};
use crate::text;
use crate::text::{Text, host_port, own, typed};

/// What keeps the product from working with its databases.
pub(super) const NEEDED: [FindingId; 6] = [
    ids::MYSQL_REACHABLE,
    ids::MYSQL_TLS,
    ids::MYSQL_LOGIN,
    ids::MYSQL_DATABASES,
    ids::MYSQL_GRANTS,
    ids::MYSQL_WRITABLE,
];

/// What of it an administrator can mend.
const MADE: [FindingId; 3] = [ids::MYSQL_LOGIN, ids::MYSQL_DATABASES, ids::MYSQL_GRANTS];

/// What asks for a missing thing to be made.
const CREATE: &str = "--create-databases --mysql-admin-user <USER> --mysql-admin-password-file <FILE>";

/// How the stage ended.
#[derive(Debug)]
pub(super) struct Done {
    /// Nothing had to be made, something was, or it does not apply.
    pub(super) state: StageState,
    /// Half a sentence.
    pub(super) detail: Text,
    /// What a person should know of what was made.
    pub(super) next_steps: Vec<Text>,
}

impl Done {
    fn new(state: StageState, detail: impl Into<Text>) -> Self {
        Self { state, detail: detail.into(), next_steps: Vec::new() }
    }
}

/// The databases of a run.
pub(super) struct Databases<'a> {
    host: &'a dyn HostRead,
    spec: CheckSpec,
    secrets: Secrets,
    roots: Roots,
    admin: Option<&'a MysqlAdmin>,
    not_here: Option<Text>,
}

/// What the administrator's session gave.
type Session = (Missing, Result<(), Stopped>);

impl<'a> Databases<'a> {
    /// Of these settings on this host. `found` is what `prod.env` has, best as it is planned.
    ///
    /// # Errors
    /// The file of `--proxy-ca` cannot be read.
    pub(super) fn of(host: &'a dyn HostRead, settings: &'a Settings, found: &Found) -> Result<Self, Problem> {
        let effective = Effective::new(settings, found);
        let named = effective.text(Key::MysqlHost).map(|(name, _)| name);
        let (mut spec, secrets) = CheckSpec::new(settings, &effective, Vec::new(), Limits::default());
        let is_container = settings.deployment == Deployment::TestDrive
            && named.as_deref().is_none_or(|name| is_published(settings.deployment, name));
        let not_here = match (&spec.mysql, &spec.databases) {
            _ if !host.is_live() => Some("--root names an image, where nothing runs".into()),
            _ if is_container => Some("a Test Drive's MySQL is a container, which makes them when it starts".into()),
            (None, Some(own)) => Some(text!("in {}, not looked up: the product alone reads it", &own.secret)),
            _ => None,
        };
        if let Some(mysql) = &mut spec.mysql {
            mysql.of_usual_user();
        }
        let roots = roots(host, Named::of(settings).as_ref())?;
        Ok(Self { host, spec, secrets, roots, admin: settings.mysql_admin.as_ref(), not_here })
    }

    /// What is found before anything is written: can the administrator make what is missing? Nothing without
    /// `--create-databases`: the product's own login is asked by the checks then.
    pub(super) fn foresee(&self) -> Vec<Finding> {
        let (Some(mysql), Some(admin), None) = (&self.spec.mysql, self.admin, &self.not_here) else {
            return Vec::new();
        };
        let (facts, wrong) = self.log_in();
        if wrong.iter().any(|finding| !MADE.contains(&finding.id)) {
            return wrong;
        }
        let place = at(mysql);
        if wrong.is_empty() {
            let title = text!("databases, user and rights are on {} already", place);
            return vec![Finding::pass(ids::MYSQL_ADMIN, title).observed("the product's user can log in and has them")];
        }
        let (missing, _) = match self.administer(mysql, admin, &facts, &mut None) {
            Ok(session) => session,
            Err(finding) => return vec![*finding],
        };
        match self.impossible(mysql, admin, &missing) {
            Some(finding) => vec![finding],
            None => {
                let title = text!("{} can make what is missing on MySQL on {}", own(&admin.user), place);
                vec![Finding::pass(ids::MYSQL_ADMIN, title).observed(text!("missing: {}", list(&missing)))]
            }
        }
    }

    /// Does this run make them, as far as they are not there?
    pub(super) fn are_made(&self) -> bool {
        self.admin.is_some()
    }

    /// How the server is asked about the other hosts that use it; `None`: it is not known, or cannot be asked.
    pub(super) fn hosts(&self) -> Option<Hosts> {
        let mysql = self.spec.mysql.clone().filter(|_| self.not_here.is_none())?;
        let (password, roots, limits) = (self.secrets.mysql.clone(), self.roots.clone(), self.spec.limits);
        Some(Hosts { home: self.spec.home.clone(), mysql, password, roots, limits })
    }

    /// Makes what is missing, or tells it. `tell` hears of each thing that is made.
    ///
    /// # Errors
    /// `databases-failed`; what was made before that stays, and is named. `settings-missing`: nothing says where MySQL is.
    pub(super) fn ensure(&self, tell: &mut dyn FnMut(&Text)) -> Result<Done, Problem> {
        if let Some(why) = &self.not_here {
            return Ok(Done::new(StageState::Skipped, why));
        }
        let Some(mysql) = &self.spec.mysql else {
            return Err(Problem::settings(id::SETTINGS_MISSING, "no setting and no prod.env says where MySQL is")
                .hint(text!("name it: {}", typed("--mysql-host <HOST>"))));
        };
        let (facts, wrong) = self.log_in();
        let Some(first) = wrong.first() else {
            return Ok(Done::new(StageState::Done, text!("{} logs in and has what it needs", user(mysql))));
        };
        let can_be_made = wrong.iter().all(|finding| MADE.contains(&finding.id));
        let admin = match self.admin {
            Some(admin) if can_be_made => admin,
            _ => {
                let problem = failed(first, &[]);
                return Err(if can_be_made { problem.hint(text!("have it made: {}", typed(CREATE))) } else { problem });
            }
        };
        let mut made = Vec::new();
        let mut hear = |step: Text| {
            tell(&text!("made {}", step));
            made.push(step);
        };
        let session = self.administer(mysql, admin, &facts, &mut Some(&mut hear));
        let (missing, ended) = session.map_err(|finding| failed(&finding, &made))?;
        if let Some(finding) = self.impossible(mysql, admin, &missing) {
            return Err(failed(&finding, &made));
        }
        ended.map_err(|stopped| with_made(stop(mysql, admin, &missing, &stopped), &made))?;
        let (_, wrong) = self.log_in();
        if let Some(first) = wrong.first() {
            return Err(anonymous(failed(first, &made), &missing));
        }
        let detail = text!("made {}; no undo takes that back", Text::join(made.iter().cloned(), ", "));
        let mut done = Done::new(StageState::Changed, detail);
        if missing.steps.contains(&Step::User) {
            done.next_steps.push(text!(
                "{} may log in to MySQL from anywhere; narrow it on the server: {}",
                user(mysql),
                typed(text!(
                    "RENAME USER {} TO {}@'<HOST>';",
                    own(&missing.account),
                    own(mysql::sql::literal(mysql.user.as_deref().unwrap_or(USUAL_USER), true))
                ))
            ));
        }
        Ok(done)
    }

    /// The login of the product's user, and what is wrong with what it finds.
    fn log_in(&self) -> (MysqlFacts, Vec<Finding>) {
        let look = Look {
            host: self.host,
            platform: None,
            spec: &self.spec,
            secrets: &self.secrets,
            roots: &self.roots,
            changes: Some(&[]),
        };
        let facts = Check::collect(&Mysql, &look, self.time(), None);
        let wrong = |finding: &Finding| finding.status == Status::Fail && NEEDED.contains(&finding.id);
        let findings = Check::judge(&Mysql, &facts, &self.spec);
        (facts, findings.into_iter().filter(wrong).collect())
    }

    fn time(&self) -> Time {
        Time::new(self.spec.limits.connect(), self.spec.limits.check())
    }

    /// Logs in as the administrator, looks what is missing and, where `made` is there to hear of it and nothing stands in the
    /// way, makes it.
    fn administer(
        &self,
        mysql: &MysqlSpec,
        admin: &MysqlAdmin,
        product: &MysqlFacts,
        made: &mut Option<&mut dyn FnMut(Text)>,
    ) -> Result<Session, Box<Finding>> {
        let own = if let Some(Login::Open(about)) = &product.login { Some(&**about) } else { None };
        let databases = [mysql.database.as_str(), &mysql.secret_database];
        let need = Need {
            user: mysql.user.as_deref().unwrap_or(USUAL_USER),
            password: self.secrets.mysql.as_ref().map(Secret::expose).unwrap_or_default(),
            databases,
            own,
        };
        let target = Target {
            host: &mysql.at.host,
            port: mysql.at.port,
            tls: mysql.tls,
            account: Some(Account { user: &admin.user, password: admin.password.expose() }),
            databases,
            roots: &self.roots,
        };
        let mut session = None;
        let facts = mysql::look_and(&target, self.host, self.time(), &mut |connection, about| {
            let missing = Missing::look(connection, about, &need)?;
            let mut ended = Ok(());
            if let Some(made) = made
                && self.impossible(mysql, admin, &missing).is_none()
            {
                ended = missing.make(connection, about, &need, &mut |step| made(missing.told(step)))?;
            }
            session = Some((missing, ended));
            Ok(())
        });
        session.ok_or_else(|| Box::new(self.no_session(mysql, admin, &facts)))
    }

    /// Why the administrator has no session, in the words of the check of MySQL.
    fn no_session(&self, mysql: &MysqlSpec, admin: &MysqlAdmin, facts: &MysqlFacts) -> Finding {
        let mysql = MysqlSpec { user: Some(admin.user.clone()), has_password: true, ..mysql.clone() };
        let spec = CheckSpec { mysql: Some(mysql.clone()), ..self.spec.clone() };
        let mut found = Check::judge(&Mysql, facts, &spec).into_iter();
        let found = found.find(|finding| {
            [ids::MYSQL_REACHABLE, ids::MYSQL_TLS, ids::MYSQL_LOGIN, ids::MYSQL_CAPACITY].contains(&finding.id)
                && finding.status.is_wrong()
        });
        let title = text!("the conversation with MySQL on {} broke off", at(&mysql));
        let finding = found.unwrap_or_else(|| {
            Finding::fail(ids::MYSQL_ADMIN, title).cause("a proxy or load balancer in between, or a server in trouble")
        });
        let mut finding = Finding { id: ids::MYSQL_ADMIN, status: Status::Fail, ..finding };
        // They are about the product's user.
        finding.fix.retain(|fix| !fix.text().names_ics_setup());
        finding.advise(text!(
            "name somebody who may make databases and users: {}",
            typed("--mysql-admin-user <USER> --mysql-admin-password-file <FILE>")
        ))
    }

    /// What keeps the administrator from making what is missing.
    fn impossible(&self, mysql: &MysqlSpec, admin: &MysqlAdmin, missing: &Missing) -> Option<Finding> {
        let place = at(mysql);
        let fail = |title: Text| Finding::fail(ids::MYSQL_ADMIN, title);
        if missing.refuses {
            let finding = fail(text!("{} is on {} already, and refuses the login", own(&missing.account), place))
                .expected("an account that takes the password given, or none of that name yet")
                .observed(text!("the account is there, and the login of {} was refused", user(mysql)))
                .cause("the password is another one; it is not changed, since others may log in with it")
                .advise(text!("give the password that it has: {}", typed("--mysql-password-file <FILE>")))
                .advise(text!(
                    "or give it this one, on the server: {}",
                    typed(text!("ALTER USER {} IDENTIFIED BY '<PASSWORD>';", own(&missing.account)))
                ));
            return Some(shadows(missing).fold(finding, Finding::advise));
        }
        if !missing.not_allowed.is_empty() {
            return Some(
                fail(text!("{} may not make what is missing on MySQL on {}", own(&admin.user), place))
                    .expected(text!("the rights to make {}", list(missing)))
                    .observed(text!("it lacks {}", Text::join(missing.not_allowed.iter().cloned(), ", ")))
                    .cause("a user can pass on only what it may itself, WITH GRANT OPTION")
                    .advise(text!(
                        "name somebody who may: {}",
                        typed("--mysql-admin-user <USER> --mysql-admin-password-file <FILE>")
                    )),
            );
        }
        missing.needs_tls.then(|| {
            fail(text!("the password of {} would cross the network to {} as it is", user(mysql), place))
                .expected("TLS, or a server with mysql_native_password")
                .observed("mysql_native_password is not active there, and the connection is plain")
                .cause("with caching_sha2_password the server itself makes what it keeps of a password")
                .advise(text!("have it go over TLS: {}", typed("--mysql-tls")))
        })
    }
}

/// For `tests/lab`: what is found of these settings before anything is written, then how the stage ends and everything that it
/// says, line by line.
pub(crate) fn trial(said: &[(&str, &str)]) -> Result<Vec<String>, Problem> {
    let mut flags = Layer::default();
    for (key, value) in said {
        let spec = by_key(key).ok_or_else(|| Problem::bug(text!("no setting {}", *key)))?;
        flags.insert(spec, (*value).to_owned(), Origin::Flag((*key).to_owned()))?;
    }
    let (host, found) = (RealHost::live(), Found::default());
    let layers = Layers { flags: flags.clone(), ..Layers::default() };
    let resolved =
        Inputs::alone(flags).outside(|outside| Settings::resolve(&layers, &found, outside, &Ignored::default()));
    let (settings, _) = resolved.map_err(Unresolved::into_problem)?;
    let mut redactor = Redactor::default();
    settings.secrets.iter().for_each(|secret| redactor.learn(secret));
    let databases = Databases::of(&host, &settings, &found)?;
    let mut lines: Vec<String> = Vec::new();
    for finding in databases.foresee() {
        lines.push(finding_json(&redactor, &finding).to_string());
    }
    let mut told = Vec::new();
    let ended = databases.ensure(&mut |text| told.push(text.clone()));
    lines.extend(told.iter().map(|text| line(&redactor, text)));
    match ended {
        Ok(done) => {
            lines.push(format!("{}: {}", done.state.as_str(), line(&redactor, &done.detail)));
            lines.extend(done.next_steps.iter().map(|step| line(&redactor, step)));
        }
        Err(problem) => {
            lines.push(format!("failed: {}", line(&redactor, &problem.sentence())));
            lines.extend(problem.hints.iter().map(|hint| line(&redactor, hint.text())));
        }
    }
    Ok(lines)
}

fn at(mysql: &MysqlSpec) -> Text {
    text!("{}", own(host_port(&mysql.at.host, mysql.at.port)))
}

fn user(mysql: &MysqlSpec) -> Text {
    text!("{}", own(mysql.user.as_deref().unwrap_or(USUAL_USER)))
}

fn list(missing: &Missing) -> Text {
    Text::join(missing.steps.iter().map(|step| missing.told(step)), ", ")
}

fn failed(finding: &Finding, made: &[Text]) -> Problem {
    let mut problem = problem_of(finding, id::DATABASES_FAILED);
    // They would be about the values that the host has.
    problem.hints.retain(|fix| !fix.text().names_ics_setup());
    with_made(problem, made)
}

/// Says what stays.
fn with_made(problem: Problem, made: &[Text]) -> Problem {
    match made {
        [] => problem,
        made => problem.hint(text!("what was made on the server stays: {}", Text::join(made.iter().cloned(), ", "))),
    }
}

/// Accounts without a name come before others where they name the client more exactly.
fn shadows(missing: &Missing) -> impl Iterator<Item = Text> {
    let hosts = missing.anonymous.iter().filter(|host| *host != "%");
    hosts.map(|host| {
        let account = mysql::sql::account("", host, true);
        text!(
            "if this host logs in from {}, the account without a name is in the way; on the server: DROP USER {};",
            host,
            own(account)
        )
    })
}

fn anonymous(problem: Problem, missing: &Missing) -> Problem {
    shadows(missing).fold(problem, Problem::hint)
}

/// What the server did not do.
fn stop(mysql: &MysqlSpec, admin: &MysqlAdmin, missing: &Missing, stopped: &Stopped) -> Problem {
    let message = text!("MySQL on {} did not make {}", at(mysql), missing.told(&stopped.step));
    let because = match &stopped.words {
        Some(words) => text!("error {}: {}", stopped.code, words),
        None => text!("error {}", stopped.code),
    };
    let problem = Problem::new(Kind::Outside, id::DATABASES_FAILED, message).because(because);
    match stopped.code {
        1044 | 1045 | 1142 | 1227 => problem.hint(text!(
            "{} may not do that; name somebody who may: {}",
            own(&admin.user),
            typed("--mysql-admin-user <USER> --mysql-admin-password-file <FILE>")
        )),
        1819 => problem.hint(text!(
            "the server has a policy for passwords: {}",
            typed("SHOW VARIABLES LIKE 'validate_password%';")
        )),
        CANNOT_USER => problem
            .hint(text!("look whether it is there: {}", typed(text!("SHOW CREATE USER {};", own(&missing.account))))),
        code => problem.hint(text!("look what the number means: {}", typed(text!("perror {}", code)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_secret_is_not_looked_up() {
        let said = [("aws.secret_name", "prod/ics"), ("aws.region", "us-east-1")];
        let lines = trial(&said).unwrap();
        assert_eq!(lines, ["skipped: in AWS secret prod/ics, not looked up: the product alone reads it"]);
        let creates = trial(&[&said[..], &[("mysql.create_databases", "true")]].concat()).unwrap_err();
        assert!(creates.id == "settings-conflict" && creates.kind == Kind::Settings, "{creates:?}");
    }
}
