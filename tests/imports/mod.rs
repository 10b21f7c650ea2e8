//! The imports of the crate as the compiler resolves them: `use` trees and the paths of expressions and types, followed
//! through renames, globs and re-exports to the module that defines the item. What only tests are made of is left out.

pub mod picture;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Absolute: `crate`, `net`, `tls`; or of another crate: `std`, `fs`.
pub type Segments = Vec<String>;

/// All modules of a crate by their path.
#[derive(Default)]
pub struct Crate {
    pub modules: BTreeMap<Segments, Module>,
}

/// What one module's source says.
#[derive(Default)]
pub struct Module {
    /// The file that it stands in.
    pub file: String,
    /// Lines of that file without its tests.
    pub lines: usize,
    /// Names of the parameters, fields and variables that are a host.
    pub hosts: BTreeSet<String>,
    /// Receiver, empty where it is no name and `?` where an error is passed on, method, line.
    pub calls: Vec<(String, String, usize)>,
    items: BTreeSet<String>,
    bindings: BTreeMap<String, Segments>,
    globs: Vec<Segments>,
    paths: Vec<(Segments, usize)>,
}

/// One path that a module names.
pub struct Import {
    pub from: Segments,
    /// The module that defines the item, or the path itself where it is of another crate.
    pub to: Segments,
    /// What is named within `to`.
    pub item: Segments,
    /// `src/net/tls.rs:12`
    pub at: String,
}

impl Crate {
    /// The crate whose files `read` gives, from `lib.rs` on along its `mod` declarations.
    pub fn load(read: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut all = Self::default();
        all.file(&["crate".to_owned()], "lib.rs", "", read);
        all
    }

    /// This crate.
    pub fn this() -> Self {
        let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
        Self::load(&|name| std::fs::read_to_string(source.join(name)).ok())
    }

    fn file(&mut self, module: &[String], name: &str, folder: &str, read: &dyn Fn(&str) -> Option<String>) {
        let text = read(name).unwrap_or_else(|| panic!("{name} is not there"));
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let product = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = product.lines().count();
        self.modules.insert(module.to_vec(), Module { file: format!("src/{name}"), lines, ..Module::default() });
        self.walk(module, folder, tokens, true, read);
    }

    fn walk(
        &mut self,
        module: &[String],
        folder: &str,
        tokens: TokenStream,
        items: bool,
        read: &dyn Fn(&str) -> Option<String>,
    ) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            let here = module_of(self, module);
            match &tokens[at] {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let group = tokens[at + 1..].iter().take(2).find_map(group);
                    at += 1 + usize::from(is(&tokens, at + 1, '!'));
                    if let Some(attribute) = group {
                        at += 1;
                        if attribute.to_string().replace(' ', "").starts_with("cfg(test)") {
                            at = behind_item(&tokens, at);
                        } else {
                            strings(&attribute, &mut here.paths);
                        }
                    }
                    continue;
                }
                TokenTree::Group(group) => self.walk(module, folder, group.stream(), false, read),
                TokenTree::Ident(ident) => {
                    let word = plain(ident);
                    let line = ident.span().start().line;
                    let next = word_at(&tokens, at + 1);
                    if word == "use" && !is(&tokens, at + 1, '<') {
                        let end = (at..tokens.len()).find(|&end| is(&tokens, end, ';')).unwrap_or(tokens.len());
                        tree(&tokens[at + 1..end], &[], here, line);
                        at = end;
                    } else if word == "mod" && items && next.is_some() {
                        let name = next.unwrap_or_default();
                        let child = [module, std::slice::from_ref(&name)].concat();
                        if is(&tokens, at + 2, ';') {
                            let flat = format!("{folder}{name}.rs");
                            let nested = format!("{folder}{name}/mod.rs");
                            let file = if read(&flat).is_some() { flat } else { nested };
                            self.file(&child, &file, &format!("{folder}{name}/"), read);
                        } else if let Some(body) = tokens.get(at + 2).and_then(group) {
                            let file = here.file.clone();
                            self.modules.insert(child.clone(), Module { file, ..Module::default() });
                            self.walk(&child, &format!("{folder}{name}/"), body, true, read);
                        }
                        at += 2;
                    } else {
                        let defines = ["struct", "enum", "union", "trait", "fn", "type", "const", "static"];
                        if items && defines.contains(&word.as_str()) {
                            here.items.extend(next.clone());
                        }
                        if word == "macro_rules" {
                            here.items.extend(word_at(&tokens, at + 2));
                        }
                        here.notice(&tokens, at);
                        let (path, end) = path(&tokens, at);
                        if path.len() > 1 {
                            here.paths.push((path, line));
                        }
                        at = end - 1;
                    }
                }
                TokenTree::Punct(punct) => {
                    if punct.as_char() == '.'
                        && let Some(method) = word_at(&tokens, at + 1)
                        && tokens.get(at + 2).and_then(group).is_some()
                    {
                        let before = at.checked_sub(1);
                        let passes_on = before
                            .and_then(|before| tokens.get(before))
                            .is_some_and(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '?'));
                        let receiver = before.and_then(|before| word_at(&tokens, before));
                        let receiver = if passes_on { Some("?".to_owned()) } else { receiver };
                        here.calls.push((receiver.unwrap_or_default(), method, punct.span().start().line));
                    }
                }
                TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    /// Every path of every module that leads to another one, or out of the crate.
    pub fn imports(&self) -> Vec<Import> {
        let mut found = Vec::new();
        for (from, module) in &self.modules {
            let globs = module.globs.iter().map(|path| ([path.as_slice(), &["*".to_owned()]].concat(), 0));
            for (path, line) in module.paths.iter().cloned().chain(globs) {
                let Some((to, item)) = self.resolve(from, &path, 0) else { continue };
                if to != *from {
                    found.push(Import { from: from.clone(), to, item, at: format!("{}:{line}", module.file) });
                }
            }
        }
        found
    }

    /// The module that defines what `path`, written in `module`, names, and what is left of the path there.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<(Segments, Segments)> {
        let first = path.first()?;
        let inner = self.modules.get(module)?;
        if depth > 32 {
            return None;
        }
        match first.as_str() {
            "crate" => self.descend(&["crate".to_owned()], &path[1..], depth),
            "self" | "Self" => self.descend(module, &path[1..], depth),
            "super" => {
                let parent = &module[..module.len() - 1];
                if path.get(1).is_some_and(|next| next == "super") {
                    return self.resolve(parent, &path[1..], depth + 1);
                }
                self.descend(parent, &path[1..], depth)
            }
            name if self.knows(module, name, depth) => self.descend(module, path, depth),
            name if inner.items.contains(name) => None,
            _ => Some((path.to_vec(), Vec::new())),
        }
    }

    fn knows(&self, module: &[String], name: &str, depth: usize) -> bool {
        let Some(inner) = self.modules.get(module) else { return false };
        let child = [module, &[name.to_owned()]].concat();
        self.modules.contains_key(&child)
            || inner.bindings.contains_key(name)
            || inner.items.contains(name)
            || (depth < 8 && self.through_glob(module, name, depth).is_some())
    }

    /// What a glob of `module` leads to that has this name.
    fn through_glob(&self, module: &[String], name: &str, depth: usize) -> Option<Segments> {
        self.modules.get(module)?.globs.iter().find_map(|glob| {
            let (target, rest) = self.resolve(module, glob, depth + 4)?;
            (rest.is_empty() && target != module && self.knows(&target, name, depth + 4)).then_some(target)
        })
    }

    fn descend(&self, module: &[String], rest: &[String], depth: usize) -> Option<(Segments, Segments)> {
        let Some(name) = rest.first() else { return Some((module.to_vec(), Vec::new())) };
        let inner = self.modules.get(module)?;
        let child = [module, std::slice::from_ref(name)].concat();
        let binding = inner.bindings.get(name).filter(|path| depth < 32 && !is_itself(path, name));
        // A module and a function may share a name; only a module goes on.
        if self.modules.contains_key(&child) && (rest.len() > 1 || binding.is_none()) {
            return self.descend(&child, &rest[1..], depth);
        }
        if inner.items.contains(name) {
            return Some((module.to_vec(), rest.to_vec()));
        }
        if let Some(path) = binding {
            return self.resolve(module, &[path.as_slice(), &rest[1..]].concat(), depth + 1);
        }
        match self.through_glob(module, name, depth) {
            Some(target) => self.descend(&target, rest, depth + 1),
            None => Some((module.to_vec(), rest.to_vec())),
        }
    }
}

impl Module {
    /// Names that are a host.
    fn notice(&mut self, tokens: &[TokenTree], at: usize) {
        let Some(word) = word_at(tokens, at) else { return };
        if is(tokens, at + 1, ':') && !is(tokens, at + 2, ':') {
            let typed = tokens[at + 2..].iter().take_while(|token| match token {
                TokenTree::Punct(punct) => matches!(punct.as_char(), '&' | '\''),
                TokenTree::Ident(_) => true,
                _ => false,
            });
            if typed.clone().any(|token| token.to_string() == "HostRead") {
                self.hosts.insert(word.clone());
            }
        }
        if word == "let" && is(tokens, at + 2, '=') {
            let end = (at..tokens.len()).find(|&end| is(tokens, end, ';')).unwrap_or(at);
            if end > at && word_at(tokens, end - 1).is_some_and(|last| last == "host") {
                self.hosts.extend(word_at(tokens, at + 1));
            }
        }
    }
}

fn is_itself(path: &[String], name: &str) -> bool {
    path.len() == 1 && path[0] == name
}

fn module_of<'a>(all: &'a mut Crate, module: &[String]) -> &'a mut Module {
    all.modules.get_mut(module).expect("a module is put in before its tokens are looked at")
}

/// One `use` tree: what it binds, and each of its paths.
fn tree(tokens: &[TokenTree], before: &[String], module: &mut Module, line: usize) {
    let (mut segments, mut name) = (before.to_vec(), None);
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(ident) if ident == "as" => {
                name = word_at(tokens, at + 1);
                at += 1;
            }
            // `a::{self}` is `a`.
            TokenTree::Ident(ident) if ident == "self" && !segments.is_empty() => {}
            TokenTree::Ident(ident) => segments.push(plain(ident)),
            TokenTree::Punct(punct) if punct.as_char() == '*' => {
                module.globs.push(segments);
                return;
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for part in inner.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')) {
                    if !part.is_empty() {
                        tree(part, &segments, module, line);
                    }
                }
                return;
            }
            _ => {}
        }
        at += 1;
    }
    let name = name.or_else(|| segments.last().cloned());
    module.bindings.extend(name.filter(|name| name != "_").map(|name| (name, segments.clone())));
    module.paths.push((segments, line));
}

/// The path that begins at `at`, and where it ends.
fn path(tokens: &[TokenTree], at: usize) -> (Segments, usize) {
    let mut segments: Segments = word_at(tokens, at).into_iter().collect();
    let mut end = at + 1;
    while is(tokens, end, ':')
        && is(tokens, end + 1, ':')
        && let Some(word) = word_at(tokens, end + 2)
    {
        segments.push(word);
        end += 3;
    }
    (segments, end)
}

/// Paths in the strings of an attribute, as serde has them.
fn strings(attribute: &TokenStream, paths: &mut Vec<(Segments, usize)>) {
    let tokens: Vec<TokenTree> = attribute.clone().into_iter().collect();
    if word_at(&tokens, 0).is_some_and(|word| word == "doc") {
        return;
    }
    for token in tokens {
        match token {
            TokenTree::Group(group) => strings(&group.stream(), paths),
            TokenTree::Literal(literal) => {
                let line = literal.span().start().line;
                let words: Vec<String> = literal.to_string().trim_matches('"').split("::").map(str::to_owned).collect();
                if words.len() > 1 && words.iter().all(|word| word.chars().all(|c| c.is_alphanumeric() || c == '_')) {
                    paths.push((words, line));
                }
            }
            _ => {}
        }
    }
}

/// Where the item that begins at `at` (behind an attribute of its) has ended.
fn behind_item(tokens: &[TokenTree], mut at: usize) -> usize {
    let mut is_use = false;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(ident) if ident == "use" => is_use = true,
            TokenTree::Punct(punct) if punct.as_char() == ';' => return at + 1,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !is_use => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

fn group(token: &TokenTree) -> Option<TokenStream> {
    match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    }
}

fn is(tokens: &[TokenTree], at: usize, c: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

fn word_at(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => Some(plain(ident)),
        _ => None,
    }
}

fn plain(ident: &proc_macro2::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}
