//! Questions on a terminal that can move its cursor: lists to walk through, a line that moves while something takes a moment.
//! Few bytes for each key.
//!
//! Lists are dialoguer's, which sees keys and no line: there Ctrl-C leaves and Ctrl-D, like every key that it has no use for,
//! does nothing. Lines and passwords are the terminal's own, and end at both.

use std::fmt;
use std::io::{self, Write};

use dialoguer::Select;
use dialoguer::console::{Key, Term, measure_text_width};
use dialoguer::theme::Theme;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Verdict;
use super::plain::{Echo, NO_WAY_BACK, Plain, Turn, forget_typed, leafed, window};
use super::prompt::{Ask, BACK, Gone, Line, Prompter, Reply};
use crate::finding::Status;
use crate::progress::Progress;
use crate::report::check::mark;
use crate::report::{Paint, visible, wrapped};
use crate::text::counted;

/// Asks with dialoguer; what was answered takes the place of its question.
pub(crate) struct Screen {
    plain: Plain,
    /// The size of the window when what stands below was begun: another one breaks lines otherwise.
    window: (usize, usize),
    progress: Option<ProgressBar>,
}

impl Screen {
    /// With or without colours, and signs beyond ASCII.
    pub(crate) fn new(paint: Paint, unicode: bool) -> Self {
        Self { plain: Plain::new(paint, unicode), window: window(), progress: None }
    }

    /// Takes away what was said since the beginning of this screen, as far as it is still in the window.
    fn clear(&mut self) {
        let now = window();
        let rows = std::mem::take(&mut self.plain.rows).min(now.0 - 1);
        if now == self.window {
            if rows > 0 {
                let _ = write!(io::stderr().lock(), "\r\u{1b}[{rows}A\u{1b}[J");
            }
        } else {
            self.window = now;
            self.plain.say("");
        }
    }

    /// An answer as it is shown, with what was said to it beside or below.
    fn shown(&self, line: &Line) -> String {
        let paint = self.plain.paint();
        let columns = self.window.1;
        let label = paint.faint(&format!("  {:LABEL$}", visible(&line.label)));
        let value = self.plain.cut(&visible(&line.value), columns.saturating_sub(LABEL + 2));
        let Some((good, said)) = line.said.as_ref().filter(|(_, said)| !said.is_empty()) else {
            return format!("{label}{value}");
        };
        let (mark, color) = mark(if *good { Status::Pass } else { Status::Warn }, self.plain.unicode());
        let (mark, said) = (paint.with(color, mark), visible(said));
        let beside = format!("{label}{value}   {mark} {said}");
        if measure_text_width(&beside) < columns {
            return beside;
        }
        let indent = " ".repeat(LABEL + 2);
        let below = wrapped(&said, LABEL + 4, Some(columns)).join(&format!("\n{indent}  "));
        format!("{label}{value}\n{indent}{mark} {below}")
    }
}

/// The colour of what can be taken or typed: cyan.
const ACCENT: &str = "36";

/// Rows that are kept free for a question.
const ROOM: usize = 14;

/// Width of the names of answers, in columns.
const LABEL: usize = 16;

impl Prompter for Screen {
    fn say(&mut self, text: &str) {
        self.plain.say(text);
    }

    fn begin(&mut self) {
        (self.plain.rows, self.window) = (0, window());
    }

    fn answered(&mut self, lines: &[Line]) {
        self.clear();
        if lines.is_empty() {
            return;
        }
        self.plain.say("");
        // The question below needs its rows: its help and the longest list.
        let room = self.window.0.saturating_sub(ROOM).max(2);
        let shown: Vec<String> = lines.iter().map(|line| self.shown(line)).collect();
        let rows = |from: usize| shown.iter().skip(from).map(|line| line.lines().count()).sum::<usize>();
        let before = (0..shown.len()).find(|from| rows(*from) <= room).unwrap_or(shown.len());
        if before > 0 {
            self.plain.say(&format!("  {} before these: < goes back to them", counted(before, "answer")));
        }
        shown.iter().skip(before).for_each(|line| self.plain.say(line));
    }

    fn window(&self) -> (usize, usize) {
        window()
    }

    fn page(&mut self, text: &str) -> Result<(), Gone> {
        let pages = self.plain.pages(text);
        leafed(&pages, |page, at| {
            self.clear();
            self.plain.leaf(page, at, pages.len(), turn)
        })?;
        if pages.len() > 1 {
            self.clear();
        }
        Ok(())
    }

    fn remark(&mut self, sentence: &str) {
        self.plain.remark(sentence);
    }

    fn complain(&mut self, sentence: &str) {
        self.plain.complain(sentence);
    }

    fn detail(&mut self, sentence: &str) {
        self.plain.detail(sentence);
    }

    fn line(&mut self, ask: &Ask<'_>) -> Result<Reply<String>, Gone> {
        self.plain.line(ask)
    }

    fn secret(&mut self, ask: &Ask<'_>) -> Result<Reply<Option<String>>, Gone> {
        // dialoguer takes the end of the input for Enter.
        self.plain.secret(ask)
    }

    fn choose(&mut self, ask: &Ask<'_>, options: &[String], default: usize) -> Result<Reply<usize>, Gone> {
        if ask.careful {
            forget_typed();
        }
        self.plain.head(ask);
        // A list whose lines wrap cannot be drawn again in place.
        let width = window().1.saturating_sub(5).max(10);
        let back = format!("{BACK} back");
        let lines = options.iter().map(String::as_str).chain(ask.back.then_some(back.as_str()));
        let lines: Vec<String> = lines.map(|line| self.plain.cut(&visible(line), width)).collect();
        let look = Look { paint: self.plain.paint(), pointer: self.plain.pointer() };
        // Between two keys the terminal is as it was: what is typed then must not show.
        let _hidden = Echo::off();
        let select = Select::with_theme(&look).items(&lines).default(default).report(false);
        let chosen = loop {
            match select.clone().interact_opt().map_err(|_| Gone)? {
                Some(chosen) => break chosen,
                None if ask.back => return Ok(Reply::Back),
                None => {
                    self.plain.complain(NO_WAY_BACK);
                    self.plain.head(ask);
                }
            }
        };
        let words = lines.get(chosen).map(String::as_str).unwrap_or_default();
        self.plain.say(&format!("  {} {}", look.pointer, look.paint.with(ACCENT, words)));
        Ok(if chosen < options.len() { Reply::Given(chosen) } else { Reply::Back })
    }

    fn during(&mut self, what: &str, work: &mut dyn FnMut() -> Verdict) -> Verdict {
        let _hidden = Echo::off();
        let _asking = Progress::begin(what);
        let verdict = work();
        // It was not shown, so nobody could see that it was to be the answer to the next question.
        forget_typed();
        verdict
    }

    fn done(&mut self, number: usize, total: usize, what: &str) {
        let bar = self.progress.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("  [{bar:20}] {pos}/{len}") {
                bar.set_style(style.progress_chars("#-"));
            }
            bar
        });
        bar.println(self.plain.fit(&format!("  {number}/{total} {}", visible(what))));
        bar.set_position(number as u64);
        if number == total {
            bar.finish_and_clear();
            self.progress = None;
        }
    }
}

/// The key that says which page comes next.
fn turn(plain: &mut Plain, prompt: &str) -> Result<Turn, Gone> {
    plain.say(prompt.trim_end());
    let _hidden = Echo::off();
    loop {
        match Term::stderr().read_key().map_err(|_| Gone)? {
            Key::Enter | Key::ArrowDown | Key::ArrowRight | Key::PageDown | Key::Char(' ') => return Ok(Turn::On),
            Key::ArrowUp | Key::ArrowLeft | Key::PageUp | Key::Escape | Key::Char('<') => return Ok(Turn::Back),
            Key::Char('q' | 'Q') => return Ok(Turn::End),
            _ => {}
        }
    }
}

/// How dialoguer's lists look.
struct Look {
    paint: Paint,
    pointer: &'static str,
}

impl Theme for Look {
    fn format_select_prompt_item(&self, f: &mut dyn fmt::Write, text: &str, active: bool) -> fmt::Result {
        match active {
            true => write!(f, "  {}", self.paint.with(ACCENT, &format!("{} {text}", self.pointer))),
            false => write!(f, "    {text}"),
        }
    }
}
