//! Which runs `revert` takes back, as it was said.

/// Which runs are to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which<'a> {
    /// The last one in force.
    Last,
    /// This one.
    Named(&'a str),
    /// All after this one.
    To(&'a str),
    /// All.
    All,
}

impl Which<'_> {
    /// The words behind `revert` that say so.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Last => String::new(),
            Self::Named(run) => format!(" {run}"),
            Self::To(run) => format!(" --to {run}"),
            Self::All => " --all".to_owned(),
        }
    }
}
