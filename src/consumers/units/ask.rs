//! A service by systemd's own word: the dump of its loader, which needs no running systemd, and the properties that the
//! running one tells.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::loaded::{EnvironmentFile, List, Loaded};
use super::{Command, Place, Stop};
use crate::consumers::sight::Sight;
use crate::envfile::unit::{self, Mode};
use crate::text::Text;

/// Variables that make systemd-analyze print units as loaded.
pub(crate) const VERIFY_ENVIRONMENT: [(&str, &str); 1] = [("SYSTEMD_LOG_LEVEL", "debug")];

/// The loader, over the files as they are. Names of units follow. Generators are not run unless that is asked for.
pub(crate) const VERIFY: [&str; 3] = ["systemd-analyze", "verify", "--man=no"];

/// The running systemd. The unit's name follows.
pub(crate) const SHOW: [&str; 4] = [
    "systemctl",
    "show",
    "--no-pager",
    "--property=LoadState,FragmentPath,DropInPaths,Environment,EnvironmentFiles,PassEnvironment,UnsetEnvironment,ExecStart,NeedDaemonReload",
];

/// What `systemd-analyze verify` prints at debug level (`unit_dump()` in `src/core/unit-serialize.c`,
/// `exec_context_dump()` in `src/core/execute.c`, release 252). `None`: the unit is not in it.
pub(crate) fn dump(name: &str, stdout: &[u8], stderr: &[u8]) -> Option<Loaded> {
    let stdout = String::from_utf8_lossy(stdout);
    let unit = section(&stdout, name)?;
    let mut loaded = Loaded::default();
    let mut starts = false;
    for (key, value) in fields(unit) {
        match key {
            "Fragment Path" => loaded.fragment = Some(PathBuf::from(&value)),
            "DropIn Path" => loaded.files.push(PathBuf::from(&value)),
            _ => {}
        }
        let at = Place::new(loaded.fragment.as_deref().unwrap_or_else(|| Path::new(name)), 0);
        match key {
            "Unit Load State" => loaded.masked = value == "masked",
            "Environment" => set(&mut loaded, &value, at),
            "EnvironmentFile" => loaded.environment_files.items.push(environment_file(&value, at)),
            "PassEnvironment" => loaded.pass.items.push((value, at)),
            "UnsetEnvironment" => loaded.unset.items.push((value, at)),
            "PAMName" => loaded.pam = Some(at),
            "-> ExecStart" => starts = true,
            "Command Line" if starts => {
                loaded.exec.items.push(Command { at, argv: words(&value), verbatim: false });
            }
            _ if key.starts_with("->") => starts = false,
            _ => {}
        }
    }
    loaded.files.splice(0..0, loaded.fragment.clone());
    loaded.complaints = complaints(&String::from_utf8_lossy(stderr), &loaded.files);
    Some(loaded)
}

/// What `systemctl show` prints for the properties of [`SHOW`] (`src/shared/bus-print-properties.c`,
/// `src/systemctl/systemctl-show.c`, release 252). `None`: systemd knows no such unit.
pub(crate) fn show(stdout: &[u8]) -> Option<Loaded> {
    let stdout = String::from_utf8_lossy(stdout);
    let all = || stdout.lines().filter_map(|line| line.split_once('='));
    let one = |key: &str| all().find(|(known, _)| *known == key).map_or("", |(_, value)| value);
    if matches!(one("LoadState"), "" | "not-found") {
        return None;
    }
    let needs_reload = one("NeedDaemonReload") == "yes";
    let mut loaded = Loaded { masked: one("LoadState") == "masked", needs_reload, ..Loaded::default() };
    loaded.fragment = Some(one("FragmentPath")).filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = loaded.fragment.clone().unwrap_or_else(|| PathBuf::from("systemctl"));
    let at = Place::new(&path, 0);
    if matches!(one("LoadState"), "error" | "bad-setting") {
        loaded.refused = Some(Stop::new(&at, "systemd does not load the unit"));
    }
    let list = |key: &str| -> Vec<String> {
        let (words, _) = unit::all(one(key).as_bytes(), Mode::EscapesOrVerbatim);
        words.into_iter().map(|word| String::from_utf8_lossy(&word.value).into_owned()).collect()
    };
    loaded.files = loaded.fragment.iter().cloned().chain(list("DropInPaths").into_iter().map(PathBuf::from)).collect();
    for assignment in list("Environment") {
        set(&mut loaded, &assignment, at.clone());
    }
    // One line for each file: `EnvironmentFiles=/etc/default/docker (ignore_errors=yes)`.
    for (_, value) in all().filter(|(key, _)| *key == "EnvironmentFiles") {
        let (pattern, ignores) = value.rsplit_once(" (ignore_errors=").unwrap_or((value, "no)"));
        loaded.environment_files.items.push(EnvironmentFile {
            pattern: Some(pattern.to_owned()),
            optional: ignores == "yes)",
            at: at.clone(),
        });
    }
    loaded.pass.items = list("PassEnvironment").into_iter().map(|name| (name, at.clone())).collect();
    loaded.unset.items = list("UnsetEnvironment").into_iter().map(|name| (name, at.clone())).collect();
    // The arguments are printed with blanks between them and nothing around them, so those with blanks cannot be told.
    for (_, value) in all().filter(|(key, _)| *key == "ExecStart") {
        let inner = value.split_once("argv[]=").map_or("", |(_, rest)| rest);
        let argv = inner.split_once(" ; ignore_errors=").map_or(inner, |(argv, _)| argv);
        let argv = argv.split(' ').map(|word| Some(word.to_owned())).collect();
        loaded.exec.items.push(Command { at: at.clone(), argv, verbatim: false });
    }
    Some(loaded)
}

/// Where two accounts of a unit differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// Which files are read, in which order: the model's and systemd's.
    Files(Vec<PathBuf>, Vec<PathBuf>),
    /// The unit is loaded by one of them alone.
    Loaded,
    /// What `Environment=` gives for this name.
    Value(String),
    /// What this directive lists.
    List(&'static str),
}

/// Where the model of a unit differs from systemd's own account (`None`: it does not load the unit). What the model cannot
/// tell is no difference.
pub(crate) fn differences(modelled: &Loaded, asked: Option<&Loaded>) -> Vec<Difference> {
    let mut found = Vec::new();
    let loads = modelled.fragment.is_some() && !modelled.masked && modelled.refused.is_none();
    let told = |doubt: &Option<Stop>| doubt.is_none();
    let Some(asked) = asked else {
        let certain = told(&modelled.exec.doubt) && !modelled.exec.items.is_empty();
        return if loads && certain { vec![Difference::Loaded] } else { found };
    };
    if !loads && told(&modelled.exec.doubt) {
        return vec![Difference::Loaded];
    }
    if told(&modelled.environment.rest) && modelled.files != asked.files {
        found.push(Difference::Files(modelled.files.clone(), asked.files.clone()));
    }
    let names: BTreeSet<&String> = modelled.environment.known.keys().chain(asked.environment.known.keys()).collect();
    for name in names {
        let (own, other) = (modelled.environment.get(name), asked.environment.get(name));
        let value = |sight: &Option<Sight>| sight.as_ref().and_then(Sight::value).map(str::to_owned);
        if !matches!(own, Some(Sight::Unknown { .. })) && value(&own) != value(&other) {
            found.push(Difference::Value(name.clone()));
        }
    }
    let files = |loaded: &Loaded| -> Vec<(Option<String>, bool)> {
        loaded.environment_files.items.iter().map(|file| (file.pattern.clone(), file.optional)).collect()
    };
    let (own, other) = (files(modelled), files(asked));
    if told(&modelled.environment_files.doubt) && own.iter().all(|(path, _)| path.is_some()) && own != other {
        found.push(Difference::List("EnvironmentFile"));
    }
    let words = |list: &List<(String, Place)>| -> BTreeSet<String> {
        list.items.iter().map(|(word, _)| word.clone()).collect()
    };
    for (key, own, other) in
        [("PassEnvironment", &modelled.pass, &asked.pass), ("UnsetEnvironment", &modelled.unset, &asked.unset)]
    {
        if told(&own.doubt) && words(own) != words(other) {
            found.push(Difference::List(key));
        }
    }
    let (own, other) = (&modelled.exec.items, &asked.exec.items);
    let same = |(own, other): (&Command, &Command)| {
        own.argv.len() == other.argv.len()
            && own.argv.iter().zip(&other.argv).all(|(own, other)| own.is_none() || own == other)
    };
    if told(&modelled.exec.doubt) && (own.len() != other.len() || !own.iter().zip(other).all(same)) {
        found.push(Difference::List("ExecStart"));
    }
    found
}

/// The lines of one unit in a dump, by its name or by another one that it has.
fn section<'a>(dump: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = dump;
    loop {
        let start = rest.find("\t-> Unit ")?;
        let unit = &rest[start + "\t-> Unit ".len()..];
        let end = unit.find("\n\t-> Unit ").map_or(unit.len(), |end| end + 1);
        let body = &unit[..end];
        let id = body.lines().next().unwrap_or_default().trim_end_matches(':');
        if id == name || body.lines().any(|line| line.trim_start().strip_prefix("Alias: ") == Some(name)) {
            return Some(body);
        }
        rest = &unit[end..];
    }
}

/// Keys with their values. A line that does not begin with two tabs goes on with the value before it.
fn fields(unit: &str) -> Vec<(&str, String)> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in unit.lines().skip(1) {
        match line.strip_prefix("\t\t") {
            Some(field) => {
                let field = field.trim_start_matches('\t');
                match field.split_once(": ").or_else(|| Some((field.strip_suffix(':')?, ""))) {
                    Some((key, value)) => fields.push((key, value.to_owned())),
                    None => fields.push((field, String::new())),
                }
            }
            None => {
                if let Some((_, value)) = fields.last_mut() {
                    value.push('\n');
                    value.push_str(line);
                }
            }
        }
    }
    fields
}

fn set(loaded: &mut Loaded, assignment: &str, at: Place) {
    if let Some((name, value)) = assignment.split_once('=') {
        loaded.environment.set(name, Sight::Value { value: value.to_owned(), at });
    }
}

fn environment_file(value: &str, at: Place) -> EnvironmentFile {
    let pattern = value.strip_prefix('-').unwrap_or(value);
    EnvironmentFile { pattern: Some(pattern.to_owned()), optional: value.starts_with('-'), at }
}

/// The words of a command line that `quote_command_line()` has quoted.
fn words(line: &str) -> Vec<Option<String>> {
    // A backslash inside double quotes stands before what a shell would take otherwise, and of control characters.
    let unquoted = line.replace("\\$", "$").replace("\\`", "`");
    let (words, _) = unit::all(unquoted.as_bytes(), Mode::EscapesOrVerbatim);
    words.into_iter().map(|word| String::from_utf8(word.value).ok()).collect()
}

/// What systemd says about files of the unit: `/etc/…/a.conf:3: Failed to resolve …`. Its words may quote a value, so only the
/// place is kept, and what it does.
fn complaints(stderr: &str, files: &[PathBuf]) -> Vec<(Place, Text)> {
    let mut found = Vec::new();
    for line in stderr.lines() {
        let Some((place, words)) = line.split_once(": ") else { continue };
        let Some((path, number)) = place.rsplit_once(':') else { continue };
        let Ok(number) = number.parse() else { continue };
        if let Some(file) = files.iter().find(|file| file.as_os_str() == path) {
            let why = if words.contains("gnoring") { "systemd ignores it" } else { "systemd complains about it" };
            found.push((Place::new(file, number), why.into()));
        }
    }
    found
}
