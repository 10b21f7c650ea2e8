//! Changes variables in a file and touches nothing else.
//!
//! An edit is tried in place first, then at the end of the file, then at its beginning. A place is accepted when the
//! [`Dialect`]s of the file's readers see the wanted value afterwards. So what decides is never the look of a line but what
//! its reader would get: a line inside a here-document, behind an unbalanced quote or under an `if` is left alone, because
//! changing it would not help.

mod judge;
mod places;
#[cfg(test)]
mod tests;
mod write;

use super::Dialect;
use super::lines::{Occurrence, State, Syntax, find};
use super::splice::splice;
use crate::text::{Foreign, shown_by_display};
use judge::Judge;
use places::{added, aside, back, in_line, remove};
use write::append;

/// One wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Every reader shall see this value; a commented line is brought back, a missing one is added.
    Set(&'a str, &'a [u8]),
    /// As [`Edit::Set`], but only where the name has an active line already.
    SetIfActive(&'a str, &'a [u8]),
    /// No reader shall see this name. In a Docker env file the lines are commented, elsewhere they are taken out.
    Remove(&'a str),
    /// As [`Edit::Remove`] in a Docker env file, with a comment mark by which [`Edit::Back`] knows the lines again.
    Aside(&'a str),
    /// The lines that were set aside take effect again as they stood, unless the name has an active line.
    Back(&'a str),
}

impl<'a> Edit<'a> {
    /// The variable.
    pub fn name(&self) -> &'a str {
        match self {
            Self::Set(name, _) | Self::SetIfActive(name, _) => name,
            Self::Remove(name) | Self::Aside(name) | Self::Back(name) => name,
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
    /// Lines were set aside.
    Aside(String),
    /// They are back.
    Back(String),
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
    pub message: &'static str,
}

/// Why a file cannot be edited so that its readers see the wanted values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reader} would {}{name}{why}", if *spoils { "see another value of " } else { "not see the new value of " })]
pub struct Refused {
    /// The variable.
    pub name: String,
    /// It is another variable than those that are edited, and its value would change.
    pub spoils: bool,
    /// The reader that decides.
    pub reader: &'static str,
    /// What the reader does with this file, where it says so; begins with a blank or is empty.
    pub why: Foreign,
}

shown_by_display!(Refused);

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
            // Releases differ in how they continue lines and in what a NUL does; their limits are the caller's to judge.
            Self::PamEnv => Readers {
                must: &[
                    Dialect::PamEnv(PamLimit::None),
                    Dialect::PamEnv(PamLimit::Drop(usize::MAX)),
                    Dialect::PamEnv(PamLimit::Cut(usize::MAX)),
                ],
                should: &[Dialect::SystemdEnvironmentFile, Dialect::Shell],
            },
            Self::Shell => Readers { must: &[Dialect::Shell], should: &[] },
            // Scripts of SysV init source the same files.
            Self::EnvironmentFile => Readers { must: &[Dialect::SystemdEnvironmentFile], should: &[Dialect::Shell] },
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
            Edit::Aside(name) => file = aside(&file, syntax, name, &mut notes),
            Edit::Back(name) => file = back(&file, syntax, name, &mut notes),
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
    judge.spares(bytes, &file, edits)?;
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
            Edit::Remove(_) | Edit::Aside(_) | Edit::SetIfActive(..) if !has_active => {}
            Edit::Back(_) if has_active || !of_name.iter().any(|at| at.state == State::Aside) => {}
            Edit::Remove(_) | Edit::Aside(_) | Edit::Back(_) => return None,
            Edit::Set(name, value) | Edit::SetIfActive(name, value) => {
                if of_name.iter().filter(|at| at.state == State::Active).count() == 1
                    && judge.satisfied(file, &edits[index..=index]).is_some()
                {
                    continue;
                }
                match in_line(file, syntax, name, value, &of_name).into_iter().next() {
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
    let rejections = judge.settled(&bytes, edits)?;
    judge.spares(file, &bytes, edits).ok().map(|()| Edited { bytes, notes, rejections })
}

/// A file in which the readers see the value: each place is tried in turn.
fn set(file: &[u8], name: &str, value: &[u8], judge: &Judge, notes: &mut Vec<Note>) -> Result<Vec<u8>, Refused> {
    let syntax = judge.syntax;
    let wanted = [Edit::Set(name, value)];
    let found = find(file, syntax, &[name]);
    let found: Vec<&Occurrence> = found.iter().collect();
    let in_lines =
        in_line(file, syntax, name, value, &found).into_iter().map(|(splices, done)| (splice(file, splices), done));
    let by_line = [false, true].into_iter().map(|top| added(file, syntax, name, value, &found, top));
    let mut second_best = None;
    for (bytes, done) in in_lines.chain(by_line) {
        if judge.spares(file, &bytes, &wanted).is_err() {
            continue;
        }
        if judge.settled(&bytes, &wanted).is_some() {
            notes.extend(done);
            return Ok(bytes);
        }
        if second_best.is_none() && judge.satisfied(&bytes, &wanted).is_some() {
            second_best = Some((bytes, done));
        }
    }
    let Some((bytes, done)) = second_best else {
        let (bytes, _) = added(file, syntax, name, value, &found, false);
        judge.must(&bytes, &wanted)?;
        return judge.spares(file, &bytes, &wanted).map(|()| bytes);
    };
    notes.extend(done);
    Ok(bytes)
}
