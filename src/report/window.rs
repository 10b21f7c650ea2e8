//! Text in a window.

use console::measure_text_width;

/// Lines longer than this are hard to read on any terminal, and shorter than that on none.
const COLUMNS: std::ops::RangeInclusive<usize> = 40..=100;

/// Columns that are left for text which begins at `indent`.
pub(super) fn room(columns: usize, indent: usize) -> usize {
    columns.clamp(*COLUMNS.start(), *COLUMNS.end()).saturating_sub(indent)
}

/// `text` broken at blanks so that lines which begin at `indent` end before `columns`. Longer words stay whole.
pub fn wrapped(text: &str, indent: usize, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns else { return text.split('\n').map(str::to_owned).collect() };
    let room = room(columns, indent);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let words = line.trim_start_matches(' ');
        let lead = line.len() - words.len();
        let mut now = " ".repeat(lead);
        let mut width = lead;
        for (at, word) in words.split(' ').enumerate() {
            let wide = measure_text_width(word);
            if at > 0 && width + 1 + wide > room {
                lines.push(std::mem::replace(&mut now, " ".repeat(lead)));
                width = lead;
            } else if at > 0 {
                now.push(' ');
                width += 1;
            }
            now.push_str(word);
            width += wide;
        }
        lines.push(now);
    }
    lines
}

/// Words that a command line begins with.
const COMMANDS: [&str; 15] = [
    "ics-setup",
    "sudo",
    "systemctl",
    "docker",
    "mysql",
    "redis-cli",
    "curl",
    "openssl",
    "ss",
    "echo",
    "GRANT",
    "CREATE",
    "RENAME",
    "ALTER",
    "SET",
];

/// The command line that a sentence ends with, and the words before it.
pub(super) fn command(sentence: &str) -> Option<(&str, &str)> {
    let behind = sentence.match_indices(": ").map(|(at, colon)| at + colon.len());
    let split = std::iter::once(0).chain(behind).filter_map(|at| sentence.split_at_checked(at));
    let mut split = split.filter(|(_, rest)| COMMANDS.contains(&rest.split(' ').next().unwrap_or_default()));
    split.next()
}

/// As [`wrapped`]; in a window, a command line that the sentence ends with stands below it, whole: what is broken does not paste.
pub(crate) fn with_command(sentence: &str, indent: usize, columns: Option<usize>) -> Vec<String> {
    let Some((words, command)) = command(sentence).filter(|_| columns.is_some()) else {
        return wrapped(sentence, indent, columns);
    };
    let mut lines = if words.is_empty() { Vec::new() } else { wrapped(words.trim_end(), indent, columns) };
    // One after the other: the second is typed where the first has led.
    lines.extend(command.split(", then ").map(str::to_owned));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_at_the_end_of_a_sentence_stands_below_it_and_stays_whole() {
        for (sentence, lines) in [
            ("log in again: running sessions keep it", &["log in again: running sessions", "keep it"][..]),
            ("see it: sudo su - divvy, then env | grep proxy", &["see it:", "sudo su - divvy", "env | grep proxy"]),
            ("ics-setup check --only a,b,c,d,e,f,g,h,i,j", &["ics-setup check --only a,b,c,d,e,f,g,h,i,j"]),
            (
                "the product is: not whole; or have it made: ics-setup install --with a-long-flag 'X: y'",
                &["the product is: not whole; or", "have it made:", "ics-setup install --with a-long-flag 'X: y'"],
            ),
        ] {
            assert_eq!(with_command(sentence, 10, Some(40)), lines);
        }
    }
}
