//! `mysql.env`: the accounts of a Test Drive's database, for the container that makes them.

use std::path::Path;

use super::Context;
use super::vars::portable;
use crate::context::complete::{KEPT, PASSWORD, is_generated, mysql_env};
use crate::docker::compose::outline::Outline;
use crate::envfile::{Edit, Syntax, edit};
use crate::plan::{Draft, Kept};
use crate::problem::{Problem, id};
use crate::product::templates;
use crate::settings::{Effective, Key};
use crate::text;

/// Makes the file where a service of the compose file reads it and it is not there. One that is there has made its accounts.
pub(super) fn plan(context: &Context<'_>, services: &[Outline], draft: &mut Draft<'_>) -> Result<(), Problem> {
    let path = mysql_env(&context.settings.home);
    let reads = |file: &String| context.settings.home.join(file.trim_start_matches("./")) == path;
    let is_read = services.iter().flat_map(|service| &service.env_files).any(reads);
    if !is_read || draft.snapshot(&path)?.is_some() {
        return Ok(());
    }
    let effective = Effective::new(context.settings, context.found);
    // Why there is none is said where prod.env is drafted.
    let Some(password) = effective.secret(Key::MysqlPassword) else { return Ok(()) };
    let shown = context.view.host.shown(&path);
    let value = |key: Key, default: &str, shown: &Path| {
        let text = effective.text(key).map_or_else(|| default.to_owned(), |(text, _)| text);
        portable(key.as_str(), "value", text.as_bytes(), shown)
    };
    let hidden = portable(Key::MysqlPassword.as_str(), "password", password.expose(), &shown)?;
    let (database, user) = (value(Key::MysqlDatabase, "divvy", &shown)?, value(Key::MysqlUser, "divvy", &shown)?);
    let edits = [
        Edit::Set("MYSQL_DATABASE", database.as_bytes()),
        Edit::Set("MYSQL_USER", user.as_bytes()),
        Edit::Set(PASSWORD, hidden.as_bytes()),
        Edit::Set("MYSQL_ROOT_PASSWORD", hidden.as_bytes()),
    ];
    let edited = edit(templates::mysql_env().as_bytes(), Syntax::EnvFile, &edits)
        .map_err(|refused| Problem::host(id::READERS_DISAGREE, text!("{}: {}", shown, refused)))?;
    if is_generated(context.settings) {
        let bytes = [PASSWORD.as_bytes(), b"=", hidden.as_bytes(), b"\n"].concat();
        draft.plan.keeps.push(Kept { path: KEPT.into(), bytes });
    }
    draft.put(&path, edited.bytes, 0o640, vec!["the accounts of the database".into()])
}
