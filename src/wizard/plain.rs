//! Questions line by line: for terminals that know no cursor, and the part that all terminals share.
//!
//! A line of text is read by the terminal itself (canonical mode): it erases, it pastes, it wraps, its Ctrl-C is a signal and
//! its Ctrl-D an end, and a slow serial line carries one byte for each key.

use std::io::{self, BufRead, Write};

use dialoguer::console::Term;
use nix::sys::termios::{FlushArg, LocalFlags, SetArg, tcflush, tcgetattr, tcsetattr};

use super::Verdict;
use super::prompt::{Ask, BACK, Gone, Prompter, Reply};
use crate::report::{Paint, visible};

/// Asks on standard error, reads from standard input; neither moves a cursor nor needs any escape but colours.
pub(crate) struct Plain {
    paint: Paint,
    /// The terminal shows more than ASCII.
    utf8: bool,
    /// The question was just asked, and the answer was none.
    again: bool,
}

impl Prompter for Plain {
    fn say(&mut self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", self.fit(text));
    }

    fn remark(&mut self, sentence: &str) {
        self.say(&folded(&visible(sentence), "  ", "  "));
    }

    fn complain(&mut self, sentence: &str) {
        let sentence = folded(&visible(sentence), "    ", "    ");
        self.say(&format!("  {} {}", self.paint.bad("!"), sentence.trim_start()));
        self.again = true;
    }

    fn detail(&mut self, sentence: &str) {
        self.say(&folded(&visible(sentence), "    ", "    "));
    }

    fn line(&mut self, ask: &Ask<'_>) -> Result<Reply<String>, Gone> {
        self.help(ask);
        self.answer(ask)
    }

    fn secret(&mut self, ask: &Ask<'_>) -> Result<Reply<Option<String>>, Gone> {
        self.help(ask);
        loop {
            let typed = {
                // Before the question: who is quick with the answer sees it no more than others.
                let _hidden = Echo::off();
                self.prompt(&format!("{}: ", secret_stem(ask)));
                read_line()
            };
            let shown = matches!(&typed, Ok(Some(typed)) if !typed.is_empty() && typed != BACK);
            self.say(if shown { "[hidden]" } else { "" });
            match typed?.as_deref() {
                None => self.complain("that is not text in UTF-8"),
                Some(BACK) => return Ok(Reply::Back),
                Some("") => return Ok(Reply::Given(None)),
                Some(typed) => return Ok(Reply::Given(Some(typed.to_owned()))),
            }
        }
    }

    fn choose(&mut self, ask: &Ask<'_>, options: &[String], default: usize) -> Result<Reply<usize>, Gone> {
        if ask.careful {
            forget_typed();
        }
        self.help(ask);
        self.say(ask.question);
        for (index, option) in options.iter().enumerate() {
            self.say(&format!("  {}  {}", index + 1, visible(option)));
        }
        let number = (default + 1).to_string();
        let ask = Ask { question: "Number", help: "", default: Some(&number), ..*ask };
        loop {
            match self.answer(&ask)? {
                Reply::Back => return Ok(Reply::Back),
                Reply::Given(typed) => match typed.parse::<usize>() {
                    Ok(number) if (1..=options.len()).contains(&number) => return Ok(Reply::Given(number - 1)),
                    _ => self.complain(&format!("that is no number from 1 to {}", options.len())),
                },
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
    /// With or without colours.
    pub(crate) fn new(paint: Paint) -> Self {
        Self { paint, utf8: is_utf8(), again: false }
    }

    /// Text as this terminal can show it.
    pub(crate) fn fit(&self, text: &str) -> String {
        text.chars().map(|c| if self.utf8 || c.is_ascii() { c } else { '?' }).collect()
    }

    /// Colours.
    pub(crate) fn paint(&self) -> Paint {
        self.paint
    }

    /// Prompts until there is an answer.
    fn answer(&mut self, ask: &Ask<'_>) -> Result<Reply<String>, Gone> {
        let default = ask.default.map(|default| format!(" [{}]", visible(default))).unwrap_or_default();
        loop {
            self.prompt(&format!("{}{default}: ", ask.stem()));
            let Some(typed) = read_line()? else {
                self.complain("that is not text in UTF-8");
                continue;
            };
            match (typed.trim(), ask.default) {
                (BACK, _) if ask.back => return Ok(Reply::Back),
                (BACK, _) => self.complain("this is the first question"),
                ("", Some(default)) => return Ok(Reply::Given(default.to_owned())),
                (typed, _) => return Ok(Reply::Given(typed.to_owned())),
            }
        }
    }

    /// The help of a question, on a line of its own.
    pub(crate) fn help(&mut self, ask: &Ask<'_>) {
        if std::mem::take(&mut self.again) && !ask.careful {
            return;
        }
        self.say("");
        let says_more = !ask.stem().eq_ignore_ascii_case(ask.help);
        if !ask.help.is_empty() && says_more {
            for line in folded(&format!("{}.", ask.help), "", "").lines() {
                let line = self.paint.faint(line);
                self.say(&line);
            }
        }
    }

    fn prompt(&self, text: &str) {
        let mut out = io::stderr().lock();
        let _ = out.write_all(self.fit(text).as_bytes()).and_then(|()| out.flush());
    }
}

/// A sentence broken between words, so that no line is longer than the terminal is wide.
fn folded(sentence: &str, first: &str, rest: &str) -> String {
    let width = usize::from(Term::stderr().size().1).max(20);
    let mut text = String::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in sentence.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            text.push_str(&line);
            text.push('\n');
            line = rest.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    text + &line
}

/// What the locale says; without one it is C.
fn is_utf8() -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    let locale = said.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The question for a secret; one that is known already can be kept.
fn secret_stem(ask: &Ask<'_>) -> String {
    match ask.default {
        Some("") => format!("{} (Enter keeps the one that is known)", ask.stem()),
        Some(none) => format!("{} (Enter: {none})", ask.stem()),
        None => ask.stem().to_owned(),
    }
}

/// A line without its end; `None`: not UTF-8.
fn read_line() -> Result<Option<String>, Gone> {
    let mut bytes = Vec::new();
    match io::stdin().lock().read_until(b'\n', &mut bytes) {
        Ok(count) if count > 0 => {}
        _ => return Err(Gone),
    }
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(String::from_utf8(bytes).ok())
}

/// Throws away what was typed and not read.
pub(super) fn forget_typed() {
    let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
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
