//! Where a file has assignments, and which of them may be changed or taken out where they stand.

use std::ops::Range;
use std::path::Path;

use super::ast::{AndOr, Assignment, Command, List, Node, Pipeline, Script, Simple, Word, is_name};
use super::parse::parse;

/// An assignment to the shell's own variables, as the file has it.
#[derive(Debug)]
pub(in crate::envfile) struct Written {
    pub(in crate::envfile) name: Vec<u8>,
    /// `NAME=value`
    pub(in crate::envfile) word: Range<usize>,
    /// The value as written, quotes included.
    pub(in crate::envfile) value: Range<usize>,
    /// It is done whenever the file is read, and its value has no expansions and no line end: another value may stand in its
    /// place. In conditions, loops, functions and behind `return` it is not.
    pub(in crate::envfile) plain: bool,
}

/// All assignments, in the order of the file. Those in subshells and before commands are nobody else's.
pub(in crate::envfile) fn written(bytes: &[u8]) -> Vec<Written> {
    of_script(&taken_apart(bytes))
}

pub(super) fn of_script(script: &Script) -> Vec<Written> {
    let mut walk = Walk { text: &script.text, found: Vec::new() };
    let mut runs = true;
    for and_or in script.lines.iter().flatten() {
        walk.and_or(and_or, runs);
        runs &= !leaves(and_or);
    }
    walk.found
}

/// What has to go so that no plain command of the file assigns to or exports the name: words, commands, whole lines.
pub(in crate::envfile) fn cuts(bytes: &[u8], name: &[u8]) -> Vec<Range<usize>> {
    let script = taken_apart(bytes);
    let mut cuts = Vec::new();
    let mut commands: Vec<Range<usize>> = Vec::new();
    for and_or in script.lines.iter().flatten().take_while(|and_or| !leaves(and_or)) {
        let Some((start, items)) = single(and_or).and_then(|node| items(bytes, node)) else { continue };
        let Some(last) = items.last().map(|(_, word)| word.end) else { continue };
        match items.iter().rposition(|(own, _)| own != name) {
            None => {
                let end = past_separator(bytes, last);
                match commands.last_mut() {
                    Some(before) if before.end == start => before.end = end,
                    _ => commands.push(start..end),
                }
            }
            Some(kept) => {
                for pair in items[..=kept].windows(2).filter(|pair| pair[0].0 == name) {
                    cuts.push(pair[0].1.start..pair[1].1.start);
                }
                cuts.extend((items[kept].1.end < last).then_some(items[kept].1.end..last));
            }
        }
    }
    cuts.extend(commands.into_iter().map(|command| with_line(bytes, command)));
    cuts
}

fn taken_apart(bytes: &[u8]) -> Script {
    // What is no script has no lines.
    let text = if super::is_script(bytes).is_ok() { bytes } else { b"" };
    parse(Path::new(""), text.to_vec(), None, true)
}

struct Walk<'a> {
    text: &'a [u8],
    found: Vec<Written>,
}

impl Walk<'_> {
    /// `runs`: it is done whenever the file is read.
    fn and_or(&mut self, and_or: &AndOr, runs: bool) {
        if and_or.background {
            return;
        }
        self.pipeline(&and_or.first, runs);
        let mut runs = runs && declares(&and_or.first);
        for (or, pipeline) in &and_or.rest {
            self.pipeline(pipeline, runs && !or);
            runs &= !or && declares(pipeline);
        }
    }

    fn lists<'l>(&mut self, lists: impl IntoIterator<Item = &'l List>) {
        for and_or in lists.into_iter().flatten() {
            self.and_or(and_or, false);
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, runs: bool) {
        if let [node] = pipeline.commands.as_slice() {
            self.node(node, runs && !pipeline.negated);
        }
    }

    fn node(&mut self, node: &Node, runs: bool) {
        match &node.command {
            Command::Simple(simple) if simple.words.is_empty() => {
                simple.assignments.iter().for_each(|own| self.assignment(own, runs));
            }
            Command::Simple(Simple { words, .. }) => {
                let command = words.first().and_then(Word::bare);
                if matches!(command, Some(b"export" | b"declare" | b"typeset" | b"readonly")) {
                    words.iter().filter_map(|word| word.assignment(true)).for_each(|own| self.assignment(&own, runs));
                }
            }
            Command::Group(list) | Command::For(_, _, list) => self.lists([list]),
            Command::If(arms, otherwise) => {
                self.lists(arms.iter().flat_map(|(condition, body)| [condition, body]).chain(otherwise));
            }
            Command::Loop { condition, body, .. } => self.lists([condition, body]),
            Command::Case(_, clauses) => self.lists(clauses.iter().map(|clause| &clause.body)),
            Command::Function(_, body) => self.node(body, false),
            Command::Subshell | Command::Condition(_) | Command::Opaque => {}
        }
    }

    fn assignment(&mut self, own: &Assignment, runs: bool) {
        let word = own.value.start..own.value.end;
        let sign: &[u8] = if own.appends { b"+=" } else { b"=" };
        let head = [&own.name, sign].concat();
        // Its name may be spelled over a line end, or be that of an array.
        let spelled = self.text[word.clone()].starts_with(&head);
        let value = if spelled { word.start + head.len()..word.end } else { word.end..word.end };
        let literal = own.value.literal().is_some() && !self.text[value.clone()].contains(&b'\n');
        let plain = runs && spelled && !own.appends && !own.array && literal;
        self.found.push(Written { name: own.name.clone(), word, value, plain });
    }
}

/// The only command of a list.
fn single(and_or: &AndOr) -> Option<&Node> {
    match and_or {
        AndOr { first: Pipeline { negated: false, commands }, rest, background: false } if rest.is_empty() => {
            commands.first().filter(|_| commands.len() == 1)
        }
        _ => None,
    }
}

/// Does the file certainly end behind it?
fn leaves(and_or: &AndOr) -> bool {
    let Some(Command::Simple(simple)) = single(and_or).map(|node| &node.command) else { return false };
    match simple.words.first().and_then(Word::bare) {
        Some(b"return" | b"exit") => true,
        Some(b"exec") => simple.words.len() > 1,
        _ => false,
    }
}

/// Assignments or `export` alone, which succeed.
fn declares(pipeline: &Pipeline) -> bool {
    match pipeline.commands.as_slice() {
        [Node { command: Command::Simple(simple), .. }] => {
            let command = simple.words.first().map(Word::bare);
            !pipeline.negated && matches!(command, None | Some(Some(b"export")))
        }
        _ => false,
    }
}

/// A name and where it is assigned to or exported.
type Item = (Vec<u8>, Range<usize>);

/// The start of a command that has nothing but assignments or an `export`, and what it is about.
fn items(text: &[u8], node: &Node) -> Option<(usize, Vec<Item>)> {
    let Command::Simple(simple) = &node.command else { return None };
    let mut items: Vec<Item> = Vec::new();
    let mut at = node.start;
    if let Some((command, words)) = simple.words.split_first() {
        if command.bare() != Some(b"export") || !simple.assignments.is_empty() {
            return None;
        }
        at = command.end;
        for word in words {
            let bare = word.bare().filter(|bare| is_name(bare)).map(<[u8]>::to_vec);
            items.push((word.assignment(true).map(|own| own.name).or(bare)?, word.start..word.end));
        }
    } else {
        let own = |own: &Assignment| (own.name.clone(), own.value.start..own.value.end);
        items.extend(simple.assignments.iter().map(own));
    }
    // Anything else between them is a redirection.
    for (_, word) in &items {
        if past_blanks(text, at) != word.start {
            return None;
        }
        at = word.end;
    }
    let after = past_blanks(text, at);
    (after >= node.end || text[after] == b'#').then_some((node.start, items))
}

/// Past blanks and continued line ends.
fn past_blanks(text: &[u8], at: usize) -> usize {
    let mut at = at;
    loop {
        at += match text.get(at..).unwrap_or_default() {
            [b' ' | b'\t', ..] => 1,
            [b'\\', b'\n', ..] => 2,
            _ => return at,
        };
    }
}

/// Past the `;` of a command, and the blanks before the next one.
fn past_separator(text: &[u8], at: usize) -> usize {
    let end = past_blanks(text, at);
    if text.get(end) == Some(&b';') { past_blanks(text, end + 1) } else { at }
}

/// With its line, if there is nothing else but a remark.
fn with_line(text: &[u8], command: Range<usize>) -> Range<usize> {
    let start = memchr::memrchr(b'\n', &text[..command.start]).map_or(0, |at| at + 1);
    let rest = &text[past_blanks(text, command.end)..];
    let ends = matches!(rest.first(), None | Some(b'\n' | b'#'));
    let begins = text[start..command.start].trim_ascii().is_empty() && !text[..start].ends_with(b"\\\n");
    if !(begins && ends) {
        return command;
    }
    let end = memchr::memchr(b'\n', rest).map_or(text.len(), |at| text.len() - rest.len() + at + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envfile::shell::{Alone, Kind, Outcome};
    use crate::envfile::splice::splice;

    #[test]
    fn assignments_are_found_where_they_stand() {
        let text = "A=1 B='2 3'; export C=\"x\"y \\\n D=$A\nif x; then A=4; fi\nA=5 true\n(A=6)\nA+=7\nreturn\nA=8\n";
        let found = written(text.as_bytes());
        let shown = |own: &Written| {
            let mark = if own.plain { "" } else { "?" };
            format!("{mark}{} {}", &text[own.word.clone()], &text[own.value.clone()])
        };
        let shown: Vec<String> = found.iter().map(shown).collect();
        let wanted = ["A=1 1", "B='2 3' '2 3'", "C=\"x\"y \"x\"y", "?D=$A $A", "?A=4 4", "?A+=7 7", "?A=8 8"];
        assert_eq!(shown, wanted);
    }

    proptest::proptest! {
        #[test]
        fn another_value_in_a_plain_place_is_seen_there(text in "(export |[AB]=|[ab'\"\\\\ $;#\n]|if a; then |fi|&& |\\(|\\)|\\{ |\\}|f\\(\\)|return|<<a|\r){0,24}") {
            let read = |bytes: &[u8]| Alone::read(bytes, Kind::Bash, &[b"A", b"B"]);
            let found = written(text.as_bytes());
            for own in &found {
                let word = &text.as_bytes()[own.word.clone()];
                proptest::prop_assert!(word.starts_with(&own.name) && word.ends_with(&text.as_bytes()[own.value.clone()]));
            }
            let last = found.iter().rev().find(|own| own.plain);
            let Some(own) = last.filter(|own| !found.iter().any(|other| other.name == own.name && other.word.start > own.word.start)) else { return Ok(()) };
            let mut changed = text.clone().into_bytes();
            changed.splice(own.value.clone(), b"new".iter().copied());
            let after = read(&changed);
            // What returns, fails or leaves it unset is no concern of the place.
            if let Some((_, Outcome::Value(value))) = after.variables.iter().find(|(name, _)| *name == own.name) {
                proptest::prop_assert_eq!(value.as_slice(), b"new");
            }
            let cuts = cuts(text.as_bytes(), &own.name).into_iter().map(|range| (range, Vec::new())).collect();
            let cut = splice(text.as_bytes(), cuts);
            proptest::prop_assert!(!written(&cut).iter().any(|other| other.plain && other.name == own.name && items_alone(&cut, other)));
        }
    }

    /// Does a command hold it that has nothing but assignments, in a list of its own?
    fn items_alone(text: &[u8], own: &Written) -> bool {
        let script = taken_apart(text);
        script
            .lines
            .iter()
            .flatten()
            .filter_map(single)
            .filter_map(|node| items(text, node))
            .any(|(_, items)| items.iter().any(|(_, word)| *word == own.word))
    }
}
