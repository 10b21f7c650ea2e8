//! Layers of raw values, each with where it came from. The higher layer wins; empty means unset.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::table::{Key, Shape, Spec, TABLE};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Text, nearest, own, shown_by_display};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag, as typed: `--https-proxy`.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// A line of a settings file.
    File {
        /// The file, as given.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// What this run was told, or one before it.
    LastRun(Option<String>),
    /// A line of a file that is already on the host.
    Found {
        /// The host's file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A line of a file on the host decides it in a way that the file alone does not tell.
    Untold {
        /// The host's file.
        path: PathBuf,
        /// Counted from 1; 0: the file as a whole.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

impl Origin {
    /// The higher, the stronger: flag > variable > settings file > last run > found on the host > default.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Flag(_) => 5,
            Self::Variable(_) => 4,
            Self::File { .. } => 3,
            Self::LastRun(_) => 2,
            Self::Found { .. } => 1,
            Self::Untold { .. } | Self::Default => 0,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::LastRun(Some(run)) => write!(f, "last run {run}"),
            Self::LastRun(None) => f.write_str("last run"),
            Self::Found { path, line } => write!(f, "found in {}:{line}", path.display()),
            Self::Untold { path, line: 0 } => write!(f, "cannot be told from {}", path.display()),
            Self::Untold { path, line } => write!(f, "cannot be told from {}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

shown_by_display!(Origin);

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A value with its origin.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// The same origin with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Setting<U> {
        Setting { value: f(self.value), origin: self.origin }
    }
}

/// Values of one source by key.
#[derive(Clone, Default)]
pub struct Layer(BTreeMap<Key, Setting<String>>);

impl fmt::Debug for Layer {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Layer {
    /// Adds a value after looking at its shape. Empty text is no value.
    ///
    /// # Errors
    /// When the text is not what the setting needs; the message names the origin.
    pub fn insert(&mut self, spec: &'static Spec, value: String, origin: Origin) -> Result<(), Problem> {
        let of_origin = |wrong| Problem::settings(id::SETTING_INVALID, text!("{}: {}", origin, wrong));
        Self::wrong(spec, &value).map_or(Ok(()), |wrong| Err(Self::hinted(of_origin(wrong), spec, &value)))?;
        if !value.is_empty() {
            self.0.insert(spec.key, Setting::new(value, origin));
        }
        Ok(())
    }

    /// Another value of the same origin; empty text is no value.
    pub fn replace(&mut self, key: Key, value: String) {
        match self.0.get_mut(&key) {
            Some(_) if value.is_empty() => _ = self.0.remove(&key),
            Some(setting) => setting.value = value,
            None => {}
        }
    }

    /// What is wrong with the shape of a value.
    pub fn wrong(spec: &'static Spec, value: &str) -> Option<Text> {
        let expected = if value.is_empty() { None } else { wrong_shape(spec.shape, value) };
        expected.map(|expected| text!("{} must be {}", spec.key, expected))
    }

    /// With what helps where the shape of a value is wrong.
    pub(super) fn hinted(problem: Problem, spec: &'static Spec, value: &str) -> Problem {
        let near = match spec.shape {
            Shape::Words(words) => no_word(words, value).and_then(|wrong| nearest(wrong, words.iter().copied())),
            Shape::Choice(words) => nearest(value, words.iter().copied()),
            _ => None,
        };
        let problem = near.iter().fold(problem, |problem, near| problem.hint(text!("did you mean {}?", own(*near))));
        problem.hint(spec.help)
    }

    /// Says it nothing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key in this layer.
    pub fn get(&self, key: Key) -> Option<&Setting<String>> {
        self.0.get(&key)
    }

    /// The layer of the `ICS_SETUP_…` variables.
    ///
    /// # Errors
    /// A variable that is not UTF-8 or has the wrong shape.
    pub fn of_variables(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Self, Problem> {
        let mut layer = Self::default();
        for spec in TABLE {
            let Some(value) = variable(spec.variable) else { continue };
            let origin = Origin::Variable(spec.variable.to_owned());
            let value = value.into_string().map_err(|_| {
                Problem::settings(id::SETTING_INVALID, text!("{} is not UTF-8 text", own(spec.variable)))
            })?;
            layer.insert(spec, value, origin)?;
        }
        Ok(layer)
    }
}

/// What was expected, when the text has not that shape.
fn wrong_shape(shape: Shape, value: &str) -> Option<Text> {
    let expected = match shape {
        Shape::Text | Shape::List | Shape::Path => return value.contains('\0').then(|| "text without NUL".into()),
        Shape::Duration => parse_duration(value).is_none().then_some("a time such as 90s, 10m or 2h"),
        Shape::Release => (!is_release(value))
            .then_some("a number such as 22.3.9; an image by another tag is named by --image <REPOSITORY:TAG>"),
        Shape::Switch => parse_switch(value).is_none().then_some("true or false"),
        Shape::Port => value.parse::<u16>().map_or(true, |port| port == 0).then_some("a port from 1 to 65535"),
        Shape::Number => {
            value.parse::<u16>().map_or(true, |number| !(1..1000).contains(&number)).then_some("a number from 1 to 999")
        }
        Shape::Words(words) => {
            let wrong = no_word(words, value);
            let wrong = wrong.or_else(|| Some(value).filter(|value| value.trim_matches([',', ' ']).is_empty()))?;
            return Some(text!("some of {}, separated by commas, and not {:?}", own(words.join(", ")), wrong));
        }
        Shape::Choice(choices) => {
            return (!choices.contains(&value)).then(|| text!("one of {}, not {:?}", own(choices.join(", ")), value));
        }
    };
    expected.map(Into::into)
}

/// The first member of a list that is none of these words.
fn no_word<'a>(words: &[&str], list: &'a str) -> Option<&'a str> {
    list.split(',').map(str::trim).find(|member| !member.is_empty() && !words.contains(member))
}

/// Is it a release by its number? A word such as `latest` says nothing about what it asks for.
fn is_release(value: &str) -> bool {
    let number = value.strip_prefix(['v', 'V']).unwrap_or(value);
    number.split('.').all(|part| !part.is_empty() && part.len() < 9 && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `true`, `yes`, `on`, `1` and their opposites.
pub fn parse_switch(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A number of seconds, or `90s`, `10m`, `2h`; nothing is no time.
pub(crate) fn parse_duration(value: &str) -> Option<Duration> {
    let parsed = value.parse().map(Duration::from_secs).or_else(|_| humantime::parse_duration(value));
    parsed.ok().filter(|duration| !duration.is_zero())
}

/// The settings that name a proxy.
pub(crate) const URLS: [Key; 3] = [Key::ProxyUrl, Key::ProxyHttp, Key::ProxyHttps];

/// All layers that people write, strongest first.
#[derive(Clone, Default)]
pub struct Layers {
    /// From the command line.
    pub flags: Layer,
    /// From the environment.
    pub variables: Layer,
    /// From the settings file.
    pub file: Layer,
    /// The settings file is the host's own, which the next run reads again.
    pub file_stays: bool,
    /// What the last run was told.
    pub last_run: Layer,
}

impl Layers {
    /// The strongest value of a key.
    pub fn get(&self, key: Key) -> Option<&Setting<String>> {
        self.in_order().into_iter().find_map(|layer| layer.get(key))
    }

    /// The strongest value of a switch.
    pub fn switch(&self, key: Key) -> Option<bool> {
        self.get(key).and_then(|setting| parse_switch(&setting.value))
    }

    /// Is the secret with the databases to go?
    pub(crate) fn removes_secret(&self) -> bool {
        self.switch(Key::NoSecretsProvider) == Some(true)
    }

    /// Is the site said to have no proxy, by somebody whom no URL outranks?
    pub(crate) fn is_direct(&self) -> bool {
        let url = self.first_of(&URLS).map_or(0, |(_, url)| url.origin.rank());
        self.get(Key::ProxyDirect).is_some_and(|own| parse_switch(&own.value) == Some(true) && own.origin.rank() >= url)
    }

    /// Does somebody say what a run is to do? Not how and where it is to be done, how long it may take, nor what only checks ask.
    pub(crate) fn say_what(&self) -> bool {
        const HOW: [Key; 16] = [
            Key::Deployment,
            Key::Os,
            Key::Home,
            Key::MendOthers,
            Key::CheckFirst,
            Key::ProxyBothCases,
            Key::ProxyCaSha256,
            Key::Target,
            Key::Restart,
            Key::Release,
            Key::Clouds,
            Key::AgentRegion,
            Key::AgentCollector,
            Key::HealthyWithin,
            Key::MigrateWithin,
            Key::BackupTaken,
        ];
        self.in_order().iter().any(|layer| layer.0.keys().any(|key| !HOW.contains(key)))
    }

    /// The value that counted before this run was told anything: that of the host's own settings file, else the last run's.
    pub fn before(&self, key: Key) -> Option<&Setting<String>> {
        self.file.get(key).filter(|_| self.file_stays).or_else(|| self.last_run.get(key))
    }

    /// The strongest value among several keys that mean the same thing; within one layer the first key named wins.
    pub fn first_of(&self, keys: &[Key]) -> Option<(Key, &Setting<String>)> {
        self.in_order()
            .into_iter()
            .find_map(|layer| keys.iter().find_map(|key| layer.get(*key).map(|value| (*key, value))))
    }

    /// As [`Layers::first_of`], among flags and variables only: what was asked for in this very run.
    pub fn flags_first(&self, keys: &[Key]) -> Option<(Key, &Setting<String>)> {
        self.first_of(keys).filter(|(_, setting)| matches!(setting.origin, Origin::Flag(_) | Origin::Variable(_)))
    }

    /// Flags, variables, file, last run.
    pub fn in_order(&self) -> [&Layer; 4] {
        [&self.flags, &self.variables, &self.file, &self.last_run]
    }
}
