//! What the templates in `assets/allowlist` are given: rules in the groups and spellings that products ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use askama::Template;

use super::entry::{ByAddress, ByName};
use super::product::Product;
use super::{Format, remark, remark_on_addresses};
use crate::network::catalogue::{Block, Endpoint, Protocol};
use crate::text::hcl;

/// One list.
pub(super) struct Page<'a> {
    /// What this is: the lines above the product's notes.
    pub(super) top: Vec<String>,
    /// Where it is from and what is not in it: the lines below them.
    pub(super) below: Vec<String>,
    /// The list of what is not to be decrypted.
    pub(super) exclusions: bool,
    pub(super) rules: Vec<Rule<'a>>,
}

/// A rule by name or by address.
pub(super) struct Rule<'a> {
    /// What for, one line an endpoint.
    pub(super) remarks: Vec<String>,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    /// The names as the product spells them; the blocks in a rule by address.
    pub(super) spelled: Vec<String>,
    /// The name where it is an address.
    pub(super) address: Option<IpAddr>,
    /// None in a rule by name.
    pub(super) blocks: Vec<Block>,
    endpoints: Vec<&'a Endpoint>,
}

/// Rules of one port or protocol.
pub(super) struct Group<'r, 'a> {
    port: u16,
    protocol: Protocol,
    rules: Vec<&'r Rule<'a>>,
}

/// Addresses of one family for one port.
pub(super) struct Set {
    port: u16,
    v4: bool,
    blocks: Vec<Block>,
}

impl<'a> Rule<'a> {
    pub(super) fn by_name(entry: ByName<'a>, product: &Product) -> Self {
        Self {
            remarks: entry.endpoints.iter().map(|endpoint| remark(endpoint)).collect(),
            port: entry.port,
            protocol: entry.protocol,
            spelled: product.spell(&entry.names),
            address: entry.names.address(),
            blocks: Vec::new(),
            endpoints: entry.endpoints,
        }
    }

    pub(super) fn by_address(entry: ByAddress<'a>) -> Self {
        Self {
            remarks: entry.endpoints.iter().map(|endpoint| remark_on_addresses(endpoint)).collect(),
            port: entry.port,
            protocol: Protocol::Tcp,
            spelled: entry.blocks.iter().map(ToString::to_string).collect(),
            address: None,
            blocks: entry.blocks,
            endpoints: entry.endpoints,
        }
    }

    /// The blocks of one family.
    fn of(&self, v4: bool) -> Vec<Block> {
        self.blocks.iter().filter(|block| block.is_v4() == v4).copied().collect()
    }

    /// The blocks by family, IPv4 first.
    fn sets(&self) -> impl Iterator<Item = Set> {
        let sets = [true, false].map(|v4| Set { port: self.port, v4, blocks: self.of(v4) });
        sets.into_iter().filter(|set| !set.blocks.is_empty())
    }

    /// The first endpoint's name.
    fn host(&self) -> &str {
        self.endpoints.first().map_or("host", |endpoint| endpoint.host.as_str())
    }

    /// One word for an address, another one for a name.
    fn kind<'k>(&self, address: &'k str, name: &'k str) -> &'k str {
        if self.is_by_address() { address } else { name }
    }

    fn is_by_address(&self) -> bool {
        self.address.is_some() || !self.blocks.is_empty()
    }

    /// The objects that a product makes of it: what each is called by, and what it is.
    fn objects(&self) -> Vec<(String, String)> {
        if self.blocks.is_empty() {
            return vec![(self.host().to_owned(), self.target())];
        }
        self.spelled.iter().map(|block| (block.clone(), block.clone())).collect()
    }

    /// The spellings, each with its network where it is an address: a single one has a prefix too.
    fn subnets(&self) -> Vec<(&str, Option<String>)> {
        let address = self.address.map(Block::from);
        let blocks = self.blocks.iter().copied().map(Some).chain(std::iter::repeat(address));
        self.spelled.iter().zip(blocks).map(|(name, block)| (name.as_str(), block.map(|own| own.cidr()))).collect()
    }

    /// The address, or the first endpoint's name.
    fn target(&self) -> String {
        self.address.map_or_else(|| self.host().to_owned(), |address| address.to_string())
    }

    /// The address, or the names as the product spells them.
    fn targets(&self) -> Vec<String> {
        self.address.map_or_else(|| self.spelled.clone(), |address| vec![address.to_string()])
    }

    /// The length of the longest key of a rule, which one with IPv6 has.
    fn widest(&self, key: &str, with_v6: &str) -> usize {
        if self.of(false).is_empty() { key.len() } else { with_v6.len() }
    }

    /// What AWS takes as the description of a rule: 255 characters of a small alphabet.
    fn aws_description(&self) -> String {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c) { c } else { ' ' };
        let hosts: Vec<&str> = self.endpoints.iter().map(|endpoint| endpoint.host.as_str()).collect();
        hosts.join(" ").chars().map(allowed).take(255).collect()
    }

    /// What Azure takes as the name of a rule: letters, digits, dots, hyphens and underscores, at most 80 of them.
    fn azure_name(&self) -> String {
        let host: String = self.host().chars().map(|c| if c == ':' { '-' } else { c }).take(70).collect();
        format!("{host}-{}", self.port)
    }

    fn by_application(&self) -> bool {
        self.protocol != Protocol::Tcp && self.address.is_none()
    }
}

impl Group<'_, '_> {
    fn is_plain_http(&self) -> bool {
        self.protocol == Protocol::Http
    }

    /// Which of the two kinds of rules there are, in the order in which they come.
    fn kinds<'k>(&self, address: &'k str, name: &'k str) -> Vec<&'k str> {
        let mut kinds: Vec<&str> = Vec::new();
        for kind in self.rules.iter().map(|rule| rule.kind(address, name)) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// Room for three times as many names, in hundreds: AWS cannot change it later.
    fn capacity(&self) -> usize {
        capacity(self.rules.iter().map(|rule| rule.spelled.len()).sum())
    }
}

fn capacity(now: usize) -> usize {
    (now * 3).div_ceil(100).saturating_mul(100)
}

impl Set {
    fn name(&self) -> String {
        format!("ics_setup_{}_{}", self.family("v4", "v6"), self.port)
    }

    fn family<'k>(&self, v4: &'k str, v6: &'k str) -> &'k str {
        if self.v4 { v4 } else { v6 }
    }
}

impl<'a> Page<'a> {
    /// The blocks of rules by address, each with a number of its own.
    fn numbered(&self) -> Vec<(usize, &Rule<'a>, Block)> {
        let all = self.rules.iter().flat_map(|rule| rule.blocks.iter().map(move |block| (rule, *block)));
        all.enumerate().map(|(at, (rule, block))| (at + 1, rule, block)).collect()
    }

    /// As that of a group of names.
    fn capacity(&self) -> usize {
        capacity(self.numbered().len())
    }

    fn any(&self) -> bool {
        !self.rules.is_empty()
    }

    fn any_v4(&self) -> bool {
        self.rules.iter().any(|rule| !rule.of(true).is_empty())
    }

    /// One set for each port and family.
    fn sets(&self) -> Vec<Set> {
        let all = self.rules.iter().flat_map(|rule| rule.sets().map(|set| (set.port, set.v4)));
        let all: BTreeSet<(u16, bool)> = all.collect();
        all.into_iter().map(|(port, v4)| Set { port, v4, blocks: Vec::new() }).collect()
    }

    fn grouped<K: Ord>(&self, wanted: impl Fn(&Rule<'_>) -> bool, key: impl Fn(&Rule<'_>) -> K) -> Vec<Group<'_, 'a>> {
        let mut groups: BTreeMap<K, Group<'_, 'a>> = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| wanted(rule)) {
            let empty = Group { port: rule.port, protocol: rule.protocol, rules: Vec::new() };
            groups.entry(key(rule)).or_insert(empty).rules.push(rule);
        }
        groups.into_values().collect()
    }

    fn by_port(&self) -> Vec<Group<'_, 'a>> {
        self.grouped(|_| true, |rule| (rule.port, rule.protocol))
    }

    fn by_protocol(&self) -> Vec<Group<'_, 'a>> {
        self.grouped(|_| true, |rule| rule.protocol)
    }

    /// What a firewall for applications knows: names of HTTP and HTTPS.
    fn by_application(&self) -> Vec<Group<'_, 'a>> {
        self.grouped(|rule| rule.by_application(), |rule| (rule.protocol, rule.port))
    }

    /// What it does not know.
    fn by_address_or_tcp(&self) -> Vec<&Rule<'a>> {
        self.rules.iter().filter(|rule| !rule.by_application()).collect()
    }

    /// The same by port.
    fn addresses_by_port(&self) -> Vec<Group<'_, 'a>> {
        self.grouped(|rule| !rule.by_application(), |rule| rule.port)
    }

    /// Names of HTTP and HTTPS by the category that they go into; one category for all exclusions.
    fn url_categories(&self) -> BTreeMap<String, Vec<&Rule<'a>>> {
        let mut categories: BTreeMap<String, Vec<&Rule<'a>>> = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| self.exclusions || rule.by_application()) {
            let name = match self.exclusions {
                true => "ics-setup-no-decrypt".to_owned(),
                false => format!("ics-setup-{}-{}", rule.protocol.as_str(), rule.port),
            };
            categories.entry(name).or_default().push(rule);
        }
        categories
    }

    /// Every spelling with its rule: those with a wildcard, or those without.
    fn spelled(&self, wild: bool) -> Vec<(&Rule<'a>, &str)> {
        let all = self.rules.iter().flat_map(|rule| rule.spelled.iter().map(move |name| (rule, name.as_str())));
        all.filter(|(_, name)| name.contains('*') == wild).collect()
    }

    /// The names of objects that each port is for, each once.
    fn objects_by_port(&self) -> BTreeMap<u16, Vec<String>> {
        let mut ports: BTreeMap<u16, Vec<String>> = BTreeMap::new();
        for rule in &self.rules {
            for name in rule.spelled.iter().map(|name| self.object(name)) {
                let names = ports.entry(rule.port).or_default();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        ports
    }

    /// The name of an object: Fortinet and Palo Alto Networks take letters, digits, dots, hyphens and underscores, the latter
    /// 63 of them.
    fn object(&self, spelled: &str) -> String {
        let allowed = |c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c);
        let name = spelled.replace("*.", "below.").replace(allowed, "-");
        format!("ics-setup-{name}").chars().take(63).collect()
    }

    /// A string of HCL, without interpolation.
    fn hcl(&self, text: impl AsRef<str>) -> String {
        hcl(text.as_ref())
    }

    /// Text of an XML element.
    fn xml(&self, line: &str) -> String {
        line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }

    /// Two hyphens end nothing, but are not allowed inside of an XML comment, nor is one at its end.
    fn xml_comment(&self, line: &str) -> String {
        line.replace("--", "- -").trim_end_matches('-').to_owned()
    }
}

/// What templates call with a bar.
mod filters {
    use std::borrow::Borrow;
    use std::fmt::Display;

    /// With blanks behind it, up to a width.
    pub(super) fn pad(text: impl Display, _: &dyn askama::Values, width: impl Borrow<usize>) -> askama::Result<String> {
        Ok(format!("{:1$}", text.to_string(), *width.borrow()))
    }
}

macro_rules! templates {
    ($($format:ident $path:literal)+) => {
        $(
            #[derive(Template)]
            #[template(path = $path, escape = "none", config = "assets/allowlist/askama.toml")]
            struct $format<'a> { page: Page<'a> }
        )+

        /// The text of a list; `None`: a table, which has no template.
        pub(super) fn text(format: Format, page: Page<'_>) -> Option<String> {
            let text = match format {
                $(Format::$format => $format { page }.render(),)+
                Format::Csv | Format::Json | Format::Markdown => return None,
            };
            // Nothing that a template calls fails, nor does writing to a string.
            Some(text.unwrap_or_default())
        }
    };
}

templates! {
    Squid "squid.txt"
    Nftables "nftables.txt"
    Iptables "iptables.txt"
    Firewalld "firewalld.txt"
    Ufw "ufw.txt"
    AwsSg "aws-sg.txt"
    AwsNetworkFirewall "aws-network-firewall.txt"
    AzureFirewall "azure-firewall.txt"
    Paloalto "paloalto.txt"
    Fortigate "fortigate.txt"
}
