//! Holds the models of whole logins against the doors themselves: `su -`, `su`, `login`, `sshd` and `sudo` of a Debian root, on
//! generated hosts in which the PAM stacks, the files of pam_env, sshd's configuration, sudoers and the profile chain vary
//! together.
//!
//! Where a model says that it does not know, nothing is compared. `ICS_SETUP_LAB_SEED` changes what is generated.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::chains;
use crate::common::{PROXY_NAMES, copy_tree, debian_root, environment, skip};
use crate::models::{CONF, Readers, SSHD, SUDOERS, Tree, compare, stacks, text};
use crate::readers::files::Generator;

/// How many hosts there are; a login over ssh or at the console takes a tenth of a second.
const HOSTS: usize = 28;

/// What opens each door: its name for the models, the user, its file, the command.
const DOORS: [(&str, &str, &str, &str); 7] = [
    ("su-", "divvy", "su-l", "su - divvy -c \"env -0 >/seen/$case.su-l\""),
    ("su-", "root", "root", "su - root -c \"env -0 >/seen/$case.root\""),
    ("su", "divvy", "su", "su - root -c \"su divvy -c 'env -0 >/seen/$case.su'\""),
    ("console", "divvy", "login", "typed login | timeout 5 script -qec 'login -f divvy' /dev/null"),
    ("ssh", "divvy", "sshd", "typed sshd | timeout 5 ssh -tt $client -o \"$daemon\" divvy@ask"),
    ("sudo", "divvy", "sudo", "su - root -c \"sudo -n -u divvy env -0 >/seen/$case.sudo\""),
    ("sudo-i", "divvy", "sudo-i", "su - root -c \"sudo -n -i -u divvy env -0 >/seen/$case.sudo-i\""),
];

/// Once: keys, and an account that sshd lets in without PAM.
const FIRST: &str = "set +e; mkdir -p /run/sshd /k; chmod 1777 /seen; usermod -p x divvy
for key in host key; do ssh-keygen -q -t ed25519 -N '' -f /k/$key; done
cp /k/key.pub /k/authorized; chmod 644 /k/authorized
typed() { printf 'env -0 >/seen/%s.%s\\nexit\\n' $case $1; }
daemon='ProxyCommand=/usr/sbin/sshd -i -h /k/host -o AuthorizedKeysFile=/k/authorized -o StrictModes=no'
client='-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o IdentitiesOnly=yes -i /k/key'";

/// For each host.
const EACH: &str = "rm -rf /etc/pam.d /etc/profile /etc/profile.d /etc/bashrc /etc/bash.bashrc /opt /home/divvy /root
mkdir -p /opt /home/divvy /root; chmod 755 /root
cp -a $case/etc $case/opt $case/home $case/root / 2>/dev/null; chmod 440 /etc/sudoers\n";

fn host(generator: &mut Generator) -> Tree {
    let mut tree = Tree::new();
    for service in ["su", "su-l", "login", "sshd", "sudo", "sudo-i"] {
        let mut own = stacks(generator, service);
        let stack = own.get_mut(&format!("etc/pam.d/{service}")).unwrap();
        // A stack that refuses everybody tells nothing.
        if generator.below(3) == 0 {
            *stack = format!("{}session required pam_env.so\n", HEAD);
        }
        if generator.below(4) == 0 {
            stack.push_str(generator.pick(&OF_USER));
        }
        tree.extend(own);
    }
    tree.insert("etc/pam.d/other".to_owned(), format!("{HEAD}session required pam_env.so envfile=/etc/corp.env\n"));
    tree.insert("usr/bin/login".to_owned(), String::new());
    for service in ["su-l", "login", "sudo-i"] {
        if generator.below(6) == 0 {
            tree.remove(&format!("etc/pam.d/{service}"));
        }
    }
    tree.insert("home/divvy/.pam_environment".to_owned(), text(generator, &CONF, 3));
    tree.insert("home/divvy/.ssh/environment".to_owned(), text(generator, &OF_SSH, 3));
    tree.insert("etc/environment.d/50.conf".to_owned(), "http_proxy=http://never:1\nNO_PROXY=never\n".to_owned());
    let lines = |generator: &mut Generator, from: &[&str], most| {
        let plain: Vec<&str> = from.iter().copied().filter(|line| !line.to_lowercase().contains("include")).collect();
        text(generator, &plain, most)
    };
    let permit =
        if generator.below(2) == 0 { "PermitUserEnvironment yes\n" } else { "PermitUserEnvironment no_*,h*\n" };
    let use_pam = if generator.below(4) == 0 { "" } else { "UsePAM yes\n" };
    let config = lines(generator, &SSHD, 3).replace("PermitUserEnvironment no\n", permit);
    tree.insert("etc/ssh/sshd_config".to_owned(), format!("{use_pam}{config}"));
    let sudoers = lines(generator, &SUDOERS, 3);
    tree.insert("etc/sudoers".to_owned(), format!("{sudoers}root ALL=(ALL:ALL) NOPASSWD: ALL\n"));
    tree
}

const HEAD: &str = "auth sufficient pam_rootok.so\naccount required pam_permit.so\n";

const OF_USER: [&str; 3] = [
    "session required pam_env.so user_readenv=1\n",
    "session required pam_env.so readenv=0 user_readenv=1 user_envfile=.pam_environment\n",
    "session required pam_env.so user_readenv=0\n",
];

const OF_SSH: [&str; 5] =
    ["http_proxy=http://u:1\n", "# c\n", " https_proxy=\"q\" # x\n", "no_proxy = a\n", "no_proxy=u,v\n"];

#[test]
fn every_door() {
    for program in ["usr/sbin/sshd", "usr/bin/login", "usr/bin/sudo", "usr/bin/script"] {
        if !debian_root().join(program).exists() {
            return skip("doors", program, "the lab's root has none");
        }
    }
    let mut generator = Generator::new(37);
    let trees: Vec<Tree> = (0..HOSTS).map(|_| host(&mut generator)).collect();
    let open = DOORS.map(|(.., command)| format!("{{ {command}; }} >/dev/null 2>&1 </dev/null\n"));
    let script = format!("{EACH}{}true", open.concat());
    let mut chain = chains::Generator(generator.below(1 << 30) as u64);
    let readers = Readers::with(&trees, FIRST, &script, |_, root| {
        chains::chain(&mut chain, root);
    });
    if let Some(folder) = std::env::var_os("ICS_SETUP_LAB_KEEP") {
        copy_tree(&readers.guest.path("cases"), Path::new(&folder));
        copy_tree(&readers.guest.path("seen"), Path::new(&folder));
    }
    let failed = DOORS.into_iter().filter(|(door, user, file, _)| {
        let model = |index: usize| readers.model(&format!("login:{door}:{user}"), index);
        let real = |index: usize| -> Option<BTreeMap<String, String>> {
            let seen = fs::read(readers.guest.path(&format!("seen/{index:03}.{file}"))).ok()?;
            (!seen.is_empty()).then(|| environment(&seen))
        };
        let compared = || compare(&format!("{door} as {user}"), &trees, &PROXY_NAMES, model, real);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(compared)).is_err()
    });
    assert_eq!(failed.map(|(door, ..)| door).collect::<Vec<_>>(), Vec::<&str>::new());
}
