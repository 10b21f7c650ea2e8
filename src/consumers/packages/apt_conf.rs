//! apt's configuration: the tree of options that apt has after it has read its files, each with the line that set it.
//!
//! Source: apt-pkg/contrib/configuration.cc (`ReadConfigFile`, `Lookup`, `Set`, `Clear`, `FindFile`), strutl.cc
//! (`ParseQuoteWord`, `ParseCWord`), fileutl.cc (`ReadLine`, `GetListOfFilesInDir`), apt-pkg/init.cc (`pkgInitConfig`) of
//! apt 1.6 to 3.1, and apt.conf(5). Held against apt 2.6 by `tests/lab/packages.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::look;
use super::super::sight::{Place, Stop};
use super::Planned;
use crate::host::{FileKind, HostRead};
use crate::text;
use crate::text::own;

/// apt stops at includes that are nested deeper.
const DEEPEST: usize = 10;

/// No more files are read: includes can name each other in any number.
const MOST_FILES: usize = 1000;

/// What `ReadLine` reads at once.
const PIECE: usize = 4095;

/// Files that apt unpacks, by their ending.
const PACKED: [&str; 7] = ["gz", "bz2", "xz", "lzma", "lz4", "zst", "uncompressed"];

/// An option's name in lower case, taken apart at `::`.
type Name = Vec<Vec<u8>>;

/// An option that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Its value; an empty one is none to apt.
    pub(super) value: Vec<u8>,
    /// The line that has set it last.
    pub(super) at: Place,
}

/// The options. Members of lists (`Name::`) have no name and are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AptConf {
    items: BTreeMap<Name, Item>,
    /// The lines that have taken options away.
    taken: BTreeMap<Name, Place>,
}

impl AptConf {
    /// What apt reads when it starts: `APT_CONFIG`, the folder of parts, the main file.
    ///
    /// # Errors
    /// The first line that apt refuses (it ends there, whatever it was asked for), or that leads to what cannot be told.
    pub(super) fn load(host: &dyn HostRead, apt_config: Option<&Path>, planned: Planned<'_>) -> Result<Self, Stop> {
        let mut reader = Reader { host, planned, conf: Self::of_apt(), files: 0 };
        if let Some(path) = apt_config
            && reader.kind(path)? == Some(FileKind::File)
        {
            reader.file(path, &Place::new(path, 0), 0)?;
        }
        let parts = reader.conf.path("parts")?;
        if reader.kind(&parts)? == Some(FileKind::Dir) {
            reader.folder(&parts, 0)?;
        }
        let main = reader.conf.path("main")?;
        if reader.kind(&main)? == Some(FileKind::File) {
            reader.file(&main, &Place::new(&main, 0), 0)?;
        }
        Ok(reader.conf)
    }

    /// The options as `apt-config dump` prints them, each with its line of that output. Of a value with a line end only what
    /// stands before it is printed in a way that can be read back.
    pub(super) fn of_dump(output: &[u8], source: &Path) -> Self {
        let mut conf = Self::default();
        for (index, line) in output.split(|byte| *byte == b'\n').enumerate() {
            let Some(at) = memchr::memmem::find(line, b" \"") else { continue };
            let value = &line[at + 2..];
            let name: Vec<u8> = percent_encoding::percent_decode(&line[..at]).collect();
            let value = value.strip_suffix(b"\";").unwrap_or(value).to_vec();
            conf.set(&name, Item { value, at: Place::new(source, index + 1) });
        }
        // Every node of the tree is printed, and those without a value as if it had been empty.
        conf.taken.clear();
        conf
    }

    /// The option of this name (in lower case), where it has a value.
    pub(super) fn find(&self, name: &[&str]) -> Option<&Item> {
        let name: Name = name.iter().map(|part| part.as_bytes().to_vec()).collect();
        self.items.get(&name).filter(|item| !item.value.is_empty())
    }

    /// The line that has taken an option's value away: `#clear`, or an empty value.
    pub(super) fn taken(&self, name: &[&str]) -> Option<&Place> {
        let name: Name = name.iter().map(|part| part.as_bytes().to_vec()).collect();
        self.taken.get(&name)
    }

    /// All options that have a value, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&[Vec<u8>], &Item)> {
        self.items.iter().map(|(name, item)| (name.as_slice(), item)).filter(|(_, item)| !item.value.is_empty())
    }

    fn set(&mut self, name: &[u8], item: Item) {
        let Some(name) = split(name) else { return };
        self.taken.remove(&name);
        if item.value.is_empty() {
            self.taken.insert(name.clone(), item.at.clone());
        }
        self.items.insert(name, item);
    }

    fn clear(&mut self, name: &[u8], at: &Place) {
        let Some(name) = split(name) else { return };
        let own = self.items.range(name.clone()..).map(|(own, _)| own).take_while(|own| own.starts_with(&name));
        for own in own.cloned().collect::<Vec<_>>() {
            if self.items.remove(&own).is_some_and(|item| !item.value.is_empty()) {
                self.taken.insert(own, at.clone());
            }
        }
    }

    /// What apt has before it reads a file, as far as it leads to files.
    fn of_apt() -> Self {
        let mut conf = Self::default();
        for (name, value) in
            [("dir", "/"), ("dir::etc", "etc/apt"), ("dir::etc::parts", "apt.conf.d"), ("dir::etc::main", "apt.conf")]
        {
            conf.set(name.as_bytes(), Item { value: value.into(), at: Place::new(Path::new("/etc/apt"), 0) });
        }
        conf
    }

    /// `FindFile` of a member of `Dir::Etc`: a relative value stands below that of its parent.
    fn path(&self, last: &str) -> Result<PathBuf, Stop> {
        let name = ["dir", "etc", last];
        let Some(item) = self.find(&name) else { return Ok(PathBuf::from("/dev/null")) };
        let (mut value, mut at) = (item.value.clone(), &item.at);
        for parent in [&name[..2], &name[..1]] {
            let Some(item) = self.find(parent) else { continue };
            if [&b"/"[..], b"~/", b"./", b"../"].iter().any(|start| value.starts_with(start)) {
                break;
            }
            let slash: &[u8] = if item.value.ends_with(b"/") { b"" } else { b"/" };
            value = [&item.value, slash, &value].concat();
            at = &item.at;
        }
        if let Some(root) = self.find(&["rootdir"]) {
            value = [&root.value, b"/".as_slice(), &value].concat();
            at = &root.at;
        }
        match std::str::from_utf8(&value) {
            Ok(path) if path.starts_with("/dev/null") => Ok(PathBuf::from("/dev/null")),
            Ok(path) if path.starts_with('/') => Ok(Path::new(path).components().collect()),
            _ => Err(Stop::new(at, "where its other files are depends on the folder that apt is started in")),
        }
    }
}

/// `Lookup`: parts between `::`. What stands behind one begins with at least one character, be it a colon. `None`: a name
/// that nothing is found by again, such as that of a list's member.
fn split(name: &[u8]) -> Option<Name> {
    let name = &name[..memchr::memchr(0, name).unwrap_or(name.len())];
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while at + 2 <= name.len() {
        if name[at..].starts_with(b"::") {
            parts.push(name[start..at].to_ascii_lowercase());
            at += 2;
            start = at;
        }
        at += 1;
    }
    parts.push(name[start..].to_ascii_lowercase());
    (!parts.iter().any(Vec::is_empty)).then_some(parts)
}

struct Reader<'a> {
    host: &'a dyn HostRead,
    planned: Planned<'a>,
    conf: AptConf,
    files: usize,
}

impl Reader<'_> {
    fn kind(&self, path: &Path) -> Result<Option<FileKind>, Stop> {
        match self.planned {
            Some((own, _)) if own == path => Ok(Some(FileKind::File)),
            Some((own, _)) if own.parent() == Some(path) => Ok(Some(FileKind::Dir)),
            _ => look::kind(self.host, path),
        }
    }

    /// `ReadConfigDir`: by name. What is no file, or has another name, is passed over.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), Stop> {
        let mut paths = look::list(self.host, folder)?;
        paths.extend(self.planned.map(|(path, _)| path.to_path_buf()).filter(|path| path.parent() == Some(folder)));
        paths.retain(|path| path.file_name().is_some_and(|name| is_read(name.as_encoded_bytes())));
        paths.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        paths.dedup();
        for path in paths {
            if self.kind(&path)? == Some(FileKind::File) {
                self.file(&path, &Place::new(&path, 0), depth)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, from: &Place, depth: usize) -> Result<(), Stop> {
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(Stop::file(path, "there are too many files and includes"));
        }
        if path.extension().is_some_and(|end| PACKED.iter().any(|own| end == *own)) {
            return Err(Stop::file(path, "a compressed file is not looked into"));
        }
        let bytes = match self.planned.filter(|(own, _)| *own == path) {
            Some((_, bytes)) => bytes.to_vec(),
            None => match look::read(self.host, path)? {
                Some(bytes) => bytes,
                None => {
                    let why = text!("apt ends: there is no {}", path.display());
                    return Err(Stop { at: from.clone(), why });
                }
            },
        };
        Parser { path, depth, buffer: Vec::new(), parent: Vec::new(), scopes: Vec::new() }.parse(&bytes, self)
    }

    fn include(&mut self, path: &[u8], from: Place, depth: usize) -> Result<(), Stop> {
        let stop = |why: &'static str| Stop::new(&from, why);
        if depth > DEEPEST {
            return Err(stop("apt ends: the includes are nested too deeply"));
        }
        let Some(text) = std::str::from_utf8(path).ok().filter(|path| path.starts_with('/')) else {
            return Err(stop("what it includes depends on the folder that apt is started in"));
        };
        let path = Path::new(text);
        if !text.ends_with('/') || text.len() < 3 {
            return self.file(path, &from, depth + 1);
        }
        match self.kind(path)? {
            Some(FileKind::Dir) => self.folder(path, depth + 1),
            _ => Err(Stop { why: text!("apt ends: there is no folder {}", path.display()), at: from }),
        }
    }
}

/// Does apt read a file of this name in `apt.conf.d`? No extension or `.conf`; letters, digits, `_-:.`. Source:
/// `GetListOfFilesInDir`.
fn is_read(name: &[u8]) -> bool {
    let extension = memchr::memrchr(b'.', name).map(|at| &name[at + 1..]);
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-:.".contains(byte);
    !name.starts_with(b".") && extension.is_none_or(|end| end == b"conf") && name.iter().all(fits)
}

/// `ReadConfigFile`.
struct Parser<'a> {
    path: &'a Path,
    depth: usize,
    /// What stands before the next brace or semicolon.
    buffer: Vec<u8>,
    parent: Vec<u8>,
    scopes: Vec<Vec<u8>>,
}

impl Parser<'_> {
    fn parse(mut self, bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), Stop> {
        let (mut rest, mut line, mut in_comment) = (bytes, 1, false);
        while !rest.is_empty() {
            let before = rest;
            let input = read_line(&mut rest);
            let fragment = without_comments(&input, &mut in_comment);
            self.fragment(&fragment, line, reader)?;
            line += memchr::memchr_iter(b'\n', &before[..before.len() - rest.len()]).count();
        }
        if self.buffer.is_empty() { Ok(()) } else { Err(self.refused(line, "its last statement has no end")) }
    }

    fn refused(&self, line: usize, why: &'static str) -> Stop {
        Stop::line(self.path, line, text!("apt ends: {}", own(why)))
    }

    /// A line without its comments.
    fn fragment(&mut self, fragment: &[u8], line: usize, reader: &mut Reader<'_>) -> Result<(), Stop> {
        let (mut start, mut quoted) = (0, false);
        for (at, byte) in fragment.iter().enumerate() {
            quoted ^= *byte == b'"';
            if !quoted && matches!(byte, b'{' | b';' | b'}') {
                self.append(&fragment[start..at]);
                start = at + 1;
                self.construct(*byte, line, reader)?;
            }
        }
        self.append(&fragment[start..]);
        Ok(())
    }

    fn append(&mut self, words: &[u8]) {
        let words = stripped(words);
        if !self.buffer.is_empty() && !words.is_empty() {
            self.buffer.push(b' ');
        }
        self.buffer.extend_from_slice(words);
    }

    fn leave(&mut self) {
        self.parent = self.scopes.pop().unwrap_or_default();
    }

    /// What a brace or a semicolon ends.
    fn construct(&mut self, end: u8, line: usize, reader: &mut Reader<'_>) -> Result<(), Stop> {
        if self.buffer.is_empty() {
            match end {
                b'{' => return Err(self.refused(line, "a block has no name")),
                b'}' => self.leave(),
                _ => {}
            }
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        let Some((mut tag, rest)) = quote_word(&buffer) else {
            return Err(self.refused(line, "a quote or bracket is not closed"));
        };
        let (mut word, rest) = match c_word(rest).or_else(|| quote_word(rest)) {
            Some((word, rest)) => (Some(word), rest),
            None => (None, rest),
        };
        if !rest.is_empty() {
            return Err(self.refused(line, "something stands behind a value"));
        }
        if word.is_none() && end != b'{' {
            word = Some(std::mem::take(&mut tag));
        }
        let mut item = [self.parent.as_slice(), if self.parent.is_empty() { b"" } else { b"::" }, &tag].concat();
        if end == b'{' {
            // An item is set for the block itself, where a word follows its name.
            let outer = std::mem::replace(&mut self.parent, item.clone());
            self.scopes.push(outer);
            tag.clear();
            item.clone_from(&self.parent);
        }
        let at = Place::new(self.path, line);
        match (tag.strip_prefix(b"#"), word) {
            (Some(_), _) if !self.parent.is_empty() => return Err(self.refused(line, "a directive stands in a block")),
            (Some(b"clear"), Some(word)) => reader.conf.clear(&word, &at),
            (Some(b"include"), Some(word)) => reader.include(&word, at, self.depth)?,
            (Some(b"x-apt-configure-index"), _) => {
                return Err(Stop { at, why: "a directive that is not followed".into() });
            }
            (Some(_), _) => return Err(self.refused(line, "an unknown directive")),
            (None, Some(word)) if tag.is_empty() && word == b"#clear" => {
                return Err(self.refused(line, "#clear without a name"));
            }
            (None, Some(value)) => reader.conf.set(&item, Item { value, at }),
            (None, None) => {}
        }
        if end == b'}' {
            self.leave();
        }
        Ok(())
    }
}

/// `ReadLine`, then tabs as eight blanks, and no blanks at the ends. A piece that fills the buffer is taken for unfinished
/// unless its last byte but one is a line end; a NUL byte hides what follows in its piece; a line that ends with such a piece
/// at the end of the file is lost.
fn read_line(rest: &mut &[u8]) -> Vec<u8> {
    let mut line = Vec::new();
    loop {
        let window = &rest[..rest.len().min(PIECE)];
        let end = memchr::memchr(b'\n', window).map_or(window.len(), |at| at + 1);
        let (piece, after) = rest.split_at(end);
        *rest = after;
        if piece.is_empty() {
            return Vec::new();
        }
        let text = &piece[..memchr::memchr(0, piece).unwrap_or(piece.len())];
        line.extend_from_slice(text);
        if text.len() != PIECE || text[PIECE - 2] == b'\n' {
            break;
        }
    }
    let mut expanded = Vec::with_capacity(line.len());
    for byte in line {
        match byte {
            b'\t' => expanded.extend_from_slice(b"        "),
            byte => expanded.push(byte),
        }
    }
    stripped(&expanded).to_vec()
}

/// First a comment to the end of the line, then those between `/*` and `*/`, of which the last may go on in the next line.
fn without_comments(line: &[u8], in_comment: &mut bool) -> Vec<u8> {
    let mut line = line;
    if *in_comment {
        let Some(end) = memchr::memmem::find(line, b"*/") else { return Vec::new() };
        line = &line[end + 2..];
        *in_comment = false;
    }
    let cut = |line: &[u8], starts: &dyn Fn(&[u8]) -> bool| {
        let mut quoted = false;
        line.iter().enumerate().find_map(|(at, byte)| {
            quoted ^= *byte == b'"';
            (!quoted && starts(&line[at..])).then_some(at)
        })
    };
    line = &line[..cut(line, &|rest| rest.starts_with(b"//")).unwrap_or(line.len())];
    let directives: [&[u8]; 3] = [b"clear", b"include", b"x-apt-configure-index"];
    let remark = |rest: &[u8]| {
        rest.strip_prefix(b"#").is_some_and(|rest| !directives.iter().any(|directive| rest.starts_with(directive)))
    };
    line = &line[..cut(line, &remark).unwrap_or(line.len())];
    let mut fragment = Vec::with_capacity(line.len());
    while let Some(start) = cut(line, &|rest| rest.starts_with(b"/*")) {
        fragment.extend_from_slice(&line[..start]);
        match memchr::memmem::find(&line[start + 2..], b"*/") {
            Some(end) => line = &line[start + 2 + end + 2..],
            None => {
                *in_comment = true;
                return fragment;
            }
        }
    }
    fragment.extend_from_slice(line);
    fragment
}

/// `ParseQuoteWord`: one word with its quotes taken out and `%xx` decoded, and what follows it.
fn quote_word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut at = text.iter().position(|byte| *byte != b' ')?;
    while at < text.len() && !is_space(text[at]) {
        let close = match text[at] {
            b'"' => b'"',
            b'[' => b']',
            _ => {
                at += 1;
                continue;
            }
        };
        at += 2 + memchr::memchr(close, &text[at + 1..])?;
    }
    let (written, rest) = text.split_at(at);
    let mut word = Vec::with_capacity(at);
    let mut from = written;
    while let Some((first, after)) = from.split_first() {
        match after {
            // `Start + 2 < C`
            [high, low, ..] if *first == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.extend(percent_encoding::percent_decode(&from[..3]));
                from = &from[3..];
            }
            _ => {
                if *first != b'"' {
                    word.push(*first);
                }
                from = after;
            }
        }
    }
    let blanks = rest.iter().take_while(|byte| is_space(**byte)).count();
    Some((word, &rest[blanks..]))
}

/// `ParseCWord`: texts in quotes to the very end, put together.
fn c_word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut at = text.iter().position(|byte| *byte != b' ')?;
    let first = at;
    let mut word = Vec::new();
    while at < text.len() {
        match text[at] {
            b'"' => {
                let inner = &text[at + 1..];
                let end = memchr::memchr(b'"', inner)?;
                word.extend_from_slice(&inner[..end]);
                at += end + 1;
            }
            byte if !is_space(byte) => return None,
            _ if at > first && is_space(text[at - 1]) => {}
            _ => word.push(b' '),
        }
        at += 1;
    }
    Some((word, &[]))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

fn stripped(text: &[u8]) -> &[u8] {
    let first = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    let last = text.iter().rposition(|byte| !is_space(*byte)).map_or(first, |at| at + 1);
    &text[first..last]
}
