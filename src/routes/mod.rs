//! Behaviour in place of text: which way each client of each consumer goes to each endpoint, before and after a change.
//!
//! | module | what it does |
//! | --- | --- |
//! | `asks` | who asks for what |
//! | `way` | the way of one request, and what decides it |
//! | `pairs` | the same readers before and after |
//! | `site` | the host, as it is and as it would be |
//! | `judge` | ways that work before and not after |
//! | `explain` | the lines that decide one way |
//! | `edit` | the smallest edit that turns one way |

mod asks;
mod edit;
mod explain;
mod judge;
mod pairs;
mod site;
#[cfg(test)]
mod tests;
mod way;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::clients::{Client, Target};
use crate::consumers::{Consumer, ConsumersFacts, Door, Who, judge as consumers};
use crate::network::catalogue::Endpoint;
use crate::text::Text;
use crate::text::words::words;

pub(crate) use asks::clients_of;
pub(crate) use edit::Edit;
pub(crate) use explain::{Explained, explain};
pub(crate) use judge::{Known, judge};
use pairs::{Pair, Reader};
pub(crate) use site::Site;
pub(crate) use way::{Taken, taken};

words! {
    /// The way of one request.
    pub(crate) enum Way {
        /// A proxy is asked.
        Proxy = "proxy",
        /// The host itself is.
        Direct = "direct",
        /// Nobody is.
        None = "none",
        /// It cannot be told.
        Unknown = "unknown",
    }
}

/// The ways of a host before and after a change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    /// In the order of the reports: consumers, clients, endpoints.
    pub(crate) rows: Vec<Row>,
    /// Ways that somebody asked for beside.
    more: Vec<Row>,
}

/// What is asked for beside the catalogue.
#[derive(Clone, Copy)]
enum More<'m> {
    /// What each consumer's own list keeps from the proxy before, by its most usual client, where the change turns it.
    OwnLists,
    /// These, by every client.
    These(&'m [Target]),
}

/// One way.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) who: Who,
    /// The consumer in a sentence.
    pub(crate) name: Text,
    pub(crate) client: &'static Client,
    /// What is asked for.
    pub(crate) target: Target,
    /// `None`: the catalogue does not list it.
    pub(crate) endpoint: Option<Arc<Endpoint>>,
    pub(crate) before: Taken,
    pub(crate) after: Taken,
    /// Who of the consumer's readers.
    readers: Arc<[Reader]>,
}

impl Row {
    /// Does the change turn it?
    pub(crate) fn changes(&self) -> bool {
        !self.before.is_same(&self.after)
    }

    /// The doors of a login or of sudo through which it is so, each once.
    pub(crate) fn doors(&self) -> impl Iterator<Item = &'static str> {
        let door = |reader: &Reader| if let Reader::Door(_, door) = reader { Some(*door) } else { None };
        self.readers.iter().filter_map(door).collect::<BTreeSet<_>>().into_iter().map(Door::as_str)
    }

    /// Each of its readers.
    #[cfg(test)]
    pub(crate) fn readers(&self) -> impl Iterator<Item = String> + '_ {
        self.readers.iter().map(|reader| format!("{reader:?}"))
    }

    fn is_of(&self, pair: &Pair<'_>) -> bool {
        self.who == pair.who && pair.readers.first().is_some_and(|first| self.readers.contains(first))
    }
}

impl Routes {
    /// Those of a run without a plan.
    pub(crate) const NONE: Self = Self { rows: Vec::new(), more: Vec::new() };

    /// The ways by what consumers get before and after. `more`: what is asked for beside the catalogue; `curl`: that of the host.
    fn between(
        before: &ConsumersFacts,
        after: &ConsumersFacts,
        asked: &[asks::Asked],
        more: More<'_>,
        curl: &'static Client,
    ) -> Self {
        let mut routes = Self::default();
        for pair in pairs::pairs(before, after) {
            let Some(consumer) = pair.consumer() else { continue };
            let name = consumers::who(consumer);
            let readers: Arc<[Reader]> = pair.readers.as_slice().into();
            let of = |side: Option<&Consumer>, client: &Client, target: &Target| {
                side.map_or_else(Taken::nobody, |own| taken(own, client, target))
            };
            let row = |client: &'static Client, target: &Target, endpoint: Option<&Arc<Endpoint>>| Row {
                who: pair.who,
                name: name.clone(),
                client,
                target: target.clone(),
                endpoint: endpoint.cloned(),
                before: of(pair.before, client, target),
                after: of(pair.after, client, target),
                readers: readers.clone(),
            };
            let sides = [pair.before, pair.after];
            let of_pair: Vec<&asks::Asked> =
                asked.iter().filter(|own| asks::is_asked(pair.who, &own.endpoint)).collect();
            let mut own_rules: Vec<Target> = Vec::new();
            for target in sides.into_iter().flatten().flat_map(way::hosts_of_rules) {
                if !own_rules.contains(&target) && !of_pair.iter().any(|own| own.target == target) {
                    own_rules.push(target);
                }
            }
            let clients = clients_of(consumer, curl);
            for client in &clients {
                routes.rows.extend(of_pair.iter().map(|own| row(client, &own.target, Some(&own.endpoint))));
                routes.rows.extend(own_rules.iter().map(|target| row(client, target, None)));
                if let More::These(targets) = more {
                    routes.more.extend(targets.iter().map(|target| row(client, target, None)));
                }
            }
            if let (More::OwnLists, Some(before), Some(first)) = (more, pair.before, clients.first()) {
                let internal = site::internal(before);
                routes.rows.extend(internal.iter().map(|target| row(first, target, None)).filter(Row::changes));
            }
        }
        // What is there neither before nor after asks for nothing.
        let is_there = |row: &Row| [&row.before, &row.after].iter().any(|taken| taken.way != Way::None);
        routes.rows.retain(is_there);
        routes.more.retain(is_there);
        routes
    }

    /// How many of those that stay as they are cannot be told.
    pub(crate) fn untold(&self) -> usize {
        self.rows.iter().filter(|row| !row.changes() && row.after.way == Way::Unknown).count()
    }

    /// Those that the change turns.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.changes())
    }
}
