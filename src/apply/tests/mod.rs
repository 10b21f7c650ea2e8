//! The laws of the transaction, on a file system in memory that can fail, die and lose its power at every effect.

mod back;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::apply::{Session, State, plan_back, revert, runs};
use crate::finding::Ignored;
use crate::host::{Attributes, Fault, FaultyHost, HostRead, HostWrite, MemoryHost, View};
use crate::plan::Plan;
use crate::platform;
use crate::problem::{HostState, Problem};
use crate::settings::{
    First, Found, Key, LastRun, Layers, Origin, STATE, STATE_FILE, SecretSources, Settings, Unresolved,
};
use crate::targets::{self, Context, Phase};
use proptest::prelude::*;

type Picture = BTreeMap<PathBuf, (Vec<u8>, Attributes)>;

const PROD_ENV: &[u8] = b"A=1\n#http_proxy=http://proxy.acmecorp.com\n#https_proxy=http://proxy.acmecorp.com\n#no_proxy=mysql,redis,169.254.169.254\nDIVVY_DB_HOST=mysql\n";

fn host(family: &str) -> MemoryHost {
    let host = MemoryHost::new();
    host.put_dir("/var/lib");
    host.put_dir("/etc/systemd/system");
    match family {
        "ubuntu" => {
            host.put("/etc/os-release", b"ID=ubuntu\nVERSION_ID=\"22.04\"\n");
            let mut attributes = Attributes::new(0o640, 0, 4);
            attributes.xattrs.insert("security.selinux".to_owned(), b"etc_t".to_vec());
            host.put_with("/etc/environment", b"PATH=\"/bin\"\nno_proxy=a", attributes);
        }
        _ => {
            host.put("/etc/os-release", b"ID=\"centos\"\nVERSION_ID=\"7\"\n");
            host.put("/etc/profile.d/proxy.sh", b"export http_proxy=http://old:1\n");
        }
    }
    host.put_with("/divvycloud/prod.env", PROD_ENV, Attributes::new(0o600, 1000, 1000));
    host
}

fn settings(values: &[(Key, &str)], found: &Found) -> Result<Settings, Problem> {
    let mut layers = Layers::default();
    for (key, value) in values {
        let spec = key.spec();
        layers.flags.insert(spec, (*value).to_owned(), Origin::Flag(spec.shown())).unwrap();
    }
    let outside =
        SecretSources { variable: &|_: &str| -> Option<OsString> { None }, file: &|_| Err(ErrorKind::NotFound.into()) };
    Settings::resolve(&layers, found, &outside, &Ignored::default())
        .map(|(settings, _)| settings)
        .map_err(Unresolved::into_problem)
}

const WANTED: &[(Key, &str)] = &[
    (Key::ProxyUrl, "http://proxy.corp.example:3128"),
    (Key::ProxyUser, "svc"),
    (Key::ProxyPassword, "p@ss:w0rd/#?%$\"'\\ é"),
    (Key::Target, "system-proxy,docker-daemon,prod-env"),
];

fn plan(host: &dyn HostRead, values: &[(Key, &str)]) -> Result<Plan, Problem> {
    let (platform, _) = platform::detect(host, None)?;
    let view = View::new(host);
    let found = crate::context::found(&view, &platform, Path::new("/divvycloud"), First::System)?;
    let settings = settings(values, &found)?;
    targets::plan(&Context {
        view: &view,
        platform: &platform,
        settings: &settings,
        found: &found,
        phase: Phase::Prepare,
    })
}

fn prepare(host: &dyn HostWrite, values: &[(Key, &str)]) -> Result<Option<String>, Problem> {
    let session = Session::open(host, &mut |_| {})?;
    session.recover()?;
    let plan = plan(host, values)?;
    if plan.is_empty() { Ok(None) } else { session.apply(&plan, "prepare", &[]).map(|applied| Some(applied.run)) }
}

fn take_back(host: &dyn HostWrite) -> Result<(), Problem> {
    let session = Session::open(host, &mut |_| {})?;
    session.recover()?;
    let all = runs(host)?;
    let run = revert::choose(&all, None)?;
    let plan = plan_back(&View::new(host), run, &all, false)?;
    session.apply(&plan, "revert", &[&run.begin.run]).map(|_| ())
}

fn recover(host: &MemoryHost) {
    let session = Session::open(host, &mut |_| {}).unwrap();
    session.recover().unwrap();
    let all = runs(host).unwrap();
    assert!(all.iter().all(|run| run.state != State::Interrupted));
    // What is remembered is the last run's that is in force.
    let in_force = all.iter().rev().find(|run| run.state == State::Committed && run.begin.reverts.is_none());
    assert_eq!(remembered(host).run.as_ref(), in_force.map(|run| &run.begin.run));
}

/// What the last run was told.
fn remembered(host: &dyn HostRead) -> LastRun {
    let bytes = host.read(Path::new(STATE_FILE)).unwrap();
    bytes.map(|bytes| LastRun::parse(&bytes, Path::new(STATE_FILE)).unwrap()).unwrap_or_default()
}

/// Everything but our own state; of that what the last run was told, whatever its name.
fn picture(host: &MemoryHost) -> Picture {
    let memory = Path::new(STATE_FILE);
    let ours = |path: &Path| path.starts_with(STATE) && path != memory;
    let mut picture: Picture = host.picture().into_iter().filter(|(path, _)| !ours(path)).collect();
    if let Some((bytes, _)) = picture.get_mut(memory) {
        *bytes = LastRun { run: None, ..remembered(host) }.render();
    }
    picture
}

fn assert_one_of(now: &Picture, old: &Picture, new: &Picture, what: &str) {
    if now == old || now == new {
        return;
    }
    let differs = |a: &Picture| -> Vec<String> {
        let paths = a.keys().chain(now.keys()).filter(|path| a.get(*path) != now.get(*path));
        paths.map(|path| path.display().to_string()).collect()
    };
    panic!("{what}: neither all old (differs in {:?}) nor all new (differs in {:?})", differs(old), differs(new));
}

/// Runs an action with a fault at every effect in turn; returns how many effects it has.
fn at_every_effect(
    base: &MemoryHost,
    fault: Fault,
    action: impl Fn(&dyn HostWrite) -> Result<(), Problem>,
    mut check: impl FnMut(u64, &MemoryHost, Result<(), Problem>),
) -> u64 {
    for at in 1.. {
        let inner = base.fork();
        let faulty = FaultyHost::new(inner.clone(), at, fault);
        let result = action(&faulty);
        if !faulty.struck() {
            result.unwrap();
            return at - 1;
        }
        drop(faulty);
        inner.process_death();
        check(at, &inner, result);
    }
    unreachable!()
}

type Action = fn(&dyn HostWrite) -> Result<(), Problem>;

/// Both families, forwards and backwards: a name, the host before, the action.
fn scenarios() -> Vec<(String, MemoryHost, Action)> {
    let mut scenarios: Vec<(String, MemoryHost, Action)> = Vec::new();
    for family in ["ubuntu", "centos"] {
        let fresh = host(family);
        let prepared = fresh.fork();
        prepare(&prepared, WANTED).unwrap().unwrap();
        scenarios.push((format!("prepare on {family}"), fresh, |host| prepare(host, WANTED).map(|_| ())));
        scenarios.push((format!("revert on {family}"), prepared.fork(), take_back));
        scenarios.push((format!("remove on {family}"), prepared, |host| {
            prepare(host, &[(Key::ProxyRemove, "true"), (Key::Target, "system-proxy,docker-daemon,prod-env")])
                .map(|_| ())
        }));
    }
    scenarios
}

#[test]
fn killed_at_any_effect_the_next_command_brings_all_old_or_all_new() {
    for (name, base, action) in scenarios() {
        let old = picture(&base);
        let done = base.fork();
        action(&done).unwrap();
        let new = picture(&done);
        assert_ne!(old, new, "{name} does something");
        let mut struck = 0;
        let effects = at_every_effect(&base, Fault::Dies, action, |at, host, _| {
            for power_lost in [false, true] {
                let host = host.fork();
                if power_lost {
                    host.power_loss();
                }
                recover(&host);
                assert_one_of(
                    &picture(&host),
                    &old,
                    &new,
                    &format!("{name}, dead at effect {at}, power lost: {power_lost}"),
                );
                // And whatever it is, the same command finishes the job.
                if action(&host).is_ok() {
                    assert_one_of(&picture(&host), &new, &new, &format!("{name}, again after effect {at}"));
                    // What has been reported as done survives the next power loss.
                    host.power_loss();
                    recover(&host);
                    assert_one_of(
                        &picture(&host),
                        &new,
                        &new,
                        &format!("{name}, reported after effect {at}, then no power"),
                    );
                }
            }
            struck += 1;
        });
        assert!(effects > 20 && struck > 20, "{name} has {effects} effects");
    }
}

#[test]
fn failed_at_any_effect_the_host_is_as_it_was() {
    for (name, base, action) in scenarios() {
        let old = picture(&base);
        let done = base.fork();
        action(&done).unwrap();
        let new = picture(&done);
        for kind in [ErrorKind::StorageFull, ErrorKind::ResourceBusy, ErrorKind::PermissionDenied] {
            at_every_effect(&base, Fault::Fails(kind), action, |at, host, result| {
                let what = format!("{name}, effect {at} fails with {kind:?}");
                match &result {
                    Ok(()) => assert_one_of(&picture(host), &new, &new, &what),
                    Err(problem) => {
                        assert_ne!(problem.host_state, HostState::Changed, "{what}: {problem}");
                        assert_one_of(&picture(host), &old, &old, &what);
                    }
                }
                recover(host);
                // What nobody needs may fail behind the commit: then all is done.
                if result.is_err() {
                    action(host).unwrap();
                }
                assert_one_of(&picture(host), &new, &new, &what);
            });
        }
    }
}

#[test]
fn a_crash_during_the_recovery_of_a_crash_is_recovered_too() {
    for (name, base, action) in scenarios() {
        let old = picture(&base);
        let done = base.fork();
        action(&done).unwrap();
        let new = picture(&done);
        at_every_effect(&base, Fault::Dies, action, |first, host, _| {
            let retry = |host: &dyn HostWrite| Session::open(host, &mut |_| {})?.recover().map(|_| ());
            at_every_effect(host, Fault::Dies, retry, |second, host, _| {
                recover(host);
                assert_one_of(&picture(host), &old, &new, &format!("{name}, dead at {first}, and again at {second}"));
            });
        });
    }
}

#[test]
fn a_second_run_has_no_effect_at_all() {
    for family in ["ubuntu", "centos"] {
        let host = host(family);
        prepare(&host, WANTED).unwrap().unwrap();
        let effects = host.effects();
        assert!(plan(&host, WANTED).unwrap().is_empty());
        assert_eq!(prepare(&host, WANTED).unwrap(), None);
        assert_eq!(host.effects(), effects);
        // Nothing named: the password is found again.
        assert!(plan(&host, &[(Key::Target, "system-proxy,docker-daemon")]).unwrap().is_empty());
    }
}

#[test]
fn a_file_edited_since_is_a_conflict_and_never_guessed_at() {
    let host = host("ubuntu");
    let old = picture(&host);
    prepare(&host, WANTED).unwrap().unwrap();
    let edited = host.fork();
    edited.put("/etc/environment", b"somebody=else\n");
    let before = picture(&edited);
    let problem = take_back(&edited).unwrap_err();
    assert_eq!(problem.id, "conflict");
    assert!(problem.message.contains("/etc/environment"), "{problem}");
    assert_eq!(picture(&edited), before, "nothing was touched");

    // By force it comes back, and the edit can be had again: the revert is a run like any other.
    let all = runs(&edited).unwrap();
    let run = revert::choose(&all, None).unwrap();
    let session = Session::open(&edited, &mut |_| {}).unwrap();
    let plan = plan_back(&View::new(&edited), run, &all, true).unwrap();
    let forced = session.apply(&plan, "revert", &[&run.begin.run]).unwrap().run;
    drop(session);
    let without_mode = |picture: Picture| -> BTreeMap<PathBuf, Vec<u8>> {
        picture.into_iter().map(|(path, (bytes, _))| (path, bytes)).collect()
    };
    assert_eq!(without_mode(picture(&edited)), without_mode(old));
    let all = runs(&edited).unwrap();
    let again = plan_back(&View::new(&edited), revert::choose(&all, Some(&forced)).unwrap(), &all, false).unwrap();
    assert!(again.changes.iter().any(|change| change.new_bytes() == b"somebody=else\n"));
}

#[test]
fn an_interrupted_run_whose_file_was_edited_since_is_a_conflict() {
    let base = host("ubuntu");
    let mut conflicts = 0;
    at_every_effect(
        &base,
        Fault::Dies,
        |host| prepare(host, WANTED).map(|_| ()),
        |_, host, _| {
            if runs(host).unwrap().iter().any(|run| run.state == State::Interrupted) {
                host.put("/etc/environment", b"somebody=else\n");
                let problem = Session::open(host, &mut |_| {}).unwrap().recover().unwrap_err();
                assert_eq!(problem.id, "conflict");
                assert_eq!(host.read(Path::new("/etc/environment")).unwrap().unwrap(), b"somebody=else\n");
                let run = runs(host).unwrap().pop().unwrap();
                Session::open(host, &mut |_| {}).unwrap().recover_by_force(&run).unwrap();
                assert_eq!(host.read(Path::new("/etc/environment")).unwrap().unwrap(), b"PATH=\"/bin\"\nno_proxy=a");
                let kept = host
                    .picture()
                    .into_iter()
                    .any(|(path, (bytes, _))| path.starts_with(STATE) && bytes == b"somebody=else\n");
                assert!(kept, "the edit is kept");
                conflicts += 1;
            }
        },
    );
    assert!(conflicts > 5);
}

#[test]
fn journal_and_settings_hold_no_password() {
    let host = host("ubuntu");
    prepare(
        &host,
        &[
            (Key::ProxyUrl, "http://svc:s3cretpass@h:1"),
            (Key::MysqlPassword, "dbs3cret"),
            (Key::Target, "system-proxy,docker-daemon,prod-env"),
        ],
    )
    .unwrap();
    let holders: Vec<PathBuf> = host
        .picture()
        .into_iter()
        .filter(|(_, (bytes, _))| {
            [&b"s3cretpass"[..], b"dbs3cret"].iter().any(|secret| memchr::memmem::find(bytes, secret).is_some())
        })
        .map(|(path, _)| path)
        .collect();
    let expected = ["/divvycloud/prod.env", "/etc/environment", "/etc/systemd/system/docker.service.d/http-proxy.conf"];
    assert_eq!(holders, expected.map(PathBuf::from));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes the files have: the run is refused and nothing changes, or it is done, a second one changes nothing,
    /// and the way back restores every byte.
    #[test]
    fn apply_and_revert_are_inverse_on_any_bytes(
        environment in proptest::collection::vec(any::<u8>(), 0..80),
        env_file in "([a-zA-Z_#= \"'\\\\$:;-]{0,12}(\r?\n)?|#? ?(export )?(http|https|no)_proxy ?[=:] ?[ -~]{0,12}\n){0,8}",
        script in "(export )?[a-z_#= \"';<&|(){}$-]{0,20}\n?(export http_proxy=[ -~]{0,8}\n)?",
        password in "[^\\pC]{1,16}",
        family in prop_oneof![Just("ubuntu"), Just("centos")],
    ) {
        let host = host(family);
        host.put("/etc/environment", &environment);
        host.put("/divvycloud/prod.env", env_file.as_bytes());
        host.put("/etc/profile.d/proxy.sh", script.as_bytes());
        let old = picture(&host);
        let values = [(Key::ProxyUrl, "http://proxy:1"), (Key::ProxyUser, "svc"), (Key::ProxyPassword, password.as_str()), (Key::Target, "system-proxy,docker-daemon,prod-env")];
        match prepare(&host, &values) {
            Err(problem) => {
                prop_assert!(!problem.to_string().contains(&password) || password.len() < 4, "{}", problem);
                prop_assert_eq!(picture(&host), old);
            }
            Ok(_) => {
                prop_assert_eq!(prepare(&host, &values).map_err(|problem| problem.to_string()), Ok(None));
                let url = crate::settings::encode(password.as_bytes());
                let bytes = host.read(Path::new("/divvycloud/prod.env")).unwrap().unwrap();
                let line = format!("http_proxy=http://svc:{url}@proxy:1");
                prop_assert!(memchr::memmem::find(&bytes, line.as_bytes()).is_some());
                take_back(&host).unwrap();
                prop_assert_eq!(picture(&host), old);
            }
        }
    }
}

#[test]
fn a_file_that_was_swapped_before_its_rename_is_not_called_written() {
    let mut swapped = 0;
    for family in ["ubuntu", "centos"] {
        let before = picture(&host(family));
        for at in 1.. {
            let inner = host(family);
            let faulty = FaultyHost::new(inner.clone(), at, Fault::Swapped);
            let ended = prepare(&faulty, WANTED);
            if !faulty.struck() {
                break;
            }
            let Err(problem) = ended else { continue };
            swapped += 1;
            assert_eq!((problem.id.as_str(), problem.host_state), ("moved", HostState::Changed), "{problem:?}");
            assert!(problem.message.contains("is not the file that was written"), "{problem:?}");
            // By force it is as before.
            let (session, all) = (Session::open(&inner, &mut |_| {}).unwrap(), runs(&inner).unwrap());
            assert_eq!(all[0].state, State::Interrupted);
            session.recover_by_force(&all[0]).unwrap();
            assert_eq!(picture(&inner), before, "{family} {at}");
        }
    }
    assert!(swapped >= 5, "{swapped}");
}
