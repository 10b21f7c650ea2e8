//! `/etc/ics-setup/settings.toml`: what was asked for, so that a later run names only what changed.

use std::path::Path;

use super::Context;
use crate::host::View;
use crate::plan::Draft;
use crate::problem::{Problem, id};
use crate::settings::{SAVED, save};
use crate::text;
use crate::text::own;

pub(super) fn plan(context: &Context<'_>, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let path = Path::new(SAVED);
    let present = text(draft.view)?;
    if let Some(text) = save(present.as_deref(), &context.settings.saved)? {
        draft.put(path, text.into_bytes(), 0o644, vec!["keep the settings for the next run".into()])?;
    }
    Ok(())
}

/// The saved settings as text.
fn text(view: &View<'_>) -> Result<Option<String>, Problem> {
    let Some(snapshot) = view.snapshot(Path::new(SAVED))? else { return Ok(None) };
    String::from_utf8(snapshot.bytes.clone())
        .map(Some)
        .map_err(|_| Problem::settings(id::SETTINGS_NOT_TOML, text!("{} is not UTF-8 text", own(SAVED))))
}
