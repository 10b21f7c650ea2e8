//! Advice as it is set: what can be typed apart from what is said.

use console::measure_text_width;

use super::window::{room, wrapped};

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Can it be typed: a command, a flag, a statement of SQL?
    pub(super) is_typed: bool,
    pub(super) text: String,
}

/// Programs that advice names. A word that is missing here is shown as what is said.
const PROGRAMS: &[&str] = &[
    "apt-get",
    "aws",
    "az",
    "cat",
    "chmod",
    "chown",
    "cp",
    "crontab",
    "curl",
    "date",
    "df",
    "dmesg",
    "docker",
    "docker-compose",
    "dockerd",
    "du",
    "echo",
    "env",
    "free",
    "getent",
    "grep",
    "growpart",
    "hostname",
    "hostnamectl",
    "ics-setup",
    "ip",
    "iptables",
    "ls",
    "lsblk",
    "mysql",
    "mysqladmin",
    "nc",
    "openssl",
    "perror",
    "pgrep",
    "podman",
    "printf",
    "ps",
    "redis-cli",
    "sh",
    "ss",
    "su",
    "sudo",
    "sysctl",
    "systemctl",
    "tail",
    "timedatectl",
    "timeout",
    "type",
    "update-ca-certificates",
    "uptime",
    "xfs_growfs",
    "yum",
];

const SQL: &[&str] = &["ALTER", "CREATE", "FLUSH", "GRANT", "RENAME", "SELECT", "SET", "SHOW"];

/// A sentence in lines that begin at `indent`: one where it fits. Else what is said is broken at blanks, and what can be typed
/// stands on lines of its own, whole: what is broken does not paste.
pub(crate) fn set(sentence: &str, indent: usize, columns: Option<usize>) -> Vec<String> {
    set_with(sentence, indent, columns, str::to_owned)
}

/// The same with what can be typed in its own paint.
pub(super) fn set_with(
    sentence: &str,
    indent: usize,
    columns: Option<usize>,
    typed: impl Fn(&str) -> String,
) -> Vec<String> {
    let room = columns.map(|columns| room(columns, indent));
    let is_short = room.is_none_or(|room| measure_text_width(sentence) <= room) && !sentence.contains('\n');
    let spans = spans(sentence);
    if is_short {
        let painted = |span: &Span| if span.is_typed { typed(&span.text) } else { span.text.clone() };
        return vec![spans.iter().map(painted).collect()];
    }
    // What stands between two of them, such as a semicolon, stays with the first.
    let mut lines: Vec<String> = Vec::new();
    for span in &spans {
        let words = span.text.trim();
        match lines.last_mut() {
            Some(last) if words.starts_with([';', ',', ')', '.']) && words.len() < 3 => last.push_str(words),
            _ if span.is_typed => lines.push(typed(words)),
            // One below the other says so.
            _ if words == ", then" => {}
            _ => lines.extend(wrapped(words.trim_start_matches([',', ';', ' ']), indent, columns)),
        }
    }
    lines
}

/// The parts of a sentence, in their order. What is typed begins the sentence or stands behind a colon, or behind something
/// else that is typed.
pub(super) fn spans(sentence: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut rest = sentence;
    while !rest.is_empty() {
        let end = typed(rest);
        let (is_typed, end) = if end > 0 { (true, end) } else { (false, said(rest)) };
        let (part, behind) = rest.split_at(end);
        match spans.last_mut() {
            Some(last) if !last.is_typed && !is_typed => last.text.push_str(part),
            _ => spans.push(Span { is_typed, text: part.to_owned() }),
        }
        rest = behind;
    }
    spans
}

/// How much of it is said before something can be typed again.
fn said(text: &str) -> usize {
    let places = [": ", "; ", ", then "].iter().filter_map(|mark| Some(text.find(mark)? + mark.len()));
    places.min().unwrap_or(text.len())
}

/// How much at its beginning is typed; 0: nothing.
fn typed(text: &str) -> usize {
    let word = text.split([' ', ',', ';']).next().unwrap_or_default();
    let is_sql = SQL.contains(&word);
    let is_flag = word.strip_prefix("--").is_some_and(|flag| flag.starts_with(|c: char| c.is_ascii_lowercase()));
    if !is_sql && !is_flag && !PROGRAMS.contains(&word) {
        return 0;
    }
    let (mut quote, mut depth) = (None, 0_usize);
    for (at, character) in text.char_indices() {
        let rest = &text[at..];
        match (quote, character) {
            (Some(open), _) => quote = if open == character { None } else { quote },
            (None, '\'' | '"') => quote = Some(character),
            (None, ' ') if depth == 0 && (rest.starts_with(" (") || rest.starts_with(" …")) => return at,
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => return at,
            (None, ')') => depth -= 1,
            (None, ';') if depth == 0 && rest.starts_with("; ") => return at,
            // Lists of SQL have commas too.
            (None, ',') if depth == 0 && !is_sql && rest.starts_with(", ") => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_typed_stays_whole_in_any_window() {
        for (sentence, lines) in [
            ("log in again: running sessions keep it", &["log in again: running sessions", "keep it"][..]),
            ("see: df -h", &["see: df -h"]),
            (
                "see it there: sudo su - divvy, then env | grep -i proxy",
                &["see it there:", "sudo su - divvy", "env | grep -i proxy"],
            ),
            ("ics-setup check --only a,b,c,d,e,f,g,h,i,j,k", &["ics-setup check --only a,b,c,d,e,f,g,h,i,j,k"]),
            (
                "the product is: not whole; or have it made: ics-setup install --with a-long-flag 'X: y'",
                &["the product is: not whole; or", "have it made:", "ics-setup install --with a-long-flag 'X: y'"],
            ),
        ] {
            assert_eq!(set(sentence, 10, Some(40)), lines);
            assert_eq!(set(sentence, 10, None), [sentence]);
        }
    }

    #[test]
    fn what_can_be_typed_stands_apart() {
        for (sentence, parts) in [
            (
                "give the machine 4 cores, then: ics-setup check --only cpu-cores",
                &["give the machine 4 cores, then: ", "`ics-setup check --only cpu-cores"][..],
            ),
            (
                "look: cat /etc/resolv.conf; getent hosts x",
                &["look: ", "`cat /etc/resolv.conf", "; ", "`getent hosts x"],
            ),
            ("--os ubuntu, to silence it", &["`--os ubuntu", ", to silence it"]),
            (
                "look: ss -ltn 'sport = :1' (127.0.0.1 there: it)",
                &["look: ", "`ss -ltn 'sport = :1'", " (127.0.0.1 there: it)"],
            ),
            (
                "install: apt-get install x (CentOS: yum install x)",
                &["install: ", "`apt-get install x", " (CentOS: ", "`yum install x", ")"],
            ),
            (
                "run on the server: GRANT SELECT, INSERT ON *.* TO 'a; b'; SHOW x;",
                &["run on the server: ", "`GRANT SELECT, INSERT ON *.* TO 'a; b'", "; ", "`SHOW x;"],
            ),
            (
                "flush it: mysqladmin flush-hosts, or: mysql -e \"FLUSH HOSTS\"",
                &["flush it: ", "`mysqladmin flush-hosts", ", or: ", "`mysql -e \"FLUSH HOSTS\""],
            ),
            (
                "see: ls -ld $(redis-cli CONFIG GET dir | tail -n 1); then go",
                &["see: ", "`ls -ld $(redis-cli CONFIG GET dir | tail -n 1)", "; then go"],
            ),
            (
                "have the network team let TLS through: the port is open -- docker's",
                &["have the network team let TLS through: the port is open -- docker's"],
            ),
            ("try: echo 'unbalanced (", &["try: ", "`echo 'unbalanced ("]),
            ("", &[]),
            (": ; : --", &[": ; : --"]),
        ] {
            let told: Vec<String> = spans(sentence)
                .into_iter()
                .map(|span| format!("{}{}", if span.is_typed { "`" } else { "" }, span.text))
                .collect();
            assert_eq!(told, parts, "{sentence}");
        }
    }
}
