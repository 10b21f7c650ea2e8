//! The stacks of a PAM service, and which of their modules a login passes.
//!
//! Source: libpam/pam_handlers.c, pam_misc.c (`_pam_StrTok`, `_pam_parse_control`) and pam_dispatch.c of linux-pam 1.5, the
//! `@include` of Debian, pam.conf(5).

use std::path::Path;

use super::super::sight::{Place, Stop};
use super::Pam;
use crate::envfile::{PamLimit, PamLines};
use crate::text;

/// Where stacks are, the first one that has the file.
pub(super) const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// The service whose lines count where a service has none of a kind.
pub(in super::super) const OTHER: &str = "other";

/// Includes that are nested deeper are taken for a circle. libpam itself ends substacks at 16.
const DEEPEST: usize = 16;

/// No stack has so many modules; includes can repeat each other.
const MOST: usize = 5000;

/// What a line is for. Those of accounts and passwords set nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Auth,
    Session,
    Account,
    Password,
}

/// A module of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) kind: Kind,
    /// The last part of its path; empty where a substack begins.
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) at: Place,
    /// How deep in substacks.
    level: usize,
    /// What may follow on it.
    ways: Vec<Way>,
}

/// What follows on a module, for a login that succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The next module.
    On,
    /// The end of its stack or substack.
    Done,
    /// So many modules are left out.
    Skip(usize),
}

/// Does a login pass a module?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    Yes,
    Perhaps,
}

/// Both stacks that may set variables: `auth`, which sets them with the credentials, then `session`.
///
/// # Errors
/// The first line that is not understood, or that makes PAM refuse every login.
pub(super) fn load(pam: &Pam<'_>, service: &str) -> Result<Vec<(Module, Reached)>, Stop> {
    let mut own = Reader { pam, modules: Vec::new() };
    let mut there = own.file(service, None, 0, 0)?;
    if let Some(stock) = pam.stock.filter(|_| !there)
        && !super::has_stack(pam.host, OTHER)?
    {
        let lines = PamLines::read(stock.as_bytes(), PamLimit::None);
        own.lines(&Path::new(FOLDERS[0]).join(service), &lines, None, 0, 0)?;
        there = true;
    }
    let own = own.modules;
    let lacks = |kind| !own.iter().any(|module: &Module| module.kind == kind);
    let mut other = Reader { pam, modules: Vec::new() };
    // What is wrong in it matters only where it counts.
    if (lacks(Kind::Auth) || lacks(Kind::Session)) && !other.file(OTHER, None, 0, 0)? && !there {
        return Err(Stop::file(&Path::new(FOLDERS[0]).join(service), "PAM has neither this service nor other"));
    }
    let of = |kind| {
        let from = if lacks(kind) { &other.modules } else { &own };
        passed(from.iter().filter(|own| own.kind == kind).cloned().collect())
    };
    Ok([of(Kind::Auth), of(Kind::Session)].concat())
}

/// The modules that a login may pass.
fn passed(modules: Vec<Module>) -> Vec<(Module, Reached)> {
    // Up to these places modules are left out for certain, or perhaps.
    let (mut never, mut perhaps) = (0, 0);
    let mut reached = vec![None; modules.len()];
    for (at, module) in modules.iter().enumerate().filter(|(_, module)| !module.ways.is_empty()) {
        if at < never {
            continue;
        }
        let certain = at >= perhaps;
        reached[at] = Some(if certain { Reached::Yes } else { Reached::Perhaps });
        for way in &module.ways {
            let to = match way {
                Way::On => continue,
                Way::Done => end(&modules, at),
                Way::Skip(count) => skipped(&modules, at, *count),
            };
            if certain && module.ways.len() == 1 {
                never = never.max(to);
            } else {
                perhaps = perhaps.max(to);
            }
        }
    }
    modules.into_iter().zip(reached).filter_map(|(module, reached)| Some((module, reached?))).collect()
}

/// Behind the stack or substack that the module is in.
fn end(modules: &[Module], at: usize) -> usize {
    let level = modules[at].level;
    let rest = modules.iter().skip(at + 1);
    if level == 0 { modules.len() } else { at + 1 + rest.take_while(|own| own.level >= level).count() }
}

/// Behind so many modules of the same substack; a substack counts as one.
fn skipped(modules: &[Module], at: usize, count: usize) -> usize {
    let level = modules[at].level;
    let mut to = at + 1;
    for _ in 0..count {
        if to >= modules.len() || modules[to].level < level {
            break;
        }
        to += 1;
        while to < modules.len() && modules[to].level > level {
            to += 1;
        }
    }
    to
}

struct Reader<'a> {
    pam: &'a Pam<'a>,
    modules: Vec<Module>,
}

impl Reader<'_> {
    /// The lines of this kind, or all, of a file. `false`: there is none.
    fn file(&mut self, name: &str, only: Option<Kind>, level: usize, depth: usize) -> Result<bool, Stop> {
        let paths = if name.starts_with('/') {
            vec![name.into()]
        } else {
            FOLDERS.map(|folder| Path::new(folder).join(name)).to_vec()
        };
        for path in paths {
            if let Some(read) = self.pam.whole_lines(&path)? {
                if depth > DEEPEST {
                    return Err(Stop::file(&path, "stacks include each other too deeply"));
                }
                self.lines(&path, &read, only, level, depth)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lines(
        &mut self,
        path: &Path,
        read: &PamLines,
        only: Option<Kind>,
        level: usize,
        depth: usize,
    ) -> Result<(), Stop> {
        for (number, line) in &read.lines {
            let at = Place::new(path, *number);
            self.line(&String::from_utf8_lossy(line), at, only, level, depth)?;
            if self.modules.len() > MOST {
                return Err(Stop::line(path, *number, "there are too many modules"));
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str, at: Place, only: Option<Kind>, level: usize, depth: usize) -> Result<(), Stop> {
        let refused =
            |at: Place| Stop { at, why: "PAM refuses every login here: it does not understand the line".into() };
        let mut words = Words(line);
        let Some(kind) = words.next() else { return Ok(()) };
        let included = |reader: &mut Self, name: Option<String>, only, level, at: Place| {
            let name = name.ok_or_else(|| refused(at.clone()))?;
            if reader.file(&name, only, level, depth + 1)? {
                return Ok(());
            }
            Err(Stop { at, why: text!("PAM refuses every login here: there is no stack {}", name) })
        };
        if kind.eq_ignore_ascii_case("@include") {
            return included(self, words.next(), only, level, at);
        }
        let kind = match kind.trim_start_matches('-').to_ascii_lowercase().as_str() {
            "auth" => Kind::Auth,
            "session" => Kind::Session,
            "account" => Kind::Account,
            "password" => Kind::Password,
            _ => return Err(refused(at)),
        };
        if only.is_some_and(|only| only != kind) {
            return Ok(());
        }
        let bracket = words.0.trim_start().starts_with('[');
        let Some(control) = words.next() else { return Err(refused(at)) };
        let control = if bracket { control } else { control.to_ascii_lowercase() };
        let mut module = |name: &str, ways, arguments| {
            let name = name.rsplit('/').next().unwrap_or_default().to_owned();
            self.modules.push(Module { kind, name, arguments, at: at.clone(), level, ways });
        };
        if !bracket && control == "substack" {
            module("", vec![Way::On], Vec::new());
            return included(self, words.next(), Some(kind), level + 1, at);
        }
        if !bracket && control == "include" {
            return included(self, words.next(), Some(kind), level, at);
        }
        let Some(name) = words.next() else { return Err(refused(at)) };
        let ways = if bracket { of_brackets(&control, &name) } else { of_word(&control, &name) };
        let Some(ways) = ways else { return Err(refused(at)) };
        module(&name, ways, words.collect());
        Ok(())
    }
}

/// Modules that always say the same: whether that is success.
fn always(module: &str) -> Option<bool> {
    match module.rsplit('/').next() {
        Some("pam_permit.so") => Some(true),
        Some("pam_deny.so") => Some(false),
        _ => None,
    }
}

/// The ways that follow on `required` and its like; a login that succeeds does not fail at one of them.
fn of_word(control: &str, module: &str) -> Option<Vec<Way>> {
    Some(match (control, always(module)) {
        ("required" | "requisite" | "optional", _) | ("sufficient", Some(false)) => vec![Way::On],
        ("sufficient", Some(true)) => vec![Way::Done],
        ("sufficient", None) => vec![Way::On, Way::Done],
        _ => return None,
    })
}

/// The ways that follow on `[success=1 default=ignore]`. `None`: PAM does not understand it.
fn of_brackets(control: &str, module: &str) -> Option<Vec<Way>> {
    let mut pairs = Vec::new();
    for pair in control.split_ascii_whitespace() {
        let (result, action) = pair.split_once('=')?;
        let way = match action {
            "ignore" | "ok" | "reset" => Some(Way::On),
            "bad" | "die" => None,
            "done" => Some(Way::Done),
            number => match number.parse().ok()? {
                0 => Some(Way::On),
                count => Some(Way::Skip(count)),
            },
        };
        pairs.push((result, way));
    }
    let find = |name: &str| pairs.iter().rev().find(|(own, _)| *own == name).map(|(_, way)| *way);
    let default = find("default").flatten();
    let mut ways: Vec<Way> = match always(module) {
        Some(true) => vec![find("success").unwrap_or(default)?],
        // Which of its failures counts depends on the kind; any of them is a way.
        _ => pairs.iter().filter_map(|(_, way)| *way).collect(),
    };
    ways.sort_by_key(|way| match way {
        Way::On => 0,
        Way::Done => 1,
        Way::Skip(count) => 1 + count,
    });
    ways.dedup();
    Some(ways)
}

/// `_pam_StrTok` with blanks between the words: `[…]` is one of them, without its brackets.
struct Words<'a>(&'a str);

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let blank = [' ', '\t', '\n'];
        let text = self.0.trim_start_matches(blank);
        let Some(inner) = text.strip_prefix('[') else {
            let end = text.find(blank).unwrap_or(text.len());
            self.0 = text.get(end + 1..).unwrap_or_default();
            return (end > 0).then(|| text[..end].to_owned());
        };
        let (mut word, mut characters) = (String::new(), inner.char_indices().peekable());
        self.0 = "";
        while let Some((at, character)) = characters.next() {
            match character {
                ']' => {
                    self.0 = &inner[at + 1..];
                    break;
                }
                '\\' if characters.peek().is_some_and(|(_, next)| *next == ']') => {
                    word.push(']');
                    characters.next();
                }
                character => word.push(character),
            }
        }
        Some(word)
    }
}
