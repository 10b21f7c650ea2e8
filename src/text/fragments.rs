//! Texts for people, whose parts remember where they come from.
//!
//! A [`Text`] is a list of fragments: own words, foreign values, and the place of a secret. Own words (ids, keys, flags,
//! names, paths, commands) are never masked. Foreign values (bytes of files, answers of servers, output of programs) are
//! marked where they come in, by [`Foreign`]. A secret never gets into a text: only its place does, by [`SECRET`]. `report`
//! alone turns a text into characters.
//!
//! [`text!`](crate::text!) works as `format!`, and decides by the type of each argument: a `str` or `String` is foreign
//! unless [`own`] says otherwise.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Noncharacters that stand around a foreign value while a text is put together. A foreign value cannot hold them.
const BEGIN: char = '\u{fdd0}';
const END: char = '\u{fdd1}';
/// Stands for a secret.
const HIDDEN: char = '\u{fdd2}';
/// Ends a command line of ours that takes `--root`.
pub(super) const ROOT: char = '\u{fdd3}';
/// Stand around a command line that needs root.
pub(super) const ROOTS: char = '\u{fdd4}';
pub(super) const ROOTS_END: char = '\u{fdd5}';
/// Stands before a path of the host in a command line.
pub(super) const BELOW: char = '\u{fdd6}';
/// Stand around what is typed as it is: a command line, a flag, a statement of SQL.
pub(super) const TYPED: char = '\u{fdd7}';
pub(super) const TYPED_END: char = '\u{fdd8}';
/// All marks, none of which a foreign value can hold.
const MARKS: [char; 9] = [BEGIN, END, HIDDEN, ROOT, ROOTS, ROOTS_END, BELOW, TYPED, TYPED_END];

/// A part of a [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment<'a> {
    /// Words of ics-setup itself, and values that it has parsed.
    Own(&'a str),
    /// Characters from outside, as they came in.
    Foreign(&'a str),
    /// Here stands a secret, which is not part of the text.
    Secret,
}

/// A text for people. It has no `Display`: `report` renders it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Own words as they are, foreign values between [`BEGIN`] and [`END`], secrets as [`HIDDEN`].
    marked: Box<str>,
    #[cfg(test)]
    plain: Box<str>,
}

impl Text {
    /// Reads marks that were put in by [`Shown`].
    pub fn of_marked(marked: impl Into<String>) -> Self {
        let marked = marked.into();
        #[cfg(test)]
        let plain = unmarked(&marked).replace(HIDDEN, "***").into();
        Self {
            marked: marked.into(),
            #[cfg(test)]
            plain,
        }
    }

    /// The parts, in order. Neighbours may be of one kind.
    pub fn fragments(&self) -> impl Iterator<Item = Fragment<'_>> {
        fragments(&self.marked)
    }

    /// The parts, each with whether it is typed as it stands.
    pub fn parts(&self) -> impl Iterator<Item = (bool, Fragment<'_>)> {
        parts(&self.marked)
    }

    /// Has it no part?
    pub fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    /// The characters with their marks, as facts keep them.
    pub fn marked(&self) -> &str {
        &self.marked
    }

    /// Does it name a command of ours ([`ics_setup`])?
    pub fn names_ics_setup(&self) -> bool {
        self.marked.contains(ROOT)
    }

    /// Adds another text at the end.
    pub fn push(&mut self, other: impl Into<Self>) {
        *self = Self::of_marked(format!("{}{}", self.marked, other.into().marked));
    }

    /// Several texts with one between each two.
    pub fn join(texts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        let texts: Vec<Box<str>> = texts.into_iter().map(|text| text.marked).collect();
        Self::of_marked(texts.join(between))
    }
}

/// The parts of a marked string; also of one that stands in JSON.
pub(crate) fn fragments(marked: &str) -> impl Iterator<Item = Fragment<'_>> {
    parts(marked).map(|(_, fragment)| fragment)
}

fn parts(marked: &str) -> impl Iterator<Item = (bool, Fragment<'_>)> {
    let (mut rest, mut foreign, mut typed) = (marked, false, 0_usize);
    std::iter::from_fn(move || {
        loop {
            let at = rest.find(MARKS).unwrap_or(rest.len());
            if at > 0 {
                let (part, after) = rest.split_at(at);
                rest = after;
                return Some((typed > 0, if foreign { Fragment::Foreign(part) } else { Fragment::Own(part) }));
            }
            let mark = rest.chars().next()?;
            rest = &rest[mark.len_utf8()..];
            match mark {
                HIDDEN => return Some((typed > 0, Fragment::Secret)),
                BEGIN | END => foreign = mark == BEGIN,
                TYPED => typed += 1,
                TYPED_END => typed = typed.saturating_sub(1),
                _ => {}
            }
        }
    })
}

/// The characters without marks.
fn unmarked(text: &str) -> Cow<'_, str> {
    let without = MARKS.map(|mark| if mark == HIDDEN { BEGIN } else { mark });
    if text.contains(without) { Cow::Owned(text.replace(without, "")) } else { Cow::Borrowed(text) }
}

impl From<&'static str> for Text {
    fn from(words: &'static str) -> Self {
        Self::of_marked(words)
    }
}

/// A finished string could hold anything, so it counts as foreign unless it has marks of its own.
impl From<String> for Text {
    fn from(text: String) -> Self {
        if text.contains([BEGIN, HIDDEN, ROOT, TYPED]) {
            Self::of_marked(text)
        } else {
            Self::of_marked(Foreign(text).to_string())
        }
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.marked)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::of_marked)
    }
}

impl From<Foreign> for Text {
    fn from(value: Foreign) -> Self {
        Self::of_marked(value.to_string())
    }
}

impl From<&Foreign> for Text {
    fn from(value: &Foreign) -> Self {
        value.clone().into()
    }
}

impl From<&Self> for Text {
    fn from(text: &Self) -> Self {
        text.clone()
    }
}

#[cfg(test)]
impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.plain
    }
}

/// Characters from outside. `Display` marks them, so that a text that is made of them by `format!` knows its parts; JSON of
/// facts holds the marks too, until `report` writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foreign(String);

impl Foreign {
    /// Takes characters as they came in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Has it no characters?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The characters, for parsing and comparing. What is printed goes through [`Text`].
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BEGIN}{}{END}", self.0.replace(MARKS, "\u{fffd}"))
    }
}

impl PartialEq<str> for Foreign {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Foreign {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<Foreign> for serde_json::Value {
    fn from(value: Foreign) -> Self {
        Self::String(value.to_string())
    }
}

impl Serialize for Foreign {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Foreign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(unmarked(&text).into_owned()))
    }
}

/// Words of ics-setup itself, as an argument of [`text!`](crate::text!).
#[derive(Clone, Copy)]
pub struct Own<T>(T);

/// Marks the argument of [`text!`](crate::text!) as own words: a name, an id, a key, a command, or a value that was parsed
/// and written again by a type of ours.
pub(crate) fn own<T: fmt::Display>(words: T) -> Own<T> {
    Own(words)
}

impl<T: fmt::Display> fmt::Display for Own<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of a secret, as an argument of [`text!`](crate::text!).
#[derive(Clone, Copy)]
pub(crate) struct Hidden;

/// See [`Hidden`].
pub(crate) const SECRET: Hidden = Hidden;

/// What can stand in a [`text!`](crate::text!), and which kind of fragment it is.
pub(crate) trait Shown {
    /// Writes itself with its marks.
    ///
    /// # Errors
    /// Those of the formatter.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Lets `format!` write a [`Shown`].
pub(crate) struct Marked<'a, T: Shown + ?Sized>(pub &'a T);

impl<T: Shown + ?Sized> fmt::Display for Marked<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

/// In quotes. What cannot be printed is replaced by `report`.
impl<T: Shown + ?Sized> fmt::Debug for Marked<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        self.0.show(f)?;
        f.write_str("\"")
    }
}

impl<T: Shown + ?Sized> Shown for &T {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).show(f)
    }
}

impl Shown for str {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Marked already where it was put together from foreign values.
        if self.contains(BEGIN) { f.write_str(self) } else { fmt::Display::fmt(&Foreign(self.to_owned()), f) }
    }
}

impl Shown for String {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().show(f)
    }
}

impl Shown for Cow<'_, str> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).show(f)
    }
}

impl Shown for Text {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.marked)
    }
}

impl Shown for Hidden {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HIDDEN}")
    }
}

impl Shown for Path {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.display(), f)
    }
}

impl Shown for PathBuf {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.display(), f)
    }
}

impl<T: fmt::Display> Shown for Own<T> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Types whose `Display` is own words, or marks by itself what is not.
macro_rules! shown_by_display {
    ($($type:ty),* $(,)?) => { $(
        impl $crate::text::Shown for $type {
            fn show(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )* };
}
pub(crate) use shown_by_display;

shown_by_display! {
    Foreign, bool, char, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, isize, f32, f64,
    std::net::IpAddr, std::net::Ipv4Addr, std::net::Ipv6Addr, std::net::SocketAddr,
    std::io::Error, std::num::ParseIntError, std::path::Display<'_>, std::process::ExitStatus,
}

/// A [`Text`] made as by `format!`; see [`Shown`] for what an argument becomes. Arguments stand behind the literal, not in it.
#[macro_export]
macro_rules! text {
    ($format:literal $(, $argument:expr)* $(,)?) => {{
        const _: () = assert!($crate::text::has_no_captures($format), "write the argument behind the literal");
        $crate::text::Text::of_marked(format!($format $(, $crate::text::Marked(&$argument))*))
    }};
}

/// Does a format string name no variable? Those would get into a text unmarked.
pub(crate) const fn has_no_captures(format: &str) -> bool {
    let bytes = format.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'{' && at + 1 < bytes.len() {
            let next = bytes[at + 1];
            if next == b'{' {
                at += 1;
            } else if next.is_ascii_alphabetic() || next == b'_' {
                return false;
            }
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_what_its_type_says() {
        let text = text!("{} says {}: {} of {}", own("docker"), Foreign::new("no"), "x", 3);
        let parts: Vec<Fragment<'_>> = text.fragments().collect();
        assert_eq!(
            parts,
            [
                Fragment::Own("docker says "),
                Fragment::Foreign("no"),
                Fragment::Own(": "),
                Fragment::Foreign("x"),
                Fragment::Own(" of 3"),
            ]
        );
        assert_eq!(text!("http://u:{}@h", SECRET).fragments().nth(1), Some(Fragment::Secret));
        assert_eq!(text, "docker says no: x of 3");
    }

    #[test]
    fn a_text_within_a_text_keeps_its_parts_and_marks_cannot_be_forged() {
        let inner = text!("<{}>", "a\u{fdd1}own\u{fdd2}");
        let outer = text!("{}!", inner);
        assert_eq!(
            outer.fragments().collect::<Vec<_>>(),
            [Fragment::Own("<"), Fragment::Foreign("a\u{fffd}own\u{fffd}"), Fragment::Own(">!")]
        );
    }

    #[test]
    fn facts_keep_their_characters_and_json_their_marks() {
        let json = serde_json::to_value(Foreign::new("x")).unwrap();
        assert_eq!(fragments(json.as_str().unwrap()).collect::<Vec<_>>(), [Fragment::Foreign("x")]);
        assert_eq!(serde_json::from_value::<Foreign>(json).unwrap(), "x");
        assert_eq!(serde_json::from_str::<Foreign>("\"x\"").unwrap(), "x");
    }

    #[test]
    fn names_within_a_format_string_are_found() {
        for (format, none) in [("{} {0} {{name}} {:>5}", true), ("{name}", false), ("a {_x:?}", false), ("{", true)] {
            assert_eq!(has_no_captures(format), none, "{format}");
        }
    }
}
