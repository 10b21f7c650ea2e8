//! What the report shows, as plain values without secrets and control characters.

use std::collections::BTreeSet;

use super::super::things::{Thing, count, heading, is_in_the_way, things};
use super::super::{Checked, groups};
use super::picture::Picture;
use super::times::{Bar, bars};
use crate::check::{Address, CheckSpec, ProxySpec, Target};
use crate::finding::Status;
use crate::report::characters::{Plain, one_line};
use crate::report::spoken::Span;
use crate::settings::Deployment;

/// Everything on the page, in its order.
pub(super) struct View {
    pub(super) title: String,
    pub(super) host: String,
    pub(super) address: Option<String>,
    /// Release and system.
    pub(super) system: String,
    /// `fail`, `warn` or `pass`.
    pub(super) verdict: &'static str,
    pub(super) headline: String,
    pub(super) counts: String,
    pub(super) taken: String,
    pub(super) version: &'static str,
    /// The command line that asked.
    pub(super) command: Option<String>,
    pub(super) facts: Vec<(&'static str, String)>,
    /// What fails or could not be found out, by who must act.
    pub(super) shares: Vec<Share>,
    pub(super) warnings: Vec<Item>,
    /// `None`: no way was gone.
    pub(super) picture: Option<Picture>,
    /// Of what was reached, the slowest first.
    pub(super) bars: Vec<Bar>,
    /// What the whole width of the chart stands for, in milliseconds.
    pub(super) scale_ms: u64,
    pub(super) passed: Vec<Section>,
    pub(super) skipped: Vec<Section>,
    pub(super) allow: Table,
}

/// What one of them has to do.
pub(super) struct Share {
    pub(super) whose: String,
    pub(super) count: usize,
    pub(super) items: Vec<Item>,
}

/// Findings of one group that ended alike.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) findings: Vec<Item>,
}

/// One finding, or several of one kind.
pub(super) struct Item {
    /// Of all of them.
    pub(super) ids: Vec<&'static str>,
    /// `pass`, `warn`, `fail`, `skip`, `error`.
    pub(super) status: &'static str,
    pub(super) title: String,
    pub(super) whose: String,
    /// What can be pasted.
    pub(super) commands: Vec<String>,
    /// Sentences, in their parts.
    pub(super) advice: Vec<Vec<Span>>,
    pub(super) details: Vec<(&'static str, String)>,
    pub(super) alike: Vec<Item>,
}

/// What a firewall has to let through.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) has_wildcards: bool,
    pub(super) has_addresses: bool,
}

/// A line for the firewall team.
pub(super) struct Row {
    pub(super) host: String,
    pub(super) wildcard: String,
    pub(super) port: u16,
    pub(super) addresses: String,
    pub(super) purpose: String,
    /// It is to be excluded from TLS decryption.
    pub(super) undecrypted: bool,
}

impl View {
    pub(super) fn new(checked: &Checked<'_>) -> Self {
        let record = checked.record;
        let wrong = things(checked, is_in_the_way);
        let verdict = match checked.worst() {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Skip => "skip",
            Status::Fail | Status::Error => "fail",
        };
        let mut bars = bars(checked);
        bars.sort_by_key(|bar| std::cmp::Reverse(bar.total_ms));
        let scale_ms = bars.first().map_or(1, |bar| bar.total_ms.max(1));
        let picture = Picture::new(&record.spec, checked);
        let host = checked.host();
        // As people write a moment of UTC.
        let taken = checked.taken().replace('T', " ").replace('Z', " UTC");
        Self {
            title: format!("{host}: ics-setup check, {taken}"),
            address: checked.address(),
            host,
            system: checked.system().join(" · "),
            verdict,
            headline: checked.verdict(count(&wrong)),
            counts: checked.summary().words(),
            taken,
            version: crate::build::NUMBER,
            command: checked.known(record.host.command.clone()),
            facts: facts(&record.spec, checked),
            shares: shares(wrong),
            warnings: things(checked, |status| status == Status::Warn).into_iter().map(Item::of).collect(),
            picture: picture.is_gone().then_some(picture),
            bars: bars.into_iter().map(|bar| bar.scaled(scale_ms)).collect(),
            scale_ms,
            passed: sections(checked, Status::Pass),
            skipped: sections(checked, Status::Skip),
            allow: table(&record.spec, checked),
        }
    }
}

impl Share {
    /// The first of it, and how many more.
    pub(super) fn in_short(&self) -> String {
        let first = self.items.first().map_or("", |item| item.title.as_str());
        if self.count > 1 { format!("{first}, and {} more", self.count - 1) } else { first.to_owned() }
    }
}

/// Who has how much to do.
fn shares(wrong: Vec<Thing>) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for thing in wrong {
        let (whose, count) = (heading(thing.actor), thing.count());
        let item = Item::of(thing);
        match shares.last_mut().filter(|share| share.whose == whose) {
            Some(share) => {
                share.count += count;
                share.items.push(item);
            }
            None => shares.push(Share { whose, count, items: vec![item] }),
        }
    }
    shares
}

impl Item {
    fn of(thing: Thing) -> Self {
        let alike = thing.alike.iter().map(Self::plain).collect();
        Self { ids: thing.ids, whose: heading(thing.actor), alike, ..Self::plain(&thing.told) }
    }

    fn plain(told: &Plain) -> Self {
        let is_good = told.status == Status::Pass;
        let advice = told.advice.iter().filter(|_| !is_good);
        let mut details = Vec::new();
        for (name, value) in
            [("Seen", &told.observed), ("Expected", &told.expected), ("Because", &told.cause), ("More", &told.docs)]
        {
            details.extend(value.as_ref().map(|value| (name, one_line(value))));
        }
        Self {
            ids: vec![told.id],
            status: told.status.as_str(),
            title: told.title.clone(),
            whose: String::new(),
            commands: if is_good { Vec::new() } else { told.commands.clone() },
            advice: advice.map(|sentence| sentence.clone().one_line().spans().collect()).collect(),
            details,
            alike: Vec::new(),
        }
    }
}

/// What the check was made with.
fn facts(spec: &CheckSpec, checked: &Checked<'_>) -> Vec<(&'static str, String)> {
    let proxy = |proxy: &Option<ProxySpec>| match proxy {
        Some(proxy) => checked.say(format!("{} ({})", proxy.url, proxy.origin)),
        None => "none".to_owned(),
    };
    let url = |proxy: &Option<ProxySpec>| proxy.as_ref().map(|proxy| proxy.url.clone());
    let back_end = |at: &Address| checked.say(format!("{}:{} ({})", at.host, at.port, at.origin));
    let deployment = match spec.deployment {
        Deployment::Production => "production",
        Deployment::TestDrive => "Test Drive",
    };
    let mut facts = vec![("Deployment", deployment.to_owned())];
    facts.extend(spec.release.as_ref().map(|release| ("Release", checked.say(release))));
    facts.push(("Proxy for https", proxy(&spec.https_proxy)));
    if url(&spec.http_proxy) != url(&spec.https_proxy) {
        facts.push(("Proxy for http", proxy(&spec.http_proxy)));
    }
    if spec.https_proxy.is_some() || spec.http_proxy.is_some() {
        facts.push(("Reached without it", checked.say(spec.no_proxy.join(", "))));
    }
    facts.extend(spec.mysql.as_ref().map(|mysql| ("MySQL", back_end(&mysql.at))));
    facts.extend(spec.redis.as_ref().map(|redis| ("Redis", back_end(&redis.at))));
    facts
}

/// What ended so, group by group.
fn sections(checked: &Checked<'_>, status: Status) -> Vec<Section> {
    let all: Vec<Plain> = checked.plain().into_iter().filter(|finding| finding.status == status).collect();
    let section = |name: &'static str| {
        let own = all.iter().filter(|finding| finding.group == name);
        Section { name, findings: own.map(Item::plain).collect() }
    };
    groups(all.iter().map(|finding| finding.group)).into_iter().map(section).collect()
}

/// Each host once, in the catalogue's order.
fn table(spec: &CheckSpec, checked: &Checked<'_>) -> Table {
    let mut seen = BTreeSet::new();
    let targets = spec.endpoints.iter().filter(|target| seen.insert((&target.host, target.port)));
    let row = |target: &Target| Row {
        host: checked.say(&target.host),
        wildcard: target.stands_for.as_ref().map(|name| checked.say(name)).unwrap_or_default(),
        port: target.port,
        addresses: checked.say(target.static_ips.join(", ")),
        purpose: checked.say(&target.purpose),
        undecrypted: target.tls && !target.direct_only,
    };
    let rows: Vec<Row> = targets.map(row).collect();
    Table {
        has_wildcards: rows.iter().any(|row| !row.wildcard.is_empty()),
        has_addresses: rows.iter().any(|row| !row.addresses.is_empty()),
        rows,
    }
}
