//! Names and texts in statements, written so that they mean the same whatever `sql_mode` a session has.

use std::collections::BTreeMap;

/// The variable that says how a session reads texts.
pub(crate) const MODE: &str = "sql_mode";

/// Is `\` an escape in the texts of a session with these variables? It is unless `NO_BACKSLASH_ESCAPES` is set.
pub(crate) fn has_escapes(variables: &BTreeMap<String, String>) -> bool {
    let mode = variables.get(MODE).map(String::as_str).unwrap_or_default();
    !mode.split(',').any(|word| word.trim().eq_ignore_ascii_case("NO_BACKSLASH_ESCAPES"))
}

/// A name: backticks are understood in every mode, quotes (`ANSI_QUOTES`) are not.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A database as `GRANT` takes it, which reads `%`, `_` and `\` of the name as a pattern in every mode.
pub(crate) fn pattern(database: &str) -> String {
    let mut pattern = String::new();
    for c in database.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    identifier(&pattern)
}

/// A text; see [`has_escapes`]. A quote is doubled, which every mode understands.
pub(crate) fn literal(text: &str, escapes: bool) -> String {
    // What is doubled is ASCII.
    String::from_utf8_lossy(&literal_bytes(text.as_bytes(), escapes)).into_owned()
}

/// The same of bytes, which a server takes as they are. Neither `'` nor `\` is ever a part of another character of UTF-8.
pub(crate) fn literal_bytes(bytes: &[u8], escapes: bool) -> Vec<u8> {
    let twice = |byte: &u8| *byte == b'\'' || (escapes && *byte == b'\\');
    let inner = bytes.iter().flat_map(|byte| std::iter::repeat_n(*byte, if twice(byte) { 2 } else { 1 }));
    std::iter::once(b'\'').chain(inner).chain([b'\'']).collect()
}

/// `'divvy'@'%'`.
pub(crate) fn account(user: &str, host: &str, escapes: bool) -> String {
    format!("{}@{}", literal(user, escapes), literal(host, escapes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_texts_stay_what_they_are() {
        assert_eq!(identifier("di`vvy"), "`di``vvy`");
        assert_eq!(pattern("my_db%\\"), r"`my\_db\%\\`");
        assert_eq!(literal("div'vy\\", true), r"'div''vy\\'");
        assert_eq!(literal("div'vy\\", false), r"'div''vy\'");
        assert_eq!(account("o'hara", "10.%", true), "'o''hara'@'10.%'");
        let with = |mode: &str| has_escapes(&BTreeMap::from([(MODE.to_owned(), mode.to_owned())]));
        assert!(with("") && with("ANSI_QUOTES,STRICT_TRANS_TABLES") && has_escapes(&BTreeMap::new()));
        assert!(!with("ANSI_QUOTES, no_backslash_escapes"));
    }

    /// The text that a server reads, and what follows it.
    fn read(sql: &str, escapes: bool) -> (String, &str) {
        let mut text = String::new();
        let mut chars = sql.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' if chars.next_if(|(_, next)| *next == '\'').is_none() => return (text, &sql[at + 1..]),
                '\\' if escapes => text.extend(chars.next().map(|(_, c)| c)),
                c => text.push(c),
            }
        }
        panic!("{sql}: no end");
    }

    proptest! {
        #[test]
        fn a_text_ends_where_it_should_and_says_what_it_did(text in "[a'`\"\\\\%_é;-]{0,12}", escapes: bool) {
            let sql = format!("{} rest", literal(&text, escapes));
            prop_assert_eq!(read(&sql, escapes), (text, " rest"));
        }
    }
}
