//! A person made of a script.

use std::collections::VecDeque;

use super::Verdict;
use super::prompt::{Ask, Gone, Prompter, Reply};

/// Answers by the beginning of a question, in order; what is asked and said is kept.
pub struct Scripted {
    answers: VecDeque<(String, String)>,
    pub heard: Vec<String>,
}

impl Scripted {
    /// Pairs of a question's part and its answer: text, the words of an option, `<` for back, `^C` for leaving, `` for Enter.
    pub fn new(answers: &[(&str, &str)]) -> Self {
        let own = |text: &str| text.to_owned();
        Self { answers: answers.iter().map(|(a, b)| (own(a), own(b))).collect(), heard: Vec::new() }
    }

    pub fn is_at_its_end(&self) -> bool {
        self.answers.is_empty()
    }

    fn next(&mut self, ask: &Ask<'_>) -> String {
        self.heard.push(format!("{} [{}]", ask.question, ask.default.unwrap_or_default()));
        let (question, answer) = self.answers.pop_front().unwrap_or_else(|| panic!("no answer to {:?}", ask.question));
        assert!(ask.question.contains(&question), "{question:?} was to be asked, not {:?}", ask.question);
        answer
    }
}

impl Prompter for Scripted {
    fn say(&mut self, text: &str) {
        self.heard.push(text.to_owned());
    }

    fn remark(&mut self, sentence: &str) {
        self.heard.push(sentence.to_owned());
    }

    fn complain(&mut self, sentence: &str) {
        self.heard.push(format!("! {sentence}"));
    }

    fn detail(&mut self, sentence: &str) {
        self.heard.push(sentence.to_owned());
    }

    fn line(&mut self, ask: &Ask<'_>) -> Result<Reply<String>, Gone> {
        match self.next(ask).as_str() {
            "^C" => Err(Gone),
            "<" => Ok(Reply::Back),
            "" => Ok(Reply::Given(ask.default.unwrap_or_default().to_owned())),
            text => Ok(Reply::Given(text.to_owned())),
        }
    }

    fn secret(&mut self, ask: &Ask<'_>) -> Result<Reply<Option<String>>, Gone> {
        match self.next(ask).as_str() {
            "^C" => Err(Gone),
            "<" => Ok(Reply::Back),
            "" => Ok(Reply::Given(None)),
            text => Ok(Reply::Given(Some(text.to_owned()))),
        }
    }

    fn choose(&mut self, ask: &Ask<'_>, options: &[String], default: usize) -> Result<Reply<usize>, Gone> {
        let answer = self.next(ask);
        match answer.as_str() {
            "^C" => Err(Gone),
            "<" => Ok(Reply::Back),
            "" => Ok(Reply::Given(default)),
            text => {
                let index = options.iter().position(|option| option.contains(text));
                Ok(Reply::Given(index.unwrap_or_else(|| panic!("{text:?} is none of {options:?}"))))
            }
        }
    }

    fn during(&mut self, _: &str, work: &mut dyn FnMut() -> Verdict) -> Verdict {
        work()
    }

    fn done(&mut self, _: usize, _: usize, what: &str) {
        self.say(what);
    }
}
