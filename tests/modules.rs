//! Laws of modules, by the imports that the compiler sees: the order of the table in `src/lib.rs`, no circles among the
//! modules of one folder, and no effects in `src/check`.

mod imports;

use std::collections::{BTreeMap, BTreeSet};

use imports::{Crate, Import, Segments, picture};

/// Modules of one folder that may import each other.
const PAIRS: [(&str, &str); 0] = [];

/// What `check` may name of the module that talks to servers: values, nothing that is or makes a connection.
const OF_NET: [&str; 12] = [
    "Answer", "Beyond", "Distrust", "NetError", "NoCa", "Place", "Reason", "Roots", "Time", "TlsFault", "basic",
    "seconds",
];

/// Methods of a host that touch no file and start nothing.
const WITHOUT_EFFECT: [&str; 4] = ["euid", "is_live", "now", "shown"];

/// What looks or acts by itself, by how its path begins.
const EFFECTS: [&str; 24] = [
    "std::fs",
    "std::process",
    "std::net::*",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "std::io::*",
    "std::io::prelude",
    "std::io::stdin",
    "std::io::BufRead",
    "std::io::BufReader",
    "std::io::Read",
    "std::io::Seek",
    "std::io::Write",
    "nix",
    "rustls",
    "tempfile",
    "which",
    "xattr",
    "crate::host::RealHost",
    "crate::host::View",
    "crate::host::resolve",
];

#[test]
fn a_module_imports_those_above_it_alone() {
    let lib = include_str!("../src/lib.rs");
    let order = table(lib);
    let mut named = order.clone();
    named.sort();
    let declared: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(named, declared, "the table of src/lib.rs has every module once");
    let found = ways_back(&Crate::this().imports(), &order);
    assert!(found.is_empty(), "imports from below:\n{}", found.join("\n"));
}

#[test]
fn siblings_import_each_other_in_no_circle() {
    let found = circles(&Crate::this().imports(), &PAIRS);
    assert!(found.is_empty(), "circles among siblings:\n{}", found.join("\n"));
}

#[test]
fn checks_open_no_socket_start_no_program_and_read_no_file() {
    let found = looks(&Crate::this(), &host_methods(include_str!("../src/host/mod.rs")), "check");
    assert!(found.is_empty(), "{} looks in src/check:\n{}", found.len(), found.join("\n"));
}

/// Who reads files of `NAME=value` by the rules of their readers. All others ask these what a reader sees.
const PARSING: [&str; 6] = ["consumers", "targets", "docker::compose", "product::environment", "context", "envfile"];

/// What of `envfile` is no parser: values that are handed on.
const VALUES: [&str; 11] =
    ["ASIDE", "Dialect", "PamLimit", "Reading", "Release", "Seen", "State", "Syntax", "UTF_16", "to_utf_8", "utf_16"];

#[test]
fn what_a_reader_sees_is_asked_of_consumers_and_targets() {
    let mut found = Vec::new();
    for Import { from, to, item, at } in &Crate::this().imports() {
        if to.len() < 2 || to[0] != "crate" || to[1] != "envfile" {
            continue;
        }
        let place = from[1..].join("::");
        let is_allowed = PARSING.iter().any(|own| place == *own || place.starts_with(&format!("{own}::")));
        let named = item.first().cloned().unwrap_or_else(|| to[1..].join("::"));
        if !is_allowed && !VALUES.contains(&named.as_str()) {
            found.push(format!("{at}: {}::{named}", to.join("::")));
        }
    }
    assert!(found.is_empty(), "parsers of files are imported elsewhere:\n{}", found.join("\n"));
}

/// `scripts/architecture` draws it anew.
#[test]
fn the_picture_shows_the_modules_and_their_imports() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/architecture.svg");
    let drawn = picture::draw(&Crate::this(), &table(include_str!("../src/lib.rs")));
    if std::env::var_os("ICS_SETUP_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &drawn).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let same = picture::without_lines(&there) == picture::without_lines(&drawn);
    assert!(same, "{} is of other modules or imports: run scripts/architecture", path.display());
}

/// The modules of the table in `src/lib.rs`, top down.
fn table(lib: &str) -> Vec<String> {
    let rows = lib.lines().filter(|line| line.starts_with("//! | [`"));
    rows.flat_map(|line| line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn ways_back(imports: &[Import], order: &[String]) -> Vec<String> {
    let place = |path: &Segments| order.iter().position(|name| path.get(1) == Some(name));
    let back = |import: &&Import| {
        let inner = import.to[0] == "crate";
        inner && place(&import.from).zip(place(&import.to)).is_some_and(|(from, to)| from < to)
    };
    imports.iter().filter(back).map(|import| format!("{}: {}", import.at, import.to.join("::"))).collect()
}

/// Siblings, each with the siblings that it or a module in it imports, and where.
fn siblings(imports: &[Import]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for Import { from, to, at, .. } in imports.iter().filter(|import| import.to[0] == "crate") {
        let same = from.iter().zip(to).take_while(|(from, to)| from == to).count();
        // A parent and its child, and the modules of the crate, whose order is a law of its own.
        if same < 2 || same == from.len() || same == to.len() {
            continue;
        }
        let edges = found.entry(from[..=same].join("::")).or_default();
        edges.entry(to[..=same].join("::")).or_insert_with(|| at.clone());
    }
    found
}

/// Imports between siblings that are a part of a circle, those of the allowed pairs left out.
fn circles(imports: &[Import], allowed: &[(&str, &str)]) -> Vec<String> {
    let allowed = |from: &str, to: &str| allowed.contains(&(from, to)) || allowed.contains(&(to, from));
    let mut edges = siblings(imports);
    for (from, targets) in &mut edges {
        targets.retain(|to, _| !allowed(from, to));
    }
    let reach = |start: &String| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![start]);
        while let Some(next) = left.pop() {
            for to in edges.get(next).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(to) {
                    left.push(to);
                }
            }
        }
        seen
    };
    let mut found = Vec::new();
    for (from, targets) in &edges {
        for (to, at) in targets.iter().filter(|(to, _)| reach(to).contains(from)) {
            let pair = if edges.get(to).is_some_and(|back| back.contains_key(from)) { "<->" } else { "->" };
            found.push(format!("{from} {pair} {to} ({at})"));
        }
    }
    found
}

/// The methods of `trait HostRead` that look at files or start programs.
fn host_methods(source: &str) -> Vec<String> {
    let body = source.split("pub trait HostRead {").nth(1).unwrap().split("\n}").next().unwrap();
    let names = body.lines().filter_map(|line| line.strip_prefix("    fn ")?.split('(').next());
    names.filter(|name| !WITHOUT_EFFECT.contains(name)).map(str::to_owned).collect()
}

/// What modules below `top` do that only observers may.
fn looks(all: &Crate, methods: &[String], top: &str) -> Vec<String> {
    let within = |path: &Segments| path.get(1).is_some_and(|name| name == top);
    let mut found = Vec::new();
    for import in all.imports().iter().filter(|import| within(&import.from)) {
        let whole = [import.to.as_slice(), import.item.as_slice()].concat();
        let path = whole.join("::");
        let effect = EFFECTS.iter().any(|effect| path == *effect || path.starts_with(&format!("{effect}::")));
        let of_host = path.starts_with("crate::host::") && !import.item.is_empty();
        let real = of_host && ["RealHost", "View", "resolve", "Command"].contains(&import.item[0].as_str());
        let method = of_host && import.item[0] == "HostRead" && import.item.len() > 1;
        let talks = path.starts_with("crate::net::")
            && import.item.first().is_some_and(|item| !OF_NET.contains(&item.as_str()));
        if effect || real || method || talks {
            found.push(format!("{}: {path}", import.at));
        }
    }
    for (_, module) in all.modules.iter().filter(|(path, _)| within(path)) {
        for (receiver, method, line) in &module.calls {
            let host = receiver == "host" || module.hosts.contains(receiver);
            let own = ["lstat", "read_link", "snapshot"].contains(&method.as_str());
            if (host && methods.contains(method)) || own {
                found.push(format!("{}:{line}: {receiver}.{method}()", module.file));
            }
        }
    }
    found
}

// ---- the laws notice what breaks them ----

fn small(files: &[(&str, &str)]) -> Crate {
    Crate::load(&|name| files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned()))
}

fn orders(files: &[(&str, &str)]) -> Vec<String> {
    ways_back(&small(files).imports(), &["low".to_owned(), "high".to_owned()])
}

#[test]
fn an_import_from_below_is_noticed_however_it_is_written() {
    let lib = ("lib.rs", "pub mod high; pub mod low;");
    let high = ("high.rs", "pub struct X; pub fn f() {}");
    for low in [
        "use crate::high::X;",
        "use crate::{other, high::{self, X}};",
        "use super::{high as h};",
        "fn g() { crate::high::f() }",
        "fn g(x: &super::high::X) {}",
        "fn g() { println!(\"{}\", crate::high::f()); }",
        "use crate as all; fn g() { all::high::f() }",
        "pub use crate::high::*;",
        "#[serde(with = \"crate::high::X\")] struct Y;",
        "mod inner { use super::super::high::X; }",
        "fn g() { use crate::high::f; f() }",
        "macro_rules! m { () => { $crate::high::f() } }",
    ] {
        assert!(!orders(&[lib, high, ("low.rs", low)]).is_empty(), "{low}");
    }
    for low in [
        "// use crate::high::X;\nconst A: &str = \"crate::high::X\";",
        "/// See [`crate::high::X`].\nfn g() {}",
        "#[cfg(test)]\nmod tests { use crate::high::X; }",
        "#[cfg(test)]\nuse crate::{high::X, other};\nfn g() {}",
        "#[cfg(test)]\n#[allow(dead_code)]\npub(crate) fn g() -> [u8; 2] { crate::high::f() }",
        "mod high { pub fn f() {} } fn g() { high::f() }",
    ] {
        assert_eq!(orders(&[lib, high, ("low.rs", low)]), Vec::<String>::new(), "{low}");
    }
}

#[test]
fn a_file_that_only_tests_are_made_of_is_left_out() {
    let files = [
        ("lib.rs", "pub mod high; pub mod low;"),
        ("high.rs", "pub struct X;"),
        ("low/mod.rs", "#[cfg(test)]\nmod testing;"),
        ("low/testing.rs", "use crate::high::X;"),
    ];
    assert!(orders(&files).is_empty());
}

#[test]
fn circles_of_siblings_are_noticed_through_re_exports_and_in_any_length() {
    let round = |files: &[(&str, &str)]| circles(&small(files).imports(), &[]);
    let lib = ("lib.rs", "pub mod m;");
    let parent =
        ("m/mod.rs", "mod a; mod b; mod c; pub use a::A; pub use b::{B as Bee}; pub use c::*; pub struct Own;");
    let quiet = ("m/c.rs", "pub struct C;");
    let b = ("m/b.rs", "pub struct B; use super::A;");
    for a in [
        "pub struct A; use super::b::B;",
        "pub struct A; use super::Bee;",
        "pub struct A; use crate::m::{Own, Bee as Other};",
        "pub struct A; fn f(b: super::Bee) {}",
        "pub struct A; use super::*; fn f() { Bee::new() }",
    ] {
        assert_eq!(round(&[lib, parent, quiet, b, ("m/a.rs", a)]).len(), 2, "{a}");
    }
    let three = [
        lib,
        parent,
        ("m/a.rs", "pub struct A; use super::Bee;"),
        ("m/b.rs", "pub struct B; use super::C;"),
        ("m/c.rs", "pub struct C; mod deep;"),
        ("m/c/deep.rs", "use crate::m::A;"),
    ];
    assert_eq!(round(&three).len(), 3);
    let apart = [lib, parent, quiet, b, ("m/a.rs", "pub struct A; use super::Own; use super::C;")];
    assert_eq!(round(&apart), Vec::<String>::new());
    let pair = [("crate::m::a", "crate::m::b")];
    let both = [lib, parent, quiet, b, ("m/a.rs", "pub struct A; use super::Bee;")];
    assert!(circles(&small(&both).imports(), &pair).is_empty());
}

#[test]
fn a_check_that_looks_is_noticed() {
    let lib = ("lib.rs", "pub mod check; pub mod host; pub mod net;");
    let host = ("host/mod.rs", "mod view; pub use view::View; pub struct Command; pub trait HostRead {}");
    let view = ("host/view.rs", "pub struct View;");
    let net = ("net/mod.rs", "mod dial; pub use dial::{dial, Time};");
    let dial = ("net/dial.rs", "pub fn dial() {} pub struct Time;");
    let methods = ["read", "run"].map(str::to_owned);
    let found = |check: &str| looks(&small(&[lib, host, view, net, dial, ("check.rs", check)]), &methods, "check");
    for check in [
        "use std::net::TcpStream;",
        "use std::{io, net::{IpAddr, UdpSocket}};",
        "fn f() { std::fs::read(\"x\"); }",
        "use std::process as p; fn f() { p::Command::new(\"x\"); }",
        "use std::io::Read;",
        "use std::net; fn f() { net::TcpListener::bind(x); }",
        "use crate::net::dial;",
        "use crate::net; fn f() { net::dial(); }",
        "use crate::host::View;",
        "use crate::host::{self, HostRead}; fn f() { host::Command::new(); }",
        "fn f(look: &Look) { look.host.read(path); }",
        "use crate::host::HostRead; fn f(machine: &dyn HostRead) { machine.run(c); }",
        "fn f(look: &Look) { let machine = look.host; machine.read(path); }",
        "use crate::host::HostRead; fn f(x: &dyn HostRead) { HostRead::read(x, path); }",
    ] {
        assert!(!found(check).is_empty(), "{check}");
    }
    for check in [
        "use std::net::IpAddr; use std::io::ErrorKind; use crate::net::Time;",
        "fn f(look: &Look) { observer::facts(look.host); look.host.shown(path); }",
        "fn f(text: &mut Reader) { text.read(buffer); }",
    ] {
        assert_eq!(found(check), Vec::<String>::new(), "{check}");
    }
}
