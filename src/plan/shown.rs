//! What of a file's lines a diff may show: of names that a run edits the whole line, of every other line `NAME=…`, of
//! comments nothing. A value over several lines is one value.

use std::cell::LazyCell;

use super::OWN_COMMENTS;
use crate::authority::{is_mount_line, is_variable};
use crate::envfile::ASIDE;
use crate::product::templates;
use crate::redact::{is_secret_name, url_text};
use crate::text;
use crate::text::{Foreign, Fragment, SECRET, Text, own};
use crate::vendor::Vendor;

/// Stands for what is not shown.
const ELSE: &str = "…";

/// Words that may stand in front of an assignment.
const KEYWORDS: [&str; 9] =
    ["export", "declare", "typeset", "readonly", "set", "-x", "-gx", "Environment=", "DefaultEnvironment="];

/// One physical line, taken apart.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    pieces: Vec<Piece<'a>>,
}

/// A part of a line.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    /// Blanks, punctuation, keywords, section heads, comments of ours.
    Plain(&'a str),
    /// What a diff does not show.
    Hidden,
    /// `NAME=value`: all in front of the value, the name in it, the value, its closing quote, and whether the value ends on its
    /// line.
    Assignment { head: &'a str, name: &'a str, value: &'a str, close: &'a str, whole: bool },
}

/// What a line that is not over leaves open for the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// A quote.
    Quote(u8),
    /// A backslash at the end of the line.
    Backslash,
    /// A PEM body.
    Pem,
    /// A comment of apt's, up to `*/`.
    Comment,
}

/// Takes all lines of a file apart.
///
/// A file that ends inside a quote has a quote that is never closed, as it may stand in a file whose reader knows no values
/// over several lines. Behind such a quote a line that begins with a name that a run sets is a line of its own.
pub(super) fn lines(file: &str) -> Vec<Line<'_>> {
    let mut open = None;
    let never_closed = LazyCell::new(|| ends_inside_a_quote(file));
    let lines = file.split_inclusive('\n').map(|line| line.trim_end_matches(['\n', '\r']));
    let of_line = |line| {
        if matches!(open, Some(Open::Quote(_))) && begins_with_ours(line) && *never_closed {
            open = None;
        }
        Line::scan(line, &mut open)
    };
    lines.map(of_line).collect()
}

impl<'a> Line<'a> {
    fn scan(line: &'a str, open: &mut Option<Open>) -> Self {
        if let Some(now) = *open {
            *open = match now {
                Open::Quote(quote) if closes(line, quote).is_some() => continued(line, None),
                Open::Quote(_) => Some(now),
                Open::Pem => (!line.contains("-----END")).then_some(now),
                Open::Comment => (!line.contains("*/")).then_some(now),
                Open::Backslash => continued(line, None),
            };
            return Self { pieces: vec![Piece::Hidden] };
        }
        let text = line.trim_start();
        if text.contains("-----BEGIN") && !text.contains("-----END") && !text.contains(['=', ':']) {
            *open = Some(Open::Pem);
            return Self { pieces: vec![Piece::Hidden] };
        }
        if text.is_empty() || OWN_COMMENTS.contains(&text) || is_plain(text) {
            return Self { pieces: vec![Piece::Plain(line)] };
        }
        let comment = text.find("/*").filter(|at| *at == 0 || text[..*at].ends_with([' ', '\t', ';', '{', '}']));
        if let Some(at) = comment.filter(|at| *at == 0 || !text[*at..].contains("*/")) {
            *open = (!text[at..].contains("*/")).then_some(Open::Comment);
            return Self { pieces: vec![Piece::Hidden] };
        }
        let mark = text.len() - text.trim_start_matches(['#', ';', ' ']).len();
        if let Some((piece, "")) = line.strip_prefix(ASIDE).and_then(assignment) {
            return Self { pieces: vec![Piece::Plain(ASIDE), piece] };
        }
        if text.starts_with(['#', ';']) || text.starts_with("//") {
            let (lead, rest) = line.split_at(line.len() - text.len() + mark);
            return match assignment(rest) {
                // A commented line as the vendor ships it.
                Some((piece, "")) => Self { pieces: vec![Piece::Plain(lead), piece] },
                _ => Self {
                    pieces: vec![Piece::Plain(if text.starts_with("//") { "//" } else { &text[..1] }), Piece::Hidden],
                },
            };
        }
        if text.starts_with('[') && line.trim_end().ends_with(']') && !text.contains(['=', '"', '\'', ',']) {
            return Self { pieces: vec![Piece::Plain(line)] };
        }
        let mut pieces: Vec<Piece<'a>> = Vec::new();
        let mut rest = line;
        while !rest.is_empty() {
            let plain = rest.len() - rest.trim_start_matches([' ', '\t', '{', '}', '(', ')', '[', ']', ',', ';']).len();
            if plain > 0 {
                pieces.push(Piece::Plain(&rest[..plain]));
                rest = &rest[plain..];
                continue;
            }
            let word = rest.split([' ', '\t']).next().unwrap_or_default();
            if let Some(keyword) = KEYWORDS
                .iter()
                .find(|keyword| word == **keyword || (keyword.ends_with('=') && word.starts_with(**keyword)))
            {
                pieces.push(Piece::Plain(&rest[..keyword.len()]));
                rest = &rest[keyword.len()..];
                continue;
            }
            if let Some((piece, after)) = assignment(rest) {
                if let Piece::Assignment { value, whole, head, .. } = &piece {
                    if !whole {
                        *open = head.bytes().rev().find(|byte| matches!(byte, b'"' | b'\'')).map(Open::Quote);
                    }
                    if value.contains("-----BEGIN") && !value.contains("-----END") {
                        *open = Some(Open::Pem);
                    }
                }
                pieces.push(piece);
                rest = after;
                continue;
            }
            // Up to the next blank nothing is known.
            match pieces.as_slice() {
                [.., Piece::Hidden] => {}
                [.., Piece::Hidden, Piece::Plain(blank)] if blank.trim().is_empty() => drop(pieces.pop()),
                _ => pieces.push(Piece::Hidden),
            }
            rest = &rest[word.len().max(rest.chars().next().map_or(1, char::len_utf8))..];
        }
        *open = continued(line, *open);
        Self { pieces }
    }

    /// Name and value of each assignment.
    pub(super) fn assignments(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Assignment { name, value, .. } => Some((*name, *value)),
            Piece::Plain(_) | Piece::Hidden => None,
        })
    }

    /// The line with the values of the assignments for which `shows` is true, and with the names of the others.
    pub(super) fn text(&self, shows: impl Fn(&str, &str) -> bool) -> Text {
        Text::join(
            self.pieces.iter().map(|piece| match piece {
                Piece::Plain(words) => text!("{}", own(words)),
                Piece::Hidden => ELSE.into(),
                Piece::Assignment { head, name, value, close, whole } => {
                    let value = match () {
                        () if value.is_empty() && *whole => Text::default(),
                        () if shows(name, value) && *whole => value_text(name, value),
                        () => ELSE.into(),
                    };
                    text!("{}{}{}", own(head), value, own(close))
                }
            }),
            "",
        )
    }
}

/// Is it a line of a file that runs make, or one of the lines that they change in a compose file, in a unit and in a crontab:
/// such lines hold no secret.
fn is_plain(text: &str) -> bool {
    let words = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@\"'$&<> \t|{}[]=;,".contains(c));
    let of_compose = || {
        let (key, value) = text.split_once(':')?;
        let safe = words(value) && !value.contains("://") && !value.contains('=');
        Some(
            safe && (matches!(key.trim_end(), "image" | "scale" | "replicas")
                || (key == "command" && value.contains("divvycloud "))),
        )
    };
    let of_ports = || {
        text.strip_prefix("- ").is_some_and(|item| item.chars().all(|c| c.is_ascii_digit() || "\"'.:[]".contains(c)))
    };
    let of_flag = || text.trim_start_matches(['-', ' ', '"']).trim_end_matches('"') == "reverse-proxy";
    let of_start = || {
        let command = ["ExecStart=", "ExecStop=", "@reboot "].iter().find_map(|start| text.strip_prefix(start));
        let plain = |command: &&str| words(command) && !command.contains('=') && !command.contains("://");
        let starts =
            |command: &str| command.contains("compose") && (command.ends_with(" up -d") || command.ends_with(" stop"));
        command.filter(plain).is_some_and(starts)
    };
    templates::is_line(text)
        || is_mount_line(text)
        || of_compose().unwrap_or(false)
        || of_ports()
        || of_flag()
        || of_start()
        || text.strip_prefix("TimeoutStartSec=").is_some_and(|value| value.chars().all(|c| c.is_ascii_digit()))
}

/// Is nothing of the line shown?
pub(super) fn is_hidden(shown: &Text) -> bool {
    let mut fragments = shown.fragments();
    matches!((fragments.next(), fragments.next()), (Some(Fragment::Own(words)), None) if words == ELSE)
}

/// Does a run set what has this name, in one file or another?
pub(super) fn is_ours(name: &str) -> bool {
    let last = name.rsplit("::").next().unwrap_or(name);
    let plain = last.to_ascii_lowercase().replace(['-', '_'], "");
    ["httpproxy", "httpsproxy", "noproxy", "proxy"].contains(&plain.as_str())
        || Vendor::get().setting_of(name).is_some()
        || is_variable(name)
        || Vendor::get().secrets_provider.variables().contains(&name)
        || ["MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD"].contains(&name)
}

/// Does one of these secrets stand in the file where a secret stands: as the value of a name of its kind or of a name that
/// no run sets, or as the password of a URL? A word that reads like one elsewhere is none.
pub(crate) fn holds(file: &[u8], secrets: &[Vec<u8>]) -> bool {
    let text = String::from_utf8_lossy(file);
    lines(&text).iter().flat_map(Line::assignments).any(|(name, value)| {
        let rest = value.find("://").map_or(value, |at| &value[at + 3..]);
        let login = rest.rsplit_once('@').and_then(|(login, _)| login.split_once(':'));
        let part = match login {
            _ if is_secret_name(name) => value,
            Some((_, password)) => password,
            None if !is_ours(name) => return secrets.iter().any(|secret| secret == value.as_bytes()),
            None => return false,
        };
        let single = part.replace("%%", "%");
        secrets
            .iter()
            .any(|secret| [part, &single].iter().any(|part| memchr::memmem::find(part.as_bytes(), secret).is_some()))
    })
}

/// A value as far as it may be shown.
fn value_text(name: &str, value: &str) -> Text {
    let plain = |text: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || "._-:/,*[]\"' ".contains(c)) && !text.contains("://")
    };
    match () {
        () if is_secret_name(name) => text!("{}", SECRET),
        () if name == Vendor::get().secrets_provider.variable => {
            Foreign::new(Vendor::get().secrets_provider.masked(value)).into()
        }
        () if plain(value) => text!("{}", own(value)),
        // Whoever reads JSON sees signs there that nobody sees here.
        () if value.contains("\\u") => ELSE.into(),
        () if value.contains("://") || value.contains('@') => url_text(value),
        () => Foreign::new(value).into(),
    }
}

/// Where a quote that is open at the beginning of the text is closed.
fn closes(text: &str, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Is a quote open at the end of the file? Quotes in comments do not count.
fn ends_inside_a_quote(file: &str) -> bool {
    let mut open = None;
    for mut rest in file.lines() {
        if open.is_none() && rest.trim_start().starts_with('#') {
            continue;
        }
        while let Some(at) = open.map_or_else(|| rest.find(['"', '\'']), |quote| closes(rest, quote)) {
            open = if open.is_none() { Some(rest.as_bytes()[at]) } else { None };
            rest = &rest[at + 1..];
        }
    }
    open.is_some()
}

/// Does the line begin with the assignment of a name that a run sets?
fn begins_with_ours(line: &str) -> bool {
    let line = line.trim_start();
    let found = assignment(line.strip_prefix("export ").unwrap_or(line));
    matches!(found, Some((Piece::Assignment { name, .. }, _)) if is_ours(name))
}

/// Does a backslash at its end continue the line?
fn continued(line: &str, open: Option<Open>) -> Option<Open> {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    open.or((backslashes % 2 == 1).then_some(Open::Backslash))
}

/// The assignment at the beginning of a text, and what follows it: `NAME=value`, `NAME = value`, `"NAME=value"`,
/// `"key": value` or `Acquire::http::Proxy "value"`.
fn assignment(text: &str) -> Option<(Piece<'_>, &str)> {
    let start = text.len() - text.trim_start_matches(['"', '\'']).len();
    if start > 1 {
        return None;
    }
    let of_name = |c: char| c.is_ascii_alphanumeric() || "_.-:".contains(c);
    let end = start + text[start..].find(|c| !of_name(c)).unwrap_or(text.len() - start);
    let name = text.get(start..end)?.trim_end_matches(':');
    if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let after = &text[start + name.len()..];
    let outer = text.as_bytes()[..start].first().copied();
    let (head, value) = text.split_at(start + name.len() + sign_of(after, outer, name)?);
    let inner = head[start + name.len()..].bytes().next_back().filter(|byte| matches!(byte, b'"' | b'\''));
    // The quote that is open now: one of the value's own, or the one around the whole word.
    let quote = inner.or(outer.filter(|_| after.starts_with('=')));
    let (value, close, rest, whole) = match quote {
        Some(quote) => match closes(value, quote) {
            Some(at) => (&value[..at], &value[at..=at], &value[at + 1..], true),
            None => (value, "", "", false),
        },
        None if value.starts_with('[') => (value, "", "", value.trim_end().ends_with(']')),
        None if value.starts_with('{') => ("", "", value, true),
        None => {
            let end = value
                .find([' ', '\t', ';', ',', '}'])
                .filter(|_| outer.is_some())
                .or_else(|| value.find([' ', '\t', ';']));
            let end = end.unwrap_or(value.len());
            (&value[..end], "", &value[end..], !value.ends_with('\\'))
        }
    };
    Some((Piece::Assignment { head, name, value, close, whole }, rest))
}

/// How many bytes stand between a name and its value, an opening quote included.
fn sign_of(after: &str, outer: Option<u8>, name: &str) -> Option<usize> {
    let blanks = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
    let quote = |at: usize| at + usize::from(after[at..].starts_with(['"', '\'']));
    if after.starts_with('=') {
        return Some(if outer.is_some() { 1 } else { quote(1) });
    }
    if outer.is_some() && after.as_bytes().first() == outer.as_ref() {
        // `"key": value`
        let at = 1 + blanks(&after[1..]);
        let colon = after.get(at..)?.strip_prefix([':', '='])?;
        let at = at + 1 + blanks(colon);
        return Some(quote(at));
    }
    if outer.is_some() {
        return None;
    }
    let at = blanks(after);
    match after.as_bytes().get(at)? {
        b'=' => {
            let at = at + 1 + blanks(&after[at + 1..]);
            Some(quote(at))
        }
        b'"' if at > 0 && name.contains("::") => Some(at + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(file: &str) -> (Vec<String>, Vec<String>) {
        let lines = lines(file);
        let all = |text: &dyn Fn(&Line<'_>) -> Text| lines.iter().map(|line| text(line).to_string()).collect();
        (all(&|line| line.text(|_, _| false)), all(&|line| line.text(|_, _| true)))
    }

    #[test]
    fn of_other_lines_only_the_name_is_shown_and_of_edited_ones_no_secret() {
        for (line, context, edited) in [
            ("http_proxy=http://u:p@h:1", "http_proxy=…", "http_proxy=http://u:***@h:1"),
            ("export http_proxy=\"http://h:1\"", "export http_proxy=\"…\"", "export http_proxy=\"http://h:1\""),
            ("#no_proxy=a,b", "#no_proxy=…", "#no_proxy=a,b"),
            ("# the password is T7x", "#…", "#…"),
            ("SIGNING_PASSPHRASE=T7x", "SIGNING_PASSPHRASE=…", "SIGNING_PASSPHRASE=***"),
            (
                "Environment=\"A=1\" \"HTTP_PROXY=http://u:p%%@h:1\"",
                "Environment=\"A=…\" \"HTTP_PROXY=…\"",
                "Environment=\"A=1\" \"HTTP_PROXY=http://u:***@h:1\"",
            ),
            ("  \"httpProxy\": \"http://h:1\",", "  \"httpProxy\": \"…\",", "  \"httpProxy\": \"http://h:1\","),
            (
                "{\"a\": \"x y\", \"b\": {\"c\": 1}}",
                "{\"a\": \"…\", \"b\": {\"c\": …}}",
                "{\"a\": \"x y\", \"b\": {\"c\": 1}}",
            ),
            (
                "Acquire::http::Proxy \"http://h:1\";",
                "Acquire::http::Proxy \"…\";",
                "Acquire::http::Proxy \"http://h:1\";",
            ),
            ("[Service]", "[Service]", "[Service]"),
            ("url = \"http://svc@h:1\"", "url = \"…\"", "url = \"http://***@h:1\""),
            ("no_proxy = [\"a\", \"b\"]", "no_proxy = …", "no_proxy = [\"a\", \"b\"]"),
            ("curl -u a:b https://x; http_proxy=http://h:1", "… http_proxy=…", "… http_proxy=http://h:1"),
            ("http_proxy=", "http_proxy=", "http_proxy="),
            (
                "#DIVVY_SECRETS_PROVIDER_CONFIG=Vault,addr=x:1,token=T7x",
                "#DIVVY_SECRETS_PROVIDER_CONFIG=…",
                "#DIVVY_SECRETS_PROVIDER_CONFIG=Vault,addr=…,token=…",
            ),
        ] {
            let (names, all) = shown(line);
            assert_eq!((names[0].as_str(), all[0].as_str()), (context, edited), "{line}");
        }
    }

    #[test]
    fn behind_a_quote_that_is_never_closed_lines_of_ours_show_their_own_values() {
        for (file, edited) in [
            (
                "MSG=\"open\nhttp_proxy=\"http://u:T7x@h:1\"\nno_proxy=\"a,b\"",
                "MSG=\"…|http_proxy=\"http://u:***@h:1\"|no_proxy=\"a,b\"",
            ),
            ("MSG=\"open\nA=1\nno_proxy=a\nB=T7x", "MSG=\"…|…|no_proxy=a|B=T7x"),
            ("NOTE='s\nexport https_proxy=http://h:1", "NOTE='…|export https_proxy=http://h:1"),
            // The whole of it is one value.
            ("X_PASSWORD=\"a\nhttp_proxy=T7x\n\"\n# don't", "X_PASSWORD=\"…|…|…|#…"),
        ] {
            assert_eq!(shown(file).1.join("|"), edited, "{file}");
        }
    }

    #[test]
    fn a_value_over_several_lines_is_one_value() {
        for file in [
            "export http_proxy=\"http://svc:xx\\\nT7x@oldpx:1\"\nA=1",
            "http_proxy=http://svc:\\\nT7x@h:1\nA=1",
            "X_PASSWORD=\"first\nT7x\"\nA=1",
            "TLS_KEY=\"-----BEGIN PRIVATE KEY-----\nT7x\n-----END PRIVATE KEY-----\"\nA=1",
            "TLS_KEY=-----BEGIN PRIVATE KEY-----\nT7x\n-----END PRIVATE KEY-----\nA=1",
            "X='a\nT7x\nb'\nA=1",
        ] {
            let (names, all) = shown(file);
            assert!(!names.concat().contains("T7x") && !all.concat().contains("T7x"), "{file}: {all:?}");
            assert_eq!((names.last().unwrap().as_str(), all.last().unwrap().as_str()), ("A=…", "A=1"), "{file}");
        }
    }
}
