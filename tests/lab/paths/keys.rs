//! Authorities and certificates of the test network.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// `public` and `other` count as public authorities (`public-roots.crt`); `corp` is a company's own.
pub struct Authorities {
    folder: PathBuf,
    public: Authority,
    other: Authority,
    corp: Authority,
}

impl Authorities {
    pub fn new(folder: &Path) -> Self {
        let make = |file: &str, name: &str| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.remove(DnType::CommonName);
            params.distinguished_name.push(DnType::OrganizationName, name);
            params.distinguished_name.push(DnType::CommonName, format!("{name} Root"));
            let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            fs::write(folder.join(format!("{file}.crt")), authority.pem()).unwrap();
            authority
        };
        let (public, other) = (make("public", "Public Authority"), make("other", "Other Authority"));
        let corp = make("corp", "Corp Inspection");
        fs::write(folder.join("public-roots.crt"), public.pem() + &other.pem()).unwrap();
        Self { folder: folder.to_path_buf(), public, other, corp }
    }

    fn authority(&self, name: &str) -> &Authority {
        match name {
            "public" => &self.public,
            "other" => &self.other,
            "corp" => &self.corp,
            _ => panic!("no authority {name}"),
        }
    }

    /// A certificate for these names; writes `FILE.crt`, `FILE.key`, and both as `FILE.pem`.
    pub fn issue(&self, file: &str, by: &str, names: &[String]) {
        self.write(file, by, params(names));
    }

    /// One that has run out.
    pub fn expired(&self, file: &str, names: &[String]) {
        let mut params = params(names);
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2025, 2, 3);
        self.write(file, "public", params);
    }

    /// One that is signed by itself; as a CA, as `openssl req -x509` makes them, or not.
    pub fn self_signed(&self, file: &str, names: &[String], as_ca: bool) {
        let mut params = params(names);
        params.is_ca = if as_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        self.save(file, &certificate.pem(), &key);
    }

    fn write(&self, file: &str, by: &str, params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, self.authority(by)).unwrap();
        self.save(file, &certificate.pem(), &key);
    }

    fn save(&self, file: &str, certificate: &str, key: &KeyPair) {
        let key = key.serialize_pem();
        for (end, text) in
            [("crt", certificate.to_owned()), ("key", key.clone()), ("pem", format!("{certificate}{key}"))]
        {
            fs::write(self.folder.join(format!("{file}.{end}")), text).unwrap();
        }
    }
}

fn params(names: &[String]) -> CertificateParams {
    let mut params = CertificateParams::new(names.to_vec()).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, names.first().unwrap().as_str());
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2036, 1, 1);
    params
}
