//! What the terminal can do.

use std::io::{self, IsTerminal};

/// Can a person be asked? Standard input and standard error are a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Colours by default: a terminal that can, and no `NO_COLOR`.
pub(super) fn color_for(stdout: bool) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let terminal = if stdout { io::stdout().is_terminal() } else { io::stderr().is_terminal() };
    terminal && !no_color && !is_dumb()
}

/// Does the terminal know no escape sequences?
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb")
}

/// How many columns standard output has; `None`: it is no terminal.
pub(super) fn columns() -> Option<usize> {
    let terminal = console::Term::stdout();
    terminal.is_term().then(|| terminal.size_checked().map_or(80, |(_, columns)| usize::from(columns)))
}

/// Can messages be written over, as on a terminal with a cursor?
pub(super) fn moves() -> bool {
    io::stderr().is_terminal() && !is_dumb()
}

/// How many columns standard error has; `None`: it is no terminal.
pub(super) fn window_of_messages() -> Option<usize> {
    let terminal = console::Term::stderr();
    terminal.is_term().then(|| terminal.size_checked().map_or(80, |(_, columns)| usize::from(columns)))
}

/// Text as a terminal can show it: what is left out is told in ASCII where the locale has no more.
pub(super) fn shown(text: String) -> String {
    if columns().is_some() && !unicode() { text.replace('…', "...") } else { text }
}

/// Does the locale say that more than ASCII can be shown?
pub(super) fn unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    locale.is_some_and(|locale| is_utf8(&locale.to_string_lossy()))
}

/// `language_COUNTRY.CODESET@modifier`: is the codeset UTF-8, however it is spelt?
fn is_utf8(locale: &str) -> bool {
    let codeset = locale.split_once('.').map_or("", |(_, rest)| rest).split('@').next().unwrap_or_default();
    codeset.replace('-', "").eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codeset_of_a_locale_decides() {
        for (locale, utf8) in [
            ("C.UTF-8", true),
            ("de_DE.utf8@euro", true),
            ("en_US.UTF8", true),
            ("C", false),
            ("POSIX", false),
            ("de_DE@euro", false),
            ("en_US.ISO-8859-1", false),
            ("utf8", false),
        ] {
            assert_eq!(is_utf8(locale), utf8, "{locale}");
        }
    }
}
