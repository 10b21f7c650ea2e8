//! For tests alone: texts and fixes compare and print as plain characters.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use super::{Fix, Text};

impl Text {
    /// The characters.
    pub fn as_str(&self) -> &str {
        self
    }
}

impl Deref for Fix {
    type Target = str;

    fn deref(&self) -> &str {
        self.text()
    }
}

macro_rules! as_characters {
    ($($type:ty),*) => { $(
        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                self
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                **self == *other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                **self == **other
            }
        }

        impl PartialEq<String> for $type {
            fn eq(&self, other: &String) -> bool {
                **self == **other
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self)
            }
        }
    )* };
}

as_characters!(Text, Fix);
