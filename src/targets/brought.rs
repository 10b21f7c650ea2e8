//! A compose file for a host that has none, from a bundle or from a URL: taken only with the checksum that somebody gave.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{compose_path, no_proxy};
use crate::checksum;
use crate::clients::{Target, curl};
use crate::context::{Named, read, roots};
use crate::docker::compose::USUAL;
use crate::host::HostRead;
use crate::net::Time;
use crate::network::cause::Cause;
use crate::network::get::{NoFile, get};
use crate::problem::{Kind, Problem, id};
use crate::settings::{Brought, Key, Settings};
use crate::text;
use crate::text::{Foreign, Text, own, quoted, typed};
use crate::version::Version;

/// No honest compose file is larger.
const MOST: usize = 256 << 10;

/// How long one may take to come.
const DEADLINE: Duration = Duration::from_secs(60);

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The release of curl whose reading of a NO_PROXY list is taken.
const LIKE: &str = "8.5";

/// The file of `--bundle`, else of `--from`; `None`: the host has one, or neither names any.
///
/// # Errors
/// `from-refused`, `bundle-refused`: what is there is not what its checksum says, or no compose file.
pub(crate) fn bring(host: &dyn HostRead, settings: &Settings) -> Result<Option<Brought>, Problem> {
    let is_there = !matches!(host.lstat(&compose_path(host, settings)), Ok(None));
    let bundle = settings.text(Key::Bundle).map(PathBuf::from);
    if is_there {
        return Ok(None);
    }
    match bundle {
        Some(folder) if folder.join(USUAL).exists() => of_bundle(&folder).map(Some),
        _ => named(host, settings),
    }
}

/// The file of `--from`; `None`: nobody names one.
///
/// # Errors
/// `from-refused`: what came is not what its checksum says, or no compose file.
pub(crate) fn named(host: &dyn HostRead, settings: &Settings) -> Result<Option<Brought>, Problem> {
    settings.text(Key::From).map(|url| of_url(host, settings, url)).transpose()
}

fn of_bundle(folder: &Path) -> Result<Brought, Problem> {
    let (file, list) = (folder.join(USUAL), folder.join(checksum::LIST));
    let unread = |path: &Path, error| {
        Problem::host(id::BUNDLE_REFUSED, text!("--bundle: {} could not be read", path)).caused_by(error)
    };
    let bytes = read(&file).map_err(|error| unread(&file, error))?;
    let sums = read(&list).map_err(|error| {
        unread(&list, error)
            .hint(text!(
                "bring the folder again; where its making was broken off, make it again: {}",
                typed("ics-setup bundle create <DIR>")
            ))
            .hint(text!("of a folder that was made by hand, make it where that was: {}", checksum::make()))
    })?;
    let Some(wanted) = checksum::listed(&String::from_utf8_lossy(&sums), USUAL).map(str::to_ascii_lowercase) else {
        return Err(Problem::host(id::BUNDLE_REFUSED, text!("{} has no checksum of {}", list, own(USUAL)))
            .hint("take the bundle again from where it was made"));
    };
    if wanted != checksum::of_bytes(&bytes) {
        return Err(Problem::host(id::BUNDLE_REFUSED, text!("{} is not what its checksum says", file))
            .because(text!(
                "SHA-256 is {}, and {} says {}",
                own(checksum::of_bytes(&bytes)),
                own(checksum::LIST),
                own(wanted)
            ))
            .hint("take the bundle again from where it was made"));
    }
    Ok(Brought { bytes, from: text!("the bundle {}", folder) })
}

fn of_url(host: &dyn HostRead, settings: &Settings, url: &str) -> Result<Brought, Problem> {
    let Some(wanted) = settings.text(Key::FromSha256).map(str::to_ascii_lowercase).filter(|sum| checksum::is_sum(sum))
    else {
        return Err(Problem::settings(id::SETTING_INVALID, "--from needs --from-sha256: 64 hexadecimal digits")
            .because("what somebody else serves is run as root in containers, so it has to be what was meant")
            .hint(text!(
                "look at the file, then take its checksum: {}",
                typed(text!("curl -fsS {} | sha256sum", own(quoted(url))))
            )));
    };
    let wrong = |why: NoFile| refused(url, &why);
    let target = Target::parse(url).map_err(|error| wrong(NoFile::Url(error)))?;
    let proxy = if target.tls { &settings.proxies.https } else { &settings.proxies.http };
    let list = no_proxy(settings).to_string();
    let client = Version::parse(LIKE).and_then(|release| curl(&release));
    let goes = client.is_none_or(|client| client.route(&target, &list).is_proxy());
    let proxy = proxy.as_ref().map(|proxy| &proxy.value).filter(|_| goes);
    let roots = roots(host, Named::of(settings).as_ref())?;
    let bytes = get(url, proxy, &roots, Time::new(CONNECT, DEADLINE), MOST).map_err(wrong)?;
    if wanted != checksum::of_bytes(&bytes) {
        return Err(Problem::new(Kind::Outside, id::FROM_REFUSED, text!("--from: {} is not what was meant", url))
            .because(text!("its SHA-256 is {}, not {}", own(checksum::of_bytes(&bytes)), own(wanted)))
            .hint("look at what has changed in it before you give the new checksum"));
    }
    Ok(Brought { bytes, from: text!("{}", url) })
}

/// Why nothing came.
fn refused(url: &str, why: &NoFile) -> Problem {
    let advice: Text = match why {
        NoFile::Way(Cause::ProxyLogin { .. }) => {
            text!("user and password of the proxy: {}", typed("--proxy-user <USER> --proxy-password-file <FILE>"))
        }
        NoFile::Way(_) => {
            text!(
                "or take the file to this host: {}, with {} and {} in it",
                typed("--bundle <DIR>"),
                own(USUAL),
                own(checksum::LIST)
            )
        }
        _ => "open it in a browser and copy the URL of the file itself".into(),
    };
    let because = match why {
        NoFile::Url(error) => text!("{}", error),
        NoFile::Login => {
            "it has a user in it, whose password every user of this host can read in the process list".into()
        }
        NoFile::Status(status, None) => text!("the server answers {}", own(status)),
        NoFile::Status(status, Some(to)) => {
            text!("the server answers {} and names another place: {}", own(status), Foreign::new(to))
        }
        NoFile::Page => "it is a page for people (HTML), not a compose file".into(),
        NoFile::TooLarge(most) => text!("it is larger than {} KiB", own(most >> 10)),
        NoFile::Cut => "it ended before its end".into(),
        NoFile::Way(Cause::NetError { error }) => text!("{}", error),
        NoFile::Way(Cause::ProxyLogin { .. }) => "the proxy asks for a login (407)".into(),
        NoFile::Way(
            Cause::ProxyForbids { status } | Cause::ProxyMisunderstands { status } | Cause::ProxyAnswered { status },
        ) => {
            text!("the proxy refuses it ({})", own(status))
        }
        NoFile::Way(Cause::ProxyFailed { status, .. }) => text!("the proxy could not get it ({})", own(status)),
        NoFile::Way(Cause::Page { .. }) => "something in between answers with a page".into(),
    };
    let kind = if matches!(why, NoFile::Url(_) | NoFile::Login) { Kind::Settings } else { Kind::Outside };
    Problem::new(kind, id::FROM_REFUSED, text!("--from: no compose file came from {}", url))
        .because(because)
        .hint(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_found_by_their_names() {
        let hex = "AB".repeat(32);
        for line in [format!("{hex}  docker-compose.yml"), format!("{hex} *./docker-compose.yml\r")] {
            assert_eq!(
                checksum::listed(&format!("{}  x\n{line}\n", "0".repeat(64)), USUAL).map(str::to_lowercase),
                Some(hex.to_lowercase()),
                "{line}"
            );
        }
        for line in [format!("{hex}  other.yml"), "abc  docker-compose.yml".to_owned(), hex] {
            assert_eq!(checksum::listed(&line, USUAL), None, "{line}");
        }
        assert_eq!(checksum::of_bytes(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
