//! Traps for commands under sudo: a `secure_path` without `/usr/local/bin`, and `requiretty`.

use std::path::Path;

use crate::check::prelude::*;
use crate::system::sudo::{self, Defaults, SudoFacts};
use crate::text::of_host;

/// Where the vendor's installers put docker-compose.
const LOCAL: &str = "/usr/local/bin";

pub(super) struct Sudo;

impl Check for Sudo {
    type Facts = SudoFacts;

    const META: Meta = Meta::new("sudo", Group::Host, &[ids::SUDO_SECURE_PATH, ids::SUDO_REQUIRETTY]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&SudoFacts>) -> SudoFacts {
        sudo::observe(look.host)
    }

    fn judge(&self, facts: &SudoFacts, _want: &CheckSpec) -> Vec<Finding> {
        match facts.defaults.or_skip(ids::SUDO_SECURE_PATH, "sudo's settings") {
            Ok(defaults) => {
                vec![judge_path(defaults), judge_tty(defaults)]
            }
            Err(skipped) => vec![*skipped],
        }
    }
}

fn judge_path(defaults: &Defaults) -> Finding {
    let local = own(LOCAL);
    let expected = text!("{} in sudo's secure_path, or no secure_path", local);
    let Some((path, file)) = &defaults.secure_path else {
        return Finding::pass(ids::SUDO_SECURE_PATH, "sudo keeps the PATH of who calls it")
            .expected(expected)
            .observed("no secure_path");
    };
    let has = path.split(':').any(|folder| folder.trim_end_matches('/') == LOCAL);
    let finding = |status, title: Text| {
        Finding::new(ids::SUDO_SECURE_PATH, status, title)
            .expected(&expected)
            .observed(text!("secure_path={} in {}", path, own(file)))
            .evidence("secure_path", text!("{}", path))
    };
    if has {
        return finding(Status::Pass, text!("commands under sudo find programs in {}", local));
    }
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/:._-+".contains(c));
    let longer =
        if plain { text!("{}:{}", own(path), local) } else { text!("{}:/usr/sbin:/usr/bin:/sbin:/bin", local) };
    let finding = finding(Status::Warn, text!("commands under sudo do not find programs in {}", local))
        .cause("docker-compose is put there, and sudo docker-compose ends with \"command not found\"")
        .advise(text!(
            "link this one program: {}",
            as_root(text!("ln -s {}/docker-compose /usr/bin/docker-compose", local))
        ));
    last_word(finding, text!("Defaults secure_path = \"{}\"", longer), defaults.after_path.as_deref(), file)
}

/// With the file that says `line` after all others; where sudo reads none behind `file`, that one has to be edited.
fn last_word(finding: Finding, line: Text, after: Option<&str>, file: &str) -> Finding {
    match after {
        Some(ours) => {
            let ours = of_host(Path::new(ours));
            finding.fix(as_root(text!("echo '{}' > {} && chmod 0440 {}", line, ours.clone(), ours)))
        }
        None => finding.advise(text!("write this line at the end of {}, with visudo -f: {}", own(file), line)),
    }
}

fn judge_tty(defaults: &Defaults) -> Finding {
    let expected = "sudo works without a terminal";
    match &defaults.requiretty {
        None => Finding::pass(ids::SUDO_REQUIRETTY, "sudo works without a terminal")
            .expected(expected)
            .observed("no requiretty"),
        Some(file) => {
            let cause = "cron jobs, cloud-init, Ansible and ssh HOST sudo … end with \"sorry, you must have a tty to run sudo\"";
            let finding = Finding::warn(ids::SUDO_REQUIRETTY, "sudo works in a terminal only")
                .expected(expected)
                .observed(text!("Defaults requiretty in {}", own(file)))
                .cause(cause);
            last_word(finding, "Defaults !requiretty".into(), defaults.after_tty.as_deref(), file)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{checked, production};
    use super::*;
    use crate::host::MemoryHost;
    use crate::system::sudo::SUDOERS;

    fn look(files: &[(&str, &str)]) -> Vec<Status> {
        let host = MemoryHost::new();
        files.iter().for_each(|(path, content)| host.put(path, content.as_bytes()));
        checked(&Sudo, &host, &production()).iter().map(|found| found.status).collect()
    }

    #[test]
    fn the_last_word_counts() {
        let centos = "Defaults    !visiblepw, requiretty\nDefaults    secure_path = /sbin:/bin:/usr/sbin:/usr/bin\n\
                      root ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n";
        let ubuntu = "Defaults\tsecure_path=\"/usr/local/sbin:/usr/local/bin:/usr/bin\"\n@includedir sudoers.d\n";
        let (pass, warn) = (Status::Pass, Status::Warn);
        assert_eq!(look(&[(SUDOERS, centos)]), [warn, warn]);
        assert_eq!(look(&[(SUDOERS, ubuntu)]), [pass, pass]);
        assert_eq!(look(&[(SUDOERS, "root ALL=(ALL) ALL\n")]), [pass, pass]);
        assert_eq!(look(&[(SUDOERS, ubuntu), ("/etc/sudoers.d/x", "Defaults requiretty\n")]), [pass, warn]);
        assert_eq!(look(&[(SUDOERS, ubuntu), ("/etc/sudoers.d/x.rpmsave", "Defaults requiretty\n")]), [pass, pass]);
        let mended = [("/etc/sudoers.d/tty", "Defaults !requiretty"), ("/etc/sudoers.d/p", "Defaults !secure_path")];
        assert_eq!(look(&[(SUDOERS, centos), mended[0], mended[1]]), [pass, pass]);
        assert_eq!(look(&[(SUDOERS, "Defaults \\\n  requiretty # \\\nDefaults:backup !requiretty\n")]), [pass, warn]);
        assert_eq!(look(&[]), [Status::Skip]);
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        assert_eq!(look(&[(SUDOERS, "#include /etc/sudoers\nDefaults requiretty\n")]), [Status::Pass, Status::Warn]);
    }

    proptest! {
        #[test]
        fn no_file_breaks_it(content in "(Defaults|#include|@includedir|secure_path|=|\"|,|\\\\|\n| |[a-z/!+]){0,60}") {
            look(&[(SUDOERS, &content)]);
        }
    }
}
