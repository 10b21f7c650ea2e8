//! One finding for each consumer: does it get what is wanted, who decides otherwise, and what mends it? Plans, verification
//! and checks all ask here. Commands and lines to take out are in `remedy`.

mod network;
mod remedy;

use std::path::Path;

pub(crate) use network::back_ends;
pub(crate) use remedy::{SHORTER_LIST, pass_on};
use remedy::{closed, nothing_to_write, outranked, unread};

pub(crate) use super::profile::{home_flag, others, restart_command, write, write_others};

use super::differ::{Difference, differences};
use super::profile::{Case, Fails, restart};
use super::{Consumer, ConsumersFacts, Decided, Exception, Known, ProxySpec, ProxyValue, State, Wanted, Who};
use crate::environment;
use crate::finding::FindingId;
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::lists::{LONGEST_LIST, list_shown};
use crate::redact::list_text;
use crate::text;
use crate::text::Evidence;
use crate::text::{Fix, Text, as_root, clean, ics_setup, own, typed};

/// What a consumer gets, in one line: `http and https by http://h:1, no_proxy a,b`.
///
/// Members of the list that stand in `wanted` are the tool's own words.
pub(crate) fn shown(consumer: &Consumer, wanted: &[String]) -> Text {
    let text = |value: Option<&ProxyValue>| value.map(|value| value.text());
    let mut parts = match (text(consumer.proxy(false)), text(consumer.proxy(true))) {
        (None, None) => vec!["no proxy".into()],
        (Some(http), Some(https)) if http == https => vec![text!("http and https through {}", http)],
        (http, https) => {
            let part = |scheme: &str, url: Option<Text>| match url {
                Some(url) => text!("{} through {}", own(scheme), url),
                None => text!("{} without a proxy", own(scheme)),
            };
            vec![part("http", http), part("https", https)]
        }
    };
    parts.extend(consumer.exclusions().map(|list| text!("no_proxy {}", list_shown(list, wanted))));
    Text::join(parts, ", ")
}

/// The finding of one consumer.
pub(crate) fn judge(consumer: &Consumer, facts: &ConsumersFacts, wanted: &Wanted) -> Finding {
    match (consumer.state, &consumer.next) {
        (State::NotServed, _) if wanted.is_proxy() => not_served(consumer),
        (State::Seen, Some(next)) if next.state == State::Refused => refused(next),
        (State::Seen, _) => {
            let finding = proof_of_login(seen(consumer, facts, wanted), consumer, facts);
            evidence(finding, consumer, &wanted.no_proxy)
        }
        _ => not_seen(consumer),
    }
}

/// A login's finding with the lines by which a person sees the same, and for whom it was shown.
fn proof_of_login(finding: Finding, consumer: &Consumer, facts: &ConsumersFacts) -> Finding {
    let Some(login) = facts.login.as_ref().filter(|_| consumer.consumer == Who::Login) else { return finding };
    // Of others only what differs is told, and there is no login in an image.
    if facts.image || !(consumer.name.is_none() || consumer.users.contains(&login.name)) {
        return finding;
    }
    let observed = text!("{}; look: {}", finding.observed.clone().unwrap_or_default(), login.proof());
    let finding =
        finding.observed(observed).evidence("verify", login.lines().map(|line| text!("{}", own(line))).to_vec());
    match environment::instead(&login.name) {
        Some(why) => finding.evidence("shown_for", why),
        None => finding,
    }
}

fn seen(consumer: &Consumer, facts: &ConsumersFacts, wanted: &Wanted) -> Finding {
    let (id, who) = (id(consumer.consumer), who(consumer));
    if !consumer.unknown.is_empty() {
        return partly_told(consumer, facts, wanted);
    }
    let observed = text!("{} ({})", shown(consumer, &wanted.no_proxy), own(&consumer.source));
    if !wanted.is_proxy() {
        if consumer.is_unusable() {
            let title = text!("{}: what is set for a proxy is none that it can use", who);
            let advice = text!("write it as http://<HOST>:<PORT>: {}", own(&consumer.source));
            let finding = Finding::warn(id, title).observed(observed);
            let finding = finding.cause("a value without a host, or of a kind that no HTTP client takes for a proxy");
            return finding.advise(advice);
        }
        if let Some(astray) = network::proxies(consumer, facts, wanted).filter(|_| !wanted.removed) {
            return astray;
        }
        let others = exceptions(consumer, &[]);
        if !others.is_empty() {
            return other_ways(consumer, others, observed);
        }
        let (status, set) = match (consumer.has_proxy(), wanted.removed) {
            (true, true) => (Status::Warn, "a proxy is still set"),
            (true, false) => (Status::Pass, "a proxy is set"),
            (false, _) => (Status::Pass, "no proxy"),
        };
        let finding = Finding::new(id, status, text!("{}: {}", who, own(set))).observed(observed);
        return match consumer.next {
            Some(_) if status == Status::Warn => restarted(finding, consumer, facts),
            _ => still_set(finding, consumer, status),
        };
    }
    let wrong = differences(consumer, facts, wanted);
    if wrong.is_empty()
        && let Some(astray) = network::proxies(consumer, facts, wanted)
    {
        return astray;
    }
    if let Some(next) = &consumer.next {
        return with_next(consumer, next, facts, wanted, observed);
    }
    let others = exceptions(consumer, &[&wanted.http, &wanted.https]);
    if !wrong.is_empty() {
        return differs(consumer, &wrong, facts, wanted);
    }
    if !others.is_empty() {
        return other_ways(consumer, others, observed).expected(expected(consumer, wanted));
    }
    let finding = Finding::new(id, Status::Pass, text!("{} gets the proxy that is wanted", who));
    let finding = finding.expected(expected(consumer, wanted)).observed(observed);
    consumer.why.iter().fold(finding, |finding, why| finding.cause(why.clone()))
}

/// Where some requests have another proxy than those that are wanted; than all others, where none is wanted.
fn exceptions<'a>(consumer: &'a Consumer, wanted: &[&Option<ProxySpec>]) -> Vec<&'a Exception> {
    let mut same: Vec<&str> = wanted.iter().filter_map(|spec| spec.as_ref()).map(|spec| spec.url.as_str()).collect();
    if same.is_empty() {
        same = [&consumer.http, &consumer.https].into_iter().flatten().map(|value| value.shown.as_str()).collect();
    }
    let other = |own: &&Exception| own.value.as_ref().is_none_or(|value| !same.contains(&value.shown.as_str()));
    consumer.exceptions.iter().filter(other).collect()
}

fn other_ways(consumer: &Consumer, others: Vec<&Exception>, observed: Text) -> Finding {
    let way = |exception: &Exception| match &exception.value {
        Some(value) => text!("{} through {} ({})", exception.whom, value.text(), own(&exception.at)),
        None => text!("{}, which cannot be told ({})", exception.whom, own(&exception.at)),
    };
    let ways = Text::join(others.iter().map(|exception| way(exception)), "; ");
    let places: Vec<&str> = others.iter().map(|exception| exception.at.as_str()).collect();
    Finding::warn(id(consumer.consumer), text!("{} has another proxy for some requests", who(consumer)))
        .observed(text!("{}; {}", observed, ways))
        .cause("what is set for some hosts, repositories or daemons alone outranks what is set for all")
        .advise(text!("take these lines out, or bring them to the same proxy: {}", own(places.join(", "))))
}

/// A consumer whose files say something else than it was started with, or than it will be started with.
fn with_next(consumer: &Consumer, next: &Consumer, facts: &ConsumersFacts, wanted: &Wanted, observed: Text) -> Finding {
    let wrong = differences(next, facts, wanted);
    if !wrong.is_empty() {
        return differs(next, &wrong, facts, wanted);
    }
    let title = match consumer.stale_unit {
        true => text!("systemd has to read the files of {} again", who(consumer)),
        false => text!("{} has to be started again: its files were changed since", who(consumer)),
    };
    let finding = Finding::new(id(consumer.consumer), Status::Warn, title)
        .expected(expected(consumer, wanted))
        .observed(observed);
    restarted(finding, consumer, facts)
}

/// Only what runs has to be started again, so no image has a consumer like this.
fn restarted(mut finding: Finding, consumer: &Consumer, facts: &ConsumersFacts) -> Finding {
    match consumer.stale_unit {
        true => finding.fix.push(Fix::Command(as_root("systemctl daemon-reload"))),
        false => finding.fix.extend(restart(facts)),
    }
    finding.cause(consumer.why.clone().unwrap_or_default())
}

/// A proxy that was to go: who sets it still.
fn still_set(finding: Finding, consumer: &Consumer, status: Status) -> Finding {
    if status != Status::Warn {
        return finding;
    }
    let set = consumer.decided.iter().filter(|(_, decided)| !decided.taken);
    set.fold(finding, |finding, (name, decided)| {
        finding.advise(text!("take {} out of {}", own(name), own(&decided.shown)))
    })
}

fn differs(consumer: &Consumer, wrong: &[Difference], facts: &ConsumersFacts, wanted: &Wanted) -> Finding {
    let who = who(consumer);
    let is_known = consumer.unknown.keys().all(|name| name.eq_ignore_ascii_case("no_proxy"));
    let missing = is_known && consumer.proxy(true).is_none() && consumer.proxy(false).is_none();
    let urls = wrong.iter().any(|difference| !difference.name.eq_ignore_ascii_case("no_proxy"));
    let title = if missing {
        text!("{} gets no proxy", who)
    } else {
        let names: Vec<&str> = wrong.iter().map(|difference| difference.name).collect();
        text!("{} gets another {} than is wanted", who, own(names.join(", ")))
    };
    let details = Text::join(wrong.iter().map(|difference| difference.text.clone()), "; ");
    let (usual, remedy) = remedy(consumer, facts, wanted, missing);
    let closed = closed(consumer, wrong);
    let (cause, fixes) = match outranked(consumer, wrong, facts, wanted) {
        _ if closed.is_some() => closed.unwrap_or_default(),
        None => unread(consumer)
            .or_else(|| nothing_to_write(consumer, wrong, facts, wanted))
            .unwrap_or_else(|| (usual.into(), remedy)),
        Some(outranked) => {
            let mut fixes = outranked.fixes;
            // What is written mends a part of it.
            fixes.splice(0..0, remedy.into_iter().take(usize::from(outranked.is_part)));
            (outranked.cause, fixes)
        }
    };
    let finding = Finding::new(id(consumer.consumer), status(consumer.consumer, missing, urls, wanted), title)
        .expected(expected(consumer, wanted))
        .observed(text!("{} ({})", details, own(&consumer.source)))
        .cause(cause);
    Finding { fix: fixes, ..finding }
}

/// What a consumer says and its model does not.
pub(crate) fn disagreement(consumer: &Consumer) -> Option<Finding> {
    let asked = [Some(consumer), consumer.next.as_deref()].into_iter().flatten().find(|asked| asked.model.is_some())?;
    let model = asked.model.as_deref()?;
    let name = who(consumer);
    let title = text!("{} gets something else than the model of it says", name);
    let finding = differs_from_model(title, shown(model, &[]), text!("{} ({})", shown(asked, &[]), own(&asked.source)));
    Some(finding.evidence("consumer", name))
}

/// Two answers to one question, the program's and its model's.
pub(crate) fn differs_from_model(title: Text, model: Text, asked: Text) -> Finding {
    Finding::new(ids::PROVE_MODEL, Status::Warn, title)
        .expected(text!("by the model: {}", model))
        .observed(text!("asked: {}", asked))
        .cause("the program is right; the model does not know something that decides here")
        .advise(text!("keep the case without secrets, and report it: {}", ics_setup("prove --save <FILE>")))
        .evidence("known", own(Known::Asked.as_str()))
}

/// A consumer of which some variables cannot be told. What is known of the others and is wrong comes first.
fn partly_told(consumer: &Consumer, facts: &ConsumersFacts, wanted: &Wanted) -> Finding {
    let untold = not_told(consumer, facts, wanted);
    let is_unknown = |name: &str| consumer.unknown.keys().any(|unknown| unknown == name);
    let wrong: Vec<Difference> = differences(consumer, facts, wanted)
        .into_iter()
        .filter(|own| match own.unset {
            true => !is_unknown(own.name) && !is_unknown(&own.name.to_ascii_uppercase()),
            false => !is_unknown(own.name),
        })
        .collect();
    if wrong.is_empty() || consumer.next.is_some() {
        return untold;
    }
    let known = differs(consumer, &wrong, facts, wanted);
    let observed = [&known.observed, &untold.observed].map(|own| own.clone().unwrap_or_default());
    let advice = untold.fix.iter().filter(|fix| known.fix.iter().all(|own| own != *fix)).cloned().collect::<Vec<_>>();
    let fix = known.fix.iter().cloned().chain(advice).collect();
    let [seen, unseen] = observed;
    Finding { fix, ..known }.observed(text!("{}; not told: {}", seen, unseen))
}

/// A consumer of which some variables cannot be told.
fn not_told(consumer: &Consumer, facts: &ConsumersFacts, wanted: &Wanted) -> Finding {
    let names = own(consumer.unknown.keys().cloned().collect::<Vec<_>>().join(", "));
    let mut reasons: Vec<&Text> = consumer.unknown.values().collect();
    reasons.dedup();
    let reasons = Text::join(reasons.into_iter().cloned(), "; ");
    let title = text!("what {} gets for {} cannot be told from the files", who(consumer), names);
    let finding = Finding::new(id(consumer.consumer), Status::Warn, title)
        .observed(text!("{}: {}", own(&consumer.source), reasons))
        .cause("only the reader itself can tell what it makes of these lines")
        .evidence("untold", own(consumer.unknown.keys().cloned().collect::<Vec<_>>().join(",")));
    let is_told = |planned: &&Consumer| planned.state == State::Seen && planned.unknown.is_empty();
    let mut planned = facts.planned.iter().filter(|planned| planned.consumer == consumer.consumer).peekable();
    let mut places: Vec<&str> =
        consumer.unknown.keys().filter_map(|name| Some(decided_by(consumer, name)?.1.shown.as_str())).collect();
    places.dedup();
    if !wanted.written && planned.peek().is_some() && planned.all(|planned| is_told(&planned)) {
        Finding { fix: remedy(consumer, facts, wanted, false).1, ..finding }
    } else {
        let places = if places.is_empty() { consumer.source.clone() } else { places.join(", ") };
        finding.advise(text!("write a plain value, or take the line out: {}", own(places)))
    }
}

fn id(who: Who) -> FindingId {
    who.profile().id
}

/// The consumer's name in a sentence.
pub(crate) fn who(consumer: &Consumer) -> Text {
    (consumer.consumer.profile().name)(consumer)
}

/// A consumer of which nothing is known.
pub(crate) fn not_seen(consumer: &Consumer) -> Finding {
    let id = id(consumer.consumer);
    let why = consumer.why.clone().unwrap_or_default();
    let who = who(consumer);
    if consumer.state == State::Refused {
        return refused(consumer);
    }
    if consumer.state != State::Unreadable {
        let finding = Finding::new(id, Status::Skip, text!("{} was not looked at", who));
        let finding = match consumer.state {
            State::NeedsRoot => finding.fix(as_root(ics_setup("check proxy"))),
            _ => finding,
        };
        return evidence(finding.observed(why), consumer, &[]);
    }
    let usual = || match Path::new(&consumer.source).is_absolute() {
        true => text!("ls -l {}", own(&consumer.source)),
        false => text!("{}", own(&consumer.source)),
    };
    let finding = Finding::new(id, Status::Error, text!("what {} gets could not be found out", who))
        .observed(why)
        .cause("what decides it could not be asked or read, so it may be right or wrong");
    let finding = match &consumer.mend {
        Some(command) => finding.fix(as_root(command.clone())),
        None => {
            let look = (consumer.consumer.profile().look)(consumer).unwrap_or_else(usual);
            finding.advise(text!("try it: {}", look))
        }
    };
    evidence(finding, consumer, &[])
}

/// The Docker daemon, of which is known that it does not start.
fn refused(consumer: &Consumer) -> Finding {
    let why = consumer.why.clone().unwrap_or_default();
    let title = text!("{} does not start with {}", who(consumer), own(&consumer.source));
    let finding = Finding::fail(id(consumer.consumer), title)
        .observed(why)
        .cause("a daemon that runs goes on; after its next start there is none")
        .advise(text!(
            "take out of {} what it refuses; in place of proxies the systemd drop-in does it for every engine",
            own(&consumer.source)
        ))
        .look(typed(text!("dockerd --validate --config-file {}", own(&consumer.source))));
    evidence(finding, consumer, &[])
}

/// Something else plays the part of a consumer: it is named, with what it reads.
fn not_served(consumer: &Consumer) -> Finding {
    let title = match consumer.name {
        Some(_) => text!("{} gets nothing of what is written for the system's", who(consumer)),
        None => text!("{}: there is none on this host", who(consumer)),
    };
    let finding = Finding::warn(id(consumer.consumer), title)
        .observed(text!("{} ({})", consumer.why.clone().unwrap_or_default(), own(&consumer.source)))
        .cause("the vendor's compose files are for the Docker daemon of the system");
    let finding = match consumer.name {
        Some(_) => finding.advise(text!(
            "write the same Environment= lines into a drop-in of that unit, as its user: {}",
            typed("systemctl --user edit docker")
        )),
        None => finding.advise("install Docker where the product is to run"),
    };
    evidence(finding, consumer, &[])
}

/// Of each scheme that has one, its URL.
pub(crate) fn by_scheme(way: &'static str, between: &'static str, [http, https]: [Option<Text>; 2]) -> Text {
    let part = |(scheme, url): (&'static str, Option<Text>)| url.map(|url| text!("{}{}{}", own(scheme), own(way), url));
    Text::join([("http", http), ("https", https)].into_iter().filter_map(part), between)
}

/// What is wanted of this consumer, in one line.
fn expected(consumer: &Consumer, wanted: &Wanted) -> Text {
    let url = |proxy: &Option<ProxySpec>| proxy.as_ref().map(|proxy| text!("{}", own(&proxy.url)));
    let mut line = match (url(&wanted.http), url(&wanted.https)) {
        (Some(http), Some(https)) if http == https => text!("http and https through {}", http),
        (http, https) => by_scheme(" through ", ", ", [http, https]),
    };
    if consumer.consumer.profile().reads_lists && !wanted.no_proxy.is_empty() {
        let list = wanted.no_proxy.join(",");
        line.push(text!(", no_proxy {}", list_text(&list, clean(&list, LONGEST_LIST))));
    }
    line
}

/// How bad it is: images cannot be pulled without the daemon's proxy, and the product cannot call out without that of its
/// containers. What nobody asked for in this run is no failure.
fn status(who: Who, missing: bool, urls: bool, wanted: &Wanted) -> Status {
    let other = urls && wanted.asked;
    let grave = match who.profile().fails {
        Fails::NoProxy => missing || other,
        Fails::OtherProxy => other,
        Fails::Never => false,
    };
    if grave { Status::Fail } else { Status::Warn }
}

/// The variables of a consumer that are not as wanted.
pub(crate) fn wrong(consumer: &Consumer, facts: &ConsumersFacts, wanted: &Wanted) -> Vec<&'static str> {
    if consumer.state != State::Seen {
        return Vec::new();
    }
    if wanted.is_proxy() {
        return differences(consumer, facts, wanted).into_iter().map(|difference| difference.name).collect();
    }
    let goes = |name: &&str| wanted.removed && consumer.has_proxy() && consumer.decided.contains_key(*name);
    super::NAMES.into_iter().filter(goes).collect()
}

/// The line that decides a variable, in whichever spelling the consumer has it.
pub(crate) fn decided_by<'c>(consumer: &'c Consumer, name: &str) -> Option<(&'c str, &'c Decided)> {
    let mut all = consumer.decided.iter().map(|(own, decided)| (own.as_str(), decided));
    let exact = all.clone().find(|(own, _)| *own == name);
    exact.or_else(|| all.find(|(own, _)| own.eq_ignore_ascii_case(name)))
}

/// Why it is so, and what to do.
fn remedy(consumer: &Consumer, facts: &ConsumersFacts, wanted: &Wanted, missing: bool) -> (&'static str, Vec<Fix>) {
    (consumer.consumer.profile().remedy)(&Case { consumer, facts, wanted, missing })
}

fn evidence(finding: Finding, consumer: &Consumer, wanted: &[String]) -> Finding {
    let finding = finding
        .evidence("consumer", who(consumer))
        .evidence("source", own(&consumer.source))
        .evidence("known", own(consumer.known.as_str()));
    let finding = match consumer.assumed.as_slice() {
        [] => finding,
        assumed => finding.evidence("assumed", assumed.iter().map(|path| text!("{}", own(path))).collect::<Vec<_>>()),
    };
    let url = |of_https| consumer.proxy(of_https).map(|value| Evidence::from(value.text()));
    let list = consumer.exclusions().map(|list| Evidence::from(list_shown(list, wanted)));
    let values = [("http_proxy", url(false)), ("https_proxy", url(true)), ("no_proxy", list)];
    values
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .fold(finding, |finding, (name, value)| finding.evidence(name, value))
}
