//! `network list|allowlist|explain`.

mod allowlist;
mod explain;
mod list;

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::args::{Globals, flags, with_settings};
use super::exit::Exit;
use super::inputs::{Inputs, bounded};
use super::{machine, out, sudo};
use crate::network::allowlist::Format;
use crate::network::catalogue::{Catalogue, Component, Endpoint, EndpointNeeds, all, required_endpoints};
use crate::problem::{Problem, id};
use crate::redact::Redactor;

const LIST_HELP: &str = "\
Formats: human, json, csv, markdown

An entry of --endpoints FILE (an entry with the same component, region, host and port as one that is known changes it;
remove = true takes it away; any other is added):
  [region]
  aps2 = { name = \"India\", aws = \"ap-south-2\" }
  [[endpoint]]
  component = \"agent\"          # product, install, agent, collector, agent-to-collector
  region = \"aps2\"              # left out: everywhere
  host = \"aps2.endpoint.ingress.rapid7.com\"
  port = 443
  purpose = \"messages and beacons\"
  static_ips = [\"192.0.2.1\"]   # or \"none\": documented as having none; left out: unknown
  interception = \"fail\"        # must not be decrypted; left out: warn
Further keys: wildcard, representative, protocol, confidence, source, date, needed_by, required, when, path, direct.

Examples:
  ics-setup network list
  ics-setup network list --agent-region eu --collector collector.corp.example --required
  ics-setup network list --all --format csv > endpoints.csv";

const ALLOWLIST_HELP: &str = "\
Formats:
  by name     squid, aws-network-firewall and azure-firewall (Terraform), paloalto, fortigate
  by address  nftables, iptables, firewalld, ufw, aws-sg (Terraform); what has no static addresses is named in
              comments and on standard error
  tables      csv, json, markdown

--decrypt-exclusions prints the other list: what a proxy or firewall must not decrypt. For squid, azure-firewall,
paloalto, fortigate and the tables.

Examples:
  ics-setup network allowlist --format squid --agent-region us > /etc/squid/conf.d/ics-setup.conf
  ics-setup network allowlist --format squid --agent-region us --decrypt-exclusions
  ics-setup network allowlist --format markdown --agent-region eu --collector collector.corp.example";

/// The verb's command line.
pub fn command() -> Command {
    Command::new("network")
        .about("Outbound connections: list, rules for firewalls, which way")
        .subcommand_required(true)
        .subcommand(with_settings(with_filters(
            Command::new("list").about("Every connection that the settings call for").after_help(LIST_HELP),
        )))
        .subcommand(with_settings(with_filters(
            Command::new("allowlist")
                .about("The same as rules for a proxy or firewall: --format squid, nftables, aws-sg …")
                .after_help(ALLOWLIST_HELP)
                .arg(
                    Arg::new("decrypt-exclusions")
                        .long("decrypt-exclusions")
                        .action(ArgAction::SetTrue)
                        .help("The list of TLS connections that must not be decrypted, instead"),
                )
                .arg(
                    Arg::new("concrete")
                        .long("concrete")
                        .action(ArgAction::SetTrue)
                        .help("Single names instead of the vendor's optional wildcards"),
                ),
        )))
        .subcommand(with_settings(
            Command::new("explain")
                .about("Which clients would ask the proxy for a URL, which go direct, and what decides")
                .arg(Arg::new("url").value_name("URL").required(true).help("An http:// or https:// URL")),
        ))
}

/// The words for `--format` of a verb below `network`.
pub fn formats(verb: &str) -> Option<Vec<&'static str>> {
    match verb {
        "list" => Some(vec!["human", "json", "csv", "markdown"]),
        "allowlist" => Some(Format::ALL.map(Format::as_str).to_vec()),
        _ => None,
    }
}

fn with_filters(command: Command) -> Command {
    let filter = |arg: Arg| arg.help_heading("Which connections");
    let words = |words: &[&'static str]| PossibleValuesParser::new(words.iter().copied());
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    command
        .arg(filter(switch("all").help("All that are known, whatever the settings call for")))
        .arg(filter(
            Arg::new("component")
                .long("component")
                .value_name("NAME")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .value_parser(words(&Component::ALL.map(Component::as_str)))
                .help("Only of these; may be repeated"),
        ))
        .arg(filter(
            Arg::new("region")
                .long("region")
                .value_name("REGION")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .help("Only of these data regions (any: of none); may be repeated"),
        ))
        .arg(filter(
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .value_parser(clap::value_parser!(u16).range(1..))
                .help("Only to these ports; may be repeated"),
        ))
        .arg(filter(switch("required").help("Only what is needed in every case")))
        .arg(filter(switch("optional").conflicts_with("required").help("Only what is needed in some cases")))
        .arg(filter(
            Arg::new("needed-by")
                .long("needed-by")
                .value_name("WHO")
                .value_parser(words(&["server", "browser"]))
                .help("Only what servers need, or only what the browsers of users need"),
        ))
        .arg(filter(
            Arg::new("endpoints")
                .long("endpoints")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("TOML file that adds and changes regions and connections; see network list --help"),
        ))
}

/// Runs the verb.
pub fn run(globals: &Globals, matches: &ArgMatches) -> Exit {
    let (verb, result) = match matches.subcommand() {
        Some(("list", matches)) => ("network list", list::run(globals, matches)),
        Some(("allowlist", matches)) => ("network allowlist", allowlist::run(globals, matches)),
        Some(("explain", matches)) => ("network explain", explain::run(globals, matches)),
        // clap lets nothing else through.
        _ => return Exit::Usage,
    };
    match result {
        Ok(()) => Exit::Done,
        Err(problem) => {
            let problem = if problem.id == id::NEEDS_ROOT { sudo::with_line(problem, &globals.argv) } else { problem };
            out::failed(globals, verb, &problem, &Redactor::default())
        }
    }
}

/// The catalogue, and the endpoints that are wanted of it.
struct Wanted {
    catalogue: Catalogue,
    endpoints: Vec<Endpoint>,
}

impl Wanted {
    fn new(globals: &Globals, matches: &ArgMatches) -> Result<Self, Problem> {
        let catalogue = catalogue(matches)?;
        // Whatever they leave out: a wrong setting is said, not passed over.
        let calls = calls(globals, matches, &catalogue)?;
        let chosen = if matches.get_flag("all") { all } else { required_endpoints };
        let mut endpoints = chosen(&catalogue, &calls);
        filter(matches, &catalogue, &mut endpoints)?;
        Ok(Self { catalogue, endpoints })
    }
}

/// The catalogue, with `--endpoints` laid over it.
///
/// # Errors
/// A file that cannot be read or is no catalogue.
pub fn catalogue(matches: &ArgMatches) -> Result<Catalogue, Problem> {
    let Some(path) = matches.get_one::<PathBuf>("endpoints") else { return Ok(Catalogue::shipped()) };
    Catalogue::with(&text(path)?, path)
}

fn text(path: &Path) -> Result<String, Problem> {
    let unreadable = |cause: String| {
        Problem::settings("endpoints-unreadable", format!("--endpoints {} could not be read", path.display()))
            .because(cause)
            .hint("what the file looks like: ics-setup network list --help")
    };
    let bytes = std::fs::File::open(path).and_then(bounded).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".to_owned()))
}

fn calls(globals: &Globals, matches: &ArgMatches, catalogue: &Catalogue) -> Result<EndpointNeeds, Problem> {
    let host = machine::to_look(globals)?;
    let layers = Inputs::new(globals, flags(matches)?)?.layers(&host)?;
    EndpointNeeds::of(&layers, catalogue)
}

fn filter(matches: &ArgMatches, catalogue: &Catalogue, endpoints: &mut Vec<Endpoint>) -> Result<(), Problem> {
    let words = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned().collect::<Vec<_>>();
    let (components, regions) = (words("component"), words("region"));
    if let Some(unknown) = regions
        .iter()
        .find(|region| *region != crate::network::catalogue::ANY && !catalogue.regions.contains_key(*region))
    {
        let all: Vec<&str> = catalogue.regions.keys().map(String::as_str).collect();
        return Err(Problem::settings(id::USAGE, format!("--region: there is no region {unknown:?}"))
            .because(format!("regions: any, {}", all.join(", "))));
    }
    let ports: Vec<u16> = matches.get_many::<u16>("port").into_iter().flatten().copied().collect();
    let needed_by = matches.get_one::<String>("needed-by");
    endpoints.retain(|endpoint| {
        (components.is_empty() || components.iter().any(|word| word == endpoint.component.as_str()))
            && (regions.is_empty() || regions.contains(&endpoint.region))
            && (ports.is_empty() || ports.contains(&endpoint.port))
            && (!matches.get_flag("required") || endpoint.required)
            && (!matches.get_flag("optional") || !endpoint.required)
            && needed_by.is_none_or(|word| word == endpoint.needed_by.as_str())
    });
    Ok(())
}
