//! `%` in unit files: `specifier_printf()` of systemd (`src/shared/specifier.c`, `src/core/unit-printf.c`, release 252;
//! systemd.unit(5) "Specifiers").

use super::Release;

/// The names of a unit, as far as files tell them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    /// `foo@bar.service`.
    pub(crate) id: &'a str,
    /// `foo`.
    pub(crate) prefix: &'a str,
    /// `bar`; empty where the unit has none.
    pub(crate) instance: &'a str,
}

/// Whose specifiers are expanded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose<'a> {
    /// A unit's; `None`: under which of its names it is loaded cannot be told.
    Unit(Option<Names<'a>>),
    /// The manager's own configuration, which has no names.
    Manager,
}

/// What becomes of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expanded {
    /// These bytes.
    Known(Vec<u8>),
    /// systemd refuses the word: there is no such specifier.
    Refused,
    /// The machine or the release of systemd decides.
    Unknown,
}

/// Letters that stand for something that only the running machine tells.
const OF_MACHINE: &[u8] = b"aAbBHlqmMovwWTV";

/// Letters of a unit that are not worked out here.
const OF_UNIT: &[u8] = b"IJPfyYcrRdhsgGuU";

/// Folders of the system's manager.
const FOLDERS: [(u8, &str); 5] =
    [(b'C', "/var/cache"), (b'E', "/etc"), (b'L', "/var/log"), (b'S', "/var/lib"), (b't', "/run")];

/// The word with its specifiers expanded.
pub(crate) fn expand(word: &[u8], whose: Whose<'_>, release: Release) -> Expanded {
    let mut out = Vec::with_capacity(word.len());
    let mut unknown = false;
    let mut bytes = word.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            None => out.push(b'%'),
            Some(b'%') => out.push(b'%'),
            Some(&letter) => match meaning(letter, whose, release) {
                Meaning::Text(text) => out.extend_from_slice(text.as_bytes()),
                Meaning::Unknown => unknown = true,
                Meaning::Literal => out.extend_from_slice(&[b'%', letter]),
                Meaning::Refused => return Expanded::Refused,
            },
        }
    }
    if unknown { Expanded::Unknown } else { Expanded::Known(out) }
}

enum Meaning<'a> {
    Text(&'a str),
    Unknown,
    Literal,
    Refused,
}

fn meaning<'a>(letter: u8, whose: Whose<'a>, release: Release) -> Meaning<'a> {
    if !letter.is_ascii_alphanumeric() {
        return Meaning::Literal;
    }
    let of_unit = matches!(whose, Whose::Unit(_));
    if let Whose::Unit(names) = whose {
        let name = match (letter, names) {
            (b'n' | b'N' | b'p' | b'i' | b'j', None) => return Meaning::Unknown,
            (b'n', Some(names)) => Some(names.id),
            (b'N', Some(names)) => Some(names.id.rsplit_once('.').map_or(names.id, |(name, _)| name)),
            (b'p', Some(names)) => Some(names.prefix),
            (b'i', Some(names)) => Some(names.instance),
            // %j came with 235.
            (b'j', Some(names)) if release.between(231, 237) == Some(true) => {
                Some(names.prefix.rsplit_once('-').map_or(names.prefix, |(_, last)| last))
            }
            _ => None,
        };
        if let Some(name) = name {
            return Meaning::Text(name);
        }
        // %t is older than the others, which came with 235 and 240.
        let folder = FOLDERS.iter().find(|(known, _)| *known == letter);
        if let Some((_, folder)) = folder.filter(|_| letter == b't' || release.since(242) == Some(true)) {
            return Meaning::Text(folder);
        }
    }
    let known = OF_MACHINE.contains(&letter)
        || (of_unit
            && (OF_UNIT.contains(&letter) || letter == b'j' || FOLDERS.iter().any(|(known, _)| *known == letter)));
    if known {
        return Meaning::Unknown;
    }
    // Before 236 what was no specifier stayed as it was. New letters came after 252; a digit has never been one.
    match release.since(236) {
        Some(false) => Meaning::Literal,
        Some(true) if letter.is_ascii_digit() || release.since(253) == Some(false) => Meaning::Refused,
        _ => Meaning::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Version;

    #[test]
    fn specifiers_by_release() {
        let names = Names { id: "a-b@c.service", prefix: "a-b", instance: "c" };
        let known = |text: &str| Expanded::Known(text.as_bytes().to_vec());
        for (word, release, expected) in [
            ("100%", "252", known("100%")),
            ("a%%23b", "252", known("a%23b")),
            ("%n %N %p %i %j", "252", known("a-b@c.service a-b@c a-b c b")),
            ("Wint%23er", "252", Expanded::Refused),
            ("Wint%23er", "219", known("Wint%23er")),
            ("%H%2", "252", Expanded::Refused),
            ("%H", "252", Expanded::Unknown),
            ("%D", "252", Expanded::Refused),
            ("%D", "255", Expanded::Unknown),
            ("%t/%C", "252", known("/run//var/cache")),
            ("%C", "219", Expanded::Unknown),
            ("5%,%é", "252", known("5%,%é")),
        ] {
            let release = Release::of(Version::parse(release).as_ref());
            assert_eq!(expand(word.as_bytes(), Whose::Unit(Some(names)), release), expected, "{word} {release:?}");
        }
        assert_eq!(expand(b"%23", Whose::Unit(None), Release::UNKNOWN), Expanded::Unknown);
        assert_eq!(expand(b"%n", Whose::Manager, Release::MEASURED), Expanded::Refused);
    }
}
