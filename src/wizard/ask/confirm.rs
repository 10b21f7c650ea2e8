//! The world's word on an answer, and what the person makes of it.

use super::{Step, Then, Wizard};
use crate::wizard::Ended;
use crate::wizard::answers::Proxy;
use crate::wizard::prompt::{Ask, Reply};
use crate::wizard::world::{Verdict, World};

impl Wizard<'_> {
    /// Asks the proxy itself before asking the person.
    pub(super) fn login(&mut self, back: bool) -> Result<Then, Ended> {
        if !self.answers.login_seen
            && let Some(url) = self.answers.url.clone()
        {
            let verdict = self.look(&format!("asking {}", url.masked()), &mut |world| world.proxy(&url));
            self.answers.login_seen = true;
            if verdict.wants_login {
                self.answers.login = true;
                self.prompter.remark(&verdict.said);
            } else if let Some(then) = self.judged(&verdict, Step::Url, true)? {
                return Ok(then);
            }
            let saved = self.ground.proxy("proxy.http", &self.found()?).filter(|saved| saved.value.same_place(&url));
            if let Some(login) = saved.and_then(|saved| saved.value.credentials) {
                self.answers.login = true;
                if self.answers.get("proxy.user").is_none() {
                    self.answers.set("proxy.user", String::from_utf8_lossy(&login.user).into_owned());
                }
            }
        }
        let options = ["no login".to_owned(), "user and password".to_owned()];
        let default = usize::from(self.answers.login);
        let ask = Ask::of("Does the proxy want a login?", "", back);
        match self.prompter.choose(&ask, &options, default)? {
            Reply::Back => Ok(Then::Back),
            Reply::Given(index) => {
                self.answers.login = index == 1;
                Ok(Then::On)
            }
        }
    }

    /// The proxy as it will be used, login and all.
    pub(super) fn probe(&mut self) -> Result<Then, Ended> {
        let settings = match self.ground.resolve(&self.answers.layer(self.ground)?, &self.found()?) {
            Ok(settings) => settings,
            Err(unresolved) => return Err(Ended::Problem(unresolved.into_problem())),
        };
        let mut urls: Vec<_> = settings.proxies.iter().map(|url| url.value.clone()).collect();
        urls.dedup();
        // Without a login it was looked at before.
        let seen = self.answers.login_seen && !self.answers.login;
        for url in urls.into_iter().filter(|_| !seen) {
            let verdict = self.look(&format!("asking {}", url.masked()), &mut |world| world.proxy(&url));
            let refused = verdict.said.contains("(407)") && self.answers.login;
            let mend = match self.answers.proxy {
                Proxy::Set if refused => Step::User,
                Proxy::Set => Step::Url,
                _ => Step::Proxy,
            };
            let can_mend = self.is_relevant(mend)?;
            if let Some(then) = self.judged(&verdict, mend, can_mend)? {
                return Ok(then);
            }
        }
        Ok(Then::Silent)
    }

    pub(super) fn back_end(&mut self, host: &'static str, port: &'static str, usual: &str) -> Result<Then, Ended> {
        let name = self.answers.get(host).unwrap_or_default().to_owned();
        let number = self.answers.get(port).unwrap_or(usual).parse().unwrap_or(0);
        let verdict = self.look(&format!("asking {name}:{number}"), &mut |world| match host {
            "mysql.host" => world.mysql(&name, number),
            _ => world.redis(&name, number),
        });
        Ok(self.judged(&verdict, Step::Plain(host), true)?.unwrap_or(Then::Silent))
    }

    fn look(&mut self, what: &str, ask: &mut dyn FnMut(&dyn World) -> Verdict) -> Verdict {
        let world = self.world;
        self.prompter.during(what, &mut || ask(world))
    }

    /// Says what the world said. `None`: go on.
    fn judged(&mut self, verdict: &Verdict, mend: Step, can_mend: bool) -> Result<Option<Then>, Ended> {
        if verdict.good {
            self.prompter.remark(&verdict.said);
            return Ok(None);
        }
        self.prompter.complain(&verdict.said);
        let mut options = vec!["go on anyway".to_owned(), "look again".to_owned()];
        if can_mend {
            options.insert(0, "change the answer".to_owned());
        }
        let again = match mend {
            Step::Plain("mysql.host") => Step::Mysql,
            Step::Plain("redis.host") => Step::Redis,
            Step::Url if !self.answers.login => Step::Login,
            _ => Step::Probe,
        };
        let ask = Ask { careful: true, ..Ask::of("What now?", "", false) };
        match self.prompter.choose(&ask, &options, 0)? {
            Reply::Given(0) if can_mend => Ok(Some(Then::To(mend))),
            Reply::Given(index) if index + 1 == options.len() => {
                self.answers.login_seen = again != Step::Login && self.answers.login_seen;
                Ok(Some(Then::To(again)))
            }
            _ => Ok(None),
        }
    }
}
