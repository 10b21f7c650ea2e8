//! Edits by example and by law.

use super::*;
use crate::envfile::{PamLimit, Seen};
use proptest::prelude::*;

fn set_all(text: &str, syntax: Syntax, values: &[(&str, &str)]) -> Edited {
    let edits: Vec<Edit<'_>> = values.iter().map(|(name, value)| Edit::Set(name, value.as_bytes())).collect();
    let edited = edit(text.as_bytes(), syntax, &edits).unwrap();
    let again = edit(&edited.bytes, syntax, &edits).unwrap();
    assert_eq!((again.bytes, again.notes), (edited.bytes.clone(), Vec::new()), "a second edit changes nothing");
    edited
}

fn text(edited: &Edited) -> &str {
    std::str::from_utf8(&edited.bytes).unwrap()
}

#[test]
fn the_vendors_file_is_uncommented_in_place() {
    let file = "# Uncomment if behind a proxy. Set http_proxy=URL as needed.\n#http_proxy=http://proxy.acmecorp.com\nA=1\n# no_proxy = mysql, redis\n";
    let edited = set_all(
        file,
        Syntax::EnvFile,
        &[("http_proxy", "http://p:1"), ("no_proxy", "a,b"), ("https_proxy", "http://p:1")],
    );
    assert_eq!(
        text(&edited),
        "# Uncomment if behind a proxy. Set http_proxy=URL as needed.\nhttp_proxy=http://p:1\nA=1\nno_proxy=a,b\nhttps_proxy=http://p:1\n"
    );
    assert_eq!(edited.notes.len(), 3);
}

#[test]
fn one_active_line_is_left_and_the_last_was_the_one_that_counted() {
    let edited = set_all("no_proxy=a\nX=1\nno_proxy=b\r\nY=2", Syntax::EnvFile, &[("no_proxy", "c")]);
    assert_eq!(text(&edited), "#no_proxy=a\nX=1\nno_proxy=c\r\nY=2");
    assert_eq!(edited.notes, [Note::Set("no_proxy".into()), Note::DuplicateCommented("no_proxy".into(), 1)]);
    let right_already = set_all("no_proxy=a\nno_proxy=c\n", Syntax::EnvFile, &[("no_proxy", "c")]);
    assert_eq!(text(&right_already), "#no_proxy=a\nno_proxy=c\n");
}

#[test]
fn spellings_that_docker_rejects_are_mended() {
    for bad in
        ["export http_proxy=x\n", "http_proxy = x\n", "http_proxy\n", "http_proxy: x\n", "http_proxy=\"http://p:1\"\n"]
    {
        assert_eq!(
            text(&set_all(bad, Syntax::EnvFile, &[("http_proxy", "http://p:1")])),
            "http_proxy=http://p:1\n",
            "{bad}"
        );
    }
}

#[test]
fn lines_of_others_that_a_reader_rejects_do_not_keep_ours_from_being_set() {
    let edited =
        set_all("CAFE=1\nexport FOO=1\n#http_proxy=http://x\n", Syntax::EnvFile, &[("http_proxy", "http://p:1")]);
    assert_eq!(text(&edited), "CAFE=1\nexport FOO=1\nhttp_proxy=http://p:1\n");
    assert!(!edited.rejections.is_empty());
    let edits = [Edit::Set("http_proxy", b"http://p:1")];
    let edited = edit(b"CAF\xe9=1\n#http_proxy=x\n", Syntax::EnvFile, &edits).unwrap();
    assert_eq!(edited.bytes, b"CAF\xe9=1\nhttp_proxy=http://p:1\n");
    let edited = set_all("\u{feff}http_proxy=http://a:1\nB=1\n", Syntax::EnvFile, &[("http_proxy", "http://p:1")]);
    assert_eq!(text(&edited), "\u{feff}http_proxy=http://p:1\nB=1\n");
    let edited = set_all("no_proxy=a \\\n,b\nX=1\n", Syntax::PamEnv, &[("no_proxy", "a,b")]);
    assert_eq!(text(&edited), "no_proxy=a,b\nX=1\n");
}

#[test]
fn etc_environment_keeps_its_own_quoting_and_gets_the_documented_one() {
    let edited = set_all(
        "PATH=\"/bin\"\nhttp_proxy='http://old:1'\r\nno_proxy=a",
        Syntax::PamEnv,
        &[("http_proxy", "http://p:1"), ("no_proxy", "a,b"), ("https_proxy", "http://p:1")],
    );
    assert_eq!(text(&edited), "PATH=\"/bin\"\nhttp_proxy='http://p:1'\nno_proxy=a,b\nhttps_proxy=\"http://p:1\"\n");
}

#[test]
fn a_continued_last_line_does_not_swallow_the_new_one() {
    let edited = set_all("A=1\\\n", Syntax::PamEnv, &[("http_proxy", "http://p:1")]);
    assert_eq!(text(&edited), "http_proxy=\"http://p:1\"\nA=1\\\n");
}

#[test]
fn a_script_is_changed_only_where_it_decides() {
    let values = [("http_proxy", "http://p:1")];
    let script = |text| set_all(text, Syntax::Shell, &values);
    assert_eq!(text(&script("export http_proxy='http://o:1' # mine\n")), "export http_proxy='http://p:1' # mine\n");
    assert_eq!(
        text(&script("cat >f <<E\nexport http_proxy=old\nE\n")),
        "cat >f <<E\nexport http_proxy=old\nE\nexport http_proxy=\"http://p:1\"\n"
    );
    assert_eq!(
        text(&script("if true; then\n export http_proxy=x\nfi\n")),
        "if true; then\n export http_proxy=x\nfi\nexport http_proxy=\"http://p:1\"\n"
    );
    assert_eq!(
        text(&script("http_proxy=\"http://o:1\"; export http_proxy\n")),
        "http_proxy=\"http://p:1\"; export http_proxy\n"
    );
    assert!(edit(b"A='unterminated\n", Syntax::Shell, &[Edit::Set("http_proxy", b"x")]).is_err());
}

#[test]
fn removal_leaves_nothing_to_see() {
    let remove = |text: &str, syntax| {
        edit(text.as_bytes(), syntax, &[Edit::Remove("http_proxy")]).map(|e| String::from_utf8(e.bytes).unwrap())
    };
    assert_eq!(remove("A=1\nhttp_proxy=\"x\"\nB=2\n", Syntax::PamEnv).unwrap(), "A=1\nB=2\n");
    assert_eq!(
        remove("A=1\nhttp_proxy=x\nhttp_proxy=y\n", Syntax::EnvFile).unwrap(),
        "A=1\n#http_proxy=x\n#http_proxy=y\n"
    );
    assert_eq!(remove("export http_proxy=\"x\"\nexport http_proxy=\"x\"\nB=2\n", Syntax::Shell).unwrap(), "B=2\n");
    assert_eq!(remove("A=1\n", Syntax::Shell).unwrap(), "A=1\n");
    for set in ["if x; then export http_proxy=y; fi\n", "[ -f x ] && export http_proxy=y\n"] {
        assert_eq!(remove(set, Syntax::Shell).unwrap(), format!("{set}unset http_proxy\n"));
    }
}

#[test]
fn lines_that_are_set_aside_come_back_as_they_stood() {
    let names = ["A", "B"];
    let all = |text: &str, edit_of: fn(&'static str) -> Edit<'static>| {
        let edited = edit(text.as_bytes(), Syntax::EnvFile, &names.map(edit_of)).unwrap();
        String::from_utf8(edited.bytes).unwrap()
    };
    for (stood, aside) in [
        ("A=1\nX=2\nB=a b\n", "#in-secret# A=1\nX=2\n#in-secret# B=a b\n"),
        ("#A=0\nA=1\n# B is prose\n", "#A=0\n#in-secret# A=1\n# B is prose\n"),
        ("A=1\r\n  export B = 2\r\n", "#in-secret# A=1\r\n#in-secret#   export B = 2\r\n"),
        ("A=1\nA=2", "#in-secret# A=1\n#in-secret# A=2"),
        ("#A=1\n", "#A=1\n"),
    ] {
        assert_eq!(all(stood, Edit::Aside), aside);
        assert_eq!(all(aside, Edit::Aside), aside);
        assert_eq!(all(aside, Edit::Back), stood);
        assert_eq!(all(stood, Edit::Back), stood);
    }
    // What somebody has written since counts.
    let since = "#in-secret# A=1\nA=3\n";
    assert_eq!(all(since, Edit::Back), since);
    // A new value takes the place of the line.
    let edited = set_all("#in-secret# A=1\nX=2\n", Syntax::EnvFile, &[("A", "3")]);
    assert_eq!(text(&edited), "A=3\nX=2\n");
    let several = b"A=\"1\nB=2\"\n";
    assert!(edit(several, Syntax::EnvFile, &[Edit::Aside("A")]).is_err(), "the rest would be another line");
}

#[test]
fn each_assignment_of_a_line_is_an_edit_of_its_own() {
    let file = "export http_proxy=http://u:old@o:1 https_proxy='http://u:old@o:1' # both\n";
    let edited = set_all(file, Syntax::Shell, &[("http_proxy", "http://p:1"), ("https_proxy", "http://p:1")]);
    assert_eq!(text(&edited), "export http_proxy=\"http://p:1\" https_proxy='http://p:1' # both\n");
    let file = "PX=1; http_proxy=http://o:1 no_proxy=a; export http_proxy no_proxy\n";
    let edited = set_all(file, Syntax::Shell, &[("http_proxy", "http://p:1"), ("no_proxy", "b")]);
    assert_eq!(text(&edited), "PX=1; http_proxy=\"http://p:1\" no_proxy=\"b\"; export http_proxy no_proxy\n");
    for (file, left) in [
        ("export http_proxy=a https_proxy=b\n", "export https_proxy=b\n"),
        ("export https_proxy=b http_proxy=a\n", "export https_proxy=b\n"),
        ("export A=1 http_proxy=a http_proxy=b B=2 http_proxy # c\n", "export A=1 B=2 # c\n"),
        ("export \\\n  http_proxy=a \\\n  A=1\n", "export \\\n  A=1\n"),
        ("http_proxy=a https_proxy=b\nexport http_proxy https_proxy\n", "https_proxy=b\nexport https_proxy\n"),
        ("http_proxy=a; export http_proxy # mine\nA=1\n", "A=1\n"),
        ("A=1; http_proxy=a; export http_proxy; B=2\n", "A=1; B=2\n"),
        ("export http_proxy=a; cat <<E\nhttp_proxy=b\nE\n", "cat <<E\nhttp_proxy=b\nE\n"),
        ("A=1\nexport http_proxy=a", "A=1\n"),
    ] {
        assert_eq!(text(&edit(file.as_bytes(), Syntax::Shell, &[Edit::Remove("http_proxy")]).unwrap()), left, "{file}");
    }
}

#[test]
fn what_is_done_sometimes_or_elsewhere_is_no_place_to_edit() {
    let new = "export http_proxy=\"http://p:1\"\n";
    for file in [
        "if true; then\n export http_proxy=x\nfi\n",
        "for p in x; do export http_proxy=y; done\n",
        "f() { export http_proxy=x; }\nf\n",
        "(export http_proxy=x)\n",
        "{ export http_proxy=x; }\n",
        "true && export http_proxy=x\n",
        "export http_proxy=$P\n",
        "http_proxy+=x\n",
        "http_proxy=x true\n",
    ] {
        assert_eq!(text(&set_all(file, Syntax::Shell, &[("http_proxy", "http://p:1")])), format!("{file}{new}"));
    }
    let file = "return\nexport http_proxy=x\n";
    assert_eq!(text(&set_all(file, Syntax::Shell, &[("http_proxy", "http://p:1")])), format!("{new}{file}"));
}

fn syntaxes() -> impl Strategy<Value = Syntax> {
    prop_oneof![Just(Syntax::PamEnv), Just(Syntax::Shell), Just(Syntax::EnvFile)]
}

/// Files made of the pieces that parsers trip over.
fn files() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"http_proxy="[..]), 2 => Just(&b"no_proxy="[..]), 2 => Just(&b"export "[..]), 4 => Just(&b"\n"[..]),
        1 => Just(&b"#"[..]), 1 => Just(&b" "[..]), 1 => Just(&b"\""[..]), 1 => Just(&b"'"[..]), 1 => Just(&b"\\"[..]), 1 => Just(&b"\r\n"[..]), 1 => Just(&b"$X"[..]),
        1 => Just(&b"\xEF\xBB\xBF"[..]), 1 => Just(&b"\xff"[..]), 1 => Just(&b"abc"[..]), 1 => Just(&b"A=1"[..]), 1 => Just(&b";"[..]), 1 => Just(&b"if x\nthen\n"[..]),
        1 => Just(&b"fi\n"[..]), 1 => Just(&b"<<E\n"[..]), 1 => Just(&b"E\n"[..]), 1 => Just(&b": "[..]), 1 => Just(&b"\0"[..]), 1 => Just(&b"HTTP_PROXY=$http_proxy"[..]),
    ];
    prop_oneof![
        3 => proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()),
        1 => proptest::collection::vec(any::<u8>(), 0..64),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn whatever_the_file_the_readers_see_the_value_or_the_edit_is_refused(file in files(), syntax in syntaxes(), value in "[a-zA-Z0-9_.,:/@%+=-]{0,12}") {
        let edits = [Edit::Set("http_proxy", value.as_bytes()), Edit::SetIfActive("HTTP_PROXY", value.as_bytes()), Edit::Set("no_proxy", b"a,b")];
        if let Ok(edited) = edit(&file, syntax, &edits) {
            for dialect in syntax.readers().must {
                let reading = dialect.read(&edited.bytes);
                if reading.is_fatal() {
                    continue;
                }
                prop_assert_eq!(reading.get(b"http_proxy"), Some(&Seen::Value(value.as_bytes().to_vec())), "{:?}", dialect);
            }
            let again = edit(&edited.bytes, syntax, &edits).unwrap();
            prop_assert_eq!(&again.bytes, &edited.bytes);
            prop_assert!(again.notes.is_empty());
        }
    }

    #[test]
    fn lines_that_are_not_named_stay(file in files(), syntax in syntaxes()) {
        // A continued line is a part of the assignment that it continues.
        prop_assume!(syntax != Syntax::PamEnv || memchr::memmem::find(&file, b"\\\n").is_none());
        let names = ["http_proxy", "no_proxy"];
        let edits = [Edit::Set("http_proxy", b"v"), Edit::Set("no_proxy", b"w")];
        let others = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let text = bytes.to_vec();
            text.split(|b| *b == b'\n').filter(|line| !names.iter().any(|name| memchr::memmem::find(line, name.as_bytes()).is_some()))
                // A last line without an end gets one when something follows it.
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                .filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
        };
        if let Ok(edited) = edit(&file, syntax, &edits) {
            prop_assert_eq!(others(&file), others(&edited.bytes));
        }
    }

    #[test]
    fn removal_after_setting_leaves_no_reader_a_value(file in files(), syntax in syntaxes()) {
        if let Ok(edited) = edit(&file, syntax, &[Edit::Remove("http_proxy")]) {
            for dialect in syntax.readers().must {
                let reading = dialect.read(&edited.bytes);
                prop_assert!(reading.is_fatal() || reading.get(b"http_proxy").is_none(), "{:?}", dialect);
            }
        }
    }
}

#[test]
fn a_value_that_goes_on_over_its_lines_end_is_spared() {
    let set = [Edit::Set("http_proxy", b"http://h:1")];
    // An open continuation at the end takes in what is appended.
    let edited = edit(b"export FOO=\\\n", Syntax::Shell, &set).unwrap();
    let seen = Dialect::Shell.read(&edited.bytes);
    assert_eq!(seen.get(b"FOO"), Some(&Seen::Value(Vec::new())), "{}", String::from_utf8_lossy(&edited.bytes));
    assert_eq!(seen.get(b"http_proxy"), Some(&Seen::Value(b"http://h:1".to_vec())));
    // The line that looks like ours is the end of somebody else's value.
    let file = b"PAGER=\\\nhttp_proxy=http://o:1\n";
    let before = Dialect::PamEnv(PamLimit::None).read(file);
    match edit(file, Syntax::PamEnv, &set) {
        Ok(edited) => {
            let seen = Dialect::PamEnv(PamLimit::None).read(&edited.bytes);
            assert_eq!(seen.get(b"PAGER"), before.get(b"PAGER"), "{}", String::from_utf8_lossy(&edited.bytes));
        }
        Err(refused) => assert!(refused.spoils, "{refused}"),
    }
    // A script may use what is edited.
    let edited = edit(b"export http_proxy=http://o:1\nexport ftp_proxy=$http_proxy\n", Syntax::Shell, &set).unwrap();
    let seen = Dialect::Shell.read(&edited.bytes);
    assert_eq!(seen.get(b"ftp_proxy"), Some(&Seen::Value(b"http://h:1".to_vec())));
}

proptest! {
    #[test]
    fn no_other_variable_changes(text in r#"([A-C]=[a-c"'\\ ]{0,4}\n|#?http_proxy=[a-c\\"]{0,3}\n|export A=\\\n|#[a-c]?\n){0,7}"#) {
        for syntax in [Syntax::PamEnv, Syntax::Shell, Syntax::EnvFile] {
            let Ok(edited) = edit(text.as_bytes(), syntax, &[Edit::Set("http_proxy", b"http://h:1")]) else { continue };
            for dialect in syntax.readers().must {
                let (then, now) = (dialect.read(text.as_bytes()), dialect.read(&edited.bytes));
                for name in [b"A", b"B", b"C"] {
                    prop_assert!(then.is_fatal() || then.get(name) == now.get(name), "{dialect:?} {text:?}");
                }
            }
        }
    }
}
