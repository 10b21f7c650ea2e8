use proptest::prelude::*;

use super::*;

/// Shapes of real files: each with one service `web`, one `other`, and comments.
const SHAPES: [&str; 19] = [
    "version: '2.2'\n# head\nservices:\n  web:\n    image: a:1   # pinned\n    ports:\n      - \"80:8001\"  # outside\n    environment:\n      A: b\n      C: 'd'\n    volumes:\n      - ./plugins:/plugins\n      #- ./proxy_cert.crt:/x\n    command: divvycloud webserver\n    scale:   4\n\n  other:\n    image: b\n\n# tail\n",
    "services:\n  web:\n    image: \"a:1\"\n    ports: [ \"80:8001\" ]   # behind nginx\n    environment: {A: b, N: \"a: b # no comment\"}\n    volumes: []\n    command: [\"divvycloud\", \"webserver\"]\n    scale: 4\n  other: {image: b}\n",
    "services:\n    web:\n        image: a:1\n        environment:\n        - A=b\n        # - DEBUG=1\n        - C=d   \n        ports:\n        - 80:8001\n        command:\n        - divvycloud\n        - webserver\n\n\n    other:\n        image: b\n",
    "---\nservices:\n  web:\n    image : a:1\n    command: >\n      divvycloud\n      webserver\n    labels:\n      x: |\n        text\n        more\n\n  other:\n    image: b\n...\n",
    "services: {web: {image: a:1, command: divvycloud webserver}, other: {image: b}}\n",
    "services:\n  web:\n    image: a:1\n    command: divvycloud webserver",
    "\u{feff}services:\n  web:\n    image: 'a:1'\n    command: 'divvycloud webserver'\n  other:\n    image: b",
    "x-app: &app\n  image: a:1\n  command: divvycloud webserver\nservices:\n  web:\n    <<: *app\n    restart: always\n  other:\n    <<: *app\n",
    "services:\n  web: &web\n    image: a:1\n    environment: &env\n      A: b\n    command: divvycloud webserver\n  other:\n    <<: *web\n    environment:\n      <<: *env\n      D: e\n",
    "services:\n  other:\n    image: b\n  web:\n    command: divvycloud webserver\n    image: a:1\n    environment:\n      LAST:\n",
    "services:\n  web:\n    command: divvycloud webserver\n    image: ${REGISTRY:-a}:1\n    environment:\n      A: ${A}\nvolumes:\n  x: {}\n",
    "services:\n  web:\n    image: a:1\n    command: divvycloud webserver\n    ports: [\n      \"80:8001\",  # out\n      \"81:82\",\n    ]\n    environment: {\n      A: b\n    }\n",
    "services:\n  web:\n    image: a:1\n    command: divvycloud webserver\n    environment: {}\n    ports:\n      - 8001\n",
    "# only\nservices:\n  web: {}\n  other:\n    image: b\n",
    // A comment in brackets, and behind them.
    "services:\n  web:\n    image: a:1\n    command: [\n      divvycloud,\n      webserver # the last\n    ]   # all\n    ports: [\"8001\"]\n    environment: {A: b # c\n    }\n",
    // Replicas in place of a scale; a port of UDP beside the one that is meant.
    "services:\n  web:\n    image: a:1\n    command: divvycloud webserver\n    deploy:\n      replicas: 4\n    ports:\n      - 8001:8001/udp\n      - 127.0.0.1:80:8001/tcp\n  other:\n    image: b\n",
    // Anchors of words and lists.
    "x-image: &image a:1\nx-env: &env [A=b]\nservices:\n  web:\n    image: *image\n    command: divvycloud webserver\n    environment: *env\n",
    // Folded and literal texts, blank lines and comments at the ends.
    "services:\n  web:\n    image: a:1\n    labels:\n      x: |+\n        text\n\n\n      y: >-\n        a\n        b\n    command: divvycloud webserver   \n\n\n    # of nobody\n  # of other\n  other:\n    image: b\n",
    // Blanks before colons, tabs before comments, marks of documents.
    "# head\n---   # the first\nservices :\n  web :\n    image :   \"a:1\"\t# tab\n    command : 'divvycloud webserver'\t# c\n    scale : \"4\"\n    ports :\n    -   \"80:8001\"\t# p\n  other : {image : b}\n...\n# tail\n",
];

fn edits() -> Vec<Edit> {
    let odd = [
        "",
        " x",
        "*a",
        "a: b #c",
        "it's \"q\" \\ n",
        "yes",
        "08",
        "22:22",
        "1e3",
        "$x ${Y}",
        "a\nb\tc",
        "~",
        "\u{7f}é",
    ];
    let mut edits = vec![
        Edit::Word { key: "image", value: "public.ecr.aws/x/y:22.12.7".to_owned() },
        Edit::Scale(7),
        Edit::Item { list: "volumes", item: "./ca.crt:/x:ro".to_owned() },
        Edit::Item { list: "volumes", item: "./proxy_cert.crt:/x".to_owned() },
        Edit::Port { container: 8001, mapping: "127.0.0.1:8001:8001".to_owned() },
        Edit::Flag("--reverse-proxy".to_owned()),
        Edit::NoFlag("webserver".to_owned()),
    ];
    for value in odd {
        edits.push(Edit::Variable { name: "A".to_owned(), value: value.to_owned() });
        edits.push(Edit::Variable { name: "NEW".to_owned(), value: value.to_owned() });
    }
    edits
}

/// Lines of the text that are not in the other, each as often as it stands.
fn gone<'t>(text: &'t str, other: &str) -> Vec<&'t str> {
    let mut rest: Vec<&str> = other.lines().collect();
    let mut gone = Vec::new();
    for line in text.lines() {
        match rest.iter().position(|own| *own == line) {
            Some(at) => drop(rest.remove(at)),
            None => gone.push(line),
        }
    }
    gone
}

#[test]
fn each_edit_of_each_shape_changes_one_value_and_one_line() {
    let mut made = 0;
    for shape in SHAPES {
        for text in [shape.to_owned(), shape.replace('\n', "\r\n")] {
            for edit in edits() {
                let new = match edited(&text, &[("web", edit.clone())]) {
                    Ok(new) => new,
                    Err(odd) => {
                        let known = [
                            "a text over several lines",
                            "it has no command",
                            "it is not one word",
                            "an edit would change more",
                            "it cannot be taken out",
                        ];
                        assert!(known.iter().any(|known| odd.why.starts_with(known)), "{odd:?}: {edit:?} of {text}");
                        continue;
                    }
                };
                made += 1;
                // What is taken out of brackets leaves the line before it without its comma.
                let most = if matches!(edit, Edit::NoFlag(_)) { 2 } else { 1 };
                assert!(gone(&text, &new).len() <= most, "{edit:?} of {text} made {new}");
                assert!(gone(&new, &text).len() <= 2, "{edit:?} of {text} made {new}");
                assert!(!text.contains('\r') || !new.replace("\r\n", "").contains('\n'), "{new:?}");
                assert_eq!(edited(&new, &[("web", edit.clone())]).as_deref(), Ok(new.as_str()), "{edit:?}");
            }
        }
    }
    assert!(made > 600, "{made}");
}

#[test]
fn an_item_that_stands_as_a_comment_becomes_a_line() {
    let item = || Edit::Item { list: "volumes", item: "./c:/x".to_owned() };
    let text = |lines: &str| format!("services:\n  web:\n    volumes:\n      - ./p:/p\n{lines}    image: a\n");
    for (lines, expected) in [
        ("      #- ./c:/x\n", "      - \"./c:/x\"\n"),
        ("\n      # why\n   #  - './c:/x'\n", "\n      # why\n      - \"./c:/x\"\n"),
        // Between others it would be another list.
        ("      #- ./c:/x\n      - ./q:/q\n", "      #- ./c:/x\n      - ./q:/q\n      - \"./c:/x\"\n"),
        ("      #- ./other:/x\n", "      - \"./c:/x\"\n      #- ./other:/x\n"),
    ] {
        assert_eq!(edited(&text(lines), &[("web", item())]).as_deref(), Ok(text(expected).as_str()), "{lines}");
    }
}

#[test]
fn a_shared_value_is_edited_once_when_all_are_to_have_it() {
    let image = || Edit::Word { key: "image", value: "a:2".to_owned() };
    let new = edited(SHAPES[7], &[("web", image()), ("other", image())]).unwrap();
    assert_eq!(new, SHAPES[7].replace("image: a:1", "image: \"a:2\""));
    let new = edited(SHAPES[7], &[("web", image())]).unwrap();
    assert_eq!(new, SHAPES[7].replace("restart: always\n", "restart: always\n    image: \"a:2\"\n"));
}

#[test]
fn what_readers_disagree_about_is_refused_with_its_line() {
    let image = [("web", Edit::Word { key: "image", value: "a:2".to_owned() })];
    for (text, line) in [
        ("services:\n  web:\n    image: a\n    image: b\n", 4),
        ("services:\n  web:\n\timage: a\n", 3),
        ("services:\n  web:\n", 2),
        ("services:\n  other: {}\n", 2),
        ("web:\n  image: a\n", 1),
        ("", 1),
        ("services:\n  web:\n    image:\n", 3),
        ("services:\n  web:\n    image: !x a\n", 3),
        ("services: [a\n", 1),
    ] {
        assert_eq!(edited(text, &image).map_err(|odd| odd.line), Err(line), "{text:?}");
    }
    let bomb = (1..12).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        let below = format!("*a{}", n - 1);
        format!("{text}a{n}: &a{n} [{}]\n", vec![below; 9].join(", "))
    });
    assert!(edited(&format!("{bomb}services: {{web: {{image: a}}}}\n"), &image).is_err());
}

#[test]
fn ways_that_no_edit_fits_are_refused_with_their_line() {
    let port = [("web", Edit::Port { container: 8001, mapping: "443:8001".to_owned() })];
    let of = |ports: &str| edited(&format!("services:\n  web:\n    ports:\n{ports}"), &port);
    for ports in [
        "      - {target: 8001, published: 80}\n",
        "      - \"8000-8002:8000-8002\"\n",
        "      - \"80:${PORT}\"\n",
        "      - 1:2\n      - 80:8001\n      - 81:8001\n",
    ] {
        assert!(of(ports).is_err_and(|odd| (4..=6).contains(&odd.line)), "{ports}");
    }
    assert_eq!(of("    - ${PORT:-80}:8001\n").as_deref(), Ok("services:\n  web:\n    ports:\n    - \"443:8001\"\n"));
    let both = "services:\n  web:\n    scale: 2\n    deploy: {replicas: 3}\n";
    assert_eq!(edited(both, &[("web", Edit::Scale(4))]).map_err(|odd| odd.line), Err(4));
    let one = "services:\n  web:\n    command: [web]\n";
    assert!(edited(one, &[("web", Edit::NoFlag("web".to_owned()))]).is_err());
    assert_eq!(
        without_flag("a --reverse-proxy-x  --reverse-proxy --y", "--reverse-proxy").as_deref(),
        Some("a --reverse-proxy-x --y")
    );
}

/// A value as somebody may have written it.
fn written() -> impl Strategy<Value = fn(&str) -> String> {
    prop::sample::select(vec![
        (|word| word.to_owned()) as fn(&str) -> String,
        |word| format!("'{word}'"),
        |word| format!("\"{word}\""),
        |word| format!("{word}   # c: [x]"),
        |word| format!("&anchor{} {word}", word.len()),
    ])
}

/// A service with its keys in some order, each in some form; `{i}` is where the keys stand.
fn service(name: &'static str) -> impl Strategy<Value = String> {
    let lists = prop::sample::select(vec![
        "{i}  - {a}\n{i}  - {b}\n",
        "{i}- {a}\n{i}# - x\n{i}- {b}\n",
        "[ {a}, {b} ]  # c\n",
        "[\n{i}  {a},\n{i}  {b},\n{i}]\n",
    ]);
    let list = move |a: &'static str, b: &'static str| {
        lists.clone().prop_map(move |form| {
            let form = form.replace("{a}", a).replace("{b}", b);
            if form.starts_with('[') { format!(" {form}") } else { format!("\n{form}") }
        })
    };
    let environment = prop_oneof![
        Just("\n{i}  A: b\n{i}  C: 'd: e'\n".to_owned()),
        Just(" {A: b, C: \"d # e\"}\n".to_owned()),
        list("A=b", "\"C=d e\""),
    ];
    let keys = (
        written().prop_map(|w| format!("{{i}}image: {}\n", w("r/a:1"))),
        prop_oneof![
            written().prop_map(|w| format!(" {}\n", w("divvycloud webserver"))),
            list("divvycloud", "\"webserver\"")
        ]
        .prop_map(|command| format!("{{i}}command:{command}")),
        environment.prop_map(|own| format!("{{i}}environment:{own}")),
        list("\"1:2\"", "80:8001").prop_map(|own| format!("{{i}}ports:{own}")),
        list("./a:/a", "b:/b:ro").prop_map(|own| format!("{{i}}volumes:{own}")),
        prop_oneof![Just("{i}scale:   4\n"), Just("{i}deploy:\n{i}  replicas: 4\n"), Just("")].prop_map(str::to_owned),
        prop_oneof![
            Just("{i}# of people\n"),
            Just("\n"),
            Just("{i}labels:\n{i}  x: |\n{i}    # text\n\n{i}    more\n")
        ]
        .prop_map(str::to_owned),
    );
    let keys = keys.prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g]);
    (keys.prop_shuffle(), prop::bool::ANY)
        .prop_map(move |(keys, blank)| format!("  {name}:   \n{}{}", keys.concat(), if blank { "\n\n" } else { "" }))
}

fn document_of_some_kind() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec!["", "version: '2.2'\n", "# head\n---\n", "\u{feff}version: \"3\"\n\n"]);
    (start, service("web"), service("other"), prop::bool::ANY, prop::bool::ANY, prop::bool::ANY).prop_map(
        |(start, web, other, first, crlf, whole)| {
            let two = if first { [web, other] } else { [other, web] }.concat();
            // Anchors of the second service have names of their own.
            let mut text = format!("{start}services:\n{two}").replace("{i}", "    ");
            if !whole {
                text.truncate(text.trim_end().len());
            }
            if crlf { text.replace('\n', "\r\n") } else { text }
        },
    )
}

proptest! {
    #[test]
    fn services_of_every_document_are_taken_out_and_come_back(text in document_of_some_kind(), web in prop::bool::ANY) {
        let out = [if web { "web" } else { "other" }.to_owned()];
        let made = without(&text, &out).map_err(|odd| TestCaseError::fail(format!("{odd:?}: {text}")))?;
        prop_assert_eq!(restored(&made), Ok(text.clone()));
        prop_assert_eq!(taken_out(&made), Ok(out.to_vec()));
        let count = |text: &str| text.lines().count();
        prop_assert_eq!(count(&made), count(&text));
    }

    #[test]
    fn whatever_a_file_holds_a_service_comes_back_or_stays(
        shape in prop::sample::select(&SHAPES[..]),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, "[ \\t\\r\\n:#&*!|>'\"{}\\[\\],?a-c$-]{0,4}"), 0..4),
    ) {
        let mut text: Vec<char> = shape.chars().collect();
        for (at, length, new) in cuts {
            let at = at.index(text.len());
            text.splice(at..(at + length).min(text.len()), new.chars());
        }
        let text: String = text.into_iter().collect();
        if let Ok(made) = without(&text, &["web".to_owned()]) {
            prop_assert_eq!(restored(&made), Ok(text), "{}", made);
        }
    }

    #[test]
    fn every_edit_of_every_document_is_made_and_touches_its_lines_alone(
        text in document_of_some_kind(),
        edit in prop::sample::select(edits()),
    ) {
        let new = edited(&text, &[("web", edit.clone())]).map_err(|odd| TestCaseError::fail(format!("{odd:?}: {edit:?} of {text}")));
        let new = match (&edit, new) {
            // A word that a list begins with, or that stands alone in it.
            (Edit::NoFlag(_), Err(_)) => return Ok(()),
            (_, new) => new?,
        };
        prop_assert!(gone(&text, &new).len() <= if matches!(edit, Edit::NoFlag(_)) { 2 } else { 1 }, "{new}");
        prop_assert!(gone(&new, &text).len() <= 2, "{new}");
        prop_assert!(!text.contains('\r') || !new.replace("\r\n", "").contains('\n'), "{new:?}");
        prop_assert_eq!(edited(&new, &[("web", edit)]), Ok(new.clone()));
        let wanted = Value::read(&text).unwrap();
        prop_assert!(wanted != Value::read(&new).unwrap() || text == new);
    }

    #[test]
    fn whatever_a_file_holds_an_edit_is_right_or_refused(
        shape in prop::sample::select(&SHAPES[..]),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, "[ \\t\\r\\n:#&*!|>'\"{}\\[\\],?a-c$-]{0,4}"), 1..4),
        edit in prop::sample::select(edits()),
    ) {
        let mut text: Vec<char> = shape.chars().collect();
        for (at, length, new) in cuts {
            let at = at.index(text.len());
            text.splice(at..(at + length).min(text.len()), new.chars());
        }
        let text: String = text.into_iter().collect();
        if let Ok(new) = edited(&text, &[("web", edit.clone())]) {
            prop_assert_eq!(edited(&new, &[("web", edit.clone())]), Ok(new.clone()));
            let wanted = Value::read(&text).and_then(|value| value.with("web", &edit));
            prop_assert_eq!(Value::read(&new), wanted);
            prop_assert!(gone(&text, &new).len() <= 3, "{text:?} {new:?}");
        }
    }
}
