//! Enums whose variants are words: on the command line, in files, in JSON and in messages.

/// Declares enums of words. Each has all its values in `ALL`, in the order of declaration, and their words in `NAMES`;
/// `as_str` and `parse` translate a value to its word and back, and serde uses the same words.
macro_rules! words {
    ($($(#[$about:meta])* $visible:vis enum $name:ident {
        $($(#[$meaning:meta])* $variant:ident = $word:literal),* $(,)?
    })*) => { $(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        $visible enum $name {
            $($(#[$meaning])* #[serde(rename = $word)] $variant),*
        }

        #[allow(dead_code, reason = "not every enum needs each of them")]
        impl $name {
            /// All of them.
            $visible const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];

            /// Its word.
            $visible fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }

            /// The value that has this word.
            $visible fn parse(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.as_str() == word)
            }

            /// Those of a list, each once, in their order; words that are none are left out.
            $visible fn of_list(list: &str) -> Vec<Self> {
                let words: Vec<&str> = list.split(',').map(str::trim).collect();
                Self::ALL.into_iter().filter(|value| words.contains(&value.as_str())).collect()
            }

            /// As flags take them.
            $visible fn list(values: &[Self]) -> String {
                values.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(",")
            }

            /// The words of `ALL`.
            $visible const NAMES: &'static [&'static str] = &[$($word),*];
        }
    )* };
}
pub(crate) use words;
