//! The stage `fetch`: images are here before anything that runs is touched.
//!
//! | module | what it does |
//! | --- | --- |
//! | `archives` | the files of a bundle, and whether they are what its checksums say |
//! | `progress` | how far a pull or a load is |

mod archives;
pub(super) mod progress;
#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::LOOK;
use super::task::{Task, Told, cancelled, task};
use super::words::{Failure, known, last_lines, problem};
use crate::assets;
use crate::context::{Named, roots};
use crate::converge::Doing;
use crate::docker::{self, Server};
use crate::host::{Command, HostRead, HostWrite, Output, Watch};
use crate::net::{Roots, Time, seconds};
use crate::network::inspector;
use crate::network::path::{Asked, probe};
use crate::plan::{StageId, StageState};
use crate::problem::{Problem, id};
use crate::progress::counted;
use crate::settings::{Key, ProxyUrl, Settings};
use crate::signals::Uninterrupted;
use crate::text;
use crate::text::{Foreign, Text, as_root, own, quoted, typed};
use archives::{ARCHIVE, archives};
use progress::Progress;
pub(crate) use progress::shown as bytes_shown;

pub(crate) use archives::{prove, size};

/// A pull ends so long after its last progress.
const IDLE: Duration = Duration::from_secs(120);

/// No pull takes longer, however far it comes.
const WHOLE: Duration = Duration::from_secs(24 * 3600);

/// How often a pull is tried again after a time-out, and how long is waited before each.
const PAUSES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// What a registry is asked for to see its certificate.
const PROBE: Duration = Duration::from_secs(10);

/// Where Docker's own images come from where a name says no registry.
const HUB: &str = "registry-1.docker.io";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    failure: Vec<Failure>,
}

impl Facts {
    fn get() -> &'static Self {
        static FACTS: LazyLock<Facts> = LazyLock::new(|| assets::read(&assets::FETCH));
        &FACTS
    }
}

/// Where images come from.
pub(crate) struct Source<'s> {
    /// A folder with archives and their checksums; `None`: their registries.
    pub(crate) bundle: Option<&'s Path>,
    /// Its archives are what their checksums say: [`prove`] has looked.
    pub(crate) proven: bool,
    /// The proxy that the daemon was given, to look at certificates the way it sees them.
    pub(crate) proxy: Option<&'s ProxyUrl>,
    /// What this host trusts.
    pub(crate) roots: &'s Roots,
    /// Where the engine keeps images.
    pub(crate) folder: &'s str,
    /// Of the server, or of the host that images are brought to, in Go's words.
    pub(crate) architecture: &'s str,
    /// What docker calls that, where it is not this server's.
    pub(crate) platform: Option<&'s str>,
}

/// What was fetched.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fetched {
    /// Names as they stand in the compose file.
    pub(crate) images: Vec<String>,
    /// Layers that were not here.
    pub(crate) layers: usize,
    /// Their bytes, packed.
    pub(crate) bytes: u64,
    /// How long it took.
    pub(crate) seconds: f64,
}

impl Fetched {
    /// Half a sentence.
    pub(crate) fn detail(&self) -> Text {
        match self.images.as_slice() {
            [] => "all images are here".into(),
            images => text!("{} images, {} layers, {}", images.len(), self.layers, own(progress::shown(self.bytes))),
        }
    }
}

/// The folder of `--bundle`. Programs are started elsewhere than this one was.
pub(crate) fn bundle(settings: &Settings) -> Option<PathBuf> {
    let folder = Path::new(settings.text(Key::Bundle)?);
    Some(std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf()))
}

/// The stage, for the settings of a run.
///
/// # Errors
/// As [`fetch`].
pub(super) fn stage(
    host: &dyn HostWrite,
    calm: Option<&Uninterrupted>,
    doing: &mut Doing<'_, '_>,
    settings: &Settings,
    server: &Server,
    images: &[String],
    proven: bool,
) -> Result<(), Problem> {
    let roots = roots(host, Named::of(settings).as_ref())?;
    let bundle = bundle(settings);
    let source = Source {
        bundle: bundle.as_deref(),
        proven,
        proxy: settings.proxies.https.as_ref().map(|proxy| &proxy.value),
        roots: &roots,
        folder: &server.root,
        architecture: &server.arch,
        platform: None,
    };
    doing.stage(StageId::Fetch, |doing| {
        let fetched = task(host, calm, doing, |task| fetch(task, images, &source))?;
        let state = if fetched.images.is_empty() { StageState::Done } else { StageState::Changed };
        Ok((state, fetched.detail()))
    })
}

/// Which of these images are not here, each once.
///
/// # Errors
/// Docker does not say.
pub(crate) fn missing(host: &dyn HostRead, images: &[String]) -> Result<Vec<String>, Problem> {
    Ok(architectures(host, images)?.into_iter().filter_map(|(image, here)| here.is_none().then_some(image)).collect())
}

/// The architecture of each of these images, each once; `None`: it is not here.
fn architectures(host: &dyn HostRead, images: &[String]) -> Result<Vec<(String, Option<String>)>, Problem> {
    let mut distinct: Vec<&String> = Vec::new();
    for image in images {
        if !distinct.contains(&image) {
            distinct.push(image);
        }
    }
    // Where all are here, one question has all answers; where one is not, nothing tells whose they are.
    if distinct.len() > 1 && !distinct.iter().any(|image| image.starts_with('-') || image.is_empty()) {
        let words = ["image", "inspect", "--format", "{{.Architecture}}"];
        let arguments: Vec<&str> = words.into_iter().chain(distinct.iter().map(|image| image.as_str())).collect();
        if let Ok(output) = docker::run(host, Time::new(LOOK, LOOK), &arguments)
            && output.code == Some(0)
        {
            let text = String::from_utf8_lossy(&output.stdout);
            let lines: Vec<_> = text.lines().map(|line| docker::text::shown(line.trim(), 40)).collect();
            if lines.len() == distinct.len() {
                return Ok(distinct.into_iter().cloned().zip(lines.into_iter().map(Some)).collect());
            }
        }
    }
    distinct.into_iter().map(|image| Ok((image.clone(), architecture(host, image)?))).collect()
}

/// An image's architecture, in Go's words; `None`: it is not here.
fn architecture(host: &dyn HostRead, image: &str) -> Result<Option<String>, Problem> {
    let silent =
        |why: Text| Problem::host(id::DOCKER_SILENT, "Docker does not say which images there are").because(why);
    // A name that begins as an option is nobody's image.
    if image.starts_with('-') || image.is_empty() {
        return Err(Problem::settings(id::SETTING_INVALID, text!("{:?} is no name of an image", image)));
    }
    let arguments = ["image", "inspect", "--format", "{{.Architecture}}", image];
    let output = docker::run(host, Time::new(LOOK, LOOK), &arguments).map_err(|error| silent(error.why()))?;
    let lines = last_lines(&output.stderr, 2);
    match output.code {
        Some(0) => Ok(Some(docker::text::first_line(&output.stdout, 40))),
        _ if lines.contains("No such image") => Ok(None),
        _ => Err(silent(text!("{}", Foreign::new(docker::text::shown(&lines, 300))))
            .hint_command(as_root("docker image ls"))),
    }
}

/// Fetches what is not here: from the bundle where there is one, else each image from its registry. Images that have come stay,
/// however it ends.
///
/// # Errors
/// One of them cannot be had, or is for another architecture.
pub(crate) fn fetch(task: &mut Task<'_>, images: &[String], source: &Source<'_>) -> Result<Fetched, Problem> {
    let began = Instant::now();
    let mut here = architectures(task.reader(), images)?;
    let wanted: Vec<String> = here.iter().filter(|(_, own)| own.is_none()).map(|(image, _)| image.clone()).collect();
    let all_were_here = wanted.is_empty();
    let mut fetched = Fetched::default();
    let stay = |problem: Problem, fetched: &Fetched| match fetched.images.len() {
        0 => problem,
        count => problem.hint(text!("{} images that have come stay here, and are not fetched again", count)),
    };
    match source.bundle {
        Some(bundle) if !wanted.is_empty() => load(task, bundle, &wanted, source, &mut fetched)?,
        _ => {
            let all = wanted.len();
            for (done, image) in wanted.into_iter().enumerate() {
                counted("images", done, all);
                match pull(task, &image, source) {
                    Ok(progress) => {
                        fetched.layers += progress.layers().1;
                        fetched.bytes += progress.bytes().0;
                        fetched.images.push(image);
                    }
                    Err(problem) => return Err(stay(problem, &fetched)),
                }
            }
            counted("images", all, all);
        }
    }
    if !all_were_here {
        here = architectures(task.reader(), images)?;
    }
    here.sort();
    for (image, found) in &here {
        if let Some(other) = found
            .as_ref()
            .filter(|own| !own.is_empty() && *own != source.architecture && !source.architecture.is_empty())
        {
            let whose = if source.platform.is_none() { "this host is" } else { "the other host is" };
            let message = text!(
                "{} is an image for {}, and {} {}",
                own(image),
                Foreign::new(other),
                own(whose),
                own(source.architecture)
            );
            let problem = stay(Problem::host(id::IMAGE_ARCHITECTURE, message), &fetched)
                .because("its programs would end with: exec format error");
            return Err(match source.platform {
                None => problem.hint(text!("name one that is for this host: {}", typed("--image <REF>"))),
                Some(_) => problem
                    .hint("use a host of that kind, or one that has no such image yet: one name has one image here"),
            });
        }
    }
    fetched.seconds = began.elapsed().as_secs_f64();
    Ok(fetched)
}

/// One image from its registry.
fn pull(task: &mut Task<'_>, image: &str, source: &Source<'_>) -> Result<Progress, Problem> {
    task.say(&text!("pulling {}", own(image)));
    let began = Instant::now();
    let mut pauses = PAUSES.into_iter();
    loop {
        let platform = source.platform.map(|platform| ["--platform", platform]);
        let options = platform.as_ref().map_or(&[][..], |words| &words[..]);
        let argv = [&["docker", "pull"], options, &[image]].concat();
        let (output, progress) = followed(task, &argv);
        let (message, said) = match output {
            Ok(Output { code: Some(0), .. }) => {
                let ((_, layers), (bytes, _)) = (progress.layers(), progress.bytes());
                let took = own(seconds(began.elapsed()));
                task.say(&text!("{}: {} layers, {} in {}", own(image), layers, own(progress::shown(bytes)), took));
                return Ok(progress);
            }
            Ok(output) => (text!("{} could not be pulled", own(image)), last_lines(&output.stderr, 2)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                return Err(cancelled(text!("cancelled while {} was pulled", own(image))));
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                let (done, all) = progress.layers();
                let message = text!("{} could not be pulled", own(image));
                return Err(Problem::host(id::PULL_FAILED, message)
                    .because(text!(
                        "{}: {} of {} layers, {} have come",
                        error,
                        done,
                        all,
                        own(progress::shown(progress.bytes().0))
                    ))
                    .hint_command(as_root(text!("docker pull {}", own(quoted(image))))));
            }
            Err(error) => {
                let message = text!("{} could not be pulled", own(image));
                return Err(Problem::host(id::PULL_FAILED, message).caused_by(error));
            }
        };
        let failure = known(&Facts::get().failure, &said);
        match pauses.next().filter(|_| failure.is_some_and(|failure| failure.retry)) {
            Some(pause) => {
                task.say(&text!("no answer in time; trying again in {}", own(seconds(pause))));
                task.pause(pause)?;
            }
            None => return Err(problem(failure, id::PULL_FAILED, message, &said, &places(task, image, &said, source))),
        }
    }
}

/// Runs docker and tells how far it is.
fn followed(task: &mut Task<'_>, argv: &[&str]) -> (std::io::Result<Output>, Progress) {
    let (mut progress, began) = (Progress::default(), Instant::now());
    let command = Command { deadline: WHOLE, ..Command::new(argv.iter().copied()) };
    let watch = Watch { terminal: true, ..task.watch(IDLE) };
    let tell = &mut task.tell;
    let output = task.host.follow(&command, &watch, &mut |line| {
        let further = progress.hear(line);
        // Before the daemon has named a layer there is nothing to count.
        if further && progress.layers().1 > 0 {
            let ((done, all), (bytes, size)) = (progress.layers(), progress.bytes());
            let of = |bytes| own(progress::shown(bytes));
            let took = began.elapsed().as_secs();
            let rate = if took < 2 { Text::default() } else { text!(", {}/s", of(bytes / took)) };
            tell(Told::Moving(&text!("{} of {} layers, {} of {}{}", done, all, of(bytes), of(size), rate)));
        }
        further
    });
    (output, progress)
}

/// What the sentences of the table are filled with.
fn places(task: &Task<'_>, image: &str, output: &str, source: &Source<'_>) -> Vec<(&'static str, Text)> {
    let registry = named(output).unwrap_or_else(|| registry(image).to_owned());
    let issuer = if output.contains("x509") { issuer(&registry, source) } else { None };
    let issuer = issuer.or_else(|| in_words(output)).map(|issuer| text!(" (signed by {})", issuer));
    let login = if registry == HUB { "docker login".to_owned() } else { format!("docker login {}", quoted(&registry)) };
    let root = |line: String| Text::from(as_root(text!("{}", own(line))));
    let folder = task.host.shown(Path::new(source.folder)).display().to_string();
    vec![
        ("image", text!("{}", own(quoted(image)))),
        ("registry", text!("{}", Foreign::new(&registry))),
        ("issuer", issuer.unwrap_or_default()),
        ("folder", text!("{}", own(folder))),
        ("pull", root(format!("docker pull {}", quoted(image)))),
        ("login", root(login)),
    ]
}

/// The registry of an image's name.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => HUB,
    }
}

/// The host that the daemon's words name: that of the layers may be another than that of the name.
fn named(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("\"https://").or_else(|| said.split_once("https://"))?;
    let host = rest.split(['/', '"', ' ', '?']).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| host.to_owned())
}

/// Who signed what a registry shows on the way that the daemon goes.
fn issuer(registry: &str, source: &Source<'_>) -> Option<Text> {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (registry, 443),
    };
    let asked = Asked { host, port, address: None, tls: true, path: Some("/v2/") };
    let seen = probe(&asked, source.proxy, source.roots, Time::new(PROBE, PROBE)).certificate?;
    Some(match inspector(&seen.issuer) {
        Some(product) => text!("{}, which is {}", Foreign::new(&seen.issuer), own(product)),
        None => text!("{}", Foreign::new(&seen.issuer)),
    })
}

/// The authority that Go names where a certificate of its name was tried: `candidate authority certificate "NAME"`.
fn in_words(said: &str) -> Option<Text> {
    let (_, rest) = said.split_once("candidate authority certificate \"")?;
    let (name, _) = rest.split_once('"')?;
    Some(text!("{}", Foreign::new(docker::text::shown(name, 100))))
}

/// All archives of the bundle; then the images are here under their names, or it has not got them.
fn load(
    task: &mut Task<'_>,
    bundle: &Path,
    wanted: &[String],
    source: &Source<'_>,
    fetched: &mut Fetched,
) -> Result<(), Problem> {
    if !source.proven {
        prove(task, bundle)?;
    }
    let archives = archives(bundle)?;
    let mut loaded = Vec::new();
    for path in &archives {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        task.say(&text!("loading {}", path.display()));
        let shown = path.display().to_string();
        let (output, progress) = followed(task, &["docker", "load", "-i", &shown]);
        let message = text!("{} could not be loaded", path.display());
        match output {
            Ok(output) if output.code == Some(0) => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let names = text
                    .split(['\n', '\r'])
                    .filter_map(|line| Some(line.rsplit_once("Loaded image: ")?.1.trim().to_owned()));
                loaded.extend(names);
                fetched.layers += progress.layers().1;
                fetched.bytes += progress.bytes().0;
            }
            Ok(output) => {
                // Up to 20.10 the words of some failures stand on standard output.
                let said = [last_lines(&output.stderr, 2), last_lines(&output.stdout, 2)].join("; ");
                let failure = known(Facts::get().failure.iter().filter(|failure| failure.archive), &said);
                return Err(problem(failure, id::LOAD_FAILED, message, &said, &places(task, name, &said, source)));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                return Err(cancelled(text!("cancelled while {} was loaded", path.display())));
            }
            Err(error) => return Err(Problem::host(id::LOAD_FAILED, message).caused_by(error)),
        }
    }
    let left = missing(task.reader(), wanted)?;
    if left.is_empty() {
        fetched.images = wanted.to_vec();
        return Ok(());
    }
    let has = match loaded.as_slice() {
        [] => text!("it has no archive of images ({}*.tar)", own(ARCHIVE)),
        names => text!("it has {}", Foreign::new(names.join(", "))),
    };
    Err(Problem::host(id::LOAD_FAILED, text!("the bundle has not got {}", own(left.join(", "))))
        .because(has)
        .hint(text!("name the image that it has: {}", typed("--image <REF>")))
        .hint(text!("or make it anew on a host that can pull: {}", typed("ics-setup bundle create <DIR>"))))
}
