//! The product's user `divvy`, as whom the vendor's documents verify the proxy, and who may talk to Docker.

use std::time::Duration;

use super::made::Made;
use crate::host::{Command, HostRead, HostWrite};
use crate::plan::StageState;
use crate::problem::{Problem, id};
use crate::text;
use crate::text::{Foreign, Text, as_root, own};

/// The user. Source: the vendor's "Product Architecture" page (read 2026-11-21), which logs in as it.
const USER: &str = "divvy";

/// Whoever is in it is as mighty as root.
const GROUP: &str = "docker";

/// Longer than any honest user database takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// `--docker-group`: this user joins it.
    pub(super) member: Option<String>,
}

impl Wish {
    /// Is it so already?
    ///
    /// # Errors
    /// The user database does not answer, or the user who is to join is unknown.
    pub(super) fn is_done(&self, host: &dyn HostRead) -> Result<bool, Problem> {
        if let Some(member) = &self.member
            && entry(host, "passwd", member)?.is_none()
        {
            let message = text!("--docker-group names {}, who is no user of this host", Foreign::new(member));
            return Err(Problem::settings(id::SETTING_INVALID, message).hint("name a user that there is, or none"));
        }
        Ok(entry(host, "passwd", USER)?.is_some() && self.has_joined(host)?)
    }

    fn has_joined(&self, host: &dyn HostRead) -> Result<bool, Problem> {
        let Some(member) = &self.member else { return Ok(true) };
        // A user's own group counts too: `id` knows both.
        let output = run(host, &["id", "-nG", member])?;
        Ok(String::from_utf8_lossy(&output).split_whitespace().any(|group| group == GROUP))
    }

    /// Makes it so.
    ///
    /// # Errors
    /// The user database refuses.
    /// `made`: what of it this run has made, however it ends.
    pub(super) fn ensure(&self, host: &dyn HostWrite, made: &mut Made) -> Result<(StageState, Text), Problem> {
        let mut done: Vec<Text> = Vec::new();
        if entry(host, "passwd", USER)?.is_none() {
            made.users.push(USER.to_owned());
            Made::note(host, |all| push(&mut all.users, USER.to_owned()))?;
            let own_group =
                if entry(host, "group", USER)?.is_some() { ["--gid", USER] } else { ["--user-group", "--system"] };
            let words = ["useradd", "--system", "--create-home", "--shell", "/bin/bash"];
            run(host, &[&words[..], &own_group, &[USER]].concat())?;
            done.push(text!("user {} was created", own(USER)));
        }
        if let Some(member) = self.member.as_ref().filter(|_| !matches!(self.has_joined(host), Ok(true))) {
            made.members.push((GROUP.to_owned(), member.clone()));
            Made::note(host, |all| push(&mut all.members, (GROUP.to_owned(), member.clone())))?;
            run(host, &["usermod", "--append", "--groups", GROUP, member])?;
            done.push(text!("{} joined the group {}", Foreign::new(member), own(GROUP)));
        }
        Ok(match done.is_empty() {
            true => (StageState::Done, text!("user {} is there", own(USER))),
            false => (StageState::Changed, Text::join(done, ", ")),
        })
    }
}

/// Takes these accounts away, and nothing else; home folders stay.
///
/// # Errors
/// The user database refuses.
pub(super) fn take_away(host: &dyn HostWrite, made: &Made) -> Result<Vec<Text>, Problem> {
    let mut gone = Vec::new();
    for (group, user) in &made.members {
        if entry(host, "passwd", user)?.is_some() && entry(host, "group", group)?.is_some() {
            // Not a member any more: nothing to do.
            if run(host, &["gpasswd", "--delete", user, group]).is_ok() {
                gone.push(text!("{} left the group {}", Foreign::new(user), own(group)));
            }
        }
    }
    for user in &made.users {
        if entry(host, "passwd", user)?.is_some() {
            run(host, &["userdel", user])?;
            gone.push(text!("user {} was removed", own(user)));
        }
    }
    Made::note(host, |all| {
        all.users.retain(|user| !made.users.contains(user));
        all.members.retain(|member| !made.members.contains(member));
    })?;
    Ok(gone)
}

fn push<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// The line of a user or a group, wherever this host has its users from.
fn entry(host: &dyn HostRead, database: &str, name: &str) -> Result<Option<String>, Problem> {
    let argv = ["getent", database, name];
    let output = host
        .run(&Command { deadline: DEADLINE, ..Command::new(argv) })
        .map_err(|error| failed(&argv).caused_by(error))?;
    match output.code {
        Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())),
        // getent(1): "one or more supplied key could not be found in the database".
        Some(2) => Ok(None),
        _ => Err(failed(&argv).because(Foreign::new(String::from_utf8_lossy(&output.stderr).trim()))),
    }
}

fn run(host: &dyn HostRead, argv: &[&str]) -> Result<Vec<u8>, Problem> {
    let command = Command { deadline: DEADLINE, ..Command::new(argv.iter().copied()) };
    match host.run(&command) {
        Ok(output) if output.code == Some(0) => Ok(output.stdout),
        Ok(output) => Err(failed(argv).because(Foreign::new(String::from_utf8_lossy(&output.stderr).trim()))),
        Err(error) => Err(failed(argv).caused_by(error)),
    }
}

fn failed(argv: &[&str]) -> Problem {
    let line = argv.iter().map(|word| crate::text::quoted(word)).collect::<Vec<_>>().join(" ");
    Problem::host(id::ACCOUNT_FAILED, text!("{} failed", Foreign::new(&line)))
        .hint(text!("try it by hand: {}", as_root(text!("{}", Foreign::new(&line)))))
}
