//! The ways into the host, each the real one: `su`, `login` at a terminal, `sudo`, sshd with its own PAM stack (`sshd -i` behind
//! a ProxyCommand), cron's daemon with an `@reboot` job. Measured on Debian 12.

use std::path::Path;
use std::time::Duration;

use super::Who;
use crate::environment::LoginUser;
use crate::host::HostRead;
use crate::sandbox::{Answer, KEPT, Question, SCRIPT, Sandbox};
use crate::text;
use crate::text::words::words;
use crate::text::{Text, own, quoted, seconds};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

words! {
    /// A way into the host.
    pub(crate) enum Door {
        /// `su - USER`.
        SuLogin = "su-",
        /// `su USER`.
        Su = "su",
        /// `login` at a terminal, where a person types.
        Console = "console",
        /// A login through sshd.
        Ssh = "ssh",
        /// A command under sudo.
        Sudo = "sudo",
        /// `sudo -i`.
        SudoLogin = "sudo-i",
        /// A job of cron's daemon.
        Cron = "cron",
        /// An empty environment, as services have it.
        Service = "service",
        /// The program has a configuration of its own.
        Nothing = "none",
    }
}

/// Who goes through doors, and what has been learnt of them.
pub(crate) struct Caller<'a> {
    pub(crate) host: &'a dyn HostRead,
    pub(crate) login: LoginUser,
    /// How long one door may take, all that is run behind it included.
    pub(crate) deadline_ms: u64,
    /// A login does not come to its end; it is waited for once.
    pub(crate) hangs: bool,
}

impl Door {
    /// The consumer that comes this way.
    pub(crate) fn consumer(self) -> Who {
        match self {
            Self::SuLogin | Self::Su | Self::Console | Self::Ssh => Who::Login,
            Self::Sudo | Self::SudoLogin => Who::Sudo,
            Self::Cron => Who::Cron,
            Self::Service => Who::Systemd,
            Self::Nothing => Who::PackageManager,
        }
    }

    /// Are its programs installed?
    pub(crate) fn is_there(self, host: &dyn HostRead) -> bool {
        let all = |programs: &[&str]| programs.iter().all(|program| is_installed(host, program));
        match self {
            Self::SuLogin | Self::Su => all(&["su"]),
            Self::Console => all(&["login", "script"]),
            Self::Ssh => all(&["sshd", "ssh", "ssh-keygen"]),
            Self::Sudo | Self::SudoLogin => all(&["su", "sudo"]),
            Self::Cron => cron(host).is_some(),
            Self::Service => true,
            Self::Nothing => false,
        }
    }
}

impl Caller<'_> {
    /// Who goes through a door, and what is to be run for it. It starts [`SCRIPT`].
    ///
    /// # Errors
    /// Why nobody can go there.
    pub(crate) fn question(&self, door: Door, sandbox: &mut Sandbox) -> Result<(String, Question), Text> {
        let (login, hangs) = (&self.login, self.hangs);
        let shell: &[&str] = if login.needs_shell { &["-s", "/bin/sh"] } else { &[] };
        let run = format!("sh {SCRIPT}");
        let name = login.name.as_str();
        let question = match door {
            Door::SuLogin => self.plain(&[&["su", "-"], shell, &[name, "-c", &run]].concat()),
            Door::Su => self.plain(&[&["su"], shell, &[name, "-c", &run]].concat()),
            Door::Console | Door::Ssh if hangs => return Err("a login of this user does not come to its end".into()),
            Door::Console | Door::Ssh if login.needs_shell => {
                return Err("this user has no shell to log in with".into());
            }
            Door::Console => self.console(name),
            Door::Ssh => self.ssh(sandbox, name)?,
            Door::Sudo | Door::SudoLogin => {
                let may = self.plain(&[&["su", "-"], shell, &[name, "-c", "sudo -n true"]].concat());
                let may = !hangs && sandbox.ask(may)?.code == Some(0);
                let (name, shell) = if may { (name, shell) } else { ("root", &[][..]) };
                let how = if door == Door::Sudo { "sudo -n" } else { "sudo -n -i" };
                let question = self.plain(&[&["su", "-"], shell, &[name, "-c", &format!("{how} {run}")]].concat());
                return Ok((name.to_owned(), question));
            }
            Door::Cron => self.cron(name),
            Door::Service | Door::Nothing => self.plain(&["sh", SCRIPT]),
        };
        Ok((name.to_owned(), question))
    }

    /// A program with nothing but a path.
    pub(crate) fn plain(&self, argv: &[&str]) -> Question {
        Question {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            environment: vec![("PATH".to_owned(), PATH.to_owned())],
            deadline_ms: self.deadline_ms,
            ..Question::default()
        }
    }

    /// Why a script did not come to its end.
    pub(crate) fn unfinished(&self, answer: &Answer) -> Text {
        let late = || text!("no end within {}", own(seconds(Duration::from_millis(self.deadline_ms))));
        match answer.code {
            None if answer.said.is_empty() => late(),
            None => text!("{}: {}", late(), answer.said),
            Some(code) => text!("exit code {}: {}", code, answer.said),
        }
    }

    /// `login -f` at a terminal of its own. It throws away what was typed before it, so the line is typed until it was read.
    fn console(&self, name: &str) -> Question {
        let folder = Path::new(SCRIPT).parent().unwrap_or(Path::new("/")).display();
        let script = format!(
            "{{ until [ -e {folder}/env ] || [ -e {folder}/go ]; do echo 'exec sh {SCRIPT}'; sleep 0.1; done; \
             until [ -e {folder}/done ]; do sleep 0.1; done; }} | script -q -c \"login -f {}\" /dev/null",
            quoted(name)
        );
        self.plain(&["sh", "-c", &script])
    }

    /// A login through sshd with keys that exist inside alone.
    fn ssh(&self, sandbox: &mut Sandbox, name: &str) -> Result<Question, Text> {
        let keys = format!(
            "cd {KEPT} && for key in host key; do [ -e $key ] || ssh-keygen -q -t ed25519 -N '' -f $key; done && \
             cp key.pub authorized && chmod 644 authorized"
        );
        let made = sandbox.ask(self.plain(&["sh", "-c", &keys]))?;
        if made.code != Some(0) {
            return Err(text!("ssh-keygen made no keys: {}", made.said));
        }
        let daemon = format!(
            "ProxyCommand=$(command -v sshd) -i -h {KEPT}/host -o AuthorizedKeysFile={KEPT}/authorized -o StrictModes=no"
        );
        // A shell that reads its commands is a login shell, as a person's is; one with a command is not.
        let client = format!(
            "exec ssh -T -F none -o \"{daemon}\" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
             -o BatchMode=yes -o IdentitiesOnly=yes -o LogLevel=ERROR -i {KEPT}/key {}@ask",
            quoted(name)
        );
        Ok(Question { input: Some(format!("exec sh {SCRIPT}\n")), ..self.plain(&["sh", "-c", &client]) })
    }

    /// A daemon with one job. Jobs of others are not started; their files are layers in memory here.
    fn cron(&self, name: &str) -> Question {
        let daemon = cron(self.host).unwrap_or(["cron", "-f"]).join(" ");
        let others = "/etc/crontab /etc/anacrontab /etc/cron.d/* /var/spool/cron/* /var/spool/cron/crontabs/*";
        let job = format!("MAILTO=\\\"\\\"\\n@reboot {name} sh {SCRIPT}\\n");
        let script = format!(
            "rm -rf -- {others} 2>/dev/null; mkdir -p /etc/cron.d /var/spool/cron/crontabs; \
             printf \"{job}\" >/etc/cron.d/ics-setup-ask; chmod 644 /etc/cron.d/ics-setup-ask; exec {daemon}"
        );
        self.plain(&["sh", "-c", &script])
    }
}

/// cron's daemon in the foreground: Debian's, or cronie.
fn cron(host: &dyn HostRead) -> Option<[&'static str; 2]> {
    [["cron", "-f"], ["crond", "-n"]].into_iter().find(|[daemon, _]| is_installed(host, daemon))
}

/// Is there such a program among those that root's commands find?
pub(crate) fn is_installed(host: &dyn HostRead, program: &str) -> bool {
    PATH.split(':').any(|folder| matches!(host.lstat(&Path::new(folder).join(program)), Ok(Some(_))))
}
