//! JSON Schema of the settings file, made from the table.

use serde_json::{Map, Value, json};

use super::table::{Shape, Spec, by_section};

/// The schema (draft 2020-12).
pub fn schema() -> Value {
    let mut properties = Map::new();
    for (section, specs) in by_section() {
        let of_section: Map<String, Value> =
            specs.iter().map(|(name, spec)| ((*name).to_owned(), property(spec))).collect();
        if section.is_empty() {
            properties.extend(of_section);
        } else {
            let table = json!({"type": "object", "additionalProperties": false, "properties": of_section});
            properties.insert(section.to_owned(), table);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ics-setup settings",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn property(spec: &Spec) -> Value {
    let mut value = match spec.shape {
        Shape::Text | Shape::Path | Shape::Duration => json!({"type": "string"}),
        Shape::Release => json!({"type": "string", "pattern": "^[vV]?[0-9]{1,8}([.][0-9]{1,8})*$"}),
        Shape::Switch => json!({"type": "boolean"}),
        Shape::List => json!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
        Shape::Port => json!({"type": "integer", "minimum": 1, "maximum": 65535}),
        Shape::Number => json!({"type": "integer", "minimum": 1, "maximum": 999}),
        Shape::Words(words) => {
            let word = format!(" *({}) *", words.join("|"));
            json!({"oneOf": [
                {"type": "string", "pattern": format!("^{word}(,{word})*$")},
                {"type": "array", "items": {"enum": words}, "uniqueItems": true},
            ]})
        }
        Shape::Choice(choices) => json!({"enum": choices}),
    };
    if let Value::Object(fields) = &mut value {
        fields.insert("description".to_owned(), json!(format!("{}. ({})", spec.help, spec.variable)));
        if spec.secret {
            fields.insert("writeOnly".to_owned(), json!(true));
        }
        if let Some(default) = spec.default {
            let default = if spec.shape == Shape::Switch { json!(default == "true") } else { json!(default) };
            fields.insert("default".to_owned(), default);
        }
    }
    value
}
