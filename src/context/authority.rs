//! The authority of `--proxy-ca`: the file that somebody names, or what the last run was given.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::read;
use crate::authority::{Store, product_file};
use crate::checksum;
use crate::docker::text::seconds_of;
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::net::{Certificates, Roots, Unfit};
use crate::problem::{Problem, id};
use crate::settings::{Key, Layers, Origin, Setting, Settings, home};
use crate::text;
use crate::text::{Text, ics_setup, own, quoted, typed};

/// Which authority is named, by whom.
pub(crate) struct Named {
    /// The file.
    file: Setting<PathBuf>,
    /// The checksum of its certificates, where that was said with it.
    sum: Option<String>,
    home: PathBuf,
}

impl Named {
    /// In these settings; `None`: nobody names one.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let file = settings.proxy_ca.clone()?;
        let goes_with_it = settings.rank(Key::ProxyCaSha256) >= file.origin.rank();
        let sum = settings.text(Key::ProxyCaSha256).filter(|_| goes_with_it).map(str::to_ascii_lowercase);
        Some(Self { file, sum, home: settings.home.clone() })
    }

    /// In these layers, before there are settings.
    ///
    /// # Errors
    /// A folder of the product that is no absolute path.
    pub(crate) fn of_layers(layers: &Layers) -> Result<Option<Self>, Problem> {
        let Some(file) = layers.get(Key::ProxyCa).cloned() else { return Ok(None) };
        let rank = file.origin.rank();
        let sum = layers.get(Key::ProxyCaSha256).filter(|sum| sum.origin.rank() >= rank);
        let sum = sum.map(|sum| sum.value.to_ascii_lowercase());
        Ok(Some(Self { file: file.map(PathBuf::from), sum, home: home(layers)? }))
    }

    /// Who names it.
    pub(crate) fn origin(&self) -> &Origin {
        &self.file.origin
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.file.value
    }

    /// Was it named in an earlier run alone?
    pub(crate) fn is_remembered(&self) -> bool {
        matches!(self.file.origin, Origin::LastRun(_))
    }

    /// Its certificates. Of the last run's file they are those that it had then: where it is gone, or has others now, those
    /// that runs have placed on the host. `None`: they are nowhere.
    ///
    /// # Errors
    /// `setting-invalid`: the file cannot be read, or is not what it should be.
    pub(crate) fn certificates(&self, host: &dyn HostRead) -> Result<Option<Certificates>, Problem> {
        let read = read(&self.file.value);
        if self.is_remembered() {
            let of_file = read.ok().and_then(|bytes| Certificates::parse(&bytes).ok());
            let of_product = host.read(&product_file(&self.home)).ok().flatten();
            let of_product = of_product.and_then(|bytes| Certificates::parse(&bytes).ok());
            let all = [of_file, of_product, Some(Store::placed(host))];
            let fits =
                |found: &Certificates| !found.is_empty() && self.sum.as_ref().is_none_or(|sum| *sum == sum_of(found));
            return Ok(all.into_iter().flatten().find(fits));
        }
        let shown = self.file.value.display();
        let wrong =
            |what| Problem::settings(id::SETTING_INVALID, text!("{}: {} {}", &self.file.origin, shown, own(what)));
        let bytes = read.map_err(|error| {
            wrong("could not be read")
                .caused_by(error)
                .hint(text!("look: {}", typed(text!("ls -l {}", own(self.quoted())))))
        })?;
        let found = Certificates::parse(&bytes).map_err(|unfit| self.refused(&unfit))?;
        match self.sum.as_ref().filter(|sum| **sum != sum_of(&found)) {
            Some(sum) => Err(wrong("has other certificates than those that were meant").because(text!(
                "their SHA-256 is {}, not {}",
                own(sum_of(&found)),
                own(sum)
            ))),
            None => Ok(Some(found)),
        }
    }

    /// Its certificates, where they are an authority's today; else why those of the last run are left as they are.
    ///
    /// # Errors
    /// `setting-invalid`: what somebody names now cannot be read, or is not what it should be.
    pub(crate) fn fit(&self, host: &dyn HostRead) -> Result<Result<Certificates, Text>, Problem> {
        let Some(found) = self.certificates(host)? else {
            return Ok(Err(
                "neither the file nor what runs have placed on this host has its certificates any more".into()
            ));
        };
        match found.fit(i64::try_from(seconds_of(host.now())).unwrap_or(i64::MAX)) {
            Ok(()) => Ok(Ok(found)),
            Err(unfit) if self.is_remembered() => Ok(Err(unfit.why())),
            Err(unfit) => Err(self.refused(&unfit)),
        }
    }

    /// The problem of a file that is not taken.
    fn refused(&self, unfit: &Unfit) -> Problem {
        let message = text!("{}: {} is not taken for an authority", &self.file.origin, self.file.value.display());
        Problem::settings(id::SETTING_INVALID, message).because(unfit.why()).hint(unfit.mend(&self.quoted()))
    }

    fn quoted(&self) -> String {
        quoted(&self.file.value.to_string_lossy())
    }
}

/// An authority that is to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthoritySpec {
    /// Its file.
    pub file: PathBuf,
    /// Who names it: `--proxy-ca`.
    pub origin: String,
    /// A run was told of it already.
    #[serde(default)]
    pub remembered: bool,
    /// Its certificates, as PEM.
    pub pem: String,
    /// Why no run has it trusted.
    #[serde(default)]
    pub unfit: Option<Text>,
}

impl AuthoritySpec {
    /// What is named; `None`: nothing.
    ///
    /// # Errors
    /// The file cannot be read, or is not what it should be.
    pub(crate) fn of(host: &dyn HostRead, settings: &Settings) -> Result<Option<Self>, Problem> {
        let Some(named) = Named::of(settings) else { return Ok(None) };
        Ok(Some(match named.fit(host)? {
            Ok(certificates) => Self::new(&named, &certificates),
            Err(why) => Self { unfit: Some(why), ..Self::new(&named, &Certificates::default()) },
        }))
    }

    /// These certificates, by who names them.
    pub(crate) fn new(named: &Named, certificates: &Certificates) -> Self {
        Self {
            file: named.path().to_path_buf(),
            origin: named.origin().to_string(),
            remembered: named.is_remembered(),
            // PEM is ASCII.
            pem: String::from_utf8_lossy(&certificates.pem()).into_owned(),
            unfit: None,
        }
    }
}

/// What is said of the last run's authority where no run has it trusted any more.
pub(crate) fn left(file: &Path, why: Text, verb: &'static str) -> Finding {
    Finding::warn(ids::PROXY_CA_HOST, text!("the authority of the last run, {}, was left as it is", file.display()))
        .cause(why)
        .advise(text!("name it again: {}", ics_setup(text!("{} --proxy-ca <FILE>", own(verb)))))
}

/// The checksum by which certificates are remembered.
pub(crate) fn sum_of(certificates: &Certificates) -> String {
    checksum::of_bytes(&certificates.pem())
}

/// The certificates that the host trusts, and those of the authority that is named.
///
/// # Errors
/// As [`Named::certificates`].
pub(crate) fn roots(host: &dyn HostRead, named: Option<&Named>) -> Result<Roots, Problem> {
    let named = named.map(|named| named.certificates(host)).transpose()?.flatten();
    Ok(Roots::of(host, &named.unwrap_or_default().pem()))
}
