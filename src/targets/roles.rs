//! Which services of the compose file this host runs, where a production has several hosts (`--role`).
//!
//! The file is the fact: what a service's host does is what its file has. Services of other roles keep their lines in it, as
//! comments that are known again; whatever else is edited is edited in them too, so that what comes back is of the same release.

use std::path::{Path, PathBuf};

use crate::docker::compose::Odd;
use crate::docker::compose::edit::{Edit, restored, taken_out, without};
use crate::docker::compose::outline::{Outline, outline};
use crate::finding::{Finding, ids};
use crate::plan::Draft;
use crate::problem::{Problem, id};
use crate::product::Known;
use crate::product::interface::is_interface;
use crate::settings::{Deployment, Key, Origin, Role, Settings};
use crate::text;
use crate::text::{Foreign, Text, own, typed};

/// A compose file, and which of its services are only kept in it.
pub(super) struct Split {
    /// With all services.
    pub(super) whole: String,
    /// Those that this host is not to run.
    pub(super) out: Vec<String>,
    /// Those that it ran until now, and is not to run any more.
    gone: Vec<String>,
    /// Those that it did not run until now.
    back: Vec<String>,
    /// It had the web interface.
    had_interface: bool,
    /// The one image of the product that its services had until now.
    image: Option<String>,
}

/// What a host is to be, and where that is written.
pub(super) struct Wanted<'a> {
    pub(super) roles: &'a [Role],
    pub(super) shown: &'a Path,
    /// Files that Compose lays over it.
    pub(super) overs: &'a [PathBuf],
    /// Nobody has run the file yet.
    pub(super) fresh: bool,
}

/// What a service is for, by its own name or by its command.
fn role(service: &Outline) -> Option<Role> {
    Known::get().service_of(&service.name, &service.command)?.role
}

/// What this host is wanted for; `None`: nobody says, so what the file has.
///
/// # Errors
/// A Test Drive is to have a role.
pub(super) fn wanted(settings: &Settings, fresh: bool) -> Result<Option<Vec<Role>>, Problem> {
    if settings.deployment == Deployment::TestDrive {
        return match settings.said(Key::Role) {
            None => Ok(None),
            Some(_) => Err(Problem::settings(id::SETTING_INVALID, "--role: a Test Drive runs everything on one host")
                .because("its MySQL and Redis are containers, which no other host is to reach")
                .hint(text!("leave --role out, or install a production: {}", typed("--deployment production")))),
        };
    }
    let said = if fresh { settings.text(Key::Role) } else { settings.said(Key::Role) };
    Ok(said.map(Role::of_list))
}

impl Split {
    /// Of a file as it stands. `of_product`: which of these services are made from the product's image.
    ///
    /// # Errors
    /// The line for which it cannot be taken apart.
    pub(super) fn new(
        text: &str,
        wanted: Option<&[Role]>,
        of_product: fn(&[Outline]) -> Vec<&Outline>,
    ) -> Result<Self, Odd> {
        let here = outline(text)?;
        let mut images: Vec<_> = of_product(&here).into_iter().filter_map(|own| own.image.clone()).collect();
        images.dedup();
        let image = if images.len() == 1 { images.pop() } else { None };
        let had_interface = here.iter().any(|own| is_interface(&own.name, &own.command));
        let as_it_is = || Self {
            whole: text.to_owned(),
            out: Vec::new(),
            gone: Vec::new(),
            back: Vec::new(),
            had_interface,
            image: image.clone(),
        };
        let Some(wanted) = wanted else {
            let whole = || Some((restored(text).ok()?, taken_out(text).ok()?));
            // Lines of ours that a person has edited are nobody's business until a role is asked for.
            let Some((whole, out)) = whole().filter(|(whole, out)| without(whole, out).as_deref() == Ok(text)) else {
                return Ok(as_it_is());
            };
            return Ok(Self { whole, out, ..as_it_is() });
        };
        let (whole, before) = (restored(text)?, taken_out(text)?);
        let is_out = |own: &&Outline| role(own).is_some_and(|role| !wanted.contains(&role));
        let all = outline(&whole)?;
        let out: Vec<String> = all.iter().filter(is_out).map(|own| own.name.clone()).collect();
        let gone = out.iter().filter(|name| !before.contains(name)).cloned().collect();
        let back = before.into_iter().filter(|name| !out.contains(name)).collect();
        Ok(Self { whole, out, gone, back, ..as_it_is() })
    }

    /// Which of the services this host runs.
    pub(super) fn here(&self, services: &[Outline]) -> Vec<Outline> {
        services.iter().filter(|own| !self.out.contains(&own.name)).cloned().collect()
    }

    /// Notes what the wanted roles mean.
    ///
    /// # Errors
    /// A file that is laid over it cannot be read.
    pub(super) fn judge(
        &self,
        services: &[Outline],
        wanted: &Wanted<'_>,
        draft: &mut Draft<'_>,
    ) -> Result<(), Problem> {
        let Wanted { roles, shown, overs, fresh } = *wanted;
        let lacks = |wanted: &&Role| {
            let is_it = |own: &Outline| role(own) == Some(**wanted) && Known::get().is_of_product(&own.name);
            !services.iter().any(is_it)
        };
        for role in roles.iter().filter(lacks) {
            let what = own(role.as_str());
            draft.note(
                Finding::fail(ids::COMPOSE_FILE, text!("{} has no service for the role {}", shown, what))
                    .expected("services as the vendor names them: interfaceserver, scheduler, worker")
                    .cause("services that --role takes out are kept in the file; this one was never there, or somebody has removed it")
                    .advise(text!("put its block into {} as the file of another host has it, then run the same again", shown)),
            );
        }
        for over in overs {
            let Some(file) = draft.snapshot(over)? else { continue };
            let more = std::str::from_utf8(&file.bytes).ok().and_then(|text| outline(text).ok()).unwrap_or_default();
            let over = draft.view.host.shown(over);
            for own in more.iter().filter(|own| self.out.contains(&own.name)) {
                let title = text!("{} adds to {}, which this host is not to run", over, Foreign::new(&own.name));
                draft.note(
                    Finding::fail(ids::COMPOSE_FILE, title)
                        .cause("Compose takes that for a service of its own, without an image")
                        .advise(text!("make a comment of its lines in {}, then run the same again", over)),
                );
            }
        }
        if self.had_interface && !fresh && !roles.contains(&Role::Interface) {
            draft.note(
                Finding::fail(ids::INTERFACE_DROPPED, "this host is to run the web interface no longer")
                    .expected("another host that runs it, and that people, integrations and load balancers reach")
                    .observed(text!("{} has it, and --role {} leaves it out", shown, own(Role::list(roles))))
                    .cause("whether another host runs it cannot be seen from here; where none does, nobody reaches the product any more")
                    .advise(text!("give another host the role first: {}, there", typed("--role interface"))),
            );
        }
        Ok(())
    }

    /// Why the file changes for these roles.
    pub(super) fn reasons(&self, roles: &[Role]) -> Vec<Text> {
        let names = |names: &[String]| Foreign::new(names.join(", "));
        let mut reasons = Vec::new();
        if !self.gone.is_empty() {
            let list = own(Role::list(roles));
            reasons.push(text!("take out {}: this host is to be {}", names(&self.gone), list));
        }
        if !self.back.is_empty() {
            reasons.push(text!("bring back {}", names(&self.back)));
        }
        reasons
    }

    /// What comes back is of the release that this host runs, whoever has moved it meanwhile.
    pub(super) fn follow(&self, of_product: &[&Outline]) -> Vec<(String, Edit)> {
        let Some(image) = &self.image else { return Vec::new() };
        let is_other = |own: &&&Outline| self.back.contains(&own.name) && own.image.as_ref() != Some(image);
        let pin = |own: &&Outline| (own.name.clone(), Edit::Word { key: "image", value: image.clone() });
        of_product.iter().filter(is_other).map(pin).collect()
    }

    /// Is a setting for nobody, since this host does not have its role?
    ///
    /// # Errors
    /// It was asked for in the same breath.
    pub(super) fn leaves_out(
        &self,
        settings: &Settings,
        services: &[Outline],
        of: Role,
        keys: &[Key],
    ) -> Result<bool, Problem> {
        let is_out = services.iter().any(|own| role(own) == Some(of) && self.out.contains(&own.name));
        let by_flag =
            |key: &&Key| settings.shown.iter().any(|(own, _, origin)| own == *key && matches!(origin, Origin::Flag(_)));
        match keys.iter().find(by_flag).filter(|_| is_out) {
            None => Ok(is_out),
            Some(key) => {
                let why = text!("{}: this host does not have the role {}", own(key.spec().shown()), own(of.as_str()));
                Err(Problem::settings(id::SETTING_INVALID, why).hint("give it the role as well, or leave the flag out"))
            }
        }
    }
}
