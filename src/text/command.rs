//! Command lines for people. What a line needs (root, the image that the run works on, files of the host) is marked when it is
//! made; how it is written for whoever pastes it is decided in one place, [`Text::pasted_by`].

use std::fmt;
use std::path::{Path, PathBuf};

use super::fragments::{BELOW, ROOT, ROOTS, ROOTS_END, Shown, TYPED, TYPED_END};
use super::{Text, quoted};

/// A command line that can be pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct CommandLine(Text);

/// Who pastes a command line, and where.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// `--root`: the image that the run works on.
    pub image: Option<PathBuf>,
    /// Needs no other rights for the host that the line is for: root, or whoever may write to the image.
    pub privileged: bool,
    /// The verb that was called and has not written what it was called for: lines that would write the same are that call
    /// again, with other flags.
    pub again: Again,
    /// `--home`, where it was given and is not the usual folder: the product that lines are about.
    pub home: Option<PathBuf>,
    /// `--settings`, where it was given and can be read again.
    pub settings: Option<PathBuf>,
}

/// A verb that would be called again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Again {
    /// None would be.
    #[default]
    No,
    Prepare,
    Reconfigure,
    /// Writes what `prepare` writes, and what `reconfigure` writes.
    Install,
}

impl Again {
    /// The verbs whose lines are that call.
    fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::No => &[],
            Self::Prepare => &["prepare"],
            Self::Reconfigure => &["reconfigure"],
            Self::Install => &["prepare", "reconfigure", "install"],
        }
    }

    /// What follows the verb in a line that is that call.
    fn flags(self, line: &str) -> Option<&str> {
        let words = line.strip_prefix("ics-setup ")?.strip_suffix(ROOT)?;
        let flags = self.verbs().iter().find_map(|verb| words.strip_prefix(verb))?;
        (flags.is_empty() || flags.starts_with(' ')).then_some(flags)
    }
}

/// Verbs that look at the product's folder.
const WITH_HOME: &[&str] = &["prepare", "install", "reconfigure", "check", "prove", "trace"];

/// Verbs that read a settings file, and judge or write by it.
const WITH_SETTINGS: &[&str] = &["prepare", "install", "reconfigure", "check", "prove", "trace", "status"];

/// The same with this flag in each of our lines of these verbs that does not have it.
fn with_flag(part: &str, verbs: &[&str], flag: &str, value: &str) -> String {
    let mut named = String::new();
    let mut lines = part.split(ROOT).peekable();
    while let Some(line) = lines.next() {
        named.push_str(line);
        if lines.peek().is_none() {
            break;
        }
        let words = line.rsplit_once("ics-setup ").map_or("", |(_, words)| words);
        let takes = words.split(' ').next().is_some_and(|verb| verbs.contains(&verb));
        if takes && !words.contains(&format!(" {flag} ")) {
            named.push_str(&format!(" {flag} {value}"));
        }
        named.push(ROOT);
    }
    named
}

/// Is it a verb of ours that changes the host?
pub(crate) fn changes_host(verb: &str) -> bool {
    matches!(verb, "prepare" | "install" | "reconfigure" | "revert" | "prune" | "wizard")
}

/// A command line of ours: `ics_setup("check --only x")`. Where the run works on an image, its `--root` is added; a verb that
/// changes the host needs root.
pub(crate) fn ics_setup(arguments: impl Into<Text>) -> CommandLine {
    let arguments = arguments.into();
    let changes = arguments.marked().split(' ').next().is_some_and(changes_host);
    let line = Text::of_marked(format!("ics-setup {}{ROOT}", arguments.marked()));
    if changes { as_root(line) } else { typed(line) }
}

/// A command line of ours that is a run of its own before the one that a person has called: never that call with other flags.
pub(crate) fn ics_setup_before(verb: &str, flags: &str) -> CommandLine {
    // In front of its flags, the mark does not make it one that is told as "the same command".
    as_root(Text::of_marked(format!("ics-setup {verb}{ROOT} {flags}")))
}

/// A command line of ours that changes another host: it is no call of this run again, and what rights a person has there is not
/// known.
pub(crate) fn ics_setup_there(arguments: impl Into<Text>) -> CommandLine {
    typed(Text::of_marked(format!("sudo ics-setup {}", arguments.into().marked())))
}

/// A command line that needs root.
pub(crate) fn as_root(line: impl Into<Text>) -> CommandLine {
    let line = line.into().marked().replace([ROOTS, ROOTS_END], "");
    CommandLine(Text::of_marked(format!("{ROOTS}{}{ROOTS_END}", in_marks(&line))))
}

/// What is typed as it stands by whoever may: a command line, a flag, a statement of SQL.
pub fn typed(line: impl Into<Text>) -> CommandLine {
    CommandLine(Text::of_marked(in_marks(line.into().marked())))
}

/// Between marks, and without those of its parts.
fn in_marks(line: &str) -> String {
    format!("{TYPED}{}{TYPED_END}", bare(line))
}

fn bare(line: &str) -> String {
    line.replace([TYPED, TYPED_END], "")
}

/// A file of the host as a word of a command line: below the image where the run works on one.
pub(crate) fn of_host(path: &Path) -> Text {
    Text::of_marked(format!("{BELOW}{}", quoted(&path.to_string_lossy())))
}

impl CommandLine {
    /// The characters with their marks.
    pub(crate) fn text(&self) -> &Text {
        &self.0
    }
}

impl From<CommandLine> for Text {
    fn from(line: CommandLine) -> Self {
        line.0
    }
}

impl Shown for CommandLine {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

impl Text {
    /// The same with its command lines as this person can paste them.
    ///
    /// Where rights are lacking, `sudo` stands before a line; before one with operators of the shell, `sudo sh -c` with the line
    /// in quotes.
    #[must_use]
    pub fn pasted_by(&self, person: &Person) -> Self {
        let root = person.image.as_ref().map(|root| quoted(&root.to_string_lossy()));
        let [home, settings] =
            [&person.home, &person.settings].map(|path| path.as_ref().map(|path| quoted(&path.to_string_lossy())));
        let named = |part: &str| {
            let part = home.as_ref().map_or_else(|| part.to_owned(), |home| with_flag(part, WITH_HOME, "--home", home));
            settings.as_ref().map_or_else(|| part.clone(), |file| with_flag(&part, WITH_SETTINGS, "--settings", file))
        };
        let of_image = |part: &str| match (&root, named(part)) {
            (Some(root), part) => part.replace(ROOT, &format!(" --root {root}{ROOT}")).replace(BELOW, root),
            (None, part) => part,
        };
        let mut pasted = String::new();
        let mut rest = self.marked();
        while let Some((before, line)) = rest.split_once(ROOTS) {
            let (line, after) = line.split_once(ROOTS_END).unwrap_or((line, ""));
            pasted.push_str(&of_image(before));
            let bare = bare(line);
            let line = &of_image(&bare);
            pasted.push_str(&match person.again.flags(&bare) {
                Some("") => "the same command".to_owned(),
                Some(flags) => format!("the same command with {}", in_marks(flags.trim_start())),
                None if person.privileged => in_marks(line),
                None if is_simple(line) => in_marks(&format!("sudo {line}")),
                None => in_marks(&format!("sudo sh -c '{}'", line.replace('\'', r"'\''"))),
            });
            rest = after;
        }
        pasted.push_str(&of_image(rest));
        Self::of_marked(pasted)
    }

    /// Does it name a command of ours that is this call again?
    pub(crate) fn is_again(&self, again: Again) -> bool {
        let mut lines = self.marked().split(ROOTS).filter_map(|rest| Some(rest.split_once(ROOTS_END)?.0));
        lines.any(|line| again.flags(&bare(line)).is_some())
    }
}

/// A line without the places, such as `<FILE>`, that a person has to fill.
fn filled(line: &str) -> String {
    let mut filled = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        filled.push_str(before);
        let place = after.split_once('>').filter(|(place, _)| {
            !place.is_empty() && place.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        });
        match place {
            Some((_, behind)) => rest = behind,
            None => {
                filled.push('<');
                rest = after;
            }
        }
    }
    filled + rest
}

/// Is it one command, without operators and expansions of the shell?
fn is_simple(line: &str) -> bool {
    let line = filled(line);
    let mut quote = None;
    !line.chars().any(|character| match (quote, character) {
        (None, '\'' | '"') => {
            quote = Some(character);
            false
        }
        (Some(open), _) if open == character => {
            quote = None;
            false
        }
        (Some('\''), _) => false,
        (Some(_), _) => matches!(character, '$' | '`'),
        (None, _) => "|&;<>()$`\n".contains(character),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;
    use crate::text::own;

    fn image() -> Person {
        Person { image: Some("/mnt/a b".into()), privileged: true, ..Person::default() }
    }

    #[test]
    fn commands_of_ours_name_the_image_that_they_work_on() {
        let then = text!("add it, then: {}", ics_setup("check --only x"));
        assert_eq!(then, "add it, then: ics-setup check --only x");
        assert_eq!(then.pasted_by(&image()), "add it, then: ics-setup check --only x --root '/mnt/a b'");
        let noted = text!("{}   # a TLS port?", ics_setup("reconfigure --redis-tls"));
        let shut = Person { privileged: false, ..image() };
        assert_eq!(noted.pasted_by(&image()), "ics-setup reconfigure --redis-tls --root '/mnt/a b'   # a TLS port?");
        assert_eq!(noted.pasted_by(&shut), "sudo ics-setup reconfigure --redis-tls --root '/mnt/a b'   # a TLS port?");
        assert_eq!(text!("{}", own("redis-cli ping")).pasted_by(&image()), "redis-cli ping");
    }

    #[test]
    fn commands_of_ours_name_the_product_that_they_are_about() {
        let person = Person { settings: Some("/root/s.toml".into()), privileged: true, ..Person::default() };
        for (line, pasted) in [
            ("reconfigure --mysql-host h", "ics-setup reconfigure --mysql-host h --settings /root/s.toml"),
            ("revert", "ics-setup revert"),
        ] {
            assert_eq!(Text::from(ics_setup(line)).pasted_by(&person), pasted);
        }
        let person = Person { home: Some("/opt/x".into()), privileged: true, ..Person::default() };
        for (line, pasted) in [
            ("reconfigure --mysql-host h", "ics-setup reconfigure --mysql-host h --home /opt/x"),
            ("reconfigure --home /y --mysql-host h", "ics-setup reconfigure --home /y --mysql-host h"),
            ("revert", "ics-setup revert"),
            ("network list --all", "ics-setup network list --all"),
        ] {
            assert_eq!(text!("do: {}", ics_setup(line)).pasted_by(&person), format!("do: {pasted}"));
        }
        let both = text!("{}, then {}", ics_setup("prepare"), ics_setup("check"));
        let image = Person { image: Some("/mnt".into()), ..person };
        let pasted = "ics-setup prepare --home /opt/x --root /mnt, then ics-setup check --home /opt/x --root /mnt";
        assert_eq!(both.pasted_by(&image), pasted);
    }

    #[test]
    fn whoever_has_written_nothing_yet_is_given_flags_for_the_same_command() {
        let again = Person { again: Again::Reconfigure, ..image() };
        let named = text!("name it: {}, then {}", ics_setup("reconfigure --redis-port <PORT>"), ics_setup("check"));
        assert_eq!(
            named.pasted_by(&again),
            "name it: the same command with --redis-port <PORT>, then ics-setup check --root '/mnt/a b'"
        );
        assert_eq!(text!("{}", ics_setup("reconfigure")).pasted_by(&again), "the same command");
        let before = text!("{}", ics_setup_before("reconfigure", "--no-secrets-provider"));
        let line = "ics-setup reconfigure --root '/mnt/a b' --no-secrets-provider";
        assert_eq!(before.pasted_by(&again), line);
        assert_eq!(text!("{}", ics_setup("prepare")).pasted_by(&again), "ics-setup prepare --root '/mnt/a b'");
        for (called, verb, is_it) in [
            (Again::No, "prepare", false),
            (Again::Prepare, "prepare --proxy-ca <CA.crt>", true),
            (Again::Prepare, "prepared", false),
            (Again::Prepare, "reconfigure", false),
            (Again::Reconfigure, "reconfigure", true),
            (Again::Reconfigure, "prepare", false),
            (Again::Install, "prepare --restart", true),
            (Again::Install, "reconfigure --mysql-host h", true),
            (Again::Install, "install", true),
            (Again::Install, "revert", false),
        ] {
            assert_eq!(Text::from(ics_setup(verb)).is_again(called), is_it, "{called:?} {verb}");
        }
    }

    #[test]
    fn files_of_the_host_are_those_of_the_image() {
        let line = text!("{}", as_root(text!("chmod o-r {}", of_host(Path::new("/etc/it's")))));
        assert_eq!(line.pasted_by(&image()), r"chmod o-r '/mnt/a b''/etc/it'\''s'");
        assert_eq!(line.pasted_by(&Person::default()), r"sudo chmod o-r '/etc/it'\''s'");
    }

    #[test]
    fn who_lacks_rights_is_given_sudo_for_the_whole_line() {
        let of = |line: CommandLine, privileged| {
            let person = Person { privileged, ..Person::default() };
            text!("{}", line).pasted_by(&person).to_string()
        };
        for (line, sudo) in [
            ("systemctl restart docker", "sudo systemctl restart docker"),
            ("a && b", "sudo sh -c 'a && b'"),
            ("a --host <HOST>:<PORT>", "sudo a --host <HOST>:<PORT>"),
            ("a </dev/null", "sudo sh -c 'a </dev/null'"),
            ("echo 'x' > /y", r"sudo sh -c 'echo '\''x'\'' > /y'"),
            ("prepare --proxy-user 'a&b'", "sudo prepare --proxy-user 'a&b'"),
            ("echo \"$(x)\"", "sudo sh -c 'echo \"$(x)\"'"),
        ] {
            assert_eq!(of(as_root(line), false), sudo);
            assert_eq!(of(as_root(line), true), line);
            assert_eq!(of(typed(line), false), line);
        }
        assert_eq!(of(ics_setup("preparex"), false), "ics-setup preparex");
        assert_eq!(of(ics_setup("revert"), false), "sudo ics-setup revert");
        assert_eq!(of(as_root(ics_setup("revert").text()), false), "sudo ics-setup revert");
        let two = text!("{}, then {}", ics_setup("prepare"), ics_setup("reconfigure"));
        assert_eq!(two.pasted_by(&Person::default()), "sudo ics-setup prepare, then sudo ics-setup reconfigure");
    }
}
