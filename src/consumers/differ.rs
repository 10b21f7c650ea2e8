//! What a consumer gets, against what is wanted.

use std::collections::BTreeSet;

use super::{Consumer, ConsumersFacts, Wanted};
use crate::lists::LONGEST_LIST;
use crate::redact::list_text;
use crate::settings::NoProxy;
use crate::text;
use crate::text::{Text, clean, own};

/// One variable that is not as wanted.
pub(super) struct Difference {
    pub(super) name: &'static str,
    pub(super) text: Text,
    /// It has no value in either case.
    pub(super) unset: bool,
}

impl Difference {
    fn new(name: &'static str, text: Text) -> Self {
        Self { name, text, unset: false }
    }
}

/// The variables of a consumer that are not as wanted.
pub(super) fn differences(consumer: &Consumer, facts: &ConsumersFacts, wanted: &Wanted) -> Vec<Difference> {
    let mut found = Vec::new();
    let wishes =
        [("http_proxy", &wanted.http, facts.http_password), ("https_proxy", &wanted.https, facts.https_password)];
    for (lower, wanted, password) in wishes {
        let Some(wanted) = wanted else { continue };
        let mut seen = consumer.urls().filter(|(name, _)| name.eq_ignore_ascii_case(lower)).peekable();
        if seen.peek().is_none() {
            found.push(Difference { unset: true, ..Difference::new(lower, text!("{} is not set", own(lower))) });
        }
        for (name, value) in seen {
            if value.shown != wanted.url {
                found.push(Difference::new(name, text!("{} is {}", own(name), value.text())));
            } else if value.password != password {
                let which = if value.password.is_none() { "without the password" } else { "with another password" };
                let text = text!("{} is {} {}", own(name), value.text(), own(which));
                found.push(Difference::new(name, text));
            }
        }
    }
    if consumer.consumer.profile().reads_lists && consumer.has_proxy() {
        let members = |list: &str| -> BTreeSet<String> { NoProxy::found(list).members().map(str::to_owned).collect() };
        let exactly = wanted.only;
        let wanted: BTreeSet<String> = wanted.no_proxy.iter().cloned().collect();
        let lists = [("no_proxy", &consumer.no_proxy), ("NO_PROXY", &consumer.no_proxy_upper)];
        if lists.iter().all(|(_, list)| list.is_none()) && !wanted.is_empty() {
            found.push(Difference { unset: true, ..Difference::new("no_proxy", "no_proxy is not set".into()) });
        }
        for (name, list) in lists {
            let Some(seen) = list.as_deref().map(members) else { continue };
            // A longer list is no fault, unless exactly these were asked for.
            if if exactly { seen == wanted } else { seen.is_superset(&wanted) } {
                continue;
            }
            let list = |members: BTreeSet<&String>| {
                let members: Vec<&str> = members.into_iter().map(String::as_str).collect();
                let list = members.join(",");
                (!list.is_empty()).then(|| (clean(&list, LONGEST_LIST), list))
            };
            let parts = [
                list(wanted.difference(&seen).collect()).map(|(cut, list)| text!("lacks {}", list_text(&list, cut))),
                list(seen.difference(&wanted).filter(|_| exactly).collect()).map(|(cut, _)| text!("also has {}", cut)),
            ];
            let parts = Text::join(parts.into_iter().flatten(), " and ");
            found.push(Difference::new(name, text!("{} {}", own(name), parts)));
        }
    }
    found
}
