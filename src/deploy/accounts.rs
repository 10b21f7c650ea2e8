//! The product's user `divvy`, as whom the vendor's documents verify the proxy, and who may talk to Docker.

use std::time::Duration;

use super::made::{Made, push};
use crate::environment::PRODUCT_USER;
use crate::host::{Command, HostRead, HostWrite};
use crate::plan::StageState;
use crate::problem::{Problem, id};
use crate::system::accounts::groups;
use crate::text;
use crate::text::{Foreign, Text, as_root, own};

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
        Ok(entry(host, "passwd", PRODUCT_USER)?.is_some() && self.has_joined(host)?)
    }

    fn has_joined(&self, host: &dyn HostRead) -> Result<bool, Problem> {
        let Some(member) = &self.member else { return Ok(true) };
        // A user's own group counts too: `id` knows both.
        let output = run(host, &["id", "-nG", member])?;
        Ok(String::from_utf8_lossy(&output).split_whitespace().any(|group| group == GROUP))
    }

    /// Makes it so. `made`: what of it this run has made, however it ends.
    ///
    /// # Errors
    /// The user database refuses.
    pub(super) fn ensure(&self, host: &dyn HostWrite, made: &mut Made) -> Result<(StageState, Text), Problem> {
        let mut done: Vec<Text> = Vec::new();
        if entry(host, "passwd", PRODUCT_USER)?.is_none() {
            let has_group = entry(host, "group", PRODUCT_USER)?.is_some();
            made.note(host, |all| {
                push(&mut all.users, PRODUCT_USER.to_owned());
                if !has_group {
                    push(&mut all.groups, PRODUCT_USER.to_owned());
                }
            })?;
            let own_group = if has_group { ["--gid", PRODUCT_USER] } else { ["--user-group", "--system"] };
            let words = ["useradd", "--system", "--create-home", "--shell", "/bin/bash"];
            let added = run(host, &[&words[..], &own_group, &[PRODUCT_USER]].concat());
            if added.is_err() && entry(host, "passwd", PRODUCT_USER)?.is_none() {
                // Whoever makes it by hand afterwards keeps it.
                made.note(host, forget_user(PRODUCT_USER))?;
            }
            added?;
            done.push(text!("user {} was created", own(PRODUCT_USER)));
        }
        if let Some(member) = &self.member
            && !self.has_joined(host)?
        {
            made.note(host, |all| push(&mut all.members, (GROUP.to_owned(), member.clone())))?;
            run(host, &["usermod", "--append", "--groups", GROUP, member])?;
            done.push(text!("{} joined the group {}", Foreign::new(member), own(GROUP)));
        }
        Ok(match done.is_empty() {
            true => (StageState::Done, text!("user {} is there", own(PRODUCT_USER))),
            false => (StageState::Changed, Text::join(done, ", ")),
        })
    }
}

/// Takes the accounts of `made` away, and nothing else; home folders stay.
///
/// # Errors
/// The user database refuses; what is still there stays noted.
pub(super) fn take_away(host: &dyn HostWrite, made: &mut Made) -> Result<Vec<Text>, Problem> {
    let mut gone = Vec::new();
    for (group, user) in made.members.clone() {
        if entry(host, "passwd", &user)?.is_some() && is_listed(host, &group, &user)? {
            run(host, &["gpasswd", "--delete", &user, &group])?;
            gone.push(text!("{} left the group {}", Foreign::new(&user), Foreign::new(&group)));
        }
        made.note(host, |all| all.members.retain(|one| *one != (group.clone(), user.clone())))?;
    }
    for user in made.users.clone() {
        if entry(host, "passwd", &user)?.is_some() {
            let group = entry(host, "group", &user)?.filter(|_| !made.groups.contains(&user));
            run(host, &["userdel", &user])?;
            gone.push(text!("user {} was removed", Foreign::new(&user)));
            // It takes a group of its name along, which was there before the user.
            if let Some(group) = group.and_then(|line| groups(line.as_bytes()).pop())
                && entry(host, "group", &user)?.is_none()
            {
                run(host, &["groupadd", "--gid", &group.gid.to_string(), &user])?;
            }
        }
        made.note(host, forget_user(&user))?;
    }
    Ok(gone)
}

fn forget_user(user: &str) -> impl Fn(&mut Made) + '_ {
    move |all| {
        all.users.retain(|own| own != user);
        all.groups.retain(|own| own != user);
    }
}

/// Does the group's own line name the user?
fn is_listed(host: &dyn HostRead, group: &str, user: &str) -> Result<bool, Problem> {
    let line = entry(host, "group", group)?.unwrap_or_default();
    Ok(groups(line.as_bytes()).iter().any(|group| group.members.iter().any(|member| member == user)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::host::{MemoryHost, Output};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn host() -> Double {
        let files = MemoryHost::new();
        files.put_dir("/var/lib/ics-setup");
        Double::with(files)
    }

    fn ended(code: i32) -> std::io::Result<Output> {
        Ok(Output { code: Some(code), stdout: b"divvy:x:990:\n".to_vec(), stderr: Vec::new() })
    }

    fn ran(host: &Double) -> Vec<String> {
        host.ran.lock().unwrap().iter().map(|command| command.argv.join(" ")).collect()
    }

    #[test]
    fn a_user_that_could_not_be_made_is_nobodys_to_take_away() {
        let host = host().answers("getent", || ended(2)).fails("useradd", "no room");
        let mut made = Made::default();
        assert!(Wish::default().ensure(&host, &mut made).is_err());
        assert_eq!((made, Made::read(&host).unwrap()), (Made::default(), Made::default()));
    }

    #[test]
    fn a_group_that_was_there_before_outlives_its_user() {
        for (had, wanted) in [(true, true), (false, false)] {
            let (user, group) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(had)));
            let is = |flag: &Arc<AtomicBool>| {
                let flag = Arc::clone(flag);
                move || ended(if flag.load(Ordering::Relaxed) { 0 } else { 2 })
            };
            let set = |flags: [Arc<AtomicBool>; 2], to: bool| {
                move || {
                    flags.iter().for_each(|flag| flag.store(to, Ordering::Relaxed));
                    ended(0)
                }
            };
            let both = || [Arc::clone(&user), Arc::clone(&group)];
            let host = host()
                .answers("getent passwd", is(&user))
                .answers("getent group", is(&group))
                .answers("useradd", set(both(), true))
                .answers("userdel", set(both(), false))
                .prints("groupadd", "");
            let mut made = Made::default();
            Wish::default().ensure(&host, &mut made).unwrap();
            assert_eq!(take_away(&host, &mut made).unwrap().len(), 1);
            assert_eq!(ran(&host).contains(&"groupadd --gid 990 divvy".to_owned()), wanted, "{:?}", ran(&host));
            assert_eq!(Made::read(&host).unwrap(), Made::default());
        }
    }

    #[test]
    fn a_member_who_cannot_leave_stays_noted_and_an_error_of_looking_is_none_of_joining() {
        let group = "docker:x:1:bob\n";
        let mut made = Made::default();
        let note = |all: &mut Made| push(&mut all.members, ("docker".to_owned(), "bob".to_owned()));
        let host = host().prints("getent group docker", group).answers("getent", || ended(0));
        let stays = host.fails("gpasswd", "locked");
        made.note(&stays, note).unwrap();
        assert!(take_away(&stays, &mut made).is_err());
        assert_eq!(Made::read(&stays).unwrap().members.len(), 1);
        let mute = Double::with(MemoryHost::new()).answers("getent", || ended(0)).fails("id", "no answer");
        let wish = Wish { member: Some("bob".into()) };
        assert!(wish.ensure(&mute, &mut Made::default()).is_err());
        assert!(!ran(&mute).iter().any(|line| line.starts_with("usermod")));
    }
}
