//! What decides otherwise, whatever is written, and what mends that.

use super::super::differ::{Difference, differences};
use super::super::profile::{restart, write, write_others};
use super::super::{Closed, Consumer, ConsumersFacts, Decided, Keeps, State, Unread, Wanted, Who};
use super::decided_by;
use crate::text;
use crate::text::{Fix, Text, as_root, own, quoted};

/// What keeps a line of a unit short enough for every systemd.
pub(crate) const SHORTER_LIST: &str = "name fewer hosts, or domains (.corp.example) in place of hosts, in no_proxy";

/// Lines of a unit that every systemd reads whole, less what stands there beside the list.
const SHORT_LINE: usize = 2000;

/// Where all is written as it is going to be and the consumer still gets something else: what to do, which is no command
/// of ours. `None`: to write it changes something.
pub(super) fn nothing_to_write(
    consumer: &Consumer,
    wrong: &[Difference],
    facts: &ConsumersFacts,
    wanted: &Wanted,
) -> Option<(Text, Vec<Fix>)> {
    let same = |planned: &&Consumer| planned.consumer == consumer.consumer && planned.name == consumer.name;
    let planned = facts.planned.iter().find(same)?;
    if wanted.written || !consumer.consumer.has_file_of_ours() || !planned.is_same(consumer) {
        return None;
    }
    let of_list = wrong.iter().any(|difference| difference.name.eq_ignore_ascii_case("no_proxy"));
    if consumer.consumer == Who::Docker && of_list && wanted.no_proxy.join(",").len() > SHORT_LINE {
        let cause = "systemd before 237 cuts lines of more than 2,047 bytes";
        return Some((cause.into(), vec![Fix::Advice(SHORTER_LIST.into())]));
    }
    None
}

/// A file that the consumer may not read, where that is why something is wrong: the command that opens it.
pub(super) fn closed(consumer: &Consumer, wrong: &[Difference]) -> Option<(Text, Vec<Fix>)> {
    let decides = |closed: &&Closed| {
        let of_wrong = |name: &String| wrong.iter().any(|difference| difference.name.eq_ignore_ascii_case(name));
        closed.names.iter().any(of_wrong)
    };
    let closed = consumer.closed.iter().find(decides)?;
    let mode = |(path, mode): &(String, String)| text!("{} has mode {}", own(path), own(mode));
    let modes = Text::join(closed.modes.iter().map(mode), ", ");
    let cause = text!("{}, so that {} cannot read {}", modes, own(&closed.user), own(&closed.file));
    let mut fixes = vec![Fix::Command(as_root(text!("{}", own(&closed.chmod))))];
    if closed.password {
        let warning = "the file holds the password of the proxy, which every user of this host can read then";
        fixes.push(Fix::Advice(warning.into()));
    }
    Some((cause, fixes))
}

/// Doors that leave the file unread which `prepare` writes.
pub(super) fn unread(consumer: &Consumer) -> Option<(Text, Vec<Fix>)> {
    if consumer.unread.is_empty() {
        return None;
    }
    let places: Vec<&str> = consumer.unread.iter().map(|unread| unread.at.as_str()).collect();
    let mend = |unread: &Unread| match unread.asks_pam {
        true => text!("add this line to {}: session required pam_env.so", own(&unread.at)),
        false => text!("let sshd use its PAM stack: UsePAM yes in {}", own(&unread.at)),
    };
    let fixes = consumer.unread.iter().map(|unread| Fix::Advice(mend(unread))).collect();
    Some((text!("/etc/environment is not read there: {}", own(places.join(", "))), fixes))
}

/// What decides otherwise, whatever `prepare` and `reconfigure` write.
pub(super) struct Outranked {
    pub(super) cause: Text,
    pub(super) fixes: Vec<Fix>,
    /// They mend something of it all the same.
    pub(super) is_part: bool,
}

/// Who decides what is wrong when everything is written as it is going to be: each is named with its line.
pub(super) fn outranked(
    consumer: &Consumer,
    wrong: &[Difference],
    facts: &ConsumersFacts,
    wanted: &Wanted,
) -> Option<Outranked> {
    let same = |planned: &&Consumer| planned.consumer == consumer.consumer && planned.state == State::Seen;
    let named = |planned: &&Consumer| planned.name == consumer.name;
    let same_doors = |planned: &&Consumer| named(planned) && planned.doors == consumer.doors;
    let is_wrong = |planned: &&Consumer| !differences(planned, facts, wanted).is_empty();
    let planned = || facts.planned.iter().filter(same);
    let (after, stays);
    // A line that the login's own answer bears out: what the files as planned make of it, no model tells.
    let borne_out = |difference: &&Difference| {
        decided_by(consumer, difference.name).is_some_and(|(_, decided)| decided.supposed && !decided.ours)
    };
    let by_answer: Vec<&'static str> = wrong.iter().filter(borne_out).map(|difference| difference.name).collect();
    let is_guess = !by_answer.is_empty();
    if is_guess {
        (after, stays) = (consumer, by_answer);
    } else if wanted.written || !consumer.consumer.has_file_of_ours() {
        (after, stays) = (consumer, wrong.iter().map(|difference| difference.name).collect::<Vec<_>>());
    } else {
        // What gets the same by files that are written may be told of together, and so under another name.
        after = planned()
            .find(same_doors)
            .or_else(|| planned().filter(named).find(is_wrong))
            .or_else(|| planned().find(is_wrong))?;
        stays = differences(after, facts, wanted).iter().map(|difference| difference.name).collect();
    }
    // A line that nobody understands, such as one that runs a command, decides nothing that is known.
    let is_known = |name: &&str| !after.unknown.keys().any(|own| own.eq_ignore_ascii_case(name));
    let others: Vec<(&str, &Decided)> =
        stays.into_iter().filter(is_known).filter_map(|name| decided_by(after, name)).collect();
    let (_, first) = others.first()?;
    let mut cause = text!("{} decides it, whatever other files say", own(&first.shown));
    if let Some(whose) = &first.others {
        cause = text!("{}; {}", cause, whose.clone());
    }
    let mut fixes: Vec<Fix> = Vec::new();
    if !wanted.mends_others && others.iter().any(|(_, decided)| decided.others.is_some()) {
        fixes.push(write_others("prepare", &[consumer.consumer.profile().flag], wanted));
    }
    // What `prepare` writes or mends anyway decides here too.
    let anyway = |decided: &Decided| decided.ours && !consumer.consumer.has_file_of_ours() && !wanted.written;
    if others.iter().any(|(_, decided)| anyway(decided)) {
        fixes.push(write("prepare", "", facts, wanted));
    }
    let by_hand =
        || others.iter().filter(|(_, decided)| !anyway(decided) && (wanted.mends_others || decided.others.is_none()));
    let set = by_hand().filter(|(_, decided)| !decided.taken);
    fixes.extend(set.map(|(name, decided)| Fix::Advice(text!("take {} out of {}", own(name), own(&decided.shown)))));
    let mut taken: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, decided) in by_hand().filter(|(_, decided)| decided.taken) {
        match taken.iter_mut().find(|(shown, _)| *shown == decided.shown) {
            Some((_, names)) => names.push(*name),
            None => taken.push((decided.shown.as_str(), vec![*name])),
        }
    }
    let line = |(shown, names): (&str, Vec<&str>)| {
        text!("take out the line that takes {} away: {}", own(names.join(", ")), own(shown))
    };
    fixes.extend(taken.into_iter().map(|own| Fix::Advice(line(own))));
    if consumer.consumer.profile().restarts {
        // No command mends it before a person has: a restart alone would change nothing.
        fixes.extend(restart(facts).into_iter().map(|fix| match fix {
            Fix::Command(command) => Fix::Advice(text!("where it runs, restart it then: {}", command)),
            other => other,
        }));
    }
    let shown =
        |own: &Consumer| -> Vec<String> { own.values().values().map(|(shown, _)| (*shown).to_owned()).collect() };
    let is_part = if is_guess { others.len() < wrong.len() } else { shown(after) != shown(consumer) };
    Some(Outranked { cause, fixes, is_part })
}

/// What makes sudo pass the caller's values on.
pub(crate) fn pass_on(consumer: Option<&Consumer>) -> Vec<Fix> {
    let line = "Defaults env_keep += \"http_proxy https_proxy no_proxy\"";
    let Some(Keeps { file, last, taken, .. }) = consumer.and_then(|consumer| consumer.keeps.as_ref()) else {
        return vec![Fix::Advice(text!(
            "pass the caller's values on by this last line of /etc/sudoers: {}",
            own(line)
        ))];
    };
    let mut fixes = vec![Fix::Advice(match last {
        true => {
            text!("pass the caller's values on by this line at the very end of {} (visudo): {}", own(file), own(line))
        }
        false => {
            let file = quoted(file);
            let command = text!("echo '{}' > {} && chmod 0440 {}", own(line), own(&file), own(&file));
            text!("pass the caller's values on: {}", as_root(command))
        }
    })];
    fixes.extend(taken.as_ref().map(|at| Fix::Advice(text!("or change the line that takes them out: {}", own(at)))));
    fixes
}
