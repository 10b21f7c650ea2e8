//! What is known of each consumer before it is looked at, and what mends one that does not get what is wanted.

use std::path::{Path, PathBuf};

use super::differ::differences;
use super::reader::FileProbe;
use super::{Consumer, ConsumersFacts, ProxySpec, State, Wanted, Who};
use crate::envfile::Syntax;
use crate::finding::FindingId;
use crate::settings::Key;
use crate::text;
use crate::text::{CommandLine, Fix, Text, as_root, host_port, ics_setup, own, quoted};

/// A consumer as its own file describes it; all of them stand in [`super::PROFILES`].
pub(crate) struct Profile {
    /// Which one it is.
    pub(super) who: Who,
    /// The id of its finding.
    pub(crate) id: FindingId,
    /// What it gets, once for each way in which it gets something.
    pub(super) observe: fn(&mut FileProbe<'_>) -> Vec<Consumer>,
    /// Its name in a sentence.
    pub(super) name: fn(&Consumer) -> Text,
    /// Why it does not get what is wanted, and what to do.
    pub(super) remedy: fn(&Case<'_>) -> (&'static str, Vec<Fix>),
    /// When that is a failure.
    pub(crate) fails: Fails,
    /// Is there a file that `prepare` or `reconfigure` writes for it?
    pub(super) has_file_of_ours: bool,
    /// The files that the verbs write and it reads; a configuration tool may keep the first of them.
    pub(super) files: fn(&FileProbe<'_>) -> Vec<PathBuf>,
    /// The verb that writes what it reads; `None`: none does.
    pub(super) verb: Option<&'static str>,
    /// The flag with which `prepare` writes for it, where that is not said without.
    pub(super) flag: &'static str,
    /// Does it have lists of hosts that are reached directly?
    pub(super) reads_lists: bool,
    /// Does it ask for the upper-case names first?
    pub(super) asks_upper_first: bool,
    /// Does it read its files only when it is started again?
    pub(super) restarts: bool,
    /// The grammar of a file that it reads and whose name says nothing.
    pub(super) lines: Option<Syntax>,
    /// What a person tries where it could not be looked at; `None`: to look at its source.
    pub(super) look: fn(&Consumer) -> Option<Text>,
}

/// When it is a failure that a consumer does not get what is wanted. What nobody asked for in this run is none.
#[derive(Clone, Copy)]
pub(crate) enum Fails {
    /// It is a warning always.
    Never,
    /// With another proxy than the one that was asked for.
    OtherProxy,
    /// Likewise, and always where it has no proxy.
    NoProxy,
}

impl Profile {
    /// A consumer without a file of ours, which gets what `prepare` writes for others.
    pub(super) const fn new(
        who: Who,
        id: FindingId,
        observe: fn(&mut FileProbe<'_>) -> Vec<Consumer>,
        name: fn(&Consumer) -> Text,
        remedy: fn(&Case<'_>) -> (&'static str, Vec<Fix>),
    ) -> Self {
        Self {
            who,
            id,
            observe,
            name,
            remedy,
            fails: Fails::Never,
            has_file_of_ours: false,
            files: |_| Vec::new(),
            verb: Some("prepare"),
            flag: "",
            reads_lists: true,
            asks_upper_first: false,
            restarts: false,
            lines: None,
            look: |_| None,
        }
    }
}

impl Profile {
    /// Does it have lists of hosts that are reached directly?
    pub(crate) fn has_lists(&self) -> bool {
        self.reads_lists
    }

    /// The verb that writes what it reads, and the flag that it needs.
    pub(crate) fn writer(&self) -> Option<(&'static str, &'static str)> {
        self.verb.map(|verb| (verb, self.flag))
    }
}

/// A consumer that does not get what is wanted.
pub(super) struct Case<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) facts: &'a ConsumersFacts,
    pub(super) wanted: &'a Wanted,
    /// It gets no proxy at all.
    pub(super) missing: bool,
}

impl Case<'_> {
    /// `prepare` writes it, unless it just has.
    pub(super) fn prepare(&self) -> Option<Fix> {
        (!self.wanted.written).then(|| self.write("prepare"))
    }

    /// `reconfigure` writes it, unless it just has, and Compose makes new containers.
    pub(super) fn reconfigure(&self) -> Vec<Fix> {
        let write = (!self.wanted.written).then(|| self.write("reconfigure"));
        write.into_iter().chain(recreation(self.facts)).collect()
    }

    /// A verb writes it, also where a configuration tool keeps the file.
    pub(super) fn write(&self, verb: &'static str) -> Fix {
        write(verb, self.consumer.consumer.profile().flag, self.facts, self.wanted)
    }
}

/// The flag for files of packages and of configuration tools.
const MEND_OTHERS: &str = " --mend-others";

/// The command that writes what is wanted, with the flags that name it where the host does not have it, then `more` flags.
pub(super) fn command(verb: &'static str, more: &[&'static str], wanted: &Wanted) -> CommandLine {
    let mut line: Text = verb.into();
    if wanted.is_named(verb) {
        let mut flag = |flag: &'static str, proxy: &ProxySpec| {
            let scheme = if proxy.tls { "https" } else { "http" };
            let url = format!("{scheme}://{}", host_port(&proxy.host, proxy.port));
            line.push(text!(" {} {}", own(flag), own(quoted(&url))));
        };
        match (&wanted.http, &wanted.https) {
            (Some(http), Some(https)) if http.url == https.url => flag("--proxy", http),
            (http, https) => {
                http.iter().for_each(|proxy| flag("--http-proxy", proxy));
                https.iter().for_each(|proxy| flag("--https-proxy", proxy));
            }
        }
        if let Some(user) = user(wanted, verb) {
            let file = password_file(wanted).map_or("<FILE>".to_owned(), quoted);
            line.push(text!(" --proxy-user {} --proxy-password-file {}", own(quoted(user)), own(file)));
        }
    }
    if verb == "reconfigure" {
        line.push(home_flag(&wanted.home));
    }
    more.iter().for_each(|flag| line.push(*flag));
    ics_setup(line)
}

/// The flag that names the product's folder, where it is not the usual one.
pub(crate) fn home_flag(home: &Path) -> Text {
    if Key::Home.spec().default.map(Path::new) == Some(home) {
        return Text::default();
    }
    text!(" --home {}", own(quoted(&home.to_string_lossy())))
}

/// The user of the wanted proxy, which a command has to name together with a file that holds the password.
fn user<'w>(wanted: &'w Wanted, verb: &str) -> Option<&'w str> {
    if !wanted.is_named(verb) {
        return None;
    }
    [&wanted.https, &wanted.http].into_iter().flatten().find_map(|proxy| proxy.user.as_deref())
}

/// The file that the password of that user came from.
fn password_file(wanted: &Wanted) -> Option<&str> {
    [&wanted.https, &wanted.http].into_iter().flatten().find_map(|proxy| proxy.password_file.as_deref())
}

/// The flag without which a verb refuses: a configuration tool keeps a file that the verb would write. Files that have what is `wanted` already are not written; `None`: the command names something else.
pub(crate) fn others(verb: &str, facts: &ConsumersFacts, wanted: Option<&Wanted>) -> &'static str {
    let refuses = |who: &&Who| {
        let profile = who.profile();
        let mut own = facts.consumers.iter().filter(|consumer| consumer.consumer == **who).peekable();
        let served = own.peek().is_some()
            && own.all(|consumer| {
                consumer.state == State::Seen
                    && wanted.is_some_and(|wanted| differences(consumer, facts, wanted).is_empty())
            });
        // A target that is asked for comes beside those of the verb, and one that has its file follows unasked.
        profile.verb == Some(verb) && !served
    };
    if facts.kept.iter().any(|who| refuses(&who)) { MEND_OTHERS } else { "" }
}

/// What mends a consumer by a command that does not refuse: advice where a person has to name the file of the password.
pub(crate) fn write(verb: &'static str, flag: &'static str, facts: &ConsumersFacts, wanted: &Wanted) -> Fix {
    told(command(verb, &[flag, others(verb, facts, Some(wanted))], wanted), wanted, verb)
}

/// The same, also where others keep a file.
pub(crate) fn write_others(verb: &'static str, more: &[&'static str], wanted: &Wanted) -> Fix {
    told(command(verb, &[more, &[MEND_OTHERS]].concat(), wanted), wanted, verb)
}

fn told(command: CommandLine, wanted: &Wanted, verb: &str) -> Fix {
    match user(wanted, verb).filter(|_| password_file(wanted).is_none()) {
        Some(_) => Fix::Advice(text!("write it with the password from a file: {}", command)),
        None => Fix::Command(command),
    }
}

/// Makes the product's containers anew, so that they get what stands in their files.
fn recreation(facts: &ConsumersFacts) -> Option<Fix> {
    let compose = as_root(text!("{} up -d --force-recreate", facts.compose.clone()));
    match (facts.compose.is_empty(), facts.image) {
        (true, _) => None,
        (false, true) => Some(Fix::Advice(text!("once the image runs: {}", compose))),
        (false, false) => Some(Fix::Command(compose)),
    }
}

/// The same, where the run that tells of it does not do so itself.
pub(super) fn recreated(facts: &ConsumersFacts, wanted: &Wanted) -> Option<Fix> {
    recreation(facts).filter(|_| !wanted.written)
}

/// Nothing of an image runs: there it is for later.
pub(super) fn restart(facts: &ConsumersFacts) -> Vec<Fix> {
    let Some(unit) = &facts.docker else { return Vec::new() };
    let command = restart_command(unit);
    vec![
        if facts.image { Fix::Advice(text!("once the image runs: {}", command)) } else { Fix::Command(command) },
        Fix::Advice("choose the time for it: running containers stop when Docker is restarted".into()),
    ]
}

/// What makes systemd and the daemon of this unit read their files again.
pub(crate) fn restart_command(unit: &str) -> CommandLine {
    as_root(text!("systemctl daemon-reload && systemctl restart {}", own(unit)))
}
