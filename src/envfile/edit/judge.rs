//! Asks the readers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Edit, Refused, Rejection};
use crate::envfile::lines::{Occurrence, State, Syntax, find};
use crate::envfile::{Complaint, Dialect, Reading, Seen};

/// Asks the readers of one kind of file.
pub(super) struct Judge {
    pub(super) syntax: Syntax,
}

impl Judge {
    pub(super) fn is_active(&self, file: &[u8], name: &str) -> bool {
        let sees = |dialect: &Dialect| dialect.read_only(file, &[name.as_bytes()]).get(name.as_bytes()).is_some();
        find(file, self.syntax, &[name]).iter().any(|found| found.state == State::Active)
            || self.syntax.readers().must.iter().any(sees)
    }

    /// `Err` with the first reader that must see the wishes and does not.
    pub(super) fn must(&self, file: &[u8], edits: &[Edit<'_>]) -> Result<Vec<Rejection>, Refused> {
        self.agree(self.syntax.readers().must, file, edits)
    }

    /// Is there nothing to do?
    pub(super) fn satisfied(&self, file: &[u8], edits: &[Edit<'_>]) -> Option<Vec<Rejection>> {
        self.must(file, edits).ok().filter(|_| self.tidy(file, edits))
    }

    /// Satisfied, and the readers that merely should see the wishes do so too.
    pub(super) fn settled(&self, file: &[u8], edits: &[Edit<'_>]) -> Option<Vec<Rejection>> {
        let rejections = self.satisfied(file, edits)?;
        self.agree(self.syntax.readers().should, file, edits).ok().map(|_| rejections)
    }

    /// In a script earlier assignments may be used by the lines between; elsewhere a name has at most one active line.
    fn tidy(&self, file: &[u8], edits: &[Edit<'_>]) -> bool {
        if self.syntax == Syntax::Shell {
            return true;
        }
        let found = self.lines_of(file, edits);
        let count = |index, state| found.iter().filter(|at| at.name == index && at.state == state).count();
        edits.iter().enumerate().all(|(index, edit)| {
            let active = count(index, State::Active);
            match edit {
                Edit::Remove(_) | Edit::Aside(_) => active == 0,
                Edit::Set(..) | Edit::SetIfActive(..) => active <= 1,
                Edit::Back(_) => active > 0 || count(index, State::Aside) == 0,
            }
        })
    }

    /// Reads the file with each reader. A reader of data files that rejects it because of a line that we were not asked
    /// to change cannot be satisfied by us: it is returned.
    fn agree(&self, dialects: &[Dialect], file: &[u8], edits: &[Edit<'_>]) -> Result<Vec<Rejection>, Refused> {
        // What comes back is as it stood, whatever readers make of it.
        let edits: Vec<Edit<'_>> = edits.iter().filter(|edit| !matches!(edit, Edit::Back(_))).copied().collect();
        let edits = edits.as_slice();
        let names: Vec<&[u8]> = edits.iter().map(|edit| edit.name().as_bytes()).collect();
        let mut rejections = Vec::new();
        let condensed =
            (self.syntax == Syntax::EnvFile && file.len() > LARGE).then(|| condensed(file, &names)).flatten();
        for dialect in dialects {
            // A complaint names a line, so it has to come from the whole file.
            let short = condensed.as_ref().map(|short| dialect.read_only(short, &names));
            let reading = match short.filter(|reading| reading.complaints.is_empty()) {
                Some(reading) => reading,
                None => dialect.read_only(file, &names),
            };
            let reading = match self.anothers_fault(&reading, file, edits) {
                None => reading,
                Some(complaint) => {
                    let Complaint { line, message, .. } = *complaint;
                    rejections.push(Rejection { reader: dialect.name(), line, message });
                    // The rest of the file is not ours to mend; our lines have to be right all the same.
                    dialect.read_only(&self.own_lines(file, edits), &names)
                }
            };
            for edit in edits {
                let right = match (reading.get(edit.name().as_bytes()), edit) {
                    (Some(Seen::Value(seen)), Edit::Set(_, wanted) | Edit::SetIfActive(_, wanted)) => seen == wanted,
                    (None, Edit::SetIfActive(..) | Edit::Remove(_) | Edit::Aside(_)) => true,
                    _ => false,
                };
                if !right || reading.is_fatal() {
                    let name = edit.name().to_owned();
                    return Err(Refused { name, spoils: false, reader: dialect.name(), why: why(&reading).into() });
                }
            }
        }
        Ok(rejections)
    }

    /// Does every reader that takes the file get the same for all other names? A value over several lines may reach into a
    /// line that is written or taken out. In a script a line may use what is edited: its value follows, and that is right.
    pub(super) fn spares(&self, before: &[u8], after: &[u8], edits: &[Edit<'_>]) -> Result<(), Refused> {
        if before == after {
            return Ok(());
        }
        let follow = if self.syntax == Syntax::Shell { followers(before, edits) } else { BTreeSet::new() };
        let others = |reading: Reading| -> BTreeMap<Vec<u8>, Seen> {
            let own = |name: &[u8]| edits.iter().any(|edit| edit.name().as_bytes() == name) || follow.contains(name);
            // What is no name is a piece of some value.
            let is_name = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            reading.variables.into_iter().filter(|(name, _)| is_name(name) && !own(name)).collect()
        };
        let back: Vec<Edit<'_>> = edits.iter().filter(|edit| matches!(edit, Edit::Back(_))).copied().collect();
        let back: Vec<usize> = self.lines_of(after, &back).into_iter().map(|at| at.line).collect();
        for dialect in self.syntax.readers().must {
            let then = dialect.read(before);
            if then.is_fatal() {
                continue;
            }
            let now = dialect.read(after);
            if now.complaints.iter().any(|complaint| complaint.fatal && back.contains(&complaint.line)) {
                continue;
            }
            let (then, now) = (others(then), others(now));
            if then != now {
                // A piece of a password may stand where a name is read, so none is told.
                let name = "another variable".to_owned();
                let why = ": a value of the file goes on over its line's end".into();
                return Err(Refused { name, spoils: true, reader: dialect.name(), why });
            }
        }
        Ok(())
    }

    /// The lines that name what is wished for.
    fn lines_of(&self, file: &[u8], edits: &[Edit<'_>]) -> Vec<Occurrence> {
        let names: Vec<&str> = edits.iter().map(Edit::name).collect();
        find(file, self.syntax, &names)
    }

    fn own_lines(&self, file: &[u8], edits: &[Edit<'_>]) -> Vec<u8> {
        let own = self.lines_of(file, edits).into_iter().filter(|at| at.state == State::Active);
        own.flat_map(|at| [&file[at.span], b"\n"].concat()).collect()
    }

    fn anothers_fault<'r>(&self, reading: &'r Reading, file: &[u8], edits: &[Edit<'_>]) -> Option<&'r Complaint> {
        if self.syntax == Syntax::Shell || !reading.is_fatal() {
            return None;
        }
        let own = self.lines_of(file, edits);
        reading.complaints.iter().find(|complaint| complaint.fatal && !own.iter().any(|at| at.line == complaint.line))
    }
}

/// Above this size a file is read in short form where it has one.
const LARGE: usize = 64 << 10;

/// A Docker env file without the lines that all of its readers take alike and that concern nobody: blank lines, comments in
/// printable ASCII, plain assignments of other names. `None` when what is left could reach over line ends, so that a line
/// left out might have been part of it.
fn condensed(file: &[u8], names: &[&[u8]]) -> Option<Vec<u8>> {
    let mut short = Vec::new();
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        if concerns_nobody(line, names) {
            continue;
        }
        if line.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'\\' | b'`')) {
            return None;
        }
        short.extend_from_slice(line);
    }
    Some(short)
}

fn concerns_nobody(line: &[u8], names: &[&[u8]]) -> bool {
    // docker refuses a file for one line of 64 KiB; a last line without an end is some reader's special case.
    let Some(text) = line.strip_suffix(b"\n").filter(|text| text.len() < 4096) else { return false };
    match text.first() {
        None => true,
        Some(b'#') => text.iter().all(|byte| matches!(byte, b' '..=b'~')),
        Some(_) => {
            let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.,:/@%+=-".contains(byte);
            name > 0
                && !text[0].is_ascii_digit()
                && text.get(name) == Some(&b'=')
                && text[name + 1..].iter().all(plain)
                && !names.contains(&&text[..name])
        }
    }
}

/// The names that lines of the script set which use one of the edited names (`$NAME`, `${NAME}`), or one of their followers.
fn followers(script: &[u8], edits: &[Edit<'_>]) -> BTreeSet<Vec<u8>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut found: BTreeSet<Vec<u8>> = BTreeSet::new();
    for line in script.split(|byte| *byte == b'\n') {
        let uses = |name: &[u8]| {
            [b"$".as_slice(), b"${"].iter().any(|sign| memchr::memmem::find(line, &[sign, name].concat()).is_some())
        };
        if edits.iter().any(|edit| uses(edit.name().as_bytes())) || found.iter().any(|name| uses(name)) {
            let ends = memchr::memchr_iter(b'=', line);
            let name = |end: usize| line[..end].iter().rev().take_while(|byte| is_name(byte)).count();
            found.extend(ends.map(|end| line[end - name(end)..end].to_vec()).filter(|name| !name.is_empty()));
        }
    }
    found
}

fn why(reading: &Reading) -> String {
    let fatal = reading.complaints.iter().find(|complaint| complaint.fatal);
    match fatal.or(reading.complaints.last()) {
        Some(complaint) => format!(": line {}: {}", complaint.line, complaint.message),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_short_form_reads_as_the_whole(
            text in "(#[ -~]{0,6}\n|[A-C]=[a-c./%=$ #]{0,4}\n|http_proxy ?[=:] ?[a-c$\"' #\\\\]{0,5}(\r?\n)?|\n|export A=1\n|A: b\n|[\u{e9}\u{b}\t \r]{1,2}\n?|X=\"a\n){0,9}"
        ) {
            let names: [&[u8]; 2] = [b"http_proxy", b"no_proxy"];
            if let Some(short) = condensed(text.as_bytes(), &names) {
                for dialect in Syntax::EnvFile.readers().must {
                    let reading = dialect.read_only(&short, &names);
                    if reading.complaints.is_empty() {
                        let whole = dialect.read_only(text.as_bytes(), &names);
                        prop_assert_eq!(&reading.variables, &whole.variables, "{:?}", dialect);
                        prop_assert!(!whole.is_fatal(), "{:?}", dialect);
                    }
                }
            }
        }
    }
}
