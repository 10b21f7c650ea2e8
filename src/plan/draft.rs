//! Collects changes while targets look at the host.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{After, Change, FileMeta, Plan};
use crate::envfile::{UTF_16, to_utf_8, utf_16};
use crate::finding::Finding;
use crate::host::{Refused, Snapshot, View, unreadable};
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Text, as_root, own, quoted, typed};

/// A plan in the making.
pub(crate) struct Draft<'v> {
    /// What the host looks like.
    pub view: &'v View<'v>,
    /// What is to be done so far.
    pub plan: Plan,
}

impl<'v> Draft<'v> {
    /// Nothing to do yet.
    pub(crate) fn new(view: &'v View<'v>) -> Self {
        Self { view, plan: Plan::default() }
    }

    /// The file as it is now.
    ///
    /// # Errors
    /// When it is there and cannot be read, by us or by whoever it is meant for.
    pub(crate) fn snapshot(&self, path: &Path) -> Result<Option<Arc<Snapshot>>, Problem> {
        let snapshot = self.view.snapshot(path)?;
        let Some(from) = snapshot.as_ref().and_then(|file| utf_16(&file.bytes)) else { return Ok(snapshot) };
        let shown = self.view.host.shown(path);
        let message = text!("{} is {}", shown.display(), own(UTF_16));
        Err(Problem::host(id::UTF_16, message).hint_command(as_root(to_utf_8(&shown, from))))
    }

    /// Wants the file to have this content. An existing file keeps everything else; a new one gets `mode`. The same
    /// content is no change.
    ///
    /// # Errors
    /// When the path cannot be edited safely.
    pub(crate) fn put(&mut self, path: &Path, bytes: Vec<u8>, mode: u32, reasons: Vec<Text>) -> Result<(), Problem> {
        self.put_within(path, bytes, mode, 0o7777, reasons)
    }

    /// As [`Draft::put`], of a file of ours that holds a password: nobody may do with it what `mode` does not allow, also where
    /// it was there before and had no secret.
    ///
    /// # Errors
    /// When the path cannot be edited safely.
    pub(crate) fn put_closed(
        &mut self,
        path: &Path,
        bytes: Vec<u8>,
        mode: u32,
        reasons: Vec<Text>,
    ) -> Result<(), Problem> {
        self.put_within(path, bytes, mode, mode, reasons)
    }

    /// What an existing file has of rights beside `limit` is taken from it.
    fn put_within(
        &mut self,
        path: &Path,
        bytes: Vec<u8>,
        mode: u32,
        limit: u32,
        mut reasons: Vec<Text>,
    ) -> Result<(), Problem> {
        let before = self.snapshot(path)?;
        if before.as_ref().is_some_and(|before| before.bytes == bytes) {
            return Ok(());
        }
        let meta = match &before {
            Some(before) => {
                let (now, within) = (before.attributes.mode, before.attributes.touched().within(limit));
                if within.mode != now {
                    let mode = own(format!("{:04o}", within.mode));
                    reasons.push(text!("mode {}, since a password comes into it", mode));
                }
                FileMeta::Like(within)
            }
            None => FileMeta::Mode(mode),
        };
        self.change(path, before, Some(After { bytes, meta }), reasons)
    }

    /// As [`Draft::put`], of a file that the plan may change already: it gets this content instead.
    ///
    /// # Errors
    /// When the path cannot be edited safely.
    pub(crate) fn amend(&mut self, path: &Path, bytes: Vec<u8>, reasons: Vec<Text>) -> Result<(), Problem> {
        let real_path = self.real_path(path)?;
        let planned = self.plan.changes.iter_mut().find(|change| change.real_path == real_path);
        match planned.and_then(|change| Some((change.after.as_mut()?, &mut change.reasons))) {
            Some((after, known)) => {
                after.bytes = bytes;
                known.extend(reasons);
                Ok(())
            }
            None => self.put(path, bytes, 0o644, reasons),
        }
    }

    /// Wants the file gone.
    ///
    /// # Errors
    /// When the path cannot be edited safely.
    pub(crate) fn delete(&mut self, path: &Path, reasons: Vec<Text>) -> Result<(), Problem> {
        match self.snapshot(path)? {
            Some(before) => self.change(path, Some(before), None, reasons),
            None => Ok(()),
        }
    }

    /// Says something.
    pub(crate) fn note(&mut self, finding: Finding) {
        self.plan.findings.push(finding);
    }

    /// Asks the person to do something afterwards.
    pub(crate) fn next(&mut self, step: impl Into<Text>) {
        let step = step.into();
        // An image has no sessions and no daemons; a command of this machine would act on the wrong system.
        let step = if self.view.host.is_live() { step } else { text!("once the image runs: {}", step) };
        if !self.plan.next_steps.contains(&step) {
            self.plan.next_steps.push(step);
        }
    }

    fn change(
        &mut self,
        path: &Path,
        before: Option<Arc<Snapshot>>,
        after: Option<After>,
        reasons: Vec<Text>,
    ) -> Result<(), Problem> {
        let shown = self.view.host.shown(path);
        let (file, shown) = (own(quoted(&shown.to_string_lossy())), shown.display());
        let real_path = self.real_path(path)?;
        if before.as_ref().is_some_and(|before| before.links > 1) {
            return Err(Problem::host(
                id::HARD_LINKED,
                text!("{} has other names (hard links), which a new version would leave behind", shown),
            )
            .hint_command(as_root(text!(
                "cp --preserve=all {} {}.new && mv {}.new {}",
                file,
                file,
                file,
                file
            ))));
        }
        self.plan.changes.push(Change { path: path.to_path_buf(), real_path, before, after, reasons });
        Ok(())
    }

    fn real_path(&self, path: &Path) -> Result<PathBuf, Problem> {
        let shown = self.view.host.shown(path);
        self.view.host.resolve(path).map_err(|refused| match refused {
            Refused::Io(error) => unreadable(&shown, &error),
            refused => Problem::host(id::SYMLINK_REFUSED, text!("{} is not edited", shown.display()))
                .caused_by(refused)
                .hint(text!("look at it: {}", typed(text!("ls -l {}", shown.display())))),
        })
    }
}
