//! What goes and what stays, on a host whose programs answer what is written here.

use std::path::Path;

use super::super::made::Remains;
use super::*;
use crate::docker::double::{Double, INSPECTED};
use crate::host::{MemoryHost, View};
use crate::plan::Draft;

const HOME: &str = "/divvycloud";

fn host() -> Double {
    let files = MemoryHost::new();
    files.put("/etc/os-release", b"ID=ubuntu\nVERSION_ID=22.04\n");
    files.put("/etc/apt/apt.conf.d/x", b"");
    files.put_dir("/var/lib/ics-setup");
    Double::with(files)
}

fn noted(host: &Double, change: impl Fn(&mut Made)) {
    Made::default().note(host, change).unwrap();
}

fn listed(host: &Double) -> String {
    let lines = Besides::look(host, Path::new(HOME), &[]).unwrap().list();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_outlives_the_containers_is_found_when_they_and_their_file_are_gone() {
    let host = host()
        .prints("docker ps", "")
        .prints("docker volume ls -q --filter label=com.docker.compose.project=ics", "ics_data\n")
        .prints(
            "apt-cache policy",
            "docker.io:\n  Installed: 20.10\n  Candidate: 20.10\nrunc:\n  Installed: (none)\n  Candidate: 1\n",
        );
    noted(&host, |all| {
        let one = Remains {
            projects: vec!["ics".into()],
            images: vec!["corp/divvycloud:v22.3.9".into()],
            ..Remains::default()
        };
        all.products.insert(HOME.into(), one);
        all.products.insert("/opt/other".into(), Remains { projects: vec!["other".into()], ..Remains::default() });
        all.packages = vec!["docker.io".into(), "runc".into()];
    });
    // Of packages only what is there; of products only the one in the folder.
    let wanted =
        "/divvycloud\nvolumes: ics_data\nimages: corp/divvycloud:v22.3.9\npackages that were installed: docker.io\n";
    assert_eq!(listed(&host), wanted);
    host.files.put("/divvycloud/data/db/x", b"");
    host.files.put("/divvycloud/mine.txt", b"");
    assert!(listed(&host).contains("plugins too: data, mine.txt\n"));
}

#[test]
fn an_engine_that_others_use_or_that_does_not_tell_stays() {
    for host in [
        host().prints("docker ps", "\"c0abbcc287b9\"\n").prints("docker inspect", INSPECTED),
        host().fails("docker ps", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
    ] {
        noted(&host, |all| all.packages = vec!["docker.io".into()]);
        assert_eq!(listed(&host), "/divvycloud\n");
        // Nobody was asked for what stays.
        assert!(host.ran.lock().unwrap().iter().all(|command| command.argv[0] == "docker"));
    }
}

#[test]
fn folders_that_are_not_the_products_alone_are_known() {
    for folder in
        ["/", "/opt", "/opt/", "/srv", "/home", "/var", "/var/lib", "/var/lib/ics-setup", "/usr/local", "/etc"]
    {
        assert!(is_of_system(Path::new(folder)), "{folder}");
    }
    for folder in [HOME, "/opt/divvycloud", "/srv/ics", "/home/divvy", "/var/lib/divvycloud", "/data"] {
        assert!(!is_of_system(Path::new(folder)), "{folder}");
    }
}

#[test]
fn a_product_that_rests_loses_the_containers_of_an_image_that_goes() {
    let inspected = INSPECTED.lines().next().unwrap().replace("v22.3.9", "v22.12.7");
    let inspected = inspected
        .replace("\"running\"", "\"created\"")
        .replace("2026-11-22T00:02:03.78237634Z", "0001-01-01T00:00:00Z");
    let host =
        host().prints("docker ps", "\"c0abbcc287b9\"\n").prints("docker inspect", inspected).prints("docker", "");
    let file = Path::new("/divvycloud/docker-compose.yml");
    let compose = |tag: &str| format!("services:\n  scheduler:\n    image: divvycloud/divvycloud:{tag}\n").into_bytes();
    host.files.put("/divvycloud/docker-compose.yml", &compose("v22.12.7"));
    let foresee = |tag: &str| {
        let view = View::new(&host);
        let mut draft = Draft::new(&view);
        draft.put(file, compose(tag), 0o644, Vec::new()).unwrap();
        draft.put(Path::new("/divvycloud/prod.env"), b"A=1\n".to_vec(), 0o644, Vec::new()).unwrap();
        let mut context = RunContext::default();
        context.plan = draft.plan;
        let mut remove = Remove::new(&host, None);
        remove.foresee(&mut context).unwrap();
        (remove.way, context.containers)
    };
    assert!(matches!(foresee("v22.12.7"), (Way::Stays, changes) if changes.is_empty()));
    let (Way::Rests(there, services), changes) = foresee("v22.3.9") else { panic!("they stay") };
    assert_eq!(changes, [ContainerChange { service: "scheduler".to_owned(), fate: Fate::Remove }]);
    take_away(&host, &there, &services).unwrap();
    let ran: Vec<String> = host.ran.lock().unwrap().iter().map(|own| own.argv[..2].join(" ")).collect();
    assert!(ran.ends_with(&["docker stop".to_owned(), "docker rm".to_owned()]), "{ran:?}");
}
