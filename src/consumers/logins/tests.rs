//! Logins of hosts in memory.

use super::*;
use crate::host::MemoryHost;

fn value(sights: &Sights, name: &str) -> String {
    match sights.get(name) {
        None => "-".to_owned(),
        Some(Sight::Value { value, .. }) => value.clone(),
        Some(Sight::Unset { .. }) => "unset".to_owned(),
        Some(Sight::Unknown { at, .. }) => format!("?{}:{}", at.path.display(), at.line),
    }
}

fn seen(host: &MemoryHost, name: &str, interactive: bool) -> Sights {
    login(host, None, &user(host, name).unwrap(), interactive, &Sights::new())
}

#[test]
fn an_image_without_a_profile_is_read_as_its_distribution_has_it() {
    let host = MemoryHost::new()
        .with("/etc/profile.d/a.sh", "export http_proxy=a\n")
        .with("/etc/bash.bashrc", "export https_proxy=b\n");
    assert_eq!(value(&seen(&host, "divvy", false), "http_proxy"), "a");
    assert_eq!(value(&seen(&host, "divvy", false), "https_proxy"), "-");
    assert_eq!(value(&seen(&host, "divvy", true), "https_proxy"), "b");
}

#[test]
fn dash_reads_no_file_of_bash_at_a_terminal() {
    for shell in ["/bin/dash", "/bin/sh"] {
        let host = MemoryHost::new()
            .with("/etc/passwd", format!("divvy:x:1:1::/home/divvy:{shell}\n"))
            .with("/etc/bash.bashrc", "export https_proxy=b\n")
            .with("/etc/profile.d/b.sh", "[ -n \"$BASH_VERSION\" ] && export no_proxy=b\n:\n");
        let seen = seen(&host, "divvy", true);
        assert_eq!(value(&seen, "https_proxy"), "-", "{shell}");
        assert_eq!(value(&seen, "no_proxy") == "-", shell == "/bin/dash", "{shell}");
    }
}

#[test]
fn the_shell_of_the_user_decides() {
    let host = MemoryHost::new()
        .with("/etc/passwd", "a:x:1:1::/home/a:/bin/tcsh\nb:x:2:2::/home/b:/usr/bin/zsh\nc:x:3:3::/h:/usr/bin/ksh\ne:x:5:5::/home/e:/usr/bin/fish\nd:x:4:4::/h:/bin/sh\n")
        .with("/etc/csh.cshrc", "setenv http_proxy \"http://p:1\"\nif ($?x) then\n  setenv no_proxy x\nendif\n")
        .with("/etc/zsh/zshenv", "export http_proxy=http://z:1\nunset no_proxy\n")
        .with("/etc/fish/conf.d/p.fish", "set -gx http_proxy http://f:1\nif test -n \"$A\"\n  set -gx no_proxy a\nend\n")
        .with("/home/e/.config/fish/config.fish", "set -e http_proxy\n")
        .with("/etc/profile.d/x.csh", "unsetenv https_proxy\n")
        .with("/etc/profile.d/x.sh", "[[ -n $HOME ]] && export ftp_proxy=x\nexport http_proxy=s\n");
    let a = seen(&host, "a", false);
    assert_eq!((value(&a, "http_proxy"), value(&a, "https_proxy")), ("http://p:1".into(), "unset".into()));
    assert_eq!(value(&a, "no_proxy"), "?/etc/csh.cshrc:3");
    let b = seen(&host, "b", false);
    assert_eq!((value(&b, "http_proxy"), value(&b, "no_proxy")), ("http://z:1".into(), "unset".into()));
    assert_eq!(value(&seen(&host, "c", false), "http_proxy"), "?/etc/passwd:0");
    let d = seen(&host, "d", false);
    assert_eq!(value(&d, "http_proxy"), "s");
    assert!(value(&d, "ftp_proxy").starts_with("?/etc/profile.d/x.sh"), "{d:?}");
    let e = seen(&host, "e", false);
    assert_eq!((value(&e, "http_proxy"), value(&e, "no_proxy")), ("unset".into(), "?/etc/fish/conf.d/p.fish:3".into()));
    assert_eq!(others(&host).len(), 3);
}
