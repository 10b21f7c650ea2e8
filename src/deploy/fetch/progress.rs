//! How far a pull or a load is, by what the docker client prints to a terminal: a line for each layer, `ID: STATE [A/B]`.
//!
//! Without a terminal it prints no bytes, so that one large layer would look like no progress at all. The engine's own
//! interface has them too, but not the logins that the client reads from its `config.json` and from helpers; and what grows
//! below the engine's folder may be anybody's.

use std::collections::BTreeMap;

/// States of a layer in the order in which they follow each other (moby `distribution/pull_v2.go`,
/// `distribution/xfer/download.go`; `Loading layer`: `image/tarexport/load.go`).
const STATES: [&str; 9] = [
    "Pulling fs layer",
    "Waiting",
    "Downloading",
    "Verifying Checksum",
    "Download complete",
    "Extracting",
    "Loading layer",
    "Pull complete",
    "Already exists",
];

/// From here on it is done.
const DONE: usize = 7;

/// What is known of each layer.
#[derive(Debug, Default)]
pub(super) struct Progress {
    layers: BTreeMap<String, Layer>,
}

#[derive(Debug, Default, PartialEq)]
struct Layer {
    state: usize,
    /// Bytes of its state so far.
    bytes: u64,
    /// Its size, packed; 0: not known.
    size: u64,
    /// It was here before.
    had: bool,
}

impl Progress {
    /// Takes a line: has it come further?
    pub(super) fn hear(&mut self, line: &str) -> bool {
        let Some((id, rest)) = line.split_once(": ") else { return !line.is_empty() };
        if id.len() < 12 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            // `v22.3.9: Pulling from …`, `Digest: …`, `Status: …`, `Loaded image: …`
            return true;
        }
        let Some(state) = STATES.iter().position(|state| rest.starts_with(state)) else {
            // `Retrying in 5 seconds` comes no further.
            return false;
        };
        let (bytes, size) = of(rest.trim_start_matches(STATES[state]));
        let is_new = !self.layers.contains_key(id);
        let layer = self.layers.entry(id.to_owned()).or_default();
        let further = is_new
            || state > layer.state
            || (state == layer.state && bytes > layer.bytes)
            || (layer.size == 0 && size > 0);
        // One that was broken off begins again, and is further when it has more than before.
        layer.bytes = if state == layer.state { layer.bytes.max(bytes) } else { bytes };
        layer.state = layer.state.max(state);
        layer.had |= STATES[state] == "Already exists";
        if STATES[state] == "Downloading" || STATES[state] == "Loading layer" {
            layer.size = layer.size.max(size);
        }
        further
    }

    /// Layers that are done, and all that are known.
    pub(super) fn layers(&self) -> (usize, usize) {
        let done = |layer: &&Layer| {
            layer.state >= DONE
                || (layer.size > 0 && STATES[layer.state] == "Loading layer" && layer.bytes >= layer.size)
        };
        (self.layers.values().filter(done).count(), self.layers.len())
    }

    /// Bytes that have come, and those that are known to come. Layers that were here before count for neither.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let came = |layer: &Layer| match STATES[layer.state] {
            "Downloading" | "Loading layer" => layer.bytes.min(layer.size),
            "Pulling fs layer" | "Waiting" => 0,
            _ => layer.size,
        };
        let new = || self.layers.values().filter(|layer| !layer.had);
        (new().map(came).sum(), new().map(|layer| layer.size).sum())
    }
}

/// `1.2MB/45MB`, with a bar before it or without.
fn of(text: &str) -> (u64, u64) {
    let word = text.split_whitespace().find(|word| word.contains('/')).unwrap_or_default();
    let (some, all) = word.split_once('/').unwrap_or((word, ""));
    (size(some).unwrap_or(0), size(all).unwrap_or(0))
}

/// Docker counts in thousands (`units.HumanSize`).
fn size(text: &str) -> Option<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(at);
    let times = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * times;
    // Terabytes fit; what is no number at all becomes 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some(bytes as u64)
}

/// Bytes as people read them.
pub(crate) fn shown(bytes: u64) -> String {
    match bytes {
        0..=999_999 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..=999_999_999 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_is_followed_by_its_lines() {
        let mut progress = Progress::default();
        for (line, further) in [
            ("v22.3.9: Pulling from divvycloud/divvycloud", true),
            ("024ce178a01e: Pulling fs layer", true),
            ("dbf36d4928d5: Waiting", true),
            ("024ce178a01e: Downloading  65.54kB/4.25MB", true),
            ("024ce178a01e: Downloading  65.54kB/4.25MB", false),
            ("024ce178a01e: Downloading [==>     ]  2.5MB/4.25MB", true),
            ("024ce178a01e: Retrying in 5 seconds", false),
            ("024ce178a01e: Downloading  65.54kB/4.25MB", false),
            ("024ce178a01e: Download complete", true),
            ("024ce178a01e: Extracting  1MB/4.25MB", true),
            ("024ce178a01e: Pull complete", true),
            ("dbf36d4928d5: Already exists", true),
            ("Digest: sha256:00", true),
        ] {
            assert_eq!(progress.hear(line), further, "{line}");
        }
        assert_eq!((progress.layers(), progress.bytes()), ((2, 2), (4_250_000, 4_250_000)));
    }

    #[test]
    fn a_load_is_followed_by_its_lines() {
        let mut progress = Progress::default();
        assert!(progress.hear("024ce178a01e: Loading layer  65.54kB/4.25MB"));
        assert_eq!((progress.layers(), progress.bytes()), ((0, 1), (65_540, 4_250_000)));
        assert!(progress.hear("024ce178a01e: Loading layer   4.25MB/4.25MB"));
        assert!(progress.hear("Loaded image: redis:latest"));
        assert_eq!((progress.layers(), progress.bytes()), ((1, 1), (4_250_000, 4_250_000)));
    }

    #[test]
    fn odd_lines_break_nothing() {
        let mut progress = Progress::default();
        for line in [
            "",
            ": ",
            "024ce178a01e: ",
            "024ce178a01e: Downloading",
            "024ce178a01e: Downloading  /",
            "x: y/z",
            "024ce178a01e: Downloading 9e99GB/1.1.1MB",
        ] {
            let _ = progress.hear(line);
        }
        assert_eq!(progress.bytes(), (0, 0));
        for (bytes, text) in [(1, "1 kB"), (4_250_000, "4 MB"), (1_250_000_000, "1.2 GB")] {
            assert_eq!(shown(bytes), text);
        }
    }
}
