//! Whether cron jobs see `/etc/environment`: decided from the PAM stack, because waiting for cron's next minute would be
//! too long.

use std::path::{Path, PathBuf};

use crate::host::HostRead;

/// Included stacks are followed this deep; Red Hat's crond includes password-auth, and that nothing more.
const DEEPEST: usize = 4;

/// cron's PAM stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CronStack {
    /// Its file.
    pub path: PathBuf,
    /// Does it, or a stack that it includes, have a `pam_env.so` line?
    pub reads_environment: bool,
}

/// The stack of Debian's cron or Red Hat's crond; `None`: neither is installed.
pub(crate) fn cron(host: &dyn HostRead) -> Option<CronStack> {
    ["cron", "crond"].into_iter().find_map(|name| {
        let path = Path::new("/etc/pam.d").join(name);
        let text = text(host, &path)?;
        Some(CronStack { path, reads_environment: has_pam_env(host, &text, DEEPEST) })
    })
}

fn text(host: &dyn HostRead, path: &Path) -> Option<String> {
    host.read(path).ok().flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn has_pam_env(host: &dyn HostRead, text: &str, depth: usize) -> bool {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.into_iter().any(|line| {
        if line.contains("pam_env.so") {
            return true;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let included = match words.as_slice() {
            ["@include", name, ..] | [_, "include" | "substack", name, ..] => *name,
            _ => return false,
        };
        depth > 0
            && self::text(host, &Path::new("/etc/pam.d").join(included))
                .is_some_and(|text| has_pam_env(host, &text, depth - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn includes_are_followed_and_a_circle_ends() {
        let host = MemoryHost::new();
        assert_eq!(cron(&host), None);
        host.put("/etc/pam.d/crond", b"# pam_env.so\nauth include password-auth\n");
        host.put("/etc/pam.d/password-auth", b"auth include crond\nsession substack crond\n");
        assert!(!cron(&host).unwrap().reads_environment);
        host.put("/etc/pam.d/password-auth", b"auth required pam_env.so\n");
        assert!(cron(&host).unwrap().reads_environment);
        host.put("/etc/pam.d/cron", b"@include common-auth\n");
        assert!(!cron(&host).unwrap().reads_environment, "Debian's file comes first");
    }
}
