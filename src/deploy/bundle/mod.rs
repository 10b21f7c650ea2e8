//! `bundle create`: everything that `install --bundle` takes to a host without internet, as one folder with checksums.
//!
//! Files come into being in a folder within it. They are published by renames between the end of the old list of checksums and
//! the new one, which comes last: a folder without `SHA256SUMS` is no bundle for anybody.
//!
//! | module | what it does |
//! | --- | --- |
//! | `folder` | whose the folder is; what is made there, and published |
//! | `images` | images as archives |
//! | `programs` | Compose, and this program |
//! | `manifest` | `bundle.json`, which `install` reads too |
//! | `told` | what it holds, what it lacks, and what comes next, in words |

mod folder;
mod images;
mod manifest;
mod programs;
#[cfg(test)]
mod tests;
mod told;

use std::path::{Path, PathBuf};

use super::task::Task;
use super::{LOOK, engine, fetch};
use crate::checksum;
use crate::context::{Named, roots};
use crate::converge::stop_on_failure;
use crate::docker::compose::{USUAL, outline::outline};
use crate::docker::{self, ARCHITECTURES, NoDocker, Server, Versions};
use crate::finding::{Finding, Ignored};
use crate::host::{HostRead, View};
use crate::net::Time;
use crate::plan::Draft;
use crate::problem::{Problem, id};
use crate::product::templates;
use crate::settings::Settings;
use crate::targets;
use crate::text;
use crate::text::{Foreign, Text, as_root, own, quoted, typed};
use folder::Ground;
use images::Image;
use programs::Program;

pub(crate) use manifest::{Manifest, lacking};
pub(crate) use told::{Held, Missing, human, json};

/// `prod.env`, to be looked at: `install` makes its own.
const PROD_ENV: &str = "prod.env.template";

/// What a bundle is to be like.
pub(crate) struct Order<'o> {
    /// Where it comes.
    pub(crate) folder: &'o Path,
    /// What is said of the product.
    pub(crate) settings: &'o Settings,
    /// Go's word for the processor of the host that it is for.
    pub(crate) architecture: &'static str,
    /// This program for that processor, where it is another than this host's.
    pub(crate) program: Option<&'o Path>,
    /// Nothing is pulled and nothing is written.
    pub(crate) dry_run: bool,
    /// Findings that do not stop it.
    pub(crate) ignored: &'o Ignored,
}

impl Order<'_> {
    /// Rust's word for the same.
    fn machine(&self) -> &'static str {
        ARCHITECTURES.iter().find(|(go, _)| *go == self.architecture).map_or(self.architecture, |(_, rust)| rust)
    }

    fn is_for_here(&self) -> bool {
        self.architecture == docker::this_architecture()
    }
}

/// A bundle as it is, or would be.
pub(crate) struct Bundle {
    /// Where, without a link or a dot in it.
    pub(crate) folder: PathBuf,
    /// Something of it was written.
    pub(crate) changed: bool,
    /// Nothing was asked to be.
    pub(crate) dry_run: bool,
    /// Which product, and for which processor.
    pub(crate) manifest: Manifest,
    /// Its files.
    pub(crate) holds: Vec<Held>,
    /// What the host without internet has to get in another way.
    pub(crate) missing: Vec<Missing>,
    /// What was noticed.
    pub(crate) findings: Vec<Finding>,
    /// What to do with it.
    pub(crate) next_steps: Vec<Text>,
}

/// A file of a bundle in the making.
struct Piece {
    name: String,
    what: &'static str,
    detail: Text,
    mode: u32,
    content: Content,
}

/// Where a file comes from.
enum Content {
    Bytes(Vec<u8>),
    Copy(Program),
    /// `None`: it is not here yet, in a dry run.
    Archive(Option<Image>),
}

impl Content {
    /// Its checksum, where it has one before it is made.
    fn sum(&self) -> Option<String> {
        match self {
            Self::Bytes(bytes) => Some(checksum::of_bytes(bytes)),
            Self::Copy(program) => Some(program.sha256.clone()),
            Self::Archive(_) => None,
        }
    }

    /// How large it is, or will be about.
    fn bytes(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).ok(),
            Self::Copy(program) => Some(program.bytes),
            Self::Archive(image) => image.as_ref().map(|image| image.bytes),
        }
    }
}

/// Makes it, or makes what is there like it.
///
/// # Errors
/// What it needs is not here or does not come, there is no room, or the folder is somebody else's. Half a bundle has no list of
/// checksums.
pub(crate) fn create(task: &mut Task<'_>, order: &Order<'_>) -> Result<Bundle, Problem> {
    let host = task.host;
    let ground = Ground::look(host, order.folder)?;
    let wish = engine::Wish::of(order.settings, &[])?;
    let (compose_file, mut findings) = compose_file(host, order.settings)?;
    order.ignored.apply(&mut findings);
    stop_on_failure(&findings)?;
    let (names, mut missing) = names(&compose_file)?;
    let server = server(host)?;
    let (compose, program) = (programs::compose(host, &wish, order)?, programs::ourselves(order)?);
    if order.dry_run {
        let found = names.into_iter().map(|name| images::look(host, &name).map(|image| (name, image)));
        let found = found.collect::<Result<Vec<_>, Problem>>()?;
        let whole = pieces(order, compose_file, found, compose, program, &mut missing);
        return Ok(whole.bundle(order, ground.path, false, missing, findings));
    }
    let folder = ground.open()?;
    let here = match images::look_at_all(host, &names) {
        Ok(here) => here,
        Err(problem) => return Err(folder.give_up(problem)),
    };
    let made = (|| {
        fetch_all(task, order, &server, &names)?;
        let mut found = Vec::new();
        for name in &names {
            let image = images::look(host, name)?.ok_or_else(|| Problem::bug("an image that was fetched is gone"))?;
            found.push((name.clone(), Some(image)));
        }
        let whole = pieces(order, compose_file, found, compose, program, &mut missing);
        let changed = folder.converge(task, &whole.pieces, &server)?;
        Ok((whole, changed))
    })();
    // Also where it came to nothing.
    if !order.is_for_here() {
        images::forget(host, names.iter().filter(|name| !here.contains(name)));
    }
    match made {
        Ok((whole, changed)) => {
            let path = folder.path.clone();
            folder.close();
            Ok(whole.bundle(order, path, changed, missing, findings))
        }
        Err(problem) => Err(folder.give_up(problem)),
    }
}

/// The file, and what is to be said of it.
fn compose_file(host: &dyn HostRead, settings: &Settings) -> Result<(String, Vec<Finding>), Problem> {
    let brought = targets::named(host, settings)?;
    let view = View::new(host);
    let mut draft = Draft::new(&view);
    let file = targets::for_bundle(settings, brought.as_ref(), &mut draft)?;
    let findings = draft.plan.findings;
    match file {
        Some(file) => Ok((file, findings)),
        None => {
            stop_on_failure(&findings)?;
            Err(Problem::bug("a compose file that is not understood, and no finding says why"))
        }
    }
}

/// The images of the file, each once, and what cannot be taken along.
fn names(compose_file: &str) -> Result<(Vec<String>, Vec<Missing>), Problem> {
    let services = outline(compose_file).map_err(|_| Problem::bug("an edited compose file is not understood"))?;
    let (mut names, mut missing) = (Vec::new(), Vec::new());
    for service in services {
        match service.image {
            Some(image) if image.contains(['$', '@']) => {
                let why = if image.contains('$') {
                    "a variable of another host decides which image that is"
                } else {
                    "an archive of images does not keep digests, so that the other host would not find it"
                };
                let message = text!("the image {} of {} cannot be taken along", image, service.name);
                return Err(Problem::settings(id::SETTING_INVALID, message).because(why).hint(text!(
                    "name it with its tag: {}, or in the file of --from",
                    typed("--image <REPOSITORY:TAG>")
                )));
            }
            Some(image) => names.push(image),
            None => missing.push(Missing::image(&service.name)),
        }
    }
    names.sort();
    names.dedup();
    Ok((names, missing))
}

/// The engine that images are taken from.
fn server(host: &dyn HostRead) -> Result<Server, Problem> {
    let why = match docker::versions(host, Time::new(LOOK, LOOK)) {
        Ok(Versions { server: Ok(server), .. }) => return Ok(server),
        Ok(Versions { server: Err(why), .. }) | Err(why) => why,
    };
    let needs = "images are pulled and saved by the Docker of this host";
    Err(match &why {
        NoDocker::Denied { .. } => {
            Problem::host(id::NEEDS_ROOT, "Docker does not let this user in, and images are saved by it")
                .because(why.why())
        }
        NoDocker::Absent => Problem::host(id::DOCKER_ABSENT, "there is no docker command on this host")
            .because(needs)
            .hint("make the bundle on a host that has Docker and a way to the internet"),
        NoDocker::Down { .. } => Problem::host(id::DOCKER_SILENT, "the Docker daemon does not run")
            .because(text!("{}; it says: {}", own(needs), why.why()))
            .hint_command(as_root("systemctl start docker")),
        NoDocker::Late { .. } | NoDocker::Odd { .. } => {
            Problem::host(id::DOCKER_SILENT, "the Docker daemon does not answer")
                .because(text!("{}; {}", own(needs), why.why()))
                .hint_command(as_root("journalctl -u docker -n 50"))
        }
    })
}

/// Has all images here, for the processor of the other host.
fn fetch_all(task: &mut Task<'_>, order: &Order<'_>, server: &Server, names: &[String]) -> Result<(), Problem> {
    let roots = roots(task.host, Named::of(order.settings).as_ref())?;
    let platform = format!("linux/{}", order.architecture);
    let source = fetch::Source {
        bundle: None,
        proven: false,
        proxy: order.settings.proxies.https.as_ref().map(|proxy| &proxy.value),
        roots: &roots,
        folder: &server.root,
        architecture: order.architecture,
        platform: (server.arch != order.architecture).then_some(platform.as_str()),
    };
    fetch::fetch(task, names, &source).map(drop)
}

/// All files but the list of checksums.
struct Whole {
    manifest: Manifest,
    pieces: Vec<Piece>,
    next_steps: Vec<Text>,
}

fn pieces(
    order: &Order<'_>,
    compose_file: String,
    images: Vec<(String, Option<Image>)>,
    compose: Result<Program, Text>,
    program: Result<Program, Text>,
    missing: &mut Vec<Missing>,
) -> Whole {
    let mut pieces = Vec::new();
    let mut manifest = Manifest::new(order);
    for (name, image) in images {
        let file = manifest.file_for(&name);
        manifest.add(&file, &name, image.as_ref());
        let detail = text!("{}", Foreign::new(name));
        pieces.push(Piece { name: file, what: "image", detail, mode: 0o644, content: Content::Archive(image) });
    }
    let mut file = |name: &str, what, detail: Text, mode, content| {
        pieces.push(Piece { name: name.to_owned(), what, detail, mode, content });
    };
    let from = if templates::is_own(compose_file.as_bytes()) { "the built-in one" } else { "that of --from" };
    file(USUAL, "compose-file", from.into(), 0o644, Content::Bytes(compose_file.into_bytes()));
    let to_fill = templates::prod_env_to_fill(targets::names_of_release(order.settings));
    let detail = "to look at, without passwords; install writes its own".into();
    file(PROD_ENV, "prod-env", detail, 0o644, Content::Bytes(to_fill.into_bytes()));
    match compose {
        Ok(program) => {
            manifest.compose.clone_from(&program.version);
            file(engine::IN_BUNDLE, "compose", program.told(), 0o755, Content::Copy(program));
        }
        Err(why) => missing.push(Missing::compose(why, order.machine())),
    }
    let own_name = programs::name(order.machine());
    let has_program = match program {
        Ok(program) => {
            file(&own_name, "program", program.told(), 0o755, Content::Copy(program));
            true
        }
        Err(why) => {
            missing.push(Missing::program(why, &own_name));
            false
        }
    };
    missing.push(Missing::engine());
    missing.sort_by_key(Missing::rank);
    let json = Content::Bytes(manifest.bytes());
    file(manifest::NAME, "manifest", "the same for programs".into(), 0o644, json);
    let here = told::steps(order, has_program.then_some(own_name.as_str()), Path::new("."));
    let contents = told::contents(&manifest, &pieces, missing, &here).into_bytes();
    let detail = "the same for people".into();
    let content = Content::Bytes(contents);
    pieces.push(Piece { name: told::CONTENTS.into(), what: "contents", detail, mode: 0o644, content });
    let folder = std::path::absolute(order.folder).unwrap_or_else(|_| order.folder.to_path_buf());
    let next_steps = told::steps(order, has_program.then_some(own_name.as_str()), &folder);
    Whole { manifest, pieces, next_steps }
}

impl Whole {
    fn bundle(
        self,
        order: &Order<'_>,
        folder: PathBuf,
        changed: bool,
        missing: Vec<Missing>,
        findings: Vec<Finding>,
    ) -> Bundle {
        let mut holds: Vec<Held> = self.pieces.iter().map(|piece| Held::of(piece, &folder, &self.manifest)).collect();
        holds.push(Held::sums(&folder));
        let Self { manifest, next_steps, .. } = self;
        Bundle { folder, changed, dry_run: order.dry_run, manifest, holds, missing, findings, next_steps }
    }
}

/// A path as a word of a command.
fn word(path: &Path) -> Text {
    text!("{}", own(quoted(&path.to_string_lossy())))
}
