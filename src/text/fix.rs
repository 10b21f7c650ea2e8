//! What is to be done about something.

use super::{Again, CommandLine, Person, Text, typed};

/// What mends something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub enum Fix {
    /// A command line that can be pasted and run on this host as it is: no placeholder, no prose. What it was given for is
    /// gone afterwards.
    Command(CommandLine),
    /// A sentence. What only a person knows stands in it as `<VALUE>`.
    Advice(Text),
    /// A sentence that tells where to look for more: advice that changes nothing.
    Look(Text),
}

impl Fix {
    /// The command or the sentence.
    pub fn text(&self) -> &Text {
        match self {
            Self::Command(line) => line.text(),
            Self::Advice(text) | Self::Look(text) => text,
        }
    }

    /// The word that introduces it where it is shown.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Command(_) => "fix",
            Self::Advice(_) | Self::Look(_) => "advice",
        }
    }

    /// The same as this person can paste it; see [`Text::pasted_by`]. A whole command of `prepare` stays one; flags for another
    /// verb that they have called are advice.
    #[must_use]
    pub fn pasted_by(&self, person: &Person) -> Self {
        match self {
            Self::Command(line) if person.again == Again::Prepare => {
                let person = &Person { again: Again::No, ..person.clone() };
                Self::Command(typed(line.text().pasted_by(person)))
            }
            Self::Command(line) if line.text().is_again(person.again) => Self::Advice(line.text().pasted_by(person)),
            Self::Command(line) => Self::Command(typed(line.text().pasted_by(person))),
            Self::Advice(text) => Self::Advice(text.pasted_by(person)),
            Self::Look(text) => Self::Look(text.pasted_by(person)),
        }
    }
}
