//! Laws of words, by the method calls of the source: who may have the bytes of a secret, who may have the marks of a text, and
//! that no code decides by its own prose.

#[allow(dead_code)]
mod imports;

use std::collections::BTreeMap;

use imports::Crate;

/// Who needs the bytes of a secret, and what for.
const EXPOSE: [(&str, &str); 15] = [
    ("crate::redact", "to know what to mask"),
    ("crate::settings::proxy_url", "to write the URL into files"),
    ("crate::settings::resolve", "to write back-end values into prod.env"),
    ("crate::settings::resolve::resolver", "to tell whether it is ASCII"),
    ("crate::targets", "to tell which files hold it"),
    ("crate::network::proxy::answer", "to log in at the proxy"),
    ("crate::network::proxy::cleaner", "to take it out of what the proxy sends back"),
    ("crate::check::unit", "to hand it to the login at MySQL"),
    ("crate::deploy::databases", "to hand them to logins at MySQL, and what it keeps of one to it"),
    ("crate::deploy::hosts", "to hand it to the login at MySQL that tells of other hosts"),
    ("crate::deploy::upgrade::dump", "to hand it to the program that dumps, in a file of root's"),
    ("crate::redis::session", "to log in"),
    ("crate::product::queues", "to log in"),
    ("crate::sandbox::first", "to tell a right login at the recorder from a wrong one"),
    ("crate::consumers", "to number passwords, so that they are compared and not kept"),
];

/// Who may search or change text in a module that has the bytes of a secret.
const SEARCH: [&str; 2] = ["crate::redact", "crate::network::proxy::cleaner"];

/// Who may have a text with its marks, beside the modules that make texts and characters.
const MARKED: [(&str, &str); 2] =
    [("crate::consumers::places", "facts keep the marks"), ("crate::check::host::runs", "facts keep the marks")];

/// What findings, problems and fixes call their texts.
const PROSE: [&str; 12] =
    ["title", "message", "observed", "expected", "cause", "because", "hint", "hints", "fix", "fixes", "advice", "said"];

/// Questions about characters.
const ASKS: [&str; 6] = ["contains", "starts_with", "ends_with", "strip_prefix", "strip_suffix", "find"];

/// Who asks about words of others under such a name, or of its own with a reason.
const ASKED: [(&str, &str, &str); 3] = [
    ("crate::check::network::interception", "title", "the title of a page that somebody sent"),
    ("crate::mysql::greeting", "message", "the server's words: old ones have no code of their own for it"),
    ("crate::wizard::world", "fix", "leaves out what leads back to the wizard"),
];

/// The calls of methods that `wrong` names, with their modules and places.
fn calls(all: &Crate, wrong: impl Fn(&str, &str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, module) in &all.modules {
        let path = path.join("::");
        for (receiver, method, line) in &module.calls {
            if wrong(&path, receiver, method) {
                found.push(format!("{}:{line}: {receiver}.{method}()", module.file));
            }
        }
    }
    found
}

fn within(path: &str, module: &str) -> bool {
    path == module || path.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"))
}

/// Modules with the places where they ask for the bytes of a secret.
fn exposing(all: &Crate) -> Vec<(String, String)> {
    let called = all.modules.iter().flat_map(|(path, module)| {
        let calls = module.calls.iter().filter(|(_, method, _)| method == "expose");
        calls.map(move |(_, _, line)| (path.join("::"), format!("{}:{line}: expose", module.file)))
    });
    let named = all
        .imports()
        .into_iter()
        .filter(|import| import.to.iter().chain(&import.item).next_back().is_some_and(|last| last == "expose"));
    called.chain(named.map(|import| (import.from.join("::"), format!("{}: expose", import.at)))).collect()
}

fn exposed(all: &Crate) -> Vec<String> {
    let listed = |path: &str| EXPOSE.iter().any(|(module, _)| within(path, module));
    exposing(all).into_iter().filter(|(path, _)| !listed(path)).map(|(_, at)| at).collect()
}

fn searched(all: &Crate) -> Vec<String> {
    let exposing = exposing(all);
    let has = |path: &str| exposing.iter().any(|(own, _)| own == path);
    calls(all, |path, _, method| ["replace", "replacen"].contains(&method) && !SEARCH.contains(&path) && has(path))
}

fn marked(all: &Crate) -> Vec<String> {
    let may = |path: &str| {
        ["crate::text", "crate::report"].iter().any(|module| within(path, module))
            || MARKED.iter().any(|(module, _)| *module == path)
    };
    calls(all, |path, _, method| method == "marked" && !may(path))
}

fn asked(all: &Crate) -> Vec<String> {
    calls(all, |path, receiver, method| {
        PROSE.contains(&receiver)
            && ASKS.contains(&method)
            && !ASKED.iter().any(|(module, name, _)| *module == path && *name == receiver)
    })
}

/// Where an error of a look at the host is taken for "nothing there", with the reason; everywhere else it is said.
const TAKEN_FOR_ABSENT: [(&str, usize, &str); 23] = [
    ("crate::consumers::collect", 1, "a file that cannot be read is told of by who reads it"),
    ("crate::context::authority", 1, "one of several places; that none of them has it is told"),
    ("crate::targets::mend", 1, "a path that cannot be followed is the path itself"),
    ("crate::consumers::docker", 2, "the same files were read before, and their errors told"),
    ("crate::consumers::docker::others", 2, "daemons of users are told of where they are seen"),
    ("crate::consumers::docker::switch", 1, "what is certain alone keeps an advice back"),
    ("crate::consumers::docker::validate", 1, "where the engine does not answer, the model does"),
    ("crate::consumers::prod_env", 1, "a Compose that does not answer is none: all ways of reading are told then"),
    ("crate::consumers::units", 1, "where systemd does not answer, its files do"),
    ("crate::product::mounts", 1, "a switch that cannot be read is told to be not known"),
    ("crate::product::own", 2, "folders that cannot be resolved are not told to be the same"),
    ("crate::platform::pam", 1, "a table answers where the package database does not"),
    ("crate::system", 4, "whoever asks is told so"),
    ("crate::system::cloud", 1, "files of the kernel that not every machine has"),
    ("crate::system::ecs", 1, "who may not read it has the variable itself, or is no part of the task"),
    (
        "crate::system::firewall::firewalld",
        2,
        "an interface that is not seen may be in any zone; what is not certainly masked may be on",
    ),
    ("crate::system::forwarding", 2, "a remark, made where it is certain alone"),
    ("crate::system::hardware", 1, "the second file answers for the first, and its absence is told"),
    ("crate::system::name", 1, "a host without a name is called so"),
    ("crate::system::selinux", 1, "a remark, made where it is certain alone"),
    (
        "crate::system::sockets",
        2,
        "processes end while they are looked at; a namespace that is not read is counted and told",
    ),
    ("crate::system::sockets::address", 1, "whoever has no address is no proxy, so that more is told and not less"),
    ("crate::system::sockets::process", 2, "processes end while they are looked at"),
];

/// Modules that look at hosts for plans and checks.
const LOOKING: [&str; 7] = ["consumers", "context", "targets", "settings", "system", "product", "platform"];

/// Looks, and what swallows their errors.
const LOOKS: [&str; 9] = ["lstat", "read", "read_link", "snapshot", "list", "label", "resolve", "space", "run"];
const SWALLOWS: [&str; 4] = ["is_ok_and", "unwrap_or_default", "ok", "unwrap_or"];

/// How often modules swallow the error of a look.
fn swallowed(all: &Crate) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, module) in
        all.modules.iter().filter(|(path, _)| path.get(1).is_some_and(|top| LOOKING.contains(&top.as_str())))
    {
        for (at, (receiver, look, line)) in module.calls.iter().enumerate() {
            let is_look = LOOKS.contains(&look.as_str()) && (receiver.ends_with("host") || receiver.ends_with("view"));
            let behind = module.calls[at + 1..].iter().take(3);
            // What is chained to a call has no name as its receiver.
            let mut chained = behind.filter(|(receiver, _, at)| receiver.is_empty() && *at <= line + 2);
            if is_look && chained.any(|(_, method, _)| SWALLOWS.contains(&method.as_str())) {
                found.entry(path.join("::")).or_default().push(format!("{}:{line}: {receiver}.{look}()", module.file));
            }
        }
    }
    found
}

#[test]
fn an_error_of_a_look_is_no_absence() {
    let found = swallowed(&Crate::this());
    let counted: BTreeMap<&str, usize> = found.iter().map(|(path, places)| (path.as_str(), places.len())).collect();
    let listed: BTreeMap<&str, usize> = TAKEN_FOR_ABSENT.iter().map(|(path, count, _)| (*path, *count)).collect();
    assert_eq!(counted, listed, "{found:#?}");
    let source = |look: &str| format!("fn f(host: &dyn HostRead) {{ let there = {look}; }}");
    for look in [
        "host.lstat(path).is_ok_and(|stat| stat.is_some())",
        "probe.host.read(&home.join(name)).ok().flatten()",
        "host.list(folder)\n.unwrap_or_default()",
    ] {
        assert_eq!(swallowed(&looking(&source(look))).len(), 1, "{look}");
    }
    for look in ["!matches!(host.lstat(path), Ok(None))", "host.read(path)?.unwrap_or_default()", "words.list().ok()"] {
        assert_eq!(swallowed(&looking(&source(look))).len(), 0, "{look}");
    }
}

fn looking(source: &str) -> Crate {
    Crate::load(&|name| match name {
        "lib.rs" => Some("pub mod system;".to_owned()),
        "system.rs" => Some(source.to_owned()),
        _ => None,
    })
}

#[test]
fn the_bytes_of_a_secret_are_where_they_are_needed_alone() {
    let all = Crate::this();
    let found = [exposed(&all), searched(&all)].concat();
    assert!(found.is_empty(), "{}", found.join("\n"));
    let users = exposing(&all);
    for (module, _) in EXPOSE {
        assert!(users.iter().any(|(path, _)| within(path, module)), "{module} needs no bytes of secrets");
    }
}

#[test]
fn marks_of_a_text_are_read_where_characters_are_made_alone() {
    let found = marked(&Crate::this());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn nobody_asks_the_own_prose() {
    let found = asked(&Crate::this());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

// ---- the laws notice what breaks them ----

fn small(source: &str) -> Crate {
    Crate::load(&|name| match name {
        "lib.rs" => Some("pub mod check; pub mod consumers { pub mod places; } pub mod redact;".to_owned()),
        "check.rs" => Some(source.to_owned()),
        "consumers/places.rs" => Some("fn f(text: &Text) { text.marked(); }".to_owned()),
        "redact.rs" => Some("fn f() { text.replace(secret.expose(), MASK); }".to_owned()),
        _ => None,
    })
}

#[test]
fn a_word_out_of_place_is_noticed() {
    for source in [
        "fn f() { secret.expose(); }",
        "fn f() { url.password().unwrap().expose(); }",
        "fn f() { format!(\"{:?}\", secret.expose()); }",
        "use crate::secret::Secret; fn f() { password.map(Secret::expose); }",
        "fn f() { self.login.password.expose().to_vec() }",
    ] {
        assert_eq!(exposed(&small(source)).len(), 1, "{source}");
    }
    assert_eq!(searched(&small("fn f() { text.replace(secret.expose(), MASK); }")).len(), 1);
    for source in ["fn f() { finding.title.marked(); }", "fn f() { problem.sentence().marked().to_owned(); }"] {
        assert_eq!(marked(&small(source)).len(), 1, "{source}");
    }
    for source in [
        "fn f() { if finding.title.contains(\"x\") {} }",
        "fn f() { problem.message.starts_with(\"x\"); }",
        "fn f() { all.iter().any(|fix| fix.ends_with('x')); }",
        "fn f(advice: &str) { advice.contains(\"x\"); }",
    ] {
        assert_eq!(asked(&small(source)).len(), 1, "{source}");
    }
    let fine = small(
        "// secret.expose()\nfn f() { line.contains(\"title\"); let a = \"secret.expose()\"; }\n\
         #[cfg(test)]\nmod tests { fn f() { finding.title.contains(\"x\"); secret.expose(); } }",
    );
    for found in [exposed(&fine), searched(&fine), marked(&fine), asked(&fine)] {
        assert_eq!(found, Vec::<String>::new());
    }
}

/// Who writes `sudo` before a command; everywhere else a command is `as_root`.
const WRITES_SUDO: [&str; 2] = ["src/text/command.rs", "src/cli/sudo.rs"];

/// Literals with `sudo` before what could be a command: a program, or the place of one.
fn sudos(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let programs = ["{", "ics-setup ", "systemctl ", "sh -c", "ss ", "cp ", "update-", "docker ", "chmod ", "mv "];
    lines
        .filter(|line| {
            let words = line
                .match_indices("sudo ")
                .filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            words
                .into_iter()
                .any(|(at, word)| programs.iter().any(|program| line[at + word.len()..].starts_with(program)))
        })
        .collect()
}

#[test]
fn sudo_is_written_in_one_place() {
    let all = Crate::this();
    let mut found = Vec::new();
    for file in all.modules.values().map(|module| module.file.as_str()).filter(|file| !file.ends_with("tests.rs")) {
        let source = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        if !WRITES_SUDO.contains(&file) {
            found.extend(sudos(&source).into_iter().map(|line| format!("{file}: {}", line.trim())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(sudos("f(text!(\"give it: sudo {}\", x))\n// sudo {}\n\"under sudo\"\n\"sudo systemctl x\"\n").len(), 2);
}

/// Programs and words of SQL that a sentence has behind a colon where it has somebody type them.
const TYPED: [&str; 30] = [
    "diff",
    "findmnt",
    "head",
    "lsattr",
    "sha256sum",
    "ulimit",
    "apt-get",
    "cat",
    "chmod",
    "chown",
    "curl",
    "df",
    "docker",
    "dockerd",
    "getent",
    "ip",
    "journalctl",
    "ls",
    "mysql",
    "openssl",
    "redis-cli",
    "ss",
    "systemctl",
    "timedatectl",
    "ALTER USER",
    "CREATE USER",
    "FLUSH",
    "GRANT",
    "SELECT",
    "SHOW",
];

/// Of scripts, and where a program is spoken of.
const NOT_TYPED: [&str; 4] =
    ["chmod 644 /etc/cron.d/", "apt-get -q update", "docker and Compose 1.25", "docker kill, and docker stop"];

/// Lines with such a command in the midst of a literal: it is `typed` or `as_root`, which tells it from what is said around it.
fn unmarked(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//") && line.contains('"'));
    let has = |line: &str| {
        TYPED.iter().any(|word| line.contains(&format!(": {word} ")) || line.contains(&format!("; {word} ")))
    };
    lines.filter(|line| has(line) && !NOT_TYPED.iter().any(|words| line.contains(words))).collect()
}

#[test]
fn what_is_typed_is_told_from_what_is_said() {
    let mut found = Vec::new();
    for file in
        Crate::this().modules.values().map(|module| module.file.as_str()).filter(|file| !file.ends_with("tests.rs"))
    {
        let source = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        found.extend(unmarked(&source).into_iter().map(|line| format!("{file}: {}", line.trim())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(unmarked("advise(\"look: df -h\")\n// look: df -h\ntext!(\"look: {}\", typed(\"df -h\"))\n").len(), 1);
}
