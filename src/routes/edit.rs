//! The smallest single edit of a file that turns one way, found by trying edits in the models.
//!
//! Each candidate changes one line. All consumers are then observed over the changed file: an edit counts where the way is
//! turned, and of several the one that turns the fewest others beside it is taken.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::pairs::{Pair, pairs};
use super::site::internal;
use super::{More, Routes, Row, Site, Taken, Way, asks, taken, way};
use crate::clients::{By, Client, Route, Target};
use crate::consumers::mend::{Form, Wish, edited, form};
use crate::consumers::{Consumer, ConsumersFacts, State, Who, files_of, sight::Place};
use crate::envfile::Syntax;
use crate::plan::{Change, Draft};
use crate::redact::{self, MASK};
use crate::settings::Proxies;
use crate::text;
use crate::text::Text;
use crate::vendor::prod_env;

/// No edit is tried in a larger file, and none of a longer list.
const LARGEST: usize = 256 << 10;

/// No edit is tried after this time.
const DEADLINE: Duration = Duration::from_secs(20);

/// No more members of a list are taken out.
const MEMBERS: usize = 20;

/// What systemd gives to all its services. A new one takes the place of the distribution's.
const MANAGER: &str = "/etc/systemd/system.conf";

/// Hosts of lists that are looked at beside the catalogue.
const HOSTS: usize = 100;

/// An edit that turns a way.
pub(crate) struct Edit {
    pub(crate) change: Change,
    /// The line that is edited or comes in, counted from 1.
    pub(crate) line: usize,
    /// What it says then: `no_proxy=a,b`.
    pub(crate) says: Text,
    /// The way before and after it.
    pub(crate) own: Row,
    /// The other ways that it turns.
    pub(crate) also: Vec<Row>,
    /// There was no time to try others.
    pub(crate) cut_short: bool,
}

/// A file with the content that is tried.
struct Candidate {
    path: PathBuf,
    bytes: Vec<u8>,
    /// `None`: it comes in.
    line: Option<usize>,
    says: Text,
}

/// Finds it.
///
/// # Errors
/// Why there is none, as a sentence.
pub(super) fn find(
    site: &Site<'_>,
    (pair, now): (&Pair<'_>, &Taken),
    (client, curl): (&'static Client, &'static Client),
    target: &Target,
    proxies: &Proxies,
) -> Result<Edit, &'static str> {
    let modelled = site.observe(&[], None);
    let same = pairs(&modelled, &modelled);
    let own = |pairs: &[Pair<'_>]| pairs.iter().position(|other| other.shares(pair));
    let consumer = own(&same).and_then(|at| same[at].before).filter(|own| own.state == State::Seen);
    let consumer = consumer.ok_or("what it gets is not known from its files")?;
    let by_files = taken(consumer, client, target);
    if now.way == Way::Unknown || by_files.way == Way::Unknown {
        return Err("its files are not understood to the end, so none can be tried");
    }
    if !by_files.is_same(now) {
        return Err("it was asked, and does otherwise than its files say");
    }
    let began = Instant::now();
    let mut more: Vec<Target> = [false, true].map(|tls| Target { tls, ..target.clone() }).to_vec();
    for host in modelled.consumers.iter().flat_map(internal) {
        if more.len() < HOSTS && !more.contains(&host) {
            more.push(host);
        }
    }
    let candidates = candidates(site, consumer, (client, now), target, proxies)?;
    let asked = asks::urls(&site.endpoints());
    let mut best: Option<Edit> = None;
    for (tried, Candidate { path, bytes, line, says }) in candidates.into_iter().enumerate() {
        if began.elapsed() > DEADLINE {
            best.iter_mut().for_each(|edit| edit.cut_short = true);
            return best.ok_or(match tried {
                0 => "there was no time to try one",
                _ => "no edit of a single line that there was time to try turns it",
            });
        }
        let mut draft = Draft::new(site.host);
        if draft.put(&path, bytes, 0o644, Vec::new()).is_err() {
            continue;
        }
        let Some(change) = draft.plan.changes.pop() else { continue };
        let then = site.observe(std::slice::from_ref(&change), None);
        let Some((own, also)) = turned(&modelled, &then, pair, (client, target), (&asked, &more), curl) else {
            continue;
        };
        if own.after.way == now.way || matches!(own.after.way, Way::Unknown | Way::None) {
            continue;
        }
        let size = |change: &Change| change.old_bytes().len().abs_diff(change.new_bytes().len());
        let is_smaller = |known: &Edit| (also.len(), size(&change)) < (known.also.len(), size(&known.change));
        if best.as_ref().is_none_or(is_smaller) {
            let line = line.unwrap_or_else(|| first_difference(&change));
            best = Some(Edit { change, line, says, own, also, cut_short: false });
        }
    }
    best.ok_or("no edit of a single line that was tried turns it")
}

/// The way after a change, and the others that it turns; `None`: the consumer is not there any more.
fn turned(
    before: &ConsumersFacts,
    then: &ConsumersFacts,
    pair: &Pair<'_>,
    (client, target): (&'static Client, &Target),
    (asked, more): (&[asks::Asked], &[Target]),
    curl: &'static Client,
) -> Option<(Row, Vec<Row>)> {
    let routes = Routes::between(before, then, asked, More::These(more), curl);
    let is_it = |row: &&Row| row.client.id == client.id && row.target == *target && row.is_of(pair);
    let own = routes.more.iter().find(is_it)?.clone();
    let others = routes.rows.iter().chain(&routes.more).filter(|row| row.changes() && !is_it(row));
    let mut also: Vec<Row> = Vec::new();
    for row in others {
        // The catalogue may list what is asked for.
        let same = |known: &Row| {
            known.client.id == row.client.id && known.target == row.target && known.readers == row.readers
        };
        if !also.iter().any(same) {
            also.push(row.clone());
        }
    }
    Some((own, also))
}

/// Files with one line changed that may turn the way.
fn candidates(
    site: &Site<'_>,
    consumer: &Consumer,
    (client, now): (&Client, &Taken),
    target: &Target,
    proxies: &Proxies,
) -> Result<Vec<Candidate>, &'static str> {
    let trial = Trial { site, consumer };
    if consumer.consumer == Who::PackageManager {
        return trial.of_manager(now, target, proxies);
    }
    let environment = way::environment(consumer);
    let asked = client.asked_in(target, &environment);
    let host = target.host.to_string();
    let mut found = Vec::new();
    match (&asked.route, asked.proxy) {
        (Route::Proxy { .. }, Some((proxy, _))) => {
            match asked.no_proxy {
                Some((name, list)) if trial.is_spelled(name, list) => {
                    found.extend(trial.line(name, Some(format!("{list},{host}"))));
                }
                Some(_) => {}
                None => {
                    let name = client.list_names().first().ok_or("this client has no list")?;
                    let beside = consumer.line_of(proxy).and_then(|own| own.place);
                    found.extend(beside.and_then(|place| trial.added(&place.path, name, &host)));
                }
            }
            found.extend(trial.line(proxy, None));
        }
        (Route::Direct(By::Member(_)), _) => {
            let (name, list) = asked.no_proxy.ok_or("no list decides it")?;
            if !trial.is_spelled(name, list) {
                return Err("its list does not stand in one line as it is");
            }
            let left = without(client, target, list).ok_or("no member can be taken out of the list")?;
            found.extend(trial.line(name, Some(left).filter(|left| !left.is_empty())));
        }
        (Route::Direct(By::Rule(_)), None) => {
            let proxy = if target.tls { &proxies.https } else { &proxies.http };
            let url = proxy.as_ref().ok_or("no proxy is known: name it with --proxy")?;
            let name = client.proxy_names(target.tls).first().ok_or("this client reads no proxy variables")?;
            let url = String::from_utf8_lossy(url.value.render().as_bytes()).into_owned();
            for path in trial.files() {
                found.extend(trial.added(&path, name, &url));
            }
        }
        (Route::Direct(By::Rule(_)), Some(_)) => return Err("a rule of the client decides it, which no file changes"),
        _ => return Err("the client asks nobody"),
    }
    Ok(found)
}

/// The list without the members that take the target from the proxy, each with one separator; `None`: it takes too many, or one
/// that does not stand in it as the client has it.
fn without(client: &Client, target: &Target, list: &str) -> Option<String> {
    let is_end = |c: Option<char>| c.is_none_or(|c| ", \t;|".contains(c));
    let mut left = list.to_owned();
    for _ in 0..MEMBERS {
        let Route::Direct(By::Member(member)) = client.route(target, &left) else {
            return (left != list).then_some(left);
        };
        let at = left
            .match_indices(&member)
            .map(|(at, _)| at)
            .find(|at| is_end(left[..*at].chars().next_back()) && is_end(left[at + member.len()..].chars().next()))?;
        let behind = left[at + member.len()..].chars().next().map_or(0, char::len_utf8);
        let before = if behind == 0 { left[..at].chars().next_back().map_or(0, char::len_utf8) } else { 0 };
        left.replace_range(at - before..at + member.len() + behind, "");
    }
    None
}

/// Makes candidates for one consumer.
struct Trial<'t> {
    site: &'t Site<'t>,
    consumer: &'t Consumer,
}

impl Trial<'_> {
    /// Files in which a line more may reach the consumer: its own, else those that reach it by PAM or systemd.
    fn files(&self) -> Vec<PathBuf> {
        let of = |who| files_of(self.site.host, self.site.platform, self.site.home, who);
        match self.consumer.consumer {
            Who::Sudo | Who::Cron => of(Who::Login),
            Who::Systemd => vec![PathBuf::from(MANAGER)],
            who => of(who),
        }
    }

    /// The line that decides a variable.
    fn place(&self, name: &str) -> Option<&Place> {
        self.consumer.line_of(name)?.place.filter(|place| place.line > 0)
    }

    /// Does the line that decides a list hold it as it is? What is put together on the way cannot be written back.
    fn is_spelled(&self, name: &str, list: &str) -> bool {
        let Some(place) = self.place(name).filter(|_| !list.contains(MASK) && list.len() < LARGEST) else {
            return false;
        };
        let bytes = self.read(&place.path).unwrap_or_default();
        let line = bytes.split(|byte| *byte == b'\n').nth(place.line - 1).unwrap_or_default();
        memchr::memmem::find(line, list.as_bytes()).is_some()
    }

    /// That line with another value, or without it.
    fn line(&self, name: &str, value: Option<String>) -> Option<Candidate> {
        let Place { path, line } = self.place(name)?.clone();
        self.edit(&path, Wish { name: name.to_owned(), value, line: Some(line) })
    }

    /// A line more in a file that does not give the variable yet.
    fn added(&self, path: &Path, name: &str, value: &str) -> Option<Candidate> {
        let bytes = self.read(path)?;
        // What comes into being is a file of ours, with a remark that says so.
        let is_unit = matches!(self.form(path)?, Form::Unit(_));
        if is_unit && matches!(self.site.host.host.lstat(path), Ok(None)) {
            return None;
        }
        let active = |line: &[u8]| {
            let line = line.trim_ascii_start();
            !line.starts_with(b"#") && memchr::memmem::find(line, name.as_bytes()).is_some()
        };
        if bytes.split(|byte| *byte == b'\n').any(active) {
            return None;
        }
        self.edit(path, Wish { name: name.to_owned(), value: Some(value.to_owned()), line: None })
    }

    fn form(&self, path: &Path) -> Option<Form> {
        let is_product = path == prod_env(self.site.home);
        if is_product { Some(Form::Lines(Syntax::EnvFile)) } else { form(self.consumer.consumer, path) }
    }

    fn edit(&self, path: &Path, wish: Wish) -> Option<Candidate> {
        let form = self.form(path)?;
        let says = match &wish.value {
            Some(value) => text!("{}={}", wish.name.as_str(), redact::url_text(&redact::list(value))),
            None => text!("without {}", wish.name.as_str()),
        };
        let line = wish.line;
        let old = self.read(path)?;
        let bytes = edited(form, &old, &[wish])?;
        Some(Candidate { path: path.to_path_buf(), bytes, line, says })
    }

    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let read = self.site.host.host.read(path).ok().map(Option::unwrap_or_default);
        read.filter(|bytes| bytes.len() < LARGEST)
    }

    /// A package manager has no variables, and apt a rule for each host.
    fn of_manager(&self, now: &Taken, target: &Target, proxies: &Proxies) -> Result<Vec<Candidate>, &'static str> {
        let is_apt = self.consumer.name.as_deref() == Some("apt");
        let scheme = if target.tls { "https" } else { "http" };
        let own_files = files_of(self.site.host, self.site.platform, self.site.home, Who::PackageManager);
        let path = own_files.first().ok_or("its files are not known")?;
        let without_rule = way::own_rule(self.consumer, target).filter(|rule| rule.host.is_some());
        if let Some(rule) = without_rule.filter(|_| now.way == Way::Direct) {
            return self
                .taken_out(&rule.place)
                .map(|own| vec![own])
                .ok_or("its rule does not stand in a line of its own");
        }
        let line = match now.way {
            Way::Proxy if is_apt => format!("Acquire::{scheme}::Proxy::{} \"DIRECT\";", target.host),
            Way::Direct if is_apt => {
                let proxy = if target.tls { &proxies.https } else { &proxies.http };
                let url = proxy.as_ref().ok_or("no proxy is known: name it with --proxy")?;
                format!("Acquire::{scheme}::Proxy \"{}\";", url.value.render())
            }
            _ => return Err("dnf and yum have no rule for a single host"),
        };
        let says = text!("{}", redact::redact_line(&line));
        let mut bytes = self.read(path).ok_or("its file cannot be read, or is too large")?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            bytes.push(b'\n');
        }
        bytes.extend(line.as_bytes());
        bytes.push(b'\n');
        Ok(vec![Candidate { path: path.clone(), bytes, line: None, says }])
    }

    /// A file without one line that is a statement by itself.
    fn taken_out(&self, place: &Place) -> Option<Candidate> {
        let old = self.read(&place.path)?;
        let mut lines: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
        let at = place.line.checked_sub(1).filter(|at| *at < lines.len())?;
        let gone = lines.remove(at).trim_ascii();
        let is_whole = gone.starts_with(b"Acquire::")
            && gone.ends_with(b";")
            && gone.iter().filter(|own| **own == b';').count() == 1;
        let says = "without this line".into();
        is_whole.then(|| Candidate { path: place.path.clone(), bytes: lines.concat(), line: Some(place.line), says })
    }
}

fn first_difference(change: &Change) -> usize {
    let same = change.old_bytes().iter().zip(change.new_bytes()).take_while(|(old, new)| old == new).count();
    1 + change.new_bytes()[..same].iter().filter(|byte| **byte == b'\n').count()
}
