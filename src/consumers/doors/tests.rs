//! Doors of hosts in memory.

use super::*;
use crate::consumers::{Ask, ConsumersFacts, judge, observe};
use crate::host::{Attributes, MemoryHost};
use crate::net::testing::patient;
use crate::platform;

const UBUNTU: (&str, &str) = ("/etc/os-release", "ID=ubuntu\nVERSION_ID=\"22.04\"\n");
const CENTOS: (&str, &str) = ("/etc/os-release", "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n");
const ENVIRONMENT: (&str, &str) = ("/etc/environment", "http_proxy=http://e:1\n");
const ENV: &str = "auth sufficient pam_rootok.so\nsession required pam_env.so\n";
const NONE: &str = "auth sufficient pam_rootok.so\nsession required pam_limits.so\n";

fn host(files: &[(&str, &str)]) -> MemoryHost {
    let host = MemoryHost::new();
    files.iter().for_each(|(path, text)| host.put(path, text.as_bytes()));
    host
}

fn facts(host: &MemoryHost) -> ConsumersFacts {
    let platform = platform::detect(host, None).unwrap().0;
    let ask = Ask {
        host,
        platform: Some(&platform),
        home: "/divvycloud".as_ref(),
        http_proxy: None,
        https_proxy: None,
        inside: None,
        quiet: false,
        sudo_by: None,
    };
    observe(&ask, Some(&[Who::Login, Who::Sudo]), patient())
}

/// `a login over ssh: http://e:1` for each.
fn told(host: &MemoryHost, who: Who) -> Vec<String> {
    let one = |consumer: Consumer| {
        let value = consumer.proxy(false).map_or("-".to_owned(), |value| value.shown.clone());
        let value = if consumer.unknown.is_empty() { value } else { "?".to_owned() };
        let value = if consumer.state == State::Skipped { "skipped".to_owned() } else { value };
        format!("{}: {value}", judge::who(&consumer).as_str())
    };
    facts(host).consumers.into_iter().filter(|consumer| consumer.consumer == who).map(one).collect()
}

fn logins_of(files: &[(&str, &str)]) -> Vec<String> {
    told(&host(files), Who::Login)
}

#[test]
fn a_bare_image_has_the_stacks_of_its_distribution_and_says_so() {
    for os in [UBUNTU, CENTOS] {
        let host = host(&[os, ENVIRONMENT]);
        assert_eq!(told(&host, Who::Login), ["a login: http://e:1"]);
        let assumed = facts(&host).consumers[0].assumed.clone();
        assert_eq!(assumed, ["/etc/pam.d/su", "/etc/pam.d/login", "/etc/profile"]);
    }
    let locale = ("/etc/default/locale", "http_proxy=http://locale:1\n");
    assert_eq!(logins_of(&[UBUNTU, ENVIRONMENT, locale]), ["a login: http://locale:1"]);
    assert_eq!(logins_of(&[CENTOS, ENVIRONMENT, locale]), ["a login: http://e:1"]);
    let of_managers = ("/etc/environment.d/50.conf", "http_proxy=http://d:1\n");
    assert_eq!(logins_of(&[UBUNTU, of_managers]), ["a login: -"], "no login reads it");
}

/// Seen with su of util-linux 2.38 and bash 5.2: `su - root -c "su divvy -c env"`.
#[test]
fn su_without_a_login_runs_what_bash_env_names() {
    let files = [
        UBUNTU,
        ENVIRONMENT,
        ("/root/.profile", "export BASH_ENV=/etc/corp.env\n"),
        ("/etc/corp.env", "export http_proxy=http://corp:1\n"),
        ("/etc/passwd", "root:x:0:0::/root:/bin/bash\ndivvy:x:1000:1000::/home/divvy:/bin/bash\n"),
    ];
    let told = logins_of(&files);
    assert!(told.contains(&"a login of divvy by su without -: http://corp:1".to_owned()), "{told:?}");
}

#[test]
fn each_door_starts_from_its_own_stack() {
    let with = |files: &[(&str, &str)]| logins_of(&[&[UBUNTU, ENVIRONMENT], files].concat());
    assert_eq!(
        with(&[("/etc/ssh/sshd_config", "UsePAM no\n")]),
        ["a login by su and at the console: http://e:1", "a login over ssh: -"]
    );
    assert_eq!(with(&[("/etc/ssh/sshd_config", "UsePAM yes\n")]), ["a login: http://e:1"]);
    // The way of one of them is closed.
    for (service, others, own) in [
        ("sshd", "a login by su and at the console: http://e:1", "a login over ssh: -"),
        ("login", "a login by su and over ssh: http://e:1", "a login at the console: -"),
        ("su-l", "", "a login by su -: -"),
        ("su", "", "a login of divvy by su without -: http://e:1"),
    ] {
        let mut files: Vec<(String, &str)> =
            ["su", "su-l", "login", "sshd", "other"].map(|name| (format!("/etc/pam.d/{name}"), ENV)).to_vec();
        files
            .iter_mut()
            .filter(|(path, _)| *path == format!("/etc/pam.d/{service}"))
            .for_each(|(_, text)| *text = NONE);
        let mut all = vec![("/etc/ssh/sshd_config", "UsePAM yes\n")];
        all.extend(files.iter().map(|(path, text)| (path.as_str(), *text)));
        let found = with(&all);
        if service == "su" {
            // What root's login has is handed on.
            assert_eq!(found, ["a login: http://e:1"]);
        } else {
            assert!(found.contains(&own.to_owned()), "{service}: {found:?}");
            assert!(others.is_empty() || found.contains(&others.to_owned()), "{service}: {found:?}");
        }
    }
    let only = [("/etc/pam.d/other", NONE), ("/etc/pam.d/su", ENV), ("/etc/pam.d/su-l", ENV)];
    assert_eq!(with(&only), ["a login: http://e:1"], "there is no console");
}

#[test]
fn a_terminal_is_told_apart_and_users_are() {
    let bashrc = ("/etc/bash.bashrc", "export http_proxy=http://b:1\n");
    assert_eq!(
        logins_of(&[UBUNTU, ENVIRONMENT, bashrc]),
        ["a login without a terminal: http://e:1", "a login at a terminal: http://b:1"]
    );
    let home = ("/home/divvy/.bash_profile", "export http_proxy=http://h:1\n");
    assert_eq!(
        logins_of(&[UBUNTU, ENVIRONMENT, home]),
        [
            "a login of divvy by su - and at the console: http://h:1",
            "a login of root: http://e:1",
            "a login of divvy by su without -: http://e:1"
        ]
    );
    let shell = ("/etc/passwd", "divvy:x:1:1::/home/divvy:/bin/tcsh\n");
    let cshrc = ("/home/divvy/.cshrc", "unsetenv http_proxy\n");
    assert_eq!(logins_of(&[UBUNTU, ENVIRONMENT, shell, cshrc]), ["a login of divvy: -", "a login of root: http://e:1"]);
}

#[test]
fn a_reader_with_a_variable_that_cannot_be_told_is_another_than_one_without() {
    for value in ["http://q:1", "$(x)"] {
        let bashrc = format!("[ -z \"$PS1\" ] && return\nexport ALL_PROXY={value}\n");
        let host = host(&[UBUNTU, ENVIRONMENT, ("/etc/bash.bashrc", &bashrc)]);
        let logins: Vec<Consumer> =
            facts(&host).consumers.into_iter().filter(|own| own.consumer == Who::Login).collect();
        let own: Vec<usize> = logins.iter().map(|login| login.exceptions.len()).collect();
        assert_eq!(own, [0, 1], "{value}: {logins:?}");
    }
}

#[test]
fn only_names_of_proxies_are_proxies() {
    let profile = ("/etc/profile", "PATH=/usr/local/bin:/bin\nexport PATH ALL_PROXY=http://all:1\n");
    let facts = facts(&host(&[UBUNTU, ENVIRONMENT, profile]));
    let [login] = facts.consumers.iter().filter(|own| own.consumer == Who::Login).collect::<Vec<_>>()[..] else {
        panic!("{facts:?}")
    };
    let whom: Vec<String> = login.exceptions.iter().map(|own| own.whom.to_string()).collect();
    assert_eq!(whom, ["ALL_PROXY"]);
}

#[test]
fn sudo_is_told_by_its_files() {
    let sudo = |files: &[(&str, &str)]| told(&host(&[&[UBUNTU, ENVIRONMENT], files].concat()), Who::Sudo);
    assert_eq!(sudo(&[]), ["a command under sudo: skipped"]);
    let plain = ("/etc/sudoers", "Defaults env_reset\nroot ALL=(ALL) ALL\n");
    assert_eq!(sudo(&[plain, ("/etc/pam.d/sudo", ENV)]), ["a command under sudo: http://e:1"]);
    assert_eq!(sudo(&[plain, ("/etc/pam.d/sudo", NONE)]), ["a command under sudo: -"]);
    let kept = ("/etc/sudoers", "Defaults env_keep += \"http_proxy\"\n");
    assert_eq!(sudo(&[kept, ("/etc/pam.d/sudo", NONE)]), ["a command under sudo: http://e:1"]);
    let script = ("/etc/profile.d/p.sh", "export http_proxy=http://p:1\n");
    assert_eq!(
        sudo(&[plain, ("/etc/pam.d/sudo", NONE), script]),
        ["a command under sudo: -", "a command under sudo -i: http://p:1"]
    );
}

#[test]
fn what_is_closed_to_a_user_is_named_with_what_opens_it() {
    let host = host(&[CENTOS]);
    let root = |mode| Attributes::new(mode, 0, 0);
    host.put_with("/etc/profile.d/proxy.sh", b"export http_proxy=http://u:pw@p:1 no_proxy=a\n", root(0o600));
    let closed = facts(&host).consumers.into_iter().find(|consumer| !consumer.closed.is_empty()).unwrap();
    assert_eq!((closed.name.as_deref(), closed.has_proxy()), (Some("divvy"), false));
    let [one] = closed.closed.as_slice() else { panic!("{closed:?}") };
    assert_eq!((one.chmod.as_str(), one.password), ("chmod a+r /etc/profile.d/proxy.sh", true));
    assert_eq!(one.modes, [("/etc/profile.d/proxy.sh".to_owned(), "0600".to_owned())]);
    assert_eq!(one.names, ["http_proxy", "no_proxy"]);
    host.put_with("/etc/profile.d/proxy.sh", b"export http_proxy=http://p:1\n", root(0o644));
    assert_eq!(told(&host, Who::Login), ["a login: http://p:1"]);
}

/// What is told where programs have answered at these doors, each with its `http_proxy`: `a login of divvy: http://e:1, asked`.
fn told_with(files: &[(&str, &str)], answers: &[(Door, &str)]) -> Vec<String> {
    let host = host(files);
    let platform = platform::detect(&host, None).unwrap().0;
    let mut probe = FileProbe::new(&host, Some(&platform), "/divvycloud".as_ref(), patient());
    let answer = |(door, value): &(Door, &str)| {
        (*door, "divvy".to_owned(), vec![("http_proxy".to_owned(), (*value).to_owned())])
    };
    probe.answers.doors = answers.iter().map(answer).collect();
    let one = |consumer: Consumer| {
        let value = consumer.proxy(false).map_or("-".to_owned(), |value| value.shown.clone());
        let model = if consumer.model.is_some() { ", unlike its model" } else { "" };
        format!("{}: {value}, {}{model}", judge::who(&consumer).as_str(), consumer.known.as_str())
    };
    logins(&mut probe, Some(&platform)).into_iter().map(one).collect()
}

#[test]
fn an_answer_stands_for_the_doors_that_have_the_same_model() {
    use Door::{Console, Ssh, Su, SuLogin};
    let sshd = ("/etc/ssh/sshd_config", "UsePAM yes\n");
    let files = [UBUNTU, ENVIRONMENT, sshd];
    let right = "http://e:1";
    assert_eq!(told_with(&files, &[(SuLogin, right)]), ["a login of divvy: http://e:1, asked"]);
    let all = [(SuLogin, right), (Su, right), (Console, right), (Ssh, right)];
    assert_eq!(told_with(&files, &all), ["a login of divvy: http://e:1, asked"]);
    let by_ssh = [(SuLogin, right), (Su, right), (Console, right), (Ssh, "http://other:1")];
    assert_eq!(
        told_with(&files, &by_ssh),
        [
            "a login of divvy by su and at the console: http://e:1, asked",
            "a login of divvy over ssh: http://other:1, asked, unlike its model"
        ]
    );
    // A door that was not asked and has another model keeps it; so does another user.
    let sshd = ("/etc/ssh/sshd_config", "UsePAM no\n");
    let root = ("/root/.profile", "export http_proxy=http://root:1\n");
    let told = told_with(&[UBUNTU, ENVIRONMENT, sshd, root], &[(SuLogin, right)]);
    assert_eq!(told[0], "a login of divvy by su and at the console: http://e:1, asked", "{told:#?}");
    assert!(told.iter().any(|told| told.contains("over ssh: -, files")), "{told:#?}");
    assert!(told.iter().any(|told| told.contains("of root") && told.ends_with("http://root:1, files")), "{told:#?}");
}
