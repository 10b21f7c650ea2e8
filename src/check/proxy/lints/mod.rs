//! What is wrong with a NO_PROXY list, told by what the clients would do with it.
//!
//! | module | what it does |
//! | --- | --- |
//! | `form` | lints of how members are written: each asks the clients who misreads it |
//! | `needs` | lints of what the list excludes, and of what it should exclude and does not |
//! | `correct` | the list as it should be written |
//! | `places` | the check: lists of the host's files, judged |

mod correct;
mod form;
mod needs;
mod places;
#[cfg(test)]
mod tests;

use crate::check::prelude::*;
use crate::clients::{Client, Environment, Required, Route, Target};
use crate::redact::list_text;
use crate::settings::NoProxy;

pub(crate) use places::NoProxyLists;

/// The number of members of a list behind which nothing is looked at.
const MEMBERS: usize = 500;

/// The length of a list in bytes behind which nothing is looked at.
const BYTES: usize = 32 << 10;

/// How many members a sentence names.
const NAMED: usize = 4;

/// How many members of one form the clients are asked about.
const TRIED: usize = 20;

/// A host that is in nobody's list.
const STRANGER: &str = "stranger.invalid";

/// Is a service asked through loopback on this host?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    /// No: nothing on this host is asked through loopback.
    No,
    /// The product runs here, so somebody asks its port 8001 now and then.
    Perhaps,
    /// A Test Drive: everything is here.
    Certain,
}

/// What a list is judged by.
#[derive(Clone, Debug)]
pub(super) struct Context<'a> {
    /// The clients that read the place.
    pub(super) clients: Vec<&'static Client>,
    /// Is a proxy set there? Without one a list excludes nothing.
    pub(super) proxied: bool,
    /// Is a service asked through loopback?
    pub(super) local: Local,
    /// The cloud that the host runs in.
    pub(super) cloud: Option<&'a str>,
    /// Hosts that are to be asked through the proxy.
    pub(super) required: &'a [Required],
    /// The host's own curl, as it names its release.
    pub(super) curl: Option<&'a str>,
    /// The longest line in bytes that the reader takes, and which reader that is.
    pub(super) limit: Option<(usize, &'a str)>,
    /// Members that the settings ask for: a corrected list has them too.
    pub(super) wanted: &'a [String],
    /// The verb of ics-setup that writes the list there: `prepare`.
    pub(super) writer: &'static str,
}

/// Judges the list of one place; `None`: that spelling of the variable is not set there.
///
/// One finding for each lint and value, however many members it concerns. Pure, and bounded on any text.
pub(super) fn lint(lower: Option<&str>, upper: Option<&str>, place: &Text, context: &Context<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = spellings(lower, upper, place, context).into_iter().collect();
    let values = match (lower, upper) {
        (Some(lower), Some(upper)) if lower == upper => vec![("no_proxy", lower)],
        (None, None) => vec![("no_proxy", "")],
        (lower, upper) => [("no_proxy", lower), ("NO_PROXY", upper)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
    };
    for (name, value) in values {
        let list = List::new(name, value, place, context);
        findings.extend(form::lints(&list));
        findings.extend(needs::lints(&list));
    }
    findings.sort_by_key(|finding| finding.id);
    findings
}

/// One value, with everything that a lint asks.
struct List<'a> {
    name: &'a str,
    value: &'a str,
    place: &'a Text,
    context: &'a Context<'a>,
    /// What whoever wrote it meant, whatever separates it.
    members: Vec<&'a str>,
    /// Not all of it was looked at, so there is no corrected list.
    cut: bool,
}

impl<'a> List<'a> {
    fn new(name: &'a str, value: &'a str, place: &'a Text, context: &'a Context<'a>) -> Self {
        let whole = value.len();
        let value = value.char_indices().find(|(at, _)| *at >= BYTES).map_or(value, |(at, _)| &value[..at]);
        let members: Vec<&str> = value
            .split(|c: char| ",;|".contains(c) || c.is_whitespace())
            .map(|member| member.trim_matches(['"', '\'']))
            .filter(|member| !member.is_empty())
            .take(MEMBERS)
            .collect();
        let cut = value.len() < whole || members.len() == MEMBERS;
        Self { name, value, place, context, members, cut }
    }

    /// The clients for which `test` holds.
    fn who(&self, test: impl Fn(&Client) -> bool) -> Vec<&'static Client> {
        self.context.clients.iter().copied().filter(|client| test(client)).collect()
    }

    /// The clients that ask the proxy for the host that one of these members stands for, where that member is the whole list;
    /// `None`: all of them read all members.
    fn ignoring(&self, members: &[&str], target: impl Fn(&str) -> Option<Target>) -> Option<Vec<&'static Client>> {
        let members = members.iter().take(TRIED);
        let meant: Vec<(&str, Target)> = members.filter_map(|member| Some((*member, target(member)?))).collect();
        let ignores = |client: &Client| meant.iter().any(|(member, target)| client.route(target, member).is_proxy());
        Some(self.who(ignores)).filter(|clients| !clients.is_empty())
    }

    /// A finding about this list; `says` is its title behind the name of the list.
    fn finding(&self, id: FindingId, status: Status, says: impl Into<Text>) -> Finding {
        Finding::new(id, status, text!("{} in {} {}", own(self.name), self.place, says.into()))
            .evidence("no_proxy", text!("{}", self.value))
            .evidence("place", self.place.clone())
    }

    fn warn(&self, id: FindingId, says: impl Into<Text>) -> Finding {
        self.finding(id, Status::Warn, says)
    }

    fn fail(&self, id: FindingId, says: impl Into<Text>) -> Finding {
        self.finding(id, Status::Fail, says)
    }

    /// With the corrected list, unless there is nothing to correct.
    fn mended(&self, finding: Finding) -> Finding {
        let corrected = correct::list(self);
        if self.cut || corrected.is_empty() || corrected == self.value {
            return finding;
        }
        // What only lacks members is added to: the list alone would lose those that no file has yet, such as mysql and redis
        // in a prod.env without one.
        let added = match self.value {
            "" => Some(corrected.as_str()),
            value => corrected.strip_prefix(value).and_then(|rest| rest.strip_prefix(',')),
        };
        let flag = match added {
            Some(added) => text!("--no-proxy '{}'", own(added)),
            None => {
                let mut whole = NoProxy::found(&corrected);
                self.context.wanted.iter().for_each(|member| whole.push(member));
                let whole = whole.to_string();
                text!("--no-proxy-only '{}'", list_text(&whole, whole.clone()))
            }
        };
        let command = text!("{} {}", own(self.context.writer), flag);
        finding.fix(ics_setup(command)).evidence("corrected", own(corrected))
    }
}

/// Two spellings that do not say the same. Who reads which is asked of the clients.
fn spellings(lower: Option<&str>, upper: Option<&str>, place: &Text, context: &Context<'_>) -> Option<Finding> {
    if lower == upper {
        return None;
    }
    // A name of its own in each spelling shows which one a client reads.
    let probe = |name: &str| format!("{name}.invalid");
    let mut variables: Vec<_> =
        ["http_proxy", "HTTP_PROXY"].map(|name| (name, "http://proxy.invalid:1".to_owned())).into();
    variables.extend(lower.map(|value| ("no_proxy", if value.is_empty() { String::new() } else { probe("lower") })));
    variables.extend(upper.map(|value| ("NO_PROXY", if value.is_empty() { String::new() } else { probe("upper") })));
    let environment: Environment = variables.into_iter().collect();
    let reading = |name: &str| -> Vec<&'static Client> {
        let Some(target) = target(&probe(name)) else { return Vec::new() };
        let plain = Target { tls: false, ..target };
        let reads = |client: &&'static Client| client.route_in(&plain, &environment).is_direct();
        context.clients.iter().copied().filter(reads).collect()
    };
    let (low, up) = (reading("lower"), reading("upper"));
    let without = context.clients.len() - low.len() - up.len();
    let finding = |title: Text| {
        Finding::warn(ids::NP003, title)
            .expected("no_proxy and NO_PROXY with the same value: there is no client that needs them to differ")
            .evidence("place", place.clone())
    };
    match (lower, upper) {
        (Some(lower), Some(upper)) => {
            let (low, up) = (names(&low), names(&up));
            Some(
                finding(text!("{} has one list in no_proxy and another one in NO_PROXY", place))
                    .observed(text!("no_proxy={} read by {}; NO_PROXY={} read by {}", lower, low, upper, up))
                    .cause("some clients ask for the lower-case name first, some for the upper-case one")
                    .fix(ics_setup(text!("{} --both-cases", own(context.writer)))),
            )
        }
        (None, Some(upper)) if without > 0 => {
            let reads = |client: &&Client| up.iter().any(|reader| reader.id == client.id);
            let deaf: Vec<_> = context.clients.iter().copied().filter(|client| !reads(client)).collect();
            Some(
                finding(text!("{} sets NO_PROXY alone, which {} does not read", place, names(&deaf)))
                    .observed(text!("NO_PROXY={}", upper))
                    .fix(ics_setup(context.writer)),
            )
        }
        // Whoever prefers the upper-case name takes the other one where that is absent.
        _ => None,
    }
}

fn target(host: &str) -> Option<Target> {
    Target::to_host(true, host)
}

/// `curl-7.88, wget-1.21 and apt-2.6`.
fn names(clients: &[&Client]) -> Text {
    and(clients.iter().map(|client| text!("{}", own(&client.id))).collect())
}

fn and(mut words: Vec<Text>) -> Text {
    match words.pop() {
        None => "nobody".into(),
        Some(last) if words.is_empty() => last,
        Some(last) => text!("{} and {}", Text::join(words, ", "), last),
    }
}

/// The first few members, and how many more.
fn some(members: &[&str]) -> Text {
    some_of(members.iter().map(|member| text!("{}", member)).collect())
}

fn some_of(mut members: Vec<Text>) -> Text {
    let more = members.len().saturating_sub(NAMED);
    if more == 0 {
        return and(members);
    }
    members.truncate(NAMED);
    text!("{} and {} more", Text::join(members, ", "), more)
}

/// `1 client`, `3 clients`.
fn count(clients: &[&Client]) -> Text {
    if clients.len() == 1 { "1 client".into() } else { text!("{} clients", clients.len()) }
}

/// Does this client give up, whatever it is asked for?
fn dies(client: &Client, list: &str) -> bool {
    target(STRANGER).is_some_and(|target| matches!(client.route(&target, list), Route::Error { .. }))
}
