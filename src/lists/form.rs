//! How members are written.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{List, TRIED, and, count, dies, names, some_of, takes, target};
use crate::clients::{Client, Target};
use crate::finding::{Finding, Status, ids};
use crate::settings::{NoProxy, is_stranger};
use crate::text;
use crate::text::{Text, ics_setup, own};
use crate::vendor::Vendor;

/// NP001 to NP018, as far as they look at the members alone.
pub(super) fn lints(list: &List<'_>) -> Vec<Finding> {
    let all: [fn(&List<'_>) -> Option<Finding>; 16] = [
        separators,
        blank_behind_comma,
        ranges,
        star_in_a_list,
        star_and_domain,
        apex_and_subdomains,
        network_addresses,
        ports,
        trailing_dots,
        urls,
        strangers,
        short_suffixes,
        windows_local,
        patterns,
        too_long,
        deadly,
    ];
    all.into_iter().filter_map(|lint| lint(list)).collect()
}

fn pick<'a>(list: &List<'a>, test: impl Fn(&str) -> bool) -> Option<Vec<&'a str>> {
    let found: Vec<&str> = list.members.iter().copied().filter(|member| test(member)).collect();
    (!found.is_empty()).then_some(found)
}

/// The list, and the clients that miss one of the members that were meant.
fn lost(list: &List<'_>) -> Text {
    let targets: Vec<_> = list.members.iter().filter_map(|member| target(member)).take(TRIED).collect();
    let missing = list.who(|client| targets.iter().any(|target| client.route(target, list.value).is_proxy()));
    text!("{:?}; members are lost on {}", list.value, names(&missing))
}

fn separators(list: &List<'_>) -> Option<Finding> {
    let value = list.value;
    let quote = value.contains(['"', '\'']);
    let other = value.contains([';', '|']);
    let control = value.chars().any(|c| c.is_control() && c != '\t');
    let lone_blank = value.trim().split(',').any(|part| part.split_whitespace().nth(1).is_some());
    let what = match (quote, other, control, lone_blank) {
        (true, ..) => "a quote in it, which becomes part of a member",
        (_, true, ..) => "; or | between members, which no client takes for a separator",
        (_, _, true, _) => "a control character in it, such as the carriage return of a file from Windows",
        (_, _, _, true) => "members with nothing but a blank between them",
        _ => return None,
    };
    let finding = list
        .fail(ids::NP001, text!("has {}", own(what)))
        .expected("members separated by commas: no blanks, no quotes, no other separators")
        .observed(lost(list))
        .cause("clients split at commas alone, and take all else for a part of a member");
    Some(list.mended(finding))
}

fn blank_behind_comma(list: &List<'_>) -> Option<Finding> {
    let parts: Vec<&str> = list.value.split(',').collect();
    let padded = parts.iter().any(|part| part.starts_with([' ', '\t']) || part.ends_with([' ', '\t']));
    if !padded || list.value.trim().is_empty() {
        return None;
    }
    let finding = list
        .warn(ids::NP002, "has blanks beside its commas")
        .expected("commas alone")
        .cause("some clients take a blank for a part of the member, which matches nothing then");
    Some(list.mended(finding.observed(lost(list))))
}

fn ranges(list: &List<'_>) -> Option<Finding> {
    let found = pick(list, |member| range(member).is_some_and(|(address, _)| address.is_ipv4()))?;
    let ignoring = list.ignoring(&found, |member| target(&neighbour(range(member)?.0).to_string()))?;
    let curl = list.context.curl.and_then(|release| {
        let profile = crate::clients::curl(&crate::version::Version::parse(release)?)?;
        let ignores = ignoring.iter().any(|client| client.id == profile.id);
        let verb = if ignores { "ignores" } else { "understands" };
        Some(text!("; this host's curl {} {} IPv4 ranges", own(release), own(verb)))
    });
    Some(
        list.warn(ids::NP004, text!("has the range {}, which {} ignore", list.some(&found), count(&ignoring)))
            .expected("host names, or single addresses: no notation for a range is read by all clients")
            .observed(text!("ignored by {}{}", names(&ignoring), curl.unwrap_or_default()))
            .cause("an address also matches only a URL that spells it: clients compare names as names (but for Ruby)")
            .advise("name the hosts, or one domain as the pair example.corp,.example.corp, in place of the range"),
    )
}

fn star_in_a_list(list: &List<'_>) -> Option<Finding> {
    if list.members.len() < 2 || !list.members.contains(&"*") {
        return None;
    }
    let everything = list.who(|client| bypasses(client, super::STRANGER, list.value));
    let literal = list.who(|client| !everything.iter().any(|known| known.id == client.id));
    let finding = list
        .warn(ids::NP005, "has * among other members")
        .expected("* alone, which turns the proxy off, or no *")
        .observed(text!("nothing uses the proxy in {}; the others ignore it: {}", names(&everything), names(&literal)))
        .cause("* turns the proxy off where it stands alone; about one among other members clients differ");
    Some(list.mended(finding))
}

fn star_and_domain(list: &List<'_>) -> Option<Finding> {
    let found = pick(list, |member| member.starts_with("*.") && member.len() > 2)?;
    let ignoring = list.ignoring(&found, |member| target(&format!("www{}", &member[1..])))?;
    let finding = list
        .warn(ids::NP006, text!("has {}, which {} ignore", list.some(&found), count(&ignoring)))
        .expected("a domain as the pair example.corp,.example.corp")
        .observed(text!("ignored by {}", names(&ignoring)))
        .cause("to them a star is a character like others: they compare the end of the name");
    let short: Vec<&str> = found.iter().copied().filter(|member| is_short(&member[2..])).collect();
    if short.is_empty() {
        return Some(list.mended(finding));
    }
    Some(finding.advise(text!("write the full names in place of {}", list.some(&short))))
}

/// Half of the pair `example.corp,.example.corp`.
fn apex_and_subdomains(list: &List<'_>) -> Option<Finding> {
    let has = |member: &str| list.members.iter().any(|own| own.eq_ignore_ascii_case(member));
    let bare = pick(list, |member| is_domain(member) && !has(&format!(".{member}"))).unwrap_or_default();
    let dotted = pick(list, |member| member.strip_prefix('.').is_some_and(|name| is_domain(name) && !has(name)))
        .unwrap_or_default();
    let not_below = list.ignoring(&bare, |member| target(&format!("www.{member}")));
    let not_apex = list.ignoring(&dotted, |member| target(&member[1..]));
    let below = |clients: Vec<_>| text!("names below {} ask the proxy in {}", list.some(&bare), names(&clients));
    let apex = |clients: Vec<_>| {
        text!("the name behind the dot of {} asks the proxy in {}", list.some(&dotted), names(&clients))
    };
    let observed: Vec<Text> = not_below.map(below).into_iter().chain(not_apex.map(apex)).collect();
    if observed.is_empty() {
        return None;
    }
    Some(
        list.finding(ids::NP007, Status::Pass, "has domains in one form, which is right where just that is meant")
            .expected("the pair example.corp,.example.corp where the domain and all below it are meant")
            .observed(Text::join(observed, "; ")),
    )
}

fn network_addresses(list: &List<'_>) -> Option<Finding> {
    let is_network = |member: &str| member.parse::<Ipv4Addr>().is_ok_and(|address| address.octets()[3] == 0);
    let digits = |start: &str| {
        start.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && start.bytes().any(|byte| byte != b'.')
    };
    let is_start = |member: &str| member.strip_suffix('.').is_some_and(digits);
    let found = pick(list, |member| is_network(member) || is_start(member))?;
    let documented = |member: &str| Vendor::get().no_proxy.test_drive.iter().any(|own| own == member);
    let harmless = list.members.contains(&"127.0.0.1") && found.iter().all(|member| documented(member));
    let says = text!("has {}, which stands for that one address and not for a network", list.some(&found));
    let finding = |status| list.finding(ids::NP008, status, &says).expected("the addresses themselves");
    if harmless {
        let all = and(found.iter().map(|member| text!("{}", member)).collect());
        let observed = text!("{} is the vendor's own; 127.0.0.1, which is meant, is in the list", all);
        return Some(finding(Status::Pass).observed(observed));
    }
    let observed = text!("{} matches nothing but a URL that spells it", list.some(&found));
    let cause = "without a mask it is compared as a text with the host of a URL";
    Some(list.mended(finding(Status::Warn).observed(observed).cause(cause)))
}

fn ports(list: &List<'_>) -> Option<Finding> {
    let found = pick(list, |member| host_and_port(member).is_some())?;
    let ignoring = list.ignoring(&found, |member| {
        let (host, port) = host_and_port(member)?;
        Some(Target { port: port.parse().ok(), ..target(host.trim_matches(['[', ']', '.', '*']))? })
    })?;
    let finding = list
        .warn(ids::NP011, text!("has a port in {}, which {} ignore", list.some(&found), count(&ignoring)))
        .expected("the host alone; it then counts for every port")
        .observed(text!("ignored by {}", names(&ignoring)))
        .cause("they compare the whole member with the name, to which no port belongs");
    Some(list.mended(finding))
}

fn trailing_dots(list: &List<'_>) -> Option<Finding> {
    let found = pick(list, |member| member.strip_suffix('.').is_some_and(is_name))?;
    let ignoring = list.ignoring(&found, |member| target(member.trim_matches('.')))?;
    let finding = list
        .warn(ids::NP012, text!("has {} with a dot at the end, which {} ignore", list.some(&found), count(&ignoring)))
        .expected("names without a dot at the end")
        .observed(text!("ignored by {}", names(&ignoring)))
        .cause("they compare the dot too, which URLs do not have");
    Some(list.mended(finding))
}

fn urls(list: &List<'_>) -> Option<Finding> {
    let found = pick(list, |member| member.contains('/') && range(member).is_none() && !is_stranger(member))?;
    let finding = list
        .warn(ids::NP013, text!("has a scheme or a path in {}, which no client understands alike", list.some(&found)))
        .expected("the host alone")
        .observed(list.some(&found))
        .cause("a member is compared with the host of a URL, to which neither belongs");
    Some(list.mended(finding))
}

/// What is no host to anybody.
fn strangers(list: &List<'_>) -> Option<Finding> {
    pick(list, is_stranger)?;
    let shown = NoProxy::strangers(list.value);
    let shown = some_of(shown.iter().map(|member| text!("{}", member)).collect());
    let finding = list
        .warn(ids::NP013, text!("has {}, which is no host", &shown))
        .expected("hosts, addresses and domains alone")
        .observed(shown)
        .cause("no client has such a member; it is left out of every list that is written");
    Some(list.mended(finding))
}

/// Members that stand for far more than one host.
fn short_suffixes(list: &List<'_>) -> Option<Finding> {
    let vendor = &Vendor::get().no_proxy;
    let documented = |member: &str| vendor.base.iter().chain(&vendor.test_drive).any(|own| own == member);
    let short = |member: &str| is_short(member.trim_start_matches(['*', '.'])) && !documented(member);
    let found = pick(list, short)?;
    let first = found.first()?.trim_start_matches(['*', '.']);
    let direct = |host: &str| list.who(|client| found.iter().take(TRIED).any(|member| bypasses(client, host, member)));
    let (below, ending) = (direct(&format!("a.{first}")), direct(&format!("a{first}")));
    if below.is_empty() && ending.is_empty() {
        return None;
    }
    let mut observed = text!("every name below {} goes direct in {}", first, names(&below));
    if !ending.is_empty() {
        observed.push(text!("; every name that ends in {}, such as a{}, in {}", first, first, names(&ending)));
    }
    Some(
        list.warn(ids::NP015, text!("has {}, which stands for many hosts at once", list.some(&found)))
            .expected("full names")
            .observed(observed)
            .cause("a member counts for every name below it, for some clients for every name that ends in it")
            .advise(text!("write the full name in place of {}", list.some(&found))),
    )
}

/// What looks like a pattern or a span of addresses.
fn patterns(list: &List<'_>) -> Option<Finding> {
    let stands_for = |member: &str| -> Option<Target> {
        match member.split_once('-') {
            Some((first, last)) if [first, last].iter().all(|end| end.parse::<IpAddr>().is_ok()) => target(first),
            _ => target(&member.replace('*', "1")),
        }
    };
    let is_pattern = |member: &str| {
        let inner = member.strip_prefix("*.").unwrap_or(member);
        let is_span = member.split_once('-').is_some_and(|(first, _)| first.parse::<IpAddr>().is_ok());
        member != "*" && !member.contains('/') && (is_span || inner.contains('*'))
    };
    let found = pick(list, is_pattern)?;
    let ignoring = list.ignoring(&found, stands_for)?;
    let who = if ignoring.len() == list.context.clients.len() {
        "no client understands".into()
    } else {
        text!("{} ignore", count(&ignoring))
    };
    let finding = list
        .warn(ids::NP019, text!("has {}, which {}", list.some(&found), who))
        .expected("host names, single addresses, or a domain as the pair example.corp,.example.corp")
        .observed(text!("ignored by {}", names(&ignoring)))
        .cause("a star inside of a name, and a span of addresses, are compared as texts");
    let finding = finding.advise(text!("name the hosts, or one domain, in place of {}", list.some(&found)));
    Some(if ignoring.len() == list.context.clients.len() { list.mended(finding) } else { finding })
}

fn windows_local(list: &List<'_>) -> Option<Finding> {
    pick(list, |member| member.eq_ignore_ascii_case("<local>"))?;
    let finding = list.finding(ids::NP016, Status::Pass, "has <local>, which means something on Windows only");
    Some(finding.expected("the names themselves").observed("<local>"))
}

fn too_long(list: &List<'_>) -> Option<Finding> {
    let (limit, reader) = list.context.limit?;
    let length = list.name.len() + 1 + list.value.len();
    if length <= limit {
        return None;
    }
    let command = ics_setup(text!("{} --no-proxy-only <LIST>", own(list.context.writer)));
    Some(
        list.warn(ids::NP017, "is longer than a login can read on this host")
            .expected(text!("a line of at most {} bytes ({})", limit, own(reader)))
            .observed(text!("{} bytes", length))
            .cause("what reads the file at a login cuts such a line, or drops it and all behind it")
            .advise(text!("write a shorter list: {}, with one domain in place of many hosts", command)),
    )
}

/// Members that make a client fail on every request, to whatever host.
fn deadly(list: &List<'_>) -> Option<Finding> {
    let dying = list.who(|client| dies(client, list.value));
    if dying.is_empty() {
        return None;
    }
    let found = pick(list, |member| dying.iter().any(|client| dies(client, member))).unwrap_or_default();
    let finding = list
        .fail(ids::NP018, text!("has {}, which makes every request of {} fail", list.some(&found), names(&dying)))
        .expected("IPv6 addresses without brackets and without a mask; names in ASCII; ports as numbers")
        .observed(text!("every request, to whatever host, fails in {}", names(&dying)))
        .cause("the client makes a URL of each member, and this one is none");
    Some(list.mended(finding))
}

/// Does the list make this client go around the proxy for a host?
pub(super) fn bypasses(client: &Client, host: &str, list: &str) -> bool {
    target(host).is_some_and(|target| takes(client, &target, list))
}

/// `10.0.0.0/8`, `fd00::/8`.
pub(super) fn range(member: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = member.split_once('/')?;
    Some((address.parse().ok()?, bits.parse().ok()?))
}

/// The text of such an address.
pub(super) fn neighbour_of(address: &str) -> Option<String> {
    Some(neighbour(address.parse().ok()?).to_string())
}

/// An address near the network's own, which is in every range that is no single address.
fn neighbour(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) ^ 1).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) ^ 1).into(),
    }
}

/// `host:8080` and `[::1]:8080` apart.
pub(super) fn host_and_port(member: &str) -> Option<(&str, &str)> {
    let (host, port) = member.rsplit_once(':')?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let one = (host.starts_with('[') && host.ends_with(']')) || !host.contains([':', '/']);
    (digits && one && !host.is_empty()).then_some((host, port))
}

/// Letters, digits, dots: a name and no address.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.parse::<Ipv4Addr>().is_err()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// One label, or two of at most three letters: a name such as `corp` or `co.uk`, below which many hosts are.
pub(super) fn is_short(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    is_name(name)
        && !name.eq_ignore_ascii_case("localhost")
        && (labels.len() == 1 || (labels.len() == 2 && labels.iter().all(|label| label.len() <= 3)))
}

fn is_domain(text: &str) -> bool {
    is_name(text) && text.contains('.') && !text.ends_with('.')
}
