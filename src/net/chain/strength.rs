//! Security levels of keys and digests, and signatures.

use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::SignatureVerificationAlgorithm;
use x509_parser::asn1_rs::Oid;
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::x509::AlgorithmIdentifier;

use super::certificate::Certificate;

/// What security level 2 asks for, in bits (`minbits_table`).
pub(super) const LEAST: u32 = 112;

/// How strong something is.
pub(super) struct Strength {
    /// `RSA, 1024 bits`.
    pub(super) name: String,
    /// In bits of security; `None`: unknown here.
    pub(super) bits: Option<u32>,
}

impl Strength {
    fn known(name: &str, bits: u32) -> Self {
        Self { name: name.to_owned(), bits: Some(bits) }
    }
}

/// The strength of a certificate's key (`EVP_PKEY_get_security_bits`).
pub(super) fn of_key(certificate: &Certificate<'_>) -> Strength {
    let key = certificate.x509.public_key();
    let algorithm = key.algorithm.algorithm.to_id_string();
    match algorithm.as_str() {
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => {
            let bits = modulus_bits(certificate);
            Strength { name: format!("RSA, {} bits", bits.unwrap_or_default()), bits: bits.map(of_modulus) }
        }
        "1.2.840.10045.2.1" => {
            let curve = key
                .algorithm
                .parameters
                .as_ref()
                .and_then(|any| any.as_oid().ok())
                .map(|oid: Oid<'_>| oid.to_id_string());
            match curve.as_deref() {
                Some("1.2.840.10045.3.1.1") => Strength::known("P-192", 96),
                Some("1.3.132.0.33") => Strength::known("P-224", 112),
                Some("1.2.840.10045.3.1.7") => Strength::known("P-256", 128),
                Some("1.3.132.0.34") => Strength::known("P-384", 192),
                Some("1.3.132.0.35") => Strength::known("P-521", 256),
                Some("1.3.132.0.10") => Strength::known("secp256k1", 128),
                Some("1.3.36.3.3.2.8.1.1.7") => Strength::known("brainpoolP256r1", 128),
                Some("1.3.36.3.3.2.8.1.1.11") => Strength::known("brainpoolP384r1", 192),
                Some("1.3.36.3.3.2.8.1.1.13") => Strength::known("brainpoolP512r1", 256),
                other => Strength { name: format!("curve {}", other.unwrap_or("without a name")), bits: None },
            }
        }
        "1.3.101.112" => Strength::known("Ed25519", 128),
        "1.3.101.113" => Strength::known("Ed448", 224),
        other => Strength { name: format!("algorithm {other}"), bits: None },
    }
}

/// The length of an RSA key's modulus.
fn modulus_bits(certificate: &Certificate<'_>) -> Option<u32> {
    let Ok(PublicKey::RSA(rsa)) = certificate.x509.public_key().parsed() else { return None };
    let modulus: Vec<u8> = rsa.modulus.iter().copied().skip_while(|byte| *byte == 0).collect();
    let first = modulus.first()?;
    Some(u32::try_from(modulus.len()).unwrap_or(u32::MAX).saturating_mul(8) - first.leading_zeros())
}

/// Can the TLS library check signatures by this key? Of RSA it takes 2048 to 8192 bits (ring's `RSA_PKCS1_2048_8192_…`).
pub(super) fn is_usable(certificate: &Certificate<'_>, algorithms: &WebPkiSupportedAlgorithms) -> bool {
    let known = algorithms.all.iter().any(|own| own.public_key_alg_id().as_ref() == certificate.key_algorithm);
    known && modulus_bits(certificate).is_none_or(|bits| (2048..=8192).contains(&bits))
}

/// The strength of an RSA key (`ossl_ifc_ffc_compute_security_bits`, after NIST SP 800-56B, appendix D).
fn of_modulus(bits: u32) -> u32 {
    match bits {
        0..8 => 0,
        2048 => 112,
        3072 => 128,
        4096 => 152,
        6144 => 176,
        7680 => 192,
        8192 => 200,
        15360.. => 256,
        _ => {
            let size = f64::from(bits) * std::f64::consts::LN_2;
            let strength = (1.923 * (size * size.ln().powi(2)).cbrt() - 4.69) / std::f64::consts::LN_2;
            // To the nearest multiple of eight; what fits no u32 has been taken out above.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 256")]
            let rounded = ((strength + 4.0) as u32) & !7;
            rounded
        }
    }
}

/// The strength of the digest that a certificate is signed with (`X509_get_signature_info`).
pub(super) fn of_digest(certificate: &Certificate<'_>) -> Strength {
    let algorithm = &certificate.x509.signature_algorithm;
    match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.2" => Strength::known("MD2", 39),
        "1.2.840.113549.1.1.4" => Strength::known("MD5", 39),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" => {
            Strength::known("SHA-1", 63)
        }
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => Strength::known("SHA-224", 112),
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => Strength::known("SHA-256", 128),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Strength::known("SHA-384", 192),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Strength::known("SHA-512", 256),
        "1.2.840.113549.1.1.10" => of_pss(algorithm),
        "1.3.101.112" => Strength::known("Ed25519", 128),
        "1.3.101.113" => Strength::known("Ed448", 224),
        other => Strength { name: format!("algorithm {other}"), bits: None },
    }
}

fn of_pss(algorithm: &AlgorithmIdentifier<'_>) -> Strength {
    let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) = SignatureAlgorithm::try_from(algorithm) else {
        return Strength { name: "RSA-PSS".to_owned(), bits: None };
    };
    match parameters.hash_algorithm_oid().to_id_string().as_str() {
        "1.3.14.3.2.26" => Strength::known("RSA-PSS with SHA-1", 63),
        "2.16.840.1.101.3.4.2.4" => Strength::known("RSA-PSS with SHA-224", 112),
        "2.16.840.1.101.3.4.2.1" => Strength::known("RSA-PSS with SHA-256", 128),
        "2.16.840.1.101.3.4.2.2" => Strength::known("RSA-PSS with SHA-384", 192),
        "2.16.840.1.101.3.4.2.3" => Strength::known("RSA-PSS with SHA-512", 256),
        other => Strength { name: format!("RSA-PSS with {other}"), bits: None },
    }
}

/// Is a certificate signed by the key of another? `None`: by an algorithm that the TLS library does not have.
pub(super) fn is_signed_by(
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Option<bool> {
    let fits = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
        algorithm.signature_alg_id().as_ref() == certificate.signature_algorithm
            && algorithm.public_key_alg_id().as_ref() == issuer.key_algorithm
    };
    let algorithm = algorithms.all.iter().find(fits)?;
    let message = certificate.x509.tbs_certificate.as_ref();
    Some(algorithm.verify_signature(issuer.key, message, certificate.signature).is_ok())
}

/// Is a handshake signed by the key of this certificate? For certificates that the TLS library refuses to read, of version 1
/// for one. With `first_only` no algorithm but the scheme's first counts, as TLS 1.3 asks for. `None`: it cannot be told.
pub(in crate::net) fn verify_by_key(
    der: &[u8],
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
    first_only: bool,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Option<bool> {
    let certificate = Certificate::read(der)?;
    let (_, named) = algorithms.mapping.iter().find(|(own, _)| *own == scheme)?;
    let most = if first_only { 1 } else { named.len() };
    let fits = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
        algorithm.public_key_alg_id().as_ref() == certificate.key_algorithm
    };
    let algorithm = named.iter().take(most).find(fits)?;
    Some(algorithm.verify_signature(certificate.key, message, signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_keys_are_as_strong_as_openssl_says() {
        // `openssl genrsa N`, then EVP_PKEY_get_security_bits, OpenSSL 3.0.
        for (bits, strength) in [(512, 56), (1024, 80), (1536, 96), (2048, 112), (3072, 128), (4096, 152)] {
            assert_eq!(of_modulus(bits), strength, "{bits}");
        }
        assert!(of_modulus(1960) < LEAST && of_modulus(2040) >= LEAST);
    }
}
