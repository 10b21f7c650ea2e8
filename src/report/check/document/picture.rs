//! The picture of the paths: this host on the left, what it talks to on the right, the proxy in between; red where a path
//! breaks. Boxes and lines are told in words too, for those who do not see them.

use crate::check::CheckSpec;
use crate::finding::{Finding, Status};
use crate::text::host_port;

/// Boxes and lines, in the units of the drawing.
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) boxes: Vec<Node>,
    pub(super) lines: Vec<Line>,
}

/// A box.
pub(super) struct Node {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) status: &'static str,
}

/// A line from box to box.
pub(super) struct Line {
    pub(super) x1: u32,
    pub(super) y1: u32,
    pub(super) x2: u32,
    pub(super) y2: u32,
    pub(super) status: &'static str,
    /// The whole of it in words.
    pub(super) words: String,
}

/// Size of a box.
pub(super) const BOX: (u32, u32) = (200, 56);
const GAP: u32 = 24;
const COLUMNS: [u32; 3] = [10, 300, 590];

impl Picture {
    pub(super) fn new(spec: &CheckSpec, findings: &[Finding], say: impl Fn(&str) -> String) -> Self {
        let state = |groups: &[&str], ids: &[&str]| {
            state(findings.iter().filter(|finding| {
                groups.contains(&finding.id.group())
                    && (ids.is_empty() || ids.iter().any(|id| finding.id.as_str().starts_with(id)))
            }))
        };
        let mut ends: Vec<(String, String, &'static str, bool)> = Vec::new();
        if let Some(mysql) = &spec.mysql {
            let detail = say(&host_port(&mysql.at.host, mysql.at.port));
            ends.push(("MySQL".to_owned(), detail, state(&["backends"], &["mysql"]), false));
        }
        if let Some(redis) = &spec.redis {
            let detail = say(&host_port(&redis.at.host, redis.at.port));
            ends.push(("Redis".to_owned(), detail, state(&["backends"], &["redis"]), false));
        }
        let proxy = spec.https_proxy.as_ref();
        for (agent, name, group) in [(false, "product's endpoints", "network"), (true, "agent's endpoints", "agent")] {
            let count = spec.endpoints.iter().filter(|target| target.agent == agent && !target.direct_only).count();
            if count > 0 {
                let ids: &[&str] = if agent { &["agent-endpoint", "agent-interception", "agent-proxy"] } else { &[] };
                ends.push((name.to_owned(), counted(count, "host"), state(&[group], ids), proxy.is_some()));
            }
        }
        let collectors = spec.endpoints.iter().filter(|target| target.direct_only).count();
        if collectors > 0 {
            let detail = counted(collectors, "port");
            ends.push(("Collectors".to_owned(), detail, state(&["agent"], &["agent-collector"]), false));
        }
        // What is reached without the proxy stands above it, so that no line crosses its box.
        ends.sort_by_key(|(.., through)| *through);
        let mut proxy_state = state(&["proxy", "network", "agent"], &["proxy-", "network-proxy", "agent-proxy"]);
        let came_through = |finding: &Finding| finding.path == Some("proxy") && finding.status == Status::Pass;
        if proxy_state == "skip" && findings.iter().any(came_through) {
            proxy_state = "pass";
        }
        Self::laid_out(
            ends,
            proxy.map(|proxy| say(&host_port(&proxy.host, proxy.port))),
            proxy_state,
            state(&["host"], &[]),
        )
    }

    fn laid_out(
        ends: Vec<(String, String, &'static str, bool)>,
        proxy: Option<String>,
        proxy_state: &'static str,
        host_state: &'static str,
    ) -> Self {
        let (wide, high) = BOX;
        let rows = u32::try_from(ends.len().max(1)).unwrap_or(1);
        let height = 20 + rows * (high + GAP);
        let y_of = |row: u32| 10 + row * (high + GAP);
        let middle = (height - high) / 2;
        let mut boxes = vec![Node {
            x: COLUMNS[0],
            y: middle,
            name: "this host".to_owned(),
            detail: String::new(),
            status: host_state,
        }];
        let mut lines = Vec::new();
        let right_of_host = (COLUMNS[0] + wide, middle + high / 2);
        // The proxy stands at the height of what is behind it.
        let behind: Vec<u32> =
            (0..rows).zip(&ends).filter(|(_, (.., through))| *through).map(|(row, _)| y_of(row)).collect();
        let proxy_y = match (behind.first(), behind.last()) {
            (Some(first), Some(last)) => (first + last) / 2,
            _ => middle,
        };
        if let Some(place) = &proxy {
            boxes.push(Node {
                x: COLUMNS[1],
                y: proxy_y,
                name: "proxy".to_owned(),
                detail: place.clone(),
                status: proxy_state,
            });
            lines.push(Line {
                x1: right_of_host.0,
                y1: right_of_host.1,
                x2: COLUMNS[1],
                y2: proxy_y + high / 2,
                status: proxy_state,
                words: format!("this host to the proxy {place}: {}", in_words(proxy_state)),
            });
        }
        for (row, (name, detail, status, through)) in (0..rows).zip(ends) {
            let y = y_of(row);
            let from = if through { (COLUMNS[1] + wide, proxy_y + high / 2) } else { right_of_host };
            let start = if through { "the proxy" } else { "this host" };
            lines.push(Line {
                x1: from.0,
                y1: from.1,
                x2: COLUMNS[2],
                y2: y + high / 2,
                status,
                words: format!("{start} to {name} ({detail}): {}", in_words(status)),
            });
            boxes.push(Node { x: COLUMNS[2], y, name, detail, status });
        }
        Self { width: COLUMNS[2] + wide + 10, height, boxes, lines }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn in_words(status: &str) -> &'static str {
    match status {
        "pass" => "open",
        "warn" => "open, with a warning",
        "fail" => "broken",
        _ => "not checked",
    }
}

/// The worst of all.
fn state<'a>(findings: impl Iterator<Item = &'a Finding>) -> &'static str {
    let worst = findings.map(|finding| match finding.status {
        Status::Fail | Status::Error => 3,
        Status::Warn => 2,
        Status::Pass => 1,
        Status::Skip => 0,
    });
    match worst.max() {
        Some(3) => "fail",
        Some(2) => "warn",
        Some(1) => "pass",
        _ => "skip",
    }
}
