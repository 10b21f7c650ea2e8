//! What is wrong, as people are told of it: by who must act, and what is alike told once.

use super::Checked;
use super::actor::actor;
use crate::finding::{Actor, Status};
use crate::report::characters::Plain;

/// A finding, or several of one kind.
pub(super) struct Thing {
    /// `None`: that has to be found out first.
    pub(super) actor: Option<Actor>,
    /// The first of them.
    pub(super) told: Plain,
    /// Their ids, each once.
    pub(super) ids: Vec<&'static str>,
    /// The others, each with what is to be done about it besides.
    pub(super) alike: Vec<Plain>,
}

/// What ended so, in the order of [`Actor`].
pub(super) fn things(checked: &Checked<'_>, is_meant: impl Fn(Status) -> bool) -> Vec<Thing> {
    let mut all: Vec<Thing> = Vec::new();
    for finding in checked.findings.iter().filter(|finding| is_meant(finding.status)) {
        let told = Plain::of(checked.redactor, finding);
        let actor = actor(finding, &checked.record.spec);
        match all.iter_mut().find(|thing| thing.actor == actor && thing.is_like(&told)) {
            Some(thing) => thing.join(told),
            None => all.push(Thing { actor, ids: vec![told.id], told, alike: Vec::new() }),
        }
    }
    all.sort_by_key(|thing| thing.actor.map_or(Actor::ALL.len(), |actor| actor as usize));
    all
}

/// Does it keep the product from working, or is that not known?
pub(super) fn is_in_the_way(status: Status) -> bool {
    matches!(status, Status::Fail | Status::Error)
}

/// How many there are, of what is alike each.
pub(super) fn count(things: &[Thing]) -> usize {
    things.iter().map(Thing::count).sum()
}

/// Whose it is, as a heading.
pub(super) fn heading(actor: Option<Actor>) -> String {
    actor.map_or_else(|| "To be found out".to_owned(), |actor| format!("For {}", actor.as_str()))
}

impl Thing {
    pub(super) fn count(&self) -> usize {
        1 + self.alike.len()
    }

    /// Is it the same as seen by another check, or the same fault of another one?
    fn is_like(&self, other: &Plain) -> bool {
        let own = &self.told;
        let is_same = own.title == other.title;
        let is_of_kind = own.id == other.id && own.cause.is_some() && own.observed == other.observed;
        own.status == other.status && own.cause == other.cause && (is_same || is_of_kind)
    }

    fn join(&mut self, mut other: Plain) {
        if !self.ids.contains(&other.id) {
            self.ids.push(other.id);
        }
        other.commands.retain(|own| !self.told.commands.contains(own));
        other.advice.retain(|own| self.told.advice.iter().all(|told| told != own));
        if other.title == self.told.title {
            self.told.commands.append(&mut other.commands);
            self.told.advice.append(&mut other.advice);
        } else {
            self.alike.push(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::checked;
    use super::*;
    use crate::finding::{Finding, ids};
    use crate::redact::Redactor;
    use crate::text::typed;

    #[test]
    fn what_is_alike_is_told_once_with_what_each_asks_for() {
        let refused = |host: &str| {
            Finding::fail(ids::NETWORK_ENDPOINT, format!("{host} is refused"))
                .observed("403")
                .cause("a rule")
                .advise(format!("allow {host}"))
                .advise("have all of them allowed")
        };
        let dead = |id| Finding::fail(id, "the proxy does not answer").cause("no route").up_to(Actor::Network);
        let mended = Finding::fail(ids::PROXY_LOGIN, "no proxy").fix(typed("prepare"));
        let broken = Finding::new(ids::MYSQL_VERSION, Status::Error, "it broke");
        let findings =
            [mended, broken, refused("a"), refused("b"), dead(ids::PROXY_CONNECTS), dead(ids::NETWORK_PROXY)];
        let redactor = Redactor::default();
        let things = things(&checked(&findings, &redactor), is_in_the_way);
        let told: Vec<(String, &str, usize)> =
            things.iter().map(|own| (heading(own.actor), own.told.title.as_str(), own.count())).collect();
        assert_eq!(
            told,
            [
                ("For the network team".to_owned(), "a is refused", 2),
                ("For the network team".to_owned(), "the proxy does not answer", 1),
                ("For this host".to_owned(), "no proxy", 1),
                ("To be found out".to_owned(), "it broke", 1),
            ]
        );
        assert_eq!(
            (things[0].alike[0].title.as_str(), things[0].alike[0].advice[0].as_str()),
            ("b is refused", "allow b")
        );
        assert_eq!(things[1].ids, ["proxy-connects", "network-proxy"]);
        assert_eq!(count(&things), 5);
    }
}
