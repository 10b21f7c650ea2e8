//! Holds the model of login shells against the shells: generated chains of `/etc/profile`, scripts, sourced files and home
//! files are read by real bash and dash in a root of their own, and by the model.
//!
//! Where the model says a value, or that there is none, the shell has to agree. It may say that it does not know, but not
//! about more than a fifth of the names. `ICS_SETUP_LAB_SEED` changes the chains, `ICS_SETUP_LAB_CASES` their
//! number; `ICS_SETUP_LAB_KEEP` names a folder in which they are kept.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use ics_setup::envfile::shell::{Given, Kind, Login, Outcome, User};

use crate::common::{debian_root, leashed, need_root, scratch};

const STOCK: [&str; 4] = ["debian-12", "debian-13", "centos-7", "rhel-9"];

/// The names that are compared.
const NAMES: [&str; 10] =
    ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "ftp_proxy", "GIVEN", "CORP", "PX", "HOST_PX", "LIST"];

/// How each chain is read: name, user, shell, its name, interactive.
const WAYS: [(&str, u32, Kind, &str, bool); 6] = [
    ("root-bash", 0, Kind::Bash, "bash", false),
    ("user-bash", 1000, Kind::Bash, "bash", false),
    ("user-bash-i", 1000, Kind::Bash, "bash", true),
    ("user-sh", 1000, Kind::BashAsSh, "sh", false),
    ("user-dash", 1000, Kind::Dash, "dash", false),
    ("root-dash", 0, Kind::Dash, "dash", false),
];

/// `N` stands for a name, `V` for a value, `I` for statements.
const STATEMENTS: [&str; 56] = [
    "export N=V",
    "export N=V",
    "export N=V N=V",
    "N=V",
    "N=V; export N",
    "export N",
    "unset N",
    "export {http,https}_proxy=V",
    "declare -x N=V",
    "set -a; N=V; set +a",
    "set -a\nN=V\nI\nset +a",
    "[ -r /opt/corp.env ] && . /opt/corp.env",
    "if [ -f /opt/corp/more.sh ]; then . /opt/corp/more.sh; fi",
    "source /opt/corp/more.sh",
    "for f in /opt/corp/*.sh; do [ -r \"$f\" ] && . \"$f\"; done; unset f",
    "for v in http_proxy https_proxy; do export $v=V; done",
    "for v in http https ftp; do\n  export ${v}_proxy=\"V\"\ndone",
    "for v in N N; do eval \"$v='V'\"; done",
    "setpx() { export N=V; }\nsetpx",
    "setpx() { export http_proxy=$1 no_proxy=${2:-localhost}; }\nsetpx V V",
    "setpx() { local PX=V; export N=\"$PX\"; }\nsetpx",
    "setpx() { [ -n \"$1\" ] || return 0; N=$1; I\n}\nsetpx V\nsetpx",
    "if [ -n \"$N\" ]; then\nI\nelse\nI\nfi",
    "if [ -z \"${N:-}\" ]; then\nI\nfi",
    "[ \"$N\" = V ] && export N=V",
    "[ -n \"$N\" ] || N=V",
    "case \"$N\" in\n*corp*) I\n;;\nhttp:*) I\n;;\n*) I\n;;\nesac",
    "if [ \"$(id -u)\" -eq 0 ]; then\nI\nelse\nI\nfi",
    "if [ \"${PS1-}\" ]; then\nI\nfi",
    "case $- in *i*) I\n;; *) I\n;; esac",
    "case $- in *i*) ;; *) return;; esac",
    "[[ $N == http* ]] && export N=V",
    "if [[ -n $N && ! -e /nope ]]; then\nI\nfi",
    "export N=\"$N,V\"",
    "export no_proxy=\"$no_proxy,.intra.example\"",
    "N=$N",
    "N+=V",
    ": ${N:=V}",
    "export N=${N:-V}",
    "export N=${N%,*} N=${N#*:}",
    "export LIST=${LIST//,/ }",
    "export N=\"${N:+set}\"",
    "export N=$(echo V)",
    "N=`id -un`",
    "( export N=V )",
    "export N=V &",
    "N=V true",
    "cat >/dev/null <<EOF\nexport N=V\nEOF",
    "alias ll='ls -l'",
    "{ N=V; I\n}",
    "true && I",
    "false || { I\n}",
    "umask 022; I",
    "while false; do N=V; done",
    "set -- V V; export N=$1 N=$2",
    "I\n# N=V\nI",
];

/// What ends a file early or breaks it: rare.
const RARE: [&str; 18] = [
    ". /opt/corp.env",
    "if grep -q x /etc/hosts; then\nI\nfi",
    "export N=$(cat /etc/hostname)",
    "readonly N",
    "readonly N=V",
    "export -n N",
    "return",
    "return 0; N=V",
    "if true; then",
    "export N='V",
    ". /opt/absent.env",
    "eval \"$(cat /opt/corp.env)\"",
    "while read l; do N=$l; done </etc/hosts",
    "exit 0",
    "grep -q nope /etc/hosts && return",
    "N=(a b)",
    "shopt -s nullglob",
    "trap 'N=V' EXIT",
];

const VALUES: [&str; 14] = [
    "http://p:1",
    "http://corp.example:3128",
    "\"http://q:2\"",
    "'x y'",
    "localhost,.intra.example",
    "a",
    "\"\"",
    "$CORP",
    "\"$PX\"",
    "${HOST_PX}",
    "~/x",
    "\"$HOME/y\"",
    "http://$USER@p:1",
    "{a,b}",
];

pub(crate) struct Generator(pub(crate) u64);

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn statement(&mut self, depth: usize) -> String {
        let rare = self.below(80) == 0;
        let mut pattern = if rare { self.pick(&RARE) } else { self.pick(&STATEMENTS) };
        // Functions that call themselves have no end.
        while depth > 2 && pattern.contains('I') || depth > 0 && pattern.contains("setpx") {
            pattern = self.pick(&STATEMENTS[..12]);
        }
        let mut text = String::new();
        let letters: Vec<char> = pattern.chars().collect();
        for (at, letter) in letters.iter().enumerate() {
            let word = |other: Option<&char>| other.is_some_and(|other| other.is_ascii_alphanumeric() || *other == '_');
            let alone = !word(at.checked_sub(1).and_then(|before| letters.get(before))) && !word(letters.get(at + 1));
            match letter {
                'N' if alone => text += self.pick(&NAMES[..]),
                'V' if alone => text += self.pick(&VALUES),
                'I' if alone => text += &self.statement(depth + 1),
                letter => text.push(*letter),
            }
        }
        text
    }

    fn script(&mut self, most: usize) -> String {
        let count = 1 + self.below(most);
        (0..count).map(|_| self.statement(0) + "\n").collect()
    }

    /// One that sources nothing: files that source each other have no end.
    fn leaf(&mut self, most: usize) -> String {
        loop {
            let script = self.script(most);
            if !script.contains("/opt/") {
                return script;
            }
        }
    }
}

fn put(root: &Path, path: &str, text: &str, mode: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), &target).unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}

/// One host's files.
pub(crate) fn chain(generator: &mut Generator, root: &Path) {
    fs::create_dir_all(root.join("etc/profile.d")).unwrap();
    let stock = generator.pick(&STOCK);
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chains").join(stock), root);
    for name in ["aa.sh", "corp.sh", "proxy.sh", "zz-site.sh", ".dot.sh", "old.sh.bak"] {
        if generator.below(3) > 0 {
            let mode = if generator.below(10) == 0 { 0o600 } else { 0o644 };
            let text = generator.script(4);
            put(root, &format!("etc/profile.d/{name}"), &text, mode);
        }
    }
    if generator.below(6) == 0 {
        put(root, "opt/linked.sh", &generator.leaf(2), 0o644);
        symlink("/opt/linked.sh", root.join("etc/profile.d/link.sh")).unwrap();
    }
    for (path, odds) in [
        ("opt/corp.env", 2),
        ("opt/corp/more.sh", 2),
        ("opt/corp/other.sh", 3),
        ("etc/profile.d/sh.local", 3),
        ("home/divvy/.bash_profile", 4),
        ("home/divvy/.profile", 3),
        ("root/.profile", 3),
    ] {
        if generator.below(odds) == 0 {
            let text = if path.starts_with("opt") { generator.leaf(3) } else { generator.script(3) };
            put(root, path, &text, 0o644);
        }
    }
    // Programs that /etc/profile asks for; nobody runs these.
    put(root, "usr/bin/id", "", 0o755);
    put(root, "usr/bin/run-parts", "", 0o755);
}

#[test]
fn generated_chains() {
    need_root();
    if !debian_root().join("usr/bin/dash").exists() && !debian_root().join("bin/dash").exists() {
        println!("skip chains: no dash in the lab's root");
        return;
    }
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let count = number("ICS_SETUP_LAB_CASES", 320);
    let mut generator = Generator(number("ICS_SETUP_LAB_SEED", 17));
    let work = scratch("chains");
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for index in 0..count {
        chain(&mut generator, &work.path().join("cases").join(format!("{index:04}")));
    }
    // Each chain is read in half of the ways.
    let read = |half: usize| -> String {
        let ways = WAYS.iter().enumerate().filter(|(at, _)| at % 2 == half);
        ways.map(|(_, (name, uid, _, shell, interactive))| {
            let (home, user) = if *uid == 0 { ("/root", "root") } else { ("/home/divvy", "divvy") };
            let flag = if *interactive { "-i " } else { "" };
            format!(
                "setpriv --reuid {uid} --regid {uid} --clear-groups env -i HOME={home} USER={user} LOGNAME={user} \
                 SHELL=/bin/{shell} PATH=/usr/bin:/bin GIVEN=before /shells/{shell} -l {flag}-c 'exec /usr/bin/env -0' \
                 >/seen/$case/{name} 2>/dev/null </dev/null\n"
            )
        })
        .collect()
    };
    fs::write(
        work.path().join("read"),
        format!(
            "mkdir /shells; ln -s /bin/bash /shells/bash; ln -s /bin/dash /shells/dash; ln -s /bin/bash /shells/sh\n\
             cd /cases; for case in *; do mkdir /seen/$case\nrm -rf /etc/profile.d /etc/bashrc /etc/bash.bashrc /opt /home/divvy /root\n\
             mkdir -p /opt /home/divvy /root; chmod 755 /root\ncp -a $case/etc $case/opt $case/home $case/root / 2>/dev/null\n\
             case $case in *[02468])\n{}\n;; *)\n{}\n;; esac; done; true\n",
            read(0),
            read(1),
        ),
    )
    .unwrap();
    for folder in ["layer", "seen"] {
        fs::create_dir(work.path().join(folder)).unwrap();
    }
    let script = format!(
        "set -e
         mount -t tmpfs tmpfs '{work}/layer'
         mkdir '{work}/layer/upper' '{work}/layer/work' '{work}/layer/root'
         mount -t overlay overlay -o lowerdir='{root}',upperdir='{work}/layer/upper',workdir='{work}/layer/work' '{work}/layer/root'
         cd '{work}/layer/root'
         mount --rbind /dev dev
         mkdir -p cases seen
         mount --bind '{work}/cases' cases
         mount --bind '{work}/seen' seen
         cp '{work}/read' read
         exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /bin/sh /read",
        work = work.path().display(),
        root = debian_root().display(),
    );
    let output = leashed(&[], "sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut wrong = Vec::new();
    let (mut asked, mut unknown) = (0_usize, 0_usize);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for index in 0..count {
        let case = format!("{index:04}");
        let root = work.path().join("cases").join(&case);
        for (_, (way, uid, kind, shell, interactive)) in
            WAYS.into_iter().enumerate().filter(|(at, _)| *at as u64 % 2 == index % 2)
        {
            let user = User {
                name: if uid == 0 { "root" } else { "divvy" }.into(),
                uid,
                gids: vec![uid],
                home: if uid == 0 { "/root" } else { "/home/divvy" }.into(),
                shell: format!("/shells/{shell}").into(),
            };
            let start = BTreeMap::from([(b"GIVEN".to_vec(), Given::Value(b"before".to_vec()))]);
            let login = Login { user: &user, kind, interactive, start: &start, without_profile: None };
            let found = login.read_image(&root, &NAMES).unwrap();
            let seen = fs::read(work.path().join("seen").join(&case).join(way)).unwrap();
            let real: BTreeMap<Vec<u8>, Vec<u8>> = seen
                .split(|byte| *byte == 0)
                .filter_map(|entry| {
                    let equals = entry.iter().position(|byte| *byte == b'=')?;
                    Some((entry[..equals].to_vec(), entry[equals + 1..].to_vec()))
                })
                .collect();
            // Of a login that has ended there is nothing to know.
            let counts = usize::from(!real.is_empty());
            for name in NAMES {
                asked += counts;
                let is = real.get(name.as_bytes());
                let wanted = match found.get(name.as_bytes()).map(|decided| &decided.outcome) {
                    Some(Outcome::Unknown(why)) => {
                        unknown += counts;
                        *reasons.entry(why).or_default() += counts;
                        continue;
                    }
                    Some(Outcome::Value(value)) => Some(value.clone()),
                    Some(Outcome::Unset) => None,
                    None => start.get(name.as_bytes()).map(|_| b"before".to_vec()),
                };
                if is != wanted.as_ref() {
                    wrong.push(format!(
                        "{case} {way} {name}: the shell has {:?}, the model {:?} by {:?}",
                        is.map(|value| String::from_utf8_lossy(value)),
                        wanted.as_ref().map(|value| String::from_utf8_lossy(value)),
                        found.get(name.as_bytes()).map(|decided| (&decided.path, decided.line)),
                    ));
                }
            }
        }
    }
    let share = 100 * unknown / asked;
    println!("chains: {count} hosts, {asked} values, {unknown} unknown ({share} %): {reasons:?}");
    if let Some(folder) = std::env::var_os("ICS_SETUP_LAB_KEEP") {
        copy(&work.path().join("cases"), Path::new(&folder));
    }
    assert!(wrong.is_empty(), "{} of {asked} differ:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
    assert!(share <= 20, "{share} % unknown");
}
