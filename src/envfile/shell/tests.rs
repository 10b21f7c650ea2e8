//! Chains of files and what the shell's children get, as bash 5.2 and dash 0.5.12 were seen to give it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Decided, Given, Kind, Login, Outcome, User};
use crate::host::{Attributes, MemoryHost};

const DEBIAN: &str = include_str!("../../../tests/data/chains/debian-12/etc/profile");
const NAMES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];

fn user(uid: u32) -> User {
    let (name, home) = if uid == 0 { ("root", "/root") } else { ("divvy", "/home/divvy") };
    User { name: name.into(), uid, gids: vec![uid], home: PathBuf::from(home), shell: PathBuf::from("/bin/bash") }
}

fn seen(host: &MemoryHost, uid: u32, kind: Kind, interactive: bool) -> BTreeMap<String, Decided> {
    let start = BTreeMap::from([(b"GIVEN".to_vec(), Given::Value(b"before".to_vec()))]);
    let user = user(uid);
    let found = Login { user: &user, kind, interactive, start: &start, without_profile: None }.read(host, &NAMES);
    found.into_iter().map(|(name, decided)| (String::from_utf8(name).unwrap(), decided)).collect()
}

fn host(files: &[(&str, &str)]) -> MemoryHost {
    let host = MemoryHost::new().with("/etc/profile", DEBIAN);
    for (path, text) in files {
        host.put(path, text.as_bytes());
    }
    host
}

/// `value`, `-` (not there), or `?` with the file and line that is not understood.
fn shown(found: &BTreeMap<String, Decided>, name: &str) -> String {
    match found.get(name) {
        None => "-".to_owned(),
        Some(Decided { outcome: Outcome::Unset, .. }) => "-".to_owned(),
        Some(Decided { outcome: Outcome::Value(value), .. }) => String::from_utf8_lossy(value).into_owned(),
        Some(Decided { path, line, .. }) => {
            format!("?{}:{line}", path.file_name().unwrap_or_default().to_string_lossy())
        }
    }
}

fn of(text: &str, kind: Kind) -> BTreeMap<String, Decided> {
    seen(&host(&[("/etc/profile.d/a.sh", text)]), 1000, kind, false)
}

/// What is not followed changes nothing there, and comes to its end all the same.
#[test]
fn a_guess_goes_on_behind_what_is_not_followed_and_ends() {
    let supposed = |text: &str| {
        let (start, user) = (BTreeMap::new(), user(1000));
        let login = Login { user: &user, kind: Kind::Bash, interactive: false, start: &start, without_profile: None };
        let found = login.read_supposing(&host(&[("/etc/profile.d/a.sh", text)]), &NAMES);
        let found = found.into_iter().map(|(name, decided)| (String::from_utf8(name).unwrap(), decided)).collect();
        shown(&found, "https_proxy")
    };
    let line = "export https_proxy=http://p:1\n";
    assert_eq!(
        shown(&of(&format!("eval \"$(x)\"\n{line}unknown\n. \"$(y)\"\n"), Kind::Bash), "https_proxy"),
        "?a.sh:1"
    );
    assert_eq!(supposed(&format!("eval \"$(x)\"\n{line}unknown\n. \"$(y)\"\n")), "http://p:1");
    for endless in [
        "while x; do a=$a.; eval \"$(x)\"; done\n".to_owned(),
        "while :; do a=$a.; done\n".to_owned(),
        "f() { f; f; }\nf\n".to_owned(),
        "f() { if x; then f; else f; fi; }\nf\n".to_owned(),
        "if x; then a=1$a; else a=2$a; fi\n".repeat(400),
        "if x; then\n".repeat(60) + &"fi\n".repeat(60),
        "eval 'eval \"$(x)\"; '\n".repeat(400),
    ] {
        supposed(&(endless + line));
    }
}

#[test]
fn one_script_as_bash_reads_it() {
    for (text, name, wanted) in [
        ("export http_proxy=http://p:1\n", "http_proxy", "http://p:1"),
        ("http_proxy=x\n", "http_proxy", "-"),
        ("http_proxy=x\nexport http_proxy\nhttp_proxy=y\n", "http_proxy", "y"),
        ("GIVEN=x\n", "GIVEN", "x"),
        ("export -n GIVEN\n", "GIVEN", "-"),
        ("unset GIVEN\n", "GIVEN", "-"),
        ("export {http,https,ftp}_proxy=p\n", "https_proxy", "p"),
        ("declare -x http_proxy=p\n", "http_proxy", "p"),
        ("typeset -x http_proxy; http_proxy=p\n", "http_proxy", "p"),
        ("set -a\nhttp_proxy=p\nset +a\nhttps_proxy=q\n", "http_proxy", "p"),
        ("set -a\nset +a\nhttps_proxy=q\n", "https_proxy", "-"),
        ("f() { export http_proxy=$1; }\nf p\n", "http_proxy", "p"),
        ("function f { local http_proxy=q; export no_proxy=$http_proxy; }\nf\n", "no_proxy", "q"),
        ("f() { local http_proxy=q; }\nf\n", "http_proxy", "-"),
        ("for v in http_proxy https_proxy; do export $v=p; done\n", "https_proxy", "p"),
        ("for v in http https; do export ${v}_proxy=p; done\n", "http_proxy", "p"),
        ("for v in http_proxy; do eval \"export $v=p\"; done\n", "http_proxy", "p"),
        ("P=p\nexport http_proxy=\"${P:-x}\" https_proxy=${Q:-q} no_proxy=${P:+a}\n", "no_proxy", "a"),
        ("export no_proxy=a\nexport no_proxy=\"$no_proxy,b\"\n", "no_proxy", "a,b"),
        ("export no_proxy=a\nno_proxy+=,b\n", "no_proxy", "a,b"),
        (": ${http_proxy:=p}\nexport http_proxy\n", "http_proxy", "p"),
        (
            "if [ -f /etc/profile ] && [ ! -e /nope ]; then export http_proxy=p; else export http_proxy=q; fi\n",
            "http_proxy",
            "p",
        ),
        ("[[ $- == *i* ]] && export http_proxy=p\n", "http_proxy", "-"),
        ("case $- in *i*) export http_proxy=p;; *) export http_proxy=q;; esac\n", "http_proxy", "q"),
        ("[ $(id -u) -eq 0 ] || export http_proxy=p\n", "http_proxy", "p"),
        ("[ \"$UID\" -ge 1000 ] && export http_proxy=p\n", "http_proxy", "p"),
        ("export http_proxy=p\nif ping -c1 x; then unset http_proxy; fi\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=$(cat /etc/x)\n", "http_proxy", "?a.sh:1"),
        ("export http_proxy=p\neval \"$(cat /etc/x)\"\n", "http_proxy", "?a.sh:2"),
        ("eval \"$(dircolors -b)\"\nexport http_proxy=p\n", "http_proxy", "p"),
        ("export http_proxy=p\nif true; then\n", "http_proxy", "p"),
        ("export http_proxy=p\n. /etc/absent\nexport http_proxy=q\n", "http_proxy", "q"),
        ("export http_proxy=p\nwhile read x; do http_proxy=$x; done < /etc/hosts\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\nwhile read x; do y=$x; done < /etc/hosts\n", "http_proxy", "p"),
        ("readonly http_proxy=p\nhttp_proxy=q; export http_proxy\nexport http_proxy\n", "http_proxy", "p"),
        ("readonly no_proxy=a\nexport no_proxy=b https_proxy=c\n", "no_proxy", "a"),
        ("readonly no_proxy=a\nexport no_proxy=b https_proxy=c\n", "https_proxy", "c"),
        ("export http_proxy=p\nreturn\nhttp_proxy=q\n", "http_proxy", "p"),
        ("export http_proxy=p\nping x && return\nhttp_proxy=q\n", "http_proxy", "?a.sh:2"),
        ("exit\n", "http_proxy", "?a.sh:1"),
        ("( export http_proxy=p )\nexport https_proxy=q &\ntrue | export no_proxy=r\n", "http_proxy", "-"),
        ("export http_proxy=a\\\nb\n", "http_proxy", "ab"),
        // What shells put together over line ends: keywords and operators.
        ("export http_proxy=p\n}\\\n\nexport http_proxy=q\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\nfalse &\\\n& unset http_proxy\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\nif true; \\\nthen export http_proxy=q; fi\n", "http_proxy", "q"),
        ("http_proxy=p env\n", "http_proxy", "-"),
        // Files that are none.
        ("export http_proxy=p\n. /dev/stdin <<E\nexport http_proxy=q\nE\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\n. /dev/fd/3 3<<< 'export http_proxy=q'\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\nsource /proc/self/fd/0 <<< 'export http_proxy=q'\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\n. /dev/../dev/stdin\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\n. /dev/null\n", "http_proxy", "p"),
        ("export http_proxy=p\ncoproc http_proxy { :; }\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\ncoproc sleep 1\n", "http_proxy", "p"),
        ("export http_proxy=p\nwait -n -p http_proxy\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\nwait\nwait -n\n", "http_proxy", "p"),
        ("export no_proxy=' a , b '\nexport no_proxy=${no_proxy// /}\n", "no_proxy", "a,b"),
        // Loops without an end: nothing behind them is read.
        ("export http_proxy=p\nwhile :; do :; done\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\nuntil false; do sleep 1; done\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\nwhile [ 1 = 1 ]; do x=1; done\n", "http_proxy", "?a.sh:2"),
        ("while :; do export http_proxy=p; break; done\nexport http_proxy=q\n", "http_proxy", "q"),
        ("export http_proxy=p\nwhile :; do ping x && break; done\nexport no_proxy=a\n", "no_proxy", "a"),
        ("f() { while :; do return; done; }\nf\nexport http_proxy=p\n", "http_proxy", "p"),
        ("while false; do :; done\nexport http_proxy=p\n", "http_proxy", "p"),
        // `shopt` that only asks; measured with bash 5.2.
        ("if ! shopt -oq posix; then export http_proxy=p; fi\n", "http_proxy", "p"),
        ("shopt -qo posix || export http_proxy=p\n", "http_proxy", "p"),
        ("shopt -q -o posix && return\nexport http_proxy=p\n", "http_proxy", "p"),
        ("shopt -q login_shell && export http_proxy=p\n", "http_proxy", "p"),
        ("shopt -p; shopt cdspell; shopt; shopt -o; set -o; set +o\nexport http_proxy=p\n", "http_proxy", "p"),
        ("export http_proxy=p\nshopt -q extglob && unset http_proxy\n", "http_proxy", "?a.sh:2"),
        ("export http_proxy=p\nshopt -so posix\n", "http_proxy", "?a.sh:2"),
        ("shopt -so allexport\nhttp_proxy=p\n", "http_proxy", "p"),
        ("export http_proxy=p\nshopt -su posix; shopt -z\n", "http_proxy", "p"),
        ("export http_proxy='p' # why\n", "http_proxy", "p"),
        ("cat <<E\nexport http_proxy=q\nE\nexport http_proxy=p\n", "http_proxy", "p"),
        ("declare -i http_proxy\nexport http_proxy=1+1\n", "http_proxy", "?a.sh:2"),
        ("export HTTP=~/x:~ http_proxy=\"~\"\n", "HTTP", "/home/divvy/x:/home/divvy"),
    ] {
        assert_eq!(shown(&of(text, Kind::Bash), name), wanted, "{text}");
    }
}

#[test]
fn one_script_as_dash_reads_it() {
    for (text, name, wanted) in [
        ("export http_proxy=http://p:1\n", "http_proxy", "http://p:1"),
        ("export {http,https}_proxy=p\n", "http_proxy", "?a.sh:1"),
        ("readonly no_proxy=a\nexport no_proxy=b\n", "no_proxy", "?a.sh:2"),
        ("export http_proxy=p\nif true; then\n", "http_proxy", "?a.sh:3"),
        ("export http_proxy=p\n. /etc/absent\n", "http_proxy", "?a.sh:2"),
        ("source /etc/absent\nexport http_proxy=p\n", "http_proxy", "p"),
        ("declare -x http_proxy=p\n", "http_proxy", "-"),
        ("[[ $- == *i* ]] && return\nexport http_proxy=p\n", "http_proxy", "?a.sh:1"),
        ("x=1 :\nexport x\n", "x", "1"),
    ] {
        assert_eq!(shown(&of(text, Kind::Dash), name), wanted, "{text}");
    }
}

#[test]
fn files_are_one_program_and_modes_decide() {
    let host = host(&[
        ("/etc/profile.d/aa.sh", "export http_proxy=p no_proxy=localhost\n"),
        ("/etc/profile.d/corp.sh", "export no_proxy=\"$no_proxy,.intra\"\n. /opt/corp/proxy.env\n"),
        ("/opt/corp/proxy.env", "https_proxy=q; export https_proxy\n"),
        ("/etc/profile.d/.zz.sh", "export http_proxy=dot\n"),
        ("/etc/profile.d/zz.sh.bak", "export http_proxy=bak\n"),
        ("/home/divvy/.profile", "[ -f ~/.bashrc ] && . ~/.bashrc\n"),
        ("/home/divvy/.bashrc", "export http_proxy=home\n"),
        ("/etc/bash.bashrc", "export FROM=bashrc\n"),
    ]);
    host.put_with("/etc/profile.d/zz.sh", b"export http_proxy=root\n", Attributes::new(0o600, 0, 0));
    let found = seen(&host, 1000, Kind::Bash, false);
    assert_eq!(shown(&found, "no_proxy"), "localhost,.intra");
    assert_eq!(shown(&found, "https_proxy"), "q");
    assert_eq!((found["https_proxy"].path.to_str().unwrap(), found["https_proxy"].line), ("/opt/corp/proxy.env", 1));
    assert_eq!(shown(&found, "http_proxy"), "home");
    assert_eq!(shown(&found, "FROM"), "-");
    assert_eq!(shown(&seen(&host, 1000, Kind::Bash, true), "FROM"), "bashrc");
    assert_eq!(shown(&seen(&host, 0, Kind::Bash, false), "http_proxy"), "root");
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let host = MemoryHost::new().with("/etc/profile", DEBIAN).with("/etc/profile.d/a.sh", "export http_proxy=p\n");
    let host = host.with_error("/etc/profile.d/a.sh", std::io::ErrorKind::Other);
    assert!(shown(&seen(&host, 1000, Kind::Bash, false), "http_proxy").starts_with('?'));
}

#[test]
fn what_has_no_end_ends() {
    let host = |text: &str| host(&[("/etc/profile.d/a.sh", text)]);
    let doubling: String = (0..40).map(|at| format!("f{at}() {{ f{0}; f{0}; }}\n", at + 1)).collect();
    for text in [
        ". /etc/profile.d/a.sh\n".to_owned(),
        "f() { f; f; }\nf\n".to_owned(),
        format!("{doubling}f40() {{ x=1; }}\nf0\n"),
        "{".repeat(100_000),
        "$(".repeat(100_000),
        format!("export a={}{}\n", "{a,".repeat(2000), "}".repeat(2000)),
        "if x; then a=1; else a=2; fi\n".repeat(20_000),
        "export http_proxy=${a".to_owned(),
        format!("if x; then a=1; {} fi\n", "elif x; then a=1; ".repeat(20_000)),
        format!("if false; then a=1; {} fi\n", "elif false; then a=1; ".repeat(20_000)),
        format!("case $x in {} esac\n", "a$y) b=1;; ".repeat(20_000)),
        format!("[ x {} ]\n", "-a x ".repeat(50_000)),
        format!("a={}\n{}", "x".repeat(1000), "a=$a$a\n".repeat(60)),
        format!("a={}\n{}", "x".repeat(1000), "a+=$a\n".repeat(60)),
        format!("echo {}\na={}\nb=${{a%%*[x]y*}}\n", "[".repeat(300_000), "x".repeat(300_000)),
        "while x; do a=$b b=$c c=$d d=$e e=$f f=$a; done\n".repeat(100),
        "x=`".to_owned(),
    ] {
        let found = seen(&host(&text), 1000, Kind::Bash, false);
        drop(found);
    }
    let found = seen(&host(". /etc/profile.d/a.sh\n"), 1000, Kind::Bash, false);
    assert_eq!(shown(&found, "http_proxy"), "?a.sh:1");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let host = host(&[]);
        host.put("/etc/profile.d/a.sh", &text);
        for kind in [Kind::Bash, Kind::Dash, Kind::BashAsSh] {
            seen(&host, 1000, kind, true);
        }
    }

    #[test]
    fn no_shell_like_text_makes_it_panic(text in "([a-z_]{1,3}|[\\[\\](){}$\"'`;&|<>=#!*?~:+\\- \n.]|if |then |fi|case |esac|in |for |do |done|export |eval |\\$\\(|\\$\\{){0,40}") {
        let host = host(&[("/etc/profile.d/a.sh", &text)]);
        for kind in [Kind::Bash, Kind::Dash, Kind::BashAsSh] {
            seen(&host, 1000, kind, false);
        }
    }
}
