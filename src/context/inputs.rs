//! What people have said, read once: flags, variables, the settings file, password files. A pipe can be read only once, and
//! what was shown must be what is applied.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::rights::{self, Readers, has_secret, of_given};
use crate::finding::{Finding, Status, ids};
use crate::host::{FileKind, HostRead, View, unreadable as not_read};
use crate::problem::{Problem, id};
use crate::product::{bring_back, leads_nowhere};
use crate::settings::{
    self, Key, LastRun, Layer, Layers, NoProxy, ProxyUrl, SETTINGS_FILE, STATE, STATE_FILE, SecretSources, Setting,
    Shape, TABLE,
};
use crate::text;
use crate::text::{Foreign, Text, as_root, nearest, own, quoted, typed};

/// How long a pipe is waited for.
const PIPE: Duration = Duration::from_secs(60);

/// More than any settings or password file has.
const MAX_FILE: u64 = 1 << 20;

/// What a file held, and who can read it where that is known.
type FileRead = (Vec<u8>, Option<Readers>);

/// Everything that was said, by whoever said it.
#[derive(Clone)]
pub(crate) struct Inputs {
    /// Flags, and passwords that a person was asked for.
    pub(super) flags: Layer,
    variable: fn(&str) -> Option<OsString>,
    variables: Layer,
    /// The layer of `--settings`; `None`: the host's own settings file counts.
    given: Option<Layer>,
    /// The file of `--settings`, where it holds a secret.
    with_secret: Option<(PathBuf, Readers)>,
    /// Files with passwords, as they were read: of a copy too, since a pipe can be read only once.
    files: Rc<RefCell<BTreeMap<PathBuf, FileRead>>>,
}

impl Inputs {
    /// Reads variables and the file of `--settings`; `-` is standard input.
    ///
    /// # Errors
    /// A value of the wrong shape, a file that cannot be read or is no settings file.
    pub(crate) fn new(file: Option<&Path>, flags: Layer) -> Result<Self, Problem> {
        let variables = Layer::of_variables(variable_of_the_process)?;
        let (given, readers) = file.map(given).transpose()?.unzip();
        let with_secret = file.filter(|_| given.as_ref().is_some_and(has_secret)).map(Path::to_path_buf);
        let with_secret = with_secret.zip(readers.flatten());
        let files = Rc::default();
        Ok(Self { flags, variable: variable_of_the_process, variables, given, with_secret, files })
    }

    /// Flags alone, for a demonstration that must not depend on where it runs.
    pub(crate) fn alone(flags: Layer) -> Self {
        Self {
            flags,
            variable: |_| None,
            variables: Layer::default(),
            given: None,
            with_secret: None,
            files: Rc::default(),
        }
    }

    /// The same with other flags: what can be read only once is not read again.
    #[must_use]
    pub(crate) fn with_flags(&self, flags: Layer) -> Self {
        Self { flags, ..self.clone() }
    }

    /// Nothing that anybody has said, beside what the last run was told.
    #[must_use]
    pub(crate) fn unsaid(&self) -> Self {
        Self { given: Some(Layer::default()), ..Self::alone(Layer::default()) }
    }

    /// The same with a settings file in the place of flags and of any other file.
    #[must_use]
    pub(crate) fn with_file(&self, file: Layer) -> Self {
        Self { flags: Layer::default(), given: Some(file), ..self.clone() }
    }

    /// What the environment says.
    pub(crate) fn variables(&self) -> &Layer {
        &self.variables
    }

    /// Gives `work` what settings refer to outside of themselves.
    pub(crate) fn outside<T>(&self, work: impl FnOnce(&SecretSources<'_>) -> T) -> T {
        work(&SecretSources { variable: &self.variable, file: &|path| self.file(path) })
    }

    /// All layers; settings file and last run are the host's, as it is now.
    ///
    /// # Errors
    /// One that cannot be read.
    pub(crate) fn layers(&self, host: &dyn HostRead) -> Result<Layers, Problem> {
        let (layers, unread) = self.readable_layers(host)?;
        unread.map_or(Ok(layers), Err)
    }

    /// As [`Inputs::layers`]. What the last run was told may be missing where only root can read it: then with the problem.
    ///
    /// # Errors
    /// One that cannot be read for another reason.
    pub(crate) fn readable_layers(&self, host: &dyn HostRead) -> Result<(Layers, Option<Problem>), Problem> {
        let file = self.file_layer(host)?;
        let (last_run, unread) = match last_run(host) {
            Ok(last_run) => (last_run.layer(), None),
            Err(problem) if [id::NEEDS_ROOT, id::DENIED].contains(&problem.id) => (Layer::default(), Some(problem)),
            Err(problem) => return Err(problem),
        };
        let (flags, variables, file_stays) = (self.flags.clone(), self.variables.clone(), self.given.is_none());
        Ok((Layers { flags, variables, file, file_stays, last_run }, unread))
    }

    /// The settings file that counts.
    fn file_layer(&self, host: &dyn HostRead) -> Result<Layer, Problem> {
        self.given.clone().map_or_else(|| of_host(host), Ok)
    }

    /// The list that somebody gave by flag, variable or `--settings`, as it was typed, for those who judge it. What can be
    /// read of it stands in its place, so that nothing of it is refused.
    pub(crate) fn list_as_typed(&mut self) -> Option<(Key, Setting<String>)> {
        let layers = [Some(&mut self.flags), Some(&mut self.variables), self.given.as_mut()];
        layers.into_iter().flatten().find_map(|layer| {
            let key = [Key::ProxyNoProxyOnly, Key::ProxyNoProxy].into_iter().find(|key| layer.get(*key).is_some())?;
            let typed = layer.get(key).cloned()?;
            let list = NoProxy::found(&typed.value);
            let readable: Vec<&str> = list.members().filter(|member| NoProxy::parse(member).is_ok()).collect();
            layer.replace(key, readable.join(","));
            Some((key, typed))
        })
    }

    /// The proxy of the shell that this was called from, without its login, and the variable that names it. It is a hint to a
    /// person: nothing is taken from there, since `sudo` takes it away, and what a shell has nobody else gets.
    pub(crate) fn of_shell(&self) -> Option<(&'static str, String)> {
        const NAMES: [&str; 6] = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
        NAMES.into_iter().find_map(|name| {
            let value = (self.variable)(name)?;
            let url = ProxyUrl::parse(value.to_str()?).ok()?;
            let bare = ProxyUrl { credentials: None, anonymous: false, ..url };
            Some((name, bare.masked()))
        })
    }

    /// A variable that means nothing, with the nearest that does.
    pub(crate) fn remark(&self, host: &dyn HostRead) -> Option<Finding> {
        let name = self.unknown_variables(host).into_iter().next()?;
        let (title, advice) = means_nothing(&name);
        Some(Finding::new(ids::VARIABLE_UNKNOWN, Status::Warn, title).advise(advice))
    }

    /// The same for a command that nobody watches: there a slip would go unnoticed.
    ///
    /// # Errors
    /// `variable-unknown`, with all of them.
    pub(crate) fn known_variables_alone(&self, host: &dyn HostRead) -> Result<(), Problem> {
        let names = self.unknown_variables(host);
        let Some(first) = names.first() else { return Ok(()) };
        let (mut title, advice) = means_nothing(first);
        if names.len() > 1 {
            title.push(text!(" (and {} more: {})", names.len() - 1, Foreign::new(names[1..].join(", "))));
        }
        let problem = Problem::settings(id::VARIABLE_UNKNOWN, title).hint(advice);
        Err(problem.hint("take it out: nobody is at a terminal who would see a warning"))
    }

    /// `ICS_SETUP_…` variables that mean nothing: at a first boot nobody would notice the slip. One that a setting names, as the
    /// place of a password, means that. Where a file of settings cannot be read, which is told by whoever needs it, it may name
    /// any.
    fn unknown_variables(&self, host: &dyn HostRead) -> Vec<String> {
        let known = |name: &str| TABLE.iter().any(|spec| spec.variable == name);
        let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
        let unknown = |name: &String| name.starts_with("ICS_SETUP_") && !known(name) && (self.variable)(name).is_some();
        let mut names: Vec<String> = names.filter(unknown).collect();
        if names.is_empty() {
            return names;
        }
        let Ok(file) = self.file_layer(host) else { return Vec::new() };
        let places: Vec<_> = [&self.flags, &self.variables, &file]
            .into_iter()
            .filter_map(|layer| layer.get(Key::ProxyPasswordEnv))
            .collect();
        names.retain(|name| places.iter().all(|place| place.value != *name));
        names.sort();
        names
    }

    /// Files with secrets that every user of this machine can read, of those that were read so far.
    pub(super) fn readable_secrets(&self, host: &dyn HostRead, layers: &Layers) -> Vec<Finding> {
        let path = Path::new(SETTINGS_FILE);
        let of_host = || match View::new(host).snapshot(path) {
            Ok(file) => Readers::at(&file?.attributes).warn(&host.shown(path)),
            Err(problem) => Some(Finding::warn(ids::FILE_UNREADABLE, problem.sentence())),
        };
        let of_host = if layers.file_stays && has_secret(&layers.file) { of_host() } else { None };
        let given = self.with_secret.as_ref().and_then(|(path, readers)| readers.warn(path));
        let files = self.files.borrow();
        let files = files.iter().filter_map(|(path, (_, readers))| readers.as_ref()?.warn(path));
        of_host.into_iter().chain(given).chain(files).collect()
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        if let Some((bytes, _)) = self.files.borrow().get(path) {
            return Ok(bytes.clone());
        }
        let file = opened(path)?;
        let readers = Readers::of(&file.metadata()?);
        let bytes = at_most(MAX_FILE, file)?;
        self.files.borrow_mut().insert(path.to_path_buf(), (bytes.clone(), readers));
        Ok(bytes)
    }
}

fn variable_of_the_process(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The settings file that was named, and who can read it; `-` is standard input.
fn given(path: &Path) -> Result<(Layer, Option<Readers>), Problem> {
    let mut readers = None;
    let is_stdin = path == Path::new("-");
    let (shown, bytes) = match (!is_stdin).then(|| opened(path)) {
        None => (Path::new("<stdin>"), at_most(MAX_FILE, io::stdin().lock())),
        Some(Err(error)) => (path, Err(error)),
        Some(Ok(file)) => {
            of_given(path, &file)?;
            readers = file.metadata().ok().as_ref().and_then(Readers::of);
            (path, at_most(MAX_FILE, file))
        }
    };
    let unreadable =
        Problem::settings(id::SETTINGS_UNREADABLE, text!("--settings {} could not be read", path.display()))
            .hint(text!("a settings file to start from: {}", typed("ics-setup settings example")));
    Ok((settings::read_file(&utf8(bytes, unreadable)?, shown)?, readers))
}

/// Opens a file to be read. Of a pipe nobody may be at the other end yet, or ever: then it is waited for, and not for ever.
///
/// # Errors
/// It cannot be opened; nobody writes to the pipe in time.
fn opened(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.file_type().is_fifo() {
        return File::open(path);
    }
    let pipe = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let wait = PollTimeout::try_from(PIPE).unwrap_or(PollTimeout::MAX);
    if poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], wait)? == 0 {
        let words = format!("nobody has written to this pipe within {} s", PIPE.as_secs());
        return Err(io::Error::new(io::ErrorKind::TimedOut, words));
    }
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(pipe)
}

/// A file, unless it is larger than any file of settings.
///
/// # Errors
/// It cannot be read, or is too large.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    at_most(MAX_FILE, std::fs::File::open(path)?)
}

/// What was read, as text.
///
/// # Errors
/// `unreadable`, with the reason, where reading failed or the text is not in UTF-8.
pub(crate) fn utf8(bytes: io::Result<Vec<u8>>, unreadable: Problem) -> Result<String, Problem> {
    match bytes.map(String::from_utf8) {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(_)) => Err(unreadable.because("it is not UTF-8 text")),
        Err(error) => Err(unreadable.caused_by(error)),
    }
}

/// All of it, unless that is more than `limit` bytes: a flag may name `/dev/zero`.
///
/// # Errors
/// Reading fails, or there is too much.
pub(crate) fn at_most(limit: u64, from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {} MiB", limit >> 20)));
    }
    Ok(bytes)
}

/// The host's own settings file.
fn of_host(host: &dyn HostRead) -> Result<Layer, Problem> {
    let path = Path::new(SETTINGS_FILE);
    let snapshot = View::new(host).snapshot(path)?;
    // After it was read: what the file was then, it still is.
    rights::of_host(host)?;
    let shown = host.shown(path);
    let unreadable = || Problem::settings(id::SETTINGS_UNREADABLE, text!("{} could not be read", shown.display()));
    let Some(snapshot) = snapshot else {
        // A link to what is not mounted, or a file in the folder's place, is not "no settings".
        if let Some(target) = leads_nowhere(host, path) {
            let target = host.shown(&target);
            return Err(unreadable()
                .because(text!("it leads to {}, where nothing is", target.display()))
                .hint(bring_back(&shown, &target)));
        }
        let folder = path.parent().unwrap_or(path);
        let real = host.resolve(folder).map_err(|refused| unreadable().caused_by(refused))?;
        return match host.lstat(&real).map_err(|error| not_read(&host.shown(folder), &error))? {
            Some(stat) if stat.kind != FileKind::Dir => {
                Err(unreadable().because(text!("{} is no folder", host.shown(folder).display())))
            }
            _ => Ok(Layer::default()),
        };
    };
    let owner = snapshot.attributes.uid;
    let mut layer = settings::read_file(&utf8(Ok(snapshot.bytes.clone()), unreadable())?, &shown)?;
    if !host.is_this_machine() {
        of_image(host, &mut layer, [0, host.euid()].contains(&owner))?;
    }
    Ok(layer)
}

/// Files that an image's own settings name are those of the image. Where there is none, root's and one's own settings may mean
/// one of this machine, as the image's builder has it; anybody else's never do.
fn of_image(host: &dyn HostRead, layer: &mut Layer, is_own: bool) -> Result<(), Problem> {
    for spec in TABLE.iter().filter(|spec| spec.shape == Shape::Path && spec.key != Key::Home) {
        let Some(said) = layer.get(spec.key).cloned() else { continue };
        let inside = host.resolve(Path::new(&said.value)).map_err(|refused| {
            Problem::settings(
                id::SETTINGS_UNREADABLE,
                text!("{}: {} is not used", said.origin, own(said.value.clone())),
            )
            .caused_by(refused)
        })?;
        let found = host.lstat(&inside).map_err(|error| not_read(&host.shown(&inside), &error))?;
        if found.is_some() || !is_own {
            layer.replace(spec.key, host.shown(&inside).to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// What the last run was told: nothing where there was none.
///
/// # Errors
/// The file cannot be looked at, others can write to it, or it is not what ics-setup wrote.
fn last_run(host: &dyn HostRead) -> Result<LastRun, Problem> {
    let path = Path::new(STATE_FILE);
    let shown = host.shown(path);
    let stat = host.lstat(path).map_err(|error| not_read(&shown, &error))?;
    let Some(stat) = stat else { return Ok(LastRun::default()) };
    private_state(host)?;
    if stat.kind == FileKind::File && !host.is_private(&stat) {
        let file = own(quoted(&shown.to_string_lossy()));
        return Err(not_private(&shown, "a file", "what it says is obeyed by runs as root")
            .hint(text!("where its content is right: {}", typed(text!("chown root: {} && chmod 0600 {}", file, file))))
            .hint_command(as_root(text!("mv {} {}.unread", file, file))));
    }
    // A link would lead out of the folder that is looked at here.
    let snapshot = match stat.kind {
        FileKind::File => host.snapshot(path),
        _ => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    };
    let snapshot = snapshot.map_err(|error| not_read(&shown, &error))?;
    snapshot.map_or_else(|| Ok(LastRun::default()), |snapshot| LastRun::parse(&snapshot.bytes, &shown))
}

/// Journals, backups and what is remembered decide what is written as root: nobody else may be able to write there.
///
/// # Errors
/// `state-not-private`, `symlink-refused`; the folder cannot be looked at.
pub(crate) fn private_state(host: &dyn HostRead) -> Result<(), Problem> {
    let shown = host.shown(Path::new(STATE));
    let path = host.resolve(Path::new(STATE)).map_err(|refused| {
        Problem::host(id::SYMLINK_REFUSED, text!("{} is not used", shown.display())).caused_by(refused)
    })?;
    let shown = host.shown(&path);
    let stat = host.lstat(&path).map_err(|error| not_read(&shown, &error))?;
    if stat.is_some_and(|stat| stat.kind == FileKind::Dir && host.is_private(&stat)) {
        return Ok(());
    }
    let shown_folder = own(quoted(&shown.to_string_lossy()));
    Err(not_private(&shown, "a folder", "journals and backups in it decide what is written as root")
        .hint_command(as_root(text!("chown root: {} && chmod 0700 {}", shown_folder, shown_folder))))
}

fn not_private(shown: &Path, kind: &'static str, because: &'static str) -> Problem {
    let shown = shown.display();
    let message = text!("{} is to be {} that only its owner, root, can write", shown, own(kind));
    Problem::host(id::STATE_NOT_PRIVATE, message)
        .because(because)
        .hint(text!("look at it: {}", typed(text!("ls -la {}", shown))))
}

fn means_nothing(name: &str) -> (Text, Text) {
    let advice = match nearest(name, TABLE.iter().map(|spec| spec.variable)) {
        Some(near) => text!("did you mean {}?", own(near)),
        None => text!("all variables: {}", typed("ics-setup settings example")),
    };
    (text!("the variable {} means nothing to ics-setup", name), advice)
}
