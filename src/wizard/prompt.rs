//! Asking: what a question is, what comes back, and who can be asked.

use super::Verdict;

/// One question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// The question, with or without its `?`.
    pub question: &'a str,
    /// Stands under the question and begins with its subject; may be empty.
    pub help: &'a str,
    /// What Enter alone means.
    pub default: Option<&'a str>,
    /// What Enter alone means where it gives no text: the word that is shown for that.
    pub nothing: Option<&'a str>,
    /// The part of the wizard that it belongs to, of [`PARTS`]; `None`: it is about the answer before.
    pub part: Option<usize>,
    /// Is there a question before this one to go back to?
    pub back: bool,
    /// What was typed before the question was seen is no answer to it.
    pub careful: bool,
}

impl<'a> Ask<'a> {
    /// A question of the settings table.
    pub(crate) fn of(question: &'a str, help: &'a str, back: bool) -> Self {
        Self { question, help, default: None, nothing: None, part: None, back, careful: false }
    }

    /// The same with a default.
    #[must_use]
    pub(crate) fn or(self, default: Option<&'a str>) -> Self {
        Self { default, ..self }
    }

    /// The same where Enter alone gives no text.
    #[must_use]
    pub(crate) fn or_nothing(self, word: &'a str) -> Self {
        Self { nothing: Some(word), ..self }
    }

    /// What stands in brackets: what Enter alone takes.
    pub(crate) fn on_enter(&self) -> Option<&'a str> {
        self.default.filter(|text| !text.is_empty()).or(self.nothing)
    }
}

/// Deployment, proxy, exclusions, what is done, the plan: so many parts a run has, whatever is left out of it.
pub(crate) const PARTS: usize = 5;

/// What was answered, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What it is.
    pub label: String,
    /// The answer.
    pub value: String,
    /// What the world said to it, and whether that is good.
    pub said: Option<(bool, String)>,
}

/// An answer, or the wish to see the question before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply<T> {
    /// The answer.
    Given(T),
    /// Back.
    Back,
}

/// The person went away: Ctrl-C, the end of the input, a terminal that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// What is typed to go back. A password that is this one character has to come from a file.
pub(super) const BACK: &str = "<";

/// Somebody who can be asked.
pub(crate) trait Prompter {
    /// Says something; a line feed is added.
    fn say(&mut self, text: &str);

    /// From here on screens are the wizard's; what stands above stays.
    fn begin(&mut self) {}

    /// Shows what was answered in the place of the questions; where lines stay as they were written, they tell it themselves.
    fn answered(&mut self, _: &[Line]) {}

    /// Rows and columns.
    fn window(&self) -> (usize, usize) {
        (24, 80)
    }

    /// Shows a long text a screen at a time, forth and back.
    ///
    /// # Errors
    /// Nobody is there any more.
    fn page(&mut self, text: &str) -> Result<(), Gone> {
        self.say(text);
        Ok(())
    }

    /// Says a sentence about the answer before.
    fn remark(&mut self, sentence: &str);

    /// Says in one sentence why an answer was none.
    fn complain(&mut self, sentence: &str);

    /// Says a sentence that explains the one before.
    fn detail(&mut self, sentence: &str);

    /// A line of text. Empty where there is no default and nothing was typed.
    ///
    /// # Errors
    /// Nobody is there any more.
    fn line(&mut self, ask: &Ask<'_>) -> Result<Reply<String>, Gone>;

    /// A line of text that is not shown. `None`: Enter alone, which keeps the known one where the default is empty text, and
    /// means what the default says where it is a word.
    ///
    /// # Errors
    /// Nobody is there any more.
    fn secret(&mut self, ask: &Ask<'_>) -> Result<Reply<Option<String>>, Gone>;

    /// One of several; `default` is the one that Enter alone takes.
    ///
    /// # Errors
    /// Nobody is there any more.
    fn choose(&mut self, ask: &Ask<'_>, options: &[String], default: usize) -> Result<Reply<usize>, Gone>;

    /// Does something that takes a moment and shows that it does.
    fn during(&mut self, what: &str, work: &mut dyn FnMut() -> Verdict) -> Verdict;

    /// One of the changes of a plan has been made.
    fn done(&mut self, number: usize, total: usize, what: &str);
}
