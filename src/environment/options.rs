//! What the Docker daemon refuses in its `daemon.json` and among its options, by `assets/dockerd.toml`.
//!
//! Only what an engine certainly refuses is refused: names that no engine has, JSON of another type, a name that stands both in
//! the file and among the options. Go's rules: a number with a fraction or an exponent is no integer, options are never
//! shortened (pflag).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::assets;
use crate::text;
use crate::text::{Foreign, Text, own};
use crate::version::Version;

/// Which JSON a name takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Takes {
    Text,
    /// A text of which the engine also judges what it says.
    OfContent,
    Size,
    Switch,
    Number,
    /// A number of zero or more.
    Count,
    Address,
    Texts,
    List,
    Table,
    Switches,
    TableOfTexts,
    Any,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    older: Version,
    newer: Version,
    takes: BTreeMap<Takes, Vec<String>>,
    named: BTreeMap<String, String>,
    letters: BTreeMap<String, String>,
    only: Only,
    other: Names,
    whole: Names,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Only {
    older: Vec<String>,
    newer: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    names: Vec<String>,
}

/// What is known of a `daemon.json` with the daemon's options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Why the daemon does not start.
    pub(crate) refused: Option<Text>,
    /// Names whose values the engine judges by what they say, which is not done here.
    pub(crate) unjudged: Vec<String>,
}

impl Options {
    fn get() -> &'static Self {
        static OPTIONS: LazyLock<Options> = LazyLock::new(|| assets::read(&assets::DOCKERD));
        &OPTIONS
    }

    fn takes(&self, name: &str) -> Option<Takes> {
        self.takes.iter().find(|(_, names)| has(names, name)).map(|(takes, _)| *takes)
    }

    /// Has an engine of this release no option of the name? `None`: not known, or of no known release.
    fn lacks(&self, name: &str, engine: Option<&Version>) -> Option<bool> {
        let known = self.takes(name).is_some() || self.named.contains_key(name);
        if !known {
            return if has(&self.other.names, name) { None } else { Some(true) };
        }
        let (of_older, of_newer) = (has(&self.only.older, name), has(&self.only.newer, name));
        match engine {
            _ if !of_older && !of_newer => Some(false),
            Some(engine) if *engine <= self.older => Some(of_newer),
            Some(engine) if *engine >= self.newer => Some(of_older),
            Some(_) | None => None,
        }
    }

    /// The options of a command line by their long names, with their values; those of which the engine certainly has none are
    /// the error. Where the engine may have an option of which nothing is known, what stands before it is all that is told.
    fn given(&self, arguments: &[String], engine: Option<&Version>) -> Result<Vec<Given>, Text> {
        let unknown = |word: &str| Err(text!("the daemon does not start: it has no option {}", Foreign::new(word)));
        let has_value = |name: &str| !matches!(self.takes(name), Some(Takes::Switch)) && !is_bare(name);
        let mut given = Vec::new();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                if name.is_empty() {
                    break;
                }
                match self.lacks(name, engine) {
                    Some(true) => return unknown(&format!("--{name}")),
                    // What follows it may be its value or not.
                    None if self.takes(name).is_none() => break,
                    Some(false) | None => {}
                }
                let value = match value {
                    None if has_value(name) => words.next().cloned(),
                    own => own.map(str::to_owned),
                };
                given.push((name.to_owned(), value));
                continue;
            }
            let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else { continue };
            for (at, letter) in letters.char_indices() {
                let Some(name) = self.letters.get(letter.encode_utf8(&mut [0; 4]) as &str) else {
                    return unknown(&format!("-{letter}"));
                };
                if self.lacks(name, engine) == Some(true) {
                    return unknown(&format!("-{letter}"));
                }
                let rest = &letters[at + letter.len_utf8()..];
                let value = match rest.strip_prefix('=') {
                    Some(value) => Some(value.to_owned()),
                    None if !has_value(name) => None,
                    None if rest.is_empty() => words.next().cloned(),
                    None => Some(rest.to_owned()),
                };
                let ends = value.is_some() || has_value(name);
                given.push((name.clone(), value));
                if ends {
                    break;
                }
            }
        }
        Ok(given)
    }
}

/// An option by its long name, with its value.
type Given = (String, Option<String>);

/// The values of an option, by each of its names, in the order in which they are given: of an option that takes one value the
/// last counts (pflag). Of a command line that the daemon refuses there are none.
pub(crate) fn values(arguments: &[String], names: &[&str]) -> Vec<String> {
    let given = Options::get().given(arguments, None).unwrap_or_default();
    given.into_iter().filter(|(name, _)| names.contains(&name.as_str())).filter_map(|(_, value)| value).collect()
}

/// What a switch says among the daemon's options; `None`: it is not among them. Of several the last one counts.
///
/// # Errors
/// The option of which nothing is known, whose value may be what looks like the switch, or that hides it: then a word that is the
/// switch letter by letter counts all the same.
pub(crate) fn switch(arguments: &[String], name: &str) -> Result<Option<bool>, Text> {
    let options = Options::get();
    let foreign = arguments.iter().take_while(|word| *word != "--").find_map(|word| {
        let long = word.strip_prefix("--")?;
        let (long, _) = long.split_once('=').unwrap_or((long, ""));
        options.takes(long).is_none().then_some(long)
    });
    let odd = |word: &str| text!("what the daemon makes of its option {} is not known", Foreign::new(word));
    let value = match options.given(arguments, None) {
        Ok(given) if foreign.is_none() => given.into_iter().rev().find(|(own, _)| own == name).map(|(_, value)| value),
        Err(why) if foreign.is_none() => return Err(why),
        _ => {
            let words = arguments.iter().take_while(|word| *word != "--").filter_map(|word| word.strip_prefix("--"));
            let literal = |word: &str| {
                let (own, value) = word.split_once('=').map_or((word, None), |(own, value)| (own, Some(value)));
                (own == name).then(|| value.map(str::to_owned))
            };
            let last = words.filter_map(literal).last();
            if let (None, Some(word)) = (&last, foreign) {
                return Err(odd(&format!("--{word}")));
            }
            last
        }
    };
    // Go's ParseBool.
    match value.as_ref().map(Option::as_deref) {
        None => Ok(None),
        Some(None | Some("1" | "t" | "T" | "true" | "TRUE" | "True")) => Ok(Some(true)),
        Some(Some("0" | "f" | "F" | "false" | "FALSE" | "False")) => Ok(Some(false)),
        Some(Some(_)) => Err(odd(&format!("--{name}"))),
    }
}

/// Options that stand alone, beside switches.
fn is_bare(name: &str) -> bool {
    matches!(name, "help" | "version" | "validate" | "restart")
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|own| own == name)
}

/// What a daemon of this release makes of the members of its `daemon.json`, started with these arguments (`None`: they are
/// not all known).
pub(crate) fn verdict(file: &Map<String, Value>, arguments: Option<&[String]>, engine: Option<&Version>) -> Verdict {
    let options = Options::get();
    let mut verdict = Verdict::default();
    let refused = |why: Text| Verdict { refused: Some(why), unjudged: Vec::new() };
    let mut flat: Vec<&str> = Vec::new();
    for (name, value) in file {
        match value {
            Value::Object(members) if !has(&options.whole.names, name) => {
                flat.extend(members.keys().map(String::as_str))
            }
            _ => flat.push(name),
        }
    }
    // Members of `proxies` are judged by whoever reads them, where the engine has them.
    let is_judged = |name: &str| !is_of_proxies(name) || engine.is_some_and(|engine| *engine <= options.older);
    if let Some(name) = flat.iter().find(|name| options.lacks(name, engine) == Some(true) && is_judged(name)) {
        return refused(text!("it has no option {}", Foreign::new(*name)));
    }
    for (name, value) in file {
        let Some(takes) = options.takes(name) else {
            // Go finds its own names in any case, and an object under one is no table of others.
            if value.is_object() && options.takes.values().flatten().any(|own| own.eq_ignore_ascii_case(name)) {
                verdict.unjudged.push(name.clone());
            }
            continue;
        };
        // To an engine without that name an object is a table of others, also an empty one.
        if value.is_object() {
            match options.lacks(name, engine) {
                Some(true) => continue,
                None => {
                    verdict.unjudged.push(name.clone());
                    continue;
                }
                Some(false) => {}
            }
        }
        if let Err(wanted) = fits(takes, value) {
            return refused(text!("{} has to be {}", own(name.as_str()), own(wanted)));
        }
        let judged = matches!(
            takes,
            Takes::Text
                | Takes::Switch
                | Takes::Number
                | Takes::Count
                | Takes::Address
                | Takes::TableOfTexts
                | Takes::Switches
                | Takes::Any
        );
        if !judged && !value.is_null() {
            verdict.unjudged.push(name.clone());
        }
    }
    if let Some(Ok(given)) = arguments.map(|arguments| options.given(arguments, engine)) {
        let in_file = given.iter().map(|(name, _)| options.named.get(name).unwrap_or(name));
        if let Some(both) = in_file.into_iter().find(|name| flat.contains(&name.as_str())) {
            return refused(text!("{} stands in it and among the daemon's options", own(both)));
        }
    }
    verdict
}

/// Why the daemon does not start with these arguments, whatever its file says.
pub(crate) fn unknown_option(arguments: &[String], engine: Option<&Version>) -> Option<Text> {
    Options::get().given(arguments, engine).err()
}

fn is_of_proxies(name: &str) -> bool {
    super::DAEMON_JSON.iter().any(|(_, key)| *key == name)
}

fn texts<'a>(mut items: impl Iterator<Item = &'a Value>) -> bool {
    items.all(|item| item.is_string() || item.is_null())
}

/// Does a name take this JSON? Else what it has to be.
fn fits(takes: Takes, value: &Value) -> Result<(), &'static str> {
    let (fits, wanted) = match takes {
        Takes::Any => return Ok(()),
        Takes::Size => (value.is_string(), "a text"),
        _ if value.is_null() => return Ok(()),
        Takes::Text | Takes::OfContent => (value.is_string(), "a text"),
        Takes::Switch => (value.is_boolean(), "true or false"),
        Takes::Number => (value.is_i64() || value.is_u64(), "a whole number"),
        Takes::Count => (value.is_u64(), "a whole number of zero or more"),
        Takes::Address => {
            let address = value.as_str().is_some_and(|text| text.is_empty() || text.parse::<IpAddr>().is_ok());
            (address, "an address")
        }
        Takes::Texts => (value.as_array().is_some_and(|all| texts(all.iter())), "a list of texts"),
        Takes::List => (value.is_array(), "a list"),
        Takes::Table => (value.is_object(), "an object"),
        Takes::Switches => {
            let all = |all: &Map<String, Value>| all.values().all(|item| item.is_boolean() || item.is_null());
            (value.as_object().is_some_and(all), "an object of true and false")
        }
        Takes::TableOfTexts => (value.as_object().is_some_and(|all| texts(all.values())), "an object of texts"),
    };
    if fits { Ok(()) } else { Err(wanted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(file: &str, arguments: &[&str], engine: Option<&str>) -> Option<String> {
        let file: Map<String, Value> = serde_json::from_str(file).unwrap();
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let engine = engine.and_then(Version::parse);
        let unknown = unknown_option(&arguments, engine.as_ref());
        unknown.or(verdict(&file, Some(&arguments), engine.as_ref()).refused).map(|why| why.to_string())
    }

    #[test]
    fn what_engines_certainly_refuse() {
        for file in [
            r#"{"unknown-key": 1}"#,
            r#"{"x": {"unknown-key": 1}}"#,
            r#"{"Debug": true}"#,
            r#"{"debug": "true"}"#,
            r#"{"debug": {}}"#,
            r#"{"max-concurrent-downloads": 1e1}"#,
            r#"{"max-concurrent-downloads": -1}"#,
            r#"{"mtu": 1.5}"#,
            r#"{"hosts": "fd://"}"#,
            r#"{"hosts": [1]}"#,
            r#"{"ip": "x"}"#,
            r#"{"log-opts": {"max-file": 3}}"#,
            r#"{"features": {"buildkit": "true"}}"#,
            r#"{"default-shm-size": null}"#,
        ] {
            assert!(refusal(file, &[], None).is_some(), "{file}");
        }
        for file in [
            r#"{"debug": null, "mtu": 1500, "hosts": ["fd://"], "log-opts": {"max-file": "3"}, "bip6": "x"}"#,
            r#"{"group": {"debug": true}}"#.replace("group", "anything").as_str(),
            r#"{"proxies": {"http-proxy": "http://h:1"}, "label": 5}"#,
        ] {
            assert_eq!(refusal(file, &[], None), None, "{file}");
        }
    }

    /// Measured: 26.1.5 takes `{"graph": {}}`, which it has no such option for, and refuses `{"Debug": {}}`.
    #[test]
    fn an_object_is_a_table_of_other_names_where_the_engine_has_none_of_its_own() {
        let verdict = |file: &str, engine: Option<&str>| {
            let file: Map<String, Value> = serde_json::from_str(file).unwrap();
            verdict(&file, None, engine.and_then(Version::parse).as_ref())
        };
        assert_eq!(verdict(r#"{"graph": {}}"#, Some("26.1.5")), Verdict::default());
        assert!(verdict(r#"{"graph": {}}"#, Some("20.10.24")).refused.is_some());
        assert_eq!(verdict(r#"{"graph": {}}"#, None).unjudged, ["graph"]);
        assert_eq!(verdict(r#"{"Debug": {}}"#, Some("26.1.5")).unjudged, ["Debug"]);
        assert!(verdict(r#"{"http-proxy": "x"}"#, Some("20.10.24")).refused.is_some());
        assert_eq!(verdict(r#"{"http-proxy": "x"}"#, Some("26.1.5")), Verdict::default());
    }

    #[test]
    fn options_are_never_shortened_and_stand_in_one_place() {
        for (file, arguments) in [
            ("{}", &["--http-prox=http://h:1"][..]),
            ("{}", &["-H", "fd://", "-x"]),
            (r#"{"hosts": ["fd://"]}"#, &["-H", "fd://"]),
            (r#"{"hosts": ["fd://"]}"#, &["-Hfd://"]),
            (r#"{"debug": null}"#, &["-D"]),
            (r#"{"labels": []}"#, &["--containerd", "/x", "--label=a=b"]),
            (r#"{"tls-options": {"tlskey": "/k"}}"#, &["--tlskey", "/k"]),
        ] {
            assert!(refusal(file, arguments, None).is_some(), "{file} {arguments:?}");
        }
        for (file, arguments) in [
            ("{}", &["-H", "fd://", "--containerd=/run/containerd/containerd.sock", "-Dl", "info"][..]),
            (r#"{"hosts": ["fd://"]}"#, &["--label", "--host"]),
            (r#"{"runtimes": {}}"#, &["--add-runtime", "x=/x"]),
            ("{}", &["--bip6", "x", "--later"]),
        ] {
            assert_eq!(refusal(file, arguments, None), None, "{file} {arguments:?}");
        }
    }

    #[test]
    fn the_last_value_of_an_option_counts_and_a_value_is_no_option() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<String>>();
        for (line, found) in [
            ("dockerd --dns 10.0.0.1 --dns=10.0.0.2", &["10.0.0.1", "10.0.0.2"][..]),
            ("dockerd --label --dns=10.0.0.1", &[]),
            ("dockerd -l --dns=10.0.0.1 -D --dns=10.0.0.2", &["10.0.0.2"]),
            ("dockerd --dns=10.0.0.1 -- --dns=10.0.0.2", &["10.0.0.1"]),
        ] {
            assert_eq!(values(&words(line), &["dns"]), found, "{line}");
        }
        let line = words("dockerd --data-root /a -g /b --graph=/c -Dg/d");
        assert_eq!(values(&line, &["data-root", "graph"]), ["/a", "/b", "/c", "/d"]);
    }

    #[test]
    fn a_switch_counts_whatever_stands_beside_it() {
        let of = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            switch(&words, "iptables").map_err(|_| "not known")
        };
        for (line, found) in [
            ("dockerd -H fd://", Ok(None)),
            ("dockerd --iptables=false --debug", Ok(Some(false))),
            ("dockerd --iptables=false --iptables", Ok(Some(true))),
            ("dockerd --label --iptables=false", Ok(None)),
            ("dockerd --later x --iptables=false", Ok(Some(false))),
            ("dockerd --iptables=false --bip6 x", Ok(Some(false))),
            ("dockerd --later x", Err("not known")),
            ("dockerd --iptables=never", Err("not known")),
            ("dockerd -x", Err("not known")),
            ("dockerd --debug -- --later --iptables=false", Ok(None)),
        ] {
            assert_eq!(of(line), found, "{line}");
        }
    }

    #[test]
    fn engines_differ_and_what_lies_between_them_is_not_judged() {
        let file = r#"{"cdi-spec-dirs": []}"#;
        let found = ["20.10.24", "24.0.7", "26.1.5", "29.0.0"].map(|engine| refusal(file, &[], Some(engine)).is_some());
        assert_eq!(found, [true, false, false, false]);
        let found =
            ["20.10.24", "24.0.7", "26.1.5"].map(|engine| refusal(r#"{"graph": "/g"}"#, &[], Some(engine)).is_some());
        assert_eq!(found, [false, false, true]);
        assert_eq!(refusal(r#"{"graph": "/g"}"#, &[], None), None);
    }
}
