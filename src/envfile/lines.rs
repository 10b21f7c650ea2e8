//! Finds the lines that name a variable, in whatever spelling a person gave them; in scripts each assignment. Everything else
//! is opaque.

use std::ops::Range;

use memchr::memchr;

use super::shell::written;

/// Which kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// `/etc/environment`.
    PamEnv,
    /// A script that login shells source.
    Shell,
    /// `prod.env`, read by Docker and Compose.
    EnvFile,
    /// A file that a systemd unit names with `EnvironmentFile=`.
    EnvironmentFile,
}

/// The comment mark of a line that was set aside and is brought back as it stood; nobody else's comment begins so.
pub(crate) const ASIDE: &str = "#in-secret# ";

/// Does the line take effect?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// An assignment.
    Active,
    /// An assignment behind a comment mark: `#http_proxy=…`. Prose that mentions a variable is not among them.
    Commented,
    /// An active line of a Docker env file behind [`ASIDE`].
    Aside,
}

/// A line that names a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Counted from 1.
    pub line: usize,
    /// Active or commented.
    pub state: State,
    /// Index into the list of names that was searched for.
    pub name: usize,
    /// The bytes of the line without its line end; of a script's assignment `NAME=value`.
    pub span: Range<usize>,
    /// Length of the line end: 0 at the end of a file and in scripts, 1 for LF, 2 for CR LF.
    pub end: usize,
    /// The bytes of the value as written, quotes included; empty where there is no `=`.
    pub value: Range<usize>,
}

/// All occurrences of the names, in file order. One pass, linear in the size of the file.
pub fn find(bytes: &[u8], syntax: Syntax, names: &[&str]) -> Vec<Occurrence> {
    if syntax == Syntax::Shell {
        return in_script(bytes, names);
    }
    let mut found = Vec::new();
    // Docker's readers skip a byte order mark; for PAM and shells it is part of the first name.
    let mut start = if syntax == Syntax::EnvFile && bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let mut line = 0;
    while start < bytes.len() {
        line += 1;
        let first = line;
        let mut feed = memchr(b'\n', &bytes[start..]).map(|at| start + at);
        // PAM and systemd join a line that ends in a backslash with the next one.
        let joins = matches!(syntax, Syntax::PamEnv | Syntax::EnvironmentFile);
        while let Some(at) = feed.filter(|at| joins && bytes[start..*at].ends_with(b"\\")) {
            line += 1;
            feed = memchr(b'\n', &bytes[at + 1..]).map(|next| at + 1 + next);
        }
        let stop = feed.unwrap_or(bytes.len());
        let next = feed.map_or(bytes.len(), |at| at + 1);
        // A CR belongs to the line end only where readers strip it; for PAM and shells it is part of the value.
        let cr = usize::from(syntax == Syntax::EnvFile && feed.is_some() && bytes[start..stop].ends_with(b"\r"));
        let span = start..stop - cr;
        if let Some((state, name, value)) = parse(&bytes[span.clone()], syntax, names) {
            let value = span.start + value.start..span.start + value.end;
            found.push(Occurrence { line: first, state, name, end: next - span.end, span, value });
        }
        start = next;
    }
    found
}

/// The assignments of a script, which may be several on one line or one over several. Behind comment marks is prose.
fn in_script(bytes: &[u8], names: &[&str]) -> Vec<Occurrence> {
    let mut found = Vec::new();
    let (mut line, mut counted) = (1, 0);
    for own in written(bytes) {
        let Some(name) = names.iter().position(|name| name.as_bytes() == own.name) else { continue };
        line += memchr::memchr_iter(b'\n', bytes.get(counted..own.word.start).unwrap_or_default()).count();
        counted = own.word.start;
        found.push(Occurrence { line, state: State::Active, name, span: own.word, end: 0, value: own.value });
    }
    found
}

fn parse(line: &[u8], syntax: Syntax, names: &[&str]) -> Option<(State, usize, Range<usize>)> {
    if let Some(stood) = line.strip_prefix(ASIDE.as_bytes()).filter(|_| syntax == Syntax::EnvFile) {
        let (state, name, value) = parse(stood, syntax, names)?;
        let value = value.start + ASIDE.len()..value.end + ASIDE.len();
        return (state == State::Active).then_some((State::Aside, name, value));
    }
    let mut at = blanks(line, 0);
    let mut state = State::Active;
    while at < line.len() && matches!(line[at], b'#' | b';') {
        state = State::Commented;
        at = blanks(line, at + 1);
    }
    if line[at..].starts_with(b"export") && line.get(at + 6).is_some_and(is_blank) {
        at = blanks(line, at + 6);
    }
    let end = at + line[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let name = names.iter().position(|name| name.as_bytes() == &line[at..end])?;
    let loose = matches!(syntax, Syntax::EnvFile | Syntax::EnvironmentFile) || state == State::Commented;
    let sign = if loose { blanks(line, end) } else { end };
    match line.get(sign) {
        Some(b'=') => {}
        // docker takes a bare name from its caller's environment; Compose v2 reads `NAME: value`.
        None if syntax == Syntax::EnvFile && state == State::Active => {
            return Some((state, name, line.len()..line.len()));
        }
        Some(b':')
            if syntax == Syntax::EnvFile && state == State::Active && line.get(sign + 1).is_some_and(is_blank) => {}
        _ => return None,
    }
    let from = if loose { blanks(line, sign + 1) } else { sign + 1 };
    let to = if loose { from + trimmed(&line[from..]).len() } else { line.len() };
    if state == State::Commented {
        let to = from + commented_value(&line[from..to])?;
        return Some((state, name, from..to));
    }
    Some((state, name, from..to))
}

/// Length of the value behind a comment mark, or nothing when the line is prose. A person who disabled a setting left one
/// word, a quoted text or a list with blanks after its commas; a remark may follow behind another `#`.
fn commented_value(text: &[u8]) -> Option<usize> {
    if let Some(quote @ (b'"' | b'\'')) = text.first() {
        let close = 1 + memchr(*quote, &text[1..])?;
        return is_end_or_remark(&text[close + 1..]).then_some(close + 1);
    }
    let mut at = 0;
    while at < text.len() {
        if is_blank(&text[at]) {
            let next = blanks(text, at);
            let in_list = text[..at].ends_with(b",") || text.get(next) == Some(&b',');
            if !in_list {
                return is_end_or_remark(&text[at..]).then_some(at);
            }
            at = next;
        } else {
            at += 1;
        }
    }
    Some(text.len())
}

fn is_end_or_remark(rest: &[u8]) -> bool {
    let rest = trimmed(&rest[blanks(rest, 0)..]);
    rest.is_empty() || rest.starts_with(b"#")
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn blanks(line: &[u8], from: usize) -> usize {
    from + line[from..].iter().take_while(|byte| is_blank(byte)).count()
}

fn trimmed(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).map_or(0, |at| at + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str, syntax: Syntax) -> Option<(State, String)> {
        let found = find(line.as_bytes(), syntax, &["http_proxy", "no_proxy"]);
        assert!(found.len() <= 1);
        found.first().map(|at| (at.state, line[at.value.clone()].to_owned()))
    }

    #[test]
    fn commented_settings_are_told_from_prose() {
        let disabled = |value: &str| Some((State::Commented, value.to_owned()));
        for line in [
            "#http_proxy=http://p",
            "# http_proxy=http://p",
            "##http_proxy = http://p  ",
            "  #\texport http_proxy=http://p",
            "; http_proxy=http://p",
            "# http_proxy=http://p # ask Bob",
        ] {
            assert_eq!(one(line, Syntax::EnvFile), disabled("http://p"), "{line}");
        }
        assert_eq!(one("#http_proxy=\"http://p\"", Syntax::EnvFile), disabled("\"http://p\""));
        assert_eq!(one("# no_proxy=mysql, redis ,a", Syntax::EnvFile), disabled("mysql, redis ,a"));
        assert_eq!(one("#http_proxy=", Syntax::EnvFile), disabled(""));
        for prose in [
            "# http_proxy=http://p is what you set when behind a proxy",
            "# set http_proxy=http://p",
            "# http_proxy",
            "# no_proxy: hosts without proxy",
            "# http_proxy = see the manual",
            "#xhttp_proxy=1",
        ] {
            assert_eq!(one(prose, Syntax::EnvFile), None, "{prose}");
        }
    }

    #[test]
    fn continued_lines_and_a_byte_order_mark_belong_to_their_line() {
        let text = b"no_proxy=a \\\n,b\nX=1\n";
        let found = find(text, Syntax::PamEnv, &["no_proxy"]);
        assert_eq!((found[0].span.clone(), found[0].line), (0..15, 1));
        let found = find(b"\xEF\xBB\xBFno_proxy=a\n", Syntax::EnvFile, &["no_proxy"]);
        assert_eq!(found[0].span, 3..13);
    }

    #[test]
    fn lines_that_were_set_aside_are_told_from_comments() {
        let aside = |value: &str| Some((State::Aside, value.to_owned()));
        assert_eq!(one(&format!("{ASIDE}http_proxy=a b"), Syntax::EnvFile), aside("a b"));
        assert_eq!(one(&format!("{ASIDE}  export http_proxy = a"), Syntax::EnvFile), aside("a"));
        for comment in [format!("{ASIDE}#http_proxy=a"), format!(" {ASIDE}http_proxy=a"), format!("{ASIDE}x=a")] {
            assert_eq!(one(&comment, Syntax::EnvFile), None, "{comment}");
        }
        assert_eq!(one(&format!("{ASIDE}http_proxy=a"), Syntax::PamEnv), None);
    }

    #[test]
    fn active_lines_by_syntax() {
        let active = |value: &str| Some((State::Active, value.to_owned()));
        assert_eq!(one("http_proxy=a b \r\n", Syntax::EnvFile), active("a b"));
        assert_eq!(one("http_proxy=a\r\n", Syntax::PamEnv), active("a\r"));
        assert_eq!(one("export http_proxy=\"a\"", Syntax::Shell), active("\"a\""));
        assert_eq!(one("http_proxy = a", Syntax::EnvFile), active("a"));
        assert_eq!(one("http_proxy = a", Syntax::PamEnv), None);
        assert_eq!(one("http_proxy", Syntax::EnvFile), active(""));
        assert_eq!(one("http_proxy: a", Syntax::EnvFile), active("a"));
        assert_eq!(one("HTTP_PROXY=a", Syntax::EnvFile), None);
    }
}
