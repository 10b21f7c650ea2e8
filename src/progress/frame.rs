//! What it looks like: one line, cut to the window, and below it the stages that are to come.

use std::time::Duration;

use console::{Term, measure_text_width, truncate_str};

use crate::text::{ascii, elapsed};

/// Takes away what stands from the cursor on.
pub(super) const ERASED: &str = "\r\u{1b}[J";

/// Signs that turn.
const TURNS: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The same where there is ASCII alone.
const ASCII_TURNS: [&str; 4] = ["-", "\\", "|", "/"];

/// Columns of a stage's name and of its time.
const NAME: usize = 10;
const TIME: usize = 10;

/// A window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Size {
    /// That of the terminal, as it is now. One that says that it has none is none that says so.
    pub(super) fn now() -> Self {
        let size = Term::stderr().size_checked().filter(|(rows, columns)| *rows > 0 && *columns > 0);
        let (rows, columns) = size.unwrap_or((24, 80));
        Self { rows: rows.into(), columns: columns.into() }
    }
}

/// What is to be seen of a work.
#[derive(Clone, Debug)]
pub(super) struct Shown<'a> {
    pub(super) stage: Option<&'static str>,
    pub(super) coming: &'a [&'static str],
    pub(super) what: &'a str,
    pub(super) measure: String,
    pub(super) elapsed: Duration,
}

impl Shown<'_> {
    /// What it is at and how far.
    fn body(&self, between: &str) -> String {
        Self::joined([self.what, &self.measure], between)
    }

    fn joined(parts: [&str; 2], between: &str) -> String {
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(between)
    }

    /// As a line of a log.
    pub(super) fn line(&self) -> String {
        let body = match (self.stage, self.body(", ")) {
            (None, body) => body,
            (Some(stage), body) if body.is_empty() => format!("{stage}: under way"),
            (Some(stage), body) => format!("{stage}: {body}"),
        };
        match self.elapsed.as_secs() {
            // Whoever hears of it for the first time has not waited yet.
            0 | 1 => format!("  {body}\n"),
            _ => format!("  {body} ({})\n", elapsed(self.elapsed)),
        }
    }
}

/// What stands on the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    turn: &'static str,
    /// What follows the sign.
    first: String,
    /// The lines below it.
    below: Vec<String>,
}

impl Frame {
    /// `turn`: how often it was drawn before. The last column stays free: a terminal may go on to the next line there.
    pub(super) fn of(shown: &Shown<'_>, turn: usize, size: Size, unicode: bool, colour: bool) -> Self {
        let width = size.columns.saturating_sub(1);
        let (dot, more) = if unicode { (" · ", "…") } else { (", ", "...") };
        let cut = |text: &str, width: usize| match width {
            0..4 => truncate_str(text, width, "").into_owned(),
            _ => truncate_str(text, width, more).into_owned(),
        };
        let faint =
            |text: &str| if colour && !text.is_empty() { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() };
        let fit = |text: &str| if unicode { text.to_owned() } else { ascii(text) };
        let room = width.saturating_sub(3);
        let time = if shown.elapsed.as_secs() == 0 { String::new() } else { elapsed(shown.elapsed) };
        // The name of a stage says what it is about, and the name of an image may be as long as the window.
        let body = match shown.stage {
            Some(_) => Shown::joined([&shown.measure, shown.what], dot),
            None => shown.body(dot),
        };
        let body = fit(&body);
        let first = match shown.stage {
            Some(stage) => {
                // The marks of stages that have ended are as wide.
                let gap = if unicode { " " } else { "  " };
                let head = format!("{gap}{stage:<NAME$}{time:>TIME$}  ");
                let body = cut(&body, room.saturating_sub(measure_text_width(&head)));
                cut(&format!("{head}{body}"), room)
            }
            None => {
                let time = if time.is_empty() { time } else { format!("{dot}{time}") };
                let body = cut(&body, room.saturating_sub(1 + measure_text_width(&time)));
                match 1 + measure_text_width(&body) + measure_text_width(&time) <= room {
                    true => format!(" {body}{}", faint(&time)),
                    false => cut(&format!(" {body}"), room),
                }
            }
        };
        // Whatever was written last stays in sight.
        let below = shown.coming.iter().take(size.rows.saturating_sub(3));
        let below = below
            .map(|stage| faint(&cut(&format!("{}{stage}", if unicode { "    " } else { "     " }), width)))
            .collect();
        let turns: &[&str] = if unicode { &TURNS } else { &ASCII_TURNS };
        Self { turn: turns[turn % turns.len()], first: first.trim_end().to_owned(), below }
    }

    /// What brings it onto a terminal where `before` stands, or nothing. The cursor is at the begin of its first line, before
    /// and after: what a person types, or a window that gets narrower, does not lead anywhere else.
    pub(super) fn over(&self, before: Option<&Self>) -> String {
        let Self { turn, first, below } = self;
        match before {
            Some(before) if before.below == *below && before.first == *first => format!("\r  {turn}\r"),
            Some(before) if before.below == *below => format!("\r  {turn}{first}\u{1b}[K\r"),
            _ => {
                let mut text = format!("{ERASED}  {turn}{first}");
                below.iter().for_each(|line| text.extend(["\r\n", line]));
                if !below.is_empty() {
                    text.push_str(&format!("\u{1b}[{}A", below.len()));
                }
                text + "\r"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Size = Size { rows: 24, columns: 80 };

    fn shown(what: &'static str, measure: &str, seconds: u64) -> Shown<'static> {
        Shown { stage: None, coming: &[], what, measure: measure.to_owned(), elapsed: Duration::from_secs(seconds) }
    }

    fn line(shown: &Shown<'_>, columns: usize, unicode: bool) -> String {
        let frame = Frame::of(shown, 2, Size { rows: 24, columns }, unicode, false);
        format!("  {}{}", frame.turn, frame.first)
    }

    #[test]
    fn a_line_says_what_how_far_and_since_when() {
        for (work, unicode, wanted) in [
            (shown("asking p:3128", "", 0), true, "  ⠹ asking p:3128"),
            (shown("asking p:3128", "", 12), true, "  ⠹ asking p:3128 · 12 s"),
            (shown("checking", "41 of 60", 125), true, "  ⠹ checking · 41 of 60 · 2 min 05 s"),
            (shown("checking…", "41 of 60", 3700), false, "  | checking..., 41 of 60, 1 h 01 min"),
            (
                Shown { stage: Some("fetch"), ..shown("pulling é", "2 of 4", 38) },
                true,
                "  ⠹ fetch           38 s  2 of 4 · pulling é",
            ),
            (
                Shown { stage: Some("fetch"), ..shown("pulling é", "2 of 4", 0) },
                false,
                "  |  fetch                 2 of 4, pulling ?",
            ),
        ] {
            assert_eq!(line(&work, 80, unicode), wanted);
        }
    }

    #[test]
    fn no_line_reaches_the_last_column_and_the_time_stays_in_sight() {
        let long = "looking at a name that is longer than any window: 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字";
        for columns in 0..120 {
            for stage in [None, Some("preflight")] {
                for unicode in [true, false] {
                    let line = line(&Shown { stage, ..shown(long, "1 of 9", 42) }, columns, unicode);
                    assert!(measure_text_width(&line) <= columns.saturating_sub(1).max(3), "{columns}: {line}");
                    assert!(columns < 40 || line.contains("42 s"), "{columns}: {line}");
                    assert!(unicode || line.is_ascii(), "{line}");
                }
            }
        }
        let cut = line(&shown(long, "", 42), 40, true);
        assert!(cut.ends_with("… · 42 s"), "{cut}");
    }

    #[test]
    fn what_comes_stands_below_as_far_as_the_window_has_room() {
        let coming = ["start", "healthy", "boot"];
        let work = Shown { stage: Some("fetch"), coming: &coming, ..shown("pulling", "", 3) };
        let frame = |rows| Frame::of(&work, 0, Size { rows, columns: 80 }, true, false);
        assert_eq!(frame(24).below, ["    start", "    healthy", "    boot"]);
        assert_eq!(frame(4).below, ["    start"]);
        assert!(frame(1).below.is_empty());
    }

    #[test]
    fn of_what_stands_there_only_that_is_drawn_which_is_new() {
        let frame = |turn, seconds, coming: &[&'static str]| {
            let shown = Shown { coming, ..shown("x", "", seconds) };
            Frame::of(&shown, turn, WIDE, true, false)
        };
        let first = frame(0, 2, &["boot"]);
        assert_eq!(first.over(None), "\r\u{1b}[J  ⠋ x · 2 s\r\n    boot\u{1b}[1A\r");
        assert_eq!(frame(1, 2, &["boot"]).over(Some(&first)), "\r  ⠙\r");
        assert_eq!(frame(1, 3, &["boot"]).over(Some(&first)), "\r  ⠙ x · 3 s\u{1b}[K\r");
        assert_eq!(frame(1, 3, &[]).over(Some(&first)), "\r\u{1b}[J  ⠙ x · 3 s\r");
    }

    #[test]
    fn a_log_has_lines() {
        assert_eq!(shown("checking", "41 of 60", 1).line(), "  checking, 41 of 60\n");
        assert_eq!(shown("checking", "41 of 60", 30).line(), "  checking, 41 of 60 (30 s)\n");
        let stage = Shown { stage: Some("boot"), ..shown("", "", 31) };
        assert_eq!(stage.line(), "  boot: under way (31 s)\n");
        assert_eq!(Shown { what: "enabling", ..stage }.line(), "  boot: enabling (31 s)\n");
    }
}
