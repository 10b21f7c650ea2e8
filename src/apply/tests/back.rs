//! Ways back: the last run, one of several, several as one, and what is left when some are forgotten.

use std::io::ErrorKind;
use std::path::Path;

use super::{WANTED, assert_one_of, host, picture, prepare, remembered, take_back};
use crate::apply::{Session, State, Which, forgotten_after, plan_back, plan_of, revert, runs};
use crate::host::{Fault, FaultyHost, HostRead, HostWrite, MemoryHost, View};
use crate::plan::Memory;
use crate::problem::{HostState, Problem, id};
use crate::settings::{Key, LastRun, STATE_FILE, Told};
use proptest::prelude::*;

#[test]
fn runs_are_taken_back_like_an_undo_stack() {
    let host = host("ubuntu");
    let first = picture(&host);
    prepare(&host, WANTED).unwrap().unwrap();
    let second = picture(&host);
    prepare(&host, &[(Key::ProxyUrl, "http://other:1"), (Key::Target, "system-proxy")]).unwrap().unwrap();
    take_back(&host).unwrap();
    assert_eq!(picture(&host), second);
    take_back(&host).unwrap();
    assert_eq!(picture(&host), first);
    assert_eq!(take_back(&host).unwrap_err().id, "nothing-to-revert");
    assert_eq!(remembered(&host), LastRun::default());
    let states: Vec<State> = runs(&host).unwrap().iter().map(|run| run.state).collect();
    assert_eq!(states, [State::Reverted, State::Reverted, State::Committed, State::Committed]);
}

#[test]
fn a_conflict_names_the_run_in_force_and_no_way_back() {
    let host = host("ubuntu");
    let first = prepare(&host, WANTED).unwrap().unwrap();
    let second = prepare(&host, &[(Key::ProxyUrl, "http://other:1")]).unwrap().unwrap();
    prepare(&host, &[(Key::ProxyUrl, "http://third:1")]).unwrap().unwrap();
    take_back(&host).unwrap();
    let all = runs(&host).unwrap();
    let run = revert::choose(&all, Some(&first)).unwrap();
    let problem = plan_back(&View::new(&host), run, &all, false).unwrap_err();
    assert!(problem.hints[0].text().contains(&format!("ics-setup revert {second}")), "{problem:?}");
}

#[test]
fn with_a_folder_that_goes_the_runs_within_it_end_and_others_keep_what_they_changed() {
    let going = Path::new("/divvycloud");
    let host = host("ubuntu");
    let first = prepare(&host, WANTED).unwrap().unwrap();
    let later = prepare(&host, &[(Key::MysqlHost, "db"), (Key::Target, "prod-env")]).unwrap().unwrap();
    let take = || {
        let all = runs(&host).unwrap();
        let run = revert::choose(&all, Some(&first)).unwrap();
        let plan = plan_of(&View::new(&host), Which::Last, &[run], &all, false, Some(going)).unwrap();
        let ending: Vec<String> = revert::ending_with(&all, going).map(|run| run.begin.run.clone()).collect();
        (plan, ending)
    };
    // What the run within it was told goes with it.
    let (plan, ending) = take();
    assert_eq!(ending, [later]);
    assert!(matches!(plan.memory, Memory::Back(None)), "{:?}", plan.memory);
    assert!(plan.touches(Path::new("/etc/environment")) && plan.next_steps.is_empty());
    // A run beside it stays in force, and so does what it has changed and was told.
    let system = (Key::Target, "system-proxy,docker-daemon");
    let beside = prepare(&host, &[(Key::ProxyUrl, "http://p:1"), system]).unwrap().unwrap();
    let (plan, _) = take();
    assert!(!plan.touches(Path::new("/etc/environment")) && plan.touches(Path::new("/divvycloud/prod.env")));
    assert!(matches!(plan.memory, Memory::Stays), "{:?}", plan.memory);
    let steps = format!("{:?}", plan.next_steps);
    assert!(steps.contains("/etc/environment") && steps.contains(&beside), "{steps}");
    // And so it does where another run within the folder was told more since.
    prepare(&host, &[(Key::MysqlUser, "other"), (Key::Target, "prod-env")]).unwrap().unwrap();
    match take().0.memory {
        Memory::Back(Some(bytes)) => {
            assert_eq!(LastRun::parse(&bytes, Path::new(STATE_FILE)).unwrap().run.as_ref(), Some(&beside));
        }
        other => panic!("{other:?}"),
    }
    // An edit by hand is a conflict, whose way out is of the same command.
    let edited = host.read(Path::new("/etc/environment")).unwrap().unwrap();
    host.put("/etc/environment", &[&edited[..], b"X=1\n"].concat());
    let all = runs(&host).unwrap();
    let run = revert::choose(&all, Some(&beside)).unwrap();
    let problem = plan_of(&View::new(&host), Which::Last, &[run], &all, false, Some(going)).unwrap_err();
    assert!(problem.hints.iter().any(|hint| hint.text().contains("revert --purge=/divvycloud --force")), "{problem:?}");
}

#[test]
fn runs_taken_back_out_of_order_are_forgotten_all_the_same() {
    let host = host("ubuntu");
    let other: &[(Key, &str)] = &[(Key::ProxyUrl, "http://p:1"), (Key::Target, "system-proxy")];
    let first = prepare(&host, other).unwrap().unwrap();
    let second = prepare(&host, &[(Key::MysqlHost, "db"), (Key::Target, "prod-env")]).unwrap().unwrap();
    let back = |name: &str| {
        let session = Session::open(&host, &mut |_| {}).unwrap();
        let all = runs(&host).unwrap();
        let run = revert::choose(&all, Some(name)).unwrap();
        let plan = plan_back(&View::new(&host), run, &all, false).unwrap();
        session.apply(&plan, "revert", &[name]).unwrap().run
    };
    let both = remembered(&host);
    assert_eq!(both.run.as_ref(), Some(&second));
    back(&first);
    assert_eq!(remembered(&host), both, "the last run is still in force");
    let undone = back(&second);
    assert_eq!(remembered(&host), LastRun::default(), "the first is not any more");
    back(&undone);
    assert_eq!(remembered(&host), both, "and the second is again");
}

/// Takes these back as one run.
fn take(host: &dyn HostWrite, which: Which<'_>) -> Result<(), Problem> {
    let session = Session::open(host, &mut |_| {})?;
    session.recover()?;
    let all = runs(host)?;
    let chosen = which.choose(&all)?;
    if chosen.is_empty() {
        return Ok(());
    }
    let plan = plan_of(&View::new(host), which, &chosen, &all, false, None)?;
    let names: Vec<&str> = chosen.iter().map(|run| run.begin.run.as_str()).collect();
    session.apply(&plan, "revert", &names).map(|_| ())
}

/// Files, what is remembered, and the folders that come and go.
fn whole(host: &MemoryHost) -> (super::Picture, Vec<Option<u32>>, Told) {
    let folders = ["/etc/apt", "/etc/apt/apt.conf.d", "/etc/systemd/system/docker.service.d"];
    let mode = |folder: &&str| host.lstat(Path::new(folder)).unwrap().map(|stat| stat.mode);
    (picture(host), folders.iter().map(mode).collect(), remembered(host).told)
}

#[derive(Clone, Debug)]
enum Step {
    Prepare(u8, usize),
    Remove,
    Last,
    Named(usize),
    To(usize),
    All,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..3_u8, 0..4_usize).prop_map(|(proxy, targets)| Step::Prepare(proxy, targets)),
        2 => Just(Step::Remove),
        2 => Just(Step::Last),
        2 => (0..8_usize).prop_map(Step::Named),
        1 => (0..8_usize).prop_map(Step::To),
        1 => Just(Step::All),
    ]
}

fn take_step(host: &MemoryHost, step: &Step) {
    const TARGETS: [&str; 4] = ["system-proxy", "docker-daemon", "package-manager", "system-proxy,docker-daemon"];
    let names: Vec<String> = runs(host).unwrap().into_iter().map(|run| run.begin.run).collect();
    let name = |at: usize| names.get(at % names.len().max(1)).map_or("", String::as_str);
    let done = match step {
        Step::Prepare(proxy, targets) => {
            let proxy = format!("http://p{proxy}.example:1");
            prepare(host, &[(Key::ProxyUrl, &proxy), (Key::Target, TARGETS[*targets])]).map(|_| ())
        }
        Step::Remove => prepare(host, &[(Key::ProxyRemove, "true"), (Key::Target, TARGETS[3])]).map(|_| ()),
        Step::Last => take(host, Which::Last),
        Step::Named(at) => take(host, Which::Named(name(*at))),
        Step::To(at) => take(host, Which::To(name(*at))),
        Step::All => take(host, Which::All),
    };
    if let Err(problem) = done {
        let may = [id::ALREADY_REVERTED, id::NOTHING_TO_REVERT, id::RUN_UNKNOWN, id::CONFLICT];
        assert!(may.contains(&problem.id), "{step:?}: {problem:?}");
        assert!(problem.id != id::CONFLICT || matches!(step, Step::Named(_)), "{step:?}: {problem:?}");
    }
}

/// Whatever runs there were: the way to each of them that is in force, and the one before all, ends where the host was then.
fn every_way_back_is_right(old: &MemoryHost, steps: &[Step]) {
    let host = old.fork();
    let mut places = vec![(String::new(), whole(&host))];
    for step in steps {
        take_step(&host, step);
        let last = runs(&host).unwrap().pop().map(|run| run.begin.run).unwrap_or_default();
        if places.last().is_some_and(|(name, _)| *name != last) {
            places.push((last, whole(&host)));
        }
    }
    let all = runs(&host).unwrap();
    for (name, then) in &places {
        let host = host.fork();
        let which = if name.is_empty() { Which::All } else { Which::To(name) };
        match take(&host, which) {
            Ok(()) => {
                let what = format!(
                    "{which:?} of {:?} after {steps:?}",
                    all.iter().map(|run| &run.begin.run).collect::<Vec<_>>()
                );
                let now = whole(&host);
                assert_one_of(&now.0, &then.0, &then.0, &what);
                assert_eq!(remembered(&host).told, then.2, "{what}");
                assert_eq!(now.1, then.1, "{what}");
            }
            Err(problem) => {
                assert_eq!(problem.id, id::ALREADY_REVERTED, "{which:?} after {steps:?}: {problem:?}");
                assert!(all.iter().any(|run| run.begin.run == *name && run.state == State::Reverted), "{problem:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn several_runs_are_taken_back_to_where_the_host_was(steps in proptest::collection::vec(step(), 1..9), empty in any::<bool>()) {
        let host = host("ubuntu");
        if empty {
            host.put_dir("/etc/systemd/system/docker.service.d");
        }
        every_way_back_is_right(&host, &steps);
    }
}

#[test]
fn folders_that_come_and_go_are_as_they_were() {
    let docker = |proxy| Step::Prepare(proxy, 1);
    let packages = |proxy| Step::Prepare(proxy, 2);
    for steps in [
        &[docker(1), Step::Remove, docker(2)][..],
        &[packages(1), Step::Last, packages(2)],
        &[docker(1), Step::Remove],
        &[docker(1), Step::Remove, docker(2), Step::Remove],
        &[docker(1), packages(1), Step::Named(0), docker(2)],
        // One that had been written over, and was then written again as it had been, is not taken back before the others.
        &[docker(1), docker(2), docker(1), Step::Named(0), Step::Last],
        &[docker(2), docker(1), docker(2), Step::Named(1), Step::Last, Step::Last],
        // What is remembered is of the last one in force, out of whichever order they were taken back in.
        &[docker(1), Step::Prepare(1, 0), Step::Named(0), Step::Last],
        &[docker(1), Step::Prepare(1, 0), Step::Named(0), Step::Named(1), Step::Named(2)],
        // Two ways back that cross: each took back what was done before the other one, or after.
        &[docker(1), Step::Last, Step::Named(1), Step::Last, Step::Named(2)],
    ] {
        every_way_back_is_right(&host("ubuntu"), steps);
        let empty = host("ubuntu");
        empty.put_dir("/etc/systemd/system/docker.service.d");
        every_way_back_is_right(&empty, steps);
    }
}

#[test]
fn a_run_that_was_interrupted_is_seen_whatever_is_forgotten_before_it_is_taken_back() {
    let host = host("ubuntu");
    let proxy = |host: &dyn HostWrite, number: u8| {
        prepare(host, &[(Key::ProxyUrl, &format!("http://p{number}.example:1")), (Key::Target, "system-proxy")])
    };
    let first = proxy(&host, 1).unwrap().unwrap();
    for number in [2, 3] {
        proxy(&host, number).unwrap().unwrap();
    }
    let base = picture(&host);
    let mut seen = 0;
    for at in 1.. {
        let host = host.fork();
        let faulty = FaultyHost::new(host.clone(), at, Fault::Dies);
        let _ = proxy(&faulty, 4);
        if !faulty.struck() {
            break;
        }
        std::mem::drop(faulty);
        host.process_death();
        if runs(&host).unwrap().iter().all(|run| run.state != State::Interrupted) {
            continue;
        }
        let session = Session::open(&host, &mut |_| {}).unwrap();
        session.forget(std::slice::from_ref(&first)).unwrap();
        assert_eq!(session.recover().unwrap().len(), 1, "dead at effect {at}");
        assert_eq!(picture(&host), base, "dead at effect {at}");
        seen += 1;
    }
    assert!(seen > 2, "{seen}");
}

#[test]
fn the_host_is_called_changed_only_where_a_run_is_gone() {
    let host = host("ubuntu");
    for proxy in ["http://p:1", "http://q:1", "http://r:1"] {
        prepare(&host, &[(Key::ProxyUrl, proxy)]).unwrap().unwrap();
    }
    let names: Vec<String> = runs(&host).unwrap().into_iter().take(2).map(|run| run.begin.run).collect();
    let mut seen = [0; 3];
    for at in 1.. {
        let host = host.fork();
        let faulty = FaultyHost::new(host.clone(), at, Fault::Fails(ErrorKind::StorageFull));
        let gone = Session::open(&faulty, &mut |_| {}).and_then(|session| session.forget(&names));
        let left = runs(&host).unwrap().len();
        match &gone {
            Err(problem) => assert_eq!(problem.host_state == HostState::Changed, left < 3, "effect {at}: {problem:?}"),
            Ok(()) => assert_eq!(left, 1, "effect {at}"),
        }
        seen[3 - left] += usize::from(gone.is_err());
        if !faulty.struck() {
            break;
        }
    }
    assert!(seen.iter().all(|seen| *seen > 0), "{seen:?}");
}

#[test]
fn a_digest_of_other_runs_does_not_count_even_where_there_are_as_many() {
    let host = host("ubuntu");
    let digest = Path::new(crate::settings::STATE).join("runs.json");
    prepare(&host, WANTED).unwrap().unwrap();
    prepare(&host, &[(Key::ProxyUrl, "http://p:1")]).unwrap().unwrap();
    let kept = host.read(&digest).unwrap().unwrap();
    let last = prepare(&host, &[(Key::ProxyUrl, "http://q:1")]).unwrap().unwrap();
    let first = runs(&host).unwrap().remove(0).begin.run;
    let session = Session::open(&host, &mut |_| {}).unwrap();
    session.forget(&[first]).unwrap();
    host.put("/var/lib/ics-setup/runs.json", &kept);
    let now = format!("{:?}", crate::apply::digest(&host).unwrap());
    assert!(now.contains(&last), "{now}");
}

#[test]
fn journals_say_with_their_version_what_their_readers_have_to_know() {
    let host = host("ubuntu");
    prepare(&host, WANTED).unwrap().unwrap();
    prepare(&host, &[(Key::ProxyUrl, "http://p:1")]).unwrap().unwrap();
    take_back(&host).unwrap();
    prepare(&host, &[(Key::ProxyUrl, "http://q:1")]).unwrap().unwrap();
    take(&host, Which::All).unwrap();
    let versions: Vec<u32> = runs(&host).unwrap().iter().map(|run| run.begin.version).collect();
    assert_eq!(versions, [1, 1, 1, 1, 2]);
}

#[test]
fn numbers_tell_how_many_runs_are_forgotten() {
    let host = host("ubuntu");
    for number in 1..5 {
        prepare(&host, &[(Key::ProxyUrl, &format!("http://p{number}:1"))]).unwrap().unwrap();
    }
    let mut all = runs(&host).unwrap();
    assert_eq!(forgotten_after(&all, 0), 0);
    all.remove(1);
    assert_eq!([0, 1, 3].map(|last| forgotten_after(&all, last)), [1, 1, 0]);
    all.remove(0);
    assert_eq!(forgotten_after(&all, 0), 2);
    assert_eq!(forgotten_after(&[], 0), 0);
}
