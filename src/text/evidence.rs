//! Facts of a finding for programs.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::{Foreign, Fragment, Own, Text, fragments};

/// A JSON value whose strings are foreign unless they are [`own`](super::own) or marked: see [`Text`].
pub struct Evidence(Value);

impl Evidence {
    /// The value, with marks in its strings.
    pub fn into_value(self) -> Value {
        self.0
    }
}

/// Marks every string that has no marks yet.
fn marked(value: Value) -> Value {
    match value {
        Value::String(text) if fragments(&text).all(|part| matches!(part, Fragment::Own(_))) => {
            Foreign::new(text).into()
        }
        Value::Array(values) => values.into_iter().map(marked).collect(),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(key, value)| (key, marked(value))).collect()),
        other => other,
    }
}

impl From<Value> for Evidence {
    fn from(value: Value) -> Self {
        Self(marked(value))
    }
}

impl<T: Display> From<Own<T>> for Evidence {
    fn from(words: Own<T>) -> Self {
        Self(Value::from(words.to_string()))
    }
}

impl From<Option<Text>> for Evidence {
    fn from(text: Option<Text>) -> Self {
        Self(text.map(|text| text.marked().to_owned()).into())
    }
}

impl From<Vec<Text>> for Evidence {
    fn from(texts: Vec<Text>) -> Self {
        Self(texts.iter().map(Text::marked).collect())
    }
}

impl From<Text> for Evidence {
    fn from(text: Text) -> Self {
        Self(Value::from(text.marked()))
    }
}

macro_rules! evidence_as_value {
    ($($type:ty),* $(,)?) => { $(
        impl From<$type> for Evidence {
            fn from(value: $type) -> Self {
                Value::from(value).into()
            }
        }
    )* };
}

evidence_as_value!(
    &str, String, Foreign, Map<String, Value>, bool, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f64,
    Option<&str>, Option<String>, Option<u64>, Option<u32>, Option<u16>, Option<bool>, Option<i64>,
);

impl<T: Into<Value>> From<Vec<T>> for Evidence {
    fn from(values: Vec<T>) -> Self {
        Value::from(values).into()
    }
}
