//! `proxies` in Docker's `daemon.json`, changed where they stand so that the rest of the file keeps its form.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Context;
use super::vars::ProxyVars;
use crate::environment::DAEMON_JSON;
use crate::plan::Draft;
use crate::problem::{Problem, id};
use crate::settings::NoProxy;
use crate::text;
use crate::text::{own, typed};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Plans the file when it has `proxies` already; says whether it has.
pub(super) fn plan(
    context: &Context<'_>,
    path: &Path,
    vars: &ProxyVars,
    draft: &mut Draft<'_>,
) -> Result<bool, Problem> {
    let Some(snapshot) = draft.snapshot(path)? else { return Ok(false) };
    // dockerd passes over a byte-order mark; the file keeps it.
    let (mark, content) = snapshot.bytes.split_at(if snapshot.bytes.starts_with(BOM) { BOM.len() } else { 0 });
    if content.trim_ascii().is_empty() {
        return Ok(false);
    }
    let shown = context.view.host.shown(path);
    let invalid = || {
        Problem::host(
            id::DAEMON_JSON_INVALID,
            text!("{} is not a JSON object, so the Docker daemon does not start", shown.display()),
        )
        .hint(text!("mend it: {}", typed(text!("dockerd --validate --config-file {}", shown.display()))))
    };
    let text = std::str::from_utf8(content).map_err(|error| invalid().caused_by(error))?;
    let document: Map<String, Value> = serde_json::from_str(text).map_err(|error| invalid().caused_by(error))?;
    let Some(proxies) = document.get("proxies") else { return Ok(false) };
    let Some(proxies) = proxies.as_object() else { return Err(invalid().because("\"proxies\" is not an object")) };
    let present = proxies.get("no-proxy").and_then(Value::as_str).map(NoProxy::found).unwrap_or_default();
    let mut wanted = proxies.clone();
    let mut reasons = Vec::new();
    for (name, key) in DAEMON_JSON {
        let value = vars.variables(&present).into_iter().find(|(own, _)| *own == name).map(|(_, value)| value);
        if vars.remove && wanted.shift_remove(key).is_some() {
            reasons.push(text!("take out {}", own(key)));
        }
        if let Some(value) = value
            && wanted.insert(key.to_owned(), Value::String(value.clone())) != Some(Value::String(value))
        {
            reasons.push(text!("set {}", own(key)));
        }
    }
    if wanted != *proxies {
        let bytes = rewrite(text, &document, &wanted)
            .map_err(|error| Problem::bug("daemon.json could not be written anew").caused_by(error))?;
        draft.put(path, [mark, &bytes].concat(), 0o644, reasons)?;
    }
    Ok(true)
}

/// The text with these proxies: strings are replaced in place; where that is not enough the document is written anew, with
/// the indentation that it has.
fn rewrite(text: &str, document: &Map<String, Value>, wanted: &Map<String, Value>) -> serde_json::Result<Vec<u8>> {
    let mut result = document.clone();
    if wanted.is_empty() {
        result.shift_remove("proxies");
    } else {
        result.insert("proxies".to_owned(), Value::Object(wanted.clone()));
    }
    if let Some(spliced) = in_place(text, wanted)
        && serde_json::from_str::<Map<String, Value>>(&spliced).is_ok_and(|spliced| spliced == result)
    {
        return Ok(spliced.into_bytes());
    }
    let indent = text.lines().nth(1).map(|line| &line[..line.len() - line.trim_start().len()]);
    let indent = indent.filter(|indent| !indent.is_empty());
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.unwrap_or("  ").as_bytes());
    serde::Serialize::serialize(&result, &mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
    if text.ends_with('\n') {
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn in_place(text: &str, wanted: &Map<String, Value>) -> Option<String> {
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        proxies: &'a RawValue,
    }
    let outer: Outer<'_> = serde_json::from_str(text).ok()?;
    let inner: BTreeMap<String, &RawValue> = serde_json::from_str(outer.proxies.get()).ok()?;
    let mut splices: Vec<(Range<usize>, String)> = Vec::new();
    let mut missing = String::new();
    for (key, value) in wanted {
        match inner.get(key) {
            Some(raw) => splices.push((place_of(text, raw.get())?, value.to_string())),
            None => missing.push_str(&format!("{}: {value}, ", Value::String(key.clone()))),
        }
    }
    if !missing.is_empty() {
        let at = place_of(text, outer.proxies.get())?.start + 1;
        // Before the first member there is; an object without members is written anew.
        let gap = text[at..].len() - text[at..].trim_start().len();
        (!inner.is_empty()).then_some(())?;
        splices.push((at + gap..at + gap, missing));
    }
    splices.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for (range, new) in splices {
        out.push_str(text.get(at..range.start)?);
        out.push_str(&new);
        at = range.end;
    }
    out.push_str(&text[at..]);
    Some(out)
}

/// Where a part that was borrowed from the text stands in it.
fn place_of(text: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (start + part.len() <= text.len()).then_some(start..start + part.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, proxies: &[(&str, &str)]) -> String {
        let document: Map<String, Value> = serde_json::from_str(text).unwrap();
        let wanted = proxies.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        String::from_utf8(rewrite(text, &document, &wanted).unwrap()).unwrap()
    }

    #[test]
    fn the_files_form_stays() {
        let text = "{\n\t\"log-driver\":   \"awslogs\",\n\t\"proxies\": { \"http-proxy\" : \"http://o:1\" },\n\t\"mtu\": 9000 }\n";
        assert_eq!(run(text, &[("http-proxy", "http://p:1")]), text.replace("http://o:1", "http://p:1"));
        assert_eq!(
            run(text, &[("http-proxy", "http://p:1"), ("no-proxy", "a")]),
            "{\n\t\"log-driver\":   \"awslogs\",\n\t\"proxies\": { \"no-proxy\": \"a\", \"http-proxy\" : \"http://p:1\" },\n\t\"mtu\": 9000 }\n"
        );
        assert_eq!(run(text, &[]), "{\n\t\"log-driver\": \"awslogs\",\n\t\"mtu\": 9000\n}\n");
        assert_eq!(
            run("{\"proxies\":{}}", &[("http-proxy", "x")]),
            "{\n  \"proxies\": {\n    \"http-proxy\": \"x\"\n  }\n}"
        );
    }
}
