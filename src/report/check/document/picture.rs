//! The picture of the paths: this host on the left, what it talks to on the right, the proxy in between; red where a path
//! breaks. Boxes and lines are told in words too, for those who do not see them.

use super::super::{Checked, badness};
use crate::check::{Address, CheckSpec};
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
    pub(super) name: &'static str,
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

/// What stands on the right.
struct End {
    name: &'static str,
    detail: String,
    status: &'static str,
    /// It is reached through the proxy.
    through: bool,
}

/// Width and height of a box, as the template draws it.
const BOX: (u32, u32) = (200, 56);
const GAP: u32 = 24;
const COLUMNS: [u32; 3] = [10, 300, 590];

impl Picture {
    pub(super) fn new(spec: &CheckSpec, checked: &Checked<'_>) -> Self {
        let state = |groups: &[&str], ids: &[&str]| {
            state(checked.findings.iter().filter(|finding| {
                groups.contains(&finding.id.group())
                    && (ids.is_empty() || ids.iter().any(|id| finding.id.as_str().starts_with(id)))
            }))
        };
        let at = |host: &str, port: u16| checked.say(host_port(host, port));
        let back_end = |name, id, address: &Address| End {
            name,
            detail: at(&address.host, address.port),
            status: state(&["backends"], &[id]),
            through: false,
        };
        let mut ends = Vec::new();
        ends.extend(spec.mysql.as_ref().map(|mysql| back_end("MySQL", "mysql", &mysql.at)));
        ends.extend(spec.redis.as_ref().map(|redis| back_end("Redis", "redis", &redis.at)));
        let proxy = spec.https_proxy.as_ref();
        let agent_ids = ["agent-endpoint", "agent-interception", "agent-proxy"];
        for (agent, name, status) in [
            (false, "product's endpoints", state(&["network"], &[])),
            (true, "agent's endpoints", state(&["agent"], &agent_ids)),
        ] {
            let count = spec.endpoints.iter().filter(|target| target.agent == agent && !target.direct_only).count();
            if count > 0 {
                ends.push(End { name, detail: counted(count, "host"), status, through: proxy.is_some() });
            }
        }
        let collectors = spec.endpoints.iter().filter(|target| target.direct_only).count();
        if collectors > 0 {
            let status = state(&["agent"], &["agent-collector"]);
            ends.push(End { name: "Collectors", detail: counted(collectors, "port"), status, through: false });
        }
        // What is reached without the proxy stands above it, so that no line crosses its box.
        ends.sort_by_key(|end| end.through);
        let mut proxy_state = state(&["proxy", "network", "agent"], &["proxy-", "network-proxy", "agent-proxy"]);
        let came_through = |finding: &Finding| finding.path == Some("proxy") && finding.status == Status::Pass;
        if proxy_state == "skip" && checked.findings.iter().any(came_through) {
            proxy_state = "pass";
        }
        let proxy = proxy.map(|proxy| (at(&proxy.host, proxy.port), proxy_state));
        Self::laid_out(ends, proxy, state(&["host"], &[]))
    }

    /// `proxy`: its place and its state.
    fn laid_out(ends: Vec<End>, proxy: Option<(String, &'static str)>, host_state: &'static str) -> Self {
        let (wide, high) = BOX;
        let rows = u32::try_from(ends.len().max(1)).unwrap_or(1);
        let height = 20 + rows * (high + GAP);
        let y_of = |row: u32| 10 + row * (high + GAP);
        let middle = (height - high) / 2;
        let line = |from: (u32, u32), column: usize, y: u32, status, way: &str| Line {
            x1: from.0,
            y1: from.1,
            x2: COLUMNS[column],
            y2: y + high / 2,
            status,
            words: format!("{way}: {}", in_words(status)),
        };
        let this_host = Node { x: COLUMNS[0], y: middle, name: "this host", detail: String::new(), status: host_state };
        let (mut boxes, mut lines) = (vec![this_host], Vec::new());
        let right_of_host = (COLUMNS[0] + wide, middle + high / 2);
        // The proxy stands at the height of what is behind it.
        let behind: Vec<u32> = (0..rows).zip(&ends).filter(|(_, end)| end.through).map(|(row, _)| y_of(row)).collect();
        let proxy_y = match (behind.first(), behind.last()) {
            (Some(first), Some(last)) => (first + last) / 2,
            _ => middle,
        };
        if let Some((place, status)) = proxy {
            lines.push(line(right_of_host, 1, proxy_y, status, &format!("this host to the proxy {place}")));
            boxes.push(Node { x: COLUMNS[1], y: proxy_y, name: "proxy", detail: place, status });
        }
        for (row, End { name, detail, status, through }) in (0..rows).zip(ends) {
            let y = y_of(row);
            let (start, from) = match through {
                true => ("the proxy", (COLUMNS[1] + wide, proxy_y + high / 2)),
                false => ("this host", right_of_host),
            };
            lines.push(line(from, 2, y, status, &format!("{start} to {name} ({detail})")));
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

/// The worst of all. What could not be checked is drawn as a failure.
fn state<'a>(findings: impl Iterator<Item = &'a Finding>) -> &'static str {
    match findings.map(|finding| finding.status).max_by_key(|status| badness(*status)) {
        Some(Status::Error) => Status::Fail.as_str(),
        worst => worst.unwrap_or(Status::Skip).as_str(),
    }
}
