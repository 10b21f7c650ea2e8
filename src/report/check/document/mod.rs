//! The report to forward: one HTML file that needs no network and no script, and the same as Markdown for a ticket.
//!
//! | module | what it does |
//! | --- | --- |
//! | `view` | what is shown, as plain values: verdict, what is wrong, tables |
//! | `marked` | the same for Markdown |
//! | `times` | how long the ways took |
//! | `picture` | where the boxes and lines of the picture stand |
//!
//! The templates in `assets/report` escape every text; what comes from outside is data to them.

mod marked;
mod picture;
#[cfg(test)]
mod tests;
mod times;
mod view;

use askama::Template;

use super::Checked;
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
pub fn html(checked: &Checked<'_>) -> String {
    let view = View::new(checked);
    // Templates of strings and numbers, written into a string: nothing in it can fail.
    Html { view: &view }.render().unwrap_or_default()
}

/// The same for a ticket.
pub fn markdown(checked: &Checked<'_>) -> String {
    let view = View::new(checked).for_markdown();
    Markdown { view: &view }.render().unwrap_or_default()
}
