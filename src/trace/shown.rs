//! Text for people, JSON for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json as value};

use super::{Bypass, State, Traced};
use crate::redact::Redactor;
use crate::report::{Paint, characters, line, visible};
use crate::stamp::rfc3339;
use crate::text::{Fix, Person, seconds};

/// The whole result but for its schema and its command.
pub(crate) fn json(traced: &Traced, redactor: &Redactor, person: &Person) -> Value {
    let one = |own: &Bypass| {
        let pasted = own.fix.iter().map(|fix| fix.pasted_by(person));
        let (commands, advice): (Vec<Fix>, Vec<Fix>) = pasted.partition(|fix| matches!(fix, Fix::Command(_)));
        let texts = |all: &[Fix]| all.iter().map(|fix| characters(redactor, fix.text())).collect::<Vec<_>>();
        value!({
            "program": own.program,
            "pid": own.pid,
            "user": own.user,
            "container": own.container,
            "service": own.service,
            "destination": own.destination.to_string(),
            "endpoint": own.endpoint,
            "state": own.state.as_str(),
            "tries": own.tries,
            "since": rfc3339(own.since),
            "why": characters(redactor, &own.why.pasted_by(person)),
            "fix": texts(&commands),
            "advice": texts(&advice),
        })
    };
    let summary = &traced.summary;
    value!({
        "seconds": tenths(traced.took),
        "bypasses": traced.bypasses.iter().map(one).collect::<Vec<_>>(),
        "summary": {
            "proxies": traced.proxies,
            "bypasses": traced.bypasses.len(),
            "more": summary.more,
            "unowned": summary.unowned,
            "namespaces": summary.namespaces,
            "namespaces_unread": summary.unread,
            "sockets": summary.sockets,
            "looks": summary.looks,
            "load_percent": summary.load_percent,
            "proxies_unresolved": summary.unresolved,
            "interrupted": summary.interrupted,
            "not_seen": ["UDP and with it QUIC", "what is refused at once", "what ends between two looks"],
        },
    })
}

/// To the tenth of a second.
fn tenths(took: Duration) -> f64 {
    (took.as_secs_f64() * 10.0).round() / 10.0
}

/// The answer, then each who goes around the proxy, with the reason and what mends it.
pub(crate) fn human(traced: &Traced, redactor: &Redactor, person: &Person, paint: Paint) -> String {
    let proxies = traced.proxies.join(" and ");
    let groups = groups(&traced.bypasses);
    let whose = |own: &Bypass| (own.program.clone(), own.user.clone(), own.container.clone());
    let mut text = match traced.bypasses.iter().map(whose).collect::<BTreeSet<_>>().len() {
        0 => format!("Nothing was seen to go around {proxies}"),
        1 => format!("One program goes around {proxies}"),
        number => format!("{number} programs go around {proxies}"),
    };
    let summary = &traced.summary;
    let early = if summary.interrupted { ", then interrupted" } else { "" };
    let _ = writeln!(text, " (watched for {}{early}).", seconds(Duration::from_secs_f64(tenths(traced.took))));
    for group in &groups {
        let Some(first) = group.first() else { continue };
        let name = first.program.as_deref().unwrap_or("a program that was not seen");
        let mut head = format!("\n{}", paint.bold(&visible(name)));
        let details: Vec<String> = [
            first.pid.map(|pid| format!("pid {pid}")),
            first.user.as_ref().map(|user| format!("user {}", visible(user))),
            first.container.as_ref().map(|name| format!("container {}", visible(name))),
            first.service.as_ref().map(|name| format!("service {}", visible(name))),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !details.is_empty() {
            let _ = write!(head, " ({})", details.join(", "));
        }
        let _ = writeln!(text, "{head}");
        for own in group {
            let name = own.endpoint.as_ref().map(|name| format!(" ({})", visible(name))).unwrap_or_default();
            let tries = if own.tries == 1 { "once".to_owned() } else { format!("{} times", own.tries) };
            let how = match own.state {
                State::Unanswered => paint.bad(&format!("no answer, tried {tries}")),
                State::Open if own.tries == 1 => "open".to_owned(),
                State::Open => format!("open, {tries}"),
            };
            let _ = writeln!(text, "     {}{name}: {how}, seen since {}", own.destination, rfc3339(own.since));
        }
        let _ = writeln!(text, "     because: {}", line(redactor, &first.why.pasted_by(person)));
        for fix in first.fix.iter().map(|fix| fix.pasted_by(person)) {
            let _ = writeln!(text, "     {}: {}", fix.label(), line(redactor, fix.text()));
        }
    }
    let _ = write!(text, "\n{}", remarks(traced, paint));
    text
}

/// What was looked at and what was not, one line each.
fn remarks(traced: &Traced, paint: Paint) -> String {
    let summary = &traced.summary;
    let mut lines = Vec::new();
    if traced.bypasses.iter().any(|own| own.program.is_some()) {
        lines.push(
            "What is to be reached directly belongs into the list: ics-setup prepare --no-proxy <NAME>.".to_owned(),
        );
    }
    for name in &summary.unresolved {
        lines.push(format!(
            "{} has no address here, so that connections to it may be told above as well.",
            visible(name)
        ));
    }
    if summary.unowned > 0 {
        lines.push(format!(
            "Of {} more connections it cannot be told whether the proxy of this host or somebody else made them.",
            summary.unowned
        ));
    }
    if summary.more > 0 {
        lines.push(format!("{} more connections went around it, to other destinations.", summary.more));
    }
    if summary.unread > 0 {
        lines.push(format!("Of {} network namespaces {} could not be read.", summary.namespaces, summary.unread));
    }
    let spaces = if summary.namespaces == 1 { "" } else { "s" };
    let pause = traced.took.div_f64(f64::from(u32::try_from(summary.looks).unwrap_or(u32::MAX)).max(1.0));
    lines.push(format!(
        "Looked {} times at up to {} TCP sockets in {} network namespace{spaces}, with {} % of one core.",
        summary.looks, summary.sockets, summary.namespaces, summary.load_percent
    ));
    lines.push(format!(
        "Not seen: UDP and with it QUIC, what is refused at once, what ends between two looks ({}).",
        seconds(pause)
    ));
    lines.iter().map(|line| format!("{}\n", paint.faint(line))).collect()
}

/// Those with the same process, reason and way out, in order.
fn groups(bypasses: &[Bypass]) -> Vec<Vec<&Bypass>> {
    let mut groups: Vec<Vec<&Bypass>> = Vec::new();
    for own in bypasses {
        let same = |group: &&mut Vec<&Bypass>| {
            group.first().is_some_and(|first| {
                (&first.program, first.pid, &first.user, &first.container)
                    == (&own.program, own.pid, &own.user, &own.container)
                    && first.why == own.why
                    && first.fix == own.fix
            })
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(own),
            None => groups.push(vec![own]),
        }
    }
    groups
}
