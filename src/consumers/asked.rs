//! What the host's own programs say over files that are perhaps not there yet: they run in namespaces of their own, write
//! nothing and reach nobody. An answer outranks the model, which gives the lines that decide; where both differ, both are kept.

use std::path::Path;
use std::time::Duration;

use super::answers::{Answers, outrank};
use super::callers::{Caller, Door, is_installed};
use super::docker::UNITS;
use super::reader::FileProbe;
use super::units::{self, ask::VERIFY, ask::VERIFY_ENVIRONMENT};
use super::{Consumer, Who, files, packages};
use crate::docker::compose::{self, PROGRAMS};
use crate::environment::{self, LoginUser};
use crate::host::HostRead;
use crate::platform::Platform;
use crate::sandbox::{File, Keeps, Question, Sandbox, World};

/// How long all programs may take together. Without scripts that wait for something it is about a second.
const DEADLINE: Duration = Duration::from_secs(20);

/// How long one program may take, in milliseconds: profile scripts may ask the network.
const EACH_MS: u64 = 6_000;

/// A service that nothing else is for.
const PLAIN: &str = "[Service]\nExecStart=/bin/true\n";

/// The doors that are asked.
const ASKED: [Door; 7] = [Door::SuLogin, Door::Su, Door::Console, Door::Ssh, Door::Sudo, Door::SudoLogin, Door::Cron];

/// Asks on behalf of these consumers, with the planned files in their places. Where nobody can be asked there are no answers.
pub(super) fn ask(
    host: &dyn HostRead,
    platform: Option<&Platform>,
    (home, planned): (&Path, &[File]),
    who: &[Who],
    left: Duration,
) -> Answers {
    let mut answers = Answers::default();
    if host.euid() != 0 {
        return answers;
    }
    let doors: Vec<Door> =
        ASKED.into_iter().filter(|door| who.contains(&door.consumer()) && door.is_there(host)).collect();
    let units = [Who::Systemd, Who::Docker].iter().any(|unit| who.contains(unit));
    let units = units && is_installed(host, VERIFY[0]);
    let manager = platform.filter(|_| who.contains(&Who::PackageManager));
    let dump = manager.and_then(|platform| packages::dump(host, platform));
    let compose = PROGRAMS.iter().any(|program| is_installed(host, program[0])) && who.contains(&Who::ProdEnv);
    if doors.is_empty() && !units && dump.is_none() && !compose {
        return answers;
    }
    // No door reads what lies elsewhere, and over / there can be no layer.
    let has_folder = |file: &&File| {
        let folder = file.path.ancestors().skip(1).find(|folder| folder.is_dir());
        folder.is_some_and(|folder| folder != Path::new("/"))
    };
    let mut inside: Vec<File> = planned.iter().filter(has_folder).cloned().collect();
    if units {
        let path = Path::new("/etc/systemd/system").join(units::EVERY);
        inside.push(File { path, content: Some(PLAIN.as_bytes().to_vec()), mode: 0o644, owner: None });
    }
    // A part is left over for the models.
    let Ok(mut sandbox) = Sandbox::open(inside, World::default(), DEADLINE.min(left * 3 / 4)) else { return answers };
    let login = LoginUser::here();
    answers.user = Some(login.name.clone());
    let mut caller = Caller::new(host, login, EACH_MS);
    for door in doors {
        if door == Door::Su && (caller.hangs || caller.login.name == "root") {
            continue;
        }
        let asked = caller.question(door, &mut sandbox).and_then(|(user, question)| {
            let answer = sandbox.ask(Question { keeps: Keeps::Variables, ..question })?;
            Ok((user, answer))
        });
        let Ok((user, answer)) = asked else { continue };
        if door == Door::SuLogin && !answer.opened {
            caller.hangs = answer.code.is_none();
            answers.hangs = Some(caller.unfinished(&answer));
        }
        if answer.opened {
            answers.doors.push((door, user, environment::parse(&answer.kept.0)));
        }
    }
    let mut output = |argv: &[&str], environment: &[(&str, &str)]| {
        let mut question = Question { keeps: Keeps::Output, ..caller.plain(argv) };
        question.environment.extend(environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        sandbox.ask(question).ok().filter(|answer| answer.done)
    };
    if units {
        let names = [&VERIFY[..], &[units::EVERY], &UNITS].concat();
        // Of a unit that is not there it complains, and prints the others.
        answers.units = output(&names, &VERIFY_ENVIRONMENT).map(|answer| answer.kept.0).unwrap_or_default();
    }
    if let Some(dump) = dump {
        let answer = output(&dump, &[]).filter(|answer| answer.code == Some(0));
        answers.packages = answer.map(|answer| answer.kept.0);
    }
    if compose {
        let run = |argv: &[&str]| {
            let answer = output(argv, &[("HOME", "/root")]).filter(|answer| answer.code == Some(0));
            answer.map(|answer| answer.kept.0)
        };
        answers.compose = Some(compose::ask(host, home, run));
    }
    answers
}

impl FileProbe<'_> {
    /// What there is behind a door; `None`: nobody has been there.
    pub(super) fn behind(&mut self, door: Door, name: impl Fn(&str) -> Option<String>) -> Option<Consumer> {
        let (user, seen) = self.answers.door(door)?;
        let source = door.typed(&user, self.host);
        let mut consumer = Consumer::new(door.consumer(), name(&user), source);
        self.given(&mut consumer, &seen);
        consumer.held.push((user, door));
        Some(consumer)
    }

    /// cron jobs: those of crontabs that set nothing as they were asked.
    pub(super) fn jobs(&mut self, modelled: Vec<Consumer>) -> Vec<Consumer> {
        let Some(asked) = self.behind(Door::Cron, |_| None) else { return modelled };
        let is_plain = |consumer: &Consumer| consumer.name.is_none();
        let (plain, mut others): (Vec<Consumer>, Vec<Consumer>) = modelled.into_iter().partition(is_plain);
        others.insert(0, outrank(asked, plain.into_iter().next()));
        others
    }

    /// What systemd gives to all its services. What the running one was told by word of mouth stands in no file.
    pub(super) fn asked_services(&mut self) -> Option<Consumer> {
        let release = self.systemd();
        let running = match self.host.is_live() {
            true => Some(environment::services(self.host, self.limit()).ok()?),
            false => None,
        };
        let service = units::asked(self.host, units::EVERY, &self.answers.units, release, running.as_deref())?;
        let model = files::services(self);
        let asked = files::of_service(self, &service);
        let asked = Consumer { source: "systemd-analyze verify".to_owned(), ..asked };
        let mut consumer = outrank(asked, Some(model));
        if running.is_some() {
            consumer.source = "systemctl show-environment".to_owned();
            consumer.model = None;
        }
        Some(consumer)
    }
}
