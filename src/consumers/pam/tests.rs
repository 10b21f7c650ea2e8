//! What the doors give by files in memory. Values of PAM were seen with linux-pam 1.5.2, those of sudo with 1.9.13.

use super::*;
use crate::consumers::Door;
use crate::host::{Attributes, MemoryHost};

fn host(files: &[(&str, &str)]) -> MemoryHost {
    let host = MemoryHost::new();
    host.put("/etc/environment", b"http_proxy=http://e:1\nno_proxy=\"a,b\"\n");
    host.put("/etc/security/pam_env.conf", b"# remarks only\n");
    for (path, text) in files {
        // As crontab(1) leaves them.
        let mode = if path.starts_with("/var/spool/cron") { 0o600 } else { 0o644 };
        host.put_with(path, text.as_bytes(), Attributes::new(mode, 0, 0));
    }
    host
}

fn environment(host: &MemoryHost, service: &str) -> Sights {
    super::environment(&Pam::new(host, None), service)
}

/// What a login of a user with a home gets.
fn of_user(host: &MemoryHost, read: impl Fn(&Pam<'_>) -> Sights) -> String {
    let user = User { name: "a".into(), uid: 1000, gids: vec![1000], home: "/home/a".into(), shell: "/bin/sh".into() };
    told(&read(&Pam { user: Some(&user), ..Pam::new(host, None) }))
}

/// `NAME=VALUE FILE:LINE`, `-` for taken away, `?` for unknown.
fn told(sights: &Sights) -> String {
    let one = |(name, sight): (&String, &Sight)| {
        let what = match sight {
            Sight::Value { value, .. } => value,
            Sight::Unset { .. } => "-",
            Sight::Unknown { .. } => "?",
        };
        let file = sight.at().path.file_name().unwrap().to_string_lossy().into_owned();
        format!("{name}={what} {file}:{}", sight.at().line)
    };
    sights.iter().map(one).collect::<Vec<_>>().join(" ")
}

const READ: &str = "http_proxy=http://e:1 environment:1 no_proxy=a,b environment:2";

fn su(stack: &str) -> String {
    told(&environment(&host(&[("/etc/pam.d/su", stack)]), "su"))
}

#[test]
fn files_of_the_user_are_read_where_the_host_says_so() {
    let su = |arguments: &str, more: &[(&str, &str)]| {
        let stack = format!("session required pam_env.so {arguments}");
        let host =
            host(&[("/etc/pam.d/su", &stack), ("/home/a/.pam_environment", "no_proxy DEFAULT=${http_proxy}x\n")]);
        more.iter().for_each(|(path, text)| host.put(path, text.as_bytes()));
        of_user(&host, |pam| super::environment(pam, "su"))
    };
    assert_eq!(su("", &[]), READ);
    let both = "http_proxy=http://e:1 environment:1 no_proxy=http://e:1x .pam_environment:1";
    assert_eq!(su("user_readenv=1", &[]), both);
    assert_eq!(su("user_readenv=1 readenv=0", &[]), "no_proxy=x .pam_environment:1");
    let own = su("user_readenv=1 user_envfile=.own", &[("/home/a/.own", "http_proxy DEFAULT=b\n")]);
    assert_eq!(own, "http_proxy=b .own:1 no_proxy=a,b environment:2");
    let host = host(&[("/etc/pam.d/su", "session required pam_env.so user_readenv=1")]);
    host.put_with("/home/a/.pam_environment", b"no_proxy DEFAULT=c\n", Attributes::new(0o600, 0, 0));
    assert_eq!(of_user(&host, |pam| super::environment(pam, "su")), READ, "it is root's own");
    assert!(is_unknown(&told(&environment(&host, "su"))), "nobody knows whose file it is");
}

#[test]
fn sshd_reads_the_users_file_below_pam_and_set_env() {
    let ssh = |config: &str, stack: &str| {
        let text = " http_proxy=http://own:1\n# c\nhttps_proxy=\"q\" # x\nno_proxy = a\nfoo\n";
        let files = [("/etc/pam.d/sshd", stack), ("/etc/ssh/sshd_config", config), ("/home/a/.ssh/environment", text)];
        of_user(&host(&files), |pam| sshd::read(pam).unwrap().sights)
    };
    let (none, env) = ("session required pam_limits.so", "session required pam_env.so");
    assert_eq!(ssh("UsePAM yes\n", none), "");
    let both = "http_proxy=http://own:1 environment:1 https_proxy=\"q\" # x environment:3";
    assert_eq!(ssh("UsePAM yes\nPermitUserEnvironment yes\nPermitUserEnvironment no\n", none), both);
    assert_eq!(ssh("UsePAM yes\nPermitUserEnvironment A,http_*\n", none), "http_proxy=http://own:1 environment:1");
    let with_pam = "http_proxy=http://e:1 environment:1 https_proxy=\"q\" # x environment:3 no_proxy=a,b environment:2";
    assert_eq!(ssh("UsePAM yes\nPermitUserEnvironment yes\n", env), with_pam);
    assert!(ssh("UsePAM no\nPermitUserEnvironment yes\n", env).contains("http_proxy=http://own:1 environment:1"));
    let set = ssh("UsePAM no\nPermitUserEnvironment yes\nSetEnv http_proxy=http://s:1\n", none);
    assert!(set.contains("http_proxy=http://s:1 sshd_config:3"), "{set}");
}

fn is_unknown(told: &str) -> bool {
    told.split("http_proxy=").any(|rest| rest.starts_with('?'))
}

#[test]
fn arguments_decide_what_is_read() {
    for (stack, expected) in [
        ("session required pam_env.so", READ),
        ("-session optional /usr/lib/security/pam_env.so debug", READ),
        ("auth required pam_env.so", READ),
        ("SESSION Required pam_env.so readenv=1 readenv=0 readenv=2x", READ),
        ("session required pam_env.so readenv=0", ""),
        ("session required pam_env.so readenv=no", ""),
        ("session required pam_env.so envfile=/etc/corp.env", ""),
        ("session required pam_env.so envfile=", READ),
        ("session required pam_env.so conffile=/etc/none.conf", ""),
        ("account required pam_env.so\npassword required pam_env.so", ""),
        ("# session required pam_env.so", ""),
        ("session required \\\n pam_env.so # c", READ),
        ("session required pam_limits.so", ""),
    ] {
        assert_eq!(su(stack), expected, "{stack}");
    }
    let other = host(&[
        ("/etc/pam.d/su", "session required pam_env.so\nsession required pam_env.so envfile=/etc/corp"),
        ("/etc/corp", "X=1\nhttp_proxy\nno_proxy=c\n"),
    ]);
    assert_eq!(
        told(&environment(&other, "su")),
        "http_proxy=- corp:2 no_proxy=c corp:3",
        "a bare name takes the value away"
    );
}

#[test]
fn stacks_are_followed_as_pam_follows_them() {
    let more = |stack: &str, files: &[(&str, &str)]| {
        let mut all = vec![("/etc/pam.d/su", stack)];
        all.extend(files);
        told(&environment(&host(&all), "su"))
    };
    let env = "session required pam_env.so\n";
    assert_eq!(more("@include common", &[("/etc/pam.d/common", env)]), READ);
    assert_eq!(more("session include common", &[("/usr/lib/pam.d/common", env)]), READ);
    assert_eq!(more("auth include common", &[("/etc/pam.d/common", env)]), "", "only lines of the kind that includes");
    assert_eq!(more("session substack /etc/site", &[("/etc/site", env)]), READ);
    assert_eq!(
        more("auth required pam_unix.so", &[("/etc/pam.d/other", env)]),
        READ,
        "no line for sessions of its own"
    );
    assert_eq!(more("session required pam_limits.so", &[("/etc/pam.d/other", env)]), "");
    assert_eq!(told(&environment(&host(&[("/etc/pam.d/other", env)]), "su")), READ);
    let debian = "session [default=1] pam_permit.so\nsession requisite pam_deny.so\nsession required pam_permit.so\n\
                  session optional pam_systemd.so\n";
    assert_eq!(more(&format!("@include common\n{env}"), &[("/etc/pam.d/common", debian)]), READ);
    let skipped = format!("session [success=2 default=ignore] pam_permit.so\nsession required pam_limits.so\n{env}");
    assert_eq!(su(&skipped), "");
    let sub = format!("session [success=1 default=ignore] pam_permit.so\nsession substack deep\n{env}");
    assert_eq!(
        more(&sub, &[("/etc/pam.d/deep", "session required pam_env.so envfile=/x\nsession required pam_limits.so\n")]),
        READ
    );
    let done = format!("session substack deep\n{env}");
    assert_eq!(
        more(&done, &[("/etc/pam.d/deep", "session sufficient pam_permit.so\nsession required pam_deny.so\n")]),
        READ
    );
    assert_eq!(su(&format!("session sufficient pam_permit.so\n{env}")), "");
    for unknown in [
        format!("session [success=1 default=ignore] pam_succeed_if.so service in crond\n{env}"),
        format!("session sufficient pam_localuser.so\n{env}"),
        format!("session include su\n{env}"),
        format!("session include nothing\n{env}"),
        format!("{env}sesion required pam_limits.so\n"),
        format!("{env}session needed pam_limits.so\n"),
        format!("{env}session [success=x] pam_limits.so\n"),
        format!("{env}session required\n"),
        format!("{env}session required pam_python.so x\n"),
    ] {
        assert!(is_unknown(&su(&unknown)), "{unknown}: {}", su(&unknown));
    }
    let one = format!("session [success=1 default=ignore] pam_succeed_if.so\nsession required pam_limits.so\n{env}");
    assert_eq!(su(&one), READ, "the module that may be left out is another");
    assert!(is_unknown(&told(&environment(&MemoryHost::new(), "su"))), "no service, no other");
    let denied = host(&[("/etc/pam.d/su", env)]).with_error("/etc/environment", std::io::ErrorKind::PermissionDenied);
    assert!(is_unknown(&told(&environment(&denied, "su"))));
}

#[test]
fn pam_env_conf_comes_first_and_has_a_grammar_of_its_own() {
    let conf = |text: &str| {
        let files = [("/etc/pam.d/su", "session required pam_env.so readenv=0"), ("/etc/security/pam_env.conf", text)];
        told(&environment(&host(&files), "su"))
    };
    for (text, expected) in [
        ("http_proxy DEFAULT=http://c:1", "http_proxy=http://c:1 pam_env.conf:1"),
        ("http_proxy DEFAULT=\"http://c:1\" OVERRIDE=", "http_proxy=http://c:1 pam_env.conf:1"),
        ("http_proxy DEFAULT=a OVERRIDE=b", "http_proxy=b pam_env.conf:1"),
        ("http_proxy DEFAULT=\"\"", "http_proxy= pam_env.conf:1"),
        ("http_proxy DEFAULT=a\nhttp_proxy", "http_proxy=- pam_env.conf:2"),
        ("http_proxy DEFAULT=a\nhttp_proxy DEFAULT=", "http_proxy=- pam_env.conf:2"),
        ("http_proxy DEFAULT=", ""),
        (
            "http_proxy DEFAULT=a\nhttps_proxy DEFAULT=${http_proxy}x",
            "http_proxy=a pam_env.conf:1 https_proxy=ax pam_env.conf:2",
        ),
        ("http_proxy DEFAULT=a OVERRIDE=${no_proxy}", "http_proxy=a pam_env.conf:1"),
        ("http_proxy DEFAULT=\\$a@b$c", "http_proxy=$a@b$c pam_env.conf:1"),
        ("http_proxy DEFAULT=@{HOME}", "http_proxy=? pam_env.conf:1"),
        ("http_proxy=a", "http_proxy=a pam_env.conf:1"),
        ("http_proxy=a DEFAULT=b", "http_proxy=a=b pam_env.conf:1"),
        ("http_proxy DEFAULT=\"a\"b", ""),
        ("http_proxy DEFAULT=\"a", ""),
        ("http_proxy OTHER=a", ""),
    ] {
        assert_eq!(conf(text), expected, "{text}");
    }
}

#[test]
fn sshd_may_leave_pam_out_and_set_variables_itself() {
    let ssh = |config: &str| {
        let files = [("/etc/pam.d/sshd", "session required pam_env.so"), ("/etc/ssh/sshd_config", config)];
        told(&sshd::read(&Pam::new(&host(&files), None)).unwrap().sights)
    };
    assert_eq!(sshd::read(&Pam::new(&host(&[]), None)), None);
    assert_eq!(ssh("UsePAM yes\n"), READ);
    assert_eq!(ssh("usepam=\"yes\"\nUsePAM no\n"), READ, "the first one counts");
    assert!(ssh("UsePAM no\n").starts_with("ALL_PROXY=- sshd_config:1"));
    assert!(ssh("").contains("http_proxy=- sshd_config:0"), "not without a line");
    assert!(ssh("UsePAM yes\nSetEnv http_proxy=http://s:1 A=b\n").contains("http_proxy=http://s:1 sshd_config:2"));
    assert!(
        ssh("UsePAM yes\nMatch User x\nSetEnv http_proxy=http://s:1\nMatch all\n")
            .contains("http_proxy=? sshd_config:3")
    );
    assert!(ssh("UsePAM yes\nAcceptEnv LANG *_proxy\n").contains("https_proxy=? sshd_config:2"));
    assert!(ssh("UsePAM maybe\n").contains("http_proxy=? sshd_config:1"));
    let all = "UsePAM yes\nSetEnv http_proxy=http://s:1\nMatch all\nSetEnv https_proxy=http://s:2\n";
    assert_eq!(
        ssh(all),
        "http_proxy=http://e:1 environment:1 https_proxy=http://s:2 sshd_config:4 no_proxy=a,b environment:2"
    );
    let files = [
        ("/etc/pam.d/sshd", "session required pam_env.so"),
        ("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n"),
        ("/etc/ssh/sshd_config.d/50-site.conf", "UsePAM no\n"),
    ];
    assert!(told(&sshd::read(&Pam::new(&host(&files), None)).unwrap().sights).contains("http_proxy=- 50-site.conf:1"));
}

#[test]
fn sudoers_decide_whose_value_a_command_gets() {
    let start: Sights = ["http_proxy", "https_proxy"]
        .map(|name| {
            let at = super::super::sight::Place::new(Path::new("/login"), 1);
            (name.to_owned(), Sight::Value { value: "http://caller:1".to_owned(), at })
        })
        .into();
    let sudo = |sudoers: &str, stack: &str| {
        let files = [
            ("/etc/sudoers", sudoers),
            ("/etc/pam.d/sudo", stack),
            ("/etc/sudo.env", "export http_proxy='http://f:1'\n"),
        ];
        told(&sudo::read(&host(&files), &start, None, Door::Sudo).unwrap())
    };
    let (none, env) = ("session required pam_limits.so", "session required pam_env.so");
    let caller = "http_proxy=http://caller:1 login:1";
    let both = "http_proxy=http://caller:1 login:1 https_proxy=http://caller:1 login:1";
    assert_eq!(sudo::read(&host(&[]), &start, None, Door::Sudo), None);
    for (sudoers, stack, expected) in [
        ("Defaults env_reset\n", none, ""),
        ("Defaults env_reset\n", env, READ),
        ("Defaults env_keep += \"http_proxy https_proxy no_proxy\"\n", none, both),
        ("Defaults env_keep=http_proxy\n", none, caller),
        ("Defaults env_keep += \"*_proxy\"\nDefaults env_keep -= \"*_proxy\"\n", none, ""),
        ("Defaults env_keep += \"A \\\n  http_proxy\", secure_path=\"/usr/bin\"\n", none, caller),
        ("Defaults !env_reset\n", none, both),
        ("Defaults env_file=/etc/sudo.env\n", none, "http_proxy=http://f:1 sudo.env:1"),
        ("Defaults env_file=/etc/sudo.env\n", env, READ),
        ("Defaults env_file=/etc/sudo.env, env_keep=\"*_proxy\"\n", env, &format!("{both} no_proxy=a,b environment:2")),
        ("Defaults restricted_env_file=/etc/sudo.env\n", none, ""),
        ("Defaults env_file=/etc/sudo.env, restricted_env_file=/etc/none\n", none, "http_proxy=http://f:1 sudo.env:1"),
        ("#Defaults env_keep += http_proxy\n", none, ""),
        ("root ALL=(ALL) ALL # Defaults\n%sudo ALL=(ALL:ALL) ALL\n", none, ""),
        ("Defaults:%sudo env_keep += \"http_proxy\"\n", none, "http_proxy=? sudoers:1"),
        ("Defaults@a, b env_keep += \"http_proxy\"\n", none, "http_proxy=? sudoers:1"),
    ] {
        assert_eq!(sudo(sudoers, stack), expected, "{sudoers}");
    }
    for unknown in
        ["Defaults !pam_session\n", "Defaults env_keep += \"a\n", "@include /etc/none\n", "Defaults env_file=/etc/%h\n"]
    {
        assert!(is_unknown(&sudo(unknown, none)), "{unknown}");
    }
    let files = [
        ("/etc/sudoers", "Defaults env_reset\n@includedir /etc/sudoers.d\n"),
        ("/etc/sudoers.d/ics-proxy", "Defaults env_keep += \"http_proxy\"\n"),
        ("/etc/sudoers.d/old.bak", "Defaults !env_reset\n"),
        ("/etc/pam.d/sudo", none),
    ];
    assert_eq!(told(&sudo::read(&host(&files), &start, None, Door::Sudo).unwrap()), caller);
}

#[test]
fn sudo_may_have_another_stack() {
    let sudo = |sudoers: &str, door: Door| {
        let files = [
            ("/etc/sudoers", sudoers),
            ("/etc/pam.d/sudo", "session required pam_env.so"),
            ("/etc/pam.d/other", "session required pam_limits.so"),
            ("/etc/pam.d/su-l", "session required pam_env.so"),
            ("/etc/pam.d/bare", "session required pam_limits.so"),
        ];
        told(&sudo::read(&host(&files), &Sights::new(), None, door).unwrap())
    };
    for (sudoers, plain, login) in [
        ("", READ, ""),
        ("Defaults pam_service=bare\n", "", ""),
        ("Defaults pam_service=\"/etc/pam.d/BARE\"\n", "", ""),
        ("Defaults pam_service=none\n", "", ""),
        ("Defaults pam_login_service = su-l\n", READ, READ),
        ("Defaults pam_service=bare, pam_login_service=none, pam_askpass_service=su-l\n", "", ""),
        ("Defaults pam_login_service=bare, pam_service=su-l\n", READ, ""),
    ] {
        assert_eq!([sudo(sudoers, Door::Sudo), sudo(sudoers, Door::SudoLogin)], [plain, login], "{sudoers}");
    }
    assert!(is_unknown(&sudo("Defaults:bob pam_service=bare\n", Door::Sudo)));
}

#[test]
fn what_makes_sudo_keep_the_names_depends_on_what_takes_them_out() {
    let keeps = |sudoers: &str, files: &[(&str, &str)]| {
        let host = host(&[("/etc/sudoers", sudoers)]);
        host.put_dir("/etc/sudoers.d");
        files.iter().for_each(|(name, text)| host.put(&format!("/etc/sudoers.d/{name}"), text.as_bytes()));
        let at = |at: Option<super::super::sight::Place>| {
            at.map_or(String::new(), |at| format!(" {}:{}", at.path.display(), at.line))
        };
        match sudo::keeps(&host, Door::Sudo)? {
            sudo::Keeps::Already => Some("kept".to_owned()),
            sudo::Keeps::ByFile(path, taken) => Some(format!("{}{}", path.display(), at(taken))),
            sudo::Keeps::ByLastLine(taken) => Some(format!("last{}", at(taken))),
        }
    };
    let folder = "Defaults env_keep = \"COLORS\"\n@includedir /etc/sudoers.d\n";
    let own = "/etc/sudoers.d/ics-proxy";
    let all = "Defaults env_keep += \"http_proxy https_proxy no_proxy\"\n";
    let less = "Defaults env_keep -= \"no_proxy\"\n";
    let only = "# x\nDefaults env_keep = \"COLORS DISPLAY\"\n";
    for (sudoers, files, expected) in [
        (folder, vec![], own),
        (all, vec![], "kept"),
        ("Defaults !env_reset\n", vec![], "kept"),
        (folder, vec![("a", less), ("b", only)], own),
        (folder, vec![("z", less)], "/etc/sudoers.d/z-ics-proxy /etc/sudoers.d/z:1"),
        (
            folder,
            vec![("z", only), ("zz", less), ("zzz", "Defaults env_keep -= X\n")],
            "/etc/sudoers.d/zz-ics-proxy /etc/sudoers.d/zz:1",
        ),
        (folder, vec![("z", only), ("z-ics-proxy", all)], "kept"),
        ("Defaults env_reset\n", vec![], "last"),
        (
            "@includedir /etc/sudoers.d\nDefaults env_keep = \"COLORS\"\n",
            vec![("ics-proxy", all)],
            "last /etc/sudoers:2",
        ),
        ("#includedir /etc/sudoers.d\nDefaults env_keep = \"*_proxy\"\n", vec![], "kept"),
        ("@includedir /etc/sudoers.d\nDefaults env_keep = X\nDefaults env_keep+=\"*_proxy\"\n", vec![], "kept"),
    ] {
        assert_eq!(keeps(sudoers, &files).as_deref(), Some(expected), "{sudoers}{files:?}");
    }
    assert_eq!(keeps("Defaults env_keep += \"a\n", &[]), None);
}

#[test]
fn options_and_commands_of_sshd_outrank_its_file_and_the_shell() {
    let ssh = |config: &str, options: &str| {
        let files = [
            ("/etc/pam.d/sshd", "session required pam_env.so"),
            ("/etc/ssh/sshd_config", config),
            ("/etc/ssh/other", "UsePAM no\n"),
            (
                "/lib/systemd/system/ssh.service",
                "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n",
            ),
            ("/etc/default/ssh", options),
        ];
        sshd::read(&Pam::new(&host(&files), None)).unwrap()
    };
    let pam = "UsePAM yes\n";
    assert_eq!(told(&ssh(pam, "").sights), READ);
    let without = ssh(pam, "SSHD_OPTS=\"-o UsePAM=no\"\n");
    assert!(told(&without.sights).contains("http_proxy=- ssh:1"));
    assert_eq!(without.without_pam.unwrap().path, Path::new("/etc/default/ssh"));
    assert_eq!(ssh("UsePAM no\n", "SSHD_OPTS=-oUsePAM=yes\n").without_pam, None);
    assert_eq!(ssh(pam, "SSHD_OPTS=\"-f /etc/ssh/other\"\n").without_pam.unwrap().path, Path::new("/etc/ssh/other"));
    assert!(is_unknown(&told(&ssh(pam, "SSHD_OPTS=\"-f /etc/ssh/none\"\n").sights)));
    let set = ssh("UsePAM yes\nSetEnv http_proxy=x\n", "SSHD_OPTS='-o \"SetEnv http_proxy=http://o:1\"'\n");
    assert!(told(&set.sights).contains("http_proxy=http://o:1 ssh:1"), "{}", told(&set.sights));
    let forced = |lines: &str| ssh(&format!("UsePAM yes\n{lines}"), "").forced.map(|sights| told(&sights));
    assert!(forced("ForceCommand env http_proxy=http://o:1 sh\n").unwrap().contains("http_proxy=? sshd_config:2"));
    assert!(forced("ForceCommand none\nForceCommand x\n").is_none());
    assert!(forced("ForceCommand x\nMatch all\nForceCommand none\n").is_none());
    assert!(forced("Match Group sftp\nForceCommand internal-sftp\n").is_none());
    let some = ssh("UsePAM yes\nMatch User x\nForceCommand env http_proxy=x sh\n", "");
    assert!(is_unknown(&told(&some.sights)) && some.forced.is_none());
}

#[test]
fn what_pam_forgets_is_not_taken_from_who_had_it_before() {
    let stack = "session required pam_env.so\nsession required pam_env.so envfile=/etc/default/locale\n";
    let files = [
        ("/etc/pam.d/su", stack),
        ("/etc/security/pam_env.conf", "# c\nhttp_proxy DEFAULT=\n"),
        ("/etc/default/locale", "LANG=C\n"),
    ];
    let given = environment(&host(&files), "su");
    assert_eq!(told(&given), "http_proxy=- pam_env.conf:2 no_proxy=a,b environment:2");
    let at = super::super::sight::Place::new(Path::new("/x"), 1);
    let before = Sights::from([("http_proxy".to_owned(), Sight::Value { value: "v".to_owned(), at })]);
    assert_eq!(told(&over(before, given)), "http_proxy=v x:1 no_proxy=a,b environment:2");
}

#[test]
fn crontabs_that_cron_refuses_count_for_nothing() {
    let jobs = "http_proxy=http://c:1\n* * * * * root env\n";
    let read = |service: &str, name: &str, text: &str, mode| {
        let host = host(&[(format!("/etc/pam.d/{service}").as_str(), "session required pam_env.so")]);
        host.put_with(&format!("/etc/cron.d/{name}"), text.as_bytes(), Attributes::new(mode, 0, 0));
        let cron = cron::read(&host, None).unwrap().unwrap();
        cron.crontabs.iter().map(|own| told(&own.sights)).collect::<Vec<_>>()
    };
    let heard = ["http_proxy=http://c:1 site:1 no_proxy=a,b environment:2".to_owned()];
    for (mode, by_debian, by_cronie) in
        [(0o644, true, true), (0o600, true, true), (0o666, false, false), (0o664, false, false), (0o755, true, false)]
    {
        assert_eq!(read("cron", "site", jobs, mode) == heard, by_debian, "{mode:o}");
        assert_eq!(read("crond", "site", jobs, mode) == heard, by_cronie, "{mode:o}");
    }
    assert!(read("cron", "site", jobs.trim_end(), 0o644).is_empty());
    assert!(read("crond", "site", jobs.trim_end(), 0o644).is_empty(), "the job is the last line");
    let two = format!("{jobs}http_proxy=x");
    assert!(read("cron", "site", &two, 0o644).is_empty());
    assert_eq!(read("crond", "site", &two, 0o644), heard);
    assert!(read("cron", "site.old", jobs, 0o644).is_empty());
}

/// Debian's were run by its cron 3.0pl1-162.
#[test]
fn a_crontab_of_a_user_counts_with_the_mode_and_the_owner_that_cron_wants() {
    for (mode, uid, by_debian, by_cronie) in [
        (0o600, 1000, true, true),
        (0o600, 0, true, true),
        (0o600, 1001, false, false),
        (0o400, 1000, false, true),
        (0o640, 1000, false, true),
        (0o644, 1000, false, true),
        (0o700, 1000, false, false),
        (0o4600, 1000, false, false),
    ] {
        for (service, folder, runs) in [("cron", "/crontabs", by_debian), ("crond", "", by_cronie)] {
            let pam = (format!("/etc/pam.d/{service}"), "");
            let host = host(&[(pam.0.as_str(), pam.1), ("/etc/passwd", "divvy:x:1000:1000::/home/divvy:/bin/sh\n")]);
            let path = format!("/var/spool/cron{folder}/divvy");
            host.put_with(&path, b"http_proxy=http://c:1\n* * * * * env\n", Attributes::new(mode, uid, 0));
            let cron = cron::read(&host, None).unwrap().unwrap();
            assert_eq!(cron.crontabs.len(), usize::from(runs), "{service} {mode:o} {uid}");
        }
    }
    let host = host(&[("/etc/pam.d/cron", "")]);
    host.put_with("/etc/cron.d/site", b"* * * * * root env\n", Attributes::new(0o644, 1000, 0));
    assert!(cron::read(&host, None).unwrap().unwrap().crontabs.is_empty());
}

#[test]
fn crontabs_outrank_the_stack_for_the_jobs_behind_them() {
    let files = [
        ("/etc/pam.d/cron", "session required pam_env.so"),
        ("/etc/crontab", "SHELL=/bin/sh\n17 * * * * root run-parts\n"),
        ("/etc/cron.d/site", "https_proxy = \"http://s:1\"\n* * * * * divvy env\n@reboot root x\n"),
        ("/etc/cron.d/old.bak", "https_proxy=http://x:1\n* * * * * divvy env\n"),
        ("/var/spool/cron/crontabs/divvy", "http_proxy='http://c:1' \n* * * * * env\nhttp_proxy=\"\"\n* * * * * env\n"),
        ("/var/spool/cron/crontabs/zed", "* * * * * env\nhttp_proxy=x\n"),
    ];
    let cron = cron::read(&host(&files), None).unwrap().unwrap();
    assert_eq!(told(&cron.base), READ);
    let tables: Vec<String> = cron
        .crontabs
        .iter()
        .map(|own| format!("{} {} {}", own.user, if own.sets { "+" } else { "-" }, told(&own.sights)))
        .collect();
    let site = "http_proxy=http://e:1 environment:1 https_proxy=http://s:1 site:1 no_proxy=a,b environment:2";
    assert_eq!(
        tables,
        [
            format!("root - {READ}"),
            format!("divvy + {site}"),
            format!("root + {site}"),
            "divvy + http_proxy=? divvy:3 no_proxy=a,b environment:2".to_owned(),
            format!("zed + {READ}"),
        ]
    );
    let cronie = [
        ("/etc/pam.d/crond", "auth include password-auth\nsession required pam_limits.so\n"),
        ("/etc/pam.d/password-auth", "auth required pam_env.so\n"),
        ("/var/spool/cron/root", "* * * * * env\n"),
    ];
    let cron = cron::read(&host(&cronie), None).unwrap().unwrap();
    assert_eq!((told(&cron.base), cron.crontabs[0].user.as_str()), (READ.to_owned(), "root"));
    assert_eq!(cron::read(&host(&[]), None), Ok(None));
    // bash reads what BASH_ENV names before it runs a job, and sh does not.
    let jobs = |text: &str| {
        let files = [
            ("/etc/pam.d/cron", "session required pam_env.so"),
            ("/etc/corp.env", "export http_proxy=http://old:1\nshopt -q login_shell && export no_proxy=x\n"),
            ("/etc/cron.d/site", text),
        ];
        let cron = cron::read(&host(&files), None).unwrap().unwrap();
        (told(&cron.crontabs[0].sights), cron.crontabs[0].sets)
    };
    let old = "http_proxy=http://old:1 corp.env:1 no_proxy=a,b environment:2";
    let job = "* * * * * root env\n";
    assert_eq!(jobs(&format!("SHELL=/bin/bash\nBASH_ENV=/etc/corp.env\n{job}")), (old.to_owned(), true));
    assert_eq!(jobs(&format!("BASH_ENV=/etc/corp.env\n{job}")), (READ.to_owned(), false));
    assert_eq!(jobs(&format!("SHELL=/bin/bash\nBASH_ENV=/etc/none\n{job}")), (READ.to_owned(), false));
    let zero = "case $0 in -bash) http_proxy=http://login:1;; esac\n";
    let host_with = |text: &str| {
        let files = [("/etc/pam.d/cron", ""), ("/etc/corp.env", zero), ("/etc/cron.d/site", text)];
        cron::read(&host(&files), None)
            .unwrap()
            .unwrap()
            .crontabs
            .iter()
            .map(|own| told(&own.sights))
            .collect::<String>()
    };
    let zero = host_with(&format!("SHELL=/bin/bash\nBASH_ENV=/etc/corp.env\n{job}"));
    assert!(!zero.contains("http://login:1"), "a job's shell is no login shell: {zero}");
    for unknown in ["SHELL=/bin/bash\nBASH_ENV=$HOME/x\n", "SHELL=/opt/wrapper\n"] {
        assert!(jobs(&format!("{unknown}{job}")).0.contains("http_proxy=? site:"), "{unknown}");
    }
    let both = format!("SHELL=/bin/bash\nBASH_ENV=/etc/corp.env\n{job}SHELL=/bin/sh\n{job}");
    assert!(jobs(&both).0.contains("http_proxy=?"), "{both}");
    for line in ["http_proxy=", "junk", "http_proxy=\"a\" b", "* * * * *", "a b=c"] {
        let text = format!("{line}\n* * * * * root env\n");
        let files = [("/etc/pam.d/cron", "session required pam_env.so"), ("/etc/cron.d/site", text.as_str())];
        let cron = cron::read(&host(&files), None).unwrap().unwrap();
        assert!(told(&cron.crontabs[0].sights).contains("http_proxy=? site:1"), "{line}");
    }
}

proptest::proptest! {
    #[test]
    fn every_model_is_total_on_any_bytes(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let host = MemoryHost::new();
        for path in ["/etc/pam.d/cron", "/etc/pam.d/su", "/etc/environment", "/etc/security/pam_env.conf", "/etc/crontab", "/etc/sudoers", "/etc/ssh/sshd_config", "/etc/pam.d/sshd"] {
            host.put(path, &bytes);
        }
        let _ = (environment(&host, "su"), sshd::read(&Pam::new(&host, None)), sudo::read(&host, &Sights::new(), None, Door::SudoLogin), cron::read(&host, None));
    }

    #[test]
    fn every_model_is_total_on_its_own_words(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "session", "auth", "[success=1 ", "]", "required", "sufficient", "substack", "su", "@include", "pam_env.so", "\n", " ", "\\",
            "Defaults", "env_keep", "+=", "\"", "http_proxy", "=", ",", "!", "UsePAM yes", "Match", "Include *", "SetEnv", "'", "#", "é",
            "@includedir /etc", "DEFAULT=", "OVERRIDE=", "${", "}", "*", "@reboot",
        ]), 0..40),
    ) {
        let text = words.concat();
        let host = MemoryHost::new();
        for path in ["/etc/pam.d/cron", "/etc/pam.d/su", "/etc/security/pam_env.conf", "/etc/crontab", "/etc/sudoers", "/etc/ssh/sshd_config"] {
            host.put(path, text.as_bytes());
        }
        let _ = (environment(&host, "su"), sshd::read(&Pam::new(&host, None)), sudo::read(&host, &Sights::new(), None, Door::SudoLogin), cron::read(&host, None));
    }
}
