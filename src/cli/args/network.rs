//! The command line of `network`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};

use super::settings::{switch, with_settings};
use crate::network::allowlist::Format;
use crate::network::catalogue::Component;

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
pub(super) fn command() -> Command {
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
                    switch("decrypt-exclusions")
                        .help("The list of TLS connections that must not be decrypted, instead"),
                )
                .arg(switch("concrete").help("Single names instead of the vendor's optional wildcards")),
        )))
        .subcommand(with_settings(
            Command::new("explain")
                .about("Which clients would ask the proxy for a URL, which go direct, and what decides")
                .arg(Arg::new("url").value_name("URL").required(true).help("An http:// or https:// URL")),
        ))
}

/// The words for `--format` of a verb below `network`.
pub(super) fn formats(verb: &str) -> Option<Vec<&'static str>> {
    match verb {
        "list" => Some(vec!["human", "json", "csv", "markdown"]),
        "allowlist" => Some(Format::ALL.map(Format::as_str).to_vec()),
        _ => None,
    }
}

fn with_filters(command: Command) -> Command {
    let filter = |arg: Arg| arg.help_heading("Which connections");
    let words = |words: &[&'static str]| PossibleValuesParser::new(words.iter().copied());
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
