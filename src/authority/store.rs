//! The host's store: a folder of certificates for each family of systems, and the program that makes bundles of them.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checksum;
use crate::host::{Command, HostRead};
use crate::net::{BUNDLES, Certificates};
use crate::platform::{Platform, Strategy};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Foreign, as_root, own};

/// What the names of files that runs place begin with. Behind it stands what tells certificates apart: where another one comes
/// in the place of one, both programs see a file that goes and a file that comes.
const NAME: &str = "ics-setup-proxy-ca-";

/// The programs run the hooks of other packages too.
const LIMIT: Duration = Duration::from_secs(120);

/// How long OpenSSL may take for one certificate.
const OPENSSL: Duration = Duration::from_secs(5);

/// The store of a family of systems.
pub(crate) struct Store {
    /// Where certificates are taken up from.
    pub(crate) folder: &'static Path,
    /// The program that does it.
    pub(crate) program: &'static str,
}

/// The public roots of a host, and whatever else it trusts.
pub(crate) struct Bundle {
    /// The file.
    pub(crate) path: &'static Path,
    /// What is in it.
    pub(crate) certificates: Certificates,
}

impl Bundle {
    /// The host's; `None`: it has none, or none that can be read.
    pub(crate) fn of(host: &dyn HostRead) -> Option<Self> {
        BUNDLES.iter().map(Path::new).find_map(|path| {
            let certificates = Certificates::of_bundle(&host.read(path).ok()??);
            (!certificates.is_empty()).then_some(Self { path, certificates })
        })
    }
}

impl Store {
    /// Of a system.
    pub(crate) fn of(platform: &Platform) -> Self {
        Self::new(platform.trust_store())
    }

    fn new((folder, program): (&'static str, &'static str)) -> Self {
        Self { folder: Path::new(folder), program }
    }

    fn all() -> impl Iterator<Item = Self> {
        Strategy::ALL.into_iter().map(|strategy| Self::new(strategy.trust_store()))
    }

    /// The file for one certificate. OpenSSL finds no certificate of a file with several by its name.
    pub(crate) fn file(&self, certificate: &Certificates) -> PathBuf {
        let sum = checksum::of_bytes(&certificate.pem());
        self.folder.join(format!("{NAME}{}.crt", &sum[..8]))
    }

    /// Everything that lies in the folder.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub(crate) fn certificates(&self, host: &dyn HostRead) -> io::Result<Certificates> {
        let names = host.list(self.folder)?;
        let read = |name| host.read(&self.folder.join(name)).ok().flatten();
        Ok(names
            .into_iter()
            .filter_map(read)
            .fold(Certificates::default(), |all, file| all.and(&Certificates::of_bundle(&file))))
    }

    /// The files that runs have placed, in the store of whatever family.
    pub(crate) fn files(host: &dyn HostRead) -> Vec<(PathBuf, Certificates)> {
        let of = |store: Self| {
            let names = host.list(store.folder).unwrap_or_default().into_iter();
            let ours =
                names.filter(|name| name.to_string_lossy().starts_with(NAME)).map(|name| store.folder.join(name));
            ours.filter_map(|path| Some((path.clone(), Certificates::of_bundle(&host.read(&path).ok()??))))
                .collect::<Vec<_>>()
        };
        Self::all().flat_map(of).collect()
    }

    /// What is in them.
    pub(crate) fn placed(host: &dyn HostRead) -> Certificates {
        Self::files(host).into_iter().fold(Certificates::default(), |all, (_, own)| all.and(&own))
    }
}

/// Does a file of this path belong to the store of a family?
pub(crate) fn is_of_store(path: &Path) -> bool {
    Store::all().any(|store| path.starts_with(store.folder))
}

/// Is the bundle as this file of the store says it: does it have the file's certificates, or, where the file is gone, none that
/// would lie there?
pub(crate) fn is_taken_up(host: &dyn HostRead, path: &Path) -> bool {
    let bundle = Bundle::of(host).map(|bundle| bundle.certificates).unwrap_or_default();
    let lies_there = |own: &Certificates| Store::all().any(|store| store.file(own) == path);
    match host.read(path) {
        Ok(Some(file)) => bundle.has(&Certificates::of_bundle(&file)),
        Ok(None) => !bundle.each().any(|own| lies_there(&own)),
        Err(_) => false,
    }
}

/// The system's program as it makes everything anew. Debian's takes no link away for a file that is gone unless it is told to.
pub(crate) fn anew(program: &str) -> Vec<&str> {
    [program].into_iter().chain((program == "update-ca-certificates").then_some("--fresh")).collect()
}

/// Has the system's program make its bundles of what the store has now. `gone`: files of it have gone, whose links it is to
/// take out too. An image's is left to whoever runs it.
///
/// # Errors
/// `trust-failed`. A program that is not there has made nothing that would have to be taken back.
pub(crate) fn refresh(host: &dyn HostRead, folder: &Path, gone: bool) -> Result<(), Problem> {
    let Some(store) = Store::all().find(|store| folder.starts_with(store.folder)).filter(|_| host.is_live()) else {
        return Ok(());
    };
    let argv = if gone { anew(store.program) } else { vec![store.program] };
    let shown = argv.join(" ");
    let failed = || {
        Problem::host(id::TRUST_FAILED, text!("{} failed, which makes the bundle that programs read", own(&shown)))
            .hint_command(as_root(text!("{}", own(&shown))))
    };
    match host.run(&Command { deadline: LIMIT, ..Command::new(argv) }) {
        Ok(output) if output.code == Some(0) => Ok(()),
        Ok(output) => Err(failed().because(Foreign::new(String::from_utf8_lossy(&output.stderr).trim()))),
        Err(error) if error.kind() == ErrorKind::NotFound && gone => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(failed().because("it is not there: the package ca-certificates is not installed"))
        }
        Err(error) => Err(failed().caused_by(error)),
    }
}

/// What a reader of the store says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Asked {
    /// It was not asked.
    #[default]
    Not,
    /// It trusts all of them.
    Trusts,
    /// It does not, in its words.
    Refuses(Foreign),
}

/// Asks OpenSSL whether it trusts the certificates of these files, by its own store.
pub(super) fn ask(host: &dyn HostRead, files: &[PathBuf]) -> Asked {
    if !host.is_live() || files.is_empty() {
        return Asked::Not;
    }
    for file in files {
        let file = file.to_string_lossy().into_owned();
        let command = Command { deadline: OPENSSL, ..Command::new(["openssl", "verify", &file]) };
        match host.run(&command) {
            Err(_) => return Asked::Not,
            Ok(output) if output.code == Some(0) => {}
            Ok(output) => {
                let said = [output.stderr, output.stdout].concat();
                return Asked::Refuses(Foreign::new(crate::text::first_line(&said, 200)));
            }
        }
    }
    Asked::Trusts
}
