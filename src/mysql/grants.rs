//! What `SHOW GRANTS` says, and what is missing in it.

use serde::{Deserialize, Serialize};

use crate::net::shown;

/// What ALL on a database is made of, up to 8.0.
const ALL: [&str; 18] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "EXECUTE",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "EVENT",
    "TRIGGER",
];

/// One line of `SHOW GRANTS`, without the account and what stands behind it (old servers show the password's hash there).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// Taken away again (8.0's partial revokes).
    #[serde(default)]
    pub(crate) revoked: bool,
    /// In upper case, without columns; the names of roles where `database` is null.
    pub(crate) privileges: Vec<String>,
    /// `*` or a pattern, as in the grant; null: roles.
    pub(crate) database: Option<String>,
    /// The table, where it is for one only.
    pub(crate) table: Option<String>,
    /// May it be passed on?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) passes_on: bool,
}

impl Grant {
    /// Reads a line; `None`: not one that grants.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (revoked, rest) = match keyword(line, "GRANT ") {
            Some(rest) => (false, rest),
            None => (true, keyword(line, "REVOKE ")?),
        };
        let end = if revoked { " FROM " } else { " TO " };
        let (what, behind) = split(rest, end)?;
        let passes_on = split(behind, "WITH ").is_some_and(|(_, options)| split(options, "GRANT OPTION").is_some());
        let (names, level) = split(what, " ON ").map_or((what, None), |(names, level)| (names, Some(level)));
        let privileges = names_of(names, level.is_some());
        let Some(level) = level else {
            return Some(Self { revoked, privileges, database: None, table: None, passes_on });
        };
        let (database, rest) = name(level.trim())?;
        let table = rest.strip_prefix('.').filter(|table| *table != "*").map(shown);
        Some(Self { revoked, privileges, database: Some(database), table, passes_on })
    }

    /// Does it name this privilege, or all of them?
    fn names(&self, privilege: &str) -> bool {
        self.privileges.iter().any(|own| [privilege, "ALL", "ALL PRIVILEGES"].contains(&own.as_str()))
    }

    fn covers(&self, database: &str) -> bool {
        self.table.is_none()
            && self.database.as_deref().is_some_and(|pattern| pattern == "*" || matches(pattern, database))
    }
}

/// The privileges on a database that are missing for ALL.
pub(crate) fn missing(grants: &[Grant], database: &str, any_case: bool) -> Vec<&'static str> {
    let lower = |text: &str| if any_case { text.to_lowercase() } else { text.to_owned() };
    let database = lower(database);
    let grants: Vec<Grant> =
        grants.iter().map(|grant| Grant { database: grant.database.as_deref().map(lower), ..grant.clone() }).collect();
    let covering = || grants.iter().filter(|grant| grant.covers(&database));
    let held = |privilege: &str| {
        let some = |revoked| covering().any(|grant| grant.revoked == revoked && grant.names(privilege));
        some(false) && !some(true)
    };
    ALL.into_iter().filter(|privilege| !held(privilege)).collect()
}

/// Is the global privilege RELOAD there?
pub(crate) fn has_reload(grants: &[Grant]) -> bool {
    has_global(grants, "RELOAD")
}

/// Is this privilege there on everything?
pub(super) fn has_global(grants: &[Grant], privilege: &str) -> bool {
    let global = |grant: &&Grant| grant.table.is_none() && grant.database.as_deref() == Some("*") && !grant.revoked;
    grants.iter().filter(global).any(|grant| grant.names(privilege))
}

/// Is there a right to write to a server that is read-only: SUPER, which ALL on everything has, or its heirs of MariaDB 10.11
/// and MySQL 8.0?
pub(crate) fn writes_read_only(grants: &[Grant]) -> bool {
    ["SUPER", "READ_ONLY ADMIN", "CONNECTION_ADMIN"].iter().any(|name| has_global(grants, name))
}

/// The roles that were granted: their privileges are not shown.
pub(crate) fn roles(grants: &[Grant]) -> Vec<&str> {
    grants
        .iter()
        .filter(|grant| grant.database.is_none())
        .flat_map(|grant| &grant.privileges)
        .map(String::as_str)
        .collect()
}

fn keyword<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = line.trim_start().split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(rest)
}

/// The first `word` that stands outside of quotes and brackets.
fn split<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    outside(text).find_map(|at| {
        let rest = text.get(at..at + word.len())?;
        rest.eq_ignore_ascii_case(word).then(|| (&text[..at], &text[at + word.len()..]))
    })
}

/// The positions outside of quotes and brackets.
fn outside(text: &str) -> impl Iterator<Item = usize> {
    let (mut quote, mut depth) = (None, 0_usize);
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'`' | b'"' | b'\'') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth = depth.saturating_sub(1),
            (None, _) => return (depth == 0).then_some(at),
        }
        None
    })
}

fn names_of(text: &str, privileges: bool) -> Vec<String> {
    let mut cuts: Vec<usize> = outside(text).filter(|at| text.as_bytes()[*at] == b',').collect();
    cuts.push(text.len());
    let mut begin = 0;
    let mut names = Vec::new();
    for cut in cuts {
        let name = text.get(begin..cut).unwrap_or_default();
        begin = cut + 1;
        // A privilege on columns only is none on the table.
        if !privileges {
            names.push(shown(name));
        } else if !name.contains('(') {
            names.push(shown(name).to_uppercase());
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// A name in quotes or without, and what follows.
fn name(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next()?;
    if quote != '`' && quote != '"' {
        let end = text.find('.').unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    }
    let mut name = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            name.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            name.push(c);
            chars.next();
        } else {
            return Some((name, &text[at + 1..]));
        }
    }
    None
}

/// Does a pattern of a grant (`%`, `_`, each with `\` for itself) match a name?
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    // By the set of positions in the pattern that are possible after each character: linear memory, no recursion.
    let mut steps: Vec<(char, bool)> = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => steps.push((chars.next().unwrap_or('\\'), true)),
            c => steps.push((c, false)),
        }
    }
    let any = |at: usize| steps.get(at) == Some(&('%', false));
    let spread = |states: &mut Vec<bool>| {
        for at in 0..steps.len() {
            if states[at] && any(at) {
                states[at + 1] = true;
            }
        }
    };
    let mut states = vec![false; steps.len() + 1];
    states[0] = true;
    spread(&mut states);
    for c in name.chars() {
        let mut next = vec![false; steps.len() + 1];
        for at in (0..steps.len()).filter(|at| states[*at]) {
            if any(at) {
                next[at] = true;
            } else if steps[at] == ('_', false) || steps[at].0 == c {
                next[at + 1] = true;
            }
        }
        spread(&mut next);
        states = next;
    }
    states[steps.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grants(lines: &[&str]) -> Vec<Grant> {
        lines.iter().filter_map(|line| Grant::parse(line)).collect()
    }

    const USAGE: &str = "GRANT USAGE ON *.* TO 'divvy'@'%'";
    const EIGHT: &str = "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, SHUTDOWN, PROCESS, FILE, REFERENCES, INDEX, ALTER, SHOW DATABASES, SUPER, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER, CREATE TABLESPACE, CREATE ROLE, DROP ROLE ON *.* TO `divvy`@`%` WITH GRANT OPTION";
    const DYNAMIC: &str = "GRANT APPLICATION_PASSWORD_ADMIN,AUDIT_ADMIN,BACKUP_ADMIN,BINLOG_ADMIN,FLUSH_TABLES ON *.* TO `divvy`@`%` WITH GRANT OPTION";

    #[test]
    fn what_servers_write_is_understood() {
        for (lines, whole, reload) in [
            (&[USAGE][..], false, false),
            (&[USAGE, "GRANT ALL PRIVILEGES ON `divvy`.* TO 'divvy'@'%'"], true, false),
            (
                &[
                    "GRANT RELOAD ON *.* TO 'divvy'@'%' IDENTIFIED BY PASSWORD '*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B'",
                    "GRANT ALL PRIVILEGES ON `divvy`.* TO 'divvy'@'%'",
                ],
                true,
                true,
            ),
            (&["GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION"], true, true),
            (&["grant all on `divvy`.* to `divvy`@`%`"], true, false),
            (&["GRANT ALL PRIVILEGES ON `divvy%`.* TO x"], true, false),
            (&["GRANT ALL PRIVILEGES ON `div__`.* TO x"], true, false),
            (&["GRANT ALL PRIVILEGES ON `div\\_y`.* TO x"], false, false),
            (&["GRANT ALL PRIVILEGES ON `Divvy`.* TO x"], false, false),
            (&["GRANT ALL PRIVILEGES ON `divvy`.`one` TO x"], false, false),
            (&["GRANT SELECT (`a`, `b`), INSERT ON `divvy`.* TO x"], false, false),
            (&[EIGHT, DYNAMIC], true, true),
            (&[EIGHT, "REVOKE INSERT ON `divvy`.* FROM `divvy`@`%`"], false, true),
            (&["GRANT PROXY ON ''@'' TO 'root'@'localhost' WITH GRANT OPTION"], false, false),
            (&["GRANT ALL PRIVILEGES ON \"divvy\".* TO \"divvy\"@\"%\""], true, false),
        ] {
            let grants = grants(lines);
            assert_eq!(missing(&grants, "divvy", false).is_empty(), whole, "{lines:?}");
            assert_eq!(has_reload(&grants), reload, "{lines:?}");
        }
        assert!(missing(&grants(&["GRANT ALL PRIVILEGES ON `Divvy`.* TO x"]), "divvy", true).is_empty());
        assert!(missing(&grants(&["GRANT ALL PRIVILEGES ON `a\\_b`.* TO x"]), "a_b", false).is_empty());
        assert_eq!(missing(&grants(&["GRANT ALL ON `d ON x`.* TO y"]), "d ON x", false), Vec::<&str>::new());
        assert_eq!(roles(&grants(&["GRANT `app`@`%`,`ops`@`%` TO `divvy`@`%`"])), ["`app`@`%`", "`ops`@`%`"]);
        let passes = |line| grants(&[line])[0].passes_on;
        assert!(passes(EIGHT) && passes("GRANT ALL ON *.* TO 'r'@'%' REQUIRE SSL WITH GRANT OPTION"));
        assert!(passes("GRANT ALL ON *.* TO 'r'@'%' WITH MAX_USER_CONNECTIONS 5 GRANT OPTION"));
        assert!(!passes(USAGE) && !passes("GRANT ALL ON *.* TO 'a WITH GRANT OPTION'@'%'"));
    }

    #[test]
    fn hashes_never_get_in() {
        let text = format!("{:?}", grants(&["GRANT ALL ON *.* TO 'a'@'%' IDENTIFIED BY PASSWORD '*81F5E21E'"]));
        assert!(!text.contains("81F5"), "{text}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(GRANT |REVOKE )?[A-Z`'\"().,*%_\\\\é ]{0,80}( ON | TO )?[a-z`.*\\\\%]{0,20}") {
            if let Some(grant) = Grant::parse(&text) {
                let grants = [grant];
                let _ = (missing(&grants, "divvy", true), has_reload(&grants), roles(&grants).len());
            }
        }

        #[test]
        fn a_literal_pattern_matches_itself_only(name in "[a-z]{0,12}", other in "[a-z]{0,12}") {
            prop_assert!(matches(&name, &name));
            prop_assert_eq!(matches(&name, &other), name == other);
            let (pattern, longer) = (format!("{name}%"), format!("{name}{other}"));
            prop_assert!(matches(&pattern, &longer));
        }
    }
}
