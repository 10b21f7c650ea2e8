//! The measured tables of every reader, and what holds for all of them.

use proptest::prelude::*;

use super::{Dialect, PamLimit, Reading, Seen, shell_read_with};

const PAM_1_5: Dialect = Dialect::PamEnv(PamLimit::Drop(8191));
const PAM_1_3: Dialect = Dialect::PamEnv(PamLimit::Cut(1023));
const PAM_1_7: Dialect = Dialect::PamEnv(PamLimit::None);

const ALL: [Dialect; 10] = [
    PAM_1_3,
    PAM_1_5,
    PAM_1_7,
    Dialect::Shell,
    Dialect::DockerEnvFile,
    Dialect::ComposeV1Plain,
    Dialect::ComposeV1Dotenv,
    Dialect::ComposeV2,
    Dialect::SystemdEnvironmentFile,
    Dialect::EnvironmentD,
];

/// What the tables say about one file.
enum Is<'a> {
    A(&'a str),
    Absent,
    Inherited,
    Unknown,
    Fatal,
}
use Is::{A, Absent, Fatal, Inherited, Unknown};

fn check(dialect: Dialect, rows: &[(&str, Is<'_>)]) {
    for (file, expected) in rows {
        let reading = dialect.read(file.as_bytes());
        check_one(dialect.name(), file, &reading, expected);
    }
}

fn check_one(name: &str, file: &str, reading: &Reading, expected: &Is<'_>) {
    let seen = reading.get(b"A");
    let agrees = match expected {
        A(value) => seen == Some(&Seen::Value(value.as_bytes().to_vec())),
        Absent => seen.is_none() && !reading.is_fatal(),
        Inherited => seen == Some(&Seen::Inherited),
        Unknown => seen == Some(&Seen::Unknown),
        Fatal => seen.is_none() && reading.is_fatal(),
    };
    assert!(agrees, "{name} on {file:?}: {reading:?}");
}

#[test]
fn login() {
    for dialect in [PAM_1_3, PAM_1_5, PAM_1_7] {
        check(
            dialect,
            &[
                ("A=x\n", A("x")),
                ("A=x", A("x")),
                ("A=\"x y\"\n", A("x y")),
                ("A='x'\n", A("x")),
                ("A=\"mixed'\n", A("mixed")),
                ("A=\"open\n", A("open")),
                ("A=\"x y\" \n", A("x y\" ")),
                ("A=x  \n", A("x  ")),
                ("A=p#ss\n", A("p")),
                ("A=\"p#ss\"\n", A("p")),
                ("A=p\\#ss\n", A("p\\")),
                ("export A=x\n", A("x")),
                ("export\tA=x\n", Absent),
                ("export  A=x\n", Absent),
                ("A = x\n", Absent),
                ("A-B=x\n", Absent),
                ("=x\nA=y\n", A("y")),
                ("A=$HOME`id`\n", A("$HOME`id`")),
                ("A=1\\\n2\n", A("12")),
                ("A=1\\  \n2\n", A("12")),
                ("A=1\\\n", Absent),
                ("A=1\nA=2\n", A("2")),
                ("A=1\nA\n", Absent),
                ("A=x\r\n", A("x\r")),
                ("\u{feff}A=x\n", Absent),
                ("\u{feff}#\nA=x\n", A("x")),
                ("# A=x\n", Absent),
                ("  A=x\n", A("x")),
                ("A=\n", A("")),
                ("A=\"\"\n", A("")),
                ("A=\"\n", A("")),
            ],
        );
    }
    // Releases differ in what continues a line.
    let continued = [("A=1\\\n  2\n", "1  2", "12"), ("A=1\\\n# c\n2\n", "12", "1"), ("A=1\\\n\n2\n", "12", "1")];
    for (file, old, new) in continued {
        check(PAM_1_5, &[(file, A(old))]);
        check(PAM_1_7, &[(file, A(new))]);
    }
}

#[test]
fn long_lines_at_login() {
    let line = |length: usize| format!("A={}", "x".repeat(length - 2));
    let followed = |length: usize| format!("{}\nB=1\n", line(length));
    let b = |dialect: Dialect, file: &str| dialect.read(file.as_bytes()).get(b"B").is_some();

    for (length, fits) in [(8190, true), (8191, false), (9000, false)] {
        let (file, whole) = (followed(length), line(length));
        check(PAM_1_5, &[(&file, if fits { A(&whole[2..]) } else { Absent })]);
        assert_eq!(b(PAM_1_5, &file), fits);
        assert!(b(PAM_1_7, &file));
    }
    check(PAM_1_5, &[(&line(8190), A(&line(8190)[2..])), (&line(8191), Absent)]);
    for length in [1023, 1024, 2000] {
        let file = followed(length);
        check(PAM_1_3, &[(&file, A(&line(length.min(1023))[2..]))]);
        assert!(b(PAM_1_3, &file), "the remainder is a line of its own");
    }
    let smuggled = format!("{}B=1\n", line(1023));
    assert!(b(PAM_1_3, &smuggled));
    assert_eq!(PAM_1_5.read(followed(9000).as_bytes()).complaints.len(), 1);
}

#[test]
fn docker() {
    check(
        Dialect::DockerEnvFile,
        &[
            ("A=\"x\"\n", A("\"x\"")),
            ("A='x'\n", A("'x'")),
            ("A=has#hash\n", A("has#hash")),
            ("A=x #y\n", A("x #y")),
            ("A= x \n", A(" x ")),
            ("A=$HOME${X:-d}p$$ss\n", A("$HOME${X:-d}p$$ss")),
            ("A=back\\slash\\n\n", A("back\\slash\\n")),
            ("export A=x\n", Fatal),
            ("A = x\n", Fatal),
            ("A\n", Inherited),
            ("A=1\nA\n", Unknown),
            ("A=x\r\n", A("x")),
            ("\u{feff}A=x\n", A("x")),
            ("A=\"x\n", A("\"x")),
            ("A: z\n", Fatal),
            ("=x\n", Fatal),
            ("A=1\nA=2\n", A("2")),
            ("  A=x\n", A("x")),
            ("#A=x\n", Absent),
        ],
    );
    let line = |length: usize| format!("A={}\n", "x".repeat(length - 2));
    check(Dialect::DockerEnvFile, &[(&line(65535), A(&line(65535).trim_end()[2..])), (&line(65536), Fatal)]);
    assert!(Dialect::DockerEnvFile.read(b"# \xff\nA=x\n").is_fatal());
}

#[test]
fn compose_up_to_1_25() {
    check(
        Dialect::ComposeV1Plain,
        &[
            ("A=\"x\"\n", A("\"x\"")),
            ("A=has#hash\n", A("has#hash")),
            ("A=x #y\n", A("x #y")),
            ("A= x \n", A(" x")),
            ("A=$HOME${X:-d}p$$ss\n", A("$HOME${X:-d}p$$ss")),
            ("A=back\\slash\\n\n", A("back\\slash\\n")),
            ("export A=x\n", Fatal),
            ("A = x\n", Fatal),
            ("A\n", Inherited),
            ("A=1\nA\n", Inherited),
            ("A=x\r\n", A("x")),
            ("\u{feff}A=x\n", A("x")),
            ("A=\"x\n", A("\"x")),
            ("=x\nA=1\n", Fatal),
            ("A=x\u{85}y\n", A("x")),
        ],
    );
    assert!(Dialect::ComposeV1Plain.read(b"A=\xff\n").is_fatal());
}

#[test]
fn compose_1_26_to_1_29() {
    check(
        Dialect::ComposeV1Dotenv,
        &[
            ("A=\"x\"\n", A("x")),
            ("A='x'\n", A("x")),
            ("A=has#hash\n", A("has#hash")),
            ("A=x #y\n", A("x")),
            ("A= x \n", A("x")),
            ("A=x\ty\n", A("x\ty")),
            // 0.13 drops this line, 0.21 keeps the blanks.
            ("A=x  y\n", Unknown),
            ("A=x\t#y\n", Unknown),
            ("A=$HOME\n", A("$HOME")),
            ("A=${HOME}\n", Unknown),
            ("A='${HOME:-x}'\n", Unknown),
            ("A=${HOME:x}\n", A("${HOME:x}")),
            ("A=${HOME\n", A("${HOME")),
            ("A=p$$ss\n", A("p$$ss")),
            ("A='$HOME'\n", A("$HOME")),
            ("A=back\\slash\\n\n", A("back\\slash\\n")),
            ("A=\"a\\nb\"\n", A("a\nb")),
            ("A='a\\nb\\'c'\n", A("a\\nb'c")),
            ("A=\"a\nb\"\n", A("a\nb")),
            ("A='a\\'\n", A("a\\")),
            ("export A=x\n", A("x")),
            ("A = x\n", A("x")),
            ("'A'=x\n", A("x")),
            ("A\n", Inherited),
            ("A=x\r\n", A("x")),
            ("\u{feff}A=x\n", A("x")),
            ("A=\"x\n", Absent),
            ("A=\"x\" y\n", Absent),
            ("A: z\n", Absent),
            ("=x\nA=1\n", A("1")),
            ("A=1\nA=2\n", A("2")),
        ],
    );
    assert!(Dialect::ComposeV1Dotenv.read(b"A=\xff\n").is_fatal());
}

#[test]
fn compose_v2() {
    check(
        Dialect::ComposeV2,
        &[
            ("A=\"x\"\n", A("x")),
            ("A='x'\n", A("x")),
            ("A=has#hash\n", A("has#hash")),
            ("A=x #y\n", A("x")),
            ("A= x \n", A("x")),
            ("A=$HOME\n", Unknown),
            ("A=${X:-d}\n", Unknown),
            ("A=${X:-d\n", Fatal),
            ("A=$\n", A("$")),
            ("A=p$1\n", A("p$1")),
            ("A=p$$ss\n", A("p$ss")),
            ("A='$HOME'\n", A("$HOME")),
            ("A=back\\slash\\n\n", A("back\\slash\\n")),
            ("A=\"a\\nb\"\n", A("a\nb")),
            ("A=\"a\\$b\\\"c\\\\d\\qe\\0101\"\n", A("a$b\"c\\d\\qeA")),
            ("A='a\\'b'\n", A("a'b")),
            ("export A=x\n", A("x")),
            ("A = x\n", A("x")),
            ("A\n", Inherited),
            ("A=1\nA\n", Unknown),
            ("A=x\r\n", A("x")),
            ("\u{feff}A=x\n", A("x")),
            ("A=\"x\n", Fatal),
            ("A: z\n", A("z")),
            ("B=\"x\" A=y\n", A("y")),
            ("B C=1\n", Fatal),
            ("A+=1\n", Fatal),
            ("A=1\nB=${C:?}\n", Unknown),
        ],
    );
}

#[test]
fn systemd() {
    check(
        Dialect::SystemdEnvironmentFile,
        &[
            ("A=has #hash\n", A("has #hash")),
            ("#A=x\n;A=x\n", Absent),
            ("A=x  \n", A("x")),
            ("A=\"x y\"\n", A("x y")),
            ("A=\"x\"'y' z\n", A("xyz")),
            ("A=x \"y\"\n", A("x \"y\"")),
            ("A=back\\slash\n", A("backslash")),
            ("A='back\\slash'\n", A("back\\slash")),
            ("A=\"b\\a\\\\c\\$\"\n", A("b\\a\\c$")),
            ("A=1\\\n2\n", A("12")),
            ("A=\"open\nB=2\n", A("open\nB=2\n")),
            ("export A=x\n", Absent),
            ("A-B=x\n", Absent),
            ("A = x\n", A("x")),
            ("A=$HOME\n", A("$HOME")),
            ("A=100%\n", A("100%")),
            ("A=x\r\n", A("x")),
            ("\u{feff}A=x\n", Absent),
            ("A=\n", A("")),
            ("A=1\nA=2\n", A("2")),
            ("# comment \\\nA=x\n", Unknown),
            ("A=\x01\n", Unknown),
            ("A=\0\n", Fatal),
        ],
    );
    assert!(Dialect::SystemdEnvironmentFile.read(b"A=\xff\n").is_fatal());
    assert!(!Dialect::SystemdEnvironmentFile.read(b"# \xff\n").is_fatal());
    check(
        Dialect::EnvironmentD,
        &[("A=x\n", A("x")), ("A=$HOME\n", Unknown), ("A=\n", Absent), ("export A=x\n", Absent)],
    );
}

#[test]
fn shell() {
    check(
        Dialect::Shell,
        &[
            ("export A=x\n", A("x")),
            ("A=x\nexport A\n", A("x")),
            ("A=x; export A", A("x")),
            ("export A\nA=x\n", A("x")),
            ("A=x && export A && export B=1\n", A("x")),
            ("A=x\n", Absent),
            ("export A\n", Absent),
            ("export A=x; unset A\n", Absent),
            ("export A='a b'\"c d\"\\ e\n", A("a bc d e")),
            ("export A=\"a\\$b\\c\\\"\"\n", A("a$b\\c\"")),
            ("export A=x # comment\n", A("x")),
            ("export A=x#y\n", A("x#y")),
            ("export A=a\\\nb\n", A("ab")),
            ("B=x\nexport A=\"$B/${B}y\"\n", A("x/xy")),
            ("export A=$HOME\n", Unknown),
            ("export A=${A:-x}\n", Unknown),
            ("export A=$(id)`id`\n", Unknown),
            ("export A=~/x\n", Unknown),
            ("export A=a~b\n", A("a~b")),
            ("export A=$'x'\n", Unknown),
            ("export A=a$\n", A("a$")),
            ("export A=x\r\n", A("x\r")),
            ("set -a\nA=x\nset +a\n", A("x")),
            ("if true; then export A=x; fi\n", A("x")),
            ("export A=x\nif true; then unset A; fi\n", Absent),
            ("if id; then export A=x; fi\n", Unknown),
            ("export A=x\nif [ -f /etc/x ]; then unset A; fi\n", Unknown),
            ("case $- in *i*) export A=x ;; esac\n", Unknown),
            ("for A in x y; do :; done; export A\n", A("y")),
            ("for A in /etc/*; do :; done; export A\n", Unknown),
            ("export A=x\nwhile read line; do echo $A; done\n", A("x")),
            ("export A=x\nwhile read line; do A=$line; done\n", Unknown),
            ("B=x C=y\nwhile id; do B=$C C=$D D=z; done\nexport A=$B\n", Unknown),
            ("{ export A=x; }\n", A("x")),
            ("(export A=x)\n", Absent),
            ("true || export A=x\n", Absent),
            ("id || export A=x\n", Unknown),
            ("id | read A; export A\n", Absent),
            ("read A; export A\n", Unknown),
            ("f() { export A=x; }\n", Absent),
            ("f() { export A=x; }\nf\n", A("x")),
            ("export A=x\nreturn\nexport A=y\n", A("x")),
            ("[ -n \"$B\" ] || return\nexport A=x\n", Unknown),
            ("exit\n", Fatal),
            ("id || exit\nexport A=x\n", Unknown),
            ("A=x :\nexport A\n", Unknown),
            ("export A=x; time export A=y\n", Unknown),
            ("export A=$((1 + 1))\n", Unknown),
            ("[[ -n x ]] && export A=x\n", Unknown),
            ("export A=x; return nothing\n", Unknown),
            ("UID=1; export A=x\n", Unknown),
            // dash and bash differ, or one of them ends.
            ("! ! id\nexport A=x\n", Unknown),
            ("(:) x\nexport A=x\n", Fatal),
            ("export A=x; id 2>&1\r\n", Unknown),
            ("readonly D=1\nD=2 true\nexport A=x\n", Unknown),
            ("readonly D={a,b}\nexport A=x\n", Unknown),
            ("[ -n \"$B\" ] && return\nexport A=x\nif\n", Unknown),
            ("if (:) then export A=x; fi\n", Unknown),
            (". /etc/other\nexport A=x\n", A("x")),
            ("cat <<EOF\nexport A=x\nEOF\n", Absent),
            ("export A=x <<'EOF'\n'\nEOF\n", A("x")),
            ("export A='x\n", Fatal),
            ("export A=\"x\n", Fatal),
            ("if true; then export A=x\n", Fatal),
            ("export A=(1 2)\n", Unknown),
            ("A=x\nexport A B-C\n", Unknown),
            ("A=x command_of_its_own\n", Absent),
            ("A=x; readonly A; export A\n", A("x")),
            ("export A=x >/dev/null 2>&1\n", A("x")),
            ("export A=x >/some/file\n", Unknown),
            ("export A={a,b}\n", Unknown),
            ("A={a,b}; export A\n", A("{a,b}")),
            ("export A=*.example.com\n", A("*.example.com")),
        ],
    );
    let reading = shell_read_with(b"A=x\n", &[b"A", b"B"]);
    check_one("sh", "A=x with A exported", &reading, &A("x"));
    assert_eq!(reading.get(b"B"), None, "the file says nothing about it");
}

#[test]
fn complaints_name_the_line_and_are_few() {
    let mut file = "A-B=1\n".repeat(50);
    let reading = PAM_1_5.read(file.as_bytes());
    assert_eq!(reading.complaints.len(), 20);
    assert_eq!((reading.complaints[4].line, reading.complaints[4].fatal), (5, false));

    file.push_str("X=\"");
    let reading = Dialect::ComposeV2.read(file.as_bytes());
    assert!(reading.is_fatal());
    assert_eq!(reading.complaints.last().map(|complaint| complaint.line), Some(51));
}

#[test]
fn hostile_nesting_is_bounded() {
    for piece in ["$(", "${A:-", "\"$(", "`", "(", "{ ", "if ", "case x in ", "'", "\"", "${", "A=\"\\\"", "A='\\'"] {
        let file = piece.repeat(20_000);
        for dialect in ALL {
            dialect.read(file.as_bytes());
        }
    }
    // Functions that call each other twice.
    let doubling: String = (1..40).map(|n| format!("f{n}() {{ f{p}; f{p}; }}\n", p = n - 1)).collect();
    Dialect::Shell.read(format!("f0() {{ A=1; }}\n{doubling}f39\n").as_bytes());
}

fn files() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "A",
            "B",
            "=",
            "\n",
            "\r",
            " ",
            "\t",
            "#",
            "\"",
            "'",
            "\\",
            "$",
            "{",
            "}",
            "(",
            ")",
            "`",
            ":",
            "-",
            ";",
            "&",
            "|",
            "export ",
            "export",
            "unset ",
            "x",
            "\u{feff}",
            "é",
            "\u{2028}",
            "A=",
            "\nA=",
            "\nexport A=",
            "if ",
            "fi",
            "case ",
            " in ",
            "esac",
            "<<A\n",
            "$A",
            "${B",
            "f()",
            "~",
            "\0",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn reads_anything(file in files()) {
        for dialect in ALL {
            let whole = dialect.read(&file);
            prop_assert!(whole.complaints.len() <= 20);
            prop_assert!(!whole.is_fatal() || whole.variables.is_empty());
            let only = dialect.read_only(&file, &[b"A", b"B"]);
            prop_assert_eq!(whole.is_fatal(), only.is_fatal());
            for name in [b"A".as_slice(), b"B"] {
                prop_assert_eq!(whole.get(name), only.get(name), "{:?} {:?}", dialect, &file);
            }
            prop_assert!(only.variables.len() <= 2);
        }
    }

    /// Whatever stays within this alphabet is the same to everybody.
    #[test]
    fn portable_values_mean_the_same_to_all(value in "[A-Za-z0-9_.,:/@%+=-]{0,40}") {
        let file = format!("A={value}\n");
        for dialect in ALL {
            let reading = match dialect {
                Dialect::Shell => shell_read_with(file.as_bytes(), &[b"A"]),
                Dialect::EnvironmentD if value.is_empty() => continue,
                _ => dialect.read(file.as_bytes()),
            };
            prop_assert_eq!(reading.get(b"A"), Some(&Seen::Value(value.clone().into_bytes())));
        }
    }
}

#[test]
fn releases_of_compose_read_in_three_ways() {
    for (text, dialect) in [
        ("1.25.5\n", Some(Dialect::ComposeV1Plain)),
        ("1.29.2", Some(Dialect::ComposeV1Dotenv)),
        ("v2.24.1", Some(Dialect::ComposeV2)),
        ("unknown command", None),
    ] {
        assert_eq!(Dialect::of_compose(text), dialect, "{text}");
    }
}
