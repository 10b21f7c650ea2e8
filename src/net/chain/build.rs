//! From a server's own certificate to a root (`build_chain`): trusted certificates first, then those that the server sent.

use std::collections::HashMap;

use rustls::pki_types::CertificateDer;

use super::super::distrust::Reason;
use super::certificate::Certificate;

/// `X509_V_PARAM` "default": a longer chain is not followed.
const DEPTH: usize = 100;

/// Trusted certificates by their subject.
#[derive(Debug, Default)]
pub(in crate::net) struct Store {
    by_subject: HashMap<Vec<u8>, Vec<CertificateDer<'static>>>,
}

impl Store {
    /// Those of these that can be read.
    pub(in crate::net) fn new(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut by_subject: HashMap<Vec<u8>, Vec<CertificateDer<'static>>> = HashMap::new();
        for der in certificates {
            if let Some(subject) = Certificate::read(&der).map(|read| read.subject_key().to_vec()) {
                by_subject.entry(subject).or_default().push(der);
            }
        }
        Self { by_subject }
    }

    pub(in crate::net) fn is_empty(&self) -> bool {
        self.by_subject.is_empty()
    }

    /// The best issuer of a certificate (`X509_STORE_CTX_get1_issuer`).
    fn issuer_of<'a>(&'a self, certificate: &Certificate<'_>, now: i64) -> Option<Certificate<'a>> {
        let named = self.by_subject.get(certificate.issuer_key()).into_iter().flatten();
        let mut all: Vec<Certificate<'a>> = named.filter_map(|der| Certificate::read(der)).collect();
        let at = best(certificate, all.iter().enumerate(), now)?;
        Some(all.swap_remove(at))
    }
}

/// The first likely issuer whose time it is; else the one that lives longest.
fn best<'b, 'a: 'b>(
    certificate: &Certificate<'_>,
    candidates: impl Iterator<Item = (usize, &'b Certificate<'a>)>,
    now: i64,
) -> Option<usize> {
    let mut longest: Option<(usize, i64)> = None;
    for (at, candidate) in candidates.filter(|(_, candidate)| candidate.is_issuer_of(certificate)) {
        let (from, until) = candidate.validity();
        if (from..=until).contains(&now) {
            return Some(at);
        }
        if longest.is_none_or(|(_, longest)| until > longest) {
            longest = Some((at, until));
        }
    }
    longest.map(|(at, _)| at)
}

/// Extends `chain`, which holds the server's own certificate. Returns why it leads to no trusted root, which its last
/// certificate tells of; `None`: it does.
pub(super) fn build<'a>(
    chain: &mut Vec<Certificate<'a>>,
    mut peers: Vec<Certificate<'a>>,
    store: &'a Store,
    now: i64,
) -> Option<Reason> {
    let mut ask_peers = true;
    let mut from_store = false;
    while let Some(last) = chain.last() {
        let self_signed = last.is_self_signed();
        if chain.len() <= DEPTH
            && let Some(issuer) = store.issuer_of(last, now)
        {
            if self_signed {
                // One that only has the name of a trusted one is an impostor.
                if issuer.der == last.der {
                    return None;
                }
            } else {
                let is_root = issuer.is_self_signed();
                chain.push(issuer);
                (ask_peers, from_store) = (false, true);
                if is_root {
                    return None;
                }
                continue;
            }
        }
        if !ask_peers {
            break;
        }
        let unused = |candidate: &Certificate<'_>| chain.iter().all(|own| own.der != candidate.der);
        let candidates = peers.iter().enumerate().filter(|(_, candidate)| unused(candidate));
        let found = if self_signed || chain.len() > DEPTH { None } else { best(last, candidates, now) };
        match found {
            Some(at) => chain.push(peers.remove(at)),
            None => ask_peers = false,
        }
    }
    Some(match chain.last() {
        _ if chain.len() > DEPTH => Reason::TooLong,
        Some(last) if last.is_self_signed() && chain.len() == 1 => Reason::SelfSigned,
        Some(last) if last.is_self_signed() => Reason::UntrustedRoot,
        _ if from_store => Reason::UnknownRoot,
        _ => Reason::UnknownIssuer,
    })
}
