//! The umasks that files of the system set.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{profile_d, unread};
use crate::host::HostRead;
use crate::text;
use crate::text::Text;

/// `UMASK` is what pam_umask and useradd go by (pam_umask(8)).
const DEFAULTS: [&str; 2] = ["/etc/login.defs", "/etc/default/login"];

/// The stacks of PAM, in which an argument of pam_umask says it too.
const STACKS: &str = "/etc/pam.d";

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct UmaskFacts {
    pub(crate) found: Vec<Found>,
    /// Why a file that is there could not be read.
    #[serde(default)]
    pub(crate) unread: Vec<Text>,
}

/// A file that sets a umask; the strictest of those it has.
#[derive(Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) file: PathBuf,
    /// The line, counted from 1.
    pub(crate) line: usize,
    pub(crate) umask: u32,
}

/// How a file says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Defaults,
    Stack,
    Shell,
}

/// What a line sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    To(u32),
    /// A shell alone can tell.
    Untold,
}

/// Reads the defaults, the stacks of PAM and the files of root's logins. Of each the umask is told that takes most beyond
/// `harmless`.
pub(crate) fn observe(host: &dyn HostRead, harmless: u32) -> UmaskFacts {
    let mut facts = UmaskFacts::default();
    let (of_logins, error) = profile_d::files(host);
    facts.unread.extend(error.map(|error| unread(&profile_d::shown(host), &error)));
    let stacks = host.list(Path::new(STACKS)).unwrap_or_else(|error| {
        facts.unread.push(unread(&host.shown(Path::new(STACKS)), &error));
        Vec::new()
    });
    // What packages leave beside a file is no service.
    let stacks = stacks.into_iter().filter(|name| !name.as_encoded_bytes().contains(&b'.'));
    let all = (DEFAULTS.into_iter().map(|path| (PathBuf::from(path), Form::Defaults)))
        .chain(stacks.map(|name| (Path::new(STACKS).join(name), Form::Stack)))
        .chain(of_logins.into_iter().map(|path| (path, Form::Shell)));
    for (path, form) in all {
        let shown = host.shown(&path);
        let bytes = match host.read(&path) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(_) if profile_d::is_mute(host, &path) => continue,
            Err(error) => {
                facts.unread.push(unread(&shown, &error));
                continue;
            }
        };
        let content = String::from_utf8_lossy(&bytes);
        if let Some(line) = set(&content, form).find_map(|(line, set)| (set == Set::Untold).then_some(line)) {
            facts.unread.push(text!("{}:{} sets one that only a shell can tell", shown.clone(), line));
        }
        let strictest = strictest(&content, form, harmless);
        facts.found.extend(strictest.map(|(line, umask)| Found { file: shown, line, umask }));
    }
    facts
}

/// The line and value of the strictest umask: the one with most bits beyond `harmless`.
fn strictest(content: &str, form: Form, harmless: u32) -> Option<(usize, u32)> {
    let told = set(content, form).filter_map(|(line, set)| match set {
        Set::To(umask) => Some((line, umask)),
        Set::Untold => None,
    });
    told.max_by_key(|(_, umask)| (umask & !harmless, *umask))
}

/// What its lines set, each counted from 1.
fn set(content: &str, form: Form) -> impl Iterator<Item = (usize, Set)> {
    let of = move |line: &str| match form {
        Form::Shell => by_shell(line),
        Form::Defaults => by_defaults(line).map(Set::To),
        Form::Stack => by_stack(line).map(Set::To),
    };
    content.lines().enumerate().filter_map(move |(index, line)| Some((index + 1, of(line.trim())?)))
}

/// `UMASK 027`, `UMASK=027`, with a remark behind it or without.
fn by_defaults(line: &str) -> Option<u32> {
    let (line, _) = line.split_once('#').unwrap_or((line, ""));
    let (key, value) = line.split_once(|c: char| c.is_whitespace() || c == '=')?;
    let value = value.trim_matches(|c: char| c.is_whitespace() || "=\"".contains(c));
    octal(value).filter(|_| key.eq_ignore_ascii_case("UMASK"))
}

/// `session optional pam_umask.so umask=0027`.
fn by_stack(line: &str) -> Option<u32> {
    let (line, _) = line.split_once('#').unwrap_or((line, ""));
    let mut words = line.split_whitespace().skip_while(|word| !word.ends_with("pam_umask.so")).skip(1);
    octal(words.find_map(|word| word.strip_prefix("umask="))?)
}

/// The command `umask`, with a mode of either kind.
fn by_shell(line: &str) -> Option<Set> {
    static COMMAND: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let command = r"(?:^|[;&|{(]|\bthen|\belse|\bdo)\s*(?:(?:builtin|command)\s+)?umask\s+(?:-[pS]+\s+|--\s+)*";
        Regex::new(&format!(r#"{command}("[^"]*"|'[^']*'|[^\s;&|}})]+)"#)).ok()
    });
    let line = Some(line).filter(|line| !line.starts_with('#'))?;
    let mode = COMMAND.as_ref()?.captures(line)?.get(1)?.as_str();
    let bare = mode.trim_matches(['"', '\'']);
    match octal(bare).or_else(|| symbolic(bare)) {
        Some(umask) => Some(Set::To(umask)),
        None if !mode.starts_with('\'') && bare.contains(['$', '`']) => Some(Set::Untold),
        // The shell refuses it, or it shows the umask alone.
        None => None,
    }
}

fn octal(digits: &str) -> Option<u32> {
    let is_octal = !digits.is_empty() && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let umask = u32::from_str_radix(digits, 8).ok().filter(|umask| is_octal && *umask <= 0o7777)?;
    Some(umask & 0o777)
}

/// `u=rwx,g=rx,o=`: what is allowed. What is added or taken away is so from a umask of 022.
fn symbolic(mode: &str) -> Option<u32> {
    let mut umask = 0o022;
    for clause in mode.split(',') {
        let at = clause.find(['=', '+', '-'])?;
        let (who, rest) = clause.split_at(at);
        let whose = who.chars().map(|who| match who {
            'u' => Some(0o700),
            'g' => Some(0o070),
            'o' => Some(0o007),
            'a' => Some(0o777),
            _ => None,
        });
        let whose = whose.collect::<Option<Vec<u32>>>()?.into_iter().fold(0, |all, one| all | one);
        let whose = if who.is_empty() { 0o777 } else { whose };
        let bits = rest[1..].chars().map(|right| match right {
            'r' => Some(0o444),
            'w' => Some(0o222),
            'x' | 'X' => Some(0o111),
            _ => None,
        });
        let bits = bits.collect::<Option<Vec<u32>>>()?.into_iter().fold(0, |all, one| all | one) & whose;
        umask = match &rest[..1] {
            "=" => (umask & !whose) | (whose & !bits),
            "+" => umask & !bits,
            _ => umask | bits,
        };
    }
    Some(umask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn umasks_are_found_where_they_count() {
        use Form::{Defaults, Shell, Stack};
        for (content, form, found) in [
            ("# umask 077\numask 022\n", Shell, Some((2, 0o022))),
            ("if [ $UID -gt 199 ]; then umask 002; else umask 0077; fi", Shell, Some((1, 0o002))),
            ("if x\nthen umask 002\nelse\n   umask 0077\nfi", Shell, Some((4, 0o077))),
            ("echo myumask 077; x=umask", Shell, None),
            ("(umask 077; mkdir x)", Shell, Some((1, 0o077))),
            ("umask \"077\"", Shell, Some((1, 0o077))),
            ("umask -S u=rwx,g=,o=; x", Shell, Some((1, 0o077))),
            ("umask 'g-rx,o-rwx'", Shell, Some((1, 0o077))),
            ("umask o=", Shell, Some((1, 0o027))),
            ("umask -S\numask\nx=$(umask)\numask 089\n", Shell, None),
            ("UMASK\t\t027\n#UMASK 077\n", Defaults, Some((1, 0o027))),
            ("UMASK\t077 # x\n", Defaults, Some((1, 0o077))),
            ("UMASK=\"077\"\n", Defaults, Some((1, 0o077))),
            ("UMASKS 077\nUMASK $x\n", Defaults, None),
            ("session optional pam_umask.so umask=0077\n", Stack, Some((1, 0o077))),
            ("session [default=1] pam_umask.so silent umask=027 # x\n", Stack, Some((1, 0o027))),
            ("# session optional pam_umask.so umask=077\nsession optional pam_umask.so\n", Stack, None),
        ] {
            assert_eq!(strictest(content, form, 0o027), found, "{content}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_said_by_name() {
        let host = MemoryHost::new();
        host.put("/root/.bashrc", b"x\numask $MASK\n");
        host.put_dir("/etc/login.defs");
        host.put_dir("/etc/profile.d/a.sh");
        let facts = observe(&host, 0);
        let unread: Vec<String> = facts.unread.iter().map(ToString::to_string).collect();
        assert!(unread.len() == 2 && unread[0].starts_with("/etc/login.defs "), "{unread:?}");
        assert!(unread[1].starts_with("/root/.bashrc:2 ") && facts.found.is_empty(), "{unread:?}");
    }

    #[test]
    fn stacks_and_the_files_in_the_home_of_root_are_read() {
        for (path, content) in [
            ("/etc/pam.d/common-session", "session optional pam_umask.so umask=0077\n"),
            ("/root/.profile", "umask 077\n"),
            ("/root/.bashrc", "umask 077\n"),
        ] {
            let host = MemoryHost::new();
            host.put(path, content.as_bytes());
            host.put("/etc/pam.d/common-session.dpkg-old", b"session optional pam_umask.so umask=0007\n");
            let found: Vec<u32> = observe(&host, 0).found.iter().map(|own| own.umask).collect();
            assert_eq!(found, [0o077], "{path}");
        }
    }
}
