//! The doors of a login: what each of them starts from by PAM and sshd, and what the user's shell makes of it.
//!
//! Sources: su(1) and su-common.c of util-linux (`su-l` for `su -`, the caller's environment without it), login(1), the modules
//! of [`pam`]. `environment.d` is read by user managers alone, never by a login. Held against `su`, `login` and `sshd` by
//! `tests/lab/doors.rs`.

mod profile;

use std::path::{Path, PathBuf};

use super::answers::outrank;
use super::callers::Door;
use super::look;
use super::pam::{self, Pam};
use super::reader::FileProbe;
use super::sight::{Place, Sight, Sights, Stop};
use super::{ALL_NAMES, Closed, Consumer, Decided, Keeps, Known, NAMES, State, Unread, Who, logins};
use crate::envfile::shell::{User, obstacles};
use crate::host::{FileKind, HostRead};
use crate::platform::Platform;
use crate::text;
use crate::text::{Text, own, quoted};

pub(super) use profile::{LOGIN, SUDO};

/// Read where an image has no stack of PAM.
const DEBIAN: &str = include_str!("../../../assets/pam/debian");
const REDHAT: &str = include_str!("../../../assets/pam/redhat");

const PAM_STACKS: &str = "/etc/pam.d";

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
            let start = doors.by_pam(&user, Door::Console.service());
            doors.open(&user, Door::Console, start);
        }
        let pam = doors.pam(&user);
        if let Some(ssh) = pam::sshd::read(&pam) {
            let place = ssh.without_pam.unwrap_or_else(|| Place::new(&Path::new(PAM_STACKS).join("sshd"), 0));
            let unread = Some(place).filter(|_| !pam.reads_environment.get() && ssh.forced.is_none());
            doors.open(&user, Door::Ssh, Start { sights: ssh.sights, unread });
            if let (Some(forced), Some(way)) = (ssh.forced, doors.ways.last_mut()) {
                (way.sights, way.unhindered) = (forced.clone(), forced);
            }
        }
    }
    let by_su: Vec<Way> = doors.ways.iter().filter(|way| way.door == Door::SuLogin).cloned().collect();
    if let Some(root) = by_su.iter().find(|way| way.user.uid == 0) {
        // Root goes on as another user, who gets what root's login has.
        for way in by_su.iter().filter(|way| way.user.uid != 0 && logins::needs_login(&way.user)) {
            let mut sights = root.sights.clone();
            sights.retain(|name, _| ALL_NAMES.contains(&name.as_str()) || name == "BASH_ENV");
            let sights = pam::over(sights, doors.by_pam(&way.user, Door::Su.service()).sights);
            // The shell is none of a login, and is given a command.
            let (path, at) = (way.user.shell.to_string_lossy().into_owned(), Place::new(Path::new("/etc/passwd"), 0));
            let mut sights = logins::command(host, &way.user, (&path, &at), &sights);
            sights.retain(|name, _| ALL_NAMES.contains(&name.as_str()));
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
        let terminal = door.is_terminal();
        let same = |way: &&Way| way.user.name == user.name && way.door.is_terminal() == terminal && way.start == start;
        let way = match self.ways.iter().find(same) {
            Some(known) => Way { door, unread, ..known.clone() },
            None => {
                let (sights, unhindered) = logins::with_unhindered(self.host, self.platform, user, terminal, &start);
                Way { user: user.clone(), door, start, unread, sights, unhindered }
            }
        };
        self.ways.push(way);
    }
}

/// Logins of root and of an ordinary user: those that were asked by what they have, all others by the files that they read. One
/// consumer where all of them get the same; and other shells whose files mention the names.
fn logins(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Vec<Consumer> {
    let user = probe.user();
    let (found, stopped) = match ways(probe.host, platform, &[&user, "root"]) {
        Ok(found) => (found, None),
        Err(stop) => {
            let shown = probe.shown(&stop.at.path);
            let why = text!("{}: {}", own(&shown), stop.why);
            let unseen = Consumer::unseen(Who::Login, shown, State::Unreadable, why);
            (Ways { ways: Vec::new(), assumed: Vec::new() }, Some(unseen))
        }
    };
    let assumed: Vec<String> = found.assumed.iter().map(|path| probe.shown(path)).collect();
    let modelled = |way: &Way| {
        let consumer = Consumer { assumed: assumed.clone(), ..of_way(probe, way) };
        Told { user: way.user.name.clone(), door: way.door, consumer }
    };
    let modelled: Vec<Told> = found.ways.iter().map(modelled).collect();
    let asked = asked(probe, platform, &user, &found.ways, &modelled);
    let hangs = probe.answers.hangs.take().map(|why| Consumer {
        name: Some(user.clone()),
        ..Consumer::unseen(Who::Login, format!("su - {user}"), State::Unreadable, why)
    });
    let mut consumers: Vec<Consumer> = hangs.into_iter().collect();
    if consumers.is_empty() && asked.is_empty() {
        consumers.extend(stopped);
    }
    let told = outranked(&user, !consumers.is_empty(), modelled, asked);
    consumers.extend(grouped(told));
    for (family, sights) in logins::others(probe.host) {
        let name = Some(format!("a user of {}", family.name()));
        consumers.push(Consumer { name, ..probe.of_sights(Who::Login, &sights, &[]) });
    }
    consumers
}

/// What a user gets at a door.
#[derive(Clone)]
struct Told {
    user: String,
    door: Door,
    consumer: Consumer,
}

/// The doors that were asked, each with what its model says.
fn asked(
    probe: &mut FileProbe<'_>,
    platform: Option<&Platform>,
    user: &str,
    ways: &[Way],
    modelled: &[Told],
) -> Vec<(Told, Option<Consumer>)> {
    let mut asked = Vec::new();
    for door in Door::ALL.into_iter().filter(|door| door.consumer() == Who::Login) {
        let Some(answer) = probe.behind(door, |user| Some(user.to_owned())) else { continue };
        let model = modelled.iter().find(|told| told.user == user && told.door == door);
        let model = model.map(|told| told.consumer.clone());
        let mut consumer = outrank(answer, model.clone());
        if let Some(way) = ways.iter().find(|way| way.user.name == user && way.door == door) {
            suppose(probe, platform, way, model.as_ref(), &mut consumer);
        }
        asked.push((Told { user: user.to_owned(), door, consumer }, model));
    }
    asked
}

/// Where files are not followed to their end, the line that has set what was answered: by a guess that the answer bears out.
fn suppose(
    probe: &mut FileProbe<'_>,
    platform: Option<&Platform>,
    way: &Way,
    model: Option<&Consumer>,
    asked: &mut Consumer,
) {
    // The shell behind a plain su is none of a login.
    let is_login = way.door != Door::Su && asked.state == State::Seen;
    let Some(model) = model.filter(|model| is_login && !model.unknown.is_empty()) else { return };
    let sights = logins::supposed(probe.host, platform, &way.user, way.door.is_terminal(), &way.start);
    let supposed = probe.of_sights(Who::Login, &sights, &[]);
    let (said, guessed) = (asked.values(), supposed.values());
    let borne_out = |name: &&String| said.get(name.as_str()).is_some_and(|own| Some(own) == guessed.get(name.as_str()));
    let is_unread = |decided: &Decided| asked.unread.iter().any(|unread| unread.at == decided.shown);
    let lines = supposed
        .decided
        .iter()
        .filter(|(name, own)| model.unknown.contains_key(*name) && borne_out(name) && !is_unread(own));
    let lines = lines.map(|(name, own)| (name.clone(), Decided { supposed: true, ..own.clone() }));
    let lines: Vec<_> = lines.collect();
    asked.decided.extend(lines);
}

/// Answers in the places of what models say. A door that nobody was at gets what another one of the user gets that has the same
/// model; of other users only what differs is told. `fails`: a login of the user does not come to its end.
fn outranked(user: &str, fails: bool, modelled: Vec<Told>, asked: Vec<(Told, Option<Consumer>)>) -> Vec<Told> {
    if asked.is_empty() && !fails {
        return modelled;
    }
    let mut told: Vec<Told> = asked.iter().map(|(told, _)| told.clone()).collect();
    for own in modelled {
        let is_user = own.user == user;
        if (is_user && fails) || asked.iter().any(|(told, _)| told.user == own.user && told.door == own.door) {
            continue;
        }
        let twin = |(_, model): &&(Told, Option<Consumer>)| {
            model.as_ref().is_some_and(|model| model.is_same(&own.consumer) && model.closed == own.consumer.closed)
        };
        // A shell at a terminal tells the most.
        let order = |(told, _): &&(Told, Option<Consumer>)| match told.door {
            Door::Console => 0,
            Door::SuLogin => 1,
            _ => 2,
        };
        match asked.iter().filter(twin).min_by_key(order) {
            Some((twin, _)) if is_user => told.push(Told { consumer: twin.consumer.clone(), ..own }),
            Some(_) => {}
            None => told.push(own),
        }
    }
    told
}

/// What a command gets that root, logged in, starts for another user under `sudo`, and under `sudo -i`. Where it was asked, it is
/// root's command, called by who was asked. One consumer where both get the same.
fn sudo(probe: &mut FileProbe<'_>, platform: Option<&Platform>) -> Vec<Consumer> {
    let (caller, user) = match probe.answers.sudo_by() {
        Some(caller) => (caller, "root".to_owned()),
        None => ("root".to_owned(), probe.user()),
    };
    let modelled = modelled_sudo(probe, platform, &caller, &user);
    let of_door =
        |door: Door| modelled.as_ref().ok()?.iter().find(|(own, _)| *own == door).map(|(_, model)| model.clone());
    let mut consumers: Vec<Consumer> = Vec::new();
    for door in Door::SUDO {
        let asked = probe.behind(door, |_| None);
        let model = of_door(door);
        // Where nobody was, the command gets what the other one gets that has the same model.
        let same = |first: Consumer| model.as_ref().is_some_and(|model| first.is_same(model));
        let is_twin = asked.is_none() && of_door(Door::SUDO[0]).is_some_and(same);
        let told = match (asked, model) {
            (Some(asked), model) => outrank(asked, model),
            (None, Some(model)) => model,
            (None, None) => continue,
        };
        match consumers.first_mut().filter(|first| is_twin || is_alike(first, &told)) {
            Some(first) => first.held.extend(told.held),
            None => {
                let doors = (door != Door::SUDO[0]).then(|| door.words().to_owned());
                consumers.push(Consumer { doors, ..told });
            }
        }
    }
    match modelled {
        Err(unseen) if consumers.is_empty() => vec![*unseen],
        _ => consumers,
    }
}

/// What each door of sudo gives by its files, or why that is not known.
fn modelled_sudo(
    probe: &mut FileProbe<'_>,
    platform: Option<&Platform>,
    caller: &str,
    user: &str,
) -> Result<Vec<(Door, Consumer)>, Box<Consumer>> {
    let sudoers = Path::new("/etc/sudoers");
    let shown = probe.shown(sudoers);
    let unseen = |state, why: Text| Box::new(Consumer::unseen(Who::Sudo, shown.as_str(), state, why));
    probe.read(sudoers).map_err(|(state, why)| unseen(state, why))?;
    let found = under_sudo(probe.host, platform, caller, user)
        .map_err(|stop| unseen(State::Unreadable, text!("{}: {}", probe.shown(&stop.at.path), stop.why)))?
        .ok_or_else(|| unseen(State::Skipped, "sudo is not installed".into()))?;
    let keeping = |probe: &FileProbe<'_>, keeps| {
        let (already, path, last, taken) = match keeps {
            pam::sudo::Keeps::Already => (true, sudoers.to_path_buf(), false, None),
            pam::sudo::Keeps::ByFile(path, taken) => (false, path, false, taken),
            pam::sudo::Keeps::ByLastLine(taken) => (false, sudoers.to_path_buf(), true, taken),
        };
        let taken = taken.map(|at| at.shown(probe.host));
        Keeps { already, file: probe.shown(&path), last, taken }
    };
    let consumer = |(door, sights): &(Door, Sights)| {
        let keeps = pam::sudo::keeps(probe.host, *door).map(|keeps| keeping(probe, keeps));
        let held = vec![(caller.to_owned(), *door)];
        (*door, Consumer { held, keeps, ..probe.of_sights(Who::Sudo, sights, &["/etc/sudoers", "/etc/pam.d/sudo"]) })
    };
    Ok(found.iter().map(consumer).collect())
}

/// What `su - CALLER -c "sudo -u USER COMMAND"` gives, and the same with `sudo -i`. `None`: there is no sudo.
///
/// # Errors
/// What could not be looked at.
pub(super) fn under_sudo(
    host: &dyn HostRead,
    platform: Option<&Platform>,
    caller: &str,
    user: &str,
) -> Result<Option<[(Door, Sights); 2]>, Stop> {
    let doors = Doors { host, platform, ways: Vec::new() };
    let (caller, user) = (doors.user(caller)?, doors.user(user)?);
    let given = logins::login(host, platform, &caller, false, &doors.by_su_login(&caller)?.sights);
    let [plain, login] = Door::SUDO;
    let by_sudo = |door| pam::sudo::read(host, &given, platform, door);
    let found = by_sudo(plain).zip(by_sudo(login));
    Ok(found.map(|(own, start)| [(plain, own), (login, logins::login(host, platform, &user, false, &start))]))
}

/// Are both told of as one?
fn is_alike(one: &Consumer, other: &Consumer) -> bool {
    one.is_same(other)
        && one.closed == other.closed
        && one.known == other.known
        && one.model.is_some() == other.model.is_some()
}

/// Users, each with some of the doors.
type Users = Vec<(String, Vec<Door>)>;

/// What the doors have in common, by user and door.
fn grouped(told: Vec<Told>) -> Vec<Consumer> {
    let mut all: Users = Vec::new();
    // Each with its users, each of those with the doors at which it gets the same.
    let mut groups: Vec<(Consumer, Users)> = Vec::new();
    for Told { user, door, consumer } in told {
        add(&mut all, &user, door);
        match groups.iter_mut().find(|(known, _)| is_alike(known, &consumer)) {
            None => groups.push((consumer, vec![(user, vec![door])])),
            Some((known, users)) => {
                let unread: Vec<Unread> =
                    consumer.unread.into_iter().filter(|place| !known.unread.contains(place)).collect();
                known.unread.extend(unread);
                add(users, &user, door);
            }
        }
    }
    let doors_of = |user: &str| -> Vec<Door> {
        all.iter().find(|(name, _)| name == user).map(|(_, doors)| doors.clone()).unwrap_or_default()
    };
    let several = groups.len() > 1;
    let mut consumers = Vec::new();
    for (consumer, users) in groups {
        let mut by_doors: Vec<(Option<String>, Users)> = Vec::new();
        // Whom nobody comes to be by `su` alone is told of together with those to whom it makes no difference.
        let others = users.iter().find(|(user, _)| doors_of(user).contains(&Door::Su)).cloned();
        for (user, own) in users {
            let (mut doors, mut all) = (own.clone(), doors_of(&user));
            if let Some((_, others)) = others.as_ref().filter(|_| !all.contains(&Door::Su)) {
                all.push(Door::Su);
                doors.extend(others.iter().filter(|door| **door == Door::Su));
            }
            let doors = named(&doors, &all);
            match by_doors.iter_mut().find(|(known, _)| *known == doors) {
                Some((_, users)) => users.push((user, own)),
                None => by_doors.push((doors, vec![(user, own)])),
            }
        }
        for (doors, users) in by_doors {
            let names: Vec<&str> = users.iter().map(|(user, _)| user.as_str()).collect();
            let every = all.iter().all(|(user, _)| names.contains(&user.as_str()));
            let is_named = consumer.known == Known::Asked || (several && !(every && doors.is_some()));
            let held = users.iter().flat_map(|(user, own)| own.iter().map(|door| (user.clone(), *door))).collect();
            let users = names.into_iter().filter(|_| is_named).map(str::to_owned).collect::<Vec<_>>();
            let name = is_named.then(|| users.join(" and "));
            consumers.push(Consumer { name, users, doors, held, ..consumer.clone() });
        }
    }
    consumers
}

fn add(users: &mut Users, user: &str, door: Door) {
    match users.iter_mut().find(|(name, _)| name == user) {
        Some((_, doors)) => doors.push(door),
        None => users.push((user.to_owned(), vec![door])),
    }
}

/// Some of the doors of a user, in words; `None`: all of them.
fn named(doors: &[Door], all: &[Door]) -> Option<String> {
    let terminal = |door: &Door| door.is_terminal();
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
    let parts: Vec<&str> = with_all.into_iter().chain(rest.map(|door| door.words())).collect();
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
