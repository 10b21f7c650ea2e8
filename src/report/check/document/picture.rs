//! The picture of the paths: this host on the left, what it talks to on the right, the proxy in between; red where a path
//! breaks. Boxes and lines are told in words too, for those who do not see them.

use super::super::{Checked, badness};
use crate::check::{Address, CheckSpec};
use crate::finding::{Finding, FindingId, Status, ids};
use crate::text::{counted, host_port};

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
    /// At most so long that it fits.
    pub(super) detail: String,
    pub(super) status: &'static str,
    /// How it is, in a word; empty: this is the host that looks.
    pub(super) word: &'static str,
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
    status: Status,
    word: &'static str,
    /// It is reached through the proxy.
    through: bool,
}

/// Width and height of a box.
const BOX: (u32, u32) = (240, 56);
const GAP: u32 = 24;
const COLUMNS: [u32; 3] = [10, 330, 650];

/// So many characters of a place fit into a box.
const PLACE: usize = 30;

impl Picture {
    /// Was any way gone?
    pub(super) fn is_gone(&self) -> bool {
        !self.lines.is_empty()
    }

    pub(super) fn new(spec: &CheckSpec, checked: &Checked<'_>) -> Self {
        let of = |ids: &[FindingId]| -> Vec<&Finding> {
            let tried = |own: &&Finding| ids.contains(&own.id) && own.status != Status::Skip;
            checked.findings.iter().filter(tried).collect()
        };
        let at = |host: &str, port: u16| checked.say(host_port(host, port));
        let back_end = |name, prefix: &str, address: &Address| {
            let of_it = |own: &&Finding| own.id.group() == "backends" && own.id.as_str().starts_with(prefix);
            let status = worst(checked.findings.iter().filter(of_it));
            End { name, detail: at(&address.host, address.port), status, word: word(status), through: false }
        };
        let mut ends = Vec::new();
        ends.extend(spec.mysql.as_ref().map(|mysql| back_end("MySQL", "mysql", &mysql.at)));
        ends.extend(spec.redis.as_ref().map(|redis| back_end("Redis", "redis", &redis.at)));
        let proxy = spec.https_proxy.as_ref();
        for (name, what, all, others, through) in [
            ("product's endpoints", "host", [ids::NETWORK_ENDPOINT], &[ids::NETWORK_INTERCEPTION][..], true),
            ("agent's endpoints", "host", [ids::AGENT_ENDPOINT], &[ids::AGENT_INTERCEPTION], true),
            ("Collectors", "port", [ids::AGENT_COLLECTOR], &[], false),
        ] {
            let tried = of(&all);
            let reached = tried.iter().filter(|own| own.status == Status::Pass).count();
            if tried.is_empty() {
                continue;
            }
            let status = worst(tried.iter().copied().chain(of(others)));
            let (detail, word) = match reached {
                0 => (counted(tried.len(), what), "broken"),
                all if all == tried.len() => (counted(all, what), word(status)),
                some => (format!("{some} of {}", counted(tried.len(), what)), "partly"),
            };
            ends.push(End { name, detail, status, word, through: through && proxy.is_some() });
        }
        // What nobody has tried is no way.
        ends.retain(|end| end.status != Status::Skip);
        // What is reached without the proxy stands above it, so that no line crosses its box.
        ends.sort_by_key(|end| end.through);
        let of_proxy = |own: &&Finding| {
            own.id.group() == "proxy" && own.path == Some("proxy") && own.id != ids::PROXY_RESOLVES
                || [ids::NETWORK_PROXY, ids::AGENT_PROXY].contains(&own.id)
        };
        let mut proxy_status = worst(checked.findings.iter().filter(of_proxy));
        let came_through = |own: &Finding| own.path == Some("proxy") && own.status == Status::Pass;
        if proxy_status == Status::Skip && checked.findings.iter().any(came_through) {
            proxy_status = Status::Pass;
        }
        let is_tried = proxy_status != Status::Skip || ends.iter().any(|end| end.through);
        let mut proxy = proxy.filter(|_| is_tried).map(|proxy| (at(&proxy.host, proxy.port), proxy_status));
        if let Some((detail, status)) = proxy.take_if(|_| ends.iter().all(|end| !end.through)) {
            // Nothing is seen behind it.
            ends.insert(0, End { name: "proxy", detail, status, word: word(status), through: false });
        }
        Self::laid_out(&checked.host(), ends, proxy)
    }

    /// `proxy`: its place and its state.
    fn laid_out(host: &str, ends: Vec<End>, proxy: Option<(String, Status)>) -> Self {
        let (wide, high) = BOX;
        let rows = u32::try_from(ends.len().max(1)).unwrap_or(1);
        let height = 20 + rows * high + (rows - 1) * GAP;
        let y_of = |row: u32| 10 + row * (high + GAP);
        let middle = (height - high) / 2;
        let line = |from: (u32, u32), column: usize, y: u32, status: Status, words: String| Line {
            x1: from.0,
            y1: from.1,
            x2: COLUMNS[column],
            y2: y + high / 2,
            status: status.as_str(),
            words,
        };
        let (x, y, detail) = (COLUMNS[0], middle, short(host));
        let this_host = Node { x, y, name: "this host", detail, status: "here", word: "" };
        let (mut boxes, mut lines) = (vec![this_host], Vec::new());
        let right_of_host = (COLUMNS[0] + wide, middle + high / 2);
        // The proxy stands at the height of what is behind it.
        let behind: Vec<u32> = (0..rows).zip(&ends).filter(|(_, end)| end.through).map(|(row, _)| y_of(row)).collect();
        let proxy_y = match (behind.first(), behind.last()) {
            (Some(first), Some(last)) => (first + last) / 2,
            _ => middle,
        };
        if let Some((place, status)) = proxy {
            let (x, y, word) = (COLUMNS[1], proxy_y, word(status));
            lines.push(line(right_of_host, 1, y, status, format!("this host to proxy, {place}: {word}")));
            boxes.push(Node { x, y, name: "proxy", detail: short(&place), status: status.as_str(), word });
        }
        for (row, End { name, detail, status, word, through }) in (0..rows).zip(ends) {
            let (x, y) = (COLUMNS[2], y_of(row));
            let (start, from) = match through {
                true => ("the proxy", (COLUMNS[1] + wide, proxy_y + high / 2)),
                false => ("this host", right_of_host),
            };
            lines.push(line(from, 2, y, status, format!("{start} to {name}, {detail}: {word}")));
            boxes.push(Node { x, y, name, detail: short(&detail), status: status.as_str(), word });
        }
        Self { width: COLUMNS[2] + wide + 10, height, boxes, lines }
    }
}

/// A place as it fits into a box: its beginning and its end.
fn short(place: &str) -> String {
    let count = place.chars().count();
    if count <= PLACE {
        return place.to_owned();
    }
    let half = (PLACE - 1) / 2;
    let begin: String = place.chars().take(half).collect();
    let end: String = place.chars().skip(count - half).collect();
    format!("{begin}…{end}")
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "open",
        Status::Warn => "warning",
        Status::Fail | Status::Error => "broken",
        Status::Skip => "not tried",
    }
}

/// The worst of all. What could not be checked is drawn as a failure.
fn worst<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Status {
    match findings.into_iter().map(|finding| finding.status).max_by_key(|status| badness(*status)) {
        Some(Status::Error) => Status::Fail,
        worst => worst.unwrap_or(Status::Skip),
    }
}
