//! Questions on a terminal that can move its cursor: lists to walk through, a line that moves while something takes a moment.
//! Only ASCII, and few bytes for each key.
//!
//! Lists are dialoguer's, which sees keys and no line: there Ctrl-C leaves and Ctrl-D, like every key that it has no use for,
//! does nothing. Lines and passwords are the terminal's own, and end at both.

use std::fmt;
use std::time::Duration;

use dialoguer::Select;
use dialoguer::console::Term;
use dialoguer::theme::Theme;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Verdict;
use super::plain::{Echo, Plain, forget_typed};
use super::prompt::{Ask, BACK, Gone, Prompter, Reply};
use crate::report::{Paint, visible};

/// Asks with dialoguer.
pub(crate) struct Screen {
    plain: Plain,
    progress: Option<ProgressBar>,
}

impl Screen {
    /// With or without colours.
    pub(crate) fn new(paint: Paint) -> Self {
        Self { plain: Plain::new(paint), progress: None }
    }
}

impl Prompter for Screen {
    fn say(&mut self, text: &str) {
        self.plain.say(text);
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
        self.plain.help(ask);
        // A list whose lines wrap cannot be drawn again in place.
        let width = usize::from(Term::stderr().size().1).saturating_sub(3).max(10);
        let back = format!("{BACK} back");
        let lines = options.iter().map(String::as_str).chain(ask.back.then_some(back.as_str()));
        let lines: Vec<String> =
            lines.map(|line| self.plain.fit(&visible(line)).chars().take(width).collect()).collect();
        let look = Look(self.plain.paint());
        // Between two keys the terminal is as it was: what is typed then must not show.
        let _hidden = Echo::off();
        let select = Select::with_theme(&look).with_prompt(ask.question).items(&lines).default(default).report(true);
        let chosen = select.interact().map_err(|_| Gone)?;
        Ok(if chosen < options.len() { Reply::Given(chosen) } else { Reply::Back })
    }

    fn during(&mut self, what: &str, work: &mut dyn FnMut() -> Verdict) -> Verdict {
        let _hidden = Echo::off();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg}") {
            bar.set_style(style.tick_chars("-\\|/ "));
        }
        bar.set_message(self.plain.fit(what));
        // Four times a second: a serial line at 9600 bit/s is a third full of it.
        bar.enable_steady_tick(Duration::from_millis(250));
        let verdict = work();
        bar.finish_and_clear();
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

/// How dialoguer's lists look.
struct Look(Paint);

impl Theme for Look {
    fn format_prompt(&self, f: &mut dyn fmt::Write, prompt: &str) -> fmt::Result {
        f.write_str(prompt)
    }

    fn format_select_prompt_selection(&self, f: &mut dyn fmt::Write, prompt: &str, chosen: &str) -> fmt::Result {
        write!(f, "{prompt} {chosen}")
    }

    fn format_select_prompt_item(&self, f: &mut dyn fmt::Write, text: &str, active: bool) -> fmt::Result {
        if active { write!(f, "{}", self.0.bold(&format!("> {text}"))) } else { write!(f, "  {text}") }
    }
}
