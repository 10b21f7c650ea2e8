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
        false => format!("What the models say over {files} (no program was asked)\n\n"),
    };
    // In place of the product's user somebody else logs in where there is none yet.
    let by_su = proven.programs.iter().find(|program| program.door == Door::SuLogin);
    if let Some(why) = by_su.and_then(|program| instead(program.user.as_deref()?)) {
        let _ = writeln!(text, "Logins are {}\n", line(redactor, &why));
    }
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
    let wide = |row: &(String, Vec<&str>, String)| row.1.join(", ").chars().count();
    let width = rows.iter().map(wide).max().unwrap_or(0).max(8) + 2;
    let _ = writeln!(text, "  {:<18}{:<width$}{:<18}{:<18}metadata", "", "", "public endpoint", "internal name");
    for (who, names, cells) in &rows {
        let row = format!("{who:<18}{:<width$}{cells}", names.join(", "));
        let _ = writeln!(text, "  {}", visible(row.trim_end()));
    }
    // What was not asked is told beside what is wrong: silence would pass for an answer.
    let told: Vec<Finding> =
        proven.findings.iter().filter(|finding| verbose || finding.status != Status::Pass).cloned().collect();
    let told = human_findings(&told, true, redactor, paint, columns);
    if !told.is_empty() {
        let _ = write!(text, "\n{told}");
    }
    text
}

/// The answer, in a line: of the programs that were asked, each at its door.
fn verdict(proven: &Proven, paint: Paint) -> String {
    let asked = proven.programs.iter().filter(|program| !program.asks.is_empty());
    let (wrong, right): (Vec<_>, Vec<_>) = asked.partition(|program| program.wrong.iter().any(Option::is_some));
    let (code, text) = match (wrong.len(), wrong.len() + right.len()) {
        (0, all) => ("32", format!("All {all} programs that were asked take the wanted way")),
        (wrong, all) => ("33", format!("{wrong} of {all} programs that were asked do not take the wanted way")),
    };
    paint.bold(&paint.with(code, &text))
}

/// The three columns of a row.
fn cells(program: &Program, unicode: bool) -> String {
    if program.asks.is_empty() {
        return program.model.iter().map(|way| format!("{:<18}", format!("{} (model)", way.as_str()))).collect();
    }
    let cell = |(number, ask): (usize, &Ask)| {
        let drawn = |status| format!(" {}", mark(status, unicode).0);
        let mark = match program.wrong.get(number) {
            Some(Some(_)) => drawn(Status::Fail),
            Some(None) => drawn(Status::Pass),
            None => String::new(),
        };
        let login = if ask.way == Way::Proxy && ask.login == Login::Wrong { ", login" } else { "" };
        format!("{:<18}", format!("{}{login}{mark}", ask.way.as_str()))
    };
    program.asks.iter().enumerate().map(cell).collect()
}
