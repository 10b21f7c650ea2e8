//! `network allowlist`.

use clap::ArgMatches;
use serde_json::{Value, json};

use super::wanted::Wanted;
use crate::cli::args::Globals;
use crate::cli::out;
use crate::network::allowlist::{self, Format, LeftOut, Request};
use crate::network::catalogue::COLLECTOR;
use crate::problem::{Problem, id};
use crate::report::{SCHEMA, visible};
use crate::text;
use crate::text::own;

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
    let mut wanted = Wanted::new(globals, matches)?;
    // No rule can be made for a Collector that nobody has named.
    let before = wanted.endpoints.len();
    wanted.endpoints.retain(|endpoint| endpoint.host != COLLECTOR);
    if wanted.endpoints.len() < before {
        warn("the ports of the Collector are not in the result: name its host with --collector");
    }
    let request = Request {
        catalogue: &wanted.catalogue,
        endpoints: &wanted.endpoints,
        concrete: matches.get_flag("concrete"),
        exclusions,
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
    Ok(())
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

fn warn(text: &str) {
    out::message(&format!("warning: {}\n", visible(text)));
}
