//! What OpenSSL says to a server's certificates: the product's clients are Python and OpenSSL, so a verdict that differs from
//! theirs is wrong.
//!
//! The model follows `X509_verify_cert` of OpenSSL 3.0 (crypto/x509/x509_vfy.c, v3_purp.c, v3_utl.c, v3_ncons.c) with the
//! purpose `sslserver`, security level 2 (the default of Debian, Ubuntu, Red Hat, and of Python from 3.10 on), trusted
//! certificates first, no partial chains, no revocation: step by step in its order, so that the reason which is told is the
//! one that OpenSSL tells. `tests/lab/certificates.rs` holds it against `openssl verify`.
//!
//! | module | what it does |
//! | --- | --- |
//! | `authority` | certificates of authorities as files of PEM |
//! | `certificate` | one certificate, read |
//! | `strength` | security levels of keys and digests; signatures |
//! | `build` | from the server's own certificate to a root |
//! | `names` | names of hosts, name constraints |

mod authority;
mod build;
mod certificate;
mod names;
mod strength;

use rustls::crypto::WebPkiSupportedAlgorithms;

use self::certificate::Certificate;
use super::Distrust;
use super::distrust::{NoCa, Place, Reason, Whose};
use crate::text::Foreign;

pub(crate) use authority::{Certificates, Unfit};
pub(super) use build::Store;
pub(super) use names::Name;
pub(super) use strength::verify_by_key;

/// Judges what a server has shown, its own certificate first, at `now` (Unix time). `None` is trust.
pub(super) fn judge(
    shown: &[Vec<u8>],
    store: &Store,
    name: &Name<'_>,
    now: i64,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Option<Distrust> {
    if store.is_empty() {
        return Some(Reason::NoRoots.into());
    }
    let Some(leaf) = shown.first().and_then(|der| Certificate::read(der)) else { return Some(Reason::Damaged.into()) };
    let peers: Vec<Certificate<'_>> = shown[1..].iter().filter_map(|der| Certificate::read(der)).collect();
    let mut judge = Judge { chain: vec![leaf], unsettled: None };
    match judge.all(peers, store, name, now, algorithms) {
        Err((reason, depth)) => Some(Distrust { certificate: judge.whose(depth).map(Box::new), reason }),
        Ok(()) => judge.unsettled.map(|why| Reason::Unsettled { why }.into()),
    }
}

/// Can the TLS library check signatures by the key of this certificate (DER)? A signature by any other key is wrong in its eyes.
pub(super) fn can_use_key(der: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> bool {
    Certificate::read(der).is_some_and(|own| strength::is_usable(&own, algorithms))
}

/// A reason, and the depth of the certificate that it is about.
type Refusal = (Reason, usize);

struct Judge<'a> {
    chain: Vec<Certificate<'a>>,
    /// What this program cannot tell.
    unsettled: Option<Foreign>,
}

impl<'a> Judge<'a> {
    fn all(
        &mut self,
        peers: Vec<Certificate<'a>>,
        store: &'a Store,
        name: &Name<'_>,
        now: i64,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Refusal> {
        self.key(0)?;
        let end = build::build(&mut self.chain, peers, store, now);
        let last = self.chain.len() - 1;
        if let Some(reason) = end {
            return Err((reason, last));
        }
        self.extensions()?;
        for depth in 1..=last {
            self.digest(depth - 1)?;
            self.key(depth)?;
        }
        if !names::is_valid_for(&self.chain[0], name) {
            let address = matches!(name, Name::Address(_));
            return Err((Reason::OtherName { names: names::of(&self.chain[0], address), address }, 0));
        }
        self.time(last, now)?;
        for depth in (0..last).rev() {
            self.signature(depth, algorithms)?;
            self.time(depth, now)?;
        }
        names::constraints(&self.chain)
    }

    /// `check_key_level`.
    fn key(&mut self, depth: usize) -> Result<(), Refusal> {
        let key = strength::of_key(&self.chain[depth]);
        match key.bits {
            Some(bits) if bits < strength::LEAST => Err((Reason::WeakKey { key: key.name.into() }, depth)),
            Some(_) => Ok(()),
            None => {
                self.unsettled.get_or_insert_with(|| format!("its key is of an unusual kind ({})", key.name).into());
                Ok(())
            }
        }
    }

    /// `check_sig_level`.
    fn digest(&mut self, depth: usize) -> Result<(), Refusal> {
        let digest = strength::of_digest(&self.chain[depth]);
        match digest.bits {
            Some(bits) if bits < strength::LEAST => Err((Reason::WeakSignature { digest: digest.name.into() }, depth)),
            Some(_) => Ok(()),
            None => {
                let why = || format!("it is signed in an unusual way ({})", digest.name).into();
                self.unsettled.get_or_insert_with(why);
                Ok(())
            }
        }
    }

    /// `check_extensions`, with `check_purpose` and `check_ca`.
    fn extensions(&self) -> Result<(), Refusal> {
        let mut below = 0;
        for (depth, certificate) in self.chain.iter().enumerate() {
            if let Some(oid) = certificate.unknown_critical() {
                return Err((Reason::CriticalExtension { oid: oid.into() }, depth));
            }
            if depth > 0 {
                let is_root = depth + 1 == self.chain.len();
                let no_ca = match certificate.is_ca() {
                    Ok(ca) if is_root || ca.is_plain() => None,
                    Ok(_) if certificate.is_v1() => Some(NoCa::Version),
                    Ok(_) => Some(NoCa::Absent),
                    Err(why) => Some(why),
                };
                if let Some(why) = no_ca {
                    return Err((Reason::NotCa { why }, depth));
                }
            }
            if !certificate.is_for_servers(depth > 0) {
                return Err((Reason::Purpose, depth));
            }
            if depth > 1 && certificate.most_below().is_some_and(|most| below > most) {
                return Err((Reason::PathLength, depth));
            }
            if depth > 0 && !certificate.is_self_issued() {
                below += 1;
            }
        }
        Ok(())
    }

    fn signature(&mut self, depth: usize, algorithms: &WebPkiSupportedAlgorithms) -> Result<(), Refusal> {
        let (certificate, issuer) = (&self.chain[depth], &self.chain[depth + 1]);
        match strength::is_signed_by(certificate, issuer, algorithms) {
            Some(true) => Ok(()),
            Some(false) => Err((Reason::BadSignature, depth)),
            None => {
                let (key, digest) = (strength::of_key(issuer).name, strength::of_digest(certificate).name);
                let why = || format!("its TLS library does not verify signatures by {key} with {digest}").into();
                self.unsettled.get_or_insert_with(why);
                Ok(())
            }
        }
    }

    fn time(&self, depth: usize, now: i64) -> Result<(), Refusal> {
        let (from, until) = self.chain[depth].validity();
        match () {
            () if from > now => Err((Reason::NotYet, depth)),
            () if until < now => Err((Reason::Expired, depth)),
            () => Ok(()),
        }
    }

    fn whose(&self, depth: usize) -> Option<Whose> {
        let certificate = self.chain.get(depth)?;
        let place = match depth {
            0 => Place::Leaf,
            _ if certificate.is_self_signed() => Place::Root,
            _ => Place::Intermediate,
        };
        let (not_before, not_after) = certificate.validity();
        let (subject, issuer) = (certificate.subject().into(), certificate.issuer().into());
        Some(Whose { place, depth, subject, issuer, not_before, not_after })
    }
}
