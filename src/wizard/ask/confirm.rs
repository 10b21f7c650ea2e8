//! The world's word on an answer, and what the person makes of it.

use super::{Step, Then, Wizard};
use crate::check::{CheckSpec, Limits, Secrets};
use crate::finding::ids;
use crate::report::set;
use crate::settings::{Effective, Key, ProxyUrl, Scheme, Unresolved};
use crate::wizard::Ended;
use crate::wizard::answers::{Proxy, Scope, Topic};
use crate::wizard::prompt::Ask;
use crate::wizard::world::{Advice, Verdict, World};

impl Wizard<'_> {
    /// Asks the proxy itself before asking the person.
    pub(super) fn login(&mut self, back: bool) -> Result<Then, Ended> {
        if !self.answers.login_seen
            && let Some(url) = self.answers.url.clone()
        {
            let verdict = self.look(&format!("asking {}", url.masked()), &mut |world| world.proxy(&url));
            (self.answers.login_seen, self.answers.login_known) = (true, false);
            self.answers.unreached = matches!(verdict.about, Some(ids::PROXY_RESOLVES | ids::PROXY_CONNECTS));
            if verdict.wants_login {
                self.answers.login = true;
                self.answers.said.insert(Topic::Proxy, verdict.beside());
                self.prompter.remark(&verdict.said);
            } else if let Some(then) = self.judged(&verdict, Step::Url, Step::Login)? {
                return Ok(then);
            }
            let saved = self.known.proxy(Key::ProxyHttp, &self.found()?).filter(|saved| saved.value.same_place(&url));
            if let Some(login) = saved.and_then(|saved| saved.value.credentials) {
                self.answers.login = true;
                if self.answers.get(Key::ProxyUser).is_none() {
                    self.answers.set(Key::ProxyUser, String::from_utf8_lossy(&login.user).into_owned());
                }
            }
            self.answers.login_known =
                verdict.wants_login || verdict.login_is_no_help || (verdict.good && !self.answers.login);
            self.answers.login &= !verdict.login_is_no_help;
            if self.answers.login_known {
                return Ok(Then::Silent);
            }
        }
        let options = ["no login", "user and password"].map(str::to_owned);
        let ask = Ask::of("Does the proxy want a login?", "", back);
        let default = usize::from(self.answers.login);
        let Some(index) = self.choose(&ask, &options, default)? else { return Ok(Then::Back) };
        self.answers.login = index == 1;
        Ok(Then::On)
    }

    /// The proxy as it will be used, login and all.
    pub(super) fn probe(&mut self) -> Result<Then, Ended> {
        let settings = self.known.resolve(&self.answers.layer(self.known)?, &self.found()?);
        let settings = settings.map_err(Unresolved::into_problem)?;
        let mut urls: Vec<_> = settings.proxies.iter().map(|url| url.value.clone()).collect();
        urls.dedup();
        // Without a login it was looked at before; and who went on without having reached it is not asked the same again.
        let seen = self.answers.login_seen && (!self.answers.login || self.answers.unreached);
        for url in urls.into_iter().filter(|_| !seen) {
            let verdict = self.look(&format!("asking {}", url.masked()), &mut |world| world.proxy(&url));
            let refused =
                verdict.about == Some(ids::PROXY_CREDENTIALS) && self.answers.login && !verdict.login_is_no_help;
            let mend = match self.answers.proxy {
                Proxy::Set if refused => Step::User,
                Proxy::Set => Step::Url,
                _ => Step::Proxy,
            };
            let again = if mend == Step::Url && !self.answers.login { Step::Login } else { Step::Probe };
            if let Some(then) = self.judged(&verdict, mend, again)? {
                if refused && matches!(then, Then::To(Step::User)) {
                    // Enter must not send it again: that locks accounts.
                    self.answers.set(Key::ProxyPassword, "");
                }
                return Ok(then);
            }
        }
        Ok(Then::Silent)
    }

    /// MySQL or Redis, as far as answers go by now: without a login until there are user and password.
    pub(super) fn back_end(&mut self, step: Step) -> Result<Then, Ended> {
        let login = matches!(step, Step::MysqlLogin | Step::RedisLogin);
        let is_mysql = matches!(step, Step::Mysql | Step::MysqlLogin);
        let (host, tls) = if is_mysql { (Key::MysqlHost, Key::MysqlTls) } else { (Key::RedisHost, Key::RedisTls) };
        if !login && !self.known.given(tls) {
            // It was said of another server.
            self.answers.set(tls, "");
        }
        let Some((spec, secrets)) = self.wanted(login)? else { return Ok(Then::Silent) };
        // Who went on without it is not asked the same again, and a login needs something to log in with.
        let (target, passed, lacks_login) = if is_mysql {
            let own = spec.mysql.as_ref();
            let lacks_login = secrets.mysql.is_none() || own.is_none_or(|mysql| mysql.user.is_none());
            (own.map(|mysql| (&mysql.at, mysql.tls)), self.answers.mysql_passed, lacks_login)
        } else {
            let lacks_login = secrets.redis.is_none() && !self.answers.redis_login;
            (spec.redis.as_ref().map(|redis| (&redis.at, redis.tls)), self.answers.redis_passed, lacks_login)
        };
        let is_idle = login && (passed || lacks_login);
        let Some((at, said_tls)) = target.filter(|_| !is_idle) else { return Ok(Then::Silent) };
        let name = format!("{}:{}", at.host, at.port);
        let verdict = self.look(&format!("asking {name}"), &mut |world| match is_mysql {
            true => world.mysql(&spec, &secrets),
            false => world.redis(&spec, &secrets),
        });
        if !is_mysql && !login {
            self.answers.redis_login = verdict.wants_login;
        }
        let takes_tls = verdict.wants_tls && said_tls.is_none();
        if takes_tls {
            self.answers.set(tls, "true");
        }
        // Redis without the password that it wants is no good, once there is nobody left to be asked for it.
        let refused = login && !is_mysql && verdict.wants_login;
        let verdict = if refused {
            let said = format!("Redis on {name} wants a password, and none was given");
            Verdict { good: false, said, ..verdict }
        } else {
            verdict
        };
        let mend = match verdict.about.filter(|_| login) {
            _ if refused => Step::Hidden(Key::RedisPassword),
            Some(id) => Step::to_blame(id).unwrap_or(Step::Plain(host)),
            None => Step::Plain(host),
        };
        let is_missing = step == Step::MysqlLogin && self.answers.scope == Scope::Install && is_made(&verdict);
        let given = self.known.given(Key::CreateDatabases);
        let then = if is_missing && self.answers.creates {
            self.prompter.remark(&verdict.said);
            self.prompter.detail("what is missing is made by the administrator who is asked for next");
            Some(Then::Silent)
        } else {
            self.answers.creates &= given || step != Step::MysqlLogin;
            self.decided(&verdict, mend, step, is_missing)?
        };
        let passed = !verdict.good && then.is_none();
        let ids = &mut self.answers.passed[usize::from(is_mysql)];
        if !login {
            ids.clear();
        }
        if passed {
            ids.extend(&verdict.failing);
        }
        match step {
            Step::Mysql => self.answers.mysql_passed = passed,
            Step::Redis => self.answers.redis_passed = passed,
            _ => {}
        }
        if verdict.good && takes_tls {
            self.prompter.remark(&format!("noted in the settings: {tls} = true"));
        }
        Ok(then.unwrap_or(Then::Silent))
    }

    /// Can the administrator make what is missing?
    pub(super) fn administrator(&mut self) -> Result<Then, Ended> {
        let found = self.found()?;
        let settings = match self.known.resolve(&self.answers.layer(self.known)?, &found) {
            Ok(settings) => settings,
            Err(Unresolved::Missing(_)) => return Ok(Then::Silent),
            Err(unresolved) => return Err(unresolved.into_problem().into()),
        };
        let verdict = self.look("asking what is missing", &mut |world| world.administrator(&settings, &found));
        if verdict.said.is_empty() {
            return Ok(Then::Silent);
        }
        let then = self.judged(&verdict, Step::Plain(Key::MysqlAdminUser), Step::MysqlAdmin)?;
        if !verdict.good && then.is_none() {
            self.answers.passed[1].extend(&verdict.failing);
        }
        Ok(then.unwrap_or(Then::Silent))
    }

    /// What the answers ask for, as checks know it; `None`: the questions after this one are needed for that.
    fn wanted(&self, login: bool) -> Result<Option<(CheckSpec, Secrets)>, Ended> {
        let found = self.found()?;
        let settings = match self.known.resolve(&self.answers.layer(self.known)?, &found) {
            Ok(settings) => settings,
            Err(Unresolved::Missing(_)) => return Ok(None),
            Err(unresolved) => return Err(unresolved.into_problem().into()),
        };
        let effective = Effective::new(&settings, &found);
        let (mut spec, mut secrets) = CheckSpec::new(&settings, &effective, Vec::new(), Limits::default());
        if !login {
            (secrets.mysql, secrets.redis) = (None, None);
            if let Some(mysql) = &mut spec.mysql {
                (mysql.user, mysql.has_password) = (None, false);
            }
            if let Some(redis) = &mut spec.redis {
                redis.has_password = false;
            }
        }
        Ok(Some((spec, secrets)))
    }

    fn look(&mut self, what: &str, ask: &mut dyn FnMut(&dyn World) -> Verdict) -> Verdict {
        // What was said before is looked at anew.
        if self.answers.said.remove(&self.at.topic()).is_some() {
            self.draw();
        }
        let world = self.world;
        self.prompter.during(what, &mut || ask(world))
    }

    /// Says what the world said. `None`: go on. `mend` is the question whose answer is to blame, `again` the step that looks.
    fn judged(&mut self, verdict: &Verdict, mend: Step, again: Step) -> Result<Option<Then>, Ended> {
        self.decided(verdict, mend, again, false)
    }

    /// The same, where what is missing on MySQL could be made.
    fn decided(&mut self, verdict: &Verdict, mend: Step, again: Step, can_make: bool) -> Result<Option<Then>, Ended> {
        self.answers.said.insert(self.at.topic(), verdict.beside());
        if verdict.good {
            self.prompter.remark(&verdict.said);
        } else {
            self.prompter.complain(&verdict.said);
            self.advise(verdict.advice.as_ref());
        }
        for (sentence, advice) in &verdict.noticed {
            self.prompter.remark(&format!("and: {sentence}"));
            self.advise(advice.as_ref());
        }
        if verdict.good {
            return Ok(None);
        }
        let can_mend = self.is_relevant(mend)?;
        let other = self.answers.url.as_ref().filter(|_| verdict.wrong_scheme && self.answers.proxy == Proxy::Set);
        let other = other.map(|url| {
            let scheme = if url.scheme == Scheme::Http { Scheme::Https } else { Scheme::Http };
            ProxyUrl { scheme, ..url.clone() }
        });
        let mut choices = Vec::new();
        choices.extend(other.map(|url| (format!("take {}", url.render()), Choice::Take(url))));
        choices.extend(can_mend.then(|| ("change the answer".to_owned(), Choice::Change)));
        let create = choices.len();
        choices.extend(can_make.then(|| ("have databases and user created".to_owned(), Choice::Create)));
        choices.push(("go on anyway".to_owned(), Choice::GoOn));
        choices.push(("look again".to_owned(), Choice::Look));
        // What is mended on the server is looked at again; here there is nothing to change.
        let elsewhere = matches!(verdict.about, Some(ids::MYSQL_DATABASES | ids::MYSQL_GRANTS | ids::MYSQL_CAPACITY));
        let default = match elsewhere {
            true if can_make => create,
            true => choices.len() - 1,
            false => 0,
        };
        let options: Vec<String> = choices.iter().map(|(words, _)| words.clone()).collect();
        let ask = Ask { careful: true, ..Ask::of("What now?", "", false) };
        let Some(index) = self.choose(&ask, &options, default)? else { return Ok(None) };
        Ok(match choices.into_iter().nth(index) {
            Some((_, Choice::Take(url))) => {
                self.answers.url = Some(url);
                self.answers.login_seen = false;
                Some(Then::To(Step::Login))
            }
            Some((_, Choice::Change)) => Some(Then::To(mend)),
            Some((_, Choice::Create)) => {
                self.answers.creates = true;
                Some(Then::Silent)
            }
            Some((_, Choice::Look)) => {
                self.answers.login_seen = again != Step::Login && self.answers.login_seen;
                Some(Then::To(again))
            }
            Some((_, Choice::GoOn)) | None => None,
        })
    }

    fn advise(&mut self, advice: Option<&Advice>) {
        match advice {
            Some(Advice::Do(what)) => {
                let columns = Some(self.prompter.window().1);
                let lines = set(&what.labelled("try"), 6, columns);
                self.prompter.say(&format!("    {}", lines.join("\n      ")));
            }
            Some(Advice::Know(sentence)) => self.prompter.detail(sentence),
            None => {}
        }
    }
}

/// Is all that fails something that an administrator of MySQL can make?
fn is_made(verdict: &Verdict) -> bool {
    let is_made = |id| [ids::MYSQL_LOGIN, ids::MYSQL_DATABASES, ids::MYSQL_GRANTS].contains(id);
    !verdict.failing.is_empty() && verdict.failing.iter().all(is_made)
}

/// What can be done about an answer that the world does not agree with.
enum Choice {
    /// This proxy in its place.
    Take(ProxyUrl),
    /// Another answer.
    Change,
    /// An administrator makes what is missing.
    Create,
    /// Nothing.
    GoOn,
    /// Asking the world once more.
    Look,
}
