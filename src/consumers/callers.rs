//! The ways into the host, each the real one: `su`, `login` at a terminal, `sudo`, sshd with its own PAM stack (`sshd -i` behind
//! a ProxyCommand), cron's daemon with an `@reboot` job. Measured on Debian 12.
//!
//! Where no ssh client is installed, `login -f` goes through sshd's stack in the place of its own: like sshd with a key it skips
//! the authentication and runs account, credentials and session. What sshd itself decides is taken from `sshd -T`; settings by
//! which it does more than PAM and the shell leave the door to the models.

use std::path::Path;
use std::time::Duration;

use super::Who;
use super::units::sshd_options;
use crate::envfile::unit::Release;
use crate::environment::LoginUser;
use crate::host::HostRead;
use crate::sandbox::{Answer, KEPT, Keeps, Question, SCRIPT, Sandbox};
use crate::text;
use crate::text::words::words;
use crate::text::{Text, own, quoted, seconds};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A login at a terminal.
const CONSOLE: [&str; 2] = ["login", "script"];

/// A client of sshd.
const CLIENT: [&str; 2] = ["ssh", "ssh-keygen"];

/// What `sshd -T` prints where a login gets nothing but what PAM and the shell give it.
const BY_PAM_ALONE: [(&str, &str); 4] =
    [("usepam", "yes"), ("permituserenvironment", "no"), ("forcecommand", "none"), ("chrootdirectory", "none")];

words! {
    /// A way into the host.
    pub(crate) enum Door {
        /// `su - USER` with a command.
        SuLogin = "su-",
        /// `su - USER` where a person types.
        SuTerminal = "su-terminal",
        /// `su USER` by root who has logged in: it hands on what root has.
        Su = "su",
        /// `login` at a terminal, where a person types.
        Console = "console",
        /// A login through sshd, where a person types.
        Ssh = "ssh",
        /// A command under sudo.
        Sudo = "sudo",
        /// `sudo -i`.
        SudoLogin = "sudo-i",
        /// A job of cron's daemon.
        Cron = "cron",
        /// A service of systemd. What that gives to it is the caller's to add.
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
    /// May the user use sudo without a password? `None`: that was not tried.
    may_sudo: Option<bool>,
}

impl Door {
    /// The doors of sudo.
    pub(crate) const SUDO: [Self; 2] = [Self::Sudo, Self::SudoLogin];

    /// The consumer that comes this way.
    pub(crate) fn consumer(self) -> Who {
        match self {
            Self::SuLogin | Self::SuTerminal | Self::Su | Self::Console | Self::Ssh => Who::Login,
            Self::Sudo | Self::SudoLogin => Who::Sudo,
            Self::Cron => Who::Cron,
            Self::Service => Who::Systemd,
            Self::Nothing => Who::PackageManager,
        }
    }

    /// For a sentence: `a login over ssh`.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::SuLogin => "by su - with a command",
            Self::SuTerminal => "by su - at a terminal",
            Self::Su => "by su without -",
            Self::Console => "at the console",
            Self::Ssh => "over ssh",
            Self::Sudo => "under sudo",
            Self::SudoLogin => "under sudo -i",
            Self::Cron => "by cron",
            Self::Service | Self::Nothing => self.as_str(),
        }
    }

    /// How the door was gone through.
    pub(crate) fn typed(self, user: &str, host: &dyn HostRead) -> String {
        match self {
            Self::Ssh if !is_installed(host, CLIENT[0]) => format!("login -f {user}, by the stack of sshd"),
            Self::SuLogin | Self::SuTerminal => format!("su - {user}"),
            Self::Su => format!("su - root, then su {user}"),
            Self::Console => format!("login -f {user}"),
            Self::Ssh => format!("ssh {user}@localhost"),
            Self::Sudo => format!("sudo env, by {user}"),
            Self::SudoLogin => format!("sudo -i env, by {user}"),
            Self::Cron | Self::Service | Self::Nothing => self.as_str().to_owned(),
        }
    }

    /// The service whose stack PAM reads, for doors that ask PAM. Where it is missing another one stands in.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::SuLogin | Self::SuTerminal => "su-l",
            Self::Console => "login",
            Self::Ssh => "sshd",
            other => other.as_str(),
        }
    }

    /// Does a person type there?
    pub(crate) fn is_terminal(self) -> bool {
        matches!(self, Self::SuTerminal | Self::Console | Self::Ssh)
    }

    /// Can somebody be sent there: are its programs installed?
    pub(crate) fn is_there(self, host: &dyn HostRead) -> bool {
        // Whoever types at `su -` has the stack of the one and the shell of the other of two doors that are asked.
        !matches!(self, Self::SuTerminal | Self::Nothing) && self.missing(host).is_none()
    }

    /// A program of the door that is not installed; `None`: all are.
    pub(crate) fn missing(self, host: &dyn HostRead) -> Option<&'static str> {
        let of = |programs: &[&'static str]| programs.iter().copied().find(|program| !is_installed(host, program));
        match self {
            Self::SuLogin | Self::SuTerminal | Self::Su => of(&["su"]),
            Self::Console => of(&CONSOLE),
            // One of the two is enough.
            Self::Ssh => of(&["sshd"]).or_else(|| of(&CONSOLE).and(of(&CLIENT))),
            Self::Sudo | Self::SudoLogin => of(&["sudo", "su"]),
            Self::Cron => cron(host).is_none().then_some("cron"),
            Self::Service | Self::Nothing => None,
        }
    }
}

impl<'a> Caller<'a> {
    pub(crate) fn new(host: &'a dyn HostRead, login: LoginUser, deadline_ms: u64) -> Self {
        Self { host, login, deadline_ms, hangs: false, may_sudo: None }
    }

    /// Who goes through a door, and what is to be run for it. It starts [`SCRIPT`].
    ///
    /// # Errors
    /// Why nobody can go there.
    pub(crate) fn question(&mut self, door: Door, sandbox: &mut Sandbox) -> Result<(String, Question), Text> {
        let run = format!("sh {SCRIPT}");
        let name = self.login.name.clone();
        let question = match door {
            Door::SuLogin => self.by_su(&["-"], &run),
            // Root who has logged in goes on as the user.
            Door::Su => {
                let line: Vec<String> = self.by_su(&[], &run).argv.iter().map(|word| quoted(word)).collect();
                self.plain(&["su", "-", "root", "-c", &line.join(" ")])
            }
            Door::SuTerminal | Door::Console | Door::Ssh if self.hangs => {
                return Err("a login of this user does not come to its end".into());
            }
            Door::SuTerminal | Door::Console | Door::Ssh if self.login.needs_shell => {
                return Err("this user has no shell to log in with".into());
            }
            Door::SuTerminal => {
                self.typed(&format!("script -q -c {} /dev/null", quoted(&format!("su - {}", quoted(&name)))))
            }
            Door::Console => self.typed(&logging_in("-f", &name)),
            Door::Ssh if CLIENT.iter().all(|program| is_installed(self.host, program)) => self.ssh(sandbox, &name)?,
            Door::Ssh => self.ssh_by_login(sandbox, &name)?,
            Door::Sudo | Door::SudoLogin => {
                let how = if door == Door::Sudo { "sudo -n" } else { "sudo -n -i" };
                let line = format!("{how} {run}");
                if self.may_sudo(sandbox)? {
                    self.by_su(&["-"], &line)
                } else {
                    return Ok(("root".to_owned(), self.plain(&["su", "-", "root", "-c", &line])));
                }
            }
            Door::Cron => self.cron(&name),
            Door::Service | Door::Nothing => self.plain(&["sh", SCRIPT]),
        };
        Ok((name, question))
    }

    /// `su` with a command, by root.
    fn by_su(&self, options: &[&str], command: &str) -> Question {
        let shell: &[&str] = if self.login.needs_shell { &["-s", "/bin/sh"] } else { &[] };
        self.plain(&[&["su"], options, shell, &[&self.login.name, "-c", command]].concat())
    }

    fn may_sudo(&mut self, sandbox: &mut Sandbox) -> Result<bool, Text> {
        if let Some(known) = self.may_sudo {
            return Ok(known);
        }
        let may = !self.hangs && sandbox.ask(self.by_su(&["-"], "sudo -n true"))?.code == Some(0);
        self.may_sudo = Some(may);
        Ok(may)
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

    /// A program with a terminal of its own.
    fn typed(&self, program: &str) -> Question {
        self.plain(&["sh", "-c", &typing(program)])
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
        let options = self.sshd_options()?;
        let line = options.iter().map(|option| quoted(option)).collect::<Vec<_>>().join(" ");
        if line.contains(['"', '$', '`', '\\', '%']) {
            return Err(
                "what sshd is started with is not handed to another one: a character in it has a meaning".into()
            );
        }
        let daemon = format!(
            "ProxyCommand=$(command -v sshd) -i -h {KEPT}/host -o AuthorizedKeysFile={KEPT}/authorized -o StrictModes=no {line}"
        );
        // A shell that reads its commands is a login shell, as a person's is; one with a command is not.
        Ok(self.typed(&format!(
            "ssh -tt -F none -o \"{daemon}\" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
             -o BatchMode=yes -o IdentitiesOnly=yes -o LogLevel=ERROR -i {KEPT}/key {}@ask",
            quoted(name)
        )))
    }

    /// What the host's own sshd is started with, as far as it decides settings.
    fn sshd_options(&self) -> Result<Vec<String>, Text> {
        let found = sshd_options(self.host, Release::UNKNOWN).map_err(|doubt| doubt.why)?;
        let file = found.file.map(|(path, _)| ["-f".to_owned(), path.display().to_string()]);
        let lines = found.lines.into_iter().map(|(line, _)| ["-o".to_owned(), line]);
        Ok(file.into_iter().chain(lines).flatten().collect())
    }

    /// The same without a client.
    fn ssh_by_login(&self, sandbox: &mut Sandbox, name: &str) -> Result<Question, Text> {
        let whom = format!("user={name},host=localhost,addr=127.0.0.1");
        let options = self.sshd_options()?;
        let argv = ["sshd", "-T", "-C", &whom].into_iter().chain(options.iter().map(String::as_str));
        let question = Question { keeps: Keeps::Output, ..self.plain(&argv.collect::<Vec<_>>()) };
        let answer = sandbox.ask(question)?;
        if answer.code != Some(0) {
            return Err(text!("sshd -T ended: {}", answer.said));
        }
        if let Some(why) = needs_client(&String::from_utf8_lossy(&answer.kept.0)) {
            return Err(why);
        }
        let script = format!(
            "for stack in /etc/pam.d/sshd /usr/lib/pam.d/sshd /etc/pam.d/other /dev/null; do [ ! -e $stack ] || break; done; \
             cat $stack >{KEPT}/stack; [ -e /etc/pam.d/login ] || : >/etc/pam.d/login; \
             mount --bind {KEPT}/stack /etc/pam.d/login && \
             export SSH_CLIENT='127.0.0.1 1 22' SSH_CONNECTION='127.0.0.1 1 127.0.0.1 22' SSH_TTY=/dev/pts/0 && {}",
            typing(&logging_in("-p -f", name))
        );
        Ok(self.plain(&["unshare", "-m", "sh", "-c", &script]))
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

/// Types a line at a program until it was read: `login` throws away what was typed before it.
fn typing(program: &str) -> String {
    let folder = Path::new(SCRIPT).parent().unwrap_or(Path::new("/")).display();
    format!(
        "{{ until [ -e {folder}/env ] || [ -e {folder}/go ]; do echo 'exec sh {SCRIPT}'; sleep 0.1; done; \
         until [ -e {folder}/done ]; do sleep 0.1; done; }} | {program}"
    )
}

/// `login` at a terminal of its own.
fn logging_in(options: &str, name: &str) -> String {
    format!("script -q -c {} /dev/null", quoted(&format!("login {options} {}", quoted(name))))
}

/// Why what PAM and the shell give to a login is not all that sshd gives, by what `sshd -T` prints; `None`: it is.
fn needs_client(settings: &str) -> Option<Text> {
    let lines = || settings.lines().filter_map(|line| line.split_once(' '));
    let differs = |(name, wanted): &(&str, &str)| lines().any(|(own, value)| own == *name && value != *wanted);
    let set = BY_PAM_ALONE.into_iter().find(differs).map(|(name, _)| name);
    let set = set.or_else(|| lines().map(|(name, _)| name).find(|name| *name == "setenv"))?;
    Some(text!("no ssh client is installed, and without one what sshd does by {} cannot be asked", set))
}

/// cron's daemon in the foreground: Debian's, or cronie.
fn cron(host: &dyn HostRead) -> Option<[&'static str; 2]> {
    [["cron", "-f"], ["crond", "-n"]].into_iter().find(|[daemon, _]| is_installed(host, daemon))
}

/// Is there such a program among those that root's commands find?
pub(crate) fn is_installed(host: &dyn HostRead, program: &str) -> bool {
    PATH.split(':').any(|folder| matches!(host.lstat(&Path::new(folder).join(program)), Ok(Some(_))))
}
