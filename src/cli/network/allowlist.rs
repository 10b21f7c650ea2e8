//! `network allowlist`.

use std::collections::BTreeSet;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::wanted::{Wanted, warn};
use crate::cli::args::{Globals, word};
use crate::cli::out;
use crate::network::allowlist::{self, By, Format, LeftOut, Request};
use crate::network::catalogue::{COLLECTOR, Confidence, Endpoint};
use crate::problem::{Problem, id};
use crate::report::{SCHEMA, visible};
use crate::text;
use crate::text::{Text, own};

pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<(), Problem> {
    // `Globals` has looked at the word.
    let format = Format::parse(&globals.word).unwrap_or(Format::Markdown);
    let exclusions = matches.get_flag("decrypt-exclusions");
    if exclusions && !format.has_exclusions() {
        let others: Vec<&str> =
            Format::ALL.into_iter().filter(|format| format.has_exclusions()).map(Format::as_str).collect();
        let message = text!(
            "--format {} has no place for --decrypt-exclusions: that product is not told what to decrypt",
            own(format.as_str())
        );
        return Err(Problem::settings(id::USAGE, message)
            .hint(text!("the list is for those that decrypt: {}", own(others.join(", ")))));
    }
    let by = by(format, word(matches, "by"), exclusions)?;
    let bare = matches.get_flag("no-comments");
    if bare && format.product().is_none() {
        let message = text!("--format {} has no comments", own(format.as_str()));
        return Err(Problem::settings(id::USAGE, message).hint("leave --no-comments out"));
    }
    let mut wanted = Wanted::new(globals, matches)?;
    // No rule can be made for a Collector that nobody has named.
    let before = wanted.endpoints.len();
    wanted.endpoints.retain(|endpoint| endpoint.host != COLLECTOR);
    if wanted.endpoints.len() < before {
        warn("the ports of the Collector are not in the result: name its host with --collector");
    }
    wanted.say_missing();
    let request = Request {
        catalogue: &wanted.catalogue,
        endpoints: &wanted.endpoints,
        flags: &wanted.flags,
        concrete: matches.get_flag("concrete"),
        exclusions,
        by,
        bare,
    };
    if format == Format::Json {
        let mut result = json!({"schema": SCHEMA, "command": "network allowlist"});
        if let (Value::Object(result), Value::Object(body)) = (&mut result, allowlist::json(&request)) {
            result.extend(body);
        }
        out::json(&result);
        return Ok(());
    }
    let rendered = allowlist::render(format, &request);
    out::result(&rendered.text);
    if exclusions && !wanted.endpoints.iter().any(|endpoint| endpoint.must_not_be_decrypted()) {
        warn("nothing here must stay undecrypted; the agent's connections are called for by --agent-region");
    }
    left_out(globals, format, &rendered.left_out);
    unproven(globals, &wanted.endpoints);
    Ok(())
}

/// By name or by address, as far as the product can.
fn by(format: Format, word: Option<&str>, exclusions: bool) -> Result<Option<By>, Problem> {
    let Some(word) = word else { return Ok(None) };
    let by = if word == "address" { By::Address } else { By::Name };
    let able = |format: &Format| format.product().is_some_and(|product| product.can(by));
    let refused = |message: Text, hint: Text| Err(Problem::settings(id::USAGE, message).hint(hint));
    if !able(&format) {
        let others: Vec<&str> = Format::ALL.into_iter().filter(able).map(Format::as_str).collect();
        let message = text!("--format {} has no rules by {}", own(format.as_str()), own(word.to_owned()));
        return refused(message, text!("those that have: {}", own(others.join(", "))));
    }
    if exclusions && by == By::Address {
        let message = "--decrypt-exclusions is a list of names: what is decrypted is told by the name in TLS";
        return refused(message.into(), "leave --by out".into());
    }
    Ok(Some(by))
}

/// Names that stand in the list and are not known for sure: a strict team leaves them out, and has to be told.
fn unproven(globals: &Globals, endpoints: &[Endpoint]) {
    let general =
        endpoints.iter().filter(|endpoint| endpoint.confidence == Confidence::General && !endpoint.is_link_local());
    let names: BTreeSet<String> = general.map(|endpoint| format!("{}:{}", endpoint.shown(), endpoint.port)).collect();
    if names.is_empty() || globals.quiet {
        return;
    }
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    warn(&format!("not the vendor's word but general knowledge (without them: --confidence verified): {names}"));
}

/// What the product cannot express, where it is seen even if the result goes into a file.
fn left_out(globals: &Globals, format: Format, left_out: &[LeftOut]) {
    if left_out.is_empty() {
        return;
    }
    warn(&format!("{} connections are not in the result, which {} cannot express:", left_out.len(), format.as_str()));
    if !globals.quiet {
        let lines = left_out.iter().map(|left| visible(&format!("  {}: {}", left.what, left.why)) + "\n");
        out::message(&lines.collect::<String>());
    }
}
