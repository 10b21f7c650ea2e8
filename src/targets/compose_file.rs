//! The compose file of the product: which image, which services, how many workers, which port.
//!
//! A file that is there is edited where somebody asks for something in this run, and stays as it is in every other byte. A
//! host without one gets the bundle's, that of `--from`, or the built-in template. A bundle takes the same to a host that is
//! not known.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::roles::{self, Split, Wanted};
use super::{Context, Phase, compose_path, mysql_env};
use crate::consumers::labels_mounts;
use crate::docker::compose::edit::{Edit, edited, without};
use crate::docker::compose::outline::{Outline, outline};
use crate::docker::compose::valid::refused as refused_by_compose;
use crate::docker::compose::{Odd, USUAL, published};
use crate::docker::{compose_programs, repository_and_tag, serving};
use crate::finding::{Finding, ids};
use crate::host::HostRead;
use crate::plan::{Draft, Plan};
use crate::problem::{Problem, id};
use crate::product::images::{ProductImages, release_of};
use crate::product::interface::is_interface;
use crate::product::{Known, Place, templates};
use crate::settings::{Brought, Deployment, Found, Key, Role, Settings};
use crate::system::hardware;
use crate::text;
use crate::text::{Foreign, Text, counted, own, typed};
use crate::version::Version;

/// What a worker wants of the memory: the vendor's templates of 2019, one worker for each GB.
const WORKER_KIB: u64 = 1 << 20;

/// The vendor's own number of workers, which nobody needs to go beyond unasked.
const MOST_WORKERS: u64 = 8;

/// Workers of an image, the memory of whose machine is not known.
const WORKERS_OF_AN_IMAGE: u32 = 2;

/// What the web server is told where TLS ends in front of it (the vendor's Terraform of 2022).
pub(crate) const REVERSE_PROXY: &str = "--reverse-proxy";

pub(super) fn plan(context: &Context<'_>, draft: &mut Draft<'_>) -> Result<(), Problem> {
    let path = compose_path(context.view, context.settings);
    let shown = context.view.host.shown(&path);
    let present = draft.snapshot(&path)?;
    let brought = context.found.brought.as_ref();
    let wishes = Wishes {
        settings: context.settings,
        host: Some(context.view.host),
        installs: context.phase == Phase::Install,
        fresh: present.is_none(),
        brought: brought.is_some(),
        roles: roles::wanted(context.settings, present.is_none())?,
        overs: Place::look(context.view, &context.settings.home).files(&context.settings.home).split_off(1),
    };
    if !wishes.installs && (present.is_none() || !wishes.any()) {
        return Ok(());
    }
    let (mut bytes, mut reasons) = match &present {
        Some(present) => (present.bytes.clone(), Vec::new()),
        None => first(context.settings, brought),
    };
    let authority = context.settings.home.join(templates::AUTHORITY.0);
    if present.is_none() && templates::is_own(&bytes) && draft.snapshot(&authority)?.is_some() {
        bytes = templates::mounting(&bytes);
        reasons.push(text!("mount {}, the authority of the proxy", context.view.host.shown(&authority)));
    }
    let is_ours = present.is_none() && templates::is_own(&bytes);
    if is_ours && labels_mounts(context.view, &context.settings.home, context.platform.systemd()) {
        bytes = templates::labelled(&bytes);
        reasons.push("label what is mounted (:z, :Z), since SELinux may confine containers here".into());
    }
    let Some((new, services)) = wishes.applied(bytes, &shown, draft, &mut reasons)? else { return Ok(()) };
    if wishes.installs {
        judge(context.settings, &shown, &new, draft);
        mysql_env::plan(context, &services, draft)?;
    }
    draft.put(&path, new.into_bytes(), 0o644, reasons)
}

/// The compose file that a bundle takes to a host that has none; `None`: it is not understood, as the draft says. How many
/// workers there are is left to that host's memory, unless somebody says it.
///
/// # Errors
/// As of a plan.
pub(crate) fn for_bundle(
    settings: &Settings,
    brought: Option<&Brought>,
    draft: &mut Draft<'_>,
) -> Result<Option<String>, Problem> {
    let shown = Path::new(USUAL);
    let wishes = Wishes {
        settings,
        host: None,
        installs: true,
        fresh: true,
        brought: brought.is_some(),
        roles: None,
        overs: Vec::new(),
    };
    let (bytes, mut reasons) = first(settings, brought);
    let Some((new, _)) = wishes.applied(bytes, shown, draft, &mut reasons)? else { return Ok(None) };
    judge(settings, shown, &new, draft);
    Ok(Some(new))
}

/// What a host without a file begins with, and why.
fn first(settings: &Settings, brought: Option<&Brought>) -> (Vec<u8>, Vec<Text>) {
    match brought {
        Some(brought) => (brought.bytes.clone(), vec![text!("taken from {}", brought.from)]),
        None => {
            let test_drive = settings.deployment == Deployment::TestDrive;
            (templates::compose_file(test_drive).into(), vec!["made from the built-in template".into()])
        }
    }
}

/// What Compose says to the planned file, where it is here to be asked and the plan changes the file; `None`: nothing.
pub(crate) fn asked_of_compose(
    host: &dyn HostRead,
    settings: &Settings,
    found: &Found,
    plan: &Plan,
) -> Option<Finding> {
    let path = compose_path(host, settings);
    let change = plan.changes.iter().find(|change| change.path == path).filter(|_| host.is_live())?;
    let text = String::from_utf8(change.after.as_ref()?.bytes.clone()).ok()?;
    let here = || serving(&compose_programs(host), None).map(|program| program.argv.clone());
    let compose: Vec<String> = found.compose.clone().or_else(here)?;
    let shown = host.shown(&path);
    let title = match refused_by_compose(host, &compose, &settings.home, path.file_name()?, &text) {
        Ok(None) => return None,
        Ok(Some(words)) => text!("Compose does not take {} as it would be: {}", shown, Foreign::new(words)),
        Err(error) => text!("Compose could not be asked about {} as it would be: {}", shown, error),
    };
    Some(
        Finding::fail(ids::COMPOSE_FILE, title)
            .expected(text!("{} config -q that ends with 0", own(compose.join(" "))))
            .advise(text!("mend {} by hand, then run the same again", shown)),
    )
}

/// A file that is not edited.
fn refused(shown: &Path, odd: &Odd) -> Finding {
    let at = if odd.line == 0 { text!("{}", shown) } else { text!("{}:{}", shown, own(odd.line)) };
    Finding::fail(ids::COMPOSE_FILE, text!("{}: {}", at.clone(), own(odd.why)))
        .expected("a file that every Compose reads alike, with one place for each setting")
        .cause("Compose 1.x takes what v2 refuses, such as the last of two equal names, so that one host runs what the other does not")
        .advise(text!("mend the file by hand at {}, then run the same again", at))
}

/// Edits, each of a service.
type Edits = Vec<(String, Edit)>;

/// What is asked of the file.
struct Wishes<'a> {
    settings: &'a Settings,
    /// Whose memory decides how many workers there are; `None`: that of a host that is not here.
    host: Option<&'a dyn HostRead>,
    /// By an installation.
    installs: bool,
    /// There is no file yet.
    fresh: bool,
    /// It is somebody's, not the built-in one.
    brought: bool,
    /// What the host is for; `None`: nobody says.
    roles: Option<Vec<Role>>,
    /// Files that Compose lays over it.
    overs: Vec<PathBuf>,
}

impl Wishes<'_> {
    /// The file with all of it, and the services of this host before; `None`: it is not understood, as the draft says.
    fn applied(
        &self,
        bytes: Vec<u8>,
        shown: &Path,
        draft: &mut Draft<'_>,
        reasons: &mut Vec<Text>,
    ) -> Result<Option<(String, Vec<Outline>)>, Problem> {
        let read = |bytes| {
            let text = String::from_utf8(bytes).map_err(|_| Odd { line: 0, why: "it is not valid UTF-8" })?;
            let split = Split::new(&text, self.roles.as_deref(), of_product)?;
            let services = outline(&split.whole)?;
            Ok((split, services))
        };
        let (split, services) = match read(bytes) {
            Ok(read) => read,
            Err(odd) => {
                draft.note(refused(shown, &odd));
                return Ok(None);
            }
        };
        let fresh = self.fresh;
        if let Some(wanted) = &self.roles {
            split.judge(&services, &Wanted { roles: wanted, shown, overs: &self.overs, fresh }, draft)?;
            reasons.extend(split.reasons(wanted));
        }
        let (edits, why) = self.edits(&services, &split, shown, draft)?;
        reasons.extend(why);
        let edits: Vec<(&str, Edit)> = edits.iter().map(|(service, edit)| (service.as_str(), edit.clone())).collect();
        match edited(&split.whole, &edits).and_then(|new| without(&new, &split.out)) {
            Ok(new) => Ok(Some((new, split.here(&services)))),
            Err(odd) => {
                draft.note(refused(shown, &odd));
                Ok(None)
            }
        }
    }

    /// What is said: of a file that is there, in this run alone.
    fn said(&self, key: Key) -> Option<&str> {
        if self.fresh { self.settings.text(key) } else { self.settings.said(key) }
    }

    fn any(&self) -> bool {
        let keys = [Key::Image, Key::Role, Key::Workers, Key::Port, Key::Bind, Key::ReverseProxy];
        keys.into_iter().any(|key| self.said(key).is_some())
    }

    /// Edits by service, and why each.
    fn edits(
        &self,
        services: &[Outline],
        split: &Split,
        shown: &Path,
        draft: &mut Draft<'_>,
    ) -> Result<(Edits, Vec<Text>), Problem> {
        let (mut edits, mut reasons) = (Vec::new(), Vec::new());
        if let Some(image) = self.image(draft)? {
            let product = of_product(services);
            if product.is_empty() {
                draft.note(missing(shown, "that has the product's image"));
            }
            if product.iter().any(|service| service.image.as_deref() != Some(&image)) {
                reasons.push(text!("image {}", Foreign::new(&image)));
            }
            let pin = |service: &&Outline| (service.name.clone(), Edit::Word { key: "image", value: image.clone() });
            edits.extend(product.iter().map(pin));
        } else {
            edits.extend(split.follow(&of_product(services)));
        }
        let here = split.here(services);
        let workers: Vec<&Outline> = here.iter().filter(|service| is_worker(service)).collect();
        let no_workers = split.leaves_out(self.settings, services, Role::Worker, &[Key::Workers])?;
        match (self.workers()?, workers.as_slice()) {
            (None, _) => {}
            (Some((count, why)), [worker]) => {
                reasons.push(why);
                edits.push((worker.name.clone(), Edit::Scale(count)));
            }
            // Which of several is to have how many, only their file says.
            (Some(_), _) if self.said(Key::Workers).is_none() => {}
            (Some(_), []) if no_workers => {}
            (Some(_), []) => draft.note(missing(shown, "of workers")),
            (Some(_), several) => {
                let names = several.iter().map(|service| service.name.as_str()).collect::<Vec<_>>().join(", ");
                let title = text!("{} has more than one service of workers: {}", shown, Foreign::new(names));
                let advice = "give each its own scale in the file, and leave --workers out";
                draft.note(Finding::fail(ids::COMPOSE_FILE, title).advise(advice));
            }
        }
        let of_web = [Key::Port, Key::Bind, Key::ReverseProxy];
        let no_web = split.leaves_out(self.settings, services, Role::Interface, &of_web)?;
        let Some(web) = here.iter().find(|service| is_interface(&service.name, &service.command)) else {
            if !no_web && of_web.into_iter().any(|key| self.said(key).is_some()) {
                draft.note(missing(shown, "of the web interface"));
            }
            return Ok((edits, reasons));
        };
        if let Some(mapping) = self.mapping(web)? {
            reasons.push(text!("port {}", own(&mapping)));
            edits.push((web.name.clone(), Edit::Port { container: Known::get().health.port, mapping }));
        }
        let flagged = web.command.split(' ').any(|word| word == REVERSE_PROXY);
        match self.said(Key::ReverseProxy).and_then(crate::settings::parse_switch) {
            Some(true) if !flagged => {
                reasons.push(text!("add {}", own(REVERSE_PROXY)));
                edits.push((web.name.clone(), Edit::Flag(REVERSE_PROXY.to_owned())));
            }
            Some(false) if flagged => {
                reasons.push(text!("take out {}", own(REVERSE_PROXY)));
                edits.push((web.name.clone(), Edit::NoFlag(REVERSE_PROXY.to_owned())));
            }
            _ => {}
        }
        Ok((edits, reasons))
    }

    /// The image that is wanted: by its name, or by the release, whichever is said more strongly.
    fn image(&self, draft: &mut Draft<'_>) -> Result<Option<String>, Problem> {
        let settings = self.settings;
        let release = self.said(Key::Release).filter(|_| self.installs);
        let by_name = self
            .said(Key::Image)
            .filter(|_| release.is_none() || settings.rank(Key::Image) >= settings.rank(Key::Release));
        if let Some(image) = by_name {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
            if !image.chars().all(plain) || !image.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return Err(Problem::settings(
                    id::SETTING_INVALID,
                    text!("--image: {:?} is no name of an image", image),
                )
                .hint("an image is REPOSITORY:TAG"));
            }
            return Ok(Some(image.to_owned()));
        }
        let images = ProductImages::get();
        let newest = images.newest().to_string();
        let release = match release {
            Some(release) => release,
            None if self.fresh && !self.brought => &newest,
            None => return Ok(None),
        };
        let Some(image) = images.of_release(release) else {
            return Err(Problem::settings(
                id::SETTING_INVALID,
                text!("--release: which image {:?} has is not known", release),
            )
            .because("known are the images of releases from 19 on, written as 22.3.9")
            .hint(text!("name it: {}", typed("--image <REPOSITORY:TAG>"))));
        };
        if image.inferred {
            let title =
                text!("nobody has seen the image of release {} yet: {}", release, Foreign::new(&image.reference));
            draft.note(
                Finding::warn(ids::IMAGE_INFERRED, title)
                    .cause("its repository is taken to be that of the releases around it")
                    .advise(text!(
                        "where the pull does not find it, name the right one: {}",
                        typed("--image <REPOSITORY:TAG>")
                    )),
            );
        }
        Ok(Some(image.reference))
    }

    /// How many workers, and why so many; `None`: as many as the file says.
    fn workers(&self) -> Result<Option<(u32, Text)>, Problem> {
        if let Some(count) = self.said(Key::Workers) {
            let count = count.parse().map_err(|_| Problem::bug("--workers is a number by its shape"))?;
            return Ok(Some((count, text!("{}", own(counted(count, "worker"))))));
        }
        let Some(host) = self.host.filter(|_| self.fresh) else { return Ok(None) };
        Ok(Some(match hardware::memory_available_kib(host) {
            Some(kib) => {
                let count = (kib / WORKER_KIB).clamp(1, MOST_WORKERS);
                let count = u32::try_from(count).unwrap_or(1);
                (count, text!("{}: {} MiB of memory are available", own(counted(count, "worker")), own(kib >> 10)))
            }
            None => {
                let count = WORKERS_OF_AN_IMAGE;
                (count, text!("{}: the memory is not known here (--workers)", own(counted(count, "worker"))))
            }
        }))
    }

    /// The way to the web interface, where it is to be another one.
    fn mapping(&self, web: &Outline) -> Result<Option<String>, Problem> {
        let (port, bind) = (self.said(Key::Port), self.said(Key::Bind));
        if port.is_none() && bind.is_none() {
            return Ok(None);
        }
        let inner = Known::get().health.port;
        let now = published(&web.ports, inner);
        let (now_at, now_port) = now.clone().unwrap_or((None, inner));
        let port = match port {
            Some(port) => port.parse().map_err(|_| Problem::bug("--port is a port by its shape"))?,
            None => now_port,
        };
        let at = match bind {
            None => now_at,
            Some(bind) => bound(bind)?.map(|address| match address {
                IpAddr::V6(address) => format!("[{address}]"),
                IpAddr::V4(address) => address.to_string(),
            }),
        };
        if now == Some((at.clone(), port)) {
            return Ok(None);
        }
        let at = at.map(|at| format!("{at}:")).unwrap_or_default();
        Ok(Some(format!("{at}{port}:{inner}")))
    }
}

/// The address that `--bind` names; `None`: all of the host.
///
/// # Errors
/// It is none.
pub(crate) fn bound(bind: &str) -> Result<Option<IpAddr>, Problem> {
    let wrong = |_| {
        Problem::settings(id::SETTING_INVALID, text!("--bind: {:?} is no address", bind))
            .hint("an address of this host, such as 127.0.0.1")
    };
    let bare = bind.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(bind);
    let address = bare.parse::<IpAddr>().map_err(wrong)?;
    Ok(Some(address).filter(|address| !address.is_unspecified()))
}

fn missing(shown: &Path, what: &'static str) -> Finding {
    Finding::fail(ids::COMPOSE_FILE, text!("{} has no service {}", shown, own(what)))
        .expected("services as the vendor names them: interfaceserver, scheduler, worker")
        .advise(text!(
            "name the vendor's file: {}, or edit this one by hand",
            typed("--from <URL> --from-sha256 <HEX>")
        ))
}

/// Is it the vendor's service of workers, by its own name or by its command?
fn is_worker(service: &Outline) -> bool {
    Known::get().service_of(&service.name, &service.command).is_some_and(|known| known.name == "worker")
}

/// The services that are made from the product's image.
fn of_product(services: &[Outline]) -> Vec<&Outline> {
    Known::get().of_product(services, |own| (&own.name, own.image.as_deref()))
}

/// Says what the images of the file are.
fn judge(settings: &Settings, shown: &Path, text: &str, draft: &mut Draft<'_>) {
    // It was read before it was edited.
    let Ok(services) = outline(text) else { return };
    let product = of_product(&services);
    let images: Vec<&str> = product.iter().filter_map(|service| service.image.as_deref()).collect();
    let production = settings.deployment == Deployment::Production;
    if let Some(image) =
        images.iter().find(|image| !image.contains(['$', '@']) && repository_and_tag(image).1 == "latest")
    {
        let title = text!("{} pins no release of the product: {}", shown, Foreign::new(*image));
        let finding =
            if production { Finding::fail(ids::IMAGE_LATEST, title) } else { Finding::warn(ids::IMAGE_LATEST, title) };
        draft.note(
            finding
                .expected("a tag that names a release")
                .cause("the next pull may bring a newer release, which upgrades the schema of the database for good")
                .advise(text!("name the release that is meant: {}", typed("--release <VERSION>"))),
        );
    }
    let facts = ProductImages::get();
    let said = settings.release.as_deref().and_then(|release| Version::parse(release.trim_start_matches(['v', 'V'])));
    let newest = images.iter().filter_map(|image| release_of(image)).max().or(said);
    if let Some(release) = newest.filter(|release| release > facts.newest()) {
        let title = text!("release {} is newer than any that is known to be installed in this way", own(&release));
        let mut finding = Finding::warn(ids::RELEASE_NOT_ATTESTED, title)
            .expected(text!("a release up to {}", own(facts.newest())))
            .cause("for newer releases the vendor documents Terraform on AWS (EC2 or ECS) alone")
            .advise("ask the vendor whether this release runs with Compose on a host of your own");
        finding.docs = Some(text!("{}", own(facts.source())));
        draft.note(finding);
    }
}
