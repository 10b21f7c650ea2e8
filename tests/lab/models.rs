//! Holds the models of apt, dnf, PAM, sudo, sshd and cron against the programs themselves, over generated configurations in a
//! Debian root. Where the model says that it does not know, nothing is compared; it has to know most.
//!
//! `ICS_SETUP_LAB_SEED` changes what is generated. A reader that the root does not have is skipped by name.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ics_setup::{Modelled, modelled};

use crate::common::{
    Guest, PROXY_NAMES, copy_tree, debian_root, environment, lab, scratch_in_memory, skip, until, write,
};
use crate::readers::files::Generator;
use tempfile::TempDir;

/// Files of one configuration by their paths.
pub(crate) type Tree = BTreeMap<String, String>;

/// What a reader got; nothing where it refused the configuration.
pub(crate) type Real = Option<BTreeMap<String, String>>;

/// A guest with each tree below `cases/NNN`, an empty `seen`, and the same trees where the models read them.
pub(crate) struct Readers {
    pub(crate) guest: Guest,
    trees: TempDir,
}

impl Readers {
    /// `script` is run for each `$case`.
    fn new(trees: &[Tree], script: &str) -> Self {
        Self::with(trees, "chmod -R go-w,a+rX /cases", script, |_, _| ())
    }

    /// The same, with more that `prepare` puts below the root of each; `first` is run before all.
    pub(crate) fn with(trees: &[Tree], first: &str, script: &str, prepare: impl FnMut(usize, &Path)) -> Self {
        Self::over(&debian_root(), trees, first, script, prepare)
    }

    /// The same, over another root.
    fn over(lower: &Path, trees: &[Tree], first: &str, script: &str, mut prepare: impl FnMut(usize, &Path)) -> Self {
        let folder = scratch_in_memory("models");
        for (index, tree) in trees.iter().enumerate() {
            let root = folder.path().join(format!("{index:03}"));
            for (path, text) in tree {
                write(&root, path, text);
            }
            // Which linux-pam it is decides how continued lines are read.
            write(&root, "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
            prepare(index, &root);
        }
        let guest = Guest::over(lower, None, |upper| {
            fs::create_dir_all(upper.join("seen")).unwrap();
            fs::write(upper.join("each.sh"), script).unwrap();
            copy_tree(folder.path(), &upper.join("cases"));
        });
        guest.sh(&format!("{first}; cd /cases; for case in *; do . /each.sh; done"));
        Self { guest, trees: folder }
    }

    fn root(&self, index: usize) -> PathBuf {
        self.trees.path().join(format!("{index:03}"))
    }

    pub(crate) fn model(&self, reader: &str, index: usize) -> Modelled {
        modelled(reader, &self.root(index)).unwrap()
    }

    fn seen(&self, index: usize) -> Option<Vec<u8>> {
        fs::read(self.guest.path(&format!("seen/{index:03}"))).ok()
    }
}
/// Compares all trees; `names` are looked at beside those that the model has.
pub(crate) fn compare(
    reader: &str,
    trees: &[Tree],
    names: &[&str],
    of_model: impl Fn(usize) -> Modelled,
    real: impl Fn(usize) -> Real,
) {
    let mut wrong = Vec::new();
    let (mut compared, mut unknown, mut refused) = (0, 0, 0);
    for (index, tree) in trees.iter().enumerate() {
        let model = of_model(index);
        let Some(real) = real(index) else {
            refused += 1;
            // That it does not know is all that a model says of a configuration that is refused.
            if reader == "apt" && model.get("") != Some(&None) {
                wrong.push(format!("{tree:#?}\n    refused, but modelled {model:?}"));
            }
            continue;
        };
        if model.get("") == Some(&None) {
            unknown += 1;
            continue;
        }
        let mut all: Vec<&str> = model.keys().map(String::as_str).chain(names.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        for name in all {
            match (model.get(name), real.get(name)) {
                (Some(None), _) => unknown += 1,
                (Some(Some(model)), Some(real)) if model == real => compared += 1,
                (None, None) => compared += 1,
                (model, real) => {
                    wrong.push(format!("{tree:#?}\n    {index:03}: {name}: really {real:?}, modelled {model:?}"))
                }
            }
        }
    }
    println!(
        "{reader}: {} configurations, {refused} refused, {compared} values compared, {unknown} unknown",
        trees.len()
    );
    let told: Vec<&str> = wrong.iter().map(String::as_str).take(6).collect();
    assert!(told.is_empty(), "{reader}: {} disagreements\n{}", wrong.len(), told.join("\n"));
    assert!(compared > unknown && compared > trees.len() / 2, "{reader}: {compared} compared, {unknown} unknown");
}

pub(crate) fn text(generator: &mut Generator, pieces: &[&str], most: usize) -> String {
    (0..1 + generator.below(most)).map(|_| generator.pick(pieces)).collect()
}

const APT: [&str; 54] = [
    "Acquire::http::Proxy \"http://h:1\";\n",
    "Acquire::http::Proxy \"http://h:2\";",
    "acquire::HTTPS::proxy \"http://i:1\";\n",
    "Acquire { http { Proxy \"http://h:3\"; }; };\n",
    "Acquire { https::Proxy \"http://i:2\"; ",
    "}; ",
    "};\n",
    "}\n",
    "Acquire::http {\n",
    "http {\n",
    "Proxy \"http://h:4\";\n",
    "Proxy-Auto-Detect \"/bin/true\";\n",
    "Proxy::mirror.corp \"DIRECT\";\n",
    "Acquire::http::Proxy::deb.corp http:%2f%2fp:1;\n",
    "Acquire::http::Proxy \"\";\n",
    "Acquire::http::Proxy:: \"x\";\n",
    "#clear Acquire::http;\n",
    "#clear Acquire;\n",
    "#clear Acquire::http::Proxy::mirror.corp;\n",
    "#clear;\n",
    "#include \"/etc/apt/more\";\n",
    "#include \"/etc/apt/parts/\";\n",
    "#include \"/etc/apt/none\";\n",
    "# remark\n",
    "// remark\n",
    "/* a \" b */",
    "/* open\n",
    "*/",
    " // \"x\n",
    "Acquire::http::Proxy \"http://h:5\" // c\n;\n",
    "Acquire::http::Proxy\n\"http://h:6\"\n;\n",
    "Acquire::http::Proxy \"http://\" \"h:7\";\n",
    "Acquire::http::Proxy \"a\tb\";\n",
    "Acquire::http::Dl-Limit \"5\";\n",
    "Dir::Etc::main \"/etc/apt/more\";\n",
    "Dir::Etc::main \"other.conf\";\n",
    "Dir::Etc \"etc/apt/sub\";\n",
    "#nothing\n",
    "\n",
    ";\n",
    "\"",
    "{",
    "Acquire::http::Timeout \"1\";",
    " ",
    "APT::Install-Recommends \"0\";\n",
    "Acquire::https::Proxy [x]y;\n",
    "Acquire::http \"v\" { Proxy \"http://h:8\"; };\n",
    "list { \"a\"; \"b\"; };\n",
    "Acquire::::http::Proxy \"z\";\n",
    "\r\n",
    "Acquire::http::Proxy \"http://h:9\";\r\n",
    "Acquire::http::User-Agent \"# no remark // neither\";\n",
    "Acquire::http:::x \"1\";\n",
    "\0",
];

#[test]
fn apt() {
    let mut generator = Generator::new(31);
    let names = ["10a", "20b.conf", "30c.bak", "40d.conf~", ".50e", "60 f", "70g.disabled", "80h-i_j", "90k."];
    let mut trees: Vec<Tree> = (0..360)
        .map(|case| {
            let mut tree = Tree::new();
            tree.insert("etc/apt/apt.conf.d/00".to_owned(), String::new());
            // Whole statements mostly: what is refused ends the comparison.
            let pieces = if case % 3 == 0 { &APT[..] } else { &APT[..17] };
            for _ in 0..1 + generator.below(3) {
                let name = format!("etc/apt/apt.conf.d/{}", generator.pick(&names));
                tree.insert(name, text(&mut generator, pieces, 4));
            }
            for path in
                ["etc/apt/apt.conf", "etc/apt/more", "etc/apt/parts/x", "etc/apt/other.conf", "etc/apt/sub/apt.conf"]
            {
                if generator.below(3) == 0 {
                    tree.insert(path.to_owned(), text(&mut generator, &APT[..17], 3));
                }
            }
            tree
        })
        .collect();
    let long = |length: usize| {
        format!("{}Acquire::http::Proxy \"http://h:1\";\nAcquire::https::Proxy \"http://h:2\";\n", " ".repeat(length))
    };
    for length in [4060, 4061, 4062, 4063, 8155, 8156, 8157] {
        trees.push(Tree::from([("etc/apt/apt.conf.d/long".to_owned(), long(length))]));
    }
    let script =
        "rm -rf /etc/apt; cp -a $case/etc/apt /etc/apt; apt-config dump >/seen/$case 2>/dev/null || rm /seen/$case";
    let readers = Readers::new(&trees, script);
    let model = |index: usize| readers.model("apt", index);
    let real = |index: usize| {
        let dump = String::from_utf8_lossy(&readers.seen(index)?).into_owned();
        let options = dump.lines().filter_map(|line| {
            let (name, value) = line.split_once(" \"")?;
            let value = value.strip_suffix("\";")?;
            (!value.is_empty() && !name.ends_with("::")).then(|| (name.to_lowercase(), value.to_owned()))
        });
        Some(options.filter(|(name, _)| name.starts_with("acquire::http")).collect())
    };
    compare(
        "apt",
        &trees,
        &["acquire::http::proxy", "acquire::https::proxy", "acquire::http::proxy::mirror.corp"],
        model,
        real,
    );
}

const DNF: [&str; 26] = [
    "proxy=http://h:1\n",
    "proxy = http://h:2\n",
    "proxy=\"http://h:3\"\n",
    "proxy=_none_\n",
    "proxy=_NONE_\n",
    "proxy=\n",
    "proxy='http://h:4'\n",
    "gpgcheck=1\n",
    "proxy_username=u\n",
    "proxy_username=v\nproxy_password=p\n",
    "# remark\n",
    "\n",
    "; remark\n",
    "proxy=http://h:5 ; c\n",
    "proxy=None\n",
    "PROXY=http://h:6\n",
    "proxy=http://h:7\r\n",
    " proxy=http://h:8\n",
    "proxy=\"http://h:9\";\n",
    "[main]\n",
    "[a]\n",
    "[b] # c\n",
    "junk\n",
    "proxy\n",
    "  \n",
    "[c\n",
];

#[test]
fn dnf() {
    if !debian_root().join("usr/bin/dnf").exists() {
        return skip("models::dnf", "dnf 4.14", "the lab's root has no dnf");
    }
    let trees = dnf_trees(240);
    let readers = Readers::new(&trees, ":");
    let script = "import dnf, json, os, shutil
for case in sorted(os.listdir('/cases')):
    for folder in ('dnf', 'yum.repos.d', 'distro.repos.d'):
        shutil.rmtree('/etc/' + folder, ignore_errors=True)
        shutil.copytree('/cases/%s/etc/%s' % (case, folder), '/etc/' + folder)
    base = dnf.Base()
    for name in ('releasever', 'arch', 'basearch'): base.conf.substitutions[name] = 'none'
    try:
        base.conf.read()
        base.read_all_repos()
    except Exception: continue
    def value(conf):
        url, user = conf.proxy or '', conf.proxy_username
        return url.replace('://', '://%s:%s@' % (user, conf.proxy_password or ''), 1) if user else url
    found = {repo.id: value(repo) for repo in base.repos.values()}
    found['http_proxy'] = value(base.conf)
    json.dump(found, open('/seen/' + case, 'w'))
";
    readers.guest.write("ask.py", script);
    readers.guest.sh("python3 /ask.py 2>/dev/null");
    let model = |index: usize| of_dnf(readers.model("dnf", index));
    let real = |index: usize| {
        let real: BTreeMap<String, String> = serde_json::from_slice(&readers.seen(index)?).unwrap();
        Some(with_all(real))
    };
    compare("dnf", &trees, &[], model, real);
}

/// Needs a root with dnf5 in the lab, which Debian has in its unstable release alone: `mmdebstrap --include=dnf5 sid
/// LAB/roots/dnf5`.
#[test]
fn dnf5() {
    let root = lab().join("roots/dnf5");
    if !root.join("usr/bin/dnf5").exists() {
        return skip("models::dnf5", "dnf5", "the lab has no root with it");
    }
    let mut trees = dnf_trees(120);
    let mut generator = Generator::new(33);
    for tree in &mut trees {
        tree.insert("usr/bin/dnf5".to_owned(), String::new());
        for (path, name) in [
            ("etc/dnf/libdnf5.conf.d/20.conf", "main"),
            ("usr/share/dnf5/libdnf.conf.d/20.conf", "main"),
            ("usr/share/dnf5/libdnf.conf.d/30.conf", "main"),
            ("etc/dnf/repos.override.d/50.repo", "?"),
            ("usr/share/dnf5/repos.override.d/60.repo", "*"),
        ] {
            if generator.below(3) == 0 {
                tree.insert(path.to_owned(), format!("[{name}]\n{}", text(&mut generator, &DNF[..10], 2)));
            }
        }
    }
    let script = "rm -rf /etc/dnf /etc/yum.repos.d /etc/distro.repos.d /usr/share/dnf5
cp -a $case/etc $case/usr / 2>/dev/null
dnf5 --dump-main-config '--dump-repo-config=*' >/seen/$case 2>/dev/null || rm /seen/$case\n";
    let readers = Readers::over(
        &root,
        &trees,
        "cp /usr/bin/dnf5 /bin/dnf5.kept; chmod -R go-w,a+rX /cases",
        &script.replace("dnf5 --", "dnf5.kept --"),
        |_, _| (),
    );
    // A dump tells the first line of a value.
    let first = |value: String| value.lines().next().unwrap_or_default().to_owned();
    let model = |index: usize| -> Modelled {
        let model = of_dnf(readers.model("dnf", index));
        model.into_iter().map(|(name, value)| (name, value.map(first))).collect()
    };
    let real = |index: usize| {
        let seen = String::from_utf8(readers.seen(index)?).unwrap();
        let mut sections = BTreeMap::new();
        for section in seen.split("======== ").filter(|section| section.contains('\n')) {
            let name = section.split('"').nth(1).filter(|_| section.starts_with('"')).unwrap_or("http_proxy");
            let key = |key: &str| section.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            let (url, user) = (key("proxy").unwrap_or_default(), key("proxy_username").unwrap_or_default());
            let login = format!("://{user}:{}@", key("proxy_password").unwrap_or_default());
            let value = if user.is_empty() { url.to_owned() } else { url.replacen("://", &login, 1) };
            sections.insert(name.to_owned(), value);
        }
        Some(with_all(sections))
    };
    compare("dnf5", &trees, &[], model, real);
}

fn dnf_trees(count: usize) -> Vec<Tree> {
    let mut generator = Generator::new(32);
    let tree = |case: usize| {
        let pieces = if case.is_multiple_of(4) { &DNF[..] } else { &DNF[..17] };
        let mut section =
            |name: &str| format!("[{name}]\nname=n\nbaseurl=http://x/\n{}", text(&mut generator, pieces, 3));
        let main = section("main").replace("name=n\nbaseurl=http://x/\n", "");
        let (a, b, c) = (section("a"), section("b"), section("c"));
        Tree::from([
            ("etc/dnf/dnf.conf".to_owned(), main),
            ("etc/yum.repos.d/a.repo".to_owned(), format!("{a}{b}")),
            ("etc/yum.repos.d/.c.repo".to_owned(), c.clone()),
            ("etc/distro.repos.d/d.repo".to_owned(), c.replace("[c]", "[d]")),
        ])
    };
    (0..count).map(tree).collect()
}

/// A repository without a word has what the main section has; an empty key of it is none.
fn of_dnf(mut model: Modelled) -> Modelled {
    let main = model.get("http_proxy").cloned().unwrap_or(Some(String::new()));
    for name in ["a", "b", "d", "http_proxy"] {
        model.entry(name.to_owned()).or_insert(main.clone());
    }
    model
}

/// A file that dnf passes over has no repositories.
fn with_all(mut real: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let main = real["http_proxy"].clone();
    for name in ["a", "b", "d"] {
        real.entry(name.to_owned()).or_insert(main.clone());
    }
    real
}

const ENVIRONMENT: [&str; 9] = [
    "http_proxy=http://e:1\n",
    "https_proxy=\"http://e:2\"\n",
    "no_proxy=a,b\n",
    "export HTTP_PROXY=http://e:3\n",
    "http_proxy\n",
    "# remark\n",
    "http_proxy=http://e:4 # c\n",
    "no_proxy=\\\nc\n",
    "https_proxy=x\\\n",
];

pub(crate) const CONF: [&str; 12] = [
    "http_proxy DEFAULT=http://c:1\n",
    "http_proxy DEFAULT=\"\" OVERRIDE=\n",
    "https_proxy DEFAULT=${http_proxy}x OVERRIDE=y\n",
    "no_proxy DEFAULT=a OVERRIDE=${no_proxy}\n",
    "http_proxy\n",
    "https_proxy DEFAULT=@{PAM_USER}\n",
    "# c\n",
    "http_proxy=x\n",
    "no_proxy DEFAULT=\"a\"b\n",
    "no_proxy DEFAULT=\\$a\n",
    "https_proxy DEFAULT=$x\n",
    "no_proxy OVERRIDE=\"x y\"\n",
];

const STACK: [&str; 26] = [
    "session required pam_env.so\n",
    "session required pam_env.so readenv=1\n",
    "session required pam_env.so readenv=0\n",
    "session optional pam_env.so envfile=/etc/corp.env\n",
    "session required pam_env.so conffile=/etc/corp.conf\n",
    "session required pam_env.so conffile=/etc/none.conf\n",
    "session required pam_permit.so\n",
    "session sufficient pam_permit.so\n",
    "session [default=1] pam_permit.so\n",
    "session [success=2 default=ignore] pam_permit.so\n",
    "session sufficient pam_deny.so\n",
    "session optional pam_deny.so\n",
    "@include site\n",
    "session include site\n",
    "session substack site\n",
    "-session optional pam_none.so\n",
    "# session required pam_env.so\n",
    "session required \\\n pam_env.so readenv=0\n",
    "session [success=done default=ignore] pam_permit.so\n",
    "session [success=ok default=bad] pam_permit.so\n",
    "session optional pam_umask.so\n",
    "auth required pam_env.so envfile=/etc/corp.env\n",
    "session [success=1 default=ignore] pam_succeed_if.so quiet uid >= 0\n",
    "session sufficient pam_succeed_if.so quiet uid >= 0\n",
    "session sufficient pam_env.so readenv=0\n",
    "session [default=bad] pam_permit.so\n",
];

pub(crate) fn stacks(generator: &mut Generator, service: &str) -> Tree {
    let mut tree = Tree::new();
    let head = "auth sufficient pam_rootok.so\naccount required pam_permit.so\n";
    tree.insert(format!("etc/pam.d/{service}"), format!("{head}{}", text(generator, &STACK, 5)));
    let site: Vec<&str> = STACK.iter().copied().filter(|line| !line.contains("site")).collect();
    tree.insert("etc/pam.d/site".to_owned(), text(generator, &site, 4));
    tree.insert("etc/pam.d/other".to_owned(), "session required pam_env.so envfile=/etc/corp.env\n".to_owned());
    tree.insert("etc/environment".to_owned(), text(generator, &ENVIRONMENT, 4));
    tree.insert("etc/corp.env".to_owned(), text(generator, &ENVIRONMENT, 3));
    tree.insert(
        "etc/security/pam_env.conf".to_owned(),
        if generator.below(2) == 0 { String::new() } else { text(generator, &CONF, 3) },
    );
    tree.insert("etc/corp.conf".to_owned(), text(generator, &CONF, 2));
    tree
}

/// Copies a tree over /etc.
const OVER: &str = "cp -a $case/etc/. /etc/";

#[test]
fn pam() {
    let mut generator = Generator::new(33);
    let trees: Vec<Tree> = (0..240).map(|_| stacks(&mut generator, "su")).collect();
    let script = format!(
        "{OVER}; env -i PATH=$PATH su -s /bin/sh nobody -c 'env -0' >/seen/$case 2>/dev/null </dev/null || rm /seen/$case"
    );
    let readers = Readers::new(&trees, &script);
    let model = |index: usize| readers.model("pam:su", index);
    compare("pam", &trees, &PROXY_NAMES, model, |index| Some(environment(&readers.seen(index)?)));
}

pub(crate) const SUDOERS: [&str; 20] = [
    "Defaults pam_service=su\n",
    "Defaults pam_login_service=su, pam_askpass_service=none\n",
    "Defaults env_keep -= \"no_proxy https_proxy\"\n",
    "Defaults env_keep = \"COLORS DISPLAY\"\n",
    "Defaults env_reset\n",
    "Defaults !env_reset\n",
    "Defaults env_keep += \"http_proxy https_proxy\"\n",
    "Defaults env_keep=http_proxy\n",
    "Defaults env_keep -= \"http_proxy\"\n",
    "Defaults !env_keep\n",
    "Defaults env_keep += \"*_proxy\"\n",
    "Defaults env_file=/etc/corp.env\n",
    "Defaults restricted_env_file=\"/etc/corp.env\"\n",
    "Defaults:%site env_keep += \"https_proxy\"\n",
    "Defaults mail_badpass, env_keep+=\"A \\\n https_proxy\", !lecture\n",
    "# Defaults env_keep += \"https_proxy\"\n",
    "@includedir /etc/sudoers.d\n",
    "Defaults secure_path=\"/usr/sbin:/usr/bin:/sbin:/bin\"\n",
    "#include /etc/sudoers.more\n",
    "Defaults !env_file\n",
];

#[test]
fn sudo() {
    let mut generator = Generator::new(34);
    let trees: Vec<Tree> = (0..160)
        .map(|_| {
            let mut tree = stacks(&mut generator, "sudo");
            let line: Vec<&str> = SUDOERS.iter().copied().filter(|line| !line.contains("include")).collect();
            let all = "root ALL=(ALL:ALL) NOPASSWD: ALL\n";
            tree.insert("etc/sudoers".to_owned(), format!("{}{all}", text(&mut generator, &SUDOERS, 4)));
            tree.insert("etc/sudoers.d/site".to_owned(), text(&mut generator, &line, 2));
            tree.insert("etc/sudoers.d/old.bak".to_owned(), "Defaults !env_reset\n".to_owned());
            tree.insert("etc/sudoers.more".to_owned(), text(&mut generator, &line, 2));
            let su = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_env.so envfile=/etc/corp.env\n";
            tree.insert("etc/pam.d/su".to_owned(), su.to_owned());
            if generator.below(2) == 0 {
                tree.insert(
                    "etc/pam.d/sudo".to_owned(),
                    "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_env.so\n"
                        .to_owned(),
                );
            }
            tree
        })
        .collect();
    let script = format!(
        "{OVER}; env -i PATH=$PATH http_proxy=http://caller:1 https_proxy=http://caller:1 sudo -n -u nobody env -0 >/seen/$case 2>/dev/null </dev/null || rm /seen/$case"
    );
    let readers = Readers::new(&trees, &script);
    let model = |index: usize| readers.model("sudo", index);
    compare("sudo", &trees, &PROXY_NAMES, model, |index| Some(environment(&readers.seen(index)?)));
    // With the line that is advised sudo passes on what its caller has.
    let line = "Defaults env_keep += \"http_proxy https_proxy no_proxy\"\n";
    let scoped = |tree: &Tree| tree.values().any(|text| text.contains("Defaults:"));
    let mended: Vec<(usize, Tree)> = trees
        .iter()
        .enumerate()
        .filter(|(_, tree)| !scoped(tree))
        .filter_map(|(index, tree)| {
            let keeps = readers.model("sudo-keeps", index);
            let path = match (keeps.get("file"), keeps.contains_key("last")) {
                (Some(Some(path)), _) => path.trim_start_matches('/').to_owned(),
                (_, true) => "etc/sudoers".to_owned(),
                _ => return None,
            };
            let mut tree = tree.clone();
            tree.entry(path).or_default().push_str(line);
            Some((index, tree))
        })
        .collect();
    assert!(mended.len() > 40, "{} of {}", mended.len(), trees.len());
    let (indices, mended): (Vec<usize>, Vec<Tree>) = mended.into_iter().unzip();
    let again = Readers::new(&mended, &format!("rm -rf /etc/sudoers.d; {script}"));
    for (index, tree) in mended.iter().enumerate() {
        // A stack that refuses everybody tells nothing.
        if readers.seen(indices[index]).is_none() {
            continue;
        }
        let seen = environment(&again.seen(index).unwrap_or_else(|| panic!("refused: {tree:#?}")));
        for name in ["http_proxy", "https_proxy"] {
            assert_eq!(seen.get(name).map(String::as_str), Some("http://caller:1"), "{name}: {tree:#?}");
        }
    }
}

pub(crate) const SSHD: [&str; 13] = [
    "UsePAM yes\n",
    "UsePAM no\n",
    "usepam=yes\n",
    "SetEnv http_proxy=http://s:1\n",
    "SetEnv A=b no_proxy=\"x y\"\n",
    "setenv http_proxy=http://s:2 https_proxy=z\n",
    "Include /etc/ssh/sshd_config.d/*.conf\n",
    "Include site.conf\n",
    "# SetEnv https_proxy=q\n",
    "Match User nobody\nSetEnv HTTP_PROXY=m\nMatch all\n",
    "PermitUserEnvironment no\n",
    "AcceptEnv LANG LC_*\n",
    "Port 22 # c\n",
];

const SSHD_OPTS: [&str; 6] = [
    "",
    "",
    "-o UsePAM=no ",
    "-4oUsePAM=yes ",
    "-oSetEnv=http_proxy=http://o:1 -o SetEnv=no_proxy=q ",
    "-p 22 -f /etc/ssh/site.conf ",
];

/// Without a stack of its own: what sshd adds to it, and whether it asks PAM at all.
#[test]
fn sshd() {
    if !debian_root().join("usr/sbin/sshd").exists() {
        return skip("models::sshd", "OpenSSH", "the lab's root has no sshd");
    }
    let mut generator = Generator::new(35);
    let trees: Vec<Tree> = (0..120)
        .map(|_| {
            let own = |line: &&str| !line.contains("Include");
            let lines: Vec<&str> = SSHD.iter().copied().filter(own).collect();
            Tree::from([
                ("etc/ssh/sshd_config".to_owned(), text(&mut generator, &SSHD, 5)),
                ("etc/ssh/sshd_config.d/a.conf".to_owned(), text(&mut generator, &lines, 2)),
                ("etc/ssh/sshd_config.d/b.bak".to_owned(), "SetEnv https_proxy=wrong\n".to_owned()),
                ("etc/ssh/site.conf".to_owned(), text(&mut generator, &lines, 2)),
                ("etc/pam.d/sshd".to_owned(), "session required pam_env.so envfile=/etc/ssh/environment\n".to_owned()),
                ("etc/ssh/environment".to_owned(), "NO_PROXY=of-pam\n".to_owned()),
                (
                    "lib/systemd/system/ssh.service".to_owned(),
                    "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n".to_owned(),
                ),
                ("etc/default/ssh".to_owned(), format!("SSHD_OPTS=\"{}\"\n", text(&mut generator, &SSHD_OPTS, 2))),
            ])
        })
        .collect();
    let script = format!(
        "{OVER}; mkdir -p /run/sshd; . /etc/default/ssh; sshd $SSHD_OPTS -T -C user=root,host=h,addr=10.0.0.1 >/seen/$case 2>/dev/null || rm /seen/$case"
    );
    let readers = Readers::new(&trees, &script);
    let model = |index: usize| readers.model("sshd", index);
    let real = |index: usize| {
        let dump = String::from_utf8_lossy(&readers.seen(index)?).into_owned();
        let mut real: BTreeMap<String, String> = BTreeMap::new();
        if dump.contains("usepam yes\n") {
            real.insert("NO_PROXY".to_owned(), "of-pam".to_owned());
        }
        for line in dump.lines().filter_map(|line| line.strip_prefix("setenv ")) {
            let (name, value) = line.split_once('=').unwrap();
            real.insert(name.to_owned(), value.to_owned());
        }
        Some(real)
    };
    compare("sshd", &trees, &PROXY_NAMES, model, real);
}

const CRONTAB: [&str; 12] = [
    "http_proxy=http://c:1\n",
    "https_proxy = \"http://c:2\"\n",
    " no_proxy='a b' \n",
    "http_proxy=\"\"\n",
    "# http_proxy=x\n",
    "\"HTTP_PROXY\"=q \n",
    "no_proxy=$HOME#x\n",
    "SHELL=/bin/sh\n",
    "SHELL=/bin/bash\n",
    "BASH_ENV=/etc/corp.env\n",
    "\n",
    "https_proxy=http://c:3   \n",
];

/// Files that cron refuses, each with its mode; what the third has behind its last line end is a job.
const REFUSED: [(&str, u32); 3] = [("open", 0o666), ("of-group", 0o664), ("endless", 0o644)];

/// One daemon with many crontabs.
#[test]
fn cron() {
    let mut generator = Generator::new(36);
    let mut tree = Tree::new();
    tree.insert("etc/environment".to_owned(), "http_proxy=http://e:1\nno_proxy=\"e\"\n".to_owned());
    tree.insert("etc/crontab".to_owned(), String::new());
    tree.insert("etc/corp.env".to_owned(), "export http_proxy=http://corp:1 https_proxy; unset no_proxy\n".to_owned());
    for index in 0..40 {
        let lines = text(&mut generator, &CRONTAB, 5);
        tree.insert(
            format!("etc/cron.d/site{index}"),
            format!("{lines}@reboot root /usr/bin/env -0 >/seen/site{index}\n"),
        );
    }
    let jobs = "http_proxy=http://no:1\n@reboot root /usr/bin/env -0 >/seen/passed-over\n";
    tree.insert("etc/cron.d/site.bak".to_owned(), jobs.to_owned());
    for (name, _) in REFUSED {
        let lines = jobs.replace("passed-over", name);
        let lines = if name == "endless" { lines.trim_end() } else { &lines };
        tree.insert(format!("etc/cron.d/{name}"), lines.to_owned());
    }
    for file in ["cron", "common-auth", "common-account", "common-session-noninteractive"] {
        tree.insert(
            format!("etc/pam.d/{file}"),
            fs::read_to_string(debian_root().join("etc/pam.d").join(file)).unwrap(),
        );
    }
    let trees = [tree];
    let chmod = REFUSED.map(|(name, mode)| format!("chmod {mode:o} /etc/cron.d/{name}; ")).concat();
    let script = format!("rm -f /etc/cron.d/*; {OVER}; chmod 644 /etc/crontab /etc/cron.d/*; {chmod}cron");
    let readers = Readers::with(&trees, "chmod -R go-w,a+rX /cases", &script, |_, root| {
        for (name, mode) in REFUSED {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(root.join("etc/cron.d").join(name), mode).unwrap();
        }
    });
    let files = || {
        let all = (0..40).map(|index| fs::read(readers.guest.path(&format!("seen/site{index}"))).ok());
        all.collect::<Option<Vec<_>>>().filter(|all| all.iter().all(|seen| seen.ends_with(b"\0")))
    };
    let all = until(|| files().ok_or_else(|| "not every job has run".to_owned()));
    let mut real = BTreeMap::new();
    for (index, seen) in all.iter().enumerate() {
        for (name, value) in environment(seen).into_iter().filter(|(name, _)| PROXY_NAMES.contains(&name.as_str())) {
            real.insert(format!("/etc/cron.d/site{index} root {name}"), value);
        }
    }
    let names: Vec<&str> = real.keys().map(String::as_str).collect();
    compare("cron", &trees, &names, |index| readers.model("cron", index), |_| Some(real.clone()));
    for name in REFUSED.map(|(name, _)| name).into_iter().chain(["passed-over"]) {
        assert!(!readers.guest.path(&format!("seen/{name}")).exists(), "{name}");
    }
}
