//! What goes and what stays, on a host whose programs answer what is written here.

use std::path::Path;

use super::super::made::Remains;
use super::*;
use crate::docker::double::Double;
use crate::host::MemoryHost;

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
        host().prints("docker ps", "\"c0abbcc287b9\"\n").prints("docker inspect", crate::docker::double::INSPECTED),
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
