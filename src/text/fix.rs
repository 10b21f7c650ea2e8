//! What is to be done about something.

use std::path::Path;

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
    /// A sentence that tells where to look for more: advice that changes nothing.
    Look(Text),
}

impl Fix {
    /// The command or the sentence.
    pub fn text(&self) -> &Text {
        let (Self::Command(text) | Self::Advice(text) | Self::Look(text)) = self;
        text
    }

    /// The word that introduces it where it is shown.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Command(_) => "fix",
            Self::Advice(_) | Self::Look(_) => "advice",
        }
    }

    /// The same for the image below `root`; see [`Text::at_root`].
    #[must_use]
    pub fn at_root(&self, root: &Path) -> Self {
        match self {
            Self::Command(text) => Self::Command(text.at_root(root)),
            Self::Advice(text) => Self::Advice(text.at_root(root)),
            Self::Look(text) => Self::Look(text.at_root(root)),
        }
    }
}
