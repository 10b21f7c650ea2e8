//! `network explain`: which way requests go, client by client.

use std::fmt::Write as _;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::as_consumer;
use crate::cli::args::{Globals, word};
use crate::cli::machine;
use crate::cli::out;
use crate::cli::settings::effective_of;
use crate::clients::{self, Client, Route, Target};
use crate::problem::{Problem, id};
use crate::redact;
use crate::report::{Paint, SCHEMA, visible};
use crate::settings::{Key, NoProxy};
use crate::targets;
use crate::text;
use crate::text::typed;

/// Runs the verb.
///
/// # Errors
/// A text that is no URL, settings that are wrong.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<(), Problem> {
    let url = word(matches, "url").unwrap_or_default();
    // The text may hold a password, so it is not repeated.
    let target = Target::parse(url).map_err(|error| {
        Problem::settings(id::USAGE, text!("network explain takes a URL: {}", error))
            .hint(typed("ics-setup network explain https://backoffice.divvycloud.com/"))
    })?;
    let host = machine::to_look(globals)?;
    let mut inputs = machine::inputs(globals, matches)?;
    if let Some(consumer) = word(matches, "as") {
        return as_consumer::run(globals, &host, inputs, &target, consumer);
    }
    let typed = inputs.list_as_typed();
    let settings = effective_of(globals, &host, inputs)?;
    let proxy = if target.tls { &settings.proxies.https } else { &settings.proxies.http };
    let proxy = proxy.as_ref().map(|proxy| (proxy.value.masked(), proxy.origin.to_string()));
    let list = targets::no_proxy(&settings);
    // What was typed is explained as it stands: clients differ about blanks, quotes and separators.
    let as_read = match typed {
        Some((Key::ProxyNoProxyOnly, typed)) => typed.value,
        Some((_, typed)) if list.is_empty() => typed.value,
        Some((_, typed)) => {
            let given = NoProxy::found(&typed.value);
            let others: Vec<&str> = list.members().filter(|member| !given.contains(member)).collect();
            [others.join(","), typed.value].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(",")
        }
        None => list.to_string(),
    };
    let no_proxy = redact::list(&as_read);
    let routes = clients::all().iter().map(|client| (client, client.route(&target, &as_read))).collect();
    let explained = Explained { target, proxy, no_proxy, routes };
    if globals.json {
        out::json(&explained.json());
    } else {
        out::result(&explained.human(Paint(globals.color)));
    }
    Ok(())
}

/// What the clients do with one URL.
struct Explained<'a> {
    target: Target,
    /// The proxy for such a URL as it may be shown, and who says so.
    proxy: Option<(String, String)>,
    /// The list as it may be shown.
    no_proxy: String,
    routes: Vec<(&'a Client, Route)>,
}

impl Explained<'_> {
    fn json(&self) -> Value {
        let clients: Vec<Value> = self
            .routes
            .iter()
            .map(|(client, route)| {
                json!({
                    "client": client.id,
                    "name": client.name,
                    "route": route.as_str(),
                    "decided_by": redact::list(route.decided_by()),
                })
            })
            .collect();
        json!({
            "schema": SCHEMA,
            "command": "network explain",
            "url": self.target.to_string(),
            "proxy": self.proxy.as_ref().map(|(url, _)| url),
            "no_proxy": self.no_proxy,
            "clients": clients,
        })
    }

    fn human(&self, paint: Paint) -> String {
        let mut text = format!("{}\n", self.target);
        let proxy = match &self.proxy {
            Some((url, origin)) => format!("{url} ({origin})"),
            None => "none is set for such a URL: everything goes direct. With one, it would be so:".to_owned(),
        };
        let no_proxy = if self.no_proxy.is_empty() { "(empty)" } else { &self.no_proxy };
        let _ = writeln!(text, "proxy     {}\nno_proxy  {}\n", visible(&proxy), visible(no_proxy));
        let width = self.routes.iter().map(|(client, _)| client.id.len()).max().unwrap_or(0);
        for (client, route) in &self.routes {
            let code = match route {
                Route::Proxy { .. } => "36",
                Route::Direct(_) => "33",
                Route::Error { .. } => "31",
            };
            let word = paint.with(code, &format!("{:6}", route.as_str()));
            let _ = writeln!(text, "{:width$}  {word}  {}", client.id, visible(&redact::list(route.decided_by())));
        }
        text
    }
}
