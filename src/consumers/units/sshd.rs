//! The options that sshd's unit starts it with: `-o` and `-f` outrank its file.
//!
//! Source: `main` of sshd.c of OpenSSH 7.4 to 9.9 (its getopt string), sshd(8). The units of Debian and Ubuntu take `SSHD_OPTS`
//! from `/etc/default/ssh`, those of Red Hat `OPTIONS` from `/etc/sysconfig/sshd`.

use std::path::{Path, PathBuf};

use super::{Place, Stop, service};
use crate::envfile::unit::Release;
use crate::host::HostRead;

/// Its units, the first one that is there.
const UNITS: [&str; 2] = ["ssh.service", "sshd.service"];

/// The variables that hold options, as far as distributions have them.
const VARIABLES: [&str; 2] = ["SSHD_OPTS", "OPTIONS"];

/// Options that are followed by a word.
const WITH_WORD: &str = "CEbcfghkopu";

/// What the options say about settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SshdOptions {
    /// `-o`: lines that are read before the file.
    pub(crate) lines: Vec<(String, Place)>,
    /// `-f`: the file.
    pub(crate) file: Option<(PathBuf, Place)>,
}

/// The options of sshd; none where no unit starts it.
///
/// # Errors
/// What cannot be told, and why.
pub(crate) fn sshd_options(host: &dyn HostRead, release: Release) -> Result<SshdOptions, Stop> {
    let mut found = SshdOptions::default();
    let there = |name: &&str| {
        let service = service(host, name, release);
        (service.fragment.is_some() && !service.masked).then_some(service)
    };
    let Some(service) = UNITS.iter().find_map(there) else { return Ok(found) };
    if let Some(doubt) = service.exec_unknown {
        return Err(doubt);
    }
    let is_sshd = |argv: &[Option<String>]| {
        argv.first().and_then(Option::as_deref).is_some_and(|program| Path::new(program).ends_with("sshd"))
    };
    let Some(command) = service.exec_start.iter().find(|command| is_sshd(&command.argv)) else { return Ok(found) };
    let unknown = || Stop::new(&command.at, "the options that sshd is started with cannot be told");
    let words: Option<Vec<&str>> = command.argv.iter().skip(1).map(Option::as_deref).collect();
    let place = |option: &str| {
        let sights = VARIABLES.iter().filter_map(|name| service.environment.get(name));
        let has = |sight: &super::Sight| sight.value().is_some_and(|value| value.contains(option));
        sights.into_iter().find(has).map_or_else(|| command.at.clone(), |sight| sight.at().clone())
    };
    let words = words.ok_or_else(unknown)?;
    let mut words = words.into_iter();
    while let Some(options) = words.next().and_then(|word| word.strip_prefix('-')).filter(|rest| *rest != "-") {
        let Some(at) = options.find(|option| WITH_WORD.contains(option)) else { continue };
        let (option, rest) = options[at..].split_at(1);
        let Some(word) = Some(rest).filter(|rest| !rest.is_empty()).or_else(|| words.next()) else { break };
        match option {
            "o" => found.lines.push((word.to_owned(), place(word))),
            "f" => found.file = Some((Path::new("/").join(word), place(word))),
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn options_come_from_the_unit_and_from_what_it_reads() {
        let told = |unit: &str, file: &str| {
            let host = MemoryHost::new();
            host.put("/lib/systemd/system/ssh.service", format!("[Service]\n{unit}\n").as_bytes());
            host.put("/etc/default/ssh", file.as_bytes());
            let found = sshd_options(&host, Release::MEASURED).map_err(|doubt| doubt.at.line)?;
            let place = |at: &Place| format!("{}:{}", at.path.display(), at.line);
            let lines = found.lines.iter().map(|(line, at)| format!("{line} {}", place(at)));
            Ok::<_, usize>((lines.collect::<Vec<_>>().join(", "), found.file.map(|(path, _)| path)))
        };
        let debian = "EnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS";
        let only = |line: &str| Ok((line.to_owned(), None));
        assert_eq!(told(debian, ""), only(""));
        assert_eq!(told(debian, "# x\nSSHD_OPTS=\"-o UsePAM=no\"\n"), only("UsePAM=no /etc/default/ssh:2"));
        assert_eq!(told(debian, "SSHD_OPTS=-4oUsePAM=no\n"), only("UsePAM=no /etc/default/ssh:1"));
        assert_eq!(
            told(debian, "SSHD_OPTS=\"-p 22 -f /etc/ssh/other -- -o A=b\"\n"),
            Ok((String::new(), Some("/etc/ssh/other".into())))
        );
        let direct = "ExecStart=-/usr/sbin/sshd -D \"-oSetEnv http_proxy=a\" -e";
        assert_eq!(told(direct, ""), only("SetEnv http_proxy=a /lib/systemd/system/ssh.service:2"));
        assert_eq!(told("ExecStart=/usr/sbin/sshd -D $LANG", ""), Err(2));
        assert_eq!(told("ExecStart=/usr/bin/dropbear -o x", ""), only(""));
        assert_eq!(sshd_options(&MemoryHost::new(), Release::UNKNOWN), Ok(SshdOptions::default()));
    }
}
