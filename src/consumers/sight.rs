//! What a reader makes of one variable, and which line decides it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::docker::compose::NOT_UTF_8;
use crate::host::HostRead;
use crate::text::Text;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file, as the host calls it.
    pub(crate) path: PathBuf,
    /// Its line, counted from 1; 0: the file as a whole.
    pub(crate) line: usize,
}

impl Place {
    /// A line of `path`.
    pub(crate) fn new(path: &Path, line: usize) -> Self {
        Self { path: path.to_path_buf(), line }
    }

    /// `FILE:LINE` as a person on this machine would type it; the file alone where no line decides.
    pub(crate) fn shown(&self, host: &dyn HostRead) -> String {
        let path = host.shown(&self.path).display().to_string();
        if self.line == 0 { path } else { format!("{path}:{}", self.line) }
    }
}

/// What a reader makes of one variable. Values may hold passwords: they are never serialised or printed as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It gets this value.
    Value {
        /// The value.
        value: String,
        /// Who decides it.
        at: Place,
    },
    /// It gets none: the variable is taken away there.
    Unset {
        /// Who decides it.
        at: Place,
    },
    /// The files alone do not tell: what stands there is not understood, or the file could not be read.
    Unknown {
        /// The first line that is not understood.
        at: Place,
        /// Why it is not: `a command decides it`.
        why: Text,
    },
}

/// Where a model ends: from this line on, nothing is known of what the reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// The first line that is not understood, or the file or folder that cannot be read.
    pub(crate) at: Place,
    /// Why it is not.
    pub(crate) why: Text,
}

impl Stop {
    /// At this place.
    pub(crate) fn new(at: &Place, why: impl Into<Text>) -> Self {
        Self { at: at.clone(), why: why.into() }
    }

    /// The file as a whole.
    pub(crate) fn file(path: &Path, why: impl Into<Text>) -> Self {
        Self::line(path, 0, why)
    }

    /// A line of it.
    pub(crate) fn line(path: &Path, line: usize, why: impl Into<Text>) -> Self {
        Self { at: Place::new(path, line), why: why.into() }
    }

    /// What the reader gets then.
    pub(crate) fn sight(&self) -> Sight {
        Sight::unknown(&self.at, self.why.clone())
    }

    /// The same for each of these names.
    pub(crate) fn sights(&self, names: &[&str]) -> Sights {
        self.sight().of_all(names)
    }
}

impl Sight {
    /// The same for each of these names.
    pub(crate) fn of_all(&self, names: &[&str]) -> Sights {
        names.iter().map(|name| ((*name).to_owned(), self.clone())).collect()
    }

    /// A value.
    pub(crate) fn set(value: impl Into<String>, at: Place) -> Self {
        Self::Value { value: value.into(), at }
    }

    /// A value that no proxy has where it is no text.
    pub(crate) fn of_bytes(value: Vec<u8>, at: Place) -> Self {
        match String::from_utf8(value) {
            Ok(value) => Self::Value { value, at },
            Err(_) => Self::unknown(&at, NOT_UTF_8),
        }
    }

    /// What the files alone do not tell.
    pub(crate) fn unknown(at: &Place, why: impl Into<Text>) -> Self {
        Self::Unknown { at: at.clone(), why: why.into() }
    }

    /// The value, where it is known that there is one.
    pub(crate) fn value(&self) -> Option<&str> {
        match self {
            Self::Value { value, .. } => Some(value),
            Self::Unset { .. } | Self::Unknown { .. } => None,
        }
    }

    /// Who decides it.
    pub(crate) fn at(&self) -> &Place {
        match self {
            Self::Value { at, .. } | Self::Unset { at } | Self::Unknown { at, .. } => at,
        }
    }
}

/// What a reader makes of each variable that its files decide. A name that is missing is not mentioned by any of them.
pub(crate) type Sights = BTreeMap<String, Sight>;
