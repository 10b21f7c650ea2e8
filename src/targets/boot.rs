//! What starts the product when the host has started: a unit of systemd, in place of the vendor's line in a crontab.

use std::path::{Path, PathBuf};

use super::Context;
use crate::docker::compose;
use crate::environment::systemd_runs;
use crate::host::{FileKind, HostRead};
use crate::plan::Draft;
use crate::problem::Problem;
use crate::product::{Place, templates};
use crate::settings::Key;
use crate::text;
use crate::text::own;
use crate::vendor::Vendor;

/// The name of the unit.
pub(crate) const UNIT: &str = "insightcloudsec.service";

/// Units of this site.
const UNITS: &str = "/etc/systemd/system";

/// Crontabs of root: Debian's cron, cronie.
const CRONTABS: [&str; 2] = ["/var/spool/cron/crontabs/root", "/var/spool/cron/root"];

/// Systemd itself; `None` of them is there on a host of another init.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// What a start may take beside the upgrade of a schema.
const SPARE: u64 = 600;

/// The unit's file.
pub(crate) fn unit_path() -> PathBuf {
    Path::new(UNITS).join(UNIT)
}

/// Is the host one that systemd starts?
pub(crate) fn has_systemd(host: &dyn HostRead) -> bool {
    if host.is_live() {
        return systemd_runs(host);
    }
    SYSTEMD.iter().any(|path| !matches!(host.lstat(Path::new(path)), Ok(None)))
}

pub(super) fn plan(context: &Context<'_>, draft: &mut Draft<'_>) -> Result<(), Problem> {
    if !has_systemd(context.view) {
        return Ok(());
    }
    let home = &context.settings.home;
    let place = Place::look(context.view, home);
    let file = place.compose_file(home);
    // That unit, and whatever else starts it, stay as they are: nothing of ours takes their place.
    if is_started_by_another(context.view, &file) {
        return Ok(());
    }
    let path = unit_path();
    let seconds = context.settings.duration(Key::MigrateWithin).as_secs().saturating_add(SPARE);
    let files = place.files(home);
    let name = place.project(context.view, home);
    let other = context.found.project.as_deref().filter(|own| *own != name);
    let rest: Vec<String> = compose::argv(&[], &files, other).iter().map(|own| word(own)).collect();
    let rest = rest.join(" ");
    let unit =
        |command: &str| templates::unit(&format!("{command} {rest} up -d"), &format!("{command} {rest} stop"), seconds);
    let present = draft.snapshot(&path)?;
    let commands = commands(context);
    // A unit of another Compose that is there starts the product as well; another time limit does no harm.
    let same = |unit: &str, present: &[u8]| without_limit(unit.as_bytes()) == without_limit(present);
    let is_good = present.is_some_and(|present| commands.iter().any(|command| same(&unit(command), &present.bytes)));
    if let Some(command) = commands.first().filter(|_| !is_good) {
        draft.put(&path, unit(command).into_bytes(), 0o644, vec!["start the product with the host".into()])?;
    }
    CRONTABS.iter().try_for_each(|crontab| without_line(Path::new(crontab), &file, draft))
}

/// The lines of a unit but for the limit of its start.
fn without_limit(unit: &[u8]) -> Vec<&[u8]> {
    unit.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"TimeoutStartSec=")).collect()
}

/// Ways to call Compose by whole paths, best first. Where it is known which one serves the project, that one alone; where
/// there is none yet, the shell finds at boot what was installed since.
fn commands(context: &Context<'_>) -> Vec<String> {
    let (files, clients) = (&Vendor::get().compose, &Vendor::get().docker.clients);
    let there = |path: &&PathBuf| !matches!(context.view.lstat(path), Ok(None));
    let plugin = files.plugins.iter().any(|path| there(&path));
    let client = clients.iter().find(there).filter(|_| plugin);
    let plugin = client.map(|client| format!("{} compose", client.display()));
    let programs = files.programs.iter().filter(there).map(|path| path.display().to_string());
    let found: Vec<String> = plugin.into_iter().chain(programs).collect();
    match &context.found.compose {
        // The shell of an earlier run finds that one, where it comes first.
        Some(argv) if found.first() == Some(&argv.join(" ")) => vec![argv.join(" "), whichever()],
        Some(argv) => vec![argv.join(" ")],
        None => found.into_iter().chain(std::iter::once(whichever())).collect(),
    }
}

/// The plugin where it answers, else the first program that is there, as `deploy` looks for them.
fn whichever() -> String {
    let programs = Vendor::get().compose.programs.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    // `$$` is a `$` to systemd.
    format!(
        "/bin/sh -c 'if docker compose version >/dev/null 2>&1; then exec docker compose \"$$@\"; fi; \
         for p in {}; do [ -x \"$$p\" ] && exec \"$$p\" \"$$@\"; done; exit 127' compose",
        programs.join(" ")
    )
}

/// A word of a command as a unit has it (systemd.service(5), "COMMAND LINES").
fn word(path: &str) -> String {
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        '%' | '$' => format!("{c}{c}"),
        c => c.to_string(),
    };
    if plain { path.to_owned() } else { format!("\"{}\"", path.chars().map(escape).collect::<String>()) }
}

/// Does another unit of this site start the same file?
fn is_started_by_another(host: &dyn HostRead, file: &Path) -> bool {
    let folder = Path::new(UNITS);
    // A folder that cannot be listed has no unit that is known.
    let Ok(names) = host.list(folder) else { return false };
    let units = names.into_iter().filter(|name| name.to_string_lossy().ends_with(".service") && name != UNIT);
    let own = units
        .map(|name| folder.join(name))
        .filter(|path| matches!(host.lstat(path), Ok(Some(stat)) if stat.kind == FileKind::File));
    own.take(200).any(|path| match host.read(&path) {
        Ok(Some(bytes)) => starts(&String::from_utf8_lossy(&bytes), file),
        Ok(None) | Err(_) => false,
    })
}

fn starts(unit: &str, file: &Path) -> bool {
    let value = |name: &str| {
        unit.lines()
            .filter_map(|line| line.trim().strip_prefix(name)?.trim_start().strip_prefix('='))
            .map(str::trim)
            .collect::<Vec<_>>()
    };
    let folder = file.parent().unwrap_or(Path::new("/"));
    let within = value("WorkingDirectory").iter().any(|own| Path::new(own.trim_start_matches('-')) == folder);
    value("ExecStart").iter().any(|command| {
        let words: Vec<&str> = command.split_whitespace().collect();
        let names = |word: &&str| file == Path::new(word.trim_matches(['"', '\'']));
        command.contains("compose")
            && words.contains(&"up")
            && (words.iter().any(names) || (within && !words.contains(&"-f")))
    })
}

/// Takes the lines out of a crontab that start the same file with the host.
fn without_line(crontab: &Path, file: &Path, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let Some(present) = draft.snapshot(crontab)? else { return Ok(()) };
    let text = &present.bytes;
    let goes = |line: &[u8]| std::str::from_utf8(line).is_ok_and(|line| is_start(line, file));
    let kept: Vec<u8> =
        text.split_inclusive(|byte| *byte == b'\n').filter(|line| !goes(line)).flatten().copied().collect();
    if kept.len() == text.len() {
        return Ok(());
    }
    // In an image nobody enables a unit, and without both nothing would start the product.
    if !draft.view.host.is_live() {
        let line = draft.view.host.shown(crontab);
        draft.next(text!(
            "install there as well: it enables {} and takes out the line of {} that starts the product until then",
            own(UNIT),
            line
        ));
        return Ok(());
    }
    let reasons = vec![text!("the unit {} starts the product instead", own(UNIT))];
    if kept.iter().all(u8::is_ascii_whitespace) {
        return draft.delete(crontab, reasons);
    }
    draft.put(crontab, kept, 0o600, reasons)
}

/// Is it a line as the vendor's installers write it: `@reboot docker-compose -f FILE up -d`, and nothing else in it?
fn is_start(line: &str, file: &Path) -> bool {
    let Some(command) = line.trim().strip_prefix("@reboot").filter(|rest| rest.starts_with([' ', '\t'])) else {
        return false;
    };
    let mut words: Vec<&str> = command.split_whitespace().collect();
    // Where its words go to is nothing that anybody misses.
    let redirected = |word: &&str| {
        word.starts_with(['>', '&'])
            || word.starts_with("1>")
            || word.starts_with("2>")
            || word.starts_with("/dev/null")
    };
    while words.last().is_some_and(redirected) {
        words.pop();
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut words = words.as_slice();
    let mut within = false;
    if let ["cd", to, "&&", rest @ ..] = words {
        (within, words) = (Path::new(to) == folder, rest);
    }
    if let ["sudo", rest @ ..] = words {
        words = rest;
    }
    let named = |program: &str, name: &str| Path::new(program).file_name().is_some_and(|own| own == name);
    let rest = match words {
        [program, rest @ ..] if named(program, "docker-compose") => rest,
        [program, "compose", rest @ ..] if named(program, "docker") => rest,
        _ => return false,
    };
    match rest {
        ["-f" | "--file", own, "up", "-d"] => Path::new(own) == file || (within && folder.join(own) == file),
        ["up", "-d"] => within,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_line_is_known_and_no_other() {
        let file = Path::new("/divvycloud/docker-compose.yml");
        for line in [
            "@reboot docker-compose -f /divvycloud/docker-compose.yml up -d",
            "@reboot  /usr/local/bin/docker-compose -f /divvycloud/docker-compose.yml up -d\r",
            "@reboot sudo docker compose --file /divvycloud/docker-compose.yml up -d >/dev/null 2>&1",
            "@reboot cd /divvycloud && docker-compose up -d",
        ] {
            assert!(is_start(line, file), "{line}");
        }
        for line in [
            "#@reboot docker-compose -f /divvycloud/docker-compose.yml up -d",
            "@reboot docker-compose -f /opt/other/docker-compose.yml up -d",
            "@reboot docker-compose -f /divvycloud/docker-compose.yml -f /x.yml up -d",
            "@reboot docker-compose -f /divvycloud/docker-compose.yml up -d && mail root",
            "@reboot sleep 5; docker-compose -f /divvycloud/docker-compose.yml up -d",
            "0 3 * * * docker-compose -f /divvycloud/docker-compose.yml up -d",
            "@reboot docker-compose up -d",
            "",
        ] {
            assert!(!is_start(line, file), "{line}");
        }
    }

    #[test]
    fn paths_are_one_word_to_systemd() {
        for (path, written) in [("/divvycloud/x.yml", "/divvycloud/x.yml"), ("/a b/100%$", "\"/a b/100%%$$\"")] {
            assert_eq!(word(path), written);
        }
    }

    #[test]
    fn units_that_start_the_same_file_are_known() {
        let file = Path::new("/divvycloud/docker-compose.yml");
        for (unit, known) in [
            ("[Service]\nExecStart=/usr/bin/docker-compose -f /divvycloud/docker-compose.yml up -d\n", true),
            ("[Service]\nWorkingDirectory=/divvycloud\nExecStart = /usr/bin/docker compose up\n", true),
            ("[Service]\nWorkingDirectory=/other\nExecStart=/usr/bin/docker compose up\n", false),
            ("[Service]\nExecStart=/usr/bin/docker-compose -f /divvycloud/docker-compose.yml stop\n", false),
            ("[Service]\n#ExecStart=/usr/bin/docker-compose -f /divvycloud/docker-compose.yml up -d\n", false),
        ] {
            assert_eq!(starts(unit, file), known, "{unit}");
        }
    }
}
