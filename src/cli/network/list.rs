//! `network list`.

use clap::ArgMatches;
use serde_json::json;

use super::wanted::Wanted;
use crate::cli::args::Globals;
use crate::cli::out;
use crate::network::catalogue::Endpoint;
use crate::network::table;
use crate::problem::Problem;
use crate::report::{SCHEMA, visible};

pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<(), Problem> {
    let wanted = Wanted::new(globals, matches)?;
    wanted.say_missing();
    let endpoints: Vec<&Endpoint> = wanted.endpoints.iter().collect();
    match globals.word.as_str() {
        "json" => {
            let rows = table::json_rows(&endpoints);
            out::json(&json!({"schema": SCHEMA, "command": "network list", "endpoints": rows}));
        }
        "csv" => out::result(&table::csv(&endpoints)),
        "markdown" => out::result(&table::markdown(&endpoints)),
        _ => {
            let lines: Vec<String> = table::human(&endpoints).lines().map(visible).collect();
            out::result(&format!("{}\n{}", lines.join("\n"), summary(&wanted, matches.get_flag("all"))));
        }
    }
    Ok(())
}

fn summary(wanted: &Wanted, all: bool) -> String {
    let more = if all || wanted.endpoints.len() >= wanted.catalogue.endpoints.len() {
        String::new()
    } else {
        format!(
            " of {} (--all); --agent-region and --collector call for the agent's, --clouds names the clouds",
            wanted.catalogue.endpoints.len()
        )
    };
    format!("\n{} connections{more}; facts of {}\n", wanted.endpoints.len(), wanted.catalogue.date)
}
