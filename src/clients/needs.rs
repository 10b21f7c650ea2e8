//! Hosts that are to be asked through the proxy, against a list that takes some of them away from it.

use super::profile::{Client, all};
use super::route::Route;
use super::target::Target;

/// A host that is to be asked through the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// What it is called: a name, or the pattern that `host` stands for.
    pub pattern: String,
    /// The name that is asked for.
    pub host: String,
    /// What for.
    pub purpose: String,
}

impl Required {
    /// A request for it; `None`: it is no name that could be asked for.
    pub fn target(&self) -> Option<Target> {
        Target::to_host(true, &self.host)
    }
}

/// The hosts that a list takes away from the proxy: for each the member that does it and the clients that obey.
pub fn excluded<'h>(list: &str, hosts: &'h [Required]) -> Vec<(&'h Required, String, Vec<&'static Client>)> {
    let mut found = Vec::new();
    for host in hosts {
        let Some(target) = host.target() else { continue };
        let mut by = None;
        let mut obeying = Vec::new();
        for client in all() {
            if let Route::Direct(super::By::Member(member)) = client.route(&target, list) {
                by.get_or_insert(member);
                obeying.push(client);
            }
        }
        if let Some(member) = by {
            found.push((host, member, obeying));
        }
    }
    found
}
