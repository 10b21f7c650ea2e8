//! Questions line by line: for terminals that know no cursor, and the part that all terminals share.
//!
//! A line of text is read by the terminal itself (canonical mode): it erases, it pastes, it wraps, its Ctrl-C is a signal and
//! its Ctrl-D an end, and a slow serial line carries one byte for each key.

use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;

use dialoguer::console::{Term, measure_text_width, truncate_str};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, LocalFlags, SetArg, tcflush, tcgetattr, tcsetattr};

use super::Verdict;
use super::prompt::{Ask, BACK, Gone, PARTS, Prompter, Reply};
use crate::report::{Paint, visible, wrapped};
use crate::text::ascii;

/// The key that goes back in a list, where it was typed as a line.
const ESCAPE: &str = "\u{1b}";

/// The answer to the wish to go back where there is nothing to go back to.
pub(super) const NO_WAY_BACK: &str = "there is no way back from here";

/// On wider windows the number of a step stands no farther to the right: columns.
const WIDE: usize = 80;

/// Asks on standard error, reads from standard input; neither moves a cursor nor needs any escape but colours.
pub(crate) struct Plain {
    paint: Paint,
    /// The terminal shows more than ASCII.
    unicode: bool,
    /// The question was just asked, and the answer was none.
    again: bool,
    /// So many rows of the terminal have been written since this was set to 0.
    pub(super) rows: usize,
}

impl Prompter for Plain {
    fn say(&mut self, text: &str) {
        let text = self.fit(text);
        self.rows += rows_of(&text);
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    fn remark(&mut self, sentence: &str) {
        self.say(&broken(&format!("  {}", visible(sentence))));
    }

    fn complain(&mut self, sentence: &str) {
        let sentence = broken(&format!("    {}", visible(sentence)));
        self.say(&format!("  {} {}", self.paint.bad("!"), sentence.trim_start()));
        self.again = true;
    }

    fn detail(&mut self, sentence: &str) {
        self.say(&broken(&format!("    {}", visible(sentence))));
    }

    fn window(&self) -> (usize, usize) {
        window()
    }

    fn page(&mut self, text: &str) -> Result<(), Gone> {
        let pages = self.pages(text);
        leafed(&pages, |page, at| self.leaf(page, at, pages.len(), Self::turn))
    }

    fn line(&mut self, ask: &Ask<'_>) -> Result<Reply<String>, Gone> {
        self.head(ask);
        let answer = self.answer(ask, self.pointer());
        self.again = false;
        answer
    }

    fn secret(&mut self, ask: &Ask<'_>) -> Result<Reply<Option<String>>, Gone> {
        self.head(ask);
        let on_enter = match ask.default {
            Some("") => "[the known one] ".to_owned(),
            Some(none) => format!("[{none}] "),
            None => String::new(),
        };
        loop {
            let typed = {
                // Before the question: who is quick with the answer sees it no more than others.
                let _hidden = Echo::off();
                self.prompt(&format!("  {} {}", self.pointer(), self.paint.faint(&on_enter)));
                read_line()
            };
            let shown = matches!(&typed, Ok(Some(typed)) if !typed.is_empty() && typed != BACK);
            self.say(if shown { "[hidden]" } else { "" });
            let Some(typed) = typed? else {
                self.complain("that is not text in UTF-8");
                continue;
            };
            self.again = false;
            return Ok(match typed.as_str() {
                BACK | ESCAPE => Reply::Back,
                "" => Reply::Given(None),
                _ => Reply::Given(Some(typed)),
            });
        }
    }

    fn choose(&mut self, ask: &Ask<'_>, options: &[String], default: usize) -> Result<Reply<usize>, Gone> {
        if ask.careful && forget_typed() {
            self.remark(FORGOTTEN);
        }
        self.head(ask);
        for (index, option) in options.iter().enumerate() {
            self.say(&format!("  {}  {}", index + 1, visible(option)));
        }
        let number = (default + 1).to_string();
        let ask = Ask { default: Some(&number), nothing: None, ..*ask };
        loop {
            let Reply::Given(typed) = self.answer(&ask, "Number")? else {
                self.again = false;
                return Ok(Reply::Back);
            };
            match typed.parse::<usize>() {
                Ok(number) if (1..=options.len()).contains(&number) => {
                    self.again = false;
                    return Ok(Reply::Given(number - 1));
                }
                _ => self.complain(&format!("that is no number from 1 to {}", options.len())),
            }
        }
    }

    fn during(&mut self, what: &str, work: &mut dyn FnMut() -> Verdict) -> Verdict {
        self.prompt(&format!("  {what} ... "));
        let verdict = work();
        self.say(verdict.mark());
        verdict
    }

    fn done(&mut self, number: usize, total: usize, what: &str) {
        self.say(&format!("  {number}/{total} {}", visible(what)));
    }
}

impl Plain {
    /// With or without colours, and signs beyond ASCII.
    pub(crate) fn new(paint: Paint, unicode: bool) -> Self {
        Self { paint, unicode, again: false, rows: 0 }
    }

    /// Text as this terminal can show it.
    pub(crate) fn fit(&self, text: &str) -> String {
        if self.unicode { text.to_owned() } else { ascii(text) }
    }

    /// The same within so many columns; what is left out is told by an ellipsis.
    pub(super) fn cut(&self, text: &str, columns: usize) -> String {
        truncate_str(&self.fit(text), columns, &self.fit("…")).into_owned()
    }

    /// Colours.
    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    /// May signs beyond ASCII be used?
    pub(super) fn unicode(&self) -> bool {
        self.unicode
    }

    /// What stands where something is to be typed or taken.
    pub(super) fn pointer(&self) -> &'static str {
        if self.unicode { "›" } else { ">" }
    }

    /// The question, at which step it is, and what explains it.
    pub(super) fn head(&mut self, ask: &Ask<'_>) {
        if std::mem::take(&mut self.again) && !ask.careful {
            return;
        }
        self.say("");
        let step = ask.part.map(|part| format!("step {part} of {PARTS}")).unwrap_or_default();
        let room = width().min(WIDE).saturating_sub(measure_text_width(&step));
        let question = visible(ask.question);
        match room.checked_sub(measure_text_width(&question)).filter(|gap| *gap > 1) {
            Some(gap) => {
                let head = format!("{}{:gap$}{}", self.paint.bold(&question), "", self.paint.faint(&step));
                self.say(head.trim_end());
            }
            None => {
                for row in broken(&question).lines() {
                    let row = self.paint.bold(row);
                    self.say(&row);
                }
            }
        }
        if !ask.help.is_empty() {
            for line in broken(&format!("  {}.", ask.help)).lines() {
                let line = self.paint.faint(line);
                self.say(&line);
            }
        }
    }

    /// Prompts until there is an answer.
    fn answer(&mut self, ask: &Ask<'_>, word: &str) -> Result<Reply<String>, Gone> {
        let on_enter = ask.on_enter().map(|text| format!("[{}] ", visible(text))).unwrap_or_default();
        let prompt = format!("  {word} {}", self.paint.faint(&on_enter));
        loop {
            match (self.typed(&prompt)?.as_deref(), ask.default) {
                (None, _) => self.complain("that is not text in UTF-8"),
                (Some(BACK | ESCAPE), _) if ask.back => return Ok(Reply::Back),
                (Some(BACK | ESCAPE), _) => self.complain(NO_WAY_BACK),
                (Some(""), Some(default)) => return Ok(Reply::Given(default.to_owned())),
                (Some(typed), _) => return Ok(Reply::Given(typed.to_owned())),
            }
        }
    }

    /// A line without the blanks around it; `None`: not UTF-8.
    fn typed(&mut self, prompt: &str) -> Result<Option<String>, Gone> {
        self.prompt(prompt);
        let (typed, is_ended) = read_to_end_of_line()?;
        if !is_ended {
            // Ctrl-D ended it: the terminal is still on its line.
            let _ = writeln!(io::stderr().lock());
        }
        self.rows += rows_of(&format!("{prompt}{}", typed.as_deref().unwrap_or_default()));
        Ok(typed.map(|typed| typed.trim().to_owned()))
    }

    /// A text in parts that fit the window, with room for the question what comes next.
    pub(super) fn pages(&self, text: &str) -> Vec<String> {
        let room = window().0 - 4;
        let mut pages: Vec<String> = Vec::new();
        let mut taken = 0;
        for line in self.fit(text).trim_end().lines() {
            let rows = rows_of(line);
            match pages.last_mut().filter(|_| taken + rows <= room) {
                Some(page) => {
                    page.push('\n');
                    page.push_str(line);
                    taken += rows;
                }
                None if line.is_empty() => {}
                None => {
                    pages.push(line.to_owned());
                    taken = rows;
                }
            }
        }
        pages
    }

    /// Shows a page of several and asks which one comes next; `None`: no other.
    pub(super) fn leaf(
        &mut self,
        page: &str,
        at: usize,
        all: usize,
        turn: impl FnOnce(&mut Self, &str) -> Result<Turn, Gone>,
    ) -> Result<Option<usize>, Gone> {
        self.say(page);
        if all == 1 {
            return Ok(None);
        }
        let keys = self.paint.faint("Enter goes on, < goes back, q ends it");
        let prompt = self.fit(&format!("\nPage {} of {all} · {keys} {} ", at + 1, self.pointer()));
        Ok(match turn(self, &prompt)? {
            Turn::Back => Some(at.saturating_sub(1)),
            Turn::End => None,
            Turn::On => Some(at + 1),
        })
    }

    /// A line that says which page comes next.
    fn turn(&mut self, prompt: &str) -> Result<Turn, Gone> {
        Ok(match self.typed(prompt)?.as_deref() {
            Some(BACK) => Turn::Back,
            Some("q" | "Q") => Turn::End,
            _ => Turn::On,
        })
    }

    fn prompt(&self, text: &str) {
        let mut out = io::stderr().lock();
        let _ = out.write_all(self.fit(text).as_bytes()).and_then(|()| out.flush());
    }
}

/// Which page comes next.
pub(super) enum Turn {
    /// The one behind.
    On,
    /// The one before.
    Back,
    /// None.
    End,
}

/// Goes through pages, forth and back; `leaf` shows one and says which comes next.
pub(super) fn leafed(
    pages: &[String],
    mut leaf: impl FnMut(&str, usize) -> Result<Option<usize>, Gone>,
) -> Result<(), Gone> {
    let mut at = Some(0);
    while let Some((page, index)) = at.and_then(|at| Some((pages.get(at)?, at))) {
        at = leaf(page, index)?;
    }
    Ok(())
}

/// The window: rows and columns.
pub(super) fn window() -> (usize, usize) {
    let (rows, columns) = Term::stderr().size();
    (usize::from(rows).max(10), usize::from(columns).max(20))
}

fn width() -> usize {
    window().1
}

/// So many rows of the window a text takes.
fn rows_of(text: &str) -> usize {
    let width = width();
    text.split('\n').map(|line| measure_text_width(line).div_ceil(width).max(1)).sum()
}

/// A sentence broken at the window's width; all its lines begin where the first one does.
fn broken(sentence: &str) -> String {
    wrapped(sentence, 0, Some(width())).join("\n")
}

/// A line without its end; `None`: not UTF-8.
fn read_line() -> Result<Option<String>, Gone> {
    read_to_end_of_line().map(|(line, _)| line)
}

/// The same, and whether it had an end.
fn read_to_end_of_line() -> Result<(Option<String>, bool), Gone> {
    let mut bytes = Vec::new();
    match io::stdin().lock().read_until(b'\n', &mut bytes) {
        Ok(count) if count > 0 => {}
        _ => return Err(Gone),
    }
    let is_ended = bytes.last() == Some(&b'\n');
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok((String::from_utf8(bytes).ok(), is_ended))
}

/// Said where [`forget_typed`] has thrown something away.
pub(crate) const FORGOTTEN: &str = "What was typed before this question is no answer to it, and was left out.";

/// Throws away what was typed and not read: it was no answer to a question that nobody had seen. Was there a line of it?
pub(crate) fn forget_typed() -> bool {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let is_typed = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0);
    tcflush(&stdin, FlushArg::TCIFLUSH).is_ok() && is_typed
}

/// The terminal shows nothing of what is typed, until this is dropped.
pub(super) struct Echo(Option<nix::sys::termios::Termios>);

impl Echo {
    /// From now on.
    pub(super) fn off() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_flags.remove(LocalFlags::ECHO);
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &quiet);
        }
        Self(before)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, before);
        }
    }
}
