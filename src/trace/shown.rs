//! Text for people, JSON for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json as value};

use super::{Bypass, State, Summary, Traced};
use crate::redact::Redactor;
use crate::report::{Paint, characters, line, visible};
use crate::stamp::rfc3339;
use crate::text::{Fix, Person, counted, seconds};

/// What no look sees.
const NOT_SEEN: [&str; 3] = ["UDP and with it QUIC", "what is refused at once", "what ends between two looks"];

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
            "beyond": summary.beyond,
            "namespaces": summary.namespaces,
            "namespaces_unread": summary.unread,
            "sockets": summary.sockets,
            "looks": summary.looks,
            "load_percent": summary.load_percent,
            "proxies_unresolved": summary.unresolved,
            "interrupted": summary.interrupted,
            "not_seen": NOT_SEEN,
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
    text.extend(untold(summary).map(|what| format!("; of {what} it cannot be told")));
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

/// Of what it cannot be told whether it goes around the proxy; `None`: of nothing that was looked at.
fn untold(summary: &Summary) -> Option<String> {
    let one = |number: u64, of: &str| (number > 0).then(|| counted(number, of));
    let unread = u64::try_from(summary.unread).unwrap_or(u64::MAX);
    let connections = summary.unowned.saturating_add(summary.beyond);
    let all: Vec<String> =
        [one(connections, "connection"), one(unread, "network namespace")].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

/// What was looked at and what was not, one line each.
fn remarks(traced: &Traced, paint: Paint) -> String {
    let summary = &traced.summary;
    let mut lines = Vec::new();
    for name in &summary.unresolved {
        lines.push(format!(
            "{} has no address here, so that connections to it may be told above as well.",
            visible(name)
        ));
    }
    if summary.unowned > 0 {
        lines.push(format!(
            "Whether the proxy of this host or somebody else made {} more connections around it cannot be told.",
            summary.unowned
        ));
    }
    if summary.beyond > 0 {
        lines.push(format!(
            "Up to {} more connections around it at one look were too many to be told apart: whose they are is not known.",
            summary.beyond
        ));
    }
    if summary.more > 0 {
        lines.push(format!("{} more connections went around it, to other destinations.", summary.more));
    }
    if summary.unread > 0 {
        lines.push(format!("Of {} network namespaces {} could not be read.", summary.namespaces, summary.unread));
    }
    let pause = traced.took.div_f64(f64::from(u32::try_from(summary.looks).unwrap_or(u32::MAX)).max(1.0));
    lines.push(format!(
        "Looked {} at up to {} in {}, with {} % of one core.",
        counted(summary.looks, "time"),
        counted(u64::try_from(summary.sockets).unwrap_or(u64::MAX), "TCP socket"),
        counted(u64::try_from(summary.namespaces).unwrap_or(u64::MAX), "network namespace"),
        summary.load_percent
    ));
    lines.push(format!("Not seen: {} ({}).", NOT_SEEN.join(", "), seconds(pause)));
    if traced.bypasses.iter().any(|own| own.program.is_some()) {
        lines.push(
            "Only if a destination is meant to be reached directly it belongs into the list: ics-setup prepare --no-proxy <NAME>."
                .to_owned(),
        );
    }
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

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn traced(unowned: u64, unread: usize, bypasses: Vec<Bypass>) -> Traced {
        let summary = Summary {
            looks: 3,
            namespaces: 5,
            unread,
            sockets: 9,
            unowned,
            beyond: 0,
            more: 0,
            load_percent: 0.5,
            unresolved: Vec::new(),
            interrupted: false,
        };
        Traced { proxies: vec!["h.example:3128".to_owned()], took: Duration::from_secs(60), bypasses, summary }
    }

    fn text(traced: &Traced) -> Vec<String> {
        let text = human(traced, &Redactor::default(), &Person::default(), Paint(false));
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_first_sentence_says_of_what_it_cannot_be_told() {
        for (unowned, unread, expected) in [
            (0, 0, "Nothing was seen to go around h.example:3128 ("),
            (
                12,
                1,
                "Nothing was seen to go around h.example:3128; of 12 connections and 1 network namespace it cannot be told (",
            ),
            (1, 0, "Nothing was seen to go around h.example:3128; of 1 connection it cannot be told ("),
            (0, 2, "Nothing was seen to go around h.example:3128; of 2 network namespaces it cannot be told ("),
        ] {
            let all = text(&traced(unowned, unread, Vec::new()));
            assert!(all[0].starts_with(expected), "{all:?}");
        }
    }

    #[test]
    fn too_many_to_be_told_apart_says_nothing_of_a_proxy_that_calls_out() {
        let mut traced = traced(0, 0, Vec::new());
        traced.summary.beyond = 7;
        let all = text(&traced);
        assert!(all[0].contains("; of 7 connections it cannot be told ("), "{all:?}");
        assert!(all.iter().any(|line| line.starts_with("Up to 7 more connections around it at one look")), "{all:?}");
        assert!(!all.iter().any(|line| line.starts_with("Whether the proxy of this host")), "{all:?}");
        let value = json(&traced, &Redactor::default(), &Person::default());
        assert_eq!((&value["summary"]["unowned"], &value["summary"]["beyond"]), (&value!(0), &value!(7)));
    }

    #[test]
    fn the_list_is_the_last_word_and_programs_are_told_what_is_not_seen() {
        let bypass = Bypass {
            program: Some("curl".to_owned()),
            pid: Some(7),
            user: Some("divvy".to_owned()),
            container: None,
            service: None,
            destination: "203.0.113.9:443".parse().unwrap(),
            endpoint: None,
            state: State::Open,
            tries: 1,
            since: UNIX_EPOCH + Duration::from_secs(60),
            why: "it has no https_proxy".into(),
            fix: Vec::new(),
        };
        let all = text(&traced(0, 0, vec![bypass.clone()]));
        assert_eq!(all[0], "One program goes around h.example:3128 (watched for 60 s).");
        assert_eq!(
            all[2..5].concat(),
            "curl (pid 7, user divvy)     203.0.113.9:443: open, seen since 1970-01-01T00:01:00Z     because: it has no https_proxy"
        );
        assert!(all.last().unwrap().starts_with("Only if a destination is meant to be reached directly"), "{all:?}");
        let value = json(&traced(3, 1, vec![bypass]), &Redactor::default(), &Person::default());
        let summary = &value["summary"];
        assert_eq!(summary["not_seen"], value!(NOT_SEEN));
        assert_eq!((&summary["unowned"], &summary["namespaces_unread"]), (&value!(3), &value!(1)));
        assert_eq!(value["bypasses"][0]["since"], "1970-01-01T00:01:00Z");
    }
}
