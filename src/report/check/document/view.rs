//! What the report shows, as plain values without secrets and control characters.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{Checked, Summary, badness, groups};
use super::picture::Picture;
use crate::check::{Address, CheckSpec, Group, ProxySpec, Record, Target};
use crate::finding::{Finding, Status};
use crate::settings::Deployment;

/// Everything on the page, in its order.
pub(super) struct View {
    pub(super) title: String,
    /// `fail`, `warn` or `pass`.
    pub(super) verdict: &'static str,
    pub(super) headline: String,
    pub(super) counts: String,
    pub(super) taken: String,
    pub(super) version: &'static str,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) picture: Picture,
    pub(super) bars: Vec<Bar>,
    /// What the whole width of the chart stands for, in milliseconds.
    pub(super) scale_ms: u64,
    pub(super) groups: Vec<Section>,
    pub(super) allow: Vec<Row>,
    pub(super) exclusions: Vec<Row>,
}

/// One group of findings.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) counts: String,
    pub(super) findings: Vec<Item>,
}

/// One finding.
pub(super) struct Item {
    pub(super) id: &'static str,
    /// `pass`, `warn`, `fail`, `skip`, `error`.
    pub(super) status: &'static str,
    pub(super) word: &'static str,
    pub(super) title: String,
    pub(super) details: Vec<(&'static str, String)>,
    pub(super) fixes: Vec<String>,
}

/// One endpoint's times.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) way: &'static str,
    pub(super) status: &'static str,
    pub(super) total_ms: u64,
    pub(super) parts: Vec<Part>,
}

/// One stage's share.
pub(super) struct Part {
    pub(super) stage: String,
    pub(super) millis: u64,
    /// From the left, in percent of the scale.
    pub(super) from: f64,
    /// In percent of the scale.
    pub(super) width: f64,
}

/// A line for the firewall team.
pub(super) struct Row {
    pub(super) host: String,
    pub(super) wildcard: String,
    pub(super) port: u16,
    pub(super) addresses: String,
    pub(super) purpose: String,
}

impl View {
    pub(super) fn new(record: &Record, checked: &Checked<'_>) -> Self {
        let summary = checked.summary();
        let verdict = match summary {
            Summary { fail: 0, error: 0, warn: 0, .. } => "pass",
            Summary { fail: 0, error: 0, .. } => "warn",
            _ => "fail",
        };
        let bars = bars(checked);
        let scale_ms = bars.iter().map(|bar| bar.total_ms).max().unwrap_or(0).max(1);
        let taken = checked.say(checked.taken.to_owned());
        Self {
            title: format!("ics-setup check, {taken}"),
            verdict,
            headline: headline(&summary, checked),
            counts: summary.words(),
            taken,
            version: crate::build::NUMBER,
            facts: facts(&record.spec, checked),
            picture: Picture::new(&record.spec, checked),
            bars: bars.into_iter().map(|bar| bar.scaled(scale_ms)).collect(),
            scale_ms,
            groups: sections(checked),
            allow: rows(&record.spec, checked, |_| true),
            exclusions: rows(&record.spec, checked, |target| target.tls && !target.direct_only),
        }
    }

    /// Texts that Markdown would take for its own marks are put into code spans or escaped.
    pub(super) fn for_markdown(mut self) -> Self {
        let cell = |text: &mut String| *text = escaped(text);
        cell(&mut self.headline);
        self.facts.iter_mut().for_each(|(_, value)| cell(value));
        for item in self.groups.iter_mut().flat_map(|group| &mut group.findings) {
            cell(&mut item.title);
            item.details.iter_mut().for_each(|(_, text)| cell(text));
            // A fix stands in a fenced block: nothing in it may end the block or begin a line of its own.
            item.fixes.iter_mut().for_each(|fix| *fix = fix.replace("```", "'''").replace('\n', " "));
        }
        for row in self.allow.iter_mut().chain(&mut self.exclusions) {
            [&mut row.host, &mut row.wildcard, &mut row.addresses, &mut row.purpose].into_iter().for_each(cell);
        }
        self.bars.iter_mut().for_each(|bar| cell(&mut bar.name));
        self
    }
}

/// Plain text as Markdown shows it plainly, on one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!' | '&' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn headline(summary: &Summary, checked: &Checked<'_>) -> String {
    let total = checked.findings.len();
    match summary {
        Summary { fail: 0, error: 0, warn: 0, pass: 0, .. } => "Nothing was checked".to_owned(),
        Summary { fail: 0, error: 0, warn: 0, .. } => format!("Fit: all of {} checks passed", summary.pass),
        Summary { fail: 0, error: 0, warn, .. } => format!("Fit, with {warn} of {total} checks giving a warning"),
        Summary { fail: 0, error, .. } => format!("Not known: {error} of {total} checks could not be made"),
        Summary { fail: 1, .. } => {
            let failed = checked.findings.iter().find(|finding| finding.status == Status::Fail);
            format!("Not fit: {}", failed.map(|finding| checked.say(&finding.title)).unwrap_or_default())
        }
        Summary { fail, .. } => format!("Not fit: {fail} of {total} checks failed"),
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

/// Failures first within a group, then warnings; the declared order otherwise.
fn sections(checked: &Checked<'_>) -> Vec<Section> {
    let section = |name: &'static str| {
        let mut own: Vec<&Finding> = checked.findings.iter().filter(|finding| finding.id.group() == name).collect();
        let counts = Summary::of(own.iter().map(|finding| finding.status)).words();
        own.sort_by_key(|finding| std::cmp::Reverse(badness(finding.status)));
        Section { name, counts, findings: own.into_iter().map(|finding| item(finding, checked)).collect() }
    };
    groups(checked.findings.iter().map(|finding| finding.id.group())).into_iter().map(section).collect()
}

fn item(finding: &Finding, checked: &Checked<'_>) -> Item {
    let mut details = Vec::new();
    for (name, value) in [
        ("Expected", &finding.expected),
        ("Seen", &finding.observed),
        ("Because", &finding.cause),
        ("More", &finding.docs),
    ] {
        details.extend(value.as_ref().map(|value| (name, checked.say(value))));
    }
    let fixes = if finding.status == Status::Pass { &[][..] } else { finding.fix.as_slice() };
    Item {
        id: finding.id.as_str(),
        status: finding.status.as_str(),
        word: match finding.status {
            Status::Pass => "passed",
            Status::Warn => "warning",
            Status::Fail => "failed",
            Status::Skip => "skipped",
            Status::Error => "not checked",
        },
        title: checked.say(&finding.title),
        details,
        fixes: fixes.iter().map(|fix| checked.say(fix.text())).collect(),
    }
}

/// One bar for each way that was gone to an endpoint, from the evidence of its finding.
fn bars(checked: &Checked<'_>) -> Vec<Bar> {
    let of_network =
        |finding: &&Finding| [Group::Network.as_str(), Group::Agent.as_str()].contains(&finding.id.group());
    let part = |stage, millis| Part { stage, millis, from: 0.0, width: 0.0 };
    let mut bars = Vec::new();
    for finding in checked.findings.iter().filter(of_network) {
        let stages = finding.evidence.get("stages_ms").and_then(Value::as_object);
        let (Some(stages), Some(host)) = (stages, finding.evidence.get("host")) else { continue };
        let port = finding.evidence.get("port").and_then(Value::as_u64).unwrap_or(443);
        let mut parts: Vec<Part> =
            stages.iter().map(|(stage, millis)| part(checked.say(stage), millis.as_u64().unwrap_or(0))).collect();
        let total_ms = finding.duration_ms.unwrap_or(0);
        if let (Status::Fail | Status::Warn, Some(stage)) = (finding.status, finding.stage) {
            let passed: u64 = parts.iter().map(|part| part.millis).sum();
            parts.push(part(format!("{stage} (failed)"), total_ms.saturating_sub(passed)));
        }
        bars.push(Bar {
            name: checked.say(format!("{}:{port}", host.as_str().unwrap_or_default())),
            way: finding.path.unwrap_or("direct"),
            status: finding.status.as_str(),
            total_ms,
            parts,
        });
    }
    bars
}

impl Bar {
    #[allow(clippy::cast_precision_loss)] // milliseconds of one check
    fn scaled(mut self, scale_ms: u64) -> Self {
        let percent = |millis: u64| (millis as f64) * 100.0 / (scale_ms as f64);
        let mut from = 0.0;
        for part in &mut self.parts {
            (part.from, part.width) = (from, percent(part.millis));
            from += part.width;
        }
        self
    }
}

/// Each host once, in the catalogue's order.
fn rows(spec: &CheckSpec, checked: &Checked<'_>, wanted: impl Fn(&Target) -> bool) -> Vec<Row> {
    let mut seen = BTreeSet::new();
    let targets = spec.endpoints.iter().filter(|target| wanted(target) && seen.insert((&target.host, target.port)));
    let row = |target: &Target| Row {
        host: checked.say(&target.host),
        wildcard: target.stands_for.as_ref().map(|name| checked.say(name)).unwrap_or_default(),
        port: target.port,
        addresses: checked.say(target.static_ips.join(", ")),
        purpose: checked.say(&target.purpose),
    };
    targets.map(row).collect()
}
