//! The command line of `network`.

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command};

use super::options::{choice, help, list, option, path, switch};
use super::settings::with_settings;
use crate::network::allowlist::Format;
use crate::network::catalogue::{Component, Confidence};

/// The verb's command line.
pub(super) fn command() -> Command {
    Command::new("network")
        .about("Outbound connections: list, rules for firewalls, which way")
        .subcommand_required(true)
        .subcommand(with_settings(with_filters(
            Command::new("list").about("Every connection that the settings call for").after_help(help!("network-list")),
        )))
        .subcommand(with_settings(with_filters(
            Command::new("allowlist")
                .about("The same as rules for a proxy or firewall: --format squid, nftables, aws-sg …")
                .after_help(help!("network-allowlist"))
                .arg(
                    switch("decrypt-exclusions")
                        .help("The list of TLS connections that must not be decrypted, instead"),
                )
                .arg(switch("concrete").help("Single names instead of the vendor's optional wildcards"))
                .arg(switch("no-comments").help("Nothing but what the product takes: for pasting"))
                .arg(
                    choice("by", "WHAT", ["name", "address"])
                        .help("Rules by name or by static address, where the product has both [default: by name]"),
                ),
        )))
        .subcommand(with_settings(
            Command::new("explain")
                .about("Which clients would ask the proxy for a URL, which go direct, and what decides")
                .after_help(help!("network-explain"))
                .arg(Arg::new("url").value_name("URL").required(true).help("An http:// or https:// URL"))
                .arg(
                    option("as", "CONSUMER")
                        .help("Why the requests of this consumer go that way, and the smallest edit that turns them"),
                ),
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
    let filters = [
        switch("all").help("All that are known, whatever the settings call for"),
        list("component", "NAME")
            .value_parser(PossibleValuesParser::new(Component::ALL.map(Component::as_str)))
            .help("Only of these; may be repeated"),
        list("region", "REGION").help("Only of these data regions (any: of none); may be repeated"),
        list("port", "PORT")
            .value_parser(clap::value_parser!(u16).range(1..))
            .help("Only to these ports; may be repeated"),
        switch("required").help("Only what is needed in every case"),
        switch("optional").conflicts_with("required").help("Only what is needed in some cases"),
        list("confidence", "WORD")
            .value_parser(PossibleValuesParser::new(Confidence::ALL.map(Confidence::as_str)))
            .help("Only what is known so well, as verified; may be repeated"),
        choice("needed-by", "WHO", ["server", "browser"])
            .help("Only what servers need, or only what the browsers of users need"),
        path("endpoints", "FILE")
            .help("TOML file that adds and changes regions and connections; see network list --help"),
    ];
    command.args(filters.map(|filter| filter.help_heading("Which connections")))
}
