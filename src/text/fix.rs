//! What is to be done about something.

use super::Text;

/// What mends something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub enum Fix {
    /// A command line that can be pasted and run on this host as it is: no placeholder, no prose. What it was given for is
    /// gone afterwards.
    Command(Text),
    /// A sentence. What only a person knows stands in it as `<VALUE>`.
    Advice(Text),
}

impl Fix {
    /// The command or the sentence.
    pub fn text(&self) -> &Text {
        let (Self::Command(text) | Self::Advice(text)) = self;
        text
    }
}
