//! What one compose file says of its services as it stands there, nothing merged and nothing filled in: for who edits it.

use std::rc::Rc;

use super::yaml::{self, Kind, Node, Odd, odd};

/// No honest file is larger.
const MOST_BYTES: usize = 256 << 10;

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Its name.
    pub(crate) name: String,
    /// Its image.
    pub(crate) image: Option<String>,
    /// Its command, words separated by blanks.
    pub(crate) command: String,
    /// Its ports in their short form.
    pub(crate) ports: Vec<String>,
    /// Its env files.
    pub(crate) env_files: Vec<String>,
    /// Its environment, as `NAME=value`.
    pub(crate) environment: Vec<String>,
}

/// The services of a file.
///
/// # Errors
/// The line, and why no reader takes the file or they differ about it.
pub(crate) fn outline(text: &str) -> Result<Vec<Outline>, Odd> {
    if text.len() > MOST_BYTES {
        return odd(0, "it is too long to be taken apart");
    }
    let Some(root) = yaml::parse(text)? else { return odd(1, "the file is empty") };
    let Some(services) = root.get("services")? else {
        return odd(root.line, "it has no services: the form of 2016, which Compose v2 does not read");
    };
    let Some(entries) = services.entries()? else { return odd(services.line, "its services are no map") };
    entries.into_iter().map(|(name, node)| of(name, node)).collect()
}

fn of(name: &str, node: &Node) -> Result<Outline, Odd> {
    let Some(entries) = node.entries()? else { return odd(node.line, "a service without anything in it") };
    let mut service = Outline { name: name.to_owned(), ..Outline::default() };
    for (key, value) in entries {
        // Names that stand twice are found wherever they stand.
        without_doubles(value)?;
        match key {
            "image" => service.image = value.text().map(str::to_owned),
            "command" => service.command = words(value).join(" "),
            "ports" => service.ports = words(value),
            "env_file" => service.env_files = words(value),
            "environment" => {
                service.environment = match value.entries()? {
                    Some(entries) => entries
                        .into_iter()
                        .filter_map(|(name, value)| Some(format!("{name}={}", value.text()?)))
                        .collect(),
                    None => words(value),
                }
            }
            _ => {}
        }
    }
    Ok(service)
}

fn without_doubles(node: &Rc<Node>) -> Result<(), Odd> {
    match &node.kind {
        Kind::Scalar { .. } => Ok(()),
        Kind::List(items) => items.iter().try_for_each(without_doubles),
        Kind::Map(_) => node.entries()?.into_iter().flatten().try_for_each(|(_, value)| without_doubles(value)),
    }
}

/// A word, or those of a list.
fn words(node: &Rc<Node>) -> Vec<String> {
    let all = node.items().unwrap_or(std::slice::from_ref(node));
    all.iter().filter_map(|item| item.text().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read_as_they_stand_and_odd_files_name_their_line() {
        let text = "x: &x {image: a:1}\nservices:\n  web:\n    <<: *x\n    command: [divvycloud, webserver]\n    ports: [\"80:8001\", {target: 1}]\n    env_file: prod.env\n    environment: {A: b}\n  other:\n    image: ${I}\n    command: a b\n    environment: [A=c, D]\n";
        let found = outline(text).unwrap();
        assert_eq!((found[0].image.as_deref(), found[0].command.as_str()), (Some("a:1"), "divvycloud webserver"));
        assert_eq!(
            (found[0].ports.as_slice(), found[0].env_files.as_slice()),
            (&["80:8001".to_owned()][..], &["prod.env".to_owned()][..])
        );
        assert_eq!((found[1].image.as_deref(), found[1].command.as_str()), (Some("${I}"), "a b"));
        assert_eq!(
            (found[0].environment.join(" "), found[1].environment.join(" ")),
            ("A=b".to_owned(), "A=c D".to_owned())
        );
        for (text, line) in [
            ("web:\n  image: a\n", 1),
            ("services:\n  web:\n", 2),
            ("services:\n  web:\n    image: a\n    labels:\n      a: b\n      a: c\n", 6),
            ("services:\n  web:\n\timage: a\n", 3),
            ("", 1),
        ] {
            assert_eq!(outline(text).map_err(|odd| odd.line), Err(line), "{text:?}");
        }
    }
}
