//! Docker's own package repository as a source of the package manager: files of the plan.

use std::path::Path;

use crate::host::HostRead;
use crate::plan::Draft;
use crate::platform::{PackageSyntax, Platform};
use crate::problem::{Problem, copy_of, id};
use crate::settings::{Key, Settings};
use crate::text;
use crate::text::{own, typed};

const OURS: &str = "# Written by ics-setup. Take it back with: ics-setup revert\n";

/// Files of apt: a list of ours, and the key that signs what it names alone.
const LIST: &str = "/etc/apt/sources.list.d/ics-setup-docker.list";
const APT_KEY: &str = "/etc/apt/keyrings/ics-setup-docker";

/// The same of dnf and yum.
const REPO: &str = "/etc/yum.repos.d/ics-setup-docker.repo";
const RPM_KEY: &str = "/etc/pki/rpm-gpg/RPM-GPG-KEY-ics-setup-docker";

/// Systems that Docker's repository has folders for, below which it goes on by release and machine
/// (docs.docker.com/engine/install, read 2026-11-29).
const FOLDERS: [&str; 3] = ["centos", "rhel", "fedora"];

/// Drafts what `--docker-repo` and `--docker-repo-key` ask for.
///
/// # Errors
/// One of them is missing, is no URL, or cannot be read.
pub(crate) fn draft(settings: &Settings, platform: &Platform, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let Some((source, key)) = asked(settings)? else { return Ok(()) };
    let manager = platform.package_manager(draft.view.host);
    let content = std::fs::read(&key).map_err(|error| {
        Problem::settings(id::SETTING_INVALID, text!("--docker-repo-key {} cannot be read", key.display()))
            .caused_by(copy_of(&error))
    })?;
    let reasons = || vec![text!("add {} as a source of packages", source)];
    match manager.syntax {
        PackageSyntax::Apt => {
            // apt tells the two forms of a key by the ending of its name.
            let armoured = content.starts_with(b"-----BEGIN PGP");
            let path = format!("{APT_KEY}.{}", if armoured { "asc" } else { "gpg" });
            let line = apt_line(&source, platform, draft.view.host)?;
            draft.put(Path::new(&path), content, 0o644, reasons())?;
            draft.put(Path::new(LIST), format!("{OURS}deb [signed-by={path}] {line}\n").into_bytes(), 0o644, reasons())
        }
        PackageSyntax::Ini => {
            draft.put(Path::new(RPM_KEY), content, 0o644, reasons())?;
            let url = rpm_url(&source);
            let text = format!(
                "{OURS}[ics-setup-docker]\nname=Docker\nbaseurl={url}\nenabled=1\ngpgcheck=1\ngpgkey=file://{RPM_KEY}\n"
            );
            draft.put(Path::new(REPO), text.into_bytes(), 0o644, reasons())
        }
    }
}

/// The two settings; `None`: nobody asked.
pub(super) fn asked(settings: &Settings) -> Result<Option<(String, std::path::PathBuf)>, Problem> {
    let (source, key) = (settings.text(Key::DockerRepo), settings.text(Key::DockerRepoKey));
    let (source, key) = match (source, key) {
        (None, None) => return Ok(None),
        (Some(source), Some(key)) => (source.trim(), key),
        (Some(_), None) => {
            return Err(missing(
                "--docker-repo-key <FILE>",
                "--docker-repo",
                "packages that nobody has signed are not installed",
            ));
        }
        (None, Some(_)) => return Err(missing("--docker-repo <URL>", "--docker-repo-key", "a key alone says nothing")),
    };
    let known = ["https://", "http://", "file:"].iter().any(|scheme| source.starts_with(scheme));
    let url = source.split_whitespace().next().unwrap_or_default();
    if !known || source.chars().any(|c| c.is_control() || "[]#\"'".contains(c)) || url.contains('@') {
        let message = text!("--docker-repo {} is no URL of a package repository", source);
        return Err(Problem::settings(id::SETTING_INVALID, message)
            .because("it begins with https://, http:// or file:, and has no login: everybody can read the files of package sources")
            .hint(typed("--docker-repo https://download.docker.com/linux/ubuntu")));
    }
    Ok(Some((source.to_owned(), key.into())))
}

pub(super) fn missing(what: &'static str, beside: &'static str, why: &'static str) -> Problem {
    let (what, beside) = (own(what), own(beside));
    Problem::settings(id::SETTINGS_MISSING, text!("{} needs {} beside it", beside, what)).because(why)
}

/// What stands behind the options of a line: what was given, where it has more than the URL; else as Docker's repository is laid
/// out.
fn apt_line(source: &str, platform: &Platform, host: &dyn HostRead) -> Result<String, Problem> {
    if source.contains(char::is_whitespace) {
        return Ok(source.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let codename = platform.codename(host).map_err(|error| {
        Problem::host(id::UNREADABLE, "the system's release could not be read").caused_by(copy_of(&error))
    })?;
    let Some(codename) = codename else {
        return Err(Problem::settings(
            id::SETTING_INVALID,
            "the system does not say by which name package sources know it",
        )
        .hint(text!(
            "say suite and component too: {}",
            typed("--docker-repo 'https://download.docker.com/linux/ubuntu jammy stable'")
        )));
    };
    Ok(format!("{source} {codename} stable"))
}

fn rpm_url(source: &str) -> String {
    let bare = source.trim_end_matches('/');
    let folder = bare.rsplit('/').next().unwrap_or_default();
    if FOLDERS.contains(&folder) { format!("{bare}/$releasever/$basearch/stable") } else { source.to_owned() }
}
