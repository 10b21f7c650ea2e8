use super::manifest::lacking;
use super::*;
use crate::docker::double::Double;
use crate::problem::Kind;

fn manifest(images: &[&str]) -> Manifest {
    let json = serde_json::json!({
        "schema": "ics-setup/bundle/v1", "made_by": "0", "deployment": "production", "architecture": "amd64", "compose": null,
        "images": images.iter().map(|name| serde_json::json!({
            "file": format!("images-{}.tar", name.replace(['/', ':'], "-")), "name": name, "id": "x", "digest": null, "architecture": "amd64",
        })).collect::<Vec<_>>(),
    });
    serde_json::from_value(json).unwrap()
}

#[test]
fn archives_have_names_that_every_disk_takes_and_no_two_the_same() {
    let none = manifest(&[]);
    for (image, file) in [
        ("redis", "images-redis-latest.tar"),
        ("r.test:5000/a/core:v22.12.7", "images-core-v22.12.7.tar"),
        ("divvycloud/quickstart-db", "images-quickstart-db-latest.tar"),
    ] {
        assert_eq!(none.file_for(image), file);
    }
    assert_eq!(manifest(&["redis-latest"]).file_for("other/redis"), "images-redis-latest-2.tar");
}

#[test]
fn what_a_bundle_has_not_got_is_named_with_what_it_has() {
    let has = manifest(&["ics:v1", "redis"]);
    assert!(lacking(&has, &["redis".to_owned()]).is_none());
    let finding = lacking(&has, &["ics:v2".to_owned(), "redis".to_owned()]).unwrap();
    assert!(finding.title.contains("ics:v2") && !finding.title.contains("redis"), "{finding:?}");
    assert_eq!((has.architecture_of("redis"), has.architecture_of("ics:v2")), (Some("amd64"), None));
}

#[test]
fn images_that_no_archive_carries_are_refused_by_name() {
    let file = |image: &str| format!("services:\n  web:\n    image: {image}\n  other:\n    image: redis\n");
    assert_eq!(names(&file("x:1")).unwrap().0, ["redis", "x:1"]);
    for image in ["x@sha256:00", "\"${IMAGE}\""] {
        let problem = names(&file(image)).map(|(names, _)| names).unwrap_err();
        assert!(problem.kind == Kind::Settings && problem.message.contains("of web"), "{problem}");
    }
    let (_, missing) = names("services:\n  web:\n    build: .\n").unwrap();
    assert_eq!(missing.len(), 1);
}

#[test]
fn who_has_no_docker_is_told_which_it_is() {
    let of = |host: &Double| server(host).map(|server| server.arch).map_err(|problem| problem.id.as_str());
    assert_eq!(of(&Double::installed()), Err("docker-absent"));
    let denied = "permission denied while trying to connect to the Docker daemon socket\n";
    assert_eq!(of(&Double::installed().fails("docker version", denied)), Err("needs-root"));
    let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n";
    assert_eq!(of(&Double::installed().fails("docker version", down)), Err("docker-silent"));
}
