//! Each question.

use super::{Then, Wizard};
use crate::network::catalogue::Catalogue;
use crate::problem::Problem;
use crate::settings::Key;
use crate::vendor::{Vendor, prod_env};
use crate::wizard::answers::{Answers, Proxy, Scope};
use crate::wizard::prompt::{Ask, Reply};
use crate::wizard::{Ended, parse};

impl Wizard<'_> {
    /// A setting of the table, as text.
    pub(super) fn text(&mut self, key: Key, usual: &str, back: bool) -> Result<Then, Ended> {
        let question = asked(key)?;
        let known = self.known.known(key, &self.found()?).unwrap_or_else(|| usual.to_owned());
        // The name of the Test Drive's container is no server of a production deployment.
        let known = match (key, known.as_str()) {
            (Key::MysqlHost, "mysql") | (Key::RedisHost, "redis") => String::new(),
            _ => known,
        };
        let default = self.answers.get(key).map_or(known, str::to_owned);
        let ask = Ask::of(question, decides(key), back).or(Some(default.as_str()).filter(|text| !text.is_empty()));
        let read = |text: &str| parse::of_key(key, text).map(|()| text.to_owned());
        let Some(text) = self.line(&ask, read)? else { return Ok(Then::Back) };
        self.answers.set(key, text);
        Ok(Then::On)
    }

    /// Test Drive, production, or a host that the vendor runs: there is nothing to ask then.
    pub(super) fn deployed(&mut self, back: bool) -> Result<Then, Ended> {
        let question = asked(Key::Deployment)?;
        let has_product = self.known.has_product(&self.home());
        let choices = [
            (Some("test-drive"), "Test Drive: MySQL and Redis run on this host"),
            (Some("production"), "production: MySQL and Redis are servers of your own"),
            (None, "run by the vendor: SaaS, or self-hosted and managed"),
        ];
        let choices = if has_product { &choices[..2] } else { &choices };
        let said = self.deployment();
        let default = choices.iter().position(|(word, _)| *word == Some(said.as_str())).unwrap_or(0);
        let help = "The deployment decides which servers are asked for and what goes without the proxy";
        let options: Vec<String> = choices.iter().map(|(_, words)| (*words).to_owned()).collect();
        let Some(index) = self.choose(&Ask::of(question, help, back), &options, default)? else {
            return Ok(Then::Back);
        };
        match choices.get(index) {
            Some((Some(word), _)) => self.answers.set(Key::Deployment, *word),
            _ => return Err(Ended::Vendors),
        }
        Ok(Then::On)
    }

    /// The platform's region, of those that the catalogue has; one that only a file of the user's knows can be given by flag.
    pub(super) fn region(&mut self, back: bool) -> Result<Then, Ended> {
        let catalogue = Catalogue::shipped();
        let mut words: Vec<String> = catalogue.regions.keys().cloned().collect();
        // The first region of all is the first in the list; the others follow by name.
        words.sort_by_key(|word| (word != "us", word.clone()));
        words.extend(self.said(Key::AgentRegion).filter(|said| !catalogue.regions.contains_key(said)));
        self.one_of(Key::AgentRegion, words, back)
    }

    /// A setting of the table, chosen from these words.
    fn one_of(&mut self, key: Key, words: Vec<String>, back: bool) -> Result<Then, Ended> {
        let question = asked(key)?;
        let said = self.said(key);
        let default = words.iter().position(|word| Some(word) == said.as_ref()).unwrap_or(0);
        let ask = Ask::of(question, decides(key), back);
        let Some(index) = self.choose(&ask, &words, default)? else { return Ok(Then::Back) };
        self.answers.set(key, words.get(index).map(String::as_str).unwrap_or_default());
        Ok(Then::On)
    }

    /// No or yes; no is what nobody has to think about.
    pub(super) fn yes(&mut self, ask: &Ask<'_>, place: fn(&mut Answers) -> &mut bool) -> Result<Then, Ended> {
        let default = usize::from(*place(&mut self.answers));
        let Some(index) = self.choose(ask, &["no", "yes"].map(str::to_owned), default)? else { return Ok(Then::Back) };
        *place(&mut self.answers) = index == 1;
        Ok(Then::On)
    }

    /// The number of one of several options; `None`: back.
    pub(super) fn choose(&mut self, ask: &Ask<'_>, options: &[String], default: usize) -> Result<Option<usize>, Ended> {
        let ask = Ask { part: (!ask.careful).then(|| self.at.part()), ..*ask };
        match self.prompter.choose(&ask, options, default)? {
            Reply::Given(index) => Ok(Some(index)),
            Reply::Back => Ok(None),
        }
    }

    /// A line of text, asked for until `read` takes it; `None`: back.
    fn line<T>(&mut self, ask: &Ask<'_>, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Ended> {
        let ask = Ask { part: Some(self.at.part()), ..*ask };
        loop {
            let Reply::Given(text) = self.prompter.line(&ask)? else { return Ok(None) };
            match read(&text) {
                Ok(answer) => return Ok(Some(answer)),
                Err(sentence) => self.prompter.complain(&sentence),
            }
        }
    }

    pub(super) fn scope(&mut self, back: bool) -> Result<Then, Ended> {
        let file = self.known.host.shown(&prod_env(&self.home()));
        let (question, help, scopes) = if self.known.has_product(&self.home()) {
            let help = format!("The product's own proxy and servers stand in {}", file.display());
            ("What is to be set?", help, vec![Scope::Both, Scope::Product, Scope::System])
        } else {
            // An image cannot start it, and on a system that the vendor does not list it is a trial.
            let scopes = match self.known.host.is_live() && self.known.platform.is_listed() {
                true => vec![Scope::Install, Scope::System],
                false => vec![Scope::System, Scope::Install],
            };
            ("What is to be done?", String::new(), scopes)
        };
        let options: Vec<String> = scopes.iter().map(|scope| self.task(*scope).to_owned()).collect();
        let chosen = |scope: &Scope| self.answers.scope_chosen && *scope == self.answers.scope;
        let default = scopes.iter().position(chosen).unwrap_or(0);
        let ask = Ask::of(question, &help, back);
        let Some(index) = self.choose(&ask, &options, default)? else { return Ok(Then::Back) };
        self.answers.scope = scopes.get(index).copied().unwrap_or_default();
        self.answers.scope_chosen = true;
        Ok(Then::On)
    }

    /// What is to be done, in words.
    pub(super) fn task(&self, scope: Scope) -> &'static str {
        match scope {
            Scope::Both => "the system and the product",
            Scope::Product => "the product: prod.env",
            Scope::System if self.known.has_product(&self.home()) => "the system: logins and the Docker daemon",
            Scope::System => "prepare the system only: logins and the Docker daemon",
            Scope::Install if self.known.host.is_live() => "install the product: from here to healthy",
            Scope::Install => "write the product's files too; install there starts it",
        }
    }

    pub(super) fn proxy(&mut self, back: bool) -> Result<Then, Ended> {
        let found = self.found()?;
        let present: Vec<_> = [Key::ProxyHttp, Key::ProxyHttps]
            .into_iter()
            .filter_map(|key| Some((key, self.known.proxy(key, &found)?)))
            .collect();
        let mut choices = Vec::new();
        let usable = !present.is_empty() && present.iter().all(|(_, url)| url.value.port.is_some());
        if usable {
            let mut shown: Vec<String> = present.iter().map(|(_, url)| url.value.masked()).collect();
            shown.dedup();
            choices.push((Proxy::Keep, format!("the present one: {}", shown.join(" and "))));
        }
        let (question, others) = if present.is_empty() && found.a_proxy().is_none() {
            let others = [(Proxy::Set, "through a proxy"), (Proxy::None, "without a proxy")];
            ("How does this host reach the internet?", others)
        } else {
            ("Which proxy?", [(Proxy::Set, "another one"), (Proxy::Remove, "none: take the proxy out")])
        };
        choices.extend(others.map(|(choice, words)| (choice, words.to_owned())));
        let (choices, options): (Vec<Proxy>, Vec<String>) = choices.into_iter().unzip();
        let chosen = |choice: &Proxy| self.answers.proxy_chosen && *choice == self.answers.proxy;
        let default = choices.iter().position(chosen).unwrap_or(0);
        let ask = Ask::of(question, "", back);
        let Some(index) = self.choose(&ask, &options, default)? else { return Ok(Then::Back) };
        let choice = choices.get(index).copied().unwrap_or_default();
        if choice != self.answers.proxy {
            // It was the password of another proxy.
            self.answers.set(Key::ProxyPassword, "");
        }
        self.answers.proxy_chosen = true;
        self.answers.proxy = choice;
        self.answers.kept = match present.as_slice() {
            [(_, http), (_, https)] if http.value == https.value => vec![(Key::ProxyUrl, http.value.clone())],
            present => present.iter().map(|(key, url)| (*key, url.value.clone())).collect(),
        };
        Ok(Then::On)
    }

    pub(super) fn url(&mut self, back: bool) -> Result<Then, Ended> {
        let question = asked(Key::ProxyUrl)?;
        let known = match &self.answers.url {
            Some(url) => Some(url.render()),
            None => self.known.proxy(Key::ProxyHttp, &self.found()?).map(|mut url| {
                url.value.credentials = None;
                url.value.render()
            }),
        };
        let help = "HOST, HOST:PORT or http://HOST:PORT; user and password are asked for by themselves";
        let ask = Ask::of(question, help, back).or(known.as_deref());
        let Some(mut url) = self.line(&ask, parse::proxy)? else { return Ok(Then::Back) };
        let has_user = url.credentials.is_some();
        if let Some(login) = url.credentials.take() {
            self.answers.set(Key::ProxyUser, String::from_utf8_lossy(&login.user).into_owned());
            self.answers.login = true;
        }
        // What the proxy before this one has said of logins is nothing of this one's.
        self.answers.login &= has_user || !self.answers.login_known;
        (self.answers.login_seen, self.answers.login_known) = (false, false);
        self.answers.url = Some(url);
        Ok(Then::On)
    }

    pub(super) fn port(&mut self, back: bool) -> Result<Then, Ended> {
        let ask =
            Ask::of("Port of the proxy", "A missing port is 80, 443 or 1080 to clients, so it is written out", back);
        let Some(port) = self.line(&ask, parse::port)? else { return Ok(Then::Back) };
        if let Some(url) = &mut self.answers.url {
            url.port = Some(port);
        }
        // It is part of the URL now: the way back leads to that question.
        Ok(Then::Silent)
    }

    pub(super) fn hidden(&mut self, key: Key, default: Option<&str>, back: bool) -> Result<Then, Ended> {
        let question = asked(key)?;
        let ask = Ask { part: Some(self.at.part()), ..Ask::of(question, "", back).or(default) };
        loop {
            match self.prompter.secret(&ask)? {
                Reply::Back => return Ok(Then::Back),
                Reply::Given(Some(typed)) if typed.contains('\0') => self.prompter.complain("a password has no NUL"),
                Reply::Given(Some(typed)) => {
                    self.answers.set(key, typed);
                    return Ok(Then::On);
                }
                Reply::Given(None) if default.is_some() => return Ok(Then::On),
                Reply::Given(None) => self.prompter.complain("an answer is needed here"),
            }
        }
    }

    pub(super) fn exclusions(&mut self, back: bool) -> Result<Then, Ended> {
        let question = asked(Key::ProxyNoProxy)?;
        let members = &Vendor::get().no_proxy;
        let test_drive = (self.deployment() == "test-drive").then_some(&members.test_drive);
        let built_in: Vec<&str> =
            members.base.iter().chain(test_drive.into_iter().flatten()).map(String::as_str).collect();
        let help = format!("They are added to {} and to what is on the host already", built_in.join(","));
        let saved = self.known.layers.get(Key::ProxyNoProxy).map(|setting| setting.value.clone());
        let answered = self.answers.get(Key::ProxyNoProxy).map(str::to_owned);
        let default = answered.or(saved.clone());
        let ask = Ask::of(question, &help, back).or(default.as_deref()).or_nothing("none besides");
        let read = |text: &str| {
            let text = without_dash(text);
            parse::no_proxy(&text)?;
            if text.is_empty() && saved.is_some() {
                return Err("the saved list stays until another one is named".to_owned());
            }
            Ok(text)
        };
        let Some(text) = self.line(&ask, read)? else { return Ok(Then::Back) };
        self.answers.set(Key::ProxyNoProxy, text);
        Ok(Then::On)
    }

    pub(super) fn collectors(&mut self, back: bool) -> Result<Then, Ended> {
        let question = asked(Key::AgentCollector)?;
        let said = self.said(Key::AgentCollector);
        let help = "Collectors that the agents of this host talk to, separated by commas; - for none";
        let ask = Ask::of(question, help, back).or(said.as_deref()).or_nothing("none");
        let read = |text: &str| parse::hosts(&without_dash(text)).map(|()| without_dash(text));
        let Some(text) = self.line(&ask, read)? else { return Ok(Then::Back) };
        self.answers.set(Key::AgentCollector, text);
        Ok(Then::On)
    }
}

/// The answer to a question where `-` means none.
fn without_dash(text: &str) -> String {
    if text == "-" { String::new() } else { text.to_owned() }
}

/// The question for a setting.
fn asked(key: Key) -> Result<&'static str, Problem> {
    key.spec().question.ok_or_else(|| Problem::bug(format!("there is no question for the setting {key}")))
}

/// What an answer decides, where the question does not say it.
fn decides(key: Key) -> &'static str {
    match key {
        Key::ProxyUser => "Type it as it is; it is encoded where a URL needs that",
        Key::MysqlHost => "Both databases are looked for on this server",
        Key::MysqlUser => "The product logs in as this user, who needs all rights on both databases",
        Key::MysqlDatabase => "The product keeps its data in it, but for the encryption keys",
        Key::MysqlSecretDatabase => "The encryption keys are in it, apart from the data",
        Key::MysqlAdminUser => "Makes databases, user and rights now; the product does not get to know this login",
        Key::AgentRegion => "Decides which servers of the platform the network checks try to reach",
        _ => "",
    }
}
