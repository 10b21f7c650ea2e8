//! Services that a file has and its host does not run: each line of theirs is kept where it stands, as a comment.
//!
//! A comment is the one form that every Compose takes: 1.25 refuses `profiles:`, and `scale: 0` would write over the number
//! that stands there and reach the services that are merged from the block. Behind the mark a line is what it was, with
//! whatever a person wrote into it, so that taking the marks away gives the file back byte for byte.

use std::ops::Range;
use std::rc::Rc;

use super::super::yaml::{Kind, Node, Odd, odd};
use super::page::Page;
use super::value::Value;
use super::{LISTS, document, quoted_raw};

/// What a line begins with that is kept.
const MARK: &str = "#ics-setup-out|";

/// What the line ends with that stands for kept ones above it: some items of a list in brackets.
const INSTEAD: &str = " # ics-setup: instead of the line above";

/// What takes something of another service, which nothing can stand for.
const NEEDS: [&str; 5] = ["extends", "volumes_from", "network_mode", "ipc", "pid"];

const EDITED: &str = "a line that ics-setup keeps or has put here was edited since";

/// The text with all of its services.
///
/// # Errors
/// The line that stands for kept ones, where either was edited since.
pub(crate) fn restored(text: &str) -> Result<String, Odd> {
    let (mut all, mut instead) = (String::with_capacity(text.len()), None);
    let mut is_kept = false;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        if is_kept && line.trim_end().ends_with(INSTEAD) {
            (instead, is_kept) = (Some(at + 1), false);
            // The line above it was the last one, and had no end.
            if !line.ends_with('\n') {
                let end = all.strip_suffix("\r\n").or_else(|| all.strip_suffix('\n')).map_or(all.len(), str::len);
                all.truncate(end);
            }
            continue;
        }
        let kept = line.strip_prefix(MARK);
        is_kept = kept.is_some();
        all.push_str(kept.unwrap_or(line));
    }
    let Some(line) = instead else { return Ok(all) };
    match without(&all, &of_both(&all, text)?)? == text {
        true => Ok(all),
        false => odd(line, EDITED),
    }
}

/// The services that a text has only as comments.
///
/// # Errors
/// As [`restored`]; the line for which readers refuse one of both texts, such as a service that stands there twice then.
pub(crate) fn taken_out(text: &str) -> Result<Vec<String>, Odd> {
    if !text.contains(MARK) { Ok(Vec::new()) } else { of_both(&restored(text)?, text) }
}

/// The services of the one text that are not in the other.
fn of_both(all: &str, text: &str) -> Result<Vec<String>, Odd> {
    let here = names(text)?;
    Ok(names(all)?.into_iter().filter(|name| !here.contains(name)).collect())
}

fn names(text: &str) -> Result<Vec<String>, Odd> {
    let root = document(text)?;
    let Some(services) = root.get("services")? else { return odd(1, "it has no services") };
    Ok(services.entries()?.unwrap_or_default().into_iter().map(|(name, _)| name.to_owned()).collect())
}

/// The text without these services, and without what others say of them.
///
/// # Errors
/// The line, and why: a service stands in brackets or shares its values with one that stays, another one needs it, or the
/// result would say something else than it is to say.
pub(crate) fn without(text: &str, out: &[String]) -> Result<String, Odd> {
    if out.is_empty() {
        return Ok(text.to_owned());
    }
    let root = document(text)?;
    let Some(services) = root.get("services")? else { return odd(1, "it has no services") };
    let Kind::Map(entries) = &services.kind else { return odd(services.line, "its services are no map") };
    let (mut cuts, mut first) = (Vec::new(), None);
    for (key, value) in entries {
        let name = key.text().unwrap_or_default();
        if out.iter().any(|own| own == name) {
            first = first.or(Some(key.line));
            cuts.push(Cut { lines: lines(text, services, key, value)?, instead: None });
        } else if is_behind(key, value, services) {
            cuts.extend(references(text, value, out)?);
        }
    }
    let made = cut(text, cuts);
    // What only an anchor in the block says is not known any more.
    let shares =
        || Odd { line: first.unwrap_or(1), why: "another part of the file takes its values from this service" };
    if Value::read(&made).map_err(|_| shares())?.without(&[]) != Value::read(text)?.without(out) {
        return odd(first.unwrap_or(1), "taking this service out would change more than it is to change");
    }
    Ok(made)
}

/// Lines that are kept, and what stands for them.
struct Cut {
    lines: Range<usize>,
    instead: Option<String>,
}

fn cut(text: &str, mut cuts: Vec<Cut>) -> String {
    cuts.sort_by_key(|cut| cut.lines.start);
    let eol = Page::new(text).eol();
    let (mut made, mut at) = (String::with_capacity(text.len()), 0);
    for Cut { lines, instead } in cuts {
        made.push_str(&text[at..lines.start]);
        for line in text[lines.clone()].split_inclusive('\n') {
            made.extend([MARK, line]);
        }
        if let Some(instead) = instead {
            let ends = made.ends_with('\n');
            // The last line of a file may have no end, which then is that of what stands for it.
            made.extend(if ends { ["", &instead, eol] } else { [eol, &instead, ""] });
        }
        at = lines.end;
    }
    made + &text[at..]
}

/// What a service that stays says of those that go.
fn references(text: &str, service: &Rc<Node>, out: &[String]) -> Result<Vec<Cut>, Odd> {
    let goes = |name: &str| out.iter().any(|own| own == name);
    for need in NEEDS {
        let Some(value) = service.get(need)? else { continue };
        let words = match (value.items(), value.get("service")?) {
            (Some(items), _) => items.iter().filter_map(|item| item.text()).collect(),
            (None, Some(service)) => service.text().into_iter().collect::<Vec<_>>(),
            (None, None) => value.text().into_iter().collect(),
        };
        let name = |word: &str| word.strip_prefix("service:").unwrap_or(word).split(':').next().map(str::to_owned);
        // Another file's service of that name is another one.
        let elsewhere = need == "extends" && value.get("file")?.is_some();
        if !elsewhere && words.into_iter().filter_map(name).any(|name| goes(&name)) {
            return odd(value.line, "this service needs one that this host is not to run");
        }
    }
    let mut cuts = Vec::new();
    for list in LISTS {
        let Some(value) = service.get(list)? else { continue };
        let named = |node: &Node| node.text().and_then(|word| word.split(':').next()).is_some_and(goes);
        let (gone, all) = match &value.kind {
            Kind::List(items) => (items.iter().filter(|item| named(item)).count(), items.len()),
            Kind::Map(entries) => (entries.iter().filter(|(key, _)| named(key)).count(), entries.len()),
            Kind::Scalar { .. } => (0, 1),
        };
        if gone == 0 {
            continue;
        }
        let Some((key, _)) = service.entry(list).filter(|_| !service.flow) else {
            return odd(value.line, "it names a service that this host is not to run, and cannot be edited here");
        };
        let whole = lines(text, service, key, value)?;
        match &value.kind {
            _ if gone == all => cuts.push(Cut { lines: whole, instead: None }),
            Kind::List(items) if value.flow => {
                let rest = items.iter().filter(|item| !named(item));
                let rest: Vec<String> = rest.filter_map(|item| item.text()).map(quoted_raw).collect();
                let instead = format!("{}{list}: [{}]{INSTEAD}", " ".repeat(key.column), rest.join(", "));
                cuts.push(Cut { lines: whole, instead: Some(instead) });
            }
            Kind::List(items) => {
                for item in items.iter().filter(|item| named(item)) {
                    let start = line_start(text, item.range.start);
                    if text[start..item.range.start].trim() != "-" {
                        return odd(item.line, "an item that does not stand alone on its line");
                    }
                    cuts.push(Cut { lines: start..line_end(text, item.range.end), instead: None });
                }
            }
            Kind::Map(entries) if !value.flow => {
                for (key, condition) in entries.iter().filter(|(key, _)| named(key)) {
                    cuts.push(Cut { lines: lines(text, value, key, condition)?, instead: None });
                }
            }
            _ => return odd(value.line, "it names a service that this host is not to run, in braces"),
        }
    }
    Ok(cuts)
}

/// The lines of an entry of a map in block style.
fn lines(text: &str, map: &Node, key: &Node, value: &Node) -> Result<Range<usize>, Odd> {
    let start = line_start(text, key.range.start);
    if map.flow || !text[start..key.range.start].trim().is_empty() {
        return odd(key.line, "it does not begin its line");
    }
    let end = if is_behind(key, value, map) { value.range.end } else { key.range.end };
    Ok(start..line_end(text, end))
}

/// Does the value stand behind its key? What an alias stands for is elsewhere.
fn is_behind(key: &Node, value: &Node, map: &Node) -> bool {
    key.range.end <= value.range.start && value.range.end <= map.range.end
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// Behind the line in which the last word before that place stands.
fn line_end(text: &str, at: usize) -> usize {
    let end = text[..at].trim_end().len();
    text[end..].find('\n').map_or(text.len(), |at| end + at + 1)
}

impl Node {
    /// The name and the value that stand in this map itself.
    fn entry(&self, name: &str) -> Option<&(Rc<Node>, Rc<Node>)> {
        let Kind::Map(entries) = &self.kind else { return None };
        entries.iter().find(|(key, _)| key.text() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shapes of real files with an interface, a scheduler and a worker, comments and additions of people.
    const SHAPES: [&str; 11] = [
        include_str!("../../../../assets/product/docker-compose.production.yml"),
        // Lists of services in every form.
        "version: '2.2'\nservices:\n  interfaceserver:\n    image: a:1\n    depends_on:\n      - scheduler   # first\n      - cache\n    links:\n    - \"scheduler:s\"\n  scheduler:\n    image: a:1\n  worker:\n    image: a:1\n    depends_on: [ scheduler, cache ]   # both\n    links: [scheduler, interfaceserver]\n  cache: {image: redis}\n",
        "services:\n  interfaceserver:\n    image: a:1\n    depends_on:\n      scheduler:\n        condition: service_started\n      cache:\n        condition: service_started\n  scheduler: {image: 'a:1', command: divvycloud scheduler}   # c\n  worker:\n    image: a:1\n    depends_on: {scheduler: {condition: service_started}}\n  cache:\n    image: redis\n",
        // Texts over lines, blank lines, what is indented less and more, comments of people, no end of the last line.
        "services:\n    interfaceserver:\n        image: a:1\n        labels:\n            x: |+\n                text\n\n    # of the scheduler\n    scheduler:\n        image: a:1\n\n        # mine\n        environment:\n        - A=b\n        - C=#d\n        command: >\n          divvycloud\n          scheduler\n            # not theirs\n\n\n    worker:\n        image: a:1\n        #- old\n        command: [\n          divvycloud,\n      worker ]",
        "x-app: &app\n  image: a:1\n  restart: always\nservices:\n  interfaceserver:\n    <<: *app\n  scheduler:\n    <<: *app\n    command: divvycloud scheduler\n  worker: *app\n",
        "\u{feff}services:\n  \"interfaceserver\":\n    image: a:1\n  'scheduler' :\n    image: a:1\t# tab\n  worker:\n    image: a:1\n    depends_on:\n    - scheduler\nvolumes:\n  x: {}\n...\n",
        // Between others, and the first.
        "services:\n  scheduler:\n    image: a:1\n    labels:\n      x: \"a\n\n        b\"\n  own:\n    image: b\n    depends_on: [\n      \"scheduler\",  # why\n      'worker',\n    ]\n  worker:\n    image: a:1\n  interfaceserver:\n    image: a:1\nnetworks:\n  default: {}\n",
        "services:\n  interfaceserver:\n    image: a:1\n    extends:\n      file: other.yml\n      service: scheduler\n  scheduler:\n    image: a:1\n  worker:\n    image: a:1\n",
        "services:\n  cache: {image: redis}\n  interfaceserver: {image: a:1}\n  scheduler: {image: a:1}\n  worker:\n    image: a:1\n    depends_on: [scheduler, cache]",
        "services:\n  interfaceserver: {image: a:1}\n  scheduler: {image: a:1}\n  worker: {image: a:1}",
        "services:\n  interfaceserver:\n    image: a:1\n  # a\n  scheduler:\n    image: a:1\n    environment:\n      A: b\n    # at the end\n  # b\n\n  worker:\n    image: a:1\n    depends_on: []\n",
    ];

    const ROLES: [&str; 3] = ["interfaceserver", "scheduler", "worker"];

    /// Every set of services that leaves one.
    fn sets() -> impl Iterator<Item = Vec<String>> {
        let of = |bits: usize| (0..3).filter(move |at| bits & (1 << at) != 0).map(|at| ROLES[at].to_owned()).collect();
        (1..7).map(of)
    }

    fn shapes() -> impl Iterator<Item = String> {
        SHAPES.iter().flat_map(|shape| [(*shape).to_owned(), shape.replace('\n', "\r\n")])
    }

    #[test]
    fn what_is_taken_out_comes_back_byte_for_byte() {
        for text in shapes() {
            for out in sets() {
                let made = without(&text, &out).unwrap_or_else(|odd| panic!("{odd:?}: {out:?} of {text}"));
                // The lines that were there are all there, in their order, but for the mark.
                let lines = made.lines().filter(|line| !line.ends_with(INSTEAD));
                let lines: Vec<&str> = lines.map(|line| line.strip_prefix(MARK).unwrap_or(line)).collect();
                assert_eq!(lines, text.lines().collect::<Vec<_>>(), "{made}");
                assert_eq!(restored(&made), Ok(text.clone()), "{made}");
                assert_eq!(
                    taken_out(&made).map(|mut own| {
                        own.sort();
                        own
                    }),
                    Ok(out.clone()),
                    "{made}"
                );
                assert_eq!(
                    names(&made).unwrap().iter().filter(|name| ROLES.contains(&name.as_str())).count(),
                    3 - out.len()
                );
                assert!(!text.contains('\r') || !made.replace("\r\n", "").contains('\n'), "{made:?}");
                // From any set to any other by way of all.
                for next in sets() {
                    let other = without(&restored(&made).unwrap(), &next);
                    assert_eq!(other, without(&text, &next), "{made}");
                }
            }
            assert_eq!(restored(&text), Ok(text.clone()));
            assert_eq!((taken_out(&text), without(&text, &[])), (Ok(Vec::new()), Ok(text.clone())));
        }
    }

    #[test]
    fn what_others_say_of_a_service_goes_with_it() {
        let made = without(SHAPES[1], &["scheduler".to_owned()]).unwrap();
        assert!(
            made.contains("    depends_on:\n#ics-setup-out|      - scheduler   # first\n      - cache\n"),
            "{made}"
        );
        assert!(made.contains("#ics-setup-out|    links:\n#ics-setup-out|    - \"scheduler:s\"\n"), "{made}");
        let both = "#ics-setup-out|    depends_on: [ scheduler, cache ]   # both\n    depends_on: [\"cache\"] # ics-setup: instead of the line above\n";
        assert!(made.contains(both), "{made}");
        let made = without(SHAPES[2], &["scheduler".to_owned()]).unwrap();
        assert!(made.contains("    depends_on:\n#ics-setup-out|      scheduler:\n#ics-setup-out|        condition: service_started\n      cache:\n"), "{made}");
        assert!(made.contains("#ics-setup-out|    depends_on: {scheduler"), "{made}");
    }

    #[test]
    fn what_a_service_that_stays_needs_is_not_taken_out() {
        for (text, line) in [
            ("services:\n  interfaceserver: &web\n    image: a:1\n  worker:\n    <<: *web\n", 2),
            (
                "services:\n  interfaceserver:\n    image: a:1\n  worker:\n    image: a:1\n    extends: interfaceserver\n",
                6,
            ),
            (
                "services:\n  interfaceserver:\n    image: a:1\n  worker:\n    image: a:1\n    network_mode: \"service:interfaceserver\"\n",
                6,
            ),
            (
                "services:\n  interfaceserver:\n    image: a:1\n  worker:\n    image: a:1\n    volumes_from:\n    - interfaceserver:ro\n",
                7,
            ),
            ("services: {interfaceserver: {image: a:1}, worker: {image: a:1}}\n", 1),
            ("services:\n  interfaceserver: {image: a:1}\n  worker: {image: a:1, depends_on: [interfaceserver]}\n", 3),
            (
                "x-a: &a\n  depends_on: [interfaceserver]\nservices:\n  interfaceserver:\n    image: a:1\n  worker:\n    <<: *a\n    image: a:1\n",
                2,
            ),
        ] {
            assert_eq!(without(text, &["interfaceserver".to_owned()]).map_err(|odd| odd.line), Err(line), "{text}");
        }
    }

    #[test]
    fn what_a_person_does_to_kept_lines_counts() {
        let made = without(SHAPES[1], &["scheduler".to_owned()]).unwrap();
        // Kept lines are as much theirs as all others.
        let mine = made
            .replace("#ics-setup-out|    image: a:1\n", "#ics-setup-out|    image: a:2\n#ics-setup-out|    cpus: 1\n");
        assert!(restored(&mine).unwrap().contains("  scheduler:\n    image: a:2\n    cpus: 1\n"), "{mine}");
        // What stands for others would be lost.
        let lost = made.replace("depends_on: [\"cache\"]", "depends_on: [\"cache\", \"own\"]");
        assert!(restored(&lost).is_err_and(|odd| odd.why == EDITED), "{lost}");
        // A service that a person has written anew stands there twice then.
        let twice = without(SHAPES[0], &["scheduler".to_owned()]).unwrap() + "\n  scheduler:\n    image: b\n";
        assert!(taken_out(&twice).is_err());
    }
}
