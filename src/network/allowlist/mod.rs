//! The endpoints in the grammar of each firewall and proxy. Pure: the same endpoints give the same bytes.
//!
//! | module | what |
//! | --- | --- |
//! | `names` | one name, or everything below a domain |
//! | [`Product`] | how a product writes names, from data |
//! | [`entry`] | endpoints brought together into rules by name or by address |
//! | `page` | what the templates in `assets/allowlist` are given |
//! | `table` | CSV, JSON, Markdown |

pub(crate) mod entry;
mod names;
mod page;
mod product;
mod table;

use super::catalogue::{Catalogue, Endpoint, NeededBy, Protocol};
use crate::text::words::words;
use entry::{by_address, by_name};
use page::{Page, Rule};

pub(crate) use entry::LeftOut;
pub(crate) use product::{By, Product};
pub(crate) use table::body as json;

words! {
    /// A form of the list.
    pub(crate) enum Format {
        /// Part of a `squid.conf`.
        Squid = "squid",
        /// For `nft -f`.
        Nftables = "nftables",
        /// For `iptables-restore --noflush`.
        Iptables = "iptables",
        /// A policy of firewalld.
        Firewalld = "firewalld",
        /// Commands for ufw.
        Ufw = "ufw",
        /// Terraform: a security group.
        AwsSg = "aws-sg",
        /// Terraform: rule groups.
        AwsNetworkFirewall = "aws-network-firewall",
        /// Terraform: a rule collection group.
        AzureFirewall = "azure-firewall",
        /// `set` commands of PAN-OS.
        Paloalto = "paloalto",
        /// Commands of FortiOS.
        Fortigate = "fortigate",
        /// RFC 4180.
        Csv = "csv",
        /// For programs.
        Json = "json",
        /// For a change request.
        Markdown = "markdown",
    }
}

impl Format {
    /// The product's grammar; tables have none.
    pub(crate) fn product(self) -> Option<&'static Product> {
        Product::get(self.as_str())
    }

    /// Can it say what is not to be decrypted?
    pub(crate) fn has_exclusions(self) -> bool {
        self.product().is_none_or(|product| product.decrypt)
    }
}

/// What is to be rendered.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// Where the endpoints are from.
    pub catalogue: &'a Catalogue,
    /// The endpoints that were asked for.
    pub endpoints: &'a [Endpoint],
    /// What of the command line asks for them, a blank in front of each flag.
    pub flags: &'a str,
    /// Names of their own instead of the vendor's optional wildcards.
    pub concrete: bool,
    /// The list of what is not to be decrypted, instead of the list of what is to be let through.
    pub exclusions: bool,
    /// By name or by address; `None`: as the product usually does.
    pub by: Option<By>,
    /// Without comments.
    pub bare: bool,
}

/// The text, and what it does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    /// To be loaded into the product.
    pub text: String,
    /// What the product cannot express; the text says so too, as comments.
    pub left_out: Vec<LeftOut>,
}

/// Renders the list.
pub(crate) fn render(format: Format, request: &Request<'_>) -> Rendered {
    let Some(product) = format.product() else { return table::render(format, request) };
    let list = List { format, product, request, endpoints: request.wanted() };
    let (rules, left_out) = match request.by.unwrap_or(product.by) {
        By::Address => list.rules_by_address(),
        By::Name => list.rules_by_name(),
    };
    let (top, below) = list.header(&left_out);
    let page = Page { top, below, exclusions: request.exclusions, rules };
    match page::text(format, page) {
        Some(text) if request.bare => Rendered { text: without_comments(&text), left_out },
        Some(text) => Rendered { text, left_out },
        None => table::render(format, request),
    }
}

/// The same without comments, which every product has on lines of their own, and without the gaps that they leave.
fn without_comments(text: &str) -> String {
    let mut bare = String::new();
    for line in text.lines() {
        let words = line.trim_start();
        let is_comment = words.starts_with('#') || (words.starts_with("<!--") && words.ends_with("-->"));
        let is_gap = words.is_empty() && (bare.is_empty() || bare.ends_with("\n\n"));
        if !is_comment && !is_gap {
            bare.push_str(line);
            bare.push('\n');
        }
    }
    bare
}

impl Request<'_> {
    /// What of the endpoints belongs on the list: nothing that stays on the host's own link; on the list of exclusions
    /// only what a foreign certificate breaks and what passes those who decrypt.
    fn wanted(&self) -> Vec<&Endpoint> {
        self.endpoints
            .iter()
            .filter(|endpoint| !endpoint.is_link_local())
            .filter(|endpoint| !self.exclusions || endpoint.must_not_be_decrypted())
            .collect()
    }
}

/// One list for one product.
struct List<'a> {
    format: Format,
    product: &'a Product,
    request: &'a Request<'a>,
    endpoints: Vec<&'a Endpoint>,
}

impl<'a> List<'a> {
    /// The rules, and the endpoints that the product cannot express.
    fn rules_by_address(&self) -> (Vec<Rule<'a>>, Vec<LeftOut>) {
        let for_proxy = self.format == Format::Squid;
        let (direct, endpoints): (Vec<&Endpoint>, Vec<&Endpoint>) =
            self.endpoints.iter().partition(|endpoint| for_proxy && endpoint.direct);
        let (mut entries, mut left_out) = by_address(&endpoints);
        left_out.extend(direct.into_iter().map(|endpoint| LeftOut::new(endpoint, "reached without a proxy")));
        let why_not = match self.format {
            Format::Iptables => Some("which has ip6tables-restore of its own"),
            Format::Fortigate => Some("which has config firewall address6 of its own"),
            _ => None,
        };
        if let Some(why_not) = why_not {
            for entry in &entries {
                for block in entry.blocks.iter().filter(|block| !block.is_v4()) {
                    let why = format!("{block} is IPv6, {why_not}");
                    left_out.extend(entry.endpoints.iter().map(|endpoint| LeftOut::new(endpoint, why.clone())));
                }
            }
        }
        if self.format == Format::Fortigate {
            entries.iter_mut().for_each(|entry| entry.blocks.retain(|block| block.is_v4()));
            entries.retain(|entry| !entry.blocks.is_empty());
        }
        (entries.into_iter().map(Rule::by_address).collect(), left_out)
    }

    /// As [`Self::rules_by_address`].
    fn rules_by_name(&self) -> (Vec<Rule<'a>>, Vec<LeftOut>) {
        let for_proxy = self.format == Format::Squid;
        let (direct, endpoints): (Vec<&Endpoint>, Vec<&Endpoint>) =
            self.endpoints.iter().partition(|endpoint| for_proxy && endpoint.direct);
        let (mut entries, mut left_out) = by_name(&endpoints, self.product, self.request.concrete);
        left_out.extend(direct.into_iter().map(|endpoint| LeftOut::new(endpoint, "reached without a proxy")));
        entries.retain(|entry| {
            let why = match (self.format, entry.names.address(), entry.protocol) {
                (Format::Fortigate, Some(address), _) if address.is_ipv6() => {
                    "an IPv6 address: make it with config firewall address6"
                }
                (Format::AwsNetworkFirewall, Some(_), _) => {
                    "an address, which a domain list cannot hold: a stateful 5-tuple rule does"
                }
                (Format::AwsNetworkFirewall, None, Protocol::Tcp) => {
                    "neither TLS nor HTTP by a public name: a stateful 5-tuple rule does"
                }
                _ => return true,
            };
            left_out.extend(entry.endpoints.iter().map(|endpoint| LeftOut::new(endpoint, why)));
            false
        });
        (entries.into_iter().map(|entry| Rule::by_name(entry, self.product)).collect(), left_out)
    }

    /// What stands above the rules, before and behind the product's own notes: what this is and where its grammar is from;
    /// where the endpoints are from and what is not in it.
    fn header(&self, left_out: &[LeftOut]) -> (Vec<String>, Vec<String>) {
        let what = if self.request.exclusions {
            "TLS connections that must not be decrypted: the Insight platform refuses data behind another certificate"
        } else {
            "Outbound connections of InsightCloudSec, its installation and its agents"
        };
        let top = vec![
            format!("{what}, for {}.", self.product.name),
            format!(
                "ics-setup network allowlist --format {}{}{}{}; facts of {}.",
                self.format.as_str(),
                self.request.flags,
                if self.request.by == Some(By::Address) && self.product.by == By::Name { " --by address" } else { "" },
                if self.request.exclusions { " --decrypt-exclusions" } else { "" },
                self.request.catalogue.date
            ),
            format!("Grammar: {}, read {}.", self.product.source, self.product.date),
        ];
        let mut below = sources(self.request.catalogue, &self.endpoints);
        let local: Vec<&str> =
            self.request.endpoints.iter().filter(|endpoint| endpoint.is_link_local()).map(Endpoint::shown).collect();
        if !local.is_empty() && !self.request.exclusions {
            below.push(format!("Reached on the host's own link, so without a rule: {}", local.join(", ")));
        }
        if !left_out.is_empty() {
            below.push("Not in here:".to_owned());
            below.extend(left_out.iter().map(|left| format!("  {}: {}", left.what, left.why)));
        }
        (top, below)
    }
}

/// What the keys of the sources in use stand for.
fn sources(catalogue: &Catalogue, endpoints: &[&Endpoint]) -> Vec<String> {
    let used: Vec<&str> = endpoints.iter().flat_map(|endpoint| endpoint.source.split(", ")).collect();
    let told = catalogue.sources.iter().filter(|(key, _)| used.contains(&key.as_str()));
    let lines: Vec<String> = told.map(|(key, title)| format!("  {key}: {title}")).collect();
    if lines.is_empty() { lines } else { [vec!["Sources:".to_owned()], lines].concat() }
}

/// One line on one endpoint, for a comment.
fn remark(endpoint: &Endpoint) -> String {
    let mut line = format!("{}: {}", endpoint.shown(), endpoint.purpose);
    if let Some(when) = &endpoint.when {
        line.push_str(&format!("; only where {when}"));
    }
    if endpoint.needed_by == NeededBy::Browser {
        line.push_str("; for browsers, not for servers");
    }
    line.push_str(&format!(" ({}, {}, {})", endpoint.confidence.as_str(), endpoint.source, endpoint.date));
    line
}

/// As [`remark`], where the addresses are what counts.
fn remark_on_addresses(endpoint: &Endpoint) -> String {
    let line = remark(endpoint);
    if endpoint.static_ips_confidence == endpoint.confidence {
        return line;
    }
    format!("{line}; addresses: {}", endpoint.static_ips_confidence.as_str())
}

#[cfg(test)]
mod tests;
