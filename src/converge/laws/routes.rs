//! The laws of ways: those of a plan are those that are observed after it, an empty plan turns none, and an edit that is advised
//! turns its way and, beside it, exactly those that it names.

use std::collections::{BTreeMap, BTreeSet};

use super::{hold, hosts, inputs, picture, run, take_back};
use crate::clients::Target;
use crate::consumers::Who;
use crate::context::{HostContext, Intent};
use crate::finding::Ignored;
use crate::host::{Attributes, HostRead, MemoryHost};
use crate::plan::After;
use crate::routes::{Routes, Site, explain};
use crate::settings::Settings;

/// What is asked for by the edits that are tried.
const URLS: [&str; 3] = ["https://sts.amazonaws.com/", "http://wiki.intra.example/", "https://download.docker.com/"];

/// Calls `work` with a host as it is.
fn with_site<T>(host: &MemoryHost, work: impl FnOnce(&Site<'_>, &Settings) -> T) -> T {
    let (mut inputs, ignored) = (inputs(&[]), Ignored::default());
    let mut known = HostContext::load(host, &inputs, Intent::Show).unwrap();
    let (settings, _) = known.settings(&mut inputs, &ignored, &mut |_| Ok(None)).unwrap();
    let site = Site {
        host: &known.view,
        platform: known.platform.as_ref(),
        home: &settings.home,
        layers: &known.layers,
        direct: &settings.direct,
    };
    work(&site, &settings)
}

/// A way: who reads, client, URL.
type Key = (String, &'static str, String);

/// What each reader's ways are, before and after.
fn ways(routes: &Routes) -> BTreeMap<Key, (String, String)> {
    let side = |taken: &crate::routes::Taken| format!("{} {:?} {:?}", taken.way.as_str(), taken.via, taken.spoken());
    let of_readers = |row: &'_ crate::routes::Row| {
        let (client, url) = (row.client.id.as_str(), row.target.to_string());
        let both = (side(&row.before), side(&row.after));
        let key = |reader: String| ((format!("{} {reader}", row.who.as_str()), client, url.clone()), both.clone());
        row.readers().map(key).collect::<Vec<_>>()
    };
    // What is in no catalogue is told only where it turns.
    routes.rows.iter().filter(|row| row.endpoint.is_some()).flat_map(of_readers).collect()
}

/// As the host is now: nothing is changed.
fn now(host: &MemoryHost) -> Routes {
    with_site(host, |site, _| site.foretell(&site.observe(&[], None), None))
}

fn of_plan(number: u64) -> Vec<String> {
    let host = hosts::host(number);
    let mut found = Vec::new();
    let still = now(&host);
    found.extend(still.changed().map(|row| format!("an empty plan turns {}: {:?}", row.name, row.target.to_string())));
    let (planned, context) = run(&host, true);
    if planned.is_err() {
        return found;
    }
    let foretold = ways(&context.routes);
    let (before, old) = (ways(&still), picture(&host));
    assert!(!foretold.is_empty(), "host {number} has ways");
    for (way, (then, _)) in &foretold {
        if before.get(way).is_some_and(|(was, _)| was != then) {
            found.push(format!("before: {way:?} is {:?}, foretold from {then}", before.get(way)));
        }
    }
    if run(&host, false).0.is_err() {
        return found;
    }
    let after = ways(&now(&host));
    let is_there = |taken: &String| !taken.starts_with("none");
    for (way, (_, then)) in &foretold {
        match after.get(way) {
            Some((is, _)) if is == then => {}
            None if !is_there(then) => {}
            is => found.push(format!("after: {way:?} is {is:?}, was foretold {then}")),
        }
    }
    let missing = after.iter().filter(|(way, (taken, _))| is_there(taken) && !foretold.contains_key(*way));
    found.extend(missing.map(|(way, _)| format!("after: {way:?} was not foretold")));
    // A plan that changes no file tells the ways as they are, and turns none.
    let again = run(&host, true).1;
    if again.plan.is_empty() {
        let still: BTreeMap<Key, (String, String)> = ways(&again.routes);
        found.extend(
            still.iter().filter(|(_, (then, now))| then != now).map(|(way, _)| format!("turned by nothing: {way:?}")),
        );
        let other = after.iter().filter(|(way, taken)| still.get(*way) != Some(taken));
        found.extend(other.map(|(way, taken)| format!("a second run: {way:?} is {:?}, not {taken:?}", still.get(way))));
    }
    if picture(&host) != old {
        take_back(&host).unwrap();
        let back = ways(&now(&host));
        found.extend(
            before
                .iter()
                .filter(|(way, taken)| back.get(*way) != Some(taken))
                .map(|(way, taken)| format!("taken back: {way:?} is {:?}, was {taken:?}", back.get(way))),
        );
    }
    found
}

/// The ways that are turned.
fn turned<'r>(rows: impl IntoIterator<Item = &'r crate::routes::Row>) -> BTreeSet<Key> {
    let of = |row: &'r crate::routes::Row| {
        let (client, url) = (row.client.id.as_str(), row.target.to_string());
        row.readers().map(|reader| (format!("{} {reader}", row.who.as_str()), client, url.clone())).collect::<Vec<_>>()
    };
    rows.into_iter().flat_map(of).collect()
}

fn of_edit(number: u64) -> Vec<String> {
    let host = hosts::host(number);
    let mut found = Vec::new();
    for (at, who) in Who::ALL.into_iter().enumerate().filter(|(_, who)| *who != Who::Container) {
        let url = URLS[(at + usize::try_from(number).unwrap()) % URLS.len()];
        let target = Target::parse(url).unwrap();
        let Ok(explained) = with_site(&host, |site, settings| explain(site, (who, None), &target, &settings.proxies))
        else {
            continue;
        };
        let Some((client, was)) = explained.ways.first() else { continue };
        if explained.chain.is_empty() {
            found.push(format!("{who:?} {url}: no cause"));
        }
        let Ok(edit) = &explained.edit else { continue };
        let Some(After { bytes, .. }) = &edit.change.after else { continue };
        let edited = hosts::host(number);
        let before = with_site(&edited, |site, _| site.observe(&[], None));
        let attributes = edit.change.before.as_ref().map(|before| before.attributes.clone());
        edited.put_with(
            edit.change.real_path.to_str().unwrap(),
            bytes,
            attributes.unwrap_or_else(|| Attributes::new(0o644, 0, 0)),
        );
        if edited.read(&edit.change.path).unwrap().as_ref() != Some(bytes) {
            found.push(format!("{who:?} {url}: {} is not what was to be written", edit.change.path.display()));
        }
        let (then, routes) = with_site(&edited, |site, settings| {
            let again = explain(site, (who, None), &target, &settings.proxies);
            let after = site.observe(&[], None);
            (again, site.ways(&before, &after))
        });
        let then = then.ok().and_then(|again| again.ways.into_iter().find(|(own, _)| own.id == client.id));
        if then.as_ref().is_none_or(|(_, then)| then.way != edit.own.after.way || then.way == was.way) {
            found.push(format!("{who:?} {url}: {was:?} becomes {then:?}, was to become {:?}", edit.own.after));
        }
        let told = turned(edit.also.iter().chain([&edit.own]));
        for other in turned(routes.changed()).difference(&told) {
            found.push(format!("{who:?} {url}: {other:?} changes and is not named"));
        }
    }
    found
}

#[test]
fn the_ways_of_a_plan_are_those_that_are_observed_after_it() {
    hold(|number| if number % 3 == 0 { of_plan(number) } else { Vec::new() });
}

#[test]
fn an_edit_turns_its_way_and_those_that_it_names() {
    hold(|number| if number % 6 == 1 { of_edit(number) } else { Vec::new() });
}

/// The law is about something.
#[test]
fn many_ways_have_an_edit_that_turns_them() {
    let mut edits: BTreeMap<&str, usize> = BTreeMap::new();
    for number in 0..30 {
        let host = hosts::host(number);
        for who in Who::ALL.into_iter().filter(|who| *who != Who::Container) {
            let target = Target::parse(URLS[0]).unwrap();
            let explained = with_site(&host, |site, settings| explain(site, (who, None), &target, &settings.proxies));
            if explained.is_ok_and(|own| own.edit.is_ok()) {
                *edits.entry(who.as_str()).or_default() += 1;
            }
        }
    }
    for who in ["login", "docker", "package-manager", "prod-env", "cron"] {
        assert!(edits.get(who).is_some_and(|count| *count > 2), "{who}: {edits:?}");
    }
}
