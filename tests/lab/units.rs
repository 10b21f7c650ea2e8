//! Holds the model of systemd's services against systemd itself: generated hosts of units, drop-ins, aliases and masks are
//! loaded by `systemd-analyze verify` of the lab's root (252), which prints each unit as loaded.
//!
//! `ICS_SETUP_LAB_SEED` changes the generated hosts, `ICS_SETUP_LAB_CASES` multiplies their number.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::common::{OWN_GROUP, debian_root, leashed, scratch_for_all};

/// Each host has as many families of units, so that one start of the program answers for all of them.
const HOSTS: usize = 24;
const FAMILIES: usize = 9;

const FOLDERS: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system"];

const LINES: [&str; 60] = [
    "Environment=N=V",
    "Environment=N=V",
    "Environment=N=V N=V",
    "Environment=\"N=V W\" 'N=V' N=V",
    "Environment=N=\"V\" N='V W'",
    "Environment=",
    "Environment =  N=V  ",
    "Environment=N=V \\\n  N=V",
    "Environment=N=V \\\n# comment\n ; other \\\n N=V",
    "Environment=\"N=V \\\n W\" \\",
    "Environment=N=a\\x2cb\\t\\u00e9 N=V",
    "Environment=N=V N=\\q N=V",
    "Environment=N=V \"N=V",
    "Environment=N=p%23w N=V",
    "Environment=N=%% N=100% N=%n-%N-%p-%i-%j",
    "Environment=N=%H N=%t%C",
    "Environment=N=%T%D",
    "Environment=N= =x 1A=x A-B=x N",
    "Environment=N=é",
    "Environment=N=\\xff N=V",
    "Environment=N=V # c",
    "Environment=N=V;W",
    "EnvironmentFile=-/etc/default/N",
    "EnvironmentFile=/etc/default/N*",
    "EnvironmentFile=",
    "EnvironmentFile=relative",
    "EnvironmentFile=\"/etc/default/N\"",
    "EnvironmentFile=-/etc//default/./N/",
    "EnvironmentFile=/etc/../N",
    "EnvironmentFile=-/etc/%p/%i",
    "EnvironmentFile=/etc/%m",
    "EnvironmentFile=-",
    "PassEnvironment=N N",
    "PassEnvironment=",
    "PassEnvironment=N \"N\" 1A",
    "UnsetEnvironment=N N=V",
    "UnsetEnvironment=\"N=V W\" N",
    "UnsetEnvironment=",
    "UnsetEnvironment=N%%=x N",
    "ExecStart=",
    "ExecStart=\nExecStart=/bin/true $N ${N} x${N}y $$ \"b c\" ''",
    "ExecStart=-/bin/true \\x41 \\q 'a\\'b'",
    "ExecStart=@/bin/true zero one ; /bin/false two ; -:+/bin/false \\; three",
    "ExecStart=relative/x",
    "ExecStart=-relative/x",
    "ExecStart=/bin/true \"open",
    "ExecStart=/bin/true %23",
    "ExecStart=-/bin/true %23",
    "ExecStart=/bin/true %n %H",
    "garbage",
    "=x",
    "[Service]",
    "[Unit]",
    "[Service]\r",
    "[X-Other]",
    "[Service] x",
    "# comment \\",
    "; comment",
    "Environment=N=V\r",
    "\u{feff}Environment=N=V",
];

#[test]
fn services_as_systemd_loads_them() {
    let root = debian_root();
    let work = scratch_for_all("units");
    let work = work.path();
    let mut generator = Generator::new();
    let count = HOSTS * Generator::factor();
    for host in 0..count {
        let folder = work.join(format!("hosts/{host:03}"));
        let names = generator.host(&folder);
        fs::create_dir_all(work.join("names")).unwrap();
        fs::write(work.join(format!("names/{host:03}")), names.join("\n")).unwrap();
    }
    let script = format!(
        "set -e
         mkdir '{work}/layer' '{work}/seen'
         mount -t tmpfs tmpfs '{work}/layer'
         cd '{work}/layer'
         for host in '{work}'/hosts/*; do
           name=${{host##*/}}
           mkdir -p upper-$name work-$name root
           mount -t overlay overlay -o \"lowerdir=$host:{root},upperdir={work}/layer/upper-$name,workdir={work}/layer/work-$name\" root
           mount --bind /proc root/proc
           mkdir -p root/empty
           env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_LOG_LEVEL=debug chroot root sh -c \
             'cd /empty && exec systemd-analyze verify --man=no --generators=no \"$@\"' sh $(cat '{work}/names/'$name) \
             >'{work}/seen/'$name 2>'{work}/seen/'$name.err </dev/null || true
           umount root/proc root
         done",
        work = work.display(),
        root = root.display(),
    );
    let output = leashed(&[], "sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut compared, mut loaded, mut different) = (0, 0, Vec::new());
    for host in 0..count {
        let folder = work.join(format!("hosts/{host:03}"));
        // /lib is a link to /usr/lib in the lab's root, and systemd names the unit's file by the first.
        let seen = fs::read_to_string(work.join(format!("seen/{host:03}"))).unwrap();
        let seen = seen.replace("Fragment Path: /lib/", "Fragment Path: /usr/lib/");
        for name in fs::read_to_string(work.join(format!("names/{host:03}"))).unwrap().lines() {
            compared += 1;
            loaded += usize::from(seen.contains(&format!("-> Unit {name}:")));
            let found = ics_setup::unit_differences(&folder, name, seen.as_bytes()).unwrap();
            if !found.is_empty() {
                different.push(format!("host {host:03} {name}: {}", found.join(", ")));
            }
        }
    }
    if !different.is_empty() && std::env::var_os("ICS_SETUP_LAB_KEEP").is_some() {
        let kept = std::env::temp_dir().join("ics-setup-lab-units");
        _ = fs::remove_dir_all(&kept);
        std::process::Command::new("cp").arg("-a").arg(work).arg(&kept).status().unwrap();
    }
    assert!(loaded * 2 > compared, "{loaded} of {compared} units were loaded");
    assert!(different.is_empty(), "{} of {compared}:\n{}", different.len(), different.join("\n"));
}

/// Names that the generated units and files set.
const NAMES: [&str; 4] = ["HTTP_PROXY", "NO_PROXY", "A", "B"];

const OF_FILES: [&str; 10] = [
    "EnvironmentFile=-/etc/lab/N",
    "EnvironmentFile=-/etc/lab/*.env",
    "EnvironmentFile=-/etc/l?b/[!A]*.env",
    "EnvironmentFile=/etc/lab/missing*",
    "EnvironmentFile=-/etc/lab",
    "EnvironmentFile=/dev/null",
    "Environment=N=V N=V",
    "UnsetEnvironment=N N=V",
    "PassEnvironment=N",
    "Environment=",
];

/// A machine boots and starts each generated service: what the process gets is what the model says.
#[test]
fn services_as_a_booted_systemd_starts_them() {
    const UNITS: usize = 60;
    let root = debian_root();
    let work = scratch_for_all("units-boot");
    let work = work.path();
    let (host, mut generator) = (work.join("host"), Generator::new());
    for name in ["HTTP_PROXY", "A", "a.env", "B.env", "A.env", ".hidden.env"] {
        let text = generator.filled(&["N=V", "N=\"V\"", "# c", "N='V W'", "export N=V", "N = V"], 4);
        put(&host.join("etc/lab").join(name), text.as_bytes());
    }
    put(
        &host.join("etc/systemd/system.conf.d/10.conf"),
        b"[Manager]\nDefaultEnvironment=A=default \"B=%%\" HTTP_PROXY=x\n",
    );
    put(
        &host.join("etc/systemd/system.conf.d/20.conf"),
        b"DefaultEnvironment=\n[Manager]\nDefaultEnvironment=A=later\n",
    );
    put(&host.join("etc/systemd/system/service.d/10.conf"), b"[Service]\nEnvironment=NO_PROXY=all\n");
    let names: Vec<String> = (0..UNITS).map(|unit| format!("case{unit:02}.service")).collect();
    for name in &names {
        let body = format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/usr/bin/env -0\n\
             StandardOutput=file:/lab/{name}\nStandardError=null\n{}",
            generator.filled(&OF_FILES, 4)
        );
        put(&host.join("etc/systemd/system").join(name), body.as_bytes());
    }
    let all = names.join(" ");
    let last = format!(
        "[Unit]\nDefaultDependencies=no\nWants={all}\nAfter={all}\nSuccessAction=poweroff-force\n\
         FailureAction=poweroff-force\n[Service]\nType=oneshot\nExecStart=/bin/true\n"
    );
    put(&host.join("etc/systemd/system/lab.service"), last.as_bytes());
    for folder in ["seen", "layer"] {
        fs::create_dir(work.join(folder)).unwrap();
    }
    let script = format!(
        "set -e
         mount -t tmpfs tmpfs '{work}/layer'
         cd '{work}/layer'
         mkdir upper work root
         mount -t overlay overlay -o 'lowerdir={work}/host:{root},upperdir={work}/layer/upper,workdir={work}/layer/work' root
         exec systemd-nspawn --quiet -D root --private-network --register=no --keep-unit --console=pipe \
           --machine=units-{id} --bind='{work}/seen:/lab' -b -- --unit=lab.service",
        work = work.display(),
        root = root.display(),
        id = std::process::id(),
    );
    let mut boot = leashed(&[], OWN_GROUP[0]);
    boot.args(&OWN_GROUP[1..]).arg(format!("{}-units", crate::common::name())).args(["sh", "-c", &script]);
    let output = boot.output().unwrap();
    let mut started = 0;
    for name in &names {
        let seen = fs::read(work.join("seen").join(name)).ok().filter(|bytes| !bytes.is_empty());
        started += usize::from(seen.is_some());
        let real = seen.map(|bytes| {
            let text = String::from_utf8(bytes).unwrap();
            let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
            pairs
                .filter(|(name, _)| NAMES.contains(name))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<std::collections::BTreeMap<_, _>>()
        });
        let unit = fs::read_to_string(host.join("etc/systemd/system").join(name)).unwrap();
        let modelled = ics_setup::unit_environment(&host, name, &NAMES).unwrap();
        assert_eq!(modelled.is_some(), real.is_some(), "{unit} {modelled:?} {real:?}");
        let (Some(modelled), Some(mut real)) = (modelled, real) else { continue };
        for (variable, value) in modelled {
            let real = real.remove(&variable);
            assert!(value.is_none() || value == real, "{unit} {variable}: {value:?} {real:?}");
        }
        assert!(real.is_empty(), "{unit}: {real:?}");
    }
    assert!(started * 2 > UNITS, "{started} have run: {}", String::from_utf8_lossy(&output.stderr));
}

/// A seeded generator (splitmix64).
struct Generator(u64);

impl Generator {
    fn new() -> Self {
        let seed = std::env::var("ICS_SETUP_LAB_SEED").ok().and_then(|text| text.parse().ok());
        Self(seed.unwrap_or(20_261_128_u64))
    }

    fn factor() -> usize {
        std::env::var("ICS_SETUP_LAB_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// One host below `folder`; the names of units to ask for.
    fn host(&mut self, folder: &Path) -> Vec<String> {
        let mut names = Vec::new();
        for family in 0..FAMILIES {
            let (file, asked) = match family % 3 {
                0 => (format!("ics{family}.service"), format!("ics{family}.service")),
                1 => (format!("ics{family}-a-b.service"), format!("ics{family}-a-b.service")),
                _ => (format!("ics{family}-t@.service"), format!("ics{family}-t@x-y.service")),
            };
            for unit_folder in FOLDERS {
                if self.one_in(3) || unit_folder == FOLDERS[3] {
                    let path = folder.join(unit_folder).join(&file);
                    let body = format!("[Service]\nType=oneshot\nExecStart=/bin/true\n{}", self.lines(3));
                    match self.below(24) {
                        0 => put(&path, b""),
                        1 => link(&path, "/dev/null"),
                        2 => {
                            put(&folder.join("opt").join(&file), body.as_bytes());
                            link(&path, &format!("/opt/{file}"));
                        }
                        _ => put(&path, body.as_bytes()),
                    }
                }
            }
            let mut asked_names = vec![asked.clone()];
            if self.one_in(3) {
                let alias = file.replacen("ics", "alias", 1);
                let target = if self.one_in(2) { file.clone() } else { format!("/usr/lib/systemd/system/{file}") };
                link(&folder.join(FOLDERS[self.below(2)]).join(&alias), &target);
                asked_names.push(asked.replacen("ics", "alias", 1));
            }
            let mut drop_ins = vec!["service".to_owned()];
            for name in &asked_names {
                drop_ins.push(name.clone());
                drop_ins.push(name.replace("x-y", ""));
                drop_ins.push(name.replace("a-b", "a-"));
                drop_ins.push(format!("{}-.service", name.split(['-', '.']).next().unwrap()));
            }
            for _ in 0..self.below(6) {
                let name = drop_ins[self.below(drop_ins.len())].clone();
                // What is for all services is there for all families.
                if name == "service" && !self.one_in(4) {
                    continue;
                }
                let file = self.pick(&["10-a.conf", "20-b.conf", "30-c.conf", "zz.conf", "40.conf.bak", ".hid.conf"]);
                let path = folder.join(self.pick(&FOLDERS)).join(format!("{name}.d")).join(file);
                match self.below(12) {
                    0 => put(&path, b""),
                    1 => link(&path, "/dev/null"),
                    2 => link(&path, "/nowhere"),
                    _ => {
                        let header = if self.one_in(6) { "" } else { "[Service]\n" };
                        let body = format!("{header}{}", self.lines(5));
                        let mut body = body.into_bytes();
                        if self.one_in(20) {
                            let at = self.below(body.len() + 1);
                            body.insert(at, [0xff, 0, b'\r'][self.below(3)]);
                        }
                        put(&path, &body);
                    }
                }
            }
            // One name of a unit is asked for: which one loads it first would count.
            names.push(asked_names[self.below(asked_names.len())].clone());
        }
        names
    }

    fn lines(&mut self, most: usize) -> String {
        self.filled(&LINES, most)
    }

    /// At most so many of these lines, with names and values.
    fn filled(&mut self, lines: &[&str], most: usize) -> String {
        let mut text = String::new();
        for _ in 0..self.below(most + 1) {
            for c in self.pick(lines).chars() {
                match c {
                    'N' => text.push_str(self.pick(&NAMES)),
                    'V' => text.push_str(self.pick(&["1", "http://proxy:3128", "a,b", "", "$A"])),
                    c => text.push(c),
                }
            }
            text.push('\n');
        }
        text
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

fn link(path: &Path, target: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    _ = fs::remove_file(path);
    symlink(target, path).unwrap();
}
