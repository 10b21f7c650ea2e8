//! The report to forward: one HTML file that needs no network and no script, and the same as Markdown for a ticket.
//!
//! | module | what it does |
//! | --- | --- |
//! | `view` | what is shown, as plain values: verdict, groups, paths, times, tables |
//! | `picture` | where the boxes and lines of the picture stand |
//!
//! The templates in `assets/report` escape every text; what comes from outside is data to them.

mod picture;
#[cfg(test)]
mod tests;
mod view;

use askama::Template;

use super::Checked;
use crate::check::Record;
use view::View;

#[derive(Template)]
#[template(path = "report.html", config = "assets/report/askama.toml")]
struct Html<'a> {
    view: &'a View,
}

#[derive(Template)]
#[template(path = "report.md", escape = "none", config = "assets/report/askama.toml")]
struct Markdown<'a> {
    view: &'a View,
}

/// A self-contained page.
pub fn html(record: &Record, checked: &Checked<'_>) -> String {
    let view = View::new(record, checked);
    // Templates of strings and numbers, written into a string: nothing in it can fail.
    Html { view: &view }.render().unwrap_or_default()
}

/// The same for a ticket.
pub fn markdown(record: &Record, checked: &Checked<'_>) -> String {
    let view = View::new(record, checked).for_markdown();
    Markdown { view: &view }.render().unwrap_or_default()
}
