//! `network explain --as`: why the requests of one consumer go the way that they go.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::args::Globals;
use crate::cli::{ask, out};
use crate::clients::Target;
use crate::consumers::{Known, Who};
use crate::context::{HostContext, Inputs, Intent};
use crate::host::HostRead;
use crate::problem::{Problem, id};
use crate::product;
use crate::redact::Redactor;
use crate::report::{Paint, SCHEMA, diff_text, line, visible};
use crate::routes::{Edit, Explained, Row, Site, explain};
use crate::text;
use crate::text::{ics_setup, own, typed};

/// Runs it. `consumer`: its id, perhaps with a part behind a colon: `login:ssh`, `prod-env:worker`.
///
/// # Errors
/// A consumer that nobody knows, or that is not on this host; settings that are wrong.
pub(super) fn run(
    globals: &Globals,
    host: &dyn HostRead,
    mut inputs: Inputs,
    target: &Target,
    consumer: &str,
) -> Result<(), Problem> {
    let (name, part) = consumer.split_once(':').map_or((consumer, None), |(name, part)| (name, Some(part)));
    let known: Vec<&str> = Who::NAMES.iter().copied().filter(|name| *name != Who::Container.as_str()).collect();
    let who = Who::parse(name).filter(|who| *who != Who::Container).ok_or_else(|| {
        let problem = Problem::settings(id::USAGE, text!("--as: there is no consumer {:?}", name))
            .because(text!("consumers: {}", own(known.join(", "))));
        if product::Known::get().service(name).is_some() {
            return problem.hint(text!("it is a service of the product: {}", typed(text!("--as prod-env:{}", name))));
        }
        match crate::text::nearest(name, known.iter().copied()) {
            Some(near) => problem.hint(text!("did you mean {}?", own(near))),
            None => problem.hint("containers get what prod-env and docker-client give to them"),
        }
    })?;
    let mut context = HostContext::load(host, &inputs, Intent::Show)?;
    let (settings, _) = context.settings(&mut inputs, &globals.ignored, &mut |spec| ask::secret(globals, spec))?;
    let mut redactor = Redactor::default();
    context.found.secrets().chain(&settings.secrets).for_each(|secret| redactor.learn(secret));
    let site = Site {
        host: &context.view,
        platform: context.platform.as_ref(),
        home: &settings.home,
        layers: &context.layers,
        direct: &settings.direct,
    };
    let explained = explain(&site, (who, part), target, &settings.proxies).map_err(|why| {
        Problem::settings(id::USAGE, text!("--as {}: {}", own(consumer.to_owned()), why))
            .hint(text!("who there is, and what each gets: {}", ics_setup("check proxy")))
    })?;
    if globals.json {
        out::json(&as_json(&site, &explained, target, &redactor));
    } else {
        out::result(&human(&site, &explained, target, &redactor, Paint(globals.color)));
    }
    Ok(())
}

fn as_json(site: &Site<'_>, explained: &Explained, target: &Target, redactor: &Redactor) -> Value {
    let clients: Vec<Value> = explained
        .ways
        .iter()
        .map(|(client, taken)| {
            json!({
                "client": client.id, "name": client.name, "route": taken.way.as_str(), "proxy": taken.via,
                "decided_by": taken.rule, "at": taken.at,
            })
        })
        .collect();
    let chain: Vec<Value> = explained
        .chain
        .iter()
        .map(|link| json!({"path": link.path, "line": link.line, "text": line(redactor, &link.text)}))
        .collect();
    let also = |row: &Row| {
        json!({
            "consumer": row.who.as_str(), "client": row.client.id, "url": row.target.to_string(),
            "before": row.before.way.as_str(), "after": row.after.way.as_str(),
        })
    };
    let edit = explained.edit.as_ref().ok().map(|edit| {
        json!({
            "path": shown(site, edit), "line": edit.line,
            "says": line(redactor, &edit.says), "diff": diff_text(redactor, &edit.change), "after": edit.own.after.way.as_str(),
            "also_changes": edit.also.iter().map(also).collect::<Vec<_>>(),
            "cut_short": edit.cut_short,
        })
    });
    json!({
        "schema": SCHEMA,
        "command": "network explain",
        "url": target.to_string(),
        "as": {"consumer": explained.who.as_str(), "name": line(redactor, &explained.name), "known": explained.known.as_str()},
        "others": explained.others,
        "clients": clients,
        "chain": chain,
        "edit": edit,
        "no_edit": explained.edit.as_ref().err(),
    })
}

fn human(site: &Site<'_>, explained: &Explained, target: &Target, redactor: &Redactor, paint: Paint) -> String {
    let Some((first, taken)) = explained.ways.first() else { return String::new() };
    let way = taken.via.as_deref().map_or_else(|| taken.way.as_str().to_owned(), |via| format!("proxy {via}"));
    let name = line(redactor, &explained.name);
    let mut text = format!("{target} as {name}, by {}: {}\n", first.id, paint.bold(&visible(&way)));
    let known = if explained.known == Known::Asked { "it was asked" } else { "by its files" };
    let _ = writeln!(text, "\nbecause ({known})");
    for link in &explained.chain {
        let place = match (&link.path, link.line) {
            (Some(path), Some(number)) => format!("{path}:{number}  "),
            (Some(path), None) => format!("{path}  "),
            (None, _) => String::new(),
        };
        let _ = writeln!(text, "  {}{}", paint.faint(&visible(&place)), line(redactor, &link.text));
    }
    let (same, others): (Vec<_>, Vec<_>) = explained.ways.iter().skip(1).partition(|(_, own)| own.is_same(taken));
    if !same.is_empty() {
        let same: Vec<&str> = same.iter().map(|(client, _)| client.id.as_str()).collect();
        let _ = writeln!(text, "  the same way go {}", same.join(", "));
    }
    for (client, own) in others {
        let way = own.via.as_deref().unwrap_or(own.way.as_str());
        let _ = writeln!(text, "  another way goes {}: {} ({})", client.id, visible(way), visible(own.cause()));
    }
    match &explained.edit {
        Ok(edit) => {
            let beside = match edit.also.len() {
                0 => "no other way changes".to_owned(),
                1 => format!("1 other way changes: {}", also(&edit.also, redactor)),
                more => format!("{more} other ways change: {}", also(&edit.also, redactor)),
            };
            let smallest = if edit.cut_short {
                "the smallest edit of those that there was time for,"
            } else {
                "the smallest edit"
            };
            let _ = write!(
                text,
                "\n{smallest} that makes it {}; {beside}\n  {}:{}  {}\n{}",
                edit.own.after.way.as_str(),
                visible(&shown(site, edit)),
                edit.line,
                line(redactor, &edit.says),
                visible_lines(&diff_text(redactor, &edit.change))
            );
        }
        Err(why) => {
            let _ = writeln!(text, "\nno single edit turns it: {why}");
        }
    }
    if !explained.others.is_empty() {
        let _ = writeln!(text, "\nothers get it otherwise: --as {}", visible(&explained.others.join(", --as ")));
    }
    text
}

fn visible_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", visible(line))).collect()
}

/// The file as a person on this machine looks it up.
fn shown(site: &Site<'_>, edit: &Edit) -> String {
    site.host.host.shown(&edit.change.path).display().to_string()
}

/// The first of them, those of one consumer together.
fn also(rows: &[Row], redactor: &Redactor) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for row in rows {
        let (name, host) = (line(redactor, &row.name), visible(&row.target.host.to_string()));
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, hosts)) if hosts.contains(&host) => {}
            Some((_, hosts)) => hosts.push(host),
            None => groups.push((name, vec![host])),
        }
    }
    let told = groups.into_iter().map(|(name, hosts)| {
        let more = hosts.len().saturating_sub(3);
        let named = hosts.into_iter().take(3).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{name} to {named} and {more} more") } else { format!("{name} to {named}") }
    });
    told.collect::<Vec<_>>().join("; ")
}
