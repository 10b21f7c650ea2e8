//! What is wrong with a NO_PROXY list, told by what the clients would do with it: the one judge of lists, for plans and checks.
//!
//! | module | what it does |
//! | --- | --- |
//! | `form` | lints of how members are written: each asks the clients who misreads it |
//! | `needs` | lints of what the list excludes, and of what it should exclude and does not |
//! | `correct` | the list as it should be written |

mod correct;
mod form;
mod needs;
#[cfg(test)]
mod tests;

use crate::clients::{self, By, Client, Environment, Required, Route, Target};
use crate::finding::{Finding, FindingId, Status, ids};
use crate::network::catalogue::Needs;
use crate::redact::list_text;
use crate::settings::NoProxy;
use crate::system::cloud::Direct;
use crate::text;
use crate::text::{Fix, Text, clean, counted, ics_setup, own};

/// No more characters of a list are shown.
pub(crate) const LONGEST_LIST: usize = 500;

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
pub(crate) enum Local<'a> {
    /// Nothing on this host is seen to be asked through loopback.
    No,
    /// Something is, by this line of a file.
    Seen(&'a str),
    /// A Test Drive: everything is here.
    Certain,
}

/// What a list is judged by.
#[derive(Clone, Debug)]
pub(crate) struct Context<'a> {
    /// The clients that read the place.
    pub(crate) clients: Vec<&'static Client>,
    /// Is a proxy set there? Without one a list excludes nothing.
    pub(crate) proxied: bool,
    /// Is a service asked through loopback?
    pub(crate) local: Local<'a>,
    /// The cloud that the host runs in.
    pub(crate) cloud: Option<&'a str>,
    /// Hosts beside the metadata address that are asked there.
    pub(crate) direct: &'a [Direct],
    /// Hosts that are to be asked through the proxy.
    pub(crate) required: &'a [Required],
    /// The host's own curl, as it names its release.
    pub(crate) curl: Option<&'a str>,
    /// The longest line in bytes that the reader takes, and which reader that is.
    pub(crate) limit: Option<(usize, &'a str)>,
    /// The list was given as the whole one: what it lacks, nobody adds.
    pub(crate) whole: bool,
    /// Members that the settings ask for: a corrected list has them too.
    pub(crate) wanted: &'a [String],
    /// The verb of ics-setup that writes the list there: `prepare`.
    pub(crate) writer: &'static str,
}

impl<'a> Context<'a> {
    /// A whole list that `writer` writes to an environment with a proxy, by every client that reads those.
    pub(crate) fn of_environment(
        local: Local<'a>,
        cloud: Option<&'a str>,
        direct: &'a [Direct],
        writer: &'static str,
    ) -> Self {
        Self {
            clients: clients::all().iter().filter(|client| client.reads_environment() && !client.broken).collect(),
            proxied: true,
            local,
            cloud,
            direct,
            required: &Needs::get().hosts,
            curl: None,
            limit: None,
            whole: true,
            wanted: &[],
            writer,
        }
    }
}

/// Judges the list of one place; `None`: that spelling of the variable is not set there.
///
/// One finding for each lint and value, however many members it concerns. Pure, and bounded on any text.
pub(crate) fn lint(lower: Option<&str>, upper: Option<&str>, place: &Text, context: &Context<'_>) -> Vec<Finding> {
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
        let found = list.lints();
        let has_command = |finding: &Finding| finding.fix.iter().any(|fix| matches!(fix, Fix::Command(_)));
        // A command that leaves what it was printed for is none.
        let left = match list.repaired().filter(|_| found.iter().any(has_command)) {
            Some(Repaired { list, .. }) => List::new(name, &list, place, context).lints(),
            None => Vec::new(),
        };
        let stays = |id| left.iter().any(|left| left.id == id && left.status != Status::Pass);
        findings.extend(found.into_iter().map(|mut finding| {
            let is_bad = matches!(finding.status, Status::Warn | Status::Fail);
            if (has_command(&finding) && stays(finding.id)) || (is_bad && finding.fix.is_empty()) {
                finding.fix = vec![Fix::Advice("write the names of the hosts in place of what this is about".into())];
            }
            finding
        }));
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
        let members: Vec<&str> = NoProxy::split(value).take(MEMBERS).collect();
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

    /// The first few members, and how many more.
    fn some(&self, members: &[&str]) -> Text {
        some_of(members.iter().map(|member| member_shown(member, self.context.wanted)).collect())
    }

    /// A finding about this list; `says` is its title behind the name of the list.
    fn finding(&self, id: FindingId, status: Status, says: impl Into<Text>) -> Finding {
        Finding::new(id, status, text!("{} in {} {}", own(self.name), self.place, says.into()))
            .evidence("no_proxy", list_shown(self.value, self.context.wanted))
            .evidence("place", self.place.clone())
    }

    fn warn(&self, id: FindingId, says: impl Into<Text>) -> Finding {
        self.finding(id, Status::Warn, says)
    }

    fn fail(&self, id: FindingId, says: impl Into<Text>) -> Finding {
        self.finding(id, Status::Fail, says)
    }

    fn lints(&self) -> Vec<Finding> {
        form::lints(self).into_iter().chain(needs::lints(self)).collect()
    }

    /// What mends it; `None`: there is nothing to correct, or not all of it was looked at.
    fn repaired(&self) -> Option<Repaired> {
        let corrected = correct::list(self);
        if self.cut || corrected.is_empty() || corrected == self.value {
            return None;
        }
        // What only lacks members is added to: the list alone would lose those that no file has yet, such as mysql and redis
        // in a prod.env without one.
        let added = match self.value {
            "" => Some(corrected.as_str()),
            value => corrected.strip_prefix(value).and_then(|rest| rest.strip_prefix(',')),
        };
        let (flag, list) = match added {
            Some(added) => (text!("--no-proxy '{}'", own(added)), corrected.clone()),
            None => {
                let whole = correct::with_wanted(self);
                (text!("--no-proxy-only '{}'", list_text(&whole, whole.clone())), whole)
            }
        };
        Some(Repaired { flag, list, corrected })
    }

    /// With the command that writes the corrected list, where there is one.
    fn mended(&self, finding: Finding) -> Finding {
        let Some(Repaired { flag, corrected, .. }) = self.repaired() else { return finding };
        finding.fix(ics_setup(text!("{} {}", own(self.context.writer), flag))).evidence("corrected", own(corrected))
    }
}

/// How a list is mended.
struct Repaired {
    /// The flag that does it.
    flag: Text,
    /// The whole list that it leaves.
    list: String,
    /// The list of the place alone.
    corrected: String,
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
    let without = context.clients.len().saturating_sub(low.len() + up.len());
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
                    .cause("they ask for the lower-case name alone")
                    .fix(ics_setup(context.writer)),
            )
        }
        // Whoever prefers the upper-case name takes the other one where that is absent.
        _ => None,
    }
}

/// Hosts that a member may stand for, whatever its form.
fn meant_by(member: &str) -> Vec<Target> {
    let hosts = [member.trim_matches(['[', ']', '.', '*']).to_owned(), member.replace('*', "1")];
    // Below a name there are others; below what is none there is nothing.
    let stem = member.trim_start_matches(['*', '.']);
    let below = form::is_name(stem).then(|| format!("a.{stem}"));
    // The beginning of an address stands for what begins so.
    let begins = member.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let addresses = ["1", "1.1", "1.1.1"].into_iter().filter(|_| begins).map(|rest| format!("{member}{rest}"));
    let first = |separator| member.split_once(separator).map(|(first, _)| first.to_owned());
    let hosts = hosts.into_iter().chain(below).chain(addresses).chain(first('-'));
    let hosts = hosts.chain(first('/').and_then(|first| form::neighbour_of(&first)));
    let (name, port) = form::host_and_port(member).unwrap_or((member, ""));
    // What is neither a name nor an address stands in no URL, and no URL's host has a dot at its end.
    let is_host = |host: &str| host.parse::<core::net::IpAddr>().is_ok() || form::is_name(host);
    let bare = Some(name.trim_matches(['[', ']', '.', '*'])).filter(|host| is_host(host));
    let with_port = bare.and_then(target).map(|own| Target { port: port.parse().ok(), ..own });
    let hosts = hosts.filter(|host| !host.ends_with('.') && is_host(host));
    hosts.filter_map(|host| target(&host)).chain(with_port).collect()
}

/// Does one of these clients go around the proxy by this member for anything?
fn is_understood(member: &str, clients: &[&Client]) -> bool {
    let meant = meant_by(member);
    clients.iter().any(|client| meant.iter().any(|target| takes(client, target, member)))
}

/// Does a member of the list make this client go around the proxy for this?
fn takes(client: &Client, target: &Target, list: &str) -> bool {
    matches!(client.route(target, list), Route::Direct(By::Member(_)))
}

fn target(host: &str) -> Option<Target> {
    Target::to_host(true, host)
}

/// `curl-7.88, wget-1.21 and apt-2.6`.
fn names(clients: &[&Client]) -> Text {
    and(clients.iter().map(|client| text!("{}", own(&client.id))).collect())
}

pub(crate) fn and(mut words: Vec<Text>) -> Text {
    match words.pop() {
        None => "nobody".into(),
        Some(last) if words.is_empty() => last,
        Some(last) => text!("{} and {}", Text::join(words, ", "), last),
    }
}

fn some_of(mut members: Vec<Text>) -> Text {
    let more = members.len().saturating_sub(NAMED);
    if more == 0 {
        return and(members);
    }
    members.truncate(NAMED);
    text!("{} and {} more", Text::join(members, ", "), more)
}

/// A list as it stands, cut where it is long. Members that stand in `wanted` are the tool's own words.
pub(crate) fn list_shown(list: &str, wanted: &[String]) -> Text {
    Text::join(clean(list, LONGEST_LIST).split(',').map(|member| member_shown(member, wanted)), ",")
}

fn member_shown(member: &str, wanted: &[String]) -> Text {
    match wanted.iter().any(|known| known == member.trim()) {
        true => text!("{}", own(member)),
        false => text!("{}", member),
    }
}

/// `1 client`, `3 clients`.
fn count(clients: &[&Client]) -> Text {
    text!("{}", own(counted(clients.len(), "client")))
}

/// Does this client give up, whatever it is asked for?
fn dies(client: &Client, list: &str) -> bool {
    target(STRANGER).is_some_and(|target| matches!(client.route(&target, list), Route::Error { .. }))
}
