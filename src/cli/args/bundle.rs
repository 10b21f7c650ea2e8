//! The command line of `bundle`.

use clap::{Arg, Command};

use super::options::{choice, help, path};
use super::settings::with_these;
use crate::settings::{Key, Spec};

/// The verb's command line.
pub(super) fn command() -> Command {
    let create = Command::new("create")
        .about("Make a folder with images, product files, Compose and this program")
        .after_help(help!("bundle-create"))
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .required(true)
                .value_parser(clap::value_parser!(std::path::PathBuf))
                .value_hint(clap::ValueHint::DirPath)
                .help("A new or empty folder, or a bundle that is to be made anew"),
        )
        .arg(
            choice("platform", "PLATFORM", ["linux/amd64", "linux/arm64"])
                .help("The processor of the host without internet [default: as this host's]"),
        )
        .arg(path("program", "FILE").help("ics-setup for that processor, where it is another than this host's"));
    Command::new("bundle")
        .about("For hosts without internet: what install needs, as a folder")
        .subcommand_required(true)
        .subcommand(with_these(create, is_used))
}

/// Settings that decide what goes into a bundle, and the way that is gone for it. What is of the other host, that one is told.
fn is_used(spec: &Spec) -> bool {
    matches!(
        spec.key,
        Key::Deployment
            | Key::Release
            | Key::Image
            | Key::From
            | Key::FromSha256
            | Key::ComposeBinary
            | Key::ComposeSha256
            | Key::ProxyUrl
            | Key::ProxyUser
            | Key::ProxyPasswordFile
            | Key::ProxyNoProxy
            | Key::ProxyCa
    )
}
