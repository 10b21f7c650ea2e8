//! Changes variables in a file and touches nothing else.
//!
//! An edit is tried in place first, then at the end of the file, then at its beginning. A place is accepted when the
//! [`Dialect`]s of the file's readers see the wanted value afterwards. So what decides is never the look of a line but what
//! its reader would get: a line inside a here-document, behind an unbalanced quote or under an `if` is left alone, because
//! changing it would not help.

use std::ops::Range;

use super::lines::{Occurrence, State, Syntax, find};
use super::{Complaint, Dialect, Reading, Seen};

/// One wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Every reader shall see this value; a commented line is brought back, a missing one is added.
    Set(&'a str, &'a [u8]),
    /// As [`Edit::Set`], but only where the name has an active line already.
    SetIfActive(&'a str, &'a [u8]),
    /// No reader shall see this name. In a Docker env file the lines are commented, elsewhere they are taken out.
    Remove(&'a str),
}

impl<'a> Edit<'a> {
    /// The variable.
    pub fn name(&self) -> &'a str {
        match self {
            Self::Set(name, _) | Self::SetIfActive(name, _) | Self::Remove(name) => name,
        }
    }
}

/// What was done, for the reasons of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A line got a new value.
    Set(String),
    /// A commented line was brought back; line number before the edit.
    Uncommented(String, usize),
    /// A line was added.
    Added(String),
    /// A further active line, which lost against a later one, was commented; line number before the edit.
    DuplicateCommented(String, usize),
    /// Lines were taken out or commented.
    Removed(String),
}

/// A changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// What was done, in the order of the wishes; empty when nothing had to be.
    pub notes: Vec<Note>,
    /// Readers that reject the file as a whole, for a line that we were not asked to change.
    pub rejections: Vec<Rejection>,
}

/// A reader that rejects a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reader.
    pub reader: &'static str,
    /// The line, counted from 1.
    pub line: usize,
    /// What the reader does.
    pub message: String,
}

/// Why a file cannot be edited so that its readers see the wanted values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reader} would not see the new value of {name}{why}")]
pub struct Refused {
    /// The variable.
    pub name: String,
    /// The reader that decides.
    pub reader: &'static str,
    /// What the reader does with this file, where it says so; begins with a blank or is empty.
    pub why: String,
}

/// Who reads the file.
#[derive(Clone, Copy, Debug)]
pub struct Readers {
    /// These must see the wanted values, or the edit is refused.
    pub must: &'static [Dialect],
    /// These should, and decide between places that are otherwise equal.
    pub should: &'static [Dialect],
}

impl Syntax {
    /// The readers of such a file.
    pub fn readers(self) -> Readers {
        use super::PamLimit;
        match self {
            Self::PamEnv => Readers {
                must: &[Dialect::PamEnv(PamLimit::None)],
                should: &[Dialect::SystemdEnvironmentFile, Dialect::Shell],
            },
            Self::Shell => Readers { must: &[Dialect::Shell], should: &[] },
            Self::EnvFile => Readers {
                must: &[Dialect::DockerEnvFile, Dialect::ComposeV1Plain, Dialect::ComposeV1Dotenv, Dialect::ComposeV2],
                should: &[],
            },
        }
    }
}

/// Applies the wishes to a file. Applying them again changes nothing.
///
/// # Errors
/// [`Refused`] when no place in the file makes its readers see a value. A reader of Docker env files that rejects the
/// whole file because of somebody else's line is not asked; the caller reports it.
pub fn edit(bytes: &[u8], syntax: Syntax, edits: &[Edit<'_>]) -> Result<Edited, Refused> {
    let judge = Judge { syntax };
    if syntax != Syntax::Shell
        && let Some(edited) = all_at_once(bytes, &judge, edits)
    {
        return Ok(edited);
    }
    let mut file = bytes.to_vec();
    let mut notes = Vec::new();
    for edit in edits {
        let wanted = std::slice::from_ref(edit);
        match *edit {
            Edit::Remove(name) => file = remove(&file, syntax, name, &mut notes),
            Edit::SetIfActive(name, _) if !judge.is_active(&file, name) => {}
            Edit::Set(name, value) | Edit::SetIfActive(name, value) => {
                if judge.satisfied(&file, wanted).is_none() {
                    file = set(&file, name, value, &judge, &mut notes)?;
                }
            }
        }
    }
    // A later wish must not have undone an earlier one.
    let rejections = judge.must(&file, edits)?;
    Ok(Edited { bytes: file, notes, rejections })
}

/// The usual case in one pass: every line in its natural place. `None` when some reader would disagree.
fn all_at_once(file: &[u8], judge: &Judge, edits: &[Edit<'_>]) -> Option<Edited> {
    let syntax = judge.syntax;
    if let Some(rejections) = judge.satisfied(file, edits) {
        return Some(Edited { bytes: file.to_vec(), notes: Vec::new(), rejections });
    }
    let names: Vec<&str> = edits.iter().map(Edit::name).collect();
    let found = find(file, syntax, &names);
    let (mut splices, mut added, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (index, edit) in edits.iter().enumerate() {
        let of_name: Vec<&Occurrence> = found.iter().filter(|at| at.name == index).collect();
        let has_active = of_name.iter().any(|at| at.state == State::Active);
        match *edit {
            Edit::Remove(_) if !has_active => {}
            Edit::SetIfActive(..) if !has_active => {}
            Edit::Remove(_) => return None,
            Edit::Set(name, value) | Edit::SetIfActive(name, value) => {
                if of_name.iter().filter(|at| at.state == State::Active).count() == 1
                    && judge.satisfied(file, &edits[index..=index]).is_some()
                {
                    continue;
                }
                match places_in_line(file, syntax, name, value, &of_name).into_iter().next() {
                    Some((new, done)) => {
                        splices.extend(new);
                        notes.extend(done);
                    }
                    None => {
                        added.push((name, value));
                        notes.push(Note::Added(name.to_owned()));
                    }
                }
            }
        }
    }
    let mut bytes = splice(file, splices);
    for (name, value) in added {
        append(&mut bytes, syntax, name, value);
    }
    judge.settled(&bytes, edits).map(|rejections| Edited { bytes, notes, rejections })
}

/// Asks the readers of one kind of file.
struct Judge {
    syntax: Syntax,
}

impl Judge {
    fn is_active(&self, file: &[u8], name: &str) -> bool {
        find(file, self.syntax, &[name]).iter().any(|found| found.state == State::Active)
            || self
                .syntax
                .readers()
                .must
                .iter()
                .any(|dialect| dialect.read_only(file, &[name.as_bytes()]).get(name.as_bytes()).is_some())
    }

    /// `Err` with the first reader that must see the wishes and does not.
    fn must(&self, file: &[u8], edits: &[Edit<'_>]) -> Result<Vec<Rejection>, Refused> {
        self.agree(self.syntax.readers().must, file, edits)
    }

    /// Is there nothing to do?
    fn satisfied(&self, file: &[u8], edits: &[Edit<'_>]) -> Option<Vec<Rejection>> {
        self.must(file, edits).ok().filter(|_| self.tidy(file, edits))
    }

    /// Satisfied, and the readers that merely should see the wishes do so too.
    fn settled(&self, file: &[u8], edits: &[Edit<'_>]) -> Option<Vec<Rejection>> {
        let rejections = self.satisfied(file, edits)?;
        self.agree(self.syntax.readers().should, file, edits).ok().map(|_| rejections)
    }

    /// In a script earlier assignments may be used by the lines between; elsewhere a name has at most one active line.
    fn tidy(&self, file: &[u8], edits: &[Edit<'_>]) -> bool {
        if self.syntax == Syntax::Shell {
            return true;
        }
        let names: Vec<&str> = edits.iter().map(Edit::name).collect();
        let found = find(file, self.syntax, &names);
        let active = |index| found.iter().filter(|at| at.name == index && at.state == State::Active).count();
        edits.iter().enumerate().all(|(index, edit)| active(index) <= usize::from(!matches!(edit, Edit::Remove(_))))
    }

    /// Reads the file with each reader. A reader of data files that rejects it because of a line that we were not asked
    /// to change cannot be satisfied by us: it is returned.
    fn agree(&self, dialects: &[Dialect], file: &[u8], edits: &[Edit<'_>]) -> Result<Vec<Rejection>, Refused> {
        let names: Vec<&[u8]> = edits.iter().map(|edit| edit.name().as_bytes()).collect();
        let mut rejections = Vec::new();
        for dialect in dialects {
            let reading = dialect.read_only(file, &names);
            if let Some(complaint) = self.anothers_fault(&reading, file, edits) {
                let Complaint { line, ref message, .. } = *complaint;
                rejections.push(Rejection { reader: dialect.name(), line, message: message.clone() });
                continue;
            }
            for edit in edits {
                let right = match (reading.get(edit.name().as_bytes()), edit) {
                    (Some(Seen::Value(seen)), Edit::Set(_, wanted) | Edit::SetIfActive(_, wanted)) => seen == wanted,
                    (None, Edit::SetIfActive(..) | Edit::Remove(_)) => true,
                    _ => false,
                };
                if !right || reading.is_fatal() {
                    let name = edit.name().to_owned();
                    return Err(Refused { name, reader: dialect.name(), why: why(&reading) });
                }
            }
        }
        Ok(rejections)
    }

    fn anothers_fault<'r>(&self, reading: &'r Reading, file: &[u8], edits: &[Edit<'_>]) -> Option<&'r Complaint> {
        if self.syntax == Syntax::Shell || !reading.is_fatal() {
            return None;
        }
        let names: Vec<&str> = edits.iter().map(Edit::name).collect();
        let own = find(file, self.syntax, &names);
        reading.complaints.iter().find(|complaint| complaint.fatal && !own.iter().any(|at| at.line == complaint.line))
    }
}

fn why(reading: &Reading) -> String {
    let fatal = reading.complaints.iter().find(|complaint| complaint.fatal);
    match fatal.or(reading.complaints.last()) {
        Some(complaint) => format!(": line {}: {}", complaint.line, complaint.message),
        None => String::new(),
    }
}

/// A file in which the readers see the value: each place is tried in turn.
fn set(file: &[u8], name: &str, value: &[u8], judge: &Judge, notes: &mut Vec<Note>) -> Result<Vec<u8>, Refused> {
    let syntax = judge.syntax;
    let wanted = [Edit::Set(name, value)];
    let found = find(file, syntax, &[name]);
    let found: Vec<&Occurrence> = found.iter().collect();
    let in_line = places_in_line(file, syntax, name, value, &found)
        .into_iter()
        .map(|(splices, done)| (splice(file, splices), done));
    let added = [false, true].into_iter().map(|top| added(file, syntax, name, value, &found, top));
    let mut second_best = None;
    for (bytes, done) in in_line.chain(added) {
        if judge.settled(&bytes, &wanted).is_some() {
            notes.extend(done);
            return Ok(bytes);
        }
        if second_best.is_none() && judge.satisfied(&bytes, &wanted).is_some() {
            second_best = Some((bytes, done));
        }
    }
    match second_best {
        Some((bytes, done)) => {
            notes.extend(done);
            Ok(bytes)
        }
        None => {
            let (bytes, _) = added_at_end(file, syntax, name, value, &found);
            judge.must(&bytes, &wanted)?;
            Ok(bytes)
        }
    }
}

type Splices = Vec<(Range<usize>, Vec<u8>)>;

/// Ways to put the value into a line that is there already, best first.
fn places_in_line(
    file: &[u8],
    syntax: Syntax,
    name: &str,
    value: &[u8],
    found: &[&Occurrence],
) -> Vec<(Splices, Vec<Note>)> {
    let active: Vec<&Occurrence> = found.iter().copied().filter(|at| at.state == State::Active).collect();
    if syntax == Syntax::Shell {
        return active.iter().rev().filter_map(|at| in_script_line(file, name, value, at)).collect();
    }
    let Some((target, others)) = active.split_last() else {
        let commented = found.iter().rev().find(|at| at.state == State::Commented && syntax == Syntax::EnvFile);
        let back = |at: &&Occurrence| {
            (vec![(at.span.clone(), line(syntax, name, value))], vec![Note::Uncommented(name.to_owned(), at.line)])
        };
        return commented.map(back).into_iter().collect();
    };
    styles(&file[target.value.clone()], syntax)
        .into_iter()
        .filter_map(|style| {
            let mut new = format!("{name}=").into_bytes();
            new.extend(written(value, style)?);
            let mut splices = vec![(target.span.clone(), new)];
            let mut done = vec![Note::Set(name.to_owned())];
            comment(others, name, &mut splices, &mut done);
            Some((splices, done))
        })
        .collect()
}

/// How the value may be quoted: as its writer did, as documented, bare.
fn styles(raw: &[u8], syntax: Syntax) -> Vec<Option<u8>> {
    if syntax == Syntax::EnvFile {
        return vec![None];
    }
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    let quoted = |quote: &u8| matches!(quote, b'"' | b'\'') && raw.len() > 1 && raw.last() == Some(quote);
    let own = raw.first().copied().filter(quoted);
    let mut styles = vec![own, Some(b'"'), None];
    styles.dedup();
    styles
}

/// The simple word of an assignment in a script is replaced, and what follows it on the line stays.
fn in_script_line(file: &[u8], name: &str, value: &[u8], at: &Occurrence) -> Option<(Splices, Vec<Note>)> {
    let word = simple_word(&file[at.value.clone()])?;
    let range = at.value.start..at.value.start + word;
    let quote = file.get(range.start).copied().filter(|byte| word > 0 && matches!(byte, b'"' | b'\''));
    Some((vec![(range, written(value, quote.or(Some(b'"')))?)], vec![Note::Set(name.to_owned())]))
}

/// The file with a new line at its end or at its top.
fn added(
    file: &[u8],
    syntax: Syntax,
    name: &str,
    value: &[u8],
    found: &[&Occurrence],
    top: bool,
) -> (Vec<u8>, Vec<Note>) {
    if !top {
        return added_at_end(file, syntax, name, value, found);
    }
    let (cleared, mut done) = cleared(file, syntax, name, found);
    let mut new = line(syntax, name, value);
    new.push(b'\n');
    // Behind a byte order mark or an interpreter line, which must stay first.
    let first = cleared.starts_with(b"\xEF\xBB\xBF") || cleared.starts_with(b"#!");
    let at = if first { memchr::memchr(b'\n', &cleared).map_or(cleared.len(), |at| at + 1) } else { 0 };
    done.push(Note::Added(name.to_owned()));
    (splice(&cleared, vec![(at..at, new)]), done)
}

fn added_at_end(file: &[u8], syntax: Syntax, name: &str, value: &[u8], found: &[&Occurrence]) -> (Vec<u8>, Vec<Note>) {
    let (mut bytes, mut done) = cleared(file, syntax, name, found);
    append(&mut bytes, syntax, name, value);
    done.push(Note::Added(name.to_owned()));
    (bytes, done)
}

/// The file without active lines of the name, where the kind of file allows to take them away.
fn cleared(file: &[u8], syntax: Syntax, name: &str, found: &[&Occurrence]) -> (Vec<u8>, Vec<Note>) {
    let (mut splices, mut done) = (Vec::new(), Vec::new());
    if syntax != Syntax::Shell {
        let active: Vec<&Occurrence> = found.iter().copied().filter(|at| at.state == State::Active).collect();
        comment(&active, name, &mut splices, &mut done);
    }
    (splice(file, splices), done)
}

fn comment(lines: &[&Occurrence], name: &str, splices: &mut Splices, done: &mut Vec<Note>) {
    for at in lines {
        splices.push((at.span.start..at.span.start, b"#".to_vec()));
        done.push(Note::DuplicateCommented(name.to_owned(), at.line));
    }
}

fn append(bytes: &mut Vec<u8>, syntax: Syntax, name: &str, value: &[u8]) {
    // Docker's readers strip a carriage return; for PAM and shells it would be part of the value.
    let crlf =
        syntax == Syntax::EnvFile && memchr::memchr(b'\n', bytes).is_some_and(|at| at > 0 && bytes[at - 1] == b'\r');
    let end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.extend_from_slice(end);
    }
    bytes.extend_from_slice(&line(syntax, name, value));
    bytes.extend_from_slice(end);
}

/// Takes the name out. What a reader would still see afterwards is the caller's to judge.
fn remove(file: &[u8], syntax: Syntax, name: &str, notes: &mut Vec<Note>) -> Vec<u8> {
    let mut bytes = file.to_vec();
    let mut removed = false;
    let active = find(file, syntax, &[name]).into_iter().filter(|at| at.state == State::Active);
    // From the end, so that earlier positions stay true and, in a script, each line tried is the deciding one.
    for at in active.collect::<Vec<_>>().into_iter().rev() {
        if syntax == Syntax::EnvFile {
            bytes = splice(&bytes, vec![(at.span.start..at.span.start, b"#".to_vec())]);
        } else if syntax == Syntax::PamEnv || decides(&bytes, name, &at) {
            bytes = splice(&bytes, vec![(at.span.start..at.span.end + at.end, Vec::new())]);
        } else {
            continue;
        }
        removed = true;
    }
    if removed {
        notes.push(Note::Removed(name.to_owned()));
    }
    bytes
}

/// Is this line, and no other, what a shell would see? Tried by giving it a value that nothing else has.
fn decides(file: &[u8], name: &str, at: &Occurrence) -> bool {
    const MARK: &[u8] = b"ics-setup-tries-this-line";
    let raw = &file[at.value.clone()];
    let Some(word) = simple_word(raw) else { return false };
    // Something else on the same line would be lost with it.
    let rest = raw[word..].iter().skip_while(|byte| matches!(byte, b' ' | b'\t')).copied().collect::<Vec<u8>>();
    let alone = rest.is_empty()
        || rest.starts_with(b"#")
        || rest.starts_with(format!("; export {name}").as_bytes())
        || rest == b";";
    if !alone {
        return false;
    }
    let mut marked = splice(file, vec![(at.value.start..at.value.start + word, MARK.to_vec())]);
    marked.extend_from_slice(format!("\nexport {name}\n").as_bytes());
    Dialect::Shell.read_only(&marked, &[name.as_bytes()]).get(name.as_bytes()) == Some(&Seen::Value(MARK.to_vec()))
}

/// The documented way to write a line.
fn line(syntax: Syntax, name: &str, value: &[u8]) -> Vec<u8> {
    let (before, quote) = match syntax {
        Syntax::PamEnv => ("", Some(b'"')),
        Syntax::Shell => ("export ", Some(b'"')),
        Syntax::EnvFile => ("", None),
    };
    let mut bytes = format!("{before}{name}=").into_bytes();
    bytes.extend(written(value, quote).unwrap_or_else(|| value.to_vec()));
    bytes
}

/// The value between quotes, or bare; `None` where that would not be the same value.
fn written(value: &[u8], quote: Option<u8>) -> Option<Vec<u8>> {
    let Some(quote) = quote else { return Some(value.to_vec()) };
    let special: &[u8] = if quote == b'"' { b"\"$`\\!" } else { b"'" };
    if value.iter().any(|byte| special.contains(byte)) {
        return None;
    }
    let mut bytes = vec![quote];
    bytes.extend_from_slice(value);
    bytes.push(quote);
    Some(bytes)
}

/// Length of a shell word that is one quoted text or plain characters only; `None` for anything that has to be expanded.
fn simple_word(text: &[u8]) -> Option<usize> {
    let end = match text.first() {
        Some(quote @ (b'"' | b'\'')) => {
            let close = 1 + memchr::memchr(*quote, &text[1..])?;
            if *quote == b'"' && text[1..close].iter().any(|byte| matches!(byte, b'$' | b'`' | b'\\')) {
                return None;
            }
            close + 1
        }
        _ => text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_.,:/@%+=-*[]~\r".contains(byte)).count(),
    };
    text.get(end).is_none_or(|byte| matches!(byte, b' ' | b'\t' | b';' | b'#')).then_some(end)
}

/// Replaces ranges, which must not overlap; their order does not matter.
fn splice(bytes: &[u8], mut splices: Splices) -> Vec<u8> {
    splices.sort_by_key(|(range, _)| range.start);
    let grown: usize = splices.iter().map(|(_, new)| new.len()).sum();
    let mut out = Vec::with_capacity(bytes.len() + grown);
    let mut at = 0;
    for (range, new) in splices {
        out.extend_from_slice(&bytes[at..range.start]);
        out.extend_from_slice(&new);
        at = range.end;
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set_all(text: &str, syntax: Syntax, values: &[(&str, &str)]) -> Edited {
        let edits: Vec<Edit<'_>> = values.iter().map(|(name, value)| Edit::Set(name, value.as_bytes())).collect();
        let edited = edit(text.as_bytes(), syntax, &edits).unwrap();
        let again = edit(&edited.bytes, syntax, &edits).unwrap();
        assert_eq!((again.bytes, again.notes), (edited.bytes.clone(), Vec::new()), "a second edit changes nothing");
        edited
    }

    fn text(edited: &Edited) -> &str {
        std::str::from_utf8(&edited.bytes).unwrap()
    }

    #[test]
    fn the_vendors_file_is_uncommented_in_place() {
        let file = "# Uncomment if behind a proxy. Set http_proxy=URL as needed.\n#http_proxy=http://proxy.acmecorp.com\nA=1\n# no_proxy = mysql, redis\n";
        let edited = set_all(
            file,
            Syntax::EnvFile,
            &[("http_proxy", "http://p:1"), ("no_proxy", "a,b"), ("https_proxy", "http://p:1")],
        );
        assert_eq!(
            text(&edited),
            "# Uncomment if behind a proxy. Set http_proxy=URL as needed.\nhttp_proxy=http://p:1\nA=1\nno_proxy=a,b\nhttps_proxy=http://p:1\n"
        );
        assert_eq!(edited.notes.len(), 3);
    }

    #[test]
    fn one_active_line_is_left_and_the_last_was_the_one_that_counted() {
        let edited = set_all("no_proxy=a\nX=1\nno_proxy=b\r\nY=2", Syntax::EnvFile, &[("no_proxy", "c")]);
        assert_eq!(text(&edited), "#no_proxy=a\nX=1\nno_proxy=c\r\nY=2");
        assert_eq!(edited.notes, [Note::Set("no_proxy".into()), Note::DuplicateCommented("no_proxy".into(), 1)]);
        let right_already = set_all("no_proxy=a\nno_proxy=c\n", Syntax::EnvFile, &[("no_proxy", "c")]);
        assert_eq!(text(&right_already), "#no_proxy=a\nno_proxy=c\n");
    }

    #[test]
    fn spellings_that_docker_rejects_are_mended() {
        for bad in [
            "export http_proxy=x\n",
            "http_proxy = x\n",
            "http_proxy\n",
            "http_proxy: x\n",
            "http_proxy=\"http://p:1\"\n",
        ] {
            assert_eq!(
                text(&set_all(bad, Syntax::EnvFile, &[("http_proxy", "http://p:1")])),
                "http_proxy=http://p:1\n",
                "{bad}"
            );
        }
    }

    #[test]
    fn etc_environment_keeps_its_own_quoting_and_gets_the_documented_one() {
        let edited = set_all(
            "PATH=\"/bin\"\nhttp_proxy='http://old:1'\r\nno_proxy=a",
            Syntax::PamEnv,
            &[("http_proxy", "http://p:1"), ("no_proxy", "a,b"), ("https_proxy", "http://p:1")],
        );
        assert_eq!(text(&edited), "PATH=\"/bin\"\nhttp_proxy='http://p:1'\nno_proxy=a,b\nhttps_proxy=\"http://p:1\"\n");
    }

    #[test]
    fn a_continued_last_line_does_not_swallow_the_new_one() {
        let edited = set_all("A=1\\\n", Syntax::PamEnv, &[("http_proxy", "http://p:1")]);
        assert_eq!(text(&edited), "http_proxy=\"http://p:1\"\nA=1\\\n");
    }

    #[test]
    fn a_script_is_changed_only_where_it_decides() {
        let values = [("http_proxy", "http://p:1")];
        let script = |text| set_all(text, Syntax::Shell, &values);
        assert_eq!(text(&script("export http_proxy='http://o:1' # mine\n")), "export http_proxy='http://p:1' # mine\n");
        assert_eq!(
            text(&script("cat >f <<E\nexport http_proxy=old\nE\n")),
            "cat >f <<E\nexport http_proxy=old\nE\nexport http_proxy=\"http://p:1\"\n"
        );
        assert_eq!(
            text(&script("if true; then\n export http_proxy=x\nfi\n")),
            "if true; then\n export http_proxy=x\nfi\nexport http_proxy=\"http://p:1\"\n"
        );
        assert_eq!(
            text(&script("http_proxy=\"http://o:1\"; export http_proxy\n")),
            "http_proxy=\"http://p:1\"; export http_proxy\n"
        );
        assert!(edit(b"A='unterminated\n", Syntax::Shell, &[Edit::Set("http_proxy", b"x")]).is_err());
    }

    #[test]
    fn removal_leaves_nothing_to_see() {
        let remove = |text: &str, syntax| {
            edit(text.as_bytes(), syntax, &[Edit::Remove("http_proxy")]).map(|e| String::from_utf8(e.bytes).unwrap())
        };
        assert_eq!(remove("A=1\nhttp_proxy=\"x\"\nB=2\n", Syntax::PamEnv).unwrap(), "A=1\nB=2\n");
        assert_eq!(
            remove("A=1\nhttp_proxy=x\nhttp_proxy=y\n", Syntax::EnvFile).unwrap(),
            "A=1\n#http_proxy=x\n#http_proxy=y\n"
        );
        assert_eq!(remove("export http_proxy=\"x\"\nexport http_proxy=\"x\"\nB=2\n", Syntax::Shell).unwrap(), "B=2\n");
        assert_eq!(remove("A=1\n", Syntax::Shell).unwrap(), "A=1\n");
        assert!(remove("if x; then export http_proxy=y; fi\n", Syntax::Shell).is_err());
    }

    fn syntaxes() -> impl Strategy<Value = Syntax> {
        prop_oneof![Just(Syntax::PamEnv), Just(Syntax::Shell), Just(Syntax::EnvFile)]
    }

    /// Files made of the pieces that parsers trip over.
    fn files() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(&b"http_proxy="[..]), 2 => Just(&b"no_proxy="[..]), 2 => Just(&b"export "[..]), 4 => Just(&b"\n"[..]),
            1 => Just(&b"#"[..]), 1 => Just(&b" "[..]), 1 => Just(&b"\""[..]), 1 => Just(&b"'"[..]), 1 => Just(&b"\\"[..]), 1 => Just(&b"\r\n"[..]), 1 => Just(&b"$X"[..]),
            1 => Just(&b"\xEF\xBB\xBF"[..]), 1 => Just(&b"\xff"[..]), 1 => Just(&b"abc"[..]), 1 => Just(&b"A=1"[..]), 1 => Just(&b";"[..]), 1 => Just(&b"if x\nthen\n"[..]),
            1 => Just(&b"fi\n"[..]), 1 => Just(&b"<<E\n"[..]), 1 => Just(&b"E\n"[..]), 1 => Just(&b": "[..]), 1 => Just(&b"\0"[..]), 1 => Just(&b"HTTP_PROXY=$http_proxy"[..]),
        ];
        prop_oneof![
            3 => proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()),
            1 => proptest::collection::vec(any::<u8>(), 0..64),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn whatever_the_file_the_readers_see_the_value_or_the_edit_is_refused(file in files(), syntax in syntaxes(), value in "[a-zA-Z0-9_.,:/@%+=-]{0,12}") {
            let edits = [Edit::Set("http_proxy", value.as_bytes()), Edit::SetIfActive("HTTP_PROXY", value.as_bytes()), Edit::Set("no_proxy", b"a,b")];
            if let Ok(edited) = edit(&file, syntax, &edits) {
                for dialect in syntax.readers().must {
                    let reading = dialect.read(&edited.bytes);
                    if reading.is_fatal() {
                        continue;
                    }
                    prop_assert_eq!(reading.get(b"http_proxy"), Some(&Seen::Value(value.as_bytes().to_vec())), "{:?}", dialect);
                }
                let again = edit(&edited.bytes, syntax, &edits).unwrap();
                prop_assert_eq!(&again.bytes, &edited.bytes);
                prop_assert!(again.notes.is_empty());
            }
        }

        #[test]
        fn lines_that_are_not_named_stay(file in files(), syntax in syntaxes()) {
            let names = ["http_proxy", "no_proxy"];
            let edits = [Edit::Set("http_proxy", b"v"), Edit::Set("no_proxy", b"w")];
            let others = |bytes: &[u8]| -> Vec<Vec<u8>> {
                let text = bytes.to_vec();
                text.split(|b| *b == b'\n').filter(|line| !names.iter().any(|name| memchr::memmem::find(line, name.as_bytes()).is_some()))
                    // A last line without an end gets one when something follows it.
                    .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                    .filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
            };
            if let Ok(edited) = edit(&file, syntax, &edits) {
                prop_assert_eq!(others(&file), others(&edited.bytes));
            }
        }

        #[test]
        fn removal_after_setting_leaves_no_reader_a_value(file in files(), syntax in syntaxes()) {
            if let Ok(edited) = edit(&file, syntax, &[Edit::Remove("http_proxy")]) {
                for dialect in syntax.readers().must {
                    let reading = dialect.read(&edited.bytes);
                    prop_assert!(reading.is_fatal() || reading.get(b"http_proxy").is_none(), "{:?}", dialect);
                }
            }
        }
    }
}
