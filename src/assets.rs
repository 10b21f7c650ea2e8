//! The TOML files of `assets/`, which `scripts/build.rs` has parsed: values that stand in the program as constants.
//!
//! The types that give them a meaning are those that read a file of a user's, by the same `Deserialize`.

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, Error, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A value of TOML. Floats and dates have no use in `assets/`.
#[derive(Debug)]
pub(crate) enum Node {
    Bool(bool),
    Integer(i64),
    Text(&'static str),
    List(&'static [Node]),
    Table(&'static [(&'static str, Node)]),
}

/// What a file says.
pub(crate) fn read<T: Deserialize<'static>>(file: &'static Node) -> T {
    #[allow(clippy::expect_used)] // the tests of the modules that call this read every file
    T::deserialize(file).expect("the files of assets/ are parts of the program, and tests read them")
}

/// What a file says that consists of one list or table, by its only key.
pub(crate) fn only<T: Deserialize<'static>>(file: &'static Node) -> T {
    match file {
        Node::Table([(_, part)]) => read(part),
        other => read(other),
    }
}

impl IntoDeserializer<'static, Error> for &'static Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Deserializer<'static> for &'static Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Integer(value) => visitor.visit_i64(*value),
            Node::Text(text) => visitor.visit_borrowed_str(text),
            Node::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            Node::Table(entries) => {
                let entries = entries.iter().map(|(key, value)| (BorrowedStrDeserializer::new(key), value));
                visitor.visit_map(MapDeserializer::new(entries))
            }
        }
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(self, _: &str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'static>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Node::Text(text) => BorrowedStrDeserializer::new(text).deserialize_enum(name, variants, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    /// [`toml::Spanned`] is a struct whose fields are start, end and value; nothing here stands in a text.
    fn deserialize_struct<V: Visitor<'static>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        static NOWHERE: Node = Node::Integer(0);
        match fields {
            [start, end, value] if name.contains("Spanned") => {
                let entries = [(*start, &NOWHERE), (*end, &NOWHERE), (*value, self)];
                let entries = entries.into_iter().map(|(key, value)| (BorrowedStrDeserializer::new(key), value));
                visitor.visit_map(MapDeserializer::new(entries))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'static>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}
