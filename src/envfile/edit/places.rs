//! Where a value may go: the line that decides, the end of the file, its beginning; and which lines go with a removal.

use super::Note;
use super::write::{append, line, written};
use crate::envfile::lines::{ASIDE, Occurrence, State, Syntax, find};
use crate::envfile::splice::{Splices, splice};
use crate::envfile::{Dialect, shell};

/// Ways to put the value into a line that is there already, best first.
pub(super) fn in_line(
    file: &[u8],
    syntax: Syntax,
    name: &str,
    value: &[u8],
    found: &[&Occurrence],
) -> Vec<(Splices, Vec<Note>)> {
    if syntax == Syntax::Shell {
        return in_script(file, name, value);
    }
    let active: Vec<&Occurrence> = found.iter().copied().filter(|at| at.state == State::Active).collect();
    let Some((target, others)) = active.split_last() else {
        let commented = found.iter().rev().find(|_| syntax == Syntax::EnvFile);
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

/// The value of one plain assignment of a script, from the last to the first; what else is on its line stays.
fn in_script(file: &[u8], name: &str, value: &[u8]) -> Vec<(Splices, Vec<Note>)> {
    let plain = shell::written(file).into_iter().rev().filter(|own| own.plain && own.name == name.as_bytes());
    let replaced = |own: shell::Written| {
        let quote = file[own.value.clone()].first().copied().filter(|byte| matches!(byte, b'"' | b'\''));
        Some((vec![(own.value, written(value, quote.or(Some(b'"')))?)], vec![Note::Set(name.to_owned())]))
    };
    plain.filter_map(replaced).collect()
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
    let mut bytes = if syntax == Syntax::Shell {
        splice(file, shell::cuts(file, name.as_bytes()).into_iter().map(|cut| (cut, Vec::new())).collect())
    } else {
        let gone = |at: Occurrence| match syntax {
            Syntax::EnvFile => (at.span.start..at.span.start, b"#".to_vec()),
            _ => (at.span.start..at.span.end + at.end, Vec::new()),
        };
        let active = find(file, syntax, &[name]).into_iter().filter(|at| at.state == State::Active);
        splice(file, active.map(gone).collect())
    };
    // Whatever else sets it in a script, under a condition or among other commands, is undone behind it.
    if syntax == Syntax::Shell && Dialect::Shell.read_only(&bytes, &[name.as_bytes()]).get(name.as_bytes()).is_some() {
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(format!("unset {name}\n").as_bytes());
    }
    notes.extend((bytes != file).then(|| Note::Removed(name.to_owned())));
    bytes
}

/// Comments the active lines of the name with the mark of what comes back.
pub(super) fn aside(file: &[u8], syntax: Syntax, name: &str, notes: &mut Vec<Note>) -> Vec<u8> {
    let active = find(file, syntax, &[name]).into_iter().filter(|at| at.state == State::Active);
    let splices: Splices = active.map(|at| (at.span.start..at.span.start, ASIDE.as_bytes().to_vec())).collect();
    notes.extend((!splices.is_empty()).then(|| Note::Aside(name.to_owned())));
    splice(file, splices)
}

/// Takes the mark from the lines of the name. One that somebody has written since counts.
pub(super) fn back(file: &[u8], syntax: Syntax, name: &str, notes: &mut Vec<Note>) -> Vec<u8> {
    let found = find(file, syntax, &[name]);
    let has_active = found.iter().any(|at| at.state == State::Active);
    let aside = found.into_iter().filter(|at| at.state == State::Aside && !has_active);
    let splices: Splices = aside.map(|at| (at.span.start..at.span.start + ASIDE.len(), Vec::new())).collect();
    notes.extend((!splices.is_empty()).then(|| Note::Back(name.to_owned())));
    splice(file, splices)
}
