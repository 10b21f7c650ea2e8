//! What the report shows, as Markdown shows it plainly.

use super::view::{Item, View};
use crate::report::spoken::Span;

impl View {
    /// Texts that Markdown would take for its own marks are escaped, or stand in code that they cannot end.
    pub(super) fn for_markdown(mut self) -> Self {
        let cell = |text: &mut String| *text = escaped(text);
        [&mut self.host, &mut self.system, &mut self.headline].into_iter().for_each(cell);
        self.address.iter_mut().for_each(cell);
        self.command.iter_mut().for_each(|own| *own = code(own));
        self.facts.iter_mut().for_each(|(_, value)| cell(value));
        let folded = self.passed.iter_mut().chain(&mut self.skipped).flat_map(|section| &mut section.findings);
        let wrong = self.shares.iter_mut().flat_map(|share| &mut share.items);
        wrong.chain(&mut self.warnings).chain(folded).for_each(mark);
        for row in &mut self.allow.rows {
            [&mut row.host, &mut row.wildcard, &mut row.addresses, &mut row.purpose].into_iter().for_each(cell);
        }
        self.bars.iter_mut().for_each(|bar| cell(&mut bar.name));
        self.picture.iter_mut().flat_map(|picture| &mut picture.lines).for_each(|line| cell(&mut line.words));
        self
    }
}

fn mark(item: &mut Item) {
    item.title = escaped(&item.title);
    item.details.iter_mut().for_each(|(_, text)| *text = escaped(text));
    let marked = |span: &mut Span| span.text = if span.is_typed { code(&span.text) } else { escaped(&span.text) };
    item.advice.iter_mut().flatten().for_each(marked);
    // A command stands in a fenced block: nothing in it may end the block or begin a line of its own.
    item.commands.iter_mut().for_each(|own| *own = own.replace("```", "\'\'\'").replace('\n', " "));
    item.alike.iter_mut().for_each(mark);
}

/// A span of code on one line. More backticks than it has around it; blanks, where it begins or ends with one.
fn code(text: &str) -> String {
    let text = text.replace('\n', " ");
    let most = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(most + 1);
    let blank = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// Plain text as Markdown shows it plainly, on one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!' | '&' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
