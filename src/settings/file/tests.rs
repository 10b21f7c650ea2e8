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
fn what_0_1_0_saved_is_read() {
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

#[test]
fn no_setting_takes_the_mask_off_a_name_that_secrets_have() {
    for name in ["password", "passwd", "secret", "token", "api_key", "aws_secret"] {
        let told = told(&read_text(&format!("{name} \"s3cretZZ\"\n")).unwrap_err());
        assert!(!told.contains("s3cretZZ"), "{told}");
    }
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

/// Values of any settings, as flags give them.
fn values() -> impl Strategy<Value = Vec<(Key, String)>> {
    let of_key = |spec: &'static Spec| {
        let text = match spec.shape {
            Shape::Switch => "true|false".to_owned(),
            Shape::Duration => "[1-9][0-9]?[smh]".to_owned(),
            Shape::Number => "[1-9][0-9]{0,2}".to_owned(),
            Shape::Port => "[1-9][0-9]{0,3}".to_owned(),
            Shape::Release => "v?[0-9]{1,2}(\\.[0-9]{1,3}){0,2}".to_owned(),
            Shape::Choice(words) => words.join("|"),
            Shape::Words(words) => format!("({0})(,({0})){{0,2}}", words.join("|")),
            Shape::List => "[a-zé.:*/\"'#0-9]{1,6}(,[a-z.\"'\\\\\t]{1,6}){0,2}".to_owned(),
            Shape::Text | Shape::Path => "[^\0]{1,8}".to_owned(),
        };
        proptest::string::string_regex(&text).unwrap().prop_map(move |value| (spec.key, value))
    };
    proptest::sample::subsequence(TABLE.iter().collect::<Vec<_>>(), 0..=TABLE.len())
        .prop_flat_map(move |specs| specs.into_iter().map(of_key).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_broken_file_never_shows_a_secret(text in broken()) {
        if let Err(problem) = read_text(&text) {
            prop_assert!(!told(&problem).contains("s3cretZZ"), "{}", told(&problem));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([a-zé\u{feff}.=\\[\\]{}\"'#,\n\r\\\\ 0-9_-]|\"\"\"|\r\n|password|mysql|= \"){0,24}") {
        drop(read_text(&text));
    }

    #[test]
    fn what_is_exported_reads_back(values in values(), remark in "[a-z \"'=\\[#]{0,8}") {
        let entry = |value: &String| Entry { value: Some(value.clone()), remark: remark.clone() };
        let mut entries: BTreeMap<Key, Entry> = values.iter().map(|(key, value)| (*key, entry(value))).collect();
        let place = Entry { value: None, remark: remark.clone() };
        entries.entry(Key::ProxyPasswordFile).or_insert(place);
        let layer = read_text(&export("# head\n", &entries)).map_err(|problem| problem.to_string());
        let layer = layer.map_err(TestCaseError::fail)?;
        let of_layer = |spec: &Spec| Some((spec.key, layer.get(spec.key)?.value.clone()));
        let trimmed = |(key, value): &(Key, String)| match key.spec().shape {
            Shape::List | Shape::Words(_) => (*key, value.split(',').map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(",")),
            _ => (*key, value.clone()),
        };
        prop_assert_eq!(
            TABLE.iter().filter_map(of_layer).collect::<Vec<_>>(),
            values.iter().map(trimmed).filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>()
        );
    }
}
