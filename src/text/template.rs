//! Sentences of `assets/` with places to fill.

use serde::Deserialize;

use super::fragments::{TYPED, TYPED_END};
use super::{Text, ics_setup, own};
use crate::text;

/// Places that a sentence may have. Whoever fills it knows which of them can occur.
const PLACES: [&str; 9] =
    ["compose", "home", "image", "registry", "pull", "login", "folder", "issuer", "package-manager"];

/// A sentence with places to fill: `{home}` (a place), `{ics-setup ARGUMENTS}` (a command of ours). `{{` and `}}` are braces.
/// What is typed as it stands is between backquotes.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Words(String),
    Place(String),
    IcsSetup(String),
    /// What is typed begins or ends.
    Mark(char),
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(template: String) -> Result<Self, String> {
        let wrong =
            || format!("{template:?}: a place is {{ics-setup ARGUMENTS}} or one of {{{}}}", PLACES.join("}, {"));
        let (mut parts, mut words, mut rest, mut typed) = (Vec::new(), String::new(), template.as_str(), false);
        while let Some(at) = rest.find(['{', '}', '`']) {
            words.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix('`') {
                typed = !typed;
                parts.push(Part::Words(std::mem::take(&mut words)));
                parts.push(Part::Mark(if typed { TYPED } else { TYPED_END }));
                rest = after;
                continue;
            }
            if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
                words.push_str(&rest[..1]);
                rest = after;
                continue;
            }
            let (place, after) = rest[1..].split_once('}').ok_or_else(wrong)?;
            parts.push(Part::Words(std::mem::take(&mut words)));
            parts.push(match place.strip_prefix("ics-setup ") {
                Some(arguments) => Part::IcsSetup(arguments.to_owned()),
                None if PLACES.contains(&place) => Part::Place(place.to_owned()),
                None => return Err(wrong()),
            });
            rest = after;
        }
        words.push_str(rest);
        parts.push(Part::Words(words));
        if typed {
            return Err(format!("{template:?}: a backquote has no other one"));
        }
        Ok(Self(parts))
    }
}

impl Template {
    /// The sentence, with what stands in its places. One that nobody fills is left out.
    pub(crate) fn fill(&self, places: &[(&str, Text)]) -> Text {
        let parts = self.0.iter().map(|part| match part {
            Part::Words(words) => text!("{}", own(words)),
            Part::Place(name) => {
                places.iter().find(|(own, _)| own == name).map(|(_, text)| text.clone()).unwrap_or_default()
            }
            Part::IcsSetup(arguments) => ics_setup(text!("{}", own(arguments))).into(),
            Part::Mark(mark) => Text::of_marked(*mark),
        });
        Text::join(parts, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Person;

    #[test]
    fn places_of_templates_are_filled_by_type() {
        let template = Template::try_from("in {home}: {compose} up; {{x}} {ics-setup check proxy}".to_owned()).unwrap();
        let filled = template.fill(&[("compose", "docker compose".into()), ("home", "/divvy".into())]);
        assert_eq!(filled, "in /divvy: docker compose up; {x} ics-setup check proxy");
        assert_eq!(
            filled.pasted_by(&Person { image: Some("/mnt".into()), privileged: true, ..Person::default() }),
            "in /divvy: docker compose up; {x} ics-setup check proxy --root /mnt"
        );
        let typed = Template::try_from("look: `df -h {home}`".to_owned()).unwrap().fill(&[("home", "/divvy".into())]);
        let parts: Vec<_> = typed.parts().map(|(is_typed, _)| is_typed).collect();
        assert_eq!((&*typed, parts.as_slice()), ("look: df -h /divvy", &[false, true][..]));
        for wrong in ["{x}", "{home", "a } b", "a ` b"] {
            assert!(Template::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
