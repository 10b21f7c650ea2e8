use proptest::prelude::*;

use super::*;

fn read_text(text: &str) -> Result<Layer, Problem> {
    read(text, Path::new("settings.toml"))
}

#[test]
fn values_come_with_their_line() {
    let layer = read_text("deployment = \"test-drive\"\n\n[proxy]\n# c\nhttp = \"http://h:1\"\nno_proxy = [\"a\", \"b\"]\n[mysql]\nport = 3307\ntls = true\n").unwrap();
    let http = layer.get(Key::ProxyHttp).unwrap();
    assert_eq!((http.value.as_str(), http.origin.to_string().as_str()), ("http://h:1", "settings.toml:5"));
    assert_eq!(layer.get(Key::ProxyNoProxy).unwrap().value, "a,b");
    assert_eq!(layer.get(Key::MysqlPort).unwrap().value, "3307");
    assert_eq!(layer.get(Key::MysqlTls).unwrap().value, "true");
}

#[test]
fn what_0_2_0_saved_is_read() {
    let layer = read_text("os = 'ubuntu'\nroles = ['worker']\nworkers = 8\nimage = 'x:1'\nbundle = '/mnt'\n").unwrap();
    assert_eq!(layer.get(Key::Os).unwrap().value, "ubuntu");
}

#[test]
fn an_unknown_key_shows_the_users_line_and_the_right_key() {
    let problem = read_text("[proxy]\nhtpp = \"http://u:s3cret@h:1\"\n").unwrap_err();
    assert_eq!(problem.message, "settings.toml:2: unknown key proxy.htpp");
    let because = problem.excerpt.unwrap();
    assert!(because.contains("2 | htpp = \"http://u:***@h:1\""), "{because}");
    assert_eq!(problem.hints, ["did you mean proxy.http?"]);
    assert!(!because.contains("s3cret"));
    for text in
        ["[proxi]\nhttp = 1", "x = 1", "[proxy.http]\na = 1", "[mysql]\nport = 0", "[mysql]\nport = [1]", "a = = 1"]
    {
        assert!(read_text(text).is_err(), "{text}");
    }
    assert!(
        read_text("[mysql]\npasswort = \"s3cret\"").unwrap_err().excerpt.is_some_and(|text| !text.contains("s3cret"))
    );
}

#[test]
fn the_example_is_valid_with_and_without_its_comment_marks() {
    let text = example();
    read_text(&text).unwrap();
    let uncommented: String = text
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line)))
        .collect();
    read_text(&uncommented).unwrap();
    assert!(TABLE.iter().all(|spec| text.contains(spec.variable)));
}

#[test]
fn saving_keeps_what_a_person_wrote() {
    let present = "# mine\nrelease = \"22.3\" # pinned\n\n[proxy]\n# why\nhttp = 'http://a:1'\n";
    let values = [
        (Key::Release, "22.3".to_owned()),
        (Key::ProxyHttp, "http://b:1".to_owned()),
        (Key::MysqlPort, "3307".to_owned()),
    ];
    let saved = save(Some(present), &values).unwrap().unwrap();
    assert!(
        saved.starts_with("# mine\nrelease = \"22.3\" # pinned\n\n[proxy]\n# why\nhttp = \"http://b:1\"\n"),
        "{saved}"
    );
    assert!(saved.contains("[mysql]\nport = 3307\n"));
    assert_eq!(save(Some(&saved), &values).unwrap().unwrap(), saved);
    assert_eq!(save(None, &[]).unwrap(), None);
}

fn saved(present: &str, values: &[(Key, &str)]) -> String {
    let values: Vec<_> = values.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    save(Some(present), &values).unwrap().unwrap()
}

#[test]
fn a_list_and_a_text_are_the_same_only_when_their_members_are() {
    for (key, present, value, after) in [
        (Key::ProxyNoProxy, "no_proxy = \"old.example\"", "new.example", "no_proxy = [\"new.example\"]"),
        (Key::ProxyNoProxy, "no_proxy = [\"old.example\"]", "new.example", "no_proxy = [\"new.example\"]"),
        (Key::ProxyNoProxy, "no_proxy = \"a, b\"", "a,b", "no_proxy = \"a, b\""),
        (Key::ProxyNoProxy, "no_proxy = [ 'a','b' ]", "a,b", "no_proxy = [ 'a','b' ]"),
        (Key::ProxyHttp, "http = [\"http://old\"]", "http://new", "http = \"http://new\""),
        (Key::ProxyBothCases, "both_cases = 'yes'", "true", "both_cases = 'yes'"),
    ] {
        assert_eq!(saved(&format!("[proxy]\n{present}\n"), &[(key, value)]), format!("[proxy]\n{after}\n"));
    }
}

type Values<'a> = &'a [(Key, &'a str)];

#[test]
fn saving_changes_the_value_and_no_other_byte() {
    let host: Values<'_> = &[(Key::MysqlHost, "n")];
    let both: Values<'_> = &[(Key::MysqlHost, "n"), (Key::MysqlPort, "3307")];
    let top: Values<'_> = &[(Key::Os, "ubuntu"), (Key::ProxyUser, "u")];
    for (present, values, after) in [
        (
            "[mysql]\n  host   =\t\"o\"   # ask Bob\n\n\n# end",
            host,
            "[mysql]\n  host   =\t\"n\"   # ask Bob\n\n\n# end",
        ),
        ("[mysql]\r\nhost = 'o' # b\r\n# end\r\n", both, "[mysql]\r\nhost = \"n\" # b\r\nport = 3307\r\n# end\r\n"),
        ("os = \"ubuntu\"\r\n# end", both, "# end\r\n\r\n[mysql]\r\nhost = \"n\"\r\nport = 3307"),
        ("mysql.host = 'o'", both, "mysql.host = \"n\"\nmysql.port = 3307"),
        ("mysql = {host = 'o', user = 'u'} # c\n", host, "mysql = {host = \"n\"} # c\n"),
        ("mysql = { user = 'u', host = 'o' }\n", both, "mysql = { host = \"n\", port = 3307 }\n"),
        ("mysql = { host = 'o' # c\n , user = 'u' }\n", &[(Key::MysqlUser, "u")], "mysql = { # c\n user = 'u' }\n"),
        ("mysql = {}\n", host, "mysql = { host = \"n\" }\n"),
        ("[mysql.other]\nx = 1\n", host, "[mysql.other]\nx = 1\n\n[mysql]\nhost = \"n\"\n"),
        (
            "# mine\n\n# of the proxy\n[proxy]\nuser = 'u'\n",
            top,
            "# mine\n\nos = \"ubuntu\"\n\n# of the proxy\n[proxy]\nuser = 'u'\n",
        ),
        ("\u{feff}[proxy]\nuser = 'u'\n", top, "\u{feff}os = \"ubuntu\"\n\n[proxy]\nuser = 'u'\n"),
        ("\u{feff}os = 'centos'\n", &[(Key::Os, "ubuntu")], "\u{feff}os = \"ubuntu\"\n"),
        ("\u{feff}os = 'centos'\n", &[], "\u{feff}"),
        ("os = 'centos' # ask Bob\nmysql.port = 0x10\n", &[(Key::MysqlPort, "16")], "# ask Bob\nmysql.port = 0x10\n"),
        ("a = 1\n\n[mysql]\nhost = 'o'\n\n[x]\n", &[], "a = 1\n\n[x]\n"),
        ("a = 1\n\n[mysql]\nhost = 'o'\n", &[], "a = 1\n"),
        ("a = 1\n[mysql]\nhost = 'o'\n# mine", &[], "a = 1\n[mysql]\n# mine"),
        ("[mysql]\npassword = 'mine'\nhost = 'o'", &[], "[mysql]\npassword = 'mine'"),
        ("[mysql]\nhost = ''\n[x]\n[[y]]\n", &[], "[mysql]\nhost = ''\n[x]\n[[y]]\n"),
        ("b.x = 1\na = 2\nb.y = '''\r\n'''\n", &[], "b.x = 1\na = 2\nb.y = '''\r\n'''\n"),
        (
            "proxy.no_proxy = [ # these\n  'worker', # one\n]\n",
            &[(Key::ProxyNoProxy, "worker")],
            "proxy.no_proxy = [ # these\n  'worker', # one\n]\n",
        ),
        ("[[mysql]]\nhost = 'o'\n", host, "[[mysql]]\nhost = 'o'\n"),
        ("", &[(Key::MysqlUser, "a\"b\\c\n\u{7f}")], "[mysql]\nuser = \"a\\\"b\\\\c\\n\\u007F\"\n"),
    ] {
        assert_eq!(saved(present, values), after, "from {present:?}");
        assert_eq!(saved(after, values), after, "from {present:?}, once more");
    }
}

#[test]
fn a_saved_file_that_is_not_toml_is_shown_without_secrets() {
    let problem = save(Some("[mysql]\npassword = \"s3cretZZ\" x\n"), &[]).unwrap_err();
    assert!(!told(&problem).contains("s3cretZZ"), "{problem}");
    assert!(problem.message.starts_with("/etc/ics-setup/settings.toml:2: "), "{problem}");
}

/// All that a problem says.
fn told(problem: &Problem) -> String {
    format!("{problem}\n{}", problem.hints.join("\n"))
}

#[test]
fn an_error_page_shows_what_is_wrong_and_no_secret() {
    for (text, shown) in [
        (
            "mysql = { host=\"h\", password=\"s3cretZZ\", prot=1 }",
            "1 | mysql = { host=\"h\", password=***, prot=1 }\n  |                                   ^",
        ),
        (
            "proxy = { password = 's3cretZZ', htpp = 'http://u:s3cretZZ@h' }",
            "1 | proxy = { password = ***, htpp = 'http://u:***@h' }\n  |                           ^",
        ),
        (
            "proxy = { http = 'http://u:s3cretZZ@h', prot = 1 }",
            "1 | proxy = { http = 'http://u:***@h', prot = 1 }\n  |                                    ^",
        ),
        ("proxy = { http = 'http://u:s3cretZZ@h' prot = 1 }", "1 | proxy = { http = 'http://u:***@h' prot = 1 }"),
        ("[mysql]\npasswrd = \"s3cretZZ\"", "2 | passwrd = ***\n  | ^"),
        ("[mysql]\n\"pass\\u0077ord\" = [1, \"s3cretZZ\"]", "2 | \"pass\\u0077ord\" = [***, ***]"),
        ("[mysql]\npassword.s3cretZZ = 1", "2 | password.*** = ***"),
        ("[mysql]\npassword = {s3cretZZ = 1}", "2 | password = ***"),
        ("[proxy]\nhtpp = \"\"\"http://u:s3cretZZ\n@h\"\"\"", "2 | htpp = ***\n  | ^"),
        ("[mysql]\nhost = \"a\"\"\"\npassword = \"\"\"\ns3cretZZ", "2 | host = …"),
        ("[mysql]\npassword = \"\"\"s3cretZZ\nmore", "| "),
        ("password = \"\"\"\ns3cretZZ\n", "| "),
        ("a = \"\"\"\npassword = \"\"\"\ns3cretZZ\n\"\"\"\n", "| …"),
        ("a = \"\"\"\npassword = \"\"\" s3cretZZ\n", "2 | password = …"),
        ("password = \"s3cretZZ\nmore\"", "1 | password = …"),
        ("http = \"http://u:s3cretZZ\n@h\"", "1 | http = …"),
        ("password = \"x\ns3cretZZ\" = 2", "password = …"),
        ("password s3cretZZ", "1 | password ***"),
        ("password = [\n  \"s3cretZZ\" 'x'\n]", "2 | …"),
        ("[mysql]\npassword = 'x'\nport = 1 2", "3 | port = 1 2\n  |        ^^^"),
        ("deployment production", "1 | deployment production"),
        ("host = \"\"\", password = s3cretZZ\"\"\"", "1 | host = ***"),
        ("host = 'x, password = s3cretZZ'", "1 | host = ***"),
        ("prot = 1 # password s3cretZZ", "1 | prot = 1 # password ***"),
        ("the_mysql_passwrd = 's3cretZZ' x", "1 | the_mysql_passwrd = ***"),
    ] {
        let problem = read_text(text).unwrap_err();
        let told = told(&problem);
        assert!(!told.contains("s3cretZZ"), "{text}: {told}");
        assert!(told.contains(shown), "{text}: {told}");
    }
    let problem = read_text("[mysql]\n\"password=s3cretZZ\" = 1").unwrap_err();
    assert!(!told(&problem).contains("s3cretZZ"), "{problem}");
}

#[test]
fn deep_nesting_is_refused_in_order() {
    for open in ["[", "{ a = ", "a."] {
        assert!(read_text(&format!("x = {}", open.repeat(100_000))).is_err());
    }
}

#[test]
fn a_number_counts_in_its_own_base() {
    for (number, value) in
        [("0x10", "16"), ("0o17", "15"), ("0b11", "3"), ("3_307", "3307"), ("0xC_EB", "3307"), ("+22", "22")]
    {
        let layer = read_text(&format!("[mysql]\nport = {number}\n")).unwrap();
        assert_eq!(layer.get(Key::MysqlPort).unwrap().value, value, "{number}");
    }
    for number in ["0x1_0000", "0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "-1"] {
        assert!(read_text(&format!("[mysql]\nport = {number}\n")).is_err(), "{number}");
    }
}

#[test]
fn a_wrong_value_names_its_place_once() {
    let problem = read_text("[mysql]\nport = 0\n").unwrap_err();
    assert_eq!(problem.message, "settings.toml:2: mysql.port must be a port from 1 to 65535");
}

#[test]
fn a_list_of_tables_is_answered_with_single_brackets() {
    let problem = read_text("os = 'ubuntu'\n[[proxy]]\nhttp = 'http://h:1'\n").unwrap_err();
    assert_eq!(problem.message, "settings.toml:2: proxy is one table, not a list of tables");
    assert_eq!(problem.hints, ["write [proxy] with single brackets, once"]);
    assert!(read_text("proxy = [[1]]").unwrap_err().message.contains("unknown key proxy"));
}

/// A piece of a settings file, whole or broken.
fn piece() -> impl Strategy<Value = String> {
    let secret_name = "(mysql_|DB-|)(password|Passwort|passwd|pasword|passwrd|PASSWORD|token|api_key|secret)";
    let quotes = "(\"|'|\"\"\"|'''|\"\"\"\n|'''\r\n|\"\\\\\"|\"a\n|)";
    prop_oneof![
        6 => (secret_name, "( = |=|: | =|= | |)", quotes, quotes).prop_map(|(name, sign, open, close)| {
            // Without anything between them name and value are one word.
            let sign = if sign.is_empty() && open.is_empty() { "=" } else { sign.as_str() };
            format!("{name}{sign}{open}s3cretZZ{close}")
        }),
        2 => "(http|htpp|url) = [\"']https?://u:s3cretZZ@h(:1)?[\"']?",
        3 => "(host|port|prot|user|both_cases|x\\.y|release) ?=? ?(\"h\"|'h'|\"h|1|0x1F|\\[|\\[1, |\\{|\\{ a = 1, |\"\"\"|''')",
        2 => "\\[?\\[(mysql|proxy|redis|x|mysql\\.password)\\]?\\]?",
        2 => "(mysql|proxy|x) = \\{ ?",
        1 => "# (a|don't|\"\"\"|password = s3cretZZ)",
        2 => "[\\]\\}\"'=,.]{1,3}",
    ]
}

fn broken() -> impl Strategy<Value = String> {
    proptest::collection::vec((piece(), "(\n|\n|\r\n|, | |)"), 1..8)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, end)| piece + &end).collect())
}

/// A settings file as people write it, now and then wrong.
fn people() -> impl Strategy<Value = String> {
    let top = "(os = 'ubuntu'( # c)?\n)?(redis.port = (8|0x8|\"8\")\n)?(proxy.no_proxy = (\"a,b\"|\\[ 'a', \"b\" \\]|\\[\n 'a', # c\n\\])\n)?(# d\n|\n){0,2}";
    let body = "(host = 'h'( # c)?\n)?(# d\n|\n)?(port = 0xC_EB *\n)?(other = '''x'''\n)?(# e\n|\n){0,2}";
    let dotted = |body: String| {
        let line = |line: &str| if line.contains('=') { format!("mysql.{line}\n") } else { format!("{line}\n") };
        body.lines().map(line).collect::<String>()
    };
    let mysql = prop_oneof![
        body.prop_map(|body| format!("[mysql]\n{body}")),
        body.prop_map(dotted),
        "mysql = \\{ ?(host = 'h' ?(, ?)?)?\\} ?(# c)?\n",
        "mysql = \\{ ?(port = 1 ?, ?)?(host = 'h')? ?(# c\n ?)?(, user = 'u' ?)?\\}\n?",
        Just(String::new()),
    ];
    (top, mysql, "(\\[x\\]\n?|\\[mysql\\.x\\]\na = 1|# end)?", any::<bool>(), any::<bool>()).prop_map(
        |(top, mysql, end, crlf, bom)| {
            let text = format!("{}{top}{mysql}{end}", if bom { "\u{feff}" } else { "" });
            if crlf { text.replace('\n', "\r\n") } else { text }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_broken_file_never_shows_a_secret(text in broken()) {
        if let Err(problem) = read_text(&text) {
            prop_assert!(!told(&problem).contains("s3cretZZ"), "{}", told(&problem));
        }
        if let Err(problem) = save(Some(&text), &[]) {
            prop_assert!(!told(&problem).contains("s3cretZZ"), "{}", told(&problem));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([a-zé\u{feff}.=\\[\\]{}\"'#,\n\r\\\\ 0-9_-]|\"\"\"|\r\n|password|mysql|= \"){0,24}") {
        drop(read_text(&text));
        let saved = save(Some(&text), &[(Key::MysqlHost, "h".to_owned()), (Key::Os, "ubuntu".to_owned())]);
        prop_assert_eq!(toml::de::DeTable::parse(&text).is_ok(), saved.is_ok());
    }

    #[test]
    fn saving_twice_is_saving_once_and_reads_back(text in people(), wanted in any::<[bool; 6]>()) {
        prop_assume!(toml::de::DeTable::parse(&text).is_ok());
        let all = [
            (Key::Os, "ubuntu"), (Key::RedisPort, "8"), (Key::ProxyNoProxy, "a,b"),
            (Key::MysqlHost, "h"), (Key::MysqlPort, "3307"), (Key::ProxyUser, "u"),
        ];
        let values: Vec<_> = all.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(pair, _)| *pair).collect();
        let once = saved(&text, &values);
        prop_assert_eq!(&saved(&once, &values), &once);
        // What is no setting of ours is an error to the reader, and nothing to the writer.
        let known = |text: &str| read_text(&text.replace("other", "database")).ok();
        if let (Some(before), Some(after)) = (known(&text), known(&once)) {
            for spec in TABLE.iter().filter(|spec| spec.saved && spec.key != Key::MysqlDatabase) {
                let value = values.iter().find(|(key, _)| *key == spec.key).map(|(_, value)| *value);
                prop_assert_eq!(after.get(spec.key).map(|it| it.value.as_str()), value);
            }
            let same = TABLE.iter().all(|spec| {
                before.get(spec.key).map(|it| &it.value) == after.get(spec.key).map(|it| &it.value)
            });
            prop_assert!(!same || text == once);
        }
        if text.contains("\r\n") {
            prop_assert_eq!(once.matches('\n').count(), once.matches("\r\n").count());
        }
        let ends = |text: &str| text.trim_start_matches('\u{feff}').chars().next_back().map(|last| last == '\n');
        prop_assert!(ends(&text).is_none() || ends(&once).is_none() || ends(&text) == ends(&once));
        // Comments are nobody's values.
        for comment in ["# c", "# d", "# e", "# end"] {
            prop_assert!(text.matches(comment).count() <= once.matches(comment).count() + text.matches("'a', # c").count());
        }
    }
}
