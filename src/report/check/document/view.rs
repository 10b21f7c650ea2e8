//! What the report shows, as plain values without secrets and control characters.

use std::collections::BTreeMap;

use super::super::{Checked, Summary};
use super::picture::Picture;
use crate::check::{CheckSpec, Group, Record};
use crate::finding::{Finding, Status};
use crate::text::Text;

/// Everything on the page, in its order.
pub(super) struct View {
    pub(super) title: String,
    /// `fail`, `warn` or `pass`.
    pub(super) verdict: &'static str,
    pub(super) headline: String,
    pub(super) counts: String,
    pub(super) taken: String,
    pub(super) version: &'static str,
    pub(super) facts: Vec<(String, String)>,
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
        let verdict = if summary.fail + summary.error > 0 {
            "fail"
        } else if summary.warn > 0 {
            "warn"
        } else {
            "pass"
        };
        let bars = bars(checked);
        let scale_ms = bars.iter().map(|bar| bar.total_ms).max().unwrap_or(0).max(1);
        let bars = bars.into_iter().map(|bar| bar.scaled(scale_ms)).collect();
        Self {
            title: format!("ics-setup check, {}", checked.say(record.taken.clone())),
            verdict,
            headline: headline(&summary, checked),
            counts: summary.words(),
            taken: checked.say(record.taken.clone()),
            version: crate::build::NUMBER,
            facts: facts(&record.spec, |text| checked.say(text.to_owned())),
            picture: Picture::new(&record.spec, checked.findings, |text| checked.say(text.to_owned())),
            bars,
            scale_ms,
            groups: sections(checked),
            allow: rows(&record.spec, |_| true, |text| checked.say(text.to_owned())),
            exclusions: rows(
                &record.spec,
                |target| target.tls && !target.direct_only,
                |text| checked.say(text.to_owned()),
            ),
        }
    }

    /// Texts that Markdown would take for its own marks are put into code spans or escaped.
    pub(super) fn for_markdown(mut self) -> Self {
        let cell = |text: &mut String| *text = escaped(text);
        cell(&mut self.headline);
        self.facts.iter_mut().for_each(|(name, value)| {
            cell(name);
            cell(value);
        });
        for item in self.groups.iter_mut().flat_map(|group| &mut group.findings) {
            cell(&mut item.title);
            item.details.iter_mut().for_each(|(_, text)| cell(text));
            // A fix stands in a fenced block: nothing in it may end the block or begin a line of its own.
            item.fixes.iter_mut().for_each(|fix| *fix = fix.replace("```", "'''").replace('\n', " "));
        }
        for row in self.allow.iter_mut().chain(&mut self.exclusions) {
            [&mut row.host, &mut row.wildcard, &mut row.addresses, &mut row.purpose].into_iter().for_each(cell);
        }
        for bar in &mut self.bars {
            cell(&mut bar.name);
        }
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
    let worst = |status| {
        checked.findings.iter().find(|finding| finding.status == status).map(|finding| checked.say(&finding.title))
    };
    match summary {
        Summary { fail: 0, error: 0, warn: 0, pass: 0, .. } => "Nothing was checked".to_owned(),
        Summary { fail: 0, error: 0, warn: 0, .. } => format!("Fit: all of {} checks passed", summary.pass),
        Summary { fail: 0, error: 0, warn, .. } => format!("Fit, with {warn} of {total} checks giving a warning"),
        Summary { fail: 0, error, .. } => format!("Not known: {error} of {total} checks could not be made"),
        Summary { fail: 1, .. } => {
            format!("Not fit: {}", worst(Status::Fail).unwrap_or_default())
        }
        Summary { fail, .. } => format!("Not fit: {fail} of {total} checks failed"),
    }
}

/// What the check was made with.
fn facts(spec: &CheckSpec, say: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let deployment = match spec.deployment {
        crate::settings::Deployment::Production => "production",
        crate::settings::Deployment::TestDrive => "Test Drive",
    };
    facts.push(("Deployment".to_owned(), deployment.to_owned()));
    if let Some(release) = &spec.release {
        facts.push(("Release".to_owned(), say(release)));
    }
    let proxy = |proxy: &Option<crate::check::ProxySpec>| {
        proxy.as_ref().map_or_else(|| "none".to_owned(), |proxy| say(&format!("{} ({})", proxy.url, proxy.origin)))
    };
    facts.push(("Proxy for https".to_owned(), proxy(&spec.https_proxy)));
    if spec.http_proxy.as_ref().map(|proxy| &proxy.url) != spec.https_proxy.as_ref().map(|proxy| &proxy.url) {
        facts.push(("Proxy for http".to_owned(), proxy(&spec.http_proxy)));
    }
    if spec.https_proxy.is_some() || spec.http_proxy.is_some() {
        facts.push(("Reached without it".to_owned(), say(&spec.no_proxy.join(", "))));
    }
    if let Some(mysql) = &spec.mysql {
        facts.push(("MySQL".to_owned(), say(&format!("{}:{} ({})", mysql.at.host, mysql.at.port, mysql.at.origin))));
    }
    if let Some(redis) = &spec.redis {
        facts.push(("Redis".to_owned(), say(&format!("{}:{} ({})", redis.at.host, redis.at.port, redis.at.origin))));
    }
    facts
}

/// Failures first within a group, then warnings; the declared order otherwise.
fn sections(checked: &Checked<'_>) -> Vec<Section> {
    let groups = checked.findings.iter().fold(Vec::new(), |mut groups, finding| {
        if !groups.contains(&finding.id.group()) {
            groups.push(finding.id.group());
        }
        groups
    });
    let rank = |status| match status {
        Status::Fail => 0,
        Status::Error => 1,
        Status::Warn => 2,
        Status::Pass => 3,
        Status::Skip => 4,
    };
    let section = |name: &'static str| {
        let mut own: Vec<&Finding> = checked.findings.iter().filter(|finding| finding.id.group() == name).collect();
        own.sort_by_key(|finding| rank(finding.status));
        Section {
            name,
            counts: Summary::of(own.iter().map(|finding| finding.status)).words(),
            findings: own.into_iter().map(|finding| item(finding, |text| checked.say(text))).collect(),
        }
    };
    groups.into_iter().map(section).collect()
}

fn item(finding: &Finding, say: impl Fn(&Text) -> String) -> Item {
    let (status, word) = words(finding.status);
    let mut details = Vec::new();
    for (name, value) in [
        ("Expected", &finding.expected),
        ("Seen", &finding.observed),
        ("Because", &finding.cause),
        ("More", &finding.docs),
    ] {
        details.extend(value.as_ref().map(|value| (name, say(value))));
    }
    let fixes = if finding.status == Status::Pass { &[][..] } else { finding.fix.as_slice() };
    Item {
        id: finding.id.as_str(),
        status,
        word,
        title: say(&finding.title),
        details,
        fixes: fixes.iter().map(|fix| say(fix.text())).collect(),
    }
}

/// For style sheets, and for people.
pub(super) fn words(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Pass => ("pass", "passed"),
        Status::Warn => ("warn", "warning"),
        Status::Fail => ("fail", "failed"),
        Status::Skip => ("skip", "skipped"),
        Status::Error => ("error", "not checked"),
    }
}

/// One bar for each way that was gone to an endpoint, from the evidence of its finding.
fn bars(checked: &Checked<'_>) -> Vec<Bar> {
    let of_network =
        |finding: &&Finding| [Group::Network.as_str(), Group::Agent.as_str()].contains(&finding.id.group());
    let mut bars = Vec::new();
    for finding in checked.findings.iter().filter(of_network) {
        let (Some(stages), Some(host)) =
            (finding.evidence.get("stages_ms").and_then(|value| value.as_object()), finding.evidence.get("host"))
        else {
            continue;
        };
        let port = finding.evidence.get("port").and_then(serde_json::Value::as_u64).unwrap_or(443);
        let mut parts: Vec<Part> = stages
            .iter()
            .map(|(stage, millis)| Part {
                stage: checked.say(stage.clone()),
                millis: millis.as_u64().unwrap_or(0),
                from: 0.0,
                width: 0.0,
            })
            .collect();
        let total_ms = finding.duration_ms.unwrap_or(0);
        let passed: u64 = parts.iter().map(|part| part.millis).sum();
        if let (Status::Fail | Status::Warn, Some(stage)) = (finding.status, finding.stage) {
            let millis = total_ms.saturating_sub(passed);
            parts.push(Part { stage: format!("{stage} (failed)"), millis, from: 0.0, width: 0.0 });
        }
        bars.push(Bar {
            name: checked.say(format!("{}:{port}", host.as_str().unwrap_or_default())),
            way: finding.path.unwrap_or("direct"),
            status: words(finding.status).0,
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
fn rows(spec: &CheckSpec, wanted: impl Fn(&crate::check::Target) -> bool, say: impl Fn(&str) -> String) -> Vec<Row> {
    let mut seen = BTreeMap::new();
    let mut rows = Vec::new();
    for target in spec.endpoints.iter().filter(|target| wanted(target)) {
        if seen.insert((target.host.clone(), target.port), ()).is_some() {
            continue;
        }
        rows.push(Row {
            host: say(&target.host),
            wildcard: target.stands_for.as_deref().map(&say).unwrap_or_default(),
            port: target.port,
            addresses: say(&target.static_ips.join(", ")),
            purpose: say(&target.purpose),
        });
    }
    rows
}
