//! Names of hosts (`do_x509_check`, with the flag of Python that a wildcard is a whole label) and name constraints
//! (`NAME_CONSTRAINTS_check`).

use std::net::IpAddr;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Name;

use super::super::distrust::Reason;
use super::Refusal;
use super::certificate::{Certificate, canonical};
use crate::text::{Foreign, clean};

/// So many names of a certificate are told.
const TOLD: usize = 5;

/// No name is told longer, in characters.
const LONGEST: usize = 100;

/// Whom a certificate is to be for.
pub(in crate::net) enum Name<'a> {
    /// A host by its name.
    Host(&'a str),
    /// A host by its address.
    Address(IpAddr),
}

impl<'a> Name<'a> {
    /// `db.corp.example`, `10.0.0.1`, `::1`.
    pub(in crate::net) fn parse(text: &'a str) -> Self {
        text.parse().map_or(Self::Host(text), Self::Address)
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Is a certificate for this host? The common name counts where no alternative name is one of a host.
pub(super) fn is_valid_for(certificate: &Certificate<'_>, name: &Name<'_>) -> bool {
    match name {
        Name::Address(address) => {
            let own = octets(*address);
            certificate.alternative_names().any(|name| matches!(name, GeneralName::IPAddress(bytes) if *bytes == own))
        }
        Name::Host(host) => {
            let mut hosts = certificate.alternative_names().filter_map(host_of).peekable();
            match hosts.peek() {
                Some(_) => hosts.any(|pattern| covers(pattern, host)),
                None => certificate.common_names().any(|pattern| covers(pattern, host)),
            }
        }
    }
}

fn host_of<'n>(name: &'n GeneralName<'_>) -> Option<&'n str> {
    if let GeneralName::DNSName(host) = name { Some(host) } else { None }
}

/// Whom a certificate is for, the first few.
pub(super) fn of(certificate: &Certificate<'_>, address: bool) -> Vec<Foreign> {
    let shown = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(host) => Some((*host).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    };
    let mut names: Vec<String> = certificate.alternative_names().filter_map(shown).collect();
    if names.is_empty() || (address && !certificate.alternative_names().any(|name| host_of(name).is_some())) {
        names.extend(certificate.common_names().map(str::to_owned));
    }
    names.truncate(TOLD);
    names.iter().map(|name| clean(name, LONGEST).into()).collect()
}

/// Does the pattern of a certificate cover a host (`equal_wildcard`)?
fn covers(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(parent) = pattern.strip_prefix("*.") else { return false };
    let Some((first, rest)) = host.split_once('.') else { return false };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // At least two labels behind the star.
    parent.contains('.')
        && parent.split('.').all(is_label)
        && parent.eq_ignore_ascii_case(rest)
        && !first.is_empty()
        && first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `check_name_constraints`: each certificate against the constraints of all above it.
pub(super) fn constraints(chain: &[Certificate<'_>]) -> Result<(), Refusal> {
    for (depth, certificate) in chain.iter().enumerate().rev() {
        if depth != 0 && certificate.is_self_issued() {
            continue;
        }
        for above in chain[depth + 1..].iter().rev() {
            let Some(constraints) = above.constraints() else { continue };
            let bases = |subtrees: &Option<Vec<_>>| -> Vec<Base> {
                let subtrees = subtrees.iter().flatten();
                subtrees.map(|subtree: &x509_parser::extensions::GeneralSubtree<'_>| Base::of(&subtree.base)).collect()
            };
            let (permitted, excluded) = (bases(&constraints.permitted_subtrees), bases(&constraints.excluded_subtrees));
            for name in constrained(certificate, depth) {
                let mut alike = permitted.iter().filter(|base| base.is_like(&name)).peekable();
                if alike.peek().is_some() && !alike.any(|base| base.holds(&name)) {
                    return Err((Reason::NameConstraints { excluded: false }, depth));
                }
                if excluded.iter().any(|base| base.is_like(&name) && base.holds(&name)) {
                    return Err((Reason::NameConstraints { excluded: true }, depth));
                }
            }
        }
    }
    Ok(())
}

/// The names of a certificate that constraints speak of: its subject, its alternative names, and for a server's own without
/// names of hosts those common names that look like one.
fn constrained(certificate: &Certificate<'_>, depth: usize) -> Vec<Base> {
    let mut names = Vec::new();
    if certificate.x509.subject().iter().next().is_some() {
        names.push(Base::Directory(parts(certificate.x509.subject())));
    }
    names.extend(certificate.alternative_names().map(Base::of));
    if depth == 0 && !certificate.alternative_names().any(|name| host_of(name).is_some()) {
        let like_a_host = |name: &&str| {
            name.contains('.')
                && name.split('.').all(|label| {
                    !label.is_empty()
                        && !label.starts_with('-')
                        && !label.ends_with('-')
                        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                })
        };
        names.extend(certificate.common_names().filter(like_a_host).map(|name| Base::Host(name.to_ascii_lowercase())));
    }
    names
}

/// A name, or what it is held against.
enum Base {
    Host(String),
    Mail(String),
    Uri(String),
    Address(Vec<u8>),
    Directory(Vec<Vec<u8>>),
    Other,
}

impl Base {
    fn of(name: &GeneralName<'_>) -> Self {
        match name {
            GeneralName::DNSName(host) => Self::Host(host.to_ascii_lowercase()),
            GeneralName::RFC822Name(mail) => Self::Mail(mail.to_ascii_lowercase()),
            GeneralName::URI(uri) => Self::Uri(uri.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => Self::Address(bytes.to_vec()),
            GeneralName::DirectoryName(name) => Self::Directory(parts(name)),
            _ => Self::Other,
        }
    }

    /// Are both names of one kind?
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Does a name of the same kind lie within this base?
    fn holds(&self, name: &Self) -> bool {
        match (self, name) {
            (Self::Host(base), Self::Host(name)) => is_below(name, base),
            (Self::Mail(base), Self::Mail(name)) => {
                let host = name.rsplit_once('@').map_or(name.as_str(), |(_, host)| host);
                if base.contains('@') {
                    base == name
                } else if base.starts_with('.') {
                    host.ends_with(base.as_str())
                } else {
                    host == base
                }
            }
            (Self::Uri(base), Self::Uri(name)) => {
                let host = name.split_once("://").map_or("", |(_, rest)| rest);
                let host = host.split(['/', ':', '?', '#']).next().unwrap_or_default();
                if base.starts_with('.') { host.ends_with(base.as_str()) } else { host == base }
            }
            // A base is an address and a mask.
            (Self::Address(base), Self::Address(name)) => {
                let (net, mask) = base.split_at(base.len() / 2);
                net.len() == name.len()
                    && net.iter().zip(mask).zip(name).all(|((net, mask), own)| net & mask == own & mask)
            }
            (Self::Directory(base), Self::Directory(name)) => name.starts_with(base),
            _ => false,
        }
    }
}

/// `nc_dns`: the name is the base or ends with it at a dot.
fn is_below(name: &str, base: &str) -> bool {
    base.is_empty()
        || name == base
        || name.strip_suffix(base).is_some_and(|rest| base.starts_with('.') || rest.ends_with('.'))
}

/// The parts of a name, as names are compared.
fn parts(name: &X509Name<'_>) -> Vec<Vec<u8>> {
    canonical(name).split(|byte| *byte == 0xff).skip(1).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_one_whole_label() {
        for (pattern, host, covered) in [
            ("db.corp.example", "DB.corp.example", true),
            ("*.corp.example", "db.corp.example", true),
            ("*.corp.example", "corp.example", false),
            ("*.corp.example", "a.db.corp.example", false),
            ("*.example", "corp.example", false),
            ("*", "corp", false),
            ("d*.corp.example", "db.corp.example", false),
            ("db.*.example", "db.corp.example", false),
            ("*.corp.example.", "db.corp.example", false),
        ] {
            assert_eq!(covers(pattern, host), covered, "{pattern} {host}");
        }
    }

    #[test]
    fn a_name_lies_below_its_base() {
        assert!(is_below("db.corp.example", "corp.example") && is_below("db.corp.example", ".corp.example"));
        assert!(!is_below("dbcorp.example", "corp.example") && is_below("x", ""));
    }
}
