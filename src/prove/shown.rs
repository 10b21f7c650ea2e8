//! The table for people, the JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json as value};

use crate::consumers::Door;
use crate::environment::instead;
use crate::finding::{Finding, Status};
use crate::redact::Redactor;
use crate::report::check::mark;
use crate::report::{Paint, human_findings, line, visible};
use crate::sandbox::Login;
use crate::text::seconds;

use super::{Ask, Program, Proven, Way};

/// `programs`, as product.md has them.
pub(crate) fn json(proven: &Proven) -> Value {
    let ask = |(ask, url): (&Ask, &String)| value!({"url": url, "route": ask.way.as_str(), "proxy": ask.proxy, "login": ask.login.as_str()});
    let program = |program: &Program| {
        value!({
            "consumer": program.consumer.as_str(),
            "door": program.door.as_str(),
            "client": program.client.id,
            "program": program.program,
            "user": program.user,
            "asks": program.asks.iter().zip(&proven.urls).map(ask).collect::<Vec<_>>(),
            "known": if program.asks.is_empty() { "model" } else { "asked" },
            "model": program.model.iter().map(|way| way.as_str()).collect::<Vec<_>>(),
            "agrees": program.agrees(),
        })
    };
    proven.programs.iter().map(program).collect()
}

/// The table, then what is to be said.
pub(crate) fn human(
    proven: &Proven,
    verbose: bool,
    (unicode, columns): (bool, Option<usize>),
    redactor: &Redactor,
    paint: Paint,
) -> String {
    let files = if proven.planned { "the planned files" } else { "the files as they are" };
    let asked = proven.programs.iter().any(|program| !program.asks.is_empty());
    let mut text = match asked {
        true => format!(
            "{}\nAsked this host's own programs over {files} (nothing was written, {})\n\n",
            verdict(proven, paint),
            seconds(proven.took)
        ),
        false if proven.programs.is_empty() => format!("Nothing is proved over {files}: no program was asked\n"),
        false => format!("What the models say over {files} (no program was asked)\n\n"),
    };
    // In place of the product's user somebody else logs in where there is none yet.
    let by_su = proven.programs.iter().find(|program| program.door == Door::SuLogin);
    if let Some(why) = by_su.and_then(|program| instead(program.user.as_deref()?)) {
        let _ = writeln!(text, "Logins are {}\n", line(redactor, &why));
    }
    text.push_str(&table(proven, unicode, columns));
    // What was not asked is told beside what is wrong: silence would pass for an answer.
    let told: Vec<Finding> =
        proven.findings.iter().filter(|finding| verbose || finding.status != Status::Pass).cloned().collect();
    let told = human_findings(&told, true, redactor, paint, columns);
    if !told.is_empty() {
        let _ = write!(text, "\n{told}");
    }
    text
}

/// The heads of the three columns. Each is as wide as the longest that stands in it, and a gap.
const HEADS: [(&str, usize); 3] = [("public endpoint", 17), ("internal name", 16), ("metadata", 14)];

/// Programs that have as little room as this have a line each, in columns.
const NAMES: usize = 12;

/// A row for each door and way; programs that go the same way share one, and take further lines where the window is narrow.
fn table(proven: &Proven, unicode: bool, columns: Option<usize>) -> String {
    let mut rows: Vec<(String, Vec<&str>, String)> = Vec::new();
    for program in &proven.programs {
        let who = match (program.door, &program.user) {
            (Door::Nothing, _) => String::new(),
            (Door::SuLogin, Some(user)) => format!("su - {user}"),
            (door, Some(user)) => format!("{} {user}", door.as_str()),
            (door, None) => door.as_str().to_owned(),
        };
        let cells = cells(program, unicode);
        match rows.last_mut().filter(|(door, _, known)| *door == who && !who.is_empty() && *known == cells) {
            Some((_, names, _)) => names.push(program.program),
            None => rows.push((who, vec![program.program], cells)),
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let longest = |lengths: Vec<usize>| lengths.into_iter().max().unwrap_or(0) + 2;
    let door = longest(rows.iter().map(|(who, ..)| who.chars().count()).collect());
    let others = 2 + door + HEADS.iter().map(|(_, width)| width).sum::<usize>();
    let natural = longest(rows.iter().map(|(_, names, _)| names.join(", ").chars().count()).collect());
    let width = columns.map_or(natural, |columns| natural.min(columns.saturating_sub(others).max(NAMES)));
    let heads: String = HEADS.iter().map(|(head, width)| format!("{head:<width$}")).collect();
    let line = |who: &str, names: &str, cells: &str| {
        format!("  {}\n", visible(format!("{who:<door$}{names:<width$}{cells}").trim_end()))
    };
    let mut text = line("", "", &heads);
    for (who, names, cells) in &rows {
        let mut lines: Vec<String> = vec![String::new()];
        for (index, name) in names.iter().enumerate() {
            let name = if index + 1 < names.len() { format!("{name}, ") } else { (*name).to_owned() };
            match lines.last_mut().filter(|own| own.is_empty() || own.len() + name.trim_end().len() + 2 <= width) {
                Some(last) => last.push_str(&name),
                None => lines.push(name),
            }
        }
        for (index, names) in lines.iter().enumerate() {
            let (who, cells) = if index == 0 { (who.as_str(), cells.as_str()) } else { ("", "") };
            text.push_str(&line(who, names.trim_end(), cells));
        }
    }
    text
}

/// The answer, in a line: of the programs that were asked, each at its door.
fn verdict(proven: &Proven, paint: Paint) -> String {
    let asked = proven.programs.iter().filter(|program| !program.asks.is_empty());
    let (wrong, right): (Vec<_>, Vec<_>) = asked.partition(|program| program.wrong.iter().any(Option::is_some));
    let (code, text) = match (wrong.len(), wrong.len() + right.len()) {
        (0, all) => ("32", format!("All {all} programs that were asked take the wanted way")),
        (1, all) => ("33", format!("1 of {all} programs that were asked does not take the wanted way")),
        (wrong, all) => ("33", format!("{wrong} of {all} programs that were asked do not take the wanted way")),
    };
    paint.bold(&paint.with(code, &text))
}

/// The three columns of a row.
fn cells(program: &Program, unicode: bool) -> String {
    if program.asks.is_empty() {
        let cell =
            |(way, (_, width)): (&Way, (&str, usize))| format!("{:<width$}", format!("{} (model)", way.as_str()));
        return program.model.iter().zip(HEADS).map(cell).collect();
    }
    let cell = |((number, ask), (_, width)): ((usize, &Ask), (&str, usize))| {
        let drawn = |status| format!(" {}", mark(status, unicode).0);
        let mark = match program.wrong.get(number) {
            Some(Some(_)) => drawn(Status::Fail),
            Some(None) => drawn(Status::Pass),
            None => String::new(),
        };
        let login = if ask.way == Way::Proxy && ask.login == Login::Wrong { ", login" } else { "" };
        format!("{:<width$}", format!("{}{login}{mark}", ask.way.as_str()))
    };
    program.asks.iter().enumerate().zip(HEADS).map(cell).collect()
}
