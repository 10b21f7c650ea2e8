//! Lines of the containers' logs with a known cause. The lines themselves may hold secrets: facts keep which pattern
//! matched, how often and when, and the words that matched.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::place::Place;
use crate::docker::text::{epoch, first_line, seconds_of, shown};
use crate::docker::{self, Container, NoDocker};
use crate::host::HostRead;
use crate::net::{Time, seconds};
use crate::text::Foreign;

/// The last lines of each log that are read.
const TAIL: &str = "400";

/// And not older than this.
const SINCE: &str = "1h";

/// Longer lines are cut.
const MAX_LINE: usize = 4 << 10;

/// What was seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct LogsFacts {
    pub(crate) place: Place,
    /// `None`: was not asked.
    pub(crate) logs: Option<Result<Seen, NoDocker>>,
    /// When it was looked, seconds since 1970.
    pub(crate) now: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Containers whose logs were read.
    pub(crate) containers: usize,
    pub(crate) lines: usize,
    /// Containers whose logs could not be read, and why.
    pub(crate) unread: Vec<(String, Foreign)>,
    /// In the order of the patterns.
    pub(crate) hits: Vec<Hit>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hit {
    /// The pattern's name.
    pub(crate) name: String,
    pub(crate) count: usize,
    /// Seconds since 1970.
    pub(crate) last: Option<u64>,
    pub(crate) services: BTreeSet<String>,
    /// How many containers have said nothing since.
    #[serde(default)]
    pub(crate) said_last: usize,
    /// The words that matched last.
    pub(crate) words: Foreign,
}

/// Reads the last lines of each log of the product whose folder is `home`.
pub(crate) fn look(host: &dyn HostRead, home: &Path, time: Time) -> LogsFacts {
    let now = seconds_of(host.now());
    let (place, logs) =
        Place::look(host, home).with_containers(host, home, time, |_, found| read_all(host, time, &found.own));
    LogsFacts { place, logs, now }
}

fn read_all(host: &dyn HostRead, time: Time, containers: &[Container]) -> Seen {
    let mut seen = Seen::default();
    for (index, container) in containers.iter().enumerate() {
        let service = shown(container.service.as_deref().unwrap_or(&container.state.name), 60);
        // Each gets its share of what is left, so that one slow log does not cost the others theirs.
        let others = u32::try_from(containers.len() - index).unwrap_or(u32::MAX);
        let share = time.at_most((time.left() / others).max(time.left() / 4));
        let arguments = ["logs", "--timestamps", "--tail", TAIL, "--since", SINCE, container.id.as_str()];
        let unread = match docker::run(host, share, &arguments) {
            Ok(output) if output.code == Some(0) => {
                seen.containers += 1;
                let streams = [&output.stdout, &output.stderr].map(|stream| read(stream, &service, &mut seen));
                // Times of one form, in which the later one is the greater text.
                let last = streams.into_iter().max_by(|one, other| one.at.cmp(&other.at)).and_then(|last| last.name);
                seen.hits.iter_mut().filter(|hit| Some(&hit.name) == last.as_ref()).for_each(|hit| hit.said_last += 1);
                continue;
            }
            Ok(output) => first_line(&output.stderr, 200),
            Err(NoDocker::Late { millis }) => format!("no end within {}", seconds(Duration::from_millis(millis))),
            Err(_) => "docker logs could not be run".to_owned(),
        };
        seen.unread.push((container.state.name.clone(), unread.into()));
    }
    let rank = |hit: &Hit| Known::get().log.iter().position(|line| line.name == hit.name);
    seen.hits.sort_by_key(rank);
    seen
}

/// The last line of a stream: when, and the pattern that it matches.
#[derive(Default)]
struct Last {
    at: String,
    name: Option<String>,
}

/// One stream of one container.
fn read(bytes: &[u8], service: &str, seen: &mut Seen) -> Last {
    let mut newest = Last::default();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        seen.lines += 1;
        let line = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE)]);
        let matched = Known::log_patterns()
            .iter()
            .zip(&Known::get().log)
            .find_map(|(pattern, known)| pattern.find(&line).map(|found| (known, found.as_str())));
        let at = line.split(' ').next().unwrap_or_default().to_owned();
        newest = Last { at, name: matched.map(|(known, _)| known.name.clone()) };
        let Some((known, words)) = matched else { continue };
        let last = line.split(' ').next().and_then(epoch);
        let at = seen.hits.iter().position(|hit| hit.name == known.name).unwrap_or_else(|| {
            seen.hits.push(Hit { name: known.name.clone(), ..Hit::default() });
            seen.hits.len() - 1
        });
        let hit = &mut seen.hits[at];
        hit.count += 1;
        hit.services.insert(service.to_owned());
        if last >= hit.last {
            hit.last = last;
            hit.words = shown(words, 80).into();
        }
    }
    newest
}
