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
