//! What is known of consumers: part of saved facts, without a password.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::callers::Door;
use super::value::{Flaw, ProxyValue};
use super::{Astray, NAMES, Who, sight};
use crate::environment::LoginUser;
use crate::text;
use crate::text::words::words;
use crate::text::{Text, own};

/// What every consumer gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsumersFacts {
    /// Which password the wanted proxy for http requests has, numbered as in [`ProxyValue::password`].
    pub(crate) http_password: Option<u32>,
    /// Which one the proxy for https requests has.
    pub(crate) https_password: Option<u32>,
    /// In the order in which they are reported.
    pub(crate) consumers: Vec<Consumer>,
    /// Those whose files `prepare` and `reconfigure` write, as they would be after both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) planned: Vec<Consumer>,
    /// Those with a file that a verb writes and a configuration tool keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) kept: Vec<Who>,
    /// They are those of an image, of which nothing runs.
    #[serde(default)]
    pub(crate) image: bool,
    /// The address of this host that containers reach; empty: there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) bridge: String,
    /// Compose as this host has it, with its files: `docker compose -f /divvycloud/compose.yaml`; empty: there are none.
    #[serde(default)]
    pub(crate) compose: Text,
    /// The unit that starts the Docker daemon, as people name it: `docker`.
    #[serde(default)]
    pub(crate) docker: Option<String>,
    /// Who logs in for the proof; `None`: facts of a version that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<LoginUser>,
}

/// One consumer, and what it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consumer {
    /// Which consumer it is.
    pub(crate) consumer: Who,
    /// Which one of several: the user who logs in, a package manager, a container, the readers of an env file.
    pub(crate) name: Option<String>,
    /// Those who log in with this, where it is not told of all of them alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) users: Vec<String>,
    /// The doors through which logins get this: `over ssh`; `None`: each that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) doors: Option<String>,
    /// Users with doors at which they get this; empty: it comes through no door that is told apart.
    #[serde(skip)]
    pub(crate) held: Vec<(String, Door)>,
    /// Readers of the files who get this, and the services that they start, where it comes through files of a project.
    #[serde(skip)]
    pub(crate) readers: Vec<(&'static str, Option<String>)>,
    /// The file or process that was read.
    pub(crate) source: String,
    /// Is it known what the consumer gets?
    pub(crate) state: State,
    /// Why not; or, where it is known, why another start changes it.
    pub(crate) why: Option<Text>,
    /// `http_proxy`, or what plays its part.
    pub(crate) http: Option<ProxyValue>,
    /// `HTTP_PROXY`.
    pub(crate) http_upper: Option<ProxyValue>,
    /// `https_proxy`.
    pub(crate) https: Option<ProxyValue>,
    /// `HTTPS_PROXY`.
    pub(crate) https_upper: Option<ProxyValue>,
    /// `no_proxy`, as it stands.
    pub(crate) no_proxy: Option<String>,
    /// `NO_PROXY`.
    pub(crate) no_proxy_upper: Option<String>,
    /// How this is known.
    pub(crate) known: Known,
    /// The line that decides each variable, where it is known.
    pub(crate) decided: BTreeMap<String, Decided>,
    /// Variables whose value the files alone do not tell, each with the reason.
    pub(crate) unknown: BTreeMap<String, Text>,
    /// The command that makes its file readable, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<Text>,
    /// What it will get when it is started again, where its files say something else than it was started with.
    pub(crate) next: Option<Box<Consumer>>,
    /// It would be started as before, since systemd has not read those files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stale_unit: bool,
    /// What the model of it says, where it was asked and says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<Box<Consumer>>,
    /// Requests that have a proxy of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) exceptions: Vec<Exception>,
    /// All its rules for some of its requests.
    #[serde(skip)]
    pub(crate) rules: Vec<OwnRule>,
    /// Files that would decide something, were they not closed to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) closed: Vec<Closed>,
    /// Hosts that are not in its network what is meant by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) astray: Vec<Astray>,
    /// What leaves `/etc/environment` unread at these doors, where that is the file that `prepare` writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unread: Vec<Unread>,
    /// How sudo comes to pass the names on, where it is sudo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keeps: Option<Keeps>,
    /// Files that are absent from an image, in whose places those of its distribution were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) assumed: Vec<String>,
}

/// What leaves `/etc/environment` unread. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unread {
    /// A stack of PAM, or the line of sshd's configuration.
    pub(crate) at: String,
    /// Does sshd ask PAM?
    pub(crate) asks_pam: bool,
}

/// How sudo comes to pass the names of proxies on. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keeps {
    /// It does.
    pub(crate) already: bool,
    /// The file whose line it takes.
    pub(crate) file: String,
    /// It has to be the last one of a file that is there.
    pub(crate) last: bool,
    /// The line that takes them out, were this one elsewhere.
    pub(crate) taken: Option<String>,
}

/// A file that a consumer may not read, and that would decide something for it. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closed {
    /// Who may not.
    pub(crate) user: String,
    /// The file as a person on this machine looks it up.
    pub(crate) file: String,
    /// The file, or folders on the way to it, each with the mode that closes it: `0600`.
    pub(crate) modes: Vec<(String, String)>,
    /// What opens it.
    pub(crate) chmod: String,
    /// Does it hold the password of a proxy?
    pub(crate) password: bool,
    /// The variables that it decides.
    pub(crate) names: Vec<String>,
}

/// A rule of a package manager for some of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnRule {
    /// For which: `the repository site`.
    pub(crate) whom: Text,
    /// The host, where it is for one.
    pub(crate) host: Option<String>,
    /// Only for https, or for http as well as for https that has no rule of its own; `None`: there is no such difference.
    pub(crate) tls: Option<bool>,
    /// Through which proxy; `Some(None)`: directly; `None`: the files do not tell.
    pub(crate) way: Option<Option<ProxyValue>>,
    /// The line that says so, as a person looks it up.
    pub(crate) at: String,
    /// The same line.
    pub(crate) place: sight::Place,
}

/// Requests that have a proxy of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    /// Which: `the repository site`.
    pub(crate) whom: Text,
    /// The variable that says so for whoever reads it: `ALL_PROXY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variable: Option<String>,
    /// The line that says so.
    pub(crate) at: String,
    /// The same line, where it is one.
    #[serde(skip)]
    pub(crate) place: Option<sight::Place>,
    /// The proxy; `None`: the files do not tell.
    pub(crate) value: Option<ProxyValue>,
}

/// The line that decides a variable. Part of saved facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decided {
    /// The line as a person on this machine looks it up: `/etc/environment:4`.
    pub(crate) shown: String,
    /// The variable is taken away there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) taken: bool,
    /// `prepare` or `reconfigure` brings it to what is wanted: a file that it writes, or one of nobody's that it can edit.
    pub(crate) ours: bool,
    /// The files are not followed to their end: a guess that the reader's own answer bears out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) supposed: bool,
    /// Whose the file is, where `--mend-others` brings it to what is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) others: Option<Text>,
    /// The line, where it can be edited and its file is no target.
    #[serde(skip)]
    pub(crate) at: Option<sight::Place>,
    /// The line, whoever may edit it; `None`: no line of a file decides.
    #[serde(skip)]
    pub(crate) place: Option<sight::Place>,
}

/// A line that decides a variable.
pub(crate) struct Line<'c> {
    /// As a person on this machine looks it up.
    pub(crate) shown: &'c str,
    /// The same; `None`: no line of a file decides.
    pub(crate) place: Option<&'c sight::Place>,
    /// It takes the variable away.
    pub(crate) taken: bool,
}

impl Exception {
    /// `ALL_PROXY` and its like: other requests, which may have a proxy of their own.
    pub(super) fn of_variable(name: &str, at: String, place: Option<sight::Place>, value: Option<ProxyValue>) -> Self {
        Self { whom: text!("{}", own(name.to_owned())), variable: Some(name.to_owned()), at, place, value }
    }
}

impl Decided {
    /// Is it a file that a verb writes anyway?
    pub(super) fn is_target(&self) -> bool {
        self.ours && self.at.is_none()
    }
}

words! {
    /// How it is known what a consumer gets. Part of saved facts.
    pub(crate) enum Known {
        /// The consumer itself was asked: a login was started, a process looked at.
        Asked = "asked",
        /// A model of the consumer has read its files.
        Files = "files",
    }
}

/// Is it known what a consumer gets? Part of saved facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// What it gets is known.
    Seen,
    /// It is not there, or cannot be asked in this way of running.
    Skipped,
    /// Only root may look, and this is not root.
    NeedsRoot,
    /// It is there and did not answer, or its file could not be read.
    Unreadable,
    /// It does not start with its files.
    Refused,
    /// Something else plays its part, which nothing here writes for.
    NotServed,
}

impl Consumer {
    pub(super) fn new(consumer: Who, name: Option<String>, source: impl Into<String>) -> Self {
        Self {
            consumer,
            name,
            users: Vec::new(),
            doors: None,
            held: Vec::new(),
            readers: Vec::new(),
            source: source.into(),
            state: State::Seen,
            why: None,
            http: None,
            http_upper: None,
            https: None,
            https_upper: None,
            no_proxy: None,
            no_proxy_upper: None,
            known: Known::Files,
            decided: BTreeMap::new(),
            unknown: BTreeMap::new(),
            mend: None,
            next: None,
            stale_unit: false,
            model: None,
            exceptions: Vec::new(),
            rules: Vec::new(),
            closed: Vec::new(),
            astray: Vec::new(),
            unread: Vec::new(),
            keeps: None,
            assumed: Vec::new(),
        }
    }

    pub(super) fn unseen(consumer: Who, source: impl Into<String>, state: State, why: impl Into<Text>) -> Self {
        Self { state, why: Some(why.into()), ..Self::new(consumer, None, source) }
    }

    /// Do both get the same? By which files is another question.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        // What cannot be told is another thing than what is not there.
        let others = |of: &Self| -> Vec<_> {
            of.exceptions.iter().map(|own| (own.whom.clone(), own.variable.clone(), own.value.clone())).collect()
        };
        self.unknown.keys().eq(other.unknown.keys())
            && self.urls().eq(other.urls())
            && (&self.no_proxy, &self.no_proxy_upper) == (&other.no_proxy, &other.no_proxy_upper)
            && others(self) == others(other)
            && self.proxies_astray().eq(other.proxies_astray())
    }

    /// Its variables, as far as they are known. Passwords are masked.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let url = |value: &ProxyValue| value.shown.clone();
        let urls = self.urls().map(move |(name, value)| (name.to_owned(), url(value)));
        let lists = [("no_proxy", &self.no_proxy), ("NO_PROXY", &self.no_proxy_upper)];
        let lists = lists.into_iter().filter_map(|(name, list)| Some((name.to_owned(), list.clone()?)));
        let others = self.exceptions.iter();
        let others = others.filter_map(move |own| Some((own.variable.clone()?, url(own.value.as_ref()?))));
        urls.chain(lists).chain(others)
    }

    /// Cannot it be told what a variable is?
    pub(crate) fn is_untold(&self, name: &str) -> bool {
        let untold = |own: &Exception| own.variable.as_deref() == Some(name) && own.value.is_none();
        self.unknown.contains_key(name) || self.exceptions.iter().any(untold)
    }

    /// The line that decides a variable, in whichever spelling it is told; `None`: no file is known that does.
    pub(crate) fn line_of(&self, name: &str) -> Option<Line<'_>> {
        let decided = self.decided.get(name);
        let decided =
            decided.or_else(|| self.decided.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|own| own.1));
        if let Some(Decided { shown, taken, place, .. }) = decided {
            return Some(Line { shown, place: place.as_ref(), taken: *taken });
        }
        let other = self.exceptions.iter().find(|own| own.variable.as_deref() == Some(name))?;
        Some(Line { shown: &other.at, place: other.place.as_ref(), taken: false })
    }

    /// The URLs, with the names of their variables.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (&'static str, &ProxyValue)> {
        let urls = [&self.http, &self.http_upper, &self.https, &self.https_upper];
        NAMES.into_iter().zip(urls).filter_map(|(name, url)| Some((name, url.as_ref()?)))
    }

    /// What it gets for each name: a URL with the number of its password, or a list.
    pub(super) fn values(&self) -> BTreeMap<&'static str, (&str, Option<u32>)> {
        let urls = self.urls().map(|(name, url)| (name, (url.shown.as_str(), url.password)));
        let lists = [("no_proxy", &self.no_proxy), ("NO_PROXY", &self.no_proxy_upper)];
        urls.chain(lists.into_iter().filter_map(|(name, list)| Some((name, (list.as_deref()?, None))))).collect()
    }

    /// Is this what a user gets at a door? A job of cron is one of a crontab that sets nothing.
    pub(crate) fn is_at(&self, door: Door, user: Option<&str>) -> bool {
        self.consumer == door.consumer()
            && match self.consumer {
                Who::Login | Who::Sudo => self.held.iter().any(|(own, at)| *at == door && user == Some(own)),
                Who::Cron => self.name.is_none(),
                _ => true,
            }
    }

    /// Its proxies that are not where its containers look for them.
    pub(crate) fn proxies_astray(&self) -> impl Iterator<Item = &Astray> {
        self.astray.iter().filter(|own| NAMES.contains(&own.variable.as_str()))
    }

    /// Hosts and ports of the back ends that are not what is meant.
    pub(crate) fn back_ends_astray(&self) -> impl Iterator<Item = &Astray> {
        self.astray.iter().filter(|own| !NAMES.contains(&own.variable.as_str()))
    }

    /// The proxy that it uses for http (or https) requests. Go programs such as the Docker daemon ask the upper-case name
    /// first, most others the lower-case one.
    pub(crate) fn proxy(&self, https: bool) -> Option<&ProxyValue> {
        let (lower, upper) = if https { (&self.https, &self.https_upper) } else { (&self.http, &self.http_upper) };
        if self.asks_upper_first() { upper.as_ref().or(lower.as_ref()) } else { lower.as_ref().or(upper.as_ref()) }
    }

    /// The list of exclusions that it uses.
    pub(crate) fn exclusions(&self) -> Option<&str> {
        let (lower, upper) = (self.no_proxy.as_deref(), self.no_proxy_upper.as_deref());
        if self.asks_upper_first() { upper.or(lower) } else { lower.or(upper) }
    }

    /// Does anything at all say that it uses a proxy?
    pub(crate) fn has_proxy(&self) -> bool {
        self.proxy(false).is_some() || self.proxy(true).is_some()
    }

    /// A login that was really started, as a person's at the console.
    pub(crate) fn is_asked_login(&self) -> bool {
        self.consumer == Who::Login && self.known == Known::Asked && self.source.starts_with("su - ")
    }

    /// Is there a value that no reader takes for a proxy?
    pub(crate) fn is_unusable(&self) -> bool {
        let flaws = [Flaw::NoScheme, Flaw::BadPort, Flaw::BadHost];
        self.urls().any(|(_, value)| value.flaws.iter().any(|flaw| flaws.contains(flaw)))
    }

    pub(super) fn asks_upper_first(&self) -> bool {
        self.consumer.profile().asks_upper_first
    }
}
