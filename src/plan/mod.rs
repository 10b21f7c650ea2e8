//! What would be done, as pure data: which file gets which bytes, and why.

mod diff;
mod draft;
mod planned;
mod shown;
mod stage;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::consumers::Who;
use crate::finding::Finding;
use crate::host::{Attributes, Snapshot};
use crate::net::Certificates;
use crate::sandbox::File;
use crate::settings::{Origin, Settings, Told};
use crate::text::Text;
use crate::text::words::words;

pub(crate) use diff::{DiffLine, unified};
pub(crate) use draft::Draft;
pub(crate) use planned::PlannedHost;
pub(crate) use shown::holds;
pub(crate) use stage::{ContainerChange, Fate, Stage, StageId, StageState};

/// Comments that ics-setup writes itself.
const OWN_COMMENTS: [&str; 2] = [
    "# Written by ics-setup. Take it back with: ics-setup revert",
    "// Written by ics-setup. Take it back with: ics-setup revert",
];

/// All changes of a run, and what is to be said about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// In the order in which they are made.
    pub changes: Vec<Change>,
    /// What was noticed while planning.
    pub findings: Vec<Finding>,
    /// What the person has to do afterwards.
    pub next_steps: Vec<Text>,
    /// Whether the proxy of these consumers is right is looked at when everything is written.
    pub consumers: Vec<Who>,
    /// The authority that host and containers are to trust when everything is written.
    pub authority: Option<Certificates>,
    /// What people have said, for the journal.
    pub said: Vec<Said>,
    /// What is remembered of the run; that is no change of the host.
    pub memory: Memory,
    /// Folders that were there before and are there again afterwards, with their modes.
    pub folder_modes: Vec<(PathBuf, u32)>,
    /// Folders that go when they are empty afterwards, innermost first.
    pub idle_folders: Vec<PathBuf>,
    /// What is written to the state folder before anything else, readable by root alone, and is never taken back: passwords
    /// that nobody but their containers would know otherwise.
    pub keeps: Vec<Kept>,
}

/// A setting as somebody has said it, as far as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// Its key.
    pub key: String,
    /// Its value, without secrets.
    pub value: String,
    /// Who has said it: a flag, a variable, a line of a file, the last run.
    pub origin: String,
}

impl Said {
    /// Of these settings.
    pub(crate) fn of(settings: &Settings) -> Vec<Self> {
        let said = settings.shown.iter().filter(|(.., origin)| origin.rank() >= Origin::LastRun(None).rank());
        let said = said.filter_map(|(key, value, origin)| {
            Some(Self { key: key.as_str().to_owned(), value: value.clone()?, origin: origin.to_string() })
        });
        said.collect()
    }
}

/// A file of the state folder.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The file.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kept").field(&self.path).finish()
    }
}

impl Plan {
    /// Is there nothing to do?
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Do both plans give the same files the same bytes?
    pub(crate) fn same_changes(&self, other: &Self) -> bool {
        let same = |(a, b): (&Change, &Change)| {
            a.path == b.path
                && a.action() == b.action()
                && a.old_bytes() == b.old_bytes()
                && a.new_bytes() == b.new_bytes()
        };
        self.changes.len() == other.changes.len() && self.changes.iter().zip(&other.changes).all(same)
    }

    /// Does the plan change this path?
    pub(crate) fn touches(&self, path: &Path) -> bool {
        self.changes.iter().any(|change| change.path == path)
    }
}

/// What becomes of `state.json`, in the same transaction as the changes.
#[derive(Clone, Debug, Default)]
pub(crate) enum Memory {
    /// It stays as it is.
    #[default]
    Stays,
    /// It names this run and what it was told.
    Told(Told),
    /// It gets this content; `None`: it goes.
    Back(Option<Vec<u8>>),
}

words! {
    /// What happens to a file.
    pub enum Action {
        /// It comes into being.
        Create = "create",
        /// It gets other content.
        Modify = "modify",
        /// It goes.
        Delete = "delete",
    }
}

/// One file before and after. What it was before is also the condition under which the change may be made.
#[derive(Clone, Debug)]
pub struct Change {
    /// The file as it is called.
    pub path: PathBuf,
    /// The file that is meant, with no symbolic link left in its path.
    pub real_path: PathBuf,
    /// What stands there now.
    pub before: Option<Arc<Snapshot>>,
    /// What is to stand there.
    pub after: Option<After>,
    /// Why, one sentence each.
    pub reasons: Vec<Text>,
}

/// What is to stand in a file.
#[derive(Clone, Debug)]
pub struct After {
    /// Content.
    pub bytes: Vec<u8>,
    /// Owner, mode and the rest, or the mode alone for a file that is new.
    pub meta: FileMeta,
}

/// What a file gets beside its content.
#[derive(Clone, Debug)]
pub enum FileMeta {
    /// These attributes.
    Like(Attributes),
    /// This mode; the rest is the system's.
    Mode(u32),
}

impl Change {
    /// The file as programs are to see it that are asked before it is there.
    pub(crate) fn file(&self) -> File {
        let (mode, owner) = match self.after.as_ref().map(|after| &after.meta) {
            Some(FileMeta::Like(attributes)) => (attributes.mode, Some((attributes.uid, attributes.gid))),
            Some(FileMeta::Mode(mode)) => (*mode, None),
            None => (0, None),
        };
        let content = self.after.as_ref().map(|after| after.bytes.clone());
        File { path: self.real_path.clone(), content, mode, owner }
    }

    /// What happens.
    pub fn action(&self) -> Action {
        match (&self.before, &self.after) {
            (None, _) => Action::Create,
            (Some(_), Some(_)) => Action::Modify,
            (Some(_), None) => Action::Delete,
        }
    }

    /// Content before; empty where there is no file.
    pub fn old_bytes(&self) -> &[u8] {
        self.before.as_ref().map_or(&[], |snapshot| &snapshot.bytes)
    }

    /// Content after; empty where there will be no file.
    pub fn new_bytes(&self) -> &[u8] {
        self.after.as_ref().map_or(&[], |after| &after.bytes)
    }
}
