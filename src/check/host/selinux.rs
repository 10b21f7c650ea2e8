//! Does SELinux keep containers from what they mount?

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::argument;
use crate::check::prelude::*;
use crate::consumers::{self, DaemonSwitch};
use crate::envfile::unit::Release;
use crate::platform::Platform;
use crate::product::mounts::{self, FOR_CONTAINERS, Mounted, MountsFacts, is_for_containers};
use crate::system::selinux::{self, CONFIG, SelinuxFacts};
use crate::text::{of_host, quoted, typed};

pub(super) struct Selinux;

/// What was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    #[serde(flatten)]
    selinux: SelinuxFacts,
    /// Does the Docker daemon have it confine containers?
    #[serde(default = "of_older")]
    confines: DaemonSwitch,
    #[serde(default)]
    mounts: MountsFacts,
}

fn of_older() -> DaemonSwitch {
    DaemonSwitch::Unknown("these facts were saved by an older release".into())
}

impl Check for Selinux {
    type Facts = Facts;

    const META: Meta = Meta::new("selinux", Group::Host, &[ids::SELINUX]);

    fn collect(&self, look: &Look<'_>, time: Time, _earlier: Option<&Facts>) -> Facts {
        let seen = selinux::observe(look.host, &look.spec.home);
        let release = look.platform.map_or(Release::UNKNOWN, Platform::systemd);
        let half = time.left() / 2;
        // Nobody asks the daemon of a host without SELinux.
        let confines = match seen.is_enforcing() {
            true => consumers::confines(look.host, release, half),
            false => DaemonSwitch::Unknown("nobody asks while SELinux forbids nothing".into()),
        };
        Facts { selinux: seen, confines, mounts: mounts::observe(look.host, &look.spec.home) }
    }

    fn judge(&self, facts: &Facts, spec: &CheckSpec) -> Vec<Finding> {
        vec![judge_selinux(facts, spec)]
    }
}

fn judge_selinux(facts: &Facts, spec: &CheckSpec) -> Finding {
    let Facts { selinux, confines, mounts } = facts;
    let now = selinux.running.now(|mode| match mode {
        None => "the kernel has none",
        Some(true) => "enforcing",
        Some(false) => "permissive",
    });
    let configured = selinux.configured.as_deref().unwrap_or("nothing");
    let mode = match (configured, &selinux.unread) {
        (_, Some(why)) => text!("what the next boot brings is not known, since {}", why.clone()),
        ("enforcing" | "permissive" | "disabled" | "nothing", _) => {
            text!("{} says {} for the next boot", own(CONFIG), own(configured))
        }
        (other, _) => text!("{} says {} for the next boot", own(CONFIG), other),
    };
    let expected = "SELinux lets containers use what they mount";
    let seen = text!("now: {}; {}", now, mode);
    if !selinux.is_enforcing() {
        return Finding::pass(ids::SELINUX, "SELinux does not stand in the way of containers")
            .expected(expected)
            .observed(seen);
    }
    let daemon = match confines {
        DaemonSwitch::On => "the Docker daemon has it confine containers (selinux-enabled)".into(),
        DaemonSwitch::Off => "the Docker daemon has it confine none (selinux-enabled is off)".into(),
        DaemonSwitch::NoDaemon => "whether the Docker daemon will have it confine containers is not known yet".into(),
        DaemonSwitch::Unknown(why) => {
            text!("whether the Docker daemon has it confine containers is not known: {}", why.clone())
        }
    };
    let seen = text!("{}; {}", seen, daemon);
    if *confines == DaemonSwitch::Off {
        return Finding::pass(ids::SELINUX, "SELinux is enforcing, and containers are not confined by it")
            .expected(expected)
            .observed(seen);
    }
    let known = match confines {
        DaemonSwitch::On => "yes",
        _ => "unknown",
    };
    let finding = match mounts.has_file {
        false => of_folder(selinux, spec, seen),
        true => of_mounts(mounts, spec, seen),
    };
    finding.expected(expected).evidence("confines", own(known))
}

/// The label of the product's folder, which files that are made in it get, where there is no compose file yet.
fn of_folder(selinux: &SelinuxFacts, spec: &CheckSpec, seen: Text) -> Finding {
    let home = &spec.home;
    let observed = match &selinux.label {
        Some(label) => text!("{}; {} is {}", seen, home, label),
        None => seen,
    };
    if let Some(label) = selinux.label.as_ref().filter(|label| is_for_containers(label)) {
        return Finding::pass(ids::SELINUX, text!("SELinux is enforcing, and {} is labelled for containers", home))
            .observed(observed)
            .evidence("label", label.clone());
    }
    let make = if selinux.home { Text::default() } else { text!("mkdir -p {} && ", of_host(home)) };
    Finding::warn(ids::SELINUX, text!("SELinux is enforcing, and {} is not labelled for containers", home))
        .observed(observed)
        .cause(DENIED)
        .fix(as_root(text!("{}{} {}", make, relabel(), of_host(home))))
        .advise(lasting(home))
        .advise("install labels what its own compose file mounts (:z, :Z) where containers are confined; in a file of your own, add that")
        .evidence("label", selinux.label.clone())
}

const DENIED: &str =
    "a container that SELinux confines gets \"permission denied\" on what it mounts and nobody has labelled for it";

/// The command, without its paths. The whole label: what has none takes no part of one.
fn relabel() -> Text {
    text!("chcon -R system_u:object_r:{}:s0", own(FOR_CONTAINERS[0]))
}

fn lasting(path: &Path) -> Text {
    let pattern = own(quoted(&format!("{}(/.*)?", path.display())));
    text!(
        "make it last when the file system is labelled anew: {}",
        typed(text!(
            "semanage fcontext -a -t {} {} && restorecon -R {}",
            own(FOR_CONTAINERS[0]),
            pattern,
            argument(path)
        ))
    )
}

/// What is wrong with one thing that is mounted.
enum Wrong {
    /// It is the system's own, and labelled for containers when they are made.
    Relabelled,
    /// One service takes from the others what they share.
    Taken,
    /// It has no label that containers may use.
    Unlabelled,
    /// Its label could not be read.
    Unread,
    /// It lies on a network file system that containers may not use.
    Remote { switch: String, is_on: Option<bool> },
    /// It is none of the product's: labelling it for containers takes it from others.
    Foreign,
}

fn wrong(own: &Mounted) -> Option<Wrong> {
    if !own.is_own && own.is_of_system() && own.uses.iter().any(|one| one.relabel.is_some()) {
        return Some(Wrong::Relabelled);
    }
    // Labels cannot be given there.
    if let Some((switch, is_on)) = &own.remote {
        return (*is_on != Some(true)).then(|| Wrong::Remote { switch: switch.clone(), is_on: *is_on });
    }
    if own.takers().next().is_some() {
        return Some(Wrong::Taken);
    }
    if own.is_relabelled() || own.is_labelled() {
        return None;
    }
    match &own.label {
        _ if !own.is_own => (!is_only_read(own)).then_some(Wrong::Foreign),
        Err(_) => Some(Wrong::Unread),
        Ok(_) => Some(Wrong::Unlabelled),
    }
}

/// Much of the system may be read by containers; what may not, only its policy knows.
fn is_only_read(own: &Mounted) -> bool {
    own.is_plain && own.uses.iter().all(|one| one.is_read_only)
}

fn of_mounts(facts: &MountsFacts, spec: &CheckSpec, seen: Text) -> Finding {
    let unsure = facts.mounted.iter().filter(|own| {
        wrong(own).is_none() && !own.is_own && own.remote.is_none() && !own.is_relabelled() && !own.is_labelled()
    });
    let unsure: Vec<Text> = unsure.map(|own| text!("{}", &own.source)).collect();
    let is_unsure = !unsure.is_empty();
    let unsure = is_unsure.then(|| text!("whether containers may read {} is not known", Text::join(unsure, ", ")));
    let wrong: Vec<(&Mounted, Wrong)> = facts.mounted.iter().filter_map(|own| Some((own, wrong(own)?))).collect();
    let told = wrong.iter().map(|(own, wrong)| {
        let source = &own.source;
        match (wrong, &own.label) {
            (Wrong::Relabelled, _) => {
                let labels = own.uses.iter().filter(|one| one.relabel.is_some()).map(|one| text!("{}", &one.service));
                text!("{} has {} of the system labelled for containers", Text::join(labels, ", "), source)
            }
            (Wrong::Taken, _) => {
                let takers = Text::join(own.takers().map(|taker| text!("{}", &taker.service)), ", ");
                match own.uses.len() {
                    1 => text!(
                        "{} takes {} for itself (:Z), and other containers need it or a part of it too",
                        takers,
                        source
                    ),
                    _ => text!("{} takes {} for itself (:Z), and others mount it too", takers, source),
                }
            }
            (Wrong::Remote { switch, is_on }, _) => {
                let said = crate::text::own(if is_on.is_some() { "is off" } else { "may be off" });
                text!("{} lies on a network file system, and {} {}", source, crate::text::own(switch.as_str()), said)
            }
            (Wrong::Unread, Err(why)) => text!("the label of {} could not be read: {}", source, why.clone()),
            (_, Ok(Some(label))) => text!("{} is {}", source, label),
            _ if own.is_there => text!("{} has no label", source),
            _ => text!("{} is not there yet", source),
        }
    });
    let observed = Text::join([seen].into_iter().chain(facts.unknown.clone()).chain(told).chain(unsure), "; ");
    let home = &spec.home;
    let Some((first, _)) = wrong.first() else {
        return match &facts.unknown {
            None if is_unsure => {
                let title = text!("SELinux is enforcing, and containers may use what they mount from {}", home);
                Finding::pass(ids::SELINUX, title).observed(observed)
            }
            None => Finding::pass(ids::SELINUX, "SELinux is enforcing, and containers may use what they mount")
                .observed(observed),
            Some(_) => Finding::warn(ids::SELINUX, "SELinux is enforcing, and what containers mount is not known")
                .observed(observed)
                .cause(DENIED)
                .advise(text!(
                    "see that every file and folder of {} in volumes: has :z, or a label for containers",
                    home
                )),
        };
    };
    let relabelled = wrong.iter().find(|(_, wrong)| matches!(wrong, Wrong::Relabelled));
    let title = match (relabelled, wrong.iter().any(|(_, wrong)| matches!(wrong, Wrong::Taken)), wrong.len()) {
        (Some((own, _)), ..) => {
            text!("SELinux is enforcing, and making a container labels {} of the host for containers", &own.source)
        }
        (None, true, _) => "SELinux is enforcing, and a container takes from others what they share".into(),
        (None, _, 1) if first.remote.is_some() => {
            text!("SELinux is enforcing, and may keep containers from the network file system of {}", &first.source)
        }
        (None, _, 1) => text!("SELinux is enforcing, and {} is not labelled for containers", &first.source),
        (None, _, more) => {
            text!("SELinux is enforcing, and {} of what containers mount is not labelled for them", more)
        }
    };
    let cause = match relabelled {
        Some(_) => "a service of the system that SELinux confines is denied what is labelled for containers",
        None => DENIED,
    };
    let mut finding = Finding::warn(ids::SELINUX, title).observed(observed).cause(cause);
    let is_mended = |(own, wrong): &(&Mounted, Wrong)| matches!(wrong, Wrong::Unlabelled) && own.is_there;
    if facts.unknown.is_none() && wrong.iter().all(is_mended) {
        let paths = Text::join(wrong.iter().map(|(own, _)| of_host(&own.real)), " ");
        finding = finding.fix(as_root(text!("{} {}", relabel(), paths)));
    }
    for (own, wrong) in &wrong {
        finding = match wrong {
            Wrong::Relabelled => {
                let labels = own.uses.iter().filter(|one| one.relabel.is_some());
                let finding = labels.fold(finding, |finding, one| {
                    let line = crate::text::own(one.line);
                    finding.advise(text!("take :z and :Z away from {} in {}:{}", &own.source, &one.file, line))
                });
                let back = as_root(text!("restorecon -R -F {}", of_host(&own.source)));
                finding.advise(text!("then give {} its own labels back: {}", &own.source, back))
            }
            Wrong::Remote { switch, .. } => {
                let line = as_root(text!("setsebool -P {} 1", crate::text::own(switch.as_str())));
                finding.advise(text!("let containers use network file systems, for {}: {}", &own.source, line))
            }
            Wrong::Foreign => {
                let services = Text::join(own.uses.iter().map(|one| text!("{}", &one.service)), ", ");
                let copy = if own.is_plain { text!(", or a copy in {}", home) } else { Text::default() };
                finding.advise(text!(
                    "leave the label of {} as it is, which others go by: give {} security_opt: [\"label=disable\"]{}",
                    &own.source,
                    services,
                    copy
                ))
            }
            _ => said(finding, own),
        };
    }
    match wrong.iter().find(|(own, wrong)| own.is_own && !matches!(wrong, Wrong::Remote { .. })) {
        Some((own, _)) if wrong.len() == 1 => finding.advise(lasting(&own.real)),
        Some(_) => finding.advise(lasting(home)),
        None => finding,
    }
}

/// The lines that are to be written, each once.
fn said(finding: Finding, mounted: &Mounted) -> Finding {
    let mut places: Vec<(&Path, usize)> = Vec::new();
    mounted.uses.iter().fold(finding, |finding, one| {
        if one.relabel == Some(mounted.fitting()) || places.contains(&(&one.file, one.line)) {
            return finding;
        }
        places.push((&one.file, one.line));
        finding.advise(match &one.wanted {
            Some(item) => text!("write in {}:{}: - \"{}\"", &one.file, own(one.line), item),
            None => text!(
                "add the option {} to the mount in {}:{} (in its long form: bind: {{selinux: {}}})",
                own(mounted.fitting().as_str()),
                &one.file,
                own(one.line),
                own(mounted.fitting().as_str())
            ),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Live, checked, production};
    use super::*;
    use crate::docker::double::Double;
    use crate::host::MemoryHost;
    use crate::system::Seen;
    use crate::system::selinux::ENFORCE;

    fn facts(running: Seen<Option<bool>>, configured: Option<&str>, label: Option<&str>) -> Facts {
        let (configured, label) = (configured.map(str::to_owned), label.map(str::to_owned));
        let selinux = SelinuxFacts { running, configured, unread: None, home: label.is_some(), label };
        Facts { selinux, confines: DaemonSwitch::On, mounts: MountsFacts::default() }
    }

    const GOOD: &str = "system_u:object_r:container_file_t:s0";
    const OTHER: &str = "unconfined_u:object_r:default_t:s0";

    #[test]
    fn modes_and_labels() {
        let enforcing = Some("enforcing");
        for (running, configured, label, status) in [
            (Seen::Is(None), enforcing, None, Status::Pass),
            (Seen::Is(Some(false)), Some("permissive"), Some(OTHER), Status::Pass),
            (Seen::Is(Some(false)), enforcing, Some(OTHER), Status::Warn),
            (Seen::Is(Some(true)), Some("disabled"), Some(OTHER), Status::Warn),
            (Seen::Is(Some(true)), enforcing, Some(GOOD), Status::Pass),
            (Seen::Image, enforcing, None, Status::Warn),
            (Seen::Image, None, None, Status::Pass),
        ] {
            let facts = facts(running, configured, label);
            let found = judge_selinux(&facts, &production());
            assert_eq!(found.status, status, "{found:?}");
            let found = judge_selinux(&Facts { confines: DaemonSwitch::Off, ..facts.clone() }, &production());
            assert_eq!(found.status, Status::Pass, "{found:?}");
            for unknown in [DaemonSwitch::NoDaemon, of_older()] {
                let found = judge_selinux(&Facts { confines: unknown, ..facts.clone() }, &production());
                assert_eq!(found.status, status, "what is not known is not taken for off: {found:?}");
            }
        }
        let unread = SelinuxFacts { unread: Some("x".into()), ..facts(Seen::Image, None, None).selinux };
        assert!(unread.is_enforcing());
    }

    #[test]
    fn files_are_read() {
        let host = MemoryHost::new();
        host.put(CONFIG, b"# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n");
        let status = |host: &dyn crate::host::HostRead| checked(&Selinux, host, &production())[0].status;
        assert_eq!(status(&host), Status::Warn);
        assert_eq!(status(&Live(host.clone())), Status::Pass, "the kernel has none");
        host.put(ENFORCE, b"1");
        assert_eq!(status(&Live(host.clone())), Status::Warn);
        host.put("/usr/lib/systemd/system/docker.service", b"[Service]\nExecStart=/usr/bin/dockerd\n");
        assert_eq!(status(&Live(host.clone())), Status::Pass, "docker-ce as it comes");
        host.put("/etc/docker/daemon.json", b"{\"selinux-enabled\": true}");
        assert_eq!(status(&Live(host)), Status::Warn);
    }

    #[test]
    fn on_a_network_file_system_a_switch_decides_and_no_label() {
        let mounted = |is_on| Mounted {
            source: "/divvycloud/plugins".into(),
            real: "/nfs/plugins".into(),
            is_plain: true,
            is_own: true,
            is_there: true,
            label: Ok(Some("system_u:object_r:nfs_t:s0".to_owned())),
            remote: Some(("virt_use_nfs".to_owned(), is_on)),
            is_of_one: false,
            uses: vec![mounts::Use {
                service: "a".to_owned(),
                file: "/f".into(),
                line: 4,
                relabel: Some(crate::docker::compose::Relabel::Shared),
                is_read_only: false,
                wanted: None,
            }],
        };
        let of = |is_on| {
            let facts = MountsFacts { has_file: true, unknown: None, mounted: vec![mounted(is_on)] };
            of_mounts(&facts, &production(), "now".into())
        };
        assert_eq!(of(Some(true)).status, Status::Pass);
        for is_on in [Some(false), None] {
            let found = of(is_on);
            assert!(found.status == Status::Warn && found.fix.len() == 1, "{found:?}");
            assert!(found.fix[0].contains("setsebool -P virt_use_nfs 1"), "{found:?}");
        }
    }

    #[test]
    fn mounts_are_judged_one_by_one_and_the_lines_are_said() {
        let judged = |volumes: &str| {
            let host = Double::installed();
            host.files.put(CONFIG, b"SELINUX=enforcing\n");
            host.files.put(ENFORCE, b"1");
            host.files.put("/divvycloud/plugins/x", b"");
            let compose = format!(
                "services:\n  interfaceserver:\n    volumes:\n    - {volumes}\n  scheduler:\n    volumes:\n    - ./plugins:/plugins\n"
            );
            host.files.put("/divvycloud/docker-compose.yml", compose.as_bytes());
            let host = host.prints("docker info", "[\"name=selinux\"]");
            checked(&Selinux, &host, &production()).remove(0)
        };
        let found = judged("./plugins:/plugins");
        assert_eq!((found.status, found.evidence["confines"].as_str()), (Status::Warn, Some("yes")), "{found:?}");
        let lines: Vec<&str> = found.fix.iter().map(|fix| &**fix).collect();
        assert!(lines[0].contains("chcon -R system_u:object_r:container_file_t:s0 /divvycloud/plugins"), "{lines:?}");
        assert_eq!(lines[1], "write in /divvycloud/docker-compose.yml:4: - \"./plugins:/plugins:z\"");
        assert_eq!(lines[2], "write in /divvycloud/docker-compose.yml:7: - \"./plugins:/plugins:z\"");
        assert!(lines[3].contains("semanage fcontext") && lines.len() == 4, "{lines:?}");
        assert_eq!(judged("./plugins:/plugins:z").status, Status::Pass);
        let taken = judged("./plugins:/plugins:Z");
        assert_eq!((taken.status, &*taken.fix[0]), (Status::Warn, lines[1]), "{taken:?}");
        let socket = judged("/var/run/docker.sock:/var/run/docker.sock\n    - ./plugins:/plugins:z");
        assert!(socket.fix.iter().all(|fix| !fix.contains("docker.sock:z")), "{socket:?}");
        assert!(socket.fix[0].ends_with("security_opt: [\"label=disable\"]"), "{socket:?}");
        let read = judged("/var/run/docker.sock:/var/run/docker.sock:ro\n    - ./plugins:/plugins:z");
        assert!(read.status == Status::Warn && read.fix[0].contains("label=disable"), "{read:?}");
        let certs = judged("/root/certs:/certs:ro\n    - ./plugins:/plugins:z");
        assert_eq!((certs.status, certs.title.contains("mount from /divvycloud")), (Status::Pass, true), "{certs:?}");
        assert!(certs.observed.unwrap().contains("whether containers may read /root/certs is not known"));
        assert_eq!(judged("/etc/localtime:/etc/localtime:ro\n    - ./plugins:/plugins:z").status, Status::Pass);
        let odd = judged("${HOME}/x:/x\n    - ./plugins:/plugins:z");
        assert_eq!((odd.status, odd.fix.len()), (Status::Warn, 1), "{odd:?}");
        let system = judged("/etc/pki:/etc/pki:ro,Z\n    - ./plugins:/plugins:z");
        assert!(system.title.contains("labels /etc/pki of the host for containers"), "{system:?}");
        assert_eq!(system.fix[0], "take :z and :Z away from /etc/pki in /divvycloud/docker-compose.yml:4");
        assert!(system.fix[1].contains("restorecon -R -F /etc/pki") && system.fix.len() == 2, "{system:?}");
        let long = judged("{type: bind, source: ./one, target: /one}\n    - ./plugins:/plugins:z");
        let line =
            "add the option z to the mount in /divvycloud/docker-compose.yml:4 (in its long form: bind: {selinux: z})";
        assert!(long.fix.iter().any(|fix| &**fix == line), "{long:?}");
        for found in [found, taken, socket, odd] {
            assert!(found.fix.iter().all(|fix| !fix.contains(":Z")), "{found:?}");
        }
    }
}
