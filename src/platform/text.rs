//! Text from files that anybody may have written, made fit for messages.

/// `text` without what could steer a terminal or mislead a reader, trimmed, and at most `max` characters long.
///
/// Control characters (with them every terminal escape), characters that reorder or hide text, and line separators become
/// `?`; what is cut off becomes `…`.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut cleaned = String::new();
    for (count, character) in text.trim().chars().enumerate() {
        if count == max {
            cleaned.push('…');
            break;
        }
        cleaned.push(if misleads(character) { '?' } else { character });
    }
    cleaned
}

fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn escapes_and_overrides_are_taken_out_and_length_is_kept_in_bounds() {
        assert_eq!(clean(" \u{1b}[31mred\0\u{202e}x\u{9b}7\r\n", 50), "?[31mred??x?7");
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean("Größe 18.04", 50), "Größe 18.04");
    }
}
