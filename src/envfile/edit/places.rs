//! Where a value may go: the line that decides, the end of the file, its beginning; and which lines go with a removal.

use super::Note;
use super::write::{append, line, simple_word, written};
use crate::envfile::lines::{Occurrence, State, Syntax, find};
use crate::envfile::splice::{Splices, splice};
use crate::envfile::{Dialect, Seen};

/// Ways to put the value into a line that is there already, best first.
pub(super) fn in_line(
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
pub(super) fn added(
    file: &[u8],
    syntax: Syntax,
    name: &str,
    value: &[u8],
    found: &[&Occurrence],
    top: bool,
) -> (Vec<u8>, Vec<Note>) {
    let (mut bytes, mut done) = cleared(file, syntax, name, found);
    done.push(Note::Added(name.to_owned()));
    if !top {
        append(&mut bytes, syntax, name, value);
        return (bytes, done);
    }
    let mut new = line(syntax, name, value);
    new.push(b'\n');
    // Behind a byte order mark or an interpreter line, which must stay first.
    let first = bytes.starts_with(b"\xEF\xBB\xBF") || bytes.starts_with(b"#!");
    let at = if first { memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1) } else { 0 };
    (splice(&bytes, vec![(at..at, new)]), done)
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

/// Takes the name out. What a reader would still see afterwards is the caller's to judge.
pub(super) fn remove(file: &[u8], syntax: Syntax, name: &str, notes: &mut Vec<Note>) -> Vec<u8> {
    let active = find(file, syntax, &[name]).into_iter().filter(|at| at.state == State::Active);
    if syntax != Syntax::Shell {
        let gone = |at: Occurrence| match syntax {
            Syntax::EnvFile => (at.span.start..at.span.start, b"#".to_vec()),
            _ => (at.span.start..at.span.end + at.end, Vec::new()),
        };
        let splices: Splices = active.map(gone).collect();
        notes.extend((!splices.is_empty()).then(|| Note::Removed(name.to_owned())));
        return splice(file, splices);
    }
    let mut bytes = file.to_vec();
    // From the end, so that earlier positions stay true and each line tried is the deciding one.
    for at in active.collect::<Vec<_>>().into_iter().rev() {
        if decides(&bytes, name, &at) {
            bytes = splice(&bytes, vec![(at.span.start..at.span.end + at.end, Vec::new())]);
        }
    }
    // Whatever else sets it, under a condition or among other things on its line, is undone behind it.
    if Dialect::Shell.read_only(&bytes, &[name.as_bytes()]).get(name.as_bytes()).is_some() {
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(format!("unset {name}\n").as_bytes());
    }
    if bytes != file {
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
