//! Each question.

use super::{Then, Wizard};
use crate::network::catalogue::Catalogue;
use crate::problem::Problem;
use crate::settings::{Found, Key, Shape, Spec};
use crate::vendor::{Vendor, prod_env};
use crate::wizard::answers::{Answers, Proxy, Scope};
use crate::wizard::prompt::{Ask, Reply};
use crate::wizard::{Ended, parse};

impl Wizard<'_> {
    /// A setting of the table, as text.
    pub(super) fn text(&mut self, key: Key, usual: &str, back: bool) -> Result<Then, Ended> {
        let (spec, question) = asked(key)?;
        let known = self.known.known(key, &self.found()?).unwrap_or_else(|| usual.to_owned());
        // The name of the Test Drive's container is no server of a production deployment.
        let known = match (key, known.as_str()) {
            (Key::MysqlHost, "mysql") | (Key::RedisHost, "redis") => String::new(),
            _ => known,
        };
        let default = self.answers.get(key).map_or(known, str::to_owned);
        let ask = Ask::of(question, spec.help, back).or(Some(default.as_str()).filter(|text| !text.is_empty()));
        loop {
            let Reply::Given(text) = self.prompter.line(&ask)? else { return Ok(Then::Back) };
            match parse::of_key(key, &text) {
                Ok(()) => {
                    self.answers.set(key, text);
                    return Ok(Then::On);
                }
                Err(sentence) => self.prompter.complain(&sentence),
            }
        }
    }

    /// A setting of the table that is one of a few words.
    pub(super) fn word(&mut self, key: Key, back: bool) -> Result<Then, Ended> {
        let (spec, question) = asked(key)?;
        let Shape::Choice(words) = spec.shape else { return self.text(key, "", back) };
        let known = self.answers.get(key).map(str::to_owned).or_else(|| self.known.known(key, &Found::default()));
        let default = words.iter().position(|word| Some(*word) == known.as_deref()).unwrap_or(0);
        let options: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match self.prompter.choose(&Ask::of(question, spec.help, back), &options, default)? {
            Reply::Back => Ok(Then::Back),
            Reply::Given(index) => {
                self.answers.set(key, words.get(index).copied().unwrap_or_default());
                Ok(Then::On)
            }
        }
    }

    /// The platform's region, of those that the catalogue has; one that only a file of the user's knows can be given by flag.
    pub(super) fn region(&mut self, back: bool) -> Result<Then, Ended> {
        let key = Key::AgentRegion;
        let (spec, question) = asked(key)?;
        let catalogue = Catalogue::shipped();
        let known = self.answers.get(key).map(str::to_owned).or_else(|| self.known.known(key, &Found::default()));
        let mut words: Vec<String> = catalogue.regions.keys().cloned().collect();
        // The first region of all is the first in the list; the others follow by name.
        words.sort_by_key(|word| (word != "us", word.clone()));
        words.extend(known.clone().filter(|known| !catalogue.regions.contains_key(known)));
        let default = words.iter().position(|word| Some(word) == known.as_ref()).unwrap_or(0);
        match self.prompter.choose(&Ask::of(question, spec.help, back), &words, default)? {
            Reply::Back => Ok(Then::Back),
            Reply::Given(index) => {
                self.answers.set(key, words.get(index).map(String::as_str).unwrap_or_default());
                Ok(Then::On)
            }
        }
    }

    /// No or yes; no is what nobody has to think about.
    pub(super) fn yes(&mut self, ask: &Ask<'_>, place: fn(&mut Answers) -> &mut bool) -> Result<Then, Ended> {
        let options = ["no".to_owned(), "yes".to_owned()];
        let default = usize::from(*place(&mut self.answers));
        match self.prompter.choose(ask, &options, default)? {
            Reply::Back => Ok(Then::Back),
            Reply::Given(index) => {
                *place(&mut self.answers) = index == 1;
                Ok(Then::On)
            }
        }
    }

    pub(super) fn scope(&mut self, back: bool) -> Result<Then, Ended> {
        let file = self.known.host.shown(&prod_env(&self.home()));
        let help = format!("{} is there: the product is installed", file.display());
        let options = [
            "the system and the product".to_owned(),
            "the product: prod.env".to_owned(),
            "the system: logins and the Docker daemon".to_owned(),
        ];
        let scopes = [Scope::Both, Scope::Product, Scope::System];
        let chosen = |scope: &Scope| self.answers.scope_chosen && *scope == self.answers.scope;
        let default = scopes.iter().position(chosen).unwrap_or(0);
        match self.prompter.choose(&Ask::of("What is to be set?", &help, back), &options, default)? {
            Reply::Back => Ok(Then::Back),
            Reply::Given(index) => {
                self.answers.scope = scopes.get(index).copied().unwrap_or_default();
                self.answers.scope_chosen = true;
                Ok(Then::On)
            }
        }
    }

    pub(super) fn proxy(&mut self, back: bool) -> Result<Then, Ended> {
        let found = self.found()?;
        let present: Vec<_> = [Key::ProxyHttp, Key::ProxyHttps]
            .into_iter()
            .filter_map(|key| Some((key, self.known.proxy(key, &found)?)))
            .collect();
        let mut options = Vec::new();
        let mut choices = Vec::new();
        let usable = !present.is_empty() && present.iter().all(|(_, url)| url.value.port.is_some());
        if usable {
            let mut shown: Vec<String> = present.iter().map(|(_, url)| url.value.masked()).collect();
            shown.dedup();
            options.push(format!("the present one: {}", shown.join(" and ")));
            choices.push(Proxy::Keep);
        }
        options.push(if present.is_empty() { "through a proxy" } else { "another one" }.to_owned());
        choices.push(Proxy::Set);
        if present.is_empty() {
            options.push("without a proxy".to_owned());
            choices.push(Proxy::None);
        } else {
            options.push("none: take the proxy out".to_owned());
            choices.push(Proxy::Remove);
        }
        let chosen = |choice: &Proxy| self.answers.proxy_chosen && *choice == self.answers.proxy;
        let default = choices.iter().position(chosen).unwrap_or(0);
        let question = if present.is_empty() { "How does this host reach the internet?" } else { "Which proxy?" };
        match self.prompter.choose(&Ask::of(question, "", back), &options, default)? {
            Reply::Back => Ok(Then::Back),
            Reply::Given(index) => {
                if choices.get(index) != Some(&self.answers.proxy) {
                    // It was the password of another proxy.
                    self.answers.set(Key::ProxyPassword, "");
                }
                self.answers.proxy_chosen = true;
                self.answers.proxy = choices.get(index).copied().unwrap_or_default();
                let both = present.len() == 2 && present[0].1.value == present[1].1.value;
                self.answers.kept = match present.as_slice() {
                    [(_, url), _] if both => vec![(Key::ProxyUrl, url.value.clone())],
                    present => present.iter().map(|(key, url)| (*key, url.value.clone())).collect(),
                };
                Ok(Then::On)
            }
        }
    }

    pub(super) fn url(&mut self, back: bool) -> Result<Then, Ended> {
        let (_, question) = asked(Key::ProxyUrl)?;
        let known = match &self.answers.url {
            Some(url) => Some(url.render()),
            None => self.known.proxy(Key::ProxyHttp, &self.found()?).map(|mut url| {
                url.value.credentials = None;
                url.value.render()
            }),
        };
        let help = "A host, HOST:PORT or http://HOST:PORT; user and password are asked for by themselves";
        let ask = Ask::of(question, help, back).or(known.as_deref());
        loop {
            let Reply::Given(text) = self.prompter.line(&ask)? else { return Ok(Then::Back) };
            match parse::proxy(&text) {
                Err(sentence) => self.prompter.complain(&sentence),
                Ok(mut url) => {
                    if let Some(login) = url.credentials.take() {
                        self.answers.set(Key::ProxyUser, String::from_utf8_lossy(&login.user).into_owned());
                        self.answers.login = true;
                    }
                    self.answers.login_seen = false;
                    self.answers.url = Some(url);
                    return Ok(Then::On);
                }
            }
        }
    }

    pub(super) fn port(&mut self, back: bool) -> Result<Then, Ended> {
        let ask =
            Ask::of("Port of the proxy?", "Clients read a missing port as 80, 443 or 1080, so it is written out", back);
        loop {
            let Reply::Given(text) = self.prompter.line(&ask)? else { return Ok(Then::Back) };
            match parse::port(&text) {
                Err(sentence) => self.prompter.complain(&sentence),
                Ok(port) => {
                    if let Some(url) = &mut self.answers.url {
                        url.port = Some(port);
                    }
                    // It is part of the URL now: the way back leads to that question.
                    return Ok(Then::Silent);
                }
            }
        }
    }

    pub(super) fn hidden(&mut self, key: Key, default: Option<&str>, back: bool) -> Result<Then, Ended> {
        let (_, question) = asked(key)?;
        let ask = Ask::of(question, "", back).or(default);
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
        let (_, question) = asked(Key::ProxyNoProxy)?;
        let members = &Vendor::get().no_proxy;
        let test_drive = (self.deployment() == "test-drive").then_some(&members.test_drive);
        let built_in: Vec<&str> =
            members.base.iter().chain(test_drive.into_iter().flatten()).map(String::as_str).collect();
        let help = format!("Added to {} and to what is on the host already", built_in.join(","));
        let saved = self.known.layers.get(Key::ProxyNoProxy).map(|setting| setting.value.clone());
        let answered = self.answers.get(Key::ProxyNoProxy).map(str::to_owned);
        let default = answered.or(saved.clone()).unwrap_or_else(|| "-".to_owned());
        let ask = Ask::of(question, &help, back).or(Some(&default));
        loop {
            let Reply::Given(text) = self.prompter.line(&ask)? else { return Ok(Then::Back) };
            let text = if text == "-" { "" } else { text.as_str() };
            match parse::no_proxy(text) {
                Err(sentence) => self.prompter.complain(&sentence),
                Ok(()) if text.is_empty() && saved.is_some() => {
                    self.prompter.complain("the saved list stays until another one is named");
                }
                Ok(()) => {
                    self.answers.set(Key::ProxyNoProxy, text);
                    return Ok(Then::On);
                }
            }
        }
    }

    pub(super) fn collectors(&mut self, back: bool) -> Result<Then, Ended> {
        let (_, question) = asked(Key::AgentCollector)?;
        let known = || self.known.known(Key::AgentCollector, &Found::default());
        let default = self.answers.get(Key::AgentCollector).map(str::to_owned).or_else(known);
        let help = "Hosts, separated by commas; - for none";
        let ask = Ask::of(question, help, back).or(Some(default.as_deref().unwrap_or("-")));
        loop {
            let Reply::Given(text) = self.prompter.line(&ask)? else { return Ok(Then::Back) };
            let text = if text == "-" { "" } else { text.as_str() };
            match parse::hosts(text) {
                Err(sentence) => self.prompter.complain(&sentence),
                Ok(()) => {
                    self.answers.set(Key::AgentCollector, text);
                    return Ok(Then::On);
                }
            }
        }
    }
}

/// A setting and the question for it.
fn asked(key: Key) -> Result<(&'static Spec, &'static str), Problem> {
    let spec = key.spec();
    spec.question
        .map(|question| (spec, question))
        .ok_or_else(|| Problem::bug(format!("there is no question for the setting {key}")))
}
