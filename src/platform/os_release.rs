//! The grammar of `os-release(5)`, which `lsb-release` shares: assignments that a shell could read, read without a shell.

/// The assignments of a file in their order. What is not one is skipped; nothing is expanded or run.
///
/// Differences from a shell, all in favour of a value: a quote that is not closed ends with its line, and blanks outside
/// quotes belong to the value (`NAME=Some Linux`) unless a comment begins behind them.
pub(super) fn assignments(text: &str) -> impl Iterator<Item = (&str, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split(['\n', '\r']).filter_map(|line| {
        let (key, value) = line.trim().split_once('=')?;
        is_name(key).then(|| (key, unquote(value)))
    })
}

fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !key.as_bytes()[0].is_ascii_digit()
}

fn unquote(text: &str) -> String {
    let mut value = String::new();
    let mut quote = None;
    let mut after_blank = false;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '#') if after_blank => break,
            (None, '\\') => value.extend(rest.next()),
            (Some('"'), '\\') => match rest.next() {
                Some(escaped @ ('"' | '\\' | '$' | '`')) => value.push(escaped),
                other => {
                    value.push('\\');
                    value.extend(other);
                }
            },
            _ => value.push(character),
        }
        after_blank = quote.is_none() && character.is_whitespace();
    }
    value.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{assignments, unquote};

    #[test]
    fn quotes_and_escapes() {
        for (text, value) in [
            ("ubuntu", "ubuntu"),
            ("\"7 (Core)\"", "7 (Core)"),
            ("'Pop!_OS'", "Pop!_OS"),
            (r#""a \"b\" \\ \$HOME \` \n""#, r#"a "b" \ $HOME ` \n"#),
            (r"'a \n'", r"a \n"),
            (r"a\ b\", "a b"),
            ("Red\" Hat\"' 9'", "Red Hat 9"),
            ("\"open", "open"),
            ("\"$(reboot) `id`\"", "$(reboot) `id`"),
            ("Some Linux", "Some Linux"),
            ("7 # seven", "7"),
            ("7#seven", "7#seven"),
            ("\"7 # seven\"", "7 # seven"),
            ("", ""),
            ("\"\"", ""),
        ] {
            assert_eq!(unquote(text), value, "{text}");
        }
    }

    #[test]
    fn lines() {
        let text = "\u{feff}ID=a\r\n#ID=b\n\n  NAME='N'  \nexport X=1\n9=x\n=y\nno assignment\nID=\"c\"";
        let found: Vec<_> = assignments(text).collect();
        let expected = [("ID", "a"), ("NAME", "N"), ("ID", "c")].map(|(key, value)| (key, value.to_owned()));
        assert_eq!(found, expected);
    }
}
