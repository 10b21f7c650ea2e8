//! What is set on the host already, by what the consumers make of its files.

use std::path::{Path, PathBuf};

use crate::consumers::NAMES;
use crate::consumers::sight::{Place, Sight, Sights};
use crate::consumers::sources::{self, ENVIRONMENT, Reader, Source};
use crate::envfile::{ASIDE, State, Syntax, UTF_16, find, utf_16};
use crate::environment::LoginUser;
use crate::host::View;
use crate::platform::Platform;
use crate::problem::Problem;
use crate::product::leads_nowhere;
use crate::settings::{First, Found, Key, Line, NoProxy, Origin, Setting, by_key};
use crate::system::cloud::direct;
use crate::text;
use crate::text::{Text, own};
use crate::vendor::{Generation, Vendor, prod_env};

/// Looks at the files of logins, of the product in `home` and of the Docker daemon.
///
/// # Errors
/// A file that is there and cannot be read.
pub(crate) fn found(view: &View<'_>, platform: &Platform, home: &Path, first: First) -> Result<Found, Problem> {
    let (daemon, of_others) = sources::daemon(view, Some(platform));
    let scripts = sources::profile_scripts(view, platform)?;
    let mut all: Vec<Source> = Vec::new();
    for file in sources::files(Some(platform), scripts, home, daemon) {
        all.extend(view.snapshot(&file.path)?.map(|snapshot| file.source(snapshot)));
    }
    all.extend(of_others);
    let mut found = Found::default();
    found.direct = direct(view);
    let paths: Vec<PathBuf> = all.iter().map(|source| source.path.clone()).collect();
    let (product, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|source| source.reader == Reader::Containers);
    let product = product.into_iter().next();
    found.no_product = no_product(view, &prod_env(home), product.as_ref());
    if let Some(product) = product.as_ref().filter(|_| first == First::Product) {
        of_product(&mut found, product, true);
    }
    of_login(&mut found, view, platform, &others);
    let (logins, daemons): (Vec<_>, Vec<_>) = others.iter().partition(|source| source.reader == Reader::Logins);
    logins.into_iter().for_each(|source| take(&mut found, source, true));
    if let Some(product) = product.as_ref().filter(|_| first == First::System) {
        of_product(&mut found, product, false);
    }
    // A daemon's file never speaks for logins; passwords and lists are taken from everywhere.
    daemons.into_iter().for_each(|source| take(&mut found, source, false));
    // In one order for every command, whichever file's proxy counts first.
    found.no_proxy = paths.iter().fold(NoProxy::default(), |list, path| list.merged(&found.no_proxy_at(path)));
    Ok(found)
}

/// A link to nothing, or text that nobody can read.
fn no_product(view: &View<'_>, path: &Path, source: Option<&Source>) -> Option<Text> {
    let shown = view.host.shown(path);
    if let Some(to) = leads_nowhere(view, path) {
        return Some(text!("{} leads to {}, where nothing is", shown, view.host.shown(&to)));
    }
    let bytes = &source?.file.as_ref()?.bytes;
    utf_16(bytes).map(|_| text!("{} is {}", shown, own(UTF_16)))
}

/// What a login gets counts before what its files say one by one: a later one may decide.
fn of_login(found: &mut Found, view: &View<'_>, platform: &Platform, sources: &[Source]) {
    let start = sources.iter().find(|source| source.path == Path::new(ENVIRONMENT)).map(|source| &source.sights);
    let user = LoginUser::of(view).name;
    let sights = sources::of_login(view, platform, &user, start.unwrap_or(&Sights::new()));
    let is_system = |path: &Path| sources.iter().any(|source| source.reader == Reader::Logins && source.path == path);
    for name in NAMES {
        match sights.get(name) {
            // What one user has in the home folder is nobody else's.
            Some(Sight::Value { value, at }) if is_system(&at.path) => found.decide(&line(name, at, Some(value), true)),
            Some(Sight::Unknown { at, .. }) if !name.eq_ignore_ascii_case("no_proxy") => {
                found.take(&line(name, at, None, true));
            }
            Some(Sight::Value { .. } | Sight::Unset { .. } | Sight::Unknown { .. }) | None => {}
        }
    }
}

/// Takes the proxy variables of a file.
fn take(found: &mut Found, source: &Source, adopted: bool) {
    for name in NAMES {
        let (at, value) = match source.sights.get(name) {
            Some(Sight::Value { value, at }) => (at, Some(value.as_str())),
            Some(Sight::Unknown { at, .. }) => (at, None),
            Some(Sight::Unset { .. }) | None => continue,
        };
        found.take(&Line { mtime: source.mtime(), ..line(name, at, value, adopted) });
    }
}

fn line<'a>(name: &'a str, at: &'a Place, value: Option<&'a str>, adopted: bool) -> Line<'a> {
    Line { path: &at.path, line: at.line, mtime: None, name, value, adopted }
}

/// `prod.env`: proxy, database and Redis lines. Here what was meant counts: a line that docker rejects, or quotes that it
/// keeps, are mended on writing.
fn of_product(found: &mut Found, source: &Source, adopted: bool) {
    let Some(file) = &source.file else { return };
    let vendor = Vendor::get();
    (found.generation, found.mixed) = generation(&file.bytes);
    let generation = found.generation.unwrap_or(Generation::Current);
    // The first variable of a setting is the one that is told of.
    let named = vendor.prod_env_keys().filter_map(|key| Some((by_key(key)?.key, vendor.variables(generation, key))));
    let named =
        named.flat_map(|(key, names)| names.iter().enumerate().map(move |(at, name)| (key, name.as_str(), at == 0)));
    let named: Vec<(Key, &str, bool)> = named.collect();
    let names: Vec<&str> = NAMES.into_iter().chain(named.iter().map(|(_, name, _)| *name)).collect();
    let lines = find(&file.bytes, Syntax::EnvFile, &names);
    let provider = &vendor.secrets_provider;
    let mut last = find(&file.bytes, Syntax::EnvFile, &[&provider.variable]).into_iter().rev();
    let at = last.find(|at| at.state == State::Active);
    let secret = at.and_then(|at| Some((at.line, meant(&file.bytes[at.value])?)));
    if let Some((line, value)) = secret.filter(|(_, value)| !value.is_empty()) {
        let origin = Origin::Found { path: source.path.clone(), line };
        found.databases = Some(Setting::new(provider.shown(&value), origin));
        let members = [(Key::AwsSecret, &provider.name), (Key::AwsRegion, &provider.region)];
        for (key, member) in members.into_iter().filter(|_| provider.is_aws(&value)) {
            provider.member(&value, member).into_iter().for_each(|own| found.set(key, own, &source.path, line));
        }
    }
    for (index, name) in names.iter().enumerate() {
        let last = |state| {
            let last = lines.iter().rev().find(|at| at.name == index && at.state == state)?;
            Some((last, meant(&file.bytes[last.value.clone()])))
        };
        let (aside, last) = (last(State::Aside), last(State::Active));
        let setting = named.iter().find(|(_, own, _)| own == name);
        if let Some((key, ..)) = setting {
            found.note(*key, last.as_ref().and_then(|(_, value)| value.as_deref()));
        }
        if let (Some((key, _, true)), Some((line, Some(value)))) = (setting, aside) {
            found.set_aside(*key, &value, &source.path, line.line);
        }
        let Some((last, value)) = last else { continue };
        match (setting, value) {
            (Some((key, _, true)), Some(value)) => found.set(*key, &value, &source.path, last.line),
            (Some(_), _) => {}
            (None, value) => {
                let place = Place::new(&source.path, last.line);
                found.take(&Line { mtime: source.mtime(), ..line(name, &place, value.as_deref(), adopted) });
            }
        }
    }
}

/// Which names the file uses: what is active counts, and where nothing is, what is commented. And are both active?
fn generation(bytes: &[u8]) -> (Option<Generation>, bool) {
    let has = |generation, commented| mentions(bytes, Vendor::get().prefixes(generation), commented);
    let both = |commented| (has(Generation::Current, commented), has(Generation::Older, commented));
    let active = both(false);
    let (current, older) = if active == (false, false) { both(true) } else { active };
    let generation = if older && !current { Generation::Older } else { Generation::Current };
    (Some(generation), active == (true, true))
}

/// The value that a person meant: without the remark behind it, and without quotes, which docker and Compose v1 keep. `None`: it
/// is not UTF-8, so it could not be written again as it is.
pub(crate) fn meant(raw: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(raw).ok()?;
    let value = text.split_once(" #").map_or(text, |(value, _)| value).trim();
    let inner = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    Some(['"', '\''].into_iter().find_map(inner).unwrap_or(value).to_owned())
}

/// Has the file an active (or, where asked, a commented) line whose name begins so?
fn mentions(bytes: &[u8], prefixes: &[String], commented: bool) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| {
        let line = line.strip_prefix(ASIDE.as_bytes()).filter(|_| commented).unwrap_or(line).trim_ascii_start();
        let marks = line.iter().take_while(|byte| commented && **byte == b'#').count();
        let line = line[marks..].trim_ascii_start();
        let line =
            line.strip_prefix(b"export").filter(|rest| rest.starts_with(b" ")).map_or(line, <[u8]>::trim_ascii_start);
        prefixes.iter().any(|prefix| line.starts_with(prefix.as_bytes()))
    })
}
