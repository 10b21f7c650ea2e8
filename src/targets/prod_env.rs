//! `prod.env`: the environment of the product's containers.

use std::path::Path;

use super::secrets_provider::Lines;
use super::system_proxy::edits;
use super::vars::{ProxyVars, portable, reasons};
use super::{Context, Phase};
use crate::consumers::Who;
use crate::context::complete;
use crate::envfile::{Dialect, Edit, Note, PortableValue, Rejection, Seen, State, Syntax, edit, find};
use crate::finding::{Finding, Status, ids};
use crate::host::HostRead;
use crate::plan::Draft;
use crate::problem::{Problem, id};
use crate::product::{Place, bring_back, leads_nowhere, templates};
use crate::settings::{BackEnd, Deployment, Effective, Key, NoProxy, Origin, Settings, by_key};
use crate::text;
use crate::text::{Text, as_root, ics_setup, own, typed};
use crate::vendor::{Generation, Vendor, prod_env};
use crate::version::Version;

pub(super) fn plan(context: &Context<'_>, vars: &ProxyVars, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let settings = context.settings;
    let back_ends = !settings.back_ends.is_empty() || settings.secrets_provider.is_some();
    let installs = context.phase == Phase::Install;
    if !vars.change() && !back_ends && !installs {
        return Ok(());
    }
    draft.plan.consumers.extend(vars.change().then_some(Who::ProdEnv));
    let path = prod_env(&settings.home);
    let shown = context.view.host.shown(&path);
    let snapshot = draft.snapshot(&path)?;
    let made;
    let present: &[u8] = match &snapshot {
        Some(snapshot) => &snapshot.bytes,
        None => {
            if let Some(target) = leads_nowhere(context.view, &path) {
                let target = context.view.host.shown(&target);
                let message = text!("{} leads to {}, where nothing is", shown, target);
                return Err(Problem::host(id::PROD_ENV_MISSING, message)
                    .because("a link to what is not mounted, or has gone: a secret store, another volume")
                    .hint(bring_back(&shown, &target)));
            }
            if !installs {
                let message = text!("{} is not there: the product is not installed in this folder", shown);
                return Err(Problem::host(id::PROD_ENV_MISSING, message)
                    .hint(text!("name the product's folder: {}", typed("--home <DIR>")))
                    .hint(match context.settings.remove_proxy {
                        true => text!("before the product is installed: {}", ics_setup("prepare --remove-proxy")),
                        false => {
                            text!("before the product is installed, with the same flags: {}", ics_setup("prepare"))
                        }
                    }));
            }
            made = templates::prod_env(generation(context));
            made.as_bytes()
        }
    };
    let list = context.found.no_proxy_at(&path);
    let variables = vars.variables(&list);
    let values = back_end_values(context, &shown, draft)?;
    let secret = Lines::of(context, present, &shown, draft)?;
    let mut edits = edits(context, vars, &variables);
    edits.extend(values.iter().map(|(name, value)| Edit::Set(name, value.as_bytes())));
    edits.extend(secret.edits(&values));
    let edited = edit(present, Syntax::EnvFile, &edits).map_err(|refused| {
        Problem::host(id::READERS_DISAGREE, text!("{}: {}", shown, refused))
            .hint(text!("mend the lines about {} by hand, then run again", own(refused.name)))
    })?;
    if !vars.remove {
        if context.found.unknown_no_proxy(&path) {
            vars.untold_list(context, &path, present, draft);
        }
        vars.remarks(context, &path, &list, draft);
    }
    duplicates(&shown, &edited.notes, draft);
    readers_that_reject(&shown, &edited.rejections, draft);
    let before = draft.plan.changes.len();
    let new = snapshot.is_none().then(|| Text::from("made from the built-in template"));
    draft.put(&path, edited.bytes, 0o640, new.into_iter().chain(reasons(&edited.notes)).collect())?;
    // An installation starts them itself.
    if draft.plan.changes.len() > before && !installs {
        draft.next(read_again(context.view.host, &settings.home));
    }
    if installs {
        password(context, snapshot.is_none(), draft);
    }
    Ok(())
}

/// Which names the variables have: those of the file, else those that the release reads.
fn generation(context: &Context<'_>) -> Generation {
    context.found.generation.unwrap_or_else(|| of_release(context.settings))
}

/// Those that the release reads which the settings name.
pub(crate) fn of_release(settings: &Settings) -> Generation {
    let release =
        settings.release.as_deref().and_then(|release| Version::parse(release.trim_start_matches(['v', 'V'])));
    match release {
        Some(release) if release < Vendor::get().current_since => Generation::Older,
        _ => Generation::Current,
    }
}

/// What is to be said of the password of the databases. Somebody's file without one is for a database that has the product's
/// own default.
fn password(context: &Context<'_>, fresh: bool, draft: &mut Draft<'_>) {
    let (settings, home) = (context.settings, &context.settings.home);
    let test_drive = settings.deployment == Deployment::TestDrive;
    let effective = Effective::new(settings, context.found);
    if effective.databases().is_some() {
        return;
    }
    let Some(password) = effective.secret(Key::MysqlPassword) else {
        if fresh && test_drive && complete::has_data(context.view, home) {
            let folder = context.view.host.shown(&complete::data(home));
            let title = text!("{} has data of a database, and its password is nowhere", folder);
            draft.note(
                Finding::fail(ids::DATA_WITHOUT_PASSWORD, title)
                    .expected(
                        "the password with which the folder was made: in prod.env, in mysql.env or kept by ics-setup",
                    )
                    .cause(
                        "the database makes its accounts once, with the folder, and takes no other password afterwards",
                    )
                    .advise(text!("give the password that it was made with: {}", typed("--mysql-password-file <FILE>")))
                    .advise(text!(
                        "or begin anew with an empty database: {}",
                        typed(text!("mv {} {}.old", folder, folder))
                    )),
            );
        }
        return;
    };
    let published = &Vendor::get().published_passwords;
    if published.iter().any(|known| known.as_bytes() == password.expose()) {
        let (status, title) = match test_drive {
            true => (Status::Warn, "the databases of this Test Drive have the password that the vendor publishes"),
            false => (Status::Fail, "the databases have the password that the vendor publishes as a default"),
        };
        draft.note(
            Finding::new(ids::DEFAULT_PASSWORD, status, title)
                .expected("a password that nobody else knows")
                .cause("whoever reaches the server can read and change everything that the product knows")
                .advise(text!(
                    "give the account another password at the server, then name it: {}",
                    typed("--mysql-password-file <FILE>")
                ))
                .advise(text!("where this host is a Test Drive, say so: {}", typed("--deployment test-drive"))),
        );
    }
}

/// What makes the containers read it: by Compose as this host has it, where it has one with a file for it.
pub(crate) fn read_again(host: &dyn HostRead, home: &Path) -> Text {
    let place = Place::look(host, home);
    if !place.has_compose() {
        return text!("let containers that have started with {} read it: create them anew", prod_env(home));
    }
    let compose = place.command(home);
    text!("let the containers read it: {}", as_root(text!("{} down && {} up -d", compose.clone(), compose)))
}

/// The members of the list in a commented line that is going to be taken up: the last one, where no line is active.
///
/// # Errors
/// The file cannot be read.
pub(super) fn taken_up(context: &Context<'_>) -> Result<NoProxy, Problem> {
    let vars = ProxyVars::new(context.settings);
    let snapshot = context.view.snapshot(&prod_env(&context.settings.home))?;
    let Some(snapshot) = snapshot.filter(|_| vars.sets() && vars.merges()) else { return Ok(NoProxy::default()) };
    let lines = find(&snapshot.bytes, Syntax::EnvFile, &["no_proxy"]);
    let is_active = lines.iter().any(|line| line.state == State::Active);
    let value = lines.last().filter(|_| !is_active).map(|line| &snapshot.bytes[line.value.clone()]);
    let Some(value) = value else { return Ok(NoProxy::default()) };
    // As it would be read if it stood there. Prose is no list.
    let line = [b"no_proxy=", value, b"\n"].concat();
    let read = |reader: &Dialect| match reader.read_only(&line, &[b"no_proxy"]).get(b"no_proxy")? {
        Seen::Value(value) => NoProxy::parse(std::str::from_utf8(value).ok()?).ok(),
        Seen::Inherited | Seen::Unknown => None,
    };
    Ok(Syntax::EnvFile.readers().must.iter().find_map(read).unwrap_or_default())
}

/// Database and Redis values under the names of the generation that the file uses.
fn back_end_values<'a>(
    context: &'a Context<'_>,
    shown: &Path,
    draft: &mut Draft<'_>,
) -> Result<Vec<(&'a str, PortableValue)>, Problem> {
    let settings = context.settings;
    if settings.back_ends.is_empty() {
        return Ok(Vec::new());
    }
    if context.found.mixed {
        let message = text!(
            "{} mixes two generations of names, DIVVY_DB_* and DIVVY_MYSQL_*, which no release reads together",
            shown
        );
        return Err(Problem::host(id::PROD_ENV_MIXED, message)
            .hint("comment out the lines of the generation that your release does not read"));
    }
    let outranked = outranked(context, shown, draft);
    let generation = generation(context);
    let mut values = Vec::new();
    for key in Vendor::get().prod_env_keys() {
        let Some(spec) = by_key(key).filter(|spec| !outranked.contains(&spec.key)) else { continue };
        let Some(value) = settings.back_ends.get(&spec.key) else { continue };
        let what = if matches!(value, BackEnd::Hidden(_)) { "password" } else { "value" };
        let portable = portable(key, what, value.bytes(), shown)?;
        for name in Vendor::get().variables(generation, key) {
            values.push((name.as_str(), portable.clone()));
        }
    }
    Ok(values)
}

/// Settings of the databases that the last run was told, and that a secret outranks now: they are not written again. One that
/// somebody asks for stops the run.
fn outranked(context: &Context<'_>, shown: &Path, draft: &mut Draft<'_>) -> Vec<Key> {
    let settings = context.settings;
    let secret = context.found.databases.as_ref().filter(|_| settings.secrets_provider.is_none());
    let Some(secret) = secret else { return Vec::new() };
    let of_databases: Vec<Key> = settings.back_ends.keys().copied().filter(|key| key.is_in("mysql")).collect();
    let by_hand = |key: &Key| {
        let faces = [Some(*key), key.file_of_password()];
        let mut shown = settings.shown.iter().filter(|(own, ..)| faces.contains(&Some(*own)));
        shown.find(|(.., origin)| matches!(origin, Origin::Flag(_) | Origin::Variable(_) | Origin::File { .. }))
    };
    let asked: Vec<&Origin> = of_databases.iter().filter_map(by_hand).map(|(.., origin)| origin).collect();
    let Some(first) = asked.first() else { return of_databases };
    let provider = &Vendor::get().secrets_provider;
    let line = match &secret.origin {
        Origin::Found { line, .. } => text!("line {} of {}", line, shown),
        _ => text!("{}", shown),
    };
    let title = text!("the databases come from {}: {} would count for nothing", secret.value.as_str(), *first);
    draft.note(
        Finding::fail(ids::SECRETS_PROVIDER, title)
            .observed(text!("{} in {}", own(&provider.variable), line))
            .cause("the product takes the databases from the secret and passes over lines about them in prod.env")
            .advise(text!("change it in the secret: its members are {}", own(provider.keys.join(", "))))
            .advise(
                "where prod.env is to name the databases again, give the same command --no-secrets-provider besides",
            ),
    );
    Vec::new()
}

fn duplicates(shown: &Path, notes: &[Note], draft: &mut Draft<'_>) {
    for note in notes {
        let Note::DuplicateCommented(name, line) = note else { continue };
        let cause = "every reader takes the last one; the others only mislead people, so they were commented out";
        draft.note(
            Finding::warn(ids::ENV_FILE_COMMENTED_DUPLICATES, text!("{} had {} more than once", shown, own(name)))
                .observed(text!("line {} was not the last one", line))
                .cause(cause),
        );
    }
}

/// Readers that reject the file because of lines that are not ours to change.
fn readers_that_reject(shown: &Path, rejections: &[Rejection], draft: &mut Draft<'_>) {
    for Rejection { reader, line, message } in rejections {
        draft.note(
            Finding::warn(ids::ENV_FILE_READER_REJECTS, text!("{} rejects {}", own(reader), shown))
                .observed(text!("line {}: {}", line, message))
                .cause("that reader stops at the line, and gives the containers nothing of the file")
                .advise(text!(
                    "mend line {} of {}: NAME=value, without export, blanks around = or quotes",
                    line,
                    shown
                )),
        );
    }
}
