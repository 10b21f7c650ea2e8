//! A terminal's screen as an SVG that is readable on light and on dark pages, in any fixed-width font.

use std::fmt::Write as _;
use std::path::PathBuf;

use vt100::{Cell, Color, Screen};

/// The folder of the pictures that are to be looked at (`ICS_SETUP_PICTURES`); `None`: nobody asked for them.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("ICS_SETUP_PICTURES").map(PathBuf::from)
}

/// Keeps what a terminal shows now, for whoever asked for pictures.
pub fn keep(name: &str, title: &str, screen: &Screen) {
    if let Some(folder) = folder() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.svg")), draw(screen, title)).unwrap();
    }
}

/// A cell, the edge around the text, and the bar above it, in pixels.
const CELL: (f64, f64) = (8.4, 19.0);
const EDGE: f64 = 18.0;
const BAR: f64 = 36.0;

/// Colours by the theme of the page: words, and one letter for each colour of the terminal.
const STYLE: &str = "\
.w{fill:#fff;stroke:#d0d7de}.o{fill:#d0d7de}text{fill:#1f2328}.t,.d{fill:#59636e}
.b{font-weight:700}.r{fill:#c4161c}.g{fill:#116329}.y{fill:#7d4e00}.c{fill:#0a5c8a}.i{fill:#fff}.n{fill:#1f2328}
@media(prefers-color-scheme:dark){.w{fill:#0d1117;stroke:#3d444d}.o{fill:#3d444d}text{fill:#e6edf3}.t,.d{fill:#9198a1}
.r{fill:#ff7b72}.g{fill:#56d364}.y{fill:#e3b341}.c{fill:#6cb6ff}.i{fill:#0d1117}.n{fill:#e6edf3}}";

/// What is drawn alike, and stands together.
#[derive(PartialEq)]
struct Run {
    column: u16,
    class: String,
    text: String,
    columns: u16,
    inverse: bool,
}

/// The picture of a screen, under a title.
pub fn draw(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let runs: Vec<Vec<Run>> = (0..rows).map(|row| runs(screen, row, columns)).collect();
    let first = runs.iter().position(|row| !row.is_empty()).unwrap_or(0);
    let last = runs.iter().rposition(|row| !row.is_empty()).map_or(1, |row| row + 1);
    let width = f64::from(columns) * CELL.0 + 2.0 * EDGE;
    let height = BAR + (last - first) as f64 * CELL.1 + EDGE;
    let title = escaped(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         role=\"img\" aria-label=\"{title}\" font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"14\">\n<style>{STYLE}</style>\n\
         <rect class=\"w\" x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\"/>\n\
         <g class=\"o\"><circle cx=\"20\" cy=\"18\" r=\"5\"/><circle cx=\"38\" cy=\"18\" r=\"5\"/><circle cx=\"56\" cy=\"18\" r=\"5\"/></g>\n\
         <text class=\"t\" x=\"{:.0}\" y=\"22\" font-size=\"12\" text-anchor=\"middle\">{title}</text>\n<g xml:space=\"preserve\">\n",
        width - 1.0,
        height - 1.0,
        width / 2.0
    );
    for (index, row) in runs[first..last].iter().enumerate() {
        let y = BAR + (index as f64 + 0.75) * CELL.1;
        for run in row {
            let (x, length) = (EDGE + f64::from(run.column) * CELL.0, f64::from(run.columns) * CELL.0);
            if run.inverse {
                let top = y - 0.75 * CELL.1;
                let _ = writeln!(
                    svg,
                    "<rect class=\"n\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{}\"/>",
                    CELL.1
                );
            }
            let class = if run.class.is_empty() { String::new() } else { format!(" class=\"{}\"", run.class) };
            // The length keeps columns where they are, whatever font there is.
            let _ = writeln!(
                svg,
                "<text{class} x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>",
                escaped(&run.text)
            );
        }
    }
    svg + "</g>\n</svg>\n"
}

/// A row in parts that are drawn alike; blanks at their ends are not drawn.
fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column).filter(|cell| !cell.is_wide_continuation()) else { continue };
        let (class, inverse) = (class(cell), cell.inverse());
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match runs.last_mut() {
            // Blanks look alike in every colour; after two of them each font is brought back to its column.
            Some(last)
                if (last.class == class || text == " ")
                    && last.inverse == inverse
                    && (inverse || text == " " || !last.text.ends_with("  ")) =>
            {
                last.text.push_str(text);
            }
            _ if text == " " && !inverse => {}
            _ => runs.push(Run { column, class, text: text.to_owned(), columns: 0, inverse }),
        }
    }
    for run in &mut runs {
        if !run.inverse {
            run.text.truncate(run.text.trim_end().len());
        }
        run.columns = u16::try_from(run.text.chars().count()).unwrap();
    }
    runs.retain(|run| run.columns > 0);
    runs
}

fn class(cell: &Cell) -> String {
    let colour = match cell.fgcolor() {
        _ if cell.inverse() => "i",
        Color::Idx(1 | 9) => "r",
        Color::Idx(2 | 10) => "g",
        Color::Idx(3 | 11) => "y",
        Color::Idx(4 | 5 | 6 | 12 | 13 | 14) => "c",
        Color::Idx(8) => "d",
        _ if cell.dim() => "d",
        _ => "",
    };
    let weight = if cell.bold() { "b" } else { "" };
    [weight, colour].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[test]
fn a_picture_has_the_words_in_their_places_and_colours() {
    let mut parser = vt100::Parser::new(4, 20, 0);
    parser.process(b"\r\nab \x1b[1;31mx<y\x1b[0m  z\r\n\x1b[7m on \x1b[0m");
    let svg = draw(parser.screen(), "a & b");
    for part in [
        ">ab</text>",
        "<text class=\"b r\" x=\"43.2\" y=\"50.2\" textLength=\"25.2\" lengthAdjust=\"spacingAndGlyphs\">x&lt;y</text>",
        "aria-label=\"a &amp; b\"",
        "<rect class=\"n\" x=\"18.0\" y=\"55.0\" width=\"33.6\" height=\"19\"/>",
        "<text class=\"i\" x=\"18.0\"",
        "> on </text>",
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
}
