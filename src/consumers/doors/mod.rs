//! The doors of a login: what each of them starts from by PAM and sshd, and what the user's shell makes of it.
//!
//! Sources: su(1) and su-common.c of util-linux (`su-l` for `su -`, the caller's environment without it), login(1), the modules
//! of [`pam`]. `environment.d` is read by user managers alone, never by a login. Held against `su`, `login` and `sshd` by
//! `tests/lab/doors.rs`.

use std::path::{Path, PathBuf};

use super::look::{self, Stop};
use super::pam::{self, Pam};
use super::reader::FileProbe;
use super::sight::{Place, Sight, Sights};
use super::{ALL_NAMES, Closed, Consumer, NAMES, State, Unread, Who, logins};
use crate::envfile::shell::{User, obstacles};
use crate::environment::LoginUser;
use crate::host::{FileKind, HostRead};
use crate::platform::Platform;
use crate::text;
use crate::text::words::words;
use crate::text::{Text, own, quoted};

/// Read where an image has no stack of PAM.
const DEBIAN: &str = include_str!("../../../assets/pam/debian");
const REDHAT: &str = include_str!("../../../assets/pam/redhat");

const PAM_STACKS: &str = "/etc/pam.d";

words! {
    /// The ways into a host, and whether a person sits there.
    pub(super) enum Door {
        /// `su - USER -c COMMAND`.
        SuLogin = "by su - with a command",
        /// `su - USER`.
        SuTerminal = "by su - at a terminal",
        /// `su USER -c COMMAND`, which hands on what the caller has.
        Su = "by su without -",
        /// `login(1)`.
        Console = "at the console",
        /// sshd, with a shell that reads its commands at a terminal.
        Ssh = "over ssh",
    }
}

/// What a user gets at a door.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) user: User,
    pub(super) door: Door,
    /// Before the shell has read its files.
    start: Sights,
    /// What leaves `/etc/environment` unread there.
    unread: Option<Place>,
    /// After it.
    pub(super) sights: Sights,
    /// The same if no file were closed to the user.
    unhindered: Sights,
}

/// All ways into a host, by its files.
pub(super) struct Ways {
    pub(super) ways: Vec<Way>,
    /// Files that are not there, in whose places those of the distribution were read.
    assumed: Vec<PathBuf>,
}

/// What logins of these users get, at each door that is there.
///
/// # Errors
/// What could not be looked at.
pub(super) fn ways(host: &dyn HostRead, platform: Option<&Platform>, users: &[&str]) -> Result<Ways, Stop> {
    let mut doors = Doors { host, platform, ways: Vec::new() };
    let is_bare = !pam::has_stack(host, pam::OTHER)?;
    for name in users {
        let user = doors.user(name)?;
        let by_su = doors.by_su_login(&user)?;
        doors.open(&user, Door::SuLogin, by_su.clone());
        doors.open(&user, Door::SuTerminal, by_su);
        if is_bare || pam::has_stack(host, "login")? || has_program(host, "login") {
            let start = doors.by_pam(&user, "login");
            doors.open(&user, Door::Console, start);
        }
        let pam = doors.pam(&user);
        if let Some(sights) = pam::sshd::read(&pam) {
            let unset = sights.values().find(|sight| matches!(sight, Sight::Unset { .. }));
            let place = unset.map_or(Place::new(&Path::new(PAM_STACKS).join("sshd"), 0), |sight| sight.at().clone());
            let unread = Some(place).filter(|_| !pam.reads_environment.get());
            doors.open(&user, Door::Ssh, Start { sights, unread });
        }
    }
    let by_su: Vec<Way> = doors.ways.iter().filter(|way| way.door == Door::SuLogin).cloned().collect();
    if let Some(root) = by_su.iter().find(|way| way.user.uid == 0) {
        // Root goes on as another user, who gets what root's login has.
        for way in by_su.iter().filter(|way| way.user.uid != 0 && logins::needs_login(&way.user)) {
            let mut sights = root.sights.clone();
            sights.retain(|name, _| ALL_NAMES.contains(&name.as_str()));
            sights.extend(doors.by_pam(&way.user, "su").sights);
            let (start, unhindered) = (sights.clone(), sights.clone());
            let user = way.user.clone();
            doors.ways.push(Way { user, door: Door::Su, start, unread: None, sights, unhindered });
        }
    }
    let mut assumed = Vec::new();
    for service in ["su", "login", "sshd"].into_iter().filter(|_| is_bare) {
        let is_door = service != "sshd" || doors.ways.iter().any(|way| way.door == Door::Ssh);
        if is_door && !pam::has_stack(host, service)? {
            assumed.push(Path::new(PAM_STACKS).join(service));
        }
    }
    let profile = Path::new("/etc/profile");
    if look::kind(host, profile)?.is_none() {
        assumed.push(profile.to_path_buf());
    }
    Ok(Ways { ways: doors.ways, assumed })
}

/// Is it there? Where it cannot be looked at, it is taken to be.
fn has_program(host: &dyn HostRead, name: &str) -> bool {
    ["/usr/bin", "/bin"].iter().any(|folder| !matches!(look::kind(host, &Path::new(folder).join(name)), Ok(None)))
}

/// What a shell begins with.
#[derive(Clone, Debug)]
struct Start {
    sights: Sights,
    unread: Option<Place>,
}

struct Doors<'a> {
    host: &'a dyn HostRead,
    platform: Option<&'a Platform>,
    ways: Vec<Way>,
}

impl Doors<'_> {
    fn user(&self, name: &str) -> Result<User, Stop> {
        let passwd = Path::new("/etc/passwd");
        logins::user(self.host, name)
            .map_err(|error| Stop::file(passwd, text!("it or /etc/group could not be read: {}", error)))
    }

    fn pam<'u>(&'u self, user: &'u User) -> Pam<'u> {
        let is_redhat = self.platform.is_some_and(Platform::system_proxy_is_shell);
        let stock = Some(if is_redhat { REDHAT } else { DEBIAN });
        Pam { user: Some(user), stock, ..Pam::new(self.host, self.platform) }
    }

    fn by_pam(&self, user: &User, service: &str) -> Start {
        let pam = self.pam(user);
        let sights = pam::environment(&pam, service);
        let stack = || Place::new(&Path::new(PAM_STACKS).join(service), 0);
        Start { sights, unread: (!pam.reads_environment.get()).then(stack) }
    }

    /// util-linux asks for `su-l`, shadow's su of older systems for `su`.
    fn by_su_login(&self, user: &User) -> Result<Start, Stop> {
        if pam::has_stack(self.host, "su-l")? {
            return Ok(self.by_pam(user, "su-l"));
        }
        let of_su = self.by_pam(user, "su");
        if !pam::has_stack(self.host, pam::OTHER)? {
            return Ok(of_su);
        }
        let of_other = self.by_pam(user, pam::OTHER).sights;
        let why = "there is no stack su-l, and what stands for it depends on the su";
        Ok(Start { sights: logins::differing(of_su.sights, of_other, why), ..of_su })
    }

    /// A way whose shell is a login shell. Those that begin with the same are followed once.
    fn open(&mut self, user: &User, door: Door, Start { sights: start, unread }: Start) {
        let terminal = door != Door::SuLogin;
        let same =
            |way: &&Way| way.user.name == user.name && (way.door != Door::SuLogin) == terminal && way.start == start;
        let way = match self.ways.iter().find(same) {
            Some(known) => Way { door, unread, ..known.clone() },
            None => {
                let login = |user: &User| logins::login(self.host, self.platform, user, terminal, &start);
                let sights = login(user);
                let unhindered = if user.uid == 0 { sights.clone() } else { login(&User { uid: 0, ..user.clone() }) };
                Way { user: user.clone(), door, start, unread, sights, unhindered }
            }
        };
        self.ways.push(way);
    }
}

/// Logins of root and of an ordinary user, by the files that they read. One consumer where all of them get the same; and other
/// shells whose files mention the names.
pub(super) fn logins(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Vec<Consumer> {
    let user = LoginUser::of(probe.host).name;
    let found = match ways(probe.host, platform, &[&user, "root"]) {
        Ok(found) => found,
        Err(stop) => {
            let shown = probe.shown(&stop.at.path);
            let why = text!("{}: {}", own(&shown), stop.why);
            return vec![Consumer::unseen(Who::Login, shown, State::Unreadable, why)];
        }
    };
    let all: Vec<&Way> = found.ways.iter().collect();
    let mut consumers = consumers(probe, &found, &all);
    for (family, sights) in logins::others(probe.host) {
        let name = Some(format!("a user of {}", family.name()));
        consumers.push(Consumer { name, ..probe.of_sights(Who::Login, &sights, &[]) });
    }
    consumers
}

/// A login by `su -` that was asked, with what the files add: who decides each value, and what the same user gets at doors that
/// start from something else, which cannot be asked.
pub(super) fn beside(
    probe: &mut FileProbe<'_>,
    platform: Option<&Platform>,
    user: &str,
    mut asked: Consumer,
) -> Vec<Consumer> {
    let Ok(found) = ways(probe.host, platform, &[user, "root"]) else { return vec![asked] };
    let Some(by_su) = found.ways.iter().find(|way| way.user.name == user && way.door == Door::SuLogin) else {
        return vec![asked];
    };
    let modelled = of_way(probe, by_su);
    let is_right = modelled.is_same(&asked);
    if is_right {
        asked.decided = modelled.decided;
    }
    asked.closed = modelled.closed;
    let differs = |way: &&Way| match way.door {
        Door::SuLogin | Door::SuTerminal => false,
        Door::Console | Door::Ssh => way.start != by_su.start,
        Door::Su => is_right,
    };
    let others: Vec<&Way> = found.ways.iter().filter(|way| way.user.name == user).filter(differs).collect();
    let mut consumers: Vec<Consumer> = consumers(probe, &found, &others)
        .into_iter()
        .filter(|consumer| !consumer.is_same(&asked))
        .map(|consumer| Consumer { name: Some(user.to_owned()), ..consumer })
        .collect();
    if !consumers.is_empty() {
        asked.doors = Some("by su -".to_owned());
    }
    consumers.insert(0, asked);
    consumers
}

/// What a command gets that root, logged in, starts for another user under `sudo`, and under `sudo -i`.
pub(super) fn sudo(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Vec<Consumer> {
    let sudoers = Path::new("/etc/sudoers");
    let unseen = |state, why: Text| vec![Consumer::unseen(Who::Sudo, probe.shown(sudoers), state, why)];
    if let Err((state, why)) = probe.read(sudoers) {
        return unseen(state, why);
    }
    let (plain, login) = match under_sudo(probe.host, platform, &LoginUser::of(probe.host).name) {
        Ok(Some(found)) => found,
        Ok(None) => return unseen(State::Skipped, "sudo is not installed".into()),
        Err(stop) => return unseen(State::Unreadable, text!("{}: {}", probe.shown(&stop.at.path), stop.why)),
    };
    let usual = ["/etc/sudoers", "/etc/pam.d/sudo"];
    let (plain, login) = (probe.of_sights(Who::Sudo, &plain, &usual), probe.of_sights(Who::Sudo, &login, &usual));
    if plain.is_same(&login) {
        return vec![plain];
    }
    vec![plain, Consumer { doors: Some("sudo -i".to_owned()), ..login }]
}

/// What `su - root -c "sudo -u USER COMMAND"` gives, and the same with `sudo -i`. `None`: there is no sudo.
///
/// # Errors
/// What could not be looked at.
pub(super) fn under_sudo(
    host: &dyn HostRead,
    platform: Option<&Platform>,
    user: &str,
) -> Result<Option<(Sights, Sights)>, Stop> {
    let doors = Doors { host, platform, ways: Vec::new() };
    let (root, user) = (doors.user("root")?, doors.user(user)?);
    let caller = logins::login(host, platform, &root, false, &doors.by_su_login(&root)?.sights);
    let by_sudo = |login| pam::sudo::read(host, &caller, platform, login);
    let found = by_sudo(false).zip(by_sudo(true));
    Ok(found.map(|(plain, start)| (plain, logins::login(host, platform, &user, false, &start))))
}

/// Users, each with some of the doors.
type Users<'a> = Vec<(&'a str, Vec<Door>)>;

/// What the doors have in common, by user and door.
fn consumers(probe: &mut FileProbe<'_>, found: &Ways, ways: &[&Way]) -> Vec<Consumer> {
    let assumed: Vec<String> = found.assumed.iter().map(|path| probe.shown(path)).collect();
    // Each with its users, each of those with the doors at which it gets the same.
    let mut groups: Vec<(Consumer, Users<'_>)> = Vec::new();
    for way in ways {
        let consumer = Consumer { assumed: assumed.clone(), ..of_way(probe, way) };
        let user = way.user.name.as_str();
        match groups.iter_mut().find(|(known, _)| known.is_same(&consumer) && known.closed == consumer.closed) {
            None => groups.push((consumer, vec![(user, vec![way.door])])),
            Some((known, users)) => {
                known.unread.extend(
                    consumer.unread.iter().filter(|place| !known.unread.contains(place)).cloned().collect::<Vec<_>>(),
                );
                match users.iter_mut().find(|(name, _)| *name == user) {
                    Some((_, doors)) => doors.push(way.door),
                    None => users.push((user, vec![way.door])),
                }
            }
        }
    }
    let all = |user: &str| -> Vec<Door> {
        found.ways.iter().filter(|way| way.user.name == user).map(|way| way.door).collect()
    };
    let several = groups.len() > 1;
    let mut consumers = Vec::new();
    for (consumer, users) in groups {
        let mut by_doors: Vec<(Option<String>, Vec<&str>)> = Vec::new();
        // Whom nobody comes to be by `su` alone is told of together with those to whom it makes no difference.
        let others = users.iter().find(|(user, _)| all(user).contains(&Door::Su)).cloned();
        for (user, mut doors) in users {
            let mut all = all(user);
            if let Some((_, others)) = others.as_ref().filter(|_| !all.contains(&Door::Su)) {
                all.push(Door::Su);
                doors.extend(others.iter().filter(|door| **door == Door::Su));
            }
            let doors = named(&doors, &all);
            match by_doors.iter_mut().find(|(known, _)| *known == doors) {
                Some((_, users)) => users.push(user),
                None => by_doors.push((doors, vec![user])),
            }
        }
        for (doors, users) in by_doors {
            let every = ways.iter().all(|way| users.contains(&way.user.name.as_str()));
            let name = (several && !(every && doors.is_some())).then(|| users.join(" and "));
            consumers.push(Consumer { name, doors, ..consumer.clone() });
        }
    }
    consumers
}

/// Some of the doors of a user, in words; `None`: all of them.
fn named(doors: &[Door], all: &[Door]) -> Option<String> {
    let terminal = |door: &Door| !matches!(door, Door::SuLogin | Door::Su);
    let terminals = all.iter().filter(|door| terminal(door)).count();
    if doors.len() == all.len() {
        return None;
    }
    if doors.len() == terminals && doors.iter().all(terminal) {
        return Some("at a terminal".to_owned());
    }
    if doors.len() + terminals == all.len() && !doors.iter().any(terminal) {
        return Some("without a terminal".to_owned());
    }
    let has = |door: &Door| doors.contains(door);
    let by_su = |door: &Door| matches!(door, Door::SuLogin | Door::SuTerminal | Door::Su);
    let with_all = if all.iter().filter(|door| by_su(door)).all(has) {
        Some("by su")
    } else {
        (has(&Door::SuLogin) && has(&Door::SuTerminal)).then_some("by su -")
    };
    let rest = doors.iter().filter(|door| with_all.is_none() || !by_su(door));
    let parts: Vec<&str> = with_all.into_iter().chain(rest.map(|door| door.as_str())).collect();
    Some(match parts.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => parts.concat(),
    })
}

fn of_way(probe: &mut FileProbe<'_>, way: &Way) -> Consumer {
    let closed = closed(probe, way);
    let environment = "/etc/environment";
    let unread = way.unread.iter().filter(|_| probe.writes(Path::new(environment)));
    let asks_pam = |place: &Place| place.path.starts_with(PAM_STACKS);
    let unread: Vec<Unread> =
        unread.map(|place| Unread { at: probe.decided(place).shown, asks_pam: asks_pam(place) }).collect();
    let mut consumer = probe.of_sights(Who::Login, &way.sights, &[environment, "/etc/profile.d"]);
    consumer.decided.retain(|_, decided| !unread.iter().any(|unread| unread.at == decided.shown));
    Consumer { closed, unread, ..consumer }
}

/// Files that would decide something for this user, were they not closed to it.
fn closed(probe: &mut FileProbe<'_>, way: &Way) -> Vec<Closed> {
    let mut found: Vec<Closed> = Vec::new();
    for (name, sight) in way.unhindered.iter().filter(|(name, _)| NAMES.contains(&name.as_str())) {
        if way.sights.get(name).map(Sight::value) == Some(sight.value()) {
            continue;
        }
        let obstacles = obstacles(probe.host, &way.user, &sight.at().path, true);
        if obstacles.is_empty() {
            continue;
        }
        let is_url = !name.eq_ignore_ascii_case("no_proxy");
        let value = sight.value().filter(|_| is_url).and_then(|value| probe.value(value));
        let password = value.is_some_and(|value| value.password.is_some());
        let file = probe.shown(&sight.at().path);
        if let Some(known) = found.iter_mut().find(|known| known.file == file) {
            known.names.push(name.clone());
            known.password |= password;
            continue;
        }
        let command = |(path, kind, _): &(PathBuf, FileKind, u32)| {
            let bits = if *kind == FileKind::Dir { "a+rx" } else { "a+r" };
            format!("chmod {bits} {}", quoted(&probe.shown(path)))
        };
        let chmod: Vec<String> = obstacles.iter().map(command).collect();
        let modes = obstacles.iter().map(|(path, _, mode)| (probe.shown(path), format!("{mode:04o}"))).collect();
        let (user, chmod) = (way.user.name.clone(), chmod.join(" && "));
        found.push(Closed { user, file, modes, chmod, password, names: vec![name.clone()] });
    }
    found
}

#[cfg(test)]
mod tests;
